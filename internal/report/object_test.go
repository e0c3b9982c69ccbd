package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// named is an object with a name, as it is or will be recorded.
func named(kind state.Kind) *state.Object {
	attributes := map[state.Kind]state.Attributes{
		state.KindTenant: {state.AttrSlug: state.TextValue("acme")},
		state.KindGroup: {
			state.AttrName: state.TextValue("g"), state.AttrMapping: state.MappingValue(state.RoleAdmin, "g"),
		},
		state.KindClient: {state.AttrName: state.TextValue("app")},
	}
	return &state.Object{Kind: kind, Attributes: attributes[kind]}
}

// attrs are attributes as texts in pairs of name and value; "": not set.
func attrs(pairs ...string) state.Attributes {
	a := state.Attributes{}
	for i := 0; i < len(pairs); i += 2 {
		a[state.Attribute(pairs[i])] = state.TextValue(pairs[i+1])
	}
	return a
}

func with(a state.Attributes, name state.Attribute, v state.Value) state.Attributes {
	a[name] = v
	return a
}

func gets(claim string, groups ...uuid.UUID) state.Value {
	var list []state.Grant
	for _, g := range groups {
		one := state.Grant{Group: g, Claim: claim, Values: []string{"email", "openid"}}
		if claim != "" {
			one.Join = "array"
		}
		list = append(list, one)
	}
	return state.GrantsValue(list)
}

func urls(list ...string) state.Value { return state.ListValue(list) }

