package apply

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"anthill/state"
)

// aftermath is what a rollback leaves: pauses, runs marked as undone, waves that are no longer done.
func (x *executor) aftermath(context.Context) error {
	u := x.p.Undo
	if u == nil {
		return nil
	}
	if len(u.Lift) > 0 {
		if err := x.record.Lift(x.work, u.Lift); err != nil {
			return err
		}
	}
	if len(u.Pauses) > 0 {
		pauses := slices.Clone(u.Pauses)
		for i := range pauses {
			pauses[i].Run, pauses[i].At = x.record.ID(), x.Now().UTC()
			pauses[i].Reason = "rolled back by run " + x.record.ID()
		}
		if err := x.record.Pause(x.work, pauses); err != nil {
			return err
		}
		if err := x.unlatch(pauses); err != nil {
			return err
		}
	}
	// What could not be taken back is tried again by the next rollback of the same run.
	if c := x.record.Counts(); len(u.Whole) > 0 && c.Failed+c.Changed == 0 {
		if err := x.record.Undone(x.work, u.Whole, true); err != nil {
			return err
		}
	}
	if len(u.Again) > 0 {
		return x.record.Undone(x.work, u.Again, false)
	}
	return nil
}

// unlatch takes "done" and "moved" from waves of which a user was taken back (L15).
func (x *executor) unlatch(pauses []state.Pause) error {
	var waves []state.Wave
	for _, p := range pauses {
		w, ok := x.waves[p.Wave]
		if !ok || w.MovedAt.IsZero() && w.DoneAt.IsZero() {
			continue
		}
		w.MovedAt, w.DoneAt = time.Time{}, time.Time{}
		x.waves[p.Wave] = w
		waves = append(waves, w)
	}
	if len(waves) == 0 {
		return nil
	}
	return x.record.Waves(x.work, waves)
}

// closeOpen ends an open run before it is rolled back, or users of other tenants and waves are: nothing new is tried. Who is in
// flight and is taken back by the plan is left to it; for others what was begun is undone.
func (x *executor) closeOpen(ctx context.Context, open *state.RunInfo) error {
	run, err := x.Store.Resume(ctx, open.ID)
	if err != nil {
		return err
	}
	intents, err := run.Open(x.work)
	if err != nil {
		return err
	}
	if len(intents) > 0 {
		others, err := x.notPlanned(intents)
		if err != nil {
			return err
		}
		if err := x.takeBack(others); err != nil {
			return err
		}
		outcomes := make([]state.Outcome, len(intents))
		for i, in := range intents {
			outcomes[i] = state.Outcome{Intent: in.ID, User: in.User, Tenant: in.Tenant, Wave: in.Wave, Verdict: state.Refused,
				Reason: "the run was rolled back while this user was in flight"}
			if in.Effect.Act == state.PersonCreate || in.Prior == nil {
				after := in.After
				after.Standing, after.Groups = state.Failed, nil
				outcomes[i].Recorded = &after
			}
		}
		if err := run.Settle(x.work, nil, outcomes, run.Position()); err != nil {
			return err
		}
	}
	_, err = run.Close(x.work, "remainder", 0)
	return err
}

// notPlanned are the users in flight that the plan does not take back.
func (x *executor) notPlanned(intents []state.Intent) (others []*item, err error) {
	planned := map[uuid.UUID]bool{}
	for _, in := range intents {
		planned[in.User] = false
	}
	for n := range x.p.Segments {
		for c, err := range x.plan.Users(n, 0) {
			if err != nil {
				return nil, err
			}
			if _, inFlight := planned[c.User]; inFlight {
				planned[c.User] = true
			}
		}
	}
	for _, in := range intents {
		if !planned[in.User] {
			others = append(others, &item{intent: in})
		}
	}
	return others, nil
}
