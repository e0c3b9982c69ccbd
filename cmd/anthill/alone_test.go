package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// half is a world whose users were taken back by `rollback -postgres-only`, so that the other half is open, and one user of
// acme of a role.
func half(t *testing.T, role string) (w *world, one someone) {
	t.Helper()
	l, s := lined(t)
	w = newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, s)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	one = w.withPassword(role, "acme", 0)
	l.cut()
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	l.mend()
	return w, one
}

// logsIn does what the application does with a row at a login through Self-auth.
func (s someone) logsIn() {
	s.t.Helper()
	s.exec(`update users set {idp}_user_id = $2, {idp}_synced_at = now(), auth_method = 'dual', migration_completed_at = now()
		where user_id = $1`, s.user, s.person)
}

// TestAloneLinkedFollows (L4, L24, L25, L27): whoever the application has linked again while the other half is open loses what
// came with a role, a tenant or an active row when its row does, though the wave is paused. What a row gains waits for the
// wave. All of it can be taken back as usual, and undone.
func TestAloneLinkedFollows(t *testing.T) {
	t.Parallel()
	const admins, users = "tenant_acme_admins", "tenant_acme_users"
	for name, c := range map[string]struct {
		lose    []string // is done to the row
		want    string
		in      []string
		back    []string // is done to the row then, which asks for more again
		resumed []string // the groups when the wave goes on
	}{
		"demoted": {
			[]string{"update users set role = 'user' where user_id = $1"}, "enabled", []string{users},
			[]string{"update users set role = 'admin' where user_id = $1"}, []string{admins, users},
		},
		"suspended": {
			[]string{"update users set status = 'suspended' where user_id = $1"}, "expired", []string{admins, users},
			[]string{"update users set status = 'active' where user_id = $1"}, []string{admins, users},
		},
		"removed": {
			[]string{"update users set deleted_at = now() where user_id = $1"}, "expired", []string{admins, users},
			[]string{"update users set deleted_at = null where user_id = $1"}, []string{admins, users},
		},
		"suspended and demoted": {
			[]string{"update users set status = 'suspended', role = 'user' where user_id = $1"}, "expired", []string{users},
			[]string{"update users set status = 'active' where user_id = $1"}, []string{users},
		},
		"another tenant": {
			[]string{"delete from user_profiles where user_id = $1",
				"update users set tenant_id = (select tenant_id from tenants where slug = 'globex') where user_id = $1"}, "enabled", nil,
			nil, []string{"tenant_globex_admins", "tenant_globex_users"},
		},
		"promoted": {
			[]string{"update users set role = 'super_admin' where user_id = $1"}, "enabled", []string{admins, users}, nil, []string{admins, users},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, one := half(t, "admin")
			alone := w.latest()
			change := func(list []string) {
				for _, sql := range list {
					w.exec(sql, one.user)
				}
			}
			one.logsIn()
			change(c.lose)
			out, _ := w.run(exitChanges, "plan", "-detailed-exitcode")
			wants(t, out, "has logged in through Self-auth since")
			w.run(exitDone, "apply", "-auto-approve")
			one.is("followed", c.want, c.in...)
			w.rest("followed")
			change(c.back)
			w.rest("what it gains waits")
			one.is("waits", c.want, c.in...)
			if name == "another tenant" {
				w.run(exitDone, "wave", "resume", "everyone")
			} else {
				// Undone, all are moved again as they were.
				w.run(exitDone, "rollback", "-run", alone, "-auto-approve")
			}
			w.run(exitDone, "apply", "-auto-approve")
			one.is("goes on", "enabled", c.resumed...)
			w.rest("goes on")
			if bad := w.invariants("goes on", true); len(bad) > 0 {
				t.Error(strings.Join(bad, "\n"))
			}
			if name != "another tenant" {
				w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
				one.is("taken back", "expired")
				w.rest("taken back")
			}
		})
	}
}

