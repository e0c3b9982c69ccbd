package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"anthill/providers"
)

const side = "Postgres"

// fail turns an error of the driver into a *providers.Error. It keeps no connection string and no value of a row.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var ours *providers.Error
	if errors.As(err, &ours) {
		return err
	}
	e := &providers.Error{Side: side, Doing: doing, Err: err}
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		e.Kind, e.Reason, e.Cure = byState(pg)
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Reason = providers.Unreachable, "no answer in time"
	default:
		e.Kind, e.Reason = providers.Unreachable, reasonOf(err)
	}
	if e.Kind != providers.Internal {
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
func byState(pg *pgconn.PgError) (kind providers.Kind, reason, cure string) {
	reason = pg.Message
	switch pg.Code {
	case "28P01", "28000":
		return providers.Unauthenticated, reason, "Check the role and the password in DATABASE_URL."
	case "3D000":
		return providers.Missing, reason, "Check the database's name in DATABASE_URL."
	case "42501":
		return providers.Denied, reason, "Grant the right, as the owner of the tables, or use another role in DATABASE_URL."
	case "25006":
		return providers.Denied, reason, "This server or role only reads (a standby?): it is enough to plan, not to apply."
	case "40001", "40P01", "55P03", "55006":
		return providers.Transient, reason, ""
	case "42P01", "42703":
		return providers.Missing, reason, "The database is not as it was when it was looked at: plan again."
	}
	switch {
	case strings.HasPrefix(pg.Code, "23"):
		return providers.Conflict, fmt.Sprintf("it breaks the rule %s", pg.ConstraintName), ""
	case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "53"):
		return providers.Unreachable, reason, ""
	}
	return providers.Internal, fmt.Sprintf("%s (SQLSTATE %s)", reason, pg.Code), ""
}
