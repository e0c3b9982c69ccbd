package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

func gate(t *testing.T, name, condition string) config.Gate {
	t.Helper()
	c, err := config.ParseCondition(condition)
	if err != nil {
		t.Fatal(err)
	}
	return config.Gate{Name: name, Condition: c, NoData: "wait"}
}

// seen records the synced time that we wrote of a moved user, and what the row holds.
func (f *fake) seen(n byte, at time.Time) {
	f.record(n).Synced = now
	f.user(n).Synced = at
}

// TestFigures: whom a wave's figures count (L15, R109). All four of acme and globex are moved, at a moment that is recorded.
func TestFigures(t *testing.T) {
	t.Parallel()
	login := now.Add(time.Hour)
	moved := state.WaveFigures{Selected: 5, Moved: 4, Skipped: 1}
	with := func(change func(*state.WaveFigures)) state.WaveFigures {
		f := moved
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   state.WaveFigures
	}{
		"only moved":                 {func(*fake) {}, moved},
		"a login":                    {func(f *fake) { f.seen(10, login) }, with(func(w *state.WaveFigures) { w.Completed = 1 })},
		"by a clock that is behind":  {func(f *fake) { f.seen(10, now.Add(-time.Hour)) }, with(func(w *state.WaveFigures) { w.Completed = 1 })},
		"completed by us, on link":   {func(f *fake) { f.user(10).Completed = true }, moved},
		"completed by the other":     {func(f *fake) { f.user(10).Completed, f.user(10).CompletedApart = true, true }, with(func(w *state.WaveFigures) { w.Completed = 1 })},
		"what we wrote is not known": {func(f *fake) { f.seen(10, login); f.record(10).Synced = time.Time{} }, moved},
		"not known, and completed": {func(f *fake) {
			f.seen(10, login)
			f.record(10).Synced, f.user(10).Completed = time.Time{}, true
		}, with(func(w *state.WaveFigures) { w.Completed = 1 })},
		"not known, and completed, maybe by us": {func(f *fake) {
			f.config.Policies[0].CompleteOnLink = true
			f.seen(10, login)
			f.record(10).Synced, f.user(10).Completed = time.Time{}, true
		}, moved},
		"no synced time any more":   {func(f *fake) { f.seen(10, time.Time{}) }, moved},
		"linked by others, unseen":  {func(f *fake) { f.record(10).WroteLink = false; f.seen(10, time.Time{}) }, moved},
		"linked by others and seen": {func(f *fake) { f.record(10).WroteLink, f.record(10).Synced = false, time.Time{} }, with(func(w *state.WaveFigures) { w.Completed = 1 })},
		"linked to somebody else":   {func(f *fake) { f.seen(10, login); f.user(10).Link = id(99) }, moved},
		"invited":                   {func(f *fake) { f.user(10).Invited, f.user(12).Invited = true, true }, with(func(w *state.WaveFigures) { w.Invited = 2 })},
		"enrolled, which completes nobody": {func(f *fake) {
			f.enrolled = []uuid.UUID{f.record(10).Person, f.record(11).Person}
			slices.SortFunc(f.enrolled, world.CompareID)
			f.config.Waves[0].FinishGates, f.config.Waves[0].Gates = []string{"g"}, []config.Gate{gate(t, "g", "wave.enrolled > 9")}
		}, with(func(w *state.WaveFigures) { n := int64(2); w.Enrolled = &n })},
		"suspended":             {func(f *fake) { f.seen(10, login); f.user(10).Status = "suspended" }, with(func(w *state.WaveFigures) { w.Selected, w.Moved = 4, 3 })},
		"inactive":              {func(f *fake) { f.user(10).Status = "inactive" }, with(func(w *state.WaveFigures) { w.Selected, w.Moved = 4, 3 })},
		"deleted":               {func(f *fake) { f.user(10).Deleted = true }, with(func(w *state.WaveFigures) { w.Selected, w.Moved = 4, 3 })},
		"its tenant suspended":  {func(f *fake) { f.tenants[0].Status = "suspended" }, with(func(w *state.WaveFigures) { w.Selected, w.Moved = 3, 2 })},
		"rolled back":           {func(f *fake) { f.seen(10, login); f.rolledBack(10) }, with(func(w *state.WaveFigures) { w.Moved = 3 })},
		"moved by another wave": {func(f *fake) { f.seen(10, login); f.record(10).Wave = "gone" }, with(func(w *state.WaveFigures) { w.Selected, w.Moved = 4, 3 })},
		"failed": {func(f *fake) {
			f.rolledBack(10)
			f.state.Pauses = nil
			f.state.Waves = []state.Wave{{Name: "everyone", Failed: 3}}
		}, with(func(w *state.WaveFigures) { w.Moved, w.Failed = 3, 1 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			for _, n := range []byte{10, 11, 12, 13} {
				f.moved(n, "everyone")
				f.seen(n, now)
			}
			c.change(f)
			if diff := cmp.Diff(c.want, f.must(t).context.Waves[0].Figures); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// rolledBack records that a moved user was taken back, and its wave paused.
func (f *fake) rolledBack(n byte) {
	rec, u := f.record(n), f.user(n)
	rec.Standing, rec.Groups, rec.Synced = state.RolledBack, nil, time.Time{}
	u.Link, u.Method, u.Synced = uuid.Nil, state.MethodPassword, time.Time{}
	for i := range f.persons {
		if f.persons[i].ID == rec.Person {
			f.persons[i].Expired, f.persons[i].Closed = true, true
		}
	}
	for i := range f.groups {
		var stay []uuid.UUID
		for _, m := range f.groups[i].Members {
			if m != rec.Person {
				stay = append(stay, m)
			}
		}
		f.groups[i].Members = stay
	}
	f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}}
}

// TestLoginIsNoChange: a login changes no plan.
func TestLoginIsNoChange(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.moved(10, "everyone")
	f.seen(10, now)
	before := f.must(t).id
	f.user(10).Completed, f.user(10).Synced = true, now.Add(time.Hour)
	if m := f.must(t); m.id != before || m.context.Waves[0].Figures.Completed != 1 {
		t.Errorf("plan %s, before %s: %+v", m.id, before, m.context.Waves[0].Figures)
	}
}

// TestGateOfTenants (R129): users of a tenant that has not confirmed wait, counted; the others move. A confirmation of another
// tenant, wave or gate, or of all of the wave, is none of it.
func TestGateOfTenants(t *testing.T) {
	t.Parallel()
	optIn := func() *fake {
		f := newFake(t)
		f.config.Waves[0].StartGates, f.config.Waves[0].Gates = []string{"opt-in"}, []config.Gate{{Name: "opt-in", PerTenant: true}}
		f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "opt-in", Tenant: acme}, {Wave: "everyone", Gate: "opt-in"},
			{Wave: "other", Gate: "opt-in", Tenant: globex}, {Wave: "everyone", Gate: "other", Tenant: globex}}
		return f
	}
	f := optIn()
	m := f.must(t)
	w := m.context.Waves[0]
	if diff := cmp.Diff([]byte{10, 11}, m.users["everyone"]); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	want := map[byte]plan.SkipReason{12: plan.SkipUnconfirmed, 13: plan.SkipUnconfirmed, 14: plan.SkipTenantSuspended}
	if diff := cmp.Diff(want, m.skipped); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	if w.State != plan.WaveStarts || w.Waiting != 2 || m.effects.Waves[0].Moved {
		t.Errorf("the wave: %+v", w)
	}
	found(t, w.Reasons, state.About(state.CodeTenantsUnconfirmed, state.OfWave("everyone"), state.Text(state.KeyGate, "opt-in"),
		state.List(state.KeyTenants, "globex")).Times(2))
	f.state.Confirmations = f.state.Confirmations[1:]
	if m := f.must(t); len(m.users) != 0 || m.context.Waves[0].State != plan.WaveHeld || len(m.effects.Waves) != 0 {
		t.Errorf("nobody has confirmed: %+v, %+v", m.users, m.context.Waves[0])
	}
	// The wave goes on; the gate is taken away, and was recorded.
	f = optIn()
	f.state.Waves = []state.Wave{{Name: "everyone", Started: now}}
	f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
	f.state.Brakes = f.must(t).effects.Brakes
	if m := f.must(t); m.hazard(plan.LoosensBrake) != 0 {
		t.Errorf("nothing was edited: %+v", m.effects.Hazards)
	}
	f.config.Waves[0].StartGates, f.config.Waves[0].Gates = nil, nil
	if m := f.must(t); m.hazard(plan.LoosensBrake) != 2 || !m.effects.Blocked() {
		t.Errorf("the gate is gone: %+v", m.effects.Hazards)
	}
}

// TestGateOfTenantsByValue: users of a tenant whose own value is not enough wait, and are told with what it wants; to want less is to
// loosen a brake, of those whom it lets go.
func TestGateOfTenantsByValue(t *testing.T) {
	t.Parallel()
	wants := func(text string) []config.Gate {
		c, err := config.ParseValueCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		return []config.Gate{{Name: "survey", PerTenant: true, Value: c}}
	}
	f := newFake(t)
	f.config.Waves[0].StartGates, f.config.Waves[0].Gates = []string{"survey"}, wants("result.value >= 4.5")
	f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "survey", Tenant: globex, Value: "5"},
		{Wave: "everyone", Gate: "survey", Tenant: acme, Value: "4.6"}, {Wave: "everyone", Gate: "survey", Tenant: globex, Value: "4.2"}}
	m := f.must(t)
	if diff := cmp.Diff([]byte{10, 11}, m.users["everyone"]); diff != "" {
		t.Errorf("moved (-want +got):\n%s", diff)
	}
	found(t, m.context.Waves[0].Reasons, state.About(state.CodeTenantsUnconfirmed, state.OfWave("everyone"), state.Text(state.KeyGate, "survey"),
		state.List(state.KeyTenants, "globex"), state.Text(state.KeyCondition, "result.value >= 4.5")).Times(2))
	f.state.Waves = []state.Wave{{Name: "everyone", Started: now}}
	f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
	f.state.Brakes = m.effects.Brakes
	for _, c := range []struct {
		wants  string
		loosen int64
		moves  int
	}{{"result.value >= 4.5", 0, 2}, {"result.value >= 4.3", 0, 2}, {"result.value >= 4", 2, 4}, {"result.value >= 5", 0, 0}} {
		f.config.Waves[0].Gates = wants(c.wants)
		if m := f.must(t); m.hazard(plan.LoosensBrake) != c.loosen || len(m.users["everyone"]) != c.moves {
			t.Errorf("%s: %d users, %+v", c.wants, len(m.users["everyone"]), m.effects.Hazards)
		}
	}
}

