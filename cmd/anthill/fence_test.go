package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/scratchidm/idmtest"
	"anthill/internal/scratchpg"
	"anthill/internal/selfauthd"
)

// sleeper is an emulator that gives a write of anthill to a function, before it is done.
type sleeper struct {
	server
	writes atomic.Int64 // seen so far
	at     atomic.Int64 // the one that see is called with; 0 none
	see    atomic.Pointer[func(w http.ResponseWriter) (answered bool)]
	done   chan struct{} // that one is done, or refused
}

func newSleeper(t *testing.T) *sleeper {
	t.Helper()
	s := &sleeper{done: make(chan struct{})}
	s.server = emulatorWith(t, selfauthd.Options{
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if !isWrite(r) || !strings.HasPrefix(r.UserAgent(), "anthill/") {
				return false
			}
			n := s.writes.Add(1)
			if n != s.at.Load() {
				return false
			}
			// All of it has come: a process that is frozen sends no more.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return false
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			go func() {
				<-r.Context().Done() // ends with its handling
				close(s.done)
			}()
			return (*s.see.Load())(w)
		},
	})
	return s
}

// with calls f with the n-th write, once.
func (s *sleeper) with(n int64, f func(w http.ResponseWriter) (answered bool)) {
	s.see.Store(&f)
	s.at.Store(n)
}

// hold keeps the n-th write from being done until goOn is called.
func (s *sleeper) hold(n int64) (reached <-chan struct{}, goOn func()) {
	here, on := make(chan struct{}), make(chan struct{})
	s.with(n, func(http.ResponseWriter) bool {
		close(here)
		<-on
		return false
	})
	return here, func() { close(on) }
}

// await waits for what a server tells.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing came within two minutes")
	}
	panic("unreachable")
}

// subprocess is anthill as a process of its own.
type subprocess struct {
	*exec.Cmd
	out bytes.Buffer
}

func (w *world) subprocess(args ...string) *subprocess {
	w.t.Helper()
	p := &subprocess{Cmd: w.command(args...)}
	p.Stdout, p.Stderr = &p.out, &p.out
	return p
}

func (w *world) begin(p *subprocess) {
	w.t.Helper()
	if err := p.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if p.ProcessState == nil {
			_ = p.Process.Kill()
			_ = p.Wait()
		}
	})
}

// freeze stops a process as a stalled machine would, and returns when it stands still.
func (p *subprocess) freeze() error {
	if err := p.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(p.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil {
		return err
	}
	if !status.Stopped() {
		return fmt.Errorf("it did not stop: %v", status)
	}
	return nil
}

// wake lets it go on to its end, and demands an exit status.
func (p *subprocess) wake(t *testing.T, want int) {
	t.Helper()
	if err := p.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.ends(t, want)
}

func (p *subprocess) ends(t *testing.T, want int) {
	t.Helper()
	_ = p.Wait() // its exit status is looked at next
	if got := p.ProcessState.ExitCode(); got != want {
		t.Errorf("%s: exit status %d, want %d\n%s", strings.Join(p.Args, " "), got, want, p.out.String())
	}
}

const (
	lockSession = "anthill lock %"
	allSessions = "anthill %"
)

// endSessions ends sessions of anthill by their names, as an administrator or a broken network would, and returns when
// they are gone.
func (w *world) endSessions(like string) {
	w.t.Helper()
	var ended, gone int
	err := w.connect().QueryRow(w.t.Context(), `select count(*), count(*) filter (where pg_terminate_backend(pid, 20000))
		from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and application_name like $1`,
		like).Scan(&ended, &gone)
	if err != nil || ended == 0 || gone != ended {
		w.t.Fatalf("%d sessions, %d ended, %v", ended, gone, err)
	}
}

// gateNumber is the advisory lock on which gates wait; atTheGate asks whether somebody does.
const (
	gateNumber = 42
	atTheGate  = `select exists (select from pg_locks where locktype = 'advisory' and objid = $1 and not granted
		and database = (select oid from pg_database where datname = current_database()))`
)

// gate makes a table of the world wait before a write until open is called: so a process can be found in the middle of
// a transaction.
func (w *world) gate(table, when string) (waiting, open func()) {
	w.t.Helper()
	c := w.connect()
	for _, sql := range []string{
		`create function public.gate() returns trigger language plpgsql as
			$$ begin perform pg_advisory_xact_lock(` + fmt.Sprint(gateNumber) + `); return new; end $$`,
		"create trigger gate before " + when + " execute function public.gate()",
		"select pg_advisory_lock(" + fmt.Sprint(gateNumber) + ")",
	} {
		if _, err := c.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatalf("%s: %v", table, err)
		}
	}
	waiting = func() {
		w.until("somebody waits at the gate of "+table, atTheGate, gateNumber)
	}
	open = func() {
		if _, err := c.Exec(w.t.Context(), "select pg_advisory_unlock($1)", gateNumber); err != nil {
			w.t.Fatal(err)
		}
	}
	return waiting, open
}

