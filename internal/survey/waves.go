package survey

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// Wave is how a wave stands.
type Wave struct {
	plan.WaveView
	Declared  bool       `json:"-"` // else it is only recorded, and has no state
	Gates     []Gate     `json:"gates"`
	Began     *Began     `json:"began,omitempty"`        // the run that started it
	Announced *Announced `json:"announcement,omitempty"` // how far it is announced; absent: it is not
}

// Began is a run that started a wave.
type Began struct {
	Run        string `json:"run"`
	Who        string `json:"who"`
	ApprovedBy string `json:"approved_by,omitempty"`
}

// GateKind says what opens a gate.
type GateKind string

// GateManual: somebody, once for all. GateTenant: somebody, for each tenant. GateFigures: the figures of the wave.
const (
	GateManual  GateKind = "manual"
	GateTenant  GateKind = "tenant"
	GateFigures GateKind = "figures"
)

// Gate is how a gate of a wave stands.
type Gate struct {
	Name    string        `json:"gate"`
	Kind    GateKind      `json:"kind"`
	Finish  bool          `json:"finish"`              // of the wave's end; else of its start
	Open    bool          `json:"open"`                // one of tenants: for all who have users in the wave
	Figures state.Finding `json:"figures,omitzero"`    // the condition, with what stands for its names
	Since   time.Time     `json:"since,omitzero"`      // of an open one: when it was confirmed; of a closed one: since when the wave waits for it
	By      string        `json:"by,omitempty"`        // who has confirmed it
	Note    string        `json:"note,omitempty"`      // and why
	Value   string        `json:"value,omitempty"`     // what it was confirmed with, a decimal
	Tenants int           `json:"confirmed,omitempty"` // for how many tenants it is confirmed
	Waiting int           `json:"waiting,omitempty"`   // how many tenants wait for it
}

// tally counts the users of declared waves.
type tally struct {
	*maker
	waves          []config.Wave
	from           map[string]string // by policy
	cohorts        *rollout.Cohorts
	tallies        []rollout.Tally
	matched        []int64
	skipped        []int64
	notMoved       []map[plan.SkipReason]int64
	waiting        []map[gateOf]int64
	pauses         map[pauseOf]bool
	late           []bool           // by wave: it is done, and leaves who comes late
	gone           []int64          // by wave: users who were moved under steps that are no longer there
	counted        map[string]int64 // of them, by such a step, those who have a row
	toTell         []int64          // by wave: whom it is still to be announced to
	tellIn         []map[int]bool   // by wave: tenants whose administrators it is announced to
	announcedWaves []string         // as UserFacts.Told has them
	list           []int
}

type gateOf struct {
	gate   string
	tenant int
}

type pauseOf struct {
	wave   string
	tenant uuid.UUID
}

// waves judges the declared waves, and adds those that are only recorded.
func (m *maker) waves() {
	m.cannot = map[string]int64{}
	if m.Config != nil {
		m.declared()
	}
	known := map[string]bool{}
	for _, w := range m.Waves {
		known[w.Name] = true
	}
	only := map[string]*state.WaveFigures{}
	for i := range m.Counts {
		c := &m.Counts[i]
		if c.Moved() && !known[c.Wave] && !m.stepOf(c.Wave) {
			if only[c.Wave] == nil {
				only[c.Wave] = m.newFigures()
			}
			m.countFigures(only[c.Wave], c)
		}
	}
	for _, w := range m.State.Waves {
		if !known[w.Name] && only[w.Name] == nil && !m.stepOf(w.Name) && (m.Config == nil || m.MovedOf[w.Name] > 0) {
			only[w.Name] = m.newFigures()
		}
	}
	for _, name := range slices.Sorted(maps.Keys(only)) {
		w := Wave{WaveView: plan.WaveView{Name: name, Matched: m.MovedOf[name], Moved: m.MovedOf[name], Figures: *only[name]},
			Gates: []Gate{}, Began: m.began(m.recorded(name).Started)}
		w.Since = m.recorded(name).Started
		m.Waves = append(m.Waves, w)
	}
	for reason, n := range m.cannot {
		if n > 0 {
			m.Population.Cannot = append(m.Population.Cannot, Cannot{reason, n})
		}
	}
	slices.SortFunc(m.Population.Cannot, func(a, b Cannot) int {
		return cmp.Or(cmp.Compare(b.Users, a.Users), cmp.Compare(a.Reason, b.Reason))
	})
}

