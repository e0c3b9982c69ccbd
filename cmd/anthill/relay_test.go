package main

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
)

// relayed is a world in which all are invited, by a relay that answers as a test says.
func relayed(t *testing.T, o mailtest.Options) (w *world, p *mailtest.Server) {
	t.Helper()
	w = newWorld(t, sandbox.Options{Tenants: 3, Users: 60, Seed: 11}, emulator(t))
	w.exec("update users set email_verified = true")
	p = mailtest.Start(t, o)
	w.env["MAIL_URL"] = p.URL
	w.config(everyone + strings.Replace(inviting, `provider "mail" { directory = "mails" }`, "", 1))
	return w, p
}

// became counts the mails of the outbox of a status.
func (w *world) became(status string) int {
	return w.number("select count(*) from anthill_state.mails where status = $1", status)
}

// TestRelayRefusesAll: a relay that refuses everybody makes nobody one who cannot be written to. The run says what it answers, and
// once it takes mails the same run goes on, and each has one.
func TestRelayRefusesAll(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]mailtest.Reply{
		"without a status": {Code: 550, Text: "go away"},
		"its policy":       {Code: 554, Status: [3]int{5, 7, 1}, Text: "relay access denied"},
		// As one that takes itself for the place where these addresses are.
		"as if of the mailbox": {Code: 550, Status: [3]int{5, 1, 1}, Text: "no such user"},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, at the end %t", name, late), func(t *testing.T) {
				t.Parallel()
				var mu sync.Mutex
				mended := false
				w, p := relayed(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
					mu.Lock()
					defer mu.Unlock()
					switch {
					case mended:
						return mailtest.Accept
					case late:
						return mailtest.Answer{Last: reply}
					}
					return mailtest.Answer{Reply: reply}
				}})
				w.run(exitDone, "plan", "-out", "p")
				out, errs := w.run(exitStopped, "apply", "p")
				wants(t, out, fmt.Sprintf("the server answers %d", reply.Code), "-test-to")
				if n := w.became("refused"); n != 0 {
					t.Errorf("%d users count as undeliverable:\n%s%s", n, out, errs)
				}
				moved := w.number("select count(*) from users where {idp}_user_id is not null")
				if n := w.became("chosen"); n != moved || moved < 20 {
					t.Errorf("%d mails of %d are still to be sent", n, moved)
				}
				mu.Lock()
				mended = true
				mu.Unlock()
				w.run(exitDone, "apply", "p")
				for id, n := range p.Counts() {
					if n != 1 {
						t.Errorf("%d mails with the id %s", n, id)
					}
				}
				if n := len(p.Accepted()); n != moved || w.became("taken") != moved {
					t.Errorf("%d mails for %d users, %d count as taken", n, moved, w.became("taken"))
				}
			})
		}
	}
}

// TestRelayGoesOn: where all addresses are wrong that are left, the run comes to its end: whoever is refused once more when it goes on
// counts as undeliverable, ten at most each time. What a relay says of itself makes nobody undeliverable, however often it is tried.
func TestRelayGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply mailtest.Reply
		ends  bool
	}{
		"no status":         {mailtest.Reply{Code: 550, Text: "no"}, true},
		"of the mailbox":    {mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "no such user"}, true},
		"a disabled one":    {mailtest.Reply{Code: 550, Status: [3]int{5, 2, 1}, Text: "disabled"}, true},
		"its policy":        {mailtest.Reply{Code: 554, Status: [3]int{5, 7, 1}, Text: "relay access denied"}, false},
		"more than enough":  {mailtest.Reply{Code: 550, Status: [3]int{5, 4, 5}, Text: "daily quota exceeded"}, false},
		"another each time": {mailtest.Reply{Code: 550}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tried atomic.Int64
			w, p := relayed(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
				tried.Add(1)
				if c.reply.Text == "" {
					return mailtest.Answer{Reply: mailtest.Reply{Code: 550 + m.Tries%4, Text: "no"}}
				}
				return mailtest.Answer{Reply: c.reply}
			}})
			w.run(exitDone, "plan", "-out", "p")
			w.run(exitStopped, "apply", "p")
			moved := w.number("select count(*) from users where {idp}_user_id is not null")
			if w.became("refused") != 0 || moved < 25 {
				t.Fatalf("%d of %d count as undeliverable at once", w.became("refused"), moved)
			}
			starts, most := 1, 1+(2*moved+9)/10
			for status := exitStopped; status == exitStopped && starts < most; starts++ {
				before, sent := w.became("refused"), tried.Load()
				var out string
				status, out, _ = w.try("apply", "p")
				if n := w.became("refused") - before; n > 10 && status == exitStopped || n > 20 {
					t.Fatalf("%d more count as undeliverable at once\n%s", n, out)
				}
				if n := tried.Load() - sent; n > 20 {
					t.Errorf("%d mails were tried at once", n)
				}
			}
			switch n := w.became("refused"); {
			case c.ends && (n != moved || w.became("chosen") != 0):
				t.Errorf("after %d starts %d of %d count as undeliverable, %d are to be sent", starts, n, moved, w.became("chosen"))
			case !c.ends && n != 0:
				t.Errorf("%d count as undeliverable", n)
			}
			if len(p.Accepted()) != 0 {
				t.Error("a mail was taken")
			}
		})
	}
}

