package planner_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// all moves everybody of acme and globex, so that nothing is left to do.
func allMoved(t *testing.T) *fake {
	t.Helper()
	f := newFake(t)
	f.config.Identity.FollowMail, f.config.Identity.FollowState = true, true
	for n := byte(10); n < 14; n++ {
		f.moved(n, "everyone")
	}
	for i := range f.config.Groups {
		f.config.Groups[i].Description, f.config.Groups[i].Described = "", false
	}
	if m := f.must(t); !m.effects.Empty() {
		t.Fatalf("the world is not at rest: %+v, %+v", m.effects.Objects, m.shapes)
	}
	return f
}

// TestFollowMail (L26): the address of a person we made follows the row; one that is taken, shared or refused does
// not, and neither does any while the wave is paused, of a person that we took over, or where nothing is to be
// followed.
func TestFollowMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fake)
		want   bool
	}{
		"new":     {func(f *fake) { f.user(11).Email = "new@1.example" }, true},
		"case":    {func(f *fake) { f.user(11).Email = strings.ToUpper(f.user(11).Email) }, true}, // Self-auth compares letter by letter
		"refused": {func(f *fake) { f.user(11).Email = "no address" }, false},
		"shared":  {func(f *fake) { f.user(11).Email = f.user(12).Email }, false},
		"taken": {func(f *fake) {
			f.user(11).Email = "old@1.example"
			f.persons = append(f.persons, providers.Person{ID: id(99), Name: "x", Mails: []string{"old@1.example"}})
		}, false},
		"paused": {func(f *fake) {
			f.user(11).Email = "new@1.example"
			f.state.Pauses = []state.Pause{{Wave: "everyone"}}
		}, false},
		"not followed": {func(f *fake) {
			f.user(11).Email, f.config.Identity.FollowMail = "new@1.example", false
		}, false},
		"taken over": {func(f *fake) {
			f.user(11).Email = "new@1.example"
			f.record(11).MadePerson = false
		}, false},
		"unverified": {func(f *fake) {
			f.user(11).Email, f.user(11).Verified, f.config.Identity.Unverified = "new@1.example", false, "skip"
		}, false},
		"inactive": {func(f *fake) { f.user(11).Email, f.user(11).Deleted = "new@1.example", true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := allMoved(t)
			c.change(f)
			m := f.must(t)
			s := m.shapes[11]
			alone := s.Effect == state.Effect{Mail: true} && len(s.Join)+len(s.Leave) == 0
			if s.Effect.Mail != c.want || c.want && (!alone || s.Ground.Relies != providers.ReliesAll) {
				t.Errorf("shape %+v, want the address to follow: %v", s, c.want)
			}
		})
	}
}

// TestFollowStatus (L27): the person of a row that is no longer active expires, one that we took over loses what we
// added; active again reverses it. What somebody else has expired stays so.
func TestFollowStatus(t *testing.T) {
	t.Parallel()
	person := func(f *fake, n byte) *providers.Person {
		return &f.persons[slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == f.user(n).Link })]
	}
	f := allMoved(t)
	f.user(10).Status, f.user(11).Deleted = "suspended", true
	f.user(12).Status, f.user(13).Status = "inactive", "suspended"
	f.record(12).MadePerson = false
	person(f, 13).Expired = true
	m := f.must(t)
	for _, n := range []byte{10, 11} {
		if s := m.shapes[n]; s.Effect.Act != state.PersonExpire || !s.After.Asleep || len(s.Leave) > 0 ||
			s.After.Standing != state.Moved {
			t.Errorf("user %d: %+v", n, s)
		}
	}
	if s := m.shapes[12]; s.Effect.Act != state.PersonNone || !s.After.Asleep ||
		!slices.Equal(s.Leave, f.record(12).Groups) {
		t.Errorf("taken over: %+v", s)
	}
	if s, there := m.shapes[13]; there {
		t.Errorf("expired by somebody else: %+v", s)
	}

	f = allMoved(t)
	f.user(10).Status = "suspended"
	f.record(10).Asleep, person(f, 10).Expired, person(f, 10).Closed = true, true, true
	if m := f.must(t); !m.effects.Empty() {
		t.Errorf("asleep: %+v", m.shapes)
	}
	f.user(10).Status = "active"
	if s := f.must(t).shapes[10]; s.Effect.Act != state.PersonEnable || s.After.Asleep {
		t.Errorf("active again: %+v", s)
	}
	person(f, 10).Closed = false
	if s := f.must(t).shapes[10]; s.Effect.Act != state.PersonNone || s.After.Asleep {
		t.Errorf("expired anew by somebody else: %+v", s)
	}
	f.state.Pauses = []state.Pause{{Wave: "everyone"}}
	if m := f.must(t); !m.effects.Empty() {
		t.Errorf("paused, only taking away is allowed: %+v", m.shapes)
	}
}

