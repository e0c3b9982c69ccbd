package planner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// fake is a world in memory: what Postgres, Self-auth and the state would say.
type fake struct {
	tenants  []providers.Tenant
	users    []providers.User
	mappings []providers.Mapping
	persons  []providers.Person
	groups   []providers.Group
	clients  []providers.Client
	// what the clients tell applications, by name
	documents map[string]providers.Discovery
	closed    []string // redirect URLs that are refused, whatever client they are of
	state     *state.State
	recorded  []state.User
	enrolled  []uuid.UUID
	mails     []state.Mail
	config    *config.Config
	asOf      time.Time
	allowed   []plan.Allowance
	targets   []plan.Target
	exclude   []plan.Target
	links     []plan.Link
	// of a schema that is dual and whole, unless a test says otherwise
	inspection providers.Inspection
}

func (f *fake) Tenants(context.Context) ([]providers.Tenant, error)   { return f.tenants, nil }
func (f *fake) Mappings(context.Context) ([]providers.Mapping, error) { return f.mappings, nil }
func (f *fake) Groups(context.Context) ([]providers.Group, error)     { return f.groups, nil }
func (f *fake) Clients(context.Context) ([]providers.Client, error)   { return f.clients, nil }
func (f *fake) Enrolled(context.Context) ([]uuid.UUID, error)         { return f.enrolled, nil }
func (f *fake) Discovery(_ context.Context, client string) (providers.Discovery, error) {
	return f.documents[client], nil
}
func (f *fake) RefusedRedirects(_ context.Context, _ string, urls []string) (refused []string, err error) {
	for _, u := range urls {
		if slices.Contains(f.closed, u) {
			refused = append(refused, u)
		}
	}
	return refused, nil
}
func (f *fake) Recycled(context.Context) ([]uuid.UUID, error) { return nil, nil }
func (f *fake) OtherNames(context.Context) ([]string, error) {
	return []string{"admin", "idm_admin"}, nil
}

