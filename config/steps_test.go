package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestSteps (L18): a wave with steps is as many waves in a row. The first waits for what the wave waits for, each for
// the one before, and whoever comes after the wave for the last; a share of the selector's own is not exceeded, and
// tenants open their gates for all steps.
func TestSteps(t *testing.T) {
	t.Parallel()
	c, diags := evaluate(t, map[string]string{"main.anthill.hcl": `
auth_policy "dual" { method = "dual" }
gate "desk" { manual = true }
gate "calm" { manual = true }
gate "opt-in" {
  manual = true
  per    = "tenant"
}
wave "pilot" {
  auth_policy = auth_policy.dual
  users { tenants = ["globex"] }
  steps = [50, 100]
}
wave "most" {
  auth_policy = auth_policy.dual
  users { all = true }
  users {
    roles   = ["admin"]
    percent = 10
  }
  steps        = [2.5, 25, 100]
  max_failures = 3
  start {
    after = [wave.pilot]
    at    = "2027-01-01T00:00:00Z"
    gates = [gate.desk, gate.opt-in]
  }
  finish {
    soak  = "7d"
    gates = [gate.calm]
  }
  window { from = "22:00" }
}
wave "rest" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.most, wave.pilot] }
}
`}, Vars{Version: "0.1.0"}, sampleData())
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	type one struct {
		Name                string
		After, Start, Gates []string
		At, Empty           bool
		Users               []Selector
	}
	var got []one
	for _, w := range c.Waves {
		o := one{Name: w.Name, After: w.After, Start: w.StartGates, At: !w.At.IsZero(), Empty: w.AllowEmpty, Users: w.Users}
		for _, g := range w.Gates {
			o.Gates = append(o.Gates, g.Name)
		}
		got = append(got, o)
		most := w.Soak == 7*24*time.Hour && w.Window != nil && w.MaxFailures == 3
		if is := w.Name[:4] == "most"; is != most {
			t.Errorf("%s: soak %s, window %v, %d failures", w.Name, w.Soak, w.Window, w.MaxFailures)
		}
	}
	share := func(p float64) Selector { return Selector{All: true, HasPercent: true, Percent: p} }
	admins := func(p float64) Selector { return Selector{Roles: []string{"admin"}, HasPercent: true, Percent: p} }
	globex := Selector{Tenants: []string{"globex"}, HasPercent: true, Percent: 50}
	want := []one{
		{Name: "pilot[50]", Empty: true, Users: []Selector{globex}},
		{Name: "pilot[100]", After: []string{"pilot[50]"}, Users: []Selector{{Tenants: []string{"globex"}}}},
		{Name: "most[2.5]", After: []string{"pilot[100]"}, At: true, Empty: true, Start: []string{"desk", "opt-in"}, Gates: []string{"calm", "desk", "opt-in"},
			Users: []Selector{share(2.5), admins(2.5)}},
		{Name: "most[25]", After: []string{"most[2.5]"}, Empty: true, Start: []string{"opt-in"}, Gates: []string{"calm", "opt-in"}, Users: []Selector{share(25), admins(10)}},
		{Name: "most[100]", After: []string{"most[25]"}, Start: []string{"opt-in"}, Gates: []string{"calm", "opt-in"}, Users: []Selector{{All: true}, admins(10)}},
		{Name: "rest", After: []string{"most[100]", "pilot[100]"}, Users: []Selector{{All: true}}},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("waves (-want +got):\n%s", diff)
	}
}
