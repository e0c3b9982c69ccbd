package state

import (
	"time"

	"github.com/google/uuid"
)

// Image is the part of a user's row that Anthill may write, as it was found. No password, no address.
type Image struct {
	Link      uuid.UUID // zero: NULL
	Synced    time.Time // zero: NULL; microseconds
	Method    Method
	Completed time.Time // zero: NULL
	Invited   time.Time // zero: NULL
}

// Intent is what is about to be done to one user, durable before any effect.
type Intent struct {
	ID      int64 // of the journal record; set by Run.Intend, unique in the state, rising
	User    uuid.UUID
	Tenant  uuid.UUID // as found
	Segment int       // segment of the plan
	Wave    string
	Effect  UserEffect
	Before  Image
	RowGone bool  // there is no row (L28)
	Prior   *User // what was recorded of the user before; nil: nothing
	After   User  // what will be recorded if it succeeds
}

// UserEffect is what a change does to one user, on both sides.
type UserEffect struct {
	Person  uuid.UUID   // the person concerned
	Act     PersonAct   // what happens to it
	Suffix  bool        // PersonCreate: the name carries its suffix
	Join    []uuid.UUID // groups, by id
	Leave   []uuid.UUID // groups, by id
	Link    bool        // write the link, synced time
	Method  Method      // written when not MethodInvalid
	Mail    bool        // the person's address follows the row (L26), or with Restore goes back to Mails
	Mails   []string    // with Mail: what the person held before, the primary first; undo needs it
	Done    bool        // complete_on = "link": completed time is set as well
	Restore bool        // rollback: the row goes back to the image of the record Undo
	Undo    int64       // journal record that Restore refers to; 0: none
}

// PersonAct is what happens to a person.
type PersonAct uint8

// None leaves the person alone. Adopt takes over one that was there before us; Revive brings one back from the recycle bin. Create makes it with the chosen id (or finds it made, or enables it again when
// it is ours and expired). Expire closes it at once, its credential kept. Delete only by -delete-persons.
const (
	PersonNone PersonAct = iota + 1
	PersonCreate
	PersonExpire
	PersonEnable
	PersonDelete
	PersonAdopt
	PersonRevive
)

func (a PersonAct) String() string {
	switch a {
	case PersonNone:
		return "none"
	case PersonCreate:
		return "create"
	case PersonExpire:
		return "expire"
	case PersonEnable:
		return "enable"
	case PersonDelete:
		return "delete"
	case PersonAdopt:
		return "adopt"
	case PersonRevive:
		return "revive"
	}
	return "invalid"
}

// Verdict is how a change ended.
type Verdict uint8

// Done: carried out. Already: the user was at its after-state. Changed: its before-state was gone, nothing was
// left behind. Refused: a provider refused it, with the reason. Paused: a pause younger than the plan. Conflict:
// a rollback that must leave the user as it is.
const (
	VerdictInvalid Verdict = iota
	Done
	Already
	Changed
	Refused
	Paused
	Conflict
)

func (v Verdict) String() string {
	switch v {
	case Done:
		return "done"
	case Already:
		return "already"
	case Changed:
		return "changed"
	case Refused:
		return "failed"
	case Paused:
		return "paused"
	case Conflict:
		return "conflict"
	}
	return "invalid"
}

// Outcome settles one user of a plan.
type Outcome struct {
	Intent   int64 // journal record; 0: nothing was intended (Already, Changed before any effect, Paused)
	User     uuid.UUID
	Tenant   uuid.UUID
	Wave     string
	Verdict  Verdict
	Reason   string // for people, of Changed, Refused, Conflict: no address, no secret
	Recorded *User  // what is recorded of the user from now on; nil: unchanged
	Forget   bool   // delete what is recorded of the user
	Lost     bool   // what was done in the identity server is still to be taken back: the intent stays open, and is settled by a later outcome
}

// Record is a journal record read back: what was intended, and how it ended.
type Record struct {
	Intent
	Run       string
	Batch     int64
	TenantNow uuid.UUID // of the live row when streamed by Store.Records; the recorded one where the row is gone
	Settled   bool
	Verdict   Verdict
	Reason    string
}

// Position is how far a run has come in its plan.
type Position struct {
	Segment int   // segments of the plan that are through, in the order in which they are carried out
	Offset  int64 // changes of it that are settled, from its start
}

// ObjectIntent is what is about to be done to one object, durable before any effect.
type ObjectIntent struct {
	Address Address
	From    Address // recorded under this address before; "" the same
	Action  string
	Before  *Object    // recorded before; nil: nothing
	After   *Object    // will be recorded; nil: forgotten
	Was     Attributes // before-image of what changes; nil: it was not there
	Will    Attributes // what is written; nil: it goes
}

// ObjectOutcome is how the change of an object ended.
type ObjectOutcome struct {
	Address  Address
	From     Address // another address under which it was recorded, which is forgotten; "": none
	Recorded *Object // what is recorded of it from now on; nil: it is forgotten
	Verdict  Verdict
	Reason   string
}

// ObjectRecord is a journal record of an object read back.
type ObjectRecord struct {
	ObjectIntent
	ID      int64
	Run     string
	Settled bool
	Verdict Verdict
}

// Kind is the kind of the object.
func (r ObjectIntent) Kind() Kind {
	if r.After != nil {
		return r.After.Kind
	}
	return r.Before.Kind
}

// Call is a write call that the identity server carried out, for the journal: its own log knows it by Request.
type Call struct {
	Request string
	Doing   string
	Took    time.Duration
}
