package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/internal/session"
)

// applyClose closes the run that was stopped, and does nothing else (apply -close).
func (p *program) applyClose(c *cli.Context) error {
	for _, name := range []string{"plan-id", "as-of", "approved-by"} {
		if c.IsSet(name) {
			return &usageError{"-close ends the run that was stopped and makes no plan: -" + name + " does not belong to it"}
		}
	}
	s, err := p.open(c)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.MayWrite(c.Context); err != nil {
		return err
	}
	run, err := p.closeOpen(c, s)
	if err != nil || run != "" {
		return err
	}
	if c.Bool("json") {
		return report.ClosedJSON(p.stdout, apply.Result{Nothing: true})
	}
	return report.NothingOpen(p.stdout, p.options(c))
}

// closeOpen asks, and closes the run that was stopped. It returns the run; "": none is open.
func (p *program) closeOpen(c *cli.Context, s *session.Session) (run string, err error) {
	r, err := s.OpenRun(c.Context)
	if err != nil || r == nil {
		return "", err
	}
	stored, err := s.StoredPlan(c.Context, r.ID)
	if err != nil {
		return "", err
	}
	defer stored.Close()
	if err := report.Open(p.stderr, *r, p.options(c)); err != nil {
		return "", err
	}
	if !c.Bool("auto-approve") {
		if err := p.ask(c.Context, "Close it? Nobody is given anything, and it cannot be gone on with."); err != nil {
			return "", err
		}
	}
	progress := p.progress(c)
	result, err := s.CloseRun(c.Context, &stored.Reader, progress.Event)
	progress.Close()
	if err != nil && !result.Stopped {
		return "", err
	}
	if result.Stopped {
		why, _, _ := strings.Cut(err.Error(), "\n")
		p.effect = &effect{exitStopped, "run " + r.ID + " could not be closed (" + safe(why) + ")", "apply -close"}
		if err := report.Result(p.stderr, stored.Effects(), result, err, 0, p.options(c)); err != nil {
			return "", err
		}
		return "", quietly(exitStopped)
	}
	if result.Nothing { // somebody else has closed it since
		return r.ID, nil
	}
	return r.ID, p.closed(c, result)
}

// closed tells how a run was closed: on stdout, unless that is for what follows.
func (p *program) closed(c *cli.Context, result apply.Result) error {
	p.effect = &effect{exitRemainder, "run " + result.Run.ID + " is closed", "status"}
	if c.Command.Name == "apply" && c.Bool("json") {
		return report.ClosedJSON(p.stdout, result)
	}
	out := p.stdout
	if c.Command.Name != "apply" {
		out = p.stderr
	}
	return report.Closed(out, result, p.options(c))
}
