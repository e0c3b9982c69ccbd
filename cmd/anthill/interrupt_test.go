package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// TestInterrupted: the first ^C says that the batch in hand is finished, and what the second one does, which stops at once;
// both say how it goes on, and that is so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reached, held := make(chan struct{}), make(chan struct{})
			release := sync.OnceFunc(func() { close(held) })
			var once sync.Once
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulatorWith(t, selfauthd.Options{
				Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
					if isProgram(r) && isWrite(r) {
						once.Do(func() { close(reached); <-held })
					}
					return false
				}}))
			t.Cleanup(release)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "plan", "-out", "p")
			cmd := w.command("apply", "p")
			errs, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			lines := bufio.NewReader(errs)
			wants(t, until(t, lines, "no hazards."), "on database "+w.database()+" and Self-auth idm.example.test", "of 59 users change", "12 schema steps")
			interrupt(t, cmd)
			said := until(t, lines, "goes on with: anthill apply")
			wants(t, said, "Stopping after this batch; again stops at once")
			if times == 2 {
				interrupt(t, cmd)
				said = until(t, lines, "    anthill apply")
				wants(t, said, "Stopped at once. What was begun is finished or taken back when it goes on; nothing is done twice.")
			}
			release()
			rest, _ := io.ReadAll(lines)
			var status *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &status) || status.ExitCode() != exitStopped {
				t.Errorf("it ends with %v\n%s", err, rest)
			}
			w.run(exitDone, "apply", "-auto-approve")
			w.checkMoved()
		})
	}
}

// TestInterruptedWhileItWaits: a step of the schema that waits for others, without end, is cut short by the first ^C: forwards, where an
// index waits for an old transaction, and backwards, where a table is in use. The next command makes it whole.
func TestInterruptedWhileItWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args, first []string
		holds       string
	}{
		"an index":      {[]string{"apply", "-auto-approve"}, nil, "select count(*) from casbin_rule"},
		"a column":      {[]string{"apply", "-auto-approve"}, nil, "select count(*) from users"},
		"its way back":  {[]string{"rollback", "-schema", "-auto-approve", "-allow", "DELETES_DATA=5"}, []string{"apply", "-auto-approve"}, "select count(*) from users"},
		"a table alone": {[]string{"apply", "-auto-approve"}, nil, "lock table sessions in share row exclusive mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			if c.first != nil {
				w.run(exitDone, c.first...)
			}
			args := c.args
			tx, err := w.connect().BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			must(t, err)
			_, err = tx.Exec(t.Context(), c.holds)
			must(t, err)
			waiting := w.connect()
			cmd := w.command(args...)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			must(t, cmd.Start())
			done := make(chan struct{})
			w.waits(waiting, done, `select count(*) from pg_stat_activity a where datname = current_database() and wait_event_type = 'Lock'
				and application_name like 'anthill%' and clock_timestamp() - query_start > $1`, 500*time.Millisecond)
			interrupt(t, cmd)
			err = cmd.Wait() // the test's own deadline ends it where it goes on waiting
			var status *exec.ExitError
			if !errors.As(err, &status) || status.ExitCode() != exitStopped {
				t.Errorf("it ends with %v\n%s", err, said.String())
			}
			must(t, tx.Rollback(t.Context()))
			w.run(exitDone, "apply", "-auto-approve")
			if n := w.number("select count(*) from pg_index where not indisvalid"); n != 0 {
				t.Errorf("%d indexes are not valid", n)
			}
			if c.first == nil {
				w.checkMoved()
			}
		})
	}
}

func interrupt(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
}

// until reads lines to the first that holds a text.
func until(t *testing.T, r *bufio.Reader, text string) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if strings.Contains(line, text) {
			return b.String()
		}
		if err != nil {
			t.Fatalf("no %q in\n%s", text, b.String())
		}
	}
}

// TestAsked: the question ends a plan, with a line that says on what it is, how much it changes, and which hazards were allowed.
// Only yes is taken as approval.
func TestAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	ask := func(answer string, args ...string) (status int, errs string) {
		var out, said bytes.Buffer
		p := w.program(&out, &said)
		p.asks, p.stdin = true, strings.NewReader(answer)
		status = p.run(t.Context(), append([]string{"anthill"}, args...))
		return status, said.String()
	}
	for _, answer := range []string{"", "y\n", "Yes\n", "no\n", "yes, please\n", "\nyes\n"} {
		status, said := ask(answer, "apply")
		if status != exitBlocked {
			t.Errorf("%q: exit status %d\n%s", answer, status, said)
		}
		wants(t, said, "environment default: 57 of 59 users change (57 gain login, 5 become admin), 6 objects, 12 schema steps; no hazards. Carry out this plan?",
			"Only `yes` is taken as approval", "not approved: nothing was changed")
	}
	if n := w.number("select count(*) from pg_namespace where nspname = 'anthill_state'"); n != 0 {
		t.Error("there is a state, and nobody has approved")
	}
	for range 2 { // of which the second has nothing to ask
		if status, said := ask(" yes \n", "apply"); status != exitDone {
			t.Errorf("exit status %d\n%s", status, said)
		}
	}
	w.checkMoved()

	status, said := ask("yes\n", "rollback", "-delete-persons", "-allow", "DELETES_DATA=57")
	if status != exitDone && status != exitRemainder {
		t.Errorf("exit status %d\n%s", status, said)
	}
	wants(t, said, "taken back", "; allowed DELETES_DATA=")
}
