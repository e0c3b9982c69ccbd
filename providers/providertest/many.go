package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// many does to n persons at once what a batch does; others, and ids of nobody, are among and beside them.
func many(t *testing.T, r *run, n int) {
	owner := r.name("own")
	p := r.Open(t, r.Tokens.ReadWrite, owner)
	a, ctx := p.Accounts(), within(t)
	list, others := r.made(t, a, n), r.made(t, a, 2)
	ids := idsOf(list)
	with := append(slices.Clone(ids), uuid.New(), uuid.New())
	group := r.group(t, a, named(r.name("crowd")))
	r.see(t, "new persons", p, list, false)
	again := r.newPersons(1)
	again[0].Name = list[n-1].Name
	r.kind(t, "create them again with one more", a.Create(ctx, append(again, list...)), state.ErrorConflict)
	r.gone(t, "one more", p, idsOf(again))
	for range 2 {
		must(t, "add them to a group", a.AddMembers(ctx, group, ids))
		got, err := a.Members(ctx, group, with)
		must(t, "members", err)
		same(t, "members", sorted(ids), got)
	}
	for range 2 {
		must(t, "expire", a.Expire(ctx, with))
		r.see(t, "expired persons", p, list, true)
		r.see(t, "others, after persons were expired", p, others, false)
	}
	for range 2 {
		must(t, "enable", a.Enable(ctx, with))
		r.see(t, "enabled persons", p, list, false)
	}
	must(t, "expire others", a.Expire(ctx, idsOf(others)))
	must(t, "enable them all", a.Enable(ctx, ids))
	r.see(t, "others, after all but them were enabled", p, others, true)
	must(t, "add others to the group", a.AddMembers(ctx, group, idsOf(others)))
	for range 2 {
		must(t, "remove them from the group", a.RemoveMembers(ctx, membersOf(group, with...)))
		got, err := a.Members(ctx, group, with)
		must(t, "members", err)
		same(t, "members after they were removed", 0, len(got))
	}
	stay, err := a.Members(ctx, group, idsOf(others))
	must(t, "members who stay", err)
	same(t, "members who stay", sorted(idsOf(others)), stay)
	must(t, "add them again", a.AddMembers(ctx, group, ids))
	for range 2 {
		must(t, "delete", a.Delete(ctx, with))
		r.gone(t, "deleted persons", p, with)
		r.see(t, "others, after persons were deleted", p, others, true)
	}
	// One by one: the server has no other way.
	some := list[:min(n, 31)]
	must(t, "revive", a.Revive(ctx, idsOf(some)))
	r.see(t, "revived persons", p, some, false)
	got, err := a.Members(ctx, group, ids)
	must(t, "members", err)
	same(t, "members after persons were revived", sorted(idsOf(some)), got)
	tidy(t, p, owner)
}

// tidy wants nothing to be left of what the provider made for its own use.
func tidy(t testing.TB, p Provider, owner string) {
	t.Helper()
	for range 2 {
		must(t, "tidy", p.Accounts().Tidy(within(t)))
	}
	all, err := p.Directory().Groups(within(t))
	must(t, "list groups", err)
	for _, g := range all {
		if strings.Contains(g.Name, owner+"-") {
			t.Errorf("group %s was left behind, want none that the provider made for itself", g.Name)
		}
	}
}

func none(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	a.Taken()
	must(t, "create nobody", a.Create(ctx, nil))
	must(t, "expire nobody", a.Expire(ctx, nil))
	must(t, "enable nobody", a.Enable(ctx, nil))
	must(t, "delete nobody", a.Delete(ctx, nil))
	must(t, "revive nobody", a.Revive(ctx, nil))
	if calls, _ := a.Taken(); len(calls) != 0 {
		t.Errorf("doing nothing made %d calls, want none: %v", len(calls), calls)
	}
	absent := []uuid.UUID{uuid.New()}
	must(t, "expire somebody absent", a.Expire(ctx, absent))
	must(t, "enable somebody absent", a.Enable(ctx, absent))
	must(t, "delete somebody absent", a.Delete(ctx, absent))
	for len(absent) < 40 {
		absent = append(absent, uuid.New())
	}
	must(t, "expire many who are absent", a.Expire(ctx, absent))
	must(t, "delete many who are absent", a.Delete(ctx, absent))
	must(t, "delete many groups that are absent", a.DeleteGroups(ctx, absent))
	r.gone(t, "those who are absent", p, absent)
}

// twoAtOnce: what is done to many at a time does not get mixed up.
func twoAtOnce(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	first, second := r.made(t, a, 40), r.made(t, a, 40)
	for range 5 {
		errs := make(chan error, 2)
		go func() { errs <- a.Expire(ctx, idsOf(first)) }()
		go func() { errs <- a.Enable(ctx, idsOf(second)) }()
		for range 2 {
			must(t, "expire some while others are enabled", <-errs)
		}
		wrong := 0
		for list, expired := range map[*[]providers.NewPerson]bool{&first: true, &second: false} {
			for _, person := range found(t, p, idsOf(*list)) {
				if person.Expired != expired {
					wrong++
				}
			}
		}
		if wrong > 0 {
			if !r.known(t, "two at once", wrong) {
				t.Errorf("40 were expired while 40 others were enabled: %d of the 80 are as the others are to be, "+
					"want none", wrong)
			}
			return
		}
		first, second = second, first
	}
}

