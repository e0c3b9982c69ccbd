package providers

import (
	"slices"
	"strings"

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
	a := state.Attributes{"slug": t.Slug, "name": t.Name, "plan": t.Plan, "status": t.Status, "settings": t.Settings}
	if t.Deleted {
		a["deleted"] = "true"
	}
	return a
}

// Live says whether the tenant's users may be moved (L7).
func (t Tenant) Live() bool { return t.Status == "active" && !t.Deleted }

// User is a row of users as far as Anthill reads it. A column that the schema has not yet counts with the
// value that the schema step will fill in.
type User struct {
	ID          uuid.UUID
	Tenant      uuid.UUID
	Email       string
	FullName    string // "" when NULL
	Role        string
	Status      string
	Deleted     bool
	Verified    bool
	HasPassword bool      // whether password_hash is not null; the hash itself is never read
	Link        uuid.UUID // zero: NULL
	Method      state.Method
	Completed   bool // migration_completed_at is set
	TenantLive  bool // the tenant is active and not deleted; Database.Users leaves it to the planner, which knows the tenants
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
}

// Group is a group of the directory, as listed.
type Group struct {
	ID          uuid.UUID
	Name        string
	Description string
	Builtin     bool // in the system's uuid range
	Members     []uuid.UUID
	Policy      state.Attributes // its account policy; nil: none is enabled
	Place       int              // in the order of creation
}

// PolicyAttributes are the attributes of an account policy.
func PolicyAttributes() []string {
	return []string{"allow_primary_cred_fallback", "auth_password_minimum_length", "authsession_expiry", "credential_type_minimum", "limit_search_max_filter_test",
		"limit_search_max_results", "privilege_expiry", "webauthn_attestation_ca_list"}
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

// In says whether the account is in a built-in group.
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

// Level is how far the database's schema is.
type Level uint8

// The levels. LevelBetween is neither: Inspection says what is there and what is not.
const (
	LevelInvalid Level = iota
	LevelBaseline
	LevelDual
	LevelBetween
)

func (l Level) String() string {
	switch l {
	case LevelBaseline:
		return "baseline"
	case LevelDual:
		return "dual"
	case LevelBetween:
		return "between baseline and dual"
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
	Present  []string     // LevelBetween: parts of dual that are there, in words
	Absent   []string     // LevelBetween: parts that are not
	Steps    []SchemaStep // what is missing for dual, in order; empty at dual
	Rows     int64        // live users by the catalogue's estimate, for progress only
}

// SchemaStep is one step of the schema, by its stable name.
type SchemaStep struct {
	Name string `json:"name"` // e.g. users.password_hash.nullable
	Text string `json:"text"` // for people: "users.password_hash becomes nullable"
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

// Call is a write that a server has carried out.
type Call = state.Call

// UserWrite changes one row of users if its logical columns still have the digest.
type UserWrite struct {
	User   uuid.UUID
	Before state.Digest // compared with DigestUser of the row under a row lock
	Relies Relies
	// What is written. Zero fields stay as they are, except with Restore: then the row gets Image as it is.
	Link      uuid.UUID
	Method    state.Method
	Completed bool // set migration_completed_at to the time of writing if it is NULL
	Restore   *state.Image
}

// UserResult is what became of a UserWrite.
type UserResult struct {
	Written bool
	Gone    bool   // there is no such row
	Refused string // why this row alone could not be written; nothing was
}
