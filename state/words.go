package state

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Address names an instance of a declared object, as people write it: `group.admins["acme"]`.
type Address string

// Digest is the first half of a SHA-256, over the logical columns of a row that a change relies on.
type Digest [16]byte

// DigestOf returns the Digest of parts; each part is preceded by its length, so that no two lists of parts
// have one spelling.
func DigestOf(parts ...string) Digest {
	h := sha256.New()
	var n [4]byte
	for _, p := range parts {
		n[0], n[1], n[2], n[3] = byte(len(p)>>24), byte(len(p)>>16), byte(len(p)>>8), byte(len(p))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	var d Digest
	copy(d[:], h.Sum(nil))
	return d
}

// Hash is a SHA-256 as people and files show it: 64 hexadecimal digits.
type Hash [32]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Short is what screens show of a Hash: its first eight digits.
func (h Hash) Short() string { return h.String()[:8] }

// Method is a user's way of logging in.
type Method uint8

// The methods in the order in which waves lead upward (L5). How each is spelled in the database is a matter
// of the naming.
const (
	MethodInvalid Method = iota
	MethodPassword
	MethodDual
	MethodSelfAuth
)

func (m Method) String() string {
	switch m {
	case MethodPassword:
		return "password"
	case MethodDual:
		return "dual"
	case MethodSelfAuth:
		return "self_auth"
	}
	return fmt.Sprintf("invalid method %d", uint8(m))
}

// Role is the role of a mapping row: what the members of a mapped group are for the application.
type Role uint8

// The roles in the order in which the groups of one tenant are created (L36).
const (
	RoleInvalid Role = iota
	RoleAdmin
	RoleMember
	RoleViewer
)

func (r Role) String() string {
	switch r {
	case RoleAdmin:
		return "admin"
	case RoleMember:
		return "member"
	case RoleViewer:
		return "viewer"
	}
	return fmt.Sprintf("invalid role %d", uint8(r))
}

// ParseRole is the inverse of String; RoleInvalid for anything else.
func ParseRole(s string) Role {
	for r := RoleAdmin; r <= RoleViewer; r++ {
		if r.String() == s {
			return r
		}
	}
	return RoleInvalid
}

// Target is what a plan and a state are bound to (L42).
type Target struct {
	Environment string `json:"environment"` // anthill { environment }
	System      string `json:"system"`      // Postgres system identifier, decimal
	Database    string `json:"database"`    // name of the database
	Domain      string `json:"domain"`      // Self-auth domain: the part of spn behind @ in /v1/self
	Origin      string `json:"origin"`      // scheme://host[:port] of the Self-auth server, lower case
}

// Differs says in words in what t differs from other; "" when they are the same target.
func (t Target) Differs(other Target) string {
	var d []string
	add := func(what, a, b string) {
		if a != b {
			d = append(d, fmt.Sprintf("%s %q here, %q there", what, b, a))
		}
	}
	add("environment", t.Environment, other.Environment)
	add("Postgres system identifier", t.System, other.System)
	add("database", t.Database, other.Database)
	add("Self-auth domain", t.Domain, other.Domain)
	add("Self-auth origin", t.Origin, other.Origin)
	return strings.Join(d, ", ")
}

var space = uuid.MustParse("8f2b6d54-7f0e-5c43-9a1c-5d6a3e0b7c11") // the UUIDv5 name space of all Anthill ids

// FirstLineage is the lineage of a target that has no state yet: the same on every machine, so that a first
// plan is too. The origin stays out: a server may move to another address.
func (t Target) FirstLineage() uuid.UUID {
	return uuid.NewSHA1(space, []byte("lineage\x00"+t.System+"\x00"+t.Database+"\x00"+t.Domain))
}

// PersonID is the id that the person of a user gets, chosen before the call (design section 6). Generation
// starts at 1 and rises only when an id is burnt.
func PersonID(lineage, user uuid.UUID, generation int) uuid.UUID {
	return uuid.NewSHA1(lineage, fmt.Appendf(nil, "person\x00%s\x00%d", user, generation))
}

// GroupID is the id that the group at an address gets.
func GroupID(lineage uuid.UUID, a Address, generation int) uuid.UUID {
	return uuid.NewSHA1(lineage, fmt.Appendf(nil, "group\x00%s\x00%d", a, generation))
}
