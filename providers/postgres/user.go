package postgres

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/providers"
	"anthill/state"
)

// userColumns are what is read of a row, in the order of userReader.user. Before the schema step has made the columns,
// they count with what it will fill in.
func (p *Provider) userColumns() string {
	of := columnsOf{
		method: `{method}`, invited: `{invited_at} is not null`, completed: `{completed_at} is not null`,
		apart: `{completed_at}::timestamptz <> {linked_at}::timestamptz`,
	}
	if !p.dual.Load() {
		of = columnsOf{method: futureMethod, invited: `false`, completed: `{link_id} is not null and {linked_at} is not null`, apart: `false`}
	}
	return `{user_id}, {tenant_id}, {email}, {full_name}, {role}, {status}, {link_id}, ` + of.marks() +
		`, {linked_at}::timestamptz`
}

// columnsOf are expressions over the columns that the dual schema has.
type columnsOf struct{ method, invited, completed, apart string }

// The marks of a row: its method, and what is true of it, each at a place of its own. A column for each of them costs the
// server more than reading the row.
const (
	markMethod  = 0xf
	markDeleted = 1 << (iota + 4)
	markVerified
	markHasPassword
	markCanPassword
	markCompleted
	markCompletedApart
	markInvited
)

// marks is the number of a row's marks in SQL.
func (of columnsOf) marks() string {
	const mark = ` + case when %s then %d else 0 end`
	return fmt.Sprintf(`(case %s when {value.password} then %d when {value.dual} then %d when {value.self_auth} then %d else 0 end`,
		of.method, state.MethodPassword, state.MethodDual, state.MethodSelfAuth) +
		fmt.Sprintf(mark, `{deleted_at} is not null`, markDeleted) +
		fmt.Sprintf(mark, `{email_verified}`, markVerified) +
		fmt.Sprintf(mark, `{password_hash} is not null`, markHasPassword) +
		fmt.Sprintf(mark, isBcrypt, markCanPassword) +
		fmt.Sprintf(mark, of.completed, markCompleted) +
		fmt.Sprintf(mark, of.apart, markCompletedApart) +
		fmt.Sprintf(mark, of.invited, markInvited) + `)`
}

// isBcrypt tests, inside the server, that a hash has the form of bcrypt: 7 characters of prefix and cost, 22 of salt, 31 of
// the hash. One expression for all of it costs twice the time of this.
var isBcrypt = `(octet_length({password_hash}::text) = 60
	and left({password_hash}::text, 7) collate "C" in (` + strings.Join(bcryptPrefixes(), ", ") + `)
	and {password_hash}::text collate "C" !~ '[^$./A-Za-z0-9]'
	and {password_hash}::text collate "C" not like '$2_$__$%$%')`

// bcryptPrefixes are how a hash can begin, as literals: versions a, b, x and y, costs 4 to 31.
func bcryptPrefixes() (list []string) {
	for _, version := range "abxy" {
		for cost := 4; cost <= 31; cost++ {
			list = append(list, literal(fmt.Sprintf("$2%c$%02d$", version, cost)))
		}
	}
	return list
}

// futureMethod is what the back-fill makes of a row, as the application's own migration does: linked and with a
// password it is dual, linked without one it is the identity provider's.
const futureMethod = `case when {link_id} is null then {value.password}
	when {password_hash} is null then {value.self_auth} else {value.dual} end`

// imageColumns follow userColumns where a row is read to be written.
func (p *Provider) imageColumns() string {
	const live = `, exists (select from {tenants} t
		where t.{tenants.tenant_id} = u.{tenant_id} and t.{tenants.status} = 'active' and t.{tenants.deleted_at} is null)`
	return p.momentColumns() + live
}

