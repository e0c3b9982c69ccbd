package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// defaultName is identity's name where none is given.
const defaultName = "${user.tenant_slug}.${user.email_local}"

// source is an expression with the text that its ranges point into.
type source struct {
	expr hclsyntax.Expression
	text []byte
	bare bool // the text is the template itself, without quotes
}

// template reads an argument that is a template over user. The template stands alone: what it says about variables
// and locals is replaced by their values.
func (r reader) template(name string) Template {
	a := r.n.args[name]
	if a == nil {
		return r.parsed(name, r.n.spec.argument(name).Default)
	}
	src, ok := r.templateSource(name, a.Expr)
	if !ok {
		return Template{}
	}
	ctx, ok := r.e.context(src.expr.Variables(), scope{user: true})
	if !ok {
		return Template{}
	}
	for _, v := range ctx.Variables {
		if !v.IsWhollyKnown() && !v.Type().Equals(userType()) {
			// Depends on data that Validate has not.
			return Template{}
		}
	}
	if !usesUser(src.expr) {
		return r.constant(name, src.expr, ctx)
	}
	text, ok := r.fold(src, ctx)
	if !ok {
		return Template{}
	}
	t, err := ParseTemplate(text)
	if err != nil {
		r.wrong(name, "%s", err)
		return Template{}
	}
	same := sameTemplate(r.e.meter, t, src.expr, ctx)
	if r.e.meter.over != nil {
		r.e.diags = append(r.e.diags, r.e.meter.over)
		return Template{}
	}
	if !same {
		r.wrong(name, "what stands for its variables changes its meaning. This is a bug in Anthill; write the "+
			"values of the variables out")
	}
	return t
}

// parsed makes a template of a default, which is written as in a file.
func (r reader) parsed(name, text string) Template {
	t, err := ParseTemplate(strings.Trim(text, `"`))
	if err != nil {
		panic("config: default of " + name + ": " + err.Error())
	}
	return t
}

// templateSource finds the expression in native syntax. In JSON a text is a template.
func (r reader) templateSource(name string, expr hcl.Expression) (source, bool) {
	if native, ok := expr.(hclsyntax.Expression); ok {
		return source{expr: native, text: r.e.m.files[expr.Range().Filename].Bytes}, true
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		r.wrong(name, "a text is needed")
		return source{}, false
	}
	text := []byte(v.AsString())
	parsed, diags := hclsyntax.ParseTemplate(text, expr.Range().Filename, hcl.InitialPos)
	if diags.HasErrors() {
		r.wrong(name, "%s", diagText(diags))
		return source{}, false
	}
	return source{parsed, text, true}, true
}

func usesUser(expr hclsyntax.Expression) bool {
	return slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool { return t.RootName() == rootUser })
}

// constant makes a template that gives the same text for everybody.
func (r reader) constant(name string, expr hclsyntax.Expression, ctx *hcl.EvalContext) Template {
	v, diags := r.e.meter.evaluate(expr, ctx)
	if diags.HasErrors() {
		r.e.diags = append(r.e.diags, diags...)
		return Template{}
	}
	if v.IsNull() {
		return r.parsed(name, r.n.spec.argument(name).Default)
	}
	text, ok := asText(v)
	if !ok || text == "" {
		r.wrong(name, "a text is needed that is not empty")
		return Template{}
	}
	t, err := ParseTemplate(escapeText(text))
	if err != nil {
		r.wrong(name, "%s", err)
	}
	return t
}

// fold writes an expression as the source of a template that refers to nothing but user.
func (r reader) fold(src source, ctx *hcl.EvalContext) (string, bool) {
	if src.bare {
		return r.replaceRefs(src, ctx)
	}
	parts, ok := templateParts(src)
	if !ok {
		parts = []hclsyntax.Expression{src.expr}
	}
	// Texts are gathered and escaped as a whole: at the border of two of them a sign that must be escaped may come about.
	var b, text strings.Builder
	for _, p := range parts {
		if !usesUser(p) {
			v, diags := r.e.meter.evaluate(p, ctx)
			r.e.diags = append(r.e.diags, diags...)
			s, isText := asText(cleanValue(v, diags))
			if !isText && !diags.HasErrors() {
				r.e.fail(p.Range(), "Invalid template", "A part of the template is %s, and a text is needed.",
					describe(v))
			}
			if !isText {
				return "", false
			}
			text.WriteString(s)
			continue
		}
		b.WriteString(escapeText(text.String()))
		text.Reset()
		code, ok := r.replaceRefs(source{expr: p, text: src.text}, ctx)
		if !ok {
			return "", false
		}
		b.WriteString("${" + code + "}")
	}
	b.WriteString(escapeText(text.String()))
	return b.String(), true
}