// TestAdoptMail: a person who holds a user's verified address is taken over where the configuration says so, and the
// plan says how many must be allowed.
func TestAdoptMail(t *testing.T) {
	t.Parallel()
	holder := id(99)
	for name, c := range map[string]struct {
		change func(*fake)
		want   plan.SkipReason // 0: taken over
	}{
		"plain":      {func(*fake) {}, 0},
		"not wanted": {func(f *fake) { f.config.Identity.AdoptMail = false }, plan.SkipEmailTaken},
		"unverified": {func(f *fake) { f.user(11).Verified = false }, plan.SkipEmailTaken},
		"expired":    {func(f *fake) { f.persons[0].Expired = true }, plan.SkipHolderAway},
		"has another user": {func(f *fake) {
			f.user(13).Link = holder
			f.user(13).Method = state.MethodDual
		}, plan.SkipHolderForeign},
		"in a group of another tenant": {func(f *fake) {
			f.group(f.config.Groups[2], holder)
			f.config.Groups = f.config.Groups[:2]
		}, plan.SkipHolderForeign},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.config.Identity.AdoptMail = true
			f.persons = []providers.Person{{ID: holder, Name: "old", Mails: []string{f.user(11).Email}}}
			c.change(f)
			m := f.must(t)
			if got := m.skipped[11]; got != c.want {
				t.Fatalf("skipped for %v, want %v", got, c.want)
			}
			if c.want != 0 {
				return
			}
			if s := m.shapes[11]; s.Effect.Act != state.PersonAdopt || !s.Effect.Link || s.After.MadePerson ||
				!s.After.WroteLink || len(s.Join) != 1 {
				t.Errorf("shape %+v", s)
			}
			if m.hazard(plan.AdoptsPerson) != 1 || !m.effects.Blocked() {
				t.Errorf("hazards %+v", m.effects.Hazards)
			}
		})
	}
}

// TestStrangers (L33): additive shows strangers and leaves them, full lets them go; moved users and linked rows of the
// tenant are none, whatever became of the mapping row.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	users := f.named("tenant_acme_users")
	users.Members = append(users.Members, id(99))
	if m := f.must(t); !m.effects.Empty() {
		t.Errorf("additive: %+v", m.effects.Objects)
	} else {
		found(t, m.context.Outside, state.About(state.CodeStrangers, state.OfGroup("tenant_acme_users")).Times(1))
	}
	for i := range f.config.Groups {
		f.config.Groups[i].Members.Full = true
	}
	f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.Group == users.ID })
	c := f.must(t).change(`group.users["acme"]`)
	if c == nil || !c.Was[state.AttrStrangers].Equal(state.MembersValue([]uuid.UUID{id(99)})) ||
		c.Will[state.AttrStrangers].IsSet() || !c.Will[state.AttrMapping].IsSet() {
		t.Errorf("full: %+v", c)
	}
}

