package planner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/state"
)

// planGroups plans the declared groups in the order in which tokens will list them (L36): admin before member before
// viewer within a tenant.
func (p *objectPlanner) planGroups(groups []config.Group) {
	groups = slices.Clone(groups)
	bySlug := p.bySlug()
	slices.SortFunc(groups, func(a, b config.Group) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Role, b.Role), strings.Compare(string(a.Address), string(b.Address)))
	})
	p.followSlugs(groups, bySlug)
	records := map[state.Address]groupRecord{}
	for _, g := range groups {
		rec, from, has := p.take(g.Address)
		records[g.Address] = groupRecord{rec, from, has}
	}
	p.markTaken(groups, records, bySlug)
	left := p.left()
	for _, g := range groups {
		r, t := records[g.Address], bySlug[g.Tenant]
		switch {
		case t == nil:
			continue // config has said so
		case r.has && !r.Deleted && r.Tenant != t.ID:
			p.diags = p.diags.Append(fail("Group of another tenant", "%s (%s:%d) was made for tenant %q and is now declared for %q. A group does not change its tenant: declare another one, under another address.",
				g.Address, g.Pos.File, g.Pos.Line, r.TenantSlug, g.Tenant))
			continue
		case !r.has && p.claimed(g, t, left):
			continue
		case !t.Live():
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its tenant is %s", g.Address, tenantAway(t)))
			p.keepAsItIs(g.Address, r)
			continue
		case p.foreign(g, r, t), t.taken, t.blocked:
			p.keepAsItIs(g.Address, r)
			continue
		case r.has && r.Paused && r.Deleted:
			t.paused = p.paused(g.Address, r.Object, true)
			continue
		}
		c := p.planGroup(g, r, t)
		if in := p.dir.inside[c.After.ID]; in != "" {
			t.blocked = true
			p.violations = append(p.violations, fmt.Sprintf("group %s of tenant %s is a member of Self-auth's own %s: whoever is in it has the rights of that", g.Name, t.Slug, in))
			p.keepAsItIs(g.Address, r)
			continue
		}
		if in := p.dir.holds[c.After.ID]; in != "" {
			t.blocked = true
			p.violations = append(p.violations, holdsText(g.Name, t.Slug, in))
			p.keepAsItIs(g.Address, r)
			continue
		}
		if name := c.Will["name"]; c.Was != nil && name != "" && p.nameInUse(g.Address, g.Pos, name, c.After.ID) {
			continue
		}
		p.groupID[g.Address] = c.After.ID
		t.groups = append(t.groups, wantedGroup{id: c.After.ID, members: g.Members, address: g.Address})
		if p.paused(g.Address, r.Object, r.has) {
			continue
		}
		p.add(c, g.Pos)
	}
	p.adoptedOrder(bySlug)
}

// keepAsItIs keeps a group of ours that is not looked at, with its policy and its places in clients' maps.
func (p *objectPlanner) keepAsItIs(a state.Address, r groupRecord) {
	if r.has && !r.Deleted {
		p.groupID[a], p.dormants[r.ID] = r.ID, true
	}
}

// foreign says whether taking a group over would break the isolation of tenants, or reach for what is Self-auth's own: then
// it is not, and the tenant is left alone (L40).
func (p *objectPlanner) foreign(g config.Group, r groupRecord, t *tenant) bool {
	holder, held := p.dir.byName[g.Name]
	if !g.Adopt || !held || r.has && r.ID == holder {
		return false
	}
	live := p.dir.groups[holder]
	if in := p.dir.inside[holder]; in != "" {
		p.diags = p.diags.Append(fail("Group inside a built-in one", "%s (%s:%d): the group %q is a member of Self-auth's own %s, so whoever is in it has the rights of that. It cannot be taken over: give the group another name.", g.Address, g.Pos.File, g.Pos.Line, g.Name, in))
		return true
	}
	if live.builtin {
		p.diags = p.diags.Append(fail("Built-in group", "%s (%s:%d): the group %q is Self-auth's own, and its members administer Self-auth or are chosen by it. It cannot be taken over: give the group another name.", g.Address, g.Pos.File, g.Pos.Line, g.Name))
		return true
	}
	at := p.tenantIndex(t.ID)
	others := map[string]int{}
	for _, of := range p.mapped[holder] {
		if of != at {
			others["it is mapped to tenant "+p.tenants[of].Slug]++
		}
	}
	for _, m := range p.dir.membersOf(live.index) {
		for _, of := range p.tenantsOf(m.person) {
			if of != at {
				others["users of tenant "+p.tenants[of].Slug+" are members of it"]++
			}
		}
	}
	for _, why := range slices.Sorted(maps.Keys(others)) {
		p.violations = append(p.violations, fmt.Sprintf("group %s cannot be taken over for tenant %s: %s", g.Name, t.Slug, why))
	}
	t.blocked = t.blocked || len(others) > 0
	return len(others) > 0
}

