package planner

import (
	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/state"
)

// mailings are how the users of waves are written to, of those where somebody is: what a wave would send that is held must not
// show in the plan's ID.
func (m *maker) mailings() {
	list := &m.plan.Effects.Mailings
	for _, w := range m.decided.Waves {
		if len(m.letters(w)) > 0 {
			mailing := Mailing(w.Wave)
			if m.named {
				mailing.Window = nil
			}
			*list = append(*list, mailing)
		}
		if w.Announced.Segment >= 0 {
			*list = append(*list, Announcing(w.Wave))
		}
	}
}

// Announcing is how a wave that is announced is.
func Announcing(w config.Wave) plan.Mailing {
	m := mailing(w.Name, &w.Announcement.Letter)
	m.Letter = state.LetterAnnouncement
	return m
}

// Mailing is how a wave that has an invitation writes to its users.
func Mailing(w config.Wave) plan.Mailing {
	m := mailing(w.Name, w.Invitation)
	if m.Link == state.LinkCode {
		m.Window = w.Window
	}
	return m
}

func mailing(wave string, i *config.Invitation) plan.Mailing {
	return plan.Mailing{
		Wave:          wave,
		Link:          i.Link,
		From:          i.From,
		ReplyTo:       i.ReplyTo,
		Support:       i.Support,
		GuideURL:      i.GuideURL,
		Subject:       i.Subject,
		Template:      plan.TemplateDigest(i.Template),
		Text:          i.Template,
		Rate:          i.Rate,
		PasswordUntil: i.PasswordUntil,
	}
}

// letters counts the users of a wave who are written to, by what they are sent.
func (m *maker) letters(w users.Wave) map[plan.Letter]int64 {
	all := map[plan.Letter]int64{}
	for _, segment := range []int{w.Segment, w.Mail} {
		if segment < 0 {
			continue
		}
		for l, n := range plan.Mailed(m.sink.Shapes(segment)) {
			all[l] += n
		}
	}
	return all
}

// sends raises the hazards of mails: of those that nobody expects who moves users, and of those that may give an account away. What an
// earlier run has left was allowed then.
func (m *maker) sends() {
	for _, w := range m.decided.Waves {
		var late, again, unverified int64
		for l, n := range m.letters(w) {
			if l.Unverified {
				unverified += n
			}
			if l.Kind == state.LetterInvitation && l.Again && !l.Owed {
				again += n
			}
		}
		if w.Mail >= 0 {
			for l, n := range plan.Mailed(m.sink.Shapes(w.Mail)) {
				if l.Kind == state.LetterInvitation && !l.Again && !l.Owed {
					late += n
				}
			}
		}
		raise := func(hazard plan.HazardCode, code state.Code, n int64) {
			if n > 0 {
				m.plan.Effects.Raise(hazard, n, state.About(code, state.OfWave(w.Name)).Times(n))
			}
		}
		if m.plan.Effects.Kind != state.RunInvite { // which is asked for to send mails
			raise(plan.SendsMail, state.CodeMailsLate, late)
			raise(plan.SendsMail, state.CodeMailsAgain, again)
		}
		raise(plan.LinkToUnverified, state.CodeMailsUnverified, unverified)
	}
}
