package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"

	"github.com/google/uuid"

	"anthill/state"
)

// StoredPlan reads the plan that a run keeps. The caller closes it.
func (s *Session) StoredPlan(ctx context.Context, run string) (*Plan, error) {
	return storedPlan(ctx, s.store, run)
}

func storedPlan(ctx context.Context, store state.Store, run string) (*Plan, error) {
	in, err := store.Plan(ctx, run)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := os.CreateTemp("", "anthill-run-*.plan")
	if err != nil {
		return nil, err
	}
	_, err = f.ReadFrom(in)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	stored, err := openTemporary(f.Name())
	if err != nil {
		return nil, fmt.Errorf("stored plan of run %s: %w", run, err)
	}
	return stored, nil
}

// openUsers streams the users of the plan of a run.
func openUsers(store state.Store, run string) func(context.Context) iter.Seq2[uuid.UUID, error] {
	return func(ctx context.Context) iter.Seq2[uuid.UUID, error] {
		return func(yield func(uuid.UUID, error) bool) {
			stored, err := storedPlan(ctx, store, run)
			if err != nil {
				yield(uuid.Nil, err)
				return
			}
			defer stored.Close()
			for n := range stored.Effects().Segments {
				for u, err := range stored.Users(n, 0) {
					if !yield(u.User, err) || err != nil {
						return
					}
				}
			}
		}
	}
}
