package state

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// UserState is the part of what is recorded of a user that many users have alike. It is comparable.
type UserState struct {
	Standing   Standing `json:"standing"`
	Wave       string   `json:"wave,omitempty"`
	Policy     string   `json:"policy,omitempty"`
	Generation int      `json:"generation,omitempty"`  // of the person id, from 1; 0 for a person that is not ours
	MadePerson bool     `json:"made_person,omitempty"` // we made the person
	WroteLink  bool     `json:"wrote_link,omitempty"`  // we wrote the link (false: found linked, L29)
	Asleep     bool     `json:"asleep,omitempty"`      // the person is expired while the row is not active (L27)
}

// User is what is recorded of one user. It is never computed anew from the configuration (L1).
type User struct {
	User      uuid.UUID
	Tenant    uuid.UUID // as recorded when the user was last settled
	TenantNow uuid.UUID // of the live row when streamed by Store.Users; the recorded one where the row is gone
	RowGone   bool      // when streamed: there is no such row any more
	UserState
	Person uuid.UUID   // the linked person; zero if never known
	Groups []uuid.UUID // memberships that we added, sorted by bytes
	Method Method      // written or found when settled
	Run    string      // the run that settled the user last
	// Synced is the synced time of the row as our own write of the link left it, microseconds: another one there is a login
	// of the application's. With WroteLink zero is not known, as it was moved by an earlier version, or its link is ours only
	// by its id: then whatever time stands there may be ours, and completes nobody. Without WroteLink we wrote none.
	Synced time.Time
}

// Login is evidence that a moved user has logged in through Self-auth, of which the row keeps no time of completion.
type Login struct {
	User, Person uuid.UUID
	Synced       time.Time // the synced time that the application has written
}

// Wave is what is remembered of a wave between runs. Times are zero for what has not happened.
//
// Soaking is when the clock of soak was last started: by a run that moved users because the wave started or was
// widened. Late joiners do not start it again (L15).
type Wave struct {
	Name    string
	Started time.Time // when a run first started it
	Soaking time.Time
	MovedAt time.Time // when it was latched as moved, or last widened
	DoneAt  time.Time // when it was latched as done
	Digest  Digest    // of its selection when it last ran: late joiners are told from widening by it
	Users   int64     // moved under it so far
	Failed  int64     // whom the last run that tried users of it could not move

	Accepted int64 // so many may fail without keeping it from being moved, besides what it declares (WishAccept)
}

// Brakes are what holds a wave back, as it was declared when the last apply was planned (L22).
type Brakes struct {
	Wave        string        `json:"wave"`
	Enabled     bool          `json:"enabled,omitempty"`
	After       []string      `json:"after,omitempty"` // waves, sorted
	At          time.Time     `json:"at,omitzero"`
	StartGates  []string      `json:"start_gates,omitempty"` // sorted, as are FinishGates
	Soak        time.Duration `json:"soak_ns,omitempty"`
	FinishGates []string      `json:"finish_gates,omitempty"`
	Gates       []Gate        `json:"gates,omitempty"` // of both, sorted by name; one that is not there is opened by hand, once for all
	AllowEmpty  bool          `json:"allow_empty,omitempty"`
	Window      *Window       `json:"window,omitempty"` // nil: it may move users at any time
	// Whom the wave selected when it could last move all of them: who is added since is told by it (L20). None: it is
	// not known.
	Users []Selector `json:"users,omitempty"`
}

// Selector is one users block of a wave: all that is given must hold.
type Selector struct {
	Tenants []string `json:"tenants,omitzero"` // slugs, sorted; nil: any tenant; empty and not nil: none
	Roles   []string `json:"roles,omitzero"`   // likewise
	Percent *float64 `json:"percent,omitempty"`
}

// Equal reports whether two selectors are the same.
func (s Selector) Equal(o Selector) bool {
	same := func(a, b []string) bool { return (a == nil) == (b == nil) && slices.Equal(a, b) }
	return same(s.Tenants, o.Tenants) && same(s.Roles, o.Roles) && (s.Percent == nil) == (o.Percent == nil) &&
		(s.Percent == nil || *s.Percent == *o.Percent)
}

