package apply

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// together gathers groups that are made, or deleted, in one call: one by one they cost the server several times as
// much.
type together struct {
	made   []providers.NewGroup
	rows   []providers.Mapping // of those that are made
	remove []providers.Mapping // of those that are deleted: tenant and group
}

// add gathers a group to be made.
func (t *together) add(o state.Object, will state.Attributes) {
	t.made = append(t.made, newGroup(o, will))
	if row := will[state.AttrMapping]; row.IsSet() {
		t.rows = append(t.rows, mappingOf(o, row))
	}
}

const mostTogether = 100 // groups that are made, or deleted, in one call

// alike are the first changes that can be carried out together: several that make groups, several that delete groups,
// several that only record, or a single one of any other sort. A group that is made with members, or in place of one that is gone, goes alone, as
// there is more to write for it.
func alike(changes []plan.ObjectChange) []plan.ObjectChange {
	n := 0
	for _, c := range changes[:min(len(changes), mostTogether)] {
		made := c.Action == state.ActionCreate && !c.Will[state.AttrStrangers].IsSet() && len(c.Unmap) == 0
		group := c.Kind == state.KindGroup && (made || c.Action == state.ActionDelete)
		if c.Action != changes[0].Action || !group && c.Action != state.ActionRecord {
			break
		}
		n++
	}
	return changes[:max(n, 1)]
}

// carryAlike carries out changes that are alike. If the server refuses them together they are tried one by one.
func (x *executor) carryAlike(ctx context.Context, some []plan.ObjectChange, recorded recordedObjects) error {
	list, err := x.intendObjects(ctx, some, recorded)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(list) == 1 {
		return x.object(ctx, list[0], recorded)
	}
	var t together
	var held []intended
	reads, err := x.readAll(ctx, list)
	if err != nil {
		return err
	}
	for i, c := range list {
		var did carried
		var why state.Finding
		// One that is left alone, or refused already, must not keep the others from being carried out together.
		err := reads[i].refused
		if err == nil {
			why, err = x.carry(ctx, &c, reads[i].present, &t, &did)
		}
		if err != nil || !why.IsZero() {
			if err := x.settleNotDone(ctx, c, did, why, err, recorded); err != nil {
				return err
			}
			continue
		}
		held = append(held, c)
	}
	if held, err = x.unmapTogether(ctx, &t, held, recorded); err != nil {
		return err
	}
	err = x.allTogether(ctx, t)
	switch {
	case refused(err) || state.ErrorKindOf(err) == state.ErrorDenied:
		for _, c := range held {
			// The call may have got halfway: what is there already is ours.
			c.again = true
			if err := x.object(ctx, c, recorded); err != nil {
				return err
			}
		}
		return nil
	case err != nil || len(held) == 0:
		return err
	}
	outcomes := make([]state.ObjectOutcome, len(held))
	for i, c := range held {
		outcomes[i] = c.done()
	}
	return x.journal.SettleObjects(ctx, outcomes...)
}

// readsAtOnce is how many objects are read at a time.
const readsAtOnce = 4

// reading is what an object is now, or why that one cannot be read.
type reading struct {
	present
	refused error
}

// readAll reads the objects of changes. An error is one of all.
func (x *executor) readAll(ctx context.Context, list []intended) ([]reading, error) {
	reads := make([]reading, len(list))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, c := range list {
		g.Go(func() error {
			is, err := x.read(ctx, c, c.object())
			reads[i].present = is
			if refused(err) {
				reads[i].refused, err = err, nil
			}
			return err
		})
	}
	return reads, g.Wait()
}

// allTogether makes groups before their mapping rows, so that no row names a group that is not there.
func (x *executor) allTogether(ctx context.Context, t together) error {
	if err := x.Accounts.CreateGroups(ctx, t.made); err != nil {
		return err
	}
	if err := x.Rows.Map(ctx, t.rows); err != nil {
		return err
	}
	groups := make([]uuid.UUID, len(t.remove))
	for i, row := range t.remove {
		groups[i] = row.Group
	}
	return x.Accounts.DeleteGroups(ctx, groups)
}

// unmapTogether deletes the mapping rows of groups that are deleted. Those whose rows are refused are settled, and no
// longer among the groups, nor among the changes that it returns.
func (x *executor) unmapTogether(
	ctx context.Context, t *together, held []intended, recorded recordedObjects,
) ([]intended, error) {
	// The mapping row goes first: a row without its group would lead users of the tenant nowhere.
	err := x.Rows.Unmap(ctx, t.remove...)
	if !refused(err) {
		return held, err
	}
	rows := t.remove
	t.remove = nil
	for _, row := range rows {
		err := x.Rows.Unmap(ctx, row)
		if err == nil {
			t.remove = append(t.remove, row)
			continue
		}
		i := slices.IndexFunc(held, func(c intended) bool { return c.object().ID == row.Group })
		if err := x.settleNotDone(ctx, held[i], carried{}, state.Finding{}, err, recorded); err != nil {
			return nil, err
		}
		held = slices.Delete(held, i, i+1)
	}
	return held, nil
}
