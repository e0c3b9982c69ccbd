package postgres

import (
	"fmt"
	"slices"
	"strings"

	"anthill/internal/regex"
	"anthill/providers"
	"anthill/state"
)

// part is one thing that a step of the schema makes. All texts are in the manner of SQL.
type part struct {
	step string
	text string
	live func(catalogue) string // what is in its place: text where it is as it should be, "" where there is nothing
	// extra: a schema counts as dual without it. stays: the step leaves what it finds in its place, but for an index that is
	// not valid.
	extra, stays bool
}

func (n *names) column(c catalogue, table, col string) (column, bool) {
	found, ok := c.tables[n.tables[table]][n.col(table, col)]
	return found, ok
}

// parts are all of them. Those that make a schema dual come first.
func (n *names) parts() []part {
	const users, sessions = providers.SchemaUserColumns, providers.SchemaSessionColumns
	jwt, password := n.session, n.methods[state.MethodPassword]
	list := []part{
		n.partNullable("users.password_hash.nullable", "users", "password_hash"),
		n.partFilled(users, "users", password), n.partChecked("users", password),
		n.partThere(users, "users", "invited_at"), n.partThere(users, "users", "completed_at"),
		n.partNullable(sessions, "sessions", "access_token_hash"), n.partNullable(sessions, "sessions", "refresh_token_hash"),
		n.partThere(sessions, "sessions", "session_link"), n.partFilled(sessions, "sessions", jwt),
		n.partChecked("sessions", jwt),
		n.partTyped(users, "users", "method"), n.partTyped(users, "users", "invited_at"),
		n.partTyped(users, "users", "completed_at"), n.partTyped(sessions, "sessions", "session_link"),
		n.partTyped(sessions, "sessions", "method"),
	}
	for _, i := range n.indexes() {
		list = append(list, n.partIndexed(i))
	}
	return list
}

func (n *names) partThere(step, table, col string) part {
	name := n.qualified(table, col)
	return part{step: step, text: name, live: func(c catalogue) string {
		if _, ok := n.column(c, table, col); !ok {
			return ""
		}
		return name
	}}
}

func (n *names) partNullable(step, table, col string) part {
	name := n.qualified(table, col)
	return part{step: step, text: name + " null", live: func(c catalogue) string {
		f, ok := n.column(c, table, col)
		if !ok {
			return ""
		}
		return name + nullness(f)
	}}
}

func nullness(f column) string {
	if f.notNull {
		return " not null"
	}
	return " null"
}

// partFilled is a column of methods that is never null, and the method of rows that say nothing of it.
func (n *names) partFilled(step, table, value string) part {
	name := n.qualified(table, "method")
	return part{step: step, text: name + " not null default " + literal(value), live: func(c catalogue) string {
		f, ok := n.column(c, table, "method")
		switch {
		case !ok:
			return ""
		case slices.Equal(literals(f.fallback), []string{value}):
			return name + nullness(f) + " default " + literal(value)
		case f.fallback != "":
			return name + nullness(f) + " default " + f.fallback
		}
		return name + nullness(f)
	}}
}

// partChecked is the check of a column of methods, of which first is that of passwords.
func (n *names) partChecked(table, first string) part {
	want := n.methodValues(first)
	list := make([]string, len(want))
	for i, v := range want {
		list[i] = literal(v)
	}
	text := fmt.Sprintf("check (%s in (%s))", n.qualified(table, "method"), strings.Join(list, ", "))
	return part{step: table + ".method.check", text: text, live: func(c catalogue) (live string) {
		f, _ := n.column(c, table, "method")
		for _, k := range f.checks {
			// Whatever others let in, this one lets no row be written that has a value of ours.
			if narrow(k.text, want) {
				return k.text
			}
			switch alike := wide(k.text, want); {
			case alike && k.valid:
				live = text
			case live == text:
			case alike:
				live = text + notValid
			case k.name == n.checkName(table) && live == "":
				live = k.text
			}
		}
		return live
	}}
}

// partTyped is the type of a column that a step makes. What the application has made of it before us decides nothing.
func (n *names) partTyped(step, table, col string) part {
	name := n.qualified(table, col) + " "
	text := name + columnTypes[col]
	return part{step: step, text: text, extra: true, stays: true, live: func(c catalogue) string {
		f, ok := n.column(c, table, col)
		if !ok { // which is told already
			return text
		}
		return name + f.kind
	}}
}

// columnTypes are the types of the columns that steps make, as the catalogue is read.
var columnTypes = map[string]string{
	"method": "character varying(50)", "invited_at": "timestamptz",
	"completed_at": "timestamptz", "session_link": "uuid",
}

