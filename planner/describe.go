package planner

import (
	"cmp"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// tenants are all tenants as a plan names them; plan.Effects.Renumber keeps those that are needed.
func tenants(o *world.Observed) []plan.Tenant {
	list := make([]plan.Tenant, len(o.Tenants))
	for i, t := range o.Tenants {
		list[i] = plan.Tenant{ID: t.ID, Slug: t.Slug}
	}
	return list
}

// liveOf is how many live users the tenants have of which users change, from those of all by place.
func liveOf(o *world.Observed, live []int64, figures []plan.TenantFigures) (list []plan.TenantLive) {
	changed := map[uuid.UUID]bool{}
	for _, f := range figures {
		changed[f.Tenant] = true
	}
	for i, t := range o.Tenants {
		if changed[t.ID] {
			list = append(list, plan.TenantLive{Tenant: t.ID, Live: live[i]})
		}
	}
	return list
}

// describe says what the groups that shapes and objects name will be: as declared or restored (will), else as mapped,
// else as recorded. Those of the table stand first, in its order.
func describe(o *world.Observed, table *plan.Table, will map[uuid.UUID]plan.Group) []plan.Group {
	now := map[uuid.UUID]plan.Group{}
	for _, rec := range o.State.Objects {
		if rec.Kind == state.KindGroup {
			now[rec.ID] = plan.Group{ID: rec.ID, Name: rec.Attributes.Text(state.AttrName), Tenant: rec.Tenant,
				Role: rec.Role(), Members: rec.Members}
		}
	}
	// A mapping row says more of the role than a record of ours: others may have written it since. A group of ours stays its
	// tenant's, whatever other tenants are mapped to it.
	mapped := map[uuid.UUID]bool{}
	for _, m := range o.Mappings() {
		is, ours := now[m.Group]
		if ours && is.Tenant != m.Tenant {
			continue
		}
		mapped[m.Group] = true
		now[m.Group] = plan.Group{ID: m.Group, Name: m.GroupName, Tenant: m.Tenant, Role: m.Role, Members: is.Members}
	}
	one := func(id uuid.UUID) plan.Group {
		g, there := will[id]
		if was, known := now[id]; there && known && was.Role != g.Role {
			g.Was = was.Role
		}
		if _, is := o.Index.Groups[id]; there && is && !mapped[id] && g.Role != state.RoleInvalid {
			g.Unmapped, g.Was = true, state.RoleInvalid
		}
		if !there {
			g = now[id]
			g.ID, g.Name = id, cmp.Or(o.Index.Groups[id].Name, g.Name)
		}
		return g
	}
	var list []plan.Group
	listed := map[uuid.UUID]bool{}
	add := func(id uuid.UUID) {
		if !listed[id] {
			listed[id] = true
			list = append(list, one(id))
		}
	}
	for _, id := range table.Groups {
		add(id)
	}
	for id := range will {
		add(id)
	}
	for id := range o.Index.Groups {
		add(id)
	}
	return list
}
