package rollout

import (
	"time"

	"anthill/planner/plan"
	"anthill/state"
)

// opens is when a wave that has not started may start, as far as dates say: the latest of its own, of the day until which the passwords
// of its users are promised, and of the ends of soaks that it waits for. Whatever else it waits for can only make it later. The zero
// time: there is no date.
func (j *judge) opens(i int) (at time.Time) {
	w, v := j.Waves[i], j.out[i]
	if v.Moves {
		return j.AsOf
	}
	at = w.Promised
	if w.At.After(at) && j.wished(w.Name, state.WishStart) == nil {
		at = w.At
	}
	for _, name := range EnabledAfter(j.Waves, w) {
		if end := j.ends(j.index[name]); end.After(at) {
			at = end
		}
	}
	return at
}

// ends is when a wave may be done, as far as dates say; the zero time: it is, or there is no date.
func (j *judge) ends(i int) time.Time {
	w, v := j.Waves[i], j.out[i]
	switch {
	case v.DoneAfter, v.State == plan.WavePaused:
		return time.Time{}
	case v.State == plan.WaveHeld && v.Opens.After(j.AsOf):
		return v.Opens.Add(w.Soak)
	case v.State == plan.WaveHeld:
		return time.Time{}
	}
	return v.Until
}
