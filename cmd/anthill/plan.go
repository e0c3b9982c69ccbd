package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"
	"github.com/urfave/cli/v2"

	"anthill/config"
	"anthill/internal/report"
	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
	"anthill/state/pg"
)

func (p *program) planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "compare the configuration with the live servers and show what would change",
		ArgsUsage: " ",
		Description: "Reads only; a read-only database role and a read-only token are enough.\n\n" +
			"   anthill plan                                  show what would change\n" +
			"   anthill plan -out pilot.plan                  and save it, for `anthill apply pilot.plan`\n" +
			"   anthill plan -as-of 2027-03-01T09:00:00Z      as it would look then\n" +
			"   anthill plan -allow OVER_LIMIT=4180           with a hazard allowed, by its exact count",
		Flags: configFlags(
			&cli.StringFlag{Name: "out", Usage: "save the plan to `FILE`", TakesFile: true},
			&cli.BoolFlag{Name: "detailed-exitcode", Usage: "exit 2 when there are changes"},
			asOfFlag(), allowFlag(), jsonFlag()),
		Action: p.plan,
	}
}

func asOfFlag() cli.Flag {
	return &cli.StringFlag{Name: "as-of", Usage: "judge dates and soaks at `TIME` (RFC 3339) instead of now"}
}

func allowFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "allow", Usage: "allow a hazard by its count: `CODE=COUNT` (again for more)"}
}

func (p *program) plan(c *cli.Context) error {
	if _, err := words(c, 0, 0, "no arguments (the directory is -chdir, the plan file -out)"); err != nil {
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
	}
	made, err := p.makePlan(c.Context, c, s, ask, out)
	if err != nil {
		return err
	}
	defer made.Close()
	if err := p.showPlan(c, made.Reader); err != nil {
		return err
	}
	return planStatus(made.Plan(), c.Bool("detailed-exitcode"))
}

// showPlan shows a plan that was just made, as the flags say.
func (p *program) showPlan(c *cli.Context, plan *planfile.Reader) error {
	if c.Bool("json") {
		return report.PlanJSON(p.stdout, plan)
	}
	o := p.options(c)
	o.PlanFile = c.String("out")
	return report.Plan(p.stdout, plan, o)
}

func planStatus(plan *planner.Plan, detailed bool) error {
	switch {
	case plan.Blocked():
		return quietly(exitBlocked)
	case detailed && !plan.Empty():
		return quietly(exitChanges)
	}
	return nil
}

// planning is what the flags say about how to plan.
type planning struct {
	asOf    time.Time
	future  bool
	allowed []planner.Allowance
}

func (p *program) planning(c *cli.Context) (planning, error) {
	now := p.now().UTC()
	ask := planning{asOf: now.Truncate(time.Second)}
	if text := c.String("as-of"); text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return ask, &usageError{fmt.Sprintf("-as-of wants a time such as 2027-03-01T09:00:00Z, got %q", text)}
		}
		ask.asOf, ask.future = t.UTC(), t.After(now)
	}
	for _, text := range c.StringSlice("allow") {
		a, err := parseAllowance(text)
		if err != nil {
			return ask, err
		}
		ask.allowed = append(ask.allowed, a)
	}
	return ask, nil
}

func parseAllowance(text string) (planner.Allowance, error) {
	code, count, ok := strings.Cut(text, "=")
	n, err := strconv.ParseInt(count, 10, 64)
	if !ok || err != nil || n < 1 {
		return planner.Allowance{}, &usageError{fmt.Sprintf("-allow wants CODE=COUNT, as the plan spells it, such as OVER_LIMIT=4180; got %q", text)}
	}
	for _, known := range planner.HazardCodes() {
		if code == string(known) {
			return planner.Allowance{Code: known, Count: n}, nil
		}
	}
	return planner.Allowance{}, &usageError{fmt.Sprintf("-allow: there is no hazard %q; there are %v", code, planner.HazardCodes())}
}

// madePlan is a plan that was just made, readable; a temporary file unless it was saved.
type madePlan struct {
	*planfile.Reader
	remove string // when closed; "" nothing
}

func (m *madePlan) Close() error {
	err := m.Reader.Close()
	if m.remove != "" {
		err = errors.Join(err, os.Remove(m.remove))
	}
	return err
}

// makePlan plans from one snapshot of Postgres and what Self-auth says. out is where it is saved; "" nowhere.
func (p *program) makePlan(ctx context.Context, c *cli.Context, s *session, ask planning, out string) (*madePlan, error) {
	return p.planWith(ctx, c, s, ask, out, func(in planner.Input, w *planfile.Writer) (*planner.Plan, hcl.Diagnostics, error) {
		cfg, diags, err := s.evaluate(ctx, in.Database, in.State)
		if err != nil || diags.HasErrors() {
			return nil, diags, err
		}
		if err := s.maySee(kindsOf(cfg, in.State)); err != nil {
			return nil, nil, err
		}
		in.Config = cfg
		plan, moreDiags, err := planner.Make(ctx, in, w)
		return plan, append(diags, moreDiags...), err
	})
}

