package objects

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// group is a declared group with what is recorded of it.
type group struct {
	config.Group
	tenant int           // index
	rec    *state.Object // nil: nothing
	from   state.Address // it was recorded under this address before; ""
}

// groups plans the declared groups in the order in which tokens will list them (L36): admin before member before
// viewer within a tenant.
func (p *forward) groups() {
	list := slices.Clone(p.Config.Groups)
	slices.SortFunc(list, func(a, b config.Group) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Role, b.Role),
			strings.Compare(string(a.Address), string(b.Address)))
	})
	slugs := p.BySlug()
	p.followSlugs(list, slugs)
	var groups []group
	for _, g := range list {
		rec, from := p.take(g.Address)
		if t, there := slugs[g.Tenant]; there { // config has reported the others
			groups = append(groups, group{g, t, rec, from})
		}
	}
	p.markHidden(groups)
	taken := p.markTaken(groups)
	left := p.left()
	for _, g := range groups {
		p.group(g, left)
	}
	p.out.Notes = append(p.wrongOrder(), taken...)
}

// followSlugs adds the moves that follow from tenants whose slug changed (L32): a group recorded for the tenant under
// the key of its old slug is the one now declared under the new one.
func (p *forward) followSlugs(groups []config.Group, slugs map[string]int) {
	type key struct {
		block  string
		tenant uuid.UUID
		role   state.Role
	}
	// Block, tenant and role make a group the same one; an address that is still declared is no candidate.
	left := map[key]state.Object{}
	for _, rec := range p.State.Objects {
		if rec.Kind != state.KindGroup || rec.Deleted || p.declared[rec.Address] {
			continue
		}
		if t := p.Tenant(rec.Tenant); t != nil && t.Slug != rec.TenantSlug {
			left[key{rec.Address.Block(), rec.Tenant, rec.Role()}] = rec
		}
	}
	for _, g := range groups {
		i, there := slugs[g.Tenant]
		if !there {
			continue
		}
		t := p.Tenants[i]
		old, follows := left[key{g.Block, t.ID, g.Role}]
		if _, explicit := p.moved[g.Address]; !follows || explicit {
			continue
		}
		p.moved[g.Address] = old.Address
		p.out.Outside = append(p.out.Outside, state.About(state.CodeSlugFollowed, state.OfTenant(t.Slug),
			state.Text(state.KeyWas, old.TenantSlug), state.Text(state.KeyFrom, string(old.Address)),
			state.Text(state.KeyTo, string(g.Address))))
	}
}

// markTaken finds the tenants for which a wanted group name is held by an entry that is not ours. They are skipped as a
// whole, so that nobody is moved into half of a tenant's groups. The notes say why.
func (p *forward) markTaken(groups []group) (notes []state.Finding) {
	for _, g := range groups {
		holder, held := p.Index.ByName[g.Name]
		switch {
		case held && (g.Adopt || g.rec != nil && g.rec.ID == holder || holder == p.ownGroup(g.Address, p.generation(g.Address))):
			continue
		case held && p.recordedElsewhere(state.KindGroup, holder, "") != "":
			// The name of another group of ours is a mistake in the configuration: nameInUse reports it.
			continue
		case !held && !p.Index.NameTaken(p.Index.Hash(g.Name)):
			continue
		}
		p.out.Tenants[g.tenant].Taken = true
		notes = append(notes, state.About(state.CodeNameHeld, state.Of(g.Address), state.Text(state.KeyName, g.Name),
			state.Text(state.KeyTenant, p.Tenants[g.tenant].Slug)))
	}
	return world.Sorted(notes)
}

// markHidden finds the tenants of which a declared group's members are not known, though no mapping row or record has
// told so: one to be taken over, or one of ours whose state is lost.
func (p *forward) markHidden(groups []group) {
	if len(p.Index.Hidden) == 0 {
		return
	}
	for _, g := range groups {
		ids := []uuid.UUID{p.ownGroup(g.Address, p.generation(g.Address))}
		if holder, held := p.Index.ByName[g.Name]; held && g.Adopt && !p.Index.Groups[holder].Builtin {
			ids = append(ids, holder)
		}
		for _, id := range ids {
			name := p.Index.Hidden[id]
			if name == "" || p.Hidden[g.tenant] {
				continue
			}
			p.out.Violations = append(p.out.Violations, world.HiddenFrom(name, p.Tenants[g.tenant].Slug))
			p.out.Tenants[g.tenant].Blocked, p.out.Tenants[g.tenant].Hidden = true, true
		}
	}
}

// left are the recorded groups that no declared one has taken.
func (p *forward) left() (list []state.Object) {
	for _, rec := range p.State.Objects {
		_, there := p.recorded[rec.Address]
		if there && rec.Kind == state.KindGroup && !rec.Deleted && !p.declared[rec.Address] {
			list = append(list, rec)
		}
	}
	return list
}

