package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"anthill/state"
)

// Condition is what the figures of a wave must fulfil for a gate to be open. The zero Condition is none. A Condition is
// immutable and may be used from several goroutines at once.
type Condition struct {
	expr hclsyntax.Expression
	text string
}

// Sample is what figures say of a condition.
type Sample uint8

// SampleNoData: the condition divides by zero, or needs a figure that is not known, so it is neither true nor false.
const (
	SampleInvalid Sample = iota
	SampleTrue
	SampleFalse
	SampleNoData
)

// ParseCondition makes a condition from its Text.
func ParseCondition(text string) (Condition, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), "condition", hcl.InitialPos)
	if diags.HasErrors() {
		return Condition{}, fmt.Errorf("parse condition: %s", diagText(diags))
	}
	c, d := newCondition(expr, overFigures)
	if d != nil {
		return Condition{}, fmt.Errorf("check condition: %s: %s", d.Summary, d.Detail)
	}
	return c, nil
}

// ParseValueCondition makes a condition over the value that a gate is confirmed with from its Text.
func ParseValueCondition(text string) (Condition, error) {
	expr, diags := hclsyntax.ParseExpression([]byte(text), "condition", hcl.InitialPos)
	if diags.HasErrors() {
		return Condition{}, fmt.Errorf("parse condition: %s", diagText(diags))
	}
	c, d := newCondition(expr, overResult)
	if d != nil {
		return Condition{}, fmt.Errorf("check condition: %s: %s", d.Summary, d.Detail)
	}
	return c, nil
}

// What a condition goes by: the figures of a wave, or what was measured when its gate was confirmed.
const (
	overFigures = "wave"
	overResult  = "result"
)

// IsZero reports whether there is no condition.
func (c Condition) IsZero() bool { return c.expr == nil }

// Equal reports whether two conditions have one text.
func (c Condition) Equal(o Condition) bool { return c.text == o.text }

// Text is the condition in one form, however it was written: blanks, line ends and comments do not count.
func (c Condition) Text() string { return c.text }

