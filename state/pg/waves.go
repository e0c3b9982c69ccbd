package pg

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// Waves records waves as they stand now, and moves the run on.
func (r *run) Waves(ctx context.Context, waves []state.Wave, next state.Position) error {
	settlement := r.progress.Moved(next)
	err := r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, w := range waves {
			_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.waves (name, started, soaking, moved_at, done_at, digest, users, failed)
				values ($1, $2, $3, $4, $5, $6, $7, $8)
				on conflict (name) do update set started = excluded.started, soaking = excluded.soaking,
					moved_at = excluded.moved_at, done_at = excluded.done_at, digest = excluded.digest, users = excluded.users,
					failed = excluded.failed`),
				w.Name, orNull(w.Started), orNull(w.Soaking), orNull(w.MovedAt), orNull(w.DoneAt), w.Digest[:], w.Users, w.Failed)
			if err != nil {
				return err
			}
		}
		return r.advance(ctx, execer{tx}, settlement)
	})
	if err == nil {
		r.progress.Written(settlement)
	}
	return err
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Brakes records the brakes of the declared waves and policies, in the place of what is recorded.
func (r *run) Brakes(ctx context.Context, brakes []state.Brakes, policies []state.Policy) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, r.s.sql("delete from {schema}.brakes")); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, r.s.sql("delete from {schema}.policies")); err != nil {
			return err
		}
		for _, p := range policies {
			_, err := tx.Exec(ctx, r.s.sql("insert into {schema}.policies (name, method, from_policy, until) values ($1, $2, $3, $4)"),
				p.Name, p.Method.String(), p.From, orNull(p.Until))
			if err != nil {
				return err
			}
		}
		for _, b := range brakes {
			if _, err := tx.Exec(ctx, r.s.sql("insert into {schema}.brakes (wave, body) values ($1, $2)"), b.Wave, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// Pause records pauses.
func (r *run) Pause(ctx context.Context, pauses []state.Pause) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, p := range pauses {
			_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.pauses (wave, tenant, run, at)
				values ($1, $2, $3, $4) on conflict do nothing`), p.Wave, p.Tenant, p.Run, p.At)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Lift removes the pauses that the named runs left.
func (r *run) Lift(ctx context.Context, runs []string) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, r.s.sql("delete from {schema}.pauses where run = any($1)"), runs)
		return err
	})
}

// Undone marks runs as wholly undone, or as standing again.
func (r *run) Undone(ctx context.Context, runs []string, undone bool) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.runs set undone = $2 where id = any($1)"), runs, undone)
		return err
	})
}

// Confirm records the confirmation of a manual gate.
func (s *Store) Confirm(ctx context.Context, c state.Confirmation) error {
	return s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(`insert into {schema}.confirmations (wave, gate, tenant, confirmed_by, note, at)
			values ($1, $2, $3, $4, $5, $6)`), c.Wave, c.Gate, c.Tenant, c.By, c.Note, c.At)
		return err
	})
}

// Resumed lifts the pauses of a wave, or with a tenant only those of that tenant in it, and returns how many. Groups
// that a rollback took back may be made again once a wave of it goes on.
func (s *Store) Resumed(ctx context.Context, wave string, tenant uuid.UUID) (lifted int, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, s.sql(`delete from {schema}.pauses
			where wave = $1 and ($2 = '00000000-0000-0000-0000-000000000000'::uuid or tenant = $2) returning run`), wave, tenant)
		if err != nil {
			return err
		}
		// The rollbacks whose pauses were lifted: what they took back may come again.
		runs, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		lifted = len(runs)
		// A rollback that was tried again has taken over the pauses of the first one.
		_, err = tx.Exec(ctx, s.sql(`update {schema}.objects o set paused = false
			where paused and (run = any($1) or not exists (select from {schema}.pauses p where p.run = o.run))`), runs)
		return err
	})
	return lifted, err
}