// partIndexed is an index. Of another one of the name the columns tell it; its condition is not compared. One of these columns
// under another name serves as well.
func (n *names) partIndexed(i index) part {
	of := func(table string, columns []string) string {
		return fmt.Sprintf("index %s on %s (%s)", i.name, table, strings.Join(columns, ", "))
	}
	columns := make([]string, len(i.columns))
	for k, c := range i.columns {
		columns[k] = n.col(i.table, c)
	}
	return part{step: "index." + i.key, text: of(n.tables[i.table], columns), extra: true, stays: true,
		live: func(c catalogue) string {
			found, ok := c.indexes[i.name]
			switch {
			case !ok && c.indexed(n.tables[i.table], columns):
				return of(n.tables[i.table], columns)
			case !ok:
				return ""
			case !found.valid:
				return of(found.table, found.columns) + notValid
			}
			return of(found.table, found.columns)
		}}
}

// indexed reports whether a valid index of just these columns is there.
func (c catalogue) indexed(table string, columns []string) bool {
	for _, found := range c.indexes {
		if found.valid && found.table == table && slices.Equal(found.columns, columns) {
			return true
		}
	}
	return false
}

const notValid = " not valid"

var quoted = regex.Lazy(`'((?:[^']|'')*)'`)

// literals are the string constants of an expression, sorted, each once.
func literals(expression string) (values []string) {
	for _, m := range quoted().FindAllStringSubmatch(expression, -1) {
		values = append(values, strings.ReplaceAll(m[1], "''", "'"))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func (p *Provider) judge(c catalogue, i *providers.Inspection) {
	method, has := p.names.column(c, "users", "method")
	i.Bare = !has
	due := map[string]bool{"users.method.backfill": !has || p.names.fresh(c, method)}
	for name, step := range p.names.passing() {
		_, built := c.indexes[name]
		due[step] = due[step] || built || p.names.has(c, name)
	}
	for _, part := range p.names.parts() {
		live := part.live(c)
		as := live == part.text
		if !as {
			stays := part.stays && live != "" && !strings.HasSuffix(live, notValid)
			i.Lacks = append(i.Lacks, providers.SchemaPart{Step: part.step, Made: part.text, Live: live, Stays: stays})
			due[part.step] = due[part.step] || !stays
		}
		switch {
		case part.extra:
		case as:
			i.Present = append(i.Present, part.text)
		default:
			i.Absent = append(i.Absent, part.text)
		}
	}
	// Which columns there are decides what can be read, whatever the level is. And a column that is there but not as it
	// should be is a trace of somebody else's attempt: that is no baseline.
	p.dual.Store(p.names.hasColumns(c))
	_, methods := p.names.column(c, "sessions", "method")
	p.methods.Store(methods)
	if len(i.Present) == 0 {
		i.Present = p.names.traces(c)
	}
	switch {
	case len(i.Absent) == 0:
		i.Level = providers.LevelDual
	case len(i.Present) == 0:
		i.Level = providers.LevelBaseline
	default:
		i.Level = providers.LevelBetween
	}
	for _, s := range p.names.steps() {
		if due[s.name] || i.Level == providers.LevelBaseline {
			i.Steps = append(i.Steps, providers.SchemaStep{Name: s.name, Does: s.does})
		}
	}
	if i.Level != providers.LevelBetween {
		i.Present, i.Absent = nil, nil
	}
	if i.Level != providers.LevelBetween || len(i.Gone) > 0 {
		return
	}
	i.Remaining, i.Cure = p.names.remaining(c), p.names.cure(c, due[providers.SchemaFilled])
}

// fresh reports whether a column of methods stands as the step leaves it that makes it: nothing of what is made behind the
// back-fill is there, so that may not be through.
func (n *names) fresh(c catalogue, method column) bool {
	for _, i := range n.indexes() {
		if _, there := c.indexes[i.name]; there && i.table == "users" {
			return false
		}
	}
	return len(method.checks) == 0
}

// passing are the checks and indexes that steps make for a while, each with the step that takes away what a kill has left.
func (n *names) passing() map[string]string {
	users, sessions := n.leaving("users"), n.leaving("sessions")
	return map[string]string{
		guard("users"): "users.password_hash.nullable", guard("sessions"): providers.SchemaSessionColumns,
		filledGuard("users"): providers.SchemaUserColumns, filledGuard("sessions"): providers.SchemaSessionColumns,
		users.helper().name: providers.SchemaUserColumns, sessions.helper().name: providers.SchemaSessionColumns,
	}
}

// traces are columns of the dual schema that are there, whatever they are like.
func (n *names) traces(c catalogue) (found []string) {
	for _, t := range []struct{ table, column string }{
		{"users", "method"}, {"users", "invited_at"}, {"users", "completed_at"},
		{"sessions", "method"}, {"sessions", "session_link"},
	} {
		if _, there := n.column(c, t.table, t.column); there {
			found = append(found, n.qualified(t.table, t.column))
		}
	}
	return found
}

// hasColumns says whether the columns that are read of a dual row are all there.
func (n *names) hasColumns(c catalogue) bool {
	for _, col := range []string{"method", "invited_at", "completed_at"} {
		if _, ok := n.column(c, "users", col); !ok {
			return false
		}
	}
	return true
}
