package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/state"
)

// This file is not about rollbacks, which are plans like any other: it is about users whom a run itself must put back.

// reverse undoes in Self-auth what was done, or begun, for users whose rows could not be written: each comes to where
// it was before. What the server refuses by now, because a group or a person is gone, is left alone.
func (x *executor) reverse(ctx context.Context, items []*item) error {
	if len(items) == 0 {
		return nil
	}
	// Only the intents: what failed on the way out may still be undone.
	lost := make([]*item, len(items))
	for i, it := range items {
		lost[i] = &item{intent: it.intent}
	}
	there, err := x.withRows(ctx, lost)
	if err != nil {
		return err
	}
	// The opposite order of accounts: a person is back before it joins groups, and is expired only when it has left them.
	// What takes away is done for all, what gives only for those who have a row.
	if err := bisect(acting(there, state.PersonDelete), x.calls(ctx, x.Accounts.Revive)); err != nil {
		return err
	}
	if err := memberships(lost, (*item).joins, x.leave(ctx)); err != nil {
		return err
	}
	// One group that refuses must not keep the person out of the others.
	forgive(lost)
	if err := memberships(there, (*item).leaves, x.join(ctx)); err != nil {
		return err
	}
	for _, it := range lost {
		if it.intent.Effect.Mail {
			if err := x.Accounts.Readdress(ctx, it.intent.Person, it.intent.Mails); err != nil && !refused(err) {
				return err
			}
		}
	}
	// A group that is gone must not stop the person from going back.
	forgive(lost)
	// By our record these were awake before: a person that was asleep already stays asleep.
	woken := slices.DeleteFunc(acting(there, state.PersonExpire), func(it *item) bool {
		p := it.intent.Prior
		return p == nil || p.Standing != state.Moved || p.Asleep
	})
	if err := bisect(woken, x.calls(ctx, x.Accounts.Enable)); err != nil {
		return err
	}
	if err := bisect(acting(lost, state.PersonRevive), x.takes(ctx, x.Accounts.Delete)); err != nil {
		return err
	}
	made := append(acting(lost, state.PersonCreate), acting(lost, state.PersonEnable)...)
	return bisect(made, x.takes(ctx, x.Accounts.Expire))
}

// withRows are the items whose rows are there and not deleted: only they may be given access.
func (x *executor) withRows(ctx context.Context, items []*item) (there []*item, err error) {
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.intent.User
	}
	// Read again: since the batch was looked at rows may have been deleted.
	rows, err := x.Rows.Fetch(ctx, ids)
	if err != nil {
		return nil, err
	}
	live := map[uuid.UUID]bool{}
	for _, r := range rows {
		live[r.ID] = !r.Deleted
	}
	return slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return !live[it.intent.User] }), nil
}

// forgive forgets which items were refused, so that the next call tries all of them.
func forgive(items []*item) {
	for _, it := range items {
		it.failed = nil
	}
}

// closeOpen ends the open run before a rollback begins, whether of that run or of another: nothing new is tried, and
// what was begun is undone. From there on the plan takes back the rest; if it does not come to that, nobody is left
// half moved.
func (x *executor) closeOpen(ctx context.Context, open *state.RunInfo) error {
	run, err := x.Store.Resume(ctx, open.ID)
	if err != nil {
		return err
	}
	work := context.WithoutCancel(ctx)
	records, err := run.Open(work)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		// Each is settled as refused, whatever had been done for it: the rollback then finds it where it was.
		items := make([]*item, len(records))
		outcomes := make([]state.Outcome, len(records))
		for i, r := range records {
			items[i] = &item{intent: r.Intent}
			outcomes[i] = outcomeOf(r.Intent, state.Refused, state.Found(state.CodeRunRolledBack))
			if r.Effect.Act == state.PersonCreate || r.Prior == nil {
				// A person may be there: with its id recorded, the next plan finds it instead of making another.
				outcomes[i].Recorded = unmoved(r.Intent)
			}
		}
		if err := x.reverse(work, items); err != nil {
			return err
		}
		if err := run.Settle(work, nil, outcomes, run.Position()); err != nil {
			return err
		}
	}
	_, err = run.Close(work, state.OutcomeRemainder, 0)
	return err
}

// unmoved is what is recorded of a user who was not moved, but for whom a person may have been made.
func unmoved(i state.Intent) *state.User {
	after := i.After
	after.Standing, after.Groups = state.Failed, nil
	return &after
}
