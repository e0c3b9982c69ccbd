package report

import (
	"fmt"
	"io"

	"anthill/internal/apply"
	"anthill/planner/planfile"
	"anthill/state"
)

// Checked writes how much of a plan still holds.
func Checked(w io.Writer, f *planfile.File, c *apply.Checked, o Options) error {
	p := newPage(w, o)
	say := newView(f).speaks(p.voice()).say
	p.line("Plan %s of %s", p.bold(f.ID().Short()), stamp(f.Context().AsOf))
	p.gap()
	switch {
	case c.Refused == nil && c.DoneBy != "":
		p.para(p.bold("Run "+c.DoneBy+" has carried it out.") + " Apply does nothing more.")
	case c.Holds():
		p.para(p.bold("All of it still holds."))
	case c.Refused != nil:
		p.para(p.bold("Apply refuses all of it") + ": " + Escape(c.Refused.Error()))
	default:
		p.para(p.bold("Not all of it holds any more.") + " Apply leaves what has changed, and does the rest.")
	}
	if len(c.Users)+len(c.Objects) > 0 {
		p.gap()
		p.para(checkedCounts("users", c.Users))
		p.para(checkedCounts("objects", c.Objects))
	}
	for _, said := range c.Said {
		p.hang("  - ", say(said))
	}
	for i, l := range c.Left {
		if i == listedLeft {
			p.line("  and more")
			break
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", verdict(l.Verdict), l.User), say(l.Reason))
	}
	if !c.Holds() {
		p.gap()
		p.line("To have a plan of what is there now:")
		p.gap()
		again := [][]string{{"plan"}}
		if f.Effects().Kind == state.RunRollback {
			again = goesOn(f.Effects())
		}
		for _, args := range again {
			p.line("    %s", p.command(args...))
		}
	}
	return p.flush()
}

func checkedCounts(what string, n map[state.Verdict]int64) string {
	s := fmt.Sprintf("%s: %s as planned, %s changed since", what, count(n[0]), count(n[state.Changed]))
	for _, more := range []struct {
		verdict state.Verdict
		words   string
	}{
		{state.Already, "done already"}, {state.Paused, "left because of a pause"}, {state.Refused, "not to be read"},
	} {
		if n[more.verdict] > 0 {
			s += ", " + count(n[more.verdict]) + " " + more.words
		}
	}
	return s
}

// checkedJSON is how much of a plan holds, for programs.
type checkedJSON struct {
	FormatVersion string           `json:"format_version"`
	PlanID        state.Hash       `json:"plan_id"`
	Holds         bool             `json:"holds"`
	Refused       string           `json:"refused,omitempty"` // why apply would refuse all of it
	DoneBy        string           `json:"done_by,omitempty"` // the run that has carried it out
	Users         map[string]int64 `json:"users"`
	Objects       map[string]int64 `json:"objects"`
	Left          []leftJSON       `json:"left"`
	Said          []state.Finding  `json:"said"`
}

// CheckedJSON writes how much of a plan still holds as JSON.
func CheckedJSON(w io.Writer, f *planfile.File, c *apply.Checked) error {
	counts := func(n map[state.Verdict]int64) map[string]int64 {
		named := map[string]int64{"as_planned": n[0]}
		for v, k := range n {
			if v != 0 {
				named[v.String()] = k
			}
		}
		return named
	}
	j := checkedJSON{FormatVersion, f.ID(), c.Holds(), "", c.DoneBy, counts(c.Users), counts(c.Objects), []leftJSON{}, listed(c.Said)}
	if c.Refused != nil {
		j.Refused = c.Refused.Error()
	}
	for _, l := range c.Left {
		j.Left = append(j.Left, leftJSON{l.User, l.Wave, l.Verdict, l.Reason})
	}
	return writeJSON(w, j)
}
