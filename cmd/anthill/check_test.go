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