// TestAloneLinkedTakenBack (L33, L50): a follow-up of such a user stands in the way of no later rollback, and of no other one of
// Postgres alone.
func TestAloneLinkedTakenBack(t *testing.T) {
	t.Parallel()
	for name, back := range map[string][][]string{
		"as usual": {{"rollback", "-run", "RUN", "-auto-approve"}},
		"in two halves": {
			{"rollback", "-postgres-only", "-auto-approve"}, {"apply", "-auto-approve"},
		},
		"both": {
			{"rollback", "-postgres-only", "-auto-approve"}, {"rollback", "-run", "RUN", "-auto-approve"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, one := half(t, "admin")
			first := w.runs()[0]
			one.logsIn()
			w.exec("update users set status = 'suspended', role = 'user' where user_id = $1", one.user)
			w.run(exitDone, "apply", "-auto-approve")
			one.is("followed", "expired", "tenant_acme_users")
			for _, args := range back {
				for i := range args {
					args[i] = strings.Replace(args[i], "RUN", first, 1)
				}
				w.run(exitDone, args...)
			}
			one.is("taken back", "expired")
			if n := w.allLinked(); n != 0 {
				t.Errorf("%d rows are linked", n)
			}
			w.rest("taken back")
			if n := w.open(); n != 0 {
				t.Errorf("%d persons can log in", n)
			}
			one.set("status", "active")
			w.run(exitDone, "wave", "resume", "everyone")
			w.run(exitDone, "apply", "-auto-approve")
			one.is("moved again", "enabled", "tenant_acme_users")
			if bad := w.invariants("moved again", true); len(bad) > 0 {
				t.Error(strings.Join(bad, "\n"))
			}
		})
	}
}

// TestUndoneOfRaised (L44): who was raised to Self-auth alone, and is taken back, can log in as before when that is undone: it
// is judged by the link and the person that come back. Without a credential, an enabled person or a group it could not, and that
// is told. Undone while the person is as it was, after the other half was taken, and with a person that was expired.
func TestUndoneOfRaised(t *testing.T) {
	t.Parallel()
	taken := map[string][][]string{
		"as usual":              {{"rollback", "-wave", "everyone", "-auto-approve"}},
		"in Postgres":           {{"rollback", "-postgres-only", "-auto-approve"}},
		"in Postgres, and then": {{"rollback", "-postgres-only", "-auto-approve"}, {"apply", "-auto-approve"}},
	}
	cannot := map[string]func(*world, someone){
		"": nil,
		"its person is deleted": func(w *world, s someone) {
			must(w.t, w.api.Accounts().Delete(w.t.Context(), []uuid.UUID{s.person}))
		},
	}
	for how, back := range taken {
		for why, lose := range cannot {
			t.Run(strings.TrimSuffix(how+", "+why, ", "), func(t *testing.T) {
				t.Parallel()
				w, b := raising(t)
				s := w.withPassword("user", "acme", 0)
				b.enrol(s.person)
				w.run(exitDone, "apply", "-auto-approve")
				w.run(exitDone, back[0]...)
				taken := w.latest()
				for _, args := range back[1:] {
					w.run(exitDone, args...)
				}
				if lose != nil {
					lose(w, s)
					out, _ := w.run(exitBlocked, "rollback", "-run", taken, "-out", "p")
					wants(t, out, "LOCKS_OUT_USERS=1")
					return
				}
				w.run(exitDone, "rollback", "-run", taken, "-auto-approve")
				s.is("undone", "enabled", "tenant_acme_users")
				if !s.raised() {
					t.Error("it is not raised again")
				}
				w.rest("undone")
				if bad := w.invariants("undone", true); len(bad) > 0 {
					t.Error(strings.Join(bad, "\n"))
				}
			})
		}
	}
}

// stopAlone cuts a rollback of Postgres alone, with some flags, when it has begun.
func (w *world) stopAlone(flags ...string) (says string) {
	w.t.Helper()
	c := w.cutter()
	for n := 3; n < 15; n++ {
		c.at(n)
		if st, out, _ := w.try(append([]string{"rollback", "-postgres-only", "-auto-approve"}, flags...)...); st == exitStopped {
			c.at(0)
			return out
		}
	}
	w.t.Fatal("it cannot be stopped")
	return ""
}

