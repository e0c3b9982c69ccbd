package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestExtras: the views, the function and the comments that the application's own migrations make are told with the statements by the plan
// that makes the schema, and in short until they are there. The statements run as they stand.
func TestExtras(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"self_auth", "kanidm", "other names"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			naming, others := name, name == "other names"
			if others {
				naming = "self_auth"
			}
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Naming: naming}, emulator(t))
			text := everyone + waveEveryone
			w.config(text)
			users := "users"
			if others {
				users = `"App-Users {users} %s"`
				w.exec(`alter table users rename to "App-Users {users} %s"; alter table sessions rename column created_at to "made at"; create schema "The App";
					alter table "App-Users {users} %s" set schema "The App"; alter table sessions set schema "The App"; alter table tenants set schema "The App";
					alter table self_auth_tenant_groups set schema "The App"; alter role current_user in database ` + w.database() + ` set search_path = "The App", public`)
				must(t, os.WriteFile(filepath.Join(w.dir, "main.anthill.hcl"), []byte(`provider "postgres" {
  names = { users = "App-Users {users} %s", "sessions.created_at" = "made at" }
}
`+text), 0o600))
			}
			out, _ := w.run(exitDone, "plan")
			wants(t, out, "the application's own migrations also make v_migration_progress, v_session_stats, cleanup_expired_sessions, 8 comments of columns. Anthill does not")
			statements := pasted(out, "")
			if len(statements) != 14 {
				t.Fatalf("%d statements: %q", len(statements), statements)
			}
			w.run(exitDone, "apply", "-auto-approve")
			const short = "is missing still: v_migration_progress, v_session_stats, cleanup_expired_sessions, 8 comments of columns. Anthill needs none of it;"
			out, _ = w.run(exitDone, "plan", "-out", "later")
			wants(t, out, short)
			if len(pasted(out, "")) > 0 {
				t.Errorf("they are told again in full:\n%s", out)
			}
			json, _ := w.run(exitDone, "show", "-json", "later")
			wants(t, json, `"extras_missing"`, "CREATE FUNCTION")

			w.paste(statements[:2])
			out, _ = w.run(exitDone, "plan")
			wants(t, out, strings.Replace(short, "v_migration_progress, ", "", 1))
			w.paste(statements[2:])
			if out, _ = w.run(exitDone, "plan"); strings.Contains(folded(out), "own migrations") {
				t.Errorf("it is still said:\n%s", out)
			}

			// They are what they are called.
			if n := w.number("select sum(migrated_users) from v_migration_progress"); n != w.number("select count(*) from "+users+" where {idp}_user_id is not null and deleted_at is null") {
				t.Errorf("%d linked users", n)
			}
			if n := w.number("select sum(total_users - password_only - {idp}_only - dual_auth) from v_migration_progress"); n != 0 {
				t.Errorf("%d users log in in no way", n)
			}
			w.exec("insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at, revoked, revoked_at) " +
				"select user_id, tenant_id, n, n, now() + ends, now() + ends, since is not null, now() + since from (select user_id, tenant_id from " + users + " limit 1) u, " +
				"(values ('a', interval '1 day', null::interval), ('b', '-29 days', null), ('c', '-31 days', null), ('d', '1 day', '-31 days'), ('e', '1 day', '-29 days')) s (n, ends, since)")
			if n := w.number("select 100 * total_sessions + 10 * active_sessions + valid_sessions from v_session_stats where auth_method = 'jwt'"); n != 533 {
				t.Errorf("sessions in all, active and valid: %d, want 533", n)
			}
			if n := w.number("select deleted_count from cleanup_expired_sessions()"); n != 2 || w.number("select count(*) from sessions") != 3 {
				t.Errorf("%d of 5 sessions were deleted, want 2", n)
			}
			_, errs := w.run(exitBlocked, "rollback", "-schema", "-auto-approve")
			wants(t, errs, "v_migration_progress")
		})
	}
}

// TestNoExtras: of a dual schema that the application has made itself nothing is said.
func TestNoExtras(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone)
	w.exec("drop view v_session_stats")
	w.run(exitDone, "apply", "-auto-approve")
	if out, _ := w.run(exitDone, "plan"); strings.Contains(folded(out), "own migrations") {
		t.Errorf("it says:\n%s", out)
	}
}
