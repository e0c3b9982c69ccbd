package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

const forManagers = `
group "mgr" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_mgr"
  role     = "viewer"
  members { roles = ["manager"] }
}
`

// byRole has only users in the group of users: whoever changes its role changes its group.
var byRole = strings.Replace(everyone, "  members { all = true }\n", "  members { roles = [\"user\"] }\n", 1)

// usersAlone is byRole without the group of admins, whose place one of managers can take.
var usersAlone = byRole[:strings.Index(byRole, "group \"admins\"")] + byRole[strings.Index(byRole, "group \"users\""):]

// forManagersElse is another group of managers.
var forManagersElse = strings.Replace(strings.ReplaceAll(forManagers, "mgr", "managers"), `"viewer"`, `"admin"`, 1)

const followsNobody = "identity { follow = [] }\n"

// oneManager is a world with one manager, in acme, of whom it is said whether we make its person. It is not moved yet.
func oneManager(t *testing.T, made bool) (w *world, s someone, where string) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 11}, emulator(t))
	w.exec("update users set role = 'user' where role = 'manager'")
	s = someone{world: w}
	if made {
		must(t, w.connect().QueryRow(t.Context(), `update users set role = 'manager', email_verified = true where user_id =
			(select min(user_id::text)::uuid from users join tenants using (tenant_id)
			where slug = 'acme' and role = 'user' and users.status = 'active' and users.deleted_at is null) returning user_id`).Scan(&s.user))
		return w, s, "user_id = '" + s.user.String() + "'"
	}
	s.person = uuid.New()
	must(t, w.api.Accounts().Create(t.Context(), newPerson(s.person, "heir", "heir@mail.example")))
	w.config(byRole + "wave \"none\" {\n  auth_policy = auth_policy.dual\n  users { tenants = [] }\n  allow_empty = true\n}\n")
	w.run(exitDone, "apply", "-auto-approve") // its columns are to be there
	s.user = w.linkedTo("acme", "manager", s.person)
	return w, s, "user_id = '" + s.user.String() + "'"
}

// find finds the person by the link.
func (s *someone) find() {
	s.t.Helper()
	must(s.t, s.connect().QueryRow(s.t.Context(), s.spell("select {idp}_user_id from users where user_id = $1"), s.user).Scan(&s.person))
}

const (
	suspends = "update users set status = 'suspended' where "
	wakes    = "update users set status = 'active' where "
	away     = "update tenants set status = 'suspended' where slug = 'acme'"
)

// TestAsleepLastGroup: the last group that a moved user is in, or will be in when it is active again, is not deleted (L35).
func TestAsleepLastGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		follow  string
		notMade bool
		first   string // before the user is moved
		then    string // before a plan that follows; "": there is none
		now     string // before the plan in which the group goes
	}{
		"since a plan before":                     {then: suspends + "W"},
		"in this plan":                            {now: suspends + "W"},
		"deleted softly":                          {then: "update users set deleted_at = now() where W"},
		"follow off":                              {follow: followsNobody, then: suspends + "W"},
		"follow off, in this plan":                {follow: followsNobody, now: suspends + "W"},
		"not made by us":                          {notMade: true, then: suspends + "W"},
		"not made by us, in this plan":            {notMade: true, now: suspends + "W"},
		"not made by us, follow off":              {notMade: true, follow: followsNobody, then: suspends + "W"},
		"tenant suspended":                        {then: away},
		"tenant suspended, in this plan":          {now: away},
		"not made by us, tenant suspended":        {notMade: true, then: away},
		"promoted in its sleep":                   {first: "update users set role = 'user' where W", then: suspends + "W; update users set role = 'manager' where W"},
		"promoted in its sleep, in this plan":     {first: "update users set role = 'user' where W", then: suspends + "W", now: "update users set role = 'manager' where W"},
		"promoted while its tenant was suspended": {first: "update users set role = 'user' where W", then: away + "; update users set role = 'manager' where W"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, where := oneManager(t, !c.notMade)
			change := func(list string) {
				for _, sql := range strings.Split(list, "; ") {
					if sql != "" {
						w.exec(strings.Replace(sql, "W", where, 1))
					}
				}
			}
			change(c.first)
			w.config(usersAlone + forManagers + c.follow + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			if change(c.then); c.then != "" {
				out, status := w.try2("apply", "-auto-approve")
				t.Log(status, out)
			}
			change(c.now)
			w.config(usersAlone + c.follow + waveEveryone)
			out, status := w.try2("plan")
			t.Log(status, out)
			wants(t, out, "Group still needed", "1 moved users have no other group")
			// Where another group takes its place, nothing is lost.
			w.config(usersAlone + forManagersElse + c.follow + waveEveryone)
			if out, status := w.try2("plan"); status != exitDone {
				t.Errorf("exit status %d:\n%s", status, out)
			}
		})
	}
}

