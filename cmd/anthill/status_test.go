package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/sandbox"
	"anthill/state"
)

// statusOf is `anthill status -json` with what is asked for.
func (w *world) statusOf(args ...string) (s struct {
	Users struct {
		Total     int64   `json:"total_users"`
		SelfAuth  int64   `json:"self_auth_only"`
		Dual      int64   `json:"dual_auth"`
		Password  int64   `json:"password_only"`
		Percent   float64 `json:"migration_percent"`
		Linked    int64
		Completed int64
		Enrolled  *int64
		Alone     int64 `json:"self_auth_alone"`
	}
	Population struct{ Users, Linked, Completed int64 }
	Waves      []struct {
		Name, State string
		Matched     int64
	}
	Other []struct {
		Name  string
		Moved int64
	} `json:"other_waves"`
	Tenants []struct {
		Slug     string
		Total    int64   `json:"total_users"`
		SelfAuth int64   `json:"self_auth_only"`
		Dual     int64   `json:"dual_auth"`
		Password int64   `json:"password_only"`
		Percent  float64 `json:"migration_percent"`
	}
	Daily []struct {
		Date              string
		Linked, Completed int64
	}
	KPI struct {
		Rate         float64 `json:"completed_percent"`
		Run          string
		Satisfaction struct {
			Value string
			Met   bool
		}
	}
	NewUsers *struct {
		Users int64
		First []string
	} `json:"new_users"`
	Running *struct {
		Run, Kind, Who string
		Session        int
		Settled, Total int64
	}
	Stopped string
	NotSeen []struct{ What string } `json:"not_seen"`
},
) {
	w.t.Helper()
	out, _ := w.run(exitDone, append([]string{"status", "-json"}, args...)...)
	must(w.t, json.Unmarshal([]byte(out), &s))
	return s
}

