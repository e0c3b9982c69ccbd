package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// upgraded is a database whose schema we have made dual, with the place of the archive, and how its tables were before.
func upgraded(t *testing.T) (p *Provider, c *pgx.Conn, before string) {
	t.Helper()
	p, c, i := opened(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4})
	before = shapeOf(t, c)
	upgrade(t, p, i.Steps)
	execute(t, c, "create schema anthill_state")
	return p, c, before
}

func execute(t *testing.T, c *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := c.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func downgrade(t *testing.T, p *Provider) {
	t.Helper()
	for _, step := range providers.SchemaBack() {
		if err := p.Downgrade(t.Context(), step, time.Now()); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
}

// TestBackAsFacts: each step that can be taken back says what that does, and no other is known.
func TestBackAsFacts(t *testing.T) {
	t.Parallel()
	p, _, _ := opened(t, sandbox.Options{})
	var steps []string
	for _, b := range p.names.backs() {
		steps = append(steps, b.name)
		if b.does.IsZero() {
			t.Errorf("step %s says nothing", b.name)
		}
	}
	if diff := cmp.Diff(providers.SchemaBack(), steps); diff != "" {
		t.Errorf("the names (-listed +there):\n%s", diff)
	}
	if err := p.Downgrade(t.Context(), "users.method.backfill", time.Time{}); state.ErrorKindOf(err) != state.ErrorInternal {
		t.Errorf("error %v", err)
	}
}

// TestDowngrade: all steps taken back, each of them twice, leave the tables as they were; so they do where a kill left
// them half.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]string{
		"whole":                     "",
		"the helping index stands":  "create index anthill_leaving_users on users (user_id) where migration_invited_at is not null",
		"a check of passwords":      "alter table users add constraint anthill_required_users check (password_hash is not null) not valid",
		"a check that is validated": "alter table sessions add constraint anthill_required_sessions check (access_token_hash is not null and refresh_token_hash is not null)",
		"passwords are required":    "alter table users add constraint anthill_required_users check (password_hash is not null), alter column password_hash set not null",
		"some are gone": "drop index idx_users_auth_method; alter table users drop constraint users_auth_method_check, " +
			"drop column auth_method, drop column migration_invited_at, drop column migration_completed_at",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, c, before := upgraded(t)
			if half != "" {
				execute(t, c, half)
			}
			downgrade(t, p)
			downgrade(t, p)
			if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(shapeOf(t, c), "\n")); diff != "" {
				t.Errorf("the tables (-before +after):\n%s", diff)
			}
			i := level(t, p)
			if i.Level != providers.LevelBaseline {
				t.Errorf("level %s", i.Level)
			}
			upgrade(t, p, i.Steps)
			if i := level(t, p); i.Level != providers.LevelDual {
				t.Errorf("made again, the level is %s", i.Level)
			}
		})
	}
}

// TestMadeAgainHalfway: what a way back has left that was cut off is no longer there when the steps are made again.
func TestMadeAgainHalfway(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	dual := shapeOf(t, c)
	execute(t, c, `alter table users drop constraint users_auth_method_check,
			add constraint anthill_required_users check (password_hash is not null) not valid;
		alter table sessions drop constraint sessions_auth_method_check,
			add constraint anthill_required_sessions check (access_token_hash is not null and refresh_token_hash is not null);
		create index anthill_leaving_users on users (user_id) where migration_invited_at is not null;
		create index anthill_leaving_sessions on sessions (session_id) where self_auth_session_id is not null`)
	upgrade(t, p, level(t, p).Steps)
	if diff := cmp.Diff(dual, shapeOf(t, c)); diff != "" {
		t.Errorf("the tables (-made once +made again):\n%s", diff)
	}
}

// TestIndexOfAnother: an index that was there before us under one of the names stays.
func TestIndexOfAnother(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{})
	execute(t, c, "create schema anthill_state; create index idx_sessions_user_auth on sessions (user_id, created_at)")
	before := shapeOf(t, c)
	upgrade(t, p, i.Steps)
	downgrade(t, p)
	if diff := cmp.Diff(before, shapeOf(t, c)); diff != "" {
		t.Errorf("the tables (-before +after):\n%s", diff)
	}
}

