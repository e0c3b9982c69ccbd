package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// Waves records waves as they stand now, and moves the run on.
func (r *run) Waves(ctx context.Context, waves []state.Wave, next state.Position) error {
	settlement := r.progress.Moved(next)
	err := r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, w := range waves {
			_, err := tx.Exec(ctx, r.s.sql(`insert into {schema}.waves
					(name, started, soaking, moved_at, done_at, digest, users, failed, accepted)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				on conflict (name) do update set started = excluded.started, soaking = excluded.soaking,
					moved_at = excluded.moved_at, done_at = excluded.done_at, digest = excluded.digest, users = excluded.users,
					failed = excluded.failed, accepted = excluded.accepted`),
				w.Name, orNull(w.Started), orNull(w.Soaking), orNull(w.MovedAt), orNull(w.DoneAt), w.Digest[:], w.Users, w.Failed, w.Accepted)
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

// Undone marks runs as wholly undone, or as standing again.
func (r *run) Undone(ctx context.Context, runs []string, undone bool) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, r.s.sql("update {schema}.runs set undone = $2 where id = any($1)"), runs, undone)
		return err
	})
}
