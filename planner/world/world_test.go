package world_test

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// sides are both sides in memory, and what is recorded.
type sides struct {
	tenants  []providers.Tenant
	users    []providers.User // in the order of tenant id, user id, as are the recorded ones
	mappings []providers.Mapping
	persons  []providers.Person
	groups   []providers.Group
	recorded []state.User
	state    state.State
	config   config.Config
}

func (s *sides) Tenants(context.Context) ([]providers.Tenant, error)                  { return s.tenants, nil }
func (s *sides) Users(context.Context) iter.Seq2[providers.User, error]               { return each(s.users) }
func (s *sides) Mappings(context.Context) ([]providers.Mapping, error)                { return s.mappings, nil }
func (s *sides) Persons(context.Context) iter.Seq2[providers.Person, error]           { return each(s.persons) }
func (s *sides) Groups(context.Context) ([]providers.Group, error)                    { return s.groups, nil }
func (s *sides) OtherNames(context.Context) ([]string, error)                         { return []string{"idm_admin"}, nil }
func (s *sides) Clients(context.Context) ([]providers.Client, error)                  { return nil, nil }
func (s *sides) Enrolled(context.Context) ([]uuid.UUID, error)                        { return nil, nil }
func (s *sides) Discovery(context.Context, string) (d providers.Discovery, err error) { return d, nil }
func (s *sides) RefusedRedirects(context.Context, string, []string) ([]string, error) {
	return nil, nil
}
func (s *sides) Recycled(context.Context) ([]uuid.UUID, error) { return nil, nil }

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

var acme, globex, lineage = id(1), id(2), id(9)

// plain is two tenants with two users each, of whom nothing is recorded.
func plain(t *testing.T) *sides {
	t.Helper()
	name, err := config.ParseTemplate("${user.tenant_slug}.${user.email_local}")
	if err != nil {
		t.Fatal(err)
	}
	s := &sides{tenants: []providers.Tenant{{ID: acme, Slug: "acme", Status: "active"},
		{ID: globex, Slug: "globex", Status: "active"}}}
	s.config.Identity.Name = name
	for i, mail := range []string{"ann@x.example", "bob@x.example", "cyd@x.example", "dan@x.example"} {
		s.users = append(s.users, providers.User{ID: id(byte(10 + i)), Tenant: id(byte(1 + i/2)), Email: mail,
			FullName: "U", Role: "user", Status: "active",
			Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword})
	}
	return s
}