// TestEditedGroups: renames in place raise the gap (L34), a new address for the same object wants a moved block
// (L34), a deletion waits for those who need the group (L35), adopted groups keep what was there.
func TestEditedGroups(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups[1].Name = "staff"
	m := f.must(t)
	c := m.change(`group.users["acme"]`)
	if c == nil || c.Action != state.ActionUpdate {
		t.Fatalf("rename: %+v", c)
	}
	named := func(name string) state.Attributes {
		return state.Attributes{state.AttrName: state.TextValue(name),
			state.AttrMapping: state.MappingValue(state.RoleMember, name)}
	}
	if diff := cmp.Diff([]state.Attributes{named("tenant_acme_users"), named("staff")},
		[]state.Attributes{c.Was, c.Will}); diff != "" {
		t.Errorf("rename (-want +got):\n%s", diff)
	}
	found(t, m.effects.Hazards[0].Of, state.About(state.CodeGroupRenamed, state.OfGroup("tenant_acme_users"),
		state.Text(state.KeyName, "staff")).Times(2))
	if m.hazard(plan.LoginGap) != 2 || !m.effects.Blocked() {
		t.Errorf("hazards %+v", m.effects.Hazards)
	}

	f = allMoved(t)
	f.config.Groups[1].Address, f.config.Groups[1].Block = `group.people["acme"]`, "group.people"
	f.config.Blocks = []string{"group.admins", "group.people", "group.users"}
	_, err := f.make(t)
	if err == nil || !strings.Contains(err.Error(), "moved {") ||
		!strings.Contains(err.Error(), `from = group.users["acme"]`) {
		t.Errorf("a new address: %v", err)
	}
	f.config.Moved = []config.Move{{From: `group.users["acme"]`, To: `group.people["acme"]`}}
	m = f.must(t)
	if c := m.change(`group.people["acme"]`); c == nil || c.From != `group.users["acme"]` ||
		c.Action != state.ActionUpdate || len(c.Will) != 0 || len(m.effects.Hazards) != 0 {
		t.Errorf("moved: %+v, %+v", c, m.effects.Hazards)
	}

	f = allMoved(t)
	f.config.Groups = f.config.Groups[:1]
	f.config.Blocks, f.config.DataBlocks = []string{"group.admins"}, nil
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "no other group that is mapped") {
		t.Errorf("the last group: %v", err)
	}
	// Administrators are in two groups: theirs may go, and the users' memberships go first.
	f = allMoved(t)
	f.config.Groups = slices.DeleteFunc(f.config.Groups, func(g config.Group) bool { return g.Block == "group.admins" })
	f.config.Blocks = []string{"group.users"}
	m = f.must(t)
	if c := m.change(`group.admins["acme"]`); c == nil || c.Action != state.ActionDelete || !c.Last ||
		c.After == nil || !c.After.Deleted || len(m.shapes[10].Leave) != 1 {
		t.Errorf("deleted: %+v, user %+v", c, m.shapes[10])
	}

	f = newFake(t)
	f.groups = []providers.Group{{ID: id(50), Name: "tenant_acme_users", Description: "theirs",
		Members: []uuid.UUID{id(99)}, Place: 1}}
	if m := f.must(t); m.skipped[10] != plan.SkipGroupTaken {
		t.Errorf("a name that is taken: %v", m.skipped)
	}
	f.config.Groups[1].Adopt = true
	m = f.must(t)
	c = m.change(`group.users["acme"]`)
	if c == nil || c.Action != state.ActionAdopt || !c.After.Adopted || c.After.ID != id(50) ||
		c.Will[state.AttrDescription].IsSet() || !c.Will[state.AttrMapping].IsSet() {
		t.Errorf("adopted: %+v", c)
	}
	// The adopted group is older than the admins', who are to come first in tokens (L36).
	found(t, m.context.Notes, state.About(state.CodeOrderWrong, state.OfGroup("tenant_acme_users"),
		state.Text(state.KeyTenant, "acme")))
}

