package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/providers"
	"anthill/state"
)

func TestMain(m *testing.M) { pgtest.Main(m, nil) }

// opened is a loaded database, a provider that has looked at it, and a connection of the application.
func opened(t *testing.T, o sandbox.Options) (*Provider, *pgx.Conn, providers.Inspection) {
	t.Helper()
	if o.Naming == "" {
		o.Naming = "self_auth"
	}
	key := fmt.Sprintln(o.Tenants, o.Users, o.Seed, o.Naming, o.Level, o.Fresh)
	url := pgtest.Filled(t, key, func(ctx context.Context, url string) error { return sandbox.Load(ctx, url, o) })
	p, err := Open(t.Context(), Options{URL: url, Naming: o.Naming, Application: "anthill test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	i, err := p.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return p, c, i
}

func upgrade(t *testing.T, p *Provider, steps []providers.SchemaStep) {
	t.Helper()
	for _, s := range steps {
		if err := p.Upgrade(t.Context(), s.Name, nil); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
	}
}

func level(t *testing.T, p *Provider) providers.Inspection {
	t.Helper()
	i, err := p.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// shape is what the catalogue says of the two tables, without comments.
const shape = `
	select concat_ws(' ', c.table_name || '.' || c.column_name, c.data_type, c.is_nullable,
			coalesce(c.column_default, '-'))
		from information_schema.columns c where c.table_schema = 'public' and c.table_name in ('users', 'sessions')
	union all select 'index ' || indexdef from pg_indexes
		where schemaname = 'public' and tablename in ('users', 'sessions')
	union all select 'check ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
		where contype = 'c' and convalidated and conrelid in ('public.users'::regclass, 'public.sessions'::regclass)
	order by 1`

func shapeOf(t *testing.T, c *pgx.Conn) string {
	t.Helper()
	rows, err := c.Query(t.Context(), shape)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), "\n\n", "\n")
}

func TestUpgradeMakesWhatIsShipped(t *testing.T) {
	t.Parallel()
	for _, naming := range Namings() {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			p, c, i := opened(t, sandbox.Options{Naming: naming})
			if i.Level != providers.LevelBaseline || len(i.Steps) < 6 {
				t.Fatalf("inspection %+v", i)
			}
			_, shipped, j := opened(t, sandbox.Options{Naming: naming, Level: "dual"})
			if j.Level != providers.LevelDual || len(j.Steps) != 0 || i.System == "" {
				t.Fatalf("shipped: %+v", j)
			}
			for range 2 { // the second time there is nothing to do
				upgrade(t, p, i.Steps)
				if diff := cmp.Diff(shapeOf(t, shipped), shapeOf(t, c)); diff != "" {
					t.Fatalf("schema (-shipped +made):\n%s", diff)
				}
			}
			if got := level(t, p); got.Level != providers.LevelDual {
				t.Errorf("level %s, absent %v", got.Level, got.Absent)
			}
		})
	}
}

func TestUpgradeStoppedAfterEachStep(t *testing.T) {
	t.Parallel()
	_, _, first := opened(t, sandbox.Options{})
	for k := range first.Steps {
		t.Run(first.Steps[k].Name, func(t *testing.T) {
			t.Parallel()
			p, c, i := opened(t, sandbox.Options{})
			before := usersOf(t, p)
			upgrade(t, p, i.Steps[:k+1])
			if k+1 < len(i.Steps) {
				if got := level(t, p); got.Level != providers.LevelBetween || len(got.Present) == 0 ||
					len(got.Absent) == 0 {
					t.Errorf("level %s", got.Level)
				}
			}
			// What a kill leaves of CREATE INDEX CONCURRENTLY.
			for _, x := range p.names.indexes() {
				if _, err := c.Exec(t.Context(),
					"update pg_index set indisvalid = false where indexrelid = to_regclass($1)",
					"public."+x.name); err != nil {
					t.Fatal(err)
				}
			}
			upgrade(t, p, i.Steps)
			if got := level(t, p); got.Level != providers.LevelDual {
				t.Errorf("level %s, absent %v", got.Level, got.Absent)
			}
			if diff := cmp.Diff(before, usersOf(t, p)); diff != "" {
				t.Errorf("users as the baseline was read (-) and as they are (+):\n%s", diff)
			}
			var invalid int
			if err := c.QueryRow(t.Context(),
				"select count(*) from pg_index where not indisvalid").Scan(&invalid); err != nil || invalid != 0 {
				t.Errorf("%d invalid indexes, %v", invalid, err)
			}
		})
	}
}

