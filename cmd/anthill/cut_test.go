package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
)

// transactionCutter ends statements in transactions of the recorded state, as a server that is shut down does.
type transactionCutter struct {
	*world
	conn *pgx.Conn
}

// cutter makes one, which only counts until it is told where to cut.
func (w *world) cutter() transactionCutter {
	c := transactionCutter{w, w.connect()}
	c.sql("create sequence cuts")
	c.at(0)
	for _, table := range []string{"meta", "runs", "waves"} {
		c.sql("create trigger cut before insert or update on anthill_state." + table +
			" for each statement execute function cut()")
	}
	return c
}

func (c transactionCutter) sql(text string) {
	c.t.Helper()
	if _, err := c.conn.Exec(c.t.Context(), text); err != nil {
		c.t.Fatalf("%s: %v", text, err)
	}
}

// at cuts the n-th transaction from now on; 0: none.
func (c transactionCutter) at(n int) {
	c.t.Helper()
	c.sql("alter sequence cuts restart")
	c.sql(fmt.Sprintf(`create or replace function cut() returns trigger language plpgsql as $$ begin
		if nextval('public.cuts') = %d then raise exception 'cut' using errcode = '57P01'; end if; return null; end $$`, n))
}

// seen is how many transactions there were since.
func (c transactionCutter) seen() (n int) {
	c.t.Helper()
	if err := c.conn.QueryRow(c.t.Context(), "select case when is_called then last_value else 0 end from cuts").
		Scan(&n); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// chainText are waves of which the first soaks, the second has users who fail, and the third waits for that.
func chainText(first string) string {
	return everyone + `
wave "first" {
  auth_policy  = auth_policy.dual
  users { tenants = ` + first + ` }
  max_failures = 1
  finish { soak = "7d" }
}
wave "second" {
  auth_policy = auth_policy.dual
  users { tenants = ["initech"] }
}
wave "third" {
  auth_policy = auth_policy.dual
  users { tenants = ["umbrella"] }
  start { after = [wave.second] }
}
`
}

// chain is a world in which the first wave was moved six days ago and is widened now, a user of it has lost a role, one
// user of each of the first two waves is refused by the database, and one has changed since the plan, which is p.
func chain(t *testing.T) (w *world, start time.Time) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 4, Users: 40, Seed: 4}, emulator(t))
	w.exec("update tenants set slug = 'initech' where tenant_id = (select tenant_id from tenants where slug not in ('acme', 'globex') order by slug limit 1)")
	w.exec("update tenants set slug = 'umbrella' where tenant_id = (select tenant_id from tenants where slug not in ('acme', 'globex', 'initech') order by slug limit 1)")
	w.exec("update tenants set status = 'active'")
	w.config(chainText(`["acme"]`))
	start = time.Now()
	// The first wave alone: the others come with the plan that is cut.
	w.config(chainText(`["acme"]`)[:strings.Index(chainText(`["acme"]`), `wave "second"`)])
	w.run(exitDone, "apply", "-auto-approve")
	w.now = func() time.Time { return start.Add(6 * 24 * time.Hour) }
	admin := w.someone("admin", "acme")
	admin.set("role", "user")
	w.config(chainText(`["acme", "globex"]`))
	w.run(exitDone, "plan", "-out", "p")
	some := func(slug string, n int) string {
		return fmt.Sprintf("(select user_id from users join tenants t using (tenant_id) where t.slug = '%s' "+
			"and users.status = 'active' and users.deleted_at is null and role = 'user' order by user_id offset %d limit 1)", slug, n)
	}
	w.exec("create table refused as select * from " + some("globex", 0) + " as a union select * from " + some("initech", 0) + " as b")
	w.exec(`create function refuse() returns trigger language plpgsql as $$ begin
		if old.user_id in (select user_id from public.refused) then raise exception 'no' using errcode = '23514'; end if;
		return new; end $$`)
	w.exec("update users set email = 'other.' || email where user_id = " + some("globex", 1))
	w.exec("create trigger refuse before update on users for each row execute function refuse()")
	return w, start
}

// standing is what a run leaves that was counted while it went on.
type standing struct {
	Exit   int
	Held   bool // it says that a wave was not started
	Waves  []string
	Counts map[string]int
}

