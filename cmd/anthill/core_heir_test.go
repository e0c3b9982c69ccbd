package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// linkedTo inserts a user of a role and a tenant who is linked to a person.
func (w *world) linkedTo(tenant, role string, person uuid.UUID) (id uuid.UUID) {
	w.t.Helper()
	if err := w.connect().QueryRow(w.t.Context(), w.spell(`insert into users (tenant_id, email, password_hash, full_name, role, email_verified, {idp}_user_id, auth_method)
		select tenant_id, 'heir@mail.example', 'x', 'An Heir', $2, true, $3, 'dual' from tenants where slug = $1 returning user_id`), tenant, role, person).Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return id
}

// TestPassedOn: a person passes to another row, whose role is lower: it must not stay among the admins.
func TestPassedOn(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"gone":      "delete from users where user_id = $1",
		"suspended": "update users set {idp}_user_id = null, status = 'suspended' where user_id = $1",
		"unlinked":  "update users set {idp}_user_id = null where user_id = $1",
	} {
		for _, tenant := range []string{"acme", "globex"} {
			t.Run(name+"/"+tenant, func(t *testing.T) {
				t.Parallel()
				w, _ := moved(t)
				w.exec("delete from user_profiles")
				s := w.someone("admin", "acme")
				w.exec(sql, s.user)
				w.linkedTo(tenant, "user", s.person)
				for range 3 {
					out, status := w.try2("apply", "-auto-approve")
					t.Log(status, out)
				}
				s.is("in the end", "enabled", "tenant_"+tenant+"_users")
				out, _ := w.try2("plan")
				t.Log(out)
				if bad := w.invariants("end", true); len(bad) > 0 {
					t.Error(bad)
				}
			})
		}
	}
}

// TestPassedOnRolledBack: the same for one who was rolled back.
func TestPassedOnRolledBack(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	s := w.someone("admin", "acme")
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
	must(t, w.api.Accounts().AddMembers(t.Context(), w.groupOf("tenant_acme_admins"), []uuid.UUID{s.person}))
	w.linkedTo("acme", "user", s.person)
	w.run(exitDone, "wave", "resume", "everyone", "-tenant", "acme")
	for range 3 {
		out, status := w.try2("apply", "-auto-approve")
		t.Log(status, out)
	}
	s.is("in the end", "enabled", "tenant_acme_users")
}

// TestUnruledWithdraw: a rule that was not changed keeps nobody in who is to be put out for another reason.
func TestUnruledWithdraw(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(wanted{}.text())
	w.run(exitDone, "apply", "-auto-approve")
	s := w.someone("admin", "acme")
	w.run(exitDone, "rollback", "-tenant", "acme", "-auto-approve")
	meddle := func(suffix string) {
		must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{s.person}))
		must(t, w.api.Accounts().AddMembers(t.Context(), w.groupOf("tenant_acme_admins"+suffix), []uuid.UUID{s.person}))
	}
	meddle("")
	w.config(wanted{wide: true}.text())
	w.run(exitDone, "plan", "-out", "a")
	w.config(wanted{renamed: true}.text())
	w.allowing("plan", "-out", "b")
	w.run(exitDone, "apply", "b")
	s.is("b", "expired")
	meddle("_x")
	out, status := w.try2("apply", "a")
	t.Log(status, out)
	s.is("a", "expired")
}

// TestUnruledAdopted: the same for a person who was taken over: it leaves the groups when its row is suspended.
func TestUnruledAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	var user uuid.UUID
	var mail string
	must(t, w.connect().QueryRow(t.Context(), "select user_id, email from users join tenants using (tenant_id) where slug = 'acme' and role = 'admin' and users.status = 'active' and users.deleted_at is null and email_verified order by user_id limit 1").Scan(&user, &mail))
	person := uuid.New()
	must(t, w.api.Accounts().Create(t.Context(), newPerson(person, "found", mail)))
	w.config(wanted{adopt: true}.text())
	applyAllowing(w, "apply", "-auto-approve")
	s := someone{w, user, person}
	s.is("adopted", "enabled", "tenant_acme_admins", "tenant_acme_users")
	w.config(wanted{renamed: true, adopt: true}.text())
	w.allowing("plan", "-out", "b")
	s.set("status", "suspended")
	w.config(wanted{wide: true, adopt: true}.text())
	w.allowing("plan", "-out", "a")
	out, status := w.try2("apply", "b")
	t.Log(status, out)
	out, status = w.try2("apply", "a")
	t.Log(status, out)
	s.is("suspended", "enabled")
}

