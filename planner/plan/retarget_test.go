package plan_test

import (
	"testing"

	"anthill/planner/plan"
	"anthill/state"
)

// TestRetargetSound: a plan that binds what is recorded to another target holds nothing else that anybody would go by.
func TestRetargetSound(t *testing.T) {
	t.Parallel()
	effects := func() *plan.Effects {
		e := &plan.Effects{Kind: state.RunRetarget, Was: &state.Target{Environment: "before"}, Target: state.Target{Environment: "now"}}
		e.Raise(plan.TargetUnlike, 1, state.Found(state.CodeTargetRows))
		return e
	}
	if !effects().Sound() {
		t.Fatal("a plan as it is made is not sound")
	}
	for name, add := range map[string]func(*plan.Effects){
		"a set of groups that are not there": func(e *plan.Effects) { e.Sets = [][]int{nil, {5}} },
		"a set of a group before all":        func(e *plan.Effects) { e.Sets = [][]int{nil, {-1}} },
		"the same target":                    func(e *plan.Effects) { e.Target = *e.Was },
		"no target before":                   func(e *plan.Effects) { e.Was = nil },
		"a group":                            func(e *plan.Effects) { e.Groups = []plan.Group{{}} },
		"a tenant":                           func(e *plan.Effects) { e.Tenants = []plan.Tenant{{}} },
		"an object":                          func(e *plan.Effects) { e.Objects = []plan.ObjectChange{{}} },
		"users":                              func(e *plan.Effects) { e.Segments = []plan.Segment{{Kind: plan.SegmentFollow, Users: 1}} },
		"nobody of a kind":                   func(e *plan.Effects) { e.Segments = []plan.Segment{{Kind: plan.SegmentFollow}} },
		"a template":                         func(e *plan.Effects) { e.Identity.Name = "${" },
		"an undo":                            func(e *plan.Effects) { e.Undo = &plan.Undoing{} },
		"a moment":                           func(e *plan.Effects) { e.After = &plan.Moment{} },
		"a wish":                             func(e *plan.Effects) { e.Wishes = []plan.Wish{{}} },
		"a step":                             func(e *plan.Effects) { e.Schema = []string{"users.columns"} },
		"an unknown hazard":                  func(e *plan.Effects) { e.Hazards[0].Code = "NO" },
		"the kind of another":                func(e *plan.Effects) { e.Kind = state.RunApply },
	} {
		e := effects()
		if add(e); e.Sound() {
			t.Errorf("with %s it is sound", name)
		}
	}
}
