package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// objectPlan is what planning the declared groups comes to.
type objectPlan struct {
	changes   []ObjectChange
	unchanged int
	dormant   []string
	outside   []string
	where     map[state.Address]string
}

// planObjects compares declared groups with recorded and observed ones, fills in the tenants' wanted groups, and
// says which tenants cannot be served. mappings are all rows of the mapping table.
func (w *world) planObjects(mappings []providers.Mapping) (objectPlan, hcl.Diagnostics) {
	p := objectPlan{where: map[state.Address]string{}}
	var diags hcl.Diagnostics
	recorded := map[state.Address]state.Object{}
	for _, o := range w.in.State.Objects {
		recorded[o.Address] = o
	}
	rows := map[[2]uuid.UUID]providers.Mapping{}
	for _, m := range mappings {
		rows[[2]uuid.UUID{m.Tenant, m.Group}] = m
	}
	groups := slices.Clone(w.in.Config.Groups)
	bySlug := w.bySlug()
	p.outside = w.markRenamed()
	// Creation order is what tokens list groups in (L36): admin before member before viewer within a tenant.
	slices.SortFunc(groups, func(a, b config.Group) int {
		return cmp.Or(strings.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Role, b.Role), strings.Compare(string(a.Address), string(b.Address)))
	})
	w.markTaken(groups, recorded, bySlug)
	for _, g := range groups {
		rec, has := recorded[g.Address]
		delete(recorded, g.Address)
		t := bySlug[g.Tenant]
		switch {
		case t == nil:
			continue // config has said so
		case has && !rec.Deleted && (rec.Name != g.Name || rec.Role != g.Role || rec.Tenant != t.ID):
			diags = diags.Append(renamed(g, rec))
			continue
		case !t.Live():
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its tenant is %s", g.Address, tenantAway(t)))
			continue
		case t.taken, t.blocked, t.renamed:
			continue
		case has && rec.Deleted && rec.Paused:
			p.dormant = append(p.dormant, fmt.Sprintf("%s: taken back by run %s, paused until a wave of it is resumed", g.Address, rec.Run))
			continue
		}
		c := w.planGroup(g, rec, has, t, rows)
		if live, there := w.dir.groups[c.After.Group]; there && live.name != g.Name {
			p.outside = append(p.outside, fmt.Sprintf("%s: the group is called %s in Self-auth now, and the application finds it by %s: rename it back", g.Address, live.name, g.Name))
		}
		t.groups = append(t.groups, wantedGroup{id: c.After.Group, members: g.Members})
		if c.Action == "" {
			p.unchanged++
			continue
		}
		p.where[g.Address] = fmt.Sprintf("%s:%d", g.Pos.File, g.Pos.Line)
		p.changes = append(p.changes, c)
	}
	for _, rec := range w.in.State.Objects {
		if _, gone := recorded[rec.Address]; !gone || rec.Deleted {
			continue
		}
		t := w.tenantOf(rec.Tenant)
		switch {
		case t != nil && t.renamed:
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its tenant is called %s now", rec.Address, t.Slug))
		case !slices.Contains(w.in.Config.Blocks, blockOf(rec.Address)):
			diags = diags.Append(removed(rec))
		case t != nil && t.Live() && !slices.Contains(w.in.Config.DataBlocks, blockOf(rec.Address)):
			diags = diags.Append(removed(rec))
		case t != nil && t.Live():
			p.dormant = append(p.dormant, fmt.Sprintf("%s: the data of its for_each names it no more (L31); it is kept", rec.Address))
		default:
			p.dormant = append(p.dormant, fmt.Sprintf("%s: its tenant is %s", rec.Address, tenantAway(t)))
		}
	}
	return p, diags
}

// maxGeneration is how far a group of ours is looked for where the state is lost.
const maxGeneration = 16

// generation is that of the group of ours which Self-auth has at an address; 1 where it has none.
func (w *world) generation(a state.Address) int {
	for gen := maxGeneration; gen > 1; gen-- {
		if _, there := w.dir.groups[state.GroupID(w.lineage, a, gen)]; there {
			return gen
		}
	}
	return 1
}

func (w *world) tenantOf(id uuid.UUID) *tenant {
	if i := w.tenantIndex(id); i >= 0 {
		return &w.tenants[i]
	}
	return nil
}

// markRenamed finds tenants whose slug is not the one under which their groups were made. Following them is a later
// version's: until then their groups and users stay as they are.
func (w *world) markRenamed() (outside []string) {
	for _, o := range w.in.State.Objects {
		if t := w.tenantOf(o.Tenant); t != nil && !o.Deleted && t.Slug != o.TenantSlug && !t.renamed {
			t.renamed = true
			outside = append(outside, fmt.Sprintf("tenant %s was called %s when its groups were made: following a new slug is not in this version; its groups and users stay as they are. Set the slug back to go on with it", t.Slug, o.TenantSlug))
		}
	}
	return outside
}

func (w *world) bySlug() map[string]*tenant {
	m := make(map[string]*tenant, len(w.tenants))
	for i := range w.tenants {
		m[w.tenants[i].Slug] = &w.tenants[i]
	}
	return m
}

// markTaken finds the tenants of which a wanted group name is held by an entry that is not ours: they are skipped
// as a whole, so that nobody of them is moved into half of his groups.
func (w *world) markTaken(groups []config.Group, recorded map[state.Address]state.Object, bySlug map[string]*tenant) {
	for _, g := range groups {
		t := bySlug[g.Tenant]
		if t == nil {
			continue
		}
		holder, held := w.dir.byName[g.Name]
		rec, has := recorded[g.Address]
		ours := has && rec.Group == holder || held && holder == state.GroupID(w.lineage, g.Address, w.generation(g.Address))
		if held && !ours || !held && w.dir.nameTaken(w.dir.hash(g.Name)) {
			t.taken = true
		}
	}
}

