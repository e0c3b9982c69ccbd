package session

import (
	"context"
	"errors"
	"slices"

	"anthill/state"
)

// History is what happened in a run, beside what was planned.
type History struct {
	Run     state.RunInfo
	Plan    *Plan         // as the run keeps it; Close closes it
	Users   []state.Tally // in no order
	Objects []state.ObjectRecord
	Left    []state.Record // users who were not brought to where they were to be, the first LeftListed
	Mails   []state.MailTally
}

// LeftListed is how many users History.Left has at most.
const LeftListed = 1000

// ErrNoRun says that there is no run of an id.
var ErrNoRun = errors.New("no such run is recorded")

// History reads what happened in a run. The caller closes it.
func (s *Session) History(ctx context.Context, id string) (*History, error) {
	st, err := s.recorded(ctx, s.store)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(st.Runs, func(r state.RunInfo) bool { return r.ID == id })
	if i < 0 {
		return nil, ErrNoRun
	}
	h := &History{Run: st.Runs[i]}
	if h.Users, err = s.store.Tally(ctx, id); err != nil {
		return nil, err
	}
	if h.Objects, err = s.store.ObjectRecords(ctx, []string{id}); err != nil {
		return nil, err
	}
	if h.Left, err = s.store.Remainder(ctx, id, LeftListed); err != nil {
		return nil, err
	}
	if h.Mails, err = s.store.MailTally(ctx, id); err != nil {
		return nil, err
	}
	h.Plan, err = s.StoredPlan(ctx, id)
	return h, err
}

// Close closes the plan.
func (h *History) Close() error { return h.Plan.Close() }