// evaluate evaluates the configuration over the live tenants.
func (s *session) evaluate(ctx context.Context, db providers.Database, st *state.State) (*config.Config, hcl.Diagnostics, error) {
	tenants, err := db.Tenants(ctx)
	if err != nil {
		return nil, nil, err
	}
	data := config.Data{Recorded: map[state.Address]uuid.UUID{}}
	returns := map[uuid.UUID]bool{} // rows that a rollback of ours had marked as deleted, and that are to be there again
	for _, o := range st.Objects {
		if o.Kind == state.KindTenant {
			data.Recorded[o.Address] = o.ID
			returns[o.ID] = o.Deleted && !o.Paused
		}
	}
	for _, t := range tenants {
		data.Tenants = append(data.Tenants, config.TenantData{ID: t.ID, Slug: t.Slug, Name: t.Name, Plan: t.Plan, Status: t.Status, Deleted: t.Deleted && !returns[t.ID]})
	}
	cfg, diags := s.module.Evaluate(data)
	return cfg, diags, nil
}

// planWith opens the snapshot, makes a plan with it, and writes the plan file whole or not at all.
func (p *program) planWith(ctx context.Context, c *cli.Context, s *session, ask planning, out string,
	make func(planner.Input, *planfile.Writer) (*planner.Plan, hcl.Diagnostics, error)) (_ *madePlan, err error) {
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	store := s.store.At(snapshot.ID())
	in, err := s.input(ctx, store, snapshot, ask)
	if err != nil {
		return nil, err
	}
	progress := report.NewProgress(p.stderr, p.terminal, p.now, p.options(c))
	defer progress.Close()
	in.Progress = progress.Stage
	w := planfile.NewWriter("")
	defer func() { err = errors.Join(err, w.Close()) }()
	plan, diags, err := make(in, w)
	if err != nil {
		return nil, err
	}
	progress.Close()
	if len(diags) > 0 {
		if diags.HasErrors() {
			return nil, &diagError{diags, s.module.Files()}
		}
		if err := report.Diagnostics(p.stderr, diags, s.module.Files(), p.options(c)); err != nil {
			return nil, err
		}
	}
	return savePlan(w, plan, out)
}

func (s *session) input(ctx context.Context, store *pg.Store, db providers.Database, ask planning) (planner.Input, error) {
	st, err := store.Read(ctx)
	if err != nil {
		return planner.Input{}, err
	}
	if err := s.bound(st); err != nil {
		return planner.Input{}, err
	}
	in := planner.Input{State: st, Recorded: store.Users, Database: db, Directory: s.selfauth.Directory(), Inspection: s.inspection, Target: s.target,
		AsOf: ask.asOf, Future: ask.future, Allowed: ask.allowed, Version: version, SelfAuthServer: s.identity.Version}
	if r := st.OpenRun(); r != nil {
		in.OpenUsers = openUsers(store, r.ID)
	}
	return in, nil
}

// openUsers streams the users of the plan of a run.
func openUsers(store state.Store, run string) func(context.Context) iter.Seq2[uuid.UUID, error] {
	return func(ctx context.Context) iter.Seq2[uuid.UUID, error] {
		return func(yield func(uuid.UUID, error) bool) {
			plan, err := storedPlan(ctx, store, run)
			if err != nil {
				yield(uuid.Nil, err)
				return
			}
			defer plan.Close()
			for n := range plan.Plan().Segments {
				for u, err := range plan.Users(n, 0) {
					if !yield(u.User, err) || err != nil {
						return
					}
				}
			}
		}
	}
}

// storedPlan reads the plan that a run keeps back into a temporary file.
func storedPlan(ctx context.Context, store state.Store, run string) (*madePlan, error) {
	in, err := store.Plan(ctx, run)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := os.CreateTemp("", "anthill-run-*.plan")
	if err != nil {
		return nil, err
	}
	_, err = f.ReadFrom(in)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	made, err := openTemporary(f.Name())
	if err != nil {
		return nil, fmt.Errorf("stored plan of run %s: %w", run, err)
	}
	return made, nil
}

// openTemporary opens a plan file that is this process's alone. It is unlinked at once where the system allows it, so
// that nothing is left behind even after kill -9; elsewhere Close removes it.
func openTemporary(path string) (*madePlan, error) {
	r, err := planfile.Open(path)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	made := &madePlan{Reader: r}
	if os.Remove(path) != nil {
		made.remove = path
	}
	return made, nil
}

// savePlan writes the plan file beside its place and moves it there, so that a half-written one is never found.
func savePlan(w *planfile.Writer, plan *planner.Plan, out string) (*madePlan, error) {
	where := ""
	if out != "" {
		where = filepath.Dir(out)
		if info, err := os.Stat(out); err == nil && info.IsDir() {
			return nil, &usageError{fmt.Sprintf("-out names a directory, %s; name the file to save the plan to", out)}
		}
	}
	f, err := os.CreateTemp(where, ".anthill-*.plan")
	if err != nil {
		return nil, fmt.Errorf("save plan: %w", err)
	}
	_, err = w.Finish(f, plan)
	if err == nil && out != "" {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && out != "" {
		err = os.Rename(f.Name(), out)
	}
	if err != nil {
		return nil, fmt.Errorf("save plan: %w", errors.Join(err, os.Remove(f.Name())))
	}
	var made *madePlan
	if out == "" {
		made, err = openTemporary(f.Name())
	} else {
		made = &madePlan{}
		made.Reader, err = planfile.Open(out)
	}
	if err != nil {
		return nil, fmt.Errorf("save plan: %w", err)
	}
	return made, nil
}
