package objects

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// Tokens is what the tokens of a client tell of the groups that somebody is in, before and after the plan.
type Tokens struct {
	Of      state.Subject
	Changed bool // by this plan: it is made, or its maps are written
	was     grants
	will    grants
}

// grants are the scopes that the members of groups get: those that are asked for, and more.
type grants struct {
	scopes, more map[uuid.UUID][]string
	requested    []string // nil: all of scopes are asked for
}

// scopesOfGroups are the scopes by which a token names groups, in any form.
var scopesOfGroups = []string{"groups", "groups_uuid", "groups_spn", shortNames}

// shortNames is the scope by which a token has the names of groups without the domain: the form that mapping rows have.
const shortNames = "groups_name"

// Nameless reports whether the members of some groups come in through the client with tokens that name groups, and none in
// the form of the mapping rows. new: they did not before the plan.
func (t *Tokens) Nameless(groups []uuid.UUID) (nameless, new bool) {
	nameless = t.will.nameless(groups)
	return nameless, nameless && !t.was.nameless(groups)
}

func (g grants) nameless(groups []uuid.UUID) bool {
	got := map[string]bool{}
	for _, id := range groups {
		for _, s := range g.scopes[id] {
			got[s] = g.requested == nil || slices.Contains(g.requested, s)
		}
	}
	if len(got) == 0 {
		return false // the client lets them in nowhere
	}
	for _, id := range groups {
		for _, s := range g.more[id] {
			got[s] = true
		}
	}
	return !got[shortNames] && slices.ContainsFunc(scopesOfGroups, func(s string) bool { return got[s] })
}

// grantsRequested reports whether each scope that the application asks for is given to somebody: Self-auth lets nobody in
// by a request with one that no map has.
func (g grants) grantsRequested() bool {
	given := map[string]bool{}
	for _, of := range []map[uuid.UUID][]string{g.scopes, g.more} {
		for _, scopes := range of {
			for _, s := range scopes {
				given[s] = true
			}
		}
	}
	return !slices.ContainsFunc(g.requested, func(s string) bool { return !given[s] })
}

// tokens are those of all clients that are there when the plan is carried out.
func (p *forward) tokens() (list []Tokens) {
	requested := map[string][]string{}
	for _, x := range p.Config.Clients {
		requested[x.Name] = x.Requested
	}
	told := map[uuid.UUID]bool{}
	for _, c := range p.out.Changes {
		if c.Kind != state.KindClient {
			continue
		}
		for _, o := range []*state.Object{c.Before, c.After} {
			if o != nil && o.ID != uuid.Nil {
				told[o.ID] = true
			}
		}
		if c.Will == nil || c.Action == state.ActionForget {
			continue
		}
		_, scopes := c.Will[state.AttrScopeMaps]
		_, more := c.Will[state.AttrSupplementalScopes]
		after := p.attributesAfter(c)
		list = append(list, Tokens{
			Of: state.Of(c.Address), Changed: scopes || more || c.Was == nil,
			was: grantsOf(c.Was, nil), will: grantsOf(after, requested[after.Text(state.AttrName)]),
		})
	}
	for _, l := range p.Clients {
		if !told[l.ID] {
			g := grantsOf(l.Attributes, requested[l.Name])
			list = append(list, Tokens{Of: state.OfClient(l.Name), was: g, will: g})
		}
	}
	return list
}

// admitted are the groups whose members some client lets in, now and after the plan: it gives them a scope.
func (p *forward) admitted() (was, will map[uuid.UUID]bool) {
	was, will = map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	note := func(to map[uuid.UUID]bool, g grants) {
		if !g.grantsRequested() {
			return
		}
		for group, list := range g.scopes {
			if len(list) > 0 {
				to[group] = true
			}
		}
	}
	// A client that is only forgotten stays, and goes on letting people in.
	forgotten := func(id uuid.UUID) bool {
		return slices.ContainsFunc(p.out.Changes, func(c plan.ObjectChange) bool {
			return c.Kind == state.KindClient && c.Action == state.ActionForget && c.Object().ID == id
		})
	}
	for _, c := range p.Clients {
		note(was, grantsOf(c.Attributes, nil))
		if forgotten(c.ID) {
			note(will, grantsOf(c.Attributes, nil))
		}
	}
	for i := range p.out.Tokens {
		note(will, p.out.Tokens[i].will)
	}
	return was, will
}

// attributesAfter are those of a client when its change is made.
func (p *forward) attributesAfter(c plan.ObjectChange) state.Attributes {
	after := state.Attributes{}
	for _, l := range p.Clients {
		if c.After != nil && l.ID == c.After.ID {
			maps.Copy(after, l.Attributes)
		}
	}
	maps.Copy(after, c.Will)
	return after
}

func grantsOf(a state.Attributes, requested []string) grants {
	more := map[uuid.UUID][]string{}
	for _, g := range a[state.AttrSupplementalScopes].Grants() {
		more[g.Group] = g.Values
	}
	return grants{scopes: scopesOf(a), more: more, requested: requested}
}
