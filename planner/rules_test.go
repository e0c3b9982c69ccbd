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
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"anthill/config"
	"anthill/planner"
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
	state    *state.State
	recorded []state.User
	config   *config.Config
	asOf     time.Time
	allowed  []planner.Allowance
}

func (f *fake) Tenants(context.Context) ([]providers.Tenant, error)   { return f.tenants, nil }
func (f *fake) Mappings(context.Context) ([]providers.Mapping, error) { return f.mappings, nil }
func (f *fake) Groups(context.Context) ([]providers.Group, error)     { return f.groups, nil }
func (f *fake) Clients(context.Context) ([]providers.Client, error)   { return f.clients, nil }
func (f *fake) Enrolled(context.Context) ([]uuid.UUID, error)         { return nil, nil }
func (f *fake) Recycled(context.Context) ([]uuid.UUID, error)         { return nil, nil }
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
	target                = state.Target{Environment: "default", System: "1", Database: "d", Domain: "x", Origin: "https://x"}
	lineage               = target.FirstLineage()
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
	f := &fake{state: &state.State{}, asOf: now,
		tenants: []providers.Tenant{{ID: acme, Slug: "acme", Status: "active"}, {ID: globex, Slug: "globex", Status: "active"}, {ID: initech, Slug: "initech", Status: "suspended"}}}
	for i, tenant := range []uuid.UUID{acme, acme, globex, globex, initech} {
		role := "user"
		if i%2 == 0 {
			role = "admin"
		}
		f.users = append(f.users, providers.User{ID: id(byte(10 + i)), Tenant: tenant, Email: fmt.Sprintf("u%d@%d.example", i, tenant[0]), FullName: "U", Role: role,
			Status: "active", Verified: true, HasPassword: true, Method: state.MethodPassword})
	}
	f.config = &config.Config{Schema: &config.Schema{Level: "dual"}, Policies: []config.Policy{{Name: "dual", Method: state.MethodDual}},
		Blocks: []string{"group.admins", "group.users"}, DataBlocks: []string{"group.admins", "group.users"},
		Identity: config.Identity{Name: template(t, "${user.tenant_slug}.${user.email_local}"), SharedEmail: "skip", Unverified: "allow"},
		Waves:    []config.Wave{wave("everyone", config.Selector{All: true})}, Guard: config.Guard{MaxUsersChangedPercent: 30, MinPopulation: 20}}
	for _, slug := range []string{"acme", "globex"} {
		f.config.Groups = append(f.config.Groups,
			config.Group{Address: state.Address(`group.admins["` + slug + `"]`), Block: "group.admins", Tenant: slug, Name: "tenant_" + slug + "_admins", Role: state.RoleAdmin, Members: config.Members{Roles: []string{"admin", "super_admin"}}},
			config.Group{Address: state.Address(`group.users["` + slug + `"]`), Block: "group.users", Tenant: slug, Name: "tenant_" + slug + "_users", Role: state.RoleMember, Members: config.Members{All: true}})
	}
	return f
}

func wave(name string, users ...config.Selector) config.Wave {
	return config.Wave{Name: name, Policy: "dual", Enabled: true, Users: users}
}

// made is a plan with its users by wave, and who was skipped why.
type made struct {
	plan    *planner.Plan
	users   map[string][]byte // wave -> last digits of ids; "" for follow-ups
	skipped map[byte]planner.SkipReason
	shapes  map[byte]planner.Shape
	bytes   []byte
	id      state.Hash
}

