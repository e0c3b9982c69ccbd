package users

import (
	"anthill/config"
	"anthill/state"
)

// late says of waves, by index, whether they are done and leave whoever comes late (L19).
type late []bool

// newLate knows a wave with steps as done when its last one is: until then who comes late is one of those who are
// still to be moved.
func newLate(waves []config.Wave, st *state.State) late {
	done := map[string]bool{}
	for _, r := range st.Waves {
		done[r.Name] = !r.DoneAt.IsZero()
	}
	last := map[string]string{}
	for _, w := range waves {
		last[state.WholeWave(w.Name)] = w.Name
	}
	l := make(late, len(waves))
	for i, w := range waves {
		l[i] = w.IgnoreLate && done[last[state.WholeWave(w.Name)]]
	}
	return l
}

func (l late) ignores(wave int) bool { return l[wave] }
