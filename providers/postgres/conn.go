package postgres

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/providers"
)

const (
	maxConns         = 6 // and the lock's
	connectTimeout   = 10 * time.Second
	cachedStatements = 512
)

func hostOf(host string, port uint16) string {
	if strings.HasPrefix(host, "/") {
		return host
	}
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}

// querier is a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Snapshot is one REPEATABLE READ READ ONLY transaction: all it reads is of one moment. Not safe for concurrent use:
// while Users streams nothing else can be read.
type Snapshot struct {
	p    *Provider
	conn *pgxpool.Conn
	tx   pgx.Tx
	id   string

	ahead *stream[providers.User] // begun by Ahead, for the next call of Users
}

// sortMemory is for the one big work that a plan asks of the server: sorting users.
const sortMemory = "set local work_mem = '64MB'"

// Snapshot begins one. Close ends it.
func (p *Provider) Snapshot(ctx context.Context) (_ *Snapshot, err error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, fail("connect to "+p.host, err)
	}
	s := &Snapshot{p: p, conn: conn}
	defer func() {
		if err != nil {
			s.Close()
			err = fail("begin to read", err)
		}
	}()
	if s.tx, err = conn.BeginTx(ctx, pgx.TxOptions{
		IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly,
	}); err != nil {
		return nil, err
	}
	if _, err = s.tx.Exec(ctx, sortMemory); err != nil {
		return nil, err
	}
	// A standby cannot export its snapshot; what is read beside this transaction is of another moment there.
	var standby bool
	if err = s.tx.QueryRow(ctx, "select pg_is_in_recovery()").Scan(&standby); err != nil || standby {
		return s, err
	}
	err = s.tx.QueryRow(ctx, "select pg_export_snapshot()").Scan(&s.id)
	return s, err
}

// ID lets other connections read the same moment (SET TRANSACTION SNAPSHOT); "" where the server exports none.
func (s *Snapshot) ID() string { return s.id }

// Close ends the transaction and gives the connection back.
func (s *Snapshot) Close() {
	if s.ahead != nil {
		s.ahead.close()
		s.ahead = nil
	}
	if s.tx != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.tx.Rollback(ctx) // nothing was written
		s.tx = nil
	}
	if s.conn != nil {
		s.conn.Release()
		s.conn = nil
	}
}

// transaction is a pgx.Tx as a state backend in the same database uses it.
type transaction struct{ tx pgx.Tx }

func (t transaction) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), fail("record outcomes", err)
}
