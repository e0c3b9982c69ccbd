package pg

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"anthill/state"
	"anthill/state/book"
)

// Open returns the intents that are not settled, in the order of their batches.
func (r *run) Open(ctx context.Context) ([]state.Record, error) {
	return r.s.records(ctx, 0, "where r.id in (select r.id from "+openRecords(batchesVersion)+" where r.run = $1) order by r.id", r.id)
}

// Intend makes the intents of a batch durable and fills in their ids.
func (r *run) Intend(ctx context.Context, intents []state.Intent) error {
	if len(intents) == 0 {
		return nil
	}
	batch := r.batch.Add(1)
	var ids []int64
	err := r.s.writing(ctx, func(tx pgx.Tx) (err error) {
		if ids, err = r.beginBatch(ctx, tx, batch, len(intents)); err != nil {
			return err
		}
		for i := range intents {
			intents[i].ID = ids[i]
		}
		// COPY, as it is several times as fast as INSERT for hundreds of rows with a body each; the ids had to be taken
		// before for that.
		_, err = tx.CopyFrom(ctx, pgx.Identifier{r.s.schema, "records"},
			[]string{"id", "run", "batch", "user_id", "tenant", "segment", "wave", "body"},
			pgx.CopyFromSlice(len(intents), func(i int) ([]any, error) {
				in := &intents[i]
				return []any{
					in.ID, r.id, batch, [16]byte(in.User), [16]byte(in.Tenant), in.Segment, in.Wave, book.Body(in),
				}, nil
			}))
		return err
	})
	if err == nil {
		r.flying.add(batch, ids)
	}
	return err
}

// beginBatch takes n ids of journal records, rising, for a new batch.
func (r *run) beginBatch(ctx context.Context, tx pgx.Tx, batch int64, n int) ([]int64, error) {
	rows, err := tx.Query(ctx, r.s.sql(`with ids as materialized
			(select nextval('{schema}.record_ids') as id from generate_series(1, $3::integer)),
		begun as (insert into {schema}.batches (run, batch, first, last) select $1, $2, min(id), max(id) from ids)
		select id from ids`), r.id, batch, n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// settleIntents settles what was intended. Where a whole batch is through, that is written, and of its records only those that are
// not simply done.
func (r *run) settleIntents(ctx context.Context, tx state.Tx, outcomes []state.Outcome) error {
	through, whole := r.flying.through(outcomes)
	var ids []int64
	var verdicts, reasons []string
	var settled []bool
	for i := range outcomes {
		o := &outcomes[i]
		if o.Intent == 0 || whole[o.Intent] && o.Verdict == state.Done && o.Reason.IsZero() {
			continue
		}
		reason, err := reasonText(o.Reason)
		if err != nil {
			return err
		}
		ids, verdicts = append(ids, o.Intent), append(verdicts, o.Verdict.String())
		reasons, settled = append(reasons, reason), append(settled, !o.Lost)
	}
	if len(through) > 0 {
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.batches set settled = true where run = $1 and batch = any($2)"), r.id, through)
		if err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, r.s.sql(`update {schema}.records r
		set settled = w.settled, verdict = w.verdict, reason = nullif(w.reason, '')::jsonb
		from unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[]) as w (id, verdict, reason, settled)
		where r.id = w.id`), ids, verdicts, reasons, settled)
	if err != nil {
		return err
	}
	// Those of a batch that is settled bit by bit: a stopped run's, or one with something still to be taken back.
	_, err = tx.Exec(ctx, r.s.sql(`update {schema}.batches b set settled = true
		where b.run = $1 and not b.settled and b.batch in (select r.batch from {schema}.records r where r.id = any($2))
		and not exists (select from {schema}.records r
			where r.id between b.first and b.last and r.run = b.run and r.batch = b.batch and not r.settled)`), r.id, ids)
	return err
}

// flying are the last batches that were intended, with the ids of their records.
type flying struct {
	mu      sync.Mutex
	batches map[int64][]int64
}

// flyingKept is more than are ever on their way at once. One that was dropped before it came through is settled record by record.
const flyingKept = 16

func (f *flying) add(batch int64, ids []int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.batches == nil {
		f.batches = map[int64][]int64{}
	}
	f.batches[batch] = ids
	delete(f.batches, batch-flyingKept)
}

// through are the batches of which each intent has an outcome, and nothing is still to be taken back; whole are their records. A batch
// stays known, as its transaction may still fail. One of which a record has said that it is lost is not: that record says otherwise by
// now than that it is done, and is written again.
func (f *flying) through(outcomes []state.Outcome) (batches []int64, whole map[int64]bool) {
	ended, lost := make(map[int64]bool, len(outcomes)), map[int64]bool{}
	for i := range outcomes {
		if o := &outcomes[i]; o.Lost {
			lost[o.Intent] = true
		} else if o.Intent != 0 {
			ended[o.Intent] = true
		}
	}
	whole = make(map[int64]bool, len(ended))
	f.mu.Lock()
	defer f.mu.Unlock()
	for batch, ids := range f.batches {
		if slices.ContainsFunc(ids, func(id int64) bool { return lost[id] }) {
			delete(f.batches, batch)
			continue
		}
		if slices.ContainsFunc(ids, func(id int64) bool { return !ended[id] }) {
			continue
		}
		batches = append(batches, batch)
		for _, id := range ids {
			whole[id] = true
		}
	}
	return batches, whole
}
