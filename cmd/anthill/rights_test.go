package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// granted are the statements of a message about rights that are missing.
func granted(text string) (list []string) {
	for _, m := range regexp.MustCompile(`(?m)^ {4}((?:GRANT|ALTER) .*;)$`).FindAllStringSubmatch(text, -1) {
		list = append(list, m[1])
	}
	return list
}

// rightsScript runs the statements that `anthill rights` prints to whoever runs psql.
func (w *world) rightsScript(work, role string) {
	w.t.Helper()
	out, _ := w.run(exitDone, "rights", "-for", work, "-role", role)
	for line := range strings.Lines(out) {
		if sql := strings.TrimSpace(line); sql != "" && !strings.HasPrefix(sql, "--") {
			w.exec(sql)
		}
	}
}

// roles makes roles that may log in and nothing else, and returns how each reaches the database.
func (w *world) roles(names ...string) (role, url map[string]string) {
	w.t.Helper()
	role, url = map[string]string{}, map[string]string{}
	owner := w.env["DATABASE_URL"]
	for _, name := range names {
		w.env["DATABASE_URL"] = owner
		role[name] = w.role("create role {role} login")
		url[name] = w.env["DATABASE_URL"]
	}
	// What everybody may do is no proof of what a role needs.
	w.exec("revoke all on function pg_control_system() from public; revoke all on schema public from public; " +
		"revoke all on database " + w.database() + " from public; grant connect on database " + w.database() + " to public")
	return role, url
}

// few is a small world whose tables belong to a role that is no superuser.
func few(t *testing.T, names ...string) (w *world, role, url map[string]string) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 5}, emulator(t))
	w.config(everyone + waveEveryone + "tenant \"fresh\" {\n  slug = \"fresh\"\n  name = \"Fresh\"\n}\n")
	role, url = w.roles(append(names, "owner")...)
	for _, table := range []string{"users", "sessions", "tenants", "self_auth_tenant_groups", "user_profiles"} {
		w.exec("alter table " + table + " owner to " + role["owner"])
	}
	w.exec("grant usage on schema public to " + role["owner"]) // whose triggers and foreign keys run as the owner
	return w, role, url
}

// TestRightsSuffice goes the whole way with roles that have what `anthill rights` prints for them, and nothing more.
func TestRightsSuffice(t *testing.T) {
	t.Parallel()
	w, role, url := few(t, "schema", "plan", "apply", "support")
	as := func(work string) { w.t.Helper(); w.env["DATABASE_URL"] = url[work] }
	may := func(args ...string) { w.t.Helper(); w.run(exitDone, args...) }

	as("schema") // which may look at the catalogue, as everybody
	w.rightsScript("schema", role["schema"])
	may("plan")
	may("apply", "-auto-approve")
	w.checkMoved()
	may("plan", "-detailed-exitcode")
	may("status", "-sessions")

	as("plan")
	w.rightsScript("plan", role["plan"])
	may("plan", "-detailed-exitcode")
	may("status", "-sessions")
	may("wave", "list")
	w.exec("update users set role = 'user' where role = 'admin' and user_id = (select min(user_id::text)::uuid from users where role = 'admin' and deleted_at is null)")
	_, errs := w.run(exitRefused, "apply", "-auto-approve")
	if got := granted(errs); len(got) < 10 || !strings.Contains(errs, "anthill rights -for apply -role "+role["plan"]) {
		t.Errorf("to apply, the role of plans lacks %q\n%s", got, errs)
	}

	doc, err := os.ReadFile("../../docs/rights.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`(?m)^ {4}anthill (.*)$`).FindAllStringSubmatch(string(doc), -1)
	if len(said) != 2 {
		t.Fatalf("docs/rights.md has %d commands", len(said))
	}
	for _, m := range said {
		may(strings.Fields(m[1])...)
	}

	as("support")
	w.rightsScript("support", role["support"])
	may("explain", w.anyone())

	as("apply")
	w.rightsScript("apply", role["apply"])
	may("plan", "-out", "p.plan")
	may("apply", "p.plan")
	may("wave", "pause", "everyone", "-reason", "a look")
	may("wave", "resume", "everyone")
	may("status")
	may("rollback", "-auto-approve")
	may("status", "-sessions")
	may("wave", "resume", "everyone")
	may("apply", "-auto-approve")
	w.checkMoved()
	_, errs = w.run(exitRefused, "rollback", "-schema", "-auto-approve")
	wants(t, errs, "the structure of public.users", "GRANT "+role["owner"]+" TO "+role["apply"], "GRANT CREATE ON SCHEMA", "-for schema")
	w.run(exitRefused, "rollback", "-schema", "-out", "s.plan") // it would read what sessions hold

	as("schema") // which has got what the steps made by being a member of the owner
	w.rightsScript("schema", role["schema"])
	may("rollback", "-auto-approve")
	may("plan")
}

// anyone is the address of somebody.
func (w *world) anyone() (mail string) {
	w.t.Helper()
	err := w.connect().QueryRow(w.t.Context(), "select email from users where deleted_at is null order by user_id limit 1").Scan(&mail)
	if err != nil {
		w.t.Fatal(err)
	}
	return mail
}

// TestAllRightsAtOnce: whoever has no right at all is told all of them in one message, and needs no second one.
func TestAllRightsAtOnce(t *testing.T) {
	t.Parallel()
	w, role, url := few(t, "one")
	w.env["DATABASE_URL"] = url["one"]
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}} {
		_, errs := w.run(exitRefused, args...)
		list := granted(errs)
		if len(list) < 3 || strings.Count(errs, "lacks rights on") != 1 {
			t.Fatalf("%v says\n%s", args, errs)
		}
		for _, sql := range list {
			if !strings.HasSuffix(sql, " TO "+role["one"]+";") {
				t.Errorf("%s", sql)
			}
			w.exec(sql)
		}
		w.run(exitDone, args...)
	}
	w.checkMoved()
	w.run(exitDone, "rollback", "-auto-approve")
}

