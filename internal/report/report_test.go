package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/apply"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares a screen with its file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	goldenList(t, name, got)
	for i, line := range strings.Split(got, "\n") {
		if cells(line) > 120 {
			t.Errorf("%s: line %d has %d columns", name, i+1, cells(line))
		}
	}
}

// goldenList is golden for lines that programs cut apart: they may be long.
func goldenList(t *testing.T, name, got string) {
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
}

var (
	acme, globex = uuid.UUID{1}, uuid.UUID{2}
	acmeAdmins   = uuid.UUID{11}
	acmeUsers    = uuid.UUID{12}
	acmeViewers  = uuid.UUID{13}
	globexAdmins = uuid.UUID{21}
	globexUsers  = uuid.UUID{22}
	asOf         = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
)

// made is a plan with the changes of its users.
type made struct {
	plan.Plan
	table   plan.Table
	changes []change
	skipped []plan.SkipReason
}

// change is what happens to so many users.
type change struct {
	kind  plan.SegmentKind
	wave  string
	shape plan.Shape
	users int
}

func (m *made) change(users int, kind plan.SegmentKind, wave string, shape plan.Shape) {
	m.changes = append(m.changes, change{kind, wave, shape, users})
}

// save writes a plan and opens it, as everything that is shown comes from a file.
func (m *made) save(t *testing.T) *planfile.File {
	t.Helper()
	w := planfile.NewWriter(t.TempDir())
	defer w.Close()
	m.Effects.Sets = m.table.Sets
	known := map[uuid.UUID]plan.Group{}
	for _, g := range m.Effects.Groups {
		known[g.ID] = g
	}
	m.Effects.Groups = nil
	for _, id := range m.table.Groups {
		m.Effects.Groups = append(m.Effects.Groups, known[id])
	}
	segments := map[string]int{}
	for i, c := range m.changes {
		key := string(c.kind) + c.wave
		if _, open := segments[key]; !open {
			segments[key] = w.Segment(c.kind, c.wave)
		}
		for n := range c.users {
			user := plan.UserChange{User: uuid.UUID{5, byte(i), byte(n >> 8), byte(n)}, Record: 1, Mails: 1}
			if err := w.Add(segments[key], c.shape, user); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, r := range m.skipped {
		u := plan.SkippedUser{User: uuid.UUID{byte(i)}, Tenant: plan.Tenant{ID: acme, Slug: "acme"}, Wave: "pilot", Reason: r}
		if err := w.Skip(u); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "p")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Finish(f, &m.Plan); err != nil {
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

func newMade(kind state.RunKind) *made {
	m := &made{}
	m.Effects = plan.Effects{
		Kind: kind,
		Target: state.Target{
			Environment: "production", System: "7421", Database: "anthill", Domain: "idm.example.com",
			Origin: "https://idm.example.com",
		},
		Tenants: []plan.Tenant{{ID: acme, Slug: "acme"}, {ID: globex, Slug: "globex"}},
		Groups: []plan.Group{
			{ID: acmeAdmins, Name: "tenant_acme_admins", Tenant: acme, Role: state.RoleAdmin},
			{ID: acmeUsers, Name: "tenant_acme_users", Tenant: acme, Role: state.RoleMember},
			{ID: acmeViewers, Name: "tenant_acme_viewers", Tenant: acme, Role: state.RoleViewer},
			{ID: globexAdmins, Name: "tenant_globex_admins", Tenant: globex, Role: state.RoleAdmin},
			{ID: globexUsers, Name: "tenant_globex_users", Tenant: globex, Role: state.RoleMember},
		},
	}
	m.Basis.Versions = plan.Versions{Anthill: "0.1.0", Postgres: "16.4", SelfAuth: "1.10.5"}
	m.Context.AsOf = asOf
	m.Context.Population = plan.Population{Live: 12204, Moved: 38}
	return m
}

// moving is what happens to a user who is moved.
func (m *made) moving(tenant uuid.UUID, method state.Method, madeBefore bool, groups ...uuid.UUID) plan.Shape {
	return plan.Shape{
		Tenant: tenant,
		Ground: plan.Ground{Relies: providers.ReliesAll, Made: madeBefore},
		Effect: state.Effect{Act: state.PersonCreate, Link: true, Method: method},
		Join:   m.table.Set(groups...),
		After:  state.UserState{Standing: state.Moved, Wave: "pilot"},
	}
}

const globexUsersAt = `group.users["globex"]`

// pilot is a plan with something of everything.
func pilot() *made {
	m := newMade(state.RunApply)
	group := state.Object{
		Address: globexUsersAt, Kind: state.KindGroup, ID: state.GroupID(uuid.Nil, globexUsersAt, 1), Generation: 1,
		Tenant: globex, TenantSlug: "globex",
		Attributes: state.Attributes{
			state.AttrName:    state.TextValue("tenant_globex_users"),
			state.AttrMapping: state.MappingValue(state.RoleMember, "tenant_globex_users"),
		},
	}
	m.Effects.Schema = []string{"users.password_hash.nullable"}
	m.Effects.Objects = []plan.ObjectChange{{
		Address: group.Address, Kind: group.Kind, Action: state.ActionCreate, After: &group, Will: group.Attributes,
	}}
	m.Effects.Waves = []plan.WaveEffect{{Name: "pilot", Starts: true, Moved: true}}
	const dual = state.MethodDual
	m.change(4, plan.SegmentMove, "pilot", m.moving(acme, dual, false, acmeAdmins, acmeUsers))
	m.change(247, plan.SegmentMove, "pilot", m.moving(acme, dual, false, acmeUsers))
	m.change(9, plan.SegmentMove, "pilot", m.moving(acme, dual, true, acmeUsers))
	m.change(2, plan.SegmentMove, "pilot", m.moving(globex, dual, false, globexAdmins, globexUsers))
	m.change(147, plan.SegmentMove, "pilot", m.moving(globex, dual, false, globexUsers))
	m.change(1, plan.SegmentMove, "pilot", m.moving(globex, state.MethodSelfAuth, false, globexUsers))
	m.change(1, plan.SegmentFollow, "", plan.Shape{Tenant: acme, Effect: state.Effect{Act: state.PersonExpire}})
	m.change(1, plan.SegmentFollow, "", plan.Shape{
		Tenant: acme, Join: m.table.Set(acmeUsers), Leave: m.table.Set(acmeViewers),
	})
	c := &m.Context
	c.Population.Tenants = []plan.TenantLive{{Tenant: acme, Live: 800}, {Tenant: globex, Live: 151}}
	c.Isolation = plan.Isolation{Groups: 236, Memberships: 11080}
	c.Schema = []state.Finding{state.Found(state.CodeColumnNullable, state.List(state.KeyColumns, "users.password_hash"))}
	c.Objects = plan.Objects{
		Unchanged: 231,
		Dormant: []state.Finding{
			state.About(state.CodeTenantAway, state.Of(`group.users["old"]`), state.Text(state.KeyStatus, "suspended")),
		},
		Where: map[state.Address]plan.Place{group.Address: {File: "main.anthill.hcl", Line: 31}},
	}
	enrolled := int64(36)
	c.Waves = []plan.WaveView{
		{
			Name: "internal", State: plan.WaveDone, Since: asOf.AddDate(0, 0, -7), Matched: 38, Moved: 38,
			Figures: state.WaveFigures{Selected: 37, Moved: 37, Invited: 37, Enrolled: &enrolled, Completed: 35},
		},
		{Name: "pilot", State: plan.WaveStarts, Matched: 414, Due: 410, Skipped: 19, NotMoved: []plan.Skipped{
			{Reason: plan.SkipEmailRefused, Count: 12}, {Reason: plan.SkipShared, Count: 7},
		}},
		{Name: "everyone", State: plan.WaveHeld, Due: 11754, Skipped: 2, NotMoved: []plan.Skipped{
			{Reason: plan.SkipShared, Count: 2},
		}, Reasons: []state.Finding{
			state.About(state.CodeWaitsFor, state.OfWave("pilot"), state.Because(state.KeyWhy,
				state.Found(state.CodeToMove).Times(410),
				state.Found(state.CodeSoakNeeded, state.Span(state.KeySpan, 14*24*time.Hour)))),
			state.About(state.CodeGateClosed, state.OfWave("everyone"), state.Text(state.KeyGate, "support")),
		}},
	}
	c.Outside = []state.Finding{state.Found(state.CodeDriftPerson).Times(1)}
	c.Notes = []state.Finding{state.Found(state.CodeInNoWave).Times(3)}
	c.Cost = plan.Cost{Calls: 11, Transactions: 3}
	m.skipped = []plan.SkipReason{plan.SkipShared, plan.SkipNoEmail}
	return m
}

func rollback() *made {
	m := newMade(state.RunRollback)
	m.Effects.After = &plan.Moment{Run: "2026-12-07-1"}
	m.Effects.Undo = &plan.Undoing{
		Runs: []string{"2026-12-07-1"}, Waves: []string{"pilot"}, Tenants: []uuid.UUID{acme},
		Pauses: []plan.Pause{{Wave: "pilot", Tenant: acme}},
	}
	back := func(users int, act state.PersonAct, leave ...uuid.UUID) {
		m.change(users, plan.SegmentRestore, "pilot", plan.Shape{
			Tenant: acme, Effect: state.Effect{Act: act, Restore: true}, Leave: m.table.Set(leave...),
			After: state.UserState{Standing: state.RolledBack},
		})
	}
	back(2, state.PersonExpire, acmeAdmins, acmeUsers)
	back(2, state.PersonExpire, acmeAdmins)
	back(247, state.PersonExpire, acmeUsers)
	back(7, state.PersonNone, acmeUsers)
	m.Context.Waves = []plan.WaveView{{Name: "pilot", State: plan.WavePaused}}
	m.Context.Completed = 31
	m.Context.Conflicts = []plan.Conflict{
		{User: uuid.UUID{6}, Why: state.Found(state.CodeNoPassword)},
		{User: uuid.UUID{7}, Why: state.Found(state.CodeLinkedElsewhere)},
	}
	return m
}

// stable takes out what changes with the format of plan files.
func stable(f *planfile.File, s string) string {
	id, seal := f.ID(), f.Seal()
	return strings.NewReplacer(id.String(), "<plan id>", id.Short(), "<id>", seal.String(), "<seal>").Replace(s)
}

func shown(t *testing.T, m *made, o Options) string {
	t.Helper()
	f := m.save(t)
	var b bytes.Buffer
	if err := Plan(&b, f, o); err != nil {
		t.Fatal(err)
	}
	return stable(f, b.String())
}

var unicode100 = Options{Unicode: true, PlanFile: "pilot.plan"}

func TestPlanScreens(t *testing.T) {
	t.Parallel()
	golden(t, "pilot.txt", shown(t, pilot(), unicode100))
	golden(t, "pilot-ascii-60.txt", shown(t, pilot(), Options{Width: 60}))
	golden(t, "rollback.txt", shown(t, rollback(), Options{Unicode: true, PlanFile: "back.plan"}))
}

func TestHazards(t *testing.T) {
	t.Parallel()
	over := state.Found(state.CodeOverLimit, state.Real(state.KeyLimit, 30),
		state.Number(state.KeyPopulation, 12204)).Times(4180)
	blocked := pilot()
	blocked.Effects.Raise(plan.OverLimit, 4180, over)
	blocked.Effects.Raise(plan.LocksOut, 3, state.About(state.CodeScopeLost, state.Of("oauth2_client.app")).Times(3))
	blocked.Effects.Raise(plan.LocksOut, 1, state.Found(state.CodeHomeLost).Times(1))
	blocked.Effects.NotBefore = asOf
	golden(t, "blocked.txt", shown(t, blocked, unicode100))
	allowed := pilot()
	allowed.Effects.Raise(plan.OverLimit, 4180, over)
	allowed.Effects.Allow([]plan.Allowance{{Code: plan.OverLimit, Count: 4180}})
	s := shown(t, allowed, unicode100)
	if !strings.Contains(s, "ALLOWED  OVER_LIMIT=4180") || strings.Contains(s, "BLOCKED") {
		t.Errorf("an allowed hazard:\n%s", s)
	}
}

func TestNothingToDo(t *testing.T) {
	t.Parallel()
	m := pilot()
	m.Effects.Schema, m.Effects.Objects, m.Effects.Waves, m.changes = nil, nil, nil, nil
	m.Context.Waves = m.Context.Waves[:1]
	m.Context.OpenRun = "2026-12-06-3"
	m.Context.Isolation.Violations = []state.Finding{
		state.About(state.CodeGroupShared, state.OfGroup("legacy"), state.List(state.KeyTenants, "a", "b")),
	}
	golden(t, "nothing.txt", shown(t, m, unicode100))
	var b strings.Builder
	if err := NothingToUndo(&b, m.save(t), Options{}); err != nil {
		t.Fatal(err)
	}
	b.WriteString("\n")
	if err := NothingToUndo(&b, rollback().save(t), Options{}); err != nil {
		t.Fatal(err)
	}
	golden(t, "nothing-to-undo.txt", b.String())
}

func TestManyTenants(t *testing.T) {
	t.Parallel()
	m := pilot()
	for i := range 40 {
		id, slug := uuid.UUID{3, byte(i)}, "t"+strings.Repeat("x", i)
		m.Effects.Tenants = append(m.Effects.Tenants, plan.Tenant{ID: id, Slug: slug})
		m.change(3, plan.SegmentMove, "pilot", m.moving(id, state.MethodDual, false))
		o := m.Effects.Objects[0]
		after := *o.After
		o.Address = state.Address(strings.Replace(string(o.Address), "globex", slug, 1))
		after.Address, after.ID = o.Address, state.GroupID(uuid.Nil, o.Address, 1)
		o.After = &after
		m.Effects.Objects = append(m.Effects.Objects, o)
	}
	golden(t, "many.txt", shown(t, m, unicode100))
}

func TestPlanJSON(t *testing.T) {
	t.Parallel()
	f := pilot().save(t)
	var b bytes.Buffer
	if err := PlanJSON(&b, f, nil, nil); err != nil {
		t.Fatal(err)
	}
	golden(t, "pilot.json", stable(f, b.String()))
}

// TestLists: who changes and who does not, one a line, all or those who are asked for.
func TestLists(t *testing.T) {
	t.Parallel()
	f := pilot().save(t)
	all := func(list func(io.Writer, *planfile.File, Chosen) error, of Chosen) string {
		var b bytes.Buffer
		if err := list(&b, f, of); err != nil {
			t.Error(err)
		}
		return b.String()
	}
	usersText := func(w io.Writer, f *planfile.File, of Chosen) error { return Users(w, f, Options{}, of, nil) }
	skippedText := func(w io.Writer, f *planfile.File, of Chosen) error { return Skipped(w, f, Options{}, of, nil) }
	lines := strings.SplitAfter(all(usersText, Chosen{}), "\n")
	kinds := map[string]string{}
	for _, l := range lines {
		if _, rest, ok := strings.Cut(l, "  "); ok && kinds[rest] == "" {
			kinds[rest] = l
		}
	}
	goldenList(t, "users.txt", strings.Join(slices.Sorted(maps.Values(kinds)), ""))
	if want := int(newView(f).changed()) + 1; len(lines) != want {
		t.Errorf("%d lines, want %d", len(lines), want)
	}
	byJSON := strings.SplitAfter(all(UsersJSON, Chosen{}), "\n")
	if len(byJSON) != len(lines) {
		t.Errorf("%d lines of JSON, want %d", len(byJSON), len(lines))
	}
	goldenList(t, "users.json", byJSON[0]+byJSON[len(byJSON)-2])
	goldenList(t, "skipped.txt", all(skippedText, Chosen{}))
	goldenList(t, "skipped.json", all(SkippedJSON, Chosen{}))
	for name, c := range map[string]struct {
		of    Chosen
		lines int64
	}{
		"a tenant":            {Chosen{Tenant: "globex"}, figuresOf(f, "globex")[plan.FigureUsers]},
		"admins":              {Chosen{Admins: true}, newView(f).total()[plan.FigureAdmins]},
		"admins of a tenant":  {Chosen{Tenant: "acme", Admins: true}, figuresOf(f, "acme")[plan.FigureAdmins]},
		"a wave":              {Chosen{Wave: "pilot"}, newView(f).moved("pilot").All[plan.FigureUsers]},
		"a tenant and a wave": {Chosen{Tenant: "acme", Wave: "pilot"}, newView(f).moved("pilot").Tenants[0].Figures[plan.FigureUsers]},
	} {
		if got := int64(strings.Count(all(usersText, c.of), "\n")); got != c.lines || got == 0 {
			t.Errorf("%s: %d lines, want %d", name, got, c.lines)
		}
	}
	if got := all(skippedText, Chosen{Tenant: "acme", Wave: "pilot"}); strings.Count(got, "\n") != 2 {
		t.Errorf("skipped users of acme in pilot:\n%s", got)
	}
	for want, err := range map[string]error{
		`tenant "amce"; it has acme, globex`:      Users(io.Discard, f, Options{}, Chosen{Tenant: "amce"}, nil),
		`wave "pilto"; it has pilot`:              UsersJSON(io.Discard, f, Chosen{Wave: "pilto"}),
		`tenant "globex"; it has acme`:            Skipped(io.Discard, f, Options{}, Chosen{Tenant: "globex"}, nil),
		`wave "internal"; it has pilot, everyone`: SkippedJSON(io.Discard, f, Chosen{Wave: "internal"}),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("error %v, want one that ends with %s", err, want)
		}
	}
}

func figuresOf(f *planfile.File, tenant string) plan.Figures {
	sum := plan.Figures{}
	for _, p := range newView(f).parts {
		for _, t := range p.Tenants {
			if t.Slug == tenant {
				sum.Add(t.Figures)
			}
		}
	}
	return sum
}

// TestGainsAndLosses are counted by what is done, whatever the users of a segment have in common.
func TestGainsAndLosses(t *testing.T) {
	t.Parallel()
	enable, expire := state.Effect{Act: state.PersonEnable}, state.Effect{Act: state.PersonExpire}
	m := newMade(state.RunApply)
	m.Effects.Waves = []plan.WaveEffect{{Name: "pilot"}}
	m.change(3, plan.SegmentFollow, "", plan.Shape{Tenant: acme, Effect: enable, Join: m.table.Set(acmeAdmins)})
	m.change(2, plan.SegmentMove, "pilot", plan.Shape{
		Tenant: acme, Effect: expire, Leave: m.table.Set(acmeAdmins, acmeUsers),
	})
	var b bytes.Buffer
	if err := Plan(&b, m.save(t), Options{Width: 1000}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"3 gain Self-auth login, 2 lose it, 2 leave groups (4 memberships end)",
		"3 users become admin of their tenants, 2 cease to be admin in Self-auth",
		"2 users whose row is gone, not active or not linked lose their Self-auth login",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
}

// TestRecycled: what is deleted comes back as it was for some days only, which is said where something is.
func TestRecycled(t *testing.T) {
	t.Parallel()
	const said = "What is deleted comes back"
	shows := func(m *made) string { return strings.Join(strings.Fields(shown(t, m, unicode100)), " ") }
	if text := shows(pilot()); strings.Contains(text, said) {
		t.Errorf("nothing is deleted, and it says\n%s", text)
	}
	m := pilot()
	for i, kind := range []state.Kind{state.KindGroup, state.KindGroup, state.KindClient, state.KindPolicy} {
		o := state.Object{Address: state.Address(fmt.Sprint(kind, ".x", i)), Kind: kind}
		m.Effects.Objects = append(m.Effects.Objects, plan.ObjectChange{
			Address: o.Address, Kind: kind, Action: state.ActionDelete, Before: &o, Was: state.Attributes{},
		})
	}
	want := "What is deleted comes back as it was for 7 days, and is made anew after that: 2 groups, 1 client with its secret."
	if text := shows(m); !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
	m = rollback()
	m.change(3, plan.SegmentRestore, "pilot", plan.Shape{Tenant: acme, Effect: state.Effect{Act: state.PersonDelete}})
	want = "made anew after that: 3 persons with their credentials."
	if text := shows(m); !strings.Contains(text, want) {
		t.Errorf("%q is not in\n%s", want, text)
	}
}

// TestContextCannotLie rewrites all numbers and texts of a plan's context, as somebody may who writes the file anew and
// leaves the plan ID as it was: no figure about what the plan does changes.
func TestContextCannotLie(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]func() *made{"apply": pilot, "rollback": rollback} {
		honest, tampered := of(), of()
		honest.Effects.Raise(plan.DeletesData, 7, state.Found(state.CodePersonsDeleted).Times(7))
		tampered.Effects.Raise(plan.DeletesData, 7, state.Found(state.CodePersonsDeleted).Times(7))
		tampered.Context.Schema = nil
		spoil(reflect.ValueOf(&tampered.Context).Elem())
		a, b := honest.save(t), tampered.save(t)
		if a.ID() != b.ID() || a.Seal() == b.Seal() {
			t.Fatalf("%s: the context must be outside the plan ID and inside the seal", name)
		}
		want, got := effectLines(t, a), effectLines(t, b)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: figures about effects (-want +got):\n%s", name, diff)
		}
		if len(want) < 10 {
			t.Errorf("%s: only these lines were compared: %q", name, want)
		}
	}
}

// spoil sets all numbers to 99999 and all texts that are no names to another; names and states stay, so that the same
// lines are shown.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Int, reflect.Int64:
		v.SetInt(99999)
	case reflect.Float64:
		v.SetFloat(99999)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				spoil(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	}
}

var (
	effectLine = regexp.MustCompile(`^ {8}| change \(|^  BLOCKED|^    -allow|persons? expire|memberships? |` +
		`rows? goes? back|^  \d+ objects?:|schema step|undoes \d|^  ~ |^  \+ `)
	ofContext = regexp.MustCompile(` of [\d,]+ live users?|\([\d.]+ %\)|; [\d,]+ unchanged|` +
		`main.anthill.hcl:\d+|  ~ schema.*`)
)

// effectLines are the lines of a plan's screen that hold figures about its effects, without the figures beside them
// that are about something else.
func effectLines(t *testing.T, f *planfile.File) (lines []string) {
	t.Helper()
	var b bytes.Buffer
	if err := Plan(&b, f, Options{Width: 1000}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(b.String(), "\n") {
		if effectLine.MatchString(line) && !strings.Contains(line, "Tenant isolation") {
			lines = append(lines, ofContext.ReplaceAllString(line, ""))
		}
	}
	moved := regexp.MustCompile(`410 users to move: acme 260, globex 150`)
	return append(lines, moved.FindAllString(b.String(), -1)...)
}

func TestResults(t *testing.T) {
	t.Parallel()
	done := state.RunInfo{
		ID: "2026-12-07-1", Kind: state.RunApply, Ended: asOf, Outcome: state.OutcomeDone, Changed: true,
		Counts: state.Counts{Done: 412, Objects: 5},
	}
	rest := done
	rest.Outcome = state.OutcomeRemainder
	left := rest
	left.ID, left.Counts = "2026-12-07-2", state.Counts{Done: 411, Failed: 1}
	rest.Counts = state.Counts{Done: 1409, Changed: 2, Failed: 1, Paused: 3, Already: 4}
	refusal := state.Found(state.CodeRefusal, state.Text(state.KeySaid, "Self-auth refuses the e-mail address"),
		state.Text(state.KeyRequest, "r-1"))
	users := []uuid.UUID{{15: 0x7c}, {15: 0xaa}}
	pilot, rollback := &pilot().Effects, &rollback().Effects
	var out strings.Builder
	for _, r := range []struct {
		title   string
		effects *plan.Effects
		result  apply.Result
		stopped error
	}{
		{"done", pilot, apply.Result{Run: done}, nil},
		{"remainder", pilot, apply.Result{
			Run: rest,
			Held: []state.Finding{
				state.About(state.CodeWaveNotStarted, state.OfWave("everyone"), state.Text(state.KeyAfter, "pilot")),
				state.About(state.CodeWaveOvertaken, state.OfWave("late")),
			},
			Objects: []state.Finding{
				state.About(state.CodeObjectLeft, state.Of(`group.users["globex"]`), state.Because(state.KeyWhy, refusal)),
			},
			Left: []apply.Left{
				{User: users[0], Wave: "pilot", Verdict: state.Refused, Reason: refusal},
				{User: users[1], Wave: "pilot", Verdict: state.Changed, Reason: state.Found(state.CodeRowChanged)},
			},
		}, nil},
		{"stopped", pilot, apply.Result{Run: done, Stopped: true},
			errors.New("Self-auth: create 250 persons: no connection\nCheck SELF_AUTH_URL.")},
		{"nothing", pilot, apply.Result{Nothing: true}, nil},
		{"carried out before", pilot, apply.Result{Nothing: true, Run: done}, nil},
		{"rolled back", rollback, apply.Result{Run: done}, nil},
		{"rolled back, with a remainder", rollback, apply.Result{Run: left}, nil},
	} {
		out.WriteString("== " + r.title + "\n")
		if err := Result(&out, r.effects, r.result, r.stopped, 1100*time.Millisecond, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := ResultJSON(&out, r.effects, r.result, r.stopped); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "results.txt", out.String())
}

func TestProgress(t *testing.T) {
	t.Parallel()
	now := asOf
	clock := func() time.Time { return now }
	var lines, terminal strings.Builder
	plain, bar := NewProgress(&lines, false, clock, Options{}), NewProgress(&terminal, true, clock, Options{Unicode: true})
	for i := range 26 {
		e := apply.Event{Kind: apply.Progress, Stage: "move", Wave: "follow", Done: int64(i * 100), Total: 2500}
		plain.Event(e)
		bar.Event(e)
		now = now.Add(time.Second)
	}
	e := &plan.Effects{}
	for i, s := range []plan.Segment{{Kind: plan.SegmentFollow, Users: 13}, {Kind: plan.SegmentWithdraw, Wave: "a", Users: 1}, {Kind: plan.SegmentMove, Wave: "a"}} {
		s.Users += int64(i)
		e.Segments = append(e.Segments, s)
	}
	for _, wave := range []string{"b", "c", "d\x1b", "e"} {
		e.Segments = append(e.Segments, plan.Segment{Kind: plan.SegmentMove, Wave: wave, Users: 2000})
	}
	for _, wave := range []string{"a", "b", "c", "d\x1b", "e"} {
		e.Waves = append(e.Waves, plan.WaveEffect{Name: wave})
	}
	e.Segments[2], e.Segments[5] = e.Segments[5], e.Segments[2] // users of the fourth were met first
	plain.Of(e)
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "objects", Done: 1, Total: 1})
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "follow", Done: 13, Total: 13})
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "move", Wave: "c", Done: 2000, Total: 2000})
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "move", Wave: "e", Done: 2000, Total: 2000})
	plain.Of(&plan.Effects{})
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "restore", Done: 2, Total: 2})
	plain.Event(apply.Event{Kind: apply.Progress, Stage: "restore", Wave: "pilot", Done: 3, Total: 3})
	noBulk := state.Found(state.CodeNoBulkCall, state.Text(state.KeyPath, "/v1/\x1b"))
	plain.Event(apply.Event{Kind: apply.Note, Note: noBulk})
	plain.Close()
	bar.Close()
	bar.Close()
	want := "follow 1,000/2,500  100/s\nfollow 2,000/2,500  100/s\nfollow 2,500/2,500  100/s\n" +
		"objects 1/1\nusers moved before 13/13  then a 2, b 2,000, c 2,000, and 2 more\nc 2,000/2,000  then d\\u001b 2,000, e 2,000\ne 2,000/2,000\n" +
		"users taken back 2/2\ntaken back from pilot 3/3\n" +
		"Self-auth does not accept /v1/\\u001b from this token: persons are written one by one, which is much slower\n"
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("off a terminal (-want +got):\n%s", diff)
	}
	s := terminal.String()
	if strings.Count(s, "\r") != 26 || !strings.HasSuffix(s, "2,500 of 2,500  100/s\n") ||
		!strings.Contains(s, "0:15 left") {
		t.Errorf("on a terminal: %q", s)
	}
}
