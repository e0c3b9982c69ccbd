package plan

import (
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Basis is what a plan was made from. Apply reads only Last, to tell the same file from a plan made again.
type Basis struct {
	Configuration state.Hash `json:"configuration"` // SHA-256 of the files, by name
	Variables     state.Hash `json:"variables"`     // of their values, by name
	Serial        int64      `json:"serial"`        // of the recorded state
	Last          Moment     `json:"last"`
	Versions      Versions   `json:"versions"`
}

// Versions are those of the programs that a plan was made with.
type Versions struct {
	Anthill  string `json:"anthill"`
	Postgres string `json:"postgres"`
	SelfAuth string `json:"self_auth"`
}

// Context is what only helps the reader of a plan: apply cannot reach it. No figure about effects is in it, as those
// are computed from Effects whenever they are shown.
type Context struct {
	AsOf       time.Time       `json:"as_of"` // at which dates and soaks were judged
	Origin     Origin          `json:"origin,omitzero"`
	OpenRun    string          `json:"open_run,omitempty"`
	Part       *Part           `json:"part,omitempty"`       // that the plan is narrowed to; nil: it is one of all
	Drift      *Drift          `json:"drift,omitempty"`      // nil: this plan does not only look for what others have changed
	Recognised *Recognised     `json:"recognised,omitempty"` // of a retarget
	Population Population      `json:"population"`
	Isolation  Isolation       `json:"isolation"`
	Schema     []state.Finding `json:"schema,omitempty"` // what each step of Effects.Schema does, then each that is taken back
	Objects    Objects         `json:"objects"`
	Waves      []WaveView      `json:"waves,omitempty"`
	Allowed    []AllowView     `json:"allowed,omitempty"` // allow blocks that the plan rests on, in the order of hazards' codes
	Outside    []state.Finding `json:"outside,omitempty"` // changed outside Anthill
	Notes      []state.Finding `json:"notes,omitempty"`
	Conflicts  []Conflict      `json:"conflicts,omitempty"` // of a rollback, the first thousand
	Completed  int64           `json:"completed,omitempty"` // of a rollback: users who have logged in since
	Asleep     int64           `json:"asleep,omitempty"`    // of a rollback: persons to be expired who are expired by now
	Cost       Cost            `json:"cost"`
}

// Origin is where a plan was made, as far as the environment tells: it proves nothing.
type Origin struct {
	Commit string `json:"commit,omitempty"` // of the repository with the configuration
	Files  Files  `json:"files,omitempty"`  // the configuration's, beside those of the commit; "": not compared
	Author string `json:"author,omitempty"` // whoever the CI job is for, as the CI system names them
	Job    string `json:"job,omitempty"`    // the job's address
}

// Files says how the files that a plan was made from are, beside those of a commit.
type Files string

// The ways.
const (
	FilesCommitted Files = "as_committed"
	FilesOtherwise Files = "otherwise" // one has another text, is not in the commit, or is missing
)

// Population is how many users there are. Live: row and tenant not deleted. Moved: recorded as moved.
type Population struct {
	Live    int64        `json:"live"`
	Moved   int64        `json:"moved"`
	Tenants []TenantLive `json:"tenants,omitempty"` // of which the plan changes users, sorted by id
}

// TenantLive is how many live users a tenant has.
type TenantLive struct {
	Tenant uuid.UUID `json:"tenant"`
	Live   int64     `json:"live"`
}

// Isolation is what was looked at for the isolation of tenants, and where it does not hold.
type Isolation struct {
	Groups      int             `json:"groups"`
	Memberships int64           `json:"memberships"`
	Unseen      bool            `json:"unseen,omitempty"` // the account does not see groups: only mapping rows were looked at
	Violations  []state.Finding `json:"violations,omitempty"`
}

// Objects is what is said of declared objects besides their changes.
type Objects struct {
	Unchanged int                               `json:"unchanged"`
	Dormant   []state.Finding                   `json:"dormant,omitempty"`
	Where     map[state.Address]Place           `json:"where,omitempty"`
	Said      map[state.Address][]state.Finding `json:"said,omitempty"`
}

// AllowView is an allow block that a plan rests on. Until when, and what count of it, is in the effects.
type AllowView struct {
	Code   HazardCode `json:"code"`
	Reason string     `json:"reason"`
	Where  Place      `json:"where"`
}

// Place is where a block stands in the configuration.
type Place struct {
	File string `json:"file"` // base name
	Line int    `json:"line"`
}

// Cost is an estimate of what carrying out the plan takes.
type Cost struct {
	Calls        int64   `json:"calls"`         // to Self-auth
	Transactions int64   `json:"transactions"`  // on Postgres
	WriteSeconds float64 `json:"write_seconds"` // that creating persons takes a server of two cores
	// By the quickest of the last few runs of the same kind that were long enough to tell; zero where there is none.
	Run     string  `json:"run,omitempty"`
	Rate    float64 `json:"users_per_second,omitempty"`
	Seconds float64 `json:"seconds,omitempty"` // that the users of this plan take at that rate
}

// WaveState is the state of a wave (L13).
type WaveState string

// The states. A wave that WaveStarts is running once the plan is carried out.
const (
	WaveDisabled WaveState = "disabled"
	WaveHeld     WaveState = "held"
	WaveStarts   WaveState = "starts"
	WaveRunning  WaveState = "running"
	WaveSoaking  WaveState = "soaking"
	WaveDone     WaveState = "done"
	WavePaused   WaveState = "paused"
)

// WaveView is how a wave stands. What this plan does to its users is in the effects.
type WaveView struct {
	Name    string          `json:"name"`
	Policy  string          `json:"policy"`
	State   WaveState       `json:"state"`
	Since   time.Time       `json:"since,omitzero"` // done or started; zero: never
	Until   time.Time       `json:"until,omitzero"` // soaking: when soak ends; held by its date: the date
	Reasons []state.Finding `json:"reasons,omitempty"`
	Matched int64           `json:"matched"`            // recorded as moved under it, or selected by it and by no earlier wave
	Moved   int64           `json:"moved"`              // of them, recorded as moved
	Due     int64           `json:"due"`                // to be moved, now or once it may start
	Waiting int64           `json:"waiting"`            // for a pause, or for the open run to decide about them
	Skipped int64           `json:"skipped"`            // for good
	Added   int64           `json:"added,omitempty"`    // of those due or waiting, whom an edit of its selection adds since it has started
	Left    int64           `json:"left_out,omitempty"` // of those due, whom this plan would move if it were not one of a part
	// What its gates go by. Moved there leaves out who is suspended, or of a tenant that is.
	Figures state.WaveFigures `json:"figures"`
	// Those who are not moved now, whatever becomes of the wave, by the first reason that holds.
	NotMoved []Skipped `json:"not_moved,omitempty"`
}

// Skipped counts users in scope who will not be moved, by reason.
type Skipped struct {
	Reason SkipReason `json:"reason"`
	Count  int64      `json:"count"`
}

// Conflict is a user whom a rollback leaves as it is.
type Conflict struct {
	User uuid.UUID     `json:"user"`
	Why  state.Finding `json:"why"`
}
