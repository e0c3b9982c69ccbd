package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

const (
	pullExample   = "../../examples/pull-request"
	configuration = "production/main.anthill.hcl"
)

// reviewed is a repository with examples/pull-request in it, on a forge, and the two servers that its jobs work on.
type reviewed struct {
	*world
	forge  *forge
	gitlab bool
	origin string            // the repository on the forge
	clone  string            // of somebody who works on it
	home   string            // git's settings
	reader map[string]string // what jobs of requests have: a role and a token that only read
	told   string            // what the last job told the next one
}

// TestPullRequest takes pull requests through the scripts of examples/pull-request, with git, on GitHub's API and GitLab's:
// plan, comment, rebase, diff, approval, merge, plan again, apply by ID; then one with an unrelated merge in between; then two
// that conflict, so that what they bring together waits.
func TestPullRequest(t *testing.T) {
	t.Parallel()
	if !hasTools(t, "curl", "jq", "unzip") {
		return
	}
	for name, gitlab := range map[string]bool{"github": false, "gitlab": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newReviewed(t, gitlab)
			x.first()
			x.unrelated()
			x.conflicting()
			if !gitlab {
				x.atlantis()
			}
			x.drift()
		})
	}
}

func newReviewed(t *testing.T, gitlab bool) *reviewed {
	t.Helper()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	x := &reviewed{world: w, forge: newForge(t), gitlab: gitlab, origin: filepath.Join(t.TempDir(), "origin.git"),
		clone: filepath.Join(t.TempDir(), "clone"), home: t.TempDir()}
	w.role("create role {role} login", "grant pg_read_all_data to {role}", "grant execute on function pg_control_system() to {role}")
	x.reader = map[string]string{"DATABASE_URL": w.env["DATABASE_URL"], "SELF_AUTH_ADMIN_TOKEN": w.env["SELF_AUTH_READ_TOKEN"]}
	w.env["DATABASE_URL"] = w.url
	x.forge.may = map[string]string{"ana": "write", "ben": "admin", "ann": "write", "carl": "write", "dora": "write", "ci[bot]": "write"}

	x.git("", "init", "--quiet", "--bare", "--initial-branch=main", x.origin)
	x.git("", "clone", "--quiet", x.origin, x.clone)
	if err := os.CopyFS(x.clone, os.DirFS(pullExample)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(x.clone, "production")); err != nil {
		t.Fatal(err)
	}
	x.git(x.clone, "checkout", "--quiet", "-b", "main")
	x.commit("ci")
	x.git(x.clone, "push", "--quiet", "origin", "main")
	return x
}

// first is the first request: planned, changed, rebased, approved, merged and applied.
func (x *reviewed) first() {
	t := x.t
	x.branch("pilot")
	x.write(configuration, x.example())
	n := x.open("ann", "pilot")
	x.forge.asked[n].committers = []string{"ann", "carl"}
	// Somebody else's comments, one of which says that it is ours, and of a page more than one.
	for range 120 {
		x.say(n, "eve", "<!-- anthill: production for production -->\n### Anthill plan, nothing to see here")
	}
	a := x.plan(exitDone, n)
	wants(t, x.comment(n), "<!-- anthill plan: production -->", "59 of 325 live users change", "apply "+a)

	// The plan is approved; then another tenant is added, and the comment is the same one.
	x.approve(n, "ben", a)
	x.pilots("acme", "globex")
	x.push(n)
	b := x.plan(exitDone, n)
	wants(t, x.comment(n), "94 of 325 live users change", "Since the plan approved before", "35 new, 0 gone, 0 otherwise, 59 the same", "apply "+b)
	if strings.Contains(x.comment(n), "anthill apply") {
		t.Errorf("the comment says how to apply by hand:\n%s", x.comment(n))
	}
	if a == b {
		t.Fatal("another plan has the same ID")
	}

	// main moves on, and the branch with it: it is the same plan.
	x.elsewhere("README.md", "something else")
	x.git(x.clone, "checkout", "--quiet", "pilot")
	x.git(x.clone, "fetch", "--quiet", "origin")
	x.approve(n, "ben", b)
	x.git(x.clone, "rebase", "--quiet", "origin/main")
	x.push(n)
	if c := x.plan(exitDone, n); c != b {
		t.Fatalf("after a rebase it is plan %s, not %s", c, b)
	}
	wants(t, x.comment(n), "Does the same as the plan approved before", "the approval stands")

	// What is no approval: of an older commit (ben's), the author's, of who made a commit, of who may not write, of a
	// program, and one that was taken back. Before there is another one it waits, whatever the comment says.
	x.approve(n, "ann", b)
	x.approve(n, "eve", a)
	x.noApprovals(n, b)
	before := x.merge(n)
	x.job(exitDone, nil, "ci/merge.sh", "production", "production", before)
	wants(t, x.comment(n), "**Waits: this plan is not one that was approved.**", "Plan ID `"+b+"`")
	if x.told != b {
		t.Fatalf("the job tells of a plan that waits: %q, not %q", x.told, b)
	}
	x.untouched()

	// Approved, it is applied, and the comment has outcome, run and digest.
	x.approve(n, "ana", b)
	x.job(exitDone, nil, "ci/merge.sh", "production", "production", before)
	x.applied(n, b, ": done", "94 users done", "ana")
	if got := x.number("select count(*) from users where {idp}_user_id is not null and {idp}_synced_at > now() - interval '1 hour'"); got != 94 {
		t.Errorf("%d rows are linked", got)
	}

	// Run again, there is nothing to do.
	x.job(exitDone, nil, "ci/merge.sh", "production", "production", before)
	wants(t, x.comment(n), "Nothing to do")
}

