package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// followUp adds what the row of a moved user has come to ask for since: groups by role and tenant, the address, and the
// end of a person whose row is gone or not active (L24 to L28, L30).
func (d *decider) followUp(e *world.Entry) error {
	switch {
	case d.InOpenRun(e.User):
		return nil
	case !e.Is(world.HasRow):
		return d.gone(e)
	case e.Link != e.Recorded.Person:
		// Whoever changed the link is right: we would not know which of the two persons is the user's.
		d.counts.link++
		return nil
	case !e.Is(world.PersonThere):
		d.counts.person++
		return nil
	}
	d.lookOutside(e)
	if e.Tenant < 0 || !d.Tenants[e.Tenant].Live() {
		return nil
	}
	s := plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesMember, Linked: true},
		After:  e.Recorded.UserState,
	}
	s.After.Generation = e.Generation
	served := &d.objects.Tenants[e.Tenant]
	paused := d.isPaused(e.Recorded.Wave, d.Tenants[e.Tenant].ID)
	// What takes away comes first and is stopped by nothing. What gives (waking, joining, an address) needs a tenant that
	// we may touch, a user who is not excluded, and a wave that is not paused.
	switch follows, asleep := d.Config.Identity.FollowState, e.Recorded.Asleep; {
	case e.Is(world.IsInactive) && (asleep || !follows):
		return nil
	case e.Is(world.IsInactive):
		// Also where the tenant is left alone otherwise: it only takes away.
		return d.sleep(e, s)
	case served.Blocked || served.Taken:
		return nil
	case asleep && (!follows || paused):
		return nil
	case e.Status != plan.SkipNone:
		return nil // excluded: it stays as it is (L4)
	case asleep:
		s.After.Asleep = false
		// Only an expiry that we wrote is lifted: if somebody else has expired the person since, they meant it.
		if p, _ := d.Index.Person(e.Person); e.Recorded.MadePerson && p.Expired && p.Closed {
			s.Effect.Act = state.PersonEnable
		}
	}
	if e.Is(world.MailDiffers) {
		// The digest of such a row covers the address as well.
		s.Ground.Relies = providers.ReliesAll
		s.Effect.Mail = !paused && d.mailMayFollow(e)
	}
	return d.regroup(e, s, paused)
}

// regroup adds to a follow-up the groups that the row asks for, and those that it no longer asks for. A follow-up in
// which nothing changes is dropped.
func (d *decider) regroup(e *world.Entry, s plan.Shape, paused bool) error {
	// Only memberships that we added may end; those that others gave were never ours to judge.
	want := d.wants(e)
	var join, leave, keep []uuid.UUID
	for _, g := range want {
		if !paused && !d.Index.IsMember(e.Person, g) {
			join = append(join, g)
		}
	}
	for _, g := range e.Recorded.Groups {
		_, there := d.Index.Groups[g]
		wanted := slices.Contains(want, g)
		switch {
		case !there && !wanted:
			// Somebody else has deleted the group: there is nothing to keep and nothing to leave.
		case !wanted && d.mayLeave(e, g):
			leave = append(leave, g)
		case !slices.Contains(join, g):
			keep = append(keep, g)
		}
	}
	d.countLosses(e, join, leave)
	if len(join)+len(leave) == 0 && s.Effect == (state.Effect{}) && s.After.Asleep == e.Recorded.Asleep {
		return nil
	}
	s.Join, s.Leave, s.Keep = d.table.Set(join...), d.table.Set(leave...), d.table.Set(keep...)
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.Digest})
}

// sleep adds what becomes of the person of a row that is no longer active: one that we made expires; one that we took
// over only leaves the groups that we added (L27).
func (d *decider) sleep(e *world.Entry, s plan.Shape) error {
	s.After.Asleep = true
	groups := d.table.Set(e.Recorded.Groups...)
	switch {
	case !e.Recorded.MadePerson:
		s.Leave = groups
	case e.Is(world.PersonExpired):
		// Somebody else has expired it, and it must not look as if we had: we would enable it again.
		return nil
	default:
		s.Effect.Act, s.Keep = state.PersonExpire, groups
	}
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.Digest})
}

// gone adds the end of a person whose row is gone.
func (d *decider) gone(e *world.Entry) error {
	s := plan.Shape{
		Tenant: e.Recorded.Tenant,
		Ground: plan.Ground{Relies: providers.ReliesMember, RowGone: true, Linked: true},
		Leave:  d.table.Set(e.Recorded.Groups...),
		After:  e.Recorded.UserState,
	}
	s.After.Standing, s.After.Asleep = state.Gone, false
	// Without a row apply cannot read the link. It knows a person of ours by its id; any other must stand in the shape.
	if e.Recorded.Person != state.PersonID(d.Lineage, e.User, e.Generation) {
		s.Ground.Person = e.Recorded.Person
	}
	if e.Recorded.MadePerson {
		s.Effect.Act = state.PersonExpire
	}
	return d.addFollow(s, plan.UserChange{User: e.User})
}

func (d *decider) addFollow(s plan.Shape, c plan.UserChange) error {
	if d.Follow < 0 {
		d.Follow = d.sink.Segment(plan.SegmentFollow, "")
	}
	return d.sink.Add(d.Follow, s, c)
}

// mailMayFollow reports whether the person's address may become the row's: Self-auth would accept it, and nobody else
// has it.
func (d *decider) mailMayFollow(e *world.Entry) bool {
	verified := e.Is(world.IsVerified)
	if e.Problem != plan.SkipNone || d.names.mails[e.Mail] || d.Index.MailTaken(e.Mail, e.Person) ||
		!verified && d.Config.Identity.Unverified == "skip" {
		d.counts.mailStuck++
		return false
	}
	if !verified {
		d.counts.unverified++
	}
	return true
}

// mayLeave reports whether a membership that we added and that is no longer wanted ends. It stays where the group is
// merely dormant (L31): mapped to the tenant, but not declared at present.
func (d *decider) mayLeave(e *world.Entry, group uuid.UUID) bool {
	if d.objects.Deleting[group] != "" {
		return true
	}
	if !slices.Contains(d.MappedTo(group), e.Tenant) {
		// Another tenant's (L25), or mapped to nobody any more.
		return true
	}
	return d.declares(e.Tenant, group)
}

// declares says whether a group is one of the tenant's declared ones.
func (d *decider) declares(tenant int, group uuid.UUID) bool {
	for _, g := range d.objects.Tenants[tenant].Groups {
		if g.ID == group {
			return true
		}
	}
	return false
}

// lookOutside counts what others have changed about a moved user, and notes which of its memberships belong.
func (d *decider) lookOutside(e *world.Entry) {
	d.noteBelonging(e.Person, e)
	if e.Is(world.IsInactive) || e.Status != plan.SkipNone || e.Recorded.Asleep {
		return
	}
	if e.Recorded.MadePerson && e.Is(world.PersonExpired) {
		d.counts.expired++
	}
	if e.Method == state.MethodPassword {
		d.counts.method++
	}
}