// TestStatusBySQL: in a world with users of all kinds the figures of a status are those of the plan's own queries, corrected, written by
// hand: by method, by tenant, by day, pending, and the migration rate.
func TestStatusBySQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	w.config(pilotAndRest("gate \"satisfaction\" { manual = true }\n", "", "gate.satisfaction"))
	w.run(exitDone, "apply", "-auto-approve")
	w.exec(login, w.mailsOf(4))
	w.exec(`update users set password_hash = null where user_id in (select user_id from anthill_state.users where wrote_link order by 1 limit 3)`)
	w.exec(`update users set status = 'suspended' where user_id in (select user_id from anthill_state.users where wrote_link order by 1 offset 10 limit 2)`)
	w.exec(`update users set deleted_at = now() where user_id in (select user_id from anthill_state.users where wrote_link order by 1 offset 20 limit 2)`)
	w.run(exitDone, "wave", "confirm", "pilot", "satisfaction", "-value", "4.6", "-note", "a survey")
	s := w.statusOf("-tenants", "-daily", "-kpi")

	const live = ` from users u join tenants t using (tenant_id) where u.deleted_at is null and t.deleted_at is null`
	n := func(sql string) int64 { return int64(w.number("select count(*)" + live + sql)) }
	if diff := cmp.Diff([]int64{n(""), n(" and auth_method = '{value}'"), n(" and auth_method = 'dual'"), n(" and auth_method = 'password'"),
		n(" and {idp}_user_id is not null"), n(" and {idp}_user_id is not null and (auth_method = '{value}' or password_hash is null)")},
		[]int64{s.Users.Total, s.Users.SelfAuth, s.Users.Dual, s.Users.Password, s.Users.Linked, s.Users.Alone}); diff != "" {
		t.Errorf("overall (-by hand +status):\n%s", diff)
	}
	percent := `round(100.0 * count(u.user_id) filter (where auth_method in ('{value}', 'dual')) / nullif(count(u.user_id), 0), 2)`
	text := func(sql string) (list []string) {
		t.Helper()
		rows, err := w.connect().Query(t.Context(), w.spell(sql))
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var one string
			must(t, rows.Scan(&one))
			list = append(list, one)
		}
		must(t, rows.Err())
		return list
	}
	if want := text(`select (` + percent + `)::text` + live); want[0] != fmt.Sprintf("%.2f", s.Users.Percent) {
		t.Errorf("%v %%, by hand %v", s.Users.Percent, want)
	}
	var tenants []string
	for _, one := range s.Tenants {
		tenants = append(tenants, fmt.Sprintf("%s %d %d %d %d %.2f", one.Slug, one.Total, one.Password, one.SelfAuth, one.Dual, one.Percent))
	}
	want := text(`select concat_ws(' ', t.slug, count(u.user_id), count(*) filter (where auth_method = 'password'), count(*) filter (where auth_method = '{value}'),
			count(*) filter (where auth_method = 'dual'), coalesce(` + percent + `, 0.00))
		from tenants t left join users u on u.tenant_id = t.tenant_id and u.deleted_at is null where t.deleted_at is null
		group by t.tenant_id, t.slug order by coalesce(` + percent + `, 0) desc, t.slug collate "C"`)
	for i := range want {
		if strings.HasSuffix(want[i], " 0") {
			want[i] += ".00"
		}
	}
	if diff := cmp.Diff(want, tenants); diff != "" {
		t.Errorf("by tenant (-by hand +status):\n%s", diff)
	}
	var days []string
	for _, d := range s.Daily {
		if d.Completed > 0 {
			days = append(days, fmt.Sprintf("%s %d", d.Date, d.Completed))
		}
	}
	if diff := cmp.Diff(text(`select to_char(migration_completed_at at time zone 'UTC', 'YYYY-MM-DD') || ' ' || count(*)`+live+`
		and migration_completed_at >= date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' - interval '30 days' group by migration_completed_at::date, 
			to_char(migration_completed_at at time zone 'UTC', 'YYYY-MM-DD') order by 1 desc`), days); diff != "" {
		t.Errorf("by day (-by hand +status):\n%s", diff)
	}
	const population = live + " and t.status = 'active' and u.email <> 'system@anthill.local'"
	completed := w.number("select count(*)" + population + " and migration_completed_at is not null and {idp}_user_id is not null")
	if all := w.number("select count(*)" + population); s.Population.Users != int64(all) || s.Population.Completed != int64(completed) || completed < 4 ||
		fmt.Sprintf("%.2f", s.KPI.Rate) != text(fmt.Sprintf("select round(100.0 * %d / %d, 2)::text", completed, all))[0] {
		t.Errorf("population %+v of %d, %d completed, rate %v", s.Population, all, completed, s.KPI.Rate)
	}
	if s.KPI.Run != w.runs()[0] || s.KPI.Satisfaction.Value != "4.6" || !s.KPI.Satisfaction.Met {
		t.Errorf("key figures %+v", s.KPI)
	}
	list, _ := w.run(exitDone, "wave", "list", "pilot", "-history")
	wants(t, list, "satisfaction (4.6): confirmed by tester@host", "satisfaction confirmed (4.6) by tester@host: a survey")

	pending, _ := w.run(exitDone, "status", "-pending")
	var ids []string
	for line := range strings.Lines(pending) {
		ids = append(ids, line[:36])
	}
	if diff := cmp.Diff(text(`select u.user_id::text`+live+` and auth_method = 'password' order by greatest(
		(select max(created_at) from sessions s where s.user_id = u.user_id), last_login_at) desc nulls last, u.user_id`), ids); diff != "" {
		t.Errorf("pending (-by hand +status):\n%s", diff)
	}
	wants(t, pending, "wave rest", "excluded by the configuration", "inactive", "same address on another live user")
	for _, private := range w.private() {
		if strings.Contains(pending, private) {
			t.Errorf("the list shows %q", private)
		}
	}
	revealed, said := w.run(exitDone, "status", "-alone", "-reveal")
	wants(t, said, "personal data")
	if !strings.Contains(revealed, "@") {
		t.Errorf("no address is shown:\n%s", revealed)
	}
	page, _ := w.run(exitDone, "status", "-html")
	wants(t, page, "Adoption over time", "acme")
	_, errs := w.run(exitError, "wave", "confirm", "pilot", "satisfaction", "-value", "good")
	wants(t, errs, "-value wants a decimal")
}

// TestStatusFlags refuses flags that do not go together, before anything is asked.
func TestStatusFlags(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"-pending -alone": "two lists", "-pending -kpi": "list of users", "-reveal": "use both", "-pending -reveal -json": "for text",
		"-html -json": "two forms", "-html -kpi": "leave -kpi out", "-watch -as-of 2027-01-01T00:00:00Z": "leave -as-of out", "-watch -pending": "goes without -pending",
		"x": "no arguments",
	} {
		p, _, stderr := alone(t)
		if status := p.run(t.Context(), append([]string{"anthill", "status"}, strings.Fields(typed)...)); status != exitError || !strings.Contains(stderr.String(), want) {
			t.Errorf("status %s: %d, %s", typed, status, stderr)
		}
	}
}

