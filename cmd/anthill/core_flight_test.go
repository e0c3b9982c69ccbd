package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
	"anthill/state"
)

// cutWorld is a small world whose server can be cut off.
func cutWorld(t *testing.T) (*world, *cutter) {
	t.Helper()
	k := newCutter(t)
	return newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, k.server), k
}

// latest is the run that was begun last.
func (w *world) latest() string { return w.runs()[len(w.runs())-1] }

func (w *world) allLinked() int {
	return w.number("select count(*) from users where {idp}_user_id is not null")
}

// TestUndoneTogether: a follow-up that was taken back together with a later change of the address is taken back for good.
func TestUndoneTogether(t *testing.T) {
	t.Parallel()
	t.Run("role", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		s.set("role", "admin")
		w.run(exitDone, "apply", "-auto-approve")
		b := w.latest()
		s.set("email", "other@acme.example")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "rollback", "-run", b, "-auto-approve")
		s.is("back", "enabled", "tenant_acme_users")
		w.run(exitDone, "wave", "resume", "everyone")
		w.run(exitDone, "apply", "-auto-approve")
		s.is("again", "enabled", "tenant_acme_users", "tenant_acme_admins")
		w.run(exitDone, "rollback", "-run", b, "-auto-approve")
		s.is("once more", "enabled", "tenant_acme_users", "tenant_acme_admins") // that is not what b did
	})
	t.Run("sleep", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		s.set("status", "suspended")
		w.run(exitDone, "apply", "-auto-approve")
		b := w.latest()
		s.set("status", "active")
		s.set("email", "other@acme.example")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "rollback", "-run", b, "-auto-approve")
		s.is("back", "enabled", "tenant_acme_users")
		must(t, w.api.Accounts().Expire(t.Context(), []uuid.UUID{s.person}))
		w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
		s.is("all back", "expired")
		w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
		s.is("again", "expired", "tenant_acme_users") // as somebody else had expired it
	})
}

// TestAddressInFlight: what is recorded of an address that was to change is what happened to it.
func TestAddressInFlight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		role   string
		writes int64
	}{"not sent": {"user", 0}, "sent, and the role is not": {"admin", 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			was := w.directory().persons[s.person].Mails
			s.set("role", c.role)
			s.set("email", "other@acme.example")
			k.cut(c.writes)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			out, _ := w.run(exitDone, "apply", "-close", "-auto-approve", "-json")
			wants(t, out, `"done": 0`)
			if now := w.directory().persons[s.person].Mails; !slices.Equal(now, was) {
				t.Errorf("the addresses are %v, were %v", now, was)
			}
			w.run(exitDone, "apply", "-auto-approve")
			if now := w.directory().persons[s.person].Mails; now[0] != "other@acme.example" {
				t.Errorf("the addresses are %v", now)
			}
			w.rest("at last")
		})
	}
}

// TestLinkedThenSuspended: the application links a user in flight, and suspends it; the run is closed; the row is active again.
func TestLinkedThenSuspended(t *testing.T) {
	t.Parallel()
	reached := false
	for n := range int64(4) {
		w, k := cutWorld(t)
		w.config(everyone)
		w.run(exitDone, "apply", "-auto-approve")
		w.config(everyone + waveEveryone)
		k.cut(n + 1)
		w.run(exitStopped, "apply", "-auto-approve")
		k.mend()
		var user, lineage uuid.UUID
		if w.connect().QueryRow(t.Context(), `select user_id, lineage from anthill_state.records r join users using (user_id), anthill_state.meta
			where not settled and role = 'user' and status = 'active' order by 1 limit 1`).Scan(&user, &lineage) != nil {
			continue
		}
		s := someone{w, user, state.PersonID(lineage, user, 1)}
		if _, there := w.directory().persons[s.person]; !there {
			continue
		}
		reached = true
		w.exec("update users set {idp}_user_id = $2, status = 'suspended' where user_id = $1", user, s.person)
		w.run(exitDone, "apply", "-close", "-auto-approve")
		s.set("status", "active")
		w.run(exitDone, "apply", "-auto-approve")
		w.rest("active again")
		if w.directory().persons[s.person].Expired {
			t.Errorf("cut at %d: a user whose row is active and linked stays expired", n)
		}
	}
	if !reached {
		t.Error("nobody was in flight; this test proves nothing")
	}
}