// TestAloneScopeAfterCut (L50): a rollback of Postgres alone that names nothing is about all users, also where one of a tenant
// was stopped: that is closed first, and what is left of it is among the rest. The command that goes on with the tenant alone
// is told by the run that was stopped.
func TestAloneScopeAfterCut(t *testing.T) {
	t.Parallel()
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		w, l, before := movedAlong(t)
		with, without := w.linkedByPassword()
		l.cut()
		wants(t, w.stopAlone("-tenant", "acme"), "-tenant acme -postgres-only")
		_, errs := w.run(exitBlocked, "rollback", "-postgres-only", "-tenant", "acme", "-out", "p")
		wants(t, errs, "anthill rollback -postgres-only -tenant acme")
		w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
		if n, left := w.linkedByPassword(); n != 0 || left != without {
			t.Errorf("%d rows with a password are linked still, and %d others, want 0 and %d", n, left, without)
		}
		l.mend()
		out, _ := w.run(exitDone, "plan")
		wants(t, out, strconv.Itoa(with)+" users")
		w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
		w.checkRolledBack(before)
	})
	t.Run("the tenant", func(t *testing.T) {
		t.Parallel()
		w, l, _ := movedAlong(t)
		linked := `select count(*) from users join tenants using (tenant_id) where (slug = 'acme') = $1 and {idp}_user_id is not null
			and password_hash like '$2%'`
		others := w.number(linked, false)
		l.cut()
		w.stopAlone("-tenant", "acme")
		w.run(exitDone, "rollback", "-postgres-only", "-tenant", "acme", "-auto-approve")
		if in, out := w.number(linked, true), w.number(linked, false); in != 0 || out != others {
			t.Errorf("%d rows of acme are linked still, and %d others, want 0 and %d", in, out, others)
		}
	})
}

// TestAloneUnasked (L50): a rollback of Postgres alone needs neither the token nor the certificate of a server that it does not
// ask: planned, saved, carried out, cut and gone on with.
func TestAloneUnasked(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(*world){
		"the token": func(w *world) {
			delete(w.env, "SELF_AUTH_ADMIN_TOKEN")
			delete(w.env, "SELF_AUTH_READ_TOKEN")
		},
		"the certificate": func(w *world) { w.env["SELF_AUTH_CA_FILE"] = "/nowhere/ca.pem" },
		"both, by the configuration": func(w *world) {
			w.config(everyone + waveEveryone + "provider \"selfauth\" {\n  token_file = \"gone\"\n  ca_file    = \"gone.pem\"\n}\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, l, _ := movedAlong(t)
			l.cut()
			take(w)
			w.run(exitDone, "rollback", "-postgres-only", "-tenant", "acme", "-out", "p")
			w.run(exitDone, "apply", "p")
			w.stopAlone()
			w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
			if n, _ := w.linkedByPassword(); n != 0 {
				t.Errorf("%d rows with a password are linked still", n)
			}
			if status, _, _ := w.try("plan"); status == exitDone {
				t.Error("what asks Self-auth does without as well")
			}
		})
	}
}

// TestAloneWhileRefreshOpen (L48, L50): a refresh that was stopped has nobody in flight, so it is closed without Self-auth and
// keeps no password away.
func TestAloneWhileRefreshOpen(t *testing.T) {
	t.Parallel()
	w, l, _ := movedAlong(t)
	w.exec("delete from {idp}_tenant_groups where {idp}_group_name = 'tenant_acme_admins'")
	w.run(exitDone, "plan", "-refresh-only", "-out", "r")
	c := w.cutter()
	stopped := false
	for n := 2; n < 12 && !stopped; n++ {
		c.at(n)
		status, _, _ := w.try("apply", "r")
		stopped = status == exitStopped
	}
	c.at(0)
	if w.number("select count(*) from anthill_state.runs where open") != 1 {
		t.Fatal("no run is open")
	}
	l.cut()
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	if n, _ := w.linkedByPassword(); n != 0 {
		t.Errorf("%d rows with a password are linked still", n)
	}
	l.mend()
	w.run(exitDone, "apply", "-auto-approve")
	w.rest("finished")
}

