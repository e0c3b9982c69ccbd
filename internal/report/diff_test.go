package report

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// later is the pilot's plan made again, after this and that has changed.
func later() *made {
	later := pilot()
	later.Effects.Schema = []string{"users.columns"}
	later.Effects.Objects[0].Will = state.Attributes{
		state.AttrName:        state.TextValue("tenant_globex_users"),
		state.AttrMapping:     state.MappingValue(state.RoleMember, "tenant_globex_users"),
		state.AttrDescription: state.TextValue("People of\x1b[31m Globex"),
	}
	gone := state.Object{Address: "group.old", Kind: state.KindGroup, Generation: 1}
	later.Effects.Objects = append(later.Effects.Objects, plan.ObjectChange{
		Address: gone.Address, Kind: gone.Kind, Action: state.ActionDelete, Before: &gone,
		Was: state.Attributes{state.AttrName: state.TextValue("old")},
	})
	later.Effects.Raise(plan.LocksOut, 4, state.Found(state.CodeHomeLost).Times(4))
	later.Effects.Waves[0].MaxFailures = 7
	later.changes[0].users -= 3
	later.change(2, plan.SegmentMove, "pilot", later.moving(globex, state.MethodDual, false, globexUsers, globexAdmins))
	later.changes = slices.DeleteFunc(later.changes, func(c change) bool { return c.kind == plan.SegmentFollow })
	return later
}

// TestDiffScreens: what a reviewer of a plan sees who has approved another one before.
func TestDiffScreens(t *testing.T) {
	t.Parallel()
	old := pilot()
	same := pilot()
	same.Context.Origin = plan.Origin{Commit: "0123456789abcdef", Files: plan.FilesCommitted, Author: "ana", Job: "https://ci.example.com/7"}
	later := later()

	screens := func(a, b *planfile.File) string {
		d, err := planfile.Compare(a, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		o := unicode100
		if err := Diff(&out, a, b, d, o, [2]string{"approved.plan", "again.plan"}); err != nil {
			t.Error(err)
		}
		out.WriteString("==\n")
		o.PlanFile = "again.plan"
		if err := Since(&out, a, b, d, o, "approved.plan"); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	a, b, c := old.save(t), same.save(t), later.save(t)
	if a.ID() != b.ID() {
		t.Fatalf("plan ID %s, and with another origin %s", a.ID(), b.ID())
	}
	hide := func(s string) string {
		for name, f := range map[string]*planfile.File{"<old>": a, "<later>": c} {
			s = strings.NewReplacer(f.ID().String(), name, f.ID().Short(), name, f.Seal().String(), name+" seal").Replace(s)
		}
		return s
	}
	golden(t, "diff-same.txt", hide(screens(a, b)))
	golden(t, "diff.txt", hide(screens(a, c)))
	lists := func(list func(io.Writer) error) string {
		var out bytes.Buffer
		if err := list(&out); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	d, err := planfile.Compare(a, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "diff.json", hide(lists(func(w io.Writer) error { return DiffJSON(w, a, c, d) })))
	text := lists(func(w io.Writer) error { return DiffUsers(w, a, c, unicode100) })
	byJSON := lists(func(w io.Writer) error { return DiffUsersJSON(w, a, c) })
	var differ int64
	for kind, n := range d.Users {
		if kind != planfile.DiffSame {
			differ += n
		}
	}
	for form, s := range map[string]string{"text": text, "JSON": byJSON} {
		if n := int64(strings.Count(s, "\n")); n != differ || n == 0 {
			t.Errorf("%s: %d lines for %d users who differ", form, n, differ)
		}
	}
	firstOf := func(list string) (kept string) {
		seen := map[string]bool{}
		for line := range strings.Lines(list) {
			if kind, _, _ := strings.Cut(line, "  "); !seen[kind] {
				seen[kind] = true
				kept += line
			}
		}
		return kept
	}
	goldenList(t, "diff-users.txt", firstOf(text))
	goldenList(t, "diff-users.json", byJSON[:strings.IndexByte(byJSON, '\n')+1])
}

// TestEffectNames: whatever differs has words, each field of the effects too that is not compared part by part.
func TestEffectNames(t *testing.T) {
	t.Parallel()
	names := []string{"allowed", "hazards", "tables"}
	for i, of := 0, reflect.TypeFor[plan.Effects](); i < of.NumField(); i++ {
		if f := of.Field(i); !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	for _, name := range names {
		if slices.Contains([]string{"schema", "objects", "segments", "sets"}, name) {
			continue
		}
		if text100().effectName(name) == name {
			t.Errorf("%s has no words", name)
		}
	}
}
