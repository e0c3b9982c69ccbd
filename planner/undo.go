package planner

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/providers"
	"anthill/state"
)

// UndoInput is what a rollback is made from, besides the world that a plan is made from as well.
type UndoInput struct {
	Input                                                                                 // Config stays nil: a rollback needs no configuration
	Records       func(ctx context.Context, runs []string) iter.Seq2[state.Record, error] // state.Store.Records
	ObjectRecords func(ctx context.Context, runs []string) ([]state.ObjectRecord, error)  // state.Store.ObjectRecords
	Run           string                                                                  // -run; "" = the latest that is to be undone, or with Waves or Tenants all of them
	Waves         []string                                                                // -wave
	Tenants       []uuid.UUID                                                             // -tenant
	DeletePersons bool                                                                    // -delete-persons
}

// Undo makes the plan of a rollback from the journal: for each user the before-image of the oldest of its records,
// as far as the row is still as our newest one left it. Nothing left to undo is an empty Plan whose Undo has no
// runs. Diagnostics with an error mean that there is no plan.
func Undo(ctx context.Context, in UndoInput, sink Sink) (*Plan, hcl.Diagnostics, error) {
	u := &undo{UndoInput: in, ctx: ctx, sink: sink, segments: map[string]int{}, figures: map[string]effects{}, needed: map[uuid.UUID]int64{}, since: map[uuid.UUID]int64{}, paused: map[state.Pause]bool{}}
	p := &Plan{Kind: state.RunRollback, Target: in.Target, Lineage: Lineage(in.State, in.Target), Undo: &Undoing{DeletePersons: in.DeletePersons,
		Waves: in.Waves, Tenants: in.Tenants}}
	diags := u.chooseRuns(p.Undo)
	if diags.HasErrors() || len(u.from) == 0 {
		return p, diags, nil
	}
	w, mappings, err := newWorld(ctx, in.Input)
	if err != nil {
		return nil, nil, err
	}
	u.world = w
	w.mappedGroups(mappings)
	w.rows = map[[2]uuid.UUID]providers.Mapping{}
	for _, m := range mappings {
		w.rows[[2]uuid.UUID{m.Tenant, m.Group}] = m
	}
	if u.whole() {
		if err := u.foldObjects(ctx); err != nil {
			return nil, nil, err
		}
	}
	if err := u.readRecycled(ctx); err != nil {
		return nil, nil, err
	}
	u.readAdmins()
	u.pauseAgain()
	if err := u.readLinked(ctx); err != nil {
		return nil, nil, err
	}
	if err := u.users(ctx); err != nil {
		return nil, nil, err
	}
	if u.whole() {
		u.objects(p)
		if u.stays || u.lost > 0 {
			p.Undo.Whole = nil // what stands is tried again
		}
	}
	u.finish(p)
	if len(u.segments) == 0 && len(p.Objects) == 0 && (!u.whole() || u.retry || !u.changed()) {
		p.Undo.Runs, p.Undo.Whole, p.Undo.Lift, p.Undo.Again = nil, nil, nil, nil // nothing is left to undo
	}
	return p, diags, nil
}

// undo is a rollback in the making.
type undo struct {
	UndoInput
	*world
	sink      Sink
	from      []string        // runs whose records are folded, oldest first
	seeds     map[string]bool // runs that a user must have a record of to be taken back
	seedKind  state.RunKind
	segments  map[string]int
	figures   map[string]effects
	waveOrder []string
	needed    map[uuid.UUID]int64 // how many moved users need a group afterwards
	since     map[uuid.UUID]int64 // and how many of them were not moved yet before the runs that are undone
	paused    map[state.Pause]bool
	conflicts []ConflictView
	lost      int64 // conflicts in all
	retry     bool  // the runs were undone already, but for what was left then
	stays     bool  // an object that the runs made is needed still

	admins      map[[2]uuid.UUID]bool // tenant and group of it -> whether it is one of admins
	mappedAtAll map[uuid.UUID]bool    // groups, to whichever tenant
	linked      []uuid.UUID           // persons that rows are linked to, sorted; kept where persons are deleted
	live        int64
	chains      []objectChain
	remade      map[uuid.UUID]uuid.UUID // groups that were deleted -> their next generation, where that is undone
	ctx         context.Context         // of this planning
	enrolled    []uuid.UUID             // persons with a credential, sorted; nil: not asked yet
	raised      objectPlan              // hazards of objects
	recycled    map[uuid.UUID]bool      // deleted entries that can be brought back
}

