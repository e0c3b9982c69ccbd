package objects_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/state"
)

// TestRecordNow: what of a drift is recorded, and what is only told: a tenant's row that is gone, a group of which the mapping
// row is left, and what we deleted and is there again.
func TestRecordNow(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.config = nil
	f.remember(state.Object{Address: "tenant.acme", Kind: state.KindTenant, ID: acme, Attributes: attrs{
		state.AttrName: text("Acme"), state.AttrPlan: {}}})
	f.remember(state.Object{Address: "tenant.away", Kind: state.KindTenant, ID: id(99)})
	f.remember(state.Object{Address: short, Kind: state.KindPolicy, ID: f.record(acmeUsers).ID, Attributes: attrs{
		state.AttrSessionExpiry: text("60")}})
	f.record(`group.admins["globex"]`).Deleted = true
	f.groups[0].Name = "theirs" // of the administrators of acme
	f.groups = f.groups[:3]     // and the users of globex are gone
	f.groups = append(f.groups[:2:2], f.groups[2:]...)
	f.groups = append(f.groups[:1:1], f.groups[2:]...) // as are those of acme, whose mapping row is gone as well
	f.mappings = append(f.mappings[:1:1], f.mappings[2:]...)
	d := objects.Drift(f.observed(t))
	type row struct {
		Address state.Address
		Was     attrs
		Gone    bool
	}
	var got []row
	for _, c := range d.Records {
		if c.Action != state.ActionRecord || c.Last || !c.Was.Equal(c.Will) || (c.Was == nil) != (c.Will == nil) {
			t.Errorf("%+v", c)
		}
		got = append(got, row{c.Address, c.Was, c.After.Deleted})
	}
	want := []row{
		{"tenant.acme", attrs{state.AttrName: text("acme")}, false},
		{`group.admins["acme"]`, attrs{state.AttrName: text("theirs")}, false},
		{acmeUsers, nil, true},
		{short, nil, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
	if d.Objects != int64(len(want))+3 {
		t.Errorf("%d objects are found", d.Objects)
	}
}

// TestRefreshTakenBack: alone, a refresh is taken back by what was recorded before, and nothing is written. Of what runs did
// before and after it, it is no part: neither are its values restored, nor is what it found gone made again.
func TestRefreshTakenBack(t *testing.T) {
	t.Parallel()
	theirs := attrs{state.AttrName: text("theirs")}
	runs := []state.RunInfo{{ID: "1", Kind: state.RunRefresh}, {ID: "2", Kind: state.RunApply}}
	f := atRest(t)
	f.state.Runs = runs
	before := *f.record(acmeUsers)
	found := before
	found.Attributes = attrs{state.AttrName: text("theirs"), state.AttrMapping: before.Attributes[state.AttrMapping]}
	*f.record(acmeUsers) = found
	var j journal
	j.did("1", &before, &found, theirs, theirs).Action = state.ActionRecord
	c := change(f.back(t, j, objects.Needs{}), acmeUsers)
	want := &plan.ObjectChange{Address: acmeUsers, Kind: state.KindGroup, Action: state.ActionRecord, Before: &found, After: &before,
		Was: attrs{}, Will: attrs{}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}

	// A later run has given it its name again.
	f.config = nil
	*f.record(acmeUsers) = before
	j.did("2", &found, &before, theirs, attrs{state.AttrName: text("tenant_acme_users")}).Action = state.ActionUpdate
	c = change(f.back(t, j, objects.Needs{}), acmeUsers)
	if diff := cmp.Diff(theirs, c.Will); diff != "" || c.After.Attributes.Text(state.AttrName) != "tenant_acme_users" {
		t.Errorf("with a later run (-want +got):\n%s%+v", diff, c.After)
	}

	// It was gone, and was made again by a later run: it stays, and is the same one.
	made, gone := before, before
	gone.Deleted, gone.Run = true, "1"
	made.ID, made.Generation = state.GroupID(lineage, acmeUsers, 2), 2
	*f.record(acmeUsers) = made
	for i := range f.groups {
		if f.groups[i].ID == before.ID {
			f.groups[i].ID = made.ID
		}
	}
	recorded, again := journal{}, journal{}
	recorded.did("1", &before, &gone, nil, nil).Action = state.ActionRecord
	recorded.did("2", &gone, &made, nil, made.Attributes).Action = state.ActionCreate
	again.did("1", &gone, &made, nil, made.Attributes).Action = state.ActionCreate // of the later run alone
	for name, j := range map[string]journal{"both": recorded, "the later run": again} {
		folded := f.fold(t, j)
		if p := folded.Plan(objects.Needs{Live: []int64{0, 0}, Refers: []int64{0, 0}}); len(p.Changes) > 0 {
			t.Errorf("%s: %+v", name, p.Changes)
		}
		if folded.Back()[made.ID] != before.ID {
			t.Errorf("%s: it is not known as the one that was there before", name)
		}
	}

	// It was changed by a run, and then gone: that run does not make it again.
	f = atRest(t)
	f.groups, f.mappings = append(f.groups[:1:1], f.groups[2:]...), append(f.mappings[:1:1], f.mappings[2:]...)
	*f.record(acmeUsers) = gone
	f.state.Runs = []state.RunInfo{{ID: "1", Kind: state.RunApply}, {ID: "2", Kind: state.RunRefresh}}
	j = nil
	j.did("1", &found, &before, theirs, attrs{state.AttrName: text("tenant_acme_users")}).Action = state.ActionUpdate
	j.did("2", &before, &gone, nil, nil).Action = state.ActionRecord
	if p := f.back(t, j, objects.Needs{}); len(p.Changes) > 0 {
		t.Errorf("what others have deleted is made again: %+v", p.Changes)
	}
}
