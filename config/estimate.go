package config

import (
	"math"
	"regexp/syntax"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// cost is what a function will take at most: bytes that it makes, and steps of work.
type cost struct{ bytes, work int64 }

// measuredFunctions are the functions of the language, each of which is called only where what it will make and do is within
// the bounds of the meter.
func (m *meter) measuredFunctions() map[string]function.Function {
	measured := make(map[string]function.Function, len(functions()))
	for name, f := range functions() {
		measured[name] = m.measured(name, f)
	}
	return measured
}

func (m *meter) measured(name string, f function.Function) function.Function {
	spec := &function.Spec{Params: f.Params(), VarParam: f.VarParam()}
	for i := range spec.Params {
		if customdecode.CustomExpressionDecoderForType(spec.Params[i].Type) != nil {
			return f // it works out its arguments itself, which are wrapped
		}
		open(&spec.Params[i])
	}
	if spec.VarParam != nil {
		if customdecode.CustomExpressionDecoderForType(spec.VarParam.Type) != nil {
			return f
		}
		open(spec.VarParam)
	}
	// The type comes first, and may be as dear as the value.
	spec.Type = func(args []cty.Value) (cty.Type, error) {
		if !m.affords(name, args) {
			return cty.NilType, m.err()
		}
		return f.ReturnTypeForValues(alike(name, args))
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(alike(name, args)) }
	return function.New(spec)
}

// alike has a tuple of elements of one type, or an object of such attributes, converted by way of a list or a map: the conversion
// of the library compares each of its types with each other.
func alike(name string, args []cty.Value) []cty.Value {
	if name != "toset" && name != "tolist" && name != "tomap" || len(args) != 1 {
		return args
	}
	return []cty.Value{unified(args[0], name == "tomap")}
}

// unified is a tuple as a list, or an object as a map, where its parts have one type; others stay as they are.
func unified(v cty.Value, object bool) cty.Value {
	if v.IsMarked() || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() || v.LengthInt() < 2 {
		return v
	}
	first, one := cty.NilType, true
	look := func(t cty.Type) {
		if first == cty.NilType {
			first = t
		}
		one = one && t != cty.DynamicPseudoType && t.Equals(first)
	}
	switch t := v.Type(); {
	case !object && t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			look(e)
		}
		if one {
			return cty.ListVal(v.AsValueSlice())
		}
	case object && t.IsObjectType():
		for _, e := range t.AttributeTypes() {
			look(e)
		}
		if one {
			return cty.MapVal(v.AsValueMap())
		}
	}
	return v
}

// open lets everything through to the function itself, which has its own answer to what is not known.
func open(p *function.Parameter) {
	p.AllowUnknown, p.AllowDynamicType, p.AllowMarked = true, true, true
}

// affords counts a call before it is made.
func (m *meter) affords(name string, args []cty.Value) bool {
	var all size
	for _, a := range args {
		s, ok := m.measure(m.at, a)
		if !ok {
			return false
		}
		all.nodes, all.text = all.nodes+s.nodes, all.text+s.text
	}
	c := cost{bytes: all.nodes*nodeSize + 3*all.text, work: 4*all.nodes + all.text/16}
	estimate := estimates()[name]
	for _, a := range args {
		if !a.IsWhollyKnown() || a.IsNull() {
			estimate = nil // the function does not come to work
		}
	}
	if estimate != nil {
		c = estimate(args, all)
	}
	if name == "parseint" && !m.asNumber(m.at, args[0]) {
		return false
	}
	return m.step(m.at, c.work) && m.make(m.at, c.bytes)
}

// estimates are those of the functions that may make more than they are given, or less: who passes elements on makes room for
// them alone.
func estimates() map[string]func([]cty.Value, size) cost {
	return map[string]func([]cty.Value, size) cost{
		"indent": func(a []cty.Value, s size) cost {
			return texts(s.text + times(whole(a[0]), int64(strings.Count(a[1].AsString(), "\n"))+1))
		},
		"format": formatCost, "formatlist": formatCost, "join": joinCost, "replace": replaceCost, "split": splitCost,
		"regex": regexCost, "regexall": regexCost, "setproduct": productCost, "jsonencode": func(_ []cty.Value, s size) cost {
			return texts(6*s.text + 8*s.nodes)
		},
		"jsondecode": decodeCost, "csvdecode": decodeCost,
		"distinct": func(_ []cty.Value, s size) cost {
			return cost{s.nodes * cellSize, times(s.nodes, s.nodes+s.text/16) / 2}
		},
		"length": noCost, "lookup": noCost, "element": noCost, "contains": noCost, "index": noCost, "one": noCost, "alltrue": noCost,
		"anytrue": noCost, "coalesce": noCost, "coalescelist": noCost, "startswith": noCost, "endswith": noCost, "strcontains": noCost,
		"range": rangeCost,
		"merge": passedOn, "values": passedOn, "concat": passedOn, "slice": passedOn, "reverse": passedOn, "keys": passedOn, "zipmap": passedOn,
		"compact": passedOn, "chunklist": passedOn,
	}
}

func texts(n int64) cost { return cost{3 * n, n / 16} }

func noCost(_ []cty.Value, s size) cost { return cost{nodeSize, s.nodes} }

