package apply

import (
	"context"
	"errors"
	"fmt"
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

// segment carries out the users of segment n from where the run has come. place counts segments in the order in which
// they are carried out, which is what the run's position tells.
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
	var batch []planner.UserChange
	done := from
	carry := func() error {
		if err := interrupted(ctx); err != nil {
			return err
		}
		next := state.Position{Segment: place, Offset: done + int64(len(batch))}
		if next.Offset == s.Users {
			next = state.Position{Segment: place + 1}
		}
		if err := x.batch(n, state.Position{Segment: place, Offset: done}, slices.Clone(batch), next); err != nil {
			return err
		}
		done += int64(len(batch))
		batch = batch[:0]
		x.events(Event{Kind: Progress, Stage: stage, Done: done, Total: s.Users})
		return nil
	}
	defer func() { _ = x.settled() }() // where an error says more, nothing runs on
	for c, err := range x.plan.Users(n, from) {
		if err != nil {
			return err
		}
		batch = append(batch, c)
		if x.full(batch) {
			if err := carry(); err != nil {
				return err
			}
		}
	}
	if len(batch) > 0 {
		if err := carry(); err != nil {
			return err
		}
	}
	return x.settled()
}

// leastBatch is how many users a batch holds at least, unless their number is set: a group takes its new members in one
// call a batch, while persons are made in as many as the server wants.
const leastBatch = 500

// full says whether a batch is one. The first batch of a resumed run is exactly the one that was left open: it ends
// with the last of its intents.
func (x *executor) full(batch []planner.UserChange) bool {
	if len(x.open) == 0 {
		if x.BatchSize > 0 {
			return len(batch) >= x.BatchSize
		}
		return len(batch) >= max(x.size, leastBatch)
	}
	n := 0
	for _, c := range batch {
		if _, ok := x.open[c.User]; ok {
			n++
		}
	}
	return n == len(x.open)
}

// batch carries out some users: rows read again, intents, Self-auth, then one transaction of rows and outcomes. That
// last part runs on while the next batch is in flight to Self-auth: a run that is killed then has left two batches open,
// which the next one takes as one.
func (x *executor) batch(segment int, pos state.Position, changes []planner.UserChange, next state.Position) error {
	items, err := x.look(segment, changes)
	if err != nil {
		return err
	}
	resumed := len(x.open) > 0
	if err := x.intend(segment, pos, items); err != nil {
		return err
	}
	todo := slices.DeleteFunc(slices.Clone(items), func(i *item) bool { return i.verdict != 0 })
	if err := x.accounts(todo, resumed); err != nil {
		return err
	}
	if err := x.settled(); err != nil {
		return err
	}
	x.open = nil
	x.called()
	x.settling = make(chan settled, 1)
	go func(done chan<- settled) {
		outcomes, err := x.settle(items, next)
		done <- settled{outcomes, err}
	}(x.settling)
	return nil
}

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