// stepOf reports whether a name is one of a declared wave, or of a step of it: whoever was moved under it counts there.
func (m *maker) stepOf(wave string) bool {
	return m.Config != nil && slices.ContainsFunc(m.Config.Waves, func(w config.Wave) bool {
		return state.WholeWave(w.Name) == state.WholeWave(wave)
	})
}

func (m *maker) newFigures() *state.WaveFigures {
	f := &state.WaveFigures{}
	if m.Enrolled {
		f.Enrolled = new(int64)
	}
	return f
}

func (m *maker) recorded(wave string) state.Wave {
	for _, w := range m.State.Waves {
		if w.Name == wave {
			return w
		}
	}
	return state.Wave{}
}

// began is the run that was under way at a moment.
func (m *maker) began(at time.Time) *Began {
	if at.IsZero() {
		return nil
	}
	for _, r := range slices.Backward(m.State.Runs) {
		if r.Kind == state.RunApply && !r.Started.After(at) {
			return &Began{r.ID, r.Who, r.ApprovedBy}
		}
	}
	return nil
}

// countFigures counts moved users in the figures of the wave that moved them, if they are active.
func (m *maker) countFigures(f *state.WaveFigures, c *providers.UserCount) {
	t := m.live(&c.UserFacts)
	if t < 0 || !c.Active || !m.Input.Tenants[t].Live() {
		return
	}
	f.Moved += c.Users
	if c.Invited {
		f.Invited += c.Users
	}
	if c.Completed {
		f.Completed += c.Users
	}
	if c.Enrolled && f.Enrolled != nil {
		*f.Enrolled += c.Users
	}
}

// declared judges the declared waves.
func (m *maker) declared() {
	t := newTally(m)
	for i := range m.Counts {
		t.count(&m.Counts[i])
	}
	t.settle()
	t.tellAdmins()
	in := t.input()
	t.widened(in)
	m.Undeclared = rollout.Undeclared(in)
	for i, v := range rollout.Judge(in) {
		w := t.waves[i]
		view := plan.WaveView{Name: w.Name, Policy: w.Policy, State: v.State, Since: v.Since, Until: v.Until, Reasons: v.Reasons,
			Matched: t.matched[i], Moved: t.tallies[i].Moved, Due: t.tallies[i].Due, Waiting: t.tallies[i].Waiting, Skipped: t.skipped[i],
			Figures: t.tallies[i].Figures}
		for _, r := range plan.SkipReasons() {
			if n := t.notMoved[i][r]; n > 0 {
				view.NotMoved = append(view.NotMoved, plan.Skipped{Reason: r, Count: n})
			}
		}
		m.Waves = append(m.Waves, Wave{view, true, t.gates(i, v), m.began(m.recorded(w.Name).Started), t.announced(i, v)})
	}
}

func newTally(m *maker) *tally {
	waves := m.Config.Waves
	slugs := make([]string, len(m.Input.Tenants))
	for i, t := range m.Input.Tenants {
		slugs[i] = t.Slug
	}
	t := &tally{maker: m, waves: waves, from: map[string]string{}, cohorts: rollout.NewCohorts(waves, slugs),
		tallies: make([]rollout.Tally, len(waves)), matched: make([]int64, len(waves)), skipped: make([]int64, len(waves)),
		pauses: map[pauseOf]bool{}, late: rollout.LeavesLate(waves, m.State.Waves), gone: make([]int64, len(waves)), counted: map[string]int64{},
		toTell: make([]int64, len(waves)), tellIn: make([]map[int]bool, len(waves)), announcedWaves: AnnouncedWaves(m.Config)}
	for _, p := range m.Config.Policies {
		t.from[p.Name] = p.From
	}
	for i := range waves {
		t.tallies[i].Figures = *m.newFigures()
		t.notMoved = append(t.notMoved, map[plan.SkipReason]int64{})
		t.waiting = append(t.waiting, map[gateOf]int64{})
	}
	for _, p := range rollout.Pauses(waves, m.State.Pauses) {
		t.pauses[pauseOf{p.Wave, p.Tenant}] = true
	}
	return t
}

func (t *tally) index(wave string) int {
	return slices.IndexFunc(t.waves, func(w config.Wave) bool { return w.Name == wave })
}

