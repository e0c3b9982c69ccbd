package plan

import (
	"time"

	"anthill/state"
)

// WindowSaid is what is said of how the window of a wave stands at a moment.
func WindowSaid(wave string, w *state.Window, at time.Time) state.Finding {
	is := w.At(at)
	var args []state.Arg
	if !is.Changes.IsZero() {
		args = append(args, state.At(state.KeyAt, is.Changes), state.Text(state.KeyZone, w.Zone))
	}
	if is.Frozen != "" {
		args = append(args, state.Text(state.KeyReason, is.Frozen))
	}
	switch {
	case is.Open:
		return state.About(state.CodeWindowOpen, state.OfWave(wave), args...)
	case is.Changes.IsZero():
		return state.About(state.CodeWindowNever, state.OfWave(wave), args...)
	}
	return state.About(state.CodeWindowShut, state.OfWave(wave), args...)
}
