package session

import (
	"context"
	"errors"

	"anthill/planner"
	"anthill/planner/planfile"
)

// NamesStayError says that Self-auth is to be called otherwise, and is not asked.
type NamesStayError struct{ Was, Now string }

// Error names both addresses.
func (e *NamesStayError) Error() string {
	return "Self-auth is at " + e.Was + " by what is recorded, and is to be at " + e.Now + ". Where it is not asked nobody can say that it is the " +
		"same: nothing was changed. Set SELF_AUTH_URL to the recorded address, or leave -postgres-only out once it can be reached"
}

// ErrNotBound says that there is no recorded state yet: the first apply binds it.
var ErrNotBound = errors.New("nothing is recorded in this database yet: the first apply binds what it records to this target")

// Retarget plans to bind what is recorded to the target that this session has found, and nothing else. As Plan. No configuration is
// evaluated, and there may be an open run: otherwise nobody could finish one whose servers were renamed meanwhile. The plan is nil where
// the state is bound to this target already. In a session that is Settings.Alone Self-auth keeps its names.
//
// Errors: ErrNotBound, *NamesStayError, or what reading says.
func (s *Session) Retarget(ctx context.Context, r Request) (_ *Plan, err error) {
	st, err := s.store.Read(ctx)
	switch {
	case err != nil:
		return nil, err
	case !st.Exists:
		return nil, ErrNotBound
	case st.Target == s.target:
		return nil, nil
	case s.settings.Alone && st.Target.Origin != s.target.Origin:
		return nil, &NamesStayError{st.Target.Origin, s.target.Origin}
	}
	s.moves = true
	in, snapshot, err := s.look(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	if in.State.Target == s.target { // somebody has bound it since
		return nil, nil
	}
	if s.settings.Alone {
		in.Directory = nil
	} else if err := s.maySee(recordedKinds(in.State)); err != nil {
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
