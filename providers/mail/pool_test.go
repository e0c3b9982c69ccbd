package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/mailtest"
	"anthill/providers"
	"anthill/state"
)

func openTo(t *testing.T, s *mailtest.Server, settings Settings) *pool {
	t.Helper()
	settings.URL, settings.CAFile = s.URL, s.CAFile
	m, err := Open(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.(*pool)
}

// TestVerdicts: what became of a mail, for each way in which a server can answer it, and whether the server has it.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	taken := providers.Handover{Verdict: providers.MailTaken, Code: 250, Status: "2.0.0"}
	for name, c := range map[string]struct {
		answer func(mailtest.Mail) mailtest.Answer
		change func(*providers.Mail)
		want   providers.Handover
		has    int
	}{
		"taken":  {want: taken, has: 1},
		"slow":   {always(mailtest.Answer{Delay: 200 * time.Millisecond}), nil, taken, 1},
		"later":  {reply(451, 4, 3, 0), nil, providers.Handover{Verdict: providers.MailLater, Code: 451, Status: "4.3.0"}, 0},
		"greyed": {reply(450, 0, 0, 0), nil, providers.Handover{Verdict: providers.MailLater, Code: 450}, 0},
		"unknown": {reply(550, 5, 1, 1), nil,
			providers.Handover{Verdict: providers.MailRefused, Code: 550, Status: "5.1.1"}, 0},
		"of another class": {reply(550, 4, 1, 1), nil, providers.Handover{Verdict: providers.MailRefused, Code: 550}, 0},
		"policy": {reply(554, 5, 7, 1), nil,
			providers.Handover{Verdict: providers.MailRefused, Code: 554, Status: "5.7.1"}, 0},
		"later, at the end": {last(451, 4, 7, 1), nil,
			providers.Handover{Verdict: providers.MailLater, Code: 451, Status: "4.7.1"}, 0},
		"refused at the end": {last(554, 5, 7, 1), nil,
			providers.Handover{Verdict: providers.MailRefused, Code: 554, Status: "5.7.1"}, 0},
		"421 at the end": {last(421, 4, 3, 2), nil,
			providers.Handover{Verdict: providers.MailLater, Code: 421, Status: "4.3.2"}, 0},
		"taken, in other words": {last(251, 2, 1, 5), nil,
			providers.Handover{Verdict: providers.MailTaken, Code: 251, Status: "2.1.5"}, 0},
		"no answer at all": {last(354, 0, 0, 0), nil, providers.Handover{Verdict: providers.MailDoubtful, Code: 354}, 0},
		"before the dot": {always(mailtest.Answer{End: mailtest.BeforeDot}), big,
			providers.Handover{Verdict: providers.MailLater}, 0},
		"before the dot, once": {once(mailtest.Answer{End: mailtest.BeforeDot}), big, taken, 1},
		"after the dot, kept": {always(mailtest.Answer{End: mailtest.AfterTaking}), nil,
			providers.Handover{Verdict: providers.MailDoubtful}, 1},
		"after the dot, lost": {always(mailtest.Answer{End: mailtest.AfterLosing}), nil,
			providers.Handover{Verdict: providers.MailDoubtful}, 0},
		"hung up at the recipient, once": {once(mailtest.Answer{Reply: mailtest.Reply{HangUp: true}}), nil, taken, 1},
		"421 at the recipient, once":     {once(mailtest.Answer{Reply: mailtest.Reply{Code: 421, HangUp: true}}), nil, taken, 1},
		"421 at the recipient": {always(mailtest.Answer{Reply: mailtest.Reply{Code: 421, HangUp: true}}), nil,
			providers.Handover{Verdict: providers.MailLater, Code: 421}, 0},
		"no address": {nil, func(m *providers.Mail) { m.To.Address = "nobody" },
			providers.Handover{Verdict: providers.MailRefused}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.Start(t, mailtest.Options{Answer: c.answer})
			p := openTo(t, s, Settings{})
			m := invitation("a1")
			if c.change != nil {
				c.change(&m)
			}
			got, err := p.Send(t.Context(), m)
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("%v, (-want +got):\n%s", err, diff)
			}
			if n := s.Counts()[m.ID]; n != c.has {
				t.Errorf("the server has it %d times, want %d", n, c.has)
			}
			// A server that is not told so takes the next mail for a part of this one.
			if name == "unknown" && s.Resets() != 1 {
				t.Errorf("the mail was taken back %d times, want once", s.Resets())
			}
			// Whatever became of it, the next one goes its way.
			if c.answer == nil {
				got, err = p.Send(t.Context(), invitation("a2"))
				if diff := cmp.Diff(taken, got); diff != "" || err != nil {
					t.Errorf("the next one: %v, (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

func always(a mailtest.Answer) func(mailtest.Mail) mailtest.Answer {
	return func(mailtest.Mail) mailtest.Answer { return a }
}

// once is how a server answers a connection that it has had enough of: the first.
func once(a mailtest.Answer) func(mailtest.Mail) mailtest.Answer {
	return func(m mailtest.Mail) mailtest.Answer {
		if m.Tries == 1 {
			return a
		}
		return mailtest.Accept
	}
}

func reply(code int, status ...int) func(mailtest.Mail) mailtest.Answer {
	return always(mailtest.Answer{Reply: mailtest.Reply{Code: code, Status: [3]int(status), Text: "no"}})
}

func last(code int, status ...int) func(mailtest.Mail) mailtest.Answer {
	return always(mailtest.Answer{Last: mailtest.Reply{Code: code, Status: [3]int(status), Text: "no"}})
}

// big makes a mail longer than what systems send at once, so that a server can hang up in the middle.
func big(m *providers.Mail) { m.Text = strings.Repeat("Hello Ada, hello Ada.\n", 250_000) }

// cut is a connection that ends after so many more bytes of ours.
type cut struct {
	net.Conn
	left, sent int
}

func (c *cut) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	c.left, c.sent = c.left-n, c.sent+n
	if err == nil && n < len(p) {
		c.Close()
		err = net.ErrClosed
	}
	return n, err
}

// TestCutAnywhere: wherever a connection ends, byte by byte, nobody has the mail before its last byte is through, and
// we know it. After that we have an answer, or know that we do not.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	for name, encryption := range map[string]mailtest.Encryption{
		"plain": mailtest.Plain, "starttls": mailtest.StartTLS, "implicit": mailtest.Implicit,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.Start(t, mailtest.Options{Encryption: encryption})
			p := openTo(t, s, Settings{})
			msg, ok := compose(invitation("a1"))
			if !ok {
				t.Fatal("the mail cannot be written")
			}
			try := func(left int) (h providers.Handover, sent int, err error) {
				c, err := p.connect(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer c.quit()
				wire := &cut{Conn: c.wire.Conn, left: left}
				c.wire.Conn = wire
				h, err = c.hand(t.Context(), msg)
				return h, wire.sent, err
			}
			const noEnd = 1 << 20
			h, whole, err := try(noEnd)
			if err != nil || h.Verdict != providers.MailTaken {
				t.Fatalf("without a cut: %v, %v", h, err)
			}
			for left := 0; left < whole; left++ {
				if left > 10 && left < whole-40 && left%13 != 0 {
					continue
				}
				if h, _, err := try(left); !errors.Is(err, errLost) {
					t.Errorf("cut after %d of %d bytes: %v, %v", left, whole, h, err)
				}
			}
			if h, _, err := try(whole); err != nil || h.Verdict != providers.MailTaken {
				t.Errorf("cut behind the last byte: %v, %v", h, err)
			}
			if n := len(s.Accepted()); n != 2 {
				t.Errorf("the server has %d mails, want 2", n)
			}
		})
	}
}

// TestOneAndAll: a server that refuses some of many loses nothing of the others, and keeps its connection.
func TestOneAndAll(t *testing.T) {
	t.Parallel()
	const all = 300
	s := mailtest.Start(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		switch {
		case strings.HasPrefix(m.To, "later"):
			return mailtest.Answer{Reply: mailtest.Reply{Code: 451, Status: [3]int{4, 2, 2}, Text: "full"}}
		case strings.HasPrefix(m.To, "gone"):
			return mailtest.Answer{Last: mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "gone"}}
		case m.Nth >= 20:
			return mailtest.Answer{Reply: mailtest.Reply{Code: 421, Text: "enough of this connection", HangUp: true}}
		}
		return mailtest.Accept
	}})
	p := openTo(t, s, Settings{Connections: 2})
	got := map[providers.MailVerdict]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < all; i += 4 {
				m := invitation(fmt.Sprintf("m%d", i))
				switch i % 10 {
				case 3:
					m.To.Address = fmt.Sprintf("later%d@acme.example", i)
				case 7:
					m.To.Address = fmt.Sprintf("gone%d@acme.example", i)
				}
				h, err := p.Send(t.Context(), m)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got[h.Verdict]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	want := map[providers.MailVerdict]int{providers.MailTaken: 240, providers.MailLater: 30, providers.MailRefused: 30}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for id, n := range s.Counts() {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	if len(s.Accepted()) != 240 {
		t.Errorf("the server has %d mails", len(s.Accepted()))
	}
	if n := s.Connections(); n < 3 || n > 40 {
		t.Errorf("%d connections for %d mails, each good for 19", n, all)
	}
}

// TestEncrypted: how a server is reached and logged in to, and what is not done to reach one.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	const user, password = "robot@anthill.example", "s3cret-Pass"
	for name, c := range map[string]struct {
		server mailtest.Options
		change func(*mailtest.Server, *Settings)
		kind   state.ErrorKind // ErrorInvalid: it works
		says   string
	}{
		"plain":                                {server: mailtest.Options{}},
		"starttls":                             {server: mailtest.Options{Encryption: mailtest.StartTLS, User: user, Password: password}},
		"implicit":                             {server: mailtest.Options{Encryption: mailtest.Implicit, User: user, Password: password}},
		"login":                                {server: mailtest.Options{Encryption: mailtest.Implicit, User: user, Password: password, Logins: "LOGIN"}},
		"plain, to this machine, with a login": {server: mailtest.Options{User: user, Password: password}},
		"no way to log in": {
			server: mailtest.Options{Encryption: mailtest.Implicit, User: user, Password: password, Logins: "XOAUTH2"},
			kind:   state.ErrorUnauthenticated, says: "neither AUTH PLAIN nor AUTH LOGIN",
		},
		"wrong password": {
			server: mailtest.Options{Encryption: mailtest.StartTLS, User: user, Password: password},
			change: func(_ *mailtest.Server, s *Settings) { s.Password = "wr0ng" },
			kind:   state.ErrorUnauthenticated, says: "the server answers 535 5.7.8 Authentication failed",
		},
		"not trusted": {
			server: mailtest.Options{Encryption: mailtest.Implicit},
			change: func(_ *mailtest.Server, s *Settings) { s.CAFile = "" },
			kind:   state.ErrorUnreachable, says: "an authority that is not trusted here",
		},
		"another name": {
			server: mailtest.Options{Encryption: mailtest.StartTLS, Name: "mx.example.com"},
			kind:   state.ErrorUnreachable, says: "the server's certificate is for another name",
		},
		"no STARTTLS": {
			server: mailtest.Options{},
			change: func(_ *mailtest.Server, s *Settings) { s.CAFile = mailtest.CAFile(t) },
			kind:   state.ErrorUnreachable, says: "the server offers no STARTTLS",
		},
		"smtps to a server without": {
			server: mailtest.Options{},
			change: func(_ *mailtest.Server, s *Settings) { s.URL = strings.Replace(s.URL, "smtp:", "smtps:", 1) },
			kind:   state.ErrorUnreachable, says: "the server does not answer with TLS",
		},
		"no service": {
			server: mailtest.Options{Greeting: mailtest.Reply{Code: 554, Text: "No SMTP service here"}},
			kind:   state.ErrorDenied, says: "the server answers 554 No SMTP service here",
		},
		"busy": {
			server: mailtest.Options{Greeting: mailtest.Reply{Code: 421, Text: "Too busy"}},
			kind:   state.ErrorTransient, says: "the server answers 421 Too busy",
		},
		"hangs up": {
			server: mailtest.Options{Greeting: mailtest.Reply{HangUp: true}},
			kind:   state.ErrorUnreachable, says: "the server closed the connection",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mailtest.Start(t, c.server)
			settings := Settings{URL: s.URL, CAFile: s.CAFile, Password: c.server.Password}
			if c.change != nil {
				c.change(s, &settings)
			}
			m, err := Open(t.Context(), settings)
			if state.ErrorKindOf(err) != c.kind || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error %v, want one of kind %v that says %q", err, c.kind, c.says)
			}
			if err != nil {
				if strings.Contains(err.Error(), settings.Password) && settings.Password != "" {
					t.Errorf("the password is in %q", err)
				}
				return
			}
			defer m.Close()
			h, err := m.Send(t.Context(), invitation("a1"))
			if err != nil || h.Verdict != providers.MailTaken || len(s.Accepted()) != 1 {
				t.Errorf("%v, %v; the server has %d mails", h, err, len(s.Accepted()))
			}
			if c.server.User != "" && s.Logins() != 1 {
				t.Errorf("%d logins, want 1", s.Logins())
			}
		})
	}
}

