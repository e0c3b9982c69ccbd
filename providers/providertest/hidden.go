package providertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// hidden: a group that Self-auth protects is there, and nobody can see or change who is in it. It is never empty, never
// gone, and what is done to it and to others together is not done to the others alone and called done. Its members say
// themselves that they are in it, and may be expired.
func hidden(t *testing.T, r *run, token string, nested bool) {
	if token == "" || r.Protect == nil {
		t.Skip("nobody can protect a group here, or there is no such token")
	}
	all := r.open(t)
	list, other := r.made(t, all.Accounts(), 4), r.made(t, all.Accounts(), 40)
	is := texts{state.AttrName: r.name("hidden"), state.AttrDescription: "d"}.at()
	group, plain := r.group(t, all.Accounts(), is), r.group(t, all.Accounts(), named(r.name("plain")))
	ids := idsOf(list)
	for _, g := range []uuid.UUID{group, plain} {
		must(t, "fill a group", all.Accounts().AddMembers(within(t), g, ids[:3]))
	}
	protect := group
	if nested {
		protect = r.group(t, all.Accounts(), named(r.name("above")))
		must(t, "nest the group", all.Accounts().AddMembers(within(t), protect, []uuid.UUID{group}))
	}
	r.Protect(t, protect, true)
	t.Cleanup(func() { r.Protect(t, protect, false) })

	p := r.Open(t, token, r.name("own"))
	a, ctx := p.Accounts(), within(t)
	name := is.Text(state.AttrName)
	got := listedGroup(t, p.Directory(), group)
	if got == nil || !got.Hidden || got.Name != name || got.Builtin || len(got.Members) > 0 {
		t.Errorf("hidden group in the listing: %+v, want %s, said to be hidden", got, name)
	}
	if got := listedGroup(t, p.Directory(), plain); got == nil || got.Hidden || len(got.Members) != 3 {
		t.Errorf("group that is not hidden, in the listing: %+v, want it with its members", got)
	}
	members, err := a.Members(ctx, group, ids)
	must(t, "members of a hidden group", err)
	same(t, "members of a hidden group, as they say themselves", sorted(ids[:3]), members)
	_, _, err = a.ReadObject(ctx, state.KindGroup, group, "")
	r.kind(t, "read a hidden group", err, state.ErrorRefused)
	must(t, "expire many, by way of the marker", a.Expire(ctx, append(idsOf(other), ids...)))
	for _, c := range []attempt{
		{"remove a member who is marked", func() error { return a.RemoveMembers(ctx, membersOf(group, ids[0])) }},
		{"remove marked members, in several groups", func() error {
			return a.RemoveMembers(ctx, membersOf(plain, ids[1]), membersOf(group, ids[1]), membersOf(plain, ids[2]))
		}},
		{"add a member", func() error { return a.AddMembers(ctx, group, ids[3:]) }},
		{"make it again", func() error { return createGroup(ctx, a, group, named(r.name("again"))) }},
		{"change it", func() error {
			return a.ChangeObject(ctx, state.KindGroup, group, is, texts{state.AttrDescription: "x"}.at())
		}},
		{"delete it", func() error { return a.DeleteObject(ctx, state.KindGroup, group, is) }},
		{"delete it together with another", func() error { return a.DeleteGroups(ctx, []uuid.UUID{group, plain}) }},
	} {
		r.kind(t, c.what+" (a hidden group)", c.do(), state.ErrorRefused)
	}
	must(t, "enable many, by way of the marker", a.Enable(ctx, append(idsOf(other), ids...)))
	r.see(t, "members of a hidden group", p, list, false)
	must(t, "tidy", a.Tidy(ctx))

	r.Protect(t, protect, false)
	same(t, "the group, once it is hidden no more", &providers.Group{
		ID: group, Name: name, Description: "d", Members: sorted(ids[:3]),
	}, listedGroup(t, all.Directory(), group))
	must(t, "remove a member, once it is hidden no more", a.RemoveMembers(ctx, membersOf(group, ids[0])))
	r.Protect(t, protect, true) // for the cleanup, which takes it out
}

