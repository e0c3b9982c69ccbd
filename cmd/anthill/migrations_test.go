package main

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/internal/sandbox"
)

// sqlx runs the application's migrations as its own tool does: those of a folder that its table does not note, in the order of their
// versions, each with its row in one transaction; and it stops where the checksum of one that was run is another.
type sqlx struct {
	w   *world
	dir string
}

const sqlxTable = `create table if not exists _sqlx_migrations (version bigint primary key, description text not null,
	installed_on timestamptz not null default now(), success boolean not null, checksum bytea not null, execution_time bigint not null)`

// newSqlx is the tool with the application's migrations up to the baseline, which are run.
func newSqlx(w *world, files map[string]string) sqlx {
	x := sqlx{w, filepath.Join(w.dir, "migrations")}
	must(w.t, os.Mkdir(x.dir, 0o755))
	x.write("20250110000001_baseline.sql", "select 1;")
	x.write("20250110000013_link.sql", "-- the baseline\nselect 2;")
	must(w.t, x.run())
	for name, sql := range files {
		x.write(name, sql)
	}
	return x
}

func (x sqlx) write(name, sql string) {
	x.w.t.Helper()
	must(x.w.t, os.WriteFile(filepath.Join(x.dir, name), []byte(x.w.spell(sql)), 0o600))
}

func (x sqlx) run() error {
	c, end := x.w.brief()
	defer end()
	ctx := x.w.t.Context()
	if _, err := c.Exec(ctx, sqlxTable); err != nil {
		return err
	}
	entries, err := os.ReadDir(x.dir) // in the order of names, and so of versions of one length
	if err != nil {
		return err
	}
	for _, e := range entries {
		number, rest, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || !strings.HasSuffix(rest, ".sql") {
			continue
		}
		src, err := os.ReadFile(filepath.Join(x.dir, e.Name()))
		if err != nil {
			return err
		}
		sum := sha512.Sum384(src)
		var noted []byte
		err = c.QueryRow(ctx, "select checksum from _sqlx_migrations where version = $1", version).Scan(&noted)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return err
		case !slices.Equal(noted, sum[:]):
			return fmt.Errorf("%s was changed since it was run", e.Name())
		default:
			continue
		}
		err = pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, string(src)); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values ($1, $2, true, $3, 0)",
				version, strings.ReplaceAll(strings.TrimSuffix(rest, ".sql"), "_", " "), sum[:])
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name(), err)
		}
	}
	return nil
}

// later are migrations of the application from the baseline on. Those behind the dual schema's make again what they drop, and look.
var later = map[string]string{
	"20250110000014_password_hash_nullable.sql":      migration14,
	"20250110000015_add_migration_tracking.sql":      "-- alter table users add column no int;\n" + migration15,
	"20250110000016_sessions_{idp}_support.sql":      migration16,
	"20260102000001_authz_version.sql":               "alter table users add column authz_version bigint not null default 1; comment on table users is 'alter table users add column auth_method'",
	"20260119000003_again.sql":                       "alter table users drop constraint if exists users_auth_method_check;" + check15 + "drop index idx_users_auth_method; create index idx_users_auth_method on users (auth_method) where deleted_at is null;",
	"20260119000004_looks.sql":                       "alter table sessions add column if not exists auth_method varchar(50); create index if not exists idx_users_auth_method on users (role)",
	"20260119000005_do.sql":                          "do $$ begin if false then alter table users add column auth_method text; end if; end $$;",
	"20260119000006_add_and_drop_another.sql":        "alter table users add column another text; alter table users drop column another;",
	"20260119000007_another_schema_has_the_name.sql": "create schema other; create table other.users (id int); alter table other.users add column auth_method text;",
}

// spelledLater are the same with the names of the world's files.
func (w *world) later() map[string]string {
	files := map[string]string{}
	for name, sql := range later {
		files[w.spell(name)] = sql
	}
	return files
}

