package main

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"anthill/internal/sandbox"
)

const byNight = `  window {
    from = "22:00"
    to   = "04:00"
    except {
      from   = "2031-03-05"
      to     = "2031-03-06"
      reason = "audit"
    }
  }
`

// clock is what anthill takes for the time, as it goes.
type clock struct{ atomic.Pointer[time.Time] }

func (w *world) clocked(at string) *clock {
	c := &clock{}
	c.set(at)
	w.now = func() time.Time { return *c.Load() }
	return c
}

func (c *clock) add(d time.Duration) {
	t := c.Load().Add(d)
	c.Store(&t)
}

func (c *clock) set(at string) {
	t, err := time.Parse("2006-01-02 15:04", at)
	if err != nil {
		panic(err)
	}
	c.Store(&t)
}

// TestWindow: a plan is made by day and says when its window opens; by day it does nothing and stays good, by night
// it is carried out. Follow-ups and rollbacks go on at any time, and whoever widens the window is told who starts by
// that.
func TestWindow(t *testing.T) {
	t.Parallel()
	w, _ := hooked(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9})
	now := w.clocked("2031-03-03 12:00")
	w.exec("create table away as select user_id from users join tenants using (tenant_id) where slug = 'acme' and users.status = 'active' and role = 'user' limit 1")
	w.exec("update users set status = 'inactive' where user_id in (select user_id from away)")
	w.config(chained(byNight))
	before := w.fingerprint()
	for _, form := range []string{"-no-color", "-markdown", "-html"} {
		out, _ := w.run(exitDone, "plan", form)
		wants(t, out, "its window opens 2031-03-03 22:00 UTC")
	}
	w.run(exitDone, "plan", "-out", "p")
	runs := len(w.runs())
	out, _ := w.run(exitRemainder, "apply", "p")
	wants(t, out, "Nothing was done, and this plan can be carried out later", "not moved: its window opens 2031-03-03 22:00 UTC")
	out, _ = w.run(exitRemainder, "apply", "-json", "p")
	wants(t, out, `"nothing_done": true`, `"wave_window"`)
	if len(w.runs()) != runs || w.fingerprint() != before {
		t.Error("something was done")
	}
	now.set("2031-03-06 02:00")
	out, _ = w.run(exitRemainder, "apply", "p")
	wants(t, out, "its window opens 2031-03-07 00:00 UTC (audit)")
	now.set("2031-03-03 22:00")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "its window is open until 2031-03-04 04:00 UTC")
	w.run(exitDone, "apply", "p")
	w.checkMoved()
	w.run(exitDone, "plan", "-detailed-exitcode")

	// By day: who has lost a role follows; who is active again is late, and stays.
	now.set("2031-03-04 12:00")
	s := w.someone("admin", "acme")
	s.set("role", "user")
	w.exec("update users set status = 'active' where user_id in (select user_id from away)")
	linked := w.allLinked()
	out, _ = w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "1 user of wave first was not moved: its window opens 2031-03-04 22:00 UTC")
	s.is("follows", "enabled", "tenant_acme_users")
	if n := w.allLinked(); n != linked {
		t.Errorf("%d are linked, were %d", n, linked)
	}
	status, _ := w.run(exitDone, "status")
	wants(t, oneLine(status), "its window opens 2031-03-04 22:00 UTC", "Next event: 2031-03-04 22:00 UTC")

	w.config(chained(strings.Replace(byNight, "04:00", "03:00", 1)))
	w.run(exitDone, "plan")
	for text, at := range map[string]string{
		"": "2031-03-04 12:00", strings.Replace(byNight, "22:00", "21:00", 1): "2031-03-04 21:00", "  window { from = \"22:00\" }\n": "2031-03-05 22:00",
	} {
		w.config(chained(text))
		out, _ := w.run(exitBlocked, "plan")
		wants(t, out, "LOOSENS_BRAKE", "its window was shut at "+at+" UTC")
	}
	w.config(chained(""))
	w.allowing("plan", "-out", "q")
	w.run(exitDone, "apply", "q")
	w.checkMoved()
	w.config(chained(byNight))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-wave", "first", "-auto-approve")
	if n := w.isLinked("acme"); n != 0 {
		t.Errorf("%d of acme are linked after the rollback", n)
	}
}

// TestWindowShutMeanwhile: a window that is shut while users are moved: those in flight are finished, the others are
// left, and nobody behind the wave is started. The next night has them.
func TestWindowShutMeanwhile(t *testing.T) {
	t.Parallel()
	w, next := hooked(t, sandbox.Options{Tenants: 3, Users: 1800, Seed: 9})
	now := w.clocked("2031-03-03 23:00")
	w.config(everyone + "wave \"all\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n" + byNight + `}
wave "after" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
  start { after = [wave.all] }
}`)
	next(func() { now.set("2031-03-04 04:00") })
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "of wave all were not moved: its window opens 2031-03-04 22:00 UTC", "wave after was not started")
	done := w.count("done")
	if n := w.allLinked(); done < firstBatch || done > 6*firstBatch || n != done || w.count("failed")+w.count("changed")+w.count("paused") != 0 {
		t.Errorf("%d done, %d linked", done, n)
	}
	if n := w.number("select count(*) from " + journal + " where not settled"); n != 0 {
		t.Errorf("%d are in flight", n)
	}
	if n := w.number("select count(*) from anthill_state.waves where moved_at is not null or name = 'after'"); n != 0 {
		t.Error("a wave is moved, or the one behind it has started")
	}
	now.set("2031-03-04 23:00")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()
}

