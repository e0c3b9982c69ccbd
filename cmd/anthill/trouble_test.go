package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/state"
)

// moved is a small world with everybody moved, and what it was before.
func moved(t *testing.T) (*world, sandbox.Fingerprint) {
	t.Helper()
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, emulator(t))
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	w.run(exitDone, "apply", "-auto-approve")
	return w, before
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), p) {
			t.Errorf("it does not say %q:\n%s", p, text)
		}
	}
}

// TestKilledRollback kills rollbacks in the middle; a rollback, or an apply, finishes each.
func TestKilledRollback(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"rollback": {"rollback", "-auto-approve"}, "apply": {"apply", "-auto-approve"}} {
		for _, after := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				k := newKiller(t)
				w := newWorld(t, sandbox.Options{Tenants: 8, Users: 1200, Seed: 9}, k.server)
				w.config(everyone + waveEveryone)
				before := w.fingerprint()
				w.run(exitDone, "apply", "-auto-approve")
				k.writes.Store(0)
				k.after.Store(after)
				k.at.Store(9)
				cmd := w.start("rollback", "-auto-approve")
				k.victim.Store(cmd.Process)
				if err := cmd.Wait(); err == nil {
					t.Fatal("rollback was not killed")
				}
				k.victim.Store(nil)
				w.run(exitDone, command...)
				w.checkRolledBack(before)
				if out, _ := w.run(exitDone, "rollback", "-auto-approve"); !strings.Contains(out, "Nothing to take back") {
					t.Errorf("it says:\n%s", out)
				}
			})
		}
	}
}

// TestLostState drops the recorded state: persons and groups are recovered by their ids, whatever their generation, and
// can be taken back.
func TestLostState(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	lose := func() {
		t.Helper()
		persons := len(w.directory().persons)
		w.exec("drop schema anthill_state cascade")
		w.run(exitChanges, "plan", "-detailed-exitcode")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "plan", "-detailed-exitcode")
		w.mapped = nil
		w.checkMoved()
		if n := len(w.directory().persons); n != persons {
			t.Errorf("%d persons, were %d", n, persons)
		}
	}
	lose()
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve") // the groups are of the second generation now
	lose()
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
}

// TestDrift changes things behind Anthill's back: what is ours alone is repaired, the rest is shown and left.
func TestDrift(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	w.exec("update {idp}_tenant_groups set role = 'viewer' where {idp}_group_name = 'tenant_acme_users'")
	w.exec("delete from {idp}_tenant_groups where {idp}_group_name = 'tenant_globex_users'")
	w.run(exitChanges, "plan", "-detailed-exitcode")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()

	d := w.directory()
	mallory := uuid.New()
	if err := w.api.Accounts().Create(t.Context(), newPerson(mallory, "mallory", "mallory@example.org")); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Accounts().AddMembers(t.Context(), d.groups["tenant_acme_admins"].ID, []uuid.UUID{mallory}); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Accounts().Expire(t.Context(), d.groups["tenant_acme_users"].Members[:1]); err != nil {
		t.Fatal(err)
	}
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "group tenant_acme_admins has 1 member who does not belong in it", "1 moved user's person was expired in Self-auth")

	// A group of ours is deleted: it is made anew, and that settles it.
	if err := w.api.Accounts().DeleteObject(t.Context(), state.KindGroup, d.groups["tenant_acme_users"].ID, nil); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	if err := w.api.Accounts().RemoveMembers(t.Context(), membersOf(d.groups["tenant_acme_admins"].ID, mallory)); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Accounts().Delete(t.Context(), []uuid.UUID{mallory}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.run(exitDone, "rollback", "-auto-approve")
	}
	w.checkRolledBack(before)
}

// TestNarrowedConfiguration takes users out of the waves: nobody is moved back, and the plan says so (L4).
func TestNarrowedConfiguration(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.config(everyone + "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n}\n")
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "no longer selected by any wave", "anthill rollback -wave everyone")
}

// TestTenantsThatChange suspends one tenant between plan and apply, renames another, and gives a third a hostile slug.
func TestTenantsThatChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, emulator(t))
	w.config(everyone + waveEveryone)
	w.exec("update tenants set slug = E'line\\nbreak' where slug = 'globex'")
	w.run(exitDone, "plan", "-out", "p")
	w.exec("update tenants set status = 'suspended' where slug = 'acme'")
	w.run(exitRemainder, "apply", "p")
	if n := w.number("select count(*) from users join tenants using (tenant_id) where slug = 'acme' and {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d users of a suspended tenant were moved", n)
	}
	w.exec("update tenants set status = 'active' where slug = 'acme'")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.exec("update tenants set slug = 'acme2' where slug = 'acme'")
	// Its groups follow under the new address, renamed in place, once the gap is allowed (L32, L34).
	before := w.directory()
	out, _ := w.run(exitBlocked, "plan")
	wants(t, out, "tenant acme2 was called acme", `group.users["acme"] follows as group.users["acme2"]`, "name: tenant_acme_users -> tenant_acme2_users", "LOGIN_GAP")
	w.run(exitDone, "plan", "-allow", "LOGIN_GAP="+countOf(out, "LOGIN_GAP="), "-out", "rename")
	w.run(exitDone, "apply", "rename")
	w.run(exitDone, "plan", "-detailed-exitcode")
	after := w.directory()
	for _, kind := range []string{"users", "admins"} {
		was, is := before.groups["tenant_acme_"+kind], after.groups["tenant_acme2_"+kind]
		if was.ID != is.ID || !slices.Equal(was.Members, is.Members) || len(is.Members) == 0 {
			t.Errorf("%s: group %s with %d members became %s with %d", kind, was.ID, len(was.Members), is.ID, len(is.Members))
		}
	}
	w.run(exitDone, "rollback", "-auto-approve")
	if g := w.directory().groups["tenant_acme_users"]; g.ID != before.groups["tenant_acme_users"].ID {
		t.Errorf("the rename was not taken back: %+v", g)
	}
	w.exec("update tenants set slug = 'acme' where slug = 'acme2'")
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// countOf is the number that follows a text, up to the end of its line.
func countOf(out, text string) string {
	_, rest, _ := strings.Cut(out, "-allow "+text)
	n, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(n)
}

