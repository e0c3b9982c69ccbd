package session

import (
	"context"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// Judged is what is recorded, beside the plan that would be made now.
type Judged struct {
	State    *state.State
	Plan     *Plan       // nil where it cannot be made
	NoPlan   error       // why, often a *DiagnosticsError; nil when Plan is there
	Away     bool        // Self-auth cannot be reached, and NoPlan says so
	Warnings Diagnostics // of the plan
	AsOf     time.Time
	Tenants  map[uuid.UUID]string // slugs
}

// Close gives back what the plan holds.
func (j Judged) Close() error {
	if j.Plan == nil {
		return nil
	}
	return j.Plan.Close()
}

// judged makes the plan that would be made now. The caller closes it. A configuration that cannot be planned is no error: NoPlan
// says why. So does a server that is away, in a session that is Settings.Partly: the rest is what the state knows.
func (s *Session) judged(ctx context.Context, r Request) (Judged, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return Judged{}, err
	}
	j := Judged{State: st, AsOf: r.AsOf}
	if j.Tenants, err = s.slugs(ctx); err != nil {
		return Judged{}, err
	}
	if j.Away, j.NoPlan = s.away != nil, s.away; j.Away {
		return j, nil
	}
	if j.Plan, j.NoPlan = s.Plan(ctx, r); j.Plan != nil {
		j.Warnings = j.Plan.Warnings
	}
	return j, ctx.Err()
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
