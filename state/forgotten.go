package state

import (
	"crypto/sha256"
	"errors"

	"github.com/google/uuid"
)

// Forgotten is that what was kept of a user whose row is gone was taken out: who wanted that, when and why. The user is not in
// it.
type Forgotten struct {
	Runs    []string // that had journal records of the user, sorted
	Records int64    // of them
	Signed
}

// ForgottenDigest is by what a user who was forgotten is known again to whoever has its id.
func ForgottenDigest(lineage, user uuid.UUID) Hash {
	return sha256.Sum256(append(append([]byte("forgotten "), lineage[:]...), user[:]...))
}

// ErrRowThere says that the row of a user is still there.
var ErrRowThere = errors.New("the row of the user is still there")

// ErrNothingKept says that nothing is recorded of a user.
var ErrNothingKept = errors.New("nothing is recorded of this user")
