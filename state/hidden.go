package state

import (
	"fmt"
	"strings"
)

// Shielded is a table of which row level security would hide rows from our role.
type Shielded struct {
	Table    string   // with its schema, quoted where it must be
	Policies []string // sorted; none: no row at all is shown
	Owned    bool     // by the role: then it is FORCE that makes the policies hold for it
}

// text is the table with its policies.
func (t Shielded) text() string {
	if len(t.Policies) == 0 {
		return t.Table + " (without a policy)"
	}
	return fmt.Sprintf("%s (policy %s)", t.Table, strings.Join(t.Policies, ", "))
}

// wayOut is what the owner can do about it.
func (t Shielded) wayOut() string {
	if t.Owned {
		return "    ALTER TABLE " + t.Table + " NO FORCE ROW LEVEL SECURITY;"
	}
	return ""
}

// HiddenRows is the error of tables that hide rows from a role; nil where there are none.
func HiddenRows(role string, tables []Shielded) error {
	if len(tables) == 0 {
		return nil
	}
	what, forced := make([]string, len(tables)), ""
	for i, t := range tables {
		what[i] = t.text()
		forced += "\n" + t.wayOut()
	}
	bypass := fmt.Sprintf("\n\n    ALTER ROLE \"%s\" BYPASSRLS;\n\n", strings.ReplaceAll(role, `"`, `""`))
	if forced = strings.Trim(forced, "\n"); forced != "" {
		return hidden(strings.Join(what, ", "), role, bypass+"or, as the owner:\n\n"+forced)
	}
	return hidden(strings.Join(what, ", "), role, bypass+"or put the owner of the tables into DATABASE_URL.")
}

func hidden(tables, role, ways string) *Error {
	return &Error{
		Kind: ErrorDenied, Side: "Postgres", Doing: "look at the tables",
		Reason: fmt.Sprintf("row level security can hide rows of %s from role %s", tables, role),
		Cure:   "A row that cannot be seen would look as if it were gone, so nothing was concluded. As a superuser:" + ways,
	}
}

// RefusedHiding is the error of a query that Postgres refuses because row level security would hide rows from it; nil
// for any other. code is the SQLSTATE, routine the server's function that raised it, as the message is in the server's
// language.
func RefusedHiding(doing, code, routine, message string) error {
	if code != "42501" || routine != "check_enable_rls" {
		return nil
	}
	return &Error{
		Kind: ErrorDenied, Side: "Postgres", Doing: doing, Reason: message,
		Cure: "A row that cannot be seen would look as if it were gone. Give the role BYPASSRLS, or put the owner of the " +
			"table into DATABASE_URL; where row level security is forced on the owner, take that off (NO FORCE ROW LEVEL " +
			"SECURITY).",
	}
}
