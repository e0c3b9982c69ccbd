package report

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

// Status is what `anthill status` shows.
type Status struct {
	State     *state.State
	Plan      *planner.Plan // as it would be made now; nil where it cannot be made
	PlanError string        // why; "" when Plan is there
	Level     providers.Level
	Server    string // version of Self-auth
	AsOf      time.Time
	Tenants   map[uuid.UUID]string // slugs
}

// WriteStatus writes a status for people.
func WriteStatus(w io.Writer, s Status, o Options) error {
	p := newPage(w, o)
	p.line("Status   as of %s%sschema %s%sSelf-auth %s", stamp(s.AsOf), p.dot(), s.Level, p.dot(), Escape(s.Server))
	if r := s.State.OpenRun(); r != nil {
		p.gap()
		p.line("%s (%s, begun %s by %s). Finish it:", p.bold("Run "+r.ID+" is open"), countText(r.Counts), stamp(r.Started), Escape(r.Who))
		p.gap()
		p.line("    anthill apply")
	}
	p.statusWaves(s)
	p.statusPauses(s)
	p.statusRuns(s)
	return p.flush()
}

func (p *page) statusWaves(s Status) {
	p.gap()
	if s.Plan == nil {
		p.line("The waves cannot be judged now:")
		p.line("%s", escapeLines(s.PlanError))
		for _, w := range s.State.Waves {
			p.line("  %s  %s moved as recorded", Escape(w.Name), users(w.Users))
		}
		return
	}
	rows := [][]string{{"", "users", "moved", "due", "waiting", "skipped", ""}}
	var next time.Time
	for _, w := range s.Plan.Analysis.Waves {
		text := string(w.State)
		if w.State == planner.DoneWave || w.State == planner.Running {
			text += " since " + day(w.Since)
		}
		for _, r := range w.Reasons {
			text += p.dot() + Escape(r)
		}
		if !w.Until.IsZero() && w.Until.After(s.AsOf) && (next.IsZero() || w.Until.Before(next)) {
			next = w.Until
		}
		rows = append(rows, []string{Escape(w.Name), count(w.Matched), count(w.Moved), count(w.Due), count(w.Waiting), count(w.Skipped), text})
	}
	p.table(0, []bool{false, true, true, true, true, true}, rows)
	if !next.IsZero() {
		p.gap()
		p.line("Next event: %s.", stamp(next))
	}
	if !s.Plan.Empty() {
		p.gap()
		p.line("%s due. See what that is:", users(s.Plan.Users()))
		p.gap()
		p.line("    anthill plan")
	}
}

func (p *page) statusPauses(s Status) {
	if len(s.State.Pauses) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Paused"))
	for _, pause := range s.State.Pauses {
		where, command := "wave "+Escape(pause.Wave), "anthill wave resume "+Escape(pause.Wave)
		if pause.Tenant != uuid.Nil {
			slug := s.Tenants[pause.Tenant]
			if slug == "" {
				slug = pause.Tenant.String()
			}
			where += ", tenant " + Escape(slug)
			command = "anthill wave resume -tenant " + Escape(slug) + " " + Escape(pause.Wave)
		}
		p.line("  %s: %s on %s   %s", where, Escape(pause.Reason), day(pause.At), command)
	}
}

const listedRuns = 10

func (p *page) statusRuns(s Status) {
	if len(s.State.Runs) == 0 {
		p.gap()
		p.line("No run yet.")
		return
	}
	p.gap()
	p.line("%s", p.bold("Runs, newest first"))
	rows := [][]string{}
	for i, r := range slices.Backward(s.State.Runs) {
		if len(s.State.Runs)-1-i == listedRuns {
			rows = append(rows, []string{"..."})
			break
		}
		text := countText(r.Counts)
		if r.Undone {
			text += "; undone"
		}
		if len(r.Undoes) > 0 {
			text += fmt.Sprintf("; undid %v", r.Undoes)
		}
		rows = append(rows, []string{r.ID, string(r.Kind), stamp(r.Started), Escape(r.Who), outcome(r), "plan " + r.Plan.Short(), text})
	}
	p.table(2, nil, rows)
}

func outcome(r state.RunInfo) string {
	if r.Open {
		return "open"
	}
	return r.Outcome
}

// statusJSON is a status for programs.
type statusJSON struct {
	FormatVersion string             `json:"format_version"`
	AsOf          time.Time          `json:"as_of"`
	Schema        string             `json:"schema"`
	Waves         []planner.WaveView `json:"waves"`
	Error         string             `json:"error,omitempty"`
	Runs          []runJSON          `json:"runs"`
	Pauses        []pauseJSON        `json:"pauses"`
}

type runJSON struct {
	ID         string       `json:"id"`
	Kind       string       `json:"kind"`
	PlanID     string       `json:"plan_id"`
	Who        string       `json:"who"`
	ApprovedBy string       `json:"approved_by,omitempty"`
	Started    time.Time    `json:"started"`
	Ended      time.Time    `json:"ended,omitzero"`
	Open       bool         `json:"open"`
	Outcome    string       `json:"outcome"`
	Undone     bool         `json:"undone"`
	Undoes     []string     `json:"undoes,omitempty"`
	Counts     state.Counts `json:"counts"`
	Previous   string       `json:"previous"`
	Digest     string       `json:"digest"`
}

type pauseJSON struct {
	Wave   string    `json:"wave"`
	Tenant string    `json:"tenant,omitempty"`
	Run    string    `json:"run"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason"`
}

// StatusJSON writes a status as JSON.
func StatusJSON(w io.Writer, s Status) error {
	j := statusJSON{FormatVersion: FormatVersion, AsOf: s.AsOf.UTC(), Schema: s.Level.String(), Error: s.PlanError, Waves: []planner.WaveView{}, Runs: []runJSON{}, Pauses: []pauseJSON{}}
	if s.Plan != nil {
		j.Waves = s.Plan.Analysis.Waves
	}
	for _, r := range s.State.Runs {
		j.Runs = append(j.Runs, runJSON{r.ID, string(r.Kind), r.Plan.String(), r.Who, r.ApprovedBy, r.Started, r.Ended, r.Open, r.Outcome, r.Undone, r.Undoes,
			r.Counts, r.Previous.String(), r.Digest.String()})
	}
	for _, p := range s.State.Pauses {
		tenant := ""
		if p.Tenant != uuid.Nil {
			tenant = p.Tenant.String()
		}
		j.Pauses = append(j.Pauses, pauseJSON{p.Wave, tenant, p.Run, p.At, p.Reason})
	}
	return writeJSON(w, j)
}
