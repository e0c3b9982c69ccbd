package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/docs"
	"anthill/internal/report"
	"anthill/internal/session"
)

func (p *program) explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say what a hazard means, or all that is known about one user and what to tell them",
		ArgsUsage: "[CODE|USER]",
		Description: "A hazard is explained by its code, without any server or configuration; without a code they are listed. A user is\n" +
			"named by id or e-mail address. That reads only: a read-only database role and a read-only token are enough, and a\n" +
			"token of the support desk (group idm_service_desk) sees most of it. What could not be seen is said. Who is named by id is\n" +
			"shown without name and address, unless -reveal asks for them.\n\n" +
			"   anthill explain LOCKS_OUT_USERS\n" +
			"   anthill explain kim@acme.example                what to tell this user stands last\n" +
			"   anthill explain -tenant acme kim@shared.example     where more than one has the address\n" +
			"   anthill explain -json 0190d2b1-7c1e-7000-8000-0242ac120002",
		Flags: configFlags(tenantFlag("the user is of the tenant with this `SLUG`, or id"),
			&cli.BoolFlag{Name: "reveal", Usage: "show name and address of the user, as the row is now"}, asOfFlag(), jsonFlag()),
		Action: func(c *cli.Context) error {
			args, err := words(c, 0, 1, "at most one code or user")
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if who, is := sought(args[0]); is {
					return p.explainUser(c, who)
				}
			}
			for _, name := range []string{"tenant", "reveal", "json", "as-of"} {
				if c.IsSet(name) {
					return misused(c, "-"+name+" is about a user: name one by id or e-mail address")
				}
			}
			list, o := report.Sections(docs.Hazards), p.options(c)
			if len(args) == 0 {
				return report.ExplainList(p.stdout, list, o)
			}
			code := strings.ToUpper(args[0])
			i := slices.IndexFunc(list, func(s report.Section) bool { return s.Title == code })
			if i < 0 {
				return unknownCode(args[0], list)
			}
			return report.Explain(p.stdout, list[i], o)
		},
	}
}

// sought is the user that a word names; is is false where it is neither an id nor an address.
func sought(word string) (who session.Sought, is bool) {
	word = strings.TrimSpace(word)
	if id, err := uuid.Parse(word); err == nil && len(word) == 36 {
		return session.Sought{ID: id}, true
	}
	return session.Sought{Mail: word}, strings.Contains(word, "@")
}

func (p *program) explainUser(c *cli.Context, who session.Sought) error {
	who.Tenant = c.String("tenant")
	r, err := p.request(c)
	if err != nil {
		return err
	}
	settings, err := p.settings(c)
	if err != nil {
		return err
	}
	if c.Bool("json") && c.Bool("reveal") {
		return misused(c, "-reveal shows personal data, which stands in no JSON: leave one of both out")
	}
	settings.Partly, settings.Less = true, true
	s, err := session.Open(c.Context, settings)
	if err != nil {
		return err
	}
	defer s.Close()
	progress := p.progress(c)
	r.Progress = progress.Stage
	e, err := s.Explain(c.Context, r, who)
	progress.Close()
	switch {
	case errors.Is(err, session.ErrNoUser) && who.ID != uuid.Nil:
		return fmt.Errorf("no row of users has the id %s%s, and nothing is recorded of it. Is it of another environment?", who.ID, ofTenant(who.Tenant))
	case errors.Is(err, session.ErrNoUser):
		return fmt.Errorf("no row of users has this address%s. Look for it in the application, or name the user by id", ofTenant(who.Tenant))
	case err != nil:
		return err
	}
	// Who has typed the address knows it.
	show := report.Shown{Mail: who.Mail != "" || c.Bool("reveal"), Name: c.Bool("reveal")}
	if c.Bool("json") {
		return report.ExplainedJSON(p.stdout, e)
	}
	return report.Explained(p.stdout, e, show, p.options(c))
}

func ofTenant(slug string) string {
	if slug == "" {
		return ""
	}
	return " in tenant " + slug
}

func unknownCode(code string, list []report.Section) error {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Title
	}
	text := fmt.Sprintf("there is neither a hazard nor a user %q", code)
	if meant := nearest(strings.ToUpper(code), names); meant != "" {
		text += fmt.Sprintf("; did you mean %s?", meant)
	}
	return &usageError{text + "\nA user is named by id or e-mail address. Hazards are listed by:\n\n    anthill explain"}
}