// groupAmongPersons: a group whose id is among those of persons is none, and its members stay as they are.
func groupAmongPersons(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	for _, n := range []int{3, 40} {
		list, other := r.made(t, a, n), r.made(t, a, 1)
		group := r.group(t, a, named(r.name("group")))
		must(t, "fill the group", a.AddMembers(ctx, group, idsOf(other)))
		ids := append(idsOf(list), group)
		for what, do := range map[string]func(context.Context, []uuid.UUID) error{
			"expire": a.Expire, "delete": a.Delete,
		} {
			must(t, fmt.Sprintf("%s %d persons and a group", what, n), do(ctx, ids))
			r.see(t, "member of a group among persons, after "+what, p, other, false)
			if g := listedGroup(t, p.Directory(), group); g == nil || !slices.Equal(g.Members, idsOf(other)) {
				t.Errorf("group among persons, after %s: %+v, want it with its one member", what, g)
			}
		}
	}
}

// calls: what went through is told once, with the request's id and without anything of a person.
func calls(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	if n := a.NextBatch(0); n < 1 {
		t.Errorf("the first batch holds %d users, want some", n)
	}
	list := r.made(t, a, 3)
	must(t, "expire", a.Expire(ctx, idsOf(list)))
	refused := r.newPersons(1)
	refused[0].Name = list[0].Name
	r.kind(t, "create one whose name is in use", a.Create(ctx, refused), state.ErrorConflict)
	took, notes := a.Taken()
	if len(took) != 2 || len(notes) != 0 {
		t.Errorf("after two writes and a refusal: %d calls and %d notes (%v, %v), want 2 and 0", len(took), len(notes),
			took, notes)
	}
	for _, c := range took {
		if _, err := uuid.Parse(c.Request); err != nil || c.Doing == "" || c.Took <= 0 {
			t.Errorf("call %+v, want it with the server's id of the request, what it did and how long it took", c)
		}
		if strings.Contains(c.Doing, list[0].Name) || strings.Contains(c.Doing, list[0].Mail) {
			t.Errorf("call %q shows a person's name or address", c.Doing)
		}
	}
	if took, notes = a.Taken(); len(took)+len(notes) != 0 {
		t.Errorf("taken a second time: %v, %v, want nothing", took, notes)
	}
	if n := a.NextBatch(100); n < 1 {
		t.Errorf("the batch after one of 100 holds %d users, want some", n)
	}
	same(t, "calls that were tried again", 0, int(a.Retries()))
}

// interrupted: a call whose context has ended does nothing, and its error says so.
func interrupted(t *testing.T, r *run) {
	p := r.open(t)
	a := p.Accounts()
	list := r.made(t, a, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	next := r.newPersons(1)
	for what, do := range map[string]func() error{
		"create":  func() error { return a.Create(ctx, next) },
		"expire":  func() error { return a.Expire(ctx, idsOf(list)) },
		"look up": func() error { _, err := a.Lookup(ctx, idsOf(list)); return err },
		"members": func() error { _, err := a.Members(ctx, uuid.New(), nil); return err },
		"read":    func() error { _, _, err := a.ReadObject(ctx, state.KindGroup, uuid.New(), ""); return err },
		"groups":  func() error { _, err := p.Directory().Groups(ctx); return err },
		"clients": func() error { _, err := p.Directory().Clients(ctx); return err },
		"persons": func() error {
			for _, err := range p.Directory().Persons(ctx) {
				return err
			}
			return nil
		},
	} {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s in an ended context: %v, want context.Canceled in its chain", what, err)
		}
	}
	r.gone(t, "person who was to be made in an ended context", p, idsOf(next))
	r.see(t, "person who was to expire in an ended context", p, list, false)
}

// otherNames are the names in use that no listing of persons or groups has.
func otherNames(t *testing.T, r *run) {
	p := r.open(t)
	name := r.name("client")
	r.client(t, p.Accounts(), name, "public")
	person := r.made(t, p.Accounts(), 1)[0]
	got, err := p.Directory().OtherNames(within(t))
	must(t, "other names", err)
	for _, want := range []string{"admin", "idm_admin", "anonymous", name} {
		if !slices.Contains(got, want) {
			t.Errorf("other names are %v, want %s among them", got, want)
		}
	}
	if slices.Contains(got, person.Name) {
		t.Errorf("other names have %s, want no person", person.Name)
	}
}

// names: a server takes each name and address that a plan gives to a person, and none of those that plans leave out.
func names(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	taken := map[string]bool{}
	for person, err := range p.Directory().Persons(ctx) {
		must(t, "list persons", err)
		taken[person.Name] = true
	}
	var made []providers.NewPerson
	for _, n := range Names() {
		person := providers.NewPerson{ID: uuid.New(), Name: n.Person, Display: n.Shown(), Mail: n.Mail}
		r.note(person.ID)
		switch {
		case taken[n.Person]:
			t.Errorf("%s: somebody on this server has the name %s already; want a server without", n.Case, n.Person)
		case n.Person != "":
			err := a.Create(ctx, []providers.NewPerson{person})
			if err != nil && r.known(t, n.Case, err) {
				continue
			}
			must(t, n.Case+": create "+n.Person, err)
			made = append(made, person)
		case n.Skip == "email_refused":
			person.Name, person.Display = r.name("refused"), "N"
			r.kind(t, n.Case+": create with the address", a.Create(ctx, []providers.NewPerson{person}),
				state.ErrorRefused)
		}
	}
	r.see(t, "persons with the names of plans", p, made, false)
}
