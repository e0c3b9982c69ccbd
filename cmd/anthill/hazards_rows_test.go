package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

const allMoving = everyone + waveEveryone

// guardedBy is a configuration with a guard block of these lines; without any it has none.
func guardedBy(text string, lines ...string) string {
	head, guard, _ := strings.Cut(text, "guard {")
	_, rest, _ := strings.Cut(guard, "}\n")
	if len(lines) == 0 {
		return head + rest
	}
	return head + "guard {\n" + strings.Join(lines, "\n") + "\n}\n" + rest
}

// applying is a world in which configurations were applied in turn, after rows were changed.
func applying(sql []string, texts ...string) func(*world) {
	return func(w *world) {
		w.t.Helper()
		for _, s := range sql {
			w.exec(s)
		}
		for _, text := range texts {
			w.config(text)
			w.run(exitDone, "apply", "-auto-approve")
		}
	}
}

// declaring declares a configuration that is not applied.
func declaring(text string) func(*world) { return func(w *world) { w.t.Helper(); w.config(text) } }

// active are rows of the application, as they are selected.
const active = `status = 'active' and deleted_at is null and tenant_id in (select tenant_id from tenants where status = 'active' and
	deleted_at is null)`

// noManagers leaves no tenant a user with the role that the cases give to one user after the other.
const noManagers = "update users set role = 'user' where role = 'manager'"

// become gives active users of a tenant another role, linked or not, in the order of their ids.
func (w *world) become(slug, from, to string, n int) {
	w.t.Helper()
	if got := w.exec(`update users set role = $3 where user_id in (select user_id from users where role = $2 and email_verified and `+active+`
		and tenant_id = (select tenant_id from tenants where slug = $1) order by user_id limit $4)`, slug, from, to, n); got != int64(n) {
		w.t.Fatalf("%d users of %s become %s, want %d", got, slug, to, n)
	}
}

// promote makes linked users administrators, in all tenants.
func promote(n int) func(*world) {
	return func(w *world) {
		w.t.Helper()
		w.exec(`update users set role = 'admin' where user_id in (select user_id from users where role = 'user' and {idp}_user_id is not null
			order by user_id limit $1)`, n)
	}
}

func suspend(n int) func(*world) {
	return func(w *world) {
		w.t.Helper()
		w.exec(`update users set status = 'suspended' where user_id in (select user_id from users where role = 'user' and status = 'active'
			and {idp}_user_id is not null order by user_id limit $1)`, n)
	}
}

// newcomer adds a row of a user whom nobody has moved.
func (w *world) newcomer(slug, mail, status string) {
	w.t.Helper()
	w.exec(`insert into users (tenant_id, email, full_name, password_hash, role, status, email_verified, email_verified_at)
		select tenant_id, $2, 'New Comer', 'x', 'user', $3, true, now() from tenants where slug = $1`, slug, mail, status)
}

// intrude puts a person of nobody's into a group.
func (w *world) intrude(group string, names ...string) {
	w.t.Helper()
	for _, name := range names {
		id := uuid.New()
		must(w.t, w.api.Accounts().Create(w.t.Context(), newPerson(id, name, name+"@elsewhere.example")))
		must(w.t, w.api.Accounts().AddMembers(w.t.Context(), w.groupOf(group), []uuid.UUID{id}))
	}
}

// members are how many are in the groups with an end of a name, as Self-auth lists them.
func (w *world) members(end string) (n int) {
	w.t.Helper()
	for name, g := range w.directory().groups {
		if strings.HasSuffix(name, end) {
			n += len(g.Members)
		}
	}
	return n
}

// orphans are the members of a group who are the person of no row.
func (w *world) orphans(group string) int {
	w.t.Helper()
	in := w.directory().groups[group].Members
	return len(in) - w.number("select count(*) from users where {idp}_user_id = any($1)", in)
}

// declared is the text of the configuration.
func (w *world) declared() string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, "main.anthill.hcl"))
	must(w.t, err)
	return string(text)
}

// counting counts rows.
func counting(sql string) func(*world) int {
	return func(w *world) int { w.t.Helper(); return w.number(sql) }
}

const (
	linkedAll      = "select count(*) from users where {idp}_user_id is not null"
	linkedManagers = linkedAll + " and role = 'manager'"
	activeManagers = "select count(*) from users where role = 'manager' and " + active
	hash           = `coalesce(password_hash, '') ~ '^\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}$'`
)

// managersOf is a group of acme, in which nobody is at first.
func managersOf(name, role string) string {
	return fmt.Sprintf("group \"managers\" {\n  tenant = \"acme\"\n  name   = %q\n  role   = %q\n  members { roles = [\"manager\"] }\n}\n", name, role)
}

const acmeManagers = "tenant_acme_managers"

