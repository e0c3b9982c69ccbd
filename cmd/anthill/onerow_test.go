package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// raises is SQL that makes every write to a row of users, for which a condition on old and new holds, raise a code.
func raises(code, when string) string {
	return "create function no() returns trigger language plpgsql as $$ begin if " + when + " then raise exception 'no: %', old.email using errcode = '" +
		code + "'; end if; return new; end $$; create trigger no before update on users for each row execute function no()"
}

// function is SQL that runs a body of PL/pgSQL at a moment of each write to a row of users.
func function(moment, body string) string {
	return "create function no() returns trigger language plpgsql as $$ begin " + body + " end $$; create " + moment + " execute function no()"
}

const mended = "drop trigger if exists no on users; drop function if exists no; drop rule if exists no on users; " +
	"alter table users drop constraint if exists no; alter table users drop column if exists no"

// refusals are ways in which a database does not take the row of one user: SQL with %s for its id.
var refusals = map[string]string{
	"a check":                   "alter table users add constraint no check (user_id <> '%s' or updated_at < now() - interval '1 year') not valid",
	"a rule":                    "create rule no as on update to users where old.user_id = '%s' do instead nothing",
	"a generated column":        "alter table users add column no numeric generated always as (case when user_id = '%s' then 1 / (length(auth_method) - %d) end) stored",
	"a row left out":            function("trigger no before update on users for each row", "if old.user_id = '%s' then return null; end if; return new;"),
	"a row kept":                function("trigger no before update on users for each row", "if old.user_id = '%s' then return old; end if; return new;"),
	"a write undone":            function("trigger no after update on users for each row", "if old.user_id = '%s' and pg_trigger_depth() = 1 then update users set {idp}_user_id = old.{idp}_user_id, auth_method = old.auth_method where user_id = old.user_id; end if; return null;"),
	"a deferred trigger":        function("constraint trigger no after update on users deferrable initially deferred for each row", "if old.user_id = '%s' then raise exception 'no' using errcode = 'AH002'; end if; return null;"),
	"an error of the function":  function("trigger no before update on users for each row", "if old.user_id = '%s' then perform 1 / 0; end if; return new;"),
	"a table that is not there": function("trigger no before update on users for each row", "if old.user_id = '%s' then insert into nowhere values (1); end if; return new;"),
}

// TestOneRow: whatever the database says about the row of one user, only that user is not taken back. A later rollback tries
// it again, and takes it back once the database does.
func TestOneRow(t *testing.T) {
	t.Parallel()
	ways := map[string]string{}
	for name, sql := range refusals {
		ways[name] = sql
	}
	// All others: providers/postgres.TestAnyCode.
	for _, code := range []string{"AH001", "40001", "57P01", "08006"} {
		ways[code] = raises(code, "old.user_id = '%s'")
	}
	for name, sql := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			w.refuseOne(s, sql, "password")

			out, _ := w.run(exitRemainder, "rollback", "-auto-approve")
			wants(t, out, "1 failed", "failed "+s.user.String())
			if strings.Contains(out, "@") {
				t.Errorf("it holds an address:\n%s", out)
			}
			s.is("refused", "enabled", "tenant_acme_users")
			if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 1 {
				t.Errorf("%d rows are linked still", n)
			}
			out, _ = w.run(exitRemainder, "rollback", "-auto-approve")
			wants(t, out, "1 failed")

			w.exec(mended)
			w.run(exitDone, "rollback", "-auto-approve")
			w.checkRolledBack(before)
			w.nothing()
		})
	}
}

// refuseOne makes the database not take the row of a user, in one of the ways of refusals. The generated column divides by zero
// once the method is the given one.
func (w *world) refuseOne(s someone, sql, method string) {
	w.t.Helper()
	if strings.Contains(sql, "%d") {
		sql = strings.ReplaceAll(sql, "%d", fmt.Sprint(len(method)))
	}
	w.exec(strings.ReplaceAll(sql, "%s", s.user.String()))
}

