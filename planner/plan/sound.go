package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// Sound reports whether effects that were read from a file fit together, as those of every plan do that was made here:
// apply and whoever shows them take that for granted.
func (e *Effects) Sound() bool {
	rollback, refresh, invite := e.Kind == state.RunRollback, e.Kind == state.RunRefresh, e.Kind == state.RunInvite
	if rollback != (e.Undo != nil) || rollback != (e.After != nil) || (e.Kind == state.RunRetarget) != (e.Was != nil) {
		return false
	}
	switch e.Kind {
	case state.RunApply, state.RunRollback, state.RunRefresh, state.RunInvite:
	case state.RunRetarget:
		return e.retargetSound()
	default:
		return false
	}
	if refresh && len(e.Schema)+len(e.Segments)+len(e.Waves)+len(e.Brakes)+len(e.Policies) > 0 || refresh && e.Braked != (state.Digest{}) {
		return false
	}
	only := func(s Segment) bool { return !s.Kind.Mails() }
	if invite && (len(e.Schema)+len(e.Objects)+len(e.Waves)+len(e.Brakes)+len(e.Policies)+len(e.Wishes) > 0 || slices.ContainsFunc(e.Segments, only)) {
		return false
	}
	return e.schemaSound() && e.mailsSound() && e.hazardsSound() && e.setsSound() && e.segmentsSound() && e.brakesSound() && e.undoSound() && e.wishesSound() &&
		!slices.ContainsFunc(e.Objects, func(c ObjectChange) bool { return !e.objectSound(&c) })
}

// retargetSound: it binds to another target, and has no other effect, nor anything that would be read for one.
func (e *Effects) retargetSound() bool {
	rest := *e
	rest.Was = nil
	others := len(e.Waves) + len(e.Brakes) + len(e.Policies) + len(e.Doors) + len(e.Wishes) + len(e.Mailings) + len(e.Tenants) + len(e.Groups)
	return *e.Was != e.Target && rest.Empty() && others == 0 && e.Braked == (state.Digest{}) && len(e.Segments)+len(e.Sets) == 0 &&
		e.Identity == (Identity{}) && e.hazardsSound()
}

// schemaSound: steps are known ones, and those that are taken back stand in the order in which they go. Apply could not go
// on with another, and its run would stay open.
func (e *Effects) schemaSound() bool {
	known := providers.SchemaSteps()
	if slices.ContainsFunc(e.Schema, func(step string) bool { return !slices.Contains(known, step) }) {
		return false
	}
	if e.Undo == nil || e.Undo.Schema == nil {
		return true
	}
	known = providers.SchemaBack()
	for _, step := range e.Undo.Schema.Steps {
		i := slices.Index(known, step)
		if i < 0 {
			return false
		}
		known = known[i+1:]
	}
	return true
}

// hazardsSound: codes of hazards are shown as they are, and so must be known ones, each once.
func (e *Effects) hazardsSound() bool {
	known := HazardCodes()
	for _, h := range e.Hazards {
		i := slices.Index(known, h.Code)
		if i < 0 {
			return false
		}
		known = slices.Delete(known, i, i+1)
	}
	known = HazardCodes()
	return !slices.ContainsFunc(e.Allowed, func(a Allowance) bool { return !slices.Contains(known, a.Code) })
}

// setsSound: sets are places in Groups.
func (e *Effects) setsSound() bool {
	for _, set := range e.Sets {
		if slices.ContainsFunc(set, func(i int) bool { return i < 0 || i >= len(e.Groups) }) {
			return false
		}
	}
	return true
}