// unrelated is a request with another merge between review and merge: the same plan. Its run is stopped, and finished by
// the same job; one user is left behind.
func (x *reviewed) unrelated() {
	x.branch("stark")
	x.pilots("acme", "globex", "stark")
	n := x.open("ben", "stark")
	id := x.plan(exitDone, n)
	x.approve(n, "ana", id)
	x.elsewhere("README.md", "something else again")

	x.exec("create function no_waves() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '57P01'; end $$")
	x.exec("create trigger no_waves before insert or update on anthill_state.waves for each row execute function no_waves()")
	x.exec("create function no_user() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$")
	x.exec("do $$ begin execute format('create trigger no_user before update on users for each row when (new.user_id = %L) execute function no_user()', " +
		"(select user_id from users join tenants t using (tenant_id) where t.slug = 'stark' and users.status = 'active' and password_hash is not null limit 1)); end $$")
	before := x.merge(n)
	x.job(exitStopped, nil, "ci/merge.sh", "production", "production", before)
	wants(x.t, x.comment(n), "**Stopped in the middle**: run this job again", "| Plan ID | <code>"+id+"</code> |")
	x.exec("drop trigger no_waves on anthill_state.waves")
	x.job(exitDone, nil, "ci/merge.sh", "production", "production", before)
	x.applied(n, id, "Done with a remainder", "1 failed", "ana")
	x.exec("drop trigger no_user on users")
	x.run(exitDone, "-chdir", filepath.Join(x.clone, "production"), "apply", "-auto-approve")
}

// conflicting are two requests, each approved, that are merged before either is applied: what they do together nobody has
// approved, so it waits for somebody who may let it go on.
func (x *reviewed) conflicting() {
	t := x.t
	x.branch("wayne")
	x.pilots("acme", "globex", "stark", "wayne")
	one := x.open("ann", "wayne")
	x.approve(one, "ana", x.plan(exitDone, one))
	x.branch("name")
	x.replace(`role     = "member"`, "role     = \"member\"\n  description = \"Everybody at ${each.key}\"")
	two := x.open("ben", "name")
	x.approve(two, "ana", x.plan(exitDone, two))

	if !x.gitlab {
		// Whoever can push keeps another file under the name of the plan: only that with an ID that was approved is compared.
		x.forge.asked[one].kept = append(x.forge.asked[one].kept, []byte("a plan of mine"))
	}

	first := x.merge(two)
	commit := strings.TrimSpace(x.git(x.clone, "rev-parse", "origin/main"))
	second := x.merge(one)
	// The job of the first merge comes late: it leaves it to the second one, whose commit has both.
	out := x.jobAt(exitDone, commit, nil, "ci/merge.sh", "production", "production", first)
	wants(t, out, "the job of the newer commit plans")
	persons := len(x.directory().persons)
	// A merge queue may push both at once.
	x.job(exitDone, nil, "ci/merge.sh", "production", "production", first)
	waits := x.told
	text := x.comment(one)
	if text != x.comment(two) {
		t.Error("the requests do not say the same")
	}
	wants(t, text, "**Waits: this plan is not one that was approved.**", waits, "Since the plan approved before", "<code>group&#46;users")
	if len(x.directory().persons) != persons {
		t.Error("a plan that waits has made persons")
	}

	// Not by its author, and no other plan than that.
	gate := []string{"ci/waiting.sh", "production", "production", second, waits, "production-waiting"}
	x.letGo("ann")
	wants(t, x.job(exitBlocked, nil, gate...), "ann made request")
	x.letGo("dora")
	other := slices.Clone(gate)
	other[4] = strings.Repeat("0", 64)
	wants(t, x.job(exitStale, nil, other...), "nothing is changed")
	if len(x.directory().persons) != persons {
		t.Error("a plan that waits has made persons")
	}
	x.job(exitDone, nil, gate...)
	x.applied(one, waits, ": done", "users done", "dora")
	other[4] = ""
	wants(t, x.job(exitDone, nil, other...), "No plan waits")
}