// TestDenied: what a server has against us or the sender is an error, as it is said of every mail.
func TestDenied(t *testing.T) {
	t.Parallel()
	const rcpt = "ada@acme.example"
	for name, c := range map[string]struct {
		server mailtest.Options
		kind   state.ErrorKind // ErrorInvalid: it is about this mail
		want   providers.Handover
	}{
		"sender": {mailtest.Options{Sender: mailtest.Reply{Code: 550, Status: [3]int{5, 7, 1}, Text: "not yours"}},
			state.ErrorDenied, providers.Handover{}},
		"sender, for now": {mailtest.Options{Sender: mailtest.Reply{Code: 451, Status: [3]int{4, 7, 1}, Text: "not now"}},
			state.ErrorInvalid, providers.Handover{Verdict: providers.MailLater, Code: 451, Status: "4.7.1"}},
		"too big": {mailtest.Options{Sender: mailtest.Reply{Code: 552, Status: [3]int{5, 3, 4}, Text: "too big"}},
			state.ErrorInvalid, providers.Handover{Verdict: providers.MailRefused, Code: 552, Status: "5.3.4"}},
		"login wanted": {mailtest.Options{Answer: always(mailtest.Answer{Reply: mailtest.Reply{Code: 530,
			Status: [3]int{5, 7, 0}, Text: rcpt + " login first"}})}, state.ErrorUnauthenticated, providers.Handover{}},
		"sender, at the recipient": {mailtest.Options{Answer: always(mailtest.Answer{Reply: mailtest.Reply{Code: 550,
			Status: [3]int{5, 1, 8}, Text: rcpt + " no such domain"}})}, state.ErrorDenied, providers.Handover{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := openTo(t, mailtest.Start(t, c.server), Settings{})
			h, err := p.Send(t.Context(), invitation("a1"))
			if state.ErrorKindOf(err) != c.kind || h != c.want {
				t.Errorf("%v, %v; want kind %v, %v", h, err, c.kind, c.want)
			}
			if err != nil && strings.Contains(err.Error(), rcpt) {
				t.Errorf("the recipient is in %q", err)
			}
		})
	}
}