// TestStatusUndeclared: a wave that is no longer declared, and new users who log in by password though they should not.
func TestStatusUndeclared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual", Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	moved := w.number("select count(*) from anthill_state.users where standing = 'moved'")
	w.config(strings.Replace(everyone, `schema { level = "dual" }`, "schema {\n  level = \"dual\"\n  required_for_new_users_from = \"2026-01-01\"\n}", 1))
	w.exec(`insert into users (user_id, tenant_id, email, password_hash, role, created_at)
		select gen_random_uuid(), tenant_id, 'new@new.example', 'x', 'user', now() from tenants where status = 'active' and deleted_at is null order by 1 limit 1`)
	s := w.statusOf()
	if len(s.Waves) != 0 || len(s.Other) != 1 || s.Other[0].Name != "everyone" || s.Other[0].Moved != int64(moved) {
		t.Errorf("waves %+v, others %+v, %d moved", s.Waves, s.Other, moved)
	}
	if s.NewUsers == nil || len(s.NotSeen) > 0 || s.NewUsers.Users != 1 || len(s.NewUsers.First) != 1 {
		t.Fatalf("new users %+v, not seen %+v", s.NewUsers, s.NotSeen)
	}
	out, _ := w.run(exitDone, "status")
	wants(t, out, "not declared any more", "rollback -wave everyone", "1 new user logs in by password alone", s.NewUsers.First[0])
}

// TestStatusWhileRunning: a run that goes on is under way, with who and how far, and is stopped only when its process is gone.
func TestStatusWhileRunning(t *testing.T) {
	t.Parallel()
	k := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual", Seed: 4}, k.server)
	w.config(everyone + waveEveryone)
	release := w.lock("ben@laptop")
	if s := w.statusOf(); s.Running == nil || s.Running.Who != "ben@laptop" || s.Running.Session == 0 || s.Running.Run != "" {
		t.Errorf("another command: %+v", s.Running)
	}
	out, _ := w.run(exitDone, "status")
	wants(t, out, "A command that writes is at work: ben@laptop since")
	release()
	k.cut(2)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	run := w.runs()[0]
	s := w.statusOf()
	if s.Running != nil || s.Stopped != run {
		t.Errorf("stopped: %+v, %s", s.Running, s.Stopped)
	}
	out, _ = w.run(exitDone, "status")
	wants(t, out, "Run "+run+" was stopped and is still open", "anthill apply", "anthill rollback")
	release = w.lock("cleo@laptop")
	s = w.statusOf()
	if s.Running == nil || s.Running.Run != run || s.Running.Kind != string(state.RunApply) || s.Running.Total == 0 || s.Stopped != "" {
		t.Errorf("resumed: %+v", s.Running)
	}
	out, _ = w.run(exitDone, "status")
	wants(t, out, "Run "+run+" is under way: cleo@laptop")
	silent(t, out, "stopped")
	release()
}

// TestStatusWatch: off a terminal a watched status is written again when something has changed, and ends with ^C; on one it is redrawn.
func TestStatusWatch(t *testing.T) {
	t.Parallel()
	for name, terminal := range map[string]bool{"off a terminal": false, "on a terminal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual", Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			out := &watched{changed: make(chan struct{}, 100)}
			p := w.program(out, &bytes.Buffer{})
			p.outTerminal = terminal
			ended := make(chan int, 1)
			go func() { ended <- p.run(ctx, []string{"anthill", "status", "-watch", "-no-color"}) }()
			out.wait(t, "No run yet.")
			w.run(exitDone, "apply", "-auto-approve")
			out.wait(t, "Runs, newest first")
			stop()
			if status := <-ended; status != exitDone {
				t.Errorf("exit status %d", status)
			}
			text := out.text()
			if redrawn := strings.Contains(text, "\x1b[H"); redrawn != terminal {
				t.Errorf("redrawn: %v", redrawn)
			}
			if n := strings.Count(text, "No run yet."); !terminal && n != 1 {
				t.Errorf("what has not changed was written %d times", n)
			}
		})
	}
}

// watched is output that somebody waits for.
type watched struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (o *watched) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.b.Write(b)
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return n, err
}

func (o *watched) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *watched) wait(t *testing.T, text string) {
	t.Helper()
	late := time.After(time.Minute)
	for !strings.Contains(o.text(), text) {
		select {
		case <-o.changed:
		case <-late:
			t.Fatalf("%q is not shown:\n%s", text, o.text())
		}
	}
}

// TestStatusWithoutConfiguration: the database that DATABASE_URL names is enough, under either naming.
func TestStatusWithoutConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Level: "dual", Seed: 4, Naming: "kanidm"}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	linked := w.statusOf().Users.Linked
	must(t, os.Remove(filepath.Join(w.dir, "main.anthill.hcl")))
	s := w.statusOf()
	if len(s.NotSeen) != 1 || s.NotSeen[0].What != "configuration" || s.Users.Linked != linked || linked == 0 || len(s.Other) != 1 {
		t.Errorf("%+v", s)
	}
	w.env["DATABASE_URL"] = ""
	_, errs := w.run(exitError, "status")
	wants(t, errs, "No configuration")
}