type groupRecord struct {
	state.Object
	from state.Address
	has  bool
}

// followSlugs adds the moves that follow from tenants whose slug changed (L32): a group recorded for the tenant under
// the key of its old slug is the one now declared under the new one.
func (p *objectPlanner) followSlugs(groups []config.Group, bySlug map[string]*tenant) {
	type key struct {
		block  string
		tenant uuid.UUID
		role   state.Role
	}
	left := map[key]state.Address{}
	for _, rec := range p.in.State.Objects {
		if rec.Kind == state.KindGroup && !rec.Deleted && !p.declared[rec.Address] {
			if t := p.tenantOf(rec.Tenant); t != nil && t.Slug != rec.TenantSlug {
				left[key{rec.Address.Block(), rec.Tenant, rec.Role()}] = rec.Address
			}
		}
	}
	for _, g := range groups {
		t := bySlug[g.Tenant]
		if t == nil {
			continue
		}
		if old, ok := left[key{g.Block, t.ID, g.Role}]; ok && old != g.Address {
			if _, explicit := p.moved[g.Address]; !explicit {
				p.moved[g.Address] = old
				p.outside = append(p.outside, fmt.Sprintf("tenant %s was called %s before: %s follows as %s", t.Slug, p.recorded[old].TenantSlug, old, g.Address))
			}
		}
	}
}

// left are the recorded groups that no declared one has taken.
func (p *objectPlanner) left() (list []state.Object) {
	for _, rec := range p.in.State.Objects {
		if _, there := p.recorded[rec.Address]; there && rec.Kind == state.KindGroup && !rec.Deleted && !p.declared[rec.Address] {
			list = append(list, rec)
		}
	}
	return list
}

// claimed finds a new address that claims the object of one that is gone (L34).
func (p *objectPlanner) claimed(g config.Group, t *tenant, left []state.Object) bool {
	for _, rec := range left {
		if rec.Attributes["name"] == g.Name || rec.Tenant == t.ID && rec.Role() == g.Role {
			p.diags = p.diags.Append(fail("Group under another address", "%s (%s:%d) claims the group %q of tenant %q, which is recorded as %s, and that is declared no more. It is not deleted and made again, since everybody in it would lose it. If it is the same group, say so:\n\n    moved {\n      from = %s\n      to   = %s\n    }\n\nIf it is another, give it another name or role.",
				g.Address, g.Pos.File, g.Pos.Line, rec.Attributes["name"], rec.TenantSlug, rec.Address, rec.Address, g.Address))
			return true
		}
	}
	return false
}

// markTaken finds the tenants of which a wanted group name is held by an entry that is not ours: they are skipped as a
// whole, so that nobody of them is moved into half of his groups.
func (p *objectPlanner) markTaken(groups []config.Group, records map[state.Address]groupRecord, bySlug map[string]*tenant) {
	for _, g := range groups {
		t := bySlug[g.Tenant]
		if t == nil {
			continue
		}
		holder, held := p.dir.byName[g.Name]
		r := records[g.Address]
		ours := r.has && r.ID == holder || held && holder == state.GroupID(p.lineage, g.Address, p.generation(g.Address))
		if held && !ours && !g.Adopt && p.isOurs(holder) {
			continue // an edit that takes the name of another group of ours is a mistake, told where it is planned
		}
		if held && !ours && !g.Adopt || !held && p.dir.nameTaken(p.dir.hash(g.Name)) {
			t.taken = true
			p.notes = append(p.notes, fmt.Sprintf("%s: the name %s belongs to an entry of Self-auth that is not Anthill's (adopt = true takes over a group): tenant %s is left alone, but for users who are no longer active", g.Address, g.Name, t.Slug))
		}
	}
}

// isOurs says whether an entry is recorded as a group of ours.
func (p *objectPlanner) isOurs(id uuid.UUID) bool {
	return slices.ContainsFunc(p.in.State.Objects, func(o state.Object) bool { return o.Kind == state.KindGroup && !o.Deleted && o.ID == id })
}