func usersOf(t *testing.T, p *Provider) (list []providers.User) {
	t.Helper()
	s, err := p.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for u, err := range s.Users(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, u)
	}
	return list
}

func TestUsersInOrder(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	users := usersOf(t, p)
	if !slices.IsSortedFunc(users, func(a, b providers.User) int {
		if n := slices.Compare(a.Tenant[:], b.Tenant[:]); n != 0 {
			return n
		}
		return slices.Compare(a.ID[:], b.ID[:])
	}) {
		t.Error("not in the order of tenant and user")
	}
	var count, hashless, deleted, linked, blank int
	for _, u := range users {
		count++
		hashless += one(!u.HasPassword)
		deleted += one(u.Deleted)
		linked += one(u.Link != uuid.Nil)
		blank += one(u.FullName == "")
		if u.Method == state.MethodInvalid || u.Email == "" || u.Role == "" {
			t.Errorf("user %+v", u)
		}
	}
	var want [5]int
	err := c.QueryRow(t.Context(), `select count(*), count(*) filter (where password_hash is null), count(deleted_at),
		count(self_auth_user_id), count(*) filter (where coalesce(full_name, '') = '') from users`).
		Scan(&want[0], &want[1], &want[2], &want[3], &want[4])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, [5]int{count, hashless, deleted, linked, blank}); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestWriteUsersComparesAndSets(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	var same, changed, gone, clash, taken providers.User
	var free []providers.User
	for _, u := range usersOf(t, p) {
		switch {
		case u.Link != uuid.Nil:
			taken = u
		case u.HasPassword && !u.Deleted:
			free = append(free, u)
		}
	}
	rows, err := p.Fetch(t.Context(), []uuid.UUID{free[0].ID, free[1].ID, free[2].ID, free[3].ID})
	if err != nil || len(rows) != 4 {
		t.Fatal(len(rows), err)
	}
	same, changed, gone, clash = rows[0].User, rows[1].User, rows[2].User, rows[3].User
	write := func(u providers.User, link uuid.UUID) providers.UserWrite {
		return providers.UserWrite{
			User: u.ID, Before: providers.DigestUser(u, providers.ReliesAll, nil), Relies: providers.ReliesAll,
			Link: link, Method: state.MethodDual, Completed: true,
		}
	}
	ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	writes := []providers.UserWrite{write(same, ids[0]), write(changed, ids[1]), write(gone, ids[2]),
		write(clash, taken.Link)}
	for sql, id := range map[string]uuid.UUID{
		"update users set role = 'viewer', full_name = 'Else' where user_id = $1": changed.ID,
		"delete from users where user_id = $1":                                    gone.ID,
	} {
		if _, err := c.Exec(t.Context(), sql, id); err != nil {
			t.Fatal(err)
		}
	}
	before, err := p.Fetch(t.Context(), []uuid.UUID{same.ID})
	if err != nil || len(before) != 1 {
		t.Fatal(before, err)
	}
	results := func(w []providers.UserWrite, fail error) (got []providers.UserResult, err error) {
		err = p.WriteUsers(t.Context(), w, func(_ state.Tx, r []providers.UserResult) error {
			got = r
			return fail
		})
		return got, err
	}
	if _, err := results(writes, fmt.Errorf("no")); err == nil {
		t.Fatal("an error of settle is swallowed")
	}
	got, err := results(writes, nil)
	if err != nil {
		t.Fatal(err)
	}
	linked := state.Found(state.CodeLinkTaken, state.Text(state.KeyRule, "users_self_auth_user_id_key"))
	now, err := p.Fetch(t.Context(), []uuid.UUID{same.ID})
	if err != nil || len(now) != 1 {
		t.Fatal(now, err)
	}
	want := []providers.UserResult{{Written: true, Synced: now[0].Synced}, {}, {Gone: true}, {Refused: linked}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	after, err := p.Fetch(t.Context(), []uuid.UUID{same.ID})
	if err != nil || len(after) != 1 {
		t.Fatal(after, err)
	}
	if a := after[0]; a.Link != ids[0] || a.Method != state.MethodDual || !a.Completed || a.Image.Synced.IsZero() ||
		a.Image.Completed.IsZero() {
		t.Errorf("written: %+v", a)
	}
	back := providers.UserWrite{
		User: same.ID, Before: providers.DigestUser(after[0].User, providers.ReliesLink, nil),
		Relies: providers.ReliesLink, Restore: &before[0].Image,
	}
	if got, err := results([]providers.UserWrite{back}, nil); err != nil || !got[0].Written {
		t.Fatal(got, err)
	}
	again, err := p.Fetch(t.Context(), []uuid.UUID{same.ID})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, again); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
}

