package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// What somebody else has begun of the dual schema is for them to finish: what they have made is never changed by a run. But
// it is said how, in statements to paste; behind them the schema is dual.

// migrations are the application's own that make the dual schema, each with the tables whose parts it makes. One is worth
// running only where nothing of it is there: it adds columns without looking.
func (n *names) migrations() []providers.Migration {
	tracking := []string{providers.SchemaUserColumns, providers.SchemaFilled, "users.method.check"}
	return []providers.Migration{
		{Version: "20250110000014", Name: "password_hash_nullable", Steps: []string{"users.password_hash.nullable"}},
		{Version: "20250110000015", Name: "add_migration_tracking", Steps: tracking},
		{Version: "20250110000016", Name: "sessions_" + n.idp + "_support",
			Steps: []string{providers.SchemaSessionColumns, "sessions.method.check"}},
	}
}

// remaining are the migrations of which nothing is there, up to the last, if what is missing is just theirs.
func (n *names) remaining(c catalogue) (list []string) {
	begun := map[string]bool{}
	missing := map[string]bool{}
	for _, part := range n.parts() {
		if part.extra {
			continue
		}
		if live := part.live(c); live == part.text {
			begun[part.step] = true
		} else {
			missing[part.step] = true
			// The token hashes, and the password's, are there in any case; what counts is whether they are nullable by now.
			begun[part.step] = begun[part.step] || live != "" && !strings.HasSuffix(part.text, " null")
		}
	}
	for _, m := range n.migrations() {
		lacks := slices.ContainsFunc(m.Steps, func(s string) bool { return missing[s] })
		some := slices.ContainsFunc(m.Steps, func(s string) bool { return begun[s] })
		switch {
		case lacks && some:
			return nil
		case lacks:
			list = append(list, m.Version+"_"+m.Name+".sql")
		}
	}
	return list
}

// cure are the statements that make a dual schema of what is there, each to be run by itself.
func (n *names) cure(c catalogue, fill bool) []string {
	s := statements{names: n}
	// Before any row gets a value that one of them leaves out.
	s.loosen(c, "users", n.methods[state.MethodPassword])
	s.loosen(c, "sessions", n.session)
	s.columns(c)
	if fill {
		s.add(`UPDATE {users} SET {method} = CASE WHEN {password_hash} IS NULL THEN {value.self_auth} ELSE {value.dual} END, ` +
			`{completed_at} = coalesce({completed_at}, {linked_at}) WHERE {link_id} IS NOT NULL AND {method} = {value.password}`)
	}
	s.check(c, "users", n.methods[state.MethodPassword])
	s.check(c, "sessions", n.session)
	for _, i := range n.indexes() {
		s.index(c, i)
	}
	return s.list
}

// statements are SQL in the making.
type statements struct {
	names *names
	list  []string
}

// add takes {names} of ours, and %s for what others have named, quoted.
func (s *statements) add(sql string, args ...any) {
	s.list = append(s.list, fmt.Sprintf(s.names.fill(sql, percents), args...)+";")
}

// percents keeps a name from being taken for a verb.
func percents(name string) string { return strings.ReplaceAll(name, "%", "%%") }

// alter is add for a statement about a table.
func (s *statements) alter(table, sql string, args ...any) {
	s.add("ALTER TABLE %s "+sql, append([]any{s.names.table(table).Sanitize()}, args...)...)
}

func (s *statements) columns(c catalogue) {
	for _, t := range []struct {
		table, first string
		nullable     []string
		plain        map[string]string
		fill         string // the method of rows that have none
	}{
		{"users", "{value.password}", []string{"password_hash"}, map[string]string{"invited_at": "timestamptz", "completed_at": "timestamptz"},
			"CASE WHEN {link_id} IS NULL THEN {value.password} WHEN {password_hash} IS NULL THEN {value.self_auth} ELSE {value.dual} END"},
		{"sessions", "{value.jwt}", []string{"access_token_hash", "refresh_token_hash"}, map[string]string{"session_link": "uuid"}, "{value.jwt}"},
	} {
		var alter []string
		for _, col := range t.nullable {
			if f, ok := s.names.column(c, t.table, col); ok && f.notNull {
				alter = append(alter, "ALTER COLUMN {"+col+"} DROP NOT NULL")
			}
		}
		f, ok := s.names.column(c, t.table, "method")
		method := "{" + t.table + ".method}"
		if !ok {
			alter = append(alter, "ADD COLUMN "+method+" varchar(50) NOT NULL DEFAULT "+t.first)
		} else if first := s.names.sql(t.first); !slices.Equal(literals(f.fallback), literals(first)) {
			alter = append(alter, "ALTER COLUMN "+method+" SET DEFAULT "+t.first)
		}
		for _, col := range []string{"invited_at", "completed_at", "session_link"} {
			if t.plain[col] == "" {
				continue
			}
			if _, there := s.names.column(c, t.table, col); !there {
				alter = append(alter, "ADD COLUMN {"+t.table+"."+col+"} "+t.plain[col])
			}
		}
		if len(alter) > 0 {
			s.alter(t.table, "%s", s.names.sql(strings.Join(alter, ", ")))
		}
		if ok && !f.notNull {
			s.add("UPDATE %s SET "+method+" = %s WHERE "+method+" IS NULL", s.names.table(t.table).Sanitize(), s.names.sql(t.fill))
			s.alter(t.table, "ALTER COLUMN "+method+" SET NOT NULL")
		}
	}
}

