package config

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/state"
)

// TestCondition: what figures say of a condition, and how it is written down.
func TestCondition(t *testing.T) {
	t.Parallel()
	enrolled := int64(120)
	some := state.WaveFigures{Selected: 412, Moved: 409, Invited: 400, Enrolled: &enrolled, Completed: 97, Failed: 3, Skipped: 23}
	unasked := some
	unasked.Enrolled = nil
	none, noneUnasked := state.WaveFigures{Enrolled: new(int64)}, state.WaveFigures{}
	skipped := state.WaveFigures{Selected: 7, Skipped: 7, Enrolled: new(int64)}
	const yes, no, noData = SampleTrue, SampleFalse, SampleNoData
	for name, c := range map[string]struct {
		condition string
		figures   state.WaveFigures
		want      Sample
		text      string // "": as it is given
	}{
		"half of them":                        {"wave.completed >= 0.5 * wave.moved", some, no, ""},
		"a fifth of them":                     {"wave.completed >= 0.2 * wave.moved", some, yes, ""},
		"just so many":                        {"wave.completed >= 97", some, yes, ""},
		"one more":                            {"wave.completed > 97", some, no, ""},
		"fewer":                               {"wave.failed < 4", some, yes, ""},
		"at most":                             {"wave.failed <= 2", some, no, ""},
		"equal":                               {"wave.moved == 409", some, yes, ""},
		"not equal":                           {"wave.moved != 409", some, no, ""},
		"all figures":                         {"wave.selected + wave.moved + wave.invited + wave.enrolled + wave.completed + wave.failed + wave.skipped == 1464", some, yes, ""},
		"a quotient":                          {"wave.enrolled / wave.moved > 0.29", some, yes, ""},
		"a third is not rounded":              {"3 * (1 / 3) <= 1", some, yes, ""},
		"a remainder":                         {"wave.moved % 100 == 9", some, yes, ""},
		"both":                                {"wave.failed == 0 && wave.completed > 1", some, no, ""},
		"one of both":                         {"wave.failed == 0 || wave.completed > 1", some, yes, ""},
		"not":                                 {"!(wave.failed == 0)", some, yes, ""},
		"a negative number":                   {"wave.completed - wave.moved > -312.5", some, yes, ""},
		"a choice":                            {"wave.moved < 100 ? wave.completed > 5 : wave.completed > 50", some, yes, ""},
		"the other choice":                    {"wave.moved > 100 ? wave.completed > 100 : wave.completed > 50", some, no, ""},
		"always":                              {"true", none, yes, ""},
		"never":                               {"false", some, no, ""},
		"blanks and parentheses":              {"( wave.completed>=  0.50*wave.moved )", some, no, "(wave.completed >= 0.5 * wave.moved)"},
		"a comment and lines":                 {"(wave.completed /* x */\n > 1)", some, yes, "(wave.completed > 1)"},
		"an exponent":                         {"wave.completed >= 1e2", some, no, "wave.completed >= 100"},
		"nobody: a product is no data's work": {"wave.completed >= 0.5 * wave.moved", none, yes, ""},
		"nobody: nothing by nothing":          {"wave.completed / wave.moved >= 0.5", none, noData, ""},
		"nobody: a remainder":                 {"wave.completed % wave.moved == 0", none, noData, ""},
		"nobody: something by nothing":        {"5 / wave.moved >= 0.5", none, noData, ""},
		"nobody: less by nothing":             {"-5 / wave.moved < 0.5", none, noData, ""},
		"nobody: it spreads":                  {"1 + wave.completed / wave.moved * 0 == 1", none, noData, ""},
		"nobody: not":                         {"!(wave.completed / wave.moved >= 0.5)", none, noData, ""},
		"nobody: guarded":                     {"wave.moved == 0 || wave.completed / wave.moved >= 0.5", none, yes, ""},
		"nobody: guarded from behind":         {"wave.completed / wave.moved >= 0.5 || wave.moved == 0", none, yes, ""},
		"nobody: both, and one is false":      {"wave.moved > 0 && wave.completed / wave.moved >= 0.5", none, no, ""},
		"nobody: both, and one is true":       {"wave.moved == 0 && wave.completed / wave.moved >= 0.5", none, noData, ""},
		"nobody: neither":                     {"wave.moved > 0 || wave.completed / wave.moved >= 0.5", none, noData, ""},
		"nobody: a branch that is not taken":  {"wave.moved == 0 ? true : wave.completed / wave.moved >= 0.5", none, yes, ""},
		"nobody: a branch that is taken":      {"wave.moved == 0 ? wave.completed / wave.moved >= 0.5 : true", none, noData, ""},
		"nobody: a choice by no data":         {"wave.completed / wave.moved >= 0.5 ? true : true", none, noData, ""},
		"all skipped: of those selected":      {"wave.moved / wave.selected >= 0.9", skipped, no, ""},
		"all skipped: of the others":          {"wave.moved / (wave.selected - wave.skipped) >= 0.9", skipped, noData, ""},
		"not known":                           {"wave.enrolled >= 1", unasked, noData, ""},
		"not known, and nobody is moved":      {"wave.enrolled >= 1", noneUnasked, noData, ""},
		"not known, and not needed":           {"wave.enrolled >= 1 || wave.completed >= 97", unasked, yes, ""},
		"not known, times nothing":            {"0 * wave.enrolled == 0", unasked, noData, ""},
		"known and nobody":                    {"wave.enrolled == 0", none, yes, ""},
	} {
		got, err := ParseCondition(c.condition)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s := got.Sample(c.figures); s != c.want {
			t.Errorf("%s: %s is %d, want %d", name, c.condition, s, c.want)
		}
		if c.text == "" {
			c.text = c.condition
		}
		again, err := ParseCondition(got.Text())
		if err != nil || got.Text() != c.text || again.Text() != c.text || again.Sample(c.figures) != c.want {
			t.Errorf("%s: written as %q, and again as %q: %v", name, got.Text(), again.Text(), err)
		}
	}
	c, err := ParseCondition("wave.moved > 1 && (wave.completed > 1 || wave.moved > 2)")
	if diff := cmp.Diff([]string{"completed", "moved"}, c.Figures()); diff != "" || err != nil {
		t.Errorf("figures (-want +got):\n%s%v", diff, err)
	}
	var zero Condition
	if zero.Sample(some) != SampleInvalid || !zero.IsZero() || zero.Figures() != nil {
		t.Error("the zero condition says something")
	}
}

