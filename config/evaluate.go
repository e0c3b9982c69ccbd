package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// evaluator works values out on demand: an expression asks for what it refers to, and what is being worked out and
// asked for again is a cycle. It serves one evaluation by one goroutine.
type evaluator struct {
	m     *Module
	meter *meter
	data  *Data // nil: the live world is not known, what depends on it is unknown
	done  map[string]result
	stack []string
	slugs map[string]string // of the data: as expressions spell them -> as the database does; filled when first asked
	diags hcl.Diagnostics
	// every tenant counts as active
	awake bool
	// a variable without a value was asked for
	lacking bool

	gateList  []Gate
	gatesRead bool
}

// result is a value that was worked out; not ok means that the reason has been reported.
type result struct {
	val cty.Value
	ok  bool
}

// scope is what an expression may refer to besides the configuration's blocks and values.
type scope struct {
	each   cty.Value // object of key and value; cty.NilVal outside of for_each
	user   bool      // user is known, as an unknown value
	static bool      // variables and locals only
}

func newEvaluator(m *Module, data *Data) *evaluator {
	return &evaluator{m: m, meter: newMeter(m.done), data: data, done: map[string]result{}}
}

func (e *evaluator) fail(at hcl.Range, summary, format string, args ...any) {
	e.diags = append(e.diags, problem(at, summary, format, args...))
}

// value evaluates an expression. Not ok means that an error has been reported.
func (e *evaluator) value(expr hcl.Expression, sc scope) (cty.Value, bool) {
	ctx, ok := e.context(expr.Variables(), sc)
	if !ok {
		return cty.NilVal, false
	}
	val, diags := e.meter.evaluate(expr, ctx)
	if diags.HasErrors() {
		e.diags = append(e.diags, diags...)
		return cty.NilVal, false
	}
	e.meter.keep(freeText)
	return val, true
}

// context holds what the traversals refer to, and nothing else.
func (e *evaluator) context(refs []hcl.Traversal, sc scope) (*hcl.EvalContext, bool) {
	tree := map[string]map[string]cty.Value{}
	put := func(root, name string, v cty.Value) {
		if tree[root] == nil {
			tree[root] = map[string]cty.Value{}
		}
		tree[root][name] = v
	}
	tenants := map[string]cty.Value{}
	ok := true
	for _, t := range refs {
		key, found := e.resolve(t, sc)
		if !found {
			ok = false
			continue
		}
		v, found := e.lookup(key, t, sc)
		if !found {
			ok = false
			continue
		}
		switch parts := strings.SplitN(key, ".", 3); {
		case len(parts) == 1: // each and user are objects as they are
			put("", key, v)
		case parts[0] == "data":
			tenants[parts[2]] = v
		default:
			put(parts[0], parts[1], v)
		}
	}
	if len(tenants) > 0 {
		put("data", "tenants", cty.ObjectVal(tenants))
	}
	vars := map[string]cty.Value{}
	for root, names := range tree {
		if root == "" {
			maps.Copy(vars, names)
		} else {
			vars[root] = cty.ObjectVal(names)
		}
	}
	return &hcl.EvalContext{Variables: vars, Functions: Functions()}, ok
}

// Roots of references that need another block than the one they are used in.
const (
	rootEach = "each"
	rootUser = "user"
)

// resolve checks a reference and returns what it refers to: "var.x", "data.tenants.x", "each".
func (e *evaluator) resolve(t hcl.Traversal, sc scope) (string, bool) {
	// Settings decide where to connect, so they are worked out before anything is read: nothing that depends on the live
	// world may stand in them.
	root, at := t.RootName(), t.SourceRange()
	if sc.static && root != "var" && root != "local" && root != "path" {
		e.fail(at, "Invalid reference",
			"Only variables and locals may be used here, as the value must be known before anything is read; %q is "+
				"neither.", root)
		return "", false
	}
	switch root {
	case rootEach:
		return root, e.checkEach(t, sc)
	case rootUser:
		return root, e.checkUser(t, sc)
	case "path":
		if name, ok := attrAt(t, 1); !ok || name != "root" {
			e.fail(at, "Invalid reference", "The only path is path.root, the configuration's directory.")
			return "", false
		}
		return "path.root", true
	case "data":
		return e.resolveData(t)
	case "var", "local", "group", "tenant", "auth_policy", "gate", "wave":
		name, ok := attrAt(t, 1)
		if !ok {
			e.fail(at, "Invalid reference", "A reference needs a name behind the point: %s.NAME.", root)
			return "", false
		}
		if len(t) > 2 && (root == "auth_policy" || root == "gate" || root == "wave") {
			e.fail(at, "Not in this version",
				"What a %s says of itself cannot be used in expressions in this version of Anthill: %s.%s stands alone.",
				root, root, name)
			return "", false
		}
		return root + "." + name, e.declared(root, root+".", name, at)
	case "oauth2_client", "account_policy", "result":
		e.fail(at, "Not in this version",
			"References to %s belong to the language, but this version of Anthill does not build them yet.", root)
		return "", false
	}
	e.fail(at, "Unknown reference", "There is nothing called %q to refer to.%s", root,
		didYouMean(root, []string{"var", "local", "data", "group", "tenant", "auth_policy", "gate", "wave", "each",
			"path"}))
	return "", false
}