// TestAloneWhileOpen (L50): an apply that was stopped must be closed first, and that is told with the whole way out, in the scope
// that was asked for.
func TestAloneWhileOpen(t *testing.T) {
	t.Parallel()
	c := newCutter(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6}, c.server)
	w.config(everyone + waveEveryone)
	c.cut(6)
	w.run(exitStopped, "apply", "-auto-approve")
	linked := w.allLinked()
	_, errs := w.run(exitBlocked, "rollback", "-postgres-only", "-tenant", "acme", "-auto-approve")
	wants(t, errs, "no row is taken back", "anthill apply -close", "anthill rollback -postgres-only -tenant acme")
	if w.allLinked() != linked {
		t.Error("something was changed")
	}
	c.mend()
	w.run(exitDone, "apply", "-close", "-auto-approve")
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	if n, _ := w.linkedByPassword(); n != 0 {
		t.Errorf("%d rows with a password are linked still", n)
	}
}

// TestAloneOnTheAuditorsPage: what a run says of itself afterwards tells in every form that it was of Postgres alone, and one
// that was not does not.
func TestAloneOnTheAuditorsPage(t *testing.T) {
	t.Parallel()
	w, _ := half(t, "admin")
	for _, form := range []string{"", "-markdown", "-html", "-json"} {
		args := append([]string{"show"}, strings.Fields(form)...)
		out, _ := w.run(exitDone, append(args, "-run", w.latest())...)
		mark := "in Postgres alone: Self-auth was neither asked nor changed"
		if form == "-json" {
			mark = `"postgres_only": true`
		}
		wants(t, out, mark)
		out, _ = w.run(exitDone, append(args, "-run", w.runs()[0])...)
		silent(t, out, mark)
	}
}

// TestAloneSeenWhileDown (L50): while Self-auth is away, what ran and what is open can be seen all the same; that it cannot be
// reached is said, and is the exit status of what needs it.
func TestAloneSeenWhileDown(t *testing.T) {
	t.Parallel()
	w, l, _ := movedAlong(t)
	with, _ := w.linkedByPassword()
	l.cut()
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	run := w.latest()
	out, _ := w.run(exitDone, "status")
	wants(t, out, "Self-auth could not be asked", run, strconv.Itoa(with)+" users", "the password back",
		"wave resume everyone")
	out, _ = w.run(exitDone, "status", "-json")
	var j struct {
		NotSeen  []struct{ What, Error string } `json:"not_seen"`
		Runs     []struct{ ID string }
		LeftOpen []struct{ Count int } `json:"left_open"`
	}
	must(t, json.Unmarshal([]byte(out), &j))
	if len(j.NotSeen) != 1 || j.NotSeen[0].What != "self_auth" || j.NotSeen[0].Error == "" || len(j.Runs) != 2 || len(j.LeftOpen) != 1 || j.LeftOpen[0].Count != with {
		t.Errorf("the JSON says %+v, want two runs, and %d users left open", j, with)
	}
	out, _ = w.run(exitDone, "show", "-run", run)
	wants(t, out, strconv.Itoa(with)+" users planned")
	if st, out, errs := w.try("plan"); st != exitRefused {
		t.Errorf("plan: exit status %d\n%s%s", st, out, errs)
	}
	l.mend()
	out, _ = w.run(exitDone, "status")
	silent(t, out, "could not be")
}

// TestAloneFinishUndone (L33, L50): the plan that takes the other half gives nothing back when it is undone, and does not say
// that it does; the rollback that it finishes does.
func TestAloneFinishUndone(t *testing.T) {
	t.Parallel()
	w, one := half(t, "admin")
	alone := w.latest()
	out, _ := w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "No rollback of this plan gives anything back")
	silent(t, out, "can be undone")
	for _, form := range []string{"-markdown", "-html"} {
		page, _ := w.run(exitDone, "show", form, "p")
		wants(t, page, "gives anything back")
		silent(t, page, "Everything can be undone")
	}
	out, _ = w.run(exitDone, "show", "-json", "p")
	validPlan(t, out)
	wants(t, out, `"never": 114`)
	out, _ = w.run(exitDone, "apply", "p")
	silent(t, out, "To take it back")
	finish := w.latest()
	w.run(exitDone, "rollback", "-run", finish, "-auto-approve")
	one.is("as it was told", "expired")
	w.run(exitDone, "rollback", "-run", alone, "-auto-approve")
	one.is("undone", "enabled", "tenant_acme_admins", "tenant_acme_users")
	w.rest("undone")
}

