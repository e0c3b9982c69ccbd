package main

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg"
	"anthill/internal/selfauthd"
)

// readings are what a statement begins with that only reads, writings what may stand within one all the same, and texts
// what does not count there.
var (
	readings = regexp.MustCompile(`^(begin isolation level repeatable read read only|begin read only|set transaction snapshot|select|with|set|show|commit|rollback|-- ping)\b`)
	writings = regexp.MustCompile(`\b(insert|update|delete|merge|create|alter|drop|truncate|grant|copy|nextval|setval|pg_advisory\w*|lo_\w+|for (no key )?update|for (key )?share|read write)\b`)
	texts    = regexp.MustCompile(`'[^']*'`)
)

// TestPlansOnlyRead: what plans, compares and shows writes nothing: on Postgres every statement is looked at, on
// Self-auth every request.
func TestPlansOnlyRead(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pure") // which the server's user may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	pg, err := scratchpg.Start(t.Context(), scratchpg.Options{Env: func(name string) string {
		if name == "TMPDIR" {
			return dir
		}
		return os.Getenv(name)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, pg.Stop()) })
	must(t, pg.CreateDatabase(t.Context(), "app", ""))
	must(t, sandbox.Load(t.Context(), pg.URL("app"), sandbox.Options{Tenants: 6, Users: 200, Seed: 3}))

	var mu sync.Mutex
	watched, asked := false, []string(nil)
	w := attach(t, "", pg.URL("app"), emulatorWith(t, selfauthd.Options{
		Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if watched {
				asked = append(asked, r.Method+" "+r.URL.Path)
			}
			return false
		}}))
	logged := statementLog(t, pg, dir)
	// watch runs commands that only read.
	watch := func(commands ...[]string) {
		t.Helper()
		before := len(logged())
		mu.Lock()
		watched, asked = true, nil
		mu.Unlock()
		for _, args := range commands {
			if out, st := w.try2(args...); st != exitDone && st != exitChanges && st != exitBlocked {
				t.Errorf("%v: exit status %d:\n%s", args, st, out)
			}
		}
		mu.Lock()
		watched = false
		mu.Unlock()
		for _, request := range asked {
			if !strings.HasPrefix(request, "GET ") && request != "POST /v1/raw/search" {
				t.Errorf("a request of %v: %s", commands, request)
			}
		}
		statements := logged()[before:]
		if len(statements) < 5*len(commands) || len(asked) < len(commands) {
			t.Errorf("%v: %d statements and %d requests are seen", commands, len(statements), len(asked))
		}
		for _, s := range statements {
			if !readings.MatchString(s) || writings.MatchString(texts.ReplaceAllString(s, "")) {
				t.Errorf("a statement of %v: %s", commands, s)
			}
		}
	}
	plans := [][]string{{"plan"}, {"plan", "-out", "p"}, {"plan", "-json"}, {"plan", "-detailed-exitcode"}, {"status"}, {"status", "-json"}}

	w.config(everyone + waveEveryone)
	watch(plans...)
	watch([]string{"plan", "-diff", "p"}, []string{"show", "-check", "p"}, []string{"export", "users", "-out", "-"})
	one := w.active(1)[0]
	watch([]string{"explain", one[0]}, []string{"explain", "-json", one[0]}, []string{"plan", "-runbook", "-", "-target", "tenant=acme"})
	person := uuid.New()
	must(t, w.api.Accounts().Create(t.Context(), newPerson(person, "by-hand", one[1])))
	must(t, os.WriteFile(filepath.Join(w.dir, "links.csv"), []byte("user_id,person_id\n"+one[0]+","+person.String()+"\n"), 0o600))
	watch([]string{"import", "links", "links.csv"})
	must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{person}))
	w.run(exitDone, "apply", "p")
	watch(plans...)
	watch([]string{"explain", one[1]}, []string{"explain", "-reveal", one[0]})
	back := [][]string{{"rollback", "-out", "back"}, {"rollback", "-tenant", "acme", "-out", "back"}, {"rollback", "-delete-persons", "-out", "back"}}
	watch(back...)
	// Something to follow, and something that others have changed.
	w.exec("update users set role = 'admin' where user_id = (select min(user_id::text)::uuid from users where role = 'user' and {idp}_user_id is not null)")
	w.exec("delete from self_auth_tenant_groups where role = 'admin'")
	watch(plans...)
	w.run(exitDone, "rollback", "-auto-approve")
	watch(plans...)
}

// statementLog turns on the log of statements, and returns what reads those of the programs that are called anthill.
func statementLog(t *testing.T, pg *scratchpg.Server, dir string) func() []string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), pg.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for _, sql := range []string{"alter system set log_statement = 'all'", "alter system set log_line_prefix = '<%a> '", "select pg_reload_conf()"} {
		if _, err := c.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var file string
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "postgres.log" {
			file = path
		}
		return nil
	}))
	entry := regexp.MustCompile(`(?m)^<(anthill[^>]*)> LOG:  (?:statement|execute [^:]*): `)
	next := regexp.MustCompile(`(?m)^<[^>]*> `)
	return func() (list []string) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, at := range entry.FindAllStringIndex(text, -1) {
			s := text[at[1]:]
			if end := next.FindStringIndex(s); end != nil {
				s = s[:end[0]]
			}
			list = append(list, strings.ToLower(strings.Join(strings.Fields(s), " ")))
		}
		return list
	}
}
