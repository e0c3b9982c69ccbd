package pg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

const pieceSize = 1 << 20 // bytes of a plan file in one row

// Begin opens a run and stores its plan.
func (s *Store) Begin(ctx context.Context, info state.RunInfo, plan io.Reader) (state.Run, error) {
	r := &run{s: s}
	err := s.writing(ctx, func(tx pgx.Tx) error {
		var open bool
		if err := tx.QueryRow(ctx, s.sql("select exists (select from {schema}.runs where open)")).Scan(&open); err != nil {
			return err
		}
		if open {
			return state.ErrOpenRun
		}
		day := info.Started.UTC().Format(time.DateOnly)
		var n int
		err := tx.QueryRow(ctx, s.sql(`select coalesce(max(split_part(id, '-', 4)::integer), 0) + 1 from {schema}.runs where id like $1 || '-%'`), day).Scan(&n)
		if err != nil {
			return err
		}
		r.id = fmt.Sprintf("%s-%d", day, n)
		var previous []byte
		err = tx.QueryRow(ctx, s.sql("select digest from {schema}.runs order by n desc limit 1")).Scan(&previous)
		if errors.Is(err, pgx.ErrNoRows) {
			previous = make([]byte, sha256.Size)
		} else if err != nil {
			return err
		}
		undoes := info.Undoes
		if undoes == nil {
			undoes = []string{}
		}
		if _, err := tx.Exec(ctx, s.sql(`insert into {schema}.runs (id, kind, plan, who, approved_by, started, open, outcome, counts, undoes, undone, previous, digest, segment, position)
			values ($1, $2, $3, $4, $5, $6, true, '', '{}', $7, false, $8, $9, 0, 0)`), r.id, info.Kind, info.Plan[:], info.Who, info.ApprovedBy,
			info.Started.UTC(), undoes, previous, make([]byte, sha256.Size)); err != nil {
			return err
		}
		return s.storePlan(ctx, tx, r.id, plan)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *Store) storePlan(ctx context.Context, tx pgx.Tx, run string, plan io.Reader) error {
	piece := make([]byte, pieceSize)
	for n := 0; ; n++ {
		size, err := io.ReadFull(plan, piece)
		if size > 0 {
			if _, err := tx.Exec(ctx, s.sql("insert into {schema}.plans (run, n, data) values ($1, $2, $3)"), run, n, piece[:size]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the plan: %w", err)
		}
	}
}

// Resume opens the open run again.
func (s *Store) Resume(ctx context.Context, id string) (state.Run, error) {
	if err := s.held(ctx); err != nil {
		return nil, err
	}
	r := &run{s: s, id: id}
	var batch int64
	err := s.reading(ctx, func(tx pgx.Tx) error {
		var row runRow
		err := tx.QueryRow(ctx, s.sql("select "+runColumns+" from {schema}.runs where id = $1 and open"), id).Scan(row.scan()...)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("resume run %s: it is not open", id)
		}
		if err != nil {
			return err
		}
		info, err := row.info()
		if err != nil {
			return err
		}
		r.settled, r.position = info.Counts, row.position
		defer func() { r.batch.Store(batch) }()
		return tx.QueryRow(ctx, s.sql("select coalesce(max(batch), 0) from {schema}.records where run = $1"), id).Scan(&batch)
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// run is an open run. A settlement inside somebody else's transaction may be lost with it and be tried again: it stays
// apart until the next one, which is told by its position.
type run struct {
	s        *Store
	id       string
	batch    atomic.Int64 // the last one that was intended
	settled  state.Counts // all but pending
	position state.Position
	pending  *pending
	calls    []state.Call // not recorded for certain
	recorded int          // so many of them are, if what is pending is through
}

type pending struct {
	counts state.Counts
	next   state.Position
}

// Called notes write calls; they are recorded with the next settlement. One that is lost with its transaction is tried
// again with its calls.
func (r *run) Called(calls []state.Call) { r.calls = append(r.calls, calls...) }

// batchOf is the batch of a journal record in SQL; the last one where there is none.
const batchOf = "coalesce((select batch from {schema}.records where id = $3), $2)"

func (r *run) recordCalls(ctx context.Context, tx state.Tx, intent int64) error {
	if len(r.calls) == 0 {
		return nil
	}
	var requests, doing []string
	var took []int64
	for _, c := range r.calls {
		requests, doing, took = append(requests, c.Request), append(doing, c.Doing), append(took, c.Took.Milliseconds())
	}
	_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.calls (run, batch, request, doing, milliseconds)
		select $1, `+batchOf+`, c.* from unnest($4::text[], $5::text[], $6::bigint[]) as c`), r.id, r.batch.Load(), intent, requests, doing, took)
	return err
}

func (r *run) ID() string { return r.id }

func (r *run) Position() state.Position {
	if r.pending != nil {
		return r.pending.next
	}
	return r.position
}

func (r *run) Counts() state.Counts {
	if r.pending != nil {
		return sum(r.settled, r.pending.counts)
	}
	return r.settled
}

func sum(a, b state.Counts) state.Counts {
	return state.Counts{Done: a.Done + b.Done, Already: a.Already + b.Already, Changed: a.Changed + b.Changed, Failed: a.Failed + b.Failed,
		Paused: a.Paused + b.Paused, Objects: a.Objects + b.Objects, Retries: a.Retries + b.Retries}
}

// absorb makes a settlement that is through part of what is settled.
func (r *run) absorb() {
	if r.pending != nil {
		r.settled, r.position, r.pending = sum(r.settled, r.pending.counts), r.pending.next, nil
		r.calls = r.calls[r.recorded:]
		r.recorded = 0
	}
}

// Open returns the intents of the batches that were not settled, in their order.
func (r *run) Open(ctx context.Context) ([]state.Record, error) {
	return r.s.records(ctx, "where r.run = $1 and not r.settled order by r.id", r.id)
}

// Intend makes the intents of a batch durable, with what is recorded of their users now, and fills in their ids.
func (r *run) Intend(ctx context.Context, _ state.Position, intents []state.Intent) error {
	users := make([]uuid.UUID, len(intents))
	for i := range intents {
		users[i] = intents[i].User
	}
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		recorded, err := r.s.recordedOf(ctx, tx, users)
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, r.s.sql("select nextval('{schema}.record_ids') from generate_series(1, $1::integer)"), len(intents))
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		for i := range intents {
			intents[i].ID, intents[i].Prior = ids[i], nil
			if u, ok := recorded[intents[i].User]; ok {
				intents[i].Prior = &u
			}
		}
		batch := r.batch.Add(1)
		_, err = tx.CopyFrom(ctx, pgx.Identifier{r.s.schema, "records"},
			[]string{"id", "run", "batch", "user_id", "tenant", "segment", "wave", "body", "settled", "verdict", "reason"},
			pgx.CopyFromSlice(len(intents), func(i int) ([]any, error) {
				in := &intents[i]
				return []any{in.ID, r.id, batch, [16]byte(in.User), [16]byte(in.Tenant), in.Segment, in.Wave, encodeBody(in), false, int16(0), ""}, nil
			}))
		return err
	})
}

// Settle records the outcomes of the batch and moves the run's position, inside tx when it is not nil.
func (r *run) Settle(ctx context.Context, tx state.Tx, outcomes []state.Outcome, next state.Position) error {
	if tx == nil || r.pending == nil || r.pending.next != next {
		r.absorb()
	}
	p := &pending{next: next, counts: countsOf(outcomes)}
	settle := func(tx state.Tx) error { return r.settle(ctx, tx, outcomes, p) }
	var err error
	if tx != nil {
		if err = r.s.held(ctx); err == nil {
			err = r.s.fail("record outcomes", settle(tx))
		}
	} else {
		err = r.s.writing(ctx, func(tx pgx.Tx) error { return settle(execer{tx}) })
	}
	if err == nil {
		r.pending, r.recorded = p, len(r.calls)
	}
	return err
}

// execer is a pgx.Tx as state.Tx.
type execer struct{ tx pgx.Tx }

func (e execer) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := e.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

func countsOf(outcomes []state.Outcome) (c state.Counts) {
	for _, o := range outcomes {
		if o.Lost {
			continue
		}
		switch o.Verdict {
		case state.Done:
			c.Done++
		case state.Already:
			c.Already++
		case state.Changed:
			c.Changed++
		case state.Refused:
			c.Failed++
		case state.Paused:
			c.Paused++
		}
	}
	return c
}

func (r *run) settle(ctx context.Context, tx state.Tx, outcomes []state.Outcome, p *pending) error {
	if err := r.settleIntents(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.settleLeft(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.s.recordUsers(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.recordCalls(ctx, tx, anIntent(outcomes)); err != nil {
		return err
	}
	counts, err := json.Marshal(sum(r.settled, p.counts))
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, r.s.sql("update {schema}.runs set segment = $2, position = $3, counts = $4 where id = $1"), r.id, p.next.Segment, p.next.Offset, counts)
	return err
}

// anIntent is a journal record of the batch of some outcomes; 0: nothing was intended in it.
func anIntent(outcomes []state.Outcome) int64 {
	for _, o := range outcomes {
		if o.Intent != 0 {
			return o.Intent
		}
	}
	return 0
}

func (r *run) settleIntents(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var ids []int64
	var verdicts []int16
	var reasons []string
	var settled []bool
	for _, o := range outcomes {
		if o.Intent != 0 {
			ids, verdicts, reasons, settled = append(ids, o.Intent), append(verdicts, int16(o.Verdict)), append(reasons, o.Reason), append(settled, !o.Lost)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, r.s.sql(`update {schema}.records r set settled = w.settled, verdict = w.verdict, reason = w.reason
		from unnest($1::bigint[], $2::smallint[], $3::text[], $4::boolean[]) as w (id, verdict, reason, settled) where r.id = w.id`), ids, verdicts, reasons, settled)
	return err
}

// settleLeft lists users who were left alone before anything was intended for them.
func (r *run) settleLeft(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var users, tenants []uuid.UUID
	var waves, reasons []string
	var verdicts []int16
	for _, o := range outcomes {
		if o.Intent != 0 || o.Verdict == state.Already || o.Verdict == state.Done {
			continue
		}
		users, tenants, waves = append(users, o.User), append(tenants, o.Tenant), append(waves, o.Wave)
		reasons, verdicts = append(reasons, o.Reason), append(verdicts, int16(o.Verdict))
	}
	if len(users) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.records (id, run, batch, user_id, tenant, segment, wave, settled, verdict, reason)
		select nextval('{schema}.record_ids'), $1, `+batchOf+`, w.u, w.t, 0, w.wave, true, w.verdict, w.reason
		from unnest($4::uuid[], $5::uuid[], $6::text[], $7::smallint[], $8::text[]) as w (u, t, wave, verdict, reason)`),
		r.id, r.batch.Load(), anIntent(outcomes), bytes16(users), bytes16(tenants), waves, verdicts, reasons)
	return err
}

func (s *Store) recordUsers(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var users, tenants, persons []uuid.UUID
	var standings, methods []int16
	var waves, policies, runs []string
	var generations []int32
	var ours, links, away []bool
	var groups [][]byte
	var forget []uuid.UUID
	for _, o := range outcomes {
		if o.Forget {
			forget = append(forget, o.User)
		}
		u := o.Recorded
		if u == nil {
			continue
		}
		users, tenants, persons = append(users, u.User), append(tenants, u.Tenant), append(persons, u.Person)
		standings, methods = append(standings, int16(u.Standing)), append(methods, int16(u.Method))
		waves, policies, runs = append(waves, u.Wave), append(policies, u.Policy), append(runs, u.Run)
		generations, ours, links = append(generations, int32(u.Generation)), append(ours, u.Ours), append(links, u.LinkOurs)
		groups, away = append(groups, packIDs(u.Groups)), append(away, u.Away)
	}
	if len(forget) > 0 {
		if _, err := tx.Exec(ctx, s.sql("delete from {schema}.users where user_id = any($1)"), bytes16(forget)); err != nil {
			return err
		}
	}
	if len(users) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, s.sql(`insert into {schema}.users (user_id, tenant, standing, wave, policy, person, generation, ours, link_ours, groups, method, run, away)
		select * from unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::text[], $6::uuid[], $7::integer[], $8::bool[], $9::bool[], $10::bytea[], $11::smallint[], $12::text[], $13::bool[])
		on conflict (user_id) do update set tenant = excluded.tenant, standing = excluded.standing, wave = excluded.wave, policy = excluded.policy, person = excluded.person,
			generation = excluded.generation, ours = excluded.ours, link_ours = excluded.link_ours, groups = excluded.groups, method = excluded.method, run = excluded.run, away = excluded.away`),
		bytes16(users), bytes16(tenants), standings, waves, policies, bytes16(persons), generations, ours, links, groups, methods, runs, away)
	return err
}

// IntendObjects makes the intents of objects durable.
func (r *run) IntendObjects(ctx context.Context, intents ...state.ObjectIntent) (again []bool, err error) {
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		again = nil
		for _, i := range intents {
			var images [4]*string
			for k, v := range []any{i.Before, i.After, i.Was, i.Will} {
				var err error
				if images[k], err = jsonOf(v); err != nil {
					return err
				}
			}
			// A run that was stopped has it already: its before-image is the true one.
			tag, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.object_records (run, address, action, origin, before, after, was, will, settled, verdict, reason)
				select $1, $2, $3, $4, $5, $6, $7, $8, false, 0, '' where not exists (select from {schema}.object_records where run = $1 and address = $2 and not settled)`),
				r.id, i.Address, i.Action, i.From, images[0], images[1], images[2], images[3])
			if err != nil {
				return err
			}
			again = append(again, tag.RowsAffected() == 0)
		}
		return nil
	})
	return again, err
}

// jsonOf is the text of an image; nil for none.
func jsonOf(v any) (*string, error) {
	b, err := json.Marshal(v)
	if text := string(b); err == nil && text != "null" {
		return &text, nil
	}
	return nil, err
}

// SettleObjects records how the changes of objects ended, and what is recorded of them from now on.
func (r *run) SettleObjects(ctx context.Context, outcomes ...state.ObjectOutcome) error {
	r.absorb()
	counts := r.settled
	for _, o := range outcomes {
		switch o.Verdict {
		case state.Done:
			counts.Objects++
		case state.Refused:
			counts.Failed++
		case state.Changed:
			counts.Changed++
		}
	}
	b, err := json.Marshal(counts)
	if err != nil {
		return err
	}
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, o := range outcomes {
			if err := r.settleObject(ctx, tx, o); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.runs set counts = $2 where id = $1"), r.id, b)
		return err
	})
	if err == nil {
		r.settled = counts
	}
	return err
}

func (r *run) settleObject(ctx context.Context, tx pgx.Tx, o state.ObjectOutcome) error {
	n, err := tx.Exec(ctx, r.s.sql("update {schema}.object_records set settled = true, verdict = $3, reason = $4 where run = $1 and address = $2 and not settled"),
		r.id, o.Address, int16(o.Verdict), o.Reason)
	if err == nil && n.RowsAffected() == 0 {
		_, err = tx.Exec(ctx, r.s.sql(`insert into {schema}.object_records (run, address, action, settled, verdict, reason) values ($1, $2, '', true, $3, $4)`),
			r.id, o.Address, int16(o.Verdict), o.Reason)
	}
	if err != nil {
		return err
	}
	if o.From != "" && o.From != o.Address {
		if err := r.s.recordObject(ctx, tx, o.From, nil); err != nil {
			return err
		}
	}
	return r.s.recordObject(ctx, tx, o.Address, o.Recorded)
}

func (s *Store) recordObject(ctx context.Context, tx pgx.Tx, a state.Address, o *state.Object) error {
	if o == nil {
		_, err := tx.Exec(ctx, s.sql("delete from {schema}.objects where address = $1"), a)
		return err
	}
	attributes, err := json.Marshal(o.Attributes)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, s.sql(`insert into {schema}.objects (address, kind, id, generation, tenant, tenant_slug, attributes, adopted, deleted, paused, run)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		on conflict (address) do update set kind = excluded.kind, id = excluded.id, generation = excluded.generation, tenant = excluded.tenant, tenant_slug = excluded.tenant_slug,
			attributes = excluded.attributes, adopted = excluded.adopted, deleted = excluded.deleted, paused = excluded.paused, run = excluded.run`),
		a, o.Kind, o.ID, o.Generation, o.Tenant, o.TenantSlug, string(attributes), o.Adopted, o.Deleted, o.Paused, o.Run)
	return err
}

// Close ends the run with its outcome and chains its digest.
func (r *run) Close(ctx context.Context, outcome string, retries int64) (info state.RunInfo, err error) {
	r.absorb()
	counts := r.settled
	counts.Retries += retries
	b, err := json.Marshal(counts)
	if err != nil {
		return info, err
	}
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		if err := r.recordCalls(ctx, execer{tx}, 0); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, r.s.sql("update {schema}.runs set open = false, ended = clock_timestamp(), outcome = $2, counts = $3 where id = $1"), r.id, outcome, b); err != nil {
			return err
		}
		var row runRow
		if err := tx.QueryRow(ctx, r.s.sql("select "+runColumns+" from {schema}.runs where id = $1"), r.id).Scan(row.scan()...); err != nil {
			return err
		}
		if info, err = row.info(); err != nil {
			return err
		}
		if info.Digest, err = chain(info); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.runs set digest = $2 where id = $1"), r.id, info.Digest[:])
		return err
	})
	return info, err
}

// chain is the digest of a run: of its head, its plan, how it ended, and the run before.
func chain(info state.RunInfo) (h state.Hash, err error) {
	var b bytes.Buffer
	err = json.NewEncoder(&b).Encode(struct {
		Previous, Plan          string
		ID, Kind, Who, Approved string
		Started, Ended          time.Time
		Outcome                 string
		Counts                  state.Counts
		Undoes                  []string
	}{info.Previous.String(), info.Plan.String(), info.ID, string(info.Kind), info.Who, info.ApprovedBy, info.Started, info.Ended, info.Outcome, info.Counts, info.Undoes})
	return sha256.Sum256(b.Bytes()), err
}