// ofManagers trips a hazard by changing a configuration once a first manager of acme, and then a second one, have been
// moved by the one before; with nobody of that role the same change is none.
func ofManagers(code plan.HazardCode, of state.Code, before, after string) brake {
	one := func(w *world) {
		w.t.Helper()
		w.config(before)
		w.become("acme", "user", "manager", 1)
		w.run(exitDone, "apply", "-auto-approve")
		w.config(after)
	}
	return brake{code: code, of: of, start: applying([]string{noManagers}, before), below: declaring(after),
		trips: []func(*world){one, one}, count: counting(linkedManagers)}
}

// clientOf is a client with lines of its own.
func clientOf(name string, lines ...string) string {
	return fmt.Sprintf("oauth2_client %q {\n  display_name = %q\n  landing_url = \"https://%s.example.com\"\n  %s\n}\n", name, name, name,
		strings.Join(lines, "\n  "))
}

func urls(list ...string) string { return "redirect_urls = [\"" + strings.Join(list, `", "`) + "\"]" }

func scopes(group string, list ...string) string {
	return "scope_map {\n    groups = group." + group + "\n    scopes = [\"" + strings.Join(list, `", "`) + "\"]\n  }"
}

// brakes are the cases of TestHazards.
func brakes() map[string]brake {
	all := map[string]brake{}
	for _, some := range []map[string]brake{guardCases(), goneCases(), adminCases(), lockCases(), suspendCases(), clientCases(), loginCases(), dataCases(), mailCases(), targetCases()} {
		for name, b := range some {
			all[name] = b
		}
	}
	return all
}

// sixty is a start with exactly sixty live rows, so that percentages are whole.
func sixty(text string) func(*world) {
	return func(w *world) {
		w.t.Helper()
		w.newcomer("acme", "asleep@acme.example", "inactive")
		applying(nil, allMoving)(w)
		w.config(text)
		if n := w.number("select count(*) from users join tenants t using (tenant_id) where users.deleted_at is null and t.deleted_at is null"); n != 60 {
			w.t.Fatalf("%d live rows, want 60", n)
		}
	}
}

func guardCases() map[string]brake {
	promoted := func(w *world) int {
		w.t.Helper()
		return w.number(linkedAll+" and role in ('admin', 'super_admin')") - w.members("_admins")
	}
	suspended := counting(linkedAll + " and status = 'suspended'")
	full := strings.Replace(allMoving, "members { all = true }", "members {\n    all    = true\n    manage = \"full\"\n  }", 1)
	strangers := func(w *world) int { w.t.Helper(); return w.orphans("tenant_acme_users") }
	three := func(w *world) { w.t.Helper(); w.intrude("tenant_acme_users", "one", "two", "three") }
	fourth := func(w *world) { w.t.Helper(); w.intrude("tenant_acme_users", "four") }
	return map[string]brake{
		"three in ten change": {code: plan.OverLimit, of: state.CodeOverLimit,
			start: sixty(guardedBy(allMoving)), below: promote(18), trips: []func(*world){promote(1)}, count: promoted},
		"more change than the guard says": {code: plan.OverLimit, of: state.CodeOverLimit, guard: "max_users_changed_percent",
			start: sixty(guardedBy(allMoving, "max_users_changed_percent = 5")), below: promote(3), trips: []func(*world){promote(1)}, count: promoted},
		"as many as the guard is for": {code: plan.OverLimit, of: state.CodeOverLimit, guard: "min_population",
			start: sixty(guardedBy(allMoving, "max_users_changed_percent = 5", "min_population = 61")), below: promote(4),
			trips: []func(*world){declaring(guardedBy(allMoving, "max_users_changed_percent = 5", "min_population = 60"))}, count: promoted},
		"strangers change": {code: plan.OverLimit, of: state.CodeOverLimit,
			start: sixty(guardedBy(full, "max_users_changed_percent = 5", "max_removed_percent = 100")), below: three,
			trips: []func(*world){fourth}, count: strangers},
		"one in twenty loses something": {code: plan.OverLimitRemoved, of: state.CodeOverRemoved,
			start: sixty(guardedBy(allMoving)), below: suspend(3), trips: []func(*world){suspend(1)}, count: suspended},
		"more lose something than the guard says": {code: plan.OverLimitRemoved, of: state.CodeOverRemoved, guard: "max_removed_percent",
			start: sixty(guardedBy(allMoving, "max_removed_percent = 10")), below: suspend(6), trips: []func(*world){suspend(1)}, count: suspended},
		"strangers leave": {code: plan.OverLimitRemoved, of: state.CodeOverRemoved,
			start: sixty(guardedBy(full)), below: three, trips: []func(*world){fourth}, count: strangers},
	}
}

