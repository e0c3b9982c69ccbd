package planner_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// raising is a world at rest with a wave that raises whom the other one has moved. Users 10 and 11 have enrolled.
func raising(t *testing.T) *fake {
	t.Helper()
	f := allMoved(t)
	f.config.Guard.MaxUsersChangedPercent, f.config.Guard.MaxRemovedPercent = 100, 100
	f.config.Policies = append(f.config.Policies, config.Policy{Name: "alone", Method: state.MethodSelfAuth, From: "dual"})
	w := wave("alone", config.Selector{All: true})
	w.Policy, w.After = "alone", []string{"everyone"}
	f.config.Waves = append(f.config.Waves, w)
	for n := byte(10); n < 14; n++ {
		f.record(n).Method = state.MethodDual
	}
	f.enrolled = []uuid.UUID{state.PersonID(lineage, id(10), 1), state.PersonID(lineage, id(11), 1)}
	f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: state.Attributes{
		state.AttrName: state.TextValue("app"), state.AttrScopeMaps: state.GrantsValue([]state.Grant{
			{Group: f.named("tenant_acme_admins").ID, Values: []string{"openid"}},
			{Group: f.named("tenant_acme_users").ID, Values: []string{"openid"}}})}}}
	if f.enrolled[0].String() > f.enrolled[1].String() {
		f.enrolled[0], f.enrolled[1] = f.enrolled[1], f.enrolled[0]
	}
	return f
}

// TestRaised (L8): a wave of a policy with `from` raises who was moved under that policy, can log in through Self-auth and is
// at rest. The others wait.
func TestRaised(t *testing.T) {
	t.Parallel()
	wait := func(of ...byte) map[byte]plan.SkipReason {
		m := map[byte]plan.SkipReason{12: plan.SkipNotEnrolled, 13: plan.SkipNotEnrolled}
		for _, n := range of {
			m[n] = plan.SkipNotEnrolled
		}
		return m
	}
	with := func(m map[byte]plan.SkipReason, n byte, r plan.SkipReason) map[byte]plan.SkipReason {
		m[n] = r
		return m
	}
	for name, c := range map[string]struct {
		change func(*fake)
		raised string // last digits of ids
		waits  map[byte]plan.SkipReason
	}{
		"who has enrolled": {func(*fake) {}, "\x0a\x0b", wait()},
		"an expired person": {func(f *fake) {
			for i := range f.persons {
				f.persons[i].Expired = f.persons[i].Expired || f.persons[i].ID == f.user(11).Link
			}
		}, "\x0a", wait(11)},
		"a pause of the wave that moved them": {func(f *fake) {
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}}
		}, "", with(with(wait(), 10, plan.SkipPaused), 11, plan.SkipPaused)},
		"let in by no client": {func(f *fake) {
			f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: state.Attributes{
				state.AttrName: state.TextValue("app"), state.AttrScopeMaps: state.GrantsValue([]state.Grant{
					{Group: f.named("tenant_acme_admins").ID, Values: []string{"openid"}}})}}}
		}, "\x0a", with(wait(), 11, plan.SkipNotLetIn)},
		"no client": {func(f *fake) { f.clients = nil }, "", with(with(wait(), 10, plan.SkipNotLetIn), 11, plan.SkipNotLetIn)},
		"another application's client lets in all": {func(f *fake) {
			f.lets(t, map[string][]string{acmeAdmins: {"openid"}}, nil)
			f.builtin("openid")
		}, "\x0a", with(wait(), 11, plan.SkipNotLetIn)},
		"the client that lets in all is none of ours": {func(f *fake) { f.builtin("openid") }, "\x0a\x0b", wait()},
		"its groups follow first":                     {func(f *fake) { f.user(11).Role = "admin" }, "\x0a", with(wait(), 11, plan.SkipFollows)},
		"a pause": {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "alone", Tenant: acme}} }, "",
			with(with(wait(), 10, plan.SkipPaused), 11, plan.SkipPaused)},
		"not active": {func(f *fake) { f.user(11).Status = "suspended" }, "\x0a", with(wait(), 11, plan.SkipSuspended)},
		"excluded":   {func(f *fake) { f.config.Exclude.UserIDs = []uuid.UUID{id(11)} }, "\x0a", with(wait(), 11, plan.SkipExcluded)},
		"raised before": {func(f *fake) {
			r := f.record(11)
			r.Policy, r.Wave, r.Method = "alone", "alone", state.MethodSelfAuth
			f.user(11).Method = state.MethodSelfAuth
		}, "\x0a", wait()},
		"of another policy": {func(f *fake) {
			f.config.Policies = append(f.config.Policies, config.Policy{Name: "other", Method: state.MethodDual})
			f.record(11).Policy = "other"
		}, "\x0a", wait()},
		"not moved": {func(f *fake) {
			f.config.Waves[0].Enabled, f.config.Waves[1].After = false, nil
			f.recorded = f.recorded[:3]
		}, "\x0a\x0b", map[byte]plan.SkipReason{12: plan.SkipNotEnrolled}},
		"a wave that is held": {func(f *fake) { f.config.Waves[1].At = now.AddDate(1, 0, 0) }, "", wait()},
		"selected by role": {func(f *fake) {
			f.config.Waves[1].Users = []config.Selector{{Roles: []string{"admin"}}}
		}, "\x0a", map[byte]plan.SkipReason{12: plan.SkipNotEnrolled}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := raising(t)
			c.change(f)
			m := f.must(t)
			if got := string(m.users["alone"]); got != c.raised {
				t.Errorf("raised %x, want %x", got, c.raised)
			}
			delete(m.skipped, 14) // of a suspended tenant
			if diff := cmp.Diff(c.waits, m.skipped); diff != "" {
				t.Errorf("the others (-want +got):\n%s", diff)
			}
			for _, n := range m.users["alone"] {
				s := m.shapes[n]
				if s.Effect != (state.Effect{Method: state.MethodSelfAuth}) || len(s.Join)+len(s.Leave) > 0 || !s.Fits(plan.SegmentMove) ||
					s.After.Wave != "alone" || s.After.Policy != "alone" || s.After.Standing != state.Moved || !s.After.WroteLink {
					t.Errorf("%d: %+v", n, s)
				}
			}
			if n := m.hazard(plan.LocksOut); n != 0 {
				t.Errorf("%d are locked out", n)
			}
		})
	}
}

