package main

import (
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/planner/planfile"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show a saved plan",
		ArgsUsage: "PLANFILE",
		Description: "Needs no server and no configuration.\n\n" +
			"   anthill show pilot.plan              as plan showed it\n" +
			"   anthill show -json pilot.plan        for programs; the plan ID is at the top\n" +
			"   anthill show -skipped pilot.plan     who is not moved, one a line with the reason",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.BoolFlag{Name: "skipped", Usage: "list the users who are not moved, by id"},
			chdirFlag(),
			noColorFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := words(c, 1, 1, "the name of a plan file")
			if err != nil {
				return err
			}
			r, err := planfile.Open(p.file(args[0]))
			if err != nil {
				return err
			}
			defer r.Close()
			o := p.options(c)
			o.PlanFile = args[0]
			switch {
			case c.Bool("json"):
				return report.PlanJSON(p.stdout, r)
			case c.Bool("skipped"):
				return report.Skipped(p.stdout, r, o)
			}
			return report.Plan(p.stdout, r, o)
		},
	}
}
