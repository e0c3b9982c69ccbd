package objects

import (
	"slices"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// gone plans the objects of some kinds that are recorded but no longer declared.
func (p *forward) gone(kinds ...state.Kind) {
	for _, rec := range p.State.Objects {
		_, left := p.recorded[rec.Address]
		if left && !rec.Deleted && slices.Contains(kinds, rec.Kind) && !p.paused(rec.Address, &rec) && !p.stays(rec) {
			p.goes(rec)
		}
	}
}

// stays says whether an object that is no longer declared is kept all the same, and notes why (L31).
func (p *forward) stays(rec state.Object) bool {
	if p.leave[rec.Address] {
		if rec.Kind == state.KindGroup {
			p.kept[rec.ID] = true
		}
		return true
	}
	switch rec.Kind {
	case state.KindPolicy:
		if p.kept[rec.ID] {
			p.dormant(state.CodePolicyGroupStays, rec.Address)
			return true
		}
	case state.KindGroup:
		if p.Index.Hidden[rec.ID] != "" {
			p.kept[rec.ID] = true
			p.dormant(state.CodeHiddenStays, rec.Address)
			return true
		}
		t, block := p.Tenant(rec.Tenant), rec.Address.Block()
		if t == nil || !slices.Contains(p.Config.Blocks, block) || !slices.Contains(p.Config.DataBlocks, block) {
			return false
		}
		p.kept[rec.ID] = true
		if t.Live() {
			p.dormant(state.CodeNotInData, rec.Address)
		} else {
			p.tenantAway(rec.Address, t)
		}
		return true
	}
	return false
}

// goes plans an object that is no longer declared. It is deleted, or only forgotten: if it was there before us, if it
// is gone already, or if it is a tenant, whose row always stays (L37).
func (p *forward) goes(rec state.Object) {
	live := now(p.Observed, rec)
	c := plan.ObjectChange{Address: rec.Address, Kind: rec.Kind, Action: state.ActionDelete, Before: &rec, Was: live.Set()}
	if rec.Kind == state.KindTenant || rec.Adopted || live == nil {
		c.Action, c.Was, c.Will = state.ActionForget, state.Attributes{}, state.Attributes{}
	}
	var said []state.Finding
	switch {
	case rec.Kind == state.KindGroup:
		said = p.groupGoes(&c, live)
	case rec.Kind == state.KindClient && c.Action == state.ActionDelete:
		p.out.Raise(plan.EndsSessions, 1, state.About(state.CodeClientGoes, state.OfClient(live.Text(state.AttrName))))
	}
	p.add(c, config.Pos{}, said...)
}

// groupGoes plans what goes with a group: its mapping row, always. A group that we made stays recorded as deleted, or
// its id would be forgotten while Self-auth blocks it.
func (p *forward) groupGoes(c *plan.ObjectChange, live state.Attributes) (said []state.Finding) {
	rec := *c.Before
	p.out.Deleting[rec.ID] = rec.Address
	if !rec.Adopted {
		after := rec
		after.Deleted = true
		c.After = &after
	}
	switch {
	case live == nil:
		c.Unmap = mappedAs(p.Observed, rec.Tenant, rec.ID)
	case rec.Adopted:
		c.Will[state.AttrMapping] = state.Value{}
		if row := live[state.AttrMapping]; row.IsSet() {
			c.Was[state.AttrMapping] = row
		}
	default:
		n := members(p.Observed, rec.ID)
		p.losing[rec.ID] = n
		p.foreignScopes(rec, live.Text(state.AttrName), n)
		said = append(said, state.Found(state.CodeMembersLose).Times(n))
	}
	return said
}

// foreignScopes raises the hazard of deleting a group to whose members, where it has any, clients that are not ours give scopes.
func (p *forward) foreignScopes(rec state.Object, name string, n int64) {
	if n == 0 {
		return
	}
	for _, l := range p.Clients {
		_, gives := scopesOf(l.Attributes)[rec.ID]
		if gives && p.recordedElsewhere(state.KindClient, l.ID, "") == "" {
			p.out.Raise(plan.LocksOut, n, state.About(state.CodeForeignScope, state.OfGroup(name),
				state.Text(state.KeyClient, l.Name)).Times(n))
		}
	}
}
