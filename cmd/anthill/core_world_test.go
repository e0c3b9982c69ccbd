package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/internal/selfauthd"
	"anthill/providers"
	"anthill/state"
)

// The moments at which something can go wrong: a call of Self-auth, one that writes, a commit in Postgres.
const (
	atCall   = "call"
	atWrite  = "write"
	atCommit = "commit"
)

// strike is what happens at one moment of the program: the at-th call, write or commit since it was set.
type strike struct {
	where string
	at    int
	after bool        // once it has had its effect, and before it is answered
	do    func() bool // true: the connection is dropped
	done  bool
}

// site is both servers as the program sees them. It counts what the program writes, and carries out strikes. The test
// itself reaches both servers past it.
type site struct {
	server
	passwords [2]string // of idm_admin and admin
	passage   *passage

	mu     sync.Mutex
	strike *strike
	seen   map[string]int        // since the strike was set
	number map[*http.Request]int // of the writes under way
	at     sync.WaitGroup        // strikes that are being carried out
	away   map[bool]bool         // Self-auth, or Postgres (true), does not answer
}

func newSite(t *testing.T, database string) *site {
	t.Helper()
	s := &site{seen: map[string]int{}, number: map[*http.Request]int{}, away: map[bool]bool{}}
	d, err := selfauthd.Start(selfauthd.Options{Intercept: s.intercept, After: s.answering})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, d.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	rw, ro := d.Operator()
	s.server = server{d.URL(), ca, rw, ro}
	s.passwords[0], s.passwords[1] = d.Passwords()
	s.passage = newPassage(t, s, database)
	return s
}

// set makes something happen; nil: nothing. The counters begin anew, and what was away is there again. It returns when what
// is happening has happened.
func (s *site) set(k *strike) {
	s.at.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strike, s.seen, s.away = k, map[string]int{}, map[bool]bool{}
}

// writes counts those to Self-auth since a strike was set.
func (s *site) writes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[atWrite]
}

// lose makes a server go away for good; its connections are cut by whoever serves them.
func (s *site) lose(where string) {
	s.mu.Lock()
	s.away[where == atCommit] = true
	s.mu.Unlock()
	if where == atCommit {
		s.passage.cut()
	}
}

func (s *site) isAway(postgres bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away[postgres]
}

// next is the number of a write or commit that begins.
func (s *site) next(where string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[where]++
	return s.seen[where]
}

// hit carries out the strike if this is its moment; true: the connection is dropped.
func (s *site) hit(where string, n int, after bool) bool {
	s.mu.Lock()
	k := s.strike
	if k == nil || k.done || k.where != where || k.at != n || k.after != after {
		s.mu.Unlock()
		return false
	}
	k.done = true
	s.at.Add(1)
	s.mu.Unlock()
	defer s.at.Done()
	return k.do()
}

func isProgram(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "anthill/") }

func (s *site) intercept(_ http.ResponseWriter, r *http.Request) bool {
	if !isProgram(r) {
		return false
	}
	if s.isAway(false) {
		panic(http.ErrAbortHandler)
	}
	if s.hit(atCall, s.next(atCall), false) {
		panic(http.ErrAbortHandler)
	}
	if !isWrite(r) {
		return false
	}
	n := s.next(atWrite)
	s.mu.Lock()
	s.number[r] = n
	s.mu.Unlock()
	if s.hit(atWrite, n, false) {
		panic(http.ErrAbortHandler)
	}
	return false
}

func (s *site) answering(r *http.Request) bool {
	s.mu.Lock()
	n := s.number[r]
	delete(s.number, r)
	s.mu.Unlock()
	return n > 0 && s.hit(atWrite, n, true)
}

// passage passes the program's connections on to Postgres and knows their commits.
type passage struct {
	site   *site
	url    string // of the database, by way of the passage
	target string // socket of Postgres
	mu     sync.Mutex
	lines  map[*wire]bool
}

