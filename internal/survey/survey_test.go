package survey

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

var (
	asOf    = time.Date(2026, 12, 21, 12, 0, 0, 0, time.UTC)
	acme    = uuid.UUID{1}
	globex  = uuid.UUID{2}
	sleepy  = uuid.UUID{3}
	gone    = uuid.UUID{4}
	tenants = []providers.Tenant{
		{ID: acme, Slug: "acme", Status: "active"}, {ID: globex, Slug: "globex", Status: "active"},
		{ID: sleepy, Slug: "sleepy", Status: "suspended"}, {ID: gone, Slug: "gone", Status: "active", Deleted: true},
	}
)

// who are users who have nothing special but what change makes of them.
func who(tenant uuid.UUID, users int64, change func(*providers.UserFacts)) providers.UserCount {
	c := providers.UserCount{Users: users, UserFacts: providers.UserFacts{Tenant: tenant, Active: true, Method: state.MethodPassword, Password: true}}
	if change != nil {
		change(&c.UserFacts)
	}
	return c
}

func moved(wave, policy string) func(*providers.UserFacts) {
	return func(f *providers.UserFacts) {
		f.Standing, f.Wave, f.Policy, f.Linked, f.Method = state.Moved, wave, policy, true, state.MethodDual
	}
}

func and(changes ...func(*providers.UserFacts)) func(*providers.UserFacts) {
	return func(f *providers.UserFacts) {
		for _, c := range changes {
			c(f)
		}
	}
}

func completed(f *providers.UserFacts) { f.Completed = true }
func enrolled(f *providers.UserFacts)  { f.Enrolled = true }

// pilotAndRest is a pilot of acme that soaks for two weeks and has a gate, and all others after it.
func pilotAndRest(t *testing.T) *config.Config {
	t.Helper()
	half, err := config.ParseCondition("wave.completed >= 0.5 * wave.moved")
	if err != nil {
		t.Fatal(err)
	}
	return &config.Config{
		Policies: []config.Policy{{Name: "dual", Method: state.MethodDual, PasswordUntil: asOf.AddDate(0, 3, 0)}},
		Allows:   []config.Allow{{Hazard: "OVER_LIMIT", Until: asOf.AddDate(0, 0, 1)}, {Hazard: "LAST_ADMIN", Until: asOf}},
		Waves: []config.Wave{
			{Name: "pilot", Policy: "dual", Enabled: true, Users: []config.Selector{{Tenants: []string{"acme"}}}, Soak: 14 * day,
				FinishGates: []string{"adoption", "support"}, Gates: []config.Gate{{Name: "adoption", Condition: half, NoData: "wait"}, {Name: "support"}}},
			{Name: "rest", Policy: "dual", Enabled: true, Users: []config.Selector{{All: true}}, After: []string{"pilot"}, At: asOf.AddDate(0, 0, 7)},
		},
	}
}

// world is 100 users of acme, of whom 90 are moved, and others of each sort.
func world(t *testing.T) Input {
	return Input{
		State: &state.State{
			Waves: []state.Wave{{Name: "pilot", Started: asOf.Add(-13 * day), Soaking: asOf.Add(-10 * day), MovedAt: asOf.Add(-10 * day), Failed: 3}},
			Runs: []state.RunInfo{
				{ID: "r0", Kind: state.RunApply, Started: asOf.Add(-20 * day), Counts: state.Counts{Objects: 4}},
				{ID: "r1", Kind: state.RunApply, Started: asOf.Add(-13 * day), Who: "ana@host", ApprovedBy: "ben", Counts: state.Counts{Done: 90}},
				{ID: "r2", Kind: state.RunRollback, Started: asOf.Add(-1 * day), Counts: state.Counts{Done: 2}},
			},
			Confirmations: []state.Confirmation{{Wave: "pilot", Gate: "support", By: "ana", Note: "staffed", At: asOf.Add(-day)}},
		},
		Level: providers.LevelDual, Config: pilotAndRest(t), Tenants: tenants, Enrolled: true, AsOf: asOf,
		MovedOf: map[string]int64{"pilot": 92, "old": 4}, // two rows are gone
		Left:    map[string][]plan.Skipped{"pilot": {{Reason: plan.SkipNoEmail, Count: 4}, {Reason: plan.SkipSuspended, Count: 99}}},
		Counts: []providers.UserCount{
			who(acme, 30, and(moved("pilot", "dual"), completed, enrolled)),
			who(acme, 10, and(moved("pilot", "dual"), enrolled, func(f *providers.UserFacts) { f.Invited = true })),
			who(acme, 45, moved("pilot", "dual")),
			who(acme, 5, and(moved("pilot", "dual"), func(f *providers.UserFacts) { f.Active, f.Suspended = false, true })),
			who(acme, 4, nil), // left by the last apply for their addresses
			who(acme, 4, func(f *providers.UserFacts) { f.Active = false }),
			who(acme, 2, func(f *providers.UserFacts) { f.Excluded = true }),
			who(acme, 1, func(f *providers.UserFacts) { f.Deleted = true }),
			who(globex, 50, nil),
			who(globex, 6, func(f *providers.UserFacts) {
				f.Linked, f.Method, f.Password, f.Completed = true, state.MethodSelfAuth, false, true
			}),
			who(globex, 4, moved("old", "older")),
			who(sleepy, 7, nil),
			who(gone, 9, nil),
			who(acme, 3, func(f *providers.UserFacts) { f.Standing, f.Wave = state.RowBack, "pilot" }),
			who(globex, 1, func(f *providers.UserFacts) { f.Standing, f.Wave, f.Linked = state.RowBack, "pilot", true }),
		},
	}
}

