package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"anthill/internal/sandbox"
)

// alone is a program without any server, in a folder of its own.
func alone(t *testing.T) (p *program, stdout, stderr *bytes.Buffer) {
	t.Helper()
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	return &program{stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, env: func(string) string { return "" },
		environ: os.Environ, now: time.Now, who: "tester@host", folder: t.TempDir()}, stdout, stderr
}

// TestHabits types what people are used to from Terraform and other programs, and has the answer in one message.
func TestHabits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typed  string
		status int
		want   string // on stdout, or with a status on stderr
	}{
		{"-version", 0, "anthill 0.1.0\n"},
		{"--version", 0, "anthill 0.1.0\n"},
		{"-v", 0, "anthill 0.1.0\n"},
		{"plan -version", 0, "anthill 0.1.0\n"},
		{"explain", 0, "LOCKS_OUT_USERS       Users can no longer log in"},
		{"explain over_limit", 0, "OVER_LIMIT\n\n"},
		{"explain LOCK_OUT_USERS", 1, "did you mean LOCKS_OUT_USERS?"},
		{"explain NOTHING", 1, "anthill explain"},
		{"version -json", 0, `"plan_format"`},
		{"-version -json", 0, `"plan_format"`},
		{"help", 0, "COMMANDS:"},
		{"-help", 0, "COMMANDS:"},
		{"--help", 0, "COMMANDS:"},
		{"", 0, "COMMANDS:"},
		{"help plan", 0, "anthill plan -out pilot.plan"},
		{"help wave resume", 0, "anthill wave resume pilot -tenant acme"},
		{"wave resume -h", 0, "anthill wave resume pilot -tenant acme"},
		{"wave resume pilot -help", 0, "anthill wave resume pilot -tenant acme"},
		{"wave", 0, "anthill wave confirm pilot support"},
		{"help completion", 0, "source <(anthill completion bash)"},
		{"help nothing", 1, "Error: there is no command \"nothing\"\nSee:\n\n    anthill -h\n"},
		{"help wave start", 1, "Error: there is no command \"wave start\"\nSee:\n\n    anthill wave -h\n"},
		{"plam", 1, "did you mean \"plan\"?"},
		{"resume pilot", 1, "did you mean \"wave resume\"?"},
		{"wave help resume", 0, "anthill wave resume pilot -tenant acme"},
		{"wave resume help", 0, "anthill wave resume pilot -tenant acme"},
		{"wave resume", 1, "Error: anthill wave resume wants the name of a wave\nSee:"},
		{"wave resume a b", 1, "Error: anthill wave resume wants the name of a wave, got 2\nSee:"},
		{"wave confirm a", 1, "Error: anthill wave confirm wants the names of a wave and a gate, got 1\nSee:"},
		{"show", 1, "Error: anthill show wants the name of a plan file\nSee:"},
		{"apply help", 1, "help: no such file"},
		{"env list", 1, "    anthill -chdir=DIRECTORY plan\n"},
		{"push", 1, "    anthill plan -out FILE\n"},
		{"metadata functions -json", 1, "    anthill version -json\n"},
		{"modules -json", 1, "    anthill validate\n"},
		{"stacks", 1, "    anthill -chdir=DIRECTORY plan\n"},
		{"plan -generate-config-out=x", 1, "taken over where its block says adopt"},
		{"-json plan", 1, "Error: -json stands behind the command:\n\n    anthill plan -json\n"},
		{"-out p plan", 1, "    anthill plan -out\n"},
		{"plan -replace=group.x", 1, "Error: there is no -replace. Objects are changed in place, and where that cannot be " +
			"done the plan says so: another type deletes an OAuth2 client that Anthill made, and makes it again."},
		{"wave show", 1, "    anthill wave list\n"},
		{"wave pause pilot", 1, "Error: anthill wave pause wants -reason TEXT: whoever looks at the wave should learn why\nSee:"},
		{"init", 1, "    anthill plan\n"},
		{"init -upgrade", 1, "not in this version"},
		{"fmt", 1, "    anthill validate\n"},
		{"destroy -auto-approve", 1, "    anthill rollback\n"},
		{"output -json", 1, "    anthill show -json PLANFILE\n"},
		{"import group.x id", 1, "not in this version"},
		{"console", 1, "    anthill validate\n"},
		{"state list", 1, "    anthill status\n"},
		{"state rm group.x", 1, "of state there is only forget in this version"},
		{"state", 0, "anthill state forget"},
		{"state forget", 1, "Error: anthill state forget wants the id of a user\nSee:"},
		{"import", 0, "anthill import links links.csv"},
		{"import links", 1, "Error: anthill import links wants the name of a file of links (- is stdin)\nSee:"},
		{"import links no.csv", 1, "no such file"},
		{"plan -runbook x -out y", 1, "-out does not go with it"},
		{"workspace select staging", 1, "    anthill -chdir=DIRECTORY plan\n"},
		{"taint group.x", 1, "    anthill rollback -wave WAVE -tenant SLUG\n"},
		{"untaint group.x", 1, "    anthill plan\n"},
		{"refresh", 1, "    anthill plan\n"},
		{"graph", 1, "    anthill plan\n"},
		{"login", 1, "SELF_AUTH_ADMIN_TOKEN"},
		{"get", 1, "nothing to get"},
		{"providers", 1, "    anthill version\n"},
		{"test", 1, "    anthill dev -- anthill plan\n"},
		{"force-unlock 1", 1, "    anthill apply -lock-timeout 1m\n"},
		{"plan -input=false", 1, "-var-file"},
		{"apply -parallelism 4", 1, "max_write_time"},
		{"plan -refresh=false", 1, "reads both servers"},
		{"plan -lock=false", 1, "-lock-timeout"},
		{"plan -compact-warnings", 1, "in full"},
		{"plan -backend-config=x", 1, "no backend to configure"},
		{"plan -reconfigure", 1, "no backend to configure"},
		{"plan -upgrade", 1, "part of the program"},
		{"plan -destroy", 1, "    anthill rollback -out FILE\n"},
		{"apply p -yes", 1, "-auto-approve"},
		{"-chdir=a\tb destroy", 1, "    anthill -chdir \"$(printf 'a\\011b')\" rollback\n"},
		{"-chdir conf destroy", 1, "    anthill -chdir conf rollback\n"},
		{"destroy -chdir conf", 1, "    anthill rollback\n"}, // it is not read any more
		{"plan -auto-aprove", 1, "Error: anthill plan has no flag -auto-aprove\nSee:\n\n    anthill plan -h\n"},
		{"apply -auto-aprove", 1, "did you mean -auto-approve?"},
		{"apply p -lock-timeout 5", 1, "Error: -lock-timeout 5 has no unit: do you mean 5s? Times are written 500ms, 5s, 2m or 1h\n"},
		{"apply -lock-timeout=0.5", 1, "do you mean 0.5s?"},
		{"apply -lock-timeout=1x", 1, "Error: -lock-timeout 1x is no duration: they are written 500ms, 5s, 2m, 1h or 7d\n"},
		{"apply -lock-timeout=5min", 1, "Error: -lock-timeout 5min is no duration: write 5m\n"},
		{"apply -lock-timeout 2Days", 1, "Error: -lock-timeout 2Days is no duration: write 2d\n"},
		{"apply -lock-timeout=1.5days", 1, "Error: -lock-timeout 1.5days is no duration: write 36h\n"},
		{"apply -lock-timeout=1.5d", 1, "Error: -lock-timeout 1.5d is no duration: write 36h\n"},
		{"apply no.plan -lock-timeout 36h", 1, "no such file"},
		{"-json status", 1, "Error: -json stands behind the command:\n\n    anthill status -json\n"},
		{"-tenant acme wave resume pilot", 1, "Error: -tenant stands behind the command:\n\n    anthill wave resume -tenant\n"},
		{"-json wave resume pilot", 1, "Error: anthill wave resume has no flag -json\n"},
		{"apply -lock-timeout -5", 1, "Error: -lock-timeout -5 is below zero: it is a time to wait, 0s or more\n"},
		{"apply no.plan -lock-timeout 1d", 1, "no such file"},
		{"apply no.plan -lock-timeout 0", 1, "no such file"},
		{"apply -plan-id  no.plan", 1, "Error: -plan-id is empty: is a variable not set?\n"}, // two blanks: an empty word
		{"apply -plan-id \t no.plan", 1, "Error: -plan-id is empty"},
		{"apply -plan-id= no.plan", 1, "Error: -plan-id is empty"},
		{"apply -auto-approve= no.plan", 1, "Error: -auto-approve is empty"},
		{"apply -lock-timeout  no.plan", 1, "Error: -lock-timeout is empty"},
		{"rollback -run ", 1, "Error: -run is empty"},
		{"rollback -wave ", 1, "Error: -wave is empty"},
		{"rollback -tenant a -tenant ", 1, "Error: -tenant is empty"},
		{"wave resume everyone -tenant ", 1, "Error: -tenant is empty"},
		{"-chdir= plan", 1, "Error: -chdir is empty"},
		{"plan -var ", 1, "Error: -var is empty"},
		{"plan -var name=", 1, "No configuration"},
		{"apply ", 1, "Error: an argument of anthill apply is empty: is a variable not set?\n"},
		{"wave resume -- ", 1, "Error: an argument of anthill wave resume is empty"},
		{"dev -- ", 1, "Error: an argument of anthill dev is empty"},
		{"plan -out", 1, "Error: -out wants a value\nSee:\n\n    anthill plan -h\n"},
		{"plan pilot.plan", 1, "the plan file -out"},
		{"apply a b", 1, "at most a plan file"},
		{"apply no.plan -auto-approve", 1, "no such file"},
		{"apply -- -auto-approve", 1, "-auto-approve: no such file"},
		{"show no.plan --json", 1, "no such file"},
		{"plan", 1, "No configuration"},
		{"-chdir . plan", 1, "    anthill -chdir=DIRECTORY plan\n"},
		{"completion", 1, "the name of a shell: bash, zsh or fish"},
		{"rights -for nothing", 1, "Error: -for nothing: there are plan, apply, schema, support or all\nSee:\n\n    anthill rights -h\n"},
		{"rights -role x", 1, "-role is one role: say with -for what it is for"},
		{"rights x", 1, "anthill rights wants no arguments"},
		{"help rights", 0, "anthill rights -for apply -role release"},
		{"completion powershell", 1, "not for \"powershell\""},
	} {
		p, stdout, stderr := alone(t)
		args := strings.Split("anthill "+c.typed, " ")
		if c.typed == "" {
			args = args[:1]
		}
		status := p.run(t.Context(), args)
		said, silent := stdout, stderr
		if c.status != 0 {
			said, silent = stderr, stdout
		}
		if status != c.status || !strings.Contains(said.String(), c.want) || silent.Len() > 0 {
			t.Errorf("anthill %s: status %d, want %d, and %q\n%s%s", c.typed, status, c.status, c.want, stdout, stderr)
		}
	}
}

