package planner

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/objects"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/planner/users"
	"anthill/planner/world"
	"anthill/providers"
	"anthill/state"
)

// Input is all that a plan is made from.
type Input struct {
	Config     *config.Config // nil: of a rollback, which needs none
	State      *state.State
	Target     state.Target
	AsOf       time.Time        // at which dates and soaks are judged
	Future     bool             // AsOf lies after the clock
	Allowed    []plan.Allowance // besides those of the configuration
	Targets    []plan.Target    // the part of the configuration that is planned; none: all of it
	Exclude    []plan.Target    // left out of that
	Links      []plan.Link      // persons that somebody has made by hand, no user and no person twice
	Origin     plan.Origin
	Basis      plan.Basis // digests and versions, as far as the caller knows them; the rest is filled in here
	Database   providers.Database
	Directory  providers.Directory
	Seen       *providers.Sight // of Invite alone, without Directory: the person of the one user
	Inspection providers.Inspection
	Recorded   func(context.Context) iter.Seq2[state.User, error] // state.Store.Users
	OpenUsers  func(context.Context) iter.Seq2[uuid.UUID, error]  // of the open run's plan; nil: no run is open
	Mails      func(context.Context) iter.Seq2[state.Mail, error] // state.Store.Mails; nil: there are none
	Temp       string                                             // directory for the spool; "" = the system's
	Progress   func(stage string, done, total int64)              // may be nil; called about every 10,000 users
}

// Make makes the plan of one configuration. User changes go to sink, the rest is returned. Diagnostics with an
// error mean that there is no plan; err is a failure to read, or a *plan.LinksError.
func Make(ctx context.Context, in Input, sink plan.Sink) (*plan.Plan, hcl.Diagnostics, error) {
	if diags := CheckAllows(in.Config.Allows); diags.HasErrors() {
		return nil, diags, nil
	}
	if diags := in.gone(); diags.HasErrors() {
		return nil, diags, nil
	}
	in.State = in.pausedSteps()
	observed, err := in.observe(ctx)
	if err != nil {
		return nil, nil, err
	}
	steps, diags := in.schemaSteps()
	if diags.HasErrors() {
		return nil, diags, nil
	}
	// All users pass once before anything is decided: whether a name is free depends on the last of them.
	joined, err := observed.Join(ctx, in.streams())
	if err != nil {
		return nil, nil, err
	}
	defer joined.Entries.Close()
	links, err := in.links(joined)
	if err != nil {
		return nil, nil, err
	}
	held, err := in.widened(joined)
	if err != nil {
		return nil, nil, err
	}
	part, moreDiags, err := in.narrow(joined, len(steps), held)
	if err != nil {
		return nil, nil, err
	}
	if diags = append(diags, moreDiags...); diags.HasErrors() {
		return nil, diags, nil
	}
	if part.noSchema {
		steps = nil
	}
	declared, moreDiags := objects.Forward(joined, part.leave)
	if diags = append(diags, moreDiags...); diags.HasErrors() {
		return nil, diags, nil
	}
	var table plan.Table
	sink = links.watch(sink)
	part.scope.Writes = &users.Writing{AsOf: in.AsOf}
	decided, moreDiags, err := users.Decide(joined, declared, part.scope, &table, sink)
	if err != nil {
		return nil, nil, err
	}
	if diags = append(diags, moreDiags...); diags.HasErrors() {
		return nil, diags, nil
	}
	// Who is a stranger is known only when all users have been looked at.
	declared.Expel(joined, decided.Strangers)
	m := maker{Input: in, part: part, world: joined, declared: declared, decided: decided, sink: sink}
	waves := m.rollout()
	verdicts := rollout.Judge(waves)
	before := rollout.Before{Brakes: m.State.Brakes, Policies: m.State.Policies}
	m.released = rollout.Loosened(waves, verdicts, before)
	if part.part != nil {
		// What would be told of an edit is told by the plan that starts the next wave, and not when this one is over.
		if done := rollout.DoneAnyway(waves, before); done != nil {
			for i := range verdicts {
				verdicts[i].DoneAfter = verdicts[i].DoneAfter && done[waves.Waves[i].Name]
			}
		}
	}
	if err := m.addWaves(verdicts); err != nil {
		return nil, nil, err
	}
	if err := m.announced(verdicts, false); err != nil {
		return nil, nil, err
	}
	decided.Notes = append(rollout.Undeclared(waves), decided.Notes...)
	m.effects(steps, &table)
	m.context(steps)
	undiscovered, err := m.discover(ctx)
	if err != nil {
		return nil, nil, err
	}
	m.plan.Context.Notes = append(m.plan.Context.Notes, undiscovered...)
	m.plan.Context.Notes = append(m.plan.Context.Notes, links.notes()...)
	m.plan.Context.Notes = append(m.plan.Context.Notes, m.extras(steps)...) // last, as nothing hangs on them
	m.leftOut(steps)
	return &m.plan, diags, nil
}

