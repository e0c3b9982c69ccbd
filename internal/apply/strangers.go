package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// strangersNow are the members that a change of a group takes out or lets back in, without those for whom that would be wrong
// by now: who belongs there stays, and nobody comes back whose row does not ask for it.
func (x *executor) strangersNow(ctx context.Context, c plan.ObjectChange) (was, will []uuid.UUID, err error) {
	was, will = c.Was[state.AttrStrangers].Members(), c.Will[state.AttrStrangers].Members()
	_, written := c.Will[state.AttrStrangers]
	if !written || len(was)+len(will) == 0 || c.After == nil {
		return was, will, nil
	}
	persons := union(was, will)
	rows, err := x.Rows.Linked(ctx, persons)
	if err != nil {
		return nil, nil, err
	}
	recorded, err := x.Store.UsersByPerson(ctx, persons)
	if err != nil {
		return nil, nil, err
	}
	rule := plan.Group{ID: c.After.ID, Tenant: c.After.Tenant, Members: c.After.Members}
	asked, gains, users := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, u := range recorded {
		// A person that was taken over and given back belongs to nobody.
		users[u.Person] = users[u.Person] || u.MadePerson || u.Standing == state.Moved
	}
	for _, r := range rows {
		c := linked(r, x.effects.Identity.Follow)
		users[r.Link], asked[r.Link] = true, asked[r.Link] || c.In(rule)
		gains[r.Link] = gains[r.Link] || c.In(rule) && c.Gains()
	}
	was = slices.DeleteFunc(slices.Clone(was), func(id uuid.UUID) bool { return asked[id] })
	will = slices.DeleteFunc(slices.Clone(will), func(id uuid.UUID) bool { return users[id] && !gains[id] })
	return was, will, nil
}

// linked is what says where the person of a linked row belongs. That its user is not moved yet puts nobody out.
func linked(r providers.UserRow, follow bool) plan.Claim {
	return plan.Claim{
		Standing: state.Moved,
		Ours:     true,
		Linked:   true,
		Active:   !r.Deleted && r.Status == "active",
		Live:     r.TenantLive,
		Tenant:   r.Tenant,
		Role:     r.Role,
		Follow:   follow,
	}
}
