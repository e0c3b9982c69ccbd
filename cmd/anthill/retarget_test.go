package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/state"
)

// otherName is the address of the same server under its other name on this machine.
func otherName(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := map[string]string{"127.0.0.1": "localhost", "localhost": "127.0.0.1"}[u.Hostname()]
	if name == "" {
		t.Fatalf("no other name of %s is known", address)
	}
	return u.Scheme + "://" + name + ":" + u.Port()
}

// chainHolds demands that the runs are one chain by their digests, none twice and none left out.
func chainHolds(t *testing.T, w *world) {
	t.Helper()
	bad := w.number(`select count(*) from anthill_state.runs r where not open and previous <> decode(repeat('00', 32), 'hex')
		and not exists (select from anthill_state.runs b where not b.open and b.digest = r.previous)`)
	bad += w.number("select count(*) - count(distinct previous) from anthill_state.runs where not open")
	if bad != 0 {
		t.Error("the runs are no chain")
	}
}

// TestRetarget gives everything that a state is bound to another name, on every server that there is, and goes on.
func TestRetarget(t *testing.T) {
	t.Parallel()
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, start(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "state", "retarget", "-h")
			if _, errs := w.run(exitError, "state", "retarget"); !strings.Contains(errs, "nothing is recorded in this database yet") {
				t.Errorf("of no state it says:\n%s", errs)
			}
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			if out, _ := w.run(exitDone, "state", "retarget"); !strings.Contains(out, "belongs to this target already") {
				t.Errorf("of a state that is bound it says:\n%s", out)
			}
			moved := w.fingerprint()
			w.exec("update anthill_state.meta set system = '77', database = 'before', domain = 'old.example.test'")
			w.env["SELF_AUTH_URL"] = otherName(t, w.env["SELF_AUTH_URL"])
			w.config("anthill { environment = \"renamed\" }\n" + everyone + waveEveryone)
			for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"rollback", "-auto-approve"}, {"wave", "pause", "everyone", "-reason", "x"}} {
				if _, errs := w.run(exitStale, args...); !strings.Contains(errs, "anthill state retarget") {
					t.Errorf("%v says:\n%s", args, errs)
				}
			}
			out, _ := w.run(exitDone, "state", "retarget", "-out", "r")
			wants(t, out, "What is recorded is bound to another target. Nothing else changes.", "environment default becomes renamed", "database before becomes ",
				"Postgres system identifier 77 becomes ", "Self-auth domain old.example.test becomes ", "Self-auth address ",
				"the rows of 29 and the persons of 29 of 29 moved users, 6 of 6 recorded objects", "No hazards.",
				"database before of system 77 must not be applied to any more", "a passkey belongs to the domain", "applications need the new issuer")
			for _, form := range []string{"-json", "-markdown", "-stat"} {
				w.run(exitDone, "show", form, "r")
			}
			w.run(exitDone, "show", "-html", "r")
			if w.stateText() == "" || w.fingerprint() != moved {
				t.Error("planning has changed something")
			}
			out, _ = w.run(exitDone, "apply", "r", "-approved-by", "ana")
			wants(t, out, "belongs to this target from now on")
			if w.fingerprint() != moved {
				t.Error("binding has changed more than what is recorded")
			}
			w.run(exitDone, "apply", "r")
			if n := w.number("select count(*) from anthill_state.runs"); n != 2 {
				t.Errorf("the second apply has begun a run: there are %d", n)
			}
			w.run(exitDone, "plan", "-detailed-exitcode")
			out, _ = w.run(exitDone, "status")
			wants(t, out, "retarget")
			run := w.texts("select id from anthill_state.runs where kind = 'retarget' and approved_by = 'ana' and not open and outcome = 'done'")[0]
			out, _ = w.run(exitDone, "show", "-run", run)
			wants(t, out, "Self-auth domain old.example.test becomes ")
			if _, errs := w.run(exitError, "rollback", "-auto-approve", "-run", run); !strings.Contains(errs, "anthill state retarget") {
				t.Errorf("taking it back says:\n%s", errs)
			}
			w.run(exitDone, "rollback", "-auto-approve")
			w.checkRolledBack(before)
			chainHolds(t, w)
		})
	}
}

