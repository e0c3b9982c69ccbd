package main

import (
	"encoding/json"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// road is the way to an emulator, which can be cut: a connection is refused then, as by a server that is down.
type road struct {
	t      *testing.T
	at, to string
	calls  atomic.Int64 // connections that came through
	mu     sync.Mutex
	open   net.Listener
	conns  []net.Conn
}

// lined is an emulator at the end of a road.
func lined(t *testing.T) (*road, server) {
	t.Helper()
	s := emulator(t)
	u, err := url.Parse(s.url)
	must(t, err)
	l := &road{t: t, at: "127.0.0.1:0", to: u.Host}
	l.mend()
	t.Cleanup(l.cut)
	u.Host = l.at
	s.url = u.String()
	return l, s
}

// cut refuses connections from now on, and ends those that are there.
func (l *road) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != nil {
		l.open.Close()
		l.open = nil
	}
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// mend lets connections through, at the same address as before.
func (l *road) mend() {
	l.t.Helper()
	in, err := net.Listen("tcp", l.at)
	must(l.t, err)
	l.open, l.at = in, in.Addr().String()
	go func() {
		for {
			from, err := in.Accept()
			if err != nil {
				return
			}
			l.calls.Add(1)
			to, err := net.Dial("tcp", l.to)
			if err != nil {
				from.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, from, to)
			l.mu.Unlock()
			for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
				go func() {
					_, _ = io.Copy(way[0], way[1]) // it ends with either side
					way[0].Close()
				}()
			}
		}
	}()
}

// movedAlong is a world in which everybody is moved, whose way to Self-auth can be cut.
func movedAlong(t *testing.T) (w *world, l *road, before sandbox.Fingerprint) {
	t.Helper()
	l, s := lined(t)
	w = newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, s)
	w.config(everyone + waveEveryone)
	w.exec(`update users set password_hash = '!' where user_id in (select user_id from users join tenants t using (tenant_id)
		where t.slug = 'acme' and users.role = 'user' and users.status = 'active' and users.deleted_at is null order by user_id limit 2)`)
	before = w.fingerprint()
	w.run(exitDone, "apply", "-auto-approve")
	return w, l, before
}

// linkedByPassword counts the linked rows with a usable password, and all others that are linked.
func (w *world) linkedByPassword() (with, without int) {
	with = w.number(`select count(*) from users where {idp}_user_id is not null and password_hash like '$2%' and length(password_hash) = 60`)
	return with, w.allLinked() - with
}

// open counts the persons who can log in through Self-auth.
func (w *world) open() (n int) {
	for _, p := range w.directory().persons {
		if !p.Expired {
			n++
		}
	}
	return n
}

