package main

import (
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// promise is withRaise with password_until in the first policy; "": none.
func promise(until string) string {
	if until == "" {
		return withRaise
	}
	return strings.Replace(withRaise, `auth_policy "dual" { method = "dual" }`,
		"auth_policy \"dual\" {\n  method = \"dual\"\n  password_until = \""+until+"\"\n}", 1)
}

// raiseless is a configuration of raising without the policy and the wave that raise.
func raiseless(text string) string { return strings.Split(text, "auth_policy \"alone\"")[0] }

// promised is a world of moved users who were promised their passwords until 2099; one of them has enrolled since.
func promised(t *testing.T) (*world, *browser, someone) {
	t.Helper()
	w, b := raising(t)
	one := w.withPassword("user", "acme", 1)
	w.config(promise("2099-03-01"))
	w.run(exitDone, "apply", "-auto-approve")
	b.enrol(one.person)
	return w, b, one
}

// TestPromiseLoosened (L10, L22): who was moved under a policy was promised the password until a day. To take it away earlier
// is an edit that must be allowed, however it is written, and whichever wave does it.
func TestPromiseLoosened(t *testing.T) {
	t.Parallel()
	renamed := strings.NewReplacer(`auth_policy "alone"`, `auth_policy "sole"`, "auth_policy.alone", "auth_policy.sole", `wave "alone"`, `wave "sole"`)
	for name, c := range map[string]struct {
		ran  bool // the wave raised somebody before the day was promised
		edit string
	}{
		"brought forward":                 {false, promise("2020-01-01")},
		"taken away":                      {false, promise("")},
		"of a wave that ran":              {true, promise("2020-01-01")},
		"taken away from a wave that ran": {true, promise("")},
		"by a wave of another name":       {false, strings.Replace(promise("2020-01-01"), `wave "alone"`, `wave "sole"`, 1)},
		"by one more wave": {false, promise("2020-01-01") +
			"wave \"sole\" {\n  auth_policy = auth_policy.alone\n  users { tenants = [\"acme\"] }\n  start { after = [wave.alone] }\n}\n"},
		"by another wave than one that ran": {true, strings.Replace(promise(""), `wave "alone"`, `wave "sole"`, 1)},
		"by another policy":                 {false, renamed.Replace(promise(""))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			one, two := w.withPassword("user", "acme", 0), w.withPassword("user", "acme", 1)
			if c.ran {
				b.enrol(one.person)
				w.run(exitDone, "apply", "-auto-approve")
				if !one.raised() {
					t.Fatal("not raised")
				}
			}
			w.config(promise("2099-03-01"))
			w.run(exitDone, "apply", "-auto-approve")
			b.enrol(two.person)
			out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
			wants(t, out, "promised until 2099-03-01")
			w.config(c.edit)
			out = w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, "plan", "-out", "p")
			wants(t, strings.Join(strings.Fields(out), " "), "promised until 2099-03-01")
			w.run(exitBlocked, "apply", "-auto-approve")
			if two.raised() {
				t.Error("raised before the promised day, and nobody has allowed it")
			}
			// Allowed once, it is told no more: who enrols later is raised by the day that is declared.
			w.run(exitDone, "apply", "p")
			if !two.raised() {
				t.Error("allowed, and not raised")
			}
			three := w.withPassword("user", "acme", 2)
			b.enrol(three.person)
			w.run(exitDone, "apply", "-auto-approve")
			if !three.raised() {
				t.Error("not raised by the day that is declared")
			}
		})
	}
}

