package planner_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/providers/providertest"
	"anthill/state"
)

// named is a fake with the users of the names table, in whatever order they stand.
type named struct {
	*fake
	others []string
}

func (n *named) OtherNames(context.Context) ([]string, error) { return n.others, nil }

// results is a sink that keeps what becomes of each user. There is one wave, and nothing holds it: what would be taken from
// those who are due is dropped.
type results struct {
	shapes  map[uuid.UUID]plan.Shape
	adopted map[uuid.UUID]uuid.UUID
	skipped map[uuid.UUID]plan.SkipReason
}

func (r *results) Segment(kind plan.SegmentKind, _ string) int {
	if kind == plan.SegmentWithdraw {
		return withdrawn
	}
	return 0
}

const withdrawn = 1

func (r *results) Add(n int, s plan.Shape, c plan.UserChange) error {
	if n == withdrawn {
		return nil
	}
	r.shapes[c.User], r.adopted[c.User] = s, c.Person
	return nil
}

func (r *results) Shapes(int) []plan.Counted { return nil }

func (r *results) Drop(n int) error {
	if n != withdrawn {
		panic("there is one wave, and nothing holds it")
	}
	return nil
}

func (r *results) Skip(u plan.SkippedUser) error {
	r.skipped[u.User] = u.Reason
	return nil
}

// outcome is what a plan makes of a user. Of a person who is there already the display name stays empty.
type outcome struct{ Person, Display, Skip string }

// outcomes makes a plan and says what becomes of each user; no entry: nothing.
func (n *named) outcomes(t testing.TB) map[uuid.UUID]outcome {
	t.Helper()
	r := &results{map[uuid.UUID]plan.Shape{}, map[uuid.UUID]uuid.UUID{}, map[uuid.UUID]plan.SkipReason{}}
	_, diags, err := planner.Make(t.Context(), n.input(n, n), r)
	if err != nil || diags.HasErrors() {
		t.Fatalf("no plan: %v %v", diags, err)
	}
	namer := plan.Namer{Name: n.config.Identity.Name, Display: n.config.Identity.Display}
	got := map[uuid.UUID]outcome{}
	for _, u := range n.users {
		s, moved := r.shapes[u.ID]
		reason, skipped := r.skipped[u.ID]
		switch {
		case moved && skipped:
			t.Errorf("user %s is moved and skipped", u.ID)
		case skipped:
			got[u.ID] = outcome{Skip: reason.String()}
		case !moved:
		case s.Effect.Act == state.PersonAdopt:
			got[u.ID] = outcome{Person: n.nameOf(r.adopted[u.ID])}
		case s.Ground.Linked:
			got[u.ID] = outcome{Person: n.nameOf(u.Link)}
		case s.Ground.Made:
			got[u.ID] = outcome{Person: n.nameOf(state.PersonID(lineage, u.ID, s.After.Generation))}
		default:
			name, display, ok := namer.Person(u, n.slug(s.Tenant), s.Effect.Suffix)
			if !ok {
				t.Errorf("user %s is to be moved, and has no name", u.ID)
			}
			got[u.ID] = outcome{Person: name, Display: display}
		}
	}
	return got
}

func (n *named) slug(tenant uuid.UUID) string {
	i := slices.IndexFunc(n.tenants, func(t providers.Tenant) bool { return t.ID == tenant })
	return n.tenants[i].Slug
}

// nameOf is the name of a person who is there.
func (n *named) nameOf(person uuid.UUID) string {
	i := slices.IndexFunc(n.persons, func(p providers.Person) bool { return p.ID == person })
	if i < 0 {
		return "nobody"
	}
	return n.persons[i].Name
}

// inParts are the names table by template: the users of one part are in one plan.
func inParts() map[string][]providertest.Name {
	parts := map[string][]providertest.Name{}
	for _, n := range providertest.Names() {
		parts[n.Template] = append(parts[n.Template], n)
	}
	return parts
}

// newNamed is the world of one part of the names table: beside its users all those whose names are in use.
func newNamed(t testing.TB, names []providertest.Name) *named {
	t.Helper()
	n := &named{fake: newFake(t), others: []string{"admin", "anonymous", "idm_admin", "acme.robot", "acme.portal"}}
	n.config.Identity.Name, n.config.Identity.AdoptMail = template(t, names[0].Template), true
	n.config.Clients = []config.Client{{Address: "oauth2_client.shop", Name: "acme.shop",
		Attributes: texts("name", "acme.shop")}}
	n.clients = []providers.Client{{ID: id(220), Name: "acme.portal", Attributes: texts("name", "acme.portal")}}
	n.groups = []providers.Group{{ID: id(221), Name: "acme.staff"}, {ID: id(0), Name: "idm_all_persons", Builtin: true}}
	n.persons = []providers.Person{{ID: id(200), Name: "acme.lena"}, {ID: id(201), Name: "acme.nina", Expired: true}}
	tenants := map[string]uuid.UUID{"acme": acme, "globex": globex, "initech": initech}
	n.users = []providers.User{{ID: id(230), Tenant: acme, Email: "tom-x@names.example", Status: "active",
		Deleted: true}}
	for _, c := range names {
		if _, there := tenants[c.Tenant]; !there {
			tenants[c.Tenant] = uuid.NewSHA1(acme, []byte(c.Tenant))
			n.tenants = append(n.tenants, providers.Tenant{ID: tenants[c.Tenant], Slug: c.Tenant, Status: "active"})
		}
		u := providers.User{ID: c.User(), Tenant: tenants[c.Tenant], Email: c.Mail, FullName: c.FullName, Role: "user",
			Status: "active", Verified: true, HasPassword: true, CanPassword: true, Method: state.MethodPassword}
		n.circumstances(&u, c)
		n.users = append(n.users, u)
	}
	return n
}

