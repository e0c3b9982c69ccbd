package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// cutter is an emulator that goes away for good after some writes, until it is mended.
type cutter struct {
	server
	writes atomic.Int64 // let through before it goes away; the last one is done, and its answer lost
	away   atomic.Bool
}

func newCutter(t *testing.T) *cutter {
	t.Helper()
	c := &cutter{}
	c.mend()
	c.server = emulatorWith(t, selfauthd.Options{
		Intercept: func(w http.ResponseWriter, r *http.Request) bool {
			if c.away.Load() || isWrite(r) && c.writes.Load() == 0 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
		After: func(r *http.Request) bool {
			last := isWrite(r) && c.writes.Add(-1) == 0
			c.away.Store(last)
			return last
		},
	})
	return c
}

// cut makes it go away after n writes.
func (c *cutter) cut(n int64) { c.writes.Store(n) }

func (c *cutter) mend() {
	c.away.Store(false)
	c.writes.Store(1 << 40)
}

// someone is one moved user of a world.
type someone struct {
	*world
	user, person uuid.UUID
}

// someone finds a moved user of a role, in a tenant unless that is empty.
func (w *world) someone(role, tenant string) someone {
	w.t.Helper()
	s := someone{world: w}
	if err := w.connect().QueryRow(w.t.Context(), w.spell(`select user_id, {idp}_user_id from users join tenants using (tenant_id)
		where {idp}_user_id is not null and role = $1 and (slug = $2 or $2 = '') order by user_id limit 1`), role, tenant).Scan(&s.user, &s.person); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (s someone) set(column, value string) {
	s.t.Helper()
	s.exec("update users set "+column+" = $2 where user_id = $1", s.user, value)
}

// is demands how the person stands: "enabled", "expired" or "gone", and its groups, sorted.
func (s someone) is(when, want string, groups ...string) {
	s.t.Helper()
	d := s.directory()
	p, there := d.persons[s.person]
	got := "gone"
	if there {
		got = map[bool]string{true: "expired", false: "enabled"}[p.Expired]
	}
	var in []string
	for name, g := range d.groups {
		if slices.Contains(g.Members, s.person) {
			in = append(in, name)
		}
	}
	slices.Sort(in)
	slices.Sort(groups)
	if got != want || !slices.Equal(in, groups) {
		s.t.Errorf("%s: the person is %s in %v, want %s in %v", when, got, in, want, groups)
	}
}

// rest demands that a plan has nothing to do and finds nobody expired.
func (w *world) rest(when string) {
	w.t.Helper()
	if out, _ := w.run(exitDone, "plan", "-detailed-exitcode"); strings.Contains(out, "were expired in Self-auth") {
		w.t.Errorf("%s:\n%s", when, out)
	}
}

// TestDeletedAndRevived: persons who were deleted by a rollback, and came back by its own rollback, can be taken back.
func TestDeletedAndRevived(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	w.allowing("rollback", "-delete-persons", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[1], "-auto-approve")
	w.rest("revived")
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
}

// TestRowThatIsNotRestored: who cannot be taken back since the database refuses the row keeps the login, and is taken back by
// the next rollback of the run.
func TestRowThatIsNotRestored(t *testing.T) {
	t.Parallel()
	for name, again := range map[string][]string{"plain": {"rollback", "-auto-approve"}, "delete": {"rollback", "-delete-persons", "-auto-approve"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, before := moved(t)
			s := w.someone("user", "acme")
			mend := s.refuses()
			out, _ := w.run(exitBlocked, "rollback", "-delete-persons")
			args := append(again, "-allow", "DELETES_DATA="+countOf(out, "DELETES_DATA="))
			if name == "plain" {
				args = again
			}
			out, _ = w.run(exitRemainder, args...)
			wants(t, out, "1 failed", "a trigger of the application refuses the row (SQLSTATE 23514)")
			s.is("refused", "enabled", "tenant_acme_users")
			mend()
			w.allowing(again...)
			w.checkRolledBack(before)
			if out, _ := w.run(exitDone, "rollback", "-auto-approve"); !strings.Contains(out, "Nothing to take back") {
				t.Errorf("it says:\n%s", out)
			}
		})
	}
}

// TestAwakeAgainBeforeTheEnd: a person who was put to sleep by a run that was stopped, and whose row came back before the run went
// on, is awake.
func TestAwakeAgainBeforeTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sleep, wake string }{
		"suspended": {"update users set status = 'suspended' where user_id = $1", "update users set status = 'active' where user_id = $1"},
		"gone":      {"with k as (delete from users where user_id = $1 returning *) insert into kept select * from k", "with k as (delete from kept where user_id = $1 returning *) insert into users select * from k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newCutter(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.exec("delete from user_profiles")
			w.exec("create table kept as select * from users limit 0")
			s := w.someone("user", "acme")
			w.exec(c.sleep, s.user)
			k.cut(map[string]int64{"suspended": 1, "gone": 2}[name])
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			w.exec(c.wake, s.user)
			for range 2 {
				w.try("apply", "-auto-approve")
			}
			s.is("awake", "enabled", "tenant_acme_users")
			w.rest("awake")
			w.exec(c.sleep, s.user) // and still asleep with its row, the next time
			w.run(exitDone, "apply", "-auto-approve")
			w.exec(c.wake, s.user)
			if name == "suspended" {
				s.is("asleep", "expired", "tenant_acme_users")
				w.run(exitDone, "apply", "-auto-approve")
				s.is("awake again", "enabled", "tenant_acme_users")
			}
		})
	}
}

