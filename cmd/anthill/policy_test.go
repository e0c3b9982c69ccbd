package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
)

const policyExample = "../../examples/policy"

// policies are the checks of examples/policy, on the JSON of one plan.
type policies struct {
	t        *testing.T
	opa      string // the program
	dir      string
	plan     string
	settings object
}

// TestPolicies has examples/policy judge plans, in jq and in Rego, which say the same: each check trips, and does not where
// its figure is one less, its window open, its date reached.
func TestPolicies(t *testing.T) {
	t.Parallel()
	if !hasTools(t, "jq") {
		return
	}
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(strings.Replace(everyone, `data "tenants" "active" { status = ["active"] }`, `data "tenants" "active" { slugs = ["acme", "globex"] }`, 1) + `
wave "pilot" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme", "globex"] }
}
`)
	w.run(exitDone, "plan", "-out", "p")
	text, err := os.ReadFile(filepath.Join(policyExample, "policy.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := &policies{t: t, opa: opaProgram(t), dir: t.TempDir()}
	if err := json.Unmarshal(text, &p.settings); err != nil {
		t.Fatal(err)
	}
	const monday, sunday, later = "2026-12-07T10:00:00Z", "2026-12-06T10:00:00Z", "2027-03-01T09:00:00Z"

	p.readme(w)
	p.of(w, "p")
	p.denies(monday)
	p.settings["admins_gained"] = 7
	p.denies(monday)
	p.settings["admins_gained"] = 6
	p.denies(monday, "7 users become admin, and 6 may")
	p.settings["pilot"].(object)["tenants"] = []any{"acme"}
	p.denies("2027-03-01T08:59:59Z", "7 users become admin, and 6 may", "moves users of globex, which is not in the pilot")
	p.denies(later, "7 users become admin, and 6 may")

	w.run(exitDone, "apply", "p")
	w.run(exitBlocked, "rollback", "-delete-persons", "-out", "back")
	p.of(w, "back")
	deletes := "deletes 4 objects and 94 persons outside the window for that"
	p.denies(monday)
	p.denies(sunday, deletes)
	p.denies("2026-12-07T08:59:59Z", deletes)
	p.denies("2026-12-07T15:59:59Z")
	p.denies("2026-12-07T16:00:00Z", deletes)

	// What cannot be read allows nothing.
	delete(p.settings, "admins_gained")
	if got := p.rego(monday); len(got) == 0 {
		t.Error("Rego allows a plan without its settings")
	}
	if err := os.WriteFile(p.plan, []byte(`{"format_version": "2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.jq(monday); err == nil {
		t.Error("jq allows what is no plan")
	}
	if got := p.rego(monday); len(got) == 0 {
		t.Error("Rego allows what is no plan")
	}
}

// of chooses the plan.
func (p *policies) of(w *world, plan string) {
	p.t.Helper()
	out, _ := w.run(exitDone, "show", "-json", plan)
	p.plan = p.file(plan+".json", []byte(out))
}

func (p *policies) file(name string, text []byte) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *policies) json(name string, v any) string {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.file(name, text)
}

// denies demands what is not allowed at a time.
func (p *policies) denies(at string, want ...string) {
	p.t.Helper()
	got, err := p.jq(at)
	if err != nil {
		p.t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		p.t.Errorf("jq at %s (-want +got)\n%s", at, d)
	}
	if d := cmp.Diff(want, p.rego(at)); d != "" {
		p.t.Errorf("Rego at %s (-want +got)\n%s", at, d)
	}
}

func (p *policies) jq(at string) ([]string, error) {
	out, err := exec.CommandContext(p.t.Context(), "jq", "-r", "--arg", "at", at, "--slurpfile", "settings", p.json("policy.json", p.settings),
		"-f", filepath.Join(policyExample, "policy.jq"), p.plan).Output()
	return sortedLines(string(out)), err
}

// opaProgram is the opa of examples/policy/opa: Go builds it once, and keeps it.
func opaProgram(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "-C", filepath.Join(policyExample, "opa"), "tool", "-n", "opa").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

func (p *policies) rego(at string) []string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), p.opa, "eval", "-f", "raw", "-i", p.plan, "-d", filepath.Join(policyExample, "policy.rego"),
		"-d", p.json("settings.json", object{"at": at, "policy": p.settings}), `concat("\n", data.anthill.deny)`)
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	return sortedLines(string(out))
}

// readme runs the commands of the example's README, in a folder with its files.
func (p *policies) readme(w *world) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(policyExample, "README.md"))
	if err != nil {
		p.t.Fatal(err)
	}
	var script strings.Builder
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			script.WriteString(command)
		}
	}
	if err := os.CopyFS(p.dir, os.DirFS(policyExample)); err != nil {
		p.t.Fatal(err)
	}
	plan, err := os.ReadFile(filepath.Join(w.dir, "p"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.file("pilot.plan", plan)
	programs := p.t.TempDir()
	if err := os.Symlink(p.opa, filepath.Join(programs, "opa")); err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), "sh", "-eu", "-c", script.String())
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "" {
		p.t.Errorf("the commands of the README: %v\n%s", err, out)
	}
}

func sortedLines(text string) []string {
	lines := strings.Split(text, "\n")
	lines = slices.DeleteFunc(lines, func(s string) bool { return s == "" })
	slices.Sort(lines)
	if len(lines) == 0 {
		return nil
	}
	return lines
}
