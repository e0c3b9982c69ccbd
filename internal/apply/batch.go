package apply

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// item is one user of a batch on its way.
type item struct {
	change  plan.UserChange
	shape   *plan.Shape
	row     *providers.UserRow // nil: there is none
	record  *state.Record      // SegmentRestore: the journal record whose before-image is restored
	mails   *state.Record      // SegmentRestore: the one whose addresses are given back; nil: no address is changed
	invited bool               // SegmentRestore: the row's time of invitation is one that a run noted
	prior   *state.User        // what is recorded of the user; nil: nothing
	mail    *state.Mail        // that it is to be sent once its change is made; nil: none
	sent    state.Mailed       // with ReliesOutbox: what the user was sent by now
	mailed  bool               // with ReliesOutbox: mail was sent already, or may have been
	intent  state.Intent
	keeps   []string        // SegmentRelease: the addresses that the person keeps
	failed  error           // one side refused this user
	stuck   []state.Finding // why what was begun could not be put right
	begun   bool            // something may have been done for it in Self-auth
	came    bool            // of one who was put right: its change came about all the same
	verdict state.Verdict   // it is left alone; then nothing is intended
	why     state.Finding   // with verdict: why
}

// batch is some users in a row of the plan.
type batch struct {
	at, next state.Position // where it starts, and where the run has come with it
	changes  []plan.UserChange
	items    []*item
	intended chan error // gives nil or an error, once, when the items are intended; nil: nobody has begun to
	resumed  bool       // a stopped run has intended it
	// told how many of its users are open still, once the others are settled
	settled func(open int)
}

// ready waits until the batch is intended. It may be called once.
func (b *batch) ready() error { return <-b.intended }

// segment carries out the users of segment n from where the run has come. place counts segments in the order in which
// they are carried out, which is what the run's position tells.
//
// Three batches are on their way at a time: one is written in Postgres, one by Self-auth, and the next one is read and
// intended. A run that is killed leaves all of them open, and is resumed with them as one.
func (x *executor) segment(ctx context.Context, n, place int) error {
	work := context.WithoutCancel(ctx)
	s := x.effects.Segments[n]
	pos := x.journal.Position()
	if pos.Segment > place {
		return nil
	}
	from := int64(0)
	if pos.Segment == place {
		from = pos.Offset
	}
	users, stop := iter.Pull2(x.plan.Users(n, from))
	defer stop()
	// On an error as well, nothing may be left running in the background.
	defer func() { _ = x.awaitSettled() }()
	taken := from
	take := func() (*batch, error) {
		// What a stopped run had in flight is finished in any case.
		if len(x.open) == 0 && s.Kind == plan.SegmentMove && !x.shutNow(s.Wave).IsZero() {
			return &batch{}, nil
		}
		b, err := x.take(users)
		if err != nil {
			return nil, err
		}
		b.at = state.Position{Segment: place, Offset: taken}
		taken += int64(len(b.changes))
		through := taken
		b.settled = func(open int) {
			x.events(Event{Kind: Progress, Stage: string(s.Kind), Wave: s.Wave, Done: through - int64(open), Total: s.Users})
		}
		// A wave is through only when it is latched.
		if b.next = (state.Position{Segment: place, Offset: taken}); taken == s.Users && s.Kind != plan.SegmentMove {
			b.next = state.Position{Segment: place + 1}
		}
		return b, nil
	}
	b, err := take()
	for err == nil && len(b.changes) > 0 {
		// Interrupted here, a run leaves nothing open. A batch that is intended already is finished first: its intents are
		// durable, and whoever looks at them must find them settled.
		if b.intended == nil {
			if err := interrupted(ctx); err != nil {
				return err
			}
			x.intendBatch(work, n, b)
		}
		if err := b.ready(); err != nil {
			return err
		}
		// The rows of the next batch are read and its intents written while Self-auth works on this one. Not so behind a
		// resumed batch: where that ends is known only from its open intents, and they go when it is done.
		var next *batch
		if !b.resumed {
			if next, err = take(); err != nil {
				return err
			}
			if len(next.changes) > 0 && ctx.Err() == nil {
				x.intendBatch(work, n, next)
			}
		}
		if err = x.holdPaused(work, b); err == nil {
			err = x.batch(work, b)
		}
		if err != nil {
			if next != nil && next.intended != nil {
				// Its goroutine must have ended; the error at hand says more.
				_ = next.ready()
			}
			return err
		}
		if b = next; b == nil {
			b, err = take()
		}
	}
	if err != nil {
		return err
	}
	return x.awaitSettled()
}