// TestSampling (L21): what apply samples again stands in the plan's effects, with the figures that it cannot count itself, and
// only those that a condition goes by. A gate that is shut and moves nobody leaves no trace there, so that figures that change
// day by day change no plan ID.
func TestSampling(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Policies[0].CompleteOnLink = true
	w := &f.config.Waves[0]
	w.StartGates, w.FinishGates = []string{"hand", "s"}, []string{"f"}
	w.Gates = []config.Gate{gate(t, "f", "wave.completed >= 0"), {Name: "hand"}, gate(t, "s", "wave.skipped < wave.selected")}
	f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "hand"}}
	m := f.must(t)
	want := &plan.Sampling{Start: []state.Gate{{Name: "hand"}, {Name: "s", Condition: "wave.skipped < wave.selected", NoData: "wait"}}, Selected: 5, Skipped: 1}
	if diff := cmp.Diff(want, m.effects.Waves[0].Sampling); diff != "" {
		t.Errorf("it starts (-want +got):\n%s", diff)
	}
	brakes := []state.Gate{{Name: "f", Condition: "wave.completed >= 0", NoData: "wait"}, want.Start[1]}
	if diff := cmp.Diff(brakes, m.effects.Brakes[0].Gates); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	// Moved, it is done.
	for _, n := range []byte{10, 11, 12, 13} {
		f.moved(n, "everyone")
	}
	f.state.Waves = []state.Wave{{Name: "everyone", Started: now, Soaking: now, MovedAt: now}}
	m = f.must(t)
	want = &plan.Sampling{Finish: brakes[:1], OnLink: []string{"dual"}}
	if diff := cmp.Diff(want, m.effects.Waves[0].Sampling, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("it is done (-want +got):\n%s", diff)
	}
	w.Gates[0] = gate(t, "f", "wave.completed >= 1")
	if m = f.must(t); m.effects.Waves[0].Sampling != nil || m.context.Waves[0].State != plan.WaveSoaking {
		t.Errorf("its gate is shut: %+v", m.effects.Waves[0])
	}
}