// TestUnruledRollback: a rollback takes users back though a group keeps a rule that it cannot be given back.
func TestUnruledRollback(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"PATCH /v1/group"} {
		t.Run(strings.ReplaceAll(what, "/", "_"), func(t *testing.T) {
			t.Parallel()
			r := newRefuser(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, r.server)
			text := wanted{}.text()
			w.config(text[:strings.Index(text, "wave \"everyone\"")])
			w.run(exitDone, "apply", "-auto-approve")
			w.config(wanted{wide: true, renamed: true}.text())
			applyAllowing(w, "apply", "-auto-approve")
			n := w.allLinked()
			r.refuse(what)
			out, status := w.try2("rollback", "-auto-approve")
			t.Log(n, status, out)
			if left := w.allLinked(); left > 0 {
				t.Errorf("%d of %d are linked still", left, n)
			}
			r.refuse("NOTHING /")
			out, status = w.try2("rollback", "-auto-approve")
			t.Log(status, out)
			if left := w.allLinked(); left > 0 {
				t.Errorf("%d of %d are linked still after the second", left, n)
			}
		})
	}
}

// TestMappingByHand: whatever the mapping rows say, a fresh plan and a rollback can be applied.
func TestMappingByHand(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"deleted":      "delete from self_auth_tenant_groups where role = 'admin'",
		"all deleted":  "delete from self_auth_tenant_groups",
		"viewer":       "update self_auth_tenant_groups set role = 'viewer' where role = 'admin'",
		"member":       "update self_auth_tenant_groups set role = 'admin' where role = 'member'",
		"second admin": "insert into self_auth_tenant_groups select (jsonb_populate_record(g, jsonb_build_object('id', gen_random_uuid(), 'tenant_id', (select tenant_id from tenants where slug = 'globex')))).* from self_auth_tenant_groups g join tenants t using (tenant_id) where g.role = 'admin' and slug = 'acme'",
		"other tenant": "update self_auth_tenant_groups set tenant_id = (select tenant_id from tenants where slug = 'globex') where role = 'admin' and tenant_id = (select tenant_id from tenants where slug = 'acme')",
	} {
		for _, args := range [][]string{{"rollback"}, {"rollback", "-tenant", "acme"}, {"rollback", "-wave", "everyone"}, {"apply"}} {
			t.Run(name+"/"+strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				w, _ := moved(t)
				s := w.someone("user", "acme")
				s.set("role", "admin")
				w.exec(sql)
				out, status := w.try2(append(slices.Clone(args), "-auto-approve")...)
				if status == exitStale || status == exitError {
					t.Error(status, out)
				}
				t.Log(status, out)
			})
		}
	}
}

func applyAllowing(w *world, args ...string) (int, string) {
	if args[0] == "apply" {
		if status, out := applyAllowing(w, "plan", "-out", "zz"); status != exitDone {
			return status, out
		}
		out, status := w.try2("apply", "zz")
		return status, out
	}
	out, status := w.try2(args...)
	for range 3 {
		if status != exitBlocked {
			break
		}
		var allow []string
		for _, l := range strings.Split(out, "\n") {
			if i := strings.Index(l, "-allow "); i >= 0 {
				f := strings.Fields(l[i:])
				allow = append(allow, f[0], strings.Trim(f[1], `"'.,`))
			}
		}
		if len(allow) == 0 {
			break
		}
		out, status = w.try2(append(slices.Clone(args), allow...)...)
	}
	return status, out
}

// TestHeirAway: a person is linked to a row that is not active, or deleted: nobody may log in by that.
func TestHeirAway(t *testing.T) {
	t.Parallel()
	for heir, away := range map[string]string{"suspended": "status = 'suspended'", "deleted": "deleted_at = now()"} {
		for name, sql := range map[string]string{
			"gone":      "delete from users where user_id = $1",
			"suspended": "update users set {idp}_user_id = null, status = 'suspended' where user_id = $1",
		} {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprint(heir, "/", name, "/", cut), func(t *testing.T) {
					t.Parallel()
					w, k := cutWorld(t)
					w.exec("delete from user_profiles")
					w.config(everyone + waveEveryone)
					w.run(exitDone, "apply", "-auto-approve")
					s := w.someone("admin", "acme")
					if cut {
						s.set("status", "suspended")
						k.cut(0)
						w.run(exitStopped, "apply", "-auto-approve")
						k.mend()
					}
					w.exec(sql, s.user)
					id := w.linkedTo("acme", "user", s.person)
					w.exec("update users set "+away+" where user_id = $1", id)
					if cut {
						out, status := w.try2("apply", "-close", "-auto-approve")
						t.Log(status, out)
					}
					for range 3 {
						out, status := w.try2("apply", "-auto-approve")
						t.Log(status, out)
					}
					if p := w.directory().persons[s.person]; !p.Expired {
						t.Errorf("the person is enabled")
					}
					if slices.Contains(w.directory().groups["tenant_acme_admins"].Members, s.person) && name != "suspended" {
						t.Errorf("the person is an admin")
					}
				})
			}
		}
	}
}