// TestRollbackGoesOn: a rollback that was stopped is gone on with as what it was, by the same command without its flags.
func TestRollbackGoesOn(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*world, *cutter, someone) {
		w, k := cutWorld(t)
		w.config(everyone + waveEveryone)
		w.run(exitDone, "apply", "-auto-approve")
		s := w.someone("user", "acme")
		s.set("role", "admin")
		w.run(exitDone, "apply", "-auto-approve")
		return w, k, s
	}
	for n := range int64(2) {
		t.Run(fmt.Sprint("the latest run ", n), func(t *testing.T) {
			t.Parallel()
			w, k, s := begin(t)
			k.cut(n)
			w.run(exitStopped, "rollback", "-auto-approve")
			k.mend()
			w.run(exitDone, "rollback", "-auto-approve")
			s.is("the latest run", "enabled", "tenant_acme_users")
		})
		t.Run(fmt.Sprint("an older run ", n), func(t *testing.T) {
			t.Parallel()
			w, k, s := begin(t)
			o := w.someone("user", "globex")
			o.set("role", "admin")
			w.run(exitDone, "apply", "-auto-approve")
			k.cut(n)
			w.run(exitStopped, "rollback", "-run", w.runs()[1], "-auto-approve")
			k.mend()
			w.run(exitDone, "rollback", "-auto-approve")
			s.is("the one that was asked for", "enabled", "tenant_acme_users")
			o.is("not asked for", "enabled", "tenant_globex_admins", "tenant_globex_users")
		})
		t.Run(fmt.Sprint("a rollback of a rollback ", n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			all := w.allLinked()
			w.run(exitDone, "rollback", "-auto-approve")
			k.cut(n + 1)
			w.run(exitStopped, "rollback", "-run", w.latest(), "-auto-approve")
			k.mend()
			w.run(exitDone, "rollback", "-auto-approve")
			if now := w.allLinked(); now != all {
				t.Errorf("%d rows are linked, want %d", now, all)
			}
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
	t.Run("a tenant that was renamed", func(t *testing.T) {
		t.Parallel()
		w, k, _ := begin(t)
		all, acme := w.allLinked(), w.isLinked("acme")
		k.cut(1)
		w.run(exitStopped, "rollback", "-tenant", "acme", "-auto-approve")
		k.mend()
		w.exec("update tenants set slug = 'acme2' where slug = 'acme'")
		w.run(exitDone, "rollback", "-auto-approve")
		if n, own := w.allLinked(), w.isLinked("acme2"); n != all-acme || own != 0 {
			t.Errorf("%d rows are linked, %d of acme; want %d and none", n, own, all-acme)
		}
	})
}

// TestDeletedSince: a rollback of which persons were deleted since is taken back in the right order, and says so.
func TestDeletedSince(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	all := w.allLinked()
	w.run(exitDone, "rollback", "-auto-approve")
	first := w.latest()
	w.allowing("rollback", "-run", w.runs()[0], "-delete-persons", "-auto-approve")
	out, _ := w.run(exitDone, "rollback", "-run", first, "-out", "p")
	wants(t, out, "take that one back first")
	w.run(exitDone, "rollback", "-run", w.latest(), "-auto-approve")
	w.run(exitDone, "rollback", "-run", first, "-auto-approve")
	if n := w.allLinked(); n != all {
		t.Errorf("%d are linked, want %d", n, all)
	}
}

// TestRevivedInFlight: persons whom a stopped rollback of a rollback has brought back can be deleted still.
func TestRevivedInFlight(t *testing.T) {
	t.Parallel()
	for n := range int64(2) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.allowing("rollback", "-delete-persons", "-auto-approve")
			left := len(w.directory().persons)
			k.cut(n + 1)
			w.run(exitStopped, "rollback", "-run", w.latest(), "-auto-approve")
			k.mend()
			w.run(exitDone, "apply", "-close", "-auto-approve")
			w.allowing("rollback", "-run", w.runs()[0], "-delete-persons", "-auto-approve")
			if n := len(w.directory().persons); n != left {
				t.Errorf("%d persons are left, were %d", n, left)
			}
		})
	}
}

// TestRuleAddedBack: a rollback of the run that gave groups their rule takes out whom that let in.
func TestRuleAddedBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	none := strings.Replace(strings.Replace(everyone, "  members { roles = [\"admin\", \"super_admin\"] }\n", "", 1),
		"  members { all = true }\n", "", 1)
	w.config(none + waveEveryone)
	w.allowing("apply", "-auto-approve")
	s := w.someone("user", "acme")
	s.is("moved", "enabled")
	w.config(everyone + waveEveryone)
	w.allowing("apply", "-auto-approve")
	s.is("joined", "enabled", "tenant_acme_users")
	w.allowing("rollback", "-auto-approve")
	s.is("rolled back", "enabled")
	w.config(none + waveEveryone)
	w.run(exitDone, "plan", "-detailed-exitcode")
}

