package report

import (
	"strings"
	"testing"

	"anthill/planner/plan"
	"anthill/state"
)

// TestNotByHand: a plan of more users than anybody types, one that is blocked, and one that does more than a runbook knows are
// refused, with the reason and what to do instead.
func TestNotByHand(t *testing.T) {
	t.Parallel()
	remade := newMade(state.RunApply)
	remade.Effects.Waves = []plan.WaveEffect{{Name: "pilot"}}
	remade.change(3, plan.SegmentMove, "pilot", remade.moving(acme, state.MethodDual, true, acmeUsers))
	blocked := newMade(state.RunApply)
	blocked.Effects.Waves = []plan.WaveEffect{{Name: "pilot"}}
	blocked.change(3, plan.SegmentMove, "pilot", blocked.moving(acme, state.MethodDual, false, acmeUsers))
	blocked.Effects.Raise(plan.LocksOut, 4, state.Found(state.CodeHomeLost).Times(4))
	for name, c := range map[string]struct {
		made *made
		want string
	}{
		"too many": {pilot(), "this plan is about 412 users, and by hand it would be more than 200"},
		"nothing":  {newMade(state.RunApply), "there is nothing to do"},
		"more":     {remade, "This plan has more: users who were moved, or tried, before."},
		"blocked":  {blocked, "this plan is blocked"},
	} {
		err := NotByHand(c.made.save(t))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
