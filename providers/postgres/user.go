package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// userColumns are what is read of a row, in the order of userReader.user. Before the schema step has made the columns,
// they count with what it will fill in.
func (p *Provider) userColumns() string {
	if p.dual.Load() {
		return baseColumns + `, {method}, {completed_at} is not null`
	}
	return baseColumns + `, ` + futureMethod + `, {link_id} is not null and {linked_at} is not null`
}

const baseColumns = `{user_id}, {tenant_id}, {email}, {full_name}, {role}, {status}, {deleted_at} is not null,
	{email_verified}, {password_hash} is not null, ` + isBcrypt + `, {link_id}`

// isBcrypt tests, inside the server, that a hash has the form of bcrypt: 7 characters of prefix and cost, 22 of salt, 31 of
// the hash. The length stands apart, as a bound in the expression makes it ten times slower.
const isBcrypt = `(octet_length({password_hash}::text) = 60
	and {password_hash}::text collate "C" ~ '^[$]2[abxy][$][0-9][0-9][$][./A-Za-z0-9]+$')`

// futureMethod is what the back-fill makes of a row, as the application's own migration does: linked and with a
// password it is dual, linked without one it is the identity provider's.
const futureMethod = `case when {link_id} is null then {value.password}
	when {password_hash} is null then {value.self_auth} else {value.dual} end`

// imageColumns follow userColumns where a row is read to be written.
func (p *Provider) imageColumns() string {
	const live = `, exists (select from {tenants} t
		where t.{tenant_id} = u.{tenant_id} and t.{status} = 'active' and t.{deleted_at} is null)`
	return p.momentColumns() + live
}

// momentColumns are the times of a row's image.
func (p *Provider) momentColumns() string {
	if p.dual.Load() {
		return `, {linked_at}::timestamptz, {completed_at}::timestamptz, {invited_at}::timestamptz`
	}
	return `, {linked_at}::timestamptz, case when {link_id} is not null then {linked_at}::timestamptz end,
		null::timestamptz`
}

// userReader turns raw binary rows into users. Words that repeat are kept once.
type userReader struct {
	names *names
	words map[string]string
}

func (p *Provider) userReader() *userReader {
	return &userReader{names: p.names, words: map[string]string{}}
}

func (r *userReader) word(b []byte) string {
	if w, ok := r.words[string(b)]; ok {
		return w
	}
	w := string(b)
	if len(r.words) < 1000 {
		r.words[w] = w
	}
	return w
}

var errRow = errors.New("a row of users has an unexpected form; this is a bug in Anthill")

func (r *userReader) user(raw [][]byte) (u providers.User, err error) {
	if len(raw) < 13 || len(raw[0]) != 16 || len(raw[1]) != 16 {
		return u, errRow
	}
	copy(u.ID[:], raw[0])
	copy(u.Tenant[:], raw[1])
	u.Email, u.FullName = string(raw[2]), string(raw[3])
	u.Role, u.Status = r.word(raw[4]), r.word(raw[5])
	u.Deleted, u.Verified, u.HasPassword, u.CanPassword = isTrue(raw[6]), isTrue(raw[7]), isTrue(raw[8]), isTrue(raw[9])
	if len(raw[10]) == 16 {
		copy(u.Link[:], raw[10])
	}
	u.Method, u.Completed = r.names.method(raw[11]), isTrue(raw[12])
	return u, nil
}

func (r *userReader) image(u providers.User, raw [][]byte) state.Image {
	return state.Image{
		Link: u.Link, Method: u.Method, Synced: moment(raw[13]), Completed: moment(raw[14]),
		Invited: moment(raw[15]),
	}
}

func isTrue(b []byte) bool { return len(b) == 1 && b[0] == 1 }

// moment reads a binary timestamptz: microseconds since 2000-01-01 UTC. Zero for NULL.
func moment(b []byte) time.Time {
	if len(b) != 8 {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b)) + 946684800_000_000).UTC()
}

// Fetch reads rows of users again, in no order; rows that are gone are missing. *state.Error where rows are hidden from
// the role, or none is there at all although the catalogue has counted some.
func (p *Provider) Fetch(ctx context.Context, users []uuid.UUID) ([]providers.UserRow, error) {
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() + " from {users} u where {user_id} = any($1)")
	return p.readRows(ctx, p.pool, sql, ids(users))
}

