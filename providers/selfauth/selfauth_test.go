package selfauth

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// TestServer is what the provider promises, on every server there is.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, s := range servers(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			testServer(t, s)
		})
	}
}

// testServer runs its parts one after the other: they share the server, and one looks for markers left behind.
func testServer(t *testing.T, s server) {
	t.Run("create many and list them", func(t *testing.T) { testCreate(t, s) })
	t.Run("refusals", func(t *testing.T) { testRefusals(t, s) })
	t.Run("expire, enable, delete", func(t *testing.T) { testMany(t, s) })
	t.Run("groups and members", func(t *testing.T) { testGroups(t, s) })
	t.Run("whoami", func(t *testing.T) { testWhoami(t, s) })
	t.Run("rights", func(t *testing.T) { testRights(t, s) })
	t.Run("connections", func(t *testing.T) { testConnections(t, s) })
}

func newPersons(t testing.TB, n int) []providers.NewPerson {
	t.Helper()
	prefix := "p" + random(t)
	persons := make([]providers.NewPerson, n)
	for i := range persons {
		name := fmt.Sprintf("%s-%d", prefix, i)
		persons[i] = providers.NewPerson{ID: uuid.New(), Name: name, Display: "Person Ünï " + name, Mail: name + "@corp.example"}
	}
	return persons
}

func idsOf(persons []providers.NewPerson) []uuid.UUID {
	ids := make([]uuid.UUID, len(persons))
	for i, p := range persons {
		ids[i] = p.ID
	}
	return ids
}

func made(t testing.TB, a providers.Accounts, n int) []providers.NewPerson {
	t.Helper()
	persons := newPersons(t, n)
	if err := a.Create(within(t, time.Minute), persons); err != nil {
		t.Fatal(err)
	}
	return persons
}

func byID(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }

