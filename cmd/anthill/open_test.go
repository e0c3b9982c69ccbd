package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// twoWaves are a wave of one tenant and one of all others behind it.
const twoWaves = `
wave "first" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
}
wave "second" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.first] }
}
`

// stopped is a world with a plan, p, of two waves, whose run stops: with writes, after so many writes to Self-auth, and
// otherwise where the first wave is to be recorded, all of its users being moved. Nothing stands in the way afterwards.
func stopped(t *testing.T, writes int64) *world {
	t.Helper()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, k.server)
	w.config(everyone)
	w.run(exitDone, "apply", "-auto-approve") // the groups, and a state
	w.config(everyone + twoWaves)
	w.run(exitDone, "plan", "-out", "p")
	if writes > 0 {
		k.cut(writes)
		w.run(exitStopped, "apply", "p")
		k.mend()
		return w
	}
	w.exec("create function no_waves() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '57P01'; end $$")
	w.exec("create trigger no_waves before insert or update on anthill_state.waves for each row execute function no_waves()")
	w.run(exitStopped, "apply", "p")
	w.exec("drop trigger no_waves on anthill_state.waves")
	return w
}

func (w *world) isLinked(slug string) int {
	w.t.Helper()
	return w.number("select count(*) from users join tenants t using (tenant_id) where t.slug = $1 and {idp}_user_id is not null", slug)
}

// TestWavesOfARollback: a wave is known to a rollback by the users whom it has moved, or was about to, whether it is
// recorded as a wave yet or not.
func TestWavesOfARollback(t *testing.T) {
	t.Parallel()
	for name, writes := range map[string]int64{
		"before the wave is recorded": 0, "among its users": 2, "when the first is in flight": 1,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := stopped(t, writes)
			w.run(exitDone, "rollback", "-wave", "first", "-auto-approve")
			if n := w.isLinked("acme"); n > 0 {
				t.Errorf("%d users are left linked", n)
			}
			// It is known for good, also now that nothing of it is left.
			w.run(exitDone, "rollback", "-wave", "first", "-auto-approve")
			for _, unknown := range []string{"second", "frist"} {
				if _, errs := w.run(exitError, "rollback", "-wave", unknown, "-auto-approve"); !strings.Contains(errs,
					"no wave \""+unknown+"\" has moved anybody") {
					t.Errorf("rollback -wave %s says:\n%s", unknown, errs)
				}
			}
		})
	}
}

// TestDemandsOfAnOpenRun: what a flag demands of a plan is demanded of the run, too, that is finished first.
func TestDemandsOfAnOpenRun(t *testing.T) {
	t.Parallel()
	isOpen := func(w *world) bool { return w.number("select count(*) from anthill_state.runs where open") == 1 }
	t.Run("another plan", func(t *testing.T) {
		t.Parallel()
		w := stopped(t, 0)
		before, linked := w.snapshot(), w.isLinked("acme")
		for _, args := range [][]string{{"-auto-approve"}, {"-json", "-auto-approve"}, {}} {
			_, errs := w.run(exitBlocked, append([]string{"apply", "-plan-id", strings.Repeat("0", 64)}, args...)...)
			if !strings.Contains(errs, w.planID(w.dir, "p")) || !strings.Contains(errs, "nothing was changed") {
				t.Errorf("it says:\n%s", errs)
			}
		}
		if w.snapshot() != before || w.isLinked("acme") != linked || !isOpen(w) {
			t.Error("the open run was gone on with")
		}
		w.run(exitBlocked, "apply", "-plan-id", w.planID(w.dir, "p")[:8], "-auto-approve") // half an ID demands another plan
		w.run(exitDone, "apply", "-auto-approve")
	})
	t.Run("that plan", func(t *testing.T) {
		t.Parallel()
		w := stopped(t, 0)
		w.exec("insert into users (tenant_id, email, password_hash, full_name, role) select tenant_id, 'late@acme.example', 'x', 'Late', 'user' from tenants where slug = 'acme'")
		runs := len(w.runs())
		w.run(exitDone, "apply", "-plan-id", w.planID(w.dir, "p"), "-auto-approve")
		if isOpen(w) || len(w.runs()) != runs {
			t.Error("that run is to be finished, and no other begun")
		}
		w.run(exitChanges, "plan", "-detailed-exitcode")
	})
	t.Run("users who changed", func(t *testing.T) {
		t.Parallel()
		w := stopped(t, 0)
		n := w.exec(`update users set email = 'other.' || email where user_id = (select user_id from users join tenants t using (tenant_id)
			where t.slug = 'globex' and users.status = 'active' and {idp}_user_id is null and role = 'user' order by 1 limit 1)`)
		before := w.snapshot()
		for _, args := range [][]string{{"-auto-approve"}, {"p"}} {
			_, errs := w.run(exitStale, append([]string{"apply", "-on-stale", "fail"}, args...)...)
			if !strings.Contains(errs, "stays open") {
				t.Errorf("it says:\n%s", errs)
			}
		}
		if w.snapshot() != before || !isOpen(w) || n != 1 {
			t.Error("something was done")
		}
		w.run(exitRemainder, "apply", "p")
	})
	t.Run("users who changed after they were moved", func(t *testing.T) {
		t.Parallel()
		w := stopped(t, 0)
		w.exec("update users set email = 'other.' || email where user_id = $1", w.someone("user", "acme").user)
		w.run(exitDone, "apply", "-on-stale", "fail", "p") // the next plan follows them; this run has no more to do with them
	})
	t.Run("nobody changed", func(t *testing.T) {
		t.Parallel()
		w := stopped(t, 2)
		w.run(exitDone, "apply", "-on-stale", "fail", "p")
		w.checkMoved()
	})
}

// TestClosedHalf: closing says by its exit status, too, where what was begun could not be put right; the next apply does.
func TestClosedHalf(t *testing.T) {
	t.Parallel()
	var cut, away, refuses atomic.Bool
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 14, Seed: 4}, emulatorWith(t, selfauthd.Options{
		Intercept: func(rw http.ResponseWriter, r *http.Request) bool {
			if away.Load() {
				panic(http.ErrAbortHandler)
			}
			if leaves := r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/_attr/member"); leaves && refuses.Load() {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(rw, `"accessdenied"`)
				return true
			}
			return false
		},
		After: func(r *http.Request) bool {
			joins := r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_attr/member")
			away.Store(joins && !cut.Swap(cut.Load() || joins))
			return away.Load()
		},
	}))
	w.config(everyone + waveEveryone)
	w.run(exitStopped, "apply", "-auto-approve")
	away.Store(false)
	refuses.Store(true)
	out, _ := w.run(exitRemainder, "apply", "-close", "-auto-approve", "-json")
	wants(t, out, `"outcome": "closed"`, "not_put_back")
	for _, p := range w.directory().persons {
		if !p.Expired && !strings.HasPrefix(p.Name, "earlier.") {
			t.Errorf("%s can log in", p.Name)
		}
	}
	refuses.Store(false)
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
}

// TestNothingAsJSON: a program that asks for JSON gets it, also where there is nothing to do.
func TestNothingAsJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 14, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	for _, args := range [][]string{{"rollback"}, {"apply", "-close"}} {
		out, _ := w.run(exitDone, append(args, "-json", "-auto-approve")...)
		var got struct {
			Nothing bool `json:"nothing_done"`
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil || !got.Nothing {
			t.Errorf("%v says %q: %v", args, out, err)
		}
	}
}
