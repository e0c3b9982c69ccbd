package main

import (
	"fmt"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// adminsOf counts the members of a tenant's admins' group.
func (w *world) adminsOf(tenant string) int {
	return len(w.directory().groups["tenant_"+tenant+"_admins"].Members)
}

// TestRulesBack: whoever left a group because its rule was narrowed or removed comes back with the rule.
func TestRulesBack(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"removed": "", "narrowed": "  members { roles = [\"super_admin\"] }\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			was := w.adminsOf("acme")
			w.config(strings.Replace(everyone, "  members { roles = [\"admin\", \"super_admin\"] }\n", to, 1) + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			if n := w.adminsOf("acme"); n >= was {
				t.Fatalf("%d admins, were %d: nobody has left", n, was)
			}
			w.run(exitDone, "rollback", "-auto-approve")
			if n := w.adminsOf("acme"); n != was {
				t.Errorf("%d admins came back, were %d", n, was)
			}
		})
	}
}

// TestRuleSwappedBack: a rollback goes by the rule that it restores, and not by the one that it takes back.
func TestRuleSwappedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, emulator(t))
	rule := func(role string) string {
		return strings.Replace(everyone, `"super_admin"]`, `"super_admin", "`+role+`"]`, 1) + waveEveryone
	}
	w.config(rule("manager"))
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("manager", "globex")
	s.is("first", "enabled", "tenant_globex_admins", "tenant_globex_users")
	w.config(rule("user"))
	w.run(exitDone, "apply", "-auto-approve")
	s.is("swapped", "enabled", "tenant_globex_users")
	s.set("role", "user")
	w.run(exitDone, "rollback", "-auto-approve")
	s.is("back", "enabled", "tenant_globex_users")
}

// TestObjectsInFlight: groups and a client that a stopped run may have made go when it is closed and rolled back, and
// stand in nobody's way.
func TestObjectsInFlight(t *testing.T) {
	t.Parallel()
	for n := range int64(7) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 18, Seed: 30}, k.server)
			w.config(everyone + fmt.Sprintf(oneClient, "confidential") + waveEveryone)
			k.cut(n + 1)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.run(exitDone, "rollback", "-auto-approve")
			for name := range w.directory().groups {
				if strings.HasPrefix(name, "tenant_") {
					t.Errorf("group %s is left", name)
				}
			}
			w.try("wave", "resume", "everyone") // where the run had come to its users
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.checkMoved()
		})
	}
}

// TestClosedRollbackPauses: a rollback that was stopped and closed leaves its pause, so that the next apply does not move
// everybody again.
func TestClosedRollbackPauses(t *testing.T) {
	t.Parallel()
	for n := range int64(4) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 30}, k.server)
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			expired := func() (n int) {
				for _, p := range w.directory().persons {
					if p.Expired {
						n++
					}
				}
				return n
			}
			k.cut(n + 2)
			w.run(exitStopped, "rollback", "-auto-approve")
			k.mend()
			w.run(exitDone, "apply", "-close", "-auto-approve")
			was := expired()
			w.run(exitDone, "apply", "-auto-approve")
			if now := expired(); now < was {
				t.Errorf("%d of %d persons were enabled again", was-now, was)
			}
			w.run(exitDone, "rollback", "-auto-approve")
			w.checkRolledBack(before)
		})
	}
}

// TestNarrowRollbackGoesOn: a rollback of one tenant that was stopped is gone on with as that, by the same command without
// its flags.
func TestNarrowRollbackGoesOn(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 30}, k.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	linked := func(tenant string) int {
		return w.number("select count(*) from users join tenants using (tenant_id) where slug = $1 and {idp}_user_id is not null", tenant)
	}
	globex := linked("globex")
	k.cut(1)
	w.run(exitStopped, "rollback", "-tenant", "acme", "-auto-approve")
	k.mend()
	w.run(exitDone, "rollback", "-auto-approve")
	if acme, now := linked("acme"), linked("globex"); acme != 0 || now != globex {
		t.Errorf("acme has %d linked rows, want none; globex %d, had %d", acme, now, globex)
	}
}

// TestUnlinkedByTheApplication: a person of ours whose row is not active and was unlinked may not log in, and is in no
// group.
func TestUnlinkedByTheApplication(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("admin", "acme")
	w.exec("update users set {idp}_user_id = null, status = 'inactive', deleted_at = now() where user_id = $1", s.user)
	w.run(exitDone, "apply", "-auto-approve")
	s.is("deleted and unlinked", "expired")
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// TestClosedDeleting: a rollback that deletes persons, stopped anywhere and closed, leaves nobody linked to a person that
// is not there, and can be gone on with and be taken back.
func TestClosedDeleting(t *testing.T) {
	t.Parallel()
	deleted := 0
	for n := int64(3); n < 7; n++ {
		k := newCutter(t)
		w := newWorld(t, sandbox.Options{Tenants: 2, Users: 14, Seed: 30}, k.server)
		w.config(everyone + waveEveryone)
		before := w.fingerprint()
		w.run(exitDone, "apply", "-auto-approve")
		made := len(w.directory().persons)
		k.cut(n)
		w.run(exitStopped, "rollback", "-delete-persons", "-auto-approve", "-allow", "DELETES_DATA=14")
		k.mend()
		w.run(exitDone, "apply", "-close", "-auto-approve")
		d := w.directory()
		for _, r := range w.rows() {
			if _, there := d.persons[r.link]; r.linked && !there {
				t.Errorf("cut at %d: user %s is linked to a person that is not there", n, r.id)
			}
		}
		deleted += made - len(d.persons)
		w.allowing("rollback", "-delete-persons", "-auto-approve")
		w.checkRolledBack(before)
	}
	if deleted == 0 {
		t.Error("no cut came between deleting persons and writing their rows; this test proves nothing")
	}
}