// count counts users who are alike for the waves that they belong to, as planner/users does one by one.
func (t *tally) count(c *providers.UserCount) {
	tenant := t.live(&c.UserFacts)
	t.list = t.list[:0]
	if tenant >= 0 {
		t.list = t.cohorts.MatchingOutside(t.list, tenant, c.Outside, c.Role)
	}
	if c.Moved() {
		t.countMoved(c)
	}
	if tenant < 0 {
		return
	}
	raising := func(i int) bool { return t.from[t.waves[i].Policy] != "" }
	var own []int
	for _, i := range t.list {
		from := t.from[t.waves[i].Policy]
		switch {
		case c.Moved() && (from == "" || t.waves[i].Policy == c.Policy):
			t.tallies[i].Match += c.Users
		case c.Moved() && from == c.Policy, !c.Moved() && !raising(i):
			own = append(own, i)
		}
	}
	switch {
	case len(own) > 0:
		t.belongs(c, tenant, own)
	case !c.Moved() && t.serves(&c.UserFacts, tenant):
		t.cannot[NoWave] += c.Users
	}
}

// countMoved counts moved users in the wave that moved them. Where that was a step that is no longer one, it is the step that would
// select them now, or else the last one.
func (t *tally) countMoved(c *providers.UserCount) {
	i := t.index(c.Wave)
	if i < 0 {
		if i = t.lastOf(c.Wave); i < 0 {
			return
		}
		t.counted[c.Wave] += c.Users
		for _, k := range t.list {
			if state.WholeWave(t.waves[k].Name) == state.WholeWave(c.Wave) {
				i = k
				break
			}
		}
		t.gone[i] += c.Users
	}
	t.countFigures(&t.tallies[i].Figures, c)
}

// lastOf is the last declared step of the wave that a name is one of; -1: there is none.
func (t *tally) lastOf(wave string) int {
	for i := range slices.Backward(t.waves) {
		if state.WholeWave(t.waves[i].Name) == state.WholeWave(wave) {
			return i
		}
	}
	return -1
}

func (t *tally) isPaused(wave string, tenant uuid.UUID) bool {
	whole := state.WholeWave(wave)
	return t.pauses[pauseOf{wave, uuid.Nil}] || t.pauses[pauseOf{wave, tenant}] || t.pauses[pauseOf{whole, uuid.Nil}] || t.pauses[pauseOf{whole, tenant}]
}

// leaves reports whether a wave leaves users as they come late.
func (t *tally) leaves(wave int, f *providers.UserFacts) bool {
	return t.late[wave] && (f.Moved() || !state.InWave(f.Wave, state.WholeWave(t.waves[wave].Name)))
}

// belongs counts users whom the first of some waves is to move, or to raise.
func (t *tally) belongs(c *providers.UserCount, tenant int, waves []int) {
	reason := RowReason(&c.UserFacts, &t.Input.Tenants[tenant])
	for _, i := range waves {
		t.tallies[i].Match += c.Users
		if reason != plan.SkipNone {
			t.tallies[i].MatchSkip += c.Users
		}
	}
	i := waves[0]
	if reason == plan.SkipNone && t.leaves(i, &c.UserFacts) {
		reason = plan.SkipLate
	}
	t.matched[i] += c.Users
	w, id := t.waves[i], t.Input.Tenants[tenant].ID
	switch gate := t.closedFor(w, id); {
	case reason != plan.SkipNone:
		t.skipped[i] += c.Users
		t.notMoved[i][reason] += c.Users
		if !c.Moved() && t.serves(&c.UserFacts, tenant) {
			t.cannot[reason.String()] += c.Users
		}
	case t.isPaused(w.Name, id), c.Moved() && t.isPaused(c.Wave, id): // who is raised waits for the wave that moved it as well
		t.tallies[i].Waiting += c.Users
		t.notMoved[i][plan.SkipPaused] += c.Users
	case gate != "":
		t.announce(c, tenant, i, true)
		t.tallies[i].Waiting += c.Users
		t.waiting[i][gateOf{gate, tenant}] += c.Users
		t.notMoved[i][plan.SkipUnconfirmed] += c.Users
	case c.Moved() && !c.Enrolled:
		t.announce(c, tenant, i, false)
		t.tallies[i].Waiting += c.Users
		t.notMoved[i][plan.SkipNotEnrolled] += c.Users
	default:
		t.announce(c, tenant, i, false)
		t.tallies[i].Due += c.Users
	}
}

