package pg

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"anthill/internal/sandbox"
	"anthill/internal/scratchpg/pgtest"
	"anthill/state"
	"anthill/state/book"
	"anthill/state/statetest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(ctx context.Context, url string) error { return sandbox.Load(ctx, url, sandbox.Options{}) })
}

var names = Names{Table: []string{"public", "users"}, ID: "user_id", Tenant: "tenant_id", Link: "self_auth_user_id",
	LinkedAt: "self_auth_synced_at", CompletedAt: "migration_completed_at",
	InvitedAt: "migration_invited_at"}

func pool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func exec(t *testing.T, p *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := p.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) statetest.Fixture {
		url := pgtest.Database(t)
		p := pool(t, url)
		rows, err := p.Query(t.Context(), `select user_id, tenant_id from users
			where tenant_id <> '00000000-0000-0000-0000-000000000000' order by tenant_id, user_id`)
		if err != nil {
			t.Fatal(err)
		}
		users, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u statetest.User, err error) {
			err = row.Scan(&u.ID, &u.Tenant)
			return u, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return statetest.Fixture{
			Open:  func() state.Store { return Open(pool(t, url), "anthill_state", names) },
			Users: append(users[:4:4], users[len(users)-4:]...),
			Move: func(u, tenant uuid.UUID) {
				exec(t, p, "delete from user_profiles where user_id = $1", u)
				exec(t, p, "update users set tenant_id = $2 where user_id = $1", u, tenant)
			},
			Login: func(u, person uuid.UUID, at time.Time) {
				exec(t, p, "alter table users add column if not exists migration_completed_at timestamptz")
				exec(t, p, "update users set self_auth_user_id = $2, self_auth_synced_at = $3 where user_id = $1", u, person, at)
			},
			Delete: func(u uuid.UUID) { exec(t, p, "delete from users where user_id = $1", u) },
			InTx: func(commit bool, f func(state.Tx) error) error {
				tx, err := p.Begin(t.Context())
				if err != nil {
					return err
				}
				if err := f(execer{tx}); err != nil || !commit {
					return errors.Join(err, tx.Rollback(t.Context()))
				}
				return tx.Commit(t.Context())
			},
		}
	})
}

func locked(t *testing.T, s *Store) {
	t.Helper()
	l, err := s.Lock(t.Context(), "ana@laptop", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release(context.Background()) })
}

var target = state.Target{Environment: "default", System: "1", Database: "d", Domain: "x", Origin: "https://x"}

