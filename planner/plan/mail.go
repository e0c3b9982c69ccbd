package plan

import (
	"crypto/sha256"
	"slices"
	"time"

	"anthill/state"
)

// Letter is the mail that each user of a shape is sent. It is comparable; the zero Letter is none.
type Letter struct {
	Kind  state.LetterKind `json:"kind,omitempty"`
	Link  state.MailLink   `json:"link,omitempty"` // who has a credential by then gets the login whatever it is, unless it is none
	Round int              `json:"round,omitempty"`
	// LinkCode: the address was never confirmed, and whoever reads the mailbox gets the account.
	Unverified bool `json:"unverified,omitempty"`
	Again      bool `json:"again,omitempty"` // an invitation of an earlier move may have been sent
	Owed       bool `json:"owed,omitempty"`  // an earlier run has chosen it, and left it unsent
	Asked      bool `json:"asked,omitempty"` // somebody asks for it: at most three a day, codes that are shown included
}

// IsZero reports whether there is no mail.
func (l Letter) IsZero() bool { return l == Letter{} }

// Mailing is how the users of a wave are written to, or those to whom it is announced.
type Mailing struct {
	Wave string `json:"wave"`
	// LetterAnnouncement; "": of invitations and reminders.
	Letter        state.LetterKind `json:"letter,omitempty"`
	Link          state.MailLink   `json:"link"`
	From          string           `json:"from"` // a mailbox, as are ReplyTo and, mostly, Support
	ReplyTo       string           `json:"reply_to,omitempty"`
	Support       string           `json:"support,omitempty"`
	GuideURL      string           `json:"guide_url,omitempty"`
	Subject       string           `json:"subject"`
	Template      state.Hash       `json:"template"` // SHA-256 of Text
	Text          string           `json:"text"`     // the template
	Rate          int64            `json:"rate,omitempty"`
	PasswordUntil time.Time        `json:"password_until,omitzero"`
	// A code is sent only if this opens while the code is good; nil: at any time.
	Window *state.Window `json:"window,omitempty"`
}

// Mailing is how the users of a wave are written to by a letter; nil: they are not. Those of a step that is no longer one are written to
// as those of another step of the same wave: all have its letters.
func (e *Effects) Mailing(wave string, letter state.LetterKind) *Mailing {
	announces := letter == state.LetterAnnouncement
	i := slices.IndexFunc(e.Mailings, func(m Mailing) bool { return m.Wave == wave && m.announces() == announces })
	if i < 0 {
		i = slices.IndexFunc(e.Mailings, func(m Mailing) bool {
			return state.WholeWave(m.Wave) == state.WholeWave(wave) && m.announces() == announces
		})
	}
	if i < 0 {
		return nil
	}
	return &e.Mailings[i]
}

func (m *Mailing) announces() bool { return m.Letter == state.LetterAnnouncement }

// Of reports whether a letter of its wave is written like that.
func (m *Mailing) Of(l state.LetterKind) bool {
	return m.announces() == (l == state.LetterAnnouncement)
}

// Mailed counts the users of shapes who are sent a mail, by what that is.
func Mailed(shapes []Counted) map[Letter]int64 {
	counts := map[Letter]int64{}
	for _, c := range shapes {
		if !c.Shape.Letter.IsZero() {
			counts[c.Shape.Letter] += c.Users
		}
	}
	return counts
}

// mailsSound: each wave is there once for each sort of letter, with the template that its digest says. What announces has no way in.
func (e *Effects) mailsSound() bool {
	type sort struct {
		wave   string
		letter state.LetterKind
	}
	seen := map[sort]bool{}
	links := []state.MailLink{state.LinkCode, state.LinkRecover, state.LinkLogin, state.LinkNone}
	for _, m := range e.Mailings {
		of := sort{m.Wave, m.Letter}
		if m.Wave == "" || seen[of] || !slices.Contains(links, m.Link) || m.Template != TemplateDigest(m.Text) {
			return false
		}
		if m.Letter != "" && (!m.announces() || m.Link != state.LinkNone || m.Window != nil) {
			return false
		}
		seen[of] = true
	}
	return true
}

// Writes reports whether a shape may stand in a segment as far as its mail goes: of one that there is, to users who are moved then, or
// to whom a wave is announced.
func (e *Effects) Writes(s Shape, in Segment) bool {
	l, kind := s.Letter, in.Kind
	switch {
	case l.IsZero():
		return !kind.Mails()
	case kind == SegmentAnnounce:
		only := Letter{Kind: state.LetterAnnouncement, Link: state.LinkNone, Round: 1, Owed: l.Owed}
		return l == only && e.Mailing(in.Wave, l.Kind) != nil
	}
	m := e.Mailing(s.After.Wave, l.Kind)
	return (kind == SegmentMail || kind == SegmentMove && l.Kind == state.LetterInvitation) && m != nil && l.Round > 0 &&
		(l.Kind == state.LetterInvitation || l.Kind == state.LetterReminder) && (l.Link == m.Link || l.Link == state.LinkLogin) &&
		s.After.Standing == state.Moved && (!l.Unverified || l.Link == state.LinkCode) &&
		(!l.Asked || kind == SegmentMail && l.Kind == state.LetterInvitation)
}

// TemplateDigest is the digest of a template's text.
func TemplateDigest(text string) state.Hash { return sha256.Sum256([]byte(text)) }
