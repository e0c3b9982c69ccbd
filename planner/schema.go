package planner

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/providers"
	"anthill/state"
)

// stands are the steps of the schema that runs of ours have made, or have begun to make or to take back, in the order in
// which they would be taken back. Steps that the application had before us are never among them.
func (in Input) stands() (list []state.SchemaRecord) {
	recorded := in.State.SchemaSteps()
	for _, step := range providers.SchemaBack() {
		if r, there := recorded[step]; there {
			list = append(list, r)
		}
	}
	return list
}

// schemaBegun reports whether a schema that is halfway may be of a run of ours.
func (in Input) schemaBegun() bool { return len(in.stands()) > 0 }

// gone says what the application has taken away that moving users needs, and what can be done still.
func (in Input) gone() hcl.Diagnostics {
	i := in.Inspection
	if len(i.Gone) == 0 {
		return nil
	}
	about, summary, gone := config.About{}, "Columns are gone", strings.Join(i.Gone, "\n  ")
	if len(i.Wanting) == 0 {
		return hcl.Diagnostics{config.Problem(about, summary, "Anthill has worked with this database before, and since then somebody has "+
			"taken away:\n  %s\nNo user can be moved without it, and no row is written. The persons, groups and clients in Self-auth are "+
			"there still, and what is recorded of them stays. To take them back, expired or deleted, as far as their users have another "+
			"way in:\n\n    anthill rollback\n    anthill rollback -delete-persons\n\nNothing has been changed.", gone)}
	}
	return hcl.Diagnostics{config.Problem(about, summary, "Anthill has worked with this database before, and since then somebody has "+
		"taken away:\n  %s\nNo user can be moved without it, and no row is written. The persons, groups and clients in Self-auth are "+
		"there still, and what is recorded of them stays. To take them back, expired or deleted, as far as their users have another "+
		"way in:\n\n    anthill rollback\n    anthill rollback -delete-persons\n\nTo go on instead, make again what is gone, and plan again. "+
		"The links of rows are not in it: they are in backups, and in the persons' ids as recorded.\n\n    %s\n\nNothing has been changed.",
		gone, strings.Join(i.Wanting, "\n    "))}
}

// halfMade says what of the dual schema somebody else has made, what is missing and what is otherwise, and how it is finished.
func (in Input) halfMade() hcl.Diagnostics {
	i := in.Inspection
	var missing, otherwise []string
	for _, p := range i.Lacks {
		switch {
		case p.Live == "":
			missing = append(missing, p.Made)
		case !p.Stays || strings.HasPrefix(p.Step, "index."):
			otherwise = append(otherwise, p.Live+", instead of "+p.Made)
		}
	}
	parts := ""
	for _, l := range []struct {
		head string
		list []string
	}{{"There already", i.Present}, {"Missing", missing}, {"Different", otherwise}} {
		if len(l.list) > 0 {
			parts += "\n" + l.head + ":\n  " + strings.Join(l.list, "\n  ")
		}
	}
	about, cure := config.About{Address: "schema"}, strings.Join(i.Cure, "\n    ")
	if len(i.Remaining) == 0 {
		return hcl.Diagnostics{config.Problem(about, "Half-made schema", "The database is neither at the baseline nor at the dual schema, and "+
			"no run of Anthill is known to have begun it.%s\nThe application's own migrations would stop at what is there already. By hand, as "+
			"the owner of the tables, each statement by itself and in no transaction:\n\n    %s\n\nThen plan again. Nothing has been changed.",
			parts, cure)}
	}
	return hcl.Diagnostics{config.Problem(about, "Half-made schema", "The database is neither at the baseline nor at the dual schema, and "+
		"no run of Anthill is known to have begun it.%s\nThe application's own migrations make the rest:\n  %s\nor, by hand, as the owner of "+
		"the tables, each statement by itself and in no transaction:\n\n    %s\n\nThen plan again. Nothing has been changed.",
		parts, strings.Join(i.Remaining, "\n  "), cure)}
}

