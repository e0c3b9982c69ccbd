package report

import (
	"strings"

	"anthill/state"
)

// schemaBack says what taking steps of the schema back does, and what keeps them; "" for other codes.
func (v *voice) schemaBack(f state.Finding) string {
	n := f.Count
	text := func(k state.Key) string { return v.escape(f.Text(k)) }
	list := func(k state.Key) []string { return v.fewNames(f.Arg(k).List) }
	switch f.Code {
	case state.CodeColumnsGo:
		s := "columns " + strings.Join(list(state.KeyColumns), ", ") + plural(int64(len(f.Arg(state.KeyColumns).List)), " goes",
			" go") + "; what they hold is kept in the archive"
		if more := list(state.KeyRequired); len(more) > 0 {
			s += "; " + required(more)
		}
		return s
	case state.CodeColumnsRequired:
		return required(list(state.KeyColumns))
	case state.CodeIndexGoes:
		return "index " + text(state.KeyIndex) + " goes"
	case state.CodeCheckGoes:
		return "check of the three values of " + text(state.KeyColumn) + " goes"
	case state.CodeColumnGoes:
		return text(state.KeyColumn) + " (" + of(n, "value", "values") + ")"
	case state.CodeColumnsDropped:
		return "columns go, and whatever of the application uses them fails from then on: " +
			v.sayAll(f.Arg(state.KeyWhy).Findings, ", ")
	case state.CodeUsersNeed:
		return of(n, "row", "rows") + " of " + text(state.KeyTable) + plural(n, " is", " are") + " linked, " +
			plural(n, "has", "have") + " another method than the password, or no password" +
			some(n, f.Arg(state.KeyRows).List, list(state.KeyRows))
	case state.CodeSessionsNeed:
		return of(n, "row", "rows") + " of " + text(state.KeyTable) + plural(n, " is a session", " are sessions") +
			" of Self-auth, or without the hash of a token" + some(n, f.Arg(state.KeyRows).List, list(state.KeyRows))
	case state.CodeColumnsUsed:
		return "in the database these use the columns: " + strings.Join(list(state.KeyObjects), ", ")
	case state.CodeValuesBack:
		return "what the columns held when run " + text(state.KeyRun) + " took them back comes back, as far as the rows are there"
	}
	return ""
}

// some lists rows in words, or the first of them.
func some(n int64, all, words []string) string {
	if len(words) == 0 {
		return ""
	}
	s := ": "
	if int64(len(all)) < n {
		s = ", among them "
	}
	return s + strings.Join(words, ", ")
}

func required(columns []string) string {
	return strings.Join(columns, " and ") + plural(int64(len(columns)), " must hold a value again", " must hold values again")
}

// SchemaNeeded says why steps of the schema cannot be taken back, and what to do.
func SchemaNeeded(why []state.Finding) string {
	v := newPage(nil, Options{}).voice()
	lines := make([]string, len(why))
	for i, f := range why {
		lines[i] = "  " + v.say(f)
	}
	return "the schema is needed:\n" + strings.Join(lines, "\n") + "\nNothing of this rollback was begun. Take these users back first, or " +
		"change what uses the columns; without the schema:\n\n    anthill rollback"
}
