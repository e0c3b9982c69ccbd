package planner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/state"
)

// objectChain is what runs did to one object, oldest first, from the first run to be undone on.
type objectChain struct {
	address state.Address // as it is recorded now
	records []state.ObjectRecord
	cur     state.Object // as recorded now
	has     bool
}

// object is the object as it is recorded, or where it was forgotten as it was before that.
func (c objectChain) object() state.Object {
	last := c.records[len(c.records)-1]
	if !c.has && last.After == nil && last.Before != nil {
		return *last.Before
	}
	return c.cur
}

// recorded is what is recorded of the object now.
func (c objectChain) recorded() *state.Object {
	if !c.has {
		return nil
	}
	cur := c.cur
	return &cur
}

// goes says whether the object was not there before.
func (c objectChain) goes() bool { return c.records[0].Was == nil }

// returns says whether the object was there before and is not now, because the runs deleted it. Where somebody else
// had deleted it before them, it does not.
func (c objectChain) returns() bool {
	if c.goes() || c.has && !c.cur.Deleted {
		return false
	}
	gone := false
	for _, r := range c.records {
		switch {
		case r.Will == nil:
			gone = true
		case r.Was == nil && !gone:
			return false
		default:
			gone = false
		}
	}
	return gone
}

// foldObjects gathers the journal of objects by object, and chooses the ids of groups that are made again.
func (u *undo) foldObjects(ctx context.Context) error {
	records, err := u.ObjectRecords(ctx, u.from)
	if err != nil {
		return err
	}
	chains := map[state.Address]*objectChain{}
	var order []*objectChain
	for _, r := range records {
		if r.Settled && r.Verdict != state.Done {
			continue
		}
		c := chains[r.Address]
		if r.From != "" && chains[r.From] != nil {
			c = chains[r.From]
			delete(chains, r.From)
			chains[r.Address] = c
		}
		if c == nil {
			if !u.seeds[r.Run] {
				continue // of later runs alone
			}
			c = &objectChain{}
			chains[r.Address] = c
			order = append(order, c)
		}
		c.address = r.Address
		c.records = append(c.records, r)
	}
	u.remade = map[uuid.UUID]uuid.UUID{}
	for _, c := range order {
		if u.seedKind == state.RunApply && u.takenBackSince(c) {
			continue
		}
		for _, o := range u.State.Objects {
			if o.Address == c.address {
				c.cur, c.has = o, true
			}
		}
		if k := c.records[0].Kind(); k == state.KindGroup && c.returns() {
			before := c.records[0].Before
			gen := max(before.Generation, c.cur.Generation) + 1
			u.remade[before.ID] = state.GroupID(u.lineage, c.address, gen)
			if c.has {
				u.remade[c.cur.ID] = u.remade[before.ID]
			}
		}
		u.chains = append(u.chains, *c)
	}
	return nil
}

// takenBackSince says whether a later rollback, which was not undone itself, has put an object back to where it was before the
// runs to be undone, or earlier. The rollback of a rollback does the contrary.
func (u *undo) takenBackSince(c *objectChain) bool {
	place := map[string]int{}
	for i, r := range u.State.Runs {
		place[r.ID] = i
	}
	first := place[c.records[0].Run]
	return slices.ContainsFunc(c.records, func(rec state.ObjectRecord) bool {
		r := u.State.Runs[place[rec.Run]]
		return r.Kind == state.RunRollback && !r.Undone && slices.ContainsFunc(r.Undoes, func(id string) bool { return place[id] <= first && u.State.Runs[place[id]].Kind == state.RunApply })
	})
}

// readRecycled finds what can be brought back, where something was deleted.
func (u *undo) readRecycled(ctx context.Context) error {
	u.recycled = map[uuid.UUID]bool{}
	if u.seedKind != state.RunRollback && len(u.chains) == 0 {
		return nil
	}
	list, err := u.Directory.Recycled(ctx)
	for _, id := range list {
		u.recycled[id] = true
	}
	return err
}

// before are the values that what the runs wrote had before; all of them where the object is made again.
func (c objectChain) before() state.Attributes {
	want := state.Attributes{}
	for _, r := range c.records {
		if r.Was == nil {
			continue // made again: what it was before is known from earlier records, or from none
		}
		for _, side := range []state.Attributes{r.Was, r.Will} {
			for k := range side {
				if _, seen := want[k]; !seen {
					want[k] = r.Was[k]
				}
			}
		}
	}
	return want
}

