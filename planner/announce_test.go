package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// announcing has a wave announced three days before it may start.
func announcing(w *config.Wave, toAdmins bool) *config.Wave {
	w.Announcement = &config.Announcement{ToAdmins: toAdmins, Before: 3 * day,
		Letter: config.Invitation{Template: "Subject: Soon\nHello {{.Name}}\n", From: `"A" <a@b.example>`, Link: state.LinkNone}}
	return w
}

// told records that a wave was announced to a user, or was to be.
func (f *fake) told(n byte, wave string, status state.MailStatus) {
	f.mails = append(f.mails, state.Mail{ID: state.AnnouncementID(lineage, id(n), wave), User: id(n), Wave: wave,
		Letter: state.LetterAnnouncement, Round: 1, Status: status, Chosen: now.Add(-day), Ended: now.Add(-day)})
	slices.SortStableFunc(f.mails, func(a, b state.Mail) int { return slices.Compare(a.User[:], b.User[:]) })
}

func manual(name string, perTenant bool) config.Gate {
	return config.Gate{Name: name, PerTenant: perTenant}
}

// TestAnnounced: to whom a wave is announced, and when. Users 10 and 11 are of acme, 12 and 13 of globex, 14 of a tenant that is
// suspended; 10 and 12 are administrators.
func TestAnnounced(t *testing.T) {
	t.Parallel()
	all, admins := []byte{10, 11, 12, 13}, []byte{10, 12}
	in := func(d time.Duration) func(*fake, *config.Wave) {
		return func(_ *fake, w *config.Wave) { w.At = now.Add(d) }
	}
	soon := func(more func(*fake, *config.Wave)) func(*fake, *config.Wave) {
		return func(f *fake, w *config.Wave) {
			w.At = now.Add(2 * day)
			more(f, w)
		}
	}
	// after has the wave come after another one, of nobody who is left, which soaks for so long.
	after := func(soaks time.Duration) func(*fake, *config.Wave) {
		return func(f *fake, w *config.Wave) {
			first := wave("first", config.Selector{Roles: []string{"viewer"}})
			first.AllowEmpty, first.Soak = true, 7*day
			w.After = []string{"first"}
			f.config.Waves = []config.Wave{first, *w}
			f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
			f.state.Waves = []state.Wave{{Name: "first", Started: now.Add(-8 * day), MovedAt: now.Add(-8 * day), Soaking: now.Add(soaks - 7*day)}}
		}
	}
	for name, c := range map[string]struct {
		change   func(*fake, *config.Wave)
		toAdmins bool
		want     []byte
		hazard   int64
		note     state.Code
	}{
		"not yet":               {in(3*day + time.Second), false, nil, 0, ""},
		"due":                   {in(3 * day), false, all, 0, ""},
		"due, to admins":        {in(3 * day), true, admins, 0, ""},
		"later":                 {in(2 * day), false, all, 0, ""},
		"with too little time":  {in(day), false, all, 4, ""},
		"the same, to admins":   {in(day), true, admins, 2, ""},
		"it starts":             {in(-time.Hour), false, nil, 4, ""},
		"it starts, for admins": {in(-time.Hour), true, nil, 2, ""},
		"they were told": {func(f *fake, w *config.Wave) {
			for _, n := range all {
				f.told(n, w.Name, state.MailTaken)
			}
		}, false, nil, 0, ""},
		"most were told": {soon(func(f *fake, w *config.Wave) {
			w.At = now.Add(day)
			f.told(10, w.Name, state.MailTaken)
			f.told(11, w.Name, state.MailRefused)
			f.told(12, w.Name, state.MailDoubtful)
		}), false, []byte{13}, 1, ""},
		"an earlier run has left them": {soon(func(f *fake, w *config.Wave) {
			w.At = now.Add(day)
			for _, n := range all {
				f.told(n, w.Name, state.MailChosen)
			}
		}), false, all, 0, ""},
		"another wave was announced": {soon(func(f *fake, _ *config.Wave) { f.told(10, "another", state.MailTaken) }), false, all, 0, ""},
		"no date": {func(f *fake, w *config.Wave) {
			w.Gates, w.StartGates = []config.Gate{manual("desk", false)}, []string{"desk"}
		}, false, nil, 0, state.CodeAnnouncedNever},
		"a date, and a gate": {soon(func(_ *fake, w *config.Wave) {
			w.Gates, w.StartGates = []config.Gate{manual("desk", false)}, []string{"desk"}
		}), false, all, 0, state.CodeAnnouncedEarly},
		"the date is over, the gate is shut": {func(_ *fake, w *config.Wave) {
			w.At = now.Add(-day)
			w.Gates, w.StartGates = []config.Gate{manual("desk", false)}, []string{"desk"}
		}, false, all, 0, ""},
		"a gate of each tenant": {soon(func(_ *fake, w *config.Wave) {
			w.Gates, w.StartGates = []config.Gate{manual("in", true)}, []string{"in"}
		}), true, admins, 0, state.CodeAnnouncedEarly},
		"it started without them": {func(f *fake, w *config.Wave) {
			w.Gates, w.StartGates = []config.Gate{manual("in", true)}, []string{"in"}
			f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
			f.state.Waves = []state.Wave{{Name: w.Name, Started: now.Add(-day)}}
			f.state.Confirmations = []state.Confirmation{{Wave: w.Name, Gate: "in", Tenant: acme}}
		}, false, []byte{12, 13}, 0, ""},
		"it has started": {func(f *fake, w *config.Wave) {
			f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
			f.state.Waves = []state.Wave{{Name: w.Name, Started: now.Add(-day)}}
		}, false, nil, 0, ""},
		"after a soak that ends":       {after(2 * day), false, all, 0, ""},
		"after a soak that lasts long": {after(5 * day), false, nil, 0, ""},
		"suspended":                    {soon(func(f *fake, _ *config.Wave) { f.user(11).Status = "suspended" }), false, []byte{10, 12, 13}, 0, ""},
		"a suspended admin":            {soon(func(f *fake, _ *config.Wave) { f.user(10).Status = "suspended" }), true, []byte{12}, 0, ""},
		"excluded":                     {soon(func(f *fake, _ *config.Wave) { f.config.Exclude.UserIDs = []uuid.UUID{id(10)} }), true, []byte{12}, 0, ""},
		"a deleted admin":              {soon(func(f *fake, _ *config.Wave) { f.user(10).Deleted = true }), true, []byte{12}, 0, ""},
		"tenant away":                  {soon(func(f *fake, _ *config.Wave) { f.tenants[0].Status = "suspended" }), true, []byte{12}, 0, ""},
		"paused":                       {soon(func(f *fake, _ *config.Wave) { f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}} }), true, []byte{12}, 0, ""},
		"paused as a whole":            {soon(func(f *fake, _ *config.Wave) { f.state.Pauses = []state.Pause{{Wave: "everyone"}} }), false, nil, 0, ""},
		"disabled":                     {soon(func(_ *fake, w *config.Wave) { w.Enabled = false }), false, nil, 0, ""},
		"no address":                   {soon(func(f *fake, _ *config.Wave) { f.user(10).Email = " " }), true, []byte{12}, 0, state.CodeMailNoAddress},
		"rolled back": {soon(func(f *fake, w *config.Wave) {
			f.moved(10, w.Name)
			f.rolledBack(10)
			f.state.Pauses = nil
		}), false, []byte{11, 12, 13}, 0, ""},
		"of a part": {soon(func(f *fake, _ *config.Wave) {
			f.targets = []plan.Target{{Kind: plan.TargetTenant, Name: "acme"}}
		}), false, []byte{10, 11}, 0, ""},
		"admins who are not in the wave": {soon(func(_ *fake, w *config.Wave) { w.Users[0] = config.Selector{Roles: []string{"user"}} }), true, admins, 0, ""},
		"admins of tenants that are in the wave": {soon(func(_ *fake, w *config.Wave) { w.Users[0] = config.Selector{Tenants: []string{"acme"}} }), true,
			[]byte{10}, 0, ""},
		"admins who are moved": {soon(func(f *fake, _ *config.Wave) {
			f.config.Waves = append(f.config.Waves, wave("before", config.Selector{Roles: []string{"admin"}}))
			f.moved(10, "before")
			f.config.Waves[0].Users[0] = config.Selector{Roles: []string{"user"}}
		}), true, admins, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.config.Guard = config.Guard{MaxUsersChangedPercent: 100, MaxRemovedPercent: 100}
			w := announcing(&f.config.Waves[0], c.toAdmins)
			c.change(f, w)
			m := f.must(t)
			want := map[string][]byte{"everyone": c.want}
			if c.want == nil {
				want = nil
			}
			if diff := cmp.Diff(want, m.told, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("announced to (-want +got):\n%s", diff)
			}
			if got := m.hazard(plan.SendsMail); got != c.hazard {
				t.Errorf("SENDS_MAIL %d, want %d", got, c.hazard)
			}
			var notes []state.Code
			for _, n := range m.context.Notes {
				if slices.Contains([]state.Code{state.CodeAnnouncedEarly, state.CodeAnnouncedNever, state.CodeMailNoAddress}, n.Code) {
					notes = append(notes, n.Code)
				}
			}
			if c.note == "" && len(notes) > 0 || c.note != "" && !slices.Equal(notes, []state.Code{c.note}) {
				t.Errorf("notes %v, want %q", notes, c.note)
			}
			if got := len(m.effects.Mailings); got != min(1, len(c.want)) {
				t.Errorf("%d mailings", got)
			}
		})
	}
}