// TestAsleepThroughARollback: the rollback of a run before the one that put a person to sleep does not forget that it sleeps.
func TestAsleepThroughARollback(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	s.set("role", "admin")
	w.run(exitDone, "apply", "-auto-approve")
	s.set("email", "other@acme.example")
	w.run(exitDone, "apply", "-auto-approve")
	s.set("status", "suspended")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[1], "-auto-approve")
	s.is("rolled back", "expired", "tenant_acme_users")
	s.set("status", "active")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	s.is("active", "enabled", "tenant_acme_users", "tenant_acme_admins")
	w.rest("active")
	s.set("role", "user")
	s.set("email", "mine@acme.example")
	for range 8 {
		if out, _ := w.run(exitDone, "rollback", "-auto-approve"); strings.Contains(out, "Nothing to take back") {
			break
		}
	}
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
}

// TestInFlightElsewhere: a rollback of one tenant gives users of another, who were in flight when a run was stopped, nothing of
// what their rows do not ask for any more.
func TestInFlightElsewhere(t *testing.T) {
	t.Parallel()
	for writes := range int64(3) {
		k := newCutter(t)
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
		w.config(everyone + waveEveryone)
		before := w.fingerprint()
		w.run(exitDone, "apply", "-auto-approve")
		s := w.someone("admin", "acme")
		other := w.someone("user", "globex")
		s.set("role", "user")
		other.set("status", "suspended")
		k.cut(writes)
		if status, out, _ := w.try("apply", "-auto-approve"); status != exitStopped {
			t.Fatalf("after %d writes: exit status %d\n%s", writes, status, out)
		}
		k.mend()
		w.run(exitDone, "rollback", "-tenant", "anthill", "-auto-approve")
		s.is("closed", "enabled", "tenant_acme_users")
		other.is("closed", "expired", "tenant_globex_users")
		w.run(exitDone, "apply", "-auto-approve")
		s.is("demoted", "enabled", "tenant_acme_users")
		other.is("suspended", "expired", "tenant_globex_users")
		s.set("role", "admin")
		other.set("status", "active")
		for range 8 {
			if out, _ := w.run(exitDone, "rollback", "-auto-approve"); strings.Contains(out, "Nothing to take back") {
				break
			}
		}
		w.checkRolledBack(before)
	}
}

// TestRollbackGivesNoOneTooMuch: who has another tenant or a lesser role since does not get back the groups of before.
func TestRollbackGivesNoOneTooMuch(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("delete from user_profiles")
	mover, demoted := w.someone("admin", "globex"), w.someone("admin", "acme")
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = $1", mover.user)
	demoted.set("role", "viewer")
	w.run(exitDone, "apply", "-auto-approve")
	same := func(when string) {
		t.Helper()
		mover.is(when, "enabled", "tenant_acme_admins", "tenant_acme_users")
		demoted.is(when, "enabled", "tenant_acme_users")
	}
	same("followed")
	w.run(exitDone, "rollback", "-auto-approve")
	same("rolled back")
	w.rest("rolled back")
	w.run(exitDone, "rollback", "-auto-approve") // the first run
	mover.is("taken back", "expired")
	w.run(exitDone, "rollback", "-run", w.runs()[len(w.runs())-1], "-auto-approve")
	w.run(exitDone, "apply", "-auto-approve")
	same("moved again")
}

