package objects

import (
	"cmp"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Forward plans all declared objects, and those that are recorded but no longer declared, and says how each tenant can
// be served. Diagnostics with an error mean that there is no plan; what they are about is in their Extra
// (config.About).
//
// leave are the addresses of objects that are not part of the plan: they stay as they are, and others go by that. nil: none.
func Forward(j *world.Joined, leave map[state.Address]bool) (*Plan, hcl.Diagnostics) {
	p := &forward{
		Joined:   j,
		leave:    leave,
		out:      Plan{Tenants: make([]Tenant, len(j.Tenants)), Deleting: map[uuid.UUID]state.Address{}},
		recorded: map[state.Address]state.Object{},
		declared: map[state.Address]bool{},
		moved:    map[state.Address]state.Address{},
		groupIDs: map[state.Address]uuid.UUID{},
		kept:     map[uuid.UUID]bool{},
		clients:  map[string]providers.Client{},
		losing:   map[uuid.UUID]int64{},
	}
	p.index()
	p.checkMoves()
	p.tenants()
	// Groups and then those that are gone: policies and clients must know which groups there will be (groupIDs) and which
	// are kept.
	p.groups()
	p.gone(state.KindGroup)
	p.policies()
	p.oauth2Clients()
	p.gone(state.KindTenant, state.KindPolicy, state.KindClient)
	p.scopeGap()
	p.order()
	p.out.Notes = append(p.out.Notes, p.policyNotes()...)
	p.out.Notes = append(p.out.Notes, p.mappingNotes()...)
	p.out.Scopes = scopeChanges(j, p.out.Changes)
	p.awake()
	p.out.Tokens = p.tokens()
	p.out.DoorsNow, p.out.Doors = p.doors()
	return &p.out, p.diags
}

// forward compares declared objects with recorded and observed ones.
type forward struct {
	*world.Joined
	out      Plan
	leave    map[state.Address]bool // left out of the plan
	diags    hcl.Diagnostics
	recorded map[state.Address]state.Object  // not met yet
	declared map[state.Address]bool          // addresses of all declared objects
	moved    map[state.Address]state.Address // declared address -> recorded one
	groupIDs map[state.Address]uuid.UUID     // of declared groups, as they will be
	kept     map[uuid.UUID]bool              // groups of ours that are left as they are
	clients  map[string]providers.Client     // live, by name
	losing   map[uuid.UUID]int64             // members of the groups that go
}

func (p *forward) index() {
	c := p.Config
	for i := range p.out.Tenants {
		p.out.Tenants[i].Blocked, p.out.Tenants[i].Hidden = p.Blocked[i], p.Hidden[i]
	}
	for _, o := range p.State.Objects {
		p.recorded[o.Address] = o
	}
	for _, l := range p.Clients {
		p.clients[l.Name] = l
	}
	for _, t := range c.Tenants {
		p.declared[t.Address] = true
	}
	for _, g := range c.Groups {
		p.declared[g.Address] = true
		p.out.Names = append(p.out.Names, g.Name)
	}
	for _, a := range c.Accounts {
		p.declared[a.Address] = true
	}
	for _, x := range c.Clients {
		p.declared[x.Address] = true
		p.out.Names = append(p.out.Names, x.Name)
	}
}

// checkMoves reads the moved blocks, and reports those from an address that is still declared.
func (p *forward) checkMoves() {
	for _, m := range p.Config.Moved {
		p.moved[m.To] = m.From
		if p.declared[m.From] {
			p.fail(m.From, "Moved and still declared",
				"moved: %s is still declared, so nothing has moved from there. Remove the moved block, or the declaration.",
				m.From)
		}
	}
}

// fail reports a mistake in what is declared at an address.
func (p *forward) fail(at state.Address, summary, format string, args ...any) {
	p.diags = p.diags.Append(config.Problem(config.About{Address: at}, summary, format, args...))
}

// movedBlock is the end of a diagnostic about an object that is declared under another address than it is recorded
// under.
const movedBlock = "\n\n    moved {\n      from = %s\n      to   = %s\n    }"

// take returns what is recorded of a declared object, under its address or under the one it moved from; nil: nothing
// is.
func (p *forward) take(at state.Address) (rec *state.Object, from state.Address) {
	// A deleted record at the address itself gives way to a living one that has moved here.
	here, has := p.recorded[at]
	delete(p.recorded, at)
	if has && !here.Deleted {
		return &here, ""
	}
	// Blocks are kept for those who come from an older configuration, and so make chains.
	before := at
	for range len(p.moved) {
		if before = p.movedFrom(before); before == "" || p.declared[before] {
			break
		}
		if old, there := p.recorded[before]; there && (!old.Deleted || old.Paused) {
			delete(p.recorded, before)
			return &old, before
		}
	}
	if has {
		return &here, ""
	}
	return nil, ""
}

// movedFrom is the former address of an object, by a moved block for the object or for its whole block; "" where there
// is none.
func (p *forward) movedFrom(at state.Address) state.Address {
	if before, ok := p.moved[at]; ok {
		return before
	}
	block := at.Block()
	if before, ok := p.moved[state.Address(block)]; ok && len(at) > len(block) {
		return before + at[len(block):]
	}
	return ""
}

// recordedElsewhere is the address under which an object of a kind and id is recorded, if that is another one.
func (p *forward) recordedElsewhere(kind state.Kind, id uuid.UUID, at state.Address) state.Address {
	for _, rec := range p.State.Objects {
		if rec.Kind == kind && !rec.Deleted && rec.ID == id && rec.Address != at {
			return rec.Address
		}
	}
	return ""
}

// nameInUse reports a name that an object is to get and that another entry has, and says whether there is one.
func (p *forward) nameInUse(at state.Address, name string, own uuid.UUID) bool {
	holder := p.Index.ByName[name]
	if holder == uuid.Nil {
		holder = p.clients[name].ID
	}
	known := holder != uuid.Nil
	if known && holder == own || !known && !p.Index.NameTaken(p.Index.Hash(name)) {
		return false
	}
	i := slices.IndexFunc(p.State.Objects, func(rec state.Object) bool {
		// A policy has the id of its group, and no name.
		return known && rec.ID == holder && !rec.Deleted && rec.Kind != state.KindPolicy
	})
	if i >= 0 {
		p.fail(at, "Name in use", "%s: the name %q belongs to %s, which has it still: one plan gives a name up, the next "+
			"one takes it. Persons, groups, clients and accounts of Self-auth share one set of names.",
			at, name, p.State.Objects[i].Address)
		return true
	}
	p.fail(at, "Name in use", "%s: the name %q belongs to an entry of Self-auth that Anthill did not make. Persons, "+
		"groups, clients and accounts of Self-auth share one set of names.", at, name)
	return true
}

// paused says whether an object was taken back and waits for a wave to be resumed. Then it is left as it is.
func (p *forward) paused(at state.Address, rec *state.Object) bool {
	if rec == nil || !rec.Paused {
		return false
	}
	p.dormant(state.CodeObjectPaused, at, state.Text(state.KeyRun, rec.Run))
	return true
}

// dormant notes why an object is left as it is.
func (p *forward) dormant(code state.Code, at state.Address, args ...state.Arg) {
	p.out.Context.Dormant = append(p.out.Context.Dormant, state.About(code, state.Of(at), args...))
}

// tenantAway notes that an object is left as it is while its tenant is not live.
func (p *forward) tenantAway(at state.Address, t *world.Tenant) {
	status := t.Status
	if t.Deleted {
		status = "deleted"
	}
	p.dormant(state.CodeTenantAway, at, state.Text(state.KeyStatus, status))
}

// add puts a change into the plan; a change without an action counts as an unchanged object.
func (p *forward) add(c plan.ObjectChange, at config.Pos, said ...state.Finding) {
	if c.Action == "" {
		p.out.Context.Unchanged++
		return
	}
	if at.File != "" {
		if p.out.Context.Where == nil {
			p.out.Context.Where = map[state.Address]plan.Place{}
		}
		p.out.Context.Where[c.Address] = plan.Place(at)
	}
	p.out.say(c.Address, said...)
	p.out.Changes = append(p.out.Changes, c)
}

// isNew reports whether an object was not ours before a change.
func isNew(c *plan.ObjectChange) bool { return c.Before == nil || c.Before.Deleted }

// compare compares an object that is there with what is wanted, and fills in Action, Was and Will. Values that somebody
// else has changed since we wrote them, and that are set back, are findings.
func (p *forward) compare(c *plan.ObjectChange, live, want state.Attributes) {
	var wrote state.Attributes
	if c.Before != nil {
		wrote = c.Before.Attributes
	}
	live = c.Kind.Spec().Read(live, wrote)
	c.Was, c.Will = live.Diff(want)
	if len(c.Will) > 0 || c.From != "" {
		c.Action = state.ActionUpdate
	}
	if isNew(c) || wrote == nil {
		return
	}
	for _, k := range c.Will.Sorted() {
		if wrote[k].Equal(want[k]) {
			p.out.Outside = append(p.out.Outside, state.About(state.CodeSetBack, state.Of(c.Address),
				state.Text(state.KeyAttribute, string(k)), state.Holds(state.KeyWrote, wrote[k]),
				state.Holds(state.KeyLive, live[k])))
		}
	}
}

// order puts last what must wait for the users: deletions, and, where groups go, the changes of clients that name them.
func (p *forward) order() {
	changes := p.out.Changes
	groupsGo := slices.ContainsFunc(changes, func(c plan.ObjectChange) bool {
		return c.Kind == state.KindGroup && c.Action == state.ActionDelete
	})
	for i := range changes {
		c := &changes[i]
		c.Last = c.Action == state.ActionDelete || c.Action == state.ActionForget ||
			groupsGo && c.Kind == state.KindClient && c.Action == state.ActionUpdate
	}
	rank := ranks()
	slices.SortStableFunc(changes, func(a, b plan.ObjectChange) int { return cmp.Compare(rank(a), rank(b)) })
}
