package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/internal/selfauthd"
)

// role makes a role that ends with the test, and makes anthill use it. In sql "{role}" is its name.
func (w *world) role(sql ...string) string {
	w.t.Helper()
	role := "role_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	w.t.Cleanup(func() {
		c := w.connectFor(context.Background())
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "reassign owned by "+role+" to anthill; drop owned by "+role+"; drop role "+role); err != nil {
			w.t.Error(err)
		}
	})
	for _, s := range sql {
		w.exec(strings.ReplaceAll(s, "{role}", role))
	}
	w.env["DATABASE_URL"] = strings.Replace(w.env["DATABASE_URL"], "anthill@", role+"@", 1)
	return role
}

// setting adds a parameter to the URL of the database.
func (w *world) setting(name, value string) {
	w.env["DATABASE_URL"] += "&" + name + "=" + strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
}

// writer are the statements that make a role which may do all that apply needs but change the schema.
func writer() []string {
	return []string{
		"create role {role} login",
		"grant select, insert, update, delete on all tables in schema public to {role}",
		"grant execute on function pg_control_system() to {role}",
		"grant all on schema anthill_state to {role}",
		"grant all on all tables in schema anthill_state to {role}",
		"grant all on all sequences in schema anthill_state to {role}",
	}
}

// expired are the persons who cannot log in.
func (w *world) expired() (n int) {
	w.t.Helper()
	for _, p := range w.directory().persons {
		n += one(p.Expired)
	}
	return n
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// blind runs the commands that conclude something from rows, with a role from which some are hidden. Each must refuse,
// and nothing may have changed.
func (w *world) blind(status int, says ...string) {
	w.t.Helper()
	before, expired := w.fingerprint(), w.expired()
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"rollback", "-auto-approve"}} {
		_, errs := w.run(status, args...)
		wants(w.t, errs, says...)
	}
	if now := w.expired(); now != expired {
		w.t.Errorf("%d persons were expired of users who are all there", now-expired)
	}
	if now := w.fingerprint(); now != before {
		w.t.Error("rows were changed")
	}
}

// TestHiddenRows hides rows from the role by row level security: nothing is concluded from what cannot be seen.
func TestHiddenRows(t *testing.T) {
	t.Parallel()
	const hold = "using (tenant_id <> (select tenant_id from tenants where slug = 'acme'))"
	for name, c := range map[string]struct {
		hide []string
		says []string
	}{
		"users of a tenant": {
			append(writer(), "alter table users enable row level security", "create policy hold on users "+hold),
			[]string{"public.users (policy hold)", "BYPASSRLS", "the owner"},
		},
		"tenants, all of them": {
			append(writer(), "alter table tenants enable row level security"), []string{"public.tenants (without a policy)", "BYPASSRLS"},
		},
		"mapping rows": {
			append(writer(), "alter table self_auth_tenant_groups enable row level security",
				"create policy a on self_auth_tenant_groups "+hold, "create policy b on self_auth_tenant_groups using (role = 'member')"),
			[]string{"public.self_auth_tenant_groups (policy a, b)"},
		},
		"from the owner, by force": {
			append(writer(), "alter table users owner to {role}", "alter table users enable row level security",
				"alter table users force row level security", "create policy \"no one\" on users "+hold),
			[]string{"public.users (policy no one)", "ALTER TABLE public.users NO FORCE ROW LEVEL SECURITY"},
		},
		"recorded users": {
			append(writer(), "alter table anthill_state.users enable row level security", "create policy p on anthill_state.users using (wave = '')"),
			[]string{"anthill_state.users (policy p)", "BYPASSRLS"},
		},
		"the recorded state itself": {
			append(writer(), "alter table anthill_state.meta enable row level security"), []string{"anthill_state.meta (without a policy)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			role := w.role(c.hide...)
			w.blind(exitRefused, append(c.says, role)...)
			w.exec("alter role " + role + " bypassrls")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.run(exitDone, "rollback", "-auto-approve")
		})
	}
}

// TestColumnsNotToBeRead takes the right to read one column: that is no empty column.
func TestColumnsNotToBeRead(t *testing.T) {
	t.Parallel()
	for table, column := range map[string]string{"users": "deleted_at", "tenants": "status", "self_auth_tenant_groups": "role"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			w.role(append(writer(), "revoke select on "+table+" from {role}")...)
			role := strings.Split(strings.TrimPrefix(w.env["DATABASE_URL"], "postgres://"), "@")[0]
			w.exec("do $$ begin execute (select format('grant select (%s) on %s to %s', string_agg(quote_ident(attname), ', '), '" + table + "', '" + role +
				"') from pg_attribute where attrelid = '" + table + "'::regclass and attnum > 0 and not attisdropped and attname <> '" + column + "'); end $$")
			w.blind(exitRefused, "role "+role+": it lacks rights on public."+table+".", "GRANT SELECT ("+column+") ON public."+table+" TO "+role+";")
		})
	}
}