// TestPostgresOnly: while Self-auth is down, a rollback of Postgres alone gives back the passwords of all who have one, by a
// saved plan that says what it leaves open. When Self-auth is there again, every plan says so until it is done: by the next
// apply, or by a rollback, which takes back the whole run. Both can be undone.
func TestPostgresOnly(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"apply", "rollback"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			w, l, before := movedAlong(t)
			with, without := w.linkedByPassword()
			open, calls := w.open(), l.calls.Load()
			l.cut()
			w.run(exitRefused, "rollback", "-auto-approve")
			out, _ := w.run(exitDone, "rollback", "-postgres-only", "-out", "back")
			wants(t, out, "in Postgres alone", strconv.Itoa(with)+" rows go back to what they held", strconv.Itoa(with)+" persons stay as they are",
				"No hazards", strconv.Itoa(without)+" users are in conflict and stay as they are", "has no password to go back to", "about 0 calls to Self-auth")
			for _, form := range []string{"-json", "-markdown", "-html", "-stat"} {
				out, _ := w.run(exitDone, "show", form, "back")
				switch form {
				case "-json":
					validPlan(t, out)
					var p struct {
						Effects struct {
							Undo struct {
								Alone bool `json:"postgres_only"`
							}
						}
					}
					must(t, json.Unmarshal([]byte(out), &p))
					if !p.Effects.Undo.Alone {
						t.Error("the JSON does not say that it is of Postgres alone")
					}
				default:
					wants(t, out, "in Postgres alone")
				}
			}
			out, _ = w.run(exitDone, "show", "-check", "back")
			wants(t, out, strconv.Itoa(with))
			out, _ = w.run(exitDone, "apply", "back")
			wants(t, out, strconv.Itoa(with)+" users done", "Self-auth was not asked")
			w.run(exitDone, "apply", "back") // once more: it is done
			out, _ = w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
			wants(t, out, "Nothing to take back")
			if n, left := w.linkedByPassword(); n != 0 || left != without {
				t.Errorf("%d rows with a password are linked still, and %d others, want 0 and %d", n, left, without)
			}
			if n := w.number("select count(*) from users where auth_method <> 'password' and {idp}_user_id is null and password_hash like '$2%'"); n != 0 {
				t.Errorf("%d rows do not let their password in", n)
			}
			l.mend()
			if n := l.calls.Load(); n != calls {
				t.Errorf("%d connections were made", n-calls)
			}
			if n := w.open(); n != open {
				t.Errorf("%d persons can log in, want %d as before", n, open)
			}
			alone := w.latest()

			// The other half is told, and paused waves do not hold it up.
			says := strconv.Itoa(with) + " users to whom rollback -postgres-only gave the password back have the other half open"
			out, _ = w.run(exitChanges, "plan", "-detailed-exitcode")
			wants(t, out, says, "everyone")
			out, _ = w.run(exitDone, "status")
			wants(t, out, says)

			// Undone, everybody is moved as before, and nothing is left to do.
			w.run(exitDone, "rollback", "-run", alone, "-auto-approve")
			if n, left := w.linkedByPassword(); n != with || left != without {
				t.Errorf("%d and %d rows are linked again, want %d and %d", n, left, with, without)
			}
			w.rest("undone")
			l.cut()
			w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
			l.mend()
			alone = w.latest()

			if by == "apply" {
				w.run(exitDone, "apply", "-auto-approve")
				out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
				silent(t, out, "the password back")
				if n := w.open(); n != open-with {
					t.Errorf("%d persons can log in, want %d", n, open-with)
				}
				// Undone after that, persons and groups come back as well.
				w.run(exitDone, "rollback", "-run", alone, "-auto-approve")
				w.rest("undone later")
				if n := w.open(); n != open {
					t.Errorf("%d persons can log in, want %d as at first", n, open)
				}
				w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
				w.run(exitDone, "apply", "-auto-approve")
			}
			out, _ = w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
			silent(t, out, "password back")
			w.checkRolledBack(before)
			w.rest("taken back")
			if by == "rollback" {
				// Undone, it moves those again whom it took back alone. The others wait: their pause is that of the earlier one.
				w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
				if n := w.allLinked(); n != without {
					t.Errorf("%d rows are linked, want %d", n, without)
				}
				w.rest("the second half is undone")
			}
			w.run(exitDone, "wave", "resume", "everyone")
			w.run(exitDone, "apply", "-auto-approve")
			w.rest("moved again")
			if n := w.allLinked(); n != with+without {
				t.Errorf("%d rows are linked, want %d", n, with+without)
			}
		})
	}
}

// TestPostgresOnlyLogsIn: who logs in through Self-auth while the other half is open is linked again by the application. The
// plan says so, and a rollback takes it back with the rest. Adopted persons lose what we added to them.
func TestPostgresOnlyLogsIn(t *testing.T) {
	t.Parallel()
	l, s := lined(t)
	w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, s)
	var mail string
	must(t, w.connect().QueryRow(t.Context(), `select email from users join tenants t using (tenant_id) where t.slug = 'acme' and users.role = 'user'
		and users.status = 'active' and users.deleted_at is null and email_verified and password_hash like '$2%' order by user_id limit 1`).Scan(&mail))
	must(t, w.api.Accounts().Create(t.Context(), newPerson(uuid.UUID{8, 4}, "earlier.person", mail)))
	w.config(everyone + waveEveryone + "identity { adopt = \"mail\" }\n")
	before := w.fingerprint()
	w.run(exitDone, "plan", "-allow", "ADOPTS_PERSON=1", "-out", "p")
	w.run(exitDone, "apply", "p")
	one := w.someone("admin", "acme")
	adopted := someone{w, uuid.Nil, uuid.UUID{8, 4}}
	adopted.is("moved", "enabled", "tenant_acme_users")
	l.cut()
	w.run(exitDone, "rollback", "-postgres-only", "-wave", "everyone", "-tenant", "acme", "-auto-approve")
	l.mend()
	one.is("left", "enabled", "tenant_acme_admins", "tenant_acme_users")
	adopted.is("left", "enabled", "tenant_acme_users")
	w.exec(`update users set {idp}_user_id = $2, {idp}_synced_at = now(), auth_method = 'dual', migration_completed_at = now() where user_id = $1`, one.user, one.person)
	out, _ := w.run(exitChanges, "plan", "-detailed-exitcode")
	wants(t, out, "1 user to whom rollback -postgres-only gave the password back has logged in through Self-auth since")
	w.run(exitDone, "apply", "-auto-approve")
	one.is("its row asks for it", "enabled", "tenant_acme_admins", "tenant_acme_users")
	adopted.is("finished", "enabled")
	l.cut()
	out, _ = w.run(exitDone, "rollback", "-postgres-only", "-wave", "everyone", "-tenant", "acme", "-auto-approve")
	wants(t, out, "1 row goes back")
	l.mend()
	w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
	one.is("taken back", "expired")
	adopted.is("taken back", "enabled")
	w.checkRolledBack(before)
}

