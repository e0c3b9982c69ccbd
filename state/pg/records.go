package pg

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"iter"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
	"anthill/state/book"
)

// Of a state that no writing command of this version has brought up to date yet (007.sql) every record says itself how it ended.
const (
	recordColumns = firstRecordColumns +
		"r.settled or coalesce(b.settled, false), coalesce(nullif(r.verdict, ''), case when b.settled then 'done' else '' end), r.reason"
	olderRecordColumns = firstRecordColumns + "r.settled, r.verdict, r.reason"
	// In the order in which recordScanner reads them, tenant now behind them.
	firstRecordColumns = "r.id, r.run, r.batch, r.user_id, r.tenant, r.segment, r.wave, r.body, "

	recordTables      = "{schema}.records r left join {schema}.batches b on b.run = r.run and b.batch = r.batch"
	olderRecordTables = "{schema}.records r"
	batchesVersion    = 7 // the migration that adds them
)

// remains is book.Remains in SQL, as the index of remainders has it.
const remains = "r.verdict in ('changed', 'failed', 'paused', 'conflict')"

// recordScanner turns raw binary rows into journal records.
type recordScanner struct{ userScanner }

// record reads a row into rec, whatever that held.
func (r *recordScanner) record(raw [][]byte, rec *state.Record) error {
	*rec = state.Record{}
	rec.ID, rec.Batch = int64(binary.BigEndian.Uint64(raw[0])), int64(binary.BigEndian.Uint64(raw[2]))
	rec.Run, rec.Wave = r.word(raw[1]), r.word(raw[6])
	copy(rec.User[:], raw[3])
	copy(rec.Tenant[:], raw[4])
	rec.Segment, rec.Settled = int(int32(binary.BigEndian.Uint32(raw[5]))), raw[8][0] == 1
	copy(rec.TenantNow[:], raw[11])
	err := rec.Verdict.UnmarshalText(raw[9])
	if reason := raw[10]; err == nil && reason != nil {
		// The binary form of jsonb is its version, and the text.
		err = json.Unmarshal(reason[1:], &rec.Reason)
	}
	if body := raw[7]; err == nil && body != nil {
		err = book.ReadBody(body, &rec.Intent)
	}
	return err
}

// reasonText is the JSON of a reason; "" for none.
func reasonText(f state.Finding) (string, error) {
	if f.IsZero() {
		return "", nil
	}
	b, err := json.Marshal(f)
	return noNUL.Replace(string(b)), err
}

// noNUL replaces NUL in JSON: a server may say it, jsonb cannot hold it, and one user's reason must not stop a batch.
// Backslashes go by in pairs, so that those before the letters u0000 of a text are not taken for an escape.
var noNUL = strings.NewReplacer(`\\`, `\\`, `\u0000`, `\ufffd`)

// Records streams the journal records of runs in the order of (tenant now, user, record id). Those of users for whom
// nothing was ever intended are left out.
func (s *Store) Records(ctx context.Context, runs []string) iter.Seq2[state.Record, error] {
	return func(yield func(state.Record, error) bool) {
		stopped := false
		err := s.reading(ctx, func(tx pgx.Tx) error {
			version, err := s.version(ctx, tx)
			if err != nil || version == 0 {
				return err
			}
			rows, err := tx.Query(ctx, s.sql(recordsFrom(version, ", coalesce(a.{tenant}, u.tenant, r.tenant)")+`
				left join {users} a on a.{user} = r.user_id left join {schema}.users u on u.user_id = r.user_id
				where r.run = any($1) and r.body is not null
				order by coalesce(a.{tenant}, u.tenant, r.tenant), r.user_id, r.id`), binaryForm, runs)
			if err != nil {
				return err
			}
			defer rows.Close()
			var scan recordScanner
			var r state.Record
			for rows.Next() {
				if err := scan.record(rows.RawValues(), &r); err != nil {
					return err
				}
				if !yield(r, nil) {
					stopped = true
					return nil
				}
			}
			return rows.Err()
		})
		if err != nil && !stopped {
			yield(state.Record{}, err)
		}
	}
}

// RecordsByID reads journal records back, in no order.
func (s *Store) RecordsByID(ctx context.Context, ids []int64) ([]state.Record, error) {
	return s.records(ctx, len(ids), "where r.id = any($1)", ids)
}

// RecordsOf returns the journal records of one user, oldest first, those for whom nothing was intended too.
func (s *Store) RecordsOf(ctx context.Context, user uuid.UUID) (list []state.Record, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == 0 {
			return err
		}
		list, err = s.recordsIn(ctx, tx, version, nil, "where r.user_id = $1 order by r.id", user)
		return err
	})
	return list, err
}

