package users

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

func ids(list ...byte) (out []uuid.UUID) {
	for _, n := range list {
		out = append(out, id(n))
	}
	return out
}

// step is a record of a run: a move, or with undo a rollback's of that record.
func step(recordID, undo int64, after state.Standing) state.Record {
	return state.Record{Settled: true, Verdict: state.Done, Intent: state.Intent{ID: recordID, Undo: undo,
		After: state.User{UserState: state.UserState{Standing: after}}}}
}

// TestMethod: a method is lifted to dual, or without a password to self_auth (L6), and never lowered (L5).
func TestMethod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		now      state.Method
		password bool
		want     state.Method
	}{
		{state.MethodInvalid, true, state.MethodDual},
		{state.MethodPassword, true, state.MethodDual},
		{state.MethodPassword, false, state.MethodSelfAuth},
		{state.MethodDual, true, state.MethodInvalid}, // it stays
		{state.MethodDual, false, state.MethodSelfAuth},
		{state.MethodSelfAuth, true, state.MethodInvalid},
		{state.MethodSelfAuth, false, state.MethodInvalid},
	} {
		e := &world.Entry{Method: c.now}
		if c.password {
			e.Facts = world.HasPassword
		}
		if got := method(e); got != c.want {
			t.Errorf("%s, password %v: %s, want %s", c.now, c.password, got, c.want)
		}
	}
}

// TestStanding: a record and the one that took it back cancel, whatever their runs.
func TestStanding(t *testing.T) {
	t.Parallel()
	move, back, again := step(1, 0, state.Moved), step(2, 1, state.RolledBack), step(3, 2, state.Moved)
	// deleted is a record that deletes the person of a user who stood so before.
	deleted := func(recordID int64, before state.Standing) state.Record {
		r := step(recordID, 1, state.RolledBack)
		r.Effect.Act, r.Prior = state.PersonDelete, &state.User{UserState: state.UserState{Standing: before}}
		return r
	}
	gone := step(2, 0, state.Gone)
	gone.Prior = &state.User{UserState: state.UserState{Standing: state.Moved}}
	refused := step(2, 0, state.Moved)
	refused.Verdict = state.Refused
	for name, c := range map[string]struct {
		made      []state.Record
		want      []int64
		rollbacks []int64 // what stands where rollbacks are undone
	}{
		"moved":                                         {[]state.Record{move}, []int64{1}, []int64{1}},
		"moved twice":                                   {[]state.Record{move, step(2, 0, state.Moved)}, []int64{1, 2}, []int64{1, 2}},
		"the second time refused":                       {[]state.Record{move, refused}, []int64{1}, []int64{1}},
		"taken back":                                    {[]state.Record{move, back}, nil, []int64{2}},
		"taken back, and that undone":                   {[]state.Record{move, back, again}, []int64{1}, []int64{1, 3}},
		"taken back, and moved anew":                    {[]state.Record{move, back, step(3, 0, state.Moved)}, []int64{3}, []int64{2, 3}},
		"taken back, undone, and taken back":            {[]state.Record{move, back, again, step(4, 1, state.RolledBack)}, nil, []int64{4}},
		"the second one alone":                          {[]state.Record{move, step(2, 0, state.Moved), step(3, 2, state.Moved)}, []int64{1}, []int64{1, 3}},
		"taken back, and its person deleted later":      {[]state.Record{move, back, deleted(3, state.RolledBack)}, nil, []int64{2, 3}},
		"that undone":                                   {[]state.Record{move, back, deleted(3, state.RolledBack), step(4, 3, state.RolledBack)}, nil, []int64{2, 4}},
		"gone, not moved again, and its person deleted": {[]state.Record{move, gone, deleted(4, state.Failed)}, nil, []int64{4}},
		"of a second time taken back":                   {[]state.Record{move, gone, step(3, 0, state.Moved), step(4, 3, state.RolledBack), deleted(5, state.RolledBack)}, nil, []int64{5}},
		"deleted twice":                                 {[]state.Record{move, gone, deleted(4, state.Failed), deleted(5, state.RolledBack)}, nil, []int64{4, 5}},
		"somebody who is not moved put out":             {[]state.Record{move, back, step(3, 0, state.RolledBack)}, nil, []int64{2}},
	} {
		for kind, want := range map[state.RunKind][]int64{state.RunApply: c.want, state.RunRollback: c.rollbacks} {
			var got []int64
			for _, r := range standing(c.made, kind) {
				got = append(got, r.ID)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, kind, diff)
			}
		}
	}
}

// TestNet: what was joined and left again, or left and joined again, is neither.
func TestNet(t *testing.T) {
	t.Parallel()
	record := func(join, leave []uuid.UUID) state.Record {
		return state.Record{Intent: state.Intent{Join: join, Leave: leave}}
	}
	joined, left := net([]state.Record{record(ids(3, 1, 2), nil), record(ids(5), ids(2, 4, 6)), record(ids(6), nil)})
	if diff := cmp.Diff([][]uuid.UUID{ids(1, 3, 5), ids(4)}, [][]uuid.UUID{joined, left}); diff != "" {
		t.Errorf("joined and left (-want +got):\n%s", diff)
	}
}

// TestExpectedLink: a row is linked while its user is moved, and after a rollback where it was linked before us.
func TestExpectedLink(t *testing.T) {
	t.Parallel()
	moved := state.Record{Intent: state.Intent{After: state.User{Person: id(1),
		UserState: state.UserState{Standing: state.Moved}}}}
	back := func(wroteLink bool) state.Record {
		return state.Record{Intent: state.Intent{Effect: state.Effect{Restore: true},
			After: state.User{UserState: state.UserState{Standing: state.RolledBack}},
			Prior: &state.User{Person: id(2), UserState: state.UserState{WroteLink: wroteLink}}}}
	}
	for name, c := range map[string]struct {
		record state.Record
		want   uuid.UUID
	}{
		"moved":                        {moved, id(1)},
		"taken back":                   {back(true), uuid.Nil},
		"taken back, linked before us": {back(false), id(2)},
	} {
		if got := expectedLink(c.record); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestWithoutPassword: who had no password when it was moved can be taken back to that, unless it has logged in through
// Self-auth since.
func TestWithoutPassword(t *testing.T) {
	t.Parallel()
	moved := state.Record{Intent: state.Intent{Effect: state.Effect{Link: true, Method: state.MethodSelfAuth}}}
	dual := state.Record{Intent: state.Intent{Effect: state.Effect{Link: true, Method: state.MethodDual}}}
	in := &providers.User{Completed: true}
	if !hadNoPassword(moved, nil, &providers.User{}) || hadNoPassword(moved, nil, in) || hadNoPassword(dual, nil, &providers.User{}) {
		t.Error("another user than one who never had a password and never came in")
	}
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	rec := &state.User{UserState: state.UserState{Standing: state.Moved, WroteLink: true}, Synced: at}
	in.Synced = at
	if !hadNoPassword(moved, rec, in) {
		t.Error("it has come in by our own write")
	}
	in.Synced, in.CompletedApart = at.Add(time.Hour), true
	if hadNoPassword(moved, rec, in) {
		t.Error("it has not come in by the application's")
	}
}