// TestAnnouncedSteps: who administers a tenant is told once of a wave, however many steps it has; users each of their step.
func TestAnnouncedSteps(t *testing.T) {
	t.Parallel()
	for _, toAdmins := range []bool{false, true} {
		f := newFake(t)
		announcing(&f.config.Waves[0], toAdmins).At = now.Add(2 * day)
		f.inSteps("50", "100")
		for i := range f.config.Waves {
			f.config.Waves[i].Reminder = nil
		}
		f.config.Waves[1].At = now.Add(2 * day)
		var got []byte
		for _, list := range f.must(t).told {
			got = append(got, list...)
		}
		slices.Sort(got)
		want := []byte{10, 11, 12, 13}
		if toAdmins {
			want = []byte{10, 12}
		}
		if !slices.Equal(got, want) {
			t.Errorf("to administrators %t: announced to %v, want %v", toAdmins, got, want)
		}
	}
}

// TestAnnouncedRaise: those whose passwords end are told before, also who cannot come in yet, and nobody once that has begun.
func TestAnnouncedRaise(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fake, *config.Wave)
		want   map[string][]byte
		hazard int64
	}{
		"before the promised day": {func(_ *fake, w *config.Wave) { w.Promised = now.Add(2 * day) }, map[string][]byte{"alone": {10, 11, 12, 13}}, 0},
		"long before":             {func(_ *fake, w *config.Wave) { w.Promised = now.Add(4 * day) }, nil, 0},
		"of two dates the later":  {func(_ *fake, w *config.Wave) { w.Promised, w.At = now.Add(2*day), now.Add(9*day) }, nil, 0},
		"it begins":               {func(*fake, *config.Wave) {}, nil, 2},
		"it has begun": {func(f *fake, w *config.Wave) {
			f.state.Waves = append(f.state.Waves, state.Wave{Name: w.Name, Started: now.Add(-day)})
		}, nil, 0},
		"paused where they were moved": {func(f *fake, w *config.Wave) {
			w.Promised = now.Add(2 * day)
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}}
		}, map[string][]byte{"alone": {12, 13}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := raising(t)
			w := announcing(&f.config.Waves[1], false)
			c.change(f, w)
			m := f.must(t)
			if diff := cmp.Diff(c.want, m.told, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("announced to (-want +got):\n%s", diff)
			}
			if got := m.hazard(plan.SendsMail); got != c.hazard {
				t.Errorf("SENDS_MAIL %d, want %d", got, c.hazard)
			}
		})
	}
}