// until asks the server until the answer is yes.
func (w *world) until(what, sql string, args ...any) {
	w.t.Helper()
	c := w.connect()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		var yes bool
		if err := c.QueryRow(w.t.Context(), sql, args...).Scan(&yes); err != nil {
			w.t.Fatalf("%s: %v", what, err)
		}
		if yes {
			return
		}
	}
	w.t.Fatalf("not within a minute: %s", what)
}

// strange counts who can log in, and who is in a tenant's group, though no row is linked to them.
func (w *world) strange() (persons, members int) {
	w.t.Helper()
	d, linked := w.directory(), map[uuid.UUID]bool{}
	for _, r := range w.rows() {
		if r.linked {
			linked[r.link] = true
		}
	}
	for id, p := range d.persons {
		if !p.Expired && !linked[id] {
			persons++
		}
	}
	for name, g := range d.groups {
		for _, m := range g.Members {
			if strings.HasPrefix(name, "tenant_") && !linked[m] {
				members++
			}
		}
	}
	return persons, members
}

// small is a world in which one apply takes some twenty writes.
func small(t *testing.T, s server) *world {
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 400, Seed: 11}, s)
	w.config(everyone + waveEveryone)
	return w
}

var takingBack = [][]string{
	{"rollback", "-auto-approve"},
	{"rollback", "-wave", "everyone", "-tenant", "acme", "-auto-approve"},
}

// TestCoreFrozen freezes apply in the middle, ends its sessions, has another process take back what it did, and wakes
// it: it does nothing more. The write in whose middle it was frozen is done at once, or only when all is over.
func TestCoreFrozen(t *testing.T) {
	t.Parallel()
	n := 0
	for _, at := range []int64{2, 3, 4, 6} {
		for _, back := range takingBack {
			sessions, late := []string{allSessions, lockSession}[n%2], n%3 == 0
			n++
			t.Run(fmt.Sprint(at, " ", strings.Join(back, " ")), func(t *testing.T) {
				t.Parallel()
				testFrozen(t, at, back, sessions, late)
			})
		}
	}
}

func testFrozen(t *testing.T, at int64, back []string, sessions string, late bool) {
	s := newSleeper(t)
	w := small(t, s.server)
	apply := w.subprocess("apply", "-auto-approve")
	frozen, send := make(chan error, 1), make(chan bool)
	s.with(at, func(http.ResponseWriter) bool {
		frozen <- apply.freeze()
		if late {
			<-send
		}
		return false
	})
	w.begin(apply)
	if err := await(t, frozen); err != nil {
		t.Fatal(err)
	}
	if !late {
		await(t, s.done)
	}
	w.endSessions(sessions)
	w.run(exitDone, back...)
	persons, members := w.strange()
	if persons != 0 || members != 0 {
		t.Errorf("after the rollback: %d persons, %d memberships of no row", persons, members)
	}
	before := s.writes.Load()
	close(send)
	await(t, s.done)
	apply.wake(t, exitStopped)
	if sent := s.writes.Load() - before; sent != 0 {
		t.Errorf("woken, it sent %d writes", sent)
	}
	if !strings.Contains(apply.out.String(), "lock") {
		t.Errorf("it does not say why it stopped:\n%s", apply.out.String())
	}
	if p, m := w.strange(); !late && (p > persons || m > members) {
		t.Errorf("woken, it enabled %d persons and joined %d", p-persons, m-members)
	}
	if n := w.number("select count(*) from anthill_state.runs where open"); n != 0 {
		t.Error("a run is open")
	}
	// The one request that was on its way when its run was taken over is healed by the next plan.
	w.run(exitDone, "apply", "-auto-approve")
	if p, m := w.strange(); p > 0 || m > 0 {
		t.Errorf("the next apply leaves %d persons and %d memberships of no row", p, m)
	}
}

