package report

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"anthill/internal/survey"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// surveyed is a status in the middle of a pilot.
func surveyed() Status {
	enrolled := int64(120)
	totals := survey.Totals{Users: 12204, SelfAuthOnly: 3, DualAuth: 447, PasswordOnly: 11754, Percent: 3.69, Linked: 450, Invited: 450, Enrolled: &enrolled,
		Completed: 132, Alone: 3}
	shut := state.About(state.CodeGateShut, state.OfWave("pilot"), state.Text(state.KeyGate, "adoption"),
		state.Text(state.KeyCondition, "wave.completed >= 0.5 * wave.moved"), state.Because(state.KeyFigures,
			state.Found(state.CodeFigure, state.Text(state.KeyName, "completed")).Times(97), state.Found(state.CodeFigure, state.Text(state.KeyName, "moved")).Times(409)))
	internal := int64(36)
	wave := func(name string, s plan.WaveState, matched int64, f state.WaveFigures) survey.Wave {
		return survey.Wave{WaveView: plan.WaveView{Name: name, Policy: "dual", State: s, Matched: matched, Moved: f.Moved, Figures: f}, Declared: true, Gates: []survey.Gate{}}
	}
	done := wave("internal", plan.WaveDone, 38, state.WaveFigures{Selected: 38, Moved: 38, Invited: 38, Enrolled: &internal, Completed: 35})
	done.Since, done.Began = asOf.AddDate(0, 0, -21), &survey.Began{Run: "2026-11-16-1", Who: "ana@host", ApprovedBy: "cleo"}
	done.Gates = []survey.Gate{{Name: "errors", Kind: survey.GateFigures, Finish: true, Open: true}}
	pilot := wave("pilot", plan.WaveSoaking, 412, state.WaveFigures{Selected: 412, Moved: 409, Invited: 409, Enrolled: &enrolled, Completed: 97, Skipped: 3})
	pilot.Since, pilot.Until, pilot.Skipped, pilot.Moved = asOf.AddDate(0, 0, -1), asOf.AddDate(0, 0, 14), 3, 411
	pilot.Reasons = []state.Finding{shut}
	pilot.Gates = []survey.Gate{
		{Name: "support", Kind: survey.GateManual, Open: true, By: "ana", Note: "the desk is staffed", Since: asOf.AddDate(0, 0, -3)},
		{Name: "adoption", Kind: survey.GateFigures, Finish: true, Figures: shut, Since: asOf.AddDate(0, 0, -1)},
		{Name: "feedback", Kind: survey.GateManual, Finish: true},
	}
	everyone := wave("everyone", plan.WaveHeld, 11754, state.WaveFigures{Selected: 11754, Enrolled: new(int64)})
	everyone.Due, everyone.Waiting = 11000, 754
	everyone.Reasons = []state.Finding{state.About(state.CodeWaitsFor, state.OfWave("pilot"), state.Because(state.KeyWhy, state.Found(state.CodePausedItself)))}
	everyone.Gates = []survey.Gate{{Name: "opt-in", Kind: survey.GateTenant, Tenants: 2, Waiting: 31}}
	old := survey.Wave{WaveView: plan.WaveView{Name: "old", Matched: 4, Moved: 4, Figures: state.WaveFigures{Moved: 4}}, Gates: []survey.Gate{}}
	tenant := func(slug, status string, users, dual, completed int64) survey.Tenant {
		return survey.Tenant{ID: uuid.NewSHA1(acme, []byte(slug)), Slug: slug, Name: slug, Status: status, Totals: survey.Totals{
			Users: users, DualAuth: dual, PasswordOnly: users - dual, Percent: survey.Percent(dual, users), Linked: dual, Completed: completed, Enrolled: new(int64)}}
	}
	acme := tenant("acme", "active", 300, 260, 80)
	acme.Alone = 3
	v := &survey.Survey{
		Totals:     totals,
		Population: survey.Population{Users: 12004, Linked: 450, Completed: 132, Cannot: []survey.Cannot{{Reason: "no_email", Users: 12}, {Reason: survey.NoWave, Users: 4}}},
		Phases: []survey.Phase{{Number: "4.1", State: survey.PhaseDone}, {Number: "4.2", State: survey.PhaseBegun, Done: 450, Of: 12004},
			{Number: "4.3", State: survey.PhaseUnknown}, {Number: "4.4", State: survey.PhaseBegun, Done: 1, Of: 3}, {Number: "4.5", State: survey.PhasePending}},
		Waves:   []survey.Wave{done, pilot, everyone, old},
		Tenants: []survey.Tenant{acme, tenant("globex", "suspended", 200, 152, 17), tenant("empty", "active", 0, 0, 0)},
		Overdue: []state.Finding{state.About(state.CodePasswordOverdue, state.Of("auth_policy.dual"), state.At(state.KeyUntil, asOf)).Times(4)},
		Events: []survey.Event{{At: asOf.AddDate(0, 0, 14), Kind: survey.EventSoak, Name: "pilot"}, {At: asOf.AddDate(0, 0, 20), Kind: survey.EventAllow, Name: "OVER_LIMIT"},
			{At: asOf.AddDate(0, 0, 21), Kind: survey.EventStart, Name: "everyone"}, {At: asOf.AddDate(0, 0, 22), Kind: survey.EventPassword, Name: "dual"},
			{At: asOf.AddDate(0, 0, 23), Kind: survey.EventNewUsers}},
		NewUsers: &survey.NewUsers{From: asOf.AddDate(0, 0, -2), Users: 3},
		Days:     []survey.Day{{Date: "2026-12-07", Linked: 0, Completed: 12}, {Date: "2026-12-06", Linked: 412, Completed: 20}, {Date: "2026-11-16", Linked: 38}},
		KPI: &survey.KPI{Target: 95, Start: asOf.AddDate(0, 0, -21), Run: "2026-11-16-1", Deadline: asOf.AddDate(0, 0, 39), Rate: 1.1, Linked: 3.75,
			Satisfaction: &survey.Measured{Value: "4.6", Met: true, Wave: "pilot", By: "ana", At: asOf},
			Projection:   &survey.Projection{Days: 14, PerDay: 6.3, AtDeadline: 3.15, Reached: asOf.AddDate(5, 0, 0)}},
	}
	for i := range 22 {
		n := int64(i * i)
		v.Adoption = append(v.Adoption, survey.Point{Date: asOf.AddDate(0, 0, i-21).Format(time.DateOnly), Password: 12004 - 9*n, Dual: 8 * n, SelfAuth: n, Completed: 4 * n})
	}
	st := &state.State{
		Exists: true,
		Pauses: []state.Pause{{Wave: "pilot", Run: "r", By: "ben@host", At: asOf}, {Wave: "everyone", Tenant: acme.ID, By: "ana@host", Reason: "acme asked for it", At: asOf}},
		Runs: []state.RunInfo{
			{ID: "2026-11-16-1", Kind: state.RunApply, Who: "ana@host", ApprovedBy: "cleo", Started: asOf.AddDate(0, 0, -21), Ended: asOf.AddDate(0, 0, -21),
				Outcome: state.OutcomeDone, Changed: true, Counts: state.Counts{Done: 38}},
			{ID: "2026-12-06-1", Kind: state.RunApply, Who: "ana@host", Started: asOf.AddDate(0, 0, -1), Ended: asOf.AddDate(0, 0, -1), Outcome: state.OutcomeRemainder,
				Changed: true, Counts: state.Counts{Done: 412, Failed: 3}},
		},
	}
	return Status{
		State: st, Survey: v, Target: state.Target{Environment: "prod", Database: "app", System: "7421", Domain: "idm.example.com", Origin: "https://idm.example.com"},
		Level: providers.LevelDual, Server: "1.10.5", AsOf: asOf, Tenants: map[uuid.UUID]string{acme.ID: "acme"},
		New: []uuid.UUID{{1}, {2}},
		Sessions: []providers.SessionCount{{Method: "jwt", All: 1200, Open: 300, Recent: 250, Users: 90, Last: asOf, Oldest: asOf.AddDate(0, 0, -60)},
			{Method: "dual", All: 2, Open: 2, Recent: 2, Users: 1, Last: asOf, Oldest: asOf}},
	}
}

