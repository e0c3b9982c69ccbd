package main

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/plan"
	"anthill/providers/postgres"
)

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show how far users and waves are, what runs, what waits, and what comes next",
		ArgsUsage: " ",
		Description: "Reads only, and makes no plan. The database is enough: where Self-auth, its token or the configuration cannot be\n" +
			"used it says so, and shows the rest.\n\n" +
			"   anthill status                 phases, waves and gates, runs, the next date\n" +
			"   anthill status -tenants        by tenant, the furthest first\n" +
			"   anthill status -daily          links and completions of the last 30 days\n" +
			"   anthill status -kpi            the migration rate, where its pace leads, who cannot be moved and why\n" +
			"   anthill status -sessions       the application's sessions by method\n" +
			"   anthill status -pending        who still logs in by password alone, and what each waits for\n" +
			"   anthill status -alone          who has no other way in than Self-auth\n" +
			"   anthill status -watch          the same again every few seconds, until ^C\n" +
			"   anthill status -json -kpi      for programs (docs/status.schema.json)\n" +
			"   anthill status -html >s.html   a page for a browser, in one file, with charts",
		Flags: configFlags(
			&cli.BoolFlag{Name: "tenants", Usage: "by tenant"},
			&cli.BoolFlag{Name: "daily", Usage: "by day, the last 30"},
			&cli.BoolFlag{Name: "kpi", Usage: "the key figures of the plan"},
			&cli.BoolFlag{Name: "sessions", Usage: "sessions by method"},
			&cli.BoolFlag{Name: "pending", Usage: "list who logs in by password alone, by id, who was seen last first"},
			&cli.BoolFlag{Name: "alone", Usage: "list who has no other way in than Self-auth, by id"},
			&cli.BoolFlag{Name: "reveal", Usage: "with -pending or -alone: look up e-mail addresses; text alone"},
			&cli.BoolFlag{Name: "watch", Usage: "show it again every few seconds, and off a terminal whenever it has changed"},
			&cli.BoolFlag{Name: "html", Usage: "a page for a browser, in one file that needs no network"},
			asOfFlag(), jsonFlag()),
		Action: p.status,
	}
}

// checkStatus refuses flags that do not go together.
func checkStatus(c *cli.Context) error {
	given := func(names ...string) (list []string) {
		for _, name := range names {
			if c.Bool(name) {
				list = append(list, "-"+name)
			}
		}
		return list
	}
	lists, parts := given("pending", "alone"), given("tenants", "daily", "kpi", "sessions")
	switch {
	case len(lists) > 1:
		return misused(c, "-pending and -alone are two lists: use one of them")
	case len(lists) > 0 && len(parts) > 0:
		return misused(c, lists[0]+" is a list of users, and "+parts[0]+" has figures: use one of them")
	case len(lists) > 0 && len(given("html", "watch")) > 0:
		return misused(c, given("html", "watch")[0]+" goes without "+lists[0]+": the list is text, or with -json one object a line")
	case c.Bool("reveal") && len(lists) == 0:
		return misused(c, "-reveal shows the addresses of the users whom -pending or -alone lists: use both")
	case c.Bool("reveal") && c.Bool("json"):
		return misused(c, "-reveal is for text: the JSON of a list holds no personal data")
	case len(given("html", "json", "watch")) > 1:
		of := given("html", "json", "watch")
		return misused(c, of[0]+" and "+of[1]+" are two forms: use one of them")
	case c.Bool("html") && len(parts) > 0:
		return misused(c, "-html has all of it: leave "+parts[0]+" out")
	case c.Bool("watch") && c.IsSet("as-of"):
		return misused(c, "-watch looks at what is now: leave -as-of out")
	}
	return nil
}

