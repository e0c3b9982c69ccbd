package main

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git names what it holds by it
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"anthill/config"
	"anthill/planner/plan"
)

// job is how a CI system tells what a job is about: names of environment variables.
type job struct {
	marker              string // is set in its jobs, and in no other's
	commit, author, url string
	more                []string // of an address that is put together: repository and run below url
}

// jobs are the CI systems that are known, by their documentation.
func jobs() []job {
	return []job{
		{"GITHUB_ACTIONS", "GITHUB_SHA", "GITHUB_ACTOR", "GITHUB_SERVER_URL", []string{"GITHUB_REPOSITORY", "GITHUB_RUN_ID"}},
		{"GITLAB_CI", "CI_COMMIT_SHA", "GITLAB_USER_LOGIN", "CI_JOB_URL", nil},
		{"ATLANTIS_TERRAFORM_VERSION", "HEAD_COMMIT", "PULL_AUTHOR", "PULL_URL", nil},
		{"BUILDKITE", "BUILDKITE_COMMIT", "BUILDKITE_BUILD_CREATOR", "BUILDKITE_BUILD_URL", nil},
		{"CIRCLECI", "CIRCLE_SHA1", "CIRCLE_USERNAME", "CIRCLE_BUILD_URL", nil},
		{"JENKINS_URL", "GIT_COMMIT", "CHANGE_AUTHOR", "BUILD_URL", nil},
	}
}

// longestOrigin is how much of a text of the environment is kept: nobody reads more of it.
const longestOrigin = 200

// origin is where plans are made now: the commit that git says is checked out in the configuration's directory, or else
// the one that the CI system names, and whose job it is.
func (p *program) origin(c *cli.Context) (o plan.Origin) {
	told := func(name string) string {
		text := []rune(p.env(name))
		return string(text[:min(len(text), longestOrigin)])
	}
	for _, j := range jobs() {
		if told(j.marker) == "" {
			continue
		}
		o.Commit, o.Author, o.Job = told(j.commit), told(j.author), told(j.url)
		if len(j.more) > 0 {
			repository, run := told(j.more[0]), told(j.more[1])
			if o.Job += "/" + repository + "/actions/runs/" + run; repository == "" || run == "" {
				o.Job = ""
			}
		}
		break
	}
	var vars []string
	list, _ := given(c) // what is wrong with them was said before
	for _, g := range list {
		if g.File != "" {
			vars = append(vars, g.File)
		}
	}
	if commit, files, known := checkedOut(c.Context, p.dir(), vars); known {
		o.Commit, o.Files = commit, files
	}
	return o
}

const gitPatience = 5 * time.Second

// checkedOut asks git for the commit of a directory, and compares the files of the configuration there, and those of
// variables that are named, with what the commit has. known is false where there is no git, no repository or no commit.
//
// Git only reads what it has stored: to ask it what has changed would run whatever filters the repository names.
func checkedOut(ctx context.Context, dir string, vars []string) (commit string, files plan.Files, known bool) {
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	git := func(args ...string) (string, error) {
		own := []string{"--no-optional-locks", "-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-C", dir}
		cmd := exec.CommandContext(ctx, "git", append(own, args...)...)
		// None of ours: it has tokens, and what hooks tell git about another repository. Nothing is fetched.
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GIT_ALLOW_PROTOCOL=none",
			"GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0"}
		cmd.WaitDelay = time.Second
		out, err := cmd.Output()
		return string(out), err
	}
	head, err := git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return "", "", false
	}
	commit = strings.TrimSpace(head)
	tree, err := git("ls-tree", "-z", "HEAD", "./")
	if err != nil {
		return commit, "", true
	}
	if asCommitted(tree, dir, vars) {
		return commit, plan.FilesCommitted, true
	}
	return commit, plan.FilesOtherwise, true
}

// asCommitted reports whether the files that a configuration is read from are those of a tree, as git ls-tree -z writes
// it, none more and none less.
func asCommitted(tree, dir string, vars []string) bool {
	stored := map[string]string{} // name -> id
	for line := range strings.SplitSeq(strings.TrimSuffix(tree, "\x00"), "\x00") {
		head, name, _ := strings.Cut(line, "\t")
		if fields := strings.Fields(head); len(fields) == 3 {
			stored[name] = fields[2]
		}
	}
	read := map[string]bool{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if config.IsFile(e.Name()) {
			read[e.Name()] = true
		}
	}
	for name := range stored {
		if config.IsFile(name) && !read[name] {
			return false
		}
	}
	for _, name := range vars {
		if filepath.Base(name) != name {
			return false // it lies elsewhere: not looked for
		}
		read[name] = true
	}
	for name := range read {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !isBlob(stored[name], text) {
			return false
		}
	}
	return true
}

// isBlob reports whether git names a text so.
func isBlob(id string, text []byte) bool {
	whole := append(fmt.Appendf(nil, "blob %d\x00", len(text)), text...)
	want, err := hex.DecodeString(id)
	if err != nil {
		return false
	}
	if len(want) == sha256.Size {
		sum := sha256.Sum256(whole)
		return bytes.Equal(sum[:], want)
	}
	sum := sha1.Sum(whole) //nolint:gosec // as above
	return bytes.Equal(sum[:], want)
}
