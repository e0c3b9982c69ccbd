package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// by is the finding of users of acme who lose their last way in, or of all who have none; without a bar none is wanted.
func by(code state.Code, bars ...state.Finding) []state.Finding {
	if len(bars) == 0 {
		return nil
	}
	f := state.Found(code, state.Because(state.KeyWhy, bars...))
	for _, b := range bars {
		f.Count += b.Count
	}
	if code == state.CodeLockedOut {
		f.Subject = state.OfTenant("acme")
		f.Count = 1
	}
	return []state.Finding{f}
}

// TestWaysIn: users who cannot log in once the plan is carried out are counted: as a hazard those who can now, each once,
// and apart those who cannot.
func TestWaysIn(t *testing.T) {
	t.Parallel()
	person := func(n byte) uuid.UUID { return state.PersonID(lineage, id(n), 1) }
	bare := func(f *fake, n byte) { f.user(n).HasPassword, f.user(n).CanPassword = false, false }
	enrolled := func(f *fake, n byte) { f.enrolled = append(f.enrolled, person(n)) }
	expired := func(f *fake, n byte) {
		for i := range f.persons {
			f.persons[i].Expired = f.persons[i].Expired || f.persons[i].ID == person(n)
		}
	}
	// The state is lost, so that the user's wave moves it again; the group for all is for administrators from now on, and
	// the user leaves it by that.
	astray := func(f *fake) {
		bare(f, 11)
		f.recorded = nil
		f.config.Groups[1].Members = state.Members{Roles: []string{"admin"}}
	}
	away := state.Found(state.CodeBarTenant).Times(1) // the user of initech, which is suspended
	bar := func(c state.Code) state.Finding { return state.Found(c) }
	one := func(c state.Code) state.Finding { return state.Found(c).Times(1) }
	for name, c := range map[string]struct {
		change  func(*fake)
		lost    []state.Finding // bars
		without []state.Finding
		hazard  int64
	}{
		"at rest":      {func(*fake) {}, nil, []state.Finding{away}, 0},
		"a credential": {func(f *fake) { bare(f, 11); enrolled(f, 11) }, nil, []state.Finding{away}, 0},
		"no credential": {func(f *fake) { bare(f, 11); enrolled(f, 12) }, nil,
			[]state.Finding{away, one(state.CodeBarCredential)}, 0},
		"a placeholder for a hash": {func(f *fake) { f.user(11).CanPassword = false }, nil,
			[]state.Finding{away, one(state.CodeBarCredential)}, 0},
		"a password that the method leaves no room for": {func(f *fake) { f.user(11).Method = state.MethodSelfAuth }, nil,
			[]state.Finding{away, one(state.CodeBarCredential)}, 0},
		"not active":          {func(f *fake) { bare(f, 11); f.user(11).Status = "inactive" }, nil, []state.Finding{away}, 0},
		"a service account":   {func(f *fake) { bare(f, 11); f.config.Exclude.UserIDs = []uuid.UUID{id(11)} }, nil, []state.Finding{away}, 0},
		"an expired person":   {func(f *fake) { bare(f, 11); enrolled(f, 11); expired(f, 11) }, nil, []state.Finding{away, one(state.CodeBarExpired)}, 0},
		"expired, a password": {func(f *fake) { expired(f, 11) }, nil, []state.Finding{away}, 0},
		"no person": {func(f *fake) { bare(f, 11); enrolled(f, 11); f.persons = f.persons[:1] }, nil,
			[]state.Finding{away, one(state.CodeBarPerson)}, 0},
		"no link": {func(f *fake) {
			bare(f, 11)
			f.user(11).Link = uuid.Nil
			f.config.Waves[0].Enabled = false
		}, nil, []state.Finding{away, one(state.CodeBarLink)}, 0},
		"moved by this plan": {func(f *fake) {
			bare(f, 11)
			f.recorded, f.persons, f.user(11).Link = f.recorded[:0], nil, uuid.Nil
			for n := byte(10); n < 14; n++ {
				f.user(n).Link = uuid.Nil
			}
			for i := range f.groups {
				f.groups[i].Members = nil
			}
		}, nil, []state.Finding{away, one(state.CodeBarCredential)}, 0},
		"in no group": {func(f *fake) {
			bare(f, 11)
			enrolled(f, 11)
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}} // it does not get it back
			f.named("tenant_acme_users").Members = nil
		}, nil, []state.Finding{away, one(state.CodeBarGroup)}, 0},
		"in no group, and a password": {func(f *fake) {
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}}
			f.named("tenant_acme_users").Members = nil
		}, nil, []state.Finding{away}, 0},
		"its last group goes": {func(f *fake) { enrolled(f, 11); astray(f) },
			[]state.Finding{bar(state.CodeBarGroup)}, []state.Finding{away}, 1},
		"its last group goes, and it could not log in": {astray, nil, []state.Finding{away, one(state.CodeBarCredential)}, 0},
		"its last group goes, and it has a password": {func(f *fake) {
			astray(f)
			f.user(11).HasPassword, f.user(11).CanPassword = true, true
		}, nil, []state.Finding{away}, 0},
		"its last group would go with a wave that is held": {func(f *fake) {
			enrolled(f, 11)
			astray(f)
			f.config.Waves[0].At = now.AddDate(1, 0, 0)
		}, nil, []state.Finding{away}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := allMoved(t)
			f.config.Guard.MaxUsersChangedPercent, f.config.Guard.MaxRemovedPercent = 100, 100
			c.change(f)
			m := f.must(t)
			var lost, without []state.Finding
			for _, h := range m.effects.Hazards {
				for _, x := range h.Of {
					if x.Code == state.CodeLockedOut {
						lost = append(lost, x)
					}
				}
			}
			for _, x := range m.context.Notes {
				if x.Code == state.CodeNoWayIn {
					without = append(without, x)
				}
			}
			if diff := cmp.Diff(by(state.CodeLockedOut, c.lost...), lost, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("lose their last way in (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(by(state.CodeNoWayIn, c.without...), without, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("have none (-want +got):\n%s", diff)
			}
			if n := m.hazard(plan.LocksOut); n != c.hazard {
				t.Errorf("hazard of %d, want %d: %+v", n, c.hazard, m.effects.Hazards)
			}
		})
	}
}

