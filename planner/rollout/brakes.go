package rollout

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// Brakes are those of waves, in their order.
func Brakes(waves []config.Wave) (list []state.Brakes) {
	for _, w := range waves {
		list = append(list, state.Brakes{Users: Selectors(w.Users), Wave: w.Name, Enabled: w.Enabled, After: w.After, At: w.At, StartGates: w.StartGates,
			Soak: w.Soak, FinishGates: w.FinishGates, Gates: records(w.Gates), AllowEmpty: w.AllowEmpty, Window: w.Window})
	}
	return list
}

// records are gates as they are recorded. One that is opened by hand for all of its wave is known by its name alone.
func records(gates []config.Gate) (list []state.Gate) {
	for _, g := range gates {
		if !g.Manual() || g.PerTenant || !g.Value.IsZero() {
			list = append(list, g.Record())
		}
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
		if known[w.Name] {
			continue
		}
		// A step that is new is held by what has held its users.
		if b, was := RecordedOf(recorded, w.Name); was {
			w = brake(w, b)
		}
		waves = append(waves, w)
	}
	list := Brakes(config.InOrder(waves))
	for i := range list {
		if k := slices.IndexFunc(recorded, func(b state.Brakes) bool { return b.Wave == list[i].Wave }); k >= 0 {
			list[i].Users = recorded[k].Users
		}
	}
	return list
}

// Policies are those that are recorded and those that are declared, sorted by name: as they are declared, but for the promise, which is
// the latest day of both, unless it has been told as loosened. What is declared no more stays, as users may come back to it when
// their rollback is taken back.
func Policies(recorded []state.Policy, declared []config.Policy, told map[string]bool) (list []state.Policy) {
	of := map[string]state.Policy{}
	for _, p := range recorded {
		if told[p.Name] {
			p.Until = time.Time{}
		}
		of[p.Name] = p
	}
	for _, p := range declared {
		until := of[p.Name].Until
		if p.PasswordUntil.After(until) {
			until = p.PasswordUntil
		}
		of[p.Name] = state.Policy{Name: p.Name, Method: p.Method, From: p.From, Until: until}
	}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		list = append(list, of[name])
	}
	return list
}

// RecordedOf are the recorded brakes of a wave. Those of a step that was not there, or of a wave that has steps now
// or had some, are those that have held its users: of the smallest step that had as many of them.
func RecordedOf(recorded []state.Brakes, wave string) (b state.Brakes, was bool) {
	if i := slices.IndexFunc(recorded, func(b state.Brakes) bool { return b.Wave == wave }); i >= 0 {
		return recorded[i], true
	}
	for _, r := range recorded {
		if state.WholeWave(r.Wave) != state.WholeWave(wave) {
			continue
		}
		is, best, own := share(r.Wave), share(b.Wave), share(wave)
		if !was || is >= own && (best < own || is < best) || is < own && best < own && is > best {
			b, was = r, true
		}
	}
	return b, was
}

// share is the percentage of a step; that of a wave without steps is 100.
func share(wave string) float64 {
	_, percent, step := state.StepOf(wave)
	if f, err := strconv.ParseFloat(percent, 64); step && err == nil {
		return f
	}
	return 100
}

// Before is what was recorded when the configuration was another one.
type Before struct {
	Brakes   []state.Brakes
	Policies []state.Policy
}

func (b Before) empty() bool { return len(b.Brakes)+len(b.Policies) == 0 }

// DoneAnyway are the waves that the plan may call done by the brakes that are recorded as well; nil: all, as nothing is
// recorded.
func DoneAnyway(in Input, recorded Before) map[string]bool {
	if recorded.empty() && len(in.Wishes) == 0 {
		return nil
	}
	before := in.unwished(recorded)
	done := map[string]bool{}
	for i, v := range Judge(before) {
		done[before.Waves[i].Name] = v.DoneAfter
	}
	return done
}

// Release is a wave that starts because brakes were edited, or somebody wished so.
type Release struct {
	Wave     string
	Users    int64           // to be moved
	Why      []state.Finding // what would hold it by the brakes as recorded
	Promised string          // the policy whose promise is among that; "": none
	Wished   bool            // it starts by what somebody wished, and not because of an edit
}