// generation is that of the group of ours which Self-auth has at an address; 1 where it has none.
func (w *world) generation(a state.Address) int {
	for gen := maxGeneration; gen > 1; gen-- {
		if _, there := w.dir.groups[state.GroupID(w.lineage, a, gen)]; there {
			return gen
		}
	}
	return 1
}

// planGroup compares one group.
func (p *objectPlanner) planGroup(g config.Group, r groupRecord, t *tenant) ObjectChange {
	after := state.Object{Address: g.Address, Kind: state.KindGroup, Tenant: t.ID, TenantSlug: t.Slug, Generation: p.generation(g.Address)}
	after.ID = state.GroupID(p.lineage, g.Address, after.Generation)
	c := ObjectChange{Address: g.Address, From: r.from, Kind: state.KindGroup, After: &after}
	if r.has {
		before := r.Object
		c.Before = &before
		after.Run, after.Generation, after.ID, after.Adopted = r.Run, r.Generation, r.ID, r.Adopted
		if _, there := p.dir.groups[r.ID]; r.Deleted || !there {
			if !r.Deleted {
				c.Unmap = p.mappedTo(t.ID, r.ID)
			}
			after.Generation, after.Adopted = max(r.Generation, p.generation(g.Address)), false
			if _, ours := p.dir.groups[state.GroupID(p.lineage, g.Address, after.Generation)]; !ours {
				after.Generation = r.Generation + 1 // the id is blocked for days
			}
			after.ID = state.GroupID(p.lineage, g.Address, after.Generation)
		}
	}
	live, there := p.dir.groups[after.ID]
	if holder, held := p.dir.byName[g.Name]; !there && held && g.Adopt {
		live, there = p.dir.groups[holder]
		after.ID, after.Adopted, after.Generation = holder, true, 0
	}
	want := state.Attributes{"name": g.Name, "mapping": g.Role.String() + " " + g.Name}
	if g.Described || !after.Adopted {
		want["description"] = g.Description
	}
	after.Attributes = set(want)
	adopts := there && after.Adopted && (c.Before == nil || c.Before.Deleted)
	recovers := there && !after.Adopted && (c.Before == nil || c.Before.Deleted)
	switch {
	case !there:
		c.Action, c.Will = Create, set(want)
		c.Text = append(c.Text, fmt.Sprintf("group %s, mapped as %s", g.Name, g.Role))
		if r.has && !r.Deleted {
			c.Text = append(c.Text, "the group that we had made is gone")
		}
	case recovers:
		c.Action, c.Will = Recover, set(want)
		c.Text = append(c.Text, fmt.Sprintf("group %s is ours already, mapped as %s", g.Name, g.Role))
	default:
		p.settle(&c, p.groupNow(after.ID, live, t.ID), want)
		if adopts {
			c.Action = Adopt
			c.Text = slices.Insert(c.Text, 0, fmt.Sprintf("group %s was there before: taken over, mapped as %s", g.Name, g.Role))
		}
		p.loginGap(c, live)
		if c.Action == "" && after.TenantSlug != c.Before.TenantSlug {
			c.Action = Update
			c.Text = append(c.Text, fmt.Sprintf("its tenant is called %s now", after.TenantSlug))
		}
	}
	return c
}

// groupNow is a group with its mapping row as it is.
func (w *world) groupNow(id uuid.UUID, g dirGroup, tenant uuid.UUID) state.Attributes {
	a := state.Attributes{"name": g.name, "description": g.description}
	if m, mapped := w.rows[[2]uuid.UUID{tenant, id}]; mapped {
		a["mapping"] = m.Role.String() + " " + m.GroupName
	}
	return a
}

func (p *objectPlanner) mappedTo(tenant, group uuid.UUID) []uuid.UUID {
	if _, old := p.rows[[2]uuid.UUID{tenant, group}]; old {
		return []uuid.UUID{group}
	}
	return nil
}

// loginGap raises the hazard of a rename by an edit: the application finds groups by name, and tokens already issued
// carry the old one (L34).
func (p *objectPlanner) loginGap(c ObjectChange, live dirGroup) {
	if c.Before == nil || c.Before.Deleted || c.Will["name"] == "" || c.Before.Attributes["name"] == c.Will["name"] {
		return
	}
	if n := p.dir.counts[live.index]; n > 0 {
		p.raise(LoginGap, n, renamedText(c.Before.Attributes["name"], c.Will["name"], n))
	}
}

