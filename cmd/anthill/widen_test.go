package main

import (
	"fmt"
	"testing"

	"anthill/internal/sandbox"
)

// TestWidened (L20): whom an edit adds to a done wave waits until its gates are confirmed again, however often it is
// applied; who was in it before does not wait, and the next edit needs them once more. Apply samples conditions
// again.
func TestWidened(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	pilot := func(users, start string) {
		w.config(everyone + "gate \"desk\" { manual = true }\ngate \"calm\" { manual = true }\ngate \"held\" { condition = wave.moved >= 20 }\n" +
			"wave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { " + users + " }\n  start { gates = [" + start + "] }\n  finish { gates = [gate.calm] }\n}\n")
	}
	confirm := func(gates ...string) {
		for _, g := range gates {
			w.run(exitDone, "wave", "confirm", "pilot", g)
		}
	}
	w.exec("create table away as select user_id from users join tenants using (tenant_id) where slug = 'globex' and users.status = 'active' and role = 'user' limit 1")
	w.exec("update users set status = 'inactive' where user_id in (select user_id from away)")
	pilot(`tenants = ["acme"]`, "gate.desk")
	confirm("desk", "calm")
	w.run(exitDone, "apply", "-auto-approve")
	acme := w.isLinked("acme")

	pilot(`tenants = ["acme", "globex"]`, "gate.desk")
	waits := `who wait until it is open again: gate "calm" (anthill wave confirm pilot calm), gate "desk" (anthill wave confirm pilot desk)`
	for _, role := range []string{"admin", "user"} { // whoever was in it before follows its row
		out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
		wants(t, out, "done pilot", "widened by", waits, "added to the wave by an edit, and waits for its gates")
		s := w.someone("user", "acme")
		s.set("role", role)
		w.run(exitDone, "apply", "-auto-approve")
		if role == "admin" {
			s.is("follows", "enabled", "tenant_acme_users", "tenant_acme_admins")
		}
	}
	status, _ := w.run(exitDone, "status")
	wants(t, status, waits)
	list, _ := w.run(exitDone, "wave", "list", "pilot")
	wants(t, list, "widened by")
	confirm("desk")
	w.run(exitDone, "plan", "-detailed-exitcode")
	confirm("calm")
	out, _ := w.run(exitChanges, "plan", "-detailed-exitcode")
	w.run(exitDone, "apply", "-auto-approve")
	globex := w.isLinked("globex")
	wants(t, out, fmt.Sprintf("widened by %d users whom an edit of its selection adds", globex))
	if n := w.allLinked(); n != acme+globex {
		t.Errorf("%d of globex are linked, %d in all", globex, n)
	}
	w.exec("update users set status = 'active' where user_id in (select user_id from away)") // by now one who is late
	out, _ = w.run(exitChanges, "plan", "-detailed-exitcode")
	wants(t, out, "1 user late: globex 1")
	w.run(exitDone, "apply", "-auto-approve")
	globex++
	pilot(`tenants = ["acme"]`, "gate.desk") // L4
	w.run(exitDone, "plan", "-detailed-exitcode")
	pilot("all = true", "gate.desk")
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, waits)

	// A condition holds when the plan is made, and not any more when it is applied.
	pilot("all = true", "gate.held")
	confirm("calm")
	w.allowing("plan", "-out", "p")
	w.exec("update users set status = 'suspended' where user_id in (select user_id from users where {idp}_user_id is not null limit $1)", acme+globex-19)
	out, _ = w.run(exitRemainder, "apply", "p")
	wants(t, out, `nobody more of wave pilot was moved: gate "held": wave.moved 19 of 20`)
	if n := w.allLinked(); n != acme+globex {
		t.Errorf("%d are linked, were %d", n, acme+globex)
	}
	out, _ = w.run(exitChanges, "plan", "-detailed-exitcode") // that expire
	wants(t, out, `until it is open again: gate "held": wave.moved 19 of 20`)
	w.exec("update users set status = 'active' where status = 'suspended' and {idp}_user_id is not null")
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
}

// TestLateIgnored (L19): who comes when a wave is done that leaves those is counted, and changes nothing else.
func TestLateIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.exec("create table away as select user_id from users join tenants using (tenant_id) where slug = 'acme' and users.status = 'active' and role = 'user' limit 2")
	w.exec("update users set status = 'inactive' where user_id in (select user_id from away)")
	w.config(chained("  late = \"ignore\"\n"))
	w.run(exitDone, "apply", "-auto-approve")
	linked := w.allLinked()
	w.exec("update users set status = 'active' where user_id in (select user_id from away)")
	out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "done first", "2 users skipped", `2 came when the wave was done, which leaves who is late (late = "ignore")`)
	status, _ := w.run(exitDone, "status")
	wants(t, status, "done since")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.allLinked(); n != linked {
		t.Errorf("%d are linked, were %d", n, linked)
	}
	w.config(chained(""))
	out, _ = w.run(exitChanges, "plan", "-detailed-exitcode")
	wants(t, out, "2 users late: acme 2")
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
}
