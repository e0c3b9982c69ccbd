package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"anthill/internal/sandbox"
	"anthill/internal/scratchidm/idmtest"
	"anthill/internal/scratchpg/pgtest"
	"anthill/internal/selfauthd"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/providers/selfauth"
	"anthill/state/pg"
)

// journal are the journal records, each with how it ended.
const journal = `(select r.run, r.user_id, r.settled or coalesce(b.settled, false) as settled,
		case when r.verdict = '' and b.settled then 'done' else r.verdict end as verdict
	from anthill_state.records r left join anthill_state.batches b using (run, batch)) journal`

// tests runs the tests with a Postgres of their own, and lets the test binary be `anthill` in processes of its own.
type tests struct{ m *testing.M }

func (x tests) Run() int { return pgtest.Run(x.m, nil) }

func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name != "anthill" && name != "kanidm" { // the tests, and not one of their processes
		// The tests make much that is soon forgotten, many at once: collected less often it costs a fifth less of all that
		// they do. The processes of the program inherit that.
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(2 << 30) // beyond which it is collected as ever
		os.Setenv("GOGC", "400")
	}
	testscript.Main(tests{m}, map[string]func(){"anthill": main, "kanidm": kanidm})
}

// world is an application database and a Self-auth server with a folder for a configuration.
type world struct {
	t      *testing.T
	naming string
	dir    string
	url    string // of the database, as its owner
	env    map[string]string
	now    func() time.Time
	api    *selfauth.Provider
	mapped map[string]map[string]string // of the mapping rows, read once
}

// server says how tests reach a Self-auth server.
type server struct{ url, caFile, token, readToken string }

// emulator starts a fresh emulator for one test.
func emulator(t *testing.T) server { return emulatorWith(t, selfauthd.Options{}) }

func emulatorWith(t *testing.T, o selfauthd.Options) server {
	t.Helper()
	s, err := selfauthd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	rw, ro := s.Operator()
	return server{s.URL(), ca, rw, ro}
}

// servers are the Self-auth servers that the main job is proved on: the emulator, and a real one where there is one.
func servers(t *testing.T) map[string]func(*testing.T) server {
	all := map[string]func(*testing.T) server{"emulator": emulator}
	if start, ok := idmtest.Real(t); ok {
		all["real"] = func(t *testing.T) server {
			s := start(t)
			return server{s.URL, s.CAFile, s.ReadWrite, s.ReadOnly}
		}
	}
	return all
}

// newWorld makes a world of its own for a test.
func newWorld(t *testing.T, o sandbox.Options, s server) *world {
	t.Helper()
	key := fmt.Sprintln(o.Tenants, o.Users, o.Seed, o.Naming, o.Level, o.Fresh)
	url := pgtest.Filled(t, key, func(ctx context.Context, url string) error { return sandbox.Load(ctx, url, o) })
	return attach(t, o.Naming, url, s)
}

// attach makes a world of a database and a server that are there.
func attach(t *testing.T, naming, url string, s server) *world {
	t.Helper()
	if naming == "" {
		naming = "self_auth"
	}
	w := &world{t: t, naming: naming, dir: t.TempDir(), url: url, now: time.Now, env: map[string]string{"DATABASE_URL": url, "SELF_AUTH_URL": s.url,
		"SELF_AUTH_CA_FILE": s.caFile, "SELF_AUTH_ADMIN_TOKEN": s.token, "SELF_AUTH_READ_TOKEN": s.readToken, "LANG": "C.UTF-8"}}
	var err error
	if w.api, err = selfauth.Open(selfauth.Options{URL: s.url, CAFile: s.caFile, Token: s.token, Application: "anthill-test"}); err != nil {
		t.Fatal(err)
	}
	return w
}

// everyone is a configuration that moves everybody at once.
const everyone = `
schema { level = "dual" }
data "tenants" "active" { status = ["active"] }
group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_admins"
  role     = "admin"
  members { roles = ["admin", "super_admin"] }
}
group "users" {
  for_each    = data.tenants.active
  tenant      = each.key
  name        = "tenant_${slug(each.key, 50)}_users"
  description = "${each.key} Users"
  role        = "member"
  members { all = true }
}
auth_policy "dual" { method = "dual" }
exclude { emails = ["system@anthill.local"] }
guard {
  max_users_changed_percent = 100
  max_removed_percent       = 100
  keep_admins               = 0
}
`

