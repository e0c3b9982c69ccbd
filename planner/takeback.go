package planner

import (
	"slices"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// user decides one user from its records.
func (u *undo) user(records []state.Record, rec *state.User, row *providers.User) error {
	made := slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool { return r.Settled && r.Verdict != state.Done })
	first := slices.IndexFunc(made, func(r state.Record) bool { return u.seeds[r.Run] })
	if u.whole() && !u.retry && u.seedKind == state.RunApply {
		for _, r := range records { // of the run that is taken back, nobody is to go on with
			if u.seeds[r.Run] && r.Settled && r.Verdict == state.Refused && r.Effect.Link {
				u.paused[state.Pause{Wave: r.Wave}] = true
			}
		}
	}
	stay := func() error {
		if rec != nil {
			u.need(*rec)
			u.needSince(*rec, made)
		}
		return u.leftover(records, rec, row)
	}
	if first < 0 {
		return stay()
	}
	made = made[first:]
	if u.seedKind == state.RunApply {
		made = sinceTakenBack(made)
		if len(made) == 0 || !slices.ContainsFunc(made, func(r state.Record) bool { return u.seeds[r.Run] }) {
			return stay()
		}
	}
	oldest, newest := made[0], made[len(made)-1]
	tenant := oldest.Tenant
	if rec != nil {
		tenant = rec.TenantNow
	}
	if row != nil {
		tenant = row.Tenant
	}
	if len(u.Waves) > 0 && !slices.Contains(u.Waves, oldest.Wave) || len(u.Tenants) > 0 && !slices.Contains(u.Tenants, tenant) {
		return stay()
	}
	if already(oldest, newest) {
		return stay()
	}
	why, err := u.conflict(newest, oldest, row)
	if err != nil {
		return err
	}
	if why == "" {
		why = u.impossible(made)
	}
	if why == "" && u.seedKind == state.RunRollback && u.homeless(made, row) {
		why = "its tenant or its role has changed since; once the wave goes on, the next plan moves it"
	}
	if why != "" {
		u.lost++
		if len(u.conflicts) < 1000 {
			u.conflicts = append(u.conflicts, ConflictView{User: oldest.User, Reason: why})
		}
		return stay()
	}
	return u.takeBack(made, tenant, row)
}

