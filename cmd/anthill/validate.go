package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
)

func (p *program) validateCommand() *cli.Command {
	return &cli.Command{
		Name: "validate", Usage: "check the configuration without any server", ArgsUsage: " ",
		Description: "Finds every mistake that can be found without the live tenants:\n\n   anthill validate\n   anthill -chdir rollout validate",
		Flags:       configFlags(),
		Action: func(c *cli.Context) error {
			if _, err := words(c, 0, 0, "no arguments (the directory is -chdir)"); err != nil {
				return err
			}
			m, err := p.load(c)
			if err != nil {
				return err
			}
			diags := m.Validate()
			if diags.HasErrors() {
				return &diagError{diags, m.Files()}
			}
			if err := report.Diagnostics(p.stderr, diags, m.Files(), p.options(c)); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, "The configuration is valid.")
			return nil
		},
	}
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show the version", ArgsUsage: " ",
		Action: func(c *cli.Context) error {
			if _, err := words(c, 0, 0, "no arguments"); err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, "anthill "+version)
			return nil
		},
	}
}
