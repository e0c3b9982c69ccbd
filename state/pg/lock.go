package pg

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/state"
)

// lock is a session advisory lock on a connection of its own: it goes with the process that holds it. The epoch is
// what keeps out a process that does not know yet that it has lost the lock (epoch.go).
type lock struct {
	store *Store
	mu    sync.Mutex
	conn  *pgx.Conn    // nil once released
	epoch atomic.Int64 // ours; 0: there is no state yet that has one
}

const (
	lockPoll  = 100 * time.Millisecond
	nameStart = "anthill lock "
	nameTime  = "20060102T150405Z"
	maxName   = 63 // bytes of application_name

	// lockKey is the first 8 bytes of the SHA-256 of "anthill lock". Postgres keeps advisory locks by database: whatever
	// schema a configuration keeps its state in, the lock is the database's.
	lockKey = -6510132621512898546
)

// Lock takes the lock on the target. Who holds it is told by the name of its connection, which every role may see.
func (s *Store) Lock(ctx context.Context, who string, timeout time.Duration) (state.Lock, error) {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, s.fail("take the lock", err)
	}
	l := &lock{store: s, conn: pooled.Hijack()}
	deadline := time.Now().Add(timeout)
	if err := l.take(ctx, timeout); err != nil {
		return nil, errors.Join(err, l.conn.Close(context.WithoutCancel(ctx)))
	}
	if err := l.takeOver(ctx, time.Until(deadline)); err != nil {
		return nil, errors.Join(err, l.conn.Close(context.WithoutCancel(ctx)))
	}
	// Only the holder writes its name there, when it has the lock: whoever waits in vain reads it from the server's
	// list of sessions (holder).
	name := nameStart + time.Now().UTC().Format(nameTime) + " " + who
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	if _, err := l.conn.Exec(ctx, "select set_config('application_name', $1, false)", name); err != nil {
		return nil, errors.Join(s.fail("take the lock", err), l.conn.Close(context.WithoutCancel(ctx)))
	}
	s.lock.Store(l)
	return l, nil
}

func (l *lock) take(ctx context.Context, timeout time.Duration) error {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		var got bool
		if err := l.conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", lockKey).Scan(&got); err != nil {
			return l.store.fail("take the lock", err)
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return l.holder(ctx)
		case <-again.C:
		}
	}
}

// holder says who has the lock.
func (l *lock) holder(ctx context.Context) error {
	h, err := holderOf(ctx, l.conn)
	if err != nil {
		return l.store.fail("look who holds the lock", err)
	}
	if h == nil {
		h = &state.Holder{}
	}
	return &state.LockedError{Who: h.Who, Since: h.Since}
}

// Release gives the lock back. It is safe to call twice.
func (l *lock) Release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	conn := l.conn
	l.conn = nil
	l.store.lock.CompareAndSwap(l, nil)
	// Told to the server before the session ends, which takes it a moment: the next process need not wait for that. A
	// connection that is lost already has lost the lock.
	_, _ = conn.Exec(ctx, "select pg_advisory_unlock_all()")
	_ = conn.Close(ctx)
	return nil
}

// held returns the lock that this process has taken and not released; it may have been lost since.
func (s *Store) held() (*lock, error) {
	l := s.lock.Load()
	if l == nil {
		return nil, errors.New("write the recorded state: no lock is held. This is a bug in Anthill")
	}
	return l, nil
}

// using runs f with the lock's own session: what succeeds there was done while the lock was held.
func (l *lock) using(ctx context.Context, f func(*pgx.Conn) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return errors.New("use the lock on the target: it was released. This is a bug in Anthill")
	}
	err := f(l.conn)
	if err != nil && ctx.Err() == nil && l.conn.IsClosed() {
		return &state.LockLostError{Err: err}
	}
	return err
}