// Remainder returns records of a run's users that did not reach their after-state, at most limit, by record id; those of users
// who were forgotten are left out.
func (s *Store) Remainder(ctx context.Context, run string, limit int) ([]state.Record, error) {
	return s.records(ctx, 0, "where r.run = $1 and r.settled and r.user_id <> '00000000-0000-0000-0000-000000000000' and "+remains+" order by r.id limit $2", run, limit)
}

// Tally counts the users of a run who are settled so far.
func (s *Store) Tally(ctx context.Context, run string) (list []state.Tally, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil {
			return err
		}
		list, err = collect(ctx, tx, s.sql("select segment, tenant, verdict, count(*) from ("+recordsFrom(version, "")+`
			where r.run = $1) as r (id, run, batch, user_id, tenant, segment, wave, body, settled, verdict, reason)
			where settled group by segment, tenant, verdict`), func(t *state.Tally) []any {
			return []any{&t.Segment, &t.Tenant, code{&t.Verdict}, &t.Users}
		}, run)
		return err
	})
	return list, err
}

// UserWaves names the waves that users are recorded under, and those of intents that are not settled.
func (s *Store) UserWaves(ctx context.Context) (waves []string, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == 0 {
			return err
		}
		// Every user who was ever moved stays recorded, unless it was forgotten, so the journal has only those who are on their way.
		waves, err = collect(ctx, tx, s.sql(`select wave collate "C" from {schema}.users
			union select wave collate "C" from `+openRecords(version)+` order by 1`),
			func(name *string) []any { return []any{name} })
		return err
	})
	return waves, err
}

// UserPolicies names the policies of the users who are recorded as moved.
func (s *Store) UserPolicies(ctx context.Context) (policies []string, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		if version, err := s.version(ctx, tx); err != nil || version == 0 {
			return err
		}
		policies, err = collect(ctx, tx, s.sql(`select distinct policy collate "C" from {schema}.users where standing = $1 order by 1`),
			func(name *string) []any { return []any{name} }, state.Moved.String())
		return err
	})
	return policies, err
}

// recordsFrom is the query of records, up to its conditions.
func recordsFrom(version int, more string) string {
	return "select " + since(version, batchesVersion, recordColumns, olderRecordColumns) + more +
		" from " + since(version, batchesVersion, recordTables, olderRecordTables)
}

// openRecords are records that are not settled. They are found by their batch: there are few of these, and any number of records.
func openRecords(version int) string {
	return since(version, batchesVersion, `{schema}.batches b cross join lateral (select * from {schema}.records r
		where not b.settled and not r.settled and r.id between b.first and b.last and r.run = b.run and r.batch = b.batch offset 0) r`,
		"{schema}.records r cross join lateral (select where not r.settled) s")
}

// records reads journal records; about so many will come.
func (s *Store) records(ctx context.Context, about int, where string, args ...any) (list []state.Record, err error) {
	if s.snapshot != "" {
		err = s.reading(ctx, func(tx pgx.Tx) error {
			version, err := s.version(ctx, tx)
			if err != nil || version == 0 {
				return err
			}
			list, err = s.recordsIn(ctx, tx, version, make([]state.Record, 0, about), where, args...)
			return err
		})
		return list, err
	}
	// A single statement, as it is asked for each batch.
	list, err = s.recordsIn(ctx, s.pool, batchesVersion, make([]state.Record, 0, about), where, args...)
	if codeOf(err) == codeNoTable {
		list, err = s.recordsIn(ctx, s.pool, batchesVersion-1, nil, where, args...)
	}
	return list, s.unread(err)
}

// recordsIn appends journal records to a list.
func (s *Store) recordsIn(
	ctx context.Context, q querier, version int, list []state.Record, where string, args ...any,
) ([]state.Record, error) {
	rows, err := q.Query(ctx, s.sql(recordsFrom(version, ", r.tenant")+" "+where), append([]any{binaryForm}, args...)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var scan recordScanner
	for rows.Next() {
		list = append(list, state.Record{})
		if err := scan.record(rows.RawValues(), &list[len(list)-1]); err != nil {
			return nil, err
		}
	}
	return list, rows.Err()
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// ObjectRecords returns the journal records of objects of the runs, oldest first.
func (s *Store) ObjectRecords(ctx context.Context, runs []string) (list []state.ObjectRecord, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		if version, err := s.version(ctx, tx); err != nil || version == 0 {
			return err
		}
		list, err = collect(ctx, tx, s.sql(`select id, run, address, origin, action, before, after, was, will,
				settled, verdict
			from {schema}.object_records where run = any($1) and coalesce(before, after) is not null order by id`),
			func(r *state.ObjectRecord) []any {
				return []any{
					&r.ID, &r.Run, &r.Address, &r.From, &r.Action, &r.Before, &r.After, &r.Was, &r.Will, &r.Settled,
					code{&r.Verdict},
				}
			}, runs)
		return err
	})
	return list, err
}
