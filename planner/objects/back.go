package objects

import (
	"maps"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// Needs is what users who are not taken back need. It is known once all users of a rollback are decided.
type Needs struct {
	Groups   map[uuid.UUID]int64 // how many moved users need a group afterwards
	Since    map[uuid.UUID]int64 // and how many of them were not moved yet before the runs that are undone
	Live     []int64             // live users of each tenant, by index of the world's tenants
	Refers   []int64             // rows of users of each tenant, deleted ones too
	Pauses   bool                // the rollback leaves a pause
	Recycled map[uuid.UUID]bool  // deleted entries that can be brought back
}

// Plan takes back what the runs did to objects, as far as no moved user needs them. What would be a hazard of another
// plan is only a note here, so that it does not block the way back (L44), unless it locks users out.
func (f *Folded) Plan(n Needs) *Plan {
	p := &back{Folded: f, needs: n}
	for i := range f.chains {
		c := &f.chains[i]
		var change *plan.ObjectChange
		switch {
		case p.hidden(c):
			p.out.Stays = true
		case c.goes():
			change = p.goes(c)
		case c.returns():
			change = p.returns(c)
		default:
			change = p.changes(c)
		}
		if change != nil {
			p.rename(change)
			p.out.Changes = append(p.out.Changes, *change)
		}
	}
	for i := range f.kept {
		if change := p.records(&f.kept[i]); change != nil {
			p.out.Changes = append(p.out.Changes, *change)
		}
	}
	inOrder(p.out.Changes)
	return &p.out
}

// back is the way back of objects in the making.
type back struct {
	*Folded
	needs Needs
	out   Plan
}

func (p *back) note(f state.Finding) { p.out.Notes = append(p.out.Notes, f) }

// pauses says whether what is put back waits for a wave to go on: only the rollback of an apply leaves that.
func (p *back) pauses() bool { return p.kind == state.RunApply && p.needs.Pauses }

// takenBack is an object as it is recorded after a rollback. It is paused only where the rollback leaves a pause:
// without one that can be lifted, it would never be made again.
func (p *back) takenBack(o state.Object) *state.Object {
	o.Deleted, o.Paused = true, p.needs.Pauses
	return &o
}

// hidden says whether a chain is about a group whose members are not known. It is left as it is, and a later rollback
// tries again.
func (p *back) hidden(c *chain) bool {
	o := c.object()
	return (o.Kind == state.KindGroup || o.Kind == state.KindPolicy) && p.world.Index.Hidden[o.ID] != ""
}

// goes takes back an object that the runs made; nil where it is gone already, or needed still.
func (p *back) goes(c *chain) *plan.ObjectChange {
	o := c.object()
	live := now(p.world, o)
	if o.Address == "" || o.Deleted || c.recorded == nil && live == nil {
		// Its id was burnt, or it was taken back already.
		return nil
	}
	if p.needed(o, live) {
		p.out.Stays = true
		return nil
	}
	return &plan.ObjectChange{
		Address: c.address,
		Kind:    o.Kind,
		Action:  state.ActionDelete,
		Before:  c.recorded,
		After:   p.takenBack(o),
		Was:     live.Set(),
		Last:    true,
	}
}

// needed says whether users who stay moved need an object.
func (p *back) needed(o state.Object, live state.Attributes) bool {
	switch o.Kind {
	case state.KindGroup:
		return p.needs.Groups[o.ID] > 0
	case state.KindClient:
		n := p.logins(live, nil)
		if n > 0 {
			p.note(state.About(state.CodeClientStays, state.OfClient(o.Attributes.Text(state.AttrName))).Times(n))
		}
		return n > 0
	case state.KindTenant:
		t := p.world.TenantIndex(o.ID)
		if t < 0 || p.needs.Refers[t] == 0 {
			return false
		}
		p.note(state.About(state.CodeTenantRowStays, state.OfTenant(p.world.Tenants[t].Slug)).Times(p.needs.Refers[t]))
		return true
	}
	return false
}

// logins counts users who stay moved though the runs moved them, and whom a client lets in by the scope maps of live
// but would not let in by those of will.
func (p *back) logins(live, will state.Attributes) (n int64) {
	// Users who were moved before the runs had their logins before this client let them in.
	stays := scopesOf(will)
	for g := range scopesOf(live) {
		if _, still := stays[g]; !still {
			n += p.needs.Since[g]
		}
	}
	return n
}

// returns makes again what the runs deleted, with all that it had.
func (p *back) returns(c *chain) *plan.ObjectChange {
	// As it was before the first of the runs, whatever later ones wrote.
	after := *c.records[0].Before
	after.Address, after.Paused, after.Deleted = c.address, p.pauses(), false
	if next, again := p.remade[after.ID]; again && after.Kind == state.KindGroup {
		after.ID, after.Generation = next, c.nextGeneration()
	}
	change := &plan.ObjectChange{
		Address: c.address,
		Kind:    after.Kind,
		Action:  state.ActionCreate,
		Before:  c.recorded,
		After:   &after,
		Will:    c.before().Set(),
	}
	if len(change.Will) == 0 { // somebody else had deleted it before the run did
		change.Will = after.Attributes.Set()
	}
	if after.Kind == state.KindTenant {
		// The row is still there, marked as deleted.
		change.Will[state.AttrDeleted] = state.Value{}
	}
	p.secretLost(change)
	return change
}

// changes gives an object its former values back; nil where there is nothing to do, or where somebody else has deleted
// it.
func (p *back) changes(c *chain) *plan.ObjectChange {
	o, oldest := c.object(), c.records[0]
	live := p.asLeft(c, o)
	if live == nil {
		return nil
	}
	change := &plan.ObjectChange{Address: c.address, Kind: o.Kind, Action: state.ActionUpdate, Before: c.recorded}
	change.Was, change.Will = live.Diff(c.before())
	// If the runs took it over, or recovered it, it stops being ours but stays where it is.
	lost := oldest.Before == nil || oldest.Before.Deleted
	if lost {
		change.After = p.takenBack(o)
	} else {
		after := *oldest.Before
		// Of the entry that is there now: it may have been made again.
		after.ID, after.Generation = o.ID, o.Generation
		if oldest.From != "" && oldest.From != c.address {
			change.From, change.Address, after.Address = c.address, oldest.From, oldest.From
		}
		// What a rollback is waiting for goes on waiting where only a refresh is taken back.
		after.Paused = p.pauses() || p.kind == state.RunRefresh && o.Paused
		change.After = &after
	}
	p.warn(c, change, o, live)
	if len(change.Will) == 0 && c.recorded != nil && change.After.Equal(*c.recorded) {
		return nil
	}
	if lost {
		p.out.say(change.Address, state.Found(state.CodeNotOursNow))
	}
	return change
}

// asLeft is what an object holds, as the runs left it. Which members they put out of a group, or let in again, only the
// journal knows.
func (p *back) asLeft(c *chain, o state.Object) state.Attributes {
	live := maps.Clone(now(p.world, o))
	if live == nil {
		return nil
	}
	for _, spec := range o.Kind.Spec().Attributes {
		for _, r := range c.records {
			if v, touched := r.Will[spec.Name]; touched && spec.Form == state.FormMembers {
				live[spec.Name] = v
			}
		}
	}
	return live
}

// warn adds what a change of values means for users.
func (p *back) warn(c *chain, change *plan.ObjectChange, o state.Object, live state.Attributes) {
	switch o.Kind {
	case state.KindGroup:
		name, n := change.Will.Text(state.AttrName), members(p.world, o.ID)
		if name != "" && n > 0 {
			p.note(groupRenamed(live.Text(state.AttrName), name, n))
		}
	case state.KindClient:
		p.warnClient(c, change, o, live)
	case state.KindTenant:
		t, status := p.world.TenantIndex(o.ID), change.Will.Text(state.AttrStatus)
		if t < 0 || status == "" || p.world.Tenants[t].Status != "active" || p.needs.Live[t] == 0 {
			return
		}
		n := p.needs.Live[t]
		p.out.Raise(plan.LocksOut, n, state.About(state.CodeTenantBack, state.OfTenant(p.world.Tenants[t].Slug),
			state.Text(state.KeyStatus, status)).Times(n))
	}
}

// warnClient adds what a change of a client means for users. Another type means another client: the one that was
// deleted for it comes back.
func (p *back) warnClient(c *chain, change *plan.ObjectChange, o state.Object, live state.Attributes) {
	for _, r := range []plan.Risk{loginsEnd(*change), weakened(*change)} {
		for _, h := range r.Hazards {
			p.out.Notes = append(p.out.Notes, h.Of...)
		}
	}
	if typ, before := change.Will.Text(state.AttrType), c.records[0].Before; typ != "" && before != nil {
		change.Action, change.Was, change.Will = state.ActionReplace, live.Set(), c.before().Set()
		change.After.ID = before.ID
		p.note(state.About(state.CodeClientTypeBack, state.OfClient(live.Text(state.AttrName)),
			state.Text(state.KeyType, typ)))
		p.secretLost(change)
	}
	if _, touched := change.Will[state.AttrScopeMaps]; touched {
		if n := p.logins(live, change.Will); n > 0 {
			p.out.Raise(plan.LocksOut, n, state.About(state.CodeClientLetsLess,
				state.OfClient(o.Attributes.Text(state.AttrName))).Times(n))
		}
	}
}

// secretLost notes a client that is made again without its secret, because it cannot be brought back.
func (p *back) secretLost(c *plan.ObjectChange) {
	if c.Kind == state.KindClient && c.Will.Text(state.AttrType) == "confidential" && !p.needs.Recycled[c.After.ID] {
		p.note(state.About(state.CodeClientNewSecret, state.OfClient(c.Will.Text(state.AttrName))))
	}
}

// rename puts the new ids of groups that are made again into a change that names them.
func (p *back) rename(c *plan.ObjectChange) {
	for old, next := range p.remade {
		if c.Kind == state.KindPolicy && c.After.ID == old {
			c.After.ID = next
		}
		c.Will = c.Will.Renamed(old, next)
		c.After.Attributes = c.After.Attributes.Renamed(old, next)
	}
}
