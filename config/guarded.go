package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
)

// use says what becomes of the value of a part of an expression in the part around it, as far as that costs something.
type use uint8

const (
	useRefer  use = 1 << iota // the value is there already
	useCopy                   // a text is copied into another
	useNumber                 // a text is read as a number
	useDeep                   // all of it is compared, or converted
	useList                   // it is converted to a list or a set
	useMap                    // it is converted to a map
)

// guard is a part of an expression that is worked out within the bounds of a meter. All parts that the parser knows are wrapped
// so, in a copy: what reads expressions without evaluating them sees those of the parser.
type guard struct {
	hclsyntax.Expression
	m   *meter
	use use
}

// Value is the part's value, as long as the meter is not over.
func (g *guard) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	at := g.Range()
	if !g.m.step(at, 1) {
		return g.ends()
	}
	if _, calls := g.Expression.(*hclsyntax.FunctionCallExpr); calls {
		outer := g.m.at
		g.m.at = at
		defer func() { g.m.at = outer }()
	}
	v, diags := g.Expression.Value(ctx)
	if g.m.over != nil || !g.charge(at, v) {
		return g.ends()
	}
	if g.use&(useList|useMap) != 0 {
		v = unified(v, g.use&useMap != 0)
	}
	return v, diags
}

func (g *guard) ends() (cty.Value, hcl.Diagnostics) { return cty.DynamicVal, hcl.Diagnostics{g.m.over} }

// charge counts a value that was made, and what its use will make of it.
func (g *guard) charge(at hcl.Range, v cty.Value) bool {
	if g.use&useRefer == 0 || g.use&useDeep != 0 {
		s, ok := g.m.measure(at, v)
		if !ok || g.use&useDeep != 0 && !g.m.room(at, s.bytes()/4) {
			return false
		}
	}
	if g.use&useNumber != 0 && !g.m.asNumber(at, v) {
		return false
	}
	if g.use&useRefer == 0 && !g.m.make(at, g.made(v)) {
		return false
	}
	return g.use&useCopy == 0 || g.m.make(at, textSize(v))
}

// made is what a value costs that the part has made of parts that were counted before. A function counts for itself.
func (g *guard) made(v cty.Value) int64 {
	if _, calls := g.Expression.(*hclsyntax.FunctionCallExpr); calls {
		return 0
	}
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() || v.Type().IsPrimitiveType() {
		return nodeSize
	}
	if v.CanIterateElements() {
		return int64(v.LengthInt()+1) * cellSize
	}
	return cellSize
}

func textSize(v cty.Value) int64 {
	v, _ = v.Unmark()
	if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		return int64(len(v.AsString()))
	}
	return nodeSize
}

// guarded is an expression in native syntax, or of JSON, that is worked out within the bounds.
func (m *meter) guarded(expr hcl.Expression) hcl.Expression {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return m.wrap(native, 0)
	}
	return &jsonGuard{Expression: expr, m: m}
}

func (m *meter) wrap(expr hclsyntax.Expression, how use) hclsyntax.Expression {
	if expr == nil {
		return nil
	}
	inside, own := m.copied(expr)
	return &guard{inside, m, how | own}
}

func (m *meter) wrapAll(list []hclsyntax.Expression, how use) []hclsyntax.Expression {
	wrapped := make([]hclsyntax.Expression, len(list))
	for i, e := range list {
		wrapped[i] = m.wrap(e, how)
	}
	return wrapped
}