// TestAsleepInAPause: what a pause holds up is waited for, too.
func TestAsleepInAPause(t *testing.T) {
	t.Parallel()
	w, s, where := oneManager(t, true)
	w.exec("update users set role = 'user' where " + where)
	w.config(byRole + forManagers + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	s.find()
	mend := s.refuses()
	w.try2("rollback", "-tenant", "acme", "-auto-approve")
	mend()
	s.set("role", "manager")
	w.allowing("plan", "-out", "p")
	w.try2("apply", "p")
	s.is("promoted in a pause", "enabled")
	w.config(byRole + waveEveryone)
	out, status := w.try2("plan")
	t.Log(status, out)
	wants(t, out, "Group still needed")
}

// TestAsleepRule: so is a rule by which a user that left its group in its sleep would have come back.
func TestAsleepRule(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprint(made), func(t *testing.T) {
			t.Parallel()
			w, _, where := oneManager(t, made)
			w.config(byRole + forManagers + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.exec(suspends + where)
			w.run(exitDone, "apply", "-auto-approve")
			w.config(byRole + strings.Replace(forManagers, "manager", "viewer", 1) + waveEveryone)
			out, status := w.try2("plan")
			t.Log(status, out)
			wants(t, out, "LOCKS_OUT_USERS=1")
		})
	}
}

// TestAsleepScope: neither is a scope lost unseen that a user who is not active has, or will have.
func TestAsleepScope(t *testing.T) {
	t.Parallel()
	app := fmt.Sprintf(oneClient, "confidential")
	less := strings.Replace(app, "group.users", "group.admins", 1)
	for _, follow := range []string{"", followsNobody} {
		for _, status := range []string{"active", "suspended, followed", "suspended", "tenant suspended"} {
			t.Run(status+follow, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 11}, emulator(t))
				w.config(everyone + app + follow + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				const lost = "{idp}_user_id is not null and role not in ('admin', 'super_admin')"
				n := w.number("select count(*) from users where " + lost)
				switch status {
				case "suspended", "suspended, followed":
					w.exec(suspends + lost)
				case "tenant suspended":
					w.exec(away) // what is dormant keeps its scopes
					n = w.number("select count(*) from users join tenants using (tenant_id) where slug <> 'acme' and " + lost)
				}
				if status == "suspended, followed" {
					w.run(exitDone, "apply", "-auto-approve")
				}
				w.config(everyone + less + follow + waveEveryone)
				out, st := w.try2("plan")
				t.Log(st, out)
				wants(t, out, fmt.Sprintf("LOCKS_OUT_USERS=%d", n))
			})
		}
	}
}

