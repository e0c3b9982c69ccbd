package plan

import (
	"slices"

	"anthill/state"
)

// Sound reports whether effects that were read from a file fit together, as those of every plan do that was made here:
// apply and whoever shows them take that for granted.
func (e *Effects) Sound() bool {
	rollback := e.Kind == state.RunRollback
	if !rollback && e.Kind != state.RunApply || rollback != (e.Undo != nil) || rollback != (e.After != nil) {
		return false
	}
	return e.segmentsSound() && !slices.ContainsFunc(e.Objects, func(c ObjectChange) bool { return !c.sound() })
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

// sound: the kind and the action are known ones, and what the action is about is there.
func (c *ObjectChange) sound() bool {
	if c.Address == "" || c.Kind.Spec().Kind != c.Kind || c.Before == nil && c.After == nil {
		return false
	}
	for _, o := range []*state.Object{c.Before, c.After} {
		if o != nil && o.Kind != c.Kind {
			return false
		}
	}
	switch c.Action {
	case state.ActionCreate, state.ActionAdopt, state.ActionRecover, state.ActionUpdate:
		return c.After != nil && c.Will != nil
	case state.ActionReplace:
		return c.Before != nil && c.After != nil && c.Will != nil
	case state.ActionDelete, state.ActionForget:
		return true
	}
	return false
}
