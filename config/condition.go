package config

import (
	"fmt"
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
	c, d := newCondition(expr)
	if d != nil {
		return Condition{}, fmt.Errorf("check condition: %s: %s", d.Summary, d.Detail)
	}
	return c, nil
}

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
	switch v := evaluateCondition(c.expr, f); {
	case !v.IsKnown():
		return SampleNoData
	case v.True():
		return SampleTrue
	}
	return SampleFalse
}

// newCondition checks that an expression is made of figures, numbers and operators, and is true or false. So it can be
// evaluated without an error, and by nothing but the figures.
func newCondition(expr hclsyntax.Expression) (Condition, *hcl.Diagnostic) {
	t, d := conditionType(expr)
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
			return t, nil
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
	if t.RootName() != "wave" {
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

// evaluateCondition evaluates a part of a condition. Unknown stands for what no data tells: it spreads, but not where the
// other side decides alone, or into a branch that is not taken.
func evaluateCondition(expr hclsyntax.Expression, f state.WaveFigures) cty.Value {
	switch e := expr.(type) {
	case *hclsyntax.ParenthesesExpr:
		return evaluateCondition(e.Expression, f)
	case *hclsyntax.LiteralValueExpr:
		return e.Val
	case *hclsyntax.ScopeTraversalExpr:
		name, _ := attrAt(e.Traversal, 1)
		n, known := f.Of(name)
		if !known {
			return cty.UnknownVal(cty.Number)
		}
		return cty.NumberIntVal(n)
	case *hclsyntax.UnaryOpExpr:
		return call(e.Op, evaluateCondition(e.Val, f))
	case *hclsyntax.BinaryOpExpr:
		return evaluateBinary(e.Op, evaluateCondition(e.LHS, f), evaluateCondition(e.RHS, f))
	case *hclsyntax.ConditionalExpr:
		is := evaluateCondition(e.Condition, f)
		if !is.IsKnown() {
			return cty.UnknownVal(is.Type())
		}
		if is.True() {
			return evaluateCondition(e.TrueResult, f)
		}
		return evaluateCondition(e.FalseResult, f)
	}
	panic(fmt.Sprintf("config: a condition holds %T. This is a bug in Anthill.", expr)) // newCondition refuses it
}

func evaluateBinary(op *hclsyntax.Operation, l, r cty.Value) cty.Value {
	is := func(v cty.Value, b bool) bool { return v.IsKnown() && v.True() == b }
	switch op {
	case hclsyntax.OpLogicalAnd:
		if is(l, false) || is(r, false) {
			return cty.False
		}
	case hclsyntax.OpLogicalOr:
		if is(l, true) || is(r, true) {
			return cty.True
		}
	case hclsyntax.OpDivide, hclsyntax.OpModulo:
		// What cty makes of it is an infinity, which is more than any limit.
		if r.IsKnown() && r.AsBigFloat().Sign() == 0 {
			return cty.UnknownVal(cty.Number)
		}
	}
	return call(op, l, r)
}

// call applies an operator. Of operands of the right types it fails for none but what is not known.
func call(op *hclsyntax.Operation, operands ...cty.Value) cty.Value {
	if slices.ContainsFunc(operands, func(v cty.Value) bool { return !v.IsKnown() }) {
		return cty.UnknownVal(op.Type)
	}
	v, err := op.Impl.Call(operands)
	if err != nil {
		return cty.UnknownVal(op.Type)
	}
	return v
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
		return e.Val.AsBigFloat().Text('f', -1)
	case *hclsyntax.ScopeTraversalExpr:
		name, _ := attrAt(e.Traversal, 1)
		return "wave." + name
	case *hclsyntax.UnaryOpExpr:
		return operators()[e.Op] + conditionText(e.Val)
	case *hclsyntax.BinaryOpExpr:
		return conditionText(e.LHS) + " " + operators()[e.Op] + " " + conditionText(e.RHS)
	case *hclsyntax.ConditionalExpr:
		return conditionText(e.Condition) + " ? " + conditionText(e.TrueResult) + " : " + conditionText(e.FalseResult)
	}
	panic(fmt.Sprintf("config: a condition holds %T. This is a bug in Anthill.", expr)) // newCondition refuses it
}

// condition reads an argument that is a condition: an expression, in JSON a text that holds one, as such or in ${ }.
func (r reader) condition(name string) Condition {
	r.spec(name, ConditionExpr)
	a := r.n.args[name]
	if a == nil {
		return Condition{}
	}
	expr, ok := r.conditionExpr(a.Expr)
	if !ok {
		return Condition{}
	}
	c, d := newCondition(expr)
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
	expr, diags = hclsyntax.ParseExpression([]byte(text), given.Range().Filename, given.Range().Start)
	if diags.HasErrors() {
		r.e.diags = append(r.e.diags, diags...)
		return nil, false
	}
	return expr, true
}
