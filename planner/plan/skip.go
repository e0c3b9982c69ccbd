package plan

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// SkippedUser is a user who is not moved.
type SkippedUser struct {
	User   uuid.UUID  `json:"user"`
	Tenant Tenant     `json:"tenant"`
	Wave   string     `json:"wave"` // that selects it
	Reason SkipReason `json:"reason"`
}

// SkipReason says why a user in scope is not moved. Its String is stable.
type SkipReason uint8

// The reasons, in the order in which they are shown. SkipNone: the user is not skipped. A user counts once, with the
// reason that is judged first; planner/users says in which order that is.
const (
	SkipNone SkipReason = iota
	SkipExcluded
	SkipInactive
	SkipSuspended
	SkipTenantSuspended
	SkipTenantCancelled
	SkipTenantBlocked
	SkipGroupTaken
	SkipGroupHidden
	SkipOpenRun
	SkipPaused
	SkipLinkUnknown
	SkipPersonTwice
	SkipNoEmail
	SkipEmailRefused
	SkipShared
	SkipEmailTaken
	SkipUnverified
	SkipName
	SkipHolderAway
	SkipHolderForeign
	SkipPersonExpired
	SkipNotEnrolled
	SkipNotLetIn
	SkipFollows
	SkipUnconfirmed
	SkipLate
	SkipWidened
)

var skipCodes = []string{
	"invalid", "excluded", "inactive", "suspended", "tenant_suspended", "tenant_cancelled", "isolation", "group_taken",
	"group_hidden", "open_run", "paused", "link_unknown", "person_twice", "no_email", "email_refused", "shared_email", "email_taken",
	"unverified", "name", "holder_expired", "holder_foreign", "person_expired",
	"not_enrolled", "not_let_in", "follows", "unconfirmed",
	"late", "widened",
}

// SkipReasons are all reasons, in the order in which they are shown.
func SkipReasons() (list []SkipReason) {
	for r := SkipExcluded; int(r) < len(skipCodes); r++ {
		list = append(list, r)
	}
	return list
}

// String is the stable code, which plan files hold.
func (r SkipReason) String() string {
	if int(r) < len(skipCodes) {
		return skipCodes[r]
	}
	return fmt.Sprintf("skip reason %d", uint8(r))
}

// MarshalText writes the stable code.
func (r SkipReason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *SkipReason) UnmarshalText(b []byte) error {
	i := slices.Index(skipCodes, string(b))
	if i <= 0 {
		return fmt.Errorf("unknown skip reason %q", b)
	}
	*r = SkipReason(i)
	return nil
}