// TestTotals: live users are those whose row and tenant are not deleted; the population is active tenants' without those who are excluded.
func TestTotals(t *testing.T) {
	t.Parallel()
	s := Make(world(t))
	n := int64(40)
	want := Totals{Users: 171, SelfAuthOnly: 6, DualAuth: 94, PasswordOnly: 71, Percent: 58.48, Linked: 101, Invited: 10, Enrolled: &n, Completed: 36, Alone: 6}
	if diff := cmp.Diff(want, s.Totals); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	p := s.Population
	if p.Users != 162 || p.Linked != 101 || p.Completed != 36 {
		t.Errorf("population %+v", p)
	}
	// The one who is excluded is none of the population, and the suspended tenant's users neither.
	if diff := cmp.Diff([]Cannot{{"inactive", 4}, {"no_email", 4}}, p.Cannot); diff != "" {
		t.Errorf("cannot be moved (-want +got):\n%s", diff)
	}
	var slugs []string
	for _, one := range s.Tenants {
		slugs = append(slugs, one.Slug)
	}
	if diff := cmp.Diff([]string{"acme", "globex", "sleepy"}, slugs); diff != "" {
		t.Errorf("tenants, the furthest first (-want +got):\n%s", diff)
	}
	if a := s.Tenants[1]; a.Users != 61 || a.SelfAuthOnly != 6 || a.Alone != 6 || a.Percent != 16.39 {
		t.Errorf("globex %+v", a)
	}
	if len(s.LeftOpen) != 2 || s.LeftOpen[0].Count != 3 || s.LeftOpen[1].Count != 1 {
		t.Errorf("left open %+v", s.LeftOpen)
	}
	empty := Make(Input{State: &state.State{}, AsOf: asOf})
	if empty.Totals.Users != 0 || empty.Totals.Percent != 0 || empty.Totals.Enrolled != nil {
		t.Errorf("of nothing: %+v", empty.Totals)
	}
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, whole int64
		want        float64
	}{{0, 0, 0}, {0, 7, 0}, {7, 7, 100}, {1, 3, 33.33}, {2, 3, 66.67}, {1, 8, 12.5}, {1, 800, 0.13}, {123, 100000, 0.12}, {125, 100000, 0.13}} {
		if got := Percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.part, c.whole, got, c.want)
		}
	}
}