// wire is one connection of the program, and the passage's own to Postgres.
type wire struct {
	*passage
	program, server net.Conn
	mu              sync.Mutex
	commit          int // whose answer is waited for; 0: none
}

func newPassage(t *testing.T, s *site, database string) *passage {
	t.Helper()
	c, err := pgx.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "passage") // the path of a socket may not be long
	if err != nil {
		t.Fatal(err)
	}
	_, target := pgconn.NetworkAddress(c.Host, c.Port)
	_, socket := pgconn.NetworkAddress(dir, c.Port)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	r := &passage{site: s, target: target, lines: map[*wire]bool{}}
	r.url = strings.Replace(database, "host="+url.QueryEscape(c.Host), "host="+url.QueryEscape(dir), 1)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.cut()
		serving.Wait()
		os.RemoveAll(dir)
	})
	return r
}

// cut ends all connections.
func (r *passage) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range r.lines {
		l.close()
	}
}

func (r *passage) serve(program net.Conn) {
	if r.site.isAway(true) {
		program.Close()
		return
	}
	server, err := net.Dial("unix", r.target)
	if err != nil {
		program.Close()
		return
	}
	l := &wire{passage: r, program: program, server: server}
	r.mu.Lock()
	r.lines[l] = true
	r.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer l.close()
		l.answers()
	}()
	l.questions()
	l.close()
	<-done
	r.mu.Lock()
	delete(r.lines, l)
	r.mu.Unlock()
}

func (l *wire) close() {
	l.program.Close()
	l.server.Close()
}

