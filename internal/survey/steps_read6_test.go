package survey

import (
	"testing"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// inSteps is a wave of everybody of two steps, whose gate each tenant opens, over 10 users of acme.
func inSteps(t *testing.T) Input {
	t.Helper()
	in := world(t)
	step := func(name string, after ...string) config.Wave {
		return config.Wave{Name: name, Policy: "dual", Enabled: true, Users: []config.Selector{{All: true}}, After: after,
			StartGates: []string{"opt_in"}, Gates: []config.Gate{{Name: "opt_in", PerTenant: true}}}
	}
	in.Config.Waves = []config.Wave{step("everyone[50]"), step("everyone[100]", "everyone[50]")}
	in.State = &state.State{Confirmations: []state.Confirmation{{Wave: "everyone", Gate: "opt_in", Tenant: acme, At: asOf}}}
	in.Left, in.MovedOf, in.Counts = nil, nil, []providers.UserCount{who(acme, 10, nil)}
	return in
}

func (s *Survey) wave(t *testing.T, name string) Wave {
	t.Helper()
	for _, w := range s.Waves {
		if w.Name == name {
			return w
		}
	}
	t.Fatalf("no wave %s in %+v", name, s.Waves)
	return Wave{}
}

// TestStepsPaused: a pause of a wave, or of a tenant in it, is one of all its steps: nobody of them is due.
func TestStepsPaused(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]state.Pause{
		"wave": {Wave: "everyone"}, "tenant": {Wave: "everyone", Tenant: acme}, "step": {Wave: "everyone[50]", Tenant: acme},
		"step that is gone": {Wave: "everyone[25]", Tenant: acme},
	} {
		in := inSteps(t)
		in.State.Pauses = []state.Pause{p}
		if w := Make(in).wave(t, "everyone[50]"); w.Due != 0 || w.Waiting != 10 {
			t.Errorf("%s paused: %d due, %d waiting", name, w.Due, w.Waiting)
		}
		f := in.Counts[0].UserFacts
		if _, _, why := NewPlacer(in).Place(&f); why != plan.SkipPaused {
			t.Errorf("%s paused: a user of it waits for %v", name, why)
		}
	}
}

// TestStepsOptIn: what a tenant has opened for all steps of a wave is counted at each.
func TestStepsOptIn(t *testing.T) {
	t.Parallel()
	w := Make(inSteps(t)).wave(t, "everyone[50]")
	if w.Due != 10 || len(w.Gates) != 1 || w.Gates[0].Tenants != 1 || !w.Gates[0].Open {
		t.Errorf("%d due, gates %+v", w.Due, w.Gates)
	}
}

// TestStepsEdited: who was moved under a step that is gone counts in the figures of those that are there, as a plan has it.
func TestStepsEdited(t *testing.T) {
	t.Parallel()
	in := inSteps(t)
	in.Counts = []providers.UserCount{who(acme, 10, moved("everyone[25]", "dual"))}
	in.MovedOf = map[string]int64{"everyone[25]": 10}
	s := Make(in)
	if len(s.Waves) != 2 || s.wave(t, "everyone[50]").Figures.Moved != 10 || s.wave(t, "everyone[50]").Moved != 10 {
		t.Errorf("waves %+v", s.Waves)
	}
}

// TestLateIgnored: whom a done wave leaves as they come late are not due, though no apply has met them yet.
func TestLateIgnored(t *testing.T) {
	t.Parallel()
	in := inSteps(t)
	in.Config.Waves = []config.Wave{{Name: "everyone", Policy: "dual", Enabled: true, IgnoreLate: true, Users: []config.Selector{{All: true}}}}
	in.State = &state.State{Waves: []state.Wave{{Name: "everyone", Started: asOf.Add(-day), MovedAt: asOf.Add(-day), DoneAt: asOf.Add(-day)}}}
	s := Make(in)
	if w := s.wave(t, "everyone"); w.Due != 0 || w.Skipped != 10 {
		t.Errorf("%d due, %d skipped", w.Due, w.Skipped)
	}
}