// TestClients: created, compared attribute by attribute, made again when its type changes, kept in the maps of groups
// that are merely dormant.
func TestClients(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app",
		Attributes: texts("name", "app", "type", "confidential", "display_name", "App"),
		Scopes: []config.ScopeMap{{Groups: []state.Address{`group.users["acme"]`, `group.users["globex"]`},
			Scopes: []string{"openid"}}}}}
	c := f.must(t).change("oauth2_client.app")
	if c == nil || c.Action != state.ActionCreate || c.Was != nil || len(c.Will[state.AttrScopeMaps].Grants()) != 2 ||
		c.Will[state.AttrScopeMaps].Grants()[1].Values[0] != "openid" {
		t.Fatalf("create: %+v", c)
	}
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: c.Will}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("one that is there: %v", err)
	}
	after := *c.After
	after.ID, after.Run = id(70), "r"
	f.state.Objects = append(f.state.Objects, after)
	if m := f.must(t); !m.effects.Empty() {
		t.Errorf("at rest: %+v", m.effects.Objects)
	}
	f.tenants[0].Status = "suspended" // acme: its group is dormant, and stays in the map
	f.config.Groups = f.config.Groups[2:]
	f.config.Clients[0].Scopes[0].Groups = f.config.Clients[0].Scopes[0].Groups[1:]
	if m := f.must(t); m.change("oauth2_client.app") != nil {
		t.Errorf("a dormant group lost its scopes: %+v", m.change("oauth2_client.app"))
	}
	f.tenants[0].Status = "active"
	f.config.Clients[0].Attributes = texts("name", "app", "type", "public", "display_name", "App")
	m := f.must(t)
	if c := m.change("oauth2_client.app"); c == nil || c.Action != state.ActionReplace || c.After.ID != uuid.Nil ||
		m.hazard(plan.EndsSessions) != 1 {
		t.Errorf("replace: %+v, %+v", c, m.effects.Hazards)
	}
	rec := &f.state.Objects[len(f.state.Objects)-1]
	rec.Adopted = true
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), `Declare type = "confidential"`) {
		t.Errorf("another type for one that was there before: %v", err)
	}
	rec.Adopted = false
	f.config.Clients = nil
	m = f.must(t)
	if c := m.change("oauth2_client.app"); c == nil || c.Action != state.ActionDelete || c.After != nil ||
		m.hazard(plan.EndsSessions) != 1 {
		t.Errorf("delete: %+v", c)
	}
}

// TestTenants (L37): only what is given is ours; what is there already is taken over only where that is said;
// suspending one with users locks them out.
func TestTenants(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Tenants = []config.Tenant{{Address: "tenant.new", Slug: "new",
		Attributes: texts("slug", "new", "name", "New")}}
	c := f.must(t).change("tenant.new")
	if c == nil || c.Action != state.ActionCreate || c.After.ID != state.TenantID(lineage, "tenant.new") {
		t.Errorf("create: %+v", c)
	}
	acme := config.Tenant{Address: "tenant.acme", Slug: "acme", Attributes: texts("slug", "acme", "name", "Acme Ltd")}
	f.config.Tenants = []config.Tenant{acme}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("one that is there: %v", err)
	}
	f.config.Tenants[0].Adopt = true
	f.tenants[0].Settings = "{}"
	c = f.must(t).change("tenant.acme")
	if c == nil || c.Action != state.ActionAdopt || !c.After.Adopted {
		t.Fatalf("adopt: %+v", c)
	}
	if diff := cmp.Diff(texts("name", "Acme Ltd"), c.Will); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	f.config.Tenants[0].Attributes = texts("slug", "acme", "name", "Acme Ltd", "status", "suspended")
	if m := f.must(t); m.hazard(plan.LocksOut) != 2 || !m.effects.Blocked() {
		t.Errorf("hazards %+v", m.effects.Hazards)
	}
}

