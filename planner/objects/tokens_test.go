package objects

import (
	"testing"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// TestNameless: whose tokens name groups, and none as the mapping rows do.
func TestNameless(t *testing.T) {
	t.Parallel()
	users, admins, others := uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}
	type scopes = map[uuid.UUID][]string
	type given struct {
		scopes, more scopes
		requested    []string
	}
	for name, c := range map[string]struct {
		of   given
		in   []uuid.UUID
		want bool
	}{
		"groups alone":                    {given{scopes: scopes{users: {"openid", "groups"}}}, []uuid.UUID{users}, true},
		"by spn":                          {given{scopes: scopes{users: {"groups_spn"}}}, []uuid.UUID{users}, true},
		"by id":                           {given{scopes: scopes{users: {"groups_uuid"}}}, []uuid.UUID{users}, true},
		"names as well":                   {given{scopes: scopes{users: {"groups", "groups_name"}}}, []uuid.UUID{users}, false},
		"names alone":                     {given{scopes: scopes{users: {"groups_name"}}}, []uuid.UUID{users}, false},
		"no groups at all":                {given{scopes: scopes{users: {"openid", "email"}}}, []uuid.UUID{users}, false},
		"not let in":                      {given{scopes: scopes{others: {"groups"}}}, []uuid.UUID{users}, false},
		"in no group":                     {given{scopes: scopes{users: {"groups"}}}, nil, false},
		"names by another group":          {given{scopes: scopes{users: {"groups"}, admins: {"groups_name"}}}, []uuid.UUID{users, admins}, false},
		"names for others":                {given{scopes: scopes{users: {"groups"}, admins: {"groups_name"}}}, []uuid.UUID{users}, true},
		"names besides":                   {given{scopes: scopes{users: {"groups"}}, more: scopes{users: {"groups_name"}}}, []uuid.UUID{users}, false},
		"groups besides":                  {given{scopes: scopes{users: {"openid"}}, more: scopes{users: {"groups"}}}, []uuid.UUID{users}, true},
		"besides, and not let in":         {given{more: scopes{users: {"groups"}}}, []uuid.UUID{users}, false},
		"asked for":                       {given{scopes: scopes{users: {"groups", "groups_name"}}, requested: []string{"groups", "groups_name"}}, []uuid.UUID{users}, false},
		"given and not asked for":         {given{scopes: scopes{users: {"groups", "groups_name"}}, requested: []string{"groups"}}, []uuid.UUID{users}, true},
		"asked for and not given":         {given{scopes: scopes{users: {"groups"}}, requested: []string{"groups", "groups_name"}}, []uuid.UUID{users}, false},
		"asks for no groups":              {given{scopes: scopes{users: {"groups"}}, requested: []string{"openid"}}, []uuid.UUID{users}, false},
		"asks for nothing":                {given{scopes: scopes{users: {"groups"}}, requested: []string{}}, []uuid.UUID{users}, false},
		"besides is there without asking": {given{scopes: scopes{users: {"groups"}}, more: scopes{users: {"groups_name"}}, requested: []string{"groups"}}, []uuid.UUID{users}, false},
	} {
		of := grants{Door: plan.Door{Scopes: c.of.scopes, Requested: c.of.requested}, more: c.of.more}
		if got := of.nameless(c.in); got != c.want {
			t.Errorf("%s: nameless %v, want %v", name, got, c.want)
		}
		nameless, fresh := (&Tokens{was: of, will: of}).Nameless(c.in)
		if nameless != c.want || fresh {
			t.Errorf("%s, and so before: nameless %v, new %v", name, nameless, fresh)
		}
		if _, fresh := (&Tokens{will: of}).Nameless(c.in); fresh != c.want {
			t.Errorf("%s, of a client that is made: new %v, want %v", name, fresh, c.want)
		}
	}
}

// TestWeakened: a client that does without what protects a login is a hazard, one that demands more is none.
func TestWeakened(t *testing.T) {
	t.Parallel()
	text := state.TextValue
	urls := func(list ...string) state.Attributes {
		return state.Attributes{state.AttrRedirectURLs: state.ListValue(list)}
	}
	strong := state.Attributes{
		state.AttrPKCE: text("true"), state.AttrLegacyCrypto: text("false"), state.AttrStrictRedirects: text("true"),
		state.AttrRedirectURLs: state.ListValue([]string{"https://a/"}), state.AttrLandingURL: text("https://app/"),
	}
	weak := state.Attributes{
		state.AttrPKCE: text("false"), state.AttrLegacyCrypto: text("true"), state.AttrStrictRedirects: text("false"),
		state.AttrRedirectURLs: state.ListValue([]string{"https://a/", "https://evil/"}),
	}
	for name, c := range map[string]struct {
		was, will state.Attributes
		want      int64
	}{
		"all of it":                {strong, weak, 4},
		"stronger":                 {weak, strong, 0},
		"as it was":                {strong, strong, 0},
		"as weak as it was":        {weak, weak, 0},
		"PKCE":                     {strong, state.Attributes{state.AttrPKCE: text("false")}, 1},
		"made so":                  {nil, weak, 3},
		"made strong":              {nil, strong, 0},
		"another path":             {strong, urls("https://a/other", "https://app/cb"), 0},
		"another host, twice":      {strong, urls("https://b/1", "https://b/2"), 1},
		"another port":             {strong, urls("https://a:8443/"), 1},
		"the same in the clear":    {strong, urls("http://a/"), 1},
		"an application's address": {strong, urls("myapp://cb"), 1},
		"what is not written":      {strong, nil, 0},
	} {
		var n int64
		for _, h := range weakened(plan.ObjectChange{Was: c.was, Will: c.will}).Hazards {
			n += h.Count
		}
		if n != c.want {
			t.Errorf("%s: %d, want %d", name, n, c.want)
		}
	}
}
