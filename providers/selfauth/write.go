package selfauth

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

const (
	filterIDs = 30     // ids beside "persons" in one filter: the server allows 32 terms (F30)
	listIDs   = 40_000 // ids in one list of members: below maxRequest
)

// bulk is what a client knows about doing one thing to many.
type bulk struct {
	owner    string
	maxWrite time.Duration

	marking chan struct{} // holds one: the bulk call that has the marker
	marker  uuid.UUID     // the marker group; zero: not made yet
	marked  bool          // it has members that are done with

	mu    sync.Mutex
	lacks map[string]bool // bulk calls that the server or the token lacks
	// persons who were there a moment ago, made or seen: those of late, and those before
	met [2]map[uuid.UUID]struct{}
}

// mostMet bounds what is remembered of persons: those of a batch or two.
const mostMet = 2 * mostBatch

// meet notes persons who are there.
func (b *bulk) meet(ids ...uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.met[0] == nil || len(b.met[0])+len(ids) > mostMet {
		b.met[1], b.met[0] = b.met[0], make(map[uuid.UUID]struct{}, len(ids))
	}
	for _, id := range ids {
		b.met[0][id] = struct{}{}
	}
}

// part forgets whom it has met.
func (b *bulk) part() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.met = [2]map[uuid.UUID]struct{}{}
}

// notMet are those who were not met lately.
func (b *bulk) notMet(ids []uuid.UUID) (list []uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		_, now := b.met[0][id]
		_, before := b.met[1][id]
		if !now && !before {
			list = append(list, id)
		}
	}
	return list
}

// filter is a filter of the raw calls (docs/selfauth-facts.md F30).
type filter map[string]any

func idFilter(class string, ids []uuid.UUID) filter {
	terms := make([]filter, len(ids))
	for i, id := range ids {
		terms[i] = filter{"eq": []string{"uuid", id.String()}}
	}
	return both(class, filter{"or": terms})
}

func both(class string, which filter) filter {
	return filter{"and": []filter{{"eq": []string{"class", class}}, which}}
}

// raw does a bulk call. can is false where the server has no such call, or the token may not do it: it was not done, is
// not tried again, and is said once.
func (a accounts) raw(ctx context.Context, k call) (can bool, err error) {
	a.mu.Lock()
	lacks := a.lacks[k.path]
	a.mu.Unlock()
	if lacks {
		return false, nil
	}
	k.method = http.MethodPost
	err = a.conn.write(ctx, k)
	if !missingCall(err) {
		return true, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lacks == nil {
		a.lacks = map[string]bool{}
	}
	if !a.lacks[k.path] {
		a.lacks[k.path] = true
		a.conn.ledger.note(state.Found(state.CodeNoBulkCall, state.Text(state.KeyPath, k.path)))
	}
	return false, nil
}

// createTogether makes entries in one transaction. When the answer is lost, one look, at any of them, says whether it
// happened; only if not, it is tried again.
func (a accounts) createTogether(ctx context.Context, k call, isMade func() (bool, error)) (can bool, err error) {
	for tries := 1; ; tries++ {
		can, err := a.raw(ctx, k)
		if !can || state.ErrorKindOf(err) != state.ErrorUnreachable || ctx.Err() != nil || tries == connectionTries {
			return can, err
		}
		made, lookErr := isMade()
		if lookErr != nil || made {
			return true, lookErr
		}
		a.conn.ledger.retried()
	}
}

// deed is one thing that is done to many persons.
type deed struct {
	doing    string            // "expire ": for errors
	together func(filter) call // for all that the filter names, in one transaction
	alone    func(uuid.UUID) call
	ends     bool                        // nobody is there when it is done
	done     func(providers.Person) bool // unless it ends: whether a person is as it is to be
}

// reachTries is how often a deed is tried on those who were not reached; the last time each alone.
const reachTries = 3

// eachPerson does one thing to many persons. A few are named in a filter; more are made members of the marker group,
// which the filter names. The server says neither how many it reached nor whom, and the marker may be emptied or deleted
// in between: so all are looked at afterwards, and the deed is done again to those who were missed. Ids of nobody are
// left out.
//
// Errors: Refused where some cannot be reached; whom, the caller finds out by asking for fewer.
func (a accounts) eachPerson(ctx context.Context, ids []uuid.UUID, d deed) error {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return interrupted(ctx, call{doing: d.doing + count(len(ids), "person")}, "nothing was sent")
	}
	defer func() { <-a.marking }()
	for some := range slices.Chunk(ids, listIDs) {
		if err := a.reach(ctx, some, d); err != nil {
			return err
		}
	}
	return nil
}

