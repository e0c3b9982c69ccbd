package apply

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// segments carries out the users: follow-ups and restorations first, then the waves in their order, each only when
// the waves before it were moved.
func (x *executor) segments(ctx context.Context) error {
	// Segments stand in the plan as their first users were met; place counts them as they are carried out, and the run's
	// position means that. It counts a wave that is not started too, so that a resumed run finds the same places.
	place := 0
	if err := x.sample(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for i, s := range x.effects.Segments {
		if s.Kind == plan.SegmentMove {
			continue
		}
		through := x.segment
		if s.Kind.Mails() {
			through = x.choose
		}
		if err := through(ctx, i, place); err != nil {
			return err
		}
		place++
	}
	stuck := map[string]state.Code{} // what is said of those that wait for them
	awaited := map[string]bool{}
	for _, w := range x.effects.Waves {
		for _, a := range w.After {
			awaited[a] = true
		}
	}
	// pass leaves the users of a wave untried. A run that is resumed must not take the users in flight of a later
	// wave for them.
	pass := func(segment int) error {
		if segment < 0 {
			return nil
		}
		if place++; x.journal.Position().Segment >= place {
			return nil
		}
		return x.journal.Waves(context.WithoutCancel(ctx), nil, state.Position{Segment: place})
	}
	for _, w := range x.effects.Waves {
		i := x.segmentOf(w.Name)
		if x.overtaken {
			if i >= 0 {
				x.held = append(x.held, state.About(state.CodeWaveOvertaken, state.OfWave(w.Name)))
			}
			continue
		}
		if a := slices.IndexFunc(w.After, func(a string) bool { return stuck[a] != "" }); a >= 0 {
			code := stuck[w.After[a]]
			stuck[w.Name] = code
			x.held = append(x.held, state.About(code, state.OfWave(w.Name),
				state.Text(state.KeyAfter, w.After[a])))
			if err := pass(i); err != nil {
				return err
			}
			continue
		}
		gone := x.withdrawn(w.Name)
		if goes, withdrawn := x.wishes(w.Name, state.WishStart); goes && withdrawn && !gone.IsZero() {
			stuck[w.Name] = state.CodeWaveAfterNotDone
			x.held = append(x.held, gone)
			if err := pass(i); err != nil {
				return err
			}
			continue
		}
		if why := x.shut(w, place); len(why) > 0 {
			code := state.CodeWaveGateShut
			if w.Widens {
				code = state.CodeWaveNotWidened
			}
			if x.waves[w.Name].DoneAt.IsZero() {
				stuck[w.Name] = state.CodeWaveAfterNotDone
			}
			if err := pass(i); err != nil {
				return err
			}
			x.held = append(x.held, state.About(code, state.OfWave(w.Name), state.Because(state.KeyWhy, why...)))
			continue
		}
		if why := x.shutNow(w.Name); i >= 0 && !why.IsZero() && !x.begun(w.Name, place) {
			if x.waves[w.Name].DoneAt.IsZero() {
				stuck[w.Name] = state.CodeWaveNotStarted
			}
			x.held = append(x.held, x.windowLeft(w))
			if err := pass(i); err != nil {
				return err
			}
			continue
		}
		next := x.journal.Position()
		if i >= 0 {
			if err := x.segment(ctx, i, place); err != nil {
				return err
			}
			place++
			next = state.Position{Segment: place}
		}
		if w.Window != nil && x.untried(w.Name) > 0 {
			x.held = append(x.held, x.windowLeft(w))
		}
		why := x.notDone(w)
		if !gone.IsZero() { // the wish of its soak: its users have gone on
			x.held = append(x.held, gone)
		}
		w.Done = w.Done && len(why) == 0 && gone.IsZero()
		moved, err := x.latch(ctx, w, next)
		if err == nil && awaited[w.Name] {
			err = x.lookForPauses(context.WithoutCancel(ctx))
		}
		if err != nil {
			return err
		}
		x.through[w.Name] = moved && w.Moved
		if moved && len(why) > 0 {
			x.held = append(x.held, state.About(state.CodeWaveNotDone, state.OfWave(w.Name), state.Because(state.KeyWhy, why...)))
		}
		// A wave that was done before stays done (L15): late users who fail hold nobody up. A pause does (L13).
		done := !x.waves[w.Name].DoneAt.IsZero()
		switch {
		case !done && !moved, x.pausedWhole(w.Name):
			stuck[w.Name] = state.CodeWaveNotStarted
		case !done && (len(why) > 0 || !gone.IsZero()):
			stuck[w.Name] = state.CodeWaveAfterNotDone
		}
	}
	return nil
}

func (x *executor) segmentOf(wave string) int {
	return slices.IndexFunc(x.effects.Segments, func(s plan.Segment) bool {
		return s.Kind == plan.SegmentMove && s.Wave == wave
	})
}

// latch records how a wave stands after its users were tried (L15), and reports whether it counts as moved. next is
// where the run has come with it: a run that is resumed further on has recorded it before it was stopped, and must
// neither count its users again nor start the clock of soak anew.
func (x *executor) latch(ctx context.Context, w plan.WaveEffect, next state.Position) (bool, error) {
	work := context.WithoutCancel(ctx)
	at, i := x.journal.Position(), x.segmentOf(w.Name)
	if through := i >= 0 && at.Segment >= next.Segment; through || i < 0 && x.latched(w, true) == x.waves[w.Name] {
		return x.isMoved(w), nil
	}
	// Once more, as its last batch was a while ago: what is paused is neither moved nor done (L13).
	if err := x.lookForPauses(work); err != nil {
		return false, err
	}
	moved := x.isMoved(w)
	if i < 0 && !moved {
		x.held = append(x.held, state.About(state.CodeWavePausedSince, state.OfWave(w.Name)))
	}
	after := x.latched(w, moved)
	if after == x.waves[w.Name] && at == next {
		return moved, nil
	}
	x.waves[w.Name] = after
	return moved, x.journal.Waves(work, []state.Wave{after}, next)
}

// isMoved reports whether the users of a wave got through, as far as it is known how they fared.
func (x *executor) isMoved(w plan.WaveEffect) bool {
	f := x.figure[w.Name]
	return (f.failed <= w.MaxFailures || x.accepts(w.Name)) && f.paused == 0 && x.untried(w.Name) == 0 && !x.pausedWhole(w.Name)
}

// latched is a wave as it will be recorded; moved says whether its users got through.
func (x *executor) latched(w plan.WaveEffect, moved bool) state.Wave {
	f := x.figure[w.Name]
	// As Postgres keeps it, or the same wave would differ when read back.
	now := x.Now().UTC().Truncate(time.Microsecond)
	after := x.waves[w.Name]
	after.Name = w.Name
	// One that was paused before anybody of it was tried has not started.
	if after.Started.IsZero() && w.Starts && (f.done+f.failed > 0 || !x.pausedWhole(w.Name)) {
		after.Started = now
	}
	after.Failed = f.failed
	if f.done > 0 {
		after.Users += f.done
		if w.RestartSoak {
			after.Soaking = now
		}
	}
	if !moved || !w.Moved {
		return after
	}
	after.Digest = w.Digest
	if f.failed > w.MaxFailures { // they were accepted, and stay so
		after.Accepted = f.failed
	}
	if after.Soaking.IsZero() {
		after.Soaking = now
	}
	if after.MovedAt.IsZero() || w.Widens && f.done > 0 {
		after.MovedAt = now
	}
	if w.Done && after.DoneAt.IsZero() {
		after.DoneAt = now
	}
	return after
}

// brakes records what holds the declared waves back, and the policies, before anything else: who approved the plan has approved that, and
// nobody is moved under a policy that is not recorded. What another plan has recorded since stays.
func (x *executor) brakes(ctx context.Context) error {
	if !x.brakesDiffer() {
		return nil
	}
	return x.journal.Brakes(context.WithoutCancel(ctx), x.planned(), x.effects.Policies)
}

// planned are the brakes of the plan. What this run has recorded at its end, before it was stopped, stays.
func (x *executor) planned() []state.Brakes {
	brakes := slices.Clone(x.effects.Brakes)
	for i := range brakes {
		if w := x.selects(brakes[i].Wave); len(w) > 0 && x.recordedUsers(brakes[i].Wave, w) {
			brakes[i].Users = w
		}
	}
	return brakes
}

// selects is whom a wave selects, where the plan moves all whom an edit of that adds; none: it does not.
func (x *executor) selects(wave string) []state.Selector {
	i := slices.IndexFunc(x.effects.Waves, func(w plan.WaveEffect) bool { return w.Name == wave })
	if i < 0 {
		return nil
	}
	return x.effects.Waves[i].Users
}

// recordedUsers reports whether that is recorded of a wave.
func (x *executor) recordedUsers(wave string, users []state.Selector) bool {
	return slices.ContainsFunc(x.st.Brakes, func(b state.Brakes) bool {
		return b.Wave == wave && slices.EqualFunc(b.Users, users, state.Selector.Equal)
	})
}

func (x *executor) brakesDiffer() bool {
	byWave := func(a, b state.Brakes) int { return strings.Compare(a.Wave, b.Wave) }
	planned := slices.SortedFunc(slices.Values(x.planned()), byWave)
	return x.effects.Kind == state.RunApply && !x.overtaken && (!slices.EqualFunc(planned, x.st.Brakes, state.Brakes.Equal) ||
		!slices.EqualFunc(x.effects.Policies, x.st.Policies, state.Policy.Equal))
}

// latches reports whether a plan without changes would still record a wave, or what holds it back, in another state.
func (x *executor) latches() bool {
	return x.brakesDiffer() || !x.overtaken && slices.ContainsFunc(x.effects.Waves, func(w plan.WaveEffect) bool {
		return x.latched(w, true) != x.waves[w.Name]
	})
}

// aftermath records what a rollback leaves behind: pauses, runs marked as undone, waves that are no longer done; and what an apply
// has used up.
func (x *executor) aftermath(ctx context.Context) error {
	work := context.WithoutCancel(ctx)
	u := x.effects.Undo
	if u == nil {
		if err := x.widened(work); err != nil {
			return err
		}
		return x.useWishes(work)
	}
	// Before the new pauses: a rollback may lift those of an earlier one and leave its own.
	if len(u.Lift) > 0 {
		if err := x.journal.Lift(work, u.Lift, x.Now().UTC()); err != nil {
			return err
		}
	}
	if len(u.Pauses) > 0 {
		if err := x.pause(work, u); err != nil {
			return err
		}
	}
	// What could not be taken back is tried again by the next rollback of the same run.
	if c := x.journal.Counts(); len(u.Whole) > 0 && c.Failed+c.Changed == 0 {
		if err := x.journal.Undone(work, u.Whole, true); err != nil {
			return err
		}
	}
	if len(u.Again) > 0 {
		return x.journal.Undone(work, u.Again, false)
	}
	return nil
}

// widened records whom waves select of which the run has moved all whom an edit of that adds: from now on they are of
// the wave.
func (x *executor) widened(ctx context.Context) error {
	brakes, any := x.planned(), false
	for _, w := range x.effects.Waves {
		i := slices.IndexFunc(brakes, func(b state.Brakes) bool { return b.Wave == w.Name })
		if i >= 0 && len(w.Users) > 0 && !x.overtaken && x.isMoved(w) && !x.recordedUsers(w.Name, w.Users) {
			brakes[i].Users, any = w.Users, true
		}
	}
	if !any {
		return nil
	}
	return x.journal.Brakes(ctx, brakes, x.effects.Policies)
}

// pause records the pauses of a rollback, closes gates, and marks the waves as neither done nor moved: users of them were taken
// back (L15).
func (x *executor) pause(ctx context.Context, u *plan.Undoing) error {
	pauses := make([]state.Pause, len(u.Pauses))
	var waves []state.Wave
	for i, p := range u.Pauses {
		pauses[i] = state.Pause{Wave: p.Wave, Tenant: p.Tenant, Run: x.journal.ID(), By: x.Who, At: x.Now().UTC()}
		for _, name := range slices.Sorted(maps.Keys(x.waves)) {
			if !state.InWave(name, p.Wave) {
				continue
			}
			w, was := x.waves[name], x.waves[name]
			w.MovedAt, w.DoneAt, w.Accepted = time.Time{}, time.Time{}, 0
			if p.Tenant == uuid.Nil && slices.ContainsFunc(u.Gates, func(g state.WaveGate) bool { return g.Wave == name }) {
				w.Started = time.Time{} // by gates that are closed now: it has to start again
			}
			if w != was {
				x.waves[name] = w
				waves = append(waves, w)
			}
		}
	}
	if err := x.journal.Pause(ctx, pauses); err != nil {
		return err
	}
	if err := x.closeGates(ctx, u); err != nil || len(waves) == 0 {
		return err
	}
	return x.journal.Waves(ctx, waves, x.journal.Position())
}
