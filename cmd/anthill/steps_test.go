package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/planner/rollout"
)

// inSteps is a wave of everybody, with steps and a gate behind each.
func inSteps(steps string) string {
	if steps != "" {
		steps = "  steps = " + steps + "\n"
	}
	return everyone + "gate \"calm\" { manual = true }\n" + `wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
` + steps + `  finish { gates = [gate.calm] }
}
wave "after" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.everyone] }
}
`
}

// within counts the users whom a share of the live ones has, by their ids.
func (w *world) within(percent float64) (n int) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), "select user_id from users join tenants using (tenant_id) where users.status = 'active' and "+
		"users.deleted_at is null and tenants.status = 'active' and tenants.deleted_at is null and email <> 'system@anthill.local'")
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		if rollout.InPercent(id, percent) {
			n++
		}
	}
	return n
}

// TestSteps (L18): a wave is moved step by step, each of which waits for the finish of the one before. By its name
// all steps are meant, or the one that is due. However its steps are edited, nobody is moved twice or forgotten, and
// whoever starts by that is told.
func TestSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 300, Seed: 9}, emulator(t))
	linked := func(when string, percent float64) {
		t.Helper()
		if n, want := w.allLinked(), w.within(percent); n != want {
			t.Errorf("%s: %d are linked, want %d", when, n, want)
		}
	}
	w.config(inSteps("[10, 50, 100]"))
	for _, form := range []string{"-no-color", "-json"} {
		out, _ := w.run(exitDone, "plan", form)
		wants(t, out, "everyone[10]", "everyone[50]", "everyone[100]")
	}
	w.run(exitDone, "apply", "-auto-approve")
	linked("the first step", 10)
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "soaking everyone step 1 of 3: "+fmt.Sprint(w.within(10))+" of", `held everyone[50] waits for wave.everyone[10]: gate "calm"`,
		"anthill wave confirm 'everyone[10]' calm")
	status, _ := w.run(exitDone, "status")
	wants(t, status, "everyone[10]", "everyone[100]")
	out, _ = w.run(exitDone, "wave", "confirm", "everyone", "calm")
	wants(t, out, "Gate calm of wave everyone[10] is confirmed")
	w.run(exitDone, "apply", "-auto-approve")
	linked("the second step", 50)
	w.run(exitDone, "plan", "-target", "wave=everyone") // the step that is due is not held

	// Edited while the second step is not done: whoever starts by that is told.
	for steps, to := range map[string]float64{"[10, 75, 100]": 75, "": 100} {
		w.config(inSteps(steps))
		w.blockedBy(map[string]int{string(plan.LoosensBrake): w.within(to) - w.within(50)}, "plan")
	}
	for _, steps := range []string{"[50, 60, 100]", "[25, 100]"} { // whoever is not moved waits for a gate that nobody has confirmed
		w.config(inSteps(steps))
		w.run(exitDone, "plan", "-detailed-exitcode")
	}

	w.config(inSteps("[10, 50, 100]"))
	out, _ = w.run(exitDone, "wave", "pause", "everyone", "-reason", "phones down")
	wants(t, out, "Wave everyone is paused")
	out, _ = w.run(exitDone, "wave", "pause", "everyone[100]", "-reason", "twice")
	wants(t, out, "Wave everyone is paused already")
	w.run(exitDone, "wave", "confirm", "everyone", "calm")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.config(inSteps("[10, 50, 75, 100]")) // a step that comes while the wave is paused is paused
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "paused everyone[75]")
	list, _ := w.run(exitDone, "wave", "list", "everyone", "-history")
	wants(t, list, "everyone in steps paused: by tester@host", "everyone[50] paused", "gate calm: confirmed by tester@host", "everyone[75] paused")
	_, errs := w.run(exitError, "wave", "resume", "everyone[50]")
	wants(t, errs, "all steps of wave everyone are paused", "anthill wave resume everyone")
	w.run(exitDone, "wave", "resume", "everyone")
	w.settle("another step")
	linked("another step", 75)
	out, _ = w.run(exitHeld, "plan", "-target", "wave=everyone[100]")
	wants(t, out, "held everyone[100]")
	w.config(inSteps(""))
	w.settle("no steps")
	linked("no steps", 100)
	w.checkMoved()
	if n := w.number("select count(*) from (select user_id from " + journal + " where settled and verdict = 'done' group by user_id having count(*) > 1) twice"); n != 0 {
		t.Errorf("%d are moved twice", n)
	}
	w.config(inSteps("[1, 100]"))
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "step 1 of 2: "+fmt.Sprint(w.within(100))+" of", "starts everyone[1]", "held everyone[100]")

	out, _ = w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	wants(t, out, "anthill wave resume everyone")
	linked("a rollback", 0)
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "paused everyone[1]", "paused everyone[100]")
	w.run(exitDone, "wave", "resume", "everyone")
	w.settle("resumed")
	if n := w.allLinked(); n != w.within(1) {
		t.Errorf("%d are linked when it goes on", n)
	}
	out, _ = w.run(exitDone, "wave", "abort", "everyone", "-reason", "enough")
	wants(t, out, "anthill rollback -wave everyone")
}

