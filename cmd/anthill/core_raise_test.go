package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// raising is a world of moved users, with a wave that raises them, and a browser. Passwords in Self-auth are enough.
func raising(t *testing.T) (*world, *browser) {
	t.Helper()
	s := emulator(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	w.config(withRaise)
	w.run(exitDone, "apply", "-auto-approve")
	return w, b
}

// withPassword finds a moved user who has a hash, the n-th one.
func (w *world) withPassword(role, tenant string, n int) someone {
	w.t.Helper()
	s := someone{world: w}
	must(w.t, w.connect().QueryRow(w.t.Context(), w.spell(`select user_id, {idp}_user_id from users
		join tenants using (tenant_id) where {idp}_user_id is not null and role = $1 and slug = $2 and auth_method = 'dual' and password_hash is not null
		order by user_id offset $3 limit 1`), role, tenant, n).Scan(&s.user, &s.person))
	return s
}

func (s someone) raised() bool {
	s.t.Helper()
	return s.number(`select count(*) from users where user_id = $1 and auth_method = '{value}'`, s.user) == 1
}

// TestRaiseOfWhoLostIt (L8): between plan and apply the way in by Self-auth goes: the password must stay.
func TestRaiseOfWhoLostIt(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*world, someone){
		"expired": func(w *world, s someone) {
			must(w.t, w.api.Accounts().Expire(w.t.Context(), []uuid.UUID{s.person}))
		},
		"deleted": func(w *world, s someone) {
			must(w.t, w.api.Accounts().Delete(w.t.Context(), []uuid.UUID{s.person}))
		},
		"out of its group": func(w *world, s someone) {
			must(w.t, w.api.Accounts().RemoveMembers(w.t.Context(), providers.Members{
				Group: w.groupOf("tenant_acme_users"), Persons: []uuid.UUID{s.person}}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			s := w.withPassword("user", "acme", 0)
			b.enrol(s.person)
			w.run(exitDone, "plan", "-out", "p")
			lose(w, s)
			out, st := w.try2("apply", "p")
			t.Log(st, out)
			if s.raised() {
				t.Error("raised, and there is no way in by Self-auth")
			}
			out, st = w.try2("plan")
			t.Log(st, out)
		})
	}
}

// TestRaisePausedSince (L23): a pause that is younger than the plan holds a raise as it does a move.
func TestRaisePausedSince(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	one, two := w.withPassword("user", "acme", 0), w.withPassword("user", "acme", 1)
	b.enrol(one.person)
	w.run(exitDone, "apply", "-auto-approve")
	if !one.raised() {
		t.Fatal("not raised")
	}
	b.enrol(two.person)
	w.run(exitDone, "plan", "-out", "p")
	w.run(exitDone, "rollback", "-wave", "alone", "-tenant", "acme", "-auto-approve")
	out, st := w.try2("apply", "p")
	t.Log(st, out)
	if two.raised() {
		t.Error("raised under a pause")
	}
	out, _ = w.try2("plan")
	t.Log(out)
}

// TestRaiseUnderPauseOfMove (L23): who could not be taken back stays as it is under the pause of the wave that moved
// it.
func TestRaiseUnderPauseOfMove(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s, other := w.withPassword("user", "acme", 0), w.withPassword("user", "globex", 0)
	b.enrol(other.person)
	w.run(exitDone, "apply", "-auto-approve") // the wave runs
	b.enrol(s.person)
	mend := s.refuses()
	w.run(exitRemainder, "rollback", "-tenant", "acme", "-auto-approve")
	mend()
	s.set("role", "admin")
	w.try2("apply", "-auto-approve")
	s.is("paused", "enabled", "tenant_acme_users")
	if s.raised() {
		t.Error("raised, though its tenant was rolled back and waits")
	}
	out, st := w.try2("apply", "-auto-approve")
	t.Log(st, out)
	s.is("paused still", "enabled", "tenant_acme_users")
	out, _ = w.try2("status")
	t.Log(out)
}

// TestRefusedRaisePauses (L23): the wave of a user whom the run that is taken back could not raise is paused, as it is for
// one whom it could not move.
func TestRefusedRaisePauses(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	w.config(strings.Replace(withRaise, "  start { after = [wave.everyone] }\n", "", 1))
	s := w.withPassword("user", "acme", 0)
	b.enrol(s.person)
	w.exec(`insert into users (tenant_id, email, password_hash, full_name, email_verified)
		select tenant_id, 'late@globex.example', 'x', 'Late', true from tenants where slug = 'globex'`)
	mend := s.refuses()
	w.run(exitRemainder, "apply", "-auto-approve")
	mend()
	if w.number("select count(*) from users where {idp}_user_id is not null and full_name = 'Late'") != 1 || s.raised() {
		t.Fatal("late is to be moved, and nobody raised")
	}
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	wants(t, out, "anthill wave resume alone")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if s.raised() {
		t.Error("raised, though the run that was to raise it was taken back")
	}
}

// TestRaiseAgain: the rollback of a raise is rolled back when the person is expired: between plan and apply, too.
func TestRaiseAgain(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		w, b := raising(t)
		s := w.withPassword("user", "acme", 0)
		b.enrol(s.person)
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
		back := w.latest()
		if before {
			must(t, w.api.Accounts().Expire(t.Context(), []uuid.UUID{s.person}))
		}
		out, st := w.try2("rollback", "-run", back, "-out", "p")
		t.Log(st, out)
		if !before {
			must(t, w.api.Accounts().Expire(t.Context(), []uuid.UUID{s.person}))
		}
		out, st = w.try2("apply", "p")
		t.Log(st, out)
		if s.raised() {
			t.Errorf("before %v: raised again without a way in", before)
		}
	}
}

