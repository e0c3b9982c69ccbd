package objects_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/state"
)

const (
	acmeAdmins state.Address = `group.admins["acme"]`
	acmeUsers  state.Address = `group.users["acme"]`
	app        state.Address = "oauth2_client.app"
	short      state.Address = `account_policy.short["users.acme"]`
)

// TestNewWorld: what is declared and not there is made: tenants first, then the groups of each in the order in which
// tokens list them (L36), then what is set on groups and what names them.
func TestNewWorld(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.groups, f.mappings, f.state.Objects = nil, nil, nil
	slices.Reverse(f.config.Groups)
	f.config.Groups[0].Pos = config.Pos{File: "groups.hcl", Line: 7}
	f.config.Tenants = []config.Tenant{{Address: "tenant.new", Slug: "new",
		Attributes: attrs{state.AttrSlug: text("new"), state.AttrName: text("New")}}}
	f.config.Accounts = []config.AccountPolicy{{Address: short, Group: acmeUsers,
		Attributes: attrs{state.AttrSessionExpiry: text("60"), state.AttrPrivilegeExpiry: {}}}}
	f.config.Clients = []config.Client{{Address: app, Name: "app", Attributes: attrs{state.AttrName: text("app")},
		Scopes: []config.ScopeMap{{Groups: []state.Address{acmeUsers}, Scopes: []string{"email", "openid"}}}}}
	p := f.must(t)
	var got []state.Address
	for _, c := range p.Changes {
		got = append(got, c.Address)
		if c.Action != state.ActionCreate || c.Was != nil || c.Before != nil || c.Last {
			t.Errorf("%+v", c)
		}
	}
	want := []state.Address{"tenant.new", acmeAdmins, acmeUsers, `group.admins["globex"]`, `group.users["globex"]`,
		short, app}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
	users := state.GroupID(lineage, acmeUsers, 1)
	for at, will := range map[state.Address]attrs{
		"tenant.new": f.config.Tenants[0].Attributes,
		acmeUsers: {
			state.AttrName:    text("tenant_acme_users"),
			state.AttrMapping: state.MappingValue(state.RoleMember, "tenant_acme_users"),
		},
		short: {state.AttrSessionExpiry: text("60")},
		app: {state.AttrName: text("app"), state.AttrScopeMaps: state.GrantsValue([]state.Grant{
			{Group: users, Values: []string{"email", "openid"}}})},
	} {
		if diff := cmp.Diff(will, change(p, at).Will); diff != "" {
			t.Errorf("%s (-want +got):\n%s", at, diff)
		}
	}
	for at, own := range map[state.Address]uuid.UUID{
		"tenant.new": state.TenantID(lineage, "tenant.new"), acmeUsers: users, short: users, app: uuid.Nil,
	} {
		if c := change(p, at); c.After.ID != own {
			t.Errorf("the id of %s is %s, want %s", at, c.After.ID, own)
		}
	}
	context := plan.Objects{Where: map[state.Address]plan.Place{f.config.Groups[0].Address: {File: "groups.hcl", Line: 7}}}
	if diff := cmp.Diff(context, p.Context); diff != "" {
		t.Errorf("what helps the reader (-want +got):\n%s", diff)
	}
	wanted := p.Tenants[0].Groups
	if len(wanted) != 2 || wanted[1].ID != users || wanted[1].Role != state.RoleMember || !wanted[1].Members.All {
		t.Errorf("acme's groups %+v", wanted)
	}
	if !slices.Contains(p.Names, "app") || !slices.Contains(p.Names, "tenant_acme_users") {
		t.Errorf("names that no person may get: %q", p.Names)
	}
}

