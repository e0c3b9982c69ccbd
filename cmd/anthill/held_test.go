package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
)

// holding is a transaction of another session of the database that has run a statement.
func (w *world) holding(sql string) pgx.Tx {
	w.t.Helper()
	c, err := pgx.Connect(w.t.Context(), w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close(context.Background()) })
	tx, err := c.Begin(w.t.Context())
	if err == nil {
		_, err = tx.Exec(w.t.Context(), strings.ReplaceAll(sql, "{idp}", w.naming))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return tx
}

func (w *world) let(tx pgx.Tx) {
	w.t.Helper()
	if err := tx.Rollback(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// TestHeldRowsAreLeft: rows that other sessions hold are left, also what a trigger wants for one of them, and all others of the
// batch are moved. So it is when they are taken back. The next plan has them, and nothing is counted twice.
func TestHeldRowsAreLeft(t *testing.T) {
	t.Parallel()
	const some = "(select user_id from users where {idp}_user_id is null and status = 'active' and deleted_at is null " +
		"and tenant_id = (select tenant_id from tenants where status = 'active' and slug <> 'default' order by slug limit 1) order by user_id limit 2)"
	for name, hold := range map[string]struct{ prepare, sql string }{
		"rows": {"create table held as select user_id from " + some + " who",
			"select from users where user_id in (select user_id from held) for share"},
		"keys": {"create table held as select user_id from " + some + " who", `insert into sessions
			(user_id, tenant_id, access_token_hash, refresh_token_hash, access_token_expires_at, refresh_token_expires_at)
			select user_id, tenant_id, 'a', 'b', now(), now() from users where user_id in (select user_id from held)`},
		"what a trigger wants": {`create table held as select user_id from ` + some + ` who;
			create function held() returns trigger language plpgsql as $$ begin
				perform from held where user_id = new.user_id for update; return new; end $$;
			create trigger held before update on users for each row execute function held()`,
			"select from held for update"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 5, Level: "dual"}, emulator(t))
			w.config(everyone + waveEveryone)
			w.exec(hold.prepare)
			const linked = "select count(*) from users where {idp}_user_id is not null"
			const heldLinked = linked + " and user_id in (select user_id from held)"
			before := w.number(linked)

			tx := w.holding(hold.sql)
			out, _ := w.run(exitRemainder, "apply", "-auto-approve")
			moved := w.number(linked) - before
			wants(t, out, fmt.Sprintf("%d users done, 2 failed", moved))
			if moved < 50 || w.number(heldLinked) != 0 {
				t.Errorf("%d users are moved, of those who are held %d", moved, w.number(heldLinked))
			}
			if bad := w.wrong(); len(bad) > 0 {
				t.Errorf("wait enabled: %q", bad)
			}
			w.let(tx)
			out, _ = w.run(exitDone, "apply", "-auto-approve")
			wants(t, out, "2 users done")
			w.run(exitDone, "plan", "-detailed-exitcode")

			tx = w.holding(hold.sql)
			out, _ = w.run(exitRemainder, "rollback", "-wave", "everyone", "-auto-approve")
			wants(t, out, fmt.Sprintf("%d users done, 2 failed", moved))
			if n := w.number(linked) - before; n != 2 || w.number(heldLinked) != 2 {
				t.Errorf("%d rows are linked, of those who are held %d", n, w.number(heldLinked))
			}
			w.let(tx)
			w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
			if n := w.number(linked) - before; n != 0 {
				t.Errorf("%d rows are linked", n)
			}
		})
	}
}

// TestHeldRowsOfAll: rows that others hold cost their own users the move, and nobody else, however many they are and where they are a whole
// batch: they are left, and the run is closed. So it is when they are taken back, and with what a trigger wants for each of them.
func TestHeldRowsOfAll(t *testing.T) {
	t.Parallel()
	const seat = `create table seats as select user_id from users; create function seat() returns trigger language plpgsql as $$ begin
		perform from seats where user_id = new.user_id for update; return new; end $$;
		create trigger seat before update on users for each row execute function seat()`
	for _, n := range []int{1, 9, 10, 30} {
		for name, c := range map[string]struct{ prepare, hold string }{
			"rows":                 {"", "select from users for update"},
			"what a trigger wants": {seat, "select from seats for update"},
		} {
			t.Run(fmt.Sprintf("%s, %d", name, n), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 5, Level: "dual"}, emulator(t))
				w.config(everyone)
				w.run(exitDone, "apply", "-auto-approve")
				w.config(everyone + waveEveryone)
				w.exec(fmt.Sprintf(`delete from user_profiles; delete from users where user_id not in (select user_id from users
					join tenants t using (tenant_id) where users.status = 'active' and users.deleted_at is null and {idp}_user_id is null
					and t.status = 'active' and t.slug <> 'default' order by user_id limit %d)`, n))
				w.exec(c.prepare)
				const linked = "select count(*) from users where {idp}_user_id is not null"
				left := func(linkedThen int, args ...string) {
					t.Helper()
					tx := w.holding(c.hold)
					out, _ := w.run(exitRemainder, args...)
					wants(t, out, fmt.Sprintf("0 users done, %d failed", n))
					if got := w.number(linked); got != linkedThen {
						t.Errorf("%d rows are linked", got)
					}
					if w.number("select count(*) from anthill_state.runs where open") != 0 {
						t.Error("the run is open")
					}
					if bad := w.wrong(); len(bad) > 0 {
						t.Errorf("wait enabled: %q", bad)
					}
					w.let(tx)
				}
				left(0, "apply", "-auto-approve")
				out, _ := w.run(exitDone, "apply", "-auto-approve")
				wants(t, out, fmt.Sprintf("%d %s done", n, map[bool]string{true: "user", false: "users"}[n == 1]))
				w.run(exitDone, "plan", "-detailed-exitcode")
				left(n, "rollback", "-wave", "everyone", "-auto-approve")
				w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
				if got := w.number(linked); got != 0 {
					t.Errorf("%d rows are linked", got)
				}
			})
		}
	}
}

// TestKilledWhileRowsAreHeld kills an apply that tries held rows again, when the others of their batch are committed: what was
// done for the held ones is taken back, and the next plan moves them.
func TestKilledWhileRowsAreHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 5, Level: "dual"}, emulator(t))
	w.config(everyone)
	w.run(exitDone, "apply", "-auto-approve")
	w.config(everyone + waveEveryone)
	tx := w.holding("select from users where user_id in (select user_id from users join tenants t using (tenant_id) " +
		"where t.slug = 'acme' and {idp}_user_id is null order by user_id limit 3) for update")
	p := w.subprocess("apply", "-auto-approve")
	w.begin(p)
	w.until("held users are noted", "select exists (select from anthill_state.records where not settled and verdict <> '')")
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.Wait() // it was killed
	w.let(tx)
	out, _ := w.run(exitDone, "apply", "-auto-approve")
	wants(t, out, "3 failed", "3 users done")
	w.checkOnce(w.number("select count(*) from users where {idp}_user_id is not null"))
	w.run(exitDone, "plan", "-detailed-exitcode")
}
