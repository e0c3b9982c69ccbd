package apply

import (
	"slices"

	"anthill/planner/plan"
	"anthill/state"
)

// The window of a wave is looked at by the clock of now, before each of its batches. Where it is shut, what is in
// flight is finished and the others of the wave stay untried, for a new plan. It is about moves alone: what follows
// rows, or takes away, goes on.

// shutNow says how the window of a wave stands where it is shut; zero: it is open, or there is none.
func (x *executor) shutNow(wave string) state.Finding {
	i := slices.IndexFunc(x.effects.Waves, func(w plan.WaveEffect) bool { return w.Name == wave })
	if i < 0 {
		return state.Finding{}
	}
	w := x.effects.Waves[i]
	now := x.Now()
	if w.Window.At(now).Open {
		return state.Finding{}
	}
	return plan.WindowSaid(w.Name, w.Window, now)
}

// begun reports whether this run has tried users of a wave, before it was stopped or since.
func (x *executor) begun(wave string, place int) bool {
	return x.figure[wave].tried > 0 || x.journal.Position().Segment == place && len(x.open) > 0
}

// untried is how many users of a wave this run has passed over.
func (x *executor) untried(wave string) int64 {
	if i := x.segmentOf(wave); i >= 0 {
		return max(0, x.effects.Segments[i].Users-x.figure[wave].tried)
	}
	return 0
}

// windowLeft says that users of a wave were left, and how its window stands.
func (x *executor) windowLeft(w plan.WaveEffect) state.Finding {
	return windowLeft(w.Name, x.untried(w.Name), plan.WindowSaid(w.Name, w.Window, x.Now()))
}

func windowLeft(wave string, users int64, why state.Finding) state.Finding {
	return state.About(state.CodeWaveWindow, state.OfWave(wave), state.Because(state.KeyWhy, why)).Times(users)
}

// notYet says which waves the plan could move anybody of, if it holds nothing else and the windows of all of these
// are shut, or they wait for one of them. Then no run is begun, so that the same plan can be carried out when they
// open.
func (x *executor) notYet() (held []state.Finding) {
	e := x.effects
	if len(e.Schema)+len(e.Objects) > 0 || e.Undo != nil || e.Users() == 0 || x.overtaken {
		return nil
	}
	shut := map[string]bool{}
	for _, w := range e.Waves {
		i := x.segmentOf(w.Name)
		done := !x.waves[w.Name].DoneAt.IsZero()
		switch why := x.shutNow(w.Name); {
		case slices.ContainsFunc(w.After, func(a string) bool { return shut[a] }):
			shut[w.Name] = true
		case i < 0: // how it stands is recorded then
		case why.IsZero():
			return nil
		default:
			held = append(held, windowLeft(w.Name, e.Segments[i].Users, why))
			shut[w.Name] = !done
		}
	}
	if slices.ContainsFunc(e.Segments, func(s plan.Segment) bool { return s.Kind != plan.SegmentMove }) {
		return nil
	}
	return held
}
