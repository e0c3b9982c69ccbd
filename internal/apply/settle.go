package apply

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// settledBatch tells how settling a batch ended.
type settledBatch struct {
	outcomes []state.Outcome
	err      error
}

// awaitSettled waits for the batch that is being written in Postgres, if there is one, and counts its users. Whatever
// looks at the run's position or figures, or settles another batch, comes after it.
func (x *executor) awaitSettled() error {
	if x.settling == nil {
		return nil
	}
	s := <-x.settling
	x.settling = nil
	x.countOutcomes(s.outcomes)
	return s.err
}

// settlement is a batch on its way into Postgres.
type settlement struct {
	next     state.Position
	outcomes []state.Outcome // known already
	writes   []providers.UserWrite
	written  []*item // by index of writes
	lost     []*item // what was done for them in Self-auth is taken back

	settled func(open int) // told how many of its users are open still, once the others are through; nil: nobody listens
}

func (b *settlement) tell(open int) {
	if b.settled != nil {
		b.settled(open)
	}
}

// settle writes rows and outcomes in one transaction. A user whose row changed meanwhile loses in the same run what
// was done for it in Self-auth: no orphan stays in a tenant's group.
func (x *executor) settle(
	ctx context.Context, items []*item, next state.Position, settled func(open int),
) ([]state.Outcome, error) {
	b := settlement{next: next, settled: settled}
	if err := x.lookAgain(ctx, items); err != nil {
		return nil, err
	}
	for _, it := range items {
		switch {
		case it.verdict != 0:
			b.outcomes = append(b.outcomes, outcome(it, it.verdict, it.why))
		case errors.Is(it.failed, errLost), isPaused(it.failed), it.failed != nil && it.begun:
			// Part of it may be done in Self-auth: it is taken back before the user is settled.
			b.lost = append(b.lost, lostItem(it, it.failed))
		case it.failed != nil:
			b.outcomes = append(b.outcomes, refusalOf(it))
		case !it.writesRow():
			b.outcomes = append(b.outcomes, done(it))
		default:
			b.writes = append(b.writes, userWrite(it))
			b.written = append(b.written, it)
		}
	}
	all, lost, err := x.commit(ctx, &b)
	if err = x.halt(ctx, slices.Concat(b.lost, b.written), err); err != nil || len(lost) == 0 {
		return all, err
	}
	// Only now: a transaction that is tried again may write the row after all, and one that waits keeps others from
	// their rows.
	back, err := x.settleLost(ctx, lost, next)
	if err == nil {
		b.tell(0)
	}
	return append(all, back...), err
}

// writesRow reports whether the row of a user is written, so that it is locked and compared once more.
func (it *item) writesRow() bool { return it.row != nil && it.shape.Effect.Writes() }

// lookAgain reads the rows once more that are not written: whoever has changed while Self-auth was asked is lost like one whose
// row cannot be written, or would have by an old row what the new one does not ask for.
func (x *executor) lookAgain(ctx context.Context, items []*item) error {
	unwritten := slices.DeleteFunc(slices.Clone(items), func(it *item) bool {
		return it.verdict != 0 || it.failed != nil || it.writesRow()
	})
	if len(unwritten) == 0 {
		return nil
	}
	users := make([]uuid.UUID, len(unwritten))
	for i, it := range unwritten {
		users[i] = it.change.User
	}
	rows, err := x.fetch(ctx, users)
	if err != nil {
		return err
	}
	for _, it := range unwritten {
		row := rows[it.change.User]
		if gone := it.shape.Ground.RowGone; gone != (row == nil) ||
			!gone && providers.DigestUser(row.User, it.shape.Ground.Relies, it.prior) != it.change.Before {
			it.failed = errLost
		}
	}
	return nil
}