func goneCases() map[string]brake {
	lose := func(n int) func(*world) {
		return func(w *world) {
			w.t.Helper()
			w.exec(`delete from users where user_id in (select user_id from users join tenants t using (tenant_id) where t.slug = $1 and role = 'user'
				and {idp}_user_id is not null order by user_id limit $2)`, w.largest(), n)
		}
	}
	gone := func(w *world) int { w.t.Helper(); return w.orphans("tenant_" + w.largest() + "_users") }
	return map[string]brake{
		"more than five rows are gone": {code: plan.RowsGone, of: state.CodeRowsGone, start: applying(nil, allMoving),
			below: lose(5), trips: []func(*world){lose(1)}, count: gone},
		"more than one in a hundred is gone": {code: plan.RowsGone, of: state.CodeRowsGone,
			options: sandbox.Options{Tenants: 1, Users: 640, Seed: 4},
			start: func(w *world) {
				w.t.Helper()
				// Who would not be moved goes, and then whoever is more than six hundred.
				w.exec("delete from users where not (" + active + ") or email !~ '^[a-z0-9.]+@[a-z0-9.]+$' or email = 'system@anthill.local'")
				w.exec("delete from users where user_id in (select user_id from users order by user_id offset 600)")
				applying(nil, allMoving)(w)
				if n := w.number(linkedAll); n != 600 {
					w.t.Fatalf("%d users are moved, want 600", n)
				}
			},
			below: lose(6), trips: []func(*world){lose(1)}, count: gone},
	}
}

// largest is the slug of the tenant with most rows.
func (w *world) largest() (slug string) {
	w.t.Helper()
	must(w.t, w.connect().QueryRow(w.t.Context(), `select slug from users join tenants using (tenant_id) group by 1
		order by slug <> 'acme', count(*) desc limit 1`).Scan(&slug))
	return slug
}

func adminCases() map[string]brake {
	const admins = "tenant_acme_admins"
	three := []string{`update users set role = 'admin' where user_id in (select user_id from users join tenants t using (tenant_id)
		where t.slug = 'acme' and role = 'user' and email_verified and users.status = 'active' and users.deleted_at is null order by user_id limit 2)`}
	const limits = "max_users_changed_percent = 100\nmax_removed_percent = 100\n"
	demote := func(n int) func(*world) {
		return func(w *world) { w.t.Helper(); w.become("acme", "admin", "viewer", n) }
	}
	demoted := func(w *world) int {
		w.t.Helper()
		return w.members(admins) - w.number(`select count(*) from users join tenants t using (tenant_id) where t.slug = 'acme'
			and {idp}_user_id is not null and role in ('admin', 'super_admin')`)
	}
	// A tenant has one group of a role.
	others := strings.Replace(allMoving, "for_each = data.tenants.active", `for_each = toset(["globex", "anthill"])`, 1)
	managers := managersOf(acmeManagers, "admin")
	var first uuid.UUID
	stranger := func(name string) func(*world) {
		return func(w *world) { w.t.Helper(); w.intrude("old_bosses", name) }
	}
	list := map[string]brake{
		"none that can log in is left": {code: plan.LastAdmin, of: state.CodeLastAdmin,
			start: func(w *world) { applying(three, allMoving)(w); w.config(guardedBy(allMoving, limits)) },
			below: demote(2), trips: []func(*world){demote(1)}, count: demoted},
		"fewer are left than the guard says": {code: plan.LastAdmin, of: state.CodeLastAdmin, guard: "keep_admins",
			start: func(w *world) {
				applying(three, allMoving)(w)
				w.config(guardedBy(allMoving, limits, "keep_admins = 2"))
			},
			below: demote(1), trips: []func(*world){demote(1)}, count: demoted},
		"a rollback leaves none": {code: plan.LastAdmin, of: state.CodeLastAdmin, command: []string{"rollback"},
			// Two are made administrators by the second run; the one of before is suspended since.
			start: func(w *world) {
				w.t.Helper()
				applying(nil, allMoving)(w)
				first = w.someone("admin", "acme").user
				w.config(guardedBy(allMoving, limits))
				w.become("acme", "user", "admin", 2)
				w.run(exitDone, "apply", "-auto-approve")
			},
			trips: []func(*world){func(w *world) {
				w.t.Helper()
				w.exec("update users set status = 'suspended' where user_id = $1", first)
			}},
			count: func(w *world) int {
				w.t.Helper()
				return w.members(admins) - w.number(`select count(*) from users where status = 'suspended' and role = 'admin' and {idp}_user_id is not null`)
			}},
		"a group becomes one of admins": ofManagers(plan.MembersAsAdmins, state.CodeMappedAdmin,
			others+managersOf(acmeManagers, "viewer"), others+managers),
		"a group of admins becomes less": ofManagers(plan.AdminsAsMembers, state.CodeMappedLess,
			others+managers, others+managersOf(acmeManagers, "viewer")),
		"strangers become admins": {code: plan.MembersAsAdmins, of: state.CodeMappedAdmin,
			start: func(w *world) {
				w.t.Helper()
				must(w.t, w.api.Accounts().CreateGroups(w.t.Context(), []providers.NewGroup{{ID: uuid.New(), Name: "old_bosses"}}))
				applying(nil, others)(w)
				w.config(others +
					"group \"bosses\" {\n  tenant = \"acme\"\n  name   = \"old_bosses\"\n  role   = \"admin\"\n  adopt  = true\n  members { roles = [\"admin\"] }\n}\n")
			},
			trips: []func(*world){stranger("one"), stranger("two")},
			count: func(w *world) int { w.t.Helper(); return w.orphans("old_bosses") }},
		"a mapping row is set back to admin": {code: plan.MembersAsAdmins, of: state.CodeMappedAdmin,
			start: applying([]string{noManagers}, others+managers),
			below: func(w *world) {
				w.exec("update {idp}_tenant_groups set role = 'viewer' where {idp}_group_name = $1", acmeManagers)
			},
			trips: []func(*world){func(w *world) {
				w.t.Helper()
				w.exec("update {idp}_tenant_groups set role = 'admin' where {idp}_group_name = $1", acmeManagers)
				w.become("acme", "user", "manager", 2)
				w.run(exitDone, "apply", "-auto-approve")
				w.exec("update {idp}_tenant_groups set role = 'viewer' where {idp}_group_name = $1", acmeManagers)
			}},
			count: func(w *world) int { w.t.Helper(); return w.members(acmeManagers) }},
	}
	one := func(w *world) { w.t.Helper(); w.become("acme", "user", "admin", 1) }
	list["admins come in by an older group"] = brake{code: plan.AdminsAsMembers, of: state.CodeLesser,
		start: func(w *world) {
			w.t.Helper()
			must(w.t, w.api.Accounts().CreateGroups(w.t.Context(), []providers.NewGroup{{ID: uuid.New(), Name: "tenant_acme_users"}}))
			w.become("acme", "admin", "user", 1)
			w.config(strings.Replace(allMoving, `  role        = "member"`, "  role        = \"member\"\n  adopt       = true", 1))
		},
		trips: []func(*world){one, one},
		count: counting("select count(*) from users where role in ('admin', 'super_admin') and tenant_id = (select tenant_id from tenants where slug = 'acme') and " + active)}
	return list
}

