package mail

import (
	"context"
	"errors"
	"net/textproto"
	"strings"
	"time"

	"anthill/internal/regex"
	"anthill/providers"
)

// errLost is a connection that ended before the whole mail had been given to it: nobody has the mail.
var errLost = errors.New("the connection was lost before the mail was sent")

// hand hands one mail over. Where ctx ends before its last byte is on its way, the connection is cut.
//
// Errors: errLost; *state.Error where the server refuses us or the sender.
func (c *conn) hand(ctx context.Context, m message) (providers.Handover, error) {
	stop := context.AfterFunc(ctx, c.abort)
	defer func() {
		// The end of ctx must not reach another mail.
		if !stop() {
			c.broken = true
		}
	}()
	if can, _ := c.smtp.Extension("SMTPUTF8"); m.utf8 && !can {
		return providers.Handover{Verdict: providers.MailRefused, Status: needsUTF8}, nil
	}
	c.smtp.SkipSMTPUTF8(!m.utf8)
	for _, step := range []struct {
		say    func() error
		denied func(refusal) error // what a refusal for good says of us and so of all mails; nil: it is about this mail
	}{
		{func() error { return c.smtp.Mail(m.sender) }, c.to.deniedSender},
		{func() error { return c.smtp.Rcpt(m.to) }, c.to.deniedRelay},
	} {
		c.within(c.to.patience.step)
		if err := step.say(); err != nil {
			return c.refused(err, step.denied)
		}
	}
	c.within(c.to.patience.step)
	w, err := c.smtp.Data()
	if err != nil {
		return c.refused(err, nil)
	}
	c.within(c.to.patience.send)
	if _, err := w.Write(m.body); err != nil {
		return providers.Handover{}, c.lost()
	}
	if !stop() {
		return providers.Handover{}, c.lost()
	}
	c.within(c.to.patience.answer)
	stop = context.AfterFunc(ctx, func() { _ = c.wire.SetDeadline(time.Now().Add(c.to.patience.drain)) })
	err = w.Close()
	// The writer keeps its first error. If it has one, the system did not take the last bytes of the mail, and the
	// server cannot have seen its end.
	if c.smtp.Text.W.Flush() != nil {
		return providers.Handover{}, c.lost()
	}
	return c.answered(w, err), nil
}

func (c *conn) lost() error {
	c.broken = true
	return errLost
}

// refused is the answer to a command that the server did not accept. Nobody has the mail.
func (c *conn) refused(err error, denied func(refusal) error) (providers.Handover, error) {
	r, is := refusalOf(err)
	switch {
	case !is:
		return providers.Handover{}, c.lost()
	case r.code == 421 && c.used.IsZero():
		c.broken = true
		return r.handover(providers.MailLater), nil
	case r.code == 421:
		// It had enough of this connection.
		return providers.Handover{}, c.lost()
	case r.code/100 == 4:
		c.reset()
		return r.handover(providers.MailLater), nil
	case r.code/100 != 5:
		// Such an answer is none that may come here: what the two sides think of each other no longer agrees.
		return providers.Handover{}, c.lost()
	}
	c.reset()
	if denied != nil {
		if err := denied(r); err != nil {
			return providers.Handover{}, err
		}
	}
	return r.handover(providers.MailRefused), nil
}

// answered is the answer to a whole mail.
func (c *conn) answered(w any, err error) providers.Handover {
	if err == nil {
		said := ""
		if a, is := w.(interface{ ServerResponse() string }); is {
			said = a.ServerResponse()
		}
		return refusal{code: 250, status: statusOf(250, said)}.handover(providers.MailTaken)
	}
	r, is := refusalOf(err)
	c.broken = !is || r.code == 421
	switch r.code / 100 {
	case 2:
		return r.handover(providers.MailTaken)
	case 4:
		return r.handover(providers.MailLater)
	case 5:
		return r.handover(providers.MailRefused)
	}
	c.broken = true
	return r.handover(providers.MailDoubtful)
}

// reset takes back a mail that was begun.
func (c *conn) reset() {
	c.within(c.to.patience.step)
	c.broken = c.smtp.Reset() != nil || c.broken
}

// refusal is an answer of the server.
type refusal struct {
	code   int
	status string
	text   string // as it came: to be shown of a connection or a sender, never of a mail
}

func (r refusal) handover(v providers.MailVerdict) providers.Handover {
	return providers.Handover{Verdict: v, Code: r.code, Status: r.status}
}

// refusalOf is the server's answer in an error; false where it gave none.
func refusalOf(err error) (refusal, bool) {
	var e *textproto.Error
	if !errors.As(err, &e) {
		return refusal{}, false
	}
	return refusal{code: e.Code, status: statusOf(e.Code, e.Msg), text: e.Msg}, true
}

var statusForm = regex.Lazy(`^[245]\.\d{1,3}\.\d{1,3}$`)

// statusOf is the enhanced status (RFC 3463) that an answer begins with; "": there is none, or it is of another class.
func statusOf(code int, text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	if !statusForm().MatchString(first) || int(first[0]-'0') != code/100 {
		return ""
	}
	return first
}

// What is known of an enhanced status (RFC 3463, 6531, 7504).
const (
	needsUTF8  = "5.6.7"
	tooBig     = "5.3.4"
	mailboxBig = "5.2.3"
)