// take takes the users of the next batch from the stream; none: it has ended.
func (x *executor) take(users func() (plan.UserChange, error, bool)) (*batch, error) {
	b := &batch{}
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
	return b, nil
}

// leastBatch is how many users a batch holds at least, unless Deps.BatchSize is set: a group gets its new members in
// one call per batch, while persons are created in calls of the size that suits the server.
const leastBatch = 500

// enough is how many users a batch holds: as many full calls of size as leastBatch needs.
func enough(size int) int { return size * max(1, (leastBatch+size-1)/size) }

// full reports whether a batch of so many users is complete; open of them have an open intent. The first batch of a
// resumed run is exactly what was left open: it ends with the last of those intents.
func (x *executor) full(users, open int) bool {
	switch {
	case len(x.open) > 0:
		return open == len(x.open)
	case x.BatchSize > 0:
		return users >= x.BatchSize
	}
	return users >= x.fit.most(enough(x.size))
}

// intendBatch reads the rows of a batch again and intends what is to be done, in the background.
func (x *executor) intendBatch(ctx context.Context, segment int, b *batch) {
	intended := make(chan error, 1)
	b.intended, b.resumed = intended, len(x.open) > 0
	go func() {
		var err error
		if b.items, err = x.look(ctx, segment, b.changes); err == nil {
			err = x.intend(ctx, segment, b.items)
		}
		intended <- err
	}()
}

// batch does the Self-auth side of a batch, and begins to write its rows and outcomes in one transaction.
func (x *executor) batch(ctx context.Context, b *batch) error {
	todo := slices.DeleteFunc(slices.Clone(b.items), func(i *item) bool { return i.verdict != 0 })
	if err := x.accounts(ctx, todo, b.resumed); err != nil {
		return err
	}
	if err := x.halt(ctx, begun(todo), refusesEach(todo)); err != nil {
		return err
	}
	// The batch before must be through: the run's position moves from batch to batch, and a position that ran ahead of
	// an unsettled batch would lose it.
	if err := x.awaitSettled(); err != nil {
		return err
	}
	if b.resumed {
		x.open = nil
	}
	x.called()
	x.settling = make(chan settledBatch, 1)
	go func(done chan<- settledBatch) {
		outcomes, err := x.settle(ctx, b.items, b.next, b.settled)
		done <- settledBatch{outcomes, err}
	}(x.settling)
	return nil
}

// look reads the rows of a batch again and finds those that are not as planned.
func (x *executor) look(ctx context.Context, segment int, changes []plan.UserChange) ([]*item, error) {
	ids := make([]uuid.UUID, len(changes))
	for i, c := range changes {
		ids[i] = c.User
	}
	// Long before they are locked, so most users who have changed are found before anything is done for them.
	rows, err := x.fetch(ctx, ids)
	if err != nil {
		return nil, err
	}
	recorded, err := x.Store.UsersByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	records, err := x.journalRecords(ctx, changes)
	if err != nil {
		return nil, err
	}
	shapes := x.plan.Shapes(segment)
	items, all := make([]*item, len(changes)), make([]item, len(changes))
	for i, c := range changes {
		it := &all[i]
		*it = item{change: c, shape: &shapes[c.Shape], row: rows[c.User], record: records[c.Record], mails: records[c.Mails]}
		if u, is := recorded[c.User]; is {
			it.prior = &u
		}
		it.intent.Segment = segment // of those, too, for whom nothing will be intended
		it.mail = x.mailOf(it)
		items[i] = it
	}
	if err := x.lookMailed(ctx, items); err != nil {
		return nil, err
	}
	for _, it := range items {
		x.judge(it)
	}
	if err := x.lookInvited(ctx, segment, items); err != nil {
		return nil, err
	}
	if err := x.lookReleased(ctx, segment, items); err != nil {
		return nil, err
	}
	return items, x.lookWhoCanLogIn(ctx, items)
}

