package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

func (p *program) applyCommand() *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "carry out a plan",
		ArgsUsage: "[PLANFILE]",
		Description: "With a plan file it asks nothing: the file is what was approved. Without one it first finishes\n" +
			"the run that was stopped, if any, then plans, shows the plan and asks.\n\n" +
			"   anthill apply pilot.plan\n" +
			"   anthill apply pilot.plan -plan-id 7f3a91c2... -approved-by \"ana, #412\"\n" +
			"   anthill apply -auto-approve\n" +
			"   anthill apply -target tenant=acme             plans a part, as `anthill plan` does, and carries it out\n" +
			"   anthill apply -refresh-only                   only records objects as others have made them; neither side is written\n" +
			"   anthill apply -close                          end the run that was stopped, and do nothing else",
		Flags: append(configFlags(append(runFlags(),
			&cli.StringFlag{Name: "plan-id", Usage: "refuse any plan but the one with this full `ID`"},
			&cli.StringFlag{Name: "on-stale", Value: "skip",
				Usage: "`skip` users who changed since the plan, or fail before any effect"},
			&cli.BoolFlag{Name: "close", Usage: "only end the run that was stopped: settle who is in flight, give nobody anything"},
			&cli.BoolFlag{Name: flagDrift, Usage: "only record objects as they are, where others have changed them"},
			asOfFlag(), lockFlag(), jsonFlag())...), partFlags()...),
		Action: p.apply,
	}
}

// runFlags are those of commands that run a plan.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"},
		&cli.StringFlag{Name: "approved-by", Usage: "record who approved it (`TEXT`)"},
		&cli.BoolFlag{Name: "show-queries", Usage: "where it waits for other sessions of the database, show what they run, data and all"},
	}
}

func (p *program) apply(c *cli.Context) error {
	args, err := words(c, 0, 1, "at most a plan file")
	if err != nil {
		return err
	}
	if s := c.String("on-stale"); s != "skip" && s != "fail" {
		return &usageError{fmt.Sprintf("-on-stale is skip or fail, not %q", s)}
	}
	if c.Bool("close") && len(args) == 1 {
		return &usageError{"-close ends the run that was stopped, whose plan is stored: no plan file belongs to it"}
	}
	if name := partFlag(c); name != "" && (c.Bool("close") || len(args) == 1) {
		return &usageError{"-" + name + " belongs to planning: it goes with neither a plan file nor -close"}
	}
	if c.Bool(flagDrift) && (c.Bool("close") || len(args) == 1) {
		return misused(c, "-"+flagDrift+" belongs to planning: it goes with neither a plan file nor -close")
	}
	if err := checkDrift(c); err != nil {
		return err
	}
	if c.Bool("close") {
		return p.applyClose(c)
	}
	if len(args) == 1 {
		return p.applyFile(c, args[0])
	}
	return p.applyDirectory(c)
}

// applyFile carries out a saved plan, or finishes its run.
func (p *program) applyFile(c *cli.Context, path string) error {
	if c.IsSet("as-of") {
		return &usageError{"-as-of belongs to planning; a plan file has been made already"}
	}
	file, err := planfile.Open(p.file(path))
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkPlanID(c, file); err != nil {
		return err
	}
	s, err := p.openFor(c, file.Effects())
	if err != nil {
		return err
	}
	defer s.Close()
	// Before the lock is taken and the run begins: a role that only reads has done nothing wrong yet.
	if err := s.MayCarryOut(c.Context, file.Effects()); err != nil {
		return err
	}
	p.say("%s.", report.Summary(file))
	return p.carryOut(c, s, file)
}

// demandedPlan is the ID of the only plan that may be carried out; "": any may.
func demandedPlan(c *cli.Context) string {
	return strings.ToLower(strings.TrimSpace(c.String("plan-id")))
}

func checkPlanID(c *cli.Context, file *planfile.File) error {
	want := demandedPlan(c)
	if want == "" || want == file.ID().String() {
		return nil
	}
	return &statusError{exitBlocked, fmt.Errorf("this is plan %s, and -plan-id asks for %s: nothing was changed.\n"+
		"The full ID of a plan, 64 digits, is shown by:\n\n    anthill show PLANFILE", file.ID(), want)}
}

