package objects

import (
	"cmp"
	"maps"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// oauth2Clients plans the OAuth2 clients.
func (p *forward) oauth2Clients() {
	for _, x := range p.Config.Clients {
		rec, from := p.take(x.Address)
		if p.leave[x.Address] || p.paused(x.Address, rec) {
			continue
		}
		after := state.Object{Address: x.Address, Kind: state.KindClient}
		c := plan.ObjectChange{Address: x.Address, From: from, Kind: state.KindClient, Before: rec, After: &after}
		if rec != nil {
			after.Run, after.Adopted, after.ID = rec.Run, rec.Adopted, rec.ID
		}
		live, ok := p.findClient(x, rec, &after)
		if ok && p.compareClient(x, &c, live) {
			p.add(c, x.Pos)
		}
	}
}

// findClient finds the client that a declared one stands for: the recorded one, or one of its name that may be taken
// over; the zero Client where it is to be made. ok is false where that is a mistake, which is reported.
func (p *forward) findClient(x config.Client, rec, after *state.Object) (live providers.Client, ok bool) {
	// A client is known by the id that Self-auth gave it: one of ours keeps its record when its name is edited.
	holder, held := p.clients[x.Name]
	i := slices.IndexFunc(p.Clients, func(c providers.Client) bool { return c.ID == after.ID })
	switch {
	case i >= 0:
		live = p.Clients[i]
		return live, live.Name == x.Name || !p.nameInUse(x.Address, x.Name, live.ID)
	case !held:
		return live, !p.nameInUse(x.Address, x.Name, uuid.Nil)
	}
	other := p.recordedElsewhere(state.KindClient, holder.ID, x.Address)
	switch {
	case other != "":
		p.fail(x.Address, "Client under another address", "%s: the client %q is recorded as %s. If it is the same client, "+
			"say so:"+movedBlock, x.Address, x.Name, other, other, x.Address)
		return live, false
	case !x.Adopt && (rec == nil || !rec.Deleted || rec.ID != holder.ID):
		p.fail(x.Address, "Client exists already", "%s: Self-auth has a client %q that is not recorded as one of Anthill's. "+
			"To take it over as it is declared, give it:\n\n    adopt = true\n\nIt is never deleted then. "+
			"Or give it another name.", x.Address, x.Name)
		return live, false
	}
	after.ID, after.Adopted = holder.ID, true
	return holder, true
}

// compareClient compares a client with what is there, if anything is. It is false where that is a mistake, which is
// reported.
func (p *forward) compareClient(x config.Client, c *plan.ObjectChange, live providers.Client) bool {
	want := p.wantedClient(x, live.Attributes)
	c.After.Attributes = want.Set()
	was, will := live.Attributes.Text(state.AttrType), want.Text(state.AttrType)
	switch {
	case live.ID == uuid.Nil:
		c.Action, c.Will = state.ActionCreate, want.Set()
	case was != will && c.After.Adopted:
		p.fail(x.Address, "Client of another type", "%s: the client %q was there before Anthill and is %s. Another type is "+
			"another client: it would be deleted and made again, and what was there before us is never deleted. "+
			"Declare type = %q, or give this one another name.", x.Address, x.Name, was, was)
		return false
	case was != will:
		c.Action, c.Was, c.Will = state.ActionReplace, live.Attributes.Set(), want.Set()
		// A new one, which the server chooses.
		c.After.ID = uuid.Nil
		p.out.Raise(plan.EndsSessions, 1, state.About(state.CodeClientRemade, state.OfClient(x.Name)))
	default:
		p.compare(c, live.Attributes, want)
		if isNew(c) {
			c.Action = state.ActionAdopt
		}
		p.out.Add(loginsEnd(*c))
	}
	p.out.Add(weakened(*c))
	return true
}

// wantedClient are the attributes that a declared client is to have. What it grants to groups that are left as they are
// stays.
func (p *forward) wantedClient(x config.Client, live state.Attributes) state.Attributes {
	// A scope map is a claim map without a claim.
	scopes := func(list []config.ScopeMap) (grants []config.ClaimMap) {
		for _, m := range list {
			grants = append(grants, config.ClaimMap{Groups: m.Groups, Values: m.Scopes})
		}
		return grants
	}
	want := maps.Clone(x.Attributes)
	for name, list := range map[state.Attribute][]config.ClaimMap{
		state.AttrScopeMaps:          scopes(x.Scopes),
		state.AttrSupplementalScopes: scopes(x.SupScopes),
		state.AttrClaimMaps:          x.Claims,
	} {
		want[name] = p.grants(live[name].Grants(), list)
	}
	return want
}

// grants are what the members of groups are to get: as declared, and for groups that are left as they are what they
// have now.
func (p *forward) grants(live []state.Grant, declared []config.ClaimMap) state.Value {
	type key struct {
		claim string
		group uuid.UUID
	}
	by, joins := map[key]state.Grant{}, map[string]string{}
	for _, g := range live {
		if p.kept[g.Group] {
			by[key{g.Claim, g.Group}] = g
		}
	}
	for _, m := range declared {
		for _, at := range m.Groups {
			if id, known := p.groupIDs[at]; known {
				by[key{m.Claim, id}] = state.Grant{Group: id, Claim: m.Claim, Values: m.Values}
				joins[m.Claim] = m.Join
			}
		}
	}
	list := slices.Collect(maps.Values(by))
	for i, g := range list {
		if join, given := joins[g.Claim]; given {
			// Self-auth joins the values of a claim in one way for all groups.
			list[i].Join = join
		}
	}
	return state.GrantsValue(list)
}

// loginsEnd are the hazards of what makes an application's logins fail: another client id, redirect URLs that go.
func loginsEnd(c plan.ObjectChange) (r plan.Risk) {
	if was, will := c.Was.Text(state.AttrName), c.Will.Text(state.AttrName); was != "" && will != "" && was != will {
		r.Raise(plan.EndsSessions, 1, state.About(state.CodeClientRenamed, state.OfClient(was),
			state.Text(state.KeyName, will)))
	}
	will, touched := c.Will[state.AttrRedirectURLs]
	if !touched {
		return r
	}
	gone := slices.DeleteFunc(slices.Clone(c.Was[state.AttrRedirectURLs].List()), func(url string) bool {
		return slices.Contains(will.List(), url)
	})
	if n := int64(len(gone)); n > 0 {
		r.Raise(plan.LoginGap, n, state.About(state.CodeRedirectsGo, state.Of(c.Address),
			state.List(state.KeyURLs, gone...)).Times(n))
	}
	return r
}

// weakened is the hazard of a client that does without what protects a login, and did not before; one that is made did not
// do without any of it.
func weakened(c plan.ObjectChange) (r plan.Risk) {
	var less []string
	for _, a := range []struct {
		name state.Attribute
		weak string
	}{
		{state.AttrPKCE, "false"}, {state.AttrLegacyCrypto, "true"}, {state.AttrStrictRedirects, "false"},
	} {
		if c.Will.Text(a.name) == a.weak && c.Was.Text(a.name) != a.weak {
			less = append(less, string(a.name))
		}
	}
	hosts := map[string]bool{}
	for _, u := range append(c.Was[state.AttrRedirectURLs].List(), c.Was.Text(state.AttrLandingURL)) {
		hosts[host(u)] = true
	}
	for _, u := range c.Will[state.AttrRedirectURLs].List() {
		if h := host(u); c.Was != nil && !hosts[h] {
			hosts[h] = true
			less = append(less, h)
		}
	}
	if n := int64(len(less)); n > 0 {
		r.Raise(plan.WeakensClient, n, state.About(state.CodeWeakened, state.Of(c.Address),
			state.List(state.KeyAttributes, less...)).Times(n))
	}
	return r
}

// host is where an address leads to, with the scheme where that is not https.
func host(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return address
	case u.Scheme == "https":
		return u.Host
	}
	return u.Scheme + "://" + u.Host
}