// Figures are the names of the figures that the condition refers to, sorted.
func (c Condition) Figures() (names []string) {
	if c.expr == nil {
		return nil
	}
	for _, t := range c.expr.Variables() {
		name, _ := attrAt(t, 1)
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Sample says whether the condition holds for some figures. That of the zero Condition is invalid.
func (c Condition) Sample(f state.WaveFigures) Sample {
	if c.expr == nil {
		return SampleInvalid
	}
	return c.sample(func(name string) conditionValue {
		n, known := f.Of(name)
		if !known {
			return noData
		}
		return number(new(big.Rat).SetInt64(n))
	})
}

// SampleValue says whether a condition over a value holds for one, a decimal; "" is no data.
func (c Condition) SampleValue(value string) Sample {
	if c.expr == nil {
		return SampleInvalid
	}
	return c.sample(func(string) conditionValue {
		n, ok := new(big.Rat).SetString(value)
		if !ok {
			return noData
		}
		return number(n)
	})
}

func (c Condition) sample(of func(name string) conditionValue) Sample {
	switch v := evaluateCondition(c.expr, of); {
	case !v.known:
		return SampleNoData
	case v.truth:
		return SampleTrue
	}
	return SampleFalse
}

// newCondition checks that an expression is made of figures, numbers and operators, and is true or false. So it can be
// evaluated without an error, and by nothing but the figures.
func newCondition(expr hclsyntax.Expression, over string) (Condition, *hcl.Diagnostic) {
	t, d := conditionType(expr)
	for _, v := range expr.Variables() {
		switch root := v.RootName(); {
		case d != nil || root == over:
		case over == overResult:
			d = problem(v.SourceRange(), "Invalid reference", "A gate that is opened by hand (manual = true) can go by what was measured, "+
				"result.value, alone. What goes by the figures of the wave is another gate.")
		default:
			d = problem(v.SourceRange(), "Invalid reference", "result.value is what a gate is confirmed with by hand: it needs manual = true beside it.")
		}
	}
	if d == nil && t != cty.Bool {
		d = problem(expr.Range(), "Invalid condition", "A condition is true or false, like wave.completed >= 0.5 * wave.moved. "+
			"This is a number: compare it with another one.")
	}
	if d != nil {
		return Condition{}, d
	}
	return Condition{expr, conditionText(expr)}, nil
}

// conditionType is the type of a part of a condition: a number or a bool.
func conditionType(expr hclsyntax.Expression) (cty.Type, *hcl.Diagnostic) {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return conditionType(e.Expression)
	case *hclsyntax.LiteralValueExpr:
		if t := e.Val.Type(); !e.Val.IsNull() && (t == cty.Number || t == cty.Bool) {
			return t, checkLiteral(e)
		}
	case *hclsyntax.ScopeTraversalExpr:
		return cty.Number, checkFigure(e.Traversal)
	case *hclsyntax.UnaryOpExpr:
		// Both take what they give.
		return operand(e.Val, e.Op.Type)
	case *hclsyntax.BinaryOpExpr:
		return binaryType(e)
	case *hclsyntax.ConditionalExpr:
		if _, d := operand(e.Condition, cty.Bool); d != nil {
			return cty.NilType, d
		}
		t, d := conditionType(e.TrueResult)
		if d != nil {
			return cty.NilType, d
		}
		return operand(e.FalseResult, t)
	}
	return cty.NilType, problem(expr.Range(), "Invalid condition", "A condition is made of the wave's figures (%s), numbers, and the "+
		"operators of HCL. Remove what is neither.", figureList())
}

const literalDigits = 18 // before and behind the point

// checkLiteral refuses numbers that no figure can be compared with, which have more digits than anybody should calculate with.
func checkLiteral(e *hclsyntax.LiteralValueExpr) *hcl.Diagnostic {
	if e.Val.Type() == cty.Bool {
		return nil
	}
	n := e.Val.AsBigFloat()
	// Before its digits are written out: 1e999999999 has many.
	fits := n.Sign() == 0 || !n.IsInf() && n.MantExp(nil) <= 60 && n.MantExp(nil) >= -60
	if fits {
		_, behind, _ := strings.Cut(literalText(e), ".")
		fits = len(behind) <= literalDigits
	}
	if !fits {
		return problem(e.Range(), "Invalid condition", "This number is too large, too small, or has more than %d digits behind the point. "+
			"Figures are counts of users: write one that they can be compared with.", literalDigits)
	}
	return nil
}

// literalText is a number in decimal digits, as it was written but for zeros at its ends.
func literalText(e *hclsyntax.LiteralValueExpr) string { return e.Val.AsBigFloat().Text('f', -1) }

func binaryType(e *hclsyntax.BinaryOpExpr) (cty.Type, *hcl.Diagnostic) {
	of := cty.Number
	switch e.Op {
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		of = cty.Bool
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual:
		t, d := conditionType(e.LHS)
		if d != nil {
			return cty.NilType, d
		}
		of = t
	}
	for _, side := range []hclsyntax.Expression{e.LHS, e.RHS} {
		if _, d := operand(side, of); d != nil {
			return cty.NilType, d
		}
	}
	return e.Op.Type, nil
}

// operand demands that a part is of a type, and returns that.
func operand(expr hclsyntax.Expression, of cty.Type) (cty.Type, *hcl.Diagnostic) {
	t, d := conditionType(expr)
	if d == nil && t != of {
		what := map[cty.Type]string{cty.Number: "A number", cty.Bool: "True or false"}
		d = problem(expr.Range(), "Invalid condition", "%s is needed here, and this is %s.", what[of], strings.ToLower(what[t]))
	}
	return of, d
}

// checkFigure refuses references to anything but wave.FIGURE.
func checkFigure(t hcl.Traversal) *hcl.Diagnostic {
	if t.RootName() == overResult {
		if name, ok := attrAt(t, 1); !ok || name != "value" || len(t) > 2 {
			return problem(t.SourceRange(), "Invalid reference", "Of a result there is result.value alone: what a gate was confirmed with.")
		}
		return nil
	}
	if t.RootName() != overFigures {
		return problem(t.SourceRange(), "Invalid reference", "A condition can refer to the figures of the wave that uses the gate alone "+
			"(%s), not to %q. Write the number itself.", figureList(), t.RootName())
	}
	name, ok := attrAt(t, 1)
	switch {
	case !ok, len(t) > 2 && slices.Contains(state.FigureNames(), name):
		return problem(t.SourceRange(), "Invalid reference", "A figure of the wave that uses the gate has one name: %s.", figureList())
	case len(t) > 2:
		return problem(t.SourceRange(), "Invalid reference", "The figures are always those of the wave that uses the gate: write %s "+
			"without the name of a wave.", "wave."+lastAttr(t))
	case !slices.Contains(state.FigureNames(), name):
		return problem(t.SourceRange(), "Unknown figure", "A wave has no figure %q; it has %s.%s", name, figureList(),
			didYouMean(name, state.FigureNames()))
	}
	return nil
}

func lastAttr(t hcl.Traversal) string {
	if name, ok := attrAt(t, len(t)-1); ok && slices.Contains(state.FigureNames(), name) {
		return name
	}
	return "FIGURE"
}

func figureList() string { return "wave." + strings.Join(state.FigureNames(), ", wave.") }

// conditionValue is what a part of a condition comes to: a number, or true or false. Not known stands for what no data tells.
// Numbers are exact: with 15 of 100, wave.completed >= 0.15 * wave.moved.
type conditionValue struct {
	known  bool
	truth  bool
	number *big.Rat // nil: it is no number
}

var noData conditionValue

func truth(is bool) conditionValue { return conditionValue{known: true, truth: is} }

func number(n *big.Rat) conditionValue { return conditionValue{known: true, number: n} }

// evaluateCondition evaluates a part of a condition. What is not known spreads, but not where the other side decides alone, or
// into a branch that is not taken.
func evaluateCondition(expr hclsyntax.Expression, of func(name string) conditionValue) conditionValue {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return evaluateCondition(e.Expression, of)
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.Bool {
			return truth(e.Val.True())
		}
		n, _ := new(big.Rat).SetString(literalText(e)) // it was written so
		return number(n)
	case *hclsyntax.ScopeTraversalExpr:
		name, _ := attrAt(e.Traversal, 1)
		return of(name)
	case *hclsyntax.UnaryOpExpr:
		v := evaluateCondition(e.Val, of)
		switch {
		case !v.known:
			return noData
		case e.Op == hclsyntax.OpNegate:
			return number(new(big.Rat).Neg(v.number))
		}
		return truth(!v.truth)
	case *hclsyntax.BinaryOpExpr:
		return evaluateBinary(e.Op, evaluateCondition(e.LHS, of), evaluateCondition(e.RHS, of))
	case *hclsyntax.ConditionalExpr:
		is := evaluateCondition(e.Condition, of)
		switch {
		case !is.known:
			return noData
		case is.truth:
			return evaluateCondition(e.TrueResult, of)
		}
		return evaluateCondition(e.FalseResult, of)
	}
	panic(fmt.Sprintf("config: a condition holds %T. This is a bug in Anthill.", expr)) // newCondition refuses it
}

