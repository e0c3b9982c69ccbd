package planner

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"anthill/config"
	"anthill/planner/plan"
	"anthill/state"
)

// CheckAllows finds allow blocks that name no hazard.
func CheckAllows(list []config.Allow) (diags hcl.Diagnostics) {
	var codes []string
	for _, c := range plan.HazardCodes() {
		codes = append(codes, string(c))
	}
	for _, a := range list {
		if !slices.Contains(codes, a.Hazard) {
			diags = append(diags, config.Problem(config.About{Address: a.Address()}, "Unknown hazard",
				"There is no hazard %q to allow. There are %s.", a.Hazard, strings.Join(codes, ", ")))
		}
	}
	return diags
}

// allow allows what the command line allows, and the hazards that blocks of the configuration allow: of these nothing is
// in the plan that it does not rest on, so that a block of another hazard makes no other plan.
func (m *maker) allow() {
	e := &m.plan.Effects
	allowed := slices.Clone(m.Allowed)
	for _, a := range m.Config.Allows {
		i := slices.IndexFunc(e.Hazards, func(h plan.Hazard) bool { return string(h.Code) == a.Hazard })
		if i < 0 || !m.holds(a) || !a.Of(e.Hazards[i].Count) {
			continue
		}
		h := e.Hazards[i]
		one := func(o plan.Allowance) bool { return o.Code == h.Code && o.Count == h.Count }
		// Whoever made the plan has allowed it for good.
		if slices.ContainsFunc(allowed, one) {
			continue
		}
		allowed = append(allowed, plan.Allowance{Code: h.Code, Count: h.Count, Until: a.Until})
		m.plan.Context.Allowed = append(m.plan.Context.Allowed,
			plan.AllowView{Code: h.Code, Reason: a.Reason, Where: plan.Place{File: a.Pos.File, Line: a.Pos.Line}})
	}
	e.Allow(allowed)
}

// holds reports whether an allow block has not expired at the time at which the plan is judged.
func (m *maker) holds(a config.Allow) bool { return a.Until.After(m.AsOf) }

// allowances are the allowances that did not do what they seem to: those of the command line that met no hazard, and those
// of blocks that have expired, or are of another count, where there is the hazard.
func (m *maker) allowances() (notes []state.Finding) {
	e := &m.plan.Effects
	notes = unused(e)
	for _, h := range e.Hazards {
		i := slices.IndexFunc(m.Config.Allows, func(a config.Allow) bool { return a.Hazard == string(h.Code) })
		if i < 0 {
			continue
		}
		a := m.Config.Allows[i]
		about := state.Of(a.Address())
		switch {
		case !m.holds(a):
			notes = append(notes, state.About(state.CodeAllowExpired, about, state.At(state.KeyUntil, a.Until)))
		case !a.Of(h.Count):
			notes = append(notes, state.About(state.CodeAllowOther, about, state.Number(state.KeyLimit, a.Count)).Times(h.Count))
		}
	}
	return notes
}

// unused are the allowances of the command line that met no hazard of their count.
func unused(e *plan.Effects) (notes []state.Finding) {
	for _, a := range e.Unused() {
		notes = append(notes, state.Found(state.CodeAllowanceUnused,
			state.Text(state.KeyHazard, string(a.Code))).Times(a.Count))
	}
	return notes
}
