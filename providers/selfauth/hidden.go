package selfauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Self-auth hides what it protects. Of a group inside idm_high_privilege, or inside one of Self-auth's own, a token in
// idm_account_policy_admins sees name, id and class, and any other token nothing at all: neither spn, description nor
// members come, and 404 is the answer to a change. The spn, which every group has, comes with the same right as the
// members: a group without it is hidden, not empty. And whoever may read persons sees in them the groups that they are
// in, hidden ones too (docs/selfauth-facts.md F54).

// highPrivilege is the group whose members, also by way of others, are protected.
const highPrivilege = "00000000-0000-0000-0000-000000001000"

// errBroken is the cause where an entry cannot be shown: it refers to a deleted one (F55).
var errBroken = errors.New("it refers to a deleted entry")

// unlisted are the groups that no listing shows to the token, found by way of the persons in them: those of known are
// left out.
func (d directory) unlisted(ctx context.Context, known []providers.Group) (groups []providers.Group, err error) {
	met := make(map[uuid.UUID]bool, len(known))
	for _, g := range known {
		met[g.ID] = true
	}
	k := call{
		method: http.MethodGet, path: query(`class eq "person" and memberof eq "`+highPrivilege+`"`, "directmemberof"),
		doing: "list protected persons", right: peopleAdmins, lists: true,
	}
	err = d.conn.read(ctx, k, func(in *body) error {
		groups = nil
		clear(met)
		for _, g := range known {
			met[g.ID] = true
		}
		return decodeList(in, maxPersons, func(dec *json.Decoder) error {
			var e struct {
				Groups []struct {
					UUID uuid.UUID `json:"uuid"`
					Spn  string    `json:"value"`
				} `json:"directmemberof"`
			}
			if err := dec.Decode(&e); err != nil {
				return err
			}
			for _, g := range e.Groups {
				if !met[g.UUID] {
					met[g.UUID] = true
					name, _, _ := strings.Cut(g.Spn, "@")
					groups = append(groups, providers.Group{
						ID: g.UUID, Name: name, Hidden: true, Builtin: isBuiltin(g.UUID), Place: len(known) + len(groups),
					})
				}
			}
			return nil
		})
	})
	return groups, err
}

// eachMember calls yield with the persons who are direct members of a group, as they say themselves, until it is false.
func (a accounts) eachMember(ctx context.Context, group uuid.UUID, yield func(providers.Person) bool) error {
	k := call{
		method: http.MethodGet,
		path:   query(`class eq "person" and directmemberof eq "`+group.String()+`"`, "account_expire"),
		doing:  "list group members", right: peopleAdmins, lists: true,
	}
	now, stopped := a.now(), false
	err := a.conn.read(ctx, k, func(in *body) error {
		return decodeList(in, maxPersons, func(dec *json.Decoder) error {
			var e scimPerson
			if err := dec.Decode(&e); err != nil {
				return err
			}
			p, err := e.person(now)
			if err != nil {
				return err
			}
			in.handed = true
			if !yield(p) {
				stopped = true
				return errStopped
			}
			return nil
		})
	})
	if stopped {
		return nil
	}
	return err
}

// seenIn returns which of the persons say that they are direct members of a group.
func (a accounts) seenIn(ctx context.Context, group uuid.UUID, of map[uuid.UUID]bool) (ids []uuid.UUID, err error) {
	err = a.eachMember(ctx, group, func(p providers.Person) bool {
		if of[p.ID] {
			ids = append(ids, p.ID)
		}
		return true
	})
	return ids, err
}

// unlessHidden is the error of a change of a group that the server says is not there: Refused if it only does not show
// it, which the persons in it tell.
func (a accounts) unlessHidden(ctx context.Context, doing string, group uuid.UUID, err error) error {
	if !errors.Is(err, errUnseen) {
		return err
	}
	if deniedErr := a.conn.judgeAbsence(ctx, doing, groupAdmins); deniedErr != nil {
		return deniedErr
	}
	there, lookErr := a.anyHeld(ctx, []uuid.UUID{group})
	switch {
	case lookErr != nil:
		return lookErr
	case there:
		return hidden(doing)
	}
	return err
}

func hidden(doing string) error {
	return &state.Error{
		Kind: state.ErrorRefused, Side: side, Doing: doing,
		Reason: "Self-auth protects the group: the token can neither see nor change who is in it",
		Cure: "Somebody has put it into idm_high_privilege, or into a group of Self-auth's own. Take it out of there, as " +
			"an administrator.",
	}
}
