package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/plan"
)

func (p *program) importCommand() *cli.Command {
	return &cli.Command{
		Name:        "import",
		Usage:       "plan with persons that were made in Self-auth by hand",
		ArgsUsage:   "COMMAND",
		Description: "   anthill import links links.csv -out links.plan",
		Action:      cli.ShowSubcommandHelp,
		Subcommands: []*cli.Command{
			{
				Name:      "links",
				Usage:     "plan to link users to persons that somebody has made in Self-auth by hand",
				ArgsUsage: "FILE",
				Description: "The file says who is whose, as JSON or CSV with user_id and person_id (the uuid that Self-auth shows): an export\n" +
					"of users with one more column will do; - is stdin. Each line is looked at on both sides, and if one cannot be\n" +
					"used, all of those are listed and nothing is planned. The rest is a plan like any other, with the same flags: a person\n" +
					"that is named is taken over (ADOPTS_PERSON) when the wave that selects its user moves it. The plan does\n" +
					"not need the file any more. Users who are not in the file are planned for as ever.\n\n" +
					"   anthill export users -out users.csv          make the persons, and write their uuids into a column person_id\n" +
					"   anthill import links users.csv -allow ADOPTS_PERSON=30 -out links.plan\n" +
					"   anthill apply links.plan",
				Flags:  planFlags(),
				Action: p.importLinks,
			},
		},
	}
}

func (p *program) importLinks(c *cli.Context) error {
	args, err := words(c, 1, 1, "the name of a file of links (- is stdin)")
	if err != nil {
		return err
	}
	list, blank, err := p.readLinks(args[0])
	if bad := (*plan.LinksError)(nil); errors.As(err, &bad) {
		return p.badLinks(c, args[0], bad)
	}
	if err != nil {
		return fmt.Errorf("read links from %s: %w", args[0], err)
	}
	if blank > 0 {
		p.say("Left out: %s of %s without a person_id. For those users a plan is made as ever.", report.Lines(blank), report.Escape(args[0]))
	}
	err = p.planWith(c, func(r *session.Request) { r.Links = list })
	if bad := (*plan.LinksError)(nil); errors.As(err, &bad) {
		return p.badLinks(c, args[0], bad)
	}
	return err
}

func (p *program) readLinks(name string) ([]plan.Link, int, error) {
	if name == "-" {
		return session.ReadLinks(p.stdin)
	}
	f, err := os.Open(p.file(name))
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	return session.ReadLinks(io.Reader(f))
}

// badLinks lists the lines that cannot be used.
func (p *program) badLinks(c *cli.Context, name string, bad *plan.LinksError) error {
	if err := report.BadLinks(p.stderr, name, bad, p.options(c)); err != nil {
		return err
	}
	return quietly(exitError)
}
