package postgres

import (
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// ByHand are the statements by which a person does with psql what Upgrade, Map and WriteUsers do. Values are psql's variables,
// which it quotes itself: :'tenant', :'group', :'name' and :'role' of a mapping row; :'user' and :'person' of a link.
type ByHand struct{ names *names }

// ByHand are the statements of this database.
func (p *Provider) ByHand() ByHand { return ByHand{p.names} }

// Step are the statements of a schema step, each to be run by itself; known is false where this version knows no such step.
func (b ByHand) Step(name string) (statements []string, known bool) {
	var list []string
	switch name {
	case "users.password_hash.nullable":
		list = []string{"alter table {users} alter column {password_hash} drop not null"}
	case providers.SchemaUserColumns:
		list = []string{`alter table {users} add column if not exists {method} varchar(50) not null default {value.password},
  add column if not exists {invited_at} timestamptz, add column if not exists {completed_at} timestamptz`}
	case providers.SchemaSessionColumns:
		list = []string{`alter table {sessions} add column if not exists {session_link} uuid,
  add column if not exists {sessions.method} varchar(50) not null default {value.jwt},
  alter column {access_token_hash} drop not null, alter column {refresh_token_hash} drop not null`}
	case providers.SchemaFilled:
		list = []string{"update {users} set {method} = case when {password_hash} is null then {value.self_auth} else {value.dual} end, " +
			"{completed_at} = coalesce({completed_at}, {linked_at}) where {link_id} is not null and {method} = {value.password}"}
	case "users.method.check":
		list = b.check("users", "{value.password}")
	case "sessions.method.check":
		list = b.check("sessions", "{value.jwt}")
	default:
		for _, i := range b.names.indexes() {
			if name == "index."+i.key {
				list = []string{"create index concurrently if not exists " + pgx.Identifier{i.name}.Sanitize() + " on " + i.on()}
			}
		}
	}
	for _, s := range list {
		statements = append(statements, b.names.sql(s))
	}
	return statements, len(list) > 0
}

func (b ByHand) check(table, first string) []string {
	name := pgx.Identifier{b.names.checkName(table)}.Sanitize()
	return []string{
		"alter table {" + table + "} add constraint " + name + " check ({" + table + ".method} in (" + first + ", {value.self_auth}, {value.dual})) not valid",
		"alter table {" + table + "} validate constraint " + name,
	}
}

// Map makes a mapping row, and leaves one that is there.
func (b ByHand) Map() string {
	return b.names.sql(`insert into {mapping} ({mapping.tenant_id}, {group_id}, {group_name}, {mapping.role})
  values (:'tenant', :'group', :'name', :'role') on conflict do nothing`)
}

// Mapped counts the mapping rows of some groups, by name, for whoever checks.
func (b ByHand) Mapped(groups []string) string {
	list := make([]string, len(groups))
	for i, g := range groups {
		list[i] = literal(g)
	}
	return b.names.sql("select count(*) from {mapping} where {group_name} in (") + strings.Join(list, ", ") + ")"
}

// Link links a row that is still active and not linked. The method is raised, or stays where it is MethodInvalid. The synced time
// is left to the application: nobody could tell one that a person has written from a login.
func (b ByHand) Link(method state.Method, complete bool) string {
	set := []string{"{link_id} = :'person'"}
	if word := b.names.methods[method]; word != "" {
		set = append(set, "{method} = "+literal(word))
	}
	if complete {
		set = append(set, "{completed_at} = now()")
	}
	return b.names.sql("update {users} set " + strings.Join(set, ", ") +
		" where {user_id} = :'user' and {link_id} is null and {status} = 'active' and {deleted_at} is null")
}

// Linked counts the linked rows of some users, for whoever checks.
func (b ByHand) Linked(users []uuid.UUID) string {
	list := make([]string, len(users))
	for i, u := range users {
		list[i] = literal(u.String())
	}
	return b.names.sql("select count(*) from {users} where {link_id} is not null and {user_id} in (") + strings.Join(list, ", ") + ")"
}
