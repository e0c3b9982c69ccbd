package selfauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// firstFree is the first id that is not the system's (selfauth-api 5.3).
var firstFree = uuid.MustParse("00000000-0000-0000-0001-000000000000")

const groupAttributes = objectAttributes + ",member"

// objectAttributes are those of a group as an object: its members may be many.
const objectAttributes = "name,description,class,allow_primary_cred_fallback,auth_password_minimum_length,authsession_expiry,credential_type_minimum," +
	"limit_search_max_filter_test,limit_search_max_results,privilege_expiry,webauthn_attestation_ca_list"

// Groups lists all groups that the account may see, sorted by id, each with its direct members sorted by id.
func (d directory) Groups(ctx context.Context) ([]providers.Group, error) {
	k := call{method: http.MethodGet, path: listing("group", groupAttributes), doing: "list groups", right: groupAdmins, lists: true}
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
	if err != nil {
		return nil, err
	}
	slices.SortFunc(groups, func(a, b providers.Group) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return groups, nil
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
		classes []string
	)
	policy := state.Attributes{}
	err := decodeObject(dec, func(key string) error {
		in.grant(maxEntry)
		switch key {
		case "id":
			return decodeID(dec, &g.ID)
		case "name":
			return dec.Decode(&g.Name)
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
		if slices.Contains(providers.PolicyAttributes(), key) {
			text, err := decodeText(dec)
			policy[key] = text
			return err
		}
		return skip(dec)
	})
	if err != nil {
		return g, err
	}
	if slices.Contains(classes, "account_policy") {
		g.Policy = policy
	}
	if g.ID == uuid.Nil {
		return g, errors.New("an entry has no id")
	}
	slices.SortFunc(g.Members, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	g.is = slices.Contains(classes, "group")
	g.Builtin = bytes.Compare(g.ID[:], firstFree[:]) < 0 || slices.Contains(classes, "dyngroup")
	return g, nil
}

// decodeText decodes a value of any type as its text.
func decodeText(dec *json.Decoder) (string, error) {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return "", err
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var b bytes.Buffer
	err := json.Compact(&b, raw)
	return b.String(), err
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

func groupEntry(g providers.NewGroup) entry {
	e := entry{map[string][]string{"uuid": {g.ID.String()}, "name": {g.Name}}}
	if g.Description != "" {
		e.Attrs["description"] = []string{g.Description}
	}
	return e
}

func (a accounts) createGroup(ctx context.Context, g providers.NewGroup) error {
	err := a.conn.write(ctx, call{method: http.MethodPost, path: "/v1/group", body: encode(groupEntry(g)), doing: "create a group", right: groupAdmins, twice: true})
	if err = a.whoseID(ctx, err, g.ID); state.ErrorKindOf(err) != state.ErrorConflict {
		return err
	}
	// A lost answer or a stopped run may have left it made: the id says whose it is.
	if made, lookErr := a.readGroup(ctx, "read a group", g.ID.String(), nil); lookErr == nil && made.is {
		return nil
	}
	return err
}

func (a accounts) readGroup(ctx context.Context, doing, id string, want func(uuid.UUID) bool) (g scimGroup, err error) {
	attributes := objectAttributes
	if want != nil {
		attributes = groupAttributes
	}
	k := call{method: http.MethodGet, path: "/scim/v1/Entry/" + id + "?attributes=" + attributes, doing: doing, right: groupAdmins, lists: true}
	err = a.conn.read(ctx, k, func(in *body) error {
		var err error
		g, err = decodeGroup(in, json.NewDecoder(in), want)
		return err
	})
	return g, err
}

// Members returns which of the persons are direct members of the group, sorted by id. Errors: NotFound if there is
// no such group.
func (a accounts) Members(ctx context.Context, group uuid.UUID, of []uuid.UUID) ([]uuid.UUID, error) {
	wanted := make(map[uuid.UUID]bool, len(of))
	for _, id := range of {
		wanted[id] = true
	}
	g, err := a.readGroup(ctx, "read the members of a group", group.String(), func(id uuid.UUID) bool { return wanted[id] })
	if err != nil {
		return nil, err
	}
	return g.Members, nil
}

// AddMembers adds members, of whom some may be in it already. Errors: NotFound if the group, or one of the members,
// does not exist; then none was added, unless there are more than fit one request.
func (a accounts) AddMembers(ctx context.Context, group uuid.UUID, members []uuid.UUID) error {
	return a.members(ctx, http.MethodPost, "add "+count(len(members), "member")+" to a group", group, members)
}

// RemoveMembers takes members out, of whom some may not be in it. It panics on an empty list: the server takes that
// for everybody.
func (a accounts) RemoveMembers(ctx context.Context, group uuid.UUID, members []uuid.UUID) error {
	if len(members) == 0 {
		panic("selfauth: remove no members: Self-auth would remove all")
	}
	doing := "remove " + count(len(members), "member") + " from a group"
	if len(members) < listIDs/2 { // a change of each is twice as long as its id
		if done, err := a.unmark(ctx, call{doing: doing, right: groupAdmins, twice: true}, group, members); done || err != nil {
			return err
		}
	}
	return a.members(ctx, http.MethodDelete, doing, group, members)
}

// members does the call in parts that fit a request; no part is empty.
func (a accounts) members(ctx context.Context, method, doing string, group uuid.UUID, members []uuid.UUID) error {
	for some := range slices.Chunk(members, listIDs) {
		k := call{method: method, path: attribute(group, "member"), body: encode(texts(some)), doing: doing, right: groupAdmins, twice: true}
		if err := a.conn.write(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

func attribute(group uuid.UUID, name string) string {
	return "/v1/group/" + group.String() + "/_attr/" + name
}
