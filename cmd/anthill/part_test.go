package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
)

// TestPartsInTurn: plans of one tenant after the other, and then of what is left object by object, come to the same as one plan
// of all: the directory, the tenants and the users are the same, and the plan of all is empty. Each plan of a part says so, and
// what it leaves out gets less until nothing is left.
func TestPartsInTurn(t *testing.T) {
	t.Parallel()
	for n := range min(*cases, 8) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			options := sandbox.Options{Tenants: 3, Users: 15, Seed: int64(n)}
			whole, parts := newWorld(t, options, emulator(t)), newWorld(t, options, emulator(t))
			chance := [2]*rand.Rand{rand.New(rand.NewPCG(9, uint64(n))), rand.New(rand.NewPCG(9, uint64(n)))}
			var wishes [2]wish
			var said []string
			for step := range 4 {
				for i, w := range []*world{whole, parts} {
					switch step {
					case 0:
						w.before()
						wishes[i] = wish{description: "users", display: "App", urls: 1, client: "confidential", policy: n % 3}
						w.config(wishes[i].text())
					default:
						said = append(said, w.step(chance[i], &wishes[i]))
					}
				}
				after := strings.Join(said, ", then ")
				whole.settle(after)
				if step == 0 {
					whole.run(exitDone, "plan", "-refresh-only", "-detailed-exitcode")
				}
				parts.settleInParts(after, wishes[1].newco)
				if diff := cmp.Diff(strings.Split(whole.snapshot(), "\n"), strings.Split(parts.snapshot(), "\n")); diff != "" {
					t.Fatalf("after %s (-whole +in parts):\n%s", after, diff)
				}
				if diff := cmp.Diff(whole.tenantRows()+whole.userRows()+whole.waveRows(), parts.tenantRows()+parts.userRows()+parts.waveRows()); diff != "" {
					t.Fatalf("rows after %s (-whole +in parts):\n%s", after, diff)
				}
			}
		})
	}
}

// waveRows are the waves as they are recorded, in words.
func (w *world) waveRows() (text string) {
	w.t.Helper()
	if err := w.connect().QueryRow(w.t.Context(), `select string_agg(concat_ws(' ', name, started is not null, moved_at is not null,
		done_at is not null), ', ' order by name) from anthill_state.waves`).Scan(&text); err != nil {
		w.t.Fatal(err)
	}
	return text
}

// narrowed is what plan -json says of a plan of a part.
type narrowed struct {
	Empty   bool
	Effects struct {
		Objects []struct{ Address string }
	}
	Context struct {
		Part *struct {
			LeftOut struct{ Objects, Users, Schema int } `json:"left_out"`
		}
	}
}

// part carries out the plan of a part.
func (w *world) part(flags ...string) (p narrowed) {
	w.t.Helper()
	w.allowing(append([]string{"plan", "-out", "p"}, flags...)...)
	out, _ := w.run(exitDone, "show", "-json", "p")
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		w.t.Fatal(err)
	}
	if status, out, errs := w.try("apply", "p"); status != exitDone {
		w.t.Fatalf("a plan of %v: apply: exit status %d\n%s%s", flags, status, out, errs)
	}
	return p
}

// settleInParts carries out plans of parts until nothing is left of the plan of all.
func (w *world) settleInParts(what string, newco bool) {
	w.t.Helper()
	var slugs []string
	if err := w.connect().QueryRow(w.t.Context(), "select array_agg(slug order by slug) from tenants where deleted_at is null").Scan(&slugs); err != nil {
		w.t.Fatal(err)
	}
	if newco && !slices.Contains(slugs, "newco") {
		slugs = append(slugs, "newco")
	}
	for _, slug := range slugs {
		if p := w.part("-target", "tenant="+slug); p.Context.Part == nil {
			w.t.Fatalf("after %s: the plan of tenant %s does not say that it is one of a part", what, slug)
		}
		if again := w.allowing("plan", "-target", "tenant="+slug); !strings.Contains(again, "Nothing to do") {
			w.t.Fatalf("after %s: once the plan of tenant %s is carried out another one has something to do:\n%s", what, slug, again)
		}
	}
	w.allowing("plan", "-out", "p")
	var rest narrowed
	out, _ := w.run(exitDone, "show", "-json", "p")
	if err := json.Unmarshal([]byte(out), &rest); err != nil {
		w.t.Fatal(err)
	}
	for _, o := range rest.Effects.Objects {
		w.part("-target", o.Address)
	}
	if status, out, errs := w.try("plan", "-detailed-exitcode"); status != exitDone {
		w.t.Fatalf("after %s: the plan of all, when all of its parts are carried out: exit status %d\n%s%s", what, status, out, errs)
	}
}
