package session

import (
	"context"
	"slices"
	"strings"

	"anthill/internal/apply"
	"anthill/planner/planfile"
	"anthill/state"
)

// Approval says who approved a plan, and how strictly it is taken.
type Approval struct {
	By        string // free text; "": nobody was named
	FailStale bool   // refuse the whole plan where one user changed since, before any effect; else such users are left
}

// CarryOut carries out a plan under the lock, or finishes its run. events is told what happens; nil: nobody listens.
//
// Errors before any effect: *state.LockedError, *state.Error, and those of apply.Run. With Result.Stopped the run is
// open and the error is why it stopped.
func (s *Session) CarryOut(ctx context.Context, plan *planfile.Reader, a Approval,
	events func(apply.Event)) (result apply.Result, err error) {
	e := plan.Effects()
	if err := s.mayWrite(e.Mailings); err != nil {
		return result, err
	}
	// Which is written by neither; and under new names nothing else goes before the state is bound to them.
	if len(s.inspection.Gone) > 0 && e.Kind != state.RunRollback && e.Kind != state.RunRetarget {
		return result, s.gone()
	}
	if err := s.MayCarryOut(ctx, e); err != nil {
		return result, err
	}
	err = s.locked(ctx, func() (err error) {
		if err := s.maySee(plannedKinds(e)); err != nil {
			return err
		}
		// Groups that a killed run of this state left on the server are known by this name.
		s.selfauth.SetOwner(e.Lineage.String()[:8])
		s.changed = true
		result, err = apply.Run(ctx, plan, s.deps(a), events)
		return err
	})
	return result, err
}

// gone is the error of a run that would write rows which have lost columns.
func (s *Session) gone() error {
	return &state.Error{Kind: state.ErrorMissing, Side: "Postgres", Doing: "carry out the plan",
		Reason: "the application has taken away " + strings.Join(s.inspection.Gone, ", "),
		Cure: "Nothing was changed. A run that was stopped is ended, and users are taken back in Self-auth, by:\n\n" +
			"    anthill apply -close\n    anthill rollback"}
}

// Check says how much of a plan still holds, and changes nothing.
func (s *Session) Check(ctx context.Context, plan *planfile.Reader, events func(apply.Event)) (*apply.Checked, error) {
	if err := s.maySee(plannedKinds(plan.Effects())); err != nil {
		return nil, err
	}
	return apply.Check(ctx, plan, s.deps(Approval{}), events)
}

// CloseRun closes the open run, whose stored plan is, under the lock. events is told what happens; nil: nobody listens.
//
// Errors as of CarryOut and apply.Close.
func (s *Session) CloseRun(ctx context.Context, stored *planfile.Reader,
	events func(apply.Event)) (result apply.Result, err error) {
	use := s.useOf(stored.Effects())
	use.Steps, use.Back = nil, nil // they are gone on with, or left
	if err := s.mayDo(ctx, use); err != nil {
		return result, err
	}
	err = s.locked(ctx, func() (err error) {
		s.selfauth.SetOwner(stored.Effects().Lineage.String()[:8])
		s.changed = true
		result, err = apply.Close(ctx, stored, s.deps(Approval{}), events)
		return err
	})
	return result, err
}

// observe opens a moment of Postgres.
func (s *Session) observe(ctx context.Context) (apply.Observed, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return apply.Observed{}, err
	}
	return apply.Observed{Database: snapshot, Recorded: s.store.At(snapshot.ID()).Users, Close: snapshot.Close}, nil
}

// deps is what a run works with.
func (s *Session) deps(a Approval) apply.Deps {
	return apply.Deps{
		Store:      s.store,
		Rows:       s.postgres,
		Accounts:   s.selfauth.Accounts(),
		Target:     s.target,
		Now:        s.settings.Now,
		Who:        s.settings.Who,
		ApprovedBy: a.By,
		FailStale:  a.FailStale,
		Bare:       s.inspection.Bare && len(s.inspection.Gone) == 0, // where columns are gone no row is written
		Observe:    s.observe,
		Enrolled:   s.selfauth.Directory().Enrolled,
		Post:       s.post(),
	}
}

// Unended is the last run of st, if it was stopped and closed, or is a rollback that went on with such a one and has left somebody
// behind; nil where it is neither. What a rollback is to take back then is what that has left (Unfinished). st is left as it is.
func (s *Session) Unended(ctx context.Context, st *state.State) (*state.RunInfo, error) {
	// That the state was bound to another target in between changes nothing of what is left.
	runs := slices.DeleteFunc(slices.Clone(st.Runs), func(r state.RunInfo) bool { return r.Kind == state.RunRetarget })
	if len(runs) == 0 {
		return nil, nil
	}
	last := len(runs) - 1
	closed := last
	for closed > 0 && runs[closed].Kind == state.RunRollback && runs[closed].Outcome == state.OutcomeRemainder {
		closed--
	}
	if runs[closed].Outcome != state.OutcomeClosed {
		return nil, nil
	}
	scope, err := s.Unfinished(ctx, runs[closed], Undo{})
	for _, r := range runs[closed+1:] {
		if err != nil {
			return nil, err
		}
		var of Undo
		if of, err = s.Unfinished(ctx, r, Undo{}); err == nil && !of.sameScope(scope) {
			return nil, nil // it was told another one
		}
	}
	return &runs[last], err
}

// OpenRun is the run that was stopped and is still to be finished; nil where there is none.
func (s *Session) OpenRun(ctx context.Context) (*state.RunInfo, error) {
	st, err := s.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	return st.OpenRun(), nil
}

// Recorded reads what is recorded of the target, and refuses another's.
func (s *Session) Recorded(ctx context.Context) (*state.State, error) {
	return s.recorded(ctx, s.store)
}
