package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/config"
	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/state"
)

// brake is one way in which a plan comes to be blocked: a world that stands just below it, and what trips it.
type brake struct {
	code  plan.HazardCode
	of    state.Code // what the hazard is made of here
	guard string     // the argument of the guard block that sets the limit

	options sandbox.Options
	command []string     // what plans; nil: plan
	calm    []string     // what plans below, where the command alone makes the difference
	start   func(*world) // from the data to where the case begins
	below   func(*world)
	trips   []func(*world) // after each of them it is tripped

	// All counted by hand: SQL, or a walk over what Self-auth lists.
	count  func(*world) int        // of the hazard
	partly func(*world) int        // of what it is made of here; nil: as count
	also   map[plan.HazardCode]int // hazards that come with it
	within bool                    // the hazard is there below, but not made of this
}

// planFacts is what the tests read of a plan with hazards.
type planFacts struct {
	Blocked bool
	Effects struct {
		Hazards []struct {
			Code  plan.HazardCode
			Count int
			Of    []struct {
				Code  state.Code
				Count int
			}
		}
	}
}

// counts are the hazards, each with its count.
func (p planFacts) counts() map[plan.HazardCode]int {
	m := map[plan.HazardCode]int{}
	for _, h := range p.Effects.Hazards {
		m[h.Code] = h.Count
	}
	return m
}

// made is how often a hazard is made of something, and what that counts.
func (p planFacts) made(code plan.HazardCode, of state.Code) (times, count int) {
	for _, h := range p.Effects.Hazards {
		for _, f := range h.Of {
			if h.Code == code && f.Code == of {
				times++
				count += max(f.Count, 1) // of a client it is not said
			}
		}
	}
	return times, count
}

// facts saves a plan, demands its exit status, and reads it.
func (w *world) facts(want int, out string, args ...string) (p planFacts, screen string) {
	w.t.Helper()
	screen, _ = w.run(want, append(slices.Clone(args), "-out", out)...)
	text, _ := w.run(exitDone, "show", "-json", out)
	must(w.t, json.Unmarshal([]byte(text), &p))
	return p, screen
}

// still is all that a command which is refused must leave as it is.
type still struct {
	rows          sandbox.Fingerprint
	directory     string
	columns, runs int // columns of all tables, those of the state too
}

func (w *world) still() (s still) {
	w.t.Helper()
	s.rows, s.directory = w.fingerprint(), w.snapshot()
	c := w.connect()
	must(w.t, c.QueryRow(w.t.Context(), "select count(*) from pg_attribute").Scan(&s.columns))
	// Before the first apply there is no table of runs.
	_ = c.QueryRow(w.t.Context(), "select count(*) from anthill_state.runs").Scan(&s.runs)
	return s
}

// allowBlock writes an allow block beside the configuration; no code takes it away.
func (w *world) allowBlock(code plan.HazardCode, count int, until time.Time) {
	w.t.Helper()
	text := ""
	if code != "" {
		text = fmt.Sprintf("allow %q {\n  count  = %d\n  reason = \"agreed\"\n  until  = %q\n}\n", code, count, until.UTC().Format(time.RFC3339))
	}
	must(w.t, os.WriteFile(filepath.Join(w.dir, "allow.anthill.hcl"), []byte(text), 0o600))
}

// TestHazards trips every hazard in every way in which it comes about, with the count that SQL and the listing of Self-auth
// have; just below there is none. What is blocked changes nothing, whoever applies it; and only an allowance of the same
// count gets past, by the flag or, of a plan, by a block that has not expired (L41).
func TestHazards(t *testing.T) {
	t.Parallel()
	// What refuses a plan knows of the code and the count alone: of each code one way is enough.
	all, seen := brakes(), map[plan.HazardCode]bool{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b := all[name]
		refuses := !seen[b.code]
		seen[b.code] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b.try(t, refuses)
		})
	}
}

