package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"anthill/internal/sandbox"
)

// tables is what the catalogue says of the application's tables: columns in their order, constraints, indexes, triggers,
// views, functions and comments.
func (w *world) tables() string {
	w.t.Helper()
	var text string
	err := w.connect().QueryRow(w.t.Context(), `with lines as (
			select format('column %s.%s %s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
				pg_get_expr(d.adbin, d.adrelid), row_number() over (partition by c.oid order by a.attnum)) as line
			from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
				left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
			where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')
		union all select format('constraint %s %s %s %s', conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid))
			from pg_constraint where connamespace = 'public'::regnamespace
		union all select indexdef from pg_indexes where schemaname = 'public'
		union all select pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
		union all select pg_get_viewdef(oid) from pg_class where relkind = 'v' and relnamespace = 'public'::regnamespace
		union all select format('%s %s: %s', objoid::regclass, objsubid, description) from pg_description
			where classoid = 'pg_class'::regclass and objoid in
				(select oid from pg_class where relnamespace = 'public'::regnamespace))
		select string_agg(line, E'\n' order by line) from lines`).Scan(&text)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// sameTables demands that the application's tables are as they were.
func (w *world) sameTables(when, before string) {
	w.t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(w.tables(), "\n")); diff != "" {
		w.t.Errorf("%s: the tables (-before +after):\n%s", when, diff)
	}
}

var deletesData = regexp.MustCompile(`-allow (DELETES_DATA=[0-9]+)`)

// schemaBack saves the plan of a rollback with -schema, and allows what it is blocked by. It returns the screen.
func (w *world) schemaBack(out string, args ...string) string {
	w.t.Helper()
	args = append([]string{"rollback", "-schema", "-out", out}, args...)
	screen, errs := w.run(exitBlocked, args...)
	m := deletesData.FindStringSubmatch(screen)
	if m == nil {
		w.t.Fatalf("no hazard DELETES_DATA:\n%s%s", screen, errs)
	}
	screen, _ = w.run(exitDone, append(args, "-allow", m[1])...)
	return screen
}

// TestSchemaThereAndBack: a rollback with -schema takes back the steps that our run has made, after the users, and the
// tables are as they were. The next apply makes the steps again, and so does a rollback of the rollback.
func TestSchemaThereAndBack(t *testing.T) {
	t.Parallel()
	for _, naming := range []string{"self_auth", "kanidm"} {
		t.Run(naming, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Naming: naming}, emulator(t))
			w.config(everyone + waveEveryone)
			tables, rows := w.tables(), w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			dual, linked := w.tables(), w.allLinked()
			screen := w.schemaBack("back")
			wants(t, screen, "11 schema steps back from dual to the baseline", "users.auth_method (0 values)",
				"- schema index idx_users_auth_method goes", "DELETES_DATA", "can itself be rolled back")
			for form, says := range map[string]string{
				"-markdown": "11 schema steps", "-stat": "11 schema steps", "-json": `"schema": "exact"`,
			} {
				out, _ := w.run(exitDone, "show", form, "back")
				wants(t, out, says)
				if form == "-json" {
					validPlan(t, out)
				}
			}
			w.run(exitDone, "apply", "back")
			w.sameTables("taken back", tables)
			if got := w.fingerprint(); got != rows {
				t.Error("the rows are not as they were")
			}
			w.run(exitDone, "apply", "back") // it is done already
			back := w.latest()
			out, _ := w.run(exitDone, "rollback", "-schema", "-auto-approve")
			wants(t, out, "Nothing to take back")

			w.run(exitDone, "apply", "-auto-approve")
			w.sameTables("made again", dual)
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.schemaBack("back")
			w.run(exitDone, "apply", "back")
			w.sameTables("taken back again", tables)

			w.run(exitDone, "rollback", "-run", back, "-auto-approve")
			w.sameTables("the rollback is undone", dual)
			if n := w.allLinked(); n != linked {
				t.Errorf("%d rows are linked, want %d", n, linked)
			}
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.schemaBack("back")
			w.run(exitDone, "apply", "back")
			w.sameTables("taken back for good", tables)
		})
	}
}