const waveEveryone = `
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
}
`

// config writes the configuration of the world; the naming is added.
func (w *world) config(text string) {
	w.t.Helper()
	text = fmt.Sprintf("provider \"postgres\" { naming = %q }\n", w.naming) + text
	if err := os.WriteFile(filepath.Join(w.dir, "main.anthill.hcl"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// run runs anthill in the world's folder and demands an exit status.
func (w *world) run(want int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	status, stdout, stderr := w.try(args...)
	if status != want {
		w.t.Fatalf("anthill %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, stdout, stderr)
	}
	return stdout, stderr
}

func (w *world) try(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = w.program(&out, &errs).run(w.t.Context(), append([]string{"anthill"}, args...))
	return status, out.String(), errs.String()
}

// program is anthill in the world's folder.
func (w *world) program(stdout, stderr io.Writer) *program {
	return &program{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, env: func(k string) string { return w.env[k] },
		environ: os.Environ, now: w.now, who: "tester@host", folder: w.dir}
}

// environment is the world's for a process.
func (w *world) environment() []string {
	env := os.Environ()
	for k, v := range w.env {
		env = append(env, k+"="+v)
	}
	return env
}

// connect is a connection of the application; it ends with the test.
func (w *world) connect() *pgx.Conn {
	w.t.Helper()
	c := w.connectFor(w.t.Context())
	w.t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func (w *world) connectFor(ctx context.Context) *pgx.Conn {
	w.t.Helper()
	c, err := pgx.Connect(ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// brief is a connection for one statement, and what ends it: a long test has many, and the server no more than a hundred for all.
func (w *world) brief() (c *pgx.Conn, end func()) {
	w.t.Helper()
	c = w.connectFor(w.t.Context())
	return c, func() { c.Close(context.WithoutCancel(w.t.Context())) }
}

// exec changes the application's rows; {idp} and {value} are spelled by the naming.
func (w *world) exec(sql string, args ...any) int64 {
	w.t.Helper()
	c, end := w.brief()
	defer end()
	tag, err := c.Exec(w.t.Context(), w.spell(sql), args...)
	if err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return tag.RowsAffected()
}

func (w *world) spell(sql string) string {
	value := map[string]string{"self_auth": "self-auth", "kanidm": "kanidm"}[w.naming]
	return strings.NewReplacer("{idp}", w.naming, "{value}", value).Replace(sql)
}

func (w *world) number(sql string, args ...any) (n int) {
	w.t.Helper()
	c, end := w.brief()
	defer end()
	if err := c.QueryRow(w.t.Context(), w.spell(sql), args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (w *world) fingerprint() sandbox.Fingerprint {
	w.t.Helper()
	f, err := sandbox.TakeFingerprint(w.t.Context(), w.url, w.naming)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// directory is what Self-auth holds, read through the client.
type directory struct {
	persons map[uuid.UUID]providers.Person
	groups  map[string]providers.Group
}

func (w *world) directory() directory {
	w.t.Helper()
	d := directory{map[uuid.UUID]providers.Person{}, map[string]providers.Group{}}
	for p, err := range w.api.Directory().Persons(w.t.Context()) {
		if err != nil {
			w.t.Fatal(err)
		}
		d.persons[p.ID] = p
	}
	groups, err := w.api.Directory().Groups(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, g := range groups {
		d.groups[g.Name] = g
	}
	return d
}

func newPerson(id uuid.UUID, name, mail string) []providers.NewPerson {
	return []providers.NewPerson{{ID: id, Name: name, Display: name, Mail: mail}}
}

// lock takes the lock of the target as somebody else would, and returns what releases it.
func (w *world) lock(who string) func() {
	w.t.Helper()
	db, err := postgres.Open(w.t.Context(), postgres.Options{URL: w.env["DATABASE_URL"], Naming: w.naming, Application: "anthill apply"})
	if err != nil {
		w.t.Fatal(err)
	}
	lock, err := pg.Open(db.Pool(), "anthill_state", pg.Names(db.UsersTable())).Lock(w.t.Context(), who, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		_ = lock.Release(context.Background())
		db.Close()
	}
}