// TestSetBack: what somebody else changed of ours is set back, and said.
func TestSetBack(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.group("tenant_acme_users").Description = "theirs"
	f.mappings[1].Role = state.RoleViewer
	p := f.must(t)
	c := only(t, p, acmeUsers, state.ActionUpdate)
	was := attrs{
		state.AttrDescription: text("theirs"), state.AttrMapping: state.MappingValue(state.RoleViewer, "tenant_acme_users"),
	}
	if diff := cmp.Diff(was, c.Was); diff != "" {
		t.Errorf("was (-want +got):\n%s", diff)
	}
	drift := finds(t, p.Outside, state.CodeSetBack, string(acmeUsers))
	if drift.Text(state.KeyAttribute) != string(state.AttrDescription) ||
		!drift.Arg(state.KeyLive).Value.Equal(text("theirs")) || drift.Arg(state.KeyWrote).Value.IsSet() {
		t.Errorf("drift %+v", drift)
	}
	if len(p.Outside) != 2 {
		t.Errorf("outside %+v", p.Outside)
	}
}

// TestRenamedGroup: a rename in place raises the gap with the members who meet the old name (L34).
func TestRenamedGroup(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.config.Groups[1].Name = "staff"
	f.group("tenant_acme_users").Members = []uuid.UUID{f.user(10, acme), f.user(11, acme)}
	p := f.must(t)
	c := only(t, p, acmeUsers, state.ActionUpdate)
	if c.Was.Text(state.AttrName) != "tenant_acme_users" || c.Will[state.AttrMapping].Mapping().Name != "staff" {
		t.Errorf("%+v", c)
	}
	if len(p.Outside) != 0 {
		t.Errorf("an edit is taken for drift: %+v", p.Outside)
	}
	if f := finds(t, p.Hazards[0].Of, state.CodeGroupRenamed, "tenant_acme_users"); count(p.Risk, plan.LoginGap) != 2 ||
		f.Text(state.KeyName) != "staff" || f.Count != 2 {
		t.Errorf("hazards %+v", p.Hazards)
	}
}

// TestMappedLess: a group of administrators that is mapped as less is a hazard with the members whom that concerns.
func TestMappedLess(t *testing.T) {
	t.Parallel()
	for role, want := range map[state.Role]int64{state.RoleAdmin: 0, state.RoleMember: 2, state.RoleViewer: 2} {
		f := atRest(t)
		f.config.Groups = f.config.Groups[:1]
		f.group("tenant_acme_admins").Members = []uuid.UUID{f.user(10, acme), f.user(11, acme)}
		f.config.Groups[0].Role = role
		p := f.must(t)
		if n := count(p.Risk, plan.AdminsAsMembers); n != want {
			t.Errorf("mapped as %s: %d, want %d", role, n, want)
		}
	}
	// The other way round everybody in it becomes admin.
	f := atRest(t)
	f.config.Groups = f.config.Groups[1:]
	f.group("tenant_acme_users").Members = []uuid.UUID{f.user(10, acme)}
	f.config.Groups[0].Role = state.RoleAdmin
	if p := f.must(t); count(p.Risk, plan.AdminsAsMembers) != 0 || count(p.Risk, plan.MembersAsAdmins) != 1 {
		t.Errorf("%+v", p.Hazards)
	}
}

