package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/state"
)

// Figure names something that a plan does to users and that is counted. Besides the constants there is a figure for
// each act on a person (FigureOf), each method (FigureTo), and each switch of state.Effect by its stable name.
type Figure string

// The figures that follow from more than one effect.
const (
	FigureUsers     Figure = "users"
	FigureAdmins    Figure = "admins"     // users in a group that is mapped as admin, before or after
	FigureLinked    Figure = "linked"     // linked before us: recorded (L29)
	FigureJoin      Figure = "join"       // memberships
	FigureLeave     Figure = "leave"      // memberships
	FigureLeavers   Figure = "leavers"    // users who leave a group
	FigureGainAdmin Figure = "gain_admin" // users who become admin of a tenant, by groups and by what these are mapped as
	FigureLoseAdmin Figure = "lose_admin" // users who cease to be
	FigureRemoved   Figure = "removed"    // users who lose a link, a membership or a person that is not expired
	// Of users who are taken back and not moved any more: whose persons were there before us and keep their login, and whose
	// persons of ours stay as they are, as they are expired already or somebody else's by now.
	FigureKeepsLogin Figure = "keeps_login"
	FigureAsItIs     Figure = "person_as_it_is"
	FigureRowBack    Figure = "row_back"    // users whose row alone is taken back: their persons stay as they are for now
	FigureStaysMoved Figure = "stays_moved" // users who are taken back to how an earlier run had moved them
	FigureRowGone    Figure = "row_gone"    // users moved before whose row is gone (L28)
	FigureRaised     Figure = "raised"      // users moved before who log in through Self-auth alone from now on (L8)
)

// FigureOf is the figure of an act on a person.
func FigureOf(a state.PersonAct) Figure { return Figure(a.String()) }

// FigureTo is the figure of rows whose method becomes this one.
func FigureTo(m state.Method) Figure { return Figure("to_" + m.String()) }

// Figures counts by figure; what is not there is 0.
type Figures map[Figure]int64

// Add adds the figures of o.
func (f Figures) Add(o Figures) {
	for k, n := range o {
		f[k] += n
	}
}

// Counted is a shape with the number of users who have it.
type Counted struct {
	Shape Shape
	Users int64
}

// TenantFigures are the figures of one tenant in one segment.
type TenantFigures struct {
	Tenant  uuid.UUID `json:"tenant"`
	Slug    string    `json:"slug"`
	Figures Figures   `json:"figures"`
}

// ByTenant computes from shapes alone what happens to users, by tenant, sorted by slug.
func (e *Effects) ByTenant(kind SegmentKind, shapes []Counted) []TenantFigures {
	byTenant := map[uuid.UUID]Figures{}
	for _, c := range shapes {
		f := byTenant[c.Shape.Tenant]
		if f == nil {
			f = Figures{}
			byTenant[c.Shape.Tenant] = f
		}
		e.Count(f, kind, c)
	}
	list, slugs := make([]TenantFigures, 0, len(byTenant)), e.Slugs()
	for id, f := range byTenant {
		list = append(list, TenantFigures{id, slugs[id], f})
	}
	slices.SortFunc(list, func(a, b TenantFigures) int {
		return cmp.Or(strings.Compare(a.Slug, b.Slug), compareID(a.Tenant, b.Tenant))
	})
	return list
}

