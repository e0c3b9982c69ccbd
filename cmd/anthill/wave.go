package main

import (
	"fmt"

	"github.com/urfave/cli/v2"
)

func (p *program) waveCommand() *cli.Command {
	return &cli.Command{
		Name:      "wave",
		Usage:     "confirm a manual gate of a wave, or lift a pause",
		ArgsUsage: "COMMAND",
		Description: "   anthill wave confirm pilot support     the gate \"support\" of the wave \"pilot\" is open\n" +
			"   anthill wave resume pilot              what a rollback paused goes on",
		Action: cli.ShowSubcommandHelp,
		Subcommands: []*cli.Command{
			{
				Name:      "confirm",
				Usage:     "record that a manual gate of a wave is open",
				ArgsUsage: "WAVE GATE",
				Description: "   anthill wave confirm pilot support -note \"desk is staffed\"\n" +
					"   anthill wave confirm -tenant acme pilot opt-in     of a gate with per = \"tenant\"",
				Flags: configFlags(&cli.StringFlag{Name: "note", Usage: "record why (`TEXT`)"},
					&cli.StringFlag{Name: "tenant", Usage: "of a gate that each tenant opens: the tenant with this `SLUG`, or id"}, lockFlag()),
				Action: p.waveConfirm,
			},
			{
				Name:        "resume",
				Usage:       "lift the pause that a rollback left",
				ArgsUsage:   "WAVE",
				Description: "   anthill wave resume pilot\n   anthill wave resume pilot -tenant acme",
				Flags: configFlags(
					&cli.StringFlag{Name: "tenant", Usage: "only the pause of the tenant with this `SLUG`, or id"}, lockFlag()),
				Action: p.waveResume,
			},
		},
	}
}

func (p *program) waveConfirm(c *cli.Context) error {
	args, err := words(c, 2, 2, "the names of a wave and a gate")
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	wave, gate, slug := args[0], args[1], c.String("tenant")
	if err := s.Confirm(c.Context, wave, gate, slug, c.String("note")); err != nil {
		return err
	}
	p.effect = &effect{exitRemainder, fmt.Sprintf("gate %s of wave %s is confirmed%s", gate, wave, forTenant(slug)), []string{"plan"}}
	fmt.Fprintf(p.stdout, "Gate %s of wave %s is confirmed%s by %s. The next plan takes it into account:\n\n    %s\n",
		gate, wave, forTenant(slug), p.who, p.command("plan"))
	return nil
}

func (p *program) waveResume(c *cli.Context) error {
	args, err := words(c, 1, 1, "the name of a wave")
	if err != nil {
		return err
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	wave, slug := args[0], c.String("tenant")
	lifted, err := s.Resume(c.Context, wave, slug)
	if err != nil {
		return err
	}
	if lifted == 0 {
		fmt.Fprintf(p.stdout, "Wave %s is not paused%s: nothing to resume.\n", wave, forTenant(slug))
		return nil
	}
	p.effect = &effect{exitRemainder, fmt.Sprintf("wave %s goes on%s", wave, forTenant(slug)), []string{"plan"}}
	fmt.Fprintf(p.stdout, "Wave %s goes on%s. See what that moves:\n\n    %s\n", wave, forTenant(slug), p.command("plan"))
	return nil
}

func forTenant(slug string) string {
	if slug == "" {
		return ""
	}
	return " for " + slug
}