// TestAloneFinishBesides: what such a plan does besides can be undone, and it says both.
func TestAloneFinishBesides(t *testing.T) {
	t.Parallel()
	w, _ := half(t, "admin")
	w.config(everyone + waveEveryone + "group \"viewers\" {\n  tenant = \"acme\"\n  name = \"tenant_acme_viewers\"\n  role = \"viewer\"\n" +
		"  members { roles = [\"viewer\"] }\n}\n")
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "Everything else can be undone: what is taken from 114 users who are not moved stays taken")
	out, _ = w.run(exitDone, "apply", "-auto-approve")
	wants(t, out, "To take it back")
}

// TestAloneLinkedAsTold: the command that plan and status tell takes those back whose rows are linked again, whatever has run
// since.
func TestAloneLinkedAsTold(t *testing.T) {
	t.Parallel()
	w, one := half(t, "admin")
	one.logsIn()
	w.run(exitDone, "apply", "-auto-approve")
	told := "`anthill rollback -wave everyone` takes it back"
	out, _ := w.run(exitDone, "plan")
	wants(t, out, told)
	out, _ = w.run(exitDone, "status")
	wants(t, out, told)
	w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	one.is("as told", "expired")
	if n := w.allLinked(); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	silent(t, out, told)
}

// TestAloneSecondHalfSays: the rollback that takes the second half says of rows that are back that they stay, and of one that
// is linked again that it goes back. What is still open is counted by who has it open, and not by who had.
func TestAloneSecondHalfSays(t *testing.T) {
	t.Parallel()
	w, one := half(t, "admin")
	first := w.runs()[0]
	out, _ := w.run(exitDone, "rollback", "-out", "p")
	wants(t, out, "114 persons expire", "No row is changed")
	silent(t, out, "back to what")
	one.logsIn()
	out, _ = w.run(exitDone, "rollback", "-out", "p")
	wants(t, out, "114 persons expire", "1 row goes back to what it held before")
	w.run(exitDone, "apply", "-auto-approve", "-target", "tenant=acme")
	left := w.open() - 1 // who is linked again
	out, _ = w.run(exitDone, "plan")
	wants(t, out, strconv.Itoa(left)+" users to whom rollback -postgres-only gave the password back have the other half open: the persons are "+
		"still to expire or to leave groups")
	w.run(exitDone, "rollback", "-run", first, "-auto-approve")
	if n, open := w.allLinked(), w.open(); n+open != 0 {
		t.Errorf("%d rows are linked, and %d persons can log in", n, open)
	}
	w.rest("taken back")
}

// TestAloneLinkedAdopted (L27): a person who was there before us keeps its login when its row is suspended, and loses what we
// added, as that of a moved user does.
func TestAloneLinkedAdopted(t *testing.T) {
	t.Parallel()
	l, s := lined(t)
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, s)
	one := someone{world: w, person: uuid.UUID{8, 4}}
	var mail string
	must(t, w.connect().QueryRow(t.Context(), `select user_id, email from users join tenants t using (tenant_id) where t.slug = 'acme'
		and users.role = 'user' and users.status = 'active' and users.deleted_at is null and email_verified and password_hash like '$2%'
		order by user_id limit 1`).Scan(&one.user, &mail))
	must(t, w.api.Accounts().Create(t.Context(), newPerson(one.person, "earlier.person", mail)))
	w.config(everyone + waveEveryone + "identity { adopt = \"mail\" }\n")
	w.run(exitDone, "plan", "-allow", "ADOPTS_PERSON=1", "-out", "p")
	w.run(exitDone, "apply", "p")
	l.cut()
	w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
	l.mend()
	one.logsIn()
	w.run(exitDone, "apply", "-auto-approve")
	one.is("linked again", "enabled", "tenant_acme_users")
	one.set("status", "suspended")
	w.run(exitDone, "apply", "-auto-approve")
	one.is("suspended", "enabled")
	w.rest("suspended")
	w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	one.is("taken back", "enabled")
	if n := w.allLinked(); n != 0 {
		t.Errorf("%d rows are linked", n)
	}
}
