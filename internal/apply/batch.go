package apply

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

// item is one user of a batch on its way.
type item struct {
	change  planner.UserChange
	shape   *planner.Shape
	row     *providers.UserRow // nil: there is none
	record  *state.Record      // SegmentRestore: the journal record whose before-image is restored
	intent  state.Intent
	failed  error         // one side refused this user
	begun   bool          // something may have been done for it in Self-auth
	left    string        // reason why it is left alone; then nothing is intended
	verdict state.Verdict // with left
}

// batch is some users in a row of the plan.
type batch struct {
	at, next state.Position // where it starts, and where the run has come with it
	changes  []planner.UserChange
	intended chan error // gives one when items are intended; nil: they are not yet begun to be
	items    []*item
	resumed  bool // a stopped run has intended it
}

// ready waits, once, until the batch is intended.
func (b *batch) ready() error { return <-b.intended }

// segment carries out the users of segment n from where the run has come. place counts segments in the order in which
// they are carried out, which is what the run's position tells.
//
// Three batches are on their way at a time: one is written in Postgres, one by Self-auth, and the next one is read and
// intended. A run that is killed leaves all of them open, and is resumed with them as one.
func (x *executor) segment(ctx context.Context, n, place int) error {
	s := x.p.Segments[n]
	pos := x.record.Position()
	if pos.Segment > place {
		return nil
	}
	from := int64(0)
	if pos.Segment == place {
		from = pos.Offset
	}
	stage := s.Wave
	if stage == "" {
		stage = string(s.Kind)
	}
	users, stop := iter.Pull2(x.plan.Users(n, from))
	defer stop()
	defer func() { _ = x.settled() }() // where an error says more, nothing runs on
	taken := from
	take := func() (*batch, error) {
		b := &batch{at: state.Position{Segment: place, Offset: taken}}
		for open := 0; !x.full(len(b.changes), open); {
			c, err, more := users()
			if err != nil {
				return nil, err
			}
			if !more {
				break
			}
			b.changes = append(b.changes, c)
			if _, is := x.open[c.User]; is {
				open++
			}
		}
		taken += int64(len(b.changes))
		if b.next = (state.Position{Segment: place, Offset: taken}); taken == s.Users {
			b.next = state.Position{Segment: place + 1}
		}
		return b, nil
	}
	b, err := take()
	for err == nil && len(b.changes) > 0 {
		if b.intended == nil {
			if err := interrupted(ctx); err != nil {
				return err
			}
			x.intendBatch(n, b)
		}
		if err := b.ready(); err != nil {
			return err
		}
		var next *batch
		if !b.resumed { // what follows a batch that was left open is told only when that is done
			if next, err = take(); err != nil {
				return err
			}
			if len(next.changes) > 0 && ctx.Err() == nil {
				x.intendBatch(n, next)
			}
		}
		if err := x.batch(b); err != nil {
			if next != nil && next.intended != nil {
				_ = next.ready() // nothing runs on
			}
			return err
		}
		x.events(Event{Kind: Progress, Stage: stage, Done: b.at.Offset + int64(len(b.changes)), Total: s.Users})
		if b = next; b == nil {
			b, err = take()
		}
	}
	if err != nil {
		return err
	}
	return x.settled()
}

// leastBatch is how many users a batch holds at least, unless their number is set: a group takes its new members in one
// call a batch, while persons are made in as many as the server wants.
const leastBatch = 500

// enough is how many users a batch holds: full calls of so many as the server wants.
func enough(size int) int { return size * max(1, (leastBatch+size-1)/size) }

// full says whether so many users are a batch. The first batch of a resumed run is exactly what was left open: it ends
// with the last of its intents.
func (x *executor) full(users, open int) bool {
	switch {
	case len(x.open) > 0:
		return open == len(x.open)
	case x.BatchSize > 0:
		return users >= x.BatchSize
	}
	return users >= enough(x.size)
}

// intendBatch reads the rows of a batch again and intends what is to be done, in the background.
func (x *executor) intendBatch(segment int, b *batch) {
	intended := make(chan error, 1)
	b.intended, b.resumed = intended, len(x.open) > 0
	go func() {
		var err error
		if b.items, err = x.look(segment, b.changes); err == nil {
			err = x.intend(segment, b.at, b.items)
		}
		intended <- err
	}()
}

