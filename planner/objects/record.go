package objects

import (
	"maps"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// recordNow records an object as it is, which is otherwise than it is recorded; nil where its record stays. Of what it holds
// only what we wrote is recorded: the rest is not ours.
func recordNow(o *world.Observed, rec state.Object) *plan.ObjectChange {
	if rec.Deleted {
		// To record it as ours again would mean to delete it again where it is not declared.
		return nil
	}
	after, live := rec, there(o, rec)
	c := plan.ObjectChange{Address: rec.Address, Kind: rec.Kind, Action: state.ActionRecord, Before: &rec, After: &after}
	switch {
	case live != nil:
		_, wrote := live.Diff(rec.Attributes)
		c.Was = state.Attributes{}
		after.Attributes = maps.Clone(rec.Attributes)
		for k := range wrote {
			// A value that is not set is recorded as that: it stays ours.
			c.Was[k], after.Attributes[k] = live[k], live[k]
		}
		c.Will = c.Was
	case rec.Kind == state.KindTenant, mappedAs(o, rec.Tenant, rec.ID) != nil:
		// A row that is recorded as deleted is one that we marked and bring back. What is left of a group, its mapping row, is
		// known by its record alone.
		return nil
	default:
		after.Deleted = true
	}
	return &c
}

// records takes back a chain that has only records: the object is recorded as it was before. nil where it is, or where it would
// be recorded as deleted and is there. Nothing is written.
func (p *back) records(c *chain) *plan.ObjectChange {
	oldest := c.records[0].Before
	if oldest == nil || c.recorded == nil {
		return nil
	}
	after := *c.recorded
	after.Attributes, after.Deleted = oldest.Attributes, oldest.Deleted
	if after.Equal(*c.recorded) {
		return nil
	}
	change := &plan.ObjectChange{Address: c.address, Kind: after.Kind, Action: state.ActionRecord, Before: c.recorded, After: &after}
	switch {
	case !after.Deleted:
		change.Was, change.Will = state.Attributes{}, state.Attributes{}
	case there(p.world, after) != nil:
		p.out.Stays = true
		return nil
	}
	return change
}

// onlyRecords reports whether the runs did no more than record the object otherwise.
func (c *chain) onlyRecords() bool {
	for _, r := range c.records {
		if r.Action != state.ActionRecord {
			return false
		}
	}
	return true
}
