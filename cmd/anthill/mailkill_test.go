package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"anthill/internal/mailtest"
	"anthill/internal/sandbox"
	"anthill/state"
)

// How many mails TestMailsKilled sends, and how often its process is killed meanwhile.
var (
	mails = flag.Int("mails", 250, "mails of TestMailsKilled")
	kills = flag.Int("kills", 5, "times that it is killed")
)

// post is a mail server that goes wrong for some recipients, and kills a process at a given mail.
type post struct {
	*mailtest.Server
	offered atomic.Int64
	at      atomic.Int64 // kill when so many were offered
	whole   atomic.Bool  // once the whole mail has come, instead of before
	victim  atomic.Pointer[os.Process]
}

func (p *post) kill(n int64, whole bool) {
	if v := p.victim.Load(); v != nil && n >= p.at.Load() && p.whole.Load() == whole {
		_ = v.Kill()
	}
}

// fate says what becomes of the mails to an address, by a figure below 100 that is always the same.
func fate(to string) int {
	h := fnv.New32a()
	h.Write([]byte(to))
	return int(h.Sum32() % 100)
}

const (
	fateLater     = 6  // below: 451 at first
	fateRefused   = 10 // 550
	fateBeforeDot = 13 // the connection ends before the final dot, at first
	fateTaken     = 15 // after it: the server keeps the mail
	fateLost      = 17 // after it: the server does not
	fateSlow      = 22
)

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{}
	p.Server = mailtest.Start(t, mailtest.Options{Answer: func(m mailtest.Mail) mailtest.Answer {
		n := p.offered.Add(1)
		p.kill(n, false)
		a := mailtest.Answer{Whole: func() { p.kill(n, true) }}
		switch f := fate(m.To); {
		case f < fateLater && m.Tries == 1:
			a.Reply = mailtest.Reply{Code: 451, Status: [3]int{4, 7, 1}, Text: "greylisted"}
		case f < fateLater:
		case f < fateRefused:
			a.Reply = mailtest.Reply{Code: 550, Status: [3]int{5, 1, 1}, Text: "no such user"}
		case f < fateBeforeDot && m.Tries == 1:
			a.End = mailtest.BeforeDot
		case f < fateBeforeDot:
		case f < fateTaken:
			a.End = mailtest.AfterTaking
		case f < fateLost:
			a.End = mailtest.AfterLosing
		case f < fateSlow:
			a.Delay = 30 * time.Millisecond
		}
		return a
	}})
	return p
}

// TestMailsKilled: apply is killed again and again while it sends mails to a server at which all goes wrong that can. In the end
// nobody has two mails, and nobody is without one but those who are refused, and those who are listed as doubtful; all counts are
// right to the one. No code is in the state, in a plan or in what was said.
func TestMailsKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 8, Users: *mails, Seed: 11}, emulator(t))
	p := newPost(t)
	w.env["MAIL_URL"] = p.URL
	w.config(everyone + strings.Replace(inviting, `provider "mail" { directory = "mails" }`, "", 1))
	screen, _ := w.run(exitBlocked, "plan")
	allow := regexp.MustCompile("LINK_TO_UNVERIFIED=[0-9]+").FindString(screen)
	w.run(exitDone, "plan", "-allow", allow, "-out", "p")
	var said bytes.Buffer
	share := int64(*mails / (*kills + 2))
	for i := range *kills {
		p.whole.Store(i%2 == 1)
		p.at.Store(p.offered.Load() + 1 + rand.Int64N(share))
		cmd := w.command("apply", "p")
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		p.victim.Store(cmd.Process)
		err := cmd.Wait()
		p.victim.Store(nil)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("apply was not killed: %v\n%s", err, said.String())
		}
	}
	var out, errs bytes.Buffer
	program := w.program(&out, &errs)
	program.mailWaits = []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, time.Second}
	if status := program.run(t.Context(), []string{"anthill", "apply", "p"}); status != exitRemainder {
		t.Fatalf("exit status %d\n%s%s", status, out.String(), errs.String())
	}
	said.Write(out.Bytes())
	said.Write(errs.Bytes())
	got := w.checkMails(p)
	if got[state.MailChosen]+got[state.MailRendered]+got[state.MailLater]+got[state.MailWithdrawn] > 0 || got[state.MailRefused] == 0 {
		t.Errorf("mails %v", got)
	}
	for status, want := range map[state.MailStatus]string{
		state.MailTaken: "%d taken by the server", state.MailRefused: "%d refused for good",
		state.MailDoubtful: "%d of which nobody knows whether they were sent",
	} {
		if want := fmt.Sprintf(want, got[status]); !strings.Contains(strings.ReplaceAll(strings.Join(strings.Fields(out.String()), " "), ",", ""), want) {
			t.Errorf("not said: %s\n%s", want, out.String())
		}
	}
	w.checkNoCodes(p, said.Bytes())
	sent := len(p.Accepted())
	w.run(exitRemainder, "apply", "p")
	w.run(exitDone, "apply", "-auto-approve")
	if n := len(p.Accepted()); n != sent {
		t.Errorf("%d mails were sent by an apply that has nothing to do", n-sent)
	}
}