// TestScopesThatGo: a scope map that is narrowed, or goes, is a hazard with the number of users who would be refused;
// so are redirect URLs that go, and another client id.
func TestScopesThatGo(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app",
		Attributes: client("app", "https://a/", "https://b/"),
		Scopes: []config.ScopeMap{{Groups: []state.Address{`group.users["acme"]`, `group.users["globex"]`},
			Scopes: []string{"email", "openid"}}}}}
	c := f.must(t).change("oauth2_client.app")
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: c.Will}}
	recorded := *c.After
	recorded.ID = id(70)
	f.state.Objects = append(f.state.Objects, recorded)
	x := &f.config.Clients[0]
	for name, test := range map[string]struct {
		change func()
		code   plan.HazardCode
		count  int64
	}{
		"a scope goes": {func() {
			x.Scopes = []config.ScopeMap{{Groups: x.Scopes[0].Groups, Scopes: []string{"openid"}}}
		}, plan.LocksOut, 4},
		"one tenant's map goes": {func() {
			x.Scopes = []config.ScopeMap{{Groups: x.Scopes[0].Groups[:1], Scopes: []string{"email", "openid"}}}
		}, plan.LocksOut, 2},
		"all maps go": {func() { x.Scopes = nil }, plan.LocksOut, 4},
		"for administrators alone": {func() {
			x.Scopes = []config.ScopeMap{{Groups: []state.Address{`group.admins["acme"]`},
				Scopes: []string{"email", "openid"}}}
		}, plan.LocksOut, 3},
		"a redirect URL is another": {func() {
			x.Attributes = client("app", "https://a/", "https://evil/")
		}, plan.LoginGap, 1},
		"another id": {func() {
			x.Name, x.Attributes = "app2", client("app2", x.Attributes[state.AttrRedirectURLs].List()...)
		}, plan.EndsSessions, 1},
	} {
		before := *x
		test.change()
		if m := f.must(t); m.hazard(test.code) != test.count || !m.effects.Blocked() {
			t.Errorf("%s: hazards %+v, want %s=%d", name, m.effects.Hazards, test.code, test.count)
		}
		*x = before
	}
}

// TestAdoptedGroups: a group of another tenant, by its mapping row or by its members, and a built-in one are not
// taken over.
func TestAdoptedGroups(t *testing.T) {
	t.Parallel()
	group := func(f *fake) *providers.Group {
		f.config.Groups[1].Adopt = true
		f.groups = append(f.groups, providers.Group{ID: id(50), Name: "tenant_acme_users"})
		return &f.groups[len(f.groups)-1]
	}
	f := newFake(t)
	f.moved(12, "everyone") // of globex
	group(f).Members = []uuid.UUID{f.user(12).Link}
	m := f.must(t)
	found(t, m.context.Isolation.Violations, state.About(state.CodeAdoptMembers, state.OfGroup("tenant_acme_users"),
		state.Text(state.KeyTenant, "acme"), state.Text(state.KeyOther, "globex")))
	if m.change(`group.users["acme"]`) != nil || m.skipped[10] != plan.SkipTenantBlocked {
		t.Errorf("taken over with members of another tenant: %v", m.skipped)
	}
	f = newFake(t)
	group(f)
	f.mappings = append(f.mappings, providers.Mapping{Tenant: globex, Group: id(50), GroupName: "tenant_acme_users",
		Role: state.RoleMember})
	m = f.must(t)
	found(t, m.context.Isolation.Violations, state.About(state.CodeAdoptMapped, state.OfGroup("tenant_acme_users"),
		state.Text(state.KeyTenant, "acme"), state.Text(state.KeyOther, "globex")))
	if m.skipped[10] != plan.SkipTenantBlocked {
		t.Errorf("taken over from another tenant: %v", m.skipped)
	}
	f = newFake(t)
	group(f).Builtin = true
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "Self-auth's own") {
		t.Errorf("a built-in group: %v", err)
	}
	// Names that change places are told, not silently left.
	f = allMoved(t)
	f.config.Groups[0].Name, f.config.Groups[1].Name = f.config.Groups[1].Name, f.config.Groups[0].Name
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "the next one takes it") {
		t.Errorf("names that change places: %v", err)
	}
}