func (f *fake) make(t testing.TB) (made, error) {
	t.Helper()
	m := made{users: map[string][]byte{}, skipped: map[byte]planner.SkipReason{}, shapes: map[byte]planner.Shape{}}
	w := planfile.NewWriter("")
	defer w.Close()
	slices.SortFunc(f.users, func(a, b providers.User) int {
		return bytes.Compare(append(a.Tenant[:], a.ID[:]...), append(b.Tenant[:], b.ID[:]...))
	})
	slices.SortFunc(f.recorded, func(a, b state.User) int {
		return bytes.Compare(append(a.TenantNow[:], a.User[:]...), append(b.TenantNow[:], b.User[:]...))
	})
	p, diags, err := planner.Make(t.Context(), planner.Input{Config: f.config, State: f.state, Recorded: func(context.Context) iter.Seq2[state.User, error] { return each(f.recorded) },
		Database: f, Directory: f, Inspection: providers.Inspection{Level: providers.LevelDual}, Target: target, AsOf: f.asOf, Allowed: f.allowed}, w)
	if err != nil {
		t.Fatal(err)
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
	m.plan = r.Plan()
	for n, s := range m.plan.Segments {
		for u, err := range r.Users(n, 0) {
			if err != nil {
				t.Fatal(err)
			}
			m.users[s.Wave] = append(m.users[s.Wave], u.User[15])
			m.shapes[u.User[15]] = r.Shapes(n)[u.Shape]
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
	f.persons = append(f.persons, providers.Person{ID: person, Name: fmt.Sprintf("p%d", user), Mails: []string{u.Email}})
	rec := state.User{User: u.ID, Tenant: u.Tenant, TenantNow: u.Tenant, Standing: state.Moved, Wave: wave, Policy: "dual", Person: person, Generation: 1, Ours: true, LinkOurs: true}
	for _, g := range f.config.Groups {
		if slug := map[uuid.UUID]string{acme: "acme", globex: "globex"}[u.Tenant]; g.Tenant == slug && g.Members.Has(u.Role) {
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
		f.state.Objects = append(f.state.Objects, state.Object{Address: g.Address, Kind: state.KindGroup, ID: gid, Generation: 1, Tenant: tenant, TenantSlug: g.Tenant, Run: "r",
			Attributes: state.Attributes{"name": g.Name, "mapping": g.Role.String() + " " + g.Name}})
	}
	f.groups[i].Members = append(f.groups[i].Members, member)
	return gid
}

func (f *fake) user(n byte) *providers.User {
	return &f.users[slices.IndexFunc(f.users, func(u providers.User) bool { return u.ID[15] == n })]
}

// TestRules is a case for each rule: what is changed in the plain world, and who is moved or skipped then. Users 10 and 11
// are of acme, 12 and 13 of globex, 14 of the suspended initech; 10, 12 and 14 are admins.
func TestRules(t *testing.T) {
	t.Parallel()
	all := map[string][]byte{"everyone": {10, 11, 12, 13}}
	suspended := map[byte]planner.SkipReason{14: planner.SkipTenantSuspended}
	with := func(more map[byte]planner.SkipReason) map[byte]planner.SkipReason {
		more[14] = planner.SkipTenantSuspended
		return more
	}
	for name, c := range map[string]struct {
		change  func(*fake)
		users   map[string][]byte
		skipped map[byte]planner.SkipReason
	}{
		"plain": {func(*fake) {}, all, suspended},
		"L2 the first in the order of after takes a user": {func(f *fake) {
			second := wave("rest", config.Selector{All: true})
			second.After = []string{"first"}
			f.config.Waves = []config.Wave{wave("first", config.Selector{Tenants: []string{"acme"}}, config.Selector{Roles: []string{"admin"}}), second}
		}, map[string][]byte{"first": {10, 11, 12}, "rest": {13}}, suspended},
		"L3 moved stays moved": {func(f *fake) { f.moved(10, "gone") }, map[string][]byte{"everyone": {11, 12, 13}}, suspended},
		"L7 and within a block, or between blocks": {func(f *fake) {
			f.config.Waves = []config.Wave{wave("w", config.Selector{Tenants: []string{"acme"}, Roles: []string{"user"}}, config.Selector{Tenants: []string{"globex"}, Roles: []string{"admin"}})}
		}, map[string][]byte{"w": {11, 12}}, map[byte]planner.SkipReason{}},
		"L7 an empty set selects nobody": {func(f *fake) {
			f.config.Waves = []config.Wave{wave("w", config.Selector{Tenants: []string{}})}
		}, map[string][]byte{}, map[byte]planner.SkipReason{}},
		"L7 inactive, suspended, excluded, deleted": {func(f *fake) {
			f.user(10).Status, f.user(11).Status, f.user(13).Deleted = "inactive", "suspended", true
			f.config.Exclude.Emails = []string{"u2@2.example"}
		}, map[string][]byte{}, with(map[byte]planner.SkipReason{10: planner.SkipInactive, 11: planner.SkipSuspended, 12: planner.SkipExcluded})},
		"L11 no share":          {func(f *fake) { f.config.Waves[0].Users[0] = config.Selector{HasPercent: true} }, map[string][]byte{}, map[byte]planner.SkipReason{}},
		"L11 all":               {func(f *fake) { f.config.Waves[0].Users[0] = config.Selector{HasPercent: true, Percent: 100} }, all, suspended},
		"L14 held by its date":  {func(f *fake) { f.config.Waves[0].At = now.Add(time.Second) }, map[string][]byte{}, suspended},
		"L14 its date has come": {func(f *fake) { f.config.Waves[0].At = now }, all, suspended},
		"L14 held by a gate":    {func(f *fake) { f.config.Waves[0].StartGates = []string{"support"} }, map[string][]byte{}, suspended},
		"L14 a gate that was confirmed": {func(f *fake) {
			f.config.Waves[0].StartGates = []string{"support"}
			f.state.Confirmations = []state.Confirmation{{Wave: "everyone", Gate: "support"}}
		}, all, suspended},
		"L14 a disabled wave stands for its own predecessors": {func(f *fake) {
			first, off, last := wave("first", config.Selector{Tenants: []string{"acme"}}), wave("off", config.Selector{Tenants: []string{"globex"}}), wave("last", config.Selector{All: true})
			first.Soak, off.Enabled, off.After, last.After = time.Hour, false, []string{"first"}, []string{"off"}
			f.config.Waves = []config.Wave{first, off, last}
		}, map[string][]byte{"first": {10, 11}}, suspended},
		"L16 a chain runs down in one plan": {func(f *fake) {
			second := wave("b", config.Selector{All: true})
			second.After = []string{"a"}
			f.config.Waves = []config.Wave{wave("a", config.Selector{Tenants: []string{"globex"}}), second}
		}, map[string][]byte{"a": {12, 13}, "b": {10, 11}}, suspended},
		"L17 a wave of nobody holds the next": {func(f *fake) {
			second := wave("b", config.Selector{All: true})
			second.After = []string{"a"}
			f.config.Waves = []config.Wave{wave("a", config.Selector{Roles: []string{"viewer"}}), second}
		}, map[string][]byte{}, suspended},
		"L17 unless that is allowed": {func(f *fake) {
			first, second := wave("a", config.Selector{Roles: []string{"viewer"}}), wave("b", config.Selector{All: true})
			first.AllowEmpty, second.After = true, []string{"a"}
			f.config.Waves = []config.Wave{first, second}
		}, map[string][]byte{"b": {10, 11, 12, 13}}, suspended},
		"L19 late joiners of a done wave": {func(f *fake) {
			f.config.Waves[0].StartGates = []string{"support"}
			f.state.Waves = []state.Wave{{Name: "everyone", Started: now, MovedAt: now, DoneAt: now}}
		}, all, suspended},
		"L23 a paused wave": {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}} }, map[string][]byte{},
			with(map[byte]planner.SkipReason{10: planner.SkipPaused, 11: planner.SkipPaused, 12: planner.SkipPaused, 13: planner.SkipPaused})},
		"L23 a paused tenant": {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme, Run: "r"}} }, map[string][]byte{"everyone": {12, 13}},
			with(map[byte]planner.SkipReason{10: planner.SkipPaused, 11: planner.SkipPaused})},
		"L29 linked before us": {func(f *fake) {
			f.user(10).Link = id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early", Mails: []string{"u0@1.example"}}}
		}, all, suspended},
		"linked to nobody": {func(f *fake) { f.user(10).Link = id(200) }, map[string][]byte{"everyone": {11, 12, 13}}, with(map[byte]planner.SkipReason{10: planner.SkipLinkUnknown})},
		"L39 a wanted name held by another entry": {func(f *fake) { f.persons = []providers.Person{{ID: id(200), Name: "tenant_acme_admins"}} },
			map[string][]byte{"everyone": {12, 13}}, with(map[byte]planner.SkipReason{10: planner.SkipGroupTaken, 11: planner.SkipGroupTaken})},
		"L40 a group mapped to two tenants": {func(f *fake) {
			f.mappings = []providers.Mapping{{Tenant: acme, Group: id(90), GroupName: "g", Role: state.RoleMember}, {Tenant: globex, Group: id(90), GroupName: "g", Role: state.RoleMember}}
		}, map[string][]byte{}, with(map[byte]planner.SkipReason{10: planner.SkipTenantBlocked, 11: planner.SkipTenantBlocked, 12: planner.SkipTenantBlocked, 13: planner.SkipTenantBlocked})},
		"L40 two rows with one person": {func(f *fake) {
			f.user(10).Link, f.user(12).Link = id(200), id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early"}}
		}, map[string][]byte{}, with(map[byte]planner.SkipReason{10: planner.SkipTenantBlocked, 11: planner.SkipTenantBlocked, 12: planner.SkipTenantBlocked, 13: planner.SkipTenantBlocked})},
		"L40 a person in another tenant's group": {func(f *fake) {
			f.user(10).Link = id(200)
			f.persons = []providers.Person{{ID: id(200), Name: "early"}}
			f.groups = []providers.Group{{ID: id(90), Name: "g", Members: []uuid.UUID{id(200)}}}
			f.mappings = []providers.Mapping{{Tenant: globex, Group: id(90), GroupName: "g", Role: state.RoleMember}}
		}, map[string][]byte{}, with(map[byte]planner.SkipReason{10: planner.SkipTenantBlocked, 11: planner.SkipTenantBlocked, 12: planner.SkipTenantBlocked, 13: planner.SkipTenantBlocked})},
		"shared address, compared lower-cased": {func(f *fake) { f.user(12).Email = "U0@1.EXAMPLE" }, map[string][]byte{"everyone": {11, 13}},
			with(map[byte]planner.SkipReason{10: planner.SkipShared, 12: planner.SkipShared})},
		"shared address, the first tenant's": {func(f *fake) {
			f.user(12).Email = "u0@1.example"
			f.config.Identity.SharedEmail = "first_tenant"
		}, map[string][]byte{"everyone": {10, 11, 13}}, with(map[byte]planner.SkipReason{12: planner.SkipShared})},
		"addresses": {func(f *fake) {
			f.user(10).Email, f.user(11).Email, f.user(13).Verified = "", "no-at", false
			f.config.Identity.Unverified = "skip"
			f.persons = []providers.Person{{ID: id(200), Name: "other", Mails: []string{"u2@2.example"}}}
		}, map[string][]byte{}, with(map[byte]planner.SkipReason{10: planner.SkipNoEmail, 11: planner.SkipEmailRefused, 12: planner.SkipEmailTaken, 13: planner.SkipUnverified})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff(c.users, m.users); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.skipped, m.skipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestWavesInNoOrder: two waves that select the same user, and neither comes after the other (L2).
func TestWavesInNoOrder(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Waves = []config.Wave{wave("a", config.Selector{Roles: []string{"admin"}}), wave("b", config.Selector{Tenants: []string{"acme"}})}
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), `wave "a" and wave "b" both select 1 users`) {
		t.Errorf("error %v", err)
	}
}

