package planner

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/state"
)

// tenantMatch says which selectors of a wave a tenant passes; the rest is asked of each user.
type tenantMatch struct{ selectors []*config.Selector }

// prepareSelectors finds for each tenant and wave the selectors that its users may pass.
func prepareSelectors(tenants []tenant, waves []config.Wave) {
	for i := range tenants {
		t := &tenants[i]
		t.match = make([]tenantMatch, len(waves))
		for w := range waves {
			for s := range waves[w].Users {
				sel := &waves[w].Users[s]
				if _, listed := slices.BinarySearch(sel.Tenants, t.Slug); sel.Tenants == nil || listed {
					t.match[w].selectors = append(t.match[w].selectors, sel)
				}
			}
		}
	}
}

func (m tenantMatch) has(user uuid.UUID, role string) bool {
	for _, s := range m.selectors {
		if s.Roles != nil && !slices.Contains(s.Roles, role) {
			continue
		}
		if s.HasPercent && !InPercent(user, s.Percent) {
			continue
		}
		return true
	}
	return false
}

// InPercent says whether a user is in the share of a percentage (L11): the first 64 bits of SHA-256(user id) lie
// below percent/100 x 2^64.
func InPercent(user uuid.UUID, percent float64) bool {
	if percent >= 100 {
		return true
	}
	sum := sha256.Sum256(user[:])
	return float64(binary.BigEndian.Uint64(sum[:8])) < math.Ldexp(percent/100, 64)
}

// selectionDigest tells one selection from another: late joiners from widening (L15).
func selectionDigest(w config.Wave) state.Digest {
	b, err := json.Marshal(struct {
		Policy string
		Users  []config.Selector
	}{w.Policy, w.Users})
	if err != nil {
		panic(err) // plain values
	}
	return state.DigestOf("selection", string(b))
}

// reachability says for waves a, b whether a comes before b by `after`.
func reachability(waves []config.Wave) [][]bool {
	index := map[string]int{}
	before := make([][]bool, len(waves))
	for i, w := range waves {
		index[w.Name] = i
		before[i] = make([]bool, len(waves))
	}
	for i, w := range waves { // topological order: predecessors are complete
		for _, a := range w.After {
			p := index[a]
			before[p][i] = true
			for j := range waves {
				if before[j][p] {
					before[j][i] = true
				}
			}
		}
	}
	return before
}
