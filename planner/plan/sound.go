package plan

import (
	"slices"
	"strings"

	"anthill/state"
)

// Sound reports whether effects that were read from a file fit together, as those of every plan do that was made here:
// apply and whoever shows them take that for granted.
func (e *Effects) Sound() bool {
	rollback := e.Kind == state.RunRollback
	if !rollback && e.Kind != state.RunApply || rollback != (e.Undo != nil) || rollback != (e.After != nil) {
		return false
	}
	return e.setsSound() && e.segmentsSound() &&
		!slices.ContainsFunc(e.Objects, func(c ObjectChange) bool { return !c.sound() })
}

// setsSound: sets are places in Groups.
func (e *Effects) setsSound() bool {
	for _, set := range e.Sets {
		if slices.ContainsFunc(set, func(i int) bool { return i < 0 || i >= len(e.Groups) }) {
			return false
		}
	}
	return true
}

// segmentsSound: each segment is one of its kind, each wave that is moved is one of the plan's, and nothing is there
// twice.
func (e *Effects) segmentsSound() bool {
	waves := map[string]bool{}
	for _, w := range e.Waves {
		if w.Name == "" || waves[w.Name] {
			return false
		}
		waves[w.Name] = true
	}
	seen := map[Segment]bool{}
	for _, s := range e.Segments {
		place := Segment{Kind: s.Kind, Wave: s.Wave}
		if s.Users <= 0 || seen[place] {
			return false
		}
		seen[place] = true
		switch s.Kind {
		case SegmentFollow:
			if s.Wave != "" || e.Undo != nil {
				return false
			}
		case SegmentMove:
			if !waves[s.Wave] || e.Undo != nil {
				return false
			}
		case SegmentRestore:
			if e.Undo == nil {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// sound: the kind and the action are known ones, the address is one of the kind, and what the action is about is there.
func (c *ObjectChange) sound() bool {
	known := c.Kind != "" && c.Kind.Spec().Kind == c.Kind
	if !known || !strings.HasPrefix(string(c.Address), string(c.Kind)+".") || c.Before == nil && c.After == nil {
		return false
	}
	for _, o := range []*state.Object{c.Before, c.After} {
		if o != nil && o.Kind != c.Kind {
			return false
		}
	}
	// Apply goes by what will be there, and the action is what is shown of it: the two must say the same.
	switch writes := c.After != nil && c.Will != nil; c.Action {
	case state.ActionCreate:
		return writes && c.Was == nil
	case state.ActionRecover:
		return writes && (c.Kind == state.KindTenant || c.Kind == state.KindGroup)
	case state.ActionAdopt, state.ActionUpdate:
		return writes
	case state.ActionReplace:
		return writes && c.Before != nil && c.Kind == state.KindClient
	case state.ActionDelete:
		return c.Will == nil
	case state.ActionForget:
		// At most the mapping row of a group goes.
		mapping, there := c.Will[state.AttrMapping]
		rest := len(c.Will)
		if there && c.Kind == state.KindGroup {
			rest--
		}
		return c.Will != nil && rest == 0 && !mapping.IsSet()
	}
	return false
}
