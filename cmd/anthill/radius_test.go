package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestBlastRadius: what a plan does to each tenant's users is what SQL counts, over all waves, those with most users first;
// where one tenant changes alone the text has no table of it.
func TestBlastRadius(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 5, Users: 300, Seed: 4}, emulator(t))
	w.config(everyone + `
wave "admins" {
  auth_policy = auth_policy.dual
  users { roles = ["admin", "super_admin"] }
}
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.admins] }
}
`)
	type tenant struct {
		Slug    string
		Live    int
		Percent float64 `json:"percent_of_live"`
		Ends    int     `json:"self_auth_sessions_of"`
		Figures map[string]int
	}
	planned := func() (list []tenant, all tenant) {
		t.Helper()
		out, _ := w.run(exitDone, "plan", "-json")
		var p struct {
			Radius struct {
				Tenants []tenant
				All     tenant
			} `json:"blast_radius"`
		}
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(err)
		}
		return p.Radius.Tenants, p.Radius.All
	}
	table := func(out string, want bool) {
		t.Helper()
		if strings.Contains(out, "\nTenants\n") != want {
			t.Errorf("a table of tenants: want %v:\n%s", want, out)
		}
	}
	const live = `select count(*) from users u join tenants t using (tenant_id) where u.deleted_at is null and t.deleted_at is null and t.slug = $1`
	const moves = live + ` and u.status = 'active' and t.status = 'active' and u.email <> 'system@anthill.local'
		and u.email ~ '^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+[.][A-Za-z]+$' and not exists (select from users o join tenants ot using (tenant_id)
			where o.user_id <> u.user_id and lower(o.email) = lower(u.email) and o.deleted_at is null and ot.deleted_at is null)`
	const admins = moves + ` and u.role in ('admin', 'super_admin')`
	list, all := planned()
	if len(list) < 3 || !slices.IsSortedFunc(list, func(a, b tenant) int { return b.Figures["users"] - a.Figures["users"] }) {
		t.Errorf("not those with most users first: %+v", list)
	}
	sum := 0
	for _, one := range list {
		n, of := w.number(moves, one.Slug), w.number(live, one.Slug)
		got := []int{one.Figures["users"], one.Figures["create"], one.Live, one.Figures["gain_admin"], one.Ends}
		if want := []int{n, n, of, w.number(admins, one.Slug), 0}; !slices.Equal(got, want) {
			t.Errorf("%s: users, persons, live, admins, sessions: %v, want %v", one.Slug, got, want)
		}
		if want := fmt.Sprintf("%.2f", 100*float64(n)/float64(of)); fmt.Sprintf("%.2f", one.Percent) != want {
			t.Errorf("%s: %v %%, want %s", one.Slug, one.Percent, want)
		}
		sum += n
	}
	if all.Figures["users"] != sum || all.Live != w.number(strings.TrimSuffix(live, " and t.slug = $1")) {
		t.Errorf("in all: %+v, want %d users", all, sum)
	}
	out, _ := w.run(exitDone, "plan")
	table(out, true)
	w.run(exitDone, "apply", "-auto-approve")

	// Two of one tenant fall asleep, and then one of another as well.
	w.exec(`update users set status = 'suspended' where user_id in (select user_id from users join tenants t using (tenant_id)
		where t.slug = $1 and role = 'user' and {idp}_user_id is not null limit 2)`, list[0].Slug)
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "2 persons are logged out of Self-auth")
	table(out, false)
	w.exec(`update users set status = 'suspended' where user_id in (select user_id from users join tenants t using (tenant_id)
		where t.slug = $1 and role = 'user' and {idp}_user_id is not null limit 1)`, list[1].Slug)
	after, all := planned()
	if len(after) != 2 || after[0].Ends != 2 || after[1].Ends != 1 || all.Ends != 3 || after[0].Slug != list[0].Slug || after[0].Figures["expire"] != 2 {
		t.Errorf("who is logged out: %+v, in all %+v", after, all)
	}
	out, _ = w.run(exitDone, "plan")
	table(out, true)
	// A rollback has it, too: of each tenant as many as are moved.
	out, _ = w.run(exitDone, "rollback", "-out", "back")
	wants(t, out, "are logged out of Self-auth")
	table(out, true)
}
