package users

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/planner/rollout"
	"anthill/state"
)

// optIn says which tenants have opened the gates of waves that each opens for itself.
type optIn struct {
	declared, recorded [][]config.Gate // by wave: such gates of its start
	// the last one, as only that counts; its place tells which of two is the last
	confirmed map[confirmation]confirmed
}

type confirmed struct {
	state.Confirmation
	place int
}

type confirmation struct {
	wave, gate string
	tenant     uuid.UUID
}

func newOptIn(waves []config.Wave, st *state.State) optIn {
	o := optIn{confirmed: map[confirmation]confirmed{}}
	for i, c := range st.Confirmations {
		o.confirmed[confirmation{c.Wave, c.Gate, c.Tenant}] = confirmed{c, i + 1}
	}
	for _, w := range waves {
		declared := w.OpenedByTenant()
		o.declared = append(o.declared, declared)
		var recorded []config.Gate
		if b, was := rollout.RecordedOf(st.Brakes, w.Name); was {
			for _, g := range b.Gates {
				stands := slices.ContainsFunc(declared, func(d config.Gate) bool { return d.Record() == g })
				if g.PerTenant && slices.Contains(b.StartGates, g.Name) && !stands {
					recorded = append(recorded, config.RecordedGate(g))
				}
			}
		}
		o.recorded = append(o.recorded, recorded)
	}
	return o
}

// closed is the first of some gates of a wave that a tenant has not opened; "": it has opened all.
func (o optIn) closed(wave string, gates []config.Gate, tenant uuid.UUID) string {
	for _, g := range gates {
		last := o.confirmed[confirmation{wave, g.Name, tenant}]
		if whole := o.confirmed[confirmation{state.WholeWave(wave), g.Name, tenant}]; whole.place > last.place {
			last = whole
		}
		if last.place == 0 || !plan.Enough(g, last.Confirmation) {
			return g.Name
		}
	}
	return ""
}

// perTenant counts users of a wave by gate and tenant.
type perTenant map[gateOfTenant]int64

type gateOfTenant struct {
	gate   string
	tenant int // by index
}

func (w *perTenant) add(gate string, tenant int) {
	if *w == nil {
		*w = perTenant{}
	}
	(*w)[gateOfTenant{gate, tenant}]++
}

// list are the gates with those who wait for them, in the order of their names.
func (w perTenant) list(slug func(tenant int) string) (list []rollout.Unconfirmed) {
	keys := slices.SortedFunc(maps.Keys(w), func(a, b gateOfTenant) int {
		return cmp.Or(strings.Compare(a.gate, b.gate), cmp.Compare(a.tenant, b.tenant))
	})
	for _, k := range keys {
		if n := len(list); n == 0 || list[n-1].Gate != k.gate {
			list = append(list, rollout.Unconfirmed{Gate: k.gate})
		}
		u := &list[len(list)-1]
		u.Tenants, u.Users = append(u.Tenants, slug(k.tenant)), u.Users+w[k]
	}
	return list
}

// waitsForTenant notes a user of a wave who waits until its tenant has opened a gate, and says whether it does.
func (d *decider) waitsForTenant(wave, tenant int) bool {
	w := &d.Waves[wave]
	gate := d.optIn.closed(w.Name, d.optIn.declared[wave], d.Tenants[tenant].ID)
	if gate == "" {
		return false
	}
	w.waiting.add(gate, tenant)
	return true
}

// isReleased notes a user of a wave who is due, and would wait by what was recorded of its gates.
func (d *decider) isReleased(wave, tenant int) {
	w := &d.Waves[wave]
	if gate := d.optIn.closed(w.Name, d.optIn.recorded[wave], d.Tenants[tenant].ID); gate != "" {
		w.released.add(gate, tenant)
	}
}
