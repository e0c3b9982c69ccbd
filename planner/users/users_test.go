package users_test

import (
	"context"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// sides are home sides in memory, and what is recorded: one tenant with one user, and two groups for it.
type sides struct {
	user     providers.User
	gone     bool // its row
	persons  []providers.Person
	groups   []providers.Group
	mappings []providers.Mapping
	enrolled []uuid.UUID
	recorded *state.User
	state    state.State
	config   config.Config
}

func (s *sides) Tenants(context.Context) ([]providers.Tenant, error) {
	return []providers.Tenant{{ID: acme, Slug: "acme", Status: "active"}}, nil
}

func (s *sides) Users(context.Context) iter.Seq2[providers.User, error] {
	if s.gone {
		return each[providers.User](nil)
	}
	return each([]providers.User{s.user})
}

func (s *sides) Mappings(context.Context) ([]providers.Mapping, error)                { return s.mappings, nil }
func (s *sides) Persons(context.Context) iter.Seq2[providers.Person, error]           { return each(s.persons) }
func (s *sides) Groups(context.Context) ([]providers.Group, error)                    { return s.groups, nil }
func (s *sides) OtherNames(context.Context) ([]string, error)                         { return nil, nil }
func (s *sides) Clients(context.Context) ([]providers.Client, error)                  { return nil, nil }
func (s *sides) Enrolled(context.Context) ([]uuid.UUID, error)                        { return s.enrolled, nil }
func (s *sides) Discovery(context.Context, string) (d providers.Discovery, err error) { return d, nil }
func (s *sides) RefusedRedirects(context.Context, string, []string) ([]string, error) {
	return nil, nil
}
func (s *sides) Recycled(context.Context) ([]uuid.UUID, error) { return nil, nil }

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

var (
	acme, lineage, kim = uuid.UUID{1}, uuid.UUID{9}, uuid.UUID{10}
	person             = state.PersonID(lineage, kim, 1)
	admins             = state.GroupID(lineage, "group.admins", 1)
	members            = state.GroupID(lineage, "group.users", 1)
)

// newSides is kim of acme, of whom nothing is recorded.
func newSides(t *testing.T) *sides {
	t.Helper()
	name, err := config.ParseTemplate("${user.email_local}")
	if err != nil {
		t.Fatal(err)
	}
	s := &sides{user: providers.User{ID: kim, Tenant: acme, Email: "kim@x.example", FullName: "Kim", Role: "user",
		Status: "active", Verified: true,
		HasPassword: true, CanPassword: true, Method: state.MethodPassword}}
	s.config = config.Config{
		Identity: config.Identity{Name: name, SharedEmail: "skip", Unverified: "allow", FollowState: true,
			FollowMail: true},
		Policies: []config.Policy{{Name: "dual", Method: state.MethodDual}},
		Waves:    []config.Wave{{Name: "pilot", Policy: "dual", Enabled: true, Users: []config.Selector{{All: true}}}},
		Groups: []config.Group{
			{Address: "group.admins", Block: "group.admins", Tenant: "acme", Name: "admins", Role: state.RoleAdmin,
				Members: state.Members{Roles: []string{"admin"}}},
			{Address: "group.users", Block: "group.users", Tenant: "acme", Name: "users", Role: state.RoleMember,
				Members: state.Members{All: true}},
		},
	}
	for i, g := range s.config.Groups {
		gid := []uuid.UUID{admins, members}[i]
		s.groups = append(s.groups, providers.Group{ID: gid, Name: g.Name, Place: i})
		s.mappings = append(s.mappings, providers.Mapping{Tenant: acme, Group: gid, GroupName: g.Name, Role: g.Role})
	}
	return s
}

// moved records that kim was moved under the pilot, and gives it its person among the users.
func (s *sides) moved() {
	s.user.Link, s.user.Method = person, state.MethodDual
	s.persons = []providers.Person{{ID: person, Name: "kim", Mails: []string{s.user.Email}}}
	s.groups[1].Members = []uuid.UUID{person}
	s.recorded = &state.User{User: kim, Tenant: acme, TenantNow: acme, Person: person, Groups: []uuid.UUID{members},
		UserState: state.UserState{Standing: state.Moved, Wave: "pilot", Policy: "dual", Generation: 1,
			MadePerson: true, WroteLink: true}}
}

// woken makes a record one of a run that woke kim, who was moved before and asleep.
func (s *sides) woken(r *state.Record) {
	prior := *s.recorded
	prior.Asleep = true
	r.Prior, r.Join, r.Effect = &prior, nil, state.Effect{Act: state.PersonEnable}
	r.Before = state.Image{Link: person, Method: state.MethodDual}
}

func (s *sides) stream(context.Context) iter.Seq2[state.User, error] {
	if s.recorded == nil {
		return each[state.User](nil)
	}
	return each([]state.User{*s.recorded})
}

// fate is what becomes of kim: its change, or why there is none.
type fate struct {
	Kind              plan.SegmentKind
	Effect            state.Effect
	Join, Leave, Keep []uuid.UUID
	After             state.UserState
	Skip              string
}

// sink keeps the one user's fate.
type sink struct {
	kind   plan.SegmentKind
	table  *plan.Table
	fate   fate
	change plan.UserChange
}

func (s *sink) Segment(kind plan.SegmentKind, _ string) int { s.kind = kind; return 0 }
func (s *sink) Drop(int) error                              { return nil }
func (s *sink) Shapes(int) []plan.Counted                   { return nil }

func (s *sink) Add(_ int, one plan.Shape, c plan.UserChange) error {
	s.change = c
	s.fate = fate{Kind: s.kind, Effect: one.Effect, Join: s.table.IDs(one.Join), Leave: s.table.IDs(one.Leave),
		Keep: s.table.IDs(one.Keep), After: one.After}
	return nil
}

func (s *sink) Skip(u plan.SkippedUser) error {
	s.fate.Skip = u.Reason.String()
	return nil
}

func (s *sides) observe(t *testing.T) *world.Observed {
	t.Helper()
	o, err := world.Observe(t.Context(), world.Sources{Config: &s.config, State: &s.state, Lineage: lineage,
		Database: s, Directory: s})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// decide decides about kim.
func (s *sides) decide(t *testing.T) (fate, *users.Decided) {
	t.Helper()
	j, err := s.observe(t).Join(t.Context(), world.Streams{Recorded: s.stream})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Entries.Close()
	declared, diags := objects.Forward(j, nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	to := &sink{table: &plan.Table{}}
	d, diags, err := users.Decide(j, declared, users.Scope{}, to.table, to)
	if err != nil || diags.HasErrors() {
		t.Fatal(diags, err)
	}
	return to.fate, d
}

// TestDecide: what becomes of a user, by its row, what is recorded of it and what Self-auth holds.
func TestDecide(t *testing.T) {
	t.Parallel()
	moved := state.UserState{Standing: state.Moved, Wave: "pilot", Policy: "dual", Generation: 1, MadePerson: true,
		WroteLink: true}
	asleep, found, taken, gone, again := moved, moved, moved, moved, moved
	asleep.Asleep, again.Generation = true, 2
	found.Generation, found.MadePerson, found.WroteLink = 0, false, false
	taken.Generation, taken.MadePerson = 0, false
	gone.Standing = state.Gone
	made := state.Effect{Act: state.PersonCreate, Link: true, Method: state.MethodDual}
	home := []uuid.UUID{members}
	for name, c := range map[string]struct {
		change func(*sides)
		want   fate
	}{
		"moved under a wave": {func(*sides) {}, fate{Kind: plan.SegmentMove, Effect: made, Join: home, After: moved}},
		"without a password": {func(s *sides) { s.user.HasPassword, s.user.CanPassword = false, false },
			fate{Kind: plan.SegmentMove, Effect: state.Effect{Act: state.PersonCreate, Link: true,
				Method: state.MethodSelfAuth}, Join: home, After: moved}},
		"the policy completes on link": {func(s *sides) { s.config.Policies[0].CompleteOnLink = true },
			fate{Kind: plan.SegmentMove, Effect: state.Effect{Act: state.PersonCreate, Link: true,
				Method: state.MethodDual, Complete: true}, Join: home, After: moved}},
		"its name is in use": {func(s *sides) { s.persons = []providers.Person{{ID: uuid.UUID{60}, Name: "kim"}} },
			fate{Kind: plan.SegmentMove, Effect: state.Effect{Act: state.PersonCreate, Link: true,
				Method: state.MethodDual, Suffix: true}, Join: home, After: moved}},
		"linked before us (L29)": {func(s *sides) {
			s.user.Link, s.persons = uuid.UUID{60}, []providers.Person{{ID: uuid.UUID{60}, Name: "k"}}
		}, fate{Kind: plan.SegmentMove, Effect: state.Effect{Method: state.MethodDual}, Join: home, After: found}},
		"somebody holds its address": {func(s *sides) {
			s.persons = []providers.Person{{ID: uuid.UUID{60}, Name: "k", Mails: []string{"kim@x.example"}}}
		},
			fate{Skip: "email_taken"}},
		"and is taken over": {func(s *sides) {
			s.config.Identity.AdoptMail = true
			s.persons = []providers.Person{{ID: uuid.UUID{60}, Name: "k", Mails: []string{"kim@x.example"}}}
		}, fate{Kind: plan.SegmentMove, Effect: state.Effect{Act: state.PersonAdopt, Link: true,
			Method: state.MethodDual}, Join: home, After: taken}},
		"linked to a person of ours that is no more": {func(s *sides) {
			s.moved()
			s.recorded.Standing, s.recorded.Person, s.persons, s.groups[1].Members = state.RolledBack, uuid.Nil, nil, nil
		}, fate{Kind: plan.SegmentMove, Effect: state.Effect{Act: state.PersonCreate, Link: true}, Join: home, After: again}},
		"linked to nobody of ours": {func(s *sides) {
			s.moved()
			s.recorded.Standing, s.recorded.Person, s.persons, s.groups[1].Members = state.RolledBack, uuid.Nil, nil, nil
			s.user.Link = uuid.UUID{60}
		}, fate{Skip: "link_unknown"}},
		"moved, and its person is no more": {func(s *sides) { s.moved(); s.persons, s.groups[1].Members = nil, nil }, fate{}},
		"paused":                           {func(s *sides) { s.state.Pauses = []state.Pause{{Wave: "pilot"}} }, fate{Skip: "paused"}},

		"moved before, and at rest": {func(s *sides) { s.moved() }, fate{}},
		"promoted (L24)": {func(s *sides) { s.moved(); s.user.Role = "admin" },
			fate{Kind: plan.SegmentFollow, Join: []uuid.UUID{admins}, Keep: home, After: moved}},
		"with another address (L26)": {func(s *sides) { s.moved(); s.user.Email = "kim.lee@x.example" },
			fate{Kind: plan.SegmentFollow, Effect: state.Effect{Mail: true}, Keep: home, After: moved}},
		"suspended (L27)": {func(s *sides) { s.moved(); s.user.Status = "suspended" },
			fate{Kind: plan.SegmentFollow, Effect: state.Effect{Act: state.PersonExpire}, Keep: home, After: asleep}},
		"active again": {func(s *sides) {
			s.moved()
			s.recorded.Asleep, s.persons[0].Expired, s.persons[0].Closed = true, true, true
		}, fate{Kind: plan.SegmentFollow, Effect: state.Effect{Act: state.PersonEnable}, Keep: home, After: moved}},
		"its row is gone (L28)": {func(s *sides) { s.moved(); s.gone = true },
			fate{Kind: plan.SegmentFollow, Effect: state.Effect{Act: state.PersonExpire}, Leave: home, After: gone}},
		"excluded (L4)": {func(s *sides) {
			s.moved()
			s.user.Role, s.config.Exclude.UserIDs = "admin", []uuid.UUID{kim}
		}, fate{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t)
			c.change(s)
			got, _ := s.decide(t)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("kim (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTold: what deciding has to say besides, as findings.
func TestTold(t *testing.T) {
	t.Parallel()
	s := newSides(t)
	s.user.Verified, s.config.Groups = false, nil
	_, d := s.decide(t)
	want := []state.Finding{state.Found(state.CodeUnverified).Times(1), state.Found(state.CodeGroupless).Times(1)}
	pilot := func(wave string) bool { return wave == "pilot" }
	if diff := cmp.Diff(want, d.Changing(pilot)); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	// Of users who wait for their wave it is said when that moves.
	if got := append(d.Changing(func(string) bool { return false }), d.Notes...); len(got) > 0 {
		t.Errorf("notes while the wave is held: %v, want none", got)
	}
	s = newSides(t)
	s.moved()
	s.config.Waves[0].Users = []config.Selector{{Roles: []string{"nobody"}}}
	s.persons[0].Expired, s.user.Method = true, state.MethodPassword
	_, d = s.decide(t)
	if diff := cmp.Diff([]state.Finding{state.About(state.CodeUnselected, state.OfWave("pilot")).Times(1)},
		d.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]state.Finding{state.Found(state.CodeDriftExpired).Times(1),
		state.Found(state.CodeDriftMethod).Times(1)}, d.Outside); diff != "" {
		t.Errorf("outside (-want +got):\n%s", diff)
	}
}

// run is the journal of the run that moved kim.
func (s *sides) run() state.Record {
	return state.Record{Run: "1", Settled: true, Verdict: state.Done, TenantNow: acme,
		Intent: state.Intent{ID: 7, User: kim, Tenant: acme, Wave: "pilot",
			Person: person, Effect: state.Effect{Act: state.PersonCreate, Link: true,
				Method: state.MethodDual}, Join: []uuid.UUID{members}, After: *s.recorded}}
}

// TestTakeBack: how a user is taken back, or why it is left as it is.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	back := state.UserState{Standing: state.RolledBack, Wave: "pilot", Policy: "dual", Generation: 1,
		MadePerson: true, WroteLink: true}
	awake := back
	awake.Standing = state.Moved
	asleep := awake
	asleep.Asleep = true
	restore := func(act state.PersonAct) state.Effect { return state.Effect{Act: act, Restore: true} }
	home := []uuid.UUID{members}
	wave := []plan.Pause{{Wave: "pilot"}}
	for name, c := range map[string]struct {
		change func(*sides, *users.Undoing, *state.Record)
		want   fate
		pauses []plan.Pause
		why    state.Code
	}{
		"its person expires, and the wave is paused (L23)": {func(*sides, *users.Undoing, *state.Record) {},
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonExpire), Leave: home, After: back}, wave, ""},
		"its person is deleted where that is wanted": {func(_ *sides, u *users.Undoing,
			_ *state.Record) {
			u.DeletePersons = true
		},
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonDelete), Leave: home, After: back}, wave, ""},
		"of one tenant": {func(_ *sides, u *users.Undoing, _ *state.Record) { u.Tenants = []uuid.UUID{acme} },
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonExpire), Leave: home,
				After: back}, []plan.Pause{{Wave: "pilot", Tenant: acme}}, ""},
		"of another tenant": {func(_ *sides, u *users.Undoing, _ *state.Record) { u.Tenants = []uuid.UUID{{77}} },
			fate{}, nil, ""},
		"of another wave": {func(_ *sides, u *users.Undoing, _ *state.Record) { u.Waves = []string{"rest"} },
			fate{}, nil, ""},
		"of another run": {func(_ *sides, u *users.Undoing,
			_ *state.Record) {
			u.Seeds = map[string]bool{"2": true}
		}, fate{}, nil, ""},
		"somebody has taken it out of the group": {func(s *sides, _ *users.Undoing,
			_ *state.Record) {
			s.groups[1].Members = nil
		},
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonExpire), After: back}, wave, ""},
		"somebody has expired its person": {func(s *sides, _ *users.Undoing,
			_ *state.Record) {
			s.persons[0].Expired = true
		},
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonNone), Leave: home, After: back}, wave, ""},
		"its row is gone": {func(s *sides, _ *users.Undoing, _ *state.Record) { s.gone = true },
			fate{Kind: plan.SegmentRestore, Effect: state.Effect{Act: state.PersonExpire}, Leave: home,
				After: back}, wave, ""},
		"linked to somebody else since": {func(s *sides, _ *users.Undoing,
			_ *state.Record) {
			s.user.Link = uuid.UUID{60}
		}, fate{}, nil, state.CodeLinkedElsewhere},
		"its password is gone": {func(s *sides, _ *users.Undoing,
			_ *state.Record) {
			s.user.HasPassword, s.user.CanPassword = false, false
		}, fate{}, nil, state.CodeNoPassword},
		"it never had one": {func(s *sides, _ *users.Undoing, r *state.Record) {
			s.user.HasPassword, s.user.CanPassword, r.Effect.Method = false, false, state.MethodSelfAuth
		}, fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonExpire), Leave: home, After: back}, wave, ""},
		"it never had one, and has enrolled in Self-auth": {func(s *sides, _ *users.Undoing, r *state.Record) {
			s.user.HasPassword, s.user.CanPassword, r.Effect.Method, s.enrolled = false, false, state.MethodSelfAuth, []uuid.UUID{person}
		}, fate{}, nil, state.CodeEnrolled},
		"its hash is of no password": {func(s *sides, _ *users.Undoing, _ *state.Record) { s.user.CanPassword = false },
			fate{Kind: plan.SegmentRestore, Effect: restore(state.PersonExpire), Leave: home, After: back}, wave, ""},
		"its hash is of no password, and it has enrolled in Self-auth": {func(s *sides, _ *users.Undoing, _ *state.Record) {
			s.user.CanPassword, s.enrolled = false, []uuid.UUID{person}
		}, fate{}, nil, state.CodeEnrolled},
		"the run woke it with its row": {func(s *sides, _ *users.Undoing, r *state.Record) { s.woken(r) },
			fate{Kind: plan.SegmentRestore, Keep: home, After: awake}, wave, ""},
		"the run woke it with its row, which is not active any more": {func(s *sides, _ *users.Undoing, r *state.Record) {
			s.woken(r)
			s.user.Status = "suspended"
		}, fate{Kind: plan.SegmentRestore, Effect: state.Effect{Act: state.PersonExpire}, Keep: home, After: asleep}, wave, ""},
		"the run could not move it": {func(s *sides, _ *users.Undoing, r *state.Record) {
			s.recorded.Standing, r.Verdict = state.Failed, state.Refused
		}, fate{}, wave, ""},
		"the run could not raise it": {func(_ *sides, _ *users.Undoing, r *state.Record) {
			r.Verdict, r.Wave, r.Effect = state.Refused, "alone", state.Effect{Method: state.MethodSelfAuth}
		}, fate{}, []plan.Pause{{Wave: "alone"}}, ""},
		"the run could not raise it, and a later one has": {func(s *sides, _ *users.Undoing, r *state.Record) {
			s.recorded.Wave = "alone"
			r.Verdict, r.Wave, r.Effect = state.Refused, "alone", state.Effect{Method: state.MethodSelfAuth}
		}, fate{}, nil, ""},
		"the run could not raise it, and another wave is taken back": {func(_ *sides, u *users.Undoing, r *state.Record) {
			u.Waves = []string{"pilot"}
			r.Verdict, r.Wave, r.Effect = state.Refused, "alone", state.Effect{Method: state.MethodSelfAuth}
		}, fate{}, nil, ""},
		"the run could not follow it": {func(_ *sides, _ *users.Undoing, r *state.Record) {
			r.Verdict, r.Effect = state.Refused, state.Effect{}
		}, fate{}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSides(t)
			s.moved()
			record := s.run()
			u := users.Undoing{From: []string{"1"}, Seeds: map[string]bool{"1": true}, Kind: state.RunApply,
				Objects: &objects.Folded{}}
			c.change(s, &u, &record)
			to := &sink{table: &plan.Table{}}
			journal := users.Journal{Recorded: s.stream, Records: func(context.Context,
				[]string) iter.Seq2[state.Record, error] {
				return each([]state.Record{record})
			}}
			got, err := users.TakeBack(t.Context(), s.observe(t), u, journal, to.table, to)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, to.fate); diff != "" {
				t.Errorf("kim (-want +got):\n%s", diff)
			}
			for _, p := range c.pauses {
				if !got.Pauses[p] {
					t.Errorf("no pause %+v", p)
				}
			}
			if len(got.Pauses) != len(c.pauses) {
				t.Errorf("pauses %v, want %v", got.Pauses, c.pauses)
			}
			var why []plan.Conflict
			if c.why != "" {
				why = []plan.Conflict{{User: kim, Why: state.Found(c.why)}}
			}
			if diff := cmp.Diff(why, got.Conflicts); diff != "" || got.Lost != int64(len(why)) {
				t.Errorf("conflicts, %d in all (-want +got):\n%s", got.Lost, diff)
			}
		})
	}
}

