package main

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/planfile"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show a saved plan, or what happened in a run",
		ArgsUsage: "[PLANFILE]",
		Description: "Needs no server and no configuration, but for -check, -run, -names and -reveal.\n\n" +
			"   anthill show pilot.plan              as plan showed it\n" +
			"   anthill show -json pilot.plan        for programs; the plan ID is at the top\n" +
			"   anthill show -users pilot.plan       who changes, one a line: id, tenant, wave, what happens and why\n" +
			"   anthill show -users -admins -tenant acme pilot.plan\n" +
			"   anthill show -users -names -reveal -wave pilot pilot.plan   with the names to be made, and addresses\n" +
			"   anthill show -skipped pilot.plan     who is not moved, one a line: id, tenant, wave, reason\n" +
			"   anthill show -check pilot.plan       how much of it still holds; exit 4, or 3, where not all does\n" +
			"   anthill show -run 2026-12-07-1       what happened in a run, beside what was planned; -markdown for a comment\n" +
			"   anthill show -users -json pilot.plan | jq -r 'select(.admin_after) | .user'\n" +
			"   anthill show -markdown -diff approved.plan pilot.plan   for a comment on a pull request\n" +
			"   anthill show -html pilot.plan >pilot.html   a page for a browser, in one file\n" +
			"   anthill show -stat pilot.plan        one line",
		Flags: append(formFlags(),
			&cli.BoolFlag{Name: "users", Usage: "list the users whom the plan changes, by id"},
			&cli.BoolFlag{Name: "skipped", Usage: "list the users who are not moved, by id"},
			&cli.BoolFlag{Name: "admins", Usage: "with -users: those who are admins of a tenant in Self-auth, before or after"},
			&cli.StringFlag{Name: "tenant", Usage: "with -users or -skipped: those of the tenant with the slug `SLUG`"},
			&cli.StringFlag{Name: "wave", Usage: "with -users or -skipped: those of the wave `WAVE`"},
			&cli.BoolFlag{Name: "names", Usage: "with -users: look up the names of the persons to be made, as the rows are now; text alone"},
			&cli.BoolFlag{Name: "reveal", Usage: "with -users or -skipped: look up e-mail addresses, as the rows are now; text alone"},
			&cli.StringFlag{Name: "run", Usage: "show what happened in the run `ID`, instead of a plan file"},
			&cli.BoolFlag{Name: "check", Usage: "look at both servers and say how much of the plan still holds"},
			chdirFlag(),
			noColorFlag(),
		),
		Action: func(c *cli.Context) error {
			if err := checkLists(c); err != nil {
				return err
			}
			if c.IsSet("run") {
				return p.history(c)
			}
			args, err := words(c, 1, 1, "the name of a plan file")
			if err != nil {
				return err
			}
			old, err := p.openOld(c)
			if err != nil {
				return err
			}
			if old != nil {
				defer old.Close()
			}
			r, err := planfile.Open(p.file(args[0]))
			if err != nil {
				return err
			}
			defer r.Close()
			if c.Bool("check") {
				return p.check(c, r)
			}
			look, done, err := p.lookup(c, r)
			if err != nil {
				return err
			}
			defer done()
			o := p.options(c)
			of := report.Chosen{Tenant: c.String("tenant"), Wave: c.String("wave"), Admins: c.Bool("admins")}
			switch users, skipped, json := c.Bool("users"), c.Bool("skipped"), c.Bool("json"); {
			case users && json:
				return report.UsersJSON(p.stdout, r, of)
			case users:
				return report.Users(p.stdout, r, o, of, look)
			case skipped && json:
				return report.SkippedJSON(p.stdout, r, of)
			case skipped:
				return report.Skipped(p.stdout, r, o, of, look)
			}
			return p.showPlan(c, r, old, args[0])
		},
	}
}

