package plan

import (
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Explained is all that is known about one user. The address and the name of the row are in it; whoever shows it decides
// whether they are to be seen.
type Explained struct {
	User     uuid.UUID
	AsOf     time.Time
	Row      *providers.UserRow       // nil: there is none
	Tenant   providers.Tenant         // of the row, or else the recorded one; with the zero ID there is none any more
	Recorded *state.User              // nil: nothing
	Touched  []Touched                // oldest first
	Mails    []state.Mail             // that it was sent, or is to be, and codes that were shown; oldest first
	Invites  bool                     // the wave that it was moved under has an invitation
	Person   uuid.UUID                // that it is linked to, or was; zero: none
	Sight    *providers.Sight         // of Person; nil: it was not asked for
	Roles    map[uuid.UUID]state.Role // groups mapped to the tenant, with the role that they give
	Asked    *Asked                   // nil: it could not be worked out
	Unseen   []Unseen
	OpenRun  string // the run that is open; "": none
}

// Touched is what a run did about a user, or left.
type Touched struct {
	Run    state.RunInfo
	Record state.Record
	Join   []string // names of groups, else their ids
	Leave  []string
}

// Unseen is what could not be seen, and why.
type Unseen struct {
	What Aspect
	Why  error // nil: the account lacks the right
}

// Aspect is something that an explanation looks at. Its text is stable.
type Aspect string

// The aspects. AspectPlan: what the next plan does.
const (
	AspectSelfAuth   Aspect = "self_auth"
	AspectPerson     Aspect = "person"
	AspectMails      Aspect = "mails"
	AspectGroups     Aspect = "groups"
	AspectCredential Aspect = "credential"
	AspectPlan       Aspect = "plan"
)

// Asked is what the planner decides about one user, in a plan of the whole configuration.
type Asked struct {
	Blind     bool                // Self-auth was not asked: a reason that needs it, and what becomes of the person, is not known
	Selected  []string            // waves that select the user, in the order of after
	Views     map[string]WaveView // how those stand, and the one that it was moved under
	Skipped   []SkippedUser       // why it is not moved, or not raised, by the wave
	Changes   []AskedChange
	Completed bool // it has logged in through Self-auth (providers.Completed)
}

// AskedChange is a change of the user.
type AskedChange struct {
	Kind        SegmentKind
	Wave        string // of SegmentMove
	Shape       Shape  // its sets mean nothing
	Join, Leave []string
	Waits       bool // its wave does not move anybody now: the next plan does not hold it
}

// Skip is why a wave does not move the user; SkipNone: it does, or has nothing to do with it.
func (a *Asked) Skip() (wave string, reason SkipReason) {
	if len(a.Skipped) == 0 {
		return "", SkipNone
	}
	return a.Skipped[0].Wave, a.Skipped[0].Reason
}

// Move is the change that moves the user; nil: there is none.
func (a *Asked) Move() *AskedChange {
	for i := range a.Changes {
		if a.Changes[i].Kind == SegmentMove && !a.Changes[i].Shape.Ground.Moved {
			return &a.Changes[i]
		}
	}
	return nil
}

// NeedsSelfAuth reports whether a reason goes by what Self-auth holds, so that it says nothing where that was not asked.
func (r SkipReason) NeedsSelfAuth() bool {
	switch r {
	case SkipGroupTaken, SkipGroupHidden, SkipTenantBlocked, SkipLinkUnknown, SkipPersonTwice, SkipEmailTaken, SkipHolderAway,
		SkipHolderForeign, SkipPersonExpired, SkipNotEnrolled, SkipNotLetIn, SkipFollows:
		return true
	}
	return false
}

// Way is whether somebody can log in by one of two ways, and if not what keeps them out. Its text is stable.
type Way string

// The ways. WayUnknown: it depends on what could not be seen.
const (
	WayOpen        Way = "open"
	WayNoRow       Way = "no_row"       // it is gone, or deleted
	WayInactive    Way = "inactive"     // the row
	WayTenant      Way = "tenant"       // is not active
	WayNoPassword  Way = "no_password"  // none by which the application could let anybody in
	WayRetired     Way = "retired"      // the application takes no password of this user any more
	WayNotLinked   Way = "not_linked"   // the row
	WayNoPerson    Way = "no_person"    // the row is linked to one that Self-auth does not have
	WayExpired     Way = "expired"      // the person
	WayEarly       Way = "early"        // the person is valid only from a time that lies ahead
	WayNotEnrolled Way = "not_enrolled" // no credential in Self-auth
	WayNoGroup     Way = "no_group"     // in no group that is mapped to the tenant
	WayUnknown     Way = "unknown"
)

// ByPassword is whether the application's own login lets the user in.
func (e *Explained) ByPassword() Way {
	switch way := e.shut(); {
	case way != WayOpen:
		return way
	case e.Row.Method == state.MethodSelfAuth:
		return WayRetired
	case !e.Row.CanPassword:
		return WayNoPassword
	}
	return WayOpen
}

// BySelfAuth is whether a login through Self-auth lets the user in, as far as this user goes: what a client asks for is not
// looked at.
func (e *Explained) BySelfAuth() Way {
	switch way := e.shut(); {
	case way != WayOpen:
		return way
	case e.Row.Link == uuid.Nil:
		return WayNotLinked
	case e.Sight == nil || e.Sight.Hidden:
		return WayUnknown
	case e.Sight.Person == nil:
		return WayNoPerson
	case e.Sight.Person.Expired:
		return WayExpired
	case e.Sight.Person.Early:
		return WayEarly
	case !e.Sight.Enrols:
		return WayUnknown
	case !e.Sight.Enrolled:
		return WayNotEnrolled
	case !e.Sight.InGroups:
		return WayUnknown
	}
	for _, g := range e.Sight.Groups {
		if _, mapped := e.Roles[g.ID]; mapped {
			return WayOpen
		}
	}
	return WayNoGroup
}

// shut is what keeps the user out whichever way it takes; WayOpen: nothing does.
func (e *Explained) shut() Way {
	switch {
	case e.Row == nil || e.Row.Deleted:
		return WayNoRow
	case e.Row.Status != "active":
		return WayInactive
	case !e.Tenant.Live():
		return WayTenant
	}
	return WayOpen
}

// Moved reports whether the user is recorded as moved.
func (e *Explained) Moved() bool { return e.Recorded != nil && e.Recorded.Standing == state.Moved }

// Completed reports whether the user has logged in through Self-auth, by what its row says.
func (e *Explained) Completed() bool {
	switch {
	case e.Row == nil || !e.Moved():
		return false
	case e.Asked != nil:
		return e.Asked.Completed
	}
	return providers.Completed(e.Row.User, *e.Recorded, false)
}

// Next is what comes next for a user. Its text is stable.
type Next string

// The next steps.
const (
	NextNothing  Next = "nothing"  // it logs in through Self-auth
	NextGone     Next = "gone"     // there is no row to do anything for
	NextInactive Next = "inactive" // the row, or its tenant, is not active
	NextLogin    Next = "login"    // it has a credential, and has not logged in by it yet
	NextEnrol    Next = "enrol"    // it needs a credential
	NextMend     Next = "mend"     // something keeps it from coming in through Self-auth
	NextApply    Next = "apply"    // the next apply moves it
	NextWait     Next = "wait"     // its wave does not move anybody now
	NextOpenRun  Next = "open_run" // a run that is open decides first
	NextSkipped  Next = "skipped"  // something about it keeps it from being moved
	NextNobody   Next = "nobody"   // no wave selects it
	NextLook     Next = "look"     // it depends on what could not be seen
)

// Next is what comes next.
func (e *Explained) Next() Next {
	switch e.shut() {
	case WayNoRow:
		return NextGone
	case WayInactive, WayTenant:
		return NextInactive
	}
	if e.Moved() {
		return e.nextOfMoved()
	}
	a := e.Asked
	if a == nil {
		return NextLook
	}
	_, why := a.Skip()
	move := a.Move()
	switch {
	case why == SkipOpenRun:
		return NextOpenRun
	case a.Blind && why.NeedsSelfAuth():
		return NextLook
	case why == SkipPaused || why == SkipUnconfirmed || move != nil && move.Waits:
		return NextWait
	case why != SkipNone:
		return NextSkipped
	case move != nil:
		return NextApply
	}
	return NextNobody
}

func (e *Explained) nextOfMoved() Next {
	switch e.BySelfAuth() {
	case WayOpen:
		if e.Completed() {
			return NextNothing
		}
		return NextLogin
	case WayNotEnrolled:
		return NextEnrol
	case WayUnknown:
		return NextLook
	}
	return NextMend
}
