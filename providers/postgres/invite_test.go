package postgres

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestNoteInvites: a row that still has the link, and no time of invitation, gets it; and only the very time that was noted is taken
// back. Rows that somebody holds are left for the next time.
func TestNoteInvites(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := c.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	var invites []state.Invite
	for _, u := range usersOf(t, p) {
		if u.HasPassword && !u.Deleted && u.Link == uuid.Nil && len(invites) < 4 {
			i := state.Invite{User: u.ID, Person: uuid.New(), At: at}
			exec("update users set self_auth_user_id = $2 where user_id = $1", u.ID, i.Person)
			invites = append(invites, i)
		}
	}
	exec("update users set migration_invited_at = '2026-01-01' where user_id = $1", invites[1].User)
	exec("update users set self_auth_user_id = gen_random_uuid() where user_id = $1", invites[2].User)
	held, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(t.Context(), "select from users where user_id = $1 for update", invites[3].User); err != nil {
		t.Fatal(err)
	}
	if n, err := p.NoteInvites(t.Context(), invites); err != nil || n.Rows != 1 || !n.Left.IsZero() {
		t.Errorf("%+v: %v", n, err)
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := p.NoteInvites(t.Context(), invites); err != nil || n.Rows != 1 {
		t.Errorf("%+v once nobody holds the other: %v", n, err)
	}
	invited := func(n int) time.Time {
		t.Helper()
		rows, err := p.Fetch(t.Context(), []uuid.UUID{invites[n].User})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		return rows[0].Image.Invited
	}
	others := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for n, want := range []time.Time{at, others, {}, at} {
		if got := invited(n); !got.Equal(want) {
			t.Errorf("row %d is invited at %v, want %v", n, got, want)
		}
	}
	invites[3].At = at.Add(time.Second)
	if n, err := p.UnnoteInvites(t.Context(), invites); err != nil || n.Rows != 1 {
		t.Errorf("%+v: %v", n, err)
	}
	for n, want := range []time.Time{{}, others, {}, at} {
		if got := invited(n); !got.Equal(want) {
			t.Errorf("row %d is invited at %v after that, want %v", n, got, want)
		}
	}
}

// TestLocale: what a profile says of language and zone, and nothing where there is none, or none that can be read.
func TestLocale(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	user := usersOf(t, p)[0].ID
	look := func() string {
		t.Helper()
		l, err := p.Locale(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if (l == providers.Locale{}) {
			return ""
		}
		if l.Zone == nil {
			return l.Language
		}
		return l.Language + " " + l.Zone.String()
	}
	for _, step := range []struct{ sql, want string }{
		{"update user_profiles set language = 'de', timezone = 'Europe/Berlin'", "de Europe/Berlin"},
		{"update user_profiles set timezone = 'Mars/Olympus'", "de"},
		{"delete from user_profiles", ""},
		{"alter table user_profiles drop column timezone cascade", ""},
		{"drop table user_profiles cascade", ""},
	} {
		if _, err := c.Exec(t.Context(), step.sql); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != step.want {
			t.Errorf("%s: %q, want %q", step.sql, got, step.want)
		}
	}
}
