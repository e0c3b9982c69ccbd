package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// raisable is a world of moved users of whom one of the plain role has enrolled in Self-auth, so that the wave "alone" would take
// its password away.
func raisable(t *testing.T, level, config string) (w *world, b *browser, user, person uuid.UUID) {
	t.Helper()
	s := emulator(t)
	w = newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: level}, s)
	b = newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	w.config(config)
	w.run(exitDone, "apply", "-auto-approve")
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id, user_id from users join tenants using (tenant_id)
		where {idp}_user_id is not null and role = 'user' and password_hash is not null and slug = 'acme' order by user_id limit 1`)).Scan(&person, &user))
	b.enrol(person)
	return w, b, user, person
}

// raised says whether a user's password is refused by the application.
func (w *world) raised(user uuid.UUID) bool {
	return w.number(`select count(*) from users where user_id = $1 and auth_method = '{value}'`, user) == 1
}

// TestRaiseNotYetValid (L8): a person whose account is not valid yet cannot log in, so its user keeps the password.
func TestRaiseNotYetValid(t *testing.T) {
	t.Parallel()
	w, b, user, person := raisable(t, "dual", withRaise)
	b.ok(b.do("PUT", "/v1/person/"+person.String()+"/_attr/account_valid_from", b.token, []string{"2099-01-01T00:00:00Z"}), nil)
	if _, denied := b.logIn(person); denied == "" {
		t.Fatal("the person can log in")
	}
	out, _ := w.run(exitDone, "apply", "-auto-approve")
	if w.raised(user) {
		t.Errorf("a user whose person may not log in before 2099 has lost the password:\n%s", out)
	}
}

// TestRaiseStale (L8): the way in that a user's password is given up for is gone when the plan is applied: it stays as it is.
func TestRaiseStale(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(b *browser, person string) answer{
		"person expired": func(b *browser, person string) answer {
			return b.do("PUT", "/v1/person/"+person+"/_attr/account_expire", b.token, []string{"2020-01-01T00:00:00Z"})
		},
		"person deleted": func(b *browser, person string) answer {
			return b.do("DELETE", "/v1/person/"+person, b.token, nil)
		},
		"out of the group": func(b *browser, person string) answer {
			return b.do("DELETE", "/v1/group/tenant_acme_users/_attr/member", b.token, []string{person})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, b, user, person := raisable(t, "dual", withRaise)
			w.run(exitDone, "plan", "-out", "p")
			b.ok(lose(b, person.String()), nil)
			status, out, errs := w.try("apply", "p")
			if w.raised(user) {
				t.Errorf("the password is refused, and there is no other way in: exit status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// TestBrakeByParts (L22, L47): what an edit releases is a hazard when it starts, whatever part was applied in between.
func TestBrakeByParts(t *testing.T) {
	t.Parallel()
	wave := func(name, rest string) string {
		return "wave \"" + name + "\" {\n  auth_policy = auth_policy.dual\n" + rest + "\n}\n"
	}
	gate := "gate \"support\" { manual = true }\n"
	second := wave("second", "users { tenants = [\"globex\"] }\n start { after = [wave.first] }")
	held := gate + wave("first", "users { tenants = [\"acme\"] }\n finish { gates = [gate.support] }") + second
	free := gate + wave("first", "users { tenants = [\"acme\"] }") + second
	for name, part := range map[string][]string{
		"all at once":    nil,
		"wave first":     {"-wave", "first"},
		"another tenant": {"-target", "tenant=anthill"},
		"without second": {"-exclude", "wave=second"},
		"without globex": {"-exclude", "tenant=globex"},
		"schema":         {"-target", "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 4, Level: "dual"}, emulator(t))
			w.config(everyone + held)
			w.run(exitDone, "apply", "-auto-approve")
			w.config(everyone + free)
			if part != nil {
				if status, out, _ := w.try(append([]string{"apply", "-auto-approve"}, part...)...); status == exitBlocked {
					wants(t, out, "LOOSENS_BRAKE") // to say it there would do as well
					return
				}
			}
			status, out, errs := w.try("plan")
			if status != exitBlocked || !strings.Contains(out, "LOOSENS_BRAKE") {
				t.Errorf("the second wave starts as a gate was removed, and no hazard says so: exit status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// TestStrangerAsAdmin (L41): a group with members that is mapped as admin from now on makes all of them admins, whether it had
// no mapping row before, as it is taken over, or somebody had taken the row away.
func TestStrangerAsAdmin(t *testing.T) {
	t.Parallel()
	t.Run("taken over", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6}, emulator(t))
		some := strings.Replace(everyone+waveEveryone, "for_each = data.tenants.active", `for_each = toset(["globex", "anthill"])`, 1)
		stranger, group := uuid.New(), uuid.New()
		must(t, w.api.Accounts().Create(t.Context(), newPerson(stranger, "stranger", "stranger@example.org")))
		must(t, w.api.Accounts().CreateGroups(t.Context(), []providers.NewGroup{{ID: group, Name: "old_bosses"}}))
		must(t, w.api.Accounts().AddMembers(t.Context(), group, []uuid.UUID{stranger}))
		w.config(some + "group \"bosses\" {\n  tenant = \"acme\"\n  name   = \"old_bosses\"\n  role   = \"admin\"\n  adopt  = true\n" +
			"  members { roles = [\"admin\"] }\n}\n")
		_, out, errs := w.try("plan")
		if !strings.Contains(out, "MEMBERS_AS_ADMINS=1") {
			t.Errorf("a stranger becomes admin of acme, and no hazard says so:\n%s%s", out, errs)
		}
	})
}

// TestInvited: what the application has written into a column that Anthill's changes do not touch survives a rollback, and the
// way there and back with -schema.
func TestInvited(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(w *world){
		"users":  func(w *world) { w.run(exitDone, "rollback", "-auto-approve") },
		"schema": func(w *world) { w.schemaBack("back"); w.run(exitDone, "apply", "back") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			want := w.exec(`update users set migration_invited_at = '2026-01-01' where {idp}_user_id is not null`)
			back(w)
			w.run(exitDone, "wave", "resume", "everyone")
			w.run(exitDone, "apply", "-auto-approve")
			if got := w.number(`select count(*) from users where migration_invited_at = '2026-01-01'`); got != int(want) {
				t.Errorf("of %d times of invitation %d are left", want, got)
			}
		})
	}
}

// TestWaitsForNoPause (L47): who waits until enrolled waits for no pause, also where the wave is outside of the plan.
func TestWaitsForNoPause(t *testing.T) {
	t.Parallel()
	w, _, _, _ := raisable(t, "dual", withRaise)
	for _, args := range [][]string{{"plan", "-exclude", "wave=alone"}, {"plan", "-target", "schema"}, {"plan", "-wave", "everyone"}} {
		if out, _ := w.run(exitDone, args...); strings.Contains(out, "wait for a pause to end") {
			t.Errorf("%v: nothing is paused:\n%s", args, out)
		}
	}
}
