package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/apply"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Result writes how the run of a plan with these effects ended. stopped is the error of a run that was stopped in the
// middle; nil otherwise.
func Result(w io.Writer, e *plan.Effects, r apply.Result, stopped error, took time.Duration, o Options) error {
	p := resultPage{newPage(w, o), e, r}
	switch {
	case r.Nothing && len(r.Held) > 0:
		p.line("Nothing was done, and this plan can be carried out later:")
		for _, f := range p.Held {
			p.hang("  held      ", p.voice().say(f))
		}
	case r.Nothing && r.Run.ID == "":
		p.line("Nothing to do.")
		p.logins()
	case r.Nothing && r.Run.Outcome == state.OutcomeClosed:
		next := "plan"
		if e.Kind == state.RunRollback {
			next = "rollback"
		}
		p.line("Nothing to do: run %s of this plan was stopped, and closed on %s. For what is left:", Escape(r.Run.ID),
			stamp(r.Run.Ended))
		p.gap()
		p.line("    %s", p.command(next))
		p.left()
	case r.Nothing:
		p.line("Nothing to do: run %s carried out this plan on %s.", Escape(r.Run.ID), stamp(r.Run.Ended))
		p.logins()
		p.left()
	case stopped != nil:
		p.stopped(stopped)
	default:
		p.ended(took)
	}
	return p.flush()
}

// Open writes how far the run that was stopped had come.
func Open(w io.Writer, run state.RunInfo, o Options) error {
	p := newPage(w, o)
	p.line("%s of plan %s, which %s began on %s, was stopped after %s.", p.bold("Run "+Escape(run.ID)), run.Plan.Short(),
		Escape(run.Who), stamp(run.Started), countText(run.Counts))
	return p.flush()
}

// Closed writes how a run was closed.
func Closed(w io.Writer, r apply.Result, o Options) error {
	p := resultPage{page: newPage(w, o), Result: r}
	p.hang("", fmt.Sprintf("%s is closed: %s.", p.bold("Run "+Escape(p.Run.ID)), countText(p.Run.Counts)))
	p.left()
	return p.flush()
}

// ClosedJSON writes how a run was closed as JSON.
func ClosedJSON(w io.Writer, r apply.Result) error {
	return ResultJSON(w, &plan.Effects{Kind: r.Run.Kind}, r, nil)
}

// NothingOpen writes that no run is open.
func NothingOpen(w io.Writer, o Options) error {
	p := newPage(w, o)
	p.line("No run is open: there is nothing to close.")
	return p.flush()
}

// resultPage is the end of a run as text.
type resultPage struct {
	*page
	effects *plan.Effects
	apply.Result
}

// stopped says what a run that was stopped had done, why it stopped, and both ways on.
func (p *resultPage) stopped(why error) {
	p.line("%s after %s.", p.bold("Run "+Escape(p.Run.ID)+" was stopped"), countText(p.Run.Counts))
	p.mails()
	p.gap()
	p.line("%s", Commands(p.o, escapeLines(why.Error())))
	p.gap()
	var lost *state.LockLostError
	if errors.As(why, &lost) && lost.Taken {
		// The run may have been finished or taken back by whoever came, and the error has said where to look.
		return
	}
	p.line("What was begun is finished or taken back when it goes on; nothing is done twice. Go on with:")
	p.gap()
	if p.effects.PostgresOnly() {
		// It closes its own run first, and needs Self-auth for neither.
		p.line("    %s", p.command(AloneAgain(p.effects)...))
		return
	}
	p.line("    %s", p.command("apply"))
	p.gap()
	if onlySchema(&p.Run) && p.Run.Counts.Schema < int64(len(p.effects.Schema)) {
		p.line("or, if it stops there again, end it as it is. What is made of the schema stays, and a later apply makes the rest:")
		p.gap()
		p.line("    %s", p.command("apply", "-close"))
		return
	}
	p.line("or, if it stops there again, take back what it has done:")
	p.gap()
	p.line("    %s", p.command("rollback"))
}

// onlySchema reports whether a run has come to steps of the schema and to nothing else: then a rollback has no user to take back, and
// half of a schema is of no use to anybody.
func onlySchema(r *state.RunInfo) bool {
	c := r.Counts
	return r.Kind == state.RunApply && c.Schema > 0 && c.Done+c.Already+c.Failed+c.Changed+c.Paused+c.Objects == 0
}