// TestOneRowNotMoved: the same for a user who is to be moved: what was done for it in Self-auth is taken back, and the next apply
// moves it once the database lets it.
func TestOneRowNotMoved(t *testing.T) {
	t.Parallel()
	ways := map[string]string{"a code of its own": raises("AH001", "old.user_id = '%s'"), "a cancelled query": raises("57014", "old.user_id = '%s'"),
		"an end of the session": raises("57P01", "old.user_id = '%s'")}
	for _, name := range []string{"a rule", "a row left out", "a write undone", "a deferred trigger", "a generated column"} {
		ways[name] = refusals[name]
	}
	for name, sql := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			w.refuseOne(s, sql, "dual")

			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			wants(t, out, "1 failed", "failed "+s.user.String())
			s.is("refused", "expired")
			if bad := w.wrong(); len(bad) > 0 {
				t.Errorf("after the apply: %v", bad)
			}
			w.exec(mended)
			w.run(exitDone, "apply", "-auto-approve")
			s.is("moved", "enabled", "tenant_acme_users")
			w.checkMoved()
		})
	}
}

// wrong are the persons who can log in and are linked to no row.
func (w *world) wrong() (bad []uuid.UUID) {
	for id, p := range w.directory().persons {
		if !p.Expired && !strings.HasPrefix(p.Name, "earlier.") && w.number("select count(*) from users where {idp}_user_id = $1", id) == 0 {
			bad = append(bad, id)
		}
	}
	return bad
}

// TestOneRowHeld: a row that another session does not let go of is waited for, and left then.
func TestOneRowHeld(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	tx, err := w.connect().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select from users where user_id = $1 for update", s.user); err != nil {
		t.Fatal(err)
	}
	out, _ := w.run(exitRemainder, "rollback", "-auto-approve")
	wants(t, out, "1 failed", "another session of the database holds the row locked")
	s.is("held", "enabled", "tenant_acme_users")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "rollback", "-auto-approve")
	w.nothing()
}

// TestRightOfATrigger: a right that a trigger lacks for one row is that row's trouble, as the role of the run has its own.
func TestRightOfATrigger(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	role := "auditor_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	w.exec("create role " + role)
	t.Cleanup(func() {
		c := w.connectFor(context.Background())
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), mended+"; drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	s := w.someone("user", "acme")
	w.exec("create table audit (who uuid)")
	w.exec(function("trigger no before update on users for each row",
		"if old.user_id = '"+s.user.String()+"' then insert into audit values (old.user_id); end if; return new;"))
	w.exec("grant create on schema public to " + role + "; alter function no security definer; alter function no owner to " + role)
	out, _ := w.run(exitRemainder, "rollback", "-auto-approve")
	wants(t, out, "1 failed", "SQLSTATE 42501")
	w.exec("grant insert on audit to " + role)
	w.run(exitDone, "rollback", "-auto-approve")
	w.nothing()
}

// TestEveryRow: a reason that all users of a batch have is no user's own. The run stops, everybody is where they were, and once
// it is mended the run is finished.
func TestEveryRow(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a code":             raises("AH001", "true"),
		"a right":            raises("42501", "true"),
		"a full disk":        raises("53100", "true"),
		"rows left out":      function("trigger no before update on users for each row", "return null;"),
		"a rule":             "create rule no as on update to users do instead nothing",
		"a check":            "alter table users add constraint no check (updated_at < now() - interval '1 year') not valid",
		"a deferred trigger": function("constraint trigger no after update on users deferrable initially deferred for each row", "raise exception 'no'; return null;"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			before := w.fingerprint()

			w.exec(sql)
			out, _ := w.run(exitStopped, "apply", "-auto-approve")
			wants(t, out, "users of a batch are refused for the same reason", "Mend ")
			if bad := w.wrong(); len(bad) > 0 {
				t.Errorf("%d persons wait enabled", len(bad))
			}
			w.run(exitStopped, "apply", "-auto-approve")
			w.exec(mended)
			w.run(exitDone, "apply", "-auto-approve")
			w.checkMoved()

			s := w.someone("user", "acme")
			w.exec(sql)
			w.run(exitStopped, "rollback", "-auto-approve")
			s.is("stopped", "enabled", "tenant_acme_users")
			w.exec(mended)
			w.run(exitDone, "apply", "-auto-approve")
			w.checkRolledBack(before)
		})
	}
}

