package objects_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/state"
)

// journal is the records of objects, oldest first, of runs that are all applies.
type journal []state.ObjectRecord

// did adds what a run did to an object that is settled.
func (j *journal) did(run string, before, after *state.Object, was, will state.Attributes) *state.ObjectRecord {
	r := state.ObjectRecord{ID: int64(len(*j) + 1), Run: run, Settled: true, Verdict: state.Done}
	r.Before, r.After, r.Was, r.Will = before, after, was, will
	if r.After != nil {
		r.Address = after.Address
	} else {
		r.Address = before.Address
	}
	*j = append(*j, r)
	return &(*j)[len(*j)-1]
}

// back is the way back from the run "1" of an apply.
func (f *fake) back(t *testing.T, j journal, n objects.Needs) *objects.Plan {
	t.Helper()
	n.Live, n.Refers = append(n.Live, 0, 0, 0), append(n.Refers, 0, 0, 0)
	return f.fold(t, j).Plan(n)
}

func (f *fake) fold(t *testing.T, j journal) *objects.Folded {
	t.Helper()
	f.config = nil
	if f.state.Runs == nil {
		f.state.Runs = []state.RunInfo{{ID: "1", Kind: state.RunApply}, {ID: "2", Kind: state.RunApply}}
	}
	return objects.Fold(f.observed(t), j, map[string]bool{"1": true}, state.RunApply)
}

