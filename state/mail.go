package state

import (
	"fmt"
	"time"

	"github.com/google/uuid"
)

// LetterKind is what a mail is for.
type LetterKind string

// LetterInvitation: how to come in, once a user is moved. LetterReminder: the same to whoever has not since. LetterAnnouncement: that a
// wave will start, to its users or to who administers their tenants. LetterPrinted is no mail: a code was shown to whoever asked for it,
// and it is kept who that was.
const (
	LetterInvitation   LetterKind = "invitation"
	LetterReminder     LetterKind = "reminder"
	LetterAnnouncement LetterKind = "announcement"
	LetterPrinted      LetterKind = "printed"
)

// MailLink is the way in that a letter shows.
type MailLink string

// LinkCode: a one-time code, for the page where it is entered. LinkRecover: the server's own page for a lost credential. LinkLogin:
// the login, for who has a credential. LinkNone: nothing.
const (
	LinkCode    MailLink = "code"
	LinkRecover MailLink = "recover"
	LinkLogin   MailLink = "login"
	LinkNone    MailLink = "none"
)

// MailStatus says how far a mail has come.
type MailStatus string

// MailChosen: it is to be sent. MailRendered: it is about to be handed over, or was, and nobody knows. MailTaken: a server answers
// for it. MailLater: it was refused for now, again and again, and nobody has it. MailRefused: it was refused for good, or came
// back. MailDoubtful: somebody may have it. MailWithdrawn: it was not sent, as its user was not to have it any more.
const (
	MailChosen    MailStatus = "chosen"
	MailRendered  MailStatus = "rendered"
	MailTaken     MailStatus = "taken"
	MailLater     MailStatus = "later"
	MailRefused   MailStatus = "refused"
	MailDoubtful  MailStatus = "doubtful"
	MailWithdrawn MailStatus = "withdrawn"
)

// Unsent reports whether it is certain that nobody has a mail of this status.
func (s MailStatus) Unsent() bool { return s == MailChosen || s == MailLater || s == MailWithdrawn }

// MostAsked is how many mails one user is sent within AskedWithin because somebody asks for them, with all others, and codes that are
// shown, included.
const (
	MostAsked   = 3
	AskedWithin = 24 * time.Hour
)

// Mail is a mail to one user, in the outbox. It holds no address, no text and no code.
type Mail struct {
	ID     uuid.UUID // MailID; the mail itself carries it
	User   uuid.UUID
	Wave   string
	Letter LetterKind
	Round  int // which one of this letter to this user, from 1
	Link   MailLink
	// Its address had not been confirmed when it was chosen, and that was allowed.
	Unverified bool
	// Somebody asks for it: it is withdrawn at once where the user had MostAsked. It is not kept, and not read back.
	Asked    bool
	Template Hash
	Run      string // that chose it, the last one
	Status   MailStatus
	Past     bool // its user was taken back since: it counts for no later move
	Chosen   time.Time
	Rendered time.Time // zero: not yet
	Ended    time.Time // when its status became what it is; zero: not yet
	MailReply
	Why Code // of one that is withdrawn
	// Of LetterPrinted: who had the code shown, and why.
	By, Reason string
}

// MailReply is what a server said of a mail.
type MailReply struct {
	Code     int    // of SMTP; 0: nothing was said
	Enhanced string // the enhanced one, as "5.1.1"; "": there was none
}

// MailOutcome is how a mail ended.
type MailOutcome struct {
	ID     uuid.UUID
	Status MailStatus
	At     time.Time
	MailReply
	Why Code
}

// MailTally counts mails of a run that are alike.
type MailTally struct {
	Wave   string     `json:"wave"`
	Letter LetterKind `json:"letter"`
	Link   MailLink   `json:"link"`
	Status MailStatus `json:"status"`
	Code   int        `json:"reply,omitempty"`
	Why    Code       `json:"why,omitempty"`
	Mails  int64      `json:"mails"`
}

// Invite is when a moved user was invited, of which the row keeps no time.
type Invite struct {
	User, Person uuid.UUID
	At           time.Time
}

// MailID is the id of a mail, chosen before it is: who makes the same one twice makes one.
func MailID(lineage, user uuid.UUID, letter LetterKind, round int) uuid.UUID {
	return named(fmt.Appendf(lineage[:], "mail\x00%s\x00%s\x00%d", user, letter, round))
}

// AnnouncementID is the id of the mail that announces a wave to a user. Each has one of a wave, steps or not, whatever becomes of it.
func AnnouncementID(lineage, user uuid.UUID, wave string) uuid.UUID {
	return named(fmt.Appendf(lineage[:], "mail\x00%s\x00%s\x00%s", user, LetterAnnouncement, WholeWave(wave)))
}

// Mailed is what a user was sent, as far as a plan goes by it. The zero Mailed: nothing.
type Mailed struct {
	Invitations int       // rounds that may have been sent, those before a rollback too
	Reminders   int       // the same
	Invited     time.Time // when the last invitation of this move was taken; zero: none was
	Reminded    int       // reminders since
	Last        time.Time // when the last of them all was taken
	Refused     bool      // one was refused for good, or came back, and no invitation was taken since
	Doubtful    bool      // nobody knows of an invitation, and none was taken since
	Again       bool      // an invitation of an earlier move may have been sent
	Owed        bool      // a run has chosen an invitation of this move, and left it unsent

	// Waves, by their whole names, that may have been announced to the user, before a rollback too, and such of which a run has chosen
	// the announcement and left it unsent.
	Announced, Announcing []string
}

// Add takes in the next mail of the user, in the order in which they were chosen.
func (m *Mailed) Add(o Mail) {
	switch {
	case o.Letter == LetterPrinted:
		return
	case o.Letter == LetterAnnouncement && o.Status.Unsent():
		m.Announcing = append(m.Announcing, WholeWave(o.Wave))
		return
	case o.Letter == LetterAnnouncement:
		// Also one that was refused: what is sent next says more, and tries the address again.
		m.Announced = append(m.Announced, WholeWave(o.Wave))
		return
	case o.Status.Unsent():
		m.Owed = m.Owed || !o.Past && o.Letter == LetterInvitation
		return
	}
	rounds := &m.Invitations
	if o.Letter == LetterReminder {
		rounds = &m.Reminders
	}
	*rounds = max(*rounds, o.Round)
	if o.Past {
		m.Again = m.Again || o.Letter == LetterInvitation && o.Status != MailRefused
		return
	}
	switch {
	case o.Status == MailRefused:
		m.Refused = true
	case o.Letter == LetterReminder:
		// Also one in doubt: it is not sent once more.
		m.Reminded, m.Last = m.Reminded+1, o.Ended
	case o.Status == MailTaken:
		m.Refused, m.Doubtful, m.Owed, m.Invited, m.Reminded, m.Last = false, false, false, o.Ended, 0, o.Ended
	default:
		m.Doubtful = true
	}
}

// IsZero reports whether nothing may have been sent.
func (m Mailed) IsZero() bool {
	return m.Invitations+m.Reminders == 0 && !m.Owed && len(m.Announced)+len(m.Announcing) == 0
}

// Sent reports whether the user has an invitation of this move, or may have.
func (m Mailed) Sent() bool { return m.Refused || m.Doubtful || !m.Invited.IsZero() }
