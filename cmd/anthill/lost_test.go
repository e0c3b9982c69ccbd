package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// refuseRow makes Postgres refuse every write to the row of a user while a condition in SQL holds.
func (w *world) refuseRow(s someone, while string) {
	w.t.Helper()
	w.exec("create function refuse() returns trigger language plpgsql as $$ begin if old.user_id = '" + s.user.String() + "' and " + while +
		" then raise exception 'no' using errcode = 'check_violation'; end if; return new; end $$")
	w.exec("create trigger refuse before update on users for each row execute function refuse()")
}

// TestWrittenAfterAll: a row that Postgres refuses, and takes when the transaction is tried again, is the row of a user who is
// moved, or taken back, like any other: nothing that one try has found out is done in Self-auth before it is committed.
func TestWrittenAfterAll(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"apply", "rollback"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			if command == "apply" {
				w.run(exitDone, "rollback", "-auto-approve")
				w.run(exitDone, "wave", "resume", "everyone")
			}
			w.exec("create sequence tries")
			w.refuseRow(s, "not (select is_called from tries)")
			w.exec(`create function once() returns trigger language plpgsql as $$ begin
				if nextval('tries') = 1 then raise exception 'try again' using errcode = 'serialization_failure'; end if; return new; end $$`)
			w.exec("create constraint trigger once after update on users deferrable initially deferred for each row execute function once()")
			w.run(exitDone, command, "-auto-approve")
			if n := w.number("select last_value from tries"); n < 2 {
				t.Fatalf("the transaction was not tried again: %d", n)
			}
			if command == "apply" {
				s.is("moved", "enabled", "tenant_acme_users")
				w.checkMoved()
				w.run(exitDone, "plan", "-detailed-exitcode")
			} else {
				s.is("taken back", "expired")
				w.exec("drop trigger refuse on users")
				w.checkRolledBack(before)
			}
		})
	}
}

// TestTakenBackLater: what was done in Self-auth for a user whose row is refused is taken back after the commit: meanwhile nobody
// waits for the rows of the batch, and a run that is stopped there is finished by the next apply, or rolled back.
func TestTakenBackLater(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"apply", "rollback"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			var away atomic.Pointer[func()]
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
				if f := away.Load(); f != nil && r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, "/_attr/member") {
					(*f)()
					panic(http.ErrAbortHandler)
				}
				return false
			}}))
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			s, other := w.someone("user", "acme"), w.someone("admin", "acme")
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			w.refuseRow(s, "true")
			var asked atomic.Int64
			f := func() {
				if asked.Add(1) == 1 {
					w.exec("set lock_timeout = '5s'; update users set last_login_at = now() where user_id = '" + other.user.String() + "'")
				}
			}
			away.Store(&f)
			w.run(exitStopped, "apply", "-auto-approve")
			if asked.Load() == 0 {
				t.Fatal("nothing was to be taken back")
			}
			away.Store(nil)
			s.is("while the run is stopped", "enabled", "tenant_acme_users")

			if next == "apply" {
				out, _ := w.run(exitRemainder, "apply", "-auto-approve")
				wants(t, out, "1 failed")
				s.is("the run is finished", "expired")
				w.exec("drop trigger refuse on users")
				w.run(exitDone, "apply", "-auto-approve")
				s.is("moved", "enabled", "tenant_acme_users")
				w.checkMoved()
				w.run(exitDone, "rollback", "-auto-approve")
				w.run(exitDone, "rollback", "-auto-approve")
			} else {
				w.exec("drop trigger refuse on users")
				w.run(exitDone, "rollback", "-auto-approve")
			}
			s.is("rolled back", "expired")
			w.exec("update users set last_login_at = null where user_id = '" + other.user.String() + "'")
			w.checkRolledBack(before)
		})
	}
}
