package pg

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
)

// held is a store that has the lock and is bound.
func held(t *testing.T, url, who string) (*Store, *lock) {
	t.Helper()
	s := Open(pool(t, url), "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, target.FirstLineage()); err != nil {
		t.Fatalf("%s: %v", who, err)
	}
	return s, s.lock.Load()
}

// endLock ends the session that holds a lock, as an administrator or a broken network would, and waits until it is gone.
func endLock(t *testing.T, l *lock) {
	t.Helper()
	var gone bool
	err := l.store.pool.QueryRow(t.Context(), "select pg_terminate_backend($1, 10000)", l.conn.PgConn().PID()).Scan(&gone)
	if err != nil || !gone {
		t.Fatalf("end the session: %v, %v", gone, err)
	}
}

// lost checks that an error says that the lock was lost, and whether somebody else has it.
func lost(t *testing.T, what string, err error, taken bool) {
	t.Helper()
	var l *state.LockLostError
	if !errors.As(err, &l) || l.Taken != taken {
		t.Errorf("%s: %v, want that the lock is lost, taken %v", what, err, taken)
	}
}

// Every way of writing is closed to a store whose lock was lost, and stays closed when somebody else has it.
func TestFencedOff(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, l := held(t, url, "a")
	r, err := a.Begin(t.Context(), state.RunInfo{Kind: state.RunApply, Started: time.Now()}, strings.NewReader("plan"))
	if err != nil {
		t.Fatal(err)
	}
	user := uuid.New()
	intents := []state.Intent{{User: user, Tenant: uuid.New()}}
	if err := r.Intend(t.Context(), intents); err != nil {
		t.Fatal(err)
	}
	outcomes := []state.Outcome{{Intent: intents[0].ID, User: user, Verdict: state.Done}}
	inTx := func(f func(state.Tx) error) error {
		return pgx.BeginFunc(t.Context(), a.pool, func(tx pgx.Tx) error { return f(execer{tx}) })
	}
	ways := map[string]func() error{
		"bind":    func() error { return a.Bind(t.Context(), target, uuid.New()) },
		"resume":  func() error { _, err := a.Resume(t.Context(), r.ID()); return err },
		"confirm": func() error { return l.Confirm(t.Context()) },
		"intend":  func() error { return r.Intend(t.Context(), []state.Intent{{User: uuid.New()}}) },
		"settle":  func() error { return r.Settle(t.Context(), nil, outcomes, state.Position{Segment: 1}) },
		"close":   func() error { _, err := r.Close(t.Context(), state.OutcomeDone, 0); return err },
		"gate":    func() error { return a.Confirm(t.Context(), state.Confirmation{Wave: "w", Gate: "g"}) },
		"lift": func() error {
			_, err := a.Resumed(t.Context(), "w", uuid.Nil, state.Signed{At: time.Now()})
			return err
		},
		"unconfirm": func() error {
			_, err := a.Unconfirm(t.Context(), state.WaveGate{Wave: "w", Name: "g"}, state.Signed{At: time.Now()})
			return err
		},
		"wish": func() error { return a.Wish(t.Context(), state.Wish{Wave: "w", Kind: state.WishSoak}) },
		"withdraw": func() error {
			_, err := a.Withdraw(t.Context(), "w", state.WishSoak, state.Signed{At: time.Now()})
			return err
		},
		"close gates": func() error { return r.Unconfirm(t.Context(), []state.WaveGate{{Wave: "w", Name: "g"}}, time.Now()) },
		"objects":     func() error { _, err := r.IntendObjects(t.Context(), state.ObjectIntent{Address: "x"}); return err },
	}
	fenced := map[string]func() error{
		"fence": func() error { return inTx(func(tx state.Tx) error { return l.Fence(t.Context(), tx) }) },
		"settle with the rows": func() error {
			return inTx(func(tx state.Tx) error { return r.Settle(t.Context(), tx, outcomes, state.Position{Segment: 1}) })
		},
	}
	endLock(t, l)
	for name, try := range ways {
		lost(t, name+", session gone", try(), false)
	}
	// A transaction may still end what was begun: nobody else has written since.
	if err := fenced["fence"](); err != nil {
		t.Errorf("nobody has the lock: %v", err)
	}

	b, _ := held(t, url, "b")
	for name, try := range fenced {
		lost(t, name+", taken over", try(), true)
	}
	st, err := b.Read(t.Context())
	if err != nil || len(st.Runs) != 1 || !st.Runs[0].Open || len(st.Confirmations) != 0 {
		t.Errorf("the state is %+v, %v", st, err)
	}
	if n := b.lock.Load().epoch.Load(); n <= l.epoch.Load() {
		t.Errorf("epoch %d after %d", n, l.epoch.Load())
	}
	// Its session answers, and still the lock is another's: behind a proxy that shares sessions, say.
	c := &lock{store: b, conn: b.lock.Load().conn}
	c.epoch.Store(l.epoch.Load())
	lost(t, "a session that answers", c.Confirm(t.Context()), true)
}

