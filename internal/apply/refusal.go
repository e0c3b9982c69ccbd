package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"anthill/providers"
	"anthill/state"
)

// This file tells errors of one from errors of all, and says what stands where something cannot be put back.
//
// What a server says about one user is that user's failure, and the others go on. But where it gives all users of a
// batch the same reason, the reason is not theirs: a right, a trigger, a protected group. The run stops then and stays
// open, instead of failing everybody one batch after another.

// leastAll is how many users of a batch must be refused for the same reason, and none accepted, before that stops the
// run. A wave of a few users, or what an earlier rollback has left, may well be users who have their reason in common:
// for them it would be a run that no one could close.
const leastAll = 10

// refusesAll is the error of a batch whose rows the database refuses for one reason, every one of them; nil: it is not
// so.
func refusesAll(results []providers.UserResult) error {
	var refusals []state.Finding
	for _, r := range results {
		switch {
		case r.Written:
			return nil
		case !r.Refused.IsZero():
			refusals = append(refusals, r.Refused)
		}
	}
	rule := func(f state.Finding) string { return string(f.Code) + " " + f.Text(state.KeyRule) }
	if !common(refusals, rule) {
		return nil
	}
	switch refusals[0].Code {
	case state.CodeRowHeld, state.CodeTableHeld:
		return nil // by another session, which ends: they are left, however many they are
	case state.CodeRowKept:
		return ofAll("Postgres", len(refusals), "a trigger or a rule undoes what is written", "Mend that.")
	}
	return ofAll("Postgres", len(refusals), refusals[0].Text(state.KeyRule),
		"Mend what refuses them: a trigger, a rule, or a right that a trigger needs.")
}

// refusesEach is the same for Self-auth, about users of whom each was to be changed there. A name or an id that is
// taken, and an entry that is gone, is always one user's own trouble.
func refusesEach(items []*item) error {
	var refusals []*state.Error
	for _, it := range items {
		var own *refusal
		var e *state.Error
		switch {
		case errors.As(it.failed, &own): // nobody was asked about this user
		case !errors.As(it.failed, &e) || e.Kind != state.ErrorRefused && e.Kind != state.ErrorInternal:
			return nil
		default:
			refusals = append(refusals, e)
		}
	}
	if !common(refusals, func(e *state.Error) string { return e.Reason }) {
		return nil
	}
	first := refusals[0]
	return ofAll(first.Side, len(refusals), first.Reason, cmp.Or(first.Cure, "Mend what it refuses."))
}

// common reports whether there are enough refusals, and all have one reason.
func common[T any](refusals []T, reason func(T) string) bool {
	return len(refusals) >= leastAll &&
		!slices.ContainsFunc(refusals, func(r T) bool { return reason(r) != reason(refusals[0]) })
}

// allError is why a server refuses every user of a batch. The run stops with it.
type allError struct{ why *state.Error }

func (e *allError) Error() string { return e.why.Error() }

func ofAll(side string, users int, reason, cure string) error {
	return &allError{&state.Error{
		Kind: state.ErrorInternal, Side: side, Doing: "change users",
		Reason: fmt.Sprintf("all %d users of a batch are refused for the same reason (%s)", users, reason),
		Cure:   cure,
	}}
}

// halt puts users back to where they were before an error of all stops the run, so that nobody has to wait half moved
// until it is mended; it returns the error. Their intents stay open: they are tried again when the run goes on.
func (x *executor) halt(ctx context.Context, items []*item, err error) error {
	var all *allError
	if !errors.As(err, &all) {
		return err
	}
	_, backErr := x.putRight(ctx, items, true)
	return errors.Join(err, backErr)
}

// forgive forgets which items were refused, so that the next call tries all of them. Why is noted, unless it is that a
// person or a group is gone: then nothing of it stands.
func forgive(items []*item) {
	for _, it := range items {
		if it.failed != nil && state.ErrorKindOf(it.failed) != state.ErrorNotFound {
			it.stuck = append(it.stuck, reason(it.failed))
		}
		it.failed = nil
	}
}

// tell says in an outcome what could not be put right.
func (it *item) tell(o *state.Outcome) {
	if len(it.stuck) > 0 && o.Verdict != state.Done {
		o.Reason = state.Found(state.CodeNotPutBack,
			state.Because(state.KeyWhy, append([]state.Finding{o.Reason}, it.stuck...)...))
	}
}
