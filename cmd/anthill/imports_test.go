package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
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
	if len(list) < 10 {
		t.Fatalf("go list found %d packages", len(list))
	}
	return list
}

// TestImportDirections pins the design: who may import whom, and where the outside world is reached.
func TestImportDirections(t *testing.T) {
	t.Parallel()
	// A package may import those of lower floors, and nobody its own floor or above, but for what is listed.
	floor := map[string]int{"state": 0, "config": 1, "providers": 1, "planner": 2, "planner/rollout": 2, "planner/planfile": 2,
		"internal/apply": 3, "internal/report": 4, "cmd/anthill": 5,
		"providers/postgres": 2, "providers/selfauth": 2, "state/pg": 2, "state/statetest": 1}
	beside := []string{"planner -> config", "planner -> providers", "planner -> planner/rollout", "planner/planfile -> planner"}
	edges := map[string][]string{
		"github.com/jackc/pgx/":             {"providers/postgres", "state/pg", "state/statetest", "internal/scratchpg", "internal/scratchpg/pgtest", "internal/sandbox", "internal/bench"},
		"github.com/urfave/cli/":            {"cmd/anthill"},
		"github.com/hashicorp/hcl/v2/hcl":   {"config"},
		"github.com/hashicorp/hcl/v2/json":  {"config"},
		"github.com/hashicorp/hcl/v2/gohcl": {"config"},
		"net/http":                          {"providers/selfauth", "providers/providertest", "internal/selfauthd", "internal/scratchpg", "internal/bench"},
	}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, "anthill/")
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, "anthill/"); ours {
				a, low := floor[name]
				b, high := floor[to]
				if low && high && b >= a && !slices.Contains(beside, name+" -> "+to) {
					t.Errorf("%s imports %s", name, to)
				}
				if to == "internal/apply" && name != "internal/report" && name != "cmd/anthill" {
					t.Errorf("%s imports %s: only commands and what they show may", name, to)
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