// TestMovedGroup: a new address for the same object wants a moved block (L34), and then only its record moves; so
// does a group whose tenant is called otherwise now (L32).
func TestMovedGroup(t *testing.T) {
	t.Parallel()
	const people state.Address = `group.people["acme"]`
	f := atRest(t)
	f.config.Groups[1].Address, f.config.Groups[1].Block = people, "group.people"
	f.config.Blocks = []string{"group.admins", "group.people", "group.users"}
	f.fails(t, people, "Group under another address")
	f.config.Moved = []config.Move{{From: acmeUsers, To: people}}
	c := only(t, f.must(t), people, state.ActionUpdate)
	if c.From != acmeUsers || len(c.Will) != 0 || c.After.Address != people {
		t.Errorf("%+v", c)
	}
	// A chain, of moves of one instance and of a whole block, from any of its addresses.
	f.config.Moved = []config.Move{{From: acmeUsers, To: `group.folk["acme"]`}, {From: "group.folk", To: "group.crowd"},
		{From: "group.crowd", To: "group.people"}}
	if c := only(t, f.must(t), people, state.ActionUpdate); c.From != acmeUsers || c.After.Address != people {
		t.Errorf("by a chain: %+v", c)
	}
	// A ring, which config refuses, ends.
	f.config.Moved = []config.Move{{From: `group.a["acme"]`, To: `group.b["acme"]`}, {From: `group.b["acme"]`, To: `group.a["acme"]`},
		{From: "group.b", To: "group.people"}}
	f.fails(t, people, "Group under another address")
	f.config.Moved = []config.Move{{From: acmeUsers, To: people}}
	f.config.Groups = append(f.config.Groups,
		config.Group{Address: acmeUsers, Block: "group.users", Tenant: "acme", Name: "x"})
	_, diags := f.forward(t)
	if len(diags) == 0 || diags[0].Summary != "Moved and still declared" {
		t.Errorf("still declared: %v", diags)
	}

	f = atRest(t)
	f.tenants[0].Slug = "apex"
	for i := range f.config.Groups[:2] {
		g := &f.config.Groups[i]
		g.Tenant, g.Address = "apex", state.Address(g.Block+`["apex"]`)
	}
	p := f.must(t)
	for _, c := range p.Changes {
		if c.Action != state.ActionUpdate || c.From == "" || len(c.Will) != 0 || c.After.TenantSlug != "apex" {
			t.Errorf("%+v", c)
		}
	}
	if f := finds(t, p.Outside, state.CodeSlugFollowed, "apex"); len(p.Changes) != 2 || f.Text(state.KeyWas) != "acme" {
		t.Errorf("changes %+v, outside %+v", p.Changes, p.Outside)
	}
}

// TestGroupGone: one that somebody deleted is made again under the next id that is free, and its old mapping row
// goes.
func TestGroupGone(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.groups = slices.Delete(f.groups, 1, 2)
	p := f.must(t)
	c := only(t, p, acmeUsers, state.ActionCreate)
	if c.After.Generation != 2 || c.After.ID != state.GroupID(lineage, acmeUsers, 2) ||
		!slices.Equal(c.Unmap, []uuid.UUID{c.Before.ID}) {
		t.Errorf("%+v", c)
	}
	finds(t, p.Context.Said[acmeUsers], state.CodeWasGone, "")
}

// TestLostState: a group that is there under an id of ours, of whatever generation, is ours.
func TestLostState(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.state.Objects = slices.Delete(f.state.Objects, 1, 2)
	f.groups[1].ID = state.GroupID(lineage, acmeUsers, 3)
	c := only(t, f.must(t), acmeUsers, state.ActionRecover)
	if c.After.Generation != 3 || c.After.ID != f.groups[1].ID || c.After.Adopted {
		t.Errorf("%+v", c.After)
	}
}

// TestAdoptedGroup: a group that was there before us is taken over where that is said, keeps its description, and is
// told where it is older than one that tokens should list first (L36); else its tenant is left alone.
func TestAdoptedGroup(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.state.Objects, f.mappings = slices.Delete(f.state.Objects, 1, 2), slices.Delete(f.mappings, 1, 2)
	f.groups[1].ID, f.groups[1].Description, f.groups[1].Place = id(50), "theirs", -1
	p := f.must(t)
	if held := finds(t, p.Notes, state.CodeNameHeld, string(acmeUsers)); !p.Tenants[0].Taken || p.Tenants[1].Taken ||
		held.Text(state.KeyTenant) != "acme" || len(p.Changes) != 0 {
		t.Errorf("%+v", p)
	}
	f.config.Groups[1].Adopt = true
	p = f.must(t)
	c := only(t, p, acmeUsers, state.ActionAdopt)
	_, written := c.Will[state.AttrDescription]
	if !c.After.Adopted || c.After.ID != id(50) || written || !c.Will[state.AttrMapping].IsSet() {
		t.Errorf("%+v", c)
	}
	f.groups[0].Place, f.groups[1].Place = 1, 0
	finds(t, f.must(t).Notes, state.CodeOrderWrong, "tenant_acme_users")
}