// TestRetargetOpenRun: a run that was stopped is finished, or closed, or taken back, where the servers were renamed meanwhile.
func TestRetargetOpenRun(t *testing.T) {
	t.Parallel()
	for name, next := range map[string][][]string{
		"finished":   {{"apply", "-auto-approve"}},
		"closed":     {{"apply", "-close", "-auto-approve"}},
		"taken back": {{"rollback", "-auto-approve"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve", "-target", "tenant=acme")
			w.exec("create function no() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '42501'; end $$")
			w.exec("create trigger no before update on anthill_state.batches for each row execute function no()")
			w.run(exitStopped, "apply", "-auto-approve")
			w.exec("drop trigger no on anthill_state.batches")
			w.exec("update anthill_state.meta set system = '77'")
			for _, args := range next {
				w.run(exitStale, args...)
			}
			out, _ := w.run(exitDone, "state", "retarget", "-auto-approve")
			wants(t, out, "is still open. Once what is recorded belongs to this target, `anthill apply` finishes it.")
			for _, args := range next {
				status, out, errs := w.try(args...)
				if status != exitDone && status != exitRemainder {
					t.Fatalf("%v: exit status %d: %s%s", args, status, out, errs)
				}
			}
			chainHolds(t, w)
			if name == "closed" {
				w.run(exitDone, "apply", "-auto-approve")
			}
			if name != "taken back" {
				w.run(exitDone, "plan", "-detailed-exitcode")
			}
			for w.number("select count(*) from anthill_state.users where standing = 'moved'") > 0 {
				w.run(exitDone, "rollback", "-auto-approve")
			}
			w.checkRolledBack(before)
			chainHolds(t, w)
		})
	}
}

// TestRetargetElsewhere: another server, or another database, is not the same under a new name.
func TestRetargetElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	bound := func() string {
		return w.texts("select m.origin || m.domain || (select count(*) from anthill_state.runs) from anthill_state.meta m")[0]
	}
	was := bound()
	other := emulator(t)
	w.env["SELF_AUTH_URL"], w.env["SELF_AUTH_CA_FILE"], w.env["SELF_AUTH_ADMIN_TOKEN"] = other.url, other.caFile, other.token
	out, _ := w.run(exitBlocked, "state", "retarget", "-out", "r")
	wants(t, out, "BLOCKED", "TARGET_UNLIKE", "29 moved users have no person in this Self-auth, of 29", "6 objects that are recorded are not here, of 6",
		"-allow TARGET_UNLIKE=35")
	w.run(exitBlocked, "apply", "r")
	w.run(exitBlocked, "state", "retarget", "-auto-approve")
	w.run(exitBlocked, "state", "retarget", "-auto-approve", "-allow", "TARGET_UNLIKE=34")
	if bound() != was {
		t.Error("the state was changed")
	}
	w.run(exitDone, "state", "retarget", "-out", "allowed", "-allow", "TARGET_UNLIKE=35")
	// A plan of a state that was bound elsewhere meanwhile is another plan.
	w.exec("update anthill_state.meta set domain = 'third.example.test'")
	w.run(exitStale, "apply", "allowed")
	w.exec("update anthill_state.meta set domain = 'idm.example.test'")
	w.run(exitDone, "apply", "allowed")
	if !strings.HasPrefix(bound(), other.url) {
		t.Errorf("the state is bound to %s", bound())
	}
}

// TestRetargetAnswers: nothing is bound without a yes.
func TestRetargetAnswers(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("update anthill_state.meta set system = '77'")
	state := w.stateText()
	w.run(exitBlocked, "state", "retarget")
	w.run(exitError, "state", "retarget", "surplus")
	if w.stateText() != state {
		t.Error("the state was changed")
	}
	out, _ := w.run(exitDone, "state", "retarget", "-auto-approve", "-json")
	wants(t, out, `"kind": "retarget"`)
}