// TestFreshPlanRefused: after the rollback of a rule a fresh plan can be applied, though the wave is paused.
func TestFreshPlanRefused(t *testing.T) {
	t.Parallel()
	for _, unmapped := range []bool{false, true} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprint(unmapped, late), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{Tenants: 3, Users: 24, Seed: 1}, emulator(t))
				w.config(wanted{wide: true}.text())
				applyAllowing(w, "apply", "-auto-approve")
				w.config(wanted{}.text())
				applyAllowing(w, "apply", "-auto-approve")
				w.run(exitDone, "rollback", "-auto-approve")
				if unmapped {
					w.exec("delete from self_auth_tenant_groups where role = 'admin'")
				}
				s := w.someone("user", "acme")
				if late {
					s.set("status", "suspended") // nothing to do with the rule
				}
				for range 2 {
					status, out := applyAllowing(w, "apply", "-auto-approve")
					t.Log(status, out)
					if status == exitStale {
						p, _ := w.try2("plan")
						t.Error(p, status, out)
					}
				}
				if p := w.directory().persons[s.person]; late != p.Expired {
					t.Error("the suspended one is not expired")
				}
			})
		}
	}
}

// TestFreshPlanRefusedWide: the same where the rollback took back a wider rule, and somebody is demoted since.
func TestFreshPlanRefusedWide(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 24, Seed: 1}, emulator(t))
	w.config(wanted{}.text())
	applyAllowing(w, "apply", "-auto-approve")
	w.config(wanted{wide: true}.text())
	applyAllowing(w, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	s := w.someone("admin", "acme")
	s.set("role", "user")
	status, out := applyAllowing(w, "apply", "-auto-approve")
	if status == exitStale {
		t.Error(status, out)
	}
	s.is("demoted", "enabled", "tenant_acme_users")
}

// TestForeignMapping: a group that is mapped to a second tenant keeps no other tenant from being followed.
func TestForeignMapping(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"moved":  "update self_auth_tenant_groups set tenant_id = (select tenant_id from tenants where slug = 'globex') where role = 'admin' and tenant_id = (select tenant_id from tenants where slug = 'acme')",
		"second": "insert into self_auth_tenant_groups select (jsonb_populate_record(g, jsonb_build_object('id', gen_random_uuid(), 'tenant_id', (select tenant_id from tenants where slug = 'globex')))).* from self_auth_tenant_groups g join tenants t using (tenant_id) where g.role = 'admin' and slug = 'acme'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := moved(t)
			s, o := w.someone("admin", "acme"), w.someone("admin", "anthill")
			w.exec(sql)
			s.set("role", "user")
			o.set("status", "suspended")
			out, status := w.try2("apply", "-auto-approve")
			t.Log(status, out)
			o.is("suspended", "expired", "tenant_anthill_admins", "tenant_anthill_users")
			s.is("demoted", "enabled", "tenant_acme_users")
		})
	}
}

// TestTriggerWrites: a trigger that writes another link, or another method, than we do.
func TestTriggerWrites(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"another link": "if old.user_id = '%s' and new.self_auth_user_id is not null then new.self_auth_user_id = gen_random_uuid(); end if; return new;",
		"no link":      "if old.user_id = '%s' then new.self_auth_user_id = null; end if; return new;",
		"suspended":    "if old.user_id = '%s' and new.self_auth_user_id is not null then new.status = 'suspended'; end if; return new;",
		"demoted":      "if old.user_id = '%s' and new.self_auth_user_id is not null then new.role = 'user'; end if; return new;",
		"deleted":      "if old.user_id = '%s' and new.self_auth_user_id is not null then new.deleted_at = now(); end if; return new;",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s := w.someone("admin", "acme")
			w.run(exitDone, "rollback", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			w.exec(strings.ReplaceAll(function("trigger no before update on users for each row", body), "%s", s.user.String()))
			out, status := w.try2("apply", "-auto-approve")
			t.Log(status, out)
			w.exec(mended)
			out, status = w.try2("apply", "-auto-approve")
			t.Log(status, out)
			if bad := w.invariants("then", true); len(bad) > 0 {
				t.Error(bad)
			}
			w.run(exitDone, "rollback", "-auto-approve")
			for range 3 {
				w.try2("rollback", "-auto-approve")
			}
			if n := w.allLinked(); n > 0 {
				t.Errorf("%d are linked still", n)
			}
			if bad := w.invariants("back", false); len(bad) > 0 {
				t.Error(bad)
			}
		})
	}
}

