package postgres

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// names is a naming: how tables, columns and values are spelled.
type names struct {
	preset  string
	tables  map[string]string
	columns map[string]string
	methods map[state.Method]string // of users
	session string                  // sessions.auth_method of sessions by password
	idp     string                  // in the names of shipped indexes
	places  places                  // where the tables are; found once, by Open
}

// presets are the namings by name.
func presets() []string { return []string{"self_auth", "kanidm"} }

// Namings are the names of the namings.
func Namings() []string { return presets() }

func preset(name string) (*names, error) {
	value := map[string]string{"self_auth": "self-auth", "kanidm": "kanidm"}[name]
	if value == "" {
		return nil, fmt.Errorf("there is no naming %q: there are %s", name, strings.Join(presets(), " and "))
	}
	n := &names{
		preset:  name,
		idp:     name,
		session: "jwt",
		tables: map[string]string{"tenants": "tenants", "users": "users", "sessions": "sessions", "mapping": name +
			"_tenant_groups"},
		columns: map[string]string{
			"tenant_id": "tenant_id", "slug": "slug", "name": "name", "plan": "plan", "status": "status",
			"deleted_at": "deleted_at", "settings": "settings",
			"user_id": "user_id", "email": "email", "full_name": "full_name", "role": "role",
			"email_verified": "email_verified",
			"password_hash":  "password_hash", "link_id": name + "_user_id", "linked_at": name + "_synced_at",
			"method": "auth_method", "invited_at": "migration_invited_at", "completed_at": "migration_completed_at",
			"last_login_at": "last_login_at",
			"group_id":      name + "_group_uuid", "group_name": name + "_group_name",
			"access_token_hash": "access_token_hash", "refresh_token_hash": "refresh_token_hash",
			"session_link": name + "_session_id", "session_id": "session_id",
			"created_at": "created_at", "revoked": "revoked",
		},
		methods: map[state.Method]string{state.MethodPassword: "password", state.MethodDual: "dual",
			state.MethodSelfAuth: value},
	}
	return n, nil
}

var placeholder = regexp.MustCompile(`\{[a-z_.]+\}`)

// sql fills in {table}, {column} and {value.method}: identifiers quoted, tables with the schema where they were found,
// values as quoted literals.
func (n *names) sql(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(p string) string {
		key := p[1 : len(p)-1]
		if _, ok := n.tables[key]; ok {
			return n.table(key).Sanitize()
		}
		if c, ok := n.columns[key]; ok {
			return pgx.Identifier{c}.Sanitize()
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
		panic("postgres: no name for " + p + ". This is a bug in Anthill.")
	})
}

// literal quotes a value for DDL, which takes no parameters.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