// TestWindowOfAStoppedRun: a run is stopped by night, and gone on with by day: what was in flight is finished, and
// nobody else is moved, in the wave or behind it, however often it goes on.
func TestWindowOfAStoppedRun(t *testing.T) {
	t.Parallel()
	reached := 0
	for n := range int64(4) {
		w, k := cutWorld(t)
		now := w.clocked("2031-03-03 23:00")
		w.config(everyone)
		w.run(exitDone, "apply", "-auto-approve")
		w.config(strings.Replace(chained(byNight), "start { after", byNight+"  start { after", 1))
		k.cut(n)
		w.run(exitStopped, "apply", "-auto-approve")
		k.mend()
		flying := w.number("select count(*) from " + journal + " where not settled")
		linked := w.allLinked()
		now.set("2031-03-04 12:00")
		out, _ := w.run(exitRemainder, "apply", "-auto-approve")
		if now := w.allLinked(); now > linked+flying {
			t.Errorf("cut at %d: %d are linked, were %d and %d in flight\n%s", n, now, linked, flying, out)
		}
		wants(t, out, "of wave rest were not moved: its window opens 2031-03-04 22:00 UTC")
		if w.allLinked() > w.isLinked("acme") && w.number("select count(*) from anthill_state.waves where name = 'first' and done_at is not null") == 0 {
			t.Errorf("cut at %d: the rest has started", n)
		}
		if flying > 0 {
			reached++
		}
		if n := w.number("select count(*) from " + journal + " where not settled"); n != 0 {
			t.Errorf("%d are in flight", n)
		}
		now.set("2031-03-04 23:00")
		w.run(exitDone, "apply", "-auto-approve")
		w.checkMoved()
		w.rest("moved")
	}
	if reached == 0 {
		t.Error("nobody was in flight; this test proves nothing")
	}
}

// TestWindowPassedOver: a run passes over a wave whose window is shut, and is stopped in the next one: when it goes
// on, whoever waits for the first one waits still.
func TestWindowPassedOver(t *testing.T) {
	t.Parallel()
	for n := range int64(3) {
		w, k := cutWorld(t)
		w.clocked("2031-03-04 12:00")
		w.config(everyone)
		w.run(exitDone, "apply", "-auto-approve")
		wave := func(name, users, more string) string {
			return "wave \"" + name + "\" {\n  auth_policy = auth_policy.dual\n  users { " + users + " }\n" + more + "}\n"
		}
		w.config(everyone + wave("a", `tenants = ["acme"]`, byNight) + wave("b", `tenants = ["globex"]`, "") +
			wave("c", "all = true", "  start { after = [wave.a, wave.b] }\n"))
		k.cut(n)
		w.run(exitStopped, "apply", "-auto-approve")
		k.mend()
		out, _ := w.run(exitRemainder, "apply", "-auto-approve")
		if globex, all := w.isLinked("globex"), w.allLinked(); globex == 0 || globex != all {
			t.Errorf("cut at %d: %d of globex are linked, %d in all\n%s", n, globex, all, out)
		}
	}
}

// TestGatePassedOver: the same of a wave whose gate has shut since the plan.
func TestGatePassedOver(t *testing.T) {
	t.Parallel()
	wave := func(name, users, more string) string {
		return "wave \"" + name + "\" {\n  auth_policy = auth_policy.dual\n  users { " + users + " }\n" + more + "}\n"
	}
	for n := range int64(3) {
		w, k := cutWorld(t)
		early := everyone + wave("early", `tenants = ["anthill"]`, "")
		w.config(early)
		w.run(exitDone, "apply", "-auto-approve")
		first := w.allLinked()
		w.config(early + "gate \"calm\" { condition = wave.moved == 0 }\n" + wave("a", `tenants = ["acme"]`, "  start { gates = [gate.calm] }\n") +
			wave("b", `tenants = ["globex"]`, "") + wave("c", "all = true", "  start { after = [wave.a, wave.b, wave.early] }\n"))
		w.run(exitDone, "plan", "-out", "p")
		w.exec("update anthill_state.users set wave = 'a' where wave = 'early'")
		k.cut(n)
		w.run(exitStopped, "apply", "p")
		k.mend()
		out, _ := w.run(exitRemainder, "apply", "p")
		wants(t, out, "wave a was not started", "wave c was not started")
		if acme, globex, all := w.isLinked("acme"), w.isLinked("globex"), w.allLinked(); acme != 0 || globex == 0 || first+globex != all {
			t.Errorf("cut at %d: %d of acme are linked, %d of globex, %d in all\n%s", n, acme, globex, all, out)
		}
	}
}