func lockCases() map[string]brake {
	narrow := strings.Replace(allMoving, "members { all = true }", `members { roles = ["admin", "super_admin", "user", "viewer"] }`, 1)
	with := func(n int) string {
		return allMoving + managersOf(acmeManagers, "viewer") + clientOf("app", urls("https://app.example.com/cb"), scopes("users", "openid"),
			scopes("managers", []string{"openid", "email"}[:n]...))
	}
	unusable := ofManagers(plan.LocksOut, state.CodeNoFallback, allMoving, narrow)
	// Another manager, who has enrolled in Self-auth, with the password that there was or with none that can be used.
	manager := func(unusable bool) func(*world) {
		return func(w *world) {
			w.t.Helper()
			w.config(allMoving)
			w.become("acme", "user", "manager", 1)
			if unusable {
				w.exec("update users set password_hash = '!' where user_id = (select user_id from users where role = 'manager' and " + hash + " limit 1)")
			}
			w.run(exitDone, "apply", "-auto-approve")
			if unusable {
				w.enrolNext()
			}
			w.config(narrow)
		}
	}
	// The hazard is there before.
	unusable.below = func(w *world) { w.t.Helper(); manager(false)(w) }
	unusable.trips = []func(*world){manager(true), manager(true)}
	unusable.partly = (*world).enrolled
	unusable.within = true

	foreign := ofManagers(plan.LocksOut, state.CodeForeignScope, allMoving+managersOf(acmeManagers, "viewer"), allMoving)
	// Its members count as those of the group, and once more for the scope that they lose.
	foreign.partly = func(w *world) int { w.t.Helper(); return w.members(acmeManagers) }
	foreign.count = func(w *world) int { w.t.Helper(); return w.members(acmeManagers) + w.number(linkedManagers) }
	started := foreign.start
	foreign.start = func(w *world) {
		w.t.Helper()
		started(w)
		w.foreignClient(acmeManagers)
	}
	return map[string]brake{
		"a client gives a scope no more":                    ofManagers(plan.LocksOut, state.CodeScopeLost, with(2), with(1)),
		"users leave their last group":                      ofManagers(plan.LocksOut, state.CodeHomeLost, allMoving, narrow),
		"and have nothing else":                             unusable,
		"a group goes through which another client lets in": foreign,
		"the client goes by which users come in":            onlyClient(),
		"a rollback takes the only group":                   onlyGroup(),
		"a rollback takes the way in of who stays":          letsLess(),
	}
}

