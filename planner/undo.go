package planner

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/users"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// UndoInput is what a rollback is made from: what every plan is made from, but for Config, which stays nil; the
// journal; and what is to be undone.
type UndoInput struct {
	Input
	Records       func(ctx context.Context, runs []string) iter.Seq2[state.Record, error] // state.Store.Records
	ObjectRecords func(ctx context.Context, runs []string) ([]state.ObjectRecord, error)  // state.Store.ObjectRecords
	Forgotten     func(ctx context.Context, runs []string) (int64, error)                 // state.Store.ForgottenOf

	Runs          []string    // none: the latest that is to be undone, or with Waves, Tenants or PostgresOnly all of them
	Waves         []string    // -wave
	Tenants       []uuid.UUID // -tenant
	DeletePersons bool        // -delete-persons
	Schema        bool        // -schema; only of whole runs
	PostgresOnly  bool        // -postgres-only: Directory is nil; goes with neither of the two above
	KeepAdmins    int64       // guard.keep_admins
}

// Undo makes the plan of a rollback from the journal: each user goes back to the before-image of the oldest of its
// records, as far as its row is still as our newest record left it. If nothing is left to undo, the plan is empty and
// its Undo has no runs. Diagnostics with an error mean that there is no plan; err is a failure to read, or a
// *providers.SchemaNeededError where the schema is to go and something needs it.
func Undo(ctx context.Context, in UndoInput, sink plan.Sink) (*plan.Plan, hcl.Diagnostics, error) {
	runs, diags := chooseRuns(in)
	now := plan.Now(in.State)
	p := &plan.Plan{Effects: plan.Effects{
		Kind:    state.RunRollback,
		Target:  in.Target,
		Lineage: Lineage(in.State, in.Target),
		After:   &now,
		// A rollback is made without a configuration, and gives nothing to whose row is not active.
		Identity: plan.Identity{Follow: true},
		Undo:     &plan.Undoing{DeletePersons: in.DeletePersons, PostgresOnly: in.PostgresOnly, Waves: in.Waves, Tenants: in.Tenants},
	}}
	if in.PostgresOnly && runs.kind == state.RunRollback {
		diags = append(diags, config.Problem(config.About{}, "Not in Postgres alone",
			"Run %s is a rollback: taking it back moves users again, and that needs Self-auth.", in.Runs[0]))
	}
	if diags.HasErrors() || len(runs.from) == 0 {
		return p, diags, nil
	}
	schema, moreDiags, err := in.schemaBack(ctx, runs)
	if diags = append(diags, moreDiags...); err != nil || diags.HasErrors() {
		return p, diags, err
	}
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	folded, err := in.fold(ctx, observed, runs)
	if err != nil {
		return nil, nil, err
	}
	undoing := users.Undoing{
		From:          runs.from,
		Seeds:         runs.seeds,
		Kind:          runs.kind,
		Waves:         in.Waves,
		Tenants:       in.Tenants,
		DeletePersons: in.DeletePersons,
		PostgresOnly:  in.PostgresOnly,
		Retry:         runs.retry,
		Objects:       folded,
		Schema:        schema.weigh(),
	}
	invited := map[uuid.UUID]time.Time{}
	if undoing.Codes, err = in.mailed(ctx, invited); err != nil {
		return nil, nil, err
	}
	if undoing.Schema != nil {
		undoing.Schema.Invited = invited
	}
	if undoing.Recycled, err = in.recycled(ctx, runs, folded); err != nil {
		return nil, nil, err
	}
	var table plan.Table
	journal := users.Journal{Records: in.Records, Recorded: in.Recorded}
	taken, err := users.TakeBack(ctx, observed, undoing, journal, &table, sink)
	if err != nil {
		return nil, nil, err
	}
	if err := schema.needed(taken.Schema); err != nil {
		return p, diags, err
	}
	// Only now: users who cannot be taken back still need what the runs made for them.
	back := folded.Plan(taken.Needs)
	u := undoer{UndoInput: in, runs: runs, world: observed, folded: folded, taken: taken, back: back, schema: schema, sink: sink, plan: p}
	u.effects(&table)
	u.context()
	// Nothing is known of them any more: whoever takes a run back must not believe that it is all of it.
	forgotten, err := in.Forgotten(ctx, runs.from)
	if forgotten > 0 {
		p.Context.Notes = append(p.Context.Notes, state.Found(state.CodeForgotten).Times(forgotten))
	}
	return p, diags, err
}

