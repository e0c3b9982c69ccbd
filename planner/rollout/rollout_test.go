package rollout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

var (
	acme = uuid.UUID{0: 1}
	now  = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
)

const day = 24 * time.Hour

// world is a pilot of ten users that nothing has begun of, and the rest, of ninety, behind it.
type world struct {
	rollout.Input
	pilot *config.Wave
	ten   *rollout.Tally
}

func newWorld() *world {
	w := &world{Input: rollout.Input{
		Waves:   []config.Wave{{Name: "pilot", Enabled: true}, {Name: "rest", Enabled: true, After: []string{"pilot"}}},
		Tallies: []rollout.Tally{{Match: 10, Due: 10}, {Match: 90, Due: 90}},
		Digests: map[string]state.Digest{"pilot": {1}, "rest": {2}},
		Slug:    func(uuid.UUID) string { return "acme" }, Recorded: map[string]state.Wave{}, AsOf: now,
	}}
	w.pilot, w.ten = &w.Waves[0], &w.Tallies[0]
	return w
}

// moved records that the pilot has moved its ten users some time ago, under the selection that it has now.
func (w *world) moved(ago time.Duration) {
	at := now.Add(-ago)
	w.Recorded["pilot"] = state.Wave{Name: "pilot", Started: at, Soaking: at, MovedAt: at, Digest: state.Digest{1},
		Users: 10}
	*w.ten = rollout.Tally{Match: 10, Moved: 10}
}

// done records that the pilot is done.
func (w *world) done() {
	w.moved(day)
	rec := w.Recorded["pilot"]
	rec.DoneAt = now
	w.Recorded["pilot"] = rec
}

// TestPausesNamed: what is paused is named however its wave stands, and where it is not declared any more.
func TestPausesNamed(t *testing.T) {
	t.Parallel()
	tenant := state.Pause{Wave: "pilot", Tenant: acme, Run: "r"}
	whole := state.Pause{Wave: "pilot", Run: "w"}
	for name, change := range map[string]func(*world){
		"disabled": func(w *world) { w.pilot.Enabled = false },
		"held":     func(w *world) { w.pilot.StartGates = []string{"support"} },
		"starts":   func(*world) {},
		"running":  func(w *world) { w.moved(day); w.ten.Due = 1 },
		"soaking":  func(w *world) { w.moved(day); w.pilot.Soak = 7 * day },
		"done":     (*world).done,
	} {
		for code, pause := range map[state.Code]state.Pause{
			state.CodeTenantPaused: tenant, state.CodeWavePaused: whole,
		} {
			w := newWorld()
			change(w)
			w.Pauses = []state.Pause{pause}
			v := rollout.Judge(w.Input)[0]
			if !slices.ContainsFunc(v.Reasons, func(f state.Finding) bool { return f.Code == code }) {
				t.Errorf("%s: %s is not among %v", name, code, v.Reasons)
			}
			if got := string(v.State); code == state.CodeTenantPaused && got != name {
				t.Errorf("%s with a tenant's pause is %s", name, got)
			}
			if got := rollout.Undeclared(w.Input); got != nil {
				t.Errorf("%s: of a wave that is declared: %v", name, got)
			}
		}
	}
	w := newWorld()
	w.Pauses = []state.Pause{{Wave: "old", Tenant: acme, Run: "r"}, {Wave: "older", Tenant: acme, Run: "r"}, {Wave: "older", Run: "w"}}
	want := []state.Finding{
		state.About(state.CodePauseUndeclared, state.OfWave("old"), state.Text(state.KeyRun, "r"),
			state.Text(state.KeyTenant, "acme")),
		state.About(state.CodePauseUndeclared, state.OfWave("older"), state.Text(state.KeyRun, "w")),
	}
	if diff := cmp.Diff(want, rollout.Undeclared(w.Input)); diff != "" {
		t.Errorf("of waves that are not declared (-want +got):\n%s", diff)
	}
}

