package report

import (
	"slices"

	"anthill/internal/apply"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// skipped says why a user in scope is not moved.
func skipped(r plan.SkipReason) string {
	switch r {
	case plan.SkipExcluded:
		return "excluded by the configuration (service accounts)"
	case plan.SkipInactive:
		return "inactive"
	case plan.SkipSuspended:
		return "suspended"
	case plan.SkipTenantSuspended:
		return "tenant suspended"
	case plan.SkipTenantCancelled:
		return "tenant cancelled"
	case plan.SkipTenantBlocked:
		return "tenant blocked: its isolation does not hold"
	case plan.SkipGroupTaken:
		return "tenant blocked: a wanted group name is held by an entry that is not ours"
	case plan.SkipGroupHidden:
		return "tenant blocked: who is in one of its groups cannot be seen"
	case plan.SkipOpenRun:
		return "belongs to a run that is still open"
	case plan.SkipPaused:
		return "waits for a paused wave"
	case plan.SkipLinkUnknown:
		return "linked to a person that Self-auth does not have"
	case plan.SkipPersonTwice:
		return "its person is linked to another row"
	case plan.SkipNoEmail:
		return "no e-mail address"
	case plan.SkipEmailRefused:
		return "e-mail that Self-auth refuses"
	case plan.SkipShared:
		return "same address on another live user"
	case plan.SkipEmailTaken:
		return "a person in Self-auth has the address already"
	case plan.SkipUnverified:
		return "address never verified"
	case plan.SkipName:
		return "no name can be made that Self-auth accepts"
	case plan.SkipHolderAway:
		return "the person to be taken over is expired in Self-auth"
	case plan.SkipPersonExpired:
		return "somebody else has expired its person in Self-auth"
	case plan.SkipNotEnrolled:
		return "no way in through Self-auth yet: keeps the password until enrolled"
	case plan.SkipNotLetIn:
		return "no client lets it into the application: keeps the password until one does"
	case plan.SkipUnconfirmed:
		return "its tenant has not confirmed the wave"
	case plan.SkipLate:
		return "came when the wave was done, which leaves who is late (late = \"ignore\")"
	case plan.SkipWidened:
		return "added to the wave by an edit, and waits for its gates"
	case plan.SkipFollows:
		return "groups or person follow the row first; the next plan goes on"
	case plan.SkipHolderForeign:
		return "the person to be taken over is in a group of another tenant, or has another user"
	}
	return r.String()
}

// figure is a line of the table of what happens to users.
type figure struct {
	plan.Figure
	label string
}

// figures are those that a table shows, in its order. The others, complete and suffix, say how a line is carried out:
// JSON has them.
func figures() []figure {
	return []figure{
		{plan.FigureUsers, "users"},
		{plan.FigureAdmins, "of them admins"},
		{plan.FigureRowGone, "row gone"},
		{plan.FigureOf(state.PersonCreate), "create a person"},
		{"no_mail", "of them without an address"},
		{plan.FigureOf(state.PersonEnable), "reuse the person made before"},
		{plan.FigureOf(state.PersonAdopt), "take over a person who is there"},
		{plan.FigureOf(state.PersonRevive), "bring the person back"},
		{plan.FigureLinked, "linked before, only recorded"},
		{plan.FigureRaised, "log in through Self-auth alone"},
		{"release", "give an address up"},
		{"mail", "address follows the row"},
		{plan.FigureOf(state.PersonExpire), "expire the person"},
		{plan.FigureOf(state.PersonDelete), "delete the person"},
		{plan.FigureJoin, "join groups"},
		{plan.FigureGainAdmin, "gain an admin group"},
		{plan.FigureLoseAdmin, "lose an admin group"},
		{plan.FigureLeave, "leave groups"},
		{"link", "link the row"},
		{plan.FigureTo(state.MethodPassword), "-> password"},
		{plan.FigureTo(state.MethodDual), "password -> dual"},
		{plan.FigureTo(state.MethodSelfAuth), "no password -> self_auth"},
		{"restore", "row goes back"},
	}
}

// stage is the name of a part of a run, as progress shows it.
func stage(e apply.Event) string {
	switch plan.SegmentKind(e.Stage) {
	case plan.SegmentMail, plan.SegmentAnnounce:
		return "mails chosen"
	case plan.SegmentMove:
		return Escape(e.Wave)
	case plan.SegmentRelease:
		return "addresses given up"
	case plan.SegmentFollow:
		return "users moved before"
	case plan.SegmentWithdraw:
		return "users not moved"
	case plan.SegmentRestore:
		if e.Wave != "" {
			return "taken back from " + Escape(e.Wave)
		}
		return "users taken back"
	}
	return e.Stage
}

// levelWords say how far the database's schema has come.
func levelWords(l providers.Level) string {
	if l == providers.LevelBetween {
		return "between baseline and dual"
	}
	return l.String()
}

// waveStates are the states of waves, in the order in which they are counted.
func waveStates() []plan.WaveState {
	return []plan.WaveState{plan.WaveStarts, plan.WaveRunning, plan.WaveSoaking, plan.WaveHeld, plan.WavePaused,
		plan.WaveDone, plan.WaveDisabled}
}

// waveState is a wave's state in words: of a file that was written anew it may be anything.
func (v *voice) waveState(s plan.WaveState) string {
	if slices.Contains(waveStates(), s) {
		return string(s)
	}
	return v.escape(string(s))
}