// applyDirectory finishes an open run without asking, then plans what is left and asks.
func (p *program) applyDirectory(c *cli.Context) error {
	r, err := p.request(c)
	if err != nil {
		return err
	}
	r.Drift = c.Bool(flagDrift)
	if r.Future {
		return &usageError{"-as-of lies in the future: such a plan can be made and shown (anthill plan -as-of), " +
			"and applied when its time has come"}
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.MayWrite(c.Context); err != nil {
		return err
	}
	// Before it is finished: a flag that demands a plan speaks of this one, too.
	demanded, err := demandsOpen(c, s)
	if err != nil {
		return err
	}
	if !demanded { // then something is planned; that it cannot be is said before anything is done
		if err := s.Complete(); err != nil {
			return err
		}
	}
	remainder := false
	switch err := p.finishOpen(c, s); {
	case err == nil && demanded:
		return nil
	case err == nil:
	case statusOf(err) == exitRemainder && !demanded:
		// Those left are looked at again by the plan that follows.
		remainder = true
	default:
		return err
	}
	made, err := p.makePlan(c, s, r)
	if err != nil {
		return err
	}
	defer made.Close()
	if err := checkPlanID(c, made.File); err != nil {
		return err
	}
	// Nothing new is due, but users of the run that was finished first are still left: that is the result of this command.
	err = p.approveAndRun(c, s, made.File, "Carry out this plan?")
	if err == nil && remainder && made.Effects().Empty() {
		return quietly(exitRemainder)
	}
	return err
}

// demandsOpen says whether -plan-id demands the plan of the run that was stopped: then that is all there is to do. It
// refuses to finish a run of another plan than the one that is demanded.
func demandsOpen(c *cli.Context, s *session.Session) (bool, error) {
	want := demandedPlan(c)
	if want == "" {
		return false, nil
	}
	r, err := s.OpenRun(c.Context)
	if err != nil || r == nil {
		return false, err
	}
	if r.Plan.String() != want {
		return false, &statusError{exitBlocked, fmt.Errorf("run %s of plan %s was stopped, and -plan-id asks for %s: "+
			"nothing was changed. Finish that run first:\n\n    anthill apply -plan-id %s", r.ID, r.Plan, want, r.Plan)}
	}
	return true, nil
}

// finishOpen finishes the run that was stopped, if there is one.
func (p *program) finishOpen(c *cli.Context, s *session.Session) error {
	r, err := s.OpenRun(c.Context)
	if err != nil || r == nil {
		return err
	}
	stored, err := s.StoredPlan(c.Context, r.ID)
	if err != nil {
		return err
	}
	defer stored.Close()
	p.say("Run %s of plan %s was stopped; it is finished first.", r.ID, r.Plan.Short())
	if by := c.String("approved-by"); by != "" && by != r.ApprovedBy {
		p.say("It keeps the approval that it was begun with; -approved-by is recorded with the plan that follows.")
	}
	return p.carryOut(c, s, stored.File)
}

// approveAndRun shows a plan that was just made, asks, and carries it out.
func (p *program) approveAndRun(c *cli.Context, s *session.Session, file *planfile.File, question string) error {
	// Then stdout is for the result alone.
	if !c.Bool("json") {
		if err := report.Plan(p.stdout, file, p.options(c)); err != nil {
			return err
		}
	}
	if file.Effects().Blocked() {
		return &apply.BlockedError{Reason: "the plan is blocked; allow its hazards by code and count when you plan, " +
			"or change the configuration. Nothing was changed"}
	}
	if err := heldError(file); err != nil {
		return err
	}
	if err := s.MayCarryOut(c.Context, file.Effects()); err != nil {
		return err
	}
	if needsApproval(file.Effects()) && !c.Bool("auto-approve") {
		if err := p.ask(c.Context, report.Summary(file)+".\n"+question); err != nil {
			return err
		}
	}
	return p.carryOut(c, s, file)
}

// needsApproval says whether there is anything to approve: a wave that is merely latched as done is no change (L15).
func needsApproval(e *plan.Effects) bool {
	return !e.Empty() || e.Undo != nil && len(e.Undo.Runs) > 0
}

// carryOut carries out a plan with progress, and tells how it ended.
func (p *program) carryOut(c *cli.Context, s *session.Session, file *planfile.File) error {
	progress := p.progress(c)
	progress.Of(file.Effects())
	began := p.now()
	approval := session.Approval{By: c.String("approved-by"), FailStale: c.String("on-stale") == "fail"}
	goOn := []string{"apply"}
	if file.Effects().PostgresOnly() {
		goOn = report.AloneAgain(file.Effects())
	}
	ended := func() {}
	result, err := s.CarryOut(c.Context, &file.Reader, approval, func(e apply.Event) {
		if e.Kind == apply.Begun {
			ended = p.interruptible(c.Context, progress, p.command(goOn...))
		}
		progress.Event(e)
	})
	ended()
	progress.Close()
	if err != nil && !result.Stopped {
		return p.explainOpen(err, file.Effects())
	}
	// From here on something has been done. If the report cannot be written, the exit status must still say so.
	switch {
	case result.Stopped:
		why, _, _ := strings.Cut(err.Error(), "\n")
		p.effect = &effect{exitStopped, "run " + result.Run.ID + " was stopped (" + safe(why) + ")", goOn}
		if lost := (*state.LockLostError)(nil); errors.As(err, &lost) && lost.Taken {
			p.effect.next = []string{"status"}
		}
	case !result.Nothing:
		p.effect = &effect{exitRemainder, "run " + result.Run.ID + " has finished", []string{"status"}}
	}
	if reportErr := p.result(c, file.Effects(), result, err, began); reportErr != nil {
		return reportErr
	}
	switch {
	case result.Stopped:
		return quietly(exitStopped)
	case result.Nothing && len(result.Held) > 0, result.Run.Outcome == state.OutcomeRemainder, result.Run.Outcome == state.OutcomeClosed:
		return quietly(exitRemainder)
	}
	return nil
}

// result shows how a run ended; stopped is why it was stopped.
func (p *program) result(c *cli.Context, e *plan.Effects, result apply.Result, stopped error,
	began time.Time) error {
	if c.Bool("json") {
		return report.ResultJSON(p.stdout, e, result, stopped)
	}
	return report.Result(p.stdout, e, result, stopped, p.now().Sub(began), p.options(c))
}

// explainOpen says what to do about the open run of another plan.
func (p *program) explainOpen(err error, e *plan.Effects) error {
	var open *apply.OpenRunError
	switch {
	case !errors.As(err, &open):
		return err
	case e.PostgresOnly():
		return fmt.Errorf("%w: nothing was changed. Plan anew: that closes it first, or says what that needs:\n\n    %s", err,
			p.command(report.AloneAgain(e)...))
	}
	return fmt.Errorf("%w: nothing was changed. Finish it first:\n\n    anthill apply\n\n"+
		"or end it as it is, giving nobody anything:\n\n    anthill apply -close", err)
}
