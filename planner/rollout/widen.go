package rollout

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// Widening says whom an edit of its selection adds to a wave that has started (L20).
type Widening struct {
	before *Cohorts // of the selections as they are recorded
	edited []bool   // by wave
}

// NewWidening compares waves with what is recorded of them, for tenants given by their slugs.
func NewWidening(waves []config.Wave, st *state.State, slugs []string) (w Widening) {
	w.edited = make([]bool, len(waves))
	recorded := slices.Clone(waves)
	any := false
	for i := range waves {
		users, known := recordedUsers(waves[i].Name, st)
		if known {
			w.edited[i] = !slices.EqualFunc(Selectors(waves[i].Users), Selectors(users), state.Selector.Equal)
			recorded[i].Users, any = users, any || w.edited[i]
		}
	}
	if any {
		w.before = NewCohorts(recorded, slugs)
	}
	return w
}

// recordedUsers is whom a wave that has started selected; known is false where that is not recorded.
func recordedUsers(wave string, st *state.State) (users []config.Selector, known bool) {
	started := slices.ContainsFunc(st.Waves, func(w state.Wave) bool { return w.Name == wave && !w.Started.IsZero() })
	i := slices.IndexFunc(st.Brakes, func(b state.Brakes) bool { return b.Wave == wave && len(b.Users) > 0 })
	if !started || i < 0 {
		return nil, false
	}
	for _, s := range st.Brakes[i].Users {
		one := config.Selector{Tenants: s.Tenants, Roles: s.Roles}
		if s.Percent != nil {
			one.Percent, one.HasPercent = *s.Percent, true
		}
		users = append(users, one)
	}
	return users, true
}

// Selectors are users blocks as they are recorded.
func Selectors(users []config.Selector) (list []state.Selector) {
	for _, s := range users {
		one := state.Selector{Tenants: s.Tenants, Roles: s.Roles}
		if s.HasPercent {
			percent := s.Percent
			one.Percent = &percent
		}
		list = append(list, one)
	}
	return list
}

// Edited reports whether a wave has started and selects otherwise than is recorded.
func (w Widening) Edited(wave int) bool { return w.edited[wave] }

// Adds reports whether a user whom a wave selects is added to it.
func (w Widening) Adds(wave, tenant int, user uuid.UUID, role string) bool {
	return w.edited[wave] && !w.before.Selects(wave, tenant, user, role)
}

// lateLimit is the percentage of a wave that may be late at once without its gates (L19).
const lateLimit = 10

// late are the users of a done wave who come late, and whether they are so many that the wave is widened by them.
func (in Input) late(t Tally) (n int64, many bool) {
	n = t.Due - t.AddedDue
	return n, t.Moved >= in.MinPopulation && n*100 > lateLimit*t.Moved
}

// Again says which gates of a wave keep those from being moved whom an edit adds, or who are many and late: of those
// that it has passed, its start's and, if it is done, its finish's. A condition is sampled anew; a gate that is
// opened by hand must have been opened since the wave has started, was moved, was widened and was done.
func (in Input) Again(i int) (closed []state.Finding) {
	w, t := in.Waves[i], in.Tallies[i]
	rec := in.Recorded[w.Name]
	since := latest(rec.Started, rec.MovedAt, rec.DoneAt)
	for _, name := range passed(w, rec) {
		g := w.Gate(name)
		if !g.Manual() {
			if why := plan.GateClosed(w.Name, g, t.Figures); !why.IsZero() {
				closed = append(closed, why)
			}
			continue
		}
		if !slices.ContainsFunc(in.Confirmations, func(c state.Confirmation) bool {
			return state.InWave(w.Name, c.Wave) && c.Gate == name && c.Tenant == uuid.Nil && c.At.After(since)
		}) {
			closed = append(closed, state.About(state.CodeGateClosed, state.OfWave(w.Name), state.Text(state.KeyGate, name)))
		}
	}
	return closed
}

// passed are the gates that a wave has passed, but for those that each tenant opens, which hold by themselves.
func passed(w config.Wave, rec state.Wave) (names []string) {
	names = slices.Clone(w.StartGates)
	if !rec.DoneAt.IsZero() {
		names = append(names, w.FinishGates...)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return w.Gate(name).PerTenant })
}

func latest(times ...time.Time) (t time.Time) {
	for _, one := range times {
		if one.After(t) {
			t = one
		}
	}
	return t
}

// widened judges those whom an edit adds to a wave that has started, and those who are many and late.
func (j *judge) widened(v *Verdict, i int) {
	w, t := j.Waves[i], j.Tallies[i]
	rec := j.Recorded[w.Name]
	late, many := j.late(t)
	many = many && !rec.DoneAt.IsZero()
	if t.AddedDue+t.Widened == 0 && !many {
		return
	}
	v.Again = j.Again(i)
	gates := len(passed(w, rec)) > 0
	switch {
	case t.Widened > 0:
		v.Reasons = append(v.Reasons, state.About(state.CodeWidenedWaits, state.OfWave(w.Name), state.Because(state.KeyWhy, v.Again...)).Times(t.Widened))
	case t.AddedDue > 0:
		v.Reasons = append(v.Reasons, state.About(state.CodeWidened, state.OfWave(w.Name)).Times(t.AddedDue))
		v.Widens = gates
	}
	switch {
	case many && len(v.Again) > 0:
		v.Moves = false
		v.Reasons = append(v.Reasons, state.About(state.CodeLateWait, state.OfWave(w.Name), state.Number(state.KeyLimit, lateLimit),
			state.Because(state.KeyWhy, v.Again...)).Times(late))
	case many:
		v.Widens = gates
	}
}

// LeavesLate says of waves, by index, whether they are done and leave whoever comes late (L19). A wave with steps is done when its
// last one is: until then who comes late is one of those who are still to be moved.
func LeavesLate(waves []config.Wave, recorded []state.Wave) []bool {
	done := map[string]bool{}
	for _, r := range recorded {
		done[r.Name] = !r.DoneAt.IsZero()
	}
	last := map[string]string{}
	for _, w := range waves {
		last[state.WholeWave(w.Name)] = w.Name
	}
	list := make([]bool, len(waves))
	for i, w := range waves {
		list[i] = w.IgnoreLate && done[last[state.WholeWave(w.Name)]]
	}
	return list
}
