// Package rollout judges waves: which may start, which run, soak or are done, and why one is held. It is pure: it sees
// tallies, what is recorded, confirmations and pauses, and the time at which to judge. Cohorts says which waves select
// a user. planner judges with it; planner/users selects with it.
package rollout

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// Tally is what the users of a wave add up to.
type Tally struct {
	Match     int64 // live users whom the selectors match, whichever wave they belong to
	MatchSkip int64 // of them, skipped for a reason
	Due       int64 // belong to the wave and are not moved
	Left      int64 // of them, those whom a plan of a part leaves out
	Later     int64 // are not due, may come to be, and are left out
	Waiting   int64 // belong to it and wait for a pause, or for the open run
	Moved     int64 // recorded as moved under it
	Added     int64 // of those due or waiting, whom an edit of its selection adds since it has started
	AddedDue  int64 // of those, due
	Widened   int64 // of those, waiting for its gates
	Figures   state.WaveFigures

	Unconfirmed []Unconfirmed // of those who wait: for a gate that each tenant opens, by the gates' names
	// Of those due: whom a gate that each tenant opens would hold by what is recorded, and by what is declared does not.
	Released []Unconfirmed
}

// Verdict is how a wave stands.
type Verdict struct {
	State       plan.WaveState
	Moves       bool            // its due users are moved by this plan
	Reasons     []state.Finding // why it is held or soaking, and its pauses
	Since       time.Time       // done or started, as recorded
	Until       time.Time       // a date that it waits for: start.at, or the end of soak
	Opens       time.Time       // of one that has not started: when it may, as far as dates say; zero: there is none
	MovedAfter  bool            // once this plan is carried out, nobody whom it selects is due
	DoneAfter   bool            // and it is done then
	RestartSoak bool            // moving somebody starts the clock of soak again
	Again       []state.Finding // gates that must be open again for those whom an edit adds, or who are many and late, and are closed
	Widens      bool            // such users are moved by this plan, as the gates are open again
	Goes        []state.Wish    // what it goes by that somebody wished: without it stood worse
}

// Input is what Judge sees. Maps are by the waves' names.
type Input struct {
	Waves         []config.Wave     // in the order of after
	From          map[string]string // by policy: under which users were moved whom its waves raise
	Recorded      map[string]state.Wave
	Digests       map[string]state.Digest // of the selections now (SelectionDigest)
	Tallies       []Tally                 // by wave
	Confirmations []state.Confirmation
	Pauses        []state.Pause
	Wishes        []state.Wish
	Slug          func(uuid.UUID) string // of a tenant
	MinPopulation int64                  // of a smaller wave it is nothing that many of it are late
	AsOf          time.Time
}

// Judge gives a verdict on each wave, in the order of in.Waves.
func Judge(in Input) []Verdict {
	j := judge{Input: in, index: map[string]int{}, out: make([]Verdict, len(in.Waves))}
	for i, w := range in.Waves {
		j.index[w.Name] = i
		j.out[i] = j.wave(i)
		if w.Enabled && in.Recorded[w.Name].Started.IsZero() {
			j.out[i].Opens = j.opens(i)
		}
	}
	return j.out
}

type judge struct {
	Input
	index map[string]int
	out   []Verdict
}

// wave judges one wave; those before it are judged already.
func (j *judge) wave(i int) Verdict {
	w, t := j.Waves[i], j.Tallies[i]
	rec := j.Recorded[w.Name]
	// What a pause keeps from those who are moved must be seen however their wave stands.
	pauses, whole := j.paused(w.Name)
	pauses = append(pauses, unconfirmed(w, t.Unconfirmed)...)
	switch {
	case !w.Enabled:
		return Verdict{State: plan.WaveDisabled, Reasons: pauses, Since: rec.Started}
	case whole:
		return Verdict{State: plan.WavePaused, Reasons: pauses, Since: rec.Started}
	}
	// Not even those who come late are raised before their password's time.
	if w.Promised.After(j.AsOf) {
		reasons := append([]state.Finding{promised(w)}, pauses...)
		return Verdict{State: plan.WaveHeld, Reasons: reasons, Until: w.Promised, Since: rec.Started}
	}
	if !rec.DoneAt.IsZero() {
		// Done is latched (L15); who comes later is late and needs no gate (L19).
		v := Verdict{State: plan.WaveDone, Since: rec.DoneAt, Moves: true, MovedAfter: true, DoneAfter: true}
		j.widened(&v, i)
		v.Reasons = slices.Concat(v.Reasons, j.window(w, t), pauses)
		return v
	}
	v := Verdict{
		State:       plan.WaveRunning,
		Since:       rec.Started,
		RestartSoak: rec.MovedAt.IsZero() || rec.Digest != j.Digests[w.Name],
	}
	// A wave that has started is not held back again by start conditions that somebody adds later.
	held := j.empty(w, t)
	if rec.Started.IsZero() {
		v.State = plan.WaveStarts
		var waits []state.Finding
		waits, v.Until = j.start(w, t)
		held = append(waits, held...)
	}
	if len(held) > 0 {
		v.State, v.Reasons = plan.WaveHeld, append(held, pauses...)
		return v
	}
	v.Moves, v.Until = true, time.Time{}
	if wish := j.wished(w.Name, state.WishStart); wish != nil && v.State == plan.WaveStarts && w.At.After(j.AsOf) {
		v.Goes = append(v.Goes, *wish)
	}
	j.finish(&v, w, t, rec)
	j.widened(&v, i)
	v.Reasons = slices.Concat(v.Reasons, j.window(w, t), pauses)
	return v
}

