package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"anthill/internal/sandbox"
)

const withRaise = withApp + `
auth_policy "alone" {
  method = "self_auth"
  from   = auth_policy.dual
}
wave "alone" {
  auth_policy = auth_policy.alone
  users { all = true }
  start { after = [wave.everyone] }
}
`

// TestRaise (L5, L8): of those who were moved, a wave of a policy with `from` raises who has enrolled in Self-auth; the others
// wait and keep their passwords. What the application sets back is told and left. A rollback of the wave gives back the
// method that there was, and nobody but those of the wave is touched.
func TestRaise(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	methods := func() string {
		var all string
		err := w.connect().QueryRow(t.Context(), w.spell(`select string_agg(user_id || auth_method || coalesce({idp}_user_id::text, '-') ||
			(password_hash is not null), ' ' order by user_id) from users`)).Scan(&all)
		must(t, err)
		return all
	}
	var start string
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select string_agg(user_id || auth_method || coalesce({idp}_user_id::text, '-') ||
		(password_hash is not null), ' ' order by user_id) from users`)).Scan(&start))
	w.config(withRaise)
	out, _ := w.run(exitDone, "plan")
	wants(t, out, "alone nobody whom its selectors match was moved under auth_policy dual")
	w.run(exitDone, "apply", "-auto-approve")
	linked := w.allLinked()

	// Nobody has enrolled: all wait, and nothing is to do.
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "Nothing to do", fmt.Sprintf("%d users wait until enrolled in Self-auth", linked))
	before := methods()

	var person, user uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id, user_id from users where {idp}_user_id is not null
		and role = 'user' and password_hash is not null order by user_id limit 1`)).Scan(&person, &user))
	b.enrol(person)
	out, _ = w.run(exitDone, "plan", "-out", "p")
	wants(t, out, "1 logs in through Self-auth alone from now on", "No hazards.", fmt.Sprintf("%d users wait until enrolled", linked-1),
		"1 user who is to log in through Self-auth alone still has a password hash")
	w.run(exitDone, "apply", "p")
	raised := `select count(*) from users where user_id = $1 and auth_method = '{value}' and password_hash is not null and {idp}_user_id = $2`
	if w.number(raised, user, person) != 1 || w.number(`select count(*) from users where auth_method = '{value}' and password_hash is not null`) != 1 {
		t.Error("another one was raised than who has enrolled")
	}
	w.run(exitDone, "apply", "p") // once more: it is done
	w.run(exitDone, "plan", "-detailed-exitcode")

	// The application sets the row back, as it does at each login through Self-auth.
	w.exec(`update users set auth_method = 'dual' where user_id = $1`, user)
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "Nothing to do", "1 row that logs in through Self-auth alone was set back to dual")
	w.exec(`update users set auth_method = '{value}' where user_id = $1`, user)

	// Who loses the person keeps the password: it waits.
	w.run(exitDone, "rollback", "-wave", "alone", "-auto-approve")
	if got := methods(); got != before {
		t.Errorf("after the rollback of the wave:\n%s\nbefore it:\n%s", got, before)
	}
	out, _ = w.run(exitDone, "plan", "-detailed-exitcode")
	wants(t, out, "Nothing to do")
	w.run(exitDone, "wave", "resume", "alone")
	w.exec(`update users set role = 'admin' where user_id = $1`, user)
	out, _ = w.run(exitDone, "plan")
	wants(t, out, "1 user waits for the next plan")
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "apply", "-auto-approve")
	if w.number(raised, user, person) != 1 {
		t.Error("it is not raised once the wave goes on")
	}

	// A rollback of the first wave gives the password back, whatever came after it.
	w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	w.exec(`update users set role = 'user' where user_id = $1`, user)
	if got := methods(); got != start {
		t.Errorf("after the rollback:\n%s\nat the start:\n%s", got, start)
	}
}

// TestRaiseLooksAgain: who has been expired or deleted since the plan, with the credential, keeps the password as a way to log in.
func TestRaiseLooksAgain(t *testing.T) {
	t.Parallel()
	for on, start := range servers(t) {
		t.Run(on, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
			b := newBrowser(t, s)
			b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
			w.config(withRaise)
			w.run(exitDone, "apply", "-auto-approve")
			rows, err := w.connect().Query(t.Context(), w.spell(`select {idp}_user_id from users where {idp}_user_id is not null
				and role = 'user' and password_hash is not null order by user_id limit 10`))
			must(t, err)
			persons, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
			must(t, err)
			for _, p := range persons {
				b.enrol(p)
			}
			out, _ := w.run(exitDone, "plan", "-out", "p")
			wants(t, out, fmt.Sprintf("%d log in through Self-auth alone from now on", len(persons)))
			must(t, w.api.Accounts().Expire(t.Context(), persons[:1]))
			must(t, w.api.Accounts().Delete(t.Context(), persons[9:])) // with its credential
			out, _ = w.run(exitRemainder, "apply", "p")
			wants(t, out, "2 changed meanwhile", "the password stays a way to log in")
			raised := w.number("select count(*) from users where auth_method = '{value}' and password_hash is not null")
			if left := w.number("select count(*) from users where auth_method <> '{value}' and {idp}_user_id = any($1)", []uuid.UUID{persons[0], persons[9]}); left != 2 || raised != 8 {
				t.Errorf("%d are raised, and %d of the two are not", raised, left)
			}
		})
	}
}

// TestPasswordUntil (L10): before the promised day nobody is raised, whatever else lets the wave start; on it they are, and
// status says who is still to be. Bringing the day forward is an edit that must be allowed.
func TestPasswordUntil(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	promised := func(until string) {
		w.config(strings.Replace(withRaise, `auth_policy "dual" { method = "dual" }`,
			"auth_policy \"dual\" {\n  method = \"dual\"\n  password_until = \""+until+"\"\n}", 1))
	}
	promised("2099-03-01")
	w.run(exitDone, "apply", "-auto-approve")
	var person uuid.UUID
	must(t, w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id from users where {idp}_user_id is not null
		and role = 'user' and password_hash is not null order by user_id limit 1`)).Scan(&person))
	b.enrol(person)
	raised := func() int {
		return w.number("select count(*) from users where auth_method = '{value}' and password_hash is not null")
	}
	out, _ := w.run(exitDone, "plan", "-as-of", "2099-02-28T23:59:59Z")
	wants(t, out, "the password is promised until 2099-03-01 00:00 UTC", "Nothing to do")
	w.run(exitDone, "apply", "-auto-approve")
	if raised() != 0 {
		t.Error("somebody was raised before the promised day")
	}
	out, _ = w.run(exitDone, "plan", "-as-of", "2099-03-01T00:00:00Z")
	wants(t, out, "1 logs in through Self-auth alone from now on", "auth_policy.dual: password_until has passed (2099-03-01 00:00 UTC)")
	if strings.Contains(out, "LOOSENS_BRAKE") {
		t.Errorf("the day has come by itself:\n%s", out)
	}
	// Brought forward: what starts by that must be allowed.
	promised("2020-01-01")
	out = w.blockedBy(map[string]int{"LOOSENS_BRAKE": 1}, "plan", "-out", "p")
	wants(t, out, "the password is promised until 2099-03-01")
	w.run(exitDone, "apply", "p")
	if raised() != 1 {
		t.Error("nobody was raised after it was allowed")
	}
	out, _ = w.run(exitDone, "status")
	wants(t, out, "Overdue auth_policy.dual: password_until has passed (2020-01-01 00:00 UTC)")
}
