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
		Name:        "state",
		Usage:       "take what is recorded of somebody out of the state",
		ArgsUsage:   "COMMAND",
		Description: "   anthill state forget 0190d2b1-7c1e-7000-8000-0242ac120002 -reason \"erasure request 4711\"",
		Action:      cli.ShowSubcommandHelp,
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