func (b brake) try(t *testing.T, refuses bool) {
	if b.options.Users == 0 {
		b.options = sandbox.Options{Tenants: 3, Users: 60, Seed: 4, Level: b.options.Level}
	}
	w := newWorld(t, b.options, emulator(t))
	if b.command == nil {
		b.command = []string{"plan"}
	}
	if b.calm == nil {
		b.calm = b.command
	}
	if b.partly == nil {
		b.partly = b.count
	}
	var also []string
	for code, n := range b.also {
		also = append(also, "-allow", fmt.Sprintf("%s=%d", code, n))
	}
	b.start(w)
	if b.below != nil {
		b.below(w)
	}
	want := exitDone
	if b.within {
		want = exitBlocked
	}
	p, screen := w.facts(want, "below", append(slices.Clone(b.calm), also...)...)
	times, _ := p.made(b.code, b.of)
	if _, is := p.counts()[b.code]; times > 0 || is != b.within {
		t.Fatalf("just below it is tripped:\n%s", screen)
	}
	if b.trips == nil {
		b.trips = []func(*world){func(*world) {}} // the command does it
	}
	n := 0
	for i, trip := range b.trips {
		trip(w)
		n = b.tripped(w, fmt.Sprintf("trip %d", i+1))
	}
	if refuses {
		b.refused(w, n, also)
	}
	b.allowed(w, n, also)
}

// tripped demands the hazard, with what is counted by hand and nothing else beside it.
func (b brake) tripped(w *world, when string) int {
	w.t.Helper()
	n, of := b.count(w), b.partly(w)
	p, screen := w.facts(exitBlocked, "blocked", b.command...)
	want := map[plan.HazardCode]int{b.code: n}
	for code, n := range b.also {
		want[code] = n
	}
	if diff := cmp.Diff(want, p.counts()); diff != "" || !p.Blocked || n == 0 {
		w.t.Fatalf("%s: hazards (-counted by hand +planned, blocked: %v):\n%s\n%s", when, p.Blocked, diff, screen)
	}
	if times, got := p.made(b.code, b.of); times == 0 || got != of {
		w.t.Fatalf("%s: %d of %s, counted by hand %d:\n%s", when, got, b.of, of, screen)
	}
	wants(w.t, screen, "BLOCKED "+string(b.code)+" ", fmt.Sprintf("-allow %s=%d", b.code, n), "anthill explain "+string(b.code))
	return n
}

// refused demands that nobody gets past by another count, by what has expired, or by applying what is blocked, and that
// all of that changes nothing.
func (b brake) refused(w *world, n int, also []string) {
	w.t.Helper()
	before, start := w.still(), w.now
	end := start().Add(time.Hour).Truncate(time.Second)
	_, errs := w.run(exitBlocked, "apply", "blocked")
	wants(w.t, errs, "blocked by a hazard")
	plans, forward := slices.Concat(b.command, also), b.command[0] == "plan"
	if forward {
		w.run(exitBlocked, "apply", "-auto-approve")
	} else {
		w.run(exitBlocked, append(slices.Clone(plans), "-auto-approve")...)
		// A rollback evaluates no configuration.
		w.allowBlock(b.code, n, end)
	}
	// One less by the flag and one more by the block, and the other way round.
	for _, flag := range []int{n - 1, n + 1} {
		args, block := plans, 2*n-flag
		if forward {
			w.allowBlock(b.code, block, end)
		}
		if flag > 0 {
			args = slices.Concat(plans, []string{"-allow", fmt.Sprintf("%s=%d", b.code, flag)})
		}
		screen, _ := w.run(exitBlocked, append(slices.Clone(args), "-out", "other")...)
		if flag > 0 {
			wants(w.t, screen, fmt.Sprintf("-allow %s=%d was not needed", b.code, flag))
		}
		if forward {
			wants(w.t, screen, fmt.Sprintf("allow.%s allows a count of %d, and this plan has %d", b.code, block, n))
		}
		w.run(exitBlocked, "apply", "other")
	}
	if forward {
		w.allowBlock(b.code, n, end)
		w.run(exitDone, append(slices.Clone(plans), "-out", "timely")...)
		w.now = func() time.Time { return end }
		_, errs = w.run(exitBlocked, "apply", "timely")
		wants(w.t, errs, fmt.Sprintf("what allowed %s=%d has expired", b.code, n))
		screen, _ := w.run(exitBlocked, plans...)
		wants(w.t, screen, "allow."+string(b.code)+" allows nothing any more")
		w.now = start
	}
	w.allowBlock("", 0, end)
	if diff := cmp.Diff(before, w.still(), cmp.AllowUnexported(still{})); diff != "" {
		w.t.Errorf("what was refused has changed something (-before +after):\n%s", diff)
	}
}

