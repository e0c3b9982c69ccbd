package providers

import (
	"context"
	"net/mail"
	"time"
)

// Mail is one mail, ready to be handed over. Texts are UTF-8, as they are to be read: how they travel is the mailer's business.
type Mail struct {
	ID      string // of the Message-ID, without brackets: ours, so that what came of it can be told
	Sender  string // of the envelope: where comes back what cannot be delivered
	From    mail.Address
	ReplyTo mail.Address // zero: none
	To      mail.Address
	Subject string
	Text    string // plain
	HTML    string // "": plain text alone
	Date    time.Time
}

// MailVerdict is what became of a mail that a mailer was given.
type MailVerdict string

// MailTaken: the server answers for it from now on. MailLater: it was refused for now (4yz), and nobody has it. MailRefused: it was
// refused for good (5yz). MailDoubtful: the connection ended after the whole mail had been sent and before an answer came, so
// that somebody may have it.
const (
	MailTaken    MailVerdict = "taken"
	MailLater    MailVerdict = "later"
	MailRefused  MailVerdict = "refused"
	MailDoubtful MailVerdict = "doubtful"
)

// Handover is the answer to one mail.
type Handover struct {
	Verdict MailVerdict
	Code    int    // the reply code of SMTP; 0: there was none
	Status  string // the enhanced one, as "5.1.1"; "": there was none
}

// Mailer hands mails over, one after the other or some at a time: it is safe for concurrent use.
type Mailer interface {
	// Send hands one mail over and says what became of it. An error says that nobody has it and that no other will do better:
	// Unreachable, or Denied where the server refuses the name, the password or the sender. A mail that cannot be written,
	// with an address that is none for example, is MailRefused without a code.
	Send(ctx context.Context, m Mail) (Handover, error)
	// Close ends the connections.
	Close() error
}
