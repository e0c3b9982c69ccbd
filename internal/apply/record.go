package apply

import (
	"anthill/planner/plan"
	"anthill/state"
)

// recordable says what of an object is not as it is to be recorded; zero: nothing is. Nothing has been written, so a change
// that a stopped run had begun is looked at like any other.
func recordable(c plan.ObjectChange, live state.Attributes) state.Finding {
	there := live != nil && (c.Kind != state.KindTenant || !live[state.AttrDeleted].IsSet())
	switch {
	case c.After.Deleted && there:
		return state.Found(state.CodeAppeared)
	case !there && len(c.Was) > 0:
		return state.Found(state.CodeDisappeared)
	}
	for _, k := range c.Was.Sorted() {
		if !live[k].Equal(c.Was[k]) {
			return state.Found(state.CodeAttributeChanged, state.Text(state.KeyAttribute, string(k)))
		}
	}
	return state.Finding{}
}