// questions passes on what the program says, message by message.
func (l *wire) questions() {
	from, to := bufio.NewReaderSize(l.program, 16<<10), bufio.NewWriterSize(l.server, 16<<10)
	head := make([]byte, 5)
	for first := true; ; first = false {
		at := 0
		if first { // of the first message there is no type
			at = 1
		}
		if _, err := io.ReadFull(from, head[at:]); err != nil {
			return
		}
		size := int(binary.BigEndian.Uint32(head[1:])) - 4
		if size < 0 || size > 64<<20 {
			return
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(from, body); err != nil {
			return
		}
		n := 0
		if !first && head[0] == 'Q' && strings.HasPrefix(strings.ToLower(string(body)), "commit") {
			n = l.site.next(atCommit)
			if l.site.hit(atCommit, n, false) {
				return
			}
		}
		l.mu.Lock()
		l.commit = n
		l.mu.Unlock()
		_, _ = to.Write(head[at:])
		if _, err := to.Write(body); err != nil {
			return
		}
		if from.Buffered() == 0 {
			if err := to.Flush(); err != nil {
				return
			}
		}
	}
}

// answers passes on what Postgres says.
func (l *wire) answers() {
	b := make([]byte, 16<<10)
	for {
		n, err := l.server.Read(b)
		if err != nil {
			return
		}
		l.mu.Lock()
		commit := l.commit
		l.commit = 0
		l.mu.Unlock()
		if commit > 0 && l.site.hit(atCommit, commit, true) {
			return
		}
		if _, err := l.program.Write(b[:n]); err != nil {
			return
		}
	}
}

// realm is a small world of its own: three tenants, a few users, and servers that can be struck.
type realm struct {
	*world
	*site
	app      *pgx.Conn // the application's
	browser  *browser  // an administrator's
	admin    string    // its token
	users    []uuid.UUID
	want     wanted
	wide     bool                    // managers were to be admins at some time: a plan may still say so
	linked   map[uuid.UUID]uuid.UUID // by the application itself: user, person
	person   map[uuid.UUID]uuid.UUID // of any generation: whose it is
	lineage  uuid.UUID
	guarded  map[uuid.UUID]bool // groups that were put into a protected one
	returned map[uuid.UUID]bool // users whose rows came back after they were deleted, with what they held then
	found    uuid.UUID          // a person with the address of a user, who was there before
	handed   map[string]bool    // memberships that an administrator gave, persons that one deleted
	given    map[string]bool    // by an administrator, during this step: persons, and persons with a group
	taken    map[string]bool    // likewise, and groups that went, or out of sight, with all who were in them
	trigger  bool               // of the application, which refuses rows
}

func newRealm(t *testing.T, users, seed int, adopt bool) *realm {
	t.Helper()
	database := pgtest.Database(t)
	o := sandbox.Options{Tenants: 3, Users: users, Seed: int64(seed)}
	if err := sandbox.Load(t.Context(), database, o); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, database)
	w := attach(t, "", database, s.server)
	w.env["DATABASE_URL"] = s.passage.url
	r := &realm{world: w, site: s, app: w.connect(), linked: map[uuid.UUID]uuid.UUID{}, person: map[uuid.UUID]uuid.UUID{}, guarded: map[uuid.UUID]bool{}, returned: map[uuid.UUID]bool{}, given: map[string]bool{}, taken: map[string]bool{}, handed: map[string]bool{}}
	// Their foreign key holds users to their tenant. The application does not wait for locks for ever.
	r.change("delete from user_profiles")
	r.change("create table kept (user_id uuid primary key, body jsonb)")
	r.change("set lock_timeout = '1s'")
	// As the application's migration has it: whoever was deleted may sign up again.
	r.change("alter table users drop constraint if exists users_email_tenant_unique")
	r.change("create unique index if not exists idx_users_email_unique_active on users(tenant_id, email) where deleted_at is null")
	r.browser = newBrowser(t, s.server)
	r.admin = adminOf(r.browser, "idm_admin", s.passwords[0])
	for _, row := range r.rowsNow() {
		r.users = append(r.users, row.user)
	}
	slices.SortFunc(r.users, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if r.want.adopt = adopt; adopt {
		r.findsPerson()
	}
	r.configure()
	return r
}

// findsPerson makes a person with the address of a user, as somebody has who came before.
func (r *realm) findsPerson() {
	var user uuid.UUID
	var mail string
	err := r.app.QueryRow(r.t.Context(), "select user_id, email from users where status = 'active' and deleted_at is null and email_verified and email ~ '^[a-z0-9.]+@[a-z0-9.]+$' order by user_id limit 1").Scan(&user, &mail)
	if errors.Is(err, pgx.ErrNoRows) {
		return
	}
	r.must(err)
	r.found = uuid.New()
	r.must(r.api.Accounts().Create(r.t.Context(), newPerson(r.found, "found", mail)))
	r.person[r.found] = user
}

// trouble is a failure of the test itself, not of what it tests.
type trouble struct{ error }

// change changes rows as the application does. A row that the program has locked stays as it is.
func (r *realm) change(sql string, args ...any) int64 {
	tag, err := r.app.Exec(r.t.Context(), r.spell(sql), args...)
	var e *pgconn.PgError
	switch {
	case err == nil:
		return tag.RowsAffected()
	case errors.As(err, &e) && slices.Contains([]string{"55P03", "40P01", "23502", "23505", "42703"}, e.Code):
		return 0 // locked, an address that is taken, or a column that is not there yet, or was not then
	}
	panic(trouble{fmt.Errorf("%s: %w", sql, err)})
}

func (r *realm) must(err error) {
	if err != nil {
		panic(trouble{err})
	}
}

// wanted is the configuration.
type wanted struct {
	full, viewers, wide, narrow, renamed, pilot, adopt, steps bool

	excluded uuid.UUID
}

func (c wanted) suffix() string {
	if c.renamed {
		return "_x"
	}
	return ""
}

func (c wanted) roles() []string {
	if c.wide {
		return []string{"admin", "super_admin", "manager"}
	}
	return []string{"admin", "super_admin"}
}

func (c wanted) text() string {
	manage := map[bool]string{true: "full", false: "additive"}[c.full]
	var b strings.Builder
	fmt.Fprintf(&b, `
schema { level = "dual" }
data "tenants" "active" { status = ["active"] }
auth_policy "dual" { method = "dual" }
guard { max_users_changed_percent = 100 }
group "admins" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 40)}_admins%[1]s"
  role     = "admin"
  members {
    roles  = ["%[2]s"]
    manage = %[3]q
  }
}
group "users" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 40)}_users%[1]s"
  role     = "member"
  members {
    all    = true
    manage = %[3]q
  }
}
`, c.suffix(), strings.Join(c.roles(), `", "`), manage)
	if c.viewers {
		fmt.Fprintf(&b, `
group "viewers" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 40)}_viewers%[1]s"
  role     = "viewer"
  members {
    all    = true
    manage = %[2]q
  }
}
`, c.suffix(), manage)
	}
	if c.adopt {
		b.WriteString("identity { adopt = \"mail\" }\n")
	}
	if c.excluded != uuid.Nil {
		fmt.Fprintf(&b, "exclude { user_ids = [%q] }\n", c.excluded)
	}
	who := "all = true"
	if c.narrow {
		who = `tenants = ["acme", "anthill"]`
	}
	after := ""
	if c.pilot {
		b.WriteString("wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"globex\"] }\n  allow_empty = true\n}\n")
		after = "  start { after = [wave.pilot] }\n"
	}
	if c.steps {
		after += "  steps = [40, 100]\n"
	}
	fmt.Fprintf(&b, "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { %s }\n  allow_empty = true\n%s}\n", who, after)
	return b.String()
}

// selects says whether some wave selects the row, were it active.
func (c wanted) selects(row rowNow) bool {
	return row.user != c.excluded && (!c.narrow || row.tenant != "globex" || c.pilot)
}

func (r *realm) configure() {
	r.config(r.want.text())
	r.wide = r.wide || r.want.wide
}

// rowNow is a row of users.
type rowNow struct {
	user, link   uuid.UUID
	tenant, role string
	active, live bool // of its own, and of its tenant
	mail         string
	holds        bool // that address: neither it nor its tenant is deleted
}

// asks says whether a row asks for a group of the kind in the tenant; the row of nobody asks for none.
func (row rowNow) asks(tenant, kind string, roles []string) bool {
	if row.user == uuid.Nil || tenant != row.tenant {
		return false
	}
	return kind != "admins" || slices.Contains(roles, row.role)
}

func (r *realm) rowsNow() map[uuid.UUID]rowNow {
	q, err := r.app.Query(r.t.Context(), r.spell(`select user_id, coalesce({idp}_user_id, '00000000-0000-0000-0000-000000000000'), slug, role,
		users.status = 'active' and users.deleted_at is null, tenants.status = 'active' and tenants.deleted_at is null,
		email, users.deleted_at is null and tenants.deleted_at is null
		from users join tenants using (tenant_id)`))
	r.must(err)
	list, err := pgx.CollectRows(q, func(c pgx.CollectableRow) (row rowNow, err error) {
		return row, c.Scan(&row.user, &row.link, &row.tenant, &row.role, &row.active, &row.live, &row.mail, &row.holds)
	})
	r.must(err)
	rows := map[uuid.UUID]rowNow{}
	for _, row := range list {
		rows[row.user] = row
	}
	return rows
}

// spot is a group of ours, by its name: tenant_acme_admins, with or without a suffix.
type spot struct{ tenant, kind string }

func spotOf(name string) (p spot, ours bool) {
	parts := strings.Split(name, "_")
	if len(parts) < 3 || parts[0] != "tenant" {
		return spot{}, false
	}
	return spot{parts[1], parts[2]}, true
}

func (p spot) String() string { return "tenant_" + p.tenant + "_" + p.kind }

// sight is who stands where at one moment.
type sight struct {
	rows    map[uuid.UUID]rowNow
	owner   map[uuid.UUID]rowNow // by the person whom the row is linked to
	persons map[uuid.UUID]providers.Person
	groups  map[string]providers.Group
	in      map[uuid.UUID]map[spot]bool // persons of ours
	open    bool                        // a run is
	paused  map[uuid.UUID]bool          // users whose wave, or their tenant of it, is
}

func (r *realm) look() sight {
	d := r.directory()
	s := sight{rows: r.rowsNow(), owner: map[uuid.UUID]rowNow{}, persons: d.persons, groups: d.groups, in: map[uuid.UUID]map[spot]bool{}}
	r.know()
	for _, row := range s.rows {
		if row.link != uuid.Nil {
			s.owner[row.link] = row
		}
	}
	for name, g := range d.groups {
		p, ours := spotOf(name)
		if !ours {
			continue
		}
		for _, m := range g.Members {
			if s.in[m] == nil {
				s.in[m] = map[spot]bool{}
			}
			s.in[m][p] = true
		}
	}
	if r.lineage != uuid.Nil {
		r.must(r.app.QueryRow(r.t.Context(), "select exists (select from anthill_state.runs where open)").Scan(&s.open))
		s.paused = r.pausedNow()
	}
	return s
}

// pausedNow are the users recorded under a wave that a rollback has paused.
func (r *realm) pausedNow() map[uuid.UUID]bool {
	q, err := r.app.Query(r.t.Context(), `select u.user_id from anthill_state.users u join users using (user_id)
		where exists (select from anthill_state.pauses p where p.wave in (u.wave, split_part(u.wave, '[', 1)) and p.tenant in (users.tenant_id, '00000000-0000-0000-0000-000000000000'))`)
	r.must(err)
	list, err := pgx.CollectRows(q, pgx.RowTo[uuid.UUID])
	r.must(err)
	users := map[uuid.UUID]bool{}
	for _, u := range list {
		users[u] = true
	}
	return users
}

const generations = 12 // of a person, at most, in a sequence

// know learns which ids persons of ours have.
func (r *realm) know() {
	if r.lineage != uuid.Nil {
		return
	}
	var there bool
	r.must(r.app.QueryRow(r.t.Context(), "select to_regclass('anthill_state.meta') is not null").Scan(&there))
	if !there {
		return
	}
	if err := r.app.QueryRow(r.t.Context(), "select lineage from anthill_state.meta").Scan(&r.lineage); err != nil {
		return // it is not bound yet
	}
	for _, u := range r.users {
		r.knowPersons(u)
	}
}

// knowPersons learns which ids the persons of a user have.
func (r *realm) knowPersons(u uuid.UUID) {
	for g := range generations {
		r.person[state.PersonID(r.lineage, u, g+1)] = u
	}
}

// ours are the persons that the program has made, in order.
func (r *realm) ours(s sight) (list []uuid.UUID) {
	for _, id := range slices.SortedFunc(maps.Keys(s.persons), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) }) {
		if _, is := r.person[id]; is {
			list = append(list, id)
		}
	}
	return list
}

