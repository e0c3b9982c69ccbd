package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/internal/session"
	"anthill/planner/plan"
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
	run, half, err := p.closeOpen(c, s)
	switch {
	case err != nil:
		return err
	case half:
		return quietly(exitRemainder)
	case run != "":
		return nil
	case c.Bool("json"):
		return report.ClosedJSON(p.stdout, apply.Result{Nothing: true})
	}
	return report.NothingOpen(p.stdout, p.options(c))
}

// closeOpen asks, and closes the run that was stopped. It returns the run ("": none is open), and whether somebody is
// left half done.
func (p *program) closeOpen(c *cli.Context, s *session.Session) (run string, half bool, err error) {
	r, err := s.OpenRun(c.Context)
	if err != nil || r == nil {
		return "", false, err
	}
	stored, err := s.StoredPlan(c.Context, r.ID)
	if err != nil {
		return "", false, err
	}
	defer stored.Close()
	if err := report.Open(p.stderr, *r, p.options(c)); err != nil {
		return "", false, err
	}
	if !c.Bool("auto-approve") {
		if err := p.ask(c.Context, "Close it? Nobody is given anything, and it cannot be gone on with."); err != nil {
			return "", false, err
		}
	}
	progress := p.progress(c)
	result, err := s.CloseRun(c.Context, &stored.Reader, progress.Event)
	progress.Close()
	switch {
	case result.Stopped:
		return "", false, p.notClosed(c, stored.Effects(), result, err)
	case err != nil:
		return "", false, err
	case result.Nothing: // somebody else has closed it since
		return r.ID, false, nil
	}
	return r.ID, result.Half, p.closed(c, result)
}

// notClosed tells why a run is open still.
func (p *program) notClosed(c *cli.Context, e *plan.Effects, result apply.Result, stopped error) error {
	why, _, _ := strings.Cut(stopped.Error(), "\n")
	p.effect = &effect{exitStopped, "run " + result.Run.ID + " could not be closed (" + safe(why) + ")", []string{"apply", "-close"}}
	var err error
	if closesJSON(c) {
		err = report.ResultJSON(p.stdout, e, result, stopped)
	} else {
		err = report.Result(p.stderr, e, result, stopped, 0, p.options(c))
	}
	if err != nil {
		return err
	}
	return quietly(exitStopped)
}

// closesJSON reports whether closing is all that the command does, and is to be told as JSON.
func closesJSON(c *cli.Context) bool { return c.Command.Name == "apply" && c.Bool("json") }

// closed tells how a run was closed: on stdout, unless that is for what follows.
func (p *program) closed(c *cli.Context, result apply.Result) error {
	p.effect = &effect{exitRemainder, "run " + result.Run.ID + " is closed", []string{"status"}}
	if closesJSON(c) {
		return report.ClosedJSON(p.stdout, result)
	}
	out := p.stdout
	if c.Command.Name != "apply" {
		out = p.stderr
	}
	return report.Closed(out, result, p.options(c))
}