// TestFewRows: a few users with one reason are users who fail, and so are many who have reasons of their own.
func TestFewRows(t *testing.T) {
	t.Parallel()
	const few = "delete from user_profiles; delete from users where user_id not in " +
		"(select user_id from users where status = 'active' and deleted_at is null and role = 'user' and {idp}_user_id is null order by user_id limit %d)"
	const one = "raise exception 'no' using errcode = 'AH001';"
	for name, c := range map[string]struct{ before, raise, says string }{
		"one of one":          {fmt.Sprintf(few, 1), one, "0 users done, 1 failed"},
		"two of two":          {fmt.Sprintf(few, 2), one, "0 users done, 2 failed"},
		"all for two reasons": {"select 1", "if old.role = 'user' then " + one + " end if; raise exception 'no' using errcode = 'AH002';", "0 users done, 30 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Level: "dual"}, emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(c.before)
			w.exec(function("trigger no before update on users for each row", c.raise+" return new;"))
			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			wants(t, out, c.says)
			if bad := w.wrong(); len(bad) > 0 {
				t.Errorf("%d persons are enabled", len(bad))
			}
			w.exec(mended)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}

// TestStateRefuses: an error of the state's own tables is nobody's failure, whatever its code.
func TestStateRefuses(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"23505", "P0001", "42501", "40001"} {
		for _, table := range []string{"users", "batches"} {
			t.Run(code+"/"+table, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
				w.config(everyone + waveEveryone)
				before := w.fingerprint()
				w.run(exitDone, "apply", "-auto-approve")
				w.exec("create function anthill_state.no() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '" + code + "'; end $$")
				w.exec("create trigger no before update on anthill_state." + table + " for each row execute function anthill_state.no()")
				out, _ := w.run(exitStopped, "rollback", "-auto-approve")
				wants(t, out, "after 0 users done.")
				w.exec("drop trigger no on anthill_state." + table)
				w.run(exitDone, "apply", "-auto-approve")
				w.checkRolledBack(before)
			})
		}
	}
}

// TestSessionEnds: a session that ends in the middle of a batch is an error of all.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	w.exec(function("trigger no before update on users for each row", "perform pg_terminate_backend(pg_backend_pid()); return new;"))
	out, _ := w.run(exitStopped, "rollback", "-auto-approve")
	wants(t, out, "after 0 users done.")
	w.exec(mended)
	w.run(exitDone, "apply", "-auto-approve")
	w.checkRolledBack(before)
}

// TestRightLost: a role that loses its right to write users in the middle of a run has not failed anybody.
func TestRightLost(t *testing.T) {
	t.Parallel()
	var harm atomic.Pointer[func()]
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		if f := harm.Load(); f != nil && isWrite(r) {
			harm.Store(nil)
			(*f)()
		}
		return false
	}}))
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	w.run(exitDone, "apply", "-auto-approve")
	role := "writer_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	w.exec("create role " + role + " login bypassrls; grant all on all tables in schema public to " + role + "; grant all on schema anthill_state to " + role +
		"; grant all on all tables in schema anthill_state to " + role + "; grant all on all sequences in schema anthill_state to " + role)
	t.Cleanup(func() {
		c := w.connectFor(context.Background())
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	owner := w.env["DATABASE_URL"]
	w.env["DATABASE_URL"] = strings.Replace(owner, "anthill@", role+"@", 1)
	f := func() { w.exec("revoke update on users from " + role) }
	harm.Store(&f)
	out, _ := w.run(exitStopped, "rollback", "-auto-approve")
	wants(t, out, "after 0 users done.")
	w.exec("grant update on users to " + role)
	w.run(exitDone, "apply", "-auto-approve")
	w.checkRolledBack(before)
}

// TestOneObject: a mapping row or a tenant that the database does not take keeps no other object from being made, and once it
// does the next apply makes it.
func TestOneObject(t *testing.T) {
	t.Parallel()
	const body = "if new.%s = '%s' then %s end if; return new;"
	for name, c := range map[string]struct{ table, raise, says string }{
		"a mapping row, a code":   {"{idp}_tenant_groups", "raise exception 'no' using errcode = 'AH001';", "SQLSTATE AH001"},
		"a mapping row, a right":  {"{idp}_tenant_groups", "raise exception 'no' using errcode = '42501';", "SQLSTATE 42501"},
		"a mapping row left out":  {"{idp}_tenant_groups", "return null;", "undoes what is written to the row"},
		"a mapping row, try":      {"{idp}_tenant_groups", "raise exception 'no' using errcode = '40001';", "SQLSTATE 40001"},
		"a tenant, a code":        {"tenants", "raise exception 'no' using errcode = 'AH001';", "SQLSTATE AH001"},
		"a tenant left out":       {"tenants", "return null;", "undoes what is written to the row"},
		"a tenant, cancelled":     {"tenants", "raise exception 'no' using errcode = '57014';", "SQLSTATE 57014"},
		"a tenant, session ended": {"tenants", "raise exception 'no' using errcode = '57P01';", "SQLSTATE 57P01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + "tenant \"newco\" {\n  slug = \"newco\"\n  name = \"Newco\"\n}\n" + waveEveryone)
			column, value := "slug", "newco"
			if c.table != "tenants" {
				column, value = "{idp}_group_name", "tenant_acme_admins"
			}
			w.exec("create function no() returns trigger language plpgsql as $$ begin " + fmt.Sprintf(body, column, value, c.raise) + " end $$")
			w.exec("create trigger no before insert or update on " + c.table + " for each row execute function no()")
			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			wants(t, out, c.says)
			w.someone("user", "globex").is("the others go on", "enabled", "tenant_globex_users")
			w.exec("drop trigger no on " + c.table)
			w.settle("the database takes it") // a group of admins that is made last is a hazard
		})
	}
}

