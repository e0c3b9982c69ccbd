package main

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// refuses makes the database refuse to write the row of a user, until the returned function is called.
func (s someone) refuses() (mend func()) {
	s.t.Helper()
	s.exec("create function no() returns trigger language plpgsql as $$ begin if old.user_id = '" + s.user.String() + "' then raise exception 'no' using errcode = '23514'; end if; return new; end $$")
	s.exec("create trigger no before update on users for each row execute function no()")
	return func() { s.exec("drop trigger no on users"); s.exec("drop function no") }
}

// nothing demands that a rollback says that nothing is left, and that no row is linked.
func (w *world) nothing(args ...string) {
	w.t.Helper()
	if out, _ := w.run(exitDone, append([]string{"rollback", "-auto-approve"}, args...)...); !strings.Contains(out, "Nothing to take back: no run") {
		w.t.Errorf("it says:\n%s", out)
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		w.t.Errorf("%d rows are linked", n)
	}
}

// TestRollbackOfWhatWentOn: no rollback is planned while a run is open, as that may go on; it can be finished, or closed.
func TestRollbackOfWhatWentOn(t *testing.T) {
	t.Parallel()
	for when, writes := range map[string]int64{"before the groups": 0, "among the users": 3} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			k.cut(writes)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			_, errs := w.run(exitBlocked, "rollback", "-out", "back")
			wants(t, errs, "anthill apply -close")
			w.run(exitDone, "apply", "-auto-approve")
			w.checkMoved()
			w.run(exitDone, "rollback", "-auto-approve")
			w.checkRolledBack(before)
			w.nothing()
		})
	}
}

// TestCutRollbackOfACutRun: a run is cut in the middle of a batch, and its rollback cannot begin, or meets other rows: in the end
// nobody can log in, nothing stands, and the wave waits.
func TestCutRollbackOfACutRun(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*world){
		"it cannot begin": func(w *world) {
			w.exec("create function anthill_state.no() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$")
			w.exec("create trigger no before insert on anthill_state.runs for each row execute function anthill_state.no()")
			w.run(exitError, "rollback", "-auto-approve")
			w.exec("drop trigger no on anthill_state.runs")
		},
		"rows go": func(w *world) {
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.run(exitDone, "rollback", "-out", "back")
			w.exec("delete from users where user_id in (select user_id from users join tenants using (tenant_id) where slug = 'acme' and role = 'user' limit 3)")
			w.run(exitDone, "apply", "back")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
			w.exec("delete from user_profiles")
			w.config(everyone + waveEveryone)
			k.cut(4) // groups, persons, members of two groups
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			if len(w.directory().persons) == 0 {
				t.Fatal("no person was made")
			}
			meanwhile(w)
			w.run(exitDone, "rollback", "-auto-approve")
			w.nothing()
			for _, p := range w.directory().persons {
				if !p.Expired {
					t.Errorf("person %s can log in", p.Name)
				}
			}
			out, _ := w.run(exitDone, "plan", "-detailed-exitcode")
			wants(t, out, "waits for a paused wave")
		})
	}
}

// TestRowGoneInARollback: a row that is deleted in the middle of a rollback does not get its login back.
func TestRowGoneInARollback(t *testing.T) {
	t.Parallel()
	var hook atomic.Pointer[func()]
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
		if isWrite(r) {
			if f := hook.Swap(nil); f != nil {
				(*f)()
			}
		}
		return false
	}}))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("delete from user_profiles")
	s := w.someone("admin", "acme")
	gone := func() { w.exec("delete from users where user_id = $1", s.user) }
	hook.Store(&gone)
	w.run(exitRemainder, "rollback", "-auto-approve")
	s.is("the row is gone", "expired")
	w.run(exitDone, "rollback", "-auto-approve")
	s.is("rolled back", "expired")
	w.nothing()
}

// TestWhomOthersShutOut: a person whom another administrator has expired, and taken out of a group, is not let in again by a
// rollback that is refused, nor by the rollback of one.
func TestWhomOthersShutOut(t *testing.T) {
	t.Parallel()
	shutOut := func(t *testing.T) someone {
		w, _ := moved(t)
		s := w.someone("admin", "acme")
		if err := w.api.Accounts().Expire(t.Context(), []uuid.UUID{s.person}); err != nil {
			t.Fatal(err)
		}
		if err := w.api.Accounts().RemoveMembers(t.Context(), membersOf(w.directory().groups["tenant_acme_admins"].ID, s.person)); err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		s := shutOut(t)
		mend := s.refuses()
		s.run(exitRemainder, "rollback", "-auto-approve")
		s.is("refused", "expired", "tenant_acme_users")
		mend()
		s.run(exitDone, "rollback", "-auto-approve")
		s.is("taken back", "expired")
		s.nothing()
	})
	t.Run("rolled back", func(t *testing.T) {
		t.Parallel()
		s := shutOut(t)
		s.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
		s.run(exitDone, "rollback", "-run", s.runs()[1], "-auto-approve")
		s.is("rolled back and forth", "expired", "tenant_acme_users")
	})
}

