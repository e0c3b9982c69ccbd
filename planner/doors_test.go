package planner_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// lets gives a world a client that is there, and gives scopes to groups by name. requested, unless nil: it is declared, too, for
// the groups of all users of both tenants, as it is.
func (f *fake) lets(t *testing.T, scopes map[string][]string, requested []string) {
	t.Helper()
	var grants []state.Grant
	var maps []config.ScopeMap
	for _, g := range f.config.Groups {
		if s := scopes[g.Name]; s != nil {
			grants = append(grants, state.Grant{Group: state.GroupID(lineage, g.Address, 1), Values: s})
			maps = append(maps, config.ScopeMap{Groups: []state.Address{g.Address}, Scopes: s})
		}
	}
	a := client("app", "https://app.example/cb")
	a[state.AttrType] = state.TextValue("confidential")
	live := a.Set()
	live[state.AttrScopeMaps] = state.GrantsValue(grants)
	f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: live}}
	f.state.Objects = append(f.state.Objects, state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(150), Run: "r", Attributes: live})
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: a, Scopes: maps, Requested: requested}}
}

const (
	acmeUsers, acmeAdmins     = "tenant_acme_users", "tenant_acme_admins"
	globexUsers, globexAdmins = "tenant_globex_users", "tenant_globex_admins"
)

// TestLoginRefused: users who are moved, and whom Self-auth will refuse as the application asks for a scope that they are not
// given, are a hazard; so are those who were moved before where the plan takes the scope from them. What is not the plan's doing
// is none.
func TestLoginRefused(t *testing.T) {
	t.Parallel()
	all := []string{"openid", "email"}
	both := func(s ...string) map[string][]string { return map[string][]string{acmeUsers: s, globexUsers: s} }
	refused := func(n int64, lacks ...string) []state.Finding {
		return []state.Finding{state.About(state.CodeLoginRefused, state.OfClient("app"), state.List(state.KeyScopes, lacks...)).Times(n)}
	}
	for name, c := range map[string]struct {
		scopes    map[string][]string
		requested []string
		change    func(*fake)
		want      []state.Finding
	}{
		"all of it":            {scopes: both(all...), requested: all},
		"less than is given":   {scopes: both(all...), requested: all[:1]},
		"it is not declared":   {scopes: both("openid")},
		"a scope of nobody":    {scopes: both("openid"), requested: all, want: refused(4, "email")},
		"two of them":          {scopes: both("groups_name"), requested: all, want: refused(4, "openid", "email")},
		"a scope of one group": {scopes: map[string][]string{acmeUsers: all, globexUsers: {"openid"}}, requested: all, want: refused(2, "email")},
		"a scope of the admins": {scopes: map[string][]string{acmeUsers: {"openid"}, globexUsers: all, acmeAdmins: {"email"}}, requested: all,
			want: refused(1, "email")},
		"a supplementary map lets nobody in": {scopes: both("openid"), requested: all, change: func(f *fake) {
			f.clients[0].Attributes[state.AttrSupplementalScopes] = state.GrantsValue([]state.Grant{
				{Group: state.GroupID(lineage, f.config.Groups[1].Address, 1), Values: []string{"email"}}})
			f.config.Clients[0].SupScopes = []config.ScopeMap{{Groups: []state.Address{f.config.Groups[1].Address}, Scopes: []string{"email"}}}
		}, want: refused(4, "email")},
		"a wave that is held": {scopes: both("openid"), requested: all, change: func(f *fake) {
			f.config.Waves[0].At = now.AddDate(1, 0, 0)
		}},
		"moved before, and refused before": {scopes: both("openid"), requested: all, change: func(f *fake) {
			f.config.Waves[0].Enabled = false
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.config.Guard.MaxUsersChangedPercent = 100
			for n := byte(10); n < 14; n++ { // their groups are there
				f.moved(n, "everyone")
			}
			f.recorded, f.persons = nil, nil
			for i := range f.users {
				f.users[i].Link, f.users[i].Method = uuid.Nil, state.MethodPassword
			}
			for i := range f.groups {
				f.groups[i].Members = nil
			}
			f.lets(t, c.scopes, c.requested)
			if c.change != nil {
				c.change(f)
			}
			m := f.must(t)
			var got []state.Finding
			for _, h := range m.effects.Hazards {
				if h.Code == plan.LoginRefused {
					got = h.Of
				} else {
					t.Errorf("another hazard: %+v", h)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, n := range m.context.Notes {
				if n.Code == state.CodeLetInNowhere {
					t.Errorf("they are told of twice: %+v", n)
				}
			}
		})
	}
}

// TestRefusedSince: of users who were moved before, those count whom a change of the client's map makes refused, and who lose
// nothing that counts already.
func TestRefusedSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		was  map[string][]string
		want int64 // locked out, as a scope goes
	}{
		"a scope goes":         {map[string][]string{acmeUsers: {"openid", "email"}, globexUsers: {"openid"}}, 2},
		"it had not been able": {map[string][]string{acmeUsers: {"openid"}}, 0},
	} {
		f := allMoved(t)
		f.lets(t, map[string][]string{acmeUsers: {"openid"}, globexUsers: {"openid"}}, []string{"openid", "email"})
		var grants []state.Grant
		for g, s := range c.was {
			grants = append(grants, state.Grant{Group: f.named(g).ID, Values: s})
		}
		f.clients[0].Attributes[state.AttrScopeMaps] = state.GrantsValue(grants)
		m := f.must(t)
		if n := m.hazard(plan.LocksOut); n != c.want {
			t.Errorf("%s: %d are locked out, want %d: %+v", name, n, c.want, m.effects.Hazards)
		}
		// Those of globex are given a scope by this plan, and not enough of them.
		want := int64(0)
		if _, before := c.was[globexUsers]; !before {
			want = 2
		}
		if n := m.hazard(plan.LoginRefused); n != want {
			t.Errorf("%s: %d are refused, want %d: %+v", name, n, want, m.effects.Hazards)
		}
	}
}

