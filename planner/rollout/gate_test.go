package rollout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

// condition is a gate with a condition.
func condition(t *testing.T, text, noData string) config.Gate {
	t.Helper()
	c, err := config.ParseCondition(text)
	if err != nil {
		t.Fatal(err)
	}
	return config.Gate{Name: "adoption", Condition: c, NoData: noData}
}

// TestConditionOfWave: how a wave with a condition at its start or finish stands, by the figures that it has: only nobody is
// ever let through by what this very plan will do.
func TestConditionOfWave(t *testing.T) {
	t.Parallel()
	const half = "wave.completed >= 0.5 * wave.moved"
	const quotient = "wave.completed / wave.moved >= 0.5"
	codes := func(list []state.Finding) (codes []state.Code) {
		for _, f := range list {
			codes = append(codes, f.Code)
		}
		return codes
	}
	figures := func(moved, completed int64) func(*world) {
		return func(w *world) { w.ten.Figures = state.WaveFigures{Selected: 10, Moved: moved, Completed: completed} }
	}
	for name, c := range map[string]struct {
		start, finish, noData string
		moved                 bool // all ten, yesterday
		change                func(*world)
		state                 plan.WaveState
		why                   []state.Code
		done                  bool // once the plan is carried out
	}{
		"finish: nobody is moved yet, and half of nobody would do": {"", half, "wait", false, figures(0, 0), plan.WaveStarts, nil, false},
		"finish: half of them":                             {"", half, "wait", true, figures(10, 5), plan.WaveDone, nil, true},
		"finish: one too few":                              {"", half, "wait", true, figures(10, 4), plan.WaveSoaking, []state.Code{state.CodeGateShut}, false},
		"finish: all whom it selects were moved by others": {"", half, "wait", true, figures(0, 0), plan.WaveDone, nil, true},
		"finish: no data waits":                            {"", quotient, "wait", true, figures(0, 0), plan.WaveSoaking, []state.Code{state.CodeGateNoData}, false},
		"finish: no data fails":                            {"", quotient, "fail", true, figures(0, 0), plan.WaveSoaking, []state.Code{state.CodeGateFailsNoData}, false},
		"finish: no data passes":                           {"", quotient, "pass", true, figures(0, 0), plan.WaveDone, nil, true},
		"finish: data decides where no data would pass":    {"", quotient, "pass", true, figures(10, 1), plan.WaveSoaking, []state.Code{state.CodeGateShut}, false},
		"finish: who has enrolled is not known":            {"", "wave.enrolled > 1", "wait", true, figures(10, 9), plan.WaveSoaking, []state.Code{state.CodeGateNoData}, false},
		"finish: late joiners, and half of those before": {"", half, "wait", true, func(w *world) {
			figures(10, 5)(w)
			w.ten.Due, w.ten.Match = 4, 14
		}, plan.WaveRunning, nil, true},
		"finish: late joiners, and too few of those before": {"", half, "wait", true, func(w *world) {
			figures(10, 4)(w)
			w.ten.Due, w.ten.Match = 4, 14
		}, plan.WaveRunning, nil, false},
		"finish: a wider selection is sampled when it is moved": {"", half, "wait", true, func(w *world) {
			figures(10, 10)(w)
			w.ten.Due, w.Digests["pilot"] = 4, state.Digest{9}
		}, plan.WaveRunning, nil, false},
		"finish: rolled back, and moved again": {"", half, "wait", false, func(w *world) {
			figures(0, 0)(w)
			w.Recorded["pilot"] = state.Wave{Name: "pilot", Started: now}
		}, plan.WaveRunning, nil, false},
		"finish: some wait":       {"", half, "wait", true, func(w *world) { figures(8, 8)(w); w.ten.Waiting = 2 }, plan.WaveRunning, nil, false},
		"finish: done is latched": {"", half, "wait", true, func(w *world) { figures(10, 0)(w); w.done() }, plan.WaveDone, nil, true},
		"finish: too many have failed": {"", "wave.failed <= 2", "wait", true, func(w *world) {
			w.ten.Figures = state.WaveFigures{Moved: 7, Failed: 3}
		}, plan.WaveSoaking, []state.Code{state.CodeGateShut}, false},
		"start: of those selected":          {"wave.selected >= 10", "", "wait", false, figures(0, 0), plan.WaveStarts, nil, true},
		"start: of those selected, few":     {"wave.selected > 10", "", "wait", false, figures(0, 0), plan.WaveHeld, []state.Code{state.CodeGateShut}, false},
		"start: nobody is moved":            {"wave.completed / wave.moved > 0.5", "", "wait", false, figures(0, 0), plan.WaveHeld, []state.Code{state.CodeGateNoData}, false},
		"start: has started":                {"wave.selected > 10", "", "wait", true, figures(10, 0), plan.WaveDone, nil, true},
		"start: too many are skipped":       {"wave.skipped < 0.5 * wave.selected", "", "wait", false, func(w *world) { w.ten.Figures = state.WaveFigures{Selected: 10, Skipped: 5} }, plan.WaveHeld, []state.Code{state.CodeGateShut}, false},
		"start: its selectors match nobody": {"wave.selected == 0", "", "wait", false, func(w *world) { *w.ten = rollout.Tally{} }, plan.WaveHeld, []state.Code{state.CodeSelectsNobody}, false},
		"start: nobody, which is allowed":   {"wave.selected == 0", "", "wait", false, func(w *world) { *w.ten, w.pilot.AllowEmpty = rollout.Tally{}, true }, plan.WaveStarts, nil, true},
		"start: all are skipped": {"wave.skipped / wave.selected >= 1", "", "wait", false, func(w *world) {
			*w.ten = rollout.Tally{Match: 3, MatchSkip: 3, Figures: state.WaveFigures{Selected: 3, Skipped: 3}}
		}, plan.WaveHeld, []state.Code{state.CodeAllSkipped}, false},
		"paused as a whole": {"wave.selected > 10", "", "wait", false, func(w *world) { w.Pauses = []state.Pause{{Wave: "pilot", Run: "r"}} }, plan.WavePaused, []state.Code{state.CodeWavePaused}, false},
		"disabled":          {"wave.selected > 10", "", "wait", false, func(w *world) { w.pilot.Enabled = false }, plan.WaveDisabled, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			if c.moved {
				w.moved(day)
			}
			c.change(w)
			for i, text := range []string{c.start, c.finish} {
				if text != "" {
					g := condition(t, text, c.noData)
					w.pilot.Gates = append(w.pilot.Gates, g)
					*[]*[]string{&w.pilot.StartGates, &w.pilot.FinishGates}[i] = []string{g.Name}
				}
			}
			v := rollout.Judge(w.Input)[0]
			if v.State != c.state || v.DoneAfter != c.done {
				t.Errorf("%s, done after: %v; want %s, %v (%v)", v.State, v.DoneAfter, c.state, c.done, v.Reasons)
			}
			if diff := cmp.Diff(c.why, codes(v.Reasons), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("reasons (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClosedGateSaysWhy: the condition and the figures that it goes by, and in advance only the condition.
func TestClosedGateSaysWhy(t *testing.T) {
	t.Parallel()
	const text = "wave.completed >= 0.5 * wave.moved && wave.enrolled > 1"
	w := newWorld()
	w.moved(day)
	w.ten.Figures = state.WaveFigures{Moved: 409, Completed: 97}
	w.pilot.FinishGates, w.pilot.Gates = []string{"adoption"}, []config.Gate{condition(t, text, "wait")}
	shut := state.About(state.CodeGateShut, state.OfWave("pilot"), state.Text(state.KeyGate, "adoption"), state.Text(state.KeyCondition, text),
		state.Because(state.KeyFigures, state.Found(state.CodeFigure, state.Text(state.KeyName, "completed")).Times(97),
			state.Found(state.CodeFigureUnknown, state.Text(state.KeyName, "enrolled")),
			state.Found(state.CodeFigure, state.Text(state.KeyName, "moved")).Times(409)))
	waits := func(why ...state.Finding) []state.Finding {
		return []state.Finding{state.About(state.CodeWaitsFor, state.OfWave("pilot"), state.Because(state.KeyWhy, why...))}
	}
	v := rollout.Judge(w.Input)
	if diff := cmp.Diff([]state.Finding{shut}, v[0].Reasons); diff != "" {
		t.Errorf("of the pilot (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(waits(shut), v[1].Reasons); diff != "" {
		t.Errorf("of the rest (-want +got):\n%s", diff)
	}
	w = newWorld()
	w.pilot.FinishGates, w.pilot.Gates = []string{"adoption"}, []config.Gate{condition(t, text, "wait")}
	later := state.About(state.CodeGateLater, state.OfWave("pilot"), state.Text(state.KeyGate, "adoption"), state.Text(state.KeyCondition, text))
	if diff := cmp.Diff(waits(state.Found(state.CodeToMove).Times(10), later), rollout.Judge(w.Input)[1].Reasons); diff != "" {
		t.Errorf("in advance (-want +got):\n%s", diff)
	}
}

// TestLoosenedCondition (L22): a condition that is weakened, removed, or opened by hand instead is an edited brake; one that
// is opened by the figures, or is only written otherwise, is none.
func TestLoosenedCondition(t *testing.T) {
	t.Parallel()
	const half = "wave.completed >= 0.5 * wave.moved"
	for name, c := range map[string]struct {
		was, is  config.Gate
		figures  state.WaveFigures
		loosened int64
	}{
		"the same, and open":        {condition(t, half, "wait"), condition(t, half, "wait"), state.WaveFigures{Moved: 10, Completed: 5}, 0},
		"the same, and shut":        {condition(t, half, "wait"), condition(t, half, "wait"), state.WaveFigures{Moved: 10, Completed: 4}, 0},
		"written otherwise":         {condition(t, half, "wait"), condition(t, "wave.completed >= (0.50*wave.moved)", "wait"), state.WaveFigures{Moved: 10, Completed: 5}, 0},
		"weaker":                    {condition(t, half, "wait"), condition(t, "wave.completed >= 0.4 * wave.moved", "wait"), state.WaveFigures{Moved: 10, Completed: 4}, 90},
		"weaker, and open by both":  {condition(t, half, "wait"), condition(t, "wave.completed >= 0.4 * wave.moved", "wait"), state.WaveFigures{Moved: 10, Completed: 6}, 0},
		"weaker, and shut by both":  {condition(t, half, "wait"), condition(t, "wave.completed >= 0.4 * wave.moved", "wait"), state.WaveFigures{Moved: 10}, 0},
		"stronger":                  {condition(t, half, "wait"), condition(t, "wave.completed >= 0.6 * wave.moved", "wait"), state.WaveFigures{Moved: 10, Completed: 6}, 0},
		"gone":                      {condition(t, half, "wait"), config.Gate{}, state.WaveFigures{Moved: 10, Completed: 4}, 90},
		"gone, and it was open":     {condition(t, half, "wait"), config.Gate{}, state.WaveFigures{Moved: 10, Completed: 5}, 0},
		"opened by hand":            {condition(t, half, "wait"), config.Gate{Name: "adoption"}, state.WaveFigures{Moved: 10, Completed: 4}, 90},
		"a condition for a hand":    {config.Gate{Name: "adoption"}, condition(t, half, "wait"), state.WaveFigures{Moved: 10, Completed: 5}, 0},
		"no data passes":            {condition(t, "wave.enrolled > 1", "wait"), condition(t, "wave.enrolled > 1", "pass"), state.WaveFigures{Moved: 10}, 90},
		"of another version":        {config.Gate{Name: "adoption", Broken: "wave.x > 1"}, config.Gate{}, state.WaveFigures{Moved: 10, Completed: 10}, 90},
		"of another version, fails": {config.Gate{Name: "adoption", Broken: "wave.x > 1"}, condition(t, half, "wait"), state.WaveFigures{Moved: 10, Completed: 4}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			w.moved(day)
			w.ten.Figures = c.figures
			// Somebody has opened it by hand, which counts where it is opened so.
			w.Confirmations = []state.Confirmation{{Wave: "pilot", Gate: "adoption"}}
			w.pilot.FinishGates, w.pilot.Gates = []string{"adoption"}, []config.Gate{c.was}
			recorded := rollout.Before{Brakes: rollout.Brakes(w.Waves)}
			w.pilot.FinishGates, w.pilot.Gates = nil, nil
			if c.is.Name != "" {
				w.pilot.FinishGates, w.pilot.Gates = []string{"adoption"}, []config.Gate{c.is}
			}
			var n int64
			for _, r := range rollout.Loosened(w.Input, rollout.Judge(w.Input), recorded) {
				n += r.Users
			}
			if n != c.loosened {
				t.Errorf("%d users start by the edit, want %d", n, c.loosened)
			}
		})
	}
}

// TestPerTenant (R129): tenants that have not confirmed wait, and the wave is started by those that have; what was recorded of
// such a gate holds its tenants still where it is taken away.
func TestPerTenant(t *testing.T) {
	t.Parallel()
	optIn := config.Gate{Name: "opt-in", PerTenant: true}
	waits := []rollout.Unconfirmed{{Gate: "opt-in", Tenants: []string{"acme"}, Users: 3}}
	w := newWorld()
	w.pilot.StartGates, w.pilot.Gates = []string{"opt-in"}, []config.Gate{optIn}
	w.ten.Due, w.ten.Waiting, w.ten.Unconfirmed = 7, 3, waits
	told := state.About(state.CodeTenantsUnconfirmed, state.OfWave("pilot"), state.Text(state.KeyGate, "opt-in"),
		state.List(state.KeyTenants, "acme")).Times(3)
	v := rollout.Judge(w.Input)[0]
	if v.State != plan.WaveStarts || !v.Moves || v.MovedAfter {
		t.Errorf("the others: %+v", v)
	}
	if diff := cmp.Diff([]state.Finding{told}, v.Reasons); diff != "" {
		t.Errorf("the others (-want +got):\n%s", diff)
	}
	w.ten.Due, w.ten.Waiting = 0, 10
	v = rollout.Judge(w.Input)[0]
	if v.State != plan.WaveHeld || v.Moves {
		t.Errorf("nobody has confirmed: %+v", v)
	}
	if diff := cmp.Diff([]state.Finding{state.Found(state.CodeNoTenantConfirmed), told}, v.Reasons); diff != "" {
		t.Errorf("nobody has confirmed (-want +got):\n%s", diff)
	}
	recorded := rollout.Before{Brakes: rollout.Brakes(w.Waves)}
	w = newWorld()
	w.Recorded["pilot"] = state.Wave{Name: "pilot", Started: now}
	w.ten.Released = waits
	want := []rollout.Release{{Wave: "pilot", Users: 3, Why: []state.Finding{told}}}
	got := rollout.Loosened(w.Input, rollout.Judge(w.Input), recorded)
	if diff := cmp.Diff(want, got[:1]); diff != "" {
		t.Errorf("taken away (-want +got):\n%s", diff)
	}
}

// TestValueGate: a gate that is opened by hand and by what was measured is open only where the latest value fulfils its condition; that it
// is weakened is a brake that was loosened.
func TestValueGate(t *testing.T) {
	t.Parallel()
	value := func(text string) config.Condition {
		c, err := config.ParseValueCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	gate := config.Gate{Name: "survey", Value: value("result.value >= 4.5")}
	confirmed := func(values ...string) (list []state.Confirmation) {
		for _, v := range values {
			list = append(list, state.Confirmation{Wave: "pilot", Gate: "survey", Value: v})
		}
		return list
	}
	for name, c := range map[string]struct {
		list []state.Confirmation
		want state.Code
	}{
		"not confirmed":     {nil, state.CodeGateClosed},
		"without a value":   {confirmed(""), state.CodeGateValue},
		"too little":        {confirmed("4.49"), state.CodeGateValue},
		"enough":            {confirmed("4.5"), ""},
		"the latest counts": {confirmed("4.9", "4.2"), state.CodeGateValue},
		"and opens":         {confirmed("4.2", "4.9"), ""},
		"no number":         {confirmed("good"), state.CodeGateValue},
		"another gate's":    {[]state.Confirmation{{Wave: "pilot", Gate: "desk", Value: "5"}}, state.CodeGateClosed},
		"another wave's":    {[]state.Confirmation{{Wave: "rest", Gate: "survey", Value: "5"}}, state.CodeGateClosed},
		"of a tenant":       {[]state.Confirmation{{Wave: "pilot", Gate: "survey", Value: "5", Tenant: acme}}, state.CodeGateClosed},
	} {
		if got := plan.ByHand(c.list, "pilot", gate); got.Code != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	wave := config.Wave{Name: "pilot", Policy: "dual", Enabled: true, Users: []config.Selector{{All: true}}, StartGates: []string{"survey"}, Gates: []config.Gate{gate}}
	in := rollout.Input{Waves: []config.Wave{wave}, Tallies: []rollout.Tally{{Match: 5, Due: 5}}, Confirmations: confirmed("4.2"), From: map[string]string{},
		Recorded: map[string]state.Wave{}, Digests: map[string]state.Digest{}, Slug: func(uuid.UUID) string { return "" }}
	before := rollout.Before{Brakes: rollout.Brakes(in.Waves)}
	if v := rollout.Judge(in)[0]; v.State != plan.WaveHeld || v.Reasons[0].Code != state.CodeGateValue {
		t.Errorf("held by 4.2: %+v", v)
	}
	if r := config.RecordedGate(before.Brakes[0].Gates[0]); !r.Manual() || r.Value.Text() != gate.Value.Text() {
		t.Errorf("recorded as %+v", r)
	}
	in.Waves = []config.Wave{wave}
	in.Waves[0].Gates = []config.Gate{{Name: "survey", Value: value("result.value >= 4")}}
	verdicts := rollout.Judge(in)
	if list := rollout.Loosened(in, verdicts, before); !verdicts[0].Moves || len(list) != 1 || list[0].Users != 5 {
		t.Errorf("weakened: %+v, %+v", verdicts[0], list)
	}
	in.Confirmations = confirmed("4.6")
	if list := rollout.Loosened(in, rollout.Judge(in), before); len(list) != 0 {
		t.Errorf("fulfilled by both: %+v", list)
	}
}

// TestValueOfTenant: each tenant opens a gate by its own value, the last one, and for all steps of a wave at once.
func TestValueOfTenant(t *testing.T) {
	t.Parallel()
	least, err := config.ParseValueCondition("result.value >= 4.5")
	if err != nil {
		t.Fatal(err)
	}
	globex := uuid.MustParse("00000000-0000-7000-8000-00000000b0b0")
	wants := config.Gate{Name: "survey", PerTenant: true, Value: least}
	any := config.Gate{Name: "survey", PerTenant: true}
	said := func(wave string, tenant uuid.UUID, value string) state.Confirmation {
		return state.Confirmation{Wave: wave, Gate: "survey", Tenant: tenant, Value: value}
	}
	for name, c := range map[string]struct {
		gate config.Gate
		wave string
		list []state.Confirmation
		acme bool
	}{
		"not confirmed":                 {wants, "pilot", nil, false},
		"enough":                        {wants, "pilot", []state.Confirmation{said("pilot", acme, "4.5")}, true},
		"too little":                    {wants, "pilot", []state.Confirmation{said("pilot", acme, "4.49")}, false},
		"without a value":               {wants, "pilot", []state.Confirmation{said("pilot", acme, "")}, false},
		"no number":                     {wants, "pilot", []state.Confirmation{said("pilot", acme, "good")}, false},
		"another tenant's":              {wants, "pilot", []state.Confirmation{said("pilot", globex, "5")}, false},
		"of the whole wave":             {wants, "pilot", []state.Confirmation{said("pilot", uuid.Nil, "5")}, false},
		"another wave's":                {wants, "pilot", []state.Confirmation{said("rest", acme, "5")}, false},
		"the last shuts":                {wants, "pilot", []state.Confirmation{said("pilot", acme, "5"), said("pilot", globex, "5"), said("pilot", acme, "4")}, false},
		"the last opens":                {wants, "pilot", []state.Confirmation{said("pilot", acme, "4"), said("pilot", acme, "5"), said("pilot", globex, "1")}, true},
		"a step, by its wave":           {wants, "rest[25]", []state.Confirmation{said("rest", acme, "5")}, true},
		"a step: the last of both":      {wants, "rest[25]", []state.Confirmation{said("rest[25]", acme, "5"), said("rest", acme, "4")}, false},
		"a step: another one's":         {wants, "rest[25]", []state.Confirmation{said("rest[5]", acme, "5")}, false},
		"any value":                     {any, "pilot", []state.Confirmation{said("pilot", acme, "1")}, true},
		"any value, and none":           {any, "pilot", []state.Confirmation{said("pilot", acme, "")}, true},
		"a form of another version":     {config.Gate{Name: "survey", PerTenant: true, Broken: "?"}, "pilot", []state.Confirmation{said("pilot", acme, "5")}, false},
		"recorded, as apply goes by it": {config.RecordedGate(wants.Record()), "pilot", []state.Confirmation{said("pilot", acme, "4.4")}, false},
	} {
		if got := plan.OpenedBy(c.list, c.wave, c.gate, acme); got != c.acme {
			t.Errorf("%s: %t", name, got)
		}
		s := plan.NewSampling([]config.Gate{c.gate}, nil, state.WaveFigures{}, nil)
		if got := s.ClosedTo(c.wave, acme, c.list) == ""; got != c.acme && c.gate.Broken == "" {
			t.Errorf("%s: apply has it %t", name, got)
		}
	}
}
