package providertest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// group makes a group and returns its id.
func (r *run) group(t testing.TB, a providers.Accounts, at state.Attributes) uuid.UUID {
	t.Helper()
	id := uuid.New()
	must(t, "create group "+at.Text(state.AttrName), createGroup(within(t), a, id, at))
	return id
}

// createGroup makes one group alone.
func createGroup(ctx context.Context, a providers.Accounts, id uuid.UUID, at state.Attributes) error {
	name, description := at.Text(state.AttrName), at.Text(state.AttrDescription)
	return a.CreateGroups(ctx, []providers.NewGroup{{ID: id, Name: name, Description: description}})
}

// read is what an object is by its id.
func read(t testing.TB, a providers.Accounts, kind state.Kind, id uuid.UUID) state.Attributes {
	t.Helper()
	at, got, err := a.ReadObject(within(t), kind, id, "")
	must(t, "read an object", err)
	same(t, "id of the object that was read", id, got)
	return at
}

// listedGroup is a group in the listing; nil: it is not there. Its place is left out.
func listedGroup(t testing.TB, d providers.Directory, id uuid.UUID) *providers.Group {
	t.Helper()
	all, err := d.Groups(within(t))
	must(t, "list groups", err)
	if !slices.IsSortedFunc(all, func(a, b providers.Group) int { return byID(a.ID, b.ID) }) {
		t.Error("the listing of groups is not sorted by id")
	}
	i, there := slices.BinarySearchFunc(all, id, func(g providers.Group, id uuid.UUID) int { return byID(g.ID, id) })
	if !there {
		return nil
	}
	all[i].Place = 0
	return &all[i]
}

func groups(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	want := texts{state.AttrName: r.name("group"), state.AttrDescription: "Ünï group"}.at()
	id := r.group(t, a, want)
	check := func(what string, want state.Attributes) {
		t.Helper()
		same(t, "group after "+what, want, read(t, a, state.KindGroup, id))
		same(t, "listed group after "+what, &providers.Group{
			ID: id, Name: want.Text(state.AttrName), Description: want.Text(state.AttrDescription),
		}, listedGroup(t, p.Directory(), id))
	}
	check("create", want)

	// A stopped run may have made it: its id says that it is the same.
	other := texts{state.AttrName: want.Text(state.AttrName), state.AttrDescription: "another"}.at()
	must(t, "create it again", createGroup(ctx, a, id, other))
	must(t, "create it again under another name", createGroup(ctx, a, id, named(r.name("again"))))
	check("create again", want)

	was := want
	for _, step := range []struct {
		what string
		to   state.Attributes
		want state.Attributes
	}{
		{"another description", texts{state.AttrDescription: "b"}.at(),
			texts{state.AttrName: was.Text(state.AttrName), state.AttrDescription: "b"}.at()},
		{"no description", texts{state.AttrDescription: ""}.at(), named(was.Text(state.AttrName))},
		{"no description again", texts{state.AttrDescription: ""}.at(), named(was.Text(state.AttrName))},
		{"another name", named(was.Text(state.AttrName) + "-b"), named(was.Text(state.AttrName) + "-b")},
		{"undo", was, was},
		{"nothing given", state.Attributes{}, was},
		{"the same", was, was},
		{"capitals, which the server lowers", named(strings.ToUpper(was.Text(state.AttrName)) + ".C"),
			texts{
				state.AttrName:        was.Text(state.AttrName) + ".c",
				state.AttrDescription: was.Text(state.AttrDescription),
			}.at()},
		{"undo of that", was, was},
	} {
		now := read(t, a, state.KindGroup, id)
		// The second time it is done already.
		for range 2 {
			must(t, "change to "+step.what, a.ChangeObject(ctx, state.KindGroup, id, now, step.to))
			check("change to "+step.what, step.want)
		}
	}
	a.Taken()
	must(t, "change nothing", a.ChangeObject(ctx, state.KindGroup, id, was, was))
	if calls, _ := a.Taken(); len(calls) != 0 {
		t.Errorf("a change of nothing made %d calls, want none: %v", len(calls), calls)
	}

	must(t, "delete", a.DeleteObject(ctx, state.KindGroup, id, was))
	same(t, "deleted group", nil, read(t, a, state.KindGroup, id))
	same(t, "deleted group in the listing", nil, listedGroup(t, p.Directory(), id))
	r.kind(t, "delete it again", a.DeleteObject(ctx, state.KindGroup, id, was), state.ErrorNotFound)
	r.kind(t, "create with the id of a deleted group", createGroup(ctx, a, id, was), state.ErrorBurnt)
	next := r.group(t, a, was) // its name is free at once
	r.kind(t, "revive while the name is in use", a.Revive(ctx, []uuid.UUID{id}), state.ErrorConflict)
	must(t, "delete the one with its name", a.DeleteObject(ctx, state.KindGroup, next, was))
	must(t, "revive", a.Revive(ctx, []uuid.UUID{id}))
	check("revive", was)
	if _, err := a.CreateObject(ctx, state.KindGroup, uuid.New(), named(r.name("group"))); err == nil {
		t.Error("a group was made as an object, want CreateGroups to be the one way")
	}
}