// TestLetInNowhere: users who are moved and whom no client lets in are noted, where somebody is let in at all.
func TestLetInNowhere(t *testing.T) {
	t.Parallel()
	note := func(tenant string, n int64) state.Finding {
		return state.About(state.CodeLetInNowhere, state.OfTenant(tenant)).Times(n)
	}
	for name, c := range map[string]struct {
		scopes map[string][]string
		change func(*fake)
		want   []state.Finding
	}{
		"administrators alone":  {map[string][]string{acmeAdmins: {"openid"}, globexAdmins: {"openid"}}, nil, []state.Finding{note("acme", 1), note("globex", 1)}},
		"one tenant":            {map[string][]string{acmeUsers: {"openid"}}, nil, []state.Finding{note("globex", 2)}},
		"everybody":             {map[string][]string{acmeUsers: {"openid"}, globexUsers: {"openid"}}, nil, nil},
		"no client at all":      {nil, func(f *fake) { f.clients, f.config.Clients, f.state.Objects = nil, nil, nil }, nil},
		"a client of nobody":    {nil, nil, nil},
		"a wave that is held":   {map[string][]string{acmeUsers: {"openid"}}, func(f *fake) { f.config.Waves[0].At = now.AddDate(1, 0, 0) }, nil},
		"nobody is moved":       {map[string][]string{acmeUsers: {"openid"}}, func(f *fake) { f.config.Waves[0].Enabled = false }, nil},
		"the only client goes":  {map[string][]string{acmeUsers: {"openid"}, globexUsers: {"openid"}}, func(f *fake) { f.config.Clients = nil }, []state.Finding{note("acme", 2), note("globex", 2)}},
		"a group that all have": {map[string][]string{acmeUsers: {"openid"}}, func(f *fake) { f.builtin("openid") }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.lets(t, c.scopes, nil)
			if c.change != nil {
				c.change(f)
			}
			var got []state.Finding
			for _, n := range f.must(t).context.Notes {
				if n.Code == state.CodeLetInNowhere {
					got = append(got, n)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// builtin lets everybody in at the client by a group of Self-auth's own.
func (f *fake) builtin(scope string) {
	all := providers.Group{ID: id(200), Name: "idm_all_persons", Builtin: true}
	f.groups = append(f.groups, all)
	grants := f.clients[0].Attributes[state.AttrScopeMaps].Grants()
	f.clients = append(f.clients, providers.Client{ID: id(151), Name: "all", Attributes: state.Attributes{
		state.AttrName: state.TextValue("all"), state.AttrType: state.TextValue("public"),
		state.AttrScopeMaps: state.GrantsValue(append(slices.Clone(grants), state.Grant{Group: all.ID, Values: []string{scope}}))}})
}

// TestRaisedByTheDoors (L8): who is raised is let in by a client with all that its application asks for, each user by its own
// groups; such a plan names the clients for apply, and no other does.
func TestRaisedByTheDoors(t *testing.T) {
	t.Parallel()
	all := []string{"openid", "email"}
	for name, c := range map[string]struct {
		scopes    map[string][]string
		requested []string
		raised    string
		doors     []plan.Doorway
	}{
		"as it should be":          {map[string][]string{acmeUsers: all}, all, "\x0a\x0b", []plan.Doorway{{Client: "app", Requested: all}}},
		"nothing is declared":      {map[string][]string{acmeUsers: {"openid"}}, nil, "\x0a\x0b", []plan.Doorway{{Client: "app"}}},
		"one scope for the admins": {map[string][]string{acmeUsers: {"openid"}, acmeAdmins: {"email"}}, all, "\x0a", []plan.Doorway{{Client: "app", Requested: all}}},
		"of another tenant alone":  {map[string][]string{acmeUsers: {"openid"}, globexUsers: all}, all, "", nil},
		"a client of nobody":       {nil, all, "", nil},
	} {
		f := raising(t)
		f.lets(t, c.scopes, c.requested)
		m := f.must(t)
		if got := string(m.users["alone"]); got != c.raised {
			t.Errorf("%s: raised %x, want %x", name, got, c.raised)
		}
		if diff := cmp.Diff(c.doors, m.effects.Doors); diff != "" {
			t.Errorf("%s: doors (-want +got):\n%s", name, diff)
		}
	}
	f := allMoved(t)
	f.lets(t, map[string][]string{acmeUsers: all, globexUsers: all}, all)
	f.user(11).Role = "admin"
	if m := f.must(t); len(m.users[""]) != 1 || m.effects.Doors != nil {
		t.Errorf("a plan that raises nobody: %+v", m.effects.Doors)
	}
}