// fold reads what the runs did to objects; nothing where only users of them are taken back.
func (in UndoInput) fold(ctx context.Context, o *world.Observed, runs chosen) (*objects.Folded, error) {
	var records []state.ObjectRecord
	if in.whole() && !in.PostgresOnly {
		var err error
		if records, err = in.ObjectRecords(ctx, runs.from); err != nil {
			return nil, err
		}
	}
	return objects.Fold(o, records, runs.seeds, runs.kind), nil
}

// mailed are the users who may still use a one-time code that they were sent or told. With a schema that goes it fills in when each was
// invited, which the rows hold as well.
func (in UndoInput) mailed(ctx context.Context, invited map[uuid.UUID]time.Time) (codes map[uuid.UUID]bool, err error) {
	codes = map[uuid.UUID]bool{}
	if in.Mails == nil {
		return codes, nil
	}
	for m, err := range in.Mails(ctx) {
		if err != nil {
			return nil, err
		}
		if m.Link == state.LinkCode && !m.Status.Unsent() && in.AsOf.Sub(m.Ended) < providers.MostLife {
			codes[m.User] = true
		}
		if in.Schema && m.Letter == state.LetterInvitation && m.Status == state.MailTaken {
			invited[m.User] = m.Ended
		}
	}
	return codes, nil
}

// recycled finds the deleted entries that can be brought back. It asks only where something may have been deleted.
func (in UndoInput) recycled(ctx context.Context, runs chosen, folded *objects.Folded) (map[uuid.UUID]bool, error) {
	there := map[uuid.UUID]bool{}
	if in.PostgresOnly || runs.kind != state.RunRollback && folded.Empty() {
		return there, nil
	}
	list, err := in.Directory.Recycled(ctx)
	for _, id := range list {
		there[id] = true
	}
	return there, err
}

func (in UndoInput) whole() bool { return len(in.Waves) == 0 && len(in.Tenants) == 0 }

// undoer puts the plan of a rollback together.
type undoer struct {
	UndoInput
	runs   chosen
	world  *world.Observed
	folded *objects.Folded
	taken  *users.TakenBack
	back   *objects.Plan
	schema *schemaBack // nil: the schema stays as it is
	sink   plan.Sink
	plan   *plan.Plan
}

// effects fills in all that apply decides by.
func (u *undoer) effects(table *plan.Table) {
	e := &u.plan.Effects
	e.Objects = u.back.Changes
	e.Sets, e.Tenants, e.Groups = table.Sets, tenants(u.world), describe(u.world, table, u.restored())
	un := e.Undo
	un.Runs, un.Whole, un.Again, un.Lift = u.runs.runs, u.runs.whole, u.runs.again, u.runs.lift
	un.Pauses = slices.SortedFunc(maps.Keys(u.taken.Pauses), func(a, b plan.Pause) int {
		return cmp.Or(strings.Compare(a.Wave, b.Wave), world.CompareID(a.Tenant, b.Tenant))
	})
	un.Gates = u.gates()
	if u.back.Stays || u.taken.Lost > 0 || u.PostgresOnly {
		// The runs do not count as undone: the next rollback tries what is left.
		un.Whole = nil
	}
	u.schema.effects(e)
	// Nothing is left to undo. A whole run that changed something is different: it is marked as undone, even where
	// nothing of it stands any more.
	if len(u.taken.Segments) == 0 && len(e.Objects) == 0 && u.schema == nil && !u.pausesMore() &&
		(!u.whole() || u.PostgresOnly || u.runs.retry || !u.runs.changed) {
		un.Runs, un.Whole, un.Lift, un.Again, un.Gates = nil, nil, nil, nil, nil
	}
	lastAdmins(e, u.world, u.taken.Admins, u.KeepAdmins)
	e.Add(u.back.Risk)
	u.taken.LockedOut(&e.Risk)
	// A person who is deleted takes the enrolled credentials along: no later run can bring those back.
	var deleted int64
	for _, f := range u.figures() {
		deleted += f.Figures[plan.FigureOf(state.PersonDelete)]
	}
	if deleted > 0 {
		e.Raise(plan.DeletesData, deleted, state.Found(state.CodePersonsDeleted).Times(deleted))
	}
	e.Allow(u.Allowed)
}

