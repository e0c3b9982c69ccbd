package planner

import (
	"slices"

	"anthill/internal/migration"
	"anthill/providers"
	"anthill/state"
)

// The application's own migrations add columns without looking whether they are there. Whoever applies first ends that, unless it
// is said in time: before a plan makes them, and as long as a file is still to be run that will stop at them.

// made are the things that steps of this plan make, and those that steps of ours have made and that are there.
func (in Input) made(steps []providers.SchemaStep) (list []providers.SchemaThing) {
	stand := in.State.SchemaSteps()
	for _, t := range in.Inspection.Things {
		_, ours := stand[t.Step]
		due := slices.ContainsFunc(steps, func(s providers.SchemaStep) bool { return s.Name == t.Step })
		if due || ours && t.There {
			list = append(list, t)
		}
	}
	return list
}

// ownMigrations says which of the application's migrations fail on what Anthill makes, or that some will where their files are
// not known.
func (in Input) ownMigrations(steps []providers.SchemaStep) (list []state.Finding) {
	made := in.made(steps)
	if len(made) == 0 {
		return nil
	}
	if in.Config.Schema != nil && in.Config.Schema.Folder != "" {
		list = in.failing(made)
	} else if f := in.mayFail(made); !f.IsZero() {
		list = []state.Finding{f}
	}
	if len(list) > 0 {
		list = append(list, in.unreadTables()...)
	}
	return list
}

// unreadTables are the tables of tools that say nothing, with what would help.
func (in Input) unreadTables() (list []state.Finding) {
	for _, t := range in.Inspection.Noted {
		if t.Unread.IsZero() {
			continue
		}
		f := t.Unread
		if t.Grant != "" {
			f.Args = append(slices.Clone(f.Args), state.List(state.KeyStatements, t.Grant))
		}
		list = append(list, f)
	}
	return list
}

// noting are the tables that note migrations of a folder: other applications may keep theirs beside them, and say nothing of its files.
func (in Input) noting(files []migration.File) (list []providers.MigrationTable) {
	for _, t := range in.Inspection.Noted {
		knows := func(f migration.File) bool { return t.Notes(f) }
		if slices.ContainsFunc(files, knows) {
			list = append(list, t)
		}
	}
	return list
}

// noted are the arguments of a finding that say where the migrations are noted, and how far they are: the first of the tables that note
// them, or the first that notes nothing.
func (in Input) noted(noting []providers.MigrationTable) (args []state.Arg) {
	if len(noting) == 0 {
		i := slices.IndexFunc(in.Inspection.Noted, func(t providers.MigrationTable) bool { return len(t.Applied) == 0 })
		if i < 0 {
			return nil
		}
		noting = in.Inspection.Noted[i:]
	}
	t := noting[0]
	args = append(args, state.Text(state.KeyTable, t.Name))
	if t.Tool != "" {
		args = append(args, state.Text(state.KeyName, t.Tool))
	}
	if t.Last() != "" {
		args = append(args, state.Text(state.KeyVersion, t.Last()))
	}
	return args
}

// failing says which files fail.
func (in Input) failing(made []providers.SchemaThing) (list []state.Finding) {
	folder := state.Text(state.KeyFrom, in.Config.Schema.Folder)
	var fails []state.Finding
	var unread, statements []string
	code := state.CodeFilesLater
	noting := in.noting(in.Config.Schema.Migrations)
	for _, f := range in.Config.Schema.Migrations {
		switch {
		case slices.ContainsFunc(noting, func(t providers.MigrationTable) bool { return t.Has(f) }):
			continue
		case f.Unread:
			unread = append(unread, f.Name)
			continue
		}
		var hits []providers.SchemaThing
		if hits, made = meets(f.Steps, made); len(hits) == 0 {
			continue
		}
		names := make([]string, len(hits))
		for i, t := range hits {
			names[i] = thingName(t.Thing)
			if t.There {
				code = state.CodeFilesStop
			}
		}
		fails = append(fails, state.Found(state.CodeFileFails, state.Text(state.KeyName, f.Name), state.List(state.KeyObjects, names...)))
		if s := in.notedAs(f); s != "" {
			statements = append(statements, s)
		}
	}
	if n := int64(len(fails)); n > 0 {
		f := state.Found(code, append(in.noted(noting), folder, state.Because(state.KeyWhy, fails...))...).Times(n)
		if code == state.CodeFilesStop && len(statements) == len(fails) {
			f.Args = append(f.Args, state.List(state.KeyStatements, statements...))
		}
		list = append(list, f)
	}
	if n := int64(len(unread)); n > 0 {
		list = append(list, state.Found(state.CodeFilesUnread, folder, state.List(state.KeyFiles, unread...)).Times(n))
	}
	return list
}