// who names a person for people: u3 is the fourth user.
func (r *realm) who(person uuid.UUID) string {
	return fmt.Sprintf("u%d", slices.Index(r.users, r.person[person]))
}

func (row rowNow) String() string {
	text := fmt.Sprintf("%s of %s, active %v, linked %v", row.role, row.tenant, row.active, row.link != uuid.Nil)
	if !row.live {
		text += ", tenant away"
	}
	return text
}

// gains looks for what a command gave and nobody's row asks for, neither before it nor after, or what it was not to give
// now. settled: the command has come to an end, so whoever gained is linked.
func (r *realm) gains(before, after sight, do string, settled bool) (bad []string) {
	roles := wanted{wide: r.wide}.roles()
	look := func(person uuid.UUID, gain, what string, is func(rowNow) bool) {
		u := r.person[person]
		row := after.rows[u]
		asks := func(row rowNow) bool {
			return row.user != uuid.Nil && row.active && row.live && is(row) && (!settled || after.rows[u].link == person)
		}
		why := ""
		switch {
		case r.given[gain]:
		case do == "close":
			why = "closing gives nothing"
		case !asks(before.rows[u]) && !asks(row):
			why = "its row does not ask for it"
		case do == "apply" && !before.open && u == r.want.excluded:
			why = "it is excluded"
		case do == "apply" && r.want.pilot && row.tenant == "globex": // whatever wave is paused that it was moved under before
		case do != "rollback" && before.paused[u] && after.paused[u]:
			why = "its wave is paused"
		}
		if why != "" {
			bad = append(bad, fmt.Sprintf("gain: %s %s: %s (%s)", r.who(person), what, why, r.rowOf(after, person)))
		}
	}
	for _, id := range r.ours(after) {
		was := before.persons[id]
		if id != r.found && !after.persons[id].Expired && (was.ID == uuid.Nil || was.Expired) {
			look(id, fmt.Sprint(id), "is enabled", func(rowNow) bool { return true })
		}
		bad = append(bad, r.gainsAddress(before, after, id)...)
		for g := range after.in[id] {
			if !before.in[id][g] {
				look(id, fmt.Sprint(id, g), "joins "+g.String(), func(row rowNow) bool { return row.asks(g.tenant, g.kind, roles) })
			}
		}
	}
	return bad
}

