package config

import (
	"slices"
	"strconv"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"anthill/state"
)

// steps reads rising percentages, the last of which is 100; nil: not given, or wrong.
func (r reader) steps(name string) (list []float64) {
	r.spec(name, Percents)
	v, given := r.get(name)
	if !given {
		return nil
	}
	if t := v.Type(); !t.IsListType() && !t.IsTupleType() || !v.IsWhollyKnown() {
		r.wrong(name, "a list of percentages is needed, like [5, 25, 100], not %s", describe(v))
		return nil
	}
	for _, item := range v.AsValueSlice() {
		n, err := convert.Convert(item, cty.Number)
		if err != nil || n.IsNull() {
			r.wrong(name, "a list of percentages is needed, like [5, 25, 100], and one of its elements is %s", describe(item))
			return nil
		}
		f, _ := n.AsBigFloat().Float64()
		switch {
		case f <= 0 || f > 100:
			r.wrong(name, "a percentage is above 0 and at most 100, not %s", shortNumber(n))
			return nil
		case len(list) > 0 && f <= list[len(list)-1]:
			r.wrong(name, "percentages rise from step to step, and %s is not above %s", percentText(f), percentText(list[len(list)-1]))
			return nil
		}
		list = append(list, f)
	}
	if len(list) == 0 || list[len(list)-1] != 100 {
		r.wrong(name, "the last step is 100, or the others of the wave would never be moved; a wave of a share of them has percent "+
			"in its users blocks")
		return nil
	}
	return list
}

func percentText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// stepped puts as many waves in a row in the place of each wave with steps (L18): each after the one before, with the
// wave's finish. The start of the wave is that of its first step; gates that each tenant opens stand before every
// step, as whom they hold may be in any. A wave that comes after it comes after the last step.
func stepped(waves []Wave, steps map[string][]float64) (list []Wave) {
	last := map[string]string{}
	for _, w := range waves {
		if s := steps[w.Name]; len(s) > 0 {
			last[w.Name] = state.StepName(w.Name, percentText(s[len(s)-1]))
		}
	}
	for _, w := range waves {
		w.After = slices.Clone(w.After)
		for i, a := range w.After {
			if l := last[a]; l != "" {
				w.After[i] = l
			}
		}
		slices.Sort(w.After)
		if last[w.Name] == "" {
			list = append(list, w)
			continue
		}
		before := ""
		for _, percent := range steps[w.Name] {
			one := w.step(percent, before)
			list, before = append(list, one), one.Name
		}
	}
	return list
}

// step is a step of a wave; before is the one before it, "" of the first.
func (w Wave) step(percent float64, before string) Wave {
	whole := w.Users
	w.Name = state.StepName(w.Name, percentText(percent))
	w.Users = slices.Clone(whole)
	for i := range w.Users {
		if s := &w.Users[i]; percent < 100 {
			if !s.HasPercent || s.Percent > percent {
				s.Percent = percent
			}
			s.HasPercent = true
		}
	}
	slices.SortFunc(w.Users, compareSelectors)
	// A share of few users may be nobody, which is no mistake. Whether there are any the last step finds out.
	w.AllowEmpty = w.AllowEmpty || percent < 100
	if before == "" {
		return w
	}
	var opened []string
	for _, g := range w.OpenedByTenant() {
		opened = append(opened, g.Name)
	}
	w.After, w.At, w.StartGates = []string{before}, time.Time{}, opened
	w.Gates = slices.DeleteFunc(slices.Clone(w.Gates), func(g Gate) bool {
		return !slices.Contains(w.StartGates, g.Name) && !slices.Contains(w.FinishGates, g.Name)
	})
	return w
}
