package apply

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/state"
)

// A pause needs no lock, so one may come while a run is on its way. The run looks for it before each batch: from there on it
// gives nobody anything whom the pause is about. Users in flight, whom a stopped run had begun with, lose what they were
// given so far, like those whose row has changed.

// heedsPauses reports whether pauses keep the plan from anything.
func (x *executor) heedsPauses() bool {
	return x.effects.Kind == state.RunApply || x.effects.Kind == state.RunInvite
}

// paused are the pauses as last read.
func (x *executor) paused() []state.Pause {
	if list := x.pauses.Load(); list != nil {
		return *list
	}
	return nil
}

// lookForPauses reads the pauses again, and tells of those that were not there before. They never stop a rollback (L44).
func (x *executor) lookForPauses(ctx context.Context) error {
	if !x.heedsPauses() {
		return nil
	}
	list, err := x.Store.Pauses(ctx)
	if err != nil {
		return err
	}
	known := x.paused()
	x.pauses.Store(&list)
	for _, p := range list {
		if !slices.ContainsFunc(known, func(k state.Pause) bool { return k.Wave == p.Wave && k.Tenant == p.Tenant && k.Run == p.Run }) {
			x.events(Event{Kind: Note, Note: plan.PauseMet(p, x.slugs)})
		}
	}
	return nil
}

// holdPaused leaves those of a batch alone whose wave, or tenant in it, was paused since they were looked at. Nothing has been
// done for them yet, but where a stopped run had begun.
func (x *executor) holdPaused(ctx context.Context, b *batch) error {
	if err := x.lookForPauses(ctx); err != nil {
		return err
	}
	for _, it := range b.items {
		if it.verdict != 0 || it.failed != nil {
			continue
		}
		_, open := x.open[it.change.User]
		switch gate := x.closedTo(it); {
		case x.pausedNow(it) && open:
			it.failed = &refusal{x.pausedSince(it)}
		case x.pausedNow(it):
			it.verdict, it.why = state.Paused, x.pausedSince(it)
		case gate != "" && !open: // whom a stopped run had begun with is gone on with
			it.verdict, it.why = state.Paused, state.About(state.CodeTenantsUnconfirmed, state.OfWave(it.shape.After.Wave),
				state.Text(state.KeyGate, gate), state.List(state.KeyTenants, x.slugs[it.shape.Tenant])).Times(1)
		}
	}
	return nil
}

// closedTo is a gate that the tenant of a user who is moved has closed for itself since the plan was made; "": it has not.
func (x *executor) closedTo(it *item) string {
	s := it.shape
	i := slices.IndexFunc(x.effects.Waves, func(w plan.WaveEffect) bool { return w.Name == s.After.Wave })
	follows := it.prior != nil && it.prior.Standing == state.Moved && !s.Ground.Moved
	if i < 0 || s.After.Standing != state.Moved || follows {
		return ""
	}
	return x.effects.Waves[i].Sampling.ClosedTo(s.After.Wave, s.Tenant, x.st.Confirmations)
}

func (x *executor) pausedSince(it *item) state.Finding {
	return state.About(state.CodePausedSince, state.OfWave(x.waveOf(it)))
}

// isPaused reports whether a user in flight was given up because of a pause.
func isPaused(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.why.Code == state.CodePausedSince
}

// pausedNow reports whether a pause younger than the plan keeps the user where it is; changes that only take away go
// on.
func (x *executor) pausedNow(it *item) bool {
	s := it.shape
	if !x.heedsPauses() || s.Join == 0 && s.Effect.TakesAway() && !s.Ground.Moved && s.Letter.IsZero() {
		return false
	}
	// Whoever is raised waits for the wave that moved it as well.
	return slices.ContainsFunc(x.paused(), func(p state.Pause) bool {
		wave := state.InWave(x.waveOf(it), p.Wave) || s.Ground.Moved && it.prior != nil && state.InWave(it.prior.Wave, p.Wave)
		return wave && (p.Tenant == uuid.Nil || p.Tenant == s.Tenant)
	})
}

// pausedWhole reports whether a wave is paused as a whole. A plan has none that was paused when it was made.
func (x *executor) pausedWhole(wave string) bool {
	return x.effects.Kind == state.RunApply &&
		slices.ContainsFunc(x.paused(), func(p state.Pause) bool { return state.InWave(wave, p.Wave) && p.Tenant == uuid.Nil })
}