// TestAsleepLosesNothing: who only falls asleep, or changes where it belongs in its sleep, loses nothing.
func TestAsleepLosesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		follow  string
		notMade bool
		then    string
		now     string
		dropped bool // the group of managers
	}{
		"falls asleep":                               {now: suspends + "W"},
		"falls asleep, not made by us":               {now: suspends + "W", notMade: true},
		"falls asleep, follow off":                   {now: suspends + "W", follow: followsNobody},
		"its tenant does":                            {now: away},
		"its tenant does, not made by us":            {now: away, notMade: true},
		"demoted in its sleep":                       {then: suspends + "W", now: "update users set role = 'user' where W"},
		"demoted in its sleep, not made by us":       {then: suspends + "W", now: "update users set role = 'user' where W", notMade: true},
		"demoted in its sleep, follow off":           {then: suspends + "W", now: "update users set role = 'user' where W", follow: followsNobody},
		"demoted while its tenant was suspended":     {then: away, now: "update users set role = 'user' where W"},
		"demoted in its sleep, and the group goes":   {then: suspends + "W", now: "update users set role = 'user' where W", dropped: true},
		"demoted, not made by us, the group goes":    {then: suspends + "W", now: "update users set role = 'user' where W", dropped: true, notMade: true},
		"demoted, tenant suspended, the group goes":  {then: away, now: "update users set role = 'user' where W", dropped: true},
		"demoted, its tenant away, follow off, goes": {then: away, now: "update users set role = 'user' where W", dropped: true, follow: followsNobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, where := oneManager(t, !c.notMade)
			app := fmt.Sprintf(oneClient, "confidential")
			w.config(byRole + forManagers + app + c.follow + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			if c.then != "" {
				w.exec(strings.Replace(c.then, "W", where, 1))
				w.try2("apply", "-auto-approve")
			}
			w.exec(strings.Replace(c.now, "W", where, 1))
			if c.dropped {
				w.config(byRole + app + c.follow + waveEveryone)
			}
			out, status := w.try2("plan")
			t.Log(status, out)
			if strings.Contains(out, "LOCKS_OUT") || strings.Contains(out, "still needed") {
				t.Error("it loses something")
			}
		})
	}
}

// TestJoinedByHand: a rollback leaves the group that the row of a user who stays moved asks for, whoever let it in.
func TestJoinedByHand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		notMade, byUs, stray, asleep bool
		takenBack                    bool // it has a record in the run that is taken back, and was moved before
		want                         []string
	}{
		"by hand":                       {want: []string{"tenant_acme_mgr"}},
		"by us":                         {byUs: true, want: []string{"tenant_acme_mgr"}},
		"by hand, not made by us":       {notMade: true, want: []string{"tenant_acme_mgr"}},
		"by hand, asleep":               {asleep: true, want: []string{"tenant_acme_mgr"}},
		"by hand, with the run":         {takenBack: true, want: []string{"tenant_acme_mgr"}},
		"a stray":                       {stray: true, want: []string{"tenant_acme_users"}},
		"a stray, not made by us":       {stray: true, notMade: true, want: []string{"tenant_acme_users"}},
		"a stray, with the run":         {stray: true, takenBack: true, want: []string{"tenant_acme_users"}},
		"a stray, asleep":               {stray: true, asleep: true, want: []string{"tenant_acme_users"}},
		"a stray, with the run, not us": {stray: true, takenBack: true, notMade: true, want: []string{"tenant_acme_users"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, !c.notMade)
			w.exec("update users set role = 'user' where " + where)
			w.config(byRole + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s.find()
			if c.takenBack {
				s.set("role", "viewer")
			}
			w.config(byRole + forManagers + waveEveryone)
			w.try2("apply", "-auto-approve")
			if c.takenBack { // who leaves its last group
				w.allowing("plan", "-out", "p")
				w.run(exitDone, "apply", "p")
			}
			second := w.latest()
			switch {
			case c.takenBack && c.stray:
				s.set("role", "user")
			case !c.stray:
				s.set("role", "manager")
			}
			if !c.byUs {
				must(t, w.api.Accounts().AddMembers(t.Context(), w.groupOf("tenant_acme_mgr"), []uuid.UUID{s.person}))
			}
			want := "enabled"
			if c.asleep {
				s.set("status", "suspended")
				want = "expired"
			}
			if !c.stray && !c.takenBack {
				w.try2("apply", "-auto-approve")
				s.is("promoted", want, "tenant_acme_mgr")
			}
			if c.asleep && c.stray {
				want = "enabled" // no plan has seen it
			}
			out, status := w.try2("rollback", "-run", second, "-auto-approve")
			t.Log(status, out)
			s.is("taken back", want, c.want...)
		})
	}
}

