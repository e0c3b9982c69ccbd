package apply

import (
	"cmp"
	"context"
	"errors"

	"anthill/providers"
	"anthill/state"
)

// schema makes the schema's steps; each is idempotent by the catalogue.
func (x *executor) schema(ctx context.Context) error {
	return x.eachStep(ctx, x.effects.Schema, x.journal.Counts().Schema, state.ActionUpdate,
		func(ctx context.Context, step string) error { return x.Rows.Upgrade(ctx, step, nil) })
}

// schemaBack takes steps of the schema back, after all that may need them. If something does by now they stand, and the
// next rollback of the same run tries again: the first look is before anything of the schema is changed, and before columns
// go there is another one, while nobody can write to them.
func (x *executor) schemaBack(ctx context.Context) error {
	steps := x.effects.SchemaBack()
	if len(steps) == 0 {
		return nil
	}
	since := x.effects.Undo.Schema.Since
	settled := x.journal.Counts().Schema - int64(len(x.effects.Schema))
	if settled == 0 {
		why, err := x.Rows.SchemaNeeded(ctx, since)
		if err != nil {
			return err
		}
		if len(why) > 0 {
			return x.leaveStep(context.WithoutCancel(ctx), steps[0], why)
		}
	}
	step := ""
	err := x.eachStep(ctx, steps, settled, state.ActionDelete, func(ctx context.Context, name string) error {
		step = name
		return x.Rows.Downgrade(ctx, name, since)
	})
	if needed := (*providers.SchemaNeededError)(nil); errors.As(err, &needed) {
		return x.leaveStep(context.WithoutCancel(ctx), step, needed.Why)
	}
	return err
}

// leaveStep settles a step that is not taken back, nor are those behind it.
func (x *executor) leaveStep(ctx context.Context, step string, why []state.Finding) error {
	address := state.SchemaAddress(step)
	left := state.About(state.CodeObjectLeft, state.Of(address), state.Because(state.KeyWhy, why...))
	x.failed = append(x.failed, left)
	return x.journal.SettleObjects(ctx, state.ObjectOutcome{Address: address, Verdict: state.Changed, Reason: left})
}

// eachStep carries out steps of the schema in their order. The first settled ones were so before the run was stopped: they
// are done again, which changes nothing, as somebody may have changed the schema since, and have been counted.
func (x *executor) eachStep(
	ctx context.Context, steps []string, settled int64, action state.Action, do func(context.Context, string) error,
) error {
	work := context.WithoutCancel(ctx)
	total := int64(len(steps))
	for i, step := range steps {
		if err := interrupted(ctx); err != nil {
			return err
		}
		x.events(Event{Kind: Progress, Stage: StageSchema, Done: int64(i), Total: total})
		address := state.SchemaAddress(step)
		if int64(i) >= settled {
			if _, err := x.journal.IntendObjects(work, state.ObjectIntent{Address: address, Action: action}); err != nil {
				return err
			}
		}
		// A step may take long, or wait for others without end. ^C cuts it short: each can be done again, as after a kill.
		if err := do(ctx, step); err != nil {
			return cmp.Or(interrupted(ctx), err)
		}
		if int64(i) < settled {
			continue
		}
		if err := x.journal.SettleObjects(work, state.ObjectOutcome{Address: address, Verdict: state.Done}); err != nil {
			return err
		}
	}
	if total > 0 {
		x.events(Event{Kind: Progress, Stage: StageSchema, Done: total, Total: total})
	}
	return nil
}
