package state

// WaveFigures are the figures of a wave by which its gates open: users of it as they are in one moment. They are not nested:
// whoever has logged in need not have been invited.
//
// Moved, and so Invited, Enrolled and Completed, are of users who are recorded as moved under the wave and are live: row and
// tenant active, not deleted. Whoever was rolled back, or is suspended, is in none of them.
type WaveFigures struct {
	Selected  int64  `json:"selected"`           // live users who belong to the wave: moved, due, waiting or skipped
	Moved     int64  `json:"moved"`              // linked, and recorded as moved under it
	Invited   int64  `json:"invited"`            // of those moved: the row holds a time of invitation
	Enrolled  *int64 `json:"enrolled,omitempty"` // of those moved: with a credential in Self-auth; nil: not known
	Completed int64  `json:"completed"`          // of those moved: have logged in through Self-auth
	Failed    int64  `json:"failed"`             // due, as the last run that tried could not move them
	Skipped   int64  `json:"skipped"`            // not moved for good, for a reason that the plan states
}

// FigureNames are the names of the figures as a condition calls them, in their order.
func FigureNames() []string {
	return []string{"selected", "moved", "invited", "enrolled", "completed", "failed", "skipped"}
}

// Of returns a figure by its name. known is false for enrolled where nobody was asked; other names are a caller's mistake.
func (f WaveFigures) Of(name string) (n int64, known bool) {
	switch name {
	case "selected":
		return f.Selected, true
	case "moved":
		return f.Moved, true
	case "invited":
		return f.Invited, true
	case "enrolled":
		if f.Enrolled == nil {
			return 0, false
		}
		return *f.Enrolled, true
	case "completed":
		return f.Completed, true
	case "failed":
		return f.Failed, true
	case "skipped":
		return f.Skipped, true
	}
	panic("state: no figure " + name + " of a wave. This is a bug in Anthill.")
}
