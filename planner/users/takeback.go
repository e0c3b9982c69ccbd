package users

import (
	"cmp"
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
	t.pauseRefused(records, rec, row)
	made, taken := t.toTakeBack(records)
	if !taken || !t.inScope(made[0], rec, row) || t.isBack(made, rec) {
		return t.stay(ctx, records, made, rec, row)
	}
	if t.undoing.PostgresOnly {
		return t.rowAlone(made, rec, row)
	}
	why, err := t.obstacle(ctx, made, rec, row)
	if err != nil {
		return err
	}
	if !why.IsZero() {
		t.inConflict(made[0].User, why)
		return t.stay(ctx, records, made, rec, row)
	}
	return t.takeBack(ctx, made, rec, row)
}

// inConflict notes a user who is left as it is.
func (t *taker) inConflict(user uuid.UUID, why state.Finding) {
	t.Lost++
	if len(t.Conflicts) < listedConflicts {
		t.Conflicts = append(t.Conflicts, plan.Conflict{User: user, Why: why})
	}
}

// pauseRefused pauses the waves of users whom the run that is taken back could not move, or raise: the next plan is not to go
// on with them.
func (t *taker) pauseRefused(records []state.Record, rec *state.User, row *providers.User) {
	u := t.undoing
	if u.Retry || u.Kind != state.RunApply {
		return
	}
	moved := rec != nil && rec.Standing == state.Moved
	for _, r := range records {
		if !u.Seeds[r.Run] || r.Verdict != state.Refused || !t.inScope(r, rec, row) {
			continue
		}
		raises := r.Effect.Method == state.MethodSelfAuth && moved && rec.Wave != r.Wave
		if r.Effect.Link && !moved || raises {
			t.pause(r.Wave, scopeOf(r, rec, row))
		}
	}
}

// pause leaves a pause on a wave, or on the tenant in it where only some are taken back (L23). Of a step it is one of
// all steps: whoever was moved in it may be in another one by the next plan.
func (t *taker) pause(wave string, tenant uuid.UUID) {
	p := plan.Pause{Wave: state.WholeWave(wave)}
	if len(t.undoing.Tenants) > 0 {
		p.Tenant = tenant
	}
	t.Pauses[p] = true
}

// toTakeBack are the records that stand, from the first one of a run that is undone on. taken is false where none of
// them is of such a run: then there is nothing to take back.
func (t *taker) toTakeBack(records []state.Record) (made []state.Record, taken bool) {
	u := t.undoing
	ofSeed := func(r state.Record) bool {
		// A user whom a later wave has raised goes back to how the earlier one had moved it.
		return u.Seeds[r.Run] && (len(u.Waves) == 0 || u.of(r.Wave))
	}
	made = standing(records, t.undoing.Kind)
	first := slices.IndexFunc(made, ofSeed)
	if first < 0 {
		return made, false
	}
	return made[first:], true
}

// isBack says whether a user whom a rollback took back is moved again, by whichever run: undoing that has nothing to
// do.
func (t *taker) isBack(made []state.Record, rec *state.User) bool {
	return t.undoing.Kind == state.RunRollback && made[0].After.Standing != state.Moved &&
		rec != nil && rec.Standing == state.Moved
}

// stay leaves a user as it is, and notes what it needs.
func (t *taker) stay(
	ctx context.Context, records, made []state.Record, rec *state.User, row *providers.User,
) error {
	if rec != nil {
		t.need(*rec, row)
		t.needSince(*rec, made, row)
	}
	return t.leftover(ctx, records, rec, row)
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
	return (len(u.Waves) == 0 || u.of(oldest.Wave)) &&
		(len(u.Tenants) == 0 || slices.Contains(u.Tenants, scopeOf(oldest, rec, row)))
}

// scopeOf is the tenant with which a user is taken back: the one that it is recorded for, until a run has followed
// its row to another.
func scopeOf(oldest state.Record, rec *state.User, row *providers.User) uuid.UUID {
	if rec != nil && rec.Standing == state.Moved {
		return rec.Tenant
	}
	return tenantOf(oldest, rec, row)
}

