package planner

import (
	"fmt"
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
