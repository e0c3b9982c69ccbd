package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/state"
)

func TestSearchPath(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string][]string{
		`"$user", public`:                {"ana", "public"},
		`$user,App , "App","a ""b"", c"`: {"ana", "app", "App", `a "b", c`},
		`""`:                             {""},
		``:                               nil,
		` , `:                            nil,
		`"open`:                          {"open"},
	} {
		if diff := cmp.Diff(want, searchPath(setting, "ana")); diff != "" {
			t.Errorf("%s (-want +got)\n%s", setting, diff)
		}
	}
}

// TestSearchPathAsPostgres compares with what Postgres makes of a path.
func TestSearchPathAsPostgres(t *testing.T) {
	t.Parallel()
	_, c, _ := opened(t, sandbox.Options{Tenants: 1, Users: 1})
	const path = `"$user", PUBLIC, "Odd, ""name""", ümlaut`
	for _, sql := range []string{
		`create schema anthill`, `create schema "Odd, ""name"""`, `create schema "ümlaut"`, "set search_path = " + path,
	} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	var setting, role string
	var want []string
	if err := c.QueryRow(t.Context(),
		"select current_setting('search_path'), current_user, current_schemas(false)::text[]").
		Scan(&setting, &role, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, searchPath(setting, role)); diff != "" || len(want) != 4 {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestFoundOnce keeps to the tables that were found first, whatever comes to stand before them.
func TestFoundOnce(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 2, Users: 5, Level: "dual"})
	if _, err := c.Exec(t.Context(), `create schema anthill; create table anthill.users (like users);
		create table anthill.tenants (like tenants)`); err != nil {
		t.Fatal(err)
	}
	if i := level(t, p); i.Role != "anthill" || len(usersOf(t, p)) < 5 {
		t.Errorf("role %s, %d users", i.Role, len(usersOf(t, p)))
	}
	if table := p.UsersTable().Table; strings.Join(table, ".") != "public.users" {
		t.Errorf("users are in %v", table)
	}
}

// TestCountOfPartitions counts rows by the catalogue where the table itself has none.
func TestCountOfPartitions(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 2, Users: 50, Level: "dual"})
	u := usersOf(t, p)[0]
	const parted = `create table parted (like users including defaults) partition by hash (tenant_id);
		create table users_p0 partition of parted for values with (modulus 2, remainder 0);
		create table users_p1 partition of parted for values with (modulus 2, remainder 1);
		insert into parted select * from users;
		drop table users cascade;
		alter table parted rename to users`
	for _, step := range []struct {
		sql   string
		count int64
		known bool
		gone  bool // all who are asked for, believed
	}{
		{parted, 0, false, false},
		{"analyze users", 50, true, false},
		{"delete from users", 50, true, false},
		{"analyze users", 0, true, true},
		{"truncate users", 0, false, true},
	} {
		if _, err := c.Exec(t.Context(), step.sql); err != nil {
			t.Fatalf("%s: %v", step.sql, err)
		}
		if err := p.find(t.Context()); err != nil {
			t.Fatal(err)
		}
		count, known, err := p.count(t.Context(), p.pool, "users")
		if err != nil || known != step.known || (count > 0) != (step.count > 0) {
			t.Errorf("%s: %d, %v, %v", step.sql, count, known, err)
		}
		rows, err := p.Fetch(t.Context(), []uuid.UUID{u.ID})
		if gone := err == nil && len(rows) == 0; gone != step.gone {
			t.Errorf("%s: %d rows, %v", step.sql, len(rows), err)
		}
		if err != nil && state.ErrorKindOf(err) != state.ErrorMissing {
			t.Error(err)
		}
	}
}

// TestTimesWithoutZone writes back the times that it read, of columns that know no time zone.
func TestTimesWithoutZone(t *testing.T) {
	t.Parallel()
	p, c, _ := opened(t, sandbox.Options{Tenants: 2, Users: 20, Level: "dual"})
	if _, err := c.Exec(t.Context(), `do $$ declare v record; begin
			for v in select oid::regclass as name from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
			loop execute 'drop view if exists ' || v.name || ' cascade'; end loop; end $$;
		alter table users alter self_auth_synced_at type timestamp,
		alter migration_completed_at type timestamp, alter migration_invited_at type timestamp;
		do $$ begin execute format('alter database %I set timezone = ''Asia/Kathmandu''', current_database()); end $$;
		update users set self_auth_synced_at = '2026-03-29 02:30:00', self_auth_user_id = user_id, auth_method = 'dual'`,
	); err != nil {
		t.Fatal(err)
	}
	p.pool.Reset() // the sessions that are there have the time zone of before
	u := usersOf(t, p)[0]
	rows, err := p.Fetch(t.Context(), []uuid.UUID{u.ID})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if got := rows[0].Image.Synced.Format("2006-01-02 15:04"); got != "2026-03-28 20:45" {
		t.Errorf("synced %s", got)
	}
}