// checkMails compares the outbox with what the server has, mail by mail, and the rows with the outbox. It returns how many mails
// there are of each status.
func (w *world) checkMails(p *post) map[state.MailStatus]int {
	w.t.Helper()
	has, to := p.Counts(), map[string]int{}
	for _, m := range p.Accepted() {
		to[m.To]++
	}
	for address, n := range to {
		if n > 1 {
			w.t.Errorf("%s has %d mails", address, n)
		}
	}
	got := map[state.MailStatus]int{}
	rows, err := w.connect().Query(w.t.Context(), w.spell(`select m.id::text, m.status, u.email, u.migration_invited_at is not null
		from users u left join anthill_state.mails m on m.user_id = u.user_id where u.{idp}_user_id is not null`))
	if err != nil {
		w.t.Fatal(err)
	}
	var id, status *string
	var email string
	var invited bool
	_, err = pgx.ForEachRow(rows, []any{&id, &status, &email, &invited}, func() error {
		if id == nil {
			return fmt.Errorf("%s is moved, and not written to", email)
		}
		s := state.MailStatus(*status)
		got[s]++
		n := has[*id+"@anthill.example"]
		switch {
		case n > 1, s == state.MailTaken && n != 1, s == state.MailRefused && n != 0:
			w.t.Errorf("%s: the mail is %s, and the server has it %d times", email, s, n)
		case invited != (s == state.MailTaken):
			w.t.Errorf("%s: the mail is %s, and invited: %v", email, s, invited)
		}
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
	return got
}

// checkNoCodes looks for the codes that were sent in all that is kept: the state, plans, and what was said.
func (w *world) checkNoCodes(p *post, said []byte) {
	w.t.Helper()
	var kept bytes.Buffer
	kept.Write(said)
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			kept.Write(b)
		}
	}
	for _, table := range w.texts("select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'anthill_state' and c.relkind = 'r'") {
		for _, row := range w.texts("select to_jsonb(t)::text from anthill_state." + table + " t") {
			kept.WriteString(row)
		}
	}
	codes := 0
	for _, m := range p.Accepted() {
		code := codeInMail.Find(m.Raw)
		if code == nil {
			w.t.Fatalf("no code in\n%s", m.Raw)
		}
		codes++
		if bytes.Contains(kept.Bytes(), code) {
			w.t.Errorf("the code of %s is kept", m.ID)
		}
	}
	if codes == 0 || kept.Len() < 10000 {
		w.t.Errorf("%d codes in %d bytes", codes, kept.Len())
	}
}

