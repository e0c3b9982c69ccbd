package planner

import (
	"math"
	"slices"

	"anthill/planner/plan"
	"anthill/state"
)

// cost estimates calls to Self-auth, what its writes take, and transactions on Postgres, for the reader. persons are
// those in the directory, runs the recorded ones, oldest first. The figures are those of a real server on two cores (docs/selfauth.md).
func cost(e *plan.Effects, figures []plan.TenantFigures, persons int, runs []state.RunInfo) (c plan.Cost) {
	const batch, asked = 500, 8
	for _, o := range e.Objects {
		c.Calls += 1 + int64(len(o.Will[state.AttrScopeMaps].Grants()))
		c.Transactions += 2
	}
	var create, users, revive, raised int64
	for _, t := range figures {
		f := t.Figures
		users += f[plan.FigureUsers]
		raised += f[plan.FigureRaised]
		create += f[plan.FigureOf(state.PersonCreate)]
		revive += f[plan.FigureOf(state.PersonRevive)]
		for _, n := range []int64{f[plan.FigureJoin], f[plan.FigureLeave]} {
			// One call for the members' group of a tenant, and one for its admins' group.
			if n > 0 {
				c.Calls += 1 + min(f[plan.FigureAdmins], 1)
			}
		}
		c.Calls += f["mail"] + f["release"] + f[plan.FigureOf(state.PersonRevive)] // one by one
	}
	batches := (users + batch - 1) / batch
	if !e.PostgresOnly() {
		c.Calls += batches
	}
	// Whether they can log in is asked of a few persons at a time, and which clients let them in once a batch.
	c.Calls += (raised+asked-1)/asked + (raised+batch-1)/batch
	c.Transactions += 2*batches + int64(len(e.Schema)+len(e.SchemaBack()))
	// A person takes half a millisecond to create, and a quarter of a microsecond more for each that is there already.
	seconds := float64(create)*(0.0005+0.00000025*(float64(persons)+float64(create)/2)) + 0.15*float64(revive)
	c.WriteSeconds = math.Round(seconds*10) / 10
	measured(&c, e.Kind, runs, users)
	return c
}

// fewToMeasure is how many users a run must have done for its rate to say something, and slowest the least rate that does:
// a run that was slower lay stopped for a while, which nobody has recorded.
const (
	fewToMeasure = 100
	slowest      = 10 // users a second
	measures     = 3  // runs
)

// measured fills in how long users take at the rate of the quickest of the last few runs of a kind.
func measured(c *plan.Cost, kind state.RunKind, runs []state.RunInfo, users int64) {
	best, seen := 0.0, 0
	for _, r := range slices.Backward(runs) {
		took := r.Ended.Sub(r.Started).Seconds()
		if r.Kind != kind || r.Open || r.Counts.Done < fewToMeasure || took <= 0 || users == 0 {
			continue
		}
		if rate := float64(r.Counts.Done) / took; rate >= slowest && rate > best {
			best, c.Run = rate, r.ID
		}
		if seen++; seen == measures {
			break
		}
	}
	if best > 0 {
		c.Rate, c.Seconds = math.Round(10*best)/10, math.Round(10*float64(users)/best)/10
	}
}
