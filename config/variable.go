package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// setVariables gives every variable its value: from the command line, else from the files (the later ones first), else
// the default. No diagnostic quotes a value.
func (m *Module) setVariables(vars Vars) (diags hcl.Diagnostics) {
	fromFiles, diags := m.variableFiles(vars.Files)
	for _, name := range slices.Sorted(maps.Keys(vars.Values)) {
		if m.index["var."+name] == nil {
			diags = diags.Append(problem(hcl.Range{}, "Undeclared variable",
				"A value was given with -var for %q, but there is no such variable in this configuration.%s", name,
				didYouMean(name, m.variableNames())))
		}
	}
	for _, n := range m.all("variable") {
		diags = append(diags, m.setVariable(n, vars.Values, fromFiles[n.label])...)
	}
	return diags
}

func (m *Module) variableNames() (names []string) {
	for _, n := range m.all("variable") {
		names = append(names, n.label)
	}
	return names
}

// setVariable gives a variable its value: from the command line, else from a file, else its default.
func (m *Module) setVariable(n *node, values map[string]string, fromFile *hcl.Attribute) (diags hcl.Diagnostics) {
	want, diags := variableType(n)
	if diags.HasErrors() {
		return diags
	}
	if d := n.args["description"]; d != nil {
		if v, moreDiags := d.Expr.Value(nil); moreDiags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			diags = diags.Append(problem(d.Expr.Range(), "Invalid value",
				"The description of a variable is a literal text."))
		}
	}
	// The default is checked even where another value is given: it is wrong for the next person.
	def, moreDiags := variableValue(n.args["default"], want, "The default of the variable")
	diags = append(diags, moreDiags...)
	val := def
	switch raw, given := values[n.label]; {
	case given:
		val, moreDiags = commandLineValue(n, raw, want)
	case fromFile != nil:
		val, moreDiags = variableValue(fromFile, want, "The value of the variable")
	case n.args["default"] == nil:
		moreDiags = hcl.Diagnostics{problem(n.at, "Missing variable",
			"The variable %q has no default, so a value must be given:\n\n    -var %s=...", n.label, n.label)}
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
func variableValue(a *hcl.Attribute, want cty.Type, what string) (cty.Value, hcl.Diagnostics) {
	if a == nil {
		return cty.NilVal, nil
	}
	if refs := a.Expr.Variables(); len(refs) > 0 {
		return cty.NilVal, hcl.Diagnostics{problem(refs[0].SourceRange(), "Invalid reference",
			"%s must be a literal: it cannot refer to %s. Use a local value for what is worked out.", what,
			refs[0].RootName())}
	}
	v, diags := a.Expr.Value(&hcl.EvalContext{})
	if diags.HasErrors() {
		return cty.NilVal, diags
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

// commandLineValue reads the text of -var: as it is for a primitive type or none, as an expression for others.
func commandLineValue(n *node, raw string, want cty.Type) (cty.Value, hcl.Diagnostics) {
	const what = "The value given with -var for the variable"
	if want.IsPrimitiveType() || want == cty.DynamicPseudoType {
		v, diags := convertVariable(cty.StringVal(raw), want, n.at, what+" \""+n.label+"\"")
		return v, diags
	}
	expr, diags := hclsyntax.ParseExpression([]byte(raw), "-var", hcl.InitialPos)
	if checkSource([]byte(raw), hcl.Range{}) != nil || diags.HasErrors() || len(expr.Variables()) > 0 {
		return cty.NilVal, badCommandLine(n, want)
	}
	v, diags := expr.Value(&hcl.EvalContext{})
	if diags.HasErrors() {
		return cty.NilVal, badCommandLine(n, want)
	}
	return convertVariable(v, want, n.at, what+" \""+n.label+"\"")
}

func badCommandLine(n *node, want cty.Type) hcl.Diagnostics {
	return hcl.Diagnostics{problem(n.at, "Invalid value",
		"The value given with -var for the variable %q cannot be read as %s. Write it as in a file, in quotes for "+
			"the shell:\n\n    -var '%s=[\"one\", \"two\"]'", n.label, typeexpr.TypeString(want), n.label)}
}

// variableFiles reads files of name = value.
func (m *Module) variableFiles(paths []string) (values map[string]*hcl.Attribute, diags hcl.Diagnostics) {
	values = map[string]*hcl.Attribute{}
	for _, path := range paths {
		f, moreDiags := m.parse(path, path, strings.HasSuffix(path, ".json"))
		diags = append(diags, moreDiags...)
		if f == nil || moreDiags.HasErrors() {
			continue
		}
		attrs, moreDiags := variableAttributes(f)
		diags = append(diags, moreDiags...)
		for _, a := range attrs {
			if m.index["var."+a.Name] == nil {
				diags = diags.Append(problem(a.NameRange, "Undeclared variable",
					"There is no variable %q in this configuration.%s", a.Name, didYouMean(a.Name, m.variableNames())))
				continue
			}
			values[a.Name] = a
		}
	}
	return values, diags
}

func variableAttributes(f *hcl.File) (hcl.Attributes, hcl.Diagnostics) {
	if body, ok := f.Body.(*hclsyntax.Body); ok && len(body.Blocks) > 0 {
		return nil, hcl.Diagnostics{problem(body.Blocks[0].DefRange(), "Unexpected block",
			"A file of variables holds NAME = VALUE only.")}
	}
	return f.Body.JustAttributes()
}