// notedAs is the statement by which the tool takes a file for one that it has run; "": Anthill knows none.
func (in Input) notedAs(f migration.File) string {
	for _, t := range in.Inspection.Noted {
		if t.Tool == "sqlx" && t.Unread.IsZero() {
			return f.Noted(t.Quoted)
		}
	}
	return ""
}

// meets goes through the steps of a file: what it makes that is there already, and what is there behind it.
func meets(steps []migration.Step, there []providers.SchemaThing) (hits, left []providers.SchemaThing) {
	left = there
	for _, s := range steps {
		if s.Drops {
			left = slices.DeleteFunc(slices.Clone(left), func(t providers.SchemaThing) bool { return takes(s, t) })
			continue
		}
		for _, t := range left {
			if s.Touches(t.Thing) && !slices.ContainsFunc(hits, func(h providers.SchemaThing) bool { return h.Thing == t.Thing }) {
				hits = append(hits, t)
			}
		}
	}
	return hits, left
}

// takes reports whether a thing goes with what a step takes away: an index, or a check, goes with its columns.
func takes(s migration.Step, t providers.SchemaThing) bool {
	return s.Touches(t.Thing) || slices.ContainsFunc(t.Of, func(column string) bool {
		return s.Touches(migration.Thing{Kind: migration.Column, Schema: t.Schema, Table: t.Table, Name: column})
	})
}

// thingName is a thing as people read it.
func thingName(t migration.Thing) string {
	if t.Kind == migration.Column {
		return t.Table + "." + t.Name
	}
	return t.Name
}

// mayFail says that a tool keeps migrations whose files are not known: those that make the same columns fail. Once the columns are
// there it is said where it is known that such a file was not run; zero: there is nothing to say.
func (in Input) mayFail(made []providers.SchemaThing) (f state.Finding) {
	if len(in.Inspection.Noted) == 0 {
		return f
	}
	code, due := state.CodeToolLater, false
	var columns, steps, files []string
	for _, t := range made {
		if t.There {
			code = state.CodeToolStops
		}
		due = due || !t.There
		if t.Kind == migration.Column {
			columns, steps = append(columns, thingName(t.Thing)), append(steps, t.Step)
		}
	}
	first := in.Inspection.Noted[0]
	shipped := first.Tool == "sqlx" && first.Unread.IsZero()
	for _, m := range in.Inspection.Shipped {
		makes := slices.ContainsFunc(m.Steps, func(s string) bool { return slices.Contains(steps, s) })
		if shipped && makes && !first.Has(migration.File{Keys: []string{migration.Key(m.Version)}}) {
			files = append(files, m.Version+"_"+m.Name+".sql")
		}
	}
	switch {
	case len(columns) == 0, shipped && len(files) == 0, !shipped && !due:
		return f
	}
	args := append(in.noted(in.Inspection.Noted), state.List(state.KeyColumns, columns...))
	if shipped {
		args = append(args, state.List(state.KeyFiles, files...))
	}
	return state.Found(code, args...)
}

// extras says what the application's own migrations make besides, where the schema is of Anthill: where this plan makes it, and as long
// as something is missing.
func (in Input) extras(steps []providers.SchemaStep) []state.Finding {
	columns := []string{providers.SchemaUserColumns, providers.SchemaSessionColumns}
	due := slices.ContainsFunc(steps, func(s providers.SchemaStep) bool { return slices.Contains(columns, s.Name) })
	stand := in.State.SchemaSteps()
	ours := slices.ContainsFunc(columns, func(c string) bool { return stand[c].Settled && !stand[c].Back })
	if len(in.Inspection.Extras) == 0 || !due && !ours {
		return nil
	}
	var objects, comments, statements []string
	for _, x := range in.Inspection.Extras {
		if x.Kind == "comment" {
			comments = append(comments, x.Name)
		} else {
			objects = append(objects, x.Name)
		}
		statements = append(statements, x.Statements...)
	}
	code := state.CodeExtrasMissing
	if due {
		code = state.CodeExtras
	}
	return []state.Finding{state.Found(code, state.List(state.KeyObjects, objects...), state.List(state.KeyColumns, comments...),
		state.List(state.KeyStatements, statements...))}
}
