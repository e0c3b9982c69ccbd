package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"anthill/internal/sandbox"
)

// chained is a wave of acme with some arguments, and one of all behind it.
func chained(first string) string {
	return everyone + "gate \"desk\" { manual = true }\ngate \"calm\" { manual = true }\n" + `wave "first" {
  auth_policy = auth_policy.dual
  users { tenants = ["acme"] }
` + first + `}
wave "rest" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.first] }
}
`
}

// TestUnconfirm: a gate that is closed again holds its wave until it is confirmed anew, and the history says who did what.
func TestUnconfirm(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(chained("  start { gates = [gate.desk] }\n"))
	w.run(exitDone, "wave", "confirm", "first", "desk", "-note", "staffed")
	_, errs := w.run(exitError, "wave", "unconfirm", "first", "dusk", "-reason", "r")
	wants(t, errs, `wave "first" has no gate "dusk"; it has desk`)
	_, errs = w.run(exitError, "wave", "unconfirm", "first", "desk")
	wants(t, errs, "wants -reason TEXT")
	out, _ := w.run(exitDone, "wave", "unconfirm", "first", "desk", "-reason", "nobody came")
	wants(t, out, "Gate desk of wave first is closed again")
	out, _ = w.run(exitDone, "wave", "unconfirm", "first", "desk", "-reason", "nobody came")
	wants(t, out, "was not confirmed: nothing was changed")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, `held first gate "desk"`)
	w.run(exitDone, "wave", "confirm", "first", "desk")
	w.run(exitDone, "apply", "-auto-approve")
	out, _ = w.run(exitDone, "wave", "list", "first", "-history")
	wants(t, out, "gate desk confirmed by tester@host: staffed", "gate desk closed again by tester@host: nobody came")
	if n := w.isLinked("acme"); n == 0 {
		t.Error("nobody is moved")
	}
}

// TestUnconfirmTenant: a gate that each tenant opens is closed for one of them, or for all; one that the figures of its wave open is
// closed by nobody's hand. A rollback of the wave closes it for all tenants.
func TestUnconfirmTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	gates := "gate \"calm\" { condition = wave.skipped >= 0 }\ngate \"desk\" { manual = true }\n" +
		"gate \"opt-in\" {\n  manual = true\n  per    = \"tenant\"\n}"
	w.config(pilotAndRest(gates, "gate.opt-in, gate.calm, gate.desk", ""))
	unconfirm := func(exit int, args ...string) string {
		out, errs := w.run(exit, append([]string{"wave", "unconfirm", "-reason", "r"}, args...)...)
		return out + errs
	}
	opened := func(want int) {
		t.Helper()
		if n := w.number("select count(*) from anthill_state.confirmations where gate = 'opt-in'"); n != want {
			t.Errorf("%d confirmations instead of %d", n, want)
		}
	}
	wants(t, unconfirm(exitError, "pilot", "calm"), `gate "calm" is opened by the figures of the wave`)
	wants(t, unconfirm(exitError, "-tenant", "acme", "pilot", "desk"), "leave -tenant out")
	unconfirm(exitError, "-tenant", "nobody", "pilot", "opt-in")
	wants(t, unconfirm(exitDone, "-tenant", "acme", "pilot", "opt-in"), "was not confirmed for acme: nothing was changed")
	confirm := func() {
		for _, slug := range []string{"acme", "globex"} {
			w.run(exitDone, "wave", "confirm", "-tenant", slug, "pilot", "opt-in")
		}
	}
	confirm()
	wants(t, unconfirm(exitDone, "-tenant", "acme", "pilot", "opt-in"), "Gate opt-in of wave pilot is closed again for acme.")
	opened(1)
	out, _ := w.run(exitDone, "wave", "list", "pilot", "-history")
	wants(t, out, "gate opt-in for globex: confirmed by tester@host", "gate opt-in: closed for the other tenants",
		"gate opt-in confirmed for acme by", "gate opt-in closed again for acme by tester@host: r")
	confirm()
	wants(t, unconfirm(exitDone, "pilot", "opt-in"), "Gate opt-in of wave pilot is closed again.")
	opened(0)
	confirm()
	w.run(exitDone, "wave", "confirm", "pilot", "desk")
	w.run(exitDone, "apply", "-auto-approve")
	out, _ = w.run(exitDone, "rollback", "-wave", "pilot", "-auto-approve")
	wants(t, out, "Gate opt-in of wave pilot is closed for acme, globex until it is confirmed anew")
	opened(0)
}