// due are the steps that the schema needs to be as it is declared. What the application has without an index is dual as
// well: one that is missing is made where a run of ours has made it before. The back-fill is not done again where it is
// through and the column of methods is still the one that it has filled: whatever method a row has by now was written since.
func (in Input) due() []providers.SchemaStep {
	made := map[string]bool{}
	for _, r := range in.State.Schema {
		made[r.Step] = true
	}
	return slices.DeleteFunc(slices.Clone(in.Inspection.Steps), func(s providers.SchemaStep) bool {
		return in.Inspection.Level == providers.LevelDual && !made[s.Name] ||
			s.Name == providers.SchemaFilled && in.filled() && !in.Inspection.Bare
	})
}

// filled reports whether the back-fill is through since the columns of users were made last.
func (in Input) filled() (through bool) {
	for _, r := range in.State.Schema {
		switch r.Step {
		case providers.SchemaUserColumns:
			through = false
		case providers.SchemaFilled:
			through = r.Settled
		}
	}
	return through
}

// drifted are the parts of what steps of ours have made that are gone, or otherwise by now.
func (in Input) drifted() (list []state.Finding) {
	stand := in.State.SchemaSteps()
	for _, p := range in.Inspection.Lacks {
		if r := stand[p.Step]; !r.Settled || r.Back {
			continue
		}
		about, wrote := state.Of(state.SchemaAddress(p.Step)), state.Text(state.KeyWrote, p.Made)
		if p.Live == "" {
			list = append(list, state.About(state.CodeDriftPartGone, about, wrote))
		} else {
			list = append(list, state.About(state.CodeDriftPart, about, wrote, state.Text(state.KeyLive, p.Live)))
		}
	}
	return list
}

// valuesBack says that making the columns brings back what they held when a run took them back.
func (in Input) valuesBack(steps []providers.SchemaStep) []state.Finding {
	makes := func(step string) bool {
		return slices.ContainsFunc(steps, func(s providers.SchemaStep) bool { return s.Name == step })
	}
	for _, r := range slices.Backward(in.State.Schema) {
		if r.Step == providers.SchemaUserColumns && makes(r.Step) {
			if r.Back {
				return []state.Finding{state.Found(state.CodeValuesBack, state.Text(state.KeyRun, r.Run))}
			}
			break
		}
	}
	return nil
}

// schemaBack is what a rollback does to the schema: it takes steps back or, where it undoes a rollback that has done so,
// makes them again.
type schemaBack struct {
	back plan.SchemaBack
	use  providers.SchemaUse
	rows providers.SchemaReader // nil: steps are made again
	make []providers.SchemaStep
}

// schemaBack finds what becomes of the schema when runs are taken back; nil: it stays as it is.
func (in UndoInput) schemaBack(ctx context.Context, runs chosen) (*schemaBack, hcl.Diagnostics, error) {
	if !in.whole() || in.PostgresOnly {
		return nil, nil, nil
	}
	made, gone := map[string]bool{}, false
	for _, r := range in.State.Schema {
		if runs.seeds[r.Run] {
			made[r.Step] = made[r.Step] || !r.Back
			gone = gone || r.Back
		}
	}
	stands := in.stands()
	switch steps := in.due(); {
	case gone && len(steps) > 0 && (in.schemaBegun() || in.Inspection.Level == providers.LevelBaseline):
		return &schemaBack{make: steps}, nil, nil
	case gone || !in.Schema:
		return nil, nil, nil
	}
	switch {
	case slices.ContainsFunc(stands, func(r state.SchemaRecord) bool { return made[r.Step] }):
	case len(made) > 0: // all of it is taken back already
		return nil, nil, nil
	default:
		return nil, in.nothingMade(runs, stands), nil
	}
	// A run makes only what is missing of the schema, and with what others have made before it is one: half of it is of no
	// use to anybody.
	b := &schemaBack{}
	for _, r := range stands {
		b.back.Steps = append(b.back.Steps, r.Step)
	}
	b.back.Since = in.columnsSince()
	var err error
	b.rows = in.Database.(providers.SchemaReader)
	b.use, err = b.rows.SchemaUse(ctx)
	return b, nil, err
}

