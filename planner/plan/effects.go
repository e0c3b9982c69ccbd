package plan

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Plan is a plan without its user changes.
type Plan struct {
	Effects Effects
	Basis   Basis
	Context Context
}

// Effects is all that apply decides by, but for the changes of users. The plan's ID is the digest of both.
type Effects struct {
	Kind      state.RunKind  `json:"kind"`
	Target    state.Target   `json:"target"`
	Was       *state.Target  `json:"was,omitempty"` // of a retarget: what the state is bound to so far
	Lineage   uuid.UUID      `json:"lineage"`
	NotBefore time.Time      `json:"not_before,omitzero"` // set where -as-of lay in the future: refused until then
	After     *Moment        `json:"after,omitempty"`     // of a rollback: the last run that it knows
	Schema    []string       `json:"schema,omitempty"`    // steps, by name
	Tenants   []Tenant       `json:"tenants,omitempty"`   // that shapes and groups name
	Groups    []Group        `json:"groups,omitempty"`    // that shapes and objects name
	Sets      [][]int        `json:"sets,omitempty"`      // of places in Groups, by the groups' ids; the first is empty
	Objects   []ObjectChange `json:"objects,omitempty"`   // in the order of apply
	Segments  []Segment      `json:"segments,omitempty"`
	Waves     []WaveEffect   `json:"waves,omitempty"`    // in the order of `after`
	Brakes    []state.Brakes `json:"brakes,omitempty"`   // of waves, in the order of `after`: apply records them
	Policies  []state.Policy `json:"policies,omitempty"` // sorted by name: apply records them with the brakes
	Braked    state.Digest   `json:"braked,omitzero"`    // of what was recorded of both when the plan was made (BrakesDigest)
	// Doors are the clients by which somebody comes in, sorted by name, where the plan takes passwords away: apply looks again
	// whether one lets in whose password goes. None: nobody came in by one when the plan was made.
	Doors    []Doorway `json:"doors,omitempty"`
	Identity Identity  `json:"identity"`
	Undo     *Undoing  `json:"undo,omitempty"`     // of a rollback
	Wishes   []Wish    `json:"wishes,omitempty"`   // that the plan goes by, in the order of Waves: apply uses them up
	Mailings []Mailing `json:"mailings,omitempty"` // of waves whose users are written to, in the order of `after`
	Risk
}

// Risk is what must be allowed for a plan to run, and what was.
type Risk struct {
	Hazards []Hazard    `json:"hazards,omitempty"`
	Allowed []Allowance `json:"allowed,omitempty"` // sorted by code
}

// Moment is how far recorded runs had come.
type Moment struct {
	Run  string        `json:"run"`            // the latest one; "": there was none
	Open *state.Counts `json:"open,omitempty"` // how far it had come, where it was open
}

// Now is the present moment of a state.
func Now(st *state.State) Moment {
	if len(st.Runs) == 0 {
		return Moment{}
	}
	last := st.Runs[len(st.Runs)-1]
	if last.Open {
		return Moment{last.ID, &last.Counts}
	}
	return Moment{Run: last.ID}
}

// Equal reports whether two moments are the same.
func (m Moment) Equal(o Moment) bool {
	return m.Run == o.Run && (m.Open == nil) == (o.Open == nil) && (m.Open == nil || *m.Open == *o.Open)
}

// Tenant is a tenant that a plan names.
type Tenant struct {
	ID   uuid.UUID `json:"id"`
	Slug string    `json:"slug"`
}

// Group is a group that a plan names, as it will be.
type Group struct {
	ID      uuid.UUID     `json:"id"`
	Name    string        `json:"name,omitempty"`
	Tenant  uuid.UUID     `json:"tenant,omitzero"` // whose, by the mapping table; zero: nobody's
	Role    state.Role    `json:"role,omitempty"`  // that it is mapped as
	Was     state.Role    `json:"was,omitempty"`   // that it is mapped as now, where that is another one
	Members state.Members `json:"members,omitzero"`

	Unmapped bool `json:"unmapped,omitempty"` // it is there, and mapped as nothing now
}

// Empty reports whether there is nothing to do: no change of the schema, of an object or of a user, no mail and no other target. That a
// wave changes its state alone does not count (L15).
func (e *Effects) Empty() bool {
	return e.Was == nil && len(e.Schema)+len(e.SchemaBack()) == 0 && len(e.Objects) == 0 && e.Users()+e.Mails()+e.Releases() == 0
}

