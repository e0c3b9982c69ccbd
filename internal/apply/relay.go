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

// mostRefused is how many mails a server may refuse for good, one after the other, before that is its own doing.
const mostRefused = 10

// relay is what a run knows of its mail server: whether it sends anything at all for us. Guarded by the mutex of the sender.
type relay struct {
	takes   bool          // it has taken a mail of this run
	refused []refusedMail // since it took one, or since the run began; nobody knows yet whose doing that is
}

// refusedMail is a mail that was refused for good, and how.
type refusedMail struct {
	parcel *parcel
	state.MailOutcome
}

// refused notes that a mail was refused for good. Until the server takes one it may have something against us, and not against
// the addresses: then none of these users counts as one who cannot be written to.
func (s *sender) refused(ctx context.Context, p *parcel, o state.MailOutcome) error {
	s.mu.Lock()
	// No server was asked, or one that sends for us says that it is the address.
	sure := o.Code == 0 || s.relay.takes && strings.HasPrefix(o.Enhanced, "5.1.")
	s.mu.Unlock()
	if sure {
		return s.ended(ctx, p, o)
	}
	left := o
	left.Status, left.At = state.MailChosen, s.Now().UTC()
	if err := s.journal.Handed(ctx, left); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.letter = nil
	s.relay.refused = append(s.relay.refused, refusedMail{p, o})
	if len(s.relay.refused) >= mostRefused {
		return takesNone(o.MailReply, len(s.relay.refused))
	}
	return nil
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

// took notes that the server sends for us: those whom it refused before, it refused by themselves.
func (s *sender) took(ctx context.Context) error {
	s.mu.Lock()
	s.relay.takes = true
	s.mu.Unlock()
	return s.believe(ctx)
}

// believe records of those who were refused that they were, each by its address.
func (s *sender) believe(ctx context.Context) error {
	s.mu.Lock()
	list := s.relay.refused
	s.relay.refused = nil
	s.mu.Unlock()
	for _, r := range list {
		if err := s.ended(ctx, r.parcel, r.MailOutcome); err != nil {
			return err
		}
	}
	return nil
}

// takesNone is the error of a server that takes nothing.
func takesNone(r state.MailReply, mails int) *state.Error {
	said := strings.TrimSpace(strconv.Itoa(r.Code) + " " + r.Enhanced)
	return &state.Error{
		Kind: state.ErrorDenied, Side: "Mail", Doing: "hand mails over",
		Reason: "the server answers " + said + ", and has refused the last " + strconv.Itoa(mails) + " mails for good",
		Cure: "A server that has something against this account, its sender or the number of mails answers like that. So nobody is marked as " +
			"undeliverable, and they are tried again when the run goes on. Look in the server's log, or try the way:\n\n" +
			"    anthill invite -test-to ADDRESS",
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
