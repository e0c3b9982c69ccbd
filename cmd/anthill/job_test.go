package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestTheWholeWay is the main job: plan, apply, nothing to do, rollback, as before, paused, resumed, and all again.
func TestTheWholeWay(t *testing.T) {
	t.Parallel()
	for name, start := range servers(t) {
		for _, naming := range []string{"self_auth", "kanidm"} {
			t.Run(name+" "+naming, func(t *testing.T) {
				if name == "emulator" {
					t.Parallel() // a real server is one for all: its worlds take turns
				}
				w := newWorld(t, sandbox.Options{Naming: naming, Tenants: 20, Users: 1000, Seed: int64(len(naming))}, start(t))
				w.config(everyone + waveEveryone)
				before := w.fingerprint()
				w.run(exitDone, "plan", "-out", "p")
				w.run(exitChanges, "plan", "-detailed-exitcode")
				w.run(exitDone, "apply", "p")
				if out, _ := w.run(exitDone, "apply", "p"); !strings.Contains(out, "othing") {
					t.Errorf("applied twice, it says:\n%s", out)
				}
				w.run(exitDone, "plan", "-detailed-exitcode")
				w.checkMoved()
				w.run(exitDone, "rollback", "-auto-approve")
				w.checkRolledBack(before)
				if out, _ := w.run(exitDone, "plan", "-detailed-exitcode"); !strings.Contains(out, "paused") {
					t.Errorf("after a rollback the plan does not say why it moves nobody:\n%s", out)
				}
				w.run(exitDone, "wave", "resume", "everyone")
				w.run(exitDone, "apply", "-auto-approve")
				w.run(exitDone, "plan", "-detailed-exitcode")
				w.checkMoved()
				w.run(exitDone, "rollback", "-auto-approve")
				w.checkRolledBack(before)
				if out, _ := w.run(exitDone, "rollback", "-auto-approve"); !strings.Contains(out, "Nothing to take back") {
					t.Errorf("a rollback too many says:\n%s", out)
				}
			})
		}
	}
}

// row is a row of users as far as the checks look.
type row struct {
	id, link                   uuid.UUID
	slug, email, role, method  string
	name                       *string
	inScope, linked, completed bool
}