// TestPersonOfAnother: a person whom the row of another user is linked to is that user's, whoever had it before.
func TestPersonOfAnother(t *testing.T) {
	t.Parallel()
	for _, paused := range []bool{false, true} {
		t.Run(fmt.Sprint(paused), func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s, o := w.someone("user", "acme"), w.someone("manager", "acme")
			w.run(exitDone, "rollback", "-auto-approve")
			w.exec("update users set {idp}_user_id = $2 where user_id = $1", o.user, s.person)
			must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
			if !paused {
				w.run(exitDone, "wave", "resume", "everyone")
			}
			w.run(exitDone, "apply", "-auto-approve")
			if w.directory().persons[s.person].Expired {
				t.Error("the person of the other user is expired")
			}
			w.rest("at last")
		})
	}
}

// TestOursElsewhere: a person of ours of a user who is not moved, and whose row is linked to another person, is put out.
func TestOursElsewhere(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("user", "acme")
	w.run(exitDone, "rollback", "-auto-approve")
	other := uuid.New()
	must(t, w.api.Accounts().Create(t.Context(), newPerson(other, "stranger", "stranger@example.org")))
	w.exec("update users set {idp}_user_id = $2 where user_id = $1", s.user, other)
	must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
	w.run(exitDone, "apply", "-auto-approve")
	s.is("paused", "expired")
	must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
	w.run(exitDone, "wave", "resume", "everyone")
	w.run(exitDone, "apply", "-auto-approve")
	s.is("resumed", "expired")
	w.rest("at last")
}

// TestUnlinkedInFlight: planner and closing say the same of an active row that somebody has unlinked: its person stays.
func TestUnlinkedInFlight(t *testing.T) {
	t.Parallel()
	w, k := cutWorld(t)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	s.set("role", "admin")
	k.cut(1)
	w.run(exitStopped, "apply", "-auto-approve")
	k.mend()
	w.exec("update users set {idp}_user_id = null where user_id = $1", s.user)
	w.run(exitDone, "apply", "-close", "-auto-approve")
	s.is("closed", "enabled", "tenant_acme_users")
	w.run(exitDone, "apply", "-auto-approve")
	s.is("the next plan", "enabled", "tenant_acme_users")
}

// TestLinkedWhileWithdrawn: a person who is being put out, or deleted, and whom the application links meanwhile, keeps its login,
// however the run is ended.
func TestLinkedWhileWithdrawn(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"p", "-close"} {
		for _, deleted := range []bool{false, true} {
			t.Run(fmt.Sprint(end, deleted), func(t *testing.T) {
				t.Parallel()
				w, k := cutWorld(t)
				w.config(everyone + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				s := w.someone("user", "acme")
				w.run(exitDone, "rollback", "-auto-approve")
				if deleted {
					w.allowing("rollback", "-run", w.runs()[0], "-delete-persons", "-out", "p")
				} else {
					must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
					w.run(exitDone, "plan", "-out", "p")
				}
				k.cut(0)
				w.run(exitStopped, "apply", "p")
				k.mend()
				must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
				w.exec("update users set {idp}_user_id = $2, auth_method = 'dual', migration_completed_at = now() where user_id = $1",
					s.user, s.person)
				w.try("apply", end, "-auto-approve")
				s.is("ended", "enabled")
				w.run(exitDone, "apply", "-auto-approve")
				s.is("the next plan", "enabled")
			})
		}
	}
}

// TestResumedJoin: a membership that was to be given back is not, once the row does not ask for it any more.
func TestResumedJoin(t *testing.T) {
	t.Parallel()
	for change, sql := range map[string]string{
		"role":    "update users set role = 'user' where user_id = $1",
		"tenant":  "update users set tenant_id = (select tenant_id from tenants where slug = 'globex') where user_id = $1",
		"status":  "update users set status = 'suspended' where user_id = $1",
		"deleted": "update users set deleted_at = now() where user_id = $1",
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.exec("delete from user_profiles")
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("admin", "acme")
			must(t, w.api.Accounts().RemoveMembers(t.Context(), membersOf(w.groupOf("tenant_acme_admins"), s.person)))
			w.run(exitDone, "plan", "-out", "p")
			k.cut(0)
			w.run(exitStopped, "apply", "p")
			k.mend()
			w.exec(sql, s.user)
			out, _ := w.run(exitRemainder, "apply", "p")
			wants(t, out, "1 changed")
			if slices.Contains(w.directory().groups["tenant_acme_admins"].Members, s.person) {
				t.Error("the resumed run has made it an admin")
			}
		})
	}
}

