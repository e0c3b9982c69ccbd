package planner

import (
	"fmt"
	"slices"
	"strings"
)

// guards are the hazards that figures raise: here the brake on how many users one plan may change.
func (d *decision) guards(changed int64) []Hazard {
	g := d.in.Config.Guard
	// Rows that are gone count too: an emptied table must not expire everybody unasked.
	population := max(d.live, d.counts.moved)
	if population < g.MinPopulation || changed == 0 {
		return nil
	}
	percent := 100 * float64(changed) / float64(population)
	if percent <= g.MaxUsersChangedPercent {
		return nil
	}
	return []Hazard{{Code: OverLimit, Count: changed, Text: fmt.Sprintf(
		"max_users_changed_percent: %d of %d users = %.1f %%, limit %g %%. Narrow the wave, or allow it for this plan",
		changed, population, percent, g.MaxUsersChangedPercent)}}
}

// judgeHazards marks those that are allowed by code and exact count, and returns what was allowed, sorted.
func judgeHazards(allowed []Allowance, hazards []Hazard) ([]Allowance, []Hazard) {
	allowed = slices.Clone(allowed)
	slices.SortFunc(allowed, func(a, b Allowance) int { return strings.Compare(string(a.Code), string(b.Code)) })
	for i := range hazards {
		for _, a := range allowed {
			if a.Code == hazards[i].Code && a.Count == hazards[i].Count {
				hazards[i].Allowed = true
			}
		}
	}
	return allowed, hazards
}

// hazards are those that deciding about users raises.
func (d *decision) hazards() []Hazard {
	if d.counts.adopted == 0 {
		return nil
	}
	return []Hazard{{Code: AdoptsPerson, Count: d.counts.adopted, Text: fmt.Sprintf(
		"%d persons who were in Self-auth before hold a verified address of a user who is to be moved, and are taken over for it (identity.adopt = \"mail\"): whoever logs in as such a person becomes that user", d.counts.adopted)}}
}
