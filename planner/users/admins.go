package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Admins counts administrators of one tenant: moved users in a group that is mapped to the tenant as one of admins,
// whose persons are not expired. Taken are those whom the plan takes away, Left those who can log in afterwards, Mapped those
// whom a group makes so in which they are already, as it was mapped to nobody.
type Admins struct{ Taken, Left, Mapped int64 }

// adminCount counts administrators while users are decided. Tenants are places from 1 in its lists of groups; 0: none.
type adminCount struct {
	tenants   []Admins          // by index
	was, will []int             // by index of groups: of which tenant it is a group of admins, before and after this plan
	mapped    []bool            // by index of groups: it had no mapping row, and gets one
	joined    map[uuid.UUID]int // will, by id: groups that this plan makes have no index yet
	change    plan.Shape        // of the user in hand
	changed   bool              // false: there is none
	strays    []stray
}

// stray is an administrator whose row does not ask for it, and who leaves where the group is managed in full.
type stray struct {
	group, person uuid.UUID
	tenant        int // index
	left          bool
}

// newAdminCount finds the groups of admins: by the mapping rows, and by what the plan changes of them.
func newAdminCount(o *world.Observed, changes []plan.ObjectChange) adminCount {
	c := adminCount{tenants: make([]Admins, len(o.Tenants)), was: make([]int, len(o.Index.IDs)),
		mapped: make([]bool, len(o.Index.IDs)), joined: map[uuid.UUID]int{}}
	for _, m := range o.Mappings() {
		if g, there := o.Index.Groups[m.Group]; there && m.Role == state.RoleAdmin {
			c.was[g.Index] = o.TenantIndex(m.Tenant) + 1
			c.joined[m.Group] = c.was[g.Index]
		}
	}
	c.will = slices.Clone(c.was)
	for i := range changes {
		one := changes[i].Object()
		mapping, touched := changes[i].Will[state.AttrMapping]
		if one.Kind != state.KindGroup || !touched && changes[i].Will != nil {
			continue
		}
		tenant := 0
		if mapping.Mapping().Role == state.RoleAdmin {
			tenant = o.TenantIndex(one.Tenant) + 1
		}
		c.joined[one.ID] = tenant
		if g, there := o.Index.Groups[one.ID]; there {
			c.will[g.Index], c.mapped[g.Index] = tenant, tenant > 0 && !changes[i].Was[state.AttrMapping].IsSet()
		}
	}
	return c
}

// countAdmin counts a moved user, once it is decided, for the tenants of which it is an administrator or becomes one:
// the one that its row has now, and the one that is recorded.
func (d *decider) countAdmin(e *world.Entry) {
	d.countAdminOf(e, e.Tenant)
	if e.Tenant < 0 || d.Tenants[e.Tenant].ID != e.Recorded.Tenant {
		d.countAdminOf(e, d.TenantIndex(e.Recorded.Tenant))
	}
}

func (d *decider) countAdminOf(e *world.Entry, tenant int) {
	c := &d.admins
	var leave, join []uuid.UUID
	if c.changed {
		leave, join = d.table.IDs(c.change.Leave), d.table.IDs(c.change.Join)
	}
	before, after, mapped, astray := false, false, false, -1
	from, to := d.span(e.Person)
	for i := from; i < to; i++ {
		m := d.Index.Members[i]
		if c.was[m.Group] == tenant+1 {
			before = true
			if !d.belongs[i] && !m.Nested {
				astray = i
			}
		}
		if c.will[m.Group] == tenant+1 && !slices.Contains(leave, d.Index.IDs[m.Group]) {
			after, mapped = true, mapped || c.mapped[m.Group]
		}
	}
	after = after || slices.ContainsFunc(join, func(g uuid.UUID) bool { return c.joined[g] == tenant+1 })
	if tenant < 0 || !before && !after {
		return
	}
	p, there := d.Index.Person(e.Person)
	before = before && there && !p.Expired
	awake := there && !p.Expired
	if c.changed {
		awake = awakeAfter(c.change.Effect.Act, awake)
	}
	after = after && awake
	switch {
	case before && !after:
		c.tenants[tenant].Taken++
	case !before && after && mapped:
		c.tenants[tenant].Mapped++
	}
	// Whom the application no longer lets in is no administrator who is left, whatever becomes of the person.
	left := after && tenant == e.Tenant && e.Is(world.HasRow) && !e.Is(world.IsInactive)
	if left {
		c.tenants[tenant].Left++
	}
	if before && after && astray >= 0 {
		c.strays = append(c.strays, stray{d.Index.IDs[d.Index.Members[astray].Group], e.Person, tenant, left})
	}
}

// awakeAfter says whether a person is not expired after an act on it.
func awakeAfter(act state.PersonAct, awake bool) bool {
	switch act {
	case state.PersonExpire, state.PersonDelete:
		return false
	case state.PersonEnable, state.PersonCreate, state.PersonRevive:
		return true
	}
	return awake
}

// expel takes off the administrators who leave because their groups are managed in full. strangers are sorted by id.
func (c *adminCount) expel(strangers map[uuid.UUID][]uuid.UUID) {
	for _, s := range c.strays {
		if _, leaves := slices.BinarySearchFunc(strangers[s.group], s.person, world.CompareID); !leaves {
			continue
		}
		c.tenants[s.tenant].Taken++
		if s.left {
			c.tenants[s.tenant].Left--
		}
	}
}

// staysAdmin counts an administrator whom a rollback leaves moved, and whose row is active; it is nil where it is gone.
func (t *taker) staysAdmin(r state.User, row *providers.User) {
	i := t.TenantIndex(r.TenantNow)
	if i < 0 || row == nil || row.Deleted || row.Status != "active" {
		return
	}
	for _, g := range r.Groups {
		if p, there := t.Index.Person(r.Person); t.admins[[2]uuid.UUID{r.TenantNow, g}] && there && !p.Expired &&
			t.Index.IsMember(r.Person, g) {
			t.Admins[i].Left++
			return
		}
	}
}

// countAdmin counts an administrator whom a rollback changes. Who goes back to a password can log in with that, and
// who never had any way in loses none: neither is taken away.
func (t *taker) countAdmin(s plan.Shape, person uuid.UUID, join, leave []uuid.UUID, row *providers.User) {
	i := t.TenantIndex(s.Tenant)
	if i < 0 || row == nil || row.Deleted || row.Status != "active" {
		return
	}
	ofAdmins := func(g uuid.UUID) bool { return t.admins[[2]uuid.UUID{s.Tenant, g}] }
	before, after := false, slices.ContainsFunc(join, ofAdmins)
	for _, m := range t.Index.MemberOf(person) {
		if g := t.Index.IDs[m.Group]; ofAdmins(g) {
			before = true
			after = after || !slices.Contains(leave, g)
		}
	}
	p, there := t.Index.Person(person)
	awake := there && !p.Expired
	switch before, after = before && awake, after && awakeAfter(s.Effect.Act, awake); {
	case s.After.Standing != state.Moved:
		if row.CanPassword && isAdmin(row.Role) {
			t.Admins[i].Left++
		}
	case after:
		t.Admins[i].Left++
	case before:
		t.Admins[i].Taken++
	}
}

func isAdmin(role string) bool { return plan.Administers(role) }
