package planner

import (
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

// brakes are those to be recorded: the declared ones. Where a wave could not start whatever its brakes say, as it or one that it
// waits for is paused, if only for a tenant, or is outside of the plan, what is recorded stays: an edit of its brakes is told by
// the plan that can start it.
func (m *maker) brakes() []state.Brakes {
	if (len(m.State.Pauses) > 0 || m.part.part != nil) && len(m.State.Brakes) > 0 {
		return rollout.Kept(m.State.Brakes, m.Config.Waves)
	}
	return rollout.Brakes(m.Config.Waves)
}

// policies are those to be recorded. A promise that was brought forward, or taken away, stays as it was until a plan raises somebody by
// that and tells it: who enrols comes in the days after the edit, and was promised the same.
func (m *maker) policies() []state.Policy {
	told := map[string]bool{}
	for _, r := range m.released {
		told[r.Promised] = told[r.Promised] || m.moves(r.Wave)
	}
	return rollout.Policies(m.State.Policies, m.Config.Policies, told)
}

// loosens raises the hazard of waves that start because what held them back was edited (L22).
func (m *maker) loosens() {
	for _, r := range m.released {
		if !m.moves(r.Wave) {
			continue // it is not part of the plan
		}
		m.plan.Effects.Raise(plan.LoosensBrake, r.Users,
			state.About(state.CodeBrakeLoosened, state.OfWave(r.Wave), state.Because(state.KeyWhy, r.Why...)).Times(r.Users))
	}
}