func (s *sides) observe(t *testing.T) *world.Observed {
	t.Helper()
	o, err := world.Observe(t.Context(), world.Sources{Config: &s.config, State: &s.state, Lineage: lineage,
		Database: s, Directory: s})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// join joins the world and returns it with its entries by the last digits of the users' ids.
func (s *sides) join(t *testing.T) (*world.Joined, map[byte]world.Entry) {
	t.Helper()
	j, err := s.observe(t).Join(t.Context(),
		world.Streams{Recorded: func(context.Context) iter.Seq2[state.User, error] { return each(s.recorded) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Entries.Close() })
	entries := map[byte]world.Entry{}
	var order []uuid.UUID
	err = j.Entries.Each(func(e *world.Entry) error {
		held := *e
		held.Recorded.Groups = slices.Clone(e.Recorded.Groups)
		entries[e.User[15]] = held
		order = append(order, e.User)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(order) {
		t.Errorf("a user is met twice: %v", order)
	}
	return j, entries
}

// record records a user as moved, to the person that its id gives it.
func (s *sides) record(user, tenant uuid.UUID) *state.User {
	s.recorded = append(s.recorded, state.User{User: user, Tenant: tenant, TenantNow: tenant,
		Person: state.PersonID(lineage, user, 1),
		UserState: state.UserState{Standing: state.Moved, Wave: "pilot", Generation: 1, MadePerson: true,
			WroteLink: true}})
	return &s.recorded[len(s.recorded)-1]
}

// TestDeclaredTenants: all that is planned sees tenants as they will be (L38): with what is declared laid over their
// rows, and those that are to be made among them.
func TestDeclaredTenants(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.config.Tenants = []config.Tenant{
		{Address: "tenant.acme", Slug: "acme",
			Attributes: state.Attributes{state.AttrStatus: state.TextValue("suspended")}},
		{Address: "tenant.new", Slug: "new", Attributes: state.Attributes{state.AttrSlug: state.TextValue("new")}},
	}
	o := s.observe(t)
	if got := o.Tenant(acme); got.Live() || o.Declared[0].Live.Status != "active" {
		t.Errorf("acme will be %+v, and is %+v", got, o.Declared[0].Live)
	}
	made := state.TenantID(lineage, "tenant.new")
	if got := o.Tenant(made); got == nil || got.Slug != "new" || !got.Live() || o.Declared[1].Live != nil ||
		o.Tenants[o.Declared[1].Place].ID != made {
		t.Errorf("the new one will be %+v: %+v", got, o.Declared[1])
	}
	if !slices.IsSortedFunc(o.Tenants, func(a, b world.Tenant) int { return world.CompareID(a.ID, b.ID) }) ||
		o.TenantIndex(id(77)) != -1 {
		t.Error("tenants are not sorted by id")
	}
}

// TestSharedGroups: tenants that share a group, or whose group has a built-in one inside, are told and blocked (L40).
func TestSharedGroups(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.groups = []providers.Group{{ID: id(50), Name: "both"},
		{ID: id(51), Name: "open", Members: []uuid.UUID{id(52)}}, {ID: id(52), Name: "idm_all_persons", Builtin: true}}
	s.mappings = []providers.Mapping{{Tenant: acme, Group: id(50), GroupName: "both"},
		{Tenant: globex, Group: id(50), GroupName: "both"},
		{Tenant: globex, Group: id(51), GroupName: "open"}}
	o := s.observe(t)
	want := []state.Finding{
		world.HoldsBuiltin("open", "globex", "idm_all_persons"),
		state.About(state.CodeGroupShared, state.OfGroup("both"), state.List(state.KeyTenants, "acme", "globex")),
	}
	if diff := cmp.Diff(want, o.Shared); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[int]bool{0: true, 1: true}, o.Sharers); diff != "" {
		t.Errorf("tenants concerned (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{0, 1}, o.MappedTo(id(50))); diff != "" {
		t.Errorf("mapped to (-want +got):\n%s", diff)
	}
}

// TestMerge: rows and recorded users meet in the order of tenant id, user id; recorded ones without a row come too.
func TestMerge(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.record(id(5), acme) // before all rows, as are the next between and behind them: their rows are gone
	s.record(id(11), acme)
	s.record(id(12), acme).TenantNow = globex // it has changed its tenant since
	s.record(id(99), globex)
	s.users[1].Link, s.users[2].Link = state.PersonID(lineage, id(11), 1), state.PersonID(lineage, id(12), 1)
	s.persons = []providers.Person{{ID: s.users[1].Link, Name: "acme.bob", Mails: []string{"bob@x.example"}}}
	s.users[3].Deleted = true
	j, got := s.join(t)
	type want struct {
		facts  world.Fact
		tenant int
	}
	const row = world.HasRow | world.HasPassword | world.CanPassword | world.IsVerified
	for user, w := range map[byte]want{
		5:  {world.IsRecorded, 0},
		10: {row, 0},
		11: {row | world.IsRecorded | world.PersonThere | world.PersonOurs, 0},
		12: {row | world.IsRecorded | world.PersonOurs, 1}, // somebody has deleted its person
		13: {row | world.IsDeleted | world.IsInactive, 1},
		99: {world.IsRecorded, 1},
	} {
		if e, there := got[user]; !there || e.Facts != w.facts || e.Tenant != w.tenant {
			t.Errorf("user %d: facts %b, want %b; tenant %d, want %d", user, e.Facts, w.facts, e.Tenant, w.tenant)
		}
	}
	if j.AllLive != 3 || !slices.Equal(j.Live, []int64{2, 1}) || len(got) != 6 {
		t.Errorf("%d live users, by tenant %v, %d entries", j.AllLive, j.Live, len(got))
	}
	if e := got[12]; e.Recorded.Tenant != acme || e.Recorded.Wave != "pilot" {
		t.Errorf("recorded: %+v", e.Recorded)
	}
}

// TestCollidingNames: names and addresses that more than one user wants are seen whatever their case, and so are those
// that an entry of Self-auth has already. Who has a person of ours counts too, or the others would be named otherwise
// after a run that was stopped.
func TestCollidingNames(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.users[0].Email, s.users[1].Email = "Kim+a@x.example", "kim-a@x.example" // acme.kim-a
	s.users[2].Email, s.users[3].Email = "eve@x.example", "EVE@x.example"
	s.persons = []providers.Person{{ID: id(60), Name: "ACME.kim-a", Mails: []string{"old@x.example"}}}
	j, got := s.join(t)
	names, mails := world.Repeated(j.Names), world.Repeated(j.Mails)
	for _, n := range []byte{10, 11} {
		if e := got[n]; !names[e.Name] || !j.Index.NameTaken(e.Name) || mails[e.Mail] {
			t.Errorf("user %d: its name is wanted twice and in use, its address is its own; got %v, %v, %v", n,
				names[e.Name], j.Index.NameTaken(e.Name), mails[e.Mail])
		}
	}
	for _, n := range []byte{12, 13} {
		if e := got[n]; !mails[e.Mail] || !names[e.Name] || j.Index.NameTaken(e.Name) {
			t.Errorf("user %d shares its address: %v, and so its name: %v", n, mails[e.Mail], names[e.Name])
		}
	}
	ours := state.PersonID(lineage, id(10), 1)
	s.persons = []providers.Person{{ID: ours, Name: "acme.kim-a-8a4c", Mails: []string{"kim+a@x.example"}}}
	j, got = s.join(t)
	if e := got[11]; !world.Repeated(j.Names)[e.Name] {
		t.Error("a collision ends as one of its users has a person")
	}
}

// TestPersons: whose a person is. By its id it is ours, of whatever generation; by the row's link alone it is not;
// and who holds a user's verified address may be taken over where that is wanted.
func TestPersons(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.config.Identity.AdoptMail = true
	third := state.PersonID(lineage, id(11), 3)
	s.users[1].Link, s.users[2].Link = third, id(60)
	s.persons = []providers.Person{
		{ID: state.PersonID(lineage, id(10), 1), Name: "a", Expired: true},
		{ID: third, Name: "b"}, {ID: id(60), Name: "c"}, {ID: id(61), Name: "d", Mails: []string{"DAN@x.example"}},
	}
	j, got := s.join(t)
	type person struct {
		ID         uuid.UUID
		Generation int
		There      bool
		Ours       bool
		Expired    bool
		Holder     uuid.UUID
	}
	want := map[byte]person{
		10: {ID: state.PersonID(lineage, id(10), 1), Generation: 1, There: true, Ours: true, Expired: true},
		11: {ID: third, Generation: 3, There: true, Ours: true},
		12: {ID: id(60), There: true},
		13: {ID: state.PersonID(lineage, id(13), 1), Generation: 1, Holder: id(61)},
	}
	have := map[byte]person{}
	for n, e := range got {
		have[n] = person{e.Person, e.Generation, e.Is(world.PersonThere), e.Is(world.PersonOurs),
			e.Is(world.PersonExpired), e.Holder}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("persons (-want +got):\n%s", diff)
	}
	if !j.Claimed(id(60)) || j.Claimed(id(61)) {
		t.Error("a person that a row is linked to belongs to it, one that holds an address does not yet")
	}
}

// TestIsolation: rows of two tenants that are linked to one person, and a person in another tenant's group (L40).
func TestIsolation(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.users[0].Link, s.users[2].Link = id(60), id(60)
	s.persons = []providers.Person{{ID: id(60), Name: "both"}}
	j, _ := s.join(t)
	want := []state.Finding{state.About(state.CodePersonShared, state.OfTenant("acme"),
		state.Text(state.KeyOther, "globex"))}
	if diff := cmp.Diff(want, j.Violations); diff != "" || !j.Blocked[0] || !j.Blocked[1] || !j.Twice[id(60)] {
		t.Errorf("a shared person: blocked %v (-want +got):\n%s", j.Blocked, diff)
	}
	if diff := cmp.Diff([]int{0, 1}, j.TenantsOf(id(60))); diff != "" {
		t.Errorf("its tenants (-want +got):\n%s", diff)
	}
	s.users[2].Link = uuid.Nil
	s.groups = []providers.Group{{ID: id(50), Name: "inner", Members: []uuid.UUID{id(60)}},
		{ID: id(51), Name: "outer", Members: []uuid.UUID{id(50)}}}
	s.mappings = []providers.Mapping{{Tenant: globex, Group: id(51), GroupName: "outer"}}
	j, _ = s.join(t)
	want = []state.Finding{state.About(state.CodeForeignMembers, state.OfTenant("acme"),
		state.Text(state.KeyOther, "globex")).Times(1)}
	if diff := cmp.Diff(want, j.Violations); diff != "" || !j.Blocked[0] || !j.Blocked[1] {
		t.Errorf("a foreign member, by way of a group in a group: blocked %v (-want +got):\n%s", j.Blocked, diff)
	}
}

// TestStatus: why a row is not to be moved, by itself.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.config.Exclude = config.Exclude{Emails: []string{"ann@x.example"}, UserIDs: []uuid.UUID{id(11)}}
	s.users[0].Email, s.users[2].Status, s.users[3].Status = "ANN@x.example", "suspended", "inactive"
	_, got := s.join(t)
	for n, want := range map[byte]plan.SkipReason{10: plan.SkipExcluded, 11: plan.SkipExcluded,
		12: plan.SkipSuspended, 13: plan.SkipInactive} {
		if got[n].Status != want {
			t.Errorf("user %d: %s, want %s", n, got[n].Status, want)
		}
	}
	s = plain(t)
	s.config.Identity.Unverified = "skip"
	s.users[0].Email, s.users[1].Email, s.users[2].Email, s.users[3].Verified = " ", "a@b@c", "ann@-x.example", false
	_, got = s.join(t)
	for n, want := range map[byte]plan.SkipReason{10: plan.SkipNoEmail, 11: plan.SkipEmailRefused,
		12: plan.SkipEmailRefused, 13: plan.SkipUnverified} {
		if got[n].Problem != want {
			t.Errorf("user %d: %s, want %s", n, got[n].Problem, want)
		}
	}
}

// TestNoConfiguration: who plans a rollback has no configuration, and still observes the world.
func TestNoConfiguration(t *testing.T) {
	t.Parallel()
	s := plain(t)
	s.mappings = []providers.Mapping{{Tenant: acme, Group: id(50), GroupName: "g", Role: state.RoleAdmin}}
	o, err := world.Observe(t.Context(), world.Sources{State: &s.state, Lineage: lineage, Database: s, Directory: s})
	if err != nil {
		t.Fatal(err)
	}
	if m, mapped := o.Mapping(acme, id(50)); !mapped || m.Role != state.RoleAdmin || len(o.Tenants) != 2 {
		t.Errorf("mapping %+v, tenants %+v", m, o.Tenants)
	}
}