// allowed demands that the flag with the count lets the plan pass, and that it is carried out then.
func (b brake) allowed(w *world, n int, also []string) {
	w.t.Helper()
	allow := []string{"-allow", fmt.Sprintf("%s=%d", b.code, n)}
	p, screen := w.facts(exitDone, "ok", slices.Concat(b.command, also, allow)...)
	if p.Blocked || p.counts()[b.code] != n {
		w.t.Errorf("allowed, and blocked: %v, hazards %v", p.Blocked, p.counts())
	}
	wants(w.t, screen, fmt.Sprintf("ALLOWED %s=%d ", b.code, n))
	before := w.still()
	w.run(exitDone, "apply", "ok")
	if before == w.still() {
		w.t.Error("what was allowed has changed nothing")
	}
}

// TestEveryHazardIsTripped: each hazard that -allow takes, all that hazards are made of, and each argument of the guard block
// has a row in brakes; and what isolation is violated by, in breaches.
func TestEveryHazardIsTripped(t *testing.T) {
	t.Parallel()
	codes, of, guards := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for name, b := range brakes() {
		if !slices.Contains(plan.HazardCodes(), b.code) {
			t.Errorf("%s: there is no hazard %s", name, b.code)
		}
		codes[string(b.code)], of[string(b.of)], guards[b.guard] = true, true, true
	}
	for _, code := range plan.HazardCodes() {
		if !codes[string(code)] {
			t.Errorf("nothing trips %s", code)
		}
	}
	groups := codesByComment(t)
	for _, code := range groups["What a hazard is made of."] {
		if !of[code] {
			t.Errorf("no hazard is made of %s", code)
		}
	}
	for _, block := range config.Blocks() {
		for _, a := range block.Arguments {
			if block.Type == "guard" && !guards[a.Name] {
				t.Errorf("nothing meets guard.%s", a.Name)
			}
		}
	}
	violated := map[string]bool{}
	for _, b := range breaches() {
		violated[string(b.code)] = true
	}
	for _, code := range groups["Tenant isolation that does not hold (L40)."] {
		if !violated[code] {
			t.Errorf("nothing violates isolation by %s", code)
		}
	}
}

// codesByComment are the codes of findings as state declares them, by the comment above each group.
func codesByComment(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../state/codes.go", nil, parser.ParseComments)
	must(t, err)
	groups, group := map[string][]string{}, ""
	for _, d := range file.Decls {
		list, is := d.(*ast.GenDecl)
		if !is || list.Tok != token.CONST {
			continue
		}
		for _, s := range list.Specs {
			v := s.(*ast.ValueSpec)
			if v.Doc != nil {
				group = strings.TrimSpace(v.Doc.Text())
			}
			code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			must(t, err)
			groups[group] = append(groups[group], code)
		}
	}
	for _, want := range []string{"What a hazard is made of.", "Tenant isolation that does not hold (L40)."} {
		if len(groups[want]) == 0 {
			t.Fatalf("state has no codes under %q", want)
		}
	}
	return groups
}
