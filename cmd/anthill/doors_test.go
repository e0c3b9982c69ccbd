package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
	"anthill/providers"
	"anthill/state"
)

// asking is withApp, whose application asks for all that browser.authorise asks for, and is given what is in scopes; more is
// added to the client.
func asking(scopes, more string) string {
	text := strings.Replace(withApp, `scopes = ["openid", "profile", "email", "groups", "groups_name"]`, "scopes = ["+scopes+"]", 1)
	return strings.Replace(text, "  scope_map {", "  requested_scopes = [\"openid\", \"profile\", \"email\", \"groups\", \"groups_name\"]\n"+more+"  scope_map {", 1)
}

const (
	allScopes = `"openid", "profile", "email", "groups", "groups_name"`
	noNames   = `"openid", "profile", "email", "groups"`
)

// TestLoginRefused: an application that asks for a scope that users are not given blocks the plan that moves them, and the server
// does refuse them then, also where a supplementary map gives it; with the cure they are let in.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	for on, start := range servers(t) {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 6}, s)
			b := newBrowser(t, s)
			b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
			besides := "  sup_scope_map {\n    groups = group.users\n    scopes = [\"groups_name\"]\n  }\n"
			w.config(asking(allScopes, ""))
			out, _ := w.run(exitDone, "plan")
			wants(t, out, "No hazards.")
			w.config(asking(noNames, besides))
			out, _ = w.run(exitBlocked, "plan")
			wants(t, out, "LOGIN_REFUSED", "asks for groups_name", "anthill explain LOGIN_REFUSED")
			if strings.Contains(out, "LOGIN_WITHOUT_TENANT") {
				t.Errorf("two hazards of one thing:\n%s", out)
			}
			n := w.number("select count(*) from users join tenants using (tenant_id) where users.status = 'active' and users.deleted_at is null " +
				"and tenants.status = 'active' and tenants.deleted_at is null and email <> 'system@anthill.local'")
			w.run(exitDone, "plan", "-out", "p", "-allow", fmt.Sprintf("LOGIN_REFUSED=%d", n))
			w.run(exitDone, "apply", "p")
			if linked := w.allLinked(); linked != n {
				t.Fatalf("%d users are moved, and %d were told of", linked, n)
			}
			out, _ = w.run(exitDone, "plan")
			wants(t, out, "Nothing to do") // what a plan only finds is no hazard

			person := w.someone("user", "acme").person
			b.enrol(person)
			session, denied := b.logIn(person)
			if session == "" {
				t.Fatal(denied)
			}
			if _, status := b.authorise(session); status != http.StatusForbidden {
				t.Errorf("who is not given a scope that is asked for is answered %d, want 403", status)
			}
			w.config(asking(allScopes, ""))
			out, _ = w.run(exitDone, "plan", "-out", "p")
			wants(t, out, "No hazards.")
			w.run(exitDone, "apply", "p")
			if _, status := b.authorise(session); status != http.StatusOK {
				t.Errorf("with the scope it is answered %d, want 200", status)
			}
		})
	}
}

// TestLetInNowhere: members who are moved and whom no client lets in are noted by tenant, counted by hand.
func TestLetInNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 6}, emulator(t))
	w.config(strings.Replace(withApp, "groups = group.users", "groups = group.admins", 1))
	out, _ := w.run(exitDone, "plan", "-out", "p")
	members := w.number("select count(*) from users join tenants using (tenant_id) where slug = 'acme' and users.status = 'active' " +
		"and users.deleted_at is null and role not in ('admin', 'super_admin')")
	wants(t, out, fmt.Sprintf("tenant acme: %d users to be moved are in no group that a client lets in", members), "No hazards.")
	w.config(withApp)
	if out, _ = w.run(exitDone, "plan"); strings.Contains(out, "that a client lets in") {
		t.Errorf("all are let in:\n%s", out)
	}
}