func (p *resultPage) ended(took time.Duration) {
	p.hang("", fmt.Sprintf("%s: %s. %.1f s.", p.bold("Run "+Escape(p.Run.ID)), countText(p.Run.Counts), took.Seconds()))
	say := p.voice().say
	for _, f := range p.Held {
		p.hang("  held      ", say(f))
	}
	for _, f := range p.Objects {
		p.hang("  failed    ", say(f))
	}
	p.logins()
	p.mails()
	p.left()
	switch {
	case p.effects.Was != nil:
		p.para("What is recorded belongs to this target from now on. With the settings of before, this binds it back:")
		p.gap()
		p.line("    %s", p.command("state", "retarget"))
	case p.effects.Kind == state.RunInvite && p.Run.Outcome != state.OutcomeRemainder:
	case p.Run.Outcome == state.OutcomeRemainder:
		p.remainder()
	case p.effects.Kind == state.RunRollback:
		p.otherHalf()
		p.resumes()
	case len(p.effects.Segments) > 0 && !p.effects.GivesBack():
		p.para("No rollback of this run gives anything back: the rows of these users do not ask for it.")
	default:
		p.line("To take it back:")
		p.gap()
		p.line("    %s", p.command("rollback", "-run", p.Run.ID))
	}
}

// logins says how many rows got their time of completion.
func (p *resultPage) logins() {
	if p.Logins > 0 {
		p.para(fmt.Sprintf("%s logged in through Self-auth by the synced time of the row, which is noted as the time of completion.",
			of(p.Logins, "user has", "users have")))
	}
	if !p.Unnoted.IsZero() {
		p.para("The time of completion of others who logged in is not noted, and tried again by the next apply: " + p.voice().say(p.Unnoted) + ".")
	}
}

// remainder says how to go on where not everything was done.
func (p *resultPage) remainder() {
	// The usual promise does not hold where something could not be put back: the lines above say what that is.
	said := "Nothing was done twice or half. "
	if p.Half {
		said = "What could not be put back is left as the lines above say. "
	}
	next, back, on := "Plan again", " for the rest, or take it back", [][]string{{"plan"}}
	if p.effects.Kind == state.RunRollback {
		// A plan moves users and takes nobody back; and without its scope a rollback takes the latest run.
		next, back, on = "Take back the rest", ", or undo this rollback", goesOn(p.effects)
	}
	if p.Run.Changed {
		next += back
		on = append(on, []string{"rollback", "-run", p.Run.ID})
	}
	p.line("%s%s:", said, next)
	p.gap()
	for _, args := range on {
		p.line("    %s", p.command(args...))
	}
}

// otherHalf says what a rollback of Postgres alone has left open.
func (p *resultPage) otherHalf() {
	if !p.effects.PostgresOnly() || p.Run.Counts.Done == 0 {
		return
	}
	p.para("Self-auth was not asked and is as it was: whoever could log in there still can. Any plan says how many are left open there, " +
		"and takes from them what is no longer theirs; to take it back with the groups that were made:")
	p.gap()
	for _, args := range again(p.effects, nil) {
		p.line("    %s", p.command(args...))
	}
	p.gap()
}

func (p *resultPage) resumes() {
	list := pausesOf(p.effects)
	if len(list) == 0 {
		return
	}
	p.line("Nobody is moved there again until:")
	p.gap()
	for _, one := range list {
		p.line("    %s", p.command(one.resume()...))
	}
}

func countText(c state.Counts) string {
	var parts []string
	if c.Done > 0 || c.Mails == 0 {
		parts = append(parts, users(c.Done)+" done")
	}
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, count(n)+" "+what)
		}
	}
	add(c.Already, "done already")
	add(c.Changed, "changed meanwhile and left alone")
	add(c.Paused, "left because of a pause")
	add(c.Failed, "failed")
	more := func(n int64, one, many, what string) {
		if n > 0 {
			parts = append(parts, of(n, one, many)+" "+what)
		}
	}
	more(c.Objects, "object", "objects", "done")
	more(c.Schema, "schema step", "schema steps", "done")
	more(c.Mails, "mail", "mails", "chosen")
	more(c.Retries, "call", "calls", "tried again")
	return strings.Join(parts, ", ")
}

