package users

import (
	"cmp"
	"errors"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// from is the policy under which users were moved whom a wave raises; "": the wave moves users who are not moved.
func (d *decider) from(wave int) string { return d.policies[d.Waves[wave].Policy].From }

// raiseMoved adds the change of a moved user whom a wave of a later policy selects (L8): its row says that it logs in through
// Self-auth alone. Only who can log in that way is raised, and only who is at rest: what follows its row comes first.
func (d *decider) raiseMoved(e *world.Entry) error {
	if !d.raises || !d.isLive(e) {
		return nil
	}
	waves := d.raising[:0]
	for _, i := range d.matches(e) {
		if d.from(i) != "" && d.from(i) == e.Recorded.Policy {
			waves = append(waves, i)
		}
	}
	d.raising = waves
	if len(waves) == 0 {
		return nil
	}
	reason := d.skipReason(e)
	if reason == plan.SkipNone && e.Link != e.Recorded.Person {
		reason = plan.SkipLinkUnknown
	}
	for _, i := range waves {
		d.Waves[i].Tally.Match++
		if reason != plan.SkipNone {
			d.Waves[i].Tally.MatchSkip++
		}
	}
	own := waves[0]
	w := &d.Waves[own]
	w.Matched++
	// Whether it follows its row is up to the wave that moved it, and whether it is raised up to this one.
	defer func(left bool) { d.left = left }(d.left)
	d.left = !d.scope.has(e.TenantNow(d.Observed), w.Name)
	if reason == plan.SkipOpenRun {
		w.Tally.Waiting++ // the open run decides about it first (L15)
		return d.skip(e, w, reason)
	}
	if reason != plan.SkipNone {
		w.Skipped++
		if d.left && d.objects.Tenants[e.Tenant].Left {
			w.Tally.Later++ // as in candidate
		}
		return d.skip(e, w, reason)
	}
	for _, i := range waves[1:] {
		if !d.cohorts.Before(own, i) {
			d.counts.unordered[[2]int{own, i}]++
		}
	}
	if d.late[own] {
		w.Skipped++
		return d.skip(e, w, plan.SkipLate)
	}
	reason = d.waitsToRaise(e, own)
	added := d.widening.Adds(own, e.Tenant, e.User, d.Roles[e.Role])
	if added {
		w.Tally.Added++
	}
	if added && reason == plan.SkipNone && d.scope.Held[w.Name] {
		reason = plan.SkipWidened
	}
	switch {
	case reason != plan.SkipNone && d.left:
		w.Tally.Later++
		return nil
	case reason != plan.SkipNone:
		w.Tally.Waiting++
		if reason == plan.SkipWidened {
			w.Tally.Widened++
		}
		return errors.Join(d.skip(e, w, reason), d.announceRaise(e, w, reason))
	}
	if added {
		w.Tally.AddedDue++
	}
	w.Tally.Due++
	if d.left {
		w.Tally.Left++
		return nil
	}
	d.isReleased(own, e.Tenant)
	return errors.Join(d.announce(e, w, whenStarts), d.addRaise(e, w))
}

// announceRaise announces a wave to a user whom it does not raise yet: who cannot come in by Self-auth most needs to hear of it while the
// password works.
func (d *decider) announceRaise(e *world.Entry, w *Wave, waits plan.SkipReason) error {
	switch waits {
	case plan.SkipPaused:
		return nil
	case plan.SkipUnconfirmed, plan.SkipWidened:
		return d.announce(e, w, whenOpen)
	}
	return d.announce(e, w, whenAble)
}

// waitsToRaise says what a user waits for until it can be raised; SkipNone: nothing.
func (d *decider) waitsToRaise(e *world.Entry, wave int) plan.SkipReason {
	switch {
	case d.objects.Tenants[e.Tenant].Paused, d.isPaused(d.Waves[wave].Name, d.Tenants[e.Tenant].ID),
		d.isPaused(e.Recorded.Wave, d.Tenants[e.Tenant].ID):
		return plan.SkipPaused
	}
	if d.waitsForTenant(wave, e.Tenant) {
		return plan.SkipUnconfirmed
	}
	switch cmp.Or(d.accountBefore(e).bar(), d.accountAfter(e, nil, uuid.Nil).bar()) {
	case barNone:
	case barScope:
		return plan.SkipNotLetIn
	default:
		return plan.SkipNotEnrolled
	}
	switch {
	case !d.isLetIn(e):
		return plan.SkipNotLetIn
	case d.admins.changed:
		return plan.SkipFollows
	}
	return plan.SkipNone
}

// isLetIn reports whether a client of the application lets a user in. Unlike a loss, which is told where it is sure, this must
// be sure itself: without any client nobody comes in, and what another application's lets in is no help.
func (d *decider) isLetIn(e *world.Entry) bool {
	_, in := d.groupsOf(e.Link, nil, nil)
	return d.doors.alone.Admit(in)
}

// addRaise adds the change to the wave's segment.
func (d *decider) addRaise(e *world.Entry, w *Wave) error {
	s := plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesMember, Linked: true, Moved: true},
		Keep:   d.table.Set(e.Recorded.Groups...),
		After:  e.Recorded.UserState,
	}
	if e.Is(world.MailDiffers) {
		s.Ground.Relies = providers.ReliesAll // which the digest of such a row covers
	}
	s.After.Wave, s.After.Policy = w.Name, w.Policy
	if e.Method < state.MethodSelfAuth {
		s.Effect.Method = state.MethodSelfAuth
	}
	if e.Is(world.HasPassword) {
		w.Said.dualAgain++
	}
	if w.Segment < 0 {
		w.Segment = d.sink.Segment(plan.SegmentMove, w.Name)
	}
	return d.sink.Add(w.Segment, s, plan.UserChange{User: e.User, Before: e.Digest})
}
