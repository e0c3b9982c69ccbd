package users

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Writing says to whom mails are due.
type Writing struct {
	AsOf     time.Time // at which reminders are due
	Wave     string    // only to users moved under this wave, or a step of it; "": any
	User     uuid.UUID // only to this one, whatever was sent before; zero: anybody
	Doubtful bool      // once more to those of whom it is not known whether they have their invitation
}

// unwritten counts the users of a wave who are not written to though it has an invitation that they have not got, by the reason.
type unwritten map[state.Code]int64

// write adds the mail that is due to a user who was moved before.
func (d *decider) write(e *world.Entry) error {
	if d.scope.Writes == nil || d.left || !e.Is(world.MayBeMailed) || d.InOpenRun(e.User) {
		return nil
	}
	i := d.countedIn(e)
	if i < 0 {
		return nil
	}
	w, to := &d.Waves[i], d.scope.Writes
	if w.Invitation == nil {
		return nil
	}
	if to.Wave != "" && !state.InWave(w.Name, to.Wave) || to.User != uuid.Nil && to.User != e.User {
		return nil
	}
	letter, why := d.letter(e, w)
	if why != "" {
		if to.User != uuid.Nil {
			d.NotWritten = why
		}
		if why != state.CodeMailNotDue {
			if w.unwritten == nil {
				w.unwritten = unwritten{}
			}
			w.unwritten[why]++
		}
		return nil
	}
	if w.Mail < 0 {
		w.Mail = d.sink.Segment(plan.SegmentMail, w.Name)
	}
	return d.sink.Add(w.Mail, plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesOutbox, Linked: true, Unrecorded: true},
		After:  e.Recorded.UserState,
		Letter: letter,
	}, plan.UserChange{User: e.User, Before: providers.DigestOutbox(e.MailDigest, e.Mailed)})
}

// letter is the mail that a user is due who was moved under a wave before, or the reason why there is none.
func (d *decider) letter(e *world.Entry, w *Wave) (l plan.Letter, why state.Code) {
	if why := d.unreachable(e, w); why == state.CodeMailNotDue {
		return l, why
	}
	if l, why = d.due(e, w); why == "" {
		why = d.unreachable(e, w)
	}
	return l, why
}

// due is the mail that a user is due, if it may be written to.
func (d *decider) due(e *world.Entry, w *Wave) (l plan.Letter, why state.Code) {
	p, _ := d.Index.Person(e.Person)
	m, to := e.Mailed, d.scope.Writes
	switch {
	case to.User != uuid.Nil:
		l = d.invitation(e, w, p.Enrolled)
		l.Asked = true
		return l, ""
	case m.Refused:
		return l, state.CodeMailRefused
	case m.Doubtful && !to.Doubtful:
		return l, state.CodeMailDoubtful
	case !d.EnrolledKnown:
		return l, state.CodeMailUnseen
	case p.Enrolled, e.Is(world.IsCompleted):
		return l, state.CodeMailNotDue // they are in
	case !m.Sent() && e.Is(world.IsInvited) && !m.Again:
		return l, state.CodeMailNotDue // by others, and they have said so in the row
	case !m.Sent(), m.Doubtful:
		return d.invitation(e, w, p.Enrolled), ""
	}
	r := w.Reminder
	if r == nil || int64(m.Reminded) >= r.AtMost {
		return l, state.CodeMailNotDue
	}
	due := m.Invited.Add(r.After)
	if m.Reminded > 0 {
		due = m.Last.Add(r.Every)
	}
	if due.After(to.AsOf) {
		return l, state.CodeMailNotDue
	}
	l = d.invitation(e, w, p.Enrolled)
	l.Kind, l.Round, l.Again, l.Owed = state.LetterReminder, m.Reminders+1, false, false
	return l, ""
}

// invitation is the invitation that a user gets next.
func (d *decider) invitation(e *world.Entry, w *Wave, enrolled bool) plan.Letter {
	l := plan.Letter{Kind: state.LetterInvitation, Link: w.Invitation.Link, Round: e.Mailed.Invitations + 1, Again: e.Mailed.Again, Owed: e.Mailed.Owed}
	if enrolled && l.Link != state.LinkNone {
		l.Link = state.LinkLogin
	}
	l.Unverified = l.Link == state.LinkCode && !e.Is(world.IsVerified)
	return l
}

// unreachable says why a user who was moved under a wave is not written to; "": it may be.
func (d *decider) unreachable(e *world.Entry, w *Wave) state.Code {
	p, there := d.Index.Person(e.Person)
	follows := d.admins.changed && d.admins.change.After != e.Recorded.UserState
	switch {
	case w.Invitation == nil, !w.Enabled, !d.isLive(e), e.Is(world.IsInactive), !d.Tenants[e.Tenant].Live():
		return state.CodeMailNotDue
	case e.Status != plan.SkipNone, e.Link != e.Recorded.Person, !there, p.Expired, p.Early, e.Recorded.Asleep, follows,
		d.objects.Tenants[e.Tenant].Blocked:
		return state.CodeMailNoLogin
	case d.isPaused(w.Name, d.Tenants[e.Tenant].ID):
		return state.CodeMailPaused
	case !e.Is(world.IsReachable):
		return state.CodeMailNoAddress
	}
	return ""
}

// firstLetter is the mail that a user gets who is moved under a wave now.
func (d *decider) firstLetter(e *world.Entry, w *Wave) plan.Letter {
	if d.scope.Writes == nil || w.Invitation == nil {
		return plan.Letter{}
	}
	if !e.Is(world.IsReachable) {
		if w.unwritten == nil {
			w.unwritten = unwritten{}
		}
		w.unwritten[state.CodeMailNoAddress]++
		return plan.Letter{}
	}
	p, there := d.Index.Person(e.Person)
	return d.invitation(e, w, there && p.Enrolled)
}

// Unwritten are findings about users who are not written to though their wave has an invitation, by wave.
func (d *Decided) Unwritten() (list []state.Finding) {
	for _, w := range d.Waves {
		for _, code := range slices.SortedFunc(maps.Keys(w.unwritten), func(a, b state.Code) int {
			return strings.Compare(string(a), string(b))
		}) {
			list = append(list, state.About(code, state.OfWave(w.Name)).Times(w.unwritten[code]))
		}
	}
	return list
}