// TestInterrupted: a mail whose sending is broken off is had by nobody, or is waited for a little longer, and then
// doubtful.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ask, whole := make(chan struct{}), make(chan struct{})
	s := mailtest.Start(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		ask <- struct{}{}
		<-ask
		return mailtest.Answer{Whole: func() { whole <- struct{}{}; <-whole }}
	}})
	p := openTo(t, s, Settings{Connections: 1})
	p.to.patience.drain = 20 * time.Millisecond
	send := func(id string) (context.CancelFunc, chan error, *providers.Handover) {
		ctx, cancel := context.WithCancel(t.Context())
		done, got := make(chan error, 1), new(providers.Handover)
		go func() {
			var err error
			*got, err = p.Send(ctx, invitation(id))
			done <- err
		}()
		return cancel, done, got
	}
	// The recipient was named, and the mail not begun.
	cancel, done, _ := send("a1")
	<-ask
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("before the mail: %v", err)
	}
	ask <- struct{}{}
	// The mail is on its way or there; the server takes longer than we wait.
	cancel, done, got := send("a2")
	<-ask
	ask <- struct{}{}
	<-whole
	cancel()
	if err := <-done; err != nil || *got != (providers.Handover{Verdict: providers.MailDoubtful}) {
		t.Errorf("after the mail: %v, %v", *got, err)
	}
	whole <- struct{}{}
	// While another mail has the only connection, nothing has happened.
	_, first, _ := send("a3")
	<-ask
	cancel, done, _ = send("a4")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("in the queue: %v", err)
	}
	ask <- struct{}{}
	<-whole
	whole <- struct{}{}
	if err := <-first; err != nil {
		t.Error(err)
	}
	if counts := s.Counts(); counts[invitation("a1").ID] != 0 || counts[invitation("a4").ID] != 0 {
		t.Errorf("the server has %v", counts)
	}
}

