package main

import (
	"fmt"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestPauseOfPartial: a whole rollback that is undone leaves the pause of an earlier, partial rollback.
func TestPauseOfPartial(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	a := w.latest()
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	n := w.isLinked("acme")
	w.run(exitDone, "rollback", "-run", a, "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
	out, st := w.try2("apply", "-auto-approve")
	t.Log(st, out)
	if now := w.isLinked("acme"); now != n {
		t.Errorf("acme %d, was %d", now, n)
	}
}

// TestGoneDeleted: a user whose row is gone is taken back once, person deleted or not.
func TestGoneDeleted(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-tenant", "acme"}, {"-wave", "everyone"}, {"-run", "A"}} {
		t.Run(args[0], func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			a := w.latest()
			if args[1] == "A" {
				args[1] = a
			}
			w.exec("delete from user_profiles")
			s := w.someone("user", "acme")
			w.exec("delete from users where user_id = $1", s.user)
			w.run(exitDone, "apply", "-auto-approve")
			w.allowing(append([]string{"rollback", "-delete-persons", "-auto-approve"}, args...)...)
			if _, there := w.directory().persons[s.person]; there {
				t.Error("not deleted")
			}
			for range 2 {
				out, st := w.try2(append([]string{"rollback", "-delete-persons", "-out", "p"}, args...)...)
				t.Log(st, out)
				out, st = w.try2(append([]string{"rollback", "-out", "p"}, args...)...)
				t.Log(st, out)
				wants(t, out, "othing")
			}
		})
	}
}

// TestRemadeGone: the group that a stopped rollback of a rollback made again is deleted by hand.
func TestRemadeGone(t *testing.T) {
	t.Parallel()
	for n := range int64(4) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all := w.allLinked()
			w.run(exitDone, "rollback", "-auto-approve")
			r1 := w.latest()
			k.cut(n + 2)
			out, st := w.try2("rollback", "-run", r1, "-auto-approve")
			k.mend()
			t.Log(st, out)
			w.try2("apply", "-close", "-auto-approve")
			if g, there := w.directory().groups["tenant_acme_users"]; there {
				t.Log("group is there")
				must(t, w.api.Accounts().DeleteGroups(t.Context(), []uuid.UUID{g.ID}))
			}
			for range 4 {
				out, st = w.try2("rollback", "-run", r1, "-auto-approve")
				t.Log(st, out)
			}
			t.Log(w.allLinked(), all)
			w.try2("wave", "resume", "everyone")
			for range 2 {
				out, st = w.try2("apply", "-auto-approve")
				t.Log(st, out)
			}
			if bad := w.invariants("end", true); len(bad) > 0 {
				t.Error(bad)
			}
		})
	}
}

// TestHeirHidden: an active row that is linked to the person of a gone one keeps its login, also where a group is hidden.
func TestHeirHidden(t *testing.T) {
	t.Parallel()
	for n := range 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			g := guardedEmulator(t).plain(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, g.server)
			w.exec("delete from user_profiles")
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("admin", "acme")
			group := w.groupOf("tenant_acme_admins")
			w.exec("delete from users where user_id = $1", s.user)
			w.linkedTo("acme", "admin", s.person)
			g.protect(t, group, true)
			for range 2 {
				out, st := w.try2("apply", "-auto-approve")
				t.Log(st, out)
			}
			if w.directory().persons[s.person].Expired {
				t.Error("hidden: the active heir is shut out")
			}
			g.protect(t, group, false)
			for range 2 {
				out, st := w.try2("apply", "-auto-approve")
				t.Log(st, out)
			}
			if w.directory().persons[s.person].Expired {
				t.Error("at last: the active heir is shut out")
			}
		})
	}
}

// TestStrayKeeps: a stray membership keeps no group of the run that is taken back.
func TestStrayKeeps(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	extra := `
group "mgr" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_mgr"
  role     = "viewer"
  members { roles = ["manager"] }
}
`
	w.config(everyone + extra + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	must(t, w.api.Accounts().AddMembers(t.Context(), w.groupOf("tenant_acme_mgr"), []uuid.UUID{s.person}))
	out, st := w.try2("rollback", "-auto-approve")
	t.Log(st, out)
	if _, there := w.directory().groups["tenant_acme_mgr"]; there {
		t.Error("the group stays")
	}
	out, st = w.try2("rollback", "-run", w.runs()[1], "-auto-approve")
	t.Log(st, out)
}

// TestBlockedGoesOn: a rollback that was stopped, closed and then refused is gone on with in its own scope, too.
func TestBlockedGoesOn(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	n, acme := w.allLinked(), w.isLinked("acme")
	w.allowing("rollback", "-tenant", "acme", "-delete-persons", "-out", "p")
	k.cut(1)
	w.try2("apply", "p")
	k.mend()
	out := w.allowing("rollback", "-auto-approve") // exit 3 first, then with the -allow that it names
	t.Log(out)
	if now := w.allLinked(); now != n-acme {
		t.Errorf("%d are linked, want %d: other tenants were taken back", now, n-acme)
	}
}

// TestDrainRefused: a request that is refused keeps no run from being closed, gone on with or rolled back.
func TestDrainRefused(t *testing.T) {
	t.Parallel()
	r := newRefuser(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, r.server)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	w.exec(function("trigger no before update on users for each row", "raise exception 'full' using errcode = '53100'; return new;"))
	out, st := w.try2("rollback", "-auto-approve")
	t.Log(st, out)
	w.exec(mended)
	r.refuse("POST /v1/group")
	for _, args := range [][]string{{"apply", "-close"}, {"rollback"}, {"apply"}} {
		out, st := w.try2(append(args, "-auto-approve")...)
		t.Log(st, out)
		if st == exitStopped {
			t.Error(args, "stopped")
		}
	}
	_ = s
}

// TestGoneDeletedBack: the row of a gone user, whose person was deleted by a rollback, comes back, is moved again and taken back.
func TestGoneDeletedBack(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("delete from user_profiles")
	s := w.someone("user", "acme")
	w.exec("create table kept as select * from users where user_id = $1", s.user)
	w.exec("delete from users where user_id = $1", s.user)
	w.run(exitDone, "apply", "-auto-approve")
	w.allowing("rollback", "-tenant", "acme", "-delete-persons", "-auto-approve")
	d := w.latest()
	w.exec("update kept set {idp}_user_id = null, auth_method = 'password', migration_completed_at = null")
	w.exec("insert into users select * from kept")
	w.run(exitDone, "wave", "resume", "-tenant", "acme", "everyone")
	out, st := w.try2("apply", "-auto-approve")
	t.Log(st, out)
	n := w.isLinked("acme")
	m := w.latest()
	out, st = w.try2("rollback", "-run", d, "-auto-approve")
	t.Log(st, out)
	if now := w.isLinked("acme"); now != n {
		t.Error(now, n)
	}
	out, st = w.try2("rollback", "-run", m, "-auto-approve")
	t.Log(st, out)
	if now := w.isLinked("acme"); now != 0 {
		t.Error(now)
	}
	if bad := w.invariants("end", false); len(bad) > 0 {
		t.Error(bad)
	}
}