// TestIsolation (L40): a group of another tenant, by its mapping row or by its members, is not taken over, nor is one
// that is Self-auth's own or inside of that; a tenant whose group has a built-in one inside is left alone.
func TestIsolation(t *testing.T) {
	t.Parallel()
	free := func(t *testing.T) *fake { // tenant_acme_users is there, and nobody's
		f := atRest(t)
		f.state.Objects, f.mappings = slices.Delete(f.state.Objects, 1, 2), slices.Delete(f.mappings, 1, 2)
		f.groups[1].ID, f.config.Groups[1].Adopt = id(50), true
		return f
	}
	blocked := func(t *testing.T, f *fake, code state.Code) {
		t.Helper()
		p := f.must(t)
		v := finds(t, p.Violations, code, "tenant_acme_users")
		if !p.Tenants[0].Blocked || change(p, acmeUsers) != nil || v.Text(state.KeyTenant) != "acme" {
			t.Errorf("changes %+v, violations %+v", p.Changes, p.Violations)
		}
	}
	f := free(t)
	f.groups[1].Members = []uuid.UUID{f.user(12, globex)}
	blocked(t, f, state.CodeAdoptMembers)

	f = free(t)
	f.mappings = append(f.mappings, f.mappings[2])
	f.mappings[3].Group = id(50)
	blocked(t, f, state.CodeAdoptMapped)

	f = free(t)
	f.groups[1].Builtin = true
	f.fails(t, acmeUsers, "Built-in group")
	f.config.Groups[1].Adopt = false
	finds(t, f.must(t).Notes, state.CodeNameHeld, string(acmeUsers))

	f = free(t)
	admins := f.groups[1]
	admins.ID, admins.Name, admins.Builtin, admins.Members = id(51), "idm_admins", true, []uuid.UUID{id(50)}
	f.groups = append(f.groups, admins)
	f.fails(t, acmeUsers, "Group inside a built-in one")

	f = atRest(t)
	admins.Members = []uuid.UUID{f.groups[1].ID}
	f.groups = append(f.groups, admins)
	blocked(t, f, state.CodeGroupInsideBuiltin)

	f = atRest(t)
	admins.Members = nil
	f.groups[1].Members = []uuid.UUID{admins.ID}
	f.groups = append(f.groups, admins)
	f.groups[0].Description = "theirs" // would be set back
	if p := f.must(t); !p.Tenants[0].Blocked || len(p.Changes) != 0 {
		t.Errorf("a built-in group inside: %+v", p)
	}
}

// TestNames: names that change places are told, not silently left.
func TestNames(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.config.Groups[0].Name, f.config.Groups[1].Name = f.config.Groups[1].Name, f.config.Groups[0].Name
	if _, diags := f.forward(t); len(diags) != 2 || diags[0].Summary != "Name in use" {
		t.Errorf("diagnostics %v", diags)
	}
	f = atRest(t)
	f.config.Groups[0].Tenant, f.config.Groups[0].Role = "globex", state.RoleViewer
	f.fails(t, acmeAdmins, "Group of another tenant")
}

