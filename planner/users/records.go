package users

import (
	"slices"

	"github.com/google/uuid"

	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// The functions of this file judge the journal records of one user, oldest first, by the records alone.

// standing are the records whose changes stand: those that came through, without those that a rollback has taken back
// since. A record and the one that took it back cancel, whatever their runs, and a rollback that is itself taken back
// takes nothing back. Of rollbacks (kind) the records themselves are among them; else they are not.
func standing(records []state.Record, kind state.RunKind) (list []state.Record) {
	undoes := make([]bool, len(records)) // whether a record takes others back
	for i, r := range records {
		undoes[i] = cameToPass(r) && r.Undo != 0 && (kind == state.RunRollback || !isHalf(r) || finished(records[i:])) &&
			(!deletesUnmoved(r) || slices.ContainsFunc(stand(records[:i], undoes, state.RunApply),
				func(before state.Record) bool { return before.ID >= r.Undo }))
	}
	return stand(records, undoes, kind)
}

// stand is standing, where it is known which of the records take others back.
func stand(records []state.Record, undoes []bool, kind state.RunKind) (list []state.Record) {
	taken := make([]bool, len(records))
	// Backwards, so that a record which undid a rollback is met before that.
	for i := len(records) - 1; i >= 0; i-- {
		if undoes[i] && !taken[i] {
			for k := range i {
				taken[k] = taken[k] || records[k].ID >= records[i].Undo
			}
		}
	}
	for i, r := range records {
		gives := r.Undo != 0 || wasMoved(r) || r.After.Standing == state.Moved || kind == state.RunRollback && followsHalf(r)
		if !taken[i] && cameToPass(r) && gives && (kind == state.RunRollback || r.Undo == 0) {
			list = append(list, r)
		}
	}
	return list
}

// isHalf reports whether a record took the row alone back. What it left in Self-auth stands still, and so do the records
// that made it: a rollback that can ask Self-auth takes them back like any others.
func isHalf(r state.Record) bool { return r.After.Standing == state.RowBack }

// followsHalf reports whether a record took away in Self-auth what one of the row alone had left, or a part of that. It belongs
// to that rollback.
func followsHalf(r state.Record) bool {
	return cameToPass(r) && r.Undo == 0 && r.Prior != nil && r.Prior.Standing == state.RowBack && r.After.Standing != state.Moved
}

// finishes reports whether a record took away all of it.
func finishes(r state.Record) bool { return followsHalf(r) && !isHalf(r) }

// finished reports whether what the first of some records left in Self-auth was taken away by a later one.
func finished(records []state.Record) bool { return slices.ContainsFunc(records[1:], finishes) }

// cameToPass says whether a record's change was made.
func cameToPass(r state.Record) bool { return r.Settled && r.Verdict == state.Done }

// deletesUnmoved reports whether a record deleted the person of a user who was not moved. Where nothing stood of that user,
// the person was only left over from an earlier rollback, and the record takes nothing back. A user may have failed to be
// moved again, though, while an earlier move of it stands: then it takes that back like any other.
func deletesUnmoved(r state.Record) bool {
	return r.Effect.Act == state.PersonDelete && !r.Effect.Restore && r.After.Standing != state.Moved &&
		r.Prior != nil && (r.Prior.Standing == state.RolledBack || r.Prior.Standing == state.Failed)
}

// wasMoved says whether the user was moved before a record.
func wasMoved(r state.Record) bool { return r.Prior != nil && r.Prior.Standing == state.Moved }

// hadNoPassword reports whether a user had no password before the oldest record either (L6), and has not logged in
// through Self-auth since: then there is nothing to go back to, and nothing is lost. rec is what is recorded of it; nil:
// nothing. That we have called it completed when we linked it is no login.
func hadNoPassword(oldest state.Record, rec *state.User, row *providers.User) bool {
	in := row.Completed && (rec == nil || providers.Completed(*row, *rec, false))
	return oldest.Effect.Link && oldest.Effect.Method == state.MethodSelfAuth && !in
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

// recovered reports whether a record only wrote down a move that had been done before: under a state that was lost, or before its
// row was gone, which came back as it was. Person and link were ours already.
func recovered(r state.Record) bool {
	fresh := r.Prior == nil || r.Undo == 0 && r.Prior.Standing != state.Moved && r.Prior.Standing != state.RowBack
	return fresh && r.After.MadePerson && r.After.WroteLink && !r.Effect.Link && r.Effect.Act != state.PersonCreate
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

// lastAct is the last thing that the records did to the person.
func lastAct(made []state.Record) (last state.PersonAct) {
	for _, r := range made {
		if r.Effect.Act != state.PersonNone {
			last = r.Effect.Act
		}
	}
	return last
}