// TestPausesOfPersons (L23): a pause that a person asked for says who did, when and why, beside those of rollbacks; while the whole
// wave is paused those of its tenants are not named.
func TestPausesOfPersons(t *testing.T) {
	t.Parallel()
	signed := []state.Arg{state.Text(state.KeyBy, "ana@host"), state.At(state.KeyAt, now), state.Text(state.KeyReason, "phones")}
	own := state.Pause{Wave: "pilot", By: "ana@host", At: now, Reason: "phones"}
	ofTenant, back := own, state.Pause{Wave: "pilot", Run: "r", By: "ben@host", At: now}
	ofTenant.Tenant = acme
	said := state.About(state.CodeWavePaused, state.OfWave("pilot"), signed...)
	saidOfTenant := state.About(state.CodeTenantPaused, state.OfTenant("acme"), append([]state.Arg{state.Text(state.KeyWave, "pilot")}, signed...)...)
	saidBack := state.About(state.CodeWavePaused, state.OfWave("pilot"), state.Text(state.KeyRun, "r"))
	for name, c := range map[string]struct {
		pauses []state.Pause
		state  plan.WaveState
		want   []state.Finding
	}{
		"the wave":                             {[]state.Pause{own, ofTenant}, plan.WavePaused, []state.Finding{said}},
		"a tenant":                             {[]state.Pause{ofTenant}, plan.WaveStarts, []state.Finding{saidOfTenant}},
		"the wave and a rollback":              {[]state.Pause{own, back}, plan.WavePaused, []state.Finding{said, saidBack}},
		"a tenant, and the wave by a rollback": {[]state.Pause{back, ofTenant}, plan.WavePaused, []state.Finding{saidBack}},
	} {
		w := newWorld()
		w.Pauses = c.pauses
		v := rollout.Judge(w.Input)
		if diff := cmp.Diff(c.want, v[0].Reasons); diff != "" || v[0].State != c.state {
			t.Errorf("%s: %s (-want +got):\n%s", name, v[0].State, diff)
		}
		if whole := c.state == plan.WavePaused; whole != (v[1].State == plan.WaveHeld) {
			t.Errorf("%s: the wave behind it is %s", name, v[1].State)
		}
	}
	w := newWorld()
	w.Pauses = []state.Pause{{Wave: "old", By: "ana@host", At: now, Reason: "phones"}}
	want := []state.Finding{state.About(state.CodePauseUndeclared, state.OfWave("old"), signed...)}
	if diff := cmp.Diff(want, rollout.Undeclared(w.Input)); diff != "" {
		t.Errorf("not declared (-want +got):\n%s", diff)
	}
}

