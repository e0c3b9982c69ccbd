package objects_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/providers"
	"anthill/state"
)

// TestMappingNotes: mapping rows of groups that are gone or are called otherwise, and rows of one name with several roles
// are noted, as the plan leaves them; those that it writes or deletes, and those of deleted tenants, are not.
func TestMappingNotes(t *testing.T) {
	t.Parallel()
	row := func(group byte, name string, role state.Role) providers.Mapping {
		return providers.Mapping{Tenant: acme, Group: id(group), GroupName: name, Role: role}
	}
	tenant := state.Text(state.KeyTenant, "acme")
	dead := func(name, role string) state.Finding {
		return state.About(state.CodeMappingDead, state.OfGroup(name), tenant, state.Text(state.KeyRole, role))
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   []state.Finding
	}{
		"at rest": {func(*fake) {}, nil},
		"a group that is there, by its name": {func(f *fake) {
			f.groups = append(f.groups, providers.Group{ID: id(90), Name: "theirs"})
			f.mappings = append(f.mappings, row(90, "theirs", state.RoleViewer))
		}, nil},
		"by another name": {func(f *fake) {
			f.groups = append(f.groups, providers.Group{ID: id(90), Name: "theirs"})
			f.mappings = append(f.mappings, row(90, "Theirs", state.RoleViewer))
		}, []state.Finding{state.About(state.CodeMappingName, state.OfGroup("Theirs"), tenant, state.Text(state.KeyName, "theirs"))}},
		"a group that is gone": {func(f *fake) { f.mappings = append(f.mappings, row(90, "gone", state.RoleMember)) },
			[]state.Finding{dead("gone", "member")}},
		"of a deleted tenant": {func(f *fake) {
			f.tenants = append(f.tenants, providers.Tenant{ID: id(9), Slug: "old", Status: "active", Deleted: true})
			f.mappings = append(f.mappings, providers.Mapping{Tenant: id(9), Group: id(90), GroupName: "gone", Role: state.RoleMember})
		}, nil},
		"a dead one with the name of a living one": {func(f *fake) {
			f.mappings = append(f.mappings, row(90, "tenant_acme_users", state.RoleAdmin))
		}, []state.Finding{dead("tenant_acme_users", "admin"), state.About(state.CodeMappingRoles, state.OfGroup("tenant_acme_users"), tenant,
			state.List(state.KeyRoles, "admin", "member"))}},
		"with its role as well": {func(f *fake) {
			f.mappings = append(f.mappings, row(90, "tenant_acme_users", state.RoleMember))
		}, []state.Finding{dead("tenant_acme_users", "member")}},
		"one of ours that is set back": {func(f *fake) {
			i := slices.IndexFunc(f.mappings, func(m providers.Mapping) bool { return m.GroupName == "tenant_acme_users" })
			f.mappings[i].GroupName = "tenant_acme_guests"
		}, nil},
		"one of ours that is made again": {func(f *fake) {
			f.groups = slices.DeleteFunc(f.groups, func(g providers.Group) bool { return g.Name == "tenant_acme_users" })
		}, nil},
		"one of ours that is deleted": {func(f *fake) { f.config.Groups, f.config.Blocks = nil, nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := atRest(t)
			c.change(f)
			var got []state.Finding
			for _, n := range f.must(t).Notes {
				if slices.Contains([]state.Code{state.CodeMappingDead, state.CodeMappingName, state.CodeMappingRoles}, n.Code) {
					got = append(got, n)
				}
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}
