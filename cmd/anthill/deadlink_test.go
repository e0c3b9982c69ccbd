package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// deadLink is a world in which one row has come back with the link of a person whom a rollback has deleted.
func deadLink(t *testing.T) (w *world, s someone) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s = w.someone("user", "acme")
	w.exec("delete from user_profiles")
	w.exec("create table kept as select * from users where user_id = $1", s.user)
	w.exec("delete from users where user_id = $1", s.user)
	w.allowing("rollback", "-auto-approve", "-delete-persons")
	w.exec("insert into users select * from kept")
	w.run(exitDone, "wave", "resume", "everyone")
	return w, s
}

// TestDeadLink: a row that has come back linked to a person whom a rollback has deleted is moved anew and taken back like one that
// was never linked: its rollback can be undone, and after one of Postgres alone it is moved with the others.
func TestDeadLink(t *testing.T) {
	t.Parallel()
	moved := func(w *world) { w.t.Helper(); w.checkMoved() }
	for name, c := range map[string][][]string{
		"rolled back, and that too": {{"rollback"}, {"rollback", "-run", "LAST"}},
		"in Postgres alone":         {{"rollback", "-postgres-only"}, {"wave resume everyone"}, {"apply"}},
		"again and again":           {{"rollback"}, {"wave resume everyone"}, {"apply"}, {"rollback"}, {"wave resume everyone"}, {"apply"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := deadLink(t)
			w.run(exitDone, "apply", "-auto-approve")
			moved(w)
			for _, args := range c {
				if args[0] == "wave resume everyone" {
					w.run(exitDone, "wave", "resume", "everyone")
					continue
				}
				if args[len(args)-1] == "LAST" {
					args = append(args[:len(args)-1:len(args)-1], w.latest())
				}
				w.run(exitDone, append(args, "-auto-approve")...)
				if args[0] == "rollback" && len(args) < 3 {
					if n := w.number("select count(*) from users where user_id = $1 and {idp}_user_id is not null", s.user); n != 0 {
						t.Error("the row is linked again to a person who is no more")
					}
				}
			}
			moved(w)
		})
	}
}

// TestDeadLinkRevived: whoever brings that person back from the recycle bin brings back one of ours.
func TestDeadLinkRevived(t *testing.T) {
	t.Parallel()
	w, s := deadLink(t)
	if err := w.api.Accounts().Revive(t.Context(), []uuid.UUID{s.person}); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.checkMoved()
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	if strings.Contains(out, "before Anthill") {
		t.Errorf("it is called somebody else's:\n%s", out)
	}
	if p, there := w.directory().persons[s.person]; !there || !p.Expired {
		t.Errorf("after everything was taken back: %+v", p)
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
}

// TestStaysAwake: the rollback of a run that woke somebody says that it leaves it awake; a plan counts whom a pause keeps asleep.
func TestStaysAwake(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	for _, status := range []string{"suspended", "active"} {
		s.set("status", status)
		w.run(exitDone, "apply", "-auto-approve")
	}
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	wants(t, out, "1 person whom the run woke stays enabled: its user stays moved, and the row is active")
	if w.directory().persons[s.person].Expired {
		t.Error("it sleeps")
	}
	// The wave is paused by that: whoever sleeps is not woken.
	s.set("status", "suspended")
	w.run(exitDone, "apply", "-auto-approve")
	s.set("status", "active")
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "1 user moved under wave everyone is asleep in Self-auth, though the row is active")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if out, _ = w.run(exitDone, "plan"); w.directory().persons[s.person].Expired {
		t.Errorf("it sleeps\n%s", out)
	}
	if strings.Contains(out, "asleep in Self-auth") {
		t.Errorf("it is said to sleep:\n%s", out)
	}
}

// TestWokenTwice: whoever a rollback leaves asleep, as its row was not active when it was planned, wakes once that is active and
// the wave goes on.
func TestWokenTwice(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]string{
		"taken back, active, taken back":    {"back", "active", "back"},
		"taken back twice, active":          {"back", "back", "active"},
		"active, and the waking taken back": {"active", "woke"},
		"active, taken back twice":          {"active", "back", "back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s := w.someone("user", "acme")
			runs := map[string]string{}
			for _, status := range []string{"suspended", "active", "suspended"} {
				s.set("status", status)
				w.run(exitDone, "apply", "-auto-approve")
				runs[status] = w.latest()
			}
			for _, step := range steps {
				args := []string{"rollback", "-auto-approve"}
				switch step {
				case "active":
					s.set("status", "active")
					continue
				case "woke":
					args = append(args, "-run", runs["active"])
				}
				expired := w.directory().persons[s.person].Expired
				out, _ := w.run(exitDone, args...)
				if expired && strings.Contains(out, "stays enabled") {
					t.Errorf("it is said to stay enabled, and was not:\n%s", out)
				}
			}
			w.run(exitDone, "wave", "resume", "everyone")
			w.run(exitDone, "apply", "-auto-approve")
			if out, _ := w.run(exitDone, "plan"); w.directory().persons[s.person].Expired {
				t.Errorf("its row is active, the wave goes on, and it is expired:\n%s", out)
			}
		})
	}
}
