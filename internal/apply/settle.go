package apply

import (
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
			b.lost = append(b.lost, it)
		case it.failed != nil:
			b.outcomes = append(b.outcomes, x.refusal(it))
		case it.row == nil || !it.shape.Link && it.shape.Method == 0 && !it.shape.Restore && !it.shape.Complete:
			b.outcomes = append(b.outcomes, x.done(it))
		default:
			b.writes = append(b.writes, x.write(it))
			b.written = append(b.written, it)
		}
	}
	return x.commit(&b)
}

// commitTries bounds how often a transaction that lost against the application's own ones is tried again.
const commitTries = 5

// commit writes a settlement and returns all its outcomes. What is transient is tried again: nothing of it is there then.
func (x *executor) commit(b *settlement) (all []state.Outcome, err error) {
	if len(b.writes) == 0 {
		all, err = x.account(b, nil)
		if err == nil {
			err = x.record.Settle(x.work, nil, all, b.next)
		}
		return all, err
	}
	for range commitTries {
		err = x.Rows.WriteUsers(x.work, b.writes, func(tx state.Tx, results []providers.UserResult) error {
			var accountErr error
			if all, accountErr = x.account(b, results); accountErr != nil {
				return accountErr
			}
			return x.record.Settle(x.work, tx, all, b.next)
		})
		if providers.KindOf(err) != providers.Transient {
			break
		}
	}
	return all, err
}

// account adds what became of the writes to the outcomes, and takes back what was done for those who are lost.
func (x *executor) account(b *settlement, results []providers.UserResult) ([]state.Outcome, error) {
	all := slices.Clone(b.outcomes)
	lost := slices.Clone(b.lost)
	for i, r := range results {
		it := b.written[i]
		switch {
		case r.Written:
			all = append(all, x.done(it))
			continue
		case r.Refused != "":
			it.failed = &providers.Error{Kind: providers.Refused, Side: "Postgres", Doing: "write the row", Reason: r.Refused}
		default:
			it.failed = errLost
		}
		lost = append(lost, it)
	}
	if err := x.takeBack(lost); err != nil {
		return nil, err
	}
	for _, it := range lost {
		all = append(all, x.takenBack(it))
	}
	return all, nil
}

func (x *executor) done(it *item) state.Outcome {
	o := x.outcome(it, state.Done, "")
	o.Recorded = &it.intent.After
	return o
}

func (x *executor) outcome(it *item, v state.Verdict, why string) state.Outcome {
	return state.Outcome{Intent: it.intent.ID, User: it.change.User, Tenant: it.shape.Tenant, Wave: it.shape.Wave, Verdict: v, Reason: why}
}

// refusal settles a user whom Self-auth refused. A burnt id is recorded, so that the next plan takes the next one.
func (x *executor) refusal(it *item) state.Outcome {
	o := x.outcome(it, state.Refused, reason(it.failed))
	if providers.KindOf(it.failed) == providers.Burnt {
		after := it.intent.After
		after.Standing, after.Person, after.Groups = state.Failed, uuid.Nil, nil
		o.Recorded = &after
	}
	return o
}

func (x *executor) takenBack(it *item) state.Outcome {
	v, why := state.Changed, "its row changed while it was being moved"
	if !errors.Is(it.failed, errLost) {
		v, why = state.Refused, reason(it.failed)
	}
	o := x.outcome(it, v, why)
	if it.intent.Effect.Act == state.PersonCreate {
		after := it.intent.After
		after.Standing, after.Groups = state.Failed, nil
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