// batch does the Self-auth side of a batch, and begins to write its rows and outcomes in one transaction.
func (x *executor) batch(b *batch) error {
	todo := slices.DeleteFunc(slices.Clone(b.items), func(i *item) bool { return i.verdict != 0 })
	if err := x.accounts(todo, b.resumed); err != nil {
		return err
	}
	if err := x.settled(); err != nil {
		return err
	}
	if b.resumed {
		x.open = nil
	}
	x.called()
	x.settling = make(chan settled, 1)
	go func(done chan<- settled) {
		outcomes, err := x.settle(b.items, b.next)
		done <- settled{outcomes, err}
	}(x.settling)
	return nil
}

// look reads the rows of a batch again and finds those that are not as planned.
func (x *executor) look(segment int, changes []planner.UserChange) ([]*item, error) {
	ids := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		ids[i] = c.User
	}
	rows, err := x.Rows.Fetch(x.work, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*providers.UserRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	records, err := x.records(changes)
	if err != nil {
		return nil, err
	}
	shapes := x.plan.Shapes(segment)
	items := make([]*item, len(changes))
	for i, c := range changes {
		it := &item{change: c, shape: &shapes[c.Shape], row: byID[c.User], record: records[c.Record]}
		x.judge(it)
		items[i] = it
	}
	return items, nil
}

