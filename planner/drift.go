package planner

import (
	"context"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/state"
)

// Drift compares what is recorded with what is observed. The plan has no effects: what was found stands in its context. in
// needs all that Make does, as rows and persons are joined in the same way.
func Drift(ctx context.Context, in Input) (*plan.Plan, error) {
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, err
	}
	joined, err := observed.Join(ctx, in.streams())
	if err != nil {
		return nil, err
	}
	defer joined.Entries.Close()
	found, changed := objects.Drift(observed)
	drifted, err := users.Drift(joined, in.OpenUsers != nil)
	if err != nil {
		return nil, err
	}
	p := plan.Plan{Basis: in.basis()}
	p.Effects.Kind, p.Effects.Target, p.Effects.Lineage = state.RunApply, in.Target, observed.Lineage
	c := &p.Context
	c.AsOf, c.Origin, c.OpenRun = in.AsOf.UTC(), in.Origin, openRun(in.State)
	c.Population = plan.Population{Live: joined.AllLive, Moved: drifted.Moved}
	c.Isolation = plan.Isolation{Groups: len(observed.Index.Groups), Memberships: observed.Index.Memberships,
		Violations: joined.Violations}
	c.Outside = append(found, drifted.Findings...)
	c.Drift = &plan.Drift{Objects: changed, Users: drifted.Users, Memberships: drifted.Memberships}
	return &p, nil
}