// TestAsleepUnlinked: nor may the person of a row that is not active stay in our groups because somebody has unlinked it;
// one that is not ours stays as it is otherwise.
func TestAsleepUnlinked(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprint(made, first), func(t *testing.T) {
				t.Parallel()
				w, s, where := oneManager(t, made)
				w.config(byRole + forManagers + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				s.find()
				w.exec("update users set {idp}_user_id = null where " + where)
				if first {
					w.run(exitDone, "apply", "-auto-approve")
					s.is("unlinked, and active", "enabled", "tenant_acme_mgr")
				}
				w.exec(suspends + where)
				for range 2 {
					out, status := w.try2("apply", "-auto-approve")
					t.Log(status, out)
				}
				s.is("unlinked", map[bool]string{true: "expired", false: "enabled"}[made])
				w.run(exitDone, "plan", "-detailed-exitcode")
				// Linked and active again, it comes back.
				w.exec("update users set status = 'active', {idp}_user_id = $1 where "+where, s.person)
				w.run(exitDone, "apply", "-auto-approve")
				s.is("linked again", "enabled", "tenant_acme_mgr")
			})
		}
	}
}

// TestLossesBesideADeletion: by a rule that is changed a moved user loses its last group. That is a hazard, also where the
// same plan deletes another group, which nobody needs.
func TestLossesBesideADeletion(t *testing.T) {
	t.Parallel()
	group := func(name, tenant string) string {
		return fmt.Sprintf("group %q {\n  tenant = %q\n  name = \"tenant_%s_%s\"\n  role = \"viewer\"\n"+
			"  members { roles = [\"manager\"] }\n}\n", name, tenant, tenant, name)
	}
	forManagers, extra := group("mgr", "acme"), group("extra", "globex")
	viewers := strings.Replace(forManagers, "manager", "viewer", 1)
	for _, asleep := range []bool{false, true} {
		t.Run(fmt.Sprint("asleep ", asleep), func(t *testing.T) {
			t.Parallel()
			w, _, where := oneManager(t, true)
			w.config(byRole + forManagers + extra + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			if asleep {
				w.exec(suspends + where)
				w.run(exitDone, "apply", "-auto-approve")
			}
			for name, also := range map[string]string{"alone": extra, "beside a deletion": ""} {
				w.config(byRole + viewers + also + waveEveryone)
				out, status := w.try2("plan")
				if wants(t, out, "LOCKS_OUT_USERS=1"); status != exitBlocked {
					t.Errorf("%s: exit status %d", name, status)
				}
			}
		})
	}
}

// TestLossesOfAnAdoptedGroup: a group that was there before is not deleted but let go, with its mapping row. Whose last one
// it is, active or not, is counted, and the plan can be allowed.
func TestLossesOfAnAdoptedGroup(t *testing.T) {
	t.Parallel()
	adopts := strings.Replace(forManagers, "  role ", "  adopt = true\n  role ", 1)
	for _, asleep := range []bool{false, true} {
		t.Run(fmt.Sprint("asleep ", asleep), func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, true)
			g := providers.NewGroup{ID: uuid.New(), Name: "tenant_acme_mgr"}
			must(t, w.api.Accounts().CreateGroups(t.Context(), []providers.NewGroup{g}))
			w.config(byRole + adopts + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s.find()
			s.is("moved", "enabled", "tenant_acme_mgr")
			if asleep {
				w.exec(suspends + where)
				w.run(exitDone, "apply", "-auto-approve")
			}
			w.config(byRole + waveEveryone)
			out, _ := w.run(exitBlocked, "plan")
			wants(t, out, "LOCKS_OUT_USERS=1")
			w.run(exitDone, "plan", "-allow", "LOCKS_OUT_USERS=1", "-out", "p")
			w.run(exitDone, "apply", "p")
			if there := w.directory().groups["tenant_acme_mgr"]; there.ID != g.ID {
				t.Error("the group that was there before is gone")
			}
		})
	}
}