// TestSetBack: a row that was raised and that the application has set back to dual is counted, and not written again.
func TestSetBack(t *testing.T) {
	t.Parallel()
	f := raising(t)
	r := f.record(11)
	r.Policy, r.Wave, r.Method = "alone", "alone", state.MethodSelfAuth
	m := f.must(t)
	found(t, m.context.Outside, state.Found(state.CodeDriftDual).Times(1))
	if strings.ContainsRune(string(m.users["alone"])+string(m.users[""]), 11) {
		t.Error("it is written again")
	}
	found(t, m.context.Notes, state.Found(state.CodeDualAgain).Times(1)) // of user 10, who is raised
}

// TestPolicyInUse (L8, L9): a policy under which users have moved keeps its method and its `from`, and is not forgotten.
func TestPolicyInUse(t *testing.T) {
	t.Parallel()
	dual, selfAuth := state.MethodDual, state.MethodSelfAuth
	policies := func(list ...config.Policy) func(*fake) {
		return func(f *fake) { f.config.Policies, f.config.Waves = list, f.config.Waves[:1] }
	}
	dualFirst := []config.Policy{{Name: "dual", Method: selfAuth, From: "first"}, {Name: "first", Method: dual}}
	declared := config.Policy{Name: "dual", Method: dual}
	then := func(changes ...func(*fake)) func(*fake) {
		return func(f *fake) {
			for _, change := range changes {
				change(f)
			}
		}
	}
	// Two of the four were raised, one of whom the application has set back: what its next change records is not what moved it.
	raised := func(f *fake) {
		for _, n := range []byte{10, 11} {
			r := f.record(n)
			r.Policy, r.Wave, r.Method = "alone", "alone", selfAuth
			f.user(n).Method = selfAuth
		}
		f.record(11).Method, f.user(11).Method = dual, dual
	}
	passwordless := func(f *fake) {
		for i := range f.recorded {
			f.recorded[i].Method = selfAuth
		}
	}
	noneUnder := func(policy string) func(*fake) {
		return func(f *fake) {
			for i := range f.recorded {
				if r := &f.recorded[i]; r.Policy == policy {
					r.Standing = state.RolledBack
				}
			}
		}
	}
	recorded := func(f *fake) {
		f.state.Policies = []state.Policy{{Name: "alone", Method: selfAuth, From: "dual"}, {Name: "dual", Method: dual}}
	}
	// As a state of version 1 is brought to this one.
	unknown := func(f *fake) { f.state.Policies = []state.Policy{{Name: "dual"}} }
	for name, c := range map[string]struct {
		change func(*fake)
		want   []string // of the error; none: there is a plan
	}{
		"dual to self_auth, with from": {then(recorded, policies(dualFirst...)), []string{
			"4 users have moved under auth_policy \"dual\" as it was before:\n\n    auth_policy \"dual\" {\n      method = \"dual\"\n    }\n",
			"and raise them by another policy:\n\n    auth_policy \"NAME\" {\n      method = \"self_auth\"\n      from   = auth_policy.dual\n    }",
		}},
		"dual to self_auth, and nobody had a password": {then(recorded, passwordless, policies(dualFirst...)),
			[]string{"4 users have moved under auth_policy \"dual\" as it was before"}},
		"dual to self_auth, and nothing is recorded of it": {policies(dualFirst...),
			[]string{"4 users have moved under auth_policy \"dual\" as it was before"}},
		"dual to self_auth, and it is recorded without": {then(unknown, policies(dualFirst...)),
			[]string{"4 users have moved under auth_policy \"dual\" as it was before"}},
		"dual to self_auth, and nobody can tell": {then(unknown, passwordless, policies(dualFirst...)), nil},
		"self_auth to dual, without from": {then(recorded, raised, policies(declared, config.Policy{Name: "alone", Method: dual})), []string{
			"2 users have moved under auth_policy \"alone\" as it was before:\n\n    auth_policy \"alone\" {\n      method = \"self_auth\"\n      from   = auth_policy.dual\n    }\n",
			"and move others by another policy:\n\n    auth_policy \"NAME\" {\n      method = \"dual\"\n    }",
		}},
		"another from": {then(recorded, raised, policies(declared, config.Policy{Name: "first", Method: dual}, config.Policy{Name: "alone", Method: selfAuth, From: "first"})), []string{
			"2 users have moved under auth_policy \"alone\" as it was before",
			"and raise users by another policy:\n\n    auth_policy \"NAME\" {\n      method = \"self_auth\"\n      from   = auth_policy.first\n    }",
		}},
		"without from": {then(recorded, raised, policies(declared, config.Policy{Name: "alone", Method: selfAuth})),
			[]string{"2 users have moved under auth_policy \"alone\" as it was before"}},
		"of a part": {then(recorded, raised, policies(declared, config.Policy{Name: "alone", Method: dual}), func(f *fake) { f.only(t, "tenant=globex") }),
			[]string{"2 users have moved under auth_policy \"alone\" as it was before"}},
		"as it was": {then(recorded, raised), nil},
		"dual to self_auth, and they are taken back":    {then(recorded, noneUnder("dual"), policies(dualFirst...)), nil},
		"self_auth to dual, and nobody was moved":       {then(recorded, policies(declared, config.Policy{Name: "alone", Method: dual})), nil},
		"self_auth to dual, and they are taken back":    {then(recorded, raised, noneUnder("alone"), policies(declared, config.Policy{Name: "alone", Method: dual})), nil},
		"another from, and they are taken back":         {then(recorded, raised, noneUnder("alone"), policies(declared, config.Policy{Name: "first", Method: dual}, config.Policy{Name: "alone", Method: selfAuth, From: "first"})), nil},
		"self_auth to dual, and it is recorded of none": {then(raised, unknown, policies(declared, config.Policy{Name: "alone", Method: dual})), nil},
		"no more declared": {func(f *fake) {
			recorded(f)
			policies(config.Policy{Name: "first", Method: dual})(f)
			f.config.Waves[0].Policy = "first"
		}, []string{"4 users have moved under auth_policy \"dual\", which no configuration declares any more"}},
		"no more declared, and they are taken back": {func(f *fake) {
			recorded(f)
			noneUnder("dual")(f)
			policies(config.Policy{Name: "first", Method: dual})(f)
			f.config.Waves[0].Policy = "first"
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := raising(t)
			c.change(f)
			m, err := f.make(t)
			if len(c.want) == 0 && err != nil || len(c.want) > 0 && err == nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks\n%s", err, want)
				}
			}
			if err != nil {
				return
			}
			for _, p := range f.config.Policies {
				if want := (state.Policy{Name: p.Name, Method: p.Method, From: p.From}); !slices.Contains(m.effects.Policies, want) {
					t.Errorf("%+v is not to be recorded, but %+v", want, m.effects.Policies)
				}
			}
		})
	}
}

