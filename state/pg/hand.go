package pg

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// What is done to waves by hand, and by rollbacks. Each is noted in wave_events in the transaction that does it.

// The migrations that add it, and what is measured when a gate is confirmed.
const (
	handVersion  = 4
	valueVersion = 6
)

// note notes what was done to a wave.
func (s *Store) note(ctx context.Context, tx pgx.Tx, e state.WaveEvent) error {
	_, err := tx.Exec(ctx, s.sql(`insert into {schema}.wave_events (wave, act, tenant, gate, run, value, acted_by, reason, at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`), e.Wave, e.Act, e.Tenant, e.Gate, e.Run, e.Value, e.By, e.Reason, e.At)
	return err
}

// WaveEvents are what was done to waves, oldest first.
func (s *Store) WaveEvents(ctx context.Context) (list []state.WaveEvent, err error) {
	err = s.reading(ctx, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == 0 {
			return err
		}
		sql := since(version, valueVersion, `select wave, act, tenant, gate, run, value, acted_by, reason, at
			from {schema}.wave_events order by id`, since(version, handVersion, `select wave, act, tenant, gate, run, '', acted_by, reason, at
			from {schema}.wave_events order by id`,
			"select '', '', '00000000-0000-0000-0000-000000000000'::uuid, '', '', '', '', '', now() where false"))
		list, err = collect(ctx, tx, s.sql(sql), func(e *state.WaveEvent) []any {
			return []any{&e.Wave, &e.Act, &e.Tenant, &e.Gate, &e.Run, &e.Value, &e.By, &e.Reason, nullable{&e.At}}
		})
		return err
	})
	return list, err
}

// Pause records a pause that somebody asks for. It takes no lock and asks for no epoch, as it only keeps others from giving:
// whoever has the lock reads it before the next batch.
func (s *Store) Pause(ctx context.Context, p state.Pause) (paused bool, err error) {
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		version, err := s.version(ctx, tx)
		if err != nil || version == 0 {
			return noState(err)
		}
		list, err := allMigrations()
		if err != nil || version < len(list) {
			return noState(err)
		}
		// Who was told that the wave is paused must find it so after a crash of the server.
		if _, err := tx.Exec(ctx, "select set_config('synchronous_commit', 'on', true)"); err != nil {
			return err
		}
		paused, err = s.pause(ctx, tx, p)
		if err != nil || !paused {
			return err
		}
		return s.tryRaiseSerial(ctx, tx)
	})
	return paused, s.unwritten(err)
}

// tryRaiseSerial raises the serial unless somebody is just raising it: a process that is stopped in such a transaction must not
// keep anybody from pausing.
func (s *Store) tryRaiseSerial(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, s.sql(`update {schema}.meta set serial = serial + 1
		where lineage = (select lineage from {schema}.meta for update skip locked)`))
	return err
}

func noState(err error) error {
	if err == nil {
		return state.ErrNoState
	}
	return err
}

// pause records a pause and reports whether it was not there.
func (s *Store) pause(ctx context.Context, tx pgx.Tx, p state.Pause) (bool, error) {
	tag, err := tx.Exec(ctx, s.sql(`insert into {schema}.pauses (wave, tenant, run, paused_by, reason, at)
		values ($1, $2, $3, $4, $5, $6) on conflict do nothing`), p.Wave, p.Tenant, p.Run, p.By, p.Reason, p.At)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	return true, s.note(ctx, tx, state.WaveEvent{Wave: p.Wave, Act: state.ActPause, Tenant: p.Tenant, Run: p.Run,
		Signed: state.Signed{By: p.By, Reason: p.Reason, At: p.At}})
}

// Pauses are those that stand just now.
func (s *Store) Pauses(ctx context.Context) ([]state.Pause, error) {
	rows, err := s.pool.Query(ctx, s.sql(`select wave, tenant, run, paused_by, reason, at
		from {schema}.pauses order by wave collate "C", tenant, at, run`))
	if err != nil {
		return nil, s.unread(err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p state.Pause, err error) {
		return p, row.Scan(scanPause(&p)...)
	})
	return list, s.unread(err)
}

// Resumed lifts the pauses of a wave, or with a tenant only those of that tenant in it, and returns them. Where the wave is paused
// as a whole, those of tenants stay. Groups that a rollback took back may be made again once a wave of
// it goes on.
func (s *Store) Resumed(ctx context.Context, wave string, tenant uuid.UUID, by state.Signed) (lifted []state.Pause, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		lifted, err = collect(ctx, tx, s.sql(`with whole as (select from {schema}.pauses where wave = $1 and tenant = $3),
			lifted as (delete from {schema}.pauses where wave = $1 and case when $2 <> $3 then tenant = $2
				else tenant = $3 or not exists (select from whole) end returning *)
			select wave, tenant, run, paused_by, reason, at from lifted order by wave collate "C", tenant, at, run`), scanPause, wave, tenant, uuid.Nil)
		if err != nil {
			return err
		}
		runs := []string{}
		for _, p := range lifted {
			if p.Run != "" {
				runs = append(runs, p.Run)
			}
			err := s.note(ctx, tx, state.WaveEvent{Wave: p.Wave, Act: state.ActResume, Tenant: p.Tenant, Signed: by})
			if err != nil {
				return err
			}
		}
		// The rollbacks whose pauses were lifted: what they took back may come again. A rollback that was tried again has taken
		// over the pauses of the first one.
		_, err = tx.Exec(ctx, s.sql(`update {schema}.objects o set paused = false
			where paused and (run = any($1) or not exists (select from {schema}.pauses p where p.run = o.run))`), runs)
		return err
	})
	return lifted, err
}

