package planner_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// TestLinks: persons that somebody has made by hand are taken over when their users' waves move them, whatever addresses
// they have; the plan says so by itself, and counts the others.
func TestLinks(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	later := wave("later", config.Selector{Tenants: []string{"globex"}})
	later.At = now.Add(time.Hour)
	f.config.Waves = []config.Wave{wave("pilot", config.Selector{Tenants: []string{"acme"}, Roles: []string{"user"}}), later}
	f.moved(10, "pilot")
	ana, ben := person(50, "ana", "other@x.example"), person(51, "ben", "u2@2.example")
	f.persons = append(f.persons, ana, ben)
	f.links = []plan.Link{{User: id(11), Person: ana.ID, Line: 2}, {User: id(12), Person: ben.ID, Line: 3},
		{User: id(10), Person: f.record(10).Person, Line: 4}}
	m := f.must(t)
	s := m.shapes[11]
	if s.Effect.Act != state.PersonAdopt || !s.Effect.Link || !s.Ground.Named || s.After.MadePerson || !s.After.WroteLink {
		t.Errorf("the named user: %+v", s)
	}
	if n := m.hazard(plan.AdoptsPerson); n != 1 {
		t.Errorf("%d persons are taken over", n)
	}
	for code, n := range map[state.Code]int64{state.CodeLinksMoved: 1, state.CodeLinksWait: 1, state.CodeLinksAlready: 1} {
		found(t, m.context.Notes, state.Found(code).Times(n))
	}
	found(t, m.context.Notes, state.Found(state.CodeLinksOtherMail, state.List(state.KeyUsers, id(11).String())).Times(1))

	// Neither a shared address nor one that Self-auth refuses, nor a name that cannot be made, is in the way of a person who is there.
	f.user(11).Email, f.user(13).Email = "not an address", "not an address"
	if m = f.must(t); m.shapes[11].Effect.Act != state.PersonAdopt {
		t.Errorf("with an address that is refused: %+v", m.skipped)
	}
	// Somebody of another tenant is nobody's to take over, nor is who is expired.
	f.groups[0].Members = append(f.groups[0].Members, ana.ID)
	f.config.Waves[0].Users[0].Tenants, f.config.Waves[1].Users[0].Tenants = []string{"globex"}, []string{"acme"}
	f.links = []plan.Link{{User: id(13), Person: ana.ID, Line: 2}}
	if m = f.must(t); m.skipped[13] != plan.SkipHolderForeign {
		t.Errorf("of another tenant: %v", m.skipped)
	}
	found(t, m.context.Notes, state.Found(state.CodeLinksSkipped).Times(1))
	f.groups[0].Members = f.groups[0].Members[:1]
	f.persons[slices.IndexFunc(f.persons, func(p providers.Person) bool { return p.ID == ana.ID })].Expired = true
	if m = f.must(t); m.skipped[13] != plan.SkipHolderAway {
		t.Errorf("expired: %v", m.skipped)
	}
}

// TestBadLinks: all lines that cannot be what they say are named, and nothing is planned.
func TestBadLinks(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.moved(10, "everyone")
	ana, ben := person(50, "ana", "a@x.example"), person(51, "ben", "b@x.example")
	f.persons = append(f.persons, ana, ben)
	f.user(12).Link = ben.ID
	own := state.PersonID(lineage, id(13), 1)
	f.persons = append(f.persons, person(0, "u3", "u3@x.example"))
	f.persons[len(f.persons)-1].ID = own
	f.user(14).Deleted = true
	f.links = []plan.Link{
		{User: id(99), Person: ana.ID, Line: 2},              // no such row
		{User: id(14), Person: ana.ID, Line: 3},              // deleted
		{User: id(11), Person: id(98), Line: 4},              // no such person
		{User: id(11), Person: f.groups[0].ID, Line: 5},      // a group
		{User: id(11), Person: ben.ID, Line: 6},              // another row's
		{User: id(11), Person: f.record(10).Person, Line: 7}, // made for another
		{User: id(12), Person: ana.ID, Line: 8},              // linked to another
		{User: id(13), Person: ana.ID, Line: 9},              // has one of ours
		{User: id(12), Person: ben.ID, Line: 10},             // as it is
	}
	_, err := f.make(t)
	var bad *plan.LinksError
	if !errors.As(err, &bad) {
		t.Fatal(err)
	}
	want := []plan.BadLink{{Line: 2, User: id(99), Why: state.CodeLinkNoUser}, {Line: 3, User: id(14), Why: state.CodeLinkNoUser}, {Line: 4, User: id(11), Why: state.CodeLinkNoPerson},
		{Line: 5, User: id(11), Why: state.CodeLinkGroup}, {Line: 6, User: id(11), Why: state.CodeLinkOtherRow}, {Line: 7, User: id(11), Why: state.CodeLinkOtherRow},
		{Line: 8, User: id(12), Why: state.CodeLinkOtherPerson}, {Line: 9, User: id(13), Why: state.CodeLinkHasPerson}}
	if diff := cmp.Diff(want, bad.Bad); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// person is one that nobody of ours has made.
func person(n byte, name, mail string) providers.Person {
	return providers.Person{ID: uuid.UUID{0: n, 8: 0x40, 15: n}, Name: name, Mails: []string{mail}}
}
