package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// byDefault is a world of three tenants, all of whose users are moved, under the guards that a configuration has by
// default, but for how many users may change.
func byDefault(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 300, Seed: 11}, emulator(t))
	w.config(guardedEveryone() + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	return w
}

func guardedEveryone() string {
	text, guard, _ := strings.Cut(everyone, "guard {")
	_, rest, _ := strings.Cut(guard, "}\n")
	return text + "guard { max_users_changed_percent = 100 }\n" + rest
}

// moved are the users of a tenant and role who are linked.
func (w *world) linked(slug, role string) (ids []uuid.UUID) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), w.spell(`select user_id from users join tenants t using (tenant_id)
		where t.slug = $1 and role = $2 and {idp}_user_id is not null order by 1`), slug, role)
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// hasHazard checks that a screen is blocked by a hazard of a count, that the same plan passes when that is allowed, and
// that nothing else blocks it.
func (w *world) blockedBy(hazards map[string]int, args ...string) string {
	w.t.Helper()
	out, _ := w.run(exitBlocked, args...)
	for code, n := range hazards {
		want := fmt.Sprintf("-allow %s=%d\n", code, n)
		if !strings.Contains(out, want) || !strings.Contains(out, "BLOCKED  "+code+" ") {
			w.t.Errorf("no hazard %s=%d:\n%s", code, n, out)
		}
		args = append(args, "-allow", fmt.Sprintf("%s=%d", code, n))
	}
	w.run(exitDone, args...)
	return out
}

// TestWhoLeaves: whoever leaves counts in the headline and in the guards, and is allowed by name and count.
func TestWhoLeaves(t *testing.T) {
	t.Parallel()
	t.Run("rows gone", func(t *testing.T) {
		t.Parallel()
		w := byDefault(t)
		n := int(w.exec(`delete from users where user_id in (select user_id from users join tenants t using (tenant_id)
			where t.slug = 'acme' and role = 'user' and {idp}_user_id is not null limit 20)`))
		out := w.blockedBy(map[string]int{"OVER_LIMIT_REMOVED": n, "ROWS_GONE": n}, "plan", "-out", "p")
		if !strings.Contains(out, "20 lose it") || !strings.Contains(out, "row gone") {
			t.Errorf("the headline:\n%s", out)
		}
		w.run(exitDone, "apply", "p")
		w.run(exitDone, "plan", "-detailed-exitcode")
	})
	t.Run("suspended", func(t *testing.T) {
		t.Parallel()
		w := byDefault(t)
		n := int(w.exec(`update users set status = 'suspended' where user_id in (select user_id from users
			where role = 'user' and {idp}_user_id is not null limit 40)`))
		out := w.blockedBy(map[string]int{"OVER_LIMIT_REMOVED": n}, "plan", "-out", "p")
		if strings.Contains(out, "ROWS_GONE") {
			t.Errorf("no row is gone:\n%s", out)
		}
	})
	t.Run("strangers of a group managed in full", func(t *testing.T) {
		t.Parallel()
		w := byDefault(t)
		w.strangers("tenant_acme_users", 30)
		w.config(strings.Replace(guardedEveryone(), "members { all = true }",
			"members {\n    all    = true\n    manage = \"full\"\n  }", 1) + waveEveryone)
		out := w.blockedBy(map[string]int{"OVER_LIMIT_REMOVED": 30}, "plan", "-out", "p")
		if strings.Contains(out, "none loses anything") || !strings.Contains(out, "30 members who do not belong leave") {
			t.Errorf("the headline:\n%s", out)
		}
		w.run(exitDone, "apply", "p")
	})
	t.Run("the only administrator", func(t *testing.T) {
		t.Parallel()
		w := byDefault(t)
		admins := append(w.linked("acme", "admin"), w.linked("acme", "super_admin")...)
		for _, id := range admins[1:] {
			w.exec("update users set role = 'user' where user_id = $1", id)
		}
		if len(admins) > 1 {
			// The first one is left.
			w.run(exitDone, "plan", "-out", "p")
			w.run(exitDone, "apply", "p")
		}
		w.exec("update users set status = 'suspended' where user_id = $1", admins[0])
		w.blockedBy(map[string]int{"LAST_ADMIN": 1}, "plan", "-out", "p")
		w.run(exitDone, "apply", "p")
		// Once it is gone nothing takes it away again.
		w.run(exitDone, "plan", "-detailed-exitcode")
	})
}

// strangers puts persons of nobody's into a group.
func (w *world) strangers(group string, n int) {
	w.t.Helper()
	id := w.directory().groups[group].ID
	var persons []uuid.UUID
	for i := range n {
		person := uuid.New()
		if err := w.api.Accounts().Create(w.t.Context(), newPerson(person, fmt.Sprintf("stranger%d", i),
			fmt.Sprintf("stranger%d@elsewhere.example", i))); err != nil {
			w.t.Fatal(err)
		}
		persons = append(persons, person)
	}
	if err := w.api.Accounts().AddMembers(w.t.Context(), id, persons); err != nil {
		w.t.Fatal(err)
	}
}

// TestGuardsOfARollback (L44): however many go back, no volume guard stops a rollback, and administrators with a
// password are no lost ones; one who stays moved and leaves the group of admins is.
func TestGuardsOfARollback(t *testing.T) {
	t.Parallel()
	w := byDefault(t)
	admins := append(w.linked("acme", "admin"), w.linked("acme", "super_admin")...)
	next := w.linked("acme", "user")[0]
	for _, id := range admins {
		w.exec("update users set role = 'user' where user_id = $1", id)
	}
	w.exec("update users set role = 'admin' where user_id = $1", next)
	// The successor comes in the same plan.
	w.run(exitDone, "plan", "-out", "p")
	w.run(exitDone, "apply", "p")
	// To take that back is to leave the tenant with nobody: those before are no administrators any more.
	w.blockedBy(map[string]int{"LAST_ADMIN": 1}, "rollback", "-out", "back")
	w.run(exitBlocked, "rollback", "-auto-approve")
	if n := len(w.directory().groups["tenant_acme_admins"].Members); n != 1 {
		t.Errorf("%d administrators after a rollback that was refused", n)
	}
	w.run(exitDone, "apply", "back")
	// All users go back, administrators too.
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	for _, code := range []string{"BLOCKED", "OVER_LIMIT", "LAST_ADMIN"} {
		if strings.Contains(out, code) {
			t.Errorf("a rollback of everybody says %s:\n%s", code, out)
		}
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n > 0 {
		t.Errorf("%d users are left linked", n)
	}
}
