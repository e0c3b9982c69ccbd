package apply

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// servers are both sides and the state in memory, as far as objects need them. What they are asked to write is noted,
// and refused where an error is set for it.
type servers struct {
	live    map[uuid.UUID]attrs
	mapped  map[uuid.UUID]providers.Mapping // by group
	refuses map[string]error
	calls   []string
	settled []state.ObjectOutcome
	again   bool // the run was stopped with all intents unsettled
	linked  []providers.UserRow
	users   []state.User // recorded
}

func (s *servers) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	s.calls = append(s.calls, call)
	return s.refuses[call]
}

// journal is the state.
type journal struct {
	state.Run
	s *servers
}

func (journal) ID() string { return "r" }

func (j journal) IntendObjects(_ context.Context, list ...state.ObjectIntent) ([]bool, error) {
	return slices.Repeat([]bool{j.s.again}, len(list)), nil
}

func (j journal) SettleObjects(_ context.Context, list ...state.ObjectOutcome) error {
	j.s.settled = append(j.s.settled, list...)
	return nil
}

// store is what is recorded.
type store struct {
	state.Store
	s *servers
}

func (s store) UsersByPerson(context.Context, []uuid.UUID) ([]state.User, error) {
	return s.s.users, nil
}

func (s store) UsersIn(context.Context, []uuid.UUID) iter.Seq2[state.User, error] {
	return func(func(state.User, error) bool) {}
}

// rows is the side that has mapping rows.
type rows struct {
	providers.Rows
	s *servers
}

func (r rows) Linked(context.Context, []uuid.UUID) ([]providers.UserRow, error) {
	return r.s.linked, nil
}

func (r rows) Map(_ context.Context, list []providers.Mapping) error {
	if len(list) == 0 {
		return nil
	}
	if err := r.s.call("map %d", len(list)); err != nil {
		return err
	}
	for _, m := range list {
		r.s.mapped[m.Group] = m
	}
	return nil
}

func (r rows) Unmap(_ context.Context, list ...providers.Mapping) error {
	for _, m := range list {
		delete(r.s.mapped, m.Group)
		if err := r.s.call("unmap %d", m.Group[0]); err != nil {
			return err
		}
	}
	return nil
}

func (r rows) Mapping(_ context.Context, _, group uuid.UUID) (*providers.Mapping, error) {
	if m, mapped := r.s.mapped[group]; mapped {
		return &m, nil
	}
	return nil, nil
}

// accounts is the side that has groups, policies and clients.
type accounts struct {
	providers.Accounts
	s *servers
}

func (a accounts) CreateGroups(_ context.Context, list []providers.NewGroup) error {
	if len(list) == 0 {
		return nil
	}
	if err := a.s.call("create %d groups from %d", len(list), list[0].ID[0]); err != nil {
		return err
	}
	for _, g := range list {
		a.s.live[g.ID] = attrs{state.AttrName: state.TextValue(g.Name)}
	}
	return nil
}

func (a accounts) DeleteGroups(_ context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		delete(a.s.live, id)
	}
	return a.s.call("delete %d groups", len(ids))
}

func (a accounts) Revive(_ context.Context, ids []uuid.UUID) error {
	return a.s.call("revive %d", ids[0][0])
}

func (a accounts) ReadObject(_ context.Context, _ state.Kind, id uuid.UUID, _ string) (attrs, uuid.UUID, error) {
	if live, there := a.s.live[id]; there {
		return live.Without(), id, nil
	}
	return nil, id, nil
}

func (a accounts) CreateObject(_ context.Context, k state.Kind, id uuid.UUID, will attrs) (uuid.UUID, error) {
	if k == state.KindClient {
		id = group(200) // the server chooses
	}
	a.s.live[id] = will.Without()
	return id, a.s.call("create %s %d", k, id[0])
}

