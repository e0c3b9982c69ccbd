package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/providers/postgres"
	"anthill/state"
)

// Request says how to plan.
type Request struct {
	AsOf    time.Time // at which dates and soaks are judged
	Future  bool      // AsOf lies after the clock: apply refuses the plan until then
	Allowed []plan.Allowance
	Targets []plan.Target // the part of the configuration that is planned; none: all of it. Not of a rollback, as the next
	Exclude []plan.Target // left out of that
	Drift   bool          // only compare what is recorded with what is there: the plan changes nothing
	Origin  plan.Origin
	Links   []plan.Link // persons that somebody has made by hand (ReadLinks); not of a rollback
	Out     string      // where the plan is saved, as the process sees it; "": in a temporary file that ends with the Plan

	// Progress is told how far planning is, about every 10,000 users; total 0: nobody knows. nil: nobody listens.
	Progress func(stage string, done, total int64)
}

// Plan compares the configuration with one snapshot of Postgres and with what Self-auth says. Nothing is changed but
// the file that r.Out names, which is written whole or not at all. The caller closes the Plan.
//
// Errors: *DiagnosticsError, *state.TargetError, *plan.LinksError, or what reading says.
func (s *Session) Plan(ctx context.Context, r Request) (_ *Plan, err error) {
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	// All of them are read. The server sorts them while the configuration is evaluated and Self-auth is asked.
	snapshot.Ahead(ctx)
	tenants, err := in.Database.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	cfg, diags := s.evaluate(tenants, in.State)
	if diags.HasErrors() {
		return nil, s.mistakes(diags)
	}
	// Before anything is concluded from what is absent: an object that the account may not see looks as if it were gone.
	if err := s.maySee(append(declaredKinds(cfg), recordedKinds(in.State)...)); err != nil {
		return nil, err
	}
	if err := s.mayWrite(mailingsOf(cfg)); err != nil {
		return nil, err
	}
	in.Config, in.Targets, in.Exclude, in.Links = cfg, r.Targets, r.Exclude, r.Links
	w := planfile.NewWriter("")
	defer func() { err = errors.Join(err, w.Close()) }()
	if r.Drift {
		made, err := planner.Drift(ctx, in)
		if err != nil {
			return nil, err
		}
		return s.save(w, made, diags, r.Out)
	}
	made, moreDiags, err := planner.Make(ctx, in, w)
	if err != nil {
		return nil, err
	}
	return s.save(w, made, append(diags, moreDiags...), r.Out)
}

// look opens a snapshot and reads what every plan is made from. The caller closes the snapshot.
func (s *Session) look(ctx context.Context, r Request) (in planner.Input, _ *postgres.Snapshot, err error) {
	// Now, and not only when the plan has been made, which may take minutes.
	if _, err := place(r.Out); err != nil {
		return in, nil, fmt.Errorf("save plan: %w", err)
	}
	// A plan that was carried out may have changed the schema. Otherwise what Open found still holds.
	if s.changed {
		if s.inspection, err = s.postgres.Inspect(ctx); err != nil {
			return in, nil, err
		}
		s.changed = false
	}
	snapshot, err := s.postgres.Snapshot(ctx)
	if err != nil {
		return in, nil, err
	}
	defer func() {
		if err != nil {
			snapshot.Close()
		}
	}()
	// The recorded state is read in the snapshot of the rows: what a run writes meanwhile is in neither.
	store := s.store.At(snapshot.ID())
	st, err := s.recorded(ctx, store)
	if err != nil {
		return in, nil, err
	}
	// Whoever is absent loses the login: rows are believed to be gone only of tables that show some.
	if err := snapshot.Sees(ctx, func() (bool, error) { return anyMoved(store.Users(ctx)) }); err != nil {
		return in, nil, err
	}
	in = planner.Input{
		State:      st,
		Recorded:   store.Users,
		Mails:      store.Mails,
		Database:   snapshot,
		Directory:  s.selfauth.Directory(),
		Inspection: s.inspection,
		Target:     s.target,
		AsOf:       r.AsOf,
		Future:     r.Future,
		Allowed:    r.Allowed,
		Basis: plan.Basis{
			Configuration: s.module.FilesDigest(),
			Variables:     s.module.VariablesDigest(),
			Versions:      plan.Versions{Anthill: s.settings.Version, SelfAuth: s.identity.Version},
		},
		Origin:   r.Origin,
		Progress: r.Progress,
	}
	if run := st.OpenRun(); run != nil {
		in.OpenUsers = openUsers(store, run.ID)
	}
	return in, snapshot, nil
}

// anyMoved says whether users are recorded as moved.
func anyMoved(users iter.Seq2[state.User, error]) (bool, error) {
	for u, err := range users {
		if err != nil || u.Standing == state.Moved {
			return err == nil, err
		}
	}
	return false, nil
}

// evaluate evaluates the configuration over the live tenants.
func (s *Session) evaluate(tenants []providers.Tenant, st *state.State) (*config.Config, hcl.Diagnostics) {
	return s.module.Evaluate(dataOf(tenants, st))
}

// dataOf is what a configuration reads of live data.
func dataOf(tenants []providers.Tenant, st *state.State) config.Data {
	data := config.Data{Recorded: map[state.Address]uuid.UUID{}}
	// A row that our rollback marked as deleted is to be there again, so the configuration sees it as it will be.
	returns := map[uuid.UUID]bool{}
	for _, o := range st.Objects {
		if o.Kind == state.KindTenant {
			data.Recorded[o.Address] = o.ID
			returns[o.ID] = o.Deleted && !o.Paused
		}
	}
	for _, t := range tenants {
		data.Tenants = append(data.Tenants, config.TenantData{
			ID:      t.ID,
			Slug:    t.Slug,
			Name:    t.Name,
			Plan:    t.Plan,
			Status:  t.Status,
			Deleted: t.Deleted && !returns[t.ID],
		})
	}
	return data
}
