package objects

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
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
	rows := foreignRows(o)
	for _, rec := range o.State.Objects {
		found, added := driftOf(o, rec), rows.of(o, rec)
		if len(found)+len(added) == 0 {
			continue
		}
		d.Objects++
		d.Findings = append(append(d.Findings, found...), added...)
		if len(found) == 0 {
			continue
		}
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

// foreign are the mapping rows of live tenants that are not ours, by the group and by the name that they have.
type foreign struct {
	groups map[uuid.UUID][]providers.Mapping
	names  map[string][]providers.Mapping
}

func foreignRows(o *world.Observed) foreign {
	ours := map[[2]uuid.UUID]bool{}
	for _, rec := range o.State.Objects {
		if _, mapped := rec.Attributes[state.AttrMapping]; mapped && rec.Kind == state.KindGroup && !rec.Deleted {
			ours[[2]uuid.UUID{rec.Tenant, rec.ID}] = true
		}
	}
	f := foreign{map[uuid.UUID][]providers.Mapping{}, map[string][]providers.Mapping{}}
	for _, m := range o.Mappings() {
		if t := o.Tenant(m.Tenant); t == nil || t.Deleted || ours[[2]uuid.UUID{m.Tenant, m.Group}] {
			continue
		}
		f.groups[m.Group] = append(f.groups[m.Group], m)
		f.names[m.GroupName] = append(f.names[m.GroupName], m)
	}
	return f
}

// of are those that the application takes for rows of a recorded group, which has tokens say the name that is recorded or
// the one that it has. A group that was there before us may have had them.
func (f foreign) of(o *world.Observed, rec state.Object) (list []state.Finding) {
	live, there := o.Index.Groups[rec.ID]
	if rec.Kind != state.KindGroup || rec.Deleted || rec.Adopted || !there {
		return nil
	}
	rows := slices.Clone(f.groups[rec.ID])
	names := []string{live.Name}
	if wrote := rec.Attributes[state.AttrMapping].Mapping().Name; wrote != live.Name {
		names = append(names, wrote)
	}
	for _, name := range names {
		for _, m := range f.names[name] {
			if m.Group != rec.ID {
				rows = append(rows, m)
			}
		}
	}
	for _, m := range rows {
		role := ""
		if m.Role != state.RoleInvalid {
			role = m.Role.String()
		}
		list = append(list, state.About(state.CodeDriftMapping, state.Of(rec.Address),
			state.Text(state.KeyTenant, o.Tenant(m.Tenant).Slug), state.Text(state.KeyRole, role),
			state.Text(state.KeyName, m.GroupName)))
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
