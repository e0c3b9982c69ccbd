package planner

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// planPolicies plans the account policies, each on one group.
func (p *objectPlanner) planPolicies(list []config.AccountPolicy) {
	byGroup := map[uuid.UUID]state.Address{} // policies that are declared no more under their address
	for _, rec := range p.in.State.Objects {
		if rec.Kind == state.KindPolicy && !rec.Deleted && !p.declared[rec.Address] {
			byGroup[rec.ID] = rec.Address
		}
	}
	for _, a := range list {
		// A policy is known by its group: whatever became of the names of blocks, it is the same one.
		if before, ok := byGroup[p.groupID[a.Group]]; ok {
			if rec, has := p.recorded[a.Address]; !has || rec.Deleted {
				p.moved[a.Address] = before
			}
		}
		rec, from, has := p.take(a.Address)
		group, known := p.groupID[a.Group]
		if !known || p.dormants[group] {
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its group %s is not there at present", a.Address, a.Group))
			continue
		}
		if p.paused(a.Address, rec, has) {
			continue
		}
		after := state.Object{Address: a.Address, Kind: state.KindPolicy, ID: group, Attributes: set(a.Attributes)}
		c := ObjectChange{Address: a.Address, From: from, Kind: state.KindPolicy, After: &after}
		if has {
			before := rec
			c.Before = &before
			after.Run, after.Adopted = rec.Run, rec.Adopted
		}
		live, there := p.dir.groups[group]
		switch {
		case !there || live.policy == nil:
			after.Adopted = false
			c.Action, c.Will = Create, set(a.Attributes)
			c.Text = append(c.Text, "policy enabled")
			c.Text = append(c.Text, texts(nil, c.Will)...)
		default:
			p.settle(&c, withAuthorities(live.policy, rec), a.Attributes)
			if !has || rec.Deleted {
				c.Action, after.Adopted = Adopt, true
				c.Text = slices.Insert(c.Text, 0, "the group has a policy already: taken over")
			}
		}
		p.add(c, a.Pos)
	}
}

// authorities is the one attribute that Self-auth does not show as it was written, but by the names of devices.
const authorities = "webauthn_attestation_ca_list"

// withAuthorities is a policy as it is, its list of authorities as we wrote it where there still is one.
func withAuthorities(live state.Attributes, rec state.Object) state.Attributes {
	if live[authorities] == "" || rec.Attributes[authorities] == "" {
		return live
	}
	live = maps.Clone(live)
	live[authorities] = rec.Attributes[authorities]
	return live
}

func (p *objectPlanner) gonePolicy(rec state.Object) {
	if p.dormants[rec.ID] {
		p.dormant = append(p.dormant, fmt.Sprintf("%s: its group is kept, and so is the policy", rec.Address))
		return
	}
	before := rec
	live, there := p.dir.groups[rec.ID]
	c := ObjectChange{Address: rec.Address, Kind: state.KindPolicy, Action: Delete, Before: &before, Was: set(withAuthorities(live.policy, rec)), Text: []string{"policy off, values reset"}}
	if rec.Adopted || !there || live.policy == nil {
		c.Action, c.Was, c.Will = Forget, state.Attributes{}, state.Attributes{}
		c.Text = []string{"there before us or gone already: it stays as it is"}
	}
	p.add(c, config.Pos{})
	delete(p.where, rec.Address)
}