// pausedSteps is the state with the pauses as they stand for the declared waves.
func (in Input) pausedSteps() *state.State {
	st := *in.State
	st.Pauses = rollout.Pauses(in.Config.Waves, st.Pauses)
	return &st
}

func (in Input) observe(ctx context.Context) (*world.Observed, error) {
	return world.Observe(ctx, world.Sources{
		Config:    in.Config,
		State:     in.State,
		Lineage:   Lineage(in.State, in.Target),
		Database:  in.Database,
		Directory: in.Directory,
		Seen:      in.Seen,
	})
}

func (in Input) streams() world.Streams {
	s := world.Streams{Recorded: in.Recorded, OpenUsers: in.OpenUsers, Temp: in.Temp, Enrolled: in.samplesEnrolled()}
	if len(in.Links) > 0 {
		s.Links = make(map[uuid.UUID]uuid.UUID, len(in.Links))
		for _, l := range in.Links {
			s.Links[l.User] = l.Person
		}
	}
	if slices.ContainsFunc(in.Config.Waves, func(w config.Wave) bool { return w.Invitation != nil || w.Announcement != nil }) {
		s.Mails = in.Mails
	}
	if in.Progress != nil {
		s.Progress = func(done int64) { in.Progress(StageRead, done, in.Inspection.Rows) }
	}
	return s
}

// samplesEnrolled reports whether a gate goes by who has enrolled, as it is declared or as it was recorded.
func (in Input) samplesEnrolled() bool {
	const enrolled = "enrolled"
	recorded := func(b state.Brakes) bool {
		return slices.ContainsFunc(b.Gates, func(g state.Gate) bool { return config.RecordedGate(g).Needs(enrolled) })
	}
	return slices.ContainsFunc(in.State.Brakes, recorded) || slices.ContainsFunc(in.Config.Waves, func(w config.Wave) bool {
		return slices.ContainsFunc(w.Gates, func(g config.Gate) bool { return g.Needs(enrolled) })
	})
}

// StageRead is the stage whose progress planning tells.
const StageRead = "read"

// Lineage is the state's lineage, or the first one of the target.
func Lineage(s *state.State, t state.Target) uuid.UUID {
	if s.Exists {
		return s.Lineage
	}
	return t.FirstLineage()
}

// schemaSteps are the steps of the schema that the plan holds. A schema that is halfway is a mistake, unless a run of ours
// has begun it: each step can be done again.
func (in Input) schemaSteps() ([]providers.SchemaStep, hcl.Diagnostics) {
	i := in.Inspection
	switch {
	case i.Level == providers.LevelDual && in.Config.Schema == nil:
		return nil, nil
	case i.Level == providers.LevelBetween && !in.schemaBegun() && in.OpenUsers == nil:
		return nil, in.halfMade()
	case in.Config.Schema != nil:
		return in.due(), nil
	case len(in.Config.Waves) > 0:
		return nil, hcl.Diagnostics{config.Problem(config.About{}, "Schema not ready for waves",
			"The database is at the baseline schema, and waves need the columns of the dual one. Add to the "+
				"configuration:\n\n    schema {\n      level = \"dual\"\n    }")}
	}
	return nil, nil
}

