package objects

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// mappingNotes says which mapping rows of live tenants will not do what they seem to: the application looks for the names
// that tokens have in these rows. Rows that the plan writes or deletes count as it leaves them.
func (p *forward) mappingNotes() []state.Finding {
	var notes []state.Finding
	type key struct {
		tenant uuid.UUID
		name   string
	}
	roles := map[key][]state.Role{}
	rows, names := p.mappingsAfter()
	for at, m := range rows {
		t := p.Tenant(at[0])
		if t == nil || t.Deleted {
			continue
		}
		about, tenant := state.OfGroup(m.GroupName), state.Text(state.KeyTenant, t.Slug)
		switch name, there := names[at[1]]; {
		case !there:
			notes = append(notes, state.About(state.CodeMappingDead, about, tenant, state.Text(state.KeyRole, m.Role.String())))
		case name != m.GroupName:
			notes = append(notes, state.About(state.CodeMappingName, about, tenant, state.Text(state.KeyName, name)))
		}
		k := key{at[0], m.GroupName}
		if !slices.Contains(roles[k], m.Role) {
			roles[k] = append(roles[k], m.Role)
		}
	}
	for k, list := range roles {
		if len(list) < 2 {
			continue
		}
		slices.Sort(list)
		var said []string
		for _, r := range list {
			said = append(said, r.String())
		}
		notes = append(notes, state.About(state.CodeMappingRoles, state.OfGroup(k.name),
			state.Text(state.KeyTenant, p.Tenant(k.tenant).Slug), state.List(state.KeyRoles, said...)))
	}
	return world.Sorted(notes)
}

// mappingsAfter are the mapping rows by tenant and group, and the names of groups, as the plan leaves them.
func (p *forward) mappingsAfter() (map[[2]uuid.UUID]providers.Mapping, map[uuid.UUID]string) {
	rows, names := map[[2]uuid.UUID]providers.Mapping{}, map[uuid.UUID]string{}
	for _, m := range p.Mappings() {
		rows[[2]uuid.UUID{m.Tenant, m.Group}] = m
	}
	for id, g := range p.Index.Groups {
		names[id] = g.Name
	}
	for _, c := range p.out.Changes {
		if c.Kind != state.KindGroup {
			continue
		}
		tenant, id := c.Object().Tenant, c.Object().ID
		for _, gone := range c.Unmap {
			delete(rows, [2]uuid.UUID{tenant, gone})
		}
		if c.Will == nil {
			delete(rows, [2]uuid.UUID{tenant, id})
			delete(names, id)
			continue
		}
		if name, written := c.Will[state.AttrName]; written {
			names[id] = name.Text
		}
		switch row, written := c.Will[state.AttrMapping]; {
		case !written:
		case row.IsSet():
			m := row.Mapping()
			rows[[2]uuid.UUID{tenant, id}] = providers.Mapping{Tenant: tenant, Group: id, GroupName: m.Name, Role: m.Role}
		default:
			delete(rows, [2]uuid.UUID{tenant, id})
		}
	}
	return rows, names
}
