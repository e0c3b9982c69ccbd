package state

import "fmt"

// words are the stable texts of a closed set of constants, by value; the one at zero stands for the invalid value.
// Files, tables and JSON hold these texts, so that no order of Go constants is ever on disk.
type words []string

func (w words) text(v uint8) string {
	if int(v) < len(w) {
		return w[v]
	}
	return fmt.Sprintf("invalid %d", v)
}

// parse returns the value of a text; "" is the invalid value. what names the set in the error.
func (w words) parse(what string, b []byte) (uint8, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for v, text := range w {
		if text == string(b) {
			return uint8(v), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q", what, b)
}

// Method is a user's way of logging in.
type Method uint8

// The methods, in the order in which waves raise them (L5). How the database spells each depends on its naming.
const (
	MethodInvalid Method = iota
	MethodPassword
	MethodDual
	MethodSelfAuth
)

var methods = words{"", "password", "dual", "self_auth"}

// String is the stable code, whatever the database's own word is.
func (m Method) String() string { return methods.text(uint8(m)) }

// MarshalText writes the stable code.
func (m Method) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (m *Method) UnmarshalText(b []byte) error {
	v, err := methods.parse("method", b)
	*m = Method(v)
	return err
}

// Role is the role of a mapping row: what the application takes the members of a mapped group for.
type Role uint8

// The roles in the order in which the groups of one tenant are created (L36).
const (
	RoleInvalid Role = iota
	RoleAdmin
	RoleMember
	RoleViewer
)

var roles = words{"", "admin", "member", "viewer"}

// String is the stable code, which is also the word in the mapping table.
func (r Role) String() string { return roles.text(uint8(r)) }

// ParseRole is the inverse of String; RoleInvalid for anything else.
func ParseRole(s string) Role {
	v, _ := roles.parse("role", []byte(s))
	return Role(v)
}

// MarshalText writes the stable code.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (r *Role) UnmarshalText(b []byte) error {
	v, err := roles.parse("role", b)
	*r = Role(v)
	return err
}

// Standing says how a recorded user stands with us.
type Standing uint8

// Moved: linked (by us or found so) and settled under its wave. RolledBack: taken back by a rollback; person
// id and generation are kept for the next time (L23). Gone: the row was gone and the person has been expired (L28).
// Failed: a person may exist for the recorded generation, or the id is burnt; not moved. RowBack: not moved, as its row was
// taken back by a rollback of Postgres alone; the person was not looked at, and is recorded as it was.
const (
	StandingInvalid Standing = iota
	Moved
	RolledBack
	Gone
	Failed
	RowBack
)

var standings = words{"", "moved", "rolled_back", "gone", "failed", "row_back"}

// String is the stable code, which the state's tables hold.
func (s Standing) String() string { return standings.text(uint8(s)) }

// MarshalText writes the stable code.
func (s Standing) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Standing) UnmarshalText(b []byte) error {
	v, err := standings.parse("standing", b)
	*s = Standing(v)
	return err
}

// Verdict is how a change ended.
type Verdict uint8

// Done: carried out. Already: the user was at its after-state. Changed: its before-state was gone, and nothing was
// left behind. Refused: a provider refused it, with the reason. Paused: a pause younger than the plan holds it.
// Conflict: no run gives it; it is said of whom a rollback must leave as it is (plan.Conflict).
const (
	VerdictInvalid Verdict = iota
	Done
	Already
	Changed
	Refused
	Paused
	Conflict
)

var verdicts = words{"", "done", "already", "changed", "failed", "paused", "conflict"}

// String is the stable code, which the journal holds: "failed" for Refused.
func (v Verdict) String() string { return verdicts.text(uint8(v)) }

// MarshalText writes the stable code.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (v *Verdict) UnmarshalText(b []byte) error {
	n, err := verdicts.parse("verdict", b)
	*v = Verdict(n)
	return err
}
