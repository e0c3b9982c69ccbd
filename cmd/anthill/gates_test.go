package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/state"
)

// pilotAndRest moves the users of one tenant first, and the others when the pilot is done by its gates.
func pilotAndRest(gates, start, finish string) string {
	return everyone + fmt.Sprintf(`
%s
wave "pilot" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme", "globex"] }
  start { gates = [%s] }
  finish { gates = [%s] }
}
wave "rest" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.pilot] }
}
`, gates, start, finish)
}

// TestAdoptionGate: the pilot is done when half of it has logged in; until then the plan and the status say how many have, and
// nobody of the rest is moved. A weaker condition is an edited brake.
func TestAdoptionGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	half := `gate "adoption" { condition = wave.completed >= 0.5 * wave.moved }`
	w.config(pilotAndRest(half, "", "gate.adoption"))
	out, _ := w.run(0, "plan")
	if !strings.Contains(flat(out), `gate "adoption" (wave.completed >= 0.5 * wave.moved, once its users are moved)`) {
		t.Errorf("the first plan:\n%s", out)
	}
	w.run(0, "apply", "-auto-approve")
	moved := w.number("select count(*) from anthill_state.users where standing = 'moved'")
	if n := w.number("select count(*) from anthill_state.users where wave <> 'pilot'"); n != 0 || moved < 4 {
		t.Fatalf("%d of the rest are moved, %d in all", n, moved)
	}
	shut := fmt.Sprintf(`gate "adoption": wave.completed 0 of 0.5 * wave.moved %d`, moved)
	for _, command := range []string{"plan", "status"} {
		if out, _ := w.run(0, command); !strings.Contains(flat(out), shut) {
			t.Errorf("%s does not say %s:\n%s", command, shut, out)
		}
	}
	out, _ = w.run(0, "plan", "-json", "-detailed-exitcode")
	if !strings.Contains(out, string(state.CodeGateShut)) {
		t.Error("the plan's JSON does not know why")
	}
	// One third has logged in: not enough, unless the condition is weakened, which must be allowed.
	third := w.mailsOf(moved / 3)
	w.exec(login, third)
	w.run(0, "plan", "-detailed-exitcode")
	w.config(pilotAndRest(strings.Replace(half, "0.5", "0.1", 1), "", "gate.adoption"))
	w.blockedBy(map[string]int{string(plan.LoosensBrake): w.dueUsers()}, "plan")
	w.config(pilotAndRest(half, "", "gate.adoption"))
	w.exec(login, w.mailsOf(moved/2+1))
	out, _ = w.run(exitChanges, "plan", "-detailed-exitcode", "-out", "rest.plan")
	if !strings.Contains(flat(out), "starts rest") {
		t.Errorf("half of them have logged in:\n%s", out)
	}
	// Some are suspended between the plan and its apply: what it called done is not, and the rest is not started.
	w.exec("update users set status = 'suspended' where email = any($1)", third)
	out, _ = w.run(exitRemainder, "apply", "rest.plan")
	if !strings.Contains(flat(out), "wave pilot was moved, and is not done yet: "+`gate "adoption": wave.completed`) ||
		!strings.Contains(flat(out), "wave rest was not started: wave pilot is not done") {
		t.Errorf("apply:\n%s", out)
	}
	if n := w.number("select count(*) from anthill_state.users where wave = 'rest' and standing = 'moved'"); n != 0 {
		t.Errorf("%d of the rest are moved", n)
	}
	w.exec("update users set status = 'active' where email = any($1)", third)
	w.run(0, "apply", "-auto-approve")
	if n := w.number("select count(*) from anthill_state.users where wave = 'rest' and standing = 'moved'"); n == 0 {
		t.Error("nobody of the rest is moved")
	}
}

// dueUsers are those whom the plan moves now, whatever keeps it from running.
func (w *world) dueUsers() int {
	w.t.Helper()
	_, out, _ := w.try("plan", "-json")
	var p struct {
		Context struct {
			Waves []plan.WaveView `json:"waves"`
		} `json:"context"`
	}
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		w.t.Fatal(err, out)
	}
	for _, v := range p.Context.Waves {
		if v.Name == "rest" {
			return int(v.Due)
		}
	}
	w.t.Fatalf("no wave rest: %s", out)
	return 0
}