// now is what an object is, by its kind; nil: it is not there.
func (u *undo) now(o state.Object) state.Attributes {
	switch o.Kind {
	case state.KindGroup:
		if g, there := u.dir.groups[o.ID]; there {
			return u.groupNow(o.ID, g, o.Tenant)
		}
	case state.KindPolicy:
		if g, there := u.dir.groups[o.ID]; there && g.policy != nil {
			return withAuthorities(g.policy, o)
		}
	case state.KindClient:
		for _, c := range u.liveClients {
			if c.ID == o.ID {
				return c.Attributes
			}
		}
	case state.KindTenant:
		if t := u.tenantOf(o.ID); t != nil {
			return t.Attributes()
		}
	}
	return nil
}

// objects takes back what the runs did to objects, as far as no moved user needs them.
func (u *undo) objects(p *Plan) {
	for _, c := range u.chains {
		var change *ObjectChange
		switch {
		case c.goes():
			change = u.objectGoes(p, c)
		case c.returns():
			change = u.objectReturns(p, c)
		default:
			change = u.objectBack(p, c)
		}
		if change != nil {
			u.remap(change)
			p.Objects = append(p.Objects, *change)
		}
	}
	u.nameGroups(p.Objects)
	slices.SortStableFunc(p.Objects, func(a, b ObjectChange) int {
		x, y := objectOf(a), objectOf(b)
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(x.TenantSlug, y.TenantSlug), cmp.Compare(x.Role(), y.Role()), strings.Compare(string(a.Address), string(b.Address)))
	})
}

func objectOf(c ObjectChange) state.Object {
	if c.After != nil {
		return *c.After
	}
	return *c.Before
}

// objectGoes takes back an object that the runs made.
func (u *undo) objectGoes(p *Plan, c objectChain) *ObjectChange {
	o := c.object()
	live := u.now(o)
	if o.Address == "" || o.Deleted || !c.has && live == nil {
		return nil // burnt, or taken back already
	}
	switch t := u.tenantOf(o.ID); {
	case o.Kind == state.KindGroup && u.needed[o.ID] > 0:
		u.stays = true
		return nil
	case o.Kind == state.KindClient && u.loginsOf(live, nil) > 0:
		u.stays = true
		p.Analysis.Notes = append(p.Analysis.Notes, fmt.Sprintf("client %s stays: %d users who stay moved log in through it", o.Attributes["name"], u.loginsOf(live, nil)))
		return nil
	case o.Kind == state.KindTenant && t != nil && t.refers > 0:
		u.stays = true
		p.Analysis.Notes = append(p.Analysis.Notes, fmt.Sprintf("tenant %s has %d users by now: its row stays", t.Slug, t.refers))
		return nil
	}
	return &ObjectChange{Address: c.address, Kind: o.Kind, Action: Delete, Before: c.recorded(), After: u.takenBack(o), Was: set(live), Last: true,
		Text: []string{u.nameOf(o)}}
}

// loginsOf counts users who stay moved, were not before, and whom a client lets in by its scope maps now, and would not by
// those of will.
func (u *undo) loginsOf(live, will state.Attributes) (n int64) {
	stays := scopeGroups(will)
	for _, g := range scopeGroups(live) {
		if !slices.Contains(stays, g) {
			n += u.since[g]
		}
	}
	return n
}

// takenBack is an object as it is recorded after a rollback. Without a pause that can be lifted it would stay away for
// ever.
func (u *undo) takenBack(o state.Object) *state.Object {
	o.Deleted, o.Paused = true, len(u.paused) > 0
	return &o
}

func (u *undo) nameOf(o state.Object) string {
	switch o.Kind {
	case state.KindGroup:
		return "group " + o.Attributes["name"] + " and its mapping row"
	case state.KindPolicy:
		return "policy with its values"
	case state.KindClient:
		return "client " + o.Attributes["name"]
	}
	return "tenant " + o.Attributes["slug"]
}

// objectReturns makes again what the runs deleted, with all that it had.
func (u *undo) objectReturns(p *Plan, c objectChain) *ObjectChange {
	after := *c.records[0].Before
	after.Address, after.Paused, after.Deleted = c.address, u.seedKind == state.RunApply && len(u.paused) > 0, false
	if next, ok := u.remade[after.ID]; ok && after.Kind == state.KindGroup {
		after.ID, after.Generation = next, max(after.Generation, c.cur.Generation)+1
	}
	change := &ObjectChange{Address: c.address, Kind: after.Kind, Action: Create, Before: c.recorded(), After: &after, Will: set(c.before()), Text: []string{u.nameOf(after) + ", made again"}}
	if after.Kind == state.KindTenant {
		change.Will["deleted"] = "" // its row is only marked
	}
	u.secretLost(p, *change)
	return change
}