// TestWishes (L14, L15, L22): a wish lets go of the one brake that it is about, is told where the wave stood worse without it, and
// the waves that start because of it are told like those of an edit, whatever is recorded.
func TestWishes(t *testing.T) {
	t.Parallel()
	wish := func(kind state.WishKind) state.Wish { return state.Wish{Wave: "pilot", Kind: kind} }
	for name, c := range map[string]struct {
		kind   state.WishKind
		change func(*world)
		goes   bool
		state  plan.WaveState
		users  []int64 // of the waves that are released
	}{
		"a date that lies ahead": {state.WishStart, func(w *world) { w.pilot.At = now.Add(day) }, true, plan.WaveStarts, []int64{10, 90}},
		"a date that has come":   {state.WishStart, func(w *world) { w.pilot.At = now }, false, plan.WaveStarts, nil},
		"a date and a gate": {state.WishStart, func(w *world) {
			w.pilot.At, w.pilot.StartGates = now.Add(day), []string{"support"}
		}, false, plan.WaveHeld, nil},
		"a date, and nobody due": {state.WishStart, func(w *world) {
			w.pilot.At, *w.ten = now.Add(day), rollout.Tally{Match: 10, Moved: 10}
		}, true, plan.WaveStarts, []int64{90}},
		"a date, and paused": {state.WishStart, func(w *world) {
			w.pilot.At, w.Pauses = now.Add(day), []state.Pause{{Wave: "pilot", Run: "r"}}
		}, false, plan.WavePaused, nil},
		"soak that has begun":     {state.WishSoak, func(w *world) { w.moved(day); w.pilot.Soak = 7 * day }, true, plan.WaveDone, []int64{90}},
		"soak that is over":       {state.WishSoak, func(w *world) { w.moved(8 * day); w.pilot.Soak = 7 * day }, false, plan.WaveDone, nil},
		"soak that has not begun": {state.WishSoak, func(w *world) { w.pilot.Soak = 7 * day }, false, plan.WaveStarts, nil},
		"soak and a gate":         {state.WishSoak, func(w *world) { w.moved(day); w.pilot.Soak, w.pilot.FinishGates = 7*day, []string{"g"} }, false, plan.WaveSoaking, nil},
		"soak that is begun anew": {state.WishSoak, func(w *world) {
			w.moved(day)
			w.pilot.Soak, w.Digests["pilot"], *w.ten = 7*day, state.Digest{9}, rollout.Tally{Match: 20, Moved: 10, Due: 10}
		}, false, plan.WaveRunning, nil},
		"failures":             {state.WishAccept, func(w *world) { w.moved(day); w.ten.Due = 3 }, true, plan.WaveRunning, nil},
		"no failures":          {state.WishAccept, func(w *world) { w.moved(day); w.pilot.Soak = 7 * day }, false, plan.WaveSoaking, nil},
		"failures and a pause": {state.WishAccept, func(w *world) { w.moved(day); w.ten.Due, w.ten.Waiting = 3, 1 }, false, plan.WaveRunning, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.change(w)
			w.Wishes = []state.Wish{{Wave: "other", Kind: c.kind}, wish(c.kind)}
			v := rollout.Judge(w.Input)
			var want []state.Wish
			if c.goes {
				want = []state.Wish{wish(c.kind)}
			}
			if diff := cmp.Diff(want, v[0].Goes); diff != "" || v[0].State != c.state {
				t.Errorf("%s, goes by (-want +got):\n%s", v[0].State, diff)
			}
			for _, recorded := range []rollout.Before{{}, {Brakes: rollout.Brakes(w.Waves)}} {
				var users []int64
				for _, r := range rollout.Loosened(w.Input, v, recorded) {
					users = append(users, r.Users)
				}
				if diff := cmp.Diff(c.users, users); diff != "" {
					t.Errorf("released (-want +got):\n%s", diff)
				}
				done := rollout.DoneAnyway(w.Input, recorded)
				if before := c.kind != state.WishAccept && c.goes; done["pilot"] != (v[0].DoneAfter && !before) {
					t.Errorf("done without the wish: %v; with it: %v", done["pilot"], v[0].DoneAfter)
				}
			}
		})
	}
}

