package report

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/apply"
	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	for i, line := range strings.Split(got, "\n") {
		if cells(line) > 120 {
			t.Errorf("%s: line %d has %d columns", name, i+1, cells(line))
		}
	}
}

var (
	acme, globex = uuid.UUID{1}, uuid.UUID{2}
	asOf         = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
)

// pilot is a plan with something of everything.
func pilot() *planner.Plan {
	o := state.Object{Address: `group.users["globex"]`, Kind: state.KindGroup, ID: uuid.UUID{9}, Generation: 1, Tenant: globex, TenantSlug: "globex",
		Attributes: state.Attributes{"name": "tenant_globex_users", "mapping": "member tenant_globex_users"}}
	p := &planner.Plan{Kind: state.RunApply, Target: state.Target{Environment: "production", System: "7421", Database: "anthill", Domain: "idm.example.com", Origin: "https://idm.example.com"},
		Schema:  []providers.SchemaStep{{Name: "users.password_hash.nullable", Text: "users.password_hash becomes nullable"}},
		Objects: []planner.ObjectChange{{Address: o.Address, Kind: state.KindGroup, Action: planner.Create, After: &o, Will: o.Attributes}},
		Waves:   []planner.WaveEffect{{Name: "pilot", Starts: true, Moved: true}},
	}
	p.Analysis = planner.Analysis{Version: "0.1.0", AsOf: asOf, PostgresServer: "16.4", SelfAuthServer: "1.10.5", Live: 12204, Changed: 412, Gain: 412, AlreadyMoved: 38, Unchanged: 231,
		Groups: 236, Memberships: 11080,
		Waves: []planner.WaveView{
			{Name: "internal", State: planner.DoneWave, Since: asOf.AddDate(0, 0, -7), Matched: 38, Moved: 38},
			{Name: "pilot", State: planner.Starting, Matched: 414, Due: 410, Skipped: 4, Moves: true, Tenants: []planner.TenantEffect{
				{Tenant: acme, Slug: "acme", Live: 300, Users: 260, Admins: 4, Create: 251, Enable: 9, Join: 264, Link: 260, Dual: 260},
				{Tenant: globex, Slug: "globex", Live: 160, Users: 150, Admins: 2, Create: 150, Join: 152, Link: 150, Dual: 149, SelfAuth: 1}}},
			{Name: "everyone", State: planner.Held, Reasons: []string{"waits for wave.pilot: 410 to move, 14d of soak"}, Due: 11754},
		},
		Follow:   []planner.TenantEffect{{Tenant: acme, Slug: "acme", Users: 2, Join: 1, Leave: 1, Expire: 1}},
		NotMoved: []planner.Skipped{{Reason: planner.SkipEmailRefused, Count: 12}, {Reason: planner.SkipShared, Count: 7}},
		Dormant:  []string{`group.users["old"]: its tenant is suspended`}, Outside: []string{"1 moved users' persons are gone from Self-auth: left as they are"},
		Notes: []string{"3 live users are selected by no wave"}, Where: map[state.Address]string{o.Address: "main.anthill.hcl:31"},
		Texts: map[state.Address][]string{o.Address: {"group tenant_globex_users, mapped as member"}}, Calls: 11, Transactions: 3}
	return p
}