// TestPlanBeforeSchemaBack: a plan that was made while the columns were there is applied when they are gone.
func TestPlanBeforeSchemaBack(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]bool{"columns gone": false, "made again": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config("schema { level = \"dual\" }\n")
			w.run(exitDone, "apply", "-auto-approve")
			schema := w.latest()
			w.config(everyone)
			w.run(exitDone, "apply", "-auto-approve")
			w.config(everyone + waveEveryone)
			w.run(exitDone, "plan", "-out", "p")
			w.schemaBack("back", "-run", schema)
			w.run(exitDone, "apply", "back")
			if again {
				w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
			}
			out, st := w.try2("apply", "p")
			t.Log(st, out)
			linked, awake := w.allLinked(), 0
			for _, p := range w.directory().persons {
				if !p.Expired {
					awake++
				}
			}
			t.Log(linked, awake)
			if awake > linked {
				t.Errorf("%d persons are enabled, %d rows linked", awake, linked)
			}
			out, st = w.try2("status")
			t.Log(st, out)
			out, st = w.try2("apply", "-auto-approve")
			t.Log(st, out)
			out, st = w.try2("apply", "-auto-approve")
			t.Log(st, out)
			if bad := w.invariants("in the end", true); len(bad) > 0 {
				t.Error(strings.Join(bad, "\n"))
			}
		})
	}
}

// TestLoosenedWhilePaused (L22): brakes of a wave that is declared while another one is paused are recorded, too.
func TestLoosenedWhilePaused(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"", "part"} {
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
		pilot := everyone + "wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"globex\"] }\n}\n"
		gate := "gate \"go\" { manual = true }\n"
		rest := func(start string) string {
			return gate + "wave \"rest\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n" + start + "}\n"
		}
		w.config(pilot)
		w.run(exitDone, "apply", "-auto-approve")
		if how == "paused" {
			w.run(exitDone, "rollback", "-auto-approve")
		}
		w.config(pilot + rest("  start { gates = [gate.go] }\n"))
		part := []string{"apply", "-auto-approve"}
		if how == "part" {
			part = append(part, "-target", "tenant=acme")
		}
		out, st := w.try2(part...)
		t.Log(st, out)
		w.config(pilot + rest(""))
		out, st = w.try2("plan")
		if !strings.Contains(out, "LOOSENS_BRAKE") {
			t.Errorf("%s: a wave starts because its gate was taken away, and that is no hazard: %d\n%s", how, st, out)
		}
	}
}

// TestUndoUserRollbackAfterSchemaBack: users were taken back by one rollback, the schema of an earlier run by
// another; then the first rollback is undone.
func TestUndoUserRollbackAfterSchemaBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config("schema { level = \"dual\" }\n")
	w.run(exitDone, "apply", "-auto-approve")
	schema := w.latest()
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	back := w.latest()
	w.schemaBack("back", "-run", schema)
	w.run(exitDone, "apply", "back")
	out, st := w.try2("rollback", "-run", back, "-auto-approve")
	t.Log(st, out)
	if bad := w.invariants("in the end", false); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
	out, st = w.try2("apply", "-auto-approve")
	t.Log(st, out)
	if bad := w.invariants("in the end", true); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
}