// hiddenMarker: where the provider's own group is protected, or gone, or holds others, those who are meant are reached
// and nobody else is.
func hiddenMarker(t *testing.T, r *run) {
	if r.Protect == nil {
		t.Skip("nobody can protect a group here")
	}
	owner := r.name("own")
	p := r.Open(t, r.Tokens.ReadWrite, owner)
	a, ctx := p.Accounts(), within(t)
	list, others := r.made(t, a, 40), r.made(t, a, 2)
	marker := func() *providers.Group {
		all, err := p.Directory().Groups(ctx)
		must(t, "list groups", err)
		i := slices.IndexFunc(all, func(g providers.Group) bool {
			return !g.Hidden && slices.Contains(sorted(g.Members), list[0].ID)
		})
		if i < 0 {
			t.Fatal("the provider has no marker that can be seen; this test knows it no longer")
		}
		return &all[i]
	}
	at := func(id uuid.UUID) string { return "/v1/group/" + id.String() }
	must(t, "expire", a.Expire(ctx, idsOf(list)))
	for what, meddle := range map[string]func(id uuid.UUID){
		"renamed":   func(id uuid.UUID) { r.do(t, "PATCH", at(id), entry{attributes{"name": {r.name("renamed")}}}) },
		"emptied":   func(id uuid.UUID) { r.do(t, "PUT", at(id)+"/_attr/member", []string{}) },
		"filled":    func(id uuid.UUID) { r.do(t, "PUT", at(id)+"/_attr/member", idsOf(others)) },
		"deleted":   func(id uuid.UUID) { r.do(t, "DELETE", at(id), nil) },
		"protected": func(id uuid.UUID) { r.Protect(t, id, true); t.Cleanup(func() { r.Protect(t, id, false) }) },
	} {
		meddle(marker().ID)
		must(t, "enable, the marker being "+what, a.Enable(ctx, idsOf(list)))
		r.see(t, "persons, the marker having been "+what, p, list, false)
		must(t, "expire, the marker having been "+what, a.Expire(ctx, idsOf(list)))
		r.see(t, "persons, the marker having been "+what, p, list, true)
		r.see(t, "others, the marker having been "+what, p, others, false)
	}
	must(t, "tidy", a.Tidy(ctx))
}

// deletedMember: a deleted person is not let into a group beside others, and harms nobody.
func deletedMember(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	list, dead := r.made(t, a, 32), r.made(t, a, 2)
	must(t, "delete two", a.Delete(ctx, idsOf(dead)))
	group := r.group(t, a, named(r.name("crowd")))
	for _, n := range []int{1, 32} {
		some := append(idsOf(list[:n]), idsOf(dead)...)
		r.kind(t, fmt.Sprintf("add %d members and two who are deleted", n), a.AddMembers(ctx, group, some),
			state.ErrorNotFound)
		if g := listedGroup(t, p.Directory(), group); g == nil || g.Hidden || len(g.Members) > 0 {
			t.Errorf("group that deleted persons were to be added to: %+v, want it without members", g)
		}
	}
	with := append(idsOf(list), idsOf(dead)...)
	must(t, "expire them all", a.Expire(ctx, with))
	r.see(t, "persons beside deleted ones", p, list, true)
	must(t, "delete them all", a.Delete(ctx, with))
	if g := listedGroup(t, p.Directory(), group); g == nil || g.Hidden {
		t.Errorf("a group, after deleted persons were marked: %+v, want it to be seen", g)
	}
	must(t, "tidy", a.Tidy(ctx))
}

// oddNames: a name that nothing can have means nothing: neither another entry nor another call.
func oddNames(t *testing.T, r *run) {
	p := r.open(t)
	a, ctx := p.Accounts(), within(t)
	group, name := r.name("group"), r.name("client")
	id := r.group(t, a, named(group))
	client := r.client(t, a, name, "public")
	is := newClient(name, "public")
	for _, odd := range []string{
		"", ".", "..", "/", "a/b", "../group/" + group, group + "/_attr/member", "a%2fb", "%2e%2e", "a?b", "a#b", "a b",
		"ä", "\u212aelvin", "a\x00b", "a\nb", "1234", "name=" + group, group + ",x", group + "@idm.example.test",
		id.String(), client.String(), "{}", "*",
	} {
		for _, kind := range []state.Kind{state.KindGroup, state.KindClient} {
			at, _, err := a.ReadObject(ctx, kind, uuid.Nil, odd)
			if at != nil || err != nil {
				t.Errorf("read the %s of name %q: %v, %v; want none", kind, odd, at, err)
			}
		}
		from := texts{state.AttrName: odd}.at()
		r.kind(t, fmt.Sprintf("change the client %q", odd),
			a.ChangeObject(ctx, state.KindClient, client, from, texts{state.AttrDisplayName: "x"}.at()), state.ErrorRefused)
		r.kind(t, fmt.Sprintf("delete the client %q", odd), a.DeleteObject(ctx, state.KindClient, client, from),
			state.ErrorRefused)
		claim := state.GrantsValue([]state.Grant{{Group: id, Claim: odd + "/", Join: "array", Values: []string{"v"}}})
		r.kind(t, fmt.Sprintf("map the claim %q", odd+"/"), a.ChangeObject(ctx, state.KindClient, client, is,
			state.Attributes{state.AttrClaimMaps: claim}), state.ErrorRefused)
	}
	at, _, err := a.ReadObject(ctx, state.KindGroup, uuid.Nil, group)
	if err != nil || at.Text(state.AttrName) != group {
		t.Errorf("read the group by its name: %v, %v; want it", at, err)
	}
	checkClient(t, p, "all odd names", client, name, plainClient(name, "public"))
}
