package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestClosedPlanAgain: a plan whose run was closed is not done when it is applied again.
func TestClosedPlanAgain(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	k.cut(8)
	w.run(exitStopped, "apply", "p")
	k.mend()
	w.run(exitDone, "apply", "-close", "-auto-approve")
	out, _ := w.run(exitRemainder, "apply", "p")
	wants(t, out, "was stopped, and closed")
	out, _ = w.run(exitRemainder, "apply", "p", "-json")
	wants(t, out, `"outcome": "closed"`)
}

// TestBrokenFile: a file of variables that cannot be read gives no variable its default instead: what stands in it may be
// where to connect.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10, Seed: 4}, emulator(t))
	w.config("variable \"server\" { default = \"https://localhost:1\" }\nprovider \"selfauth\" { url = var.server }\n" + everyone + waveEveryone)
	must(t, os.WriteFile(filepath.Join(w.dir, "x.auto.anthillvars"), []byte("server = \""+w.env["SELF_AUTH_URL"]+"\"\nx = \n"), 0o600))
	for _, command := range []string{"plan", "status", "rollback", "validate"} {
		_, errs := w.run(exitError, command)
		wants(t, errs, "x.auto.anthillvars", "cannot be read")
	}
	// What the line gives is known: the way back is open. The file is to be mended before anything is planned.
	w.run(exitDone, "rollback", "-var", "server="+w.env["SELF_AUTH_URL"])
	w.run(exitError, "plan", "-var", "server="+w.env["SELF_AUTH_URL"])
}

// TestScopeKept: going on with a stopped rollback of one tenant takes back nobody else.
func TestScopeKept(t *testing.T) {
	t.Parallel()
	for n := range int64(9) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all, acme := w.allLinked(), w.isLinked("acme")
			k.cut(n)
			_, st := w.try2("rollback", "-tenant", "acme", "-auto-approve")
			k.mend()
			if st != exitStopped {
				return // it was through before the cut
			}
			before := w.isLinked("acme")
			out, st := w.try2("rollback", "-auto-approve")
			if now := w.allLinked(); now != all-acme {
				t.Errorf("acme before %d; %d are linked, want %d: other tenants were taken back\n%d %s", before, now, all-acme, st, out)
			}
		})
	}
}

// TestApplyClosed: a run that was stopped before it did anything is closed, and an earlier one is not taken back for it.
func TestApplyClosed(t *testing.T) {
	t.Parallel()
	for n := range int64(3) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all := w.allLinked()
			s := w.someone("user", "acme")
			s.set("role", "admin")
			k.cut(n)
			_, st := w.try2("apply", "-auto-approve")
			k.mend()
			if st != exitStopped {
				return // it was through before the cut
			}
			out, st := w.try2("rollback", "-auto-approve")
			if now := w.allLinked(); now != all {
				t.Errorf("%d are linked, want %d: the run before was taken back\n%d %s", now, all, st, out)
			}
		})
	}
}

// TestPlanOfAnotherEnvironment: a plan of another environment is refused where the variable is left out.
func TestPlanOfAnotherEnvironment(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(askingFor)
	w.run(exitDone, "plan", "-out", "s", "-var", "environment=staging", "-var", `pilots=["acme"]`)
	w.run(exitDone, "plan", "-out", "p", "-var", "environment=prod", "-var", `pilots=["acme"]`)
	w.run(exitStale, "apply", "s", "-var", "environment=prod")
	w.run(exitDone, "apply", "p")
	w.run(exitStale, "apply", "s")
}

// TestConfirmWithoutVariables: a missing variable is named, not the gates denied.
func TestConfirmWithoutVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(`
variable "strict" { type = bool }
schema { level = "dual" }
auth_policy "dual" { method = "dual" }
gate "a" { manual = true }
gate "b" { manual = true }
wave "pilot" {
  auth_policy = auth_policy.dual
  start { gates = var.strict ? [gate.a] : [gate.b] }
  users { all = true }
}
`)
	w.run(exitDone, "wave", "confirm", "-var", "strict=true", "pilot", "a")
	for args, says := range map[string]string{"confirm pilot a": "-var strict=...", "confirm nowave z": "there are pilot",
		"resume nowave": "there are pilot"} {
		_, errs := w.run(exitError, append([]string{"wave"}, strings.Fields(args)...)...)
		wants(t, errs, says)
	}
	w.run(exitDone, "wave", "resume", "pilot")
}

// TestScopeNothingLeft: a stopped rollback of one tenant, of which nothing is left, takes back nobody else.
func TestScopeNothingLeft(t *testing.T) {
	t.Parallel()
	t.Run("conflicts", func(t *testing.T) {
		t.Parallel()
		w, k := cutWorld(t)
		w.config(everyone + waveEveryone)
		w.run(exitDone, "apply", "-auto-approve")
		all, acme := w.allLinked(), w.isLinked("acme")
		k.cut(0)
		w.run(exitStopped, "rollback", "-tenant", "acme", "-auto-approve")
		k.mend()
		w.exec("update users set {idp}_user_id = gen_random_uuid() where {idp}_user_id is not null and tenant_id = (select tenant_id from tenants where slug = 'acme')")
		out, st := w.try2("rollback", "-auto-approve")
		if now := w.allLinked() - w.isLinked("acme"); now != all-acme {
			t.Errorf("%d others are linked, want %d\n%d %s", now, all-acme, st, out)
		}
	})
}

