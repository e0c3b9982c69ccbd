package planner_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// hide makes the members of a group unknown, as Self-auth shows a group that it protects.
func (f *fake) hide(name string) *providers.Group {
	g := f.named(name)
	g.Hidden, g.Description, g.Members = true, "", nil
	return g
}

// TestHiddenMembers (L40): where nobody knows who is in a group, its tenant is left alone, whatever tells that the group
// is the tenant's; others go on.
func TestHiddenMembers(t *testing.T) {
	t.Parallel()
	acmeHidden := func(group string) state.Finding {
		return state.About(state.CodeGroupHidden, state.OfGroup(group), state.Text(state.KeyTenant, "acme"))
	}
	for name, c := range map[string]struct {
		change func(*fake)
		said   state.Finding
	}{
		"recorded and mapped": {func(f *fake) { f.hide("tenant_acme_users") }, acmeHidden("tenant_acme_users")},
		"recorded, its mapping row is gone": {func(f *fake) {
			g := f.hide("tenant_acme_users")
			f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.Group == g.ID })
		}, acmeHidden("tenant_acme_users")},
		"mapped by others": {func(f *fake) {
			f.groups = append(f.groups, providers.Group{ID: id(60), Name: "theirs", Hidden: true})
			f.mappings = append(f.mappings, providers.Mapping{
				Tenant: acme, Group: id(60), GroupName: "theirs", Role: state.RoleMember,
			})
		}, acmeHidden("theirs")},
		"ours, and the state is lost": {func(f *fake) {
			g := f.hide("tenant_acme_users")
			f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.Group == g.ID })
			f.state.Objects = slices.DeleteFunc(f.state.Objects, func(o state.Object) bool { return o.ID == g.ID })
		}, acmeHidden("tenant_acme_users")},
		"a hidden one is a member": {func(f *fake) {
			f.groups = append(f.groups, providers.Group{ID: id(61), Name: "inner", Hidden: true})
			users := f.named("tenant_acme_users")
			users.Members = append(users.Members, id(61))
		}, acmeHidden("inner")},
		"a hidden one is a member of a member": {func(f *fake) {
			f.groups = append(f.groups, providers.Group{ID: id(61), Name: "inner", Hidden: true},
				providers.Group{ID: id(62), Name: "between", Members: []uuid.UUID{id(61)}})
			users := f.named("tenant_acme_users")
			users.Members = append(users.Members, id(62))
		}, acmeHidden("inner")},
		"no longer declared": {func(f *fake) {
			f.hide("tenant_acme_admins")
			f.config.Groups = slices.DeleteFunc(f.config.Groups, func(g config.Group) bool {
				return g.Name == "tenant_acme_admins"
			})
			f.config.DataBlocks = nil
		}, acmeHidden("tenant_acme_admins")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := allMoved(t)
			f.config.Guard.MaxUsersChangedPercent = 100
			fresh := *f.user(11)
			fresh.ID, fresh.Email, fresh.Link, fresh.Method = id(19), "fresh@1.example", uuid.Nil, state.MethodPassword
			f.users = slices.Insert(f.users, 2, fresh)
			c.change(f)
			f.user(10).Role, f.user(12).Role = "user", "user" // both were admins
			f.user(11).Status = "suspended"
			m := f.must(t)
			found(t, m.context.Isolation.Violations, c.said)
			if got := m.skipped[19]; got != plan.SkipGroupHidden {
				t.Errorf("a new user of the tenant is skipped because of %q, want %q", got, plan.SkipGroupHidden)
			}
			if s := m.shapes[10]; len(s.Join) > 0 || s.Effect != (state.Effect{}) {
				t.Errorf("a demoted user of the tenant: %+v, want that it gains nothing", s)
			}
			if s := m.shapes[11]; s.Effect.Act != state.PersonExpire || len(s.Leave) > 0 || len(s.Keep) == 0 {
				t.Errorf("a suspended user of the tenant: %+v, want it expired, and its groups kept", s)
			}
			if s := m.shapes[12]; len(s.Leave) != 1 {
				t.Errorf("a demoted user of another tenant: %+v, want it to leave one group", s)
			}
			if len(m.effects.Objects) > 0 {
				t.Errorf("objects are changed: %+v, want none", m.effects.Objects)
			}
		})
	}
}

// TestHiddenElsewhere: a hidden group of another tenant keeps a user where it is, and out of other groups; and a person
// who may be in one is not taken over.
func TestHiddenElsewhere(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.hide("tenant_acme_admins")
	f.user(10).Tenant, f.record(10).TenantNow = globex, globex
	m := f.must(t)
	if s := m.shapes[10]; len(s.Join) > 0 || s.Effect != (state.Effect{}) {
		t.Errorf("a user who went from the tenant of a hidden group to another: %+v, want that it gains nothing", s)
	}

	f = allMoved(t)
	f.hide("tenant_acme_admins")
	f.users = slices.DeleteFunc(f.users, func(u providers.User) bool { return u.ID == id(10) })
	m = f.must(t)
	if s := m.shapes[10]; s.Effect.Act != state.PersonExpire || s.After.Standing != state.Moved || len(s.Leave) > 0 ||
		len(s.Keep) != 2 {
		t.Errorf("a row that is gone, its person in a hidden group: %+v, want it expired and all of it still recorded", s)
	}
	p := slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == f.record(10).Person })
	f.persons[p].Expired, f.persons[p].Closed = true, true
	if m = f.must(t); !m.effects.Empty() {
		t.Errorf("once it is expired: %+v, want nothing to do", m.shapes)
	}
	f.record(10).MadePerson = false
	f.persons[p].Expired = false
	if m = f.must(t); !m.effects.Empty() {
		t.Errorf("a person taken over, in a hidden group: %+v, want it left alone", m.shapes)
	}

	f = newFake(t)
	f.config.Identity.AdoptMail = true
	f.persons = []providers.Person{{ID: id(200), Name: "early", Mails: []string{"u0@1.example"}}}
	f.groups = []providers.Group{{ID: id(60), Name: "theirs", Hidden: true}}
	f.mappings = []providers.Mapping{{Tenant: globex, Group: id(60), GroupName: "theirs", Role: state.RoleMember}}
	if m = f.must(t); m.skipped[10] != plan.SkipHolderForeign {
		t.Errorf("who may be in a hidden group of another tenant: skipped because of %q, want %q", m.skipped[10],
			plan.SkipHolderForeign)
	}
	// Self-auth's own groups are hidden from most tokens, and are nobody's.
	f.groups[0].Builtin, f.mappings = true, nil
	if m = f.must(t); m.skipped[10] != plan.SkipNone {
		t.Errorf("with hidden built-in groups: skipped because of %q, want it moved", m.skipped[10])
	}

	f = newFake(t)
	f.config.Groups[1].Adopt = true
	f.groups = []providers.Group{{ID: id(50), Name: "tenant_acme_users", Hidden: true}}
	m = f.must(t)
	if m.skipped[10] != plan.SkipGroupHidden || m.change(`group.users["acme"]`) != nil {
		t.Errorf("a hidden group is taken over: %+v, %v", m.effects.Objects, m.skipped)
	}
}