// attrAt is the name of a traversal's step.
func attrAt(t hcl.Traversal, i int) (string, bool) {
	if len(t) <= i {
		return "", false
	}
	a, ok := t[i].(hcl.TraverseAttr)
	return a.Name, ok
}

func (e *evaluator) checkEach(t hcl.Traversal, sc scope) bool {
	if sc.each == cty.NilVal {
		e.fail(t.SourceRange(), "Invalid reference", "each is known only in a block that has for_each.")
		return false
	}
	if name, ok := attrAt(t, 1); !ok || (name != "key" && name != "value") {
		e.fail(t.SourceRange(), "Invalid reference", "each has key and value: each.key, each.value.")
		return false
	}
	return true
}

func (e *evaluator) checkUser(t hcl.Traversal, sc scope) bool {
	if !sc.user {
		e.fail(t.SourceRange(), "Invalid reference", "user is known only in the templates of the identity block.")
		return false
	}
	if len(t) < 2 {
		return true
	}
	if name, ok := attrAt(t, 1); !ok || userAttrs()[name] == nil {
		e.fail(t.SourceRange(), "Unknown attribute", "user has no attribute %q, only %s.%s", name, attrList(),
			didYouMean(name, slices.Collect(maps.Keys(userAttrs()))))
		return false
	}
	return true
}

func (e *evaluator) resolveData(t hcl.Traversal) (string, bool) {
	kind, ok := attrAt(t, 1)
	name, named := attrAt(t, 2)
	switch {
	case ok && (kind == "group" || kind == "users"):
		e.fail(t.SourceRange(), "Not in this version",
			"References to data.%s belong to the language, but this version of Anthill does not build them yet.", kind)
		return "", false
	case !ok || kind != "tenants" || !named:
		e.fail(t.SourceRange(), "Invalid reference", "A reference to data has two names: data.tenants.NAME.")
		return "", false
	}
	return "data.tenants." + name, e.declared("data", "data.tenants.", name, t.SourceRange())
}

// declared says whether prefix+name exists, and what was probably meant if not.
func (e *evaluator) declared(root, prefix, name string, at hcl.Range) bool {
	if _, ok := e.m.place(prefix + name); ok {
		return true
	}
	var names []string
	for _, n := range e.m.names(prefix) {
		names = append(names, strings.TrimPrefix(n, prefix))
	}
	hint := ""
	if n := Nearest(name, names); n != "" {
		where, _ := e.m.place(prefix + n)
		hint = fmt.Sprintf(" Did you mean %s%s (%s)?", prefix, n, place(where))
	}
	what := map[string]string{"var": "variable", "local": "local value", "data": "data tenants"}[root]
	if what == "" {
		what = root
	}
	e.fail(at, "Reference to undeclared "+what, "There is no %s %q in this configuration.%s", what, name, hint)
	return false
}

// place says where an address is declared.
func (m *Module) place(address string) (hcl.Range, bool) {
	if name, ok := strings.CutPrefix(address, "local."); ok {
		if a := m.local[name]; a != nil {
			return a.NameRange, true
		}
		return hcl.Range{}, false
	}
	if n := m.index[address]; n != nil {
		return n.at, true
	}
	return hcl.Range{}, false
}

// names are all declared addresses with a prefix, sorted.
func (m *Module) names(prefix string) (names []string) {
	for a := range m.index {
		if strings.HasPrefix(a, prefix) {
			names = append(names, a)
		}
	}
	for n := range m.local {
		if strings.HasPrefix("local."+n, prefix) {
			names = append(names, "local."+n)
		}
	}
	slices.Sort(names)
	return names
}