// window says how the window of a wave stands that has somebody to move. It holds no plan: apply goes by it, at its
// own time.
func (j *judge) window(w config.Wave, t Tally) []state.Finding {
	if w.Window == nil || t.Due == t.Left {
		return nil
	}
	return []state.Finding{plan.WindowSaid(w.Name, w.Window, j.AsOf)}
}

func promised(w config.Wave) state.Finding {
	return state.Found(state.CodePasswordPromised, state.At(state.KeyUntil, w.Promised))
}

// finish judges what comes after moving: soak and finish gates.
func (j *judge) finish(v *Verdict, w config.Wave, t Tally, rec state.Wave) {
	v.MovedAfter = t.Waiting+t.Left+t.Later == 0
	if !v.MovedAfter {
		return
	}
	// The clock counts from the last move that was the configuration's doing. Late joiners do not set it back (L15), or a
	// wave of an active tenant would never be done.
	soaking := rec.Soaking
	if soaking.IsZero() || t.Due > 0 && v.RestartSoak {
		soaking = j.AsOf
	}
	end := soaking.Add(w.Soak)
	// Failures are accepted of those who are tried now; with nobody due there are none.
	if wish := j.wished(w.Name, state.WishAccept); wish != nil && t.Due > 0 {
		v.Goes = append(v.Goes, *wish)
	}
	var reasons []state.Finding
	skipped := j.skipped(w, t, rec, v.RestartSoak)
	if w.Soak > 0 && end.After(j.AsOf) && skipped == nil {
		reasons = append(reasons, state.Found(state.CodeSoaks, state.Span(state.KeySpan, w.Soak),
			state.At(state.KeyUntil, end)))
		v.Until = end
	}
	// Late joiners do not count until they are moved, and hold back nobody by that either.
	reasons = append(reasons, j.gates(w, w.FinishGates, t, t.Due > 0 && v.RestartSoak)...)
	v.DoneAfter = len(reasons) == 0
	if v.DoneAfter && skipped != nil && w.Soak > 0 && end.After(j.AsOf) {
		v.Goes = append(v.Goes, *skipped)
	}
	if t.Due > 0 || v.State != plan.WaveRunning {
		return
	}
	v.State = plan.WaveDone
	if !v.DoneAfter {
		v.State, v.Reasons = plan.WaveSoaking, reasons
	}
}

// wished is what somebody wishes of a wave; nil: nobody does.
func (in Input) wished(wave string, kind state.WishKind) *state.Wish {
	i := slices.IndexFunc(in.Wishes, func(w state.Wish) bool { return w.Wave == wave && w.Kind == kind })
	if i < 0 {
		return nil
	}
	return &in.Wishes[i]
}

// skipped is the wish by which the rest of a soak is skipped: of one that has begun, and that this plan does not begin again.
func (in Input) skipped(w config.Wave, t Tally, rec state.Wave, restart bool) *state.Wish {
	if rec.Soaking.IsZero() || t.Due > 0 && restart {
		return nil
	}
	return in.wished(w.Name, state.WishSoak)
}

// start says why a wave may not start (L14), and the date among the reasons.
func (j *judge) start(w config.Wave, t Tally) (reasons []state.Finding, until time.Time) {
	for _, name := range EnabledAfter(j.Waves, w) {
		if p := j.index[name]; !j.out[p].DoneAfter {
			reasons = append(reasons, j.waits(p))
		}
	}
	if w.At.After(j.AsOf) && j.wished(w.Name, state.WishStart) == nil {
		reasons = append(reasons, state.Found(state.CodeStartsAt, state.At(state.KeyAt, w.At)))
		until = w.At
	}
	reasons = append(reasons, j.gates(w, w.StartGates, t, false)...)
	if t.Due == 0 && len(t.Unconfirmed) > 0 {
		// Nobody would be moved: a wave is not started by that. What it waits for stands among its reasons.
		reasons = append(reasons, state.Found(state.CodeNoTenantConfirmed))
	}
	return reasons, until
}

