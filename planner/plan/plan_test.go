package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

// TestTable: a set of groups has one place, in whatever order its groups are given. Sets are sorted by the groups' ids.
func TestTable(t *testing.T) {
	t.Parallel()
	var table plan.Table
	none, two, one, again := table.Set(), table.Set(id(3), id(2)), table.Set(id(2)), table.Set(id(2), id(3))
	if none != 0 || two == 0 || again != two || one == two {
		t.Errorf("places %d, %d, %d, %d", none, two, one, again)
	}
	if diff := cmp.Diff([]uuid.UUID{id(2), id(3)}, table.IDs(two)); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if list := table.IDs(none); list != nil {
		t.Errorf("the empty set has %v", list)
	}
}

// TestNames: a shape that names a set or a group that is not there is found, before anybody looks it up.
func TestNames(t *testing.T) {
	t.Parallel()
	e := plan.Effects{Groups: []plan.Group{{ID: id(1)}}, Sets: [][]int{{}, {0}, {1}, {-1}}}
	for set, want := range map[plan.Set]bool{0: true, 1: true, 2: false, 3: false, 4: false, -1: false} {
		for _, s := range []plan.Shape{{Join: set}, {Leave: set}, {Keep: set}} {
			if got := e.Names(s); got != want {
				t.Errorf("%+v: %v, want %v", s, got, want)
			}
		}
	}
}

// TestSettle: what shapes and objects name is numbered in the order in which they do, and nothing else stays.
func TestSettle(t *testing.T) {
	t.Parallel()
	acme, globex, initech := id(1), id(2), id(3)
	e := plan.Effects{
		Tenants: []plan.Tenant{{acme, "acme"}, {globex, "globex"}, {initech, "initech"}},
		Groups: []plan.Group{{ID: id(10), Name: "dropped", Tenant: initech}, {ID: id(11), Name: "users", Tenant: acme},
			{ID: id(12), Name: "admins", Tenant: acme}, {ID: id(13), Name: "granted", Tenant: globex}},
		Sets: [][]int{{}, {0}, {0, 1}, {1}, {1, 2}},
		Objects: []plan.ObjectChange{{Will: state.Attributes{
			state.AttrScopeMaps: state.GrantsValue([]state.Grant{{Group: id(13)}, {Group: id(12)}, {Group: id(14)}})}}},
	}
	shapes := [][]plan.Shape{{{Tenant: acme, Join: 4}, {Tenant: acme, Leave: 3}}, {{Tenant: acme, Keep: 4}}}
	e.Renumber(shapes)
	want := plan.Effects{
		Tenants: []plan.Tenant{{acme, "acme"}, {globex, "globex"}},
		Groups: []plan.Group{{ID: id(11), Name: "users", Tenant: acme}, {ID: id(12), Name: "admins", Tenant: acme},
			{ID: id(13), Name: "granted", Tenant: globex}, {ID: id(14)}}, // of the last nobody knows more
		Sets:    [][]int{{}, {0, 1}, {0}},
		Objects: e.Objects,
	}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]plan.Shape{{{Tenant: acme, Join: 1}, {Tenant: acme, Leave: 2}},
		{{Tenant: acme, Keep: 1}}}, shapes); diff != "" {
		t.Errorf("shapes (-want +got):\n%s", diff)
	}
}

