package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/world"
	"anthill/state"
)

// noteBelonging notes which memberships of a user's person are no stranger's: those in groups that the row asks for, and those
// that we added, which follow the row by themselves.
func (d *decider) noteBelonging(person uuid.UUID, e *world.Entry) {
	from, to := d.span(person)
	if from == to {
		return
	}
	var want []uuid.UUID
	if e.Tenant >= 0 && e.Is(world.HasRow) {
		want = d.wants(e)
	}
	for i := from; i < to; i++ {
		group := d.Index.IDs[d.Index.Members[i].Group]
		if slices.Contains(want, group) || slices.Contains(e.Recorded.Groups, group) {
			d.belongs[i] = true
		}
	}
}

// noteAll notes that none of the memberships of an entry's person is a stranger's: the open run may have added it.
func (d *decider) noteAll(e *world.Entry) {
	for _, person := range []uuid.UUID{e.Person, e.Link, e.Holder, e.Recorded.Person} {
		from, to := d.Index.Span(person)
		for i := from; i < to; i++ {
			d.belongs[i] = true
		}
	}
}

// lastSpan is the Index.Span of one person.
type lastSpan struct {
	person   uuid.UUID
	from, to int
}

// span is Index.Span, remembered for the next call, which is about the same person.
func (d *decider) span(person uuid.UUID) (from, to int) {
	if d.last.person != person {
		from, to := d.Index.Span(person)
		d.last = lastSpan{person, from, to}
	}
	return d.last.from, d.last.to
}

// strangers finds the members of declared groups who are no users that belong there (L33), by group.
func (d *decider) strangers(which func(objects.Wanted) bool) map[uuid.UUID][]uuid.UUID {
	groups := map[uint32]bool{}
	for _, t := range d.objects.Tenants {
		for _, g := range t.Groups {
			if live, there := d.Index.Groups[g.ID]; there && which(g) {
				groups[live.Index] = true
			}
		}
	}
	found := map[uuid.UUID][]uuid.UUID{}
	if len(groups) == 0 {
		return found
	}
	for i, m := range d.Index.Members {
		if groups[m.Group] && !m.Nested && !d.belongs[i] {
			group := d.Index.IDs[m.Group]
			found[group] = append(found[group], m.Person)
		}
	}
	return found
}

// strangersOfFull are the members who leave because their groups are managed in full.
func (d *decider) strangersOfFull() map[uuid.UUID][]uuid.UUID {
	return d.strangers(func(g objects.Wanted) bool { return g.Members.Full && d.scope.expels(g.Address) })
}

// strangersLeft are findings about the members who do not belong, but are only shown.
func (d *decider) strangersLeft() (list []state.Finding) {
	found := d.strangers(func(g objects.Wanted) bool { return !g.Members.Full })
	for i, t := range d.objects.Tenants {
		if !d.scope.of(d.Tenants[i].ID) {
			continue
		}
		for _, g := range t.Groups {
			if n := int64(len(found[g.ID])); n > 0 {
				list = append(list, state.About(state.CodeStrangers, state.OfGroup(d.Index.Groups[g.ID].Name)).Times(n))
			}
		}
	}
	return list
}