// TestDroppedGroupMadeAgain: somebody deletes a group, the run that made it is rolled back, and that rollback is
// undone: admins are in their group again, at the latest by the next plan.
func TestDroppedGroupMadeAgain(t *testing.T) {
	t.Parallel()
	for name, on := range map[string][]string{"next plan": nil, "as told": {"rollback", "-run", "2", "-auto-approve"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s := w.someone("admin", "acme")
			must(t, w.api.Accounts().DeleteObject(t.Context(), state.KindGroup, w.groupOf("tenant_acme_admins"), nil))
			w.run(exitDone, "rollback", "-auto-approve")
			back := w.latest()
			out, st := w.try2("rollback", "-run", back, "-auto-approve")
			t.Log(st, out)
			if on != nil {
				on[2] = back
				out, st = w.try2(on...)
				t.Log(st, out)
			}
			out, st = w.try2("wave", "resume", "everyone")
			t.Log(st, out)
			for range 2 {
				out, st = w.try2("apply", "-auto-approve")
				t.Log(st, out)
			}
			s.is("in the end", "enabled", "tenant_acme_admins", "tenant_acme_users")
		})
	}
}

// TestRaiseInOpenRun (L15): a wave that raises is not moved while an open run has users of it.
func TestRaiseInOpenRun(t *testing.T) {
	t.Parallel()
	for _, open := range []bool{false, true} {
		k := newCutter(t)
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, k.server)
		b := newBrowser(t, k.server)
		b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
		acme := strings.Replace(waveEveryone, "all = true", `tenants = ["acme"]`, 1)
		first := strings.Replace(withApp, waveEveryone, acme, 1)
		w.config(first)
		w.run(exitDone, "apply", "-auto-approve")
		one := w.withPassword("admin", "acme", 0)
		alone := `
auth_policy "alone" {
  method = "self_auth"
  from   = auth_policy.dual
}
wave "alone" {
  auth_policy = auth_policy.alone
  users {
    tenants = ["acme"]
    roles = ["admin", "user"]
    percent = 100
  }
}
wave "rest" {
  auth_policy = auth_policy.dual
  users { tenants = ["globex"] }
  start { after = [wave.alone] }
}
`
		// All but one follow.
		w.exec("update users set role = 'admin' where {idp}_user_id is not null and role = 'user' "+
			"and user_id <> $1", one.user)
		b.enrol(one.person)
		if open {
			k.cut(1)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
		}
		w.config(first + alone)
		out, st := w.try2("plan", "-out", "p")
		t.Log(open, st, out)
		if open {
			out, st = w.try2("apply", "-auto-approve")
			t.Log(st, out)
		}
		out, st = w.try2("apply", "p")
		t.Log(st, out)
		if n := w.isLinked("globex"); n > 0 {
			t.Errorf("open %v: the next wave has begun", open)
		}
	}
}

// TestStories plays sequences that fail.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"world 2 493; apply; drop 0; rollback; rollback last",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			tell(t, parseStory(line))
		})
	}
}

// TestRaiseTakenBackFrom (L4, L23): who is no longer raised is taken back from the wave that raised, in what the run says of itself
// and for whoever undoes it by that wave, though it stays moved under another one.
func TestRaiseTakenBackFrom(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"as usual": nil, "in Postgres": {"-postgres-only"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			one := w.withPassword("user", "acme", 0)
			b.enrol(one.person)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, append([]string{"rollback", "-wave", "alone", "-auto-approve"}, args...)...)
			back := w.latest()
			out, _ := w.run(exitDone, "show", "-run", back)
			wants(t, out, "taken back from alone acme")
			if one.raised() || w.number("select count(*) from anthill_state.users where user_id = $1 and wave = 'everyone' and policy = 'dual'", one.user) != 1 {
				t.Error("it is not as the first wave had moved it")
			}
			w.run(exitDone, "rollback", "-run", back, "-wave", "alone", "-auto-approve")
			out, _ = w.run(exitDone, "show", "-run", w.latest())
			wants(t, out, "taken back from alone acme")
			if !one.raised() {
				t.Error("not raised again")
			}
		})
	}
}
