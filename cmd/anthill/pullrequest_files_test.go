package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// hasTools says whether a machine has the programs that scripts of an example need. Where one is missing the test is left
// out; .ci/run installs them, and sees that the test was run.
func hasTools(t *testing.T, names ...string) bool {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("left out: there is no %s", name)
			return false
		}
	}
	return true
}

// ciFiles are the files of examples/pull-request for GitHub, GitLab and Atlantis, parsed.
func ciFiles(t *testing.T) map[string]map[string]any {
	t.Helper()
	files := map[string]map[string]any{}
	for _, pattern := range []string{".github/workflows/*", ".gitlab-ci.yml", "atlantis.yaml", "atlantis/*.yaml"} {
		names, err := filepath.Glob(filepath.Join(pullExample, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var file map[string]any
			if err := yaml.Unmarshal(text, &file); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			files[strings.TrimPrefix(name, pullExample+"/")] = file
		}
	}
	return files
}

// TestPullRequestFiles reads the files of examples/pull-request as a reviewer would who looks for what gives too much away.
func TestPullRequestFiles(t *testing.T) {
	t.Parallel()
	files := ciFiles(t)
	for _, p := range ciProblems(files) {
		t.Error(p)
	}
	// What must be there, one by one taken away or put in, is missed.
	for name, spoil := range map[string]func(files map[string]map[string]any){
		"pull_request_target": func(f map[string]map[string]any) {
			f[planFlow]["on"].(object)["pull_request_target"] = nil
		},
		"permissions":     func(f map[string]map[string]any) { delete(f[applyFlow], "permissions") },
		"job permissions": func(f map[string]map[string]any) { delete(jobOf(f, applyFlow, "apply"), "permissions") },
		"contents": func(f map[string]map[string]any) {
			jobOf(f, planFlow, "plan")["permissions"].(object)["contents"] = "write"
		},
		"fork": func(f map[string]map[string]any) {
			jobOf(f, planFlow, "plan")["if"] = "github.event_name == 'pull_request'"
		},
		"branch":      func(f map[string]map[string]any) { delete(jobOf(f, applyFlow, "apply"), "if") },
		"environment": func(f map[string]map[string]any) { delete(jobOf(f, applyFlow, "waiting"), "environment") },
		"concurrency": func(f map[string]map[string]any) { delete(jobOf(f, applyFlow, "waiting"), "concurrency") },
		"cancelled": func(f map[string]map[string]any) {
			jobOf(f, applyFlow, "apply")["concurrency"].(object)["cancel-in-progress"] = true
		},
		"queue":  func(f map[string]map[string]any) { delete(f[planFlow]["on"].(object), "merge_group") },
		"nights": func(f map[string]map[string]any) { delete(f[driftFlow]["on"].(object), "schedule") },
		"tag":    func(f map[string]map[string]any) { stepOf(f, planFlow, "plan", 0)["uses"] = "actions/checkout@v4" },
		"third party": func(f map[string]map[string]any) {
			stepOf(f, planFlow, "plan", 0)["uses"] = "someone/checkout@11bd71901bbe5b1630ceea73d27597364c9af683"
		},
		"script": func(f map[string]map[string]any) { stepOf(f, planFlow, "plan", 1)["run"] = "ci/instal.sh" },
		"other words": func(f map[string]map[string]any) {
			stepOf(f, planFlow, "plan", 1)["run"] = "ci/install.sh && curl x | sh"
		},
		"expression": func(f map[string]map[string]any) {
			stepOf(f, planFlow, "plan", 1)["run"] = "ci/plan.sh ${{ github.head_ref }}"
		},
		"secrets for all steps": func(f map[string]map[string]any) {
			jobOf(f, planFlow, "plan")["env"] = object{"DATABASE_URL": "${{ secrets.DATABASE_URL }}"}
		},
		"kept": func(f map[string]map[string]any) {
			stepOf(f, planFlow, "plan", 4)["with"].(object)["retention-days"] = 90
		},
		"gitlab fork": func(f map[string]map[string]any) {
			f[gitlabFile]["plan"].(object)["rules"] = []any{object{"if": `$CI_PIPELINE_SOURCE == "merge_request_event"`}}
		},
		"gitlab one at a time": func(f map[string]map[string]any) { delete(f[gitlabFile]["waiting"].(object), "resource_group") },
		"gitlab kept": func(f map[string]map[string]any) {
			f[gitlabFile]["apply"].(object)["artifacts"].(object)["expire_in"] = "never"
		},
		"gitlab script": func(f map[string]map[string]any) { f[gitlabFile]["drift"].(object)["script"] = []any{"anthill apply"} },
		"atlantis": func(f map[string]map[string]any) {
			f[atlantisFile]["repos"].([]any)[0].(object)["allow_custom_workflows"] = true
		},
		"atlantis script": func(f map[string]map[string]any) {
			f[atlantisFile]["workflows"].(object)["anthill"].(object)["apply"].(object)["steps"].([]any)[1].(object)["run"] = "ci/merge.sh"
		},
	} {
		files := ciFiles(t)
		spoil(files)
		if len(ciProblems(files)) == 0 {
			t.Errorf("%s: nobody sees it", name)
		}
	}
}

const (
	planFlow     = ".github/workflows/anthill-plan.yml"
	applyFlow    = ".github/workflows/anthill-apply.yml"
	driftFlow    = ".github/workflows/anthill-drift.yml"
	gitlabFile   = ".gitlab-ci.yml"
	atlantisFile = "atlantis/repos.yaml"
	notForForks  = "github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository"
)

func jobOf(files map[string]map[string]any, file, name string) object {
	return files[file]["jobs"].(object)[name].(object)
}

func stepOf(files map[string]map[string]any, file, name string, n int) object {
	return jobOf(files, file, name)["steps"].([]any)[n].(object)
}

// ciProblems are what is wrong with the files.
func ciProblems(files map[string]map[string]any) (problems []string) {
	for name, file := range files {
		wrong := func(what string, args ...any) { problems = append(problems, name+": "+fmt.Sprintf(what, args...)) }
		switch {
		case strings.HasPrefix(name, ".github/"):
			githubProblems(name, file, wrong)
		case name == gitlabFile:
			gitlabProblems(file, wrong)
		case name == atlantisFile:
			atlantisProblems(file, wrong)
		}
	}
	return problems
}

var (
	scriptLine = regexp.MustCompile(`^ci/([a-z]+)\.sh( [a-z-]+)*( "\$[A-Za-z_]+")*( [a-z-]+)?$`)
	pinned     = regexp.MustCompile(`^actions/(checkout|upload-artifact)@[0-9a-f]{40}$`)
)

// scriptProblem is what is wrong with a line of a script: it calls a script of ci/, which is there, and nothing else.
func scriptProblem(line string) string {
	if !scriptLine.MatchString(line) {
		return "more than a script of ci/: " + line
	}
	return executableProblem(filepath.Join(pullExample, strings.Fields(line)[0]))
}

func executableProblem(path string) string {
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		return path + " is not there, or cannot be run"
	}
	return ""
}

