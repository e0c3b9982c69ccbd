package planner_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// crowd is a world with n users of acme, all of them moved, from id 100 on; the first is an administrator.
func crowd(t *testing.T, n int) *fake {
	f := newFake(t)
	f.config.Identity.FollowState = true
	f.config.Guard.KeepAdmins = 1
	f.users = nil
	for i := range n {
		role := "user"
		if i == 0 {
			role = "admin"
		}
		f.users = append(f.users, providers.User{ID: id(byte(100 + i)), Tenant: acme, Role: role, FullName: "U",
			Email: fmt.Sprintf("c%d@acme.example", i), Status: "active", Verified: true, HasPassword: true, CanPassword: true,
			Method: state.MethodPassword})
		f.moved(byte(100+i), "everyone")
	}
	return f
}

// lose deletes the rows of users.
func (f *fake) lose(from, to byte) {
	f.users = slices.DeleteFunc(f.users, func(u providers.User) bool { return u.ID[15] >= from && u.ID[15] <= to })
	for i := range f.recorded {
		f.recorded[i].RowGone = f.recorded[i].RowGone || f.recorded[i].User[15] >= from && f.recorded[i].User[15] <= to
	}
}

func (f *fake) member(group string, person uuid.UUID) {
	g := f.named(group)
	g.Members = append(g.Members, person)
}

// TestRemoved: who leaves, in whatever way, counts for the guard of removals and is allowed by count (L33, L41).
func TestRemoved(t *testing.T) {
	t.Parallel()
	full := func(f *fake) {
		for i := range f.config.Groups {
			f.config.Groups[i].Members.Full = true
		}
	}
	for name, c := range map[string]struct {
		change    func(*fake)
		count     int64 // of the hazard; 0: there is none
		strangers int64
	}{
		"rows gone, at the limit": {func(f *fake) { f.lose(101, 105) }, 0, 0},
		"rows gone, over it":      {func(f *fake) { f.lose(101, 106) }, 6, 0},
		"suspended": {func(f *fake) {
			for n := range byte(6) {
				f.user(101 + n).Status = "suspended"
			}
		}, 6, 0},
		"moved to another tenant": {func(f *fake) {
			for n := range byte(6) {
				f.user(101+n).Tenant, f.record(101+n).TenantNow = globex, globex
			}
		}, 6, 0},
		"promoted, which takes nothing": {func(f *fake) {
			for n := range byte(20) {
				f.user(101 + n).Role = "admin"
			}
		}, 0, 0},
		"strangers of groups managed in full": {func(f *fake) {
			full(f)
			for n := range byte(6) {
				f.member("tenant_acme_users", id(240+n))
				f.member("tenant_acme_admins", id(240+n)) // each counts once
			}
		}, 6, 6},
		"strangers who stay": {func(f *fake) {
			for n := range byte(20) {
				f.member("tenant_acme_users", id(230+n))
			}
		}, 0, 0},
		"all ways together": {func(f *fake) {
			full(f)
			f.lose(101, 102)
			f.user(103).Status = "suspended"
			f.user(104).Tenant, f.record(104).TenantNow = globex, globex
			f.member("tenant_acme_users", id(240))
			f.member("tenant_acme_users", id(241))
		}, 6, 2},
		"a few, where percentages do not bite": {func(f *fake) {
			f.config.Guard.MinPopulation = 101
			f.lose(101, 120)
		}, 0, 0},
		"the limit is the configuration's": {func(f *fake) {
			f.config.Guard.MaxRemovedPercent = 20
			f.lose(101, 120)
		}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := crowd(t, 100)
			c.change(f)
			m := f.must(t)
			if got := m.hazard(plan.OverLimitRemoved); got != c.count {
				t.Errorf("%d removed, want %d: %+v", got, c.count, m.effects.Hazards)
			}
			if got := m.effects.Strangers(); got != c.strangers {
				t.Errorf("%d strangers, want %d", got, c.strangers)
			}
		})
	}
	f := crowd(t, 100)
	full(f)
	for n := range byte(31) {
		f.member("tenant_acme_users", id(210+n))
	}
	m := f.must(t)
	args := []state.Arg{state.Real(state.KeyLimit, 30), state.Number(state.KeyPopulation, 100),
		state.Number(state.KeyStrangers, 31)}
	over := state.Found(state.CodeOverLimit, args...).Times(31)
	args[0].Real = 5
	want := []plan.Hazard{{Code: plan.OverLimit, Count: 31, Of: []state.Finding{over}},
		{Code: plan.OverLimitRemoved, Count: 31, Of: []state.Finding{state.Found(state.CodeOverRemoved,
			state.Real(state.KeyLimit, 5), args[1], args[2]).Times(31)}}}
	over.Args = []state.Arg{state.Real(state.KeyLimit, 30), args[1], args[2]}
	want[0].Of = []state.Finding{over}
	if diff := cmp.Diff(want, m.effects.Hazards); diff != "" {
		t.Errorf("hazards (-want +got):\n%s", diff)
	}
	f.allowed = []plan.Allowance{{Code: plan.OverLimit, Count: 31}, {Code: plan.OverLimitRemoved, Count: 30}}
	if !f.must(t).effects.Blocked() {
		t.Error("another count lets it pass")
	}
	f.allowed[1].Count = 31
	if f.must(t).effects.Blocked() {
		t.Error("blocked though allowed")
	}
}

