package users

import (
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// withdraw adds, for a user who is not moved, that its person of ours expires and leaves our groups: nobody is let in
// whose row does not ask for it, whatever has let it in (L33). wave is the wave that would move the user; "" none.
func (d *decider) withdraw(e *world.Entry, wave string) error {
	ours := e.Is(world.PersonOurs) || e.Recorded.MadePerson
	if !ours || !e.Is(world.PersonThere) || e.Link != uuid.Nil || d.InOpenRun(e.User) {
		return nil
	}
	c := d.claim(e, e.Recorded.Standing, true)
	leave := d.leaves(e, c)
	if e.Is(world.PersonExpired) && len(leave) == 0 {
		return nil
	}
	s := plan.Shape{
		Ground: plan.Ground{Relies: providers.ReliesAll, RowGone: !e.Is(world.HasRow), Person: d.otherPerson(e)},
		Leave:  d.table.Set(leave...),
		After:  e.Recorded.UserState,
		Tenant: e.Recorded.Tenant,
	}
	if e.Tenant >= 0 {
		s.Tenant = d.Tenants[e.Tenant].ID
	}
	if !e.Is(world.IsRecorded) {
		s.After = state.UserState{Standing: state.Failed, Generation: e.Generation, MadePerson: true}
	}
	if !e.Is(world.PersonExpired) {
		s.Effect.Act = state.PersonExpire
	}
	change := plan.UserChange{User: e.User, Before: e.Digest}
	if s.Ground.RowGone {
		change.Before = e.DigestGone()
	}
	n, known := d.withdraws[wave]
	if !known {
		n = d.sink.Segment(plan.SegmentWithdraw, wave)
		d.withdraws[wave] = n
	}
	return d.sink.Add(n, s, change)
}