// Loosened finds the waves that move somebody by the verdicts on in and that would be held by what is recorded (L22), also one
// that started before a promise was made. Waves that are new have their own brakes in both, and the promises to those whom they
// raise. Nothing recorded: nothing was edited. What somebody wishes counts like an edit.
func Loosened(in Input, verdicts []Verdict, recorded Before) (list []Release) {
	if recorded.empty() && len(in.Wishes) == 0 {
		return nil
	}
	before := in.unwished(recorded)
	held := map[string]Release{}
	again := map[string]Verdict{}
	wished := in.startsByWish(recorded)
	wider := in.wider(recorded)
	for i, v := range Judge(before) {
		w := before.Waves[i]
		r := Release{Wave: w.Name, Why: v.Reasons, Wished: wished[w.Name]}
		if w.Promised.After(in.AsOf) {
			r.Promised = in.From[w.Policy]
			if !w.Enabled {
				r.Why = []state.Finding{promised(w)} // it is promised whether or not a wave was to raise anybody
			}
		}
		again[w.Name] = v
		if v.State == plan.WaveHeld || r.Promised != "" {
			held[w.Name] = r
		}
	}
	for i, w := range in.Waves {
		t, v := in.Tallies[i], verdicts[i]
		switch r, was := held[w.Name]; {
		case !v.Moves:
		case was && t.Due > t.Left:
			r.Users = t.Due - t.Left
			if why, is := wider[w.Name]; is {
				r.Why = append(slices.Clone(r.Why), why)
			}
			list = append(list, r)
		case again[w.Name].State == plan.WaveDone && !again[w.Name].Moves && t.Due > t.Left: // they are many and late
			list = append(list, Release{Wave: w.Name, Why: again[w.Name].Again, Users: t.Due - t.Left})
		case t.AddedDue > 0 && len(again[w.Name].Again) > 0:
			list = append(list, Release{Wave: w.Name, Why: again[w.Name].Again, Users: t.AddedDue})
		case !wider[w.Name].IsZero() && t.Due > t.Left:
			why := append([]state.Finding{wider[w.Name]}, unconfirmed(config.Wave{Name: w.Name}, t.Released)...)
			list = append(list, Release{Wave: w.Name, Why: why, Users: t.Due - t.Left})
		case !was && len(t.Released) > 0:
			r := Release{Wave: w.Name, Why: unconfirmed(config.Wave{Name: w.Name}, t.Released)}
			for _, u := range t.Released {
				r.Users += u.Users
			}
			list = append(list, r)
		}
	}
	return list
}

// windowLook is how far ahead a window is compared with the one that is recorded: a plan is applied soon, and from
// then on that is what is recorded.
const windowLook = 7 * 24 * time.Hour

// wider are the waves whose window is open in the days to come when the recorded one is shut.
func (in Input) wider(recorded Before) map[string]state.Finding {
	of := map[string]state.Finding{}
	for _, w := range in.Waves {
		b, recorded := RecordedOf(recorded.Brakes, w.Name)
		if !recorded {
			continue
		}
		was := b.Window
		if at := w.Window.Beyond(was, in.AsOf, in.AsOf.Add(windowLook)); !at.IsZero() {
			of[w.Name] = state.About(state.CodeWindowWasShut, state.OfWave(w.Name), state.At(state.KeyAt, at), state.Text(state.KeyZone, was.Zone))
		}
	}
	return of
}

// startsByWish are the waves that what is wished lets start, if nothing had been edited since it was recorded.
func (in Input) startsByWish(recorded Before) map[string]bool {
	if len(in.Wishes) == 0 {
		return nil
	}
	if !recorded.empty() {
		in = in.braked(recorded)
	}
	starts := map[string]bool{}
	for i, v := range Judge(in) {
		starts[in.Waves[i].Name] = v.Moves
	}
	return starts
}

// unwished is the input as it would be if nothing had been edited since it was recorded, and nobody wished anything.
func (in Input) unwished(recorded Before) Input {
	if !recorded.empty() {
		in = in.braked(recorded)
	}
	in.Wishes = nil
	return in
}

// braked is the input with the brakes and promises as recorded. A wave that is no longer declared moves nobody, so that who
// waited for it waits still, unless it was done.
func (in Input) braked(recorded Before) Input {
	tallies := map[string]Tally{}
	until := map[string]time.Time{}
	for _, p := range recorded.Policies {
		until[p.Name] = p.Until
	}
	var waves []config.Wave
	for i, w := range in.Waves {
		tallies[w.Name] = in.Tallies[i]
		if b, was := RecordedOf(recorded.Brakes, w.Name); was {
			w = brake(w, b)
		}
		w.Promised = until[in.From[w.Policy]]
		waves = append(waves, w)
	}
	for _, b := range recorded.Brakes {
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
	w.Soak, w.FinishGates, w.AllowEmpty = b.Soak, b.FinishGates, b.AllowEmpty
	w.Window, w.Gates = b.Window, nil
	for _, g := range b.Gates {
		w.Gates = append(w.Gates, config.RecordedGate(g))
	}
	return w
}
