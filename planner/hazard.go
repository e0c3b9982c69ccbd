package planner

import (
	"fmt"
	"maps"
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
func (d *decision) hazards() (list []Hazard) {
	if n := d.counts.adopted; n > 0 {
		list = append(list, Hazard{Code: AdoptsPerson, Count: n, Text: fmt.Sprintf(
			"%d persons who were in Self-auth before hold a verified address of a user who is to be moved, and are taken over for it (identity.adopt = \"mail\"): whoever logs in as such a person becomes that user", n)})
	}
	for _, client := range slices.Sorted(maps.Keys(d.lostScope)) {
		n := d.lostScope[client]
		list = append(list, Hazard{Code: LocksOut, Count: n, Text: fmt.Sprintf(
			"%s: %d moved users lose a scope that its scope_map gives them now. A client that asks for a scope which is granted to nobody of them refuses them", client, n)})
	}
	if n := d.counts.homeless; n > 0 && len(d.deleting) == 0 {
		list = append(list, Hazard{Code: LocksOut, Count: n, Text: fmt.Sprintf(
			"%d moved users leave the last group that is mapped to their tenant: the application would not know where they belong when they come in through Self-auth", n)})
	}
	return list
}

// together adds up hazards of one code: it is allowed with one count.
func together(hazards []Hazard) (list []Hazard) {
	for _, h := range hazards {
		i := slices.IndexFunc(list, func(x Hazard) bool { return x.Code == h.Code })
		if i < 0 {
			list = append(list, h)
			continue
		}
		list[i].Count += h.Count
		list[i].Text += ". " + h.Text
	}
	return list
}
