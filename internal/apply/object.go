package apply

import (
	"context"
	"errors"
	"fmt"

	"anthill/planner"
	"anthill/providers"
	"anthill/state"
)

// objects makes, changes and records groups with their mapping rows; removals come after the users (removals).
func (x *executor) objects(ctx context.Context) error {
	return x.eachObject(ctx, func(c planner.ObjectChange) bool { return c.Action != planner.Delete }, x.makeObject)
}

// removals takes groups and mapping rows back.
func (x *executor) removals(ctx context.Context) error {
	return x.eachObject(ctx, func(c planner.ObjectChange) bool { return c.Action == planner.Delete }, x.removeObject)
}

func (x *executor) eachObject(ctx context.Context, which func(planner.ObjectChange) bool, do func(planner.ObjectChange) error) error {
	recorded := map[state.Address]state.Object{}
	for _, o := range x.st.Objects {
		recorded[o.Address] = o
	}
	var n int64
	for _, c := range x.p.Objects {
		if !which(c) {
			continue
		}
		if err := interrupted(ctx); err != nil {
			return err
		}
		n++
		rec, has := recorded[c.Address]
		if err := x.object(c, rec, has, do); err != nil {
			return err
		}
		x.events(Event{Kind: Progress, Stage: "objects", Done: n, Total: int64(len(x.p.Objects)), Text: string(c.Address)})
	}
	return nil
}

// object carries out one change if what is recorded is what the plan relied on. Done already: nothing; something
// else: left alone.
func (x *executor) object(c planner.ObjectChange, rec state.Object, has bool, do func(planner.ObjectChange) error) error {
	after := *c.After
	if after.Run == "" || c.Action == planner.Delete || c.CreateGroup {
		after.Run = x.record.ID()
	}
	if has && rec == after && (c.Before == nil || *c.Before != after) {
		return nil // settled before the run was stopped
	}
	if has != (c.Before != nil) || has && rec != *c.Before {
		x.miss(c, "it changed after the plan")
		return x.record.SettleObject(x.work, c.Address, keep(rec, has), state.Changed, "what is recorded of it changed after the plan")
	}
	if err := x.record.IntendObject(x.work, c.Address, string(c.Action), c.Before, &after); err != nil {
		return err
	}
	err := do(c)
	switch {
	case err == nil:
		return x.record.SettleObject(x.work, c.Address, &after, state.Done, "")
	case providers.KindOf(err) == providers.Burnt:
		// The next plan uses the next generation.
		burnt := after
		burnt.Deleted, burnt.Mapped = true, false
		x.miss(c, reason(err))
		return x.record.SettleObject(x.work, c.Address, &burnt, state.Refused, reason(err))
	case refused(err):
		x.miss(c, reason(err))
		return x.record.SettleObject(x.work, c.Address, keep(rec, has), state.Refused, reason(err))
	}
	return err
}

// miss notes that a group which users of this plan are to join is not there.
func (x *executor) miss(c planner.ObjectChange, why string) {
	x.failed = append(x.failed, string(c.Address)+": "+why)
	if c.Action != planner.Delete && c.CreateGroup {
		x.absent[c.After.Group] = why
	}
}

func keep(rec state.Object, has bool) *state.Object {
	if !has {
		return nil
	}
	return &rec
}

func (x *executor) makeObject(c planner.ObjectChange) error {
	a := c.After
	if c.CreateGroup {
		err := x.Accounts.CreateGroup(x.work, providers.NewGroup{ID: a.Group, Name: a.Name, Description: a.Description})
		if providers.KindOf(err) == providers.Conflict {
			// Made by this run before it was stopped: the id says whose it is.
			if g, lookErr := x.Accounts.Group(x.work, a.Group); lookErr == nil && g != nil {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	if c.Describe {
		if err := x.Accounts.Describe(x.work, a.Group, a.Description); err != nil {
			return err
		}
	}
	for _, g := range c.Unmap {
		if err := x.Rows.Unmap(x.work, a.Tenant, g); err != nil {
			return err
		}
	}
	if c.Map {
		return x.Rows.Map(x.work, []providers.Mapping{{Tenant: a.Tenant, Group: a.Group, GroupName: a.Name, Role: a.Role}})
	}
	return nil
}

func (x *executor) removeObject(c planner.ObjectChange) error {
	b := c.Before
	if err := x.Rows.Unmap(x.work, b.Tenant, b.Group); err != nil {
		return err
	}
	err := x.Accounts.DeleteGroup(x.work, b.Group)
	if providers.KindOf(err) == providers.NotFound {
		return nil
	}
	return err
}

// refused says whether the other side refused this very thing, so that others may be tried.
func refused(err error) bool {
	switch providers.KindOf(err) {
	case providers.Conflict, providers.Refused, providers.Burnt, providers.NotFound:
		return true
	}
	return false
}

// reason is an error's reason in the user's words.
func reason(err error) string {
	var e *providers.Error
	if errors.As(err, &e) {
		if e.Request != "" {
			return fmt.Sprintf("%s (request %s)", e.Reason, e.Request)
		}
		return e.Reason
	}
	return err.Error()
}
