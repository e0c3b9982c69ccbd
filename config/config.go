package config

import (
	"time"

	"github.com/google/uuid"

	"anthill/internal/migration"
	"anthill/state"
)

// Settings are what must be known before anything can be read: where the two sides are. From the provider and
// anthill blocks, which may refer to variables and locals only.
type Settings struct {
	Environment string            // anthill { environment }; "default"
	Unsettled   bool              // the environment depends on a variable without a value; a saved plan, or the state, says which it is
	StateSchema string            // state "postgres" { schema }; "anthill_state"
	PostgresURL string            // provider "postgres" { url }; "" when not given: DATABASE_URL then. Secret.
	Naming      string            // "self_auth" | "kanidm"
	Names       map[string]string // provider "postgres" { names }; nil: all as in Naming. By logical names (state.PhysicalNames)
	// schema { migration_tables }: names of tables, with or without a schema and a dot; sorted
	MigrationTables []string
	SelfAuthURL     string // "" when not given: SELF_AUTH_URL then
	CAFile          string // "" when not given: SELF_AUTH_CA_FILE then; relative to the configuration's directory
	TokenFile       string // "" when not given: SELF_AUTH_ADMIN_TOKEN then; relative likewise
	MaxWrite        time.Duration
	Mail            MailSettings
}

// MailSettings are how mails go out, from provider "mail". At most one of URL and Directory is given.
type MailSettings struct {
	URL        string // smtp:// or smtps://; "" when not given: MAIL_URL then. Secret.
	CAFile     string // "" when not given: MAIL_CA_FILE then; relative to the configuration's directory, as is Directory
	Directory  string // a file for each mail; "": none
	DomainRate int64  // mails a minute to the addresses of one domain; 0: any number
}

// Data is what evaluation may read of the live world.
type Data struct {
	Tenants  []TenantData                // in any order
	Recorded map[state.Address]uuid.UUID // rows of declared tenants that are recorded, by address
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
	Tenants  []Tenant // sorted by Address, as are the next three
	Groups   []Group
	Clients  []Client
	Accounts []AccountPolicy
	Moved    []Move
	// addresses of all declared blocks of objects ("group.admins"), also those with no instance; sorted
	Blocks []string
	// DataBlocks are those of Blocks whose instances follow from live data; sorted.
	DataBlocks []string
	Policies   []Policy // sorted by Name
	Identity   Identity
	Exclude    Exclude
	Gates      []Gate // sorted by Name
	Waves      []Wave // in `after` order, ties by name
	Guard      Guard
	Allows     []Allow // sorted by Hazard, each once
	Awake      Awake
}

// Awake is what a configuration declares once every tenant is active: whatever could be told without a mistake. The
// others are reported when they are declared in earnest.
type Awake struct {
	Groups  []Group  // of the tenants that are away at present
	Clients []Client // all, where there are such groups
}

// Pos says where a block stands, for people. It is never part of a plan's ID.
type Pos struct {
	File string // base name
	Line int
}

// Schema is the schema block.
type Schema struct {
	Level        string    // "dual"
	RequiredFrom time.Time // from then on new users need Self-auth; zero: that is not said
	Folder       string    // with the application's own migrations, as it was given; "": none was
	Migrations   []migration.File
	Pos          Pos
}

// Tenant is one instance of a tenant block.
type Tenant struct {
	Address    state.Address
	Slug       string
	Attributes state.Attributes // slug and what else is given: name, plan, status, settings
	Adopt      bool             // a row with the slug that is there already is taken over
	Pos        Pos
}

// Group is one instance of a group block.
type Group struct {
	Address     state.Address // group.admins["acme"], or group.admins without for_each
	Block       string        // group.admins
	Tenant      string        // slug
	Name        string        // checked against Self-auth's name rules, lower case
	Description string
	Described   bool // a description is given; an adopted group keeps its own otherwise
	Role        state.Role
	Members     state.Members
	Adopt       bool // a group with the name that is there already is taken over
	Pos         Pos
}

// Client is one instance of an oauth2_client block.
type Client struct {
	Address    state.Address
	Name       string
	Attributes state.Attributes // all but the maps, in the canonical form
	Scopes     []ScopeMap
	SupScopes  []ScopeMap
	Claims     []ClaimMap
	Requested  []string // scopes that the application asks for; nil: all that it is given
	Adopt      bool
	Pos        Pos
}

// ScopeMap gives scopes to the members of groups.
type ScopeMap struct {
	Groups []state.Address
	Scopes []string // sorted
}

