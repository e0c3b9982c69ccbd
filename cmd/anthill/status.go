package main

import (
	"context"

	"github.com/google/uuid"
	"github.com/urfave/cli/v2"

	"anthill/internal/report"
	"anthill/planner"
)

func (p *program) statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show how far the waves are, what ran, and what is paused or waiting", ArgsUsage: " ",
		Description: "Reads only.\n\n   anthill status\n   anthill status -json",
		Flags:       configFlags(asOfFlag(), jsonFlag()),
		Action:      p.status,
	}
}

func (p *program) status(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments"); err != nil {
		return err
	}
	ask, err := p.planning(c)
	if err != nil {
		return err
	}
	s, err := p.open(c.Context, c)
	if err != nil {
		return err
	}
	defer s.close()
	view, err := p.statusView(c.Context, c, s, ask)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return report.StatusJSON(p.stdout, view)
	}
	return report.WriteStatus(p.stdout, view, p.options(c))
}

// statusView is what is recorded, beside the figures that planning now comes to. A configuration that cannot be
// planned leaves the figures out and says why.
func (p *program) statusView(ctx context.Context, c *cli.Context, s *session, ask planning) (report.Status, error) {
	st, err := s.store.Read(ctx)
	if err != nil {
		return report.Status{}, err
	}
	if err := s.bound(st); err != nil {
		return report.Status{}, err
	}
	view := report.Status{State: st, Level: s.inspection.Level, Server: s.identity.Version, AsOf: ask.asOf}
	if view.Tenants, err = s.slugs(ctx); err != nil {
		return view, err
	}
	view.Plan, err = p.currentPlan(ctx, c, s, ask)
	if err != nil {
		view.PlanError = err.Error()
	}
	return view, nil
}

// slugs are those of all tenants.
func (s *session) slugs(ctx context.Context) (map[uuid.UUID]string, error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	tenants, err := snapshot.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	slugs := make(map[uuid.UUID]string, len(tenants))
	for _, t := range tenants {
		slugs[t.ID] = t.Slug
	}
	return slugs, nil
}

func (p *program) currentPlan(ctx context.Context, c *cli.Context, s *session, ask planning) (*planner.Plan, error) {
	made, err := p.makePlan(ctx, c, s, ask, "")
	if err != nil {
		return nil, err
	}
	return made.Plan(), made.Close()
}
