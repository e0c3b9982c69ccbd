package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// TestAdoptsUnmappedGroup (L36): a group of others that was mapped to nobody makes nobody admin yet: who stays in it becomes
// admin by the plan that adopts it, and who leaves it ceases to be nothing.
func TestAdoptsUnmappedGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 11}, emulator(t))
	w.config(usersAlone + forManagers + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	person := func(role string) (id uuid.UUID) {
		must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id from users join tenants using (tenant_id)
			where slug = 'acme' and role = $1 and {idp}_user_id is not null order by user_id limit 1`), role).Scan(&id))
		return id
	}
	group := uuid.New()
	must(t, w.api.Accounts().CreateGroups(t.Context(), []providers.NewGroup{{ID: group, Name: "tenant_acme_admins"}}))
	must(t, w.api.Accounts().AddMembers(t.Context(), group, []uuid.UUID{person("admin"), person("user")}))
	w.config(strings.Replace(byRole, `  members { roles = ["admin", "super_admin"] }`, `  adopt = true
  members {
    roles  = ["admin", "super_admin"]
    manage = "full"
  }`, 1) + forManagers + waveEveryone)
	admins := w.number(`select count(*) from users where role in ('admin', 'super_admin') and {idp}_user_id is not null`)
	out, _ := w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "1 leaves groups", fmt.Sprintf("%d users become admin of their tenants", admins-1))
	if strings.Contains(out, "cease") {
		t.Errorf("nobody was admin by a group that is mapped to nobody:\n%s", out)
	}
	// The one who is in it already becomes admin as well, by the mapping row alone.
	wants(t, out, "tenant acme: 1 user becomes admin by a group that they are in already")
}