// A transaction in the way is waited for; one that does not end is ended with its session, and what it did is undone.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, l := held(t, url, "a")
	begin := func() pgx.Tx {
		tx, err := a.pool.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tx.Rollback(context.Background()) })
		if err := l.Fence(t.Context(), execer{tx}); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "update anthill_state.meta set serial = 1000"); err != nil {
			t.Fatal(err)
		}
		return tx
	}
	tx := begin()
	// Somebody who only reads, as a dump does, is in nobody's way.
	reader, err := a.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Rollback(context.Background())
	if _, err := reader.Exec(t.Context(), "select from anthill_state.epoch"); err != nil {
		t.Fatal(err)
	}
	endLock(t, l)
	b, _ := held(t, url, "b")
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("a transaction of the old epoch was committed")
	}
	st, err := b.Read(t.Context())
	if err != nil || st.Serial >= 1000 {
		t.Errorf("serial %d, %v", st.Serial, err)
	}
	if _, err := reader.Exec(t.Context(), "select 1"); err != nil {
		t.Errorf("the reader was ended: %v", err)
	}
}

// While a process is alive its lock is nobody else's, whatever it is in the middle of.
func TestAliveIsNotThrownOut(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, l := held(t, url, "a")
	tx, err := a.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if err := l.Fence(t.Context(), execer{tx}); err != nil {
		t.Fatal(err)
	}
	var locked *state.LockedError
	_, err = Open(pool(t, url), "anthill_state", names).Lock(t.Context(), "ben@laptop", 0)
	if !errors.As(err, &locked) || locked.Who != "ana@laptop" {
		t.Errorf("%v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Confirm(t.Context()); err != nil {
		t.Error(err)
	}
}

// A role that may not end the sessions in its way says whose they are, and what to run. What is none of Anthill's is
// not ended, and said.
func TestLeftover(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	p := pool(t, url)
	a, l := held(t, url, "a")
	role := "weak_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, p, "create role "+role+" login")
	t.Cleanup(func() {
		_, _ = p.Exec(context.Background(), "drop owned by "+role)
		_, _ = p.Exec(context.Background(), "drop role "+role)
	})
	exec(t, p, "grant usage on schema anthill_state to "+role)
	exec(t, p, "grant all on all tables in schema anthill_state to "+role)
	weak := Open(pool(t, strings.Replace(url, "anthill@", role+"@", 1)), "anthill_state", names)
	tx, err := a.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if err := l.Fence(t.Context(), execer{tx}); err != nil {
		t.Fatal(err)
	}
	endLock(t, l)

	var left *state.LeftoverError
	_, err = weak.Lock(t.Context(), "ben@laptop", 0)
	pid := int32(tx.Conn().PgConn().PID())
	if !errors.As(err, &left) || len(left.Sessions) != 1 || left.Sessions[0].PID != pid || left.Role != role {
		t.Fatalf("%v", err)
	}
	_, statement, _ := strings.Cut(err.Error(), "\n\n")
	exec(t, p, statement)
	free, err := weak.Lock(t.Context(), "ben@laptop", 3*time.Second) // an ended session is gone a moment later
	if err != nil {
		t.Fatalf("after %s: %v", statement, err)
	}
	if err := free.Release(t.Context()); err != nil {
		t.Fatal(err)
	}

	other, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback(context.Background())
	if _, err := other.Exec(t.Context(), "lock table anthill_state.epoch in access exclusive mode"); err != nil {
		t.Fatal(err)
	}
	waits, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	_, err = Open(p, "anthill_state", names).Lock(waits, "cyd@laptop", 3*time.Second)
	if !errors.As(err, &left) || len(left.Sessions) != 1 {
		t.Errorf("an administrator holds the table: %v", err)
	}
	if _, err := other.Exec(t.Context(), "select 1"); err != nil {
		t.Errorf("the administrator was thrown out: %v", err)
	}
}

// A database has one lock and one state, in whatever schema; what only looks like a state is in nobody's way.
func TestOneState(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	p := pool(t, url)
	elsewhere := Open(p, `else"where`, names)
	a := Open(pool(t, url), "anthill_state", names)
	locked(t, a)
	var busy *state.LockedError
	if _, err := elsewhere.Lock(t.Context(), "ben@laptop", 0); !errors.As(err, &busy) {
		t.Errorf("another schema, the same target: %v", err)
	}
	// No state yet: both read as empty.
	if st, err := elsewhere.Read(t.Context()); err != nil || st.Exists {
		t.Errorf("%+v, %v", st, err)
	}
	if err := a.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	if err := a.lock.Load().Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, p, "create schema copies")
	exec(t, p, "create table copies.meta as table anthill_state.meta")
	if _, err := a.Read(t.Context()); err != nil {
		t.Errorf("beside a copy of a table: %v", err)
	}

	refused := func(what string, s *Store, there string) {
		t.Helper()
		var second *state.SecondStateError
		if _, err := s.Read(t.Context()); !errors.As(err, &second) || second.There != there {
			t.Errorf("%s, read: %v", what, err)
		}
		l, err := s.Lock(t.Context(), "ben@laptop", 0)
		if err != nil {
			t.Errorf("%s, lock: %v", what, err)
			return
		}
		defer l.Release(context.Background())
		if err := s.Bind(t.Context(), target, uuid.New()); !errors.As(err, &second) {
			t.Errorf("%s, bind: %v", what, err)
		}
	}
	refused("a second state", elsewhere, "anthill_state")
	// A dump that was restored without its comments, under another name.
	exec(t, p, "comment on table anthill_state.meta is null")
	exec(t, p, `alter schema anthill_state rename to "old state"`)
	refused("renamed", a, "old state")
	// The role need not be able to read it.
	role := "blind_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, p, "create role "+role+" login")
	t.Cleanup(func() { _, _ = p.Exec(context.Background(), "drop role "+role) })
	blind := Open(pool(t, strings.Replace(url, "anthill@", role+"@", 1)), "anthill_state", names)
	var second *state.SecondStateError
	_, err := blind.Read(t.Context())
	if !errors.As(err, &second) {
		t.Fatalf("a role that may not read it: %v", err)
	}
	// The message ends with what to run.
	_, statement, _ := strings.Cut(err.Error(), "its owner:\n\n")
	exec(t, p, statement)
	if st, err := a.Read(t.Context()); err != nil || st.Exists {
		t.Errorf("after %s: %+v, %v", statement, st, err)
	}
}

// Where there is no state yet, only who holds the lock makes it: there is no epoch that could tell two apart before.
func TestFirstBind(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	a, b := Open(pool(t, url), "anthill_state", names), Open(pool(t, url), "anthill_state", names)
	locked(t, a)
	if err := a.lock.Load().Confirm(t.Context()); err == nil {
		t.Error("confirmed before anything is bound")
	}
	endLock(t, a.lock.Load())
	locked(t, b)
	lost(t, "bind without the lock", a.Bind(t.Context(), target, uuid.New()), false)
	if err := b.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	lost(t, "bind behind somebody else", a.Bind(t.Context(), target, uuid.New()), false)

	// Dropped and made anew, a state does not fall back to an epoch that somebody may still take for its own.
	before := b.lock.Load().epoch.Load()
	exec(t, b.pool, "drop schema anthill_state cascade")
	endLock(t, b.lock.Load())
	c, l := held(t, url, "c")
	if l.epoch.Load() <= before {
		t.Errorf("epoch %d after %d", l.epoch.Load(), before)
	}
	lost(t, "the one before the drop", pgx.BeginFunc(t.Context(), c.pool, func(tx pgx.Tx) error {
		return b.lock.Load().Fence(t.Context(), execer{tx})
	}), true)
}
