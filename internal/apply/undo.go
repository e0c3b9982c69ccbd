package apply

import (
	"context"
	"slices"
	"time"

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

// closeOpen ends an open run before it, or users of other tenants and waves, are rolled back: nothing new is tried, and what was
// begun is undone. From there on the plan takes back the rest; if it does not come to that, nobody is left half moved.
func (x *executor) closeOpen(ctx context.Context, open *state.RunInfo) error {
	run, err := x.Store.Resume(ctx, open.ID)
	if err != nil {
		return err
	}
	records, err := run.Open(x.work)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		items := make([]*item, len(records))
		outcomes := make([]state.Outcome, len(records))
		for i, r := range records {
			in := r.Intent
			items[i] = &item{intent: in}
			outcomes[i] = state.Outcome{Intent: in.ID, User: in.User, Tenant: in.Tenant, Wave: in.Wave, Verdict: state.Refused,
				Reason: "the run was rolled back while this user was in flight"}
			if in.Effect.Act == state.PersonCreate || in.Prior == nil {
				after := in.After
				after.Standing, after.Groups = state.Failed, nil
				outcomes[i].Recorded = &after
			}
		}
		if err := x.takeBack(items); err != nil {
			return err
		}
		if err := run.Settle(x.work, nil, outcomes, run.Position()); err != nil {
			return err
		}
	}
	_, err = run.Close(x.work, "remainder", 0)
	return err
}
