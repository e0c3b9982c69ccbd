package users

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Undoing says what is to be taken back.
type Undoing struct {
	From          []string           // runs whose records are folded, oldest first
	Seeds         map[string]bool    // runs that a user must have a record of to be taken back
	Kind          state.RunKind      // of the seeds
	Waves         []string           // narrowed to; nil: all
	Tenants       []uuid.UUID        // narrowed to; nil: all
	DeletePersons bool               // instead of expiring them
	PostgresOnly  bool               // rows alone are taken back; of Self-auth nothing is known
	Retry         bool               // the runs were undone already, but for what was left then
	Recycled      map[uuid.UUID]bool // deleted entries that can be brought back
	Objects       *objects.Folded    // what the runs did to objects
	Codes         map[uuid.UUID]bool // users who were sent a one-time code that may not have ended
	Schema        *Weigh             // count who would still need the columns of the dual schema; nil: they stay
}

// Weigh says how to count who needs the columns of the dual schema.
type Weigh struct {
	Rows    func(context.Context) iter.Seq2[providers.UserRow, error] // those of Database.Users
	Since   time.Time                                                 // as of providers.NeedsSchema
	Columns bool                                                      // they are there; else only passwords are needed
	Invited map[uuid.UUID]time.Time                                   // users whose time of invitation a run has written, as far as it stands
}

// of reports whether a wave, or the wave that it is a step of, is among those that are taken back.
func (u Undoing) of(wave string) bool {
	return slices.ContainsFunc(u.Waves, func(name string) bool { return state.InWave(wave, name) })
}

// Whole says whether the runs are taken back as they are, objects included.
func (u Undoing) Whole() bool { return len(u.Waves) == 0 && len(u.Tenants) == 0 }

// Journal are the streams that a rollback folds, beside the rows.
type Journal struct {
	Records  func(ctx context.Context, runs []string) iter.Seq2[state.Record, error] // state.Store.Records
	Recorded func(context.Context) iter.Seq2[state.User, error]                      // state.Store.Users
}

// TakenBack is what taking users back comes to; their changes are in the sink.
type TakenBack struct {
	Segments  []int               // one a wave, in the order in which they were met
	Needs     objects.Needs       // what those who stay moved need
	Pauses    map[plan.Pause]bool // left behind
	Conflicts []plan.Conflict     // the first thousand
	Lost      int64               // conflicts in all
	Completed int64               // users taken back who have logged in through Self-auth
	Asleep    int64               // persons to be expired who are expired by now
	Awake     int64               // persons whom the runs woke, and who stay so
	Kept      int64               // users whose earlier addresses others have by now
	Codes     int64               // users taken back who may still use a one-time code: they have no credential, as far as that is known
	Admins    []Admins            // of each tenant, by index of the world's tenants
	ways      ways
	Schema    Weighed // with Undoing.Schema
}

// Weighed are the rows of users as they will be.
type Weighed struct {
	Needing providers.Needing // the columns of the dual schema
	Values  map[string]int64  // rows that hold another value than a new row does, by SchemaColumn.Key
}

// TakeBack decides how each user is taken back: to the before-image of the oldest of its records, as far as the row is
// still as our newest one left it.
//
// Errors: what reading the streams, the directory or the sink says; the changes in the sink are then of no use.
func TakeBack(
	ctx context.Context, o *world.Observed, u Undoing, j Journal, table *plan.Table, sink plan.Sink,
) (*TakenBack, error) {
	t := &taker{Observed: o, undoing: u, sink: sink, table: table, segments: map[string]int{}, remade: u.Objects.Remade(),
		goes: u.Objects.Goes(), asked: map[[2]string][]uuid.UUID{}}
	t.Schema.Values = map[string]int64{}
	t.Pauses, t.Admins = map[plan.Pause]bool{}, make([]Admins, len(o.Tenants))
	t.Needs = objects.Needs{
		Groups:   map[uuid.UUID]int64{},
		Since:    map[uuid.UUID]int64{},
		Live:     make([]int64, len(o.Tenants)),
		Refers:   make([]int64, len(o.Tenants)),
		Recycled: u.Recycled,
	}
	t.readRules()
	t.readAdmins()
	t.pauseAgain()
	if err := t.merge(ctx, j); err != nil {
		return nil, err
	}
	t.Needs.Pauses = len(t.Pauses) > 0
	return &t.TakenBack, nil
}

