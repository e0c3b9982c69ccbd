package main

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/internal/session"
)

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name:        "status",
		Usage:       "show how far the waves are, what ran, and what is paused or waiting",
		ArgsUsage:   " ",
		Description: "Reads only.\n\n   anthill status\n   anthill status -json",
		Flags:       configFlags(asOfFlag(), jsonFlag()),
		Action:      p.status,
	}
}

func (p *program) status(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	r, err := p.request(c)
	if err != nil {
		return err
	}
	s, err := p.openPartly(c)
	if err != nil {
		return p.mistakes(c, err)
	}
	defer s.Close()
	r.Figures = true
	progress := p.progress(c)
	r.Progress = progress.Stage
	now, err := s.Status(c.Context, r)
	progress.Close()
	if err != nil {
		return p.mistakes(c, err)
	}
	defer now.Close()
	if err := p.warn(c, now.Warnings); err != nil {
		return err
	}
	view := p.statusView(c, now)
	show := report.WriteStatus
	if c.Bool("json") {
		show = func(w io.Writer, s report.Status, _ report.Options) error { return report.StatusJSON(w, s) }
	}
	if err := show(p.stdout, view, p.options(c)); err != nil || !now.Away {
		return err
	}
	return quietly(statusOf(now.NoPlan)) // the status has said why
}

// statusView is a status as it is shown.
func (p *program) statusView(c *cli.Context, now session.Status) report.Status {
	view := report.Status{
		State: now.State, Level: now.Level, Server: now.SelfAuth, AsOf: now.AsOf, Tenants: now.Tenants,
		Away: now.Away, LeftOpen: now.LeftOpen,
	}
	// A configuration that cannot be planned is no reason to hide what ran and what is paused.
	if now.Plan != nil {
		view.Plan = now.Plan.File
	}
	if now.NoPlan != nil {
		view.PlanError = reason(now.NoPlan, p.options(c))
	}
	return view
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
