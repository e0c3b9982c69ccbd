package apply

import (
	"context"
	"errors"

	"anthill/state"
)

// BlockedError says that the plan has a hazard that is not allowed. Nothing was changed.
type BlockedError struct{ Reason string }

// Error is Reason, which says what to do.
func (e *BlockedError) Error() string { return e.Reason }

// StaleError says that the plan was made from another world. Nothing was changed.
type StaleError struct{ Reason string }

// Error is Reason, which says what to do.
func (e *StaleError) Error() string { return e.Reason }

// OpenRunError says that the run of another plan is still open. Nothing was changed.
type OpenRunError struct {
	Run  string
	Plan state.Hash
}

// Error names the run and its plan; what to do about it is for the command to say.
func (e *OpenRunError) Error() string {
	return "run " + e.Run + " of plan " + e.Plan.Short() + " is still open"
}

// errInterrupted says that ctx ended between two batches.
var errInterrupted = errors.New("interrupted: what was begun is finished, the rest is left")

func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return errInterrupted
	}
	return nil
}

// refusal is an error that concerns one user or object alone, as apply itself finds it.
type refusal struct{ why state.Finding }

func (r *refusal) Error() string { return string(r.why.Code) }

func refuse(code state.Code, args ...state.Arg) error { return &refusal{state.Found(code, args...)} }

// refused reports whether the other side refused just this user or object, so that others may still be tried.
func refused(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return true
	}
	var e *state.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case state.ErrorConflict, state.ErrorRefused, state.ErrorBurnt, state.ErrorNotFound:
		return true
	case state.ErrorInternal:
		// The server answered the request, in words that we do not know: they are about what was in it.
		return e.Request != ""
	}
	return false
}

// reason is an error as a finding, for the journal.
func reason(err error) state.Finding {
	var r *refusal
	if errors.As(err, &r) {
		return r.why
	}
	var e *state.Error
	if !errors.As(err, &e) {
		return state.Found(state.CodeRefusal, state.Text(state.KeySaid, err.Error()))
	}
	args := []state.Arg{
		state.Text(state.KeySide, e.Side),
		state.Text(state.KeyKind, e.Kind.String()),
		state.Text(state.KeySaid, e.Reason),
	}
	if e.Request != "" {
		args = append(args, state.Text(state.KeyRequest, e.Request))
	}
	return state.Found(state.CodeRefusal, args...)
}
