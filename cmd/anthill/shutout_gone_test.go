package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestShutOutAndGone (L27, L28): whom an administrator has shut out before its row was deleted is not let in when that comes back.
func TestShutOutAndGone(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	s.expireAsAdmin()
	w.exec("delete from user_profiles")
	w.exec("create table kept as select * from users where user_id = $1", s.user)
	w.exec("delete from users where user_id = $1", s.user)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("insert into users select * from kept")
	w.try("apply", "-auto-approve")
	if !w.directory().persons[s.person].Expired {
		t.Error("it is let in")
	}
}

// TestStaysAwakeOfNobody: of a person who is no more it is not said that it stays enabled.
func TestStaysAwakeOfNobody(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	for _, status := range []string{"suspended", "active"} {
		s.set("status", status)
		w.run(exitDone, "apply", "-auto-approve")
	}
	must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{s.person}))
	_, out, errs := w.try("rollback", "-auto-approve")
	if strings.Contains(out, "enabled") {
		t.Errorf("there is no such person:\n%s%s", out, errs)
	}
}

// TestWishIsListed: what is wished of a wave that was never started is listed, with the command that takes it back, also where the
// wave is not declared any more.
func TestWishIsListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	w.config(chained("  start {\n    at = \"2099-01-01T00:00:00Z\"\n    gates = [gate.desk]\n  }\n"))
	w.run(exitDone, "wave", "promote", "first", "-reason", "r")
	w.config(everyone)
	list, _ := w.run(exitDone, "wave", "list")
	wants(t, list, "wished that", "anthill wave promote -withdraw first")
	list, _ = w.run(exitDone, "wave", "list", "first")
	wants(t, list, "wished that")
}

// TestResumeOfTenantsOfRollback: a rollback of a tenant is not undone by letting the rest of its wave go on.
func TestResumeOfTenantsOfRollback(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	w.run(exitDone, "wave", "pause", "everyone", "-reason", "phones")
	out, _ := w.run(exitDone, "wave", "resume", "everyone")
	wants(t, out, "acme", "anthill wave resume -tenant acme everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.isLinked("acme"); n != 0 {
		t.Errorf("%d of acme", n)
	}
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.isLinked("acme"); n == 0 {
		t.Errorf("%d of acme", n)
	}
}
