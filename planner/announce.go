package planner

import (
	"slices"

	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/state"
)

// announced decides which waves are announced by this plan, and forgets the announcements of the others: a wave is announced some time
// before the moment at which it may start, as far as dates say. asked: somebody wants its announcement now, so that no date is needed.
func (m *maker) announced(verdicts []rollout.Verdict, asked bool) error {
	for i, v := range verdicts {
		w := &m.decided.Waves[i]
		if w.Announced.Segment < 0 {
			continue
		}
		if m.announces(w, v, asked) {
			continue
		}
		if err := m.drop(&w.Announced.Segment); err != nil {
			return err
		}
	}
	return nil
}

// announces says whether a wave is announced by this plan, and notes what is to be said of that.
func (m *maker) announces(w *users.Wave, v rollout.Verdict, asked bool) bool {
	var n, owed int64
	for l, users := range plan.Mailed(m.sink.Shapes(w.Announced.Segment)) {
		n += users
		if l.Owed {
			owed += users
		}
	}
	note := func(code state.Code, n int64, args ...state.Arg) {
		m.heard = append(m.heard, state.About(code, state.OfWave(w.Name), args...).Times(n))
	}
	short := func(code state.Code, n int64) {
		// Who has signed up since is no reason to stop.
		if n > 0 && 10*n > n+w.Announced.Told {
			m.unheard = append(m.unheard, state.About(code, state.OfWave(w.Name)).Times(n))
		}
	}
	started := slices.ContainsFunc(m.State.Waves, func(r state.Wave) bool { return r.Name == w.Name && !r.Started.IsZero() })
	before := w.Announcement.Before
	switch {
	case started: // the others are moved, and these wait for their tenants
	case v.Moves && m.plan.Effects.Kind != state.RunInvite:
		short(state.CodeMailsUntold, w.Announced.Untold)
		return false
	case v.Opens.IsZero() && !asked:
		note(state.CodeAnnouncedNever, n, state.Because(state.KeyWhy, v.Reasons...))
		return false
	case v.Opens.Add(-before).After(m.AsOf):
		return false
	case v.Opens.After(m.AsOf):
		if v.Opens.Sub(m.AsOf) < before/2 {
			short(state.CodeMailsShort, n-owed)
		}
		if why := undated(v.Reasons); len(why) > 0 {
			note(state.CodeAnnouncedEarly, n, state.At(state.KeyAt, v.Opens), state.Because(state.KeyWhy, why...))
		}
	}
	if u := w.Announced.Unreachable; u > 0 {
		note(state.CodeMailNoAddress, u)
	}
	return true
}

// undated are the reasons for which a wave is held that no date says the end of. Pauses are those of others: to who is paused nothing is
// announced.
func undated(reasons []state.Finding) []state.Finding {
	return slices.DeleteFunc(slices.Clone(reasons), func(f state.Finding) bool {
		switch f.Code {
		case state.CodeStartsAt, state.CodePasswordPromised, state.CodeSoaks, state.CodeWavePaused, state.CodeTenantPaused:
			return true
		case state.CodeWaitsFor:
			why := f.Arg(state.KeyWhy).Findings
			return len(why) > 0 && len(undated(why)) == 0
		}
		return false
	})
}

// unannounced raises the hazard of waves of which those whom they concern hear too late, or not at all.
func (m *maker) unannounced() {
	for _, f := range m.unheard {
		m.plan.Effects.Raise(plan.SendsMail, f.Count, f)
	}
}
