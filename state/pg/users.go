package pg

import (
	"context"
	"encoding/binary"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

const userColumns = "u.user_id, u.tenant, u.standing, u.wave, u.policy, u.person, u.generation, u.ours, u.link_ours, u.groups, u.method, u.run, u.away"

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

func (r *userScanner) user(raw [][]byte) state.User {
	u := state.User{Standing: state.Standing(small(raw[2])), Wave: r.word(raw[3]), Policy: r.word(raw[4]), Generation: int(int32(binary.BigEndian.Uint32(raw[6]))),
		Ours: raw[7][0] == 1, LinkOurs: raw[8][0] == 1, Groups: unpackIDs(raw[9]), Method: state.Method(small(raw[10])), Run: r.word(raw[11]), Away: raw[12][0] == 1}
	copy(u.User[:], raw[0])
	copy(u.Tenant[:], raw[1])
	copy(u.Person[:], raw[5])
	return u
}

func small(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

var binaryForm = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// Users streams what is recorded of every user in the order of (TenantNow, User).
func (s *Store) Users(ctx context.Context) iter.Seq2[state.User, error] {
	return func(yield func(state.User, error) bool) {
		stopped := false
		err := s.reading(ctx, func(tx pgx.Tx) error {
			if exists, err := s.exists(ctx, tx); err != nil || !exists {
				return err
			}
			if _, err := tx.Exec(ctx, "set local work_mem = '64MB'"); err != nil {
				return err
			}
			rows, err := tx.Query(ctx, s.sql("select "+userColumns+", a.{tenant} from {schema}.users u left join {users} a on a.{user} = u.user_id order by coalesce(a.{tenant}, u.tenant), u.user_id"), binaryForm)
			if err != nil {
				return err
			}
			defer rows.Close()
			var r userScanner
			for rows.Next() {
				raw := rows.RawValues()
				u := r.user(raw)
				u.TenantNow = u.Tenant
				if u.RowGone = len(raw[13]) != 16; !u.RowGone {
					copy(u.TenantNow[:], raw[13])
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

// recordedOf reads what is recorded of some users.
func (s *Store) recordedOf(ctx context.Context, tx pgx.Tx, users []uuid.UUID) (map[uuid.UUID]state.User, error) {
	rows, err := tx.Query(ctx, s.sql("select "+userColumns+" from {schema}.users u where u.user_id = any($1)"), binaryForm, bytes16(users))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := make(map[uuid.UUID]state.User, len(users))
	var r userScanner
	for rows.Next() {
		u := r.user(rows.RawValues())
		m[u.User] = u
	}
	return m, rows.Err()
}

// bytes16 are uuids as the driver takes arrays of them.
func bytes16(list []uuid.UUID) [][16]byte {
	out := make([][16]byte, len(list))
	for i, id := range list {
		out[i] = id
	}
	return out
}
