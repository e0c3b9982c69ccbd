package main

import (
	"context"
	"os/exec"
	"strings"
	"time"

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

// origin is where plans are made now: the commit that git says is checked out in the configuration's directory, or else
// the one that the CI system names, and whose job it is.
func (p *program) origin(ctx context.Context) (o plan.Origin) {
	for _, j := range jobs() {
		if p.env(j.marker) == "" {
			continue
		}
		o.Commit, o.Author, o.Job = p.env(j.commit), p.env(j.author), p.env(j.url)
		if len(j.more) > 0 && o.Job != "" {
			o.Job += "/" + p.env(j.more[0]) + "/actions/runs/" + p.env(j.more[1])
		}
		break
	}
	if commit, modified, known := checkedOut(ctx, p.dir()); known {
		o.Commit, o.Modified = commit, modified
	}
	return o
}

const gitPatience = 5 * time.Second

// checkedOut asks git for the commit of a directory, and whether files that it knows differ from that, or files of a
// configuration are new. known is false where there is no git, no repository or no commit.
func checkedOut(ctx context.Context, dir string) (commit string, modified, known bool) {
	ctx, cancel := context.WithTimeout(ctx, gitPatience)
	defer cancel()
	git := func(args ...string) (string, error) {
		// The repository's own settings must not make git run anything.
		own := []string{"--no-optional-locks", "-c", "core.fsmonitor=false", "-C", dir}
		out, err := exec.CommandContext(ctx, "git", append(own, args...)...).Output()
		return strings.TrimRight(string(out), "\x00\n"), err
	}
	commit, err := git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
	if err != nil {
		return "", false, false
	}
	changed, err := git("status", "--porcelain", "-z", "--untracked-files=no")
	fresh, freshErr := git("ls-files", "-z", "--others", "--exclude-standard", "--", ".")
	if err != nil || freshErr != nil {
		return "", false, false
	}
	modified = changed != ""
	for name := range strings.SplitSeq(fresh, "\x00") {
		modified = modified || isConfiguration(name)
	}
	return commit, modified, true
}

// isConfiguration reports whether a file of the directory itself is read with its configuration.
func isConfiguration(name string) bool {
	for _, end := range []string{".anthill.hcl", ".anthillvars", ".anthillvars.json"} {
		if !strings.Contains(name, "/") && strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
