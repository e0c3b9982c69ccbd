package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

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
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	remove := func(name string) {
		t.Helper()
		must(t, os.Remove(filepath.Join(dir, name)))
	}
	file("main.anthill.hcl", "\n")
	file(".gitignore", "ignored*\n")
	file("eu.anthillvars", "")
	outside := t.TempDir()
	commit := committed(t, dir)
	const as, otherwise = plan.FilesCommitted, plan.FilesOtherwise
	vars := map[string]string{}
	check := func(what, at string, want plan.Origin, args ...string) {
		t.Helper()
		p := &program{env: func(name string) string { return vars[name] }, chdir: at}
		var got plan.Origin
		app := &cli.App{Flags: varFlags(), Action: func(c *cli.Context) error { got = p.origin(c); return nil }}
		must(t, app.RunContext(t.Context(), append([]string{"anthill"}, args...)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("nothing is known", outside, plan.Origin{})
	check("as committed", dir, plan.Origin{Commit: commit, Files: as})
	file("pilot.plan", "a plan that was saved beside it")
	check("a file beside the configuration", dir, plan.Origin{Commit: commit, Files: as})
	check("variables that are committed", dir, plan.Origin{Commit: commit, Files: as}, "-var-file=eu.anthillvars")
	check("variables of elsewhere", dir, plan.Origin{Commit: commit, Files: otherwise}, "-var-file=../x.anthillvars")
	for _, name := range []string{"late.anthill.hcl", "ignored.auto.anthillvars", "ignored.anthill.json"} {
		file(name, "\n")
		check("a file that is not committed: "+name, dir, plan.Origin{Commit: commit, Files: otherwise})
		git(t, dir, "add", "-f", name)
		check("one that is added: "+name, dir, plan.Origin{Commit: commit, Files: otherwise})
		git(t, dir, "rm", "-q", "-f", "--cached", name)
		remove(name)
	}
	check("as committed again", dir, plan.Origin{Commit: commit, Files: as})
	file("main.anthill.hcl", "# changed\n")
	git(t, dir, "update-index", "--assume-unchanged", "main.anthill.hcl")
	check("a changed file", dir, plan.Origin{Commit: commit, Files: otherwise})
	remove("main.anthill.hcl")
	check("one that is missing", dir, plan.Origin{Commit: commit, Files: otherwise})
	file("main.anthill.hcl", "\n")

	vars = map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_SHA": "f00d", "GITHUB_ACTOR": "ana", "GITHUB_SERVER_URL": "https://git.example.test",
		"GITHUB_REPOSITORY": "acme/idm", "GITHUB_RUN_ID": "17",
	}
	job := "https://git.example.test/acme/idm/actions/runs/17"
	check("a job whose checkout git knows", dir, plan.Origin{Commit: commit, Files: as, Author: "ana", Job: job})
	check("a job without a checkout", outside, plan.Origin{Commit: "f00d", Author: "ana", Job: job})
	delete(vars, "GITHUB_RUN_ID")
	vars["GITHUB_ACTOR"] = strings.Repeat("a", 2000)
	check("half of a job", outside, plan.Origin{Commit: "f00d", Author: strings.Repeat("a", 200)})
	vars = map[string]string{"GITLAB_CI": "true", "CI_COMMIT_SHA": "beef", "GITLAB_USER_LOGIN": "ben", "CI_JOB_URL": "https://ci/1"}
	check("another CI system", outside, plan.Origin{Commit: "beef", Author: "ben", Job: "https://ci/1"})
	vars = map[string]string{"GITHUB_SHA": "f00d", "GITHUB_ACTOR": "ana"}
	check("variables of no job", outside, plan.Origin{})
}

// TestOriginRunsNothing: a repository that names commands to be run has none of them run, whatever it is that names them.
func TestOriginRunsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ran := filepath.Join(t.TempDir(), "ran")
	must(t, os.WriteFile(filepath.Join(dir, "main.anthill.hcl"), []byte("\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, ".gitattributes"), []byte("* filter=evil diff=evil\n"), 0o600))
	commit := committed(t, dir)
	for _, setting := range []string{
		"filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "core.fsmonitor", "core.pager",
		"core.sshCommand", "core.editor", "diff.external", "credential.helper",
	} {
		git(t, dir, "config", setting, "touch "+ran)
	}
	must(t, os.WriteFile(filepath.Join(dir, "main.anthill.hcl"), []byte("# changed, in as many letters\n"), 0o600))
	if got, files, known := checkedOut(t.Context(), dir, nil); !known || got != commit || files != plan.FilesOtherwise {
		t.Errorf("%s, %s, %v", got, files, known)
	}
	// The same settings in a bare repository that a commit brought along.
	bare := filepath.Join(t.TempDir(), "cfg")
	must(t, os.CopyFS(bare, os.DirFS(filepath.Join(dir, ".git"))))
	git(t, bare, "config", "core.bare", "false")
	git(t, bare, "config", "core.worktree", ".")
	if _, _, known := checkedOut(t.Context(), bare, nil); known {
		t.Error("a bare repository is believed")
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("a command of the repository was run")
	}
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
	if want := "\nMade     of commit 0123456789ab, with which the files were not compared · by ana\\u001b[31m\\u202e\n" +
		"Job      https://ci.example.test/7\n"; !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}
