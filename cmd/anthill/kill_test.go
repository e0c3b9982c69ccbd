package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// killer is an emulator that kills a process at a given write.
type killer struct {
	server
	writes atomic.Int64 // seen so far
	at     atomic.Int64 // kill at this one; 0: never
	after  atomic.Bool  // after it was committed, instead of before
	victim atomic.Pointer[os.Process]
	away   atomic.Int64 // from this write on nobody answers; 0: never
	denied atomic.Bool  // every token is refused
}

func isWrite(r *http.Request) bool {
	return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/raw/search") && r.URL.Path != "/v1/auth"
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	k := &killer{}
	kill := func(want bool) bool {
		if k.after.Load() != want || k.writes.Load() != k.at.Load() || k.victim.Load() == nil {
			return false
		}
		_ = k.victim.Load().Kill()
		return true
	}
	k.server = emulatorWith(t, selfauthd.Options{
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if k.denied.Load() {
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `"sessionexpired"`)
				return true
			}
			if isWrite(r) {
				k.writes.Add(1)
			}
			if away := k.away.Load(); away > 0 && k.writes.Load() >= away {
				panic(http.ErrAbortHandler)
			}
			if !isWrite(r) {
				return false
			}
			if kill(false) {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return false
		},
		After: func(r *http.Request) bool { return isWrite(r) && kill(true) },
	})
	return k
}

// command is anthill as a process of its own in the world's folder.
func (w *world) command(args ...string) *exec.Cmd {
	cmd := exec.Command("anthill", args...)
	cmd.Dir, cmd.Env = w.dir, w.environment()
	return cmd
}

// start starts it.
func (w *world) start(args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := w.command(args...)
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return cmd
}

// TestKilledApply kills apply with SIGKILL before and after writes spread over the whole run; the next apply finishes
// it: each user one person, none missed, none doubled, and a rollback restores all.
func TestKilledApply(t *testing.T) {
	t.Parallel()
	another := func(t *testing.T) (*world, *killer) {
		k := newKiller(t)
		w := newWorld(t, sandbox.Options{Tenants: 8, Users: 1200, Seed: 9}, k.server)
		w.config(everyone + waveEveryone)
		w.run(exitDone, "plan", "-out", "p")
		return w, k
	}
	w, k := another(t)
	w.run(exitDone, "apply", "p")
	total := k.writes.Load()
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if total < 20 {
		t.Fatalf("only %d writes: nothing to choose moments from", total)
	}
	for i := range 10 {
		t.Run(fmt.Sprint("moment ", i), func(t *testing.T) {
			t.Parallel()
			apply := []string{"apply", "p"}
			if i%2 == 1 {
				apply = []string{"apply", "-auto-approve"} // its plan is a temporary file
			}
			var w *world
			var before sandbox.Fingerprint
			// How many writes there are in all depends on how quick the server was, so a moment may lie behind the last one.
			for total, killed := total, false; !killed; {
				var k *killer
				w, k = another(t)
				before = w.fingerprint()
				k.writes.Store(0)
				k.at.Store(1 + total*int64(i)/10)
				k.after.Store(i%2 == 1)
				w.env["TMPDIR"] = t.TempDir()
				cmd := w.start(apply...)
				k.victim.Store(cmd.Process)
				killed = cmd.Wait() != nil
				k.victim.Store(nil)
				if total > k.writes.Load() {
					total = k.writes.Load()
				} else if !killed {
					t.Fatal("apply was not killed")
				}
			}
			if left, err := os.ReadDir(w.env["TMPDIR"]); err != nil || len(left) > 0 {
				t.Errorf("the killed process left %v, %v", left, err)
			}
			w.run(exitDone, apply...)
			w.checkOnce(moved)
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.run(exitDone, "rollback", "-auto-approve")
			w.checkRolledBack(before)
		})
	}
}

// checkOnce looks for persons missed or doubled.
func (w *world) checkOnce(moved int) {
	w.t.Helper()
	links := map[uuid.UUID]bool{}
	for _, r := range w.rows() {
		if r.linked {
			links[r.link] = true
		}
	}
	d := w.directory()
	if len(links) != moved || len(d.persons) != moved {
		w.t.Errorf("%d rows are linked and %d persons exist, want %d of both", len(links), len(d.persons), moved)
	}
	mails := map[string]int{}
	for id, p := range d.persons {
		if !links[id] {
			w.t.Errorf("person %s belongs to no row", p.Name)
		}
		for _, m := range p.Mails {
			if mails[m]++; mails[m] > 1 {
				w.t.Error("two persons have one address")
			}
		}
	}
}