// needSince notes the groups of a user who stays moved and was not before the runs that are undone: what those made, it needs.
func (u *undo) needSince(r state.User, made []state.Record) {
	if r.Standing != state.Moved || len(made) == 0 || made[0].Prior != nil && made[0].Prior.Standing == state.Moved {
		return
	}
	for _, g := range r.Groups {
		u.since[g]++
	}
}

// changed says whether the runs to undo have changed anything.
func (u *undo) changed() bool {
	return slices.ContainsFunc(u.State.Runs, func(r state.RunInfo) bool { return u.seeds[r.ID] && (r.Changed || r.Open) })
}

// pauseAgain takes over the pauses of a rollback that is tried again: what goes now waits for the same waves.
func (u *undo) pauseAgain() {
	if !u.retry || !u.whole() {
		return
	}
	for _, p := range u.State.Pauses {
		i := slices.IndexFunc(u.State.Runs, func(r state.RunInfo) bool { return r.ID == p.Run })
		if i >= 0 && slices.ContainsFunc(u.State.Runs[i].Undoes, func(id string) bool { return u.seeds[id] }) {
			u.paused[state.Pause{Wave: p.Wave, Tenant: p.Tenant}] = true
		}
	}
}

// readLinked notes the persons that rows are linked to: none of them is deleted but by way of its own row.
func (u *undo) readLinked(ctx context.Context) error {
	if !u.DeletePersons {
		return nil
	}
	for row, err := range u.Database.Users(ctx) {
		if err != nil {
			return err
		}
		if row.Link != uuid.Nil {
			u.linked = append(u.linked, row.Link)
		}
	}
	slices.SortFunc(u.linked, compareID)
	return nil
}

func (u *undo) whole() bool { return len(u.Waves) == 0 && len(u.Tenants) == 0 }

// chooseRuns finds the runs to undo and the later ones whose records must be folded with them.
func (u *undo) chooseRuns(un *Undoing) hcl.Diagnostics {
	runs := u.State.Runs
	u.seeds = map[string]bool{}
	switch {
	case u.Run != "":
		i := slices.IndexFunc(runs, func(r state.RunInfo) bool { return r.ID == u.Run })
		if i < 0 {
			return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No such run", Detail: fmt.Sprintf("There is no run %q. The runs are listed by:\n\n    anthill status", u.Run)}}
		}
		if runs[i].Undone && runs[i].Kind == state.RunRollback && u.whole() {
			return nil
		}
		u.retry = runs[i].Undone // what could not be taken back then
		u.seeds[u.Run] = true
	case !u.whole():
		for _, r := range runs {
			if r.Kind == state.RunApply && r.Changed && !r.Undone {
				u.seeds[r.ID] = true
			}
		}
	default:
		// The latest that stands, and with it the later ones of which a rollback has left something.
		u.retry = true
		for i := len(runs) - 1; i >= 0 && u.retry; i-- {
			if r := runs[i]; r.Kind == state.RunApply && (r.Changed || r.Open) && !r.Undone {
				u.seeds[r.ID] = true
				u.retry = slices.ContainsFunc(runs[i:], func(back state.RunInfo) bool {
					return back.Kind == state.RunRollback && !back.Undone && slices.Contains(back.Undoes, r.ID)
				})
			}
		}
	}
	if len(u.seeds) == 0 {
		return nil
	}
	for _, r := range runs {
		if u.seeds[r.ID] {
			un.Runs = append(un.Runs, r.ID)
			u.seedKind = r.Kind
		}
		if len(un.Runs) > 0 {
			u.from = append(u.from, r.ID)
		}
		if u.seeds[r.ID] && r.Kind == state.RunRollback {
			un.Again = append(un.Again, u.standAgain(r)...)
		}
		if u.seeds[r.ID] && u.whole() {
			un.Whole = append(un.Whole, r.ID)
			if r.Kind == state.RunRollback {
				un.Lift = append(un.Lift, r.ID)
			}
		}
	}
	return nil
}

// standAgain are the runs that a rollback had undone as a whole.
func (u *undo) standAgain(r state.RunInfo) (again []string) {
	for _, id := range r.Undoes {
		if i := slices.IndexFunc(u.State.Runs, func(x state.RunInfo) bool { return x.ID == id }); i >= 0 && u.State.Runs[i].Undone {
			again = append(again, id)
		}
	}
	return again
}