// Gate is what opens a gate. It is comparable.
type Gate struct {
	Name      string `json:"name"`
	Condition string `json:"condition,omitempty"`  // "": it is opened by hand
	NoData    string `json:"no_data,omitempty"`    // wait, fail or pass; "" without a condition
	PerTenant bool   `json:"per_tenant,omitempty"` // opened by hand for each tenant by itself
	Value     string `json:"value,omitempty"`      // opened by hand: what the value that it is confirmed with must fulfil; "": any does
}

// Equal reports whether two brakes are the same.
func (b Brakes) Equal(o Brakes) bool {
	return b.Wave == o.Wave && b.Enabled == o.Enabled && slices.Equal(b.After, o.After) && b.At.Equal(o.At) &&
		slices.Equal(b.StartGates, o.StartGates) && b.Soak == o.Soak && slices.Equal(b.FinishGates, o.FinishGates) &&
		slices.Equal(b.Gates, o.Gates) && b.AllowEmpty == o.AllowEmpty && b.Window.Equal(o.Window) &&
		slices.EqualFunc(b.Users, o.Users, Selector.Equal)
}

// Policy is a policy as it was declared when the last apply was planned, with the promise that it still has to keep. While users are
// moved under it, its method and from are those that they were moved by (L8). A policy without users is bound by neither.
type Policy struct {
	Name   string    `json:"name"`
	Method Method    `json:"method,omitempty"` // MethodInvalid, which is left out: how it moves users is not known, as of a state of version 1
	From   string    `json:"from,omitempty"`   // the policy whose users it raises; "": none
	Until  time.Time `json:"until,omitzero"`   // the latest day until which passwords were promised (L10); zero: none
}

// Equal reports whether two policies are the same.
func (p Policy) Equal(o Policy) bool { return p.Does(o) && p.Name == o.Name && p.Until.Equal(o.Until) }

// Does reports whether two policies do the same with a user.
func (p Policy) Does(o Policy) bool { return p.Method == o.Method && p.From == o.From }

// Confirmation is one `anthill wave confirm`.
type Confirmation struct {
	Wave, Gate string
	Tenant     uuid.UUID // of a gate that each tenant opens for itself; zero: the gate is open for all of the wave
	By, Note   string
	Value      string // a decimal that was recorded with it: "4.6"; "": none was
	At         time.Time
}

// Signed says who has done something to a wave by hand, when and why.
type Signed struct {
	By     string // user@host
	Reason string // "": none was given
	At     time.Time
}

// Pause keeps a wave, or one tenant of it, from moving anybody (L23). In one place there may be one of each rollback and one
// of a person.
type Pause struct {
	Wave   string
	Tenant uuid.UUID // zero: the whole wave and its future tenants
	Run    string    // the rollback that left it; "": a person has asked for it
	By     string    // user@host, also of the rollback; "": recorded before Anthill kept that
	Reason string    // of a person's
	At     time.Time
}

// WishKind says which brake of a wave somebody wants to be let go once.
type WishKind string

// WishStart: its start date. WishSoak: the rest of its soak. WishAccept: that those who failed keep it from being moved.
const (
	WishStart  WishKind = "start"
	WishSoak   WishKind = "soak"
	WishAccept WishKind = "accept"
)

// Wish is what somebody wants of a wave. By itself it has no effect: a plan that goes by it says so (LOOSENS_BRAKE), must be
// allowed, and uses it up when it is carried out.
type Wish struct {
	Wave string
	Kind WishKind
	Signed
}

// WaveGate is a manual gate of a wave.
type WaveGate struct {
	Wave   string    `json:"wave"`
	Name   string    `json:"gate"`
	Tenant uuid.UUID `json:"tenant,omitzero"` // which opens it for itself; zero: all of it is meant
}

// WaveAct is what was done to a wave.
type WaveAct string

// ActResume: a pause was lifted, by hand or as its rollback was taken back. ActUnconfirm: by hand, or by a rollback of the
// wave. ActWithdraw: a wish was taken back, or went with a rollback; ActUse: an apply has gone by it.
const (
	ActPause     WaveAct = "pause"
	ActResume    WaveAct = "resume"
	ActConfirm   WaveAct = "confirm"
	ActUnconfirm WaveAct = "unconfirm"
	ActPromote   WaveAct = "promote"
	ActAccept    WaveAct = "accept"
	ActWithdraw  WaveAct = "withdraw"
	ActUse       WaveAct = "use"
)

