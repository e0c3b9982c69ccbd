package users

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

const listedConflicts = 1000

// user decides about one user by its journal records, by what is recorded of it (nil: nothing) and by its row (nil:
// gone).
func (t *taker) user(ctx context.Context, records []state.Record, rec *state.User, row *providers.User) error {
	t.pauseRefused(records)
	notDone := func(r state.Record) bool { return r.Settled && r.Verdict != state.Done }
	made, taken := t.toTakeBack(slices.DeleteFunc(slices.Clone(records), notDone))
	if !taken || !t.inScope(made[0], rec, row) || isBack(made) {
		return t.stay(records, made, rec, row)
	}
	why, err := t.obstacle(ctx, made, row)
	if err != nil {
		return err
	}
	if !why.IsZero() {
		t.Lost++
		if len(t.Conflicts) < listedConflicts {
			t.Conflicts = append(t.Conflicts, plan.Conflict{User: made[0].User, Why: why})
		}
		return t.stay(records, made, rec, row)
	}
	return t.takeBack(made, tenantOf(made[0], rec, row), row)
}

// pauseRefused pauses the waves of users whom the run that is taken back could not move: the next plan is not to go on
// with them.
func (t *taker) pauseRefused(records []state.Record) {
	u := t.undoing
	if !u.Whole() || u.Retry || u.Kind != state.RunApply {
		return
	}
	for _, r := range records {
		if u.Seeds[r.Run] && r.Settled && r.Verdict == state.Refused && r.Effect.Link {
			t.Pauses[plan.Pause{Wave: r.Wave}] = true
		}
	}
}

// toTakeBack are the records from the first one of a run that is undone, without those that were taken back since.
// taken is false where none of them is of such a run: then there is nothing to take back.
func (t *taker) toTakeBack(made []state.Record) (_ []state.Record, taken bool) {
	ofSeed := func(r state.Record) bool { return t.undoing.Seeds[r.Run] }
	first := slices.IndexFunc(made, ofSeed)
	if first < 0 {
		return made, false
	}
	made = made[first:]
	if t.undoing.Kind == state.RunApply {
		made = sinceTakenBack(made)
	}
	return made, slices.ContainsFunc(made, ofSeed)
}

// stay leaves a user as it is, and notes what it needs.
func (t *taker) stay(records, made []state.Record, rec *state.User, row *providers.User) error {
	if rec != nil {
		t.need(*rec)
		t.needSince(*rec, made)
	}
	return t.leftover(records, rec, row)
}

func tenantOf(oldest state.Record, rec *state.User, row *providers.User) uuid.UUID {
	switch {
	case row != nil:
		return row.Tenant
	case rec != nil:
		return rec.TenantNow
	}
	return oldest.Tenant
}

func (t *taker) inScope(oldest state.Record, rec *state.User, row *providers.User) bool {
	u := t.undoing
	return (len(u.Waves) == 0 || slices.Contains(u.Waves, oldest.Wave)) &&
		(len(u.Tenants) == 0 || slices.Contains(u.Tenants, tenantOf(oldest, rec, row)))
}

// obstacle says why a user cannot be taken back; zero: it can.
func (t *taker) obstacle(ctx context.Context, made []state.Record, row *providers.User) (state.Finding, error) {
	why, err := t.conflict(ctx, made, row)
	if err != nil || !why.IsZero() {
		return why, err
	}
	if why := t.impossible(made); !why.IsZero() {
		return why, nil
	}
	if t.undoing.Kind == state.RunRollback && t.homeless(made, row) {
		return state.Found(state.CodeBelongsElsewhere), nil
	}
	return state.Finding{}, nil
}

// conflict says why a user stays as it is: another link than ours, or no password left to go back to.
func (t *taker) conflict(ctx context.Context, made []state.Record, row *providers.User) (state.Finding, error) {
	oldest, newest := made[0], made[len(made)-1]
	switch {
	case row == nil:
	case row.Link != expectedLink(newest) && row.Link != oldest.Before.Link:
		return state.Found(state.CodeLinkedElsewhere), nil
	case oldest.Before.Link == uuid.Nil && row.Link != uuid.Nil && !row.HasPassword:
		if !hadNoPassword(oldest, row) {
			return state.Found(state.CodeNoPassword), nil
		}
		enrolled, err := t.hasEnrolled(ctx, row.Link)
		if enrolled {
			return state.Found(state.CodeEnrolled), err
		}
		return state.Finding{}, err
	}
	return state.Finding{}, nil
}

// impossible says why a user cannot be moved again by undoing a rollback.
func (t *taker) impossible(made []state.Record) state.Finding {
	// The person is deleted for good if no later record made it again and the recycle bin no longer has it.
	deleted := uuid.Nil
	for _, r := range made {
		switch r.Effect.Act {
		case state.PersonDelete:
			deleted = r.Person
		case state.PersonRevive, state.PersonCreate:
			deleted = uuid.Nil
		}
	}
	if deleted != uuid.Nil && !t.undoing.Recycled[deleted] {
		return state.Found(state.CodePersonDeleted)
	}
	_, left := net(made)
	for _, g := range t.remake(left) {
		if _, there := t.Index.Groups[g]; !there && !t.remakes(g) {
			return state.Found(state.CodeGroupGone)
		}
	}
	return state.Finding{}
}

