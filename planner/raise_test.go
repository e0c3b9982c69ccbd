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

// TestPolicyInUse (L8, L9): a policy under which users have moved keeps its method, and is not forgotten.
func TestPolicyInUse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fake)
		want   string
	}{
		"another method": {func(f *fake) {
			f.config.Policies = []config.Policy{{Name: "dual", Method: state.MethodSelfAuth, From: "first"}, {Name: "first", Method: state.MethodDual}}
			f.config.Waves = f.config.Waves[:1]
		}, "4 users have moved under auth_policy \"dual\" as it was before"},
		"no more declared": {func(f *fake) {
			f.config.Policies = []config.Policy{{Name: "first", Method: state.MethodDual}}
			f.config.Waves = f.config.Waves[:1]
			f.config.Waves[0].Policy = "first"
		}, "4 users have moved under auth_policy \"dual\", which no configuration declares any more"},
	} {
		f := raising(t)
		c.change(f)
		if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
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