// TestEachRight takes away a few rights at a time, is told exactly those that are needed, grants them as told, and goes on.
func TestEachRight(t *testing.T) {
	t.Parallel()
	w, role, url := few(t, "schema", "apply")
	w.env["DATABASE_URL"] = url["schema"]
	w.rightsScript("schema", role["schema"])
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "wave", "resume", "everyone")
	w.env["DATABASE_URL"] = url["apply"]
	w.rightsScript("apply", role["apply"])
	w.run(exitDone, "plan", "-out", "p.plan")
	w.run(exitDone, "apply", "p.plan")

	// To apply the same plan again does nothing, and needs all that it needed.
	commands := [][]string{{"apply", "p.plan"}, {"status", "-sessions"}}
	idle := map[string]bool{}
	taken := w.heldBy(role["apply"])
	if len(taken) < 80 {
		t.Fatalf("the role has %d rights", len(taken))
	}
	owner := w.connect()
	exec := func(sql string) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for rights := range slices.Chunk(taken, 8) {
		for _, right := range rights {
			exec("revoke " + right + " from " + role["apply"])
		}
		without := strings.Join(rights, ", ")
		for _, args := range commands {
			status, out, errs := w.try(args...)
			// What it takes to look at the database comes first, and then all that the command needs.
			for range 2 {
				list := granted(errs)
				if status == exitDone {
					break
				}
				if status != exitRefused || len(list) == 0 {
					t.Fatalf("without %s: status %d, %q\n%s%s", without, status, list, out, errs)
				}
				for _, grant := range list {
					had := len(w.heldBy(role["apply"]))
					if exec(grant); len(w.heldBy(role["apply"])) == had {
						t.Errorf("without %s: asked for %s, which it has", without, grant)
					}
				}
				status, out, errs = w.try(args...)
			}
			if status != exitDone {
				t.Fatalf("without %s, and with what was told: status %d\n%s%s", without, status, out, errs)
			}
		}
		held := w.heldBy(role["apply"])
		for _, right := range held {
			if !slices.Contains(taken, right) {
				t.Errorf("without %s: asked for %s too", without, right)
			}
		}
		for _, right := range rights {
			if !slices.Contains(held, right) {
				idle[right] = true
				exec("grant " + right + " to " + role["apply"])
			}
		}
	}
	// Of other plans: where tenants are changed, users are invited or get the language of their letters, and who is forgotten.
	for right := range idle {
		if !regexp.MustCompile(`^UPDATE \((name|plan|settings|slug|status|migration_invited_at)\) ON public\.(tenants|users)$|` +
			`^(INSERT|UPDATE) .*ON public\.tenants$|ON public\.user_profiles$|^SELECT \((created_at|last_login_at)\) ON public\.users$`).MatchString(right) {
			t.Errorf("nothing needs %s", right)
		}
	}
}

// heldBy lists all that is granted to a role, one privilege on one thing at a time, as GRANT spells it.
func (w *world) heldBy(role string) (list []string) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), `
		select x.privilege_type || ' ON ' || case c.relkind when 'S' then 'SEQUENCE ' else '' end || c.relnamespace::regnamespace || '.' || quote_ident(c.relname)
			from pg_class c, aclexplode(c.relacl) x where x.grantee = $1::regrole
		union all select x.privilege_type || ' (' || quote_ident(a.attname) || ') ON ' || c.relnamespace::regnamespace || '.' || quote_ident(c.relname)
			from pg_attribute a join pg_class c on c.oid = a.attrelid, aclexplode(a.attacl) x where x.grantee = $1::regrole
		union all select x.privilege_type || ' ON SCHEMA ' || n.nspname from pg_namespace n, aclexplode(n.nspacl) x where x.grantee = $1::regrole
		union all select x.privilege_type || ' ON FUNCTION pg_control_system()' from pg_proc f, aclexplode(f.proacl) x where x.grantee = $1::regrole
		order by 1`, role)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, one)
	}
	return list
}

