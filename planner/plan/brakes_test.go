package plan_test

import (
	"slices"
	"testing"
	"time"

	"anthill/planner/plan"
	"anthill/state"
)

// TestOvertaken (L22): what is recorded is what the plan was judged by, or its own, in whatever order; else another plan has come
// in between.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.FixedZone("", 3600))
	brakes := func(soak time.Duration) []state.Brakes {
		return []state.Brakes{{Wave: "pilot", At: at, Soak: soak}, {Wave: "everyone", After: []string{"pilot"}}}
	}
	turned := func(b []state.Brakes) []state.Brakes { return []state.Brakes{b[1], b[0]} }
	utc := func(b []state.Brakes) []state.Brakes {
		b[0].At = b[0].At.UTC()
		return b
	}
	policies := []state.Policy{{Name: "dual", Method: state.MethodDual, Until: at}}
	edit := plan.Effects{Kind: state.RunApply, Brakes: brakes(1), Policies: policies, Braked: plan.BrakesDigest(turned(brakes(2)), policies)}
	none := plan.Effects{Kind: state.RunApply, Brakes: brakes(1), Policies: policies}
	for name, c := range map[string]struct {
		effects  plan.Effects
		brakes   []state.Brakes
		policies []state.Policy
		want     bool
	}{
		"nothing is recorded":               {none, nil, nil, false},
		"its own":                           {none, turned(brakes(1)), policies, false},
		"its own, in another zone":          {none, turned(utc(brakes(1))), policies, false},
		"its own, of an edit":               {edit, turned(brakes(1)), policies, false},
		"those of before":                   {edit, turned(utc(brakes(2))), policies, false},
		"others":                            {none, turned(brakes(2)), policies, true},
		"others, of an edit":                {edit, turned(brakes(3)), policies, true},
		"another promise":                   {none, turned(brakes(1)), []state.Policy{{Name: "dual", Method: state.MethodDual, Until: at.Add(1)}}, true},
		"another method":                    {none, turned(brakes(1)), []state.Policy{{Name: "dual", Method: state.MethodSelfAuth, From: "first", Until: at}}, true},
		"no policy":                         {none, turned(brakes(1)), nil, true},
		"none any more":                     {edit, nil, nil, true},
		"a wave more":                       {none, append(turned(brakes(1)), state.Brakes{Wave: "z"}), policies, true},
		"a rollback has nothing to do with": {plan.Effects{Kind: state.RunRollback}, brakes(1), policies, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := c.effects.Brakes
			if got := c.effects.Overtaken(&state.State{Brakes: c.brakes, Policies: c.policies}); got != c.want {
				t.Errorf("overtaken is %v", got)
			}
			if len(before) > 0 && (before[0].Wave != "pilot" || before[0].At != at) {
				t.Error("the plan's own brakes were changed")
			}
		})
	}
}

// TestPoliciesChanged (L8): a plan changes a policy where it records another method or another `from`; another promise is no change, and
// what was not known before, or is new, changes nothing.
func TestPoliciesChanged(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	now := []state.Policy{{Name: "from", Method: state.MethodSelfAuth, From: "a"}, {Name: "gone", Method: state.MethodDual},
		{Name: "method", Method: state.MethodDual}, {Name: "same", Method: state.MethodDual, Until: at}, {Name: "unknown"}}
	e := plan.Effects{Kind: state.RunApply, Policies: []state.Policy{{Name: "from", Method: state.MethodSelfAuth, From: "b"},
		{Name: "method", Method: state.MethodSelfAuth}, {Name: "new", Method: state.MethodDual}, {Name: "same", Method: state.MethodDual},
		{Name: "unknown", Method: state.MethodDual}}}
	if got := e.PoliciesChanged(&state.State{Policies: now}); !slices.Equal(got, []string{"from", "method"}) {
		t.Errorf("changed are %v", got)
	}
	e = plan.Effects{Kind: state.RunRollback, Undo: &plan.Undoing{}}
	if got := e.PoliciesChanged(&state.State{Policies: now}); got != nil {
		t.Errorf("a rollback changes %v", got)
	}
}
