package objects

import (
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// policies plans the account policies, each on one group.
func (p *forward) policies() {
	// Recorded policies whose address is no longer declared.
	byGroup := map[uuid.UUID]state.Address{}
	for _, rec := range p.State.Objects {
		if rec.Kind == state.KindPolicy && !rec.Deleted && !p.declared[rec.Address] {
			byGroup[rec.ID] = rec.Address
		}
	}
	for _, a := range p.Config.Accounts {
		// A policy is known by its group. It is the same one whatever its block is called now.
		if before, there := byGroup[p.groupIDs[a.Group]]; there {
			if rec, has := p.recorded[a.Address]; !has || rec.Deleted {
				p.moved[a.Address] = before
			}
		}
		rec, from := p.take(a.Address)
		group, known := p.groupIDs[a.Group]
		switch {
		case p.leave[a.Address]:
		case !known || p.kept[group]:
			p.dormant(state.CodePolicyGroupAway, a.Address, state.Text(state.KeyGroup, string(a.Group)))
		case p.paused(a.Address, rec):
		default:
			p.policy(a, group, rec, from)
		}
	}
}

// policy compares one policy.
func (p *forward) policy(a config.AccountPolicy, group uuid.UUID, rec *state.Object, from state.Address) {
	after := state.Object{Address: a.Address, Kind: state.KindPolicy, ID: group, Attributes: a.Attributes.Set()}
	c := plan.ObjectChange{Address: a.Address, From: from, Kind: state.KindPolicy, Before: rec, After: &after}
	if rec != nil {
		after.Run, after.Adopted = rec.Run, rec.Adopted
	}
	live := p.Index.Groups[group].Policy
	if live == nil { // taken over before, but gone since: the one that is made now is ours
		after.Adopted = false
		c.Action, c.Will = state.ActionCreate, a.Attributes.Set()
	} else {
		p.compare(&c, live, a.Attributes)
		if isNew(&c) {
			c.Action, after.Adopted = state.ActionAdopt, true
		}
	}
	p.add(c, a.Pos)
}