// TestHostileSettings goes the whole way with a role whose sessions begin with settings that are none of ours.
func TestHostileSettings(t *testing.T) {
	t.Parallel()
	w, role, url := few(t, "schema", "apply")
	w.env["DATABASE_URL"] = url["schema"]
	w.rightsScript("schema", role["schema"])
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "wave", "resume", "everyone")
	w.exec("create schema trap; create table trap.users (like public.users including all); create table trap.tenants (like public.tenants including all); " +
		"create table trap.sessions (like public.sessions); create table trap.self_auth_tenant_groups (like public.self_auth_tenant_groups)")
	w.exec("grant usage on schema trap to public; grant all on all tables in schema trap to public")
	w.env["DATABASE_URL"] = url["apply"]
	w.setting("search_path", "public")
	w.rightsScript("apply", role["apply"])
	admin := "(select user_id from users where role = 'admin' and status = 'active' and deleted_at is null order by user_id limit 1)"
	for name, settings := range map[string][]string{
		"timeouts":     {"statement_timeout = '1s'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'", "idle_session_timeout = '1s'"},
		"search_path":  {"search_path = trap, pg_temp", "row_security = off"},
		"serializable": {"default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on"},
		"repeatable":   {"default_transaction_isolation = 'repeatable read'"},
		"texts": {"client_encoding = 'LATIN1'", "lc_messages = 'C'", "standard_conforming_strings = off", "backslash_quote = on", "escape_string_warning = on",
			"DateStyle = 'German, DMY'", "TimeZone = 'Pacific/Chatham'", "IntervalStyle = 'sql_standard'",
			"bytea_output = 'escape'", "extra_float_digits = -15", "xmlbinary = 'hex'", "quote_all_identifiers = on", "transform_null_equals = on", "array_nulls = off",
			"synchronous_commit = off", "default_table_access_method = 'heap'", "default_toast_compression = 'pglz'"},
		"another's role": {"role = '" + role["schema"] + "'"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.exec("alter role " + role["apply"] + " reset all")
			for _, s := range settings {
				w.exec("alter role " + role["apply"] + " set " + s)
			}
			w.run(exitDone, "plan", "-out", "p.plan")
			w.run(exitDone, "apply", "p.plan")
			w.checkMoved()
			w.exec("update users set role = 'viewer' where user_id = " + admin)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.run(exitDone, "status", "-sessions")
			w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
			w.run(exitDone, "status")
			w.run(exitDone, "wave", "resume", "everyone")
			w.exec("update users set role = 'admin' where role = 'viewer'")
			if n := w.number("select count(*) from trap.users"); n != 0 {
				t.Errorf("%d rows in another table", n)
			}
		})
		os.Remove(filepath.Join(w.dir, "p.plan"))
	}
	w.t = t
}

// TestRightsOffline prints rights without a server, and for programs.
func TestRightsOffline(t *testing.T) {
	t.Parallel()
	p, stdout, stderr := alone(t)
	config := "anthill {\n  state \"postgres\" {\n    schema = \"order\"\n  }\n}\nprovider \"postgres\" { naming = \"kanidm\" }\n"
	if err := os.WriteFile(filepath.Join(p.folder, "main.anthill.hcl"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if status := p.run(t.Context(), []string{"anthill", "rights", "-for", "plan", "-role", "user", "-json"}); status != exitDone {
		t.Fatalf("status %d\n%s", status, stderr)
	}
	var found struct {
		Roles []struct {
			For, Role  string
			Statements []string
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &found); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(found.Roles[0].Statements, "\n")
	for _, want := range []string{`CREATE ROLE "user" LOGIN;`, `GRANT USAGE ON SCHEMA "order" TO "user";`,
		`GRANT SELECT (kanidm_group_name, kanidm_group_uuid, role, tenant_id) ON kanidm_tenant_groups TO "user";`,
		`GRANT SELECT ON "order".runs TO "user";`} {
		if !strings.Contains(text, want) {
			t.Errorf("it lacks %s\n%s", want, text)
		}
	}
	if strings.Contains(text, "UPDATE") || strings.Contains(text, "INSERT") {
		t.Errorf("a plan writes nothing:\n%s", text)
	}
}
