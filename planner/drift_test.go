package planner_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// TestDrift: each thing that others can change of what is recorded, what is found of it, and how it is counted.
func TestDrift(t *testing.T) {
	t.Parallel()
	group := state.Of(`group.users["acme"]`)
	changed := func(k state.Attribute, wrote, live state.Value) state.Finding {
		return state.About(state.CodeDriftChanged, group, state.Text(state.KeyAttribute, string(k)),
			state.Holds(state.KeyWrote, wrote), state.Holds(state.KeyLive, live))
	}
	mapping := state.MappingValue(state.RoleMember, "tenant_acme_users")
	of := func(c state.Code, n int64) state.Finding { return state.Found(c).Times(n) }
	for name, c := range map[string]struct {
		change func(*fake)
		found  []state.Finding
		counts plan.Drift
	}{
		"nothing": {func(*fake) {}, nil, plan.Drift{}},
		"what the configuration asks for anew is no drift": {func(f *fake) { f.config.Groups[1].Name = "other" }, nil, plan.Drift{}},
		"nor what rows ask for now":                        {func(f *fake) { f.user(10).Role = "user" }, nil, plan.Drift{}},
		"a name": {func(f *fake) { f.named("tenant_acme_users").Name = "theirs" },
			[]state.Finding{changed(state.AttrName, state.TextValue("tenant_acme_users"), state.TextValue("theirs"))}, plan.Drift{Objects: 1}},
		"a mapping row that is gone": {func(f *fake) {
			f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.GroupName == "tenant_acme_users" })
		}, []state.Finding{changed(state.AttrMapping, mapping, state.Value{})}, plan.Drift{Objects: 1}},
		"a group that is gone": {func(f *fake) {
			f.groups = slices.DeleteFunc(f.groups, func(g providers.Group) bool { return g.Name == "tenant_acme_users" })
		}, []state.Finding{state.About(state.CodeDriftGone, group)}, plan.Drift{Objects: 1}},
		"a group that is there again": {func(f *fake) {
			f.state.Objects[slices.IndexFunc(f.state.Objects, func(o state.Object) bool { return o.Address == `group.users["acme"]` })].Deleted = true
			for i := range f.recorded {
				f.recorded[i].Groups = slices.DeleteFunc(f.recorded[i].Groups, func(g uuid.UUID) bool { return g == f.named("tenant_acme_users").ID })
			}
		}, []state.Finding{state.About(state.CodeDriftBack, group)}, plan.Drift{Objects: 1}},
		"a row that is gone": {func(f *fake) {
			f.users = slices.DeleteFunc(f.users, func(u providers.User) bool { return u.ID == id(10) })
		}, []state.Finding{of(state.CodeDriftRow, 1)}, plan.Drift{Users: 1}},
		"links": {func(f *fake) { f.user(10).Link, f.user(11).Link = uuid.Nil, id(201) },
			[]state.Finding{of(state.CodeDriftLink, 2)}, plan.Drift{Users: 2}},
		"a person that is gone": {func(f *fake) {
			f.persons = slices.DeleteFunc(f.persons, func(p providers.Person) bool { return p.Name == "p11" })
			g := f.named("tenant_acme_users")
			g.Members = slices.DeleteFunc(g.Members, func(m uuid.UUID) bool { return m == f.record(11).Person })
		}, []state.Finding{of(state.CodeDriftPerson, 1)}, plan.Drift{Users: 1}},
		"a person that somebody has expired": {func(f *fake) { f.person(10).Expired = true },
			[]state.Finding{of(state.CodeDriftExpired, 1)}, plan.Drift{Users: 1}},
		"a person that we have expired": {func(f *fake) {
			f.person(10).Expired, f.person(10).Closed, f.record(10).Asleep = true, true, true
		}, nil, plan.Drift{}},
		"one that somebody has enabled": {func(f *fake) { f.record(10).Asleep = true },
			[]state.Finding{of(state.CodeDriftEnabled, 1)}, plan.Drift{Users: 1}},
		"a method and a link of one user": {func(f *fake) { f.user(10).Method, f.user(10).Link = state.MethodPassword, uuid.Nil },
			[]state.Finding{of(state.CodeDriftLink, 1), of(state.CodeDriftMethod, 1)}, plan.Drift{Users: 1}},
		"a member who was taken out": {func(f *fake) {
			g := f.named("tenant_acme_users")
			g.Members = slices.DeleteFunc(g.Members, func(m uuid.UUID) bool { return m == f.record(10).Person })
		}, []state.Finding{state.About(state.CodeDriftLeft, state.OfGroup("tenant_acme_users")).Times(1)}, plan.Drift{Memberships: 1}},
		"members who were put in": {func(f *fake) {
			f.persons = append(f.persons, providers.Person{ID: id(200), Name: "stranger"})
			f.named("tenant_acme_admins").Members = append(f.named("tenant_acme_admins").Members, id(200), f.record(11).Person)
		}, []state.Finding{state.About(state.CodeDriftAdded, state.OfGroup("tenant_acme_admins")).Times(2)}, plan.Drift{Memberships: 2}},
		"one whose row asks for it": {func(f *fake) {
			f.user(11).Role = "admin"
			f.named("tenant_acme_admins").Members = append(f.named("tenant_acme_admins").Members, f.record(11).Person)
		}, nil, plan.Drift{}},
		"members of a group that was there before us": {func(f *fake) {
			f.state.Objects[slices.IndexFunc(f.state.Objects, func(o state.Object) bool { return o.Address == `group.admins["acme"]` })].Adopted = true
			f.persons = append(f.persons, providers.Person{ID: id(200), Name: "stranger"})
			f.named("tenant_acme_admins").Members = append(f.named("tenant_acme_admins").Members, id(200))
		}, nil, plan.Drift{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			for _, n := range []byte{10, 11, 12, 13} {
				f.moved(n, "everyone")
			}
			c.change(f)
			p, err := planner.Drift(t.Context(), f.input(f, f))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.found, p.Context.Outside); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(&c.counts, p.Context.Drift); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			want := plan.Effects{Kind: state.RunRefresh, Target: p.Effects.Target, Lineage: p.Effects.Lineage, Objects: p.Effects.Objects}
			if diff := cmp.Diff(want, p.Effects); diff != "" {
				t.Errorf("it does more than to record objects (-want +got):\n%s", diff)
			}
			if !p.Effects.Sound() {
				t.Errorf("its effects do not fit together: %+v", p.Effects)
			}
		})
	}
}

// person is the person that a user was moved with.
func (f *fake) person(user byte) *providers.Person {
	return &f.persons[slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == f.record(user).Person })]
}