// TestUnreachable: a server that goes away is an error of all, not of a mail.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{})
	p := openTo(t, s, Settings{})
	s.Stop()
	if _, err := p.Send(t.Context(), invitation("a1")); state.ErrorKindOf(err) != state.ErrorUnreachable {
		t.Errorf("%v", err)
	}
	if _, err := Open(t.Context(), Settings{URL: s.URL}); state.ErrorKindOf(err) != state.ErrorUnreachable {
		t.Errorf("%v", err)
	}
}

// TestIdle: a connection that has lain idle for long is not used again, and none outlives Close.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := mailtest.Start(t, mailtest.Options{})
	p := openTo(t, s, Settings{})
	for i := range 3 {
		if i == 2 {
			p.to.patience.idle = 0
		}
		ctx, cancel := context.WithCancel(t.Context())
		h, err := p.Send(ctx, invitation(fmt.Sprintf("a%d", i)))
		cancel() // which is nothing to the next mail, by the same connection
		if err != nil || h.Verdict != providers.MailTaken {
			t.Fatalf("%v, %v", h, err)
		}
	}
	if n := s.Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Send(t.Context(), invitation("b1")); err != nil {
		t.Error(err)
	}
	if p.idle != nil {
		t.Error("a connection was kept after Close")
	}
}

