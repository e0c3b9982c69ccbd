package planner_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// TestAllowBlocks: a block allows a hazard of its count, or of any, until it expires (L41), and only what the plan rests
// on is in the plan.
func TestAllowBlocks(t *testing.T) {
	t.Parallel()
	block := func(count int64, until time.Time) config.Allow {
		return config.Allow{Hazard: "OVER_LIMIT", Count: count, Reason: "the pilot", Until: until,
			Pos: config.Pos{File: "main.anthill.hcl", Line: 7}}
	}
	about := state.Of("allow.OVER_LIMIT")
	later := now.Add(time.Second)
	// Four of five live users change, and 30 % may.
	for name, c := range map[string]struct {
		blocks  []config.Allow
		line    []plan.Allowance
		allowed []plan.Allowance
		note    state.Finding
	}{
		"of this count": {[]config.Allow{block(4, later)}, nil,
			[]plan.Allowance{{Code: plan.OverLimit, Count: 4, Until: later}}, state.Finding{}},
		"of any count": {[]config.Allow{block(0, later)}, nil,
			[]plan.Allowance{{Code: plan.OverLimit, Count: 4, Until: later}}, state.Finding{}},
		"of one less": {[]config.Allow{block(3, later)}, nil, nil,
			state.About(state.CodeAllowOther, about, state.Number(state.KeyLimit, 3)).Times(4)},
		"of one more": {[]config.Allow{block(5, later)}, nil, nil,
			state.About(state.CodeAllowOther, about, state.Number(state.KeyLimit, 5)).Times(4)},
		"just expired": {[]config.Allow{block(4, now)}, nil, nil,
			state.About(state.CodeAllowExpired, about, state.At(state.KeyUntil, now))},
		"expired, of any count": {[]config.Allow{block(0, now)}, nil, nil,
			state.About(state.CodeAllowExpired, about, state.At(state.KeyUntil, now))},
		"beside the command line": {[]config.Allow{block(4, later)}, []plan.Allowance{{Code: plan.OverLimit, Count: 4}},
			[]plan.Allowance{{Code: plan.OverLimit, Count: 4}}, state.Finding{}},
		"of another hazard": {[]config.Allow{{Hazard: "ROWS_GONE", Reason: "r", Until: later}}, nil, nil, state.Finding{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.config.Guard.MinPopulation = 3
			f.config.Allows, f.allowed = c.blocks, c.line
			m := f.must(t)
			if diff := cmp.Diff(c.allowed, m.effects.Allowed); diff != "" {
				t.Errorf("allowed (-want +got):\n%s", diff)
			}
			if m.effects.Blocked() != (c.allowed == nil) || !m.effects.Has(plan.OverLimit) {
				t.Errorf("blocked %v, hazards %+v", m.effects.Blocked(), m.effects.Hazards)
			}
			for _, n := range m.context.Notes {
				if (n.Code == state.CodeAllowExpired || n.Code == state.CodeAllowOther) && n.Code != c.note.Code {
					t.Errorf("said %+v", n)
				}
			}
			if !c.note.IsZero() {
				found(t, m.context.Notes, c.note)
			}
		})
	}
	// A block of a hazard that is not there makes no other plan, and says nothing.
	f := newFake(t)
	plain := f.must(t)
	f.config.Allows = []config.Allow{block(4, now)}
	if m := f.must(t); m.id != plain.id || len(m.context.Notes) != len(plain.context.Notes) {
		t.Errorf("another plan: %+v", m.context.Notes)
	}
	f.config.Allows[0].Hazard = "OVER_LIMITS"
	if _, err := f.make(t); err == nil {
		t.Error("a hazard that there is not is allowed")
	}
}