// statuses are statuses of all sorts by their titles.
func statuses() map[string]Status {
	all := map[string]Status{"a pilot soaks": surveyed()}
	with := func(name string, change func(*Status)) {
		s := surveyed()
		runs := append([]state.RunInfo{}, s.State.Runs...)
		st := *s.State
		st.Runs = runs
		s.State = &st
		change(&s)
		all[name] = s
	}
	open := func(kind state.RunKind) state.RunInfo {
		return state.RunInfo{ID: "2026-12-07-1", Kind: kind, Who: "ben@host", ApprovedBy: "cleo", Started: asOf.Add(-10 * time.Second), Open: true,
			Counts: state.Counts{Done: 4000, Failed: 1}}
	}
	with("a run under way", func(s *Status) {
		s.State.Runs = append(s.State.Runs, open(state.RunApply))
		s.Holder, s.Total = &state.Holder{Who: "ben@host", Since: asOf.Add(-11 * time.Second), PID: 4711, Address: "10.0.0.7"}, 11754
	})
	with("a rollback under way, resumed", func(s *Status) {
		s.State.Runs = append(s.State.Runs, open(state.RunRollback))
		s.Holder, s.Total = &state.Holder{Since: asOf.Add(-time.Second), PID: 4711}, 11754
	})
	with("a run that was stopped", func(s *Status) { s.State.Runs = append(s.State.Runs, open(state.RunApply)) })
	with("a rollback of Postgres alone was stopped, and Self-auth is away", func(s *Status) {
		s.State.Runs = append(s.State.Runs, open(state.RunRollback))
		s.Alone, s.Total, s.Away = true, 11754, "Self-auth: identify the token: no connection\nCheck SELF_AUTH_URL."
		s.Survey.LeftOpen = []state.Finding{state.Found(state.CodeRowBackOpen).Times(38)}
		s.Survey.Totals.Enrolled = nil
	})
	with("another command at work, and who has enrolled is hidden", func(s *Status) {
		s.Holder, s.Unseen = &state.Holder{Who: "ana@host", PID: 1}, "Self-auth: list enrolled persons: the account may not see who has a credential"
	})
	with("a wave in steps", func(s *Status) { s.Survey.Waves = inSteps() })
	with("the configuration is broken", func(s *Status) {
		s.Mistakes, s.Survey.Events = "Error: Unknown argument\n\n  on main.anthill.hcl line 3:", nil
		for i := range s.Survey.Waves {
			s.Survey.Waves[i].Declared, s.Survey.Waves[i].State = false, ""
		}
	})
	all["nothing yet"] = Status{State: &state.State{}, Level: providers.LevelBaseline, Server: "1.10.5", AsOf: asOf, Survey: survey.Make(survey.Input{
		State: &state.State{}, Days: []providers.DayCount{}, AsOf: asOf})}
	return all
}

