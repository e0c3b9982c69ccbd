package providers

import (
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// CountBy says by what users are counted, besides what every count goes by.
type CountBy struct {
	// Recorded is the table of recorded users, with its schema; nil: there is no state yet. Synced says that it has the
	// synced time of links.
	Recorded []string
	Synced   bool
	// Outbox is the table of mails, with its schema, and Announced are waves, by their whole names, of which it tells to whom they were
	// announced. None: nobody asks for it.
	Outbox    []string
	Announced []string

	ExcludedIDs   []uuid.UUID
	ExcludedMails []string // lower case
	Enrolled      []uuid.UUID
	OnLink        []string  // policies that complete users when they are linked: what that wrote is no login
	Roles         bool      // by users.role
	Shares        []uint64  // ascending: the first 64 bits of SHA-256(user id) from which on a user is outside of a percentage
	NewSince      time.Time // users who were created from then on are told from the others; zero: nobody is
}

// UserFacts are what is counted of a user, by its row and by what is recorded of it.
type UserFacts struct {
	Tenant    uuid.UUID
	Role      string // "" where roles were not asked for
	Deleted   bool   // the row
	Active    bool   // its status; neither this nor Suspended: inactive
	Suspended bool
	Excluded  bool
	Method    state.Method // MethodInvalid: none of the three
	Password  bool         // a hash of bcrypt's form is there; looked at of linked users alone
	Linked    bool
	Invited   bool
	Completed bool // has logged in through Self-auth (Completed)
	Enrolled  bool // the linked person is recorded as the user's and is among CountBy.Enrolled
	New       bool // created since CountBy.NewSince
	Outside   int  // of how many of CountBy.Shares the user is outside
	Standing  state.Standing
	Wave      string // recorded; "": nothing is
	Policy    string
	Told      string // by CountBy.Announced: 1 where that wave was announced to the user, else 0; "": none of them was, or nobody asks
}

// Moved reports whether the user is recorded as moved.
func (f UserFacts) Moved() bool { return f.Standing == state.Moved }

// UserCount is how many users have facts in common.
type UserCount struct {
	UserFacts
	Users int64
}

// UserLine is a user with what is counted of it, for lists.
type UserLine struct {
	ID uuid.UUID
	UserFacts
	Seen    time.Time // when it was last seen: its newest session, or its last login; zero: never
	Invited time.Time // zero: never
	Created time.Time
}

// DayCount is how many linked users of live rows and tenants were linked, and have logged in first, on the same days (UTC).
type DayCount struct {
	Linked    time.Time // midnight of the day of the link; zero: nobody knows when
	Completed time.Time // of the first login through Self-auth, as far as it is known, else of the last; zero: there was none
	Method    state.Method
	Serves    bool // the tenant is active, and the user is not excluded
	Users     int64
}

// SessionCount counts sessions of one method.
type SessionCount struct {
	Method string    `json:"method"`          // as the application spells it
	All    int64     `json:"sessions"`        // that are there
	Open   int64     `json:"open"`            // of them, not revoked
	Recent int64     `json:"recent"`          // begun in the last 30 days; a refresh counts as one that begins
	Users  int64     `json:"recent_users"`    // whose those are
	Last   time.Time `json:"newest,omitzero"` // when the newest began
	Oldest time.Time `json:"oldest,omitzero"` // and the oldest
}
