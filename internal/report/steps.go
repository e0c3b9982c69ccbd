package report

import (
	"fmt"

	"anthill/planner/plan"
	"anthill/state"
)

// A wave with steps is declared once, and people think of it as one: wherever waves are listed it has a row of its own, in which its
// steps are added up, and they stand below, indented.

// allSteps are the steps of a wave as one.
type allSteps struct {
	plan.WaveView        // figures added up; the state is that of the step at which it is
	at, of        int    // which step that is, from 1, and how many there are
	said          string // how far it is
}

// waveRow is a row of a list of waves.
type waveRow struct {
	plan.WaveView
	place int       // in the list of waves; -1: of a wave with steps, of which whole is said
	whole *allSteps // nil: of a wave, or a step
}

// isStep reports whether a row stands below that of its wave.
func (r waveRow) isStep() bool { return r.whole == nil && state.WholeWave(r.Name) != r.Name }

// waveRows are the rows of a list of waves: before the first step of a wave one in which all its steps are added up.
func waveRows(list []plan.WaveView) (rows []waveRow) {
	whole := ""
	for i, w := range list {
		if of := state.WholeWave(w.Name); of != w.Name && of != whole {
			all := stepsOf(list, of)
			rows = append(rows, waveRow{all.WaveView, -1, &all})
			whole = of
		}
		rows = append(rows, waveRow{w, i, nil})
	}
	return rows
}

// stepsOf adds up the steps of a wave in a list.
func stepsOf(list []plan.WaveView, of string) (all allSteps) {
	for _, w := range list {
		if w.Name == of || !state.InWave(w.Name, of) {
			continue
		}
		all.of++
		if all.State == "" || all.State == plan.WaveDone {
			all.at, all.State, all.Since, all.Until = all.of, w.State, w.Since, w.Until
		}
		all.Matched, all.Moved, all.Waiting = all.Matched+w.Matched, all.Moved+w.Moved, all.Waiting+w.Waiting
		all.Due, all.Skipped = all.Due+w.Due, all.Skipped+w.Skipped
		f := &all.Figures
		f.Moved, f.Invited, f.Completed = f.Moved+w.Figures.Moved, f.Invited+w.Figures.Invited, f.Completed+w.Figures.Completed
		if w.Figures.Enrolled != nil {
			sum := *w.Figures.Enrolled
			if f.Enrolled != nil {
				sum += *f.Enrolled
			}
			f.Enrolled = &sum
		}
	}
	all.Name = of
	all.said = fmt.Sprintf("step %d of %d: %s of %s moved", all.at, all.of, count(all.Moved), users(all.Matched))
	return all
}

// stepIn is the name of a wave where it stands in a list: a step is indented below its wave.
func stepIn(name string) string {
	if state.WholeWave(name) != name {
		return "  " + Escape(name)
	}
	return Escape(name)
}
