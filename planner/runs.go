package planner

import (
	"slices"

	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/state"
)

// chosen are the runs that a rollback undoes.
type chosen struct {
	seeds   map[string]bool // runs that a user must have a record of to be taken back
	kind    state.RunKind   // of the seeds
	from    []string        // runs whose records are folded: the first seed and all later ones, oldest first
	runs    []string        // the seeds, oldest first
	whole   []string        // of these, the ones wholly undone
	again   []string        // runs that stand again, as a rollback of them is undone
	lift    []string        // rollbacks whose pauses go
	retry   bool            // the seeds are undone already; what could not be taken back then is tried again
	changed bool            // the seeds have changed something, be it that waves are paused
}

// chooseRuns finds the runs to undo and the later ones whose records must be folded with them.
func chooseRuns(in UndoInput) (c chosen, diags hcl.Diagnostics) {
	runs := in.State.Runs
	c.seeds = map[string]bool{}
	switch {
	case len(in.Runs) > 0:
		c.retry = true // what could not be taken back then, unless one of them stands
		for _, id := range in.Runs {
			i := slices.IndexFunc(runs, func(r state.RunInfo) bool { return r.ID == id })
			if i < 0 {
				return c, hcl.Diagnostics{config.Problem(config.About{}, "No such run",
					"There is no run %q. The runs are listed by:\n\n    anthill status", id)}
			}
			if runs[i].Kind == state.RunInvite {
				return c, hcl.Diagnostics{config.Problem(config.About{}, "Mails cannot be taken back",
					"Run %s has sent mails, and nothing else: there is nothing that a rollback could take back. What moved its users is "+
						"taken back by rollbacks of the runs that did.", id)}
			}
			if runs[i].Kind == state.RunRetarget {
				return c, hcl.Diagnostics{config.Problem(config.About{}, "The way back is another one",
					"Run %s has bound what is recorded to another target, and nothing else. With the settings of before, this binds it back:\n\n"+
						"    anthill state retarget", id)}
			}
			if runs[i].Undone && runs[i].Kind == state.RunRollback && in.whole() {
				// The runs that it took back stand again.
				return chosen{}, nil
			}
			c.retry = c.retry && runs[i].Undone
			c.seeds[id] = true
		}
	case in.whole() && !in.PostgresOnly:
		c.latest(runs)
		if in.Schema && len(c.seeds) == 0 {
			// All of them are taken back already, and the schema was left.
			c.retry = true
			for _, r := range in.stands() {
				c.seeds[r.Run] = true
			}
		}
	default:
		// Narrowed to waves or tenants, it takes their users back whichever runs moved them. So does one of Postgres alone: it is
		// a server that is away, and not a run, that everybody is to be independent of.
		for _, r := range runs {
			if r.Kind == state.RunApply && (r.Changed || r.Counts.Failed > 0) && !r.Undone {
				c.seeds[r.ID] = true
			}
		}
	}
	c.follow(in.State, in.whole())
	return c, nil
}

// latest seeds the latest run that stands, and with it later runs whose rollback has left something.
func (c *chosen) latest(runs []state.RunInfo) {
	// Runs whose rollback could not take everything back stand still. They come first, and are retried on the way to the
	// latest run that no rollback has touched.
	c.retry = true
	for i := len(runs) - 1; i >= 0 && c.retry; i-- {
		if r := runs[i]; r.Kind == state.RunApply && (r.Changed || r.Open) && !r.Undone {
			c.seeds[r.ID] = true
			c.retry = slices.ContainsFunc(runs[i:], func(back state.RunInfo) bool {
				return back.Kind == state.RunRollback && !back.Undone && slices.Contains(back.Undoes, r.ID)
			})
		}
	}
}

// follow fills in what follows from the seeds.
func (c *chosen) follow(st *state.State, whole bool) {
	if len(c.seeds) == 0 {
		return
	}
	runs := st.Runs
	for _, r := range runs {
		seed := c.seeds[r.ID]
		if seed {
			c.runs, c.kind = append(c.runs, r.ID), r.Kind
			c.changed = c.changed || r.Changed || r.Open ||
				slices.ContainsFunc(st.Pauses, func(p state.Pause) bool { return p.Run == r.ID })
		}
		if len(c.runs) > 0 {
			c.from = append(c.from, r.ID)
		}
		if seed && r.Kind == state.RunRollback {
			c.again = append(c.again, standAgain(runs, r)...)
		}
		if seed && whole {
			c.whole = append(c.whole, r.ID)
			if r.Kind == state.RunRollback {
				c.lift = append(c.lift, r.ID)
			}
		}
	}
}

// standAgain are the runs that a rollback had undone as a whole.
func standAgain(runs []state.RunInfo, back state.RunInfo) (again []string) {
	for _, r := range runs {
		if r.Undone && slices.Contains(back.Undoes, r.ID) {
			again = append(again, r.ID)
		}
	}
	return again
}
