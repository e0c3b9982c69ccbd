package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"anthill/providers"
	"anthill/state"
)

// column is a column as the catalogue has it.
type column struct {
	notNull  bool
	fallback string // default expression; "" none
	checks   []string
}

// catalogue is what matters of the tables: table -> column.
type catalogue map[string]map[string]column

// Inspect looks at the catalogue: where this is, and how far the schema is. Views, functions, comments and indexes
// never count, and neither do the names of migrations. *state.Error of kind Missing when a table or column of the
// baseline is not there, and of kind Denied when rows of it would be hidden from the role.
func (p *Provider) Inspect(ctx context.Context) (providers.Inspection, error) {
	i := providers.Inspection{Host: p.host}
	err := p.pool.QueryRow(ctx, `select current_database(), current_setting('server_version'), current_user`).
		Scan(&i.Database, &i.Version, &i.Role)
	if err != nil {
		return i, fail("look at the server", err)
	}
	err = p.pool.QueryRow(ctx, `select system_identifier::text from pg_control_system()`).Scan(&i.System)
	if err != nil {
		return i, noIdentity(fail("read the server's identity", err), i.Role)
	}
	if err := p.usable(i.Role); err != nil {
		return i, err
	}
	c, err := p.catalogue(ctx)
	if err != nil {
		return i, err
	}
	if err := p.missing(ctx, c); err != nil {
		return i, err
	}
	p.judge(c, &i)
	if err := p.unhidden(ctx, i.Role); err != nil {
		return i, err
	}
	if err := p.readable(ctx, i.Role); err != nil {
		return i, err
	}
	i.Rows, _, err = p.count(ctx, p.pool, "users")
	return i, fail("look at the size of the tables", err)
}