func TestSnapshotReads(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	tx, err := p.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	var id string
	if err := tx.QueryRow(t.Context(), "select pg_export_snapshot()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	now, err := s.Read(t.Context())
	if err != nil || !now.Exists {
		t.Fatal(now, err)
	}
	then, err := s.At(id).Read(t.Context())
	if err != nil || then.Exists {
		t.Errorf("the snapshot sees what came later: %+v, %v", then, err)
	}
}

func TestRights(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	p := pool(t, url)
	role := "reader_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	exec(t, p, "create role "+role+" login")
	t.Cleanup(func() {
		_, _ = p.Exec(context.Background(), "drop owned by "+role)
		if _, err := p.Exec(context.Background(), "drop role "+role); err != nil {
			t.Error(err)
		}
	})
	theirs := Open(pool(t, strings.Replace(url, "anthill@", role+"@", 1)), "anthill_state", names)
	if st, err := theirs.Read(t.Context()); err != nil || st.Exists {
		t.Errorf("no state yet: %+v, %v", st, err)
	}
	locked(t, theirs)
	var denied *state.DeniedError
	err := theirs.Bind(t.Context(), target, uuid.New())
	if !errors.As(err, &denied) || !strings.Contains(err.Error(), "GRANT CREATE ON DATABASE") {
		t.Errorf("make a state: %v", err)
	}
	l := theirs.lock.Load()
	if err := l.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	ours := Open(p, "anthill_state", names)
	locked(t, ours)
	if err := ours.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	_, err = theirs.Read(t.Context())
	if !errors.As(err, &denied) || !strings.Contains(err.Error(), "GRANT USAGE ON SCHEMA") {
		t.Fatalf("read it: %v", err)
	}
	for _, grant := range state.Grants(denied.Role, denied.Rights) {
		exec(t, p, grant)
	}
	exec(t, p, "grant select on users to "+role)
	if st, err := theirs.Read(t.Context()); err != nil || !st.Exists {
		t.Errorf("after the GRANT: %+v, %v", st, err)
	}
	for _, err := range theirs.Users(t.Context()) {
		t.Error(err)
	}
}

func TestMigrationsOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	p := pool(t, url)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			s := Open(pool(t, url), "anthill_state", names)
			l, err := s.Lock(t.Context(), "ana@laptop", time.Minute)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Bind(t.Context(), target, target.FirstLineage()), l.Release(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s := Open(p, "anthill_state", names)
	if st, err := s.Read(t.Context()); err != nil || !st.Exists {
		t.Errorf("made and bound: %+v, %v", st, err)
	}
	exec(t, p, "insert into anthill_state.migrations (version, sha256) values (99, 'x')")
	if _, err := s.Read(t.Context()); !errors.Is(err, state.ErrNewer) {
		t.Errorf("newer: %v", err)
	}
}

func TestLostLock(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	exec(t, p, "select pg_terminate_backend($1)", s.lock.Load().conn.PgConn().PID())
	err := s.Confirm(t.Context(), state.Confirmation{Wave: "w", Gate: "g", At: time.Now()})
	var lost *state.LockLostError
	if !errors.As(err, &lost) || lost.Taken {
		t.Errorf("written without the lock: %v", err)
	}
}

// The remainder of a run is what book says it is, and the query can use its index.
func TestRemains(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	for v := state.VerdictInvalid; !strings.HasPrefix(v.String(), "invalid"); v++ {
		var got bool
		err := p.QueryRow(t.Context(), "select "+remains+" from (select $1::text as verdict) r", v.String()).Scan(&got)
		if err != nil || got != book.Remains(v) {
			t.Errorf("%v: %v, %v", v, got, err)
		}
	}
	var plan string
	err := pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "set local enable_seqscan = off; set local enable_sort = off"); err != nil {
			return err
		}
		rows, err := tx.Query(t.Context(), s.sql("explain select from {schema}.records r where run = 'x' and "+remains+
			" order by id"))
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	})
	if err != nil || !strings.Contains(plan, "records_left") {
		t.Errorf("plan %s, %v", plan, err)
	}
}

// What an administrator sees in the tables are words, and a reason only where there is one.
func TestWordsInTables(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Begin(t.Context(), state.RunInfo{Kind: state.RunApply, Started: time.Now()}, strings.NewReader("plan"))
	if err != nil {
		t.Fatal(err)
	}
	user := state.User{User: uuid.New(), Method: state.MethodDual, UserState: state.UserState{Standing: state.RolledBack}}
	err = r.Settle(t.Context(), nil, []state.Outcome{
		{User: user.User, Verdict: state.Changed, Reason: state.Found(state.CodeRowChanged), Recorded: &user},
		{User: uuid.New(), Verdict: state.Paused},
	}, state.Position{Segment: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = r.SettleObjects(t.Context(),
		state.ObjectOutcome{Address: "group.a", Verdict: state.Refused, Reason: state.Found(state.CodeAppeared)},
		state.ObjectOutcome{Address: "group.b", Verdict: state.Done})
	if err != nil {
		t.Fatal(err)
	}
	ended := "select string_agg(verdict || coalesce(' ' || (reason ->> 'code'), ''), ', ' order by id) from anthill_state."
	for sql, want := range map[string]string{
		"select standing || ' ' || method from anthill_state.users": "rolled_back dual",
		ended + "records":        "changed row_changed, paused",
		ended + "object_records": "failed appeared, done",
	} {
		var got string
		if err := p.QueryRow(t.Context(), sql).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q instead of %q, %v", sql, got, want, err)
		}
	}
}

// TestFirstVersion: a state of version 1 says what was promised with the wave that would raise those users, and not how a policy moved anybody; it is read as it is, and
// brought to this version by whoever writes next. The rest of it stays.
func TestFirstVersion(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	older(t, p, 1)
	exec(t, p, `insert into anthill_state.brakes values ('alone', '{"wave": "alone", "enabled": true, "promised": "2099-03-01T00:00:00Z"}'),
		('other', '{"wave": "other", "promised": "2020-03-01T00:00:00Z"}'), ('everyone', '{"wave": "everyone"}')`)
	exec(t, p, `insert into anthill_state.users select gen_random_uuid(), gen_random_uuid(), 'moved', 'everyone', policy, 1, true, true, false,
		gen_random_uuid(), '', 'dual', 'r' from unnest(array['dual', 'dual', '']) policy`)
	want := []state.Policy{{Name: "dual", Until: time.Date(2099, 3, 1, 0, 0, 0, 0, time.UTC)}}
	for _, when := range []string{"as it was", "brought to this version"} {
		st, err := s.Read(t.Context())
		if err != nil {
			t.Fatal(when, err)
		}
		if diff := cmp.Diff(want, st.Policies); diff != "" || len(st.Brakes) != 3 {
			t.Errorf("%s: %d brakes, policies (-want +got):\n%s", when, len(st.Brakes), diff)
		}
		if err := s.Bind(t.Context(), target, st.Lineage); err != nil {
			t.Fatal(err)
		}
	}
	var n int
	if err := p.QueryRow(t.Context(), "select count(*) from anthill_state.policies").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d policies are recorded: %v", n, err)
	}
}

