package main

import (
	"fmt"
	"strings"
	"testing"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
)

// TestMailOmitted (identity.mail = "omit"): users who share an address, or have one that Self-auth refuses, become persons of their own
// without it; plans after that are empty, and the invitation goes to the row's address. Once an address is nobody else's any more, the
// person gets it. A rollback takes them back like others. Without it they are skipped.
func TestMailOmitted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 5}, emulator(t))
	mails := mailtest.Start(t, mailtest.Options{})
	w.env["MAIL_URL"] = mails.URL
	w.exec("update users set email_verified = true, status = 'active', deleted_at = null")
	of := func(tenant string, n int) []string {
		return w.texts(fmt.Sprintf("select user_id::text from users join tenants t using (tenant_id) where t.slug = '%s' and users.role = 'user' order by user_id limit %d", tenant, n))
	}
	ids := append(of("globex", 1), of("acme", 3)...)
	w.exec("update users set email = 'both@acme.example' where user_id = any($1)", ids[:2])
	w.exec("update users set email = 'josé@acme.example' where user_id = $1", ids[2])
	w.exec("update users set email = ' ' where user_id = $1", ids[3])
	const odd = "users.user_id = any($1)"
	linked := func() int {
		return w.number("select count(*) from users where {idp}_user_id is not null and "+odd, ids)
	}

	w.config(everyone + strings.Replace(withInvitation, `adopt = "mail"`, `mail = "required"`, 1))
	w.run(exitDone, "apply", "-auto-approve")
	if n := linked(); n != 0 {
		t.Fatalf("%d are moved whose addresses cannot be given", n)
	}
	w.config(everyone + strings.Replace(withInvitation, `adopt = "mail"`, `mail = "omit"`, 1))
	out, _ := w.run(exitDone, "apply", "-auto-approve")
	wants(t, oneLine(out), "of them without an address 3 1 4")
	if n := linked(); n != 4 {
		t.Fatalf("%d of 4 are moved\n%s", n, out)
	}
	persons := w.directory().persons
	for _, id := range w.texts(w.spell("select {idp}_user_id::text from users where user_id in ('" + strings.Join(ids, "', '") + "')")) {
		for _, p := range persons {
			if p.ID.String() == id && len(p.Mails) > 0 {
				t.Errorf("a person has %d addresses", len(p.Mails))
			}
		}
	}
	to := 0
	for _, m := range mails.Accepted() {
		if m.To == "both@acme.example" {
			to++
		}
	}
	if to != 2 {
		t.Errorf("%d mails went to the address that two share", to)
	}
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "Nothing to do")

	// One of the two gets an address of its own: both persons have theirs now.
	w.exec("update users set email = 'own@acme.example' where user_id = $1", ids[0])
	w.run(exitDone, "apply", "-auto-approve")
	have := map[string]bool{}
	for _, p := range w.directory().persons {
		for _, m := range p.Mails {
			have[m] = true
		}
	}
	if !have["own@acme.example"] || !have["both@acme.example"] {
		t.Error("addresses that are nobody else's any more were not given")
	}
	w.exec("update users set email = 'both@acme.example' where user_id = $1", ids[0])
	w.allowing("rollback", "-auto-approve")
	w.allowing("rollback", "-auto-approve")
	if n := linked(); n != 0 {
		t.Errorf("%d are linked after the rollback", n)
	}
}
