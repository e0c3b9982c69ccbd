package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// mailsOf are the mails that a plan sends to the users of a wave, of one sort.
type mailsOf struct {
	Wave  string `json:"wave"`
	Moves bool   `json:"moves"` // to users whom the plan moves; else to those moved before
	plan.Letter
	Mails int64 `json:"mails"`
}

// mailsIn counts the mails of a plan, from its effects alone. Which round it is of a user does not count.
func mailsIn(f *planfile.File) (list []mailsOf) {
	e := f.Effects()
	for _, i := range e.InOrder() {
		s := e.Segments[i]
		for _, c := range f.Counted(i) {
			l := c.Shape.Letter
			if l.IsZero() || c.Users == 0 {
				continue
			}
			l.Round = 0
			one := mailsOf{Wave: s.Wave, Moves: s.Kind == plan.SegmentMove, Letter: l}
			k := slices.IndexFunc(list, func(o mailsOf) bool { o.Mails = 0; return o == one })
			if k < 0 {
				k = len(list)
				list = append(list, one)
			}
			list[k].Mails += c.Users
		}
	}
	slices.SortFunc(list, func(a, b mailsOf) int {
		return cmp.Or(strings.Compare(a.Wave, b.Wave), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(string(a.Link), string(b.Link)),
			cmp.Compare(count01(b.Moves), count01(a.Moves)), cmp.Compare(count01(a.Again), count01(b.Again)), cmp.Compare(count01(a.Owed), count01(b.Owed)),
			cmp.Compare(count01(a.Unverified), count01(b.Unverified)))
	})
	return list
}

func count01(on bool) int {
	if on {
		return 1
	}
	return 0
}

// mailings says which mails go out, a sentence for each wave.
func (t *telling) mailings() (list []string) {
	for _, m := range t.effects.Mailings {
		var parts []string
		var unverified int64
		sums := map[mailsOf]int64{}
		var order []mailsOf
		for _, one := range t.letters {
			if one.Wave != m.Wave || !m.Of(one.Kind) {
				continue
			}
			if one.Unverified {
				unverified += one.Mails
			}
			of := mailsOf{Letter: plan.Letter{Kind: one.Kind, Link: one.Link, Again: one.Again, Owed: one.Owed}, Moves: one.Moves}
			if sums[of] == 0 {
				order = append(order, of)
			}
			sums[of] += one.Mails
		}
		for _, of := range order {
			parts = append(parts, lettersWords(of, sums[of]))
		}
		if len(parts) == 0 {
			continue
		}
		s := "Mails of wave " + t.words.escape(m.Wave) + ": " + strings.Join(parts, ", ")
		if unverified > 0 {
			s += fmt.Sprintf("; %s to %s that nobody has confirmed", count(unverified), plural(unverified, "an address", "addresses"))
		}
		s += "; from " + t.words.escape(m.From)
		if subject := subjectOf(m); subject != "" {
			s += ", subject " + t.words.escape(subject)
		}
		list = append(list, s+", template "+m.Template.Short())
	}
	return list
}

// subjectOf is the subject of the mails of a wave as it is written, in the configuration or in the template.
func subjectOf(m plan.Mailing) string {
	if m.Subject != "" {
		return m.Subject
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(m.Text, "\ufeff"), "\n")
	subject, is := strings.CutPrefix(first, "Subject:")
	if !is || strings.Contains(subject, "{{") { // which is no subject to read: the digest says of which template it is
		return ""
	}
	return strings.TrimSpace(subject)
}

func lettersWords(l mailsOf, n int64) string {
	s := of(n, "invitation", "invitations")
	switch l.Kind {
	case state.LetterReminder:
		s = of(n, "reminder", "reminders")
	case state.LetterAnnouncement:
		s = of(n, "announcement", "announcements")
	case state.LetterInvitation, state.LetterPrinted:
	}
	s += linkWords(l.Link)
	switch {
	case l.Owed:
		s += " that an earlier run has left"
	case l.Again:
		s += " for users invited before"
	case l.Kind == state.LetterInvitation && !l.Moves:
		s += " for users moved before"
	}
	return s
}

// letterWords say what one user is sent.
func letterWords(l plan.Letter) string {
	s := "an invitation"
	switch l.Kind {
	case state.LetterReminder:
		s = "a reminder"
	case state.LetterAnnouncement:
		return "an announcement"
	case state.LetterInvitation, state.LetterPrinted:
	}
	s += linkWords(l.Link)
	if l.Unverified {
		s += ", at an address that nobody has confirmed"
	}
	return s
}

