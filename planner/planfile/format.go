package planfile

import (
	"crypto/sha256"
	"encoding/binary"

	"anthill/state"
)

// A plan file is magic, then sections, the last of which is the trailer:
//
//	kind (1 byte) · length (8 bytes, big endian) · payload · SHA-256 of kind, length and payload
//
//	E  effects: planner.Plan as JSON
//	S  shapes of a segment as JSON, deflated; U  users of that segment, rows one after the other; both once a segment, in order
//	K  skipped users: 16 bytes of id and one of reason each
//	A  analysis as JSON
//	T  trailer: the plan ID
//
// A user is 16 bytes of id, 16 of digest, the shape's index as uvarint, in a segment that restores the journal record as
// uvarint, and where a person is taken over the 16 bytes of its id. The rows are mostly random bits, so they are not compressed.
//
// The plan ID is SHA-256 over idPrefix and the sums of the sections E, S and U: analysis and the list of skipped
// users lie outside.
const (
	magic    = "ANTHILL-PLAN 1\n"
	magicAny = "ANTHILL-PLAN "
	idPrefix = "anthill plan 1\n"

	kindEffects  = 'E'
	kindShapes   = 'S'
	kindUsers    = 'U'
	kindSkipped  = 'K'
	kindAnalysis = 'A'
	kindTrailer  = 'T'

	headLen = 9
)

func head(kind byte, n int64) []byte {
	b := make([]byte, headLen)
	b[0] = kind
	binary.BigEndian.PutUint64(b[1:], uint64(n))
	return b
}

// identity gathers the sums that make the plan ID.
type identity struct{ sums []byte }

func (i *identity) add(kind byte, sum []byte) {
	if kind == kindEffects || kind == kindShapes || kind == kindUsers {
		i.sums = append(i.sums, sum...)
	}
}

func (i *identity) id() state.Hash {
	return sha256.Sum256(append([]byte(idPrefix), i.sums...))
}