// TestWaves: a wave soaks when those who are left were left for good; its gates stand with figures, and the next one waits. What is no
// longer declared is there with whom it holds.
func TestWaves(t *testing.T) {
	t.Parallel()
	s := Make(world(t))
	if len(s.Waves) != 3 {
		t.Fatalf("%d waves", len(s.Waves))
	}
	pilot, rest, old := s.Waves[0], s.Waves[1], s.Waves[2]
	enrolled := int64(40)
	want := state.WaveFigures{Selected: 98, Moved: 85, Invited: 10, Enrolled: &enrolled, Completed: 30, Failed: 3, Skipped: 10}
	// Of those whose row was taken back alone three are to be moved again.
	if pilot.Due != 3 {
		t.Errorf("%d are due", pilot.Due)
	}
	if diff := cmp.Diff(want, pilot.Figures); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if pilot.State != plan.WaveRunning || pilot.Matched != 105 || pilot.Moved != 92 || pilot.Skipped != 10 {
		t.Errorf("pilot %+v", pilot.WaveView)
	}
	if diff := cmp.Diff(&Began{"r1", "ana@host", "ben"}, pilot.Began); diff != "" {
		t.Errorf("begun (-want +got):\n%s", diff)
	}
	if len(pilot.Gates) != 2 || pilot.Gates[0].Open || pilot.Gates[0].Kind != GateFigures || pilot.Gates[0].Figures.Code != state.CodeGateShut ||
		!pilot.Gates[1].Open || pilot.Gates[1].By != "ana" || !pilot.Gates[1].Since.Equal(asOf.Add(-day)) {
		t.Errorf("gates %+v", pilot.Gates)
	}
	if rest.State != plan.WaveHeld || rest.Due != 57 || rest.Skipped != 7 || rest.Matched != 64 {
		t.Errorf("rest %+v", rest.WaveView)
	}
	if old.Declared || old.Moved != 4 || old.Figures.Moved != 4 || old.State != "" {
		t.Errorf("old %+v", old)
	}

	in := world(t)
	in.Counts = in.Counts[:len(in.Counts)-2]
	s = Make(in)
	pilot = s.Waves[0]
	if pilot.State != plan.WaveSoaking || !pilot.Until.Equal(asOf.Add(4*day)) || pilot.Due != 0 || !pilot.Gates[0].Since.Equal(asOf.Add(-10*day)) {
		t.Errorf("pilot %+v, gates %+v", pilot.WaveView, pilot.Gates)
	}
	kinds := []EventKind{}
	for _, e := range s.Events {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]EventKind{EventAllow, EventSoak, EventStart, EventPassword}, kinds); diff != "" {
		t.Errorf("what comes (-want +got):\n%s", diff)
	}

	// Without a configuration what is recorded is there all the same.
	in.Config = nil
	s = Make(in)
	if len(s.Waves) != 2 || s.Waves[0].Declared || s.Waves[1].Figures.Completed != 30 || len(s.Events) != 0 || s.Totals.Users != 167 {
		t.Errorf("waves %+v, events %v", s.Waves, s.Events)
	}
}

// TestWaits: pauses, tenants that have not confirmed, and those who have not enrolled keep users waiting.
func TestWaits(t *testing.T) {
	t.Parallel()
	in := world(t)
	c := in.Config
	c.Policies = append(c.Policies, config.Policy{Name: "self", Method: state.MethodSelfAuth, From: "dual"})
	c.Waves[1].After, c.Waves[1].At = nil, time.Time{}
	c.Waves[1].StartGates, c.Waves[1].Gates = []string{"opt-in"}, []config.Gate{{Name: "opt-in", PerTenant: true}}
	c.Waves = append(c.Waves, config.Wave{Name: "retire", Policy: "self", Enabled: true, Users: []config.Selector{{All: true}}})
	in.State.Pauses = []state.Pause{{Wave: "pilot", Tenant: acme, By: "ana"}}
	s := Make(in)
	pilot, rest, retire := s.Waves[0], s.Waves[1], s.Waves[2]
	if pilot.Due != 0 || pilot.Waiting != 7 {
		t.Errorf("paused: %+v", pilot.WaveView)
	}
	if rest.Due != 0 || rest.Waiting != 57 || rest.Gates[0].Open || rest.Gates[0].Waiting != 1 || rest.Gates[0].Kind != GateTenant {
		t.Errorf("not confirmed: %+v", rest)
	}
	if retire.Matched != 90 || retire.Due != 0 || retire.Waiting != 85 || retire.Skipped != 5 {
		t.Errorf("to be raised, and paused where it was moved: %+v", retire.WaveView)
	}
	// Five of those moved under dual are suspended; 40 have enrolled.
	pauses := in.State.Pauses
	in.State.Pauses = nil
	retire = Make(in).Waves[2]
	in.State.Pauses = pauses
	if retire.Matched != 90 || retire.Due != 40 || retire.Waiting != 45 || retire.Skipped != 5 {
		t.Errorf("to be raised: %+v", retire.WaveView)
	}
	in.State.Confirmations = append(in.State.Confirmations, state.Confirmation{Wave: "rest", Gate: "opt-in", Tenant: globex, By: "ana", At: asOf})
	if rest := Make(in).Waves[1]; rest.Due != 57 || !rest.Gates[0].Open || rest.Gates[0].Tenants != 1 {
		t.Errorf("confirmed: %+v", rest)
	}

	placer := NewPlacer(in)
	for name, c := range map[string]struct {
		users  providers.UserCount
		wave   string
		reason plan.SkipReason
	}{
		"due":        {who(globex, 1, nil), "rest", plan.SkipNone},
		"paused":     {who(acme, 1, nil), "pilot", plan.SkipPaused},
		"suspended":  {who(acme, 1, func(f *providers.UserFacts) { f.Active, f.Suspended = false, true }), "pilot", plan.SkipSuspended},
		"moved":      {who(globex, 1, moved("old", "older")), "old", plan.SkipNone},
		"a tenant's": {who(sleepy, 1, nil), "rest", plan.SkipTenantSuspended},
	} {
		slug, wave, reason := placer.Place(&c.users.UserFacts)
		if slug == "" || wave != c.wave || reason != c.reason {
			t.Errorf("%s: %q, wave %q, %s", name, slug, wave, reason)
		}
	}
	if _, wave, _ := NewPlacer(Input{State: &state.State{}, Tenants: tenants}).Place(&in.Counts[0].UserFacts); wave != "pilot" {
		t.Errorf("without a configuration it is the recorded wave: %q", wave)
	}
}

