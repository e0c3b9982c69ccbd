package plan

import (
	"github.com/google/uuid"

	"anthill/state"
)

// Claim is what says where a person belongs: how its user stands, and what its row says.
type Claim struct {
	Standing state.Standing // afterwards
	Ours     bool           // we made the person; nobody else's is expired or enabled by us
	Linked   bool           // the row is there and holds the person's id
	Active   bool           // the row is active and not deleted
	Live     bool           // so is its tenant
	Tenant   uuid.UUID      // of the row
	Role     string         // of the row
	Follow   bool           // persons follow the status of their rows (identity { follow })
	Held     bool           // paused, blocked or excluded: nothing may be given at present
}

// Presence is whether a person may log in.
type Presence uint8

// PresenceOfOthers: the person is not ours, or not to be judged, and stays as it is. PresenceExpired: it may not log in. PresenceEnabled: it
// may, but see Claim.Gains for whether that may be given now.
const (
	PresenceOfOthers Presence = iota
	PresenceExpired
	PresenceEnabled
)

// Presence says whether the person may log in: only that of a user who is moved, whose row is linked to it and, where
// persons follow their rows, active (L27, L28).
func (c Claim) Presence() Presence {
	switch {
	case !c.Ours, c.Unlinked():
		return PresenceOfOthers
	case !c.moved() || c.Follow && !c.Active:
		return PresenceExpired
	}
	return PresenceEnabled
}

// Gains reports whether the person may be given anything at present: it may be enabled, joined to groups, or get an
// address. What takes away is never held up (L4, L23, L30, L40).
func (c Claim) Gains() bool { return c.moved() && c.Active && c.Live && !c.Held }

// In reports whether the person belongs in a group: the row of a moved user is of the group's tenant and asks for it by
// the group's rule (L24, L25). Where Gains is false it may stay there, but not join.
func (c Claim) In(g Group) bool {
	return c.moved() && (c.Ours || c.Active || !c.Follow) && g.Tenant == c.Tenant && g.Members.Has(c.Role)
}

// Unlinked reports whether somebody else has unlinked the active row of a moved user, or linked it to another person. Which
// of them is the user's we cannot know, so the person stays as it is: nobody is shut out by a guess.
func (c Claim) Unlinked() bool { return c.Standing == state.Moved && !c.Linked && c.Active }

func (c Claim) moved() bool { return c.Standing == state.Moved && c.Linked }

// Administers reports whether users of a role administer their tenant.
func Administers(role string) bool {
	return role == "admin" || role == "super_admin" || role == "owner"
}
