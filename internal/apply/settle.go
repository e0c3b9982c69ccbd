package apply

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// settled is how settling a batch ended.
type settled struct {
	outcomes []state.Outcome
	err      error
}

// settled waits for the batch that is being written in Postgres, if there is one, and counts its users.
func (x *executor) settled() error {
	if x.settling == nil {
		return nil
	}
	s := <-x.settling
	x.settling = nil
	for _, o := range s.outcomes {
		x.count(o.Wave, o.Tenant, o.Verdict)
	}
	return s.err
}

// settlement is a batch on its way into Postgres.
type settlement struct {
	next     state.Position
	outcomes []state.Outcome // known already
	writes   []providers.UserWrite
	written  []*item // by index of writes
	lost     []*item // what was done for them in Self-auth is taken back
}

// settle writes rows and outcomes in one transaction. A user whose row changed meanwhile loses in the same run what
// was done for it in Self-auth: no orphan stays in a tenant's group.
func (x *executor) settle(items []*item, next state.Position) ([]state.Outcome, error) {
	b := settlement{next: next}
	for _, it := range items {
		switch {
		case it.verdict != 0:
			b.outcomes = append(b.outcomes, x.outcome(it, it.verdict, it.left))
		case errors.Is(it.failed, errLost), it.failed != nil && it.begun:
			b.lost = append(b.lost, lost(it, it.failed))
		case it.failed != nil:
			b.outcomes = append(b.outcomes, x.refusal(it))
		case it.row == nil || !it.shape.Link && it.shape.Method == 0 && !it.shape.Restore && !it.shape.Complete:
			b.outcomes = append(b.outcomes, x.done(it))
		default:
			b.writes = append(b.writes, x.write(it))
			b.written = append(b.written, it)
		}
	}
	all, lost, err := x.commit(&b)
	if err != nil || len(lost) == 0 {
		return all, err
	}
	// Only now: a transaction that is tried again may write the row after all, and one that waits keeps others from their rows.
	back, err := x.takenBack(lost, next)
	return append(all, back...), err
}

// commitTries bounds how often a transaction that lost against the application's own ones is tried again.
const commitTries = 5

// commit writes a settlement and returns its outcomes, and those who are lost, whose intents stay open. What is transient is
// tried again: nothing of it is there then.
func (x *executor) commit(b *settlement) (all []state.Outcome, lost []*item, err error) {
	settle := func(tx state.Tx, results []providers.UserResult) error {
		all, lost = x.account(b, results)
		noted := slices.Clone(all)
		for _, it := range lost {
			o := outcomeOf(it.intent, it.verdict, it.left)
			o.Lost = true
			noted = append(noted, o)
		}
		return x.record.Settle(x.work, tx, noted, b.next)
	}
	if len(b.writes) == 0 {
		err = settle(nil, nil)
		return all, lost, err
	}
	for range commitTries {
		err = x.Rows.WriteUsers(x.work, b.writes, settle)
		if state.ErrorKindOf(err) != state.ErrorTransient {
			break
		}
	}
	return all, lost, err
}

// account adds what became of the writes to the outcomes, and to those who are lost.
func (x *executor) account(b *settlement, results []providers.UserResult) (all []state.Outcome, gone []*item) {
	all, gone = slices.Clone(b.outcomes), slices.Clone(b.lost)
	for i, r := range results {
		it := b.written[i]
		switch {
		case r.Written:
			all = append(all, x.done(it))
		case r.Refused != "":
			gone = append(gone, lost(it, &state.Error{Kind: state.ErrorRefused, Side: "Postgres", Doing: "write the row", Reason: r.Refused}))
		default:
			gone = append(gone, lost(it, errLost))
		}
	}
	return all, gone
}

// lost is a user for whom something was, or may have been, done in Self-auth that is to be taken back.
func lost(it *item, why error) *item {
	if errors.Is(why, errLost) {
		return lostIntent(it.intent, state.Changed, errLost.Error())
	}
	return lostIntent(it.intent, state.Refused, reason(why))
}

func lostIntent(i state.Intent, v state.Verdict, why string) *item {
	return &item{intent: i, verdict: v, left: why}
}

// takenBack takes back users who are lost, and settles them. A run that is killed before is resumed with it.
func (x *executor) takenBack(lost []*item, at state.Position) ([]state.Outcome, error) {
	if err := x.takeBack(lost); err != nil {
		return nil, err
	}
	outcomes := make([]state.Outcome, len(lost))
	for n, it := range lost {
		outcomes[n] = outcomeOf(it.intent, it.verdict, it.left)
		if it.intent.Effect.Act == state.PersonCreate {
			after := it.intent.After
			after.Standing, after.Groups = state.Failed, nil
			outcomes[n].Recorded = &after
		}
	}
	return outcomes, x.record.Settle(x.work, nil, outcomes, at)
}

// takeLostBack finishes what the settlements of a killed run have left.
func (x *executor) takeLostBack(context.Context) error {
	if len(x.lost) == 0 {
		return nil
	}
	outcomes, err := x.takenBack(x.lost, x.record.Position())
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		x.count(o.Wave, o.Tenant, o.Verdict)
	}
	x.lost = nil
	return nil
}

func (x *executor) done(it *item) state.Outcome {
	o := x.outcome(it, state.Done, "")
	o.Recorded = &it.intent.After
	return o
}

func (x *executor) outcome(it *item, v state.Verdict, why string) state.Outcome {
	return state.Outcome{Intent: it.intent.ID, User: it.change.User, Tenant: it.shape.Tenant, Wave: it.shape.Wave, Verdict: v, Reason: why}
}

func outcomeOf(i state.Intent, v state.Verdict, why string) state.Outcome {
	return state.Outcome{Intent: i.ID, User: i.User, Tenant: i.Tenant, Wave: i.Wave, Verdict: v, Reason: why}
}

// refusal settles a user whom Self-auth refused. A burnt id is recorded, so that the next plan takes the next one.
func (x *executor) refusal(it *item) state.Outcome {
	o := x.outcome(it, state.Refused, reason(it.failed))
	if state.ErrorKindOf(it.failed) == state.ErrorBurnt {
		after := it.intent.After
		after.Standing, after.Person, after.Groups = state.Failed, uuid.Nil, nil
		o.Recorded = &after
	}
	return o
}

func (x *executor) write(it *item) providers.UserWrite {
	w := providers.UserWrite{User: it.change.User, Before: it.change.Before, Relies: it.shape.Relies, Method: it.shape.Method, Completed: it.shape.Complete}
	if it.shape.Link {
		w.Link = it.intent.Effect.Person
	}
	if it.shape.Restore {
		image := it.record.Before
		w.Restore = &image
	}
	return w
}
