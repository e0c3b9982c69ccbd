package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"anthill/providers"
	"anthill/state"
)

// This file is about rows that other sessions hold. They cost their own users a moment, and the others of the batch
// nothing: those are committed first, as nobody waits for a row while others are locked.

const (
	patience  = 2 * time.Second // for the held rows of one batch, all together
	heldPause = 100 * time.Millisecond

	// mostInVain is how often what a trigger wants is waited for before a row is written, mostWaits how often in all: enough to
	// find one row of a batch, and some, and soon over where it is the same for all.
	mostInVain = 12
	mostWaits  = 64

	// mostBlocked is how many batches in a row may wait for that in vain, all their rows.
	mostBlocked = 3
)

// Of the application's sessions that write to users some wait for the whole transaction in which a batch is written. So the first
// batches are small, and the next ones larger only as far as that takes no longer than longHold: a server that is busy shows it by
// few users. Where it has taken longer, as others are at work by now, fewer users are written together, at least leastHeld.
const (
	longHold  = 100 * time.Millisecond
	firstHeld = 125
	leastHeld = 50
)

// fit is how many users may be in a batch for its rows to be held shortly. The zero fit has seen no batch.
type fit struct{ users atomic.Int64 }

// most is how many: usual, unless leastBatch were not tried yet, or were held for long.
func (f *fit) most(usual int) int {
	n := f.users.Load()
	switch {
	case n == 0:
		return min(usual, firstHeld)
	case n >= leastBatch:
		return usual
	}
	return min(usual, int(n))
}

// took notes how long it took to write so many users. Twice as many are tried where they should still be in time, and where it took
// too long as many as half of longHold would have been enough for. The batches that are under way already are of an older size: a
// small one says nothing of a larger one.
func (f *fit) took(users int, d time.Duration) {
	now := int64(f.most(leastBatch))
	switch n := int64(users); {
	case d > longHold && n > leastHeld: // fewer may have waited for something else
		f.users.Store(min(now, max(leastHeld, n*int64(longHold/2)/int64(d))))
	case d <= longHold/2 && n >= now/2:
		f.users.Store(min(leastBatch, max(now, 2*n)))
	}
}

// errNobody rolls back what wrote no row.
var errNobody = errors.New("no row is written")

// isHeld reports whether another session keeps a row from being written now.
func isHeld(r providers.UserResult) bool {
	return r.Refused.Code == state.CodeRowHeld || r.Refused.Code == state.CodeTableHeld
}

// isBlocked reports whether nothing was tried, as one of the rows or more would have waited for what a trigger wants.
func isBlocked(results []providers.UserResult) bool {
	return all(results, state.CodeTableHeld)
}

func all(results []providers.UserResult, code state.Code) bool {
	return len(results) > 0 &&
		!slices.ContainsFunc(results, func(r providers.UserResult) bool { return r.Refused.Code != code })
}

// commit writes a settlement and returns its outcomes, and those who are lost, whose intents stay open.
func (x *executor) commit(ctx context.Context, b *settlement) (done []state.Outcome, lost []*item, err error) {
	until, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var results []providers.UserResult
	note := func(tx state.Tx, got []providers.UserResult) error {
		results = got
		if err := refusesAll(got); err != nil {
			return err
		}
		// Every try sorts anew: what an earlier one found was rolled back with it.
		done, lost = b.outcomesOf(got)
		noted := slices.Clone(done)
		// Those who are lost are noted in the same transaction but stay open: a run that is killed before they are taken
		// back finds them. So are those who are held: they may be written yet.
		for _, it := range lost {
			o := outcomeOf(it.intent, it.verdict, it.why)
			o.Lost = true
			noted = append(noted, o)
		}
		return x.journal.Settle(ctx, tx, noted, b.next)
	}
	if len(b.writes) == 0 {
		err = note(nil, nil)
		b.tell(len(lost))
		return done, lost, err
	}
	began := time.Now()
	err = x.Rows.WriteUsers(ctx, b.writes, note)
	x.fit.took(len(b.writes), time.Since(began))
	if err != nil {
		return done, lost, err
	}
	b.tell(len(lost))
	if !slices.ContainsFunc(results, isHeld) {
		x.inVain = 0
		return done, lost, nil
	}
	results = slices.Clone(results)
	more, err := x.retryHeld(ctx, b, results, until)
	if err == nil {
		err = cmp.Or(refusesAll(results), x.waitsInVain(results))
	}
	_, lost = b.outcomesOf(results)
	return append(done, more...), lost, err
}

