package mail

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/internal/mailtest"
	"anthill/providers"
)

// TestMessage: a mail reads as it was written, whatever is in its fields, and no field makes a header of its own.
func TestMessage(t *testing.T) {
	t.Parallel()
	const id = "a1@anthill.example"
	for name, c := range map[string]struct {
		change func(*providers.Mail)
		want   map[string]string // decoded
		path   string            // of the recipient; "": that of the invitation
		utf8   bool
	}{
		"plain": {func(*providers.Mail) {}, map[string]string{
			"Message-Id": "<a1@anthill.example>", "Auto-Submitted": "auto-generated", "Subject": "Your new login",
			"Date": "Mon, 07 Dec 2026 09:00:00 +0000", "From": `"Anthill" <noreply@anthill.example>`,
			"To": `"Ada" <ada@acme.example>`, "Mime-Version": "1.0", "Reply-To": "", "X-Mailer": "", "User-Agent": "",
		}, "", false},
		"reply to": {func(m *providers.Mail) { m.ReplyTo = mail.Address{Address: "help@anthill.example"} },
			map[string]string{"Reply-To": "<help@anthill.example>"}, "", false},
		"no name": {func(m *providers.Mail) { m.To.Name = "" }, map[string]string{"To": "<ada@acme.example>"}, "", false},
		"other letters": {func(m *providers.Mail) { m.To.Name, m.Subject = "Đặng Thị Hà", "Chào mừng 🔐" },
			map[string]string{"To": "Đặng Thị Hà <ada@acme.example>", "Subject": "Chào mừng 🔐"}, "", false},
		"signs": {func(m *providers.Mail) { m.To.Name = `Ada "the <first>", Lovelace; \o/` },
			map[string]string{"To": `"Ada \"the <first>\", Lovelace; \\o/" <ada@acme.example>`}, "", false},
		"injected": {func(m *providers.Mail) {
			m.To.Name, m.Subject = "Ada\r\nBcc: eve@evil.example", "Hello\r\nBcc: eve@evil.example\r\n\r\ntext\x00"
			m.From.Name = "Anthill\nX-Evil: yes"
		}, map[string]string{
			"To": `"Ada  Bcc: eve@evil.example" <ada@acme.example>`, "Subject": "Hello  Bcc: eve@evil.example    text",
			"Bcc": "", "X-Evil": "",
		}, "", false},
		"long subject": {func(m *providers.Mail) { m.Subject = strings.Repeat("a longer subject ", 20) + "ends" },
			map[string]string{"Subject": strings.Repeat("a longer subject ", 20) + "ends"}, "", false},
		"long, in other letters": {func(m *providers.Mail) { m.Subject = strings.Repeat("Thư mời đăng nhập ", 20) + "hết" },
			map[string]string{"Subject": strings.Repeat("Thư mời đăng nhập ", 20) + "hết"}, "", false},
		"international domain": {func(m *providers.Mail) { m.To.Address = "ada@Bücher.example" },
			map[string]string{"To": `"Ada" <ada@xn--bcher-kva.example>`}, "<ada@xn--bcher-kva.example>", false},
		"international mailbox": {func(m *providers.Mail) { m.To.Address = "đặng1@t1.example.org" },
			map[string]string{"To": `"Ada" <đặng1@t1.example.org>`}, "<đặng1@t1.example.org>", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := invitation("a1")
			m.ID = id
			c.change(&m)
			msg, ok := compose(m)
			if !ok {
				t.Fatal("it cannot be written")
			}
			if c.path == "" {
				c.path = "<ada@acme.example>"
			}
			if msg.to != c.path || msg.utf8 != c.utf8 {
				t.Errorf("recipient %s, needs UTF-8: %v", msg.to, msg.utf8)
			}
			again, _ := compose(m)
			if !bytes.Equal(msg.body, again.body) {
				t.Error("the same mail gives other bytes")
			}
			for line := range strings.Lines(string(msg.body)) {
				if !strings.HasSuffix(line, "\r\n") || len(line) > 80 {
					t.Errorf("line %q", line)
				}
			}
			back, err := mail.ReadMessage(bytes.NewReader(msg.body))
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range c.want {
				got, err := new(mime.WordDecoder).DecodeHeader(back.Header.Get(name))
				if err != nil || got != want {
					t.Errorf("%s is %q, %v; want %q", name, got, err, want)
				}
			}
		})
	}
}