// seen is how new persons are to be listed.
func seen(persons []providers.NewPerson, expired bool) []providers.Person {
	want := make([]providers.Person, len(persons))
	for i, p := range persons {
		want[i] = providers.Person{ID: p.ID, Name: p.Name, Display: p.Display, Mails: []string{p.Mail}, Expired: expired}
	}
	slices.SortFunc(want, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return want
}

// listed returns those of the ids that the listing has, sorted.
func listed(t testing.TB, p *Provider, ids []uuid.UUID) []providers.Person {
	t.Helper()
	wanted := map[uuid.UUID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	got := []providers.Person{}
	for person, err := range p.Directory().Persons(within(t, time.Minute)) {
		if err != nil {
			t.Fatal(err)
		}
		if wanted[person.ID] {
			got = append(got, person)
		}
	}
	slices.SortFunc(got, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return got
}

func looked(t testing.TB, a providers.Accounts, ids []uuid.UUID) []providers.Person {
	t.Helper()
	got, err := a.Lookup(within(t, time.Minute), ids)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return got
}

func testCreate(t *testing.T, s server) {
	p := s.open(t, s.rw)
	persons := made(t, p.Accounts(), 300)
	ids := idsOf(persons)
	want := seen(persons, false)
	if diff := cmp.Diff(want, listed(t, p, ids)); diff != "" {
		t.Errorf("listing (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, looked(t, p.Accounts(), append(slices.Clone(ids), uuid.New()))); diff != "" {
		t.Errorf("lookup (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, listed(t, s.open(t, s.ro), ids)); diff != "" {
		t.Errorf("listing by the read-only token (-want +got):\n%s", diff)
	}
	n := 0
	for _, err := range p.Directory().Persons(within(t, time.Minute)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("a listing that is left early gave %d persons, want 3", n)
	}
}

func testRefusals(t *testing.T, s server) {
	p := s.open(t, s.rw)
	a := p.Accounts()
	there := made(t, a, 2)
	dead := made(t, a, 1)[0]
	if err := a.Delete(t.Context(), []uuid.UUID{dead.ID}); err != nil {
		t.Fatal(err)
	}
	group := providers.Group{ID: uuid.New(), Name: "g" + random(t)}
	if err := createGroup(t, a, group); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		spoil  func(*providers.NewPerson)
		want   providers.Kind // alone
		many   providers.Kind // in a batch
		reason string
	}{
		"bad mail":          {func(p *providers.NewPerson) { p.Mail = "secret no mail" }, providers.Refused, providers.Refused, "Self-auth refuses the e-mail address"},
		"bad name":          {func(p *providers.NewPerson) { p.Name = "9secret" }, providers.Refused, providers.Refused, "Self-auth refuses the name"},
		"bad display":       {func(p *providers.NewPerson) { p.Display = "secret\nline" }, providers.Refused, providers.Refused, "Self-auth refuses the display name"},
		"name in use":       {func(p *providers.NewPerson) { p.Name = there[0].Name }, providers.Conflict, providers.Conflict, "an entry with this name exists already"},
		"name of a group":   {func(p *providers.NewPerson) { p.Name = group.Name }, providers.Conflict, providers.Conflict, "an entry with this name exists already"},
		"mail in use":       {func(p *providers.NewPerson) { p.Mail = there[1].Mail }, providers.Conflict, providers.Conflict, "an entry with this e-mail address exists already"},
		"id of a person":    {func(p *providers.NewPerson) { p.ID = there[0].ID }, providers.Conflict, providers.Conflict, "the id exists already"},
		"id of a group":     {func(p *providers.NewPerson) { p.ID = group.ID }, providers.Conflict, providers.Conflict, "the id exists already"},
		"id of a deleted":   {func(p *providers.NewPerson) { p.ID = dead.ID }, providers.Burnt, providers.Conflict, "the id belongs to a deleted entry, which Self-auth remembers for up to 14 days"},
		"more than 2 MiB":   {func(p *providers.NewPerson) { p.Display = strings.Repeat("secret", 400_000) }, providers.Refused, providers.Refused, "it is more than Self-auth takes in one request"},
		"name and mail too": {func(p *providers.NewPerson) { p.Name, p.Mail = there[0].Name, there[1].Mail }, providers.Conflict, providers.Conflict, "an entry with this name and one with this e-mail address exist already"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			persons := newPersons(t, 6)
			test.spoil(&persons[4])
			secrets := []string{"secret", s.rw, there[0].Name, there[1].Mail}
			err := a.Create(t.Context(), persons)
			wantKind(t, err, test.many, secrets...)
			if got := looked(t, a, idsOf(persons[:4])); len(got) != 0 {
				t.Errorf("%d persons were made of a batch that was refused", len(got))
			}
			err = a.Create(t.Context(), persons[4:5])
			wantKind(t, err, test.want, secrets...)
			if err, ok := err.(*providers.Error); !ok || err.Reason != test.reason {
				t.Errorf("reason of %v, want %q", err, test.reason)
			}
			if err := a.Create(t.Context(), persons[:4]); err != nil {
				t.Errorf("the others: %v", err)
			}
		})
	}
	twice := newPersons(t, 2)
	twice[1].ID = twice[0].ID
	wantKind(t, a.Create(t.Context(), twice), providers.Conflict)
	if err := a.Create(t.Context(), nil); err != nil {
		t.Errorf("create none: %v", err)
	}
}

func testMany(t *testing.T, s server) {
	p := s.open(t, s.rw)
	a := p.Accounts()
	for _, n := range []int{1, 2, filterIDs, filterIDs + 1, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			persons, others := made(t, a, n), made(t, a, 2)
			ids := append(idsOf(persons), uuid.New(), uuid.New()) // some are absent
			check := func(what string, want []providers.Person) {
				t.Helper()
				if diff := cmp.Diff(want, looked(t, a, ids)); diff != "" {
					t.Errorf("after %s (-want +got):\n%s", what, diff)
				}
				if diff := cmp.Diff(seen(others, false), listed(t, p, idsOf(others))); diff != "" {
					t.Errorf("others after %s (-want +got):\n%s", what, diff)
				}
			}
			for range 2 { // doing it again is fine
				if err := a.Expire(t.Context(), ids); err != nil {
					t.Fatal(err)
				}
				check("expire", seen(persons, true))
			}
			if diff := cmp.Diff(seen(persons, true), listed(t, p, ids)); diff != "" {
				t.Errorf("listing after expire (-want +got):\n%s", diff)
			}
			for range 2 {
				if err := a.Enable(t.Context(), ids); err != nil {
					t.Fatal(err)
				}
				check("enable", seen(persons, false))
			}
			for range 2 {
				if err := a.Delete(t.Context(), ids); err != nil {
					t.Fatal(err)
				}
				check("delete", []providers.Person{})
			}
		})
	}
	if err := a.Expire(t.Context(), nil); err != nil {
		t.Errorf("expire none: %v", err)
	}
	// A group among the ids is no person: its members stay as they are.
	persons, other := made(t, a, 40), made(t, a, 1)
	group := providers.Group{ID: uuid.New(), Name: "g" + random(t)}
	if err := createGroup(t, a, group); err != nil {
		t.Fatal(err)
	}
	if err := a.AddMembers(t.Context(), group.ID, idsOf(other)); err != nil {
		t.Fatal(err)
	}
	if err := a.Expire(t.Context(), append(idsOf(persons), group.ID)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(seen(other, false), looked(t, a, idsOf(other))); diff != "" {
		t.Errorf("member of a group whose id was among the persons (-want +got):\n%s", diff)
	}
	if err := a.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNoMarkers(t, p)
}

func wantNoMarkers(t *testing.T, p *Provider) {
	t.Helper()
	groups, err := p.Directory().Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if strings.HasPrefix(g.Name, markerPrefix) {
			t.Errorf("marker %s was left behind", g.Name)
		}
	}
}

func testGroups(t *testing.T, s server) {
	p := s.open(t, s.rw)
	a := p.Accounts()
	ids := idsOf(made(t, a, 20))
	slices.SortFunc(ids, byID)
	g := providers.Group{ID: uuid.New(), Name: "g" + random(t), Description: "Ünï group"}
	g.Members = []uuid.UUID(nil)
	check := func(what string) {
		t.Helper()
		got, _, err := a.ReadObject(t.Context(), state.KindGroup, g.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		if got["name"] != g.Name || got["description"] != g.Description {
			t.Errorf("group after %s: %v, want %s, %s", what, got, g.Name, g.Description)
		}
		all, err := p.Directory().Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i, _ := slices.BinarySearchFunc(all, g.ID, func(g providers.Group, id uuid.UUID) int { return byID(g.ID, id) })
		if i < len(all) {
			all[i].Place = 0
		}
		if i == len(all) || !cmp.Equal(g, all[i]) {
			t.Errorf("the listing has not the same group after %s", what)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(createGroup(t, a, g))
	check("create")
	must(a.AddMembers(t.Context(), g.ID, ids[:15]))
	must(a.AddMembers(t.Context(), g.ID, ids[10:]))
	must(a.AddMembers(t.Context(), g.ID, nil))
	g.Members = ids
	check("adding members")
	wantKind(t, a.AddMembers(t.Context(), g.ID, []uuid.UUID{ids[0], uuid.New()}), providers.NotFound)
	must(a.RemoveMembers(t.Context(), g.ID, append([]uuid.UUID{uuid.New()}, ids[5:]...)))
	must(a.RemoveMembers(t.Context(), g.ID, ids[19:]))
	g.Members = ids[:5]
	check("removing members")
	got, err := a.Members(t.Context(), g.ID, ids[3:8])
	must(err)
	if diff := cmp.Diff(ids[3:5], got); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	describe := func(text string) error {
		return a.ChangeObject(t.Context(), state.KindGroup, g.ID, state.Attributes{"description": "?"}, state.Attributes{"description": text})
	}
	must(describe("another"))
	g.Description = "another"
	check("describe")
	for range 2 {
		must(describe(""))
		g.Description = ""
		check("purging the description")
	}
	wantKind(t, describe("two\nlines"), providers.Refused)

	again := providers.Group{ID: g.ID, Name: "g" + random(t)}
	must(createGroup(t, a, again)) // its id says that it is the same
	wantKind(t, createGroup(t, a, providers.Group{ID: uuid.New(), Name: g.Name}), providers.Conflict)
	must(a.DeleteObject(t.Context(), state.KindGroup, g.ID, nil))
	wantKind(t, a.DeleteObject(t.Context(), state.KindGroup, g.ID, nil), providers.NotFound)
	wantKind(t, createGroup(t, a, again), providers.Burnt)
	wantKind(t, a.AddMembers(t.Context(), g.ID, ids[:1]), providers.NotFound)
	wantKind(t, a.RemoveMembers(t.Context(), g.ID, ids[:1]), providers.NotFound)
	wantKind(t, describe("x"), providers.NotFound)
	_, err = a.Members(t.Context(), g.ID, ids)
	wantKind(t, err, providers.NotFound)
	if got, _, err := a.ReadObject(t.Context(), state.KindGroup, g.ID, ""); got != nil || err != nil {
		t.Errorf("deleted group: %v, %v, want none", got, err)
	}
	if got, _, err := a.ReadObject(t.Context(), state.KindGroup, ids[0], ""); got != nil || err != nil {
		t.Errorf("a person read as a group: %v, %v, want none", got, err)
	}

	all, err := p.Directory().Groups(t.Context())
	must(err)
	builtin := map[string]bool{}
	for _, g := range all {
		builtin[g.Name] = g.Builtin
	}
	for _, name := range []string{"idm_people_admins", "idm_all_persons"} {
		if is, there := builtin[name]; there && !is {
			t.Errorf("%s does not count as built in", name)
		}
	}
	names, err := p.Directory().OtherNames(t.Context())
	must(err)
	for _, name := range []string{"operator_svc", "idm_admin", "anonymous"} {
		if !slices.Contains(names, name) {
			t.Errorf("other names lack %s: %v", name, names)
		}
	}
}

func TestRemoveNoMembers(t *testing.T) {
	t.Parallel()
	p, err := Open(Options{URL: "https://localhost:1", Token: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("removing no members did not panic: the server would remove all")
		}
	}()
	_ = p.Accounts().RemoveMembers(t.Context(), uuid.New(), nil)
}

func testWhoami(t *testing.T, s server) {
	for _, test := range []struct {
		token  string
		writes providers.WriteRight
	}{{s.rw, providers.WriteYes}, {s.ro, providers.WriteNo}} {
		id, err := s.open(t, " "+test.token+"\n").Whoami(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if id.Version == "" || !slices.Contains(id.Groups, "idm_people_admins@"+id.Domain) || !slices.IsSorted(id.Groups) {
			t.Errorf("version %q, groups %v", id.Version, id.Groups)
		}
		id.Version, id.Groups = "", nil
		want := providers.Identity{Account: "operator_svc@idm.example.test", Domain: "idm.example.test", Writes: test.writes}
		if diff := cmp.Diff(want, id); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func testRights(t *testing.T, s server) {
	person := made(t, s.open(t, s.rw).Accounts(), 1)
	tests := map[string]struct {
		groups              []string
		missing, unreadable []string
	}{
		"none":       {nil, []string{peopleAdmins, groupAdmins}, []string{peopleAdmins, groupAdmins}},
		"people":     {[]string{peopleAdmins}, []string{groupAdmins}, []string{groupAdmins}},
		"groups":     {[]string{groupAdmins}, []string{peopleAdmins}, []string{peopleAdmins}},
		"both":       {[]string{groupAdmins, peopleAdmins}, nil, nil},
		"to plan":    {[]string{groupAdmins, "idm_people_pii_read"}, []string{peopleAdmins}, nil},
		"by nesting": {[]string{"idm_admins"}, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token := s.account(t, nil, test.groups...)
			p := s.open(t, token)
			id, err := p.Whoami(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{test.missing, test.unreadable}, [][]string{id.Missing, id.Unreadable}); diff != "" {
				t.Errorf("missing, unreadable (-want +got):\n%s", diff)
			}
			// What Whoami says is what the server does.
			if sees := len(listed(t, p, idsOf(person))) == 1; sees == slices.Contains(test.unreadable, peopleAdmins) {
				t.Errorf("sees persons: %v, though unreadable is %v", sees, test.unreadable)
			}
			if err := p.Accounts().Create(t.Context(), newPersons(t, 1)); slices.Contains(test.missing, peopleAdmins) {
				wantKind(t, err, providers.Denied, token)
				if err != nil && !strings.Contains(err.Error(), peopleAdmins) {
					t.Errorf("%q does not name the group that gives the right", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			if err := createGroup(t, p.Accounts(), providers.Group{ID: uuid.New(), Name: "g" + random(t)}); slices.Contains(test.missing, groupAdmins) {
				wantKind(t, err, providers.Denied, token)
			} else if err != nil {
				t.Error(err)
			}
			if _, err := p.Directory().OtherNames(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	err := s.open(t, s.ro).Accounts().Create(t.Context(), newPersons(t, 1))
	wantKind(t, err, providers.Denied, s.ro)
	if err == nil || !strings.Contains(err.Error(), "the token may read only") {
		t.Errorf("a write by the read-only token: %v", err)
	}
}

func testConnections(t *testing.T, s server) {
	wrong := s.rw[:len(s.rw)-12] + "abcdefghijkl"
	_, err := s.open(t, wrong).Whoami(t.Context())
	wantKind(t, err, providers.Unauthenticated, wrong)

	past := time.Now().Add(-time.Hour).Unix()
	expired := s.account(t, &past)
	_, err = s.open(t, expired).Whoami(t.Context())
	wantKind(t, err, providers.Unauthenticated, expired)
	if err == nil || !strings.Contains(err.Error(), "the token expired on ") {
		t.Errorf("expired token: %v", err)
	}

	p, err := Open(Options{URL: s.url, Token: s.rw})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Whoami(t.Context())
	wantKind(t, err, providers.Unreachable, s.rw)
	if err == nil || !strings.Contains(err.Error(), "SELF_AUTH_CA_FILE") {
		t.Errorf("a certificate of an unknown authority: %v", err)
	}
}

func createGroup(t *testing.T, a providers.Accounts, g providers.Group) error {
	_, err := a.CreateObject(t.Context(), state.KindGroup, g.ID, state.Attributes{"name": g.Name, "description": g.Description})
	return err
}
