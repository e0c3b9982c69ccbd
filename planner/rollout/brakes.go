package rollout

import (
	"slices"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// Brakes are those of waves, in their order.
func Brakes(waves []config.Wave) (list []state.Brakes) {
	for _, w := range waves {
		list = append(list, state.Brakes{Wave: w.Name, Enabled: w.Enabled, After: w.After, At: w.At, StartGates: w.StartGates,
			Soak: w.Soak, FinishGates: w.FinishGates, AllowEmpty: w.AllowEmpty, Promised: w.Promised})
	}
	return list
}

// Kept are recorded brakes, and those of waves that are declared since, in the order of `after`.
func Kept(recorded []state.Brakes, declared []config.Wave) []state.Brakes {
	var waves []config.Wave
	known := map[string]bool{}
	for _, b := range recorded {
		waves = append(waves, brake(config.Wave{Name: b.Wave}, b))
		known[b.Wave] = true
	}
	for _, w := range declared {
		if !known[w.Name] {
			waves = append(waves, w)
		}
	}
	return Brakes(config.InOrder(waves))
}

// DoneAnyway are the waves that the plan may call done by the brakes that are recorded as well; nil: all, as nothing is
// recorded.
func DoneAnyway(in Input, recorded []state.Brakes) map[string]bool {
	if len(recorded) == 0 {
		return nil
	}
	before := in.braked(recorded)
	done := map[string]bool{}
	for i, v := range Judge(before) {
		done[before.Waves[i].Name] = v.DoneAfter
	}
	return done
}

// Release is a wave that starts because brakes were edited.
type Release struct {
	Wave  string
	Users int64           // to be moved
	Why   []state.Finding // what would hold it by the brakes as recorded
}

// Loosened finds the waves that start by the verdicts on in and that would be held by the brakes that are recorded (L22).
// Waves that are new have their own in both. Nothing recorded: nothing was edited.
func Loosened(in Input, verdicts []Verdict, recorded []state.Brakes) (list []Release) {
	if len(recorded) == 0 {
		return nil
	}
	before := in.braked(recorded)
	held := map[string][]state.Finding{}
	for i, v := range Judge(before) {
		if v.State == plan.WaveHeld {
			held[before.Waves[i].Name] = v.Reasons
		}
	}
	for i, w := range in.Waves {
		t, v := in.Tallies[i], verdicts[i]
		if why := held[w.Name]; why != nil && v.State == plan.WaveStarts && v.Moves && t.Due > t.Left {
			list = append(list, Release{w.Name, t.Due - t.Left, why})
		}
	}
	return list
}

// braked is the input with the brakes as recorded. A wave that is no longer declared moves nobody, so that who waited for
// it waits still, unless it was done.
func (in Input) braked(recorded []state.Brakes) Input {
	tallies := map[string]Tally{}
	var waves []config.Wave
	for i, w := range in.Waves {
		tallies[w.Name] = in.Tallies[i]
		k := slices.IndexFunc(recorded, func(b state.Brakes) bool { return b.Wave == w.Name })
		if k >= 0 {
			w = brake(w, recorded[k])
		}
		waves = append(waves, w)
	}
	for _, b := range recorded {
		if _, declared := tallies[b.Wave]; !declared {
			gone := brake(config.Wave{Name: b.Wave}, b)
			gone.AllowEmpty = false
			waves = append(waves, gone)
		}
	}
	in.Waves, in.Tallies = config.InOrder(waves), nil
	for _, w := range in.Waves {
		in.Tallies = append(in.Tallies, tallies[w.Name])
	}
	return in
}

func brake(w config.Wave, b state.Brakes) config.Wave {
	w.Enabled, w.After, w.At, w.StartGates = b.Enabled, b.After, b.At, b.StartGates
	w.Soak, w.FinishGates, w.AllowEmpty, w.Promised = b.Soak, b.FinishGates, b.AllowEmpty, b.Promised
	return w
}
