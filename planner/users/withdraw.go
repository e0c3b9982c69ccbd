package users

import (
	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// withdraw adds, for a user who is not moved, that a person of ours that its row is not linked to expires and leaves our
// groups: nobody is let in whose row does not ask for it, whatever has let it in (L33). Where another row is linked to the
// person, that row is asked. wave is the wave that would move the user; "" none.
func (d *decider) withdraw(e *world.Entry, wave string) error {
	own := *e
	ours := e.Is(world.PersonOurs) || e.Recorded.MadePerson
	half := e.Is(world.IsRecorded) && e.Recorded.Standing == state.RowBack
	switch {
	case half && isOf(e.Link, e.Recorded.Person):
		return d.linkedAgain(e, wave)
	case half:
		own.Person, ours = e.Recorded.Person, e.Recorded.MadePerson
		if e.Link != uuid.Nil {
			wave = ""
		}
	case e.Link == uuid.Nil && !e.Is(world.PersonThere):
		return nil
	case e.Link != uuid.Nil:
		// Somebody has linked the row to another person than the one that we made.
		own.Person, ours = e.Recorded.Person, e.Recorded.MadePerson && e.Recorded.Person != e.Link
		wave = "" // moving the user has to do with that other one
	}
	// From a person that is not ours only what we added is taken, which is recorded where the row alone was taken back.
	if !ours && !half || d.InOpenRun(e.User) {
		return nil
	}
	p, there := d.Index.Person(own.Person)
	if !there {
		return nil
	}
	leave := d.leaves(&own, d.claim(&own, e.Recorded.Standing, ours))
	stays := p.Expired || !ours || d.isHeld(own.Person)
	if half && (!stays || len(leave) > 0) {
		d.rowBack.open++
	}
	if stays && len(leave) == 0 || d.left {
		return nil
	}
	s := plan.Shape{
		Ground: plan.Ground{Relies: providers.ReliesAll, RowGone: !e.Is(world.HasRow), Person: d.otherPerson(&own)},
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
	if !stays {
		s.Effect.Act = state.PersonExpire
	}
	if half {
		s.After.Standing = state.RolledBack
	}
	s.Ground.Unrecorded = e.Is(world.IsRecorded) && !half
	return d.addWithdraw(s, e, wave)
}

// addWithdraw adds a change to the segment of those whom a wave would move; "": none.
func (d *decider) addWithdraw(s plan.Shape, e *world.Entry, wave string) error {
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