// Linked reads the rows that are linked to some persons, in no order.
func (p *Provider) Linked(ctx context.Context, persons []uuid.UUID) ([]providers.UserRow, error) {
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() + " from {users} u where {link_id} = any($1)")
	return p.readRows(ctx, p.pool, sql, ids(persons))
}

func (p *Provider) readRows(ctx context.Context, q querier, sql string, args ...any) ([]providers.UserRow, error) {
	const doing = "read users again"
	rows, err := queryUsers(ctx, q, sql, args...)
	if err != nil {
		return nil, fail(doing, err)
	}
	defer rows.Close()
	r := p.userReader()
	var list []providers.UserRow
	for rows.Next() {
		raw := rows.RawValues()
		u, err := r.user(raw)
		if err != nil {
			return nil, err
		}
		u.TenantLive = isTrue(raw[16])
		list = append(list, providers.UserRow{User: u, Image: r.image(u, raw)})
	}
	if err := rows.Err(); err != nil || len(list) > 0 {
		return list, fail(doing, err)
	}
	// Those who were asked for were there when the plan was made. That all of them are gone is believed of a table that
	// shows other rows.
	return nil, p.sees(ctx, q, "users", func() (bool, error) { return false, nil })
}

// ids are uuids as the driver takes arrays of them.
func ids(list []uuid.UUID) [][16]byte {
	out := make([][16]byte, len(list))
	for i, id := range list {
		out[i] = id
	}
	return out
}

// queryUsers runs a query whose columns are userColumns with or without imageColumns, in binary form.
func queryUsers(ctx context.Context, q querier, sql string, args ...any) (pgx.Rows, error) {
	return q.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.BinaryFormatCode}}, args...)...)
}

// Users streams all rows of users in the order of tenant id, user id. Rows are read ahead while the consumer works.
func (s *Snapshot) Users(ctx context.Context) iter.Seq2[providers.User, error] {
	r := s.p.userReader()
	return streamed(ctx, s, s.p.userColumns(), r.user)
}

// UserRows are the same rows with their images.
func (s *Snapshot) UserRows(ctx context.Context) iter.Seq2[providers.UserRow, error] {
	r := s.p.userReader()
	return streamed(ctx, s, s.p.userColumns()+s.p.momentColumns(), func(raw [][]byte) (row providers.UserRow, err error) {
		if row.User, err = r.user(raw); err == nil {
			row.Image = r.image(row.User, raw)
		}
		return row, err
	})
}

// streamed reads ahead.
func streamed[T any](
	ctx context.Context, s *Snapshot, columns string, read func(raw [][]byte) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		batches := make(chan batch[T], 2)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer close(batches)
			readAhead(ctx, s, columns, read, batches)
		}()
		// The transaction is the reader's until it has ended.
		defer func() { stop(); <-done }()
		for b := range batches {
			for _, row := range b.rows {
				if !yield(row, nil) {
					return
				}
			}
			if b.err != nil {
				var none T
				yield(none, b.err)
				return
			}
		}
	}
}

// batch is some rows in their order, and the error that came after them.
type batch[T any] struct {
	rows []T
	err  error
}

const readBatch = 500

func readAhead[T any](
	ctx context.Context, s *Snapshot, columns string, read func(raw [][]byte) (T, error), to chan<- batch[T],
) {
	const doing = "read users"
	send := func(b batch[T]) bool {
		select {
		case to <- b:
			return b.err == nil
		case <-ctx.Done():
			return false
		}
	}
	rows, err := queryUsers(ctx, s.tx,
		s.p.names.sql("select "+columns+" from {users} order by {tenant_id}, {user_id}"))
	if err != nil {
		send(batch[T]{err: fail(doing, err)})
		return
	}
	defer rows.Close()
	// Sent in batches, as handing over each row by itself would cost more than reading it.
	some := make([]T, 0, readBatch)
	for rows.Next() {
		row, err := read(rows.RawValues())
		if err != nil {
			send(batch[T]{some, err})
			return
		}
		if some = append(some, row); len(some) == readBatch {
			if !send(batch[T]{rows: some}) {
				return
			}
			some = make([]T, 0, readBatch)
		}
	}
	send(batch[T]{some, fail(doing, rows.Err())})
}