// TestHiddenMeanwhile turns row level security on when the plan has been made, and when the first users have been
// moved.
func TestHiddenMeanwhile(t *testing.T) {
	t.Parallel()
	const hide = "alter table users enable row level security"
	t.Run("before apply", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		w.role(writer()...)
		w.exec("update users set role = 'viewer' where role = 'admin'")
		w.run(exitDone, "plan", "-out", "p.plan")
		w.exec(hide)
		before := w.directory()
		_, errs := w.run(exitRefused, "apply", "p.plan")
		wants(t, errs, "public.users (without a policy)")
		if now := w.directory(); now.groups["tenant_acme_admins"].Members != nil &&
			len(now.groups["tenant_acme_admins"].Members) != len(before.groups["tenant_acme_admins"].Members) {
			t.Error("members were changed")
		}
	})
	t.Run("in the middle", func(t *testing.T) {
		t.Parallel()
		var made atomic.Int64
		var hideNow func()
		w := newWorld(t, sandbox.Options{Tenants: 4, Users: 1200, Level: "dual"}, emulatorWith(t, selfauthd.Options{After: func(r *http.Request) bool {
			// The first of them makes the groups, the second one persons.
			if r.URL.Path == "/v1/raw/create" && made.Add(1) == 2 {
				hideNow()
			}
			return false
		}}))
		w.config(everyone + waveEveryone)
		w.exec("create schema anthill_state")
		w.role(append(writer(), "grant all on database "+w.database()+" to {role}")...)
		hideNow = func() {}
		w.run(exitDone, "plan")
		hideNow = func() {
			c := w.connectFor(context.Background())
			defer c.Close(context.Background())
			if _, err := c.Exec(context.Background(), hide); err != nil {
				t.Error(err)
			}
		}
		status, out, errs := w.try("apply", "-auto-approve")
		if status != exitStopped || !strings.Contains(out, "BYPASSRLS") {
			t.Fatalf("status %d\n%s%s", status, out, errs)
		}
		if len(w.directory().persons) == 0 {
			t.Fatal("it was stopped before the first persons were made")
		}
		if n := w.expired(); n != 0 {
			t.Errorf("%d persons were expired of users who are all there", n)
		}
		w.exec("alter table users disable row level security")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "plan", "-detailed-exitcode")
	})
}

// database is the name of the world's database.
func (w *world) database() (name string) {
	w.t.Helper()
	if err := w.connect().QueryRow(w.t.Context(), "select current_database()").Scan(&name); err != nil {
		w.t.Fatal(err)
	}
	return name
}

// TestTriggersSeeAsEver moves users whose table has a trigger that writes into a table with row level security, which
// lets the role insert: the application's triggers meet the row security of the role, not ours.
func TestTriggersSeeAsEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone + "tenant \"fresh\" {\n  slug = \"fresh\"\n  name = \"Fresh\"\n}\n")
	w.exec("create schema anthill_state")
	w.exec("create table audit (what text, who text default current_user)")
	w.exec("create function audit() returns trigger language plpgsql as $$ begin insert into audit values (tg_table_name); return new; end $$")
	for _, table := range []string{"users", "tenants", "self_auth_tenant_groups"} {
		w.exec("create trigger audit after insert or update on " + table + " for each row execute function audit()")
	}
	w.role(append(writer(), "grant all on database "+w.database()+" to {role}", "alter table audit enable row level security",
		"create policy mine on audit using (who = current_user)")...)
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
	for _, table := range []string{"users", "tenants", "self_auth_tenant_groups"} {
		if n := w.number("select count(*) from audit where what = $1", table); n == 0 {
			t.Errorf("the trigger of %s wrote nothing", table)
		}
	}
	w.run(exitDone, "rollback", "-auto-approve")
}

