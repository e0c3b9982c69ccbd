package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// losses counts moved users who would lose the last mapped group (L35), or a scope of a client: then the application,
// or the client, refuses them.
type losses struct {
	homeless  int64                   // users who would lose the last mapped group, but for lastGroup
	met       bool                    // the user at hand is counted
	bare      int64                   // of all who are counted: whom no password lets in any more
	lastGroup map[uuid.UUID]int64     // groups to be deleted -> users who would lose the last mapped group with it
	deleted   map[uuid.UUID]bool      // groups to be deleted, and not only forgotten
	scopes    map[state.Subject]int64 // clients -> users who would lose a scope of it
	changed   map[state.Subject]bool  // clients whose maps change, which so are declared

	waits map[[2]int]waiting         // by tenant and role
	was   map[uuid.UUID][]plan.Group // groups with a recorded rule, by tenant; nil: not asked for yet
}

func newLosses(o *objects.Plan) losses {
	l := losses{lastGroup: map[uuid.UUID]int64{}, deleted: map[uuid.UUID]bool{}, scopes: map[state.Subject]int64{},
		changed: map[state.Subject]bool{}, waits: map[[2]int]waiting{}}
	for _, c := range o.Changes {
		if c.Kind == state.KindGroup && c.Action == state.ActionDelete {
			l.deleted[c.Object().ID] = true
		}
	}
	for _, c := range o.Scopes {
		if c.Changed {
			l.changed[c.Of] = true
		}
	}
	return l
}

// countLosses counts what a moved user loses by this plan: by leaving groups, by groups that are deleted, by rules, and by
// changes of clients' scope maps.
func (d *decider) countLosses(e *world.Entry, c plan.Claim, join, leave []uuid.UUID) {
	if d.Tenants[e.Tenant].Deleted {
		return // its groups are nobody's last ones
	}
	var waits waiting
	if !c.Gains() || e.Recorded.Asleep {
		waits = d.waitsFor(e, c)
	}
	if len(d.objects.Deleting) == 0 && len(leave) == 0 && len(d.losses.changed) == 0 && !waits.loses {
		return
	}
	had, stays := d.groupsOf(e.Person, nil, leave)
	left := slices.Concat(stays, join)
	then := [2][]uuid.UUID{slices.Concat(had, waits.was), slices.Concat(stays, waits.will)}
	switch {
	case c.Gains() && !e.Recorded.Asleep:
		d.count(e, [2][]uuid.UUID{had, left})
	case !c.Active || !c.Live:
		// Who is not active, or whose tenant is not, gets in nowhere now: what counts is where it gets in when it is. It
		// falls asleep in its groups, or leaves them and joins them again: neither is a loss.
		d.count(e, then)
	default:
		// Who is active and waits (for a pause, say) is let in by what it has, and later by what it waits for. Who wakes by
		// this plan has waited until now.
		d.count(e, [2][]uuid.UUID{had, left}, then)
	}
}

// groupsOf are the groups that a person is in, and those that it will be in.
func (d *decider) groupsOf(person uuid.UUID, join, leave []uuid.UUID) (had, left []uuid.UUID) {
	for _, m := range d.Index.MemberOf(person) {
		g := d.Index.IDs[m.Group]
		had = append(had, g)
		if d.objects.Deleting[g] == "" && !slices.Contains(leave, g) {
			left = append(left, g)
		}
	}
	return had, append(left, join...)
}

// count counts a user who loses by any of some pairs of groups, before and after.
func (d *decider) count(e *world.Entry, pairs ...[2][]uuid.UUID) {
	first := func(lost func(had, left []uuid.UUID) bool) int {
		return slices.IndexFunc(pairs, func(p [2][]uuid.UUID) bool { return lost(p[0], p[1]) })
	}
	for _, c := range d.objects.Scopes {
		if first(func(had, left []uuid.UUID) bool {
			was, will := scopesOf(c.Was, had), scopesOf(c.Will, left)
			// Who leaves a group by its row loses that group's scopes, as it should; to be left with none is to be locked
			// out. Where the maps themselves change, every scope that is lost counts.
			return c.Changed && !covers(will, was) || len(was) > 0 && len(will) == 0
		}) >= 0 {
			d.losses.scopes[c.Of]++
			d.losses.met = true
		}
	}
	home := func(g uuid.UUID) bool {
		return slices.Contains(d.MappedTo(g), e.Tenant) || d.declares(e.Tenant, g) ||
			slices.ContainsFunc(d.objects.Tenants[e.Tenant].Awake, func(w objects.Wanted) bool { return w.ID == g })
	}
	// Who had none loses none by this plan.
	i := first(func(had, left []uuid.UUID) bool {
		return slices.ContainsFunc(had, home) && !slices.ContainsFunc(left, home)
	})
	if i < 0 {
		return
	}
	needed := false
	d.losses.met = true
	had := slices.Clone(pairs[i][0])
	slices.SortFunc(had, world.CompareID)
	for _, g := range slices.Compact(had) {
		if d.losses.deleted[g] {
			d.losses.lastGroup[g]++
			needed = true
		}
	}
	if !needed {
		d.losses.homeless++
	}
}

// waiting is where the users of a tenant and role belong who may be given nothing at present, once they may.
type waiting struct {
	was, will []uuid.UUID // by the rules as recorded, and as this plan leaves them
	loses     bool        // was has one that will has not
}

// waitsFor is what the user of an entry waits for.
func (d *decider) waitsFor(e *world.Entry, c plan.Claim) waiting {
	key := [2]int{e.Tenant, e.Role}
	if w, known := d.losses.waits[key]; known {
		return w
	}
	if d.losses.was == nil {
		d.losses.was = byTenant(recordedRules(d.Joined))
	}
	// Dormant groups are joined by nobody while they are (L31), but those of a tenant that is away wake with it (L30), as the
	// configuration declares them by then.
	then := d.objects.Tenants[e.Tenant].Groups
	if !c.Live {
		then = d.objects.Tenants[e.Tenant].Awake
	}
	var w waiting
	for _, g := range then {
		if g.Members.Has(c.Role) {
			w.will = append(w.will, g.ID)
		}
	}
	goes := false
	for _, g := range d.losses.was[c.Tenant] {
		going := d.objects.Deleting[g.ID] != ""
		goes = goes || going
		wakes := going || slices.ContainsFunc(then, func(w objects.Wanted) bool { return w.ID == g.ID })
		if wakes && g.Members.Has(c.Role) {
			w.was = append(w.was, g.ID)
		}
	}
	if !c.Live && !goes {
		// What this plan leaves dormant it takes from nobody, whatever is declared by now.
		w.was = w.will
	}
	w.loses = slices.ContainsFunc(w.was, func(g uuid.UUID) bool { return !slices.Contains(w.will, g) })
	d.losses.waits[key] = w
	return w
}

func byTenant(groups map[uuid.UUID]plan.Group) map[uuid.UUID][]plan.Group {
	of := map[uuid.UUID][]plan.Group{}
	for _, g := range groups {
		of[g.Tenant] = append(of[g.Tenant], g)
	}
	return of
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