// taker takes users back one by one.
type taker struct {
	TakenBack
	*world.Observed
	undoing  Undoing
	sink     plan.Sink
	table    *plan.Table
	segments map[string]int            // by wave
	remade   map[uuid.UUID]uuid.UUID   // groups that were deleted -> their next generation, where that is or was undone
	goes     map[uuid.UUID]bool        // groups that are ours no more if nobody needs them
	rules    map[uuid.UUID]plan.Group  // groups of ours with a members' rule, as recorded or restored
	asked    map[[2]string][]uuid.UUID // by tenant and role: the groups that such a row asks for, sorted
	admins   map[[2]uuid.UUID]bool     // tenant and group of it -> whether it is one of admins
	holding  struct {                  // see holders
		read bool
		rows []holder // sorted by person
	}
	addressed []addressed  // of all live rows, sorted by address; nil: not asked yet
	enrolled  []uuid.UUID  // persons with a credential, sorted; nil: not asked yet
	unseen    bool         // the account may not see who has one
	image     state.Image  // with Undoing.Schema: of the row in hand
	restored  *state.Image // what this rollback makes of it; nil: it stays
}

// readRules notes who belongs in each group of ours, as recorded, or as this rollback restores it.
func (t *taker) readRules() {
	t.rules = map[uuid.UUID]plan.Group{}
	note := func(id, tenant uuid.UUID, m state.Members) {
		if m.Declared() {
			t.rules[id] = plan.Group{ID: id, Tenant: tenant, Members: m}
		}
	}
	for _, o := range t.State.Objects {
		if o.Kind == state.KindGroup {
			note(o.ID, o.Tenant, o.Members)
		}
	}
	for _, r := range t.undoing.Objects.Restored() {
		for _, id := range r.IDs {
			delete(t.rules, id) // also where the rule that is taken back was the first
			note(id, r.Tenant, r.Members)
		}
	}
}

// readAdmins notes which groups are ones of admins: by the mapping table, by what is recorded where somebody has deleted a
// row of that, and by what this rollback restores.
func (t *taker) readAdmins() {
	t.admins = map[[2]uuid.UUID]bool{}
	note := func(tenant, group uuid.UUID, role state.Role) {
		key := [2]uuid.UUID{tenant, group}
		t.admins[key] = t.admins[key] || role == state.RoleAdmin
	}
	// Whoever says that a group is one of admins is believed.
	for _, m := range t.Mappings() {
		note(m.Tenant, m.Group, m.Role)
	}
	for _, o := range t.State.Objects {
		if o.Kind == state.KindGroup {
			note(o.Tenant, o.ID, o.Role())
		}
	}
	for _, r := range t.undoing.Objects.Restored() {
		for _, id := range r.IDs {
			note(r.Tenant, id, r.Role)
		}
	}
}

// pauseAgain takes over the pauses of a rollback that is tried again, or gone on with: objects that go now wait for the
// same waves.
func (t *taker) pauseAgain() {
	if !t.undoing.Whole() {
		return
	}
	for _, p := range t.State.Pauses {
		i := slices.IndexFunc(t.State.Runs, func(r state.RunInfo) bool { return r.ID == p.Run })
		if i >= 0 && slices.ContainsFunc(t.State.Runs[i].Undoes, func(id string) bool { return t.undoing.Seeds[id] }) {
			t.Pauses[plan.Pause{Wave: p.Wave, Tenant: p.Tenant}] = true
		}
	}
}

// holder is a row that is linked to a person.
type holder struct {
	person uuid.UUID
	tenant int32 // index
	role   string
	active bool
}

// addressed is a live row by the hash of its address.
type addressed struct {
	mail uint64
	user uuid.UUID
}

// holders are the rows that are linked to a person and are not deleted. The first question reads all rows: it is asked of
// a user whose own row is not linked to the person any more, and there are few of those.
func (t *taker) holders(ctx context.Context, person uuid.UUID) ([]holder, error) {
	if !t.holding.read {
		roles := map[string]string{}
		for row, err := range t.Database.Users(ctx) {
			if err != nil {
				return nil, err
			}
			if row.Link == uuid.Nil || row.Deleted {
				continue
			}
			if _, known := roles[row.Role]; !known {
				roles[row.Role] = row.Role // one string for all rows
			}
			t.holding.rows = append(t.holding.rows,
				holder{row.Link, int32(t.TenantIndex(row.Tenant)), roles[row.Role], row.Status == "active"})
		}
		slices.SortFunc(t.holding.rows, func(a, b holder) int { return world.CompareID(a.person, b.person) })
		t.holding.read = true
	}
	rows := t.holding.rows
	from, _ := slices.BinarySearchFunc(rows, person, func(h holder, id uuid.UUID) int { return world.CompareID(h.person, id) })
	to := from
	for to < len(rows) && rows[to].person == person {
		to++
	}
	return rows[from:to], nil
}

