package objects

import (
	"testing"

	"github.com/google/uuid"
)

// TestNameless: whose tokens name groups, and none as the mapping rows do.
func TestNameless(t *testing.T) {
	t.Parallel()
	users, admins, others := uuid.UUID{1}, uuid.UUID{2}, uuid.UUID{3}
	type scopes = map[uuid.UUID][]string
	for name, c := range map[string]struct {
		of   grants
		in   []uuid.UUID
		want bool
	}{
		"groups alone":                    {grants{scopes: scopes{users: {"openid", "groups"}}}, []uuid.UUID{users}, true},
		"by spn":                          {grants{scopes: scopes{users: {"groups_spn"}}}, []uuid.UUID{users}, true},
		"by id":                           {grants{scopes: scopes{users: {"groups_uuid"}}}, []uuid.UUID{users}, true},
		"names as well":                   {grants{scopes: scopes{users: {"groups", "groups_name"}}}, []uuid.UUID{users}, false},
		"names alone":                     {grants{scopes: scopes{users: {"groups_name"}}}, []uuid.UUID{users}, false},
		"no groups at all":                {grants{scopes: scopes{users: {"openid", "email"}}}, []uuid.UUID{users}, false},
		"not let in":                      {grants{scopes: scopes{others: {"groups"}}}, []uuid.UUID{users}, false},
		"in no group":                     {grants{scopes: scopes{users: {"groups"}}}, nil, false},
		"names by another group":          {grants{scopes: scopes{users: {"groups"}, admins: {"groups_name"}}}, []uuid.UUID{users, admins}, false},
		"names for others":                {grants{scopes: scopes{users: {"groups"}, admins: {"groups_name"}}}, []uuid.UUID{users}, true},
		"names besides":                   {grants{scopes: scopes{users: {"groups"}}, more: scopes{users: {"groups_name"}}}, []uuid.UUID{users}, false},
		"groups besides":                  {grants{scopes: scopes{users: {"openid"}}, more: scopes{users: {"groups"}}}, []uuid.UUID{users}, true},
		"besides, and not let in":         {grants{more: scopes{users: {"groups"}}}, []uuid.UUID{users}, false},
		"asked for":                       {grants{scopes: scopes{users: {"groups", "groups_name"}}, requested: []string{"groups", "groups_name"}}, []uuid.UUID{users}, false},
		"given and not asked for":         {grants{scopes: scopes{users: {"groups", "groups_name"}}, requested: []string{"groups"}}, []uuid.UUID{users}, true},
		"asked for and not given":         {grants{scopes: scopes{users: {"groups"}}, requested: []string{"groups", "groups_name"}}, []uuid.UUID{users}, true},
		"asks for no groups":              {grants{scopes: scopes{users: {"groups"}}, requested: []string{"openid"}}, []uuid.UUID{users}, false},
		"asks for nothing":                {grants{scopes: scopes{users: {"groups"}}, requested: []string{}}, []uuid.UUID{users}, false},
		"besides is there without asking": {grants{scopes: scopes{users: {"groups"}}, more: scopes{users: {"groups_name"}}, requested: []string{"groups"}}, []uuid.UUID{users}, false},
	} {
		if got := c.of.nameless(c.in); got != c.want {
			t.Errorf("%s: nameless %v, want %v", name, got, c.want)
		}
		nameless, fresh := (&Tokens{was: c.of, will: c.of}).Nameless(c.in)
		if nameless != c.want || fresh {
			t.Errorf("%s, and so before: nameless %v, new %v", name, nameless, fresh)
		}
		if _, fresh := (&Tokens{will: c.of}).Nameless(c.in); fresh != c.want {
			t.Errorf("%s, of a client that is made: new %v, want %v", name, fresh, c.want)
		}
	}
}
