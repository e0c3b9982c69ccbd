package selfauth

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
)

const (
	filterIDs = 30     // ids beside "persons" in one filter: the server allows 32 terms
	listIDs   = 40_000 // ids in one list of members: below maxRequest

	markerPrefix   = "anthill-marker-"
	markerPatience = 30 * time.Second // for taking a marker away when the caller has been interrupted
)

// filter is a filter of the raw calls (selfauth-api 14).
type filter map[string]any

func personsIn(ids []uuid.UUID) filter {
	terms := make([]filter, len(ids))
	for i, id := range ids {
		terms[i] = filter{"eq": []string{"uuid", id.String()}}
	}
	return persons(filter{"or": terms})
}

func persons(which filter) filter {
	return filter{"and": []filter{{"eq": []string{"class", "person"}}, which}}
}

// eachMarked does one thing to many persons in one transaction. Few are named in the filter; for more they are made
// members of a marker group first, which the filter names and which is taken away after. Ids of no person are left
// out.
func (a accounts) eachMarked(ctx context.Context, doing string, ids []uuid.UUID, do func(filter) call) error {
	run := func(f filter) error {
		k := do(f)
		k.method, k.doing, k.right = http.MethodPost, doing, peopleAdmins
		return ignoreAbsent(a.conn.write(ctx, k))
	}
	switch {
	case len(ids) == 0:
		return nil
	case len(ids) <= filterIDs:
		return run(personsIn(ids))
	}
	// A marker with an unknown member is refused; one with a group as member would reach that group's persons.
	found, err := a.Lookup(ctx, ids)
	if err != nil {
		return err
	}
	present := make([]uuid.UUID, len(found))
	for i, p := range found {
		present[i] = p.ID
	}
	for some := range slices.Chunk(present, listIDs) {
		if err := a.marked(ctx, doing, some, run); err != nil {
			return err
		}
	}
	return nil
}

// marked runs something on the members of a new marker group. The marker goes also when that fails, and when it is
// not known whether the marker was made.
func (a accounts) marked(ctx context.Context, doing string, ids []uuid.UUID, run func(filter) error) error {
	marker := uuid.New()
	err := a.conn.write(ctx, call{
		method: http.MethodPost, path: "/v1/group", doing: doing + ": mark them by a group", right: groupAdmins,
		body: encode(entry{map[string][]string{
			"uuid": {marker.String()}, "name": {markerPrefix + marker.String()[:8]},
			"description": {"Made by Anthill for one call; may be deleted."}, "member": texts(ids),
		}}),
	})
	if err != nil && providers.KindOf(err) != providers.Unreachable {
		return err
	}
	if err == nil {
		err = run(persons(filter{"eq": []string{"memberof", marker.String()}}))
	}
	// The caller's interruption must not leave the marker behind.
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), markerPatience)
	defer cancel()
	cleanErr := ignoreAbsent(a.deleteGroup(clean, marker, doing+": delete the marker group"))
	if err == nil {
		err = cleanErr
	}
	return err
}

// ignoreAbsent: what is not there needs nothing done to it.
func ignoreAbsent(err error) error {
	if providers.KindOf(err) == providers.NotFound {
		return nil
	}
	return err
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