// scopeGap raises the hazard that members of groups which go cannot use the clients that let them in through those until
// they are in the new groups. One client stands for all.
func (p *forward) scopeGap() {
	var of state.Address
	lost := map[uuid.UUID]int64{}
	for _, c := range p.out.Changes {
		if _, changed := c.Will[state.AttrScopeMaps]; !changed || c.Kind != state.KindClient || c.Was == nil {
			continue
		}
		for g := range scopesOf(c.Was) {
			if n := p.losing[g]; n > 0 {
				lost[g], of = n, cmp.Or(of, c.Address)
			}
		}
	}
	var n int64
	for _, members := range lost {
		n += members
	}
	if n > 0 {
		p.out.Raise(plan.LoginGap, n, state.About(state.CodeScopeGap, state.Of(of)).Times(n))
	}
}

// scopeChanges are the scopes that clients give by group, before and after the plan. Clients that are deleted are
// left out: that is a hazard of its own.
func scopeChanges(j *world.Joined, changes []plan.ObjectChange) (list []ScopeChange) {
	told := map[uuid.UUID]bool{}
	for _, c := range changes {
		if c.Kind != state.KindClient || c.Was == nil {
			continue
		}
		_, changed := c.Will[state.AttrScopeMaps]
		changed = changed || c.Action == state.ActionReplace
		if changed {
			list = append(list, ScopeChange{state.Of(c.Address), true, scopesOf(c.Was), scopesOf(c.Will)})
		}
		for _, o := range []*state.Object{c.Before, c.After} {
			if o != nil && (changed || c.Will == nil) {
				told[o.ID] = true
			}
		}
	}
	for _, l := range j.Clients {
		if scopes := scopesOf(l.Attributes); !told[l.ID] && len(scopes) > 0 {
			list = append(list, ScopeChange{Of: state.OfClient(l.Name), Was: scopes, Will: scopes})
		}
	}
	return list
}

// scopesOf are the scopes that a client gives, by group.
func scopesOf(a state.Attributes) map[uuid.UUID][]string {
	scopes := map[uuid.UUID][]string{}
	for _, g := range a[state.AttrScopeMaps].Grants() {
		scopes[g.Group] = g.Values
	}
	return scopes
}
