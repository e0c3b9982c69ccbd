package apply

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/google/uuid"

	"anthill/planner/plan"
	"anthill/providers"
	"anthill/state"
)

// Observed is a moment of Postgres in which figures of waves are counted again: rows and recorded users, both in the order
// of tenant and user.
type Observed struct {
	Database providers.Database
	Recorded func(context.Context) iter.Seq2[state.User, error] // state.Store.Users
	Close    func()
}

// sample counts again what the gates go by of waves that this plan starts or calls done, all in one moment before anybody is
// moved: what the run itself does opens none.
func (x *executor) sample(ctx context.Context) error {
	x.sampled = map[string]*state.WaveFigures{}
	onLink, rows, enrolled := map[string]bool{}, false, false
	for _, w := range x.effects.Waves {
		s := w.Sampling
		if s == nil {
			continue
		}
		x.sampled[w.Name] = &state.WaveFigures{Selected: s.Selected, Failed: s.Failed, Skipped: s.Skipped}
		rows, enrolled = rows || s.GoesByRows(), enrolled || s.GoesByEnrolled()
		for _, p := range s.OnLink {
			onLink[p] = true
		}
	}
	if !rows {
		return nil
	}
	var who []uuid.UUID
	if enrolled {
		var err error
		who, err = x.Enrolled(ctx)
		switch {
		case state.ErrorKindOf(err) == state.ErrorDenied:
			enrolled = false // then it is not known
		case err != nil:
			return err
		}
	}
	for _, f := range x.sampled {
		if enrolled {
			f.Enrolled = new(int64)
		}
	}
	now, err := x.Observe(ctx)
	if err != nil {
		return err
	}
	defer now.Close()
	return x.countFigures(ctx, now, onLink, who)
}

// countFigures counts users who are moved and live for the waves that are sampled.
func (x *executor) countFigures(ctx context.Context, now Observed, onLink map[string]bool, enrolled []uuid.UUID) error {
	tenants, err := now.Database.Tenants(ctx)
	if err != nil {
		return err
	}
	live := map[uuid.UUID]bool{}
	for _, t := range tenants {
		live[t.ID] = t.Live()
	}
	next, stop := iter.Pull2(now.Recorded(ctx))
	defer stop()
	rec, err, more := next()
	for u, uerr := range now.Database.Users(ctx) {
		if uerr != nil {
			return uerr
		}
		for more && err == nil && cmp.Or(bytes.Compare(rec.TenantNow[:], u.Tenant[:]), bytes.Compare(rec.User[:], u.ID[:])) < 0 {
			rec, err, more = next()
		}
		if err != nil || !more {
			return err
		}
		f := x.sampled[rec.Wave]
		if rec.User != u.ID || f == nil || rec.Standing != state.Moved || u.Deleted || u.Status != "active" || !live[u.Tenant] {
			continue
		}
		count(&f.Moved, true)
		count(&f.Invited, u.Invited)
		count(&f.Completed, providers.Completed(u, rec, onLink[rec.Policy]))
		if f.Enrolled != nil && u.Link == rec.Person {
			_, has := slices.BinarySearchFunc(enrolled, u.Link, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
			count(f.Enrolled, has)
		}
	}
	return nil
}

func count(n *int64, holds bool) {
	if holds {
		*n++
	}
}

// shut says which gates of a wave's start have shut since the plan. A wave that this run has begun to move is gone on with:
// what the run did before it was stopped is no reason to leave half of it.
func (x *executor) shut(w plan.WaveEffect, place int) []state.Finding {
	if w.Sampling == nil || x.begun(w.Name, place) || x.segmentOf(w.Name) < 0 && !x.waves[w.Name].Started.IsZero() {
		return nil
	}
	return plan.Shut(w.Name, w.Sampling.Start, *x.sampled[w.Name], x.st.Confirmations)
}

// notDone says which gates of a wave's finish have shut since the plan, which called it done.
func (x *executor) notDone(w plan.WaveEffect) []state.Finding {
	if w.Sampling == nil || !w.Done {
		return nil
	}
	return plan.Shut(w.Name, w.Sampling.Finish, *x.sampled[w.Name], x.st.Confirmations)
}
