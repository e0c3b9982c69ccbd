package apply

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// intend makes the intents of a batch durable, before any effect of it. Those that a stopped run left are durable
// already and are gone on with.
func (x *executor) intend(ctx context.Context, segment int, items []*item) error {
	var fresh []*item
	for _, it := range items {
		if open, ok := x.open[it.change.User]; ok {
			x.resume(it, open)
			continue
		}
		if it.verdict == 0 {
			it.intent = x.intent(segment, it)
			fresh = append(fresh, it)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := x.lookMails(ctx, fresh); err != nil {
		return err
	}
	intents := make([]state.Intent, len(fresh))
	for i, it := range fresh {
		intents[i] = it.intent
	}
	if err := x.journal.Intend(ctx, intents); err != nil {
		return err
	}
	for i, it := range fresh {
		it.intent.ID = intents[i].ID
	}
	return nil
}

// resume goes on with an intent that a stopped run left.
func (x *executor) resume(it *item, open state.Intent) {
	it.intent = open
	switch it.verdict {
	case 0:
		return
	case state.Already:
		// The row was written; memberships may still be missing.
	case state.Paused:
		it.failed = &refusal{it.why}
	default:
		// Something may have been done for it before the stop, and its row has changed since: settling it takes that back.
		it.failed = errLost
	}
	it.verdict = 0
}

// errLost marks a user whose row changed between the intent and its outcome.
var errLost = refuse(state.CodeChangedInFlight)

// movesAddress reports whether a person gets or loses an address.
func movesAddress(it *item) bool { return it.shape.Effect.Mail || it.shape.Effect.Release }

// lookMails notes in the intents which addresses persons hold, where those are about to change.
func (x *executor) lookMails(ctx context.Context, fresh []*item) error {
	var ids []uuid.UUID
	for _, it := range fresh {
		if movesAddress(it) {
			ids = append(ids, it.intent.Person)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := x.Accounts.Lookup(ctx, ids)
	if err != nil {
		return err
	}
	mails := map[uuid.UUID][]string{}
	for _, p := range found {
		mails[p.ID] = p.Mails
	}
	for _, it := range fresh {
		if movesAddress(it) {
			it.intent.Mails = mails[it.intent.Person]
		}
	}
	return nil
}

// intent is what is about to be done to a user, with its before-image and what will be recorded of it. The journal fills
// in the ID when it makes it durable.
func (x *executor) intent(segment int, it *item) state.Intent {
	s := it.shape
	i := state.Intent{
		User:    it.change.User,
		Tenant:  s.Tenant,
		Segment: segment,
		Wave:    s.After.Wave,
		RowGone: it.row == nil,
		Person:  x.personOf(it),
		Effect:  s.Effect,
		Join:    x.sets[s.Join],
		Leave:   x.sets[s.Leave],
		Undo:    it.change.Record,
		Prior:   it.prior,
	}
	if from := x.effects.Segments[segment]; from.Kind == plan.SegmentRestore {
		i.Wave = from.Wave
	}
	i.After = state.User{
		User: it.change.User, Tenant: s.Tenant, UserState: s.After, Person: i.Person, Run: x.journal.ID(),
	}
	if s.Effect.Act == state.PersonDelete {
		i.After.Person = uuid.Nil
	}
	if it.row != nil {
		i.Before = it.row.Image
		if it.row.Link != uuid.Nil && !s.Ground.Moved && s.After.WroteLink && x.effects.Segments[segment].Kind == plan.SegmentMove {
			// The link is ours by its id: the state that recorded it is lost, or a rollback has deleted the person and the row
			// came back. To take this user back is to undo that link too, so the before-image is that of a row that was never
			// linked.
			i.Before = state.Image{Method: state.MethodPassword, Invited: it.row.Image.Invited}
		}
	}
	// From what is recorded now: another plan may have given the user a group since this one was made.
	var held []uuid.UUID
	if it.prior != nil {
		held = slices.DeleteFunc(slices.Clone(it.prior.Groups), func(g uuid.UUID) bool { return slices.Contains(i.Leave, g) })
	}
	if i.Effect.OnlyReleases() && it.prior != nil {
		i.After = *it.prior // it stays as it is
		return i
	}
	if s.After.Standing == state.RowBack {
		i.After.Groups = held // the person is in them still
	}
	if s.After.Standing != state.Moved {
		return i
	}
	if x.effects.Segments[segment].Kind == plan.SegmentMove {
		held = union(held, x.sets[s.Keep])
	}
	i.After.Groups = union(held, i.Join)
	i.After.Synced = x.syncedBefore(it)
	switch {
	case it.record != nil && it.record.Prior != nil:
		// Taken back to where it was moved already: as it was recorded then.
		prior := it.record.Prior
		i.After.Person, i.After.Method = prior.Person, prior.Method
	case it.row != nil:
		i.After.Method = max(it.row.Method, s.Effect.Method) // methods are never lowered (L5)
	}
	return i
}

// syncedBefore is the synced time that is ours of a user who is moved afterwards, as far as it is known before the row is
// written. That of a link that this change writes is known then (settle).
func (x *executor) syncedBefore(it *item) time.Time {
	prior := it.prior
	if it.record != nil {
		prior = it.record.Prior // the row gets that time back, or keeps it
	}
	switch {
	case it.shape.Effect.Link:
	case prior != nil && prior.Standing == state.Moved:
		return prior.Synced
	case it.record == nil && it.row != nil && it.shape.After.WroteLink:
		// Ours by its id, and the state that recorded it is lost: a login is a later one.
		return it.row.Image.Synced
	}
	return time.Time{}
}

func union(a, b []uuid.UUID) []uuid.UUID {
	u := append(slices.Clone(a), b...)
	slices.SortFunc(u, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(u)
}