// TestRollbackOfPassedOn: a rollback shuts nobody out whose row is linked to the person of another user who is taken back.
func TestRollbackOfPassedOn(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"gone":      "delete from users where user_id = $1",
		"suspended": "update users set {idp}_user_id = null, status = 'suspended' where user_id = $1",
		"unlinked":  "update users set {idp}_user_id = null where user_id = $1",
	} {
		for _, applied := range []bool{false, true} {
			t.Run(fmt.Sprint(name, applied), func(t *testing.T) {
				t.Parallel()
				w, _ := moved(t)
				w.exec("delete from user_profiles")
				s := w.someone("user", "acme")
				w.exec(sql, s.user)
				w.linkedTo("acme", "user", s.person)
				if applied {
					w.run(exitDone, "apply", "-auto-approve")
					s.is("applied", "enabled", "tenant_acme_users")
				}
				out, status := w.try2("rollback", "-run", w.runs()[0], "-auto-approve")
				t.Log(status, out)
				if p := w.directory().persons[s.person]; p.Expired {
					t.Error("the person of the linked, active row is expired by a rollback that is not of it")
				}
				if applied {
					s.is("back", "enabled", "tenant_acme_users")
				}
				out, status = w.try2("rollback", "-run", w.runs()[0], "-delete-persons", "-auto-approve")
				t.Log(status, out)
				if _, there := w.directory().persons[s.person]; !there {
					t.Error("the person of the linked, active row is deleted")
				}
			})
		}
	}
}

// TestBlockedTenantNewRule: the rule of groups of a blocked tenant is declared otherwise: the plan is not refused as a whole.
func TestBlockedTenantNewRule(t *testing.T) {
	t.Parallel()
	for name, block := range map[string]func(w *world){
		"shared group": func(w *world) {
			w.exec("insert into self_auth_tenant_groups select (jsonb_populate_record(g, jsonb_build_object('id', gen_random_uuid(), 'tenant_id', (select tenant_id from tenants where slug = 'globex')))).* from self_auth_tenant_groups g join tenants t using (tenant_id) where g.role = 'member' and slug = 'acme'")
		},
		"foreign member": func(w *world) {
			must(w.t, w.api.Accounts().AddMembers(w.t.Context(), w.groupOf("tenant_globex_users"), []uuid.UUID{w.someone("user", "acme").person}))
		},
		"suspended tenant": func(w *world) { w.exec("update tenants set status = 'suspended' where slug = 'acme'") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 1}, emulator(t))
			w.config(wanted{}.text())
			applyAllowing(w, "apply", "-auto-approve")
			s, o := w.someone("admin", "acme"), w.someone("user", "anthill")
			block(w)
			s.set("role", "user")
			o.set("status", "suspended")
			w.config(wanted{wide: true}.text())
			status, out := applyAllowing(w, "apply", "-auto-approve")
			p, _ := w.try2("plan")
			t.Log(p)
			if status == exitStale {
				t.Error(status, out)
			}
			o.is("suspended", "expired", "tenant_anthill_users")
			if slices.Contains(w.directory().groups["tenant_acme_admins"].Members, s.person) {
				t.Error("demoted, and an admin still")
			}
		})
	}
}

// TestPassedOnRepaired: after the rollback of the run that moved the first user, the next plans leave the other one its login.
func TestPassedOnRepaired(t *testing.T) {
	t.Parallel()
	w, _ := moved(t)
	w.exec("delete from user_profiles")
	s := w.someone("user", "acme")
	w.exec("delete from users where user_id = $1", s.user)
	w.linkedTo("acme", "user", s.person)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-run", w.runs()[0], "-auto-approve")
	w.run(exitDone, "wave", "resume", "everyone")
	for range 3 {
		out, status := w.try2("apply", "-auto-approve")
		t.Log(status, out)
	}
	s.is("at last", "enabled", "tenant_acme_users")
}

// TestPassedOnNotMade: a person who is not ours passes from a suspended, unlinked row to an active one of another tenant. It
// leaves what we added and that row does not ask for, whether or not its user is moved.
func TestPassedOnNotMade(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		wave string
		want []string
	}{
		{waveEveryone, []string{"tenant_globex_users"}},
		{"wave \"everyone\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [\"acme\"] }\n}\n", nil},
	} {
		t.Run(fmt.Sprint(c.want), func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, false)
			w.config(byRole + forManagers + c.wave)
			w.run(exitDone, "apply", "-auto-approve")
			s.is("moved", "enabled", "tenant_acme_mgr")
			w.exec("update users set {idp}_user_id = null, email = 'other@mail.example', status = 'suspended' where " + where)
			w.linkedTo("globex", "user", s.person)
			for range 2 {
				w.run(exitDone, "apply", "-auto-approve")
			}
			s.is("in the end", "enabled", c.want...)
			w.run(exitDone, "plan", "-detailed-exitcode")
		})
	}
}
