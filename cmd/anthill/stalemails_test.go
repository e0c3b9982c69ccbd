package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
)

// mailed is a world in which everybody who can be is moved and was invited, by mails in the world's folder, with reminders after four days.
func mailed(t *testing.T) (w *world, now *clock, users []string) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 2, Users: 12, Seed: 5}, emulator(t))
	now = w.clocked("2031-03-03 12:00")
	w.exec("update users set email_verified = true")
	w.config(everyone + reminding(inviting))
	w.run(exitDone, "apply", "-auto-approve")
	users = w.texts(w.spell("select user_id::text from users where {idp}_user_id is not null and status = 'active' order by user_id"))
	if len(users) < 6 {
		t.Fatalf("%d users", len(users))
	}
	return w, now, users
}

// reminding adds a reminder to the wave of inviting.
func reminding(config string) string {
	return strings.Replace(config, "  invitation {", "  reminder { after = \"4d\" }\n  invitation {", 1)
}

// mailsTo counts the mails of a user in the world's folder.
func (w *world) mailsTo(user string) int {
	w.t.Helper()
	return len(w.letters()[w.texts("select email from users where user_id = '" + user + "'")[0]])
}

// inDoubt has nobody know of the invitations of users.
func (w *world) inDoubt(users ...string) {
	w.t.Helper()
	w.exec("update anthill_state.mails set status = 'doubtful' where letter = 'invitation' and user_id = any($1)", users)
	w.exec("update users set migration_invited_at = null where user_id = any($1)", users)
}

// bounced records that the newest mail of a user came back.
func (w *world) bounced(user string) {
	w.t.Helper()
	w.comesBack("user_id = '" + user + "' order by chosen desc limit 1")
}

// invitationBounced records the same of its invitation.
func (w *world) invitationBounced(user string) {
	w.t.Helper()
	w.comesBack("user_id = '" + user + "' and letter = 'invitation'")
}

func (w *world) comesBack(which string) {
	w.t.Helper()
	id := w.texts("select id::text from anthill_state.mails where " + which)[0]
	must(w.t, os.WriteFile(filepath.Join(w.dir, "bounces"), []byte(id+" 5.1.1\n"), 0o600))
	out, _ := w.run(exitDone, "invite", "-bounced", "bounces")
	wants(w.t, out, "1 mail came back")
}

// TestMailsOfSavedPlans: a saved plan writes to nobody of whom the outbox says something else by now than when it was made: what was in
// doubt is settled, a newer mail was sent, the last one came back. All others of the plan have theirs.
func TestMailsOfSavedPlans(t *testing.T) {
	t.Parallel()
	doubts, reminds := []string{"invite", "-resend-doubtful"}, []string{"invite"}
	again := func(w *world, user string) { w.run(exitDone, "invite", "-user", user, "-auto-approve") }
	for name, c := range map[string]struct {
		plan      []string
		meanwhile func(w *world, user string)
		one       int  // mails that the user has in the end
		other     int  // another of the plan
		done      bool // the very mail of the plan was sent
	}{
		"in doubt, and settled":   {doubts, func(w *world, _ string) { w.run(exitDone, "invite", "-settle-doubtful") }, 1, 1, false},
		"in doubt, and came back": {doubts, (*world).bounced, 1, 2, false},
		"in doubt, and written to twice since": {doubts, func(w *world, user string) {
			again(w, user)
			again(w, user)
		}, 3, 2, true},
		"to be reminded, and written to":          {reminds, again, 2, 2, false},
		"to be reminded, and came back":           {reminds, (*world).bounced, 1, 2, false},
		"to be reminded by a plan, and came back": {[]string{"plan"}, (*world).bounced, 1, 2, false},
		"to be reminded by a plan, written to, and came back": {[]string{"plan"}, func(w *world, user string) {
			again(w, user)
			w.bounced(user)
		}, 2, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, now, users := mailed(t)
			if len(c.plan) == 2 {
				w.inDoubt(users[:2]...)
			} else {
				now.set("2031-03-08 12:00")
			}
			w.run(exitDone, append(slices.Clone(c.plan), "-out", "p")...)
			c.meanwhile(w, users[0])
			exit, says := exitRemainder, "or what it was sent, changed after the plan"
			if c.done {
				exit, says = exitDone, "1 done already"
			}
			out, _ := w.run(exit, "apply", "p")
			wants(t, strings.Join(strings.Fields(out), " "), says)
			if one, other := w.mailsTo(users[0]), w.mailsTo(users[1]); one != c.one || other != c.other {
				t.Errorf("%d mails to the user, want %d; %d to another of the plan, want %d\n%s", one, c.one, other, c.other, out)
			}
			before := w.outbox()
			w.run(exit, "apply", "p")
			if diff := cmp.Diff(before, w.outbox()); diff != "" {
				t.Errorf("applied again (-once +twice):\n%s", diff)
			}
		})
	}
}

// outbox are its mails, as they are.
func (w *world) outbox() []string {
	w.t.Helper()
	return w.texts("select id::text || status from anthill_state.mails order by 1")
}

// TestMailsOfStoppedRuns: what is settled, or comes back, while a run of mails is stopped is heeded when it goes on.
func TestMailsOfStoppedRuns(t *testing.T) {
	t.Parallel()
	settles := func(w *world, _ string) { w.run(exitDone, "invite", "-settle-doubtful") }
	for name, c := range map[string]struct {
		plan      []string
		meanwhile func(w *world, user string)
		exit      int
	}{
		"in doubt, and settled":         {[]string{"invite", "-resend-doubtful"}, settles, exitDone},
		"to be reminded, and came back": {[]string{"plan"}, (*world).invitationBounced, exitRemainder},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, now, users := mailed(t)
			var away atomic.Bool
			p := mailtest.Start(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
				if away.Load() {
					return mailtest.Answer{Reply: mailtest.Reply{Code: 530, Status: [3]int{5, 7, 0}, Text: "log in"}}
				}
				return mailtest.Accept
			}})
			w.env["MAIL_URL"] = p.URL
			w.config(everyone + strings.Replace(reminding(inviting), `provider "mail" { directory = "mails" }`, "", 1))
			one, want := users[0], 0
			if len(c.plan) == 2 {
				w.inDoubt(one)
			} else {
				now.set("2031-03-08 12:00")
				want = len(users) - 1
			}
			w.run(exitDone, append(slices.Clone(c.plan), "-out", "p")...)
			away.Store(true)
			w.run(exitStopped, "apply", "p")
			now.add(time.Minute)
			c.meanwhile(w, one)
			away.Store(false)
			w.run(c.exit, "apply", "p")
			to := w.texts("select email from users where user_id = '" + one + "'")[0]
			for _, m := range p.Accepted() {
				if m.To == to {
					t.Error("the user was written to all the same")
				}
			}
			if n := len(p.Accepted()); n != want {
				t.Errorf("%d mails, want %d", n, want)
			}
		})
	}
}
