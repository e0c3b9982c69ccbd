package config

import "github.com/zclconf/go-cty/cty"

// Allows are the allow blocks, sorted by hazard. They need no data: what is wrong in them, or lacks a value, Validate says.
func (m *Module) Allows() []Allow { return newEvaluator(m, nil).allows() }

// allows reads the allow blocks. What is allowed is what was reviewed, so it may not depend on the live world.
func (e *evaluator) allows() (list []Allow) {
	for _, n := range e.m.all("allow") {
		r := e.reader(n, scope{static: true})
		a := Allow{Hazard: n.label, Reason: r.nonEmpty("reason"), Until: r.time("until"), Pos: posOf(n.at)}
		before := len(e.diags)
		_, given := r.primitive("count", cty.Number, "a whole number")
		if a.Count = r.count("count"); given && a.Count == 0 && len(e.diags) == before {
			r.wrong("count", "a hazard counts at least 1; leave it out to allow any count")
		}
		list = append(list, a)
	}
	return list
}