// targetCases: servers under new names that do not hold all that is recorded.
func targetCases() map[string]brake {
	renamed := func(w *world) {
		w.t.Helper()
		applying(nil, allMoving)(w)
		w.exec("update anthill_state.meta set system = '77'")
	}
	two := func(w *world) []uuid.UUID {
		var ids []uuid.UUID
		for _, id := range w.texts("select person::text from anthill_state.users where standing = 'moved' order by person limit 2") {
			ids = append(ids, uuid.MustParse(id))
		}
		return ids
	}
	of := func(code state.Code, n int, trip func(*world)) brake {
		return brake{code: plan.TargetUnlike, of: code, command: []string{"state", "retarget"}, start: renamed, trips: []func(*world){trip},
			count: func(*world) int { return n }}
	}
	return map[string]brake{
		"a target without two persons": of(state.CodeTargetPersons, 2, func(w *world) {
			w.t.Helper()
			must(w.t, w.api.Accounts().Delete(w.t.Context(), two(w)))
		}),
		"a target without a group": of(state.CodeTargetObjects, 1, func(w *world) {
			w.t.Helper()
			must(w.t, w.api.Accounts().DeleteGroups(w.t.Context(), []uuid.UUID{w.groupOf("tenant_acme_admins")}))
		}),
		"a target without three rows": of(state.CodeTargetRows, 3, func(w *world) {
			w.t.Helper()
			if n := w.exec(`delete from users where user_id in (select user_id from anthill_state.users where standing = 'moved' order by user_id limit 3)`); n != 3 {
				w.t.Fatalf("%d rows are gone", n)
			}
		}),
	}
}

// TestRetargetGone: servers are renamed also after the application has taken its columns away. Then too what is recorded is bound anew, and
// the persons are taken back.
func TestRetargetGone(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]string{"the provider": removesProvider, "passwords": removesPasswords} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.exec(gone)
			w.exec("update anthill_state.meta set system = '77'")
			w.run(exitStale, "rollback", "-auto-approve")
			w.run(exitDone, "state", "retarget", "-out", "r")
			w.run(exitDone, "apply", "r")
			if status, out, errs := w.try("rollback", "-auto-approve"); status != exitDone && name == "the provider" || status == exitStale {
				t.Errorf("rollback: exit %d\n%s%s", status, out, errs)
			}
			for _, p := range w.directory().persons {
				if !p.Expired && name == "the provider" {
					t.Errorf("person %s may still log in", p.Name)
				}
			}
		})
	}
}

// TestRetargetBetweenRollbacks: what a rollback of one tenant has left is what the next one is about, and nobody else, also where the
// state was bound to another target in between.
func TestRetargetBetweenRollbacks(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]bool{"renamed": true, "as it was": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.exec("create function no() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '42501'; end $$")
			w.exec("create trigger no before update on anthill_state.batches for each row execute function no()")
			w.run(exitStopped, "rollback", "-auto-approve", "-tenant", "acme")
			w.exec("drop trigger no on anthill_state.batches")
			w.run(exitDone, "apply", "-close", "-auto-approve")
			if between {
				w.exec("update anthill_state.meta set system = '77'")
				w.run(exitDone, "state", "retarget", "-auto-approve")
			}
			w.run(exitDone, "rollback", "-auto-approve")
			moved := w.number("select count(*) from anthill_state.users where standing = 'moved'")
			if moved == 0 {
				t.Fatal("nobody of another tenant is moved")
			}
			// As if somebody of the tenant had been left.
			w.exec("update anthill_state.runs set outcome = 'remainder' where n = (select max(n) from anthill_state.runs)")
			out, errs := w.run(exitDone, "rollback", "-auto-approve")
			if n := w.number("select count(*) from anthill_state.users where standing = 'moved'"); n != moved {
				t.Errorf("%d users are moved still, of %d of other tenants\n%s%s", n, moved, out, errs)
			}
		})
	}
}