// gates are the manual gates, each once, that are confirmed of waves, or by tenants in them, which the rollback leaves paused: who
// confirmed them did not know of that.
func (u *undoer) gates() (list []state.WaveGate) {
	for _, c := range u.State.Confirmations {
		g := state.WaveGate{Wave: c.Wave, Name: c.Gate, Tenant: c.Tenant}
		wave := state.WholeWave(c.Wave)
		paused := u.taken.Pauses[plan.Pause{Wave: wave}] || u.taken.Pauses[plan.Pause{Wave: wave, Tenant: c.Tenant}]
		if paused && !slices.Contains(list, g) {
			list = append(list, g)
		}
	}
	slices.SortFunc(list, func(a, b state.WaveGate) int {
		return cmp.Or(strings.Compare(a.Wave, b.Wave), strings.Compare(a.Name, b.Name), world.CompareID(a.Tenant, b.Tenant))
	})
	return list
}

// pausesMore reports whether the rollback leaves a pause where there is none: users whom a run could not move are not to
// be moved by the next plan either.
func (u *undoer) pausesMore() bool {
	return slices.ContainsFunc(u.plan.Effects.Undo.Pauses, func(p plan.Pause) bool {
		return !slices.ContainsFunc(u.State.Pauses, func(s state.Pause) bool {
			return state.InWave(p.Wave, s.Wave) && (s.Tenant == uuid.Nil || s.Tenant == p.Tenant)
		})
	})
}

// restored are the groups that this rollback makes again, or puts back to what they were.
func (u *undoer) restored() map[uuid.UUID]plan.Group {
	byID := map[uuid.UUID]plan.Group{}
	for _, r := range u.folded.Restored() {
		for _, id := range r.IDs {
			g := u.world.Index.Groups[id]
			byID[id] = plan.Group{ID: id, Name: g.Name, Tenant: r.Tenant, Role: r.Role, Members: r.Members}
		}
	}
	for _, c := range u.back.Changes {
		if g, there := byID[c.Object().ID]; there && c.Will[state.AttrName].IsSet() {
			g.Name = c.Will.Text(state.AttrName)
			byID[g.ID] = g
		}
	}
	return byID
}

func (u *undoer) figures() (list []plan.TenantFigures) {
	for _, n := range u.taken.Segments {
		list = append(list, u.plan.Effects.ByTenant(plan.SegmentRestore, u.sink.Shapes(n))...)
	}
	return list
}

// context fills in the basis, and what only helps the reader.
func (u *undoer) context() {
	u.plan.Basis = u.basis()
	c := &u.plan.Context
	c.AsOf, c.Origin = u.AsOf.UTC(), u.Origin
	for _, n := range u.taken.Needs.Live {
		c.Population.Live += n
	}
	c.Population.Tenants = liveOf(u.world, u.taken.Needs.Live, u.figures())
	c.Objects, c.Notes, c.Outside = u.back.Context, u.back.Notes, u.back.Outside
	c.Conflicts, c.Completed = u.taken.Conflicts, u.taken.Completed
	c.Asleep = u.taken.Asleep
	if n := u.taken.Awake; n > 0 {
		c.Notes = append(c.Notes, state.Found(state.CodeStaysAwake).Times(n))
	}
	if n := u.taken.Kept; n > 0 {
		c.Notes = append(c.Notes, state.Found(state.CodeMailsKept).Times(n))
	}
	if n := u.taken.Codes; n > 0 {
		c.Notes = append(c.Notes, state.Found(state.CodeCodesLive).Times(n))
	}
	for _, f := range u.world.Shared {
		if f.Code == state.CodeGroupHidden {
			c.Notes = append(c.Notes, f)
		}
	}
	if u.taken.Lost > 0 {
		c.Notes = append(c.Notes, state.Found(state.CodeConflicts).Times(u.taken.Lost))
	}
	switch {
	case u.schema != nil:
		c.Schema = u.schema.says()
		c.Notes = append(c.Notes, u.valuesBack(u.schema.make)...)
	case len(u.stands()) > 0 && u.whole() && !u.PostgresOnly:
		c.Notes = append(c.Notes, state.Found(state.CodeSchemaStays))
	}
	c.Notes = append(c.Notes, unused(&u.plan.Effects)...)
	c.Cost = cost(&u.plan.Effects, u.figures(), 0, u.State.Runs)
}