// maker puts a plan together.
type maker struct {
	Input
	part     narrowing
	keeps    map[string]bool // waves whose recorded selection stays
	world    *world.Joined
	declared *objects.Plan
	decided  *users.Decided
	sink     plan.Sink
	plan     plan.Plan
	released []rollout.Release
	wished   []wished        // what the plan goes by, in the order of the waves
	named    bool            // mails are for one user, whom somebody has asked for
	heard    []state.Finding // of waves that are announced, or cannot be
	unheard  []state.Finding // of those of which somebody hears too late
}

func (m *maker) rollout() rollout.Input {
	in := rollout.Input{
		Waves:         m.Config.Waves,
		From:          map[string]string{},
		Recorded:      map[string]state.Wave{},
		Digests:       map[string]state.Digest{},
		Confirmations: m.State.Confirmations,
		Pauses:        m.State.Pauses,
		Wishes:        m.State.Wishes,
		AsOf:          m.AsOf,
		MinPopulation: m.Config.Guard.MinPopulation,
		Slug: func(id uuid.UUID) string {
			if t := m.world.Tenant(id); t != nil {
				return t.Slug
			}
			return id.String()
		},
	}
	for _, p := range m.Config.Policies {
		in.From[p.Name] = p.From
	}
	for _, w := range m.State.Waves {
		in.Recorded[w.Name] = w
	}
	for _, w := range m.decided.Waves {
		in.Digests[w.Name] = rollout.SelectionDigest(w.Wave)
		in.Tallies = append(in.Tallies, w.Tally)
	}
	return in
}

// addWaves adds the waves' effects and views, and drops the changes of waves that do not move now.
func (m *maker) addWaves(verdicts []rollout.Verdict) error {
	accepted := map[string]int64{}
	for _, w := range m.State.Waves {
		accepted[w.Name] = w.Accepted
	}
	m.keeps = map[string]bool{}
	for i, v := range verdicts {
		w := &m.decided.Waves[i]
		left := m.leave(w, &v)
		// Whom an edit adds stays added until a run has moved all of them.
		m.keeps[w.Name] = !v.Moves || w.Tally.Added+w.Tally.Left+w.Tally.Later > 0
		m.plan.Context.Waves = append(m.plan.Context.Waves, plan.WaveView{
			Name:    w.Name,
			Policy:  w.Policy,
			State:   v.State,
			Since:   v.Since,
			Until:   v.Until,
			Reasons: v.Reasons,
			Matched: w.Matched,
			Moved:   w.Tally.Moved,
			Due:     w.Tally.Due,
			Waiting: w.Tally.Waiting,
			Skipped: w.Skipped,
			Added:   w.Tally.Added,
			Left:    left,
			Figures: w.Tally.Figures,

			NotMoved: notMoved(w.NotMoved),
		})
		// Who is moved now, or would be by the plan of all, is not put out first.
		if _, moves := m.part.moves[w.Name]; v.Moves || moves {
			if err := m.drop(&w.Withdraw); err != nil {
				return err
			}
		}
		if !v.Moves {
			if err := m.drop(&w.Segment); err != nil {
				return err
			}
		}
		if !v.Moves {
			continue
		}
		e := plan.WaveEffect{
			Name:        w.Name,
			Digest:      rollout.SelectionDigest(w.Wave),
			MaxFailures: max(w.MaxFailures, accepted[w.Name]),
			Starts:      v.State == plan.WaveStarts && w.Tally.Left+w.Tally.Later == 0,
			RestartSoak: v.RestartSoak && w.Tally.Due > w.Tally.Left,
			Moved:       v.MovedAfter,
			Done:        v.DoneAfter,
			Window:      w.Window,
			Widens:      v.Widens,
		}
		if t := w.Tally; t.AddedDue > 0 && t.AddedDue == t.Added && t.Left+t.Later == 0 {
			e.Users = rollout.Selectors(w.Users)
		}
		// A wave that runs already waits for no other.
		if v.State == plan.WaveStarts {
			e.After = rollout.EnabledAfter(m.Config.Waves, w.Wave)
		}
		e.Sampling = m.sampling(w, e, v)
		m.plan.Effects.Waves = append(m.plan.Effects.Waves, e)
		for _, wish := range v.Goes {
			// A plan of a part does not say that a wave is done where it needs the wish for that.
			if wish.Kind != state.WishSoak || v.DoneAfter {
				m.wished = append(m.wished, wished{wish, w.Tally})
				m.plan.Effects.Wishes = append(m.plan.Effects.Wishes, plan.Wish{Wave: wish.Wave, Kind: wish.Kind})
			}
		}
	}
	return nil
}

