package objects

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// everybody are the groups of Self-auth's own that all persons are in.
var everybody = map[string]bool{"idm_all_persons": true, "idm_all_accounts": true}

// Tokens is whom a client lets in, and what its tokens tell of the groups that somebody is in, before and after
// the plan.
type Tokens struct {
	Of      state.Subject
	Changed bool // by this plan: it is made, or its maps are written
	was     grants
	will    grants
}

// grants are the scopes that the members of groups get: those by which they are let in, and more.
type grants struct {
	plan.Door
	more map[uuid.UUID][]string
}

// scopesOfGroups are the scopes by which a token names groups, in any form.
var scopesOfGroups = []string{"groups", "groups_uuid", "groups_spn", shortNames}

// shortNames is the scope by which a token has the names of groups without the domain: the form that mapping rows
// have.
const shortNames = "groups_name"

// Refuses returns the scopes for which Self-auth refuses the members of some groups after the plan (plan.Door).
// new: it does not refuse them now, for what the application asks for then.
func (t *Tokens) Refuses(groups []uuid.UUID) (lacks []string, new bool) {
	lacks = t.will.Refuses(groups)
	return lacks, len(lacks) > 0 && len(t.doorBefore().Refuses(groups)) == 0
}

// doorBefore is the client as it lets users in now. What the application asks for is no matter of the plan.
func (t *Tokens) doorBefore() plan.Door {
	d := t.was.Door
	d.Requested = t.will.Requested
	return d
}

// Nameless reports whether the members of some groups come in through the client with tokens that name groups, and
// none in the form of the mapping rows. new: they did not before the plan.
func (t *Tokens) Nameless(groups []uuid.UUID) (nameless, new bool) {
	nameless = t.will.nameless(groups)
	return nameless, nameless && !t.was.nameless(groups)
}

func (g grants) nameless(groups []uuid.UUID) bool {
	got := map[string]bool{}
	for _, id := range groups {
		for _, s := range g.Scopes[id] {
			got[s] = g.Requested == nil || slices.Contains(g.Requested, s)
		}
	}
	if len(got) == 0 || len(g.Refuses(groups)) > 0 {
		return false // the client lets them in nowhere, or refuses them
	}
	for _, id := range groups {
		for _, s := range g.more[id] {
			got[s] = true
		}
	}
	return !got[shortNames] && slices.ContainsFunc(scopesOfGroups, func(s string) bool { return got[s] })
}

// tokens are those of all clients that are there when the plan is carried out.
func (p *forward) tokens() (list []Tokens) {
	declared := map[string]config.Client{}
	for _, x := range p.Config.Clients {
		declared[x.Name] = x
	}
	will := func(name string, a state.Attributes) grants {
		x, is := declared[name]
		g := p.grantsOf(a, x.Requested)
		g.Declared = is
		return g
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
			was: p.grantsOf(p.attributesBefore(c), nil), will: will(after.Text(state.AttrName), after),
		})
	}
	for _, l := range p.Clients {
		if !told[l.ID] {
			g := will(l.Name, l.Attributes)
			list = append(list, Tokens{Of: state.OfClient(l.Name), was: g, will: g})
		}
	}
	return list
}

// doors are the clients as they let users in, now and after the plan.
func (p *forward) doors() (was, will plan.Doors) {
	for i := range p.out.Tokens {
		was, will = append(was, p.out.Tokens[i].doorBefore()), append(will, p.out.Tokens[i].will.Door)
	}
	for _, c := range p.out.Changes {
		if c.Kind != state.KindClient || c.Will != nil && c.Action != state.ActionForget {
			continue
		}
		if live := p.attributesBefore(c); live != nil {
			d := p.grantsOf(live, nil).Door
			was = append(was, d)
			if c.Action == state.ActionForget {
				will = append(will, d) // it stays, and goes on letting people in
			}
		}
	}
	return was, will
}

// attributesBefore are those of the client that a change is about; nil: it is made.
func (p *forward) attributesBefore(c plan.ObjectChange) state.Attributes {
	for _, l := range p.Clients {
		for _, o := range []*state.Object{c.Before, c.After} {
			if o != nil && o.ID == l.ID {
				return l.Attributes
			}
		}
	}
	return c.Was
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

func (p *forward) grantsOf(a state.Attributes, requested []string) grants {
	g := grants{Door: plan.DoorOf(a, requested), more: map[uuid.UUID][]string{}}
	for group, scopes := range g.Scopes {
		if p.Index.Groups[group].Builtin || p.Index.Hidden[group] != "" {
			g.Everybody = append(g.Everybody, scopes...)
			if everybody[p.Index.Groups[group].Name] {
				g.Surely = append(g.Surely, scopes...)
			}
		}
	}
	for _, m := range a[state.AttrSupplementalScopes].Grants() {
		g.more[m.Group] = m.Values
	}
	return g
}
