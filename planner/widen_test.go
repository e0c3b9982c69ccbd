package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

// widening is the plain world with a wave of acme that has moved both users of it, or some, and is done since now,
// behind a gate that was confirmed the day before, and that an edit gives to globex as well.
func widening(t *testing.T, moved ...byte) *fake {
	f := newFake(t)
	w := wave("everyone", config.Selector{Tenants: []string{"acme"}})
	w.StartGates = []string{"support"}
	w.Gates = []config.Gate{{Name: "support"}}
	f.config.Waves = []config.Wave{w}
	f.state.Brakes = rollout.Brakes(f.config.Waves)
	if moved == nil {
		moved = []byte{10, 11}
	}
	for _, n := range moved {
		f.moved(n, "everyone")
	}
	f.state.Waves = []state.Wave{{Name: "everyone", Started: now.Add(-time.Hour), MovedAt: now, DoneAt: now}}
	f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "support", At: now.Add(-24 * time.Hour)}}
	f.config.Waves[0].Users = []config.Selector{{Tenants: []string{"acme", "globex"}}}
	f.asOf = now.Add(24 * time.Hour)
	return f
}

// TestWidened (L20): whom an edit adds to a wave that has started waits until the gates that it has passed are open
// again; the others do not.
func TestWidened(t *testing.T) {
	t.Parallel()
	again := func(f *fake) {
		f.state.Confirmations = append(f.state.Confirmations, state.Confirmation{Wave: "everyone", Gate: "support", At: now.Add(time.Hour)})
	}
	condition := func(text string) func(*fake) {
		return func(f *fake) {
			f.config.Waves[0].StartGates, f.config.Waves[0].Gates = []string{"figures"}, []config.Gate{gate(t, "figures", text)}
			f.state.Brakes[0] = rollout.Brakes(f.config.Waves)[0]
			f.state.Brakes[0].Users = []state.Selector{{Tenants: []string{"acme"}}}
		}
	}
	running := func(f *fake) { f.state.Waves[0].DoneAt = time.Time{} }
	waits, globex := map[byte]plan.SkipReason{12: plan.SkipWidened, 13: plan.SkipWidened}, []byte{12, 13}
	for name, c := range map[string]struct {
		change func(*fake)
		moved  []byte
		waits  map[byte]plan.SkipReason
		added  int64
		widens bool
		code   state.Code
		loose  int64
	}{
		"confirmed before":   {func(*fake) {}, nil, waits, 2, false, state.CodeWidenedWaits, 0},
		"confirmed again":    {again, globex, nil, 2, true, state.CodeWidened, 0},
		"as it was done":     {func(f *fake) { f.state.Confirmations[0].At = now }, nil, waits, 2, false, state.CodeWidenedWaits, 0},
		"running":            {running, nil, waits, 2, false, state.CodeWidenedWaits, 0},
		"running, confirmed": {func(f *fake) { running(f); again(f) }, globex, nil, 2, true, state.CodeWidened, 0},
		"one of them moved before": {func(f *fake) { f.moved(12, "gone") }, nil, map[byte]plan.SkipReason{13: plan.SkipWidened}, 1, false,
			state.CodeWidenedWaits, 0},
		"one of before is late": {func(f *fake) {
			*f = *widening(t, 10)
		}, []byte{11}, waits, 2, false, state.CodeWidenedWaits, 0},
		"a condition that holds":      {condition("wave.moved >= 2"), globex, nil, 2, true, state.CodeWidened, 0},
		"a condition that does not":   {condition("wave.moved > 2"), nil, waits, 2, false, state.CodeWidenedWaits, 0},
		"a condition over the edited": {condition("wave.selected == 4"), globex, nil, 2, true, state.CodeWidened, 0},
		"a gate of its finish": {func(f *fake) {
			w := &f.config.Waves[0]
			w.StartGates, w.FinishGates = nil, []string{"support"}
			f.state.Brakes[0].StartGates, f.state.Brakes[0].FinishGates = nil, []string{"support"}
		}, nil, waits, 2, false, state.CodeWidenedWaits, 0},
		"a gate of its finish, while it runs": {func(f *fake) {
			running(f)
			w := &f.config.Waves[0]
			w.StartGates, w.FinishGates = nil, []string{"support"}
			f.state.Brakes[0].StartGates, f.state.Brakes[0].FinishGates = nil, []string{"support"}
		}, globex, nil, 2, false, state.CodeWidened, 0},
		"no gate": {func(f *fake) {
			f.config.Waves[0].StartGates, f.config.Waves[0].Gates, f.state.Brakes[0].StartGates = nil, nil, nil
		}, globex, nil, 2, false, state.CodeWidened, 0},
		"the gate goes by the same edit": {func(f *fake) { f.config.Waves[0].StartGates, f.config.Waves[0].Gates = nil, nil },
			globex, nil, 2, false, state.CodeWidened, 2},
		"it has not started": {func(f *fake) {
			f.state.Waves = nil
		}, globex, nil, 0, false, "", 0},
		"narrowed": {func(f *fake) {
			f.config.Waves[0].Users = []config.Selector{{Tenants: []string{"acme"}, Roles: []string{"admin"}}}
		},
			nil, nil, 0, false, "", 0},
		"written otherwise": {func(f *fake) {
			f.config.Waves[0].Users = []config.Selector{{Tenants: []string{"acme"}, Roles: []string{"admin"}}, {Tenants: []string{"acme"}}}
		}, nil, nil, 0, false, "", 0},
		"not recorded": {func(f *fake) { f.state.Brakes[0].Users = nil }, globex, nil, 0, false, "", 0},
		"paused": {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}} }, nil,
			map[byte]plan.SkipReason{12: plan.SkipPaused, 13: plan.SkipPaused}, 2, false, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := widening(t)
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff(c.moved, m.users["everyone"], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("moved (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.waits, m.skipped, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
			v := m.context.Waves[0]
			if v.Added != c.added || m.hazard(plan.LoosensBrake) != c.loose {
				t.Errorf("%d are added, %d released", v.Added, m.hazard(plan.LoosensBrake))
			}
			if i := slices.IndexFunc(m.effects.Waves, func(w plan.WaveEffect) bool { return w.Widens }); i >= 0 != c.widens {
				t.Errorf("widens: %v", i >= 0)
			}
			i := slices.IndexFunc(v.Reasons, func(r state.Finding) bool { return r.Code == c.code })
			if c.code != "" && (i < 0 || v.Reasons[i].Count != c.added) {
				t.Errorf("%s of %d is not among %+v", c.code, c.added, v.Reasons)
			}
			// It is recorded when all of them are moved.
			recorded := m.effects.Brakes[0].Users
			if kept := len(recorded) == 1 && slices.Equal(recorded[0].Tenants, []string{"acme"}) && recorded[0].Roles == nil; kept != (c.added > 0) {
				t.Errorf("the selection of before stays: %v", kept)
			}
			users := slices.ContainsFunc(m.effects.Waves, func(w plan.WaveEffect) bool { return len(w.Users) == 1 && len(w.Users[0].Tenants) == 2 })
			if moved := c.added > 0 && c.waits == nil; users != moved {
				t.Errorf("the selection of now is recorded then: %v", users)
			}
		})
	}
}

