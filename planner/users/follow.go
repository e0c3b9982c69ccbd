package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// claim is what says where the person of an entry belongs, if its user stands so afterwards.
func (d *decider) claim(e *world.Entry, standing state.Standing, ours bool) plan.Claim {
	c := plan.Claim{
		Standing: standing,
		Ours:     ours,
		Linked:   e.Is(world.HasRow) && e.Link != uuid.Nil && e.Link == e.Person,
		Active:   e.Is(world.HasRow) && !e.Is(world.IsInactive),
		Follow:   d.Config.Identity.FollowState,
	}
	if e.Tenant < 0 {
		return c
	}
	t, served := &d.Tenants[e.Tenant], &d.objects.Tenants[e.Tenant]
	c.Tenant, c.Live = t.ID, t.Live()
	c.Held = served.Blocked || served.Taken || e.Status == plan.SkipExcluded
	if e.Is(world.HasRow) {
		c.Role = d.Roles[e.Role]
	}
	if e.Is(world.IsRecorded) && d.isPaused(e.Recorded.Wave, t.ID) {
		c.Held = true
	}
	// From a hidden group nobody can be taken out, and nobody is to be in the groups of two tenants.
	c.Held = c.Held || d.Index.HidesAny(e.Recorded.Groups)
	return c
}

// followUp adds what brings the person of a moved user to where it belongs by now: groups by role and tenant, the
// address, and the end of a person whose row is gone or not active (L24 to L28, L30, L33).
func (d *decider) followUp(e *world.Entry) error {
	switch {
	case d.InOpenRun(e.User):
		// What the run has joined it to is no stranger's.
		d.noteAll(e)
		return nil
	case !e.Is(world.HasRow):
		return d.gone(e)
	case e.Link != e.Recorded.Person:
		// Whoever changed the link is right: we would not know which of the two persons is the user's. Of a row that is not
		// active neither may log in.
		return d.unlinked(e)
	case !e.Is(world.PersonThere):
		d.counts.person++
		return nil
	}
	d.lookOutside(e)
	if e.Tenant < 0 {
		return nil
	}
	c := d.claim(e, state.Moved, e.Recorded.MadePerson)
	s := plan.Shape{
		Tenant: c.Tenant,
		Ground: plan.Ground{Relies: providers.ReliesMember, Linked: true},
		After:  e.Recorded.UserState,
	}
	s.After.Generation = e.Generation
	d.followStatus(e, c, &s)
	if e.Is(world.MailDiffers) {
		// The digest of such a row covers the address as well.
		s.Ground.Relies = providers.ReliesAll
		s.Effect.Mail = c.Gains() && !s.After.Asleep && d.mailMayFollow(e)
		p, _ := d.Index.Person(e.Person)
		s.Effect.Release = s.Effect.Mail && d.given.gives(e.Person, p.Mail)
	}
	return d.regroup(e, c, s)
}

// followStatus adds that a person falls asleep with its row, or wakes (L27).
func (d *decider) followStatus(e *world.Entry, c plan.Claim, s *plan.Shape) {
	p, _ := d.Index.Person(e.Person)
	switch presence := c.Presence(); {
	case presence == plan.PresenceExpired && !p.Expired:
		s.Effect.Act, s.After.Asleep = state.PersonExpire, true
	case presence == plan.PresenceExpired:
		// Where somebody else has expired it, it must not look as if we had: we would enable it again.
	case presence == plan.PresenceOfOthers && c.Follow && !c.Active:
		// Of one that cannot leave all of our groups it is not to be recorded that it has.
		s.After.Asleep = e.Recorded.Asleep || !d.Index.HidesAny(e.Recorded.Groups)
	case e.Recorded.Asleep && c.Gains():
		s.After.Asleep = false
		// Only an expiry that we wrote is lifted: if somebody else has expired the person since, they meant it.
		if c.Ours && p.Expired && p.Closed {
			s.Effect.Act = state.PersonEnable
		}
	case e.Recorded.Asleep && c.Active && c.Live && !d.left && (!c.Ours || p.Closed): // else others have woken it, or shut it out
		d.counts.sleeping[e.Recorded.Wave]++
	}
}