// TestRelayTriesOthersFirst: when a run goes on that ten wrong addresses have stopped, whoever was not tried yet comes first, and once a
// mail is taken all is told apart.
func TestRelayTriesOthersFirst(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	wrong, tried, mended := map[string]bool{}, []string{}, false
	w, p := relayed(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		mu.Lock()
		defer mu.Unlock()
		if !mended {
			wrong[m.To] = true
		} else {
			tried = append(tried, m.To)
		}
		if wrong[m.To] {
			return mailtest.Answer{Reply: mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "no such user"}}
		}
		return mailtest.Accept
	}})
	w.run(exitDone, "plan", "-out", "p")
	out, _ := w.run(exitStopped, "apply", "p")
	wants(t, strings.Join(strings.Fields(out), " "), "refused once more", "at most 10")
	mu.Lock()
	mended = true
	mu.Unlock()
	w.run(exitRemainder, "apply", "p")
	right := w.number("select count(*) from users where {idp}_user_id is not null") - len(wrong)
	if len(wrong) < 10 || w.became("refused") != len(wrong) || w.became("taken") != right || len(p.Accepted()) != right || right < 10 {
		t.Errorf("%d refused of %d and %d taken of %d", w.became("refused"), len(wrong), w.became("taken"), right)
	}
	for i, to := range tried {
		if wrong[to] && i < right-sentTogether {
			t.Fatalf("mail %d of the second start is to somebody who was tried before", i)
		}
	}
}

// sentTogether is how many mails a run has on their way at a time.
const sentTogether = 4

// TestRelayRefusesUs: what a relay has against the sender or the account is nobody's fault who was to get a mail.
func TestRelayRefusesUs(t *testing.T) {
	t.Parallel()
	no := mailtest.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "not yours"}
	for name, c := range map[string]struct {
		options mailtest.Options
		says    string
		begun   bool // it shows only when a mail is handed over
	}{
		"the sender":  {mailtest.Options{Sender: no}, "name the sender to the mail server", true},
		"a login":     {mailtest.Options{User: "robot", Password: "another"}, "log in to the mail server", false},
		"the machine": {mailtest.Options{Greeting: mailtest.Reply{Code: 554, Text: "no mails from there", HangUp: true}}, "the server answers 554", false},
		"after all": {mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
			return mailtest.Answer{Reply: mailtest.Reply{Code: 530, Status: [3]int{5, 7, 0}, Text: "log in"}}
		}}, "The server wants a login", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := relayed(t, c.options)
			want := exitStopped
			if !c.begun {
				want = exitRefused
			}
			if c.options.User != "" {
				w.env["MAIL_PASSWORD"] = "one"
			}
			w.run(exitDone, "plan", "-out", "p")
			out, errs := w.run(want, "apply", "p")
			wants(t, out+errs, c.says)
			moved := w.number("select count(*) from users where {idp}_user_id is not null")
			if (moved > 0) != c.begun {
				t.Fatalf("%d users were moved", moved)
			}
			if c.begun && (w.became("chosen") != moved || w.became("refused") > 0) {
				t.Errorf("of %d mails %d are still to be sent, %d were refused", moved, w.became("chosen"), w.became("refused"))
			}
		})
	}
}

// TestRelayHasEnough: a relay that takes mails until it has enough stops the run; an address that is wrong counts as that.
func TestRelayHasEnough(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	left := 15
	wrong := map[string]bool{}
	w, p := relayed(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case wrong[m.To]:
			return mailtest.Answer{Reply: mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "no such user"}}
		case left == 0:
			return mailtest.Answer{Reply: mailtest.Reply{Code: 550, Status: [3]int{5, 4, 5}, Text: "daily quota exceeded"}}
		}
		left--
		return mailtest.Accept
	}})
	for _, to := range w.texts("select email from users where tenant_id = (select tenant_id from tenants where slug = 'acme')") {
		wrong[to] = true
	}
	w.run(exitDone, "plan", "-out", "p")
	out, _ := w.run(exitStopped, "apply", "p")
	wants(t, out, "the server answers 550 5.4.5")
	mu.Lock()
	left = 1000
	mu.Unlock()
	w.run(exitRemainder, "apply", "p")
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	of := w.number("select count(*) from users join tenants t using (tenant_id) where t.slug = 'acme' and {idp}_user_id is not null")
	if w.became("refused") != of || w.became("taken") != moved-of || of < 10 || len(p.Accepted()) != moved-of {
		t.Errorf("%d of %d mails were taken, %d refused; %d addresses are wrong", w.became("taken"), moved, w.became("refused"), of)
	}
}