// TestAsleepTenantAway: a group goes whose users another group of the configuration takes in; that of a tenant that is away
// does so as soon as the tenant is there again. Where none does, the group is needed, unless the tenant is deleted.
func TestAsleepTenantAway(t *testing.T) {
	t.Parallel()
	const deleted = "update users set deleted_at = now() where tenant_id = (select tenant_id from tenants where slug = 'acme')"
	wider := strings.Replace(usersAlone, `["user"]`, `["user", "manager"]`, 1)
	forAll := func(c string) string {
		return strings.Replace(c, `status = ["active"]`, `status = ["active", "suspended", "cancelled"]`, 1)
	}
	for name, sql := range map[string]string{
		"deleted":   "update tenants set deleted_at = now() where slug = 'acme'",
		"cancelled": "update tenants set status = 'cancelled' where slug = 'acme'",
		"suspended": away,
		"active":    "",
		"cancelled, and its users deleted softly": "update tenants set status = 'cancelled' where slug = 'acme'; " + deleted,
		"active, and its users deleted softly":    deleted,
	} {
		for _, first := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", widened before ", first), func(t *testing.T) {
				t.Parallel()
				w, _, _ := oneManager(t, true)
				w.config(usersAlone + forManagers + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				for _, one := range strings.Split(sql, "; ") {
					if one != "" {
						w.exec(one)
					}
				}
				if first {
					w.config(wider + forManagers + waveEveryone)
					w.run(exitDone, "apply", "-auto-approve")
				}
				w.config(usersAlone + waveEveryone)
				if out, _ := w.try2("plan"); name != "deleted" {
					wants(t, out, "Group still needed", "1 moved users have no other group")
				}
				for which, config := range map[string]string{
					"widened":                  wider,
					"widened and given by all": forAll(wider),
					"a new group":              usersAlone + forManagersElse,
					"a new group, given by all": forAll(usersAlone) +
						forManagersElse,
				} {
					w.config(config + waveEveryone)
					if out, status := w.try2("plan"); status != exitDone {
						t.Errorf("%s: exit status %d\n%s", which, status, out)
					}
				}
			})
		}
	}
}

// TestAsleepTenantAwayScope: so it is with the scopes of a client: those count that its map gives by then.
func TestAsleepTenantAwayScope(t *testing.T) {
	t.Parallel()
	app := strings.Replace(fmt.Sprintf(oneClient, "confidential"), "group.admins", "group.users", 1)
	with := func(groups string) string {
		return strings.Replace(app, "groups = group.users\n    scopes", "groups = "+groups+"\n    scopes", 1)
	}
	for name, status := range map[string]string{"suspended": "suspended", "active": "active"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, _ := oneManager(t, true)
			w.config(usersAlone + forManagers + with("[group.users, group.mgr]") + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			w.exec("update tenants set status = '" + status + "' where slug = 'acme'")
			w.config(usersAlone + forManagersElse + with("[group.users, group.managers]") + waveEveryone)
			if out, got := w.try2("plan"); strings.Contains(out, "still needed") || strings.Contains(out, "LOCKS_OUT") {
				t.Errorf("with the scope: exit status %d\n%s", got, out)
			}
			w.config(usersAlone + forManagersElse + with("group.users") + waveEveryone)
			out, _ := w.try2("plan")
			wants(t, out, "Group still needed", "1 moved users would be refused by oauth2_client.app")
		})
	}
}

// sleeperOfMgr is a world in which a user becomes a manager after the run that made the group of managers, and that moved
// another wave. That run is to be taken back, which leaves the group paused.
func sleeperOfMgr(t *testing.T, made bool) (w *world, s someone, second string) {
	t.Helper()
	w, s, where := oneManager(t, made)
	w.exec("update users set role = 'user' where " + where)
	const first = "wave \"none\" {\n  auth_policy = auth_policy.dual\n  users { roles = [\"user\"] }\n  allow_empty = true\n}\n"
	w.config(byRole + first)
	w.run(exitDone, "apply", "-auto-approve")
	s.find()
	w.config(byRole + forManagers + first + "wave \"second\" {\n  auth_policy = auth_policy.dual\n" +
		"  start { after = [wave.none] }\n  users { roles = [\"viewer\", \"admin\"] }\n}\n")
	w.run(exitDone, "apply", "-auto-approve")
	return w, s, w.latest()
}