// waits says what a successor of wave p waits for.
func (j *judge) waits(p int) state.Finding {
	w, t, v := j.Waves[p], j.Tallies[p], j.out[p]
	var why []state.Finding
	switch {
	case v.State == plan.WaveHeld:
		why = append(why, state.Found(state.CodeHeldItself))
	case v.State == plan.WavePaused:
		why = append(why, state.Found(state.CodePausedItself))
	case t.Due > 0:
		why = append(why, state.Found(state.CodeToMove).Times(t.Due))
	}
	var tenants int64
	for _, u := range t.Unconfirmed {
		tenants += u.Users
	}
	if n := t.Waiting - tenants - t.Widened; n > 0 {
		why = append(why, state.Found(state.CodeWaiting).Times(n))
	}
	if t.Widened > 0 {
		why = append(why, state.Found(state.CodeAddedWait).Times(t.Widened))
	}
	if tenants > 0 {
		why = append(why, state.Found(state.CodeTenantsWait).Times(tenants))
	}
	// A wave that is held or paused says enough; one that still moves must be told of its soak and gates in advance.
	switch v.State {
	case plan.WaveHeld, plan.WavePaused:
	case plan.WaveSoaking:
		why = append(why, v.Reasons...)
	default:
		if w.Soak > 0 && !slices.ContainsFunc(v.Goes, func(w state.Wish) bool { return w.Kind == state.WishSoak }) {
			why = append(why, state.Found(state.CodeSoakNeeded, state.Span(state.KeySpan, w.Soak)))
		}
		rec := j.Recorded[w.Name]
		moving := t.Due > 0 && (rec.MovedAt.IsZero() || rec.Digest != j.Digests[w.Name])
		why = append(why, j.gates(w, w.FinishGates, t, moving)...)
	}
	return state.About(state.CodeWaitsFor, state.OfWave(w.Name), state.Because(state.KeyWhy, why...))
}

// paused says whether a wave is paused as a whole, or else which tenants of it are.
func (j *judge) paused(wave string) (reasons []state.Finding, whole bool) {
	var tenants []state.Finding
	for _, p := range j.Pauses {
		switch {
		case !state.InWave(wave, p.Wave):
		case p.Tenant == uuid.Nil:
			reasons = append(reasons, plan.PauseSaid(p, ""))
		default:
			tenants = append(tenants, plan.PauseSaid(p, j.Slug(p.Tenant)))
		}
	}
	if len(reasons) > 0 {
		return reasons, true
	}
	return tenants, false
}

// Pauses are pauses as they stand for declared waves: that of a step that is no longer one is one of its whole wave, as its users
// are in other steps now, or in a wave without steps, and nobody has let them go on.
func Pauses(waves []config.Wave, pauses []state.Pause) []state.Pause {
	list := slices.Clone(pauses)
	for i, p := range list {
		whole := state.WholeWave(p.Wave)
		declared := slices.ContainsFunc(waves, func(w config.Wave) bool { return w.Name == p.Wave })
		if !declared && slices.ContainsFunc(waves, func(w config.Wave) bool { return state.InWave(w.Name, whole) }) {
			list[i].Wave = whole
		}
	}
	return list
}

// Undeclared are the pauses of waves that are not among in.Waves: they keep the same from those who are moved there.
func Undeclared(in Input) (pauses []state.Finding) {
	whole := func(wave string) bool {
		return slices.ContainsFunc(in.Pauses, func(p state.Pause) bool { return state.InWave(wave, p.Wave) && p.Tenant == uuid.Nil })
	}
	for _, p := range in.Pauses {
		declared := slices.ContainsFunc(in.Waves, func(w config.Wave) bool { return state.InWave(w.Name, p.Wave) })
		// Tenants of a wave that is paused as a whole go on with that.
		if declared || p.Tenant != uuid.Nil && whole(p.Wave) {
			continue
		}
		slug := ""
		if p.Tenant != uuid.Nil {
			slug = in.Slug(p.Tenant)
		}
		pauses = append(pauses, plan.PauseUndeclared(p, slug))
	}
	return pauses
}

// empty says why a wave that has nobody to move must not count as moved (L17).
func (in Input) empty(w config.Wave, t Tally) []state.Finding {
	switch {
	case w.AllowEmpty:
		return nil
	case t.Match == 0 && in.From[w.Policy] != "":
		return []state.Finding{state.About(state.CodeNobodyToRaise, state.OfWave(w.Name), state.Text(state.KeyFrom, in.From[w.Policy]))}
	case t.Match == 0:
		return []state.Finding{state.About(state.CodeSelectsNobody, state.OfWave(w.Name))}
	case t.MatchSkip == t.Match:
		return []state.Finding{state.About(state.CodeAllSkipped, state.OfWave(w.Name)).Times(t.Match)}
	}
	return nil
}
