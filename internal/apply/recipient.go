package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// recipient is who is to get a mail, as of now; why is the reason why nobody is.
func (s *sender) recipient(ctx context.Context, m *state.Mail) (u *recipient, why state.Code, err error) {
	pauses, err := s.Store.Pauses(ctx)
	if err != nil {
		return nil, "", err
	}
	rows, err := s.Rows.Fetch(ctx, []uuid.UUID{m.User})
	if err != nil {
		return nil, "", err
	}
	recorded, err := s.Store.UsersByID(ctx, []uuid.UUID{m.User})
	if err != nil {
		return nil, "", err
	}
	is, known := recorded[m.User]
	moved, announces := known && is.Standing == state.Moved, m.Letter == state.LetterAnnouncement
	switch {
	case len(rows) == 0:
		return nil, state.CodeMailGone, nil
	case !moved && !announces:
		return nil, state.CodeMailTakenBack, nil
	case moved && rows[0].Link != is.Person, rows[0].Deleted, rows[0].Status != "active", !rows[0].TenantLive:
		return nil, state.CodeMailGone, nil
	case slices.ContainsFunc(pauses, func(p state.Pause) bool {
		return state.InWave(m.Wave, p.Wave) && (p.Tenant == uuid.Nil || p.Tenant == rows[0].Tenant)
	}):
		return nil, state.CodeMailPaused, nil
	}
	if cameBack, err := s.cameBack(ctx, m); err != nil || cameBack {
		return nil, state.CodeMailRefused, err
	}
	u = &recipient{row: rows[0], link: s.mailing(m).Link}
	if !moved {
		return u, "", nil
	}
	if why, err := s.credential(ctx, u, is.Person); err != nil || why != "" && !announces {
		return nil, why, err
	}
	switch {
	case announces && u.enrolled:
		u.link = state.LinkLogin
	case announces:
	case u.enrolled && m.Letter == state.LetterReminder:
		return nil, state.CodeMailNotDue, nil
	case u.enrolled && u.link != state.LinkNone:
		u.link = state.LinkLogin
	case u.link == state.LinkCode && !rows[0].Verified && !m.Unverified:
		return nil, state.CodeMailUnconfirmed, nil
	case u.link == state.LinkCode && !s.mailing(m).Window.WorkingDay(s.Now(), providers.MostLife):
		return nil, state.CodeMailWindow, nil
	}
	return u, "", nil
}

// cameBack reports whether an earlier mail has come back since this one was chosen, as the run was stopped meanwhile: the address is wrong.
func (s *sender) cameBack(ctx context.Context, m *state.Mail) (bool, error) {
	if m.Letter == state.LetterAnnouncement {
		return false, nil // as Mailed.Add has it
	}
	mails, err := s.Store.MailsOf(ctx, []uuid.UUID{m.User})
	return slices.ContainsFunc(mails, func(o state.Mail) bool {
		return o.ID != m.ID && o.Letter != state.LetterAnnouncement && !o.Past && o.Status == state.MailRefused && o.Ended.After(m.Chosen)
	}), err
}

// credential fills in the person of a recipient, and whether it can log in; why is the reason why it cannot.
func (s *sender) credential(ctx context.Context, u *recipient, person uuid.UUID) (why state.Code, err error) {
	persons, err := s.Accounts.Lookup(ctx, []uuid.UUID{person})
	if err != nil {
		return "", err
	}
	if len(persons) == 0 || persons[0].Expired || persons[0].Early {
		return state.CodeMailPerson, nil
	}
	can, err := s.Accounts.CanLogIn(ctx, []uuid.UUID{person})
	if err != nil {
		return "", err
	}
	u.person = persons[0]
	_, u.enrolled = can[person]
	return "", nil
}

// recipient is a user who is to get a mail.
type recipient struct {
	row      providers.UserRow
	person   providers.Person
	enrolled bool
	link     state.MailLink
}
