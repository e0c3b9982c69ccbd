package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// TestQuotedNames: every word that this server does not take as a name, and every odd name, is the same name once it is quoted.
func TestQuotedNames(t *testing.T) {
	t.Parallel()
	c, err := pgx.Connect(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(t.Context()) })
	rows, err := c.Query(t.Context(), "select word from pg_get_keywords() where catcode <> 'U'")
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) < 100 {
		t.Fatal(len(names), err)
	}
	for _, name := range names {
		if got := state.QuoteName(name); got != `"`+name+`"` {
			t.Errorf("%s is quoted as %s", name, got)
		}
	}
	for _, name := range append(names, "users", "Users", "a b", `a"b`, `a\b`, "ümlaut", "1st", "a\nb", "\x1b[31m\\\"x", "user", "$1", "a;b--") {
		r, err := c.Query(t.Context(), "select * from (select 1) x ("+state.QuoteName(name)+")")
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if got := r.FieldDescriptions()[0].Name; got != name {
			t.Errorf("%q became %q", name, got)
		}
		r.Close()
	}
}
