package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Template makes a string from a user. The zero Template makes none. A Template is immutable and may be used from
// several goroutines at once.
type Template struct {
	render func(UserVars) (string, error)
	source string
}

// Render returns the text for one user. The error says where in the template something failed, never with which
// values: those are personal data. It panics on the zero Template.
func (t Template) Render(v UserVars) (string, error) { return t.render(v) }

// IsZero reports whether t is the zero Template.
func (t Template) IsZero() bool { return t.render == nil }

// Source is the text from which ParseTemplate makes the same template, in HCL's template syntax without quotes. It
// stands alone: it refers to nothing but user.
func (t Template) Source() string { return t.source }

// ParseTemplate makes a template from its Source; the zero Template from "".
//
// The source may refer to user.tenant_slug, email, email_local, full_name, role and user_id, and may call the functions
// of the language. A template of only text and plain references is rendered without evaluating any expression, which
// matters because it happens once for every user.
func ParseTemplate(source string) (Template, error) {
	if source == "" {
		return Template{}, nil
	}
	// A plan that somebody has made up may hold any text.
	if d := checkDepth([]byte(source), hcl.Range{Filename: "template", Start: hcl.InitialPos}, hclsyntax.LexTemplate); d != nil {
		return Template{}, fmt.Errorf("parse template: %s", d.Detail)
	}
	expr, diags := hclsyntax.ParseTemplate([]byte(source), "template", hcl.InitialPos)
	if diags.HasErrors() {
		return Template{}, fmt.Errorf("parse template: %s", diagText(diags))
	}
	if err := checkUserRefs(expr); err != nil {
		return Template{}, fmt.Errorf("check template: %w", err)
	}
	// Nearly all templates are of this sort, and evaluating an expression costs some hundred times as much.
	if parts, ok := plainParts(nil, expr); ok {
		return Template{render: joinParts(mergeParts(parts)), source: source}, nil
	}
	if err := checkTemplateType(expr); err != nil {
		return Template{}, fmt.Errorf("check template: %w", err)
	}
	return Template{render: evaluateFor(expr), source: source}, nil
}

// userAttrs are the attributes of user, each with how it is read.
func userAttrs() map[string]func(*UserVars) string {
	return map[string]func(*UserVars) string{
		"tenant_slug": func(v *UserVars) string { return v.TenantSlug },
		"email":       func(v *UserVars) string { return v.Email },
		"email_local": func(v *UserVars) string { return v.EmailLocal },
		"full_name":   func(v *UserVars) string { return v.FullName },
		"role":        func(v *UserVars) string { return v.Role },
		"user_id":     func(v *UserVars) string { return v.UserID.String() },
	}
}

// templatePart is either text or the value of an attribute.
type templatePart struct {
	text string
	attr func(*UserVars) string // nil: text
}

// plainParts appends the parts of an expression that is made of text and references to user alone.
func plainParts(parts []templatePart, expr hclsyntax.Expression) ([]templatePart, bool) {
	switch e := expr.(type) {
	case *hclsyntax.TemplateExpr:
		for _, p := range e.Parts {
			var ok bool
			if parts, ok = plainParts(parts, p); !ok {
				return nil, false
			}
		}
		return parts, true
	case *hclsyntax.TemplateWrapExpr:
		return plainParts(parts, e.Wrapped)
	case *hclsyntax.ParenthesesExpr:
		return plainParts(parts, e.Expression)
	case *hclsyntax.LiteralValueExpr:
		text, ok := asText(e.Val)
		return append(parts, templatePart{text: text}), ok
	case *hclsyntax.ScopeTraversalExpr:
		name, ok := userAttr(e.Traversal)
		if !ok {
			return nil, false
		}
		read, ok := userAttrs()[name]
		return append(parts, templatePart{attr: read}), ok
	}
	return nil, false
}

// userAttr returns NAME of a traversal that is exactly user.NAME.
func userAttr(t hcl.Traversal) (string, bool) {
	if len(t) != 2 || t.RootName() != "user" {
		return "", false
	}
	attr, ok := t[1].(hcl.TraverseAttr)
	return attr.Name, ok
}