// TestCoreFrozenAndFinished has another apply finish the run of one that is frozen: woken, that does nothing more.
func TestCoreFrozenAndFinished(t *testing.T) {
	t.Parallel()
	for _, sessions := range []string{allSessions, lockSession} {
		t.Run(sessions, func(t *testing.T) {
			t.Parallel()
			s := newSleeper(t)
			w := small(t, s.server)
			apply := w.subprocess("apply", "-auto-approve")
			frozen := make(chan error, 1)
			s.with(5, func(http.ResponseWriter) bool {
				frozen <- apply.freeze()
				return false
			})
			w.begin(apply)
			if err := await(t, frozen); err != nil {
				t.Fatal(err)
			}
			await(t, s.done)
			w.endSessions(sessions)
			w.run(exitDone, "apply", "-auto-approve")
			writes := s.writes.Load()
			apply.wake(t, exitStopped)
			if sent := s.writes.Load() - writes; sent != 0 {
				t.Errorf("woken, it sent %d writes", sent)
			}
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.checkMoved()
		})
	}
}

// TestCoreFrozenInPause freezes apply while it waits before another try of a call.
func TestCoreFrozenInPause(t *testing.T) {
	t.Parallel()
	s := newSleeper(t)
	w := small(t, s.server)
	before := w.fingerprint()
	apply := w.subprocess("apply", "-auto-approve")
	frozen := make(chan error, 1)
	s.with(3, func(a http.ResponseWriter) bool {
		a.Header().Set("Retry-After", "1")
		a.WriteHeader(http.StatusServiceUnavailable)
		a.(http.Flusher).Flush()
		frozen <- apply.freeze()
		return true
	})
	w.begin(apply)
	if err := await(t, frozen); err != nil {
		t.Fatal(err)
	}
	w.endSessions(lockSession)
	w.run(exitDone, "rollback", "-auto-approve")
	writes := s.writes.Load()
	apply.wake(t, exitStopped)
	if sent := s.writes.Load() - writes; sent != 0 {
		t.Errorf("woken, it sent %d writes", sent)
	}
	w.checkRolledBack(before)
}

// TestCoreFrozenInTransaction freezes apply in the middle of a transaction: the rows of users, and the one that closes
// the run. Whoever comes next ends that session, and what it had written is undone.
func TestCoreFrozenInTransaction(t *testing.T) {
	t.Parallel()
	for table, when := range map[string]string{
		"users":              "update on users for each row when (new.auth_method <> 'password')",
		"anthill_state.runs": "update on anthill_state.runs for each row when (old.open and not new.open)",
	} {
		for _, back := range [][]string{
			{"rollback", "-auto-approve"},
			{"rollback", "-wave", "everyone", "-tenant", "anthill", "-auto-approve"},
		} {
			t.Run(table+" "+strings.Join(back, " "), func(t *testing.T) {
				t.Parallel()
				s := newSleeper(t)
				// One batch: beside it no other is on its way, whose next request could have been looked at already.
				w := newWorld(t, sandbox.Options{Tenants: 1, Users: 100, Seed: 11}, s.server)
				w.config(everyone + waveEveryone)
				before := w.fingerprint()
				apply := w.subprocess("apply", "-auto-approve")
				reached, goOn := s.hold(1) // then state and columns are there
				w.begin(apply)
				await(t, reached)
				waiting, open := w.gate(table, when)
				goOn()
				waiting()
				if err := apply.freeze(); err != nil {
					t.Fatal(err)
				}
				w.endSessions(lockSession)
				open()
				w.until("the frozen transaction is idle", `select exists (select from pg_stat_activity
					where datname = current_database() and state like 'idle in transaction%')`)
				w.run(exitDone, append(back, "-lock-timeout", "0s")...)
				writes := s.writes.Load()
				apply.wake(t, exitStopped)
				if sent := s.writes.Load() - writes; sent != 0 {
					t.Errorf("woken, it sent %d writes", sent)
				}
				if len(back) == 2 {
					w.exec("drop trigger gate on " + table)
					w.checkRolledBack(before)
				}
				if persons, members := w.strange(); persons > 0 || members > 0 {
					t.Errorf("%d persons and %d memberships of no row", persons, members)
				}
			})
		}
	}
}