// TestGateOfTenantsInSteps (L18): a gate that each tenant opens for itself holds its users in every step, and is
// opened for all of them at once.
func TestGateOfTenantsInSteps(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	optIn := config.Gate{Name: "opt-in", PerTenant: true}
	var waves []config.Wave
	for _, s := range []struct {
		name    string
		percent float64
	}{{"w[50]", 50}, {"w[100]", 100}} {
		w := wave(s.name, config.Selector{All: true, HasPercent: true, Percent: s.percent})
		w.AllowEmpty, w.StartGates, w.Gates = true, []string{"opt-in"}, []config.Gate{optIn}
		waves = append(waves, w)
	}
	waves[1].After = []string{"w[50]"}
	f.config.Waves = waves
	f.state.Confirmations = []state.Confirmation{{Wave: "w", Gate: "opt-in", Tenant: acme}}
	m := f.must(t)
	for n, why := range map[byte]plan.SkipReason{12: plan.SkipUnconfirmed, 13: plan.SkipUnconfirmed} {
		if m.skipped[n] != why {
			t.Errorf("user %d: %s", n, m.skipped[n])
		}
	}
	f.state.Confirmations = append(f.state.Confirmations, state.Confirmation{Wave: "w", Gate: "opt-in", Tenant: globex})
	if m = f.must(t); len(m.users["w[50]"])+len(m.users["w[100]"]) != 4 || len(m.users["w[100]"]) == 0 {
		t.Errorf("all have confirmed: %v", m.users)
	}
}

// TestPausedStepGone (L18): the pause of a step that is no longer one holds all of its wave.
func TestPausedStepGone(t *testing.T) {
	t.Parallel()
	for name, waves := range map[string][]string{"no steps": {"w"}, "other steps": {"w[30]", "w[100]"}, "the same": {"w[100]"}, "another wave": {"v"}} {
		f := newFake(t)
		f.config.Waves = nil
		for i, n := range waves {
			w := wave(n, config.Selector{All: true})
			if i > 0 {
				w.After = waves[i-1 : i]
			}
			f.config.Waves = append(f.config.Waves, w)
		}
		step := "w[50]"
		if name == "the same" {
			step = "w[100]"
		}
		f.state.Pauses = []state.Pause{{Wave: step, By: "ana", At: now}}
		m := f.must(t)
		if moves := len(m.users) > 0; moves != (name == "another wave") {
			t.Errorf("%s: %v are moved", name, m.users)
		}
		if f.state.Pauses[0].Wave != step {
			t.Errorf("%s: the pause that is recorded is one of %s", name, f.state.Pauses[0].Wave)
		}
	}
}
