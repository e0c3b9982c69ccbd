package pg

import (
	"context"
	"encoding/binary"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
	"anthill/state/book"
)

// userColumns are in the order in which userScanner reads them. Of a state that no writing command of this version has
// brought up to date yet (003.sql) the last is not there.
const (
	userColumns      = firstUserColumns + "u.synced"
	olderUserColumns = firstUserColumns + "null::timestamptz"
	firstUserColumns = `u.user_id, u.tenant, u.standing, u.wave, u.policy, u.generation,
	u.made_person, u.wrote_link, u.asleep, u.person, u.groups, u.method, u.run, `

	userColumnCount = 14
	syncedVersion   = 3 // the migration that adds it
)

// userScanner turns raw binary rows into recorded users. Words that repeat are kept once.
type userScanner struct{ words map[string]string }

func (r *userScanner) word(b []byte) string {
	if w, ok := r.words[string(b)]; ok {
		return w
	}
	if r.words == nil {
		r.words = map[string]string{}
	}
	w := string(b)
	if len(r.words) < 1000 {
		r.words[w] = w
	}
	return w
}

func (r *userScanner) user(raw [][]byte) (state.User, error) {
	u := state.User{
		UserState: state.UserState{
			Wave:       r.word(raw[3]),
			Policy:     r.word(raw[4]),
			Generation: int(int32(binary.BigEndian.Uint32(raw[5]))),
			MadePerson: raw[6][0] == 1,
			WroteLink:  raw[7][0] == 1,
			Asleep:     raw[8][0] == 1,
		},
		Groups: book.UnpackIDs(raw[10]), Run: r.word(raw[12]), Synced: moment(raw[13]),
	}
	copy(u.User[:], raw[0])
	copy(u.Tenant[:], raw[1])
	copy(u.Person[:], raw[9])
	if err := u.Standing.UnmarshalText(raw[2]); err != nil {
		return u, err
	}
	return u, u.Method.UnmarshalText(raw[11])
}

// moment reads a binary timestamptz: microseconds since 2000-01-01 UTC. Zero for NULL.
func moment(b []byte) time.Time {
	if len(b) != 8 {
		return time.Time{}
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(b)) + 946684800_000_000).UTC()
}

