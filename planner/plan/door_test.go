package plan

import (
	"slices"
	"testing"

	"github.com/google/uuid"
)

// TestDoor: whom Self-auth lets in at a client, and whom it refuses (docs/selfauth-facts.md F43).
func TestDoor(t *testing.T) {
	t.Parallel()
	users, admins := uuid.UUID{1}, uuid.UUID{2}
	type scopes = map[uuid.UUID][]string
	both := scopes{users: {"openid", "email"}, admins: {"groups"}}
	for name, c := range map[string]struct {
		of     Door
		in     []uuid.UUID
		admits bool
		lacks  []string
	}{
		"a scope":                       {Door{Scopes: both}, []uuid.UUID{users}, true, nil},
		"in no group":                   {Door{Scopes: both}, nil, false, nil},
		"in another group":              {Door{Scopes: scopes{admins: {"openid"}}}, []uuid.UUID{users}, false, nil},
		"a client that lets nobody in":  {Door{}, []uuid.UUID{users}, false, nil},
		"all that is asked for":         {Door{Scopes: both, Requested: []string{"openid", "email"}}, []uuid.UUID{users}, true, nil},
		"less than it is given":         {Door{Scopes: both, Requested: []string{"openid"}}, []uuid.UUID{users}, true, nil},
		"what others are given":         {Door{Scopes: both, Requested: []string{"openid", "groups"}}, []uuid.UUID{users}, false, []string{"groups"}},
		"what two groups give":          {Door{Scopes: both, Requested: []string{"openid", "groups"}}, []uuid.UUID{users, admins}, true, nil},
		"what nobody is given":          {Door{Scopes: both, Requested: []string{"x", "openid", "y"}}, []uuid.UUID{users}, false, []string{"x", "y"}},
		"asked for, and not let in":     {Door{Scopes: scopes{admins: {"openid"}}, Requested: []string{"x"}}, []uuid.UUID{users}, false, nil},
		"what anybody may be given":     {Door{Scopes: both, Everybody: []string{"groups"}, Requested: []string{"openid", "groups"}}, []uuid.UUID{users}, true, nil},
		"by that alone":                 {Door{Everybody: []string{"openid"}, Requested: []string{"openid"}}, nil, true, nil},
		"by that alone, and not enough": {Door{Everybody: []string{"openid"}, Requested: []string{"openid", "email"}}, nil, false, nil},
	} {
		if got := c.of.Admits(c.in); got != c.admits {
			t.Errorf("%s: admits %t, want %t", name, got, c.admits)
		}
		if got := c.of.Refuses(c.in); !slices.Equal(got, c.lacks) {
			t.Errorf("%s: lacks %v, want %v", name, got, c.lacks)
		}
	}
}
