package main

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// hooked is a small world whose groups are made, and what is to be done at its next write, once.
func hooked(t *testing.T, o sandbox.Options) (w *world, next func(func())) {
	t.Helper()
	var hook atomic.Pointer[func()]
	w = newWorld(t, o, emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		if isWrite(r) {
			if do := hook.Swap(nil); do != nil {
				(*do)()
			}
		}
		return false
	}}))
	w.config(everyone)
	w.run(exitDone, "apply", "-auto-approve")
	return w, func(do func()) { hook.Store(&do) }
}

// beside runs anthill as another process would, while one is under way.
func (w *world) beside(want int, args ...string) string {
	var out, errs bytes.Buffer
	if status := w.program(&out, &errs).run(w.t.Context(), append([]string{"anthill"}, args...)); status != want {
		w.t.Errorf("anthill %s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, out.String(), errs.String())
	}
	return out.String()
}

// count is a figure of the last run.
func (w *world) count(figure string) int {
	w.t.Helper()
	return w.number("select coalesce((counts->>$1)::int, 0) from anthill_state.runs order by n desc limit 1", figure)
}

// firstBatch is how many users the first batch of a run has: the rows of later ones are held for as short only if that was.
const firstBatch = 125

// TestPauseSeen (L15, L23): a pause needs no lock. An apply that is under way moves the batch that it has in hand and nobody more,
// though the next one is intended already; the others count as paused, and nobody has failed. The plan says who paused it and why.
func TestPauseSeen(t *testing.T) {
	t.Parallel()
	w, next := hooked(t, sandbox.Options{Tenants: 3, Users: 1300, Seed: 9})
	w.config(everyone + waveEveryone + `wave "after" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
  start { after = [wave.everyone] }
}`)
	next(func() {
		out := w.beside(exitDone, "wave", "pause", "everyone", "-reason", "the phones are down")
		wants(t, out, "Wave everyone is paused: it moves nobody there.", "anthill wave resume everyone")
	})
	out, errs := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, errs, "wave everyone is paused since this run began, by tester@host on", "the phones are down")
	wants(t, out, "wave everyone was paused after the plan", "wave after was not started")
	done, paused := w.count("done"), w.count("paused")
	if n := w.allLinked(); done != firstBatch || n != done || paused < 500 || w.count("failed")+w.count("changed") != 0 {
		t.Errorf("%d done, %d paused, %d linked, counts %d failed", done, paused, n, w.count("failed"))
	}
	if n := len(w.directory().persons); n != done {
		t.Errorf("%d persons for %d users", n, done)
	}
	if n := w.number("select count(*) from " + journal + " where not settled"); n != 0 {
		t.Errorf("%d are in flight", n)
	}
	plan, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, plan, "paused everyone", "by tester@host on", "the phones are down (anthill wave resume everyone)", "users wait for a pause")
	status, _ := w.run(exitDone, "status")
	wants(t, status, "wave everyone: by tester@host on", "the phones are down anthill wave resume everyone")
	status, _ = w.run(exitDone, "status", "-json")
	wants(t, status, `"run": "", "by": "tester@host", "reason": "the phones are down"`)
	for _, form := range []string{"-markdown", "-html"} {
		plan, _ := w.run(exitDone, "plan", form)
		wants(t, plan, "the phones are down")
	}
	again, _ := w.run(exitDone, "wave", "pause", "everyone", "-reason", "twice")
	wants(t, again, "Wave everyone is paused already, by tester@host on", "the phones are down. Nothing was changed.")
	again, _ = w.run(exitDone, "wave", "pause", "everyone", "-tenant", "acme", "-reason", "twice")
	wants(t, again, "Wave everyone is paused already")
	w.run(exitDone, "wave", "resume", "everyone", "-reason", "they ring again")
	list, _ := w.run(exitDone, "wave", "list", "everyone", "-history")
	wants(t, list, "everyone paused by tester@host: the phones are down", "everyone resumed by tester@host: they ring again")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()
}

