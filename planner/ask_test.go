package planner_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner"
	"anthill/planner/plan"
	"anthill/state"
)

// ask asks about one user; blind: Self-auth is not there to be asked.
func (f *fake) ask(t *testing.T, user byte, blind bool) *plan.Asked {
	t.Helper()
	in := f.input(f, f)
	if blind {
		in.Directory = nil
	}
	a, diags, err := planner.Ask(t.Context(), in, id(user))
	if err != nil || diags.HasErrors() {
		t.Fatal(err, diags)
	}
	return a
}

// TestAsk: what is said of one user is what the plan of all does with it, and why it does nothing.
func TestAsk(t *testing.T) {
	t.Parallel()
	world := func() *fake {
		f := newFake(t)
		later := wave("later", config.Selector{All: true})
		later.At, later.After = now.Add(time.Hour), []string{"pilot"}
		f.config.Waves = []config.Wave{wave("pilot", config.Selector{Tenants: []string{"acme"}}), later}
		f.moved(10, "pilot")
		return f
	}
	f := world()
	due := f.ask(t, 11, false)
	if m := due.Move(); !slices.Equal(due.Selected, []string{"pilot", "later"}) || m == nil || m.Waits || m.Wave != "pilot" ||
		m.Shape.Effect.Act != state.PersonCreate || !slices.Equal(m.Join, []string{"tenant_acme_users"}) {
		t.Errorf("who is due: %+v", due)
	}
	if held := f.ask(t, 12, false); held.Move() == nil || !held.Move().Waits || held.Views["later"].State != plan.WaveHeld {
		t.Errorf("whose wave is held: %+v", held)
	}
	if _, why := f.ask(t, 14, false).Skip(); why != plan.SkipTenantSuspended {
		t.Errorf("of a tenant that is suspended: %s", why)
	}
	is := f.ask(t, 10, false)
	if is.Move() != nil || len(is.Changes) != 0 || is.Views["pilot"].Name == "" || is.Blind {
		t.Errorf("who is moved: %+v", is)
	}
	if f.ask(t, 99, false) != nil {
		t.Error("nobody is somebody")
	}
	// The row follows, and the plan of all says the same.
	f.user(10).Role = "user"
	if is = f.ask(t, 10, false); len(is.Changes) != 1 || is.Changes[0].Kind != plan.SegmentFollow || !slices.Equal(is.Changes[0].Leave, []string{"tenant_acme_admins"}) {
		t.Errorf("who follows its row: %+v", is.Changes)
	}
	if m := f.must(t); len(m.shapes[10].Leave) != 1 {
		t.Errorf("the plan: %+v", m.shapes[10])
	}

	f = world()
	f.state.Pauses = []state.Pause{{Wave: "pilot", Tenant: acme, Run: "r", At: now}}
	if w, why := f.ask(t, 11, false).Skip(); w != "pilot" || why != plan.SkipPaused {
		t.Errorf("paused: %s %s", w, why)
	}
	f = world()
	f.user(13).Link = id(77)
	if _, why := f.ask(t, 13, false).Skip(); why != plan.SkipLinkUnknown {
		t.Errorf("linked to nobody: %s", why)
	}
	// What needs Self-auth is not concluded from not asking it.
	blind := f.ask(t, 13, true)
	if _, why := blind.Skip(); !blind.Blind || !why.NeedsSelfAuth() || !slices.Equal(blind.Selected, []string{"later"}) {
		t.Errorf("without Self-auth: %+v", blind)
	}
}

// TestAskIsThePlan: of each user of some worlds, what is asked is what the plan of all has, and what that leaves out.
func TestAskIsThePlan(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fake){
		"as it is": func(*fake) {},
		"some are moved, and have changed": func(f *fake) {
			f.moved(10, "everyone")
			f.moved(12, "everyone")
			f.user(10).Role, f.user(12).Status = "user", "suspended"
		},
		"a wave that is held": func(f *fake) {
			f.config.Waves[0].At = now.Add(time.Hour)
			f.moved(11, "everyone")
			f.user(11).Tenant = globex
		},
		"paused, shared, excluded": func(f *fake) {
			f.state.Pauses = []state.Pause{{Wave: "everyone", Tenant: acme, Run: "r", At: now}}
			f.user(12).Email = f.user(10).Email
			f.config.Exclude.UserIDs = []uuid.UUID{id(13)}
		},
		"a person of ours that is let in": func(f *fake) {
			f.moved(13, "everyone")
			f.record(13).Standing = state.RolledBack
			f.user(13).Link, f.user(13).Method = uuid.Nil, state.MethodPassword
			f.config.Waves[0].Enabled = false
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			change(f)
			m := f.must(t)
			for _, u := range f.users {
				n := u.ID[15]
				a := f.ask(t, n, false)
				_, why := a.Skip()
				if want := m.skipped[n]; why != want {
					t.Errorf("user %d: skipped for %s, by the plan %s", n, why, want)
				}
				var planned []plan.AskedChange
				for _, c := range a.Changes {
					if !c.Waits {
						planned = append(planned, c)
					}
				}
				shape, changes := m.shapes[n]
				if changes != (len(planned) == 1) || changes && (planned[0].Shape.Effect != shape.Effect || planned[0].Shape.After != shape.After ||
					len(planned[0].Join) != len(shape.Join) || len(planned[0].Leave) != len(shape.Leave)) {
					t.Errorf("user %d: asked %+v, by the plan %v %+v", n, planned, changes, shape)
				}
			}
		})
	}
}