// TestMappingsInARollback: what a group will be mapped as, or was before somebody deleted the row, decides who may have it back.
func TestMappingsInARollback(t *testing.T) {
	t.Parallel()
	t.Run("restored", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("admin", "acme")
		s.set("role", "user")
		w.config(strings.Replace(everyone, `role     = "admin"`, `role     = "viewer"`, 1) + waveEveryone)
		w.settle("another mapping")
		w.allowing("rollback", "-auto-approve")
		s.is("rolled back", "enabled", "tenant_acme_users")
		if n := w.number("select count(*) from {idp}_tenant_groups where role = 'admin'"); n == 0 {
			t.Error("the mapping is not as it was")
		}
	})
	t.Run("deleted", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		w.exec("delete from user_profiles")
		mover, demoted := w.someone("admin", "globex"), w.someone("admin", "acme")
		w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = $1", mover.user)
		demoted.set("role", "viewer")
		w.run(exitDone, "apply", "-auto-approve")
		w.exec("delete from {idp}_tenant_groups where role = 'admin'")
		w.run(exitDone, "rollback", "-auto-approve")
		mover.is("rolled back", "enabled", "tenant_acme_admins", "tenant_acme_users")
		demoted.is("rolled back", "enabled", "tenant_acme_users")
	})
}

// TestOneWhoCannotGoBack: one user whose row is refused keeps neither the users of older runs nor the groups of other tenants, and
// one who is in conflict is taken back when it no longer is.
func TestOneWhoCannotGoBack(t *testing.T) {
	t.Parallel()
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		w, before := moved(t)
		w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
		w.run(exitDone, "wave", "resume", "-tenant", "acme", "everyone")
		w.run(exitDone, "apply", "-auto-approve")
		mend := w.someone("user", "acme").refuses()
		for range 3 {
			w.run(exitRemainder, "rollback", "-auto-approve")
		}
		if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 1 {
			t.Errorf("%d rows are linked, want one", n)
		}
		for name := range w.directory().groups {
			if strings.HasPrefix(name, "tenant_") && !strings.HasPrefix(name, "tenant_acme_") {
				t.Errorf("group %s stays", name)
			}
		}
		mend()
		w.run(exitDone, "rollback", "-auto-approve")
		w.checkRolledBack(before)
		w.nothing()
	})
	t.Run("in conflict", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		w.exec("create table kept as select user_id, password_hash from users where user_id = $1", s.user)
		w.exec("update users set password_hash = null, auth_method = '{value}' where user_id = $1", s.user)
		w.run(exitDone, "rollback", "-auto-approve")
		s.is("in conflict", "enabled", "tenant_acme_users")
		out, _ := w.run(exitDone, "rollback", "-auto-approve")
		wants(t, out, "Nothing to take back as things stand", "has no password to go back to")
		w.exec("update users u set password_hash = k.password_hash, auth_method = 'dual' from kept k where k.user_id = u.user_id")
		w.run(exitDone, "rollback", "-auto-approve")
		s.is("taken back", "expired")
		w.nothing()
		w.run(exitDone, "rollback", "-run", w.runs()[1], "-tenant", "globex", "-auto-approve") // the rollback, in part
		if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
			w.run(exitDone, "rollback", "-auto-approve")
		}
		w.nothing()
	})
}

// TestPersonsInUse: a person whom another row is linked to is not deleted, and one whose row belongs in a group is no stranger
// there though no wave selects it.
func TestPersonsInUse(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	w.run(exitDone, "rollback", "-auto-approve")
	w.exec("update users set {idp}_user_id = $2, auth_method = 'dual' where user_id = (select user_id from users where user_id <> $1 and role = 'viewer' limit 1)", s.user, s.person)
	if err := w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}); err != nil {
		t.Fatal(err)
	}
	w.allowing("rollback", "-run", w.runs()[0], "-delete-persons", "-auto-approve")
	s.is("deleted by command", "enabled")

	full := strings.Replace(everyone, "members { all = true }", "members {\n all = true\n manage = \"full\"\n }", 1)
	v := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	v.config(full + waveEveryone)
	v.run(exitDone, "apply", "-auto-approve")
	o := v.someone("user", "globex")
	v.run(exitDone, "rollback", "-tenant", "globex", "-auto-approve")
	hand := uuid.New()
	if err := v.api.Accounts().Create(t.Context(), newPerson(hand, "byhand", "byhand@example.org")); err != nil {
		t.Fatal(err)
	}
	if err := v.api.Accounts().AddMembers(t.Context(), v.directory().groups["tenant_globex_users"].ID, []uuid.UUID{hand}); err != nil {
		t.Fatal(err)
	}
	v.exec("update users set {idp}_user_id = $2, auth_method = 'dual' where user_id = $1", o.user, hand)
	v.config(full + "wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n}\n")
	v.allowing("apply", "-auto-approve")
	someone{v, o.user, hand}.is("by hand", "enabled", "tenant_globex_users")
}