// TestDormant (L30, L31): what is gone from data alone, or whose tenant is away, is kept, with its policy and its
// places in the maps of clients.
func TestDormant(t *testing.T) {
	t.Parallel()
	withAll := func(t *testing.T) *fake {
		f := atRest(t)
		users := f.group("tenant_acme_users")
		users.Policy = attrs{state.AttrSessionExpiry: text("60")}
		f.config.Accounts = []config.AccountPolicy{{Address: short, Group: acmeUsers, Attributes: users.Policy}}
		f.remember(state.Object{Address: short, Kind: state.KindPolicy, ID: users.ID, Attributes: users.Policy})
		grant := state.Grant{Group: users.ID, Values: []string{"openid"}}
		claim := state.Grant{Group: users.ID, Claim: "role", Join: "csv", Values: []string{"x"}}
		x := f.client(attrs{state.AttrScopeMaps: state.GrantsValue([]state.Grant{grant}),
			state.AttrClaimMaps: state.GrantsValue([]state.Grant{claim})})
		x.Scopes = []config.ScopeMap{{Groups: []state.Address{acmeUsers}, Scopes: grant.Values}}
		x.Claims = []config.ClaimMap{{Claim: "role", Join: "csv", Groups: []state.Address{acmeUsers}, Values: claim.Values}}
		if p := f.must(t); len(p.Changes) > 0 {
			t.Fatalf("not at rest: %+v", p.Changes)
		}
		return f
	}
	for name, test := range map[string]struct {
		change func(*fake)
		want   map[state.Address]state.Code
	}{
		"suspended": {func(f *fake) { f.tenants[0].Status = "suspended" }, map[state.Address]state.Code{
			acmeAdmins: state.CodeTenantAway, acmeUsers: state.CodeTenantAway, short: state.CodePolicyGroupAway}},
		"gone from data": {func(f *fake) {
			f.config.Groups, f.config.Accounts = f.config.Groups[2:], nil
			f.config.Clients[0].Scopes, f.config.Clients[0].Claims = nil, nil
		}, map[state.Address]state.Code{
			acmeAdmins: state.CodeNotInData, acmeUsers: state.CodeNotInData, short: state.CodePolicyGroupStays}},
		"paused": {func(f *fake) {
			for _, at := range []state.Address{acmeAdmins, acmeUsers, short, app} {
				f.record(at).Paused = true
			}
			f.group("tenant_acme_users").Description = "theirs"
		}, map[state.Address]state.Code{acmeAdmins: state.CodeObjectPaused, acmeUsers: state.CodeObjectPaused,
			short: state.CodeObjectPaused, app: state.CodeObjectPaused}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withAll(t)
			test.change(f)
			p := f.must(t)
			got := map[state.Address]state.Code{}
			for _, d := range p.Context.Dormant {
				got[state.Address(d.Subject.Name)] = d.Code
			}
			if diff := cmp.Diff(test.want, got); diff != "" || len(p.Changes) != 0 {
				t.Errorf("changes %+v, dormant (-want +got):\n%s", p.Changes, diff)
			}
		})
	}
}

// TestTakenBackGroup: a group that a rollback took back holds its tenant's users back until the wave goes on.
func TestTakenBackGroup(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.groups, f.mappings = slices.Delete(f.groups, 1, 2), slices.Delete(f.mappings, 1, 2)
	rec := f.record(acmeUsers)
	rec.Deleted, rec.Paused = true, true
	p := f.must(t)
	finds(t, p.Context.Dormant, state.CodeObjectPaused, string(acmeUsers))
	if len(p.Changes) != 0 || !p.Tenants[0].Paused || p.Tenants[1].Paused {
		t.Errorf("%+v", p)
	}
	rec.Paused = false
	if c := only(t, f.must(t), acmeUsers, state.ActionCreate); c.After.Generation != 2 || len(p.Context.Said) != 0 {
		t.Errorf("%+v", c)
	}
}

