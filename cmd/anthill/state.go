package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
)

func (p *program) stateCommand() *cli.Command {
	return &cli.Command{
		Name:      "state",
		Usage:     "take what is recorded of somebody out of the state, or bind it to servers with new names",
		ArgsUsage: "COMMAND",
		Description: "   anthill state forget 0190d2b1-7c1e-7000-8000-0242ac120002 -reason \"erasure request 4711\"\n" +
			"   anthill state retarget -out renamed.plan",
		Action: cli.ShowSubcommandHelp,
		Subcommands: []*cli.Command{
			{
				Name:      "forget",
				Usage:     "erase what is kept of a user whose row is gone, from state and journal",
				ArgsUsage: "USER",
				Description: "USER is an id. Its row must be gone, an apply must have followed that, and a person that Anthill made for it must\n" +
					"have been deleted in Self-auth; otherwise it says what to do first. What each run did to others, its\n" +
					"figures and its digest stay. There is no way back, and no rollback takes this user back any more.\n\n" +
					"   anthill state forget 0190d2b1-7c1e-7000-8000-0242ac120002 -reason \"erasure request 4711\"",
				Flags: configFlags(reasonFlag("why, for whoever looks (`TEXT`); no name and no address"),
					&cli.BoolFlag{Name: "auto-approve", Usage: "do it without asking"}, lockFlag()),
				Action: p.stateForget,
			},
			{
				Name:      "retarget",
				Usage:     "bind what is recorded to servers that have new names",
				ArgsUsage: " ",
				Description: "After a pg_upgrade or a restore, where Self-auth has a new host name or domain, or the environment is called\n" +
					"otherwise, every command refuses to go on: it might be another target. This makes a plan that shows both, and how\n" +
					"much of what is recorded is found here; with -out it is only saved, for `anthill apply FILE`. Neither server is\n" +
					"written to. A run that was stopped stays open, and is finished by `anthill apply` afterwards.\n\n" +
					"   anthill state retarget                        shows the plan and asks\n" +
					"   anthill state retarget -out renamed.plan      to be reviewed first\n" +
					"   anthill state retarget -postgres-only         while Self-auth is down: its names stay, and it is not asked",
				Flags: configFlags(append(runFlags(),
					&cli.BoolFlag{Name: postgresOnly, Usage: "do not ask Self-auth, whose names stay, so that all passwords can be made to work " +
						"while it is down"},
					&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE`, and bind nothing", TakesFile: true},
					allowFlag(), lockFlag(), jsonFlag())...),
				Action: p.stateRetarget,
			},
		},
	}
}

func (p *program) stateForget(c *cli.Context) error {
	args, err := words(c, 1, 1, "the id of a user")
	if err != nil {
		return err
	}
	who, _ := sought(args[0])
	if who.ID == uuid.Nil {
		return misused(c, "a user is forgotten by its id alone: its row, with the address, is gone")
	}
	reason := c.String("reason")
	if reason == "" {
		return misused(c, "anthill state forget wants -reason TEXT: what is left of a user who was forgotten is who wanted that, when and why")
	}
	if strings.Contains(reason, "@") {
		return misused(c, "the reason is kept for good, and an address stands in it: name the request that asks for this, by its number")
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	progress := p.progress(c)
	r.Progress = progress.Stage
	kept, err := s.Forgettable(c.Context, r, who.ID)
	progress.Close()
	if was := (*session.ForgottenError)(nil); errors.As(err, &was) {
		return report.ForgottenBefore(p.stdout, was.Forgotten, p.options(c))
	}
	if errors.Is(err, session.ErrNoUser) {
		return fmt.Errorf("nothing is recorded of user %s: there is nothing to forget", who.ID)
	}
	if err != nil {
		return err
	}
	if err := report.ToForget(p.stdout, kept.User, kept.Wave, kept.Runs, kept.Records, kept.Person, p.options(c)); err != nil {
		return err
	}
	if !c.Bool("auto-approve") {
		if err := p.ask(c.Context, "Forget this user? There is no way back."); err != nil {
			return err
		}
	}
	f, err := s.Forget(c.Context, who.ID, reason)
	if err != nil {
		return err
	}
	p.effect = &effect{exitRemainder, "what was kept of the user is forgotten", []string{"status"}}
	return report.Forgot(p.stdout, f, p.options(c))
}

// stateRetarget plans to bind what is recorded to the target that the settings name now, and carries it out where it is not only to be
// saved.
func (p *program) stateRetarget(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	if c.Bool(postgresOnly) && c.String("out") != "" {
		return misused(c, "-postgres-only binds at once, after a yes: whoever applies a saved plan asks Self-auth")
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	progress := p.progress(c)
	r.Progress, r.Origin = progress.Stage, p.origin(c)
	made, err := s.Retarget(c.Context, r)
	progress.Close()
	if err != nil {
		return err
	}
	if made == nil {
		return report.BoundAlready(p.stdout, p.options(c))
	}
	defer made.Close()
	if err := p.warn(c, made.Warnings); err != nil {
		return err
	}
	if r.Out != "" {
		if err := p.showPlan(c, made.File, nil, c.String("out")); err != nil {
			return err
		}
		return planStatus(made.File, false)
	}
	return p.approveAndRun(c, s, made.File, "Bind what is recorded to this target?")
}