// TestConditionExact: at its very limit a condition is what anybody who calculates by hand gets.
func TestConditionExact(t *testing.T) {
	t.Parallel()
	for percent := int64(1); percent < 100; percent++ {
		for _, moved := range []int64{100, 200, 700, 12300} {
			f := state.WaveFigures{Moved: moved, Completed: percent * moved / 100}
			for op, want := range map[string]Sample{">=": SampleTrue, "<=": SampleTrue, "==": SampleTrue, "<": SampleFalse, ">": SampleFalse, "!=": SampleFalse} {
				for _, text := range []string{
					fmt.Sprintf("wave.completed %s 0.%02d * wave.moved", op, percent),
					fmt.Sprintf("100 * wave.completed / wave.moved %s %d", op, percent),
					fmt.Sprintf("wave.completed / wave.moved %s 0.%02d", op, percent),
				} {
					c, err := ParseCondition(text)
					if err != nil {
						t.Fatal(err)
					}
					if got := c.Sample(f); got != want {
						t.Errorf("%s with %d of %d: %v, want %v", text, f.Completed, moved, got, want)
					}
				}
			}
		}
	}
}

// TestConditionLiterals: numbers that would have to be written out in millions of digits are refused at once.
func TestConditionLiterals(t *testing.T) {
	t.Parallel()
	for text, fits := range map[string]bool{
		"1e18": true, "0.5e-3": true, "0": true, "0.000000000000000001": true, "1e19": false, "1e400000": false, "1e600000000": false, "1e999999999": false, "-1e999999999": false,
		"1e-600000000": false, "0.0000000000000000001": false, "0.1234567890123456789": false,
	} {
		if _, err := ParseCondition("wave.moved < " + text); (err == nil) != fits {
			t.Errorf("%s: %v", text, err)
		}
	}
}
