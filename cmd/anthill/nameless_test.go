package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// clientWith is a client that gives all users, and administrators, scopes.
func clientWith(users, admins, more string) string {
	quoted := func(list string) string { return `"` + strings.ReplaceAll(list, " ", `", "`) + `"` }
	text := `
oauth2_client "app" {
  display_name  = "App"
  landing_url   = "https://app.example.com"
  redirect_urls = ["https://app.example.com/cb"]
  scope_map {
    groups = group.users
    scopes = [` + quoted(users) + `]
  }
`
	if admins != "" {
		text += "  scope_map {\n    groups = group.admins\n    scopes = [" + quoted(admins) + "]\n  }\n"
	}
	return text + more + "}\n"
}

// TestLoginWithoutTenant: users who would come in with tokens by which the application finds no tenant block the plan,
// counted by hand; what is no doing of the plan does not.
func TestLoginWithoutTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 90, Seed: 8}, emulator(t))
	const waves = `
wave "first" {
  auth_policy = auth_policy.dual
  users { roles = ["admin", "manager"] }
}
wave "rest" {
  auth_policy = auth_policy.dual
  users { all = true }
  start {
    after = [wave.first]
    at    = "2099-01-01T00:00:00Z"
  }
}
`
	blocked := func(why, config string, n int) {
		t.Helper()
		w.config(config)
		out, _ := w.run(exitBlocked, "plan")
		wants(t, out, fmt.Sprintf("-allow LOGIN_WITHOUT_TENANT=%d", n), "anthill explain LOGIN_WITHOUT_TENANT")
		if strings.Contains(out, "No hazards") {
			t.Errorf("%s:\n%s", why, out)
		}
	}
	calm := func(why, config string) {
		t.Helper()
		w.config(config)
		out, _ := w.run(exitDone, "plan")
		if !strings.Contains(out, "No hazards.") {
			t.Errorf("%s:\n%s", why, out)
		}
	}
	with := func(users, admins, more string) string { return everyone + waves + clientWith(users, admins, more) }
	const live = `status = 'active' and deleted_at is null`
	first := w.number(`select count(*) from users where role in ('admin', 'manager') and ` + live)
	managers := w.number(`select count(*) from users where role = 'manager' and ` + live)
	if first == 0 || managers == 0 || first == managers {
		t.Fatalf("%d users in the first wave, %d of them managers: this test needs others", first, managers)
	}
	blocked("all of the wave that moves, and nobody of the one that is held", with("openid groups", "", ""), first)
	blocked("the administrators have names", with("openid groups", "groups_name", ""), managers)
	blocked("given and not asked for", with("openid groups groups_name", "", `  requested_scopes = ["openid", "groups"]`+"\n"), first)
	calm("names", with("openid groups groups_name", "", ""))
	calm("asked for", with("openid groups groups_name", "", `  requested_scopes = ["openid", "groups_name"]`+"\n"))
	calm("a client that does not tell groups", with("openid email", "", ""))

	w.config(with("openid groups groups_name", "", ""))
	w.run(exitDone, "apply", "-auto-approve")
	calm("nothing to do", with("openid groups groups_name", "", ""))
	blocked("names go from those who are moved", with("openid groups", "", ""), first)
	// A scope that goes is a hazard of its own.
	w.run(exitDone, "plan", "-out", "p", "-allow", fmt.Sprintf("LOGIN_WITHOUT_TENANT=%d", first),
		"-allow", fmt.Sprintf("LOCKS_OUT_USERS=%d", first))
	w.run(exitDone, "apply", "p")
	calm("they have none since, and nobody is moved", with("openid groups", "", ""))
	calm("other scopes change", with("openid groups email", "", ""))
	rest := w.number(`select count(*) from users where {idp}_user_id is null and ` + live)
	blocked("those who come later", strings.ReplaceAll(with("openid groups", "", ""), `at    = "2099-01-01T00:00:00Z"`, ""), rest)
}

// TestAdminsAsMembers: who would come in with less than their role blocks the plan: where the group for all is older than
// that of the administrators. Where that one is deleted, the next plan makes it anew: the way out that is told.
func TestAdminsAsMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 90, Seed: 8}, emulator(t))
	old := providers.NewGroup{ID: uuid.New(), Name: "tenant_acme_users"}
	must(t, w.api.Accounts().CreateGroups(t.Context(), []providers.NewGroup{old}))
	adopting := strings.Replace(everyone, `  role        = "member"`, "  role        = \"member\"\n  adopt       = true", 1)
	const live = `status = 'active' and deleted_at is null and tenant_id = (select tenant_id from tenants where slug = 'acme')`
	admins := w.number(`select count(*) from users where role in ('admin', 'super_admin') and ` + live)
	w.config(adopting)
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "No hazards.", "older than one that should come before it")
	w.config(adopting + waveEveryone)
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, fmt.Sprintf("-allow ADMINS_AS_MEMBERS=%d", admins), "come in by group tenant_acme_users")

	// Moved all the same; then one more becomes administrator.
	w.run(exitDone, "plan", "-out", "p", "-allow", fmt.Sprintf("ADMINS_AS_MEMBERS=%d", admins))
	w.run(exitDone, "apply", "p")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "Nothing to do.")
	w.exec("update users set role = 'admin' where user_id = (select user_id from users where role = 'user' and " + live + " order by user_id limit 1)")
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "-allow ADMINS_AS_MEMBERS=1")

	// The way out: the next plan makes the group anew, behind that of the administrators.
	must(t, w.api.Accounts().DeleteGroups(t.Context(), []uuid.UUID{old.ID}))
	out, _ = w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "+ group.users[\"acme\"]", "No hazards.")
	w.run(exitDone, "apply", "p")
	w.exec("update users set role = 'admin' where user_id = (select user_id from users where role = 'user' and " + live + " order by user_id limit 1)")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "1 user becomes admin of a tenant", "No hazards.")
}
