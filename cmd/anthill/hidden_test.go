package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/scratchidm/idmtest"
	"anthill/internal/selfauthd"
	"anthill/providers"
)

// guarded is a server with its two built-in administrators.
type guarded struct {
	server
	idmAdmin, admin string // passwords
}

// guardedServers are the emulator, and a real server where there is one.
func guardedServers(t *testing.T) map[string]func(*testing.T) guarded {
	all := map[string]func(*testing.T) guarded{"emulator": guardedEmulator}
	if start, ok := idmtest.Real(t); ok {
		all["real"] = func(t *testing.T) guarded {
			s := start(t)
			return guarded{server{s.URL, s.CAFile, s.ReadWrite, s.ReadOnly}, s.IDMAdmin, s.Admin}
		}
	}
	return all
}

func guardedEmulator(t *testing.T) guarded {
	t.Helper()
	s, err := selfauthd.Start(selfauthd.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	rw, ro := s.Operator()
	idmAdmin, admin := s.Passwords()
	return guarded{server{s.URL(), ca, rw, ro}, idmAdmin, admin}
}

// as does calls as a built-in administrator.
func (s guarded) as(t *testing.T, name string) func(method, path string, body any) []byte {
	t.Helper()
	b := newBrowser(t, s.server)
	password := map[string]string{"idm_admin": s.idmAdmin, "admin": s.admin}[name]
	step := func(session string, body any) answer {
		return b.do(http.MethodPost, "/v1/auth", "", map[string]any{"step": body}, "X-KANIDM-AUTH-SESSION-ID", session)
	}
	a := b.do(http.MethodPost, "/v1/auth", "", map[string]any{"step": map[string]any{
		"init2": map[string]any{"username": name, "issue": "token", "privileged": true},
	}})
	session := a.header.Get("X-KANIDM-AUTH-SESSION-ID")
	step(session, map[string]string{"begin": "password"})
	a = step(session, map[string]any{"cred": map[string]string{"password": password}})
	var in struct{ State struct{ Success string } }
	if err := json.Unmarshal(a.body, &in); err != nil || in.State.Success == "" {
		t.Fatalf("log in as %s: %d", name, a.status)
	}
	return func(method, path string, body any) []byte {
		t.Helper()
		a := b.do(method, path, in.State.Success, body)
		if a.status != http.StatusOK {
			t.Fatalf("%s %s as %s: %d %s", method, path, name, a.status, a.body)
		}
		return a.body
	}
}

const protectedMembers = "/v1/group/idm_high_privilege/_attr/member"

// protect puts a group among those that Self-auth protects, or takes it out.
func (s guarded) protect(t *testing.T, group uuid.UUID, protected bool) {
	t.Helper()
	method := map[bool]string{true: http.MethodPost, false: http.MethodDelete}[protected]
	s.as(t, "admin")(method, protectedMembers, []string{group.String()})
}

// plain is the server with tokens of an account with rights over persons and groups and no other: it does not even see
// that a protected group is there.
func (s guarded) plain(t *testing.T) guarded {
	t.Helper()
	do := s.as(t, "idm_admin")
	do(http.MethodPost, "/v1/service_account", map[string]any{"attrs": map[string][]string{
		"name": {"plain_svc"}, "displayname": {"Plain"}, "entry_managed_by": {"idm_admins"},
	}})
	for _, g := range []string{"idm_people_admins", "idm_group_admins"} {
		do(http.MethodPost, "/v1/group/"+g+"/_attr/member", []string{"plain_svc"})
	}
	for _, token := range []*string{&s.token, &s.readToken} {
		if err := json.Unmarshal(do(http.MethodPost, "/v1/service_account/plain_svc/_api_token", map[string]any{
			"label": "t", "expiry": nil, "read_write": token == &s.token,
		}), token); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// groupOf is the id of a group by its name.
func (w *world) groupOf(name string) uuid.UUID {
	w.t.Helper()
	g, there := w.directory().groups[name]
	if !there {
		w.t.Fatalf("there is no group %s", name)
	}
	return g.ID
}

// reasons are why users are not moved.
func (p planJSON) reasons() map[string]int {
	m := map[string]int{}
	for _, s := range p.notMoved() {
		m[s.Reason] = s.Count
	}
	return m
}

// TestHiddenGroup: a group whose members the token may not see is not taken for an empty one. Its tenant is left alone,
// and said; the others go on; what only takes away goes on everywhere; a rollback forgets none of its members.
func TestHiddenGroup(t *testing.T) {
	t.Parallel()
	for name, start := range guardedServers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testHiddenGroup(t, start(t))
		})
	}
	t.Run("not even its name is seen", func(t *testing.T) {
		t.Parallel()
		testHiddenGroup(t, guardedEmulator(t).plain(t))
	})
}