// saved writes a plan and opens it, as everything that is shown comes from a file.
func saved(t *testing.T, p *planner.Plan, skipped ...planner.SkipReason) *planfile.Reader {
	t.Helper()
	w := planfile.NewWriter(t.TempDir())
	defer w.Close()
	if p.Kind == state.RunApply && len(p.Waves) > 0 {
		s := w.Segment(planner.SegmentMove, "pilot")
		if err := w.Add(s, planner.Shape{Tenant: acme, Relies: providers.ReliesAll, Act: state.PersonCreate, Standing: state.Moved}, planner.UserChange{User: uuid.UUID{5}}); err != nil {
			t.Fatal(err)
		}
	}
	if p.Kind == state.RunRollback {
		s := w.Segment(planner.SegmentRestore, "pilot")
		if err := w.Add(s, planner.Shape{Tenant: acme, Relies: providers.ReliesLink, Act: state.PersonExpire, Standing: state.RolledBack}, planner.UserChange{User: uuid.UUID{5}, Record: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i, r := range skipped {
		if err := w.Skip(uuid.UUID{byte(i)}, r); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "p")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(f, p); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := planfile.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// stable takes the plan ID out: it changes with the format.
func stable(r *planfile.Reader, s string) string {
	return strings.NewReplacer(r.ID().String(), "<plan id>", r.ID().Short(), "<id>").Replace(s)
}

func shown(t *testing.T, p *planner.Plan, o Options) string {
	t.Helper()
	r := saved(t, p)
	var b bytes.Buffer
	if err := Plan(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return stable(r, b.String())
}

func rollback() *planner.Plan {
	p := pilot()
	p.Kind, p.Schema, p.Objects, p.Waves = state.RunRollback, nil, nil, nil
	p.Undo = &planner.Undoing{Runs: []string{"2026-12-07-1"}, Waves: []string{"pilot"}, Tenants: []uuid.UUID{acme}, Pauses: []state.Pause{{Wave: "pilot", Tenant: acme}}}
	p.Analysis = planner.Analysis{AsOf: asOf, PostgresServer: "16.4", SelfAuthServer: "1.10.5", Live: 12204, Changed: 258, Lose: 251,
		Waves:     []planner.WaveView{{Name: "pilot", State: planner.Paused, Moves: true, Tenants: []planner.TenantEffect{{Tenant: acme, Slug: "acme", Users: 258, Admins: 4, Expire: 251, Leave: 260, Restore: 258, Used: 31}}}},
		Conflicts: []planner.ConflictView{{User: uuid.UUID{6}, Reason: "has no password to go back to"}, {User: uuid.UUID{7}, Reason: "linked to another person since"}}}
	return p
}

func TestPlanScreens(t *testing.T) {
	t.Parallel()
	unicode := Options{Unicode: true, PlanFile: "pilot.plan"}
	golden(t, "pilot.txt", shown(t, pilot(), unicode))
	golden(t, "pilot-ascii-60.txt", shown(t, pilot(), Options{Width: 60}))
	blocked := pilot()
	blocked.Hazards = []planner.Hazard{{Code: planner.OverLimit, Count: 4180, Text: "max_users_changed_percent: 4180 of 12204 live users = 34.3 %, limit 30 %. Narrow the wave, or allow it."}}
	blocked.Analysis.Future = true
	golden(t, "blocked.txt", shown(t, blocked, unicode))
	allowed := pilot()
	allowed.Hazards = []planner.Hazard{{Code: planner.OverLimit, Count: 4180, Text: "over the limit", Allowed: true}}
	if s := shown(t, allowed, unicode); !strings.Contains(s, "ALLOWED  OVER_LIMIT=4180") || strings.Contains(s, "BLOCKED") {
		t.Errorf("an allowed hazard:\n%s", s)
	}
	nothing := pilot()
	nothing.Schema, nothing.Objects, nothing.Waves, nothing.Analysis.Follow = nil, nil, nil, nil
	nothing.Analysis.Waves = nothing.Analysis.Waves[:1]
	nothing.Analysis.OpenRun = "2026-12-06-3"
	nothing.Analysis.Violations = []string{"group legacy is mapped to more than one tenant: a, b"}
	golden(t, "nothing.txt", shown(t, nothing, unicode))
	golden(t, "rollback.txt", shown(t, rollback(), Options{Unicode: true, PlanFile: "back.plan"}))
	many := pilot()
	for i := range 40 {
		many.Analysis.Waves[1].Tenants = append(many.Analysis.Waves[1].Tenants, planner.TenantEffect{Tenant: uuid.UUID{3, byte(i)}, Slug: "t" + strings.Repeat("x", i), Users: 3, Create: 3})
		o := many.Objects[0]
		o.Address = state.Address(strings.Replace(string(o.Address), "globex", "t"+strings.Repeat("x", i), 1))
		many.Objects = append(many.Objects, o)
	}
	golden(t, "many.txt", shown(t, many, unicode))
}

func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	p := pilot()
	hostile := "a\x1b[31mred\u202egnp\r\n" + string([]byte{0xff})
	p.Analysis.Waves[1].Tenants[0].Slug = hostile
	p.Analysis.Notes = []string{hostile}
	p.Target.Environment = hostile
	s := shown(t, p, Options{})
	for _, bad := range []string{"\x1b", "\u202e", "\r", "\xff"} {
		if strings.Contains(s, bad) {
			t.Errorf("%q comes through", bad)
		}
	}
	if !strings.Contains(s, `\u001b[31mred\u202egnp`) {
		t.Errorf("it is not shown either:\n%s", s)
	}
	for in, want := range map[string]string{"plain Ünï 🐜": "plain Ünï 🐜", "tab\t": `tab\u0009`, "": "", "\uFFFD": "\uFFFD"} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	r := saved(t, pilot(), planner.SkipShared, planner.SkipNoEmail)
	var b bytes.Buffer
	if err := PlanJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "pilot.json", stable(r, b.String()))
	b.Reset()
	if err := Skipped(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	want := "00000000-0000-0000-0000-000000000000  same address on another live user\n01000000-0000-0000-0000-000000000000  no e-mail address\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	done := state.RunInfo{ID: "2026-12-07-1", Kind: state.RunApply, Ended: asOf, Outcome: "done", Changed: true, Counts: state.Counts{Done: 412, Objects: 5}}
	rest := done
	rest.Outcome, rest.Counts = "remainder", state.Counts{Done: 1409, Changed: 2, Failed: 1, Paused: 3, Already: 4}
	var out strings.Builder
	for _, r := range []struct {
		title   string
		plan    *planner.Plan
		result  apply.Result
		stopped error
	}{
		{"done", pilot(), apply.Result{Run: done}, nil},
		{"remainder", pilot(), apply.Result{Run: rest, Held: []string{"wave everyone was not started: wave pilot did not get moved"}, Left: []apply.Left{
			{User: "01900000-0000-7000-8000-00000000007c", Wave: "pilot", Verdict: state.Refused, Reason: "Self-auth refuses the e-mail address"},
			{User: "01900000-0000-7000-8000-0000000000aa", Wave: "pilot", Verdict: state.Changed, Reason: "its row changed after the plan"}}}, nil},
		{"stopped", pilot(), apply.Result{Run: done, Stopped: true}, errors.New("Self-auth: create 250 persons: no connection\nCheck SELF_AUTH_URL.")},
		{"nothing", pilot(), apply.Result{Nothing: true}, nil},
		{"carried out before", pilot(), apply.Result{Nothing: true, Run: done}, nil},
		{"rolled back", rollback(), apply.Result{Run: done}, nil},
	} {
		out.WriteString("== " + r.title + "\n")
		if err := Result(&out, r.plan, r.result, r.stopped, 1100*time.Millisecond, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := ResultJSON(&out, r.plan, r.result, r.stopped); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "results.txt", out.String())
}

func TestStatus(t *testing.T) {
	t.Parallel()
	st := &state.State{Exists: true,
		Pauses: []state.Pause{{Wave: "pilot", Run: "r", At: asOf, Reason: "rolled back by run r"}, {Wave: "pilot", Tenant: acme, Run: "r", At: asOf, Reason: "rolled back by run r"}},
		Runs: []state.RunInfo{{ID: "2026-12-07-1", Kind: state.RunApply, Who: "ana@host", Started: asOf, Ended: asOf, Outcome: "done", Undone: true, Changed: true, Counts: state.Counts{Done: 38}},
			{ID: "2026-12-07-2", Kind: state.RunRollback, Who: "ben@host", Started: asOf, Open: true, Undoes: []string{"2026-12-07-1"}}}}
	p := pilot()
	p.Analysis.Waves[2].Until = asOf.AddDate(0, 0, 14)
	var out strings.Builder
	for _, s := range []Status{
		{State: st, Plan: p, Level: providers.LevelDual, Server: "1.10.5", AsOf: asOf, Tenants: map[uuid.UUID]string{acme: "acme"}},
		{State: &state.State{Waves: []state.Wave{{Name: "internal", Users: 3}}}, PlanError: "the configuration does not fit", Level: providers.LevelBaseline, AsOf: asOf},
	} {
		if err := WriteStatus(&out, s, Options{Unicode: true}); err != nil {
			t.Fatal(err)
		}
		if err := StatusJSON(&out, s); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "status.txt", out.String())
}

func TestProgress(t *testing.T) {
	t.Parallel()
	now := asOf
	var lines, terminal strings.Builder
	plain, bar := NewProgress(&lines, false, func() time.Time { return now }, Options{}), NewProgress(&terminal, true, func() time.Time { return now }, Options{Unicode: true})
	for i := range 26 {
		e := apply.Event{Kind: apply.Progress, Stage: "pilot", Done: int64(i * 100), Total: 2500}
		plain.Event(e)
		bar.Event(e)
		now = now.Add(time.Second)
	}
	plain.Event(apply.Event{Kind: apply.Note, Text: "a\x1bnote"})
	plain.Close()
	bar.Close()
	bar.Close()
	want := "pilot 1,000/2,500  100/s\npilot 2,000/2,500  100/s\npilot 2,500/2,500  100/s\na\\u001bnote\n"
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("off a terminal (-want +got):\n%s", diff)
	}
	if s := terminal.String(); strings.Count(s, "\r") != 26 || !strings.HasSuffix(s, "2,500 of 2,500  100/s\n") || !strings.Contains(s, "0:15 left") {
		t.Errorf("on a terminal: %q", s)
	}
}
