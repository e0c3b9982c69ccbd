// Package statetest is the written meaning of state.Store: the suite that every backend passes.
package statetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/state"
	"anthill/state/book"
)

// Fixture is a backend beside an application's users.
type Fixture struct {
	Open func() state.Store // the same state, as another process opens it
	// Users are live users in the order of tenant id, user id; at least six, of at least two tenants.
	Users  []User
	Move   func(user, tenant uuid.UUID) // changes the tenant of a row
	Delete func(user uuid.UUID)         // deletes a row
	// Login writes to a row what the application does when its user comes in as a person; from then on rows have such columns.
	Login func(user, person uuid.UUID, at time.Time)
	// InTx runs f in a transaction of the target database, and commits or rolls back.
	InTx func(commit bool, f func(state.Tx) error) error
}

// User is a row of users.
type User struct{ ID, Tenant uuid.UUID }

var target = state.Target{
	Environment: "default", System: "7", Database: "app", Domain: "idm.example.test", Origin: "https://localhost:1",
}

// Run runs the suite.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"an absent state is empty":         absent,
		"bind":                             bind,
		"lock":                             lock,
		"plan files come back":             planFile,
		"a batch is settled":               batch,
		"a crash leaves the batch open":    crash,
		"a lost user stays open":           lost,
		"a rolled back settlement is lost": rolledBack,
		"users come back whole":            wholeUsers,
		"reasons come back":                reasons,
		"users in the order of now":        order,
		"records in the order of now":      records,
		"objects":                          objects,
		"waves, pauses, confirmations":     waves,
		"pauses of persons":                pauses,
		"a pause of an absent state":       pauseAbsent,
		"gates are closed again":           unconfirm,
		"wishes":                           wishes,
		"waves of users":                   userWaves,
		"policies of users":                userPolicies,
		"logins":                           logins,
		"mails":                            mails,
		"mails of who is taken back":       mailsBack,
		"codes that are shown at once":     shownAtOnce,
		"runs are chained":                 chained,
		"one run is open":                  oneOpen,
		"users are forgotten":              forgotten,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

// bound opens a store, takes its lock and binds it.
func bound(t *testing.T, f Fixture) state.Store {
	t.Helper()
	s := f.Open()
	l, err := s.Lock(t.Context(), "ana@laptop", time.Second)
	must(t, err)
	t.Cleanup(func() { must(t, l.Release(context.Background())) })
	must(t, s.Bind(t.Context(), target, target.FirstLineage()))
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s state.Store) *state.State {
	t.Helper()
	st, err := s.Read(t.Context())
	must(t, err)
	return st
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func begin(t *testing.T, s state.Store) state.Run {
	t.Helper()
	r, err := s.Begin(t.Context(), head, bytes.NewReader([]byte("plan")))
	must(t, err)
	return r
}

// head is what a run begins with.
var head = state.RunInfo{
	Kind:       state.RunApply,
	Plan:       state.Hash{1},
	Seal:       state.Hash{2},
	Who:        "ana@laptop",
	ApprovedBy: "ben",
	Started:    time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC),
	Undoes:     []string{"2026-11-01-1"},
}

func absent(t *testing.T, f Fixture) {
	s := f.Open()
	same(t, "state", &state.State{}, read(t, s))
	for range s.Users(t.Context()) {
		t.Error("a user")
	}
	for range s.Records(t.Context(), []string{"x"}) {
		t.Error("a record")
	}
}

func bind(t *testing.T, f Fixture) {
	s := bound(t, f)
	st := read(t, s)
	if !st.Exists || st.Lineage != target.FirstLineage() || st.Target != target {
		t.Errorf("state %+v", st)
	}
	must(t, s.Bind(t.Context(), target, uuid.New()))
	if again := read(t, f.Open()); again.Lineage != st.Lineage {
		t.Error("binding again changed the lineage")
	}
	other := target
	other.Database = "staging"
	var wrong *state.TargetError
	if err := s.Bind(t.Context(), other, uuid.New()); !errors.As(err, &wrong) {
		t.Errorf("another target: %v", err)
	}
}

func lock(t *testing.T, f Fixture) {
	s := f.Open()
	held, err := s.Lock(t.Context(), "ana@laptop", time.Second)
	must(t, err)
	_, err = f.Open().Lock(t.Context(), "ben@laptop", 50*time.Millisecond)
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.Who != "ana@laptop" || locked.Since.IsZero() {
		t.Errorf("error %v", err)
	}
	if err := f.Open().Bind(t.Context(), target, uuid.New()); err == nil {
		t.Error("written without the lock")
	}
	must(t, s.Bind(t.Context(), target, target.FirstLineage()))
	must(t, held.Confirm(t.Context()))
	fence := func() error {
		return f.InTx(true, func(tx state.Tx) error { return held.Fence(t.Context(), tx) })
	}
	must(t, fence())
	// Released, it is free at once.
	g := f.Open()
	free := make(chan error, 1)
	go func() {
		l, err := g.Lock(context.Background(), "ben@laptop", 10*time.Second)
		if err == nil {
			err = l.Release(context.Background())
		}
		free <- err
	}()
	must(t, held.Release(t.Context()))
	must(t, held.Release(t.Context()))
	must(t, <-free)
	if err := s.Bind(t.Context(), target, uuid.New()); err == nil {
		t.Error("written after the lock was released")
	}
	var lost *state.LockLostError
	if err := fence(); !errors.As(err, &lost) || !lost.Taken {
		t.Errorf("a transaction after somebody else had the lock: %v", err)
	}
	if err := held.Confirm(t.Context()); err == nil {
		t.Error("confirmed after the lock was released")
	}
}

func planFile(t *testing.T, f Fixture) {
	s := bound(t, f)
	plan := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	plan = append(plan, "end"...)
	r, err := s.Begin(t.Context(), state.RunInfo{Kind: state.RunApply, Started: time.Now()}, bytes.NewReader(plan))
	must(t, err)
	in, err := s.Plan(t.Context(), r.ID())
	must(t, err)
	defer in.Close()
	got, err := io.ReadAll(in)
	must(t, err)
	if !bytes.Equal(plan, got) {
		t.Errorf("%d bytes came back of %d", len(got), len(plan))
	}
	if _, err := s.Plan(t.Context(), "no such run"); err == nil {
		t.Error("a plan of no run")
	}
}

func intents(run state.Run, users []User) []state.Intent {
	list := make([]state.Intent, len(users))
	for i, u := range users {
		person, groups := uuid.NewSHA1(u.ID, nil), []uuid.UUID{{1}, {2}}
		list[i] = state.Intent{
			User:    u.ID,
			Tenant:  u.Tenant,
			Segment: 1,
			Wave:    "pilot",
			Person:  person,
			Join:    groups,
			Effect:  state.Effect{Act: state.PersonCreate, Suffix: true, Link: true, Method: state.MethodDual},
			Before:  state.Image{Method: state.MethodPassword, Synced: time.UnixMicro(1234567).UTC()},
			After: state.User{
				User:   u.ID,
				Tenant: u.Tenant,
				Person: person,
				Groups: groups,
				Method: state.MethodDual,
				Run:    run.ID(),
				UserState: state.UserState{
					Standing: state.Moved, Wave: "pilot", Policy: "dual", Generation: 1, MadePerson: true, WroteLink: true,
				},
			},
		}
	}
	return list
}

