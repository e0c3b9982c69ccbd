package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"anthill/internal/sandbox"
)

// announced is a configuration of one wave of all users that is announced, to administrators or users, and starts on a date.
func announced(to string) string {
	return strings.Replace(inviting, "  invitation {", `  start { at = "2031-03-10T09:00:00Z" }
  announcement {
    to       = "`+to+`"
    before   = "72h"
    template = "soon.md"
    from     = "Anthill <noreply@anthill.example>"
    support  = "help@anthill.example"
  }
  invitation {`, 1)
}

// announcedWorld is a world with such a configuration, before the date.
func announcedWorld(t *testing.T, to string) (*world, *clock) {
	t.Helper()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 5}, emulator(t))
	now := w.clocked("2031-03-03 12:00")
	w.exec("update users set email_verified = true, full_name = case when role = 'user' then full_name else $1 end", "Eve\r\nBcc: eve@evil.example\r\n\r\n<script>x</script>")
	must(t, os.WriteFile(filepath.Join(w.dir, "soon.md"), []byte("Subject: Soon, {{.Name}}\n\nHello {{.Name}} of {{.Tenant}}, ask {{.Support}}.\n"), 0o600))
	w.config(everyone + announced(to))
	return w, now
}

// announcements counts the mails of an announcement that lie in the world's folder, by recipient.
func (w *world) announcements() map[string]int {
	n := map[string]int{}
	for to, list := range w.letters() {
		for _, l := range list {
			if strings.HasPrefix(l, "Soon, ") {
				n[to]++
			}
		}
	}
	return n
}

// A header that a name has made, or a program in HTML, where a line break within is one of the encoding.
var injected = regexp.MustCompile(`(?mi)^bcc:|<p>[^<]*<script`)

// TestAnnounce: a wave is announced once, some days before, to its users or to who administers their tenants, by plans that do nothing
// else; then it starts. No announcement holds a code.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	for to, who := range map[string]string{"users": "true", "tenant_admins": "role in ('admin', 'super_admin', 'owner')"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			w, now := announcedWorld(t, to)
			live := "status = 'active' and deleted_at is null and email <> 'system@anthill.local' and tenant_id in (select tenant_id from tenants where status = 'active' and deleted_at is null)"
			want := w.number("select count(*) from users where " + live + " and " + who)
			w.run(exitDone, "apply", "-auto-approve")
			if n := len(w.letters()); n != 0 {
				t.Fatalf("%d mails a week before", n)
			}
			now.set("2031-03-08 12:00")
			out, _ := w.run(exitDone, "plan")
			wants(t, out, fmt.Sprintf("%d announcements", want))
			preview, _ := w.run(exitDone, "invite", "-preview", w.texts("select email from users where " + live + " and " + who + " order by user_id limit 1")[0], "-announcement")
			wants(t, preview, "Soon, ", "help@anthill.example")
			w.run(exitDone, "plan", "-out", "first")
			w.run(exitDone, "plan", "-out", "second")
			w.run(exitDone, "apply", "second")
			check := func() {
				t.Helper()
				if got := w.announcements(); len(got) != want || want == 0 {
					t.Errorf("announced to %d, want %d", len(got), want)
				}
				for to, n := range w.announcements() {
					if n != 1 {
						t.Errorf("%s has %d announcements", to, n)
					}
				}
			}
			check()
			files, err := filepath.Glob(filepath.Join(w.dir, "mails", "*.eml"))
			must(t, err)
			for _, name := range files {
				b, err := os.ReadFile(name)
				must(t, err)
				if injected.Match(b) {
					t.Errorf("a name has become a header or a program:\n%s", b)
				}
			}
			for _, list := range w.letters() {
				if len(list) != 1 || codeInMail.MatchString(list[0]) {
					t.Errorf("before the wave has started: %v", list)
				}
			}
			w.run(exitDone, "apply", "first")
			check()
			if n := w.number("select count(*) from users where {idp}_user_id is not null or migration_invited_at is not null"); n != 0 {
				t.Errorf("%d are moved or invited", n)
			}
			user := w.texts("select user_id::text from anthill_state.mails where letter = 'announcement' limit 1")[0]
			out, _ = w.run(exitDone, "explain", user)
			wants(t, out, "an announcement of wave everyone: taken by the server")
			now.set("2031-03-10 12:00")
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "apply", "-auto-approve")
			check()
			moved := w.number("select count(*) from users where {idp}_user_id is not null")
			if n := w.number("select count(*) from users where migration_invited_at is not null"); n != moved || moved == 0 {
				t.Errorf("%d of %d are invited", n, moved)
			}
			w.run(exitDone, "rollback", "-wave", "everyone", "-auto-approve")
			w.run(exitDone, "wave", "resume", "everyone")
			out, _ = w.run(exitBlocked, "plan")
			if strings.Contains(out, "announcement") {
				t.Errorf("announced again after a rollback:\n%s", out)
			}
		})
	}
}

// TestTwoPlansOfMails: of two plans that were made with the same mails and applied one after the other, the second sends none.
func TestTwoPlansOfMails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 20, Seed: 5}, emulator(t))
	now := w.clocked("2031-03-03 12:00")
	w.exec("update users set email_verified = true")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	moved := w.number("select count(*) from users where {idp}_user_id is not null and status = 'active'")
	w.config(everyone + strings.Replace(inviting, "  invitation {", "  reminder { after = \"4d\" }\n  invitation {", 1))
	each := func(want int) {
		t.Helper()
		if n := len(w.letters()); n != moved {
			t.Errorf("%d have mails, of %d", n, moved)
		}
		for to, list := range w.letters() {
			if len(list) != want {
				t.Errorf("%s has %d mails, want %d", to, len(list), want)
			}
		}
	}
	allow := fmt.Sprintf("SENDS_MAIL=%d", moved)
	w.run(exitDone, "plan", "-allow", allow, "-out", "a")
	w.run(exitDone, "plan", "-allow", allow, "-out", "b")
	w.run(exitDone, "invite", "-out", "c")
	for _, plan := range []string{"b", "a", "c"} {
		w.run(exitDone, "apply", plan)
		each(1)
	}
	now.set("2031-03-08 12:00")
	w.run(exitDone, "plan", "-out", "d")
	w.run(exitDone, "invite", "-out", "e")
	for _, plan := range []string{"e", "d"} {
		w.run(exitDone, "apply", plan)
		each(2)
	}
}
