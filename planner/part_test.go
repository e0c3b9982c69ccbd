package planner_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// only narrows plans of the world; texts begin with "-" where something is excluded.
func (f *fake) only(t testing.TB, texts ...string) *fake {
	t.Helper()
	f.targets, f.exclude = nil, nil
	for _, text := range texts {
		text, without := strings.CutPrefix(text, "-")
		target, ok := plan.ParseTarget(text)
		switch {
		case !ok:
			t.Fatalf("%q is no target", text)
		case without:
			f.exclude = append(f.exclude, target)
		default:
			f.targets = append(f.targets, target)
		}
	}
	return f
}

// addresses are those of the plan's changes, in its order.
func (m made) addresses() (list []string) {
	for _, c := range m.effects.Objects {
		list = append(list, string(c.Address))
	}
	return list
}

// pulled are what was pulled in, and by what.
func (m made) pulled() (list []string) {
	for _, p := range m.context.Part.Pulled {
		list = append(list, fmt.Sprintf("%s for %s %s", p.Address, p.By.Kind, p.By.Name))
	}
	return list
}

// twoWaves is the plain world with a wave for each live tenant, in a row, and a client that names the groups of both.
func twoWaves(t *testing.T) *fake {
	f := newFake(t)
	second := wave("second", config.Selector{All: true})
	second.After = []string{"first"}
	f.config.Waves = []config.Wave{wave("first", config.Selector{Tenants: []string{"acme"}}), second}
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: client("app", "https://app.example"),
		Scopes: []config.ScopeMap{{Groups: []state.Address{`group.users["acme"]`, `group.users["globex"]`}, Scopes: []string{"openid"}}}}}
	f.config.Accounts = []config.AccountPolicy{{Address: `account_policy.admins["globex"]`, Group: `group.admins["globex"]`,
		Attributes: texts("authsession_expiry", "3600")}}
	return f
}