// TestTakeBackAddress: of several records the oldest one is undone, so that all of them cancel, and the first one that
// changed the address says which is given back.
func TestTakeBackAddress(t *testing.T) {
	t.Parallel()
	s := newSides(t)
	s.moved()
	follow := func(id int64, e state.Effect, leave ...uuid.UUID) state.Record {
		return state.Record{Run: "2", Settled: true, Verdict: state.Done, TenantNow: acme,
			Intent: state.Intent{ID: id, User: kim, Tenant: acme, Wave: "pilot", Person: person, Effect: e, Leave: leave,
				Prior: s.recorded, After: *s.recorded, Before: state.Image{Link: person, Method: state.MethodDual}}}
	}
	records := []state.Record{s.run(), follow(8, state.Effect{}, admins), follow(9, state.Effect{Mail: true}),
		follow(10, state.Effect{Mail: true})}
	u := users.Undoing{From: []string{"1", "2"}, Seeds: map[string]bool{"2": true}, Kind: state.RunApply,
		Objects: &objects.Folded{}}
	to := &sink{table: &plan.Table{}}
	journal := users.Journal{Recorded: s.stream, Records: func(context.Context, []string) iter.Seq2[state.Record, error] {
		return each(records)
	}}
	if _, err := users.TakeBack(t.Context(), s.observe(t), u, journal, to.table, to); err != nil {
		t.Fatal(err)
	}
	if to.change.Record != 8 || to.change.Mails != 9 || !to.fate.Effect.Mail {
		t.Errorf("record %d is undone and %d has the addresses (%+v), want 8 and 9", to.change.Record, to.change.Mails,
			to.fate.Effect)
	}
}
