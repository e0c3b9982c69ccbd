package objects

import (
	"maps"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// tenants plans the declared tenants. Only the arguments that are given are ours (L37).
func (p *forward) tenants() {
	for _, t := range p.Declared {
		delete(p.recorded, t.Address)
		delete(p.recorded, t.From)
		switch {
		case p.leave[t.Address]:
			if t.Place >= 0 {
				p.out.Tenants[t.Place].Left = true
			}
		case p.paused(t.Address, t.Recorded), p.notOurs(t):
		case t.Recorded != nil && !t.Recorded.Deleted && t.Live != nil && t.Live.Deleted:
			p.dormant(state.CodeRowDeleted, t.Address)
		default:
			p.tenant(t)
		}
	}
}

// notOurs reports a row that is there but not recorded, and that may not be taken over.
func (p *forward) notOurs(t world.Declared) bool {
	if t.Live == nil || t.Recorded != nil || t.Live.ID == state.TenantID(p.Lineage, t.Address) {
		return false
	}
	other := p.recordedElsewhere(state.KindTenant, t.Live.ID, t.Address)
	switch {
	case other != "":
		p.fail(t.Address, "Tenant under another address", "%s: the tenant with the slug %q is recorded as %s. "+
			"If it is the same, say so:"+movedBlock, t.Address, t.Slug, other, other, t.Address)
	case t.Live.Deleted:
		p.fail(t.Address, "Tenant deleted", "%s: the tenant with the slug %q is deleted in the application. "+
			"Anthill does not bring back what others deleted.", t.Address, t.Slug)
	case !t.Adopt:
		p.fail(t.Address, "Tenant exists already", "%s: there is a tenant with the slug %q that Anthill did not make. "+
			"To own the arguments that are given here, and nothing else of it, write:\n\n    adopt = true", t.Address, t.Slug)
	default:
		return false
	}
	return true
}

// tenant compares one tenant.
func (p *forward) tenant(t world.Declared) {
	row := p.Tenants[t.Place]
	after := state.Object{
		Address:    t.Address,
		Kind:       state.KindTenant,
		ID:         row.ID,
		Generation: 1,
		Tenant:     row.ID,
		TenantSlug: t.Slug,
		Attributes: t.Attributes,
	}
	c := plan.ObjectChange{Address: t.Address, From: t.From, Kind: state.KindTenant, Before: t.Recorded, After: &after}
	if t.Recorded != nil {
		after.Run, after.Adopted = t.Recorded.Run, t.Recorded.Adopted
	}
	var said []state.Finding
	switch {
	case t.Live == nil:
		c.Action, c.Will = state.ActionCreate, t.Attributes.Set()
	case t.Recorded == nil && row.ID == state.TenantID(p.Lineage, t.Address):
		c.Action, c.Will = state.ActionRecover, t.Attributes.Set()
	default:
		want := maps.Clone(t.Attributes)
		if t.Recorded != nil && t.Recorded.Deleted {
			// The mark is ours: a row that others deleted never gets here.
			want[state.AttrDeleted] = state.Value{}
		}
		p.compare(&c, t.Live.Attributes(), want)
		switch {
		case t.Recorded == nil:
			c.Action, after.Adopted = state.ActionAdopt, true
		case c.Action != "":
		case len(t.Recorded.Attributes) != len(t.Attributes):
			// No value changes, but which of them are ours does.
			c.Action = state.ActionUpdate
			said = append(said, state.Found(state.CodeOtherArguments))
		case t.Recorded.Deleted:
			c.Action = state.ActionRecover
		}
		p.suspended(t, c)
	}
	p.add(c, t.Pos, said...)
}

// suspended raises the hazard of a tenant whose users can no longer work.
func (p *forward) suspended(t world.Declared, c plan.ObjectChange) {
	status, n := c.Will.Text(state.AttrStatus), p.Live[t.Place]
	if t.Live.Status == "active" && status != "" && n > 0 {
		p.out.Raise(plan.LocksOut, n, state.About(state.CodeTenantSuspended, state.OfTenant(p.Tenants[t.Place].Slug),
			state.Text(state.KeyStatus, status)).Times(n))
	}
}
