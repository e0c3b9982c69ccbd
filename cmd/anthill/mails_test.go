package main

import (
	"strings"
	"sync/atomic"
	"testing"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
)

// TestMailsOfSteps: a pause of a wave with steps stops the mails of all of them that are still to be sent, and codes are shown to
// nobody of it. By the wave's name all its steps are written to.
func TestMailsOfSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 40, Seed: 11}, emulator(t))
	w.exec("update users set email_verified = true")
	var taken atomic.Int64
	paused := make(chan struct{})
	p := mailtest.Start(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
		return mailtest.Answer{Whole: func() {
			switch n := taken.Add(1); {
			case n == 5:
				w.run(exitDone, "wave", "pause", "everyone", "-reason", "not yet")
				close(paused)
			case n > 5:
				<-paused
			}
		}}
	}})
	w.env["MAIL_URL"] = p.URL
	steps := strings.Replace(inviting, "  users { all = true }\n", "  users { all = true }\n  steps = [50, 100]\n", 1)
	w.config(everyone + strings.Replace(steps, `provider "mail" { directory = "mails" }`, "", 1))
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "not sent after all", "while the wave is paused")
	sent := len(p.Accepted())
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if sent < 5 || sent > 5+4 || moved < 30 {
		t.Fatalf("%d mails to %d users, though the wave is paused", sent, moved)
	}
	left := w.texts("select user_id::text from anthill_state.mails where status = 'withdrawn' order by user_id")
	_, errs := w.run(exitError, "invite", "-user", left[0], "-print", "-yes", "-allow", "admin", "-reason", "on the phone")
	wants(t, errs, "is paused there")
	w.run(exitDone, "wave", "resume", "everyone")
	out, _ = w.run(exitDone, "invite", "-preview", left[0], "-wave", "everyone")
	wants(t, out, "Wave everyone[50], link code")
	w.run(exitDone, "invite", "-wave", "everyone", "-auto-approve")
	if n := len(p.Accepted()); n != moved {
		t.Errorf("%d mails to %d users", n, moved)
	}
}

// TestMailsOutsideWindow: a code is sent only where a working day of the window of its wave lies in the time for which it is good, unless
// somebody asks for one.
func TestMailsOutsideWindow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 1, Users: 12, Seed: 11}, emulator(t))
	now := w.clocked("2031-03-03 12:00") // a Monday
	w.exec("update users set email_verified = true")
	windowed := strings.Replace(inviting, "  invitation {", `  window {
    days = ["mon", "tue", "wed", "thu", "fri"]
    from = "09:00"
    to   = "17:00"
    zone = "UTC"
  }
  reminder { after = "4d" }
  invitation {`, 1)
	w.config(everyone + windowed)
	w.run(exitDone, "apply", "-auto-approve")
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	count := func() (n int) {
		for _, list := range w.letters() {
			n += len(list)
		}
		return n
	}
	if n := count(); n != moved || n == 0 {
		t.Fatalf("%d mails to %d users", n, moved)
	}
	now.set("2031-03-08 12:00")
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "not sent after all", "no working day of the wave's window")
	if n := count(); n != moved {
		t.Errorf("on a Saturday: %d mails to %d users", n, moved)
	}
	user := w.texts("select user_id::text from anthill_state.mails order by user_id")[0]
	w.run(exitDone, "invite", "-user", user, "-auto-approve")
	if n := count(); n != moved+1 {
		t.Errorf("asked for: %d mails to %d users", n, moved)
	}
	// Half of Monday is not enough; a whole one is.
	now.set("2031-03-09 12:00")
	w.run(exitRemainder, "apply", "-auto-approve")
	if n := count(); n != moved+1 {
		t.Errorf("on Sunday at noon: %d mails to %d users", n, moved)
	}
	now.set("2031-03-09 17:00")
	w.run(exitDone, "apply", "-auto-approve")
	if n := count(); n != 2*moved {
		t.Errorf("on Sunday in the evening: %d mails to %d users", n, moved)
	}
}

// TestMailsOfFriday: whoever is moved ten minutes before the weekend is written to when the window opens again.
func TestMailsOfFriday(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 1, Users: 12, Seed: 11}, emulator(t))
	now := w.clocked("2031-03-07 16:50") // a Friday
	w.exec("update users set email_verified = true")
	w.config(everyone + strings.Replace(inviting, "  invitation {", `  window {
    days = ["mon", "tue", "wed", "thu", "fri"]
    from = "08:00"
    to   = "17:00"
    zone = "UTC"
  }
  invitation {`, 1))
	out, _ := w.run(exitRemainder, "apply", "-auto-approve")
	wants(t, out, "no working day of the wave's window")
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if n := len(w.letters()); n != 0 || moved == 0 {
		t.Fatalf("%d mails to %d users on Friday evening", n, moved)
	}
	now.set("2031-03-10 08:00")
	w.run(exitDone, "apply", "-auto-approve")
	if n := len(w.letters()); n != moved {
		t.Errorf("%d mails to %d users on Monday", n, moved)
	}
}
