package rollout

import (
	"slices"

	"github.com/google/uuid"

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
			if why := ByHand(j.Confirmations, w.Name, g); !why.IsZero() {
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

// ByHand says why a gate that is opened by hand, once for all of a wave, is closed; zero: it is open. What it was confirmed with last
// counts.
func ByHand(list []state.Confirmation, wave string, g config.Gate) state.Finding {
	for _, c := range slices.Backward(list) {
		if c.Wave != wave || c.Gate != g.Name || c.Tenant != uuid.Nil {
			continue
		}
		if g.Value.IsZero() || g.Value.SampleValue(c.Value) == config.SampleTrue {
			return state.Finding{}
		}
		return state.About(state.CodeGateValue, state.OfWave(wave), state.Text(state.KeyGate, g.Name),
			state.Text(state.KeyCondition, g.Value.Text()), state.Text(state.KeySaid, c.Value))
	}
	return state.About(state.CodeGateClosed, state.OfWave(wave), state.Text(state.KeyGate, g.Name))
}

// Confirmed reports whether somebody has opened a gate of a wave by hand: for one tenant, or with the zero one for all of it.
func Confirmed(list []state.Confirmation, wave, gate string, tenant uuid.UUID) bool {
	return slices.ContainsFunc(list, func(c state.Confirmation) bool {
		return state.InWave(wave, c.Wave) && c.Gate == gate && c.Tenant == tenant
	})
}

// Unconfirmed are users of a wave who wait until their tenants have opened a gate of its start.
type Unconfirmed struct {
	Gate    string
	Tenants []string // slugs, in the order of their ids
	Users   int64
}

// unconfirmed says which tenants of a wave wait.
func unconfirmed(wave string, list []Unconfirmed) (reasons []state.Finding) {
	for _, u := range list {
		reasons = append(reasons, state.About(state.CodeTenantsUnconfirmed, state.OfWave(wave), state.Text(state.KeyGate, u.Gate),
			state.List(state.KeyTenants, u.Tenants...)).Times(u.Users))
	}
	return reasons
}
