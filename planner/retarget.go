package planner

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Retarget makes the plan that binds what is recorded to in.Target, which has other names than in.State.Target. It has no other
// effect. Its context says how much of what is recorded is found there, and what is not is a hazard: another database or server
// would have other users, and each plan for them would take the ways in from ours.
//
// It needs no configuration. Where in.Directory is nil Self-auth is not asked: its names must be as in in.State.Target, and of persons
// and what else it holds nothing is said. err is a failure to read.
func Retarget(ctx context.Context, in Input) (*plan.Plan, error) {
	in.Config = nil
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, err
	}
	found, err := in.recognise(ctx, observed)
	if err != nil {
		return nil, err
	}
	was := in.State.Target
	p := &plan.Plan{Basis: in.basis()}
	e, c := &p.Effects, &p.Context
	e.Kind, e.Target, e.Was, e.Lineage = state.RunRetarget, in.Target, &was, in.State.Lineage
	for _, of := range []struct {
		code       state.Code
		all, found int64
	}{
		{state.CodeTargetRows, found.Moved, found.Rows},
		{state.CodeTargetPersons, found.Moved, found.Persons},
		{state.CodeTargetObjects, found.Objects, found.Found},
	} {
		unknown := found.Unasked && of.code == state.CodeTargetPersons
		if missing := of.all - of.found; missing > 0 && !unknown {
			e.Raise(plan.TargetUnlike, missing, state.Found(of.code, state.Number(state.KeyPopulation, of.all)).Times(missing))
		}
	}
	e.Allow(in.Allowed)
	c.AsOf, c.Origin, c.OpenRun, c.Recognised = in.AsOf.UTC(), in.Origin, openRun(in.State), &found
	c.Population = plan.Population{Moved: found.Moved}
	c.Notes = slices.Concat(renamed(was, in.Target), unused(e))
	return p, nil
}

// renamed is what follows from each part of a target that is another.
func renamed(was, now state.Target) (notes []state.Finding) {
	if was.System != now.System || was.Database != now.Database {
		notes = append(notes, state.Found(state.CodeTargetCopied, state.Text(state.KeyWrote, was.Database), state.Text(state.KeyWith, was.System)))
	}
	if was.Domain != now.Domain {
		notes = append(notes, state.Found(state.CodeTargetDomain, state.Text(state.KeyWrote, was.Domain), state.Text(state.KeyLive, now.Domain)))
	}
	if was.Origin != now.Origin {
		notes = append(notes, state.Found(state.CodeTargetOrigin, state.Text(state.KeyWrote, was.Origin), state.Text(state.KeyLive, now.Origin)))
	}
	return notes
}

// recognise counts what of the recorded state is found: rows and persons of moved users, and objects that Self-auth or the tenants'
// table hold.
func (in Input) recognise(ctx context.Context, o *world.Observed) (found plan.Recognised, err error) {
	found.Unasked = in.Directory == nil
	var moved []uuid.UUID
	for u, err := range in.Recorded(ctx) {
		if err != nil {
			return found, err
		}
		if u.Standing != state.Moved {
			continue
		}
		moved = append(moved, u.User)
		if _, there := o.Index.Person(u.Person); there {
			found.Persons++
		}
	}
	found.Moved = int64(len(moved))
	slices.SortFunc(moved, world.CompareID)
	done := int64(0)
	for row, err := range in.Database.Users(ctx) {
		if err != nil {
			return found, err
		}
		if _, is := slices.BinarySearchFunc(moved, row.ID, world.CompareID); is {
			found.Rows++
		}
		if done++; in.Progress != nil && done%10_000 == 0 {
			in.Progress(StageRead, done, in.Inspection.Rows)
		}
	}
	for _, obj := range in.State.Objects {
		if obj.Deleted || found.Unasked && obj.Kind != state.KindTenant {
			continue
		}
		found.Objects++
		if holds(o, obj) {
			found.Found++
		}
	}
	return found, nil
}

// holds reports whether an object that is recorded is there. An account policy is a part of its group.
func holds(o *world.Observed, obj state.Object) bool {
	switch obj.Kind {
	case state.KindTenant:
		return o.Tenant(obj.ID) != nil
	case state.KindClient:
		return slices.ContainsFunc(o.Clients, func(c providers.Client) bool { return c.ID == obj.ID })
	default:
		_, there := o.Index.Groups[obj.ID]
		return there
	}
}