func TestObjectWords(t *testing.T) {
	t.Parallel()
	found := func(code state.Code) []state.Finding { return []state.Finding{state.Found(code)} }
	change := func(k state.Kind, a state.Action, was, will state.Attributes) plan.ObjectChange {
		c := plan.ObjectChange{Kind: k, Action: a, Was: was, Will: will}
		if a == state.ActionDelete || a == state.ActionForget {
			c.Before = named(k)
		} else {
			c.After = named(k)
		}
		return c
	}
	mapped, none := state.MappingValue(state.RoleAdmin, "g"), attrs()
	moved := change(state.KindGroup, state.ActionCreate, nil, named(state.KindGroup).Attributes)
	moved.From = "group.old"
	again := change(state.KindTenant, state.ActionRecover, nil, none)
	again.Before = named(state.KindTenant)
	two := state.MembersValue([]uuid.UUID{{1}, {2}})
	const create, update, adopt, record = state.ActionCreate, state.ActionUpdate, state.ActionAdopt, state.ActionRecover
	const replace, remove, forget = state.ActionReplace, state.ActionDelete, state.ActionForget
	const tenant, group, policy, client = state.KindTenant, state.KindGroup, state.KindPolicy, state.KindClient
	const back = true
	for _, c := range []struct {
		want     string
		change   plan.ObjectChange
		said     []state.Finding
		rollback bool
	}{
		{
			"group g, mapped as admin; the group that we had made is gone; was group.old", moved,
			found(state.CodeWasGone), false,
		},
		{"group g is ours already, mapped as admin", change(group, record, nil, named(group).Attributes), nil, false},
		{
			"group g was there before: taken over, mapped as admin; mapping row: admin g",
			change(group, adopt, none, with(attrs(), state.AttrMapping, mapped)), nil, false,
		},
		{
			"description: a -> not set; name: g -> h; 2 members who do not belong in it leave (manage = \"full\"); " +
				"its tenant is called acme now",
			change(group, update, with(attrs("name", "g", "description", "a"), state.AttrStrangers, two),
				attrs("name", "h", "description", "", "strangers", "")),
			[]state.Finding{state.About(state.CodeTenantCalled, state.OfTenant("acme"))}, false,
		},
		{
			"1 member who does not belong in it comes back",
			change(group, update, none, with(attrs(), state.AttrStrangers, state.MembersValue([]uuid.UUID{{1}}))), nil, back,
		},
		{
			"group g and its mapping row, 5 members; no longer declared", change(group, remove, named(group).Attributes, nil),
			[]state.Finding{state.Found(state.CodeMembersLose).Times(5)}, false,
		},
		{
			"group g was there before us and stays; its mapping row goes",
			change(group, forget, with(attrs(), state.AttrMapping, mapped), attrs("mapping", "")), nil, false,
		},
		{"group g is gone already; its mapping row goes", change(group, forget, none, none), nil, false},
		{
			"group g and its mapping row, made again", change(group, create, nil, named(group).Attributes),
			nil, back,
		},
		{"group g and its mapping row", change(group, remove, named(group).Attributes, nil), nil, back},

		{
			"policy enabled; authsession expiry: 3600",
			change(policy, create, nil, attrs("authsession_expiry", "3600")), nil, false,
		},
		{
			"the group has a policy already: taken over; authsession expiry: 60 -> 3600",
			change(policy, adopt, attrs("authsession_expiry", "60"), attrs("authsession_expiry", "3600")), nil, false,
		},
		{"policy off, values reset; no longer declared", change(policy, remove, none, nil), nil, false},
		{"there before us or gone already: it stays as it is", change(policy, forget, none, none), nil, false},
		{"policy with its values", change(policy, remove, none, nil), nil, back},

		{
			"public client app; redirect urls: https://a.example, https://b.example; " +
				"scope maps: + (email openid) for tenant_acme_users; " +
				"claim maps: + (email openid as array) for tenant_acme_users in roles",
			change(client, create, nil, with(with(with(attrs("name", "app", "type", "public", "pkce", "true"),
				state.AttrRedirectURLs, urls("https://b.example", "https://a.example")),
				state.AttrScopeMaps, gets("", acmeUsers)),
				state.AttrClaimMaps, gets("roles", acmeUsers))), nil, false,
		},
		{
			"client app was there before: taken over; redirect urls: + https://b.example, - https://a.example",
			change(client, adopt, with(attrs(), state.AttrRedirectURLs, urls("https://a.example")),
				with(attrs(), state.AttrRedirectURLs, urls("https://b.example"))), nil, false,
		},
		{
			"public -> confidential: deleted and made again, with a new id and without its secret",
			change(client, replace, attrs("type", "public"), attrs("type", "confidential")), nil, false,
		},
		{
			"type: public -> confidential",
			change(client, replace, attrs("type", "public", "name", "app"), attrs("type", "confidential", "name", "app")),
			nil, back,
		},
		{"client app is deleted; no longer declared", change(client, remove, named(client).Attributes, nil), nil, false},
		{"client app", change(client, remove, named(client).Attributes, nil), nil, back},
		{
			"scope maps: + (email openid) for tenant_acme_users, 61000000-0000-0000-0000-000000000000, " +
				"62000000-0000-0000-0000-000000000000, 63000000-0000-0000-0000-000000000000, 2 more",
			change(client, update, none, with(attrs(), state.AttrScopeMaps,
				gets("", acmeUsers, uuid.UUID{0x61}, uuid.UUID{0x62}, uuid.UUID{0x63}, uuid.UUID{0x64}, uuid.UUID{0x65}))),
			nil, false,
		},

		{"tenant acme", change(tenant, create, nil, named(tenant).Attributes), nil, false},
		{"tenant acme is ours already", change(tenant, record, nil, named(tenant).Attributes), nil, false},
		{"", again, nil, false},
		{
			"tenant acme was there before: what is given here is ours now; name: A -> B",
			change(tenant, adopt, attrs("name", "A"), attrs("name", "B")), nil, false,
		},
		{
			"plan: free; other arguments are ours now", change(tenant, update, none, attrs("plan", "free")),
			found(state.CodeOtherArguments), false,
		},
		{"name: A -> B; no longer ours", change(tenant, update, attrs("name", "A"), attrs("name", "B")),
			found(state.CodeNotOursNow), back},
		{"tenant acme is no longer declared: its row stays", change(tenant, forget, none, none), nil, false},
		{"tenant ; no longer declared", plan.ObjectChange{Action: remove, Kind: tenant}, nil, false}, // a file that somebody made up
	} {
		v := text100()
		v.groups = map[uuid.UUID]string{acmeUsers: "tenant_acme_users"}
		if diff := cmp.Diff(c.want, strings.Join(v.object(c.change, c.said, c.rollback), "; ")); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.change.Kind, c.change.Action, diff)
		}
	}
}

// TestSaidHidesNothing: whatever a rewritten context says of an object, what is done to it is shown.
func TestSaidHidesNothing(t *testing.T) {
	t.Parallel()
	var said []state.Finding
	for _, code := range codes(t) {
		said = append(said, full(t, code, "x"))
	}
	actions := []state.Action{
		state.ActionCreate, state.ActionUpdate, state.ActionReplace, state.ActionDelete, state.ActionAdopt,
		state.ActionRecover, state.ActionForget,
	}
	for _, kind := range state.Kinds() {
		for _, action := range actions {
			for _, rollback := range []bool{false, true} {
				c := hostileObject(kind, "a")
				c.Action, c.Before = action, c.After
				got := text100().object(c, said, rollback)
				for i, want := range text100().object(c, nil, rollback) {
					// What was said of a whole object stands behind it, in the same place.
					if i >= len(got) || !strings.HasPrefix(got[i], want) && !slices.Contains(got, want) {
						t.Errorf("%s %s, rollback %t: %q is not in %q", action, kind.Kind, rollback, want, got)
					}
				}
			}
		}
	}
}
