package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/state"
)

// Names says where the application's users are: recorded users come in the order of their tenants, and beside what the
// application has written of their logins.
type Names struct {
	Table                                              []string // schema and table
	ID, Tenant, Link, LinkedAt, CompletedAt, InvitedAt string   // columns
}

// Store is recorded state in Postgres. It implements state.Store. Safe for concurrent reading; one Lock at a time.
type Store struct {
	pool     *pgxpool.Pool
	schema   string
	fill     *strings.Replacer     // {schema}, {users}, {user}, {tenant}, {link}, {linked_at}, {completed_at}, {invited_at}
	snapshot string                // exported snapshot that reads see; "": each read its own
	found    *atomic.Pointer[seen] // with snapshot: what is known of the state in it
	lock     *atomic.Pointer[lock]
}

// Open returns the state in a schema of the pool's database. It does no I/O.
func Open(pool *pgxpool.Pool, schema string, users Names) *Store {
	column := func(name string) string { return pgx.Identifier{name}.Sanitize() }
	return &Store{pool: pool, schema: schema, lock: &atomic.Pointer[lock]{}, fill: strings.NewReplacer(
		"{schema}", column(schema), "{users}", pgx.Identifier(users.Table).Sanitize(),
		"{user}", column(users.ID), "{tenant}", column(users.Tenant), "{link}", column(users.Link),
		"{linked_at}", column(users.LinkedAt), "{completed_at}", column(users.CompletedAt), "{invited_at}", column(users.InvitedAt))}
}

// At returns the same state as an exported snapshot sees it; for reading only. "" is the state as it is.
func (s *Store) At(snapshot string) *Store {
	c := *s
	c.snapshot, c.found = snapshot, nil
	if snapshot != "" {
		c.found = &atomic.Pointer[seen]{}
	}
	return &c
}

func (s *Store) sql(text string) string { return s.fill.Replace(text) }

// unread is the error of reading what is recorded.
func (s *Store) unread(err error) error { return s.fail("read the recorded state", err) }

// reading runs f in one read-only transaction, of the snapshot where there is one.
func (s *Store) reading(ctx context.Context, f func(pgx.Tx) error) error {
	// Several queries that belong together must see one moment, whatever a run writes beside them.
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, options, func(tx pgx.Tx) error {
		if s.snapshot != "" {
			if _, err := tx.Exec(ctx, "set transaction snapshot '"+strings.ReplaceAll(s.snapshot, "'", "''")+"'"); err != nil {
				return err
			}
		}
		return f(tx)
	})
	return s.unread(err)
}

// writing runs f in one transaction that raises the serial, if the lock is still held.
func (s *Store) writing(ctx context.Context, f func(pgx.Tx) error) error {
	l, err := s.held()
	if err != nil {
		return err
	}
	// The fence alone would do to keep two from writing. But a process that has lost its session should stop before
	// somebody else comes.
	if err := l.Confirm(ctx); err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := l.Fence(ctx, execer{tx}); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		return s.raiseSerial(ctx, tx)
	})
	return s.unwritten(err)
}

func (s *Store) raiseSerial(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, s.sql("update {schema}.meta set serial = serial + 1"))
	return err
}

// unwritten is the error of writing what is recorded.
func (s *Store) unwritten(err error) error { return s.fail("write the recorded state", err) }

// fail turns the driver's errors into kinds; ours pass.
func (s *Store) fail(doing string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	var pg *pgconn.PgError
	var connect *pgconn.ConnectError
	kind := state.ErrorUnreachable
	switch {
	case state.ErrorKindOf(err) != state.ErrorInvalid, isOurs(err):
		return err
	case errors.As(err, &connect):
		// Its text, and the server's, name role and database, and what else the address says.
		return &state.Error{Kind: kind, Side: "Postgres", Doing: doing, Reason: "no other connection was made",
			Cure: "One was, before. Are there any left (max_connections), and is the server still up?"}
	case errors.As(err, &pg):
		if hiding := state.RefusedHiding(doing, pg.Code, pg.Routine, pg.Message); hiding != nil {
			return hiding
		}
		if state.MomentGone(pg.Code, pg.Routine) {
			return &state.Error{Kind: kind, Side: "Postgres", Doing: doing, Reason: "the session that held what is read has ended"}
		}
		if pg.Code == codeReads {
			return &state.Error{Kind: state.ErrorDenied, Side: "Postgres", Doing: doing, Reason: "this server or role only reads",
				Cure: "That is enough to plan. Name the primary server in DATABASE_URL, and a role for which default_transaction_read_only is off."}
		}
		if kind = kindOf(pg.Code); kind == state.ErrorInternal {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return &state.Error{Kind: kind, Side: "Postgres", Doing: doing, Reason: pg.Message}
	case errors.Is(err, pgx.ErrNoRows), !isConnection(err):
		return fmt.Errorf("%s: %w", doing, err)
	}
	return &state.Error{Kind: kind, Side: "Postgres", Doing: doing, Reason: "the connection was lost", Err: err}
}

const (
	codeDenied      = "42501" // insufficient_privilege
	codeReads       = "25006" // read_only_sql_transaction
	codeLockTimeout = "55P03" // lock_not_available
)

func kindOf(code string) state.ErrorKind {
	switch {
	case code == codeDenied:
		return state.ErrorDenied
	case code == "40001", code == "40P01", code == codeLockTimeout:
		return state.ErrorTransient
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "53"):
		return state.ErrorUnreachable
	}
	return state.ErrorInternal
}

func isOurs(err error) bool {
	var locked *state.LockedError
	var target *state.TargetError
	var denied *state.DeniedError
	var lost *state.LockLostError
	var second *state.SecondStateError
	own := []error{state.ErrOpenRun, state.ErrRowThere, state.ErrNothingKept, state.ErrNoState, state.ErrNewer, state.ErrAskedEnough}
	return slices.ContainsFunc(own, func(one error) bool { return errors.Is(err, one) }) || errors.As(err, &locked) ||
		errors.As(err, &target) || errors.As(err, &denied) || errors.As(err, &lost) || errors.As(err, &second)
}

// isConnection says whether an error that is no server's answer comes from the connection.
func isConnection(err error) bool {
	var net interface{ Timeout() bool }
	var connect *pgconn.ConnectError
	return errors.As(err, &net) || errors.As(err, &connect) || pgconn.SafeToRetry(err) ||
		strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}