// planClients plans the OAuth2 clients.
func (p *objectPlanner) planClients(list []config.Client) {
	for _, x := range list {
		rec, from, has := p.take(x.Address)
		if p.paused(x.Address, rec, has) {
			continue
		}
		after := state.Object{Address: x.Address, Kind: state.KindClient}
		c := ObjectChange{Address: x.Address, From: from, Kind: state.KindClient, After: &after}
		if has {
			before := rec
			c.Before = &before
			after.Run, after.Adopted, after.ID = rec.Run, rec.Adopted, rec.ID
		}
		live, there := p.clients[after.ID]
		if holder, held := p.byClient[x.Name]; held && !there {
			if other := p.recordedClient(holder, x.Address); other != "" {
				p.diags = p.diags.Append(fail("Client under another address", "%s (%s:%d): the client %q is recorded as %s. If it is the same client, say so:\n\n    moved {\n      from = %s\n      to   = %s\n    }", x.Address, x.Pos.File, x.Pos.Line, x.Name, other, other, x.Address))
				continue
			}
			if !x.Adopt && (!has || !rec.Deleted || rec.ID != holder) {
				p.diags = p.diags.Append(fail("Client exists already", "%s (%s:%d): Self-auth has a client %q that is not recorded as one of Anthill's. To take it over as it is declared, give it:\n\n    adopt = true\n\nIt is never deleted then. Or give it another name.", x.Address, x.Pos.File, x.Pos.Line, x.Name))
				continue
			}
			live, there = p.clients[holder], true
			after.ID, after.Adopted = holder, true
		} else if (!there || live.Name != x.Name) && p.nameInUse(x.Address, x.Pos, x.Name, live.ID) {
			continue
		}
		want := p.clientWanted(x, live.Attributes)
		after.Attributes = set(want)
		switch {
		case !there:
			c.Action, c.Will = Create, set(want)
			c.Text = append(c.Text, fmt.Sprintf("%s client %s", want["type"], x.Name))
			for _, k := range []string{"redirect_urls", "scope_maps", "sup_scope_maps", "claim_maps"} {
				if want[k] != "" {
					c.Text = append(c.Text, texts(nil, state.Attributes{k: want[k]})...)
				}
			}
		case live.Attributes["type"] != want["type"] && after.Adopted:
			p.diags = p.diags.Append(fail("Client of another type", "%s (%s:%d): the client %q was there before Anthill and is %s. Another type is another client: it would be deleted and made again, and what was there before us is never deleted. Declare type = %q, or give this one another name.",
				x.Address, x.Pos.File, x.Pos.Line, x.Name, live.Attributes["type"], live.Attributes["type"]))
			continue
		case live.Attributes["type"] != want["type"]:
			c.Action, c.Was, c.Will = Replace, set(live.Attributes), set(want)
			after.ID = uuid.Nil // a new one, which the server chooses
			c.Text = append(c.Text, fmt.Sprintf("%s -> %s: deleted and made again, with a new id and without its secret", live.Attributes["type"], want["type"]))
			p.raise(EndsSessions, 1, fmt.Sprintf("client %s is made again: its secret and every token of it end, and logins to it fail until the application has the new one", x.Name))
		default:
			p.settle(&c, live.Attributes, want)
			if c.Before == nil || c.Before.Deleted {
				c.Action = Adopt
				c.Text = slices.Insert(c.Text, 0, fmt.Sprintf("client %s was there before: taken over", x.Name))
			}
			for _, h := range loginsEnd(c) {
				p.raise(h.Code, h.Count, h.Text)
			}
		}
		p.add(c, x.Pos)
	}
}

// recordedClient is the address under which a client of that id is recorded, if that is another one.
func (p *objectPlanner) recordedClient(id uuid.UUID, a state.Address) state.Address {
	for _, rec := range p.in.State.Objects {
		if rec.Kind == state.KindClient && !rec.Deleted && rec.ID == id && rec.Address != a {
			return rec.Address
		}
	}
	return ""
}

// loginsEnd are the hazards of what makes an application's logins fail: another client id, redirect URLs that go.
func loginsEnd(c ObjectChange) (list []Hazard) {
	if was, will := c.Was["name"], c.Will["name"]; was != "" && will != "" && was != will {
		list = append(list, Hazard{Code: EndsSessions, Count: 1, Text: fmt.Sprintf("client %s becomes %s: its id and its issuer change, so logins fail until the application has them, and every token of it ends", was, will)})
	}
	if _, touched := c.Will["redirect_urls"]; !touched {
		return list
	}
	gone, _ := listChange(c.Was["redirect_urls"], c.Will["redirect_urls"])
	if len(gone) > 0 {
		list = append(list, Hazard{Code: LoginGap, Count: int64(len(gone)), Text: fmt.Sprintf("%s: logins that lead to %s are refused", c.Address, strings.Join(gone, ", "))})
	}
	return list
}

// endsScopes raises the hazard of deleting a group that other clients give scopes by.
func (p *objectPlanner) endsScopes(rec state.Object, live dirGroup) {
	for _, l := range p.liveClients {
		if slices.Contains(scopeGroups(l.Attributes), rec.ID) && p.recordedClient(l.ID, "") == "" {
			p.raise(LocksOut, max(p.dir.counts[live.index], 1), fmt.Sprintf("group %s goes, and client %s, which is not Anthill's, lets its members in by it", live.name, l.Name))
		}
	}
}

