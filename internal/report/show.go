package report

import (
	"encoding/json"
	"io"

	"anthill/planner"
	"anthill/planner/planfile"
)

// FormatVersion is that of all JSON here. A field may be added in a version; none is taken away or given another meaning.
const FormatVersion = "1"

// planJSON is a plan for programs.
type planJSON struct {
	FormatVersion string `json:"format_version"`
	PlanID        string `json:"plan_id"`
	Blocked       bool   `json:"blocked"`
	Empty         bool   `json:"empty"`
	*planner.Plan
	Analysis *planner.Analysis `json:"analysis"`
}

// PlanJSON writes a plan as JSON: all but the list of its users.
func PlanJSON(w io.Writer, r *planfile.Reader) error {
	p := r.Plan()
	return writeJSON(w, planJSON{FormatVersion, r.ID().String(), p.Blocked(), p.Empty(), p, &p.Analysis})
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Skipped lists the users who are not moved, one a line: id and reason.
func Skipped(w io.Writer, r *planfile.Reader, o Options) error {
	p := newPage(w, o)
	for s, err := range r.Skipped() {
		if err != nil {
			return err
		}
		p.line("%s  %s", s.User, s.Reason.Text())
	}
	return p.flush()
}
