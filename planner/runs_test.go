package planner

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/state"
)

// applied is a run that changed something.
func applied(id string) state.RunInfo {
	return state.RunInfo{ID: id, Kind: state.RunApply, Changed: true}
}

// undone is a run that a rollback has wholly undone.
func undone(r state.RunInfo) state.RunInfo {
	r.Undone = true
	return r
}

// rollback is a run that undid others.
func rollback(id string, undoes ...string) state.RunInfo {
	return state.RunInfo{ID: id, Kind: state.RunRollback, Changed: true, Undoes: undoes}
}

// TestChooseRuns: which runs a rollback undoes, by what was done so far and by what was asked for.
func TestChooseRuns(t *testing.T) {
	t.Parallel()
	nothing := applied("2")
	nothing.Changed = false
	open := nothing
	open.Open = true
	type want struct {
		Runs, From, Whole, Again, Lift []string
		Kind                           state.RunKind
		Retry, Changed                 bool
	}
	one := func(id string, from ...string) want {
		return want{Runs: []string{id}, From: from, Whole: []string{id}, Kind: state.RunApply, Changed: true}
	}
	acme := []uuid.UUID{{1}}
	for name, c := range map[string]struct {
		runs []state.RunInfo
		ask  UndoInput
		want want
	}{
		"nothing was done":             {nil, UndoInput{}, want{Retry: true}},
		"the latest":                   {[]state.RunInfo{applied("1"), applied("2")}, UndoInput{}, one("2", "2")},
		"not one that changed nothing": {[]state.RunInfo{applied("1"), nothing}, UndoInput{}, one("1", "1", "2")},
		"one that is open":             {[]state.RunInfo{applied("1"), open}, UndoInput{}, one("2", "2")},
		"the latest that stands": {[]state.RunInfo{applied("1"), undone(applied("2")), rollback("3", "2")},
			UndoInput{}, one("1", "1", "2", "3")},
		"and later ones of which a rollback left something": {[]state.RunInfo{applied("1"), applied("2"),
			rollback("3", "2")}, UndoInput{},
			want{Runs: []string{"1", "2"}, From: []string{"1", "2", "3"}, Whole: []string{"1", "2"},
				Kind: state.RunApply, Changed: true}},
		"one that is named": {[]state.RunInfo{applied("1"), applied("2")}, UndoInput{Runs: []string{"1"}}, one("1", "1", "2")},
		"one that is undone, but for what was left": {[]state.RunInfo{undone(applied("1")), rollback("2", "1")},
			UndoInput{Runs: []string{"1"}},
			want{Runs: []string{"1"}, From: []string{"1", "2"}, Whole: []string{"1"}, Kind: state.RunApply,
				Retry: true, Changed: true}},
		"a rollback, whose runs stand again and whose pauses go": {[]state.RunInfo{undone(applied("1")),
			rollback("2", "1")}, UndoInput{Runs: []string{"2"}},
			want{Runs: []string{"2"}, From: []string{"2"}, Whole: []string{"2"}, Again: []string{"1"},
				Lift: []string{"2"}, Kind: state.RunRollback, Changed: true}},
		"a rollback that is undone": {[]state.RunInfo{applied("1"), undone(rollback("2", "1"))},
			UndoInput{Runs: []string{"2"}}, want{}},
		"all that stand, of one tenant": {[]state.RunInfo{applied("1"), undone(applied("2")), rollback("3", "2"),
			applied("4")}, UndoInput{Tenants: acme},
			want{Runs: []string{"1", "4"}, From: []string{"1", "2", "3", "4"}, Kind: state.RunApply, Changed: true}},
		"some that are named": {[]state.RunInfo{undone(applied("1")), applied("2"), applied("3")},
			UndoInput{Runs: []string{"1", "2"}},
			want{Runs: []string{"1", "2"}, From: []string{"1", "2", "3"}, Whole: []string{"1", "2"}, Kind: state.RunApply,
				Changed: true}},
		"one that is named, of one wave": {[]state.RunInfo{applied("1"), applied("2")},
			UndoInput{Runs: []string{"1"}, Waves: []string{"pilot"}},
			want{Runs: []string{"1"}, From: []string{"1", "2"}, Kind: state.RunApply, Changed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.ask.State = &state.State{Runs: c.runs}
			got, diags := chooseRuns(c.ask)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			have := want{got.runs, got.from, got.whole, got.again, got.lift, got.kind, got.retry, got.changed}
			if diff := cmp.Diff(c.want, have); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
	if _, diags := chooseRuns(UndoInput{Input: Input{State: &state.State{}}, Runs: []string{"9"}}); !diags.HasErrors() {
		t.Error("a run that there never was is no mistake")
	}
}