// lookMailed reads what users were sent by now whom a plan writes to by what they had been sent when it was made.
func (x *executor) lookMailed(ctx context.Context, items []*item) error {
	byID := map[uuid.UUID]*item{}
	for _, it := range items {
		if it.shape.Ground.Relies == providers.ReliesOutbox {
			byID[it.change.User] = it
		}
	}
	if len(byID) == 0 {
		return nil
	}
	mails, err := x.Store.MailsOf(ctx, slices.Collect(maps.Keys(byID)))
	for _, m := range mails {
		it := byID[m.User]
		it.sent.Add(m)
		it.mailed = it.mailed || m.ID == it.mail.ID && !m.Status.Unsent()
	}
	return err
}

// lookInvited notes of those who are taken back whether their time of invitation is ours: another one stays.
func (x *executor) lookInvited(ctx context.Context, segment int, items []*item) error {
	if x.effects.Segments[segment].Kind != plan.SegmentRestore {
		return nil
	}
	byID := map[uuid.UUID]*item{}
	for _, it := range items {
		if it.row != nil && !it.row.Image.Invited.IsZero() {
			byID[it.change.User] = it
		}
	}
	if len(byID) == 0 {
		return nil
	}
	mails, err := x.Store.MailsOf(ctx, slices.Collect(maps.Keys(byID)))
	for _, m := range mails {
		it := byID[m.User]
		it.invited = it.invited || m.Letter == state.LetterInvitation && m.Ended.Equal(it.row.Image.Invited)
	}
	return err
}

// fetch reads the rows of users; one that is gone is missing.
func (x *executor) fetch(ctx context.Context, users []uuid.UUID) (map[uuid.UUID]*providers.UserRow, error) {
	rows, err := x.Rows.Fetch(ctx, users)
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*providers.UserRow, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	return byID, nil
}

