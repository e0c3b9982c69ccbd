package report

import (
	"maps"
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// part says which part of the configuration the plan is of, and in figures alone what that leaves out; "" of a plan of all.
func (t *telling) part() (what, leaves string) {
	p := t.context.Part
	if p == nil {
		return "", ""
	}
	s := "Part of the configuration: "
	if len(p.Targets) == 0 {
		s += "all"
	}
	s += strings.Join(t.targets(p.Targets), ", ")
	if len(p.Exclude) > 0 {
		s += " without " + strings.Join(t.targets(p.Exclude), ", ")
	}
	return s + ".", t.leftOut()
}

// targets are parts of a configuration as they are named on the command line, as many as stand in a sentence.
func (t *telling) targets(list []plan.Target) []string {
	return t.words.few(len(list), func(i int) string { return t.words.escape(list[i].String()) })
}

// leftOut counts what the plan of all would do as well.
func (t *telling) leftOut() string {
	left := t.context.Part.Left
	var parts []string
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	add(left.Users, "user", "users")
	add(left.Objects, "object", "objects")
	add(int64(left.Schema), "schema step", "schema steps")
	if len(parts) == 0 {
		return "Nothing that is due is left out."
	}
	return "Left out, though due: " + strings.Join(parts, ", ") + "."
}

// pulledIn are what was not named and is part of the plan all the same, each with what needs it.
func (t *telling) pulledIn() (list []string) {
	if t.context.Part == nil {
		return nil
	}
	for _, one := range t.context.Part.Pulled {
		list = append(list, t.words.escape(string(one.Address))+" (for "+t.words.needs(one.By)+")")
	}
	return list
}

// pulledTitle stands above what is pulled in.
const pulledTitle = "Pulled in, as the rest needs it"

// needs names what something was pulled in by.
func (v *voice) needs(by state.Subject) string {
	if by.Kind == state.SubjectTenant {
		return "users of " + v.escape(by.Name)
	}
	return v.escape(by.Name)
}

// drifted counts what is otherwise than it is recorded, and says what of it this plan records.
func (t *telling) drifted() string {
	d := t.context.Drift
	var parts []string
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	add(d.Schema, "part of the schema", "parts of the schema")
	add(d.Objects, "object", "objects")
	add(d.Users, "moved user", "moved users")
	add(d.Memberships, "membership", "memberships")
	if len(parts) == 0 {
		return "Nothing was changed outside Anthill: all is as it is recorded."
	}
	said := "Changed outside Anthill: " + strings.Join(parts, ", ") + ". "
	switch n := int64(len(t.effects.Objects)); {
	case n == 0:
		return said + "This plan only looks, and changes nothing."
	case n == d.Objects && len(parts) == 1:
		return said + "This plan records " + plural(n, "it as it is", "them as they are") + ", and writes to neither server."
	default:
		return said + "This plan records " + of(n, "object as it is", "objects as they are") + ", only tells the rest, and writes to neither server."
	}
}

// recordsAs says as what an object is recorded, of which nothing is written: what changes in its record.
func (v *voice) recordsAs(c plan.ObjectChange) (list []string) {
	before, after := c.Before, c.After
	switch {
	case before == nil || after == nil: // no plan that was made here
		return nil
	case after.Deleted && !before.Deleted:
		list = append(list, "recorded as gone")
	case before.Deleted && !after.Deleted:
		list = append(list, "no longer recorded as gone")
	default:
		list = append(list, "only its record changes")
	}
	names := maps.Clone(before.Attributes)
	maps.Copy(names, after.Attributes)
	return append(list, v.values(before.Attributes, after.Attributes, names.Sorted()...)...)
}
