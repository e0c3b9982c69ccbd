package selfauth

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

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

// eachPerson does one thing to many persons in one transaction, or one by one where the server has no bulk calls. A few
// are named in a filter; more are made members of the marker group, which the filter names. Ids of nobody are left out.
func (a accounts) eachPerson(ctx context.Context, ids []uuid.UUID, together func(filter) call,
	alone func(uuid.UUID) call) error {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return interrupted(ctx, together(nil), "nothing was sent")
	}
	defer func() { <-a.marking }()
	for len(ids) > 0 {
		some := ids[:min(len(ids), listIDs)]
		ids = ids[len(some):]
		// Few are named in the filter itself, which saves the call that fills the marker.
		which := idFilter("person", some[:min(len(some), filterIDs)])
		if len(some) > filterIDs {
			a.marked = true
			if err := a.mark(ctx, some); err != nil {
				return err
			}
			which = both("person", filter{"eq": []string{"directmemberof", a.marker.String()}})
		}
		k := together(which)
		k.right = peopleAdmins
		can, err := a.raw(ctx, k)
		if !can {
			err = a.oneByOne(ctx, some, alone)
		}
		if err = a.ignoreAbsent(ctx, k, err); err != nil {
			return err
		}
	}
	return nil
}

func (a accounts) oneByOne(ctx context.Context, ids []uuid.UUID, alone func(uuid.UUID) call) error {
	for _, id := range ids {
		k := alone(id)
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
	who, err := a.conn.whoami(ctx)
	if err != nil {
		return err
	}
	if who.In(k.right) {
		return nil
	}
	return &state.Error{
		Kind: state.ErrorDenied, Side: side, Doing: k.doing,
		Reason: "the account lacks the right, so that nothing is seen that it could be done to",
		Cure:   "The right comes with the built-in group " + k.right + ": add the account to it.",
	}
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
