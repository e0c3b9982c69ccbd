package objects

import (
	"anthill/planner/world"
	"anthill/state"
)

// Drift says how recorded objects are otherwise than they were left: what somebody else has changed, deleted or brought back.
// objects is how many there are of them. Objects whose members are hidden are read like any other.
func Drift(o *world.Observed) (list []state.Finding, objects int64) {
	for _, rec := range o.State.Objects {
		if found := driftOf(o, rec); len(found) > 0 {
			list = append(list, found...)
			objects++
		}
	}
	return list, objects
}

// driftOf is Drift for one object.
func driftOf(o *world.Observed, rec state.Object) (list []state.Finding) {
	live := rec.Kind.Spec().Read(unplanned(o, rec), rec.Attributes)
	switch {
	case rec.Deleted:
		// A tenant's row that was taken back is there, and marked.
		if live != nil && (rec.Kind != state.KindTenant || !live[state.AttrDeleted].IsSet()) {
			return []state.Finding{state.About(state.CodeDriftBack, state.Of(rec.Address))}
		}
		return nil
	case live == nil:
		return []state.Finding{state.About(state.CodeDriftGone, state.Of(rec.Address))}
	case rec.Kind == state.KindTenant && live[state.AttrDeleted].IsSet():
		return []state.Finding{state.About(state.CodeDriftGone, state.Of(rec.Address))}
	}
	_, wrote := live.Diff(rec.Attributes)
	for _, k := range wrote.Sorted() {
		list = append(list, state.About(state.CodeDriftChanged, state.Of(rec.Address), state.Text(state.KeyAttribute, string(k)),
			state.Holds(state.KeyWrote, wrote[k]), state.Holds(state.KeyLive, live[k])))
	}
	return list
}

// unplanned is what an object is now, the row of a tenant as it is and not as it is declared.
func unplanned(o *world.Observed, rec state.Object) state.Attributes {
	for _, d := range o.Declared {
		if rec.Kind == state.KindTenant && d.Live != nil && d.Live.ID == rec.ID {
			return d.Live.Attributes()
		}
	}
	return observed(o, rec)
}
