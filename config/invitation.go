package config

import (
	"errors"
	"io"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"anthill/internal/letter"
	"anthill/state"
)

// invitation is that of a wave; nil: there is none.
func (e *evaluator) invitation(wave *node) *Invitation {
	n := wave.child("invitation")
	if !n.written() {
		return nil
	}
	i := e.letter(wave, n)
	i.Link = state.MailLink(e.reader(n, scope{}).text("link"))
	if policy := e.policyOf(wave); policy != nil && policy.args["from"] != nil {
		e.fail(n.at, "Invitation to who is in",
			"wave %q raises users who were moved before and can come in: the wave that moved them has invited them, and a `reminder` there "+
				"writes to who has not enrolled since. Tell them that their password ends, before it does:\n\n"+
				"    announcement {\n      to       = \"users\"\n      before   = \"30d\"\n      template = \"ends.md\"\n"+
				"      from     = \"Anthill <noreply@anthill.example>\"\n    }", wave.label)
	}
	e.checkTemplate(n, i)
	return i
}

// announcement is that of a wave; nil: there is none.
func (e *evaluator) announcement(wave *node) *Announcement {
	n := wave.child("announcement")
	if !n.written() {
		return nil
	}
	r := e.reader(n, scope{})
	i := e.letter(wave, n)
	i.Link = state.LinkNone
	a := &Announcement{ToAdmins: r.text("to") == "tenant_admins", Before: r.duration("before")}
	if n.args["before"] != nil && a.Before == 0 {
		r.wrong("before", "an announcement comes some time before, like 72h")
	}
	e.checkTemplate(n, i)
	a.Letter = *i
	return a
}

// letter is what is said of any mail of a wave.
func (e *evaluator) letter(wave, n *node) *Invitation {
	r := e.reader(n, scope{})
	i := &Invitation{
		From: r.mailbox("from"), ReplyTo: r.mailbox("reply_to"), Support: r.nonEmpty("support"), GuideURL: r.page("guide_url"),
		Rate: r.count("rate"), Subject: r.nonEmpty("subject"), Pos: posOf(n.at),
	}
	e.template(r, i)
	policy := e.policyOf(wave)
	if policy != nil && policy.args["from"] != nil {
		policy = e.m.index["auth_policy."+e.reader(policy, scope{}).one("from")] // which has promised until when passwords work
	}
	if policy != nil {
		i.PasswordUntil = e.reader(policy, scope{}).date("password_until")
	}
	return i
}

// policyOf is the policy of a wave; nil: there is no such policy.
func (e *evaluator) policyOf(wave *node) *node {
	return e.m.index["auth_policy."+e.reader(wave, scope{}).one("auth_policy")]
}

// mailbox is an address with or without a name in front of it, as it was given; "" where it is none.
func (r reader) mailbox(name string) string {
	s := r.nonEmpty(name)
	if s == "" {
		return ""
	}
	a, err := mail.ParseAddress(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		r.wrong(name, "a mailbox is needed, like \"Anthill <noreply@anthill.example>\", not %q", s)
		return ""
	}
	return a.String()
}

// page is an address of the web; "" where it is none.
func (r reader) page(name string) string {
	s := r.nonEmpty(name)
	if s == "" {
		return ""
	}
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		r.wrong(name, "an address is needed, like https://example.com/guide, not %q", s)
		return ""
	}
	return s
}

// template reads the text of a mail.
func (e *evaluator) template(r reader, i *Invitation) {
	file := r.nonEmpty("template")
	if file == "" && r.n.spec.argument("template").Required {
		return // which is said already
	}
	if file == "" {
		i.Template, i.name = string(letter.DefaultSource()), "the default template"
		return
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(e.m.dir, path)
	}
	source, err := readTemplate(path)
	if err != nil {
		r.wrong("template", "the file %s cannot be read: %s", file, cause(err))
		return
	}
	i.Template, i.name = string(source), file
}

var errTooLong = errors.New("it is longer than 256 kB")

func readTemplate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	source, err := io.ReadAll(io.LimitReader(f, letter.MaxSource+1))
	if err == nil && len(source) > letter.MaxSource {
		err = errTooLong
	}
	return source, err
}

// checkTemplate refuses a text that could not be written to everybody.
func (e *evaluator) checkTemplate(n *node, i *Invitation) {
	if i.Template == "" {
		return
	}
	r := e.reader(n, scope{})
	t, err := letter.Parse(i.name, []byte(i.Template))
	if err != nil {
		e.badTemplate(r, i, err)
		return
	}
	if i.Subject != "" {
		if t, err = t.WithSubject(i.Subject); err != nil {
			var wrong *letter.Error
			if errors.As(err, &wrong) {
				r.wrong("subject", "%s", wrong.Reason)
			}
			return
		}
	}
	if !t.HasSubject() {
		r.wrong("template", "%s has no subject: begin it with a line \"Subject: ...\", or give one here (subject)", i.name)
	}
	e.tryTemplate(r, i, t)
}

