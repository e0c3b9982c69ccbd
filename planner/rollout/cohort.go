package rollout

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

// Cohorts says which waves select a user, and which wave comes before which.
type Cohorts struct {
	waves     []config.Wave
	selectors [][][]*config.Selector // by tenant and wave: those that may select its users
	before    [][]bool               // waves[i] comes before waves[j]
}

// NewCohorts prepares waves, in the order of `after`, for tenants given by their slugs.
func NewCohorts(waves []config.Wave, slugs []string) *Cohorts {
	c := &Cohorts{waves: waves, selectors: make([][][]*config.Selector, len(slugs)), before: reachability(waves)}
	for t, slug := range slugs {
		c.selectors[t] = make([][]*config.Selector, len(waves))
		for w := range waves {
			for s := range waves[w].Users {
				sel := &waves[w].Users[s]
				if _, listed := slices.BinarySearch(sel.Tenants, slug); sel.Tenants == nil || listed {
					c.selectors[t][w] = append(c.selectors[t][w], sel)
				}
			}
		}
	}
	return c
}

// Matching appends to list the enabled waves that select a user, by index, in the order of `after`.
func (c *Cohorts) Matching(list []int, tenant int, user uuid.UUID, role string) []int {
	return c.matching(list, tenant, role, func(percent float64) bool { return InPercent(user, percent) })
}

// MatchingOutside is Matching of users who are outside of so many of the Shares of the same waves.
func (c *Cohorts) MatchingOutside(list []int, tenant, outside int, role string) []int {
	percents := percentsOf(c.waves)
	return c.matching(list, tenant, role, func(percent float64) bool {
		i, asked := slices.BinarySearch(percents, percent)
		return percent >= 100 || asked && i >= outside
	})
}

func (c *Cohorts) matching(list []int, tenant int, role string, within func(percent float64) bool) []int {
	for w, selectors := range c.selectors[tenant] {
		selects := func(s *config.Selector) bool { return passes(s, role, within) }
		if c.waves[w].Enabled && slices.ContainsFunc(selectors, selects) {
			list = append(list, w)
		}
	}
	return list
}

// Selects reports whether a wave selects a user, enabled or not.
func (c *Cohorts) Selects(wave, tenant int, user uuid.UUID, role string) bool {
	return slices.ContainsFunc(c.selectors[tenant][wave], func(s *config.Selector) bool {
		return passes(s, role, func(percent float64) bool { return InPercent(user, percent) })
	})
}

func passes(s *config.Selector, role string, within func(percent float64) bool) bool {
	return (s.Roles == nil || slices.Contains(s.Roles, role)) && (!s.HasPercent || within(s.Percent))
}

// percentsOf are the percentages below 100 by which waves select, ascending, each once.
func percentsOf(waves []config.Wave) (list []float64) {
	for _, w := range waves {
		for _, s := range w.Users {
			if s.HasPercent && s.Percent < 100 {
				list = append(list, s.Percent)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Shares are the percentages by which waves select as numbers, ascending: a user is outside of one where the first 64 bits of
// SHA-256(user id) are that number or above.
func Shares(waves []config.Wave) (list []uint64) {
	for _, percent := range percentsOf(waves) {
		list = append(list, shareOf(percent))
	}
	return list
}

// shareOf is the least number that InPercent calls outside: what it compares is rounded, and so this is found and not computed.
func shareOf(percent float64) uint64 {
	limit := math.Ldexp(percent/100, 64)
	low, high := uint64(0), uint64(math.MaxUint64)
	for low < high {
		middle := low + (high-low)/2
		if float64(middle) < limit {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// Before reports whether wave i comes before wave j by `after`, directly or through others.
func (c *Cohorts) Before(i, j int) bool { return c.before[i][j] }

// InPercent reports whether a user is within a percentage (L11): the first 64 bits of SHA-256(user id) lie below
// percent/100 x 2^64. A higher percentage keeps everybody whom a lower one had.
func InPercent(user uuid.UUID, percent float64) bool {
	if percent >= 100 {
		return true
	}
	sum := sha256.Sum256(user[:])
	return float64(binary.BigEndian.Uint64(sum[:8])) < math.Ldexp(percent/100, 64)
}

// SelectionDigest is the digest of whom a wave selects, and under which policy: by it late joiners are told from a wave
// that was widened (L15).
func SelectionDigest(w config.Wave) state.Digest {
	b, err := json.Marshal(struct {
		Policy string
		Users  []config.Selector
	}{w.Policy, w.Users})
	if err != nil {
		panic(err) // plain values
	}
	return state.DigestOf("selection", string(b))
}

// EnabledAfter are the enabled waves that must be done before w starts, sorted by name. A disabled one is replaced by
// those that it comes after itself (L14).
func EnabledAfter(waves []config.Wave, w config.Wave) (names []string) {
	for _, a := range w.After {
		i := slices.IndexFunc(waves, func(x config.Wave) bool { return x.Name == a })
		switch {
		case i < 0:
		case waves[i].Enabled:
			names = append(names, a)
		default:
			names = append(names, EnabledAfter(waves, waves[i])...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// reachability says which wave comes before which: waves[i] before waves[j].
func reachability(waves []config.Wave) [][]bool {
	index := map[string]int{}
	before := make([][]bool, len(waves))
	for i, w := range waves {
		index[w.Name] = i
		before[i] = make([]bool, len(waves))
	}
	// Topological order: predecessors are complete.
	for i, w := range waves {
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