// users merges records, recorded users and rows, all in the order of tenant id, user id.
func (u *undo) users(ctx context.Context) error {
	nextRow, stopRows := iter.Pull2(u.Database.Users(ctx))
	defer stopRows()
	nextUser, stopUsers := iter.Pull2(u.Recorded(ctx))
	defer stopUsers()
	row, rowErr, rows := nextRow()
	user, userErr, users := nextUser()
	advanceRow := func() {
		if t := u.tenantIndex(row.Tenant); rows && rowErr == nil && t >= 0 {
			u.tenants[t].refers++
			if !row.Deleted && !u.tenants[t].Deleted {
				u.live++
				u.tenants[t].live++
			}
		}
		row, rowErr, rows = nextRow()
	}
	one := func(group []state.Record) error {
		id := group[0].User
		// Rows and recorded users that come before this user pass by.
		for users && userErr == nil && user.User != id && !u.after(user.TenantNow, user.User, group[0]) {
			u.need(user)
			user, userErr, users = nextUser()
		}
		var rec *state.User
		if users && userErr == nil && user.User == id {
			held := user
			rec = &held
			user, userErr, users = nextUser()
		}
		if userErr != nil {
			return userErr
		}
		tenant := group[0].TenantNow
		for rows && rowErr == nil && row.ID != id && less(row.Tenant, row.ID, tenant, id) {
			advanceRow()
		}
		var live *providers.User
		if rows && rowErr == nil && row.ID == id {
			held := row
			live = &held
		}
		if rowErr != nil {
			return rowErr
		}
		return u.user(group, rec, live)
	}
	if err := u.grouped(ctx, one); err != nil {
		return err
	}
	for ; users && userErr == nil; user, userErr, users = nextUser() {
		u.need(user)
	}
	for rows && rowErr == nil {
		advanceRow()
	}
	if userErr != nil {
		return userErr
	}
	return rowErr
}

func less(t1, u1, t2, u2 uuid.UUID) bool {
	if c := compareID(t1, t2); c != 0 {
		return c < 0
	}
	return compareID(u1, u2) < 0
}

// after says whether a recorded user comes after the user of a record.
func (u *undo) after(tenant, user uuid.UUID, r state.Record) bool {
	return less(r.TenantNow, r.User, tenant, user)
}

// grouped calls f with all records of one user, oldest first.
func (u *undo) grouped(ctx context.Context, f func([]state.Record) error) error {
	var group []state.Record
	for r, err := range u.Records(ctx, u.from) {
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

// need notes the groups of a user who stays moved.
func (u *undo) need(r state.User) {
	if r.Standing == state.Moved {
		for _, g := range r.Groups {
			u.needed[g]++
		}
	}
}

// finish fills in what the reader sees, and the pauses.
func (u *undo) finish(p *Plan) {
	for pause := range u.paused {
		p.Undo.Pauses = append(p.Undo.Pauses, pause)
	}
	slices.SortFunc(p.Undo.Pauses, func(a, b state.Pause) int {
		if a.Wave != b.Wave {
			if a.Wave < b.Wave {
				return -1
			}
			return 1
		}
		return compareID(a.Tenant, b.Tenant)
	})
	a := &p.Analysis
	in := u.Input
	a.Version, a.AsOf, a.PostgresServer, a.SelfAuthServer = in.Version, in.AsOf.UTC(), in.Inspection.Version, in.SelfAuthServer
	a.Live, a.Conflicts = u.live, u.conflicts
	a.LastRun, a.LastCounts = LastRun(in.State)
	a.Texts = map[state.Address][]string{}
	for _, o := range p.Objects {
		a.Texts[o.Address] = o.Text
	}
	d := decision{world: u.world}
	for _, w := range u.waveOrder {
		view := WaveView{Name: w, State: Paused, Moves: true, Tenants: d.tenantEffects(u.figures[w])}
		for _, t := range view.Tenants {
			view.Due += t.Users
			a.Changed += t.Users
			a.Lose += t.Expire + t.Delete
		}
		a.Waves = append(a.Waves, view)
	}
	if u.lost > 0 {
		a.Notes = append(a.Notes, fmt.Sprintf("%d users are in conflict and stay as they are", u.lost))
	}
	if len(u.State.Objects) > 0 && u.whole() {
		a.Notes = append(a.Notes, "the schema stays at dual")
	}
	p.Allowed, p.Hazards = judgeHazards(in.Allowed, u.hazards(a))
	cost(p, 0)
}

// hazards of a rollback: persons deleted are gone after the recycle bin's seven days.
func (u *undo) hazards(a *Analysis) []Hazard {
	var n int64
	for _, w := range a.Waves {
		for _, t := range w.Tenants {
			n += t.Delete
		}
	}
	if n == 0 {
		return u.raised.hazards
	}
	return append(u.raised.hazards, Hazard{Code: DeletesData, Count: n, Text: fmt.Sprintf(
		"%d persons are deleted from Self-auth with the credentials that they have enrolled; after seven days nobody can bring them back. Allow it for this plan:  -allow %s=%d", n, DeletesData, n)})
}
