package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/scratchidm/idmtest"
)

// TestServerKilled has a part only where there is a real server; TestFaults restarts the emulator.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	if idmtest.Here(t) {
		t.Run("real", testServerKilled)
	}
}

// testServerKilled kills a real server in the middle of apply and starts it again; the next apply finishes.
func testServerKilled(t *testing.T) {
	idm := idmtest.Start(t)
	rw, ro := idm.Operator()
	s := server{idm.URL(), idm.CAFile(), rw, ro}
	w := newWorld(t, sandbox.Options{Tenants: 8, Users: 3000, Seed: 9}, s)
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	cmd := exec.Command("anthill", "-chdir", w.dir, "apply", "-auto-approve")
	cmd.Env = w.environment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := w.connect()
	for n := 0; n < 300; { // some batches are through, others are not
		if err := c.QueryRow(t.Context(), "select coalesce((select count(*) from pg_class where relname = 'records'), 0)").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if err := c.QueryRow(t.Context(), "select count(*) from "+journal+" where settled").Scan(&n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := idm.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // its exit status is looked at next
	if cmd.ProcessState.ExitCode() != exitStopped {
		t.Errorf("apply ended with exit status %d, want %d\n%s", cmd.ProcessState.ExitCode(), exitStopped, out.String())
	}
	if err := idm.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
	w.checkMoved()
	w.allowing("rollback", "-delete-persons", "-auto-approve")
	w.checkRolledBack(before)
}

// TestCutReal has a part only where there is a real server; the emulator is cut at every call by TestCutAnywhere.
func TestCutReal(t *testing.T) {
	t.Parallel()
	if idmtest.Here(t) {
		t.Run("real", testCutReal)
	}
}

// testCutReal cuts apply, the follow-ups of a second apply, and a rollback, each in the middle, on a real server, and takes
// everything back: nobody is let in whom no row asks for, and in the end all is as before.
func testCutReal(t *testing.T) {
	idm := idmtest.Start(t)
	rw, ro := idm.Operator()
	w := newWorld(t, sandbox.Options{Tenants: 6, Users: 1500, Seed: 9}, server{idm.URL(), idm.CAFile(), rw, ro})
	w.exec("delete from user_profiles") // which keeps users in their tenant
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	cuts := 0
	cut := func(command []string, until ...string) {
		t.Helper()
		p := w.start(append(command, "-auto-approve")...)
		ended := make(chan error, 1)
		go func() { ended <- p.Wait() }()
		c := w.connect()
		for _, sql := range until {
			for yes := false; !yes; {
				must(t, c.QueryRow(t.Context(), sql).Scan(&yes))
				select {
				case err := <-ended:
					// A follow-up of a few users may be through before anybody has seen it.
					must(t, err)
					return
				default:
				}
			}
		}
		must(t, p.Process.Kill())
		if <-ended != nil {
			cuts++
		}
	}
	defer func() {
		if cuts < 3 {
			t.Errorf("only %d commands were cut", cuts)
		}
	}()
	sound := func(when string, followed bool) {
		t.Helper()
		for _, bad := range w.invariants(when, followed) {
			t.Error(bad)
		}
		if persons, members := w.strange(); persons+members > 0 {
			t.Errorf("%s: %d persons and %d memberships of no row", when, persons, members)
		}
	}
	cut([]string{"apply"}, "select to_regclass('anthill_state.batches') is not null",
		"select count(*) > 200 from "+journal+" where settled")
	w.run(exitDone, "rollback", "-auto-approve")
	sound("apply was cut and rolled back", false)
	w.checkRolledBack(before)

	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	inFlight := "select exists (select from " + journal + " where not settled)"
	for _, change := range []string{"role = 'user' where role = 'admin'", "status = 'suspended' where role = 'manager'",
		"tenant_id = g.tenant_id from tenants g, tenants a where g.slug = 'globex' and a.slug = 'acme' and role = 'user' and " +
			"users.tenant_id = a.tenant_id and not exists (select from users o where o.tenant_id = g.tenant_id and o.email = users.email)",
	} {
		if n := w.exec("update users set " + change); n == 0 {
			t.Fatalf("nobody was changed: %s", change)
		}
		cut([]string{"apply"}, inFlight)
		w.run(exitDone, "rollback", "-auto-approve")
		sound("a follow-up was cut and rolled back: "+change, false)
		w.run(exitDone, "wave", "resume", "everyone")
		w.run(exitDone, "apply", "-auto-approve")
		sound("followed: "+change, true)
	}

	cut([]string{"rollback", "-wave", "everyone"}, inFlight)
	w.run(exitDone, "rollback", "-auto-approve")
	sound("a rollback was cut", false)
	for w.allLinked() > 0 {
		w.run(exitDone, "rollback", "-auto-approve")
	}
	sound("all is taken back", false)
}

// TestDevReal: `anthill dev -selfauth real` gives a command a real server where there is one, and says what to do where
// there is none.
func TestDevReal(t *testing.T) {
	t.Parallel()
	anthill, err := exec.LookPath("anthill")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("none here", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command(anthill, "dev", "-selfauth", "real", "--", "true")
		cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=/nowhere"}
		said, _ := cmd.CombinedOutput() // its exit status is looked at next
		status, text := cmd.ProcessState.ExitCode(), string(said)
		if status != exitError || !strings.Contains(text, "ANTHILL_KANIDMD") || !strings.Contains(text, "emulator") {
			t.Errorf("exit status %d, want %d, and how to help oneself:\n%s", status, exitError, text)
		}
	})
	if !idmtest.Here(t) {
		return
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		text := everyone + waveEveryone
		if err := os.WriteFile(filepath.Join(dir, "main.anthill.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// The sample seeds persons and groups that are in the way.
		script := "anthill apply -auto-approve >&2 && echo moved"
		out, err := exec.Command(anthill, "dev", "-chdir", dir, "-selfauth", "real", "--", "sh", "-c", script).Output()
		if err != nil || string(out) != "moved\n" {
			t.Errorf("%v: %s", err, out)
		}
	})
}
