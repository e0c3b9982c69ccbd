package planner

import (
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Plan is everything of a plan but its user changes, which are a stream in its segments. All of it except
// Analysis makes up the plan's ID.
type Plan struct {
	Kind     state.RunKind          `json:"kind"`
	Target   state.Target           `json:"target"`
	Lineage  uuid.UUID              `json:"lineage"`
	Schema   []providers.SchemaStep `json:"schema,omitempty"`
	Objects  []ObjectChange         `json:"objects,omitempty"` // in the order of apply
	Segments []Segment              `json:"segments,omitempty"`
	Waves    []WaveEffect           `json:"waves,omitempty"` // in the order of `after`
	Identity Identity               `json:"identity"`
	Undo     *Undoing               `json:"undo,omitempty"` // of a rollback
	Hazards  []Hazard               `json:"hazards,omitempty"`
	Allowed  []Allowance            `json:"allowed,omitempty"` // sorted by code

	Analysis Analysis `json:"-"`
}

// Blocked says whether a hazard is not allowed: apply refuses the plan.
func (p *Plan) Blocked() bool {
	for _, h := range p.Hazards {
		if !h.Allowed {
			return true
		}
	}
	return false
}

// Empty says whether there is nothing to do: no change of the schema, an object or a user. A wave's change of
// state alone is none (L15).
func (p *Plan) Empty() bool {
	if len(p.Schema) > 0 || len(p.Objects) > 0 {
		return false
	}
	for _, s := range p.Segments {
		if s.Users > 0 {
			return false
		}
	}
	return true
}

// Users is the number of user changes.
func (p *Plan) Users() int64 {
	var n int64
	for _, s := range p.Segments {
		n += s.Users
	}
	return n
}

// Identity is what apply needs to make a person from a row again: the source of the two templates.
type Identity struct {
	Name    string `json:"name"`
	Display string `json:"display"`
}

// Action is what happens to an object.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace" // deleted and made again
	Delete  Action = "delete"
	Adopt   Action = "adopt"   // there before us: taken over
	Recover Action = "recover" // there already and provably ours: recorded
	Forget  Action = "forget"  // no longer declared: it stays as it is
)

// ObjectChange is the change of one object; that of a group includes its mapping row.
type ObjectChange struct {
	Address state.Address    `json:"address"`
	From    state.Address    `json:"from,omitempty"` // recorded under this address before (moved, L32)
	Kind    state.Kind       `json:"kind"`
	Action  Action           `json:"action"`
	Before  *state.Object    `json:"before,omitempty"` // recorded; nil: nothing
	After   *state.Object    `json:"after,omitempty"`  // as it will be recorded; nil: forgotten
	Was     state.Attributes `json:"was"`              // observed, of what is written; nil: it is not there
	Will    state.Attributes `json:"will"`             // nil: it goes
	Unmap   []uuid.UUID      `json:"unmap,omitempty"`  // groups that are gone and whose mapping rows of the tenant go
	Last    bool             `json:"last,omitempty"`   // carried out after the users
	Text    []string         `json:"-"`                // what changes, for people
}

// SegmentKind is what the users of a segment have in common.
type SegmentKind string

// Follow: users moved before whose memberships or person follow their row (L24, L25, L28). Move: users of a
// wave. Restore: users taken back.
const (
	SegmentFollow  SegmentKind = "follow"
	SegmentMove    SegmentKind = "move"
	SegmentRestore SegmentKind = "restore"
)

// Segment is the head of a stream of user changes in the order of tenant id, user id.
type Segment struct {
	Kind  SegmentKind `json:"kind"`
	Wave  string      `json:"wave,omitempty"` // "" for SegmentFollow
	Users int64       `json:"users"`
}

// Shape is what all users of one index in the segment's table have done to them.
type Shape struct {
	Tenant     uuid.UUID        `json:"tenant"` // as it is now
	Relies     providers.Relies `json:"relies"`
	RowGone    bool             `json:"row_gone,omitempty"`
	Found      bool             `json:"found,omitempty"` // the row is linked already: that person is meant (L29)
	Person     uuid.UUID        `json:"person,omitzero"` // RowGone: the person, where its id does not follow from user and generation
	Act        state.PersonAct  `json:"act"`
	Exists     bool             `json:"exists,omitempty"`     // PersonCreate: the person is there already and ours
	Slug       string           `json:"slug,omitempty"`       // PersonCreate: of the tenant, for the person's name
	Generation int              `json:"generation,omitempty"` // of the person id
	Suffix     bool             `json:"suffix,omitempty"`
	Join       []uuid.UUID      `json:"join,omitempty"`  // sorted
	Leave      []uuid.UUID      `json:"leave,omitempty"` // sorted
	Keep       []uuid.UUID      `json:"keep,omitempty"`  // memberships that stay recorded as ours, sorted
	Link       bool             `json:"link,omitempty"`
	Mail       bool             `json:"mail,omitempty"`   // the person's address follows the row
	Away       bool             `json:"away,omitempty"`   // recorded: the person sleeps as its row does (L27)
	Method     state.Method     `json:"method,omitempty"` // 0: not written
	Complete   bool             `json:"complete,omitempty"`
	Wave       string           `json:"wave,omitempty"`   // recorded with the user
	Policy     string           `json:"policy,omitempty"` // recorded with the user
	Ours       bool             `json:"ours,omitempty"`   // the person is ours
	LinkOurs   bool             `json:"link_ours,omitempty"`
	Standing   state.Standing   `json:"standing"`          // afterwards
	Restore    bool             `json:"restore,omitempty"` // the row goes back to the image of the journal record
}