func (a accounts) reach(ctx context.Context, ids []uuid.UUID, d deed) error {
	left := ids
	for n := 1; n <= reachTries && len(left) > 0; n++ {
		var err error
		if n < reachTries {
			err = a.atOnce(ctx, left, d)
		} else {
			err = a.oneByOne(ctx, left, "person", d.doing, d.alone)
		}
		if err != nil {
			return err
		}
		if left, err = a.missed(ctx, left, d); err != nil {
			return err
		}
	}
	if len(left) == 0 {
		return nil
	}
	return &state.Error{
		Kind: state.ErrorRefused, Side: side, Doing: d.doing + count(len(ids), "person"),
		Reason: "Self-auth says that it is done, and has not done it to " + count(len(left), "person"),
		Cure:   again(call{writes: true}),
	}
}

// atOnce does a deed in one transaction, or one by one where the server has no bulk calls. That nobody was found is no
// error: missed says what it means.
func (a accounts) atOnce(ctx context.Context, ids []uuid.UUID, d deed) error {
	// Few are named in the filter itself, which saves the call that fills the marker.
	which := idFilter("person", ids[:min(len(ids), filterIDs)])
	if len(ids) > filterIDs {
		if err := a.mark(ctx, ids); err != nil {
			return err
		}
		which = both("person", filter{"eq": []string{"directmemberof", a.marker.String()}})
	}
	k := d.together(which)
	k.doing, k.right, k.twice = d.doing+count(len(ids), "person"), peopleAdmins, true
	can, err := a.raw(ctx, k)
	switch {
	case !can:
		return a.oneByOne(ctx, ids, "person", d.doing, d.alone)
	case state.ErrorKindOf(err) == state.ErrorNotFound:
		return nil
	}
	return err
}

// missed returns those whom a deed has not reached: who are there, and not as they are to be.
func (a accounts) missed(ctx context.Context, ids []uuid.UUID, d deed) (left []uuid.UUID, err error) {
	if d.ends {
		found, _, err := a.find(ctx, ids)
		for _, p := range found {
			left = append(left, p.ID)
		}
		a.part()
		if err == nil && len(ids) > filterIDs {
			err = a.emptyMarker(ctx)
		}
		return left, err
	}
	// One question for all of them, where they are in the marker still.
	rest := ids
	if len(ids) > filterIDs && a.marker != uuid.Nil {
		if rest, err = a.notSeen(ctx, ids, d); err != nil || len(rest) == 0 {
			return nil, err
		}
	}
	found, err := a.Lookup(ctx, rest)
	for _, p := range found {
		if !d.done(p) {
			left = append(left, p.ID)
		}
	}
	if err == nil && len(found) < len(rest) {
		err = a.emptyMarker(ctx)
	}
	return left, err
}

// notSeen returns those who are not seen in the marker as they are to be. Others whom somebody has put into it were met
// by the deed as well, which is said.
func (a accounts) notSeen(ctx context.Context, ids []uuid.UUID, d deed) (rest []uuid.UUID, err error) {
	wanted := make(map[uuid.UUID]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	var strangers []string
	var there []uuid.UUID
	err = a.eachMember(ctx, a.marker, func(p providers.Person) bool {
		switch {
		case !wanted[p.ID] && !d.done(p):
		case !wanted[p.ID]:
			strangers = append(strangers, p.ID.String())
		case d.done(p):
			delete(wanted, p.ID)
			there = append(there, p.ID)
		}
		return true
	})
	a.meet(there...)
	if n := len(strangers); n > 0 {
		some := state.List(state.KeyPersons, strangers[:min(n, 10)]...)
		a.conn.ledger.note(state.Found(state.CodeMarkerStrangers, some).Times(int64(n)))
	}
	for id := range wanted {
		rest = append(rest, id)
	}
	slices.SortFunc(rest, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return rest, err
}

// oneByOne does something to each; entries that are not there need nothing done to them.
func (a accounts) oneByOne(ctx context.Context, ids []uuid.UUID, noun, doing string, alone func(uuid.UUID) call) error {
	for _, id := range ids {
		k := alone(id)
		k.doing, k.twice = doing+"a "+noun, true
		if k.right = peopleAdmins; noun == "group" {
			k.right = groupAdmins
		}
		if err := a.ignoreAbsent(ctx, k, a.conn.write(ctx, k)); err != nil {
			return err
		}
	}
	return nil
}

// ignoreAbsent drops a NotFound: an entry that is not there needs nothing done to it. But entries that the account may
// not see look the same, so it first asks whether the account still has the right.
func (a accounts) ignoreAbsent(ctx context.Context, k call, err error) error {
	if state.ErrorKindOf(err) != state.ErrorNotFound {
		return err
	}
	return a.conn.judgeAbsence(ctx, k.doing, k.right)
}

func oneOrNone(v string) []string {
	if v == "" {
		return []string{}
	}
	return []string{v}
}

// patch replaces attributes, all in one transaction; an empty list takes one away.
func (a accounts) patch(ctx context.Context, k call, attrs map[string][]string) error {
	if len(attrs) == 0 {
		return nil
	}
	k.method, k.body, k.twice = http.MethodPatch, encode(entry{attrs}), true
	return a.conn.write(ctx, k)
}

func texts(ids []uuid.UUID) []string {
	t := make([]string, len(ids))
	for i, id := range ids {
		t[i] = id.String()
	}
	return t
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