func testHiddenGroup(t *testing.T, s guarded) {
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, s.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	const admins = "tenant_acme_admins"
	group := w.groupOf(admins)
	in := w.directory().groups[admins].Members
	s.protect(t, group, true)

	w.run(exitDone, "plan", "-detailed-exitcode")
	demoted, suspended, late := w.someone("admin", "acme"), w.someone("user", "acme"), w.someone("user", "globex")
	demoted.set("role", "user")
	suspended.set("status", "suspended")
	late.set("role", "admin")
	fresh := w.exec(`insert into users (tenant_id, email, full_name, password_hash, role, status, email_verified_at)
		select tenant_id, 'fresh@acme.example', 'Fresh', 'x', 'user', 'active', now() from tenants where slug = 'acme'`)
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "group "+admins, "Self-auth protects it", "who is in one of its groups cannot be seen")
	if got := w.plan().reasons()["group_hidden"]; int64(got) != fresh {
		t.Errorf("%d users are not moved because a group is hidden, want %d\n%s", got, fresh, out)
	}
	w.run(exitDone, "apply", "-auto-approve")
	demoted.is("demoted in a tenant that is left alone", "enabled", "tenant_acme_users")
	suspended.is("suspended in a tenant that is left alone", "expired", "tenant_acme_users")
	late.is("promoted in another tenant", "enabled", "tenant_globex_admins", "tenant_globex_users")
	w.run(exitDone, "plan", "-detailed-exitcode")

	out, _ = w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
	wants(t, out, "group "+admins)
	late.is("taken back in another tenant", "expired")
	if n := w.number(`select count(*) from users join tenants using (tenant_id)
		where {idp}_user_id is not null and slug <> 'acme'`); n > 0 {
		t.Errorf("%d rows of other tenants are linked still", n)
	}
	if n := w.number(`select count(*) from users join tenants using (tenant_id)
		where {idp}_user_id is not null and slug = 'acme'`); n == 0 {
		t.Error("the users of the tenant that is left alone were taken back, though nobody can take them out of their group")
	}

	s.protect(t, group, false)
	members := w.directory().groups[admins].Members
	if len(members) != len(in) {
		t.Errorf("the hidden group has %d members, want the %d that it had", len(members), len(in))
	}
	w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
	for name, g := range w.directory().groups {
		if strings.HasPrefix(name, "tenant_") && len(g.Members) > 0 {
			t.Errorf("after the second rollback group %s has %d members", name, len(g.Members))
		}
	}
	for _, p := range w.directory().persons {
		if !p.Expired {
			t.Errorf("after the second rollback %s is enabled", p.Name)
		}
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n > 0 {
		t.Errorf("after the second rollback %d rows are linked", n)
	}
}

// TestProtectedMeanwhile: a group that is put out of reach between plan and apply costs its own users their change, not
// the run, neither forward nor back; and it is found again once it can be reached.
func TestProtectedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, start := range guardedServers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testProtectedMeanwhile(t, start(t))
		})
	}
	t.Run("not even its name is seen", func(t *testing.T) {
		t.Parallel()
		testProtectedMeanwhile(t, guardedEmulator(t).plain(t))
	})
}

func testProtectedMeanwhile(t *testing.T, s guarded) {
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, s.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	const admins = "tenant_acme_admins"
	group := w.groupOf(admins)
	in := len(w.directory().groups[admins].Members)
	demoted, late := w.someone("admin", "acme"), w.someone("user", "globex")
	demoted.set("role", "user")
	late.set("role", "admin")
	w.run(exitDone, "plan", "-out", "forward")
	s.protect(t, group, true)
	w.run(exitRemainder, "apply", "forward")
	late.is("promoted in another tenant", "enabled", "tenant_globex_admins", "tenant_globex_users")
	s.protect(t, group, false)
	if got := len(w.directory().groups[admins].Members); got != in {
		t.Errorf("the protected group has %d members, want %d", got, in)
	}
	w.run(exitDone, "rollback", "-run", w.runs()[0], "-out", "back")
	s.protect(t, group, true)
	w.run(exitRemainder, "apply", "back")
	late.is("taken back in another tenant", "expired")
	s.protect(t, group, false)
	w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
	for name, g := range w.directory().groups {
		if strings.HasPrefix(name, "tenant_") && len(g.Members) > 0 {
			t.Errorf("after the second rollback group %s has %d members", name, len(g.Members))
		}
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n > 0 {
		t.Errorf("after the second rollback %d rows are linked", n)
	}
}

// TestShownMeanwhile: a group that is hidden when a person is to leave it, and is shown again while others leave other
// groups, is not said to have been left.
func TestShownMeanwhile(t *testing.T) {
	t.Parallel()
	var g guarded
	var hidden uuid.UUID
	var calls atomic.Int64
	var armed atomic.Bool
	d, err := selfauthd.Start(selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		if armed.Load() && r.URL.Path == "/v1/raw/modify" && calls.Add(1) == 2 {
			g.protect(t, hidden, false)
		}
		return false
	}})
	must(t, err)
	t.Cleanup(func() { d.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, d.CA(), 0o600))
	rw, ro := d.Operator()
	idmAdmin, admin := d.Passwords()
	g = guarded{server{d.URL(), ca, rw, ro}, idmAdmin, admin}
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, g.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	plain := newWorld(t, sandbox.Options{Tenants: 1, Users: 1, Seed: 11}, g.plain(t).server)
	a := plain.api.Accounts()
	var list []uuid.UUID
	for id := range w.directory().persons {
		list = append(list, id)
	}
	var from []providers.Members
	for i := range 3 {
		n := providers.NewGroup{ID: uuid.New(), Name: fmt.Sprint("many-", i)}
		must(t, a.CreateGroups(t.Context(), []providers.NewGroup{n}))
		must(t, a.AddMembers(t.Context(), n.ID, list[i:i+1]))
		from = append(from, membersOf(n.ID, list[i]))
	}
	must(t, a.Expire(t.Context(), list[:60]))
	hidden = from[0].Group
	g.protect(t, hidden, true)
	armed.Store(true)
	err = a.RemoveMembers(t.Context(), from...)
	armed.Store(false)
	in := w.directory().groups["many-0"].Members
	if err == nil && len(in) > 0 {
		t.Error("it says that the person has left the group, and the person is in it")
	}
}