// sampling is what apply samples again of a wave that it starts, widens, or calls done for the first time.
func (m *maker) sampling(w *users.Wave, e plan.WaveEffect, v rollout.Verdict) *plan.Sampling {
	var start, finish []config.Gate
	latched := slices.ContainsFunc(m.State.Waves, func(r state.Wave) bool { return r.Name == w.Name && !r.DoneAt.IsZero() })
	// A gate that each tenant opens holds those who come late as well.
	for _, name := range w.StartGates {
		if g := w.Gate(name); v.State == plan.WaveStarts || v.Widens || g.PerTenant {
			start = append(start, g)
		}
	}
	for _, name := range w.FinishGates {
		if v.Widens && latched && !slices.Contains(w.StartGates, name) {
			start = append(start, w.Gate(name))
		}
		if e.Done && !latched {
			finish = append(finish, w.Gate(name))
		}
	}
	var onLink []string
	for _, p := range m.Config.Policies {
		if p.CompleteOnLink {
			onLink = append(onLink, p.Name)
		}
	}
	return plan.NewSampling(start, finish, w.Tally.Figures, onLink)
}

// drop forgets a segment, if there is one.
func (m *maker) drop(segment *int) error {
	if *segment < 0 {
		return nil
	}
	n := *segment
	*segment = -1
	return m.sink.Drop(n)
}

// leave has a wave that is not part of the plan stay as it is, and says how many users of a wave would be moved if the plan
// were one of all.
func (m *maker) leave(w *users.Wave, v *rollout.Verdict) (left int64) {
	if m.part.part == nil {
		return 0
	}
	if !m.part.waves.has(w.Name) {
		v.Moves = false
		if v.State == plan.WaveStarts {
			v.State, v.Reasons = plan.WaveHeld, append([]state.Finding{state.Found(state.CodeLeftOut)}, v.Reasons...)
		}
	}
	left = m.part.moves[w.Name]
	if v.Moves {
		left -= w.Tally.Due - w.Tally.Left
	}
	return left
}

// leftOut says which part of the configuration the plan is of, and counts what it leaves out.
func (m *maker) leftOut(steps []providers.SchemaStep) {
	p := m.part.part
	if p == nil {
		return
	}
	p.Left = m.part.whole
	p.Left.Objects -= int64(len(m.plan.Effects.Objects))
	p.Left.Schema -= len(steps)
	for _, f := range m.figures() {
		p.Left.Users -= f.Figures[plan.FigureUsers]
	}
	m.plan.Context.Part = p
}