// Count adds to f what happens to the users of a shape.
func (e *Effects) Count(f Figures, kind SegmentKind, c Counted) {
	s := c.Shape
	add := func(on bool, k Figure) {
		if on {
			f[k] += c.Users
		}
	}
	join, leave, keep := e.GroupsOf(s.Join), e.GroupsOf(s.Leave), e.GroupsOf(s.Keep)
	add(kind.Changes(), FigureUsers)
	before, after := adminOf(slices.Concat(leave, keep), Group.was), adminOf(slices.Concat(join, keep), Group.is)
	add(len(before)+len(after) > 0, FigureAdmins)
	add(!within(after, before), FigureGainAdmin)
	add(!within(before, after), FigureLoseAdmin)
	add(len(leave) > 0, FigureLeavers)
	add(kind == SegmentMove && s.Ground.Linked && !s.Ground.Moved, FigureLinked)
	add(s.Ground.Moved, FigureRaised)
	f[FigureJoin] += int64(len(join)) * c.Users
	f[FigureLeave] += int64(len(leave)) * c.Users
	// A person that is there already is not created for the reader, whatever apply calls it.
	act := s.Effect.Act
	if act == state.PersonCreate && s.Ground.Made {
		act = state.PersonEnable
	}
	add(act != state.PersonNone, FigureOf(act))
	add(s.Effect.Method != state.MethodInvalid && !s.Ground.Moved, FigureTo(s.Effect.Method))
	effect := s.Effect
	effect.Release = kind == SegmentRelease // each once
	for _, w := range effect.Switches() {
		add(*w.On, Figure(w.Name))
	}
	add(len(leave) > 0 || act == state.PersonExpire || act == state.PersonDelete ||
		s.Effect.Restore && s.After.Standing != state.Moved, FigureRemoved)
	add(kind == SegmentFollow && s.Ground.RowGone, FigureRowGone)
	if kind == SegmentRestore {
		moved, alone := s.After.Standing == state.Moved, act == state.PersonNone && s.After.Standing != state.RowBack
		add(s.After.Standing == state.RowBack, FigureRowBack)
		add(moved && !s.Effect.Restore, FigureStaysMoved)
		add(!moved && alone && !s.After.MadePerson, FigureKeepsLogin)
		add(!moved && alone && s.After.MadePerson, FigureAsItIs)
	}
}

// Strangers counts the persons whom the plan puts out of groups that are managed in full, each once (L33).
func (e *Effects) Strangers() int64 {
	persons := map[uuid.UUID]bool{}
	for _, c := range e.Objects {
		// In a rollback they come back: then Will has them.
		for _, id := range c.Was[state.AttrStrangers].Members() {
			persons[id] = true
		}
	}
	return int64(len(persons))
}

// Admin reports whether the users of a shape are admins of a tenant in Self-auth, before and after.
func (e *Effects) Admin(s Shape) (before, after bool) {
	join, leave, keep := e.GroupsOf(s.Join), e.GroupsOf(s.Leave), e.GroupsOf(s.Keep)
	return len(adminOf(slices.Concat(leave, keep), Group.was)) > 0, len(adminOf(slices.Concat(join, keep), Group.is)) > 0
}

func (g Group) is() state.Role { return g.Role }

func (g Group) was() state.Role {
	switch {
	case g.Unmapped:
		return state.RoleInvalid
	case g.Was != state.RoleInvalid:
		return g.Was
	}
	return g.Role
}

// adminOf are the tenants of which somebody in some groups is admin.
func adminOf(groups []Group, role func(Group) state.Role) (tenants []uuid.UUID) {
	for _, g := range groups {
		if role(g) == state.RoleAdmin {
			tenants = append(tenants, g.Tenant)
		}
	}
	return tenants
}

// within reports whether all of some are among others.
func within(some, others []uuid.UUID) bool {
	return !slices.ContainsFunc(some, func(id uuid.UUID) bool { return !slices.Contains(others, id) })
}

// Gains is how many users gain a login through Self-auth.
func (f Figures) Gains() int64 {
	return f[FigureOf(state.PersonCreate)] + f[FigureOf(state.PersonEnable)] + f[FigureOf(state.PersonAdopt)] +
		f[FigureOf(state.PersonRevive)]
}

// Loses is how many users lose their login through Self-auth.
func (f Figures) Loses() int64 {
	return f[FigureOf(state.PersonExpire)] + f[FigureOf(state.PersonDelete)]
}