// TestAdoptedAgain: a person who was taken over, and given back by a rollback, is taken over again when the wave goes on.
func TestAdoptedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 15, Seed: 4}, emulator(t))
	w.before()
	w.config(everyone + waveEveryone + "identity { adopt = \"mail\" }\n")
	w.allowing("plan", "-out", "p")
	w.run(exitDone, "apply", "p")
	n := w.number("select count(*) from users where {idp}_user_id is not null")
	for _, back := range [][]string{{"rollback", "-auto-approve"}, {"rollback", "-wave", "everyone", "-auto-approve"}} {
		w.run(exitDone, back...)
		w.run(exitDone, "wave", "resume", "everyone")
		w.allowing("plan", "-out", "p")
		w.run(exitDone, "apply", "p")
		w.rest("taken over again")
		if again := w.number("select count(*) from users where {idp}_user_id is not null"); again != n {
			t.Errorf("after %v %d users are moved, were %d", back, again, n)
		}
	}
}

// TestStaleRollback: a rollback that was planned before another run is refused; what it would leave behind is shown as drift.
func TestStaleRollback(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	w.run(exitDone, "rollback", "-tenant", "acme", "-out", "back")
	s.set("role", "admin")
	w.run(exitDone, "apply", "-auto-approve")
	_, errs := w.run(exitStale, "apply", "back")
	wants(t, errs, "after this rollback was planned", "plan it again")
	s.is("refused", "enabled", "tenant_acme_users", "tenant_acme_admins")

	// Somebody else makes a user of the tenant an administrator of it.
	o := w.someone("user", "globex")
	if err := w.api.Accounts().AddMembers(t.Context(), w.directory().groups["tenant_globex_admins"].ID, []uuid.UUID{o.person}); err != nil {
		t.Fatal(err)
	}
	// A person of ours is put out where its row does not ask for it, whoever has put it there (L33).
	out, _ := w.run(exitChanges, "plan", "-detailed-exitcode")
	wants(t, out, "1 user ceases to be admin")
	w.run(exitDone, "apply", "-auto-approve")
	o.is("put out", "enabled", "tenant_globex_users")
	w.rest("put out")
}

// TestNoStranger: who moves to another tenant is no stranger of a group that is managed in full, and one who is gone does not keep
// a rollback from ending.
func TestNoStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(strings.Replace(everyone, "members { all = true }", "members {\n all = true\n manage = \"full\"\n }", 1) + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("delete from user_profiles")
	stranger := uuid.New()
	if err := w.api.Accounts().Create(t.Context(), newPerson(stranger, "stranger", "stranger@example.org")); err != nil {
		t.Fatal(err)
	}
	if err := w.api.Accounts().AddMembers(t.Context(), w.directory().groups["tenant_acme_users"].ID, []uuid.UUID{stranger}); err != nil {
		t.Fatal(err)
	}
	s := w.someone("user", "globex")
	w.exec("update users set tenant_id = (select tenant_id from tenants where slug = 'acme') where user_id = $1", s.user)
	out, _ := w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "1 member who does not belong in it leaves")
	if strings.Count(out, "belong in it") != 1 {
		t.Errorf("somebody who follows his row counts as a stranger:\n%s", out)
	}
	w.run(exitDone, "apply", "p")
	s.is("moved", "enabled", "tenant_acme_users")
	if err := w.api.Accounts().Delete(t.Context(), []uuid.UUID{stranger}); err != nil {
		t.Fatal(err)
	}
	w.run(exitDone, "rollback", "-auto-approve")
	w.allowing("rollback", "-delete-persons", "-auto-approve")
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
}

// TestAddressOfTheReturned: who comes back after a rollback has the address of the row.
func TestAddressOfTheReturned(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	w.run(exitDone, "rollback", "-auto-approve")
	s.set("email", "new@acme.example")
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	w.rest("returned")
	if p := w.directory().persons[s.person]; !slices.Equal(p.Mails, []string{"new@acme.example"}) {
		t.Errorf("the addresses are %v", p.Mails)
	}
}