// TestParts: what plans of parts of one configuration hold, what was pulled in, and what they leave out.
func TestParts(t *testing.T) {
	t.Parallel()
	admins := func(slug string) string { return fmt.Sprintf("group.admins[%q]", slug) }
	members := func(slug string) string { return fmt.Sprintf("group.users[%q]", slug) }
	app, policy := "oauth2_client.app", `account_policy.admins["globex"]`
	all := []string{admins("acme"), members("acme"), admins("globex"), members("globex"), policy, app}
	for name, c := range map[string]struct {
		part    []string
		objects []string
		pulled  []string
		users   map[string][]byte
		left    plan.Left
		waves   map[string]plan.WaveState
	}{
		"all": {[]string{"-schema"}, all, nil, map[string][]byte{"first": {10, 11}, "second": {12, 13}}, plan.Left{},
			map[string]plan.WaveState{"first": plan.WaveStarts, "second": plan.WaveStarts}},
		"a tenant": {[]string{"tenant=acme"}, []string{admins("acme"), members("acme")}, nil,
			map[string][]byte{"first": {10, 11}}, plan.Left{Objects: 4, Users: 2},
			map[string]plan.WaveState{"first": plan.WaveStarts, "second": plan.WaveStarts}},
		"a tenant whose wave waits for one that is left out": {[]string{"tenant=globex"},
			[]string{admins("globex"), members("globex"), policy}, nil, map[string][]byte{}, plan.Left{Objects: 3, Users: 4}, nil},
		"a wave": {[]string{"wave=first"}, []string{admins("acme"), members("acme")},
			[]string{admins("acme") + " for tenant acme", members("acme") + " for tenant acme"},
			map[string][]byte{"first": {10, 11}}, plan.Left{Objects: 4, Users: 2},
			map[string]plan.WaveState{"first": plan.WaveStarts, "second": plan.WaveHeld}},
		"a wave by its address": {[]string{"wave.first"}, []string{admins("acme"), members("acme")},
			[]string{admins("acme") + " for tenant acme", members("acme") + " for tenant acme"},
			map[string][]byte{"first": {10, 11}}, plan.Left{Objects: 4, Users: 2}, nil},
		"a wave that is held by that": {[]string{"wave=second"}, nil, nil, map[string][]byte{}, plan.Left{Objects: 6, Users: 4},
			map[string]plan.WaveState{"first": plan.WaveHeld, "second": plan.WaveHeld}},
		"a wave in a tenant where it has nobody": {[]string{"wave=first", "tenant=globex"}, nil, nil, map[string][]byte{},
			plan.Left{Objects: 6, Users: 4}, nil},
		"a group": {[]string{members("acme")}, []string{admins("acme"), members("acme")},
			[]string{admins("acme") + " for address " + members("acme")}, map[string][]byte{}, plan.Left{Objects: 4, Users: 4}, nil},
		"a block": {[]string{"group.admins"}, []string{admins("acme"), admins("globex")}, nil, map[string][]byte{},
			plan.Left{Objects: 4, Users: 4}, nil},
		"a client": {[]string{app}, []string{admins("acme"), members("acme"), admins("globex"), members("globex"), app},
			[]string{admins("acme") + " for address " + members("acme"), members("acme") + " for address " + app,
				admins("globex") + " for address " + members("globex"), members("globex") + " for address " + app},
			map[string][]byte{}, plan.Left{Objects: 1, Users: 4}, nil},
		"a policy": {[]string{policy}, []string{admins("globex"), policy}, []string{admins("globex") + " for address " + policy},
			map[string][]byte{}, plan.Left{Objects: 4, Users: 4}, nil},
		"without a client": {[]string{"-" + app}, all[:5], nil, map[string][]byte{"first": {10, 11}, "second": {12, 13}},
			plan.Left{Objects: 1}, nil},
		"without a wave": {[]string{"-wave=second"}, all, nil, map[string][]byte{"first": {10, 11}}, plan.Left{Users: 2},
			map[string]plan.WaveState{"first": plan.WaveStarts, "second": plan.WaveHeld}},
		"without a tenant and what needs it": {[]string{"-tenant=globex", "-" + app}, []string{admins("acme"), members("acme")}, nil,
			map[string][]byte{"first": {10, 11}}, plan.Left{Objects: 4, Users: 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := twoWaves(t).only(t, c.part...).must(t)
			for what, diff := range map[string]string{
				"objects":  cmp.Diff(c.objects, m.addresses(), cmpopts.EquateEmpty()),
				"pulled":   cmp.Diff(c.pulled, m.pulled(), cmpopts.EquateEmpty()),
				"users":    cmp.Diff(c.users, m.users),
				"left out": cmp.Diff(c.left, m.context.Part.Left),
			} {
				if diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
			for _, w := range m.context.Waves {
				if want := c.waves[w.Name]; want != "" && w.State != want {
					t.Errorf("wave %s is %s, want %s", w.Name, w.State, want)
				}
			}
		})
	}
}

// TestPartsThatCannotBe: what is not there, and what cannot be left out.
func TestPartsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		part []string
		want string
	}{
		"no such wave":      {[]string{"wave=frist"}, `no wave "frist" is declared; did you mean wave=first?`},
		"no such tenant":    {[]string{"-tenant=globx"}, `there is no tenant "globx"; did you mean tenant=globex?`},
		"nothing near":      {[]string{"tenant=x"}, `there is no tenant "x"`},
		"no such object":    {[]string{`group.user["acme"]`}, `did you mean 'group.users["acme"]'?`},
		"as the shell does": {[]string{"group.users[acme]"}, `did you mean 'group.users["acme"]'?`},
		"users need groups": {[]string{`-group.users["acme"]`}, `users of tenant "acme" in this part of the configuration cannot do ` +
			`without its change. Exclude that as well (-exclude tenant=acme)`},
		"a client needs groups": {[]string{"-tenant=acme"}, "(-exclude oauth2_client.app)"},
		"a policy needs its group": {[]string{"account_policy.admins", "-group.admins"},
			`(-exclude 'account_policy.admins["globex"]')`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := twoWaves(t).only(t, c.part...)
			_, err := f.make(t)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			var target *planner.TargetError
			var needed *planner.NeededError
			if !errors.As(err, &target) && !errors.As(err, &needed) {
				t.Errorf("an error of another kind: %T", err)
			}
		})
	}
}

// TestWaveOfAPart: a wave of which a plan moves some users only has not started by that, is not moved, and holds the next.
func TestWaveOfAPart(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	second := wave("second", config.Selector{All: true})
	second.After = []string{"everyone"}
	f.config.Waves[0].Users = []config.Selector{{Tenants: []string{"acme", "globex"}}}
	f.config.Waves = append(f.config.Waves, second)
	if m := f.only(t, "tenant=acme").must(t); len(m.effects.Waves) != 1 || m.effects.Waves[0].Starts || m.effects.Waves[0].Moved ||
		m.effects.Waves[0].Done || !m.effects.Waves[0].RestartSoak || m.context.Waves[0].Left != 2 {
		t.Errorf("waves of a part: %+v, left out of the first %d", m.effects.Waves, m.context.Waves[0].Left)
	}
	f.moved(10, "everyone")
	f.moved(11, "everyone")
	m := f.only(t, "tenant=globex").must(t)
	if w := m.effects.Waves[0]; !w.Starts || !w.Moved || !w.Done || !slices.Equal(m.users["everyone"], []byte{12, 13}) {
		t.Errorf("the last part: %+v, users %v", w, m.users)
	}
}