// lookup returns the value of what resolve found.
func (e *evaluator) lookup(key string, t hcl.Traversal, sc scope) (cty.Value, bool) {
	switch key {
	case rootEach:
		return sc.each, true
	case rootUser:
		return cty.UnknownVal(userType()), true
	case "path.root":
		// Paths are relative to the configuration, so that a plan does not depend on where a checkout lies.
		return cty.StringVal("."), true
	}
	if r, ok := e.done[key]; ok {
		return r.val, r.ok
	}
	if i := slices.Index(e.stack, key); i >= 0 {
		e.fail(t.SourceRange(), "Reference cycle",
			"These values depend on each other, so none of them can be worked out: %s.",
			strings.Join(append(slices.Clone(e.stack[i:]), key), " -> "))
		return cty.NilVal, false
	}
	e.stack = append(e.stack, key)
	v, ok := e.compute(key)
	e.stack = e.stack[:len(e.stack)-1]
	e.done[key] = result{v, ok}
	return v, ok
}

func (e *evaluator) compute(key string) (cty.Value, bool) {
	root, name, _ := strings.Cut(key, ".")
	switch root {
	case "var":
		if why, lacks := e.m.lacks[name]; lacks {
			e.lacking = true
			e.diags = append(e.diags, why)
		}
		v, ok := e.m.vars[name]
		return v, ok
	case "local":
		v, ok := e.value(e.m.local[name].Expr, scope{})
		e.meter.keep(0)
		return v, ok
	case "data":
		return e.dataTenants(e.m.index[key])
	case "group":
		return e.groupValue(e.m.index[key])
	case "tenant":
		return e.tenantValue(e.m.index[key])
	}
	return referenceTo(root, name), true
}

func userType() cty.Type {
	attrs := map[string]cty.Type{}
	for name := range userAttrs() {
		attrs[name] = cty.String
	}
	return cty.Object(attrs)
}

// reference is the value of an expression like wave.pilot.
type reference struct{ blockType, name string }

func (r reference) String() string { return r.blockType + "." + r.name }

var referenceType = cty.Capsule("reference to a block", reflectReference())

func referenceTo(blockType, name string) cty.Value {
	return cty.CapsuleVal(referenceType, &reference{blockType, name})
}

// references finds the references of an expression that must be known without data: `wave.a`, `[wave.a, wave.b]`, and
// in JSON "wave.a" as well as "${wave.a}".
func (e *evaluator) references(expr hcl.Expression, want string, list bool) (names []string, ok bool) {
	val, ok := e.referenceValue(expr, list)
	if !ok {
		return nil, false
	}
	items := []cty.Value{val}
	if !val.IsWhollyKnown() {
		e.fail(expr.Range(), "Value not known",
			"References must be known before anything is read, and these depend on data.")
		return nil, false
	}
	if list {
		if val.IsNull() {
			return nil, true
		}
		if !val.CanIterateElements() {
			e.fail(expr.Range(), "Invalid value", "A list of references is needed, like [%s.NAME], not %s.", want,
				describe(val))
			return nil, false
		}
		items = val.AsValueSlice()
	}
	for _, v := range items {
		if v.IsNull() || v.Type() != referenceType {
			e.fail(expr.Range(), "Invalid value", "A reference like %s.NAME is needed, not %s.", want, describe(v))
			return nil, false
		}
		r := v.EncapsulatedValue().(*reference)
		if r.blockType != want {
			e.fail(expr.Range(), "Invalid value", "A reference like %s.NAME is needed, not %s.", want, r)
			return nil, false
		}
		names = append(names, r.name)
	}
	slices.Sort(names)
	return slices.Compact(names), true
}

// referenceValue evaluates an expression of references. In JSON a text may be one.
func (e *evaluator) referenceValue(expr hcl.Expression, list bool) (cty.Value, bool) {
	if _, native := expr.(hclsyntax.Expression); native {
		return e.value(expr, scope{})
	}
	if list {
		items, diags := hcl.ExprList(expr)
		if diags.HasErrors() {
			return e.value(expr, scope{})
		}
		vals := make([]cty.Value, len(items))
		for i, item := range items {
			v, ok := e.referenceValue(item, false)
			if !ok {
				return cty.NilVal, false
			}
			vals[i] = v
		}
		return cty.TupleVal(vals), true
	}
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() {
		return e.value(expr, scope{})
	}
	ctx, ok := e.context([]hcl.Traversal{t}, scope{})
	if !ok {
		return cty.NilVal, false
	}
	v, diags := t.TraverseAbs(ctx)
	e.diags = append(e.diags, diags...)
	return v, !diags.HasErrors()
}