// TestPauseTenantElsewhere: a tenant is paused in a wave while apply is still in the one before: the others of its wave are moved.
func TestPauseTenantElsewhere(t *testing.T) {
	t.Parallel()
	w, next := hooked(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9})
	w.config(everyone + `wave "first" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
}
wave "second" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.first] }
}
`)
	next(func() {
		w.beside(exitDone, "wave", "pause", "second", "-tenant", "globex", "-reason", "they asked for it")
	})
	_, errs := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, errs, "wave second is paused for globex since this run began, by tester@host")
	if acme, globex, all := w.isLinked("acme"), w.isLinked("globex"), w.allLinked(); acme == 0 || globex != 0 || all <= acme {
		t.Errorf("%d of acme, %d of globex, %d in all", acme, globex, all)
	}
	if n := w.number("select count(*) from anthill_state.waves where name = 'first' and done_at is not null or name = 'second' and moved_at is null"); n != 2 {
		t.Error("the first wave is not done, or the second one is moved")
	}
	plan, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, plan, "globex paused: by tester@host on", "they asked for it (anthill wave resume -tenant globex second)")
	w.run(exitDone, "wave", "resume", "second", "-tenant", "globex")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()
}

// TestPauseBeforeItsWave: a wave that is paused before apply comes to it has not started, and so has none that waits for it; one that
// was done stays so.
func TestPauseBeforeItsWave(t *testing.T) {
	t.Parallel()
	chain := everyone + `wave "first" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
}
wave "second" {
  auth_policy = auth_policy.dual
  users { tenants = ["globex"] }
  start { after = [wave.first] }
}
wave "third" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.second] }
}
`
	for _, wave := range []string{"first", "second"} {
		t.Run(wave, func(t *testing.T) {
			t.Parallel()
			w, next := hooked(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9})
			w.config(chain)
			next(func() { w.beside(exitDone, "wave", "pause", wave, "-reason", "stop") })
			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			wants(t, out, "wave third was not started")
			acme := w.isLinked("acme")
			if n := w.allLinked(); acme == 0 || n != acme {
				t.Errorf("%d are moved, %d of acme", n, acme)
			}
			if n := w.number("select count(*) from anthill_state.waves where name <> 'first' and started is not null or name = $1 and done_at is not null", wave); n != 0 {
				t.Errorf("%d waves have started or are done", n)
			}
			w.run(exitDone, "wave", "resume", wave)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.checkMoved()
		})
	}
}

// TestPauseOfAStoppedRun: a wave is paused while a run is stopped: when that goes on, whoever was in flight loses what was done so
// far, counts as paused, and is moved when the wave goes on.
func TestPauseOfAStoppedRun(t *testing.T) {
	t.Parallel()
	reached := 0
	for n := range int64(4) {
		w, k := cutWorld(t)
		w.config(everyone)
		w.run(exitDone, "apply", "-auto-approve")
		w.config(everyone + waveEveryone)
		k.cut(n)
		w.run(exitStopped, "apply", "-auto-approve")
		k.mend()
		if w.number("select count(*) from "+journal+" where not settled") > 0 && len(w.directory().persons) > 0 {
			reached++
		}
		linked := w.allLinked()
		k.away.Store(true) // it is paused all the same
		w.run(exitDone, "wave", "pause", "everyone", "-reason", "wait")
		k.away.Store(false)
		w.run(exitRemainder, "apply", "-auto-approve")
		if now := w.allLinked(); now != linked {
			t.Errorf("cut at %d: %d are linked, were %d", n, now, linked)
		}
		for _, p := range w.directory().persons {
			if linked == 0 && !p.Expired {
				t.Errorf("cut at %d: a person of nobody is enabled", n)
			}
		}
		if failed := w.number("select count(*) from anthill_state.records where verdict in ('failed', 'changed')"); failed != 0 {
			t.Errorf("cut at %d: %d have failed", n, failed)
		}
		w.rest("paused")
		w.run(exitDone, "wave", "resume", "everyone")
		w.run(exitDone, "apply", "-auto-approve")
		w.checkMoved()
		w.rest("moved")
	}
	if reached == 0 {
		t.Error("nobody was in flight; this test proves nothing")
	}
}

// TestTwoPauses: a rollback's and a person's stand beside each other; undoing the rollback lifts its own alone, and resuming both.
func TestTwoPauses(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		w, _ := moved(t)
		all := w.allLinked()
		w.run(exitDone, "rollback", "-auto-approve")
		out, _ := w.run(exitDone, "wave", "pause", "everyone", "-reason", "not before Monday")
		wants(t, out, "Wave everyone is paused:", "It was rolled back by run", "stays paused where that is undone")
		list, _ := w.run(exitDone, "wave", "list")
		wants(t, list, "paused: rolled back by run "+w.latest(), "paused: by tester@host on", "not before Monday")
		if together {
			out, _ := w.run(exitDone, "wave", "resume", "everyone")
			wants(t, out, "Lifted: wave everyone: rolled back by run", "wave everyone: by tester@host on")
			w.run(exitDone, "apply", "-auto-approve")
			w.checkMoved()
			continue
		}
		w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
		if n := w.allLinked(); n != all {
			t.Errorf("%d are linked, want %d", n, all)
		}
		list, _ = w.run(exitDone, "wave", "list", "-json")
		if strings.Count(list, `"reason": "not before Monday"`) != 1 || strings.Count(list, `"run": `) != 1 {
			t.Errorf("the list:\n%s", list)
		}
		w.exec("update users set {idp}_user_id = null where user_id = (select user_id from users where {idp}_user_id is not null limit 1)")
		w.run(exitDone, "wave", "resume", "everyone")
		list, _ = w.run(exitDone, "wave", "list")
		if strings.Contains(list, "paused") {
			t.Errorf("the list:\n%s", list)
		}
	}
}

