package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anthill/planner/plan"
	"anthill/planner/planfile"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) (list []goPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "anthill/...")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(out); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(list) < 30 {
		t.Fatalf("go list found %d packages", len(list))
	}
	return list
}

// floors are the packages of the house, the lowest first. A package imports those of lower floors alone.
var floors = [][]string{
	{"internal/regex"},
	{"state", "internal/spool", "internal/subprocess", "internal/selfauthd", "internal/letter", "internal/migration", "internal/mailtest", "internal/browsertest",
		"internal/person",
		"examples", "docs"},
	{"state/book", "config", "providers", "internal/scratchpg", "internal/scratchidm"},
	{"state/pg", "state/statetest", "providers/postgres", "providers/selfauth", "providers/mail", "providers/providertest",
		"planner/plan", "internal/scratchpg/pgtest", "internal/scratchidm/idmtest", "internal/sandbox"},
	{"planner/world", "planner/rollout", "planner/planfile", "internal/bench", "internal/devpages"},
	{"planner/objects", "internal/survey"},
	{"planner/users"},
	{"planner"},
	{"internal/apply"},
	{"internal/session", "internal/report"},
	{"cmd/anthill"},
}

// narrow are packages that see less of the house than what lies below them: all that each may import.
var narrow = map[string][]string{
	"config":             {"internal/letter", "internal/migration", "internal/regex", "state"},
	"providers":          {"internal/migration", "state"},
	"providers/postgres": {"internal/migration", "internal/regex", "providers", "state"},
	"providers/selfauth": {"internal/regex", "providers", "state"},
	"providers/mail":     {"internal/regex", "providers", "state"},
	"state/book":         {"state"},
	"state/pg":           {"state", "state/book"},
	"state/statetest":    {"state", "state/book"},
	"planner/plan":       {"config", "providers", "state"},
	"planner/planfile":   {"internal/spool", "planner/plan", "state"},
	"planner/rollout":    {"config", "planner/plan", "state"},
	"internal/apply":     {"config", "internal/letter", "planner/plan", "planner/planfile", "providers", "state"},
	"internal/survey":    {"config", "planner/plan", "planner/rollout", "providers", "state"},
	"internal/report":    {"internal/apply", "internal/regex", "internal/survey", "planner/plan", "planner/planfile", "providers", "state"},
}

// edges are where the outside is reached: who may import what has this prefix.
var edges = map[string][]string{
	"github.com/jackc/pgx/": {"providers/postgres", "state/pg", "internal/scratchpg", "internal/scratchpg/pgtest",
		"internal/sandbox", "internal/bench"},
	"github.com/urfave/cli/":            {"cmd/anthill"},
	"github.com/wneessen/go-mail":       {"providers/mail"},
	"github.com/yuin/goldmark":          {"internal/letter"},
	"github.com/emersion/":              {"internal/mailtest"},
	"github.com/hashicorp/hcl/v2/hcl":   {"config"},
	"github.com/hashicorp/hcl/v2/json":  {"config"},
	"github.com/hashicorp/hcl/v2/gohcl": {"config"},
	"net/http": {"providers/selfauth", "providers/providertest", "internal/selfauthd", "internal/scratchidm",
		"internal/scratchpg", "internal/bench", "internal/person", "internal/devpages"},
}

// TestImportDirections pins the design: who may import whom, and where the outside world is reached.
func TestImportDirections(t *testing.T) {
	t.Parallel()
	floorOf := map[string]int{}
	for n, names := range floors {
		for _, name := range names {
			floorOf[name] = n
		}
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "anthill/")
		floor, known := floorOf[name]
		if !known {
			t.Errorf("%s has no floor yet: give it one", name)
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, "anthill/"); ours {
				if floorOf[to] >= floor {
					t.Errorf("%s imports %s, which is not below it", name, to)
				}
				if list, isNarrow := narrow[name]; isNarrow && !slices.Contains(list, to) {
					t.Errorf("%s imports %s: it is to see no more than %v", name, to, list)
				}
			}
			for prefix, allowed := range edges {
				if strings.HasPrefix(i, prefix) && !slices.Contains(allowed, name) {
					t.Errorf("%s imports %s", name, i)
				}
			}
		}
	}
}

// TestContextIsOutOfReach: from what apply gets of a plan file no value leads to what only helps the reader. Of a File,
// which others show, one does.
func TestContextIsOutOfReach(t *testing.T) {
	t.Parallel()
	context := reflect.TypeFor[plan.Context]()
	if reach(reflect.TypeFor[*planfile.Reader]())[context] {
		t.Error("a planfile.Reader leads to plan.Context")
	}
	if !reach(reflect.TypeFor[*planfile.File]())[context] {
		t.Error("a planfile.File leads to no plan.Context: this test sees nothing")
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "internal", "apply", "*.go"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files of internal/apply, %v", len(files), err)
	}
	// Nor does apply make such a value for itself: it opens no plan file, and names neither of the other two parts.
	for _, name := range slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") }) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, is := n.(*ast.SelectorExpr); is {
				of, _ := s.X.(*ast.Ident)
				if of != nil && (of.Name == "planfile" && s.Sel.Name != "Reader" ||
					of.Name == "plan" && slices.Contains([]string{"Context", "Plan", "Basis"}, s.Sel.Name)) {
					t.Errorf("%s names %s.%s", name, of.Name, s.Sel.Name)
				}
			}
			return true
		})
	}
}

// reach are the types of this module that one leads to: by what its methods take and give, by exported fields, and by
// what those are made of.
func reach(from reflect.Type) map[reflect.Type]bool {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		if seen[t] || t.PkgPath() != "" && !strings.HasPrefix(t.PkgPath(), "anthill/") && t.PkgPath() != "iter" {
			return
		}
		seen[t] = true
		for i := range t.NumMethod() {
			walk(t.Method(i).Type)
		}
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			walk(t.Elem())
		case reflect.Map:
			walk(t.Key())
			walk(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				if f := t.Field(i); f.IsExported() {
					walk(f.Type)
				}
			}
		case reflect.Func:
			for i := range t.NumIn() {
				walk(t.In(i))
			}
			for i := range t.NumOut() {
				walk(t.Out(i))
			}
		}
	}
	walk(from)
	return seen
}
