package main

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
)

// TestCredentialsUnseen: an account that sees persons, and not who has a credential, is told so wherever that counts, and nobody is taken
// for one who has none: no mail is written, none is shown as it would be, and a plan says of whom it is not known.
func TestCredentialsUnseen(t *testing.T) {
	t.Parallel()
	s := guardedEmulator(t)
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 5}, s.server)
	w.exec("update users set email_verified = true")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	user := w.texts(w.spell("select user_id::text from users where {idp}_user_id is not null and role = 'user' and status = 'active' order by user_id"))[0]
	whole := w.env["SELF_AUTH_ADMIN_TOKEN"]
	w.browse().enrol(uuid.MustParse(w.texts(w.spell("select {idp}_user_id::text from users where user_id = '" + user + "'"))[0]))
	unseeing := accountOf(t, s, "unseeing", "idm_people_pii_read", "idm_group_admins", "idm_oauth2_admins")(true)
	for _, link := range []string{"recover", "login", "none", "code"} {
		w.config(everyone + strings.Replace(inviting, "  invitation {", "  invitation {\n    link = \""+link+"\"", 1))
		w.env["SELF_AUTH_ADMIN_TOKEN"] = whole
		w.run(exitDone, "invite", "-user", user, "-out", "one")
		w.run(exitDone, "invite", "-out", "all")
		w.env["SELF_AUTH_ADMIN_TOKEN"] = unseeing
		for _, plan := range []string{"one", "all"} {
			_, errs := w.run(exitRefused, "apply", plan)
			wants(t, strings.Join(strings.Fields(errs), " "), "idm_service_desk", "Nothing was changed")
		}
		_, errs := w.run(exitRefused, "invite", "-preview", user)
		wants(t, strings.Join(strings.Fields(errs), " "), "idm_people_admins")
	}
	if n := w.number("select count(*) from anthill_state.mails") + len(w.letters()); n != 0 || w.number("select count(*) from anthill_state.runs where kind = 'invite'") != 0 {
		t.Errorf("%d mails", n)
	}
	out, _ := w.run(exitDone, "status")
	wants(t, strings.Join(strings.Fields(out), " "), "Who has enrolled in Self-auth could not be seen", "?")
}
