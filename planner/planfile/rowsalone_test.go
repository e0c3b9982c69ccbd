package planfile_test

import (
	"testing"

	"anthill/planner/plan"
	"anthill/state"
)

// TestRowsAlone: a plan of Postgres alone that would change anything else is none, whoever made it so.
func TestRowsAlone(t *testing.T) {
	t.Parallel()
	alone := func() *whole {
		w := full()
		u := w.Plan.Effects.Undo
		u.PostgresOnly, u.DeletePersons, u.Schema, u.Whole, u.Again, u.Lift = true, false, nil, nil, nil, nil
		w.Plan.Effects.Objects, w.Plan.Effects.Schema = nil, nil
		for i := range w.Segments[0].Users {
			s := &w.Segments[0].Users[i].Shape
			s.Join, s.Leave, s.Effect = 0, 0, state.Effect{Restore: true}
			w.Segments[0].Users[i].Change.Mails = 0
		}
		return w
	}
	all := func(w *whole, f func(*plan.Shape)) {
		for i := range w.Segments[0].Users {
			f(&w.Segments[0].Users[i].Shape)
		}
	}
	for name, c := range map[string]struct {
		spoil func(*whole)
		sound bool
	}{
		"as it is":  {func(*whole) {}, true},
		"objects":   {func(w *whole) { w.Plan.Effects.Objects = full().Plan.Effects.Objects }, false},
		"schema":    {func(w *whole) { w.Plan.Effects.Undo.Schema = full().Plan.Effects.Undo.Schema }, false},
		"undone":    {func(w *whole) { w.Plan.Effects.Undo.Whole = w.Plan.Effects.Undo.Runs }, false},
		"deletes":   {func(w *whole) { w.Plan.Effects.Undo.DeletePersons = true }, false},
		"expires":   {func(w *whole) { all(w, func(s *plan.Shape) { s.Effect.Act = state.PersonExpire }) }, false},
		"leaves":    {func(w *whole) { all(w, func(s *plan.Shape) { s.Leave = 1 }) }, false},
		"addresses": {func(w *whole) { all(w, func(s *plan.Shape) { s.Effect.Mail = true }) }, false},
	} {
		w := alone()
		c.spoil(w)
		b, _ := w.write(t)
		if _, err := open(t, b); (err == nil) != c.sound {
			t.Errorf("%s: %v", name, err)
		}
	}
}
