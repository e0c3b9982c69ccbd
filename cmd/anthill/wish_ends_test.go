package main

import (
	"strings"
	"testing"
	"time"

	"anthill/internal/sandbox"
)

// failingAccepted is a world in which two users of the first wave have failed, with a wish that this is accepted; mend lets them be
// written.
func failingAccepted(t *testing.T, s server, first string) (w *world, mend func()) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, s)
	w.config(chained(first))
	w.exec(`create function no() returns trigger language plpgsql as $$ begin
		if old.user_id in (select user_id from refused) then raise exception 'no' using errcode = 'check_violation'; end if; return new; end $$`)
	w.exec("create table refused (user_id uuid)")
	w.exec("insert into refused select user_id from users join tenants t using (tenant_id) where t.slug = 'acme' and users.status = 'active' and users.deleted_at is null and role = 'user' order by user_id limit 2")
	w.exec("create trigger no before update on users for each row execute function no()")
	w.run(exitRemainder, "apply", "-auto-approve")
	w.run(exitDone, "wave", "accept", "first", "-reason", "they have left")
	return w, func() { w.exec("delete from refused") }
}

// TestWishOfWhatWasNotTried: failures that are accepted stay so where the run that was to go by that has not come to the wave: it was
// closed before, or another apply had recorded a brake.
func TestWishOfWhatWasNotTried(t *testing.T) {
	t.Parallel()
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		k := newCutter(t)
		w, _ := failingAccepted(t, k.server, "")
		w.allowing("plan", "-out", "p")
		k.cut(0)
		w.run(exitStopped, "apply", "p")
		k.mend()
		w.run(exitDone, "apply", "-close", "-auto-approve")
		w.accepted()
	})
	t.Run("overtaken", func(t *testing.T) {
		t.Parallel()
		w, _ := failingAccepted(t, emulator(t), "")
		w.allowing("plan", "-out", "p")
		w.config(strings.Replace(chained(""), "wave \"first\" {", "wave \"first\" {\n  enabled = false", 1) +
			"group \"more\" {\n  tenant = \"acme\"\n  name = \"tenant_acme_more\"\n  role = \"viewer\"\n}\n")
		w.allowing("plan", "-out", "q")
		w.try("apply", "q")
		w.accepted()
		out, _ := w.run(exitRemainder, "apply", "p")
		wants(t, strings.Join(strings.Fields(out), " "), "another apply has recorded what holds waves back since this plan was made")
		w.accepted()
	})
}

// accepted demands that the wish stands.
func (w *world) accepted() {
	w.t.Helper()
	if n := w.number("select count(*) from anthill_state.wishes where kind = 'accept'"); n != 1 {
		list, _ := w.run(exitDone, "wave", "list", "-history")
		w.t.Errorf("%d wishes\n%s", n, list)
	}
}

// TestWishOfNobody: a wave that got through without the failures that were accepted has no wish left: who joins it later and fails
// is another.
func TestWishOfNobody(t *testing.T) {
	t.Parallel()
	w, _ := failingAccepted(t, emulator(t), "  finish { soak = \"7d\" }\n")
	w.exec("drop trigger no on users")
	w.exec("update users set status = 'suspended' where user_id in (select user_id from refused)")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.number("select count(*) from anthill_state.waves where name = 'first' and moved_at is not null and done_at is null"); n != 1 {
		t.Fatal("it does not soak")
	}
	if n := w.number("select count(*) from anthill_state.wishes"); n != 0 {
		w.newcomer("acme", "late@acme.example", "active")
		_, out, errs := w.try("plan")
		t.Errorf("%d wishes are left of failures that nobody has accepted:\n%s%s", n, out, errs)
	}
}

// TestWishOfAnotherSoak: the rest of a soak was to be skipped. Another one that begins since is none of that.
func TestWishOfAnotherSoak(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 9}, emulator(t))
	first := "  finish {\n    soak = \"7d\"\n    gates = [gate.calm]\n  }\n"
	w.config(chained(first))
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "wave", "promote", "first", "-reason", "in a hurry")
	then := w.now
	w.now = func() time.Time { return then().Add(time.Hour) }
	w.config(strings.Replace(chained(first), `tenants = ["acme"]`, `tenants = ["acme", "globex"]`, 1))
	w.allowing("plan", "-out", "p")
	w.try("apply", "p")
	if w.isLinked("globex") == 0 {
		t.Fatal("nobody of globex is moved, so that no other soak has begun")
	}
	if n := w.number("select count(*) from anthill_state.wishes"); n != 0 {
		w.run(exitDone, "wave", "confirm", "first", "calm")
		_, out, errs := w.try("plan")
		t.Errorf("%d wishes are left of a soak that is over:\n%s%s", n, out, errs)
	}
}