func githubProblems(name string, file object, wrong func(string, ...any)) {
	on, _ := file["on"].(object)
	for event := range on {
		if !slices.Contains([]string{"pull_request", "merge_group", "push", "schedule", "workflow_dispatch"}, event) {
			wrong("runs on %s", event)
		}
	}
	for event, of := range map[string]string{"merge_group": planFlow, "push": applyFlow, "schedule": driftFlow} {
		if _, ok := on[event]; ok != (of == name) {
			wrong("runs on %s: %v", event, ok)
		}
	}
	if p, ok := file["permissions"].(object); !ok || len(p) > 0 {
		wrong("permissions are %v for all jobs", file["permissions"])
	}
	jobs, _ := file["jobs"].(object)
	for id, j := range jobs {
		j := j.(object)
		wrong := func(what string, args ...any) { wrong(id+": "+what, args...) }
		rights, ok := j["permissions"].(object)
		if !ok {
			wrong("no permissions of its own")
		}
		for what, right := range rights {
			if right != "read" && what != "pull-requests" {
				wrong("may %s %s", fmt.Sprint(right), what)
			}
		}
		githubSteps(j, wrong)
		secret := strings.Contains(fmt.Sprint(j["steps"]), "secrets.")
		if strings.Contains(fmt.Sprint(j["env"]), "secrets.") {
			wrong("all steps have its secrets")
		}
		if secret && j["environment"] == nil {
			wrong("has secrets, and no environment")
		}
		switch {
		case name == planFlow && secret && j["if"] != notForForks:
			wrong("has secrets for %v", j["if"])
		case name != planFlow && j["if"] != "github.ref == 'refs/heads/main'" && j["needs"] != "apply":
			wrong("runs if %v", j["if"])
		}
		if c, _ := j["concurrency"].(object); name == applyFlow && (c["group"] != "anthill-production" || c["cancel-in-progress"] != false) {
			wrong("is not alone: %v", c)
		}
	}
}

