package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// move adds the change that moves a user under a wave.
func (d *decider) move(e *world.Entry, w *Wave) error {
	there, ours := e.Is(world.PersonThere), e.Is(world.PersonOurs)
	told := &w.Said
	if d.left {
		told = &said{}
	}
	s := plan.Shape{
		Tenant: d.Tenants[e.Tenant].ID,
		Ground: plan.Ground{Relies: providers.ReliesAll, Linked: e.Link != uuid.Nil},
		After: state.UserState{
			Standing:   state.Moved,
			Wave:       w.Name,
			Policy:     w.Policy,
			Generation: e.Generation,
			MadePerson: ours || !there,
			WroteLink:  e.Link == uuid.Nil || ours,
		},
	}
	c := plan.UserChange{User: e.User, Before: e.Digest}
	person := e.Person
	switch {
	case e.Link != uuid.Nil:
		// Linked already: recorded, and given its groups. A person of ours that is expired was taken back before.
		if ours && e.Is(world.PersonExpired) && d.closedByUs(e.Person) {
			s.Effect.Act = state.PersonEnable
		}
	case e.Is(world.IsNamed), !there && !d.omitsMail(e) && d.given.taken(e.Mail, e.Person):
		// skipReason has let it pass, so the holder of the address may be taken over. Nobody else gets it in this plan.
		person, c.Person = e.Holder, e.Holder
		s.Ground.Named = e.Is(world.IsNamed)
		s.Effect.Act, s.Effect.Link = state.PersonAdopt, true
		s.After.MadePerson, s.After.Generation = false, 0
		d.names.adopting[e.Holder] = true
	default:
		s.Effect.Act, s.Effect.Link, s.Ground.Made = state.PersonCreate, true, there
		d.planPerson(e, &s, told)
	}
	// A membership that is there already is recorded as ours only if we can have added it: a rollback takes back what is
	// ours, and must leave what others gave.
	var join, keep []uuid.UUID
	wants := d.wants(e)
	for _, g := range wants {
		switch {
		case person == e.Person && !there || !d.Index.IsMember(person, g):
			join = append(join, g)
		case ours || slices.Contains(e.Recorded.Groups, g):
			keep = append(keep, g)
		}
	}
	d.noteBelonging(person, e)
	if there {
		c := d.claim(e, state.Moved, s.After.MadePerson)
		c.Linked = true
		s.Leave = d.table.Set(d.leaves(e, c)...)
	}
	if d.left {
		return nil
	}
	if len(join)+len(keep) == 0 {
		w.Said.groupless++
	} else {
		d.countUnnamed(&w.Said.unnamed, e)
	}
	d.countNameless(&w.Said.nameless, wants, false)
	in := wants
	if there || person != e.Person {
		_, in = d.groupsOf(person, join, d.table.IDs(s.Leave))
	}
	d.countDoors(&w.Said, e, in)
	d.countLesser(&w.Said.lesser, e, wants)
	s.Join, s.Keep = d.table.Set(join...), d.table.Set(keep...)
	s.Effect.Method = method(e)
	s.Effect.Complete = d.policies[w.Policy].CompleteOnLink && !e.Is(world.HasCompleted)
	s.Letter = d.firstLetter(e, w)
	if p, _ := d.Index.Person(person); p.Enrolled {
		w.Said.enrolled++
	}
	d.countWay(&w.Said.ways, e, &s, person)
	if w.Segment < 0 {
		w.Segment = d.sink.Segment(plan.SegmentMove, w.Name)
	}
	return d.sink.Add(w.Segment, s, c)
}

// planPerson fills in how a person is made, or enabled again if it is there already.
func (d *decider) planPerson(e *world.Entry, s *plan.Shape, said *said) {
	if e.Is(world.PersonThere) {
		// The person of an earlier move comes back, and the row may have another address by now.
		p, _ := d.Index.Person(e.Person)
		s.Effect.Mail = e.Is(world.MailDiffers) && (d.Config.Identity.FollowMail || p.Mail == 0 || d.given.gives(e.Person, p.Mail)) &&
			!d.omitsMail(e)
		s.Effect.Release = s.Effect.Mail && d.given.gives(e.Person, p.Mail)
		return
	}
	s.Effect.NoMail = d.omitsMail(e)
	if !e.Is(world.IsVerified) && !s.Effect.NoMail {
		said.unverified++
	}
	s.Effect.Suffix = d.names.names[e.Name] || d.names.taken[e.Name] || d.Index.NameTaken(e.Name)
}

// method is what the row's method is raised to: dual, or self_auth for a user without a password (L6). MethodInvalid:
// it stays, as no method is lowered (L5).
func method(e *world.Entry) state.Method {
	want := state.MethodDual
	if !e.Is(world.HasPassword) {
		want = state.MethodSelfAuth
	}
	if e.Method >= want {
		return state.MethodInvalid
	}
	return want
}