func renamedText(was, will string, members int64) string {
	return fmt.Sprintf("group %s becomes %s: its %d members meet the old name in tokens already issued, and the application finds groups by name", was, will, members)
}

// raise adds to a hazard.
func (p *objectPlan) raise(code HazardCode, n int64, text string) {
	for i := range p.hazards {
		if p.hazards[i].Code == code {
			p.hazards[i].Count += n
			p.hazards[i].Text += ". " + text
			return
		}
	}
	p.hazards = append(p.hazards, Hazard{Code: code, Count: n, Text: text})
}

// adoptedOrder reports groups of a tenant that were created in another order than tokens should list them in (L36).
func (p *objectPlanner) adoptedOrder(bySlug map[string]*tenant) {
	for _, t := range bySlug {
		last := -1
		for _, g := range t.groups {
			live, there := p.dir.groups[g.id]
			if !there {
				last = 1 << 30 // made now, behind all that are there
				continue
			}
			if live.place < last {
				p.notes = append(p.notes, fmt.Sprintf("group %s of tenant %s is older than one that should come before it: tokens list groups in the order of their creation, and the application takes the first that is mapped", live.name, t.Slug))
			}
			last = live.place
		}
	}
	slices.Sort(p.notes)
}

// goneGroup plans a group that is declared no more (L31, L35).
func (p *objectPlanner) goneGroup(rec state.Object) {
	t := p.tenantOf(rec.Tenant)
	block := rec.Address.Block()
	stays := slices.Contains(p.in.Config.Blocks, block) && slices.Contains(p.in.Config.DataBlocks, block)
	if stays && t != nil {
		p.dormants[rec.ID] = true
		if t.Live() {
			p.dormant = append(p.dormant, fmt.Sprintf("%s: the data of its for_each names it no more (L31); it is kept", rec.Address))
		} else {
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its tenant is %s", rec.Address, tenantAway(t)))
		}
		return
	}
	p.deleting[rec.ID] = rec.Address
	before, after := rec, rec
	c := ObjectChange{Address: rec.Address, Kind: state.KindGroup, Action: Delete, Before: &before}
	live, there := p.dir.groups[rec.ID]
	now := p.groupNow(rec.ID, live, rec.Tenant)
	switch {
	case rec.Adopted:
		c.Action, c.Will = Forget, state.Attributes{"mapping": ""}
		c.Was = state.Attributes{}
		if now["mapping"] != "" {
			c.Was["mapping"] = now["mapping"]
		}
		c.Text = []string{"group " + live.name + " was there before us and stays; its mapping row goes"}
	case !there:
		c.Action, c.Was, c.Will = Forget, state.Attributes{}, state.Attributes{}
		c.Unmap = p.mappedTo(rec.Tenant, rec.ID)
		after.Deleted = true
		c.After = &after
		c.Text = []string{"group " + rec.Attributes["name"] + " is gone already; its mapping row goes"}
	default:
		c.Was = set(now)
		after.Deleted = true
		c.After = &after
		c.Text = []string{fmt.Sprintf("group %s and its mapping row, %d members", live.name, p.dir.counts[live.index])}
		p.endsScopes(rec, live)
		p.gapOf += p.dir.counts[live.index]
	}
	p.add(c, config.Pos{})
	delete(p.where, rec.Address)
}

// expel adds the removal of strangers to a group's change, or a change of its own.
func (p *objectPlan) expel(g *wantedGroup, w *world, strangers []uuid.UUID) {
	list := make([]string, len(strangers))
	for i, id := range strangers {
		list[i] = id.String()
	}
	slices.Sort(list)
	i := slices.IndexFunc(p.changes, func(c ObjectChange) bool { return c.Address == g.address })
	if i < 0 {
		for _, rec := range w.in.State.Objects {
			if rec.Address == g.address {
				before, after := rec, rec
				p.changes = append(p.changes, ObjectChange{Address: g.address, Kind: state.KindGroup, Action: Update, Before: &before, After: &after,
					Was: state.Attributes{}, Will: state.Attributes{}})
				i = len(p.changes) - 1
				p.unchanged--
			}
		}
	}
	if i < 0 || p.changes[i].Was == nil {
		return // made by this plan: nobody is in it
	}
	c := &p.changes[i]
	c.Was["strangers"], c.Will["strangers"] = jsonText(list, len(list)), ""
	c.Text = append(c.Text, fmt.Sprintf("%d members who do not belong in it leave (manage = \"full\")", len(list)))
}
