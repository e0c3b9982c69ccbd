package config

import (
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Settings are what must be known before anything can be read: where the two sides are. From the provider and
// anthill blocks, which may refer to variables and locals only.
type Settings struct {
	Environment string // anthill { environment }; "default"
	StateSchema string // state "postgres" { schema }; "anthill_state"
	PostgresURL string // provider "postgres" { url }; "" when not given: DATABASE_URL then. Secret.
	Naming      string // "self_auth" | "kanidm"
	SelfAuthURL string // "" when not given: SELF_AUTH_URL then
	CAFile      string // "" when not given: SELF_AUTH_CA_FILE then; relative to the configuration's directory
}

// Data is what evaluation may read of the live world.
type Data struct {
	Tenants []TenantData // in any order
}

// TenantData is a live row of tenants, for data "tenants" and for selectors.
type TenantData struct {
	ID      uuid.UUID
	Slug    string
	Name    string
	Plan    string
	Status  string
	Deleted bool
}

// Config is an evaluated configuration: plain values, no expression is left.
type Config struct {
	Settings Settings
	Schema   *Schema  // nil: no schema block
	Groups   []Group  // sorted by Address
	Blocks   []string // addresses of all declared group blocks ("group.admins"), also those with no instance; sorted
	// DataBlocks are those of Blocks whose instances follow from live data; sorted.
	DataBlocks []string
	Policies   []Policy // sorted by Name
	Identity   Identity
	Exclude    Exclude
	Gates      []Gate // sorted by Name
	Waves      []Wave // in `after` order, ties by name
	Guard      Guard
}

// Pos says where a block stands, for people. It is never part of a plan's ID.
type Pos struct {
	File string // base name
	Line int
}

// Schema is the schema block.
type Schema struct {
	Level string // "dual"
	Pos   Pos
}

// Group is one instance of a group block.
type Group struct {
	Address     state.Address // group.admins["acme"], or group.admins without for_each
	Block       string        // group.admins
	Tenant      string        // slug
	Name        string        // checked against Self-auth's name rules, lower case
	Description string
	Role        state.Role
	Members     Members
	Pos         Pos
}

// Members says which moved users of the tenant belong in a group. Neither All nor Roles: nobody.
type Members struct {
	All   bool
	Roles []string // by users.role, sorted
}

// Has says whether a user of that role belongs in the group.
func (m Members) Has(role string) bool {
	if m.All {
		return true
	}
	for _, r := range m.Roles {
		if r == role {
			return true
		}
	}
	return false
}

// Policy is an auth_policy block.
type Policy struct {
	Name           string
	Method         state.Method // MethodDual in this version
	CompleteOnLink bool         // complete_on = "link"
	Pos            Pos
}

// Identity says how a user becomes a person.
type Identity struct {
	Name        Template // defaults to "${user.tenant_slug}.${user.email_local}"
	Display     Template // the zero Template: full name, else the address's local part
	SharedEmail string   // "skip" | "error" | "first_tenant"
	Unverified  string   // "allow" | "skip"
	Text        string   // source text of both templates, for the plan's digest
}

// UserVars are what a template of identity may use.
type UserVars struct {
	TenantSlug, Email, EmailLocal, FullName, Role, UserID string
}

// Exclude names service accounts.
type Exclude struct {
	Emails  []string    // lower case, sorted
	UserIDs []uuid.UUID // sorted
}

// Gate is a manual gate.
type Gate struct {
	Name string
	Pos  Pos
}

// Selector is one users block: all that is given must hold.
type Selector struct {
	All        bool
	Tenants    []string // slugs, sorted; nil: any tenant; empty and not nil: none
	Roles      []string // nil: any role; empty and not nil: none
	Percent    float64  // 0..100; only meaningful with HasPercent
	HasPercent bool
}

// Wave is a wave block.
type Wave struct {
	Name        string
	Policy      string
	Enabled     bool
	Users       []Selector // or
	After       []string   // waves, sorted
	At          time.Time  // zero: none
	StartGates  []string   // sorted
	Soak        time.Duration
	FinishGates []string
	MaxFailures int64
	AllowEmpty  bool
	Pos         Pos
}

// Guard holds the brakes.
type Guard struct {
	MaxUsersChangedPercent float64 // 30
	MinPopulation          int64   // 20
}
