package pg

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// The epoch is a number in a table of its own. Whoever takes the lock raises it. Whoever writes reads it first, and
// stops where it is not its own any more:
//
//   - a transaction in Postgres reads it FOR SHARE (Fence), so that raising it waits for the transaction: none of an
//     older epoch commits after it was raised;
//   - a request to Self-auth goes out right after it was looked at (Confirm). A process that falls asleep between the
//     two can send that one request when it wakes, and no other.
//
// A process that sleeps in the middle of a transaction would keep others from raising it: its session is ended
// (takeOver). The model in epoch_model_test.go goes through all orders in which this can happen.

const (
	// raiseLeast is how long raising the epoch waits at least, however little of -lock-timeout is left: the server needs
	// a moment to roll back what a killed process had begun.
	raiseLeast = time.Second
	// raiseAgain is how long it waits once the sessions in its way were ended.
	raiseAgain = 5 * time.Second
)

// raise raises the epoch, or writes the first, within a transaction. Only the clock makes sure that no number comes
// again after the state was dropped, or restored from a backup.
func (s *Store) raise(ctx context.Context, tx pgx.Tx, patience time.Duration) (epoch int64, err error) {
	_, err = tx.Exec(ctx, "select set_config('lock_timeout', $1, true), set_config('synchronous_commit', 'on', true)",
		strconv.FormatInt(patience.Milliseconds(), 10))
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, s.sql(`insert into {schema}.epoch (epoch)
		values ((extract(epoch from clock_timestamp()) * 1000000)::bigint)
		on conflict (one) do update set epoch = greatest(epoch.epoch + 1, excluded.epoch) returning epoch.epoch`)).Scan(&epoch)
	return epoch, err
}

// takeOver raises the epoch, waiting as long as is left of -lock-timeout, and then ends the sessions that are in the
// way: the advisory lock is ours, so they are of a process that has lost it. A state that is not there yet gets its
// epoch from Bind.
func (l *lock) takeOver(ctx context.Context, left time.Duration) error {
	const doing = "take the lock"
	p, err := l.store.look(ctx, l.conn)
	if err != nil || !p.epoch {
		return l.store.fail(doing, err)
	}
	err = l.raise(ctx, max(left, raiseLeast))
	if codeOf(err) == codeLockTimeout {
		if err := l.endLeftovers(ctx, p.role); err != nil {
			return err
		}
		err = l.raise(ctx, raiseAgain)
	}
	if codeOf(err) == codeLockTimeout {
		return l.leftoverError(ctx, p.role)
	}
	return l.store.fail(doing, err)
}

func (l *lock) raise(ctx context.Context, patience time.Duration) error {
	return pgx.BeginFunc(ctx, l.conn, func(tx pgx.Tx) error {
		epoch, err := l.store.raise(ctx, tx, patience)
		l.epoch.Store(epoch)
		return err
	})
}

// withBlocking names the sessions that hold a lock on the table of the epoch which keeps it from being raised: $1 is the
// schema. ours says that the session has read it FOR SHARE, or is raising it itself, as only Anthill does; no other
// session is ended.
const withBlocking = `with blocking as (
		select k.pid, coalesce(a.usename, '') as role, bool_or(k.mode in ('RowShareLock', 'RowExclusiveLock')) as ours
		from pg_locks k left join pg_stat_activity a using (pid)
		where k.locktype = 'relation' and k.granted and k.mode <> 'AccessShareLock' and k.pid <> pg_backend_pid()
		and k.database = (select oid from pg_database where datname = current_database())
		and k.relation = (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
			where n.nspname = $1 and c.relname = 'epoch')
		group by k.pid, a.usename)`

// endLeftovers ends the sessions of processes that have lost the lock and hold the epoch. *state.LeftoverError where
// the role may not.
func (l *lock) endLeftovers(ctx context.Context, role string) error {
	list, err := l.blocking(ctx)
	if err != nil {
		return err
	}
	denied := &state.LeftoverError{Role: role}
	for _, s := range list {
		// Looked at again in the same statement: a session that has ended meanwhile may have left its number to another.
		_, err := l.conn.Exec(ctx, withBlocking+
			" select pg_terminate_backend(pid) from blocking where ours and pid = $2", l.store.schema, s.PID)
		if codeOf(err) == codeDenied {
			denied.Sessions = append(denied.Sessions, s)
		} else if err != nil {
			return l.store.fail("end a session that has lost the lock", err)
		}
	}
	if len(denied.Sessions) > 0 {
		return denied
	}
	return nil
}

func (l *lock) blocking(ctx context.Context) ([]state.Leftover, error) {
	rows, err := l.conn.Query(ctx, withBlocking+" select pid, role from blocking order by pid", l.store.schema)
	if err != nil {
		return nil, l.store.fail("look who keeps the lock", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[state.Leftover])
	return list, l.store.fail("look who keeps the lock", err)
}

// leftoverError names who is still in the way; a *state.LockedError where nobody is seen.
func (l *lock) leftoverError(ctx context.Context, role string) error {
	list, err := l.blocking(ctx)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return &state.LockedError{}
	}
	return &state.LeftoverError{Role: role, Sessions: list}
}

// Fence reads the epoch FOR SHARE. What commits with it is also durable, whatever the server's default: the journal
// must survive what its effects survive.
func (l *lock) Fence(ctx context.Context, tx state.Tx) error {
	epoch, err := l.bound()
	if err != nil {
		return err
	}
	n, err := tx.Exec(ctx, l.store.sql(`select set_config('synchronous_commit', 'on', true)
		from {schema}.epoch where epoch = $1 for share`), epoch)
	if err == nil && n == 0 {
		return &state.LockLostError{Taken: true}
	}
	return err
}

// Confirm asks the lock's own session: that it answers says that the lock is held, and the epoch that nobody else has
// had it in between.
func (l *lock) Confirm(ctx context.Context) error {
	epoch, err := l.bound()
	if err != nil {
		return err
	}
	return l.store.fail("confirm the lock", l.using(ctx, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, l.store.sql("select from {schema}.epoch where epoch = $1"), epoch)
		if err == nil && tag.RowsAffected() == 0 {
			return &state.LockLostError{Taken: true}
		}
		return err
	}))
}

// bound is our epoch.
func (l *lock) bound() (int64, error) {
	epoch := l.epoch.Load()
	if epoch == 0 {
		return 0, errors.New("write to the target: the recorded state is not bound yet. This is a bug in Anthill")
	}
	return epoch, nil
}
