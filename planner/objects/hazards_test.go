package objects_test

import (
	"testing"

	"github.com/google/uuid"

	"anthill/planner/objects"
	"anthill/providers"
	"anthill/state"
)

// TestHazardsOfWhatIsDone: what is left as it is raises no hazard, and nothing is said to be set back.
func TestHazardsOfWhatIsDone(t *testing.T) {
	t.Parallel()
	renamed := func(f *fake) {
		f.groups[1].Members = []uuid.UUID{f.user(10, acme)}
		f.config.Groups[1].Name = "people"
	}
	nothing := func(t *testing.T, p *objects.Plan) {
		t.Helper()
		if len(p.Hazards) > 0 || change(p, acmeUsers) != nil || len(p.Outside) > 0 {
			t.Errorf("changes %+v, hazards %+v, outside %+v", p.Changes, p.Hazards, p.Outside)
		}
	}
	f := atRest(t)
	renamed(f)
	if p := f.must(t); len(p.Hazards) != 1 || change(p, acmeUsers) == nil {
		t.Errorf("a rename: changes %+v, hazards %+v", p.Changes, p.Hazards)
	}

	f = atRest(t)
	renamed(f)
	f.record(acmeUsers).Paused = true
	nothing(t, f.must(t))

	f = atRest(t)
	f.record(acmeUsers).Paused = true
	f.groups[1].Description = "theirs"
	nothing(t, f.must(t))

	f = atRest(t)
	renamed(f)
	builtin := f.groups[1]
	builtin.ID, builtin.Name, builtin.Builtin, builtin.Members = id(51), "idm_admins", true, []uuid.UUID{f.groups[1].ID}
	f.groups = append(f.groups, builtin)
	nothing(t, f.must(t))

	f = atRest(t)
	renamed(f)
	f.tenants[0].Status = "suspended"
	nothing(t, f.must(t))
}

// TestScopeGapOfTheGroup: a group that goes makes a gap in the clients that let its members in, and in no others.
func TestScopeGapOfTheGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   int // the group whose members the client lets in
		want int
	}{"the group that goes": {1, 1}, "another one": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := atRest(t)
			f.groups[1].Members = []uuid.UUID{f.user(10, acme)}
			live := attrs{state.AttrType: text("confidential"), state.AttrScopeMaps: state.GrantsValue([]state.Grant{
				{Group: f.groups[c.of].ID, Values: []string{"openid"}}})}
			want := attrs{state.AttrType: text("confidential")}
			f.client(want)
			f.clients = []providers.Client{{ID: id(70), Name: "app", Attributes: live}}
			f.config.Groups = append(f.config.Groups[:1], f.config.Groups[2:]...)
			f.config.Blocks, f.config.DataBlocks = []string{"group.admins"}, nil
			live[state.AttrName] = text("app")
			p := f.must(t)
			gaps := 0
			for _, h := range p.Hazards {
				for _, of := range h.Of {
					if of.Code == state.CodeScopeGap {
						gaps++
					}
				}
			}
			if gaps != c.want {
				t.Errorf("hazards %+v of %+v", p.Hazards, p.Changes)
			}
		})
	}
}
