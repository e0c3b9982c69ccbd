package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/rollout"
	"anthill/state"
)

// TestLoosened (L22): a wave that starts and would be held by the recorded brakes is told, with its users and what would
// hold it; one that would start by either, that is held by either, or that has started, is not.
func TestLoosened(t *testing.T) {
	t.Parallel()
	gate := func(wave string) state.Finding {
		return state.About(state.CodeGateClosed, state.OfWave(wave), state.Text(state.KeyGate, "support"))
	}
	waits := func(why ...state.Finding) state.Finding {
		return state.About(state.CodeWaitsFor, state.OfWave("pilot"), state.Because(state.KeyWhy, why...))
	}
	at := func(t time.Time) state.Finding { return state.Found(state.CodeStartsAt, state.At(state.KeyAt, t)) }
	rest := func(why ...state.Finding) []rollout.Release {
		return []rollout.Release{{Wave: "rest", Users: 90, Why: why}}
	}
	for name, c := range map[string]struct {
		was  func(*world) // what was declared when the brakes were recorded
		now  func(*world)
		want []rollout.Release
	}{
		"nothing": {func(*world) {}, func(*world) {}, nil},
		"a gate goes": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} },
			func(w *world) { w.Waves[1].StartGates = nil }, rest(gate("rest"))},
		"a gate that was open goes": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} }, func(w *world) {
			w.Waves[1].StartGates = nil
			w.Confirmations = []state.Confirmation{{Wave: "rest", Gate: "support"}}
		}, nil},
		"a gate is opened": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} }, func(w *world) {
			w.Confirmations = []state.Confirmation{{Wave: "rest", Gate: "support"}}
		}, nil},
		"a date that has not come is brought forward": {func(w *world) { w.done(); w.Waves[1].At = now.Add(time.Second) },
			func(w *world) { w.Waves[1].At = now }, rest(at(now.Add(time.Second)))},
		"a date that has come goes": {func(w *world) { w.done(); w.Waves[1].At = now }, func(w *world) { w.Waves[1].At = time.Time{} }, nil},
		"a date is brought forward, and has not come": {func(w *world) { w.done(); w.Waves[1].At = now.Add(time.Hour) },
			func(w *world) { w.Waves[1].At = now.Add(time.Second) }, nil},
		"soak is shortened": {func(w *world) { w.moved(7*day - time.Second); w.pilot.Soak = 7 * day },
			func(w *world) { w.pilot.Soak = 6 * day }, rest(waits(state.Found(state.CodeSoaks, state.Span(state.KeySpan, 7*day),
				state.At(state.KeyUntil, now.Add(time.Second)))))},
		"soak that is over is shortened": {func(w *world) { w.moved(7 * day); w.pilot.Soak = 7 * day }, func(w *world) { w.pilot.Soak = day }, nil},
		"a gate of the wave before goes": {func(w *world) { w.moved(day); w.pilot.FinishGates = []string{"support"} },
			func(w *world) { w.pilot.FinishGates = nil }, rest(waits(gate("pilot")))},
		"it no longer waits": {func(w *world) { w.pilot.StartGates = []string{"support"} }, func(w *world) { w.Waves[1].After = nil },
			rest(waits(state.Found(state.CodeHeldItself)))},
		"the wave before is gone": {func(*world) {}, func(w *world) {
			w.Waves, w.Tallies = []config.Wave{{Name: "rest", Enabled: true}}, w.Tallies[1:]
		}, rest(waits(state.Found(state.CodeHeldItself)))},
		"the wave before was done, and is gone": {(*world).done, func(w *world) {
			w.Waves, w.Tallies = []config.Wave{{Name: "rest", Enabled: true}}, w.Tallies[1:]
		}, nil},
		"the wave before is disabled": {func(w *world) { w.pilot.Soak = day }, func(w *world) {
			w.pilot.Enabled, *w.ten = false, rollout.Tally{}
		}, rest(waits(state.Found(state.CodeHeldItself)))},
		"a wave is enabled": {func(w *world) { w.done(); w.Waves[1].Enabled = false }, func(w *world) { w.Waves[1].Enabled = true }, nil},
		"a wave may be empty now": {func(w *world) { *w.ten = rollout.Tally{} }, func(w *world) { w.pilot.AllowEmpty = true },
			rest(waits(state.Found(state.CodeHeldItself)))},
		"a new wave, without brakes": {(*world).done, func(w *world) {
			w.Waves = append(w.Waves, config.Wave{Name: "z", Enabled: true})
			w.Tallies = append(w.Tallies, rollout.Tally{Match: 1, Due: 1})
		}, nil},
		"it has started": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} }, func(w *world) {
			w.Waves[1].StartGates = nil
			w.Recorded["rest"] = state.Wave{Name: "rest", Started: now}
		}, nil},
		"nobody is to be moved": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} }, func(w *world) {
			w.Waves[1].StartGates, w.Tallies[1] = nil, rollout.Tally{Match: 90, Moved: 90}
		}, nil},
		"paused": {func(w *world) { w.done(); w.Waves[1].StartGates = []string{"support"} }, func(w *world) {
			w.Waves[1].StartGates, w.Pauses = nil, []state.Pause{{Wave: "rest", Run: "r"}}
		}, nil},
		"the two change places": {func(w *world) { w.pilot.StartGates = []string{"support"} }, func(w *world) {
			w.Waves = []config.Wave{{Name: "rest", Enabled: true}, {Name: "pilot", Enabled: true, After: []string{"rest"}, StartGates: []string{"support"}}}
			slices.Reverse(w.Tallies)
		}, rest(waits(state.Found(state.CodeHeldItself)))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.was(w)
			recorded := rollout.Before{Brakes: rollout.Brakes(w.Waves)}
			c.now(w)
			got := rollout.Loosened(w.Input, rollout.Judge(w.Input), recorded)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if none := rollout.Loosened(w.Input, rollout.Judge(w.Input), rollout.Before{}); none != nil {
				t.Errorf("nothing is recorded, and %+v is loosened", none)
			}
		})
	}
}

