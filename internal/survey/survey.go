package survey

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/providers"
	"anthill/state"
)

// Input is all that a survey is made from.
type Input struct {
	State    *state.State
	Level    providers.Level
	Config   *config.Config     // nil: it cannot be used, so waves are not judged
	Tenants  []providers.Tenant // sorted by id
	Counts   []providers.UserCount
	MovedOf  map[string]int64 // users recorded as moved, by wave, also those whose row is gone
	Enrolled bool             // who has a credential in Self-auth was asked
	// Left are those of each wave whom the last apply has left, by reason.
	Left map[string][]plan.Skipped
	// Announcements are counted by wave and status.
	Announcements []state.MailTally
	Days          []providers.DayCount // nil: not asked for, so there are no days and no key figures
	AsOf          time.Time
}

// Survey is how far everything is.
type Survey struct {
	Totals     Totals
	Population Population
	Phases     []Phase
	Waves      []Wave // declared ones in the order of `after`, then those of which only something is recorded
	Tenants    []Tenant
	LeftOpen   []state.Finding // what rollbacks of Postgres alone have left open
	Overdue    []state.Finding // policies whose promise has passed
	Undeclared []state.Finding // pauses of waves that are not declared
	Events     []Event         // dates to come, the next one first
	NewUsers   *NewUsers       // nil: it is not said from when on new users need Self-auth
	Days       []Day           // with something in them, of the last 30, newest first
	Adoption   []Point         // by day, oldest first
	KPI        *KPI            // nil: Input.Days was not given
}

// Totals are the live users: row and tenant not deleted. They are those of the plan's dashboard.
type Totals struct {
	Users        int64   `json:"total_users"`
	SelfAuthOnly int64   `json:"self_auth_only"`
	DualAuth     int64   `json:"dual_auth"`
	PasswordOnly int64   `json:"password_only"`
	Percent      float64 `json:"migration_percent"` // of methods other than password, two digits; 0 where there is nobody
	Linked       int64   `json:"linked"`
	Invited      int64   `json:"invited"`
	Enrolled     *int64  `json:"enrolled,omitempty"` // linked, with a credential in Self-auth; none: not known
	Completed    int64   `json:"completed"`
	Alone        int64   `json:"self_auth_alone"` // linked, and no password lets them in while Self-auth is down
}

// Population is whom the migration rate is about: live users of active tenants who are not excluded.
type Population struct {
	Users     int64    `json:"users"`
	Linked    int64    `json:"linked"`
	Completed int64    `json:"completed"`
	Cannot    []Cannot `json:"cannot_be_moved"` // who are not moved and cannot be, as it is; they count as users all the same
}

// Cannot counts users who cannot be moved, by what is in the way.
type Cannot struct {
	Reason string `json:"reason"` // that of a plan's skipped users, or no_wave: no wave selects them
	Users  int64  `json:"users"`
}

// NoWave is the reason of those whom no wave selects.
const NoWave = "no_wave"

// PhaseState is how far a phase of the plan is.
type PhaseState string

// The states. PhaseUnknown: Anthill keeps no record of it in this version.
const (
	PhasePending PhaseState = "pending"
	PhaseBegun   PhaseState = "in_progress"
	PhaseDone    PhaseState = "done"
	PhaseUnknown PhaseState = "unknown"
)

// Phase is one of the plan's five.
type Phase struct {
	Number string     `json:"phase"` // 4.1 to 4.5
	State  PhaseState `json:"state"`
	Done   int64      `json:"done"` // of persons: users linked; of the rollout: waves done
	Of     int64      `json:"of"`   // 0: there is nothing to count
}

// Tenant is how far the users of a tenant are. Its row is not deleted.
type Tenant struct {
	ID     uuid.UUID `json:"tenant"`
	Slug   string    `json:"slug"`
	Name   string    `json:"name"`
	Status string    `json:"status"`
	Totals
}

// NewUsers are those who were created when new users needed Self-auth already, and log in by password alone.
type NewUsers struct {
	From  time.Time `json:"required_from"`
	Users int64     `json:"users"`
}

// EventKind says what happens on a date.
type EventKind string

// EventStart: a wave may start. EventSoak: its soak ends. EventPassword: the promise of a policy ends. EventAllow: an allow block
// ends. EventNewUsers: from then on new users need Self-auth. EventWindow: the window of a wave with users to move opens.
// EventAnnounce: a wave is announced from then on.
const (
	EventStart    EventKind = "wave_start"
	EventSoak     EventKind = "soak_ends"
	EventPassword EventKind = "password_until"
	EventAllow    EventKind = "allow_until"
	EventNewUsers EventKind = "required_for_new_users"
	EventWindow   EventKind = "window_opens"
	EventAnnounce EventKind = "announcement"
)