// obstacle says why a user cannot be taken back; zero: it can.
func (t *taker) obstacle(
	ctx context.Context, made []state.Record, rec *state.User, row *providers.User,
) (state.Finding, error) {
	if why := t.hidden(made, rec, row); !why.IsZero() {
		return why, nil
	}
	why, err := t.conflict(ctx, made, rec, row)
	if err != nil || !why.IsZero() {
		return why, err
	}
	if why := t.impossible(made, row); !why.IsZero() {
		return why, nil
	}
	if t.undoing.Kind == state.RunRollback && wasMoved(made[0]) && row != nil {
		return t.unasked(made, row), nil
	}
	return state.Finding{}, nil
}

// unasked says why a user is not moved again by undoing a rollback: its row does not ask for what it would get. Zero:
// it does.
func (t *taker) unasked(made []state.Record, row *providers.User) state.Finding {
	c := t.claim(made, row)
	if !c.Linked {
		return state.Found(state.CodeNotLinkedThen)
	}
	if t.inverse(made) == state.PersonRevive && !c.Gains() {
		return state.Found(state.CodeRowInactive)
	}
	_, left := net(made)
	if c.Gains() && len(left) > 0 && !slices.ContainsFunc(t.remake(left), func(g uuid.UUID) bool { return t.asks(c, g) }) {
		return state.Found(state.CodeBelongsElsewhere)
	}
	return state.Finding{}
}

// hidden says that a user's memberships cannot be seen, and so not be taken back: those of its tenant, or one that is
// recorded. To count them as ended would forget them.
func (t *taker) hidden(made []state.Record, rec *state.User, row *providers.User) state.Finding {
	if len(t.Index.Hidden) == 0 {
		return state.Finding{}
	}
	groups := []uuid.UUID{}
	if rec != nil {
		groups = append(groups, rec.Groups...)
	}
	for _, r := range made {
		groups = slices.Concat(groups, r.Join, r.Leave, r.After.Groups)
	}
	i := t.TenantIndex(tenantOf(made[0], rec, row))
	if g := slices.IndexFunc(groups, func(g uuid.UUID) bool { return t.Index.Hidden[g] != "" }); g >= 0 {
		return state.About(state.CodeGroupHidden, state.OfGroup(t.Index.Hidden[groups[g]]))
	}
	if t.Hidden[i] {
		return state.Found(state.CodeTenantHidden)
	}
	return state.Finding{}
}

