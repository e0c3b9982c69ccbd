package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

func TestCoreInFlight(t *testing.T) {
	t.Parallel()
	for name, back := range map[string][]string{"same run": {"rollback", "-auto-approve"}, "another tenant": {"rollback", "-tenant", "globex", "-wave", "everyone", "-auto-approve"}} {
		t.Run("suspended/"+name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, k.server)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			s.set("status", "suspended")
			k.cut(1)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			s.is("stopped", "expired", "tenant_acme_users")
			out, _ := w.run(exitDone, back...)
			t.Log(out)
			s.is("rolled back", "expired", "tenant_acme_users")
		})
		t.Run("demoted/"+name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, k.server)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("admin", "acme")
			s.set("role", "user")
			k.cut(1)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			s.is("stopped", "enabled", "tenant_acme_users")
			out, _ := w.run(exitDone, back...)
			t.Log(out)
			s.is("rolled back", "enabled", "tenant_acme_users")
			out, _ = w.try2("plan")
			t.Log(out)
			w.try2("apply", "-auto-approve")
			s.is("after the next apply", "enabled", "tenant_acme_users")
		})
		t.Run("moved/"+name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, k.server)
			w.config(everyone + waveEveryone)
			w.exec("delete from user_profiles")
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("admin", "acme")
			w.exec("update users set role = 'user', tenant_id = (select tenant_id from tenants where slug = 'globex') where user_id = $1", s.user)
			k.cut(3)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			s.is("stopped", "enabled", "tenant_globex_users")
			out, _ := w.try2(back...)
			t.Log(out)
			s.is("rolled back", "enabled", "tenant_globex_users")
			out, _ = w.try2("plan")
			t.Log(out)
			w.try2("wave", "resume", "everyone")
			out, _ = w.try2("apply", "-auto-approve")
			t.Log(out)
			s.is("after resume and the next apply", "enabled", "tenant_globex_users")
			out, status := w.try2("plan", "-detailed-exitcode")
			t.Log(status, out)
		})
	}
}

func (w *world) try2(args ...string) (string, int) {
	status, out, errs := w.try(args...)
	return out + errs, status
}

func TestCoreStaleUndo(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("delete from user_profiles")
	sus, adm := w.someone("user", "acme"), w.someone("admin", "acme")
	mov, del := w.someone("admin", "globex"), w.someone("user", "globex")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[1], "-out", "back")
	sus.set("status", "suspended")
	adm.set("role", "user")
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = $1", mov.user)
	w.exec("update users set deleted_at = now() where user_id = $1", del.user)
	// What the rollback would have given each of them is not what its row asks for any more: they are left as they are.
	w.run(exitRemainder, "apply", "back")
	for _, s := range []someone{sus, adm, mov, del} {
		s.is("changed since", "expired")
	}
	w.run(exitDone, "apply", "-auto-approve")
	sus.is("then suspended", "expired")
	adm.is("then demoted", "enabled", "tenant_acme_users")
	mov.is("then moved", "enabled", "tenant_acme_users", "tenant_acme_admins")
	del.is("then deleted", "expired")
	if bad := w.invariants("in the end", true); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
}

func TestCoreTwoPlans(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("delete from user_profiles")
	const viewer = `
group "one" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 40)}_one"
  role     = "viewer"
  members { all = true }
}
`
	wider := strings.Replace(everyone, `roles = ["admin", "super_admin"]`, `roles = ["admin", "super_admin", "manager"]`, 1)
	s := w.someone("manager", "globex")
	w.config(everyone + waveEveryone + viewer)
	w.run(exitDone, "plan", "-out", "p1")
	w.config(wider + waveEveryone)
	w.run(exitDone, "plan", "-out", "p2")
	w.run(exitDone, "apply", "p1")
	s.is("p1", "enabled", "tenant_globex_users", "tenant_globex_one")
	out, status := w.try2("apply", "p2")
	t.Log(status, out)
	w.config(wider + waveEveryone + viewer)
	out, status = w.try2("plan", "-detailed-exitcode")
	t.Log(status, out)
	s.is("both", "enabled", "tenant_globex_users", "tenant_globex_one", "tenant_globex_admins")
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = $1", s.user)
	out, status = w.try2("apply", "-auto-approve")
	t.Log(status, out)
	s.is("another tenant", "enabled", "tenant_acme_users", "tenant_acme_one", "tenant_acme_admins")
	out, status = w.try2("plan", "-detailed-exitcode")
	t.Log(status, out)
	for range 6 {
		out, status = w.try2("rollback", "-auto-approve")
		t.Log(status, out)
		if strings.Contains(out, "Nothing to take back") {
			break
		}
	}
	for name, g := range w.directory().groups {
		if strings.HasPrefix(name, "tenant_") && len(g.Members) > 0 {
			t.Errorf("after all rollbacks group %s has %d members", name, len(g.Members))
		}
	}
}

