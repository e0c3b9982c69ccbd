package postgres

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// TestNoteLogins: the synced time becomes the time of completion where the row still has the link and the synced time that
// were read, and no time of completion. Whatever stands in the way of one row is no matter of the others.
func TestNoteLogins(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	var users []providers.User
	for _, u := range usersOf(t, p) {
		if u.HasPassword && !u.Deleted && u.Link == uuid.Nil && len(users) < 7 {
			users = append(users, u)
		}
	}
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	var logins []state.Login
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := c.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, u := range users {
		l := state.Login{User: u.ID, Person: uuid.New(), Synced: at}
		exec("update users set self_auth_user_id = $2, self_auth_synced_at = $3 where user_id = $1", u.ID, l.Person, at)
		logins = append(logins, l)
	}
	logins = append(logins, state.Login{User: uuid.New(), Person: uuid.New(), Synced: at}) // gone
	for i, sql := range []string{
		0: "select $1::uuid",
		1: "update users set migration_completed_at = '2026-01-01' where user_id = $1",
		2: "update users set self_auth_synced_at = '2026-12-08' where user_id = $1",
		3: "update users set self_auth_user_id = gen_random_uuid() where user_id = $1",
		4: "update users set self_auth_user_id = null where user_id = $1",
		5: "update users set full_name = 'refused' where user_id = $1",
	} {
		exec(sql, users[i].ID)
	}
	exec(`create function refuse() returns trigger language plpgsql as
		$$ begin if new.full_name = 'refused' then raise 'no'; end if; return new; end $$`)
	exec("create trigger refuse before update on users for each row execute function refuse()")
	held, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(t.Context(), "select from users where user_id = $1 for update", users[6].ID); err != nil {
		t.Fatal(err)
	}
	n, err := p.NoteLogins(t.Context(), logins)
	if err != nil || n.Rows != 1 || !n.Left.IsZero() {
		t.Errorf("%+v: %v", n, err)
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := p.NoteLogins(t.Context(), logins); err != nil || n.Rows != 1 {
		t.Errorf("%+v once nobody holds the other: %v", n, err)
	}
	for i, want := range []string{0: at.String(), 1: "2026-01-01 00:00:00 +0000 UTC", 6: at.String()} {
		rows, err := p.Fetch(t.Context(), []uuid.UUID{users[i].ID})
		if err != nil || len(rows) != 1 {
			t.Fatal(rows, err)
		}
		got := ""
		if at := rows[0].Image.Completed; !at.IsZero() {
			got = at.String()
		}
		if got != want {
			t.Errorf("row %d is completed at %q, want %q", i, got, want)
		}
	}
}

// TestNoteLoginsStops: where the whole table is locked, or a trigger refuses what is written to any row, no more rows are tried,
// and it is said why.
func TestNoteLoginsStops(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 3, Users: 500, Level: "dual"})
	exec := func(sql string) {
		t.Helper()
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("update users set self_auth_user_id = gen_random_uuid(), self_auth_synced_at = now()")
	var logins []state.Login
	for _, u := range usersOf(t, p) {
		rows, err := p.Fetch(t.Context(), []uuid.UUID{u.ID})
		if err != nil {
			t.Fatal(err)
		}
		logins = append(logins, state.Login{User: u.ID, Person: u.Link, Synced: rows[0].Image.Synced})
	}
	note := func(rows int64, why state.Code) {
		t.Helper()
		if n, err := p.NoteLogins(t.Context(), logins); err != nil || n.Rows != rows || n.Left.Code != why {
			t.Errorf("%+v, %v; want %d rows, %q", n, err, rows, why)
		}
	}
	exec("create function tries() returns trigger language plpgsql as $$ begin perform nextval('tried'); raise 'no'; end $$")
	exec("create sequence tried")
	exec("create trigger refuse before update of migration_completed_at on users for each row execute function tries()")
	note(0, state.CodeTriggerRefuses)
	var tried int
	if err := c.QueryRow(t.Context(), "select last_value from tried").Scan(&tried); err != nil || tried > 100 {
		t.Errorf("%d rows were tried: %v", tried, err)
	}
	exec("drop trigger refuse on users")
	exec("begin; lock table users in share mode")
	note(0, state.CodeTableHeld)
	exec("rollback")
	note(int64(len(logins)), "")
}
