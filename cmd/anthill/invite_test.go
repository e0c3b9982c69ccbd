package main

import (
	"fmt"
	"io"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/planner/plan"
)

const inviting = `
provider "mail" { directory = "mails" }
wave "everyone" {
  auth_policy = auth_policy.dual
  users { all = true }
  invitation {
    from    = "Anthill <noreply@anthill.example>"
    support = "help@anthill.example"
  }
}
`

// letters are the mails that lie in the world's folder, by recipient.
func (w *world) letters() map[string][]string {
	w.t.Helper()
	all := map[string][]string{}
	files, err := filepath.Glob(filepath.Join(w.dir, "mails", "*.eml"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			w.t.Fatal(err)
		}
		m, err := mail.ReadMessage(f)
		if err != nil {
			w.t.Fatal(err)
		}
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 1 {
			w.t.Fatalf("%s: to %v, %v", name, to, err)
		}
		body, err := io.ReadAll(m.Body)
		f.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		subject, err := (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject"))
		if err != nil {
			w.t.Fatal(err)
		}
		all[to[0].Address] = append(all[to[0].Address], subject+"\n\n"+string(body))
	}
	return all
}

var codeInMail = regexp.MustCompile(`[a-zA-Z0-9]{5}-[a-zA-Z0-9]{5}-[a-zA-Z0-9]{5}-[a-zA-Z0-9]{5}`)

// TestInvite: who is moved is sent a mail with a code of its own, with which it enrols; it counts as invited, and nobody is sent two.
func TestInvite(t *testing.T) {
	t.Parallel()
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 5}, s)
			w.exec("update users set email_verified = true")
			w.config(everyone + inviting)
			w.run(exitDone, "plan", "-out", "plan")
			_, errs := w.run(exitDone, "apply", "plan")
			moved := w.number("select count(*) from users where {idp}_user_id is not null")
			wants(t, errs, fmt.Sprintf("%d mails", moved))
			letters := w.letters()
			codes := map[string]bool{}
			for to, list := range letters {
				if len(list) != 1 {
					t.Errorf("%d mails to one address", len(list))
				}
				code := codeInMail.FindString(list[0])
				if code == "" || codes[code] {
					t.Errorf("no code of its own in the mail to %s:\n%s", to, list[0])
				}
				codes[code] = true
			}
			if len(letters) != moved || moved == 0 {
				t.Errorf("%d mails for %d users", len(letters), moved)
			}
			if n := w.number("select count(*) from users where migration_invited_at is not null"); n != moved {
				t.Errorf("%d invited of %d", n, moved)
			}
			out, _ := w.run(exitDone, "apply", "-auto-approve")
			if len(w.letters()) != moved || !strings.Contains(out, "Nothing to do") {
				t.Errorf("applied again:\n%s", out)
			}
			for code := range codes {
				w.browse().enrolBy(code)
				break
			}
			list, err := w.api.Directory().Enrolled(t.Context())
			must(t, err)
			if n := w.number("select count(*) from users where {idp}_user_id = any($1)", list); n != 1 {
				t.Errorf("%d have enrolled", n)
			}
		})
	}
}

// mailing applies with the hazards allowed that a plan is blocked by.
func (w *world) mailing(hazards map[plan.HazardCode]int) {
	w.t.Helper()
	out, _ := w.run(exitBlocked, "plan")
	args := []string{"plan", "-out", "allowed"}
	for code, n := range hazards {
		flag := fmt.Sprintf("%s=%d", code, n)
		if !strings.Contains(out, "-allow "+flag) {
			w.t.Fatalf("no %s in\n%s", flag, out)
		}
		args = append(args, "-allow", flag)
	}
	w.run(exitDone, args...)
	w.run(exitDone, "apply", "allowed")
}

