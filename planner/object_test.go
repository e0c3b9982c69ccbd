package planner_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
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
	if m := f.must(t); !m.plan.Empty() {
		t.Fatalf("the world is not at rest: %+v, %+v", m.plan.Objects, m.shapes)
	}
	return f
}

func (m made) change(address state.Address) *planner.ObjectChange {
	for i := range m.plan.Objects {
		if m.plan.Objects[i].Address == address {
			return &m.plan.Objects[i]
		}
	}
	return nil
}

func (m made) hazard(code planner.HazardCode) int64 {
	for _, h := range m.plan.Hazards {
		if h.Code == code {
			return h.Count
		}
	}
	return 0
}

func says(t *testing.T, list []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, want) }) {
		t.Errorf("nothing says %q: %q", want, list)
	}
}

// TestFollowMail (L26): the address of a person we made follows the row; one that is taken, shared or refused does not, and
// neither does any while the wave is paused, of a person that we took over, or where nothing is to be followed.
func TestFollowMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*fake)
		want   bool
	}{
		"new":     {func(f *fake) { f.user(11).Email = "new@1.example" }, true},
		"case":    {func(f *fake) { f.user(11).Email = strings.ToUpper(f.user(11).Email) }, false},
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
		"not followed": {func(f *fake) { f.user(11).Email, f.config.Identity.FollowMail = "new@1.example", false }, false},
		"taken over": {func(f *fake) {
			f.user(11).Email = "new@1.example"
			f.recorded[slices.IndexFunc(f.recorded, func(u state.User) bool { return u.User == id(11) })].Ours = false
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
			if s := m.shapes[11]; s.Mail != c.want || c.want && (s.Act != state.PersonNone || len(s.Join)+len(s.Leave) > 0 || s.Relies != providers.ReliesAll) {
				t.Errorf("shape %+v, want the address to follow: %v", s, c.want)
			}
		})
	}
}

// TestFollowStatus (L27): the person of a row that is no longer active expires, one that we took over loses what we added;
// active again reverses it. What somebody else has expired stays so.
func TestFollowStatus(t *testing.T) {
	t.Parallel()
	person := func(f *fake, n byte) *providers.Person {
		return &f.persons[slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == f.user(n).Link })]
	}
	rec := func(f *fake, n byte) *state.User {
		return &f.recorded[slices.IndexFunc(f.recorded, func(u state.User) bool { return u.User == id(n) })]
	}
	f := allMoved(t)
	f.user(10).Status, f.user(11).Deleted, f.user(12).Status, f.user(13).Status = "suspended", true, "inactive", "suspended"
	rec(f, 12).Ours = false
	person(f, 13).Expired = true
	m := f.must(t)
	for _, n := range []byte{10, 11} {
		if s := m.shapes[n]; s.Act != state.PersonExpire || !s.Away || len(s.Leave) > 0 || s.Standing != state.Moved {
			t.Errorf("user %d: %+v", n, s)
		}
	}
	if s := m.shapes[12]; s.Act != state.PersonNone || !s.Away || !slices.Equal(s.Leave, rec(f, 12).Groups) {
		t.Errorf("taken over: %+v", s)
	}
	if s, there := m.shapes[13]; there {
		t.Errorf("expired by somebody else: %+v", s)
	}

	f = allMoved(t)
	f.user(10).Status = "suspended"
	rec(f, 10).Away, person(f, 10).Expired, person(f, 10).Closed = true, true, true
	if m := f.must(t); !m.plan.Empty() {
		t.Errorf("asleep: %+v", m.shapes)
	}
	f.user(10).Status = "active"
	if s := f.must(t).shapes[10]; s.Act != state.PersonEnable || s.Away {
		t.Errorf("active again: %+v", s)
	}
	person(f, 10).Closed = false
	if s := f.must(t).shapes[10]; s.Act != state.PersonNone || s.Away {
		t.Errorf("expired anew by somebody else: %+v", s)
	}
	f.state.Pauses = []state.Pause{{Wave: "everyone"}}
	if m := f.must(t); !m.plan.Empty() {
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
		want   planner.SkipReason // 0: taken over
	}{
		"plain":      {func(*fake) {}, 0},
		"not wanted": {func(f *fake) { f.config.Identity.AdoptMail = false }, planner.SkipEmailTaken},
		"unverified": {func(f *fake) { f.user(11).Verified = false }, planner.SkipEmailTaken},
		"expired":    {func(f *fake) { f.persons[0].Expired = true }, planner.SkipHolderAway},
		"has another user": {func(f *fake) {
			f.user(13).Link = holder
			f.user(13).Method = state.MethodDual
		}, planner.SkipHolderForeign},
		"in a group of another tenant": {func(f *fake) {
			f.group(f.config.Groups[2], holder)
			f.config.Groups = f.config.Groups[:2]
		}, planner.SkipHolderForeign},
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
			if s := m.shapes[11]; s.Act != state.PersonAdopt || s.Ours || !s.LinkOurs || !s.Link || len(s.Join) != 1 {
				t.Errorf("shape %+v", s)
			}
			if m.hazard(planner.AdoptsPerson) != 1 || !m.plan.Blocked() {
				t.Errorf("hazards %+v", m.plan.Hazards)
			}
		})
	}
}