// waitsInVain is the error of mostBlocked batches in a row of which no row could be written, as writing them waits for another session:
// that is no longer about rows, and whatever it is it keeps everybody from being moved. One such batch is left like any row that is held.
func (x *executor) waitsInVain(results []providers.UserResult) error {
	if len(results) < leastAll || !isBlocked(results) {
		x.inVain = 0
		return nil
	}
	if x.inVain++; x.inVain < mostBlocked {
		return nil
	}
	x.inVain = 0
	return ofAll("Postgres", len(results), "another session holds what writing them wants, such as a table of a trigger",
		"Wait for that session, or end it.")
}

// retryHeld tries to write the rows of a settlement that are held by their results, which it brings up to date, and
// settles the users whose rows are written.
func (x *executor) retryHeld(
	ctx context.Context, b *settlement, results []providers.UserResult, until context.Context,
) (done []state.Outcome, err error) {
	var held []int
	for i, r := range results {
		if isHeld(r) {
			held = append(held, i)
		}
	}
	// What is written within somebody else's transaction counts as through only once this says so.
	if err := x.journal.Settle(ctx, nil, nil, b.next); err != nil {
		return nil, err
	}
	alone := [][]int{held}
	if isBlocked(results) {
		if done, alone, err = x.divide(ctx, b, held, results); err != nil {
			return done, err
		}
	}
	for len(alone) > 0 && goesOn(until) {
		var again [][]int
		for _, part := range alone {
			select {
			case <-until.Done():
				return done, nil
			default:
			}
			more, still, err := x.writePart(ctx, b, part, results)
			done = append(done, more...)
			if err != nil {
				return done, err
			}
			if len(still) > 0 {
				again = append(again, still)
			}
		}
		alone = again
	}
	return done, nil
}

// divide looks by halves for the rows that wait for something else than rows, each half in a transaction of its own, so
// that the others are not locked meanwhile. alone are those that were found, and rows that are held. Where there are too
// many, the others stay as they are by their results.
func (x *executor) divide(
	ctx context.Context, b *settlement, held []int, results []providers.UserResult,
) (done []state.Outcome, alone [][]int, err error) {
	parts := halves(held)
	for vain, waits := 0, 0; len(parts) > 0 && vain < mostInVain && waits < mostWaits; {
		more, still, err := x.writePart(ctx, b, parts[0], results)
		done, parts = append(done, more...), parts[1:]
		if err != nil {
			return done, nil, err
		}
		if len(more) > 0 {
			vain = 0
		}
		if len(still) == 0 {
			continue
		}
		if results[still[0]].Refused.Code != state.CodeTableHeld {
			alone = append(alone, still)
			continue
		}
		vain, waits = vain+1, waits+1
		if len(still) == 1 {
			alone = append(alone, still)
			continue
		}
		parts = append(halves(still), parts...)
	}
	return done, alone, nil
}

// goesOn waits a moment, and reports whether there is time for another try.
func goesOn(until context.Context) bool {
	select {
	case <-time.After(heldPause):
		return true
	case <-until.Done():
		return false
	}
}

// halves are two parts of a part; one of a single row is not divided.
func halves(part []int) [][]int {
	if len(part) < 2 {
		return [][]int{part}
	}
	return [][]int{part[:len(part)/2], part[len(part)/2:]}
}

// writePart writes some rows of a settlement, and settles the users whose rows are written. still are the rows that are held.
func (x *executor) writePart(
	ctx context.Context, b *settlement, part []int, results []providers.UserResult,
) (done []state.Outcome, still []int, err error) {
	some := settlement{}
	for _, i := range part {
		some.writes, some.written = append(some.writes, b.writes[i]), append(some.written, b.written[i])
	}
	err = x.Rows.WriteUsers(ctx, some.writes, func(tx state.Tx, got []providers.UserResult) error {
		for n, i := range part {
			results[i] = got[n]
		}
		if done, _ = some.outcomesOf(got); len(done) == 0 {
			return errNobody
		}
		return x.journal.Settle(ctx, tx, done, b.next)
	})
	switch {
	case errors.Is(err, errNobody):
		err = nil
	case err == nil:
		err = x.journal.Settle(ctx, nil, nil, b.next)
	}
	return done, slices.DeleteFunc(slices.Clone(part), func(i int) bool { return !isHeld(results[i]) }), err
}
