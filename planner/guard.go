package planner

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/planner/world"
	"anthill/state"
)

// guard raises the hazards of the configuration's guard, and of rows that are gone. All but the administrators are
// counted from the shapes that stayed: what waves that are held would do is no hazard of this plan.
func (m *maker) guard(e *plan.Effects, figures []plan.TenantFigures) {
	sum := plan.Figures{}
	for _, f := range figures {
		sum.Add(f.Figures)
	}
	g, strangers := m.Config.Guard, e.Strangers()
	m.limit(e, plan.OverLimit, state.CodeOverLimit, g.MaxUsersChangedPercent, sum[plan.FigureUsers], strangers)
	m.limit(e, plan.OverLimitRemoved, state.CodeOverRemoved, g.MaxRemovedPercent, sum[plan.FigureRemoved], strangers)
	m.rowsGone(e, figures)
	// Who is moved now is an administrator from then on.
	for _, f := range m.moving() {
		if i := m.world.TenantIndex(f.Tenant); i >= 0 {
			m.decided.Admins[i].Left += f.Figures[plan.FigureAdmins]
		}
	}
	lastAdmins(e, m.world.Observed, m.decided.Admins, g.KeepAdmins)
}

// limit raises a hazard where so many users, and strangers who are put out of groups, are more than a percentage of the
// live users.
func (m *maker) limit(
	e *plan.Effects, hazard plan.HazardCode, code state.Code, percent float64, users, strangers int64,
) {
	n := users + strangers
	// Rows that are gone count too: an emptied table must not expire everybody unasked.
	population := max(m.world.AllLive, m.decided.Moved)
	if population < m.Config.Guard.MinPopulation || n == 0 || 100*float64(n)/float64(population) <= percent {
		return
	}
	f := state.Found(code, state.Real(state.KeyLimit, percent), state.Number(state.KeyPopulation, population))
	if strangers > 0 {
		f.Args = append(f.Args, state.Number(state.KeyStrangers, strangers))
	}
	e.Raise(hazard, n, f.Times(n))
}

// fewRowsGone is how many rows of a tenant may be gone whatever its size.
const fewRowsGone = 5

// rowsGone raises the hazard of tenants of which more than a few moved users, and over one in a hundred, have lost
// their rows at once (L28).
func (m *maker) rowsGone(e *plan.Effects, figures []plan.TenantFigures) {
	for _, f := range figures {
		n, moved := f.Figures[plan.FigureRowGone], m.decided.MovedOf[f.Tenant]
		if n > fewRowsGone && 100*n > moved {
			of := state.OfTenant(slugOf(m.world.Observed, f.Tenant))
			e.Raise(plan.RowsGone, n,
				state.About(state.CodeRowsGone, of, state.Number(state.KeyPopulation, moved)).Times(n))
		}
	}
}

// slugOf is what a tenant is called, also one whose row is gone: then as it is recorded with an object of it, or its id.
func slugOf(o *world.Observed, id uuid.UUID) string {
	if t := o.Tenant(id); t != nil {
		return t.Slug
	}
	if i := slices.IndexFunc(o.State.Objects, func(o state.Object) bool { return o.Tenant == id }); i >= 0 {
		return o.State.Objects[i].TenantSlug
	}
	return id.String()
}

// lastAdmins raises the hazard of tenants from which a plan takes an administrator, and in which fewer than keep are
// left who can log in.
func lastAdmins(e *plan.Effects, o *world.Observed, tenants []users.Admins, keep int64) {
	for i, a := range tenants {
		if a.Taken > 0 && a.Left < keep {
			e.Raise(plan.LastAdmin, a.Taken, state.About(state.CodeLastAdmin, state.OfTenant(o.Tenants[i].Slug),
				state.Number(state.KeyLeft, a.Left), state.Number(state.KeyLimit, keep)).Times(a.Taken))
		}
	}
}

// strangersAsAdmins raises the hazard of groups that were not mapped and are mapped as admin from now on: who is in them and
// does not belong there becomes admin with those who do.
func (m *maker) strangersAsAdmins() {
	for _, c := range m.declared.Changes {
		will := c.Will[state.AttrMapping]
		if c.Kind != state.KindGroup || c.After == nil || c.Was[state.AttrMapping].IsSet() || !will.IsSet() || will.Mapping().Role != state.RoleAdmin {
			continue
		}
		name := m.world.Index.Groups[c.After.ID].Name
		for _, f := range m.decided.Outside {
			if f.Code == state.CodeStrangers && f.Subject == state.OfGroup(name) {
				m.plan.Effects.Raise(plan.MembersAsAdmins, f.Count, state.About(state.CodeMappedAdmin, state.Of(c.Address)).Times(f.Count))
			}
		}
	}
}