const listedLeft = 20

// left lists users who did not reach their after-state.
func (p *resultPage) left() {
	say := p.voice().say
	for i, l := range p.Left {
		if i == listedLeft {
			p.line("  and more; the journal of run %s has them all", Escape(p.Run.ID))
			break
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", verdict(l.Verdict), l.User), say(l.Reason))
	}
}

func verdict(v state.Verdict) string {
	if v == state.Changed {
		return "left"
	}
	return v.String()
}

// resultJSON is the end of a run for programs.
type resultJSON struct {
	FormatVersion string           `json:"format_version"`
	Run           string           `json:"run"`
	Kind          state.RunKind    `json:"kind"`
	PlanID        state.Hash       `json:"plan_id"`
	Seal          state.Hash       `json:"seal"`
	Nothing       bool             `json:"nothing_done"`
	Stopped       bool             `json:"stopped"`
	Error         string           `json:"error,omitempty"`
	Outcome       state.RunOutcome `json:"outcome"`
	Counts        state.Counts     `json:"counts"`
	Held          []state.Finding  `json:"held,omitempty"`
	Objects       []state.Finding  `json:"objects_not_done,omitempty"`
	Left          []leftJSON       `json:"left,omitempty"`
	Logins        int64            `json:"logins_noted,omitempty"` // rows that got their time of completion
	Unnoted       *state.Finding   `json:"logins_not_noted,omitempty"`

	Mails     []state.MailTally `json:"mails,omitempty"`
	Unsent    []unsentJSON      `json:"mails_not_taken,omitempty"` // the first 100
	Uninvited *state.Finding    `json:"invitations_not_noted,omitempty"`
}

type unsentJSON struct {
	User   uuid.UUID        `json:"user"`
	Mail   uuid.UUID        `json:"mail"`
	Wave   string           `json:"wave"`
	Letter state.LetterKind `json:"letter"`
	Status state.MailStatus `json:"status"`
	Reply  int              `json:"reply,omitempty"`
	Why    state.Code       `json:"why,omitempty"`
}

type leftJSON struct {
	User   uuid.UUID     `json:"user"`
	Wave   string        `json:"wave"`
	Kind   state.Verdict `json:"kind"`
	Reason state.Finding `json:"reason"`
}

// ResultJSON writes how a run ended as JSON.
func ResultJSON(w io.Writer, e *plan.Effects, r apply.Result, stopped error) error {
	j := resultJSON{
		FormatVersion: FormatVersion,
		Run:           r.Run.ID,
		Kind:          e.Kind,
		PlanID:        r.Run.Plan,
		Seal:          r.Run.Seal,
		Nothing:       r.Nothing,
		Stopped:       r.Stopped,
		Outcome:       r.Run.Outcome,
		Counts:        r.Run.Counts,
		Held:          r.Held,
		Objects:       r.Objects,
		Logins:        r.Logins,
	}
	if !r.Unnoted.IsZero() {
		j.Unnoted = &r.Unnoted
	}
	if !r.Uninvited.IsZero() {
		j.Uninvited = &r.Uninvited
	}
	j.Mails = r.Mails
	for _, m := range r.Unsent {
		j.Unsent = append(j.Unsent, unsentJSON{m.User, m.ID, m.Wave, m.Letter, m.Status, m.Code, m.Why})
	}
	if stopped != nil {
		j.Error = stopped.Error()
	}
	for _, l := range r.Left {
		j.Left = append(j.Left, leftJSON{l.User, l.Wave, l.Verdict, l.Reason})
	}
	return writeJSON(w, j)
}

// NothingToUndoJSON writes that there is nothing to take back, and of whom it cannot be, as JSON.
func NothingToUndoJSON(w io.Writer, f *planfile.File) error {
	r := apply.Result{Nothing: true}
	for _, c := range f.Context().Conflicts {
		r.Left = append(r.Left, apply.Left{User: c.User, Verdict: state.Conflict, Reason: c.Why})
	}
	return ResultJSON(w, f.Effects(), r, nil)
}