// TestWhoNeedsTheColumns: what the planner says of a row, and what the database does, is the same, for every way in which a
// row can stand.
func TestWhoNeedsTheColumns(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	since := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	execute(t, c, "delete from users")
	var tenant uuid.UUID
	if err := c.QueryRow(t.Context(), "select tenant_id from tenants limit 1").Scan(&tenant); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, password := range []string{"null", "'x'"} {
		for _, link := range []string{"null", "gen_random_uuid()"} {
			for _, method := range []string{"password", "dual", "self-auth"} {
				for _, synced := range []string{"null", "'2026-10-31Z'", "'2026-11-01Z'", "'2026-11-02Z'"} {
					for _, completed := range []string{"null", "'2026-10-31Z'", "'2026-11-02Z'"} {
						execute(t, c, fmt.Sprintf(`insert into users (tenant_id, email, password_hash, self_auth_user_id, auth_method,
							self_auth_synced_at, migration_completed_at) values ($1, 'a%d@a.example', %s, %s, '%s', %s, %s)`,
							n, password, link, method, synced, completed), tenant)
						n++
					}
				}
			}
		}
	}
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want providers.Needing
	for row, err := range s.UserRows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if providers.NeedsSchema(row, since) {
			want.Add(row.ID)
		}
	}
	s.Close() // an index is made when all older transactions have ended
	got, err := p.needing(t.Context(), p.pool, p.names.leaving("users"), since)
	if err != nil {
		t.Fatal(err)
	}
	want.Table = "users"
	if diff := cmp.Diff(want, got); diff != "" || want.Count == 0 || want.Count >= int64(n) {
		t.Errorf("of %d rows need the columns (-planner +database):\n%s", n, diff)
	}
	if err := p.Downgrade(t.Context(), providers.SchemaUserColumns, since); err == nil {
		t.Error("the columns went")
	}
	var left int
	if err := c.QueryRow(t.Context(), "select count(*) from pg_class where relname like 'anthill_leaving%'").Scan(&left); err != nil || left != 0 {
		t.Errorf("the helping index is left, %v", err)
	}
}

// TestPasswordGone: a password that is cleared between the look and the step keeps that, and nothing of it is left.
func TestPasswordGone(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	execute(t, c, "update users set password_hash = null where user_id = (select user_id from users limit 1)")
	before := shapeOf(t, c)
	err := p.Downgrade(t.Context(), "users.password_hash.nullable", time.Now())
	if needed := (*providers.SchemaNeededError)(nil); !errors.As(err, &needed) || len(needed.Why) != 1 {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, shapeOf(t, c)); diff != "" {
		t.Errorf("the tables (-before +after):\n%s", diff)
	}
}

// TestSessionsNeeded: a step that is refused in the middle stands as a whole.
func TestSessionsNeeded(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	execute(t, c, `insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at,
		refresh_token_expires_at, auth_method) select user_id, tenant_id, 'a', 'b', now(), now(), 'dual' from users limit 1`)
	before := shapeOf(t, c)
	err := p.Downgrade(t.Context(), "sessions.columns", time.Now())
	if needed := (*providers.SchemaNeededError)(nil); !errors.As(err, &needed) || len(needed.Why) != 1 {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, shapeOf(t, c)); diff != "" {
		t.Errorf("the tables (-before +after):\n%s", diff)
	}
}

// TestDowngradeStepsAside: who waits for a table keeps nobody waiting behind it for longer than a try.
func TestDowngradeStepsAside(t *testing.T) {
	t.Parallel()
	p, c, _ := upgraded(t)
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "lock table users in row exclusive mode"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Downgrade(ctx, "users.method.check", time.Now()) }()
	// A reader that comes behind it gets through while the lock is held.
	reader, err := pgx.Connect(t.Context(), c.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.Background())
	for waiting := false; !waiting; {
		err := reader.QueryRow(t.Context(), `select exists (select from pg_locks where relation = 'users'::regclass
			and mode = 'AccessExclusiveLock' and not granted)`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	var n int
	if err := reader.QueryRow(t.Context(), "select count(*) from users").Scan(&n); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("a reader waited %s, %v", time.Since(began), err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestDowngradeFencedOff: what has lost the lock takes nothing back.
func TestDowngradeFencedOff(t *testing.T) {
	t.Parallel()
	p, c, before := upgraded(t)
	dual := shapeOf(t, c)
	for _, step := range providers.SchemaBack() {
		p.SetFence(func(context.Context, state.Tx) error { return &state.LockLostError{Taken: true} })
		was := shapeOf(t, c)
		err := p.Downgrade(t.Context(), step, time.Now())
		if lost := (*state.LockLostError)(nil); !errors.As(err, &lost) || shapeOf(t, c) != was {
			t.Errorf("%s: %v", step, err)
		}
		p.SetFence(nil)
		if err := p.Downgrade(t.Context(), step, time.Now()); err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
	if got := shapeOf(t, c); got != before || got == dual {
		t.Error("not all steps were taken back")
	}
}