// UserChange is one row of a segment.
type UserChange struct {
	User   uuid.UUID
	Before state.Digest // of the row, zero when Shape.RowGone
	Shape  int          // index into the segment's table
	Record int64        // SegmentRestore: journal record whose image and prior are restored
	Person uuid.UUID    // with PersonAdopt: who is taken over
}

// WaveEffect is what apply does to a wave as a whole.
type WaveEffect struct {
	Name        string       `json:"name"`
	Digest      state.Digest `json:"digest"`
	After       []string     `json:"after,omitempty"` // enabled waves that must have got moved in this run or be done before it starts
	MaxFailures int64        `json:"max_failures,omitempty"`
	Starts      bool         `json:"starts,omitempty"`       // it has not been started before
	RestartSoak bool         `json:"restart_soak,omitempty"` // who is moved now restarts the clock of soak
	Moved       bool         `json:"moved,omitempty"`        // when its users are through, nobody selected is due
	Done        bool         `json:"done,omitempty"`         // when it is moved it is done
}

// Undoing is what a rollback does besides restoring users.
type Undoing struct {
	Runs          []string      `json:"runs"`            // sorted, oldest first
	Whole         []string      `json:"whole,omitempty"` // of these, the ones wholly undone
	Again         []string      `json:"again,omitempty"` // rollbacks that are undone: the runs that stand again
	Waves         []string      `json:"waves,omitempty"` // narrowed to
	Tenants       []uuid.UUID   `json:"tenants,omitempty"`
	Pauses        []state.Pause `json:"pauses,omitempty"` // left behind; Run and At are filled in by apply
	Lift          []string      `json:"lift,omitempty"`   // rollbacks whose pauses go
	DeletePersons bool          `json:"delete_persons,omitempty"`
}

// HazardCode names a risk.
type HazardCode string

// The hazards of this version.
const (
	OverLimit    HazardCode = "OVER_LIMIT"
	DeletesData  HazardCode = "DELETES_DATA"
	LoginGap     HazardCode = "LOGIN_GAP"
	EndsSessions HazardCode = "ENDS_SESSIONS"
	LocksOut     HazardCode = "LOCKS_OUT_USERS"
	AdoptsPerson HazardCode = "ADOPTS_PERSON"
)

// Hazard is a risk of a plan, to be allowed by code and count when the plan is made (L41).
type Hazard struct {
	Code    HazardCode `json:"code"`
	Count   int64      `json:"count"`
	Text    string     `json:"text"` // sentences for people
	Allowed bool       `json:"allowed"`
}

// Allowance is one -allow CODE=COUNT.
type Allowance struct {
	Code  HazardCode `json:"code"`
	Count int64      `json:"count"`
}

// Analysis is what a plan says to its reader besides its effects. It lies outside the plan's ID and holds
// nothing personal.
type Analysis struct {
	Version        string                     `json:"version"` // of Anthill
	AsOf           time.Time                  `json:"as_of"`
	Future         bool                       `json:"future,omitempty"` // -as-of lies after the clock: apply refuses until then
	PostgresServer string                     `json:"postgres_server"`  // version
	SelfAuthServer string                     `json:"selfauth_server"`  // version
	OpenRun        string                     `json:"open_run,omitempty"`
	LastRun        string                     `json:"last_run,omitempty"`    // the latest one when the plan was made
	LastCounts     *state.Counts              `json:"last_counts,omitempty"` // how far it had come, where it was open
	Live           int64                      `json:"live"`                  // live users: row and tenant not deleted
	Changed        int64                      `json:"changed"`               // users in this plan
	Gain           int64                      `json:"gain"`                  // of them, gain a Self-auth login
	Lose           int64                      `json:"lose"`                  // of them, lose one
	AlreadyMoved   int64                      `json:"already_moved"`
	Unchanged      int                        `json:"unchanged"` // objects
	Groups         int                        `json:"groups"`    // looked at for isolation
	Memberships    int64                      `json:"memberships"`
	Violations     []string                   `json:"violations,omitempty"` // of tenant isolation, sentences
	Waves          []WaveView                 `json:"waves,omitempty"`
	Follow         []TenantEffect             `json:"follow,omitempty"`
	NotMoved       []Skipped                  `json:"not_moved,omitempty"`
	Dormant        []string                   `json:"dormant,omitempty"`   // addresses with the reason, sentences
	Outside        []string                   `json:"outside,omitempty"`   // changed outside Anthill, sentences
	Notes          []string                   `json:"notes,omitempty"`     // sentences
	Conflicts      []ConflictView             `json:"conflicts,omitempty"` // of a rollback
	Where          map[state.Address]string   `json:"where,omitempty"`     // file:line of objects
	Texts          map[state.Address][]string `json:"texts,omitempty"`     // what changes in each object
	Calls          int64                      `json:"calls"`               // to Self-auth, about
	Transactions   int64                      `json:"transactions"`        // on Postgres, about
	WriteSeconds   float64                    `json:"write_seconds"`       // that creating persons takes a server of two cores, about
}

