package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"anthill/internal/apply"
	"anthill/planner"
	"anthill/state"
)

// Result writes how a run ended. stopped is the error of a run that was stopped in the middle; nil otherwise.
func Result(w io.Writer, plan *planner.Plan, r apply.Result, stopped error, took time.Duration, o Options) error {
	p := newPage(w, o)
	switch {
	case r.Nothing && r.Run.ID == "":
		p.line("Nothing to do.")
	case r.Nothing:
		p.line("Nothing to do: run %s carried out this plan on %s.", r.Run.ID, stamp(r.Run.Ended))
		p.left(r)
	case stopped != nil:
		p.stopped(r, stopped)
	default:
		p.ended(plan, r, took)
	}
	return p.flush()
}

func (p *page) stopped(r apply.Result, stopped error) {
	p.line("%s after %s.", p.bold("Run "+r.Run.ID+" was stopped"), countText(r.Run.Counts))
	p.gap()
	p.line("%s", escapeLines(stopped.Error()))
	p.gap()
	p.line("What was begun is finished or taken back when it goes on; nothing is done twice. Go on with:")
	p.gap()
	p.line("    anthill apply")
	p.gap()
	p.line("or, if it stops there again, take back what it has done:")
	p.gap()
	p.line("    anthill rollback")
}

func escapeLines(s string) string { return strings.Join(escapeAll(strings.Split(s, "\n")), "\n") }

func (p *page) ended(plan *planner.Plan, r apply.Result, took time.Duration) {
	p.hang("", fmt.Sprintf("%s: %s. %.1f s.", p.bold("Run "+r.Run.ID), countText(r.Run.Counts), took.Seconds()))
	for _, h := range r.Held {
		p.hang("  held      ", Escape(h))
	}
	for _, o := range r.Objects {
		p.hang("  failed    ", Escape(o))
	}
	p.left(r)
	switch {
	case r.Run.Outcome == "remainder":
		said := "Nothing was done twice or half. "
		if r.Half {
			said = "What could not be put back is left as the lines above say. "
		}
		if !r.Run.Changed {
			p.line("%sPlan again:", said)
			p.gap()
			p.line("    anthill plan")
			return
		}
		p.line("%sPlan again for the rest, or take it back:", said)
		p.gap()
		p.line("    anthill plan")
		p.line("    anthill rollback -run %s", r.Run.ID)
	case plan.Kind == state.RunRollback:
		p.resumes(plan)
	default:
		p.line("To take it back:")
		p.gap()
		p.line("    anthill rollback -run %s", r.Run.ID)
	}
}

func (p *page) resumes(plan *planner.Plan) {
	if plan.Undo == nil || len(plan.Undo.Pauses) == 0 {
		return
	}
	p.line("Nobody is moved there again until:")
	p.gap()
	for _, c := range resumeCommands(plan) {
		p.line("    %s", c.command)
	}
}

func countText(c state.Counts) string {
	parts := []string{users(c.Done) + " done"}
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what)
		}
	}
	add(c.Already, "done already")
	add(c.Changed, "changed meanwhile and left alone")
	add(c.Paused, "left for a pause")
	add(c.Failed, "failed")
	s := strings.Join(parts, ", ")
	if c.Objects > 0 {
		s += ", " + of(c.Objects, "object", "objects") + " done"
	}
	if c.Retries > 0 {
		s += ", " + of(c.Retries, "call", "calls") + " tried again"
	}
	return s
}

const listedLeft = 20

// left lists users who did not reach their after-state.
func (p *page) left(r apply.Result) {
	for i, l := range r.Left {
		if i == listedLeft {
			p.line("  and more; the journal of run %s has all", r.Run.ID)
			break
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", word(l.Verdict), l.User), Escape(l.Reason))
	}
}

func word(v state.Verdict) string {
	if v == state.Changed {
		return "left"
	}
	return v.String()
}

// resultJSON is the end of a run for programs.
type resultJSON struct {
	FormatVersion string       `json:"format_version"`
	Run           string       `json:"run"`
	Kind          string       `json:"kind"`
	PlanID        string       `json:"plan_id"`
	Nothing       bool         `json:"nothing_done"`
	Stopped       bool         `json:"stopped"`
	Error         string       `json:"error,omitempty"`
	Outcome       string       `json:"outcome"`
	Counts        state.Counts `json:"counts"`
	Held          []string     `json:"held,omitempty"`
	Objects       []string     `json:"objects_not_done,omitempty"`
	Left          []leftJSON   `json:"left,omitempty"`
}

type leftJSON struct {
	User   string `json:"user"`
	Wave   string `json:"wave"`
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
}

// ResultJSON writes how a run ended as JSON.
func ResultJSON(w io.Writer, plan *planner.Plan, r apply.Result, stopped error) error {
	j := resultJSON{FormatVersion: FormatVersion, Run: r.Run.ID, Kind: string(plan.Kind), PlanID: r.Run.Plan.String(), Nothing: r.Nothing,
		Stopped: r.Stopped, Outcome: r.Run.Outcome, Counts: r.Run.Counts, Held: r.Held, Objects: r.Objects}
	if stopped != nil {
		j.Error = stopped.Error()
	}
	for _, l := range r.Left {
		j.Left = append(j.Left, leftJSON{l.User, l.Wave, l.Verdict.String(), l.Reason})
	}
	return writeJSON(w, j)
}
