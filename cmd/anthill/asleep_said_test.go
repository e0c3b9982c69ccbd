package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestAsleepIsSeen: of whom an administrator has woken, or a rollback has left awake, it is not said that it is asleep.
func TestAsleepIsSeen(t *testing.T) {
	t.Parallel()
	t.Run("woken", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		s.set("status", "suspended")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "wave", "pause", "everyone", "-reason", "r")
		s.set("status", "active")
		out, _ := w.run(exitDone, "plan")
		wants(t, out, "is asleep in Self-auth")
		must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
		if out, _ := w.run(exitDone, "plan"); strings.Contains(out, "asleep") {
			t.Errorf("it is awake:\n%s", out)
		}
	})
	t.Run("left awake", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		s.set("status", "suspended")
		w.run(exitDone, "apply", "-auto-approve")
		first := w.latest()
		s.set("status", "active")
		w.run(exitDone, "apply", "-auto-approve")
		w.exec("update tenants set status = 'suspended' where slug = 'acme'")
		w.run(exitDone, "rollback", "-auto-approve", "-run", first)
		w.exec("update tenants set status = 'active' where slug = 'acme'")
		s.is("rolled back", "enabled", "tenant_acme_users")
		if out, _ := w.run(exitDone, "plan"); strings.Contains(out, "asleep") {
			t.Errorf("it is awake:\n%s", out)
		}
	})
	t.Run("shut out", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		s.set("status", "suspended")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "wave", "pause", "everyone", "-reason", "r")
		s.expireAsAdmin()
		s.set("status", "active")
		if out, _ := w.run(exitDone, "plan"); strings.Contains(out, "asleep") {
			t.Errorf("it was shut out, and no pause keeps it so:\n%s", out)
		}
	})
}
