package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"anthill/internal/sandbox"
)

// TestLoosenedBrake: an edit that lets a held wave start is a hazard, counted in users; an edit that lets nobody start is
// none, and is what the next one is compared with (L22).
func TestLoosenedBrake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	declared := func(at time.Time) string {
		return everyone + fmt.Sprintf(`
wave "acme" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
}
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  start {
    after = [wave.acme]
    at    = %q
  }
}
`, at.UTC().Format(time.RFC3339))
	}
	start := time.Now().Truncate(time.Second)
	w.now = func() time.Time { return start }
	w.config(declared(start.Add(90 * 24 * time.Hour)))
	w.run(exitDone, "apply", "-auto-approve")

	// Brought forward, and still to come: recorded by an apply that has nothing else to do, once.
	w.config(declared(start.Add(time.Hour)))
	w.run(exitDone, "plan", "-detailed-exitcode")
	recorded := func() int {
		return w.number(`select count(*) from anthill_state.brakes where wave = 'everyone' and (body->>'at')::timestamptz = $1`, start.Add(time.Hour))
	}
	if recorded() != 0 {
		t.Error("recorded by a plan")
	}
	w.run(exitDone, "apply", "-auto-approve")
	if recorded() != 1 {
		t.Error("the date is not recorded")
	}
	runs := w.number("select count(*) from anthill_state.runs")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.number("select count(*) from anthill_state.runs"); n != runs {
		t.Errorf("%d runs, and then %d", runs, n)
	}
	out, _ := w.run(exitDone, "plan", "-as-of", start.Add(time.Hour).UTC().Format(time.RFC3339))
	wants(t, out, "No hazards.")

	w.config(declared(start))
	n := w.number(`select count(*) from users u join tenants t using (tenant_id) where u.status = 'active' and t.status = 'active'
		and u.deleted_at is null and t.deleted_at is null and u.email <> 'system@anthill.local' and t.slug <> 'acme'`)
	out = w.blockedBy(map[string]int{"LOOSENS_BRAKE": n}, "plan", "-out", "p")
	wants(t, strings.Join(strings.Fields(out), " "), fmt.Sprintf("wave everyone starts, with %d users, because the configuration was edited", n),
		"By what that had it is held: starts at "+start.Add(time.Hour).UTC().Format("2006-01-02 15:04"))
	w.run(exitDone, "apply", "p")
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// TestLoosenedRaisePart (L22, L47): the gate of a wave that raises is taken away, and a plan of a part raises some: those who wait
// to enrol in what it leaves out hide nobody.
func TestLoosenedRaisePart(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	one := w.withPassword("user", "acme", 0)
	gate := "gate \"go\" { manual = true }\n"
	w.config(gate + strings.Replace(withRaise, "start { after = [wave.everyone] }", "start {\n    after = [wave.everyone]\n    gates = [gate.go]\n  }", 1))
	w.run(exitDone, "apply", "-auto-approve")
	b.enrol(one.person)
	w.config(gate + withRaise)
	for _, part := range [][]string{nil, {"-wave", "alone"}, {"-target", "tenant=acme"}, {"-exclude", "tenant=globex"}} {
		w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, append([]string{"plan"}, part...)...)
	}
	w.run(exitDone, "plan", "-target", "tenant=globex") // it raises nobody
}

// TestLoosenedPartOfSuspended (L22, L47): a part leaves out a tenant that the configuration makes active again, with its users;
// those of the part start because a gate was taken away.
func TestLoosenedPartOfSuspended(t *testing.T) {
	t.Parallel()
	for name, inactive := range map[string]int{"as they are": 0, "most are not active": 17} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, emulator(t))
			w.exec("update tenants set status = 'suspended' where slug = 'acme'")
			w.exec(`update users set status = 'inactive' where user_id in (select user_id from users join tenants using (tenant_id)
				where slug = 'acme' order by user_id limit $1)`, inactive)
			gate := "gate \"go\" { manual = true }\n"
			w.config(everyone + gate + strings.Replace(waveEveryone, "users { all = true }", "users { all = true }\n  start { gates = [gate.go] }", 1))
			w.run(exitDone, "apply", "-auto-approve")
			w.config(everyone + gate + waveEveryone + "tenant \"acme\" {\n  name = \"Acme\"\n  status = \"active\"\n  adopt = true\n}\n")
			n := w.number(`select count(*) from users u join tenants t using (tenant_id) where u.status = 'active' and u.deleted_at is null and t.slug = 'globex'`)
			w.blockedBy(map[string]int{"LOOSENS_BRAKE": n}, "plan", "-target", "tenant=globex")
		})
	}
}

// TestRaiseLeftCount (L47): how much of what is due a part leaves out is said in one number, and who is not due is not left out.
func TestRaiseLeftCount(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	b.enrol(w.withPassword("user", "acme", 0).person)
	out, _ := w.run(exitDone, "plan", "-target", "tenant=acme")
	wants(t, out, "Nothing that is due is left out.")
	if strings.Contains(strings.Join(strings.Fields(out), " "), "left out of this plan") {
		t.Errorf("users are left out:\n%s", out)
	}
	b.enrol(w.withPassword("user", "globex", 0).person)
	out, _ = w.run(exitDone, "plan", "-target", "tenant=acme")
	wants(t, strings.Join(strings.Fields(out), " "), "Left out, though due: 1 user.", "1 user left out of this plan")
}
