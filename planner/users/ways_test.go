package users_test

import (
	"context"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/state"
)

// TestTakeBackLocksOut: a rollback that takes a user's last way to log in raises the hazard; where it has another one, or
// has none as it is, it does not. Kim was linked to its person before us, and got its group by the run.
func TestTakeBackLocksOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*sides, *state.Record)
		want   state.Code
	}{
		"its last group": {func(*sides, *state.Record) {}, state.CodeBarGroup},
		"a password": {func(s *sides, r *state.Record) {
			s.user.HasPassword, s.user.CanPassword = true, true
			s.user.Method, r.Before.Method = state.MethodDual, state.MethodDual
		}, ""},
		"a password, under a method that goes back to Self-auth alone": {func(s *sides, r *state.Record) {
			s.user.HasPassword, s.user.CanPassword = true, true
			s.user.Method, r.Effect.Method = state.MethodDual, state.MethodDual
		}, state.CodeBarGroup},
		"no credential":      {func(s *sides, _ *state.Record) { s.enrolled = nil }, ""},
		"another group":      {func(s *sides, _ *state.Record) { s.groups[0].Members = []uuid.UUID{person} }, ""},
		"a group of nobody":  {func(s *sides, _ *state.Record) { s.mappings = nil }, ""},
		"not active":         {func(s *sides, _ *state.Record) { s.user.Status = "suspended" }, ""},
		"expired":            {func(s *sides, _ *state.Record) { s.persons[0].Expired = true }, ""},
		"the run enabled it": {func(_ *sides, r *state.Record) { r.Effect.Act = state.PersonEnable }, state.CodeBarExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t)
			s.moved()
			s.user.HasPassword, s.user.CanPassword, s.user.Method = false, false, state.MethodSelfAuth
			s.enrolled = []uuid.UUID{person}
			record := s.run()
			record.Before = state.Image{Link: person, Method: state.MethodSelfAuth}
			record.Effect, record.After.MadePerson = state.Effect{}, false
			c.change(s, &record)
			s.locksOut(t, state.RunApply, record, c.want)
		})
	}
}

// locksOut demands that taking a record of kim back locks it out for a reason; "": it does not.
func (s *sides) locksOut(t *testing.T, kind state.RunKind, record state.Record, why state.Code) {
	t.Helper()
	u := users.Undoing{From: []string{"1"}, Seeds: map[string]bool{"1": true}, Kind: kind, Objects: &objects.Folded{}}
	to := &sink{table: &plan.Table{}}
	journal := users.Journal{Recorded: s.stream, Records: func(context.Context, []string) iter.Seq2[state.Record, error] {
		return each([]state.Record{record})
	}}
	got, err := users.TakeBack(t.Context(), s.observe(t), u, journal, to.table, to)
	if err != nil {
		t.Fatal(err)
	}
	if to.kind != plan.SegmentRestore {
		t.Fatalf("it is not taken back: %v", got.Conflicts)
	}
	var r plan.Risk
	got.LockedOut(&r)
	var want []plan.Hazard
	if why != "" {
		want = []plan.Hazard{{Code: plan.LocksOut, Count: 1, Of: []state.Finding{state.About(state.CodeLockedOut,
			state.OfTenant("acme"), state.Because(state.KeyWhy, state.Found(why))).Times(1)}}}
	}
	if diff := cmp.Diff(want, r.Hazards, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("hazards (-want +got):\n%s", diff)
	}
}

// TestUndoneLocksOut: Kim logged in through Self-auth alone and was taken back. If that is undone it is judged by the link and
// the person that come back, as the row has no link now.
func TestUndoneLocksOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*sides, *state.Record)
		want   state.Code
	}{
		"its person is as it was": {func(*sides, *state.Record) {}, ""},
		"its person was expired": {func(s *sides, r *state.Record) {
			s.persons[0].Expired, s.persons[0].Closed, r.Effect.Act = true, true, state.PersonExpire
		}, ""},
		"it was, and by somebody since": {func(s *sides, r *state.Record) {
			s.persons[0].Expired, r.Effect.Act = true, state.PersonExpire
		}, state.CodeBarExpired},
		"expired by somebody": {func(s *sides, _ *state.Record) { s.persons[0].Expired = true }, state.CodeBarExpired},
		"no person":           {func(s *sides, _ *state.Record) { s.persons, s.groups[1].Members = nil, nil }, state.CodeBarPerson},
		"no credential":       {func(s *sides, _ *state.Record) { s.enrolled = nil }, state.CodeBarCredential},
		"in no group":         {func(s *sides, _ *state.Record) { s.groups[1].Members = nil }, state.CodeBarGroup},
		"a group of nobody":   {func(s *sides, _ *state.Record) { s.mappings = nil }, state.CodeBarGroup},
		"it joins its group again": {func(s *sides, r *state.Record) {
			s.groups[1].Members, r.Leave = nil, []uuid.UUID{members}
			s.state.Objects = []state.Object{{Kind: state.KindGroup, ID: members, Tenant: acme, Members: state.Members{All: true}}}
		}, ""},
		"to a password as well": {func(s *sides, r *state.Record) { r.Before.Method, s.enrolled = state.MethodDual, nil }, ""},
		"it has no way in now either": {func(s *sides, _ *state.Record) {
			s.user.CanPassword, s.enrolled = false, nil
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t)
			s.moved()
			s.enrolled = []uuid.UUID{person}
			was := *s.recorded
			record := s.run()
			record.Before, record.Prior, record.Undo, record.Join = state.Image{Link: person, Method: state.MethodSelfAuth}, &was, 1, nil
			record.Effect = state.Effect{Restore: true}
			record.After.Standing = state.RolledBack
			s.recorded.Standing, s.user.Link, s.user.Method = state.RolledBack, uuid.Nil, state.MethodPassword
			c.change(s, &record)
			s.locksOut(t, state.RunRollback, record, c.want)
		})
	}
}