// objectBack gives an object the values back that it had.
func (u *undo) objectBack(p *Plan, c objectChain) *ObjectChange {
	o := c.object()
	live := u.now(o)
	if live == nil {
		return nil // somebody else has deleted it
	}
	change := &ObjectChange{Address: c.address, Kind: o.Kind, Action: Update, Before: c.recorded()}
	if o.Kind == state.KindGroup {
		// Who was made to leave, or let in again, is known from the journal alone.
		live = maps.Clone(live)
		for _, r := range c.records {
			if v, touched := r.Will["strangers"]; touched {
				live["strangers"] = v
			}
		}
	}
	change.Was, change.Will = compare(live, c.before())
	change.Text = texts(change.Was, change.Will)
	oldest := c.records[0]
	switch {
	case oldest.Before == nil || oldest.Before.Deleted:
		change.After = u.takenBack(o)
		change.Text = append(change.Text, "no longer ours")
	default:
		after := *oldest.Before
		after.ID, after.Generation = o.ID, o.Generation // made again since, it is another entry
		if oldest.From != "" && oldest.From != c.address {
			change.From = c.address
			change.Address = oldest.From
			after.Address = oldest.From
		}
		after.Paused = u.seedKind == state.RunApply && len(u.paused) > 0
		change.After = &after
	}
	// What would be a hazard of a plan is said here, and does not stop the way back (L44).
	if o.Kind == state.KindClient {
		for _, h := range loginsEnd(*change) {
			p.Analysis.Notes = append(p.Analysis.Notes, h.Text)
		}
	}
	if g, there := u.dir.groups[o.ID]; there && o.Kind == state.KindGroup && change.Will["name"] != "" {
		if n := u.dir.counts[g.index]; n > 0 {
			p.Analysis.Notes = append(p.Analysis.Notes, renamedText(g.name, change.Will["name"], n))
		}
	}
	if o.Kind == state.KindClient && change.Will["type"] != "" && oldest.Before != nil {
		change.Action, change.Was, change.Will = Replace, set(live), set(c.before())
		change.After.ID = oldest.Before.ID // the deleted one comes back
		p.Analysis.Notes = append(p.Analysis.Notes, fmt.Sprintf("client %s becomes %s again: the one that is deleted for it takes its secret and its tokens with it, so logins fail until the application has those of the other", live["name"], change.Will["type"]))
		u.secretLost(p, *change)
	}
	if _, touched := change.Will["scope_maps"]; touched && o.Kind == state.KindClient {
		if n := u.loginsOf(live, change.Will); n > 0 {
			u.raised.raise(LocksOut, n, fmt.Sprintf("client %s lets %d users who stay moved in no more", o.Attributes["name"], n))
		}
	}
	if t := u.tenantOf(o.ID); o.Kind == state.KindTenant && t != nil && t.Status == "active" && change.Will["status"] != "" && t.live > 0 {
		u.raised.raise(LocksOut, t.live, fmt.Sprintf("tenant %s becomes %s again: its %d users can no longer work", t.Slug, change.Will["status"], t.live))
	}
	if len(change.Will) == 0 && c.has && change.After.Equal(c.cur) {
		return nil
	}
	return change
}

// secretLost says that a client which comes back cannot have its secret.
func (u *undo) secretLost(p *Plan, c ObjectChange) {
	if c.Kind == state.KindClient && c.Will["type"] == "confidential" && !u.recycled[c.After.ID] {
		p.Analysis.Notes = append(p.Analysis.Notes, fmt.Sprintf("client %s is made again with a new id and a new secret: the deleted one is not in the recycle bin any more, or the account may not see it there", c.Will["name"]))
	}
}

// remap gives values that name a group which is made again its new id.
func (u *undo) remap(c *ObjectChange) {
	for old, next := range u.remade {
		if c.Kind == state.KindPolicy && c.After != nil && c.After.ID == old {
			c.After.ID = next
		}
		c.Will = renamed(c.Will, old, next)
		if c.After != nil {
			c.After.Attributes = renamed(c.After.Attributes, old, next)
		}
	}
}

// renamed are the attributes with another id of a group in them, in their canonical form again.
func renamed(a state.Attributes, old, next uuid.UUID) state.Attributes {
	a = maps.Clone(a)
	for k, v := range a {
		if !strings.Contains(v, old.String()) {
			continue
		}
		a[k] = strings.ReplaceAll(v, old.String(), next.String())
		if canonical, ok := state.CanonicalJSON(a[k]); ok {
			a[k] = canonical
		}
	}
	return a
}