// TestPostgresOnlyCut: a rollback of Postgres alone that was stopped is closed and gone on with by the same command, without
// Self-auth; an apply finishes it as well. While a run is open that needs Self-auth, nothing is done.
func TestPostgresOnlyCut(t *testing.T) {
	t.Parallel()
	at := func(t *testing.T, n int) (cuts int) {
		w, l, before := movedAlong(t)
		_, without := w.linkedByPassword()
		c := w.cutter()
		l.cut()
		c.at(n)
		status, out, _ := w.try("rollback", "-postgres-only", "-auto-approve")
		if cuts = c.seen(); n == 0 {
			return cuts
		}
		c.at(0)
		if status == exitStopped {
			wants(t, out, "rollback -run "+w.runs()[0]+" -postgres-only")
		}
		if n%2 == 0 && status == exitStopped {
			l.mend()
			w.run(exitDone, "apply", "-auto-approve")
			l.cut()
		}
		w.run(exitDone, "rollback", "-postgres-only", "-auto-approve")
		if n, left := w.linkedByPassword(); n != 0 || left != without {
			t.Errorf("%d rows with a password are linked still, and %d others, want 0 and %d", n, left, without)
		}
		l.mend()
		w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
		w.checkRolledBack(before)
		w.rest("taken back")
		return cuts
	}
	cuts := at(t, 0)
	if cuts < 5 {
		t.Fatalf("there are only %d places to cut it", cuts)
	}
	for n := 1; n <= cuts; n++ {
		if !thorough() && n%2 == 0 {
			continue // half of them
		}
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			t.Parallel()
			at(t, n)
		})
	}
}

// TestPostgresOnlyRefused: what a rollback of Postgres alone cannot do is said, and nothing is changed.
func TestPostgresOnlyRefused(t *testing.T) {
	t.Parallel()
	w, before := moved(t)
	linked := w.allLinked()
	w.run(exitError, "rollback", "-postgres-only", "-schema")
	w.run(exitError, "rollback", "-postgres-only", "-delete-persons")
	w.run(exitDone, "rollback", "-auto-approve")
	_, errs := w.run(exitError, "rollback", "-postgres-only", "-run", w.latest(), "-auto-approve")
	wants(t, errs, "is a rollback")
	w.checkRolledBack(before)
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	if n := w.allLinked(); n != linked {
		t.Errorf("%d rows are linked, want %d", n, linked)
	}

	c := newCutter(t)
	cut := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6}, c.server)
	cut.config(everyone + waveEveryone)
	c.cut(6)
	cut.run(exitStopped, "apply", "-auto-approve")
	n := cut.allLinked()
	_, errs = cut.run(exitBlocked, "rollback", "-postgres-only", "-auto-approve")
	wants(t, errs, "only Self-auth can say", "anthill apply -close")
	if cut.allLinked() != n {
		t.Error("something was changed")
	}
	c.mend()
	cut.run(exitDone, "apply", "-close", "-auto-approve")
}

// TestPostgresOnlyRaised: who was raised to Self-auth alone and still has a password gets that back by the rollback of the run
// that raised it, stays moved, and nothing is left open.
func TestPostgresOnlyRaised(t *testing.T) {
	t.Parallel()
	l, s := lined(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	w.config(withRaise)
	w.run(exitDone, "apply", "-auto-approve")
	var one someone
	one.world = w
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id, user_id from users where {idp}_user_id is not null
		and role = 'user' and password_hash like '$2%' order by user_id limit 1`)).Scan(&one.person, &one.user))
	b.enrol(one.person)
	w.run(exitDone, "apply", "-auto-approve")
	dual := `select count(*) from users where user_id = $1 and auth_method = $3 and {idp}_user_id = $2`
	if w.number(dual, one.user, one.person, w.spell("{value}")) != 1 {
		t.Fatal("it is not raised")
	}
	linked := w.allLinked()
	l.cut()
	out, _ := w.run(exitDone, "rollback", "-postgres-only", "-wave", "alone", "-auto-approve")
	wants(t, out, "1 row goes back")
	if w.number(dual, one.user, one.person, "dual") != 1 || w.allLinked() != linked {
		t.Error("its password does not work again, or others were changed")
	}
	l.mend()
	w.rest("lowered")
	out, _ = w.run(exitDone, "plan")
	silent(t, out, "the password back")
	w.run(exitDone, "wave", "resume", "alone")
	w.run(exitDone, "apply", "-auto-approve")
	if w.number(dual, one.user, one.person, w.spell("{value}")) != 1 {
		t.Error("it is not raised again")
	}
}

// silent demands that a text does not say something.
func silent(t *testing.T, text, part string) {
	t.Helper()
	if strings.Contains(strings.Join(strings.Fields(text), " "), part) {
		t.Errorf("it says %q:\n%s", part, text)
	}
}