// TestRetargetAlone: Postgres was restored elsewhere while Self-auth is down. What is recorded is bound to it without Self-auth, whose names
// stay, and all passwords work again.
func TestRetargetAlone(t *testing.T) {
	t.Parallel()
	l, s := lined(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, s)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update anthill_state.meta set system = '77'")
	l.cut()
	if _, errs := w.run(exitStale, "rollback", "-postgres-only", "-auto-approve"); !strings.Contains(errs, "anthill state retarget -postgres-only") {
		t.Errorf("the rollback says:\n%s", errs)
	}
	for _, args := range [][]string{{"-out", "r"}, {"-allow", "TARGET_UNLIKE=35", "-out", "r"}} {
		w.run(exitError, append([]string{"state", "retarget", "-postgres-only"}, args...)...)
	}
	address := w.env["SELF_AUTH_URL"]
	w.env["SELF_AUTH_URL"] = otherName(t, address)
	if _, errs := w.run(exitError, "state", "retarget", "-postgres-only", "-auto-approve"); !strings.Contains(errs, address) {
		t.Errorf("of another address it says:\n%s", errs)
	}
	w.env["SELF_AUTH_URL"] = address
	w.run(exitBlocked, "state", "retarget", "-postgres-only")
	out, _ := w.run(exitDone, "state", "retarget", "-postgres-only", "-auto-approve")
	wants(t, out, "the rows of 29 of 29 moved users", "Self-auth was not asked", "No hazards.")
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	if with, _ := w.linkedByPassword(); with != 0 {
		t.Errorf("%d users with a password are linked still", with)
	}
	l.mend()
	w.run(exitDone, "status")
	run := w.texts("select id from anthill_state.runs where kind = 'retarget'")[0]
	out, _ = w.run(exitDone, "show", "-run", run)
	wants(t, out, "Self-auth was not asked")
	w.run(exitDone, "apply", "-auto-approve")
	chainHolds(t, w)
}

// TestRetargetAloneCounts: rows that are not there are a hazard without Self-auth as well.
func TestRetargetAloneCounts(t *testing.T) {
	t.Parallel()
	l, s := lined(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, s)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update anthill_state.meta set database = 'before'")
	w.exec("delete from users where user_id in (select user_id from anthill_state.users where standing = 'moved' order by user_id limit 3)")
	l.cut()
	out, _ := w.run(exitBlocked, "state", "retarget", "-postgres-only", "-auto-approve")
	wants(t, out, "3 moved users have no row here", "-allow TARGET_UNLIKE=3")
	w.run(exitDone, "state", "retarget", "-postgres-only", "-auto-approve", "-allow", "TARGET_UNLIKE=3")
}

// TestRetargetFirstRun: the run that was stopped is the first of all, and two people bind the state at the same moment: one does, and the
// runs are one chain.
func TestRetargetFirstRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.exec("create function no() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '42501'; end $$")
	w.run(exitDone, "wave", "pause", "everyone", "-reason", "x") // which makes the state
	w.run(exitDone, "wave", "resume", "everyone")
	w.exec("create trigger no before update on anthill_state.batches for each row execute function no()")
	w.run(exitStopped, "apply", "-auto-approve")
	w.exec("drop trigger no on anthill_state.batches")
	w.exec("update anthill_state.meta set system = '77'")
	type end struct {
		status    int
		out, errs string
	}
	ends := make(chan end)
	for range 2 {
		go func() {
			var e end
			e.status, e.out, e.errs = w.try("state", "retarget", "-auto-approve")
			ends <- e
		}()
	}
	for range 2 {
		if e := <-ends; e.status != exitDone {
			t.Errorf("exit %d\n%s%s", e.status, e.out, e.errs)
		}
	}
	if n := w.number("select count(*) from anthill_state.runs where kind = 'retarget'"); n != 1 {
		t.Errorf("%d runs have bound the state", n)
	}
	chainHolds(t, w)
	w.run(exitDone, "apply", "-auto-approve")
	chainHolds(t, w)
	w.run(exitDone, "plan", "-detailed-exitcode")
	chainHolds(t, w)
}
