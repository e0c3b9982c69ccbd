package main

import (
	"io"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"anthill/internal/sandbox"
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

// TestInvite: who is moved is sent a mail with a code of its own, and counts as invited; nobody is sent two.
func TestInvite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 5}, emulator(t))
	w.exec("update users set email_verified = true")
	w.config(everyone + inviting)
	out, _ := w.run(exitDone, "plan", "-out", "plan")
	t.Log(out)
	out, _ = w.run(exitDone, "apply", "plan")
	t.Log(out)
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
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
	out, _ = w.run(exitDone, "apply", "-auto-approve")
	if len(w.letters()) != moved || !strings.Contains(out, "Nothing to do") {
		t.Errorf("applied again:\n%s", out)
	}
}