// narrows are the checks of a column of methods that leave out a value of ours, and all values that are to be let in: ours, and what
// those let in. The others are kept.
func (n *names) narrows(c catalogue, table, first string) (out, kept []checkNow, values []string) {
	values = n.methodValues(first)
	f, _ := n.column(c, table, "method")
	for _, k := range f.checks {
		if narrow(k.text, values) {
			out, values = append(out, k), append(values, literals(k.text)...)
		} else {
			kept = append(kept, k)
		}
	}
	return out, kept, values
}

// loosen takes the checks of a column of methods away that leave out a value of ours.
func (s *statements) loosen(c catalogue, table, first string) {
	narrow, _, _ := s.names.narrows(c, table, first)
	for _, k := range narrow {
		s.alter(table, "DROP CONSTRAINT %s", pgx.Identifier{k.name}.Sanitize())
	}
}

// check makes the check of a column of methods, which lets in what those do as well that went.
func (s *statements) check(c catalogue, table, first string) {
	ours := s.names.methodValues(first)
	_, kept, values := s.names.narrows(c, table, first)
	name := pgx.Identifier{s.names.checkName(table)}.Sanitize()
	valid := false
	for _, k := range kept {
		switch {
		case !wide(k.text, ours):
		case !k.valid:
			s.alter(table, "VALIDATE CONSTRAINT %s", pgx.Identifier{k.name}.Sanitize())
			valid = true
		default:
			valid = true
		}
	}
	if valid {
		return
	}
	slices.Sort(values)
	values = slices.Compact(values)
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = literal(v)
	}
	s.alter(table, "ADD CONSTRAINT %s CHECK ({"+table+".method} IN (%s)) NOT VALID", name, strings.Join(list, ", "))
	s.alter(table, "VALIDATE CONSTRAINT %s", name)
}

// index makes an index. Another one of the name is called otherwise.
func (s *statements) index(c catalogue, i index) {
	p := s.names.partIndexed(i)
	live := p.live(c)
	if live == p.text {
		return
	}
	schema := s.names.table(i.table)[0]
	name := pgx.Identifier{i.name}.Sanitize()
	// Postgres refuses this way on a partitioned table, and there is one partition after another to wait for in the other.
	way := "CONCURRENTLY "
	if s.names.partitioned(i.table) {
		way = ""
	}
	switch {
	case strings.HasSuffix(live, notValid):
		s.add("DROP INDEX %s%s", way, pgx.Identifier{schema, i.name}.Sanitize())
	case live != "":
		s.add("ALTER INDEX %s RENAME TO %s", pgx.Identifier{schema, i.name}.Sanitize(), pgx.Identifier{i.name + "_other"}.Sanitize())
	}
	s.add("CREATE INDEX %s%s ON %s", way, name, s.names.sql(i.on()))
}

// methodValues are the values of a column of methods, of which first is that of passwords; sorted.
func (n *names) methodValues(first string) []string {
	values := []string{first, n.methods[state.MethodDual], n.methods[state.MethodSelfAuth]}
	slices.Sort(values)
	return values
}

// lists reports whether a check is one of a list of values, and nothing else.
func lists(check string) bool {
	check = strings.TrimSuffix(check, " NOT VALID")
	return len(literals(check)) > 0 && !strings.Contains(check, "<>") && !strings.Contains(check, " NOT ") &&
		!strings.Contains(check, " OR ") && !strings.Contains(check, " ~")
}

// wide reports whether a check is a list with all of some values.
func wide(check string, values []string) bool {
	return lists(check) && !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(literals(check), v) })
}

// narrow reports whether a check is a list that leaves out one of some values: no row could be written that has it.
func narrow(check string, values []string) bool { return lists(check) && !wide(check, values) }

// wanting are statements that make what of the baseline the application's step before the dual schema makes: the link of a
// row, and the mapping table. nil where more is missing than that.
func (n *names) wanting(tables, columns []string) []string {
	s := statements{names: n}
	if slices.ContainsFunc(tables, func(t string) bool { return t != n.tables["mapping"] }) {
		return nil
	}
	types := map[string]string{
		n.qualified("users", "link_id"):   "uuid UNIQUE",
		n.qualified("users", "linked_at"): "timestamptz",
		// Rows that are there already count as ones of groups that are gone.
		n.qualified("mapping", "tenant_id"):  "uuid NOT NULL REFERENCES {tenants} ON DELETE CASCADE",
		n.qualified("mapping", "group_id"):   "uuid NOT NULL DEFAULT gen_random_uuid()",
		n.qualified("mapping", "group_name"): "text NOT NULL DEFAULT ''",
		n.qualified("mapping", "role"):       "text NOT NULL DEFAULT 'member' CHECK ({mapping.role} IN ('admin', 'member', 'viewer'))",
	}
	for _, logical := range []string{"users", "mapping"} {
		for _, col := range baseline()[logical] {
			name := n.qualified(logical, col)
			if !slices.Contains(columns, name) {
				continue
			}
			if types[name] == "" {
				return nil
			}
			s.alter(logical, "ADD COLUMN %s %s", pgx.Identifier{n.col(logical, col)}.Sanitize(), n.sql(types[name]))
			delete(types, name)
			columns = slices.DeleteFunc(slices.Clone(columns), func(c string) bool { return c == name })
		}
	}
	if len(columns) > 0 {
		return nil
	}
	if len(tables) > 0 {
		schema := pgx.Identifier{n.table("users")[0], n.tables["mapping"]}.Sanitize()
		s.add(`CREATE TABLE %s ({mapping.tenant_id} uuid NOT NULL REFERENCES {tenants} ON DELETE CASCADE, {group_id} uuid NOT NULL, `+
			`{group_name} text NOT NULL, {mapping.role} text NOT NULL CHECK ({mapping.role} IN ('admin', 'member', 'viewer')), `+
			`created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY ({mapping.tenant_id}, {group_id}))`, schema)
	}
	return s.list
}
