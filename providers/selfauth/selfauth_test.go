package selfauth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/providers"
	"anthill/providers/providertest"
	"anthill/state"
)

// TestServer is what the provider promises, on every server there is: the conformance suite, and beside it what this
// client alone has.
func TestServer(t *testing.T) {
	t.Parallel()
	for _, s := range servers(t) {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			t.Run("conformance", func(t *testing.T) { providertest.Run(t, s.suite(t)) })
			t.Run("reasons", func(t *testing.T) { testReasons(t, s) })
			t.Run("whoami", func(t *testing.T) { testWhoami(t, s) })
			t.Run("rights", func(t *testing.T) { testRights(t, s) })
			t.Run("dead member", func(t *testing.T) { testDeadMember(t, s) })
			t.Run("connections", func(t *testing.T) { testConnections(t, s) })
		})
	}
}

// newPersons are persons whom the test deletes in the end.
func newPersons(t testing.TB, p *Provider, n int) []providers.NewPerson {
	t.Helper()
	prefix := "p" + random(t)
	persons := make([]providers.NewPerson, n)
	ids := make([]uuid.UUID, n)
	for i := range persons {
		name := fmt.Sprintf("%s-%d", prefix, i)
		ids[i] = uuid.New()
		persons[i] = providers.NewPerson{
			ID: ids[i], Name: name, Display: "Person Ünï " + name, Mail: name + "@corp.example",
		}
	}
	t.Cleanup(func() {
		if err := p.Accounts().Delete(after(t), ids); err != nil {
			t.Error(err)
		}
	})
	return persons
}

// newGroup is a group that the test deletes in the end.
func newGroup(t testing.TB, p *Provider) providers.NewGroup {
	t.Helper()
	g := providers.NewGroup{ID: uuid.New(), Name: "g" + random(t)}
	t.Cleanup(func() {
		if err := p.Accounts().DeleteGroups(after(t), []uuid.UUID{g.ID}); err != nil {
			t.Error(err)
		}
	})
	return g
}