func (x *executor) journalRecords(ctx context.Context, changes []plan.UserChange) (map[int64]*state.Record, error) {
	var ids []int64
	for _, c := range changes {
		for _, id := range []int64{c.Record, c.Mails} {
			if id != 0 {
				ids = append(ids, id)
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := x.Store.RecordsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	m := make(map[int64]*state.Record, len(list))
	for i := range list {
		m[list[i].ID] = &list[i]
	}
	return m, nil
}

// judge decides whether a user is as planned, already at its after-state, or to be left alone; the latter two get a
// verdict.
func (x *executor) judge(it *item) {
	s := it.shape
	leave := func(v state.Verdict, why state.Finding) { it.verdict, it.why = v, why }
	changed := func(code state.Code) { leave(state.Changed, state.Found(code)) }
	switch {
	case !it.knows(it.change.Record, it.record), !it.knows(it.change.Mails, it.mails):
		changed(state.CodeRecordGone)
	case s.Ground.RowGone && it.row != nil:
		changed(state.CodeRowAgain)
	case s.Ground.RowGone:
		if it.prior == nil || providers.DigestGone(*it.prior) != it.change.Before {
			x.moveOn(it)
		}
	case it.row == nil:
		changed(state.CodeRowGone)
	case it.digest() != it.change.Before && it.mailed:
		it.verdict = state.Already
	case it.digest() != it.change.Before && s.Ground.Relies == providers.ReliesOutbox:
		changed(state.CodeMailedSince)
	case it.digest() != it.change.Before:
		x.moveOn(it)
	}
	if it.verdict == 0 && x.pausedNow(it) {
		leave(state.Paused, x.pausedSince(it))
	}
	if it.verdict == state.Already {
		return
	}
	if _, open := x.open[it.change.User]; len(x.open) > 0 && it.verdict == 0 && !open {
		// It was not at its before-state when its batch was tried, and is again: the next plan has it.
		changed(state.CodeRowChanged)
	}
}

// digest is that of what a change relies on, as it is by now. The row is there.
func (it *item) digest() state.Digest {
	if r := it.shape.Ground.Relies; r != providers.ReliesOutbox {
		return providers.DigestUser(it.row.User, r, it.prior)
	}
	return providers.DigestOutbox(providers.DigestUser(it.row.User, providers.ReliesMail, it.prior), it.sent)
}

// knows reports whether the journal has the record that a change names, and it is this user's.
func (it *item) knows(id int64, r *state.Record) bool {
	return id == 0 || r != nil && r.User == it.change.User
}

// moveOn gives a user who is not as planned its verdict: at its after-state already, as the same plan is applied again or
// a killed run had got as far as the row, or changed.
func (x *executor) moveOn(it *item) {
	if x.isAfter(it) {
		it.verdict = state.Already
		return
	}
	it.verdict, it.why = state.Changed, state.Found(state.CodeRowChanged)
}

// isAfter reports whether a change is in effect already: a user who is to be linked is linked, with the planned method;
// of one whose row is not written, all is recorded that the change would record.
func (x *executor) isAfter(it *item) bool {
	e := it.shape.Effect
	if e.Link {
		return it.row != nil && it.row.Link == x.personOf(it) &&
			(e.Method == state.MethodInvalid || it.row.Method == e.Method)
	}
	if it.shape.Ground.Moved {
		return it.row != nil && it.row.Method >= e.Method && it.prior != nil && it.prior.UserState == it.shape.After
	}
	return !e.Writes() && !e.Mail && !it.shape.Ground.Unrecorded && it.prior != nil && it.prior.UserState == it.shape.After &&
		!slices.ContainsFunc(x.sets[it.shape.Join], func(g uuid.UUID) bool { return !slices.Contains(it.prior.Groups, g) }) &&
		!slices.ContainsFunc(x.sets[it.shape.Leave], func(g uuid.UUID) bool { return slices.Contains(it.prior.Groups, g) })
}

// personOf is the person concerned: the linked one, the one recorded, or the one whose id is chosen.
func (x *executor) personOf(it *item) uuid.UUID {
	ground := it.shape.Ground
	switch {
	case it.record != nil:
		return it.record.Person
	case it.change.Person != uuid.Nil:
		return it.change.Person
	case ground.Person != uuid.Nil:
		return ground.Person
	case ground.Linked && it.row != nil:
		return it.row.Link
	}
	return state.PersonID(x.effects.Lineage, it.change.User, it.shape.After.Generation)
}

// lookForStale looks at everything before any effect (-on-stale fail). Of a run that was stopped it looks at the users who
// are still to be tried: whoever is in flight is finished, or taken back, in any case, and so are its objects.
func (x *executor) lookForStale(ctx context.Context) error {
	begun, at := x.open, state.Position{}
	if x.journal != nil {
		at = x.journal.Position()
	} else if err := x.lookForStaleObjects(ctx); err != nil {
		return err
	}
	x.open = nil // judged each by itself, not as part of the batch that was in flight
	defer func() { x.open = begun }()
	for place, n := range x.effects.InOrder() {
		from := int64(0)
		switch {
		case place < at.Segment:
			continue
		case place == at.Segment:
			from = at.Offset
		}
		err := x.eachUserNow(ctx, n, from, begun, func(items []*item) error {
			for _, it := range items {
				if it.verdict == state.Changed {
					return x.staleUser(it)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// eachUserNow looks at the users of a segment from an offset on, some at a time; those of leave are left out.
func (x *executor) eachUserNow(
	ctx context.Context, n int, from int64, leave map[uuid.UUID]state.Intent, each func([]*item) error,
) error {
	const together = 1000
	var batch []plan.UserChange
	x.ahead = true
	defer func() { x.ahead = false }()
	look := func() error {
		items, err := x.look(ctx, n, batch)
		if err == nil {
			err = each(items)
		}
		batch = batch[:0]
		return err
	}
	for c, err := range x.plan.Users(n, from) {
		if err != nil {
			return err
		}
		if _, open := leave[c.User]; open {
			continue
		}
		if batch = append(batch, c); len(batch) < together {
			continue
		}
		if err := interrupted(ctx); err != nil {
			return err
		}
		if err := look(); err != nil {
			return err
		}
	}
	return look()
}

// staleUser is the error of a user who is not as planned.
func (x *executor) staleUser(it *item) error {
	if x.journal == nil {
		return &StaleError{Reason: fmt.Sprintf("user %s is not as planned (%s); nothing was changed, plan again",
			it.change.User, it.why.Code)}
	}
	return &StaleError{Reason: fmt.Sprintf("user %s is not as planned (%s); run %s stays open as it is. "+
		"Without -on-stale fail it is finished, and such users are left", it.change.User, it.why.Code, x.journal.ID())}
}