func outcomes(list []state.Intent) []state.Outcome {
	out := make([]state.Outcome, len(list))
	for i := range list {
		out[i] = state.Outcome{
			Intent: list[i].ID, User: list[i].User, Tenant: list[i].Tenant, Wave: list[i].Wave,
			Verdict: state.Done, Recorded: &list[i].After,
		}
	}
	return out
}

// refused and changed are reasons.
var (
	refused = state.Found(state.CodeRefusal, state.Text(state.KeySaid, "no"))
	changed = state.Found(state.CodeRowChanged)
)

// recorded collects the stream of users.
func recorded(t *testing.T, s state.Store) (list []state.User) {
	t.Helper()
	for u, err := range s.Users(t.Context()) {
		must(t, err)
		list = append(list, u)
	}
	return list
}

func batch(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	same(t, "position", state.Position{}, r.Position())
	list := intents(r, f.Users[:3])
	must(t, r.Intend(t.Context(), list))
	if list[0].ID == 0 || list[1].ID <= list[0].ID {
		t.Fatalf("ids %d %d", list[0].ID, list[1].ID)
	}
	open, err := r.Open(t.Context())
	must(t, err)
	same(t, "open intents", list, intentsOf(open))
	out := outcomes(list)
	out[2].Verdict, out[2].Recorded, out[2].Reason = state.Refused, nil, refused
	tally(t, s, r.ID())
	left3, already4 := f.Users[3], f.Users[4]
	out = append(out,
		state.Outcome{User: left3.ID, Tenant: left3.Tenant, Segment: 2, Wave: "pilot", Verdict: state.Changed,
			Reason: changed},
		state.Outcome{User: already4.ID, Tenant: already4.Tenant, Wave: "pilot", Verdict: state.Already})
	next := state.Position{Segment: 1, Offset: 5}
	must(t, f.InTx(true, func(tx state.Tx) error { return r.Settle(t.Context(), tx, out, next) }))
	same(t, "counts", state.Counts{Done: 2, Already: 1, Changed: 1, Failed: 1}, r.Counts())
	same(t, "position", next, r.Position())
	tally(t, s, r.ID(), state.Tally{Segment: 1, Tenant: list[0].Tenant, Verdict: state.Done, Users: 1},
		state.Tally{Segment: 1, Tenant: list[1].Tenant, Verdict: state.Done, Users: 1},
		state.Tally{Segment: 1, Tenant: list[2].Tenant, Verdict: state.Refused, Users: 1},
		state.Tally{Segment: 2, Tenant: left3.Tenant, Verdict: state.Changed, Users: 1},
		state.Tally{Tenant: already4.Tenant, Verdict: state.Already, Users: 1})
	users := recorded(t, s)
	for i := range users {
		want := list[i].After
		want.TenantNow = want.Tenant
		same(t, "recorded", want, users[i])
	}
	same(t, "users", 2, len(users))
	left, err := s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	same(t, "remainder", []state.Record{
		{Intent: list[2], Run: r.ID(), Batch: 1, TenantNow: list[2].Tenant, Settled: true, Verdict: state.Refused,
			Reason: refused},
		{Intent: state.Intent{ID: left[1].ID, User: left3.ID, Tenant: left3.Tenant, Segment: 2, Wave: "pilot"},
			Run: r.ID(), Batch: 1,
			TenantNow: left3.Tenant, Settled: true, Verdict: state.Changed, Reason: changed},
	}, left)
	byID, err := s.UsersByID(t.Context(), []uuid.UUID{list[0].User, list[2].User})
	must(t, err)
	same(t, "recorded, by id", map[uuid.UUID]state.User{list[0].User: list[0].After}, byID)
	byPerson, err := s.UsersByPerson(t.Context(), []uuid.UUID{list[1].After.Person, list[2].After.Person})
	must(t, err)
	same(t, "recorded, by person", []state.User{list[1].After}, byPerson)
	in := func(groups ...uuid.UUID) (ids []uuid.UUID) {
		for u, err := range s.UsersIn(t.Context(), groups) {
			must(t, err)
			same(t, "groups of a user in one", list[0].After.Groups, u.Groups)
			ids = append(ids, u.User)
		}
		slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		return ids
	}
	same(t, "users in a group", []uuid.UUID{list[0].User, list[1].User}, in(uuid.UUID{99}, list[0].After.Groups[0]))
	same(t, "users in no group", nil, in(uuid.UUID{99}))
	// The next batch of the same users keeps what was recorded before.
	again := intents(r, f.Users[:1])
	prior := byID[again[0].User]
	again[0].Prior = &prior
	must(t, r.Intend(t.Context(), again))
	must(t, r.Settle(t.Context(), nil, outcomes(again), state.Position{Segment: 2}))
	back, err := s.RecordsByID(t.Context(), []int64{again[0].ID})
	must(t, err)
	if len(back) != 1 || back[0].Prior == nil || !back[0].Settled || back[0].Run != r.ID() || back[0].Batch != 2 {
		t.Errorf("record %+v", back)
	}
	same(t, "intent", again[0], back[0].Intent)
}

// tally checks how a run counts its settled users; those of want are counted together where they are alike.
func tally(t *testing.T, s state.Store, run string, want ...state.Tally) {
	t.Helper()
	list, err := s.Tally(t.Context(), run)
	must(t, err)
	count := func(list []state.Tally) map[state.Tally]int64 {
		m := map[state.Tally]int64{}
		for _, one := range list {
			n := one.Users
			one.Users = 0
			m[one] += n
		}
		return m
	}
	same(t, "tally", count(want), count(list))
}

func intentsOf(records []state.Record) (list []state.Intent) {
	for _, r := range records {
		list = append(list, r.Intent)
	}
	return list
}

// lost: the intent of a user who is lost stays open, is no remainder yet and counts for nothing, until it is settled.
func lost(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	list := intents(r, f.Users[:2])
	must(t, r.Intend(t.Context(), list))
	out, next := outcomes(list), state.Position{Segment: 1}
	out[1].Verdict, out[1].Recorded, out[1].Reason, out[1].Lost = state.Changed, nil, changed, true
	must(t, f.InTx(true, func(tx state.Tx) error { return r.Settle(t.Context(), tx, out, next) }))
	same(t, "counts", state.Counts{Done: 1}, r.Counts())
	again, err := s.Resume(t.Context(), r.ID())
	must(t, err)
	open, err := again.Open(t.Context())
	must(t, err)
	same(t, "open", []state.Record{{Intent: list[1], Run: r.ID(), Batch: 1, TenantNow: list[1].Tenant,
		Verdict: state.Changed, Reason: changed}}, open)
	left, err := s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	same(t, "remainder while it is lost", 0, len(left))
	out[1].Lost = false
	// The very run goes on, or another process does.
	for _, run := range []state.Run{r, again} {
		same(t, "position", next, run.Position())
		must(t, run.Settle(t.Context(), nil, out[1:], next))
		same(t, "counts after it was taken back", state.Counts{Done: 1, Changed: 1}, run.Counts())
	}
	left, err = s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	same(t, "remainder", 1, len(left))
}