// TestRowsGone (L28): more than five and over one in a hundred of the moved users of one tenant.
func TestRowsGone(t *testing.T) {
	t.Parallel()
	gone := func(slug string, n, of int64) state.Finding {
		return state.About(state.CodeRowsGone, state.OfTenant(slug), state.Number(state.KeyPopulation, of)).Times(n)
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   []state.Finding
	}{
		"five":              {func(f *fake) { f.lose(101, 105) }, nil},
		"six":               {func(f *fake) { f.lose(101, 106) }, []state.Finding{gone("acme", 6, 120)}},
		"one of a hundred":  {func(f *fake) { f.lose(101, 101) }, nil},
		"an emptied table":  {func(f *fake) { f.lose(100, 219) }, []state.Finding{gone("acme", 120, 120)}},
		"in no tenant five": {func(f *fake) { half(f); f.lose(101, 103); f.lose(211, 213) }, nil},
		"in both": {func(f *fake) { half(f); f.lose(101, 106); f.lose(211, 217) },
			[]state.Finding{gone("acme", 6, 110), gone("globex", 7, 10)}},
		"with their tenant": {func(f *fake) {
			half(f)
			f.lose(210, 219)
			f.tenants = slices.DeleteFunc(f.tenants, func(t providers.Tenant) bool { return t.ID == globex })
		}, []state.Finding{gone("globex", 10, 10)}},
		"suspended ones are no gone ones": {func(f *fake) {
			for n := range byte(10) {
				f.user(101 + n).Status = "suspended"
			}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := crowd(t, 120)
			c.change(f)
			var got []state.Finding
			for _, h := range f.must(t).effects.Hazards {
				if h.Code == plan.RowsGone {
					got = h.Of
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rows gone (-want +got):\n%s", diff)
			}
		})
	}
	// One in a hundred is not more than that.
	f := newFake(t)
	f.lose(0, 255)
	for n := range 600 {
		u := uuid.UUID{14: byte(n / 250), 15: byte(n % 250)}
		f.recorded = append(f.recorded, state.User{User: u, Tenant: acme, TenantNow: acme, RowGone: n < 6,
			UserState: state.UserState{Standing: state.Moved, Wave: "everyone", Policy: "dual", Generation: 1}})
		if n >= 6 {
			f.users = append(f.users, providers.User{ID: u, Tenant: acme, Status: "active", Link: id(1)})
		}
	}
	f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
	if m := f.must(t); m.hazard(plan.RowsGone) != 0 {
		t.Errorf("6 of 600: %+v", m.effects.Hazards)
	}
}

// half makes the last ten of a crowd of 120 users of globex.
func half(f *fake) {
	for n := byte(210); n < 220; n++ {
		f.user(n).Tenant, f.record(n).Tenant, f.record(n).TenantNow = globex, globex, globex
		for i := range f.groups {
			f.groups[i].Members = slices.DeleteFunc(f.groups[i].Members, func(m uuid.UUID) bool {
				return m == f.record(n).Person
			})
		}
		f.record(n).Groups = []uuid.UUID{f.group(f.config.Groups[3], f.record(n).Person)}
	}
}

// TestLastAdmin: a plan that takes an administrator away and leaves too few in the tenant is blocked (L24, L41).
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	second := func(f *fake) {
		f.user(101).Role = "admin"
		f.member("tenant_acme_admins", f.record(101).Person)
		f.record(101).Groups = append(f.record(101).Groups, f.named("tenant_acme_admins").ID)
		slices.SortFunc(f.record(101).Groups, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	}
	person := func(f *fake, n byte) *providers.Person {
		i := slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == f.record(n).Person })
		return &f.persons[i]
	}
	type want struct{ Taken, Left, Keep int64 }
	for name, c := range map[string]struct {
		change func(*fake)
		want   want // zero: no hazard
	}{
		"nothing happens": {func(*fake) {}, want{}},
		"demoted":         {func(f *fake) { f.user(100).Role = "user" }, want{1, 0, 1}},
		"suspended":       {func(f *fake) { f.user(100).Status = "suspended" }, want{1, 0, 1}},
		"deleted":         {func(f *fake) { f.user(100).Deleted = true }, want{1, 0, 1}},
		"its row is gone": {func(f *fake) { f.lose(100, 100) }, want{1, 0, 1}},
		"moved to another tenant": {func(f *fake) { f.user(100).Tenant, f.record(100).TenantNow = globex, globex },
			want{1, 0, 1}},
		"demoted, and another is left": {func(f *fake) { second(f); f.user(100).Role = "user" }, want{}},
		"two must be left": {func(f *fake) { second(f); f.config.Guard.KeepAdmins = 2; f.user(100).Role = "user" },
			want{1, 1, 2}},
		"both at once": {func(f *fake) { second(f); f.user(100).Role = "user"; f.user(101).Status = "suspended" },
			want{2, 0, 1}},
		"the other one is expired": {func(f *fake) { second(f); person(f, 101).Expired = true; f.user(100).Role = "user" },
			want{1, 0, 1}},
		"the other one is suspended as well, and stays awake": {func(f *fake) {
			second(f)
			f.config.Identity.FollowState = false
			f.user(101).Status = "suspended"
			f.user(100).Role = "user"
		}, want{1, 0, 1}},
		"another is promoted in the same plan": {func(f *fake) { f.user(100).Role, f.user(101).Role = "user", "admin" },
			want{}},
		"another one wakes up": {func(f *fake) {
			second(f)
			f.record(101).Asleep = true
			person(f, 101).Expired, person(f, 101).Closed = true, true
			f.user(100).Role = "user"
		}, want{}},
		"another one is moved in the same plan": {func(f *fake) {
			f.users = append(f.users, providers.User{ID: id(90), Tenant: acme, Role: "admin", Email: "new@acme.example",
				FullName: "N", Status: "active", Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword})
			f.user(100).Role = "user"
		}, want{}},
		"another one would be moved by a wave that is held": {func(f *fake) {
			f.users = append(f.users, providers.User{ID: id(90), Tenant: acme, Role: "admin", Email: "new@acme.example",
				FullName: "N", Status: "active", Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword})
			f.config.Waves[0].StartGates = []string{"shut"}
			f.user(100).Role = "user"
		}, want{1, 0, 1}},
		"expired by others before": {func(f *fake) { person(f, 100).Expired = true; f.user(100).Role = "user" }, want{}},
		"excluded, which stops only what gives": {func(f *fake) {
			f.user(100).Role, f.config.Exclude.UserIDs = "user", []uuid.UUID{id(100)}
		}, want{1, 0, 1}},
		"put in by hand, and out by a group managed in full": {func(f *fake) {
			f.user(100).Role = "user"
			f.record(100).Groups = []uuid.UUID{f.named("tenant_acme_users").ID}
			f.config.Groups[0].Members.Full = true
		}, want{1, 0, 1}},
		"the group is no longer one of admins": {func(f *fake) { f.config.Groups[0].Role = state.RoleMember },
			want{1, 0, 1}},
		"the group goes": {func(f *fake) {
			f.config.Groups = f.config.Groups[1:]
			f.config.DataBlocks = []string{"group.users"}
			f.config.Blocks = []string{"group.users"}
		}, want{1, 0, 1}},
		"the tenant never had one": {func(f *fake) { f.user(100).Role = "user"; f.config.Guard.KeepAdmins = 0 }, want{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := crowd(t, 30)
			f.config.Guard.MaxRemovedPercent, f.config.Guard.MaxUsersChangedPercent = 100, 100
			c.change(f)
			m := f.must(t)
			var of []state.Finding
			if c.want != (want{}) {
				of = []state.Finding{state.About(state.CodeLastAdmin, state.OfTenant("acme"),
					state.Number(state.KeyLeft, c.want.Left), state.Number(state.KeyLimit, c.want.Keep)).Times(c.want.Taken)}
			}
			var got []state.Finding
			for _, h := range m.effects.Hazards {
				if h.Code == plan.LastAdmin {
					if got = h.Of; h.Count != c.want.Taken {
						t.Errorf("count %d", h.Count)
					}
				}
			}
			if diff := cmp.Diff(of, got); diff != "" {
				t.Errorf("last administrators (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLostByThisPlan: who had no mapped group before loses none by a plan that changes something else.
func TestLostByThisPlan(t *testing.T) {
	t.Parallel()
	scopes := func(f *fake, n int, values ...string) {
		f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: state.Attributes{
			state.AttrName: state.TextValue("app"), state.AttrType: state.TextValue("confidential"),
			state.AttrScopeMaps: state.GrantsValue([]state.Grant{
				{Group: f.named("tenant_globex_users").ID, Values: []string{"openid"}}})}}}
		f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Adopt: true,
			Attributes: state.Attributes{state.AttrName: state.TextValue("app"),
				state.AttrType: state.TextValue("confidential")},
			Scopes: []config.ScopeMap{{Groups: []state.Address{f.config.Groups[n].Address}, Scopes: values}}}}
	}
	// Somebody has taken the group's mapping row away, and its block is not declared any more for acme.
	unmapped := func(f *fake) {
		for _, name := range []string{"tenant_acme_users", "tenant_acme_admins"} {
			f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.GroupName == name })
		}
		f.config.Groups = f.config.Groups[2:]
	}
	f := allMoved(t)
	unmapped(f)
	scopes(f, 1, "email", "openid")
	m := f.must(t)
	if n := m.hazard(plan.LocksOut); n != 0 {
		t.Errorf("%d are locked out by a scope that is added: %+v", n, m.effects.Hazards)
	}
	f = allMoved(t)
	unmapped(f)
	scopes(f, 1, "email")
	if n := f.must(t).hazard(plan.LocksOut); n != 2 {
		t.Errorf("%d users of globex lose a scope", n)
	}
}