// RowReason says why a live user is not moved, as far as row and tenant tell; SkipNone: they do not.
func RowReason(f *providers.UserFacts, t *providers.Tenant) plan.SkipReason {
	switch {
	case f.Excluded:
		return plan.SkipExcluded
	case f.Suspended:
		return plan.SkipSuspended
	case !f.Active:
		return plan.SkipInactive
	case t.Status == "suspended":
		return plan.SkipTenantSuspended
	case !t.Live():
		return plan.SkipTenantCancelled
	}
	return plan.SkipNone
}

// Hidden reports whether a user may be left for a reason that neither row nor tenant tells, and that lasts.
func Hidden(r plan.SkipReason) bool {
	return !slices.Contains([]plan.SkipReason{
		plan.SkipNone, plan.SkipExcluded, plan.SkipInactive, plan.SkipSuspended, plan.SkipTenantSuspended, plan.SkipTenantCancelled,
		plan.SkipOpenRun, plan.SkipPaused, plan.SkipNotEnrolled, plan.SkipNotLetIn, plan.SkipFollows, plan.SkipUnconfirmed,
		plan.SkipLate, plan.SkipWidened,
	}, r)
}

// closedFor is the first gate of a wave that a tenant has not opened for itself; "": there is none.
func (t *tally) closedFor(w config.Wave, tenant uuid.UUID) string {
	for _, g := range w.OpenedByTenant() {
		if !plan.OpenedBy(t.State.Confirmations, w.Name, g, tenant) {
			return g.Name
		}
	}
	return ""
}

// settle takes those whom the last apply has left out of those who are due, and fills in what follows from the other figures.
func (t *tally) settle() {
	for wave, n := range t.MovedOf {
		if i := t.lastOf(wave); i >= 0 && t.index(wave) < 0 {
			t.gone[i] += n - t.counted[wave] // their rows are gone
		}
	}
	for i, w := range t.waves {
		tally := &t.tallies[i]
		for _, s := range t.Left[w.Name] {
			if n := min(s.Count, tally.Due); n > 0 && Hidden(s.Reason) {
				tally.Due -= n
				tally.MatchSkip += n
				if !announcedToAdmins(w) {
					t.toTell[i] = max(0, t.toTell[i]-n) // as far as is known, they were not told
				}
				t.skipped[i] += n
				t.notMoved[i][s.Reason] += n
				t.cannot[s.Reason.String()] += n
			}
		}
		tally.Moved = t.MovedOf[w.Name] + t.gone[i]
		t.matched[i] += tally.Moved
		f := &tally.Figures
		f.Skipped, f.Failed = t.skipped[i], min(t.recorded(w.Name).Failed, tally.Due)
		f.Selected = t.matched[i] - (tally.Moved - f.Moved)
		tally.Unconfirmed = t.unconfirmed(i)
	}
}

// widened takes those whom the last apply has left for the gates of a wave that was edited (L20) out of those who are due, as long as
// one of these is closed.
func (t *tally) widened(in rollout.Input) {
	for i, w := range t.waves {
		for _, s := range t.Left[w.Name] {
			if s.Reason != plan.SkipWidened || len(in.Again(i)) == 0 {
				continue
			}
			tally := &t.tallies[i]
			n := min(s.Count, tally.Due)
			tally.Due, tally.Waiting, tally.Added, tally.Widened = tally.Due-n, tally.Waiting+n, tally.Added+n, tally.Widened+n
			t.notMoved[i][plan.SkipWidened] += n
		}
	}
}

// unconfirmed are the gates that tenants of a wave wait for.
func (t *tally) unconfirmed(wave int) (list []rollout.Unconfirmed) {
	keys := slices.SortedFunc(maps.Keys(t.waiting[wave]), func(a, b gateOf) int {
		return cmp.Or(cmp.Compare(a.gate, b.gate), cmp.Compare(a.tenant, b.tenant))
	})
	for _, k := range keys {
		if n := len(list); n == 0 || list[n-1].Gate != k.gate {
			list = append(list, rollout.Unconfirmed{Gate: k.gate})
		}
		u := &list[len(list)-1]
		u.Tenants, u.Users = append(u.Tenants, t.Input.Tenants[k.tenant].Slug), u.Users+t.waiting[wave][k]
	}
	return list
}

