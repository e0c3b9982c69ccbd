package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
)

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
	for _, id := range slices.SortedFunc(maps.Keys(w.mapped), compareID) {
		if in := w.dir.holds[id]; in != "" {
			for _, t := range w.mapped[id] {
				w.tenants[t].blocked = true
				violations = append(violations, holdsText(w.dir.groups[id].name, w.tenants[t].Slug, in))
			}
		}
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

// holdsText is the violation of a tenant's group that has a built-in one inside, whose members are not told one by one: all
// persons may be among them.
func holdsText(group, tenant, builtin string) string {
	return fmt.Sprintf("group %s of tenant %s has Self-auth's own %s as a member: whoever is in that belongs to the tenant as well", group, tenant, builtin)
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