// WaveEvent is something that was done to a wave. The history of them outlives what they have done.
type WaveEvent struct {
	Wave   string
	Act    WaveAct
	Tenant uuid.UUID // of pauses and gates; zero: the whole wave
	Gate   string    // that was confirmed; of wishes: which brake
	Run    string    // that did it; "": somebody did
	Value  string    // that was recorded with a confirmation; "": none
	Signed
}

// RunKind is what a run did.
type RunKind string

// The kinds of runs.
const (
	RunApply    RunKind = "apply"
	RunRollback RunKind = "rollback"
	RunRefresh  RunKind = "refresh"  // only what is recorded was changed, to what is there
	RunInvite   RunKind = "invite"   // mails were sent, and nothing else
	RunRetarget RunKind = "retarget" // the state was bound to another target, and nothing else
)

// RunOutcome is how a run ended; "" while it is open.
type RunOutcome string

// OutcomeDone: everybody and everything is at its after-state. OutcomeRemainder: something is left for a new plan.
// OutcomeClosed: it was stopped, and closed without being gone on with.
const (
	OutcomeDone      RunOutcome = "done"
	OutcomeRemainder RunOutcome = "remainder"
	OutcomeClosed    RunOutcome = "closed"
)

// RunInfo is the head of a run.
type RunInfo struct {
	ID         string // 2026-12-07-1: date of its start in UTC and a number
	Kind       RunKind
	Plan       Hash   // its ID
	Seal       Hash   // of its file
	Who        string // user@host, for people
	ApprovedBy string
	Started    time.Time
	Ended      time.Time // zero while open
	Open       bool      // it goes on now, or was stopped and is still to be finished
	Outcome    RunOutcome
	Counts     Counts
	Undoes     []string // rollback: the runs it undid
	Undone     bool     // wholly undone by a later rollback that is not itself undone
	Changed    bool     // it changed at least one user or object
	Chain
}

// Chain ties a run to the one before it.
type Chain struct {
	Previous Hash // digest of the run before; zero for the first
	Digest   Hash // of this run's head, plan, seal and outcomes, set when it is closed
}

// Counts are the figures of a run's users and objects.
type Counts struct {
	Done    int64 `json:"done"`
	Already int64 `json:"already"` // found at their after-state
	Changed int64 `json:"changed"` // changed meanwhile and left alone
	Failed  int64 `json:"failed"`
	Paused  int64 `json:"paused"`
	Objects int64 `json:"objects"`
	Schema  int64 `json:"schema,omitempty"` // steps; omitted where 0, as the digests of runs go over it
	Mails   int64 `json:"mails,omitempty"`  // that were chosen to be sent
	Retries int64 `json:"retries"`
}

// State is the small part of what is recorded, which is read at once. Users are streamed (Store.Users).
type State struct {
	Exists        bool // false: no state yet; all else but Lineage is zero
	Lineage       uuid.UUID
	Serial        int64
	Target        Target
	Objects       []Object // sorted by Address
	Waves         []Wave   // sorted by Name
	Brakes        []Brakes // of the declared waves, sorted by Wave
	Policies      []Policy // sorted by Name
	Confirmations []Confirmation
	Pauses        []Pause
	Wishes        []Wish         // sorted by Wave and Kind
	Runs          []RunInfo      // oldest first
	Schema        []SchemaRecord // what runs did to the schema of the application, oldest first
}

// SchemaRecord is a journal record of a step of the schema.
type SchemaRecord struct {
	Run     string
	Step    string
	Back    bool // the step was taken back; else it was made
	Settled bool // false: it was begun, and whether it is in effect the catalogue knows
}

// SchemaSteps are the steps of the schema that stand, as far as the journal knows: those whose latest record is not one
// of being taken back, by step.
func (s *State) SchemaSteps() map[string]SchemaRecord {
	stand := map[string]SchemaRecord{}
	for _, r := range s.Schema {
		stand[r.Step] = r
		if r.Back && r.Settled {
			delete(stand, r.Step)
		}
	}
	return stand
}

// OpenRun returns the run that is not closed, or nil.
func (s *State) OpenRun() *RunInfo {
	for i := range s.Runs {
		if s.Runs[i].Open {
			return &s.Runs[i]
		}
	}
	return nil
}
