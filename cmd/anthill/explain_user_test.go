package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// pilotAcme moves acme's administrators; everyone waits for them.
const pilotAcme = `
wave "pilot" {
  auth_policy = auth_policy.dual
  users {
    tenants = ["acme"]
    roles   = ["admin"]
  }
  finish { soak = "7d" }
}
wave "rest" {
  auth_policy = auth_policy.dual
  users { all = true }
  start { after = [wave.pilot] }
}
`

// tokenOf makes a service account in a built-in group, or in none, and returns its read-only token.
func tokenOf(t *testing.T, s guarded, name, group string) string {
	t.Helper()
	return accountOf(t, s, name, group)(false)
}

// accountOf makes a service account in built-in groups, or in none, and returns what makes tokens of it.
func accountOf(t *testing.T, s guarded, name string, groups ...string) func(writes bool) string {
	t.Helper()
	b := newBrowser(t, s.server)
	token := b.builtIn("idm_admin", s.idmAdmin)
	b.ok(b.do("POST", "/v1/service_account", token, map[string]any{"attrs": map[string][]string{
		"name": {name}, "displayname": {name}, "entry_managed_by": {"idm_admin"}}}), nil)
	for _, group := range groups {
		if group != "" {
			b.ok(b.do("POST", "/v1/group/"+group+"/_attr/member", token, []string{name}), nil)
		}
	}
	return func(writes bool) (made string) {
		t.Helper()
		b.ok(b.do("POST", "/v1/service_account/"+name+"/_api_token", token, map[string]any{"label": "desk", "expiry": nil, "read_write": writes}), &made)
		return made
	}
}

// TestExplainUser: one user is explained by id and by address, in each of the places in which it can stand; with a read-only
// role and token, with those that docs/rights.md gives the desk, and while Self-auth is away; and nothing is changed by any of that.
func TestExplainUser(t *testing.T) {
	for name, start := range guardedServers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explainUser(t, start(t))
		})
	}
}