// TestSchemaOfTheSample: rows that were linked before the columns were made keep nothing, as they were there without them;
// and what the columns hold comes back with them.
func TestSchemaOfTheSample(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	tables, rows := w.tables(), w.fingerprint()
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.exec(`update users set migration_invited_at = '2026-11-03 10:00:00.123456+01'
		where user_id in (select user_id from users order by user_id limit 3)`)
	w.exec(`insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at,
			refresh_token_expires_at, revoked, auth_method, {idp}_session_id)
		select user_id, tenant_id, 'a', 'b', now(), now(), true, 'dual', user_id from users order by user_id limit 2`)
	const held = `select md5(string_agg(concat_ws(' ', user_id, auth_method, migration_invited_at, migration_completed_at),
			' ' order by user_id)) || (select md5(string_agg(concat_ws(' ', session_id, auth_method, {idp}_session_id), ' '
			order by session_id)) from sessions) from users`
	var before, after string
	must(t, w.connect().QueryRow(t.Context(), w.spell(held)).Scan(&before))
	values := w.number(`select count(*) filter (where auth_method <> 'password') + count(migration_invited_at)
		+ count(migration_completed_at) + (select count(*) filter (where auth_method <> 'jwt') + count({idp}_session_id)
		from sessions) from users`)
	screen := w.schemaBack("back")
	wants(t, screen, fmt.Sprintf("DELETES_DATA=%d", values+5), "users.migration_invited_at (3 values)",
		"sessions.auth_method (2 values)")
	w.run(exitDone, "apply", "back")
	w.sameTables("taken back", tables)
	if w.fingerprint() != rows {
		t.Error("the rows are not as they were")
	}
	out, _ := w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "what the columns held when run", "comes back")
	w.run(exitDone, "apply", "p")
	must(t, w.connect().QueryRow(t.Context(), w.spell(held)).Scan(&after))
	if before != after {
		t.Error("the columns do not hold what they held")
	}
	if n := w.number("select count(*) from anthill_state.archive"); n != 0 {
		t.Errorf("%d rows are left in the archive", n)
	}
}

// TestSchemaNeeded: what needs the columns keeps them, and is named, before anything is changed.
func TestSchemaNeeded(t *testing.T) {
	t.Parallel()
	some := func(w *world) (id uuid.UUID) {
		w.t.Helper()
		must(w.t, w.connect().QueryRow(w.t.Context(), "select user_id from users order by user_id limit 1").Scan(&id))
		return id
	}
	for name, c := range map[string]struct{ needs, says string }{
		"a link of the application": {"update users set {idp}_user_id = gen_random_uuid(), {idp}_synced_at = now(), " +
			"auth_method = 'dual', migration_completed_at = now() where user_id = '{user}'", "1 row of users is linked"},
		"another method":        {"update users set auth_method = 'dual' where user_id = '{user}'", "{user}"},
		"no password":           {"update users set password_hash = null where user_id = '{user}'", "{user}"},
		"a session":             {"insert into sessions (user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at, auth_method) select user_id, tenant_id, 'a', 'b', now(), now(), 'dual' from users where user_id = '{user}'", "1 row of sessions is a session of Self-auth"},
		"a session of no token": {"insert into sessions (user_id, tenant_id, refresh_token_hash, access_token_expires_at, refresh_token_expires_at, revoked) select user_id, tenant_id, 'b', now(), now(), true from users where user_id = '{user}'", "1 row of sessions"},
		"a view":                {"create view v_progress as select auth_method, count(*) from users group by 1", "view v_progress"},
		"an index":              {"create index mine on users (migration_invited_at)", "index mine"},
		"a check":               {"alter table users add constraint mine check (migration_completed_at > created_at)", "constraint mine on table users"},
		"a trigger":             {"create trigger mine before update of auth_method on users for each row execute function update_updated_at_column()", "trigger mine on table users"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "rollback", "-auto-approve")
			w.schemaBack("back") // so it is that alone
			id := some(w).String()
			w.exec(strings.ReplaceAll(c.needs, "{user}", id))
			tables, runs := w.tables(), len(w.runs())
			_, errs := w.run(exitBlocked, "rollback", "-schema", "-auto-approve")
			wants(t, errs, "the schema is needed", strings.ReplaceAll(c.says, "{user}", id))
			w.sameTables("refused", tables)
			if n := len(w.runs()); n != runs {
				t.Errorf("%d runs, want %d", n, runs)
			}
			// A plan that was made before is carried out, but for the schema.
			out, _ := w.run(exitRemainder, "apply", "back")
			wants(t, out, strings.ReplaceAll(c.says, "{user}", id))
			w.sameTables("needed since the plan", tables)
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}

// TestSchemaOfOthers: what no run of ours has made is never taken back.
func TestSchemaOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4, Level: "dual"}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	tables, runs := w.tables(), len(w.runs())
	_, errs := w.run(exitError, "rollback", "-schema", "-auto-approve")
	wants(t, errs, "what the application had before is never taken back")
	w.sameTables("refused", tables)
	if n := len(w.runs()); n != runs {
		t.Errorf("%d runs, want %d", n, runs)
	}
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	if strings.Contains(out, "-schema") {
		t.Errorf("it offers to take back the schema:\n%s", out)
	}
}

// TestSchemaOfAnEarlierRun: the steps go with the run that made them, and -schema goes with whole runs.
func TestSchemaOfAnEarlierRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	tables := w.tables()
	w.config(everyone)
	w.run(exitDone, "apply", "-auto-approve")
	first := w.latest()
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	_, errs := w.run(exitError, "rollback", "-schema", "-auto-approve")
	wants(t, errs, "anthill rollback -run "+first+" -schema")
	for _, narrowed := range []string{"-wave=everyone", "-tenant=acme"} {
		_, errs := w.run(exitError, "rollback", "-schema", narrowed, "-auto-approve")
		wants(t, errs, "-schema goes with whole runs")
	}
	_, errs = w.run(exitBlocked, "rollback", "-schema", "-run", first, "-auto-approve")
	wants(t, errs, "rows of users are linked", "among them")
	w.run(exitDone, "rollback", "-auto-approve")
	w.schemaBack("back")
	w.run(exitDone, "apply", "back")
	w.sameTables("taken back", tables)
}