// TestPartTakesNothingElse: strangers, users and objects outside of a part stay, and what an object of it takes from users
// outside is judged by how they stay.
func TestPartTakesNothingElse(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, n := range []byte{10, 11, 12, 13} {
		f.moved(n, "everyone")
	}
	for i := range f.config.Groups {
		f.config.Groups[i].Members.Full = true
		f.state.Objects[slices.IndexFunc(f.state.Objects, func(o state.Object) bool {
			return o.Address == f.config.Groups[i].Address
		})].Members.Full = true
	}
	f.persons = append(f.persons, providers.Person{ID: id(200), Name: "stranger"})
	f.named("tenant_acme_users").Members = append(f.named("tenant_acme_users").Members, id(200))
	f.named("tenant_globex_users").Members = append(f.named("tenant_globex_users").Members, id(200))
	f.user(10).Role, f.user(12).Role = "user", "user" // both leave their group of admins
	f.config.Guard = config.Guard{MaxUsersChangedPercent: 100, MaxRemovedPercent: 100}

	if got, want := f.only(t).must(t).addresses(), []string{`group.users["acme"]`, `group.users["globex"]`}; !slices.Equal(got, want) {
		t.Fatalf("the plan of all changes %v, want %v", got, want)
	}
	m := f.only(t, "tenant=acme").must(t)
	if got := m.addresses(); !slices.Equal(got, []string{`group.users["acme"]`}) || !slices.Equal(m.users[""], []byte{10}) {
		t.Errorf("a part changes %v and users %v", got, m.users)
	}
	if m := f.only(t, "wave=everyone").must(t); len(m.addresses()) != 0 || len(m.users[""]) != 2 {
		t.Errorf("users of a wave: objects %v, users %v", m.addresses(), m.users)
	}

	// A group that is declared no more, and another one in its place: users outside of the part would be in none.
	f = newFake(t)
	for _, n := range []byte{10, 11} {
		f.moved(n, "everyone")
	}
	f.config.Groups = slices.DeleteFunc(f.config.Groups, func(g config.Group) bool { return g.Tenant == "acme" })
	f.config.Groups = append(f.config.Groups, config.Group{Address: "group.new", Block: "group.new", Tenant: "acme", Name: "new",
		Role: state.RoleViewer, Members: state.Members{All: true}})
	f.config.Blocks, f.config.DataBlocks = []string{"group.new"}, nil
	if _, err := f.only(t).make(t); err != nil {
		t.Fatal(err)
	}
	if _, err := f.only(t, "group.users", "group.admins").make(t); err == nil || !strings.Contains(err.Error(), "Group still needed") {
		t.Errorf("groups go, and their members are outside of the part: %v", err)
	}
	if m := f.only(t, "tenant=acme").must(t); len(m.addresses()) != 3 || len(m.users[""]) != 2 {
		t.Errorf("with their members: %v, users %v", m.addresses(), m.users)
	}
}

// TestPartIsWithin: in random worlds, whatever a plan of a part does the plan of all does too, what it leaves out is the
// rest, and hazards count no more.
func TestPartIsWithin(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := randomParts(t, rt)
		whole := f.only(t).must(t)
		targets := rapid.SampledFrom([]string{"tenant=acme", "tenant=globex", "wave=first", "wave=rest", `group.admins["acme"]`,
			"group.users", "tenant=initech"})
		excluded := rapid.SampledFrom([]string{"-tenant=globex", "-wave=rest", "-group.admins", `-group.users["globex"]`})
		part := append(rapid.SliceOfNDistinct(targets, 0, 3, rapid.ID).Draw(rt, "targets"),
			rapid.SliceOfNDistinct(excluded, 0, 1, rapid.ID).Draw(rt, "excluded")...)
		m, err := f.only(t, part...).make(t)
		if err != nil {
			var needed *planner.NeededError
			if errors.As(err, &needed) || strings.Contains(err.Error(), "Group still needed") {
				return
			}
			rt.Fatal(err)
		}
		for _, c := range m.effects.Objects {
			of := whole.change(c.Address)
			if of == nil || of.Action != c.Action || !cmp.Equal(of.Will, c.Will) {
				rt.Fatalf("%v changes %+v, and the plan of all %+v", part, c, of)
			}
		}
		users := 0
		for wave, list := range m.users {
			for _, n := range list {
				users++
				if a, b := m.shapes[n], whole.shapes[n]; !slices.Contains(whole.users[wave], n) || !sameDoing(a, b) {
					rt.Fatalf("%v: user %d of %q: %+v, and in the plan of all %+v", part, n, wave, a, b)
				}
			}
		}
		for _, h := range m.effects.Hazards {
			// An administrator is the last one where others are left out.
			if n := whole.hazard(h.Code); n < h.Count && h.Code != plan.LastAdmin && h.Code != plan.LocksOut {
				rt.Fatalf("%v: hazard %s counts %d, in the plan of all %d", part, h.Code, h.Count, n)
			}
		}
		if m.context.Part == nil {
			if len(part) > 0 {
				rt.Fatalf("%v is said of no part", part)
			}
			return
		}
		all := 0
		for _, list := range whole.users {
			all += len(list)
		}
		left := plan.Left{Objects: int64(len(whole.effects.Objects) - len(m.effects.Objects)), Users: int64(all - users)}
		if m.context.Part.Left != left {
			rt.Fatalf("%v leaves out %+v, says %+v", part, left, m.context.Part.Left)
		}
	})
}