// losses looks for what a command that has come to an end took from somebody whose row was active and linked before, and
// is still. asked says that the command was to take users of a tenant back: whom the application has linked itself is then no loss.
func (r *realm) losses(before, after sight, asked func(tenant string) bool) (bad []string) {
	for _, id := range r.ours(after) {
		old, now := before.owner[id], after.owner[id]
		if !old.active || !now.active || !now.live || old.tenant != now.tenant || r.linked[now.user] == id && asked(now.tenant) {
			continue
		}
		if !before.persons[id].Expired && after.persons[id].Expired && !r.taken[fmt.Sprint(id)] {
			bad = append(bad, fmt.Sprintf("loss: %s is expired (%s)", r.who(id), now))
		}
		g := spot{now.tenant, "users"}
		// A rollback also takes back a membership that was given back, but never the last one.
		kept := asked(now.tenant) && after.in[id][spot{now.tenant, "admins"}] && now.asks(now.tenant, "admins", wanted{wide: r.wide}.roles())
		if before.in[id][g] && !after.in[id][g] && !kept && !r.taken[g.String()] && !r.taken[fmt.Sprint(id, g)] {
			bad = append(bad, fmt.Sprintf("loss: %s leaves %s (%s)", r.who(id), g, now))
		}
	}
	return bad
}