// TestStuck: a person who was made for a row that is refused, and then cannot be taken out of its group, is said and recorded as
// it is; the run ends, and the next one moves the user.
func TestStuck(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, r.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "wave", "resume", "everyone")
	w.refuseRow(s, "true")
	r.refuse("DELETE /_attr/member")
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "1 failed", "could not be put back: a trigger of the application refuses the row", "it is refused", "What could not be put back is left as the lines above say")
	group := w.directory().groups["tenant_acme_users"].ID
	if n := w.number("select count(*) from anthill_state.users where user_id = $1 and position(uuid_send($2) in groups) > 0", s.user, group); n != 1 {
		t.Error("the group is not recorded")
	}
	r.refuse("NOTHING /")
	w.exec("drop trigger refuse on users")
	w.run(exitDone, "apply", "-auto-approve")
	s.is("moved", "enabled", "tenant_acme_users")
	w.checkMoved()
}

// TestEveryPerson: the same for what Self-auth says: one reason for all persons of a batch stops the run, and is the failure of
// the users where there are few.
func TestEveryPerson(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"POST /v1/raw/create,POST /v1/person", "POST /_attr/member,PUT /_attr/member,POST /v1/raw/modify"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRefuser(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Level: "dual"}, r.server)
			w.config(everyone + waveEveryone)
			r.refuse(what)
			out, _ := w.run(exitStopped, "apply", "-auto-approve")
			wants(t, out, "users of a batch are refused for the same reason", "it is refused")
			r.refuse("NOTHING /")
			w.run(exitDone, "apply", "-auto-approve")
			w.checkMoved()
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")

			w.exec("delete from user_profiles; delete from users where user_id not in (select user_id from users where status = 'active' and role = 'user' and deleted_at is null order by user_id limit 3)")
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "")
			r.refuse("DELETE /_attr/member")
			out, _ = w.run(exitRemainder, "rollback", "-auto-approve")
			wants(t, out, "0 users done", "3 failed")
			s.is("refused", "enabled", "tenant_anthill_users")
			r.refuse("NOTHING /")
			w.run(exitDone, "rollback", "-auto-approve")
			s.is("taken back", "expired")
		})
	}
}

// TestMaxFailures: refused users count as failures of their wave; as many as it may have do not hold up the next one.
func TestMaxFailures(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 2} {
		t.Run(fmt.Sprint(most), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Level: "dual"}, emulator(t))
			w.config(everyone + fmt.Sprintf("wave \"first\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n  max_failures = %d\n}\n", most) +
				"wave \"second\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"globex\"] }\n  start { after = [wave.first] }\n}\n")
			w.exec(raises("AH001", "old.user_id in (select user_id from users join tenants using (tenant_id) where slug = 'acme' and role = 'user' "+
				"and users.status = 'active' and users.deleted_at is null and {idp}_user_id is null order by user_id limit 2)"))
			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			wants(t, out, "2 failed")
			n := w.number("select count(*) from users join tenants using (tenant_id) where slug = 'globex' and {idp}_user_id is not null")
			if moved := n > 0; moved != (most == 2) {
				t.Errorf("%d users of the second wave are moved", n)
			}
			w.exec(mended)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}
