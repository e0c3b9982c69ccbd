package planner

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/planner/world"
)

// Ask says what a plan of the whole configuration decides about one user. Nothing is kept of the plan. in.Directory may be
// nil: then Self-auth is not asked, and the answer is Blind. nil without an error: there is no such user.
//
// Diagnostics with an error mean that there is no plan; err is a failure to read.
func Ask(ctx context.Context, in Input, user uuid.UUID) (*plan.Asked, hcl.Diagnostics, error) {
	in.State = in.pausedSteps()
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	joined, err := observed.Join(ctx, in.streams())
	if err != nil {
		return nil, nil, err
	}
	defer joined.Entries.Close()
	declared, diags := objects.Forward(joined, nil)
	if diags.HasErrors() {
		return nil, diags, nil
	}
	var table plan.Table
	to := &watching{Sink: &counting{}, of: map[uuid.UUID]bool{user: true}, dropped: map[int]bool{}}
	decided, moreDiags, err := users.Decide(joined, declared, users.Scope{}, &table, to)
	if err != nil {
		return nil, nil, err
	}
	if diags = append(diags, moreDiags...); diags.HasErrors() {
		return nil, diags, nil
	}
	m := maker{Input: in, world: joined, declared: declared, decided: decided, sink: to}
	if err := m.addWaves(rollout.Judge(m.rollout())); err != nil {
		return nil, nil, err
	}
	e, err := entryOf(joined, user)
	if err != nil || e == nil {
		return nil, diags, err
	}
	return m.asked(e, to, &table), diags, nil
}

// asked is the answer about an entry.
func (m *maker) asked(e *world.Entry, to *watching, table *plan.Table) *plan.Asked {
	a := &plan.Asked{Blind: m.Directory == nil, Completed: e.Is(world.IsCompleted), Views: map[string]plan.WaveView{},
		Skipped: to.skipped}
	a.Selected = m.selecting(e)
	concerned := slices.Clone(a.Selected)
	if e.Moved() {
		concerned = append(concerned, e.Recorded.Wave)
	}
	wanted := m.wanted()
	names := func(set plan.Set) (list []string) {
		for _, g := range table.IDs(set) {
			list = append(list, cmp.Or(wanted[g].Name, m.world.Index.Groups[g].Name, g.String()))
		}
		return list
	}
	for _, c := range to.changes {
		head := to.heads[c.segment]
		// Who is moved now is not put out first.
		if head.Kind == plan.SegmentWithdraw && to.dropped[c.segment] {
			continue
		}
		a.Changes = append(a.Changes, plan.AskedChange{Kind: head.Kind, Wave: head.Wave, Shape: c.shape, Join: names(c.shape.Join),
			Leave: names(c.shape.Leave), Waits: to.dropped[c.segment]})
		concerned = append(concerned, head.Wave)
	}
	for _, one := range to.skipped {
		concerned = append(concerned, one.Wave)
	}
	for _, v := range m.plan.Context.Waves {
		if slices.Contains(concerned, v.Name) {
			a.Views[v.Name] = v
		}
	}
	return a
}

// selecting are the waves that select the user of an entry.
func (m *maker) selecting(e *world.Entry) (names []string) {
	if !e.Is(world.HasRow) || e.Is(world.IsDeleted) || e.Tenant < 0 || m.world.Tenants[e.Tenant].Deleted {
		return nil
	}
	slugs := make([]string, len(m.world.Tenants))
	for i, t := range m.world.Tenants {
		slugs[i] = t.Slug
	}
	for _, i := range rollout.NewCohorts(m.Config.Waves, slugs).Matching(nil, e.Tenant, e.User, m.world.Roles[e.Role]) {
		names = append(names, m.Config.Waves[i].Name)
	}
	return names
}

var errFound = errors.New("found")

// entryOf is the entry of a user; nil: there is none. It is the caller's.
func entryOf(j *world.Joined, user uuid.UUID) (found *world.Entry, err error) {
	err = j.Entries.Each(func(e *world.Entry) error {
		if e.User != user {
			return nil
		}
		own := *e
		own.Recorded.Groups = slices.Clone(e.Recorded.Groups)
		found = &own
		return errFound
	})
	if errors.Is(err, errFound) {
		err = nil
	}
	return found, err
}

// watching is a sink that notes what becomes of some users.
type watching struct {
	plan.Sink
	of      map[uuid.UUID]bool
	heads   map[int]plan.Segment
	dropped map[int]bool
	changes []watched
	skipped []plan.SkippedUser
}

type watched struct {
	segment int
	shape   plan.Shape
	change  plan.UserChange
}

// Segment opens a segment.
func (w *watching) Segment(kind plan.SegmentKind, wave string) int {
	n := w.Sink.Segment(kind, wave)
	if w.heads == nil {
		w.heads = map[int]plan.Segment{}
	}
	w.heads[n] = plan.Segment{Kind: kind, Wave: wave}
	return n
}

// Add appends a user.
func (w *watching) Add(segment int, shape plan.Shape, c plan.UserChange) error {
	if w.of[c.User] {
		w.changes = append(w.changes, watched{segment, shape, c})
	}
	return w.Sink.Add(segment, shape, c)
}

// Drop forgets a segment.
func (w *watching) Drop(segment int) error {
	w.dropped[segment] = true
	return w.Sink.Drop(segment)
}

// Skip lists a user who is not moved.
func (w *watching) Skip(s plan.SkippedUser) error {
	if w.of[s.User] {
		w.skipped = append(w.skipped, s)
	}
	return w.Sink.Skip(s)
}
