package main

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestForget: a user is forgotten only when its row is gone, that was followed, and its person was deleted; then nothing but the
// plans that were approved holds its id, the runs stand as they stood, and a rollback says that it is not all of them.
func TestForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 14, Seed: 6}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	user := w.active(0)[1][0]
	var person uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id from users where user_id = $1"), user).Scan(&person))
	const address = "her.first.address@forget.example"
	w.exec("update users set email = $1 where user_id = $2", address, user)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update users set email = 'her.second@forget.example' where user_id = $1", user)
	w.run(exitDone, "apply", "-auto-approve") // the journal keeps the one that it takes away
	forget := func(want int, says string, more ...string) {
		t.Helper()
		out, errs := w.run(want, append([]string{"state", "forget", user, "-reason", "request 4711"}, more...)...)
		wants(t, out+errs, says)
	}
	w.run(exitError, "state", "forget", user)
	w.run(exitError, "state", "forget", "kim@x.example", "-reason", "r")
	w.run(exitError, "state", "forget", user, "-reason", "kim@x.example asks for it")
	_, errs := w.run(exitError, "state", "list")
	wants(t, errs, "anthill status")
	forget(exitError, "is still there")
	w.exec("delete from users where user_id = $1", user)
	forget(exitError, "the next plan still takes away what user")
	w.run(exitDone, "apply", "-auto-approve")
	forget(exitError, "kanidm person delete "+person.String())
	must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{person}))
	forget(exitBlocked, "recorded under wave everyone 4 journal records of 4 runs")

	holding := func() (tables []string) {
		t.Helper()
		c := w.connect()
		rows, err := c.Query(t.Context(), "select table_name from information_schema.tables where table_schema = 'anthill_state' and table_name <> 'plans' order by 1")
		must(t, err)
		var all []string
		for rows.Next() {
			var name string
			must(t, rows.Scan(&name))
			all = append(all, name)
		}
		must(t, rows.Err())
		for _, name := range all {
			for _, what := range [][2]string{{user, strings.ReplaceAll(user, "-", "")}, {person.String(), strings.ReplaceAll(person.String(), "-", "")},
				{address, hex.EncodeToString([]byte(address))}} {
				var holds bool
				sql := "select exists (select from anthill_state." + name + " r where r::text ilike '%' || $1 || '%' or r::text ilike '%' || $2 || '%')"
				must(t, c.QueryRow(t.Context(), sql, what[0], what[1]).Scan(&holds))
				if holds {
					tables = append(tables, name)
				}
			}
		}
		return tables
	}
	if got := strings.Join(holding(), " "); got != "records records records users users" {
		t.Errorf("the user, its person and its address are in %s: this test sees nothing", got)
	}
	var before []string
	for _, run := range w.runs() {
		out, _ := w.run(exitDone, "show", "-run", run, "-json")
		before = append(before, out)
	}
	forget(exitDone, "Recorded: wanted by tester@host on", "-auto-approve")
	if got := holding(); len(got) > 0 {
		t.Errorf("the user is in %v still", got)
	}
	for i, run := range w.runs() {
		if out, _ := w.run(exitDone, "show", "-run", run, "-json"); out != before[i] {
			t.Errorf("run %s was\n%s\nand is\n%s", run, before[i], out)
		}
	}
	forget(exitDone, "was forgotten already", "-auto-approve")
	_, errs = w.run(exitError, "explain", user)
	wants(t, errs, "was forgotten on", "by tester@host: request 4711")
	w.run(exitDone, "plan", "-detailed-exitcode")
	user = uuid.NewString()
	forget(exitError, "nothing is recorded of user "+user, "-auto-approve")

	out, _ := w.run(exitDone, "rollback", "-run", w.runs()[0], "-out", "back")
	wants(t, out, "1 user of these runs was forgotten since and cannot be taken back")
	w.run(exitDone, "apply", "back")
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are still linked", n)
	}
}