// Users is the number of user changes; who is only written to, or whose person gives an address up, is not among them: most of
// those are changed otherwise as well.
func (e *Effects) Users() (n int64) {
	for _, s := range e.Segments {
		if s.Kind.Changes() {
			n += s.Users
		}
	}
	return n
}

// Mails is how many mails go to users who are not changed by them.
func (e *Effects) Mails() int64 { return e.usersOf(SegmentKind.Mails) }

// Releases is how many persons give addresses up that others hold now.
func (e *Effects) Releases() int64 {
	return e.usersOf(func(k SegmentKind) bool { return k == SegmentRelease })
}

func (e *Effects) usersOf(is func(SegmentKind) bool) (n int64) {
	for _, s := range e.Segments {
		if is(s.Kind) {
			n += s.Users
		}
	}
	return n
}

// Slugs are the slugs of the tenants that the plan names.
func (e *Effects) Slugs() map[uuid.UUID]string {
	slugs := make(map[uuid.UUID]string, len(e.Tenants))
	for _, t := range e.Tenants {
		slugs[t.ID] = t.Slug
	}
	return slugs
}

// Identity is what apply needs to make a person from a row again (the source of the two templates), and to say where it
// belongs.
type Identity struct {
	Name    string `json:"name"`
	Display string `json:"display"`
	Follow  bool   `json:"follow,omitempty"` // persons follow the status of their rows
}

// ObjectChange is the change of one object; that of a group includes its mapping row.
type ObjectChange struct {
	Address state.Address    `json:"address"`
	From    state.Address    `json:"from,omitempty"` // recorded under this address before (moved, L32)
	Kind    state.Kind       `json:"kind"`
	Action  state.Action     `json:"action"`
	Before  *state.Object    `json:"before,omitempty"` // recorded; nil: nothing
	After   *state.Object    `json:"after,omitempty"`  // as it will be recorded; nil: forgotten
	Was     state.Attributes `json:"was,omitzero"`     // observed, of what is written; nil: it is not there
	Will    state.Attributes `json:"will,omitzero"`    // nil: it goes; of ActionRecord the same as Was
	Unmap   []uuid.UUID      `json:"unmap,omitempty"`  // groups that are gone and whose mapping rows of the tenant go
	Last    bool             `json:"last,omitempty"`   // carried out after the users
}

// Object is the object as it will be recorded, or, if it is forgotten, as it was.
func (c ObjectChange) Object() state.Object {
	if c.After != nil {
		return *c.After
	}
	return *c.Before
}

// SegmentKind is what the users of a segment have in common.
type SegmentKind string

// Release: users whose persons give up addresses that others hold now; before all others. Follow: users moved before whose memberships or person follow their row (L24, L25, L28). Move: users of a
// wave. Withdraw: users who are not moved, from whose persons is taken what lets them in. Restore: users taken back. Mail: users moved
// before who are sent a mail, and nothing else. Announce: users, moved or not, to whom a wave is announced.
const (
	SegmentRelease  SegmentKind = "release"
	SegmentFollow   SegmentKind = "follow"
	SegmentWithdraw SegmentKind = "withdraw"
	SegmentMove     SegmentKind = "move"
	SegmentRestore  SegmentKind = "restore"
	SegmentMail     SegmentKind = "mail"
	SegmentAnnounce SegmentKind = "announce"
)

// Mails reports whether the users of a segment are only written to.
func (k SegmentKind) Mails() bool { return k == SegmentMail || k == SegmentAnnounce }

// Changes reports whether the users of a segment are counted as changed.
func (k SegmentKind) Changes() bool { return !k.Mails() && k != SegmentRelease }

// Segment is the head of a stream of user changes in the order of tenant id, user id.
type Segment struct {
	Kind  SegmentKind `json:"kind"`
	Wave  string      `json:"wave,omitempty"` // "" for SegmentFollow; of SegmentWithdraw: that will move them, or ""
	Users int64       `json:"users"`
}

// InOrder are the places of the segments in the order in which they are carried out: waves in the order of `after`, behind all
// else. In Segments they stand in the order in which their first users were met.
func (e *Effects) InOrder() (list []int) {
	for i, s := range e.Segments {
		if s.Kind != SegmentMove {
			list = append(list, i)
		}
	}
	for _, w := range e.Waves {
		for i, s := range e.Segments {
			if s.Kind == SegmentMove && s.Wave == w.Name {
				list = append(list, i)
			}
		}
	}
	return list
}

