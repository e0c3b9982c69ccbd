package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// A verb of a format, which stays as it is when words are changed.
var verb = regexp.MustCompile(`%[-+# 0]*[0-9*]*(\.[0-9*]+)?(\[[0-9]+\])?[a-zA-Z%]`)

// otherWords turns each letter of a text into the thirteenth behind it; verbs stay.
func otherWords(text string) string {
	turn := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return 'a' + (r-'a'+13)%26
			case r >= 'A' && r <= 'Z':
				return 'A' + (r-'A'+13)%26
			}
			return r
		}, s)
	}
	var b strings.Builder
	at := 0
	for _, v := range verb.FindAllStringIndex(text, -1) {
		b.WriteString(turn(text[at:v[0]]) + text[v[0]:v[1]])
		at = v[1]
	}
	return b.String() + turn(text[at:])
}

// reworded writes the files of internal/report with other words to a folder, and returns the overlay that builds with
// them. Words are the literals with a blank.
func reworded(t *testing.T, dir string) (overlay string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", "internal", "report", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	replace, changed := map[string]string{}, 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, n := rewordedFile(t, name)
		changed += n
		path, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		replace[path] = filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(replace[path], source, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if changed < 400 {
		t.Fatalf("only %d texts of the report were changed", changed)
	}
	overlay = filepath.Join(dir, "overlay.json")
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(overlay, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return overlay
}

// rewordedFile is a file with other words, and how many of its literals are changed.
func rewordedFile(t *testing.T, name string) (source []byte, changed int) {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var words []*ast.BasicLit
	ast.Inspect(f, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return x.Tag == nil
		case *ast.BasicLit:
			if x.Kind == token.STRING && strings.Contains(x.Value, " ") {
				words = append(words, x)
			}
		}
		return true
	})
	sort.Slice(words, func(i, k int) bool { return words[i].Pos() > words[k].Pos() })
	for _, w := range words {
		text, err := strconv.Unquote(w.Value)
		if err != nil {
			t.Fatal(err)
		}
		other := otherWords(text)
		if other == text {
			continue
		}
		changed++
		from, to := set.Position(w.Pos()).Offset, set.Position(w.End()).Offset
		source = append(append(bytes.Clone(source[:from]), strconv.Quote(other)...), source[to:]...)
	}
	return source, changed
}

// built builds the program with flags of go build, and returns its path.
func built(t *testing.T, name string, flags ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := append(append([]string{"build", "-buildvcs=false"}, flags...), "-o", path, "anthill/cmd/anthill")
	if said, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return path
}

// planBy plans with a program at a fixed moment, and returns the screen and the file.
func (w *world) planBy(program, out string) (screen string, file []byte) {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), program, "-chdir", w.dir, "plan", "-as-of", "2026-11-25T00:00:00Z", "-out", out)
	cmd.Env = w.environment()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// One that is blocked is saved as well.
	if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() != exitBlocked {
		w.t.Fatalf("%v: %s%s", err, &stdout, &stderr)
	}
	file, err := os.ReadFile(filepath.Join(w.dir, out))
	if err != nil {
		w.t.Fatal(err)
	}
	// The command that is told at the end names the file.
	return strings.ReplaceAll(stdout.String(), out, "FILE"), file
}

// TestWords plans one world with a program all of whose words are others: the screen is another, and the file is the
// same, byte for byte, and with it the plan ID and the seal. So no word is in a plan, and mending one changes none.
func TestWords(t *testing.T) {
	t.Parallel()
	plain, other := built(t, "plain"), built(t, "other", "-overlay", reworded(t, t.TempDir()))
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 60, Seed: 4}, emulator(t))
	w.exec("update users set email = 'nobody' where user_id in (select user_id from users where role = 'user' limit 1)")
	client := strings.Replace(oneClient, "%q", `"confidential"`, 1)
	w.config(everyone + client + "wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n  finish { soak = \"14d\" }\n}\n" +
		"wave \"rest\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n" +
		"  start { after = [wave.pilot] }\n}\n")
	same := func(when string) {
		t.Helper()
		screen, file := w.planBy(plain, "plain.plan")
		otherScreen, otherFile := w.planBy(other, "other.plan")
		if a, b := w.planID(w.dir, "plain.plan"), w.planID(w.dir, "other.plan"); a != b {
			t.Errorf("%s: plan ID %s, and %s with other words", when, a, b)
		}
		if !bytes.Equal(file, otherFile) {
			t.Errorf("%s: another file with other words", when)
		}
		if n := otherLines(screen, otherScreen); n < 60 {
			t.Errorf("%s: %d %% of the lines have other words:\n%s\n%s", when, n, screen, otherScreen)
		}
	}
	same("at first")
	w.run(exitDone, "apply", "-auto-approve")
	w.someone("user", "acme").set("role", "admin")
	w.someone("admin", "acme").set("status", "suspended")
	w.config(everyone + strings.Replace(client, "app.example.com/cb", "app.example.com/other", 1) + waveEveryone)
	same("moved in part")
}

// otherLines is the share of a screen's lines with letters, in percent, that another screen does not have.
func otherLines(screen, other string) int {
	there := map[string]bool{}
	for l := range strings.Lines(other) {
		there[strings.Join(strings.Fields(l), " ")] = true
	}
	all, others := 0, 0
	for l := range strings.Lines(screen) {
		if l = strings.Join(strings.Fields(l), " "); l == "" {
			continue
		}
		all++
		if !there[l] {
			others++
		}
	}
	return 100 * others / max(all, 1)
}