func groupRefusals(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	want := texts{state.AttrName: r.name("group"), state.AttrDescription: "d"}.at()
	id := r.group(t, a, want)
	other := named(r.name("group"))
	r.group(t, a, other)
	person := r.made(t, a, 1)[0]
	client := r.name("client")
	_, err := a.CreateObject(ctx, state.KindClient, uuid.Nil, newClient(client, "public"))
	must(t, "create a client", err)

	for _, bad := range []struct {
		what string
		at   state.Attributes
		kind state.ErrorKind
	}{
		{"the name of a group", named(other.Text(state.AttrName)), state.ErrorConflict},
		{"the name of a group in capitals", named(strings.ToUpper(other.Text(state.AttrName))), state.ErrorConflict},
		{"the name of a person", named(person.Name), state.ErrorConflict},
		{"the name of a client", named(client), state.ErrorConflict},
		{"the name of a built-in group", named("idm_all_persons"), state.ErrorConflict},
		{"a name that begins with a digit", named("9" + other.Text(state.AttrName)), state.ErrorRefused},
		{"a name with a blank", named("secret name"), state.ErrorRefused},
		{"a name of 65", named(strings.Repeat("x", 65)), state.ErrorRefused},
		{"a name that is a UUID", named("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), state.ErrorRefused},
		{"root", named("root"), state.ErrorRefused},
		{"a description of two lines", texts{state.AttrName: r.name("g"), state.AttrDescription: "secret\nline"}.at(),
			state.ErrorRefused},
	} {
		r.kind(t, "create with "+bad.what, createGroup(ctx, a, uuid.New(), bad.at), bad.kind, "secret")
		change := texts{state.AttrDescription: "changed"}.at()
		maps.Copy(change, bad.at)
		r.kind(t, "change to "+bad.what, a.ChangeObject(ctx, state.KindGroup, id, want, change), bad.kind, "secret")
		same(t, "group after "+bad.what, want, read(t, a, state.KindGroup, id))
	}
	r.kind(t, "create with the id of a person", createGroup(ctx, a, person.ID, named(r.name("g"))), state.ErrorConflict)

	absent := uuid.New()
	same(t, "absent group", nil, read(t, a, state.KindGroup, absent))
	same(t, "a person read as a group", nil, read(t, a, state.KindGroup, person.ID))
	r.kind(t, "change an absent group", a.ChangeObject(ctx, state.KindGroup, absent, state.Attributes{}, other),
		state.ErrorNotFound)
	r.kind(t, "change a person as a group", a.ChangeObject(ctx, state.KindGroup, person.ID, state.Attributes{},
		named(r.name("g"))), state.ErrorNotFound)
	r.kind(t, "delete an absent group", a.DeleteObject(ctx, state.KindGroup, absent, other), state.ErrorNotFound)
	r.kind(t, "delete a person as a group", a.DeleteObject(ctx, state.KindGroup, person.ID, other), state.ErrorNotFound)
	r.kind(t, "revive what never was", a.Revive(ctx, []uuid.UUID{absent}), state.ErrorNotFound)
	r.see(t, "person after all that", p, []providers.NewPerson{person}, false)
}

func members(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	ids := sorted(idsOf(r.made(t, a, 20)))
	g := providers.Group{Name: r.name("group")}
	g.ID = r.group(t, a, named(g.Name))
	check := func(what string, want []uuid.UUID) {
		t.Helper()
		g.Members = want
		same(t, "group after "+what, &g, listedGroup(t, p.Directory(), g.ID))
		got, err := a.Members(ctx, g.ID, append(slices.Clone(ids), uuid.New()))
		must(t, "members after "+what, err)
		if !slices.Equal(want, got) {
			t.Errorf("members after %s: %v, want %v", what, got, want)
		}
	}
	check("create", nil)
	must(t, "add 15", a.AddMembers(ctx, g.ID, ids[:15]))
	check("adding 15", ids[:15])
	for range 2 {
		must(t, "add some that are in it", a.AddMembers(ctx, g.ID, ids[10:]))
		check("adding some that are in it", ids)
	}
	must(t, "add none", a.AddMembers(ctx, g.ID, nil))
	check("adding none", ids)
	for range 2 {
		must(t, "remove some, one of whom is nobody", a.RemoveMembers(ctx,
			membersOf(g.ID, append([]uuid.UUID{uuid.New()}, ids[5:]...)...)))
		check("removing some", ids[:5])
	}
	r.kind(t, "add somebody who is nobody", a.AddMembers(ctx, g.ID, []uuid.UUID{ids[9], uuid.New()}),
		state.ErrorNotFound)
	check("adding somebody who is nobody", ids[:5])
	must(t, "undo", a.AddMembers(ctx, g.ID, ids[5:]))
	check("undo", ids)
	some, err := a.Members(ctx, g.ID, []uuid.UUID{ids[4], ids[2], uuid.New()})
	must(t, "members of three", err)
	same(t, "members of three", []uuid.UUID{ids[2], ids[4]}, some)
	must(t, "remove all", a.RemoveMembers(ctx, membersOf(g.ID, ids...)))
	check("removing all", nil)

	// A group in a group is a member as any other, and its members are none.
	inner := r.group(t, a, named(r.name("group")))
	must(t, "fill the inner group", a.AddMembers(ctx, inner, ids[:3]))
	must(t, "add a group", a.AddMembers(ctx, g.ID, []uuid.UUID{inner}))
	g.Members = []uuid.UUID{inner}
	same(t, "group with a group in it", &g, listedGroup(t, p.Directory(), g.ID))
	nested, err := a.Members(ctx, g.ID, ids)
	must(t, "persons in a group that holds a group", err)
	same(t, "persons in a group that holds a group", 0, len(nested))

	// A member that is deleted leaves, and is back with the member.
	must(t, "delete a member", a.Delete(ctx, ids[:1]))
	left, err := a.Members(ctx, inner, ids)
	must(t, "members after one was deleted", err)
	same(t, "members after one was deleted", ids[1:3], left)
	must(t, "revive the member", a.Revive(ctx, ids[:1]))
	left, err = a.Members(ctx, inner, ids)
	must(t, "members after one was revived", err)
	same(t, "members after one was revived", ids[:3], left)

	absent := uuid.New()
	r.kind(t, "add to an absent group", a.AddMembers(ctx, absent, ids[:1]), state.ErrorNotFound)
	r.kind(t, "remove from an absent group", a.RemoveMembers(ctx, membersOf(absent, ids[0])), state.ErrorNotFound)
	r.kind(t, "remove from several groups, one of which is absent",
		a.RemoveMembers(ctx, membersOf(g.ID, ids[0]), membersOf(absent, ids[0])), state.ErrorNotFound)
	_, err = a.Members(ctx, absent, ids)
	r.kind(t, "members of an absent group", err, state.ErrorNotFound)
}

// strangers are members that a change of the group takes out, or with from and to exchanged puts back.
func strangers(t *testing.T, r *run) {
	a, ctx := r.open(t).Accounts(), within(t)
	ids := sorted(idsOf(r.made(t, a, 4)))
	was := named(r.name("group"))
	id := r.group(t, a, was)
	must(t, "add members", a.AddMembers(ctx, id, ids))
	with, without := named(was.Text(state.AttrName)), named(was.Text(state.AttrName)+"-b")
	with[state.AttrStrangers], without[state.AttrStrangers] = state.MembersValue(slices.Clone(ids[1:])), state.Value{}
	check := func(what, name string, want []uuid.UUID) {
		t.Helper()
		got, err := a.Members(ctx, id, ids)
		must(t, "members", err)
		same(t, "members after "+what, want, got)
		same(t, "group after "+what, named(name), read(t, a, state.KindGroup, id))
	}
	for range 2 {
		must(t, "take strangers out", a.ChangeObject(ctx, state.KindGroup, id, with, without))
		check("taking strangers out", without.Text(state.AttrName), ids[:1])
	}
	for range 2 {
		must(t, "put them back", a.ChangeObject(ctx, state.KindGroup, id, without, with))
		check("putting them back", with.Text(state.AttrName), ids)
	}
	must(t, "change nothing of them", a.ChangeObject(ctx, state.KindGroup, id, with, was))
	check("a change that does not speak of them", was.Text(state.AttrName), ids)
}

// places: the listing tells in which order groups were created.
func places(t *testing.T, r *run) {
	p := r.open(t)
	a := p.Accounts()
	base := r.name("place")
	var made []uuid.UUID
	for _, end := range []string{"c", "a", "b", "d"} {
		made = append(made, r.group(t, a, named(base+end)))
	}
	must(t, "rename the first", a.ChangeObject(within(t), state.KindGroup, made[0], named(base+"c"), named(base+"z")))
	all, err := p.Directory().Groups(within(t))
	must(t, "list groups", err)
	place := map[uuid.UUID]int{}
	seen := map[int]bool{}
	for _, g := range all {
		if seen[g.Place] {
			t.Errorf("place %d is that of two groups, want each once", g.Place)
		}
		place[g.ID], seen[g.Place] = g.Place, true
		if g.Name == "idm_all_persons" && !g.Builtin {
			t.Error("idm_all_persons does not count as built in")
		}
	}
	for i := 1; i < len(made); i++ {
		if place[made[i-1]] >= place[made[i]] {
			t.Errorf("group %d has place %d and group %d, made after it, has %d; want the order of creation", i,
				place[made[i-1]], i+1, place[made[i]])
		}
	}
}

// foreignGroup: of a group that somebody else has made only what is given changes.
func foreignGroup(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	ids := sorted(idsOf(r.made(t, a, 2)))
	id, name := uuid.New(), r.name("foreign")
	path := "/v1/group/" + id.String()
	r.do(t, "POST", "/v1/group", entry{attributes{
		"uuid":             {id.String()},
		"name":             {name},
		"description":      {"theirs"},
		"mail":             {name + "@corp.example"},
		"entry_managed_by": {"idm_admins"},
		"member":           {ids[0].String(), ids[1].String()},
	}})
	was := texts{state.AttrName: name, state.AttrDescription: "theirs"}.at()
	same(t, "foreign group", was, read(t, a, state.KindGroup, id))
	same(t, "foreign group in the listing", &providers.Group{ID: id, Name: name, Description: "theirs", Members: ids},
		listedGroup(t, p.Directory(), id))
	byName, got, err := a.ReadObject(ctx, state.KindGroup, uuid.Nil, name)
	must(t, "read by name", err)
	if (byName == nil || got != id) && !r.known(t, "read a group by name", byName) {
		t.Errorf("foreign group read by its name: %v with id %s, want %v with %s", byName, got, was, id)
	}
	person := r.newPersons(1)
	person[0].Mail = name + "@corp.example"
	r.kind(t, "create a person with the group's address", a.Create(ctx, person), state.ErrorConflict, person[0].Mail)
	before := r.entry(t, path)
	must(t, "change it", a.ChangeObject(ctx, state.KindGroup, id, was, texts{state.AttrDescription: "ours"}.at()))
	want := attributes{}
	for k, v := range before {
		want[k] = v
	}
	want["description"] = []string{"ours"}
	same(t, "the whole entry after the change", want, r.entry(t, path))
	must(t, "undo", a.ChangeObject(ctx, state.KindGroup, id, texts{state.AttrDescription: "ours"}.at(),
		texts{state.AttrDescription: "theirs"}.at()))
	same(t, "the whole entry after undoing it", before, r.entry(t, path))
}

// deletedGroups: groups go together, absent ones are fine, persons among them stay, and so do members.
func deletedGroups(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	person := r.made(t, a, 1)
	ids := []uuid.UUID{uuid.New(), person[0].ID}
	for range 33 {
		ids = append(ids, r.group(t, a, named(r.name("group"))))
	}
	stays := r.group(t, a, named(r.name("group")))
	must(t, "fill a group", a.AddMembers(ctx, ids[5], idsOf(person)))
	must(t, "fill the one that stays", a.AddMembers(ctx, stays, append(idsOf(person), ids[6])))
	for range 2 {
		must(t, "delete groups together", a.DeleteGroups(ctx, ids))
		for _, id := range ids[2:] {
			same(t, "deleted group", nil, read(t, a, state.KindGroup, id))
		}
	}
	must(t, "delete no groups", a.DeleteGroups(ctx, nil))
	var many []uuid.UUID
	for range 40 {
		many = append(many, r.group(t, a, named(r.name("group"))))
	}
	must(t, "fill one of many", a.AddMembers(ctx, many[7], idsOf(person)))
	must(t, "expire, so that there is a marker", a.Expire(ctx, idsOf(r.made(t, a, 31))))
	must(t, "delete many groups, none absent", a.DeleteGroups(ctx, many))
	for _, id := range many {
		same(t, "deleted group", nil, read(t, a, state.KindGroup, id))
	}
	groups, err := p.Directory().Groups(ctx)
	must(t, "list groups", err)
	for _, g := range groups {
		if strings.HasPrefix(g.Name, "anthill-marker-") && slices.Contains(g.Members, g.ID) {
			t.Errorf("the marker %s did not go with the groups", g.Name)
		}
	}
	r.see(t, "person among deleted groups", p, person, false)
	if g := listedGroup(t, p.Directory(), stays); g == nil || !slices.Equal(g.Members, idsOf(person)) {
		t.Errorf("the group that stays: %+v, want it with its one person", g)
	}
}

// createdGroups: groups are made together or not at all, and as one that is made alone is.
func createdGroups(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := make([]providers.NewGroup, 40)
	for i := range list {
		list[i] = providers.NewGroup{
			ID: uuid.New(), Name: r.name("group"), Description: "Ants & more \"quoted\" \u00fc",
		}
	}
	list[1].Description = ""
	must(t, "create groups together", a.CreateGroups(ctx, list))
	for _, g := range list {
		want := texts{state.AttrName: g.Name, state.AttrDescription: g.Description}.at()
		same(t, "a group that was made", want, read(t, a, state.KindGroup, g.ID))
	}
	alone := r.group(t, a, named(r.name("group")))
	without := func(id uuid.UUID) attributes {
		e := r.entry(t, "/v1/group/"+id.String())
		for _, own := range []string{"uuid", "name", "spn", "description"} {
			delete(e, own)
		}
		return e
	}
	same(t, "what is its own beside what was given", without(alone), without(list[1].ID))
	r.kind(t, "create them again", a.CreateGroups(ctx, list), state.ErrorConflict)
	next := []providers.NewGroup{{ID: uuid.New(), Name: r.name("group")}, {ID: uuid.New(), Name: list[0].Name}}
	r.kind(t, "create one of a name in use among others", a.CreateGroups(ctx, next), state.ErrorConflict)
	next[1].Name = "NO SUCH NAME!"
	r.kind(t, "create one of a wrong name among others", a.CreateGroups(ctx, next), state.ErrorRefused)
	same(t, "the other one", nil, read(t, a, state.KindGroup, next[0].ID))
	must(t, "create no groups", a.CreateGroups(ctx, nil))
	person := r.made(t, a, 1)
	must(t, "fill one of them", a.AddMembers(ctx, list[3].ID, idsOf(person)))
	must(t, "delete them", a.DeleteGroups(ctx, []uuid.UUID{list[0].ID, list[1].ID}))
	r.kind(t, "create two deleted ones again", a.CreateGroups(ctx, list[:2]), state.ErrorConflict)
	r.kind(t, "create a deleted one again", a.CreateGroups(ctx, list[:1]), state.ErrorBurnt)
}

// leftGroups: marked persons leave many groups in one call, each its own, whatever the server allows in one question; and
// where one of the groups is not there, that is said.
func leftGroups(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list := r.made(t, a, 40)
	ids := idsOf(list)
	var from []providers.Members
	for i := range ids {
		g := r.group(t, a, named(r.name("left")))
		must(t, "fill a group", a.AddMembers(ctx, g, []uuid.UUID{ids[i], ids[(i+1)%len(ids)]}))
		from = append(from, membersOf(g, ids[i]))
	}
	must(t, "expire, by way of the marker", a.Expire(ctx, ids))
	must(t, "leave many groups", a.RemoveMembers(ctx, from...))
	for i, m := range from {
		left, err := a.Members(ctx, m.Group, ids)
		must(t, "members", err)
		same(t, "members who are left", []uuid.UUID{ids[(i+1)%len(ids)]}, left)
	}
	must(t, "expire again", a.Expire(ctx, ids))
	from[20].Group = uuid.New()
	r.kind(t, "leave many groups, one of which is absent", a.RemoveMembers(ctx, from...), state.ErrorNotFound)
	must(t, "tidy", a.Tidy(ctx))
}

func membersOf(group uuid.UUID, persons ...uuid.UUID) providers.Members {
	return providers.Members{Group: group, Persons: persons}
}
