package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/planfile"
)

const flagRunbook = "runbook"

// checkRunbook refuses flags that do not go with a runbook, and a file that is there.
func (p *program) checkRunbook(c *cli.Context) error {
	out := c.String(flagRunbook)
	if out == "" {
		return nil
	}
	for _, name := range []string{"out", "json", "markdown", "html", "stat", "diff", flagDrift, "detailed-exitcode"} {
		if c.IsSet(name) {
			return misused(c, "-"+flagRunbook+" writes a plan for a person to carry out, and not for anthill: -"+name+" does not go with it")
		}
	}
	if out == "-" {
		return nil
	}
	return vacant(p.file(out))
}

// runbook writes a plan as commands for a person, where that was asked for; done: it was.
func (p *program) runbook(c *cli.Context, s *session.Session, file *planfile.File) (done bool, err error) {
	out := c.String(flagRunbook)
	if out == "" {
		return false, nil
	}
	if err := report.NotByHand(file); err != nil {
		return true, err
	}
	users, err := s.HandUsers(c.Context, file)
	if err != nil {
		return true, err
	}
	book := report.Runbook{File: file, SQL: s.ByHand()}
	for _, u := range users {
		book.Users = append(book.Users, report.RunbookUser(u))
	}
	p.say("This runbook holds personal data on purpose, names and addresses: keep it out of pull requests and logs, and delete it when it has served.")
	if out == "-" {
		return true, book.Write(p.stdout, p.options(c))
	}
	path := p.file(out)
	if err := newFile(path, func(w io.Writer) error { return book.Write(w, p.options(c)) }); err != nil {
		return true, err
	}
	return true, report.RunbookWritten(p.stdout, path, book, p.options(c))
}