func evaluateBinary(op *hclsyntax.Operation, l, r conditionValue) conditionValue {
	decides := func(b bool) bool { return l.known && l.truth == b || r.known && r.truth == b }
	switch {
	case op == hclsyntax.OpLogicalAnd && decides(false):
		return truth(false)
	case op == hclsyntax.OpLogicalOr && decides(true):
		return truth(true)
	case !l.known, !r.known:
		return noData
	}
	switch op {
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		return truth(op == hclsyntax.OpLogicalAnd) // neither side decided alone
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual:
		equal := l.truth == r.truth
		if l.number != nil {
			equal = l.number.Cmp(r.number) == 0
		}
		return truth(equal == (op == hclsyntax.OpEqual))
	case hclsyntax.OpGreaterThan:
		return truth(l.number.Cmp(r.number) > 0)
	case hclsyntax.OpGreaterThanOrEqual:
		return truth(l.number.Cmp(r.number) >= 0)
	case hclsyntax.OpLessThan:
		return truth(l.number.Cmp(r.number) < 0)
	case hclsyntax.OpLessThanOrEqual:
		return truth(l.number.Cmp(r.number) <= 0)
	}
	return calculate(op, l.number, r.number)
}

func calculate(op *hclsyntax.Operation, l, r *big.Rat) conditionValue {
	n := new(big.Rat)
	switch op {
	case hclsyntax.OpAdd:
		return number(n.Add(l, r))
	case hclsyntax.OpSubtract:
		return number(n.Sub(l, r))
	case hclsyntax.OpMultiply:
		return number(n.Mul(l, r))
	}
	if r.Sign() == 0 {
		return noData
	}
	n.Quo(l, r)
	if op == hclsyntax.OpModulo {
		// What is left of whole times, of the sign of l.
		times := new(big.Int).Quo(n.Num(), n.Denom())
		n.Sub(l, new(big.Rat).Mul(r, new(big.Rat).SetInt(times)))
	}
	return number(n)
}

