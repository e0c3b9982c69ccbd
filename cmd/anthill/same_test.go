package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/planner/planfile"
)

// planAs plans in a process of its own and returns the file.
func (w *world) planAs(dir, out string, env ...string) []byte {
	w.t.Helper()
	cmd := exec.Command("anthill", "-chdir", dir, "plan", "-as-of", "2026-11-25T00:00:00Z", "-out", out)
	cmd.Env = append(w.environment(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(filepath.Join(dir, out))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) planID(dir, out string) string {
	w.t.Helper()
	r, err := planfile.Open(filepath.Join(dir, out))
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	return r.ID().String()
}

// TestSamePlan makes one plan twice, on one and on two processors, and on a copy of the folder: the same bytes. With
// files renamed and blocks shuffled the plan ID is the same.
func TestSamePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	first := w.planAs(w.dir, "a", "GOMAXPROCS=1")
	if second := w.planAs(w.dir, "b", "GOMAXPROCS=2"); !bytes.Equal(first, second) {
		t.Error("another plan on two processors")
	}
	copied := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(copied, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	if third := w.planAs(copied, "c"); !bytes.Equal(first, third) {
		t.Error("another plan in another folder")
	}
	shuffled := t.TempDir()
	blocks := strings.Split("provider \"postgres\" { naming = \"self_auth\" }\n"+everyone+waveEveryone, "\n}\n")
	var a, b strings.Builder
	for i := len(blocks) - 1; i >= 0; i-- {
		to := &a
		if i%2 == 0 {
			to = &b
		}
		to.WriteString(blocks[i])
		if i < len(blocks)-1 {
			to.WriteString("\n}\n")
		}
	}
	for name, text := range map[string]string{"zz.anthill.hcl": a.String(), "aa.anthill.hcl": b.String()} {
		if err := os.WriteFile(filepath.Join(shuffled, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.planAs(shuffled, "d")
	if one, other := w.planID(w.dir, "a"), w.planID(shuffled, "d"); one != other {
		t.Errorf("plan ID %s, shuffled %s", one, other)
	}
}
