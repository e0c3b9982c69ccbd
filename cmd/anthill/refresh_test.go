package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
	"anthill/state"
)

// refreshed is a world in which others have changed objects of each kind, and deleted some: of the groups of one tenant one
// with its mapping row, and one of which that row is left.
type refreshed struct {
	*world
	wish  wish
	third string    // the tenant whose groups are deleted
	conn  *pgx.Conn // one for all that is asked: each stays open until the test ends
}

func meddledWith(t *testing.T) *refreshed {
	t.Helper()
	w := &refreshed{world: newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))}
	w.conn = w.connect()
	w.exec("update tenants set status = 'active'")
	w.wish = wish{description: "users", display: "App", urls: 1, client: "confidential", policy: 2, acmeName: "Acme"}
	w.config(w.wish.text())
	w.settle("the first configuration")
	must(t, w.conn.QueryRow(t.Context(), "select slug from tenants where slug not in ('acme', 'globex') and deleted_at is null order by slug limit 1").Scan(&w.third))
	a, groups := w.api.Accounts(), w.directory().groups
	group := groups["tenant_globex_users"]
	must(t, a.ChangeObject(t.Context(), state.KindGroup, group.ID, text(state.AttrDescription, group.Description), text(state.AttrDescription, "theirs")))
	admins := groups["tenant_acme_admins"]
	must(t, a.ChangeObject(t.Context(), state.KindPolicy, admins.ID, admins.Policy, text(state.AttrSessionExpiry, "77")))
	client := w.clients()[0]
	must(t, a.ChangeObject(t.Context(), state.KindClient, client.ID, client.Attributes,
		state.Attributes{state.AttrRedirectURLs: state.ListValue([]string{"https://other.example/"})}))
	w.exec("update {idp}_tenant_groups set role = 'viewer' where {idp}_group_name = 'tenant_acme_users'")
	w.exec("delete from {idp}_tenant_groups where {idp}_group_name in ('tenant_globex_admins', $1)", w.group("users"))
	w.exec("update tenants set name = 'Theirs' where slug = 'acme'")
	for _, name := range []string{"users", "admins"} {
		must(t, a.DeleteGroups(t.Context(), []uuid.UUID{groups[w.group(name)].ID}))
	}
	return w
}

// group is the name of a group of the third tenant.
func (w *refreshed) group(name string) string {
	return "tenant_" + w.third + "_" + name
}

// sides is all that is on both sides, with ids, in words.
func (w *refreshed) sides() string {
	w.t.Helper()
	return w.snapshot() + "\n" + w.tenantRows() + w.userRows()
}

// objectRows are the recorded objects, one a line; the runs that recorded them are left out.
func (w *refreshed) objectRows() string {
	w.t.Helper()
	return w.recorded("select coalesce(string_agg((to_jsonb(o) - 'run')::text, E'\n' order by address), '') from anthill_state.objects o")
}

// besides is all else that is recorded and that a refresh must leave: users, waves and what holds those back.
func (w *refreshed) besides() string {
	w.t.Helper()
	return w.recorded(`select concat_ws(E'\n', (select string_agg(u::text, E'\n' order by u.user_id) from anthill_state.users u),
		(select string_agg(v::text, E'\n' order by v.name) from anthill_state.waves v),
		(select string_agg(b::text, E'\n' order by b.wave) from anthill_state.brakes b), (select count(*) from anthill_state.pauses))`)
}

func (w *refreshed) recorded(sql string) (text string) {
	w.t.Helper()
	must(w.t, w.conn.QueryRow(w.t.Context(), sql).Scan(&text))
	return text
}

// drifts are the objects that a drift check finds, and those that its plan records.
func (w *refreshed) drifts() (found, records int) {
	w.t.Helper()
	var p struct {
		Effects struct {
			Objects []struct{ Action state.Action }
		}
		Context struct{ Drift struct{ Objects int } }
	}
	out, _ := w.run(exitDone, "plan", "-refresh-only", "-json")
	must(w.t, json.Unmarshal([]byte(out), &p))
	validPlan(w.t, out)
	for _, o := range p.Effects.Objects {
		if o.Action != state.ActionRecord {
			w.t.Errorf("the plan does something: %s", o.Action)
		}
	}
	return p.Context.Drift.Objects, len(p.Effects.Objects)
}

func (w *refreshed) drift(when string, found, records int) {
	w.t.Helper()
	if f, r := w.drifts(); f != found || r != records {
		w.t.Errorf("%s: %d objects are found and %d recorded, want %d and %d", when, f, r, found, records)
	}
}

