package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// committed makes a git repository of a directory as it is, and returns its commit.
func committed(t *testing.T, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("these tests need git: ", err)
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=a", "-c", "user.email=a@example.test", "commit", "-q", "-m", "first")
	return git(t, dir, "rev-parse", "HEAD")
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// TestOrigin: where a plan was made is what git and the CI system say, and nothing where they say nothing.
func TestOrigin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file("main.anthill.hcl", "\n")
	outside := t.TempDir()
	commit := committed(t, dir)
	vars := map[string]string{}
	check := func(what, at string, want plan.Origin) {
		t.Helper()
		p := &program{env: func(name string) string { return vars[name] }, chdir: at}
		if diff := cmp.Diff(want, p.origin(t.Context())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("nothing is known", outside, plan.Origin{})
	check("a clean tree", dir, plan.Origin{Commit: commit})
	file("pilot.plan", "a plan that was saved beside it")
	check("a file beside the configuration", dir, plan.Origin{Commit: commit})
	file("late.anthill.hcl", "\n")
	check("a new file of the configuration", dir, plan.Origin{Commit: commit, Modified: true})
	git(t, dir, "add", "late.anthill.hcl")
	check("one that is added and not committed", dir, plan.Origin{Commit: commit, Modified: true})
	git(t, dir, "rm", "-q", "--cached", "late.anthill.hcl")
	if err := os.Remove(filepath.Join(dir, "late.anthill.hcl")); err != nil {
		t.Fatal(err)
	}
	check("clean again", dir, plan.Origin{Commit: commit})
	file("main.anthill.hcl", "# changed\n")
	check("a changed file", dir, plan.Origin{Commit: commit, Modified: true})
	git(t, dir, "checkout", "-q", "main.anthill.hcl")
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	check("a directory below", filepath.Join(dir, "sub"), plan.Origin{Commit: commit})

	vars = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SHA": "f00d", "GITHUB_ACTOR": "ana", "GITHUB_SERVER_URL": "https://git.example.test",
		"GITHUB_REPOSITORY": "acme/idm", "GITHUB_RUN_ID": "17",
	}
	job := "https://git.example.test/acme/idm/actions/runs/17"
	check("a job whose checkout git knows", dir, plan.Origin{Commit: commit, Author: "ana", Job: job})
	check("a job without a checkout", outside, plan.Origin{Commit: "f00d", Author: "ana", Job: job})
	vars = map[string]string{"GITLAB_CI": "true", "CI_COMMIT_SHA": "beef", "GITLAB_USER_LOGIN": "ben", "CI_JOB_URL": "https://ci/1"}
	check("another CI system", outside, plan.Origin{Commit: "beef", Author: "ben", Job: "https://ci/1"})
	vars = map[string]string{"GITHUB_SHA": "f00d", "GITHUB_ACTOR": "ana"}
	check("variables of no job", outside, plan.Origin{})
}

// TestOriginIsContext: another commit, author and job are another seal and the same plan ID, and a hostile author is
// shown for what it is.
func TestOriginIsContext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	of := func(name string) (id, seal, text string) {
		t.Helper()
		text, _ = w.run(exitDone, "plan", "-as-of", "2026-11-01T09:00:00Z", "-out", name)
		f, err := planfile.Open(filepath.Join(w.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.ID().String(), f.Seal().String(), text
	}
	id, seal, text := of("a.plan")
	if strings.Contains(text, "\nMade ") {
		t.Errorf("nothing is known of where the plan was made, and it says\n%s", text)
	}
	w.env["GITLAB_CI"], w.env["CI_COMMIT_SHA"] = "true", "0123456789abcdef0123"
	w.env["GITLAB_USER_LOGIN"], w.env["CI_JOB_URL"] = "ana\x1b[31m\u202e", "https://ci.example.test/7"
	otherID, otherSeal, text := of("b.plan")
	if id != otherID || seal == otherSeal {
		t.Errorf("plan ID %s, then %s; seal %s, then %s: want the same ID and another seal", id, otherID, seal, otherSeal)
	}
	if want := "\nMade     of commit 0123456789ab · by ana\\u001b[31m\\u202e · https://ci.example.test/7\n"; !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}