// stands holds everybody against the rows, at rest: each person of ours is where its row says, or a finding of the
// plan says why not.
func (r *realm) stands(s sight, plan said) (bad []string) {
	for _, id := range r.ours(s) {
		p, row := s.persons[id], s.owner[id]
		belongs := row.active                  // linked and active
		enabled := !p.Expired && id != r.found // whom we found is nobody's to enable or to expire
		// Who knows which person is that of a row that was unlinked? While that is active, the person stays as it is, groups and
		// all, and is counted once. While it is not, none of them may log in (L29).
		left := row.user == uuid.Nil && s.rows[r.person[id]].active && (enabled || len(s.in[id]) > 0) && plan.take(state.CodeDriftLink)
		say := func(code, format string, args ...any) {
			if plan.excuse(code, row, r) == "" {
				bad = append(bad, fmt.Sprintf("rest: "+r.who(id)+" "+format+" (%s)", append(args, r.rowOf(s, id))...))
			}
		}
		switch {
		case left:
		case enabled && !belongs:
			say("enabled", "is enabled")
		case id != r.found && p.Expired && belongs && row.live:
			say("expired", "is expired")
		}
		for g := range s.in[id] {
			asked := row.asks(g.tenant, g.kind, r.want.roles())
			if id == r.found {
				// It leaves what came with the row, but nothing that somebody else gave.
				asked = asked && row.active || r.handed[fmt.Sprint(id, g)]
			}
			if !asked && !left {
				say("member "+g.String(), "is in %s", g)
			}
		}
		if !belongs || !row.live || !r.want.selects(row) && !r.recorded(row.user) {
			continue
		}
		for _, kind := range []string{"admins", "users", "viewers"} {
			g := spot{row.tenant, kind}
			if (kind != "viewers" || r.want.viewers) && row.asks(g.tenant, kind, r.want.roles()) && !s.in[id][g] {
				say("missing", "is not in %s", g)
			}
		}
	}
	bad = append(bad, r.addresses(s, plan)...)
	links := map[uuid.UUID]int{}
	for _, row := range s.rows {
		if row.link == uuid.Nil {
			continue
		}
		moves := r.recorded(row.user) || !r.returned[row.user] || row.active && row.live && r.want.selects(row)
		if _, there := s.persons[row.link]; !there && moves && plan.excuse("nobody", row, r) == "" {
			bad = append(bad, fmt.Sprintf("rest: u%d is linked to nobody", slices.Index(r.users, row.user)))
		}
		if links[row.link]++; links[row.link] == 2 {
			bad = append(bad, fmt.Sprintf("rest: two rows are linked to the person of %s", r.who(row.link)))
		}
	}
	return bad
}