// TestTwoTablesOfAName has users in two schemas: those that the search path finds are meant, and no others.
func TestTwoTablesOfAName(t *testing.T) {
	t.Parallel()
	const away = "create schema app; alter table users set schema app; alter table tenants set schema app; alter table sessions set schema app; " +
		"alter table self_auth_tenant_groups set schema app"
	const empty = "create table users (like app.users); create table tenants (like app.tenants)"
	for name, c := range map[string]struct {
		make   string
		path   string
		status int
		says   []string
	}{
		"in the first schema":        {away + ";" + empty, "app, public", exitDone, nil},
		"in the role's schema":       {away + ";" + empty + `; alter schema app rename to "anthill"`, `"$user", public`, exitDone, nil},
		"off the path":               {away, "public", exitError, []string{"there is no table", "(search path public,", "schema app", "search_path=app"}},
		"a view comes first":         {"create schema api; create view api.users as select * from public.users where role <> 'admin'", "api, public", exitError, []string{"api.users, which is a view", "search_path=NAME"}},
		"rows on another server":     {"create foreign data wrapper w; create server s foreign data wrapper w; create schema f; create foreign table f.users (user_id uuid) server s", "f, public", exitError, []string{"f.users, which is a foreign table"}},
		"a partition on another one": {"create foreign data wrapper w; create server s foreign data wrapper w; create schema f; create table f.tenants (like tenants) partition by hash (tenant_id); create foreign table f.t0 partition of f.tenants for values with (modulus 2, remainder 0) server s", "f, public", exitError, []string{"f.tenants", "partitions on another server"}},
		"empty ones come first":      {"create schema old; create table old.users (like users including all)", "old, public", exitError, []string{"old.users shows no row", "users of it were moved"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			w.exec(c.make)
			w.setting("search_path", c.path)
			expired := w.expired()
			_, errs := w.run(c.status, "plan", "-detailed-exitcode")
			wants(t, errs, c.says...)
			if now := w.expired(); now != expired {
				t.Errorf("%d persons were expired", now-expired)
			}
			if c.status == exitDone {
				w.run(exitDone, "rollback", "-auto-approve")
			}
		})
	}
}

// TestSchemaNotToBeUsed: Postgres passes over a schema that the role may not use, to another table of the name.
func TestSchemaNotToBeUsed(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("create schema app; alter table users set schema app; create table users (like app.users including all)")
	role := w.role(writer()...)
	w.setting("search_path", "app, public")
	_, errs := w.run(exitRefused, "plan")
	wants(t, errs, "(app, public) leads to app.users", "role "+role+": it lacks rights on schema app", "GRANT USAGE ON SCHEMA app TO "+role+";")
}

// TestNoRowInSight empties tables, and only says that it did so: no row is no news where the catalogue has counted some
// or users were moved.
func TestNoRowInSight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ empty, says, known string }{
		"deleted": {"analyze users; delete from sessions; delete from user_profiles; delete from users", "by the catalogue it has about", "analyze users"},
		// Otherwise the server may have counted none by the time that it is asked.
		"truncated": {"alter table users set (autovacuum_enabled = false); truncate users cascade", "users of it were moved", "analyze users"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			w.exec(c.empty)
			w.blind(exitError, "public.users", c.says, "ANALYZE")
			w.exec(c.known)
			if status, _, errs := w.try("plan"); strings.Contains(errs, "shows no row") {
				t.Errorf("status %d\n%s", status, errs)
			}
		})
	}
	t.Run("an application without users", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Fresh: true}, emulator(t))
		w.config(everyone + waveEveryone)
		w.run(exitDone, "plan")
		w.run(exitDone, "apply", "-auto-approve")
		w.exec("truncate users cascade") // nobody was moved
		w.run(exitDone, "plan")
	})
}

// TestLettersOfNames: names come in UTF-8, whatever role, URL or database say, and letters that are none are refused.
func TestLettersOfNames(t *testing.T) {
	t.Parallel()
	const acme = "insert into tenants (name, slug) values ('Acme', 'acme')"
	const jorg = `insert into users (tenant_id, email, password_hash, full_name, role, email_verified)
		select tenant_id, 'jorg@acme.example', 'x', 'Jörg Müßig', 'user', true from tenants`
	for name, set := range map[string]func(w *world){
		"role": func(w *world) {
			w.role("create role {role} superuser login", "alter role {role} set client_encoding = 'LATIN1'")
		},
		"database": func(w *world) { w.exec("alter database " + w.database() + " set client_encoding = 'LATIN1'") },
		"URL":      func(w *world) { w.setting("client_encoding", "LATIN1") },
		"options":  func(w *world) { w.setting("options", "-c client_encoding=WIN1252 -c DateStyle=German") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Fresh: true}, emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(acme)
			w.exec(jorg)
			set(w)
			w.run(exitDone, "apply", "-auto-approve")
			w.named("Jörg Müßig")
		})
	}
	for encoding, status := range map[string]int{"LATIN1": exitDone, "SQL_ASCII": exitError} {
		t.Run("of a database in "+encoding, func(t *testing.T) {
			t.Parallel()
			w := attach(t, "", encoded(t, encoding), emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(acme)
			c := w.connect()
			// The bytes of LATIN1: a database in SQL_ASCII takes all bytes, and says of none what it means.
			if _, err := c.Exec(t.Context(), "set client_encoding = '"+encoding+"'"); err != nil {
				t.Fatal(err)
			}
			latin1 := strings.NewReplacer("ö", "\xf6", "ü", "\xfc", "ß", "\xdf").Replace(jorg)
			if _, err := c.PgConn().Exec(t.Context(), latin1).ReadAll(); err != nil {
				t.Fatal(err)
			}
			_, errs := w.run(status, "apply", "-auto-approve")
			if status == exitDone {
				w.named("Jörg Müßig")
			} else {
				wants(t, errs, "full_name of the row with user_id ", "is no text in the encoding of the database", "UPDATE ")
			}
		})
	}
}

