package providers

import (
	"strconv"

	"anthill/state"
)

// Relies says which logical columns a change relies on, and so which its digest covers.
type Relies uint8

// ReliesAll: everything a person is made from. ReliesMember: what memberships follow from. ReliesLink: the link
// and whether there is a password, what undoing relies on.
const (
	ReliesAll Relies = iota + 1
	ReliesMember
	ReliesLink
)

// DigestUser digests the columns of u that a change relies on: never updated_at, synced time, last login or
// completion.
func DigestUser(u User, r Relies) state.Digest {
	b := strconv.FormatBool
	switch r {
	case ReliesAll:
		return state.DigestOf("user", u.ID.String(), u.Tenant.String(), u.Email, u.FullName, u.Role, u.Status,
			b(u.Deleted), b(u.Verified), b(u.HasPassword), u.Link.String(), u.Method.String())
	case ReliesMember:
		return state.DigestOf("member", u.ID.String(), u.Tenant.String(), u.Role, u.Status, b(u.Deleted), u.Link.String(), u.Method.String(), b(u.HasPassword))
	case ReliesLink:
		return state.DigestOf("link", u.ID.String(), u.Link.String(), b(u.HasPassword))
	}
	panic("providers: digest that relies on nothing")
}