// TestRollbacksInAnyOrder takes back what is taken back already, in part and out of order, and with persons deleted.
func TestRollbacksInAnyOrder(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	w.run(exitDone, "rollback", "-wave", "everyone", "-tenant", "acme", "-auto-approve")
	if out, _ := w.run(exitDone, "rollback", "-wave", "everyone", "-tenant", "acme", "-auto-approve"); !strings.Contains(out, "Nothing to take back") {
		t.Errorf("the second time it says:\n%s", out)
	}
	runs := w.runs()
	w.run(exitDone, "rollback", "-run", runs[0], "-auto-approve")
	w.checkRolledBack(before)
	w.try("rollback", "-run", runs[1], "-auto-approve")
	w.checkRolledBack(before) // whatever it could do, nobody is left able to log in beside an unlinked row

	v, was := moved(t)
	out, _ := v.run(exitBlocked, "rollback", "-delete-persons", "-out", "d")
	wants(t, out, "DELETES_DATA", "-allow DELETES_DATA=")
	v.run(exitDone, "rollback", "-delete-persons", "-allow", "DELETES_DATA="+countOf(out, "DELETES_DATA="), "-auto-approve")
	if n := len(v.directory().persons); n != 0 {
		t.Errorf("%d persons are left", n)
	}
	v.checkRolledBack(was)
	v.run(exitDone, "rollback", "-run", v.runs()[1], "-auto-approve") // the persons come back from the recycle bin
	v.run(exitDone, "plan", "-detailed-exitcode")
	v.mapped = nil
	v.checkMoved()
}

// runs are the ids of the runs, oldest first.
func (w *world) runs() (ids []string) { return w.runsOf("%") }

func (w *world) runsOf(kind string) (ids []string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), "select id from anthill_state.runs where kind like $1 order by n", kind)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// TestRollbackOfARollback puts everything back where apply had it, and lifts the pause.
func TestRollbackOfARollback(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[1], "-auto-approve")
	w.mapped = nil
	w.checkMoved()
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
}

// TestHalfMadeSchema refuses a database between the two schemas, and one whose column has another form.
func TestHalfMadeSchema(t *testing.T) {
	t.Parallel()
	for _, sql := range []string{"alter table users add column auth_method varchar(50)", "alter table users alter column password_hash drop not null"} {
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 20}, emulator(t))
		w.config(everyone + waveEveryone)
		w.exec(sql)
		_, errs := w.run(exitError, "plan")
		wants(t, errs, "Half-made schema")
		w.run(exitError, "apply", "-auto-approve")
		out, _ := w.run(exitDone, "status")
		wants(t, out, "4.1 schema half made", "everyone 20")
	}
}

// TestRightsBeforeEffects applies with a role that may only read.
func TestRightsBeforeEffects(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	role := "reader_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	w.exec("create role " + role + " login")
	w.exec("grant select on all tables in schema public to " + role)
	w.exec("grant usage on schema anthill_state to " + role)
	w.exec("grant all on all tables in schema anthill_state to " + role)
	t.Cleanup(func() {
		c := w.connectFor(context.Background())
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	w.env["DATABASE_URL"] = strings.Replace(w.env["DATABASE_URL"], "anthill@", role+"@", 1)
	w.run(exitDone, "plan")
	persons := w.directory()
	_, errs := w.run(exitRefused, "rollback", "-auto-approve")
	wants(t, errs, "lacks", "UPDATE (auth_method")
	for id, p := range w.directory().persons {
		if p.Expired != persons.persons[id].Expired {
			t.Fatal("persons were expired before the right was missed")
		}
	}
}

// TestMistakesEverywhereEnd runs the commands that need the configuration with one that does not evaluate.
func TestMistakesEverywhereEnd(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.config(everyone + "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acmee\"] }\n}\n")
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if status, _, errs := w.try(args...); status != exitError || !strings.Contains(errs, "acmee") {
				t.Errorf("%v: status %d\n%s", args, status, errs)
			}
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatalf("%v does not end", args)
		}
	}
	out, _ := w.run(exitDone, "status")
	wants(t, out, "on main.anthill.hcl line", "acmee")
	w.run(exitDone, "rollback", "-auto-approve") // needs no more than the settings
	w.run(exitDone, "wave", "resume", "everyone")
	_, errs := w.run(exitError, "wave", "confirm", "everyone", "x") // nor this than the names of gates
	wants(t, errs, `has no gate "x"`)
}