func crash(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	list := intents(r, f.Users[:2])
	must(t, r.Intend(t.Context(), list))
	st := read(t, f.Open())
	if st.OpenRun() == nil || st.OpenRun().ID != r.ID() {
		t.Fatalf("runs %+v", st.Runs)
	}
	again, err := s.Resume(t.Context(), r.ID())
	must(t, err)
	open, err := again.Open(t.Context())
	must(t, err)
	same(t, "open intents", list, intentsOf(open))
	must(t, again.Settle(t.Context(), nil, outcomes(intentsOf(open)), state.Position{Segment: 1}))
	third, err := s.Resume(t.Context(), r.ID())
	must(t, err)
	same(t, "position", state.Position{Segment: 1}, third.Position())
	same(t, "counts", state.Counts{Done: 2}, third.Counts())
	if open, err := third.Open(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("open %v, %v", open, err)
	}
	if _, err := s.Resume(t.Context(), "2000-01-01-1"); err == nil {
		t.Error("resumed a run that is not there")
	}
}

func rolledBack(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	list := intents(r, f.Users[:2])
	must(t, r.Intend(t.Context(), list))
	next := state.Position{Offset: 2}
	for range 2 {
		must(t, f.InTx(false, func(tx state.Tx) error { return r.Settle(t.Context(), tx, outcomes(list), next) }))
		if n := len(recorded(t, s)); n != 0 {
			t.Fatalf("%d users recorded", n)
		}
	}
	must(t, f.InTx(true, func(tx state.Tx) error { return r.Settle(t.Context(), tx, outcomes(list), next) }))
	same(t, "counts", state.Counts{Done: 2}, r.Counts())
	info, err := r.Close(t.Context(), state.OutcomeDone, 2)
	must(t, err)
	same(t, "counts", state.Counts{Done: 2, Retries: 2}, info.Counts)
}

// wholeUsers: every part of what is recorded of a user, and of what a journal record says of it, comes back.
func wholeUsers(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	u, at := f.Users[0], time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	list := []state.Intent{{
		User: u.ID, Tenant: u.Tenant, Segment: 3, Wave: "late", Person: uuid.UUID{9},
		Join: []uuid.UUID{{1}}, Leave: []uuid.UUID{{2}, {3}}, Mails: []string{"ä@x.test", "b@x.test"}, Undo: 7,
		RowGone: true,
		Effect: state.Effect{
			Act: state.PersonRevive, Suffix: true, Link: true, Method: state.MethodSelfAuth, Complete: true, Mail: true,
			Restore: true,
		},
		Before: state.Image{Link: uuid.UUID{8}, Synced: at, Method: state.MethodPassword, Completed: at, Invited: at},
		After: state.User{
			User: u.ID, Tenant: u.Tenant, Person: uuid.UUID{9}, Groups: []uuid.UUID{{1}, {4}}, Method: state.MethodSelfAuth,
			Run: r.ID(), Synced: at, UserState: state.UserState{
				Standing: state.RolledBack, Wave: "late", Policy: "strict", Generation: 4,
				MadePerson: true, WroteLink: true, Asleep: true,
			},
		},
	}}
	must(t, r.Intend(t.Context(), list))
	must(t, r.Settle(t.Context(), nil, outcomes(list), state.Position{Segment: 1}))
	want := list[0].After
	want.TenantNow = u.Tenant
	same(t, "recorded", []state.User{want}, recorded(t, s))
	again := []state.Intent{list[0]}
	again[0].Prior = &list[0].After
	must(t, r.Intend(t.Context(), again))
	back, err := s.RecordsByID(t.Context(), []int64{list[0].ID, again[0].ID})
	must(t, err)
	slices.SortFunc(back, func(a, b state.Record) int { return int(a.ID - b.ID) })
	same(t, "first intent", list[0], back[0].Intent)
	same(t, "second intent", again[0], back[1].Intent)
	same(t, "what was recorded before", &list[0].After, back[1].Prior)
	of, err := s.RecordsOf(t.Context(), list[0].User)
	must(t, err)
	same(t, "records of one user", back, of)
	none, err := s.RecordsOf(t.Context(), uuid.New())
	must(t, err)
	same(t, "records of nobody", []state.Record(nil), none)
}

// reasons: findings of every form come back as they were, and none where there was none.
func reasons(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	value := state.GrantsValue([]state.Grant{{Group: uuid.UUID{1}, Claim: "role", Join: "csv", Values: []string{"a"}}})
	want := []state.Finding{
		state.About(state.CodeRefusal, state.OfUser(f.Users[0].ID), state.Text(state.KeySaid, "\"no\" \\u0000 <b>ä</b>\n"),
			state.Number(state.KeyLimit, 1<<40), state.Real(state.KeyLive, 0.1), state.List(state.KeyURLs, "a", "b")).Times(3),
		state.Found(state.CodePausedSince, state.At(state.KeyAt, time.Date(2026, 12, 7, 9, 0, 0, 123456789, time.UTC)),
			state.Span(state.KeySpan, 90*time.Second), state.Holds(state.KeyWas, value),
			state.Because(state.KeyWhy, refused, changed)),
		{},
	}
	list := intents(r, f.Users[:1])
	must(t, r.Intend(t.Context(), list))
	out := outcomes(list)
	out[0].Verdict, out[0].Recorded, out[0].Reason = state.Refused, nil, want[0]
	for i, reason := range want[1:] {
		u := f.Users[i+1]
		out = append(out, state.Outcome{User: u.ID, Tenant: u.Tenant, Wave: "pilot", Verdict: state.Paused, Reason: reason})
	}
	must(t, f.InTx(true, func(tx state.Tx) error { return r.Settle(t.Context(), tx, out, state.Position{Segment: 1}) }))
	left, err := s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	var got []state.Finding
	for _, rec := range left {
		got = append(got, rec.Reason)
	}
	same(t, "reasons", want, got)
	// No character that a server says stops a batch.
	odd := state.Found(state.CodeRefusal, state.Text(state.KeySaid, "a\x00b\xff"))
	must(t, r.Settle(t.Context(), nil, []state.Outcome{{User: f.Users[3].ID, Verdict: state.Refused, Reason: odd}},
		state.Position{Segment: 2}))
	must(t, r.SettleObjects(t.Context(), state.ObjectOutcome{Address: "group.a", Verdict: state.Refused, Reason: odd}))
}

// moved records the first n users as moved.
func moved(t *testing.T, s state.Store, f Fixture, n int) state.Run {
	t.Helper()
	r := begin(t, s)
	list := intents(r, f.Users[:n])
	must(t, r.Intend(t.Context(), list))
	must(t, r.Settle(t.Context(), nil, outcomes(list), state.Position{Segment: 1}))
	return r
}

func order(t *testing.T, f Fixture) {
	s := bound(t, f)
	moved(t, s, f, len(f.Users))
	first, last := f.Users[0], f.Users[len(f.Users)-1]
	f.Move(first.ID, last.Tenant)
	f.Delete(f.Users[1].ID)
	got := recorded(t, s)
	sorted := slices.IsSortedFunc(got, func(a, b state.User) int {
		if n := bytes.Compare(a.TenantNow[:], b.TenantNow[:]); n != 0 {
			return n
		}
		return bytes.Compare(a.User[:], b.User[:])
	})
	if len(got) != len(f.Users) || !sorted {
		t.Fatalf("%d users, sorted %v", len(got), sorted)
	}
	for _, u := range got {
		switch u.User {
		case first.ID:
			if u.Tenant != first.Tenant || u.TenantNow != last.Tenant || u.RowGone {
				t.Errorf("moved to another tenant: %+v", u)
			}
		case f.Users[1].ID:
			if !u.RowGone || u.TenantNow != f.Users[1].Tenant {
				t.Errorf("row gone: %+v", u)
			}
		default:
			if u.RowGone || u.TenantNow != u.Tenant {
				t.Errorf("unchanged: %+v", u)
			}
		}
	}
}

