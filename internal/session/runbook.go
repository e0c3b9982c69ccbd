package session

import (
	"context"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/providers/postgres"
	"anthill/state"
)

// ByHand are the statements by which a person does with psql what apply would.
func (s *Session) ByHand() postgres.ByHand { return s.postgres.ByHand() }

// HandUser is a user of a plan as a person needs to know it who carries the plan out by hand.
type HandUser struct {
	User  uuid.UUID
	Shape plan.Shape
	Name  string // of the person: the one to be made, or that is there
	// of the person to be made
	Display, Mail string
}

// HandUsers are the users of a plan in the order of apply, with what is looked up of them now: names and addresses, which no
// plan holds. It is meant for plans of few users.
//
// Errors: *state.Error of kind Missing where a row or a person is not as it was planned; else what reading says.
func (s *Session) HandUsers(ctx context.Context, file *planfile.File) (list []HandUser, err error) {
	e := file.Effects()
	var users, persons []uuid.UUID
	of := map[uuid.UUID]uuid.UUID{} // user -> its person who is there
	for _, n := range e.InOrder() {
		shapes := file.Shapes(n)
		for c, err := range file.Users(n, 0) {
			if err != nil {
				return nil, err
			}
			users = append(users, c.User)
			list = append(list, HandUser{User: c.User, Shape: shapes[c.Shape]})
			if c.Person != uuid.Nil {
				of[c.User] = c.Person
			}
		}
	}
	people, err := s.People(ctx, e, users)
	if err != nil {
		return nil, err
	}
	rows, err := s.postgres.Fetch(ctx, users)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if r.Link != uuid.Nil {
			of[r.ID] = r.Link
		}
	}
	for _, person := range of {
		persons = append(persons, person)
	}
	found, err := s.selfauth.Accounts().Lookup(ctx, persons)
	if err != nil {
		return nil, err
	}
	names := map[uuid.UUID]string{}
	for _, p := range found {
		names[p.ID] = p.Name
	}
	for i := range list {
		u := &list[i]
		one := people[u.User]
		switch u.Name = one.Name; {
		case of[u.User] != uuid.Nil:
			u.Name = names[of[u.User]]
		case u.Shape.Effect.Suffix:
			u.Name = one.Suffixed
		}
		if u.Display = one.Display; !u.Shape.Effect.NoMail {
			u.Mail = one.Mail
		}
		if u.Name == "" {
			return nil, &state.Error{Kind: state.ErrorMissing, Side: "Postgres", Doing: "look up the users of the plan",
				Reason: "user " + u.User.String() + " is not as it was planned", Cure: "Plan again."}
		}
	}
	return list, nil
}