// sinceTakenBack drops records up to the last one that took the user back and was not undone itself: the user stands
// where it was before them.
func sinceTakenBack(made []state.Record) []state.Record {
	again := 0 // rollbacks that were undone, seen from the end
	for i := len(made) - 1; i >= 0; i-- {
		switch {
		case made[i].Effect.Undo == 0:
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

// impossible says why a user cannot be moved again by undoing a rollback.
func (u *undo) impossible(made []state.Record) string {
	deleted := uuid.Nil
	for _, r := range made {
		switch r.Effect.Act {
		case state.PersonDelete:
			deleted = r.Effect.Person
		case state.PersonRevive, state.PersonCreate:
			deleted = uuid.Nil
		}
	}
	if deleted != uuid.Nil && !u.recycled[deleted] {
		return "its person was deleted; once the wave goes on, the next plan makes a new one"
	}
	_, left := net(made)
	for _, g := range u.remake(left) {
		_, there := u.dir.groups[g]
		if !there && !u.remakes(g) {
			return "a group that it was in is gone; once the wave goes on, the next plan moves it"
		}
	}
	return ""
}

// remakes says whether this rollback makes a group again.
func (u *undo) remakes(group uuid.UUID) bool {
	for _, next := range u.remade {
		if next == group {
			return true
		}
	}
	return false
}

// already says whether the user is back where it was before the oldest record.
func already(oldest, newest state.Record) bool {
	if !newest.Effect.Restore && newest.Effect.Undo == 0 {
		return false
	}
	wasMoved := oldest.Prior != nil && oldest.Prior.Standing == state.Moved
	return (newest.After.Standing == state.Moved) == wasMoved && newest.Run != oldest.Run
}

// conflict says why a user stays as it is: another link than ours, or no password left to go back to.
func (u *undo) conflict(newest, oldest state.Record, row *providers.User) (string, error) {
	if row == nil {
		return "", nil
	}
	switch {
	case row.Link != expectedLink(newest) && row.Link != oldest.Before.Link:
		return "linked to another person since", nil
	case oldest.Before.Link == uuid.Nil && row.Link != uuid.Nil && !row.HasPassword:
		if !hadNone(oldest, row) {
			return "has no password to go back to", nil
		}
		enrolled, err := u.hasEnrolled(row.Link)
		if enrolled {
			return "has no password to go back to, and has enrolled a credential in Self-auth", err
		}
		return "", err
	}
	return "", nil
}

// hadNone says whether a user had no password before either (L6) and has not come in through Self-auth since.
func hadNone(oldest state.Record, row *providers.User) bool {
	return oldest.Effect.Link && oldest.Effect.Method == state.MethodSelfAuth && !row.Completed
}

// hasEnrolled says whether a person has a credential in Self-auth. It is asked of users without a password alone, and all at
// once.
func (u *undo) hasEnrolled(person uuid.UUID) (bool, error) {
	if u.enrolled == nil {
		list, err := u.Directory.Enrolled(u.ctx)
		if err != nil {
			return false, err
		}
		u.enrolled = append([]uuid.UUID{}, list...)
	}
	_, there := slices.BinarySearchFunc(u.enrolled, person, compareID)
	return there, nil
}

// expectedLink is the link that a row has after a record.
func expectedLink(r state.Record) uuid.UUID {
	if r.After.Standing == state.Moved {
		return r.After.Person
	}
	if r.Effect.Restore && r.Prior != nil && !r.Prior.LinkOurs {
		return r.Prior.Person
	}
	return uuid.Nil
}

// leftover adds the deletion of a person that we made for a user who is not moved: one whom an earlier rollback has only
// expired, or whose row changed while it was being moved.
func (u *undo) leftover(records []state.Record, rec *state.User, row *providers.User) error {
	if !u.DeletePersons || rec == nil || !rec.Ours || rec.Standing != state.RolledBack && rec.Standing != state.Failed || rec.Person == uuid.Nil || row != nil && row.Link == rec.Person {
		return nil
	}
	if _, used := slices.BinarySearchFunc(u.linked, rec.Person, compareID); used {
		return nil // another row is linked to it
	}
	i := slices.IndexFunc(records, func(r state.Record) bool { return r.Effect.Person == rec.Person })
	if i < 0 || len(u.Waves) > 0 && !slices.Contains(u.Waves, rec.Wave) || len(u.Tenants) > 0 && !slices.Contains(u.Tenants, rec.TenantNow) {
		return nil
	}
	s := Shape{Tenant: rec.TenantNow, Relies: providers.ReliesLink, RowGone: row == nil, Wave: rec.Wave, Policy: rec.Policy, Act: state.PersonDelete,
		Generation: rec.Generation, Ours: true, LinkOurs: rec.LinkOurs, Standing: state.RolledBack}
	return u.add(s, UserChange{User: rec.User, Record: records[i].ID}, row)
}

// takeBack adds the change that undoes the records of a user.
func (u *undo) takeBack(made []state.Record, tenant uuid.UUID, row *providers.User) error {
	oldest := made[0]
	joined, left := net(made)
	if recovered(oldest) {
		joined = union(joined, oldest.After.Groups)
	}
	// Who was taken out by somebody else does not leave by us: undoing this would let it in again.
	joined = slices.DeleteFunc(joined, func(g uuid.UUID) bool { return settled(made) && !u.dir.isMember(person(made), g) })
	s := Shape{Tenant: tenant, Relies: providers.ReliesLink, RowGone: row == nil, Wave: oldest.Wave, Policy: oldest.After.Policy,
		Join: u.remake(left), Leave: joined, Generation: oldest.After.Generation, Ours: oldest.After.Ours, LinkOurs: oldest.After.LinkOurs,
		Act: u.act(made, row), Restore: row != nil && writesRow(made), Standing: state.RolledBack}
	if row == nil {
		s.Join = nil // undoing never gives back to a person whose row is gone
	}
	if p := oldest.Prior; p != nil && p.Standing == state.Moved && row != nil {
		s.Standing, s.Generation, s.Ours, s.LinkOurs, s.Policy = state.Moved, p.Generation, p.Ours, p.LinkOurs, p.Policy
		s.Join, s.Leave, s.Keep = u.places(*p, joined, left, row)
		s.Away = p.Away
		sleeps := made[len(made)-1].After.Away
		switch {
		case s.Ours && s.Act == state.PersonNone:
			s.Away = sleeps
		case s.Ours && s.Act == state.PersonEnable:
			s.Away = false
		case !s.Ours && sleeps && (row.Deleted || row.Status != "active"):
			s.Join, s.Away = nil, true
		}
		for _, g := range union(s.Keep, s.Join) {
			u.needed[g]++
		}
	}
	c := UserChange{User: oldest.User, Record: oldest.ID}
	if m := slices.IndexFunc(made, func(r state.Record) bool { return r.Effect.Mail }); m >= 0 && s.Standing == state.Moved {
		s.Mail, c.Record = true, made[m].ID // its journal record has the addresses that the person held
	}
	if u.seedKind == state.RunApply {
		if len(u.Tenants) > 0 {
			u.paused[state.Pause{Wave: s.Wave, Tenant: tenant}] = true
		} else {
			u.paused[state.Pause{Wave: s.Wave}] = true
		}
	}
	return u.add(s, c, row)
}

// add puts a user's change into the plan.
func (u *undo) add(s Shape, c UserChange, row *providers.User) error {
	if row != nil {
		c.Before = providers.DigestUser(*row, providers.ReliesLink)
	}
	u.figure(s, row)
	n, ok := u.segments[s.Wave]
	if !ok {
		n = u.sink.Segment(SegmentRestore, s.Wave)
		u.segments[s.Wave] = n
		u.waveOrder = append(u.waveOrder, s.Wave)
	}
	return u.sink.Add(n, s, c)
}

// places are the groups that a user who stays moved joins again, leaves and keeps. What it has left since is given back as
// far as its row has a right to it: no group of another tenant (L40), and no admins' group to who is no admin any more. Who would
// be left in no group of its tenant keeps those that it has, or the application would not know where it belongs.
func (u *undo) places(before state.User, joined, left []uuid.UUID, row *providers.User) (join, leave, keep []uuid.UUID) {
	join = slices.DeleteFunc(u.remake(left), func(g uuid.UUID) bool { return !u.suits(g, row) })
	keep = u.remake(slices.DeleteFunc(slices.Clone(before.Groups), func(g uuid.UUID) bool { return slices.Contains(left, g) }))
	home := func(g uuid.UUID) bool { _, mapped := u.admins[[2]uuid.UUID{row.Tenant, g}]; return mapped }
	if !before.Away && slices.ContainsFunc(joined, home) && !slices.ContainsFunc(join, home) && !slices.ContainsFunc(keep, home) {
		return join, nil, union(keep, joined)
	}
	return join, joined, slices.DeleteFunc(keep, func(g uuid.UUID) bool { return slices.Contains(join, g) })
}

// suits says whether a row has a right to be in a group, by what the group is, was or will be mapped as.
func (u *undo) suits(group uuid.UUID, row *providers.User) bool {
	if admins, ours := u.admins[[2]uuid.UUID{row.Tenant, group}]; ours {
		return !admins || isAdmin(row.Role)
	}
	return !u.mappedAtAll[group]
}

// homeless says whether a user whom undoing a rollback would move again would come into no group of its tenant any more.
func (u *undo) homeless(made []state.Record, row *providers.User) bool {
	p := made[0].Prior
	if p == nil || p.Standing != state.Moved || row == nil {
		return false
	}
	joined, left := net(made)
	join, _, keep := u.places(*p, joined, left, row)
	return len(left) > 0 && len(join)+len(keep) == 0
}

// readAdmins notes whose each group is, and whether it is one of admins: by the mapping table, by what is recorded where somebody has
// deleted a row of that, and by what this rollback restores.
func (u *undo) readAdmins() {
	u.admins, u.mappedAtAll = map[[2]uuid.UUID]bool{}, map[uuid.UUID]bool{}
	note := func(tenant, group uuid.UUID, role state.Role) {
		u.admins[[2]uuid.UUID{tenant, group}] = u.admins[[2]uuid.UUID{tenant, group}] || role == state.RoleAdmin
		u.mappedAtAll[group] = true
	}
	for key, m := range u.rows {
		note(key[0], key[1], m.Role)
	}
	for _, o := range u.State.Objects {
		if o.Kind == state.KindGroup && o.Role() != state.RoleInvalid {
			note(o.Tenant, o.ID, o.Role())
		}
	}
	for _, c := range u.chains {
		was := c.records[0].Before
		if was == nil || was.Kind != state.KindGroup {
			continue
		}
		restored := *was
		restored.Attributes = c.before()
		for _, id := range []uuid.UUID{was.ID, u.remade[was.ID], c.cur.ID} {
			if id != uuid.Nil && restored.Role() != state.RoleInvalid {
				note(was.Tenant, id, restored.Role())
			}
		}
	}
}

// recovered says whether a record only wrote down what a lost state had done: the person and the link are ours.
func recovered(r state.Record) bool {
	return r.Prior == nil && r.After.Ours && r.After.LinkOurs && !r.Effect.Link && r.Effect.Act != state.PersonCreate
}

// settled says whether it is known what the records have come to.
func settled(made []state.Record) bool {
	return !slices.ContainsFunc(made, func(r state.Record) bool { return !r.Settled })
}

func person(made []state.Record) uuid.UUID { return made[len(made)-1].Effect.Person }

// expiredByOthers says whether somebody else has expired a person that is awake by our record.
func (u *undo) expiredByOthers(made []state.Record) bool {
	last := state.PersonNone
	for _, r := range made {
		if r.Effect.Act != state.PersonNone {
			last = r.Effect.Act
		}
	}
	p, there := u.dir.person(person(made))
	return settled(made) && there && p.expired && last != state.PersonExpire
}

// writesRow says whether any of the records wrote the row; memberships alone do not.
func writesRow(made []state.Record) bool {
	return slices.ContainsFunc(made, func(r state.Record) bool {
		return r.Effect.Link || r.Effect.Method != 0 || r.Effect.Done || r.Effect.Restore || recovered(r)
	})
}

func union(a, b []uuid.UUID) []uuid.UUID {
	u := append(slices.Clone(a), b...)
	slices.SortFunc(u, compareID)
	return slices.Compact(u)
}

// net are the memberships that the records added and took away on balance, sorted.
func net(made []state.Record) (joined, left []uuid.UUID) {
	balance := map[uuid.UUID]int{}
	for _, r := range made {
		for _, g := range r.Effect.Join {
			balance[g]++
		}
		for _, g := range r.Effect.Leave {
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
	slices.SortFunc(joined, compareID)
	slices.SortFunc(left, compareID)
	return joined, left
}

func (u *undo) remake(groups []uuid.UUID) []uuid.UUID {
	if len(groups) == 0 {
		return nil
	}
	out := make([]uuid.UUID, len(groups))
	for i, g := range groups {
		out[i] = g
		if next, ok := u.remade[g]; ok {
			out[i] = next
		}
	}
	slices.SortFunc(out, compareID)
	return out
}

// act is what undoing does to the person.
func (u *undo) act(made []state.Record, row *providers.User) state.PersonAct {
	act := u.inverse(made, row)
	if act == state.PersonExpire && u.expiredByOthers(made) {
		return state.PersonNone // or undoing this would wake it
	}
	return act
}

func (u *undo) inverse(made []state.Record, row *providers.User) state.PersonAct {
	if recovered(made[0]) {
		if u.DeletePersons {
			return state.PersonDelete
		}
		return state.PersonExpire
	}
	for _, r := range made {
		switch r.Effect.Act {
		case state.PersonCreate:
			if !r.After.Ours {
				return state.PersonNone
			}
			if u.DeletePersons {
				return state.PersonDelete
			}
			return state.PersonExpire
		case state.PersonEnable:
			return state.PersonExpire
		case state.PersonExpire:
			// Undoing gives no access to whom the application gives none.
			if row == nil || row.Deleted || row.Status != "active" && r.After.Away {
				if !r.Settled && row != nil {
					return state.PersonExpire // it may not have come to that
				}
				return state.PersonNone
			}
			return state.PersonEnable
		case state.PersonDelete:
			return state.PersonRevive
		case state.PersonRevive:
			if u.DeletePersons {
				return state.PersonDelete
			}
			return state.PersonExpire
		}
	}
	return state.PersonNone
}

func (u *undo) figure(s Shape, row *providers.User) {
	e := u.figures[s.Wave]
	if e == nil {
		e = effects{}
		u.figures[s.Wave] = e
	}
	f := e.of(u.world, u.tenantIndex(s.Tenant))
	f.Users++
	f.Join += int64(len(s.Join))
	f.Leave += int64(len(s.Leave))
	admin := func(g uuid.UUID) bool { return u.admins[[2]uuid.UUID{s.Tenant, g}] }
	if slices.ContainsFunc(s.Join, admin) {
		f.GainAdmin++
	}
	if slices.ContainsFunc(s.Leave, admin) {
		f.LoseAdmin++
	}
	switch s.Act {
	case state.PersonExpire:
		f.Expire++
	case state.PersonEnable:
		f.Enable++
	case state.PersonRevive:
		f.Revive++
	case state.PersonDelete:
		f.Delete++
	}
	if s.Mail {
		f.Mail++
	}
	if s.Restore {
		f.Restore++
	}
	if row != nil {
		if isAdmin(row.Role) {
			f.Admins++
		}
		if row.Completed && s.Standing == state.RolledBack {
			f.Used++
		}
	}
}