// TestNoFallback: of moved users who lose a login, those are told whom no password lets in; they count once. A client by
// which nobody comes in any more locks them out.
func TestNoFallback(t *testing.T) {
	t.Parallel()
	person := state.PersonID(lineage, id(11), 1)
	lets := func(f *fake, scopes ...string) {
		f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: state.Attributes{
			state.AttrName: state.TextValue("app"), state.AttrType: state.TextValue("confidential"),
			state.AttrScopeMaps: state.GrantsValue([]state.Grant{{Group: f.named("tenant_acme_users").ID, Values: []string{"openid"}}})}}}
		if scopes != nil {
			f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Adopt: true,
				Attributes: state.Attributes{state.AttrName: state.TextValue("app"), state.AttrType: state.TextValue("confidential")},
				Scopes:     []config.ScopeMap{{Groups: []state.Address{f.config.Groups[3].Address}, Scopes: scopes}}}}
		}
	}
	for name, c := range map[string]struct {
		change         func(*fake)
		hazard, nobody int64
	}{
		"they have passwords": {func(*fake) {}, 2, 0},
		"one has none":        {func(f *fake) { f.user(11).CanPassword = false; f.enrolled = []uuid.UUID{person} }, 2, 1},
		"one has neither":     {func(f *fake) { f.user(11).CanPassword = false }, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := allMoved(t)
			lets(f, "openid") // for globex, and no longer for acme
			c.change(f)
			m := f.must(t)
			var nobody int64
			for _, h := range m.effects.Hazards {
				for _, x := range h.Of {
					if x.Code == state.CodeNoFallback {
						nobody += x.Count
					}
				}
			}
			if n := m.hazard(plan.LocksOut); n != c.hazard || nobody != c.nobody {
				t.Errorf("hazard of %d, %d without a password; want %d, %d: %+v", n, nobody, c.hazard, c.nobody, m.effects.Hazards)
			}
		})
	}
	f := allMoved(t)
	f.user(13).CanPassword, f.enrolled = false, []uuid.UUID{state.PersonID(lineage, id(13), 1)}
	lets(f)
	found(t, f.must(t).context.Notes, state.Found(state.CodeNoWayIn, state.Because(state.KeyWhy,
		state.Found(state.CodeBarTenant).Times(1), state.Found(state.CodeBarScope).Times(1))).Times(2))
}

// TestClientOfNobody: with the only client that lets anybody in goes the last way in of those who have no password; where
// it is only forgotten, it stays, and so do they.
func TestClientOfNobody(t *testing.T) {
	t.Parallel()
	for adopted, want := range map[bool]int64{false: 1, true: 0} {
		f := allMoved(t)
		f.user(11).CanPassword, f.enrolled = false, []uuid.UUID{state.PersonID(lineage, id(11), 1)}
		a := texts("name", "app", "type", "confidential")
		a[state.AttrScopeMaps] = state.GrantsValue([]state.Grant{{Group: f.named("tenant_acme_users").ID, Values: []string{"openid"}},
			{Group: f.named("tenant_globex_users").ID, Values: []string{"openid"}}})
		f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: a}}
		f.state.Objects = append(f.state.Objects, state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(150),
			Adopted: adopted, Attributes: a})
		m := f.must(t)
		if m.change("oauth2_client.app") == nil || m.hazard(plan.LocksOut) != want {
			t.Errorf("adopted %t: hazards %+v", adopted, m.effects.Hazards)
		}
	}
}
