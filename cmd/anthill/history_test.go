package main

import (
	"encoding/json"
	"testing"

	"anthill/internal/sandbox"
)

// TestHistory: what happened in a run stands beside what was planned, tenant by tenant, and comes to what the run says.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 5}, emulator(t))
	w.exec("delete from user_profiles")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-out", "p")
	w.exec("update users set role = 'admin' where user_id in (select user_id from users where role = 'user' and status = 'active' and tenant_id = (select tenant_id from tenants where slug = 'acme') order by user_id limit 2)")
	refused := someone{world: w}
	must(t, w.connect().QueryRow(t.Context(), "select user_id from users join tenants using (tenant_id) where slug = 'globex' and role = 'user' "+
		"and users.status = 'active' order by user_id limit 1").Scan(&refused.user))
	mend := refused.refuses()
	w.run(exitRemainder, "apply", "-approved-by", "Ana\x1b[31m", "p")
	mend()
	run := w.latest()
	type counts struct{ Planned, Done, Already, Changed, Failed, Paused, Untried int64 }
	type history struct {
		Run struct {
			Approved string `json:"approved_by"`
			Counts   struct{ Done, Changed, Failed int64 }
		}
		All     counts
		Tenants []struct {
			Tenant struct{ Slug string }
			counts
		}
		NotDone []any `json:"objects_not_done"`
		Left    []any
	}
	of := func(run string) (h history) {
		t.Helper()
		out, _ := w.run(exitDone, "show", "-run", run, "-json")
		if err := json.Unmarshal([]byte(out), &h); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return h
	}
	h := of(run)
	var sum counts
	for _, one := range h.Tenants {
		sum.Planned += one.Planned
		sum.Done += one.Done
		sum.Changed += one.Changed
		sum.Failed += one.Failed
		if n := int64(w.number("select count(*) from users join tenants using (tenant_id) where {idp}_user_id is not null and slug = $1", one.Tenant.Slug)); n != one.Done {
			t.Errorf("%s: %d done, %d rows are linked", one.Tenant.Slug, one.Done, n)
		}
	}
	if sum != h.All || h.All.Changed != 2 || h.All.Failed != 1 || h.All.Planned != h.All.Done+3 || len(h.Left) != 3 || len(h.NotDone) != 0 ||
		h.Run.Counts != (struct{ Done, Changed, Failed int64 }{h.All.Done, 2, 1}) {
		t.Errorf("%+v, the tenants come to %+v", h, sum)
	}
	out, _ := w.run(exitDone, "show", "-run", run)
	wants(t, out, "By tester@host, approved by Ana\\u001b[31m", "2 changed meanwhile and left alone, 1 failed", "its row changed after the plan",
		"a trigger of the application refuses the row")
	out, _ = w.run(exitDone, "show", "-html", "-run", run)
	wants(t, out, "<title>Anthill run "+run+" on default</title>", "tester@host, approved by Ana\\u001b[31m", `id="happened"`, `id="planned"`,
		"2 changed meanwhile and left alone, 1 failed", "<td class=\"wide\">its row changed after the plan</td>")

	out, _ = w.run(exitDone, "show", "-run", run, "-markdown")
	wants(t, out, "### Anthill run ", ": done, with a remainder", "1 failed", "Ana&#92;u001b&#91;31m")

	// It stays what it was when it is taken back, and the rollback has a history of its own.
	w.run(exitDone, "rollback", "-auto-approve")
	out, _ = w.run(exitDone, "show", "-run", run)
	wants(t, out, "It was taken back later, wholly.")
	if again := of(run); again.All != h.All {
		t.Errorf("after the rollback %+v, before %+v", again.All, h.All)
	}
	if back := of(w.latest()); back.All.Done != h.All.Done || back.All.Planned != h.All.Done {
		t.Errorf("the rollback: %+v", back.All)
	}
	_, errs := w.run(exitError, "show", "-run", "2020-01-01-1")
	wants(t, errs, "no such run is recorded: 2020-01-01-1", "anthill status")
	w.run(exitError, "show", "-run", run, "p")
	w.run(exitError, "show", "-run", run, "-users")
}