// TestFlagsAnywhere reads the same line whether flags stand before or after arguments.
func TestFlagsAnywhere(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"apply p -auto-approve":                      "apply -auto-approve p",
		"apply -auto-approve p":                      "apply -auto-approve p",
		"apply p --approved-by ana --json":           "apply -approved-by=ana --json p",
		"apply p -auto-approve=false":                "apply -auto-approve=false p",
		"wave resume pilot -tenant acme":             "wave resume -tenant=acme pilot",
		"wave -no-color resume pilot -tenant=acme":   "-no-color wave resume -tenant=acme pilot",
		"show p -json -chdir conf":                   "show -json -chdir=conf p",
		"version -chdir conf":                        "-chdir=conf version",
		"apply -- -p":                                "apply -- -p",
		"apply -json -- p":                           "apply -json p",
		"apply -approved-by -json p":                 "apply -approved-by=-json p",
		"show -":                                     "show -- -",
		"dev -users 5 -tenants 1 sh -c x -users 9":   "dev -users=5 -tenants=1 -- sh -c x -users 9",
		"dev -- anthill plan -out p":                 "dev -- anthill plan -out p",
		"plan -version -json":                        "version -json",
		"help wave resume":                           "wave resume -h",
		"wave resume pilot -h":                       "wave resume -h",
		"-chdir a rollback -wave b -wave c -run=r=1": "-chdir=a rollback -wave=b -wave=c -run=r=1",
	} {
		p, _, _ := alone(t)
		l, err := readLine(p.app(), strings.Fields(typed))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(l.args()[1:], " "); got != want {
			t.Errorf("%s\nis read as %s\nwant       %s", typed, got, want)
		}
	}
}

