package plan

import (
	"slices"

	"github.com/google/uuid"

	"anthill/config"
	"anthill/state"
)

// Sampling is what apply samples again of a wave's gates (L21): those that were open when the plan was made.
type Sampling struct {
	Start  []state.Gate `json:"start,omitempty"`  // of a wave that the plan starts, or widens, and those that each tenant opens
	Finish []state.Gate `json:"finish,omitempty"` // of one that it calls done
	// As the plan has them, where a condition goes by them: whom a wave selects apply does not decide again.
	Selected int64 `json:"selected,omitempty"`
	Failed   int64 `json:"failed,omitempty"`
	Skipped  int64 `json:"skipped,omitempty"`
	// Policies that complete users when they are linked, sorted: what they wrote is no login.
	OnLink []string `json:"on_link,omitempty"`
}

// NewSampling is what is to be sampled of gates, with figures of the plan; nil where there are none.
func NewSampling(start, finish []config.Gate, f state.WaveFigures, onLink []string) *Sampling {
	s := &Sampling{Start: recordedGates(start), Finish: recordedGates(finish)}
	if len(s.Start)+len(s.Finish) == 0 {
		return nil
	}
	if s.goesBy("selected") {
		s.Selected = f.Selected
	}
	if s.goesBy("failed") {
		s.Failed = f.Failed
	}
	if s.goesBy("skipped") {
		s.Skipped = f.Skipped
	}
	if s.goesBy("completed") {
		s.OnLink = onLink
	}
	return s
}

func recordedGates(gates []config.Gate) (list []state.Gate) {
	for _, g := range gates {
		list = append(list, g.Record())
	}
	return list
}

func (s *Sampling) goesBy(figure string) bool {
	for _, list := range [][]state.Gate{s.Start, s.Finish} {
		for _, g := range list {
			if config.RecordedGate(g).Needs(figure) {
				return true
			}
		}
	}
	return false
}

// GoesByRows reports whether users must be looked at again for it.
func (s *Sampling) GoesByRows() bool {
	return s.goesBy("moved") || s.goesBy("invited") || s.goesBy("completed") || s.GoesByEnrolled()
}

// GoesByEnrolled reports whether who has enrolled must be asked for it.
func (s *Sampling) GoesByEnrolled() bool { return s.goesBy("enrolled") }

// Shut says which gates among some are closed for a wave, by its figures and by what is confirmed. One that each tenant opens holds
// tenants, and not the wave.
func Shut(wave string, gates []state.Gate, f state.WaveFigures, confirmed []state.Confirmation) (reasons []state.Finding) {
	for _, g := range gates {
		if g.PerTenant {
			continue
		}
		if config.RecordedGate(g).Manual() {
			if why := ByHand(confirmed, wave, config.RecordedGate(g)); !why.IsZero() {
				reasons = append(reasons, why)
			}
			continue
		}
		if why := GateClosed(wave, config.RecordedGate(g), f); !why.IsZero() {
			reasons = append(reasons, why)
		}
	}
	return reasons
}

// ClosedTo is the first gate that a tenant has not opened for itself; "": it has opened all of them.
func (s *Sampling) ClosedTo(wave string, tenant uuid.UUID, confirmed []state.Confirmation) string {
	if s == nil {
		return ""
	}
	i := slices.IndexFunc(s.Start, func(g state.Gate) bool {
		return g.PerTenant && !OpenedBy(confirmed, wave, config.RecordedGate(g), tenant)
	})
	if i < 0 {
		return ""
	}
	return s.Start[i].Name
}

// ByHand says why a gate that is opened by hand, once for all of a wave, is closed; zero: it is open. What it was confirmed with last
// counts.
func ByHand(list []state.Confirmation, wave string, g config.Gate) state.Finding {
	for _, c := range slices.Backward(list) {
		if c.Wave != wave || c.Gate != g.Name || c.Tenant != uuid.Nil {
			continue
		}
		if Enough(g, c) {
			return state.Finding{}
		}
		return state.About(state.CodeGateValue, state.OfWave(wave), state.Text(state.KeyGate, g.Name),
			state.Text(state.KeyCondition, g.Value.Text()), state.Text(state.KeySaid, c.Value))
	}
	return state.About(state.CodeGateClosed, state.OfWave(wave), state.Text(state.KeyGate, g.Name))
}

// OpenedBy reports whether a tenant has opened a gate of a wave for itself. What the gate was confirmed with last for that tenant counts.
func OpenedBy(list []state.Confirmation, wave string, g config.Gate, tenant uuid.UUID) bool {
	for _, c := range slices.Backward(list) {
		if state.InWave(wave, c.Wave) && c.Gate == g.Name && c.Tenant == tenant {
			return Enough(g, c)
		}
	}
	return false
}

// Enough reports whether a confirmation opens a gate by what was measured.
func Enough(g config.Gate, c state.Confirmation) bool {
	return g.Broken == "" && (g.Value.IsZero() || g.Value.SampleValue(c.Value) == config.SampleTrue)
}

// GateClosed says why a gate with a condition is closed for figures of a wave; zero: it is open.
func GateClosed(wave string, g config.Gate, f state.WaveFigures) state.Finding {
	if g.Broken != "" {
		return state.About(state.CodeGateUnreadable, state.OfWave(wave), state.Text(state.KeyGate, g.Name))
	}
	args := sampled(g, f)
	switch g.Condition.Sample(f) {
	case config.SampleTrue:
		return state.Finding{}
	case config.SampleNoData:
		if g.NoData == "pass" {
			return state.Finding{}
		}
		if g.NoData == "fail" {
			return state.About(state.CodeGateFailsNoData, state.OfWave(wave), args...)
		}
		return state.About(state.CodeGateNoData, state.OfWave(wave), args...)
	}
	return state.About(state.CodeGateShut, state.OfWave(wave), args...)
}

// GateFigures says what a gate with a condition goes by now, whether it is open or closed.
func GateFigures(wave string, g config.Gate, f state.WaveFigures) state.Finding {
	if why := GateClosed(wave, g, f); !why.IsZero() {
		return why
	}
	return state.About(state.CodeGateOpen, state.OfWave(wave), sampled(g, f)...)
}

// sampled are a gate's condition and the figures that it goes by.
func sampled(g config.Gate, f state.WaveFigures) []state.Arg {
	var figures []state.Finding
	for _, name := range g.Condition.Figures() {
		n, known := f.Of(name)
		if known {
			figures = append(figures, state.Found(state.CodeFigure, state.Text(state.KeyName, name)).Times(n))
		} else {
			figures = append(figures, state.Found(state.CodeFigureUnknown, state.Text(state.KeyName, name)))
		}
	}
	return []state.Arg{state.Text(state.KeyGate, g.Name), state.Text(state.KeyCondition, g.Condition.Text()), state.Because(state.KeyFigures, figures...)}
}
