package pg

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

// TestFail: who only reads is denied, with what to do; and a connection that is not made shows nothing of the address.
func TestFail(t *testing.T) {
	t.Parallel()
	s := &Store{}
	err := s.fail("raise the epoch", &pgconn.PgError{Code: codeReads, Message: "cannot execute UPDATE in a read-only transaction"})
	if state.ErrorKindOf(err) != state.ErrorDenied || !strings.Contains(err.Error(), "this server or role only reads\n") ||
		!strings.Contains(err.Error(), "default_transaction_read_only") {
		t.Error(err)
	}
	_, lost := pgconn.Connect(t.Context(), "postgres://some.role:s3cret@127.0.0.1:1/some.database")
	err = s.fail("take the lock", lost)
	if state.ErrorKindOf(err) != state.ErrorUnreachable || strings.Contains(err.Error(), "some.") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