// older takes back what later versions than one have made, and forgets their migrations.
func older(t *testing.T, p *pgxpool.Pool, version int) {
	t.Helper()
	for i, sql := range []string{
		"drop table anthill_state.policies",
		`alter table anthill_state.users drop synced; alter table anthill_state.waves drop failed;
			alter table anthill_state.confirmations drop tenant`,
		`drop table anthill_state.wishes, anthill_state.wave_events; alter table anthill_state.waves drop accepted;
			alter table anthill_state.pauses drop paused_by, drop reason`,
		`alter table anthill_state.records add constraint records_run_fkey foreign key (run) references anthill_state.runs (id)`,
		`drop table anthill_state.mails, anthill_state.forgotten; alter table anthill_state.confirmations drop value;
			alter table if exists anthill_state.wave_events drop value`,
		`update anthill_state.records r set settled = true, verdict = 'done' from anthill_state.batches b
				where b.run = r.run and b.batch = r.batch and b.settled and r.verdict = '';
			drop table anthill_state.batches; create index records_open on anthill_state.records (run) where not settled`,
	} {
		if i+2 > version {
			exec(t, p, sql)
		}
	}
	exec(t, p, "delete from anthill_state.migrations where version > $1", version)
}

// TestOlderVersions: a state of version 2, 3 or 4 is read as it is; nobody pauses in it before it is brought to this version; what stood
// then is where the history begins.
func TestOlderVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 3, 4} {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			olderVersion(t, version)
		})
	}
}