// TestByTenant: what happens to users is computed from shapes and groups alone.
func TestByTenant(t *testing.T) {
	t.Parallel()
	acme, globex := id(1), id(2)
	e := plan.Effects{
		Tenants: []plan.Tenant{{acme, "zeta"}, {globex, "alpha"}},
		Groups:  []plan.Group{{ID: id(10), Role: state.RoleAdmin}, {ID: id(11), Role: state.RoleMember}},
		Sets:    [][]int{{}, {0}, {1}, {0, 1}},
	}
	create := state.Effect{Act: state.PersonCreate, Link: true, Method: state.MethodDual, Suffix: true}
	list := e.ByTenant(plan.SegmentMove, []plan.Counted{
		{plan.Shape{Tenant: acme, Effect: create, Join: 3}, 2},
		{plan.Shape{Tenant: acme, Ground: plan.Ground{Made: true}, Effect: create, Leave: 1, Join: 2},
			3}, // it was expired, and comes back
		{plan.Shape{Tenant: acme, Ground: plan.Ground{Linked: true}, Keep: 1}, 5},
		{plan.Shape{Tenant: globex, Effect: state.Effect{Act: state.PersonExpire}}, 7},
	})
	want := []plan.TenantFigures{
		{Tenant: globex, Slug: "alpha", Figures: plan.Figures{"users": 7, "expire": 7, "removed": 7, "join": 0, "leave": 0}},
		{Tenant: acme, Slug: "zeta", Figures: plan.Figures{"users": 10, "create": 2, "enable": 3, "link": 5,
			"to_dual": 5, "suffix": 5, "linked": 5,
			"admins": 10, "gain_admin": 2, "lose_admin": 3, "removed": 3, "join": 7, "leave": 3, "leavers": 3}},
	}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if gains, loses := list[1].Figures.Gains(), list[0].Figures.Loses(); gains != 5 || loses != 7 {
		t.Errorf("%d gain a login, %d lose theirs", gains, loses)
	}
	sum := plan.Figures{}
	sum.Add(list[0].Figures)
	sum.Add(list[1].Figures)
	if sum[plan.FigureUsers] != 17 || sum[plan.FigureJoin] != 7 {
		t.Errorf("sum %v", sum)
	}
	// Who is linked already counts only where it is moved: of the others everybody is.
	follow := e.ByTenant(plan.SegmentFollow,
		[]plan.Counted{{plan.Shape{Tenant: acme, Ground: plan.Ground{Linked: true}}, 5}})
	if n := follow[0].Figures[plan.FigureLinked]; n != 0 {
		t.Errorf("%d linked among those who follow", n)
	}
}

// TestRisk: a hazard is allowed by its code and exact count (L41), and one that is not blocks the plan.
func TestRisk(t *testing.T) {
	t.Parallel()
	var r plan.Risk
	r.Raise(plan.LocksOut, 2, state.Found(state.CodeHomeLost).Times(2))
	r.Add(plan.Risk{Hazards: []plan.Hazard{{Code: plan.LocksOut, Count: 3,
		Of: []state.Finding{state.Found(state.CodeScopeLost).Times(3)}}}})
	want := []plan.Hazard{{Code: plan.LocksOut, Count: 5,
		Of: []state.Finding{state.Found(state.CodeHomeLost).Times(2), state.Found(state.CodeScopeLost).Times(3)}}}
	if diff := cmp.Diff(want, r.Hazards); diff != "" {
		t.Errorf("hazards (-want +got):\n%s", diff)
	}
	over := plan.Allowance{Code: plan.OverLimit, Count: 5}
	for count, blocked := range map[int64]bool{2: true, 5: false, 6: true} {
		lock := plan.Allowance{Code: plan.LocksOut, Count: count}
		r.Allow([]plan.Allowance{over, lock})
		if r.Blocked() != blocked {
			t.Errorf("%d allowed: blocked %v, want %v", count, r.Blocked(), blocked)
		}
		unused := []plan.Allowance{over}
		if blocked {
			unused = []plan.Allowance{lock, over}
		}
		if diff := cmp.Diff(unused, r.Unused()); diff != "" {
			t.Errorf("%d allowed: unused (-want +got):\n%s", count, diff)
		}
	}
	if !r.Has(plan.LocksOut) || r.Has(plan.OverLimit) {
		t.Error("Has tells of other hazards")
	}
}

// TestLapsed: what allowed a hazard for a time does not do so at the end of it, unless something else allows it as well.
func TestLapsed(t *testing.T) {
	t.Parallel()
	end := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	var r plan.Risk
	r.Raise(plan.LocksOut, 2, state.Found(state.CodeHomeLost).Times(2))
	for _, c := range []struct {
		more []plan.Allowance
		now  time.Time
		want int
	}{
		{nil, end.Add(-time.Second), 0},
		{nil, end, 1},
		{[]plan.Allowance{{Code: plan.LocksOut, Count: 2}}, end, 0},
		{[]plan.Allowance{{Code: plan.LocksOut, Count: 3}}, end, 1},
	} {
		r.Allow(append(c.more, plan.Allowance{Code: plan.LocksOut, Count: 2, Until: end},
			plan.Allowance{Code: plan.OverLimit, Count: 2, Until: end}))
		if got := r.Lapsed(c.now); len(got) != c.want || r.Blocked() {
			t.Errorf("%v at %v: lapsed %v, blocked %v", c.more, c.now, got, r.Blocked())
		}
	}
}

