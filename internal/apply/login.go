package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// lookWhoCanLogIn leaves those as they are who are to log in through Self-auth alone and cannot, as they have lost
// their credential or their groups since the plan, have been expired, or are let in by no client any more.
func (x *executor) lookWhoCanLogIn(ctx context.Context, items []*item) error {
	some := slices.DeleteFunc(slices.Clone(items), func(it *item) bool { return it.verdict != 0 || !it.endsPassword() })
	if len(some) == 0 {
		return nil
	}
	persons := make([]uuid.UUID, len(some))
	for i, it := range some {
		persons[i] = x.personOf(it)
	}
	can, err := x.Accounts.CanLogIn(ctx, persons)
	if err != nil {
		return err
	}
	clients, err := x.Accounts.Clients(ctx)
	if err != nil {
		return err
	}
	doors, judged := x.doors(clients)
	for i, it := range some {
		groups, enrolled := can[persons[i]]
		keep := x.sets[it.shape.Keep]
		in := func(g uuid.UUID) bool { return slices.Contains(groups, g) }
		switch {
		case !enrolled, it.shape.Ground.Moved && len(keep) > 0 && !slices.ContainsFunc(keep, in):
			it.verdict, it.why = state.Changed, state.Found(state.CodeCannotLogIn)
		case judged && !doors.Admit(groups):
			it.verdict, it.why = state.Changed, state.Found(state.CodeNotLetIn)
		}
	}
	return nil
}

// doors are clients as they let users in, by the rule of the plan. It is not judged where nobody came in by one
// when that was made, and nobody does now.
func (x *executor) doors(clients []providers.Client) (doors plan.Doors, judged bool) {
	requested := map[string][]string{}
	for _, d := range x.effects.Doors {
		requested[d.Client] = d.Requested
	}
	for _, c := range clients {
		doors = append(doors, plan.DoorOf(c.Attributes, requested[c.Name]))
	}
	return doors, len(x.effects.Doors) > 0 || doors.Open()
}

// endsPassword reports whether a change takes the password away as a way to log in. One that brings the person back as
// well is not looked at: it cannot be seen yet.
func (it *item) endsPassword() bool {
	e := it.shape.Effect
	if it.row == nil || e.Act == state.PersonEnable || e.Act == state.PersonRevive || e.Act == state.PersonCreate {
		return false
	}
	method := e.Method
	if e.Restore && it.record != nil {
		method = it.record.Before.Method
	}
	return it.shape.Ground.Moved || method == state.MethodSelfAuth && it.row.Method != method && it.row.CanPassword
}
