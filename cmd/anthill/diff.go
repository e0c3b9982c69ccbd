package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/planner/planfile"
)

func (p *program) diffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "say what one saved plan does otherwise than another",
		ArgsUsage: "OLD NEW",
		Description: "Needs no server and no configuration. Two plans that do the same have one plan ID: what was\n" +
			"approved of the one holds for the other.\n\n" +
			"   anthill diff approved.plan again.plan           by wave and tenant, and each object\n" +
			"   anthill diff -users approved.plan again.plan    who it is, one a line\n" +
			"   anthill diff -detailed-exitcode a.plan b.plan   exit 2 when they do not do the same",
		Flags: []cli.Flag{
			jsonFlag(),
			&cli.BoolFlag{Name: "users", Usage: "list the users of whom they do not do the same, by id"},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when they do not do the same"},
			chdirFlag(),
			noColorFlag(),
		},
		Action: p.diff,
	}
}

func (p *program) diff(c *cli.Context) error {
	args, err := words(c, 2, 2, "the names of two plan files")
	if err != nil {
		return err
	}
	var files [2]*planfile.File
	for i, name := range args {
		if files[i], err = p.openPlan(name); err != nil {
			return err
		}
		defer files[i].Close()
	}
	old, new, o := files[0], files[1], p.options(c)
	same := old.ID() == new.ID()
	switch users, json := c.Bool("users"), c.Bool("json"); {
	case users && json:
		err = report.DiffUsersJSON(p.stdout, old, new)
	case users:
		err = report.DiffUsers(p.stdout, old, new, o)
	default:
		var d *planfile.Diff
		if d, err = planfile.Compare(old, new, nil); err != nil {
			return err
		}
		if json {
			err = report.DiffJSON(p.stdout, old, new, d)
		} else {
			err = report.Diff(p.stdout, old, new, d, o, [2]string(args))
		}
	}
	if err == nil && !same && c.Bool("detailed-exitcode") {
		return quietly(exitChanges)
	}
	return err
}

// openPlan opens a plan file; what is wrong with it is told with its name.
func (p *program) openPlan(name string) (*planfile.File, error) {
	f, err := planfile.Open(p.file(name))
	var format *planfile.FormatError
	if errors.As(err, &format) {
		return nil, &planFileError{name, err}
	}
	return f, err
}

// planFileError is a plan file that cannot be used, where more than one is named.
type planFileError struct {
	name string
	err  error
}

func (e *planFileError) Error() string { return e.name + ": " + e.err.Error() }

func (e *planFileError) Unwrap() error { return e.err }