// conflict says why a user stays as it is: another link than ours, or no password left to go back to.
func (t *taker) conflict(
	ctx context.Context, made []state.Record, rec *state.User, row *providers.User,
) (state.Finding, error) {
	oldest, newest := made[0], made[len(made)-1]
	switch {
	case row == nil:
	case row.Link != expectedLink(newest) && row.Link != oldest.Before.Link:
		return state.Found(state.CodeLinkedElsewhere), nil
	case oldest.Before.Link == uuid.Nil && row.Link != uuid.Nil && !row.CanPassword:
		// A hash that lets nobody in stays where it is: what counts then is only what the user has by now.
		if !row.HasPassword && !hadNoPassword(oldest, rec, row) {
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
func (t *taker) impossible(made []state.Record, row *providers.User) state.Finding {
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
	switch {
	case deleted == uuid.Nil:
	case !t.undoing.Recycled[deleted]:
		return state.Found(state.CodePersonDeleted)
	case t.inverse(made) != state.PersonRevive:
		return state.Found(state.CodePersonDeletedSince)
	}
	if row == nil || !wasMoved(made[0]) {
		return state.Finding{}
	}
	// Only of groups that it would join again does it matter whether they are there.
	c := t.claim(made, row)
	_, left := net(made)
	for _, g := range t.remake(left) {
		if _, there := t.Index.Groups[g]; !there && !t.remakes(g) && c.Gains() && t.asks(c, g) {
			return state.Found(state.CodeGroupGone)
		}
	}
	return state.Finding{}
}

// leftover adds the deletion of a person that we made for a user who is not moved: one whom an earlier rollback has
// only expired, or whose row changed while it was being moved.
func (t *taker) leftover(
	ctx context.Context, records []state.Record, rec *state.User, row *providers.User,
) error {
	u := t.undoing
	if !u.DeletePersons || rec == nil || !rec.MadePerson || rec.Person == uuid.Nil ||
		row != nil && row.Link == rec.Person ||
		rec.Standing != state.RolledBack && rec.Standing != state.Failed {
		return nil
	}
	// Another row may be linked to the person by now.
	if others, err := t.holders(ctx, rec.Person); err != nil || len(others) > 0 {
		return err
	}
	i := slices.IndexFunc(records, func(r state.Record) bool { return r.Person == rec.Person })
	if i < 0 || len(u.Waves) > 0 && !u.of(rec.Wave) ||
		len(u.Tenants) > 0 && !slices.Contains(u.Tenants, rec.TenantNow) {
		return nil
	}
	s := plan.Shape{Tenant: rec.TenantNow, Ground: plan.Ground{Relies: providers.ReliesLink, RowGone: row == nil},
		Effect: state.Effect{Act: state.PersonDelete}, After: rec.UserState}
	s.After.Standing, s.After.Asleep = state.RolledBack, false
	s.Ground.Unrecorded = true // the person alone is forgotten
	return t.add(s.After.Wave, s, plan.UserChange{User: rec.User, Record: records[i].ID}, rec, row)
}

// takeBack adds the change that undoes the records of a user.
func (t *taker) takeBack(ctx context.Context, made []state.Record, rec *state.User, row *providers.User) error {
	oldest, last := made[0], made[len(made)-1]
	tenant := tenantOf(oldest, rec, row)
	joined, left := net(made)
	// Found again after the state was lost, its memberships have no record of being added; they were ours all the same.
	if recovered(oldest) {
		joined = union(joined, oldest.After.Groups)
	}
	// A membership that somebody else has ended is not ours to end: undoing this rollback would give it back.
	joined = slices.DeleteFunc(joined, func(g uuid.UUID) bool {
		return !t.Index.IsMember(last.Person, g)
	})
	s := plan.Shape{
		Tenant: tenant,
		Ground: plan.Ground{Relies: providers.ReliesLink, RowGone: row == nil},
		After:  oldest.After.UserState,
	}
	s.After.Standing, s.After.Wave, s.After.Asleep = state.RolledBack, oldest.Wave, false
	s.Effect.Act, s.Effect.Restore = t.act(made, rec), row != nil && writesRow(made) && !rowIsBack(oldest, rec, row)
	if s.Effect.Restore {
		t.restored = &oldest.Before
	}
	var join, keep []uuid.UUID
	switch {
	case row != nil && wasMoved(oldest):
		join, joined, keep = t.stayMoved(&s, made, joined, left, row)
	default:
		// Nobody who is not moved is given anything, and nothing of ours stays with its person.
		s.Effect.Act = takingAway(s.Effect.Act, !wasMoved(oldest))
		joined = union(joined, t.ourMemberships(last.Person, rec, s.After.MadePerson))
		if row == nil || row.Link != last.Person {
			var err error
			if joined, err = t.leaveToOthers(ctx, &s, last.Person, joined); err != nil {
				return err
			}
		}
	}
	if p, there := t.Index.Person(last.Person); there && p.Expired && s.Effect.Act == state.PersonExpire {
		t.Asleep++
	}
	t.countAdmin(s, last.Person, join, joined, row)
	if row != nil {
		if err := t.countWay(ctx, &s, oldest.Before, last.Person, join, joined, row); err != nil {
			return err
		}
	}
	s.Join, s.Leave, s.Keep = t.table.Set(join...), t.table.Set(joined...), t.table.Set(keep...)
	s.Ground.Unrecorded = rec != nil && !s.Effect.Writes() && t.table.Unrecorded(s, rec.UserState, rec.Groups)
	c := plan.UserChange{User: oldest.User, Record: oldest.ID}
	// The first record that changed the address has those that the person held before. A user who is not moved any more
	// keeps the new one: its person expires.
	m := slices.IndexFunc(made, func(r state.Record) bool { return r.Effect.Mail || r.Effect.Release })
	if m >= 0 && s.After.Standing == state.Moved {
		var err error
		if s.Effect.Mail, c.Mails, err = t.addressBack(ctx, made[m], last.Person, row); err != nil {
			return err
		}
	}
	if t.undoing.Kind == state.RunApply {
		t.pause(oldest.Wave, scopeOf(oldest, rec, row))
	}
	if s.After.Standing != state.Moved && t.undoing.Codes[oldest.User] {
		used, err := t.hasUsed(ctx, last.Person)
		if err != nil {
			return err
		}
		if !used {
			t.Codes++
		}
	}
	return t.add(oldest.Wave, s, c, rec, row)
}

// addressBack says which addresses a person gets who stays moved: those that it had before a record, unless another live row or
// another person has one of them by now. Who would be left with none gets that of its row then (mails is 0), if nobody else has it.
func (t *taker) addressBack(
	ctx context.Context, before state.Record, person uuid.UUID, row *providers.User,
) (gives bool, mails int64, err error) {
	user := before.User
	free := true
	for _, m := range before.Mails {
		is, err := t.isFree(ctx, m, user, person)
		if err != nil {
			return false, 0, err
		}
		free = free && is
	}
	if free {
		return true, before.ID, nil
	}
	t.Kept++
	if p, _ := t.Index.Person(person); p.Mail != 0 || row == nil || row.Deleted || !world.MailFits(row.Email) {
		return false, 0, nil
	}
	gives, err = t.isFree(ctx, row.Email, user, person)
	return gives, 0, err
}

// isFree reports whether no other person holds an address, and no other live row. The first question reads all rows; it is only
// asked where a run has changed addresses.
func (t *taker) isFree(ctx context.Context, mail string, user, person uuid.UUID) (bool, error) {
	h := t.Index.Hash(mail)
	for holder := range t.Index.MailHolders(h) {
		if holder != person {
			return false, nil
		}
	}
	if t.addressed == nil {
		t.addressed = []addressed{}
		for row, err := range t.Database.Users(ctx) {
			if err != nil {
				return false, err
			}
			i := t.TenantIndex(row.Tenant)
			if !row.Deleted && i >= 0 && !t.Tenants[i].Deleted {
				t.addressed = append(t.addressed, addressed{t.Index.Hash(row.Email), row.ID})
			}
		}
		slices.SortFunc(t.addressed, func(a, b addressed) int { return cmp.Compare(a.mail, b.mail) })
	}
	i, _ := slices.BinarySearchFunc(t.addressed, h, func(a addressed, h uint64) int { return cmp.Compare(a.mail, h) })
	for ; i < len(t.addressed) && t.addressed[i].mail == h; i++ {
		if t.addressed[i].user != user {
			return false, nil
		}
	}
	return true, nil
}

// leaveToOthers leaves a person its login, and the groups that they ask for, where other rows are linked to it by now. It
// returns the groups that it leaves.
func (t *taker) leaveToOthers(
	ctx context.Context, s *plan.Shape, person uuid.UUID, leave []uuid.UUID,
) ([]uuid.UUID, error) {
	others, err := t.holders(ctx, person)
	if err != nil || len(others) == 0 {
		return leave, err
	}
	if s.Effect.Act == state.PersonDelete || slices.ContainsFunc(others, func(h holder) bool { return h.active }) {
		s.Effect.Act = state.PersonNone
	}
	return slices.DeleteFunc(leave, func(g uuid.UUID) bool {
		rule, judged := t.rules[g]
		return judged && slices.ContainsFunc(others, func(h holder) bool {
			return h.tenant >= 0 && t.Tenants[h.tenant].ID == rule.Tenant && rule.Members.Has(h.role)
		})
	}), nil
}

// stayMoved fills in how a user stands who was moved before the records as well, and returns its groups. What gives
// something (a login, groups) is given only where the row asks for it now, and relies on that.
func (t *taker) stayMoved(
	s *plan.Shape, made []state.Record, joined, left []uuid.UUID, row *providers.User,
) (join, leave, keep []uuid.UUID) {
	before, wave := made[0].Prior, s.After.Wave
	s.After = before.UserState
	if made[0].After.Policy == before.Policy {
		s.After.Wave = wave
	}
	c := t.claim(made, row)
	// A membership that was recorded before, and that the records only gave back, stays.
	joined = slices.DeleteFunc(joined, func(g uuid.UUID) bool {
		was, back := t.undoing.Objects.Back()[g]
		return slices.Contains(before.Groups, g) || back && slices.Contains(before.Groups, was)
	})
	join, leave, keep = t.places(c, *before, joined, left)
	// Asleep must say how the person is when this is done: it is what lets a row that is active again wake it (L27).
	p, there := t.Index.Person(before.Person)
	byOthers := s.After.MadePerson && p.Expired && !p.Closed
	sleeps := !byOthers && (made[len(made)-1].After.Asleep || lastAct(made) == state.PersonExpire)
	followsRow := s.Effect.Act == state.PersonExpire
	switch act := s.Effect.Act; {
	case act == state.PersonExpire && c.Presence() == plan.PresenceEnabled:
		// Whoever stays moved and has an active row keeps its login: it was asleep as its row was not active then, or as a run
		// that was stopped had left it.
		s.Effect.Act, s.After.Asleep = state.PersonNone, there && p.Expired
		if there && !p.Expired {
			t.Awake++
		}
	case act == state.PersonEnable && (!c.Gains() || c.Presence() != plan.PresenceEnabled):
		s.Effect.Act, s.After.Asleep = state.PersonNone, true
	case s.After.MadePerson && act == state.PersonNone:
		s.After.Asleep = sleeps
	case s.After.MadePerson && act != state.PersonExpire:
		s.After.Asleep = false
	case !s.After.MadePerson && sleeps && !c.Active:
		s.After.Asleep = true
	}
	if len(join) > 0 || followsRow || s.Effect.Act == state.PersonEnable || s.Effect.Act == state.PersonRevive {
		s.Ground.Relies = providers.ReliesMember
	}
	// Also what its row asks for besides.
	var asked []uuid.UUID
	if c.Linked {
		asked = slices.DeleteFunc(slices.Clone(t.askedOf(before.Person, row)), func(g uuid.UUID) bool {
			return slices.Contains(leave, g)
		})
	}
	for _, g := range union(union(keep, join), asked) {
		t.Needs.Groups[g]++
	}
	return join, leave, keep
}

// claim is what says where the person of a user belongs who stays moved, or is moved again: as recorded then, by its
// row now.
func (t *taker) claim(made []state.Record, row *providers.User) plan.Claim {
	i, before, link := t.TenantIndex(row.Tenant), made[0].Prior, row.Link
	if writesRow(made) {
		link = made[0].Before.Link // which comes back
	}
	return plan.Claim{
		Standing: state.Moved,
		Ours:     before.MadePerson,
		Linked:   link != uuid.Nil && link == before.Person,
		Active:   !row.Deleted && row.Status == "active",
		Live:     i >= 0 && t.Tenants[i].Live(),
		Tenant:   row.Tenant,
		Role:     row.Role,
		Follow:   true,
	}
}

// asks reports whether a person belongs in a group, by the rule that is recorded or restored.
func (t *taker) asks(c plan.Claim, group uuid.UUID) bool {
	rule, known := t.rules[group]
	return known && c.In(rule)
}

// ourMemberships are the groups that a person is in and that are ours to end: those that we added, and of a person
// that we made all in which a rule says who belongs.
func (t *taker) ourMemberships(person uuid.UUID, rec *state.User, made bool) (list []uuid.UUID) {
	for _, m := range t.Index.MemberOf(person) {
		group := t.Index.IDs[m.Group]
		_, judged := t.rules[group]
		if added := rec != nil && slices.Contains(rec.Groups, group); !m.Nested && (added || made && judged) {
			list = append(list, group)
		}
	}
	return list
}

// add puts a user's change into the plan, among those who are taken back from a wave. Who was raised by it stays moved under an
// earlier one.
func (t *taker) add(wave string, s plan.Shape, c plan.UserChange, rec *state.User, row *providers.User) error {
	if row == nil && rec != nil {
		c.Before = providers.DigestGone(*rec)
	}
	if row != nil {
		live := *row
		i := t.TenantIndex(row.Tenant)
		live.TenantLive = i >= 0 && t.Tenants[i].Live()
		c.Before = providers.DigestUser(live, s.Ground.Relies, rec)
		// No configuration says whether we have completed users on link, but since when they are linked is recorded.
		if rec != nil && providers.Completed(*row, *rec, false) && s.After.Standing == state.RolledBack {
			t.Completed++
		}
	}
	// Opened when its first user comes, so that a wave of which nobody is taken back has no segment.
	n, ok := t.segments[wave]
	if !ok {
		n = t.sink.Segment(plan.SegmentRestore, wave)
		t.segments[wave] = n
		t.Segments = append(t.Segments, n)
	}
	return t.sink.Add(n, s, c)
}

// places are the groups that a user who stays moved joins again, leaves and keeps. It gets back the groups that it has
// left since, as far as its row asks for them now. A user who would be left in no group that its row asks for keeps
// those that it has, or the application would not know where it belongs.
func (t *taker) places(c plan.Claim, before state.User, joined, left []uuid.UUID) (join, leave, keep []uuid.UUID) {
	asked := func(g uuid.UUID) bool { return t.asks(c, g) }
	if c.Gains() {
		join = slices.DeleteFunc(t.remake(left), func(g uuid.UUID) bool { return !asked(g) })
	}
	keep = t.remake(slices.DeleteFunc(slices.Clone(before.Groups),
		func(g uuid.UUID) bool { return slices.Contains(left, g) }))
	leave = joined
	stay := func(g uuid.UUID) bool {
		return asked(g) && t.Index.IsMember(before.Person, g) && !slices.Contains(joined, g)
	}
	if !slices.ContainsFunc(join, asked) && !slices.ContainsFunc(keep, stay) {
		leave = slices.DeleteFunc(slices.Clone(joined), asked)
	}
	stays := slices.DeleteFunc(slices.Clone(joined), func(g uuid.UUID) bool { return slices.Contains(leave, g) })
	keep = slices.DeleteFunc(union(keep, stays), func(g uuid.UUID) bool { return slices.Contains(join, g) })
	return join, leave, keep
}

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
func (t *taker) act(made []state.Record, rec *state.User) state.PersonAct {
	act := t.inverse(made)
	if (act == state.PersonExpire || act == state.PersonEnable) && t.expiredByOthers(made, rec) {
		// They meant it. Expired by us, it would be enabled again when this is undone.
		return state.PersonNone
	}
	return act
}

// expiredByOthers says whether somebody else has expired a person: since we did, or though it is awake by our record.
func (t *taker) expiredByOthers(made []state.Record, rec *state.User) bool {
	p, there := t.Index.Person(made[len(made)-1].Person)
	byUs := lastAct(made) == state.PersonExpire || rec != nil && rec.Asleep
	return there && p.Expired && (!p.Closed || !byUs)
}

// takingAway is an act that gives nothing, else none. A person that was expired before it was deleted comes back so,
// with its credential.
func takingAway(a state.PersonAct, expired bool) state.PersonAct {
	if (state.Effect{Act: a}).TakesAway() || a == state.PersonRevive && expired {
		return a
	}
	return state.PersonNone
}

// inverse is the opposite of the first thing that the records did to the person: that alone decides whether it was
// there before.
func (t *taker) inverse(made []state.Record) state.PersonAct {
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
			return state.PersonEnable
		case state.PersonDelete:
			return state.PersonRevive
		case state.PersonRevive:
			return away
		}
	}
	return state.PersonNone
}
