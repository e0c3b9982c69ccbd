package planner_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"anthill/providers"
	"anthill/state"
)

// TestStepsDue: of the steps that make what is missing a plan has those that the schema needs.
func TestStepsDue(t *testing.T) {
	t.Parallel()
	const columns, filled, index, check = providers.SchemaUserColumns, providers.SchemaFilled, "index.users.method", "users.method.check"
	made := func(step string) state.SchemaRecord { return state.SchemaRecord{Run: "r", Step: step, Settled: true} }
	begun := func(step string) state.SchemaRecord { return state.SchemaRecord{Run: "r", Step: step} }
	back := func(step string) state.SchemaRecord {
		return state.SchemaRecord{Run: "r", Step: step, Back: true, Settled: true}
	}
	for name, c := range map[string]struct {
		level    providers.Level
		bare     bool
		recorded []state.SchemaRecord
		missing  []string
		want     []string
	}{
		"an index of the application's own schema": {providers.LevelDual, false, nil, []string{index}, nil},
		"an index that we have made":               {providers.LevelDual, false, []state.SchemaRecord{made(index)}, []string{index}, []string{index}},
		"one that is taken back":                   {providers.LevelDual, false, []state.SchemaRecord{made(index), back(index)}, []string{index}, []string{index}},
		"a check":                                  {providers.LevelBetween, false, []state.SchemaRecord{made(columns), made(filled), made(check)}, []string{check}, []string{check}},
		"what is behind the back-fill, which is through": {providers.LevelBetween, false, []state.SchemaRecord{made(columns), made(filled)},
			[]string{filled, index, check}, []string{index, check}},
		"the back-fill was only begun": {providers.LevelBetween, false, []state.SchemaRecord{made(columns), begun(filled)},
			[]string{filled, index, check}, []string{filled, index, check}},
		"the columns were made again since": {providers.LevelBetween, false, []state.SchemaRecord{made(columns), made(filled), begun(columns)},
			[]string{filled, index, check}, []string{filled, index, check}},
		"the column of methods is gone": {providers.LevelBetween, true, []state.SchemaRecord{made(columns), made(filled)},
			[]string{columns, filled, index, check}, []string{columns, filled, index, check}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.state.Schema = c.recorded
			f.inspection = providers.Inspection{Level: c.level, Bare: c.bare}
			for _, step := range c.missing {
				f.inspection.Steps = append(f.inspection.Steps, providers.SchemaStep{Name: step})
			}
			if diff := cmp.Diff(c.want, f.must(t).effects.Schema, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}
