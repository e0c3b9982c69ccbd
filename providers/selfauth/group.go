package selfauth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// firstFree is the first id that is not the system's (docs/selfauth-facts.md F14).
var firstFree = uuid.MustParse("00000000-0000-0000-0001-000000000000")

func isBuiltin(id uuid.UUID) bool { return bytes.Compare(id[:], firstFree[:]) < 0 }

// objectAttributes are those of a group as an object: its members may be many. The spn tells whether it is hidden.
var objectAttributes = "name,spn,description,class," + strings.Join(policyNames(), ",")

// Groups lists all groups, sorted by id, each with its direct members sorted by id. Those that the token may not see are
// Hidden; where it does not even see that they are there, they are found by their members.
func (d directory) Groups(ctx context.Context) ([]providers.Group, error) {
	groups, err := d.list(ctx, ",member")
	if errors.Is(err, errBroken) {
		groups, err = d.listOneByOne(ctx)
	}
	if err != nil {
		return nil, err
	}
	more, err := d.unlisted(ctx, groups)
	if err != nil {
		return nil, err
	}
	groups = append(groups, more...)
	slices.SortFunc(groups, func(a, b providers.Group) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return groups, nil
}

// listOneByOne is for a directory in which a group refers to a deleted entry: the server then lists none of them with
// its members. That one group is Hidden; the others are read.
func (d directory) listOneByOne(ctx context.Context) ([]providers.Group, error) {
	groups, err := d.list(ctx, "")
	if err != nil {
		return nil, err
	}
	all := func(uuid.UUID) bool { return true }
	for i := range groups {
		if groups[i].Hidden {
			continue
		}
		g, err := d.conn.readGroup(ctx, "read a group", groups[i].ID.String(), all)
		switch {
		case errors.Is(err, errBroken), state.ErrorKindOf(err) == state.ErrorNotFound:
			groups[i].Hidden = true
		case err != nil:
			return nil, err
		default:
			g.Place = groups[i].Place
			groups[i] = g.Group
		}
	}
	return groups, nil
}

// list lists the groups that the token sees, with more than the attributes of an object.
func (d directory) list(ctx context.Context, more string) ([]providers.Group, error) {
	k := call{
		method: http.MethodGet, path: listing("group", objectAttributes+more), doing: "list groups",
		right: groupAdmins, lists: true,
	}
	var groups []providers.Group
	err := d.conn.read(ctx, k, func(in *body) error {
		groups = nil
		return decodeList(in, maxGroups, func(dec *json.Decoder) error {
			g, err := decodeGroup(in, dec, nil)
			g.Place = len(groups)
			if err == nil {
				groups = append(groups, g.Group)
			}
			return err
		})
	})
	return groups, err
}

// scimGroup is an entry read as a group.
type scimGroup struct {
	providers.Group
	is bool // it has the class
}

// decodeGroup decodes one entry member by member, so that a group of a million is not held as text. want, if not
// nil, chooses the members that are kept.
func decodeGroup(in *body, dec *json.Decoder, want func(uuid.UUID) bool) (scimGroup, error) {
	var (
		g       scimGroup
		spn     string
		classes []string
	)
	policy := state.Attributes{}
	err := decodeObject(dec, func(key string) error {
		// The bound is per member: what is read one by one may be long as a whole.
		in.grant(maxEntry)
		switch key {
		case "id":
			return decodeID(dec, &g.ID)
		case "name":
			return dec.Decode(&g.Name)
		case "spn":
			return dec.Decode(&spn)
		case "description":
			return dec.Decode(&g.Description)
		case "class":
			return dec.Decode(&classes)
		case "member":
			return decodeArray(dec, func() error {
				in.grant(maxEntry)
				var ref struct {
					UUID string `json:"uuid"`
				}
				if err := dec.Decode(&ref); err != nil {
					return err
				}
				id, err := uuid.Parse(ref.UUID)
				if err != nil {
					return errors.New("a member has no valid id")
				}
				if want == nil || want(id) {
					g.Members = append(g.Members, id)
				}
				return nil
			})
		}
		if spec := policySpec.Attribute(state.Attribute(key)); spec.Form != state.FormInvalid {
			v, err := decodeSetting(dec, spec.Form)
			policy[spec.Name] = v
			return err
		}
		return skip(dec)
	})
	if err != nil {
		return g, err
	}
	// A group keeps settings of a policy that was taken off it; without the class they mean nothing.
	if slices.Contains(classes, "account_policy") {
		g.Policy = policy
	}
	if g.ID == uuid.Nil {
		return g, errors.New("an entry has no id")
	}
	slices.SortFunc(g.Members, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	g.is = slices.Contains(classes, "group")
	g.Hidden = spn == ""
	g.Builtin = isBuiltin(g.ID) || slices.Contains(classes, "dyngroup")
	return g, nil
}

func decodeID(dec *json.Decoder, id *uuid.UUID) error {
	var text string
	if err := dec.Decode(&text); err != nil {
		return err
	}
	parsed, err := uuid.Parse(text)
	if err != nil {
		return errors.New("an entry has no valid id")
	}
	*id = parsed
	return nil
}

// readGroup reads one group; want, if not nil, chooses the members that are read as well. id is an id, or of the form of
// names.
func (c *conn) readGroup(ctx context.Context, doing, id string, want func(uuid.UUID) bool) (g scimGroup, err error) {
	attributes := objectAttributes
	if want != nil {
		attributes += ",member"
	}
	k := call{
		method: http.MethodGet, path: "/scim/v1/Entry/" + id + "?attributes=" + attributes, doing: doing,
		right: groupAdmins, lists: true,
	}
	err = c.read(ctx, k, func(in *body) error {
		var err error
		g, err = decodeGroup(in, json.NewDecoder(in), want)
		return err
	})
	return g, err
}

func groupEntry(g providers.NewGroup) entry {
	e := entry{map[string][]string{"uuid": {g.ID.String()}, "name": {g.Name}}}
	if g.Description != "" {
		e.Attrs["description"] = []string{g.Description}
	}
	return e
}

// CreateGroups makes groups in one transaction, or none of them. For a single group it is no error if it is there
// already, and Burnt if a deleted entry has the id.
func (a accounts) CreateGroups(ctx context.Context, groups []providers.NewGroup) error {
	switch len(groups) {
	case 0:
		return nil
	case 1:
		return a.createGroup(ctx, groups[0])
	}
	entries := make([]entry, len(groups))
	for i, g := range groups {
		entries[i] = groupEntry(g)
		entries[i].Attrs["class"] = []string{"object", "group"}
	}
	k := call{
		path: "/v1/raw/create", body: encode(map[string]any{"entries": entries}),
		doing: "create " + count(len(groups), "group"), right: groupAdmins,
	}
	can, err := a.createTogether(ctx, k, func() (bool, error) {
		_, err := a.conn.readGroup(ctx, "find a group", groups[0].ID.String(), nil)
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

func (a accounts) createGroup(ctx context.Context, g providers.NewGroup) error {
	err := a.conn.write(ctx, call{
		method: http.MethodPost,
		path:   "/v1/group",
		body:   encode(groupEntry(g)),
		doing:  "create a group",
		right:  groupAdmins,
		twice:  true,
	})
	err = a.whoseID(ctx, err, g.ID)
	if state.ErrorKindOf(err) == state.ErrorBurnt {
		// A group that is hidden takes up its id as a deleted one does.
		held, lookErr := a.stillHeld(ctx, []uuid.UUID{g.ID})
		if lookErr == nil && held {
			lookErr = hidden("create a group")
		}
		return cmp.Or(lookErr, err)
	}
	if state.ErrorKindOf(err) != state.ErrorConflict {
		return err
	}
	// A lost answer or a stopped run may have left it made: the id says whose it is.
	made, lookErr := a.conn.readGroup(ctx, "read a group", g.ID.String(), nil)
	switch {
	case lookErr != nil || !made.is:
		return err
	case made.Hidden:
		return hidden("create a group")
	}
	return nil
}

// changeGroup writes name and description first, then takes strangers out or puts them back.
func (a accounts) changeGroup(ctx context.Context, id uuid.UUID, from, to state.Attributes) error {
	patch := map[string][]string{}
	for _, name := range []state.Attribute{state.AttrName, state.AttrDescription} {
		if v, given := to[name]; given && !v.Equal(from[name]) {
			patch[string(name)] = oneOrNone(v.Text)
		}
	}
	const doing = "change a group"
	err := a.patch(ctx, call{path: "/v1/group/" + id.String(), doing: doing, right: groupAdmins}, patch)
	if err != nil {
		return a.unlessHidden(ctx, doing, id, err)
	}
	if _, given := to[state.AttrStrangers]; !given {
		return nil
	}
	was, will := from[state.AttrStrangers].Members(), to[state.AttrStrangers].Members()
	if gone := minus(was, will); len(gone) > 0 {
		if err := a.RemoveMembers(ctx, providers.Members{Group: id, Persons: gone}); err != nil {
			return err
		}
	}
	back := minus(will, was)
	if len(back) == 0 {
		return nil
	}
	err = a.AddMembers(ctx, id, back)
	if state.ErrorKindOf(err) != state.ErrorNotFound {
		return err
	}
	// One of them is gone by now, and the server refuses all for it. The others still come back, one by one.
	for _, one := range back {
		if err := a.AddMembers(ctx, id, []uuid.UUID{one}); err != nil && state.ErrorKindOf(err) != state.ErrorNotFound {
			return err
		}
	}
	return nil
}

func minus(a, b []uuid.UUID) []uuid.UUID {
	if len(b) == 0 {
		return a
	}
	return slices.DeleteFunc(slices.Clone(a), func(id uuid.UUID) bool { return slices.Contains(b, id) })
}

// groupsTogether is how many groups one call deletes: each costs the server a millisecond or two, every call 60 of
// them.
const groupsTogether = 100

// DeleteGroups deletes groups together; their members stay. Absent groups are ignored. If there are more than one
// filter can name, they are made members of the marker group, which is deleted with them.
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
	held, err := a.stillHeld(ctx, ids)
	if err == nil && held {
		err = hidden("delete " + count(len(ids), "group"))
	}
	return err
}

// stillHeld says whether persons are members of one of the groups: then it is there, whatever the server shows of it.
func (a accounts) stillHeld(ctx context.Context, groups []uuid.UUID) (bool, error) {
	for some := range slices.Chunk(groups, filterIDs) {
		terms := make([]filter, len(some))
		for i, id := range some {
			terms[i] = filter{"eq": []string{"directmemberof", id.String()}}
		}
		found, err := a.search(ctx, "look for members of groups", peopleAdmins, both("person", filter{"or": terms}))
		held := len(found) > 0
		if missingCall(err) {
			held, err = a.anyHeld(ctx, some)
		}
		if err != nil || held {
			return held, err
		}
	}
	return false, nil
}

// deleteNamed deletes groups that one filter names.
func (a accounts) deleteNamed(ctx context.Context, ids []uuid.UUID) error {
	k := call{
		path: "/v1/raw/delete", body: encode(map[string]any{"filter": idFilter("group", ids)}),
		doing: "delete " + count(len(ids), "group"), right: groupAdmins, twice: true,
	}
	can, err := a.raw(ctx, k)
	if !can {
		err = a.oneByOne(ctx, ids, "group", "delete ", func(id uuid.UUID) call {
			return call{method: http.MethodDelete, path: "/v1/group/" + id.String()}
		})
	}
	return a.ignoreAbsent(ctx, k, err)
}

// anyHeld is stillHeld for a server without bulk calls.
func (a accounts) anyHeld(ctx context.Context, groups []uuid.UUID) (held bool, err error) {
	for _, g := range groups {
		err := a.eachMember(ctx, g, func(providers.Person) bool { held = true; return false })
		if err != nil || held {
			return held, err
		}
	}
	return false, nil
}

// Members returns which of the persons are direct members of the group, sorted by id. Errors: NotFound if there is
// no such group.
func (a accounts) Members(ctx context.Context, group uuid.UUID, of []uuid.UUID) ([]uuid.UUID, error) {
	wanted := make(map[uuid.UUID]bool, len(of))
	for _, id := range of {
		wanted[id] = true
	}
	g, err := a.conn.readGroup(ctx, "read group members", group.String(),
		func(id uuid.UUID) bool { return wanted[id] })
	switch {
	case err == nil && !g.Hidden:
		return g.Members, nil
	case err != nil && !errors.Is(err, errUnseen) && !errors.Is(err, errBroken):
		return nil, err
	}
	// What the group does not tell, its members do.
	ids, lookErr := a.seenIn(ctx, group, wanted)
	switch {
	case lookErr != nil:
		return nil, lookErr
	case len(ids) == 0 && errors.Is(err, errUnseen):
		return nil, err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

// AddMembers adds members; some may be in the group already. Errors: NotFound if the group, or one of the members, does
// not exist; then none was added, unless there are more than fit into one request.
func (a accounts) AddMembers(ctx context.Context, group uuid.UUID, members []uuid.UUID) error {
	// The server refuses an entry that is deleted, but lets it in beside others who are there; from then on it lists no
	// group with its members (docs/selfauth-facts.md F55). So those who may be deleted come first, each alone.
	others := members
	if strange := a.notMet(members); len(strange) > 0 {
		_, missing, err := a.find(ctx, strange)
		if state.ErrorKindOf(err) == state.ErrorDenied {
			missing, err = nil, nil // it may see no persons, and can only try
		}
		if err != nil {
			return err
		}
		for _, one := range missing {
			if err := a.members(ctx, http.MethodPost, "add a member to a group", group, []uuid.UUID{one}); err != nil {
				return err
			}
		}
		others = minus(members, missing)
	}
	return a.members(ctx, http.MethodPost, "add "+count(len(others), "member")+" to a group", group, others)
}

// entriesAsked is how many entries one question names: a chain of `or` is nested, and the server allows a depth of 12.
const entriesAsked = 8

// idIn is a filter of entries by their ids.
func idIn(ids []uuid.UUID) string {
	terms := make([]string, len(ids))
	for i, id := range ids {
		terms[i] = `uuid eq "` + id.String() + `"`
	}
	return strings.Join(terms, " or ")
}

// RemoveMembers takes persons out of groups, one group after another; some may not be in theirs. It panics on an empty
// list, by which the server would understand everybody.
func (a accounts) RemoveMembers(ctx context.Context, from ...providers.Members) error {
	for some := range slices.Chunk(from, entriesAsked) {
		if err := a.removeSome(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

// removeSome takes persons out of groups that one question names.
func (a accounts) removeSome(ctx context.Context, from []providers.Members) error {
	groups := make([]uuid.UUID, len(from))
	for i, m := range from {
		if len(m.Persons) == 0 {
			panic("selfauth: remove no members: Self-auth would remove all")
		}
		groups[i] = m.Group
	}
	marked, err := a.hasMarked(ctx)
	if err != nil {
		return err
	}
	// Before and behind the calls: one that is hidden at either moment is not said to have been left.
	if marked {
		if err := a.writable(ctx, groups); err != nil {
			return err
		}
	}
	var silent []uuid.UUID // groups of calls that end well whatever became of the group
	for _, m := range from {
		doing := "remove " + count(len(m.Persons), "member") + " from a group"
		done := false
		// A change of each is twice as long as its id.
		if len(m.Persons) < listIDs/2 {
			done, err = a.unmark(ctx, call{doing: doing, right: groupAdmins, twice: true}, m.Group, m.Persons)
			if err != nil {
				return err
			}
		}
		if done {
			silent = append(silent, m.Group)
		} else if err := a.members(ctx, http.MethodDelete, doing, m.Group, m.Persons); err != nil {
			return err
		}
	}
	return a.writable(ctx, silent)
}

// members does the call in parts that fit a request; no part is empty.
func (a accounts) members(ctx context.Context, method, doing string, group uuid.UUID, members []uuid.UUID) error {
	for some := range slices.Chunk(members, listIDs) {
		k := call{
			method: method,
			path:   attribute(group, "member"),
			body:   encode(texts(some)),
			doing:  doing,
			right:  groupAdmins,
			twice:  true,
		}
		if err := a.conn.write(ctx, k); err != nil {
			return a.unlessHidden(ctx, doing, group, err)
		}
	}
	return nil
}

// writable refuses groups, at most entriesAsked, of which one is hidden, or not there: one call that changes such a group
// together with the marker ends well though only the marker was seen.
func (a accounts) writable(ctx context.Context, groups []uuid.UUID) error {
	seen, err := a.seen(ctx, groups)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if !seen[group] {
			if err := a.writableAlone(ctx, group); err != nil {
				return err
			}
		}
	}
	return nil
}

const askingGroup = "remove members"

// seen are those of groups that the token sees with their members. A single one is not looked for.
func (a accounts) seen(ctx context.Context, groups []uuid.UUID) (map[uuid.UUID]bool, error) {
	if len(groups) < 2 {
		return nil, nil
	}
	k := call{
		method: http.MethodGet, path: query(`class eq "group" and (`+idIn(groups)+")", "spn"),
		doing: askingGroup, right: groupAdmins, lists: true,
	}
	var seen map[uuid.UUID]bool
	err := a.conn.read(ctx, k, func(in *body) error {
		seen = make(map[uuid.UUID]bool, len(groups))
		return decodeList(in, maxGroups, func(dec *json.Decoder) error {
			g, err := decodeGroup(in, dec, nil)
			seen[g.ID] = !g.Hidden
			return err
		})
	})
	return seen, err
}

func (a accounts) writableAlone(ctx context.Context, group uuid.UUID) error {
	k := call{
		method: http.MethodGet, path: "/scim/v1/Entry/" + group.String() + "?attributes=spn", doing: askingGroup,
		right: groupAdmins,
	}
	var g struct {
		Spn string `json:"spn"`
	}
	err := a.conn.read(ctx, k, func(in *body) error { return decodeWhole(in, &g) })
	if err == nil && g.Spn == "" {
		return hidden(askingGroup)
	}
	return a.unlessHidden(ctx, askingGroup, group, err)
}

func attribute(group uuid.UUID, name string) string {
	return "/v1/group/" + group.String() + "/_attr/" + name
}