// TestServerGoesAway cuts Self-auth off in the middle: the run stays open, other plans wait for it, and it is finished or
// taken back.
func TestServerGoesAway(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) (*world, *killer, sandbox.Fingerprint) {
		k := newKiller(t)
		w := newWorld(t, sandbox.Options{Tenants: 8, Users: 1200, Seed: 9}, k.server)
		w.config(everyone + waveEveryone)
		w.run(exitDone, "plan", "-out", "p")
		before := w.fingerprint()
		k.writes.Store(0)
		k.away.Store(25)
		out, _ := w.run(exitStopped, "apply", "p")
		if !strings.Contains(out, "was stopped") || !strings.Contains(out, "anthill apply") {
			t.Errorf("it says:\n%s", out)
		}
		w.run(exitRefused, "plan")
		k.away.Store(0)
		return w, k, before
	}
	t.Run("plan, another plan, finish", func(t *testing.T) {
		t.Parallel()
		w, k, before := open(t)
		out, _ := w.run(exitDone, "plan", "-out", "other", "-as-of", "2026-11-25T00:00:00Z")
		if !strings.Contains(out, "is still open") || !strings.Contains(out, "belongs to a run that is still open") {
			t.Errorf("the plan does not say that a run is open:\n%s", out)
		}
		if _, errs := w.run(exitBlocked, "apply", "other"); !strings.Contains(errs, "still open") {
			t.Errorf("it says:\n%s", errs)
		}
		k.denied.Store(true)
		w.run(exitRefused, "apply", "p")
		k.denied.Store(false)
		w.run(exitDone, "apply")
		w.run(exitDone, "plan", "-detailed-exitcode")
		w.checkMoved()
		w.run(exitDone, "rollback", "-auto-approve")
		w.checkRolledBack(before)
	})
	t.Run("roll back at once", func(t *testing.T) {
		t.Parallel()
		w, _, before := open(t)
		w.run(exitDone, "rollback", "-auto-approve")
		w.checkRolledBack(before)
		w.run(exitDone, "wave", "resume", "everyone")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "plan", "-detailed-exitcode")
		w.checkMoved()
	})
}

// TestRowsChangedMeanwhile changes rows between plan and apply: those users are left alone, and only they.
func TestRowsChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 200, Seed: 3}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	changed := w.exec("update users set full_name = 'Changed' where user_id in (select user_id from users where status = 'active' and deleted_at is null order by user_id limit 3)")
	w.run(exitStale, "apply", "-on-stale", "fail", "p")
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Fatalf("%d rows were linked", n)
	}
	out, _ := w.run(exitRemainder, "apply", "p")
	if !strings.Contains(out, fmt.Sprintf("%d changed meanwhile", changed)) || strings.Count(out, "its row changed after the plan") != int(changed) {
		t.Errorf("it says:\n%s", out)
	}
	w.run(exitRemainder, "apply", "p")
	w.run(exitChanges, "plan", "-detailed-exitcode")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()
}

// TestRefusedUsers has Self-auth refuse some users after the plan was made: they fail alone, their wave is not moved, and
// the next one is not started.
func TestRefusedUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 200, Seed: 3}, emulator(t))
	w.config(everyone + `
wave "first" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
}
wave "second" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.first] }
}
`)
	w.run(exitDone, "plan", "-out", "p")
	var mail string
	if err := w.connect().QueryRow(t.Context(), "select email from users join tenants t using (tenant_id) where t.slug = 'acme' and users.status = 'active' and users.deleted_at is null order by user_id limit 1").Scan(&mail); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Accounts().Create(t.Context(), newPerson(uuid.New(), "squatter", mail)); err != nil {
		t.Fatal(err)
	}
	out, _ := w.run(exitRemainder, "apply", "p")
	if !strings.Contains(out, "1 failed") || !strings.Contains(out, "wave second was not started") || strings.Contains(out, mail) {
		t.Errorf("it says:\n%s", out)
	}
	if n := w.number("select count(*) from users join tenants t using (tenant_id) where t.slug <> 'acme' and {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d users of the second wave were moved", n)
	}
	// The next plan knows: the address is taken, so the user is skipped with the reason, and the chain goes on.
	plan, _ := w.run(exitDone, "plan", "-out", "q")
	if !strings.Contains(plan, "a person in Self-auth has the address already") {
		t.Errorf("the next plan:\n%s", plan)
	}
	w.run(exitDone, "apply", "q")
	w.run(exitDone, "plan", "-detailed-exitcode")
}
