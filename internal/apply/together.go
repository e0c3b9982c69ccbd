package apply

import (
	"github.com/google/uuid"

	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

// together gathers groups that are made, or deleted, together: one by one they cost the server several times as much.
type together struct {
	make   []providers.NewGroup
	rows   []providers.Mapping // of those that are made
	remove []uuid.UUID
}

const mostTogether = 100 // groups that are made, or deleted, together

// alike are the first changes that are carried out together: one, or some that make groups, or that delete them.
func alike(changes []planner.ObjectChange) []planner.ObjectChange {
	n := 0
	for _, c := range changes[:min(len(changes), mostTogether)] {
		made := c.Action == planner.Create && c.Will["strangers"] == "" && len(c.Unmap) == 0
		if c.Kind != state.KindGroup || c.Action != changes[0].Action || !made && c.Action != planner.Delete {
			break
		}
		n++
	}
	return changes[:max(n, 1)]
}

// alikes carries out changes that are alike. Those that the server does not take together are tried one by one.
func (x *executor) alikes(some []planner.ObjectChange, recorded map[state.Address]state.Object) error {
	list, err := x.intendObjects(some, recorded)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(list) == 1 {
		return x.object(list[0], recorded)
	}
	var t together
	var held []intended
	var outcomes []state.ObjectOutcome
	for _, c := range list {
		did := carried{}
		why, err := x.carry(&c, &t, &did)
		if err != nil || why != "" {
			if err := x.undoneObject(c, did, why, err, recorded); err != nil {
				return err
			}
			continue
		}
		held, outcomes = append(held, c), append(outcomes, c.done())
	}
	err = x.Accounts.CreateGroups(x.work, t.make)
	if err == nil {
		err = x.Rows.Map(x.work, t.rows)
	}
	if err == nil {
		err = x.Accounts.DeleteGroups(x.work, t.remove)
	}
	switch {
	case refused(err) || state.ErrorKindOf(err) == state.ErrorDenied:
		for _, c := range held {
			c.again = true
			if err := x.object(c, recorded); err != nil {
				return err
			}
		}
		return nil
	case err != nil || len(outcomes) == 0:
		return err
	}
	return x.record.SettleObjects(x.work, outcomes...)
}
