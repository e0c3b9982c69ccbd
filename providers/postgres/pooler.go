package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/state"
)

// door makes new connections ready, and refuses a pooler that keeps no session for a connection before anything is done there.
type door struct {
	known  atomic.Bool // what answers there keeps a session for each connection
	pooler atomic.Bool // and it is a pooler

	second func(context.Context) (*pgxpool.Conn, error) // makes one more for the pool, right after the first
	asked  atomic.Bool                                  // it is being made, and nothing else yet; ownSession makes it ready
}

// prepare makes a new connection ready, and returns the number of its session. *state.Error where its settings would not hold.
func (d *door) prepare(ctx context.Context, conn *pgx.Conn) (pid string, err error) {
	c := conn.Config()
	bounded, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	if d.asked.Load() {
		return backend(bounded, conn)
	}
	if pid, err = d.judge(bounded, conn); err == nil {
		err = set(bounded, conn)
	}
	var ours *state.Error
	switch {
	case err == nil, errors.As(err, &ours), ctx.Err() != nil:
		return pid, err
	case bounded.Err() != nil:
		return "", &state.Error{
			Kind: state.ErrorUnreachable, Side: side, Doing: "connect to " + where(&c.Config),
			Reason: fmt.Sprintf("it let us in, and gave no answer in %s", c.ConnectTimeout),
			Cure:   "A pooler may have no session of the server left, or not reach it. " + poolSize,
		}
	}
	return "", unconnected(&c.Config, err)
}

// judge looks whether what is set in a connection stays with it. The first connection of a process is looked at closely, and
// a later one only where it is not of the same kind.
func (d *door) judge(ctx context.Context, conn *pgx.Conn) (pid string, err error) {
	if pid, err = backend(ctx, conn); err != nil {
		return "", err
	}
	// Postgres tells the number of the session when it begins. Another one is that of a pooler. One that passes on the number of a
	// session that it then shares is found as well, if not as surely.
	direct := told(conn) == pid
	if d.known.Load() && (direct || d.pooler.Load()) {
		return pid, nil
	}
	looks := 1
	if !direct {
		looks = 4
	}
	if err := d.ownSession(ctx, conn, pid, looks); err != nil {
		return "", err
	}
	d.pooler.Store(!direct)
	d.known.Store(true)
	return pid, nil
}

// told is the number of its session that a connection was told when it began.
func told(conn *pgx.Conn) string { return strconv.FormatUint(uint64(conn.PgConn().PID()), 10) }

// set makes the settings of a connection.
func set(ctx context.Context, conn *pgx.Conn) error {
	return simple(ctx, conn, settings(major(conn.PgConn().ParameterStatus("server_version"))))
}

// ownSession refuses a pooler that gives each transaction another session: settings would not hold there and reach the
// application's sessions, and the lock on the target would stay with one of them. Of a pool that is idle, two connections in
// turn get the same session where the last one used is the next, and one connection gets two where it is the one that rested
// longest. In a busy one it is by chance, so there are several looks. Each is a transaction of its own: one that is left open would
// wait for ever in a pool of one session. The second connection of a process stays, as nearly every command needs two. It does
// not where the address has led one of them to a pooler and the other to the server: a later one is then looked at closely.
func (d *door) ownSession(ctx context.Context, conn *pgx.Conn, was string, looks int) error {
	if d.known.Load() { // the pool is in use, and may have none to spare
		other, err := pgx.ConnectConfig(ctx, conn.Config())
		if err != nil {
			return err
		}
		defer func() { _ = other.Close(ctx) }() // nothing was done with it
		_, err = distinct(ctx, conn, other, was, looks)
		return err
	}
	d.asked.Store(true)
	other, err := d.second(ctx)
	d.asked.Store(false)
	if err != nil {
		return err
	}
	defer other.Release()
	theirs, err := distinct(ctx, conn, other.Conn(), was, looks)
	if err != nil {
		return err
	}
	if (told(other.Conn()) == theirs) != (told(conn) == was) {
		_ = other.Conn().Close(ctx) // nothing was done with it
		return nil
	}
	return set(ctx, other.Conn())
}

// distinct refuses two connections that share a session, or one that has several. It returns the number of the other one's.
func distinct(ctx context.Context, conn, other *pgx.Conn, was string, looks int) (theirs string, err error) {
	for range looks {
		for _, c := range []*pgx.Conn{other, other, conn} {
			is, err := backend(ctx, c)
			if err != nil {
				return "", err
			}
			if c == other && theirs == "" {
				theirs = is
			}
			if theirs == was || c == other && is != theirs || c == conn && is != was {
				return "", &state.Error{
					Kind: state.ErrorMissing, Side: side, Doing: "connect to " + where(&conn.Config().Config), Reason: sharing, Cure: curePooling,
				}
			}
		}
	}
	return theirs, nil
}

// backend is the number of the server's process that answers.
func backend(ctx context.Context, conn *pgx.Conn) (string, error) {
	results, err := conn.PgConn().Exec(ctx, "select pg_catalog.pg_backend_pid()").ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}
