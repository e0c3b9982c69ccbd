package planner

import (
	"context"
	"slices"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/state"
)

// Drift compares what is recorded with what is observed. What was found stands in the context of the plan; its only effects
// are that objects are recorded as they are. in needs all that Make does, as rows and persons are joined in the same way.
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
	found := objects.Drift(observed)
	drifted, err := users.Drift(joined, in.OpenUsers != nil)
	if err != nil {
		return nil, err
	}
	p := plan.Plan{Basis: in.basis()}
	p.Effects.Kind, p.Effects.Target, p.Effects.Lineage = state.RunRefresh, in.Target, observed.Lineage
	p.Effects.Objects = found.Records
	c := &p.Context
	c.AsOf, c.Origin, c.OpenRun = in.AsOf.UTC(), in.Origin, openRun(in.State)
	c.Population = plan.Population{Live: joined.AllLive, Moved: drifted.Moved}
	c.Isolation = plan.Isolation{Groups: len(observed.Index.Groups), Memberships: observed.Index.Memberships,
		Violations: joined.Violations}
	schema := in.drifted()
	c.Outside = slices.Concat(schema, found.Findings, drifted.Findings)
	c.Drift = &plan.Drift{Schema: int64(len(schema)), Objects: found.Objects, Users: drifted.Users,
		Memberships: drifted.Memberships}
	return &p, nil
}