// TestMade: what a run made goes, after the users, and is made again only when the wave goes on, or at once where
// there is no pause that can be lifted; what users who stay moved need, stays.
func TestMade(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	x := f.client(attrs{})
	rec, app := *f.record(acmeUsers), *f.record(x.Address)
	f.clients[0].Attributes = attrs{state.AttrName: text("app"), state.AttrScopeMaps: grants(rec.ID, "openid")}
	f.remember(state.Object{Address: "tenant.acme", Kind: state.KindTenant, ID: acme})
	row := *f.record("tenant.acme")
	var j journal
	j.did("1", nil, &row, nil, attrs{})
	j.did("1", nil, &rec, nil, rec.Attributes)
	j.did("1", nil, &app, nil, app.Attributes)
	p := f.back(t, j, objects.Needs{Pauses: true})
	var got []state.Address
	for _, c := range p.Changes {
		got = append(got, c.Address)
		if c.Action != state.ActionDelete || !c.Last || !c.After.Deleted || !c.After.Paused || c.Was == nil || c.Will != nil {
			t.Errorf("%+v", c)
		}
	}
	if diff := cmp.Diff([]state.Address{app.Address, acmeUsers, "tenant.acme"}, got); diff != "" || p.Stays {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
	if p := f.back(t, j, objects.Needs{}); p.Changes[0].After.Paused {
		t.Errorf("without a pause: %+v", p.Changes[0].After)
	}
	p = f.back(t, j, objects.Needs{Groups: map[uuid.UUID]int64{rec.ID: 3}, Since: map[uuid.UUID]int64{rec.ID: 2},
		Refers: []int64{4}})
	if len(p.Changes) != 0 || !p.Stays {
		t.Errorf("needed: %+v", p.Changes)
	}
	if n := finds(t, p.Notes, state.CodeClientStays, "app"); n.Count != 2 {
		t.Errorf("%+v", n)
	}
	if n := finds(t, p.Notes, state.CodeTenantRowStays, "acme"); n.Count != 4 {
		t.Errorf("%+v", n)
	}
	f.clients = nil // somebody else has deleted it: its record goes all the same
	if c := change(f.back(t, j, objects.Needs{}), app.Address); c == nil || len(c.Was) != 0 || !c.After.Deleted {
		t.Errorf("gone already: %+v", c)
	}
}

// TestDeleted: what a run deleted is made again with all that it had, a group under its next id, by which everything
// else names it from then on. A client whose deleted entry is gone for good has no secret.
func TestDeleted(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	before := *f.record(acmeUsers)
	old, next := before.ID, state.GroupID(lineage, acmeUsers, 2)
	gone := before
	gone.Deleted = true
	*f.record(acmeUsers) = gone
	f.groups, f.mappings = slices.Delete(f.groups, 1, 2), slices.Delete(f.mappings, 1, 2)
	scopes := grants(old, "openid")
	client := state.Object{Address: app, Kind: state.KindClient, ID: id(70),
		Attributes: attrs{state.AttrScopeMaps: scopes}}
	policy := state.Object{Address: short, Kind: state.KindPolicy, ID: old}
	var j journal
	j.did("1", &client, nil, attrs{state.AttrName: text("app"), state.AttrType: text("confidential"),
		state.AttrScopeMaps: scopes}, nil)
	j.did("1", &policy, nil, attrs{state.AttrSessionExpiry: text("60")}, nil)
	j.did("1", &before, &gone, before.Attributes, nil)

	if got := f.fold(t, j).Remade(); !cmp.Equal(got, map[uuid.UUID]uuid.UUID{old: next}) {
		t.Errorf("remade %v", got)
	}
	want := []objects.Restored{{Tenant: acme, IDs: []uuid.UUID{old, next, old}, Role: state.RoleMember,
		Members: state.Members{All: true}}}
	if diff := cmp.Diff(want, f.fold(t, j).Restored()); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	p := f.back(t, j, objects.Needs{Pauses: true})
	if len(p.Changes) != 3 {
		t.Fatalf("changes %+v", p.Changes)
	}
	for _, c := range p.Changes {
		if c.Action != state.ActionCreate || c.Was != nil || !c.After.Paused || c.After.Deleted || c.Last {
			t.Errorf("%+v", c)
		}
	}
	if c := p.Changes[0]; c.After.ID != next || c.After.Generation != 2 || !c.Will.Equal(before.Attributes) {
		t.Errorf("group %+v", c)
	}
	if c := p.Changes[1]; c.After.ID != next {
		t.Errorf("policy %+v", c)
	}
	c := p.Changes[2]
	for _, a := range []attrs{c.Will, c.After.Attributes} {
		if !slices.Equal(a[state.AttrScopeMaps].Groups(), []uuid.UUID{next}) {
			t.Errorf("scopes %+v", a)
		}
	}
	finds(t, p.Notes, state.CodeClientNewSecret, "app")
	if p := f.back(t, j, objects.Needs{Recycled: map[uuid.UUID]bool{id(70): true}}); len(p.Notes) != 0 {
		t.Errorf("one that can be brought back: %+v", p.Notes)
	}
	if f.state.Objects[1].ID != old || !slices.Equal(client.Attributes[state.AttrScopeMaps].Groups(), []uuid.UUID{old}) {
		t.Error("what is recorded was written through")
	}
}

// TestChanged: an object gets the values back that it had before the oldest change, whatever it has now; who was made
// to leave a group comes back; what would be a hazard elsewhere is said.
func TestChanged(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.group("tenant_acme_users").Members = []uuid.UUID{f.user(10, acme)}
	before := *f.record(acmeUsers)
	rec := f.record(acmeUsers)
	rec.Attributes = before.Attributes.Without()
	left := state.MembersValue([]uuid.UUID{id(99)})
	var j journal
	j.did("1", &before, rec, attrs{state.AttrName: text("people"), state.AttrStrangers: left},
		attrs{state.AttrName: text("staff"), state.AttrStrangers: {}})
	j.did("2", rec, rec, attrs{state.AttrName: text("staff")}, attrs{state.AttrName: text("tenant_acme_users")})
	p := f.back(t, j, objects.Needs{Pauses: true})
	c := only(t, p, acmeUsers, state.ActionUpdate)
	if diff := cmp.Diff(attrs{state.AttrName: text("people"), state.AttrStrangers: left}, c.Will); diff != "" {
		t.Errorf("will (-want +got):\n%s", diff)
	}
	if !c.Was.Equal(attrs{state.AttrName: text("tenant_acme_users")}) || c.After.Deleted || !c.After.Paused {
		t.Errorf("%+v", c)
	}
	if n := finds(t, p.Notes, state.CodeGroupRenamed, "tenant_acme_users"); n.Count != 1 || len(p.Hazards) != 0 {
		t.Errorf("notes %+v, hazards %+v", p.Notes, p.Hazards)
	}
	j = nil // let in again by a run, they leave again
	j.did("1", rec, rec, attrs{}, attrs{state.AttrStrangers: left})
	c = only(t, f.back(t, j, objects.Needs{}), acmeUsers, state.ActionUpdate)
	if v, leave := c.Will[state.AttrStrangers]; !c.Was[state.AttrStrangers].Equal(left) || !leave || v.IsSet() {
		t.Errorf("%+v", c)
	}
	f.groups = nil // somebody else has deleted it
	if p := f.back(t, j, objects.Needs{}); len(p.Changes) != 0 {
		t.Errorf("it is gone: %+v", p.Changes)
	}
}

// TestAdopted: what a run took over is given back, and is not ours any more.
func TestAdopted(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	rec := f.record(acmeUsers)
	rec.Adopted = true
	var j journal
	j.did("1", nil, rec, attrs{}, attrs{state.AttrMapping: rec.Attributes[state.AttrMapping]})
	p := f.back(t, j, objects.Needs{})
	c := only(t, p, acmeUsers, state.ActionUpdate)
	if !c.After.Deleted || !c.After.Adopted || c.Will[state.AttrMapping].IsSet() || !c.Was[state.AttrMapping].IsSet() {
		t.Errorf("%+v", c)
	}
	finds(t, p.Context.Said[acmeUsers], state.CodeNotOursNow, "")
}

// TestMovedBack: a record that moved goes back to its address.
func TestMovedBack(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	before := *f.record(acmeUsers)
	f.record(acmeUsers).Address = "group.people"
	var j journal
	j.did("1", &before, f.record("group.people"), attrs{}, attrs{}).From = acmeUsers
	c := only(t, f.back(t, j, objects.Needs{}), acmeUsers, state.ActionUpdate)
	if c.From != "group.people" || !c.After.Equal(before) {
		t.Errorf("%+v", c)
	}
}

// TestBackLocksOut: values that lock users out who stay moved are a hazard, on the way back too.
func TestBackLocksOut(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.client(attrs{})
	users := f.group("tenant_acme_users").ID
	wide := grants(users, "openid")
	f.clients[0].Attributes = attrs{state.AttrName: text("app"), state.AttrType: text("public"), state.AttrScopeMaps: wide}
	client, row := *f.record(app), state.Object{Address: "tenant.acme", Kind: state.KindTenant, ID: acme}
	f.state.Objects = append(f.state.Objects, row)
	var j journal
	j.did("1", &client, &client, attrs{}, attrs{state.AttrScopeMaps: wide})
	j.did("1", &row, &row, attrs{state.AttrStatus: text("suspended")}, attrs{state.AttrStatus: text("active")})
	p := f.back(t, j, objects.Needs{Since: map[uuid.UUID]int64{users: 2}, Live: []int64{5}})
	less := finds(t, p.Hazards[0].Of, state.CodeClientLetsLess, "app")
	back := finds(t, p.Hazards[0].Of, state.CodeTenantBack, "acme")
	if count(p.Risk, plan.LocksOut) != 7 || less.Count != 2 || back.Count != 5 ||
		back.Text(state.KeyStatus) != "suspended" {
		t.Errorf("hazards %+v", p.Hazards)
	}

	before := client
	before.ID = id(69)
	j = nil
	j.did("1", &before, &client, attrs{state.AttrName: text("app"), state.AttrType: text("confidential")},
		attrs{state.AttrName: text("app"), state.AttrType: text("public")})
	p = f.back(t, j, objects.Needs{})
	c := only(t, p, app, state.ActionReplace)
	if c.After.ID != id(69) || c.Was.Text(state.AttrType) != "public" || c.Will.Text(state.AttrType) != "confidential" {
		t.Errorf("%+v", c)
	}
	finds(t, p.Notes, state.CodeClientTypeBack, "app")
	finds(t, p.Notes, state.CodeClientNewSecret, "app")
}

// TestFold: what failed, what later runs alone did and what a later rollback took back already is none of the way
// back; what a stopped run may have done is.
func TestFold(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	rec := f.record(acmeUsers)
	made := func(run string) (j journal) {
		j.did(run, nil, rec, nil, rec.Attributes)
		return j
	}
	if f.fold(t, made("1")).Empty() || !new(objects.Folded).Empty() {
		t.Error("what the run did")
	}
	refused := made("1")
	refused[0].Verdict = state.Refused
	if !f.fold(t, refused).Empty() {
		t.Error("what was refused")
	}
	stopped := made("1")
	stopped[0].Settled, stopped[0].Verdict = false, state.VerdictInvalid
	if f.fold(t, stopped).Empty() {
		t.Error("what a stopped run may have done")
	}
	if !f.fold(t, made("2")).Empty() {
		t.Error("what a later run did")
	}
	back := made("1")
	back.did("2", rec, rec, rec.Attributes, nil)
	f.state.Runs[1] = state.RunInfo{ID: "2", Kind: state.RunRollback, Undoes: []string{"1"}}
	if !f.fold(t, back).Empty() {
		t.Error("what was taken back")
	}
	f.state.Runs[1].Undone = true
	if f.fold(t, back).Empty() {
		t.Error("what was taken back, and that undone")
	}
}
