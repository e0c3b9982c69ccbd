package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/providers"
	"anthill/state"
)

// Snapshot is one REPEATABLE READ READ ONLY transaction: all it reads is of one moment. Not safe for concurrent use:
// while Users streams nothing else can be read.
type Snapshot struct {
	p    *Provider
	conn *pgxpool.Conn
	tx   pgx.Tx
	id   string
}

// Snapshot begins one. Close ends it.
func (p *Provider) Snapshot(ctx context.Context) (_ *Snapshot, err error) {
	conn, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, unreachable(p.host, err)
	}
	s := &Snapshot{p: p, conn: conn}
	defer func() {
		if err != nil {
			s.Close()
			err = fail("begin to read", err)
		}
	}()
	if s.tx, err = conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return nil, err
	}
	// Sorting users is the one big work that a plan asks of the server.
	if _, err = s.tx.Exec(ctx, "set local work_mem = '64MB'"); err != nil {
		return nil, err
	}
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

// Tenants returns all tenants, sorted by id.
func (s *Snapshot) Tenants(ctx context.Context) ([]providers.Tenant, error) {
	const doing = "read tenants"
	rows, err := s.tx.Query(ctx, s.p.names.sql(`select {tenant_id}, {slug}, {name}, {plan}, {status}, {deleted_at} is not null, {settings}::text from {tenants} order by {tenant_id}`))
	if err != nil {
		return nil, fail(doing, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t providers.Tenant, err error) {
		err = row.Scan(&t.ID, &t.Slug, &t.Name, &t.Plan, &t.Status, &t.Deleted, &t.Settings)
		if err == nil {
			t.Settings = canonicalJSON(t.Settings)
		}
		return t, err
	})
	return list, fail(doing, err)
}

// Mappings returns all mapping rows, sorted by tenant and group.
func (s *Snapshot) Mappings(ctx context.Context) ([]providers.Mapping, error) {
	const doing = "read mapping rows"
	rows, err := s.tx.Query(ctx, s.p.names.sql(`select {tenant_id}, {group_id}, {group_name}, {role} from {mapping} order by {tenant_id}, {group_id}`))
	if err != nil {
		return nil, fail(doing, err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (m providers.Mapping, err error) {
		var role string
		err = row.Scan(&m.Tenant, &m.Group, &m.GroupName, &role)
		m.Role = state.ParseRole(role)
		return m, err
	})
	return list, fail(doing, err)
}

// Users streams all rows of users in the order of tenant id, user id. Rows are read ahead while the consumer works.
func (s *Snapshot) Users(ctx context.Context) iter.Seq2[providers.User, error] {
	return func(yield func(providers.User, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		batches := make(chan userBatch, 2)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer close(batches)
			s.readAhead(ctx, batches)
		}()
		// The transaction is the reader's until it has ended.
		defer func() { stop(); <-done }()
		for b := range batches {
			for _, u := range b.users {
				if !yield(u, nil) {
					return
				}
			}
			if b.err != nil {
				yield(providers.User{}, b.err)
				return
			}
		}
	}
}

// userBatch is some users in their order, and the error that came after them.
type userBatch struct {
	users []providers.User
	err   error
}

const readBatch = 500

func (s *Snapshot) readAhead(ctx context.Context, to chan<- userBatch) {
	const doing = "read users"
	send := func(b userBatch) bool {
		select {
		case to <- b:
			return b.err == nil
		case <-ctx.Done():
			return false
		}
	}
	rows, err := queryUsers(ctx, s.tx, s.p.names.sql("select "+s.p.userColumns()+" from {users} order by {tenant_id}, {user_id}"))
	if err != nil {
		send(userBatch{err: fail(doing, err)})
		return
	}
	defer rows.Close()
	r := s.p.userReader()
	batch := make([]providers.User, 0, readBatch)
	for rows.Next() {
		u, err := r.user(rows.RawValues())
		if err != nil {
			send(userBatch{batch, err})
			return
		}
		if batch = append(batch, u); len(batch) == readBatch {
			if !send(userBatch{users: batch}) {
				return
			}
			batch = make([]providers.User, 0, readBatch)
		}
	}
	send(userBatch{batch, fail(doing, rows.Err())})
}
