package planner

import (
	"math"

	"anthill/planner/plan"
	"anthill/state"
)

// cost estimates calls to Self-auth, what its writes take, and transactions on Postgres, for the reader. persons are
// those in the directory. The figures are those of a real server on two cores (docs/selfauth.md).
func cost(e *plan.Effects, figures []plan.TenantFigures, persons int) (c plan.Cost) {
	const batch = 500
	for _, o := range e.Objects {
		c.Calls += 1 + int64(len(o.Will[state.AttrScopeMaps].Grants()))
		c.Transactions += 2
	}
	var create, users, revive int64
	for _, t := range figures {
		f := t.Figures
		users += f[plan.FigureUsers]
		create += f[plan.FigureOf(state.PersonCreate)]
		revive += f[plan.FigureOf(state.PersonRevive)]
		for _, n := range []int64{f[plan.FigureJoin], f[plan.FigureLeave]} {
			// One call for the members' group of a tenant, and one for its admins' group.
			if n > 0 {
				c.Calls += 1 + min(f[plan.FigureAdmins], 1)
			}
		}
		c.Calls += f["mail"] + f[plan.FigureOf(state.PersonRevive)] // one by one
	}
	batches := (users + batch - 1) / batch
	c.Calls += batches
	c.Transactions += 2*batches + int64(len(e.Schema))
	// A person takes half a millisecond to create, and a quarter of a microsecond more for each that is there already.
	seconds := float64(create)*(0.0005+0.00000025*(float64(persons)+float64(create)/2)) + 0.15*float64(revive)
	c.WriteSeconds = math.Round(seconds*10) / 10
	return c
}