// group plans one group, or leaves it and says why.
func (p *forward) group(g group, left []state.Object) {
	t, row := &p.out.Tenants[g.tenant], &p.Tenants[g.tenant]
	// Mistakes come before reasons to leave a group alone: they must be reported whatever state the tenant is in. A group
	// that is left alone is kept: its policy and its places in clients' maps stay with it.
	switch {
	case g.rec != nil && !g.rec.Deleted && g.rec.Tenant != row.ID && p.slugPassedOn(g):
		return
	case g.rec != nil && !g.rec.Deleted && g.rec.Tenant != row.ID:
		p.fail(g.Address, "Group of another tenant", "%s was made for tenant %q and is now declared for %q. "+
			"A group does not change its tenant: declare another one, under another address.",
			g.Address, g.rec.TenantSlug, g.Tenant)
		return
	case g.rec == nil && p.claims(g, left):
		return
	case !row.Live():
		p.tenantAway(g.Address, row)
		p.keep(g)
		return
	case p.foreign(g), t.Taken, t.Blocked:
		p.keep(g)
		return
	case g.rec != nil && g.rec.Deleted && p.paused(g.Address, g.rec):
		// No user of the tenant is moved either, or it would be in none of its groups.
		t.Paused = true
		return
	}
	if p.leave[g.Address] {
		p.leaveGroup(g)
		return
	}
	outside := len(p.out.Outside)
	c, said := p.compareGroup(g)
	id := c.After.ID
	if p.nestsBuiltin(g, id) {
		p.out.Outside = p.out.Outside[:outside] // what is left alone is not set back
		p.keep(g)
		return
	}
	if name := c.Will.Text(state.AttrName); c.Was != nil && name != "" && p.nameInUse(g.Address, name, id) {
		return
	}
	// From here on the group counts as wanted, even where its own change waits: users belong in it, clients name it.
	p.groupIDs[g.Address] = id
	wanted := Wanted{ID: id, Address: g.Address, Name: g.Name, Role: g.Role, Members: g.Members}
	paused := p.paused(g.Address, g.rec)
	if paused {
		wanted = g.asRecorded()
	}
	t.Groups = append(t.Groups, wanted)
	if paused {
		p.out.Outside = p.out.Outside[:outside]
		return
	}
	p.renamed(c)
	p.remapped(c)
	p.add(c, g.Pos, said...)
}

// asRecorded is a group that stays what it is: users go by that.
func (g *group) asRecorded() Wanted {
	return Wanted{ID: g.rec.ID, Address: g.Address, Name: g.rec.Attributes.Text(state.AttrName), Role: g.rec.Role(),
		Members: g.rec.Members}
}

// leaveGroup notes a group that is not part of the plan. One of ours that is there is wanted as it is.
func (p *forward) leaveGroup(g group) {
	p.keep(g)
	if g.rec == nil || g.rec.Deleted {
		return
	}
	if _, there := p.Index.Groups[g.rec.ID]; there {
		t := &p.out.Tenants[g.tenant]
		t.Groups = append(t.Groups, g.asRecorded())
	}
}

// slugPassedOn reports a group whose tenant has another slug by now, while another tenant has taken that slug, and says
// whether it is one. Two groups cannot change addresses and names at once.
func (p *forward) slugPassedOn(g group) bool {
	owner := p.Tenant(g.rec.Tenant)
	if owner == nil || owner.Slug == g.rec.TenantSlug {
		return false
	}
	p.fail(g.Address, "Slug of another tenant", "%s was made for the tenant that is called %q now, and another tenant has taken "+
		"its slug %q. One plan gives an address and a name up, the next one takes them: give both tenants slugs under which "+
		"nothing was made yet, apply, and then the slugs that they are to have.", g.Address, owner.Slug, g.Tenant)
	return true
}

// keep notes a group of ours that is left as it is, so that its policy and its places in clients' maps stay too.
func (p *forward) keep(g group) {
	if g.rec != nil && !g.rec.Deleted {
		p.groupIDs[g.Address], p.kept[g.rec.ID] = g.rec.ID, true
	}
}

// claims reports a new address that claims the group of an address that is gone (L34), and says whether it does.
func (p *forward) claims(g group, left []state.Object) bool {
	i := slices.IndexFunc(left, func(rec state.Object) bool {
		return rec.Attributes.Text(state.AttrName) == g.Name ||
			rec.Tenant == p.Tenants[g.tenant].ID && rec.Role() == g.Role
	})
	if i < 0 {
		return false
	}
	rec := left[i]
	p.fail(g.Address, "Group under another address", "%s claims the group %q of tenant %q, which is recorded as %s, "+
		"and that is no longer declared. It is not deleted and made again, since everybody in it would lose it. If it is "+
		"the same group, say so:"+movedBlock+"\n\nIf it is another, give it another name or role.",
		g.Address, rec.Attributes.Text(state.AttrName), rec.TenantSlug, rec.Address, rec.Address, g.Address)
	return true
}

