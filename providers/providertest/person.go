package providertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

func (r *run) newPersons(n int) []providers.NewPerson {
	base := r.name("person")
	list := make([]providers.NewPerson, n)
	for i := range list {
		name := fmt.Sprintf("%s-%d", base, i)
		list[i] = providers.NewPerson{
			ID: uuid.New(), Name: name, Display: "Person Ünï " + name, Mail: name + "@corp.example",
		}
	}
	return list
}

func idsOf(list []providers.NewPerson) []uuid.UUID {
	ids := make([]uuid.UUID, len(list))
	for i, p := range list {
		ids[i] = p.ID
	}
	return ids
}

// made makes n persons in one call.
func (r *run) made(t testing.TB, a providers.Accounts, n int) []providers.NewPerson {
	t.Helper()
	list := r.newPersons(n)
	must(t, fmt.Sprintf("create %d persons", n), a.Create(within(t), list))
	return list
}

// shown is how new persons are to be read, sorted by id.
func shown(list []providers.NewPerson, expired bool) []providers.Person {
	want := make([]providers.Person, len(list))
	for i, p := range list {
		want[i] = providers.Person{ID: p.ID, Name: p.Name, Display: p.Display, Expired: expired, Closed: expired}
		if p.Mail != "" {
			want[i].Mails = []string{p.Mail}
		}
	}
	slices.SortFunc(want, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return want
}

// found are those of the ids that a look-up finds, sorted by id.
func found(t testing.TB, p Provider, ids []uuid.UUID) []providers.Person {
	t.Helper()
	got, err := p.Accounts().Lookup(within(t), ids)
	must(t, fmt.Sprintf("look up %d persons", len(ids)), err)
	slices.SortFunc(got, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return got
}

// listed are those of the ids that the listing has, sorted by id.
func listed(t testing.TB, p Provider, ids []uuid.UUID) []providers.Person {
	t.Helper()
	wanted := map[uuid.UUID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	got := []providers.Person{}
	for person, err := range p.Directory().Persons(within(t)) {
		must(t, "list persons", err)
		if wanted[person.ID] {
			got = append(got, person)
		}
	}
	slices.SortFunc(got, func(a, b providers.Person) int { return byID(a.ID, b.ID) })
	return got
}

// see wants persons to be looked up and listed as they were made.
func (r *run) see(t testing.TB, what string, p Provider, list []providers.NewPerson, expired bool) {
	t.Helper()
	r.seeThese(t, what, p, shown(list, expired))
}

func (r *run) seeThese(t testing.TB, what string, p Provider, want []providers.Person) {
	t.Helper()
	list := make([]providers.NewPerson, len(want))
	for i, w := range want {
		list[i].ID = w.ID
	}
	same(t, what+", looked up", want, found(t, p, idsOf(list)))
	same(t, what+", listed", want, listed(t, p, idsOf(list)))
}

// gone wants persons to be nowhere.
func (r *run) gone(t testing.TB, what string, p Provider, ids []uuid.UUID) {
	t.Helper()
	same(t, what+", looked up", []providers.Person{}, found(t, p, ids))
	same(t, what+", listed", []providers.Person{}, listed(t, p, ids))
}

func persons(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := r.newPersons(5)
	list[3].Mail, list[4].Display = "", "<b>\"'&\\ 😀 "+strings.Repeat("long ", 200)+"."
	must(t, "create", a.Create(ctx, list))
	r.see(t, "new persons", p, list, false)
	same(t, "with somebody absent and a person twice", shown(list[:1], false),
		slices.CompactFunc(found(t, p, []uuid.UUID{list[0].ID, uuid.New(), list[0].ID}),
			func(a, b providers.Person) bool { return a.ID == b.ID }))
	same(t, "nobody looked up", 0, len(found(t, p, nil)))
	capitals := r.newPersons(1)
	capitals[0].Name = strings.ToUpper(capitals[0].Name) + ".Z"
	must(t, "create with capitals in the name", a.Create(ctx, capitals))
	capitals[0].Name = strings.ToLower(capitals[0].Name)
	r.see(t, "a name with capitals, which the server lowers", p, capitals, false)
	n := 0
	for _, err := range p.Directory().Persons(ctx) {
		must(t, "list persons", err)
		if n++; n == 3 {
			break
		}
	}
	same(t, "persons of a listing that is left after three", 3, n)
}

// refusedPersons: what is wrong with one person refuses the whole batch, and nobody is made.
func refusedPersons(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	there, dead := r.made(t, a, 2), r.made(t, a, 1)[0]
	must(t, "delete one", a.Delete(ctx, []uuid.UUID{dead.ID}))
	group, client := r.name("group"), r.name("client")
	groupID := r.group(t, a, named(group))
	clientID := r.client(t, a, client, "public")
	for _, bad := range []struct {
		what  string
		spoil func(*providers.NewPerson)
		alone state.ErrorKind
		many  state.ErrorKind
	}{
		{"a bad address", func(p *providers.NewPerson) { p.Mail = "secret no mail" }, state.ErrorRefused,
			state.ErrorRefused},
		{"a bad name", func(p *providers.NewPerson) { p.Name = "9secret" }, state.ErrorRefused, state.ErrorRefused},
		{"no name", func(p *providers.NewPerson) { p.Name = "" }, state.ErrorRefused, state.ErrorRefused},
		{"a bad display name", func(p *providers.NewPerson) { p.Display = "secret\nline" }, state.ErrorRefused,
			state.ErrorRefused},
		{"no display name", func(p *providers.NewPerson) { p.Display = "" }, state.ErrorRefused, state.ErrorRefused},
		{"a name in use", func(p *providers.NewPerson) { p.Name = there[0].Name }, state.ErrorConflict,
			state.ErrorConflict},
		{"a name in use, in capitals", func(p *providers.NewPerson) { p.Name = strings.ToUpper(there[0].Name) },
			state.ErrorConflict, state.ErrorConflict},
		{"the name of a group", func(p *providers.NewPerson) { p.Name = group }, state.ErrorConflict,
			state.ErrorConflict},
		{"the name of a client", func(p *providers.NewPerson) { p.Name = client }, state.ErrorConflict,
			state.ErrorConflict},
		{"the name of a built-in account", func(p *providers.NewPerson) { p.Name = "idm_admin" }, state.ErrorConflict,
			state.ErrorConflict},
		{"an address in use", func(p *providers.NewPerson) { p.Mail = there[1].Mail }, state.ErrorConflict,
			state.ErrorConflict},
		{"a name and an address in use", func(p *providers.NewPerson) {
			p.Name, p.Mail = there[0].Name,
				there[1].Mail
		}, state.ErrorConflict, state.ErrorConflict},
		{"the id of a person", func(p *providers.NewPerson) { p.ID = there[0].ID }, state.ErrorConflict,
			state.ErrorConflict},
		{"the id of a group", func(p *providers.NewPerson) { p.ID = groupID }, state.ErrorConflict,
			state.ErrorConflict},
		{"the id of a client", func(p *providers.NewPerson) { p.ID = clientID }, state.ErrorConflict,
			state.ErrorConflict},
		{"the id of a deleted person", func(p *providers.NewPerson) { p.ID = dead.ID }, state.ErrorBurnt,
			state.ErrorConflict},
		{"more than a request may hold", func(p *providers.NewPerson) {
			p.Display = strings.Repeat("secret",
				400_000)
		}, state.ErrorRefused, state.ErrorRefused},
	} {
		list := r.newPersons(6)
		bad.spoil(&list[4])
		secrets := []string{"secret", there[0].Name, there[1].Mail}
		r.kind(t, "create six, one with "+bad.what, a.Create(ctx, list), bad.many, secrets...)
		r.gone(t, "the others of a batch with "+bad.what, p, append(idsOf(list[:4]), list[5].ID))
		r.kind(t, "create one with "+bad.what, a.Create(ctx, list[4:5]), bad.alone, secrets...)
		must(t, "create the others", a.Create(ctx, append(list[:4:4], list[5])))
	}
	twice := r.newPersons(2)
	twice[1].ID = twice[0].ID
	r.kind(t, "create two of one id", a.Create(ctx, twice), state.ErrorConflict)
	twice = r.newPersons(2)
	twice[1].Name = twice[0].Name
	r.kind(t, "create two of one name", a.Create(ctx, twice), state.ErrorConflict)
	twice = r.newPersons(2)
	twice[1].Mail = twice[0].Mail
	r.kind(t, "create two of one address", a.Create(ctx, twice), state.ErrorConflict)
	r.gone(t, "two of one address", p, idsOf(twice))
	other := r.newPersons(1)
	// The server tells capitals from small letters.
	other[0].Mail = strings.ToUpper(there[0].Mail)
	must(t, "create with an address in capitals", a.Create(ctx, other))
	r.see(t, "persons who were there", p, append(there, other...), false)
	free := r.newPersons(1)
	free[0].Name, free[0].Mail = dead.Name, dead.Mail
	must(t, "create with name and address of a deleted person", a.Create(ctx, free))
	r.see(t, "person with name and address of a deleted one", p, free, false)
}

func expiredPersons(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := r.made(t, a, 2)
	ids := idsOf(list)
	for range 2 {
		must(t, "expire", a.Expire(ctx, ids[:1]))
		r.see(t, "expired person", p, list[:1], true)
		r.see(t, "the other", p, list[1:], false)
	}
	for range 2 {
		must(t, "enable", a.Enable(ctx, ids))
		r.see(t, "enabled persons", p, list, false)
	}
	// Somebody else's expiry: to come it is none yet, past it is one; both go.
	set := func(at time.Time) {
		r.do(t, "PATCH", "/v1/person/"+ids[0].String(),
			entry{attributes{"account_expire": {at.UTC().Format(time.RFC3339)}}})
	}
	set(time.Now().Add(48 * time.Hour))
	r.see(t, "person who is to expire", p, list[:1], false)
	must(t, "expire a person who is to expire", a.Expire(ctx, ids[:1]))
	r.see(t, "person who was to expire", p, list[:1], true)
	set(time.Now().Add(-time.Hour))
	others := shown(list[:1], true)
	others[0].Closed = false // not by us
	r.seeThese(t, "person who expired an hour ago", p, others)
	must(t, "enable a person whom somebody else expired", a.Enable(ctx, ids[:1]))
	r.see(t, "person whom somebody else had expired", p, list[:1], false)
}

func revivedPersons(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := r.made(t, a, 3)
	ids := sorted(idsOf(list))
	g1, g2 := r.group(t, a, named(r.name("group"))), r.group(t, a, named(r.name("group")))
	must(t, "join", a.AddMembers(ctx, g1, ids))
	must(t, "join", a.AddMembers(ctx, g2, ids[:2]))
	check := func(what string, in1, in2 []uuid.UUID) {
		t.Helper()
		for g, want := range map[uuid.UUID][]uuid.UUID{g1: in1, g2: in2} {
			got, err := a.Members(ctx, g, ids)
			must(t, "members", err)
			if !slices.Equal(want, got) {
				t.Errorf("members after %s: %v, want %v", what, got, want)
			}
		}
	}
	must(t, "expire all", a.Expire(ctx, ids))
	for range 2 {
		must(t, "delete two", a.Delete(ctx, ids[:2]))
		r.gone(t, "deleted persons", p, ids[:2])
		check("deleting two", ids[2:], nil)
		r.recycled(t, p, ids[0], true)
		r.recycled(t, p, ids[2], false)
	}
	again := slices.DeleteFunc(slices.Clone(list), func(p providers.NewPerson) bool { return p.ID == ids[2] })
	r.kind(t, "create a deleted person again", a.Create(ctx, again[:1]), state.ErrorBurnt)
	// Those who are there already are fine.
	for range 2 {
		must(t, "revive", a.Revive(ctx, ids))
		r.see(t, "revived persons, expired as they were", p, list, true)
		check("reviving them", ids, ids[:2])
		r.recycled(t, p, ids[0], false)
	}
	r.kind(t, "create a person who is there", a.Create(ctx, again[:1]), state.ErrorConflict)
	must(t, "enable", a.Enable(ctx, ids))
	r.see(t, "revived persons, enabled", p, list, false)
	must(t, "revive nobody", a.Revive(ctx, nil))

	// A name that somebody else has taken meanwhile.
	must(t, "delete one", a.Delete(ctx, []uuid.UUID{list[0].ID}))
	heir := r.newPersons(1)
	heir[0].Name = list[0].Name
	must(t, "create one of its name", a.Create(ctx, heir))
	r.kind(t, "revive one whose name is in use", a.Revive(ctx, []uuid.UUID{list[0].ID}), state.ErrorConflict)
	r.gone(t, "person whose name is in use", p, []uuid.UUID{list[0].ID})
	must(t, "delete the heir", a.Delete(ctx, idsOf(heir)))
	must(t, "revive the first", a.Revive(ctx, []uuid.UUID{list[0].ID}))
	r.see(t, "all of them", p, list, false)
}

func readdressed(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := r.made(t, a, 2)
	id, base, other := list[0].ID, list[0].Name, list[1].Mail
	now := []string{list[0].Mail}
	check := func(what string, want []string) {
		t.Helper()
		person := shown(list[:1], false)
		person[0].Mails = want
		same(t, "person after "+what+", looked up", person, found(t, p, []uuid.UUID{id}))
		same(t, "person after "+what+", listed", person, listed(t, p, []uuid.UUID{id}))
	}
	m := func(local string) string { return local + "." + base + "@corp.example" }
	for _, step := range []struct {
		what     string
		to, want []string
	}{
		{"another address", []string{m("b")}, []string{m("b")}},
		{"three, the primary one first", []string{m("z"), m("y"), m("a")}, []string{m("z"), m("a"), m("y")}},
		{"another primary one", []string{m("y"), m("z"), m("a")}, []string{m("y"), m("a"), m("z")}},
		{"one of them twice", []string{m("a"), m("y"), m("a")}, []string{m("a"), m("y")}},
		{"two that differ in capitals", []string{m("b"), strings.ToUpper(m("b"))},
			[]string{m("b"), strings.ToUpper(m("b"))}},
		{"the one of old", now, now},
		{"none", nil, nil},
		{"none in a list", []string{}, nil},
		{"back again", now, now},
	} {
		for range 2 {
			must(t, "readdress to "+step.what, a.Readdress(ctx, id, step.to))
			check(step.what, step.want)
		}
	}
	r.kind(t, "readdress to an address in use", a.Readdress(ctx, id, []string{m("c"), other}), state.ErrorConflict,
		other)
	check("an address in use", now)
	r.kind(t, "readdress to a bad address", a.Readdress(ctx, id, []string{m("c"), "secret no mail"}),
		state.ErrorRefused, "secret")
	check("a bad address", now)
	r.kind(t, "readdress nobody", a.Readdress(ctx, uuid.New(), now), state.ErrorNotFound)
	group := r.group(t, a, named(r.name("group")))
	r.kind(t, "readdress a group", a.Readdress(ctx, group, []string{m("d")}), state.ErrorNotFound)
	must(t, "delete", a.Delete(ctx, []uuid.UUID{id}))
	r.kind(t, "readdress a deleted person", a.Readdress(ctx, id, now), state.ErrorNotFound)
	must(t, "give its address to the other", a.Readdress(ctx, list[1].ID, append([]string{other}, now...)))
	r.kind(t, "revive one whose address is in use", a.Revive(ctx, []uuid.UUID{id}), state.ErrorConflict)
	must(t, "take it from the other", a.Readdress(ctx, list[1].ID, []string{other}))
	must(t, "revive", a.Revive(ctx, []uuid.UUID{id}))
	check("revive", now)
}

// foreignPerson: of a person whom somebody else has made only what is asked for changes.
func foreignPerson(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	id, name := uuid.New(), r.name("foreign")
	path := "/v1/person/" + id.String()
	r.do(t, "POST", "/v1/person", entry{attributes{
		"uuid": {id.String()}, "name": {name}, "displayname": {" Theirs "},
		"mail": {"z." + name + "@corp.example", "a." + name + "@corp.example"},
	}})
	r.do(t, "PATCH", path, entry{attributes{
		"legalname": {"Their Name"}, "account_valid_from": {"2020-01-01T00:00:00Z"},
	}})
	want := []providers.Person{{
		ID: id, Name: name, Display: " Theirs ",
		Mails: []string{"z." + name + "@corp.example", "a." + name + "@corp.example"},
	}}
	same(t, "foreign person, looked up", want, found(t, p, []uuid.UUID{id}))
	same(t, "foreign person, listed", want, listed(t, p, []uuid.UUID{id}))
	r.do(t, "PATCH", path, entry{attributes{"account_valid_from": {"2099-01-01T00:00:00Z"}}})
	want[0].Early = true
	same(t, "not valid yet, looked up", want, found(t, p, []uuid.UUID{id}))
	same(t, "not valid yet, listed", want, listed(t, p, []uuid.UUID{id}))
	r.do(t, "PATCH", path, entry{attributes{"account_valid_from": {"2020-01-01T00:00:00Z"}}})
	before := r.entry(t, path)
	must(t, "expire", a.Expire(ctx, []uuid.UUID{id}))
	must(t, "enable", a.Enable(ctx, []uuid.UUID{id}))
	must(t, "readdress", a.Readdress(ctx, id, []string{"n." + name + "@corp.example"}))
	must(t, "readdress back", a.Readdress(ctx, id, want[0].Mails))
	must(t, "delete", a.Delete(ctx, []uuid.UUID{id}))
	must(t, "revive", a.Revive(ctx, []uuid.UUID{id}))
	same(t, "the whole entry after all was undone", before, r.entry(t, path))
}