func TestCoreUndoOfInFlight(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 18, Seed: 30}, k.server)
	w.exec("delete from user_profiles")
	w.config(everyone + waveEveryone)
	k.cut(6)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	w.run(exitDone, "rollback", "-auto-approve")
	for _, p := range w.directory().persons {
		if !p.Expired {
			t.Fatal("already enabled")
		}
	}
	out, status := w.try2("rollback", "-run", w.runs()[1], "-auto-approve")
	t.Log(status, out)
	if bad := w.invariants("after the rollback of the rollback", false); len(bad) > 0 {
		t.Errorf("%d: %v", len(bad), bad)
	}
	n := w.exec("update users set status = 'suspended' where status = 'active'")
	t.Log(n, "users are suspended")
	out, status = w.try2("rollback", "-auto-approve")
	t.Log(status, out)
	out, status = w.try2("apply", "-auto-approve")
	t.Log(status, out)
	if bad := w.invariants("after another rollback, and an apply", false); len(bad) > 0 {
		t.Errorf("%d: %v", len(bad), bad)
	}
}

func TestCoreUndoOfInFlightTenant(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 18, Seed: 30}, k.server)
	w.exec("delete from user_profiles")
	w.config(everyone + waveEveryone)
	k.cut(6)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	back := w.runs()[1]
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'globex') where tenant_id = (select tenant_id from tenants where slug = 'acme') and role = 'user'")
	out, status := w.try2("apply", "-auto-approve")
	t.Log(status, out)
	out, status = w.try2("rollback", "-run", back, "-auto-approve")
	t.Log(status, out)
	w.try2("wave", "resume", "everyone")
	out, status = w.try2("apply", "-auto-approve")
	t.Log(status, out)
	if bad := w.invariants("in the end", true); len(bad) > 0 {
		t.Errorf("%d: %s", len(bad), strings.Join(bad, "\n"))
	}
}

func TestCoreFullWhileOpen(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 30}, k.server)
	full := strings.ReplaceAll(strings.Replace(everyone, "members { all = true }", "members {\n    all = true\n    manage = \"full\"\n  }", 1),
		`members { roles = ["admin", "super_admin"] }`, "members {\n    roles = [\"admin\", \"super_admin\"]\n    manage = \"full\"\n  }")
	w.config(full + waveEveryone)
	k.cut(6)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	out, status := w.try2("plan", "-out", "p2")
	t.Log(status, out)
	out, status = w.try2("apply", "-auto-approve")
	t.Log(status, out[max(0, len(out)-300):])
	w.checkMoved()
	out, status = w.try2("apply", "p2")
	t.Log(status, out)
	w.checkMoved()
	out, status = w.try2("plan")
	t.Log(status, out)
}

func TestCoreFullStale(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 30}, emulator(t))
	full := strings.ReplaceAll(everyone, `members { roles = ["admin", "super_admin"] }`, "members {\n    roles = [\"admin\", \"super_admin\"]\n    manage = \"full\"\n  }")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	g := w.directory().groups["tenant_acme_admins"]
	if err := w.api.Accounts().AddMembers(t.Context(), g.ID, []uuid.UUID{s.person}); err != nil {
		t.Fatal(err)
	}
	w.config(full + waveEveryone)
	out, status := w.try2("plan", "-out", "p2")
	t.Log(status, out)
	s.set("role", "admin")
	w.config(everyone + waveEveryone)
	out, status = w.try2("apply", "-auto-approve")
	t.Log(status, out)
	s.is("an admin", "enabled", "tenant_acme_admins", "tenant_acme_users")
	out, status = w.try2("apply", "p2")
	t.Log(status, out)
	s.is("the stale plan", "enabled", "tenant_acme_admins", "tenant_acme_users")
}
