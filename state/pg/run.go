package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"anthill/state"
	"anthill/state/book"
)

const pieceSize = 1 << 20 // bytes of a plan file in one row

// Begin opens a run and stores its plan.
func (s *Store) Begin(ctx context.Context, info state.RunInfo, plan io.Reader) (state.Run, error) {
	r := &run{s: s}
	err := s.writing(ctx, func(tx pgx.Tx) (err error) {
		var open bool
		if err := tx.QueryRow(ctx, s.sql("select exists (select from {schema}.runs where open)")).Scan(&open); err != nil {
			return err
		}
		if open {
			return state.ErrOpenRun
		}
		r.id, err = s.insertRun(ctx, tx, info, true, plan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// insertRun adds a run with its plan, and returns its id.
func (s *Store) insertRun(ctx context.Context, tx pgx.Tx, info state.RunInfo, open bool, plan io.Reader) (id string, err error) {
	if id, err = s.nextID(ctx, tx, info); err != nil {
		return "", err
	}
	if info.Previous, err = s.lastDigest(ctx, tx, id); err != nil {
		return "", err
	}
	undoes := info.Undoes
	if undoes == nil {
		undoes = []string{}
	}
	_, err = tx.Exec(ctx, s.sql(`insert into {schema}.runs (id, kind, plan, seal, who, approved_by, started,
			open, outcome, counts, undoes, undone, previous, digest, segment, position)
		values ($1, $2, $3, $4, $5, $6, $7, $11, '', '{}', $8, false, $9, $10, 0, 0)`),
		id, info.Kind, info.Plan[:], info.Seal[:], info.Who, info.ApprovedBy, info.Started.UTC(),
		undoes, info.Previous[:], make([]byte, len(info.Digest)), open)
	if err != nil {
		return "", err
	}
	return id, s.storePlan(ctx, tx, id, plan)
}

// Retarget binds the state to another target, and records that as a run.
func (s *Store) Retarget(ctx context.Context, was, target state.Target, info state.RunInfo, plan io.Reader) (done state.RunInfo, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		var st state.State
		if err := s.readMeta(ctx, tx, 0, &st); err != nil {
			return err
		}
		if diff := st.Target.Differs(was); diff != "" {
			return &state.TargetError{What: "state", Differs: diff}
		}
		_, err := tx.Exec(ctx, s.sql("update {schema}.meta set environment = $1, system = $2, database = $3, domain = $4, origin = $5"),
			target.Environment, target.System, target.Database, target.Domain, target.Origin)
		if err != nil {
			return err
		}
		id, err := s.insertRun(ctx, tx, info, false, plan) // beside one that is open
		if err != nil {
			return err
		}
		done, err = s.closeRun(ctx, tx, id, state.OutcomeDone)
		return err
	})
	return done, err
}

func (s *Store) nextID(ctx context.Context, tx pgx.Tx, info state.RunInfo) (string, error) {
	rows, err := tx.Query(ctx, s.sql("select id from {schema}.runs where starts_with(id, $1)"), book.RunDay(info.Started))
	if err != nil {
		return "", err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return book.NextRunID(info.Started, ids), err
}

// lastDigest is that of the run, other than id, which was closed last: no other that is closed stands behind it. Zero where there is none.
func (s *Store) lastDigest(ctx context.Context, tx pgx.Tx, id string) (h state.Hash, err error) {
	err = tx.QueryRow(ctx, s.sql(`select digest from {schema}.runs r where not open and id <> $1
		and not exists (select from {schema}.runs behind where behind.previous = r.digest and not behind.open and behind.id <> $1)
		order by n desc limit 1`), id).Scan(digest{h[:]})
	if errors.Is(err, pgx.ErrNoRows) {
		return state.Hash{}, nil
	}
	return h, err
}

func (s *Store) storePlan(ctx context.Context, tx pgx.Tx, run string, plan io.Reader) error {
	piece := make([]byte, pieceSize)
	for n := 0; ; n++ {
		size, err := io.ReadFull(plan, piece)
		if size > 0 {
			_, err := tx.Exec(ctx, s.sql("insert into {schema}.plans (run, n, data) values ($1, $2, $3)"), run, n, piece[:size])
			if err != nil {
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
	l, err := s.held()
	if err != nil {
		return nil, err
	}
	if err := l.Confirm(ctx); err != nil {
		return nil, err
	}
	r := &run{s: s, id: id}
	err = s.reading(ctx, func(tx pgx.Tx) error {
		var row runRow
		err := tx.QueryRow(ctx, s.sql("select "+runColumns+" from {schema}.runs where id = $1 and open"), id).
			Scan(row.scan()...)
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
		var batch int64
		err = tx.QueryRow(ctx, s.sql("select coalesce(max(batch), 0) from {schema}.records where run = $1"), id).Scan(&batch)
		r.progress = book.At(row.position, info.Counts)
		r.batch.Store(batch)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// run is an open run.
type run struct {
	s        *Store
	id       string
	batch    atomic.Int64 // the last one that was intended
	flying   flying
	progress book.Progress
}

func (r *run) ID() string { return r.id }

func (r *run) Position() state.Position { return r.progress.Position() }

func (r *run) Counts() state.Counts { return r.progress.Counts() }

// Called notes write calls; they are recorded with the next settlement. One that is lost with its transaction is tried
// again with its calls.
func (r *run) Called(calls []state.Call) { r.progress.Called(calls) }

// Close ends the run with its outcome and chains its digest.
func (r *run) Close(ctx context.Context, outcome state.RunOutcome, retries int64) (info state.RunInfo, err error) {
	last := r.progress.Last(retries)
	err = r.s.writing(ctx, func(tx pgx.Tx) error {
		// Calls made since the last settlement, by a step or by tidying up, belong to no batch of their own.
		if err := r.recordCalls(ctx, execer{tx}, last.Calls, 0); err != nil {
			return err
		}
		if err := r.advance(ctx, execer{tx}, last); err != nil {
			return err
		}
		var err error
		info, err = r.s.closeRun(ctx, tx, r.id, outcome)
		return err
	})
	if err == nil {
		r.progress.Written(last)
	}
	return info, err
}

// closeRun ends a run and chains it behind the one that was closed last: where the state was bound to another target meanwhile, that is
// not the one before which it began.
func (s *Store) closeRun(ctx context.Context, tx pgx.Tx, id string, outcome state.RunOutcome) (info state.RunInfo, err error) {
	previous, err := s.lastDigest(ctx, tx, id)
	if err != nil {
		return info, err
	}
	// Two statements, as the service desk's role may not change where a run stands, and none of its runs needs that.
	_, err = tx.Exec(ctx, s.sql(`update {schema}.runs set open = false, ended = clock_timestamp(), outcome = $2 where id = $1`), id, outcome)
	if err != nil {
		return info, err
	}
	var stands state.Hash
	if err := tx.QueryRow(ctx, s.sql("select previous from {schema}.runs where id = $1"), id).Scan(digest{stands[:]}); err != nil {
		return info, err
	}
	if stands != previous {
		if _, err := tx.Exec(ctx, s.sql("update {schema}.runs set previous = $2 where id = $1"), id, previous[:]); err != nil {
			return info, err
		}
	}
	// The digest is made from what is stored, times as Postgres rounds them: it must be the same for whoever reads the
	// run back.
	var row runRow
	err = tx.QueryRow(ctx, s.sql("select "+runColumns+" from {schema}.runs where id = $1"), id).Scan(row.scan()...)
	if err != nil {
		return info, err
	}
	if info, err = row.info(); err != nil {
		return info, err
	}
	if info.Digest, err = book.RunDigest(info); err != nil {
		return info, err
	}
	_, err = tx.Exec(ctx, s.sql("update {schema}.runs set digest = $2 where id = $1"), id, info.Digest[:])
	return info, err
}
