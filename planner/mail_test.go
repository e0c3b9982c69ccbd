package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// inviting gives the wave of everybody an invitation.
func (f *fake) inviting(link state.MailLink) *config.Wave {
	w := &f.config.Waves[0]
	w.Invitation = &config.Invitation{Template: "Subject: S\nHello {{.Name}}\n", From: `"A" <a@b.example>`, Link: link}
	return w
}

// mailed records a mail of a user that ended in some way, so long ago.
func (f *fake) mailed(n byte, letter state.LetterKind, round int, status state.MailStatus, ago time.Duration) *state.Mail {
	f.mails = append(f.mails, state.Mail{
		ID: state.MailID(lineage, id(n), letter, round), User: id(n), Wave: "everyone", Letter: letter, Round: round, Status: status,
		Chosen: now.Add(-ago), Ended: now.Add(-ago),
	})
	return &f.mails[len(f.mails)-1]
}

func (f *fake) enrol(n byte) {
	f.enrolled = append(f.enrolled, f.record(n).Person)
	slices.SortFunc(f.enrolled, world.CompareID)
}

const day = 24 * time.Hour

// TestLetters: which mail a user gets. User 10 was moved before, 11 is moved by the plan; both are of acme.
func TestLetters(t *testing.T) {
	t.Parallel()
	first := plan.Letter{Kind: state.LetterInvitation, Link: state.LinkCode, Round: 1}
	with := func(change func(*plan.Letter)) plan.Letter {
		l := first
		change(&l)
		return l
	}
	none := plan.Letter{}
	for name, c := range map[string]struct {
		change func(*fake)
		before plan.Letter // of 10
		moved  plan.Letter // of 11
		late   int64       // of SENDS_MAIL
		loose  int64       // of LINK_TO_UNVERIFIED
	}{
		"no invitation":       {func(f *fake) { f.config.Waves[0].Invitation = nil }, none, none, 0, 0},
		"nobody was told yet": {func(*fake) {}, first, first, 1, 0},
		"invited":             {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailTaken, day) }, none, first, 0, 0},
		"invited by others":   {func(f *fake) { f.user(10).Invited = true }, none, first, 0, 0},
		"chosen by a run that was closed": {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailChosen, day) },
			with(func(l *plan.Letter) { l.Owed = true }), first, 0, 0},
		"refused for now":  {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailLater, day) }, with(func(l *plan.Letter) { l.Owed = true }), first, 0, 0},
		"withdrawn":        {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailWithdrawn, day) }, with(func(l *plan.Letter) { l.Owed = true }), first, 0, 0},
		"refused for good": {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailRefused, day) }, none, first, 0, 0},
		"in doubt":         {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailDoubtful, day) }, none, first, 0, 0},
		"on its way":       {func(f *fake) { f.mailed(10, state.LetterInvitation, 1, state.MailRendered, day) }, none, first, 0, 0},
		"moved again, and invited before": {func(f *fake) {
			f.rolledBack(10)
			f.state.Pauses = nil
			f.mailed(10, state.LetterInvitation, 2, state.MailTaken, day).Past = true
		}, with(func(l *plan.Letter) { l.Round, l.Again = 3, true }), first, 1, 0},
		"moved again, and refused before": {func(f *fake) {
			f.rolledBack(10)
			f.state.Pauses = nil
			f.mailed(10, state.LetterInvitation, 1, state.MailRefused, day).Past = true
		}, with(func(l *plan.Letter) { l.Round = 2 }), first, 0, 0},
		"enrolled":              {func(f *fake) { f.enrol(10) }, none, first, 0, 0},
		"completed":             {func(f *fake) { f.seen(10, now.Add(-time.Hour)) }, none, first, 0, 0},
		"suspended":             {func(f *fake) { f.user(10).Status = "suspended" }, none, first, 0, 0},
		"tenant away":           {func(f *fake) { f.tenants[0].Status = "suspended" }, none, none, 0, 0},
		"excluded":              {func(f *fake) { f.config.Exclude.UserIDs = []uuid.UUID{id(10)} }, none, first, 0, 0},
		"paused":                {func(f *fake) { f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme}} }, none, none, 0, 0},
		"linked otherwise":      {func(f *fake) { f.user(10).Link = id(99) }, none, first, 0, 0},
		"expired by others":     {func(f *fake) { f.persons[0].Expired = true }, none, first, 0, 0},
		"no address":            {func(f *fake) { f.user(10).Email = " " }, none, first, 0, 0},
		"wave disabled":         {func(f *fake) { f.config.Waves[0].Enabled = false }, none, none, 0, 0},
		"another wave moved it": {func(f *fake) { f.record(10).Wave = "gone" }, none, first, 0, 0},
		"unconfirmed addresses": {func(f *fake) { f.user(10).Verified, f.user(11).Verified = false, false },
			with(func(l *plan.Letter) { l.Unverified = true }), with(func(l *plan.Letter) { l.Unverified = true }), 1, 2},
		"unconfirmed, and no code": {func(f *fake) {
			f.user(10).Verified = false
			f.inviting(state.LinkRecover)
		}, with(func(l *plan.Letter) { l.Link = state.LinkRecover }), with(func(l *plan.Letter) { l.Link = state.LinkRecover }), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.users = f.users[:2]
			f.config.Guard = config.Guard{MaxUsersChangedPercent: 100, MaxRemovedPercent: 100}
			f.inviting(state.LinkCode)
			f.moved(10, "everyone")
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff([]plan.Letter{c.before, c.moved}, []plan.Letter{m.shapes[10].Letter, m.shapes[11].Letter}); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
			if late, loose := m.hazard(plan.SendsMail), m.hazard(plan.LinkToUnverified); late != c.late || loose != c.loose {
				t.Errorf("SENDS_MAIL %d, LINK_TO_UNVERIFIED %d; want %d, %d", late, loose, c.late, c.loose)
			}
			writes := !c.before.IsZero() || !c.moved.IsZero()
			if got := len(m.effects.Mailings); got != map[bool]int{true: 1}[writes] {
				t.Errorf("%d mailings", got)
			}
		})
	}
}

