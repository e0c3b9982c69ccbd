package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
}

func newKiller(t *testing.T) *killer {
	t.Helper()
	k := &killer{}
	isWrite := func(r *http.Request) bool {
		return r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/raw/search") && r.URL.Path != "/v1/auth"
	}
	kill := func(want bool) bool {
		if k.after.Load() != want || k.writes.Load() != k.at.Load() || k.victim.Load() == nil {
			return false
		}
		_ = k.victim.Load().Kill()
		return true
	}
	s, err := selfauthd.Start(selfauthd.Options{
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if !isWrite(r) {
				return false
			}
			k.writes.Add(1)
			if kill(false) {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			}
			return false
		},
		After: func(r *http.Request) bool { return isWrite(r) && kill(true) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	rw, ro := s.Operator()
	k.server = server{s.URL(), ca, rw, ro}
	return k
}

// start runs anthill as a process of its own in the world's folder.
func (w *world) start(args ...string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command("anthill", append([]string{"-chdir", w.dir}, args...)...)
	cmd.Env = w.environment()
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	return cmd
}

// TestKilledApply kills apply with SIGKILL before and after writes spread over the whole run; the next apply finishes
// it: each user one person, none missed, none doubled, and a rollback restores all.
func TestKilledApply(t *testing.T) {
	t.Parallel()
	world := func(t *testing.T) (*world, *killer) {
		k := newKiller(t)
		w := newWorld(t, sandbox.Options{Tenants: 8, Users: 1200, Seed: 9}, k.server)
		w.config(everyone + waveEveryone)
		w.run(exitDone, "plan", "-out", "p")
		return w, k
	}
	w, k := world(t)
	w.run(exitDone, "apply", "p")
	total := k.writes.Load()
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if total < 20 {
		t.Fatalf("only %d writes: nothing to choose moments from", total)
	}
	for i := range 10 {
		t.Run(fmt.Sprint("moment ", i), func(t *testing.T) {
			t.Parallel()
			w, k := world(t)
			before := w.fingerprint()
			k.writes.Store(0)
			k.at.Store(1 + total*int64(i)/10)
			k.after.Store(i%2 == 1)
			cmd := w.start("apply", "p")
			k.victim.Store(cmd.Process)
			err := cmd.Wait()
			k.victim.Store(nil)
			if err == nil {
				t.Fatal("apply was not killed")
			}
			if i%2 == 0 {
				w.run(exitDone, "apply", "p")
			} else {
				w.run(exitDone, "apply", "-auto-approve")
			}
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