// TestStrangers (L33): additive shows strangers and leaves them, full lets them go; moved users and linked rows of the
// tenant are none, whatever became of the mapping row.
func TestStrangers(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	users := &f.groups[slices.IndexFunc(f.groups, func(g providers.Group) bool { return g.Name == "tenant_acme_users" })]
	users.Members = append(users.Members, id(99))
	if m := f.must(t); !m.plan.Empty() {
		t.Errorf("additive: %+v", m.plan.Objects)
	} else {
		says(t, m.plan.Analysis.Outside, "tenant_acme_users has 1 members who do not belong in it")
	}
	for i := range f.config.Groups {
		f.config.Groups[i].Members.Full = true
	}
	f.mappings = slices.DeleteFunc(f.mappings, func(m providers.Mapping) bool { return m.Group == users.ID })
	c := f.must(t).change(`group.users["acme"]`)
	if c == nil || c.Was["strangers"] != `["`+id(99).String()+`"]` || c.Will["strangers"] != "" || c.Will["mapping"] == "" {
		t.Errorf("full: %+v", c)
	}
}

// TestEditedGroups: renames in place raise the gap (L34), a new address for the same object wants a moved block (L34), a
// deletion waits for those who need the group (L35), adopted groups keep what was there.
func TestEditedGroups(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups[1].Name = "staff"
	m := f.must(t)
	if c := m.change(`group.users["acme"]`); c == nil || c.Action != planner.Update || c.Was["name"] != "tenant_acme_users" || c.Will["name"] != "staff" || c.Will["mapping"] != "member staff" {
		t.Errorf("rename: %+v", c)
	}
	if m.hazard(planner.LoginGap) != 2 || !m.plan.Blocked() {
		t.Errorf("hazards %+v", m.plan.Hazards)
	}

	f = allMoved(t)
	f.config.Groups[1].Address, f.config.Groups[1].Block = `group.people["acme"]`, "group.people"
	f.config.Blocks = []string{"group.admins", "group.people", "group.users"}
	_, err := f.make(t)
	if err == nil || !strings.Contains(err.Error(), "moved {") || !strings.Contains(err.Error(), `from = group.users["acme"]`) {
		t.Errorf("a new address: %v", err)
	}
	f.config.Moved = []config.Move{{From: `group.users["acme"]`, To: `group.people["acme"]`}}
	m = f.must(t)
	if c := m.change(`group.people["acme"]`); c == nil || c.From != `group.users["acme"]` || c.Action != planner.Update || len(c.Will) != 0 || len(m.plan.Hazards) != 0 {
		t.Errorf("moved: %+v, %+v", c, m.plan.Hazards)
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
	if c := m.change(`group.admins["acme"]`); c == nil || c.Action != planner.Delete || !c.Last || c.After == nil || !c.After.Deleted || len(m.shapes[10].Leave) != 1 {
		t.Errorf("deleted: %+v, user %+v", c, m.shapes[10])
	}

	f = newFake(t)
	f.groups = []providers.Group{{ID: id(50), Name: "tenant_acme_users", Description: "theirs", Members: []uuid.UUID{id(99)}, Place: 1}}
	if m := f.must(t); m.skipped[10] != planner.SkipGroupTaken {
		t.Errorf("a name that is taken: %v", m.skipped)
	}
	f.config.Groups[1].Adopt = true
	m = f.must(t)
	c := m.change(`group.users["acme"]`)
	if c == nil || c.Action != planner.Adopt || !c.After.Adopted || c.After.ID != id(50) || c.Will["description"] != "" || c.Will["mapping"] == "" {
		t.Errorf("adopted: %+v", c)
	}
	if len(m.plan.Analysis.Notes) == 0 {
		t.Error("nothing says that the adopted group is older than the admins' (L36)")
	}
}

// TestClients: created, compared attribute by attribute, made again when its type changes, kept in the maps of groups that
// are merely dormant.
func TestClients(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: state.Attributes{"name": "app", "type": "confidential", "display_name": "App"},
		Scopes: []config.ScopeMap{{Groups: []state.Address{`group.users["acme"]`, `group.users["globex"]`}, Scopes: []string{"openid"}}}}}
	c := f.must(t).change("oauth2_client.app")
	if c == nil || c.Action != planner.Create || c.Was != nil || strings.Count(c.Will["scope_maps"], "openid") != 2 {
		t.Fatalf("create: %+v", c)
	}
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: c.Will}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("one that is there: %v", err)
	}
	after := *c.After
	after.ID, after.Run = id(70), "r"
	f.state.Objects = append(f.state.Objects, after)
	if m := f.must(t); !m.plan.Empty() {
		t.Errorf("at rest: %+v", m.plan.Objects)
	}
	f.tenants[0].Status = "suspended" // acme: its group is dormant, and stays in the map
	f.config.Groups = f.config.Groups[2:]
	f.config.Clients[0].Scopes[0].Groups = f.config.Clients[0].Scopes[0].Groups[1:]
	if m := f.must(t); m.change("oauth2_client.app") != nil {
		t.Errorf("a dormant group lost its scopes: %+v", m.change("oauth2_client.app"))
	}
	f.tenants[0].Status = "active"
	f.config.Clients[0].Attributes = state.Attributes{"name": "app", "type": "public", "display_name": "App"}
	m := f.must(t)
	if c := m.change("oauth2_client.app"); c == nil || c.Action != planner.Replace || c.After.ID != uuid.Nil || m.hazard(planner.EndsSessions) != 1 {
		t.Errorf("replace: %+v, %+v", c, m.plan.Hazards)
	}
	rec := &f.state.Objects[len(f.state.Objects)-1]
	rec.Adopted = true
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), `Declare type = "confidential"`) {
		t.Errorf("another type for one that was there before: %v", err)
	}
	rec.Adopted = false
	f.config.Clients = nil
	m = f.must(t)
	if c := m.change("oauth2_client.app"); c == nil || c.Action != planner.Delete || c.After != nil || m.hazard(planner.EndsSessions) != 1 {
		t.Errorf("delete: %+v", c)
	}
}