// regroup adds to a follow-up the groups that the row asks for, and those that it does not ask for. A follow-up in which
// nothing changes is dropped.
func (d *decider) regroup(e *world.Entry, c plan.Claim, s plan.Shape) error {
	var join []uuid.UUID
	if c.Gains() && !s.After.Asleep {
		for _, g := range d.wants(e) {
			if !d.Index.IsMember(e.Person, g) {
				join = append(join, g)
			}
		}
	}
	leave := d.leaves(e, c)
	if d.left {
		// It stays as it is, and loses what objects of the plan take from it.
		d.countLosses(e, c, nil, nil)
		return nil
	}
	d.countLosses(e, c, join, leave)
	if len(join) > 0 {
		_, left := d.groupsOf(e.Person, join, leave)
		d.countLesser(&d.lesser, e, left)
	}
	if c.Gains() && !s.After.Asleep && slices.ContainsFunc(d.objects.Tokens, func(t objects.Tokens) bool { return t.Changed }) {
		_, left := d.groupsOf(e.Person, join, leave)
		d.countNameless(&d.nameless, left, true)
		if !d.losses.met { // it is counted for what it loses
			d.countRefused(&d.refused, left, true)
		}
	}
	if len(join)+len(leave) == 0 && s.Effect == (state.Effect{}) && s.After.Asleep == e.Recorded.Asleep {
		return nil
	}
	s.Join, s.Leave = d.table.Set(join...), d.table.Set(leave...)
	s.Keep = d.table.Set(slices.DeleteFunc(slices.Clone(e.Recorded.Groups), func(g uuid.UUID) bool {
		_, there := d.Index.Groups[g]
		return !there || slices.Contains(join, g) || slices.Contains(leave, g)
	})...)
	s.Ground.Unrecorded = d.table.Unrecorded(s, e.Recorded.UserState, e.Recorded.Groups)
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.Digest})
}

// leaves are the groups that the person is in and does not belong in, sorted: of a person of ours whoever added it; of
// another only what we added (L33).
func (d *decider) leaves(e *world.Entry, c plan.Claim) (leave []uuid.UUID) {
	from, to := d.span(e.Person)
	for i := from; i < to; i++ {
		m := d.Index.Members[i]
		group := d.Index.IDs[m.Group]
		ours := slices.Contains(e.Recorded.Groups, group)
		rule, judged := d.rules[group]
		switch {
		case m.Nested || !ours && (!c.Ours || !judged):
			continue
		case judged && (c.In(rule) || !c.Linked && d.holderAsks(e.Person, rule)):
			continue
		case !judged && !d.mayLeave(e, group):
			continue
		}
		leave = append(leave, group)
		d.belongs[i] = true // it goes by this, and is no stranger's
	}
	slices.SortFunc(leave, world.CompareID)
	return leave
}

// isHeld reports whether an active row is linked to a person: then its login is not ours to end for another user's sake.
func (d *decider) isHeld(person uuid.UUID) bool {
	return slices.ContainsFunc(d.Holders(person), func(h world.Holder) bool { return h.Active })
}

// holderAsks reports whether a row that is linked to a person asks for a group.
func (d *decider) holderAsks(person uuid.UUID, rule plan.Group) bool {
	return slices.ContainsFunc(d.Holders(person), func(h world.Holder) bool {
		return d.Tenants[h.Tenant].ID == rule.Tenant && rule.Members.Has(h.Role)
	})
}

// unlinked adds the end of a person whose row is linked to it no longer and is not active; one that is not ours leaves what
// we added. Where another row is linked to the person, that row says where it belongs. Who is left as it is is counted.
func (d *decider) unlinked(e *world.Entry) error {
	p, there := d.Index.Person(e.Recorded.Person)
	held := d.isHeld(e.Recorded.Person)
	made := e.Recorded.MadePerson
	if !there || e.Tenant < 0 || !held && (!e.Is(world.IsInactive) || !d.Config.Identity.FollowState) {
		d.counts.link++
		return nil
	}
	own := *e
	own.Person = e.Recorded.Person
	leave := d.leaves(&own, d.claim(&own, state.Moved, made))
	stays := p.Expired || held || !made
	if stays && len(leave) == 0 {
		if !e.Is(world.IsInactive) {
			d.counts.link++
		}
		return nil
	}
	s := plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesMember, Person: e.Recorded.Person},
		Leave:  d.table.Set(leave...),
		After:  e.Recorded.UserState,
	}
	if !stays {
		s.Effect.Act, s.After.Asleep = state.PersonExpire, true
	}
	s.Ground.Unrecorded = d.table.Unrecorded(s, e.Recorded.UserState, e.Recorded.Groups)
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.Digest})
}