func (a accounts) ChangeObject(_ context.Context, _ state.Kind, id uuid.UUID, from, to attrs) error {
	for _, k := range to.Sorted() {
		if from[k].Equal(to[k]) {
			continue
		}
		if err := a.s.call("change %s of %d", k, id[0]); err != nil {
			return err
		}
		if k != state.AttrStrangers {
			a.s.live[id][k] = to[k]
		}
	}
	return nil
}

func (a accounts) DeleteObject(_ context.Context, k state.Kind, id uuid.UUID, _ attrs) error {
	delete(a.s.live, id)
	return a.s.call("delete %s %d", k, id[0])
}

func group(n byte) uuid.UUID { return uuid.UUID{n} }

type attrs = state.Attributes

func text(s string) state.Value { return state.TextValue(s) }

// making makes a group that is mapped.
func making(n byte) plan.ObjectChange {
	name := fmt.Sprintf("g%d", n)
	o := &state.Object{Address: state.Address("group." + name), Kind: state.KindGroup, ID: group(n)}
	return plan.ObjectChange{Address: o.Address, Kind: o.Kind, Action: state.ActionCreate, After: o, Will: attrs{
		state.AttrName: text(name), state.AttrMapping: state.MappingValue(state.RoleMember, name)}}
}

// carryOut carries changes out and returns the executor with what it has come to.
func (s *servers) carryOut(t *testing.T, changes ...plan.ObjectChange) *executor {
	t.Helper()
	for _, c := range changes {
		if c.Before != nil && s.live == nil {
			s.live = map[uuid.UUID]attrs{c.Before.ID: c.Was.Without()}
		}
	}
	if s.live == nil {
		s.live = map[uuid.UUID]attrs{}
	}
	s.mapped = map[uuid.UUID]providers.Mapping{}
	x := &executor{Deps: Deps{Store: store{s: s}, Rows: rows{s: s}, Accounts: accounts{s: s}}, effects: &plan.Effects{Objects: changes},
		st: &state.State{}, journal: journal{s: s}, events: func(Event) {}}
	x.absent, x.unruled = map[uuid.UUID]state.Finding{}, map[uuid.UUID]state.Finding{}
	for _, c := range changes {
		if c.Before != nil {
			x.st.Objects = append(x.st.Objects, *c.Before)
		}
	}
	for _, stage := range []func(context.Context) error{x.objects, x.lastObjects} {
		if err := stage(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func (s *servers) called(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, s.calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

var errRefused = &state.Error{Kind: state.ErrorRefused, Side: "Self-auth", Reason: "no"}

// TestTogether: groups are made together, up to a hundred, and their mapping rows with them; where the server refuses
// that, each is made alone, so that a bad one stops no other.
func TestTogether(t *testing.T) {
	t.Parallel()
	var many []plan.ObjectChange
	for n := byte(1); n <= 102; n++ {
		many = append(many, making(n))
	}
	var s servers
	s.carryOut(t, many...)
	s.called(t, "create 100 groups from 1", "map 100", "create 2 groups from 101", "map 2")

	s = servers{refuses: map[string]error{"create 3 groups from 1": errRefused, "create 1 groups from 2": errRefused}}
	x := s.carryOut(t, making(1), making(2), making(3))
	s.called(t, "create 3 groups from 1", "create 1 groups from 1", "map 1", "create 1 groups from 2",
		"create 1 groups from 3", "map 1")
	want := []state.Finding{state.About(state.CodeObjectLeft, state.Of("group.g2"),
		state.Because(state.KeyWhy, reason(errRefused)))}
	if diff := cmp.Diff(want, x.failed); diff != "" {
		t.Errorf("what was not done (-want +got):\n%s", diff)
	}
	if why := x.absent[group(2)]; why.Code != state.CodeRefusal || len(x.absent) != 1 {
		t.Errorf("groups that are not there: %v", x.absent)
	}
}

// TestBurnt: where the id of a group belongs to a deleted entry, it is recorded as ours and deleted: the next plan
// takes the next one.
func TestBurnt(t *testing.T) {
	t.Parallel()
	s := servers{refuses: map[string]error{"create 1 groups from 1": &state.Error{Kind: state.ErrorBurnt}}}
	s.carryOut(t, making(1))
	o := s.settled[0]
	if o.Verdict != state.Refused || o.Recorded == nil || !o.Recorded.Deleted || o.Recorded.ID != group(1) {
		t.Errorf("settled %+v", o)
	}
}

// TestRefusedInPart: what was done of a change goes back when the rest is refused; what cannot go back is said.
func TestRefusedInPart(t *testing.T) {
	t.Parallel()
	was := attrs{state.AttrName: text("g"), state.AttrDescription: text("old")}
	o := &state.Object{Address: "group.g", Kind: state.KindGroup, ID: group(1)}
	change := plan.ObjectChange{Address: "group.g", Kind: state.KindGroup, Action: state.ActionUpdate, Before: o,
		After: o,
		Was:   was, Will: attrs{state.AttrDescription: text("new"), state.AttrName: text("h")}}
	s := servers{refuses: map[string]error{"change name of 1": errRefused}}
	x := s.carryOut(t, change)
	s.called(t, "change description of 1", "change name of 1", "change description of 1")
	if !s.live[group(1)].Equal(was) || x.half {
		t.Errorf("it is %v", s.live[group(1)])
	}
	if o := s.settled[0]; o.Verdict != state.Refused || o.Reason.Code != state.CodeRefusal || o.Recorded == nil {
		t.Errorf("settled %+v", o)
	}

	s = servers{refuses: map[string]error{"map 1": errRefused, "delete group 1": errRefused}}
	x = s.carryOut(t, making(1))
	why := x.failed[0].Arg(state.KeyWhy).Findings
	if !x.half || len(why) != 2 || why[1].Code != state.CodeNotPutBack ||
		s.settled[0].Reason.Code != state.CodeObjectLeft {
		t.Errorf("half %v, why %+v", x.half, why)
	}
}

// TestChangedSince: an object that is not as the plan found it, nor as it will be, is left alone; what cannot be read
// back is not looked at.
func TestChangedSince(t *testing.T) {
	t.Parallel()
	policy := func(was, will, live attrs) (state.Finding, []string) {
		o := &state.Object{Address: "account_policy.p", Kind: state.KindPolicy, ID: group(1)}
		s := servers{live: map[uuid.UUID]attrs{group(1): live}}
		s.carryOut(t, plan.ObjectChange{Address: o.Address, Kind: o.Kind, Action: state.ActionUpdate, Before: o,
			After: o,
			Was:   was, Will: will})
		return s.settled[0].Reason, s.calls
	}
	expiry := func(v string) attrs { return attrs{state.AttrSessionExpiry: text(v)} }
	why, calls := policy(expiry("60"), expiry("90"), expiry("75"))
	if why.Code != state.CodeAttributeChanged || why.Text(state.KeyAttribute) != string(state.AttrSessionExpiry) ||
		calls != nil {
		t.Errorf("%+v, calls %q", why, calls)
	}
	if why, calls := policy(expiry("60"), expiry("90"), expiry("90")); !why.IsZero() || calls != nil {
		t.Errorf("done already: %+v, calls %q", why, calls)
	}
	list := func(v string) attrs { return attrs{state.AttrAttestationCAList: text(v)} }
	if why, calls := policy(list("{}"), list(`{"a":1}`), list("Device")); !why.IsZero() || len(calls) != 1 {
		t.Errorf("a list that cannot be read back: %+v, calls %q", why, calls)
	}
	if why, _ := policy(expiry("60"), expiry("90"), nil); why.Code != state.CodeDisappeared {
		t.Errorf("gone: %+v", why)
	}
}

// TestForgottenGroup: the mapping row of a group that was there before us goes; the group is not made for that, where
// somebody has deleted it since.
func TestForgottenGroup(t *testing.T) {
	t.Parallel()
	o := &state.Object{Address: "group.g", Kind: state.KindGroup, ID: group(1), Adopted: true}
	s := servers{live: map[uuid.UUID]attrs{}}
	s.carryOut(t, plan.ObjectChange{Address: o.Address, Kind: o.Kind, Action: state.ActionForget, Before: o, Last: true,
		Was:  attrs{state.AttrMapping: state.MappingValue(state.RoleMember, "g")},
		Will: attrs{state.AttrMapping: {}}})
	s.called(t, "unmap 1")
	if o := s.settled[0]; o.Verdict != state.Done || o.Recorded != nil {
		t.Errorf("settled %+v", o)
	}
}

// TestMembersComeBack: who had to leave a group that is made again is let in, and so it is not made together with others.
func TestMembersComeBack(t *testing.T) {
	t.Parallel()
	c := making(1)
	c.Will[state.AttrStrangers] = state.MembersValue([]uuid.UUID{group(9)})
	var s servers
	s.carryOut(t, c, making(2))
	s.called(t, "create 1 groups from 1", "change strangers of 1", "map 1", "create 1 groups from 2", "map 1")
}

// TestStrangersNow: who belongs in a group by now is not taken out of it, and who is a user whose row does not ask for it is
// not let back in.
func TestStrangersNow(t *testing.T) {
	t.Parallel()
	row := func(person uuid.UUID, tenant byte, role, status string) providers.UserRow {
		return providers.UserRow{User: providers.User{Link: person, Tenant: group(tenant), Role: role, Status: status,
			TenantLive: true}}
	}
	ours := func(person uuid.UUID) state.User {
		return state.User{Person: person, UserState: state.UserState{Standing: state.RolledBack, MadePerson: true}}
	}
	all := []uuid.UUID{group(1), group(2), group(3), group(4), group(5), group(6)}
	s := servers{
		linked: []providers.UserRow{
			row(group(1), 50, "admin", "active"), row(group(2), 51, "admin", "active"), row(group(3), 50, "user", "active"),
			row(group(4), 50, "admin", "suspended"),
		},
		users: []state.User{ours(group(4)), ours(group(5))}, // and group(6) is nobody's
	}
	after := &state.Object{ID: group(9), Kind: state.KindGroup, Tenant: group(50),
		Members: state.Members{Roles: []string{"admin"}, Full: true}}
	set, none := state.MembersValue(slices.Clone(all)), state.Value{}
	for name, c := range map[string]struct {
		was, will         state.Value
		removed, returned []uuid.UUID
	}{
		"put out":  {set, none, []uuid.UUID{group(2), group(3), group(5), group(6)}, nil},
		"let back": {none, set, nil, []uuid.UUID{group(1), group(6)}}, // a suspended one comes back with its row
	} {
		x := &executor{Deps: Deps{Store: store{s: &s}, Rows: rows{s: &s}}, effects: &plan.Effects{}}
		was, will, err := x.strangersNow(t.Context(), plan.ObjectChange{After: after,
			Was: attrs{state.AttrStrangers: c.was}, Will: attrs{state.AttrStrangers: c.will}})
		if diff := cmp.Diff([][]uuid.UUID{c.removed, c.returned}, [][]uuid.UUID{was, will}); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestClientMadeAgain: a client comes back from the recycle bin, or is made with an id that the server chooses, which
// is recorded.
func TestClientMadeAgain(t *testing.T) {
	t.Parallel()
	o := &state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: group(7)}
	c := plan.ObjectChange{Address: o.Address, Kind: o.Kind, Action: state.ActionCreate, After: o,
		Will: attrs{state.AttrName: text("app")}}
	s := servers{refuses: map[string]error{"revive 7": &state.Error{Kind: state.ErrorNotFound}}}
	s.carryOut(t, c)
	s.called(t, "revive 7", "create oauth2_client 200")
	if made := s.settled[0].Recorded; made.ID != group(200) || made.Run != "r" || o.ID != group(7) {
		t.Errorf("recorded %+v, planned %+v", made, o)
	}
}

// TestNeededStill: what users need who could not be taken back stays with them, and a group stays with those whom the plan
// has left in it, and a client that lets it in.
func TestNeededStill(t *testing.T) {
	t.Parallel()
	tenant := group(50)
	grants := func(ids ...uuid.UUID) state.Value {
		var list []state.Grant
		for _, id := range ids {
			list = append(list, state.Grant{Group: id, Values: []string{"openid"}})
		}
		return state.GrantsValue(list)
	}
	undo := &plan.Undoing{}
	why := func(code state.Code, n int64) state.Finding { return state.Found(code).Times(n) }
	for name, c := range map[string]struct {
		undo   *plan.Undoing
		change plan.ObjectChange
		want   state.Finding
	}{
		"group of a tenant":    {undo, plan.ObjectChange{Kind: state.KindGroup}, why(state.CodeNeededStill, 2)},
		"tenant of nobody":     {undo, plan.ObjectChange{Kind: state.KindTenant}, state.Finding{}},
		"client":               {undo, plan.ObjectChange{Kind: state.KindClient}, why(state.CodeNeededStill, 5)},
		"policy":               {undo, plan.ObjectChange{Kind: state.KindPolicy}, why(state.CodeNeededStill, 5)},
		"no rollback":          {nil, plan.ObjectChange{Kind: state.KindGroup}, state.Finding{}},
		"group with users":     {nil, plan.ObjectChange{Kind: state.KindGroup, Before: &state.Object{ID: group(1)}}, why(state.CodeUsersInside, 3)},
		"and in a rollback":    {undo, plan.ObjectChange{Kind: state.KindGroup, Before: &state.Object{ID: group(1)}}, why(state.CodeUsersInside, 3)},
		"client that goes":     {nil, plan.ObjectChange{Kind: state.KindClient, Was: attrs{state.AttrScopeMaps: grants(group(1), group(2))}}, why(state.CodeUsersInside, 3)},
		"client lets it in":    {nil, plan.ObjectChange{Kind: state.KindClient, Was: attrs{state.AttrScopeMaps: grants(group(1), group(2))}, Will: attrs{state.AttrScopeMaps: grants(group(1))}}, state.Finding{}},
		"client no more":       {nil, plan.ObjectChange{Kind: state.KindClient, Was: attrs{state.AttrScopeMaps: grants(group(1), group(2))}, Will: attrs{state.AttrScopeMaps: grants(group(2))}}, why(state.CodeUsersInside, 3)},
		"client, another part": {nil, plan.ObjectChange{Kind: state.KindClient, Was: attrs{}, Will: attrs{state.AttrName: text("app")}}, state.Finding{}},
	} {
		x := &executor{effects: &plan.Effects{Undo: c.undo}, tally: tally{inside: map[uuid.UUID]int64{group(1): 3},
			missed: map[uuid.UUID]int64{tenant: 2, group(51): 3}}}
		if c.change.Last = true; c.change.Before == nil {
			c.change.Before = &state.Object{Kind: c.change.Kind, Tenant: tenant}
		}
		if got := x.stayFor(c.change); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestRecordOfAnother: a rollback restores a user by its own records alone, whatever the plan says.
func TestRecordOfAnother(t *testing.T) {
	t.Parallel()
	own, other := &state.Record{}, &state.Record{}
	own.User, other.User = group(1), group(2)
	for name, c := range map[string]struct {
		record, mails *state.Record
		known         bool
	}{"its own": {own, own, true}, "another's": {other, own, false}, "another's addresses": {own, other, false}, "none": {nil, own, false}} {
		it := &item{change: plan.UserChange{User: group(1), Record: 3, Mails: 4}, shape: &plan.Shape{Ground: plan.Ground{RowGone: true}},
			record: c.record, mails: c.mails, prior: &state.User{}}
		it.change.Before = providers.DigestGone(*it.prior)
		(&executor{effects: &plan.Effects{Kind: state.RunRollback}}).judge(it)
		if known := it.why.Code != state.CodeRecordGone; known != c.known || known != (it.verdict == 0) {
			t.Errorf("%s: verdict %s because %+v", name, it.verdict, it.why)
		}
	}
}