// TestRollbackClosesGates: a rollback of a wave says which gates it closes, and closes them: when the wave goes on, it is held until
// they are confirmed anew. One of a tenant leaves open what is not its own, and undoing it leaves them closed.
func TestRollbackClosesGates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(chained("  start { gates = [gate.desk] }\n  finish { gates = [gate.calm] }\n"))
	w.run(exitDone, "wave", "confirm", "first", "desk")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "wave", "confirm", "first", "calm")
	out, _ := w.run(exitDone, "rollback", "-wave", "first", "-tenant", "acme", "-out", "p")
	if strings.Contains(out, "is closed until") {
		t.Errorf("of a tenant:\n%s", out)
	}
	w.run(exitDone, "rollback", "-wave", "first", "-out", "q")
	for _, form := range []string{"-markdown", "-html"} {
		out, _ = w.run(exitDone, "show", form, "q")
		wants(t, out, "is closed until it is confirmed anew")
	}
	out, _ = w.run(exitDone, "rollback", "-wave", "first", "-auto-approve")
	for _, gate := range []string{"calm", "desk"} {
		wants(t, out, fmt.Sprintf("Gate %s of wave first is closed until it is confirmed anew: anthill wave confirm first %s", gate, gate))
	}
	w.run(exitDone, "wave", "resume", "first")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, `held first gate "desk"`, "held rest")
	w.run(exitDone, "wave", "confirm", "first", "desk")
	out, _ = w.run(exitDone, "wave", "list", "first", "-history")
	wants(t, out, "gate calm closed again by run "+w.latest(), "gate calm: closed")
	w.run(exitDone, "apply", "-auto-approve")
	if acme, all := w.isLinked("acme"), w.allLinked(); acme == 0 || acme != all {
		t.Errorf("%d of acme, %d in all", acme, all)
	}
}

// TestPromote (L22): a wish to skip a date, or the rest of a soak, changes nothing by itself; the plan that goes by it is blocked until
// it is allowed by count, uses it up, and another plan is made without it.
func TestPromote(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, nothing string
		before         func(*world)
	}{
		"a date": {"  start { at = \"2099-01-01T00:00:00Z\" }\n", "that its start date is skipped", func(*world) {}},
		"a soak": {"  finish { soak = \"7d\" }\n", "that the rest of its soak is skipped", func(w *world) {
			_, errs := w.run(exitError, "wave", "promote", "first", "-reason", "r")
			wants(w.t, errs, "wave first has no start date that lies ahead: there is nothing to skip")
			w.run(exitDone, "apply", "-auto-approve")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
			w.config(chained(c.first))
			c.before(w)
			was := w.allLinked()
			out, _ := w.run(exitDone, "wave", "promote", "first", "-reason", "all is calm")
			wants(t, out, c.nothing, "LOOSENS_BRAKE", "anthill wave promote -withdraw first")
			w.run(exitDone, "wave", "promote", "first", "-withdraw")
			out, _ = w.run(exitDone, "wave", "promote", "first", "-withdraw")
			wants(t, out, "nothing was changed")
			w.run(exitDone, "plan") // as if nothing had been
			w.run(exitDone, "wave", "promote", "first", "-reason", "all is calm")
			out, _ = w.run(exitBlocked, "plan", "-out", "blocked")
			wants(t, out, "LOOSENS_BRAKE", c.nothing+", by tester@host on", ": all is calm")
			w.run(exitBlocked, "apply", "-auto-approve")
			if n := w.allLinked(); n != was {
				t.Errorf("%d are linked, were %d", n, was)
			}
			list, _ := w.run(exitDone, "wave", "list")
			wants(t, list, "wished "+c.nothing+", by tester@host")
			// The plan that was allowed does less where the wish was withdrawn since.
			saved := w.allowing("plan", "-out", "p")
			wants(t, saved, "ALLOWED LOOSENS_BRAKE")
			w.run(exitDone, "wave", "promote", "first", "-withdraw")
			out, _ = w.run(exitRemainder, "apply", "p")
			wants(t, out, "wave first stays as it is: what was wished of it, "+c.nothing+", was withdrawn after the plan", "wave rest was not started")
			if n := w.allLinked(); n != was {
				t.Errorf("withdrawn: %d are linked, were %d", n, was)
			}
			w.run(exitDone, "wave", "promote", "first", "-reason", "all is calm")
			w.allowing("plan", "-out", "q")
			w.run(exitDone, "apply", "q")
			if n := w.number("select count(*) from anthill_state.wishes"); n != 0 {
				t.Errorf("%d wishes are left", n)
			}
			out, _ = w.run(exitDone, "wave", "list", "-history")
			wants(t, out, "by run "+w.latest()+" by tester@host")
			w.run(exitDone, "plan", "-detailed-exitcode")
			if name == "a soak" {
				w.checkMoved()
			}
		})
	}
}

