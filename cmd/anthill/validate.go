package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
)

func (p *program) validateCommand() *cli.Command {
	return &cli.Command{
		Name:      "validate",
		Usage:     "check the configuration without any server",
		ArgsUsage: " ",
		Description: "Finds every mistake that can be found without the live tenants:\n\n" +
			"   anthill validate\n" +
			"   anthill -chdir rollout validate\n" +
			"   anthill validate -json          for programs",
		Flags: configFlags(jsonFlag()),
		Action: func(c *cli.Context) error {
			if _, err := words(c, 0, 0, "no arguments (the directory is -chdir)"); err != nil {
				return err
			}
			settings, err := p.settings(c)
			if err != nil {
				return err
			}
			found := session.Validate(c.Context, settings)
			if err := c.Err(); err != nil {
				return err
			}
			if c.Bool("json") {
				if err := report.DiagnosticsJSON(p.stdout, found.List); err != nil || !found.List.HasErrors() {
					return err
				}
				return quietly(exitError)
			}
			if found.List.HasErrors() {
				return &session.DiagnosticsError{Diagnostics: found}
			}
			if err := p.warn(c, found); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, "The configuration is valid.")
			return nil
		},
	}
}
