package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"anthill/internal/apply"
	"anthill/internal/report"
	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

func (p *program) rollbackCommand() *cli.Command {
	return &cli.Command{
		Name: "rollback", Usage: "take back what a run did", ArgsUsage: " ",
		Description: "Makes a plan from the journal, shows it and asks; rows, memberships and persons go back to what they were,\n" +
			"and the waves stay paused until `anthill wave resume`. The schema stays.\n\n" +
			"   anthill rollback                              the latest run; repeated, run by run\n" +
			"   anthill rollback -wave pilot -tenant acme     one tenant of one wave, whatever runs moved it\n" +
			"   anthill rollback -run 2026-12-07-1 -out back.plan\n" +
			"   anthill apply back.plan",
		Flags: configFlags(append(runFlags(),
			&cli.StringFlag{Name: "run", Usage: "the `RUN` to take back; the latest one unless -wave or -tenant is given"},
			&cli.StringSliceFlag{Name: "wave", Usage: "only users of this `WAVE` (again for more)"},
			&cli.StringSliceFlag{Name: "tenant", Usage: "only users of the tenant with this `SLUG` (again for more)"},
			&cli.BoolFlag{Name: "delete-persons", Usage: "delete the persons that were made, instead of expiring them (hazard DELETES_DATA)"},
			&cli.StringFlag{Name: "out", Usage: "only save the plan to `FILE`, for `anthill apply`", TakesFile: true},
			allowFlag(), lockFlag(), jsonFlag())...),
		Action: p.rollback,
	}
}

func (p *program) rollback(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (the run is -run)"); err != nil {
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
	out := c.String("out")
	if out != "" {
		out = file(c, out)
	} else if err := s.mayWrite(c.Context); err != nil {
		return err
	}
	if finished, err := p.finishRollback(c, s, out); err != nil || finished {
		return err
	}
	plan, err := p.makeUndo(c.Context, c, s, ask, out)
	if err != nil {
		return err
	}
	defer plan.Close()
	if len(plan.Plan().Undo.Runs) == 0 {
		return report.NothingToUndo(p.stdout, plan.Plan(), p.options(c))
	}
	if out == "" {
		return p.approveAndRun(c, s, plan.Reader, "Carry out this rollback?")
	}
	if err := p.showPlan(c, plan.Reader); err != nil {
		return err
	}
	return planStatus(plan.Plan(), false)
}

// finishRollback finishes a rollback that was stopped: what is asked for is under way already. finished says that there
// was one; walking further back is another command.
func (p *program) finishRollback(c *cli.Context, s *session, out string) (finished bool, err error) {
	st, err := s.store.Read(c.Context)
	if err != nil {
		return false, err
	}
	r := st.OpenRun()
	if r == nil || r.Kind != state.RunRollback {
		return false, nil
	}
	if out != "" {
		return true, explainOpen(&apply.OpenRunError{Run: r.ID, Plan: r.Plan})
	}
	return true, p.finishOpen(c, s)
}

func (p *program) makeUndo(ctx context.Context, c *cli.Context, s *session, ask planning, out string) (*madePlan, error) {
	return p.planWith(ctx, c, s, ask, out, func(in planner.Input, w *planfile.Writer) (*planner.Plan, hcl.Diagnostics, error) {
		if err := s.maySee(kindsOf(nil, in.State)); err != nil {
			return nil, nil, err
		}
		tenants, err := tenantIDs(ctx, in.Database, c.StringSlice("tenant"))
		if err != nil {
			return nil, nil, err
		}
		waves := slices.Clone(c.StringSlice("wave"))
		slices.Sort(waves)
		for _, wave := range waves {
			if !slices.ContainsFunc(in.State.Waves, func(x state.Wave) bool { return x.Name == wave }) {
				return nil, nil, fmt.Errorf("no wave %q has moved anybody; the waves are shown by:\n\n    anthill status", wave)
			}
		}
		return planner.Undo(ctx, planner.UndoInput{Input: in, ObjectRecords: s.store.ObjectRecords, Records: s.store.Records, Run: c.String("run"), Waves: slices.Compact(waves),
			Tenants: tenants, DeletePersons: c.Bool("delete-persons")}, w)
	})
}

// tenantIDs finds tenants by slug, sorted by id.
func tenantIDs(ctx context.Context, db providers.Database, slugs []string) ([]uuid.UUID, error) {
	if len(slugs) == 0 {
		return nil, nil
	}
	tenants, err := db.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, slug := range slugs {
		i := slices.IndexFunc(tenants, func(t providers.Tenant) bool { return t.Slug == slug })
		if i < 0 {
			return nil, fmt.Errorf("there is no tenant with the slug %q", slug)
		}
		ids = append(ids, tenants[i].ID)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids), nil
}