func (p *Provider) catalogue(ctx context.Context) (catalogue, error) {
	c := catalogue{}
	rows, err := p.pool.Query(ctx, `
		select t.relname, a.attname, a.attnotnull, coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
			coalesce((select array_agg(pg_get_constraintdef(k.oid) order by k.oid) from pg_constraint k
				where k.conrelid = t.oid and k.contype = 'c' and k.convalidated and k.conkey = array[a.attnum]), '{}')
		from pg_class t join pg_attribute a on a.attrelid = t.oid
			left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
		where t.oid = any($1) and a.attnum > 0 and not a.attisdropped`, p.names.places.all())
	if err != nil {
		return nil, fail("read the catalogue", err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, name string
		var col column
		if err := rows.Scan(&table, &name, &col.notNull, &col.fallback, &col.checks); err != nil {
			return nil, fail("read the catalogue", err)
		}
		if c[table] == nil {
			c[table] = map[string]column{}
		}
		c[table][name] = col
	}
	return c, fail("read the catalogue", rows.Err())
}

// baseline are the columns that must be there, by logical names.
func baseline() map[string][]string {
	return map[string][]string{
		"tenants": {"tenant_id", "slug", "name", "plan", "status", "deleted_at"},
		"users": {"user_id", "tenant_id", "email", "password_hash", "full_name", "role", "status", "email_verified",
			"deleted_at", "link_id", "linked_at"},
		"sessions": {"user_id", "access_token_hash", "refresh_token_hash", "created_at", "revoked"},
		"mapping":  {"tenant_id", "group_id", "group_name", "role"},
	}
}

// absent lists tables and columns of the baseline that are not there.
func (n *names) absent(c catalogue) (tables, columns []string) {
	for logical, cols := range baseline() {
		table := n.tables[logical]
		if c[table] == nil {
			tables = append(tables, table)
			continue
		}
		for _, col := range cols {
			if _, ok := c[table][n.columns[col]]; !ok {
				columns = append(columns, table+"."+n.columns[col])
			}
		}
	}
	slices.Sort(tables)
	slices.Sort(columns)
	return tables, columns
}

func (p *Provider) missing(ctx context.Context, c catalogue) error {
	tables, columns := p.names.absent(c)
	if len(tables)+len(columns) == 0 {
		return nil
	}
	// The usual mistake is the wrong naming, which is told by trying the others.
	fits := ""
	for _, other := range presets() {
		n, err := preset(other)
		if err != nil || other == p.names.preset {
			continue
		}
		if t, col := n.absent(c); len(t)+len(col) == 0 {
			fits = other
		}
	}
	if fits != "" || len(tables) == 0 {
		return p.names.noTables(tables, columns, fits, nil)
	}
	elsewhere, err := p.elsewhere(ctx, tables)
	if err != nil {
		return err
	}
	return p.names.noTables(tables, columns, fits, elsewhere)
}

// part is one thing that makes a schema dual.
type part struct {
	text string // in the manner of SQL
	has  func(catalogue) bool
}

func (n *names) column(c catalogue, table, col string) (column, bool) {
	found, ok := c[n.tables[table]][n.columns[col]]
	return found, ok
}

func (n *names) parts() []part {
	jwt, password := n.session, n.methods[state.MethodPassword]
	return []part{
		n.partNullable("users", "password_hash"), n.partFilled("users", password), n.partChecked("users", password),
		n.partThere("users", "invited_at"), n.partThere("users", "completed_at"),
		n.partNullable("sessions", "access_token_hash"), n.partNullable("sessions", "refresh_token_hash"),
		n.partThere("sessions", "session_link"), n.partFilled("sessions", jwt), n.partChecked("sessions", jwt),
	}
}

func (n *names) partThere(table, col string) part {
	return part{n.qualified(table, col), func(c catalogue) bool {
		_, ok := n.column(c, table, col)
		return ok
	}}
}

func (n *names) partNullable(table, col string) part {
	return part{n.qualified(table, col) + " null", func(c catalogue) bool {
		f, ok := n.column(c, table, col)
		return ok && !f.notNull
	}}
}

// partFilled is a column of methods that is never null, and the method of rows that say nothing of it.
func (n *names) partFilled(table, value string) part {
	return part{n.qualified(table, "method") + " not null default " + literal(value), func(c catalogue) bool {
		f, ok := n.column(c, table, "method")
		return ok && f.notNull && slices.Equal(literals(f.fallback), []string{value})
	}}
}

// partChecked is the check of a column of methods, of which first is that of passwords.
func (n *names) partChecked(table, first string) part {
	want := []string{first, n.methods[state.MethodDual], n.methods[state.MethodSelfAuth]}
	slices.Sort(want)
	list := make([]string, len(want))
	for i, v := range want {
		list[i] = literal(v)
	}
	text := fmt.Sprintf("check (%s in (%s))", n.qualified(table, "method"), strings.Join(list, ", "))
	return part{text, func(c catalogue) bool {
		f, _ := n.column(c, table, "method")
		return slices.ContainsFunc(f.checks, func(def string) bool { return slices.Equal(literals(def), want) })
	}}
}

var quoted = regexp.MustCompile(`'((?:[^']|'')*)'`)

// literals are the string constants of an expression, sorted, each once.
func literals(expression string) (values []string) {
	for _, m := range quoted.FindAllStringSubmatch(expression, -1) {
		values = append(values, strings.ReplaceAll(m[1], "''", "'"))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func (p *Provider) judge(c catalogue, i *providers.Inspection) {
	_, has := p.names.column(c, "users", "method")
	i.Bare = !has
	for _, part := range p.names.parts() {
		if part.has(c) {
			i.Present = append(i.Present, part.text)
		} else {
			i.Absent = append(i.Absent, part.text)
		}
	}
	// Which columns there are decides what can be read, whatever the level is. And a column that is there but not as it
	// should be is a trace of somebody else's attempt: that is no baseline.
	p.dual.Store(p.names.hasColumns(c))
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
	if i.Level != providers.LevelDual {
		for _, s := range p.names.steps() {
			i.Steps = append(i.Steps, providers.SchemaStep{Name: s.name, Does: s.does})
		}
	}
	if i.Level != providers.LevelBetween {
		i.Present, i.Absent = nil, nil
	}
}

// MayWrite refuses a role or a server that could not carry out a plan, before the first effect. alters says whether the
// schema is to be changed as well, which only the owner of the tables may.
func (p *Provider) MayWrite(ctx context.Context, alters bool) error {
	const doing = "check the role"
	var role, lacks string
	var standby bool
	users, mapping, sessions := p.names.sql("{users}"), p.names.sql("{mapping}"), p.names.sql("{sessions}")
	err := p.pool.QueryRow(ctx, `select current_user,
			pg_is_in_recovery() or current_setting('transaction_read_only')::bool,
			concat_ws(', ',
				case when not has_table_privilege($1::regclass, 'update') then 'UPDATE on ' || $1 end,
				case when not has_table_privilege($2::regclass, 'insert, update, delete')
						or not has_table_privilege($2::regclass, 'update')
						or not has_table_privilege($2::regclass, 'delete')
					then 'INSERT, UPDATE, DELETE on ' || $2 end,
				case when $4 and exists (select from pg_class
						where oid in ($1::regclass, $3::regclass) and not pg_has_role(relowner, 'usage'))
					then 'being the owner of ' || $1 || ' and ' || $3 end)`,
		users, mapping, sessions, alters).Scan(&role, &standby, &lacks)
	switch {
	case err != nil:
		return fail(doing, err)
	case standby:
		return &state.Error{
			Kind: state.ErrorDenied, Side: side, Doing: doing, Reason: "this server or role only reads",
			Cure: "It is enough to plan. To apply, name the primary server in DATABASE_URL. Nothing was changed.",
		}
	case lacks != "":
		return &state.Error{
			Kind: state.ErrorDenied, Side: side, Doing: doing, Reason: "role " + role + " lacks " + lacks,
			Cure: "It is enough to plan. To apply, grant that, or use another role in DATABASE_URL. Nothing " +
				"was changed.",
		}
	}
	return nil
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