// TestPoliciesStay: a policy is known by its group, whatever becomes of the names of blocks.
func TestPoliciesStay(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	values := texts("authsession_expiry", "60")
	f.config.Accounts = []config.AccountPolicy{{Address: `account_policy.new["admins.acme"]`,
		Group: `group.admins["acme"]`, Attributes: values}}
	g := f.named("tenant_acme_admins")
	g.Policy = values
	f.state.Objects = append(f.state.Objects,
		state.Object{Address: `account_policy.old["admins.acme"]`, Kind: state.KindPolicy, ID: g.ID,
			Attributes: values, Run: "r"})
	m := f.must(t)
	c := m.change(`account_policy.new["admins.acme"]`)
	if len(m.effects.Objects) != 1 || c == nil || c.From != `account_policy.old["admins.acme"]` || len(c.Will) != 0 {
		t.Errorf("changes %+v", m.effects.Objects)
	}
}

// TestNestedGroups: isolation sees memberships by way of groups in groups, and what is inside a built-in group is
// left alone.
func TestNestedGroups(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	users := f.named("tenant_acme_users")
	users.Members = append(users.Members, f.named("tenant_globex_users").ID)
	m := f.must(t)
	found(t, m.context.Isolation.Violations,
		state.About(state.CodeForeignMembers, state.OfTenant("globex"), state.Text(state.KeyOther, "acme")).Times(2))

	f = newFake(t)
	f.moved(12, "everyone") // of globex
	f.groups = append(f.groups, providers.Group{ID: id(50), Name: "tenant_acme_users",
		Members: []uuid.UUID{f.named("tenant_globex_users").ID}})
	f.config.Groups[1].Adopt = true
	if m := f.must(t); m.change(`group.users["acme"]`) != nil {
		t.Errorf("taken over with members of another tenant inside: %+v", m.effects.Objects)
	}

	f = allMoved(t)
	users = f.named("tenant_acme_users")
	users.Members = append(users.Members, id(53))
	f.groups = append(f.groups, providers.Group{ID: id(52), Name: "idm_all_persons", Builtin: true},
		providers.Group{ID: id(53), Name: "between", Members: []uuid.UUID{id(52)}})
	f.user(10).Role = "viewer"
	m = f.must(t)
	found(t, m.context.Isolation.Violations,
		state.About(state.CodeGroupHoldsBuiltin, state.OfGroup("tenant_acme_users"),
			state.Text(state.KeyTenant, "acme"), state.Text(state.KeyBuiltin, "idm_all_persons")))
	// Nobody is given anything there; who is no longer an admin loses what came with it all the same.
	if s := m.shapes[10]; len(s.Join) > 0 || len(s.Leave) != 1 || s.Effect != (state.Effect{}) {
		t.Errorf("its tenant is not left alone: %+v", s)
	}

	f = newFake(t)
	f.config.Groups[1].Adopt = true
	f.groups = []providers.Group{{ID: id(50), Name: "tenant_acme_users"},
		{ID: id(51), Name: "between", Members: []uuid.UUID{id(50)}},
		{ID: id(52), Name: "idm_people_admins", Builtin: true, Members: []uuid.UUID{id(51)}}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "idm_people_admins") {
		t.Errorf("a group inside a built-in one: %v", err)
	}
}

// TestLeftAlone: a tenant one of whose groups cannot be made is left alone, with the reason; who is no longer active
// loses access all the same.
func TestLeftAlone(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups = append(f.config.Groups,
		config.Group{Address: "group.n", Block: "group.n", Tenant: "acme", Name: "theirs", Role: state.RoleViewer})
	f.groups = append(f.groups, providers.Group{ID: id(60), Name: "theirs"})
	f.user(10).Status, f.user(11).Role = "suspended", "admin"
	m := f.must(t)
	if s := m.shapes[10]; s.Effect.Act != state.PersonExpire {
		t.Errorf("the suspended user: %+v", s)
	}
	if _, there := m.shapes[11]; there {
		t.Errorf("the tenant is not left alone: %+v", m.shapes[11])
	}
	found(t, m.context.Notes, state.About(state.CodeNameHeld, state.Of("group.n"),
		state.Text(state.KeyName, "theirs"), state.Text(state.KeyTenant, "acme")))
}

