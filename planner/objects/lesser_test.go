package objects

import (
	"testing"

	"github.com/google/uuid"

	"anthill/state"
)

// TestLesser: the application takes the first group of a token that is mapped, and that is the oldest one.
func TestLesser(t *testing.T) {
	t.Parallel()
	const none, admin, member, viewer = state.RoleInvalid, state.RoleAdmin, state.RoleMember, state.RoleViewer
	group := func(n byte, role state.Role, place int) Wanted {
		return Wanted{ID: uuid.UUID{n}, Name: role.String(), Role: role, Place: place}
	}
	right := []Wanted{group(1, admin, 10), group(2, member, 20), group(3, viewer, 30)}
	wrong := []Wanted{group(1, admin, 20), group(2, member, 10), group(3, viewer, 5)}
	for name, c := range map[string]struct {
		groups []Wanted
		in     []byte
		first  string
		lesser bool
	}{
		"in their order":             {right, []byte{1, 2}, "admin", false},
		"a member":                   {right, []byte{2}, "member", false},
		"the members' is older":      {wrong, []byte{1, 2}, "member", true},
		"the viewers' is the oldest": {wrong, []byte{1, 2, 3}, "viewer", true},
		"not in the older one":       {wrong, []byte{1}, "admin", false},
		"in lesser ones alone":       {wrong, []byte{2, 3}, "viewer", true},
		"one that is not mapped":     {[]Wanted{group(1, admin, 20), group(4, none, 1)}, []byte{1, 4}, "admin", false},
		"in none":                    {right, nil, "", false},
		"in others":                  {right, []byte{9}, "", false},
		"two of one role":            {[]Wanted{group(1, admin, 20), group(5, admin, 5)}, []byte{1, 5}, "admin", false},
	} {
		var in []uuid.UUID
		for _, n := range c.in {
			in = append(in, uuid.UUID{n})
		}
		first, lesser := (&Tenant{Groups: c.groups}).Lesser(in)
		got := ""
		if first != nil {
			got = first.Name
		}
		if got != c.first || lesser != c.lesser {
			t.Errorf("%s: first %q, lesser %v, want %q, %v", name, got, lesser, c.first, c.lesser)
		}
	}
}
