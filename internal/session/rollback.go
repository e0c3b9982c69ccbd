package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/providers"
	"anthill/state"
)

// Undo says what a rollback takes back.
type Undo struct {
	Runs          []string // none: the latest that is to be undone, or with Waves, Tenants or PostgresOnly all of them
	Waves         []string // only users of these; empty: of all
	Tenants       []string // only users of the tenants with these slugs, or ids; empty: of all
	DeletePersons bool     // delete the persons that were made, instead of expiring them
	Schema        bool     // take back what the runs did to the schema, too
	PostgresOnly  bool     // take back rows alone; with neither of the two above, in a session that is Settings.Alone

	tenants []uuid.UUID // besides: of a rollback that was stopped, whatever their slugs are by now
}

// Names reports whether u says what is to be taken back, instead of leaving it to the journal.
func (u Undo) Names() bool { return len(u.Runs)+len(u.Waves)+len(u.Tenants) > 0 }

// sameScope reports whether two rollbacks take back the same runs, waves and tenants.
func (u Undo) sameScope(v Undo) bool {
	return slices.Equal(u.Runs, v.Runs) && slices.Equal(u.Waves, v.Waves) && slices.Equal(u.tenants, v.tenants)
}

// Rollback makes the plan that takes back what u names, from the journal. No configuration is evaluated. A plan whose
// Undo has no runs says that nothing is left to take back. The caller closes the Plan.
//
// Errors: as of Session.Plan; *providers.SchemaNeededError where the schema is to go and something needs it.
func (s *Session) Rollback(ctx context.Context, r Request, u Undo) (_ *Plan, err error) {
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	if !u.Schema { // which reads more of the rows
		snapshot.Ahead(ctx)
	}
	if u.PostgresOnly {
		in.Directory = nil
	} else if err := s.maySee(recordedKinds(in.State)); err != nil {
		return nil, err
	}
	// Names are checked before anything is folded: a mistyped wave must not look like a rollback with nothing to do.
	tenants, err := s.tenantIDs(ctx, in, u.Tenants)
	if err != nil {
		return nil, err
	}
	tenants = append(tenants, u.tenants...)
	waves, err := s.movedWaves(ctx, in.State, u.Waves)
	if err != nil {
		return nil, err
	}
	w := planfile.NewWriter("")
	defer func() { err = errors.Join(err, w.Close()) }()
	made, diags, err := planner.Undo(ctx, planner.UndoInput{
		Input:         in,
		ObjectRecords: s.store.ObjectRecords,
		Records:       s.store.Records,
		Forgotten:     s.store.ForgottenOf,
		Runs:          u.Runs,
		Waves:         waves,
		Tenants:       tenants,
		DeletePersons: u.DeletePersons,
		Schema:        u.Schema,
		PostgresOnly:  u.PostgresOnly,
		KeepAdmins:    s.module.KeepAdmins(),
	}, w)
	if err != nil {
		return nil, err
	}
	return s.save(w, made, diags, r.Out)
}

// CheckUndo refuses an Undo that names what is not there, before anything is done for it.
func (s *Session) CheckUndo(ctx context.Context, u Undo) error {
	in, snapshot, err := s.look(ctx, Request{})
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if _, err := s.tenantIDs(ctx, in, u.Tenants); err != nil {
		return err
	}
	for _, id := range u.Runs {
		if !slices.ContainsFunc(in.State.Runs, func(r state.RunInfo) bool { return r.ID == id }) {
			return fmt.Errorf("there is no run %q; the runs are listed by:\n\n    anthill status", id)
		}
	}
	_, err = s.movedWaves(ctx, in.State, u.Waves)
	return err
}

// Unfinished is what is to be taken back once a run is closed, or has left somebody: the run, or if it is a rollback itself,
// what that was to take back. u has the flags.
func (s *Session) Unfinished(ctx context.Context, run state.RunInfo, u Undo) (Undo, error) {
	if run.Kind != state.RunRollback {
		u.Runs = []string{run.ID}
		return u, nil
	}
	stored, err := s.StoredPlan(ctx, run.ID)
	if err != nil {
		return u, err
	}
	defer stored.Close()
	un := stored.Effects().Undo
	u.Runs, u.Waves, u.tenants = un.Runs, un.Waves, un.Tenants
	if !u.PostgresOnly { // which does neither, whatever was begun
		u.DeletePersons = u.DeletePersons || un.DeletePersons
		u.Schema = u.Schema || un.Schema != nil
	}
	return u, nil
}

// movedWaves sorts names of waves, and refuses one that has moved nobody. A run that was stopped may have moved users of
// a wave that is not recorded yet.
func (s *Session) movedWaves(ctx context.Context, st *state.State, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	known, err := s.store.UserWaves(ctx)
	if err != nil {
		return nil, err
	}
	names = slices.Sorted(slices.Values(names))
	for _, name := range names {
		if !slices.ContainsFunc(known, func(w string) bool { return state.InWave(w, name) }) &&
			!slices.ContainsFunc(st.Waves, func(w state.Wave) bool { return state.InWave(w.Name, name) }) {
			return nil, fmt.Errorf("no wave %q has moved anybody; the waves are shown by:\n\n    anthill status", name)
		}
	}
	return slices.Compact(names), nil
}

// tenantIDs finds tenants by slug, or id, sorted by id.
func (s *Session) tenantIDs(ctx context.Context, in planner.Input, names []string) (ids []uuid.UUID, err error) {
	if len(names) == 0 {
		return nil, nil
	}
	tenants, err := in.Database.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		id, err := s.tenantID(ctx, in.State, tenants, name)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(ids), nil
}

// tenantID finds a tenant by its slug, or by its id: that is how one is told whose row is gone.
func (s *Session) tenantID(
	ctx context.Context, st *state.State, tenants []providers.Tenant, name string,
) (uuid.UUID, error) {
	unknown := fmt.Errorf("there is no tenant with the slug %q", name)
	if i := slices.IndexFunc(tenants, func(t providers.Tenant) bool { return t.Slug == name }); i >= 0 {
		return tenants[i].ID, nil
	}
	id, err := uuid.Parse(name)
	if err != nil || id == uuid.Nil {
		return uuid.Nil, unknown
	}
	if slices.ContainsFunc(tenants, func(t providers.Tenant) bool { return t.ID == id }) ||
		slices.ContainsFunc(st.Pauses, func(p state.Pause) bool { return p.Tenant == id }) ||
		slices.ContainsFunc(st.Confirmations, func(c state.Confirmation) bool { return c.Tenant == id }) ||
		slices.ContainsFunc(st.Objects, func(o state.Object) bool { return o.Tenant == id }) {
		return id, nil
	}
	for u, err := range s.store.Users(ctx) {
		if err != nil {
			return uuid.Nil, err
		}
		if u.Tenant == id || u.TenantNow == id {
			return id, nil
		}
	}
	return uuid.Nil, unknown
}