// TestWidenedWait: whom the last apply has left for the gates of an edited wave wait, and a status says for what, until these are open.
func TestWidenedWait(t *testing.T) {
	t.Parallel()
	in := inSteps(t)
	in.Config.Guard.MinPopulation = 20
	in.Config.Waves = []config.Wave{{Name: "everyone", Policy: "dual", Enabled: true, Users: []config.Selector{{All: true}},
		StartGates: []string{"support"}, Gates: []config.Gate{{Name: "support"}}}}
	in.State = &state.State{
		Waves:         []state.Wave{{Name: "everyone", Started: asOf.Add(-2 * day), MovedAt: asOf.Add(-2 * day), DoneAt: asOf.Add(-2 * day)}},
		Confirmations: []state.Confirmation{{Wave: "everyone", Gate: "support", At: asOf.Add(-3 * day)}},
	}
	in.Left = map[string][]plan.Skipped{"everyone": {{Reason: plan.SkipWidened, Count: 7}}}
	w := Make(in).wave(t, "everyone")
	if w.Due != 3 || w.Waiting != 7 || w.Skipped != 0 || len(w.Reasons) == 0 || w.Reasons[0].Code != state.CodeWidenedWaits {
		t.Errorf("%d due, %d waiting, %d skipped, reasons %+v", w.Due, w.Waiting, w.Skipped, w.Reasons)
	}
	in.State.Confirmations[0].At = asOf.Add(-day)
	if w := Make(in).wave(t, "everyone"); w.Due != 10 || w.Waiting != 0 {
		t.Errorf("once the gate is open: %d due, %d waiting", w.Due, w.Waiting)
	}
	// A small wave is not held by a few who are late.
	in.State.Confirmations[0].At, in.Left = asOf.Add(-3*day), nil
	if w := Make(in).wave(t, "everyone"); w.Due != 10 || len(w.Reasons) != 0 {
		t.Errorf("late: %d due, reasons %+v", w.Due, w.Reasons)
	}
}

// TestRaisePaused: who is to be raised waits for a pause of the wave that moved it too.
func TestRaisePaused(t *testing.T) {
	t.Parallel()
	in := inSteps(t)
	in.Config.Policies = append(in.Config.Policies, config.Policy{Name: "alone", Method: state.MethodSelfAuth, From: "dual"})
	in.Config.Waves = append(in.Config.Waves, config.Wave{Name: "retire", Policy: "alone", Enabled: true, Users: []config.Selector{{All: true}}})
	in.Counts = []providers.UserCount{who(acme, 10, and(moved("everyone[50]", "dual"), enrolled))}
	in.MovedOf = map[string]int64{"everyone[50]": 10}
	if w := Make(in).wave(t, "retire"); w.Due != 10 {
		t.Errorf("%d due", w.Due)
	}
	in.State.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}}
	if w := Make(in).wave(t, "retire"); w.Due != 0 || w.Waiting != 10 {
		t.Errorf("paused where it was moved: %d due, %d waiting", w.Due, w.Waiting)
	}
}

// TestStepsArePhasedAsOne: a wave with steps is one of the waves of the rollout, and done once all its steps are.
func TestStepsArePhasedAsOne(t *testing.T) {
	t.Parallel()
	in := inSteps(t)
	in.State.Waves = []state.Wave{{Name: "everyone[50]", Started: asOf.Add(-2 * day), MovedAt: asOf.Add(-day), DoneAt: asOf.Add(-day)}}
	rollout := func() Phase {
		for _, p := range Make(in).Phases {
			if p.Number == "4.4" {
				return p
			}
		}
		return Phase{}
	}
	if p := rollout(); p.Of != 1 || p.Done != 0 {
		t.Errorf("one step is done: %+v", p)
	}
	in.State.Waves = append(in.State.Waves, state.Wave{Name: "everyone[100]", Started: asOf.Add(-2 * day), MovedAt: asOf.Add(-day), DoneAt: asOf.Add(-day)})
	if p := rollout(); p.Of != 1 || p.Done != 1 {
		t.Errorf("both are: %+v", p)
	}
}
