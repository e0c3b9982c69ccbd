package report

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// radius is whom a plan concerns, by tenant and in all, whatever wave they are of.
type radius struct {
	Tenants []tenantRadius `json:"tenants"` // those with most users first
	All     tenantRadius   `json:"all"`     // of no tenant in particular
}

// tenantRadius is what happens to the users of one tenant.
type tenantRadius struct {
	plan.Tenant
	Live    int64        `json:"live"`                      // live users of the tenant; 0: none, or its row is gone
	Percent float64      `json:"percent_of_live,omitempty"` // that the users who change make, to two places
	Ends    int64        `json:"self_auth_sessions_of"`     // persons whose sessions in Self-auth end; how many sessions nobody can tell
	Figures plan.Figures `json:"figures"`
}

// radius counts what happens to users from the effects; who is live is from the context.
func (v *view) radius() radius {
	sums, live := map[uuid.UUID]*tenantRadius{}, map[uuid.UUID]int64{}
	for _, t := range v.context.Population.Tenants {
		live[t.Tenant] = t.Live
	}
	for _, p := range v.parts {
		for _, t := range p.Tenants {
			if sums[t.Tenant] == nil {
				sums[t.Tenant] = &tenantRadius{Tenant: plan.Tenant{ID: t.Tenant, Slug: t.Slug}, Live: live[t.Tenant], Figures: plan.Figures{}}
			}
			sums[t.Tenant].Figures.Add(t.Figures)
		}
	}
	r := radius{Tenants: []tenantRadius{}, All: tenantRadius{Live: v.context.Population.Live, Figures: v.total()}}
	for _, t := range sums {
		t.share()
		r.Tenants = append(r.Tenants, *t)
	}
	r.All.share()
	slices.SortFunc(r.Tenants, func(a, b tenantRadius) int {
		return cmp.Or(cmp.Compare(b.Figures[plan.FigureUsers], a.Figures[plan.FigureUsers]), strings.Compare(a.Slug, b.Slug),
			slices.Compare(a.ID[:], b.ID[:]))
	})
	return r
}

func (t *tenantRadius) share() {
	t.Ends = t.Figures.Loses()
	if t.Live > 0 {
		t.Percent = math.Round(10000*float64(t.Figures[plan.FigureUsers])/float64(t.Live)) / 100
	}
}

// radiusTable is the blast radius for people, where it says more than the figures of all.
type radiusTable struct {
	head []string   // of the columns behind the tenant's name
	rows [][]string // the largest tenants, the others as one, and all
}

// radiusColumns are the figures that it shows where they are not zero.
func radiusColumns() []figure {
	return []figure{
		{plan.FigureGainAdmin, "admins +"},
		{plan.FigureLoseAdmin, "admins -"},
		{plan.FigureOf(state.PersonCreate), "persons +"},
		{plan.FigureOf(state.PersonAdopt), "taken over"},
		{plan.FigureOf(state.PersonExpire), "expired"},
		{plan.FigureOf(state.PersonDelete), "deleted"},
		{plan.FigureJoin, "joins"},
		{plan.FigureLeave, "leaves"},
	}
}

// radius is the table of so many tenants, the rest summed; ok is false where users of one tenant at most change.
func (t *telling) radius(most int) (table radiusTable, ok bool) {
	r := t.view.radius()
	if len(r.Tenants) < 2 {
		return table, false
	}
	shown, columns := r.Tenants, radiusColumns()
	if len(shown) > most+1 {
		shown = shown[:most]
	}
	columns = slices.DeleteFunc(columns, func(f figure) bool { return r.All.Figures[f.Figure] == 0 })
	table.head = []string{"users", "of live"}
	for _, c := range columns {
		table.head = append(table.head, c.label)
	}
	row := func(name string, one tenantRadius) {
		cells := []string{name, count(one.Figures[plan.FigureUsers]), ""}
		if one.Live > 0 {
			cells[2] = percent(one.Figures[plan.FigureUsers], one.Live)
		}
		for _, c := range columns {
			cells = append(cells, count(one.Figures[c.Figure]))
		}
		table.rows = append(table.rows, cells)
	}
	for _, one := range shown {
		row(t.words.tenant(plan.TenantFigures{Slug: one.Slug}), one)
	}
	if n := int64(len(r.Tenants) - len(shown)); n > 0 {
		others := tenantRadius{Figures: plan.Figures{}}
		for _, one := range r.Tenants[len(shown):] {
			others.Live += one.Live
			others.Figures.Add(one.Figures)
		}
		row(of(n, "other", "others"), others)
	}
	row("all", r.All)
	return table, true
}

// sessions says whose sessions end; "" where nobody's do. Anthill ends none of the application's own.
func (t *telling) sessions() string {
	n := t.total().Loses()
	if n == 0 {
		return ""
	}
	return of(n, "person is", "persons are") + " logged out of Self-auth, of how many sessions nobody can tell; sessions of the application " +
		"go on until they expire."
}