// input is what waves are judged by.
func (t *tally) input() rollout.Input {
	in := rollout.Input{
		Waves: t.waves, From: t.from, Recorded: map[string]state.Wave{}, Digests: map[string]state.Digest{}, Tallies: t.tallies,
		Confirmations: t.State.Confirmations, Pauses: rollout.Pauses(t.waves, t.State.Pauses), Wishes: t.State.Wishes, AsOf: t.AsOf,
		MinPopulation: t.Config.Guard.MinPopulation,
		Slug: func(id uuid.UUID) string {
			if i, known := t.tenants[id]; known {
				return t.Input.Tenants[i].Slug
			}
			return id.String()
		},
	}
	for _, w := range t.State.Waves {
		in.Recorded[w.Name] = w
	}
	for _, w := range t.waves {
		in.Digests[w.Name] = rollout.SelectionDigest(w)
	}
	return in
}

// gates are how the gates of a wave stand.
func (t *tally) gates(wave int, v rollout.Verdict) []Gate {
	w, f := t.waves[wave], t.tallies[wave].Figures
	list := []Gate{}
	add := func(name string, finish bool) {
		g := w.Gate(name)
		is, opened := Gate{Name: name, Finish: finish, Kind: GateManual}, map[uuid.UUID]bool{}
		for _, c := range t.State.Confirmations {
			if c.Gate != name || c.Wave != w.Name && (!g.PerTenant || !state.InWave(w.Name, c.Wave)) {
				continue
			}
			switch {
			case g.PerTenant && c.Tenant != uuid.Nil:
				opened[c.Tenant] = plan.Enough(g, c) // the last one counts
				is.Since = c.At
			case !g.PerTenant && c.Tenant == uuid.Nil:
				is.Since, is.By, is.Note, is.Value = c.At, c.By, c.Note, c.Value
			}
		}
		switch {
		case g.PerTenant:
			is.Kind = GateTenant
			for _, open := range opened {
				if open {
					is.Tenants++
				}
			}
			for _, u := range t.tallies[wave].Unconfirmed {
				if u.Gate == name {
					is.Waiting = len(u.Tenants)
				}
			}
			is.Open = is.Waiting == 0
		case !g.Manual():
			is.Kind = GateFigures
			is.Open = plan.GateClosed(w.Name, g, f).IsZero()
			is.Figures = plan.GateFigures(w.Name, g, f)
		default:
			why := plan.ByHand(t.State.Confirmations, w.Name, g)
			if is.Open = why.IsZero(); !is.Open {
				is.Figures = why
			}
		}
		if rec := t.recorded(w.Name); !is.Open && finish && is.Kind != GateTenant && v.State == plan.WaveSoaking {
			is.Since = rec.MovedAt
		}
		list = append(list, is)
	}
	for _, name := range w.StartGates {
		add(name, false)
	}
	for _, name := range w.FinishGates {
		add(name, true)
	}
	return list
}

// Placer says to which waves users belong, one by one.
type Placer struct{ tally *tally }

// NewPlacer prepares a placer of a survey's input, as far as that is known: without a configuration no wave is.
func NewPlacer(in Input) *Placer {
	m := &maker{Input: in, tenants: map[uuid.UUID]int{}}
	for i, t := range in.Tenants {
		m.tenants[t.ID] = i
	}
	if in.Config == nil {
		m.Config = &config.Config{}
	}
	return &Placer{newTally(m)}
}

// Place returns the slug of a user's tenant; the wave that is to move the user, or has moved it, "": none; and why that does not move
// it, as far as row and state tell, apart from how the wave itself stands.
func (p *Placer) Place(f *providers.UserFacts) (slug, wave string, reason plan.SkipReason) {
	t := p.tally
	i, known := t.tenants[f.Tenant]
	if !known {
		return "", "", plan.SkipNone
	}
	tenant := &t.Input.Tenants[i]
	reason = RowReason(f, tenant)
	if f.Moved() {
		return tenant.Slug, f.Wave, reason
	}
	for _, w := range t.cohorts.MatchingOutside(nil, i, f.Outside, f.Role) {
		of := t.waves[w]
		if t.from[of.Policy] != "" {
			continue
		}
		switch {
		case reason != plan.SkipNone:
		case t.leaves(w, f):
			reason = plan.SkipLate
		case t.isPaused(of.Name, tenant.ID):
			reason = plan.SkipPaused
		case t.closedFor(of, tenant.ID) != "":
			reason = plan.SkipUnconfirmed
		}
		return tenant.Slug, of.Name, reason
	}
	return tenant.Slug, "", reason
}