func explainUser(t *testing.T, s guarded) {
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 4}, s.server)
	w.config(everyone + pilotAcme)
	one := func(where string) (id, mail string) {
		t.Helper()
		sql := "select user_id::text, email from users u join tenants t using (tenant_id) where t.deleted_at is null and " + where + " order by user_id limit 1"
		must(t, w.connect().QueryRow(t.Context(), w.spell(sql)).Scan(&id, &mail))
		return id, mail
	}
	const live = "u.status = 'active' and u.deleted_at is null and t.status = 'active' and "
	admin, adminMail := one(live + "t.slug = 'acme' and role = 'admin'")
	other, otherMail := one(live + "t.slug = 'globex' and role = 'user'")
	_, awayMail := one("u.status = 'suspended' and u.deleted_at is null")

	out, errs := w.run(exitDone, "explain", adminMail)
	wants(t, out, admin, adminMail, "the next plan: create a person", "No run has had to do", "by password yes", "by Self-auth no: the row is not linked",
		"The next apply moves this user", "as before")
	if errs != "" {
		t.Errorf("stderr: %s", errs)
	}
	w.run(exitDone, "apply", "-auto-approve")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = s.readToken
	w.rightsScript("plan", w.role("create role {role} login"))
	before := w.fingerprint()
	state := w.stateText()

	out, _ = w.run(exitDone, "explain", adminMail)
	wants(t, out, "moved under wave pilot, auth_policy dual, by run "+w.runs()[0], "login name acme.", "no credential yet", "tenant_acme_admins (admin of the tenant)",
		"create a person; link the row; method becomes dual", "Self-auth not yet: no credential", "kanidm person credential create-reset-token acme.",
		"wave pilot is soaking", "Your login name there is acme.", "does not take your e-mail address")
	// By id: neither name nor address, unless they are asked for.
	out, _ = w.run(exitDone, "explain", admin)
	if strings.Contains(out, adminMail) || strings.Contains(out, "Address") {
		t.Errorf("an address that nobody typed:\n%s", out)
	}
	out, _ = w.run(exitDone, "explain", "-reveal", admin)
	wants(t, out, "Address "+adminMail)
	out, _ = w.run(exitDone, "explain", strings.ToUpper(otherMail))
	wants(t, out, other, "selected by rest", "wave rest would: create a person", "wave rest is held", "anthill wave list", "nothing that you need to do")
	out, _ = w.run(exitDone, "explain", awayMail)
	wants(t, out, "suspended", "by password no: the row is not active", "not active at the moment")

	var j map[string]any
	out, _ = w.run(exitDone, "explain", "-json", admin)
	must(t, json.Unmarshal([]byte(out), &j))
	if j["next"] != "enrol" || j["format_version"] != "1" || strings.Contains(out, "@") && strings.Contains(out, adminMail) {
		t.Errorf("JSON:\n%s", out)
	}

	// The support desk sees who has a credential, and neither addresses nor what a plan needs.
	w.env["SELF_AUTH_ADMIN_TOKEN"] = tokenOf(t, s, "desk", "idm_service_desk")
	out, _ = w.run(exitDone, "explain", adminMail)
	wants(t, out, "login name acme.", "no credential yet", "tenant_acme_admins (admin of the tenant)", "Could not be seen", "the address of the person", "what a plan does in Self-auth",
		"moved under wave pilot", "create-reset-token acme.")
	out, _ = w.run(exitDone, "explain", otherMail)
	wants(t, out, "selected by rest", "wave rest is held")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = tokenOf(t, s, "nobody-special", "")
	out, _ = w.run(exitDone, "explain", adminMail)
	wants(t, out, "this account may not see persons", "whether the person is there (the account lacks the right)", "by Self-auth not known")
	w.env["SELF_AUTH_ADMIN_TOKEN"] = "nonsense"
	out, _ = w.run(exitDone, "explain", adminMail)
	wants(t, out, "Could not be seen Self-auth", "by Self-auth not known", "It depends on what could not be seen", "with your e-mail address and your password, as before")
	delete(w.env, "SELF_AUTH_ADMIN_TOKEN")
	out, _ = w.run(exitDone, "explain", adminMail)
	wants(t, out, "Could not be seen Self-auth")
	w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_CA_FILE"] = s.readToken, emulator(t).caFile // of another server
	out, _ = w.run(exitDone, "explain", otherMail)
	wants(t, out, "Could not be seen Self-auth", "selected by rest", "wave rest is held")

	for _, c := range [][]string{{"nobody@x.example", "no row of users has this address"}, {"x'; drop table users; --@x", "no row of users has this address"},
		{"\x1b[31m@x", "no row of users"}, {"%@%", "no row of users"}, {"0190d2b1-7c1e-7000-8000-0242ac120002", "no row of users has the id"},
		{"kim", "neither a hazard nor a user"}, {adminMail, "in tenant globex", "-tenant", "globex"}} {
		_, errs := w.run(exitError, append([]string{"explain", c[0]}, c[2:]...)...)
		wants(t, errs, c[1])
		if strings.Contains(errs, "\x1b") {
			t.Errorf("a sequence for terminals: %q", errs)
		}
	}
	for _, args := range [][]string{{"-json"}, {"-reveal", "OVER_LIMIT"}, {"-json", "-reveal", admin}} {
		w.run(exitError, append([]string{"explain"}, args...)...)
	}
	if w.fingerprint() != before || w.stateText() != state {
		t.Error("something was changed")
	}
	// She enrols, renames herself, and comes in.
	w.env["SELF_AUTH_CA_FILE"] = s.caFile
	var person uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id from users where user_id = $1"), admin).Scan(&person))
	b := newBrowser(t, s.server)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.builtIn("idm_admin", s.idmAdmin), []string{"any"}), nil)
	b.enrol(person)
	b.ok(b.do("PATCH", "/v1/person/"+person.String(), b.token, map[string]any{"attrs": map[string][]string{"name": {"her-own-name"}}}), nil)
	out, _ = w.run(exitDone, "explain", admin)
	wants(t, out, "login name her-own-name", "credential enrolled", "by Self-auth yes", "has not logged in by it yet", "Your login name there is her-own-name")
	w.exec("update users set {idp}_synced_at = now() + interval '1 minute' where user_id = $1", admin)
	out, _ = w.run(exitDone, "explain", admin)
	wants(t, out, "completed: it has logged in through Self-auth", "None: this user logs in through Self-auth")

	must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{person}))
	out, _ = w.run(exitDone, "explain", admin)
	wants(t, out, "Self-auth does not have it", "by Self-auth no: the row is linked to a person that Self-auth does not have", "Something keeps this user from coming in",
		"Logging in through Self-auth does not work for you")

	w.exec("update users set email = $1 where user_id = $2", strings.ToUpper(adminMail), other)
	_, errs = w.run(exitError, "explain", adminMail)
	wants(t, errs, "2 users have this address", admin+" tenant acme, active", other+" tenant globex, active", "anthill explain ")
	out, _ = w.run(exitDone, "explain", "-tenant", "globex", adminMail)
	wants(t, out, other)
	w.exec("delete from users where user_id = $1", admin)
	out, _ = w.run(exitDone, "explain", admin)
	wants(t, out, "there is none any more", "moved under wave pilot", "There is no account of yours")
}