// TestTenants (L37): only what is given is ours; what is there already is taken over only where that is said; suspending one
// with users locks them out.
func TestTenants(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Tenants = []config.Tenant{{Address: "tenant.new", Slug: "new", Attributes: state.Attributes{"slug": "new", "name": "New"}}}
	c := f.must(t).change("tenant.new")
	if c == nil || c.Action != planner.Create || c.After.ID != state.TenantID(lineage, "tenant.new") {
		t.Errorf("create: %+v", c)
	}
	acme := config.Tenant{Address: "tenant.acme", Slug: "acme", Attributes: state.Attributes{"slug": "acme", "name": "Acme Ltd"}}
	f.config.Tenants = []config.Tenant{acme}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("one that is there: %v", err)
	}
	f.config.Tenants[0].Adopt = true
	f.tenants[0].Settings = "{}"
	c = f.must(t).change("tenant.acme")
	if c == nil || c.Action != planner.Adopt || !c.After.Adopted {
		t.Fatalf("adopt: %+v", c)
	}
	if diff := cmp.Diff(state.Attributes{"name": "Acme Ltd"}, c.Will); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
	f.config.Tenants[0].Attributes = state.Attributes{"slug": "acme", "name": "Acme Ltd", "status": "suspended"}
	if m := f.must(t); m.hazard(planner.LocksOut) != 2 || !m.plan.Blocked() {
		t.Errorf("hazards %+v", m.plan.Hazards)
	}
}

