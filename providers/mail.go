package providers

import (
	"context"
	"net/mail"
	"time"
)

// Mail is one mail, ready to be handed over. Texts are UTF-8, as they are to be read: how they travel is the mailer's
// business. Control characters in names and in the subject become blanks.
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

// MailTaken: the server answers for it from now on. MailLater: it was refused for now (4yz), or the connection ended
// before the whole mail had been sent, and nobody has it. MailRefused: it was refused for good (5yz), or cannot be
// written. MailDoubtful: the connection ended, or nothing was said for too long, after the whole mail had been sent
// and before an answer came, so that somebody may have it.
const (
	MailTaken    MailVerdict = "taken"
	MailLater    MailVerdict = "later"
	MailRefused  MailVerdict = "refused"
	MailDoubtful MailVerdict = "doubtful"
)

// Handover is the answer to one mail.
type Handover struct {
	Verdict MailVerdict
	Code    int // the reply code of SMTP; 0: there was none
	// Status is the enhanced one, as "5.1.1"; "": there was none. MailRefused with 5.7.x speaks of the server's policy
	// rather than of the mailbox: where all are refused so, the server does not relay for us.
	Status string
}

// Mailer hands mails over, one after the other or some at a time: it is safe for concurrent use.
type Mailer interface {
	// Turn waits until another mail may go to the domain of to, and takes that turn. It is asked before a code is
	// minted and before anything is recorded of the mail, so that a crash while waiting leaves nobody in doubt. Send
	// does not wait for it. The only error is ctx's.
	Turn(ctx context.Context, to mail.Address) error
	// Send hands one mail over and says what became of it. A mail that cannot be written, with an address that is none
	// for example, is MailRefused without a code.
	//
	// Errors say that nobody has the mail: *state.Error where no other mail will do better (ErrorUnreachable;
	// ErrorUnauthenticated where the server refuses name and password; ErrorDenied where it refuses us or the sender;
	// ErrorInternal where a file cannot be written), and ctx's own where that ended before the whole mail had been
	// sent. Once it has, the answer is waited for a few seconds longer than ctx.
	Send(ctx context.Context, m Mail) (Handover, error)
	// Close ends the connections that nobody uses; the others end when their mail is through.
	Close() error
}
