package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
			recorded := rollout.Brakes(w.Waves)
			c.now(w)
			got := rollout.Loosened(w.Input, rollout.Judge(w.Input), recorded)
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if none := rollout.Loosened(w.Input, rollout.Judge(w.Input), nil); none != nil {
				t.Errorf("nothing is recorded, and %+v is loosened", none)
			}
		})
	}
}