// pasted are the statements of a plan that are indented to be pasted, those that begin with a word.
func pasted(out, first string) (list []string) {
	for _, m := range regexp.MustCompile(`(?m)^ {8}([A-Z]+ .*;)$`).FindAllStringSubmatch(out, -1) {
		if strings.HasPrefix(m[1], first) {
			list = append(list, m[1])
		}
	}
	return list
}

func (w *world) paste(statements []string) {
	w.t.Helper()
	c, end := w.brief()
	defer end()
	for _, s := range statements {
		if _, err := c.Exec(w.t.Context(), s); err != nil {
			w.t.Fatalf("%s: %v", s, err)
		}
	}
}

// schemaWith is everyone with more arguments of the schema.
func schemaWith(arguments ...string) string {
	return strings.Replace(everyone, `{ level = "dual" }`, "{\n  level = \"dual\"\n  "+strings.Join(arguments, "\n  ")+"\n}", 1) + waveEveryone
}

// folded is a text on one line.
func folded(s string) string { return strings.Join(strings.Fields(s), " ") }

// TestOwnMigrations: a plan says beforehand which of the application's migrations its schema makes fail, and no others; the tool does fail
// there, and goes on once they are noted as the next plan says.
func TestOwnMigrations(t *testing.T) {
	t.Parallel()
	for _, naming := range []string{"self_auth", "kanidm"} {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4, Naming: naming}, emulator(t))
			files := w.later()
			for name, sql := range files {
				if naming == "kanidm" {
					files[name] = strings.ReplaceAll(sql, "self-auth", "kanidm")
				}
			}
			x := newSqlx(w, files)
			w.config(schemaWith(`migrations = "migrations"`))

			out, _ := w.run(exitDone, "plan", "-out", "first")
			said := w.spell("2 migrations of the application in migrations fail once this plan is carried out, as they make what is there then: " +
				"20250110000015_add_migration_tracking.sql (users.auth_method, users.migration_invited_at, users.migration_completed_at, users_auth_method_check, " +
				"idx_users_auth_method, idx_users_migration_status, idx_users_pending_migration); 20250110000016_sessions_{idp}_support.sql (" +
				"sessions.{idp}_session_id, sessions.auth_method, sessions_auth_method_check, idx_sessions_{idp}_session, idx_sessions_auth_method, " +
				"idx_sessions_user_auth)")
			wants(t, out, said, "(the last in public._sqlx_migrations is 20250110000013). Run the application's own migrations first")
			for form, part := range map[string]string{"-json": `"files_later"`, "-markdown": "add&#95;migration&#95;tracking", "-html": "add_migration_tracking.sql"} {
				shown, _ := w.run(exitDone, "show", form, "first")
				wants(t, shown, part)
				if form == "-json" {
					validPlan(t, shown)
				}
			}
			if len(pasted(out, "INSERT")) > 0 {
				t.Errorf("it is said how to note what should be run first:\n%s", out)
			}
			w.run(exitDone, "apply", "first")

			err := x.run()
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || pg.Code != "42701" || !strings.HasPrefix(err.Error(), "20250110000015") {
				t.Fatalf("the tool says %v, and should fail at a column of 15", err)
			}
			out, _ = w.run(exitDone, "plan", "-out", "second")
			wants(t, out, "2 migrations of the application in migrations fail, as they make what Anthill has made: 20250110000015",
				"(the last in public._sqlx_migrations is 20250110000014). Note them there as run")
			statements := pasted(out, "INSERT")
			if len(statements) != 2 {
				t.Fatalf("statements %q:\n%s", statements, out)
			}
			for form, part := range map[string]string{"-markdown": "add migration tracking", "-html": "add migration tracking"} {
				shown, _ := w.run(exitDone, "show", form, "second")
				wants(t, shown, "SQL to paste", part)
			}
			w.paste(statements)
			if out, _ = w.run(exitDone, "plan"); strings.Contains(folded(out), "of the application in") {
				t.Errorf("it is still said:\n%s", out)
			}
			must(t, x.run())
			if out, _ = w.run(exitDone, "plan"); strings.Contains(folded(out), "of the application in") {
				t.Errorf("it is said again:\n%s", out)
			}
		})
	}
}