func (p *program) status(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	if err := checkStatus(c); err != nil {
		return err
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	g, err := session.OpenGlance(c.Context, settings)
	if err != nil {
		return p.mistakes(c, err)
	}
	defer g.Close()
	switch {
	case c.Bool("pending"):
		return p.statusUsers(c, g, postgres.ListPending)
	case c.Bool("alone"):
		return p.statusUsers(c, g, postgres.ListAlone)
	case c.Bool("watch"):
		return p.watch(c, g)
	}
	view, err := p.glance(c, g, r.AsOf)
	if err != nil {
		return p.mistakes(c, err)
	}
	switch {
	case c.Bool("json"):
		return report.StatusJSON(p.stdout, view)
	case c.Bool("html"):
		return report.StatusHTML(p.stdout, view, report.HTMLOptions{Chdir: p.chdir})
	}
	return report.WriteStatus(p.stdout, view, p.options(c))
}

// glance looks how far everything is, as it is shown.
func (p *program) glance(c *cli.Context, g *session.Glance, asOf time.Time) (report.Status, error) {
	show := report.StatusParts{Tenants: c.Bool("tenants"), Daily: c.Bool("daily"), Sessions: c.Bool("sessions"), KPI: c.Bool("kpi")}
	now, err := g.Status(c.Context, session.StatusRequest{
		AsOf: asOf, Days: show.Daily || show.KPI || c.Bool("html"), Sessions: show.Sessions || c.Bool("html"),
	})
	if err != nil {
		return report.Status{}, err
	}
	if err := p.warn(c, now.Warnings); err != nil {
		return report.Status{}, err
	}
	view := report.Status{State: now.State, Survey: now.Survey, Target: now.Target, Holder: now.Holder, Total: now.Total, Alone: now.Alone,
		Level: now.Level, Gone: now.Gone, Server: now.SelfAuth, AsOf: asOf, Tenants: now.Tenants, Sessions: now.Sessions, New: now.New, Show: show}
	o := p.options(c)
	for _, one := range []struct {
		why error
		to  *string
	}{{now.Away, &view.Away}, {now.Unseen, &view.Unseen}, {now.Mistakes, &view.Mistakes}} {
		if one.why != nil {
			*one.to = reason(one.why, o)
		}
	}
	return view, nil
}

// statusUsers lists users.
func (p *program) statusUsers(c *cli.Context, g *session.Glance, which postgres.Listed) error {
	var list iter.Seq2[report.StatusUser, error] = func(yield func(report.StatusUser, error) bool) {
		for u, err := range g.Users(c.Context, which) {
			one := report.StatusUser{User: u.ID, Tenant: plan.Tenant{ID: u.Tenant, Slug: u.Slug}, Seen: u.Seen, Invited: u.Invited,
				Wave: u.Waits, Moved: u.Moved()}
			if u.Reason != plan.SkipNone {
				one.Reason = u.Reason.String()
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
	if c.Bool("json") {
		return report.StatusUsersJSON(p.stdout, list)
	}
	var look *report.Lookup
	if c.Bool("reveal") {
		p.say("This list holds personal data, looked up as the rows are now: keep it out of pull requests and logs.")
		look = &report.Lookup{Mails: true, Of: func(users []uuid.UUID) (map[uuid.UUID]report.LookedUp, error) {
			mails, err := g.Mails(c.Context, users)
			found := make(map[uuid.UUID]report.LookedUp, len(mails))
			for id, mail := range mails {
				found[id] = report.LookedUp{Mail: mail}
			}
			return found, err
		}}
	}
	return report.StatusUsers(p.stdout, list, p.options(c), look)
}

// watchEvery is how long a watched status stands at least.
const watchEvery = 2 * time.Second

// watch shows a status again and again until it is interrupted: on a terminal in the place of the one before, elsewhere one behind
// the other where something has changed.
func (p *program) watch(c *cli.Context, g *session.Glance) error {
	var shown string
	var before report.Status
	for {
		began := p.now()
		view, err := p.glance(c, g, began.UTC().Truncate(time.Second))
		if err == nil {
			view.Measure(before)
			before = view
			var text bytes.Buffer
			if err := report.WriteStatus(&text, view, p.options(c)); err != nil {
				return err
			}
			if shown, err = p.redraw(text.String(), shown); err != nil {
				return err
			}
		}
		select {
		case <-c.Done():
			return nil // ^C is how it ends
		default:
		}
		if err != nil {
			return err
		}
		// Looking must not be what keeps the servers busy.
		pause := time.NewTimer(max(watchEvery, 5*p.now().Sub(began)))
		select {
		case <-pause.C:
		case <-c.Done():
			pause.Stop()
			return nil
		}
	}
}

// redraw shows a text in the place of the one before, or off a terminal behind it where it says something else than the time.
func (p *program) redraw(text, shown string) (string, error) {
	if p.outTerminal {
		// Each line is cleared behind its end, and what is left of the last text below: nothing flickers.
		_, err := io.WriteString(p.stdout, "\x1b[H"+strings.ReplaceAll(text, "\n", "\x1b[K\n")+"\x1b[J")
		return text, err
	}
	_, body, _ := strings.Cut(text, "\n")
	if body == shown {
		return shown, nil
	}
	if shown != "" {
		text = "\n" + text
	}
	_, err := io.WriteString(p.stdout, text)
	return body, err
}

// mistakes writes what is wrong in the configuration as JSON, where that was asked for, and returns what is left to say.
func (p *program) mistakes(c *cli.Context, err error) error {
	var d *session.DiagnosticsError
	if !c.Bool("json") || !errors.As(err, &d) {
		return err
	}
	if err := report.DiagnosticsJSON(p.stdout, d.List); err != nil {
		return err
	}
	return quietly(statusOf(d))
}

// reason is an error as text; diagnostics have file and line.
func reason(err error, o report.Options) string {
	var d *session.DiagnosticsError
	if !errors.As(err, &d) {
		return report.Commands(o, err.Error())
	}
	// What is shown inside a status is escaped there.
	o.Color = false
	var text bytes.Buffer
	if err := report.Diagnostics(&text, told(d.List, o), d.Files, o); err != nil {
		return err.Error()
	}
	return strings.TrimRight(text.String(), "\n")
}
