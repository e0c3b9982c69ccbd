package state

import (
	"time"

	"github.com/google/uuid"
)

// Image is the part of a user's row that Anthill may write, as it was found. It holds no password and no address.
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
	Person  uuid.UUID // the person concerned
	Effect  Effect
	Join    []uuid.UUID // groups, by id
	Leave   []uuid.UUID // groups, by id
	Mails   []string    // with Effect.Mail or Release: what the person held before, the primary first; undo needs it
	Undo    int64       // rollback: the oldest journal record that is taken back, and whose image Effect.Restore means; 0: none
	Before  Image
	RowGone bool  // there is no row (L28)
	Prior   *User // what was recorded of the user before (Store.UsersByID); nil: nothing
	After   User  // what will be recorded if it succeeds
}

// Outcome settles one user of a plan.
type Outcome struct {
	Intent   int64 // journal record; 0: nothing was intended (Already, Changed before any effect, Paused)
	User     uuid.UUID
	Tenant   uuid.UUID
	Segment  int // of the plan
	Wave     string
	Verdict  Verdict
	Reason   Finding // of Changed, Refused and Paused: no address, no secret
	Recorded *User   // what is recorded of the user from now on; nil: unchanged
	Mail     *Mail   // that the user is to be sent, chosen; nil: none. One that may have been sent already is left as it is
	Apart    bool    // the user is counted by another change of the run, if this one came about
	// Lost: what was done in Self-auth must still be taken back. The intent stays open, and a later outcome settles it.
	Lost bool
}

// Record is a journal record read back: what was intended, and how it ended.
type Record struct {
	Intent
	Run       string
	Batch     int64
	TenantNow uuid.UUID // of the live row when streamed by Store.Records; the recorded one where the row is gone
	Settled   bool
	Verdict   Verdict
	Reason    Finding
}

// Tally counts the settled users of a run who have segment, tenant and verdict in common.
type Tally struct {
	Segment int // of the plan
	Tenant  uuid.UUID
	Verdict Verdict
	Users   int64
}

// Position is how far a run has come in its plan.
type Position struct {
	Segment int   // segments of the plan that are through, in the order in which they are carried out
	Offset  int64 // changes of it that are settled, from its start
}

// Action is what happens to an object.
type Action string

// The actions.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionReplace Action = "replace" // deleted and made again
	ActionDelete  Action = "delete"
	ActionAdopt   Action = "adopt"   // there before us: taken over
	ActionRecover Action = "recover" // there already and provably ours: recorded
	ActionForget  Action = "forget"  // no longer declared: it stays as it is
	ActionRecord  Action = "record"  // recorded otherwise than before; nothing is written to it
)

// ObjectIntent is what is about to be done to one object, durable before any effect.
type ObjectIntent struct {
	Address Address
	From    Address // recorded under this address before; "" the same
	Action  Action
	Before  *Object    // recorded before; nil: nothing
	After   *Object    // will be recorded; nil: forgotten
	Was     Attributes // before-image of what changes; nil: it was not there
	Will    Attributes // what is written; nil: it goes
}

// Kind is the kind of the object.
func (r ObjectIntent) Kind() Kind {
	if r.After != nil {
		return r.After.Kind
	}
	return r.Before.Kind
}

// ObjectOutcome is how the change of an object ended.
type ObjectOutcome struct {
	Address  Address
	From     Address // another address under which it was recorded, which is forgotten; "": none
	Recorded *Object // what is recorded of it from now on; nil: it is forgotten
	Verdict  Verdict
	Reason   Finding
}

// ObjectRecord is a journal record of an object read back.
type ObjectRecord struct {
	ObjectIntent
	ID      int64
	Run     string
	Settled bool
	Verdict Verdict
}

// Call is a write call that Self-auth carried out, for the journal. The server's own log knows it by Request.
type Call struct {
	Request string
	Doing   string // the call in two or three words
	Took    time.Duration
}
