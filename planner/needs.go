package planner

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// graph says which of a plan's changes of objects others cannot do without.
type graph struct {
	ofTenant map[uuid.UUID][]state.Address // the tenant's row and its groups, but for those that go: what its users need
	rows     map[uuid.UUID]state.Address   // of tenants
	groups   map[uuid.UUID]plan.ObjectChange
	of       map[uuid.UUID][]plan.ObjectChange // groups by tenant
	leaving  map[uuid.UUID][]state.Address     // clients and policies that let go of a group
}

func newGraph(changes []plan.ObjectChange) *graph {
	g := &graph{
		ofTenant: map[uuid.UUID][]state.Address{},
		rows:     map[uuid.UUID]state.Address{},
		groups:   map[uuid.UUID]plan.ObjectChange{},
		of:       map[uuid.UUID][]plan.ObjectChange{},
		leaving:  map[uuid.UUID][]state.Address{},
	}
	for _, c := range changes {
		o := c.Object()
		switch {
		case c.Kind == state.KindTenant:
			g.rows[o.Tenant] = c.Address
			g.ofTenant[o.Tenant] = append(g.ofTenant[o.Tenant], c.Address)
		case c.Kind == state.KindGroup:
			g.groups[o.ID] = c
			g.of[o.Tenant] = append(g.of[o.Tenant], c)
			if !goes(c) {
				g.ofTenant[o.Tenant] = append(g.ofTenant[o.Tenant], c.Address)
			}
		case c.Kind == state.KindPolicy && goes(c):
			g.leaving[o.ID] = append(g.leaving[o.ID], c.Address)
		case c.Kind == state.KindClient:
			for group := range granted(c.Was) {
				g.leaving[group] = append(g.leaving[group], c.Address)
			}
		}
	}
	return g
}

// goes says whether a change takes an object away, or lets go of it.
func goes(c plan.ObjectChange) bool {
	return c.Action == state.ActionDelete || c.Action == state.ActionForget
}

// needs are the changes that must be in a plan which has this one.
func (g *graph) needs(c plan.ObjectChange) (list []state.Address) {
	o := c.Object()
	switch {
	case c.Kind == state.KindGroup && goes(c):
		return g.leaving[o.ID]
	case goes(c):
	case c.Kind == state.KindGroup:
		if row, changes := g.rows[o.Tenant]; changes {
			list = append(list, row)
		}
		// Tokens list groups in the order of their creation: one that is made later stands behind (L36).
		for _, other := range g.of[o.Tenant] {
			if !goes(other) && other.Was == nil && other.Object().Role() < o.Role() {
				list = append(list, other.Address)
			}
		}
	case c.Kind == state.KindPolicy:
		list = g.group(list, o.ID)
	case c.Kind == state.KindClient:
		for _, id := range slices.SortedFunc(maps.Keys(granted(o.Attributes)), world.CompareID) {
			list = g.group(list, id)
		}
	}
	return list
}

// group adds a group that changes and does not go.
func (g *graph) group(list []state.Address, id uuid.UUID) []state.Address {
	if c, changes := g.groups[id]; changes && !goes(c) {
		list = append(list, c.Address)
	}
	return list
}

// granted are the groups to whose members a client gives something.
func granted(a state.Attributes) map[uuid.UUID]bool {
	groups := map[uuid.UUID]bool{}
	for _, name := range []state.Attribute{state.AttrScopeMaps, state.AttrSupplementalScopes, state.AttrClaimMaps} {
		for _, grant := range a[name].Grants() {
			groups[grant.Group] = true
		}
	}
	return groups
}

// counting is a sink that only counts.
type counting struct{ segments []countedSegment }

type countedSegment struct {
	kind   plan.SegmentKind
	shapes map[plan.Shape]int64
}

// Segment opens a segment.
func (s *counting) Segment(kind plan.SegmentKind, _ string) int {
	s.segments = append(s.segments, countedSegment{kind, map[plan.Shape]int64{}})
	return len(s.segments) - 1
}

// Add counts a user.
func (s *counting) Add(n int, shape plan.Shape, _ plan.UserChange) error {
	s.segments[n].shapes[shape]++
	return nil
}

// Drop forgets a segment.
func (s *counting) Drop(n int) error {
	clear(s.segments[n].shapes)
	return nil
}

// Shapes are those of a segment so far.
func (s *counting) Shapes(n int) (list []plan.Counted) {
	for shape, users := range s.segments[n].shapes {
		list = append(list, plan.Counted{Shape: shape, Users: users})
	}
	return list
}

// Skip counts nothing.
func (s *counting) Skip(plan.SkippedUser) error { return nil }

func (s *counting) shapesOf(n int) map[plan.Shape]int64 {
	if n < 0 {
		return nil
	}
	return s.segments[n].shapes
}

// users are those of all segments.
func (s *counting) users() (n int64) {
	for _, one := range s.segments {
		for _, users := range one.shapes {
			n += users
		}
	}
	return n
}