func records(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := moved(t, s, f, len(f.Users))
	list := intents(r, f.Users[:2])
	must(t, r.Intend(t.Context(), list)) // unsettled ones come too
	f.Move(f.Users[0].ID, f.Users[len(f.Users)-1].Tenant)
	var got []state.Record
	for rec, err := range s.Records(t.Context(), []string{r.ID()}) {
		must(t, err)
		got = append(got, rec)
	}
	if len(got) != len(f.Users)+2 {
		t.Fatalf("%d records", len(got))
	}
	open := 0
	for i, rec := range got {
		if !rec.Settled {
			open++
		}
		if i == 0 {
			continue
		}
		a, b := got[i-1], rec
		n := bytes.Compare(a.TenantNow[:], b.TenantNow[:])
		if n == 0 {
			n = bytes.Compare(a.User[:], b.User[:])
		}
		if n > 0 || n == 0 && a.ID >= b.ID {
			t.Errorf("record %d is out of order", i)
		}
	}
	if open != 2 {
		t.Errorf("%d unsettled", open)
	}
}

func objects(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	o := state.Object{
		Address: `group.admins["acme"]`, Kind: state.KindGroup, ID: uuid.New(), Generation: 1, Tenant: uuid.New(),
		TenantSlug: "acme", Members: state.Members{Roles: []string{"admin"}, Full: true}, Adopted: true, Run: r.ID(),
		Attributes: state.Attributes{
			state.AttrName: state.TextValue("tenant_acme_admins"), state.AttrDescription: state.TextValue("d"),
			state.AttrMapping:   state.MappingValue(state.RoleAdmin, "tenant_acme_admins"),
			state.AttrStrangers: state.MembersValue([]uuid.UUID{{2}, {1}}),
		},
	}
	intend := func(i state.ObjectIntent, wantAgain bool) {
		t.Helper()
		again, err := r.IntendObjects(t.Context(), i)
		must(t, err)
		same(t, "intended again", []bool{wantAgain}, again)
	}
	made := state.ObjectIntent{Address: o.Address, Action: state.ActionCreate, After: &o, Will: o.Attributes}
	intend(made, false)
	other := made
	other.Was = state.Attributes{state.AttrName: state.TextValue("x")}
	again, err := r.IntendObjects(t.Context(), other, state.ObjectIntent{Address: "schema.x", Action: state.ActionUpdate})
	must(t, err)
	same(t, "some intended again", []bool{true, false}, again)
	must(t, r.SettleObjects(t.Context(), state.ObjectOutcome{Address: o.Address, Recorded: &o, Verdict: state.Done},
		state.ObjectOutcome{Address: "schema.x", Verdict: state.Done}))
	same(t, "objects", []state.Object{o}, read(t, s).Objects)
	same(t, "counts", state.Counts{Objects: 1, Schema: 1}, r.Counts())
	moved := o
	moved.Address = `group.admins["acme2"]`
	renamed := state.ObjectIntent{
		Address: moved.Address, From: o.Address, Action: state.ActionUpdate, Before: &o, After: &moved,
		Was: state.Attributes{}, Will: state.Attributes{},
	}
	intend(renamed, false)
	must(t, r.SettleObjects(t.Context(),
		state.ObjectOutcome{Address: moved.Address, From: o.Address, Recorded: &moved, Verdict: state.Done}))
	same(t, "moved", []state.Object{moved}, read(t, s).Objects)
	must(t, r.SettleObjects(t.Context(),
		state.ObjectOutcome{Address: moved.Address, Verdict: state.Refused, Reason: refused}))
	same(t, "forgotten", []state.Object(nil), read(t, s).Objects)
	records, err := s.ObjectRecords(t.Context(), []string{r.ID()})
	must(t, err)
	for i := range records {
		records[i].ID = 0
	}
	same(t, "journal", []state.ObjectRecord{{ObjectIntent: made, Run: r.ID(), Settled: true, Verdict: state.Done},
		{ObjectIntent: renamed, Run: r.ID(), Settled: true, Verdict: state.Done}}, records)
}

func waves(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	w := state.Wave{Name: "pilot", Started: at, MovedAt: at, Digest: state.Digest{3}, Users: 5, Accepted: 2}
	next := state.Position{Segment: 1}
	must(t, r.Waves(t.Context(), []state.Wave{w}, next))
	same(t, "position", next, r.Position())
	again, err := s.Resume(t.Context(), r.ID())
	must(t, err)
	same(t, "position of who resumes it", next, again.Position())
	percent := 2.5
	brakes := []state.Brakes{{Wave: "a", Enabled: true, After: []string{"pilot"}, At: at, Soak: time.Hour,
		Window: &state.Window{Days: []string{"mon"}, From: "22:00", To: "04:00", Zone: "UTC", Except: []state.Freeze{{From: "2026-12-24", To: "2026-12-26", Reason: "r"}}},
		Users:  []state.Selector{{}, {Tenants: []string{}, Roles: []string{"admin"}, Percent: &percent}}}, {Wave: "pilot",
		StartGates: []string{"g"}, FinishGates: []string{"h", "i"}, AllowEmpty: true}}
	policies := []state.Policy{{Name: "alone", Method: state.MethodSelfAuth, From: "dual"}, {Name: "dual", Method: state.MethodDual, Until: at},
		{Name: "unknown", Until: at.AddDate(1, 0, 0)}}
	must(t, r.Brakes(t.Context(), append([]state.Brakes{{Wave: "gone"}}, brakes[0]), []state.Policy{{Name: "alone", Method: state.MethodDual, Until: at.Add(1)},
		{Name: "gone", Method: state.MethodDual}}))
	must(t, r.Brakes(t.Context(), brakes, policies))
	tenant := uuid.New()
	pauses := []state.Pause{
		{Wave: "pilot", Run: r.ID(), At: at}, {Wave: "pilot", Tenant: tenant, Run: r.ID(), At: at},
	}
	must(t, r.Pause(t.Context(), pauses))
	gone := state.Object{
		Address: "group.a", Kind: state.KindGroup, ID: uuid.New(), Generation: 1, Tenant: tenant,
		Deleted: true, Paused: true, Run: r.ID(),
	}
	must(t, r.SettleObjects(t.Context(),
		state.ObjectOutcome{Address: gone.Address, Recorded: &gone, Verdict: state.Done}))
	c := state.Confirmation{Wave: "pilot", Gate: "support", By: "ana", Note: "n", Value: "4.6", At: at}
	must(t, s.Confirm(t.Context(), c))
	st := read(t, s)
	same(t, "waves", []state.Wave{w}, st.Waves)
	same(t, "brakes", brakes, st.Brakes)
	same(t, "policies", policies, st.Policies)
	same(t, "pauses", pauses, st.Pauses)
	same(t, "confirmations", []state.Confirmation{c}, st.Confirmations)
	lifted, err := s.Resumed(t.Context(), "pilot", tenant, signed(at))
	must(t, err)
	same(t, "lifted", pauses[1:], lifted)
	after := read(t, s)
	same(t, "pauses", pauses[:1], after.Pauses)
	if after.Objects[0].Paused || after.Serial <= st.Serial {
		t.Errorf("object %+v, serial %d after %d", after.Objects[0], after.Serial, st.Serial)
	}
	lifted, err = s.Resumed(t.Context(), "other", uuid.Nil, signed(at))
	must(t, err)
	same(t, "lifted of another wave", 0, len(lifted))
	must(t, r.Lift(t.Context(), []string{r.ID()}, at))
	same(t, "pauses", []state.Pause(nil), read(t, s).Pauses)
}