// TestStartGateSampledAgain (L21): a gate that has shut between plan and apply holds its wave and those that wait for it.
func TestStartGateSampledAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	early := `
wave "early" {
  auth_policy = auth_policy.dual
  users { tenants = ["42labs"] }
}
`
	w.config(everyone + early)
	w.run(0, "apply", "-auto-approve")
	w.config(pilotAndRest(`gate "calm" { condition = wave.moved == 0 && wave.skipped < wave.selected }`, "gate.calm", "") + early)
	w.run(0, "plan", "-out", "p")
	moved := w.number("select count(*) from anthill_state.users where standing = 'moved'")
	w.exec("update anthill_state.users set wave = 'pilot' where wave = 'early'")
	before := w.rowsOf("acme")
	out, _ := w.run(exitRemainder, "apply", "p")
	shut := fmt.Sprintf(`wave pilot was not started: gate "calm": wave.moved %d == 0 && wave.skipped `, moved)
	if !strings.Contains(flat(out), shut) || !strings.Contains(flat(out), "wave rest was not started: wave pilot is not done") {
		t.Errorf("apply does not say %s:\n%s", shut, out)
	}
	if n := w.number("select count(*) from anthill_state.users where standing = 'moved'"); n != moved || w.rowsOf("acme") != before {
		t.Errorf("%d users are moved, before %d", n, moved)
	}
	out, _ = w.run(0, "plan")
	if !strings.Contains(flat(out), fmt.Sprintf(`held pilot gate "calm": wave.moved %d == 0`, moved)) {
		t.Errorf("the next plan:\n%s", out)
	}
	w.exec("update anthill_state.users set wave = 'early' where wave = 'pilot'")
	w.run(0, "apply", "-auto-approve")
	if w.isLinked("acme") == 0 {
		t.Error("nobody is moved though the gate is open")
	}
}

// TestOptIn (R129): a pilot of two tenants, of which one has confirmed: the other is untouched and counted, and moves when it
// has confirmed. Taking the gate away is an edited brake.
func TestOptIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	gate := "gate \"opt-in\" {\n  manual = true\n  per    = \"tenant\"\n}"
	w.config(pilotAndRest(gate, "gate.opt-in", ""))
	out, _ := w.run(exitHeld, "plan", "-detailed-exitcode", "-target", "wave=pilot")
	if !strings.Contains(flat(out), "no tenant has confirmed") {
		t.Errorf("nobody has confirmed:\n%s", out)
	}
	_, errs := w.run(exitError, "wave", "confirm", "pilot", "opt-in")
	if !strings.Contains(errs, "-tenant SLUG") {
		t.Errorf("without a tenant: %s", errs)
	}
	w.run(exitError, "wave", "confirm", "-tenant", "nobody", "pilot", "opt-in")
	w.run(0, "wave", "confirm", "-tenant", "acme", "-note", "signed", "pilot", "opt-in")
	before := w.rowsOf("globex")
	out, _ = w.run(0, "apply", "-auto-approve")
	if !strings.Contains(flat(out), `gate "opt-in": `) || !strings.Contains(flat(out), "anthill wave confirm -tenant globex pilot opt-in") {
		t.Errorf("who waits:\n%s", out)
	}
	if w.isLinked("acme") == 0 || w.rowsOf("globex") != before {
		t.Error("acme is not moved, or globex is touched")
	}
	out, _ = w.run(0, "status")
	if !strings.Contains(flat(out), `gate "opt-in": `) {
		t.Errorf("status:\n%s", out)
	}
	w.config(pilotAndRest("", "", ""))
	if status, out, _ := w.try("plan"); status != exitBlocked || !strings.Contains(out, string(plan.LoosensBrake)) {
		t.Errorf("the gate is gone: exit status %d\n%s", status, out)
	}
	w.config(pilotAndRest(gate, "gate.opt-in", ""))
	w.run(0, "wave", "confirm", "-tenant", "globex", "pilot", "opt-in")
	w.run(0, "apply", "-auto-approve")
	if w.isLinked("globex") == 0 {
		t.Error("globex is not moved")
	}
}

