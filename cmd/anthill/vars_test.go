package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// askingFor is a configuration that needs two variables.
const askingFor = `
variable "environment" { type = string }
variable "pilots" { type = set(string) }
anthill { environment = var.environment }
schema { level = "dual" }
group "users" {
  for_each = var.pilots
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_users"
  role     = "member"
  members { all = true }
}
auth_policy "dual" { method = "dual" }
guard { max_users_changed_percent = 100 }
wave "pilot" {
  auth_policy = auth_policy.dual
  users { tenants = var.pilots }
}
`

// TestSavedPlanIsEnough: what a saved plan or the state has settled is not asked for again; what is to be planned is.
func TestSavedPlanIsEnough(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
	w.config(askingFor)
	vars := []string{"-var", "environment=prod", "-var", `pilots=["acme"]`}
	_, errs := w.run(exitError, "plan")
	wants(t, errs, "Missing variable", "-var environment=...", "-var pilots=...")
	_, errs = w.run(exitError, "status") // there is no state yet that would say which environment this is
	wants(t, errs, "-var environment=...")
	w.run(exitDone, append([]string{"plan", "-out", "p"}, vars...)...)
	k.cut(2)
	w.run(exitStopped, "apply", "p")
	k.mend()
	w.run(exitDone, "apply", "p")
	out, _ := w.run(exitDone, "status")
	wants(t, out, "Missing variable", "pilots")
	w.run(exitDone, append([]string{"plan", "-detailed-exitcode"}, vars...)...)
	_, errs = w.run(exitStale, append([]string{"plan"}, "-var", "environment=staging", "-var", `pilots=["acme"]`)...)
	wants(t, errs, "environment")
	_, errs = w.run(exitError, "apply", "-auto-approve")
	wants(t, errs, "-var pilots=...")

	k.cut(2)
	w.run(exitStopped, "rollback", "-auto-approve")
	k.mend()
	w.run(exitDone, "apply", "-close", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	w.run(exitDone, "wave", "resume", "pilot")
	if n := w.allLinked(); n > 0 {
		t.Errorf("%d rows are linked", n)
	}
}

// TestSettingsNeedVariables: where to connect is in no plan, so that is asked for.
func TestSettingsNeedVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10, Seed: 4}, emulator(t))
	w.config("variable \"server\" {}\nprovider \"selfauth\" { url = var.server }\n" + everyone + waveEveryone)
	url := w.env["SELF_AUTH_URL"]
	delete(w.env, "SELF_AUTH_URL")
	w.run(exitDone, "plan", "-out", "p", "-var", "server="+url)
	_, errs := w.run(exitError, "apply", "p")
	wants(t, errs, "Missing variable", "-var server=...")
	w.env["ANTHILL_VAR_server"] = url
	w.run(exitDone, "apply", "p")
}

// TestVariablesInOrder: the last of -var and -var-file counts, files that are read of themselves and the environment stand behind.
func TestVariablesInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 10, Seed: 4}, emulator(t))
	w.config("variable \"level\" {}\n" + strings.Replace(everyone, `level = "dual"`, "level = var.level", 1) + waveEveryone)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("good", "level = \"dual\"\n")
	write("bad", "level = \"bad\"\n")
	run := func(ok bool, args ...string) {
		t.Helper()
		want := map[bool]int{true: exitDone, false: exitError}[ok]
		w.run(want, append([]string{"validate"}, args...)...)
	}
	run(false)
	run(true, "-var", "level=bad", "-var-file", "good")
	run(false, "-var-file", "good", "-var", "level=bad")
	run(true, "-var", "level=bad", "-var", "level=dual")
	w.env["ANTHILL_VAR_level"] = "dual"
	run(true)
	write("z.auto.anthillvars", "level = \"bad\"\n")
	run(false)
	write("zz.auto.anthillvars.json", `{"level": "dual"}`)
	run(true)
	run(false, "-var-file", "bad")
	for _, text := range []string{"hunter2", "=hunter2"} {
		_, errs := w.run(exitError, "validate", "-var", text)
		wants(t, errs, "-var wants NAME=VALUE")
		if strings.Contains(errs, "hunter2") {
			t.Errorf("it shows what may be a secret:\n%s", errs)
		}
	}
}