// inSteps are waves of which two have steps, at different places, and which are announced in all the ways there are.
func inSteps() []survey.Wave {
	one := func(name string, s plan.WaveState, matched, moved int64, a *survey.Announced) survey.Wave {
		enrolled := moved / 2
		w := survey.Wave{WaveView: plan.WaveView{Name: name, Policy: "dual", State: s, Matched: matched, Moved: moved, Due: matched - moved,
			Figures: state.WaveFigures{Selected: matched, Moved: moved, Invited: moved, Enrolled: &enrolled, Completed: moved / 4}}, Declared: true,
			Gates: []survey.Gate{}, Announced: a}
		if s == plan.WaveDone || s == plan.WaveSoaking {
			w.Since, w.Until = asOf.AddDate(0, 0, -9), asOf.AddDate(0, 0, 5)
		}
		return w
	}
	return []survey.Wave{
		one("pilot", plan.WaveDone, 40, 40, &survey.Announced{To: survey.ToAdmins, Told: 3}),
		one("everyone[5]", plan.WaveDone, 588, 588, &survey.Announced{To: survey.ToUsers, Told: 580, Refused: 8}),
		one("everyone[25]", plan.WaveSoaking, 2350, 2300, &survey.Announced{To: survey.ToUsers, Told: 2300, ToTell: 50, Due: true}),
		one("everyone[100]", plan.WaveHeld, 8816, 0, &survey.Announced{To: survey.ToUsers, ToTell: 8816, Next: asOf.AddDate(0, 0, 3)}),
		one("retire[50]", plan.WaveStarts, 60, 0, &survey.Announced{To: survey.ToAdmins, ToTell: 1, Late: true}),
		one("retire[100]", plan.WaveHeld, 61, 0, &survey.Announced{To: survey.ToAdmins, ToTell: 31}),
	}
}

