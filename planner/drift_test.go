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
	added := func(tenant, role, name string) state.Finding {
		return state.About(state.CodeDriftMapping, group, state.Text(state.KeyTenant, tenant), state.Text(state.KeyRole, role),
			state.Text(state.KeyName, name))
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
		"a mapping row of another tenant": {func(f *fake) {
			f.mappings = append(f.mappings, providers.Mapping{Tenant: globex, Group: f.named("tenant_acme_users").ID,
				GroupName: "tenant_acme_users", Role: state.RoleViewer})
		}, []state.Finding{added("globex", "viewer", "tenant_acme_users")}, plan.Drift{Objects: 1}},
		"a row that has the name alone": {func(f *fake) {
			f.mappings = append(f.mappings, providers.Mapping{Tenant: acme, Group: id(99), GroupName: "tenant_acme_users",
				Role: state.RoleAdmin})
		}, []state.Finding{added("acme", "admin", "tenant_acme_users")}, plan.Drift{Objects: 1}},
		"a row and a name of one group": {func(f *fake) {
			f.named("tenant_acme_users").Name = "theirs"
			f.mappings = append(f.mappings, providers.Mapping{Tenant: acme, Group: id(99), GroupName: "theirs"})
		}, []state.Finding{changed(state.AttrName, state.TextValue("tenant_acme_users"), state.TextValue("theirs")),
			added("acme", "", "theirs")}, plan.Drift{Objects: 1}},
		"rows of other groups, and of a tenant that is gone": {func(f *fake) {
			f.tenants = append(f.tenants, providers.Tenant{ID: id(9), Slug: "gone", Status: "active", Deleted: true})
			f.mappings = append(f.mappings, providers.Mapping{Tenant: acme, Group: id(99), GroupName: "other", Role: state.RoleAdmin},
				providers.Mapping{Tenant: id(9), Group: id(98), GroupName: "tenant_acme_users", Role: state.RoleAdmin})
		}, nil, plan.Drift{}},
		"rows of a group that was there before us": {func(f *fake) {
			f.state.Objects[slices.IndexFunc(f.state.Objects, func(o state.Object) bool { return o.Address == `group.users["acme"]` })].Adopted = true
			f.mappings = append(f.mappings, providers.Mapping{Tenant: acme, Group: id(99), GroupName: "tenant_acme_users", Role: state.RoleAdmin})
		}, nil, plan.Drift{}},
		"persons who are not valid yet": {func(f *fake) { f.person(10).Early, f.person(11).Early = true, true },
			[]state.Finding{of(state.CodeDriftEarly, 2)}, plan.Drift{Users: 2}},
		"a person who is not valid yet, and not ours": {func(f *fake) { f.person(10).Early, f.record(10).MadePerson = true, false },
			nil, plan.Drift{}},
		"an address that we keep": {func(f *fake) {
			f.config.Identity.FollowMail = true
			f.person(10).Mails = []string{"theirs@example.com"}
		}, []state.Finding{of(state.CodeDriftMail, 1)}, plan.Drift{Users: 1}},
		"an address that we do not keep": {func(f *fake) { f.person(10).Mails = []string{"theirs@example.com"} }, nil, plan.Drift{}},
		"one that the row has by now, of which nobody can know": {func(f *fake) {
			f.config.Identity.FollowMail = true
			f.user(10).Email = "new@example.com"
		}, []state.Finding{of(state.CodeDriftMail, 1)}, plan.Drift{Users: 1}},
		"one of a person who is not ours": {func(f *fake) {
			f.config.Identity.FollowMail, f.record(10).MadePerson = true, false
			f.person(10).Mails = []string{"theirs@example.com"}
		}, nil, plan.Drift{}},
		"one that the row cannot give": {func(f *fake) {
			f.config.Identity.FollowMail = true
			f.user(10).Email = f.user(11).Email
		}, nil, plan.Drift{}},
		"parts of the schema": {func(f *fake) {
			f.state.Schema = []state.SchemaRecord{{Run: "r", Step: "users.columns", Settled: true},
				{Run: "r", Step: "index.users.method", Settled: true}, {Run: "r", Step: "index.users.status"},
				{Run: "r", Step: "users.method.check", Settled: true}, {Run: "s", Step: "users.method.check", Back: true, Settled: true}}
		}, []state.Finding{
			state.About(state.CodeDriftPartGone, state.Of("schema.users.columns"), state.Text(state.KeyWrote, "a")),
			state.About(state.CodeDriftPart, state.Of("schema.index.users.method"), state.Text(state.KeyWrote, "b"), state.Text(state.KeyLive, "x"))},
			plan.Drift{Schema: 2}},
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
			in := f.input(f, f)
			// What lacks is no drift where no run has made it, or it is taken back.
			in.Inspection.Lacks = []providers.SchemaPart{{Step: "users.columns", Made: "a"},
				{Step: "index.users.method", Made: "b", Live: "x"}, {Step: "index.users.status", Made: "c"},
				{Step: "users.method.check", Made: "d"}, {Step: "sessions.method.check", Made: "e"}}
			p, err := planner.Drift(t.Context(), in)
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
