package objects

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// now is what a recorded object holds now, a group with its mapping row; nil where it is not there. Values that cannot
// be read back as they were written count as recorded.
func now(o *world.Observed, rec state.Object) state.Attributes {
	return rec.Kind.Spec().Read(observed(o, rec), rec.Attributes)
}

func observed(o *world.Observed, rec state.Object) state.Attributes {
	switch rec.Kind {
	case state.KindTenant:
		if t := o.Tenant(rec.ID); t != nil {
			return t.Attributes()
		}
	case state.KindGroup:
		if g, there := o.Index.Groups[rec.ID]; there {
			return groupNow(o, rec.Tenant, rec.ID, g)
		}
	case state.KindPolicy:
		return o.Index.Groups[rec.ID].Policy
	case state.KindClient:
		if i := slices.IndexFunc(o.Clients, func(c providers.Client) bool { return c.ID == rec.ID }); i >= 0 {
			return o.Clients[i].Attributes
		}
	}
	return nil
}

// groupNow is a group as it is, with its mapping row.
func groupNow(o *world.Observed, tenant, id uuid.UUID, g world.Group) state.Attributes {
	a := state.Attributes{
		state.AttrName:        state.TextValue(g.Name),
		state.AttrDescription: state.TextValue(g.Description),
	}
	if m, mapped := o.Mapping(tenant, id); mapped {
		a[state.AttrMapping] = state.MappingValue(m.Role, m.GroupName)
	}
	return a
}

// mappedAs lists a group that is gone but still has a mapping row; nil where it has none.
func mappedAs(o *world.Observed, tenant, group uuid.UUID) []uuid.UUID {
	if _, mapped := o.Mapping(tenant, group); mapped {
		return []uuid.UUID{group}
	}
	return nil
}

// members is how many members a group has; 0 where there is none.
func members(o *world.Observed, group uuid.UUID) int64 {
	if g, there := o.Index.Groups[group]; there {
		return o.Index.Counts[g.Index]
	}
	return 0
}