// logins: another synced time than the one that is recorded is a login, of a user who is moved and whose link we wrote, until
// the row has a time of completion.
func logins(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	later := at.Add(time.Hour)
	list := intents(r, f.Users[:6])
	slices.SortFunc(list, func(a, b state.Intent) int { return slices.Compare(a.User[:], b.User[:]) })
	for i := range list {
		a := &list[i].After
		a.Standing, a.WroteLink, a.Synced = state.Moved, true, at
	}
	list[2].After.Synced = time.Time{} // not known
	list[3].After.WroteLink = false
	list[4].After.Standing = state.RolledBack
	must(t, r.Intend(t.Context(), list))
	must(t, r.Settle(t.Context(), nil, outcomes(list), state.Position{Segment: 1}))
	got := func() (found []state.Login) {
		for l, err := range s.Logins(t.Context()) {
			must(t, err)
			found = append(found, l)
		}
		slices.SortFunc(found, func(a, b state.Login) int { return slices.Compare(a.User[:], b.User[:]) })
		return found
	}
	same(t, "before the rows have such columns", nil, got())
	for i, when := range []time.Time{later, at, later, later, later} {
		f.Login(list[i].User, list[i].After.Person, when)
	}
	f.Login(list[5].User, uuid.New(), later) // as somebody else
	want := []state.Login{{User: list[0].User, Person: list[0].After.Person, Synced: later}}
	same(t, "logins", want, got())
	f.Login(list[1].User, list[1].After.Person, later.Add(time.Second))
	same(t, "logins", append(want, state.Login{User: list[1].User, Person: list[1].After.Person, Synced: later.Add(time.Second)}), got())
}

// signed is somebody's doing.
func signed(at time.Time) state.Signed {
	return state.Signed{By: "ben@laptop", Reason: "they are \"ready\"", At: at}
}

// events are what was done to waves, in short.
func events(t *testing.T, s state.Store) (list []string) {
	t.Helper()
	all, err := s.WaveEvents(t.Context())
	must(t, err)
	for _, e := range all {
		text := string(e.Act) + " " + e.Wave
		for _, more := range []string{e.Gate, e.Run, e.By, e.Reason} {
			if more != "" {
				text += ", " + more
			}
		}
		if e.Tenant != uuid.Nil {
			text += ", a tenant"
		}
		if e.At.IsZero() {
			t.Errorf("%s: at no time", text)
		}
		list = append(list, text)
	}
	return list
}

// pauses: a person's needs no lock, is there once, stands beside those of rollbacks, and goes with them or without; who paused and
// resumed, when and why, stays.
func pauses(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	tenant := f.Users[0].Tenant
	own := state.Pause{Wave: "pilot", By: "ana@laptop", Reason: "phones", At: at}
	ofTenant, back := own, state.Pause{Wave: "pilot", Run: r.ID(), By: "ana@laptop", At: at.Add(time.Second)}
	ofTenant.Tenant = tenant
	beside := f.Open() // another process: the lock is s's
	for _, p := range []state.Pause{own, ofTenant} {
		serial := read(t, s).Serial
		for i, want := range []bool{true, false} {
			p.Reason = own.Reason + []string{"", " again"}[i]
			paused, err := beside.Pause(t.Context(), p)
			must(t, err)
			same(t, "paused", want, paused)
			same(t, "serial", serial+1, read(t, s).Serial)
		}
	}
	must(t, r.Pause(t.Context(), []state.Pause{back}))
	all := []state.Pause{own, back, ofTenant}
	same(t, "pauses", all, read(t, s).Pauses)
	now, err := s.Pauses(t.Context())
	must(t, err)
	same(t, "pauses just now", all, now)
	// Undoing the rollback lifts its own alone.
	must(t, r.Lift(t.Context(), []string{r.ID(), ""}, at))
	same(t, "pauses after the rollback was undone", []state.Pause{own, ofTenant}, read(t, s).Pauses)
	must(t, r.Pause(t.Context(), []state.Pause{back}))
	lifted, err := s.Resumed(t.Context(), "pilot", tenant, signed(at))
	must(t, err)
	same(t, "lifted of the tenant", []state.Pause{ofTenant}, lifted)
	lifted, err = s.Resumed(t.Context(), "pilot", uuid.Nil, state.Signed{By: "cleo@laptop", At: at})
	must(t, err)
	same(t, "lifted", []state.Pause{own, back}, lifted)
	same(t, "pauses at last", 0, len(read(t, s).Pauses))
	paused, err := beside.Pause(t.Context(), own)
	must(t, err)
	same(t, "paused once more", true, paused)
	id := r.ID()
	same(t, "history", []string{
		"pause pilot, ana@laptop, phones", "pause pilot, ana@laptop, phones, a tenant", "pause pilot, " + id + ", ana@laptop",
		"resume pilot, " + id + ", ana@laptop", "pause pilot, " + id + ", ana@laptop",
		`resume pilot, ben@laptop, they are "ready", a tenant`, "resume pilot, cleo@laptop", "resume pilot, cleo@laptop",
		"pause pilot, ana@laptop, phones",
	}, events(t, f.Open()))
}

// pauseAbsent: where there is no state nothing is paused, and nothing is made.
func pauseAbsent(t *testing.T, f Fixture) {
	s := f.Open()
	for range 2 {
		if _, err := s.Pause(t.Context(), state.Pause{Wave: "pilot", At: time.Now()}); !errors.Is(err, state.ErrNoState) {
			t.Errorf("error %v", err)
		}
	}
	same(t, "state", &state.State{}, read(t, s))
	same(t, "history", 0, len(events(t, s)))
}