func each[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func (f *fake) Users(context.Context) iter.Seq2[providers.User, error]     { return each(f.users) }
func (f *fake) Persons(context.Context) iter.Seq2[providers.Person, error] { return each(f.persons) }

var (
	acme, globex, initech = id(1), id(2), id(3)
	now                   = time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	target                = state.Target{Environment: "default", System: "1", Database: "d", Domain: "x",
		Origin: "https://x"}
	lineage = target.FirstLineage()
)

func id(n byte) uuid.UUID { return uuid.UUID{0: n, 15: n} }

func template(t testing.TB, source string) config.Template {
	t.Helper()
	c, err := config.ParseTemplate(source)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// newFake is two live tenants with two users each, groups for them, and one wave of everybody.
func newFake(t testing.TB) *fake {
	f := &fake{state: &state.State{}, asOf: now, inspection: providers.Inspection{Level: providers.LevelDual}, tenants: []providers.Tenant{
		{ID: acme, Slug: "acme", Status: "active"}, {ID: globex, Slug: "globex", Status: "active"}, {ID: initech,
			Slug: "initech", Status: "suspended"}}}
	for i, tenant := range []uuid.UUID{acme, acme, globex, globex, initech} {
		role := "user"
		if i%2 == 0 {
			role = "admin"
		}
		f.users = append(f.users, providers.User{ID: id(byte(10 + i)), Tenant: tenant,
			Email: fmt.Sprintf("u%d@%d.example", i, tenant[0]), FullName: "U", Role: role,
			Status: "active", Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword})
	}
	f.config = &config.Config{Schema: &config.Schema{Level: "dual"},
		Policies: []config.Policy{{Name: "dual", Method: state.MethodDual}},
		Blocks:   []string{"group.admins", "group.users"}, DataBlocks: []string{"group.admins", "group.users"},
		Identity: config.Identity{Name: template(t, "${user.tenant_slug}.${user.email_local}"), SharedEmail: "skip",
			Unverified: "allow"},
		Waves: []config.Wave{wave("everyone",
			config.Selector{All: true})}, Guard: config.Guard{MaxUsersChangedPercent: 30, MaxRemovedPercent: 5, MinPopulation: 20}}
	for _, slug := range []string{"acme", "globex"} {
		f.config.Groups = append(f.config.Groups,
			config.Group{Address: state.Address(`group.admins["` + slug + `"]`), Block: "group.admins", Tenant: slug,
				Name: "tenant_" + slug + "_admins", Role: state.RoleAdmin,
				Members: state.Members{Roles: []string{"admin", "super_admin"}}},
			config.Group{Address: state.Address(`group.users["` + slug + `"]`), Block: "group.users", Tenant: slug,
				Name: "tenant_" + slug + "_users", Role: state.RoleMember, Members: state.Members{All: true}})
	}
	return f
}

func wave(name string, users ...config.Selector) config.Wave {
	return config.Wave{Name: name, Policy: "dual", Enabled: true, Users: users}
}

// made is a plan as it was read back from its file, with its users by wave, and who was skipped why.
type made struct {
	effects *plan.Effects
	context *plan.Context
	users   map[string][]byte // wave -> last digits of ids; "" for follow-ups
	skipped map[byte]plan.SkipReason
	shapes  map[byte]shape
	bytes   []byte
	id      state.Hash
	told    map[string][]byte // wave -> last digits of ids of those to whom it is announced
}

// shape is a shape with its sets of groups, by their ids.
type shape struct {
	plan.Shape
	Join, Leave, Keep []uuid.UUID
}

func resolve(e *plan.Effects, s plan.Shape) shape {
	ids := func(set plan.Set) (list []uuid.UUID) {
		for _, g := range e.GroupsOf(set) {
			list = append(list, g.ID)
		}
		return list
	}
	return shape{s, ids(s.Join), ids(s.Leave), ids(s.Keep)}
}

// input is what a plan of the world is made from.
func (f *fake) input(db providers.Database, dir providers.Directory) planner.Input {
	return planner.Input{
		Config: f.config, State: f.state, Target: target, AsOf: f.asOf, Allowed: f.allowed,
		Targets: f.targets, Exclude: f.exclude, Links: f.links,
		Recorded: func(context.Context) iter.Seq2[state.User, error] { return each(f.recorded) },
		Mails:    func(context.Context) iter.Seq2[state.Mail, error] { return each(f.mails) },
		Database: db, Directory: dir, Inspection: f.inspection,
	}
}

// make makes a plan of the world, writes it and reads it back. The error is that there is none, with the diagnostics or as it is.
func (f *fake) make(t testing.TB) (made, error) {
	t.Helper()
	m := made{users: map[string][]byte{}, skipped: map[byte]plan.SkipReason{}, shapes: map[byte]shape{}, told: map[string][]byte{}}
	w := planfile.NewWriter("")
	defer w.Close()
	slices.SortFunc(f.users, func(a, b providers.User) int {
		return bytes.Compare(append(a.Tenant[:], a.ID[:]...), append(b.Tenant[:], b.ID[:]...))
	})
	slices.SortFunc(f.recorded, func(a, b state.User) int {
		return bytes.Compare(append(a.TenantNow[:], a.User[:]...), append(b.TenantNow[:], b.User[:]...))
	})
	p, diags, err := planner.Make(t.Context(), f.input(f, f), w)
	if err != nil {
		return m, err
	}
	if diags.HasErrors() {
		return m, errors.New(diags.Error())
	}
	file := filepath.Join(t.TempDir(), "p")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if m.id, err = w.Finish(out, p); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if m.bytes, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	r, err := planfile.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m.effects, m.context = r.Effects(), r.Context()
	for n, s := range m.effects.Segments {
		for u, err := range r.Users(n, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if s.Kind == plan.SegmentAnnounce {
				m.told[s.Wave] = append(m.told[s.Wave], u.User[15])
				continue
			}
			m.users[s.Wave] = append(m.users[s.Wave], u.User[15])
			m.shapes[u.User[15]] = resolve(m.effects, r.Shapes(n)[u.Shape])
		}
	}
	for s, err := range r.Skipped() {
		if err != nil {
			t.Fatal(err)
		}
		m.skipped[s.User[15]] = s.Reason
	}
	return m, nil
}

func (f *fake) must(t testing.TB) made {
	t.Helper()
	m, err := f.make(t)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// moved records a user as moved under a wave, links it, and gives it its person in its groups.
func (f *fake) moved(user byte, wave string) {
	i := slices.IndexFunc(f.users, func(u providers.User) bool { return u.ID[15] == user })
	u := &f.users[i]
	person := state.PersonID(lineage, u.ID, 1)
	u.Link, u.Method = person, state.MethodDual
	f.persons = append(f.persons, providers.Person{ID: person, Name: fmt.Sprintf("p%d", user),
		Mails: []string{u.Email}})
	rec := state.User{User: u.ID, Tenant: u.Tenant, TenantNow: u.Tenant, Person: person,
		UserState: state.UserState{Standing: state.Moved, Wave: wave, Policy: "dual", Generation: 1,
			MadePerson: true, WroteLink: true}}
	for _, g := range f.config.Groups {
		if slug := map[uuid.UUID]string{acme: "acme", globex: "globex"}[u.Tenant]; g.Tenant == slug &&
			g.Members.Has(u.Role) {
			rec.Groups = append(rec.Groups, f.group(g, person))
		}
	}
	slices.SortFunc(rec.Groups, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	f.recorded = append(f.recorded, rec)
	f.state.Exists, f.state.Lineage, f.state.Target = true, lineage, target
}

// group makes a declared group with its mapping row, and adds a member.
func (f *fake) group(g config.Group, member uuid.UUID) uuid.UUID {
	gid := state.GroupID(lineage, g.Address, 1)
	i := slices.IndexFunc(f.groups, func(x providers.Group) bool { return x.ID == gid })
	if i < 0 {
		i = len(f.groups)
		f.groups = append(f.groups, providers.Group{ID: gid, Name: g.Name})
		tenant := map[string]uuid.UUID{"acme": acme, "globex": globex}[g.Tenant]
		f.mappings = append(f.mappings, providers.Mapping{Tenant: tenant, Group: gid, GroupName: g.Name, Role: g.Role})
		f.state.Objects = append(f.state.Objects,
			state.Object{Address: g.Address, Kind: state.KindGroup, ID: gid, Generation: 1, Members: g.Members,
				Tenant: tenant, TenantSlug: g.Tenant, Run: "r", Attributes: state.Attributes{
					state.AttrName: state.TextValue(g.Name), state.AttrMapping: state.MappingValue(g.Role, g.Name)}})
	}
	f.groups[i].Members = append(f.groups[i].Members, member)
	return gid
}

func (f *fake) user(n byte) *providers.User {
	return &f.users[slices.IndexFunc(f.users, func(u providers.User) bool { return u.ID[15] == n })]
}

// record is what is recorded of a user.
func (f *fake) record(n byte) *state.User {
	return &f.recorded[slices.IndexFunc(f.recorded, func(u state.User) bool { return u.User == id(n) })]
}

// named is the group of a name.
func (f *fake) named(name string) *providers.Group {
	return &f.groups[slices.IndexFunc(f.groups, func(g providers.Group) bool { return g.Name == name })]
}

func (m made) change(address state.Address) *plan.ObjectChange {
	i := slices.IndexFunc(m.effects.Objects, func(c plan.ObjectChange) bool { return c.Address == address })
	if i < 0 {
		return nil
	}
	return &m.effects.Objects[i]
}

func (m made) hazard(code plan.HazardCode) int64 {
	for _, h := range m.effects.Hazards {
		if h.Code == code {
			return h.Count
		}
	}
	return 0
}

// found checks that a finding is among those of a list, with code, subject, count and arguments, and no others of its
// code.
func found(t *testing.T, list []state.Finding, want state.Finding) {
	t.Helper()
	var got []state.Finding
	for _, f := range list {
		if f.Code == want.Code {
			got = append(got, f)
		}
	}
	if diff := cmp.Diff([]state.Finding{want}, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings of code %s (-want +got):\n%s", want.Code, diff)
	}
}

// texts are attributes of form text, given as names and texts in turns.
func texts(pairs ...string) state.Attributes {
	a := state.Attributes{}
	for i := 0; i < len(pairs); i += 2 {
		a[state.Attribute(pairs[i])] = state.TextValue(pairs[i+1])
	}
	return a
}

// client are the attributes of an OAuth2 client with redirect URLs.
func client(name string, urls ...string) state.Attributes {
	return state.Attributes{state.AttrName: state.TextValue(name),
		state.AttrRedirectURLs: state.ListValue(slices.Clone(urls))}
}