// clientWanted are the attributes of a declared client. Maps of groups that are merely dormant stay.
func (p *objectPlanner) clientWanted(x config.Client, live state.Attributes) state.Attributes {
	want := state.Attributes{}
	for k, v := range x.Attributes {
		want[k] = v
	}
	want["scope_maps"] = p.scopeMaps(x.Scopes, live["scope_maps"])
	want["sup_scope_maps"] = p.scopeMaps(x.SupScopes, live["sup_scope_maps"])
	claims := providers.Claims{}
	for claim, now := range providers.ReadClaims(live["claim_maps"]) {
		for g, values := range now.Values {
			if id, err := uuid.Parse(g); err == nil && p.dormants[id] {
				claims.Add(claim, now.Join, g, values)
			}
		}
	}
	for _, m := range x.Claims {
		for _, g := range m.Groups {
			if id, known := p.groupID[g]; known {
				claims.Add(m.Claim, m.Join, id.String(), m.Values)
			}
		}
	}
	want["claim_maps"] = jsonText(claims, len(claims))
	return want
}

func (p *objectPlanner) scopeMaps(list []config.ScopeMap, live string) string {
	maps := map[string][]string{}
	var now map[string][]string
	_ = json.Unmarshal([]byte(live), &now) // ours, or empty
	for g, scopes := range now {
		if id, err := uuid.Parse(g); err == nil && p.dormants[id] {
			maps[g] = scopes
		}
	}
	for _, m := range list {
		for _, g := range m.Groups {
			if id, known := p.groupID[g]; known {
				maps[id.String()] = m.Scopes
			}
		}
	}
	return jsonText(maps, len(maps))
}

func jsonText(v any, n int) string {
	if n == 0 {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values
	}
	return string(b)
}

func (p *objectPlanner) goneClient(rec state.Object) {
	before := rec
	live, there := p.clients[rec.ID]
	c := ObjectChange{Address: rec.Address, Kind: state.KindClient, Action: Delete, Before: &before, Was: set(live.Attributes),
		Text: []string{"client " + live.Name + " is deleted"}}
	if rec.Adopted || !there {
		c.Action, c.Was, c.Will = Forget, state.Attributes{}, state.Attributes{}
		c.Text = []string{"there before us or gone already: it stays as it is"}
	} else {
		p.raise(EndsSessions, 1, fmt.Sprintf("client %s goes: nobody logs in to the application through it any more, and after seven days nobody can bring it back", live.Name))
	}
	p.add(c, config.Pos{})
	delete(p.where, rec.Address)
}

// scopeGroups are the groups of a client that give scopes, by what is or will be.
func scopeGroups(a state.Attributes) (ids []uuid.UUID) {
	for id := range scopesOf(a) {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, compareID)
	return ids
}

// scopeChanges are the scopes that clients give by group, before and after the plan.
func (w *world) scopeChanges(p *objectPlan) (list []scopeChange) {
	touched := map[uuid.UUID]bool{}
	for _, c := range p.changes {
		if c.Kind != state.KindClient || c.Was == nil {
			continue
		}
		if c.Before != nil {
			touched[c.Before.ID] = true
		}
		if c.After != nil {
			touched[c.After.ID] = true
		}
		was, will := scopesOf(c.Was), scopesOf(c.Will)
		if _, changed := c.Will["scope_maps"]; changed && c.Will != nil {
			list = append(list, scopeChange{string(c.Address), true, was, will})
		} else if c.Before != nil {
			touched[c.Before.ID] = c.Will == nil // deleted: that is a hazard of its own
		}
	}
	for _, l := range w.liveClients {
		if scopes := scopesOf(l.Attributes); !touched[l.ID] && len(scopes) > 0 {
			list = append(list, scopeChange{"client " + l.Name, false, scopes, scopes})
		}
	}
	return list
}

func scopesOf(a state.Attributes) map[uuid.UUID][]string {
	var maps map[string][]string
	_ = json.Unmarshal([]byte(a["scope_maps"]), &maps) // ours, or empty
	scopes := make(map[uuid.UUID][]string, len(maps))
	for g, list := range maps {
		if id, err := uuid.Parse(g); err == nil {
			scopes[id] = list
		}
	}
	return scopes
}
