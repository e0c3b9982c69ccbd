package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// stayFor says why an object that would be deleted, or a client that would let a group in no more, is left with users who
// still need it; zero: none do.
func (x *executor) stayFor(c plan.ObjectChange) state.Finding {
	if !c.Last || c.Before == nil {
		return state.Finding{}
	}
	if n := x.usersInside(c); n > 0 {
		return state.Found(state.CodeUsersInside).Times(n)
	}
	if n := x.notTakenBack(c); n > 0 {
		return state.Found(state.CodeNeededStill).Times(n)
	}
	return state.Finding{}
}

// usersInside counts the users who would lose their last group with a change (leftInside).
func (x *executor) usersInside(c plan.ObjectChange) (n int64) {
	if c.Kind == state.KindGroup || c.Kind == state.KindPolicy {
		return x.inside[c.Before.ID] // a policy has the id of its group
	}
	will, changes := c.Will[state.AttrScopeMaps]
	if c.Kind != state.KindClient || !changes && c.Will != nil {
		return 0
	}
	for _, was := range c.Was[state.AttrScopeMaps].Groups() {
		if !slices.Contains(will.Groups(), was) {
			n += x.inside[was]
		}
	}
	return n
}

// notTakenBack counts the users whom a rollback could not take back and who still need an object: groups and row of their
// tenant, and anything that does not belong to one tenant.
func (x *executor) notTakenBack(c plan.ObjectChange) (n int64) {
	if x.effects.Undo == nil {
		return 0
	}
	switch c.Kind {
	case state.KindGroup:
		return x.missed[c.Before.Tenant]
	case state.KindTenant:
		return x.missed[c.Before.ID]
	}
	for _, of := range x.missed {
		n += of
	}
	return n
}

// carried is what of a change was carried out, so that it can be put back when the rest is refused.
type carried struct {
	made uuid.UUID // the id of what was made; zero: nothing was
	gone bool      // what was there before was deleted (Replace)
}

// putBack undoes what was done of a change of which a part was refused. stands says what could not be undone.
func (x *executor) putBack(ctx context.Context, c plan.ObjectChange, did carried) (stands state.Finding, err error) {
	err = x.undoObject(ctx, c, did)
	if refused(err) || state.ErrorKindOf(err) == state.ErrorDenied {
		return state.Found(state.CodeNotPutBack, state.Because(state.KeyWhy, reason(err))), nil
	}
	return stands, err
}

// undoObject deletes what was made, brings back what was deleted for it, and writes the values that were there.
func (x *executor) undoObject(ctx context.Context, c plan.ObjectChange, did carried) error {
	// What was made goes first: what comes back in its place has the same name.
	at := c.Object()
	if did.made != uuid.Nil {
		at.ID = did.made
		live, _, err := x.provider(c.Kind).ReadObject(ctx, c.Kind, at.ID, "")
		if err == nil && live != nil {
			err = x.deleteObject(ctx, at, live)
		}
		if err != nil {
			return err
		}
	}
	if c.Was == nil {
		return nil
	}
	if c.Action == state.ActionReplace {
		at = *c.Before
	}
	if did.gone {
		if err := x.Accounts.Revive(ctx, []uuid.UUID{at.ID}); err != nil {
			return err
		}
	}
	live, err := x.readWhole(ctx, at)
	if err != nil || live == nil {
		return err
	}
	return x.changeObject(ctx, at, live, putBackTo(c, live))
}

// putBackTo is what must be written for an object to be as it was before a change. Members are left out: nobody who
// does not belong in a group is let in again.
func putBackTo(c plan.ObjectChange, live state.Attributes) state.Attributes {
	back := state.Attributes{}
	for _, a := range c.Kind.Spec().Attributes {
		was, touched := c.Was[a.Name]
		_, written := c.Will[a.Name]
		if (touched || written) && a.Form != state.FormMembers && !live[a.Name].Equal(was) {
			back[a.Name] = was
		}
	}
	return back
}