// effects fills in all that apply decides by.
func (m *maker) effects(steps []providers.SchemaStep, table *plan.Table) {
	e := &m.plan.Effects
	e.Kind, e.Target, e.Lineage, e.Objects = state.RunApply, m.Target, m.world.Lineage, m.declared.Changes
	if m.Future {
		e.NotBefore = m.AsOf.UTC()
	}
	for _, s := range steps {
		e.Schema = append(e.Schema, s.Name)
	}
	e.Identity = plan.Identity{
		Name:    m.Config.Identity.Name.Source(),
		Display: m.Config.Identity.Display.Source(),
		Follow:  m.Config.Identity.FollowState,
	}
	e.Brakes, e.Policies = m.brakes(), m.policies()
	e.Braked = plan.BrakesDigest(m.State.Brakes, m.State.Policies)
	e.Doors = m.doors()
	e.Sets, e.Tenants = table.Sets, tenants(m.world.Observed)
	e.Groups = describe(m.world.Observed, table, m.wanted())
	figures := m.figures()
	m.guard(e, figures)
	m.loosens()
	m.wishes()
	m.strangersAsAdmins()
	m.mailings()
	m.sends()
	m.unannounced()
	e.Add(m.declared.Risk)
	adopts(e, figures)
	e.Add(m.decided.Risk)
	m.decided.Misled(&e.Risk, m.moves)
	m.decided.LockedOut(&e.Risk, m.moves)
	m.allow()
}

// doors are the clients by which somebody comes in once the plan is carried out, where it takes passwords away (L8).
func (m *maker) doors() (list []plan.Doorway) {
	from := map[string]string{}
	for _, p := range m.Config.Policies {
		from[p.Name] = p.From
	}
	raises := func(w users.Wave) bool { return w.Segment >= 0 && from[w.Policy] != "" }
	if !slices.ContainsFunc(m.decided.Waves, raises) {
		return nil
	}
	for _, d := range m.declared.Doors.OfApplication() {
		list = append(list, plan.Doorway{Client: d.Client, Requested: d.Requested})
	}
	slices.SortFunc(list, func(a, b plan.Doorway) int { return strings.Compare(a.Client, b.Client) })
	return list
}

// wanted are the declared groups.
func (m *maker) wanted() map[uuid.UUID]plan.Group {
	byID := map[uuid.UUID]plan.Group{}
	for i, t := range m.declared.Tenants {
		for _, g := range t.Groups {
			byID[g.ID] = plan.Group{ID: g.ID, Name: g.Name, Tenant: m.world.Tenants[i].ID, Role: g.Role,
				Members: g.Members}
		}
	}
	return byID
}

// figures are those of all users of the plan.
func (m *maker) figures() []plan.TenantFigures {
	var list []plan.TenantFigures
	add := func(kind plan.SegmentKind, n int) {
		if n >= 0 {
			list = append(list, m.plan.Effects.ByTenant(kind, m.sink.Shapes(n))...)
		}
	}
	add(plan.SegmentFollow, m.decided.Follow)
	add(plan.SegmentWithdraw, m.decided.Withdraw)
	for _, w := range m.decided.Waves {
		add(plan.SegmentWithdraw, w.Withdraw)
	}
	return append(list, m.moving()...)
}

// moving are the figures of the users of waves.
func (m *maker) moving() (list []plan.TenantFigures) {
	for _, w := range m.decided.Waves {
		if w.Segment >= 0 {
			list = append(list, m.plan.Effects.ByTenant(plan.SegmentMove, m.sink.Shapes(w.Segment))...)
		}
	}
	return list
}

// adopts raises the hazard of persons who are taken over, by the waves that move and not by those that are held.
func adopts(e *plan.Effects, figures []plan.TenantFigures) {
	var n int64
	for _, f := range figures {
		n += f.Figures[plan.FigureOf(state.PersonAdopt)]
	}
	if n > 0 {
		e.Raise(plan.AdoptsPerson, n, state.Found(state.CodeAdopts).Times(n))
	}
}

