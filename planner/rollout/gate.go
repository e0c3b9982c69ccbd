package rollout

import (
	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// gates says why gates of a wave are closed. moving: the wave is about to move users whom its figures do not have yet, and
// what this plan will do opens no gate.
func (j *judge) gates(w config.Wave, names []string, t Tally, moving bool) (reasons []state.Finding) {
	for _, name := range names {
		g := w.Gate(name)
		switch {
		case g.PerTenant:
			// It holds tenants, and not the wave (see Tally.Unconfirmed).
		case g.Manual():
			if why := plan.ByHand(j.Confirmations, w.Name, g); !why.IsZero() {
				reasons = append(reasons, why)
			}
		case moving && g.Broken == "":
			reasons = append(reasons, state.About(state.CodeGateLater, state.OfWave(w.Name), state.Text(state.KeyGate, name),
				state.Text(state.KeyCondition, g.Condition.Text())))
		default:
			if why := plan.GateClosed(w.Name, g, t.Figures); !why.IsZero() {
				reasons = append(reasons, why)
			}
		}
	}
	return reasons
}

// Unconfirmed are users of a wave who wait until their tenants have opened a gate of its start.
type Unconfirmed struct {
	Gate    string
	Tenants []string // slugs, in the order of their ids
	Users   int64
}

// unconfirmed says which tenants of a wave wait.
func unconfirmed(w config.Wave, list []Unconfirmed) (reasons []state.Finding) {
	for _, u := range list {
		args := []state.Arg{state.Text(state.KeyGate, u.Gate), state.List(state.KeyTenants, u.Tenants...)}
		if wants := w.Gate(u.Gate).Value; !wants.IsZero() {
			args = append(args, state.Text(state.KeyCondition, wants.Text()))
		}
		reasons = append(reasons, state.About(state.CodeTenantsUnconfirmed, state.OfWave(w.Name), args...).Times(u.Users))
	}
	return reasons
}