// copied is a part with its parts wrapped, and whether its value is there already. What the parser may make some day that is not
// here is worked out unmeasured within, and measured as a whole.
func (m *meter) copied(expr hclsyntax.Expression) (hclsyntax.Expression, use) {
	switch e := expr.(type) {
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ExprSyntaxError:
		return e, 0
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.AnonSymbolExpr:
		return e, useRefer
	case *hclsyntax.ParenthesesExpr:
		c := *e
		c.Expression = m.wrap(e.Expression, 0)
		return &c, useRefer
	case *hclsyntax.RelativeTraversalExpr:
		c := *e
		c.Source = m.wrap(e.Source, 0)
		return &c, useRefer
	case *hclsyntax.IndexExpr:
		c := *e
		c.Collection, c.Key = m.wrap(e.Collection, 0), m.wrap(e.Key, useNumber)
		return &c, useRefer
	case *hclsyntax.ConditionalExpr:
		c := *e
		c.Condition, c.TrueResult, c.FalseResult = m.wrap(e.Condition, 0), m.wrap(e.TrueResult, useDeep), m.wrap(e.FalseResult, useDeep)
		return &c, 0
	case *hclsyntax.BinaryOpExpr:
		c := *e
		how := useNumber
		if e.Op == hclsyntax.OpEqual || e.Op == hclsyntax.OpNotEqual {
			how = useDeep
		}
		c.LHS, c.RHS = m.wrap(e.LHS, how), m.wrap(e.RHS, how)
		return &c, 0
	case *hclsyntax.UnaryOpExpr:
		c := *e
		c.Val = m.wrap(e.Val, useNumber)
		return &c, 0
	case *hclsyntax.FunctionCallExpr:
		c := *e
		c.Args = m.arguments(e)
		return &c, 0
	}
	return m.copiedCollection(expr)
}

// copiedCollection is copied for what makes collections, and texts of parts.
func (m *meter) copiedCollection(expr hclsyntax.Expression) (hclsyntax.Expression, use) {
	switch e := expr.(type) {
	case *hclsyntax.TupleConsExpr:
		c := *e
		c.Exprs = m.wrapAll(e.Exprs, 0)
		return &c, 0
	case *hclsyntax.ObjectConsExpr:
		c := *e
		c.Items = make([]hclsyntax.ObjectConsItem, len(e.Items))
		for i, item := range e.Items {
			c.Items[i] = hclsyntax.ObjectConsItem{KeyExpr: m.wrap(item.KeyExpr, useCopy), ValueExpr: m.wrap(item.ValueExpr, 0)}
		}
		return &c, 0
	case *hclsyntax.ObjectConsKeyExpr:
		// A key without quotes is read by its form.
		if _, bare := e.Wrapped.(*hclsyntax.ScopeTraversalExpr); !e.ForceNonLiteral && (bare || hcl.ExprAsKeyword(e.Wrapped) != "") {
			return e, useRefer
		}
		c := *e
		c.Wrapped = m.wrap(e.Wrapped, 0)
		return &c, useRefer
	case *hclsyntax.ForExpr:
		c := *e
		c.CollExpr, c.KeyExpr, c.ValExpr, c.CondExpr = m.wrap(e.CollExpr, 0), m.wrap(e.KeyExpr, useCopy), m.wrap(e.ValExpr, useCopy),
			m.wrap(e.CondExpr, 0)
		return &c, 0
	case *hclsyntax.SplatExpr:
		c := *e
		c.Source, c.Each = m.wrap(e.Source, 0), m.wrap(e.Each, 0)
		return &c, 0
	case *hclsyntax.TemplateExpr:
		c := *e
		c.Parts = m.wrapAll(e.Parts, useCopy)
		return &c, 0
	case *hclsyntax.TemplateJoinExpr:
		c := *e
		c.Tuple = m.wrap(e.Tuple, 0)
		return &c, 0
	case *hclsyntax.TemplateWrapExpr:
		c := *e
		c.Wrapped = m.wrap(e.Wrapped, 0)
		return &c, useRefer
	}
	return expr, 0
}

// arguments are those of a call, wrapped: which of them are numbers is known by the function's name.
func (m *meter) arguments(call *hclsyntax.FunctionCallExpr) []hclsyntax.Expression {
	f, known := functions()[call.Name]
	params := f.Params
	wrapped := make([]hclsyntax.Expression, len(call.Args))
	for i, a := range call.Args {
		how := use(0)
		switch last := call.ExpandFinal && i == len(call.Args)-1; {
		case !known || last:
		case i < len(params()) && customdecode.CustomExpressionDecoderForType(params()[i].Type) != nil:
		case i < len(params()) && params()[i].Type == cty.Number, i >= len(params()) && f.VarParam() != nil && f.VarParam().Type == cty.Number:
			how = useNumber
		default:
			how = useDeep // it is converted to the parameter's type
			switch t := parameter(f, i); {
			case t.IsListType(), t.IsSetType():
				how |= useList
			case t.IsMapType():
				how |= useMap
			}
		}
		wrapped[i] = m.wrap(a, how)
	}
	return wrapped
}

