package providertest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// world is something of each kind.
type world struct {
	list   []providers.NewPerson
	dead   uuid.UUID // a deleted person
	group  uuid.UUID // with all persons as members, and a policy
	is     state.Attributes
	policy state.Attributes
	client uuid.UUID
	app    state.Attributes
}

func (r *run) world(t testing.TB, p Provider) *world {
	t.Helper()
	a, ctx := p.Accounts(), within(t)
	w := &world{
		list: r.made(t, a, 40), is: texts{state.AttrName: r.name("group"), state.AttrDescription: "d"}.at(),
		policy: texts{state.AttrPrivilegeExpiry: "60"}.at(),
	}
	dead := r.made(t, a, 1)
	w.dead = dead[0].ID
	must(t, "delete one", a.Delete(ctx, idsOf(dead)))
	w.group = r.group(t, a, w.is)
	must(t, "add members", a.AddMembers(ctx, w.group, idsOf(w.list)))
	_, err := a.CreateObject(ctx, state.KindPolicy, w.group, nil)
	must(t, "enable a policy", err)
	must(t, "set it", a.ChangeObject(ctx, state.KindPolicy, w.group, nil, w.policy))
	w.app = plainClient(r.name("client"), "confidential")
	w.client = r.client(t, a, w.app.Text(state.AttrName), "confidential")
	return w
}

// unchanged wants the world to be as it was made.
func (r *run) unchanged(t testing.TB, p Provider, w *world) {
	t.Helper()
	r.see(t, "persons after all that was not allowed", p, w.list, false)
	r.recycled(t, p, w.dead, true)
	same(t, "group after all that was not allowed", &providers.Group{
		ID: w.group, Name: w.is.Text(state.AttrName), Description: w.is.Text(state.AttrDescription),
		Members: sorted(idsOf(w.list)), Policy: w.policy,
	},
		listedGroup(t, p.Directory(), w.group))
	checkClient(t, p, "all that was not allowed", w.client, w.app.Text(state.AttrName), w.app)
}

// attempt is a call that a right is needed for.
type attempt struct {
	what string
	do   func() error
}

// onPersons, onGroups and onOthers are all writes, each of something that is there or could be made.
func (r *run) onPersons(t testing.TB, a providers.Accounts, w *world) (list []attempt) {
	ctx := within(t)
	list = []attempt{
		{"create a person", func() error { return a.Create(ctx, r.newPersons(1)) }},
		{"create three persons", func() error { return a.Create(ctx, r.newPersons(3)) }},
		{"readdress", func() error { return a.Readdress(ctx, w.list[0].ID, []string{r.name("m") + "@corp.example"}) }},
	}
	for _, n := range []int{1, 40} {
		ids := idsOf(w.list[:n])
		list = append(list, attempt{fmt.Sprintf("expire %d", n), func() error { return a.Expire(ctx, ids) }},
			attempt{fmt.Sprintf("enable %d", n), func() error { return a.Enable(ctx, ids) }},
			attempt{fmt.Sprintf("delete %d", n), func() error { return a.Delete(ctx, ids) }})
	}
	return list
}

func (r *run) onGroups(t testing.TB, a providers.Accounts, w *world) []attempt {
	ctx, ids := within(t), idsOf(w.list)
	return []attempt{
		{"create a group", func() error {
			return createGroup(ctx, a, uuid.New(), named(r.name("g")))
		}},
		{"create groups", func() error {
			return a.CreateGroups(ctx, []providers.NewGroup{{ID: uuid.New(), Name: r.name("g")},
				{ID: uuid.New(), Name: r.name("g")}})
		}},
		{"change a group", func() error {
			return a.ChangeObject(ctx, state.KindGroup, w.group, w.is, texts{state.AttrDescription: "x"}.at())
		}},
		{"add members", func() error { return a.AddMembers(ctx, w.group, ids) }},
		{"remove members", func() error { return a.RemoveMembers(ctx, membersOf(w.group, ids...)) }},
		{"delete a group", func() error { return a.DeleteObject(ctx, state.KindGroup, w.group, w.is) }},
		{"delete groups", func() error { return a.DeleteGroups(ctx, []uuid.UUID{w.group}) }},
	}
}

func (r *run) onOthers(t testing.TB, a providers.Accounts, w *world) []attempt {
	ctx := within(t)
	return []attempt{
		{"enable a policy", func() error { _, err := a.CreateObject(ctx, state.KindPolicy, w.group, nil); return err }},
		{"change a policy", func() error {
			return a.ChangeObject(ctx, state.KindPolicy, w.group, w.policy, texts{state.AttrPrivilegeExpiry: "61"}.at())
		}},
		{"disable a policy", func() error { return a.DeleteObject(ctx, state.KindPolicy, w.group, w.policy) }},
		{"create a client", func() error {
			_, err := a.CreateObject(ctx, state.KindClient, uuid.Nil, newClient(r.name("client"), "public"))
			return err
		}},
		{"change a client", func() error {
			return a.ChangeObject(ctx, state.KindClient, w.client, w.app, texts{state.AttrDisplayName: "x"}.at())
		}},
		{"change a client's maps", func() error {
			to := state.Attributes{state.AttrScopeMaps: scopes{w.group: {"openid"}}.value()}
			return a.ChangeObject(ctx, state.KindClient, w.client, w.app, to)
		}},
		{"delete a client", func() error { return a.DeleteObject(ctx, state.KindClient, w.client, w.app) }},
		{"revive", func() error { return a.Revive(ctx, []uuid.UUID{w.dead}) }},
	}
}

