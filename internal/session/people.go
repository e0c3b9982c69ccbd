package session

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// Person is the personal data of a user as its row is now, which no plan holds.
type Person struct {
	Name, Suffixed string // of the person that the plan would make from the row, without and with a suffix; "": none can be made
	Mail           string
	Display        string // of the person that would be made
}

// People looks up some users of a plan by one query. Those without a row are missing.
//
// Errors: *state.TargetError where the plan is of another target; else what reading says.
func (s *Session) People(ctx context.Context, e *plan.Effects, users []uuid.UUID) (map[uuid.UUID]Person, error) {
	if diff := e.Target.Differs(s.target); diff != "" {
		// It may have been made before the state was bound to this target.
		st, err := s.recorded(ctx, s.store)
		if err != nil {
			return nil, err
		}
		if st.Lineage != e.Lineage {
			return nil, &state.TargetError{What: "plan", Differs: diff}
		}
	}
	namer, err := namerOf(e.Identity)
	if err != nil {
		return nil, err
	}
	rows, err := s.postgres.Fetch(ctx, users)
	if err != nil {
		return nil, err
	}
	people, slugs := make(map[uuid.UUID]Person, len(rows)), e.Slugs()
	for _, r := range rows {
		p := Person{Mail: r.Email}
		if !namer.Name.IsZero() {
			if name, display, ok := namer.Person(r.User, slugs[r.Tenant], false); ok {
				p.Name, p.Display = name, display
				p.Suffixed, _, _ = namer.Person(r.User, slugs[r.Tenant], true)
			}
		}
		people[r.ID] = p
	}
	return people, nil
}

// namerOf makes names as apply does. A rollback makes none: its Namer is zero.
func namerOf(id plan.Identity) (n plan.Namer, err error) {
	if id.Name == "" {
		return n, nil
	}
	if n.Name, err = config.ParseTemplate(id.Name); err != nil {
		return n, fmt.Errorf("read the plan's name template: %w", err)
	}
	if n.Display, err = config.ParseTemplate(id.Display); err != nil {
		return n, fmt.Errorf("read the plan's display name template: %w", err)
	}
	return n, nil
}