// operators are the operators of conditions as they are written.
func operators() map[*hclsyntax.Operation]string {
	return map[*hclsyntax.Operation]string{
		hclsyntax.OpLogicalOr: "||", hclsyntax.OpLogicalAnd: "&&", hclsyntax.OpLogicalNot: "!",
		hclsyntax.OpEqual: "==", hclsyntax.OpNotEqual: "!=",
		hclsyntax.OpGreaterThan: ">", hclsyntax.OpGreaterThanOrEqual: ">=",
		hclsyntax.OpLessThan: "<", hclsyntax.OpLessThanOrEqual: "<=",
		hclsyntax.OpAdd: "+", hclsyntax.OpSubtract: "-", hclsyntax.OpMultiply: "*", hclsyntax.OpDivide: "/",
		hclsyntax.OpModulo: "%", hclsyntax.OpNegate: "-",
	}
}

// conditionText writes a part of a condition. Parentheses are parts of their own, so that none need be added.
func conditionText(expr hclsyntax.Expression) string {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return "(" + conditionText(e.Expression) + ")"
	case *hclsyntax.LiteralValueExpr:
		if e.Val.Type() == cty.Bool {
			return fmt.Sprint(e.Val.True())
		}
		return literalText(e)
	case *hclsyntax.ScopeTraversalExpr:
		name, _ := attrAt(e.Traversal, 1)
		return e.Traversal.RootName() + "." + name
	case *hclsyntax.UnaryOpExpr:
		return operators()[e.Op] + conditionText(e.Val)
	case *hclsyntax.BinaryOpExpr:
		return conditionText(e.LHS) + " " + operators()[e.Op] + " " + conditionText(e.RHS)
	case *hclsyntax.ConditionalExpr:
		return conditionText(e.Condition) + " ? " + conditionText(e.TrueResult) + " : " + conditionText(e.FalseResult)
	}
	panic(fmt.Sprintf("config: a condition holds %T. This is a bug in Anthill.", expr)) // newCondition refuses it
}

// condition reads an argument that is a condition over something: an expression, in JSON a text that holds one, as such or in ${ }.
func (r reader) condition(name, over string) Condition {
	r.spec(name, ConditionExpr)
	a := r.n.args[name]
	if a == nil {
		return Condition{}
	}
	expr, ok := r.conditionExpr(a.Expr)
	if !ok {
		return Condition{}
	}
	c, d := newCondition(expr, over)
	if d != nil {
		r.e.diags = append(r.e.diags, d)
	}
	return c
}

func (r reader) conditionExpr(given hcl.Expression) (hclsyntax.Expression, bool) {
	expr, native := given.(hclsyntax.Expression)
	if native {
		return expr, true
	}
	// Without a context a text of JSON is what it is, and no template.
	v, diags := given.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		r.e.fail(given.Range(), "Invalid condition", "In JSON a condition is a text, like \"wave.completed >= 0.5 * wave.moved\".")
		return nil, false
	}
	text := v.AsString()
	if inner, is := strings.CutPrefix(text, "${"); is && strings.HasSuffix(inner, "}") {
		text = strings.TrimSuffix(inner, "}")
	}
	if d := checkDepth([]byte(text), given.Range(), hclsyntax.LexExpression); d != nil {
		r.e.diags = append(r.e.diags, d)
		return nil, false
	}
	expr, diags = hclsyntax.ParseExpression([]byte(text), given.Range().Filename, given.Range().Start)
	if diags.HasErrors() {
		r.e.diags = append(r.e.diags, diags...)
		return nil, false
	}
	return expr, true
}
