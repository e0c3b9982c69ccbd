package config

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// The bounds of an evaluation. They are far above what a configuration of 100,000 declared objects needs, and far below what
// keeps a machine busy.
// MemoryGoal is for debug.SetMemoryLimit: with it, checking a configuration takes less than 256 MiB, whatever stands there. What is
// garbage, and not collected yet, is not counted below.
const MemoryGoal = 128 << 20

const (
	maxWork      = 12_000_000 // parts of values looked at, and parts of expressions worked out
	workEach     = 256        // so many more for each argument of each instance
	maxHeld      = 64 << 20   // bytes of values that are there at once, roughly
	maxNodes     = 4 << 20    // elements of one value, those of its elements counted
	freeText     = 1 << 10    // bytes of an argument's value that are not counted as kept
	maxExponent  = 8192       // of a number, to base 2: 2,466 digits
	maxDigits    = 4096       // characters of a text that stands for a number
	maxPattern   = 4096       // characters of a regular expression
	maxInstances = 250_000    // of all blocks

	nodeSize = 64 // bytes of an element, roughly
	cellSize = 48 // bytes of a place for one
)

// meter measures what an evaluation does, so that each ends soon, whatever is written: numbers, values and work are bounded,
// each before it is made. Once over, every further step ends at once with the same diagnostic. It serves one evaluation by one
// goroutine.
type meter struct {
	done      <-chan struct{} // nil: nobody ends it from outside
	work      int64           // left
	kept      int64           // bytes of values that stay
	held      int64           // bytes of values made by the expression in hand
	instances int
	at        hcl.Range // of the function in hand
	over      *hcl.Diagnostic
	guards    map[hcl.Expression]hcl.Expression
	functions map[string]function.Function
}

func newMeter(done <-chan struct{}) *meter {
	m := &meter{done: done, work: maxWork, guards: map[hcl.Expression]hcl.Expression{}}
	m.functions = m.measuredFunctions()
	return m
}

// evaluate works an expression out within the bounds. The diagnostics of a meter that is over are that one alone.
func (m *meter) evaluate(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	g, found := m.guards[expr]
	if !found {
		g = m.guarded(expr)
		m.guards[expr] = g
	}
	if ctx != nil && ctx.Functions != nil {
		ctx = &hcl.EvalContext{Variables: ctx.Variables, Functions: m.functions}
	}
	m.held = 0
	m.work += workEach
	v, diags := g.Value(ctx)
	if m.over != nil {
		return cty.DynamicVal, hcl.Diagnostics{m.over}
	}
	return v, diags
}

// again begins another evaluation, of the text for one user: that is bounded more closely, as there are many.
func (m *meter) again() { m.work, m.kept, m.over = maxWork/1000, maxHeld-(1<<20), nil }

// keep counts what the expression in hand has made as there to stay; but for a little of an argument's value.
func (m *meter) keep(free int64) {
	m.kept += max(0, m.held-free)
	m.held = min(m.held, free)
}

// step counts n steps of work. ok is false where that is too many, or nobody waits for the result any more.
func (m *meter) step(at hcl.Range, n int64) bool {
	if m.over != nil {
		return false
	}
	// To look whether somebody has ended it is dear.
	before := m.work
	m.work -= n
	if before>>8 != m.work>>8 {
		select {
		case <-m.done:
			m.over = problem(at, stopped, "Here the evaluation was stopped. Nothing was changed.")
			return false
		default:
		}
	}
	if m.work < 0 {
		m.over = problem(at, "Too much work", "To work this out takes more than %d million steps. Go over less: narrow the collections, nest "+
			"fewer for expressions, or write the values out.", maxWork/1_000_000)
	}
	return m.over == nil
}

const stopped = "Stopped"

// Stopped reports whether an evaluation was ended by Vars.Done: the diagnostics are of no use then.
func Stopped(diags hcl.Diagnostics) bool {
	return slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool { return d.Summary == stopped })
}

// room says whether n more bytes may be made just now, make counts them as made.
func (m *meter) room(at hcl.Range, n int64) bool {
	if m.over == nil && (n > maxHeld || m.kept+m.held+n > maxHeld) {
		m.over = problem(at, "Value too large", "This makes a value, or many, of more than %d MiB in all. Make less of it: shorter texts, and "+
			"fewer elements.", maxHeld>>20)
	}
	return m.over == nil
}

func (m *meter) make(at hcl.Range, n int64) bool {
	if !m.room(at, n) {
		return false
	}
	m.held += n
	return true
}

// size is that of a value with all that is in it.
type size struct {
	nodes int64
	text  int64 // bytes of texts and digits
}

func (s size) bytes() int64 { return s.nodes*nodeSize + s.text }

// measure looks at all of a value. ok is false where it is too large, or holds a number that is.
func (m *meter) measure(at hcl.Range, v cty.Value) (s size, ok bool) {
	ok = m.add(at, v, &s) && m.step(at, s.nodes+s.text>>6)
	return s, ok
}

func (m *meter) add(at hcl.Range, v cty.Value, s *size) bool {
	if s.nodes++; s.nodes > maxNodes {
		m.over = problem(at, "Value too large", "This makes a value of more than %d elements, those within elements counted. Make less of it: go "+
			"over smaller collections, and nest fewer.", maxNodes)
		return false
	}
	if v == cty.NilVal {
		return true
	}
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return true
	}
	switch t := v.Type(); {
	case t == cty.String:
		s.text += int64(len(v.AsString()))
		return true
	case t == cty.Number:
		return m.addNumber(at, v.AsBigFloat(), s)
	case !v.CanIterateElements():
		return true
	}
	for it := v.ElementIterator(); it.Next(); {
		k, item := it.Element()
		if k.Type() == cty.String && k.IsKnown() {
			s.text += int64(len(k.AsString()))
		}
		if !m.add(at, item, s) {
			return false
		}
	}
	return true
}

// addNumber refuses a number that nobody should write out: to do so takes hours for 1e100000000.
func (m *meter) addNumber(at hcl.Range, n *big.Float, s *size) bool {
	exponent := int64(n.MantExp(nil))
	if exponent < 0 {
		exponent = -exponent
	}
	if exponent > maxExponent || n.IsInf() {
		m.over = problem(at, "Number too large", "This is a number of more than %d digits, before the point or behind it, which nothing needs. Write "+
			"another one.", int64(maxExponent)*30103/100000)
		return false
	}
	s.text += exponent/3 + int64(n.Prec())/3
	return true
}

// asNumber says whether a value may be read as a number: that takes the square of its length.
func (m *meter) asNumber(at hcl.Range, v cty.Value) bool {
	v, _ = v.Unmark()
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() && len(v.AsString()) > maxDigits {
		m.over = problem(at, "Number too large", "Here a text of more than %d characters stands for a number. Write another one.", maxDigits)
	}
	return m.over == nil
}

// more counts instances of blocks.
func (m *meter) more(at hcl.Range, n int) bool {
	if m.instances += n; m.over == nil && m.instances > maxInstances {
		m.over = problem(at, "Too many instances", "With these, the blocks of the configuration have more than %d instances in all. Narrow the "+
			"for_each.", maxInstances)
	}
	return m.over == nil
}

// err is why the meter is over, for a function.
func (m *meter) err() error { return fmt.Errorf("%s", m.over.Summary) }
