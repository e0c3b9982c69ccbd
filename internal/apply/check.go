package apply

import (
	"context"
	"errors"
	"fmt"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Checked is how much of a plan still holds.
type Checked struct {
	Users   map[state.Verdict]int64 // zero Verdict: as planned; Already, Changed, Paused
	Objects map[state.Verdict]int64 // the same, and Refused where one cannot be read
	Left    []Left                  // users who are not as planned, the first 100
	Said    []state.Finding         // objects that are not as planned, and waves that would not be moved
	Refused error                   // why apply would refuse all of it; nil: it would not
	DoneBy  string                  // the run that has carried it out: apply does nothing more; "": none has
}

// Holds reports whether all of the plan is as planned, or done already, and apply would not refuse it.
func (c *Checked) Holds() bool {
	if c.Refused != nil {
		return false
	}
	n := int64(0)
	for _, v := range []state.Verdict{state.Changed, state.Paused, state.Refused} {
		n += c.Users[v] + c.Objects[v]
	}
	return n == 0
}

// Check looks at all that a plan relies on, and changes nothing: Deps needs no lock. Errors: *state.TargetError, or what
// reading says.
func Check(ctx context.Context, file *planfile.Reader, d Deps, events func(Event)) (*Checked, error) {
	if events == nil {
		events = func(Event) {}
	}
	st, err := d.Store.Read(ctx)
	if err != nil {
		return nil, err
	}
	open, doneBy := st.OpenRun(), ""
	refused := check(file.Effects(), st, d, open != nil && open.Plan == file.ID())
	if target := (*state.TargetError)(nil); errors.As(refused, &target) {
		return nil, refused
	}
	x, err := newExecutor(file, st, d, events)
	if err != nil {
		return nil, err
	}
	if done := closedRun(st, file.ID(), file.Last().Run); done != nil && open == nil {
		doneBy = done.ID
	}
	switch {
	case refused != nil || doneBy != "":
	case x.effects.Kind == state.RunRetarget: // whatever is open
	case open != nil && open.Plan != file.ID() && x.effects.Kind != state.RunRollback:
		refused = &OpenRunError{Run: open.ID, Plan: open.Plan}
	case open == nil || open.Plan != file.ID():
		if refused = x.laterRun(); refused == nil {
			refused = lapsed(x.effects, d)
		}
	}
	if refused == nil && doneBy == "" {
		if refused = x.usedSince(ctx); refused == nil {
			refused = x.checkGroups(ctx)
		}
		if stale := (*StaleError)(nil); refused != nil && !errors.As(refused, &stale) {
			return nil, refused
		}
	}
	c := &Checked{Users: map[state.Verdict]int64{}, Objects: map[state.Verdict]int64{}, Refused: refused, DoneBy: doneBy}
	if doneBy != "" && x.effects.Kind == state.RunRollback {
		return c, nil // what it gave back is as it was before, like what nobody has changed
	}
	err = x.eachObjectNow(ctx, func(o plan.ObjectChange, v state.Verdict, why state.Finding) error {
		c.Objects[v]++
		if !why.IsZero() {
			c.Said = append(c.Said, state.About(state.CodeObjectLeft, state.Of(o.Address), state.Because(state.KeyWhy, why)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, n := range x.effects.InOrder() {
		if s := x.effects.Segments[n]; x.overtaken && s.Kind == plan.SegmentMove {
			c.Users[state.Changed] += s.Users
			c.Said = append(c.Said, state.About(state.CodeWaveOvertaken, state.OfWave(s.Wave)))
			continue
		}
		if err := x.checkSegment(ctx, n, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// checkSegment looks at the users of a segment.
func (x *executor) checkSegment(ctx context.Context, n int, c *Checked) error {
	s := x.effects.Segments[n]
	done := int64(0)
	return x.eachUserNow(ctx, n, 0, nil, func(items []*item) error {
		for _, it := range items {
			c.Users[it.verdict]++
			if it.verdict != 0 && it.verdict != state.Already && len(c.Left) < maxLeft {
				c.Left = append(c.Left, Left{User: it.change.User, Wave: s.Wave, Verdict: it.verdict, Reason: it.why})
			}
		}
		done += int64(len(items))
		x.events(Event{Kind: Progress, Stage: string(s.Kind), Wave: s.Wave, Done: done, Total: s.Users})
		return nil
	})
}

// eachObjectNow says of each object whether it is as planned (zero Verdict), done already, or what has changed.
func (x *executor) eachObjectNow(
	ctx context.Context, each func(plan.ObjectChange, state.Verdict, state.Finding) error,
) error {
	recorded := recordedObjects{}
	for _, o := range x.st.Objects {
		recorded[o.Address] = o
	}
	total := int64(len(x.effects.Objects))
	for i, c := range x.effects.Objects {
		if err := interrupted(ctx); err != nil {
			return err
		}
		v, why, err := x.objectNow(ctx, c, recorded)
		if err == nil {
			err = each(c, v, why)
		}
		if err != nil {
			return err
		}
		x.events(Event{Kind: Progress, Stage: StageObjects, Done: int64(i + 1), Total: total})
	}
	return nil
}

func (x *executor) objectNow(
	ctx context.Context, c plan.ObjectChange, recorded recordedObjects,
) (state.Verdict, state.Finding, error) {
	if isRecorded(c, recorded) {
		return state.Already, state.Finding{}, nil
	}
	if why := x.outdated(c, recorded); !why.IsZero() {
		return state.Changed, why, nil
	}
	is, err := x.read(ctx, intended{ObjectChange: c, after: c.After}, c.Object())
	switch {
	case refused(err):
		return state.Refused, reason(err), nil
	case err != nil:
		return 0, state.Finding{}, err
	}
	why := changed(c, is.live)
	if c.Action == state.ActionRecord {
		why = recordable(c, is.live)
	}
	if !why.IsZero() {
		return state.Changed, why, nil
	}
	return 0, state.Finding{}, nil
}

// isRecorded reports whether a change was made already, by whichever run: it is recorded as it would be.
func isRecorded(c plan.ObjectChange, recorded recordedObjects) bool {
	rec, has := recorded[c.Address]
	if c.After == nil {
		return c.Before != nil && !has
	}
	want := *c.After
	want.Run = rec.Run
	return settledBefore(c, &want, recorded) && (c.Before == nil || !rec.Equal(*c.Before))
}

// lookForStaleObjects refuses a plan of which an object is not as planned (-on-stale fail).
func (x *executor) lookForStaleObjects(ctx context.Context) error {
	return x.eachObjectNow(ctx, func(c plan.ObjectChange, v state.Verdict, why state.Finding) error {
		if v == 0 || v == state.Already {
			return nil
		}
		return &StaleError{Reason: fmt.Sprintf("%s is not as planned (%s); nothing was changed, plan again", c.Address, why.Code)}
	})
}
