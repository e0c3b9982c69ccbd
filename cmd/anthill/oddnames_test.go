package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/state"
)

// oddly is what a database could call something that the application calls otherwise.
func oddly(n int, name string) string {
	return []string{"%s-x", "The %s", `"%s"`, "%%%s{users}", "ä%sß", "%s'; --", "$%s$1", "%s.%%s"}[n%8]
}

// renamed gives each table, column and value another name, and returns the argument that says so, and the statements there and back.
func renamed() (argument string, there, back []string) {
	name := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	physical := state.PhysicalNames("self_auth")
	var lines []string
	odd := map[string]string{}
	for n, logical := range slices.Sorted(maps.Keys(physical)) {
		if strings.HasPrefix(logical, "values.") {
			continue
		}
		odd[logical] = fmt.Sprintf(oddly(n, logical), physical[logical])
		lines = append(lines, fmt.Sprintf("    %q = %s", logical, hclText(odd[logical])))
	}
	rename := func(logical, from, to string) {
		table, _, column := strings.Cut(logical, ".")
		if !column {
			there = append(there, "alter table "+name(from)+" rename to "+name(to))
			back = append(back, "alter table "+name(to)+" rename to "+name(from))
			return
		}
		// Columns that are not there yet are made under their other names.
		there = append(there, fmt.Sprintf(`do $do$ begin alter table %s rename column %s to %s; exception when undefined_column then null; end $do$`,
			name(physical[table]), name(from), name(to)))
		back = append(back, fmt.Sprintf(`do $do$ begin alter table %s rename column %s to %s; exception when undefined_column then null; end $do$`,
			name(physical[table]), name(to), name(from)))
	}
	logical := slices.Sorted(maps.Keys(odd))
	for _, l := range logical {
		if strings.Contains(l, ".") {
			rename(l, physical[l], odd[l])
		}
	}
	for _, l := range logical {
		if !strings.Contains(l, ".") {
			rename(l, physical[l], odd[l])
		}
	}
	// Tables first on the way back, whose columns are renamed by the tables' own names.
	slices.Reverse(back)
	return "provider \"postgres\" {\n  names = {\n" + strings.Join(lines, "\n") + "\n  }\n}\n", there, back
}

// hclText is a text as a literal of the language.
func hclText(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(fmt.Sprintf("%q", s))
}

// TestOddNames: a database that calls everything otherwise goes the whole way there and back, with a role that has exactly the rights
// that are printed for it.
func TestOddNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 4}, emulator(t))
	tables, rows := w.tables(), w.fingerprint()
	names, there, back := renamed()
	for _, sql := range there {
		w.exec(sql)
	}
	w.config(everyone + waveEveryone)
	file := filepath.Join(w.dir, "main.anthill.hcl")
	text, err := os.ReadFile(file)
	must(t, err)
	_, rest, _ := strings.Cut(string(text), "\n") // the provider's block
	must(t, os.WriteFile(file, []byte(names+rest), 0o600))
	w.run(exitDone, "validate")
	w.rightsScript("schema", w.role("create role {role} login"))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	for _, args := range [][]string{{"status"}, {"status", "-tenants"}, {"status", "-kpi"}, {"status", "-daily"}, {"status", "-sessions"},
		{"wave", "list"}, {"rights", "-json"}} {
		w.run(exitDone, args...)
	}
	w.run(exitDone, "explain", w.texts(`select user_id::text from anthill_state.users order by 1 limit 1`)[0])
	w.schemaBack("back")
	w.run(exitDone, "apply", "back")
	w.run(exitDone, "apply", "-auto-approve") // the schema alone: the wave is paused
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.schemaBack("again", "-run", w.texts("select id from anthill_state.runs where kind = 'apply' order by n offset 1 limit 1")[0])
	w.run(exitDone, "apply", "again")
	for _, sql := range back {
		w.exec(sql)
	}
	w.sameTables("taken back", tables)
	if w.fingerprint() != rows {
		t.Error("the rows are not as they were")
	}
}