// TestLoosenedPromise (L10, L22): a wave that raises users before the day that is recorded for the policy that they were moved under
// is told, whatever else is recorded or declared of the wave, and however far it had come.
func TestLoosenedPromise(t *testing.T) {
	t.Parallel()
	until := now.Add(time.Second)
	found := state.Found(state.CodePasswordPromised, state.At(state.KeyUntil, until))
	told := []rollout.Release{{Wave: "pilot", Users: 10, Why: []state.Finding{found}, Promised: "dual"}}
	for name, c := range map[string]struct {
		change func(*world, *rollout.Before)
		want   []rollout.Release
	}{
		"not begun":   {func(*world, *rollout.Before) {}, told},
		"it has come": {func(w *world, b *rollout.Before) { w.AsOf = until }, nil},
		"started": {func(w *world, _ *rollout.Before) {
			w.moved(day)
			*w.ten = rollout.Tally{Match: 10, Due: 10}
		}, told},
		"done": {func(w *world, _ *rollout.Before) {
			w.done()
			*w.ten = rollout.Tally{Match: 10, Due: 10}
		}, told},
		"of another name": {func(w *world, _ *rollout.Before) {
			w.pilot.Name, w.Waves[1].After = "sole", []string{"sole"}
		}, []rollout.Release{{Wave: "sole", Users: 10, Why: told[0].Why, Promised: "dual"}}},
		"nothing else is recorded": {func(_ *world, b *rollout.Before) { b.Brakes = nil }, told},
		"it was disabled":          {func(_ *world, b *rollout.Before) { b.Brakes[0].Enabled = false }, told},
		"it is declared as well":   {func(w *world, _ *rollout.Before) { w.pilot.Promised = until }, nil},
		"of another policy":        {func(w *world, b *rollout.Before) { b.Policies[0].Name = "other" }, nil},
		"nobody is to be raised": {func(w *world, _ *rollout.Before) {
			*w.ten = rollout.Tally{Match: 10, Waiting: 10}
		}, nil},
		"they are left out": {func(w *world, _ *rollout.Before) { w.ten.Left = 10 }, nil},
		"paused":            {func(w *world, _ *rollout.Before) { w.Pauses = []state.Pause{{Wave: "pilot", Run: "r"}} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.pilot.Policy, w.From, w.Tallies[1] = "alone", map[string]string{"alone": "dual"}, rollout.Tally{Match: 90, Moved: 90}
			b := rollout.Before{Brakes: rollout.Brakes(w.Waves), Policies: []state.Policy{{Name: "dual", Until: until}}}
			c.change(w, &b)
			if diff := cmp.Diff(c.want, rollout.Loosened(w.Input, rollout.Judge(w.Input), b), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestPolicies (L8, L10): a policy is recorded as it is declared, but for the latest day, which stays until it is told that it is no
// longer so; what is no longer declared stays as it was.
func TestPolicies(t *testing.T) {
	t.Parallel()
	dual := state.MethodDual
	recorded := []state.Policy{{Name: "a", Until: now}, {Name: "b", Method: dual, Until: now}, {Name: "changed", Method: dual}, {Name: "gone", Method: dual, Until: now},
		{Name: "told", Method: dual, Until: now}, {Name: "told gone", Method: dual, Until: now}}
	declared := []config.Policy{{Name: "told", Method: dual, PasswordUntil: now.Add(-day)}, {Name: "new", Method: dual, PasswordUntil: now}, {Name: "none", Method: dual},
		{Name: "changed", Method: state.MethodSelfAuth, From: "b"}, {Name: "b", Method: dual, PasswordUntil: now.Add(-day)},
		{Name: "a", Method: dual, PasswordUntil: now.Add(day)}}
	want := []state.Policy{{Name: "a", Method: dual, Until: now.Add(day)}, {Name: "b", Method: dual, Until: now},
		{Name: "changed", Method: state.MethodSelfAuth, From: "b"}, {Name: "gone", Method: dual, Until: now}, {Name: "new", Method: dual, Until: now},
		{Name: "none", Method: dual}, {Name: "told", Method: dual, Until: now.Add(-day)}, {Name: "told gone", Method: dual}}
	got := rollout.Policies(recorded, declared, map[string]bool{"told": true, "told gone": true})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestStepsLoosened (L18, L22): a step that was not there is held by what has held its users, however a wave gets
// steps, loses them or has others.
func TestStepsLoosened(t *testing.T) {
	t.Parallel()
	row := func(steps ...string) (waves []config.Wave) {
		before := ""
		for _, s := range steps {
			w := config.Wave{Name: s, Enabled: true, FinishGates: []string{"calm"}, AllowEmpty: true}
			if before != "" {
				w.After = []string{before}
			}
			waves, before = append(waves, w), s
		}
		return waves
	}
	started := func(names ...string) map[string]state.Wave {
		m := map[string]state.Wave{}
		for _, n := range names {
			m[n] = state.Wave{Name: n, Started: now, Soaking: now, MovedAt: now}
		}
		return m
	}
	for name, c := range map[string]struct {
		was, is  []string
		done     []string
		recorded []string
		want     []string // released
	}{
		"a step between, while the one before it runs": {[]string{"w[5]", "w[25]", "w[100]"}, []string{"w[5]", "w[50]", "w[100]"},
			[]string{"w[5]"}, []string{"w[25]"}, []string{"w[50]"}},
		"a step between, when its place is reached": {[]string{"w[5]", "w[100]"}, []string{"w[5]", "w[50]", "w[100]"},
			[]string{"w[5]"}, nil, nil},
		"no steps, while the first one runs":       {[]string{"w[5]", "w[100]"}, []string{"w"}, nil, []string{"w[5]"}, []string{"w"}},
		"no steps, when all but the last are done": {[]string{"w[5]", "w[100]"}, []string{"w"}, []string{"w[5]"}, nil, nil},
		"steps":        {[]string{"w"}, []string{"w[5]", "w[100]"}, nil, nil, nil},
		"another wave": {[]string{"w[5]", "w[100]"}, []string{"v[5]"}, nil, []string{"w[5]"}, nil},
	} {
		in := rollout.Input{Waves: row(c.is...), Recorded: started(append(c.done, c.recorded...)...), AsOf: now,
			Confirmations: nil, Slug: func(uuid.UUID) string { return "" }}
		for _, n := range c.done {
			w := in.Recorded[n]
			w.DoneAt = now
			in.Recorded[n] = w
		}
		for _, w := range in.Waves {
			tally := rollout.Tally{Match: 10, Due: 10}
			if _, has := in.Recorded[w.Name]; has {
				tally = rollout.Tally{Match: 10, Moved: 10}
			}
			in.Tallies = append(in.Tallies, tally)
		}
		var got []string
		for _, r := range rollout.Loosened(in, rollout.Judge(in), rollout.Before{Brakes: rollout.Brakes(row(c.was...))}) {
			got = append(got, r.Wave)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: released (-want +got):\n%s", name, diff)
		}
	}
	recorded := rollout.Brakes(row("w[5]", "w[25]", "w[100]"))
	for wave, want := range map[string]string{"w[1]": "w[5]", "w[5]": "w[5]", "w[20]": "w[25]", "w[99]": "w[100]", "w": "w[100]", "v[5]": ""} {
		if b, _ := rollout.RecordedOf(recorded, wave); b.Wave != want {
			t.Errorf("%s is held by what has held %q, want %q", wave, b.Wave, want)
		}
	}
	if b, _ := rollout.RecordedOf(recorded[:2], "w[50]"); b.Wave != "w[25]" {
		t.Errorf("without a greater step: %q", b.Wave)
	}
	// While something is paused, the step that was not there is recorded with the brakes of the others.
	kept := rollout.Kept(recorded, row("w[5]", "w[50]", "w[100]"))
	if i := slices.IndexFunc(kept, func(b state.Brakes) bool { return b.Wave == "w[50]" }); i < 0 || !slices.Equal(kept[i].After, []string{"w[25]"}) {
		t.Errorf("kept: %+v", kept)
	}
}