// TestInviteAnnounces: a plan of mails alone announces as any plan, and where it is asked for a wave also what has no date, or would
// start at once.
func TestInviteAnnounces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wave   string
		change func(*config.Wave)
		want   bool
	}{
		"due":               {"", func(w *config.Wave) { w.At = now.Add(2 * day) }, true},
		"not due":           {"", func(w *config.Wave) { w.At = now.Add(4 * day) }, false},
		"not due, asked":    {"everyone", func(w *config.Wave) { w.At = now.Add(4 * day) }, false},
		"no date":           {"", gated, false},
		"no date, asked":    {"everyone", gated, true},
		"it could start":    {"everyone", func(*config.Wave) {}, true},
		"of another, asked": {"another", gated, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.config.Waves = append(f.config.Waves, wave("another", config.Selector{Roles: []string{"viewer"}}))
			c.change(announcing(&f.config.Waves[0], false))
			w := planfile.NewWriter("")
			defer w.Close()
			p, diags, err := planner.Invite(t.Context(), planner.InviteInput{Input: f.input(f, f), Wave: c.wave}, w)
			if err != nil || diags.HasErrors() {
				t.Fatal(err, diags)
			}
			announces := slices.ContainsFunc(p.Effects.Mailings, func(m plan.Mailing) bool { return m.Letter == state.LetterAnnouncement })
			if announces != c.want || len(p.Effects.Hazards) > 0 {
				t.Errorf("announced %t, want %t; hazards %v", announces, c.want, p.Effects.Hazards)
			}
		})
	}
}

func gated(w *config.Wave) {
	w.Gates, w.StartGates = []config.Gate{manual("desk", false)}, []string{"desk"}
}
