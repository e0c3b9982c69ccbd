package apply

import (
	"context"
	"slices"

	"anthill/planner/plan"
	"anthill/state"
)

// What somebody wished of a wave was shown and allowed with the plan that goes by it. It holds as long as the wish stands,
// and is used up when the wave has come so far.

// wishes reports whether the plan goes by a wish, and whether that was withdrawn since.
func (x *executor) wishes(wave string, kind state.WishKind) (goes, gone bool) {
	if goes = slices.Contains(x.effects.Wishes, plan.Wish{Wave: wave, Kind: kind}); !goes {
		return false, false
	}
	return true, !slices.ContainsFunc(x.st.Wishes, func(w state.Wish) bool { return w.Wave == wave && w.Kind == kind })
}

// accepts reports whether failures keep a wave from being moved as little as if there were none.
func (x *executor) accepts(wave string) bool {
	goes, gone := x.wishes(wave, state.WishAccept)
	return goes && !gone
}

// withdrawn says that a wave stays as it is, as the wish by which it was to start, or to be done, was withdrawn; zero: none was,
// or the wave has come so far already.
func (x *executor) withdrawn(wave string) state.Finding {
	is := x.waves[wave]
	for _, w := range []struct {
		kind state.WishKind
		come bool
	}{{state.WishStart, !is.Started.IsZero()}, {state.WishSoak, !is.DoneAt.IsZero()}} {
		if _, gone := x.wishes(wave, w.kind); gone && !w.come {
			return state.About(state.CodeWishGone, state.OfWave(wave), state.Text(state.KeyKind, string(w.kind)))
		}
	}
	return state.Finding{}
}

// useWishes uses up what the run has gone by, and ends what was wished of a wave that has come so far without it: left, it would
// hold for what comes later, of which nobody has wished anything.
func (x *executor) useWishes(ctx context.Context) error {
	if x.effects.Kind != state.RunApply {
		return nil
	}
	ends := map[state.WaveAct][]state.Wish{}
	for _, w := range x.st.Wishes {
		is := x.waves[w.Wave]
		came := map[state.WishKind]bool{
			state.WishStart:  !is.Started.IsZero(),
			state.WishSoak:   !is.DoneAt.IsZero() || is.Soaking.After(w.At), // or another one has begun since
			state.WishAccept: !is.DoneAt.IsZero() || x.through[w.Wave],
		}
		if !came[w.Kind] {
			continue
		}
		act := state.ActWithdraw
		if goes, _ := x.wishes(w.Wave, w.Kind); goes {
			act = state.ActUse
		}
		ends[act] = append(ends[act], state.Wish{Wave: w.Wave, Kind: w.Kind})
	}
	for _, act := range []state.WaveAct{state.ActUse, state.ActWithdraw} {
		if len(ends[act]) == 0 {
			continue
		}
		if err := x.journal.Wished(context.WithoutCancel(ctx), ends[act], act, x.Now().UTC()); err != nil {
			return err
		}
	}
	return nil
}

// closeGates takes back, with a rollback's pauses, the confirmations of gates of waves that stay paused as a whole, and all wishes
// of waves that it pauses: they were given before it was known that users had to be taken back.
func (x *executor) closeGates(ctx context.Context, u *plan.Undoing) error {
	if len(u.Gates) > 0 {
		if err := x.journal.Unconfirm(ctx, u.Gates, x.Now().UTC()); err != nil {
			return err
		}
	}
	wishes := slices.DeleteFunc(slices.Clone(x.st.Wishes), func(w state.Wish) bool {
		return !slices.ContainsFunc(u.Pauses, func(p plan.Pause) bool { return state.InWave(w.Wave, p.Wave) })
	})
	if len(wishes) == 0 {
		return nil
	}
	return x.journal.Wished(ctx, wishes, state.ActWithdraw, x.Now().UTC())
}
