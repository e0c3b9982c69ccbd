package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// deskWorld is a world in which everybody who can be is moved, with the role of docs/rights.md that gives a way in, and a read-write
// token of the support desk.
type deskWorld struct {
	*world
	s      guarded
	role   string   // of the database
	grants []string // that give a way in
	whole  map[string]string
	desk   map[string]string
}

func newDeskWorld(t *testing.T, s guarded) *deskWorld {
	t.Helper()
	w := &deskWorld{world: newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 5}, s.server), s: s}
	w.exec("update users set email_verified = true")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.config(everyone + inviting)
	w.whole = map[string]string{"DATABASE_URL": w.env["DATABASE_URL"], "SELF_AUTH_ADMIN_TOKEN": w.env["SELF_AUTH_ADMIN_TOKEN"]}
	w.role = w.world.role("create role {role} login")
	w.rightsScript("support", w.role)
	w.grants = w.desksOwn()
	w.desk = map[string]string{"DATABASE_URL": w.env["DATABASE_URL"], "SELF_AUTH_ADMIN_TOKEN": accountOf(t, s, "desk", "idm_service_desk")(true)}
	return w
}

// desksOwn are the writes among the rights that `anthill rights` prints for the desk, each statement of one kind on one thing.
func (w *deskWorld) desksOwn() (list []string) {
	w.t.Helper()
	out, _ := w.run(exitDone, "rights", "-for", "support", "-role", w.role, "-json")
	var r struct {
		Roles []struct{ Statements []string }
	}
	must(w.t, json.Unmarshal([]byte(out), &r))
	write := regexp.MustCompile(`(INSERT|UPDATE) \([^)]*\)`)
	for _, s := range r.Roles[0].Statements {
		for _, what := range write.FindAllString(s, -1) {
			list = append(list, "GRANT "+what+s[strings.Index(s, " ON "):])
		}
	}
	if len(list) < 10 {
		w.t.Fatalf("%d statements: %s", len(list), out)
	}
	return list
}

// by runs as whoever has these settings.
func (w *deskWorld) by(who map[string]string, want int, args ...string) (stdout, stderr string) {
	w.t.Helper()
	for k, v := range who {
		w.env[k] = v
	}
	return w.run(want, args...)
}

// kept is what is recorded of mails and runs.
func (w *deskWorld) kept() string {
	w.t.Helper()
	return strings.Join(w.texts(`select 'run ' || id || open::text from anthill_state.runs union all
		select 'mail ' || id::text || status from anthill_state.mails order by 1`), "\n")
}

// nothing runs a command of the desk that is refused, before anything is recorded or made.
func (w *deskWorld) nothing(want int, says string, args ...string) {
	w.t.Helper()
	before, mails := w.kept(), len(w.letters())
	out, errs := w.run(want, append([]string{"invite"}, args...)...)
	wants(w.t, strings.Join(strings.Fields(errs), " "), says)
	if w.kept() != before || len(w.letters()) != mails || codeInMail.MatchString(out+errs) {
		w.t.Errorf("invite %s: something was recorded or made:\n%s%s\n%s", args, out, errs, w.kept())
	}
}

// users are ids of moved users of a role, in their order.
func (w *deskWorld) moved(where string) []string {
	w.t.Helper()
	return w.texts(w.spell(`select user_id::text from users u join tenants t using (tenant_id) where {idp}_user_id is not null
		and u.status = 'active' and ` + where + " order by user_id"))
}

// TestDesk: the token of the support desk, and a role with exactly the rights of docs/rights.md, send one user an invitation and show
// a code. The plan is the very one that the whole token makes.
func TestDesk(t *testing.T) {
	t.Parallel()
	for name, start := range guardedServers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testDesk(t, newDeskWorld(t, start(t)))
		})
	}
}

