package config

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// origin is where a variable has its value from: a text, or an argument of a file of variables.
type origin struct {
	text    *string
	what    string // of a text: "The value given with -var for the variable"
	arg     *hcl.Attribute
	unasked bool // it was not named on the line
}

// setVariables gives every variable its value: from the command line, where the last one counts, else from the files that
// are read of themselves, else from the environment, else its default. No diagnostic quotes a value.
func (m *Module) setVariables(dir string, vars Vars) (diags hcl.Diagnostics) {
	sources := map[string]origin{}
	for _, n := range m.all("variable") {
		if vars.Env == nil {
			break
		}
		if text := vars.Env(envPrefix + n.label); text != "" {
			sources[n.label] = origin{text: &text, what: "The value of " + envPrefix + n.label + " for the variable", unasked: true}
		}
	}
	// That the directory can be read was seen before.
	names, _ := filesOf(dir, autoSuffix, autoJSONSuffix)
	var broken *hcl.Diagnostic // a file that may have given a value to any variable
	for _, name := range names {
		whole, moreDiags := m.variableFile(filepath.Join(dir, name), name, true, sources)
		m.stray = append(m.stray, moreDiags...)
		if !whole && broken == nil {
			broken = moreDiags[0]
		}
	}
	for _, g := range vars.Given {
		switch {
		case g.File != "":
			_, moreDiags := m.variableFile(g.File, g.File, false, sources)
			diags = append(diags, moreDiags...)
		case m.index["var."+g.Name] == nil:
			diags = diags.Append(problem(hcl.Range{}, "Undeclared variable",
				"A value was given with -var for %s, but there is no such variable in this configuration.%s",
				shownName(g.Name, m.variableNames()), didYouMean(g.Name, m.variableNames())))
		default:
			sources[g.Name] = origin{text: &g.Value, what: "The value given with -var for the variable"}
		}
	}
	for _, n := range m.all("variable") {
		from := sources[n.label]
		diags = append(diags, m.setVariable(n, from)...)
		if asked := !from.unasked && (from.text != nil || from.arg != nil); broken != nil && !asked {
			m.lacks[n.label] = broken
			delete(m.vars, n.label)
		}
	}
	return diags
}

func (m *Module) variableNames() (names []string) {
	for _, n := range m.all("variable") {
		names = append(names, n.label)
	}
	return names
}

// setVariable gives a variable its value: from its origin, else its default. That there is none is reported where it is
// needed: a saved plan is carried out without.
func (m *Module) setVariable(n *node, from origin) (diags hcl.Diagnostics) {
	want, diags := variableType(n)
	if diags.HasErrors() {
		return diags
	}
	if d := n.args["description"]; d != nil {
		if v, moreDiags := m.meter.evaluate(d.Expr, nil); moreDiags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			diags = diags.Append(problem(d.Expr.Range(), "Invalid value",
				"The description of a variable is a literal text."))
		}
	}
	// The default is checked even where another value is given: it is wrong for the next person.
	def, moreDiags := m.variableValue(n.args["default"], want, "The default of the variable")
	diags = append(diags, moreDiags...)
	val := def
	switch {
	case from.text != nil:
		val, moreDiags = m.givenValue(n, from, want)
	case from.arg != nil:
		val, moreDiags = m.variableValue(from.arg, want, "The value of the variable")
	case n.args["default"] == nil:
		m.lacks[n.label] = problem(n.at, missingVariable,
			"The variable %q has no default, so a value must be given:\n\n    -var %s=...", n.label, n.label)
		return diags
	}
	if from.unasked && moreDiags.HasErrors() {
		m.lacks[n.label] = moreDiags[0]
		return diags
	}
	if diags = append(diags, moreDiags...); !diags.HasErrors() {
		m.vars[n.label] = val
	}
	return diags
}

// variableType is the type of a variable, any where none is declared. In the shorthand list, set and map stand for such
// of any one type.
func variableType(n *node) (cty.Type, hcl.Diagnostics) {
	a := n.args["type"]
	if a == nil {
		return cty.DynamicPseudoType, nil
	}
	switch hcl.ExprAsKeyword(a.Expr) {
	case "list":
		return cty.List(cty.DynamicPseudoType), nil
	case "set":
		return cty.Set(cty.DynamicPseudoType), nil
	case "map":
		return cty.Map(cty.DynamicPseudoType), nil
	}
	t, diags := typeexpr.TypeConstraint(a.Expr)
	if !diags.HasErrors() {
		return t, nil
	}
	return t, hcl.Diagnostics{problem(a.Expr.Range(), "Invalid type",
		"The type of the variable %q is none that the language knows: string, number, bool, any, or list(...), "+
			"set(...), map(...), object({...}), tuple([...]) of such.", n.label)}
}

// variableValue evaluates a literal for a variable; cty.NilVal without one.
func (m *Module) variableValue(a *hcl.Attribute, want cty.Type, what string) (cty.Value, hcl.Diagnostics) {
	if a == nil {
		return cty.NilVal, nil
	}
	// What it says instead is not quoted: it may be a secret that somebody forgot to quote.
	if refs := a.Expr.Variables(); len(refs) > 0 {
		return cty.NilVal, hcl.Diagnostics{problem(refs[0].SourceRange(), "Invalid reference",
			"%s must be a literal, a text in quotes: it cannot refer to anything. Use a local value for what is worked out.",
			what)}
	}
	v, diags := m.meter.evaluate(a.Expr, &hcl.EvalContext{})
	if m.meter.over != nil {
		return cty.NilVal, diags
	}
	m.meter.keep(0)
	if diags.HasErrors() {
		return cty.NilVal, hcl.Diagnostics{problem(a.Expr.Range(), "Invalid value", "%s must be a literal.", what)}
	}
	return convertVariable(v, want, a.Expr.Range(), what)
}

