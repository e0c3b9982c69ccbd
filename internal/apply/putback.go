package apply

import (
	"github.com/google/uuid"

	"anthill/planner"
	"anthill/state"
)

// stayFor counts the users who could not be taken back and need an object that goes: their tenant's groups and row, and
// whatever is not one tenant's.
func (x *executor) stayFor(c planner.ObjectChange) (n int64) {
	if !c.Last || x.p.Undo == nil || c.Before == nil {
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
func (x *executor) putBack(c planner.ObjectChange, did carried) (stands string, err error) {
	err = x.undone(c, did)
	if refused(err) || state.ErrorKindOf(err) == state.ErrorDenied {
		return "what was done of it could not be put back: " + reason(err), nil
	}
	return "", err
}

func (x *executor) undone(c planner.ObjectChange, did carried) error {
	o := c.Before
	if c.After != nil {
		o = c.After
	}
	at := *o
	if did.made != uuid.Nil {
		at.ID = did.made
		live, _, err := x.provider(c.Kind).ReadObject(x.work, c.Kind, at.ID, "")
		if err == nil && live != nil {
			err = x.deleteObject(at, live)
		}
		if err != nil {
			return err
		}
	}
	if c.Action == planner.Replace {
		at = *c.Before
	}
	switch {
	case c.Was == nil:
		return nil
	case did.gone:
		if err := x.Accounts.Revive(x.work, []uuid.UUID{at.ID}); err != nil {
			return err
		}
	}
	live, err := x.readWhole(at)
	if err != nil || live == nil {
		return err
	}
	back := state.Attributes{}
	for _, side := range []state.Attributes{c.Was, c.Will} {
		for k := range side {
			if k != "strangers" && live[k] != c.Was[k] {
				back[k] = c.Was[k]
			}
		}
	}
	return x.changeObject(at, live, back)
}