// rowOf says in words what the row of a person's user is.
func (r *realm) rowOf(s sight, person uuid.UUID) string {
	row, there := s.rows[r.person[person]]
	if !there {
		return "no row"
	}
	text := row.String()
	if row.link != uuid.Nil && row.link != person {
		text += " to another person"
	}
	return text
}

// recorded says whether a user is recorded as moved.
func (r *realm) recorded(u uuid.UUID) (yes bool) {
	r.must(r.app.QueryRow(r.t.Context(), "select exists (select from anthill_state.users where user_id = $1 and standing = 'moved')", u).Scan(&yes))
	return yes
}

// takenBack looks, after all rollbacks, for persons of ours that may still do something. The application's own links
// are not ours to undo.
func (r *realm) takenBack(s sight) (bad []string) {
	if _, there := s.persons[r.found]; r.found != uuid.Nil && !there && !r.handed[fmt.Sprint(r.found)] {
		bad = append(bad, "back: the person who was taken over is deleted")
	}
	for _, row := range s.rows {
		if _, there := s.persons[row.link]; row.link != uuid.Nil && !there && !r.returned[row.user] && r.linked[row.user] != row.link &&
			!r.handed[fmt.Sprint(row.link)] {
			bad = append(bad, fmt.Sprintf("back: u%d is linked to nobody (%s)", slices.Index(r.users, row.user), row))
		}
	}
	for _, id := range r.ours(s) {
		row := s.owner[id]
		if row.user != uuid.Nil && r.linked[row.user] == id {
			continue
		}
		if row.user != uuid.Nil {
			bad = append(bad, fmt.Sprintf("back: %s is linked still (%s)", r.who(id), row))
		}
		if !s.persons[id].Expired && id != r.found {
			bad = append(bad, fmt.Sprintf("back: %s is enabled (%s)", r.who(id), r.rowOf(s, id)))
		}
		for g := range s.in[id] {
			if id == r.found && r.handed[fmt.Sprint(id, g)] {
				continue
			}
			bad = append(bad, fmt.Sprintf("back: %s is in %s (%s)", r.who(id), g, r.rowOf(s, id)))
		}
	}
	return bad
}

// adminOf logs a built-in account in with the right to write, and returns its token.
func adminOf(b *browser, name, password string) string {
	b.t.Helper()
	step := func(session string, body any) answer {
		var header []string
		if session != "" {
			header = []string{"X-KANIDM-AUTH-SESSION-ID", session}
		}
		return b.do("POST", "/v1/auth", "", map[string]any{"step": body}, header...)
	}
	a := step("", map[string]any{"init2": map[string]any{"username": name, "issue": "token", "privileged": true}})
	session := a.header.Get("X-KANIDM-AUTH-SESSION-ID")
	step(session, map[string]string{"begin": "password"})
	var s struct{ State struct{ Success string } }
	b.ok(step(session, map[string]any{"cred": map[string]string{"password": password}}), &s)
	return s.State.Success
}

// stop freezes a process and returns once it stands still.
func stop(p *os.Process) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil)
		if err != syscall.EINTR {
			return err
		}
	}
}
