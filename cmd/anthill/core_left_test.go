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
)

// TestRevivedAsleep: a person who sleeps by our doing, was deleted by a rollback whose row is refused, and is brought back,
// wakes with its row.
func TestRevivedAsleep(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"expired": nil, "deleted": {"-delete-persons", "-allow", "DELETES_DATA=39"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s := w.someone("user", "acme")
			s.set("status", "suspended")
			w.run(exitDone, "apply", "-auto-approve")
			s.is("suspended", "expired", "tenant_acme_users")
			s.set("status", "active")
			mend := s.refuses()
			w.run(exitRemainder, append([]string{"rollback", "-tenant", "acme", "-auto-approve"}, args...)...)
			s.is("refused", "expired", "tenant_acme_users")
			mend()
			w.run(exitDone, "wave", "resume", "-tenant", "acme", "everyone")
			out, st := w.try2("apply", "-auto-approve")
			t.Log(st, out)
			s.is("resumed", "enabled", "tenant_acme_users")
		})
	}
}

// TestFailedGone: a user who was gone, came back, could not be moved, and is gone again is taken back once.
func TestFailedGone(t *testing.T) {
	t.Parallel()
	for _, byHand := range []bool{false, true} {
		t.Run(fmt.Sprint("person deleted by hand ", byHand), func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			w.exec("delete from user_profiles")
			s := w.someone("user", "acme")
			w.exec("create table kept as select * from users where user_id = $1", s.user)
			w.exec("delete from users where user_id = $1", s.user)
			w.run(exitDone, "apply", "-auto-approve")
			if byHand {
				must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{s.person}))
			}
			w.exec("update kept set {idp}_user_id = null, auth_method = 'password', migration_completed_at = null")
			w.exec("insert into users select * from kept")
			mend := s.refuses()
			w.run(exitRemainder, "apply", "-auto-approve")
			mend()
			w.exec("delete from users where user_id = $1", s.user)
			args := []string{"rollback", "-tenant", "acme", "-delete-persons", "-auto-approve"}
			w.allowing(args...)
			if _, there := w.directory().persons[s.person]; there {
				t.Error("its person is not deleted")
			}
			for range 2 {
				out, st := w.try2(args...)
				t.Log(st, out)
				wants(t, out, "Nothing to take back")
			}
		})
	}
}

// TestScopeOfRemainder: what a rollback of one tenant has left is not taken for all tenants, by whatever way on it names.
func TestScopeOfRemainder(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprint("closed ", closed), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all, acme := w.allLinked(), w.isLinked("acme")
			s := w.someone("user", "acme")
			on := []string{"rollback", "-tenant", "acme", "-auto-approve"}
			if closed {
				k.cut(0)
				w.run(exitStopped, on...)
				k.mend()
				w.run(exitDone, "apply", "-close", "-auto-approve")
				on = []string{"rollback", "-auto-approve"}
			}
			mend := s.refuses()
			for range 2 { // goes on as long as it leaves some
				out, _ := w.run(exitRemainder, on...)
				wants(t, out, "rollback -run "+w.runs()[0]+" -tenant acme")
				if n := w.allLinked(); n != all-acme+1 {
					t.Fatalf("%d linked, want %d", n, all-acme+1)
				}
			}
			mend()
			if closed {
				w.run(exitDone, on...)
			} else {
				w.run(exitDone, "rollback", "-run", w.runs()[0], "-tenant", "acme", "-auto-approve")
			}
			if n := w.allLinked(); n != all-acme {
				t.Errorf("in the end %d linked, want %d", n, all-acme)
			}
			// Nothing of that scope is left: the next one is of the latest run.
			w.run(exitDone, "rollback", "-auto-approve")
			if n := w.allLinked(); n != 0 {
				t.Errorf("the run is taken back, and %d are linked", n)
			}
		})
	}
}

