package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"anthill/state"
)

// RightsOf are what roles of the database need: a script is made of it.
type RightsOf struct {
	Offline           bool
	Database          string
	Roles             []RoleRights
	Unmade            []string
	NoState, Outdated bool
	Triggers          []string // as text: table, name and function of each
}

// RoleRights are what one role needs for its work.
type RoleRights struct {
	For, Role        string
	There            bool
	Rights, Optional []state.Right
}

// workWords say what a role for some work can do.
var workWords = map[string]string{
	"plan":    "plan, show, diff, status, wave list, export. It changes nothing.",
	"apply":   "apply, rollback, invite, wave, state forget, import with apply, and all that plan does; but no step of the schema.",
	"schema":  "all that apply does, and steps of the schema: those of the first plan, and rollback -schema.",
	"support": "explain, and invite -user, also with -print. It moves nobody.",
}

// statements are what a role is given, in the order in which they are run.
func (r RoleRights) statements() (list []string) {
	if !r.There {
		list = append(list, "CREATE ROLE "+state.QuoteName(r.Role)+" LOGIN;")
	}
	return append(list, state.Grants(r.Role, r.Rights)...)
}

// notes are what else is to be known of a role's rights.
func (r RoleRights) notes(of RightsOf) (list []string) {
	records := r.For == "apply" || r.For == "schema"
	list = append(list, "Of password_hash the server itself looks whether it is there and has the form of a hash; no value of it is read.")
	if !r.There {
		list = append(list, "The role has no password yet: \\password "+state.QuoteName(r.Role)+", or let it in by another way.")
	}
	if of.Offline {
		list = append(list, "No database was asked. Names without a schema are found by the search path of psql; columns that are not there yet, "+
			"and the recorded state before the first apply, make their statements fail: set DATABASE_URL to have only what is there.")
	}
	if len(of.Unmade) > 0 && r.For != "schema" {
		list = append(list, "The first plan makes these columns: "+strings.Join(of.Unmade, ", ")+". It needs a role for schema; print this again when "+
			"they are there.")
	}
	if of.NoState && !records {
		list = append(list, "Nothing is recorded yet. The first apply makes the state: print this again then.")
	}
	if of.Outdated && records {
		list = append(list, "What is recorded is of an earlier version: the next command that writes brings its tables to this one, which only their "+
			"owner may.")
	}
	if records && len(of.Triggers) > 0 {
		list = append(list, "These triggers run with the rights of this role, and may need more than is granted here: "+strings.Join(of.Triggers, "; ")+".")
	}
	return list
}

// optional are statements that a role can do without.
func (r RoleRights) optional() []string { return state.Grants(r.Role, r.Optional) }

// Rights writes a script for psql.
func Rights(w io.Writer, of RightsOf) error {
	out := &strings.Builder{}
	in := ""
	if of.Database != "" {
		in = " in database " + state.QuoteName(of.Database)
	}
	fmt.Fprintf(out, "-- Rights%s, for psql: to be run as the owner of the tables, or as a superuser. What is granted already stays so.\n", in)
	for _, r := range of.Roles {
		fmt.Fprintf(out, "\n%s", comment("Role "+r.Role+" for "+r.For+": "+workWords[r.For]))
		for _, note := range r.notes(of) {
			out.WriteString(comment(note))
		}
		for _, s := range r.statements() {
			fmt.Fprintln(out, s)
		}
		if list := r.optional(); len(list) > 0 {
			fmt.Fprintf(out, "-- For letters in the language and the time zone of each user; without it they are in those of all:\n%s\n",
				strings.Join(list, "\n"))
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// comment is a text in SQL that nothing in it can end.
func comment(text string) string {
	var b strings.Builder
	for _, line := range wrap(Escape(text), 116) {
		b.WriteString("-- " + line + "\n")
	}
	return b.String()
}

// RightsJSON writes the same for programs.
func RightsJSON(w io.Writer, of RightsOf) error {
	type role struct {
		For        string   `json:"for"`
		Role       string   `json:"role"`
		Exists     bool     `json:"exists"`
		Statements []string `json:"statements"`
		Optional   []string `json:"optional"`
		Notes      []string `json:"notes"`
	}
	list := make([]role, len(of.Roles))
	for i, r := range of.Roles {
		list[i] = role{r.For, r.Role, r.There, r.statements(), append([]string{}, r.optional()...), append([]string{}, r.notes(of)...)}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(struct {
		FormatVersion string `json:"format_version"`
		Database      string `json:"database"`
		Roles         []role `json:"roles"`
	}{"1", of.Database, list})
}