// TestStepsNamed: what is said of steps that there are none of, and of a wave whose steps are all done.
func TestStepsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(strings.Replace(inSteps("[50, 100]"), "finish { gates = [gate.calm] }", "start { gates = [gate.calm] }", 1))
	_, errs := w.run(exitError, "wave", "confirm", "everyone[25]", "calm")
	wants(t, errs, `there is no wave "everyone[25]" in this configuration; there are everyone, after`)
	_, errs = w.run(exitError, "wave", "confirm", "everyone[100]", "calm")
	wants(t, errs, `wave "everyone[100]" has no gate "calm"`)
	_, errs = w.run(exitError, "rollback", "-wave", "everyone")
	wants(t, errs, `no wave "everyone" has moved anybody`)
	w.run(exitDone, "wave", "confirm", "everyone", "calm")
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
	_, errs = w.run(exitError, "wave", "unconfirm", "everyone", "calm", "-reason", "r")
	wants(t, errs, "all steps of wave everyone are done: say which one is meant; there are everyone[50], everyone[100]")
	w.run(exitDone, "wave", "unconfirm", "everyone[50]", "calm", "-reason", "r")
	half, all := w.within(50), w.allLinked()
	w.run(exitDone, "rollback", "-wave", "everyone[100]", "-auto-approve")
	if n := w.allLinked(); n != half || half == all {
		t.Errorf("%d of %d are linked, want %d", n, all, half)
	}
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "paused everyone[50]", "paused everyone[100]")
}

// TestStepsOptIn: a tenant opens its gate for all steps at once, and closes it for all of them.
func TestStepsOptIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	text := inSteps("[50, 100]")
	text = strings.Replace(text, "finish { gates = [gate.calm] }", "start { gates = [gate.opt-in] }", 1)
	w.config(text + "gate \"opt-in\" {\n  manual = true\n  per    = \"tenant\"\n}\n")
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "no tenant has confirmed", "anthill wave confirm -tenant anthill everyone opt-in")
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "everyone", "opt-in")
	w.run(exitDone, "apply", "-auto-approve")
	acme := w.isLinked("acme")
	if n := w.allLinked(); acme == 0 || n != acme {
		t.Errorf("%d of acme are linked, %d in all", acme, n)
	}
	for _, slug := range []string{"globex", "anthill"} {
		w.run(exitDone, "wave", "confirm", "-tenant", slug, "everyone", "opt-in")
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
	out, _ = w.run(exitDone, "wave", "unconfirm", "-tenant", "acme", "everyone[100]", "opt-in", "-reason", "r")
	wants(t, out, "is closed again for acme")
	if n := w.number("select count(*) from anthill_state.confirmations where wave = 'everyone'"); n != 2 {
		t.Errorf("%d tenants have confirmed", n)
	}
}
