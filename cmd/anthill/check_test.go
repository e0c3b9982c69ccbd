package main

import (
	"strconv"
	"strings"
	"testing"

	"anthill/internal/sandbox"
	"anthill/state"
)

// TestCheck: how much of a plan still holds is said without changing anything, by whoever may only read; -on-stale fail
// goes by the same, objects included.
func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 5}, emulator(t))
	token := w.env["SELF_AUTH_ADMIN_TOKEN"]
	reads := func() { w.env["SELF_AUTH_ADMIN_TOKEN"] = w.env["SELF_AUTH_READ_TOKEN"] }
	writes := func() { w.env["SELF_AUTH_ADMIN_TOKEN"] = token }
	// The groups are there before the plan that is checked changes them.
	w.config(everyone)
	w.run(exitDone, "apply", "-auto-approve")
	w.config(strings.ReplaceAll(everyone, `description = "${each.key} Users"`, `description = "${each.key} People"`) + waveEveryone)
	reads()
	w.run(exitDone, "plan", "-out", "p")
	list, _ := w.run(exitDone, "show", "-users", "p")
	due := strings.Count(list, "\n")
	says := func(why string, status int, lines ...string) {
		t.Helper()
		before := w.fingerprint()
		out, _ := w.run(status, "show", "-check", "p")
		wants(t, out, lines...)
		if after := w.fingerprint(); before != after {
			t.Errorf("%s: something was changed", why)
		}
	}
	users := func(n int, rest string) string { return "users: " + strconv.Itoa(n) + " as planned, " + rest }
	says("nothing happened", exitDone, "All of it still holds.", users(due, "0 changed since"), "objects: 3 as planned, 0 changed since")

	// Two users, and one group, change.
	w.exec("update users set role = 'admin' where user_id in (select user_id from users where role = 'user' and status = 'active' order by user_id limit 2)")
	group := w.directory().groups["tenant_acme_users"]
	writes()
	is := state.Attributes{state.AttrDescription: state.TextValue("acme Users")}
	will := state.Attributes{state.AttrDescription: state.TextValue("somebody's")}
	if err := w.api.Accounts().ChangeObject(t.Context(), state.KindGroup, group.ID, is, will); err != nil {
		t.Fatal(err)
	}
	reads()
	says("two users and a group", exitStale, "Not all of it holds any more.", users(due-2, "2 changed since"),
		"objects: 2 as planned, 1 changed since", `group.users["acme"]: its description changed after the plan`, "its row changed after the plan")
	out, _ := w.run(exitStale, "show", "-check", "-json", "p")
	wants(t, out, `"holds": false`, `"changed": 2`, `"changed": 1`)
	writes()
	before := w.fingerprint()
	_, errs := w.run(exitStale, "apply", "-on-stale", "fail", "p")
	if !strings.Contains(errs, `group.users["acme"] is not as planned`) || before != w.fingerprint() {
		t.Errorf("apply -on-stale fail with a changed group: %s", errs)
	}
	w.run(exitRemainder, "apply", "p")
	reads()
	says("it was carried out", exitStale, users(0, "2 changed since, "+strconv.Itoa(due-2)+" done already"), "objects: 0 as planned, 1 changed since, 2 done already")
	writes()
	w.run(exitDone, "apply", "-auto-approve")
	reads()
	w.run(exitDone, "plan", "-out", "empty")
	w.run(exitDone, "show", "-check", "empty")
	w.run(exitError, "show", "-check", "-users", "p")
}

// TestCheckRefused: where apply would refuse all of a plan, that is said, with its exit status and the way on.
func TestCheckRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 5}, emulator(t))
	limited := strings.Replace(everyone, "max_users_changed_percent = 100", "max_users_changed_percent = 1", 1) + waveEveryone
	w.config(limited)
	w.run(exitBlocked, "plan", "-out", "blocked")
	out, _ := w.run(exitBlocked, "show", "-check", "blocked")
	wants(t, out, "Apply refuses all of it: the plan is blocked by a hazard")
	out, _ = w.run(exitBlocked, "show", "-check", "-json", "blocked")
	wants(t, out, `"holds": false`, `"refused": "the plan is blocked`)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "plan", "-as-of", "2099-01-01T00:00:00Z", "-out", "later")
	out, _ = w.run(exitStale, "show", "-check", "later")
	wants(t, out, "which has not come: apply it then")
	w.run(exitDone, "apply", "-auto-approve")
	first := w.latest()
	w.run(exitDone, "rollback", "-run", first, "-out", "back")
	out, _ = w.run(exitDone, "show", "-check", "back")
	wants(t, out, "All of it still holds.")
	w.exec("update users set status = 'suspended' where user_id = (select user_id from users where status = 'active' and {idp}_user_id is not null order by user_id limit 1)")
	w.run(exitDone, "apply", "-auto-approve")
	out, _ = w.run(exitStale, "show", "-check", "back")
	wants(t, out, "came, or went on, after this rollback was planned", "anthill rollback -run "+first)
	if strings.Contains(out, "anthill plan") {
		t.Errorf("of a rollback it offers a plan:\n%s", out)
	}
}

// TestSchemaCountedOnce: a run that is stopped in the middle of the schema, and gone on with, has done each step once.
func TestSchemaCountedOnce(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	k.cut(0)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	out, _ := w.run(exitDone, "apply", "-auto-approve")
	wants(t, out, "12 schema steps done")
}

// TestCheckOfWhatWasDone: of a plan that was carried out, check says what apply says.
func TestCheckOfWhatWasDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	for _, args := range [][]string{{"plan"}, {"rollback"}, {"plan", "-refresh-only"}} {
		w.run(exitDone, append(args, "-out", "p")...)
		w.run(exitDone, "apply", "p")
		out, _ := w.run(exitDone, "show", "-check", "p")
		if args[len(args)-1] != "-refresh-only" { // which has nothing to do, and no run
			wants(t, out, "has carried it out")
		}
		w.run(exitDone, "apply", "p")
		if out, _ = w.run(exitDone, "show", "-check", "-json", "p"); !strings.Contains(out, `"holds": true`) {
			t.Errorf("%v: it says:\n%s", args, out)
		}
	}
}