func linkWords(l state.MailLink) string {
	switch l {
	case state.LinkCode:
		return " with a one-time code"
	case state.LinkRecover:
		return " to the server's page for a lost credential"
	case state.LinkLogin:
		return " to the login"
	case state.LinkNone:
	}
	return ""
}

// mailsBecame counts mails by what became of them; "" where there are none.
func mailsBecame(list []state.MailTally) (text string, sums map[state.MailStatus]int64) {
	sums = map[state.MailStatus]int64{}
	for _, t := range list {
		sums[t.Status] += t.Mails
	}
	var parts []string
	for _, one := range []struct {
		status state.MailStatus
		words  string
	}{
		{state.MailTaken, "taken by the server"}, {state.MailChosen, "still to be sent"}, {state.MailRendered, "on their way"},
		{state.MailLater, "refused for now"}, {state.MailRefused, "refused for good"},
		{state.MailDoubtful, "of which nobody knows whether they were sent"}, {state.MailWithdrawn, "not sent after all"},
	} {
		if n := sums[one.status]; n > 0 {
			parts = append(parts, count(n)+" "+one.words)
		}
	}
	return strings.Join(parts, ", "), sums
}

// mailBecame says what became of one mail.
func mailBecame(s state.MailStatus) string {
	switch s {
	case state.MailTaken:
		return "taken by the server"
	case state.MailChosen:
		return "still to be sent"
	case state.MailRendered:
		return "on its way"
	case state.MailLater:
		return "refused for now"
	case state.MailRefused:
		return "refused for good, or came back"
	case state.MailDoubtful:
		return "nobody knows whether it was sent"
	case state.MailWithdrawn:
		return "not sent after all"
	}
	return Escape(string(s))
}