// TestPromiseEditedBefore (L10): the day is brought forward by an apply that raises nobody, as nobody can be raised yet; whoever
// can be later was promised the same.
func TestPromiseEditedBefore(t *testing.T) {
	t.Parallel()
	disabled := func(text string) string {
		return strings.Replace(text, `wave "alone" {`, "wave \"alone\" {\n  enabled = false", 1)
	}
	for name, c := range map[string]struct{ first, edit, then string }{
		"nobody has enrolled":              {promise("2099-03-01"), promise("2020-01-01"), promise("2020-01-01")},
		"no wave raises yet":               {raiseless(promise("2099-03-01")), raiseless(promise("")), promise("")},
		"no wave raises yet, in one edit":  {raiseless(promise("2099-03-01")), raiseless(promise("2099-03-01")), promise("")},
		"the wave goes, and comes back":    {promise("2099-03-01"), raiseless(promise("")), promise("")},
		"the wave is disabled":             {promise("2099-03-01"), disabled(promise("")), promise("")},
		"the wave is disabled from before": {disabled(promise("2099-03-01")), disabled(promise("2099-03-01")), promise("")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			one := w.withPassword("user", "acme", 1)
			w.config(c.first)
			w.run(exitDone, "apply", "-auto-approve")
			w.config(c.edit)
			w.run(exitDone, "apply", "-auto-approve")
			b.enrol(one.person)
			w.config(c.then)
			w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, "plan", "-out", "p")
			w.run(exitDone, "apply", "p")
			if !one.raised() {
				t.Error("allowed, and not raised")
			}
		})
	}
}

// TestPromiseLengthened (L10): a day that is put off holds at once, and to keep it is no edit of anything.
func TestPromiseLengthened(t *testing.T) {
	t.Parallel()
	w, _, one := promised(t)
	w.config(promise("2100-01-01"))
	w.run(exitDone, "apply", "-auto-approve", "-target", "tenant=globex") // a part records it as well
	w.config(promise("2099-03-01"))
	out := w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, "plan", "-as-of", "2099-04-01T00:00:00Z")
	wants(t, strings.Join(strings.Fields(out), " "), "promised until 2100-01-01")
	out, _ = w.run(exitDone, "plan", "-as-of", "2100-01-01T00:00:00Z")
	wants(t, out, "1 logs in through Self-auth alone from now on")
	if one.raised() {
		t.Error("raised by a plan")
	}
}

// TestPromisePart (L10, L47): the day is brought forward, and the plan is one of a part.
func TestPromisePart(t *testing.T) {
	t.Parallel()
	w, _, one := promised(t)
	w.config(promise("2020-03-01"))
	for _, part := range [][]string{{"-wave", "alone"}, {"-target", "tenant=acme"}, {"-exclude", "tenant=globex"}, {"-target", "tenant=acme", "-wave", "alone"}} {
		w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, append([]string{"plan"}, part...)...)
	}
	w.run(exitDone, "apply", "-auto-approve", "-target", "tenant=globex")
	w.run(exitBlocked, "apply", "-auto-approve")
	if one.raised() {
		t.Error("raised before the promised day, and nobody has allowed it")
	}
}

// TestPromisePaused (L10, L22): the day is brought forward while a tenant is paused, and so nobody can be raised.
func TestPromisePaused(t *testing.T) {
	t.Parallel()
	w, _, one := promised(t)
	w.run(exitDone, "rollback", "-wave", "everyone", "-tenant", "globex", "-auto-approve")
	w.config(promise("2020-01-01"))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "wave", "resume", "-tenant", "globex", "everyone")
	w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, "plan")
	w.run(exitBlocked, "apply", "-auto-approve")
	if one.raised() {
		t.Error("raised before the promised day, and nobody has allowed it")
	}
}

// TestLoosenedTenantPaused (L22): a gate is taken away while a tenant is paused in the wave before, which holds the next one.
func TestLoosenedTenantPaused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4}, emulator(t))
	gated := func(start string) string {
		return everyone + "gate \"go\" { manual = true }\nwave \"pilot\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"globex\"] }\n}\n" +
			"wave \"rest\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n  start {\n    after = [wave.pilot]\n" + start + "  }\n}\n"
	}
	w.config(gated("    gates = [gate.go]\n"))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-tenant", "globex", "-auto-approve")
	w.config(gated(""))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "wave", "resume", "-tenant", "globex", "pilot")
	out, _ := w.run(exitBlocked, "plan")
	wants(t, out, "LOOSENS_BRAKE")
}
