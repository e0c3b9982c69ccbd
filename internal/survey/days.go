package survey

import (
	"math"
	"slices"
	"strconv"
	"time"

	"anthill/state"
)

const day = 24 * time.Hour

// Day is what happened on a day (UTC) to users who are live now.
type Day struct {
	Date      string `json:"date"` // 2026-12-07
	Linked    int64  `json:"linked"`
	Completed int64  `json:"completed"` // logged in through Self-auth for the first time, as far as the rows tell
}

// Point is how the population stood at the end of a day.
type Point struct {
	Date      string `json:"date"`
	Password  int64  `json:"password"`
	Dual      int64  `json:"dual"`
	SelfAuth  int64  `json:"self_auth"`
	Completed int64  `json:"completed"`
}

// KPI are the key figures that the plan calls for, but for those that need a measurement.
type KPI struct {
	Target   float64   `json:"target_percent"` // of the population, completed
	Start    time.Time `json:"start,omitzero"` // of the first run that linked somebody; it is never restarted
	Run      string    `json:"run,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`
	Rate     float64   `json:"completed_percent"`
	Linked   float64   `json:"linked_percent"`
	// The line through the completions of the last 14 whole days; none: fewer than 7 have passed since the start.
	Projection *Projection `json:"projection,omitempty"`
	// By hand: the latest value that a gate of this name was confirmed with, of whichever wave.
	Satisfaction *Measured `json:"satisfaction,omitempty"`    // gate satisfaction
	Tickets      *Measured `json:"support_tickets,omitempty"` // gate tickets
}

// Measured is a value that somebody has recorded with a confirmation.
type Measured struct {
	Value string    `json:"value"` // a decimal
	Met   bool      `json:"met"`   // the target
	Wave  string    `json:"wave"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// What is measured by hand, by the names of the gates: 4.5 of 5 or more, and fewer than 10.
const (
	GateSatisfaction = "satisfaction"
	GateTickets      = "tickets"

	leastSatisfaction = 4.5
	mostTickets       = 10
)

// Projection is where the present pace leads.
type Projection struct {
	Days       int       `json:"days"` // that the line goes through
	PerDay     float64   `json:"completed_per_day"`
	AtDeadline float64   `json:"percent_at_deadline"`
	Reached    time.Time `json:"reached,omitzero"` // when the target is reached; none: not within ten years
}

// What the plan demands: 95 % in 60 days.
const (
	Target = 95.0
	Term   = 60 * day
)

const (
	listedDays  = 30
	paceMost    = 14
	paceLeast   = 7
	pointsMost  = 400 // of the adoption: beyond that a point stands for several days
	reachedMost = 3650 * day
)

// days fills in what goes by days.
func (m *maker) days() {
	if m.Input.Days == nil {
		return
	}
	today := m.AsOf.UTC().Truncate(day)
	by := map[time.Time]*Day{}
	at := func(t time.Time) *Day {
		if by[t] == nil {
			by[t] = &Day{Date: t.Format(time.DateOnly)}
		}
		return by[t]
	}
	for _, d := range m.Input.Days {
		if !d.Linked.IsZero() {
			at(d.Linked).Linked += d.Users
		}
		if !d.Completed.IsZero() {
			at(d.Completed).Completed += d.Users
		}
	}
	for t, d := range by {
		if !t.Before(today.Add(-listedDays * day)) {
			m.Survey.Days = append(m.Survey.Days, *d)
		}
	}
	slices.SortFunc(m.Survey.Days, func(a, b Day) int { return -compareText(a.Date, b.Date) })
	m.kpi(today)
	m.adoption(today)
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// adoption is how the population came to stand as it does since the first run that linked somebody, or since the first link where there
// was none, by the days of those who are linked now.
func (m *maker) adoption(today time.Time) {
	first := m.KPI.Start.Truncate(day)
	if m.KPI.Start.IsZero() {
		first = today
		for _, d := range m.Input.Days {
			if d.Serves && !d.Linked.IsZero() && d.Linked.Before(first) {
				first = d.Linked
			}
		}
	}
	step := day
	for today.Sub(first)/step >= pointsMost {
		step += day
	}
	for t := today; !t.Before(first.Add(-step)); t = t.Add(-step) {
		p := Point{Date: t.Format(time.DateOnly), Password: m.Population.Users}
		for _, d := range m.Input.Days {
			if !d.Serves {
				continue
			}
			if !d.Linked.After(t) {
				switch d.Method {
				case state.MethodDual:
					p.Dual += d.Users
				case state.MethodSelfAuth:
					p.SelfAuth += d.Users
				}
			}
			if !d.Completed.IsZero() && !d.Completed.After(t) {
				p.Completed += d.Users
			}
		}
		p.Password -= p.Dual + p.SelfAuth
		m.Adoption = append(m.Adoption, p)
	}
	slices.Reverse(m.Adoption)
}

// kpi are the key figures.
func (m *maker) kpi(today time.Time) {
	k := &KPI{Target: Target, Rate: Percent(m.Population.Completed, m.Population.Users), Linked: Percent(m.Population.Linked, m.Population.Users)}
	m.KPI = k
	k.Satisfaction = m.measured(GateSatisfaction, func(v float64) bool { return v >= leastSatisfaction })
	k.Tickets = m.measured(GateTickets, func(v float64) bool { return v < mostTickets })
	for _, r := range m.State.Runs {
		if r.Kind == state.RunApply && r.Counts.Done > 0 {
			k.Run, k.Start, k.Deadline = r.ID, r.Started.UTC(), r.Started.UTC().Add(Term)
			break
		}
	}
	if k.Start.IsZero() || m.Population.Users == 0 {
		return
	}
	begun := k.Start.Truncate(day)
	n := min(int(today.Sub(begun)/day), paceMost)
	if n < paceLeast {
		return
	}
	perDay := m.pace(today, n)
	p := &Projection{Days: n, PerDay: math.Round(perDay*100) / 100}
	k.Projection = p
	users, done := float64(m.Population.Users), float64(m.Population.Completed)
	left := max(0, k.Deadline.Sub(m.AsOf).Hours()/24)
	p.AtDeadline = math.Round(10000*min(users, max(0, done+perDay*left))/users) / 100
	need := Target/100*users - done
	switch {
	case need <= 0:
		p.Reached = m.AsOf.UTC()
	case perDay > 0:
		if in := need / perDay * 24; in < reachedMost.Hours() {
			p.Reached = m.AsOf.UTC().Add(time.Duration(in * float64(time.Hour)))
		}
	}
}

// measured is the latest value of a gate of a name; nil: there is none.
func (m *maker) measured(gate string, met func(float64) bool) (last *Measured) {
	for _, c := range m.State.Confirmations {
		v, err := strconv.ParseFloat(c.Value, 64)
		if c.Gate == gate && err == nil && (last == nil || c.At.After(last.At)) {
			last = &Measured{c.Value, met(v), c.Wave, c.By, c.At}
		}
	}
	return last
}

// pace is the slope of the line through the users who had completed at the ends of the last n whole days.
func (m *maker) pace(today time.Time, n int) float64 {
	var x, y, xx, xy float64
	for i := range n {
		end := today.Add(time.Duration(i-n+1) * day) // midnight after the day
		var done float64
		for _, d := range m.Input.Days {
			if d.Serves && !d.Completed.IsZero() && d.Completed.Before(end) {
				done += float64(d.Users)
			}
		}
		at := float64(i)
		x, y, xx, xy = x+at, y+done, xx+at*at, xy+at*done
	}
	c := float64(n)
	return (c*xy - x*y) / (c*xx - x*x)
}