// TestEmpty: a plan that changes the state of a wave alone does nothing (L15).
func TestEmpty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effects plan.Effects
		want    bool
	}{
		"nothing": {plan.Effects{}, true},
		"a wave":  {plan.Effects{Waves: []plan.WaveEffect{{Name: "w", Done: true}}}, true},
		"schema":  {plan.Effects{Schema: []string{"s"}}, false},
		"object":  {plan.Effects{Objects: []plan.ObjectChange{{}}}, false},
		"users":   {plan.Effects{Segments: []plan.Segment{{Users: 1}}}, false},
	} {
		if got := c.effects.Empty(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestMoment: a run that is still open has come further when its counts are others.
func TestMoment(t *testing.T) {
	t.Parallel()
	none := plan.Now(&state.State{})
	closed := plan.Now(&state.State{Runs: []state.RunInfo{{ID: "1"}, {ID: "2"}}})
	open := func(done int64) plan.Moment {
		return plan.Now(&state.State{Runs: []state.RunInfo{{ID: "2", Open: true, Counts: state.Counts{Done: done}}}})
	}
	moments := []plan.Moment{none, closed, open(1), open(2)}
	for i, a := range moments {
		for k, b := range moments {
			if a.Equal(b) != (i == k) {
				t.Errorf("%+v and %+v: %v", a, b, a.Equal(b))
			}
		}
	}
	if !open(1).Equal(open(1)) || none.Run != "" || closed.Run != "2" {
		t.Errorf("moments %+v", moments)
	}
}

// TestSkipReasons: the codes are on disk, each is read back, and one that is not known is an error.
func TestSkipReasons(t *testing.T) {
	t.Parallel()
	for _, r := range plan.SkipReasons() {
		var back plan.SkipReason
		if err := back.UnmarshalText([]byte(r.String())); err != nil || back != r {
			t.Errorf("%s is read as %s: %v", r, back, err)
		}
	}
	var r plan.SkipReason
	for _, text := range []string{"", "invalid", "unheard of"} {
		if err := r.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is read as %s", text, r)
		}
	}
}

// TestFits: what is done to users must be what their segment is for.
func TestFits(t *testing.T) {
	t.Parallel()
	move, follow, restore, withdraw := plan.SegmentMove, plan.SegmentFollow, plan.SegmentRestore, plan.SegmentWithdraw
	expire := state.Effect{Act: state.PersonExpire}
	gone := state.UserState{Standing: state.RolledBack}
	notWithdraw := []plan.SegmentKind{move, follow, restore}
	for name, c := range map[string]struct {
		shape plan.Shape
		in    []plan.SegmentKind
	}{
		"linking":           {plan.Shape{Effect: state.Effect{Link: true}}, []plan.SegmentKind{move}},
		"restoring":         {plan.Shape{Effect: state.Effect{Restore: true}}, []plan.SegmentKind{restore}},
		"restoring no row":  {plan.Shape{Effect: state.Effect{Restore: true}, Ground: plan.Ground{RowGone: true}}, nil},
		"expiring":          {plan.Shape{Effect: expire, After: gone}, []plan.SegmentKind{move, follow, restore, withdraw}},
		"expiring a moved":  {plan.Shape{Effect: expire, After: state.UserState{Standing: state.Moved}}, notWithdraw},
		"joining":           {plan.Shape{Effect: expire, After: gone, Join: 1}, notWithdraw},
		"deleting a person": {plan.Shape{Effect: state.Effect{Act: state.PersonDelete}, After: gone}, notWithdraw},
	} {
		for _, kind := range []plan.SegmentKind{move, follow, restore, withdraw} {
			if got, want := c.shape.Fits(kind), slices.Contains(c.in, kind); got != want {
				t.Errorf("%s in a segment %s: %v, want %v", name, kind, got, want)
			}
		}
	}
}

// TestUndoKind: what is deleted in Self-auth comes back as it was for some days only; what is made there is expired, or
// deleted, again.
func TestUndoKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []state.Kind{state.KindTenant, state.KindGroup, state.KindPolicy, state.KindClient} {
		for _, action := range []state.Action{state.ActionCreate, state.ActionUpdate, state.ActionRecover, state.ActionAdopt,
			state.ActionForget, state.ActionDelete, state.ActionReplace} {
			want := plan.UndoExact
			goes := action == state.ActionDelete || action == state.ActionReplace
			if goes && (kind == state.KindGroup || kind == state.KindClient) {
				want = plan.UndoRecycled
			}
			if got := (plan.ObjectChange{Kind: kind, Action: action}).UndoKind(); got != want {
				t.Errorf("%s %s: %s, want %s", action, kind, got, want)
			}
		}
	}
	for act, want := range map[state.PersonAct]plan.UndoKind{
		state.PersonNone: plan.UndoExact, state.PersonCreate: plan.UndoExpire, state.PersonExpire: plan.UndoExact,
		state.PersonEnable: plan.UndoExact, state.PersonAdopt: plan.UndoExact, state.PersonRevive: plan.UndoExact,
		state.PersonDelete: plan.UndoRecycled,
	} {
		s := plan.Shape{Effect: state.Effect{Act: act}}
		if got := s.UndoKind(plan.SegmentMove); got != want {
			t.Errorf("%s: %s, want %s", act, got, want)
		}
		if got := s.UndoKind(plan.SegmentWithdraw); got != plan.UndoNever {
			t.Errorf("%s from users who are not moved: %s, want %s", act, got, plan.UndoNever)
		}
	}
}

