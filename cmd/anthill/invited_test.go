package main

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
	"anthill/planner/plan"
	"anthill/providers"
)

const withInvitation = `
provider "mail" {}
identity { adopt = "mail" }
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  invitation {
    from    = "Anthill <noreply@anthill.example>"
    support = "help@anthill.example"
  }
}
`

// invitee is one who was invited by mail.
type invitee struct {
	person              uuid.UUID
	tenant, role, email string
	code, login         string // of the mail
}

var loginInMail = regexp.MustCompile("(?m)^ +([a-z0-9._-]+)$")

// invitees are users of a condition, with what their mails say.
func (w *world) invitees(mails *mailtest.Server, where string) (list []invitee) {
	w.t.Helper()
	rows, err := w.connect().Query(w.t.Context(), w.spell(`select {idp}_user_id, slug, role, lower(email) from users join tenants using (tenant_id)
		where {idp}_user_id is not null and `+where+` order by user_id`))
	must(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var g invitee
		must(w.t, rows.Scan(&g.person, &g.tenant, &g.role, &g.email))
		for _, m := range mails.Accepted() {
			if !strings.EqualFold(m.To, g.email) {
				continue
			}
			if g.code = codeInMail.FindString(m.Text()); g.code == "" {
				continue
			}
			for _, name := range loginInMail.FindAllStringSubmatch(m.Text(), -1) {
				if name[1] != g.code {
					g.login = name[1]
				}
			}
		}
		list = append(list, g)
	}
	must(w.t, rows.Err())
	return list
}

// place is where the application puts somebody, as it does it: by the first of the token's groups that is mapped.
func (w *world) place(groups []string) (tenant, role string) {
	w.t.Helper()
	for _, g := range groups {
		found := w.texts(w.spell("select slug || ' ' || m.role from {idp}_tenant_groups m join tenants using (tenant_id) where m.{idp}_group_name = '" +
			strings.ReplaceAll(g, "'", "''") + "'"))
		if len(found) > 0 {
			tenant, role, _ = strings.Cut(found[0], " ")
			return tenant, role
		}
	}
	return "", ""
}

// TestInvitedByMail: users of each role are invited by mail, enrol with the code in it, and log in to the application by the name in
// it: tenant and role are found. They count as enrolled, and once the application has seen them as completed. Of a tenant that is taken back
// nobody gets in whose person Anthill has made; who was there before stays, and is named. A code that was sent can still set a
// credential, which opens nothing; resumed, whoever has one is told of the login, and gets no other code.
func TestInvitedByMail(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 6}, s)
			mails := mailtest.Start(t, mailtest.Options{})
			w.env["MAIL_URL"] = mails.URL
			b := newBrowser(t, s)
			const minimum = "/v1/group/idm_all_persons/_attr/credential_type_minimum"
			b.ok(b.do("PUT", minimum, b.token, []string{"any"}), nil)
			defer func() { b.ok(b.do("PUT", minimum, b.token, []string{"mfa"}), nil) }()
			w.exec("update users set email_verified = true")
			old := w.texts(`select lower(email) from users join tenants t using (tenant_id) where t.slug = 'acme' and users.status = 'active' and role = 'user'
				and email ~ '^[a-z0-9.]+@[a-z0-9.-]+$' order by user_id desc limit 1`)[0]
			there := uuid.New()
			must(t, w.api.Accounts().Create(t.Context(), []providers.NewPerson{{ID: there, Name: "before-" + there.String()[:8], Display: "Before", Mail: old}}))
			defer func() { must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{there})) }()

			w.config(strings.Replace(withApp, waveEveryone, withInvitation, 1))
			w.mailing(map[plan.HazardCode]int{plan.AdoptsPerson: 1})
			defer func() { w.allowing("rollback", "-delete-persons", "-auto-approve") }()
			b.ok(b.do("GET", "/v1/oauth2/app/_basic_secret", b.token, nil), &b.secret)

			came := 0
			for _, role := range []string{"admin", "manager", "user", "viewer", "super_admin"} {
				g := w.invitees(mails, "role = '"+role+"' and lower(email) <> '"+old+"'")[0]
				if g.code == "" || g.login == "" {
					t.Fatalf("%s: the mail has the code %q and the login name %q", role, g.code, g.login)
				}
				b.enrolBy(g.code)
				session, denied := b.logInAs(g.login)
				if session == "" {
					t.Fatalf("%s: login denied: %s", role, denied)
				}
				code, status := b.authorise(session)
				if status != http.StatusOK {
					t.Fatalf("%s: authorise: %d", role, status)
				}
				got, status := b.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
				if status != http.StatusOK {
					t.Fatalf("%s: token: %d", role, status)
				}
				c := b.claims(got.ID)
				want := "member"
				if role == "admin" || role == "super_admin" {
					want = "admin"
				}
				if tenant, as := w.place(c.Groups); tenant != g.tenant || as != want || c.Sub != g.person.String() {
					t.Errorf("%s of %s comes in as %s of %q (%v)", role, g.tenant, as, tenant, c.Groups)
				}
				came++
			}
			figures := func(enrolled, completed int64) {
				t.Helper()
				if f := w.figuresOf("everyone"); f.Enrolled == nil || *f.Enrolled != enrolled || f.Completed != completed {
					t.Errorf("figures %+v, want %d enrolled, %d completed", f, enrolled, completed)
				}
			}
			figures(int64(came), 0)
			list, err := w.api.Directory().Enrolled(t.Context())
			must(t, err)
			w.exec("update users set {idp}_synced_at = now() + interval '1 minute' where {idp}_user_id = any($1)", list)
			figures(int64(came), int64(came))

			// One tenant goes back.
			acme := w.invitees(mails, "slug = 'acme'")
			out, _ := w.run(exitDone, "rollback", "-tenant", "acme", "-out", "back")
			wants(t, oneLine(out), "and have no credential yet: until it ends it can still set one, which lets nobody in", "1 person")
			w.run(exitDone, "apply", "back")
			var late *invitee
			known := fmt.Sprint(list)
			for i, g := range acme {
				if g.person == there {
					continue
				}
				if late == nil && !strings.Contains(known, g.person.String()) {
					late = &acme[i]
					b.enrolBy(g.code)
				}
				if in, denied := b.logIn(g.person); in != "" || denied == "" {
					t.Errorf("after the rollback a login ends with %q", denied)
				}
			}
			if p := w.directory().persons[there]; p.ID != there || p.Expired {
				t.Errorf("the person who was there before: %+v", p)
			}
			before := len(mails.Accepted())
			w.run(exitDone, "wave", "resume", "everyone", "-tenant", "acme")
			out, _ = w.run(exitBlocked, "plan")
			wants(t, oneLine(out), "2 users to be moved have a credential in Self-auth already", "2 invitations to the login")
			w.mailing(map[plan.HazardCode]int{plan.SendsMail: len(acme), plan.AdoptsPerson: 1})
			if n := len(mails.Accepted()) - before; n != len(acme) {
				t.Errorf("%d mails for %d users who come back", n, len(acme))
			}
			for _, m := range mails.Accepted()[before:] {
				if strings.EqualFold(m.To, late.email) && codeInMail.MatchString(m.Text()) {
					t.Error("who has enrolled is sent another code")
				}
			}
			if in, denied := b.logIn(late.person); in == "" {
				t.Errorf("who has enrolled meanwhile may not log in: %s", denied)
			}
		})
	}
}

// oneLine is a text without its line breaks.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
