package report

import (
	"cmp"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// Status is what `anthill status` shows.
type Status struct {
	State     *state.State
	Plan      *planfile.File // as it would be made now; nil where it cannot be made
	PlanError string         // why, in one line or several, diagnostics written out; "" when Plan is there
	Level     providers.Level
	Server    string // version of Self-auth
	Away      bool   // it cannot be reached
	AsOf      time.Time
	Tenants   map[uuid.UUID]string // slugs
	LeftOpen  []state.Finding      // without Plan: what is known of what a rollback of Postgres alone has left open
}

// WriteStatus writes a status for people.
func WriteStatus(w io.Writer, s Status, o Options) error {
	p := statusPage{newPage(w, o), s}
	server := Escape(s.Server)
	if s.Away {
		server = "cannot be reached"
	}
	p.line("Status   as of %s%sschema %s%sSelf-auth %s", stamp(s.AsOf), p.dot(), levelWords(s.Level), p.dot(), server)
	if r := s.State.OpenRun(); r != nil {
		p.gap()
		p.line("%s (%s, begun %s by %s). Finish it:", p.bold("Run "+Escape(r.ID)+" is open"), countText(r.Counts),
			stamp(r.Started), Escape(r.Who))
		p.gap()
		p.line("    %s", p.command("apply"))
		if s.Away {
			p.gap()
			p.line("That needs Self-auth. If it takes rows back in Postgres alone, this goes on with it now:")
			p.gap()
			p.line("    %s", p.command("rollback", "-postgres-only"))
		}
	}
	p.leftOpen()
	p.waves()
	p.pauses()
	p.runs()
	return p.flush()
}

// statusPage is a status as text.
type statusPage struct {
	*page
	Status
}

// leftOpen says what a rollback of Postgres alone has left open in Self-auth.
func (p *statusPage) leftOpen() {
	open := p.LeftOpen
	if p.Plan != nil {
		open = leftOpen(p.Plan.Context())
	}
	for i, f := range open {
		if i == 0 {
			p.gap()
		}
		p.hang("", p.bold(p.voice().say(f)+"."))
	}
}

// waves shows how the waves stand, by the plan that would be made now.
func (p *statusPage) waves() {
	p.gap()
	if p.Plan == nil {
		p.line("The waves cannot be judged now:")
		p.line("%s", escapeLines(p.PlanError))
		for _, w := range p.State.Waves {
			p.line("  %s  %s moved as recorded", Escape(w.Name), users(w.Users))
		}
		return
	}
	v := newView(p.Plan)
	words := v.speaks(p.voice())
	rows := [][]string{{"", "users", "moved", "invited", "enrolled", "completed", "due", "waiting", "skipped", ""}}
	var next time.Time
	type said struct{ wave, why string }
	var all []said
	for _, w := range v.context.Waves {
		text := Escape(string(w.State))
		if w.State == plan.WaveDone || w.State == plan.WaveRunning {
			text += " since " + day(w.Since)
		}
		why := words.reasons(w)
		// The earliest date that any wave waits for is when to look again.
		if !w.Until.IsZero() && w.Until.After(p.AsOf) && (next.IsZero() || w.Until.Before(next)) {
			next = w.Until
		}
		if away := notLive(w); away != "" {
			why = append(why, away)
		}
		if len(why) > 0 {
			all = append(all, said{Escape(w.Name), strings.Join(why, p.dot())})
		}
		f := w.Figures
		rows = append(rows, []string{Escape(w.Name), count(w.Matched), count(f.Moved), count(f.Invited), known(f.Enrolled),
			count(f.Completed), count(v.due(w)), count(w.Waiting), count(w.Skipped), text})
	}
	p.table(0, []bool{false, true, true, true, true, true, true, true, true}, rows)
	for i, s := range all {
		if i == 0 {
			p.gap()
		}
		p.hang(s.wave+"  ", s.why)
	}
	if !next.IsZero() {
		p.gap()
		p.line("Next event: %s.", stamp(next))
	}
	for _, f := range v.context.Notes {
		if f.Code == state.CodePasswordOverdue {
			p.gap()
			p.hang("Overdue  ", words.say(f))
		}
	}
	if what := due(v.effects); what != "" {
		p.gap()
		p.line("Due now: %s. To see what would be done:", what)
		p.gap()
		p.line("    %s", p.command("plan"))
	}
}

// known writes a figure that is not always known.
func known(n *int64) string {
	if n == nil {
		return "?"
	}
	return count(*n)
}

// notLive says how many of those who were moved are in none of a wave's figures; "" where there are none.
func notLive(w plan.WaveView) string {
	n := w.Moved - w.Figures.Moved
	if n <= 0 {
		return ""
	}
	return "besides, " + of(n, "moved user is", "moved users are") + " not active at present"
}

// due counts what a plan would do; "" where that is nothing.
func due(e *plan.Effects) string {
	var parts []string
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	add(e.Users(), "user", "users")
	add(e.Mails(), "mail", "mails")
	add(int64(len(e.Objects)), "object", "objects")
	add(int64(len(e.Schema)), "schema step", "schema steps")
	return strings.Join(parts, ", ")
}

func (p *statusPage) pauses() {
	if len(p.State.Pauses) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Paused"))
	for _, is := range p.State.Pauses {
		one := pauseIs(is, p.Tenants)
		p.line("  %s: %s   %s", one.where(), pauseWords(is), p.command(one.resume()...))
	}
}

// pauseIs is a pause that stands; slugs are of the tenants that there are.
func pauseIs(p state.Pause, slugs map[uuid.UUID]string) pause {
	one := pause{wave: p.Wave}
	if p.Tenant != uuid.Nil {
		one.tenant = cmp.Or(slugs[p.Tenant], p.Tenant.String())
	}
	return one
}

// where says where a pause holds.
func (p pause) where() string {
	where := "wave " + Escape(p.wave)
	if p.tenant != "" {
		where += ", tenant " + Escape(p.tenant)
	}
	return where
}

// pauseWords say whose a pause is, since when, and why.
func pauseWords(p state.Pause) string {
	if p.Run == "" {
		return signedWords("by", state.Signed{By: p.By, Reason: p.Reason, At: p.At})
	}
	s := "rolled back by run " + Escape(p.Run) + " on " + day(p.At)
	if p.By != "" {
		s += " (" + Escape(p.By) + ")"
	}
	return s
}

// signedWords say who did something, when, and why.
func signedWords(how string, s state.Signed) string {
	text := how + " " + Escape(s.By) + " on " + stamp(s.At)
	if s.Reason != "" {
		text += ": " + Escape(s.Reason)
	}
	return text
}

const listedRuns = 10

func (p *statusPage) runs() {
	runs := p.State.Runs
	p.gap()
	if len(runs) == 0 {
		p.line("No run yet.")
		return
	}
	p.line("%s", p.bold("Runs, newest first"))
	rows := [][]string{}
	for i, r := range slices.Backward(runs) {
		if len(runs)-1-i == listedRuns {
			rows = append(rows, []string{"..."})
			break
		}
		text := countText(r.Counts)
		if r.Undone {
			text += "; undone"
		}
		if len(r.Undoes) > 0 {
			text += "; undid " + strings.Join(each(r.Undoes, Escape), ", ")
		}
		rows = append(rows, []string{Escape(r.ID), string(r.Kind), stamp(r.Started), Escape(r.Who), outcome(r),
			"plan " + r.Plan.Short(), text})
	}
	p.table(2, nil, rows)
}

func outcome(r state.RunInfo) string {
	if r.Open {
		return "open"
	}
	return string(r.Outcome)
}

// statusJSON is a status for programs.
type statusJSON struct {
	FormatVersion string          `json:"format_version"`
	AsOf          time.Time       `json:"as_of"`
	Schema        string          `json:"schema"`
	Waves         []plan.WaveView `json:"waves"`
	LeftOpen      []state.Finding `json:"left_open,omitempty"` // in Self-auth, by a rollback of Postgres alone
	Due           dueJSON         `json:"due"`
	Error         string          `json:"error,omitempty"`
	Runs          []runJSON       `json:"runs"`
	Pauses        []pauseJSON     `json:"pauses"`
}

// dueJSON is what a plan made now would do.
type dueJSON struct {
	Users   int64  `json:"users"`
	Mails   int64  `json:"mails,omitempty"` // to users who are not changed
	Objects int    `json:"objects"`
	Schema  int    `json:"schema_steps"`
	Figures []part `json:"figures"`
}

type runJSON struct {
	ID         string           `json:"id"`
	Kind       state.RunKind    `json:"kind"`
	PlanID     state.Hash       `json:"plan_id"`
	Seal       state.Hash       `json:"seal"`
	Who        string           `json:"who"`
	ApprovedBy string           `json:"approved_by,omitempty"`
	Started    time.Time        `json:"started"`
	Ended      time.Time        `json:"ended,omitzero"`
	Open       bool             `json:"open"`
	Outcome    state.RunOutcome `json:"outcome"`
	Undone     bool             `json:"undone"`
	Undoes     []string         `json:"undoes,omitempty"`
	Counts     state.Counts     `json:"counts"`
	Previous   state.Hash       `json:"previous"`
	Digest     state.Hash       `json:"digest"`
}

type pauseJSON struct {
	Wave   string    `json:"wave"`
	Tenant uuid.UUID `json:"tenant,omitzero"`
	Run    string    `json:"run"` // the rollback that left it; "": somebody has asked for it
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

func pauseOf(p state.Pause) pauseJSON {
	return pauseJSON{p.Wave, p.Tenant, p.Run, p.By, p.Reason, p.At}
}

// StatusJSON writes a status as JSON.
func StatusJSON(w io.Writer, s Status) error {
	j := statusJSON{
		FormatVersion: FormatVersion,
		AsOf:          s.AsOf.UTC(),
		Schema:        s.Level.String(),
		Waves:         []plan.WaveView{},
		Due:           dueJSON{Figures: []part{}},
		Error:         s.PlanError,
		Runs:          []runJSON{},
		Pauses:        []pauseJSON{},
		LeftOpen:      s.LeftOpen,
	}
	if s.Plan != nil {
		v := newView(s.Plan)
		for _, w := range v.context.Waves {
			w.Due = v.due(w)
			j.Waves = append(j.Waves, w)
		}
		e := v.effects
		j.LeftOpen = leftOpen(v.context)
		j.Due = dueJSON{e.Users(), e.Mails(), len(e.Objects), len(e.Schema), listed(v.parts)}
	}
	for _, r := range s.State.Runs {
		j.Runs = append(j.Runs, runOf(r))
	}
	for _, p := range s.State.Pauses {
		j.Pauses = append(j.Pauses, pauseOf(p))
	}
	return writeJSON(w, j)
}

func runOf(r state.RunInfo) runJSON {
	return runJSON{
		ID:         r.ID,
		Kind:       r.Kind,
		PlanID:     r.Plan,
		Seal:       r.Seal,
		Who:        r.Who,
		ApprovedBy: r.ApprovedBy,
		Started:    r.Started,
		Ended:      r.Ended,
		Open:       r.Open,
		Outcome:    r.Outcome,
		Undone:     r.Undone,
		Undoes:     r.Undoes,
		Counts:     r.Counts,
		Previous:   r.Previous,
		Digest:     r.Digest,
	}
}