func testDesk(t *testing.T, w *deskWorld) {
	ids := w.moved("role = 'user'")
	admin := w.moved("role = 'admin'")[0]
	one, enrolled := ids[0], ids[1]
	id := regexp.MustCompile("Plan ID +[0-9a-f]{64}")
	planned := func(who map[string]string, user string) string {
		t.Helper()
		out, _ := w.by(who, exitDone, "invite", "-user", user, "-out", "p")
		return id.FindString(out)
	}
	var person uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id from users where user_id = $1"), enrolled).Scan(&person))
	w.browse().enrol(person)
	for _, user := range []string{one, enrolled, admin} {
		if whole, desk := planned(w.whole, user), planned(w.desk, user); whole != desk || whole == "" {
			t.Errorf("planned by the desk it is another plan: %s, %s", desk, whole)
		}
	}

	out, errs := w.by(w.desk, exitDone, "invite", "-user", one, "-auto-approve")
	wants(t, out+errs, "Tenant isolation was not looked at", "1 mail")
	address := w.texts("select email from users where user_id = '" + one + "'")[0]
	list := w.letters()[address]
	if len(list) != 1 || !codeInMail.MatchString(list[0]) {
		t.Fatalf("no code in %v", list)
	}
	if w.number("select count(*) from users where migration_invited_at is not null and user_id = $1", one) != 1 ||
		w.number("select count(*) from anthill_state.runs where kind = 'invite' and not open and outcome = 'done'") != 1 {
		t.Error("it is not recorded")
	}
	w.by(w.desk, exitDone, "invite", "-user", enrolled, "-auto-approve")
	if list := w.letters()[w.texts("select email from users where user_id = '" + enrolled + "'")[0]]; len(list) != 1 || codeInMail.MatchString(list[0]) {
		t.Errorf("a code for somebody who has enrolled: %v", list)
	}

	// A code on the telephone sets the credential; a second one, and a third mail, are of the same day.
	code := ""
	for range 2 {
		out, _ = w.by(w.desk, exitDone, "invite", "-user", address, "-print", "-yes", "-reason", "called back")
		if code = codeInMail.FindString(out); code == "" || strings.Contains(w.stateText(), code) {
			t.Fatalf("no code, or it is kept:\n%s", out)
		}
	}
	w.nothing(exitError, "3 mails in the last 24 hours", "-user", one, "-print", "-yes")
	w.nothing(exitError, "3 mails in the last 24 hours", "-user", one, "-auto-approve")
	if n := w.number("select count(*) from anthill_state.mails where letter = 'printed' and reason = 'called back' and shown_to <> ''"); n != 2 {
		t.Errorf("%d codes are recorded as shown", n)
	}
	w.env["SELF_AUTH_ADMIN_TOKEN"] = w.whole["SELF_AUTH_ADMIN_TOKEN"]
	w.browse().enrolBy(code)
	w.env["SELF_AUTH_ADMIN_TOKEN"] = w.desk["SELF_AUTH_ADMIN_TOKEN"]
	w.nothing(exitError, "has a credential in Self-auth already", "-user", enrolled, "-print", "-yes")
	w.nothing(exitError, "administers a tenant", "-user", admin, "-print", "-yes")
	w.exec("alter table users drop constraint if exists users_role_check")
	for _, role := range []string{"owner", "super_admin"} {
		w.exec("update users set role = '" + role + "' where user_id = '" + admin + "'")
		w.nothing(exitError, "administers a tenant", "-user", admin, "-print", "-yes")
	}
	w.exec("update users set role = 'admin' where user_id = '" + admin + "'")
	w.by(w.desk, exitDone, "invite", "-user", admin, "-print", "-yes", "-allow", "admin", "-reason", "known by voice")

	// Whom Self-auth protects the desk lets in nowhere: that is one user's, and leaves no run that is open.
	high := ids[2]
	idm := newBrowser(t, w.s.server)
	idm.ok(idm.do("POST", "/v1/group/idm_people_pii_read/_attr/member", idm.builtIn("idm_admin", w.s.idmAdmin),
		w.texts(w.spell("select {idp}_user_id::text from users where user_id = '"+high+"'"))), nil)
	out, _ = w.by(w.desk, exitRemainder, "invite", "-user", high, "-auto-approve")
	wants(t, out, "not sent after all")
	_, errs = w.by(w.desk, exitError, "invite", "-user", high, "-print", "-yes")
	wants(t, errs, "Self-auth protects")
	if w.number("select count(*) from anthill_state.runs where open") != 0 {
		t.Error("a run is open")
	}

	// It can do nothing else: neither plan, nor apply, nor send to everybody.
	for _, args := range [][]string{{"plan"}, {"apply", "-auto-approve"}, {"invite", "-auto-approve"}, {"wave", "pause", "everyone", "-reason", "x"}} {
		if status, out, _ := w.try(args...); status != exitRefused {
			t.Errorf("%s: exit %d\n%s", args, status, out)
		}
	}
}