// TestDeletedByCommand: persons whom an earlier rollback has only expired, and those of users whose rows changed while they were
// being moved, are deleted when that is asked for; that can be taken back as well.
func TestDeletedByCommand(t *testing.T) {
	t.Parallel()
	k := newKiller(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server)
	w.config(everyone + waveEveryone)
	before := w.fingerprint()
	w.run(exitDone, "plan", "-out", "p")
	w.exec("delete from user_profiles")
	w.exec("create function late() returns trigger language plpgsql as $$ begin if old.role = 'viewer' then raise exception 'no' using errcode = '23514'; end if; return new; end $$")
	w.exec("create trigger late before update on users for each row execute function late()")
	w.run(exitRemainder, "apply", "p") // persons of viewers are made, and expired again
	w.exec("drop trigger late on users")
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
	all := len(w.directory().persons)
	out, _ := w.run(exitBlocked, "rollback", "-run", w.runs()[0], "-delete-persons")
	wants(t, out, "DELETES_DATA")
	w.allowing("rollback", "-run", w.runs()[0], "-delete-persons", "-auto-approve")
	w.checkRolledBack(before)
	if n := len(w.directory().persons); n != 0 {
		t.Errorf("%d of %d persons are left", n, all)
	}
	w.run(exitDone, "rollback", "-run", w.runs()[2], "-auto-approve")
	w.checkRolledBack(before)
	if n := len(w.directory().persons); n != all {
		t.Errorf("%d persons came back, were %d", n, all)
	}
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	w.rest("moved at last")
	w.mapped = nil
	w.checkMoved()
}

// TestRandomWaysBack: in between whatever changes, runs are rolled back in part and as a whole, rollbacks are rolled back, and
// waves go on: nobody is left asleep or half moved, and in the end all can be taken back.
func TestRandomWaysBack(t *testing.T) {
	t.Parallel()
	for n := range max(*cases/10, 4) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(77, uint64(n)))
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 15, Seed: int64(n)}, emulator(t))
			w.before()
			start, rows := w.snapshot(), w.tenantRows()
			d := wish{description: "users", display: "App", urls: 1}
			w.config(d.text())
			w.settle("the first configuration")
			var said []string
			say := func(what string) { said = append(said, what) }
			steps := func() string { return strings.Join(said, "\n then ") }
			rollback := func(args ...string) bool {
				say("rollback " + strings.Join(args, " "))
				return !strings.Contains(w.allowing(append([]string{"rollback", "-auto-approve"}, args...)...), "Nothing to take back")
			}
			resume := func(args ...string) {
				w.try(append([]string{"wave", "resume"}, args...)...)
				say("resume " + strings.Join(args, " "))
				w.settle(steps())
				w.rest(steps())
			}
			for range 2 + r.IntN(4) {
				say(w.step(r, &d))
				w.settle(steps())
				after := w.snapshot()
				switch r.IntN(5) {
				case 0, 1:
					var args []string
					if r.IntN(2) == 0 {
						args = append(args, "-delete-persons")
					}
					if !rollback(args...) {
						continue
					}
					if r.IntN(2) == 0 {
						resume("everyone")
						continue
					}
					runs := w.runs()
					rollback("-run", runs[len(runs)-1])
					if diff := cmp.Diff(strings.Split(after, "\n"), strings.Split(w.snapshot(), "\n")); diff != "" && !strings.Contains(steps(), "a stranger") {
						t.Errorf("after %s (-before +after):\n%s", steps(), diff)
					}
					w.rest(steps())
				case 2:
					rollback("-tenant", "acme")
					if r.IntN(2) == 0 {
						say(w.step(r, &d))
						w.settle(steps())
					}
					resume("-tenant", "acme", "everyone")
				case 3:
					rollback("-wave", "everyone")
					resume("everyone")
				case 4:
					applies := w.runsOf("apply")
					rollback("-run", applies[r.IntN(len(applies))])
					resume("everyone")
				}
				if t.Failed() {
					return
				}
			}
			for i := 0; !strings.Contains(w.allowing("rollback", "-delete-persons", "-auto-approve"), "Nothing to take back"); i++ {
				if i > 30 {
					t.Fatalf("after %s there is always something to take back", steps())
				}
			}
			if diff := cmp.Diff(strings.Split(start, "\n"), strings.Split(w.snapshot(), "\n")); diff != "" {
				t.Errorf("after %s and all rollbacks (-start +now):\n%s", steps(), diff)
			}
			if diff := cmp.Diff(rows, w.tenantRows()); diff != "" {
				t.Errorf("tenants after %s and all rollbacks (-start +now):\n%s", steps(), diff)
			}
			if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
				t.Errorf("%d rows are linked after %s and all rollbacks", n, steps())
			}
		})
	}
}
