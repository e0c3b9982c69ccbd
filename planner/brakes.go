package planner

import (
	"slices"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

// brakes are those to be recorded: the declared ones. Where a wave could not start whatever its brakes say, as it or one that it
// waits for is paused, if only for a tenant, or is outside of the plan, what is recorded stays: an edit of its brakes is told by
// the plan that can start it.
func (m *maker) brakes() []state.Brakes {
	list := rollout.Brakes(m.Config.Waves)
	if (len(m.State.Pauses) > 0 || m.part.part != nil) && len(m.State.Brakes) > 0 {
		list = rollout.Kept(m.State.Brakes, m.Config.Waves)
	}
	for i := range list {
		w := &list[i]
		if k := slices.IndexFunc(m.Config.Waves, func(d config.Wave) bool { return d.Name == w.Wave }); k >= 0 {
			w.Users = rollout.Selectors(m.Config.Waves[k].Users)
		}
		started := slices.ContainsFunc(m.State.Waves, func(r state.Wave) bool { return r.Name == w.Wave && !r.Started.IsZero() })
		k := slices.IndexFunc(m.State.Brakes, func(b state.Brakes) bool { return b.Wave == w.Wave && len(b.Users) > 0 })
		if k >= 0 && started && m.keeps[w.Wave] {
			w.Users = m.State.Brakes[k].Users
		}
	}
	return list
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
		code := state.CodeBrakeLoosened
		if r.Wished {
			code = state.CodeBrakeWished
		}
		m.plan.Effects.Raise(plan.LoosensBrake, r.Users,
			state.About(code, state.OfWave(r.Wave), state.Because(state.KeyWhy, r.Why...)).Times(r.Users))
	}
}

// wished is a wish that the plan goes by, and what the users of its wave add up to.
type wished struct {
	state.Wish
	tally rollout.Tally
}

// wishes raises the hazard of what somebody wished and the plan goes by: with the users who may fail, or, where no wave starts
// because of a wish, with those of the wave whose state it changes.
func (m *maker) wishes() {
	for _, w := range m.wished {
		n := int64(0)
		switch {
		case w.Kind == state.WishAccept:
			n = w.tally.Due - w.tally.Left
		case !m.plan.Effects.Has(plan.LoosensBrake):
			n = max(1, w.tally.Moved)
		}
		m.plan.Effects.Raise(plan.LoosensBrake, n, said(state.CodeWishMet, w.Wish).Times(n))
	}
}

// idleWishes are the wishes that the plan does not go by.
func (m *maker) idleWishes() (list []state.Finding) {
	for _, w := range m.State.Wishes {
		if !slices.Contains(m.plan.Effects.Wishes, plan.Wish{Wave: w.Wave, Kind: w.Kind}) {
			list = append(list, said(state.CodeWishIdle, w))
		}
	}
	return list
}

func said(code state.Code, w state.Wish) state.Finding {
	args := []state.Arg{state.Text(state.KeyKind, string(w.Kind)), state.Text(state.KeyBy, w.By), state.At(state.KeyAt, w.At)}
	if w.Reason != "" {
		args = append(args, state.Text(state.KeyReason, w.Reason))
	}
	return state.About(code, state.OfWave(w.Wave), args...)
}
