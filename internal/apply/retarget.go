package apply

import (
	"context"

	"anthill/planner/planfile"
	"anthill/state"
)

// retarget binds the recorded state to the target of a plan: one transaction, and nothing else. A run that is open stays so, and is
// finished at the new target.
func retarget(ctx context.Context, file *planfile.Reader, st *state.State, d Deps) (Result, error) {
	e := file.Effects()
	if err := check(e, st, d, false); err != nil {
		return Result{}, err
	}
	if done := closedRun(st, file.ID(), file.Last().Run); done != nil && st.Target == e.Target {
		return Result{Run: *done, Nothing: true}, nil
	}
	if err := lapsed(e, d); err != nil {
		return Result{}, err
	}
	ctx = context.WithoutCancel(ctx)
	// A state of an earlier version is brought to this one as well.
	if err := d.Store.Bind(ctx, *e.Was, e.Lineage); err != nil {
		return Result{}, err
	}
	info, err := d.Store.Retarget(ctx, *e.Was, e.Target, state.RunInfo{
		Kind:       e.Kind,
		Plan:       file.ID(),
		Seal:       file.Seal(),
		Who:        d.Who,
		ApprovedBy: d.ApprovedBy,
		Started:    d.Now(),
	}, file.Bytes())
	return Result{Run: info}, err
}
