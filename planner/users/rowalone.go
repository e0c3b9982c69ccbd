package users

import (
	"maps"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// rowAlone adds the change that takes the row of a user back and leaves Self-auth as it is, of which nothing is known. The
// row gives back a login by password, or the user is left: one who cannot log in by a password would gain nothing by it.
func (t *taker) rowAlone(made []state.Record, rec *state.User, row *providers.User) error {
	oldest, newest := made[0], made[len(made)-1]
	switch {
	case row == nil || rec == nil || !writesRow(made):
		return nil // nothing of it is in a row
	case rec.Standing == state.RowBack && row.Link != rec.Person:
		return nil // done before
	case rec.Standing != state.Moved && rec.Standing != state.RowBack:
		return nil
	case row.Link != expectedLink(newest) && row.Link != oldest.Before.Link:
		t.inConflict(oldest.User, state.Found(state.CodeLinkedElsewhere))
		return nil
	case !row.CanPassword:
		t.inConflict(oldest.User, state.Found(state.CodeNoPassword))
		return nil
	case !byPassword(row.CanPassword, oldest.Before.Method):
		t.inConflict(oldest.User, state.Found(state.CodeNoPasswordThen))
		return nil
	}
	s := plan.Shape{
		Tenant: tenantOf(oldest, rec, row),
		Ground: plan.Ground{Relies: providers.ReliesLink},
		Effect: state.Effect{Restore: true},
		Keep:   t.table.Set(rec.Groups...),
		After:  t.standingAlone(oldest, rec),
	}
	t.pause(oldest.Wave, scopeOf(oldest, rec, row))
	return t.add(oldest.Wave, s, plan.UserChange{User: oldest.User, Record: oldest.ID}, rec, row)
}

// rowIsBack reports whether the row of a user was taken back alone, and is as it was then: what is left is in Self-auth.
func rowIsBack(oldest state.Record, rec *state.User, row *providers.User) bool {
	return rec != nil && rec.Standing == state.RowBack && row.Link == oldest.Before.Link && row.Method == oldest.Before.Method
}

// standingAlone is how a user stands whose row alone is taken back. What is recorded of the person holds still.
func (t *taker) standingAlone(oldest state.Record, rec *state.User) state.UserState {
	after := rec.UserState
	if !wasMoved(oldest) {
		after.Standing, after.Wave, after.Policy = state.RowBack, oldest.Wave, oldest.After.Policy
		return after
	}
	// It was moved before the records as well, and stays so.
	after.Standing, after.Wave, after.Policy = state.Moved, oldest.Prior.Wave, oldest.Prior.Policy
	after.WroteLink = oldest.Prior.WroteLink
	if oldest.After.Policy == oldest.Prior.Policy {
		after.Wave = oldest.Wave
	}
	return after
}

// linkedAgain counts a user whose row alone was taken back and whom the application has linked again at a login. Its row says
// where the person belongs, as that of a moved user does: a pause stops only what would be given (L4, L24, L25, L27). wave
// is the wave that would move it; "": none.
func (d *decider) linkedAgain(e *world.Entry, wave string) error {
	d.rowBack.linked[e.Recorded.Wave]++
	p, there := d.Index.Person(e.Person)
	if !there || e.Tenant < 0 || d.InOpenRun(e.User) {
		return nil
	}
	c := d.claim(e, state.Moved, e.Recorded.MadePerson)
	leave := d.leaves(e, c)
	expires := c.Presence() == plan.PresenceExpired && !p.Expired
	if !expires && len(leave) == 0 || d.left {
		return nil
	}
	s := plan.Shape{
		Tenant: c.Tenant,
		Ground: plan.Ground{Relies: providers.ReliesAll, Linked: true},
		Leave:  d.table.Set(leave...),
		After:  e.Recorded.UserState,
	}
	if expires {
		s.Effect.Act, s.After.Asleep = state.PersonExpire, true
	}
	s.Ground.Unrecorded = d.table.Unrecorded(s, e.Recorded.UserState, e.Recorded.Groups)
	return d.addWithdraw(s, e, wave)
}

// rowBack is what is found about users whose row alone was taken back.
type rowBack struct {
	open   int64            // whose person is still as it was
	linked map[string]int64 // who have logged in through Self-auth since, so that their row is linked again; by wave
}

// leftAlone are the notes about them: what a rollback of Postgres alone has left open.
func (d *decider) leftAlone() []state.Finding {
	list := counted(state.Found(state.CodeRowBackOpen).Times(d.rowBack.open))
	for _, wave := range slices.Sorted(maps.Keys(d.rowBack.linked)) {
		list = append(list, state.About(state.CodeRowBackLinked, state.OfWave(wave)).Times(d.rowBack.linked[wave]))
	}
	return list
}

// isOf reports whether a link is that of a person; nobody's is none's.
func isOf(link, person uuid.UUID) bool { return link != uuid.Nil && link == person }
