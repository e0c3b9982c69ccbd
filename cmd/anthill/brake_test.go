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
