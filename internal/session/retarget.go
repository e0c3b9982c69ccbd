package session

import (
	"context"
	"errors"

	"anthill/planner"
	"anthill/planner/planfile"
)

// ErrNotBound says that there is no recorded state yet: the first apply binds it.
var ErrNotBound = errors.New("nothing is recorded in this database yet: the first apply binds what it records to this target")

// Retarget plans to bind what is recorded to the target that this session has found, and nothing else. As Plan. No configuration is
// evaluated, and there may be an open run: otherwise nobody could finish one whose servers were renamed meanwhile. The plan is nil where
// the state is bound to this target already.
//
// Errors: ErrNotBound, or what reading says.
func (s *Session) Retarget(ctx context.Context, r Request) (_ *Plan, err error) {
	st, err := s.store.Read(ctx)
	switch {
	case err != nil:
		return nil, err
	case !st.Exists:
		return nil, ErrNotBound
	case st.Target == s.target:
		return nil, nil
	}
	s.moves = true
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	if err := s.maySee(recordedKinds(in.State)); err != nil {
		return nil, err
	}
	made, err := planner.Retarget(ctx, in)
	if err != nil {
		return nil, err
	}
	w := planfile.NewWriter("")
	defer func() { err = errors.Join(err, w.Close()) }()
	return s.save(w, made, nil, r.Out)
}
