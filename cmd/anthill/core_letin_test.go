package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

// TestUndoneRaiseOutOfGroup (L8, L44): a rollback that gave a password back is undone; since that was planned the person is out
// of its group.
func TestUndoneRaiseOutOfGroup(t *testing.T) {
	t.Parallel()
	for name, back := range map[string][]string{
		"of the wave":      {"rollback", "-wave", "alone", "-auto-approve"},
		"in Postgres":      {"rollback", "-postgres-only", "-auto-approve"},
		"in Postgres wave": {"rollback", "-postgres-only", "-wave", "alone", "-auto-approve"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			s := w.withPassword("user", "acme", 0)
			b.enrol(s.person)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, back...)
			if s.raised() {
				t.Fatal("raised still")
			}
			w.allowing("rollback", "-run", w.latest(), "-out", "p")
			must(t, w.api.Accounts().RemoveMembers(t.Context(), membersOf(w.groupOf("tenant_acme_users"), s.person)))
			out, st := w.try2("apply", "p")
			t.Log(st, out)
			if s.raised() {
				t.Error("raised again, and the person is in no group")
			}
		})
	}
}

// TestUndoneRaiseUnmapped (L8, L44): since that was planned, the mapping row is gone by which the application knows the tenant.
func TestUndoneRaiseUnmapped(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := w.withPassword("user", "acme", 0)
	b.enrol(s.person)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.latest(), "-out", "p")
	w.exec("delete from {idp}_tenant_groups where {idp}_group_name like 'tenant_acme_%'")
	w.run(exitRemainder, "apply", "p")
	if s.raised() {
		t.Error("raised again, and its group is mapped to no tenant")
	}
}

// TestUndoneRaiseJoins (L8): who is raised again and joins its groups by the same change is judged by them. Its person is not
// ours, so that nothing else of it says that it comes back.
func TestUndoneRaiseJoins(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := someone{world: w, person: uuid.New()}
	must(t, w.api.Accounts().Create(t.Context(), newPerson(s.person, "heir", "heir@mail.example")))
	s.user = w.linkedTo("acme", "user", s.person)
	w.exec(`update users set password_hash = (select password_hash from users where length(password_hash) = 60 limit 1)
		where user_id = $1`, s.user)
	w.run(exitDone, "apply", "-auto-approve")
	b.enrol(s.person)
	w.run(exitDone, "apply", "-auto-approve")
	if !s.raised() {
		t.Fatal("not raised")
	}
	w.allowing("rollback", "-tenant", "acme", "-out", "p")
	w.run(exitDone, "apply", "p")
	s.is("taken back", "enabled")
	w.run(exitDone, "rollback", "-run", w.latest(), "-out", "q")
	w.run(exitDone, "apply", "q")
	if !s.raised() {
		t.Error("not raised again")
	}
	s.is("again", "enabled", "tenant_acme_users")
}

// TestUndoneRaiseScopeGone (L44): meanwhile the client lets in others alone.
func TestUndoneRaiseScopeGone(t *testing.T) {
	t.Parallel()
	for name, besides := range map[string]func(*browser){"no other client": func(*browser) {}, "another's client": wiki} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			s := w.withPassword("user", "acme", 0)
			besides(b)
			b.enrol(s.person)
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
			back := w.latest()
			w.config(strings.Replace(withRaise, "groups = group.users\n", "groups = group.admins\n", 1))
			w.allowing("plan", "-out", "p")
			w.run(exitDone, "apply", "p")
			out, st := w.try2("rollback", "-run", back, "-auto-approve")
			t.Log(st, out)
			if st != exitBlocked && s.raised() {
				t.Error("raised again, no client of the application lets it in, and nobody has allowed it")
			}
		})
	}
}

// wiki is a client of another application, which lets everybody in.
func wiki(b *browser) {
	b.ok(b.do("POST", "/v1/oauth2/_basic", b.token, map[string]any{"attrs": map[string][]string{
		"name": {"wiki"}, "displayname": {"Wiki"}, "oauth2_rs_origin_landing": {"https://wiki.example"}}}), nil)
	b.ok(b.do("POST", "/v1/oauth2/wiki/_scopemap/idm_all_persons", b.token, []string{"openid"}), nil)
}

