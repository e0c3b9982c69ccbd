package apply

import (
	"github.com/google/uuid"

	"anthill/state"
)

// EventKind is what an Event tells.
type EventKind uint8

// Progress: Done of Total of Stage are through: what was done of them is committed. Note: something to be said once. Begun: from
// now on there is a run that goes on where it is stopped. Waiting: what is waited for, in Note, again and again as long as it is.
const (
	Progress EventKind = iota + 1
	Note
	Begun
	Waiting
)

// The stages of a run besides its users.
const (
	StageSchema  = "schema"
	StageObjects = "objects"
	StageMails   = "mails"
)

// Event is something that happened during a run.
type Event struct {
	Kind        EventKind
	Stage       string // StageSchema, StageObjects or a plan.SegmentKind
	Wave        string // of that segment, if any
	Done, Total int64
	Note        state.Finding
}

// Left is a user whom a run did not bring to its after-state.
type Left struct {
	User    uuid.UUID
	Wave    string
	Verdict state.Verdict // Changed, Refused or Paused
	Reason  state.Finding
}

// Result is how a run ended.
type Result struct {
	Run     state.RunInfo
	Nothing bool              // the plan's run was closed already, or there was nothing to do: nothing was done
	Left    []Left            // the first 100
	Closed  bool              // the run was closed (Close)
	Stopped bool              // the run is open: a server went away, the token was refused, or ctx ended; see the error
	Held    []state.Finding   // waves that were not started, or not gone on with; with Nothing: the plan can be carried out later
	Objects []state.Finding   // objects that were not done
	Logins  int64             // rows that got their time of completion, as the application has seen their users in Self-auth
	Unnoted state.Finding     // why others of them did not; zero: all did, but those whose rows were held or refused one by one
	Mails   []state.MailTally // that the run has chosen, by what became of them
	Unsent  []state.Mail      // of them, those that were not taken: the first 100
	// Why rows of users who were invited did not get their time of it; zero: all did, but those whose rows were held.
	Uninvited state.Finding
	Half      bool // an object, or with Closed a user, is left half done: what was done could not be put back
}