// momentColumns are the times of a row's image.
func (p *Provider) momentColumns() string {
	if p.dual.Load() {
		return `, {completed_at}::timestamptz, {invited_at}::timestamptz`
	}
	return `, case when {link_id} is not null then {linked_at}::timestamptz end,
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

var errRow = &state.Error{Kind: state.ErrorInternal, Side: side, Doing: reading,
	Reason: "a row has an unexpected form; this is a bug in Anthill"}

func (r *userReader) user(raw [][]byte) (u providers.User, err error) {
	if len(raw) < 9 || len(raw[0]) != 16 || len(raw[1]) != 16 || len(raw[7]) != 4 {
		return u, errRow
	}
	copy(u.ID[:], raw[0])
	copy(u.Tenant[:], raw[1])
	u.Email, u.FullName = string(raw[2]), string(raw[3])
	u.Role, u.Status = r.word(raw[4]), r.word(raw[5])
	if err := r.names.sound("users", u.ID, u.Email, u.FullName, u.Role, u.Status); err != nil {
		return u, err
	}
	if len(raw[6]) == 16 {
		copy(u.Link[:], raw[6])
	}
	marks := binary.BigEndian.Uint32(raw[7])
	is := func(mark uint32) bool { return marks&mark != 0 }
	u.Method = state.Method(marks & markMethod)
	u.Deleted, u.Verified, u.Completed = is(markDeleted), is(markVerified), is(markCompleted)
	u.HasPassword, u.CanPassword = is(markHasPassword), is(markCanPassword)
	u.CompletedApart, u.Invited, u.Synced = is(markCompletedApart), is(markInvited), moment(raw[8])
	return u, nil
}

func (r *userReader) image(u providers.User, raw [][]byte) state.Image {
	return state.Image{
		Link: u.Link, Method: u.Method, Synced: u.Synced, Completed: moment(raw[9]), Invited: moment(raw[10]),
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

// ByMail reads the rows with an address, whatever the case of its letters, in the order of tenant id, user id; deleted ones too,
// a hundred at most.
func (p *Provider) ByMail(ctx context.Context, mail string) ([]providers.UserRow, error) {
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() + ` from {users} u
		where lower({email}::text) = lower($1) order by {tenant_id}, {user_id} limit 100`)
	return p.readRows(ctx, p.pool, sql, mail)
}

// Linked reads the rows that are linked to some persons, in no order.
func (p *Provider) Linked(ctx context.Context, persons []uuid.UUID) ([]providers.UserRow, error) {
	sql := p.names.sql("select " + p.userColumns() + p.imageColumns() + " from {users} u where {link_id} = any($1)")
	return p.readRows(ctx, p.pool, sql, ids(persons))
}

// Addressed are the users, neither they nor their tenants deleted, whose rows hold some addresses, by address in small letters. No
// index helps with that: it reads the whole table.
func (p *Provider) Addressed(ctx context.Context, addresses []string) (map[string][]uuid.UUID, error) {
	const doing = "look for addresses"
	small := make([]string, len(addresses))
	for i, a := range addresses {
		small[i] = strings.ToLower(a)
	}
	found := map[string][]uuid.UUID{}
	if len(small) == 0 {
		return found, nil
	}
	rows, err := p.pool.Query(ctx, p.names.sql(`select lower({email}::text), {user_id} from {users} u
		where lower({email}::text) = any($1) and {deleted_at} is null and exists (select from {tenants} t
			where t.{tenants.tenant_id} = u.{tenant_id} and t.{tenants.deleted_at} is null)`), small)
	if err != nil {
		return nil, fail(doing, err)
	}
	defer rows.Close()
	for rows.Next() {
		var address string
		var user [16]byte
		if err := rows.Scan(&address, &user); err != nil {
			return nil, fail(doing, err)
		}
		found[address] = append(found[address], user)
	}
	return found, fail(doing, rows.Err())
}

func (p *Provider) readRows(ctx context.Context, q querier, sql string, args ...any) ([]providers.UserRow, error) {
	const doing = "read users again"
	rows, err := queryUsers(ctx, q, sql, args...)
	if err != nil {
		return nil, p.unread(ctx, doing, "users", err)
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
		u.TenantLive = isTrue(raw[11])
		list = append(list, providers.UserRow{User: u, Image: r.image(u, raw)})
	}
	if err := rows.Err(); err != nil || len(list) > 0 {
		return list, p.unread(ctx, doing, "users", err)
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
	return func(yield func(providers.User, error) bool) {
		ahead := s.ahead
		s.ahead = nil
		if ahead == nil {
			ahead = s.readUsers(ctx, s.tx)
		}
		defer ahead.close()
		// What was begun before this call ends with this call's context as well.
		defer context.AfterFunc(ctx, ahead.stop)()
		ahead.each(yield)
	}
}

// Ahead begins to read users on a connection of its own, for the next call of Users: the server sorts them while other
// things are read. Where other connections cannot read the same moment, nothing is begun.
func (s *Snapshot) Ahead(ctx context.Context) {
	if s.id == "" || s.ahead != nil {
		return
	}
	s.ahead = newStream(ctx, func(ctx context.Context, to *stream[providers.User]) error {
		return pgx.BeginTxFunc(ctx, s.p.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
			func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "set transaction snapshot "+literal(s.id)); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, sortMemory); err != nil {
					return err
				}
				return readAhead(ctx, s.p, tx, s.p.usersInOrder(s.p.userColumns()), s.p.userReader().user, to)
			})
	})
}

func (s *Snapshot) readUsers(ctx context.Context, q querier) *stream[providers.User] {
	return newStream(ctx, func(ctx context.Context, to *stream[providers.User]) error {
		return readAhead(ctx, s.p, q, s.p.usersInOrder(s.p.userColumns()), s.p.userReader().user, to)
	})
}

// UsersOf streams the rows of one tenant in the order of user id, soft-deleted ones too.
func (s *Snapshot) UsersOf(ctx context.Context, tenant uuid.UUID) iter.Seq2[providers.User, error] {
	return func(yield func(providers.User, error) bool) {
		rows := newStream(ctx, func(ctx context.Context, to *stream[providers.User]) error {
			sql := s.p.names.sql("select " + s.p.userColumns() + " from {users} where {tenant_id} = $1 order by {user_id}")
			return readAhead(ctx, s.p, s.tx, sql, s.p.userReader().user, to, [16]byte(tenant))
		})
		defer rows.close()
		rows.each(yield)
	}
}

// UserRows are the same rows with their images.
func (s *Snapshot) UserRows(ctx context.Context) iter.Seq2[providers.UserRow, error] {
	r := s.p.userReader()
	read := func(raw [][]byte) (row providers.UserRow, err error) {
		if row.User, err = r.user(raw); err == nil {
			row.Image = r.image(row.User, raw)
		}
		return row, err
	}
	return func(yield func(providers.UserRow, error) bool) {
		rows := newStream(ctx, func(ctx context.Context, to *stream[providers.UserRow]) error {
			return readAhead(ctx, s.p, s.tx, s.p.usersInOrder(s.p.userColumns()+s.p.momentColumns()), read, to)
		})
		defer rows.close()
		rows.each(yield)
	}
}

func (p *Provider) usersInOrder(columns string) string {
	return p.names.sql("select " + columns + " from {users} order by {tenant_id}, {user_id}")
}