func convertVariable(v cty.Value, want cty.Type, at hcl.Range, what string) (cty.Value, hcl.Diagnostics) {
	c, err := convert.Convert(v, want)
	if err != nil {
		return cty.NilVal, hcl.Diagnostics{problem(at, "Invalid value",
			"%s is not of its type: it is %s, and %s is needed.", what, describe(v), typeexpr.TypeString(want))}
	}
	return c, nil
}

const missingVariable = "Missing variable"

// Missing says why variables have no value, and what else is wrong in what gives values without being asked for.
func (m *Module) Missing() hcl.Diagnostics {
	diags := slices.Clone(m.stray)
	for _, name := range slices.Sorted(maps.Keys(m.lacks)) {
		diags = append(diags, m.lacks[name])
	}
	return tidy(diags)
}

// isLacking reports whether a diagnostic only says that a variable has no value.
func (m *Module) isLacking(d *hcl.Diagnostic) bool {
	for _, lack := range m.lacks {
		if lack == d {
			return true
		}
	}
	return false
}

// givenValue reads a text: as it is for a primitive type or none, as an expression for others.
func (m *Module) givenValue(n *node, from origin, want cty.Type) (cty.Value, hcl.Diagnostics) {
	raw, what := *from.text, from.what
	if want.IsPrimitiveType() || want == cty.DynamicPseudoType {
		v, diags := convertVariable(cty.StringVal(raw), want, n.at, what+" \""+n.label+"\"")
		return v, diags
	}
	whole := hcl.Range{Filename: "-var", Start: hcl.InitialPos}
	if checkSource([]byte(raw), whole) != nil || checkDepth([]byte(raw), whole, hclsyntax.LexExpression) != nil {
		return cty.NilVal, badText(n, what, want)
	}
	expr, diags := hclsyntax.ParseExpression([]byte(raw), "-var", hcl.InitialPos)
	if diags.HasErrors() || len(expr.Variables()) > 0 {
		return cty.NilVal, badText(n, what, want)
	}
	v, diags := m.meter.evaluate(expr, &hcl.EvalContext{})
	m.meter.keep(0)
	if m.meter.over != nil {
		over := *m.meter.over
		over.Subject = &n.at
		return cty.NilVal, hcl.Diagnostics{&over}
	}
	if diags.HasErrors() {
		return cty.NilVal, badText(n, what, want)
	}
	return convertVariable(v, want, n.at, what+" \""+n.label+"\"")
}

func badText(n *node, what string, want cty.Type) hcl.Diagnostics {
	return hcl.Diagnostics{problem(n.at, "Invalid value",
		"%s %q cannot be read as %s. Write it as in a file, in quotes for the shell:\n\n    -var '%s=[\"one\", \"two\"]'",
		what, n.label, typeexpr.TypeString(want), n.label)}
}

// shownName is a name that was given on the line as diagnostics show it: only where it is like one that there is. Else it
// may be a part of a secret.
func shownName(got string, names []string) string {
	if Nearest(got, names) == "" {
		return "a name"
	}
	return strconv.Quote(got)
}

// variableFile reads a file of name = value, which is called name in diagnostics. whole is false where it could not be
// read to its end.
func (m *Module) variableFile(
	path, name string, unasked bool, sources map[string]origin,
) (whole bool, diags hcl.Diagnostics) {
	m.given[name] = true
	f, diags := m.parse(path, name, strings.HasSuffix(path, ".json"))
	if f == nil || diags.HasErrors() {
		return false, diags
	}
	attrs, diags := variableAttributes(f)
	if diags.HasErrors() {
		return false, diags
	}
	for _, a := range attrs {
		if m.index["var."+a.Name] == nil {
			diags = diags.Append(problem(a.NameRange, "Undeclared variable",
				"There is no variable %q in this configuration.%s", a.Name, didYouMean(a.Name, m.variableNames())))
			continue
		}
		sources[a.Name] = origin{arg: a, unasked: unasked}
	}
	return true, diags
}

// veiled are diagnostics about the syntax of a file of variables, without what the parser quotes of it.
func veiled(diags hcl.Diagnostics) (list hcl.Diagnostics) {
	for _, d := range diags {
		c := *d
		c.Detail = "Here the file of variables cannot be read: it holds NAME = VALUE, in JSON one object of them. What is " +
			"there is not shown."
		c.Expression, c.EvalContext = nil, nil
		list = append(list, &c)
	}
	return list
}

func variableAttributes(f *hcl.File) (hcl.Attributes, hcl.Diagnostics) {
	if body, ok := f.Body.(*hclsyntax.Body); ok && len(body.Blocks) > 0 {
		return nil, hcl.Diagnostics{problem(body.Blocks[0].DefRange(), "Unexpected block",
			"A file of variables holds NAME = VALUE only.")}
	}
	attrs, diags := f.Body.JustAttributes()
	return attrs, veiled(diags)
}