// TestRelayRefusesFew: a few who are refused, and nobody else, are so by their addresses.
func TestRelayRefusesFew(t *testing.T) {
	t.Parallel()
	w, _ := relayed(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
		return mailtest.Answer{Reply: mailtest.Reply{Code: 550, Text: "no"}}
	}})
	w.exec("update users set status = 'suspended' where user_id not in (select user_id from users where status = 'active' order by user_id limit 9)")
	w.run(exitDone, "plan", "-out", "p")
	w.run(exitRemainder, "apply", "p")
	if n := w.became("refused"); n != w.number("select count(*) from users where {idp}_user_id is not null") || n == 0 {
		t.Errorf("%d were refused", n)
	}
}

// TestRelayRefusesDomain: a relay that sends to some and refuses others by its own rules marks nobody as undeliverable. Its run comes to an
// end, and once the relay is mended the next plan has each of those who are left, once.
func TestRelayRefusesDomain(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]mailtest.Reply{
		"relaying denied":  {Code: 554, Status: [3]int{5, 7, 1}, Text: "relay access denied"},
		"unable to relay":  {Code: 550, Status: [3]int{5, 7, 54}, Text: "unable to relay recipient in non-accepted domain"},
		"a sandbox":        {Code: 554, Text: "message rejected: address is not verified"},
		"routing":          {Code: 550, Status: [3]int{5, 4, 1}, Text: "access denied"},
		"nobody, of a few": {Code: 554, Status: [3]int{5, 7, 1}, Text: "relay access denied"},
	} {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, at the end %t", name, late), func(t *testing.T) {
				t.Parallel()
				var mended atomic.Bool
				own := map[string]bool{}
				w, p := relayed(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
					switch {
					case mended.Load() || own[m.To]:
						return mailtest.Accept
					case late:
						return mailtest.Answer{Last: reply}
					}
					return mailtest.Answer{Reply: reply}
				}})
				if name == "nobody, of a few" {
					w.exec("update users set status = 'suspended' where user_id not in (select user_id from users where status = 'active' order by user_id limit 9)")
				} else {
					for i, to := range w.texts("select email from users where status = 'active' order by user_id") {
						own[to] = i%2 == 0
					}
				}
				status, starts := exitStopped, 0
				for ; status == exitStopped && starts < 20; starts++ {
					status, _, _ = w.try("apply", "-auto-approve")
				}
				moved := w.number("select count(*) from users where {idp}_user_id is not null")
				if n := w.became("refused"); n != 0 || status != exitRemainder || w.became("later") == 0 || w.became("later")+w.became("taken") != moved {
					t.Fatalf("status %d after %d starts: of %d mails %d were taken, %d are for later, %d users count as undeliverable",
						status, starts, moved, w.became("taken"), w.became("later"), n)
				}
				mended.Store(true)
				w.run(exitDone, "apply", "-auto-approve")
				for id, n := range p.Counts() {
					if n != 1 {
						t.Errorf("%d mails with the id %s", n, id)
					}
				}
				if n := len(p.Accepted()); n != moved || w.became("taken") != moved {
					t.Errorf("%d mails for %d users, %d count as taken", n, moved, w.became("taken"))
				}
			})
		}
	}
}

// TestRelayLosesItsList: a relay that takes mails, and from some moment on says of every address that there is none, makes few users
// undeliverable: the run stops, and once the relay is mended all others have their mail.
func TestRelayLosesItsList(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	left := 8
	w, p := relayed(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
		mu.Lock()
		defer mu.Unlock()
		if left == 0 {
			return mailtest.Answer{Reply: mailtest.Reply{Code: 550, Status: [3]int{5, 1, 10}, Text: "recipient not found"}}
		}
		left--
		return mailtest.Accept
	}})
	out, _ := w.run(exitStopped, "apply", "-auto-approve")
	wants(t, out, "the server answers 550 5.1.10")
	moved, refused := w.number("select count(*) from users where {idp}_user_id is not null"), w.became("refused")
	// Ten, and those that were on their way together with the last one that was taken.
	if refused >= 10+sentTogether || w.became("taken") != 8 || moved < 30 {
		t.Errorf("of %d users %d count as undeliverable, %d mails were taken", moved, refused, w.became("taken"))
	}
	mu.Lock()
	left = 1000
	mu.Unlock()
	w.run(exitRemainder, "apply", "-auto-approve")
	if n := len(p.Accepted()); n != moved-refused || w.became("taken") != moved-refused {
		t.Errorf("%d mails for %d users, %d count as taken", n, moved-refused, w.became("taken"))
	}
}
