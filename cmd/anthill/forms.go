package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/planner/planfile"
)

// formFlags choose the form of a plan.
func formFlags() []cli.Flag {
	return []cli.Flag{
		jsonFlag(),
		&cli.BoolFlag{Name: "markdown", Usage: "markdown for a pull request, as GitHub and GitLab show it"},
		&cli.IntFlag{Name: "max-bytes", Value: report.MarkdownBytes,
			Usage: fmt.Sprintf("with -markdown: never longer than `N` bytes, %d or more", report.LeastMarkdown)},
		&cli.BoolFlag{Name: "html", Usage: "a page for a browser, in one file that needs no network"},
		&cli.BoolFlag{Name: "stat", Usage: "one line, for logs and titles"},
		&cli.StringFlag{Name: "diff", Usage: "say as well what the saved plan `OLD` does otherwise", TakesFile: true},
	}
}

// checkForm refuses flags of forms that do not go together. Lists of users have a form for programs, so they go with
// -json.
func checkForm(c *cli.Context) error {
	var given []string
	for _, name := range []string{"json", "markdown", "html", "stat", "users", "skipped"} {
		if c.Bool(name) {
			given = append(given, name)
		}
	}
	has := func(name string) bool { return slices.Contains(given, name) }
	lists := has("users") || has("skipped")
	switch {
	case has("users") && has("skipped"):
		return misused(c, "-users lists who changes and -skipped who is not moved: use one of them")
	case len(given) > 1 && (has("markdown") || has("html") || has("stat")):
		return misused(c, fmt.Sprintf("-%s and -%s are two forms: use one of them", given[0], given[1]))
	case c.IsSet("max-bytes") && !has("markdown"):
		return misused(c, "-max-bytes is how long -markdown may be: use both")
	case c.IsSet("max-bytes") && c.Int("max-bytes") < report.LeastMarkdown:
		return misused(c, fmt.Sprintf("-max-bytes %d is too short: %d or more is needed", c.Int("max-bytes"),
			report.LeastMarkdown))
	case c.IsSet("diff") && has("stat"):
		return misused(c, "-stat is one line and has no place for -diff: use another form")
	case c.IsSet("diff") && lists:
		return misused(c, "-diff compares plans, not the lists of -users and -skipped: anthill diff -users OLD NEW lists "+
			"who differs")
	}
	return nil
}

func misused(c *cli.Context, text string) error {
	return &usageError{text + "\nSee:\n\n    " + c.Command.HelpName + " -h"}
}

// openOld opens the plan that -diff names; nil: none.
func (p *program) openOld(c *cli.Context) (*planfile.File, error) {
	if name := c.String("diff"); name != "" {
		return p.openPlan(name)
	}
	return nil, nil
}

// showPlan shows a plan in the form that the flags choose, and what it does otherwise than an older one, if any. name
// is where the plan is saved; "": nowhere.
func (p *program) showPlan(c *cli.Context, file, old *planfile.File, name string) error {
	var d *planfile.Diff
	if old != nil {
		var err error
		if d, err = planfile.Compare(old, file, nil); err != nil {
			return err
		}
	}
	o := p.options(c)
	o.PlanFile = name
	switch {
	case c.Bool("json"):
		return report.PlanJSON(p.stdout, file, old, d)
	case c.Bool("stat"):
		return report.Stat(p.stdout, file)
	case c.Bool("html"):
		return report.HTML(p.stdout, file, old, d, report.HTMLOptions{PlanFile: name, Chdir: p.chdir})
	case c.Bool("markdown"):
		return report.Markdown(p.stdout, file, old, d,
			report.MarkdownOptions{MaxBytes: c.Int("max-bytes"), PlanFile: name, Chdir: p.chdir})
	}
	if err := report.Plan(p.stdout, file, o); err != nil || old == nil {
		return err
	}
	return report.Since(p.stdout, old, file, d, o, c.String("diff"))
}
