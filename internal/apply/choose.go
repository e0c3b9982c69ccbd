package apply

import (
	"context"
	"iter"

	"anthill/planner/plan"
	"anthill/state"
)

const chooseTogether = 500

// choose notes in the outbox whom of segment n is to be written to. Nothing is intended for them: the outbox is the journal of
// mails.
func (x *executor) choose(ctx context.Context, n, place int) error {
	work := context.WithoutCancel(ctx)
	s := x.effects.Segments[n]
	pos := x.journal.Position()
	if pos.Segment > place {
		return nil
	}
	at := state.Position{Segment: place}
	if pos.Segment == place {
		at.Offset = pos.Offset
	}
	users, stop := iter.Pull2(x.plan.Users(n, at.Offset))
	defer stop()
	for at.Segment == place {
		if err := interrupted(ctx); err != nil {
			return err
		}
		var changes []plan.UserChange
		for len(changes) < chooseTogether {
			c, err, more := users()
			if err != nil {
				return err
			}
			if !more {
				break
			}
			changes = append(changes, c)
		}
		if at.Offset += int64(len(changes)); at.Offset == s.Users {
			at = state.Position{Segment: place + 1}
		}
		if err := x.lookForPauses(work); err != nil {
			return err
		}
		items, err := x.look(work, n, changes)
		if err != nil {
			return err
		}
		outcomes := make([]state.Outcome, len(items))
		for i, it := range items {
			outcomes[i] = outcome(it, it.verdict, it.why)
			if it.verdict == 0 {
				outcomes[i] = outcome(it, state.Done, state.Finding{})
				outcomes[i].Mail = it.mail
			}
			outcomes[i].Wave = x.waveOf(it)
		}
		if err := x.journal.Settle(work, nil, outcomes, at); err != nil {
			return err
		}
		x.countOutcomes(outcomes)
	}
	return nil
}

// mailOf is the mail that a user is to be sent by its shape; nil: none.
func (x *executor) mailOf(it *item) *state.Mail {
	l := it.shape.Letter
	if l.IsZero() {
		return nil
	}
	m := x.effects.Mailing(x.waveOf(it), l.Kind)
	id := state.MailID(x.effects.Lineage, it.change.User, l.Kind, l.Round)
	if l.Kind == state.LetterAnnouncement {
		id = state.AnnouncementID(x.effects.Lineage, it.change.User, m.Wave)
	}
	return &state.Mail{
		ID:         id,
		User:       it.change.User,
		Wave:       m.Wave,
		Letter:     l.Kind,
		Round:      l.Round,
		Link:       l.Link,
		Unverified: l.Unverified,
		Asked:      l.Asked,
		Template:   m.Template,
		Status:     state.MailChosen,
		Chosen:     x.Now().UTC(),
	}
}

// waveOf is the wave that a change is of: the one that the user is moved under then, or that is announced to it.
func (x *executor) waveOf(it *item) string {
	if s := x.effects.Segments[it.intent.Segment]; s.Kind == plan.SegmentAnnounce {
		return s.Wave
	}
	return it.shape.After.Wave
}
