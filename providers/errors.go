package providers

import "errors"

// Kind is what sort of error a provider met; each provider finds it in one function.
type Kind uint8

// NotFound: the object is absent (or invisible). Conflict: a uniqueness rule. Refused: a value that the other
// side does not take. Burnt: the id belongs to a deleted entry and stays blocked for days. Denied: a missing right.
// Unauthenticated: token or password refused. Transient: worth another try; nothing has happened. Unreachable: no
// connection, TLS refused, or the connection was lost and what happened is unknown. Missing: a table or setting
// that must be there is not. Internal: anything else, shown whole.
const (
	KindInvalid Kind = iota
	NotFound
	Conflict
	Refused
	Burnt
	Denied
	Unauthenticated
	Transient
	Unreachable
	Missing
	Internal
)

func (k Kind) String() string {
	return [...]string{"invalid", "not found", "conflict", "refused", "burnt", "denied", "unauthenticated", "transient", "unreachable", "missing", "internal"}[k]
}

// Error is an error of a provider. Its text is for people: what was being done, what the other side said, what to
// do. No secret, no address of a user, no password hash.
type Error struct {
	Kind    Kind
	Side    string // "Postgres", "Self-auth"
	Doing   string // "create 250 persons"
	Reason  string // the other side's reason, in the user's words
	Cure    string // what to do; may be empty
	Request string // request id of the server, "" none
	Err     error  // cause; may be nil
}

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

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the first *Error in err's chain; KindInvalid when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return KindInvalid
}
