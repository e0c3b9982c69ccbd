package main

import (
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// TestUnconfirmedSince (L21): a gate that was closed again after the plan holds what it had let start, as one that figures close does.
func TestUnconfirmedSince(t *testing.T) {
	t.Parallel()
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
		w.config(chained("  start { gates = [gate.desk] }\n"))
		w.run(exitDone, "wave", "confirm", "first", "desk")
		w.run(exitDone, "plan", "-out", "p")
		w.run(exitDone, "wave", "unconfirm", "first", "desk", "-reason", "nobody came")
		out, _ := w.run(exitRemainder, "apply", "p")
		wants(t, strings.Join(strings.Fields(out), " "), `gate "desk"`, "wave rest was not started")
		if n := w.allLinked(); n != 0 {
			t.Errorf("%d are moved", n)
		}
		w.run(exitDone, "wave", "confirm", "first", "desk")
		w.run(exitDone, "apply", "-auto-approve")
		w.checkMoved()
	})
	t.Run("finish", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
		w.config(chained("  finish { gates = [gate.calm] }\n"))
		w.run(exitDone, "wave", "confirm", "first", "calm")
		w.run(exitDone, "plan", "-out", "p")
		w.run(exitDone, "wave", "unconfirm", "first", "calm", "-reason", "not calm")
		w.run(exitRemainder, "apply", "p")
		if acme, all := w.isLinked("acme"), w.allLinked(); acme == 0 || all != acme {
			t.Errorf("%d of acme are moved, %d in all", acme, all)
		}
	})
	t.Run("tenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Level: "dual"}, emulator(t))
		w.config(pilotAndRest("gate \"opt-in\" {\n  manual = true\n  per    = \"tenant\"\n}\n", "gate.opt-in", ""))
		for _, slug := range []string{"acme", "globex"} {
			w.run(exitDone, "wave", "confirm", "-tenant", slug, "pilot", "opt-in")
		}
		w.run(exitDone, "plan", "-out", "p")
		w.run(exitDone, "wave", "unconfirm", "-tenant", "acme", "pilot", "opt-in", "-reason", "they said no")
		w.run(exitRemainder, "apply", "p")
		if n, of := w.isLinked("acme"), w.isLinked("globex"); n != 0 || of == 0 {
			t.Errorf("%d of acme are moved, which said no, and %d of globex", n, of)
		}
	})
}