// unconfirm: a gate that is closed again stays so until it is confirmed anew, and the history has all of it. Of a gate that
// each tenant opens, one tenant's confirmation may go, or all.
func unconfirm(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	c := state.Confirmation{Wave: "pilot", Gate: "support", By: "ana@laptop", Note: "staffed", At: at}
	other := c
	other.Wave = "rest"
	for _, one := range []state.Confirmation{c, c, other} {
		must(t, s.Confirm(t.Context(), one))
	}
	g := state.WaveGate{Wave: "pilot", Name: "support"}
	for _, want := range []bool{true, false} {
		was, err := s.Unconfirm(t.Context(), g, signed(at))
		must(t, err)
		same(t, "was confirmed", want, was)
	}
	same(t, "confirmations", []state.Confirmation{other}, read(t, s).Confirmations)
	must(t, s.Confirm(t.Context(), c))
	must(t, r.Unconfirm(t.Context(), []state.WaveGate{g, {Wave: "pilot", Name: "none"}}, at))
	same(t, "confirmations after a rollback", []state.Confirmation{other}, read(t, s).Confirmations)
	ofTenant, ofNext := c, c
	ofTenant.Tenant, ofNext.Tenant = uuid.UUID{1}, uuid.UUID{2}
	confirm := func() {
		must(t, s.Confirm(t.Context(), ofTenant))
		must(t, s.Confirm(t.Context(), ofNext))
	}
	confirm()
	for _, want := range []bool{true, false} {
		was, err := s.Unconfirm(t.Context(), state.WaveGate{Wave: g.Wave, Name: g.Name, Tenant: ofTenant.Tenant}, signed(at))
		must(t, err)
		same(t, "was confirmed for the tenant", want, was)
	}
	same(t, "confirmations without the tenant's", []state.Confirmation{other, ofNext}, read(t, s).Confirmations)
	confirm()
	was, err := s.Unconfirm(t.Context(), g, signed(at))
	must(t, err)
	same(t, "was confirmed for some", true, was)
	confirm()
	must(t, r.Unconfirm(t.Context(), []state.WaveGate{g}, at))
	same(t, "confirmations at last", []state.Confirmation{other}, read(t, s).Confirmations)
	opened := "confirm pilot, support, ana@laptop, staffed, a tenant"
	same(t, "history", []string{
		"confirm pilot, support, ana@laptop, staffed", "confirm pilot, support, ana@laptop, staffed", "confirm rest, support, ana@laptop, staffed",
		`unconfirm pilot, support, ben@laptop, they are "ready"`, "confirm pilot, support, ana@laptop, staffed",
		"unconfirm pilot, support, " + r.ID() + ", ana@laptop", opened, opened,
		`unconfirm pilot, support, ben@laptop, they are "ready", a tenant`, opened, opened,
		`unconfirm pilot, support, ben@laptop, they are "ready"`, opened, opened,
		"unconfirm pilot, support, " + r.ID() + ", ana@laptop",
	}, events(t, s))
}

// wishes: there is one of a kind, until it is withdrawn or used up.
func wishes(t *testing.T, f Fixture) {
	s := bound(t, f)
	r := begin(t, s)
	at := time.Date(2026, 12, 7, 9, 0, 0, 1000, time.UTC)
	start := state.Wish{Wave: "pilot", Kind: state.WishStart, Signed: signed(at)}
	soak, accept := start, start
	soak.Kind, accept.Kind, accept.Wave = state.WishSoak, state.WishAccept, "other"
	for _, w := range []state.Wish{start, {Wave: "pilot", Kind: state.WishSoak, Signed: state.Signed{At: at}}, soak, accept} {
		must(t, s.Wish(t.Context(), w))
	}
	same(t, "wishes", []state.Wish{accept, soak, start}, read(t, s).Wishes)
	for _, want := range []bool{true, false} {
		was, err := s.Withdraw(t.Context(), "pilot", state.WishStart, signed(at))
		must(t, err)
		same(t, "was wished", want, was)
	}
	must(t, r.Wished(t.Context(), []state.Wish{soak, start}, state.ActUse, at))
	same(t, "wishes", []state.Wish{accept}, read(t, s).Wishes)
	must(t, r.Wished(t.Context(), []state.Wish{accept}, state.ActWithdraw, at))
	same(t, "wishes at last", 0, len(read(t, s).Wishes))
	why := `, ben@laptop, they are "ready"`
	same(t, "history", []string{
		"promote pilot, start" + why, "promote pilot, soak", "promote pilot, soak" + why, "accept other, accept" + why,
		"withdraw pilot, start" + why, "use pilot, soak, " + r.ID() + ", ana@laptop", "withdraw other, accept, " + r.ID() + ", ana@laptop",
	}, events(t, s))
}

// userWaves: a wave is known by its users, settled or on their way, before and after the wave itself is recorded.
func userWaves(t *testing.T, f Fixture) {
	known := func(s state.Store, want ...string) {
		t.Helper()
		got, err := s.UserWaves(t.Context())
		must(t, err)
		same(t, "waves", want, got)
	}
	known(f.Open())
	s := bound(t, f)
	known(s)
	r := begin(t, s)
	list := intents(r, f.Users[:3])
	list[1].Wave, list[1].After.Wave, list[2].Wave = "Zulu", "Zulu", "on its way"
	must(t, r.Intend(t.Context(), list))
	known(s, "Zulu", "on its way", "pilot")
	must(t, r.Settle(t.Context(), nil, outcomes(list[:2]), state.Position{Segment: 1}))
	known(f.Open(), "Zulu", "on its way", "pilot")
	back := intents(r, f.Users[:1])
	back[0].After.Standing = state.RolledBack
	must(t, r.Intend(t.Context(), back))
	must(t, r.Settle(t.Context(), nil, outcomes(back), state.Position{Segment: 2}))
	known(s, "Zulu", "on its way", "pilot")
}

// userPolicies: a policy is known by the users who stand moved under it, and by nobody who is on its way or was taken back.
func userPolicies(t *testing.T, f Fixture) {
	known := func(s state.Store, want ...string) {
		t.Helper()
		got, err := s.UserPolicies(t.Context())
		must(t, err)
		same(t, "policies", want, got)
	}
	known(f.Open())
	s := bound(t, f)
	known(s)
	r := begin(t, s)
	list := intents(r, f.Users[:3])
	list[0].After.Policy, list[1].After.Policy, list[2].After.Policy = "dual", "Zulu", "dual"
	must(t, r.Intend(t.Context(), list))
	known(s)
	must(t, r.Settle(t.Context(), nil, outcomes(list), state.Position{Segment: 1}))
	known(f.Open(), "Zulu", "dual")
	back := intents(r, f.Users[1:2])
	back[0].After.Policy, back[0].After.Standing = "Zulu", state.RolledBack
	must(t, r.Intend(t.Context(), back))
	known(s, "Zulu", "dual")
	must(t, r.Settle(t.Context(), nil, outcomes(back), state.Position{Segment: 2}))
	known(s, "dual")
}

// mailTo is the invitation of a user, as a run chooses it.
func mailTo(u User, round int) *state.Mail {
	return &state.Mail{
		ID: state.MailID(target.FirstLineage(), u.ID, state.LetterInvitation, round), User: u.ID, Wave: "pilot",
		Letter: state.LetterInvitation, Round: round, Link: state.LinkCode, Unverified: round == 2, Template: state.Hash{7},
		Status: state.MailChosen, Chosen: time.Date(2026, 12, 7, 9, 0, round, 1000, time.UTC),
	}
}

// choosing settles users with a mail each; nobody is only written to but the last.
func choosing(t *testing.T, f Fixture, r state.Run, commit bool, round int, users []User) {
	t.Helper()
	list := intents(r, users[:len(users)-1])
	must(t, r.Intend(t.Context(), list))
	out := outcomes(list)
	for i := range out {
		out[i].Mail = mailTo(users[i], round)
	}
	last := users[len(users)-1]
	out = append(out, state.Outcome{User: last.ID, Tenant: last.Tenant, Wave: "pilot", Verdict: state.Done, Mail: mailTo(last, round)})
	must(t, f.InTx(commit, func(tx state.Tx) error { return r.Settle(t.Context(), tx, out, state.Position{Segment: round}) }))
}