// TestOpenThenMissing: apply without variables, where a run is open.
func TestOpenThenMissing(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
	w.config(askingFor)
	vars := []string{"-var", "environment=prod", "-var", `pilots=["acme"]`}
	w.run(exitDone, append([]string{"plan", "-out", "p"}, vars...)...)
	k.cut(2)
	w.run(exitStopped, "apply", "p")
	k.mend()
	n := w.allLinked()
	w.run(exitError, "apply", "-auto-approve")
	if now := w.allLinked(); now != n {
		t.Errorf("exit status 1 (error before any effect), and %d users were moved", now-n)
	}
}

// TestConfirmMistakes: with a variable missing other mistakes are still mistakes.
func TestConfirmMistakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(`
variable "strict" { type = bool }
schema { level = "dual" }
gate "a" { manual = true }
wave "pilot" {
  auth_policy = auth_policy.nope
  start { gates = [gate.a] }
  users { all = "what" }
}
`)
	for _, args := range [][]string{{"-var", "strict=true"}, {}} {
		w.run(exitError, append(append([]string{"wave", "confirm"}, args...), "pilot", "a")...)
	}
}

// TestScopeAfterClosing: a saved rollback behind a closed one of which nothing is left.
func TestScopeAfterClosing(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	k.cut(0)
	w.run(exitStopped, "rollback", "-tenant", "acme", "-auto-approve")
	k.mend()
	w.try2("apply", "-close", "-auto-approve")
	w.exec("update users set {idp}_user_id = gen_random_uuid() where {idp}_user_id is not null and tenant_id = (select tenant_id from tenants where slug = 'acme')")
	all := w.allLinked()
	for _, args := range [][]string{{"rollback", "-out", "q"}, {"rollback", "-auto-approve"}} {
		_, errs := w.run(exitDone, args...)
		wants(t, errs, "Nothing is left of what was stopped", "rollback -run RUN")
	}
	if n := w.allLinked(); n != all {
		t.Errorf("%d rows are linked, were %d", n, all)
	}
}

// TestRollbackClosedTwice: a rollback of a rollback that was closed is gone on with, and ends.
func TestRollbackClosedTwice(t *testing.T) {
	t.Parallel()
	for n := range int64(4) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all := w.allLinked()
			w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
			r1 := w.latest()
			k.cut(n)
			_, st := w.try2("rollback", "-run", r1, "-auto-approve")
			k.mend()
			if st != exitStopped {
				return // it was through before the cut
			}
			w.try2("apply", "-close", "-auto-approve")
			out, st := w.try2("rollback", "-auto-approve")
			if w.allLinked() != all {
				t.Errorf("%d linked, want %d: %d %s", w.allLinked(), all, st, out)
			}
		})
	}
}

// TestSecretLine: no value of the line is told.
func TestSecretLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10, Seed: 4}, emulator(t))
	w.config("variable \"url\" { default = \"x\" }\n" + everyone + waveEveryone)
	for _, v := range []string{"postgres://u:hunter2@h/db", "=hunter2", "postgres://u:hunter2@h/db?sslmode=disable"} {
		out, _ := w.try2("validate", "-var", v)
		if strings.Contains(out, "hunter2") {
			t.Errorf("%s", out)
		}
	}
}

// TestStrayVariables: what a variable is given without being asked for, and is wrong, keeps nobody from a way on or back.
func TestStrayVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(askingFor)
	w.run(exitDone, "plan", "-out", "p", "-var", "environment=prod", "-var", `pilots=["acme"]`)
	w.env["ANTHILL_VAR_pilots"] = "acme"
	must(t, os.WriteFile(filepath.Join(w.dir, "x.auto.anthillvars"), []byte("pilot = \"hunter2\"\n"), 0o600))
	for _, args := range [][]string{{"apply", "p"}, {"rollback", "-auto-approve"}, {"apply", "-close"}, {"wave", "resume", "pilot"}, {"status"}} {
		w.run(exitDone, args...)
	}
	_, errs := w.run(exitError, "plan")
	wants(t, errs, "ANTHILL_VAR_pilots", "x.auto.anthillvars")
	if strings.Contains(errs, "hunter2") {
		t.Errorf("it shows what the file holds:\n%s", errs)
	}
}

// TestApplyClosedJSON: the same for programs; and the run before is one of long ago.
func TestApplyClosedJSON(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	all := w.allLinked()
	w.someone("user", "acme").set("role", "admin")
	k.cut(0)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	w.config(everyone + waveEveryone + "\nvariable \"x\" {}\n")
	w.run(exitDone, "rollback", "-auto-approve", "-json")
	if w.allLinked() != all {
		t.Error(w.allLinked(), all)
	}
}