// stream is an ordered stream with its next value in hand.
type stream[T any] struct {
	next  func() (T, error, bool)
	value T
	err   error
	more  bool
}

func pull[T any](seq iter.Seq2[T, error]) (*stream[T], func()) {
	next, stop := iter.Pull2(seq)
	s := &stream[T]{next: next}
	s.advance()
	return s, stop
}

func (s *stream[T]) advance() { s.value, s.err, s.more = s.next() }

// there says whether a value is in hand.
func (s *stream[T]) there() bool { return s.more && s.err == nil }

// merge meets each user's records, what is recorded of it and its row, all streams being in the order of tenant id,
// user id.
func (t *taker) merge(ctx context.Context, j Journal) error {
	rows, stop := pull(t.rows(ctx))
	defer stop()
	users, stopUsers := pull(j.Recorded(ctx))
	defer stopUsers()
	err := grouped(j.Records(ctx, t.undoing.From), func(records []state.Record) error {
		first := records[0]
		// Recorded users and rows that come before this one have no record in the runs. They are only counted: for what
		// they need, and for their tenants.
		for users.there() && users.value.User != first.User &&
			!less(first.TenantNow, first.User, users.value.TenantNow, users.value.User) {
			t.need(users.value, t.rowOf(rows, users.value))
			users.advance()
		}
		var rec *state.User
		if users.there() && users.value.User == first.User {
			held := users.value
			rec = &held
			users.advance()
		}
		var row *providers.User
		if there := t.rowAt(rows, first.TenantNow, first.User); there != nil {
			held := *there
			row = &held
		}
		if users.err != nil {
			return users.err
		}
		if rows.err != nil {
			return rows.err
		}
		return t.user(ctx, records, rec, row)
	})
	if err != nil {
		return err
	}
	for ; users.there(); users.advance() {
		t.need(users.value, t.rowOf(rows, users.value))
	}
	for rows.there() {
		t.passRow(rows)
	}
	if users.err != nil {
		return users.err
	}
	return rows.err
}

// rowAt passes the rows before the place of a user and returns its row, nil where there is none. The row is good until the
// next call. It is not passed yet: it is counted like all others when the next user comes.
func (t *taker) rowAt(rows *stream[providers.User], tenant, user uuid.UUID) *providers.User {
	for rows.there() && rows.value.ID != user && less(rows.value.Tenant, rows.value.ID, tenant, user) {
		t.passRow(rows)
	}
	if !rows.there() || rows.value.ID != user {
		return nil
	}
	return &rows.value
}

// rowOf is rowAt for a user who is recorded.
func (t *taker) rowOf(rows *stream[providers.User], r state.User) *providers.User {
	return t.rowAt(rows, r.TenantNow, r.User)
}

// rows are all rows of users, with their images where those are weighed.
func (t *taker) rows(ctx context.Context) iter.Seq2[providers.User, error] {
	if t.undoing.Schema == nil {
		return t.Database.Users(ctx)
	}
	return func(yield func(providers.User, error) bool) {
		for row, err := range t.undoing.Schema.Rows(ctx) {
			t.image = row.Image
			if !yield(row.User, err) {
				return
			}
		}
	}
}

// weigh counts a row, as it will be, that needs the columns of the dual schema or holds something in them.
func (t *taker) weigh(row providers.User) {
	will := providers.UserRow{User: row, Image: t.image}
	if t.restored != nil {
		will.Image = *t.restored
		if ours := t.undoing.Schema.Invited[row.ID]; t.image.Invited.IsZero() || !ours.Equal(t.image.Invited) {
			will.Image.Invited = t.image.Invited // it is somebody else's
		}
	}
	t.restored = nil
	if !t.undoing.Schema.Columns {
		if !row.HasPassword {
			t.Schema.Needing.Add(row.ID)
		}
		return
	}
	if providers.NeedsSchema(will, t.undoing.Schema.Since) {
		t.Schema.Needing.Add(row.ID)
	}
	for key, holds := range map[string]bool{
		"users.method":       will.Image.Method != state.MethodPassword,
		"users.invited_at":   !will.Image.Invited.IsZero(),
		"users.completed_at": !will.Image.Completed.IsZero(),
	} {
		if holds {
			t.Schema.Values[key]++
		}
	}
}