// foreign says whether taking over a group would break the isolation of tenants, or would take one of Self-auth's own.
// Then it is not taken over, and the tenant is left alone (L40).
func (p *forward) foreign(g group) bool {
	holder, held := p.Index.ByName[g.Name]
	if !g.Adopt || !held || g.rec != nil && g.rec.ID == holder {
		return false
	}
	if in := p.Index.Inside[holder]; in != "" {
		p.fail(g.Address, "Group inside a built-in one", "%s: the group %q is a member of Self-auth's own group %s, so "+
			"everyone in it has the rights of that group. It cannot be taken over: give the group another name.",
			g.Address, g.Name, in)
		return true
	}
	live := p.Index.Groups[holder]
	if live.Builtin {
		p.fail(g.Address, "Built-in group", "%s: the group %q is one of Self-auth's own: its members administer Self-auth, "+
			"or Self-auth chooses them. It cannot be taken over: give the group another name.", g.Address, g.Name)
		return true
	}
	// Its members would get what this tenant's groups give, and users of this tenant what the other one's do.
	var found []state.Finding
	other := func(code state.Code, tenants []int) {
		for _, of := range tenants {
			if of != g.tenant {
				found = append(found, state.About(code, state.OfGroup(g.Name),
					state.Text(state.KeyTenant, p.Tenants[g.tenant].Slug), state.Text(state.KeyOther, p.Tenants[of].Slug)))
			}
		}
	}
	other(state.CodeAdoptMapped, p.MappedTo(holder))
	for _, m := range p.Index.MembersOf(map[uint32]bool{live.Index: true})[live.Index] {
		other(state.CodeAdoptMembers, p.TenantsOf(m.Person))
	}
	if len(found) == 0 {
		return false
	}
	p.out.Violations = append(p.out.Violations, world.Sorted(found)...)
	p.out.Tenants[g.tenant].Blocked = true
	return true
}

// nestsBuiltin says whether a group is inside a built-in one, or has one inside. Then its tenant is left alone (L40).
func (p *forward) nestsBuiltin(g group, id uuid.UUID) bool {
	slug := p.Tenants[g.tenant].Slug
	var v state.Finding
	if in := p.Index.Inside[id]; in != "" {
		v = state.About(state.CodeGroupInsideBuiltin, state.OfGroup(g.Name), state.Text(state.KeyTenant, slug),
			state.Text(state.KeyBuiltin, in))
	} else if in := p.Index.Holds[id]; in != "" {
		v = world.HoldsBuiltin(g.Name, slug, in)
	} else {
		return false
	}
	p.out.Violations = append(p.out.Violations, v)
	p.out.Tenants[g.tenant].Blocked = true
	return true
}

// ownGroup is the id that the group at an address gets.
func (p *forward) ownGroup(at state.Address, generation int) uuid.UUID {
	return state.GroupID(p.Lineage, at, generation)
}

// generation is the generation of our group at an address that Self-auth has; 1 where it has none.
func (p *forward) generation(at state.Address) int {
	for g := world.MaxGeneration; g > 1; g-- {
		if _, there := p.Index.Groups[p.ownGroup(at, g)]; there {
			return g
		}
	}
	return 1
}

// entry chooses the entry of a declared group: the recorded one, else one of ours that is there though nothing is
// recorded of it, else one that was there before us and may be taken over, else one to be made. unmap are groups that
// are gone and whose mapping rows must go.
func (p *forward) entry(g group) (after state.Object, unmap []uuid.UUID) {
	t := p.Tenants[g.tenant]
	after = state.Object{Address: g.Address, Kind: state.KindGroup, Generation: p.generation(g.Address), Tenant: t.ID,
		TenantSlug: t.Slug}
	if g.rec != nil {
		after.Run = g.rec.Run
		if _, there := p.Index.Groups[g.rec.ID]; there && !g.rec.Deleted {
			after.ID, after.Generation, after.Adopted = g.rec.ID, g.rec.Generation, g.rec.Adopted
			return after, nil
		}
		// Somebody else has deleted it, and its mapping row may still be there.
		if !g.rec.Deleted {
			unmap = mappedAs(p.Observed, t.ID, g.rec.ID)
		}
		after.Generation = max(g.rec.Generation, after.Generation)
		if _, there := p.Index.Groups[p.ownGroup(g.Address, after.Generation)]; !there {
			// The id of a deleted entry stays blocked for days.
			after.Generation = g.rec.Generation + 1
		}
	}
	after.ID = p.ownGroup(g.Address, after.Generation)
	if _, there := p.Index.Groups[after.ID]; !there && g.Adopt && p.Index.ByName[g.Name] != uuid.Nil {
		after.ID, after.Adopted, after.Generation = p.Index.ByName[g.Name], true, 0
	}
	return after, unmap
}

