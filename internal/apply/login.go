package apply

import (
	"bytes"
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
	doors := x.doors(clients)
	// What the plan itself does to clients and mapping rows is not there before it is done.
	later := x.ahead && slices.ContainsFunc(x.effects.Objects, func(c plan.ObjectChange) bool {
		return c.Kind == state.KindClient || c.Kind == state.KindGroup
	})
	for i, it := range some {
		if groups, enrolled := can[persons[i]]; enrolled {
			can[persons[i]] = x.groupsAfter(it, groups)
		}
	}
	homes, err := x.homesOf(ctx, can)
	if err != nil {
		return err
	}
	for i, it := range some {
		groups, enrolled := can[persons[i]]
		home := func(g uuid.UUID) bool { return homes[[2]uuid.UUID{it.row.Tenant, g}] }
		raised := it.shape.Ground.Moved || it.shape.Effect.Restore
		switch {
		case !enrolled:
			it.verdict, it.why = state.Changed, state.Found(state.CodeCannotLogIn)
		case later:
		case raised && !slices.ContainsFunc(groups, home):
			it.verdict, it.why = state.Changed, state.Found(state.CodeCannotLogIn)
		case !x.letsIn(it, doors, groups):
			it.verdict, it.why = state.Changed, state.Found(state.CodeNotLetIn)
		}
	}
	return nil
}

// groupsAfter are the groups of a person once its own change is made, which comes before its row loses the password.
func (x *executor) groupsAfter(it *item, groups []uuid.UUID) []uuid.UUID {
	leave := x.sets[it.shape.Leave]
	after := slices.DeleteFunc(slices.Clone(groups), func(g uuid.UUID) bool { return slices.Contains(leave, g) })
	return append(after, x.sets[it.shape.Join]...)
}

// homesOf are the tenants and groups of the mapping rows of groups that persons are in.
func (x *executor) homesOf(ctx context.Context, can map[uuid.UUID][]uuid.UUID) (map[[2]uuid.UUID]bool, error) {
	var all []uuid.UUID
	for _, groups := range can {
		all = append(all, groups...)
	}
	slices.SortFunc(all, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	rows, err := x.Rows.MappingsOf(ctx, nil, slices.Compact(all))
	homes := make(map[[2]uuid.UUID]bool, len(rows))
	for _, m := range rows {
		homes[[2]uuid.UUID{m.Tenant, m.Group}] = true
	}
	return homes, err
}

// doors are clients as they let users in, by the rule of the plan.
func (x *executor) doors(clients []providers.Client) (doors plan.Doors) {
	requested := map[string][]string{}
	for _, d := range x.effects.Doors {
		requested[d.Client] = d.Requested
	}
	ours := map[uuid.UUID]bool{}
	for _, o := range x.st.Objects {
		ours[o.ID] = o.Kind == state.KindClient && !o.Deleted
	}
	for _, c := range clients {
		d := plan.DoorOf(c.Attributes, requested[c.Name])
		_, d.Declared = requested[c.Name]
		// A rollback is of no configuration: it goes by what is recorded.
		d.Declared = d.Declared || x.effects.Undo != nil && ours[c.ID]
		doors = append(doors, d)
	}
	return doors
}

// letsIn reports whether a client lets in a user who is in some groups. Who is raised must come in by one of those that the plan
// reckons with. It is not judged of somebody who is moved where nobody came in by a client when the plan was made, and
// nobody does now.
func (x *executor) letsIn(it *item, doors plan.Doors, groups []uuid.UUID) bool {
	switch {
	case it.shape.Ground.Moved:
		return slices.ContainsFunc(doors, func(d plan.Door) bool { return d.Declared && d.Admits(groups) })
	case it.shape.Effect.Restore:
		return doors.OfApplication().Admit(groups)
	case len(x.effects.Doors) > 0, doors.Open():
		return doors.Admit(groups)
	}
	return true
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