// segmentsSound: each segment is one of its kind, each wave that is moved is one of the plan's, and nothing is there
// twice.
func (e *Effects) segmentsSound() bool {
	waves := map[string]bool{}
	for _, w := range e.Waves {
		if w.Name == "" || waves[w.Name] {
			return false
		}
		waves[w.Name] = true
	}
	seen := map[Segment]bool{}
	for i, s := range e.Segments {
		place := Segment{Kind: s.Kind, Wave: s.Wave}
		if s.Users <= 0 || seen[place] {
			return false
		}
		seen[place] = true
		switch s.Kind {
		case SegmentRelease:
			if s.Wave != "" || i > 0 { // before any address is given
				return false
			}
		case SegmentFollow:
			if s.Wave != "" || e.Undo != nil {
				return false
			}
		case SegmentWithdraw:
			if e.Undo != nil {
				return false
			}
		case SegmentMail:
			if e.Mailing(s.Wave, state.LetterInvitation) == nil || e.Undo != nil {
				return false
			}
		case SegmentAnnounce:
			if e.Mailing(s.Wave, state.LetterAnnouncement) == nil || e.Undo != nil {
				return false
			}
		case SegmentMove:
			if !waves[s.Wave] || e.Undo != nil {
				return false
			}
		case SegmentRestore:
			if e.Undo == nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// brakesSound: each wave is there once, behind those that it comes after, and so is each policy, in order.
func (e *Effects) brakesSound() bool {
	seen := map[string]bool{}
	for _, b := range e.Brakes {
		if b.Wave == "" || seen[b.Wave] || slices.ContainsFunc(b.After, func(a string) bool { return !seen[a] }) {
			return false
		}
		seen[b.Wave] = true
	}
	last := ""
	for _, p := range e.Policies {
		if p.Name <= last {
			return false
		}
		last = p.Name
	}
	return true
}

// wishesSound: each is a known one of a wave that the plan moves, and none is gone by without the hazard that says so.
func (e *Effects) wishesSound() bool {
	if len(e.Wishes) == 0 {
		return true
	}
	known := []state.WishKind{state.WishStart, state.WishSoak, state.WishAccept}
	for i, w := range e.Wishes {
		moves := slices.ContainsFunc(e.Waves, func(v WaveEffect) bool { return v.Name == w.Wave })
		if !moves || !slices.Contains(known, w.Kind) || slices.Contains(e.Wishes[:i], w) {
			return false
		}
	}
	return e.Has(LoosensBrake)
}

// undoSound: runs that are marked as undone, or whose pauses are lifted, are among those that are shown as undone. One of
// rows alone marks none, as the other half of each is open still, and changes no object.
// Gates that are closed are of waves that stay paused, and those of a tenant of that tenant in them.
func (e *Effects) undoSound() bool {
	if e.Undo == nil {
		return true
	}
	u := e.Undo
	if u.PostgresOnly && (len(e.Objects)+len(e.Schema)+len(u.Whole)+len(u.Again)+len(u.Lift) > 0 || u.Schema != nil || u.DeletePersons) {
		return false
	}
	closes := func(g state.WaveGate) bool {
		return slices.ContainsFunc(u.Pauses, func(p Pause) bool {
			return state.InWave(g.Wave, p.Wave) && (p.Tenant == uuid.Nil || p.Tenant == g.Tenant)
		})
	}
	if slices.ContainsFunc(u.Gates, func(g state.WaveGate) bool { return !closes(g) }) {
		return false
	}
	shown := func(run string) bool { return slices.Contains(e.Undo.Runs, run) }
	for _, run := range slices.Concat(e.Undo.Whole, e.Undo.Lift) {
		if !shown(run) {
			return false
		}
	}
	return true
}

// objectSound: the kind, the action and all attributes are known ones, the address is one of the kind, and what the
// action is about is there.
func (e *Effects) objectSound(c *ObjectChange) bool {
	known := c.Kind != "" && c.Kind.Spec().Kind == c.Kind
	if !known || !strings.HasPrefix(string(c.Address), string(c.Kind)+".") || c.Before == nil && c.After == nil {
		return false
	}
	for _, o := range []*state.Object{c.Before, c.After} {
		if o != nil && o.Kind != c.Kind {
			return false
		}
	}
	if len(c.Unmap) > 0 && c.Kind != state.KindGroup || !c.valuesSound() {
		return false
	}
	switch e.Kind {
	case state.RunRollback:
		return c.backSound()
	case state.RunRefresh:
		return c.refreshSound()
	}
	return c.forwardSound() && c.mappingSound() && c.idSound(e.Lineage)
}

// valuesSound: what is written, and what was there, are attributes of the kind, each in its form. A value of another
// form would be written as nothing and shown as something, or the contrary.
func (c *ObjectChange) valuesSound() bool {
	spec := c.Kind.Spec()
	for _, side := range []state.Attributes{c.Was, c.Will} {
		for name, v := range side {
			if form := spec.Attribute(name).Form; form == state.FormInvalid || !v.Fits(form) {
				return false
			}
		}
	}
	return true
}

// backSound: apply goes by what will be there, and the action is what is shown of it: the two must say the same. These
// are the actions of a rollback.
func (c *ObjectChange) backSound() bool {
	switch c.Action {
	case state.ActionCreate:
		return c.makes()
	case state.ActionUpdate:
		return c.writes()
	case state.ActionReplace:
		return c.replaces()
	case state.ActionDelete:
		return c.goes()
	case state.ActionRecord:
		return c.records()
	}
	return false
}

// forwardSound is backSound of any other plan, which has more actions. It deletes nothing but what is recorded and was
// not there before us.
func (c *ObjectChange) forwardSound() bool {
	ours := c.Before != nil && !c.Before.Adopted
	switch c.Action {
	case state.ActionCreate:
		return c.makes()
	case state.ActionRecover:
		return c.writes() && (c.Kind == state.KindTenant || c.Kind == state.KindGroup)
	case state.ActionAdopt:
		return c.writes() && (c.Before == nil || c.Before.Deleted)
	case state.ActionUpdate:
		return c.writes() && c.Before != nil
	case state.ActionReplace:
		return c.replaces() && ours
	case state.ActionDelete:
		return c.goes() && ours && c.Kind != state.KindTenant
	case state.ActionForget:
		return c.forgets() && c.Before != nil
	}
	return false
}

// refreshSound: what is recorded becomes what is there, of what Anthill wrote and of nothing else. A tenant whose row is
// gone is not recorded as one that we deleted: that row would be brought back.
func (c *ObjectChange) refreshSound() bool {
	if c.Action != state.ActionRecord || !c.records() || c.Before.Deleted {
		return false
	}
	if c.After.Deleted {
		return c.Kind != state.KindTenant && c.After.Attributes.Equal(c.Before.Attributes)
	}
	found := maps.Clone(c.Before.Attributes)
	for name, v := range c.Was {
		if _, wrote := found[name]; !wrote {
			return false
		}
		found[name] = v
	}
	return len(c.Was) > 0 && maps.EqualFunc(found, c.After.Attributes, state.Value.Equal)
}

// records: nothing is written, and the object stays the same one. It is recorded as deleted only where it is not there.
func (c *ObjectChange) records() bool {
	if c.Before == nil || c.After == nil || c.From != "" || c.Last || len(c.Unmap) > 0 || !c.Was.Equal(c.Will) ||
		(c.Was == nil) != c.After.Deleted {
		return false
	}
	same := *c.After
	same.Attributes, same.Deleted, same.Run = c.Before.Attributes, c.Before.Deleted, c.Before.Run
	return c.Address == same.Address && same.Equal(*c.Before)
}

func (c *ObjectChange) writes() bool { return c.After != nil && c.Will != nil }

func (c *ObjectChange) makes() bool { return c.writes() && c.Was == nil }

func (c *ObjectChange) replaces() bool {
	return c.writes() && c.Before != nil && c.Kind == state.KindClient
}

func (c *ObjectChange) goes() bool { return c.Will == nil && c.leaves() }

// leaves: at most its last id stays recorded.
func (c *ObjectChange) leaves() bool { return c.After == nil || c.After.Deleted }

// forgets: at most the mapping row of a group goes.
func (c *ObjectChange) forgets() bool {
	mapping, there := c.Will[state.AttrMapping]
	only := len(c.Will) == 0 || there && len(c.Will) == 1
	return c.Will != nil && only && !mapping.IsSet() && c.leaves()
}

// mappingSound: the application finds a group by the name in its mapping row, and a reader by the name of the group. A
// group that is made has both.
func (c *ObjectChange) mappingSound() bool {
	if c.Kind != state.KindGroup {
		return true
	}
	row, name := c.Will[state.AttrMapping], c.Will[state.AttrName]
	if !row.IsSet() || !name.IsSet() {
		return c.Action != state.ActionCreate && c.Action != state.ActionRecover
	}
	return row.Mapping().Name == name.Text
}

// idSound: apply goes by the id of a group or a tenant, and whoever reads by its address. The id is the recorded one, or
// the one that the address gives; only what is taken over, perhaps in the place of one that is gone, has any other.
func (c *ObjectChange) idSound(lineage uuid.UUID) bool {
	if c.After == nil || c.Before != nil && c.Before.ID == c.After.ID {
		return true
	}
	if c.Action == state.ActionAdopt || c.Action == state.ActionUpdate && c.After.Adopted {
		return true
	}
	switch c.Kind {
	case state.KindTenant:
		return c.After.ID == state.TenantID(lineage, c.Address)
	case state.KindGroup:
		return c.After.ID == state.GroupID(lineage, c.Address, c.After.Generation)
	}
	return true
}

// Fits reports whether a shape can stand in a segment of a kind: only moving links, only a rollback restores, and from
// users who are not moved something is taken, and nothing else is done.
func (s Shape) Fits(kind SegmentKind) bool {
	e := s.Effect
	switch {
	case e.Link && kind != SegmentMove, e.Restore && kind != SegmentRestore, e.Restore && s.Ground.RowGone:
		return false
	case kind == SegmentMail:
		// Those of earlier versions rely on the row alone.
		return s.mails(providers.ReliesMail, providers.ReliesOutbox) && s.Ground.Linked
	case kind == SegmentAnnounce:
		return s.mails(providers.ReliesMail)
	case kind == SegmentRelease:
		return s.Effect.OnlyReleases() && s.Join == 0 && s.Leave == 0
	case e.Release && !e.Mail:
		return false
	case s.Ground.Moved:
		return kind == SegmentMove && s.raises()
	case kind != SegmentWithdraw:
		return true
	}
	return s.After.Standing != state.Moved && s.Join == 0 && !e.Writes() && e.TakesAway() && e.Act != state.PersonDelete
}

// RowOnly reports whether a shape changes nothing in Self-auth.
func (s Shape) RowOnly() bool {
	return s.Join == 0 && s.Leave == 0 && s.Effect == (state.Effect{Restore: true})
}

// mails reports whether a shape, which may rely on these, does nothing but send a mail to users who stay as they are.
func (s Shape) mails(relies ...providers.Relies) bool {
	return slices.Contains(relies, s.Ground.Relies) && s.Ground.Unrecorded && !s.Ground.RowGone && !s.Ground.Moved &&
		s.Effect == (state.Effect{}) && s.Join == 0 && s.Leave == 0 && s.Keep == 0
}

// raises reports whether a shape does nothing but raise the method of a user who was moved before.
func (s Shape) raises() bool {
	only := state.Effect{Method: s.Effect.Method, Complete: s.Effect.Complete}
	return s.Ground.Linked && s.After.Standing == state.Moved && s.Join == 0 && s.Leave == 0 && s.Effect == only
}
