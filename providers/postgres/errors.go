package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anthill/state"

	"github.com/jackc/pgx/v5"
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
		// Its text is told already, in our words.
		e.Err = nil
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
		return state.ErrorDenied, reason,
			"Grant the right, as the owner of the tables, or use another role in DATABASE_URL."
	case "25006":
		return state.ErrorDenied, reason,
			"This server or role only reads (a standby?): it is enough to plan, not to apply."
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

// unreachable is the error of a connection that was not made.
func unreachable(host string, err error) error {
	e := fail("connect to "+host, err)
	var pe *state.Error
	if errors.As(e, &pe) && pe.Kind == state.ErrorUnreachable && pe.Cure == "" {
		pe.Cure = "Check DATABASE_URL, and that the server runs and lets this machine in."
	}
	return e
}

// noIdentity adds the cure to the error of a role that may not ask which server this is.
func noIdentity(err error, role string) error {
	var e *state.Error
	if errors.As(err, &e) && e.Kind == state.ErrorDenied {
		e.Cure = "Plans are bound to it. As a superuser:\n\n" +
			"    GRANT EXECUTE ON FUNCTION pg_control_system() TO " + pgx.Identifier{role}.Sanitize()
	}
	return err
}

// noTables is the error of tables and columns that are not there. other is the naming that would fit, "" none.
func (n *names) noTables(tables, columns []string, other string) error {
	var lacks []string
	if len(tables) > 0 {
		lacks = append(lacks, "there is no table "+strings.Join(tables, ", "))
	}
	if len(columns) > 0 {
		lacks = append(lacks, "there is no column "+strings.Join(columns, ", "))
	}
	cure := "Is DATABASE_URL the application's database?"
	if other != "" {
		cure = fmt.Sprintf("The tables fit another naming:\n\n    provider \"postgres\" {\n      naming = %q\n    }",
			other)
	}
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: "look for the application's tables",
		Reason: fmt.Sprintf("%s (schema %s, naming %q)", strings.Join(lacks, "; "), tablesSchema, n.preset),
		Cure:   cure,
	}
}
