package main

import (
	"testing"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/state"
)

const viewers = `
group "viewers" {
  for_each = data.tenants.active
  tenant   = each.key
  name     = "tenant_${slug(each.key, 50)}_viewers"
  role     = "viewer"
  members { roles = ["viewer"] }
}
`

// losing deletes a group as another administrator does; the function brings it back from the recycle bin.
func (w *world) losing(name string) (back func()) {
	w.t.Helper()
	id := w.directory().groups[name].ID
	if err := w.api.Accounts().DeleteObject(w.t.Context(), state.KindGroup, id, nil); err != nil {
		w.t.Fatal(err)
	}
	return func() {
		w.t.Helper()
		if err := w.api.Accounts().Revive(w.t.Context(), []uuid.UUID{id}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// TestGroupThatCameBack: a group that was gone when the plan was made, and is there again when it is applied, keeps its mapping row
// and its members, whether it was to be made anew or to be forgotten; the next plan sees it as it is.
func TestGroupThatCameBack(t *testing.T) {
	t.Parallel()
	for name, group := range map[string]string{"made anew": "tenant_acme_users", "forgotten": "tenant_acme_viewers"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
			w.config(everyone + waveEveryone)
			if group == "tenant_acme_viewers" {
				w.config(everyone + waveEveryone + viewers)
			}
			w.run(exitDone, "apply", "-auto-approve")
			members := len(w.directory().groups[group].Members)
			back := w.losing(group)
			w.config(everyone + waveEveryone)
			w.run(exitDone, "plan", "-out", "p")
			back()
			out, _ := w.run(exitRemainder, "apply", "p")
			wants(t, out, "group "+group+" is there again, and was gone when the plan was made")
			if n := len(w.directory().groups[group].Members); n != members {
				t.Errorf("%d members of the group, were %d", n, members)
			}
			if n := w.number("select count(*) from {idp}_tenant_groups where {idp}_group_name = '" + group + "'"); n != 1 {
				t.Errorf("%d mapping rows", n)
			}
			w.run(exitDone, "apply", "-auto-approve")
			w.run(exitDone, "plan", "-detailed-exitcode")
			w.checkMoved()
		})
	}
}

// TestRollbackOfAForgottenGroup: a run that forgets a group which somebody else had deleted is taken back without making that group
// again, and so is the run before.
func TestRollbackOfAForgottenGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30, Seed: 4}, emulator(t))
	w.config(everyone + waveEveryone + viewers)
	before := w.fingerprint()
	w.run(exitDone, "apply", "-auto-approve")
	w.losing("tenant_acme_viewers")
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	w.run(exitDone, "rollback", "-auto-approve")
	if _, there := w.directory().groups["tenant_acme_viewers"]; there {
		t.Error("the group that somebody else had deleted is made again")
	}
	if n := len(w.directory().groups["tenant_globex_viewers"].Members); n == 0 {
		t.Error("the other group is not as before")
	}
	w.run(exitDone, "rollback", "-auto-approve")
	w.checkRolledBack(before)
	w.nothing()
}
