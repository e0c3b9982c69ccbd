package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// TestWaysIn: who can no longer log in blocks a plan and a rollback, and who cannot log in already is counted apart, by who
// has really enrolled in Self-auth. All figures are counted by hand.
func TestWaysIn(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			testWaysIn(t, newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s), newBrowser(t, s))
		})
	}
}

func testWaysIn(t *testing.T, w *world, b *browser) {
	// A password alone will do, or this test would have to be an authenticator as well.
	const minimum = "/v1/group/idm_all_persons/_attr/credential_type_minimum"
	b.ok(b.do("PUT", minimum, b.token, []string{"any"}), nil)
	t.Cleanup(b.http.CloseIdleConnections)
	defer func() { b.ok(b.do("PUT", minimum, b.token, []string{"mfa"}), nil) }()

	// One hash is gone, one is a placeholder, one is empty; and one user had a person, and nothing else, before us.
	const usual = `role = 'user' and status = 'active' and deleted_at is null and email ~ '^[a-z0-9.]+@[a-z0-9.]+$'
		and password_hash is not null and {idp}_user_id is null`
	before := providers.NewPerson{ID: uuid.New(), Name: "before-" + uuid.NewString()[:8], Display: "Before", Mail: "before@before.example"}
	must(t, w.api.Accounts().Create(t.Context(), []providers.NewPerson{before}))
	defer func() { must(t, w.api.Accounts().Delete(t.Context(), []uuid.UUID{before.ID})) }()
	b.enrol(before.ID)
	w.exec(`update users set password_hash = (array[null, '!', ''])[n], email_verified = true from
		(select user_id, row_number() over (order by user_id) as n from users where ` + usual + ` order by user_id limit 3) x
		where x.user_id = users.user_id`)
	w.exec(`update users set password_hash = null, {idp}_user_id = $1, {idp}_synced_at = now(), auth_method = '{value}' where user_id =
		(select max(user_id::text)::uuid from users where `+usual+`)`, before.ID)

	const bcrypt = `coalesce(password_hash, '') ~ '^\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}$'`
	const live = `users.status = 'active' and users.deleted_at is null and t.deleted_at is null`
	neither := func() int {
		return w.number(`select count(*) from users join tenants t using (tenant_id) where ` + live +
			` and (t.status <> 'active' or not ` + bcrypt + `)`)
	}
	said := func(n int) string { return fmt.Sprintf("%d live users can log in neither now nor after this plan", n) }

	w.config(withApp)
	out, _ := w.run(exitDone, "plan")
	// The one who was there before us is enrolled, and joins its group by this plan.
	wants(t, out, said(neither()-1), "Nobody loses a way to log in.", "No hazards.")
	w.run(exitDone, "apply", "-auto-approve")
	defer func() { w.allowing("rollback", "-delete-persons", "-auto-approve") }()
	out, _ = w.run(exitDone, "plan")
	wants(t, out, said(neither()-1))

	// One of them enrols.
	var person, user uuid.UUID
	if err := w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id, user_id from users
		where password_hash = '!' and {idp}_user_id is not null`)).Scan(&person, &user); err != nil {
		t.Fatal(err)
	}
	b.enrol(person)
	out, _ = w.run(exitDone, "plan")
	wants(t, out, said(neither()-2), "Nobody loses a way to log in.")

	// Users leave their last group: all count, and those are told who have nothing else.
	narrow := strings.Replace(withApp, "members { all = true }", `members { roles = ["admin", "super_admin", "manager", "viewer"] }`, 1)
	w.config(narrow)
	homeless := w.number(`select count(*) from users join tenants t using (tenant_id) where {idp}_user_id is not null and role = 'user'
		and t.status = 'active' and ` + live)
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "Users lose a way to log in: see LOCKS_OUT_USERS", fmt.Sprintf("%d moved users leave the last group", homeless),
		"2 of these users have no password to fall back on")
	w.exec(`update users set password_hash = (select password_hash from users where `+bcrypt+` limit 1) where user_id = $1`, user)
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "1 of these users has no password to fall back on")
	w.exec(`update users set password_hash = '!' where user_id = $1`, user)
	w.config(withApp)

	// A rollback would put the one who was there before us out of its only group, and leaves the other who has nothing else.
	out, _ = w.run(exitBlocked, "rollback", "-out", "back")
	wants(t, out, "LOCKS_OUT_USERS=1", "1 user could no longer log in: no usable password and no group", "1 user is in conflict")
	if out, _ = w.run(exitBlocked, "apply", "back"); strings.Contains(out, "Run ") {
		t.Errorf("a blocked rollback was carried out:\n%s", out)
	}
	must(t, w.api.Accounts().Expire(t.Context(), []uuid.UUID{before.ID}))
	if out, _ = w.run(exitDone, "rollback", "-out", "back"); !strings.Contains(out, "Nobody loses the last way to log in.") {
		t.Errorf("somebody who cannot log in is locked out:\n%s", out)
	}
	must(t, w.api.Accounts().Enable(t.Context(), []uuid.UUID{before.ID}))
	w.run(exitDone, "rollback", "-auto-approve", "-allow", "LOCKS_OUT_USERS=1")
}