func olderVersion(t *testing.T, version int) {
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	older(t, p, version)
	tenant := uuid.Nil
	exec(t, p, `insert into anthill_state.pauses values ('pilot', $1, '2026-12-06-1', '2026-12-06')`, uuid.UUID{1})
	exec(t, p, `insert into anthill_state.confirmations (wave, gate, confirmed_by, note, at) values ('pilot', 'support', 'ana', 'n', '2026-12-05')`)
	if version >= 3 {
		tenant = uuid.UUID{2}
		exec(t, p, "update anthill_state.confirmations set tenant = $1", tenant)
	}
	exec(t, p, `insert into anthill_state.waves values ('pilot', now(), null, null, null, $1, 3)`, make([]byte, len(state.Digest{})))
	pause := state.Pause{Wave: "pilot", By: "ana", At: time.Now()}
	for _, current := range []bool{false, true} {
		st, err := s.Read(t.Context())
		if err != nil || len(st.Pauses) != 1 || st.Pauses[0].Run != "2026-12-06-1" || st.Pauses[0].By != "" || len(st.Waves) != 1 || st.Waves[0].Users != 3 ||
			len(st.Confirmations) != 1 || st.Confirmations[0].Tenant != tenant {
			t.Fatalf("%+v, %v", st, err)
		}
		if was, err := s.WasForgotten(t.Context(), uuid.New()); was != nil || err != nil {
			t.Errorf("forgotten: %v, %v", was, err)
		}
		events, err := s.WaveEvents(t.Context())
		if version == 4 { // the history is there, and begins with nothing
			if err := s.Bind(t.Context(), target, st.Lineage); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if want := map[bool]int{true: 2}[current]; err != nil || len(events) != want {
			t.Errorf("%d events, %v", len(events), err)
		}
		paused, err := s.Pause(t.Context(), pause)
		if current {
			if err != nil || !paused || events[0].Act != state.ActConfirm || events[0].Tenant != tenant || events[1].Act != state.ActPause {
				t.Errorf("paused %v, %v; events %+v", paused, err, events)
			}
			break
		}
		if !errors.Is(err, state.ErrNoState) {
			t.Errorf("paused: %v", err)
		}
		if err := s.Bind(t.Context(), target, st.Lineage); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRecordsAlone: records do not look up their run any more, in a state of version 4 either.
func TestRecordsAlone(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	lineage := uuid.New()
	const keys = "select count(*) from pg_constraint where contype = 'f' and conrelid = 'anthill_state.records'::regclass"
	for range 2 {
		if err := s.Bind(t.Context(), target, lineage); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := p.QueryRow(t.Context(), keys).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d foreign keys, %v", n, err)
		}
		older(t, p, 4)
	}
}

// TestBatches: what goes well is written once: its batch is through, and its records stay as they were.
func TestBatches(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	r, err := s.Begin(t.Context(), state.RunInfo{Kind: state.RunApply, Started: time.Now()}, strings.NewReader("plan"))
	if err != nil {
		t.Fatal(err)
	}
	intend := func(n int) (outcomes []state.Outcome) {
		intents := make([]state.Intent, n)
		for i := range intents {
			intents[i] = state.Intent{User: uuid.New(), Tenant: uuid.UUID{1}, Wave: "pilot"}
		}
		if err := r.Intend(t.Context(), intents); err != nil {
			t.Fatal(err)
		}
		for _, in := range intents {
			outcomes = append(outcomes, state.Outcome{Intent: in.ID, User: in.User, Tenant: in.Tenant, Wave: in.Wave, Verdict: state.Done})
		}
		return outcomes
	}
	settle := func(outcomes []state.Outcome) {
		t.Helper()
		if err := r.Settle(t.Context(), nil, outcomes, state.Position{Segment: 1}); err != nil {
			t.Fatal(err)
		}
	}
	stands := func(want string) {
		t.Helper()
		var got string
		err := p.QueryRow(t.Context(), `select string_agg(b.batch || ':' || b.settled || ' ' || n, ', ' order by b.batch) from anthill_state.batches b
			cross join lateral (select count(*) filter (where r.settled) as n from anthill_state.records r where r.run = b.run and r.batch = b.batch) r`).
			Scan(&got)
		if err != nil || got != want {
			t.Errorf("batches %q instead of %q, %v", got, want, err)
		}
	}
	open := func(want ...int64) {
		t.Helper()
		list, err := r.Open(t.Context())
		var got []int64
		for _, rec := range list {
			got = append(got, rec.ID)
		}
		if !slices.Equal(got, want) || err != nil {
			t.Errorf("open %v instead of %v, %v", got, want, err)
		}
	}
	one, two := intend(3), intend(3) // on their way together
	open(one[0].Intent, one[1].Intent, one[2].Intent, two[0].Intent, two[1].Intent, two[2].Intent)
	two[1].Verdict, two[1].Reason = state.Refused, state.Found(state.CodeRowKept)
	settle(two)
	stands("1:false 0, 2:true 1")
	settle(one)
	stands("1:true 0, 2:true 1")
	open()
	// A transaction that is rolled back settles nothing.
	three := intend(2)
	failed := errors.New("the application's row")
	err = pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error {
		if err := r.Settle(t.Context(), execer{tx}, three, state.Position{Segment: 1}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	open(three[0].Intent, three[1].Intent)
	// Whoever goes on with it does not know which intents are a batch.
	if r, err = s.Resume(t.Context(), r.ID()); err != nil {
		t.Fatal(err)
	}
	settle(three[:1])
	stands("1:true 0, 2:true 1, 3:false 1")
	open(three[1].Intent)
	settle(three[1:])
	stands("1:true 0, 2:true 1, 3:true 2")
	// What is still to be taken back keeps its batch open.
	four := intend(2)
	four[0].Verdict, four[0].Lost = state.Changed, true
	settle(four)
	stands("1:true 0, 2:true 1, 3:true 2, 4:false 1")
	open(four[0].Intent)
	four[0].Lost = false
	settle(four[:1])
	stands("1:true 0, 2:true 1, 3:true 2, 4:true 2")
	// One that was to be taken back and has come about after all is done, also where it is all of its batch.
	again := intend(1)
	again[0].Verdict, again[0].Reason, again[0].Lost = state.Refused, state.Found(state.CodeRowHeld), true
	settle(again)
	open(again[0].Intent)
	again[0].Verdict, again[0].Reason, again[0].Lost = state.Done, state.Finding{}, false
	settle(again)
	open()
	left, err := s.Remainder(t.Context(), r.ID(), 10)
	if err != nil || slices.ContainsFunc(left, func(rec state.Record) bool { return rec.ID == again[0].Intent }) {
		t.Errorf("it is left: %+v, %v", left, err)
	}
	// Intents of a version that knew no batches are found, and settled, by this one.
	five := intend(2)
	older(t, p, batchesVersion-1)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	open(five[0].Intent, five[1].Intent)
	settle(five)
	open()
}

// TestPauseBeside: a pause waits for no lock and no batch that is being written: only for the counter of the state, as long as one
// transaction lasts.
func TestPauseBeside(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	l, err := s.held()
	if err != nil {
		t.Fatal(err)
	}
	err = pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error {
		if err := l.Fence(t.Context(), execer{tx}); err != nil {
			return err
		}
		for _, wave := range []string{"a", "b"} {
			if paused, err := Open(p, "anthill_state", names).Pause(t.Context(), state.Pause{Wave: wave, At: time.Now()}); err != nil || !paused {
				t.Errorf("paused %v, %v", paused, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Confirm(t.Context()); err != nil {
		t.Errorf("whoever had the lock has lost it: %v", err)
	}
}

// TestForgetArchived: what dropped columns held of a user is forgotten with it, also where nothing else is kept; an archive of
// sessions, and of others, stays.
func TestForgetArchived(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	user := uuid.New()
	exec(t, p, "create table anthill_state.archive (relation text, id uuid, held jsonb not null, at timestamptz not null default now())")
	exec(t, p, `insert into anthill_state.archive values ('users', $1, '{"invited_at": "2026-12-06"}'), ('sessions', $1, '{}'), ('users', $2, '{}')`, user, uuid.New())
	f, err := s.Forget(t.Context(), user, state.Signed{By: "ana", Reason: "r", At: time.Now()})
	if err != nil || f.Records != 0 {
		t.Errorf("%+v, %v", f, err)
	}
	var left int
	if err := p.QueryRow(t.Context(), "select count(*) from anthill_state.archive").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d rows are left, %v", left, err)
	}
	if _, err := s.Forget(t.Context(), user, state.Signed{By: "ana"}); !errors.Is(err, state.ErrNothingKept) {
		t.Error(err)
	}
}

// TestForgetMails: a mail stays, so that what its run counts is still so; whose it was, and the id that is made of that, do not.
func TestForgetMails(t *testing.T) {
	t.Parallel()
	p := pool(t, pgtest.Database(t))
	s := Open(p, "anthill_state", names)
	locked(t, s)
	if err := s.Bind(t.Context(), target, uuid.New()); err != nil {
		t.Fatal(err)
	}
	user, other, mail := uuid.New(), uuid.New(), uuid.New()
	exec(t, p, `insert into anthill_state.mails (id, user_id, wave, letter, round, link, unverified, template, run, status, chosen, shown_to, reason)
		select id, user_id, 'w', 'invitation', 1, 'code', false, $4, 'r', 'doubtful', now(), 'ana', 'phone'
		from (values ($1::uuid, $2::uuid), (gen_random_uuid(), $3)) as v (id, user_id)`, mail, user, other, make([]byte, len(state.Hash{})))
	if _, err := s.Forget(t.Context(), user, state.Signed{By: "ana", Reason: "r", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var all, left int
	err := p.QueryRow(t.Context(), `select count(*), count(*) filter (where id = $1 or user_id = $2) from anthill_state.mails`, mail, user).Scan(&all, &left)
	if err != nil || all != 2 || left != 0 {
		t.Errorf("%d mails, %d of whom was forgotten, %v", all, left, err)
	}
	if list, err := s.DoubtfulMails(t.Context()); err != nil || len(list) != 1 || list[0].User != other {
		t.Errorf("in doubt: %+v, %v", list, err)
	}
}