// TestParts: both parts come out as they went in, line by line, with every sign; a mail without HTML has one part.
func TestParts(t *testing.T) {
	t.Parallel()
	m := invitation("a1")
	m.Text = "Xin chào 🔐,\n\n.\n..dots = and tabs\t\n" + strings.Repeat("long ", 60) + "\nFrom here\n"
	m.HTML = "<p>Xin chào 🔐</p>\n<p>a=b</p>\n"
	s := mailtest.Start(t, mailtest.Options{})
	p := openTo(t, s, Settings{})
	if h, err := p.Send(t.Context(), m); err != nil || h.Verdict != providers.MailTaken {
		t.Fatal(h, err)
	}
	back, err := mail.ReadMessage(bytes.NewReader(s.Accepted()[0].Raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, parameters, err := mime.ParseMediaType(back.Header.Get("Content-Type"))
	if kind != "multipart/alternative" || err != nil {
		t.Fatalf("%s, %v", kind, err)
	}
	parts := multipart.NewReader(back.Body, parameters["boundary"])
	for _, want := range []struct{ kind, text string }{
		{"text/plain; charset=UTF-8", m.Text}, {"text/html; charset=UTF-8", m.HTML},
	} {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(part) // quoted-printable is undone
		if got := part.Header.Get("Content-Type"); got != want.kind {
			t.Errorf("a part is %s, want %s", got, want.kind)
		}
		if diff := cmp.Diff(want.text, strings.ReplaceAll(string(text), "\r\n", "\n")); diff != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
	}
	if got := s.Accepted()[0]; got.Text() != m.Text || got.HTML() != m.HTML {
		t.Errorf("it reads %q and %q", got.Text(), got.HTML())
	}
	m.HTML = ""
	msg, _ := compose(m)
	if got := (mailtest.Mail{Raw: msg.body}); got.Text() != m.Text || got.HTML() != "" {
		t.Errorf("alone it reads %q and %q", got.Text(), got.HTML())
	}
	if !bytes.Contains(msg.body, []byte("Content-Type: text/plain; charset=UTF-8\r\n")) || bytes.Contains(msg.body, []byte("multipart")) {
		t.Errorf("without HTML:\n%s", msg.body)
	}
}

// TestUnwritable: what cannot be a mail is refused before anything is sent.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*providers.Mail){
		"no address":                   func(m *providers.Mail) { m.To.Address = "" },
		"no @":                         func(m *providers.Mail) { m.To.Address = "ada" },
		"no mailbox":                   func(m *providers.Mail) { m.To.Address = "@acme.example" },
		"no domain":                    func(m *providers.Mail) { m.To.Address = "ada@" },
		"a point behind it":            func(m *providers.Mail) { m.To.Address = "ada@acme.example." },
		"CR LF in the address":         func(m *providers.Mail) { m.To.Address = "ada\r\nRCPT TO:<eve@evil.example>@acme.example" },
		"NUL in the address":           func(m *providers.Mail) { m.To.Address = "ada\x00@acme.example" },
		"a second address":             func(m *providers.Mail) { m.To.Address = "ada@acme.example>,<eve@evil.example" },
		"a mailbox in quotes":          func(m *providers.Mail) { m.To.Address = "ada lovelace@acme.example" },
		"a blank in the domain":        func(m *providers.Mail) { m.To.Address = "ada@acme example" },
		"not UTF-8":                    func(m *providers.Mail) { m.To.Address = "ada\xff@acme.example" },
		"a mailbox too long":           func(m *providers.Mail) { m.To.Address = strings.Repeat("a", 65) + "@acme.example" },
		"an address too long":          func(m *providers.Mail) { m.To.Address = "a@" + strings.Repeat("abcdefgh.", 40) + "example" },
		"no sender":                    func(m *providers.Mail) { m.From.Address = "anthill" },
		"no envelope":                  func(m *providers.Mail) { m.Sender = "" },
		"CR LF in the envelope":        func(m *providers.Mail) { m.Sender = "a@b.example\r\nDATA" },
		"nobody to reply to":           func(m *providers.Mail) { m.ReplyTo.Address = "help" },
		"no id":                        func(m *providers.Mail) { m.ID = "" },
		"an id without a domain":       func(m *providers.Mail) { m.ID = "a1" },
		"an id with a line break":      func(m *providers.Mail) { m.ID = "a1@b\r\nBcc: eve@evil.example" },
		"an id with brackets":          func(m *providers.Mail) { m.ID = "a1@b>" },
		"a word too long for a header": func(m *providers.Mail) { m.Subject = strings.Repeat("a", 1100) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			m := invitation("a1")
			change(&m)
			h, err := openIn(t, dir).Send(t.Context(), m)
			if err != nil || h != (providers.Handover{Verdict: providers.MailRefused}) {
				t.Errorf("%v, %v", h, err)
			}
		})
	}
}

// TestUTF8Mailbox: a mailbox in other letters goes to a server that takes such, and is refused where it does not.
func TestUTF8Mailbox(t *testing.T) {
	t.Parallel()
	m := invitation("a1")
	m.To.Address = "đặng1@t1.example.org"
	s := mailtest.Start(t, mailtest.Options{})
	h, err := openTo(t, s, Settings{}).Send(t.Context(), m)
	if err != nil || h.Verdict != providers.MailTaken || s.Accepted()[0].To != m.To.Address {
		t.Errorf("%v, %v", h, err)
	}
	without := mailtest.Start(t, mailtest.Options{NoUTF8: true})
	h, err = openTo(t, without, Settings{}).Send(t.Context(), m)
	if err != nil || h != (providers.Handover{Verdict: providers.MailRefused, Status: "5.6.7"}) {
		t.Errorf("%v, %v", h, err)
	}
}