// cleanValue is the value, or null where there was an error.
func cleanValue(v cty.Value, diags hcl.Diagnostics) cty.Value {
	if diags.HasErrors() {
		return cty.NullVal(cty.String)
	}
	return v
}

// templateParts are the texts and interpolations of a template; not ok for other expressions, and for templates with
// directives (%{ if }), whose parts do not stand alone.
func templateParts(src source) ([]hclsyntax.Expression, bool) {
	switch e := src.expr.(type) {
	case *hclsyntax.TemplateWrapExpr:
		return []hclsyntax.Expression{e.Wrapped}, true
	case *hclsyntax.TemplateExpr:
		for _, p := range e.Parts {
			if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal &&
				bytes.HasPrefix(p.Range().SliceBytes(src.text), []byte("%{")) {
				return nil, false
			}
		}
		return e.Parts, true
	}
	return nil, false
}

// replaceRefs is the source of an expression with values in place of all references but those to user.
func (r reader) replaceRefs(src source, ctx *hcl.EvalContext) (string, bool) {
	// The rest of the source stays as it was written, so that the template in a plan is the one that people know.
	refs := src.expr.Variables()
	slices.SortFunc(refs, func(a, b hcl.Traversal) int { return compareRange(a.SourceRange(), b.SourceRange()) })
	whole := src.expr.Range()
	var b strings.Builder
	from := whole.Start.Byte
	for _, t := range refs {
		if t.RootName() == rootUser {
			continue
		}
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			r.e.diags = append(r.e.diags, diags...)
			return "", false
		}
		at := t.SourceRange()
		b.Write(src.text[from:at.Start.Byte])
		b.WriteString(literal(v))
		from = at.End.Byte
	}
	b.Write(src.text[from:whole.End.Byte])
	return b.String(), true
}

// literal writes a value as an expression.
func literal(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	var items []string
	switch t := v.Type(); {
	case t.IsPrimitiveType():
		return string(hclwrite.TokensForValue(v).Bytes())
	case t.IsObjectType(), t.IsMapType():
		for it := v.ElementIterator(); it.Next(); {
			k, item := it.Element()
			items = append(items, literal(k)+" = "+literal(item))
		}
		body := "({" + strings.Join(items, ", ") + "})"
		if t.IsMapType() {
			return "tomap" + body
		}
		return body
	default:
		for it := v.ElementIterator(); it.Next(); {
			_, item := it.Element()
			items = append(items, literal(item))
		}
		body := "[" + strings.Join(items, ", ") + "]"
		switch {
		case t.IsSetType():
			return "toset(" + body + ")"
		case t.IsListType():
			return "tolist(" + body + ")"
		}
		return body
	}
}

// escapeText writes a text so that a template parser reads exactly it. A run of dollars (or percent signs) is written
// as a quoted text of its own where an opening brace, or whatever part comes next, could make it an opening.
func escapeText(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c != '$' && c != '%' {
			b.WriteByte(c)
			i++
			continue
		}
		end := i
		for end < len(s) && (s[end] == '$' || s[end] == '%') {
			end++
		}
		if end == len(s) || s[end] == '{' {
			fmt.Fprintf(&b, "${%q}", s[i:end])
		} else {
			b.WriteString(s[i:end])
		}
		i = end
	}
	return b.String()
}

// sameTemplate compares a template with the expression that it was made from, for a user unlike any real one.
func sameTemplate(m *meter, t Template, expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	sample := UserVars{
		TenantSlug: "Sample-Tenant",
		Email:      "Some.One@sample.example",
		EmailLocal: "Some.One",
		FullName:   "Some \u00d6ne",
		Role:       "manager",
		UserID:     uuid.UUID{0x01, 0x90, 0xa1, 0xb2},
	}
	attrs := map[string]cty.Value{}
	for name, read := range userAttrs() {
		attrs[name] = cty.StringVal(read(&sample))
	}
	vars := map[string]cty.Value{}
	for name, v := range ctx.Variables {
		vars[name] = v
	}
	vars[rootUser] = cty.ObjectVal(attrs)
	v, diags := m.evaluate(expr, &hcl.EvalContext{Variables: vars, Functions: ctx.Functions})
	want, ok := asText(cleanValue(v, diags))
	got, err := t.Render(sample)
	return ok == (err == nil) && (!ok || got == want)
}
