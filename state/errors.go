package state

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrorKind is the kind of an error that a provider met. Each provider tells kinds apart in one file, errors.go.
type ErrorKind uint8

// ErrorNotFound: the object is absent, or invisible. ErrorConflict: a uniqueness rule. ErrorRefused: the other side
// does not accept a value. ErrorBurnt: the id belongs to a deleted entry and stays blocked for days. ErrorDenied: a
// right is missing. ErrorUnauthenticated: token or password was refused. ErrorTransient: nothing has happened, and
// another try may succeed. ErrorUnreachable: there is no connection, TLS was refused, or the connection was lost and
// what happened is unknown. ErrorMissing: a table or setting that must be there is not. ErrorInternal: anything else,
// shown whole.
const (
	ErrorInvalid ErrorKind = iota
	ErrorNotFound
	ErrorConflict
	ErrorRefused
	ErrorBurnt
	ErrorDenied
	ErrorUnauthenticated
	ErrorTransient
	ErrorUnreachable
	ErrorMissing
	ErrorInternal
)

// String is the kind in one or two words, as the findings of a journal hold it.
func (k ErrorKind) String() string {
	return [...]string{
		"invalid", "not found", "conflict", "refused", "burnt", "denied", "unauthenticated", "transient", "unreachable",
		"missing", "internal",
	}[k]
}

// Error is an error of a provider. Its text is for people: what was being done, what the other side said, what to do.
// It holds no secret, no address of a user and no password hash.
type Error struct {
	Kind    ErrorKind
	Side    string // "Postgres", "Self-auth"
	Doing   string // "create 250 persons"
	Reason  string // the other side's reason, in the user's words
	Cure    string // what to do; may be empty
	Request string // request id of the server, "" none
	Err     error  // cause; may be nil
}

// Error is the whole text, Cure on lines of its own.
func (e *Error) Error() string {
	s := e.Side + ": " + e.Doing + ": " + e.Reason
	if e.Request != "" {
		s += " (request " + e.Request + ")"
	}
	if e.Cure != "" {
		s += "\n" + e.Cure
	}
	return s
}

// Unwrap returns the cause; nil where the driver's own text says nothing more, or too much.
func (e *Error) Unwrap() error { return e.Err }

// ErrorKindOf returns the kind of the first *Error in err's chain; ErrorInvalid when there is none.
func ErrorKindOf(err error) ErrorKind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ErrorInvalid
}

// ErrOpenRun says that a run is open already.
var ErrOpenRun = errors.New("a run is still open")

// ErrNoState says that there is no state of this version to write to: whoever has the lock makes it.
var ErrNoState = errors.New("there is no recorded state of this version yet")

// ErrAskedEnough says that a user had as many mails as somebody may ask for in a day.
var ErrAskedEnough = errors.New("the user had as many mails as one may have in a day")

// ErrNewer says that the state was written by a newer version.
var ErrNewer = errors.New("the state was written by a newer version of Anthill")

// LockedError says who holds the lock.
type LockedError struct {
	Who   string // user@host, process, as the holder wrote it; "" unknown
	Since time.Time
}

// Error says who holds the lock, as far as that is known, and since when.
func (e *LockedError) Error() string {
	if e.Who == "" {
		return "the target is locked by somebody else"
	}
	return "the target is locked by " + e.Who + " since " + e.Since.UTC().Format("2006-01-02 15:04:05 UTC")
}

// LeftoverError says that sessions of a process that has lost the lock still hold what it had begun, and that they could
// not be ended.
type LeftoverError struct {
	Role     string // who tried
	Sessions []Leftover
}

// Leftover is a session of a process that has lost the lock.
type Leftover struct {
	PID  int32
	Role string
}

// Error names the sessions and ends with the statements that end them.
func (e *LeftoverError) Error() string {
	var who, sql []string
	for _, s := range e.Sessions {
		who = append(who, fmt.Sprintf("process %d of role %s", s.PID, s.Role))
		sql = append(sql, fmt.Sprintf("    SELECT pg_terminate_backend(%d);", s.PID))
	}
	return fmt.Sprintf("the target is locked: nobody holds the lock, but sessions that role %s could not end still hold "+
		"what they had begun: %s.\nNothing was changed. As a role that may end them, or as a superuser:\n\n%s",
		e.Role, strings.Join(who, ", "), strings.Join(sql, "\n"))
}

// LockLostError says that this process no longer has the lock, and so may write nothing more.
type LockLostError struct {
	Taken bool  // somebody else has taken it since; else only the session that held it is known to be gone
	Err   error // how the session ended; nil where it was taken
}

// Error says what became of the lock.
func (e *LockLostError) Error() string {
	if e.Taken {
		return "another process has taken the lock on the target while this one was held up. " +
			"Nothing more was written. What stands is shown by:\n\n    anthill status"
	}
	return "the connection to Postgres that holds the lock on the target was lost, and the lock with it. " +
		"Nothing more was written; run the command again"
}

// Unwrap returns how the session ended.
func (e *LockLostError) Unwrap() error { return e.Err }

// SecondStateError says that the database holds a recorded state in another schema than the configuration names.
type SecondStateError struct{ There, Named string }

// Error names both schemas, and both ways out.
func (e *SecondStateError) Error() string {
	return fmt.Sprintf("schema %q of this database holds a recorded state, and the configuration names schema %q: "+
		"a database has one state.\nNothing was changed. Name the one that is there:\n\n"+
		"    anthill {\n      state \"postgres\" {\n        schema = %q\n      }\n    }\n\n"+
		"or, if nothing in it is needed any more, as its owner:\n\n    DROP SCHEMA \"%s\" CASCADE;",
		e.There, e.Named, e.There, strings.ReplaceAll(e.There, `"`, `""`))
}

// TargetError says that something is bound to another target.
type TargetError struct {
	What    string // "state", "plan"
	Differs string // from Target.Differs
}

// Error says in which fields the targets differ.
func (e *TargetError) Error() string {
	said := "this " + e.What + " belongs to another target: " + e.Differs
	if e.What == "state" {
		said += ".\nNothing was changed. Where the same servers have new names, bind what is recorded to them, by a plan that shows both:\n\n" +
			"    anthill state retarget\n\nor, where those of Postgres alone are new and Self-auth is down:\n\n    anthill state retarget -postgres-only"
	}
	return said
}

// MomentGone reports whether Postgres refuses to read the moment of another session because that has ended, by the code of its
// error and the routine that raises it.
func MomentGone(code, routine string) bool {
	return routine == "ImportSnapshot" && (code == "22023" || code == "42704")
}
