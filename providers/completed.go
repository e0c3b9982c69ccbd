package providers

import (
	"anthill/state"
)

// Completed reports whether a user who is recorded as moved has logged in through Self-auth, by what the application has
// written to its row: a time of completion that is not ours, or a synced time other than the one that we wrote. onLink says
// that its policy has us complete users when they are linked.
//
// We complete a user with the row's synced time alone. So a time of completion beside another synced time is never ours; and
// where they are the same one, the synced time tells.
func Completed(u User, r state.User, onLink bool) bool {
	switch {
	case u.Synced.IsZero():
		// Nothing tells what the time of completion came with.
		return u.Completed && !onLink
	case r.WroteLink && r.Synced.IsZero():
		// Not known is taken for ours. The application writes both times at a first login, as we do where we complete on link.
		return u.CompletedApart || u.Completed && !onLink
	case r.WroteLink && u.Synced.Equal(r.Synced):
		return u.CompletedApart
	case u.Link != r.Person:
		return u.Completed // the synced time is about somebody else
	}
	return true
}