// TestPauseTakesAway (L23): while somebody has paused a wave, who was moved loses what its row does, and gains nothing.
func TestPauseTakesAway(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s, o := w.someone("admin", "acme"), w.someone("user", "globex")
	w.run(exitDone, "wave", "pause", "everyone", "-reason", "look first")
	s.set("role", "user")
	o.set("role", "admin")
	w.run(exitDone, "apply", "-auto-approve")
	s.is("loses", "enabled", "tenant_acme_users")
	o.is("gains nothing", "enabled", "tenant_globex_users")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	o.is("gains", "enabled", "tenant_globex_users", "tenant_globex_admins")
}

// TestPauseFirst: a wave is paused before there is any state: that is made, under the lock. Where there is one, whoever holds the lock
// is not waited for.
func TestPauseFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(everyone + waveEveryone)
	release := w.lock("ana@laptop")
	pause := []string{"wave", "pause", "everyone", "-reason", "early", "-lock-timeout", "0s"}
	_, errs := w.run(exitLocked, pause...)
	wants(t, errs, "locked by ana@laptop")
	for args, want := range map[string]string{
		"wave pause everione -reason r":                "there is no wave \"everione\" in this configuration; there are everyone",
		"wave pause everyone -tenant nobody -reason r": "there is no tenant with the slug \"nobody\"",
		"wave list everione":                           "there is no wave \"everione\" in this configuration; there are everyone",
	} {
		_, errs := w.run(exitError, strings.Fields(args)...)
		wants(t, errs, want)
	}
	if n := w.number("select count(*) from pg_namespace where nspname = 'anthill_state'"); n != 0 {
		t.Error("a state was made")
	}
	release()
	w.run(exitDone, pause...)
	release = w.lock("ana@laptop")
	w.run(exitDone, append(pause, "-tenant", "acme")...) // is paused as a whole
	w.run(exitLocked, "wave", "resume", "everyone", "-lock-timeout", "0s")
	release()
	w.run(exitDone, "wave", "resume", "everyone")
	release = w.lock("ana@laptop")
	w.run(exitDone, append(pause, "-tenant", "acme")...)
	release()
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.isLinked("acme"); n != 0 || w.allLinked() == 0 {
		t.Errorf("%d of acme, %d in all", n, w.allLinked())
	}
	_, errs = w.run(exitError, "wave", "pause", "everyone", "-tenant", "acmee", "-reason", "r")
	wants(t, errs, "there is no tenant")
}

// TestPauseOfTenantStays: whoever lets the whole wave go on does not know why somebody has paused a tenant of it.
func TestPauseOfTenantStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "wave", "pause", "everyone", "-tenant", "acme", "-reason", "acme said no")
	w.run(exitDone, "wave", "pause", "everyone", "-reason", "phones down")
	out, _ := w.run(exitDone, "wave", "resume", "everyone")
	wants(t, out, "Tenants of it that stay paused, each until:", "acme said no", "anthill wave resume -tenant acme everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if n, of := w.isLinked("acme"), w.isLinked("globex"); n != 0 || of == 0 {
		t.Errorf("%d of acme are moved, and %d of globex", n, of)
	}
	w.run(exitDone, "wave", "resume", "everyone", "-tenant", "acme")
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
}

// TestPauseBesideAFrozenCommit: a process that sleeps in a transaction of the recorded state keeps nobody from pausing.
func TestPauseBesideAFrozenCommit(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	c := w.connect()
	if _, err := c.Exec(t.Context(), "begin; update anthill_state.meta set serial = serial"); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "wave", "pause", "everyone", "-reason", "logins fail")
	if n := w.number("select count(*) from anthill_state.pauses"); n != 1 {
		t.Errorf("%d pauses", n)
	}
}
