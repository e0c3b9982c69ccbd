package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anthill/state"

	"github.com/jackc/pgx/v5/pgconn"
)

const side = "Postgres"

// fail turns an error of the driver into a *state.Error. It keeps no connection string and no value of a row.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var ours *state.Error
	if errors.As(err, &ours) {
		return err
	}
	e := &state.Error{Side: side, Doing: doing, Err: err}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		e.Kind, e.Reason, e.Cure = byState(pg)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Reason = state.ErrorUnreachable, "no answer in time"
	default:
		e.Kind, e.Reason = state.ErrorUnreachable, reasonOf(err)
	}
	if e.Kind != state.ErrorInternal {
		e.Err = nil // its text is told already, in our words
	}
	return e
}

// reasonOf is the innermost cause of a lost or refused connection: the outer texts repeat the connection string.
func reasonOf(err error) string {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			break
		}
		err = inner
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if all := joined.Unwrap(); len(all) > 0 {
			return reasonOf(all[0])
		}
	}
	return err.Error()
}

// byState sorts SQLSTATEs (Postgres documentation, appendix A).
func byState(pg *pgconn.PgError) (kind state.ErrorKind, reason, cure string) {
	reason = pg.Message
	switch pg.Code {
	case "28P01", "28000":
		return state.ErrorUnauthenticated, reason, "Check the role and the password in DATABASE_URL."
	case "3D000":
		return state.ErrorMissing, reason, "Check the database's name in DATABASE_URL."
	case "42501":
		return state.ErrorDenied, reason, "Grant the right, as the owner of the tables, or use another role in DATABASE_URL."
	case "25006":
		return state.ErrorDenied, reason, "This server or role only reads (a standby?): it is enough to plan, not to apply."
	case "40001", "40P01", "55P03", "55006":
		return state.ErrorTransient, reason, ""
	case "42P01", "42703":
		return state.ErrorMissing, reason, "The database is not as it was when it was looked at: plan again."
	}
	switch {
	case strings.HasPrefix(pg.Code, "23"):
		return state.ErrorConflict, fmt.Sprintf("it breaks the rule %s", pg.ConstraintName), ""
	case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "53"):
		return state.ErrorUnreachable, reason, ""
	}
	return state.ErrorInternal, fmt.Sprintf("%s (SQLSTATE %s)", reason, pg.Code), ""
}