// TestDeskBarred: whoever is not to have a way in gets none from the desk, in a mail or on the telephone.
func TestDeskBarred(t *testing.T) {
	t.Parallel()
	w := newDeskWorld(t, guardedEmulator(t))
	ids := w.moved("role = 'user' and t.slug = 'acme'")
	elsewhere := w.moved("role = 'user' and t.slug = 'globex'")
	suspended, excluded, early, expired, gone := ids[0], ids[1], ids[2], ids[3], ids[4]
	personOf := func(user string) string {
		t.Helper()
		return w.texts(w.spell("select {idp}_user_id::text from users where user_id = '" + user + "'"))[0]
	}
	w.exec("update users set status = 'suspended' where user_id = $1", suspended)
	w.config(strings.Replace(everyone, `exclude { emails = ["system@anthill.local"] }`, `exclude {
  emails   = ["system@anthill.local"]
  user_ids = ["`+excluded+`"]
}`, 1) + inviting)
	b := newBrowser(t, w.s.server)
	idm := b.builtIn("idm_admin", w.s.idmAdmin)
	patch := func(user string, attrs map[string][]string) {
		t.Helper()
		b.ok(b.do("PATCH", "/v1/person/"+personOf(user), idm, map[string]any{"attrs": attrs}), nil)
	}
	patch(early, map[string][]string{"account_valid_from": {"2099-01-01T00:00:00Z"}})
	patch(expired, map[string][]string{"account_expire": {"2001-01-01T00:00:00Z"}})
	must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{uuid.MustParse(personOf(gone))}))
	w.by(w.whole, exitDone, "wave", "pause", "everyone", "-tenant", "globex", "-reason", "not yet")
	paused, back := elsewhere[0], w.moved("role = 'user' and t.slug not in ('acme', 'globex')")[0]
	slug := w.texts("select slug from tenants t join users u using (tenant_id) where user_id = '" + back + "'")[0]
	w.by(w.whole, exitDone, "rollback", "-wave", "everyone", "-tenant", slug, "-auto-approve")

	for k, v := range w.desk {
		w.env[k] = v
	}
	for user, says := range map[string][2]string{
		suspended: {"not active", "is not active"},
		excluded:  {"could not log in", "is excluded"},
		early:     {"could not log in", "cannot log in now"},
		expired:   {"could not log in", "cannot log in now"},
		gone:      {"could not log in", "is gone from Self-auth"},
		paused:    {"paused", "is paused there"},
		back:      {"is not moved", "is not moved"},
	} {
		w.nothing(exitError, says[0], "-user", user, "-auto-approve")
		w.nothing(exitError, says[1], "-user", user, "-print", "-yes", "-allow", "admin", "-allow", "enrolled", "-reason", "x")
	}
}

// TestDeskUnknown: what the account does not see is not known, and never taken for absent; what it may not do is said before anything
// is recorded or sent.
func TestDeskUnknown(t *testing.T) {
	t.Parallel()
	w := newDeskWorld(t, guardedEmulator(t))
	user := w.moved("role = 'user'")[0]
	for k, v := range w.desk {
		w.env[k] = v
	}
	desk := w.env["SELF_AUTH_ADMIN_TOKEN"]
	for name, c := range map[string]struct{ group, says string }{
		"nobody": {"", "may not make one-time codes"},
		"mails":  {"idm_account_mail_read", "may not make one-time codes"},
		"pii":    {"idm_people_pii_read", "may not make one-time codes"},
	} {
		w.env["SELF_AUTH_ADMIN_TOKEN"] = accountOf(t, w.s, name, c.group)(true)
		w.nothing(exitRefused, c.says, "-user", user, "-print", "-yes")
		w.nothing(exitRefused, "does not see whether the person is there", "-user", user, "-auto-approve")
	}
	w.env["SELF_AUTH_ADMIN_TOKEN"] = accountOf(t, w.s, "reads", "idm_service_desk")(false)
	w.nothing(exitRefused, "read-only token", "-user", user, "-print", "-yes")
	w.nothing(exitRefused, "read-only token", "-user", user, "-auto-approve")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = "nonsense"
	w.nothing(exitRefused, "", "-user", user, "-print", "-yes")
	w.nothing(exitRefused, "", "-user", user, "-auto-approve")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = desk

	// Each right of the role is needed, and its lack is said with the statement.
	turn := func(grant, how, to string) {
		t.Helper()
		w.exec(how + strings.ReplaceAll(strings.TrimPrefix(grant, "GRANT"), " TO ", " "+to+" "))
	}
	for _, grant := range w.grants {
		turn(grant, "REVOKE", "FROM")
		w.nothing(exitRefused, "As the owner, or as a superuser: GRANT", "-user", user, "-auto-approve")
		turn(grant, "GRANT", "TO")
	}
	show := w.grants[slices.IndexFunc(w.grants, func(g string) bool { return strings.Contains(g, "anthill_state.mails") })]
	turn(show, "REVOKE", "FROM")
	w.nothing(exitRefused, "GRANT INSERT (chosen,", "-user", user, "-print", "-yes")
	turn(show, "GRANT", "TO")
	out, _ := w.run(exitDone, "invite", "-user", user, "-auto-approve", "-json")
	if !json.Valid([]byte(out)) {
		t.Errorf("no JSON:\n%s", out)
	}
}
