package planner_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// TestRules is a case for each rule: what is changed in the plain world, and who is moved or skipped then. Users 10
// and 11 are of acme, 12 and 13 of globex, 14 of the suspended initech; 10, 12 and 14 are admins.
func TestRules(t *testing.T) {
	t.Parallel()
	all := map[string][]byte{"everyone": {10, 11, 12, 13}}
	suspended := map[byte]plan.SkipReason{14: plan.SkipTenantSuspended}
	with := func(more map[byte]plan.SkipReason) map[byte]plan.SkipReason {
		more[14] = plan.SkipTenantSuspended
		return more
	}
	skip := func(reason plan.SkipReason, users ...byte) map[byte]plan.SkipReason {
		list := map[byte]plan.SkipReason{}
		for _, n := range users {
			list[n] = reason
		}
		return with(list)
	}
	for name, c := range map[string]struct {
		change  func(*fake)
		users   map[string][]byte
		skipped map[byte]plan.SkipReason
	}{
		"plain": {func(*fake) {}, all, suspended},
		"L2 the first in the order of after takes a user": {func(f *fake) {
			second := wave("rest", config.Selector{All: true})
			second.After = []string{"first"}
			f.config.Waves = []config.Wave{wave("first", config.Selector{Tenants: []string{"acme"}},
				config.Selector{Roles: []string{"admin"}}), second}
		}, map[string][]byte{"first": {10, 11, 12}, "rest": {13}}, suspended},
		"L3 moved stays moved": {func(f *fake) { f.moved(10, "gone") }, map[string][]byte{"everyone": {11, 12, 13}},
			suspended},
		"L7 and within a block, or between blocks": {func(f *fake) {
			f.config.Waves = []config.Wave{wave("w",
				config.Selector{Tenants: []string{"acme"}, Roles: []string{"user"}},
				config.Selector{Tenants: []string{"globex"}, Roles: []string{"admin"}})}
		}, map[string][]byte{"w": {11, 12}}, map[byte]plan.SkipReason{}},
		"L7 an empty set selects nobody": {func(f *fake) {
			f.config.Waves = []config.Wave{wave("w", config.Selector{Tenants: []string{}})}
		}, map[string][]byte{}, map[byte]plan.SkipReason{}},
		"L7 inactive, suspended, excluded, deleted": {func(f *fake) {
			f.user(10).Status, f.user(11).Status, f.user(13).Deleted = "inactive", "suspended", true
			f.config.Exclude.Emails = []string{"u2@2.example"}
		}, map[string][]byte{}, with(map[byte]plan.SkipReason{10: plan.SkipInactive, 11: plan.SkipSuspended,
			12: plan.SkipExcluded})},
		"L11 no share": {func(f *fake) { f.config.Waves[0].Users[0] = config.Selector{HasPercent: true} },
			map[string][]byte{}, map[byte]plan.SkipReason{}},
		"L11 all": {func(f *fake) {
			f.config.Waves[0].Users[0] = config.Selector{HasPercent: true, Percent: 100}
		}, all, suspended},
		"L14 held by its date": {func(f *fake) { f.config.Waves[0].At = now.Add(time.Second) },
			map[string][]byte{}, suspended},
		"L14 its date has come": {func(f *fake) { f.config.Waves[0].At = now }, all, suspended},
		"L14 held by a gate": {func(f *fake) { f.config.Waves[0].StartGates = []string{"support"} },
			map[string][]byte{}, suspended},
		"L14 a gate that was confirmed": {func(f *fake) {
			f.config.Waves[0].StartGates = []string{"support"}
			f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "support"}}
		}, all, suspended},
		"L14 a disabled wave stands for its own predecessors": {func(f *fake) {
			first := wave("first", config.Selector{Tenants: []string{"acme"}})
			off, last := wave("off", config.Selector{Tenants: []string{"globex"}}), wave("last",
				config.Selector{All: true})
			first.Soak, off.Enabled, off.After, last.After = time.Hour, false, []string{"first"}, []string{"off"}
			f.config.Waves = []config.Wave{first, off, last}
		}, map[string][]byte{"first": {10, 11}}, suspended},
		"L16 a chain runs down in one plan": {func(f *fake) {
			second := wave("b", config.Selector{All: true})
			second.After = []string{"a"}
			f.config.Waves = []config.Wave{wave("a", config.Selector{Tenants: []string{"globex"}}), second}
		}, map[string][]byte{"a": {12, 13}, "b": {10, 11}}, suspended},
		"L17 a wave of nobody holds the next": {func(f *fake) {
			second := wave("b", config.Selector{All: true})
			second.After = []string{"a"}
			f.config.Waves = []config.Wave{wave("a", config.Selector{Roles: []string{"viewer"}}), second}
		}, map[string][]byte{}, suspended},
		"L17 unless that is allowed": {func(f *fake) {
			first := wave("a", config.Selector{Roles: []string{"viewer"}})
			second := wave("b", config.Selector{All: true})
			first.AllowEmpty, second.After = true, []string{"a"}
			f.config.Waves = []config.Wave{first, second}
		}, map[string][]byte{"b": {10, 11, 12, 13}}, suspended},
		"L19 late joiners of a done wave": {func(f *fake) {
			f.config.Waves[0].StartGates = []string{"support"}
			f.state.Waves = []state.Wave{{Name: "everyone", Started: now, MovedAt: now, DoneAt: now}}
		}, all, suspended},
		"L23 a paused wave": {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}} },
			map[string][]byte{},
			skip(plan.SkipPaused, 10, 11, 12, 13)},
		"L23 a paused tenant": {func(f *fake) {
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme, Run: "r"}}
		}, map[string][]byte{"everyone": {12, 13}},
			skip(plan.SkipPaused, 10, 11)},
		"L29 linked before us": {func(f *fake) {
			f.user(10).Link = id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early", Mails: []string{"u0@1.example"}}}
		}, all, suspended},
		"linked to nobody": {func(f *fake) { f.user(10).Link = id(200) },
			map[string][]byte{"everyone": {11, 12, 13}}, skip(plan.SkipLinkUnknown, 10)},
		"L39 a wanted name held by another entry": {func(f *fake) {
			f.persons = []providers.Person{{ID: id(200), Name: "tenant_acme_admins"}}
		},
			map[string][]byte{"everyone": {12, 13}}, skip(plan.SkipGroupTaken, 10, 11)},
		"L40 a group mapped to two tenants": {func(f *fake) {
			f.mappings = []providers.Mapping{{Tenant: acme, Group: id(90), GroupName: "g", Role: state.RoleMember},
				{Tenant: globex, Group: id(90), GroupName: "g", Role: state.RoleMember}}
		}, map[string][]byte{}, skip(plan.SkipTenantBlocked, 10, 11, 12, 13)},
		"L40 two rows with one person": {func(f *fake) {
			f.user(10).Link, f.user(12).Link = id(200), id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early"}}
		}, map[string][]byte{}, skip(plan.SkipTenantBlocked, 10, 11, 12, 13)},
		"L40 a person in another tenant's group": {func(f *fake) {
			f.user(10).Link = id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early"}}
			f.groups = []providers.Group{{ID: id(90), Name: "g", Members: []uuid.UUID{id(200)}}}
			f.mappings = []providers.Mapping{{Tenant: globex, Group: id(90), GroupName: "g", Role: state.RoleMember}}
		}, map[string][]byte{}, skip(plan.SkipTenantBlocked, 10, 11, 12, 13)},
		"shared address, compared lower-cased": {func(f *fake) { f.user(12).Email = "U0@1.EXAMPLE" },
			map[string][]byte{"everyone": {11, 13}},
			skip(plan.SkipShared, 10, 12)},
		"shared address, the first tenant's": {func(f *fake) {
			f.user(12).Email = "u0@1.example"
			f.config.Identity.SharedEmail = "first_tenant"
		}, map[string][]byte{"everyone": {10, 11, 13}}, skip(plan.SkipShared, 12)},
		"addresses": {func(f *fake) {
			f.user(10).Email, f.user(11).Email, f.user(13).Verified = "", "no-at", false
			f.config.Identity.Unverified = "skip"
			f.persons = []providers.Person{{ID: id(200), Name: "other", Mails: []string{"u2@2.example"}}}
		}, map[string][]byte{}, with(map[byte]plan.SkipReason{10: plan.SkipNoEmail, 11: plan.SkipEmailRefused,
			12: plan.SkipEmailTaken, 13: plan.SkipUnverified})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff(c.users, m.users); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.skipped, m.skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWavesInNoOrder: two waves that select the same user, and neither comes after the other (L2).
func TestWavesInNoOrder(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Waves = []config.Wave{wave("a", config.Selector{Roles: []string{"admin"}}),
		wave("b", config.Selector{Tenants: []string{"acme"}})}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), `wave "a" and wave "b" both select 1 users`) {
		t.Errorf("error %v", err)
	}
}