// context fills in the basis, and what only helps the reader.
func (m *maker) context(steps []providers.SchemaStep) {
	m.plan.Basis = m.basis()
	c := &m.plan.Context
	c.AsOf, c.Origin, c.OpenRun = m.AsOf.UTC(), m.Origin, openRun(m.State)
	c.Population = plan.Population{
		Live: m.world.AllLive, Moved: m.decided.Moved, Tenants: liveOf(m.world.Observed, m.world.Live, m.figures()),
	}
	c.Isolation = plan.Isolation{Groups: len(m.world.Index.Groups), Memberships: m.world.Index.Memberships,
		Violations: append(m.world.Violations, m.declared.Violations...)}
	for _, s := range steps {
		c.Schema = append(c.Schema, s.Does)
	}
	c.Notes = append(m.valuesBack(steps), m.ownMigrations(steps)...)
	c.Objects = m.declared.Context
	c.Outside = slices.Concat(m.drifted(), m.declared.Outside, m.decided.Outside)
	c.Notes = append(c.Notes, m.declared.Notes...)
	if v := m.Basis.Versions.SelfAuth; v != "" && !triedVersion(v) {
		c.Notes = append(c.Notes, state.Found(state.CodeVersionUntried, state.Text(state.KeyVersion, v)))
	}
	c.Notes = append(c.Notes, m.decided.Changing(m.moves)...)
	c.Notes = append(c.Notes, m.decided.WithoutWay(m.moves)...)
	c.Notes = append(c.Notes, m.decided.Notes...)
	c.Notes = append(c.Notes, m.decided.Unwritten()...)
	c.Notes = append(c.Notes, m.heard...)
	c.Notes = append(c.Notes, m.overdue()...)
	c.Notes = append(c.Notes, m.idleWishes()...)
	c.Notes = append(c.Notes, m.allowances()...)
	all := m.figures()
	if m.decided.Release >= 0 {
		all = append(all, m.plan.Effects.ByTenant(plan.SegmentRelease, m.sink.Shapes(m.decided.Release))...)
	}
	c.Cost = cost(&m.plan.Effects, all, m.world.Index.Persons(), m.State.Runs)
}

// overdue are the policies whose promised time has passed, with users whose password goes on working (L10).
func (m *maker) overdue() (list []state.Finding) {
	for _, p := range m.Config.Policies {
		n := m.decided.Duals[p.Name]
		if n > 0 && !p.PasswordUntil.IsZero() && !p.PasswordUntil.After(m.AsOf) {
			list = append(list, state.About(state.CodePasswordOverdue, state.Of(state.Address("auth_policy."+p.Name)),
				state.At(state.KeyUntil, p.PasswordUntil)).Times(n))
		}
	}
	return list
}

// moves says whether the plan moves users of a wave.
func (m *maker) moves(wave string) bool {
	return slices.ContainsFunc(m.plan.Effects.Waves, func(w plan.WaveEffect) bool { return w.Name == wave })
}

func notMoved(counts map[plan.SkipReason]int64) (list []plan.Skipped) {
	for _, r := range plan.SkipReasons() {
		if n := counts[r]; n > 0 {
			list = append(list, plan.Skipped{Reason: r, Count: n})
		}
	}
	return list
}

// basis is what a plan was made from.
func (in Input) basis() plan.Basis {
	b := in.Basis
	b.Serial, b.Last = in.State.Serial, plan.Now(in.State)
	b.Versions.Postgres = in.Inspection.Version
	return b
}

func openRun(st *state.State) string {
	if r := st.OpenRun(); r != nil {
		return r.ID
	}
	return ""
}

// triedVersion reports whether a server's version is one that Anthill was made for (docs/selfauth.md).
func triedVersion(v string) bool {
	var major, minor int
	_, err := fmt.Sscanf(v, "%d.%d", &major, &minor)
	return err == nil && major == 1 && minor >= 8 && minor <= 11
}
