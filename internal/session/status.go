package session

import (
	"context"
	"time"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Status is how far everything is: what is recorded, beside the plan that would be made now.
type Status struct {
	State    *state.State
	Plan     *Plan           // nil where it cannot be made
	NoPlan   error           // why, often a *DiagnosticsError; nil when Plan is there
	Away     bool            // Self-auth cannot be reached, and NoPlan says so
	LeftOpen []state.Finding // Away: what a rollback of Postgres alone has left open, as far as the state knows
	Warnings Diagnostics     // of the plan
	Level    providers.Level
	SelfAuth string // version of the server
	AsOf     time.Time
	Tenants  map[uuid.UUID]string // slugs
}

// Close gives back what the plan of a status holds.
func (s Status) Close() error {
	if s.Plan == nil {
		return nil
	}
	return s.Plan.Close()
}

// Status reads how far everything is. The caller closes it. A configuration that cannot be planned is no error: NoPlan
// says why. So does a server that is away, in a session that is Settings.Partly: the rest is what the state knows.
func (s *Session) Status(ctx context.Context, r Request) (Status, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return Status{}, err
	}
	view := Status{State: st, Level: s.inspection.Level, SelfAuth: s.identity.Version, AsOf: r.AsOf}
	if view.Tenants, err = s.slugs(ctx); err != nil {
		return Status{}, err
	}
	if view.Away, view.NoPlan = s.away != nil, s.away; view.Away {
		view.LeftOpen, err = s.leftOpen(ctx)
		return view, err
	}
	if view.Plan, view.NoPlan = s.Plan(ctx, r); view.Plan != nil {
		view.Warnings = view.Plan.Warnings
	}
	return view, ctx.Err()
}

// leftOpen counts by the state alone whose other half is open.
func (s *Session) leftOpen(ctx context.Context) ([]state.Finding, error) {
	var open int64
	for u, err := range s.store.Users(ctx) {
		if err != nil {
			return nil, err
		}
		if u.Standing == state.RowBack {
			open++
		}
	}
	if open == 0 {
		return nil, nil
	}
	return []state.Finding{state.Found(state.CodeRowBackOpen).Times(open)}, nil
}

// slugs are those of all tenants.
func (s *Session) slugs(ctx context.Context) (map[uuid.UUID]string, error) {
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