// atlantis is a request that Atlantis plans, and applies before the merge.
func (x *reviewed) atlantis() {
	t := x.t
	x.branch("solo")
	x.pilots("acme", "globex", "stark", "wayne", "solo")
	n := x.open("ann", "solo")
	dir, settings := x.checkout("origin/solo"), t.TempDir()
	env := map[string]string{"BASE_REPO_OWNER": "example", "BASE_REPO_NAME": "infrastructure", "DIR": dir + "/production", "REPO_REL_DIR": "production",
		"WORKSPACE": "production", "PLANFILE": dir + "/production/production.tfplan", "PULL_NUM": fmt.Sprint(n), "HEAD_COMMIT": x.forge.asked[n].head,
		"ANTHILL_SCRIPTS": dir + "/ci", "ANTHILL_PLAN_ENV": settings + "/plan.env", "ANTHILL_APPLY_ENV": settings + "/apply.env"}
	for name, of := range map[string]map[string]string{"plan.env": x.reader, "apply.env": {"DATABASE_URL": x.env["DATABASE_URL"],
		"SELF_AUTH_ADMIN_TOKEN": x.env["SELF_AUTH_ADMIN_TOKEN"]}} {
		var text strings.Builder
		for k, v := range of {
			fmt.Fprintf(&text, "export %s='%s'\n", k, v)
		}
		if err := os.WriteFile(filepath.Join(settings, name), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := x.script(exitDone, dir, env, "atlantis/plan.sh")
	id := x.idOf(env["PLANFILE"])
	wants(t, out, "1 of 325 live users changes", "apply "+id)
	wants(t, x.script(exitBlocked, dir, env, "atlantis/apply.sh"), "plan "+id+" is not one that was approved")
	x.approve(n, "ana", id)
	stale := maps.Clone(env)
	stale["HEAD_COMMIT"] = strings.Repeat("0", 40)
	wants(t, x.script(exitStale, dir, stale, "atlantis/apply.sh"), "plan again")
	wants(t, x.script(exitDone, dir, env, "atlantis/apply.sh"), ": done", "1 user done", "| Approved by | <code>ana</code> |")
	if got := x.number("select count(*) from users join tenants t using (tenant_id) where t.slug = 'solo' and {idp}_user_id is not null"); got != 1 {
		t.Errorf("%d rows are linked", got)
	}
	x.merge(n)
}

// drift is the nightly job, and a plan that is blocked.
func (x *reviewed) drift() {
	x.job(exitDone, x.reader, "ci/drift.sh", "production", "production")
	x.exec("update users set role = 'viewer' where user_id = (select user_id from users join tenants t using (tenant_id) " +
		"where t.slug = 'acme' and users.role = 'admin' and {idp}_user_id is not null limit 1)")
	wants(x.t, x.job(exitChanges, x.reader, "ci/drift.sh", "production", "production"), "ceases to be admin")
	x.job(exitDone, map[string]string{"DATABASE_URL": "", "SELF_AUTH_ADMIN_TOKEN": ""}, "ci/validate.sh", "production", "production")

	x.branch("brake")
	x.write(configuration, x.read(configuration)+"\nguard {\n  max_removed_percent = 0\n  min_population = 0\n}\n")
	n := x.open("ann", "brake")
	x.plan(exitBlocked, n)
	wants(x.t, x.comment(n), "BLOCKED")
	before := x.merge(n)
	x.job(exitBlocked, nil, "ci/merge.sh", "production", "production", before)
	wants(x.t, x.comment(n), "**Not applied: this plan is blocked.**")

	x.branch("typo")
	x.replace(`method = "dual"`, `method = "duel"`)
	n = x.open("ann", "typo")
	if id := x.plan(exitError, n); id != "" {
		x.t.Errorf("a wrong configuration has plan %s", id)
	}
	wants(x.t, x.comment(n), "not planned, exit status 1")
}

// noApprovals are said to be approvals of a plan, and are none.
func (x *reviewed) noApprovals(n int, id string) {
	p := x.forge.asked[n]
	if x.gitlab {
		x.say(n, "dora", "apply "+id) // named, and not approved
		x.approve(n, "project_5_bot_3f", id)
		x.say(n, "ben", "I would not apply "+id)
		return
	}
	x.approve(n, "eve", id)
	x.approve(n, "carl", id)
	x.approve(n, "ci[bot]", id)
	x.approve(n, "dora", id)
	p.reviews = append(p.reviews, remark{author: "dora", state: "CHANGES_REQUESTED", commit: p.head, at: x.forge.tick()})
	x.approve(n, "ben", strings.Repeat("0", 64))
	p.reviews[len(p.reviews)-1].body = "I would not apply " + id
}

func (x *reviewed) git(dir string, args ...string) string {
	x.t.Helper()
	if dir == "" {
		dir = x.home
	}
	out, errs, err := x.command(dir, nil, append([]string{"git"}, args...))
	if err != nil {
		x.t.Fatalf("git %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

// command runs a command in a folder with an environment of its own.
func (x *reviewed) command(dir string, env map[string]string, args []string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(x.t.Context(), args[0], args[1:]...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + x.home, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=ann", "GIT_AUTHOR_EMAIL=ann@example.com",
		"GIT_COMMITTER_NAME=ann", "GIT_COMMITTER_EMAIL=ann@example.com", "LANG=C.UTF-8", "TMPDIR=" + x.t.TempDir()}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (x *reviewed) read(name string) string {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(x.clone, name))
	if err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

// write writes a file of the working tree and commits it.
func (x *reviewed) write(name, text string) {
	x.t.Helper()
	path := filepath.Join(x.clone, name)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o600)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.commit(name)
}

func (x *reviewed) commit(why string) {
	x.t.Helper()
	x.git(x.clone, "add", "--all")
	x.git(x.clone, "commit", "--quiet", "-m", why)
}

// example is the configuration of the example.
func (x *reviewed) example() string {
	x.t.Helper()
	text, err := os.ReadFile(filepath.Join(pullExample, configuration))
	if err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

func (x *reviewed) replace(old, new string) {
	x.t.Helper()
	text := x.read(configuration)
	if !strings.Contains(text, old) {
		x.t.Fatalf("no %s in\n%s", old, text)
	}
	x.write(configuration, strings.Replace(text, old, new, 1))
}

// pilots changes the tenants of the pilot.
func (x *reviewed) pilots(slugs ...string) {
	x.t.Helper()
	old := regexp.MustCompile(`default = \[.*\]`).FindString(x.read(configuration))
	x.replace(old, `default = ["`+strings.Join(slugs, `", "`)+`"]`)
}

// branch begins a branch of main.
func (x *reviewed) branch(name string) {
	x.t.Helper()
	x.git(x.clone, "fetch", "--quiet", "origin")
	x.git(x.clone, "checkout", "--quiet", "-b", name, "origin/main")
}

// open asks to merge a branch.
func (x *reviewed) open(author, branch string) int {
	x.t.Helper()
	n := x.forge.number()
	x.forge.asked[n] = &pullRequest{author: author, branch: branch, committers: []string{author}}
	x.push(n)
	return n
}

// push pushes the branch of a request.
func (x *reviewed) push(n int) {
	x.t.Helper()
	p := x.forge.asked[n]
	x.git(x.clone, "push", "--quiet", "--force", "origin", p.branch)
	p.head, p.pushed = strings.TrimSpace(x.git(x.clone, "rev-parse", p.branch)), x.forge.tick()
}

func (x *reviewed) say(n int, who, body string) {
	p := x.forge.asked[n]
	p.comments = append(p.comments, &remark{id: x.forge.number(), author: who, body: body, at: x.forge.tick()})
}

// approve is an approval of the plan and of the commit that the request ends in.
func (x *reviewed) approve(n int, who, id string) {
	p := x.forge.asked[n]
	body := "Read it.\r\n\r\napply " + id + "\r\n"
	if x.gitlab {
		x.say(n, who, body)
		p.approvers = append(p.approvers, who)
		return
	}
	p.reviews = append(p.reviews, remark{author: who, body: body, state: "APPROVED", commit: p.head, at: x.forge.tick()})
}

// merge merges a request, and returns the commit that main had before.
func (x *reviewed) merge(n int) (before string) {
	x.t.Helper()
	p := x.forge.asked[n]
	before = x.onMain(func() { x.git(x.clone, "merge", "--quiet", "--no-ff", "-m", "merge", p.branch) })
	p.merged = []string{strings.TrimSpace(x.git(x.clone, "rev-parse", "origin/main"))}
	return before
}

// elsewhere is a merge of somebody else, of another file.
func (x *reviewed) elsewhere(name, text string) {
	x.t.Helper()
	x.onMain(func() { x.write(name, text) })
}

func (x *reviewed) onMain(change func()) (before string) {
	x.t.Helper()
	x.git(x.clone, "fetch", "--quiet", "origin")
	x.git(x.clone, "checkout", "--quiet", "-B", "main", "origin/main")
	before = strings.TrimSpace(x.git(x.clone, "rev-parse", "HEAD"))
	change()
	x.git(x.clone, "push", "--quiet", "origin", "main")
	return before
}

// letGo is somebody who lets the job behind the protected environment begin.
func (x *reviewed) letGo(who string) { x.forge.gate = who }

// plan is the job of a request: what main would be is planned with the right to read, the comment is brought up to date, and
// the plan is kept. It returns the plan's ID; "" where there is none.
func (x *reviewed) plan(want, n int) string {
	x.t.Helper()
	p := x.forge.asked[n]
	dir := x.checkout("origin/main")
	x.git(dir, "merge", "--quiet", "--no-ff", "-m", "merge", "origin/"+p.branch)
	request := fmt.Sprint(n)
	x.script(want, dir, x.reader, "ci/plan.sh", "production", "production", request)
	x.script(exitDone, dir, map[string]string{"DATABASE_URL": "", "SELF_AUTH_ADMIN_TOKEN": ""}, "ci/comment.sh", "production", "production", request)
	plan := filepath.Join(dir, "anthill-out/production/production/anthill.plan")
	text, err := os.ReadFile(plan)
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		x.t.Fatal(err)
	}
	p.kept = append(p.kept, text)
	return x.idOf(plan)
}

func (x *reviewed) idOf(plan string) string {
	x.t.Helper()
	out, _ := x.run(exitDone, "show", "-json", plan)
	return regexp.MustCompile(`"plan_id": "([0-9a-f]{64})"`).FindStringSubmatch(out)[1]
}

// job is a job on main, in a clone of its own.
func (x *reviewed) job(want int, env map[string]string, args ...string) string {
	x.t.Helper()
	return x.jobAt(want, "origin/main", env, args...)
}

func (x *reviewed) jobAt(want int, commit string, env map[string]string, args ...string) string {
	x.t.Helper()
	return x.script(want, x.checkout(commit), env, args...)
}

func (x *reviewed) checkout(commit string) string {
	x.t.Helper()
	dir := filepath.Join(x.t.TempDir(), "checkout")
	x.git("", "clone", "--quiet", x.origin, dir)
	x.git(dir, "checkout", "--quiet", "--detach", commit)
	return dir
}

// script runs a script of the example as a job's step, and demands its exit status.
func (x *reviewed) script(want int, dir string, env map[string]string, args ...string) string {
	x.t.Helper()
	told := filepath.Join(x.t.TempDir(), "told")
	job := map[string]string{"ANTHILL_BRANCH": "main", "GITHUB_ACTIONS": "true", "GITHUB_API_URL": x.forge.url, "GITHUB_REPOSITORY": "example/infrastructure",
		"GITHUB_TOKEN": forgeToken, "GITHUB_RUN_ID": "77", "GITHUB_OUTPUT": told}
	if x.gitlab {
		told = filepath.Join(dir, "anthill-out/production/production/told.env")
		job = map[string]string{"ANTHILL_BRANCH": "main", "GITLAB_CI": "true", "CI_API_V4_URL": x.forge.url + "/api/v4", "CI_PROJECT_ID": "5",
			"ANTHILL_GITLAB_TOKEN": forgeToken, "GITLAB_USER_LOGIN": x.forge.gate}
	}
	for _, more := range []map[string]string{x.env, env} {
		for k, v := range more {
			job[k] = v
		}
	}
	out, errs, err := x.command(dir, job, args)
	status := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		x.t.Fatal(err)
	}
	if status != want {
		x.t.Fatalf("%s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, out, errs)
	}
	for _, secret := range []string{forgeToken, x.env["SELF_AUTH_ADMIN_TOKEN"], x.reader["SELF_AUTH_ADMIN_TOKEN"]} {
		if strings.Contains(out+errs, secret) {
			x.t.Errorf("%s prints a token", args[0])
		}
	}
	x.told = ""
	if text, err := os.ReadFile(told); err == nil {
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		x.told = strings.TrimPrefix(lines[len(lines)-1], "waits=")
	}
	return out + errs
}

// comment is the one comment of the jobs on a request.
func (x *reviewed) comment(n int) string {
	x.t.Helper()
	var ours []string
	for _, c := range x.forge.asked[n].comments {
		if c.author == forgeBot {
			ours = append(ours, c.body)
		}
	}
	if len(ours) != 1 {
		x.t.Fatalf("%d comments of the jobs, want one", len(ours))
	}
	return ours[0]
}

// untouched demands that no state was made.
func (x *reviewed) untouched() {
	x.t.Helper()
	if n := x.number("select count(*) from pg_namespace where nspname = 'anthill_state'"); n != 0 {
		x.t.Error("a state was made")
	}
}

// applied demands that the last run is that of a plan, approved by these, and that the comment tells it with its digest.
func (x *reviewed) applied(n int, id string, says, counts, by string) {
	x.t.Helper()
	c := x.connect()
	var run, digest, plan, approved string
	if err := c.QueryRow(x.t.Context(), "select id, encode(digest, 'hex'), encode(plan, 'hex'), approved_by from anthill_state.runs order by n desc limit 1").
		Scan(&run, &digest, &plan, &approved); err != nil {
		x.t.Fatal(err)
	}
	if plan != id || approved != by {
		x.t.Errorf("run %s is of plan %s, approved by %q; want %s, %q", run, plan, approved, id, by)
	}
	wants(x.t, x.comment(n), says, counts, "### Anthill run <code>"+strings.ReplaceAll(run, "-", "&#45;")+"</code>", "| Digest of the run | <code>"+digest+"</code> |",
		"| Plan ID | <code>"+id+"</code> |", "| Approved by | <code>"+by+"</code> |")
}

// TestInstall: a job runs the program that the repository names by its digest, and no other.
func TestInstall(t *testing.T) {
	t.Parallel()
	if !hasTools(t, "curl") {
		return
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(pullExample)); err != nil {
		t.Fatal(err)
	}
	const program = "#!/bin/sh\necho it runs\n"
	install := func(sum string) (string, error) {
		for name, text := range map[string]string{"program": program, "ci/anthill.pin": "file://" + dir + "/program " + sum + "\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), "ci/install.sh")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := install(strings.Repeat("0", 64)); err == nil {
		t.Errorf("another program is installed:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, ".anthill/bin/anthill")); err == nil {
		t.Error("another program can be run")
	}
	if out, err := install(fmt.Sprintf("%x", sha256.Sum256([]byte(program)))); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, ".anthill/bin/anthill")).Output()
	if err != nil || string(out) != "it runs\n" {
		t.Errorf("%q, %v", out, err)
	}
}
