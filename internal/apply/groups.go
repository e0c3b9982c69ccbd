package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// checkGroups refuses a plan whose groups are not what they are recorded to be, or become: by their rules apply decides
// who belongs where, and by their roles a reader has counted admins. So it is where another plan has changed the rule
// of a group since, and where somebody has changed the file. The error is a *StaleError.
func (x *executor) checkGroups(ctx context.Context) error {
	known := map[uuid.UUID][]state.Object{}
	for i := range x.st.Objects {
		learn(known, &x.st.Objects[i])
	}
	for _, c := range x.effects.Objects {
		learn(known, c.Before)
		learn(known, c.After)
	}
	other, err := x.otherGroup(ctx, known)
	if err == nil && other != uuid.Nil && x.effects.Undo != nil {
		// A rollback may go by what a group was before the runs that it takes back.
		if err = x.learnFromJournal(ctx, known); err == nil {
			other, err = x.otherGroup(ctx, known)
		}
	}
	if err == nil && other != uuid.Nil {
		err = &StaleError{Reason: "group " + other.String() + " is not as planned: its tenant, its role or who belongs in it has " +
			"changed; nothing was changed, plan again"}
	}
	return err
}

// otherGroup is the first group of the plan that is not what is known of it; zero: none.
func (x *executor) otherGroup(ctx context.Context, known map[uuid.UUID][]state.Object) (uuid.UUID, error) {
	for _, g := range x.effects.Groups {
		if is, err := x.isGroup(ctx, g, known[g.ID]); !is || err != nil {
			return g.ID, err
		}
	}
	return uuid.Nil, nil
}

// learn notes what a group is, or was.
func learn(known map[uuid.UUID][]state.Object, o *state.Object) {
	if o != nil && o.Kind == state.KindGroup {
		known[o.ID] = append(known[o.ID], *o)
	}
}

// learnFromJournal notes what groups were before all runs, under each id that their address ever had.
func (x *executor) learnFromJournal(ctx context.Context, known map[uuid.UUID][]state.Object) error {
	runs := make([]string, len(x.st.Runs))
	for i, r := range x.st.Runs {
		runs[i] = r.ID
	}
	records, err := x.Store.ObjectRecords(ctx, runs)
	if err != nil {
		return err
	}
	ever := map[state.Address][]state.Object{}
	note := func(a state.Address, o *state.Object) {
		if o != nil && o.Kind == state.KindGroup {
			ever[a] = append(ever[a], *o)
		}
	}
	for _, r := range records {
		if r.From != "" && r.From != r.Address {
			ever[r.Address] = append(ever[r.Address], ever[r.From]...)
		}
		note(r.Address, r.Before)
		note(r.Address, r.After)
	}
	for i := range x.st.Objects {
		note(x.st.Objects[i].Address, &x.st.Objects[i])
	}
	for _, c := range x.effects.Objects {
		note(c.Address, c.After)
	}
	for _, list := range ever {
		for _, o := range list {
			for _, was := range list {
				if was.ID != o.ID {
					known[o.ID] = append(known[o.ID], was)
				}
			}
			learn(known, &o)
		}
	}
	return nil
}

// isGroup reports whether a group of the plan has a rule, a tenant and a role of what is known of it.
func (x *executor) isGroup(ctx context.Context, g plan.Group, known []state.Object) (bool, error) {
	has := func(is func(state.Object) bool) bool { return slices.ContainsFunc(known, is) }
	ruled := func(o state.Object) bool { return o.Tenant == g.Tenant && o.Members.Equal(g.Members) }
	if g.Members.Declared() && !has(ruled) {
		return false, nil
	}
	// Named as a group of admins, it hides nothing.
	if g.Role == state.RoleAdmin || has(func(o state.Object) bool { return o.Role() == g.Role }) {
		return true, nil
	}
	m, err := x.Rows.Mapping(ctx, g.Tenant, g.ID)
	if err != nil {
		return false, err
	}
	if m != nil {
		return m.Role == g.Role, nil // it says more than a record of ours
	}
	return !has(func(o state.Object) bool { return o.Role() == state.RoleAdmin }), nil
}