// TestRemainderOfClosed: what the rollback of a closed run has left is taken back without the run before it, unless another
// scope was named meanwhile.
func TestRemainderOfClosed(t *testing.T) {
	t.Parallel()
	wave := func(name, start, users string) string {
		return "wave \"" + name + "\" {\n  auth_policy = auth_policy.dual\n  " + start + "\n  users { " + users + " }\n}\n"
	}
	pilot := wave("pilot", "", `tenants = ["globex"]`)
	rest := wave("rest", "start { after = [wave.pilot] }", `tenants = ["acme"]`) +
		wave("last", "start { after = [wave.rest] }", "all = true")
	for _, other := range []bool{false, true} {
		t.Run(fmt.Sprint("other scope ", other), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + pilot)
			w.run(exitDone, "apply", "-auto-approve")
			globex := w.allLinked()
			w.config(everyone + pilot + rest)
			k.cut(5)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			if n := w.isLinked("acme"); n == 0 {
				t.Fatal("it was stopped before anybody was moved")
			}
			mend := w.someone("user", "acme").refuses()
			for range 2 {
				out, _ := w.run(exitRemainder, "rollback", "-auto-approve")
				wants(t, out, "rollback -run "+w.runs()[1])
				if n := w.allLinked(); n != globex+1 {
					t.Fatalf("%d linked, want %d", n, globex+1)
				}
			}
			want := globex
			if other {
				w.run(exitRemainder, "rollback", "-tenant", "acme", "-auto-approve")
				want = 0
			}
			mend()
			w.run(exitDone, "rollback", "-auto-approve")
			if n := w.allLinked(); n != want {
				t.Errorf("%d linked, want %d", n, want)
			}
		})
	}
}

// TestPauseNamed: a pause that keeps an active, linked user asleep is named, however its wave stands.
func TestPauseNamed(t *testing.T) {
	t.Parallel()
	gone := strings.Replace(waveEveryone, "everyone", "other", 1)
	for name, wave := range map[string]string{
		"done":     waveEveryone,
		"disabled": strings.Replace(waveEveryone, "{", "{\n  enabled = false", 1),
		"held":     "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [] }\n}\n",
		"gone":     gone,
	} {
		for _, tenant := range []string{"", "acme"} {
			t.Run(name+tenant, func(t *testing.T) {
				t.Parallel()
				w, _ := moved(t)
				s := w.someone("user", "acme")
				resume := "wave resume everyone"
				if tenant == "" {
					w.someone("admin", "acme").set("role", "user")
					w.run(exitDone, "apply", "-auto-approve")
					w.run(exitDone, "rollback", "-auto-approve")
				} else {
					mend := s.refuses() // it stays moved
					w.run(exitRemainder, "rollback", "-tenant", tenant, "-auto-approve")
					mend()
					resume = "wave resume -tenant acme everyone"
				}
				s.set("status", "suspended")
				w.try2("apply", "-auto-approve")
				s.set("status", "active")
				w.config(everyone + wave)
				w.try2("apply", "-auto-approve")
				s.is("under the pause", "expired", "tenant_acme_users")
				for _, command := range []string{"plan", "status"} {
					out, _ := w.try2(command)
					wants(t, out, resume, "aused")
				}
				w.run(exitDone, strings.Fields(resume)...)
				w.try2("apply", "-auto-approve")
				s.is("resumed", "enabled", "tenant_acme_users")
			})
		}
	}
}

// TestPauseOfGoneTenant: the pause of a tenant whose row is gone is lifted by the command that the plan tells.
func TestPauseOfGoneTenant(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	var id uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), "delete from tenants where slug = 'acme' returning tenant_id").Scan(&id))
	resume := "wave resume -tenant " + id.String() + " everyone"
	out, _ := w.try2("plan")
	wants(t, out, resume)
	out, _ = w.run(exitDone, strings.Fields(resume)...)
	wants(t, out, "goes on")
	if n := w.number("select count(*) from anthill_state.pauses"); n != 0 {
		t.Errorf("%d pauses are left", n)
	}
}