func (w *world) rows() (rows []row) {
	w.t.Helper()
	list, err := w.connect().Query(w.t.Context(), w.spell(`select u.user_id, coalesce(u.{idp}_user_id, '00000000-0000-0000-0000-000000000000'), t.slug, u.email, u.role,
		u.auth_method, u.full_name, u.status = 'active' and u.deleted_at is null and t.status = 'active' and t.deleted_at is null, u.{idp}_user_id is not null,
		u.migration_completed_at is not null from users u join tenants t using (tenant_id) order by u.user_id`))
	if err != nil {
		w.t.Fatal(err)
	}
	defer list.Close()
	for list.Next() {
		var r row
		if err := list.Scan(&r.id, &r.link, &r.slug, &r.email, &r.role, &r.method, &r.name, &r.inScope, &r.linked, &r.completed); err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if err := list.Err(); err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// plan returns the JSON of the plan as it would be now.
func (w *world) plan(args ...string) planJSON {
	w.t.Helper()
	out, _ := w.run(exitDone, append([]string{"plan", "-json"}, args...)...)
	var p planJSON
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		w.t.Fatalf("plan -json: %v\n%s", err, out)
	}
	return p
}

// planJSON is what the tests read of plan -json.
type planJSON struct {
	ID      string `json:"plan_id"`
	Context struct {
		Waves []struct {
			NotMoved []notMoved `json:"not_moved"`
		} `json:"waves"`
	} `json:"context"`
}

type notMoved struct {
	Reason string `json:"reason"`
	Count  int    `json:"count"`
}

// notMoved are the users who are not moved, by wave and reason.
func (p planJSON) notMoved() (list []notMoved) {
	for _, w := range p.Context.Waves {
		list = append(list, w.NotMoved...)
	}
	return list
}

func (p planJSON) skipped() (n int) {
	for _, s := range p.notMoved() {
		n += s.Count
	}
	return n
}

// checkMoved looks at every row and its person: who is in scope is linked to the person that Self-auth holds, with
// name, display name and mail, in the groups of its tenant by role; nobody else is.
func (w *world) checkMoved() {
	w.t.Helper()
	d := w.directory()
	member := map[string]map[uuid.UUID]bool{}
	for name, g := range d.groups {
		member[name] = map[uuid.UUID]bool{}
		for _, m := range g.Members {
			member[name][m] = true
		}
	}
	moved, unlinked := 0, 0
	for _, r := range w.rows() {
		switch {
		case !r.inScope:
			if r.linked {
				w.t.Errorf("user %s is out of scope and linked", r.id)
			}
			continue
		case !r.linked:
			unlinked++
			continue
		}
		moved++
		p, ok := d.persons[r.link]
		if !ok {
			w.t.Errorf("user %s is linked to %s, whom Self-auth does not have", r.id, r.link)
			continue
		}
		display := p.Display
		if p.Name == "" || display == "" || p.Expired || !slices.Equal(p.Mails, []string{r.email}) {
			w.t.Errorf("user %s: person %+v", r.id, p)
		}
		if r.name != nil && strings.TrimSpace(*r.name) != "" && display != strings.TrimSpace(*r.name) {
			w.t.Errorf("user %s: display name %q of %q", r.id, display, *r.name)
		}
		if r.method != "dual" || r.completed {
			w.t.Errorf("user %s: method %s, completed %v", r.id, r.method, r.completed)
		}
		var in []string
		for name, members := range member {
			if members[r.link] && strings.HasPrefix(name, "tenant_") {
				in = append(in, name)
			}
		}
		slices.Sort(in)
		if diff := cmp.Diff(w.wantGroups(r), in); diff != "" {
			w.t.Errorf("user %s of %s, %s: groups (-want +got):\n%s", r.id, r.slug, r.role, diff)
		}
	}
	if moved == 0 {
		w.t.Error("nobody was moved")
	}
	if skipped := w.plan().skipped(); unlinked > skipped {
		w.t.Errorf("%d users in scope are not linked, but only %d are accounted for", unlinked, skipped)
	}
}

// wantGroups are the groups by the mapping rows of the user's tenant.
func (w *world) wantGroups(r row) (want []string) {
	w.t.Helper()
	for name, role := range w.mappings()[r.slug] {
		if role == "member" || role == "admin" && (r.role == "admin" || r.role == "super_admin") {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	return want
}

// mappings are the mapping rows: slug -> group name -> role.
func (w *world) mappings() map[string]map[string]string {
	w.t.Helper()
	if w.mapped != nil {
		return w.mapped
	}
	m := map[string]map[string]string{}
	rows, err := w.connect().Query(w.t.Context(), w.spell("select t.slug, m.{idp}_group_name, m.role from {idp}_tenant_groups m join tenants t using (tenant_id)"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var slug, name, role string
		if err := rows.Scan(&slug, &name, &role); err != nil {
			w.t.Fatal(err)
		}
		if m[slug] == nil {
			m[slug] = map[string]string{}
		}
		m[slug][name] = role
	}
	w.mapped = m
	return m
}

// checkRolledBack looks at everything after a rollback: rows and mapping rows as before, nobody of ours able to log
// in, no membership left.
func (w *world) checkRolledBack(before sandbox.Fingerprint) {
	w.t.Helper()
	w.mapped = nil
	if after := w.fingerprint(); after != before {
		w.t.Errorf("rows or mapping rows are not as they were: users %v, mappings %v", before.Rows == after.Rows, before.Mappings == after.Mappings)
	}
	if n := w.number("select count(*) from users where auth_method <> 'password' and {idp}_user_id is null and password_hash is not null"); n != 0 {
		w.t.Errorf("%d rows have a method that is not theirs", n)
	}
	d := w.directory()
	for _, p := range d.persons {
		if !p.Expired && !strings.HasPrefix(p.Name, "earlier.") {
			w.t.Errorf("person %s can still log in", p.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.groups)) {
		if strings.HasPrefix(name, "tenant_") && len(d.groups[name].Members) > 0 {
			w.t.Errorf("group %s has %d members left", name, len(d.groups[name].Members))
		}
	}
}

// TestSample moves the sample with all its traps and takes it back.
func TestSample(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"baseline", "dual"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Level: level}, emulator(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "plan", "-out", "p")
			w.run(exitDone, "apply", "p")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.run(exitDone, "rollback", "-out", "back")
			w.run(exitDone, "apply", "back")
			if after := w.fingerprint(); after != before {
				t.Error("rows or mapping rows are not as they were")
			}
		})
	}
}

// TestWrongTarget applies a plan of one world to another.
func TestWrongTarget(t *testing.T) {
	t.Parallel()
	a, b := newWorld(t, sandbox.Options{}, emulator(t)), newWorld(t, sandbox.Options{}, emulator(t))
	a.config(everyone + waveEveryone)
	b.config(everyone + waveEveryone)
	a.run(exitDone, "plan", "-out", "p")
	before := b.fingerprint()
	_, errs := b.run(exitStale, "apply", filepath.Join(a.dir, "p"))
	if !strings.Contains(errs, "another target") {
		t.Errorf("it says:\n%s", errs)
	}
	if after := b.fingerprint(); after != before || b.number("select count(*) from pg_namespace where nspname = 'anthill_state'") != 0 {
		t.Error("something was changed")
	}
}

// TestLifeAfterTheMove changes the world between two applies: the second plan holds what the rules say, the third nothing.
func TestLifeAfterTheMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 6, Users: 300, Seed: 5}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	pick := func(slug, role string, n int) (id uuid.UUID) {
		t.Helper()
		sql := w.spell(`select user_id from users join tenants t using (tenant_id) where t.slug = $1 and role = $2 and users.status = 'active' and users.deleted_at is null
			and {idp}_user_id is not null order by user_id offset $3 limit 1`)
		if err := w.connect().QueryRow(t.Context(), sql, slug, role, n).Scan(&id); err != nil {
			t.Fatalf("no user %d with role %s in %s: %v", n, role, slug, err)
		}
		return id
	}
	promoted, gone := pick("acme", "user", 0), pick("acme", "user", 1)
	suspended := "globex"
	w.exec("update users set role = 'admin' where user_id = $1", promoted)
	w.exec("delete from users where user_id = $1", gone)
	var late, self uuid.UUID
	insert := w.spell(`insert into users (tenant_id, email, password_hash, email_verified, full_name, role) select tenant_id, $1, 'x', true, 'New One', 'user' from tenants where slug = 'acme' returning user_id`)
	if err := w.connect().QueryRow(t.Context(), insert, "late@acme.example").Scan(&late); err != nil {
		t.Fatal(err)
	}
	if err := w.connect().QueryRow(t.Context(), insert, "self@acme.example").Scan(&self); err != nil {
		t.Fatal(err)
	}
	// The application's own login made the person's link.
	person := uuid.New()
	if err := w.api.Accounts().Create(t.Context(), newPerson(person, "self.login", "self@acme.example")); err != nil {
		t.Fatal(err)
	}
	w.exec("update users set {idp}_user_id = $2, {idp}_synced_at = now(), auth_method = 'dual', migration_completed_at = now() where user_id = $1", self, person)
	w.exec("update tenants set status = 'suspended' where slug = $1", suspended)

	out, _ := w.run(exitChanges, "plan", "-detailed-exitcode", "-out", "second")
	js, _ := w.run(exitDone, "show", "-json", "second")
	var plan struct {
		Figures []struct {
			Kind    string
			Tenants []struct{ Slug string }
			All     map[string]int
		}
		Context struct {
			Waves   []struct{ State string }
			Objects struct{ Dormant []any }
		}
	}
	if err := json.Unmarshal([]byte(js), &plan); err != nil {
		t.Fatal(err)
	}
	if c := plan.Context; len(c.Waves) != 1 || c.Waves[0].State != "done" || len(c.Objects.Dormant) != 2 || len(plan.Figures) != 2 {
		t.Fatalf("the second plan: %+v\n%s", plan, out)
	}
	for _, part := range plan.Figures {
		want := map[string]map[string]int{"move": {"users": 2, "create": 1, "linked": 1, "link": 1}, "follow": {"users": 2, "join": 1, "leave": 1, "expire": 1}}[part.Kind]
		for figure, n := range want {
			if len(part.Tenants) != 1 || part.All[figure] != n {
				t.Errorf("%s: %+v, want %s %d", part.Kind, part, figure, n)
			}
		}
	}
	w.run(exitDone, "apply", "second")
	third, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	if strings.Contains(third, "create a person") {
		t.Errorf("the third plan:\n%s", third)
	}
	d := w.directory()
	if !slices.Contains(d.groups["tenant_acme_users"].Members, person) || d.persons[person].Expired {
		t.Error("who logged in before us is not in the tenant's group")
	}
	// The link of the application's own login is never ours to undo.
	w.run(exitDone, "rollback", "-auto-approve")
	if n := w.number("select count(*) from users where user_id = $1 and {idp}_user_id = $2", self, person); n != 1 {
		t.Error("the rollback took the application's own link")
	}
	if w.directory().persons[person].Expired {
		t.Error("the rollback expired a person that is not ours")
	}
	fmt.Fprintln(t.Output(), out)
}
