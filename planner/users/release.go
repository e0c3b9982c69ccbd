package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// released are the addresses that persons of ours give up: a live row of another user holds them, and their own does not. Else that
// user could not have them, and a mail for it would be about the login of somebody else.
type released struct {
	*world.Joined
	scope Scope
	list  []world.Address // sorted
	kept  int64           // addresses of others' rows that persons of users in the scope keep: they are not ours to take
}

// find looks at all users, where anything is to be found, and calls add with each who gives an address up, and the person.
func (r *released) find(add func(e *world.Entry, person uuid.UUID) error) error {
	if len(r.Astray) == 0 {
		return nil
	}
	err := r.Entries.Each(func(e *world.Entry) error {
		person, ours := ownPerson(e)
		before := len(r.list)
		for _, a := range r.astray(person) {
			switch {
			case e.Mail == a.Mail || !r.scope.has(e.TenantNow(r.Observed), e.Recorded.Wave) || r.InOpenRun(e.User):
			case ours && r.givesUp(e, a):
				r.list = append(r.list, a)
			default:
				r.kept++
			}
		}
		if len(r.list) == before {
			return nil
		}
		return add(e, person)
	})
	slices.SortFunc(r.list, world.CompareAddress)
	return err
}

// ownPerson is the person that we made for the user of an entry, or else the one that it has; the zero id: none.
func ownPerson(e *world.Entry) (person uuid.UUID, ours bool) {
	switch {
	case e.Is(world.IsRecorded) && e.Recorded.Person != uuid.Nil:
		return e.Recorded.Person, e.Recorded.MadePerson
	case e.Is(world.PersonOurs):
		return e.Person, true
	}
	return e.Link, false
}

// astray are the addresses of a person that live rows of other users hold.
func (r *released) astray(person uuid.UUID) []world.Address {
	from, _ := slices.BinarySearchFunc(r.Astray, world.Address{Person: person}, world.CompareAddress)
	to := from
	for to < len(r.Astray) && r.Astray[to].Person == person {
		to++
	}
	return r.Astray[from:to]
}

// givesUp reports whether a person of ours gives up an address that another row holds, and its own does not. That takes away, so
// it waits for nothing that only stops what is given (L4). An address that follows no row is the person's own while it can log in.
func (r *released) givesUp(e *world.Entry, a world.Address) bool {
	own := 0
	if e.Link == a.Person && e.Mail != 0 { // a live row
		own = 1
	}
	p, _ := r.Index.Person(a.Person)
	id := r.Config.Identity
	loginEnds := p.Expired || !e.Is(world.HasRow) || !e.Moved() || id.FollowState && e.Is(world.IsInactive)
	return (id.FollowMail || loginEnds) && len(r.Holders(a.Person)) == own
}

// gives reports whether a person gives up an address of a hash.
func (r *released) gives(person uuid.UUID, mail uint64) bool {
	_, does := slices.BinarySearchFunc(r.list, world.Address{Person: person, Mail: mail}, world.CompareAddress)
	return does
}

// taken reports whether a person other than own holds an address of a hash, and keeps it.
func (r *released) taken(mail uint64, own uuid.UUID) bool {
	for holder := range r.Index.MailHolders(mail) {
		if holder != own && !r.gives(holder, mail) {
			return true
		}
	}
	return false
}

// addRelease adds that a person gives up what others hold of its addresses. It is added before all other changes, so that they
// are free wherever in the plan they are given.
func (d *decider) addRelease(e *world.Entry, person uuid.UUID) error {
	s := plan.Shape{
		Tenant: e.TenantNow(d.Observed),
		Ground: plan.Ground{Relies: providers.ReliesAll, RowGone: !e.Is(world.HasRow), Unrecorded: e.Is(world.IsRecorded)},
		Effect: state.Effect{Release: true},
		After:  e.Recorded.UserState,
	}
	c := plan.UserChange{User: e.User, Before: e.Digest}
	switch {
	case s.Ground.RowGone:
		s.Ground.Relies, c.Before = providers.ReliesMember, e.DigestGone()
	case e.Moved() && !e.Is(world.MailDiffers):
		s.Ground.Relies = providers.ReliesMember // as its digest
	}
	if !e.Is(world.IsRecorded) {
		s.After = state.UserState{Standing: state.Failed, Generation: e.Generation, MadePerson: true}
	}
	if person != state.PersonID(d.Lineage, e.User, s.After.Generation) {
		s.Ground.Person = person
	}
	if d.Release < 0 {
		d.Release = d.sink.Segment(plan.SegmentRelease, "")
	}
	d.released++
	return d.sink.Add(d.Release, s, c)
}
