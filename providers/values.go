package providers

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Tenant is a row of tenants.
type Tenant struct {
	ID      uuid.UUID
	Slug    string
	Name    string
	Plan    string
	Status  string // active, suspended, cancelled
	Deleted bool
	// Settings are JSON with sorted keys.
	Settings string
}

// Attributes are the row as an object.
func (t Tenant) Attributes() state.Attributes {
	a := state.Attributes{}
	for name, v := range map[state.Attribute]string{
		state.AttrSlug: t.Slug, state.AttrName: t.Name, state.AttrPlan: t.Plan, state.AttrStatus: t.Status,
		state.AttrSettings: t.Settings,
	} {
		a[name] = state.TextValue(v)
	}
	if t.Deleted {
		a[state.AttrDeleted] = state.TextValue("true")
	}
	return a
}

// Live reports whether the tenant's users may be moved (L7).
func (t Tenant) Live() bool { return t.Status == "active" && !t.Deleted }

// User is a row of users as far as Anthill reads it. A column that the schema does not have yet counts with the value
// that the schema step will fill in.
type User struct {
	ID          uuid.UUID
	Tenant      uuid.UUID
	Email       string
	FullName    string // "" when NULL
	Role        string
	Status      string
	Deleted     bool
	Verified    bool
	HasPassword bool // whether password_hash is not null; the hash itself is never read
	// and has the form of a bcrypt hash, so that some password matches it: '' and placeholders such as '!' have not
	CanPassword bool
	Link        uuid.UUID // zero: NULL
	Method      state.Method
	Synced      time.Time // when the application last saw the user in Self-auth, or when the row was linked; zero: NULL
	Invited     bool      // migration_invited_at is set
	Completed   bool      // migration_completed_at is set
	// and to another moment than Synced: whoever links a row and calls that completed writes one moment for both
	CompletedApart bool
	// the tenant is active and not deleted; Database.Users leaves it to the planner, which knows the tenants
	TenantLive bool
}

// Mapping is a row of the mapping table.
type Mapping struct {
	Tenant    uuid.UUID
	Group     uuid.UUID
	GroupName string
	Role      state.Role // RoleInvalid for a word that the application does not know
}

// Person is a person of the directory, as listed.
type Person struct {
	ID      uuid.UUID
	Name    string
	Display string
	Mails   []string // the primary one first
	Expired bool     // account_expire is at or before the time of listing
	Closed  bool     // and is the very moment that Anthill writes: nobody else has expired it since
	Early   bool     // account_valid_from is after the time of listing
}

// Group is a group of the directory, as listed.
type Group struct {
	ID          uuid.UUID
	Name        string
	Description string
	Builtin     bool // in the system's uuid range
	Members     []uuid.UUID
	Hidden      bool             // Description and Members are not known: the token may not see them
	Policy      state.Attributes // its account policy; nil: none is enabled
	Place       int              // in the order of creation
}

// Discovery is what applications read of a client before anybody logs in through it.
type Discovery struct {
	Issuer     string   // "": there is no document
	Algorithms []string // that ID tokens are signed with
	Challenges []string // the methods of PKCE that are taken
}

// Client is an OAuth2 client of the directory.
type Client struct {
	ID         uuid.UUID
	Name       string
	Attributes state.Attributes
}

// Identity is what a token says of itself and may do (`/v1/self`).
type Identity struct {
	Account    string   // spn of the account
	Domain     string   // the part of the spn behind @
	Version    string   // of the server
	Groups     []string // spns or names of the groups that the account is in
	Writes     WriteRight
	Missing    []string // what the account lacks for apply: built-in groups by name
	Unreadable []string // what the account lacks even for planning
}

// In reports whether the account is in a built-in group, by its name without the domain.
func (i Identity) In(group string) bool {
	return slices.ContainsFunc(i.Groups, func(g string) bool {
		name, _, _ := strings.Cut(g, "@")
		return name == group
	})
}

// WriteRight is whether a token may write.
type WriteRight uint8

// WriteUnknown: a compact token does not say.
const (
	WriteUnknown WriteRight = iota
	WriteYes
	WriteNo
)

// Level is how far the database's schema has come. Its String is stable.
type Level uint8

// The levels. LevelBetween is neither of the others: Inspection says what is there and what is not.
const (
	LevelInvalid Level = iota
	LevelBaseline
	LevelDual
	LevelBetween
)

// String is the stable code, which JSON holds.
func (l Level) String() string {
	switch l {
	case LevelBaseline:
		return "baseline"
	case LevelDual:
		return "dual"
	case LevelBetween:
		return "between"
	}
	return "invalid"
}

// Inspection is what the catalogue says.
type Inspection struct {
	System   string // system identifier
	Database string
	Host     string // for people: host or socket directory, never a password
	Version  string // of the server
	Role     string // current_user
	Level    Level
	Present  []string // LevelBetween: parts of dual that are there, in the manner of SQL
	Absent   []string // LevelBetween: parts that are not
	Cure     []string // LevelBetween: statements, each to be run by itself, that make the rest
	// LevelBetween: the application's own migrations that make the rest, nothing of which is there; empty where they cannot
	Remaining []string
	Gone      []string     // columns and tables of the baseline that are not there, where they may have been taken away; by their names
	Wanting   []string     // with Gone: statements that make it again, where there can be any
	Lacking   error        // with Gone: what to say where no run of ours has been here, and they were never there
	Steps     []SchemaStep // that make what is missing, in order; at dual those of indexes, which the level does not need
	Lacks     []SchemaPart // of what steps make: missing or otherwise
	Rows      int64        // live users by the catalogue's estimate, for progress only
	Bare      bool         // rows of users have no method yet, or no more: none can be linked or given back

	Extras  []SchemaExtra    // that are not there
	Things  []SchemaThing    // that steps make, in their order
	Noted   []MigrationTable // of tools that keep the application's migrations, in the order of the search path
	Shipped []Migration      // the application's own that make the dual schema
}

// NewPerson is a person to create.
type NewPerson struct {
	ID      uuid.UUID
	Name    string
	Display string
	Mail    string
}

// NewGroup is a group to be made, without members.
type NewGroup struct {
	ID          uuid.UUID
	Name        string
	Description string // "": none
}

// Members are persons in a group, all of them or some.
type Members struct {
	Group   uuid.UUID
	Persons []uuid.UUID
}

// UserWrite changes one row of users if its logical columns still have the digest.
type UserWrite struct {
	User   uuid.UUID
	Before state.Digest // compared with DigestUser of the row under a row lock
	Relies Relies
	// Recorded is what is recorded of the user, which the digest covers too; nil: nothing.
	Recorded *state.User
	// What is written. Zero fields stay as they are. With Restore the row gets that image whole, and nothing else counts.
	Link      uuid.UUID
	Method    state.Method
	Completed bool // set migration_completed_at, if it is NULL, to the synced time that the row has then, or to now
	Restore   *state.Image
}

// UserResult is what became of a UserWrite.
type UserResult struct {
	Written bool
	Synced  time.Time     // of a row that was linked: its synced time now, whoever stamps it
	Gone    bool          // there is no such row
	Refused state.Finding // why this row alone could not be written; nothing was. Zero: it was not refused
}