// TestWidenedFigures: whom a condition counts is the same whether those who are added wait or not, and who waits
// keeps the next wave waiting.
func TestWidenedFigures(t *testing.T) {
	t.Parallel()
	f := widening(t)
	f.state.Waves[0].DoneAt, f.state.Waves[0].Failed = time.Time{}, 5
	next := wave("next", config.Selector{All: true})
	next.After = []string{"everyone"}
	f.config.Waves = append(f.config.Waves, next)
	held := f.must(t)
	f.state.Confirmations[0].At = now.Add(time.Hour)
	open := f.must(t)
	if diff := cmp.Diff(held.context.Waves[0].Figures, open.context.Waves[0].Figures); diff != "" {
		t.Errorf("figures (-held +open):\n%s", diff)
	}
	want := []state.Finding{state.About(state.CodeWaitsFor, state.OfWave("everyone"), state.Because(state.KeyWhy, state.Found(state.CodeAddedWait).Times(2)))}
	if diff := cmp.Diff(want, held.context.Waves[1].Reasons); diff != "" {
		t.Errorf("the next wave (-want +got):\n%s", diff)
	}
}

// TestLate (L19): who comes late to a done wave joins, or is left where it says so; more than a tenth of it at once
// wait for its gates. With steps a wave is done when its last step is.
func TestLate(t *testing.T) {
	t.Parallel()
	done := func(f *fake) {
		f.moved(10, "everyone")
		f.config.Guard.MinPopulation = 1
		f.config.Waves[0].StartGates, f.config.Waves[0].Gates = []string{"support"}, []config.Gate{{Name: "support"}}
		f.state.Waves = []state.Wave{{Name: "everyone", Started: now, MovedAt: now, DoneAt: now}}
		f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "support", At: now.Add(-time.Hour)}}
	}
	ignore := func(f *fake) { f.config.Waves[0].IgnoreLate = true }
	left := map[byte]plan.SkipReason{11: plan.SkipLate, 12: plan.SkipLate, 13: plan.SkipLate, 14: plan.SkipTenantSuspended}
	all := []byte{11, 12, 13}
	suspended := map[byte]plan.SkipReason{14: plan.SkipTenantSuspended}
	for name, c := range map[string]struct {
		change func(*fake)
		moved  []byte
		left   map[byte]plan.SkipReason
		code   state.Code
		widens bool
	}{
		"many":                      {func(*fake) {}, nil, suspended, state.CodeLateWait, false},
		"many, and confirmed again": {func(f *fake) { f.state.Confirmations[0].At = now.Add(time.Second) }, all, suspended, "", true},
		"many, without gates":       {func(f *fake) { f.config.Waves[0].StartGates, f.config.Waves[0].Gates = nil, nil }, all, suspended, "", false},
		"a small wave":              {func(f *fake) { f.config.Guard.MinPopulation = 2 }, all, suspended, "", false},
		"while it runs":             {func(f *fake) { f.state.Waves[0].DoneAt = time.Time{} }, all, suspended, "", false},
		"left":                      {ignore, nil, left, "", false},
		"left when it is done":      {func(f *fake) { ignore(f); f.state.Waves[0].DoneAt = time.Time{} }, all, suspended, "", false},
		"taken back, and not late": {func(f *fake) {
			ignore(f)
			f.recorded = append(f.recorded, state.User{User: id(11), Tenant: acme, TenantNow: acme,
				UserState: state.UserState{Standing: state.RolledBack, Wave: "everyone", Policy: "dual", Generation: 1}})
			f.config.Guard.MinPopulation = 2
		}, []byte{11}, map[byte]plan.SkipReason{12: plan.SkipLate, 13: plan.SkipLate, 14: plan.SkipTenantSuspended}, "", false},
		"left, and the wave paused": {func(f *fake) { ignore(f); f.state.Pauses = []state.Pause{{Wave: "everyone", By: "ana"}} }, nil, left, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			done(f)
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff(c.moved, m.users["everyone"], cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("moved (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.left, m.skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
			v := m.context.Waves[0]
			if i := slices.IndexFunc(v.Reasons, func(r state.Finding) bool { return r.Code == state.CodeLateWait && r.Count == 3 }); i >= 0 != (c.code != "") {
				t.Errorf("reasons %+v", v.Reasons)
			}
			if i := slices.IndexFunc(m.effects.Waves, func(w plan.WaveEffect) bool { return w.Widens }); i >= 0 != c.widens {
				t.Errorf("widens: %v", i >= 0)
			}
			if v.State == plan.WaveDone && v.Due != int64(len(all)) && c.left[12] != plan.SkipLate {
				t.Errorf("%d are due", v.Due)
			}
		})
	}
	// The wave has steps: its first is done, and its last is not.
	f := newFake(t)
	first, last := wave("w[50]", config.Selector{All: true}), wave("w[100]", config.Selector{All: true})
	last.After, last.Soak = []string{"w[50]"}, time.Hour
	first.IgnoreLate, last.IgnoreLate = true, true
	f.config.Waves = []config.Wave{first, last}
	f.state.Waves = []state.Wave{{Name: "w[50]", Started: now, MovedAt: now, DoneAt: now}}
	f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
	if m := f.must(t); len(m.users["w[50]"]) != 4 {
		t.Errorf("of a step: %v", m.users)
	}
	f.state.Waves = append(f.state.Waves, state.Wave{Name: "w[100]", Started: now, MovedAt: now, DoneAt: now})
	if m := f.must(t); len(m.users) != 0 {
		t.Errorf("all steps are done: %v", m.users)
	}
}