// same compares what is there, or recorded, with what was.
func (w *refreshed) same(when, before, now string) {
	w.t.Helper()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(now, "\n")); diff != "" {
		w.t.Errorf("%s (-before +now):\n%s", when, diff)
	}
}

// What others have changed in meddledWith: a group's description, its mapping row (two), a policy, a client's addresses and
// (as they let in a group that is gone) its scopes, a tenant's name, and two groups that are gone.
const (
	meddledObjects = 9
	meddledLeft    = 1 // the group of which the mapping row is left
)

// TestRefresh: apply records objects as others have made them and writes to neither side; the next plan sets nothing back that
// is not declared; a rollback of that run, by its name alone, records them as before, and can be rolled back itself.
func TestRefresh(t *testing.T) {
	t.Parallel()
	w := meddledWith(t)
	sides, before, besides := w.sides(), w.objectRows(), w.besides()
	found, records := w.drifts()
	if records != found-meddledLeft || found < meddledObjects-1 {
		t.Fatalf("%d objects are found, %d recorded", found, records)
	}
	out, _ := w.run(exitChanges, "plan", "-refresh-only", "-detailed-exitcode", "-out", "r")
	wants(t, out, "only tells the rest, and writes to neither server", "To carry out exactly this", "recorded as gone",
		"session expiry", "77", "https://other.example/", `tenant.acme only its record changes`)
	w.run(exitBlocked, "apply", "-refresh-only")
	w.same("not approved", before, w.objectRows())
	w.run(exitDone, "apply", "r")
	w.same("both sides", sides, w.sides())
	w.same("users and waves", besides, w.besides())
	after := w.objectRows()
	w.drift("recorded", meddledLeft, 0)
	run := w.latest()
	out, _ = w.run(exitDone, "apply", "r")
	wants(t, out, "Nothing to do")
	out, _ = w.run(exitDone, "apply", "-refresh-only", "-auto-approve")
	wants(t, out, "This plan only looks, and changes nothing")

	// What is declared is put right, but nothing is said of what others have done.
	_, out, _ = w.try("plan")
	if strings.Contains(out, "set back") {
		t.Errorf("it is set back:\n%s", out)
	}
	wants(t, out, `tenant.acme name: Theirs -> Acme`)
	// Nobody means it by a rollback that names no run.
	w.run(exitDone, "rollback", "-out", "b")
	out, _ = w.run(exitDone, "show", "-json", "b")
	var latest struct {
		Effects struct{ Undo struct{ Runs []string } }
	}
	must(t, json.Unmarshal([]byte(out), &latest))
	if diff := cmp.Diff(w.runs()[:1], latest.Effects.Undo.Runs); diff != "" {
		t.Errorf("a rollback of the latest run (-want +got):\n%s", diff)
	}

	out, _ = w.run(exitDone, "rollback", "-run", run, "-auto-approve")
	wants(t, out, "no longer recorded as gone")
	w.same("taken back", before, w.objectRows())
	w.same("both sides, after it was taken back", sides, w.sides())
	w.same("users and waves, after it was taken back", besides, w.besides())
	w.drift("taken back", found, records)
	out, _ = w.run(exitDone, "rollback", "-run", run, "-auto-approve")
	wants(t, out, "Nothing to take back: no run")
	w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
	w.same("and again", after, w.objectRows())
	w.same("both sides, and again", sides, w.sides())
}

// TestRefreshThenApply: what was recorded as it was is put right by the next plan like anything else, and both runs are taken
// back one after the other. A group that was made again stays: by the record before the refresh it was there.
func TestRefreshThenApply(t *testing.T) {
	t.Parallel()
	w := meddledWith(t)
	of := func(rows string) string {
		rows = strings.ReplaceAll(rows, `"paused": true`, `"paused": false`) // until the wave goes on
		return strings.Join(slices.DeleteFunc(strings.Split(rows, "\n"), func(row string) bool {
			return strings.Contains(row, w.third) || strings.Contains(row, "oauth2_client.") // it names a group that was made again
		}), "\n")
	}
	paused := func() int { return w.number("select count(*) from anthill_state.objects where paused") }
	before, tenants := w.objectRows(), w.tenantRows()
	w.run(exitDone, "apply", "-refresh-only", "-auto-approve")
	refresh, between := w.latest(), w.objectRows()
	w.settle("the refresh")
	w.drift("put right", 0, 0)
	w.allowing("rollback", "-run", w.latest(), "-auto-approve")
	w.same("the apply is taken back", of(between), of(w.objectRows()))
	waiting := paused()
	w.allowing("rollback", "-run", refresh, "-auto-approve")
	if n := paused(); waiting == 0 || n != waiting {
		t.Errorf("%d objects wait for the wave, %d did before", n, waiting)
	}
	w.same("and the refresh", of(before), of(w.objectRows()))
	w.same("the rows of tenants", of(tenants), of(w.tenantRows()))
	if _, there := w.directory().groups[w.group("users")]; !there {
		t.Error("a group that was made again is gone")
	}
	w.run(exitDone, "wave", "resume", "everyone")
	for range 2 {
		w.allowing("plan", "-out", "p")
		w.run(exitDone, "apply", "p")
	}
	w.drift("in the end", 0, 0)
}