// TestJudge has a case for each thing that may be said of a wave: how the pilot stands, and why the rest is held.
func TestJudge(t *testing.T) {
	t.Parallel()
	gate := func(wave, name string) state.Finding {
		return state.About(state.CodeGateClosed, state.OfWave(wave), state.Text(state.KeyGate, name))
	}
	waits := func(why ...state.Finding) []state.Finding {
		return []state.Finding{state.About(state.CodeWaitsFor, state.OfWave("pilot"),
			state.Because(state.KeyWhy, why...))}
	}
	toMove := state.Found(state.CodeToMove).Times(10)
	heldItself := state.Found(state.CodeHeldItself)
	soak := state.Found(state.CodeSoakNeeded, state.Span(state.KeySpan, 7*day))
	held := func(why ...state.Finding) rollout.Verdict {
		return rollout.Verdict{State: plan.WaveHeld, Reasons: why, RestartSoak: true}
	}
	starts := rollout.Verdict{State: plan.WaveStarts, Moves: true, MovedAfter: true, DoneAfter: true, RestartSoak: true}
	yesterday := now.Add(-day)
	done := rollout.Verdict{State: plan.WaveDone, Moves: true, Since: now, MovedAfter: true, DoneAfter: true}
	for name, c := range map[string]struct {
		change      func(*world)
		pilot, rest rollout.Verdict
	}{
		"a chain runs down in one plan (L16)": {func(*world) {}, starts, starts},
		"disabled, which stands for those before it (L14)": {func(w *world) { w.pilot.Enabled = false },
			rollout.Verdict{State: plan.WaveDisabled}, starts},
		"before its date": {func(w *world) { w.pilot.At = now.Add(time.Hour) },
			rollout.Verdict{State: plan.WaveHeld, Until: now.Add(time.Hour), RestartSoak: true,
				Reasons: []state.Finding{state.Found(state.CodeStartsAt, state.At(state.KeyAt, now.Add(time.Hour)))}},
			held(waits(heldItself)...)},
		"its date has come": {func(w *world) { w.pilot.At = now }, starts, starts},
		"a gate before its start": {func(w *world) { w.pilot.StartGates = []string{"support", "legal"} },
			held(gate("pilot", "support"), gate("pilot", "legal")), held(waits(heldItself)...)},
		"one of two gates is confirmed": {func(w *world) {
			w.pilot.StartGates = []string{"support", "legal"}
			w.Confirmations = []state.Confirmation{{Wave: "pilot", Gate: "legal"}, {Wave: "rest", Gate: "support"}}
		}, held(gate("pilot", "support")), held(waits(heldItself)...)},
		"its gates are confirmed": {func(w *world) {
			w.pilot.StartGates = []string{"support"}
			w.Confirmations = []state.Confirmation{{Wave: "pilot", Gate: "support"}}
		}, starts, starts},
		"a soak to come": {func(w *world) { w.pilot.Soak = 7 * day },
			rollout.Verdict{State: plan.WaveStarts, Moves: true, MovedAfter: true, RestartSoak: true,
				Until: now.Add(7 * day)},
			held(waits(toMove, soak)...)},
		"a gate behind it": {func(w *world) { w.pilot.FinishGates = []string{"tickets"} },
			rollout.Verdict{State: plan.WaveStarts, Moves: true, MovedAfter: true, RestartSoak: true},
			held(waits(toMove, gate("pilot", "tickets"))...)},
		"selects nobody (L17)": {func(w *world) { *w.ten = rollout.Tally{} },
			held(state.About(state.CodeSelectsNobody, state.OfWave("pilot"))), held(waits(heldItself)...)},
		"all whom it selects are skipped (L17)": {func(w *world) { *w.ten = rollout.Tally{Match: 10, MatchSkip: 10} },
			held(state.About(state.CodeAllSkipped, state.OfWave("pilot")).Times(10)), held(waits(heldItself)...)},
		"may be empty": {func(w *world) { w.pilot.AllowEmpty, *w.ten = true, rollout.Tally{} }, starts, starts},
		"runs, and has users left": {func(w *world) {
			w.moved(day)
			*w.ten = rollout.Tally{Match: 10, Moved: 6, Due: 4}
		},
			rollout.Verdict{State: plan.WaveRunning, Moves: true, MovedAfter: true, DoneAfter: true,
				Since: yesterday}, starts},
		"runs, and needs no start any more": {func(w *world) {
			w.moved(day)
			*w.ten = rollout.Tally{Match: 10, Moved: 6, Due: 4}
			w.pilot.StartGates, w.pilot.At = []string{"support"}, now.Add(day)
		},
			rollout.Verdict{State: plan.WaveRunning, Moves: true, MovedAfter: true, DoneAfter: true,
				Since: yesterday}, starts},
		"soaks": {func(w *world) {
			w.moved(day)
			w.pilot.Soak = 7 * day
		},
			rollout.Verdict{State: plan.WaveSoaking, Moves: true, MovedAfter: true,
				Since: yesterday, Until: now.Add(6 * day),
				Reasons: []state.Finding{state.Found(state.CodeSoaks, state.Span(state.KeySpan, 7*day),
					state.At(state.KeyUntil, now.Add(6*day)))}},
			held(waits(state.Found(state.CodeSoaks, state.Span(state.KeySpan, 7*day),
				state.At(state.KeyUntil, now.Add(6*day))))...)},
		"soaked": {func(w *world) {
			w.moved(7 * day)
			w.pilot.Soak = 7 * day
		},
			rollout.Verdict{State: plan.WaveDone, Moves: true, MovedAfter: true, DoneAfter: true,
				Since: now.Add(-7 * day)}, starts},
		"soaked, and its gate is closed": {func(w *world) {
			w.moved(8 * day)
			w.pilot.Soak, w.pilot.FinishGates = 7*day, []string{"tickets"}
		},
			rollout.Verdict{State: plan.WaveSoaking, Moves: true, MovedAfter: true, Since: now.Add(-8 * day),
				Reasons: []state.Finding{gate("pilot", "tickets")}},
			held(waits(gate("pilot", "tickets"))...)},
		"late joiners do not start the soak again (L15)": {func(w *world) {
			w.moved(6 * day)
			w.pilot.Soak = 7 * day
			*w.ten = rollout.Tally{Match: 11, Moved: 10, Due: 1}
		},
			rollout.Verdict{State: plan.WaveRunning, Moves: true, MovedAfter: true,
				Since: now.Add(-6 * day), Until: now.Add(day)},
			held(waits(state.Found(state.CodeToMove).Times(1), soak)...)},
		"a wider selection does (L15)": {func(w *world) {
			w.moved(6 * day)
			w.pilot.Soak, w.Digests["pilot"] = 7*day, state.Digest{9}
			*w.ten = rollout.Tally{Match: 20, Moved: 10, Due: 10}
		},
			rollout.Verdict{State: plan.WaveRunning, Moves: true, MovedAfter: true,
				Since: now.Add(-6 * day), Until: now.Add(7 * day), RestartSoak: true},
			held(waits(toMove, soak)...)},
		"done is latched, and late joiners need no gate (L15, L19)": {func(w *world) {
			w.done()
			w.pilot.StartGates, w.pilot.At = []string{"support"}, now.Add(day)
			w.pilot.FinishGates, w.pilot.Soak = []string{"tickets"}, 70*day
			*w.ten = rollout.Tally{Match: 11, Moved: 10, Due: 1}
		}, done, starts},
		"done, though nobody is left whom it selects": {func(w *world) {
			w.done()
			*w.ten = rollout.Tally{}
		}, done, starts},
		"paused by a rollback (L23)": {func(w *world) {
			w.done()
			w.Pauses = []state.Pause{{Wave: "pilot", Run: "2026-12-06-1"}}
		}, rollout.Verdict{State: plan.WavePaused, Since: yesterday,
			Reasons: []state.Finding{state.About(state.CodeWavePaused, state.OfWave("pilot"),
				state.Text(state.KeyRun, "2026-12-06-1"))}},
			held(waits(state.Found(state.CodePausedItself))...)},
		"paused for one tenant (L23)": {func(w *world) {
			w.Pauses = []state.Pause{{Wave: "pilot", Tenant: acme, Run: "2026-12-06-1"}}
			w.ten.Due, w.ten.Waiting = 7, 3
		},
			rollout.Verdict{State: plan.WaveStarts, Moves: true, RestartSoak: true,
				Reasons: []state.Finding{state.About(state.CodeTenantPaused, state.OfTenant("acme"),
					state.Text(state.KeyWave, "pilot"), state.Text(state.KeyRun, "2026-12-06-1"))}},
			held(waits(state.Found(state.CodeToMove).Times(7), state.Found(state.CodeWaiting).Times(3))...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			c.change(w)
			if diff := cmp.Diff([]rollout.Verdict{c.pilot, c.rest}, rollout.Judge(w.Input), cmpopts.IgnoreFields(rollout.Verdict{}, "Opens")); diff != "" {
				t.Errorf("pilot and rest (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPromised (L10): a wave that raises whose password is promised is held until then, also where it was started or done.
func TestPromised(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*world){
		"not begun": func(*world) {}, "started": func(w *world) { w.moved(day) }, "done": (*world).done,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			before(w)
			w.pilot.Promised = now.Add(time.Second)
			want := state.Found(state.CodePasswordPromised, state.At(state.KeyUntil, w.pilot.Promised))
			v := rollout.Judge(w.Input)[0]
			if v.State != plan.WaveHeld || v.Moves || !v.Until.Equal(w.pilot.Promised) || len(v.Reasons) != 1 || cmp.Diff(want, v.Reasons[0]) != "" {
				t.Errorf("a second before: %+v", v)
			}
			w.pilot.Promised = now
			if v := rollout.Judge(w.Input)[0]; v.State == plan.WaveHeld || !v.Moves && v.State != plan.WaveDone {
				t.Errorf("on that day: %+v", v)
			}
		})
	}
}