// given says where what a field holds comes from, of those that a configuration may leave out.
var given = map[string]string{
	"PasswordUntil": "password_until of the policy under which they are moved", "GuideURL": "guide_url in the block", "Support": "support in the block",
}

// tryTemplate renders the letter in each form in which it may go out: who has a credential in Self-auth gets the login, and no code.
func (e *evaluator) tryTemplate(r reader, i *Invitation, t *letter.Template) {
	links := []state.MailLink{i.Link}
	announces := r.n.spec.Type == "announcement"
	if i.Link == state.LinkCode || i.Link == state.LinkRecover || announces {
		links = append(links, state.LinkLogin)
	}
	for _, link := range links {
		const page = "https://self-auth.invalid/"
		d := letter.Data{
			Name: "Name", LoginName: "name", Tenant: "Tenant", Role: "user", Link: string(link), LoginURL: page, Sender: i.From,
			PasswordUntil: i.PasswordUntil, GuideURL: i.GuideURL, Support: i.Support,
		}
		switch link {
		case state.LinkCode:
			d.PageURL, d.Code, d.CodeEnds = page, "code", time.Unix(1, 0)
		case state.LinkRecover:
			d.RecoverURL = page
		case state.LinkNone:
			if announces {
				d.LoginName = "" // there may be no person yet
			}
		case state.LinkLogin:
		}
		_, err := t.Render(d)
		var missing *letter.MissingError
		switch {
		case err == nil || i.Link == "":
			continue
		case !errors.As(err, &missing):
			r.wrong("template", "%s cannot be filled in: %s", i.name, err)
		case given[missing.Field] != "":
			r.wrong("template", "%s writes {{.%s}}, and there is no %s. Give it, or write {{if .%s}}...{{end}} around that", i.name,
				missing.Field, given[missing.Field], missing.Field)
		case announces:
			r.wrong("template", "%s writes {{.%s}}, which an announcement does not have, or not for everybody: it goes out before there is a way "+
				"in. Write {{if .%s}}...{{end}} around that", i.name, missing.Field, missing.Field)
		case link != i.Link:
			r.wrong("template", "%s writes {{.%s}} to everybody, and who has a credential in Self-auth already has none: such people get "+
				"the login. Write {{if .%s}}...{{else}}...{{end}} around that", i.name, missing.Field, missing.Field)
		default:
			r.wrong("template", "%s writes {{.%s}}, which there is none of where link is %q. Write {{if .%s}}...{{end}} around that", i.name,
				missing.Field, i.Link, missing.Field)
		}
		return
	}
}

func (e *evaluator) badTemplate(r reader, i *Invitation, err error) {
	var wrong *letter.Error
	if !errors.As(err, &wrong) {
		r.wrong("template", "%s", err)
		return
	}
	at := hcl.Pos{Line: wrong.Line, Column: wrong.Column}
	e.fail(hcl.Range{Filename: i.name, Start: at, End: at}, "Invalid template", "The text of %s cannot be read: %s.", r.n.title(), wrong.Reason)
}

// reminder is that of a wave; nil: there is none.
func (e *evaluator) reminder(wave *node) *Reminder {
	n := wave.child("reminder")
	if !n.written() {
		return nil
	}
	r := e.reader(n, scope{})
	m := &Reminder{After: r.duration("after"), AtMost: r.count("at_most"), Pos: posOf(n.at)}
	every, repeats := r.span("every")
	m.Every = every
	switch {
	case !wave.child("invitation").written():
		e.fail(n.at, "Reminder without invitation", "A reminder is the invitation once more, and wave %q has none. Give it one:\n\n"+
			"    invitation {\n      from = \"Anthill <noreply@anthill.example>\"\n    }", wave.label)
	case n.args["at_most"] != nil && m.AtMost == 0:
		r.wrong("at_most", "a reminder that is never sent: 1 or more is needed, or no block reminder")
	case m.AtMost > 1 && !repeats:
		r.wrong("at_most", "there is one reminder unless `every` says when the next ones come")
	case repeats && every == 0, n.args["after"] != nil && m.After == 0:
		r.wrong("after", "reminders follow after some time, like 3d")
	}
	if m.AtMost == 0 {
		m.AtMost = 1
		if repeats {
			m.AtMost = 3
		}
	}
	return m
}