// gone adds the end of a person whose row is gone.
func (d *decider) gone(e *world.Entry) error {
	if d.Index.HidesAny(e.Recorded.Groups) {
		return d.goneHidden(e)
	}
	s := plan.Shape{
		Tenant: e.Recorded.Tenant,
		Ground: plan.Ground{Relies: providers.ReliesMember, RowGone: true, Linked: true, Person: d.otherPerson(e)},
		Leave:  d.table.Set(d.leaves(e, d.claim(e, state.Gone, e.Recorded.MadePerson))...),
		After:  e.Recorded.UserState,
	}
	s.After.Standing, s.After.Asleep = state.Gone, false
	// Where somebody else has expired it, it must not look as if we had: whose row comes back would be enabled again.
	if p, _ := d.Index.Person(e.Person); e.Recorded.MadePerson && !d.isHeld(e.Person) && (!p.Expired || p.Closed) {
		s.Effect.Act = state.PersonExpire
	}
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.DigestGone()})
}

// otherPerson is the recorded person where its id is not the one that we choose: without a linked row apply knows a person
// of ours by its id, and any other must stand in the shape.
func (d *decider) otherPerson(e *world.Entry) uuid.UUID {
	if e.Person == state.PersonID(d.Lineage, e.User, e.Generation) {
		return uuid.Nil
	}
	return e.Person
}

// goneHidden is gone for a person who is in a group that it cannot be taken out of. A person of ours expires; what is
// recorded stays, for the plan that can see the group again.
func (d *decider) goneHidden(e *world.Entry) error {
	p, there := d.Index.Person(e.Recorded.Person)
	if !e.Recorded.MadePerson || !there || p.Expired || d.isHeld(e.Recorded.Person) {
		return nil
	}
	s := plan.Shape{
		Tenant: e.Recorded.Tenant,
		Ground: plan.Ground{Relies: providers.ReliesMember, RowGone: true, Linked: true, Person: d.otherPerson(e)},
		Keep:   d.table.Set(e.Recorded.Groups...),
		Effect: state.Effect{Act: state.PersonExpire},
		After:  e.Recorded.UserState,
	}
	s.After.Asleep = true
	s.Ground.Unrecorded = e.Recorded.Asleep
	return d.addFollow(s, plan.UserChange{User: e.User, Before: e.DigestGone()})
}

func (d *decider) addFollow(s plan.Shape, c plan.UserChange) error {
	if d.left {
		return nil
	}
	d.admins.change, d.admins.changed = s, true
	if d.Follow < 0 {
		d.Follow = d.sink.Segment(plan.SegmentFollow, "")
	}
	return d.sink.Add(d.Follow, s, c)
}

// mailMayFollow reports whether the person's address may become the row's: Self-auth would accept it, and nobody else
// has it.
func (d *decider) mailMayFollow(e *world.Entry) bool {
	if !mailFits(&d.given, d.names.mails, e) {
		if p, _ := d.Index.Person(e.Person); p.Mail == 0 && d.omitsMail(e) {
			return false // as it was made
		}
		d.counts.mailStuck++
		return false
	}
	if !e.Is(world.IsVerified) {
		d.readdressed++
	}
	return true
}

// mailFits is mailMayFollow without counting. mails are the addresses that more than one row has.
func mailFits(given *released, mails map[uint64]bool, e *world.Entry) bool {
	return e.Problem == plan.SkipNone && !mails[e.Mail] && !given.taken(e.Mail, e.Person) &&
		(e.Is(world.IsVerified) || given.Config.Identity.Unverified != "skip")
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
	switch {
	case e.Method == state.MethodPassword:
		d.counts.method++
	case e.Method == state.MethodDual && d.policies[e.Recorded.Policy].Method == state.MethodSelfAuth:
		// The application does so at each login through Self-auth while the row has a hash. Written again, it would do so
		// again.
		d.counts.dual++
	}
}