// mails: a mail is chosen with its user or not at all, once however often that is tried, and each step from there on is kept. What may
// have been sent is not chosen again.
func mails(t *testing.T, f Fixture) {
	s := f.Open()
	for range s.Mails(t.Context()) {
		t.Error("a mail of no state")
	}
	s = bound(t, f)
	moved(t, s, f, 3) // whoever is only written to is recorded already
	open := read(t, s).OpenRun()
	r, err := s.Resume(t.Context(), open.ID)
	must(t, err)
	users, at := f.Users[:3], time.Date(2026, 12, 7, 10, 0, 0, 2000, time.UTC)
	choosing(t, f, r, false, 1, users)
	list, err := r.OpenMails(t.Context(), 10)
	must(t, err)
	same(t, "mails of a settlement that was lost", 0, len(list))
	choosing(t, f, r, true, 1, users)
	choosing(t, f, r, true, 1, users)
	list, err = r.OpenMails(t.Context(), 10)
	must(t, err)
	same(t, "chosen", 3, len(list))
	some, err := r.OpenMails(t.Context(), 2)
	must(t, err)
	same(t, "the first of them", list[:2], some)
	byUser := func() map[uuid.UUID]state.Mail {
		t.Helper()
		all := map[uuid.UUID]state.Mail{}
		list, err := s.MailsOf(t.Context(), []uuid.UUID{users[0].ID, users[1].ID, users[2].ID})
		must(t, err)
		for _, m := range list {
			all[m.User] = m
		}
		for m, err := range s.Mails(t.Context()) {
			must(t, err)
			is := all[m.User]
			same(t, "a mail as plans see it", state.Mail{User: is.User, Letter: is.Letter, Round: is.Round, Link: is.Link, Wave: is.Wave, Status: is.Status, Past: is.Past,
				Ended: is.Ended}, m)
		}
		return all
	}
	want := *mailTo(users[0], 1)
	want.Run = r.ID()
	same(t, "a chosen mail", want, byUser()[users[0].ID])
	ids := []uuid.UUID{want.ID, mailTo(users[1], 1).ID, mailTo(users[2], 1).ID}
	for _, id := range ids {
		must(t, r.Handing(t.Context(), id, state.LinkLogin, at))
	}
	want.Status, want.Link, want.Rendered = state.MailRendered, state.LinkLogin, at
	same(t, "a mail that is about to be handed over", want, byUser()[users[0].ID])
	reply := state.MailReply{Code: 550, Enhanced: "5.1.1"}
	must(t, r.Handed(t.Context(), state.MailOutcome{ID: ids[0], Status: state.MailTaken, At: at.Add(time.Second)},
		state.MailOutcome{ID: ids[1], Status: state.MailRefused, At: at, MailReply: reply}))
	must(t, r.DoubtMails(t.Context(), at.Add(time.Minute)))
	want.Status, want.Ended = state.MailTaken, at.Add(time.Second)
	now := byUser()
	same(t, "a mail that was taken", want, now[users[0].ID])
	same(t, "the reply to one that was refused", reply, now[users[1].ID].MailReply)
	same(t, "one that was on its way", state.MailDoubtful, now[users[2].ID].Status)
	choosing(t, f, r, true, 1, users)
	list, err = r.OpenMails(t.Context(), 10)
	must(t, err)
	same(t, "chosen though they may have been sent", 0, len(list))
	// Who has it not is chosen again under the same id.
	must(t, r.Handed(t.Context(), state.MailOutcome{ID: ids[1], Status: state.MailLater, At: at}))
	choosing(t, f, r, true, 1, users)
	list, err = r.OpenMails(t.Context(), 10)
	must(t, err)
	same(t, "chosen once more", []state.Mail{func() state.Mail { m := *mailTo(users[1], 1); m.Run = r.ID(); return m }()}, list)
	tally, err := s.MailTally(t.Context(), r.ID())
	must(t, err)
	same(t, "counts", []state.MailTally{
		{Wave: "pilot", Letter: state.LetterInvitation, Link: state.LinkCode, Status: state.MailChosen, Mails: 1},
		{Wave: "pilot", Letter: state.LetterInvitation, Link: state.LinkLogin, Status: state.MailDoubtful, Mails: 1},
		{Wave: "pilot", Letter: state.LetterInvitation, Link: state.LinkLogin, Status: state.MailTaken, Mails: 1},
	}, tally)
	left, err := s.MailsLeft(t.Context(), r.ID(), 10)
	must(t, err)
	same(t, "not taken", 2, len(left))
	doubtful, err := s.DoubtfulMails(t.Context())
	must(t, err)
	same(t, "in doubt", ids[2:], []uuid.UUID{doubtful[0].ID})
	n, err := s.SettleDoubtful(t.Context(), at)
	must(t, err)
	same(t, "settled", int64(1), n)
	back, err := s.Bounced(t.Context(), []state.MailOutcome{{ID: ids[0], At: at, MailReply: reply}, {ID: ids[1], At: at}, {ID: uuid.New(), At: at}})
	must(t, err)
	same(t, "came back", []state.Mail{want}, back)
	must(t, s.Shown(t.Context(), state.Mail{User: users[0].ID, Wave: "pilot", Ended: at, By: "ana@laptop", Reason: "telephone"}))
	of, err := s.MailsOf(t.Context(), []uuid.UUID{users[0].ID})
	must(t, err)
	if len(of) != 2 || of[0].Status != state.MailRefused || of[1].Letter != state.LetterPrinted || of[1].By != "ana@laptop" || of[1].Reason != "telephone" {
		t.Errorf("mails of a user: %+v", of)
	}
}

// shownAtOnce: however many ask for a code of a user at the same moment, as many have one as may, and mails of that day count with them.
func shownAtOnce(t *testing.T, f Fixture) {
	s := bound(t, f)
	moved(t, s, f, 3)
	at := time.Date(2026, 12, 7, 10, 0, 0, 2000, time.UTC)
	ask := func(user uuid.UUID, want int) {
		t.Helper()
		shown := make(chan error)
		const askers = 12
		for range askers {
			go func() {
				shown <- s.Shown(t.Context(), state.Mail{User: user, Wave: "pilot", Ended: at, By: "ana@laptop"})
			}()
		}
		n := 0
		for range askers {
			switch err := <-shown; {
			case err == nil:
				n++
			case !errors.Is(err, state.ErrAskedEnough):
				t.Error(err)
			}
		}
		same(t, "codes that were shown", want, n)
	}
	ask(f.Users[0].ID, state.MostAsked)
	n, err := s.AskedLately(t.Context(), f.Users[0].ID, at.Add(state.AskedWithin-time.Second))
	must(t, err)
	same(t, "within the day", state.MostAsked, n)
	n, err = s.AskedLately(t.Context(), f.Users[0].ID, at.Add(state.AskedWithin))
	must(t, err)
	same(t, "after the day", 0, n)

	// A mail that the run has chosen and is about to send counts; one for whom somebody asks is withdrawn where there were enough.
	r, err := s.Resume(t.Context(), read(t, s).OpenRun().ID)
	must(t, err)
	chosen := func(u User) {
		t.Helper()
		m := mailTo(u, 1)
		m.Chosen, m.Asked = at, true
		out := []state.Outcome{{User: u.ID, Tenant: u.Tenant, Wave: "pilot", Verdict: state.Done, Mail: m}}
		must(t, r.Settle(t.Context(), nil, out, r.Position()))
	}
	chosen(f.Users[1])
	ask(f.Users[1].ID, state.MostAsked-1)
	chosen(f.Users[0])
	for i, want := range []state.MailStatus{state.MailWithdrawn, state.MailChosen} {
		list, err := s.MailsOf(t.Context(), []uuid.UUID{f.Users[i].ID})
		must(t, err)
		for _, m := range list {
			if m.Letter == state.LetterInvitation && (m.Status != want || (m.Why == state.CodeMailEnough) != (want == state.MailWithdrawn)) {
				t.Errorf("the mail of user %d is %s %s, want %s", i, m.Status, m.Why, want)
			}
		}
		same(t, "mails of the outbox", state.MostAsked+1-i, len(list))
	}
}

