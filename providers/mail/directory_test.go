package mail

import (
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"anthill/providers"
)

// invitation is a mail as most tests send it.
func invitation(id string) providers.Mail {
	from := mail.Address{Name: "Anthill", Address: "noreply@anthill.example"}
	return providers.Mail{
		ID: MessageID(from, id), Sender: BounceAddress(from, id), From: from,
		To: mail.Address{Name: "Ada", Address: "ada@acme.example"}, Subject: "Your new login", Text: "Hello Ada.\n",
		HTML: "<p>Hello Ada.</p>\n", Date: time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC),
	}
}

func openIn(t *testing.T, dir string) providers.Mailer {
	t.Helper()
	m, err := Open(t.Context(), Settings{Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "mails")
	m := openIn(t, dir)
	first := invitation("a1")
	for range 2 {
		h, err := m.Send(t.Context(), first)
		if want := (providers.Handover{Verdict: providers.MailTaken}); err != nil || h != want {
			t.Fatalf("got %v, %v, want %v", h, err, want)
		}
		first.Text = "another text, of the second time"
	}
	for path, mode := range map[string]os.FileMode{dir: os.ModeDir | 0o700, filepath.Join(dir, "a1.eml"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, mode)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "a1.eml"))
	if err != nil || !strings.HasPrefix(string(text), "Return-Path: <noreply+anthill=a1@anthill.example>\r\n") ||
		!strings.Contains(string(text), "Hello Ada.") || strings.Contains(string(text), "another") {
		t.Errorf("%v, the file holds %s", err, text)
	}
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 1 {
		t.Errorf("files %v, %v", names, err)
	}
}
