package planner

import (
	"testing"
	"time"

	"anthill/planner/plan"
	"anthill/state"
)

// TestMeasured: how long users take is told by the quickest of the last three runs of the same kind that were long enough.
func TestMeasured(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	run := func(id string, kind state.RunKind, done int64, took time.Duration) state.RunInfo {
		return state.RunInfo{ID: id, Kind: kind, Started: begin, Ended: begin.Add(took), Counts: state.Counts{Done: done}}
	}
	const apply, back = state.RunApply, state.RunRollback
	open := run("open", apply, 5000, time.Second)
	open.Open = true
	slow, quick := run("slow", apply, 1000, 10*time.Second), run("quick", apply, 4000, 10*time.Second)
	for name, c := range map[string]struct {
		runs  []state.RunInfo
		users int64
		want  plan.Cost
	}{
		"none":                 {nil, 800, plan.Cost{}},
		"one":                  {[]state.RunInfo{slow}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"the quickest":         {[]state.RunInfo{quick, slow}, 800, plan.Cost{Run: "quick", Rate: 400, Seconds: 2}},
		"too short":            {[]state.RunInfo{slow, run("few", apply, 99, time.Millisecond)}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"another kind":         {[]state.RunInfo{slow, run("back", back, 4000, time.Second)}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"one that runs":        {[]state.RunInfo{slow, open}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"no time at all":       {[]state.RunInfo{run("now", apply, 400, 0)}, 800, plan.Cost{}},
		"one that lay stopped": {[]state.RunInfo{slow, run("night", apply, 1000, 12*time.Hour)}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"that alone":           {[]state.RunInfo{run("night", apply, 1000, 12*time.Hour)}, 800, plan.Cost{}},
		"long ago":             {[]state.RunInfo{quick, slow, slow, slow}, 800, plan.Cost{Run: "slow", Rate: 100, Seconds: 8}},
		"no users":             {[]state.RunInfo{slow}, 0, plan.Cost{}},
	} {
		var got plan.Cost
		measured(&got, apply, c.runs, c.users)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestCallsOfRaises: whoever is raised is looked at again, a few at a time, and the clients once a batch.
func TestCallsOfRaises(t *testing.T) {
	t.Parallel()
	for users, want := range map[int64]int64{0: 0, 1: 3, 8: 3, 9: 4, 500: 65, 501: 67} {
		figures := []plan.TenantFigures{{Figures: plan.Figures{plan.FigureUsers: users, plan.FigureRaised: users}}}
		if got := cost(&plan.Effects{Kind: state.RunApply}, figures, 0, nil); got.Calls != want {
			t.Errorf("%d users: %d calls, want %d", users, got.Calls, want)
		}
	}
}