// Confirm records the confirmation of a manual gate.
func (s *Store) Confirm(ctx context.Context, c state.Confirmation) error {
	return s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(`insert into {schema}.confirmations (wave, gate, tenant, value, confirmed_by, note, at)
			values ($1, $2, $3, $4, $5, $6, $7)`), c.Wave, c.Gate, c.Tenant, c.Value, c.By, c.Note, c.At)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, state.WaveEvent{Wave: c.Wave, Act: state.ActConfirm, Tenant: c.Tenant, Gate: c.Gate, Value: c.Value,
			Signed: state.Signed{By: c.By, Reason: c.Note, At: c.At}})
	})
}

// Unconfirm takes back the confirmations of a manual gate, or with a tenant only those of that tenant.
func (s *Store) Unconfirm(ctx context.Context, g state.WaveGate, by state.Signed) (was bool, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		was, err = s.unconfirm(ctx, tx, g, "", by)
		return err
	})
	return was, err
}

func (s *Store) unconfirm(
	ctx context.Context, tx pgx.Tx, g state.WaveGate, run string, by state.Signed,
) (bool, error) {
	tag, err := tx.Exec(ctx, s.sql(`delete from {schema}.confirmations where wave = $1 and gate = $2
		and ($3 = '00000000-0000-0000-0000-000000000000'::uuid or tenant = $3)`), g.Wave, g.Name, g.Tenant)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	return true, s.note(ctx, tx, state.WaveEvent{Wave: g.Wave, Act: state.ActUnconfirm, Tenant: g.Tenant, Gate: g.Name, Run: run, Signed: by})
}

// Wish records a wish, in the place of one of the same wave and kind.
func (s *Store) Wish(ctx context.Context, w state.Wish) error {
	act := state.ActPromote
	if w.Kind == state.WishAccept {
		act = state.ActAccept
	}
	return s.writing(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, s.sql(`insert into {schema}.wishes (wave, kind, asked_by, reason, at) values ($1, $2, $3, $4, $5)
			on conflict (wave, kind) do update set asked_by = excluded.asked_by, reason = excluded.reason, at = excluded.at`),
			w.Wave, w.Kind, w.By, w.Reason, w.At)
		if err != nil {
			return err
		}
		return s.note(ctx, tx, state.WaveEvent{Wave: w.Wave, Act: act, Gate: string(w.Kind), Signed: w.Signed})
	})
}

// Withdraw takes back a wish of a wave.
func (s *Store) Withdraw(ctx context.Context, wave string, kind state.WishKind, by state.Signed) (was bool, err error) {
	err = s.writing(ctx, func(tx pgx.Tx) error {
		was, err = s.endWish(ctx, tx, state.ActWithdraw, wave, kind, "", by)
		return err
	})
	return was, err
}

func (s *Store) endWish(
	ctx context.Context, tx pgx.Tx, act state.WaveAct, wave string, kind state.WishKind, run string, by state.Signed,
) (bool, error) {
	tag, err := tx.Exec(ctx, s.sql("delete from {schema}.wishes where wave = $1 and kind = $2"), wave, kind)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	return true, s.note(ctx, tx, state.WaveEvent{Wave: wave, Act: act, Gate: string(kind), Run: run, Signed: by})
}

// signed says that a run does something, by whoever began it.
func (r *run) signed(ctx context.Context, tx pgx.Tx, at time.Time) (by state.Signed, err error) {
	by.At = at
	err = tx.QueryRow(ctx, r.s.sql("select who from {schema}.runs where id = $1"), r.id).Scan(&by.By)
	return by, err
}

// acting is a transaction in which the run does something to waves.
func (r *run) acting(ctx context.Context, at time.Time, f func(pgx.Tx, state.Signed) error) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		by, err := r.signed(ctx, tx, at)
		if err != nil {
			return err
		}
		return f(tx, by)
	})
}

// Pause records pauses that the run leaves.
func (r *run) Pause(ctx context.Context, pauses []state.Pause) error {
	return r.s.writing(ctx, func(tx pgx.Tx) error {
		for _, p := range pauses {
			if _, err := r.s.pause(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// Lift removes the pauses that the named runs left.
func (r *run) Lift(ctx context.Context, runs []string, at time.Time) error {
	return r.acting(ctx, at, func(tx pgx.Tx, by state.Signed) error {
		lifted, err := collect(ctx, tx, r.s.sql(`with lifted as (delete from {schema}.pauses where run <> '' and run = any($1) returning *)
			select wave, tenant, run, paused_by, reason, at from lifted order by wave collate "C", tenant, at, run`), scanPause, runs)
		if err != nil {
			return err
		}
		for _, p := range lifted {
			err := r.s.note(ctx, tx, state.WaveEvent{Wave: p.Wave, Act: state.ActResume, Tenant: p.Tenant, Run: r.id, Signed: by})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Unconfirm takes back the confirmations of gates, of a tenant only its own.
func (r *run) Unconfirm(ctx context.Context, gates []state.WaveGate, at time.Time) error {
	return r.acting(ctx, at, func(tx pgx.Tx, by state.Signed) error {
		for _, g := range gates {
			if _, err := r.s.unconfirm(ctx, tx, g, r.id, by); err != nil {
				return err
			}
		}
		return nil
	})
}

// Wished ends wishes: the run has gone by them, or has taken back users of their waves.
func (r *run) Wished(ctx context.Context, wishes []state.Wish, act state.WaveAct, at time.Time) error {
	return r.acting(ctx, at, func(tx pgx.Tx, by state.Signed) error {
		for _, w := range wishes {
			if _, err := r.s.endWish(ctx, tx, act, w.Wave, w.Kind, r.id, by); err != nil {
				return err
			}
		}
		return nil
	})
}
