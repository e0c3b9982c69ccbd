package apply

import (
	"context"
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"anthill/state"
)

// mostRefused is how many mails a server may refuse for good, one after the other, before that is its own doing; and so how many users
// one start of a run may find to be undeliverable before the server has taken a mail.
const mostRefused = 10

// relay is what a run knows of its mail server: whether it sends anything at all for us. Guarded by the mutex of the sender.
type relay struct {
	takes   bool          // it has taken a mail of this run
	count   int           // mails that it has refused for good since this start, but for those that are surely about the address
	taken   int           // count, when the mail that it took last was begun
	wrong   int           // addresses of which it has said for sure that they are wrong, since it took a mail
	refused []refusedMail // since then, those of which nobody knows yet whose doing that is
}

// row is how many mails in a row it has refused.
func (r *relay) row() int { return r.count - r.taken }

// refusedMail is a mail that was refused for good, and how.
type refusedMail struct {
	parcel *parcel
	nth    int // by relay.count
	state.MailOutcome
}

// refused notes that a mail was refused for good. Until the server takes one it may have something against us, and not against
// the addresses: then none of these users counts as one who cannot be written to. Ten stop the run. Whoever starts it again has looked
// at the server, so that one that is refused once more in the same words is believed: where all are wrong who are left, some are
// through with each start, and where it is the server after all, no more than ten were marked, or left to the next plan.
func (s *sender) refused(ctx context.Context, p *parcel, o state.MailOutcome) error {
	s.mu.Lock()
	// No server was asked, or one that sends for us says that it is the address. One that says so of everybody has lost its own list.
	sure, row := o.Code == 0, 0
	switch {
	case sure:
	case s.relay.takes && strings.HasPrefix(o.Enhanced, "5.1."):
		s.relay.wrong++
		row = s.relay.wrong - mostRefused
		sure = row <= 0
	default:
		s.relay.count++
		row = s.relay.row()
	}
	again, nth := row <= mostRefused && p.before == o.MailReply, s.relay.count
	s.mu.Unlock()
	if sure {
		return s.ended(ctx, p, o)
	}
	if again {
		if err := s.ended(ctx, p, believed(o)); err != nil {
			return err
		}
	} else if err := s.putBack(ctx, refusedMail{p, nth, o}); err != nil {
		return err
	}
	if row >= mostRefused {
		return takesNone(o.MailReply, row)
	}
	return nil
}

// putBack leaves a mail as it was before it was refused, with what the server said.
func (s *sender) putBack(ctx context.Context, r refusedMail) error {
	left := r.MailOutcome
	left.Status, left.At = state.MailChosen, s.Now().UTC()
	if err := s.journal.Handed(ctx, left); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r.parcel.letter = nil
	s.relay.refused = append(s.relay.refused, r)
	return nil
}

// believed is how a mail ends whose refusal is its own. Only one that may be about the address makes the user one who cannot be written
// to: a server that sends to some and refuses others by its policy, such as all of a domain, says nothing of addresses, and one day it is
// mended. The next plan has them.
func believed(o state.MailOutcome) state.MailOutcome {
	if !ofAddress(o.MailReply) {
		o.Status = state.MailLater
	}
	return o
}

// ofAddress reports whether a refusal may be about the address: one of the mailbox, or without a status one of the codes that are
// (RFC 5321, 7504). Any other is about the server, the sender or the number of mails.
func ofAddress(r state.MailReply) bool {
	if r.Enhanced == "" {
		return r.Code == 501 || r.Code >= 550 && r.Code <= 553 || r.Code == 556
	}
	return strings.HasPrefix(r.Enhanced, "5.1.") || strings.HasPrefix(r.Enhanced, "5.2.")
}

// held are the mails that were refused for good, and of which that is not recorded.
func (s *sender) held() map[uuid.UUID]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[uuid.UUID]bool{}
	for _, r := range s.relay.refused {
		ids[r.ID] = true
	}
	return ids
}

// begins notes that a mail is about to be handed over.
func (s *sender) begins(p *parcel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.after = s.relay.count
}

// took notes that the server sends for us: those whom it refused before this mail was begun, it refused by themselves. Others are on
// their way at the same time, and what was refused since may be the end of what the server takes.
func (s *sender) took(ctx context.Context, p *parcel) error {
	s.mu.Lock()
	s.relay.takes, s.relay.taken, s.relay.wrong = true, max(s.relay.taken, p.after), 0
	s.mu.Unlock()
	return s.believe(ctx, p.after)
}

// believe records of those who were refused, the nth and before, that they were, each by itself.
func (s *sender) believe(ctx context.Context, nth int) error {
	s.mu.Lock()
	var list []refusedMail
	s.relay.refused = slices.DeleteFunc(s.relay.refused, func(r refusedMail) bool {
		is := r.nth <= nth
		if is {
			list = append(list, r)
		}
		return is
	})
	s.mu.Unlock()
	for _, r := range list {
		if err := s.ended(ctx, r.parcel, believed(r.MailOutcome)); err != nil {
			return err
		}
	}
	return nil
}

// takesNone is the error of a server that takes nothing.
func takesNone(r state.MailReply, mails int) *state.Error {
	if ofAddress(r) {
		return refusesAllMails(r, mails, "If it is the addresses, go on (anthill apply): who is refused once more like that counts as undeliverable, "+
			"at most "+strconv.Itoa(mostRefused)+" each time.")
	}
	return refusesAllMails(r, mails, "It is not about an address: nobody is marked for it, however often the run goes on. Who is refused once more "+
		"like that is left to the next plan, at most "+strconv.Itoa(mostRefused)+" each time. Those for whom it will never take mails can be left "+
		"out by a pause (anthill wave pause WAVE -tenant SLUG).")
}

func refusesAllMails(r state.MailReply, mails int, then string) *state.Error {
	said := strings.TrimSpace(strconv.Itoa(r.Code) + " " + r.Enhanced)
	return &state.Error{
		Kind: state.ErrorDenied, Side: "Mail", Doing: "hand mails over",
		Reason: "the server answers " + said + ", and has refused the last " + strconv.Itoa(mails) + " mails for good",
		Cure: "A server that has something against this account, its sender or the number of mails answers like that. So whoever was refused " +
			"for the first time is not marked as undeliverable, and is tried again when the run goes on, after all others. Look in the server's " +
			"log, or try the way:\n\n    anthill invite -test-to ADDRESS\n\n" + then,
	}
}

// mix puts mails into an order that has nothing to do with whose they are, and is another one in each run: where many addresses of one
// tenant are wrong, those of others are met among them, and not behind.
func (s *sender) mix(list []*parcel) {
	run := s.journal.ID()
	place := func(p *parcel) string {
		sum := sha256.Sum256(append([]byte(run), p.ID[:]...))
		return string(sum[:])
	}
	slices.SortFunc(list, func(a, b *parcel) int { return strings.Compare(place(a), place(b)) })
}