// TestInviteLate: users who were moved before there was an invitation are written to once that is allowed, or asked for. Nobody is who
// is suspended, has enrolled, is paused, or has changed since the plan; who is rolled back is not invited any more, and resumed it is
// only with leave.
func TestInviteLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 5}, emulator(t))
	w.exec("update users set email_verified = true")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	active := "{idp}_user_id is not null and status = 'active'"
	moved := w.number("select count(*) from users where " + active)
	ids := w.texts(w.spell("select user_id::text from users where " + active + " and role = 'user' and tenant_id = (select tenant_id from tenants where slug = 'acme') order by user_id"))
	suspended, enrolled, changed := ids[0], ids[1], ids[2]
	w.exec("update users set status = 'suspended' where user_id = $1", suspended)
	w.run(exitDone, "apply", "-auto-approve")
	b := w.browse()
	enrol := func(user string) {
		t.Helper()
		b.enrol(uuid.MustParse(w.texts(w.spell("select {idp}_user_id::text from users where user_id = '" + user + "'"))[0]))
	}
	enrol(enrolled)
	w.config(everyone + inviting)
	due := moved - 2
	w.exec("update users set email_verified = false where user_id = any($1)", ids[4:7])
	out, _ := w.run(exitBlocked, "plan")
	for _, want := range []string{fmt.Sprintf("SENDS_MAIL=%d", due), "LINK_TO_UNVERIFIED=3", fmt.Sprintf("%d invitations with a one-time code for users moved before; 3 to addresses", due)} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
	// A token that only reads is enough to plan.
	planID := regexp.MustCompile("Plan ID +[0-9a-f]{64}")
	idOf := func() string {
		t.Helper()
		out, _ := w.run(exitBlocked, "plan")
		return planID.FindString(out)
	}
	id := idOf()
	w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_READ_TOKEN"] = w.env["SELF_AUTH_READ_TOKEN"], w.env["SELF_AUTH_ADMIN_TOKEN"]
	if got := idOf(); got != id || id == "" {
		t.Errorf("planned by a token that only reads it is another plan: %s, %s", got, id)
	}
	w.env["SELF_AUTH_ADMIN_TOKEN"], w.env["SELF_AUTH_READ_TOKEN"] = w.env["SELF_AUTH_READ_TOKEN"], w.env["SELF_AUTH_ADMIN_TOKEN"]
	// Who has changed since the plan is left; the others are written to.
	w.run(exitBlocked, "invite", "-out", "p")
	w.run(exitDone, "invite", "-out", "p", "-allow", "LINK_TO_UNVERIFIED=3")
	w.exec("update users set email = 'new@acme.example' where user_id = $1", changed)
	w.run(exitDone, "wave", "pause", "everyone", "-tenant", "globex", "-reason", "not yet")
	out, _ = w.run(exitRemainder, "apply", "p")
	page, _ := w.run(exitDone, "show", "-run", w.latest())
	paused := w.number("select count(*) from users join tenants t using (tenant_id) where t.slug = 'globex' and users.status = 'active' and {idp}_user_id is not null")
	if n := len(w.letters()); n != due-1-paused {
		t.Errorf("%d mails, want %d:\n%s", n, due-1-paused, out)
	}
	wants(t, page, "invite", fmt.Sprintf("%d mails planned: %d taken by the server", due, due-1-paused))
	_, errs := w.run(exitError, "rollback", "-run", w.latest(), "-auto-approve")
	wants(t, errs, "Mails cannot be taken back")
	if invited := w.number("select count(*) from users where migration_invited_at is not null"); invited != due-1-paused {
		t.Errorf("%d invited", invited)
	}
	w.run(exitDone, "apply", "-auto-approve", "-exclude", "wave=everyone") // the address follows
	w.run(exitDone, "wave", "resume", "everyone", "-tenant", "globex")
	w.mailing(map[plan.HazardCode]int{plan.SendsMail: paused + 1})
	if n := len(w.letters()); n != due {
		t.Errorf("%d mails, want %d", n, due)
	}
	for to, list := range w.letters() {
		if len(list) != 1 {
			t.Errorf("%s has %d mails", to, len(list))
		}
	}
	enrol(ids[7])
	out, _ = w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
	wants(t, out, fmt.Sprintf("%d users who are taken back were sent a one-time code less than a day ago", due-1)) // one has used it
	if n := w.number("select count(*) from users where migration_invited_at is not null"); n != 0 {
		t.Errorf("%d are invited after the rollback", n)
	}
	w.run(exitDone, "wave", "resume", "everyone")
	out, _ = w.run(exitBlocked, "plan")
	wants(t, out, "2 users to be moved have a credential in Self-auth already")
	w.mailing(map[plan.HazardCode]int{plan.SendsMail: due, plan.LinkToUnverified: 3})
	twice := 0
	for _, list := range w.letters() {
		if len(list) == 2 {
			twice++
		}
	}
	if twice != due {
		t.Errorf("%d of %d were invited once more", twice, due)
	}
	// Whoever had enrolled before is moved again, and told of the login.
	mail := w.letters()[w.texts("select email from users where user_id = '" + enrolled + "'")[0]]
	if len(mail) != 1 || codeInMail.MatchString(mail[0]) || !strings.Contains(mail[0], "Nothing to set up") {
		t.Errorf("the mail to who has enrolled:\n%v", mail)
	}
	if _, has := w.letters()[w.texts("select email from users where user_id = '" + suspended + "'")[0]]; has {
		t.Error("a mail to somebody who is suspended")
	}
	// No code was made but for a mail that went out.
	codes := map[string]bool{}
	for _, list := range w.letters() {
		for _, letter := range list {
			if code := codeInMail.FindString(letter); code != "" {
				codes[code] = true
			}
		}
	}
	if n := w.number("select count(*) from anthill_state.calls where doing = 'make a one-time code'"); n != len(codes) || n == 0 {
		t.Errorf("%d codes were made for %d mails with one", n, len(codes))
	}
}