// mergeParts makes neighbouring texts one and drops empty ones.
func mergeParts(parts []templatePart) []templatePart {
	var merged []templatePart
	for _, p := range parts {
		switch n := len(merged); {
		case p.attr == nil && p.text == "":
		case p.attr == nil && n > 0 && merged[n-1].attr == nil:
			merged[n-1].text += p.text
		default:
			merged = append(merged, p)
		}
	}
	return merged
}

func joinParts(parts []templatePart) func(UserVars) (string, error) {
	return func(v UserVars) (string, error) {
		var b strings.Builder
		for i := range parts {
			if read := parts[i].attr; read != nil {
				b.WriteString(read(&v))
			} else {
				b.WriteString(parts[i].text)
			}
		}
		// As evaluation would: every string of cty is normalised (NFC).
		return cty.NormalizeString(b.String()), nil
	}
}

func evaluateFor(expr hclsyntax.Expression) func(UserVars) (string, error) {
	attrs := userAttrs()
	meters := sync.Pool{New: func() any { return newMeter(nil) }}
	return func(v UserVars) (string, error) {
		m := meters.Get().(*meter)
		defer meters.Put(m)
		m.again()
		user := make(map[string]cty.Value, len(attrs))
		for name, read := range attrs {
			user[name] = cty.StringVal(read(&v))
		}
		val, diags := m.evaluate(expr, templateContext(cty.ObjectVal(user)))
		if diags.HasErrors() {
			// Details quote values, and values are people's names and addresses.
			return "", fmt.Errorf("render template: %s", diagPlace(diags))
		}
		text, ok := asText(val)
		if !ok {
			return "", fmt.Errorf("render template: the result is no text")
		}
		return text, nil
	}
}

func templateContext(user cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: map[string]cty.Value{"user": user}, Functions: Functions()}
}

// asText converts a known, non-null primitive to its text.
func asText(v cty.Value) (string, bool) {
	v, _ = v.UnmarkDeep()
	s, err := convert.Convert(v, cty.String)
	if err != nil || s.IsNull() || !s.IsKnown() {
		return "", false
	}
	return s.AsString(), true
}

// checkUserRefs refuses references to anything but user's attributes, and unknown functions.
func checkUserRefs(expr hclsyntax.Expression) error {
	for _, t := range expr.Variables() {
		if t.RootName() != "user" {
			return fmt.Errorf("%q is not known in a template, only user and its attributes %s are", t.RootName(),
				attrList())
		}
		if len(t) < 2 {
			continue
		}
		if attr, ok := t[1].(hcl.TraverseAttr); ok && userAttrs()[attr.Name] == nil {
			return fmt.Errorf("user has no attribute %q, only %s", attr.Name, attrList())
		}
	}
	var unknown error
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && unknown == nil {
			if _, known := Functions()[call.Name]; !known {
				unknown = fmt.Errorf("there is no function %q", call.Name)
			}
		}
		return nil
	})
	return unknown
}

// checkTemplateType finds what cannot be a text for any user.
func checkTemplateType(expr hclsyntax.Expression) error {
	user := map[string]cty.Value{}
	for name := range userAttrs() {
		user[name] = cty.UnknownVal(cty.String).RefineNotNull()
	}
	val, diags := newMeter(nil).evaluate(expr, templateContext(cty.ObjectVal(user)))
	if diags.HasErrors() {
		return fmt.Errorf("%s", diagText(diags))
	}
	if _, err := convert.Convert(val, cty.String); err != nil || val.IsNull() {
		return fmt.Errorf("the result is %s, a text is needed", describe(val))
	}
	return nil
}

// attrList lists the attributes of user.
func attrList() string { return strings.Join(slices.Sorted(maps.Keys(userAttrs())), ", ") }

// diagText is the first error as one line.
func diagText(diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return strings.ReplaceAll(d.Summary+": "+d.Detail, "\n", " ")
		}
	}
	return "no error"
}

// diagPlace is the first error's summary and place.
func diagPlace(diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity == hcl.DiagError && d.Subject != nil {
			return fmt.Sprintf("%s at line %d, column %d", strings.ToLower(d.Summary), d.Subject.Start.Line,
				d.Subject.Start.Column)
		}
	}
	return diagText(diags)
}
