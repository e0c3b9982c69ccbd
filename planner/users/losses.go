package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/world"
	"anthill/state"
)

// losses counts moved users who would lose the last mapped group (L35), or a scope of a client: then the application,
// or the client, refuses them.
type losses struct {
	homeless  int64
	lastGroup map[uuid.UUID]int64     // groups to be deleted -> users who would lose the last mapped group
	scopes    map[state.Subject]int64 // clients -> users who would lose a scope of it
	changed   map[state.Subject]bool  // clients whose maps change, which so are declared
}

func newLosses(o *objects.Plan) losses {
	l := losses{lastGroup: map[uuid.UUID]int64{}, scopes: map[state.Subject]int64{}, changed: map[state.Subject]bool{}}
	for _, c := range o.Scopes {
		if c.Changed {
			l.changed[c.Of] = true
		}
	}
	return l
}

// countLosses counts what a moved user loses by this plan: by leaving groups, by groups that are deleted, and by changes
// of clients' scope maps.
func (d *decider) countLosses(e *world.Entry, join, leave []uuid.UUID) {
	if len(d.objects.Deleting) == 0 && len(leave) == 0 && len(d.losses.changed) == 0 {
		return
	}
	// Who is not active gets in nowhere, and joins its groups again when it is.
	if e.Is(world.IsInactive) {
		return
	}
	var had, left []uuid.UUID
	for _, m := range d.Index.MemberOf(e.Person) {
		g := d.Index.IDs[m.Group]
		had = append(had, g)
		if d.objects.Deleting[g] == "" && !slices.Contains(leave, g) {
			left = append(left, g)
		}
	}
	left = append(left, join...)
	for _, c := range d.objects.Scopes {
		was, will := scopesOf(c.Was, had), scopesOf(c.Will, left)
		// Who leaves a group by its row loses that group's scopes, as it should; to be left with none is to be locked out.
		// Where the maps themselves change, every scope that is lost counts.
		if c.Changed && !covers(will, was) || len(was) > 0 && len(will) == 0 {
			d.losses.scopes[c.Of]++
		}
	}
	home := func(g uuid.UUID) bool { return slices.Contains(d.MappedTo(g), e.Tenant) || d.declares(e.Tenant, g) }
	// Who had none loses none by this plan.
	if !slices.ContainsFunc(had, home) || slices.ContainsFunc(left, home) {
		return
	}
	d.losses.homeless++
	for _, g := range had {
		if d.objects.Deleting[g] != "" {
			d.losses.lastGroup[g]++
		}
	}
}

// scopesOf are the scopes that the members of some groups get.
func scopesOf(scopes map[uuid.UUID][]string, groups []uuid.UUID) map[string]bool {
	got := map[string]bool{}
	for _, g := range groups {
		for _, s := range scopes[g] {
			got[s] = true
		}
	}
	return got
}

func covers(a, b map[string]bool) bool {
	for s := range b {
		if !a[s] {
			return false
		}
	}
	return true
}
