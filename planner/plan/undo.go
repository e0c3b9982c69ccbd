package plan

import "anthill/state"

// UndoKind says how a change is taken back by a rollback. The values are stable.
type UndoKind string

// UndoExact: as it was, but for what others have changed since. UndoExpire: the person expires, and keeps the credential
// that it may have by then. UndoRecycled: as it was for RecycleDays days, as long as Self-auth keeps what was deleted;
// after that it is made anew, with another id and without credential or secret. UndoAsked: it stays, unless the rollback is
// told to take it back (-schema). UndoNever: it stays, as nobody is let in again whose row does not ask for it.
const (
	UndoExact    UndoKind = "exact"
	UndoExpire   UndoKind = "expire"
	UndoRecycled UndoKind = "recycled"
	UndoAsked    UndoKind = "asked"
	UndoNever    UndoKind = "never"
)

// RecycleDays is how long Self-auth keeps deleted entries.
const RecycleDays = 7

// UndoKind says how the change of an object is taken back.
func (c ObjectChange) UndoKind() UndoKind {
	entry := c.Kind == state.KindGroup || c.Kind == state.KindClient
	if entry && (c.Action == state.ActionDelete || c.Action == state.ActionReplace) {
		return UndoRecycled
	}
	return UndoExact
}

// UndoKind says how the change of a user in a segment of a kind is taken back.
func (s Shape) UndoKind(kind SegmentKind) UndoKind {
	switch {
	case kind == SegmentWithdraw:
		return UndoNever
	case s.Effect.Act == state.PersonDelete:
		return UndoRecycled
	case s.Effect.Act == state.PersonCreate:
		return UndoExpire
	}
	return UndoExact
}