// TestValueOfGate: a gate that is opened by what was measured is confirmed with a number, and holds its wave until that is enough. To ask
// for less is to loosen a brake.
func TestValueOfGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	gates := func(least string) {
		w.config(pilotAndRest(`gate "satisfaction" {
  manual    = true
  condition = result.value >= `+least+`
}
`, "", "gate.satisfaction"))
	}
	gates("4.5")
	w.run(exitDone, "apply", "-auto-approve")
	_, errs := w.run(exitError, "wave", "confirm", "pilot", "satisfaction")
	wants(t, errs, "result.value >= 4.5", "anthill wave confirm -value NUMBER pilot satisfaction")
	w.run(exitDone, "wave", "confirm", "pilot", "satisfaction", "-value", "4.2")
	says := `gate "satisfaction" was confirmed with 4.2, and wants result.value >= 4.5`
	for _, command := range []string{"plan", "status"} {
		out, _ := w.run(exitDone, command)
		wants(t, out, says)
	}
	gates("4")
	w.blockedBy(map[string]int{string(plan.LoosensBrake): w.dueUsers()}, "plan")
	gates("4.5")
	w.run(exitDone, "wave", "confirm", "pilot", "satisfaction", "-value", "4.6")
	out, _ := w.run(exitChanges, "plan", "-detailed-exitcode")
	wants(t, out, "starts rest")
	out, _ = w.run(exitDone, "status", "-kpi")
	wants(t, out, "Satisfaction yes, 4.6 (target: 4.5 of 5), wave pilot, by tester@host")
}

// TestValueOfTenants: each tenant is moved by its own value, and told of what it wants.
func TestValueOfTenants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	w.config(everyone + `gate "survey" {
  manual    = true
  per       = "tenant"
  condition = result.value >= 4.5
}
` + strings.Replace(waveEveryone, "  users { all = true }", "  users { all = true }\n  start { gates = [gate.survey] }", 1))
	_, errs := w.run(exitError, "wave", "confirm", "-tenant", "acme", "everyone", "survey")
	wants(t, errs, "anthill wave confirm -tenant acme -value NUMBER everyone survey")
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "-value", "4.2", "everyone", "survey")
	w.run(exitDone, "wave", "confirm", "-tenant", "globex", "-value", "4.5", "everyone", "survey")
	out, _ := w.run(exitDone, "plan")
	wants(t, flat(out), "where it wants result.value >= 4.5", "wave confirm -tenant")
	out, _ = w.run(exitDone, "status")
	wants(t, flat(out), `gate "survey": 1 tenant has confirmed`)
	w.run(exitDone, "apply", "-auto-approve")
	moved := func() string {
		return strings.Join(w.texts(w.spell("select distinct slug from anthill_state.users u join tenants t on t.tenant_id = u.tenant order by 1")), " ")
	}
	if got := moved(); got != "globex" {
		t.Errorf("moved: %s", got)
	}
	w.run(exitDone, "plan", "-out", "p")
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "-value", "4.6", "everyone", "survey")
	w.run(exitDone, "plan", "-out", "p")
	// A lower one since the plan shuts it again.
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "-value", "4.4", "everyone", "survey")
	w.run(exitRemainder, "apply", "p")
	if got := moved(); got != "globex" {
		t.Errorf("moved by a value that was taken back: %s", got)
	}
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "-value", "4.9", "everyone", "survey")
	w.run(exitDone, "apply", "-auto-approve")
	if got := moved(); got != "acme globex" {
		t.Errorf("moved: %s", got)
	}
}

// rowsOf is a digest of a tenant's rows.
func (w *world) rowsOf(slug string) (sum string) {
	w.t.Helper()
	err := w.connect().QueryRow(w.t.Context(), `select md5(string_agg(u::text, ',' order by user_id)) from users u
		join tenants t using (tenant_id) where t.slug = $1`, slug).Scan(&sum)
	if err != nil {
		w.t.Fatal(err)
	}
	return sum
}

func flat(s string) string { return strings.Join(strings.Fields(s), " ") }
