package session

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/providers/postgres"
)

// Export is who is still to be moved by the rows of one moment: active, in an active tenant, not linked, not excluded.
// Self-auth is not asked, nor is the recorded state. The caller closes it.
type Export struct {
	LinkKey string // how it names whether a row is linked
	Left    Left   // complete when Users is through
	// Progress is told how many rows are read, about every 10,000; total 0: nobody knows. nil: nobody listens.
	Progress func(stage string, done, total int64)

	session  *Session
	snapshot *postgres.Snapshot
	tenants  map[uuid.UUID]providers.Tenant
	only     uuid.UUID // the tenant that was asked for; zero: all
	exclude  config.Exclude
}

// Left counts who is not exported. A user counts once, as what stands first.
type Left struct {
	Deleted int64 // the row, or its tenant's
	Linked  int64
	Reasons map[plan.SkipReason]int64 // of the others
}

// ExportedUser is a row as an export has it.
type ExportedUser struct {
	ID, Tenant uuid.UUID
	TenantSlug string
	Email      string
	FullName   string // "" when NULL
	Role       string
	Status     string
	Linked     bool
}

// ErrNoTenant is that no tenant has the slug that was asked for.
var ErrNoTenant = errors.New("there is no such tenant")

// OpenExport begins to read the users of a tenant, or of all where the slug is "". What it needs of the configuration is
// where the database is, how it is spelled, and who is excluded.
//
// Errors: *DiagnosticsError, ErrNoTenant, or what reading says.
func OpenExport(ctx context.Context, settings Settings, slug string) (_ *Export, err error) {
	s := &Session{settings: settings, stateless: true}
	e := &Export{session: s, Left: Left{Reasons: map[plan.SkipReason]int64{}}}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	if _, err := s.loadPostgres(ctx); err != nil {
		return nil, err
	}
	e.LinkKey = s.postgres.LinkKey()
	if e.snapshot, err = s.postgres.Snapshot(ctx); err != nil {
		return nil, err
	}
	if err := e.snapshot.Sees(ctx, func() (bool, error) { return false, nil }); err != nil {
		return nil, err
	}
	return e, e.look(ctx, slug)
}

// look reads the tenants, and works out who is excluded.
func (e *Export) look(ctx context.Context, slug string) error {
	list, err := e.snapshot.Tenants(ctx)
	if err != nil {
		return err
	}
	e.tenants = make(map[uuid.UUID]providers.Tenant, len(list))
	var data config.Data
	for _, t := range list {
		e.tenants[t.ID] = t
		if t.Slug == slug {
			e.only = t.ID
		}
		data.Tenants = append(data.Tenants, config.TenantData{
			ID: t.ID, Slug: t.Slug, Name: t.Name, Plan: t.Plan, Status: t.Status, Deleted: t.Deleted,
		})
	}
	if slug != "" && e.only == uuid.Nil {
		return fmt.Errorf("%w: %s", ErrNoTenant, slug)
	}
	exclude, diags := e.session.module.Excluded(data)
	if diags.HasErrors() {
		return e.session.mistakes(diags)
	}
	e.exclude = exclude
	return nil
}

// Close ends the reading and the connections.
func (e *Export) Close() {
	if e.snapshot != nil {
		e.snapshot.Close()
	}
	e.session.Close()
}

// Users streams them in the order of tenant id, user id. To be called once.
func (e *Export) Users(ctx context.Context) iter.Seq2[ExportedUser, error] {
	rows := e.snapshot.Users
	if e.only != uuid.Nil {
		rows = func(ctx context.Context) iter.Seq2[providers.User, error] { return e.snapshot.UsersOf(ctx, e.only) }
	}
	return func(yield func(ExportedUser, error) bool) {
		var done int64
		for u, err := range rows(ctx) {
			if done++; done%10_000 == 0 {
				e.told(done)
			}
			if err == nil && e.leaves(u) {
				continue
			}
			one := ExportedUser{
				ID: u.ID, Tenant: u.Tenant, TenantSlug: e.tenants[u.Tenant].Slug, Email: u.Email, FullName: u.FullName,
				Role: u.Role, Status: u.Status, Linked: u.Link != uuid.Nil,
			}
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

func (e *Export) told(done int64) {
	if e.Progress == nil {
		return
	}
	total := e.session.inspection.Rows
	if e.only != uuid.Nil || done > total {
		total = 0
	}
	e.Progress(planner.StageRead, done, total)
}

// leaves counts a user who is left out.
func (e *Export) leaves(u providers.User) bool {
	t := e.tenants[u.Tenant]
	var reason plan.SkipReason
	switch {
	case u.Deleted || t.Deleted:
		e.Left.Deleted++
		return true
	case u.Link != uuid.Nil:
		e.Left.Linked++
		return true
	case e.exclude.Has(u.ID, u.Email):
		reason = plan.SkipExcluded
	case u.Status == "suspended":
		reason = plan.SkipSuspended
	case u.Status != "active":
		reason = plan.SkipInactive
	case t.Status == "suspended":
		reason = plan.SkipTenantSuspended
	case !t.Live():
		reason = plan.SkipTenantCancelled
	default:
		return false
	}
	e.Left.Reasons[reason]++
	return true
}