// outcomesOf sorts users by what became of their writes: outcomes, and those who are lost.
func (b *settlement) outcomesOf(results []providers.UserResult) (all []state.Outcome, gone []*item) {
	all, gone = slices.Clone(b.outcomes), slices.Clone(b.lost)
	for i, r := range results {
		it := b.written[i]
		if it.shape.Effect.Link {
			it.intent.After.Synced = r.Synced
		}
		switch {
		case r.Written:
			all = append(all, done(it))
		case !r.Refused.IsZero():
			gone = append(gone, lostItem(it, &refusal{r.Refused}))
		default:
			gone = append(gone, lostItem(it, errLost))
		}
	}
	return all, gone
}

// lostItem is a user for whom something was done in Self-auth, or may have been, that must be taken back.
func lostItem(it *item, why error) *item {
	v := state.Refused
	switch {
	case errors.Is(why, errLost):
		v = state.Changed
	case isPaused(why):
		v = state.Paused
	}
	return lostIntent(it.intent, v, reason(why))
}

func lostIntent(i state.Intent, v state.Verdict, why state.Finding) *item {
	return &item{intent: i, verdict: v, why: why}
}

// settleLost brings users who are lost to where they belong by their rows now, and settles them. A run that is killed before that starts
// with it when it is resumed (resumeLost).
func (x *executor) settleLost(ctx context.Context, lost []*item, at state.Position) ([]state.Outcome, error) {
	recorded, err := x.putRight(ctx, lost, true)
	if err != nil {
		return nil, err
	}
	outcomes := make([]state.Outcome, len(lost))
	for n, it := range lost {
		outcomes[n] = outcomeOf(it.intent, it.verdict, it.why)
		if it.came {
			outcomes[n] = outcomeOf(it.intent, state.Done, state.Finding{})
		}
		outcomes[n].Recorded = recorded[n]
		it.tell(&outcomes[n])
	}
	return outcomes, x.journal.Settle(ctx, nil, outcomes, at)
}

// resumeLost settles the users whom a killed run left lost.
func (x *executor) resumeLost(ctx context.Context) error {
	if len(x.lost) == 0 {
		return nil
	}
	outcomes, err := x.settleLost(context.WithoutCancel(ctx), x.lost, x.journal.Position())
	if err != nil {
		return err
	}
	x.countOutcomes(outcomes)
	x.lost = nil
	return nil
}

func done(it *item) state.Outcome {
	o := outcome(it, state.Done, state.Finding{})
	o.Recorded, o.Mail = &it.intent.After, it.mail
	return o
}

func outcome(it *item, v state.Verdict, why state.Finding) state.Outcome {
	return state.Outcome{
		Intent:  it.intent.ID,
		User:    it.change.User,
		Tenant:  it.shape.Tenant,
		Segment: it.intent.Segment,
		Wave:    it.shape.After.Wave,
		Verdict: v,
		Reason:  why,
		Apart:   it.shape.Effect.OnlyReleases(),
	}
}

func outcomeOf(i state.Intent, v state.Verdict, why state.Finding) state.Outcome {
	return state.Outcome{
		Intent: i.ID, User: i.User, Tenant: i.Tenant, Segment: i.Segment, Wave: i.Wave, Verdict: v, Reason: why,
		Apart: i.Effect.OnlyReleases(),
	}
}

// refusalOf settles a user whom Self-auth refused. A burnt id is recorded, so that the next plan uses the next
// generation.
func refusalOf(it *item) state.Outcome {
	o := outcome(it, state.Refused, reason(it.failed))
	if state.ErrorKindOf(it.failed) == state.ErrorBurnt {
		o.Recorded = unmoved(it.intent)
		o.Recorded.Person = uuid.Nil
	}
	return o
}

func userWrite(it *item) providers.UserWrite {
	e := it.shape.Effect
	w := providers.UserWrite{
		User:      it.change.User,
		Before:    it.change.Before,
		Relies:    it.shape.Ground.Relies,
		Recorded:  it.prior,
		Method:    e.Method,
		Completed: e.Complete,
	}
	if e.Link {
		w.Link = it.intent.Person
	}
	if e.Restore {
		image := it.record.Before
		if !it.invited && it.row != nil {
			image.Invited = it.row.Image.Invited // somebody else's
		}
		w.Restore = &image
	}
	return w
}