// testReasons: the reason of a refusal says in words what is wrong, without a value.
func testReasons(t *testing.T, s server) {
	p := s.open(t, s.rw)
	a := p.Accounts()
	there, dead := newPersons(t, p, 2), newPersons(t, p, 1)
	group := newGroup(t, p)
	groupErr := a.CreateGroups(t.Context(), []providers.NewGroup{group})
	for _, err := range []error{groupErr, a.Create(t.Context(), there), a.Create(t.Context(), dead),
		a.Delete(t.Context(), []uuid.UUID{dead[0].ID})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		spoil  func(*providers.NewPerson)
		want   state.ErrorKind
		reason string
	}{
		"bad mail": {func(p *providers.NewPerson) { p.Mail = "secret no mail" }, state.ErrorRefused,
			"Self-auth refuses the e-mail address"},
		"bad name": {func(p *providers.NewPerson) { p.Name = "9secret" }, state.ErrorRefused,
			"Self-auth refuses the name"},
		"bad display": {func(p *providers.NewPerson) { p.Display = "secret\nline" }, state.ErrorRefused,
			"Self-auth refuses the display name"},
		"name in use": {func(p *providers.NewPerson) { p.Name = there[0].Name }, state.ErrorConflict,
			"an entry with this name exists already"},
		"name of a group": {func(p *providers.NewPerson) { p.Name = group.Name }, state.ErrorConflict,
			"an entry with this name exists already"},
		"mail in use": {func(p *providers.NewPerson) { p.Mail = there[1].Mail }, state.ErrorConflict,
			"an entry with this e-mail address exists already"},
		"id of a person": {func(p *providers.NewPerson) { p.ID = there[0].ID }, state.ErrorConflict,
			"the id exists already"},
		"id of a deleted": {func(p *providers.NewPerson) { p.ID = dead[0].ID }, state.ErrorBurnt,
			"the id belongs to a deleted entry, which Self-auth remembers for up to 14 days"},
		"more than 2 MiB": {func(p *providers.NewPerson) { p.Display = strings.Repeat("secret", 400_000) },
			state.ErrorRefused, "it is more than Self-auth takes in one request"},
		"name and mail too": {func(p *providers.NewPerson) { p.Name, p.Mail = there[0].Name, there[1].Mail },
			state.ErrorConflict, "an entry with this name and one with this e-mail address exist already"},
	} {
		t.Run(name, func(t *testing.T) {
			person := providers.NewPerson{ID: uuid.New(), Name: "p" + random(t), Display: "P"}
			test.spoil(&person)
			err := a.Create(t.Context(), []providers.NewPerson{person})
			wantKind(t, err, test.want, "secret", s.rw, there[0].Name, there[1].Mail)
			if err, ok := err.(*state.Error); !ok || err.Reason != test.reason {
				t.Errorf("reason of %v, want %q", err, test.reason)
			}
		})
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
	_ = p.Accounts().RemoveMembers(t.Context(), providers.Members{Group: uuid.New()})
}

func testWhoami(t *testing.T, s server) {
	for _, test := range []struct {
		token  string
		writes providers.WriteRight
	}{{s.rw, providers.WriteYes}, {s.ro, providers.WriteNo}} {
		if test.token == "" {
			continue
		}
		id, err := s.open(t, " "+test.token+"\n").Whoami(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if id.Version == "" || !slices.Contains(id.Groups, "idm_people_admins@"+id.Domain) ||
			!slices.IsSorted(id.Groups) {
			t.Errorf("version %q, groups %v", id.Version, id.Groups)
		}
		id.Version, id.Groups = "", nil
		want := providers.Identity{
			Account: "operator_svc@idm.example.test", Domain: "idm.example.test", Writes: test.writes,
		}
		if diff := cmp.Diff(want, id); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func testRights(t *testing.T, s server) {
	if s.idmAdmin == "" {
		t.Skip("no service accounts can be made: SELF_AUTH_IDM_ADMIN_PASSWORD is not set")
	}
	all := s.open(t, s.rw)
	person := newPersons(t, all, 1)
	if err := all.Accounts().Create(t.Context(), person); err != nil {
		t.Fatal(err)
	}
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
			if diff := cmp.Diff([][]string{test.missing, test.unreadable},
				[][]string{id.Missing, id.Unreadable}); diff != "" {
				t.Errorf("missing, unreadable (-want +got):\n%s", diff)
			}
			// What Whoami says is what the server does.
			sees := false
			for seen, err := range p.Directory().Persons(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				sees = sees || seen.ID == person[0].ID
			}
			if sees == slices.Contains(test.unreadable, peopleAdmins) {
				t.Errorf("sees persons: %v, though unreadable is %v", sees, test.unreadable)
			}
			if err := p.Accounts().Create(t.Context(), newPersons(t, all, 1)); slices.Contains(test.missing,
				peopleAdmins) {
				wantKind(t, err, state.ErrorDenied, token)
				if err != nil && !strings.Contains(err.Error(), peopleAdmins) {
					t.Errorf("%q does not name the group that gives the right", err)
				}
			} else if err != nil {
				t.Error(err)
			}
			group := newGroup(t, all)
			if err := p.Accounts().CreateGroups(t.Context(),
				[]providers.NewGroup{group}); slices.Contains(test.missing, groupAdmins) {
				wantKind(t, err, state.ErrorDenied, token)
			} else if err != nil {
				t.Error(err)
			}
			if _, err := p.Directory().OtherNames(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	err := s.open(t, s.ro).Accounts().Create(t.Context(), newPersons(t, all, 1))
	wantKind(t, err, state.ErrorDenied, s.ro)
	if err == nil || !strings.Contains(err.Error(), "the token may read only") {
		t.Errorf("a write by the read-only token: %v", err)
	}
}

func testConnections(t *testing.T, s server) {
	wrong := s.rw[:len(s.rw)-12] + "abcdefghijkl"
	_, err := s.open(t, wrong).Whoami(t.Context())
	wantKind(t, err, state.ErrorUnauthenticated, wrong)

	p, err := Open(Options{URL: s.url, Token: s.rw})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Whoami(t.Context())
	wantKind(t, err, state.ErrorUnreachable, s.rw)
	if err == nil || !strings.Contains(err.Error(), "SELF_AUTH_CA_FILE") {
		t.Errorf("a certificate of an unknown authority: %v", err)
	}

	if s.idmAdmin == "" {
		t.Skip("no service accounts can be made: SELF_AUTH_IDM_ADMIN_PASSWORD is not set")
	}
	past := time.Now().Add(-time.Hour).Unix()
	expired := s.account(t, &past)
	_, err = s.open(t, expired).Whoami(t.Context())
	wantKind(t, err, state.ErrorUnauthenticated, expired)
	if err == nil || !strings.Contains(err.Error(), "the token expired on ") {
		t.Errorf("expired token: %v", err)
	}
}