// TestEveryCommandHasHelp demands a purpose, and an example or more, of each command, and of its flags what they do.
func TestEveryCommandHasHelp(t *testing.T) {
	t.Parallel()
	p, _, _ := alone(t)
	var check func(path string, commands []*cli.Command)
	check = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := path + " " + c.Name
			if c.Usage == "" || c.Name != helpName && !strings.Contains(c.Description, "   "+name) {
				t.Errorf("%s has no purpose or no example:\n%s", name, c.Description)
			}
			for _, f := range c.Flags {
				if d, ok := f.(cli.DocGenerationFlag); !ok || d.GetUsage() == "" {
					t.Errorf("%s -%s has no text", name, f.Names()[0])
				}
			}
			check(name, c.Subcommands)
		}
	}
	check("anthill", p.app().Commands)
}

// TestCompletion has bash complete command lines with the script that is printed for it.
func TestCompletion(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"anthill pl":                    "plan",
		"anthill wave ":                 "list confirm pause resume unconfirm promote accept abort",
		"anthill -chdir x wave re":      "resume",
		"anthill help wave c":           "confirm",
		"anthill plan -o":               "-out",
		"anthill apply p --auto":        "--auto-approve",
		"anthill plan -var":             "-var -var-file",
		"anthill -h":                    "-help",
		"anthill plan -out ":            "",
		"anthill apply ":                "",
		"anthill dev -- anthill plan -": "",
		"anthill nothing ":              "",
		"anthill completion ":           "bash zsh fish",
		"anthill completion z":          "zsh",
		"anthill completion zsh ":       "",
		"anthill dev -selfauth ":        "emulator real none",
		"anthill dev --selfauth e":      "emulator",
		"anthill apply p -on-stale ":    "skip fail",
		"anthill rights -for ":          "plan apply schema support all",
		"anthill rights -for s":         "schema support",
		"anthill __":                    "",
	} {
		script := `source <(anthill completion bash)
COMP_WORDS=($1); [[ $1 == *" " ]] && COMP_WORDS+=(""); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_anthill
echo "${COMPREPLY[*]}"`
		out, err := exec.CommandContext(t.Context(), "bash", "-c", script, "bash", typed).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%q is completed to %q, want %q, %v", typed, got, want, err)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		p, stdout, _ := alone(t)
		if status := p.run(t.Context(), []string{"anthill", "completion", shell}); status != exitDone {
			t.Fatal(status)
		}
		if !strings.Contains(stdout.String(), "anthill completion "+shell) || !strings.Contains(stdout.String(), completeName) {
			t.Errorf("the script for %s:\n%s", shell, stdout)
		}
	}
}

