package state

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Address names an instance of a declared object, as people write it: `group.admins["acme"]`.
type Address string

// Block is the block of an instance: group.admins of group.admins["acme"].
func (a Address) Block() string {
	block, _, _ := strings.Cut(string(a), "[")
	return block
}

const schemaPrefix = "schema."

// SchemaAddress is the address under which a run records a step of the schema.
func SchemaAddress(step string) Address { return Address(schemaPrefix + step) }

// IsSchema reports whether the address is that of a step of the schema.
func (a Address) IsSchema() bool { return strings.HasPrefix(string(a), schemaPrefix) }

// Digest is the first half of a SHA-256, over the logical columns of a row that a change relies on.
type Digest [16]byte

// MarshalText writes hexadecimal digits.
func (d Digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

// UnmarshalText is the inverse of MarshalText.
func (d *Digest) UnmarshalText(b []byte) error { return unhex(d[:], b) }

func unhex(to, b []byte) error {
	if len(b) != hex.EncodedLen(len(to)) {
		return fmt.Errorf("a digest of %d digits instead of %d", len(b), hex.EncodedLen(len(to)))
	}
	_, err := hex.Decode(to, b)
	return err
}

// DigestOf returns the Digest of parts. Each part is preceded by its length, so that no two lists of parts are digested
// as the same bytes.
func DigestOf(parts ...string) Digest {
	var w DigestWriter
	for _, p := range parts {
		w.Text(p)
	}
	return w.Digest()
}

// DigestWriter gathers the parts of a Digest. The zero value is ready.
type DigestWriter struct {
	n     int // bytes used of space
	space [384]byte
	more  []byte // all parts, once they are more than space holds
}

// Text adds a part.
func (w *DigestWriter) Text(s string) { copy(w.part(len(s)), s) }

// ID adds an id as a part of 16 bytes.
func (w *DigestWriter) ID(id uuid.UUID) { copy(w.part(len(id)), id[:]) }

// Flags adds a part of one byte for at most eight conditions.
func (w *DigestWriter) Flags(list ...bool) {
	var b byte
	for i, on := range list {
		if on {
			b |= 1 << i
		}
	}
	w.part(1)[0] = b
}

// part adds the size of a part of n bytes, and returns where they belong.
func (w *DigestWriter) part(n int) []byte {
	const size = 4
	b := w.room(size + n)
	binary.BigEndian.PutUint32(b, uint32(n))
	return b[size:]
}

// room adds n bytes. Most rows fit into space, which is on the caller's stack: a slice of it in w would not be.
func (w *DigestWriter) room(n int) []byte {
	if w.more == nil && w.n+n <= len(w.space) {
		w.n += n
		return w.space[w.n-n : w.n]
	}
	if w.more == nil {
		w.more = slices.Clone(w.space[:w.n])
	}
	at := len(w.more)
	w.more = slices.Grow(w.more, n)[:at+n]
	return w.more[at:]
}

// Digest is that of the parts so far.
func (w *DigestWriter) Digest() (d Digest) {
	b := w.space[:w.n]
	if w.more != nil {
		b = w.more
	}
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}

// Hash is a SHA-256 as people and files show it: 64 hexadecimal digits.
type Hash [32]byte

// String is all 64 digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes hexadecimal digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(b []byte) error { return unhex(h[:], b) }

// Short is what screens show of a Hash: its first eight digits.
func (h Hash) Short() string { return h.String()[:8] }

// Target is what a plan and a state are bound to (L42).
type Target struct {
	Environment string `json:"environment"` // anthill { environment }
	System      string `json:"system"`      // Postgres system identifier, decimal
	Database    string `json:"database"`    // name of the database
	Domain      string `json:"domain"`      // Self-auth domain: the part of spn behind @ in /v1/self
	Origin      string `json:"origin"`      // scheme://host[:port] of the Self-auth server, lower case
}

// Differs lists the fields in which t, the target of a plan or a state, differs from other, the one here, for an error;
// "" when they are the same target.
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

// PersonID is the id that the person of a user gets, chosen before the call (decision 0002). The generation starts at 1
// and rises only when an id cannot be used again.
func PersonID(lineage, user uuid.UUID, generation int) uuid.UUID {
	// This is uuid.NewSHA1(lineage, "person\x00user\x00generation"), spelled out because it is done for every user of a
	// plan: nothing is allocated here.
	b := make([]byte, 0, 96)
	b = append(b, lineage[:]...)
	b = append(b, "person\x00"...)
	var text [36]byte
	hex.Encode(text[:8], user[:4])
	hex.Encode(text[9:13], user[4:6])
	hex.Encode(text[14:18], user[6:8])
	hex.Encode(text[19:23], user[8:10])
	hex.Encode(text[24:], user[10:])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	b = append(b, text[:]...)
	b = append(b, 0)
	sum := sha1.Sum(strconv.AppendInt(b, int64(generation), 10))
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

// GroupID is the id that the group at an address gets.
func GroupID(lineage uuid.UUID, a Address, generation int) uuid.UUID {
	b := append(lineage[:], "group\x00"...)
	return named(strconv.AppendInt(append(append(b, a...), 0), int64(generation), 10))
}

// TenantID is the id that the row of a declared tenant gets.
func TenantID(lineage uuid.UUID, a Address) uuid.UUID {
	return named(fmt.Appendf(lineage[:], "tenant\x00%s", a))
}

// named is the UUIDv5 (RFC 9562, section 5.5) of a name space and the name behind it.
func named(b []byte) (id uuid.UUID) {
	sum := sha1.Sum(b)
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}