func (w *world) standing(start time.Time, exit int, out string) standing {
	w.t.Helper()
	s := standing{Exit: exit, Held: strings.Contains(out, "was not started")}
	rows, err := w.connect().Query(w.t.Context(), `select format('%s: %s users, started %s, soaking %s, moved %s, done %s',
		name, users, started is not null, soaking > $1, moved_at is not null, done_at is not null)
		from anthill_state.waves order by name`, start.Add(24*time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			w.t.Fatal(err)
		}
		s.Waves = append(s.Waves, line)
	}
	var counts []byte
	if err := w.connect().QueryRow(w.t.Context(), "select counts from anthill_state.runs order by n desc limit 1").
		Scan(&counts); err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(counts, &s.Counts); err != nil {
		w.t.Fatal(err)
	}
	delete(s.Counts, "retries")
	return s
}

// TestCutAnywhere: whatever a run derives from what it counts (the users of waves, the clock of soak, failures, the
// waves that wait) is the same wherever the run was stopped and resumed.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	w, start := chain(t)
	c := w.cutter()
	status, out, errs := w.try("apply", "p")
	places := c.seen()
	want := w.standing(start, status, out+errs)
	if status != exitRemainder || !want.Held || len(want.Waves) < 2 || places < 10 ||
		want.Counts["failed"] != 2 || want.Counts["changed"] != 1 || !strings.Contains(want.Waves[0], "soaking t, moved t") {
		t.Fatalf("the run that is not cut, of %d places, ends as %+v\n%s%s", places, want, out, errs)
	}
	// Each way says where the next try is cut, and with 0 that it is not.
	ways := map[string]func(try int) int{
		"later each time":    func(try int) int { return try },
		"every six places":   func(int) int { return 6 },
		"every seven places": func(int) int { return 7 },
		"every nine places":  func(int) int { return 9 },
	}
	for n := 1; n <= places; n += 2 {
		ways[fmt.Sprintf("once, at %d", n)] = func(try int) int { return max(0, n*(2-try)) }
	}
	for name, where := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, start := chain(t)
			c := w.cutter()
			for try := 1; ; try++ {
				n := where(try)
				c.at(n)
				status, out, errs := w.try("apply", "p")
				if n > 0 && c.seen() >= n && try < places {
					continue
				}
				if diff := cmp.Diff(want, w.standing(start, status, out+errs)); diff != "" {
					t.Errorf("cut and resumed, %d tries (-want +got):\n%s\n%s%s", try, diff, out, errs)
				}
				return
			}
		})
	}
}

// TestSoakFromTheJournal: a run that stops between the last user of a wave and the latch starts the clock of soak when
// it is finished, whatever finishes it.
func TestSoakFromTheJournal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	text := func(where string) string {
		return everyone + "wave \"first\" {\n  auth_policy = auth_policy.dual\n  users { " + where + " }\n  finish { soak = \"7d\" }\n}\n" +
			"wave \"second\" {\n  auth_policy = auth_policy.dual\n  users { all = true }\n  start { after = [wave.first] }\n}\n"
	}
	w.config(text(`tenants = ["acme"]`))
	start := time.Now()
	w.run(exitDone, "apply", "-auto-approve")
	w.now = func() time.Time { return start.Add(6 * 24 * time.Hour) }
	w.config(text(`tenants = ["acme", "globex"]`))
	w.exec("create function anthill_state.no() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '57P01'; end $$")
	w.exec("create trigger no before insert or update on anthill_state.waves for each row execute function anthill_state.no()")
	w.run(exitStopped, "apply", "-auto-approve")
	w.exec("drop trigger no on anthill_state.waves")
	w.run(exitDone, "apply", "-auto-approve")
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if n := w.number("select users from anthill_state.waves where name = 'first'"); n != moved {
		t.Errorf("%d users are counted for the wave, of %d who are moved", n, moved)
	}
	w.now = func() time.Time { return start.Add(8 * 24 * time.Hour) }
	if out, _ := w.run(exitDone, "plan", "-detailed-exitcode"); !strings.Contains(out, "soaking") {
		t.Errorf("the second wave starts two days after the first one was widened, with a soak of seven:\n%s", out)
	}
	w.now = func() time.Time { return start.Add(14 * 24 * time.Hour) }
	w.run(exitChanges, "plan", "-detailed-exitcode")
}
