package planfile

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"anthill/state"
)

// A plan file is magic, then sections, the last of which is the trailer:
//
//	kind (1 byte) · length (8 bytes, big endian) · payload · SHA-256 of kind, length and payload
//
//	E  plan.Effects but its objects; O  these, as briefObject
//	S  shapes of a segment, as briefShapes; U  users of that segment, rows one after the other; both once a segment, in order
//	B  plan.Basis
//	K  skipped users: skippedHead as a line of JSON, then 16 bytes of id and two of a place in its sorts each
//	C  plan.Context
//	T  trailer: the plan ID
//
// E, O, S, B and C are JSON, deflated.
// A user is 16 bytes of id, 16 of digest and the shape's index as uvarint; then, in a segment that restores, the journal
// record as uvarint, and with a change of address the record that has it; then, where a person is taken over, the 16
// bytes of its id. The rows are mostly random bits, so they are not compressed.
//
// The plan ID is SHA-256 over idPrefix and, of each section E, O, S and U, its kind and a sum: of U the section's own,
// of the others that of their JSON, as it was before it was deflated. Basis, skipped users and context lie outside. The
// seal is SHA-256 over the whole file.
const (
	magic    = "ANTHILL-PLAN 3\n"
	magicAny = "ANTHILL-PLAN "
	idPrefix = "anthill plan 2\n"

	kindEffects = 'E'
	kindObjects = 'O'
	kindShapes  = 'S'
	kindUsers   = 'U'
	kindBasis   = 'B'
	kindSkipped = 'K'
	kindContext = 'C'
	kindTrailer = 'T'

	headLen = 9
)

func head(kind byte, n int64) []byte {
	b := make([]byte, headLen)
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], uint64(n))
	return b
}

// identity gathers the sums of sections from which the plan ID is made.
type identity struct{ sums []byte }

// add adds a section by the sum of what it holds.
func (i *identity) add(kind byte, sum [sha256.Size]byte) {
	if slices.Contains([]byte{kindEffects, kindObjects, kindShapes, kindUsers}, kind) {
		i.sums = append(append(i.sums, kind), sum[:]...)
	}
}

func (i *identity) id() state.Hash {
	return sha256.Sum256(append([]byte(idPrefix), i.sums...))
}