// TestOwnMigrationsFirst: once the application has run its own there is nothing to make, and nothing to say.
func TestOwnMigrationsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
	x := newSqlx(w, w.later())
	must(t, x.run())
	for _, folder := range []string{"", `migrations = "migrations"`} {
		w.config(schemaWith(folder))
		out, _ := w.run(exitDone, "plan", "-json")
		for _, code := range []string{`"tool_later"`, `"tool_stops"`, `"files_later"`, `"files_stop"`, `"files_unread"`} {
			if strings.Contains(out, code) {
				t.Errorf("folder %q: it says %s", folder, code)
			}
		}
	}
}

// TestOwnMigrationsBehindTheWayBack: once the schema is taken back the application's own migrations run, and make what the next apply works with.
func TestOwnMigrationsBehindTheWayBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
	x := newSqlx(w, w.later())
	w.config(schemaWith(`migrations = "migrations"`))
	w.run(exitDone, "apply", "-auto-approve")
	w.schemaBack("back")
	w.run(exitDone, "apply", "back")
	must(t, x.run())
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if out, _ := w.run(exitDone, "plan"); strings.Contains(folded(out), "of the application in") || w.allLinked() == 0 {
		t.Errorf("%d are linked:\n%s", w.allLinked(), out)
	}
}

// TestOwnMigrationsUnread: without a folder a plan says that the tool's later files may fail; it names those that the application was
// shipped with until they are noted as run.
func TestOwnMigrationsUnread(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
	newSqlx(w, nil)
	w.config(everyone + waveEveryone)
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "the application's migrations are noted in public._sqlx_migrations (by sqlx), the last is 20250110000013: once this plan is carried out, a "+
		"later one fails that adds users.auth_method, users.migration_invited_at, users.migration_completed_at, sessions.self_auth_session_id, "+
		"sessions.auth_method without IF NOT EXISTS (as shipped: 20250110000015_add_migration_tracking.sql, 20250110000016_sessions_self_auth_support.sql). "+
		"Run the application's own migrations first")
	w.run(exitDone, "apply", "-auto-approve")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "a later one fails that adds users.auth_method", "as Anthill has made them")
	w.exec("insert into _sqlx_migrations values (20250110000015, 'x', now(), true, '', 0)")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "a later one fails that adds", "(as shipped: 20250110000016_sessions_self_auth_support.sql)")
	w.exec("insert into _sqlx_migrations values (20250110000016, 'x', now(), true, '', 0)")
	if out, _ = w.run(exitDone, "plan"); strings.Contains(folded(out), "application's migrations") {
		t.Errorf("it is still said:\n%s", out)
	}
}

// TestOwnMigrationsOfNobody: tables that have the name of a tool's and are none, or that say nothing, stop no plan.
func TestOwnMigrationsOfNobody(t *testing.T) {
	t.Parallel()
	const row = "insert into _sqlx_migrations values (20250110000013, 'x', now(), true, '', 0);"
	for name, c := range map[string]struct {
		sql, says string
	}{
		"another table of the name":   {"create table _sqlx_migrations (a int)", ""},
		"a success that is a text":    {"create table _sqlx_migrations (version text, description text, success text, checksum bytea)", ""},
		"a view":                      {"create view _sqlx_migrations as select 1 / 0 as version, 'x' as description, true as success, ''::bytea as checksum", ""},
		"in a schema beside the path": {"create schema other; set search_path = other;" + sqlxTable, ""},
		"no row":                      {sqlxTable, "(by sqlx): once"},
		"one that failed":             {sqlxTable + "; insert into _sqlx_migrations values (20250110000099, 'x', now(), false, '', 0)", "(by sqlx): once"},
		"a version that hides":        {"create table schema_migrations (version text); insert into schema_migrations values (E'2\\x1b[31m')", `the last is 2\u001b[31m`},
		"row level security": {sqlxTable + ";" + row + "alter table _sqlx_migrations enable row level security; alter table _sqlx_migrations force row level security; " +
			"create policy p on _sqlx_migrations using (true)", "(by sqlx)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(c.sql)
			out, _ := w.run(exitDone, "plan")
			if c.says == "" && strings.Contains(folded(out), "migrations are noted") {
				t.Errorf("it is taken for a tool's:\n%s", out)
			}
			wants(t, out, c.says)
		})
	}
}

