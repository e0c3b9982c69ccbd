package postgres

import (
	"fmt"
	"maps"
	"strings"

	"github.com/jackc/pgx/v5"

	"anthill/internal/regex"
	"anthill/state"
)

// names is a naming: how tables, columns and values are spelled.
type names struct {
	preset  string
	own     map[string]string // what is called otherwise than in the preset, by logical names
	tables  map[string]string
	columns map[string]string       // by table and column: "users.email"
	methods map[state.Method]string // of users
	session string                  // sessions.auth_method of sessions by password
	idp     string                  // in the names of shipped indexes
	places  places                  // where the tables are; found once, by Open
	gone    map[string]string       // columns of users that are gone, with what they read as; set by Inspect
	// the mapping table is gone; set by Inspect
	unmapped bool
}

// Namings are the names of the namings.
func Namings() []string { return state.Namings() }

// spell is a naming, with what is called otherwise in this database. own is as of config.Settings.
func spell(naming string, own map[string]string) (*names, error) {
	all := state.PhysicalNames(naming)
	if all == nil {
		return nil, fmt.Errorf("there is no naming %q: there are %s", naming, strings.Join(Namings(), " and "))
	}
	maps.Copy(all, own)
	n := &names{
		preset: naming, own: own, idp: naming, session: all["values.jwt"],
		tables: map[string]string{}, columns: map[string]string{},
		methods: map[state.Method]string{state.MethodPassword: all["values.password"], state.MethodDual: all["values.dual"],
			state.MethodSelfAuth: all["values.self_auth"]},
	}
	for table, columns := range state.LogicalColumns() {
		n.tables[table] = all[table]
		for _, c := range columns {
			n.columns[table+"."+c] = all[table+"."+c]
		}
	}
	return n, nil
}

// col is what a column is called.
func (n *names) col(table, column string) string {
	name, ok := n.columns[table+"."+column]
	if !ok {
		panic("postgres: no name for " + table + "." + column + ". This is a bug in Anthill.")
	}
	return name
}

var placeholder = regex.Lazy(`(\b[a-z]\.)?\{[a-z_.]+\}`)

// sql fills in {table}, {column}, {table.column} and {value.method}: identifiers quoted, tables with the schema
// where they were found, values as quoted literals. A column without its table is that of users where users has such a one: what
// is not about users names its table.
func (n *names) sql(text string) string {
	return n.fill(text, func(name string) string { return name })
}

// fill is sql for a text that is filled in further: as makes of a name what stands for it there.
func (n *names) fill(text string, as func(string) string) string {
	return placeholder().ReplaceAllStringFunc(text, func(p string) string {
		of, key, _ := strings.Cut(strings.TrimSuffix(p, "}"), "{")
		if reads, gone := n.gone[strings.TrimPrefix(key, "users.")]; gone {
			return reads
		}
		return of + as(n.one(key))
	})
}

// one is what stands for a name.
func (n *names) one(key string) string {
	if _, ok := n.tables[key]; ok {
		return n.table(key).Sanitize()
	}
	if c, ok := n.columns[key]; ok {
		return pgx.Identifier{c}.Sanitize()
	}
	for _, table := range []string{"users", "mapping", "tenants", "sessions"} {
		if c, ok := n.columns[table+"."+key]; ok {
			return pgx.Identifier{c}.Sanitize()
		}
	}
	switch key {
	case "value.password":
		return literal(n.methods[state.MethodPassword])
	case "value.dual":
		return literal(n.methods[state.MethodDual])
	case "value.self_auth":
		return literal(n.methods[state.MethodSelfAuth])
	case "value.jwt":
		return literal(n.session)
	}
	panic("postgres: no name for {" + key + "}. This is a bug in Anthill.")
}

// literal quotes a value for DDL, which takes no parameters.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