func githubSteps(j object, wrong func(string, ...any)) {
	for _, s := range j["steps"].([]any) {
		s := s.(object)
		with, _ := s["with"].(object)
		uses, run := s["uses"], s["run"]
		switch {
		case uses != nil && !pinned.MatchString(uses.(string)):
			wrong("uses %v", uses)
		case uses != nil && strings.Contains(uses.(string), "upload") && with["retention-days"] != 7:
			wrong("keeps a plan %v days", with["retention-days"])
		case run != nil:
			if p := scriptProblem(run.(string)); p != "" {
				wrong("%s", p)
			}
		}
	}
}

func gitlabProblems(file object, wrong func(string, ...any)) {
	stages := file["stages"].([]any)
	for id, j := range file {
		j, ok := j.(object)
		if !ok || j["script"] == nil {
			continue
		}
		wrong := func(what string, args ...any) { wrong(id+": "+what, args...) }
		after, _ := j["after_script"].([]any)
		for _, line := range slices.Concat(j["script"].([]any), after) {
			if p := scriptProblem(line.(string)); p != "" {
				wrong("%s", p)
			}
		}
		if !slices.Contains(stages, j["stage"]) {
			wrong("is of no stage")
		}
		if a, ok := j["artifacts"].(object); ok && a["expire_in"] != "7 days" {
			wrong("keeps a plan %v", a["expire_in"])
		}
		rules := fmt.Sprint(j["rules"])
		for _, part := range []string{"$CI_MERGE_REQUEST_SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID", "$CI_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID", "merge_train"} {
			if id == "plan" && !strings.Contains(rules, part) {
				wrong("runs by %s", rules)
			}
		}
		environment, _ := j["environment"].(object)
		writes := id == "apply" || id == "waiting"
		if writes && (environment["name"] != "production" || j["resource_group"] != "production" || j["interruptible"] != false) {
			wrong("is not alone")
		}
		if writes && !strings.Contains(rules, "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH") {
			wrong("runs by %s", rules)
		}
	}
}

func atlantisProblems(file object, wrong func(string, ...any)) {
	for _, r := range file["repos"].([]any) {
		r := r.(object)
		if over, _ := r["allowed_overrides"].([]any); r["allow_custom_workflows"] != false || over == nil || len(over) > 0 {
			wrong("a request may bring its own workflow")
		}
		if want := []any{"approved", "mergeable", "undiverged"}; !slices.Equal(r["apply_requirements"].([]any), want) {
			wrong("applies what is not %v", want)
		}
	}
	for _, f := range file["workflows"].(object) {
		for _, stage := range f.(object) {
			for _, s := range stage.(object)["steps"].([]any) {
				run, ok := s.(object)["run"].(string)
				path, found := strings.CutPrefix(run, "/opt/anthill/atlantis/")
				if ok && (!found || executableProblem(filepath.Join(pullExample, "atlantis", path)) != "") {
					wrong("runs %s", run)
				}
			}
		}
	}
}
