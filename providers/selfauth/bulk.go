package selfauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

const (
	filterIDs = 30     // ids beside "persons" in one filter: the server allows 32 terms
	listIDs   = 40_000 // ids in one list of members: below maxRequest

	markerPrefix = "anthill-marker-"
	markerText   = "Made by Anthill to do one thing to many persons; empty in between, and deleted at the end of a run."
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

// filter is a filter of the raw calls (selfauth-api 14).
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
		a.conn.ledger.note("Self-auth does not take " + k.path + " from this token: persons are written one by one, which is much slower")
	}
	return false, nil
}

// eachPerson does one thing to many persons in one transaction, or where the server has no bulk calls one by one. Few
// are named in a filter; more are made members of a marker group, which the filter names. Ids of no person are left out.
func (a accounts) eachPerson(ctx context.Context, ids []uuid.UUID, together func(filter) call, alone func(uuid.UUID) call) error {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return interrupted(ctx, together(nil), "nothing was sent")
	}
	defer func() { <-a.marking }()
	for len(ids) > 0 {
		some := ids[:min(len(ids), listIDs)]
		ids = ids[len(some):]
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

// mark makes exactly these persons the members of the marker group. Deleting a group costs the server more than filling
// one anew, so there is one for all calls.
func (a accounts) mark(ctx context.Context, ids []uuid.UUID) error {
	if a.marker == uuid.Nil {
		if err := a.makeMarker(ctx); err != nil {
			return err
		}
	}
	k := call{method: http.MethodPut, path: attribute(a.marker, "member"), doing: fmt.Sprintf("mark %s by a group", count(len(ids), "person")), right: groupAdmins, body: encode(texts(ids)), twice: true}
	err := a.conn.write(ctx, k)
	if state.ErrorKindOf(err) != state.ErrorNotFound {
		return err
	}
	// An unknown member refuses them all, and so does a marker that somebody has deleted.
	found, err := a.Lookup(ctx, ids)
	if err != nil {
		return err
	}
	present := make([]uuid.UUID, len(found))
	for i, p := range found {
		present[i] = p.ID
	}
	k.body = encode(texts(present))
	if err := a.conn.write(ctx, k); state.ErrorKindOf(err) != state.ErrorNotFound {
		return err
	}
	if err := a.makeMarker(ctx); err != nil {
		return err
	}
	k.path = attribute(a.marker, "member")
	return a.conn.write(ctx, k)
}

// unmark takes persons out of a group and of the marker in one call, which costs the server half of two. It is false where the
// marker is empty, or the server has no such call: then nothing is done.
func (a accounts) unmark(ctx context.Context, k call, group uuid.UUID, members []uuid.UUID) (done bool, err error) {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return false, interrupted(ctx, k, "nothing was sent")
	}
	defer func() { <-a.marking }()
	if !a.marked {
		return false, nil
	}
	mods := make([]any, len(members))
	for i, id := range members {
		mods[i] = map[string]any{"removed": []string{"member", id.String()}}
	}
	k.path, k.body = "/v1/raw/modify", encode(map[string]any{"filter": idFilter("group", []uuid.UUID{group, a.marker}), "modlist": map[string]any{"mods": mods}})
	return a.raw(ctx, k)
}

func (a accounts) makeMarker(ctx context.Context) error {
	id := uuid.New()
	err := a.conn.write(ctx, call{method: http.MethodPost, path: "/v1/group", doing: "make a marker group", right: groupAdmins,
		body: encode(groupEntry(providers.NewGroup{ID: id, Name: a.markerName() + id.String()[:8], Description: markerText})), twice: true})
	if err == nil || state.ErrorKindOf(err) == state.ErrorConflict { // made by the try whose answer was lost
		a.marker = id
		return nil
	}
	return err
}

func (a accounts) markerName() string { return markerPrefix + a.owner + "-" }