// TestRaiseDoorsShut (L8): between plan and apply the way by which the person would come into the application goes: the
// mapping row of its group, or the scope map that lets the group in.
func TestRaiseDoorsShut(t *testing.T) {
	t.Parallel()
	for name, shut := range map[string]func(*world, *browser){
		"mapping row": func(w *world, b *browser) {
			w.exec("delete from {idp}_tenant_groups where {idp}_group_name like 'tenant_acme_%'")
		},
		"scope map": func(w *world, b *browser) {
			g := w.groupOf("tenant_acme_users")
			b.ok(b.do("DELETE", "/v1/oauth2/app/_scopemap/"+g.String(), b.token, nil), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b := raising(t)
			s := w.withPassword("user", "acme", 0)
			b.enrol(s.person)
			w.run(exitDone, "plan", "-out", "p")
			shut(w, b)
			out, st := w.try2("apply", "p")
			t.Log(st, out)
			if s.raised() {
				t.Error("raised, and the application lets nobody of its group in")
			}
			out, st = w.try2("plan")
			t.Log(st, out)
		})
	}
}

// TestRaiseOfTheOneGroup (L8): an admin is in two groups, and the client lets in the members of one of them. Taken out of that
// one between plan and apply, the password must stay.
func TestRaiseOfTheOneGroup(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := w.withPassword("admin", "acme", 0)
	b.enrol(s.person)
	w.run(exitDone, "plan", "-out", "p")
	must(t, w.api.Accounts().RemoveMembers(t.Context(), membersOf(w.groupOf("tenant_acme_users"), s.person)))
	out, st := w.try2("apply", "p")
	t.Log(st, out)
	if s.raised() {
		t.Error("raised, and no client lets the person in")
	}
}

// TestRaiseGroupsOfOthers (L8): who was in the groups before we came has no recorded group. Out of them since the plan, the
// password must stay.
func TestRaiseGroupsOfOthers(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := w.withPassword("user", "acme", 0)
	b.enrol(s.person)
	w.exec("update anthill_state.users set groups = '{}' where user_id = $1", s.user)
	out, st := w.try2("plan", "-out", "p")
	t.Log(st, out)
	must(t, w.api.Accounts().RemoveMembers(t.Context(), membersOf(w.groupOf("tenant_acme_users"), s.person)))
	out, st = w.try2("apply", "p")
	t.Log(st, out)
	if s.raised() {
		t.Error("raised, and the person is in no group")
	}
}

// TestRaiseWithoutClient (L8): there is no client that lets anybody in, so nobody can log in through Self-auth, and nobody is
// to be raised.
func TestRaiseWithoutClient(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := w.withPassword("user", "acme", 0)
	from, to := strings.Index(withRaise, "oauth2_client"), strings.Index(withRaise, "auth_policy \"alone\"")
	w.config(withRaise[:from] + withRaise[to:])
	w.run(exitDone, "plan", "-out", "p", "-allow", "ENDS_SESSIONS=1") // the client goes
	w.run(exitDone, "apply", "p")
	b.enrol(s.person)
	out, st := w.try2("plan")
	t.Log(st, out)
	w.try2("apply", "-auto-approve")
	if s.raised() {
		t.Error("raised, and there is no client at all")
	}
}

// TestRaiseByAnothersClient (L8): the application's client lets in admins alone, and another client everybody.
func TestRaiseByAnothersClient(t *testing.T) {
	t.Parallel()
	w, b := raising(t)
	s := w.withPassword("user", "acme", 0)
	wiki(b)
	w.config(strings.Replace(withRaise, "groups = group.users\n", "groups = group.admins\n", 1))
	if out, _ := w.run(exitBlocked, "plan"); !strings.Contains(out, "LOCKS_OUT_USERS=50") {
		t.Fatal(out)
	}
	w.run(exitDone, "plan", "-out", "p", "-allow", "LOCKS_OUT_USERS=50")
	w.run(exitDone, "apply", "p")
	b.enrol(s.person)
	out, st := w.try2("plan")
	t.Log(st, out)
	w.try2("apply", "-auto-approve")
	if s.raised() {
		t.Error("raised, and the application's client does not let it in")
	}
}
