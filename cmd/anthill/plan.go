package main

import (
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/planfile"
)

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "compare the configuration with the live servers and show what would change",
		ArgsUsage: " ",
		Description: "Reads only; a read-only database role and a read-only token are enough.\n\n" +
			"   anthill plan                                  show what would change\n" +
			"   anthill plan -out pilot.plan                  and save it, for `anthill apply pilot.plan`\n" +
			"   anthill plan -as-of 2027-03-01T09:00:00Z      as it would look then\n" +
			"   anthill plan -allow OVER_LIMIT=4180           with a hazard allowed, by its exact count\n" +
			"   anthill plan -wave pilot -target tenant=acme  only these users, and what they need\n" +
			"   anthill plan -exclude oauth2_client.legacy    all but that\n" +
			"   anthill plan -refresh-only -detailed-exitcode exit 2 where others have changed what Anthill recorded\n" +
			"   anthill plan -runbook acme.sh -target tenant=acme   for a person to carry out by hand, on a small installation\n" +
			"   anthill plan -diff approved.plan              and what is otherwise than in a plan that was approved\n" +
			"   anthill plan -out pilot.plan -markdown        for a comment on a pull request\n" +
			"   anthill plan -out pilot.plan -html >pilot.html   for a browser, in one file",
		Flags: append(planFlags(),
			&cli.StringFlag{Name: flagRunbook, TakesFile: true,
				Usage: "write the plan to `FILE` as commands for a person to carry out by hand; - is stdout"},
			&cli.BoolFlag{Name: flagDrift, Usage: "only look for what others have changed of what is recorded, and record objects as they are"}),
		Action: p.plan,
	}
}

// planFlags are those of commands that make a plan of the configuration.
func planFlags() []cli.Flag {
	return append(configFlags(append(formFlags(),
		&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE`", TakesFile: true},
		&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when there are changes"},
		asOfFlag(), allowFlag())...), partFlags()...)
}

func asOfFlag() cli.Flag {
	return &cli.StringFlag{Name: "as-of", Usage: "judge dates and soaks at `TIME` (RFC 3339) instead of now"}
}

func allowFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "allow a hazard by its count: `CODE=COUNT` (again for more)"}
}

func (p *program) plan(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (the directory is -chdir, the plan file -out)"); err != nil {
		return err
	}
	if err := checkDrift(c); err != nil {
		return err
	}
	if err := p.checkRunbook(c); err != nil {
		return err
	}
	return p.planWith(c, func(r *session.Request) { r.Drift = c.Bool(flagDrift) })
}

// planWith makes a plan as the flags say, and shows it; more completes the request.
func (p *program) planWith(c *cli.Context, more func(*session.Request)) error {
	if err := checkForm(c); err != nil {
		return err
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	more(&r)
	// Before anything is asked: a name that was mistyped is not told after minutes.
	old, err := p.openOld(c)
	if err != nil {
		return err
	}
	if old != nil {
		defer old.Close()
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	made, err := p.makePlan(c, s, r)
	if err != nil {
		return err
	}
	defer made.Close()
	if done, err := p.runbook(c, s, made.File); done || err != nil {
		return err
	}
	if err := p.showPlan(c, made.File, old, c.String("out")); err != nil {
		return err
	}
	return planStatus(made.File, c.Bool("detailed-exitcode"))
}

// makePlan plans with progress, and shows the warnings that came of it.
func (p *program) makePlan(c *cli.Context, s *session.Session, r session.Request) (*session.Plan, error) {
	progress := p.progress(c)
	r.Progress, r.Origin = progress.Stage, p.origin(c)
	made, err := s.Plan(c.Context, r)
	progress.Close()
	if err != nil {
		return nil, err
	}
	return made, p.warn(c, made.Warnings)
}

// warn shows warnings about the configuration.
func (p *program) warn(c *cli.Context, d session.Diagnostics) error {
	o := p.options(c)
	return report.Diagnostics(p.stderr, told(d.List, o), d.Files, o)
}

// planStatus is how a command ends that has made and shown a plan. A wave that was named and is held has been shown as such.
func planStatus(file *planfile.File, detailed bool) error {
	e := file.Effects()
	switch {
	case e.Blocked():
		return quietly(exitBlocked)
	case len(file.Context().HeldWaves()) > 0:
		return quietly(exitHeld)
	case detailed && (!e.Empty() || file.Context().Drift.Any()):
		return quietly(exitChanges)
	}
	return nil
}