// mailsBack: who is taken back is not invited any more, and what was not sent is not sent.
func mailsBack(t *testing.T, f Fixture) {
	s := bound(t, f)
	moved(t, s, f, 2)
	r, err := s.Resume(t.Context(), read(t, s).OpenRun().ID)
	must(t, err)
	users, at := f.Users[:2], time.Date(2026, 12, 7, 10, 0, 0, 2000, time.UTC)
	choosing(t, f, r, true, 1, users)
	first := mailTo(users[0], 1).ID
	must(t, r.Handed(t.Context(), state.MailOutcome{ID: first, Status: state.MailTaken, At: at}))
	list := intents(r, users)
	for i := range list {
		list[i].After.Standing = state.RolledBack
	}
	must(t, r.Intend(t.Context(), list))
	must(t, r.Settle(t.Context(), nil, outcomes(list), state.Position{Segment: 2}))
	sums := map[uuid.UUID]*state.Mailed{}
	for m, err := range s.Mails(t.Context()) {
		must(t, err)
		if !m.Past {
			t.Errorf("a mail that counts still: %+v", m)
		}
		if sums[m.User] == nil {
			sums[m.User] = &state.Mailed{}
		}
		sums[m.User].Add(m)
	}
	same(t, "of who was invited", state.Mailed{Invitations: 1, Again: true}, *sums[users[0].ID])
	same(t, "of who was not", state.Mailed{}, *sums[users[1].ID])
	open, err := r.OpenMails(t.Context(), 10)
	must(t, err)
	same(t, "still to be sent", 0, len(open))
	// Moved again, both may be written to: who was not under the same id.
	choosing(t, f, r, true, 1, users)
	open, err = r.OpenMails(t.Context(), 10)
	must(t, err)
	if len(open) != 1 || open[0].User != users[1].ID || open[0].Past {
		t.Errorf("chosen again: %+v", open)
	}
}

func chained(t *testing.T, f Fixture) {
	s := bound(t, f)
	var last state.Hash
	var closed []state.RunInfo
	for i := range 3 {
		r := moved(t, s, f, 1)
		info, err := r.Close(t.Context(), state.OutcomeDone, 2)
		must(t, err)
		want := head
		want.ID, want.Outcome, want.Changed = r.ID(), state.OutcomeDone, true
		want.Counts = state.Counts{Done: 1, Retries: 2}
		want.Previous, want.Digest, want.Ended = last, info.Digest, info.Ended
		same(t, "run", want, info)
		if digest, err := book.RunDigest(info); err != nil || digest != info.Digest || info.Ended.IsZero() {
			t.Errorf("run %d: digest %v, %v; %+v", i, digest, err, info)
		}
		closed, last = append(closed, info), info.Digest
	}
	same(t, "runs", closed, read(t, s).Runs)
	st := read(t, s)
	var ids []string
	for _, r := range st.Runs {
		ids = append(ids, r.ID)
	}
	same(t, "ids", []string{"2026-12-07-1", "2026-12-07-2", "2026-12-07-3"}, ids)
	r := begin(t, s)
	must(t, r.Undone(t.Context(), ids[:2], true))
	must(t, r.Undone(t.Context(), ids[:1], false))
	st = read(t, s)
	if st.Runs[0].Undone || !st.Runs[1].Undone || st.Runs[2].Undone {
		t.Errorf("undone %v %v %v", st.Runs[0].Undone, st.Runs[1].Undone, st.Runs[2].Undone)
	}
}

func oneOpen(t *testing.T, f Fixture) {
	s := bound(t, f)
	begin(t, s)
	open := head
	open.ID, open.Open = "2026-12-07-1", true
	same(t, "runs", []state.RunInfo{open}, read(t, s).Runs)
	_, err := s.Begin(t.Context(), head, bytes.NewReader(nil))
	if !errors.Is(err, state.ErrOpenRun) {
		t.Errorf("error %v", err)
	}
}

// forgotten: nothing is kept of a user who is forgotten, whose row is gone, but that somebody wanted it; what runs count, their
// digests, and everybody else, stay as they were.
func forgotten(t *testing.T, f Fixture) {
	s := bound(t, f)
	user, by := f.Users[0].ID, state.Signed{By: "ana@laptop", Reason: "asked for it", At: time.Date(2026, 12, 8, 9, 0, 0, 0, time.UTC)}
	refuses := func(want error) {
		t.Helper()
		if _, err := s.Forget(t.Context(), user, by); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	r := begin(t, s)
	list := intents(r, f.Users[:2])
	must(t, r.Intend(t.Context(), list))
	f.Delete(user)
	refuses(state.ErrOpenRun)
	out := outcomes(list)
	out[1].Verdict, out[1].Recorded, out[1].Reason = state.Refused, nil, refused
	must(t, r.Settle(t.Context(), nil, out, state.Position{Segment: 1}))
	_, err := r.Close(t.Context(), state.OutcomeDone, 0)
	must(t, err)
	other := f.Users[1].ID
	user = other
	refuses(state.ErrRowThere)
	user = uuid.New()
	refuses(state.ErrNothingKept)
	user = f.Users[0].ID
	was, err := s.WasForgotten(t.Context(), user)
	must(t, err)
	same(t, "before", (*state.Forgotten)(nil), was)

	before := read(t, s)
	tally1, err := s.Tally(t.Context(), r.ID())
	must(t, err)
	got, err := s.Forget(t.Context(), user, by)
	must(t, err)
	want := state.Forgotten{Runs: []string{r.ID()}, Records: 1, Signed: by}
	same(t, "forgotten", want, got)
	was, err = s.WasForgotten(t.Context(), user)
	must(t, err)
	same(t, "who wanted it", &want, was)
	for runs, n := range map[string]int64{r.ID(): 1, "2026-12-07-9": 0} {
		if got, err := s.ForgottenOf(t.Context(), []string{runs}); err != nil || got != n {
			t.Errorf("%d forgotten of %s, %v", got, runs, err)
		}
	}
	refuses(state.ErrNothingKept)

	same(t, "runs", before.Runs, read(t, s).Runs)
	for _, run := range read(t, s).Runs {
		if digest, err := book.RunDigest(run); err != nil || digest != run.Digest {
			t.Errorf("the digest of run %s is another one", run.ID)
		}
	}
	tally(t, s, r.ID(), tally1...)
	for u, err := range s.Users(t.Context()) {
		must(t, err)
		if u.User == user {
			t.Error("the user is recorded still")
		}
	}
	for rec, err := range s.Records(t.Context(), []string{r.ID()}) {
		must(t, err)
		if rec.User != other {
			t.Errorf("a record of %s", rec.User)
		}
	}
	of, err := s.RecordsOf(t.Context(), user)
	must(t, err)
	left, err := s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	if len(of) > 0 || len(left) != 1 || left[0].User != other {
		t.Errorf("records of the user %v, left %v", of, left)
	}
	// Whose outcome was a remainder is not listed as nobody.
	f.Delete(other)
	_, err = s.Forget(t.Context(), other, by)
	must(t, err)
	left, err = s.Remainder(t.Context(), r.ID(), 10)
	must(t, err)
	same(t, "remainder", []state.Record{}, left)
}