// Tidy deletes the markers of this owner: what a killed process has left, and the one that is needed no more.
func (a accounts) Tidy(ctx context.Context) error {
	path := "/scim/v1/Entry?filter=" + url.PathEscape(fmt.Sprintf(`class eq "group" and name sw %q`, a.markerName())) + "&attributes=name,description"
	var ids []uuid.UUID
	err := a.conn.read(ctx, call{method: http.MethodGet, path: path, doing: "look for marker groups", right: groupAdmins, lists: true}, func(in *body) error {
		ids = nil
		return decodeList(in, maxGroups, func(dec *json.Decoder) error {
			g, err := decodeGroup(in, dec, nil)
			if err == nil && g.Description == markerText && strings.HasPrefix(g.Name, a.markerName()) {
				ids = append(ids, g.ID)
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	a.marker, a.marked = uuid.Nil, false
	return a.DeleteGroups(ctx, ids)
}

// createTogether makes entries in one transaction. When the answer is lost, one look, at any of them, says whether it happened;
// only if not, it is tried again.
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

// CreateGroups makes groups in one transaction, or none of them.
func (a accounts) CreateGroups(ctx context.Context, groups []providers.NewGroup) error {
	if len(groups) == 0 {
		return nil
	}
	entries := make([]entry, len(groups))
	for i, g := range groups {
		entries[i] = groupEntry(g)
		entries[i].Attrs["class"] = []string{"object", "group"}
	}
	k := call{path: "/v1/raw/create", body: encode(map[string]any{"entries": entries}), doing: "create " + count(len(groups), "group"), right: groupAdmins}
	can, err := a.createTogether(ctx, k, func() (bool, error) {
		_, err := a.readGroup(ctx, "look up whether a group was made", groups[0].ID.String(), nil)
		if state.ErrorKindOf(err) == state.ErrorNotFound {
			return false, nil
		}
		return err == nil, err
	})
	if can {
		return err
	}
	for _, g := range groups {
		if err := a.createGroup(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// groupsTogether is how many groups one call deletes: each costs the server a millisecond or two, every call 60 of them.
const groupsTogether = 100

// DeleteGroups deletes groups together; their members stay. Absent ones are fine. More than a filter names are made members of
// the marker group, which goes with them.
func (a accounts) DeleteGroups(ctx context.Context, ids []uuid.UUID) error {
	for some := range slices.Chunk(ids, groupsTogether) {
		if len(some) > filterIDs {
			done, err := a.deleteMarked(ctx, some)
			if err != nil {
				return err
			}
			if done {
				continue
			}
		}
		for few := range slices.Chunk(some, filterIDs) {
			if err := a.deleteNamed(ctx, few); err != nil {
				return err
			}
		}
	}
	return nil
}

// deleteMarked is false where one of the groups is absent, or the server has no such call: then nothing is deleted.
func (a accounts) deleteMarked(ctx context.Context, ids []uuid.UUID) (done bool, err error) {
	k := call{path: "/v1/raw/delete", doing: "delete " + count(len(ids), "group"), right: groupAdmins, twice: true}
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return false, interrupted(ctx, k, "nothing was sent")
	}
	defer func() { <-a.marking }()
	if a.marker == uuid.Nil {
		if err := a.makeMarker(ctx); err != nil {
			return false, err
		}
	}
	all := append(slices.Clone(ids), a.marker)
	err = a.conn.write(ctx, call{method: http.MethodPut, path: attribute(a.marker, "member"), doing: "mark " + count(len(ids), "group"), right: groupAdmins, body: encode(texts(all)), twice: true})
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	k.body = encode(map[string]any{"filter": both("group", filter{"eq": []string{"directmemberof", a.marker.String()}})})
	if done, err = a.raw(ctx, k); !done {
		return false, err
	}
	if err = a.ignoreAbsent(ctx, k, err); err == nil {
		a.marker, a.marked = uuid.Nil, false
	}
	return true, err
}

// deleteNamed deletes groups that one filter names.
func (a accounts) deleteNamed(ctx context.Context, ids []uuid.UUID) error {
	k := call{path: "/v1/raw/delete", body: encode(map[string]any{"filter": idFilter("group", ids)}), doing: "delete " + count(len(ids), "group"), right: groupAdmins, twice: true}
	can, err := a.raw(ctx, k)
	if !can {
		err = a.oneByOne(ctx, ids, func(id uuid.UUID) call {
			return call{method: http.MethodDelete, path: "/v1/group/" + id.String(), doing: "delete a group", right: groupAdmins, twice: true}
		})
	}
	return a.ignoreAbsent(ctx, k, err)
}

// ignoreAbsent: what is not there needs nothing done to it. What the account may not see looks the same, so it is asked
// whether it has the right still.
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
	return &state.Error{Kind: state.ErrorDenied, Side: side, Doing: k.doing, Reason: "the account lacks the right, so that nothing is seen that it could be done to",
		Cure: "The right comes with the built-in group " + k.right + ": add the account to it."}
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
