package config

import (
	"cmp"
	"slices"

	"anthill/state"
)

// Gate is a gate block. It is one that somebody opens by hand, or one that the figures of the wave open.
type Gate struct {
	Name      string
	PerTenant bool      // opened by hand for each tenant of the wave by itself
	Condition Condition // zero: it is opened by hand
	Value     Condition // of one that is opened by hand: what the value that it is confirmed with must fulfil, of each tenant its own; zero: any does
	NoData    string    // "wait" | "fail" | "pass": what it is where the condition has no data; "" where it is opened by hand
	Broken    string    // its condition as it is recorded, in a form that this version does not know: it is closed; "": none is
	Pos       Pos
}

// Manual reports whether the gate is opened by hand.
func (g Gate) Manual() bool { return g.Condition.IsZero() && g.Broken == "" }

// Needs reports whether the gate goes by a figure.
func (g Gate) Needs(figure string) bool { return slices.Contains(g.Condition.Figures(), figure) }

// Record is the gate as it is recorded.
func (g Gate) Record() state.Gate {
	return state.Gate{Name: g.Name, PerTenant: g.PerTenant, Condition: cmp.Or(g.Condition.Text(), g.Broken), NoData: g.NoData,
		Value: g.Value.Text()}
}

// RecordedGate is a gate as it was recorded.
func RecordedGate(r state.Gate) Gate {
	g := Gate{Name: r.Name, PerTenant: r.PerTenant, NoData: r.NoData}
	if r.Value != "" {
		c, err := ParseValueCondition(r.Value)
		if err != nil {
			g.Broken = r.Value
		}
		g.Value = c
	}
	if r.Condition == "" {
		return g
	}
	c, err := ParseCondition(r.Condition)
	if err != nil {
		g.Broken = r.Condition
	}
	g.Condition = c
	return g
}

// Gate returns one of the gates that the wave names; one that is opened by hand where it is not known otherwise.
func (w Wave) Gate(name string) Gate {
	if i := slices.IndexFunc(w.Gates, func(g Gate) bool { return g.Name == name }); i >= 0 {
		return w.Gates[i]
	}
	return Gate{Name: name}
}

// OpenedByTenant are the gates of the wave's start that each tenant opens for itself.
func (w Wave) OpenedByTenant() (list []Gate) {
	for _, name := range w.StartGates {
		if g := w.Gate(name); g.PerTenant {
			list = append(list, g)
		}
	}
	return list
}

// gates are the gate blocks, sorted by name. They are read once: waves look them up.
func (e *evaluator) gates() []Gate {
	if e.gatesRead {
		return e.gateList
	}
	e.gatesRead = true
	for _, n := range e.m.all("gate") {
		e.gateList = append(e.gateList, e.gate(n))
	}
	return e.gateList
}

func (e *evaluator) gate(n *node) Gate {
	r := e.reader(n, scope{})
	before := len(e.diags)
	given := func(name string) bool { return n.args[name] != nil }
	manual := r.bool("manual")
	g := Gate{Name: n.label, Pos: posOf(n.at), PerTenant: r.text("per") == "tenant"}
	if given("manual") {
		g.Value = r.condition("condition", overResult)
	} else {
		g.Condition = r.condition("condition", overFigures)
	}
	noData := r.text("no_data")
	switch {
	case len(e.diags) > before:
	case !given("manual") && !given("condition"):
		e.fail(n.at, "Gate without a check", "A gate is opened by hand, with manual = true, or by figures, with condition = "+
			"wave.completed >= 0.5 * wave.moved. Give it one of the two.")
	case given("manual") && !manual:
		r.wrong("manual", "true is needed; a gate that nobody opens by hand has a condition")
	case !given("manual") && g.PerTenant:
		r.wrong("per", "\"tenant\" goes with manual = true: figures are of the whole wave")
	case given("manual") && given("no_data"):
		r.wrong("no_data", "it goes with a condition: a gate that is opened by hand needs no data")
	}
	if !g.Condition.IsZero() {
		g.NoData, g.PerTenant = noData, false
	}
	return g
}

// gatesOf are the gates that a wave names, sorted by name, each once. One that each tenant opens for itself can stand at the
// start alone: a wave is done as a whole.
func (e *evaluator) gatesOf(finish reader, w Wave) (list []Gate) {
	names := slices.Concat(w.StartGates, w.FinishGates)
	slices.Sort(names)
	for _, g := range e.gates() {
		if _, named := slices.BinarySearch(names, g.Name); named {
			list = append(list, g)
		}
		if g.PerTenant && slices.Contains(w.FinishGates, g.Name) {
			finish.wrong("gates", "gate.%s is opened by each tenant for itself (per = \"tenant\"), which only the start of a wave can "+
				"wait for; a wave is done as a whole", g.Name)
		}
	}
	return list
}
