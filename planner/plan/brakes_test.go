package plan_test

import (
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
	promises := []state.Promise{{Policy: "dual", Until: at}}
	edit := plan.Effects{Kind: state.RunApply, Brakes: brakes(1), Promises: promises, Braked: plan.BrakesDigest(turned(brakes(2)), promises)}
	none := plan.Effects{Kind: state.RunApply, Brakes: brakes(1), Promises: promises}
	for name, c := range map[string]struct {
		effects  plan.Effects
		brakes   []state.Brakes
		promises []state.Promise
		want     bool
	}{
		"nothing is recorded":               {none, nil, nil, false},
		"its own":                           {none, turned(brakes(1)), promises, false},
		"its own, in another zone":          {none, turned(utc(brakes(1))), promises, false},
		"its own, of an edit":               {edit, turned(brakes(1)), promises, false},
		"those of before":                   {edit, turned(utc(brakes(2))), promises, false},
		"others":                            {none, turned(brakes(2)), promises, true},
		"others, of an edit":                {edit, turned(brakes(3)), promises, true},
		"another promise":                   {none, turned(brakes(1)), []state.Promise{{Policy: "dual", Until: at.Add(1)}}, true},
		"no promise":                        {none, turned(brakes(1)), nil, true},
		"none any more":                     {edit, nil, nil, true},
		"a wave more":                       {none, append(turned(brakes(1)), state.Brakes{Wave: "z"}), promises, true},
		"a rollback has nothing to do with": {plan.Effects{Kind: state.RunRollback}, brakes(1), promises, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := c.effects.Brakes
			if got := c.effects.Overtaken(&state.State{Brakes: c.brakes, Promises: c.promises}); got != c.want {
				t.Errorf("overtaken is %v", got)
			}
			if len(before) > 0 && (before[0].Wave != "pilot" || before[0].At != at) {
				t.Error("the plan's own brakes were changed")
			}
		})
	}
}