// passedOn is the cost of elements in another collection.
func passedOn(args []cty.Value, s size) (c cost) {
	for _, a := range args {
		if a.CanIterateElements() {
			c.bytes += int64(a.LengthInt()+1) * 2 * cellSize
		}
	}
	return cost{c.bytes, s.nodes}
}

// times is a product that does not wrap around.
func times(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt32*1024/b {
		return math.MaxInt32 * 1024
	}
	return a * b
}

// whole is a number as an int, the largest where it is more.
func whole(v cty.Value) int64 {
	n, _ := v.AsBigFloat().Int64()
	return min(n, math.MaxInt32)
}

// formatCost goes by the widths in a format, and by what each of its verbs may repeat.
func formatCost(args []cty.Value, s size) cost {
	form := args[0].AsString()
	var widths, run, verbs int64
	for i := range len(form) {
		switch c := form[i]; {
		case c >= '0' && c <= '9':
			run = min(run*10+int64(c-'0'), math.MaxInt32)
			continue
		case c == '%':
			verbs++
		}
		widths, run = widths+run, 0
	}
	rows := int64(1)
	for _, a := range args[1:] {
		if t := a.Type(); t.IsListType() || t.IsTupleType() || t.IsSetType() {
			rows = max(rows, int64(a.LengthInt()))
		}
	}
	once := int64(len(form)) + widths + times(verbs, 2*s.bytes()/rows+nodeSize)
	if verbs <= int64(len(args)) {
		once = int64(len(form)) + widths + 2*s.bytes()/rows + nodeSize
	}
	c := texts(times(rows, once))
	return cost{c.bytes, c.work + times(rows, 4)}
}

// rangeCost is that of the numbers, of which the function itself makes 1024 at most.
func rangeCost(args []cty.Value, _ size) cost {
	number := func(i int) float64 { f, _ := args[i].AsBigFloat().Float64(); return f }
	from, to, step := 0.0, 0.0, 1.0
	switch len(args) {
	case 1:
		to = number(0)
	case 2:
		from, to = number(0), number(1)
	case 3:
		from, to, step = number(0), number(1), number(2)
	}
	n := int64(1024)
	if some := math.Abs(to-from) / math.Abs(step); some < 1024 {
		n = int64(some) + 1
	}
	return cost{n * nodeSize, 16 * n} // it calculates with each
}

func joinCost(args []cty.Value, s size) cost {
	c := texts(s.text + times(int64(len(args[0].AsString())), s.nodes))
	return cost{c.bytes, c.work + 4*s.nodes}
}

func replaceCost(args []cty.Value, s size) cost {
	text, part, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
	if len(part) < 2 || part[0] != '/' || part[len(part)-1] != '/' {
		return texts(s.text + times(int64(strings.Count(text, part)), int64(len(with))))
	}
	matched := patternCost(part[1 : len(part)-1])
	n := int64(len(text)) + 1
	c := texts(times(n, int64(len(with))) + times(int64(strings.Count(with, "$"))+1, n))
	return cost{c.bytes + matched.bytes, c.work + matched.work + times(n, matched.work)/16}
}

func splitCost(args []cty.Value, s size) cost {
	n := int64(strings.Count(args[1].AsString(), args[0].AsString())) + 1
	return cost{n*nodeSize + s.text, n + s.text/16}
}

// regexCost has every place match, with all groups.
func regexCost(args []cty.Value, _ size) cost {
	pattern, n := args[0].AsString(), int64(len(args[1].AsString()))+1
	matched := patternCost(pattern)
	groups := int64(strings.Count(pattern, "(")) + 1
	return cost{matched.bytes + times(n, groups*nodeSize+groups), matched.work + times(n, matched.work)/16 + times(n, groups)}
}

// patternCost is that of a regular expression: the steps of its program, which repetitions multiply.
func patternCost(pattern string) cost {
	if len(pattern) > maxPattern {
		return cost{math.MaxInt32, 0}
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return cost{} // the function says so
	}
	n := patternSteps(re)
	return cost{times(n, 64), n}
}

func patternSteps(re *syntax.Regexp) int64 {
	n := int64(1 + len(re.Rune))
	for _, sub := range re.Sub {
		n += patternSteps(sub)
	}
	if re.Op == syntax.OpRepeat {
		n = times(n, int64(max(re.Max, re.Min, 1)))
	}
	return n
}

func productCost(args []cty.Value, s size) cost {
	rows := int64(1)
	for _, a := range args {
		if !a.CanIterateElements() {
			return cost{}
		}
		rows = times(rows, int64(a.LengthInt()))
	}
	each := int64(len(args)) * cellSize * 4 // a tuple each, which a set of them hashes
	for _, a := range args {
		if n := int64(a.LengthInt()); n > 0 {
			each += s.text / n
		}
	}
	return cost{times(rows, each), times(rows, int64(len(args))*4)}
}

// decodeCost is that of what a text encodes: each sign may be an element, and brackets nest.
func decodeCost(args []cty.Value, s size) cost {
	parts, depth, deepest := int64(1), 0, 0
	for _, c := range []byte(args[0].AsString()) {
		switch c {
		case ',', ':', '\n', ';':
			parts++
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
			parts++
		case ']', '}':
			depth--
		}
	}
	if deepest > maxNesting {
		return cost{math.MaxInt32, 0}
	}
	return cost{parts*4*nodeSize + 3*s.text, parts*4 + s.text}
}