// TestWritersGoOn changes the schema while the application writes: no statement of it fails or waits for long.
func TestWritersGoOn(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{Tenants: 5, Users: 3000})
	stop, ended := make(chan struct{}), make(chan error, 1)
	var slowest time.Duration
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			began := time.Now()
			if _, err := c.Exec(context.Background(), `update users set phone = '1'
				where user_id = (select user_id from users order by random() limit 1)`); err != nil {
				ended <- err
				return
			}
			slowest = max(slowest, time.Since(began))
		}
	}()
	upgrade(t, p, i.Steps)
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("a writer failed: %v", err)
	}
	if slowest > 10*time.Second {
		t.Errorf("a writer waited %s", slowest)
	}
}

// TestStepsAside holds a lock on users for longer than one try of a schema step waits.
func TestStepsAside(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{})
	tx, err := c.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "lock table users in row exclusive mode"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Upgrade(ctx, i.Steps[0].Name, nil) }()
	cancel()
	if err := <-done; err == nil {
		t.Error("the step went through a lock")
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	upgrade(t, p, i.Steps[:1])
}

func TestMissingTables(t *testing.T) {
	t.Parallel()
	open := func(naming, url string) error {
		p, err := Open(t.Context(), Options{URL: url, Naming: naming, Application: "anthill test"})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		_, err = p.Inspect(t.Context())
		if state.ErrorKindOf(err) != state.ErrorMissing {
			t.Fatalf("error %v", err)
		}
		return err
	}
	if err := open("self_auth", pgtest.Database(t)); !strings.Contains(err.Error(), "tenants") ||
		!strings.Contains(err.Error(), `naming "self_auth"`) {
		t.Errorf("empty database: %v", err)
	}
	url := pgtest.Database(t)
	if err := sandbox.Load(t.Context(), url, sandbox.Options{Naming: "kanidm"}); err != nil {
		t.Fatal(err)
	}
	if err := open("self_auth", url); !strings.Contains(err.Error(), "self_auth_tenant_groups") ||
		!strings.Contains(err.Error(), `naming = "kanidm"`) {
		t.Errorf("other naming: %v", err)
	}
}

