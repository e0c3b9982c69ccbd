package world

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// indexMappings indexes the mapping rows of live tenants, and blocks tenants that share a group (L40) or whose group
// has a built-in one inside.
func (o *Observed) indexMappings() {
	o.rows, o.mapped = map[[2]uuid.UUID]providers.Mapping{}, map[uuid.UUID][]int{}
	byName := map[string][]int{}
	names := map[uuid.UUID]string{} // as the mapping rows have them
	for _, m := range o.mappings {
		o.rows[[2]uuid.UUID{m.Tenant, m.Group}] = m
		t := o.TenantIndex(m.Tenant)
		if t < 0 || o.Tenants[t].Deleted {
			continue
		}
		o.mapped[m.Group] = addOnce(o.mapped[m.Group], t)
		byName[m.GroupName] = addOnce(byName[m.GroupName], t)
		if names[m.Group] == "" {
			names[m.Group] = m.GroupName
		}
	}
	var found []state.Finding
	for id, of := range o.mapped {
		name := cmp.Or(o.Index.Groups[id].Name, names[id])
		// The members of a built-in group are not listed one by one, so nobody can say that they are the tenant's.
		if in := o.Index.Holds[id]; in != "" {
			for _, t := range of {
				o.Sharers[t] = true
				found = append(found, HoldsBuiltin(name, o.Tenants[t].Slug, in))
			}
		}
		if hidden := o.Index.Hidden[id]; hidden != "" {
			for _, t := range of {
				found = append(found, o.hide(hidden, t))
			}
		}
		// Else the name says it already, below.
		if len(of) > 1 && len(byName[name]) < 2 {
			found = append(found, o.block(name, of))
		}
	}
	// The application finds groups by the names in its mapping rows: two groups of one name are one group to it.
	for name, of := range byName {
		if len(of) > 1 {
			found = append(found, o.block(name, of))
		}
	}
	// What is recorded of a group counts as well: its mapping row may be gone, or not be there yet.
	for _, rec := range o.State.Objects {
		hidden := o.Index.Hidden[rec.ID]
		if t := o.TenantIndex(rec.Tenant); rec.Kind == state.KindGroup && !rec.Deleted && hidden != "" && t >= 0 {
			found = append(found, o.hide(hidden, t))
		}
	}
	o.Shared = Sorted(found)
}

// hide blocks a tenant of a group whose members are not known, and returns why: nobody can say whether its isolation
// holds, who is missing from the group, and who would have to leave it.
func (o *Observed) hide(group string, t int) state.Finding {
	o.Sharers[t], o.Hidden[t] = true, true
	return HiddenFrom(group, o.Tenants[t].Slug)
}

// HiddenFrom says that nobody knows who is in a group of a tenant.
func HiddenFrom(group, tenant string) state.Finding {
	return state.About(state.CodeGroupHidden, state.OfGroup(group), state.Text(state.KeyTenant, tenant))
}

func addOnce(list []int, t int) []int {
	if slices.Contains(list, t) {
		return list
	}
	return append(list, t)
}

// HoldsBuiltin is the violation of a tenant's group that has a built-in one inside: all persons may be members of that.
func HoldsBuiltin(group, tenant, builtin string) state.Finding {
	return state.About(state.CodeGroupHoldsBuiltin, state.OfGroup(group), state.Text(state.KeyTenant, tenant),
		state.Text(state.KeyBuiltin, builtin))
}

// block blocks the tenants that share a group, and returns the violation.
func (o *Observed) block(group string, of []int) state.Finding {
	slugs := make([]string, len(of))
	for i, t := range of {
		o.Sharers[t] = true
		slugs[i] = o.Tenants[t].Slug
	}
	slices.Sort(slugs)
	return state.About(state.CodeGroupShared, state.OfGroup(group), state.List(state.KeyTenants, slugs...))
}

// Sorted sorts findings that were gathered in no order, by code, subject and arguments, and drops repetitions. The plan
// must be the same on every machine.
func Sorted(list []state.Finding) []state.Finding {
	text := func(f state.Finding) string {
		parts := []string{string(f.Code), f.Subject.Name}
		for _, a := range f.Args {
			parts = append(parts, a.Text, strings.Join(a.List, "\x00"))
		}
		return strings.Join(parts, "\x00")
	}
	byText := map[string]state.Finding{}
	for _, f := range list {
		byText[text(f)] = f
	}
	var sorted []state.Finding
	for _, k := range slices.Sorted(maps.Keys(byText)) {
		sorted = append(sorted, byText[k])
	}
	return sorted
}