// foreignClient makes a client that is not Anthill's, which lets in the members of a group.
func (w *world) foreignClient(group string) {
	w.t.Helper()
	a := w.api.Accounts()
	wish := state.Attributes{
		state.AttrName: state.TextValue("theirs"), state.AttrType: state.TextValue("confidential"), state.AttrDisplayName: state.TextValue("Theirs"),
		state.AttrLandingURL: state.TextValue("https://theirs.example.com/"),
		state.AttrScopeMaps:  state.GrantsValue([]state.Grant{{Group: w.groupOf(group), Values: []string{"openid"}}}),
	}
	_, err := a.CreateObject(w.t.Context(), state.KindClient, uuid.Nil, wish)
	must(w.t, err)
	now, id, err := a.ReadObject(w.t.Context(), state.KindClient, uuid.Nil, "theirs")
	must(w.t, err)
	must(w.t, a.ChangeObject(w.t.Context(), state.KindClient, id, now, wish))
}

// browse is a browser for a server on which a password alone is enough.
func (w *world) browse() *browser {
	w.t.Helper()
	b := newBrowser(w.t, server{w.env["SELF_AUTH_URL"], w.env["SELF_AUTH_CA_FILE"], w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_READ_TOKEN"]})
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	return b
}

// enrolled counts the persons of users with no usable password who have a credential in Self-auth.
func (w *world) enrolled() int {
	w.t.Helper()
	list, err := w.api.Directory().Enrolled(w.t.Context())
	must(w.t, err)
	return w.number("select count(*) from users where {idp}_user_id = any($1) and not ("+hash+")", list)
}

// enrolNext lets the first user of acme enrol who has no usable password and has not yet.
func (w *world) enrolNext() {
	w.t.Helper()
	list, err := w.api.Directory().Enrolled(w.t.Context())
	must(w.t, err)
	var person uuid.UUID
	must(w.t, w.connect().QueryRow(w.t.Context(), w.spell(`select {idp}_user_id from users where {idp}_user_id <> all($1) and not (`+hash+`)
		order by user_id limit 1`), append([]uuid.UUID{}, list...)).Scan(&person))
	w.browse().enrol(person)
}

// unusableHashes takes the passwords of two users of acme away.
func unusableHashes(hash string) string {
	return `update users set password_hash = ` + hash + ` where user_id in (select user_id from users join tenants t using (tenant_id) where t.slug = 'acme'
		and role = 'user' and users.status = 'active' and users.deleted_at is null order by user_id limit 2)`
}

// onlyClient: who has no password and has enrolled comes in by a client, which goes; another one lets in others.
func onlyClient() brake {
	back := clientOf("back", urls("https://back.example.com/cb"), scopes("admins", "openid"))
	return brake{code: plan.LocksOut, of: state.CodeLockedOut, also: map[plan.HazardCode]int{plan.EndsSessions: 1},
		start: func(w *world) {
			w.t.Helper()
			applying([]string{unusableHashes("'!'")}, allMoving+back+clientOf("app", urls("https://app.example.com/cb"), scopes("users", "openid")))(w)
			w.config(allMoving + back)
		},
		trips: []func(*world){(*world).enrolNext, (*world).enrolNext}, count: (*world).enrolled}
}

// onlyGroup: who was linked before us, and has no password, comes in by a group that a rollback would take away.
func onlyGroup() brake {
	var before []uuid.UUID
	enable := func(n int) func(*world) {
		return func(w *world) {
			w.t.Helper()
			must(w.t, w.api.Accounts().Enable(w.t.Context(), before[n:n+1]))
		}
	}
	return brake{code: plan.LocksOut, of: state.CodeLockedOut, command: []string{"rollback"}, options: sandbox.Options{Level: "dual"},
		start: func(w *world) {
			w.t.Helper()
			for n := range 2 {
				p := uuid.New()
				before = append(before, p)
				must(w.t, w.api.Accounts().Create(w.t.Context(), newPerson(p, fmt.Sprint("before", n), fmt.Sprintf("b%d@before.example", n))))
				w.browse().enrol(p)
				w.exec(`update users set password_hash = null, {idp}_user_id = $1, {idp}_synced_at = now(), auth_method = '{value}' where user_id =
					(select user_id from users join tenants t using (tenant_id) where t.slug = 'acme' and role = 'user' and users.status = 'active'
					and {idp}_user_id is null and users.deleted_at is null order by user_id limit 1)`, p)
			}
			applying(nil, allMoving)(w)
		},
		below: func(w *world) { must(w.t, w.api.Accounts().Expire(w.t.Context(), before)) },
		trips: []func(*world){enable(0), enable(1)},
		count: func(w *world) (n int) {
			w.t.Helper()
			for id, p := range w.directory().persons {
				if slices.Contains(before, id) && !p.Expired {
					n++
				}
			}
			return n
		}}
}

// letsLess: who has enrolled and has no password stays moved, and the run that is taken back made the client let it in.
func letsLess() brake {
	with := func(more string) string {
		return clientOf("app", urls("https://app.example.com/cb"), scopes("admins", "openid"), more)
	}
	return brake{code: plan.LocksOut, of: state.CodeClientLetsLess, command: []string{"rollback"},
		start: applying([]string{unusableHashes("'!'")}, everyone+with(""), allMoving+with(scopes("users", "openid"))),
		trips: []func(*world){(*world).enrolNext, (*world).enrolNext}, count: (*world).enrolled}
}

func suspendCases() map[string]brake {
	newco := func(status string) string {
		return allMoving + fmt.Sprintf("tenant \"newco\" {\n  slug   = \"newco\"\n  name   = \"Newco\"\n  status = %q\n}\n", status)
	}
	joins := func(mail string) func(*world) {
		return func(w *world) { w.t.Helper(); w.newcomer("newco", mail+"@newco.example", "active") }
	}
	users := counting("select count(*) from users join tenants t using (tenant_id) where slug = 'newco' and users.deleted_at is null")
	two := []func(*world){joins("a"), joins("b")}
	return map[string]brake{
		"a tenant is suspended": {code: plan.LocksOut, of: state.CodeTenantSuspended,
			start: applying(nil, newco("active")), below: declaring(newco("suspended")), trips: two, count: users},
		"a rollback suspends a tenant": {code: plan.LocksOut, of: state.CodeTenantBack, command: []string{"rollback"},
			start: applying(nil, newco("suspended"), newco("active")), trips: two, count: users},
	}
}

func clientCases() map[string]brake {
	two := func(a, b string) string {
		return allMoving + clientOf("one", urls("https://one.example.com/cb"), a) + clientOf("two", urls("https://two.example.com/cb"), b)
	}
	const public, confidential = `type = "public"`, `type = "confidential"`
	// another counts the clients that Self-auth has otherwise than they are declared: of another type, or not at all.
	another := func(w *world) (n int) {
		w.t.Helper()
		text := w.declared()
		for _, c := range w.clients() {
			_, block, declared := strings.Cut(text, fmt.Sprintf("oauth2_client %q {", c.Name))
			block, _, _ = strings.Cut(block, "\n}\n")
			if !declared || strings.Contains(block, public) != (c.Attributes[state.AttrType].Text == "public") {
				n++
			}
		}
		return n
	}
	renamed := func(from, to string) string {
		return strings.Replace(clientOf(from, urls("https://"+from+".example.com/cb")), fmt.Sprintf("oauth2_client %q", from),
			fmt.Sprintf("moved {\n  from = oauth2_client.%s\n  to   = oauth2_client.%s\n}\noauth2_client %q", from, to, to), 1)
	}
	one, second := clientOf("one", urls("https://one.example.com/cb")), clientOf("two", urls("https://two.example.com/cb"))
	other := clientOf("three", urls("https://three.example.com/cb"))
	weak := func(lines ...string) func(*world) {
		return declaring(allMoving + clientOf("app", append([]string{urls("https://app.example.com/cb", "https://more.example.com/cb")}, lines...)...))
	}
	return map[string]brake{
		"clients are made again": {code: plan.EndsSessions, of: state.CodeClientRemade, start: applying(nil, two(confidential, confidential)),
			below: declaring(strings.ReplaceAll(two(confidential, confidential), `display_name = "one"`, `display_name = "First"`)),
			trips: []func(*world){declaring(two(public, confidential)), declaring(two(public, public))}, count: another},
		"clients go": {code: plan.EndsSessions, of: state.CodeClientGoes, start: applying(nil, allMoving+one+second),
			below: declaring(allMoving + one + second + other), trips: []func(*world){declaring(allMoving + one), declaring(allMoving)}, count: another},
		"clients get another name": {code: plan.EndsSessions, of: state.CodeClientRenamed, start: applying(nil, allMoving+one+second),
			below: declaring(allMoving + one + second + other),
			trips: []func(*world){declaring(allMoving + renamed("one", "uno") + second), declaring(allMoving + renamed("one", "uno") + renamed("two", "due"))},
			count: another},
		"a client is weakened": {code: plan.WeakensClient, of: state.CodeWeakened,
			start: applying(nil, allMoving+clientOf("app", urls("https://app.example.com/cb", "https://more.example.com/cb"))),
			below: declaring(allMoving + clientOf("app", urls("https://app.example.com/cb", "https://more.example.com/cb", "https://app.example.com/other"))),
			trips: []func(*world){weak("pkce = false"), weak("pkce = false", "legacy_crypto = true", "strict_redirects = false"),
				declaring(allMoving + clientOf("app", urls("https://app.example.com/cb", "https://more.example.com/cb", "https://evil.example.net/cb"),
					"pkce = false", "legacy_crypto = true", "strict_redirects = false"))},
			count: (*world).weaker},
		"a client is made weak": {code: plan.WeakensClient, of: state.CodeWeakened, start: applying(nil, allMoving), below: declaring(allMoving + one),
			trips: []func(*world){declaring(allMoving + clientOf("one", urls("https://one.example.com/cb"), "pkce = false", "strict_redirects = false"))},
			count: (*world).weaker},
		"redirect URLs go": {code: plan.LoginGap, of: state.CodeRedirectsGo,
			start: applying(nil, allMoving+clientOf("app", urls("https://app.example.com/a", "https://app.example.com/b", "https://app.example.com/c"))),
			below: declaring(allMoving + clientOf("app", urls("https://app.example.com/a", "https://app.example.com/b", "https://app.example.com/c", "https://app.example.com/d"))),
			trips: []func(*world){declaring(allMoving + clientOf("app", urls("https://app.example.com/a", "https://app.example.com/b"))),
				declaring(allMoving + clientOf("app", urls("https://app.example.com/a")))},
			count: func(w *world) (n int) {
				w.t.Helper()
				text := w.declared()
				for _, c := range w.clients() {
					for _, u := range c.Attributes[state.AttrRedirectURLs].List() {
						if !strings.Contains(text, fmt.Sprintf("%q", u)) {
							n++
						}
					}
				}
				return n
			}},
	}
}

// weaker counts what a client is declared to do without and Self-auth has of it, and the host that none of its URLs has.
func (w *world) weaker() (n int) {
	w.t.Helper()
	text, live := w.declared(), w.clients()
	has := func(a state.Attribute, value string) bool {
		return slices.ContainsFunc(live, func(c providers.Client) bool { return c.Attributes[a].Text == value })
	}
	for line, is := range map[string]bool{
		"pkce = false": has(state.AttrPKCE, "false"), "strict_redirects = false": has(state.AttrStrictRedirects, "false"),
		"legacy_crypto = true": has(state.AttrLegacyCrypto, "true"), "https://evil.example.net": false,
	} {
		if strings.Contains(text, line) && !is {
			n++
		}
	}
	return n
}

func loginCases() map[string]brake {
	waves := func(late string) string {
		return everyone + "wave \"managers\" {\n  auth_policy = auth_policy.dual\n  users { roles = [\"manager\"] }\n" + late + "}\n"
	}
	names := func(list ...string) string {
		return clientOf("app", urls("https://app.example.com/cb"), scopes("users", list...))
	}
	one := func(w *world) { w.t.Helper(); w.become("acme", "user", "manager", 1) }
	// A tenant has one group of a role, so acme has none for all.
	admins, users, _ := strings.Cut(allMoving, "group \"users\"")
	others := admins + "group \"users\"" + strings.Replace(users, "data.tenants.active", `toset(["globex", "anthill"])`, 1)
	lets := func(label string) string {
		return clientOf("app", urls("https://app.example.com/cb"), scopes("users", "openid"), scopes(label, "openid", "email"))
	}
	return map[string]brake{
		"a wave is released": {code: plan.LoosensBrake, of: state.CodeBrakeLoosened,
			start: applying([]string{noManagers}, waves("start { at = \"2099-01-01T00:00:00Z\" }\n")), below: declaring(waves("")),
			trips: []func(*world){one, one}, count: counting(activeManagers)},
		"a wave is released by a wish": {code: plan.LoosensBrake, of: state.CodeBrakeWished,
			start: applying([]string{noManagers}, waves("start { at = \"2099-01-01T00:00:00Z\" }\n")),
			below: func(w *world) { w.t.Helper(); w.run(exitDone, "wave", "promote", "managers", "-reason", "in a hurry") },
			trips: []func(*world){one, one}, count: counting(activeManagers)},
		"failures are accepted": {code: plan.LoosensBrake, of: state.CodeWishMet,
			start: func(w *world) {
				w.t.Helper()
				w.exec(noManagers)
				one(w)
				w.exec(`create function refuse() returns trigger language plpgsql as $$ begin
					if old.role = 'manager' then raise exception 'no' using errcode = '23514'; end if; return new; end $$`)
				w.exec("create trigger refuse before update on users for each row execute function refuse()")
				w.config(waves(""))
				w.run(exitRemainder, "apply", "-auto-approve")
				w.exec("drop trigger refuse on users")
			},
			below: func(*world) {},
			trips: []func(*world){
				func(w *world) {
					w.t.Helper()
					w.run(exitDone, "wave", "accept", "managers", "-reason", "they have left")
				}, one}, count: counting(activeManagers)},
		"tokens do not name groups": {code: plan.LoginWithoutTenant, of: state.CodeNameless,
			start: func(w *world) { w.exec(noManagers); w.config(waves("") + names("openid", "groups")) },
			trips: []func(*world){one, one}, count: counting(activeManagers)},
		"a scope is asked for that is not given": {code: plan.LoginRefused, of: state.CodeLoginRefused,
			start: func(w *world) {
				w.exec(noManagers)
				w.config(waves("") + strings.Replace(names("openid", "email"), "redirect_urls", "requested_scopes = [\"openid\", \"profile\"]\n  redirect_urls", 1))
			},
			trips: []func(*world){one, one}, count: counting(activeManagers)},
		"persons are taken over": {code: plan.AdoptsPerson, of: state.CodeAdopts,
			start: declaring(allMoving + "identity { adopt = \"mail\" }\n"),
			below: func(w *world) { w.t.Helper(); w.namesake(false) },
			trips: []func(*world){func(w *world) { w.t.Helper(); w.namesake(true) }, func(w *world) { w.t.Helper(); w.namesake(true) }},
			count: func(w *world) int {
				w.t.Helper()
				var mails []string
				for _, p := range w.directory().persons {
					mails = append(mails, p.Mails...)
				}
				return w.number("select count(*) from users where email_verified and lower(email) = any($1) and "+active, mails)
			}},
		"a group gets another name": ofManagers(plan.LoginGap, state.CodeGroupRenamed,
			allMoving+managersOf(acmeManagers, "viewer"), allMoving+managersOf("tenant_acme_heads", "viewer")),
		"another group is let in": ofManagers(plan.LoginGap, state.CodeScopeGap,
			others+managersOf(acmeManagers, "viewer")+lets("managers"),
			others+strings.Replace(managersOf("tenant_acme_heads", "member"), `"managers"`, `"heads"`, 1)+lets("heads")),
	}
}

// namesake makes a person with the address of a user of whom there is none.
func (w *world) namesake(verified bool) {
	w.t.Helper()
	var mail string
	must(w.t, w.connect().QueryRow(w.t.Context(), "select email from users where email_verified = $1 and role in ('user', 'viewer') and "+active+
		" and email ~ '^[a-z0-9.]+@[a-z0-9.]+$' order by user_id offset $2 limit 1", verified, len(w.directory().persons)).Scan(&mail))
	must(w.t, w.api.Accounts().Create(w.t.Context(), newPerson(uuid.New(), fmt.Sprint("namesake", len(w.directory().persons)), mail)))
}

func dataCases() map[string]brake {
	const columns = `select count(*) from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
		where table_schema = 'public' and t.table_type = 'BASE TABLE'`
	var had int
	return map[string]brake{
		"persons are deleted": {code: plan.DeletesData, of: state.CodePersonsDeleted, start: applying(nil, allMoving),
			command: []string{"rollback", "-delete-persons"}, calm: []string{"rollback"},
			count: func(w *world) int { w.t.Helper(); return len(w.directory().persons) }},
		"columns go": {code: plan.DeletesData, of: state.CodeColumnsDropped,
			command: []string{"rollback", "-schema"}, calm: []string{"rollback"},
			start: func(w *world) {
				w.t.Helper()
				had = w.number(columns)
				applying(nil, allMoving)(w)
				w.exec("update users set migration_invited_at = now() where user_id in (select user_id from users where {idp}_user_id is not null limit 2)")
			},
			count: func(w *world) int {
				w.t.Helper()
				return w.number(columns) - had + w.number("select count(migration_invited_at) from users")
			}},
	}
}

// unconfirmed takes the confirmation of an address from the next active user.
func unconfirmed(w *world) {
	w.t.Helper()
	w.exec(`update users set email_verified = false where user_id in (select user_id from users where email_verified and ` + active + `
		and role = 'user' order by user_id limit 1)`)
}

func mailCases() map[string]brake {
	const (
		confirmed = "update users set email_verified = true"
		linked    = "select count(*) from users where {idp}_user_id is not null and " + active
	)
	suspend := func(w *world) {
		w.t.Helper()
		w.exec(`update users set status = 'suspended' where user_id in (select user_id from users where ` + active + ` and role = 'user' order by user_id limit 1)`)
		w.run(exitDone, "apply", "-auto-approve", "-exclude", "wave=everyone")
	}
	return map[string]brake{
		"users moved before are invited": {code: plan.SendsMail, of: state.CodeMailsLate, start: applying([]string{confirmed}, allMoving),
			trips: []func(*world){declaring(everyone + inviting), suspend}, count: counting(linked)},
		"users are invited once more": {code: plan.SendsMail, of: state.CodeMailsAgain,
			start: func(w *world) {
				w.t.Helper()
				applying([]string{confirmed}, everyone+inviting)(w)
				w.run(exitDone, "rollback", "-auto-approve")
			},
			trips: []func(*world){func(w *world) { w.t.Helper(); w.run(exitDone, "wave", "resume", "everyone") }},
			count: counting("select count(*) from users where email <> 'system@anthill.local' and " + active)},
		"a code goes to an address that nobody has confirmed": {code: plan.LinkToUnverified, of: state.CodeMailsUnverified,
			start: func(w *world) { w.t.Helper(); w.exec(confirmed); w.config(everyone + inviting) },
			trips: []func(*world){unconfirmed, unconfirmed}, count: counting("select count(*) from users where not email_verified and " + active)},
	}
}