// TestOwnMigrationsHidden: a table that the role may not read, or that somebody holds, stops no plan; it is said with what would help.
func TestOwnMigrationsHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
	newSqlx(w, w.later())
	w.config(schemaWith(`migrations = "migrations"`))

	holder := w.connect()
	tx, err := holder.Begin(t.Context())
	must(t, err)
	if _, err := tx.Exec(t.Context(), "lock table _sqlx_migrations"); err != nil {
		t.Fatal(err)
	}
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "public._sqlx_migrations cannot be read (canceling statement due to", "all migrations that it would have count as not run")
	must(t, tx.Rollback(context.Background()))

	role := w.role("create role {role} login")
	w.rightsScript("plan", role)
	w.exec("revoke all on _sqlx_migrations from public")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "may not read public._sqlx_migrations")
	grants := pasted(out, "GRANT")
	if len(grants) != 1 {
		t.Fatalf("statements %q:\n%s", grants, out)
	}
	w.paste(grants)
	if out, _ = w.run(exitDone, "plan"); strings.Contains(folded(out), "may not read") {
		t.Errorf("the statement did not help:\n%s", out)
	}
}

// TestMigrationTables: a tool of another name is known by what the configuration says; what that cannot be is said with its place.
func TestMigrationTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 4}, emulator(t))
	w.exec(`create schema tools; create table tools."Applied Files" (filename text primary key, applied_at timestamptz);
		insert into tools."Applied Files" values ('0001_a.sql'), ('0015_b.sql')`)
	dir := filepath.Join(w.dir, "sql")
	must(t, os.Mkdir(dir, 0o755))
	must(t, os.Mkdir(filepath.Join(w.dir, "empty"), 0o755))
	for name, sql := range map[string]string{"0001_a.sql": columns15, "0015_b.sql": columns15, "0016_c.sql": columns15, "0017_d.sql": "select '"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(sql), 0o600))
	}
	w.config(schemaWith(`migrations = "sql"`, `migration_tables = ["tools.Applied Files"]`))
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "1 migration of the application in sql fails once this plan is carried out, as it makes what is there then: 0016_c.sql (",
		"the last in tools.Applied Files is 0015_b.sql", "1 file in sql is too long, or no SQL, so nobody knows whether it fails on what Anthill makes: 0017_d.sql")
	w.config(schemaWith(`migrations = "sql"`))
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "3 migrations of the application in sql fail", "no table was found in which a tool notes them, so all count as not run")
	for arguments, says := range map[string]string{
		`migrations = "nowhere"`:                       "the folder nowhere cannot be read: no such file or directory",
		`migrations = "empty"`:                         "the folder empty holds no *.sql file",
		`migrations = "main.anthill.hcl"`:              "it is no folder",
		`migration_tables = ["a.b.c"]`:                 `a table's name is needed, alone or behind its schema and a dot, not "a.b.c"`,
		`migration_tables = [""]`:                      "a table's name is needed",
		`migration_tables = keys(data.tenants.active)`: "Invalid reference",
	} {
		w.config(schemaWith(arguments))
		if status, out, errs := w.try("plan"); status != exitError {
			t.Errorf("%s: exit status %d\n%s", arguments, status, out)
		} else {
			wants(t, errs, says, "main.anthill.hcl")
		}
	}
}