// TestCoreFrozenFirst freezes the very first apply while it makes the state: there is no epoch yet, and it makes none
// behind the one that comes.
func TestCoreFrozenFirst(t *testing.T) {
	t.Parallel()
	s := newSleeper(t)
	w := small(t, s.server)
	before := w.fingerprint()
	gate := w.connect()
	for _, sql := range []string{
		`create function public.gate() returns event_trigger language plpgsql as
			$$ begin perform pg_advisory_xact_lock(` + fmt.Sprint(gateNumber) + `); end $$`,
		"create event trigger gate on ddl_command_start when tag in ('CREATE SCHEMA') execute function public.gate()",
		"select pg_advisory_lock(" + fmt.Sprint(gateNumber) + ")",
	} {
		if _, err := gate.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	apply := w.subprocess("apply", "-auto-approve")
	w.begin(apply)
	w.until("the state is being made", atTheGate, gateNumber)
	if err := apply.freeze(); err != nil {
		t.Fatal(err)
	}
	w.endSessions(lockSession)
	if _, err := gate.Exec(t.Context(), "drop event trigger gate; select pg_advisory_unlock_all()"); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	writes := s.writes.Load()
	apply.wake(t, exitRefused)
	if sent := s.writes.Load() - writes; sent != 0 {
		t.Errorf("woken, it sent %d writes", sent)
	}
	w.checkRolledBack(before)
}

// TestCoreLockOnly ends only the session that holds the lock, and the process is well: it stops before it writes again,
// and says so; the next apply finishes.
func TestCoreLockOnly(t *testing.T) {
	t.Parallel()
	for _, at := range []int64{1, 5, 9} {
		t.Run(fmt.Sprint("write ", at), func(t *testing.T) {
			t.Parallel()
			s := newSleeper(t)
			w := small(t, s.server)
			reached, goOn := s.hold(at)
			apply := w.subprocess("apply", "-auto-approve")
			w.begin(apply)
			await(t, reached)
			w.endSessions(lockSession)
			goOn()
			apply.ends(t, exitStopped)
			if n := s.writes.Load(); n != at {
				t.Errorf("it sent %d writes, the lock was lost at %d", n, at)
			}
			if out := apply.out.String(); !strings.Contains(out, "holds the lock") || !strings.Contains(out, "anthill apply") {
				t.Errorf("it says:\n%s", out)
			}
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.checkMoved()
		})
	}
}

// elsewhere keeps the state in another schema.
const elsewhere = "anthill {\n  state \"postgres\" {\n    schema = \"elsewhere\"\n  }\n}\n"

// TestCoreOneLock: the lock is the database's, whatever schema a configuration keeps its state in, and a database has
// one state.
func TestCoreOneLock(t *testing.T) {
	t.Parallel()
	w := small(t, emulator(t))
	before := w.fingerprint()
	release := w.lock("somebody")
	w.run(exitLocked, "apply", "-auto-approve", "-lock-timeout", "0s")
	w.config(elsewhere + everyone + waveEveryone)
	_, errs := w.run(exitLocked, "apply", "-auto-approve", "-lock-timeout", "0s")
	if !strings.Contains(errs, "somebody") {
		t.Errorf("it does not say who holds the lock:\n%s", errs)
	}
	release()
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	moved := w.fingerprint()
	w.config(elsewhere + everyone + waveEveryone)
	for _, args := range [][]string{
		{"plan"}, {"status"}, {"apply", "-auto-approve"}, {"rollback", "-auto-approve"}, {"wave", "resume", "everyone"},
	} {
		_, errs := w.run(exitStale, args...)
		if !strings.Contains(errs, `"anthill_state"`) || !strings.Contains(errs, `"elsewhere"`) {
			t.Errorf("%v says:\n%s", args, errs)
		}
	}
	if w.fingerprint() != moved || w.number("select count(*) from pg_namespace where nspname = 'elsewhere'") != 0 {
		t.Error("something was changed")
	}
	w.config(everyone + waveEveryone)
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
}

// gated is a wave with gates that somebody confirms.
const gated = everyone + `
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { gates = [gate.one, gate.two, gate.three] }
}
gate "one" { manual = true }
gate "two" { manual = true }
gate "three" { manual = true }
`

// frozenConfirm is a world in which the confirmation of a gate was frozen in the middle of its transaction and has lost
// its lock.
func frozenConfirm(t *testing.T) (*world, *subprocess) {
	t.Helper()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	w.config(gated)
	w.run(exitDone, "wave", "confirm", "everyone", "one")
	waiting, open := w.gate("anthill_state.confirmations", "insert on anthill_state.confirmations for each row")
	confirm := w.subprocess("wave", "confirm", "everyone", "two")
	w.begin(confirm)
	waiting()
	if err := confirm.freeze(); err != nil {
		t.Fatal(err)
	}
	w.endSessions(lockSession)
	open()
	w.until("the frozen transaction is idle", `select exists (select from pg_stat_activity
		where datname = current_database() and state like 'idle in transaction%')`)
	return w, confirm
}

// TestCoreFrozenConfirm: commands that write nothing but the state are fenced as well.
func TestCoreFrozenConfirm(t *testing.T) {
	t.Parallel()
	w, confirm := frozenConfirm(t)
	w.run(exitDone, "wave", "confirm", "everyone", "three", "-lock-timeout", "0s")
	confirm.wake(t, exitRefused)
	if n := w.number("select count(*) from anthill_state.confirmations where gate = 'two'"); n != 0 {
		t.Error("the frozen confirmation was recorded")
	}
	w.run(exitDone, "wave", "confirm", "everyone", "two")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// TestCoreWeakTakeOver: a role that may not end the sessions in its way says whose they are and what to run.
func TestCoreWeakTakeOver(t *testing.T) {
	t.Parallel()
	w, confirm := frozenConfirm(t)
	role := "weak_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	w.exec("create role " + role + " login")
	t.Cleanup(func() { // t.Context() has ended here
		c, err := pgx.Connect(context.Background(), w.url)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		if _, err := c.Exec(context.Background(), "drop owned by "+role+"; drop role "+role); err != nil {
			t.Error(err)
		}
	})
	w.exec("grant pg_read_all_data, pg_write_all_data to " + role)
	w.exec("grant create on schema anthill_state to " + role)
	w.exec("grant usage on all sequences in schema anthill_state to " + role)
	w.exec("grant execute on function pg_control_system() to " + role)
	owner := w.env["DATABASE_URL"]
	w.env["DATABASE_URL"] = strings.Replace(owner, "anthill@", role+"@", 1)
	_, errs := w.run(exitLocked, "wave", "confirm", "everyone", "three", "-lock-timeout", "0s")
	if !strings.Contains(errs, "of role anthill") || !strings.Contains(errs, "role "+role) {
		t.Errorf("it does not say whose session it is:\n%s", errs)
	}
	_, statement, found := strings.Cut(errs, "SELECT pg_terminate_backend")
	if !found {
		t.Fatalf("it does not say what to run:\n%s", errs)
	}
	w.exec("SELECT pg_terminate_backend" + statement)
	w.run(exitDone, "wave", "confirm", "everyone", "three")
	confirm.wake(t, exitRefused)
}

// TestCorePostgresRestarts restarts Postgres in the middle of apply: the run stops, the epoch survives, and the next
// apply finishes.
func TestCorePostgresRestarts(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "anthill-fence-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	start := func() *scratchpg.Server {
		db, err := scratchpg.Start(context.Background(), scratchpg.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db := start()
	t.Cleanup(func() {
		if err := db.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := db.CreateDatabase(t.Context(), "app", ""); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Load(t.Context(), db.URL("app"), sandbox.Options{Tenants: 4, Users: 400, Seed: 11}); err != nil {
		t.Fatal(err)
	}
	s := newSleeper(t)
	w := attach(t, "", db.URL("app"), s.server)
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	reached, goOn := s.hold(5)
	apply := w.subprocess("apply", "-auto-approve")
	w.begin(apply)
	await(t, reached)
	if err := db.Stop(); err != nil {
		t.Error(err)
	}
	db = start()
	goOn()
	apply.ends(t, exitStopped)
	if n := s.writes.Load(); n != 5 {
		t.Errorf("it sent %d writes, the lock was lost at 5", n)
	}
	epoch := w.number("select epoch from anthill_state.epoch")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.number("select epoch from anthill_state.epoch"); n <= epoch {
		t.Errorf("epoch %d after %d", n, epoch)
	}
	w.checkMoved()
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
}

// TestFrozenReal has a part only where there is a real server: frozen, taken over and woken there.
func TestFrozenReal(t *testing.T) {
	t.Parallel()
	if idmtest.Here(t) {
		t.Run("real", testFrozenReal)
	}
}

func testFrozenReal(t *testing.T) {
	idm := idmtest.Start(t)
	rw, ro := idm.Operator()
	w := newWorld(t, sandbox.Options{Tenants: 8, Users: 3000, Seed: 9}, server{idm.URL(), idm.CAFile(), rw, ro})
	w.config(everyone + waveEveryone)
	apply := w.subprocess("apply", "-auto-approve")
	w.begin(apply)
	w.until("there is a journal", "select to_regclass('anthill_state.batches') is not null")
	w.until("some are through", "select count(*) > 300 from "+journal+" where settled")
	if err := apply.freeze(); err != nil {
		t.Fatal(err)
	}
	w.endSessions(lockSession)
	w.run(exitDone, "rollback", "-auto-approve")
	persons, members := w.strange()
	apply.wake(t, exitStopped)
	// What it had begun to send may come in whole when it wakes, and that is one request.
	if p, m := w.strange(); p-persons > 500 || m-members > 500 {
		t.Errorf("woken, it enabled %d persons and joined %d", p-persons, m-members)
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
	w.run(exitDone, "plan")
}
