package report

import (
	"strings"

	"anthill/state"
)

// ownMigrations says what becomes of the application's own migrations.
func (v *voice) ownMigrations(f state.Finding) string {
	n := f.Count
	text := func(k state.Key) string { return v.escape(f.Text(k)) }
	names := func(k state.Key) string { return v.names(f.Arg(k).List) }
	const first = "Run the application's own migrations first and plan again: they make the same"
	switch f.Code {
	case state.CodeToolLater:
		return v.keeps(f) + ": once this plan is carried out, a later one fails that adds " + names(state.KeyColumns) +
			" without IF NOT EXISTS" + v.asShipped(f) + ". " + first +
			`. With migrations = "FOLDER" in the schema block a plan names the files`
	case state.CodeToolStops:
		return v.keeps(f) + ": a later one fails that adds " + names(state.KeyColumns) + " without IF NOT EXISTS" + v.asShipped(f) +
			", as Anthill has made " + plural(int64(len(f.Arg(state.KeyColumns).List)), "it", "them") +
			". Note it there as run, or write IF NOT EXISTS into it. " +
			`With migrations = "FOLDER" in the schema block a plan names the files, and for sqlx the statements`
	case state.CodeFilesLater:
		return of(n, "migration", "migrations") + " of the application in " + text(state.KeyFrom) + plural(n, " fails", " fail") +
			" once this plan is carried out, as " + plural(n, "it makes", "they make") + " what is there then: " +
			v.sayAll(f.Arg(state.KeyWhy).Findings, "; ") + " (" + v.notedIn(f) + "). " + first
	case state.CodeFilesStop:
		return of(n, "migration", "migrations") + " of the application in " + text(state.KeyFrom) + plural(n, " fails", " fail") + ", as " +
			plural(n, "it makes", "they make") + " what Anthill has made: " + v.sayAll(f.Arg(state.KeyWhy).Findings, "; ") +
			" (" + v.notedIn(f) + "). Note " + plural(n, "it", "them") + " there as run, with what else " + plural(n, "it does", "they do") +
			" done by hand, or write IF NOT EXISTS into " + plural(n, "it", "them")
	case state.CodeExtras:
		return "the application's own migrations also make " + v.extras(f) + ". Anthill does not, and needs none of it. To have it, run as the owner of the " +
			"tables, once the schema is made"
	case state.CodeExtrasMissing:
		return "what the application's own migrations make besides is missing still: " + v.extras(f) + ". Anthill needs none of it; " +
			v.inline("plan", "-json") + " has the statements"
	case state.CodeFileFails:
		return text(state.KeyName) + " (" + names(state.KeyObjects) + ")"
	case state.CodeFilesUnread:
		return of(n, "file", "files") + " in " + text(state.KeyFrom) + plural(n, " is", " are") +
			" too long, or no SQL, so nobody knows whether " + plural(n, "it fails", "they fail") + " on what Anthill makes: " + names(state.KeyFiles)
	case state.CodeTableUnread:
		all := ": all migrations that it would have count as not run"
		if f.Text(state.KeyRole) != "" {
			return "role " + text(state.KeyRole) + " may not read " + text(state.KeyTable) + all
		}
		return text(state.KeyTable) + " cannot be read (" + text(state.KeySaid) + ")" + all
	}
	return v.escape(string(f.Code))
}

// extras names what is made besides.
func (v *voice) extras(f state.Finding) string {
	objects := v.fewNames(f.Arg(state.KeyObjects).List)
	if n := int64(len(f.Arg(state.KeyColumns).List)); n > 0 {
		objects = append(objects, of(n, "comment of a column", "comments of columns"))
	}
	return strings.Join(objects, ", ")
}

// keeps says where the application's migrations are noted.
func (v *voice) keeps(f state.Finding) string {
	s := "the application's migrations are noted in " + v.escape(f.Text(state.KeyTable)) + enclosed(" (by ", v.escape(f.Text(state.KeyName)))
	if last := f.Text(state.KeyVersion); last != "" {
		s += ", the last is " + v.escape(last)
	}
	return s
}

// notedIn says how far the application's migrations are.
func (v *voice) notedIn(f state.Finding) string {
	table, last := v.escape(f.Text(state.KeyTable)), v.escape(f.Text(state.KeyVersion))
	switch {
	case table == "":
		return "no table was found in which a tool notes them, so all count as not run"
	case last == "":
		return table + " notes none as run"
	}
	return "the last in " + table + " is " + last
}

// asShipped names the files that make the columns where the application is as it was shipped.
func (v *voice) asShipped(f state.Finding) string {
	return enclosed(" (as shipped: ", strings.Join(v.fewNames(f.Arg(state.KeyFiles).List), ", "))
}

const (
	pasteTitle    = "SQL to paste"
	mostStatement = 4000 // characters
)

// statements are what a finding gives to be pasted, each on a line of its own. What every plan says again is in JSON alone.
func statements(f state.Finding) []string {
	if f.Code == state.CodeExtrasMissing {
		return nil
	}
	return f.Arg(state.KeyStatements).List
}

// toPaste are those of all remarks.
func (t *telling) toPaste() (all []string) {
	for _, r := range t.remarks() {
		for _, f := range r.list {
			all = append(all, statements(f)...)
		}
	}
	return all
}
