package apply

import (
	"cmp"
	"context"
	"errors"
	"net/mail"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"anthill/internal/letter"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// Post is how mails go out.
type Post struct {
	// Open connects the mailer that is configured. nil: none is, and a plan that writes to users is refused before.
	Open      func(context.Context) (providers.Mailer, error)
	Enrolment providers.Enrolment
	// MessageID and Sender are those of the mail with an id.
	MessageID, Sender func(from mail.Address, id string) string
	// How long to wait before a mail is handed over again that was refused for now; it is given up for this run then. nil: as usual.
	Waits []time.Duration
}

// waits are those of Post.Waits where it has none: what greylisting asks for, and a restart.
var waits = []time.Duration{30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute}

const (
	sendTogether = 4                // mails on their way at a time
	openTogether = 500              // that are read from the outbox
	codeKept     = time.Hour        // how long a code may wait that nobody has seen
	reachTries   = 3                // how often a server is tried that cannot be reached
	reachWait    = 5 * time.Second  // between these
	noteEvery    = 30 * time.Second // times of invitation are noted at least so often
)

// send hands over the mails that the run has chosen, when all else is done. Each is one step after the other: its user is looked at
// once more, a code is made, that the mail is about to be handed over becomes durable, it is handed over, and what became of it
// becomes durable. A process that is stopped in between leaves a mail of which nobody knows whether it was sent: it is never sent
// again by itself.
func (x *executor) send(ctx context.Context) error {
	if len(x.effects.Mailings) == 0 {
		return x.noteInvites(ctx)
	}
	work := context.WithoutCancel(ctx)
	if err := x.journal.DoubtMails(work, x.Now().UTC()); err != nil {
		return err
	}
	first, err := x.journal.OpenMails(work, 1)
	if err != nil || len(first) == 0 {
		return errors.Join(err, x.noteInvites(ctx))
	}
	if err := interrupted(ctx); err != nil {
		return err
	}
	s, err := x.newSender(ctx)
	if err != nil {
		return err
	}
	err = s.all(ctx)
	return errors.Join(err, s.mailer.Close(), x.noteInvites(work))
}

// checkPost looks, before any effect, whether mails could go out that the plan has.
func (x *executor) checkPost(ctx context.Context) error {
	if len(x.effects.Mailings) == 0 {
		return nil
	}
	m, err := x.Post.Open(ctx)
	if err != nil {
		return err
	}
	return m.Close()
}

// tallyMails counts the mails of the run by what became of them.
func (x *executor) tallyMails(ctx context.Context) (err error) {
	if x.mails, err = x.Store.MailTally(ctx, x.journal.ID()); err != nil || len(x.mails) == 0 {
		return err
	}
	x.unsent, err = x.Store.MailsLeft(ctx, x.journal.ID(), maxLeft)
	return err
}

// mailsRemain reports whether somebody is without a mail whom another plan, or somebody, has to see to.
func (x *executor) mailsRemain() bool {
	return slices.ContainsFunc(x.mails, func(t state.MailTally) bool {
		switch t.Status {
		case state.MailTaken:
			return false
		case state.MailWithdrawn:
			return t.Why != state.CodeMailNotDue && t.Why != state.CodeMailGone && t.Why != state.CodeMailTakenBack
		}
		return true
	})
}

// sender sends the mails of a run.
type sender struct {
	*executor
	mailer  providers.Mailer
	letters map[*plan.Mailing]*letter.Template
	pages   providers.Pages

	mu      sync.Mutex
	turns   map[*plan.Mailing]time.Time // when the next mail of a wave may go
	tenants map[uuid.UUID]string        // names
	done    int64
	total   int64
	noted   time.Time
	relay   relay
}

func (x *executor) newSender(ctx context.Context) (*sender, error) {
	s := &sender{executor: x, letters: map[*plan.Mailing]*letter.Template{}, pages: x.Post.Enrolment.Pages(), turns: map[*plan.Mailing]time.Time{},
		tenants: map[uuid.UUID]string{}, noted: x.Now()}
	for i := range x.effects.Mailings {
		m := &x.effects.Mailings[i]
		t, err := Letter(m)
		if err != nil {
			return nil, err
		}
		s.letters[m] = t
	}
	tally, err := x.Store.MailTally(ctx, x.journal.ID())
	if err != nil {
		return nil, err
	}
	for _, t := range tally {
		s.total += t.Mails
		if t.Status != state.MailChosen {
			s.done += t.Mails
		}
		s.relay.takes = s.relay.takes || t.Status == state.MailTaken
	}
	s.mailer, err = x.Post.Open(ctx)
	return s, err
}

// all sends whatever is to be sent. What is refused for now waits and is tried again; what ctx ends is left for the run that goes on.
func (s *sender) all(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	later := map[uuid.UUID]*parcel{} // refused for now
	for {
		held := s.held()
		mails, err := s.journal.OpenMails(work, openTogether+len(later)+len(held))
		if err != nil {
			return err
		}
		var next []*parcel
		for _, m := range mails {
			if later[m.ID] == nil && !held[m.ID] {
				next = append(next, &parcel{Mail: m, before: m.MailReply})
			}
		}
		if len(next) == 0 && len(later) == 0 {
			return s.believe(work, s.relay.count)
		}
		s.mix(next)
		now := s.Now()
		for id, p := range later {
			if !p.due.After(now) {
				next = append(next, p)
				delete(later, id)
			}
		}
		if len(next) == 0 {
			if err := s.wait(ctx, earliest(later).Sub(now)); err != nil {
				return err
			}
			continue
		}
		slices.SortStableFunc(next, func(a, b *parcel) int { return cmp.Or(a.turn()-b.turn(), a.tries-b.tries) })
		if err := s.some(ctx, next); err != nil {
			return err
		}
		// The calls by which codes were made are recorded now and then, and not all of them at the end.
		s.called()
		if err := s.journal.Settle(work, nil, nil, s.journal.Position()); err != nil {
			return err
		}
		for _, p := range next {
			if !p.due.IsZero() && p.due.After(now) {
				later[p.ID] = p
			}
		}
		if s.Now().Sub(s.noted) > noteEvery {
			if err := s.noteInvites(work); err != nil {
				return err
			}
			s.noted = s.Now()
		}
	}
}

func earliest(later map[uuid.UUID]*parcel) (at time.Time) {
	for _, p := range later {
		if at.IsZero() || p.due.Before(at) {
			at = p.due
		}
	}
	return at
}

// some sends mails, a few at a time. It ends with the first error that is one of all, when those in hand are through.
func (s *sender) some(ctx context.Context, list []*parcel) error {
	g, of := errgroup.WithContext(ctx)
	g.SetLimit(sendTogether)
	for _, p := range list {
		if of.Err() != nil {
			break
		}
		g.Go(func() error {
			if err := s.turn(of, s.mailing(&p.Mail)); err != nil {
				return err
			}
			return s.one(of, p)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return interrupted(ctx)
}

// mailing is how a mail is written.
func (s *sender) mailing(m *state.Mail) *plan.Mailing { return s.effects.Mailing(m.Wave, m.Letter) }

// turn waits until the next mail that is written like that may go.
func (s *sender) turn(ctx context.Context, m *plan.Mailing) error {
	rate := m.Rate
	if rate == 0 {
		return interrupted(ctx)
	}
	s.mu.Lock()
	now := s.Now()
	at := s.turns[m]
	if at.Before(now) {
		at = now
	}
	s.turns[m] = at.Add(time.Minute / time.Duration(rate))
	s.mu.Unlock()
	return s.wait(ctx, at.Sub(now))
}

func (s *sender) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return interrupted(ctx)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return interrupted(ctx)
	case <-ctx.Done():
		return errInterrupted
	}
}

// parcel is a mail on its way.
type parcel struct {
	state.Mail
	before state.MailReply // for good, by an earlier start of the run; zero: none
	after  int             // relay.count, when it was begun
	tries  int
	due    time.Time // not before; zero: now, or it is through
	letter *providers.Mail
	link   state.MailLink
	minted time.Time // when the code in the letter was made
}

// turn is 1 of a mail that comes after all others, as it was refused for good before.
func (p *parcel) turn() int { return p.before.Code / 500 }

// one sends one mail. An error is one of all. Where until ends before the mail is about to be handed over, it is left.
func (s *sender) one(until context.Context, p *parcel) error {
	ctx := context.WithoutCancel(until)
	p.due = time.Time{}
	u, why, err := s.recipient(ctx, &p.Mail)
	if err != nil {
		return err
	}
	if why == "" {
		// Before a code is made for it.
		if err := s.mailer.Turn(until, mail.Address{Address: u.row.Email}); err != nil {
			return errInterrupted
		}
		why, err = s.render(ctx, p, u)
	}
	switch {
	case err != nil:
		return err
	case why != "":
		return s.ended(ctx, p, state.MailOutcome{ID: p.ID, Status: state.MailWithdrawn, Why: why})
	}
	if err := s.journal.Handing(ctx, p.ID, p.link, s.Now().UTC()); err != nil {
		return err
	}
	s.begins(p)
	h, err := s.handOver(ctx, p)
	if err != nil {
		// Nobody has it. It is as before, for the run that goes on.
		return errors.Join(err, s.journal.Handed(ctx, state.MailOutcome{ID: p.ID, Status: state.MailChosen, At: s.Now().UTC()}))
	}
	o := state.MailOutcome{ID: p.ID, MailReply: state.MailReply{Code: h.Code, Enhanced: h.Status}}
	switch h.Verdict {
	case providers.MailTaken:
		o.Status = state.MailTaken
		if err := s.ended(ctx, p, o); err != nil {
			return err
		}
		return s.took(ctx, p)
	case providers.MailRefused:
		o.Status = state.MailRefused
		return s.refused(ctx, p, o)
	case providers.MailDoubtful:
		o.Status = state.MailDoubtful
	case providers.MailLater:
		return s.later(ctx, p, o)
	}
	return s.ended(ctx, p, o)
}

// later puts a mail off that was refused for now, or gives it up.
func (s *sender) later(ctx context.Context, p *parcel, o state.MailOutcome) error {
	spans := s.Post.Waits
	if spans == nil {
		spans = waits
	}
	if p.tries >= len(spans) {
		o.Status = state.MailLater
		return s.ended(ctx, p, o)
	}
	p.due = s.Now().Add(spans[p.tries])
	p.tries++
	o.Status, o.At = state.MailChosen, s.Now().UTC()
	return s.journal.Handed(ctx, o)
}

// ended records how a mail ended.
func (s *sender) ended(ctx context.Context, p *parcel, o state.MailOutcome) error {
	o.At = s.Now().UTC().Truncate(time.Microsecond)
	p.letter = nil
	if err := s.journal.Handed(ctx, o); err != nil {
		return err
	}
	s.mu.Lock()
	s.done++
	e := Event{Kind: Progress, Stage: StageMails, Done: s.done, Total: max(s.total, s.done)}
	s.events(e)
	s.mu.Unlock()
	return nil
}

// handOver hands a mail over. A server that cannot be reached is tried again, as it may only be started anew.
func (s *sender) handOver(ctx context.Context, p *parcel) (h providers.Handover, err error) {
	for try := 1; ; try++ {
		h, err = s.mailer.Send(ctx, *p.letter)
		if state.ErrorKindOf(err) != state.ErrorUnreachable || try == reachTries {
			return h, err
		}
		if err := s.wait(ctx, reachWait); err != nil {
			return h, err
		}
	}
}

// render makes the letter, with a code that is made for it where it has one. One that waited is handed over as it is, as long as it
// is still what it would be.
func (s *sender) render(ctx context.Context, p *parcel, u *recipient) (why state.Code, err error) {
	if p.letter != nil && p.link == u.link && p.letter.To.Address == u.row.Email && s.Now().Sub(p.minted) < codeKept {
		return "", nil
	}
	m := s.mailing(&p.Mail)
	of, err := s.tenant(ctx, &u.row)
	if err != nil {
		return "", err
	}
	locale, err := s.Rows.Locale(ctx, u.row.ID)
	if err != nil {
		return "", err
	}
	d := LetterData(m, u.row, u.person.Name, of, u.link, s.pages, locale)
	p.letter, p.link, p.minted = nil, u.link, s.Now()
	if u.link == state.LinkCode {
		code, err := s.Post.Enrolment.Mint(ctx, u.person.ID, providers.MostLife)
		switch state.ErrorKindOf(err) {
		case state.ErrorNotFound, state.ErrorRefused:
			return state.CodeMailPerson, nil
		}
		if err != nil {
			return "", err
		}
		d.Code, d.CodeEnds = code.Reveal(), code.Expires
	}
	if p.letter = s.compose(p.ID, m, u, d); p.letter == nil {
		return state.CodeMailUnrendered, nil
	}
	return "", nil
}

// compose makes a mail of what its letter says; nil where the template writes what this user does not have.
func (s *sender) compose(id uuid.UUID, m *plan.Mailing, u *recipient, d letter.Data) *providers.Mail {
	from, fromErr := mail.ParseAddress(m.From)
	text, err := s.letters[m].Render(d)
	if fromErr != nil || err != nil {
		return nil // why is not said: it may hold what is in the letter
	}
	composed := &providers.Mail{
		ID: s.Post.MessageID(*from, id.String()), Sender: s.Post.Sender(*from, id.String()), From: *from,
		To:      mail.Address{Name: u.row.FullName, Address: u.row.Email},
		Subject: text.Subject, Text: text.Text, HTML: text.HTML, Date: s.Now(),
	}
	if to, err := mail.ParseAddress(m.ReplyTo); err == nil {
		composed.ReplyTo = *to
	}
	return composed
}

// tenant is the name of the tenant of a row.
func (s *sender) tenant(ctx context.Context, row *providers.UserRow) (string, error) {
	s.mu.Lock()
	name, known := s.tenants[row.Tenant]
	s.mu.Unlock()
	if known {
		return name, nil
	}
	of, _, err := s.Rows.ReadObject(ctx, state.KindTenant, row.Tenant, "")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tenants[row.Tenant] = of.Text(state.AttrName)
	return s.tenants[row.Tenant], nil
}

// Letter is the template of a wave's mails.
func Letter(m *plan.Mailing) (*letter.Template, error) {
	t, err := letter.Parse(m.Wave, []byte(m.Text))
	if err == nil && m.Subject != "" {
		t, err = t.WithSubject(m.Subject)
	}
	return t, err
}

// LetterData is what a letter of a wave says to a user, but for the code.
func LetterData(m *plan.Mailing, row providers.UserRow, login, tenant string, link state.MailLink, pages providers.Pages,
	locale providers.Locale) letter.Data {
	d := letter.Data{
		Name:          plan.Addressed(row.User),
		LoginName:     login,
		Tenant:        tenant,
		Role:          row.Role,
		Link:          string(link),
		LoginURL:      pages.Login,
		PasswordUntil: m.PasswordUntil,
		GuideURL:      m.GuideURL,
		Support:       m.Support,
		Sender:        m.From,
		Language:      locale.Language,
		Zone:          locale.Zone,
	}
	if from, err := mail.ParseAddress(m.From); err == nil && from.Name != "" {
		d.Sender = from.Name
	}
	switch link {
	case state.LinkCode:
		d.PageURL = pages.Reset
	case state.LinkRecover:
		d.RecoverURL = pages.Recover
	case state.LinkLogin, state.LinkNone:
	}
	return d
}
