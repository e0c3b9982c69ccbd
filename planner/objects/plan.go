package objects

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// Plan is what Forward and Folded.Plan have planned for objects.
type Plan struct {
	Changes    []plan.ObjectChange // in the order of apply
	Context    plan.Objects        // maps are nil where they are empty
	Outside    []state.Finding     // what somebody else changed of ours
	Notes      []state.Finding
	Violations []state.Finding // of tenant isolation, by taking something over
	plan.Risk                  // hazards, none allowed yet
	Tenants    []Tenant        // by index of the world's tenants; of Forward only, as are the next seven
	Deleting   map[uuid.UUID]state.Address
	Scopes     []ScopeChange
	Tokens     []Tokens
	DoorsNow   plan.Doors // the clients as they let users in now
	Doors      plan.Doors // and after the plan
	Names      []string   // of declared groups and clients, which no person may get
	Stays      bool       // of Folded.Plan only: an object that the runs made is still needed
}

// Tenant says how the users of one tenant can be served.
type Tenant struct {
	Groups  []Wanted // declared ones, in the order in which they are made (L36)
	Awake   []Wanted // of a tenant that is away: those that it has when it is there again
	Blocked bool     // its isolation does not hold, or cannot be seen to
	Hidden  bool     // it is blocked because the members of a group of it are not known
	Taken   bool     // a wanted group name is held by an entry that is not ours
	Left    bool     // its row is to be changed, and that is left out of the plan
	Paused  bool     // a group of it was taken back, and waits for its wave to go on
}

// Wanted is a declared group with the id that it has or will have.
type Wanted struct {
	ID      uuid.UUID
	Address state.Address
	Name    string
	Role    state.Role
	Members state.Members
	Place   int // in the order in which tokens list groups, that of their creation; one that is made now is behind all
}

// Lesser reports whether somebody who will be in some groups comes in with less than the strongest of their roles: the
// application takes the first group of a token that is mapped (L36). first is that group.
func (t *Tenant) Lesser(groups []uuid.UUID) (first *Wanted, lesser bool) {
	strongest := state.RoleInvalid
	for i := range t.Groups {
		g := &t.Groups[i]
		if g.Role == state.RoleInvalid || !slices.Contains(groups, g.ID) {
			continue
		}
		if strongest == state.RoleInvalid || g.Role < strongest {
			strongest = g.Role
		}
		if first == nil || g.Place < first.Place {
			first = g
		}
	}
	return first, first != nil && first.Role != strongest
}

// ScopeChange is which scopes a client gives the members of groups, before and after the plan.
type ScopeChange struct {
	Of        state.Subject // its address where this plan changes its maps, else its name
	Changed   bool          // the maps themselves, not only who is in their groups
	Was, Will map[uuid.UUID][]string
}

// say adds what is to be said of the change at an address besides its values.
func (p *Plan) say(at state.Address, said ...state.Finding) {
	if len(said) == 0 {
		return
	}
	if p.Context.Said == nil {
		p.Context.Said = map[state.Address][]state.Finding{}
	}
	p.Context.Said[at] = append(p.Context.Said[at], said...)
}

// Expel adds to the changes of groups that are managed in full the members who do not belong in them. strangers are
// persons by group; Expel sorts the lists, which belong to the plan from then on.
func (p *Plan) Expel(j *world.Joined, strangers map[uuid.UUID][]uuid.UUID) {
	for _, t := range p.Tenants {
		for _, g := range t.Groups {
			if list := strangers[g.ID]; len(list) > 0 {
				p.expel(j, g.Address, list)
			}
		}
	}
}

func (p *Plan) expel(j *world.Joined, at state.Address, strangers []uuid.UUID) {
	i := slices.IndexFunc(p.Changes, func(c plan.ObjectChange) bool { return c.Address == at })
	if i < 0 {
		k := slices.IndexFunc(j.State.Objects, func(o state.Object) bool { return o.Address == at })
		if k < 0 {
			return
		}
		before, after := j.State.Objects[k], j.State.Objects[k]
		i = len(p.Changes)
		p.Changes = append(p.Changes, plan.ObjectChange{
			Address: at,
			Kind:    before.Kind,
			Action:  state.ActionUpdate,
			Before:  &before,
			After:   &after,
			Was:     state.Attributes{},
			Will:    state.Attributes{},
		})
		p.Context.Unchanged--
	}
	// Putting strangers out is a change of the group, so that it is undone with it.
	c := &p.Changes[i]
	if c.Was == nil {
		// This plan makes the group: nobody is in it yet.
		return
	}
	c.Was[state.AttrStrangers], c.Will[state.AttrStrangers] = state.MembersValue(strangers), state.Value{}
}

// ranks orders changes as apply carries them out: first what others are made of; what waits for the users in the
// opposite order, so that a client lets go of groups before they go.
func ranks() func(plan.ObjectChange) int {
	places := map[state.Kind]int{}
	for _, k := range state.Kinds() {
		places[k.Kind] = k.Place
	}
	return func(c plan.ObjectChange) int {
		if c.Last {
			return 2*len(places) - places[c.Kind]
		}
		return places[c.Kind]
	}
}

// inOrder sorts the changes of a rollback. Groups of one tenant come in the order in which tokens list them (L36).
func inOrder(changes []plan.ObjectChange) {
	rank := ranks()
	slices.SortStableFunc(changes, func(a, b plan.ObjectChange) int {
		x, y := a.Object(), b.Object()
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(x.TenantSlug, y.TenantSlug),
			cmp.Compare(x.Role(), y.Role()), strings.Compare(string(a.Address), string(b.Address)))
	})
}