// lookup opens what personal data is looked up by, where it is asked for; done closes that. Nothing of it is kept.
func (p *program) lookup(c *cli.Context, file *planfile.File) (look *report.Lookup, done func(), err error) {
	names, mails := c.Bool("names"), c.Bool("reveal")
	if !names && !mails {
		return nil, func() {}, nil
	}
	s, err := p.openFor(c, file.Effects())
	if err != nil {
		return nil, nil, err
	}
	p.say("This list holds personal data, looked up as the rows are now. No plan holds it: keep the list out of pull requests and logs.")
	of := func(users []uuid.UUID) (map[uuid.UUID]report.LookedUp, error) {
		people, err := s.People(c.Context, file.Effects(), users)
		found := make(map[uuid.UUID]report.LookedUp, len(people))
		for id, one := range people {
			found[id] = report.LookedUp{Name: one.Name, Suffixed: one.Suffixed, Mail: one.Mail}
		}
		return found, err
	}
	return &report.Lookup{Names: names, Mails: mails, Of: of}, s.Close, nil
}

// history shows what happened in a run.
func (p *program) history(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no plan file with -run: a run keeps its plan"); err != nil {
		return err
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	settings.Alone = true // what happened is recorded, and is wanted most while a server is away
	s, err := session.Open(c.Context, settings)
	if err != nil {
		return err
	}
	defer s.Close()
	h, err := s.History(c.Context, c.String("run"))
	if errors.Is(err, session.ErrNoRun) {
		return fmt.Errorf("%w: %s. The runs are listed by:\n\n    anthill status", err, c.String("run"))
	}
	if err != nil {
		return err
	}
	defer h.Close()
	happened := report.Happened{Run: h.Run, Plan: h.Plan.File, Users: h.Users, Objects: h.Objects, Mails: h.Mails}
	for _, r := range h.Left {
		happened.Left = append(happened.Left, apply.Left{User: r.User, Wave: r.Wave, Verdict: r.Verdict, Reason: r.Reason})
	}
	switch {
	case c.Bool("json"):
		return report.HistoryJSON(p.stdout, happened)
	case c.Bool("markdown"):
		return report.HistoryMarkdown(p.stdout, happened,
			report.MarkdownOptions{MaxBytes: c.Int("max-bytes"), Chdir: p.chdir})
	case c.Bool("html"):
		return report.HistoryHTML(p.stdout, happened, report.HTMLOptions{Chdir: p.chdir})
	}
	return report.History(p.stdout, happened, p.options(c))
}

// check says how much of a plan still holds.
func (p *program) check(c *cli.Context, file *planfile.File) error {
	s, err := p.openFor(c, file.Effects())
	if err != nil {
		return err
	}
	defer s.Close()
	progress := p.progress(c)
	checked, err := s.Check(c.Context, &file.Reader, progress.Event)
	progress.Close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = report.CheckedJSON(p.stdout, file, checked)
	} else {
		err = report.Checked(p.stdout, file, checked, p.options(c))
	}
	switch {
	case err != nil:
		return err
	case checked.Refused != nil:
		return quietly(statusOf(checked.Refused))
	case !checked.Holds():
		return quietly(exitStale)
	}
	return nil
}

// checkLists refuses flags of lists, and of forms, that do not go together.
func checkLists(c *cli.Context) error {
	users, skipped := c.Bool("users"), c.Bool("skipped")
	switch {
	case c.IsSet("run") && (users || skipped || c.Bool("check") || c.Bool("stat") || c.IsSet("diff")):
		return misused(c, "-run shows what happened in a run: of these flags it knows -json, -markdown and -html alone")
	case c.Bool("check") && (users || skipped || c.Bool("markdown") || c.Bool("html") || c.Bool("stat") ||
		c.IsSet("diff")):
		return misused(c, "-check says how much of the plan still holds: of these flags it knows -json alone")
	case c.Bool("admins") && !users:
		return misused(c, "-admins narrows the list of -users: use both")
	case c.Bool("names") && !users:
		return misused(c, "-names looks up names for the list of -users: use both")
	case c.Bool("reveal") && !users && !skipped:
		return misused(c, "-reveal looks up addresses for the lists of -users and -skipped: use one of these too")
	case (c.Bool("names") || c.Bool("reveal")) && c.Bool("json"):
		return misused(c, "-names and -reveal show personal data, which stands in no JSON: leave -json out")
	case (c.IsSet("tenant") || c.IsSet("wave")) && !users && !skipped:
		return misused(c, "-tenant and -wave narrow the lists of -users and -skipped: use one of these too")
	}
	return checkForm(c)
}
