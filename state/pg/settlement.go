package pg

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
	"anthill/state/book"
)

// execer is a pgx.Tx as state.Tx.
type execer struct{ tx pgx.Tx }

func (e execer) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := e.tx.Exec(ctx, sql, args...)
	return tag.RowsAffected(), err
}

// Settle records the outcomes of the batch and moves the run's position, inside tx when it is not nil.
func (r *run) Settle(ctx context.Context, tx state.Tx, outcomes []state.Outcome, next state.Position) error {
	settlement := r.progress.Users(outcomes, next, tx == nil)
	var err error
	if tx != nil {
		var l *lock
		if l, err = r.s.held(); err == nil {
			err = l.Fence(ctx, tx)
		}
		if err == nil {
			err = r.settle(ctx, tx, outcomes, settlement)
		}
		err = r.s.fail("record outcomes", err)
	} else {
		err = r.s.writing(ctx, func(tx pgx.Tx) error { return r.settle(ctx, execer{tx}, outcomes, settlement) })
	}
	if err == nil {
		r.progress.Written(settlement)
	}
	return err
}

// settle writes a settlement with its outcomes. All of it is in one transaction: which batch was last is read from the
// run's head, so nothing of a batch may be there without it.
func (r *run) settle(ctx context.Context, tx state.Tx, outcomes []state.Outcome, s book.Settlement) error {
	if err := r.settleIntents(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.settleLeft(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.s.recordUsers(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.pastMails(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.chooseMails(ctx, tx, outcomes); err != nil {
		return err
	}
	if err := r.recordCalls(ctx, tx, s.Calls, anIntent(outcomes)); err != nil {
		return err
	}
	return r.advance(ctx, tx, s)
}

// advance records how far the run has come.
func (r *run) advance(ctx context.Context, tx state.Tx, s book.Settlement) error {
	counts, err := json.Marshal(s.Counts)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, r.s.sql("update {schema}.runs set segment = $2, position = $3, counts = $4 where id = $1"),
		r.id, s.Next.Segment, s.Next.Offset, counts)
	return err
}

// anIntent is some journal record of the batch to which outcomes belong; 0: nothing was intended in it.
func anIntent(outcomes []state.Outcome) int64 {
	for _, o := range outcomes {
		if o.Intent != 0 {
			return o.Intent
		}
	}
	return 0
}

// batchOf is the batch of the journal record $3 in SQL; $2 where there is none.
const batchOf = "coalesce((select batch from {schema}.records where id = $3), $2)"

// settleLeft lists users who were left alone before anything was intended for them.
func (r *run) settleLeft(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	var users, tenants []uuid.UUID
	var segments []int32
	var waves, verdicts, reasons []string
	for i := range outcomes {
		o := &outcomes[i]
		if !book.IsLeft(o) {
			continue
		}
		reason, err := reasonText(o.Reason)
		if err != nil {
			return err
		}
		users, tenants, waves = append(users, o.User), append(tenants, o.Tenant), append(waves, o.Wave)
		segments = append(segments, int32(o.Segment))
		verdicts, reasons = append(verdicts, o.Verdict.String()), append(reasons, reason)
	}
	if len(users) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.records
			(id, run, batch, user_id, tenant, segment, wave, settled, verdict, reason)
		select nextval('{schema}.record_ids'), $1, `+batchOf+`, w.u, w.t, w.segment, w.wave, true, w.verdict,
			nullif(w.reason, '')::jsonb
		from unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::integer[])
			as w (u, t, wave, verdict, reason, segment)`),
		r.id, r.batch.Load(), anIntent(outcomes), bytes16(users), bytes16(tenants), waves, verdicts, reasons, segments)
	return err
}

// recordCalls records write calls under the batch of an intent; the last batch where that is 0.
func (r *run) recordCalls(ctx context.Context, tx state.Tx, calls []state.Call, intent int64) error {
	if len(calls) == 0 {
		return nil
	}
	var requests, doing []string
	var took []int64
	for _, c := range calls {
		requests, doing, took = append(requests, c.Request), append(doing, c.Doing), append(took, c.Took.Milliseconds())
	}
	_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.calls (run, batch, request, doing, milliseconds)
		select $1, `+batchOf+`, c.* from unnest($4::text[], $5::text[], $6::bigint[]) as c`),
		r.id, r.batch.Load(), intent, requests, doing, took)
	return err
}
