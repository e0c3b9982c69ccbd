package world

import (
	"slices"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// Declared is a declared tenant, with what is recorded of it and what its row is now.
type Declared struct {
	config.Tenant
	Recorded *state.Object     // recorded of it, here or where it moved from; nil: nothing
	From     state.Address     // it was recorded under this address before; ""
	Live     *providers.Tenant // nil: its row is to be made
	Place    int               // in Observed.Tenants; -1: it is left alone
}

// lay lays the declared tenants over the rows, so that all that is planned sees them as they will be (L38).
func (o *Observed) lay() {
	recorded := map[state.Address]state.Object{}
	for _, r := range o.State.Objects {
		recorded[r.Address] = r
	}
	places := map[string]int{} // by id, and by slug
	for i, t := range o.Tenants {
		places[t.ID.String()], places["slug "+t.Slug] = i, i
	}
	for _, d := range o.Config.Tenants {
		t := Declared{Tenant: d, Place: -1}
		t.find(recorded, o.Config.Moved)
		// What is ours is known by its id, whatever slug the application has given it since.
		i, found := places["slug "+d.Slug]
		if t.Recorded != nil {
			i, found = places[t.Recorded.ID.String()]
		}
		if found {
			live := o.Tenants[i].Tenant
			t.Live = &live
		}
		if t.Recorded != nil && t.Recorded.Paused {
			o.Declared = append(o.Declared, t)
			continue
		}
		if !found {
			i = len(o.Tenants)
			o.Tenants = append(o.Tenants, Tenant{providers.Tenant{
				ID:     state.TenantID(o.Lineage, d.Address),
				Plan:   "free",
				Status: "active",
			}})
		}
		layOver(&o.Tenants[i].Tenant, d.Attributes)
		if t.Recorded != nil && t.Recorded.Deleted {
			// The mark is that of our rollback, and goes with this plan.
			o.Tenants[i].Deleted = false
		}
		t.Place = i
		o.Declared = append(o.Declared, t)
	}
	// New rows were put behind the others. From here on tenants are sorted by id, and places say where they are now.
	unsorted := slices.Clone(o.Tenants)
	slices.SortFunc(o.Tenants, func(a, b Tenant) int { return CompareID(a.ID, b.ID) })
	for k := range o.Declared {
		if d := &o.Declared[k]; d.Place >= 0 {
			d.Place = o.TenantIndex(unsorted[d.Place].ID)
		}
	}
}

// find looks up what is recorded of a declared tenant, under its address or under the one that it moved from.
func (d *Declared) find(recorded map[state.Address]state.Object, moved []config.Move) {
	if rec, ok := recorded[d.Address]; ok {
		d.Recorded = &rec
		return
	}
	at := d.Address
	for range moved { // as long as a chain of them can be
		i := slices.IndexFunc(moved, func(m config.Move) bool { return m.To == at })
		if i < 0 {
			return
		}
		at = moved[i].From
		if old, ok := recorded[at]; ok {
			d.Recorded, d.From = &old, at
			return
		}
	}
}

// layOver sets what is declared of a row.
func layOver(t *providers.Tenant, a state.Attributes) {
	for name, field := range map[state.Attribute]*string{
		state.AttrSlug:     &t.Slug,
		state.AttrName:     &t.Name,
		state.AttrPlan:     &t.Plan,
		state.AttrStatus:   &t.Status,
		state.AttrSettings: &t.Settings,
	} {
		if v, given := a[name]; given {
			*field = v.Text
		}
	}
}
