package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
)

// statementCutter ends statements that change the application's tables, before they are carried out or at their end, as a
// server does that goes away. An index that is cut at its end is there and not valid.
func (w *world) statementCutter() transactionCutter {
	c := transactionCutter{w, w.connect()}
	c.sql("create schema cutting; create sequence cutting.cuts; set search_path = cutting, public")
	c.cutAt(0)
	c.sql(`create event trigger cut_start on ddl_command_start
		when tag in ('ALTER TABLE', 'CREATE INDEX', 'DROP INDEX', 'ALTER INDEX') execute function cutting.cut_ddl()`)
	c.sql(`create event trigger cut_end on ddl_command_end
		when tag in ('ALTER TABLE', 'CREATE INDEX', 'ALTER INDEX') execute function cutting.cut_ddl()`)
	c.sql("create trigger zz_cut before update on public.users for each statement execute function cutting.cut_rows()")
	return c
}

// cutAt is at for a statementCutter.
func (c transactionCutter) cutAt(n int) {
	c.t.Helper()
	c.sql("alter sequence cutting.cuts restart")
	for name, returns := range map[string]string{"cut_ddl": "event_trigger", "cut_rows": "trigger"} {
		end := "return null;"
		if name == "cut_ddl" {
			end = ""
		}
		c.sql(fmt.Sprintf(`create or replace function cutting.%s() returns %s language plpgsql as $$ begin
			if current_setting('application_name') like 'anthill%%' and nextval('cutting.cuts') = %d then
				raise exception 'cut' using errcode = '57P01'; end if; %s end $$`, name, returns, n, end))
	}
}

// TestSchemaCutAtEveryStatement: wherever the steps of the schema are cut off, a later apply makes the rest, be it of the
// same plan, a new one or another configuration, and be the run closed or taken back before; in the end the tables are as
// if it had not been cut.
func TestSchemaCutAtEveryStatement(t *testing.T) {
	t.Parallel()
	prepared := func(t *testing.T) (*world, transactionCutter) {
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
		w.exec("update users set {idp}_user_id = gen_random_uuid(), {idp}_synced_at = now() where user_id in " +
			"(select user_id from users where role = 'viewer')") // rows for the back-fill
		w.config(strings.Replace(everyone, `schema { level = "dual" }`, "", 1))
		w.run(exitDone, "apply", "-auto-approve")
		w.config(everyone + waveEveryone)
		w.run(exitDone, "plan", "-out", "p")
		return w, w.statementCutter()
	}
	w, c := prepared(t)
	rest := func(c transactionCutter) {
		c.sql("drop event trigger cut_start; drop event trigger cut_end; drop trigger zz_cut on public.users")
	}
	if status, out, errs := w.try("apply", "p"); status != exitDone {
		t.Fatalf("the run that is not cut ends with %d\n%s%s", status, out, errs)
	}
	var places int
	must(t, c.conn.QueryRow(t.Context(), "select last_value from cutting.cuts").Scan(&places))
	rest(c)
	dual := w.tables()
	if places < 25 {
		t.Fatalf("only %d places to cut at", places)
	}
	ends := []struct {
		name string
		do   func(w *world)
	}{
		{"the same plan", func(w *world) { w.run(exitDone, "apply", "p") }},
		{"any apply", func(*world) {}},
		{"another configuration", func(w *world) {
			w.config(everyone + strings.Replace(waveEveryone, "all = true", `tenants = ["acme"]`, 1))
			w.run(exitDone, "apply", "-auto-approve")
		}},
		{"closed", func(w *world) { w.run(exitDone, "apply", "-close", "-auto-approve") }},
		{"taken back", func(w *world) {
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "plan")
			w.try("wave", "resume", "everyone")
		}},
		{"taken back with the schema", func(w *world) {
			w.run(exitDone, "apply", "-close", "-auto-approve")
			// Rows that were linked before, and that the back-fill has not come to, keep the columns.
			if _, _, errs := w.try("rollback", "-schema", "-auto-approve"); !strings.Contains(errs, "the schema is needed") {
				w.schemaBackOf()
			}
			w.run(exitDone, "plan")
			w.try("wave", "resume", "everyone")
		}},
	}
	for n := 1; n <= places; n++ {
		if !thorough() && n/len(ends)%2 == 1 {
			continue // half of the places, with each end
		}
		end := ends[n%len(ends)]
		t.Run(fmt.Sprintf("%d, %s", n, end.name), func(t *testing.T) {
			t.Parallel()
			w, c := prepared(t)
			c.cutAt(n)
			status, out, errs := w.try("apply", "p")
			rest(c)
			if status != exitStopped {
				// What comes behind the steps of the schema writes rows, and tries again.
				if status != exitDone {
					t.Fatalf("cut: exit %d\n%s%s", status, out, errs)
				}
				return
			}
			end.do(w)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.sameTables("in the end", dual)
			w.run(exitDone, "plan", "-detailed-exitcode")
			if invalid := w.number("select count(*) from pg_index where not indisvalid"); invalid != 0 {
				t.Errorf("%d indexes are not valid", invalid)
			}
		})
	}
}

// TestSchemaServerGone: the session in which an index is built is ended from outside, or ^C comes meanwhile. What is left of
// the index is not valid; nothing says that the run is to be taken back, and the next apply makes the rest.
func TestSchemaServerGone(t *testing.T) {
	t.Parallel()
	for _, next := range [][]string{{"apply", "p"}, {"apply", "-auto-approve"}} {
		t.Run(strings.Join(next, " "), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "plan", "-out", "p")
			old := w.connect()
			tx, err := old.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			must(t, err)
			_, err = tx.Exec(t.Context(), "select count(*) from casbin_rule")
			must(t, err)
			killed := make(chan error, 1)
			go func() {
				conn := w.connect()
				for {
					var done bool
					err := conn.QueryRow(t.Context(), `select coalesce(bool_or(pg_terminate_backend(a.pid)), false)
						from pg_stat_activity a join pg_stat_progress_create_index i using (pid)
						where a.datname = current_database() and (i.phase like 'waiting for old snapshots%' or i.phase like 'waiting for writers%')`).Scan(&done)
					if err != nil || done {
						killed <- err
						return
					}
					select {
					case <-time.After(20 * time.Millisecond):
					case <-t.Context().Done():
						return
					}
				}
			}()
			out, errs := w.run(exitStopped, "apply", "p")
			must(t, <-killed)
			must(t, tx.Rollback(t.Context()))
			if invalid := w.number("select count(*) from pg_index where not indisvalid"); invalid != 1 {
				t.Errorf("%d indexes are not valid, want one", invalid)
			}
			wants(t, out+errs, "a later apply makes the rest", "anthill apply -close")
			if strings.Contains(out+errs, "anthill rollback") {
				t.Errorf("it tells to take the run back:\n%s%s", out, errs)
			}
			status, _ := w.run(exitDone, "status")
			wants(t, status, "a later apply makes the rest")
			w.run(exitDone, next...)
			if invalid := w.number("select count(*) from pg_index where not indisvalid"); invalid != 0 {
				t.Errorf("%d indexes are not valid", invalid)
			}
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}