// TestTurns: mails to one domain keep their distance, those to others do not wait for them, and a wait ends with its
// ctx.
func TestTurns(t *testing.T) {
	t.Parallel()
	r := newRate(5)
	now := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	for i, want := range []time.Duration{0, 12 * time.Second, 24 * time.Second} {
		if got := r.take("acme.example", now); got != want {
			t.Errorf("turn %d in %v, want %v", i, got, want)
		}
	}
	if got := r.take("globex.example", now); got != 0 {
		t.Errorf("the other domain waits %v", got)
	}
	if got := r.take("acme.example", now.Add(time.Hour)); got != 0 {
		t.Errorf("an hour later: %v", got)
	}
	for i := range 5000 {
		r.take(fmt.Sprintf("d%d.example", i), now.Add(time.Duration(i)*time.Minute))
	}
	if len(r.next) > 1100 {
		t.Errorf("%d domains are kept", len(r.next))
	}
	synctest.Test(t, func(t *testing.T) {
		r, began := newRate(60), time.Now()
		for range 3 {
			if err := r.turn(t.Context(), "acme.example"); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("three mails took %v", took)
		}
	})
	dir, err := Open(t.Context(), Settings{Directory: t.TempDir(), PerMinute: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	to := mail.Address{Address: "ada@Acme.example"}
	if err := dir.Turn(ctx, to); err != nil {
		t.Error(err)
	}
	cancel()
	if err := dir.Turn(ctx, to); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled turn: %v", err)
	}
}