// parameter is the type of what a function takes in a place.
func parameter(f function.Function, i int) cty.Type {
	switch params := f.Params(); {
	case i < len(params):
		return params[i].Type
	case f.VarParam() != nil:
		return f.VarParam().Type
	}
	return cty.DynamicPseudoType
}

// jsonGuard is an expression of JSON: its texts are templates, as are the names of the members of its objects.
type jsonGuard struct {
	hcl.Expression
	m     *meter
	texts hclsyntax.Expression // of a text, once it was parsed
}

// Value is that of the JSON expression, as long as the meter is not over.
func (g *jsonGuard) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	at := g.Range()
	if !g.m.step(at, 1) {
		return cty.DynamicVal, hcl.Diagnostics{g.m.over}
	}
	if items, diags := hcl.ExprList(g.Expression); !diags.HasErrors() {
		return g.list(items, ctx)
	}
	if members, diags := hcl.ExprMap(g.Expression); !diags.HasErrors() {
		return g.object(members, ctx)
	}
	if g.texts != nil {
		return g.texts.Value(ctx)
	}
	v, diags := g.Expression.Value(nil) // without a context a text is what it is
	if diags.HasErrors() || ctx == nil || v.IsNull() || v.Type() != cty.String {
		return g.whole(at, v, diags)
	}
	start := hcl.Pos{Line: at.Start.Line, Byte: at.Start.Byte + 1, Column: at.Start.Column + 1} // behind the quote
	expr, diags := hclsyntax.ParseTemplate([]byte(v.AsString()), at.Filename, start)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	g.texts = g.m.wrap(expr, 0)
	return g.texts.Value(ctx)
}

func (g *jsonGuard) whole(at hcl.Range, v cty.Value, diags hcl.Diagnostics) (cty.Value, hcl.Diagnostics) {
	if _, ok := g.m.measure(at, v); !ok {
		return cty.DynamicVal, hcl.Diagnostics{g.m.over}
	}
	return v, diags
}

func (g *jsonGuard) list(items []hcl.Expression, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	vals := make([]cty.Value, len(items))
	for i, item := range items {
		v, moreDiags := g.inner(item).Value(ctx)
		vals[i], diags = v, append(diags, moreDiags...)
	}
	return g.made(cty.TupleVal(vals), len(items), diags)
}

func (g *jsonGuard) object(members []hcl.KeyValuePair, ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	attrs, known := map[string]cty.Value{}, true
	for _, pair := range members {
		name, moreDiags := g.inner(pair.Key).Value(ctx)
		diags = append(diags, moreDiags...)
		v, moreDiags := g.inner(pair.Value).Value(ctx)
		diags = append(diags, moreDiags...)
		name, err := convert.Convert(name, cty.String)
		switch {
		case err != nil || name.IsNull():
			diags = diags.Append(problem(pair.Key.Range(), "Invalid key", "The name of a member of an object is a text."))
			continue
		case !name.IsKnown():
			known = false
			continue
		}
		if _, twice := attrs[name.AsString()]; twice {
			diags = diags.Append(problem(pair.Key.Range(), "Duplicate object attribute", "The object has a member %q already. Remove one of them.",
				name.AsString()))
		}
		attrs[name.AsString()] = v
	}
	if !known {
		return cty.DynamicVal, diags
	}
	return g.made(cty.ObjectVal(attrs), len(members), diags)
}

func (g *jsonGuard) made(v cty.Value, n int, diags hcl.Diagnostics) (cty.Value, hcl.Diagnostics) {
	if g.m.over != nil || !g.m.make(g.Range(), int64(n+1)*cellSize) {
		return cty.DynamicVal, hcl.Diagnostics{g.m.over}
	}
	return g.whole(g.Range(), v, diags)
}

// inner is a part of the expression. JSON makes a new one each time that it is asked.
func (g *jsonGuard) inner(expr hcl.Expression) hcl.Expression { return g.m.guarded(expr) }