// columnsSince is when a run of ours began to make the columns of users that stand. One that has made some of them again,
// which others had dropped, was not the first.
func (in Input) columnsSince() (since time.Time) {
	for _, r := range in.State.Schema {
		switch {
		case r.Step != providers.SchemaUserColumns:
		case r.Back && r.Settled:
			since = time.Time{}
		case !r.Back && since.IsZero():
			since = in.startOf(r.Run)
		}
	}
	return since
}

// startOf is when a run began.
func (in Input) startOf(run string) time.Time {
	i := slices.IndexFunc(in.State.Runs, func(r state.RunInfo) bool { return r.ID == run })
	if i < 0 {
		return time.Time{}
	}
	return in.State.Runs[i].Started.UTC()
}

// nothingMade says that runs have made no step of the schema that stands, and which have.
func (in UndoInput) nothingMade(runs chosen, stands []state.SchemaRecord) hcl.Diagnostics {
	var others []string
	for _, r := range in.State.Schema {
		if !r.Back && !slices.Contains(others, r.Run) &&
			slices.ContainsFunc(stands, func(s state.SchemaRecord) bool { return s.Step == r.Step }) {
			others = append(others, r.Run)
		}
	}
	if len(others) == 0 {
		return hcl.Diagnostics{config.Problem(config.About{}, "No step of the schema to take back",
			"No step of the schema stands that Anthill has made: "+
				"what the application had before is never taken back. Nothing has been changed. Without the schema:\n\n"+
				"    anthill rollback")}
	}
	return hcl.Diagnostics{config.Problem(config.About{}, "No step of the schema to take back",
		"The schema was changed by run %s, and what would be "+
			"taken back is run %s. Nothing has been changed. Take back this one without -schema first, or what the other did as "+
			"well:\n\n    anthill rollback -run %s -schema", others[len(others)-1], strings.Join(runs.runs, ", "),
		others[len(others)-1])}
}

// weigh says how users are counted who need the columns; nil: they are not.
func (b *schemaBack) weigh() *users.Weigh {
	if b == nil || b.rows == nil {
		return nil
	}
	columns := slices.ContainsFunc(b.use.Columns, func(c providers.SchemaColumn) bool {
		return strings.HasPrefix(c.Key, "users.")
	})
	return &users.Weigh{Rows: b.rows.UserRows, Since: b.back.Since, Columns: columns}
}

// needed is the error of a schema that something still needs once the users are taken back; nil: it can go.
func (b *schemaBack) needed(w users.Weighed) error {
	if b == nil || b.rows == nil {
		return nil
	}
	w.Needing.Table = b.use.Users.Table
	b.use.Users = w.Needing
	if why := b.use.Needed(); len(why) > 0 {
		return &providers.SchemaNeededError{Why: why}
	}
	for i, c := range b.use.Columns {
		if strings.HasPrefix(c.Key, "users.") {
			b.use.Columns[i].Values = w.Values[c.Key]
		}
	}
	return nil
}

// effects adds what is done to the schema, and the hazard of the columns that go: the application may use them, whatever
// they hold.
func (b *schemaBack) effects(e *plan.Effects) {
	switch {
	case b == nil:
	case b.rows == nil:
		for _, s := range b.make {
			e.Schema = append(e.Schema, s.Name)
		}
	default:
		e.Undo.Schema = &b.back
		var n int64
		var columns []state.Finding
		for _, c := range b.use.Columns {
			table, _, _ := strings.Cut(c.Key, ".")
			if !slices.Contains(b.back.Steps, table+".columns") {
				continue
			}
			n += 1 + c.Values
			columns = append(columns, state.Found(state.CodeColumnGoes, state.Text(state.KeyColumn, c.Name)).Times(c.Values))
		}
		if n > 0 {
			e.Raise(plan.DeletesData, n, state.Found(state.CodeColumnsDropped, state.Because(state.KeyWhy, columns...)).Times(n))
		}
	}
}

// says is what each step does.
func (b *schemaBack) says() (list []state.Finding) {
	for _, s := range b.make {
		list = append(list, s.Does)
	}
	for _, name := range b.back.Steps {
		i := slices.IndexFunc(b.use.Steps, func(s providers.SchemaStep) bool { return s.Name == name })
		list = append(list, b.use.Steps[i].Does)
	}
	return list
}