// Event is a date to come.
type Event struct {
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	Name string    `json:"name,omitempty"` // of the wave or policy, or the hazard's code
}

// Make makes a survey. It changes nothing of in.
func Make(in Input) *Survey {
	m := maker{Input: in, tenants: map[uuid.UUID]int{}}
	for i, t := range in.Tenants {
		m.tenants[t.ID] = i
	}
	m.totals()
	m.waves()
	m.phases()
	m.events()
	m.days()
	return &m.Survey
}

// maker makes a survey.
type maker struct {
	Input
	Survey
	tenants map[uuid.UUID]int // places in Tenants
	cannot  map[string]int64
}

// live returns the place of the tenant of a live user; -1: the user is not live.
func (m *maker) live(f *providers.UserFacts) int {
	i, known := m.tenants[f.Tenant]
	if f.Deleted || !known || m.Input.Tenants[i].Deleted {
		return -1
	}
	return i
}

// alone reports whether nothing but Self-auth lets a user in.
func alone(f *providers.UserFacts) bool {
	return f.Linked && (f.Method == state.MethodSelfAuth || !f.Password)
}

func (t *Totals) add(f *providers.UserFacts, n int64) {
	t.Users += n
	switch f.Method {
	case state.MethodPassword:
		t.PasswordOnly += n
	case state.MethodDual:
		t.DualAuth += n
	case state.MethodSelfAuth:
		t.SelfAuthOnly += n
	}
	for _, one := range []struct {
		is bool
		to *int64
	}{{f.Linked, &t.Linked}, {f.Invited, &t.Invited}, {f.Completed, &t.Completed}, {alone(f), &t.Alone}, {f.Enrolled, t.Enrolled}} {
		if one.is && one.to != nil {
			*one.to += n
		}
	}
}

func (t *Totals) settle() { t.Percent = Percent(t.DualAuth+t.SelfAuthOnly, t.Users) }

// Percent is a share in per cent with two digits, rounded half up; 0 of nothing.
func Percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64((20000*part+whole)/(2*whole)) / 100
}

// totals counts users, all and by tenant.
func (m *maker) totals() {
	known := func() *int64 {
		if m.Enrolled {
			return new(int64)
		}
		return nil
	}
	m.Totals.Enrolled = known()
	all := make([]Totals, len(m.Input.Tenants))
	for i := range all {
		all[i].Enrolled = known()
	}
	back := map[string]int64{}
	var open int64
	duals := map[string]int64{}
	for i := range m.Counts {
		c := &m.Counts[i]
		f := &c.UserFacts
		switch {
		case f.Standing == state.RowBack && f.Linked:
			back[f.Wave] += c.Users
		case f.Standing == state.RowBack:
			open += c.Users
		}
		if f.Moved() && f.Method == state.MethodDual {
			duals[f.Policy] += c.Users
		}
		t := m.live(f)
		if t < 0 {
			continue
		}
		m.Totals.add(f, c.Users)
		all[t].add(f, c.Users)
		if m.serves(f, t) {
			m.Population.Users += c.Users
			if f.Linked {
				m.Population.Linked += c.Users
			}
			if f.Completed {
				m.Population.Completed += c.Users
			}
		}
		m.countNew(f, c.Users)
	}
	m.Totals.settle()
	m.leftOpen(open, back)
	m.overdue(duals)
	for i, t := range m.Input.Tenants {
		if !t.Deleted {
			all[i].settle()
			m.Survey.Tenants = append(m.Survey.Tenants, Tenant{t.ID, t.Slug, t.Name, t.Status, all[i]})
		}
	}
	slices.SortFunc(m.Survey.Tenants, func(a, b Tenant) int {
		return cmp.Or(cmp.Compare(b.Percent, a.Percent), strings.Compare(a.Slug, b.Slug))
	})
}

// serves reports whether a live user is one of the population.
func (m *maker) serves(f *providers.UserFacts, tenant int) bool {
	return m.Input.Tenants[tenant].Live() && !f.Excluded
}

// RequiredFrom is from when on new users need Self-auth, by a configuration that may be missing; zero: that is not said.
func RequiredFrom(c *config.Config) time.Time {
	if c == nil || c.Schema == nil {
		return time.Time{}
	}
	return c.Schema.RequiredFrom
}

func (m *maker) countNew(f *providers.UserFacts, n int64) {
	from := RequiredFrom(m.Config)
	if from.IsZero() || from.After(m.AsOf) {
		return
	}
	if m.NewUsers == nil {
		m.NewUsers = &NewUsers{From: from}
	}
	if f.New && !f.Excluded && f.Method == state.MethodPassword {
		m.NewUsers.Users += n
	}
}

