package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/planner"
	"anthill/planner/planfile"
)

func (p *program) applyCommand() *cli.Command {
	return &cli.Command{
		Name: "apply", Usage: "carry out a plan", ArgsUsage: "[PLANFILE]",
		Description: "With a plan file it asks nothing: the file is what was approved. Without one it first finishes the run that\n" +
			"was stopped, if any, then plans, shows the plan and asks.\n\n" +
			"   anthill apply pilot.plan\n" +
			"   anthill apply -plan-id 7f3a91c2... -approved-by \"ana, #412\" pilot.plan\n" +
			"   anthill apply -auto-approve",
		Flags: configFlags(append(runFlags(),
			&cli.StringFlag{Name: "plan-id", Usage: "refuse any plan but the one with this full `ID`"},
			&cli.StringFlag{Name: "on-stale", Value: "skip", Usage: "`skip` users who changed since the plan, or fail before any effect"},
			asOfFlag(), lockFlag(), jsonFlag())...),
		Action: p.apply,
	}
}

// runFlags are those of commands that run a plan.
func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "auto-approve", Usage: "do not ask"},
		&cli.StringFlag{Name: "approved-by", Usage: "record who approved it (`TEXT`)"},
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
	plan, err := planfile.Open(file(c, path))
	if err != nil {
		return err
	}
	defer plan.Close()
	if err := checkPlanID(c, plan); err != nil {
		return err
	}
	s, err := p.open(c.Context, c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.mayWrite(c.Context); err != nil {
		return err
	}
	return p.locked(c.Context, c, s, func() error { return p.carryOut(c, s, plan) })
}

func checkPlanID(c *cli.Context, plan *planfile.Reader) error {
	want := strings.ToLower(strings.TrimSpace(c.String("plan-id")))
	if want == "" || want == plan.ID().String() {
		return nil
	}
	return &statusError{exitBlocked, fmt.Errorf("this is plan %s, and -plan-id asks for %s: nothing was changed.\nThe full ID of a plan, 64 digits, is shown by:\n\n    anthill show -json PLANFILE", plan.ID(), want)}
}

// applyDirectory finishes an open run without asking, then plans what is left and asks.
func (p *program) applyDirectory(c *cli.Context) error {
	ctx := c.Context
	ask, err := p.planning(c)
	if err != nil {
		return err
	}
	if ask.future {
		return &usageError{"-as-of lies in the future: such a plan can be made and shown (anthill plan -as-of), and applied when its time has come"}
	}
	s, err := p.open(ctx, c)
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.mayWrite(c.Context); err != nil {
		return err
	}
	remainder := false
	switch err := p.finishOpen(c, s); {
	case err == nil:
	case statusOf(err) == exitRemainder:
		remainder = true // those left are looked at again by the plan that follows
	default:
		return err
	}
	if err := p.inspectAgain(ctx, s); err != nil {
		return err
	}
	plan, err := p.makePlan(ctx, c, s, ask, "")
	if err != nil {
		return err
	}
	defer plan.Close()
	if err := checkPlanID(c, plan.Reader); err != nil {
		return err
	}
	err = p.approveAndRun(c, s, plan.Reader, "Carry out this plan?")
	if err == nil && remainder && plan.Plan().Empty() {
		return quietly(exitRemainder)
	}
	return err
}

// inspectAgain looks at the schema once more: a run that was finished just now may have changed it.
func (p *program) inspectAgain(ctx context.Context, s *session) (err error) {
	s.inspection, err = s.postgres.Inspect(ctx)
	return err
}

// finishOpen finishes the run that was stopped, if there is one.
func (p *program) finishOpen(c *cli.Context, s *session) error {
	st, err := s.store.Read(c.Context)
	if err != nil {
		return err
	}
	if err := s.bound(st); err != nil {
		return err
	}
	r := st.OpenRun()
	if r == nil {
		return nil
	}
	plan, err := storedPlan(c.Context, s.store, r.ID)
	if err != nil {
		return err
	}
	defer plan.Close()
	p.say("Run %s of plan %s was stopped; it is finished first.", r.ID, r.Plan.Short())
	return p.locked(c.Context, c, s, func() error { return p.carryOut(c, s, plan.Reader) })
}

// approveAndRun shows a plan that was just made, asks, and carries it out.
func (p *program) approveAndRun(c *cli.Context, s *session, plan *planfile.Reader, question string) error {
	if c.Bool("json") {
		// stdout is for the result alone.
	} else if err := report.Plan(p.stdout, plan, p.options(c)); err != nil {
		return err
	}
	if plan.Plan().Blocked() {
		return &apply.BlockedError{Reason: "the plan is blocked; allow its hazards by code and count when you plan, or change the configuration. Nothing was changed"}
	}
	if !needsApproval(plan.Plan()) {
		return p.locked(c.Context, c, s, func() error { return p.carryOut(c, s, plan) })
	}
	if !c.Bool("auto-approve") {
		if err := p.ask(c.Context, question); err != nil {
			return err
		}
	}
	return p.locked(c.Context, c, s, func() error { return p.carryOut(c, s, plan) })
}

// needsApproval says whether there is anything to approve: a wave that is merely latched as done is no change (L15).
func needsApproval(plan *planner.Plan) bool {
	return !plan.Empty() || plan.Undo != nil && len(plan.Undo.Runs) > 0
}

// carryOut runs a plan under the lock, with progress, and tells how it ended.
func (p *program) carryOut(c *cli.Context, s *session, plan *planfile.Reader) error {
	if err := s.mayCarryOut(plan.Plan()); err != nil {
		return err
	}
	progress := report.NewProgress(p.stderr, p.terminal, p.now, p.options(c))
	began := p.now()
	result, err := apply.Run(c.Context, plan, p.deps(c, s, plan.Plan().Lineage), progress.Event)
	progress.Close()
	if err != nil && !result.Stopped {
		return explainOpen(err)
	}
	if reportErr := p.result(c, plan.Plan(), result, err, began); reportErr != nil {
		return reportErr
	}
	switch {
	case result.Stopped:
		return quietly(exitStopped)
	case result.Run.Outcome == "remainder":
		return quietly(exitRemainder)
	}
	return nil
}

func (p *program) result(c *cli.Context, plan *planner.Plan, result apply.Result, stopped error, began time.Time) error {
	if c.Bool("json") {
		return report.ResultJSON(p.stdout, plan, result, stopped)
	}
	return report.Result(p.stdout, plan, result, stopped, p.now().Sub(began), p.options(c))
}

// explainOpen says what to do about the open run of another plan.
func explainOpen(err error) error {
	var open *apply.OpenRunError
	if !errors.As(err, &open) {
		return err
	}
	return fmt.Errorf("%w: nothing was changed. Finish it first:\n\n    anthill apply", err)
}
