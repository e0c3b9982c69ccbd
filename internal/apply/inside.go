package apply

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/state"
)

// leftInside counts, by group, the users for whom a group that goes is the last one by which the application knows their tenant
// (L35): their own change was not made, or another run has put them there since the plan. Who is recorded in a group and is not
// in it, or does not log in by the person that is, needs it no more. Who is asleep, or whose tenant is away, comes back to it.
func (x *executor) leftInside(ctx context.Context) (map[uuid.UUID]int64, error) {
	gone := map[uuid.UUID]uuid.UUID{} // the tenant of each
	for _, c := range x.effects.Objects {
		// One of which nothing was there is gone already.
		if c.Last && c.Kind == state.KindGroup && c.Before != nil && len(c.Was) > 0 {
			gone[c.Before.ID] = c.Before.Tenant
		}
	}
	inside := map[uuid.UUID]int64{}
	if len(gone) == 0 {
		return inside, nil
	}
	var some []state.User
	deleted := map[uuid.UUID]bool{} // tenants that are away
	look := func() error {
		err := x.lookInside(ctx, some, gone, deleted, inside)
		some = some[:0]
		return err
	}
	for u, err := range x.Store.UsersIn(ctx, slices.Collect(maps.Keys(gone))) {
		if err != nil {
			return nil, err
		}
		if some = append(some, u); len(some) == leastBatch {
			if err := look(); err != nil {
				return nil, err
			}
		}
	}
	return inside, look()
}

// lookInside is leftInside for some users. It adds to what is known of tenants that are away.
func (x *executor) lookInside(
	ctx context.Context, some []state.User, gone map[uuid.UUID]uuid.UUID, deleted map[uuid.UUID]bool, inside map[uuid.UUID]int64,
) error {
	if len(some) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(some))
	for i, u := range some {
		ids[i] = u.User
	}
	rows, err := x.Rows.Fetch(ctx, ids)
	if err != nil {
		return err
	}
	// By tenant: whose person, of those who log in by it.
	of := map[uuid.UUID][]uuid.UUID{}
	for _, r := range rows {
		i := slices.Index(ids, r.ID)
		if i < 0 || r.Link != some[i].Person {
			continue
		}
		if _, known := deleted[r.Tenant]; !r.TenantLive && !known {
			live, _, err := x.Rows.ReadObject(ctx, state.KindTenant, r.Tenant, "")
			if err != nil {
				return err
			}
			deleted[r.Tenant] = live == nil || live[state.AttrDeleted].IsSet()
		}
		if r.TenantLive || !deleted[r.Tenant] {
			of[r.Tenant] = append(of[r.Tenant], r.Link)
		}
	}
	mapped, err := x.Rows.MappingsOf(ctx, slices.Collect(maps.Keys(of)), nil)
	if err != nil {
		return err
	}
	for tenant, persons := range of {
		for _, m := range mapped {
			if _, goes := gone[m.Group]; goes || m.Tenant != tenant {
				continue
			}
			in, err := x.membersOf(ctx, m.Group, persons)
			if err != nil {
				return err
			}
			persons = slices.DeleteFunc(persons, func(id uuid.UUID) bool { return slices.Contains(in, id) })
		}
		for g, of := range gone {
			if of != tenant {
				continue
			}
			in, err := x.membersOf(ctx, g, persons)
			if err != nil {
				return err
			}
			inside[g] += int64(len(in))
		}
	}
	return nil
}

// membersOf are those of some persons who are in a group; none where it is gone.
func (x *executor) membersOf(ctx context.Context, group uuid.UUID, persons []uuid.UUID) ([]uuid.UUID, error) {
	if len(persons) == 0 {
		return nil, nil
	}
	in, err := x.Accounts.Members(ctx, group, persons)
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return nil, nil
	}
	return in, err
}