func (m *maker) leftOpen(open int64, back map[string]int64) {
	if open > 0 {
		m.LeftOpen = append(m.LeftOpen, state.Found(state.CodeRowBackOpen).Times(open))
	}
	waves := make([]string, 0, len(back))
	for wave := range back {
		waves = append(waves, wave)
	}
	slices.Sort(waves)
	for _, wave := range waves {
		m.LeftOpen = append(m.LeftOpen, state.About(state.CodeRowBackLinked, state.OfWave(wave)).Times(back[wave]))
	}
}

// overdue are the policies whose promised time has passed, with users whose password goes on working (L10).
func (m *maker) overdue(duals map[string]int64) {
	if m.Config == nil {
		return
	}
	for _, p := range m.Config.Policies {
		if n := duals[p.Name]; n > 0 && !p.PasswordUntil.IsZero() && !p.PasswordUntil.After(m.AsOf) {
			m.Overdue = append(m.Overdue, state.About(state.CodePasswordOverdue, state.Of(state.Address("auth_policy."+p.Name)),
				state.At(state.KeyUntil, p.PasswordUntil)).Times(n))
		}
	}
}

// phases are the plan's, by what is there.
func (m *maker) phases() {
	schema := PhaseBegun
	switch m.Level {
	case providers.LevelDual:
		schema = PhaseDone
	case providers.LevelBaseline:
		schema = PhasePending
	}
	far := func(done, of int64, begun bool) Phase {
		p := Phase{State: PhasePending, Done: done, Of: of}
		switch {
		case of > 0 && done == of:
			p.State = PhaseDone
		case done > 0 || begun:
			p.State = PhaseBegun
		}
		return p
	}
	persons := far(m.Population.Linked, m.Population.Users, false)
	var done, of int64
	begun, open := false, map[string]bool{} // waves, steps taken together; whether they are still to be done
	for _, w := range m.Waves {
		if whole := state.WholeWave(w.Name); w.Declared && w.State != plan.WaveDisabled {
			open[whole] = open[whole] || w.State != plan.WaveDone
		}
		begun = begun || w.Moved > 0
	}
	for _, still := range open {
		of++
		if !still {
			done++
		}
	}
	rolled := far(done, of, begun)
	if m.Config == nil {
		rolled.Of = 0
	}
	persons.Number, rolled.Number = "4.2", "4.4"
	m.Phases = []Phase{{Number: "4.1", State: schema}, persons, {Number: "4.3", State: PhaseUnknown}, rolled,
		{Number: "4.5", State: PhasePending}}
}

// events are the dates to come.
func (m *maker) events() {
	if m.Config == nil {
		return
	}
	add := func(at time.Time, kind EventKind, name string) {
		if at.After(m.AsOf) {
			m.Events = append(m.Events, Event{at.UTC(), kind, name})
		}
	}
	started := map[string]bool{}
	for _, w := range m.State.Waves {
		started[w.Name] = !w.Started.IsZero()
	}
	for _, w := range m.Config.Waves {
		if w.Enabled && !started[w.Name] {
			add(w.At, EventStart, w.Name)
		}
	}
	for _, w := range m.Waves {
		if w.Announced != nil {
			add(w.Announced.Next, EventAnnounce, w.Name)
		}
		if w.State == plan.WaveSoaking {
			add(w.Until, EventSoak, w.Name)
		}
		for _, f := range w.Reasons {
			if f.Code == state.CodeWindowShut {
				add(f.Arg(state.KeyAt).Time, EventWindow, w.Name)
			}
		}
	}
	for _, p := range m.Config.Policies {
		add(p.PasswordUntil, EventPassword, p.Name)
	}
	for _, a := range m.Config.Allows {
		add(a.Until, EventAllow, a.Hazard)
	}
	add(RequiredFrom(m.Config), EventNewUsers, "")
	slices.SortStableFunc(m.Events, func(a, b Event) int { return a.At.Compare(b.At) })
}

// By says by what users are to be counted for a survey of a configuration, nil: of none. What the state knows, and who is enrolled, is
// for the caller to add.
func By(c *config.Config) (by providers.CountBy) {
	if c == nil {
		return by
	}
	by.ExcludedIDs, by.ExcludedMails = c.Exclude.UserIDs, c.Exclude.Emails
	for _, p := range c.Policies {
		if p.CompleteOnLink {
			by.OnLink = append(by.OnLink, p.Name)
		}
	}
	for _, w := range c.Waves {
		by.Roles = by.Roles || announcedToAdmins(w)
		for _, s := range w.Users {
			by.Roles = by.Roles || s.Roles != nil
		}
	}
	by.Announced = AnnouncedWaves(c)
	by.Shares, by.NewSince = rollout.Shares(c.Waves), RequiredFrom(c)
	return by
}