// circumstances are what a case has beside its row's name and address.
func (n *named) circumstances(u *providers.User, c providertest.Name) {
	ours := state.PersonID(lineage, u.ID, 1)
	holds := func(person uuid.UUID, name string, mails ...string) {
		n.persons = append(n.persons, providers.Person{ID: person, Name: name, Mails: mails})
	}
	switch c.Case {
	case "inactive, though its name counts":
		u.Status = "inactive"
	case "a person of ours, by its id":
		holds(ours, c.Person, u.Email)
	case "linked to a person of ours":
		u.Link = ours
		holds(ours, c.Person, u.Email)
	case "linked to somebody else's person":
		u.Link = id(202)
		holds(id(202), c.Person)
	case "linked to a person that is not there":
		u.Link = id(203)
	case "a person with the address is taken over":
		holds(id(204), c.Person, u.Email)
	case "taken over, whatever the address's case":
		holds(id(205), c.Person, "vera.w@names.example")
	case "the same address, never verified":
		u.Verified = false
		holds(id(206), "vera.x", u.Email)
	case "two persons with the address, but for case":
		holds(id(207), "vera.y", u.Email)
		holds(id(208), "vera.z", "VERA.Z@names.example")
	}
}

func shuffle[T any](r *rand.Rand, list []T) {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// TestNames: which name the person of a user gets, or why the user is skipped. The order of users and tenants is
// fixed by providers.Database, and no name may hang on it.
func TestNames(t *testing.T) {
	t.Parallel()
	for source, names := range inParts() {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			cases, want := map[uuid.UUID]string{}, map[string]outcome{}
			for _, c := range names {
				cases[c.User()], want[c.Case] = c.Case, outcome{c.Person, c.Shown(), c.Skip}
				if c.Person == "" || c.Keeps {
					want[c.Case] = outcome{Person: c.Person, Skip: c.Skip}
				}
			}
			n := newNamed(t, names)
			for seed := range uint64(5) {
				got := map[string]outcome{}
				for user, o := range n.outcomes(t) {
					got[cases[user]] = o
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("names after %d shuffles (-want +got):\n%s", seed, diff)
				}
				r := rand.New(rand.NewPCG(seed, 0))
				shuffle(r, n.users)
				shuffle(r, n.tenants)
				shuffle(r, n.persons)
				shuffle(r, n.groups)
				shuffle(r, n.others)
			}
		})
	}
}

// TestNamesFromRunToRun: a run that was stopped has made some of the persons; the next plan gives the others the names
// that the first one gave them.
func TestNamesFromRunToRun(t *testing.T) {
	t.Parallel()
	for source, names := range inParts() {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(10) {
				n, r := newNamed(t, names), rand.New(rand.NewPCG(seed, 1))
				want := n.outcomes(t)
				for i, u := range n.users {
					o := want[u.ID]
					if o.Person == "" || o.Display == "" || r.IntN(2) == 0 {
						continue
					}
					person := state.PersonID(lineage, u.ID, 1)
					n.persons = append(n.persons, providers.Person{ID: person, Name: o.Person, Display: o.Display,
						Mails: []string{u.Email}})
					want[u.ID] = outcome{Person: o.Person}
					if r.IntN(2) == 0 { // the row was written as well, and the state is lost
						n.users[i].Link = person
					}
				}
				if diff := cmp.Diff(want, n.outcomes(t)); diff != "" {
					t.Errorf("seed %d (-want +got):\n%s", seed, diff)
				}
			}
		})
	}
}

// TestNameOfTheMoved: who has moved keeps the name, and a newcomer finds it in use.
func TestNameOfTheMoved(t *testing.T) {
	t.Parallel()
	n := &named{fake: newFake(t)}
	n.user(10).Email, n.user(11).Email = "kim+a@1.example", "kim-a@1.example"
	n.moved(10, "everyone")
	n.persons[0].Name = "acme.kim-a"
	got := n.outcomes(t)
	if o, changed := got[id(10)]; changed {
		t.Errorf("of the moved user: %+v, want nothing", o)
	}
	want := outcome{Person: plan.CleanName("acme.kim-a", id(11), true), Display: "U"}
	if diff := cmp.Diff(want, got[id(11)]); diff != "" {
		t.Errorf("newcomer (-want +got):\n%s", diff)
	}
}

// TestNamesTable: what the table promises of itself.
func TestNamesTable(t *testing.T) {
	t.Parallel()
	names := providertest.Names()
	if len(names) < 80 {
		t.Errorf("%d cases, want 80 at least", len(names))
	}
	cases, persons, mails := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, n := range names {
		var reason plan.SkipReason
		if err := reason.UnmarshalText([]byte(n.Skip)); (n.Person == "") == (err != nil) {
			t.Errorf("%s: person %q and reason %q, want one of them", n.Case, n.Person, n.Skip)
		}
		if cases[n.Case] || n.Person != "" && (persons[n.Person] || mails[n.Mail]) {
			t.Errorf("%s: its name or that of its person or its address stands twice", n.Case)
		}
		cases[n.Case], persons[n.Person] = true, true
		if n.Person != "" {
			mails[n.Mail] = true
		}
	}
}