// WaveEffect is what apply does to a wave as a whole. It starts only when the waves of After were moved in the same
// run, or are done.
type WaveEffect struct {
	Name        string       `json:"name"`
	Digest      state.Digest `json:"digest"`          // of its selection
	After       []string     `json:"after,omitempty"` // sorted
	MaxFailures int64        `json:"max_failures,omitempty"`
	Starts      bool         `json:"starts,omitempty"`       // it has not been started before
	RestartSoak bool         `json:"restart_soak,omitempty"` // moving somebody starts the clock of soak again
	Moved       bool         `json:"moved,omitempty"`        // once its users are moved, nobody whom it selects is due
	Done        bool         `json:"done,omitempty"`         // and it is done then
	Sampling    *Sampling    `json:"sampling,omitempty"`     // gates that are sampled again; nil: none
	// Users are moved whom an edit of its selection adds, or who are many and late, as its gates are open again.
	Widens bool `json:"widens,omitempty"`
	// Whom it selects, to be recorded when all of them have been moved whom an edit of that adds; none: it adds
	// nobody, or not all of them are moved.
	Users []state.Selector `json:"users,omitempty"`
	// When its users may be moved, which apply looks at before each batch; nil: at any time.
	Window *state.Window `json:"window,omitempty"`
}

// Wish is what somebody wished of a wave, and the plan goes by.
type Wish struct {
	Wave string         `json:"wave"`
	Kind state.WishKind `json:"kind"`
}

// Undoing is what a rollback does besides restoring users.
type Undoing struct {
	Runs          []string         `json:"runs"`            // sorted, oldest first
	Whole         []string         `json:"whole,omitempty"` // of these, the ones wholly undone
	Again         []string         `json:"again,omitempty"` // rollbacks that are undone: the runs that stand again
	Waves         []string         `json:"waves,omitempty"` // narrowed to
	Tenants       []uuid.UUID      `json:"tenants,omitempty"`
	Pauses        []Pause          `json:"pauses,omitempty"` // left behind
	Gates         []state.WaveGate `json:"gates,omitempty"`  // manual gates of what stays paused, whose confirmations go
	Lift          []string         `json:"lift,omitempty"`   // rollbacks whose pauses go
	DeletePersons bool             `json:"delete_persons,omitempty"`
	PostgresOnly  bool             `json:"postgres_only,omitempty"` // rows alone: Self-auth is neither asked nor changed
	Schema        *SchemaBack      `json:"schema,omitempty"`        // nil: the schema stays, or steps of it are made again
}

// SchemaBack are steps of the schema that are taken back, after all else.
type SchemaBack struct {
	Steps []string  `json:"steps"` // by name, in the order in which they go
	Since time.Time `json:"since"` // when the columns were made: as of providers.NeedsSchema
}

// SchemaBack are the steps of the schema that are taken back, by name, in the order in which they go.
func (e *Effects) SchemaBack() []string {
	if e.Undo == nil || e.Undo.Schema == nil {
		return nil
	}
	return e.Undo.Schema.Steps
}

// PostgresOnly reports whether Self-auth is neither asked nor changed.
func (e *Effects) PostgresOnly() bool { return e.Undo != nil && e.Undo.PostgresOnly }

// GivesBack reports whether a rollback of these effects has something to do, as far as users, objects and the schema go: what
// was taken from users who are not moved stays taken.
func (e *Effects) GivesBack() bool {
	moved := func(s Segment) bool { return s.Kind != SegmentWithdraw && !s.Kind.Mails() }
	return len(e.Objects)+len(e.Schema) > 0 || slices.ContainsFunc(e.Segments, moved)
}

// ClosesAlone reports whether a run of these effects that was stopped can be closed without Self-auth: it has left nobody
// half done there.
func (e *Effects) ClosesAlone() bool {
	return e.PostgresOnly() || e.Kind == state.RunRefresh || e.Kind == state.RunInvite || e.Kind == state.RunRetarget
}

// Pause is one that a rollback leaves behind.
type Pause struct {
	Wave   string    `json:"wave"`
	Tenant uuid.UUID `json:"tenant,omitzero"` // zero: the whole wave
}