// TestNotOurs: what somebody else made under the name of an object of ours that was taken back is not taken over, and a
// tenant that the application has deleted stays deleted.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: texts("name", "app")}}
	f.state.Objects = append(f.state.Objects,
		state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(70), Deleted: true, Run: "r"})
	f.clients = []providers.Client{{ID: id(71), Name: "app", Attributes: texts("name", "app")}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("another client of the name: %v", err)
	}
	f = allMoved(t)
	f.config.Tenants = []config.Tenant{{Address: "tenant.initech", Slug: "initech",
		Attributes: texts("slug", "initech", "name", "I")}}
	f.state.Objects = append(f.state.Objects,
		state.Object{Address: "tenant.initech", Kind: state.KindTenant, ID: initech, Adopted: true,
			Attributes: f.config.Tenants[0].Attributes, Run: "r"})
	f.tenants[2].Deleted = true
	m := f.must(t)
	if m.change("tenant.initech") != nil {
		t.Errorf("it comes back: %+v", m.change("tenant.initech"))
	}
	found(t, m.context.Objects.Dormant, state.About(state.CodeRowDeleted, state.Of("tenant.initech")))
}

// TestNarrowedMembers: a rule that takes the last mapped group from users is a hazard with their number.
func TestNarrowedMembers(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups[1].Members = state.Members{Roles: []string{"viewer"}} // 10 is an admin, and in that group still
	if m := f.must(t); m.hazard(plan.LocksOut) != 1 || !m.effects.Blocked() {
		t.Errorf("hazards %+v", m.effects.Hazards)
	}
}

// TestListsAreShownWhole: an address among many is in the plan wherever it stands: what the plan does and what somebody
// else did are whole lists.
func TestListsAreShownWhole(t *testing.T) {
	t.Parallel()
	const at = "oauth2_client.app"
	urls := func(more ...string) state.Value {
		const base = "https://application.example.com/oauth2/callback/"
		return state.ListValue(append(more, base+"one", base+"two", base+"three"))
	}
	redirects := func(v state.Value) state.Attributes { return state.Attributes{state.AttrRedirectURLs: v} }
	f := allMoved(t)
	rec := client("app", urls().List()...)
	f.config.Clients = []config.Client{{Address: at, Name: "app", Attributes: maps.Clone(rec)}}
	f.state.Objects = append(f.state.Objects,
		state.Object{Address: at, Kind: state.KindClient, ID: id(70), Attributes: rec, Run: "r"})
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: maps.Clone(rec)}}
	change := func(m made) []state.Attributes {
		c := m.change(at)
		if c == nil {
			t.Fatal("no change")
		}
		return []state.Attributes{c.Was, c.Will}
	}
	f.config.Clients[0].Attributes[state.AttrRedirectURLs] = urls("https://new.example.com/")
	want := []state.Attributes{redirects(urls()), redirects(urls("https://new.example.com/"))}
	if diff := cmp.Diff(want, change(f.must(t))); diff != "" {
		t.Errorf("one more (-want +got):\n%s", diff)
	}

	f.config.Clients[0].Attributes[state.AttrRedirectURLs] = urls()
	f.clients[0].Attributes[state.AttrRedirectURLs] = urls("https://evil.example.net/cb")
	m := f.must(t)
	want = []state.Attributes{redirects(urls("https://evil.example.net/cb")), redirects(urls())}
	if diff := cmp.Diff(want, change(m)); diff != "" {
		t.Errorf("set back (-want +got):\n%s", diff)
	}
	found(t, m.context.Outside, state.About(state.CodeSetBack, state.Of(at),
		state.Text(state.KeyAttribute, "redirect_urls"),
		state.Holds(state.KeyWrote, urls()), state.Holds(state.KeyLive, urls("https://evil.example.net/cb"))))
	found(t, m.effects.Hazards[0].Of, state.About(state.CodeRedirectsGo, state.Of(at),
		state.List(state.KeyURLs, "https://evil.example.net/cb")).Times(1))

	f.clients = nil
	f.state.Objects = f.state.Objects[:len(f.state.Objects)-1]
	want = []state.Attributes{nil, client("app", urls().List()...)}
	if diff := cmp.Diff(want, change(f.must(t))); diff != "" {
		t.Errorf("made (-want +got):\n%s", diff)
	}
}
