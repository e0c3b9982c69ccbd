package postgres

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"anthill/state"
)

// This file tells errors of one from errors of all: what the server says about a row that is written concerns that row
// alone, whatever code it has. A trigger of the application may raise any.

// SQLSTATEs: a value that must be unique, a right that is missing, a query that was cancelled, an exception that a
// trigger raises without a code of its own, a lock that was waited for in vain, and a circle of sessions that wait.
const (
	codeUnique       = "23505"
	codeNotSupported = "0A000" // a statement that returns rows, of a table with rules
	codeDenied       = "42501"
	codeCancelled    = "57014"
	codeRaised       = "P0001"
	codeLocked       = "55P03"
	codeDeadlock     = "40P01"
)

// blocked reports whether a statement waited in vain for what another session holds.
func blocked(pg *pgconn.PgError) bool {
	return !raised(pg) && (pg.Code == codeLocked || pg.Code == codeDeadlock)
}

// raised reports whether a function in the database raised an error by itself, with a code and a message of its choice.
func raised(pg *pgconn.PgError) bool { return pg.Code == codeRaised || pg.Routine == "exec_stmt_raise" }

// ofRow reports whether an error of a statement that writes rows is about these rows. Not so where the session ended
// with it, where the server itself is in trouble, or where the statement could not be understood.
func ofRow(pg *pgconn.PgError) bool {
	severity := cmp.Or(pg.SeverityUnlocalized, pg.Severity)
	switch {
	case severity == "FATAL" || severity == "PANIC":
		return false
	case raised(pg) || transient(pg):
		return true
	}
	switch pg.Code[:2] {
	case "08", "25", "26", "28", "53", "57", "58", "XX":
		return false
	case "42":
		// A place in our own statement; a function's statements have places of their own.
		return pg.Position == 0
	}
	return true
}

// transient reports whether another try may succeed.
func transient(pg *pgconn.PgError) bool {
	kind, _, _ := byState(pg)
	return kind == state.ErrorTransient
}

// ruleName names what a row breaks.
func ruleName(pg *pgconn.PgError) string { return cmp.Or(pg.ConstraintName, "SQLSTATE "+pg.Code) }

// lostRight returns pg where it says that the role may not do something to a table, and that is what our own statement wants,
// or the role has no longer these rights at all. Else it is one row that is denied: by a policy, or by a trigger, whose
// statements tell where they are.
func (p *Provider) lostRight(
	ctx context.Context, q rowQuerier, pg *pgconn.PgError, table string, rights ...string,
) error {
	if pg.Code != codeDenied || raised(pg) {
		return nil
	}
	if pg.Routine == "aclcheck_error" && pg.Where == "" {
		return pg
	}
	var has bool
	err := q.QueryRow(ctx, `select bool_and(case r when 'delete' then has_table_privilege($1::regclass, r)
		else has_any_column_privilege($1::regclass, r) end) from unnest($2::text[]) as r`, table, rights).Scan(&has)
	if err == nil && !has {
		return pg
	}
	return err
}

// rowQuerier is a connection, a pool or a transaction.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// errUndone says that a row is not there as it was written.
var errUndone = errors.New("a trigger or a rule of the database undoes what is written to the row")

// writeRow writes the row of one object, or rows that can be written one by one where they are refused together: an
// error that is about them is of kind Refused then. What is transient is tried again.
func (p *Provider) writeRow(ctx context.Context, doing, table string, rights []string, write func() error) error {
	var pg *pgconn.PgError
	var ours *state.Error
	for range writeTries {
		err := write()
		switch {
		case err == nil:
			return nil
		case errors.As(err, &ours):
			return err // it is told what it is about already
		case errors.Is(err, errUndone):
			return &state.Error{Kind: state.ErrorRefused, Side: side, Doing: doing, Reason: errUndone.Error()}
		case !errors.As(err, &pg) || !ofRow(pg):
			return fail(doing, err)
		case transient(pg):
			continue
		}
		if err := p.lostRight(ctx, p.pool, pg, table, rights...); err != nil {
			return fail(doing, err)
		}
		break
	}
	rule := " (" + ruleName(pg) + ")"
	if raised(pg) {
		return &state.Error{
			Kind: state.ErrorRefused, Side: side, Doing: doing, Reason: "a trigger of the application refuses the row" + rule,
		}
	}
	return &state.Error{Kind: state.ErrorRefused, Side: side, Doing: doing, Reason: "the database refuses the row" + rule}
}