// TestRefreshStale: what was changed again after the plan is left, and so is what came back; the rest is recorded.
func TestRefreshStale(t *testing.T) {
	t.Parallel()
	w := meddledWith(t)
	_, records := w.drifts()
	w.run(exitDone, "plan", "-refresh-only", "-out", "r")
	w.exec("update tenants set name = 'Theirs again' where slug = 'acme'")
	w.exec("delete from {idp}_tenant_groups where {idp}_group_name = 'tenant_acme_users'")
	sides := w.sides()
	out, _ := w.run(exitStale, "show", "-check", "r")
	wants(t, out, "2 changed since")
	w.run(exitStale, "apply", "-on-stale", "fail", "r")
	out, _ = w.run(exitRemainder, "apply", "r")
	wants(t, out, "tenant.acme", `group.users["acme"]`)
	w.same("both sides", sides, w.sides())
	w.drift("in part", 2+meddledLeft, 2)
	if n := w.number("select count(*) from anthill_state.object_records where run = $1 and verdict = 'done'", w.latest()); n != records-2 {
		t.Errorf("%d objects are recorded, want %d", n, records-2)
	}
	w.run(exitDone, "apply", "-refresh-only", "-auto-approve")
	w.drift("the rest", meddledLeft, 0)
}

// TestRefreshLocked: one process at a time.
func TestRefreshLocked(t *testing.T) {
	t.Parallel()
	w := meddledWith(t)
	before := w.objectRows()
	release := w.lock("somebody")
	w.run(exitLocked, "apply", "-refresh-only", "-auto-approve", "-lock-timeout", "0s")
	w.same("locked", before, w.objectRows())
	release()
	w.run(exitDone, "apply", "-refresh-only", "-auto-approve")
	w.drift("free", meddledLeft, 0)
}

// TestRefreshCutAnywhere: wherever it is cut, the run is finished, or closed and what is left is recorded by another; and what
// was recorded of it is taken back.
func TestRefreshCutAnywhere(t *testing.T) {
	t.Parallel()
	w := meddledWith(t)
	sides, before := w.sides(), w.objectRows()
	w.run(exitDone, "plan", "-refresh-only", "-out", "r")
	c := w.cutter()
	c.sql("create trigger cut before insert or update on anthill_state.object_records for each statement execute function cut()")
	w.run(exitDone, "apply", "r")
	places, after := c.seen(), w.objectRows()
	if places < 5 {
		t.Fatalf("only %d places to cut at", places)
	}
	w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
	for n := range places {
		if !thorough() && (n%2 == 0) == (n/2%2 == 1) {
			continue // half of them
		}
		name := fmt.Sprintf("cut at %d", n+1)
		w.run(exitDone, "plan", "-refresh-only", "-out", "r")
		c.at(n + 1)
		status, out, errs := w.try("apply", "r")
		c.at(0)
		if status == exitDone {
			t.Fatalf("%s: exit status %d\n%s%s", name, status, out, errs)
		}
		if n%2 == 0 {
			w.run(exitDone, "apply", "r")
		} else {
			w.try("apply", "-close")
			w.run(exitDone, "apply", "-refresh-only", "-auto-approve")
		}
		w.same(name, after, w.objectRows())
		for range 2 { // one that was closed may have recorded some, and the next one the others
			if w.objectRows() != before {
				run := w.recorded("select id from anthill_state.runs where kind = 'refresh' and not undone order by n desc limit 1")
				w.run(exitDone, "rollback", "-run", run, "-auto-approve")
			}
		}
		w.same(name+", taken back", before, w.objectRows())
	}
	w.same("both sides", sides, w.sides())
}