// TestFollowUps is what the next plan holds after the move: L24, L25, L28, L30, L33.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	group := func(n int) func(*fake) uuid.UUID {
		return func(f *fake) uuid.UUID { return state.GroupID(lineage, f.config.Groups[n].Address, 1) }
	}
	acmeAdmins, acmeUsers, globexUsers := group(0), group(1), group(3)
	type want struct {
		Join, Leave []uuid.UUID
		Act         state.PersonAct
		Standing    state.Standing
	}
	for name, c := range map[string]struct {
		change func(*fake)
		want   func(*fake) *want
	}{
		"nothing changed": {func(*fake) {}, func(*fake) *want { return nil }},
		"L24 promoted":    {func(f *fake) { f.user(11).Role = "admin" }, func(f *fake) *want { return &want{[]uuid.UUID{acmeAdmins(f)}, nil, state.PersonNone, state.Moved} }},
		"L30 suspended":   {func(f *fake) { f.tenants[0].Status = "suspended" }, func(*fake) *want { return nil }},
		"L28 row gone": {func(f *fake) {
			f.users = slices.DeleteFunc(f.users, func(u providers.User) bool { return u.ID[15] == 11 })
			f.recorded[0].RowGone = true
		}, func(f *fake) *want { return &want{nil, []uuid.UUID{acmeUsers(f)}, state.PersonExpire, state.Gone} }},
		"L25 another tenant": {func(f *fake) {
			f.user(11).Tenant, f.recorded[0].TenantNow = globex, globex
		}, func(f *fake) *want {
			return &want{[]uuid.UUID{globexUsers(f)}, []uuid.UUID{acmeUsers(f)}, state.PersonNone, state.Moved}
		}},
		"L23 paused: what would be added waits": {func(f *fake) {
			f.user(11).Role = "admin"
			f.state.Pauses = []state.Pause{{Wave: "everyone", Run: "r"}}
		}, func(*fake) *want { return nil }},
		"another link": {func(f *fake) { f.user(11).Link = id(201); f.user(11).Role = "admin" }, func(*fake) *want { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.moved(11, "everyone")
			c.change(f)
			m := f.must(t)
			s, changed := m.shapes[11]
			w := c.want(f)
			switch {
			case w == nil && changed:
				t.Errorf("a change: %+v", s)
			case w != nil && !changed:
				t.Error("no change")
			case w != nil:
				if diff := cmp.Diff(*w, want{s.Join, s.Leave, s.Act, s.Standing}); diff != "" {
					t.Errorf("change (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestMethods: dual with a password, self_auth without (L6); found links are not ours (L29).
func TestMethods(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.user(11).HasPassword = false
	f.user(12).Link = id(200)
	f.persons = []providers.Person{{ID: id(200), Name: "early"}}
	m := f.must(t)
	if m.shapes[10].Method != state.MethodDual || m.shapes[11].Method != state.MethodSelfAuth {
		t.Errorf("methods %s, %s", m.shapes[10].Method, m.shapes[11].Method)
	}
	if s := m.shapes[12]; s.Act != state.PersonNone || s.Link || s.Ours || s.LinkOurs || len(s.Join) != 2 || s.Method != state.MethodDual {
		t.Errorf("found: %+v", s)
	}
}

// TestCollisions: all of a collision carry a suffix, whatever their order, also when a stopped run has made one of them.
func TestCollisions(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.user(10).Email, f.user(11).Email = "kim+a@1.example", "kim-a@1.example"
	m := f.must(t)
	if !m.shapes[10].Suffix || !m.shapes[11].Suffix || m.shapes[12].Suffix {
		t.Errorf("suffixes %v %v %v", m.shapes[10].Suffix, m.shapes[11].Suffix, m.shapes[12].Suffix)
	}
	made := state.PersonID(lineage, id(10), 1)
	f.persons = []providers.Person{{ID: made, Name: planner.CleanName("acme.kim-a", id(10), true), Mails: []string{"kim+a@1.example"}}}
	m = f.must(t)
	if s := m.shapes[10]; !s.Exists || s.Act != state.PersonCreate {
		t.Errorf("the one that is there: %+v", s)
	}
	if !m.shapes[11].Suffix {
		t.Error("the other lost its suffix")
	}
}

// TestObjects: creation order (L36), recovery, dormancy (L30, L31), edits.
func TestObjects(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var order []string
	for _, o := range f.must(t).plan.Objects {
		order = append(order, string(o.Action)+" "+o.After.Attributes["name"])
	}
	want := []string{"create tenant_acme_admins", "create tenant_acme_users", "create tenant_globex_admins", "create tenant_globex_users"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	// The state is lost, the group is there: by its id it is ours, of whatever generation.
	f.groups = []providers.Group{{ID: state.GroupID(lineage, f.config.Groups[0].Address, 3), Name: "tenant_acme_admins"}}
	if o := f.must(t).plan.Objects[0]; o.Action != planner.Recover || o.After.Generation != 3 {
		t.Errorf("lost state: %+v", o)
	}
	f = newFake(t)
	f.moved(10, "everyone")
	f.config.Groups = f.config.Groups[2:] // the data of for_each names acme no more
	if m := f.must(t); len(m.plan.Analysis.Dormant) != 2 {
		t.Errorf("dormant: %v", m.plan.Analysis.Dormant)
	}
	f.config.DataBlocks = nil // an edit did
	if _, err := f.make(t); err == nil || !strings.Contains(err.Error(), "no other group that is mapped") {
		t.Errorf("error %v", err)
	}
}

// TestGuard: over the limit the plan is blocked, unless allowed by the exact count (L41).
func TestGuard(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.config.Guard.MinPopulation = 3
	if m := f.must(t); !m.plan.Blocked() || m.plan.Hazards[0].Code != planner.OverLimit || m.plan.Hazards[0].Count != 4 {
		t.Errorf("hazards %+v", m.plan.Hazards)
	}
	f.allowed = []planner.Allowance{{Code: planner.OverLimit, Count: 3}}
	if m := f.must(t); !m.plan.Blocked() || !strings.Contains(strings.Join(m.plan.Analysis.Notes, " "), "OVER_LIMIT=3 was not needed") {
		t.Errorf("another count: %+v, %v", m.plan.Hazards, m.plan.Analysis.Notes)
	}
	f.allowed[0].Count = 4
	if m := f.must(t); m.plan.Blocked() {
		t.Error("blocked though allowed")
	}
	// An emptied table expires nobody unasked.
	f = newFake(t)
	f.config.Guard.MinPopulation = 2
	f.moved(10, "everyone")
	f.moved(11, "everyone")
	f.users = nil
	if m := f.must(t); !m.plan.Blocked() {
		t.Errorf("an emptied table: %+v", m.plan.Analysis)
	}
}

// TestRandomWorlds: the same bytes twice, and with the directory in another order; nobody is dropped silently.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFake(t)
		n := rapid.IntRange(0, 40).Draw(rt, "users")
		f.users = nil
		for i := range n {
			tenant := rapid.SampledFrom([]uuid.UUID{acme, globex, initech}).Draw(rt, "tenant")
			f.users = append(f.users, providers.User{ID: id(byte(100 + i)), Tenant: tenant,
				Email:  rapid.SampledFrom([]string{fmt.Sprintf("u%d@x.example", i), "shared@x.example", "bad", "", fmt.Sprintf("U+%d@x.example", i/2)}).Draw(rt, "mail"),
				Role:   rapid.SampledFrom([]string{"user", "admin", "viewer"}).Draw(rt, "role"),
				Status: rapid.SampledFrom([]string{"active", "active", "inactive", "suspended"}).Draw(rt, "status"),
				Method: state.MethodPassword, HasPassword: rapid.Bool().Draw(rt, "password"), Deleted: rapid.IntRange(0, 5).Draw(rt, "deleted") == 0})
		}
		for i := range n {
			if u := f.users[i]; !u.Deleted && u.Tenant != initech && rapid.IntRange(0, 3).Draw(rt, "moved") == 0 {
				f.moved(u.ID[15], "everyone")
			}
		}
		a := f.must(t)
		slices.Reverse(f.persons)
		slices.Reverse(f.groups)
		for i := range f.groups {
			slices.Reverse(f.groups[i].Members)
		}
		if b := f.must(t); !bytes.Equal(a.bytes, b.bytes) {
			rt.Fatal("another plan of the same world")
		}
		live := 0
		for _, u := range f.users {
			if !u.Deleted {
				live++
			}
		}
		if got := len(a.users["everyone"]) + len(a.skipped) + len(f.recorded); got != live {
			rt.Fatalf("%d live users, %d moved now, %d skipped, %d moved before", live, len(a.users["everyone"]), len(a.skipped), len(f.recorded))
		}
	})
}

// TestDamagedFiles cuts a plan file at every length and turns a bit in every byte: none of it is believed.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	whole := newFake(t).must(t).bytes
	dir := t.TempDir()
	open := func(b []byte) error {
		file := filepath.Join(dir, "p")
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := planfile.Open(file)
		if err == nil {
			r.Close()
		}
		return err
	}
	if err := open(whole); err != nil {
		t.Fatal(err)
	}
	var format *planfile.FormatError
	for n := range len(whole) {
		if err := open(whole[:n]); !errors.As(err, &format) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
		if n%7 != 0 {
			continue
		}
		bad := slices.Clone(whole)
		bad[n] ^= 1 << (n % 8)
		if err := open(bad); !errors.As(err, &format) {
			t.Fatalf("byte %d turned: %v", n, err)
		}
	}
	if err := open(append(slices.Clone(whole), 0)); !errors.As(err, &format) {
		t.Errorf("with more behind it: %v", err)
	}
}