func TestPhases(t *testing.T) {
	t.Parallel()
	in := world(t)
	states := func(in Input) (list []PhaseState) {
		for _, p := range Make(in).Phases {
			list = append(list, p.State)
		}
		return list
	}
	for name, c := range map[string]struct {
		in   Input
		want []PhaseState
	}{
		"under way": {in, []PhaseState{PhaseDone, PhaseBegun, PhaseUnknown, PhaseBegun, PhasePending}},
		"nothing yet": {Input{State: &state.State{}, Level: providers.LevelBaseline, Config: pilotAndRest(t), Tenants: tenants, AsOf: asOf,
			Counts: []providers.UserCount{who(acme, 3, nil)}}, []PhaseState{PhasePending, PhasePending, PhaseUnknown, PhasePending, PhasePending}},
		"half a schema, all linked": {Input{State: &state.State{}, Level: providers.LevelBetween, Tenants: tenants, AsOf: asOf,
			Counts: []providers.UserCount{who(acme, 3, moved("x", "y"))}, MovedOf: map[string]int64{"x": 3}},
			[]PhaseState{PhaseBegun, PhaseDone, PhaseUnknown, PhaseBegun, PhasePending}},
	} {
		if diff := cmp.Diff(c.want, states(c.in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNewUsers: who was created after new users needed Self-auth and logs in by password; before that day nobody is.
func TestNewUsers(t *testing.T) {
	t.Parallel()
	in := world(t)
	if n := Make(in).NewUsers; n != nil {
		t.Errorf("nobody said from when on: %+v", n)
	}
	in.Counts = append(in.Counts, who(acme, 2, func(f *providers.UserFacts) { f.New = true }), who(acme, 5, and(moved("pilot", "dual"), func(f *providers.UserFacts) { f.New = true })),
		who(acme, 7, func(f *providers.UserFacts) { f.New, f.Excluded = true, true }))
	in.Config.Schema = &config.Schema{RequiredFrom: asOf.Add(-day)}
	if n := Make(in).NewUsers; n == nil || n.Users != 2 {
		t.Errorf("%+v", n)
	}
	in.Config.Schema.RequiredFrom = asOf.Add(day)
	s := Make(in)
	if s.NewUsers != nil || s.Events[0].Kind != EventNewUsers && s.Events[1].Kind != EventNewUsers {
		t.Errorf("%+v, %+v", s.NewUsers, s.Events)
	}
}

// TestKPI: the term begins with the first run that linked somebody and is never begun again; the pace is the line through the last whole
// days, at most 14, and is unknown under 7.
func TestKPI(t *testing.T) {
	t.Parallel()
	today := asOf.Truncate(day)
	days := func(n int, perDay int64) (list []providers.DayCount) {
		for i := range n {
			list = append(list, providers.DayCount{Linked: today.Add(time.Duration(i-n) * day), Completed: today.Add(time.Duration(i-n) * day),
				Method: state.MethodDual, Serves: true, Users: perDay})
		}
		return list
	}
	in := world(t)
	in.Days = append(days(13, 2), providers.DayCount{Completed: today, Serves: true, Users: 1, Method: state.MethodDual},
		providers.DayCount{Completed: today, Linked: today, Users: 50}) // not of the population
	k := Make(in).KPI
	if k.Run != "r1" || !k.Deadline.Equal(asOf.Add(47*day)) || k.Rate != 22.22 || k.Linked != 62.35 {
		t.Errorf("%+v", k)
	}
	if k.Satisfaction != nil || k.Tickets != nil {
		t.Errorf("nobody has recorded anything: %+v", k)
	}
	in.State.Confirmations = append(in.State.Confirmations,
		state.Confirmation{Wave: "pilot", Gate: "satisfaction", Value: "4.6", By: "ana", At: asOf.Add(-day)},
		state.Confirmation{Wave: "rest", Gate: "satisfaction", Value: "4.4", By: "ben", At: asOf},
		state.Confirmation{Wave: "rest", Gate: "satisfaction", By: "ben", At: asOf.Add(time.Hour)},
		state.Confirmation{Wave: "pilot", Gate: "tickets", Value: "9", By: "ana", At: asOf})
	m := Make(in).KPI
	if diff := cmp.Diff([]*Measured{{"4.4", false, "rest", "ben", asOf}, {"9", true, "pilot", "ana", asOf}}, []*Measured{m.Satisfaction, m.Tickets}); diff != "" {
		t.Errorf("measured by hand (-want +got):\n%s", diff)
	}
	// 36 of 162 have completed; two a day for 47 days make 130.
	if p := k.Projection; p == nil || p.Days != 13 || p.PerDay != 2 || p.AtDeadline != 80.25 || p.Reached.Sub(asOf).Round(time.Hour) != 1415*time.Hour {
		t.Errorf("%+v", p)
	}
	in.State.Runs[1].Started = asOf.Add(-7 * day)
	if p := Make(in).KPI.Projection; p == nil || p.Days != 7 || p.PerDay != 2 {
		t.Errorf("seven days: %+v", p)
	}
	in.State.Runs[1].Started = asOf.Add(-6 * day)
	if p := Make(in).KPI.Projection; p != nil {
		t.Errorf("six days: %+v", p)
	}
	in.State.Runs[1].Started = asOf.Add(-90 * day)
	in.Days = []providers.DayCount{}
	if p := Make(in).KPI.Projection; p.PerDay != 0 || !p.Reached.IsZero() || p.AtDeadline != 22.22 || p.Days != 14 {
		t.Errorf("nobody completes: %+v", p)
	}
	in.State.Runs = nil
	if k := Make(in).KPI; !k.Start.IsZero() || k.Projection != nil {
		t.Errorf("nobody was linked: %+v", k)
	}
	if s := Make(world(t)); s.KPI != nil || s.Days != nil {
		t.Error("days that nobody asked for")
	}
}

// TestDays: the last 30 days, those in which something happened, newest first; and how the population came to stand as it does.
func TestDays(t *testing.T) {
	t.Parallel()
	today := asOf.Truncate(day)
	in := world(t)
	in.Days = []providers.DayCount{
		{Linked: today.Add(-31 * day), Method: state.MethodDual, Serves: true, Users: 4},
		{Linked: today.Add(-30 * day), Completed: today, Method: state.MethodDual, Serves: true, Users: 3},
		{Linked: today.Add(-12 * day), Completed: today.Add(-2 * day), Method: state.MethodSelfAuth, Serves: true, Users: 2},
		{Linked: today.Add(-2 * day), Method: state.MethodDual, Users: 5}, // of a tenant that is not active
		{Method: state.MethodDual, Serves: true, Users: 1},                // nobody knows when
	}
	s := Make(in)
	if diff := cmp.Diff([]Day{{"2026-12-21", 0, 3}, {"2026-12-19", 5, 2}, {"2026-12-09", 2, 0}, {"2026-11-21", 3, 0}}, s.Days); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
	first, last := s.Adoption[0], s.Adoption[len(s.Adoption)-1]
	if diff := cmp.Diff([]Point{{"2026-12-07", 154, 8, 0, 0}, {"2026-12-21", 152, 8, 2, 5}}, []Point{first, last}); diff != "" || len(s.Adoption) != 15 {
		t.Errorf("%d points, the first and the last (-want +got):\n%s", len(s.Adoption), diff)
	}
	in.State.Runs[1].Started = asOf.Add(-2000 * day)
	if n := len(Make(in).Adoption); n > pointsMost+1 || n < pointsMost/2 {
		t.Errorf("%d points of 2,000 days", n)
	}
}