func (x *executor) records(changes []planner.UserChange) (map[int64]*state.Record, error) {
	var ids []int64
	for _, c := range changes {
		if c.Record != 0 {
			ids = append(ids, c.Record)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := x.Store.RecordsByID(x.work, ids)
	if err != nil {
		return nil, err
	}
	m := make(map[int64]*state.Record, len(list))
	for i := range list {
		m[list[i].ID] = &list[i]
	}
	return m, nil
}

// judge says whether a user is as planned, at its after-state already, or to be left alone.
func (x *executor) judge(it *item) {
	s := it.shape
	leave := func(v state.Verdict, why string) { it.verdict, it.left = v, why }
	switch {
	case it.change.Record != 0 && it.record == nil:
		leave(state.Changed, "its journal record is gone")
	case s.RowGone && it.row != nil:
		leave(state.Changed, "there is a row again")
	case s.RowGone:
	case it.row == nil:
		leave(state.Changed, "deleted after the plan")
	case providers.DigestUser(it.row.User, s.Relies) != it.change.Before:
		if s.Link && it.row.Link == x.personOf(it) && (s.Method == 0 || it.row.Method == s.Method) {
			leave(state.Already, "")
			return
		}
		leave(state.Changed, "its row changed after the plan")
	}
	if it.verdict == 0 && x.p.Kind == state.RunApply && x.pausedNow(s) {
		leave(state.Paused, "wave "+s.Wave+" was paused after the plan")
	}
	if _, open := x.open[it.change.User]; len(x.open) > 0 && it.verdict == 0 && !open {
		// It was not at its before-state when its batch was tried, and is again: the next plan has it.
		leave(state.Changed, "its row changed after the plan")
	}
}

// pausedNow says whether a pause younger than the plan keeps the user where it is; what only takes away goes on.
func (x *executor) pausedNow(s *planner.Shape) bool {
	takes := s.Act == state.PersonNone || s.Act == state.PersonExpire || s.Act == state.PersonDelete
	if len(s.Join) == 0 && takes && !s.Link && !s.Mail {
		return false
	}
	return slices.ContainsFunc(x.st.Pauses, func(p state.Pause) bool {
		return p.Wave == s.Wave && (p.Tenant == uuid.Nil || p.Tenant == s.Tenant)
	})
}

// personOf is the person concerned: the linked one, the one recorded, or the one whose id is chosen.
func (x *executor) personOf(it *item) uuid.UUID {
	switch {
	case it.record != nil:
		return it.record.Effect.Person
	case it.change.Person != uuid.Nil:
		return it.change.Person
	case it.shape.Person != uuid.Nil:
		return it.shape.Person
	case it.shape.Found && it.row != nil:
		return it.row.Link
	}
	return state.PersonID(x.p.Lineage, it.change.User, it.shape.Generation)
}

// intend makes the intents of a batch durable; those of a batch that a stopped run left are durable already.
func (x *executor) intend(segment int, pos state.Position, items []*item) error {
	var fresh []*item
	for _, it := range items {
		if open, ok := x.open[it.change.User]; ok {
			if it.verdict == state.Already {
				it.verdict = 0 // its memberships may be missing still
			}
			it.intent = open
			if it.verdict != 0 {
				// Tried before the stop, changed since: what was done is taken back when it is settled.
				it.failed = errLost
				it.verdict = 0
			}
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
	if err := x.lookMails(fresh); err != nil {
		return err
	}
	intents := make([]state.Intent, len(fresh))
	for i, it := range fresh {
		intents[i] = it.intent
	}
	if err := x.record.Intend(x.work, pos, intents); err != nil {
		return err
	}
	for i, it := range fresh {
		it.intent.ID, it.intent.Prior = intents[i].ID, intents[i].Prior
	}
	return nil
}

// lookMails notes the addresses that persons hold before theirs follow the row.
func (x *executor) lookMails(fresh []*item) error {
	var ids []uuid.UUID
	for _, it := range fresh {
		if it.shape.Mail {
			ids = append(ids, it.intent.Effect.Person)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := x.Accounts.Lookup(x.work, ids)
	if err != nil {
		return err
	}
	mails := map[uuid.UUID][]string{}
	for _, p := range found {
		mails[p.ID] = p.Mails
	}
	for _, it := range fresh {
		if it.shape.Mail {
			it.intent.Effect.Mails = mails[it.intent.Effect.Person]
		}
	}
	return nil
}

// errLost marks a user whose row changed between the intent and its outcome.
var errLost = errors.New("its row changed while it was being moved")

func (x *executor) intent(segment int, it *item) state.Intent {
	s := it.shape
	i := state.Intent{User: it.change.User, Tenant: s.Tenant, Segment: segment, Wave: s.Wave, RowGone: it.row == nil,
		Effect: state.UserEffect{Person: x.personOf(it), Act: s.Act, Suffix: s.Suffix, Join: s.Join, Leave: s.Leave,
			Link: s.Link, Method: s.Method, Mail: s.Mail, Done: s.Complete, Restore: s.Restore, Undo: it.change.Record}}
	if it.row != nil {
		i.Before = it.row.Image
		if s.Found && s.LinkOurs && x.p.Segments[segment].Kind == planner.SegmentMove {
			// Ours by its id, of a state that is lost: taken back, the row goes to what it was before all that.
			i.Before = state.Image{Method: state.MethodPassword, Invited: it.row.Image.Invited}
		}
	}
	i.After = state.User{User: it.change.User, Tenant: s.Tenant, Standing: s.Standing, Wave: s.Wave, Policy: s.Policy,
		Person: i.Effect.Person, Generation: s.Generation, Ours: s.Ours, LinkOurs: s.LinkOurs, Away: s.Away, Run: x.record.ID()}
	if s.Standing == state.Moved {
		i.After.Groups = union(s.Keep, s.Join)
		if it.row != nil {
			i.After.Method = max(it.row.Method, s.Method)
		}
	}
	if s.Act == state.PersonDelete {
		i.After.Person = uuid.Nil
	}
	if it.record != nil && it.record.Prior != nil && s.Standing == state.Moved {
		i.After = *it.record.Prior
		i.After.Groups = union(s.Keep, s.Join)
		i.After.Run, i.After.Away = x.record.ID(), s.Away
	}
	return i
}

func union(a, b []uuid.UUID) []uuid.UUID {
	u := append(slices.Clone(a), b...)
	slices.SortFunc(u, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(u)
}

// lookForStale looks at every user before any effect (-on-stale fail).
func (x *executor) lookForStale() error {
	for n := range x.p.Segments {
		var batch []planner.UserChange
		check := func() error {
			items, err := x.look(n, batch)
			if err != nil {
				return err
			}
			for _, it := range items {
				if it.verdict == state.Changed {
					return &StaleError{Reason: fmt.Sprintf("user %s: %s; nothing was changed, plan again", it.change.User, it.left)}
				}
			}
			batch = batch[:0]
			return nil
		}
		for c, err := range x.plan.Users(n, 0) {
			if err != nil {
				return err
			}
			if batch = append(batch, c); len(batch) == 1000 {
				if err := check(); err != nil {
					return err
				}
			}
		}
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}