// TestValidateJSON has the shape that programs know from Terraform.
func TestValidateJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"schema { level = \"dual\" }\n": `{
  "format_version": "1",
  "valid": true,
  "error_count": 0,
  "warning_count": 0,
  "diagnostics": []
}
`,
		"schema {\n  level = \"duel\"\n}\n": `{
  "format_version": "1",
  "valid": false,
  "error_count": 1,
  "warning_count": 0,
  "diagnostics": [
    {
      "severity": "error",
      "summary": "Invalid value",
      "detail": "The argument \"level\" in a schema block: \"dual\" is needed, not \"duel\".",
      "range": {
        "filename": "main.anthill.hcl",
        "start": {
          "line": 2,
          "column": 11,
          "byte": 19
        },
        "end": {
          "line": 2,
          "column": 17,
          "byte": 25
        }
      }
    }
  ]
}
`,
	} {
		p, stdout, stderr := alone(t)
		if err := os.WriteFile(filepath.Join(p.folder, "main.anthill.hcl"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status := p.run(t.Context(), []string{"anthill", "validate", "-json"})
		if valid := strings.Contains(want, "true"); valid != (status == exitDone) || stderr.Len() > 0 {
			t.Errorf("status %d\n%s", status, stderr)
		}
		if diff := cmp.Diff(want, stdout.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestFormatsTold compares the formats that version tells with those that are written.
func TestFormatsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-out", "p")
	plan, err := os.ReadFile(filepath.Join(w.dir, "p"))
	if err != nil {
		t.Fatal(err)
	}
	var told build
	out, _ := w.run(exitDone, "version", "-json")
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatal(err)
	}
	head, _, _ := bytes.Cut(plan, []byte("\n"))
	if want := "ANTHILL-PLAN " + string(rune('0'+told.PlanFormat)); string(head) != want {
		t.Errorf("a plan begins with %q, and version tells %q", head, want)
	}
	if n := w.number("select max(version) from anthill_state.migrations"); n != told.StateFormat {
		t.Errorf("a state has format %d, and version tells %d", n, told.StateFormat)
	}
}