// readOnly: such a token reads all, and writes nothing.
func readOnly(t *testing.T, r *run) {
	if r.Tokens.ReadOnly == "" {
		t.Skip("there is no token that may only read")
	}
	all := r.open(t)
	w := r.world(t, all)
	p := r.Open(t, r.Tokens.ReadOnly, r.name("own"))
	a := p.Accounts()
	r.unchanged(t, p, w)
	for _, c := range slices.Concat(r.onPersons(t, a, w), r.onGroups(t, a, w), r.onOthers(t, a, w)) {
		r.kind(t, c.what+" with a token that may only read", c.do(), state.ErrorDenied)
	}
	r.unchanged(t, all, w)
}

// lacking: what an account may not see looks to it as if it were not there. So Whoami tells which rights it lacks, for
// absence to be judged by; and no write that needs one of them says that it was done.
func lacking(t *testing.T, r *run, token string, overPersons, overGroups bool) {
	if token == "" {
		t.Skip("there is no such token")
	}
	all := r.open(t)
	w := r.world(t, all)
	p := r.Open(t, token, r.name("own"))
	a, ctx := p.Accounts(), within(t)
	who, err := p.Whoami(ctx)
	must(t, "whoami", err)
	has := map[string]bool{
		"idm_people_admins": overPersons, "idm_group_admins": overGroups, "idm_account_policy_admins": false,
		"idm_oauth2_admins": false, "idm_recycle_bin_admins": false,
	}
	var lacks []string
	for group, want := range has {
		if got := who.In(group); got != want {
			t.Errorf("whoami says that the account is in %s: %v, want %v", group, got, want)
		}
		if !want && (group == "idm_people_admins" || group == "idm_group_admins") {
			lacks = append(lacks, group)
		}
	}
	slices.Sort(lacks)
	for what, got := range map[string][]string{"to write": who.Missing, "to read": who.Unreadable} {
		got = slices.Sorted(slices.Values(got))
		if !slices.Equal(got, lacks) {
			t.Errorf("whoami says that the account lacks %v %s, want %v", got, what, lacks)
		}
	}
	fails := func(list []attempt) {
		t.Helper()
		for _, c := range list {
			err := c.do()
			if k := state.ErrorKindOf(err); k != state.ErrorDenied && k != state.ErrorNotFound &&
				!r.known(t, c.what+" without the right", err) {
				t.Errorf("%s without the right: %v, want it denied or not found", c.what, err)
			}
		}
	}
	// seen are readings: they show what is there, or nothing.
	seen := func(what string, got int, want int, err error) {
		t.Helper()
		if k := state.ErrorKindOf(err); err != nil && k != state.ErrorDenied && k != state.ErrorNotFound {
			t.Errorf("%s: %v, want no error, or it denied or not found", what, err)
		}
		if err == nil && got != want {
			t.Errorf("%s: %d of the run's, want %d", what, got, want)
		}
	}
	count := func(yes bool, n int) int {
		if yes {
			return n
		}
		return 0
	}
	list, err := a.Lookup(ctx, idsOf(w.list))
	seen("look up persons", len(list), count(overPersons, len(w.list)), err)
	got, err := a.Members(ctx, w.group, idsOf(w.list))
	// Whoever sees persons sees in them the groups that they are in.
	seen("members of a group", len(got), count(overGroups || overPersons, len(w.list)), err)
	at, _, err := a.ReadObject(ctx, state.KindGroup, w.group, "")
	seen("read a group", count(at != nil, 1), count(overGroups, 1), err)
	at, _, err = a.ReadObject(ctx, state.KindClient, w.client, "")
	seen("read a client", count(at != nil, 1), 0, err)
	groups, err := p.Directory().Groups(ctx)
	seen("list groups", count(slices.ContainsFunc(groups, func(g providers.Group) bool { return g.ID == w.group }), 1),
		count(overGroups, 1), err)
	clients, err := p.Directory().Clients(ctx)
	seen("list clients", len(clients), 0, err)
	dead, err := p.Directory().Recycled(ctx)
	seen("list what was deleted", len(dead), 0, err)
	if _, err = p.Directory().Enrolled(ctx); !overPersons {
		r.kind(t, "list enrolled persons without the right", err, state.ErrorDenied)
	}
	if can, err := a.CanLogIn(ctx, idsOf(w.list)); !overPersons {
		r.kind(t, "look up credentials without the right", err, state.ErrorDenied)
		if len(can) != 0 {
			t.Errorf("of %d persons it is said that they can log in", len(can))
		}
	} else {
		must(t, "look up credentials of persons who have none", err)
	}
	if _, err := p.Directory().OtherNames(ctx); err != nil {
		t.Errorf("other names: %v, want those that the account may see and no error", err)
	}
	if overPersons {
		r.see(t, "persons, with the right over them alone", p, w.list, false)
		must(t, "expire with the right over persons alone", a.Expire(ctx, idsOf(w.list[:2])))
		must(t, "enable with the right over persons alone", a.Enable(ctx, idsOf(w.list[:2])))
	} else {
		fails(r.onPersons(t, a, w))
	}
	if overGroups {
		must(t, "change with the right over groups alone",
			a.ChangeObject(ctx, state.KindGroup, w.group, w.is, texts{state.AttrDescription: "x"}.at()))
		must(t, "undo with the right over groups alone",
			a.ChangeObject(ctx, state.KindGroup, w.group, texts{state.AttrDescription: "x"}.at(), w.is))
		must(t, "add members with the right over groups alone", a.AddMembers(ctx, w.group, idsOf(w.list[:2])))
	} else {
		fails(r.onGroups(t, a, w))
	}
	fails(r.onOthers(t, a, w))
	r.unchanged(t, all, w)
}