// compareGroup compares a declared group with its entry, and says what else there is to say of the change.
func (p *forward) compareGroup(g group) (c plan.ObjectChange, said []state.Finding) {
	after, unmap := p.entry(g)
	c = plan.ObjectChange{Address: g.Address, From: g.from, Kind: after.Kind, Before: g.rec, After: &after, Unmap: unmap}
	want := state.Attributes{
		state.AttrName:    state.TextValue(g.Name),
		state.AttrMapping: state.MappingValue(g.Role, g.Name),
	}
	if g.Described || !after.Adopted {
		want[state.AttrDescription] = state.TextValue(g.Description)
	}
	after.Attributes, after.Members = want.Set(), g.Members
	live, there := p.Index.Groups[after.ID]
	switch {
	case !there:
		c.Action, c.Will = state.ActionCreate, want.Set()
		if !isNew(&c) {
			// Its members have lost it in the meantime: that must not look like any new group.
			said = append(said, state.Found(state.CodeWasGone))
		}
	case isNew(&c) && !after.Adopted:
		c.Action, c.Will = state.ActionRecover, want.Set()
	default:
		p.compare(&c, groupNow(p.Observed, after.Tenant, after.ID, live), want)
		switch {
		case isNew(&c):
			c.Action = state.ActionAdopt
		case c.Action == "" && after.TenantSlug != g.rec.TenantSlug:
			c.Action = state.ActionUpdate
			said = append(said, state.About(state.CodeTenantCalled, state.OfTenant(after.TenantSlug)))
		}
		// Nothing is written for it, but rollbacks and later plans go by the recorded rule.
		if !isNew(&c) && !g.rec.Members.Equal(after.Members) {
			c.Action = cmp.Or(c.Action, state.ActionUpdate)
		}
	}
	return c, said
}

// renamed raises the hazard of a group to which this plan gives another name: the application finds groups by name, and
// tokens already issued carry the old one (L34).
func (p *forward) renamed(c plan.ObjectChange) {
	name := c.Will.Text(state.AttrName)
	if isNew(&c) || name == "" || c.Before.Attributes.Text(state.AttrName) == name {
		return
	}
	if n := members(p.Observed, c.After.ID); n > 0 {
		p.out.Raise(plan.LoginGap, n, groupRenamed(c.Before.Attributes.Text(state.AttrName), name, n))
	}
}

// remapped raises the hazards of a group with members that is mapped as admin from now on, or no longer.
func (p *forward) remapped(c plan.ObjectChange) {
	was, will := c.Was[state.AttrMapping], c.Will[state.AttrMapping]
	if !was.IsSet() || !will.IsSet() || c.After == nil {
		return
	}
	n, from, to := members(p.Observed, c.After.ID), was.Mapping().Role, will.Mapping().Role
	switch {
	case n == 0 || from == to:
	case from == state.RoleAdmin:
		p.out.Raise(plan.AdminsAsMembers, n, state.About(state.CodeMappedLess, state.Of(c.Address),
			state.Text(state.KeyRole, to.String())).Times(n))
	case to == state.RoleAdmin:
		p.out.Raise(plan.MembersAsAdmins, n, state.About(state.CodeMappedAdmin, state.Of(c.Address)).Times(n))
	}
}

// groupRenamed says that the members of a group have tokens with a name that it no longer has.
func groupRenamed(was, will string, members int64) state.Finding {
	return state.About(state.CodeGroupRenamed, state.OfGroup(was), state.Text(state.KeyName, will)).Times(members)
}

// wrongOrder notes the places of the tenants' groups, and reports those that were created in another order than tokens
// should list them in (L36).
func (p *forward) wrongOrder() (notes []state.Finding) {
	// Place of a group that is made now, behind all that are there.
	const newest = 1 << 30
	for i, t := range p.out.Tenants {
		last := -1
		for k := range t.Groups {
			g := &t.Groups[k]
			g.Place = newest + k
			if live, there := p.Index.Groups[g.ID]; there {
				g.Place = live.Place
				if g.Place < last {
					notes = append(notes, state.About(state.CodeOrderWrong, state.OfGroup(live.Name),
						state.Text(state.KeyTenant, p.Tenants[i].Slug)))
				}
			}
			last = g.Place
		}
	}
	return world.Sorted(notes)
}