// TestFollowUps is what the next plan holds after the move: L24, L25, L28, L30, L33.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	group := func(n int) func(*fake) uuid.UUID {
		return func(f *fake) uuid.UUID { return state.GroupID(lineage, f.config.Groups[n].Address, 1) }
	}
	acmeAdmins, acmeUsers, globexUsers := group(0), group(1), group(3)
	type want struct {
		Join, Leave []uuid.UUID
		Act         state.PersonAct
		Standing    state.Standing
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   func(*fake) *want
	}{
		"nothing changed": {func(*fake) {}, func(*fake) *want { return nil }},
		"L24 promoted": {func(f *fake) { f.user(11).Role = "admin" },
			func(f *fake) *want { return &want{[]uuid.UUID{acmeAdmins(f)}, nil, state.PersonNone, state.Moved} }},
		"L30 suspended": {func(f *fake) { f.tenants[0].Status = "suspended" }, func(*fake) *want { return nil }},
		"L28 row gone": {func(f *fake) {
			f.users = slices.DeleteFunc(f.users, func(u providers.User) bool { return u.ID[15] == 11 })
			f.recorded[0].RowGone = true
		}, func(f *fake) *want { return &want{nil, []uuid.UUID{acmeUsers(f)}, state.PersonExpire, state.Gone} }},
		"L25 another tenant": {func(f *fake) {
			f.user(11).Tenant, f.recorded[0].TenantNow = globex, globex
		}, func(f *fake) *want {
			return &want{[]uuid.UUID{globexUsers(f)}, []uuid.UUID{acmeUsers(f)}, state.PersonNone, state.Moved}
		}},
		"L23 paused: what would be added waits": {func(f *fake) {
			f.user(11).Role = "admin"
			f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}}
		}, func(*fake) *want { return nil }},
		"another link": {func(f *fake) { f.user(11).Link = id(201); f.user(11).Role = "admin" },
			func(*fake) *want { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.moved(11, "everyone")
			c.change(f)
			m := f.must(t)
			s, changed := m.shapes[11]
			w := c.want(f)
			switch {
			case w == nil && changed:
				t.Errorf("a change: %+v", s)
			case w != nil && !changed:
				t.Error("no change")
			case w != nil:
				if diff := cmp.Diff(*w, want{s.Join, s.Leave, s.Effect.Act, s.After.Standing}); diff != "" {
					t.Errorf("change (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMethods: dual with a password, self_auth without (L6); found links are not ours (L29).
func TestMethods(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.user(11).HasPassword, f.user(11).CanPassword = false, false
	f.user(12).Link = id(200)
	f.persons = []providers.Person{{ID: id(200), Name: "early"}}
	m := f.must(t)
	a, b := m.shapes[10].Effect.Method, m.shapes[11].Effect.Method
	if a != state.MethodDual || b != state.MethodSelfAuth {
		t.Errorf("methods %s, %s", a, b)
	}
	if s := m.shapes[12]; s.Effect != (state.Effect{Method: state.MethodDual}) || !s.Ground.Linked ||
		s.After.MadePerson || s.After.WroteLink || len(s.Join) != 2 {
		t.Errorf("found: %+v", s)
	}
}

// TestCollisions: all of a collision carry a suffix, whatever their order, also when a stopped run has made one of
// them.
func TestCollisions(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.user(10).Email, f.user(11).Email = "kim+a@1.example", "kim-a@1.example"
	m := f.must(t)
	if a, b, c := m.shapes[10].Effect.Suffix, m.shapes[11].Effect.Suffix, m.shapes[12].Effect.Suffix; !a || !b || c {
		t.Errorf("suffixes %v %v %v", a, b, c)
	}
	made := state.PersonID(lineage, id(10), 1)
	f.persons = []providers.Person{{ID: made, Name: plan.CleanName("acme.kim-a", id(10), true),
		Mails: []string{"kim+a@1.example"}}}
	m = f.must(t)
	if s := m.shapes[10]; !s.Ground.Made || s.Effect.Act != state.PersonCreate {
		t.Errorf("the one that is there: %+v", s)
	}
	if !m.shapes[11].Effect.Suffix {
		t.Error("the other lost its suffix")
	}
}

// TestObjects: creation order (L36), recovery, dormancy (L30, L31), edits.
func TestObjects(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var order []string
	for _, o := range f.must(t).effects.Objects {
		order = append(order, string(o.Action)+" "+o.After.Attributes.Text(state.AttrName))
	}
	want := []string{"create tenant_acme_admins", "create tenant_acme_users", "create tenant_globex_admins",
		"create tenant_globex_users"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	// The state is lost, the group is there: by its id it is ours, of whatever generation.
	f.groups = []providers.Group{{ID: state.GroupID(lineage, f.config.Groups[0].Address, 3),
		Name: "tenant_acme_admins"}}
	if o := f.must(t).effects.Objects[0]; o.Action != state.ActionRecover || o.After.Generation != 3 {
		t.Errorf("lost state: %+v", o)
	}
	f = newFake(t)
	f.moved(10, "everyone")
	f.config.Groups = f.config.Groups[2:] // the data of for_each names acme no more
	dormant := []state.Finding{state.About(state.CodeNotInData, state.Of(`group.admins["acme"]`)),
		state.About(state.CodeNotInData, state.Of(`group.users["acme"]`))}
	if diff := cmp.Diff(dormant, f.must(t).context.Objects.Dormant); diff != "" {
		t.Errorf("dormant (-want +got):\n%s", diff)
	}
	f.config.DataBlocks = nil // an edit did
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "no other group that is mapped") {
		t.Errorf("error %v", err)
	}
}

// TestHeldWaves: what would become of the users of a wave that is held is neither in the plan ID nor a hazard.
func TestHeldWaves(t *testing.T) {
	t.Parallel()
	world := func() *fake {
		f := newFake(t)
		f.config.Identity.AdoptMail = true
		later := wave("later", config.Selector{Tenants: []string{"globex"}})
		later.At = now.Add(time.Hour)
		f.config.Waves = []config.Wave{wave("first", config.Selector{Tenants: []string{"acme"}}), later}
		return f
	}
	want := world().must(t)
	for name, change := range map[string]func(*fake){
		"one user more": func(f *fake) {
			u := *f.user(12)
			u.ID, u.Email = id(15), "u5@2.example"
			f.users = append(f.users, u)
		},
		"a user of another role":          func(f *fake) { f.user(12).Role = "viewer" },
		"a user without a password":       func(f *fake) { f.user(12).HasPassword, f.user(12).CanPassword = false, false },
		"a user whose address is another": func(f *fake) { f.user(12).Email = "new@2.example" },
		"a user to be taken over": func(f *fake) {
			f.persons = []providers.Person{{ID: id(200), Name: "old", Mails: []string{f.user(12).Email}}}
		},
	} {
		f := world()
		change(f)
		got := f.must(t)
		if got.id != want.id {
			t.Errorf("%s: another plan ID; hazards %+v", name, got.effects.Hazards)
		}
	}
}

// TestGuard: over the limit the plan is blocked, unless allowed by the exact count (L41).
func TestGuard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Guard.MinPopulation = 3
	over := state.Found(state.CodeOverLimit, state.Real(state.KeyLimit, 30), state.Number(state.KeyPopulation, 5)).Times(4)
	want := []plan.Hazard{{Code: plan.OverLimit, Count: 4, Of: []state.Finding{over}}}
	if m := f.must(t); !m.effects.Blocked() || cmp.Diff(want, m.effects.Hazards) != "" {
		t.Errorf("hazards (-want +got):\n%s", cmp.Diff(want, m.effects.Hazards))
	}
	f.allowed = []plan.Allowance{{Code: plan.OverLimit, Count: 3}}
	m := f.must(t)
	if !m.effects.Blocked() {
		t.Errorf("another count: %+v", m.effects.Hazards)
	}
	found(t, m.context.Notes, state.Found(state.CodeAllowanceUnused,
		state.Text(state.KeyHazard, "OVER_LIMIT")).Times(3))
	f.allowed[0].Count = 4
	if m := f.must(t); m.effects.Blocked() {
		t.Error("blocked though allowed")
	}
	// An emptied table expires nobody unasked.
	f = newFake(t)
	f.config.Guard.MinPopulation = 2
	f.moved(10, "everyone")
	f.moved(11, "everyone")
	f.users = nil
	if m := f.must(t); !m.effects.Blocked() {
		t.Errorf("an emptied table: %+v", m.context.Population)
	}
}

// TestRandomWorlds: the same bytes twice, and with the directory in another order; nobody is dropped silently.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake(t)
		n := rapid.IntRange(0, 40).Draw(rt, "users")
		f.users = nil
		for i := range n {
			tenant := rapid.SampledFrom([]uuid.UUID{acme, globex, initech}).Draw(rt, "tenant")
			f.users = append(f.users, providers.User{ID: id(byte(100 + i)), Tenant: tenant,
				Email: rapid.SampledFrom([]string{fmt.Sprintf("u%d@x.example", i), "shared@x.example", "bad", "",
					fmt.Sprintf("U+%d@x.example", i/2)}).Draw(rt, "mail"),
				Role:   rapid.SampledFrom([]string{"user", "admin", "viewer"}).Draw(rt, "role"),
				Status: rapid.SampledFrom([]string{"active", "active", "inactive", "suspended"}).Draw(rt, "status"),
				Method: state.MethodPassword, HasPassword: rapid.Bool().Draw(rt,
					"password"), Deleted: rapid.IntRange(0, 5).Draw(rt, "deleted") == 0})
		}
		for i := range n {
			if u := f.users[i]; !u.Deleted && u.Tenant != initech && rapid.IntRange(0, 3).Draw(rt, "moved") == 0 {
				f.moved(u.ID[15], "everyone")
			}
		}
		a := f.must(t)
		slices.Reverse(f.persons)
		slices.Reverse(f.groups)
		for i := range f.groups {
			slices.Reverse(f.groups[i].Members)
		}
		if b := f.must(t); !bytes.Equal(a.bytes, b.bytes) {
			rt.Fatal("another plan of the same world")
		}
		live := 0
		for _, u := range f.users {
			if !u.Deleted {
				live++
			}
		}
		if got := len(a.users["everyone"]) + len(a.skipped) + len(f.recorded); got != live {
			rt.Fatalf("%d live users, %d moved now, %d skipped, %d moved before", live, len(a.users["everyone"]),
				len(a.skipped), len(f.recorded))
		}
	})
}