func (w *world) planGroup(g config.Group, rec state.Object, has bool, t *tenant, rows map[[2]uuid.UUID]providers.Mapping) ObjectChange {
	gen := w.generation(g.Address)
	if has {
		gen = rec.Generation
		if _, there := w.dir.groups[rec.Group]; rec.Deleted || !there {
			gen++ // the id is blocked for days
		}
	}
	after := state.Object{Address: g.Address, Group: state.GroupID(w.lineage, g.Address, gen), Generation: gen, Name: g.Name,
		Description: g.Description, Tenant: t.ID, TenantSlug: t.Slug, Role: g.Role, Mapped: true}
	c := ObjectChange{Address: g.Address, After: &after}
	if has {
		before := rec
		c.Before = &before
		after.Run = rec.Run
	}
	live, there := w.dir.groups[after.Group]
	row, mapped := rows[[2]uuid.UUID{t.ID, after.Group}]
	c.CreateGroup = !there
	c.Describe = there && live.description != g.Description
	c.Map = !mapped || row.GroupName != g.Name || row.Role != g.Role
	if has && rec.Group != after.Group {
		if _, old := rows[[2]uuid.UUID{t.ID, rec.Group}]; old {
			c.Unmap = []uuid.UUID{rec.Group}
		}
	}
	switch {
	case c.CreateGroup:
		c.Action = Create
		c.Text = append(c.Text, fmt.Sprintf("group %s, mapped as %s", g.Name, g.Role))
		if has && !rec.Deleted {
			c.Text = append(c.Text, "the group that we had made is gone")
		}
	case !has || rec.Deleted:
		c.Action = Recover
		c.Text = append(c.Text, fmt.Sprintf("group %s is ours already, mapped as %s", g.Name, g.Role))
	case c.Describe || c.Map:
		c.Action = Update
		if c.Describe {
			c.Text = append(c.Text, "description: "+g.Description)
		}
		if c.Map {
			c.Text = append(c.Text, fmt.Sprintf("mapping row: %s as %s", g.Name, g.Role))
		}
	}
	return c
}

func tenantAway(t *tenant) string {
	switch {
	case t == nil:
		return "gone"
	case t.Deleted:
		return "deleted"
	}
	return t.Status
}

// blockOf is the block of an instance: group.admins of group.admins["acme"].
func blockOf(a state.Address) string {
	block, _, _ := strings.Cut(string(a), "[")
	return block
}

func renamed(g config.Group, rec state.Object) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Group changed in place",
		Detail: fmt.Sprintf("%s (%s:%d) was made as group %q of tenant %q, mapped as %s, and is now declared as %q of %q, mapped as %s. Renaming a group or moving it is not in this version. Set it back to what it was.",
			g.Address, g.Pos.File, g.Pos.Line, rec.Name, rec.TenantSlug, rec.Role, g.Name, g.Tenant, g.Role)}
}

func removed(rec state.Object) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Group no longer declared",
		Detail: fmt.Sprintf("%s (group %q of tenant %q) was made by run %s and no configuration declares it any more. Deleting a group by an edit is not in this version. Declare it again, or take it back with:\n\n    anthill rollback -run %s",
			rec.Address, rec.Name, rec.TenantSlug, rec.Run, rec.Run)}
}

// mappedGroups indexes the mapping rows of live tenants and blocks tenants that share a group (L40).
func (w *world) mappedGroups(mappings []providers.Mapping) (violations []string) {
	w.mapped = map[uuid.UUID][]int{}
	for _, m := range mappings {
		t := w.tenantIndex(m.Tenant)
		if t < 0 || w.tenants[t].Deleted || slices.Contains(w.mapped[m.Group], t) {
			continue
		}
		w.mapped[m.Group] = append(w.mapped[m.Group], t)
	}
	byName := map[string][]int{}
	for _, m := range mappings {
		if t := w.tenantIndex(m.Tenant); t >= 0 && !w.tenants[t].Deleted && !slices.Contains(byName[m.GroupName], t) {
			byName[m.GroupName] = append(byName[m.GroupName], t)
		}
	}
	for name, of := range byName {
		if len(of) > 1 {
			violations = append(violations, w.blockSharers(name, of))
		}
	}
	for id, of := range w.mapped {
		if len(of) > 1 {
			name := w.dir.groups[id].name
			if name == "" {
				name = mappedName(mappings, id)
			}
			if len(byName[name]) < 2 {
				violations = append(violations, w.blockSharers(name, of))
			}
		}
	}
	slices.Sort(violations)
	return violations
}

// mappedName is what the mapping rows call a group that Self-auth does not have.
func mappedName(mappings []providers.Mapping, id uuid.UUID) string {
	i := slices.IndexFunc(mappings, func(m providers.Mapping) bool { return m.Group == id })
	return mappings[i].GroupName
}

func (w *world) blockSharers(group string, of []int) string {
	slugs := make([]string, len(of))
	for i, t := range of {
		w.tenants[t].blocked = true
		slugs[i] = w.tenants[t].Slug
	}
	slices.Sort(slugs)
	return fmt.Sprintf("group %s is mapped to more than one tenant: %s", group, strings.Join(slugs, ", "))
}