// leftover adds the deletion of a person that we made for a user who is not moved: one whom an earlier rollback has
// only expired, or whose row changed while it was being moved.
func (t *taker) leftover(records []state.Record, rec *state.User, row *providers.User) error {
	u := t.undoing
	if !u.DeletePersons || rec == nil || !rec.MadePerson || rec.Person == uuid.Nil ||
		row != nil && row.Link == rec.Person ||
		rec.Standing != state.RolledBack && rec.Standing != state.Failed {
		return nil
	}
	if _, used := slices.BinarySearchFunc(t.linked, rec.Person, world.CompareID); used {
		// Another row is linked to the person by now.
		return nil
	}
	i := slices.IndexFunc(records, func(r state.Record) bool { return r.Person == rec.Person })
	if i < 0 || len(u.Waves) > 0 && !slices.Contains(u.Waves, rec.Wave) ||
		len(u.Tenants) > 0 && !slices.Contains(u.Tenants, rec.TenantNow) {
		return nil
	}
	s := plan.Shape{Tenant: rec.TenantNow, Ground: plan.Ground{Relies: providers.ReliesLink, RowGone: row == nil},
		Effect: state.Effect{Act: state.PersonDelete}, After: rec.UserState}
	s.After.Standing, s.After.Asleep = state.RolledBack, false
	return t.add(s, plan.UserChange{User: rec.User, Record: records[i].ID}, row)
}

// takeBack adds the change that undoes the records of a user.
func (t *taker) takeBack(made []state.Record, tenant uuid.UUID, row *providers.User) error {
	oldest, last := made[0], made[len(made)-1]
	joined, left := net(made)
	// Found again after the state was lost, its memberships have no record of being added; they were ours all the same.
	if recovered(oldest) {
		joined = union(joined, oldest.After.Groups)
	}
	// A membership that somebody else has ended is not ours to end: undoing this rollback would give it back.
	joined = slices.DeleteFunc(joined, func(g uuid.UUID) bool {
		return settled(made) && !t.Index.IsMember(last.Person, g)
	})
	s := plan.Shape{
		Tenant: tenant,
		Ground: plan.Ground{Relies: providers.ReliesLink, RowGone: row == nil},
		After:  oldest.After.UserState,
	}
	s.After.Standing, s.After.Wave, s.After.Asleep = state.RolledBack, oldest.Wave, false
	s.Effect.Act, s.Effect.Restore = t.act(made, row), row != nil && writesRow(made)
	join, keep := t.remake(left), []uuid.UUID(nil)
	switch {
	case row == nil:
		// Undoing never gives back to a person whose row is gone.
		join = nil
	case wasMoved(oldest):
		join, joined, keep = t.stayMoved(&s, made, joined, left, row)
	}
	s.Join, s.Leave, s.Keep = t.table.Set(join...), t.table.Set(joined...), t.table.Set(keep...)
	c := plan.UserChange{User: oldest.User, Record: oldest.ID}
	// The first record that changed the address has those that the person held before. A user who is not moved any more
	// keeps the new one: its person expires.
	m := slices.IndexFunc(made, func(r state.Record) bool { return r.Effect.Mail })
	if m >= 0 && s.After.Standing == state.Moved {
		s.Effect.Mail, c.Record = true, made[m].ID
	}
	if t.undoing.Kind == state.RunApply {
		p := plan.Pause{Wave: s.After.Wave}
		if len(t.undoing.Tenants) > 0 {
			p.Tenant = tenant
		}
		t.Pauses[p] = true
	}
	return t.add(s, c, row)
}

// stayMoved fills in how a user stands who was moved before the records as well, and returns its groups.
func (t *taker) stayMoved(
	s *plan.Shape, made []state.Record, joined, left []uuid.UUID, row *providers.User,
) (join, leave, keep []uuid.UUID) {
	before, wave := made[0].Prior, s.After.Wave
	s.After = before.UserState
	s.After.Wave = wave
	join, leave, keep = t.places(*before, joined, left, row)
	// Asleep must say how the person is when this is done: it is what lets a row that is active again wake it (L27).
	sleeps := made[len(made)-1].After.Asleep
	switch {
	case s.After.MadePerson && s.Effect.Act == state.PersonNone:
		s.After.Asleep = sleeps
	case s.After.MadePerson && s.Effect.Act == state.PersonEnable:
		s.After.Asleep = false
	case !s.After.MadePerson && sleeps && (row.Deleted || row.Status != "active"):
		join, s.After.Asleep = nil, true
	}
	for _, g := range union(keep, join) {
		t.Needs.Groups[g]++
	}
	return join, leave, keep
}

