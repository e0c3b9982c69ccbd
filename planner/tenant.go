package planner

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// tenantPlan is a declared tenant with what is recorded and live of it.
type tenantPlan struct {
	config.Tenant
	rec  state.Object
	from state.Address
	has  bool
	live *providers.Tenant // nil: its row is to be made
	id   int               // index into the world's tenants; -1: left alone
}

// layTenants lays the declared tenants over the rows, so that all that is planned sees them as they will be (L38).
func (w *world) layTenants(list []config.Tenant) {
	recorded := map[state.Address]state.Object{}
	for _, o := range w.in.State.Objects {
		recorded[o.Address] = o
	}
	byID, bySlug := map[uuid.UUID]int{}, map[string]int{}
	for i, t := range w.tenants {
		byID[t.ID], bySlug[t.Slug] = i, i
	}
	for _, d := range list {
		t := tenantPlan{Tenant: d, id: -1}
		t.rec, t.has = recorded[d.Address]
		for _, m := range w.in.Config.Moved {
			if old, ok := recorded[m.From]; ok && m.To == d.Address && !t.has {
				t.rec, t.from, t.has = old, m.From, true
			}
		}
		i, found := bySlug[d.Slug]
		if t.has {
			i, found = byID[t.rec.ID]
		}
		if found {
			live := w.tenants[i].Tenant
			t.live = &live
		}
		if t.has && t.rec.Paused {
			w.tenantPlans = append(w.tenantPlans, t)
			continue
		}
		if !found {
			i = len(w.tenants)
			w.tenants = append(w.tenants, tenant{Tenant: providers.Tenant{ID: state.TenantID(w.lineage, d.Address), Plan: "free", Status: "active"}})
		}
		lay(&w.tenants[i].Tenant, d.Attributes, t.has && t.rec.Deleted)
		t.id = i
		w.tenantPlans = append(w.tenantPlans, t)
	}
	// Indexes are by id from here on.
	ids := make([]tenant, len(w.tenants))
	copy(ids, w.tenants)
	slices.SortFunc(w.tenants, func(a, b tenant) int { return compareID(a.ID, b.ID) })
	for k := range w.tenantPlans {
		if t := &w.tenantPlans[k]; t.id >= 0 {
			t.id = w.tenantIndex(ids[t.id].ID)
		}
	}
}

// lay sets what is declared. A row that we had marked as deleted is live again.
func lay(t *providers.Tenant, a state.Attributes, ours bool) {
	for name, field := range map[string]*string{"slug": &t.Slug, "name": &t.Name, "plan": &t.Plan, "status": &t.Status, "settings": &t.Settings} {
		if v, given := a[name]; given {
			*field = v
		}
	}
	if ours {
		t.Deleted = false
	}
}

// planTenants plans the declared tenants: only what is given is ours (L37).
func (p *objectPlanner) planTenants() {
	for _, t := range p.tenantPlans {
		delete(p.recorded, t.Address)
		delete(p.recorded, t.from)
		if p.paused(t.Address, t.rec, t.has) {
			continue
		}
		row := &p.tenants[t.id]
		if t.live != nil && !t.has && t.live.ID != state.TenantID(p.lineage, t.Address) {
			if other := p.recordedTenant(t.live.ID, t.Address); other != "" {
				p.diags = p.diags.Append(fail("Tenant under another address", "%s (%s:%d): the tenant with the slug %q is recorded as %s. If it is the same, say so:\n\n    moved {\n      from = %s\n      to   = %s\n    }", t.Address, t.Pos.File, t.Pos.Line, t.Slug, other, other, t.Address))
				continue
			}
			if !t.Adopt && !t.live.Deleted {
				p.diags = p.diags.Append(fail("Tenant exists already", "%s (%s:%d): there is a tenant with the slug %q that Anthill did not make. To own the arguments that are given here, and nothing else of it, write:\n\n    adopt = true", t.Address, t.Pos.File, t.Pos.Line, t.Slug))
				continue
			}
			if t.live.Deleted {
				p.diags = p.diags.Append(fail("Tenant deleted", "%s (%s:%d): the tenant with the slug %q is deleted in the application. Anthill does not bring back what others deleted.", t.Address, t.Pos.File, t.Pos.Line, t.Slug))
				continue
			}
		}
		if t.has && !t.rec.Deleted && t.live != nil && t.live.Deleted {
			p.dormant = append(p.dormant, fmt.Sprintf("%s: the application has deleted its row", t.Address))
			continue
		}
		p.planTenant(t, row)
	}
}

// recordedTenant is the address under which a tenant is recorded, if that is another one that is declared no more.
func (p *objectPlanner) recordedTenant(id uuid.UUID, a state.Address) state.Address {
	for _, rec := range p.in.State.Objects {
		if rec.Kind == state.KindTenant && !rec.Deleted && rec.ID == id && rec.Address != a {
			return rec.Address
		}
	}
	return ""
}

func (p *objectPlanner) planTenant(t tenantPlan, row *tenant) {
	after := state.Object{Address: t.Address, Kind: state.KindTenant, ID: row.ID, Tenant: row.ID, TenantSlug: t.Slug, Generation: 1, Attributes: t.Attributes}
	c := ObjectChange{Address: t.Address, From: t.from, Kind: state.KindTenant, After: &after}
	if t.has {
		before := t.rec
		c.Before = &before
		after.Run, after.Adopted = t.rec.Run, t.rec.Adopted
	}
	ours := row.ID == state.TenantID(p.lineage, t.Address)
	switch {
	case t.live == nil:
		c.Action, c.Will = Create, set(t.Attributes)
		c.Text = append(c.Text, "tenant "+t.Slug)
	case !t.has && ours:
		c.Action, c.Will = Recover, set(t.Attributes)
		c.Text = append(c.Text, "tenant "+t.Slug+" is ours already")
	default:
		want := state.Attributes{"deleted": ""}
		for k, v := range t.Attributes {
			want[k] = v
		}
		if !t.has || !t.rec.Deleted {
			delete(want, "deleted") // only our own mark goes
		}
		p.settle(&c, t.live.Attributes(), want)
		if !t.has {
			c.Action, after.Adopted = Adopt, true
			c.Text = slices.Insert(c.Text, 0, "tenant "+t.Slug+" was there before: what is given here is ours now")
		} else if c.Action == "" && len(t.rec.Attributes) != len(t.Attributes) {
			c.Action = Update
			c.Text = append(c.Text, "other arguments are ours now")
		}
		if t.has && t.rec.Deleted && c.Action == "" {
			c.Action = Recover
		}
		if t.live.Status == "active" && c.Will["status"] != "" && row.live > 0 {
			p.raise(LocksOut, row.live, fmt.Sprintf("tenant %s becomes %s: its %d users can no longer work", t.Slug, c.Will["status"], row.live))
		}
	}
	p.add(c, t.Pos)
}
