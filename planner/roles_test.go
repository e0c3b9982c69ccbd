package planner_test

import (
	"testing"
	"time"

	"anthill/state"
)

// TestRolesUnnamed: users to be moved whose role no group of their tenant names are counted by role; plain users, those whom
// a group names, those who join no group, and those of a wave that is held are not.
func TestRolesUnnamed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.user(11).Role, f.user(13).Role, f.user(12).Role = "manager", "owner", "manager"
	of := func(role string, n int64) state.Finding {
		return state.Found(state.CodeRoleUnnamed, state.Text(state.KeyRole, role)).Times(n)
	}
	found(t, f.must(t).context.Notes, state.Found(state.CodeRolesUnnamed,
		state.Because(state.KeyWhy, of("manager", 2), of("owner", 1))).Times(3))

	// Only acme's group names managers.
	f.config.Groups[0].Members.Roles = []string{"admin", "manager"}
	found(t, f.must(t).context.Notes, state.Found(state.CodeRolesUnnamed,
		state.Because(state.KeyWhy, of("manager", 1), of("owner", 1))).Times(2))

	none := func(when string) {
		t.Helper()
		for _, n := range f.must(t).context.Notes {
			if n.Code == state.CodeRolesUnnamed {
				t.Errorf("%s: %+v", when, n)
			}
		}
	}
	f.config.Groups[2].Members.Roles = []string{"manager", "owner"}
	none("all are named")
	f.config.Groups[2].Members.Roles = nil
	f.config.Groups[3].Members.All = false
	none("they join no group")
	f.config.Groups[3].Members.All, f.config.Waves[0].At = true, now.Add(time.Second)
	none("the wave is held")
}