func (w *world) texts(sql string) (list []string) {
	w.t.Helper()
	c, end := w.brief()
	defer end()
	rows, err := c.Query(w.t.Context(), sql)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err = pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// TestMailsStopped: ^C, a server that goes away, and a pause, each while mails are on their way. The run stays open, and goes on with
// those who are left; who was paused meanwhile is written to when that is over.
func TestMailsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 2, Users: 60, Seed: 11}, emulator(t))
	w.exec("update users set email_verified = true")
	var taken atomic.Int64
	var at func(n int64)
	p := &post{Server: mailtest.Start(t, mailtest.Options{Answer: func(mailtest.Mail) mailtest.Answer {
		return mailtest.Answer{Whole: func() { at(taken.Add(1)) }}
	}})}
	w.env["MAIL_URL"] = p.URL
	w.config(everyone + strings.Replace(inviting, `provider "mail" { directory = "mails" }`, "", 1))
	w.run(exitDone, "plan", "-out", "p")
	run := func(ctx context.Context, want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if status := w.program(&out, &errs).run(ctx, append([]string{"anthill"}, args...)); status != want {
			t.Fatalf("%v: exit status %d, want %d\n%s%s", args, status, want, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	// Before anything is done.
	url := p.URL
	w.env["MAIL_URL"] = "smtp://127.0.0.1:1"
	run(t.Context(), exitRefused, "apply", "p")
	w.env["MAIL_URL"] = ""
	wants(t, run(t.Context(), exitError, "apply", "p"), "must be told how mails go out")
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 0 {
		t.Fatalf("%d users are moved though no mail can go out", n)
	}
	w.env["MAIL_URL"] = url

	ctx, cancel := context.WithCancel(t.Context())
	at = func(n int64) {
		if n == 10 {
			cancel()
		}
	}
	wants(t, run(ctx, exitStopped, "apply", "p"), "was stopped", "still to be sent", "anthill apply")
	first := len(p.Accepted())
	moved := w.number("select count(*) from users where {idp}_user_id is not null")
	if first < 10 || first > 10+4 || moved < 50 {
		t.Fatalf("%d mails of %d users went out before it stopped", first, moved)
	}
	if n := w.number("select count(*) from anthill_state.mails where status = 'taken'"); n != first {
		t.Errorf("%d mails count as taken, the server has %d", n, first)
	}
	if n := w.number("select count(*) from users where migration_invited_at is not null"); n != first {
		t.Errorf("%d users are invited, the server has %d mails", n, first)
	}
	run(t.Context(), exitBlocked, "apply", "-auto-approve", "-plan-id", strings.Repeat("0", 64))
	paused := make(chan struct{})
	at = func(n int64) {
		switch {
		case n == 20:
			w.run(exitDone, "wave", "pause", "everyone", "-tenant", "acme", "-reason", "not yet")
			close(paused)
		case n > 20:
			<-paused
		}
	}
	wants(t, run(t.Context(), exitRemainder, "apply"), "not sent after all", "while the wave is paused")
	got := w.checkMails(p)
	if got[state.MailTaken]+got[state.MailWithdrawn] != moved || got[state.MailWithdrawn] == 0 {
		t.Errorf("mails %v", got)
	}
	at = func(int64) {}
	before := len(p.Accepted())
	out, _ := w.run(exitDone, "invite", "-test-to", "me@anthill.example")
	wants(t, out, "The mail is handed over", "SPF of anthill.example", "DMARC of")
	if got := p.Accepted(); len(got) != before+1 || got[before].To != "me@anthill.example" || !bytes.Contains(got[before].Raw, []byte("xxxxx-xxxxx-xxxxx-xxxxx")) {
		t.Errorf("a mail to try the way: %+v", got[before:])
	}
	w.run(exitDone, "wave", "resume", "everyone", "-tenant", "acme")
	slowly := strings.Replace(inviting, "    support =", "    rate    = 1200\n    support =", 1)
	w.config(everyone + strings.Replace(slowly, `provider "mail" { directory = "mails" }`, "", 1))
	began := time.Now()
	out, _ = w.run(exitDone, "apply", "-auto-approve") // they were chosen by a run that was allowed to
	wants(t, out, fmt.Sprintf("%d invitations with a one-time code that an earlier run has left", got[state.MailWithdrawn]))
	if took, least := time.Since(began), time.Duration(got[state.MailWithdrawn]-1)*50*time.Millisecond; took < least {
		t.Errorf("1,200 mails a minute: %d in %s", got[state.MailWithdrawn], took)
	}
	if got := w.checkMails(p); got[state.MailTaken] != moved {
		t.Errorf("mails %v of %d users", got, moved)
	}
}
