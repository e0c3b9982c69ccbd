package main

import (
	"fmt"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestMappingRowsAndRoles: a plan notes mapping rows that do not do what they seem to, and the users to be moved whose role
// no group names, both as SQL counts them.
func TestMappingRowsAndRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 90, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	const dead = "insert into {idp}_tenant_groups (tenant_id, {idp}_group_uuid, {idp}_group_name, role) select tenant_id, gen_random_uuid(), $1, $2 from tenants where slug = 'acme'"
	w.exec(dead, "old_guests", "viewer")
	w.exec(dead, "tenant_acme_users", "viewer")
	said := func(out string) string { return strings.Join(strings.Fields(out), " ") }
	out, _ := w.run(exitDone, "plan", "-out", "p")
	text := said(out)
	n := w.number(`select count(*) from users u join tenants t using (tenant_id) where u.status = 'active' and t.status = 'active' and u.deleted_at is null
		and t.deleted_at is null and u.email <> 'system@anthill.local' and u.role not in ('user', 'admin', 'super_admin')`)
	managers := w.number(`select count(*) from users u join tenants t using (tenant_id) where u.status = 'active' and t.status = 'active' and u.deleted_at is null
		and t.deleted_at is null and u.role = 'manager'`)
	if n == 0 || managers == 0 {
		t.Fatal("the sample has no such users")
	}
	wants(t, text, fmt.Sprintf("%d users to be moved have roles that no group of the tenant names (manager %d,", n, managers),
		"tenant acme has a mapping row (viewer) of group old_guests, which is gone from Self-auth",
		"tenant acme has mapping rows of group tenant_acme_users with several roles (member, viewer)")
	if strings.Contains(text, "tenant globex has") {
		t.Errorf("rows of a tenant that has none:\n%s", out)
	}
	w.exec("delete from {idp}_tenant_groups where role = 'viewer'")
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update {idp}_tenant_groups set {idp}_group_name = 'tenant_acme_guests' where {idp}_group_name = 'tenant_acme_users'")
	out, _ = w.run(exitDone, "plan")
	// It is ours, and so it is set back.
	if text := said(out); strings.Contains(text, "mapping row of group") || !strings.Contains(text, "set back") {
		t.Errorf("a row of ours:\n%s", out)
	}
}
