package selfauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// The marker group is how one thing is done to many at once: they are made its members, and a filter names it.
const (
	markerPrefix = "anthill-marker-"
	markerText   = "Anthill: temporary, safe to delete" // for people who find one, and for Tidy, which looks for it
)

// mark makes exactly these persons the members of the marker group; those who are not there are left out. Deleting a
// group costs the server more than filling one anew, so there is one for all calls.
func (a accounts) mark(ctx context.Context, ids []uuid.UUID) error {
	if a.marker == uuid.Nil {
		if err := a.makeMarker(ctx); err != nil {
			return err
		}
	}
	a.marked = true
	doing := "mark " + count(len(ids), "person")
	err := a.setMarker(ctx, doing, ids)
	if !markFailed(err) {
		return err
	}
	// The server refuses all members for one that does not exist, and says the same of a marker that somebody has deleted.
	// So the members are looked up first, and only if that does not help a new marker is made: as where somebody has put
	// the marker where the token cannot change it.
	found, err := a.Lookup(ctx, ids)
	if err != nil {
		return err
	}
	present := make([]uuid.UUID, len(found))
	for i, p := range found {
		present[i] = p.ID
	}
	if err := a.setMarker(ctx, doing, present); !markFailed(err) {
		return err
	}
	if err := a.makeMarker(ctx); err != nil {
		return err
	}
	return a.setMarker(ctx, doing, present)
}

func markFailed(err error) bool {
	kind := state.ErrorKindOf(err)
	return kind == state.ErrorNotFound || kind == state.ErrorRefused
}

func (a accounts) setMarker(ctx context.Context, doing string, ids []uuid.UUID) error {
	return a.conn.write(ctx, call{
		method: http.MethodPut,
		path:   attribute(a.marker, "member"),
		doing:  doing,
		right:  groupAdmins,
		body:   encode(texts(ids)),
		twice:  true,
	})
}

// emptyMarker takes everybody out. A deleted person beside live ones is let in as a member, and then the server lists no
// group at all to anybody (docs/selfauth-facts.md F55).
func (a accounts) emptyMarker(ctx context.Context) error {
	if !a.marked {
		return nil
	}
	a.marked = false
	err := a.setMarker(ctx, "empty the marker", nil)
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return nil
	}
	return err
}

// hasMarked reports whether the marker has members.
func (a accounts) hasMarked(ctx context.Context) (bool, error) {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return false, interrupted(ctx, call{doing: "remove members"}, "nothing was sent")
	}
	defer func() { <-a.marking }()
	return a.marked, nil
}

// unmark takes persons out of a group and of the marker in one call, which costs the server half of two. It is false
// where the marker is empty, or the server has no such call: then nothing is done. It also ends well where the group is
// hidden, or not there, and only the marker was changed: see writable.
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
	k.path, k.body = "/v1/raw/modify", encode(map[string]any{
		"filter": idFilter("group", []uuid.UUID{group, a.marker}), "modlist": map[string]any{"mods": mods},
	})
	return a.raw(ctx, k)
}

func (a accounts) makeMarker(ctx context.Context) error {
	id := uuid.New()
	err := a.conn.write(ctx, call{
		method: http.MethodPost,
		path:   "/v1/group",
		doing:  "make a marker",
		right:  groupAdmins,
		body: encode(groupEntry(providers.NewGroup{
			ID: id, Name: a.markerName() + id.String()[:8], Description: markerText,
		})),
		twice: true,
	})
	// Made by the try whose answer was lost.
	if err == nil || state.ErrorKindOf(err) == state.ErrorConflict {
		a.marker = id
		return nil
	}
	return err
}

// Drain makes the marker, and so waits for its turn: the server does writes one after another, in the order in which they
// came.
func (a accounts) Drain(ctx context.Context) error {
	select {
	case a.marking <- struct{}{}:
	case <-ctx.Done():
		return interrupted(ctx, call{doing: "wait for earlier writes"}, "nothing was sent")
	}
	defer func() { <-a.marking }()
	return a.makeMarker(ctx)
}

func (a accounts) markerName() string { return markerPrefix + a.owner + "-" }

// Tidy deletes the markers of this owner: those that a killed process has left, and the one that is no longer needed.
func (a accounts) Tidy(ctx context.Context) error {
	path := query(fmt.Sprintf(`class eq "group" and name sw %q`, a.markerName()), "name,description")
	var ids []uuid.UUID
	err := a.conn.read(ctx, call{
		method: http.MethodGet, path: path, doing: "find marker groups", right: groupAdmins, lists: true,
	}, func(in *body) error {
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
	// Ours by its id, whatever somebody has made of it.
	if a.marker != uuid.Nil && !slices.Contains(ids, a.marker) {
		ids = append(ids, a.marker)
	}
	a.marker, a.marked = uuid.Nil, false
	return a.DeleteGroups(ctx, ids)
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
	if err = a.setMarker(ctx, "mark "+count(len(ids), "group"), all); err != nil {
		if markFailed(err) {
			err = nil
		}
		return false, err
	}
	k.body = encode(map[string]any{"filter": both("group",
		filter{"eq": []string{"directmemberof", a.marker.String()}})})
	if done, err = a.raw(ctx, k); !done {
		return false, err
	}
	if err = a.ignoreAbsent(ctx, k, err); err == nil {
		a.marker, a.marked = uuid.Nil, false
	}
	return true, err
}
