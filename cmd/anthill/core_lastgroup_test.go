package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestLastGroupGoesInARace (L35): a group that a plan deletes stays where somebody is still in it whom the plan was to take
// out, or whom nobody knew of when it was made. The next plans bring it to an end.
func TestLastGroupGoesInARace(t *testing.T) {
	t.Parallel()
	const app = `
oauth2_client "app" {
  display_name     = "App"
  landing_url      = "https://app.example.com"
  redirect_urls    = ["https://app.example.com/cb"]
  requested_scopes = ["openid", "groups_name"]
  scope_map {
    groups = [group.GROUP["acme"]]
    scopes = ["openid", "groups", "groups_name"]
  }
}
`
	client := func(group string) string { return strings.ReplaceAll(app, "GROUP", group) }
	for name, c := range map[string]struct {
		before, after string                       // configurations
		first         string                       // before the user is moved
		deleted       bool                         // the tenant is, after that
		race          func(w *world, where string) // between plan and apply
		kept          int64                        // objects that stay
	}{
		"another role since": {before: forManagers, after: forManagersElse, kept: 1, race: func(w *world, where string) {
			w.exec("update users set role = 'viewer' where " + where)
		}},
		"another role since, and a client": {before: forManagers + client("mgr"), after: forManagersElse + client("managers"), kept: 2,
			race: func(w *world, where string) { w.exec("update users set role = 'viewer' where " + where) }},
		"another address since": {before: forManagers, after: forManagersElse, race: func(w *world, where string) {
			w.exec("update users set email = 'else@acme.example' where " + where)
		}},
		"moved by another run since": {before: forManagers, after: forManagersElse, first: "update users set status = 'suspended' where ",
			kept: 1, race: func(w *world, where string) {
				w.exec("update users set status = 'active' where " + where)
				w.config(usersAlone + forManagers + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				w.config(usersAlone + forManagersElse + waveEveryone)
			}},
		"tenant restored since": {before: forManagers, after: "", kept: 1,
			deleted: true,
			race: func(w *world, _ string) {
				w.exec("update tenants set deleted_at = null where slug = 'acme'")
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, true)
			if c.first != "" {
				w.exec(c.first + where)
			}
			w.config(usersAlone + c.before + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			if c.deleted {
				w.exec("update tenants set deleted_at = now() where slug = 'acme'")
				w.run(exitDone, "apply", "-auto-approve")
			}
			w.config(usersAlone + c.after + waveEveryone)
			w.allowing("plan", "-out", "p")
			c.race(w, where)
			out, status := w.try2("apply", "p")
			t.Log(status, out)
			if n := int64(strings.Count(out, "still in a group that goes")); n != c.kept {
				t.Errorf("%d objects stay, want %d", n, c.kept)
			}
			s.find()
			if c.kept > 0 {
				s.is("after the race", "enabled", "tenant_acme_mgr")
			}
			w.exec("update users set role = 'manager' where " + where)
			w.config(usersAlone + forManagersElse + waveEveryone)
			w.allowing("plan", "-out", "q")
			w.run(exitDone, "apply", "q")
			s.is("in the end", "enabled", "tenant_acme_managers")
			if out, _ := w.run(exitDone, "plan"); !strings.Contains(out, "Nothing to do") {
				t.Errorf("it says:\n%s", out)
			}
		})
	}
}

// TestGroupOfNobodyGoes (L35): who is recorded in a group and needs it no more keeps it from going no longer than its last
// member would: taken out by hand, gone from Self-auth, or in another group of the tenant.
func TestGroupOfNobodyGoes(t *testing.T) {
	t.Parallel()
	all := strings.Replace(usersAlone, `roles = ["user"]`, "all = true", 1)
	for name, c := range map[string]struct {
		config string // besides the group that goes
		change func(w *world, s someone)
		args   []string
	}{
		"taken out by hand": {all, func(w *world, s someone) {
			must(w.t, w.api.Accounts().RemoveMembers(w.t.Context(), membersOf(w.groupOf("tenant_acme_mgr"), s.person)))
		}, nil},
		"the person is gone": {all, func(w *world, s someone) {
			must(w.t, w.api.Accounts().Delete(w.t.Context(), []uuid.UUID{s.person}))
		}, nil},
		"linked to nobody": {all, func(w *world, s someone) {
			w.exec(w.spell("update users set {idp}_user_id = null where user_id = $1"), s.user)
		}, nil},
		"in another group, and left out of the plan": {all, func(*world, someone) {}, []string{"-target", `group.mgr["acme"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, _ := oneManager(t, true)
			w.config(c.config + forManagers + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s.find()
			c.change(w, s)
			w.config(c.config + waveEveryone)
			out, _ := w.run(exitDone, append([]string{"plan", "-out", "p"}, c.args...)...)
			t.Log(out)
			out, status := w.try2("apply", "p")
			if _, there := w.directory().groups["tenant_acme_mgr"]; there || status != exitDone {
				t.Errorf("exit status %d, and the group is there: %t\n%s", status, there, out)
			}
		})
	}
}

// TestLastGroupOfTheAbsent (L35): since the plan its user was suspended, or its tenant, so that its own change is not made. It
// comes back to the group that was to go, which stays. The groups of a tenant that was deleted are nobody's last ones.
func TestLastGroupOfTheAbsent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		race string // W is the user
		kept bool
	}{
		"the user is suspended":   {"update users set status = 'suspended' where W", true},
		"the user is deleted":     {"update users set deleted_at = now() where W", true},
		"the tenant is suspended": {away, true},
		"the tenant is deleted":   {"update tenants set deleted_at = now() where slug = 'acme'", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, true)
			w.config(usersAlone + forManagers + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s.find()
			w.config(usersAlone + forManagersElse + waveEveryone)
			w.allowing("plan", "-out", "p")
			w.exec(strings.ReplaceAll(c.race, "W", where))
			out, _ := w.run(exitRemainder, "apply", "p")
			if !c.kept {
				s.is("of a tenant that is deleted", "enabled")
				return
			}
			wants(t, out, "still in a group that goes")
			w.exec("update tenants set status = 'active' where slug = 'acme'")
			w.exec("update users set status = 'active', deleted_at = null where " + where)
			s.is("back, before the next plan", "enabled", "tenant_acme_mgr")
			w.allowing("plan", "-out", "q")
			w.run(exitDone, "apply", "q")
			s.is("in the end", "enabled", "tenant_acme_managers")
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}