// TestSchemaByAWeakRole: who may not drop columns is told before anything is done.
func TestSchemaByAWeakRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	tables := w.tables()
	w.role(writer()...)
	w.schemaBack("back") // planning needs no such right
	for _, args := range [][]string{{"apply", "back"}, {"rollback", "-schema", "-auto-approve"}} {
		_, errs := w.run(exitRefused, args...)
		wants(t, errs, "Only its owner may change a table", "users")
	}
	w.sameTables("refused", tables)
	w.checkMoved()
	w.run(exitDone, "rollback", "-auto-approve") // without the schema it may
}

// TestSchemaCutAnywhere: wherever a rollback with -schema is cut, it is finished by the same command, or closed and taken
// up by the next one; in the end the tables are as they were, and they can be made again.
func TestSchemaCutAnywhere(t *testing.T) {
	t.Parallel()
	prepared := func(t *testing.T) (w *world, tables string) {
		w = newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
		w.config(everyone + waveEveryone)
		tables = w.tables()
		w.run(exitDone, "apply", "-auto-approve")
		w.schemaBack("back")
		return w, tables
	}
	cutting := func(w *world) transactionCutter {
		c := w.cutter()
		c.sql("create trigger cut before insert or update on anthill_state.object_records for each statement execute function cut()")
		return c
	}
	rest := func(c transactionCutter) {
		c.t.Helper()
		for _, table := range []string{"meta", "runs", "waves", "object_records"} {
			c.sql("drop trigger cut on anthill_state." + table)
		}
		c.sql("drop sequence cuts")
		c.sql("drop function cut()")
	}
	w, tables := prepared(t)
	c := cutting(w)
	w.run(exitDone, "apply", "back")
	places := c.seen()
	if places < 30 {
		t.Fatalf("only %d places to cut at", places)
	}
	rest(c)
	w.sameTables("not cut", tables)
	ends := map[string]func(w *world){
		"resumed": func(w *world) { w.run(exitDone, "apply", "back") },
		"closed, and taken back again": func(w *world) {
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.schemaBackOf()
		},
		"closed, and made again": func(w *world) {
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.run(exitDone, "apply", "-auto-approve")
			w.schemaBackOf()
		},
	}
	// Each end comes at every twelfth place of the last forty-five, and at each of these places one or two of them.
	for i, name := range slices.Sorted(maps.Keys(ends)) {
		end := ends[name]
		for n := places - 6*(i%2); n > places-45; n -= 12 {
			t.Run(fmt.Sprintf("%s, %d from the end", name, places-n), func(t *testing.T) {
				t.Parallel()
				w, tables := prepared(t)
				c := cutting(w)
				c.at(n)
				w.run(exitStopped, "apply", "back")
				rest(c)
				end(w)
				w.sameTables("in the end", tables)
				if linked := w.allLinked(); linked != 0 {
					t.Errorf("%d rows are linked", linked)
				}
			})
		}
	}
}

// schemaBackOf takes back whatever stands, the schema with it.
func (w *world) schemaBackOf() {
	w.t.Helper()
	status, out, _ := w.try("rollback", "-schema", "-out", "again")
	args := []string{"rollback", "-schema", "-out", "again"}
	if m := deletesData.FindStringSubmatch(out); status == exitBlocked && m != nil {
		args = append(args, "-allow", m[1])
	}
	w.run(exitDone, args...)
	w.run(exitDone, "apply", "again")
}

// validPlan demands that what -json writes of a plan is valid by the published schema.
func validPlan(t *testing.T, text string) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../../docs/plan.schema.json")
	must(t, err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	must(t, err)
	must(t, schema.Validate(value))
}

// TestSchemaOfACutRun: steps that a run has made before it was cut, or has only begun, are taken back as well.
func TestSchemaOfACutRun(t *testing.T) {
	t.Parallel()
	for _, n := range []int{9, 12, 16, 20, 27, 36, 44} {
		t.Run(fmt.Sprintf("cut at %d", n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			tables := w.tables()
			w.config(strings.Replace(everyone, "schema { level = \"dual\" }", "", 1))
			w.run(exitDone, "apply", "-auto-approve")
			w.config(everyone + waveEveryone)
			c := w.cutter()
			c.sql("create trigger cut before insert or update on anthill_state.object_records for each statement execute function cut()")
			c.at(n)
			w.run(exitStopped, "apply", "-auto-approve")
			for _, table := range []string{"meta", "runs", "waves", "object_records"} {
				c.sql("drop trigger cut on anthill_state." + table)
			}
			c.sql("drop sequence cuts")
			c.sql("drop function cut()")
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.schemaBackOf()
			w.sameTables("taken back", tables)
			w.run(exitDone, "apply", "-auto-approve")
			w.schemaBackOf()
			w.sameTables("taken back again", tables)
		})
	}
}
