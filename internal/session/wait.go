package session

import (
	"context"
	"time"

	"anthill/internal/apply"
	"anthill/state"
)

// watch tells, until the session is closed, what it waits for in the database, and for whom.
func (s *Session) watch() {
	if s.settings.Waiting != nil {
		s.unwatch = apply.Watch(s.waits, s.settings.Waiting)
	}
}

// lookPatience is how long it is looked at most: where all connections are taken, another look comes soon.
const lookPatience = 5 * time.Second

// waits is what our sessions wait for, and the lock on the target, which is asked for again and again.
func (s *Session) waits(ctx context.Context) ([]state.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	list, err := s.postgres.Waits(ctx, s.settings.Queries)
	if err != nil || !s.locking.Load() {
		return list, err
	}
	h, err := s.store.Holder(ctx)
	if err != nil || h == nil {
		return list, err
	}
	args := []state.Arg{state.Number(state.KeySession, int64(h.PID)), state.Text(state.KeyBy, h.Who)}
	if h.Address != "" {
		args = append(args, state.Text(state.KeyFrom, h.Address))
	}
	if !h.Since.IsZero() {
		args = append(args, state.At(state.KeyAt, h.Since))
	}
	return append(list, state.Found(state.CodeWaits, state.Text(state.KeyKind, state.WaitOnTarget),
		state.Because(state.KeyWhy, state.Found(state.CodeLockedBy, args...))).Times(1)), nil
}
