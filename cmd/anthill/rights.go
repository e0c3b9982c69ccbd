package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
)

const (
	rightsName = "rights"
	rightsAll  = "all"
)

// rightsFor are the values of -for.
func rightsFor() []string { return append(session.Works(), rightsAll) }

func (p *program) rightsCommand() *cli.Command {
	return &cli.Command{
		Name:      rightsName,
		Usage:     "print the rights that roles of the database need, as SQL",
		ArgsUsage: " ",
		Description: "A script for psql: exactly what a role needs for its work under this configuration, column by column where\n" +
			"that suffices. Nothing is changed, and any role will do to print it. Without DATABASE_URL it says what the\n" +
			"configuration alone can say.\n\n" +
			"   anthill rights                                the roles anthill_plan, anthill_apply, anthill_schema, anthill_support\n" +
			"   anthill rights -for apply -role release | psql \"$OWNER_URL\"\n" +
			"   anthill rights -for schema                    also to make the columns, and to take them back\n" +
			"   anthill rights -json                          for programs",
		Flags: configFlags(
			&cli.StringFlag{Name: "for", Value: rightsAll, Usage: "the `WORK` of the role: " + listed(rightsFor())},
			&cli.StringFlag{Name: "role", Usage: "`NAME` of the role (default: anthill_ and its work)"},
			jsonFlag(),
		),
		Action: p.rights,
	}
}

func (p *program) rights(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (the role is -role)"); err != nil {
		return err
	}
	work, role := c.String("for"), c.String("role")
	if !slices.Contains(rightsFor(), work) {
		return misused(c, fmt.Sprintf("-for %s: there are %s", work, listed(rightsFor())))
	}
	if role != "" && work == rightsAll {
		return misused(c, "-role is one role: say with -for what it is for")
	}
	var roles []session.RoleRights
	for _, w := range session.Works() {
		if work == w || work == rightsAll {
			roles = append(roles, session.RoleRights{For: w, Role: cmp.Or(role, "anthill_"+w)})
		}
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	found, err := session.GrantsOf(c.Context, settings, roles)
	if err != nil {
		return err
	}
	of := report.RightsOf{Offline: found.Offline, Database: found.Database, Unmade: found.Unmade, NoState: found.NoState, Outdated: found.Outdated}
	for _, r := range found.Roles {
		of.Roles = append(of.Roles, report.RoleRights(r))
	}
	for _, t := range found.Triggers {
		of.Triggers = append(of.Triggers, t.Name+" on "+t.Table+" ("+t.Function+")")
	}
	if c.Bool("json") {
		return report.RightsJSON(p.stdout, of)
	}
	return report.Rights(p.stdout, of)
}