// TestScopesThatGo: a scope map that is narrowed, or goes, is a hazard with the number of users who would be refused; so are
// redirect URLs that go, and another client id.
func TestScopesThatGo(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: state.Attributes{"name": "app", "redirect_urls": `["https://a/","https://b/"]`},
		Scopes: []config.ScopeMap{{Groups: []state.Address{`group.users["acme"]`, `group.users["globex"]`}, Scopes: []string{"email", "openid"}}}}}
	c := f.must(t).change("oauth2_client.app")
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: c.Will}}
	recorded := *c.After
	recorded.ID = id(70)
	f.state.Objects = append(f.state.Objects, recorded)
	x := &f.config.Clients[0]
	for name, test := range map[string]struct {
		change func()
		code   planner.HazardCode
		count  int64
	}{
		"a scope goes": {func() { x.Scopes = []config.ScopeMap{{Groups: x.Scopes[0].Groups, Scopes: []string{"openid"}}} }, planner.LocksOut, 4},
		"one tenant's map goes": {func() {
			x.Scopes = []config.ScopeMap{{Groups: x.Scopes[0].Groups[:1], Scopes: []string{"email", "openid"}}}
		}, planner.LocksOut, 2},
		"all maps go": {func() { x.Scopes = nil }, planner.LocksOut, 4},
		"for administrators alone": {func() {
			x.Scopes = []config.ScopeMap{{Groups: []state.Address{`group.admins["acme"]`}, Scopes: []string{"email", "openid"}}}
		}, planner.LocksOut, 3},
		"a redirect URL is another": {func() {
			x.Attributes = state.Attributes{"name": "app", "redirect_urls": `["https://a/","https://evil/"]`}
		}, planner.LoginGap, 1},
		"another id": {func() {
			x.Name, x.Attributes = "app2", state.Attributes{"name": "app2", "redirect_urls": x.Attributes["redirect_urls"]}
		}, planner.EndsSessions, 1},
	} {
		before := *x
		test.change()
		if m := f.must(t); m.hazard(test.code) != test.count || !m.plan.Blocked() {
			t.Errorf("%s: hazards %+v, want %s=%d", name, m.plan.Hazards, test.code, test.count)
		}
		*x = before
	}
}

// TestAdoptedGroups: a group of another tenant, by its mapping row or by its members, and a built-in one are not taken over.
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
	says(t, m.plan.Analysis.Violations, "users of tenant globex are members of it")
	if m.change(`group.users["acme"]`) != nil || m.skipped[10] != planner.SkipTenantBlocked {
		t.Errorf("taken over with members of another tenant: %v", m.skipped)
	}
	f = newFake(t)
	group(f)
	f.mappings = append(f.mappings, providers.Mapping{Tenant: globex, Group: id(50), GroupName: "tenant_acme_users", Role: state.RoleMember})
	m = f.must(t)
	says(t, m.plan.Analysis.Violations, "it is mapped to tenant globex")
	if m.skipped[10] != planner.SkipTenantBlocked {
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
	values := state.Attributes{"authsession_expiry": "60"}
	f.config.Accounts = []config.AccountPolicy{{Address: `account_policy.new["admins.acme"]`, Group: `group.admins["acme"]`, Attributes: values}}
	g := &f.groups[slices.IndexFunc(f.groups, func(g providers.Group) bool { return g.Name == "tenant_acme_admins" })]
	g.Policy = values
	f.state.Objects = append(f.state.Objects, state.Object{Address: `account_policy.old["admins.acme"]`, Kind: state.KindPolicy, ID: g.ID, Attributes: values, Run: "r"})
	m := f.must(t)
	c := m.change(`account_policy.new["admins.acme"]`)
	if len(m.plan.Objects) != 1 || c == nil || c.From != `account_policy.old["admins.acme"]` || len(c.Will) != 0 {
		t.Errorf("changes %+v", m.plan.Objects)
	}
}

// TestNestedGroups: isolation sees memberships by way of groups in groups, and what is inside a built-in group is left alone.
func TestNestedGroups(t *testing.T) {
	t.Parallel()
	at := func(f *fake, name string) *providers.Group {
		return &f.groups[slices.IndexFunc(f.groups, func(g providers.Group) bool { return g.Name == name })]
	}
	f := allMoved(t)
	users := at(f, "tenant_acme_users")
	users.Members = append(users.Members, at(f, "tenant_globex_users").ID)
	m := f.must(t)
	says(t, m.plan.Analysis.Violations, "users of tenant globex are members of groups of tenant acme")

	f = newFake(t)
	f.moved(12, "everyone") // of globex
	f.groups = append(f.groups, providers.Group{ID: id(50), Name: "tenant_acme_users", Members: []uuid.UUID{at(f, "tenant_globex_users").ID}})
	f.config.Groups[1].Adopt = true
	if m := f.must(t); m.change(`group.users["acme"]`) != nil {
		t.Errorf("taken over with members of another tenant inside: %+v", m.plan.Objects)
	}

	f = allMoved(t)
	users = at(f, "tenant_acme_users")
	users.Members = append(users.Members, id(53))
	f.groups = append(f.groups, providers.Group{ID: id(52), Name: "idm_all_persons", Builtin: true}, providers.Group{ID: id(53), Name: "between", Members: []uuid.UUID{id(52)}})
	f.user(10).Role = "viewer"
	m = f.must(t)
	says(t, m.plan.Analysis.Violations, "group tenant_acme_users of tenant acme has Self-auth's own idm_all_persons as a member")
	if s, there := m.shapes[10]; there {
		t.Errorf("its tenant is not left alone: %+v", s)
	}

	f = newFake(t)
	f.config.Groups[1].Adopt = true
	f.groups = []providers.Group{{ID: id(50), Name: "tenant_acme_users"}, {ID: id(51), Name: "between", Members: []uuid.UUID{id(50)}},
		{ID: id(52), Name: "idm_people_admins", Builtin: true, Members: []uuid.UUID{id(51)}}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "idm_people_admins") {
		t.Errorf("a group inside a built-in one: %v", err)
	}
}