func TestRefusedConnections(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]state.ErrorKind{
		"postgres://who:s3cret@127.0.0.1:1/app":        state.ErrorUnreachable,
		"postgres://who:s3cret@/app?host=/nonexistent": state.ErrorUnreachable,
		"postgres://who:s3cret word@[bad":              state.ErrorMissing,
		pgtest.Server().URL("no such"):                 state.ErrorUnreachable,
		strings.Replace(pgtest.Server().URL("postgres"), "anthill@", "nobody_there:s3cret@",
			1): state.ErrorUnauthenticated,
	} {
		_, err := Open(t.Context(), Options{URL: url, Naming: "self_auth"})
		if state.ErrorKindOf(err) != want {
			t.Errorf("%s: kind %s, want %s: %v", url, state.ErrorKindOf(err), want, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestMapAndUnmap(t *testing.T) {
	t.Parallel()
	p, _, _ := opened(t, sandbox.Options{})
	read := func() []providers.Mapping {
		s, err := p.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		m, err := s.Mappings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := read()
	m := providers.Mapping{Tenant: before[0].Tenant, Group: uuid.New(), GroupName: "x'y", Role: state.RoleAdmin}
	for range 2 {
		if err := p.Map(t.Context(), []providers.Mapping{m}); err != nil {
			t.Fatal(err)
		}
	}
	if after := read(); len(after) != len(before)+1 || !slices.Contains(after, m) {
		t.Errorf("mapped: %+v", after)
	}
	for range 2 {
		if err := p.Unmap(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(before, read()); diff != "" {
		t.Errorf("unmapped (-want +got):\n%s", diff)
	}
}

// TestPasswordsAreNeverRead: whatever stands in the column, nothing of it is in what is read.
func TestPasswordsAreNeverRead(t *testing.T) {
	t.Parallel()
	p, c, i := opened(t, sandbox.Options{Level: "dual"})
	if i.Level != providers.LevelDual {
		t.Fatal(i.Level)
	}
	if _, err := c.Exec(t.Context(),
		"update users set password_hash = 'canary-' || user_id where password_hash is not null"); err != nil {
		t.Fatal(err)
	}
	for _, u := range usersOf(t, p) {
		if strings.Contains(fmt.Sprintf("%+v", u), "canary") {
			t.Fatal("a hash was read")
		}
	}
}

// TestUsablePasswords: only a hash of the form of bcrypt is one that a password matches.
func TestUsablePasswords(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Level: "dual"})
	tail := strings.Repeat("aZ./9", 10) + "xyz"
	null := (*string)(nil)
	text := func(s string) *string { return &s }
	for _, hash := range []struct {
		hash         *string
		has, matches bool
	}{
		{null, false, false}, {text(""), true, false}, {text("!"), true, false}, {text("*"), true, false},
		{text("!placeholder, not a hash"), true, false},
		{text("$2b$12$" + tail), true, true}, {text("$2a$04$" + tail), true, true}, {text("$2x$12$" + tail), true, true},
		{text("$2y$31$" + tail), true, true},
		{text("!$2b$12$" + tail), true, false}, {text("!2b$12$" + tail), true, false}, {text("$2b$12$" + tail + "a"), true, false},
		{text("$2b$12$" + tail[1:]), true, false}, {text("$2b$12$" + tail[1:] + "\n"), true, false},
		{text("$2b$12$" + tail[1:] + "é"), true, false}, {text("$2c$12$" + tail), true, false}, {text("$1$12$" + tail + "a"), true, false},
		{text("$2b$1x$" + tail), true, false}, {text("$argon2id$v=19$m=65536,t=3,p=4$" + tail[:29]), true, false},
		{text(strings.Repeat(" ", 60)), true, false}, {text("$2b$12$" + tail[1:] + "$"), true, false},
		{text("$2b$12$$" + tail[1:]), true, false}, {text("$2b$03$" + tail), true, false}, {text("$2b$32$" + tail), true, false},
	} {
		var id uuid.UUID
		err := c.QueryRow(t.Context(), `update users set password_hash = $1
			where user_id = (select user_id from users order by user_id limit 1) returning user_id`, hash.hash).Scan(&id)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := p.Fetch(t.Context(), []uuid.UUID{id})
		if err != nil || len(rows) != 1 || rows[0].HasPassword != hash.has || rows[0].CanPassword != hash.matches {
			t.Errorf("%v: %+v, %v", hash.hash, rows, err)
		}
	}
	// The stream says the same, of all users.
	var want, got [2]int
	if err := c.QueryRow(t.Context(), `select count(password_hash), count(*) filter (where password_hash ~
		'^\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$') from users`).Scan(&want[0], &want[1]); err != nil {
		t.Fatal(err)
	}
	for _, u := range usersOf(t, p) {
		got[0] += one(u.HasPassword)
		got[1] += one(u.CanPassword)
	}
	if got != want || got[0] == got[1] {
		t.Errorf("%d hashes, %d of them usable; want %d", got[0], got[1], want)
	}
}