// sameDoing says whether the same is done to two users, whatever their groups are numbered.
func sameDoing(a, b shape) bool {
	return a.Effect == b.Effect && a.After == b.After && slices.Equal(a.Join, b.Join) && slices.Equal(a.Leave, b.Leave)
}

// randomParts is a random world with users before, in and after their move, and two waves in a row.
func randomParts(t *testing.T, rt *rapid.T) *fake {
	f := newFake(t)
	f.config.Guard = config.Guard{MaxUsersChangedPercent: 100, MaxRemovedPercent: 100, KeepAdmins: 1}
	f.config.Identity.FollowState = true
	rest := wave("rest", config.Selector{All: true})
	rest.After = []string{"first"}
	f.config.Waves = []config.Wave{wave("first", config.Selector{Tenants: []string{"acme"}}, config.Selector{Roles: []string{"admin"}}), rest}
	if rapid.Bool().Draw(rt, "soak") {
		f.config.Waves[0].Soak = time.Hour
	}
	f.users = nil
	n := rapid.IntRange(0, 14).Draw(rt, "users")
	for i := range n {
		f.users = append(f.users, providers.User{ID: id(byte(100 + i)),
			Tenant: rapid.SampledFrom([]uuid.UUID{acme, globex, initech}).Draw(rt, "tenant"),
			Email:  fmt.Sprintf("u%d@x.example", i), FullName: "U", Role: rapid.SampledFrom([]string{"user", "admin"}).Draw(rt, "role"),
			Status: "active", Verified: true, HasPassword: true, Method: state.MethodPassword})
	}
	for i := range n {
		if u := &f.users[i]; u.Tenant != initech && rapid.IntRange(0, 2).Draw(rt, "moved") == 0 {
			f.moved(u.ID[15], rapid.SampledFrom([]string{"first", "rest"}).Draw(rt, "under"))
		}
	}
	for i := range n {
		u := &f.users[i]
		switch rapid.IntRange(0, 8).Draw(rt, "since") {
		case 0:
			u.Role = "user"
		case 1:
			u.Role = "admin"
		case 2:
			u.Status = "inactive"
		case 3:
			u.Tenant = rapid.SampledFrom([]uuid.UUID{acme, globex}).Draw(rt, "to")
			for k := range f.recorded {
				if f.recorded[k].User == u.ID {
					f.recorded[k].TenantNow = u.Tenant
				}
			}
		case 4: // rolled back: its person is ours, and got in again
			if len(f.recorded) > 0 && f.recorded[len(f.recorded)-1].User == u.ID {
				f.recorded[len(f.recorded)-1].Standing = state.RolledBack
				u.Link = uuid.Nil
			}
		}
	}
	if rapid.Bool().Draw(rt, "full") {
		for i := range f.config.Groups {
			f.config.Groups[i].Members.Full = true
		}
		f.persons = append(f.persons, providers.Person{ID: id(200), Name: "stranger"})
		for i := range f.groups {
			f.groups[i].Members = append(f.groups[i].Members, id(200))
		}
	}
	if rapid.Bool().Draw(rt, "renamed") {
		for i := range f.config.Groups {
			f.config.Groups[i].Name += "_x"
		}
	}
	// What becomes of a wave is recorded once all of it is moved.
	if rapid.Bool().Draw(rt, "started") {
		f.state.Waves = []state.Wave{{Name: "first", Started: now, MovedAt: now, Soaking: now.Add(-2 * time.Hour),
			Digest: rollout.SelectionDigest(f.config.Waves[0])}}
	}
	return f
}
