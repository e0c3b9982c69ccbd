package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// The functions of this file judge the journal records of one user, oldest first, by the records alone.

// sinceTakenBack drops the records up to the last one that took the user back and was not itself undone: with that, the
// user was where it had been before them.
func sinceTakenBack(made []state.Record) []state.Record {
	// Backwards, so that a record which undid a rollback is met before the one that it undid, and the two cancel out.
	again := 0
	for i := len(made) - 1; i >= 0; i-- {
		switch {
		case made[i].Undo == 0:
		case made[i].After.Standing == state.Moved:
			again++
		case again > 0:
			again--
		default:
			return made[i+1:]
		}
	}
	return made
}

// wasMoved says whether the user was moved before a record.
func wasMoved(r state.Record) bool { return r.Prior != nil && r.Prior.Standing == state.Moved }

// isBack says whether the user is back where it was before the oldest record.
func isBack(made []state.Record) bool {
	oldest, newest := made[0], made[len(made)-1]
	if !newest.Effect.Restore && newest.Undo == 0 {
		return false
	}
	return (newest.After.Standing == state.Moved) == wasMoved(oldest) && newest.Run != oldest.Run
}

// hadNoPassword reports whether a user had no password before the oldest record either (L6), and has not logged in
// through Self-auth since: then there is nothing to go back to, and nothing is lost.
func hadNoPassword(oldest state.Record, row *providers.User) bool {
	return oldest.Effect.Link && oldest.Effect.Method == state.MethodSelfAuth && !row.Completed
}

// expectedLink is the link that a row has after a record.
func expectedLink(r state.Record) uuid.UUID {
	if r.After.Standing == state.Moved {
		return r.After.Person
	}
	if r.Effect.Restore && r.Prior != nil && !r.Prior.WroteLink {
		return r.Prior.Person
	}
	return uuid.Nil
}

// recovered reports whether a record only wrote down what had been done under a state that was lost: person and link
// were ours already.
func recovered(r state.Record) bool {
	return r.Prior == nil && r.After.MadePerson && r.After.WroteLink && !r.Effect.Link &&
		r.Effect.Act != state.PersonCreate
}

// settled reports whether it is known how all the records ended.
func settled(made []state.Record) bool {
	return !slices.ContainsFunc(made, func(r state.Record) bool { return !r.Settled })
}

// writesRow says whether any of the records wrote the row; memberships alone do not.
func writesRow(made []state.Record) bool {
	return slices.ContainsFunc(made, func(r state.Record) bool { return r.Effect.Writes() || recovered(r) })
}

func union(a, b []uuid.UUID) []uuid.UUID {
	u := append(slices.Clone(a), b...)
	slices.SortFunc(u, world.CompareID)
	return slices.Compact(u)
}

// net are the memberships that the records added and took away on balance, sorted.
func net(made []state.Record) (joined, left []uuid.UUID) {
	balance := map[uuid.UUID]int{}
	for _, r := range made {
		for _, g := range r.Join {
			balance[g]++
		}
		for _, g := range r.Leave {
			balance[g]--
		}
	}
	for g, n := range balance {
		switch {
		case n > 0:
			joined = append(joined, g)
		case n < 0:
			left = append(left, g)
		}
	}
	slices.SortFunc(joined, world.CompareID)
	slices.SortFunc(left, world.CompareID)
	return joined, left
}