// TestStatus: every screen of a status in words, within 80 columns, and as JSON.
func TestStatus(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	all := statuses()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out.WriteString("== " + name + "\n")
		var screen strings.Builder
		if err := WriteStatus(&screen, all[name], Options{Unicode: true, Width: 80}); err != nil {
			t.Fatal(err)
		}
		head, _, _ := strings.Cut(screen.String(), "           users")
		if whole := []string{"a pilot soaks", "a wave in steps", "the configuration is broken", "nothing yet"}; slices.Contains(whole, name) {
			head = screen.String()
		}
		out.WriteString(head)
	}
	s := surveyed()
	for _, show := range []StatusParts{{Tenants: true}, {Daily: true}, {Sessions: true}, {KPI: true}} {
		fmt.Fprintf(&out, "== parts %+v\n", show)
		for _, s := range []Status{s, all["nothing yet"]} {
			s.Show = show
			if err := WriteStatus(&out, s, Options{Width: 80}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "==") && cells(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}
	for _, name := range []string{"a run under way", "the configuration is broken", "nothing yet"} {
		s := all[name]
		s.Show = StatusParts{Tenants: true, Daily: true, Sessions: true, KPI: true}
		if err := StatusJSON(&out, s); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "status.txt", out.String())
}

// TestStatusNarrow: a narrow screen leaves out the bars, and nothing else.
func TestStatusNarrow(t *testing.T) {
	t.Parallel()
	var wide, narrow strings.Builder
	for out, width := range map[*strings.Builder]int{&wide: 100, &narrow: 50} {
		if err := WriteStatus(out, surveyed(), Options{Width: width}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(wide.String(), "==") || strings.Contains(narrow.String(), "==") || !strings.Contains(narrow.String(), "11,754") {
		t.Errorf("narrow:\n%s", narrow.String())
	}
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		all, moved, completed int64
		want                  string
	}{{0, 0, 0, "----------"}, {100, 0, 0, "----------"}, {1000, 1, 0, "=---------"}, {1000, 1000, 1, "#========="}, {10, 10, 10, "##########"}, {4, 9, 9, "##########"},
		{100, 99, 50, "#####====-"}} {
		if got := progressBar(10, c.all, c.moved, c.completed); got != c.want {
			t.Errorf("%d, %d, %d: %s, want %s", c.all, c.moved, c.completed, got, c.want)
		}
	}
}

// TestMeasure: the rate of a run is measured between two looks at the same one.
func TestMeasure(t *testing.T) {
	t.Parallel()
	look := func(at time.Duration, run string, done int64) Status {
		return Status{AsOf: asOf.Add(at), Holder: &state.Holder{}, State: &state.State{Runs: []state.RunInfo{{ID: run, Open: true, Counts: state.Counts{Done: done}}}}}
	}
	for name, c := range map[string]struct {
		before, after Status
		want          float64
	}{
		"ten seconds":         {look(0, "r", 100), look(10*time.Second, "r", 600), 50},
		"another run":         {look(0, "q", 100), look(10*time.Second, "r", 600), 0},
		"the same moment":     {look(0, "r", 100), look(0, "r", 100), 0},
		"never looked before": {Status{}, look(10*time.Second, "r", 600), 0},
	} {
		if c.after.Measure(c.before); c.after.Rate != c.want {
			t.Errorf("%s: %v", name, c.after.Rate)
		}
	}
}

const statusSchemaFile = "../../docs/status.schema.json"

// TestStatusSchema: docs/status.schema.json is what the types say that status -json writes, and every status that is tested here is
// valid by it. -update writes it anew.
func TestStatusSchema(t *testing.T) {
	t.Parallel()
	published := publishedSchema(t, statusSchemaFile, reflect.TypeFor[statusJSON](), "A status of Anthill", "What anthill status -json writes.")
	valid := compiled(t, published)
	for name, s := range statuses() {
		s.Show = StatusParts{Tenants: true, Daily: true, Sessions: true, KPI: true}
		var out bytes.Buffer
		if err := StatusJSON(&out, s); err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(&out)
		if err == nil {
			err = valid.Validate(value)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, wrong := range map[string]string{"nothing at all": `{}`, "another version": `{"format_version":"2"}`} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(wrong))
		if err != nil {
			t.Fatal(err)
		}
		if valid.Validate(value) == nil {
			t.Errorf("%s is valid", name)
		}
	}
}

// TestStatusIsHarmless: what comes from outside is shown as it is, and changes nothing else, on the screen or in a page.
func TestStatusIsHarmless(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[31mred\u202e\r</title><script>alert(1)</script>\x00\n"
	for name, s := range statuses() {
		infect(reflect.ValueOf(&s.Target).Elem(), hostile)
		infect(reflect.ValueOf(s.State).Elem(), hostile)
		adoption := slices.Clone(s.Survey.Adoption)
		infect(reflect.ValueOf(s.Survey).Elem(), hostile)
		s.Survey.Phases, s.Survey.Days, s.Survey.Adoption = nil, nil, adoption // of which nothing comes from outside
		s.Server, s.Away, s.Mistakes = hostile, hostile, hostile
		if s.Holder != nil {
			s.Holder.Who, s.Holder.Address = hostile, hostile
		}
		for i := range s.Sessions {
			s.Sessions[i].Method = hostile
		}
		var text, page strings.Builder
		for _, show := range []StatusParts{{}, {Tenants: true, Daily: true, Sessions: true, KPI: true}} {
			s.Show = show
			if err := WriteStatus(&text, s, Options{}); err != nil {
				t.Fatal(err)
			}
			if err := StatusJSON(&text, s); err != nil {
				t.Fatal(err)
			}
		}
		if err := StatusHTML(&page, s, HTMLOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"\x1b", "\u202e", "\r", "\x00"} {
			if all := text.String() + page.String(); strings.Contains(all, bad) {
				at := strings.Index(all, bad)
				t.Errorf("%s: %q comes through: %q", name, bad, all[max(0, at-80):at+10])
			}
		}
		if strings.Contains(page.String(), "<script>alert") || strings.Count(page.String(), "<script>") != 1 {
			t.Errorf("%s: markup comes through", name)
		}
	}
}

// TestStatusUsers: who is listed, with what each waits for; addresses only where they are looked up.
func TestStatusUsers(t *testing.T) {
	t.Parallel()
	list := []StatusUser{
		{User: uuid.UUID{1}, Tenant: plan.Tenant{Slug: "acme"}, Seen: asOf, Invited: asOf, Wave: "pilot"},
		{User: uuid.UUID{2}, Tenant: plan.Tenant{Slug: "a-tenant-with-a-long-name"}, Wave: "everyone", Reason: plan.SkipNoEmail.String()},
		{User: uuid.UUID{3}, Tenant: plan.Tenant{Slug: "globex"}, Wave: "pilot", Moved: true},
		{User: uuid.UUID{4}, Tenant: plan.Tenant{Slug: "globex"}},
	}
	each := func(yield func(StatusUser, error) bool) {
		for _, u := range list {
			if !yield(u, nil) {
				return
			}
		}
	}
	var out strings.Builder
	look := &Lookup{Mails: true, Of: func(ids []uuid.UUID) (map[uuid.UUID]LookedUp, error) {
		return map[uuid.UUID]LookedUp{ids[0]: {Mail: "ana@acme.example"}}, nil
	}}
	for _, err := range []error{StatusUsers(&out, each, Options{}, nil), StatusUsers(&out, each, Options{}, look), StatusUsersJSON(&out, each)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	goldenList(t, "status-users.txt", out.String())
	broken := func(yield func(StatusUser, error) bool) { yield(StatusUser{}, fmt.Errorf("gone")) }
	if StatusUsers(&out, broken, Options{}, nil) == nil || StatusUsersJSON(&out, broken) == nil {
		t.Error("a list that breaks off is no error")
	}
}

// TestStatusPage: the page has each figure of the screen, asks for nothing, and is the same each time.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	page := statusPageOf(t, surveyed())
	if again := statusPageOf(t, surveyed()); again != page {
		t.Error("the same status is another page")
	}
	for _, want := range []string{"Adoption over time", "3.69 %", "globex", "not measured", "2026-12-06-1", "soaking until 2026-12-21", "no e-mail address"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "http://") || strings.Contains(page, "https://") || strings.Contains(page, "url(http") {
		t.Error("the page names an address")
	}
	goldenList(t, "html-status.html", page)
	waves := statusPageOf(t, statuses()["a wave in steps"])
	begin, end := strings.Index(waves, `<h2 id="waves">`), strings.Index(waves, `<section aria-labelledby="adoption">`)
	if begin < 0 || end < begin {
		t.Fatal("no section of waves")
	}
	goldenList(t, "html-status-steps.html", waves[begin:end])
}

func statusPageOf(t *testing.T, s Status) string {
	t.Helper()
	var out strings.Builder
	if err := StatusHTML(&out, s, HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
