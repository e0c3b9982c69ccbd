package postgres

import (
	"os"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestExtrasAreDocumented: docs/databases.md has the statements as a database of the usual names gets them.
func TestExtrasAreDocumented(t *testing.T) {
	t.Parallel()
	_, _, i := opened(t, sandbox.Options{})
	doc, err := os.ReadFile("../../docs/databases.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(doc)), " ")
	if len(i.Extras) != 11 {
		t.Errorf("%d parts", len(i.Extras))
	}
	for _, x := range i.Extras {
		if len(x.Statements) == 0 {
			t.Errorf("%s has no statement", x.Name)
		}
		for _, s := range x.Statements {
			if !strings.Contains(text, s) {
				t.Errorf("docs/databases.md lacks:\n%s", s)
			}
		}
	}
}

// TestExtrasOfAnother: what reads columns that the application does not have is not offered; what is there under the name, whatever it is
// like, is not missed.
func TestExtrasOfAnother(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{})
	if _, err := c.Exec(t.Context(), `alter table sessions rename column access_token_expires_at to ends; create view v_migration_progress as select 1 as x;
		comment on column users.password_hash is 'x'; create schema other; create view other.v_session_stats as select 1 as x`); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, x := range level(t, p).Extras {
		kinds = append(kinds, x.Kind)
		if x.Name == "users.password_hash" {
			t.Error("the comment is there")
		}
	}
	if slices.Contains(kinds, "view") || slices.Contains(kinds, "function") || len(kinds) != 7 {
		t.Errorf("parts: %v", kinds)
	}
}