var binaryForm = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// Users streams what is recorded of every user in the order of (TenantNow, User).
func (s *Store) Users(ctx context.Context) iter.Seq2[state.User, error] {
	return func(yield func(state.User, error) bool) {
		stopped := false
		err := s.reading(ctx, func(tx pgx.Tx) error {
			version, err := s.version(ctx, tx)
			if err != nil || version == 0 {
				return err
			}
			// Recorded users are sorted by the tenant of the live row, for which there is no index.
			if _, err := tx.Exec(ctx, "set local work_mem = '64MB'"); err != nil {
				return err
			}
			columns := since(version, syncedVersion, userColumns, olderUserColumns)
			rows, err := tx.Query(ctx, s.sql("select "+columns+`, a.{tenant}
				from {schema}.users u left join {users} a on a.{user} = u.user_id
				order by coalesce(a.{tenant}, u.tenant), u.user_id`), binaryForm)
			if err != nil {
				return err
			}
			defer rows.Close()
			var r userScanner
			for rows.Next() {
				raw := rows.RawValues()
				u, err := r.user(raw)
				if err != nil {
					return err
				}
				u.TenantNow = u.Tenant
				if now := raw[userColumnCount]; len(now) == len(u.TenantNow) {
					copy(u.TenantNow[:], now)
				} else {
					u.RowGone = true
				}
				if !yield(u, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		if err != nil && !stopped {
			yield(state.User{}, err)
		}
	}
}

// UsersByID returns what is recorded of some users; those of whom nothing is are missing.
func (s *Store) UsersByID(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]state.User, error) {
	m := make(map[uuid.UUID]state.User, len(ids))
	// One by one by their key: where the table has not been analyzed, the server would read all of it for each batch.
	const from = `from unnest($1::uuid[]) as w (id)
		cross join lateral (select * from {schema}.users r where r.user_id = w.id offset 0) u`
	err := s.eachUser(ctx, from, ids, func(u state.User) { m[u.User] = u })
	return m, err
}

// UsersByPerson returns what is recorded of the users of some persons, whatever their standing, in no order.
func (s *Store) UsersByPerson(ctx context.Context, persons []uuid.UUID) (list []state.User, err error) {
	err = s.eachUser(ctx, "from {schema}.users u where u.person = any($1)", persons, func(u state.User) { list = append(list, u) })
	return list, err
}

// UsersIn streams what is recorded of moved users who are recorded in one of some groups, in no order.
func (s *Store) UsersIn(ctx context.Context, groups []uuid.UUID) iter.Seq2[state.User, error] {
	packed := make([][]byte, len(groups))
	for i, g := range groups {
		packed[i] = g[:]
	}
	return func(yield func(state.User, error) bool) {
		stopped := false
		err := s.reading(ctx, func(tx pgx.Tx) error {
			version, err := s.version(ctx, tx)
			if err != nil || version == 0 {
				return err
			}
			columns := since(version, syncedVersion, userColumns, olderUserColumns)
			rows, err := tx.Query(ctx, s.sql("select "+columns+` from {schema}.users u where u.standing = $1
				and exists (select from generate_series(0, octet_length(u.groups) / 16 - 1) n
					where substr(u.groups, 16 * n + 1, 16) = any($2))`), binaryForm, state.Moved.String(), packed)
			if err != nil {
				return err
			}
			defer rows.Close()
			var r userScanner
			for rows.Next() {
				u, err := r.user(rows.RawValues())
				if err != nil {
					return err
				}
				if !yield(u, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		if err != nil && !stopped {
			yield(state.User{}, err)
		}
	}
}

// eachUser calls f with what is recorded of the users u that are read from somewhere by ids.
func (s *Store) eachUser(ctx context.Context, from string, ids []uuid.UUID, f func(state.User)) error {
	err := s.eachUserOf(ctx, userColumns, from, ids, f)
	if codeOf(err) == codeNoColumn {
		err = s.eachUserOf(ctx, olderUserColumns, from, ids, f)
	}
	if codeOf(err) == codeNoTable {
		return nil // there is no state yet
	}
	return s.fail("read recorded users", err)
}

func (s *Store) eachUserOf(ctx context.Context, columns, from string, ids []uuid.UUID, f func(state.User)) error {
	// A single statement, as it is asked for each batch. It is planned anew each time: a plan that the server keeps from
	// the first batches, when the table was all but empty, reads all of it for each batch from then on.
	rows, err := s.pool.Query(ctx, s.sql("select "+columns+" "+from), pgx.QueryExecModeCacheDescribe, binaryForm,
		bytes16(ids))
	if err != nil {
		return err
	}
	defer rows.Close()
	var r userScanner
	for rows.Next() {
		u, err := r.user(rows.RawValues())
		if err != nil {
			return err
		}
		f(u)
	}
	return rows.Err()
}

const (
	codeNoTable  = "42P01" // undefined_table; a schema that is not there has it too
	codeNoColumn = "42703" // undefined_column
)

// Logins streams the logins of moved users whose link we wrote, in another order each time.
func (s *Store) Logins(ctx context.Context) iter.Seq2[state.Login, error] {
	return func(yield func(state.Login, error) bool) {
		stopped := false
		err := s.reading(ctx, func(tx pgx.Tx) error {
			if version, err := s.version(ctx, tx); err != nil || version == 0 {
				return err
			}
			rows, err := tx.Query(ctx, s.sql(`select u.user_id, u.person, a.{linked_at}::timestamptz
				from {schema}.users u join {users} a on a.{user} = u.user_id
				where u.standing = $1 and u.wrote_link and a.{link} = u.person
					and a.{completed_at} is null and a.{linked_at}::timestamptz <> u.synced
				order by random()`), binaryForm, state.Moved.String())
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var l state.Login
				raw := rows.RawValues()
				copy(l.User[:], raw[0])
				copy(l.Person[:], raw[1])
				l.Synced = moment(raw[2])
				if !yield(l, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		// A baseline schema has no such columns, and nobody who has logged in.
		if err != nil && !stopped && codeOf(err) != codeNoColumn {
			yield(state.Login{}, err)
		}
	}
}

// recordUsers writes what is recorded of users from now on.
func (s *Store) recordUsers(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var users, tenants, persons []uuid.UUID
	var standings, waves, policies, methods, runs []string
	var generations []int32
	var made, wrote, asleep []bool
	var groups [][]byte
	var synced []*time.Time
	for _, o := range outcomes {
		u := o.Recorded
		if u == nil {
			continue
		}
		users, tenants, persons = append(users, u.User), append(tenants, u.Tenant), append(persons, u.Person)
		standings, methods = append(standings, u.Standing.String()), append(methods, u.Method.String())
		waves, policies, runs = append(waves, u.Wave), append(policies, u.Policy), append(runs, u.Run)
		generations, groups = append(generations, int32(u.Generation)), append(groups, book.PackIDs(u.Groups))
		made, wrote, asleep = append(made, u.MadePerson), append(wrote, u.WroteLink), append(asleep, u.Asleep)
		synced = append(synced, orNull(u.Synced))
	}
	if len(users) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(`insert into {schema}.users (user_id, tenant, standing, wave, policy, generation,
			made_person, wrote_link, asleep, person, groups, method, run, synced)
		select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::integer[],
			$7::bool[], $8::bool[], $9::bool[], $10::uuid[], $11::bytea[], $12::text[], $13::text[], $14::timestamptz[])
		on conflict (user_id) do update set tenant = excluded.tenant, standing = excluded.standing, wave = excluded.wave,
			policy = excluded.policy, generation = excluded.generation, made_person = excluded.made_person,
			wrote_link = excluded.wrote_link, asleep = excluded.asleep, person = excluded.person, groups = excluded.groups,
			method = excluded.method, run = excluded.run, synced = excluded.synced`),
		bytes16(users), bytes16(tenants), standings, waves, policies, generations,
		made, wrote, asleep, bytes16(persons), groups, methods, runs, synced)
	return err
}

// bytes16 are uuids as the driver takes arrays of them.
func bytes16(list []uuid.UUID) [][16]byte {
	out := make([][16]byte, len(list))
	for i, id := range list {
		out[i] = id
	}
	return out
}
