package objects

import (
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/state"
)

// Drifted is how recorded objects are otherwise than they were left: what somebody else has changed, deleted or brought back.
type Drifted struct {
	Objects  int64 // that are
	Findings []state.Finding
	Records  []plan.ObjectChange // that record them as they are, in the order of apply; not of all that were found
}

// Drift compares what is recorded of objects with what is there. Objects whose members are hidden are read like any other.
func Drift(o *world.Observed) (d Drifted) {
	for _, rec := range o.State.Objects {
		found := driftOf(o, rec)
		if len(found) == 0 {
			continue
		}
		d.Objects++
		d.Findings = append(d.Findings, found...)
		if c := recordNow(o, rec); c != nil {
			d.Records = append(d.Records, *c)
		}
	}
	inOrder(d.Records)
	return d
}

// driftOf is Drift for one object.
func driftOf(o *world.Observed, rec state.Object) (list []state.Finding) {
	live := there(o, rec)
	switch {
	case rec.Deleted && live != nil:
		return []state.Finding{state.About(state.CodeDriftBack, state.Of(rec.Address))}
	case rec.Deleted:
		return nil
	case live == nil:
		return []state.Finding{state.About(state.CodeDriftGone, state.Of(rec.Address))}
	}
	_, wrote := live.Diff(rec.Attributes)
	for _, k := range wrote.Sorted() {
		list = append(list, state.About(state.CodeDriftChanged, state.Of(rec.Address), state.Text(state.KeyAttribute, string(k)),
			state.Holds(state.KeyWrote, wrote[k]), state.Holds(state.KeyLive, live[k])))
	}
	return list
}

// there is what a recorded object holds, for comparing; nil where it is not there. The row of a tenant that is marked as
// deleted is not.
func there(o *world.Observed, rec state.Object) state.Attributes {
	live := rec.Kind.Spec().Read(unplanned(o, rec), rec.Attributes)
	if rec.Kind == state.KindTenant && live[state.AttrDeleted].IsSet() {
		return nil
	}
	return live
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