// TestInviteAgain: reminders, mails to one user, mails that came back, and those of which nobody knows.
func TestInviteAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 5}, emulator(t))
	now := time.Now()
	w.now = func() time.Time { return now }
	w.exec("update users set email_verified = true")
	with := strings.Replace(inviting, "    support =", "    subject = \"Welcome, {{.Name}}\"\n    support =", 1)
	with = strings.Replace(with, "  invitation {", "  reminder {\n    after = \"3d\"\n    every = \"7d\"\n    at_most = 2\n  }\n  invitation {", 1)
	w.config(everyone + with)
	w.exec("update user_profiles set language = 'de', timezone = 'Europe/Berlin' where user_id = (select user_id from users where role = 'user' and status = 'active' order by user_id limit 1)")
	w.run(exitDone, "apply", "-auto-approve")
	german := w.texts("select email from users where role = 'user' and status = 'active' order by user_id limit 1")[0]
	if list := w.letters()[german]; len(list) != 1 || !regexp.MustCompile(`until\s+20[0-9-]+ [0-9:]+ \(UTC\+0[12]:00\)`).MatchString(list[0]) {
		t.Errorf("not in the recipient's zone: %s", list)
	}
	users := w.texts(w.spell("select user_id::text from users where {idp}_user_id is not null order by user_id"))
	mails := func() (n int) {
		for _, list := range w.letters() {
			n += len(list)
		}
		return n
	}
	to := func(user string) []string {
		return w.letters()[w.texts("select email from users where user_id = '" + user + "'")[0]]
	}
	if n := mails(); n != len(users) || !strings.HasPrefix(to(users[0])[0], "Welcome, ") {
		t.Fatalf("%d mails for %d users: %s", n, len(users), to(users[0]))
	}
	b := w.browse()
	code := codeInMail.FindString(to(users[0])[0])
	b.enrolBy(code)
	for _, step := range []struct {
		after time.Duration
		more  int
	}{{2 * 24 * time.Hour, 0}, {3*24*time.Hour + time.Minute, len(users) - 1}, {0, 0}, {6 * 24 * time.Hour, 0},
		{25 * time.Hour, len(users) - 1}, {30 * 24 * time.Hour, 0}} {
		before := mails()
		now = now.Add(step.after)
		out, _ := w.run(exitDone, "apply", "-auto-approve")
		if n := mails() - before; n != step.more {
			t.Errorf("after %s: %d mails, want %d\n%s", step.after, n, step.more, out)
		}
	}
	// One user, once more, at most three times a day; who has enrolled is told of the login.
	one, before := users[1], mails()
	mail := w.texts("select email from users where user_id = '" + one + "'")[0]
	for _, name := range []string{one, mail, strings.ToUpper(mail)} {
		w.run(exitDone, "invite", "-user", name, "-auto-approve")
		now = now.Add(time.Minute)
	}
	_, errs := w.run(exitError, "invite", "-user", one, "-auto-approve")
	if n := mails() - before; n != 3 || !strings.Contains(errs, "3 mails in the last 24 hours") {
		t.Errorf("%d mails, and then %s", n, errs)
	}
	w.run(exitDone, "invite", "-user", users[0], "-auto-approve")
	if list := strings.Join(to(users[0]), "\n"); strings.Count(list, "<h2>Nothing to set up") != 1 || len(to(users[0])) != 2 {
		t.Errorf("not told of the login who has a credential:\n%s", list)
	}
	_, errs = w.run(exitError, "invite", "-user", "nobody@acme.example")
	wants(t, errs, "there is no such user")
	excluded := w.texts("select user_id::text from users where email = 'system@anthill.local'")
	if len(excluded) == 1 {
		_, errs = w.run(exitError, "invite", "-user", excluded[0])
		wants(t, errs, "is not moved under a wave that has an invitation")
	}
	// What it would look like, and a code to be read out.
	out, _ := w.run(exitDone, "invite", "-preview", one)
	wants(t, out, "Subject Welcome, ", standIn(out))
	_, errs = w.run(exitError, "invite", "-user", one, "-print")
	wants(t, errs, "stdout is no terminal")
	now = now.Add(25 * time.Hour)
	out, _ = w.run(exitDone, "invite", "-user", one, "-print", "-yes", "-reason", "on the telephone")
	if code := codeInMail.FindString(out); code == "" || strings.Contains(w.stateText(), code) {
		t.Errorf("the code is not there, or is kept: %s", out)
	}
	_, errs = w.run(exitError, "invite", "-user", users[0], "-print", "-yes")
	wants(t, errs, "has a credential in Self-auth already")
	if n := w.number("select count(*) from anthill_state.mails where letter = 'printed' and shown_to = 'tester@host' and reason = 'on the telephone'"); n != 1 {
		t.Errorf("%d codes are recorded as shown", n)
	}
	// A mail that came back: not invited, and not written to again by itself.
	back := users[2]
	id := w.texts("select id::text from anthill_state.mails where letter = 'invitation' and user_id = '" + back + "'")[0]
	if err := os.WriteFile(filepath.Join(w.dir, "bounces"), []byte("# from the relay\n"+id+" 5.1.1\n"+uuid.NewString()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ = w.run(exitDone, "invite", "-bounced", "bounces")
	wants(t, out, "1 mail came back")
	if w.number("select count(*) from users where migration_invited_at is null and {idp}_user_id is not null") != 1 {
		t.Error("who cannot be reached counts as invited")
	}
	out, _ = w.run(exitDone, "invite", "-bounced", "bounces")
	wants(t, out, "nothing was changed")
	// Mails in doubt are asked about, and not sent by themselves.
	w.exec("update anthill_state.mails set status = 'doubtful' where letter = 'invitation' and user_id = any($1)", users[3:5])
	w.exec("delete from anthill_state.mails where letter = 'reminder' and user_id = any($1)", users[3:5])
	w.exec("update users set migration_invited_at = null where user_id = any($1)", users[3:5])
	before = mails()
	out, _ = w.run(exitDone, "apply", "-auto-approve")
	wants(t, strings.Join(strings.Fields(out), " "), "of 2 users nobody knows whether their invitations were sent", "1 user is not written to, as an earlier mail")
	if mails() != before {
		t.Error("a mail in doubt was sent again")
	}
	w.exec("update anthill_state.mails set status = 'taken' where user_id = $1", users[4])
	w.run(exitDone, "invite", "-resend-doubtful", "-auto-approve")
	if n := mails() - before; n != 1 {
		t.Errorf("%d mails, want one once more", n)
	}
	w.exec("update anthill_state.mails set status = 'doubtful' where letter = 'invitation' and user_id = $1", users[5])
	w.exec("update users set migration_invited_at = null where user_id = $1", users[5])
	out, _ = w.run(exitDone, "invite", "-settle-doubtful")
	wants(t, out, "counts as sent now")
	if w.number("select count(*) from users where user_id = $1 and migration_invited_at is not null", users[5]) != 1 {
		t.Error("a mail that counts as sent, and nobody is invited")
	}
}

// standIn is what stands in a letter in the place of a code.
func standIn(text string) string {
	if codeInMail.MatchString(text) && strings.Contains(text, "xxxxx-xxxxx-xxxxx-xxxxx") {
		return "xxxxx-xxxxx-xxxxx-xxxxx"
	}
	return "a stand-in for the code"
}

// TestInviteMisused: flags of `invite` that do not go together are told before anything is asked.
func TestInviteMisused(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-preview and -bounced do different things": {"-preview", "a@b.example", "-bounced", "f"},
		"-reason belongs to -print":                 {"-reason", "x"},
		"-yes belongs to -print":                    {"-yes"},
		"-preview sends nothing: -out":              {"-preview", "a@b.example", "-out", "p"},
		"-settle-doubtful sends nothing: -as-of":    {"-settle-doubtful", "-as-of", "2027-01-01T00:00:00Z"},
		"name it with -user":                        {"-print", "-yes"},
		"-allow wants -reason TEXT":                 {"-print", "-yes", "-user", "a@b.example", "-allow", "admin"},
		"with -print there are enrolled and admin":  {"-print", "-yes", "-user", "a@b.example", "-allow", "SENDS_MAIL=1", "-reason", "x"},
		"leave out -wave":                           {"-user", "a@b.example", "-wave", "pilot"},
		"can be saved (-out)":                       {"-as-of", "2999-01-01T00:00:00Z"},
		"wants no arguments":                        {"a@b.example"},
	} {
		p, _, errs := alone(t)
		if status := p.run(t.Context(), append([]string{"anthill", "invite"}, args...)); status != exitError {
			t.Errorf("%v: exit status %d", args, status)
		}
		wants(t, errs.String(), want)
	}
}