// TestRaiseByTheDoors (L8): what lets users in by their groups is taken away between plan and apply: they keep their passwords, and
// are raised when it is back. What they do not need may go.
func TestRaiseByTheDoors(t *testing.T) {
	t.Parallel()
	const mapOf = "/v1/oauth2/app/_scopemap/tenant_acme_users"
	give := func(scopes ...string) func(*world, *browser) {
		return func(_ *world, b *browser) { b.ok(b.do("POST", mapOf, b.token, scopes), nil) }
	}
	asks := strings.Replace(withRaise, "  scope_map {", "  requested_scopes = [\"openid\", \"email\", \"groups_name\"]\n  scope_map {", 1)
	for name, c := range map[string]struct {
		config string
		change func(*world, *browser)
		raised bool
	}{
		"as it was":             {asks, func(*world, *browser) {}, true},
		"the map goes":          {withRaise, func(_ *world, b *browser) { b.ok(b.do("DELETE", mapOf, b.token, nil), nil) }, false},
		"the client goes":       {withRaise, func(_ *world, b *browser) { b.ok(b.do("DELETE", "/v1/oauth2/app", b.token, nil), nil) }, false},
		"a scope that is asked": {asks, give("openid", "profile", "groups", "groups_name"), false},
		"a scope that is not":   {asks, give("openid", "email", "groups_name"), true},
		"another client": {withRaise, func(w *world, b *browser) {
			b.ok(b.do("DELETE", "/v1/oauth2/app", b.token, nil), nil)
			_, err := w.api.Accounts().CreateObject(t.Context(), state.KindClient, uuid.Nil, state.Attributes{
				state.AttrName: state.TextValue("other"), state.AttrType: state.TextValue("public"),
				state.AttrDisplayName: state.TextValue("Other"), state.AttrLandingURL: state.TextValue("https://other.example/")})
			must(w.t, err)
			b.ok(b.do("POST", "/v1/oauth2/other/_scopemap/idm_all_persons", b.token, []string{"openid"}), nil)
		}, false}, // which is of another application, as far as anybody knows
		"out of the group, and in one that is in it": {withRaise, func(w *world, b *browser) {
			inner, ctx := providers.NewGroup{ID: uuid.New(), Name: "inner"}, w.t.Context()
			must(w.t, w.api.Accounts().CreateGroups(ctx, []providers.NewGroup{inner}))
			must(w.t, w.api.Accounts().AddMembers(ctx, w.groupOf("tenant_acme_users"), []uuid.UUID{inner.ID}))
			s := w.withPassword("user", "acme", 0)
			must(w.t, w.api.Accounts().AddMembers(ctx, inner.ID, []uuid.UUID{s.person}))
			must(w.t, w.api.Accounts().RemoveMembers(ctx, providers.Members{Group: w.groupOf("tenant_acme_users"), Persons: []uuid.UUID{s.person}}))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b, user, _ := raisable(t, "dual", c.config)
			w.run(exitDone, "plan", "-out", "p")
			c.change(w, b)
			if c.raised {
				w.run(exitDone, "apply", "p")
			} else {
				out, _ := w.run(exitRemainder, "apply", "p")
				wants(t, out, "1 changed meanwhile", "no client lets it in through Self-auth any more")
			}
			if w.raised(user) != c.raised {
				t.Errorf("raised %t, want %t", w.raised(user), c.raised)
			}
		})
	}
}

// TestRaiseByTheDoorsOfReal (L8) is the same on each server there is: the map goes, and comes back.
func TestRaiseByTheDoorsOfReal(t *testing.T) {
	t.Parallel()
	for on, start := range servers(t) {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 6, Level: "dual"}, s)
			b := newBrowser(t, s)
			b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
			w.config(withRaise)
			w.run(exitDone, "apply", "-auto-approve")
			one := w.withPassword("user", "acme", 0)
			b.enrol(one.person)
			w.run(exitDone, "plan", "-out", "p")
			const mapOf = "/v1/oauth2/app/_scopemap/tenant_acme_users"
			b.ok(b.do("DELETE", mapOf, b.token, nil), nil)
			w.run(exitRemainder, "apply", "p")
			if one.raised() {
				t.Error("raised, and no client lets it in")
			}
			w.run(exitDone, "apply", "-auto-approve") // the map is back
			w.run(exitDone, "apply", "-auto-approve")
			if !one.raised() {
				t.Error("not raised, and the client lets it in again")
			}
		})
	}
}

// TestRaiseBetweenBatches (L8): the map is taken away when the first batch has been looked at: the second is looked at anew.
func TestRaiseBetweenBatches(t *testing.T) {
	t.Parallel()
	var looks atomic.Int64
	looks.Store(-1 << 40)
	var between func()
	s := emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "oauth2_resource_server") && looks.Add(1) == 2 {
			between()
		}
		return false
	}})
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	first := strings.Replace(withRaise, "users { all = true }\n  start { after = [wave.everyone] }", "users { roles = [\"admin\"] }\n  start { after = [wave.everyone] }", 1)
	if first == withRaise {
		t.Fatal("the wave is another one by now")
	}
	w.config(first + "\nwave \"others\" {\n  auth_policy = auth_policy.alone\n  users { roles = [\"user\"] }\n  start { after = [wave.everyone] }\n}\n")
	w.run(exitDone, "apply", "-auto-approve")
	admin, user := w.withPassword("admin", "acme", 0), w.withPassword("user", "acme", 0)
	b.enrol(admin.person)
	b.enrol(user.person)
	w.run(exitDone, "plan", "-out", "p")
	between = func() { b.ok(b.do("DELETE", "/v1/oauth2/app/_scopemap/tenant_acme_users", b.token, nil), nil) }
	looks.Store(0)
	out, _ := w.run(exitRemainder, "apply", "p")
	wants(t, out, "1 changed meanwhile")
	if !admin.raised() || user.raised() {
		t.Errorf("raised: admin %t, want it; user %t, want it not\n%s", admin.raised(), user.raised(), out)
	}
	if n := looks.Load(); n != 2 {
		t.Errorf("the clients were read %d times, want once a batch", n)
	}
}
