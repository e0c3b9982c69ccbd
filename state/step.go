package state

import "strings"

// A wave with steps is as many waves in a row as it has steps. Each is called by the wave and its percentage:
// everyone[25]. The label of a wave has no brackets, so such a name is one of no other wave.

// StepName is the name of a step; percent is as people write it: 25, 0.5.
func StepName(wave, percent string) string { return wave + "[" + percent + "]" }

// StepOf is the wave and the percentage of a step; ok is false for a wave that is none.
func StepOf(name string) (wave, percent string, ok bool) {
	wave, rest, ok := strings.Cut(name, "[")
	percent, closed := strings.CutSuffix(rest, "]")
	if !ok || !closed || wave == "" || percent == "" {
		return "", "", false
	}
	return wave, percent, true
}

// InWave reports whether a wave is the one of a name, or a step of it.
func InWave(wave, name string) bool {
	of, _, step := StepOf(wave)
	return wave == name || step && of == name
}

// WholeWave is the wave that a name is a step of, or the name itself.
func WholeWave(name string) string {
	if of, _, step := StepOf(name); step {
		return of
	}
	return name
}
