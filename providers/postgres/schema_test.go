package postgres

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestStepsAsFacts: what each step does, under the names that the database has.
func TestStepsAsFacts(t *testing.T) {
	t.Parallel()
	n, err := spell("kanidm", nil)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]state.Finding{}
	var steps []string
	for _, s := range n.steps() {
		steps = append(steps, s.name)
		if s.does.IsZero() || !got[s.name].IsZero() {
			t.Errorf("step %q says %+v; want something, once", s.name, s.does)
		}
		got[s.name] = s.does
	}
	if diff := cmp.Diff(providers.SchemaSteps(), steps); diff != "" {
		t.Errorf("the names (-listed +there):\n%s", diff)
	}
	for name, want := range map[string]state.Finding{
		"users.password_hash.nullable": state.Found(state.CodeColumnNullable,
			state.List(state.KeyColumns, "users.password_hash")),
		"users.columns": state.Found(state.CodeColumnsAdded,
			state.List(state.KeyColumns, "users.auth_method", "users.migration_invited_at",
				"users.migration_completed_at")),
		"sessions.columns": state.Found(state.CodeColumnsAdded,
			state.List(state.KeyColumns, "sessions.kanidm_session_id", "sessions.auth_method"),
			state.List(state.KeyNullable, "sessions.access_token_hash", "sessions.refresh_token_hash")),
		"users.method.backfill": state.Found(state.CodeMethodFilled, state.Text(state.KeyColumn, "users.auth_method"),
			state.Text(state.KeyWith, "dual"), state.Text(state.KeyWithout, "kanidm")),
		"index.users.method": state.Found(state.CodeIndexMade, state.Text(state.KeyIndex, "idx_users_auth_method")),
		"sessions.method.check": state.Found(state.CodeCheckMade,
			state.Text(state.KeyColumn, "sessions.auth_method")),
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("step %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestBetween: a schema that is neither says what of dual it has, and what it has not, in the manner of SQL.
func TestBetween(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{})
	if _, err := c.Exec(t.Context(), `alter table users alter column password_hash drop not null;
		alter table users add column auth_method varchar(50)`); err != nil {
		t.Fatal(err)
	}
	i := level(t, p)
	if i.Level != providers.LevelBetween || len(i.Steps) == 0 {
		t.Fatalf("level %s, %d steps", i.Level, len(i.Steps))
	}
	absent := []string{
		"users.auth_method not null default 'password'",
		"check (users.auth_method in ('dual', 'password', 'self-auth'))",
		"users.migration_invited_at",
		"users.migration_completed_at",
		"sessions.access_token_hash null",
		"sessions.refresh_token_hash null",
		"sessions.self_auth_session_id",
		"sessions.auth_method not null default 'jwt'",
		"check (sessions.auth_method in ('dual', 'jwt', 'self-auth'))",
	}
	want := [][]string{{"users.password_hash null"}, absent}
	if diff := cmp.Diff(want, [][]string{i.Present, i.Absent}); diff != "" {
		t.Errorf("present, absent (-want +got):\n%s", diff)
	}
	if _, err := c.Exec(t.Context(), "alter table users alter column password_hash set not null"); err != nil {
		t.Fatal(err)
	}
	if i := level(t, p); i.Level != providers.LevelBetween || !cmp.Equal(i.Present, []string{"users.auth_method"}) {
		t.Errorf("a column of another form: level %s, present %v", i.Level, i.Present)
	}
}