// WaveState is the state of a wave (L13).
type WaveState string

// The states.
const (
	Disabled WaveState = "disabled"
	Held     WaveState = "held"
	Starting WaveState = "starts" // running, from this plan on
	Running  WaveState = "running"
	Soaking  WaveState = "soaking"
	DoneWave WaveState = "done"
	Paused   WaveState = "paused"
)

// WaveView is a wave as people see it.
type WaveView struct {
	Name    string         `json:"name"`
	Policy  string         `json:"policy"`
	State   WaveState      `json:"state"`
	Since   time.Time      `json:"since,omitzero"`    // done or started; zero: never
	Until   time.Time      `json:"until,omitzero"`    // soaking: when soak ends; held by its date: the date
	Reasons []string       `json:"reasons,omitempty"` // why it is held, soaking or paused, phrases
	Matched int64          `json:"matched"`           // live users its selectors match and that no earlier wave takes
	Moved   int64          `json:"moved"`             // of them, moved already
	Due     int64          `json:"due"`               // to be moved, now or once it may start
	Late    int64          `json:"late"`              // of Due, joining a done wave
	Waiting int64          `json:"waiting"`           // for a pause
	Skipped int64          `json:"skipped"`
	Moves   bool           `json:"moves"`             // its users are in this plan
	Tenants []TenantEffect `json:"tenants,omitempty"` // of Due, sorted by slug
}

// TenantEffect counts what happens to the users of one tenant.
type TenantEffect struct {
	Tenant    uuid.UUID `json:"tenant"`
	Slug      string    `json:"slug"`
	Live      int64     `json:"live"` // live users of the tenant
	Users     int64     `json:"users"`
	Admins    int64     `json:"admins"` // users.role admin, super_admin or owner among Users
	Create    int64     `json:"create"` // persons made
	Enable    int64     `json:"enable"` // persons found ours: recovered or enabled again
	Found     int64     `json:"found"`  // linked before us (L29)
	Adopt     int64     `json:"adopt"`  // persons taken over
	Mail      int64     `json:"mail"`   // persons whose address follows
	Expire    int64     `json:"expire"`
	Delete    int64     `json:"delete"`
	Revive    int64     `json:"revive"` // persons brought back from the recycle bin
	Join      int64     `json:"join"`   // memberships
	Leave     int64     `json:"leave"`
	GainAdmin int64     `json:"gain_admin"` // users who join a group that is mapped as admin
	LoseAdmin int64     `json:"lose_admin"`
	Link      int64     `json:"link"`      // rows linked
	Dual      int64     `json:"dual"`      // rows whose method becomes dual
	SelfAuth  int64     `json:"self_auth"` // rows whose method becomes self_auth (L6)
	Restore   int64     `json:"restore"`   // rows that go back
	Used      int64     `json:"used"`      // of Restore, completed since: that way in closes
}

// Skipped counts users in scope who will not be moved, by reason.
type Skipped struct {
	Reason SkipReason `json:"reason"`
	Count  int64      `json:"count"`
}

// ConflictView is a user that a rollback leaves as it is.
type ConflictView struct {
	User   uuid.UUID `json:"user"`
	Reason string    `json:"reason"`
}

// Sink takes the user changes of a plan while it is made. planfile.Writer is one.
type Sink interface {
	// Segment opens a segment; the returned index is used by Add and Drop.
	Segment(kind SegmentKind, wave string) int
	Add(segment int, shape Shape, c UserChange) error
	// Drop forgets the changes of a segment (a wave that turned out to be held).
	Drop(segment int) error
	// Skip lists a user who is not moved.
	Skip(user uuid.UUID, reason SkipReason) error
}
