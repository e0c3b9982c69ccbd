package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"anthill/providers"
	"anthill/state"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const side = "Postgres"

// What is being done, of errors that are made in more than one place.
const (
	finding = "find the tables"
	looking = "look at the tables"
)

// fail turns an error of the driver into a *state.Error. It keeps no connection string and no value of a row.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var ours *state.Error
	var lost *state.LockLostError
	var needed *providers.SchemaNeededError
	if errors.As(err, &ours) || errors.As(err, &lost) || errors.As(err, &needed) {
		return err
	}
	e := &state.Error{Side: side, Doing: doing, Err: err}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &connect):
		return unconnected(connect.Config, err)
	case errors.As(err, &pg):
		if hiding := state.RefusedHiding(doing, pg.Code, pg.Routine, pg.Message); hiding != nil {
			return hiding
		}
		e.Kind, e.Reason, e.Cure = byState(pg)
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Reason = state.ErrorUnreachable, "no answer in time"
	default:
		e.Kind, e.Reason = state.ErrorUnreachable, reasonOf(err)
	}
	if e.Kind != state.ErrorInternal || pg != nil && raised(pg) {
		// Its text is told already, in our words, or is not to be told.
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
	if raised(pg) {
		reason = "a function of the database raises an error"
	}
	if state.MomentGone(pg.Code, pg.Routine) {
		return state.ErrorUnreachable, "the session that held what is read has ended", ""
	}
	switch pg.Code {
	case "28P01", "28000":
		return state.ErrorUnauthenticated, reason, "Check the role and the password in DATABASE_URL."
	case "3D000":
		return state.ErrorMissing, reason, "Check the database's name in DATABASE_URL."
	case codeDenied:
		return state.ErrorDenied, reason,
			"Grant the right, as the owner of the tables, or use another role in DATABASE_URL."
	case codeReads:
		return state.ErrorDenied, reason,
			"This server or role only reads (a standby?): it is enough to plan, not to apply."
	case "40001", "40P01", "55P03", "55006", "57014":
		return state.ErrorTransient, reason, ""
	case "22021", "22P05":
		return state.ErrorInternal, reason,
			"A text in the tables is not in the encoding that the database says: mend it, then plan again."
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

// noTables is the error of tables and columns that are not there. other is the naming that would fit, "" none;
// elsewhere are the schemas that have such tables; wanting are statements that make what is missing.
func (n *names) noTables(tables, columns []string, other string, elsewhere, wanting []string) error {
	var lacks []string
	if len(tables) > 0 {
		lacks = append(lacks, "there is no table "+strings.Join(tables, ", "))
	}
	if len(columns) > 0 {
		lacks = append(lacks, "there is no column "+strings.Join(columns, ", "))
	}
	cure := "Is DATABASE_URL the application's database?"
	if len(wanting) > 0 {
		cure = "Is DATABASE_URL the application's database? Then run the application's own migrations that make them or, where it has " +
			"none:\n\n    " + strings.Join(wanting, "\n    ")
	}
	if len(elsewhere) > 0 {
		cure = fmt.Sprintf("The schema %s has them. Name it in DATABASE_URL:\n\n    postgres://...?search_path=%s",
			strings.Join(elsewhere, ", "), elsewhere[0])
	}
	if other != "" {
		cure = fmt.Sprintf("The tables fit another naming:\n\n    provider \"postgres\" {\n      naming = %q\n    }",
			other)
	}
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: finding,
		Reason: fmt.Sprintf("%s (search path %s, naming %q)", strings.Join(lacks, "; "),
			strings.Join(n.places.path, ", "), n.preset),
		Cure: cure,
	}
}

// noTable is the error of something that has the name of a table.
func noTable(f place, path []string) error {
	what := map[string]string{"v": "a view", "m": "a materialized view", "f": "a foreign table"}[f.kind]
	if what == "" {
		what = "a table with partitions on another server"
	}
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: finding,
		Reason: fmt.Sprintf("the search path (%s) leads to %s.%s, which is %s: it can leave rows out",
			strings.Join(path, ", "), f.schema, f.name, what),
		Cure: "A row that cannot be seen would look as if it were gone. Name the schema of the table itself in " +
			"DATABASE_URL:\n\n    postgres://...?search_path=NAME",
	}
}

// onlyPart is the error of a partition that has the name of a table: the rows of the others would look as if they were gone.
func onlyPart(f place, path []string) error {
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: finding,
		Reason: fmt.Sprintf("the search path (%s) leads to %s.%s, which is a partition of %s: it has only a part of the rows",
			strings.Join(path, ", "), f.schema, f.name, f.above),
		Cure: "The rows of the other partitions would look as if they were gone. Name the schema of the whole table in " +
			"DATABASE_URL:\n\n    postgres://...?search_path=NAME",
	}
}

// noRows is the error of a table that shows no row, where the catalogue has counted some.
func noRows(table pgx.Identifier, count int64) error {
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: looking,
		Reason: fmt.Sprintf("%s shows no row, and by the catalogue it has about %d", strings.Join(table, "."), count),
		Cure: "Nothing was concluded from that. Is it the right table, and the right database? If its rows were deleted, " +
			"have them counted again, as the owner:\n\n    ANALYZE " + table.Sanitize() + ";",
	}
}

// uncounted is the error of a table that shows no row, where users were moved.
func uncounted(table pgx.Identifier) error {
	return &state.Error{
		Kind: state.ErrorMissing, Side: side, Doing: looking,
		Reason: fmt.Sprintf("%s shows no row, and users of it were moved", strings.Join(table, ".")),
		Cure: "Nothing was concluded from that. Is it the right table, and the right database? If its rows are gone for " +
			"good, have that counted, as the owner:\n\n    ANALYZE " + table.Sanitize() + ";",
	}
}