// TestAdminFigures: who becomes admin of a tenant and who ceases to be is told by what the groups are mapped as before and
// after.
func TestAdminFigures(t *testing.T) {
	t.Parallel()
	acme, globex := id(1), id(2)
	e := plan.Effects{
		Groups: []plan.Group{
			{ID: id(10), Tenant: acme, Role: state.RoleAdmin}, {ID: id(11), Tenant: acme, Role: state.RoleMember},
			{ID: id(12), Tenant: acme, Role: state.RoleAdmin, Was: state.RoleMember},
			{ID: id(13), Tenant: acme, Role: state.RoleViewer, Was: state.RoleAdmin},
			{ID: id(20), Tenant: globex, Role: state.RoleAdmin},
		},
		Sets: [][]int{{}, {0}, {1}, {2}, {3}, {4}},
	}
	const admins, members, raised, lowered, others = 1, 2, 3, 4, 5
	for name, c := range map[string]struct {
		shape       plan.Shape
		gains, lose int64
	}{
		"promoted":                            {plan.Shape{Join: admins, Keep: members}, 1, 0},
		"demoted":                             {plan.Shape{Leave: admins, Keep: members}, 0, 1},
		"stays one":                           {plan.Shape{Keep: admins, Join: members}, 0, 0},
		"is none":                             {plan.Shape{Join: members}, 0, 0},
		"by another group":                    {plan.Shape{Leave: admins, Join: raised}, 0, 0},
		"its group is raised":                 {plan.Shape{Keep: raised}, 1, 0},
		"its group is lowered":                {plan.Shape{Keep: lowered}, 0, 1},
		"joins one that is lowered":           {plan.Shape{Join: lowered}, 0, 0},
		"leaves one that was lowered":         {plan.Shape{Leave: lowered}, 0, 1},
		"leaves one that is raised":           {plan.Shape{Leave: raised}, 0, 0},
		"admin of another tenant":             {plan.Shape{Leave: admins, Join: others}, 1, 1},
		"leaves admins, another stays raised": {plan.Shape{Leave: admins, Keep: raised}, 0, 0},
	} {
		f := plan.Figures{}
		e.Count(f, plan.SegmentFollow, plan.Counted{Shape: c.shape, Users: 1})
		if f[plan.FigureGainAdmin] != c.gains || f[plan.FigureLoseAdmin] != c.lose {
			t.Errorf("%s: %d become admin, %d cease to be", name, f[plan.FigureGainAdmin], f[plan.FigureLoseAdmin])
		}
	}
}
