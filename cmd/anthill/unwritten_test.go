package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"anthill/internal/sandbox"
)

// failing is a stdout that takes nothing.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// cancelling is a stderr that stops a run when its progress is written first.
type cancelling struct {
	bytes.Buffer
	stop func()
}

func (c *cancelling) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte("schema ")) {
		c.stop()
	}
	return c.Buffer.Write(b)
}

// unwritten runs anthill in the world's folder with a stdout that fails, and demands an exit status.
func (w *world) unwritten(want int, fails error, args ...string) (stderr string) {
	w.t.Helper()
	ctx, stop := context.WithCancel(w.t.Context())
	defer stop()
	errs := &cancelling{stop: func() {}}
	if want == exitStopped {
		errs.stop = stop
	}
	p := w.program(failing{fails}, errs)
	if status := p.run(ctx, append([]string{"anthill"}, args...)); status != want {
		w.t.Fatalf("anthill %s: exit status %d, want %d\n%s", strings.Join(args, " "), status, want, errs.String())
	}
	return errs.String()
}

// TestUnwrittenResult has stdout fail, before effects and after them: what was done is said on stderr, and shown by the
// exit status.
func TestUnwrittenResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20}, emulator(t))
	w.config(everyone + `
gate "desk" { manual = true }
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { gates = [gate.desk] }
}
`)
	const full = syscall.ENOSPC
	before := w.fingerprint()
	wants(t, w.unwritten(exitError, full, "version"), "the result could not be written: no space left on device")
	wants(t, w.unwritten(exitError, full, "plan"), "No server was changed")
	wants(t, w.unwritten(exitError, full, "apply", "-auto-approve"), "No server was changed")
	if errs := w.unwritten(exitError, syscall.EPIPE, "plan"); errs != "" {
		t.Errorf("a reader who has seen enough is told:\n%s", errs)
	}
	if w.fingerprint() != before {
		t.Fatal("rows were changed")
	}

	wants(t, w.unwritten(exitRemainder, full, "wave", "confirm", "everyone", "desk"), "gate desk of wave everyone is confirmed")
	w.run(exitDone, "plan", "-out", "p")
	wants(t, w.unwritten(exitStopped, full, "apply", "p"), "run "+w.runs()[0]+" was stopped (interrupted: ", "anthill apply")
	wants(t, w.unwritten(exitRemainder, full, "apply", "-auto-approve"), "run "+w.runs()[0]+" has finished, but the result could not be written: no space left on device.",
		"anthill status")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.run(exitDone, "rollback", "-out", "back")
	wants(t, w.unwritten(exitRemainder, syscall.EPIPE, "apply", "back"), "run "+w.runs()[1]+" has finished")
	w.checkRolledBack(before)
	wants(t, w.unwritten(exitRemainder, full, "wave", "resume", "everyone"), "wave everyone goes on")
}

// TestClosedPipe runs anthill as a process whose stdout is read by nobody: no signal ends it in silence.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	status := func(stdout *os.File, args ...string) (int, string) {
		t.Helper()
		var errs bytes.Buffer
		cmd := w.command(args...)
		cmd.Stdout, cmd.Stderr = stdout, &errs
		if cmd.Run() == nil {
			t.Fatalf("anthill %v succeeds", args)
		}
		return cmd.ProcessState.ExitCode(), errs.String()
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in.Close()
	if code, errs := status(out, "plan"); code != exitError || errs != "" {
		t.Errorf("plan: exit status %d\n%s", code, errs)
	}
	code, errs := status(out, "apply", "p")
	if wants(t, errs, "broken pipe", "run "+w.runs()[0]+" has finished"); code != exitRemainder {
		t.Errorf("apply: exit status %d", code)
	}
	if runtime.GOOS != "linux" {
		return
	}
	w.run(exitDone, "rollback", "-out", filepath.Join(w.dir, "back"))
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if code, errs := status(full, "show", "back"); code != exitError || !strings.Contains(errs, "no space left") {
		t.Errorf("show: exit status %d\n%s", code, errs)
	}
	if code, errs := status(full, "apply", "back"); code != exitRemainder || !strings.Contains(errs, "has finished") {
		t.Errorf("apply: exit status %d\n%s", code, errs)
	}
}