// add puts a user's change into the plan.
func (t *taker) add(s plan.Shape, c plan.UserChange, row *providers.User) error {
	if row != nil {
		c.Before = providers.DigestUser(*row, providers.ReliesLink)
		if row.Completed && s.After.Standing == state.RolledBack {
			t.Completed++
		}
	}
	// Opened when its first user comes, so that a wave of which nobody is taken back has no segment.
	n, ok := t.segments[s.After.Wave]
	if !ok {
		n = t.sink.Segment(plan.SegmentRestore, s.After.Wave)
		t.segments[s.After.Wave] = n
		t.Segments = append(t.Segments, n)
	}
	return t.sink.Add(n, s, c)
}

// places are the groups that a user who stays moved joins again, leaves and keeps. It gets back the groups that it has
// left since, as far as its row has a right to them: no group of another tenant (L40), and no admins' group for a user
// who is no longer an admin. A user who would be left in no group of its tenant keeps those that it has, or the
// application would not know where it belongs.
func (t *taker) places(
	before state.User, joined, left []uuid.UUID, row *providers.User,
) (join, leave, keep []uuid.UUID) {
	join = slices.DeleteFunc(t.remake(left), func(g uuid.UUID) bool { return !t.suits(g, row) })
	keep = t.remake(slices.DeleteFunc(slices.Clone(before.Groups),
		func(g uuid.UUID) bool { return slices.Contains(left, g) }))
	home := func(g uuid.UUID) bool { _, mapped := t.admins[[2]uuid.UUID{row.Tenant, g}]; return mapped }
	if !before.Asleep && slices.ContainsFunc(joined, home) && !slices.ContainsFunc(join, home) &&
		!slices.ContainsFunc(keep, home) {
		return join, nil, union(keep, joined)
	}
	return join, joined, slices.DeleteFunc(keep, func(g uuid.UUID) bool { return slices.Contains(join, g) })
}

// suits reports whether a row has a right to be in a group, by what the group is, was or will be mapped as.
func (t *taker) suits(group uuid.UUID, row *providers.User) bool {
	if admins, ours := t.admins[[2]uuid.UUID{row.Tenant, group}]; ours {
		return !admins || isAdmin(row.Role)
	}
	return !t.mapped[group]
}

// homeless reports whether undoing a rollback would move a user again but put it in no group of its tenant.
func (t *taker) homeless(made []state.Record, row *providers.User) bool {
	if !wasMoved(made[0]) || row == nil {
		return false
	}
	joined, left := net(made)
	join, _, keep := t.places(*made[0].Prior, joined, left, row)
	return len(left) > 0 && len(join)+len(keep) == 0
}

func isAdmin(role string) bool { return role == "admin" || role == "super_admin" || role == "owner" }

// remake replaces groups that this rollback makes again by their next generation; the result is sorted.
func (t *taker) remake(groups []uuid.UUID) []uuid.UUID {
	if len(groups) == 0 {
		return nil
	}
	out := make([]uuid.UUID, len(groups))
	for i, g := range groups {
		out[i] = g
		if next, ok := t.remade[g]; ok {
			out[i] = next
		}
	}
	slices.SortFunc(out, world.CompareID)
	return out
}

// remakes says whether this rollback makes a group again.
func (t *taker) remakes(group uuid.UUID) bool {
	for _, next := range t.remade {
		if next == group {
			return true
		}
	}
	return false
}

// act is what undoing does to the person.
func (t *taker) act(made []state.Record, row *providers.User) state.PersonAct {
	act := t.inverse(made, row)
	if act == state.PersonExpire && t.expiredByOthers(made) {
		// Expired by us, it would be enabled again when this is undone.
		return state.PersonNone
	}
	return act
}

// expiredByOthers says whether somebody else has expired a person that is awake by our record.
func (t *taker) expiredByOthers(made []state.Record) bool {
	last := state.PersonNone
	for _, r := range made {
		if r.Effect.Act != state.PersonNone {
			last = r.Effect.Act
		}
	}
	p, there := t.Index.Person(made[len(made)-1].Person)
	return settled(made) && there && p.Expired && last != state.PersonExpire
}

// inverse is the opposite of the first thing that the records did to the person: that alone decides whether it was
// there before.
func (t *taker) inverse(made []state.Record, row *providers.User) state.PersonAct {
	away := state.PersonExpire
	if t.undoing.DeletePersons {
		away = state.PersonDelete
	}
	if recovered(made[0]) {
		return away
	}
	for _, r := range made {
		switch r.Effect.Act {
		case state.PersonCreate:
			if !r.After.MadePerson {
				return state.PersonNone
			}
			return away
		case state.PersonEnable:
			return state.PersonExpire
		case state.PersonExpire:
			// Undoing gives nobody access whom the application gives none: no person of a row that is gone or deleted, or
			// that sleeps because its row is not active, wakes up.
			if row == nil || row.Deleted || row.Status != "active" && r.After.Asleep {
				if !r.Settled && row != nil {
					// The run may have been killed before it came to that.
					return state.PersonExpire
				}
				return state.PersonNone
			}
			return state.PersonEnable
		case state.PersonDelete:
			return state.PersonRevive
		case state.PersonRevive:
			return away
		}
	}
	return state.PersonNone
}