// passRow counts a row for its tenant and goes on to the next one.
func (t *taker) passRow(rows *stream[providers.User]) {
	if t.undoing.Schema != nil {
		t.weigh(rows.value)
	}
	if i := t.TenantIndex(rows.value.Tenant); i >= 0 {
		t.Needs.Refers[i]++
		if !rows.value.Deleted && !t.Tenants[i].Deleted {
			t.Needs.Live[i]++
		}
	}
	rows.advance()
}

func less(t1, u1, t2, u2 uuid.UUID) bool {
	if c := world.CompareID(t1, t2); c != 0 {
		return c < 0
	}
	return world.CompareID(u1, u2) < 0
}

// grouped calls f with all records of one user, oldest first.
func grouped(records iter.Seq2[state.Record, error], f func([]state.Record) error) error {
	var group []state.Record
	for r, err := range records {
		if err != nil {
			return err
		}
		if len(group) > 0 && group[0].User != r.User {
			if err := f(group); err != nil {
				return err
			}
			group = group[:0]
		}
		group = append(group, r)
	}
	if len(group) > 0 {
		return f(group)
	}
	return nil
}

// need counts the groups that a user who stays moved needs; row is nil where it is gone.
func (t *taker) need(r state.User, row *providers.User) {
	if r.Standing == state.Moved {
		for _, g := range t.groupsOf(r, row) {
			t.Needs.Groups[g]++
		}
		t.staysAdmin(r, row)
	}
}

// groupsOf are the groups of ours that a moved user needs: those that are recorded, and those that its row asks for.
func (t *taker) groupsOf(r state.User, row *providers.User) []uuid.UUID {
	if row == nil || row.Link != r.Person {
		return r.Groups
	}
	asked := t.askedOf(r.Person, row)
	if len(asked) == 0 {
		return r.Groups
	}
	return union(r.Groups, asked)
}

// askedOf are the groups of ours that a row asks for, active or not, and that its person is in, whoever let it in. Where
// none of those stays anyway, they are also the groups that the person would join, or come back to, once it may.
func (t *taker) askedOf(person uuid.UUID, row *providers.User) (groups []uuid.UUID) {
	key := [2]string{row.Tenant.String(), row.Role}
	asked, known := t.asked[key]
	if !known {
		for g, rule := range t.rules {
			if rule.Tenant == row.Tenant && rule.Members.Has(row.Role) {
				asked = append(asked, g)
			}
		}
		slices.SortFunc(asked, world.CompareID)
		t.asked[key] = asked
	}
	stays := func(g uuid.UUID) bool {
		_, there := t.Index.Groups[g]
		return (there || t.remakes(g)) && !t.goes[g]
	}
	if slices.ContainsFunc(asked, stays) {
		return slices.DeleteFunc(slices.Clone(asked), func(g uuid.UUID) bool { return !t.Index.IsMember(person, g) })
	}
	return asked
}

// needSince counts the groups of a user who stays moved and was not moved before the runs that are undone: it needs
// what they made.
func (t *taker) needSince(r state.User, made []state.Record, row *providers.User) {
	if r.Standing == state.Moved && len(made) > 0 && !wasMoved(made[0]) {
		for _, g := range t.groupsOf(r, row) {
			t.Needs.Since[g]++
		}
	}
}

// hasUsed reports whether the code of a person has done its work: it has a credential. Where nobody may see that, it has not.
func (t *taker) hasUsed(ctx context.Context, person uuid.UUID) (bool, error) {
	if t.undoing.PostgresOnly || t.unseen {
		return false, nil
	}
	used, err := t.hasEnrolled(ctx, person)
	if state.ErrorKindOf(err) == state.ErrorDenied {
		t.unseen, err = true, nil
	}
	return used, err
}

// hasEnrolled reports whether a person has a credential in Self-auth. The first user without a password makes it ask,
// for all persons at once.
func (t *taker) hasEnrolled(ctx context.Context, person uuid.UUID) (bool, error) {
	if t.enrolled == nil {
		list, err := t.Directory.Enrolled(ctx)
		if err != nil {
			return false, err
		}
		t.enrolled = append([]uuid.UUID{}, list...)
	}
	_, there := slices.BinarySearchFunc(t.enrolled, person, world.CompareID)
	return there, nil
}
