package report

import (
	"slices"

	"anthill/planner/plan"
	"anthill/state"
)

// leavesOpen reports whether a note says what a rollback of Postgres alone has left open in Self-auth. It stands before all
// others, where nobody misses it.
func leavesOpen(f state.Finding) bool {
	return f.Code == state.CodeRowBackOpen || f.Code == state.CodeRowBackLinked
}

// leftOpen are those notes.
func leftOpen(c *plan.Context) (list []state.Finding) {
	for _, f := range c.Notes {
		if leavesOpen(f) {
			list = append(list, f)
		}
	}
	return list
}

// leftOpen says what a rollback of Postgres alone has left open, in sentences; none where nothing is.
func (t *telling) leftOpen() (list []string) {
	for _, f := range leftOpen(t.context) {
		list = append(list, t.words.say(f)+".")
	}
	return list
}

// otherNotes are the notes that stand below.
func otherNotes(c *plan.Context) []state.Finding {
	return slices.DeleteFunc(slices.Clone(c.Notes), leavesOpen)
}