// ClaimMap gives values of a claim to the members of groups.
type ClaimMap struct {
	Claim  string
	Join   string // array, csv or ssv
	Groups []state.Address
	Values []string // sorted
}

// AccountPolicy is an account_policy block's policy on one group: account_policy.LABEL["GROUP.KEY"].
type AccountPolicy struct {
	Address    state.Address
	Group      state.Address
	Attributes state.Attributes // all that a policy has; a zero value is not set
	Pos        Pos
}

// Move says that what is recorded under one address is now declared under another.
type Move struct {
	From, To state.Address
	Pos      Pos
}

// Policy is an auth_policy block.
type Policy struct {
	Name           string
	Method         state.Method // MethodDual or MethodSelfAuth
	From           string       // the policy under which users were moved whom this one raises; "": it moves users who are not
	CompleteOnLink bool         // complete_on = "link"
	PasswordUntil  time.Time    // until then nobody who was moved under it is raised; zero: nothing is promised
	Pos            Pos
}

// Identity says how a user becomes a person.
type Identity struct {
	Name        Template // defaults to "${user.tenant_slug}.${user.email_local}"
	Display     Template // the zero Template: full name, else the address's local part
	SharedEmail string   // "skip" | "error" | "first_tenant"
	Unverified  string   // "allow" | "skip"
	AdoptMail   bool     // adopt = "mail"
	OmitMail    bool     // mail = "omit"
	FollowMail  bool
	FollowState bool   // follow "status"
	Text        string // source text of both templates, for the plan's digest
}

// UserVars are what a template of identity may use.
type UserVars struct {
	TenantSlug, Email, EmailLocal, FullName, Role string
	UserID                                        uuid.UUID
}

// Exclude names service accounts.
type Exclude struct {
	Emails  []string    // lower case, sorted
	UserIDs []uuid.UUID // sorted
}

// Selector is one users block: all that is given must hold.
type Selector struct {
	All        bool
	Tenants    []string // slugs, sorted; nil: any tenant; empty and not nil: none
	Roles      []string // nil: any role; empty and not nil: none
	Percent    float64  // 0..100; only meaningful with HasPercent
	HasPercent bool
}

// Wave is a wave block, or one of its steps (state.StepOf).
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
	Gates       []Gate // of both, sorted by name
	MaxFailures int64
	AllowEmpty  bool
	IgnoreLate  bool          // late = "ignore": whoever matches when it is done is left
	Window      *state.Window // nil: it may move users at any time
	Promised    time.Time     // PasswordUntil of the policy under which those were moved whom it raises; zero: none
	Invitation  *Invitation
	Reminder    *Reminder // nil: none; there is an Invitation then

	Announcement *Announcement // nil: nobody is told of it before
	Pos          Pos
}

// Announcement is the mail that says of a wave, before it starts, that it will.
type Announcement struct {
	ToAdmins bool          // to the administrators of tenants with users of the wave; else to these users
	Before   time.Duration // so long before the wave may start
	Letter   Invitation    // LinkNone: there is nothing yet to come in by
}

// Invitation is the mail by which the users of a wave learn how to come in, and what is said of any other mail of a wave.
type Invitation struct {
	Template      string // its text
	Subject       string // as configured; "": that of the template
	From          string // a mailbox: "Anthill <noreply@anthill.example>"
	ReplyTo       string // likewise; "": none
	Support       string // where people find help; "": nowhere
	GuideURL      string // "": there is none
	Link          state.MailLink
	Rate          int64     // mails a minute; 0: as fast as they are taken
	PasswordUntil time.Time // that of the wave's policy, or of the one under which those were moved whom it raises; zero: none
	Pos           Pos

	name string // of the template, for people
}

// Reminder is the same mail once more, to who has not enrolled.
type Reminder struct {
	After, Every time.Duration // since the invitation, and since the last reminder; Every 0: there is one
	AtMost       int64         // how many
	Pos          Pos
}

// Guard holds the brakes.
type Guard struct {
	MaxUsersChangedPercent float64 // 30
	MaxRemovedPercent      float64 // 5
	MinPopulation          int64   // 20
	KeepAdmins             int64   // 1
}

// Allow is an allow block.
type Allow struct {
	Hazard string // its code, as it is written: whether there is such a hazard the planner knows
	Count  int64  // 0: of any count
	Reason string
	Until  time.Time // from then on it allows nothing
	Pos    Pos
}

// Address is how diagnostics name the block.
func (a Allow) Address() state.Address { return state.Address("allow." + a.Hazard) }

// Of reports whether the block is for a hazard of such a count.
func (a Allow) Of(count int64) bool { return a.Count == 0 || a.Count == count }