// TestReminders: when a reminder is due. User 10 was moved and invited before.
func TestReminders(t *testing.T) {
	t.Parallel()
	reminder := func(round int) plan.Letter {
		return plan.Letter{Kind: state.LetterReminder, Link: state.LinkCode, Round: round}
	}
	invited := func(f *fake, ago time.Duration) { f.mailed(10, state.LetterInvitation, 1, state.MailTaken, ago) }
	for name, c := range map[string]struct {
		reminder *config.Reminder
		change   func(*fake)
		want     plan.Letter
	}{
		"none declared": {nil, func(f *fake) { invited(f, 30*day) }, plan.Letter{}},
		"not yet":       {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) { invited(f, 3*day-time.Second) }, plan.Letter{}},
		"due":           {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) { invited(f, 3*day) }, reminder(1)},
		"as of a day that is to come": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) {
			invited(f, day)
			f.asOf = now.Add(2 * day)
		}, reminder(1)},
		"one is all": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailTaken, 20*day)
		}, plan.Letter{}},
		"the next, not yet": {&config.Reminder{After: 3 * day, Every: 7 * day, AtMost: 3}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailTaken, 6*day)
		}, plan.Letter{}},
		"the next": {&config.Reminder{After: 3 * day, Every: 7 * day, AtMost: 3}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailTaken, 7*day)
		}, reminder(2)},
		"one in doubt counts": {&config.Reminder{After: 3 * day, Every: 7 * day, AtMost: 2}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailTaken, 20*day)
			f.mailed(10, state.LetterReminder, 2, state.MailDoubtful, 10*day)
		}, plan.Letter{}},
		"one that was not sent does not": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailLater, 20*day)
		}, reminder(1)},
		"invited once more": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailTaken, 20*day)
			f.mailed(10, state.LetterInvitation, 2, state.MailTaken, 10*day)
		}, reminder(2)},
		"undeliverable": {&config.Reminder{After: 3 * day, AtMost: 2}, func(f *fake) {
			invited(f, 30*day)
			f.mailed(10, state.LetterReminder, 1, state.MailRefused, 20*day)
		}, plan.Letter{}},
		"enrolled": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) { invited(f, 30*day); f.enrol(10) }, plan.Letter{}},
		"before it was taken back": {&config.Reminder{After: 3 * day, AtMost: 1}, func(f *fake) {
			f.mailed(10, state.LetterInvitation, 1, state.MailTaken, 30*day).Past = true
			f.mailed(10, state.LetterInvitation, 2, state.MailTaken, day)
		}, plan.Letter{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.users = f.users[:1]
			f.inviting(state.LinkCode).Reminder = c.reminder
			f.moved(10, "everyone")
			c.change(f)
			m := f.must(t)
			if diff := cmp.Diff(c.want, m.shapes[10].Letter); diff != "" {
				t.Errorf("letter (-want +got):\n%s", diff)
			}
			if len(m.effects.Hazards) > 0 {
				t.Errorf("hazards %v", m.effects.Hazards)
			}
		})
	}
}