// TestLeftAlone: a tenant one of whose groups cannot be made is left alone, with the reason; who is no longer active loses
// access all the same.
func TestLeftAlone(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups = append(f.config.Groups, config.Group{Address: "group.n", Block: "group.n", Tenant: "acme", Name: "theirs", Role: state.RoleViewer})
	f.groups = append(f.groups, providers.Group{ID: id(60), Name: "theirs"})
	f.user(10).Status, f.user(11).Role = "suspended", "admin"
	m := f.must(t)
	if s := m.shapes[10]; s.Act != state.PersonExpire {
		t.Errorf("the suspended user: %+v", s)
	}
	if _, there := m.shapes[11]; there {
		t.Errorf("the tenant is not left alone: %+v", m.shapes[11])
	}
	says(t, m.plan.Analysis.Notes, "the name theirs belongs to an entry of Self-auth that is not Anthill's")
}

// TestNotOurs: what somebody else made under the name of an object of ours that was taken back is not taken over, and a
// tenant that the application has deleted stays deleted.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: state.Attributes{"name": "app"}}}
	f.state.Objects = append(f.state.Objects, state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(70), Deleted: true, Run: "r"})
	f.clients = []providers.Client{{ID: id(71), Name: "app", Attributes: state.Attributes{"name": "app"}}}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "adopt = true") {
		t.Errorf("another client of the name: %v", err)
	}
	f = allMoved(t)
	f.config.Tenants = []config.Tenant{{Address: "tenant.initech", Slug: "initech", Attributes: state.Attributes{"slug": "initech", "name": "I"}}}
	f.state.Objects = append(f.state.Objects, state.Object{Address: "tenant.initech", Kind: state.KindTenant, ID: initech, Adopted: true, Attributes: f.config.Tenants[0].Attributes, Run: "r"})
	f.tenants[2].Deleted = true
	m := f.must(t)
	if m.change("tenant.initech") != nil {
		t.Errorf("it comes back: %+v", m.change("tenant.initech"))
	}
	says(t, m.plan.Analysis.Dormant, "the application has deleted its row")
}

// TestNarrowedMembers: a rule that takes the last mapped group from users is a hazard with their number.
func TestNarrowedMembers(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	f.config.Groups[1].Members = config.Members{Roles: []string{"viewer"}} // 10 is an admin, and in that group still
	if m := f.must(t); m.hazard(planner.LocksOut) != 1 || !m.plan.Blocked() {
		t.Errorf("hazards %+v", m.plan.Hazards)
	}
}

// TestListsAreShownWhole: an address among many is seen wherever it stands, in what the plan does and in what somebody else did.
func TestListsAreShownWhole(t *testing.T) {
	t.Parallel()
	f := allMoved(t)
	list := func(last string) string {
		return `["https://application.example.com/oauth2/callback/one","https://application.example.com/oauth2/callback/two","https://application.example.com/oauth2/callback/three"` + last + `]`
	}
	rec := state.Attributes{"name": "app", "type": "confidential", "redirect_urls": list("")}
	f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Attributes: maps.Clone(rec)}}
	f.state.Objects = append(f.state.Objects, state.Object{Address: "oauth2_client.app", Kind: state.KindClient, ID: id(70), Attributes: rec, Run: "r"})
	f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: maps.Clone(rec)}}
	f.config.Clients[0].Attributes["redirect_urls"] = list(`,"https://new.example.com/"`)
	says(t, f.must(t).plan.Analysis.Texts["oauth2_client.app"], "redirect urls: + https://new.example.com/")

	f.config.Clients[0].Attributes["redirect_urls"] = list("")
	f.clients[0].Attributes["redirect_urls"] = list(`,"https://evil.example.net/cb"`)
	m := f.must(t)
	says(t, m.plan.Analysis.Texts["oauth2_client.app"], "redirect urls: - https://evil.example.net/cb")
	says(t, m.plan.Analysis.Outside, "oauth2_client.app: redirect urls were changed (+ https://evil.example.net/cb): set back")

	f.clients = nil
	f.state.Objects = f.state.Objects[:len(f.state.Objects)-1]
	says(t, f.must(t).plan.Analysis.Texts["oauth2_client.app"], "https://application.example.com/oauth2/callback/three")
}