// TestAsleepThroughTheWayBack: a rollback does not delete the group to which a user who stays moved comes back, also where
// it is in no group meanwhile.
func TestAsleepThroughTheWayBack(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprint("made ", made), func(t *testing.T) {
			t.Parallel()
			w, s, second := sleeperOfMgr(t, made)
			s.set("role", "manager")
			w.run(exitDone, "apply", "-auto-approve")
			s.is("promoted", "enabled", "tenant_acme_mgr")
			s.set("status", "suspended")
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "rollback", "-run", second, "-auto-approve")
			s.set("status", "active")
			w.run(exitDone, "apply", "-auto-approve")
			s.is("active again", "enabled", "tenant_acme_mgr")
		})
	}
	t.Run("its tenant was away", func(t *testing.T) {
		t.Parallel()
		w, s, second := sleeperOfMgr(t, true)
		w.exec(away)
		s.set("role", "manager")
		w.run(exitDone, "apply", "-auto-approve")
		s.is("promoted, its tenant suspended", "enabled")
		w.run(exitDone, "rollback", "-run", second, "-auto-approve")
		w.exec("update tenants set status = 'active' where slug = 'acme'")
		w.run(exitDone, "apply", "-auto-approve")
		s.is("active again", "enabled", "tenant_acme_mgr")
	})
	t.Run("another group takes it in", func(t *testing.T) {
		t.Parallel()
		w, s, second := sleeperOfMgr(t, false)
		s.set("status", "suspended")
		w.run(exitDone, "apply", "-auto-approve")
		w.run(exitDone, "rollback", "-run", second, "-auto-approve")
		if _, there := w.directory().groups["tenant_acme_mgr"]; there {
			t.Error("the group of managers is still there")
		}
	})
}

// TestUnlinkedSaid: of whose person expires, or leaves its groups, it is not said that it is left as it is.
func TestUnlinkedSaid(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprint("made ", made), func(t *testing.T) {
			t.Parallel()
			w, s, where := oneManager(t, made)
			w.config(byRole + forManagers + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			s.find()
			w.exec("update users set {idp}_user_id = null where " + where)
			out, _ := w.run(exitDone, "plan")
			wants(t, out, "1 moved user carries a link other than the one recorded, or none: left as it is")
			w.exec(suspends + where)
			for range 2 {
				out, _ := w.run(exitDone, "plan")
				if strings.Contains(out, "left as it is") {
					t.Errorf("the plan says that it is left as it is:\n%s", out)
				}
				w.run(exitDone, "apply", "-auto-approve")
			}
		})
	}
}

// TestLossesOfADeletedTenant: what happens to the groups of a deleted tenant is nobody's loss.
func TestLossesOfADeletedTenant(t *testing.T) {
	t.Parallel()
	w, _, where := oneManager(t, true)
	w.exec("update users set role = 'user' where " + where)
	w.config(byRole + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update tenants set deleted_at = now() where slug = 'acme'")
	w.exec("update users set role = 'manager' where " + where) // no group takes it in
	if out, st := w.try2("plan"); st != exitDone {
		t.Errorf("a role: exit status %d:\n%s", st, out)
	}
}

// TestWakesToNothing: a rule that is changed by the plan in which a user wakes takes its last group from it.
func TestWakesToNothing(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		for _, tenant := range []bool{true, false} {
			t.Run(fmt.Sprint("made by us ", made, ", tenant away ", tenant), func(t *testing.T) {
				t.Parallel()
				w, _, where := oneManager(t, made)
				w.config(byRole + forManagers + waveEveryone)
				w.run(exitDone, "apply", "-auto-approve")
				w.exec(suspends + where)
				w.run(exitDone, "apply", "-auto-approve")
				if tenant {
					w.exec(away)
					w.run(exitDone, "apply", "-auto-approve")
				}
				w.exec(wakes + where)
				w.exec("update tenants set status = 'active' where slug = 'acme'")
				w.config(byRole + strings.Replace(forManagers, `roles = ["manager"]`, `roles = ["viewer"]`, 1) + waveEveryone)
				out, st := w.try2("plan")
				if wants(t, out, "LOCKS_OUT_USERS=1"); st != exitBlocked {
					t.Errorf("exit status %d", st)
				}
				// With the rule as it was nobody loses anything.
				w.config(byRole + forManagers + waveEveryone)
				w.run(exitDone, "plan")
			})
		}
	}
}