// TestNothingWasDone: of a change that leaves no trace in what is recorded, apply does not say that it is done already when it is
// the row that has changed.
func TestNothingWasDone(t *testing.T) {
	t.Parallel()
	t.Run("a person to be put out", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		w.run(exitDone, "rollback", "-auto-approve")
		must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
		w.run(exitDone, "plan", "-out", "p")
		s.set("email", "other@mail.example")
		out, _ := w.run(exitRemainder, "apply", "p")
		wants(t, out, "1 changed")
	})
	t.Run("a member to be put out", func(t *testing.T) {
		t.Parallel()
		w, _ := moved(t)
		s := w.someone("user", "acme")
		must(t, w.api.Accounts().AddMembers(t.Context(), w.groupOf("tenant_acme_admins"), []uuid.UUID{s.person}))
		w.run(exitDone, "plan", "-out", "p")
		s.set("role", "viewer")
		w.run(exitStale, "apply", "-on-stale", "fail", "p")
	})
}

// TestTwoRules: whose change of a rule is left alone, its plan lets nobody in by that rule.
func TestTwoRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(wanted{}.text())
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("user", "acme")
	s.set("role", "manager")
	w.config(wanted{wide: true}.text())
	w.run(exitDone, "plan", "-out", "a")
	w.config(wanted{renamed: true}.text())
	w.allowing("plan", "-out", "b")
	w.run(exitDone, "apply", "b")
	out, _ := w.run(exitRemainder, "apply", "a")
	wants(t, out, "was not changed as planned")
	if slices.Contains(w.directory().groups["tenant_acme_admins_x"].Members, s.person) {
		t.Error("a manager is an admin by a rule that was never recorded")
	}
}

// TestBackOfCutMaking: a run is cut while its objects are being made and rolled back; that rollback is rolled back, and so on.
func TestBackOfCutMaking(t *testing.T) {
	t.Parallel()
	for n := range int64(7) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w, k := cutWorld(t)
			w.config(everyone + fmt.Sprintf(oneClient, "confidential") + waveEveryone)
			k.cut(n + 1)
			w.run(exitStopped, "apply", "-auto-approve")
			k.mend()
			w.allowing("rollback", "-run", w.latest(), "-auto-approve")
			w.allowing("rollback", "-run", w.latest(), "-auto-approve")
			w.try("wave", "resume", "everyone")
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			for _, b := range w.invariants("again", true) {
				t.Error(b)
			}
			for range 4 {
				w.allowing("rollback", "-auto-approve")
			}
			for name := range w.directory().groups {
				if strings.HasPrefix(name, "tenant_") {
					t.Errorf("group %s is left", name)
				}
			}
		})
	}
}

// TestExpiredByOthers: a person whom somebody else has expired stays so, whatever becomes of the state.
func TestExpiredByOthers(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			t.Parallel()
			server := emulator(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, server)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("user", "acme")
			path := "/v1/person/" + s.person.String() + "/_attr/account_expire"
			if a := newBrowser(t, server).do("PUT", path, server.token, []string{"2020-01-01T00:00:00+00:00"}); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if lost {
				w.exec("drop schema anthill_state cascade")
				w.run(exitDone, "apply", "-auto-approve")
				s.is("state lost", "expired", "tenant_acme_users")
			}
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			out, _ := w.run(exitDone, "apply", "-auto-approve")
			wants(t, out, "somebody else has expired its person")
			s.is("not moved again", "expired")
			w.rest("at last")
		})
	}
}

func membersOf(group uuid.UUID, persons ...uuid.UUID) providers.Members {
	return providers.Members{Group: group, Persons: persons}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSwappedSlugs: two tenants that exchange their slugs are reported, with a way that works.
func TestSwappedSlugs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	call := func(was, now string) { w.exec("update tenants set slug = $2 where slug = $1", was, now) }
	swap := func() { call("acme", "x"); call("globex", "acme"); call("x", "globex") }
	swap()
	_, errs := w.run(exitError, "plan")
	wants(t, errs, "give both tenants slugs under which")
	call("acme", "second")
	call("globex", "first")
	w.settle("slugs of their own")
	call("first", "globex")
	call("second", "acme")
	w.settle("each other's slugs")
	for _, b := range w.invariants("swapped", true) {
		t.Error(b)
	}
}