func (w *world) named(name string) {
	w.t.Helper()
	for _, p := range w.directory().persons {
		if p.Display == name {
			return
		}
	}
	w.t.Errorf("there is no person %q: %+v", name, w.directory().persons)
}

// encoded makes a database in an encoding, with the bare schema.
func encoded(t *testing.T, encoding string) string {
	t.Helper()
	name := "in_" + strings.ToLower(encoding)
	root, err := pgx.Connect(t.Context(), pgtest.Server().URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close(t.Context())
	if _, err := root.Exec(t.Context(), "create database "+name+" encoding '"+encoding+"' locale 'C' template template0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pgtest.Server().DropDatabase(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	url := pgtest.Server().URL(name)
	if err := sandbox.Load(t.Context(), url, sandbox.Options{Fresh: true}); err != nil {
		t.Fatal(err)
	}
	return url
}

// TestPatience makes an index wait for a reader for longer than a role lets its statements run, and a plan's snapshot
// idle while Self-auth is slow: nobody's limits for the application end a run.
func TestPatience(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second // longer than a busy machine takes from a connection to its first statement
	for name, set := range map[string]func(w *world){
		"statements": func(w *world) {
			w.role("create role {role} superuser login", "alter role {role} set statement_timeout = '2s'")
		},
		"locks": func(w *world) { w.exec("alter database " + w.database() + " set lock_timeout = '2s'") },
		"URL":   func(w *world) { w.setting("options", "-c statement_timeout=2000 -c lock_timeout=2000") },
	} {
		t.Run("an index, "+name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30}, emulator(t))
			w.config(everyone + waveEveryone)
			reader := w.connect()
			set(w)
			if _, err := reader.Exec(t.Context(), "begin isolation level repeatable read; select count(*) from casbin_rule"); err != nil {
				t.Fatal(err)
			}
			waiting := w.connect()
			done := make(chan struct{})
			go func() {
				defer close(done)
				if status, out, errs := w.try("apply", "-auto-approve"); status != exitDone {
					t.Errorf("status %d\n%s%s", status, out, errs)
				}
			}()
			w.waits(waiting, done, `select count(*) from pg_stat_activity where datname = current_database() and query ilike 'create index%'
				and state = 'active' and clock_timestamp() - query_start > $1`, 2*limit)
			if _, err := reader.Exec(t.Context(), "rollback"); err != nil {
				t.Fatal(err)
			}
			<-done
			w.checkMoved()
		})
	}
	for name, set := range map[string]func(w *world){
		"in a transaction": func(w *world) {
			w.role("create role {role} superuser login", "alter role {role} set idle_in_transaction_session_timeout = '2s'")
		},
		"anywhere": func(w *world) { w.exec("alter database " + w.database() + " set idle_session_timeout = '2s'") },
		"URL": func(w *world) {
			w.setting("options", "-c idle_in_transaction_session_timeout=2000 -c idle_session_timeout=2000")
		},
	} {
		t.Run("idle, "+name, func(t *testing.T) {
			t.Parallel()
			var slow atomic.Pointer[func()]
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual"}, emulatorWith(t, selfauthd.Options{
				Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/v1/self" { // before there is a snapshot
						return false
					}
					if f := slow.Swap(nil); f != nil {
						(*f)()
					}
					return false
				}}))
			w.config(everyone + waveEveryone)
			waiting := w.connect() // before the limit is set, which would end it as well
			set(w)
			done := make(chan struct{})
			wait := func() {
				w.waits(waiting, done, `select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
					and state like 'idle%' and clock_timestamp() - state_change > $1`, 2*limit)
			}
			for _, command := range []string{"plan", "apply"} {
				slow.Store(&wait)
				args := []string{command}
				if command == "apply" {
					args = append(args, "-auto-approve")
				}
				w.run(exitDone, args...)
			}
			w.checkMoved()
		})
	}
}

// waits waits until a query counts something: $1 is a duration. It ends the test where done comes first.
func (w *world) waits(c *pgx.Conn, done <-chan struct{}, sql string, d time.Duration) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	end := time.After(time.Minute)
	for {
		var n int
		if err := c.QueryRow(context.Background(), sql, d).Scan(&n); err != nil {
			w.t.Error(err)
			return
		}
		if n > 0 {
			return
		}
		select {
		case <-done:
			w.t.Error("it ended before it had to wait")
			return
		case <-end:
			w.t.Error("it never waited")
			return
		case <-again.C:
		}
	}
}