// TestDeletedAsleepComesBack: whose person a rollback expired or deleted, and whose row is refused, stands as before, also where
// the user may be given nothing at present.
func TestDeletedAsleepComesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, before string }{
		"user asleep": {"update users set status = 'suspended' where user_id = $1", "expired"},
		"tenant away": {"update tenants set status = 'suspended' where tenant_id = (select tenant_id from users where user_id = $1)", "enabled"},
	} {
		for act, args := range map[string][]string{"expired": nil, "deleted": {"-delete-persons", "-allow", "DELETES_DATA=39"}} {
			t.Run(name+" "+act, func(t *testing.T) {
				t.Parallel()
				w, _ := moved(t)
				s := w.someone("user", "acme")
				w.exec(c.sql, s.user)
				w.run(exitDone, "apply", "-auto-approve")
				s.is("before", c.before, "tenant_acme_users")
				mend := s.refuses()
				w.run(exitRemainder, append([]string{"rollback", "-tenant", "acme", "-auto-approve"}, args...)...)
				s.is("refused", c.before, "tenant_acme_users")
				mend()
				w.exec(strings.Replace(c.sql, "suspended", "active", 1), s.user)
				w.run(exitDone, "wave", "resume", "-tenant", "acme", "everyone")
				w.try2("apply", "-auto-approve")
				s.is("resumed", "enabled", "tenant_acme_users")
				w.allowing(append([]string{"rollback", "-tenant", "acme", "-auto-approve"}, args[:min(len(args), 1)]...)...)
				if n := w.isLinked("acme"); n != 0 {
					t.Errorf("in the end %d are linked", n)
				}
				s.is("taken back", map[string]string{"expired": "expired", "deleted": "gone"}[act])
			})
		}
	}
}

// TestRemainderOfGoneTenant: what a rollback of one tenant has left is taken back by the command that it tells, also where the
// tenant's row is gone, so that it is told by its id; an id of no tenant is refused.
func TestRemainderOfGoneTenant(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.exec("delete from user_profiles")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	all, acme := w.allLinked(), w.isLinked("acme")
	s := w.someone("user", "acme")
	k.cut(0)
	w.run(exitStopped, "rollback", "-tenant", "acme", "-auto-approve")
	k.mend()
	w.run(exitDone, "apply", "-close", "-auto-approve")
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'globex') where user_id = $1", s.user)
	w.exec("delete from users where tenant_id = (select tenant_id from tenants where slug = 'acme')")
	var id uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), "delete from tenants where slug = 'acme' returning tenant_id").Scan(&id))
	mend := s.refuses()
	out, _ := w.run(exitRemainder, "rollback", "-auto-approve")
	mend()
	told := []string{"rollback", "-run", w.runs()[0], "-tenant", id.String()}
	wants(t, out, "anthill "+strings.Join(told, " "))
	w.run(exitDone, append(told, "-auto-approve")...)
	if n := w.allLinked(); n != all-acme {
		t.Errorf("%d linked, want %d", n, all-acme)
	}
	s.is("taken back", "expired")
	no := uuid.NewString()
	for _, args := range [][]string{{"rollback", "-tenant", no}, {"wave", "resume", "-tenant", no, "everyone"}} {
		out, _ := w.try2(args...)
		wants(t, out, `there is no tenant with the slug "`+no+`"`)
	}
}

// TestDeletedMeanwhile: a rollback deletes a person, and meanwhile its row changes. It comes back only where somebody's row
// is linked to it still.
func TestDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"unlinked":         {"update users set {idp}_user_id = null where user_id = $1", "gone"},
		"linked elsewhere": {"update users set {idp}_user_id = gen_random_uuid() where user_id = $1", "gone"},
		"row gone":         {"delete from users where user_id = $1", "gone"},
		"promoted":         {"update users set role = 'admin' where user_id = $1", "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var armed atomic.Bool
			var change func()
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, emulatorWith(t, selfauthd.Options{
				Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/v1/raw/delete" && armed.CompareAndSwap(true, false) {
						change()
					}
					return false
				}}))
			w.exec("delete from user_profiles")
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			change = func() { w.exec(w.spell(c.sql), s.user) }
			w.allowing("rollback", "-tenant", "acme", "-delete-persons", "-out", "p")
			armed.Store(true)
			out, st := w.try2("apply", "p")
			if armed.Load() {
				t.Fatalf("nobody was deleted: %d\n%s", st, out)
			}
			if st != exitDone && st != exitRemainder {
				t.Errorf("exit status %d:\n%s", st, out)
			}
			s.is("deleted", c.want)
			// Nor does the next plan make one that no row asks for.
			w.try2("apply", "-auto-approve")
			s.is("in the end", c.want)
		})
	}
}