// TestRaiseOfAPart (L47): who waits and is left out is not due, and keeps a wave from having started and been moved all the same;
// so does who is skipped for what its tenant is to become, where that is left out as well.
func TestRaiseOfAPart(t *testing.T) {
	t.Parallel()
	enrol := func(f *fake, n byte) { f.enrolled = append(f.enrolled, f.user(n).Link) }
	for name, c := range map[string]struct {
		change func(*fake)
		part   []string
		want   plan.WaveEffect // of the wave that raises
		left   int64
	}{
		"they wait":        {func(*fake) {}, []string{"tenant=acme"}, plan.WaveEffect{RestartSoak: true}, 0},
		"one of them does": {func(f *fake) { enrol(f, 12) }, []string{"tenant=acme"}, plan.WaveEffect{RestartSoak: true}, 1},
		"none of them does": {func(f *fake) { enrol(f, 12); enrol(f, 13) }, []string{"tenant=acme"},
			plan.WaveEffect{RestartSoak: true}, 2},
		"nobody of the part is due": {func(*fake) {}, []string{"tenant=globex"}, plan.WaveEffect{}, 2},
		"the others are not selected": {func(f *fake) {
			f.config.Waves[1].Users = []config.Selector{{Tenants: []string{"acme"}}}
		}, []string{"tenant=acme"}, plan.WaveEffect{Starts: true, RestartSoak: true, Moved: true, Done: true}, 0},
		"their tenant is suspended": {func(f *fake) { f.tenants[1].Status = "suspended" }, []string{"tenant=acme"},
			plan.WaveEffect{Starts: true, RestartSoak: true, Moved: true, Done: true}, 0},
		"their tenant is to be suspended": {func(f *fake) {
			f.config.Tenants = []config.Tenant{{Address: "tenant.globex", Slug: "globex", Adopt: true,
				Attributes: texts("slug", "globex", "status", "suspended")}}
		}, []string{"tenant=acme"}, plan.WaveEffect{RestartSoak: true}, 0},
		"their tenant is to be active again": {func(f *fake) {
			enrol(f, 12)
			f.tenants[1].Status = "suspended"
			f.config.Tenants = []config.Tenant{{Address: "tenant.globex", Slug: "globex", Adopt: true,
				Attributes: texts("slug", "globex", "status", "active")}}
		}, []string{"tenant=acme"}, plan.WaveEffect{RestartSoak: true}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := raising(t)
			f.state.Waves = []state.Wave{{Name: "everyone", Started: now, MovedAt: now, DoneAt: now}}
			var grants []state.Grant
			for _, g := range f.groups {
				grants = append(grants, state.Grant{Group: g.ID, Values: []string{"openid"}})
			}
			f.clients[0].Attributes[state.AttrScopeMaps] = state.GrantsValue(grants)
			c.change(f)
			slices.SortFunc(f.enrolled, world.CompareID)
			m := f.only(t, c.part...).must(t)
			i := slices.IndexFunc(m.effects.Waves, func(w plan.WaveEffect) bool { return w.Name == "alone" })
			got := m.effects.Waves[i]
			c.want.Name, c.want.Digest, c.want.After = "alone", got.Digest, got.After
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if left := m.context.Waves[1].Left; left != c.left {
				t.Errorf("%d left out, want %d", left, c.left)
			}
		})
	}
}