// TestAccept (L15): failures that are accepted keep their wave no longer from being moved, by the plan that says so and is allowed, and
// by later ones; one more does.
func TestAccept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(chained(""))
	_, errs := w.run(exitError, "wave", "accept", "first", "-reason", "r")
	wants(t, errs, "wave first has not started")
	w.exec(`create function no() returns trigger language plpgsql as $$ begin 
		if old.user_id in (select user_id from refused) then raise exception 'no' using errcode = 'check_violation'; end if; return new; end $$`)
	w.exec("create table refused (user_id uuid)")
	w.exec("insert into refused select user_id from users join tenants t using (tenant_id) where t.slug = 'acme' and users.status = 'active' and users.deleted_at is null and role = 'user' order by user_id limit 2")
	w.exec("create trigger no before update on users for each row execute function no()")
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "2 failed", "wave rest was not started")
	w.run(exitDone, "wave", "accept", "first", "-reason", "they have left")
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "LOOSENS_BRAKE wave first counts as moved however many of its 2 users fail: that its failures are accepted, by tester@host on")
	w.run(exitBlocked, "apply", "-auto-approve")
	acme := w.allLinked()
	saved := w.allowing("plan", "-out", "p")
	wants(t, saved, "ALLOWED LOOSENS_BRAKE=2")
	w.run(exitRemainder, "apply", "p")
	if n := w.allLinked(); n <= acme {
		t.Errorf("%d are linked, were %d: the next wave was not started", n, acme)
	}
	if n := w.number("select accepted from anthill_state.waves where name = 'first' and done_at is not null"); n != 2 {
		t.Errorf("%d are accepted", n)
	}
	if n := w.number("select count(*) from anthill_state.wishes"); n != 0 {
		t.Errorf("%d wishes are left", n)
	}
	w.run(exitRemainder, "apply", "-auto-approve") // without any hazard
	w.run(exitDone, "rollback", "-wave", "first", "-auto-approve")
	if n := w.number("select accepted from anthill_state.waves where name = 'first'"); n != 0 {
		t.Errorf("after a rollback %d are accepted", n)
	}
}

// TestAbort: a wave is paused, and the command is told that takes it back, where there is something to take back.
func TestAbort(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(everyone + waveEveryone)
	out, _ := w.run(exitDone, "wave", "abort", "everyone", "-reason", "logins fail")
	wants(t, out, "Wave everyone is paused:", "It has moved nobody")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	for _, said := range []string{"Wave everyone is paused:", "Wave everyone is paused already"} {
		out, _ = w.run(exitDone, "wave", "abort", "everyone", "-reason", "logins fail")
		wants(t, out, said, "To take back whom it has moved: anthill rollback -wave everyone")
	}
	w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	if n := w.allLinked(); n != 0 {
		t.Errorf("%d are linked", n)
	}
}

// TestWishOfWhatCame: a wish of a wave that has come so far without it is ended, and so it holds nothing up that comes later; a
// plan that starts a wave because of a wish says so, and blames no edit.
func TestWishOfWhatCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	w.config(chained("  finish { soak = \"7d\" }\n"))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "wave", "promote", "first", "-reason", "in a hurry")
	out, _ := w.run(exitBlocked, "plan", "-detailed-exitcode")
	wants(t, out, "starts, with", "because of what was wished. Without that it is held:")
	if strings.Contains(out, "was edited") {
		t.Errorf("nobody has edited anything:\n%s", out)
	}
	then := w.now
	w.now = func() time.Time { return then().Add(8 * 24 * time.Hour) }
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.number("select count(*) from anthill_state.wishes"); n != 0 {
		t.Errorf("%d wishes are left of a soak that is over", n)
	}
	out, _ = w.run(exitDone, "wave", "list", "first")
	if strings.Contains(out, "wished that") {
		t.Errorf("it stands in the list:\n%s", out)
	}
}

// TestRollbackOfTenantClosesGate: a tenant that is taken back has to opt in again; the others have done so.
func TestRollbackOfTenantClosesGate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
	w.config(pilotAndRest("gate \"opt-in\" {\n  manual = true\n  per    = \"tenant\"\n}\n", "gate.opt-in", ""))
	for _, slug := range []string{"acme", "globex"} {
		w.run(exitDone, "wave", "confirm", "-tenant", slug, "-note", "signed", "pilot", "opt-in")
	}
	w.run(exitDone, "apply", "-auto-approve")
	globex := w.isLinked("globex")
	out, _ := w.run(exitDone, "rollback", "-wave", "pilot", "-tenant", "acme", "-auto-approve")
	wants(t, out, "Gate opt-in of wave pilot is closed for acme until it is confirmed anew: anthill wave confirm -tenant acme pilot opt-in")
	w.run(exitDone, "wave", "resume", "pilot", "-tenant", "acme")
	w.run(exitDone, "apply", "-auto-approve")
	if n, of := w.isLinked("acme"), w.isLinked("globex"); n != 0 || of != globex {
		t.Errorf("%d of acme are moved, which has not opted in again, and %d of globex, want %d", n, of, globex)
	}
	w.run(exitDone, "wave", "confirm", "-tenant", "acme", "-note", "signed again", "pilot", "opt-in")
	w.run(exitDone, "apply", "-auto-approve")
	if w.isLinked("acme") == 0 {
		t.Error("acme has opted in again, and nobody of it is moved")
	}
}