// mails says what became of the mails of a run.
func (p *resultPage) mails() {
	became, sums := mailsBecame(p.Mails)
	if became == "" {
		return
	}
	p.hang("  mails     ", became+".")
	for i, m := range p.Unsent {
		if m.Status == state.MailChosen {
			continue
		}
		if i >= listedLeft {
			p.line("  and more")
			break
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", mailStatus(m.Status), m.User), p.mailWhy(m))
	}
	if sums[state.MailLater] > 0 {
		p.para("Who was refused for now is tried again by the next plan.")
	}
	if sums[state.MailDoubtful] > 0 {
		p.doubtful()
	}
	if !p.Uninvited.IsZero() {
		p.para("The time of invitation of some users is not noted in their rows, and tried again by the next apply: " +
			p.voice().say(p.Uninvited) + ".")
	}
}

func (p *resultPage) doubtful() {
	p.para("A mail of which nobody knows whether it was sent is never sent again by itself. Look at the mail server's log, and either " +
		"count them as sent, or plan to send them once more:")
	p.gap()
	p.line("    %s", p.command("invite", "-settle-doubtful"))
	p.line("    %s", p.command("invite", "-resend-doubtful"))
	p.gap()
}

func mailStatus(s state.MailStatus) string {
	switch s {
	case state.MailLater:
		return "later"
	case state.MailRefused:
		return "refused"
	case state.MailDoubtful:
		return "doubtful"
	case state.MailWithdrawn:
		return "withdrawn"
	case state.MailChosen, state.MailRendered, state.MailTaken:
	}
	return Escape(string(s))
}

// mailWhy says why a mail was not taken.
func (p *resultPage) mailWhy(m state.Mail) string {
	switch {
	case m.Why != "":
		return p.voice().say(state.Found(m.Why).Times(1))
	case m.Status == state.MailDoubtful:
		return "somebody may have it"
	case m.Code > 0:
		s := fmt.Sprintf("the server answers %d", m.Code)
		if m.Enhanced != "" {
			s += " " + Escape(m.Enhanced)
		}
		return s
	}
	return "the address is none that a mail can be sent to"
}

// Why says a finding in words, for an error.
func Why(f state.Finding) string { return newPage(io.Discard, Options{}).voice().say(f) }

// Bounced says how many mails came back.
func Bounced(w io.Writer, n int, o Options) error {
	p := newPage(w, o)
	if n == 0 {
		p.line("None of these is about a mail that counts as sent: nothing was changed.")
		return p.flush()
	}
	p.line("%s came back: %s not invited, and not written to again by %s.", of(int64(n), "mail", "mails"),
		plural(int64(n), "its user counts as", "their users count as"), plural(int64(n), "itself", "themselves"))
	p.line("Once the address is right:")
	p.gap()
	p.line("    %s", p.command("invite", "-user", "USER"))
	return p.flush()
}

// DoubtSettled says how many mails in doubt count as sent now.
func DoubtSettled(w io.Writer, n int64, o Options) error {
	p := newPage(w, o)
	if n == 0 {
		p.line("No mail is in doubt: nothing was changed.")
		return p.flush()
	}
	p.line("%s now: %s invited.", of(n, "mail in doubt counts as sent", "mails in doubt count as sent"),
		plural(n, "its user is", "their users are"))
	return p.flush()
}

// Letter is a mail as it is shown before it is sent.
type Letter struct {
	From, To, Subject, Text string
	Wave                    string
	Link                    state.MailLink
}

// Preview shows a mail as its user would get it.
func Preview(w io.Writer, l Letter, o Options) error {
	p := newPage(w, o)
	p.line("From     %s", Escape(l.From))
	p.line("To       %s", Escape(l.To))
	p.line("Subject  %s", Escape(l.Subject))
	p.line("Wave     %s, link %s", Escape(l.Wave), Escape(string(l.Link)))
	p.gap()
	for _, line := range strings.Split(strings.TrimRight(l.Text, "\n"), "\n") {
		p.line("%s", Escape(line))
	}
	return p.flush()
}

// SenderFact is what receivers find about the domain of a sender, by its code.
type SenderFact struct{ Code, Name, Record string }

// TriedMail says what became of a mail that was sent to try the way, and what receivers find about its sender.
func TriedMail(w io.Writer, from, to string, h providers.Handover, facts []SenderFact, o Options) error {
	p := newPage(w, o)
	said := ""
	if h.Code > 0 {
		said = fmt.Sprintf(" (the server answers %d %s)", h.Code, Escape(h.Status))
	}
	p.line("From  %s", Escape(from))
	p.line("To    %s", Escape(to))
	switch h.Verdict {
	case providers.MailTaken:
		p.line("The mail is handed over%s. Look whether it arrives, and not among spam.", said)
	case providers.MailLater:
		p.line("The mail is refused for now%s: apply would try again.", said)
	case providers.MailRefused:
		p.line("The mail is refused%s.", said)
	case providers.MailDoubtful:
		p.line("Nobody knows whether the mail was taken: the connection ended before the server answered.")
	}
	for _, f := range facts {
		p.gap()
		p.hang("", senderWords(f))
		if f.Record != "" {
			p.hang("    ", Escape(f.Record))
		}
	}
	return p.flush()
}

// senderWords say what receivers find about a sender's domain.
func senderWords(f SenderFact) string {
	name := Escape(f.Name)
	switch f.Code {
	case "spf_found":
		return "SPF of " + name + ": there is a record. Whether your relay is in it the receiver of the mail can see (Authentication-Results)."
	case "spf_missing":
		return "SPF of " + name + ": there is none. Receivers cannot tell your mails from those of others who write in your name."
	case "spf_several":
		return "SPF of " + name + ": there is more than one record, which counts as an error. Leave one."
	case "spf_open":
		return "SPF of " + name + ": it lets in the whole world (+all), which protects nobody."
	case "spf_unknown":
		return "SPF of " + name + ": DNS gave no answer."
	case "dmarc_reject", "dmarc_quarantine":
		return "DMARC of " + name + ": others who write in your name are " + map[string]string{"dmarc_reject": "refused",
			"dmarc_quarantine": "put aside"}[f.Code] + "."
	case "dmarc_none":
		return "DMARC of " + name + ": it asks for nothing (p=none)."
	case "dmarc_missing":
		return "DMARC of " + name + ": there is none. Large receivers put mails of such a domain aside."
	case "dmarc_several":
		return "DMARC of " + name + ": there is more than one record, which counts as none. Leave one."
	case "dmarc_unknown":
		return "DMARC of " + name + ": DNS gave no answer."
	case "sender_invalid":
		return "The sender " + name + " is no address."
	}
	return Escape(f.Code)
}

// PrintedCode shows a one-time code, once.
func PrintedCode(w io.Writer, user uuid.UUID, login, page, code, ends string, o Options) error {
	p := newPage(w, o)
	p.line("User        %s", user)
	p.line("Login name  %s", Escape(login))
	p.line("Page        %s", Escape(page))
	p.line("Code        %s", Escape(code))
	p.line("Ends        %s", ends)
	p.gap()
	p.para("It is shown this once, and nowhere kept; that you had it is. Whoever has it can set up the account: give it to nobody but the " +
		"person, whom you know.")
	return p.flush()
}
