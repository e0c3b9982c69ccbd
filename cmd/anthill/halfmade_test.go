package main

import (
	"regexp"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// The application's own migrations, as far as the level goes.
const (
	migration14 = "alter table users alter column password_hash drop not null;"
	migration15 = columns15 + check15 + indexes15
	columns15   = `alter table users add column auth_method varchar(50) not null default 'password';
		alter table users add column migration_invited_at timestamptz; alter table users add column migration_completed_at timestamptz;`
	check15   = "alter table users add constraint users_auth_method_check check (auth_method in ('password', 'self-auth', 'dual'));"
	indexes15 = `create index idx_users_auth_method on users (auth_method) where deleted_at is null;
		create index idx_users_migration_status on users (tenant_id, auth_method, migration_completed_at) where deleted_at is null;
		create index idx_users_pending_migration on users (tenant_id, last_login_at)
			where deleted_at is null and auth_method = 'password' and {idp}_user_id is null;`
	migration16 = columns16 + check16 + `create index idx_sessions_{idp}_session on sessions ({idp}_session_id) where not revoked and {idp}_session_id is not null;
		create index idx_sessions_auth_method on sessions (auth_method, created_at) where not revoked;
		create index idx_sessions_user_auth on sessions (user_id, auth_method, created_at) where not revoked;`
	columns16 = `alter table sessions alter column access_token_hash drop not null, alter column refresh_token_hash drop not null;
		alter table sessions add column {idp}_session_id uuid; alter table sessions add column auth_method varchar(50) not null default 'jwt';`
	check16 = "alter table sessions add constraint sessions_auth_method_check check (auth_method in ('jwt', 'self-auth', 'dual'));"
)

// halfMade are schemas that somebody else has begun; says are parts of the message.
var halfMade = map[string]struct {
	sql  string
	says []string
}{
	"migration 14": {migration14, []string{"There already:", "users.password_hash null", "Missing:", "users.migration_invited_at",
		"20250110000015_add_migration_tracking.sql", "20250110000016_sessions_{idp}_support.sql"}},
	"migrations 14 and 15": {migration14 + migration15, []string{"sessions.{idp}_session_id", "The application's own migrations make the rest:",
		"20250110000016_sessions_{idp}_support.sql"}},
	"migration 15 alone":          {migration15, []string{"20250110000014_password_hash_nullable.sql", "20250110000016"}},
	"migration 16 alone":          {migration16, []string{"20250110000014", "20250110000015"}},
	"migration 15 without checks": {migration14 + columns15, []string{"Missing:", "check (users.auth_method in", "would stop at what is there already"}},
	"migration 15 cut off behind its first column": {migration14 + "alter table users add column auth_method varchar(50) not null default 'password';",
		[]string{"users.migration_invited_at", "would stop at what is there already"}},
	"migration 16 cut off before the hyphen, as in the document": {migration14 + migration15 + `alter table sessions alter column access_token_hash drop not null;
		alter table sessions alter column refresh_token_hash drop not null; alter table sessions add column auth_method varchar(50) not null default 'jwt';` + check16,
		[]string{"sessions.{idp}_session_id", "would stop"}},
	"the document's indexes, no sessions": {migration14 + columns15 + check15 + `create index idx_users_auth_method on users (auth_method);
		create index idx_users_migration_status on users (tenant_id, auth_method, migration_completed_at);`, []string{"20250110000016"}},
	"checks of passwords alone, as after the identity provider was removed": {migration14 + migration15 + migration16 +
		`alter table users drop constraint users_auth_method_check, add constraint users_auth_method_check check (auth_method = 'password');
		alter table sessions drop constraint sessions_auth_method_check, add constraint sessions_auth_method_check check (auth_method in ('jwt', 'password'));`,
		[]string{"Different:", "ARRAY['jwt'", ", instead of check (sessions.auth_method in ('dual', 'jwt', 'self-auth'))", "DROP CONSTRAINT"}},
	"a second check that leaves a value out": {migration14 + migration15 + migration16 +
		"alter table users add constraint no_dual check (auth_method in ('password', 'self-auth'))", []string{"Different:", `DROP CONSTRAINT "no_dual"`}},
	"a check of the values of the other naming": {migration14 + columns15 + migration16 +
		"alter table users add constraint users_auth_method_check check (auth_method in ('password', 'kanidm', 'dual'))", []string{"Different:", "kanidm"}},
	"a check that was not validated": {migration14 + columns15 + strings.Replace(check15, "'dual'));", "'dual')) not valid;", 1) + migration16,
		[]string{"not valid", `VALIDATE CONSTRAINT "users_auth_method_check"`}},
	"a check of another name that was not validated": {migration14 + columns15 +
		"alter table users add constraint ways check (auth_method in ('password', 'self-auth', 'dual')) not valid;" + migration16,
		[]string{`VALIDATE CONSTRAINT "ways"`}},
	"a check on two columns under the name": {migration14 + columns15 + migration16 +
		"alter table users add constraint users_auth_method_check check (auth_method <> '' or password_hash is null)",
		[]string{"users_auth_method_check", "RENAME CONSTRAINT"}},
	"a method that may be missing": {migration14 + "alter table users add column auth_method varchar(50) default 'password', add column migration_invited_at timestamptz, " +
		"add column migration_completed_at timestamptz; update users set auth_method = null where role = 'viewer';" + check15 + migration16,
		[]string{"users.auth_method null default 'password', instead of users.auth_method not null default 'password'", "SET NOT NULL"}},
	"a method without a default": {migration14 + "alter table users add column auth_method varchar(50) not null default 'password', add column migration_invited_at timestamptz, " +
		"add column migration_completed_at timestamptz; alter table users alter column auth_method drop default;" + check15 + migration16,
		[]string{"users.auth_method not null, instead of", "SET DEFAULT 'password'"}},
	"another default":       {migration14 + migration15 + columns16 + check16 + "alter table sessions alter column auth_method set default 'dual'", []string{"default 'dual'", "SET DEFAULT 'jwt'"}},
	"tokens still not null": {migration14 + migration15 + migration16 + "alter table sessions alter column refresh_token_hash set not null", []string{"sessions.refresh_token_hash not null, instead of sessions.refresh_token_hash null"}},
	"a method of characters": {migration14 + "alter table users add column auth_method char(20) not null default 'password', add column migration_invited_at timestamptz, " +
		"add column migration_completed_at timestamptz;", []string{"users.auth_method is of type character(20)", "TYPE varchar(50)"}},
	"a method too short for its values": {migration14 + "alter table users add column auth_method varchar(8) not null default 'password', add column migration_invited_at timestamptz, " +
		"add column migration_completed_at timestamptz;", []string{"users.auth_method is of type character varying(8)", "TYPE varchar(50)"}},
	"a completion that is a yes or no": {migration14 + "alter table users add column auth_method varchar(50) not null default 'password', add column migration_invited_at timestamptz, " +
		"add column migration_completed_at boolean;" + check15, []string{"users.migration_completed_at is of type boolean"}},
	"an index that is not valid": {migration14 + migration15 + "update pg_index set indisvalid = false where indexrelid = 'idx_users_auth_method'::regclass",
		[]string{"idx_users_auth_method on users (auth_method) not valid", "DROP INDEX CONCURRENTLY"}},
	"an index on other columns": {migration14 + columns15 + check15 + "create index idx_users_auth_method on users (role)",
		[]string{"index idx_users_auth_method on users (role), instead of index idx_users_auth_method on users (auth_method)", "RENAME TO"}},
	"indexes under other names": {migration14 + columns15 + check15 + "create index by_method on users (auth_method); create index by_state on users (tenant_id, auth_method, migration_completed_at)",
		[]string{"index idx_users_pending_migration"}},
	"no mapping table": {"drop table {idp}_tenant_groups cascade", []string{"there is no table {idp}_tenant_groups", "CREATE TABLE"}},
	"a mapping table of other columns": {"alter table {idp}_tenant_groups drop column {idp}_group_name, drop column role",
		[]string{"there is no column {idp}_tenant_groups.role", "ADD COLUMN"}},
	"a mapping table with the id as a text": {"alter table {idp}_tenant_groups alter column {idp}_group_uuid type text", []string{"is of type text, and has to be a uuid"}},
	"no columns for the link":               {"alter table users drop column {idp}_user_id cascade, drop column {idp}_synced_at", []string{"there is no column users.{idp}_synced_at", "uuid UNIQUE"}},
	"names that hold what a program might fill in": {migration14 + migration15 + migration16 +
		`alter table users add constraint "{users} %s ""x""" check (auth_method in ('password', '{method} %d'))`, []string{"Different:", "{method} %d"}},
}

var cureLine = regexp.MustCompile(`(?m)^[^A-Za-z]*((?:ALTER|CREATE|DROP|UPDATE) .*;)$`)

// TestHalfMade: of a schema that somebody else has begun the plan says what is there, what is missing and what is otherwise.
// The statements that it gives, run as they stand, make it one that a run can work with.
func TestHalfMade(t *testing.T) {
	t.Parallel()
	for _, naming := range []string{"self_auth", "kanidm"} {
		for name, c := range halfMade {
			if naming == "kanidm" && !strings.HasPrefix(name, "migration") {
				continue // values are spelled for one
			}
			t.Run(naming+", "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Naming: naming}, emulator(t))
				w.config(everyone + waveEveryone)
				spelled := w.spell(c.sql)
				if naming == "kanidm" {
					spelled = strings.ReplaceAll(spelled, "self-auth", "kanidm")
				}
				w.exec(spelled)
				_, errs := w.run(exitError, "plan")
				for _, s := range c.says {
					wants(t, errs, w.spell(s))
				}
				for tries := 0; ; tries++ {
					cures := cureLine.FindAllStringSubmatch(errs, -1)
					if len(cures) == 0 || tries == 3 {
						t.Fatalf("no statements, or not enough of them:\n%s", errs)
					}
					for _, m := range cures {
						if _, err := w.connect().Exec(t.Context(), m[1]); err != nil {
							t.Fatalf("%s: %v\n%s", m[1], err, errs)
						}
					}
					var status int
					if status, _, errs = w.try("plan"); status == exitDone {
						break
					}
				}
				w.run(exitDone, "apply", "-auto-approve")
				if w.allLinked() == 0 {
					t.Error("nobody is linked")
				}
				w.run(exitDone, "plan", "-detailed-exitcode")
			})
		}
	}
}