// TestDeclaredNoMore: what we made goes, after the users and in the opposite order; what was there before us, what is
// gone already and every tenant's row is only forgotten.
func TestDeclaredNoMore(t *testing.T) {
	t.Parallel()
	all := func(t *testing.T) *fake {
		f := atRest(t)
		users := f.group("tenant_acme_users")
		users.Policy, users.Members = attrs{state.AttrSessionExpiry: text("60")}, []uuid.UUID{f.user(10, acme)}
		f.client(attrs{})
		f.state.Objects = append(f.state.Objects,
			state.Object{Address: short, Kind: state.KindPolicy, ID: users.ID},
			state.Object{Address: "tenant.acme", Kind: state.KindTenant, ID: acme})
		f.config.Groups, f.config.Blocks, f.config.Clients = nil, nil, nil
		return f
	}
	f := all(t)
	f.clients = append(f.clients, f.clients[0])
	f.clients[1].ID, f.clients[1].Name = id(71), "theirs"
	f.clients[1].Attributes = attrs{state.AttrScopeMaps: grants(f.groups[1].ID, "openid")}
	p := f.must(t)
	var got []string
	for _, c := range p.Changes {
		got = append(got, string(c.Action)+" "+string(c.Address))
		if !c.Last || c.Kind == state.KindGroup != (c.After != nil && c.After.Deleted) {
			t.Errorf("%+v", c)
		}
	}
	want := []string{"delete oauth2_client.app", "delete " + string(short), "delete " + string(acmeAdmins),
		"delete " + string(acmeUsers), `delete group.admins["globex"]`, `delete group.users["globex"]`, "forget tenant.acme"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if count(p.Risk, plan.EndsSessions) != 1 || count(p.Risk, plan.LocksOut) != 1 || len(p.Deleting) != 4 {
		t.Errorf("hazards %+v, deleting %v", p.Hazards, p.Deleting)
	}
	if lose := finds(t, p.Context.Said[acmeUsers], state.CodeMembersLose, ""); lose.Count != 1 {
		t.Errorf("members %+v", lose)
	}

	f = all(t)
	for i := range f.state.Objects {
		f.state.Objects[i].Adopted = true
	}
	for _, c := range f.must(t).Changes {
		row, mapped := c.Will[state.AttrMapping]
		if c.Action != state.ActionForget || c.After != nil || mapped != (c.Kind == state.KindGroup) || row.IsSet() {
			t.Errorf("there before us: %+v", c)
		}
	}

	f = all(t)
	f.groups, f.clients = nil, nil
	for _, c := range f.must(t).Changes {
		group := c.Kind == state.KindGroup
		if c.Action != state.ActionForget || len(c.Will) != 0 || group != (len(c.Unmap) == 1) || group != (c.After != nil) {
			t.Errorf("gone already: %+v", c)
		}
	}
}

// TestPolicies: one that the group has already is taken over, one whose list of authorities cannot be read back
// counts as it was written, and one is known by its group whatever its block is called.
func TestPolicies(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	users := f.group("tenant_acme_users")
	want := attrs{state.AttrSessionExpiry: text("60"), state.AttrAttestationCAList: text(`{"cas":1}`)}
	f.config.Accounts = []config.AccountPolicy{{Address: short, Group: acmeUsers, Attributes: want}}
	users.Policy = attrs{state.AttrSessionExpiry: text("90"), state.AttrAttestationCAList: text("A device")}
	c := only(t, f.must(t), short, state.ActionAdopt)
	if !c.After.Adopted || !c.Was.Equal(users.Policy) || !c.Will.Equal(want) {
		t.Errorf("%+v", c)
	}
	f.remember(state.Object{Address: short, Kind: state.KindPolicy, ID: users.ID, Attributes: want})
	c = only(t, f.must(t), short, state.ActionUpdate)
	if !c.Will.Equal(attrs{state.AttrSessionExpiry: text("60")}) {
		t.Errorf("%+v", c)
	}
	users.Policy[state.AttrSessionExpiry] = text("60")
	const long state.Address = `account_policy.long["users.acme"]`
	f.config.Accounts[0].Address = long
	if c := only(t, f.must(t), long, state.ActionUpdate); c.From != short || len(c.Will) != 0 {
		t.Errorf("another label: %+v", c)
	}
}

// TestTenants (L37): only what is given is ours; what is there already is taken over only where that is said;
// suspending one with users locks them out; one that the application has deleted stays deleted.
func TestTenants(t *testing.T) {
	t.Parallel()
	const at state.Address = "tenant.acme"
	f := atRest(t)
	f.user(10, acme)
	f.config.Tenants = []config.Tenant{{Address: at, Slug: "acme", Attributes: attrs{
		state.AttrSlug: text("acme"), state.AttrName: text("Acme Ltd")}}}
	d := &f.config.Tenants[0]
	f.fails(t, at, "Tenant exists already")
	d.Adopt = true
	c := only(t, f.must(t), at, state.ActionAdopt)
	if !c.After.Adopted || c.After.ID != acme || !c.Will.Equal(attrs{state.AttrName: text("Acme Ltd")}) {
		t.Errorf("%+v", c)
	}

	f.remember(state.Object{Address: at, Kind: state.KindTenant, ID: acme, Attributes: d.Attributes})
	f.tenants[0].Name = "Acme Ltd"
	d.Attributes = d.Attributes.Without(state.AttrName)
	p := f.must(t)
	only(t, p, at, state.ActionUpdate)
	finds(t, p.Context.Said[at], state.CodeOtherArguments, "")

	d.Attributes = f.record(at).Attributes.Without()
	d.Attributes[state.AttrStatus] = text("suspended")
	p = f.must(t)
	h := finds(t, p.Hazards[0].Of, state.CodeTenantSuspended, "acme")
	if count(p.Risk, plan.LocksOut) != 1 || h.Count != 1 {
		t.Errorf("hazards %+v", p.Hazards)
	}

	f.tenants[0].Deleted = true
	p = f.must(t)
	finds(t, p.Context.Dormant, state.CodeRowDeleted, string(at))
	if change(p, at) != nil {
		t.Errorf("it comes back: %+v", change(p, at))
	}
	f.record(at).Deleted = true // it was we who marked it
	own := change(f.must(t), at)
	if own == nil || own.Was.Text(state.AttrDeleted) != "true" || own.Will[state.AttrDeleted].IsSet() {
		t.Errorf("our own mark: %+v", own)
	}
	f.state.Objects = f.state.Objects[:4]
	f.fails(t, at, "Tenant deleted")
}

// TestClients: one that is there is taken over only where that is said, another type is another client, and what
// makes logins fail is a hazard.
func TestClients(t *testing.T) {
	t.Parallel()
	urls := func(list ...string) state.Value { return state.ListValue(list) }
	f := atRest(t)
	f.client(attrs{state.AttrType: text("confidential"), state.AttrRedirectURLs: urls("https://a/", "https://b/")})
	if p := f.must(t); len(p.Changes) != 0 {
		t.Fatalf("not at rest: %+v", p.Changes)
	}
	x, rec := &f.config.Clients[0], f.record(app)
	before := *x
	with := func(name state.Attribute, v state.Value) {
		*x = before
		x.Attributes = before.Attributes.Without(name)
		x.Attributes[name] = v
	}

	with(state.AttrRedirectURLs, urls("https://b/", "https://c/"))
	p := f.must(t)
	if h := finds(t, p.Hazards[0].Of, state.CodeRedirectsGo, string(app)); count(p.Risk, plan.LoginGap) != 1 ||
		!slices.Equal(h.Arg(state.KeyURLs).List, []string{"https://a/"}) {
		t.Errorf("hazards %+v", p.Hazards)
	}
	with(state.AttrName, text("app2"))
	x.Name = "app2"
	if p := f.must(t); count(p.Risk, plan.EndsSessions) != 1 || only(t, p, app, state.ActionUpdate).After.ID != id(70) {
		t.Errorf("another name: %+v", p)
	}
	with(state.AttrType, text("public"))
	if p := f.must(t); count(p.Risk, plan.EndsSessions) != 1 || only(t, p, app, state.ActionReplace).After.ID != uuid.Nil {
		t.Errorf("another type: %+v", p)
	}
	rec.Adopted = true
	f.fails(t, app, "Client of another type")

	*x = before
	rec.ID, rec.Deleted = id(69), true // somebody made another one of its name
	f.fails(t, app, "Client exists already")
	x.Adopt = true
	if c := only(t, f.must(t), app, state.ActionAdopt); c.After.ID != id(70) || !c.After.Adopted {
		t.Errorf("taken over: %+v", c)
	}
	rec.Address, rec.ID, rec.Deleted = "oauth2_client.old", id(70), false
	f.fails(t, app, "Client under another address")
}

// TestScopes: what clients give by group is told before and after, by address where the plan changes it.
func TestScopes(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	gid := f.group("tenant_acme_users").ID
	now := map[uuid.UUID][]string{gid: {"email", "openid"}}
	x := f.client(attrs{state.AttrScopeMaps: state.GrantsValue([]state.Grant{{Group: gid, Values: now[gid]}})})
	x.Scopes = []config.ScopeMap{{Groups: []state.Address{acmeUsers}, Scopes: now[gid]}}
	unchanged := []objects.ScopeChange{{Of: state.OfClient("app"), Was: now, Will: now}}
	if diff := cmp.Diff(unchanged, f.must(t).Scopes); diff != "" {
		t.Errorf("unchanged (-want +got):\n%s", diff)
	}
	x.Scopes[0].Scopes = []string{"openid"}
	narrowed := []objects.ScopeChange{{Of: state.Of(app), Changed: true, Was: now,
		Will: map[uuid.UUID][]string{gid: {"openid"}}}}
	if diff := cmp.Diff(narrowed, f.must(t).Scopes); diff != "" {
		t.Errorf("narrowed (-want +got):\n%s", diff)
	}
	f.config.Clients = nil
	if p := f.must(t); len(p.Scopes) != 0 {
		t.Errorf("deleted: %+v", p.Scopes)
	}
}

// TestGroupAndScopeGo: where a group goes, clients let go of it after the users, and its members meet a gap.
func TestGroupAndScopeGo(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	users := f.group("tenant_acme_users")
	users.Members = []uuid.UUID{f.user(10, acme)}
	f.client(attrs{state.AttrScopeMaps: grants(users.ID, "openid")})
	f.config.Groups = slices.Delete(f.config.Groups, 1, 2)
	f.config.DataBlocks = []string{"group.admins"}
	p := f.must(t)
	if len(p.Changes) != 2 || p.Changes[0].Address != app || !p.Changes[0].Last || p.Changes[1].Address != acmeUsers {
		t.Errorf("changes %+v", p.Changes)
	}
	gap := finds(t, p.Hazards[0].Of, state.CodeScopeGap, string(app))
	if gap.Count != 1 || count(p.Risk, plan.LoginGap) != 1 {
		t.Errorf("hazards %+v", p.Hazards)
	}
}

// TestExpel: members who do not belong in a group that is managed in full leave by its change, or by one of their
// own.
func TestExpel(t *testing.T) {
	t.Parallel()
	f := atRest(t)
	f.group("tenant_acme_users").Description = "theirs"
	f.groups = f.groups[:3] // that of globex's users is made by this plan: nobody is in it
	j := f.joined(t)
	p, _ := objects.Forward(j, nil)
	strangers := map[uuid.UUID][]uuid.UUID{}
	for _, g := range slices.Concat(p.Tenants[0].Groups, p.Tenants[1].Groups[1:]) {
		strangers[g.ID] = []uuid.UUID{id(99), id(98)}
	}
	p.Expel(j, strangers)
	sorted := state.MembersValue([]uuid.UUID{id(98), id(99)})
	for _, at := range []state.Address{acmeAdmins, acmeUsers} {
		c := change(p, at)
		v, leave := c.Will[state.AttrStrangers]
		if c.Action != state.ActionUpdate || !c.Was[state.AttrStrangers].Equal(sorted) || !leave || v.IsSet() {
			t.Errorf("%s: %+v", at, c)
		}
	}
	made := change(p, `group.users["globex"]`)
	if len(p.Changes) != 3 || p.Context.Unchanged != 1 || made.Will[state.AttrStrangers].IsSet() {
		t.Errorf("%d changes, %d unchanged", len(p.Changes), p.Context.Unchanged)
	}
}
