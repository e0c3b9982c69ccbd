package selfauth

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
)

// scimSight is a person with the names of its groups.
type scimSight struct {
	scimPerson
	MemberOf []struct {
		ID  uuid.UUID `json:"uuid"`
		SPN string    `json:"value"`
	} `json:"memberof"`
}

// See looks at one person with whatever rights the account has. Two small reads; nothing is changed.
func (p *Provider) See(ctx context.Context, id uuid.UUID) (s providers.Sight, err error) {
	who, err := p.conn.rightsNow(ctx)
	if err != nil {
		return s, err
	}
	reads := func(groups []string) bool { return slices.ContainsFunc(groups, who.In) }
	s.Mails, s.Enrols = reads(personReaders[:]), reads(credentialReaders[:])
	const what = "name,displayname,mail,account_expire,account_valid_from,memberof"
	err = p.sight(ctx, `class eq "person"`, id, what, func(e scimSight) error {
		person, err := e.person(p.now())
		s.Person, s.InGroups = &person, len(e.MemberOf) > 0 // everybody is in idm_all_persons
		for _, g := range e.MemberOf {
			if name, _, _ := strings.Cut(printable(g.SPN), "@"); !isBuiltin(g.ID) {
				s.Groups = append(s.Groups, providers.Joined{ID: g.ID, Name: name})
			}
		}
		return err
	})
	slices.SortFunc(s.Groups, func(a, b providers.Joined) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || s.Person == nil {
		s.Hidden = !s.Mails && !s.Enrols
		return s, err
	}
	return s, p.sight(ctx, hasCredential, id, "name", func(scimSight) error { s.Enrolled = true; return nil })
}

// sight asks for one person that a filter lets through.
func (p *Provider) sight(ctx context.Context, filter string, id uuid.UUID, what string, each func(scimSight) error) error {
	k := call{method: http.MethodGet, path: query(filter+" and ("+idIn([]uuid.UUID{id})+")", what), doing: "see a person",
		right: peopleAdmins, lists: true}
	return p.conn.read(ctx, k, func(in *body) error {
		return decodeList(in, maxPersons, func(dec *json.Decoder) error {
			var e scimSight
			if err := dec.Decode(&e); err != nil {
				return err
			}
			return each(e)
		})
	})
}
