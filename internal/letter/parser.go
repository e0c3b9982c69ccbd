package letter

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"

	"anthill/internal/regex"
)

// parser reads one source.
type parser struct{ name, source string }

// fail is an error at a byte of the source.
func (p *parser) fail(at int, reason string) error {
	before := p.source[:min(max(at, 0), len(p.source))]
	from := strings.LastIndexByte(before, '\n') + 1
	return &Error{
		Name: p.name, Line: 1 + strings.Count(before, "\n"),
		Column: 1 + utf8.RuneCountInString(before[from:]), Reason: reason,
	}
}

// The functions of text/template that conditions may use; what they do is condition's.
var operators = map[string]any{"eq": true, "not": true, "and": true, "or": true}

// parse reads the part of the source between two bytes.
func (p *parser) parse(from, to int) ([]part, error) {
	trees, err := parse.Parse("t", p.source[from:to], "", "", operators)
	if err != nil {
		return nil, p.unreadable(from, err)
	}
	root := trees["t"].Root
	for name, tree := range trees {
		if name != "t" {
			return nil, p.fail(from+int(tree.Root.Position()), "a template holds no other template")
		}
	}
	return p.list(from, root)
}

var (
	parseError = regex.Lazy(`^template: t:(\d+): `)
	unclosed   = regex.Lazy(`^template: t:\d+: unclosed action started at t:(\d+)`)
)

// unreadable gives the place to an error of text/template, which knows the line: that of the last {{ in it.
func (p *parser) unreadable(from int, err error) error {
	text, at := err.Error(), from
	m := parseError().FindStringSubmatch(text)
	if begun := unclosed().FindStringSubmatch(text); begun != nil {
		m, text = begun, begun[0]+"a {{ has no }}"
	}
	if m != nil {
		text = text[len(m[0]):]
		n, _ := strconv.Atoi(m[1])
		rest := p.source[from:]
		for range n - 1 {
			_, after, _ := strings.Cut(rest, "\n")
			at, rest = at+len(rest)-len(after), after
		}
		if line, _, _ := strings.Cut(rest, "\n"); strings.Contains(line, "{{") {
			at += strings.LastIndex(line, "{{")
		}
	}
	if strings.HasSuffix(text, "unexpected EOF") {
		text = "an {{if}} has no {{end}}"
	}
	return p.fail(at, text)
}

func (p *parser) list(from int, list *parse.ListNode) (parts []part, err error) {
	if list == nil {
		return nil, nil
	}
	for _, n := range list.Nodes {
		at := from + int(n.Position())
		if n.Type() != parse.NodeText {
			at = max(from, strings.LastIndex(p.source[:at], "{{"))
		}
		one := part{at: at, field: noField}
		switch n := n.(type) {
		case *parse.TextNode:
			one.text = string(n.Text)
		case *parse.ActionNode:
			one.field, err = p.output(from, n.Pipe)
		case *parse.IfNode:
			if one.when, err = p.condition(from, n.Pipe); err == nil {
				one.then, err = p.list(from, n.List)
			}
			if err == nil {
				one.other, err = p.list(from, n.ElseList)
			}
		default:
			err = p.fail(at, "a template knows {{.Field}}, {{if}}, {{else}} and {{end}} alone")
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, one)
	}
	return parts, nil
}

// output is the field that an action writes.
func (p *parser) output(from int, pipe *parse.PipeNode) (int, error) {
	at := from + int(pipe.Position())
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return noField, p.fail(at, "here stands one field and nothing else, as in {{.Name}}")
	}
	return p.field(from, pipe.Cmds[0].Args[0])
}

func (p *parser) field(from int, n parse.Node) (int, error) {
	at := from + int(n.Position())
	f, is := n.(*parse.FieldNode)
	if !is {
		return noField, p.fail(at, "a field begins with a point, as .Name does")
	}
	name := strings.Join(f.Ident, ".")
	if i := fieldNamed(name); i >= 0 {
		return i, nil
	}
	var known []string
	for _, f := range fields {
		known = append(known, f.name)
	}
	return noField, p.fail(at, "there is no field "+name+"; there are "+strings.Join(known, ", "))
}

// condition reads what follows {{if.
func (p *parser) condition(from int, pipe *parse.PipeNode) (*condition, error) {
	at := from + int(pipe.Position())
	if len(pipe.Decl) > 0 || len(pipe.Cmds) != 1 {
		return nil, p.fail(at, "a condition is a field, or eq, not, and, or of fields")
	}
	args := pipe.Cmds[0].Args
	op, is := args[0].(*parse.IdentifierNode)
	if !is {
		if len(args) != 1 {
			return nil, p.fail(at, "a condition is a field, or eq, not, and, or of fields")
		}
		return p.operand(from, args[0])
	}
	args = args[1:]
	c := &condition{op: op.Ident}
	switch {
	case op.Ident == "eq":
		return p.equal(from, at, args)
	case op.Ident == "not" && len(args) != 1, len(args) == 0:
		return nil, p.fail(at, op.Ident+" wants another number of fields")
	}
	for _, a := range args {
		o, err := p.operand(from, a)
		if err != nil {
			return nil, err
		}
		c.of = append(c.of, *o)
	}
	return c, nil
}

// operand is a field, or a condition in parentheses.
func (p *parser) operand(from int, n parse.Node) (*condition, error) {
	if pipe, is := n.(*parse.PipeNode); is {
		return p.condition(from, pipe)
	}
	field, err := p.field(from, n)
	return &condition{field: field}, err
}

// equal reads eq .Field "text".
func (p *parser) equal(from, at int, args []parse.Node) (*condition, error) {
	if len(args) == 2 {
		if text, is := args[1].(*parse.StringNode); is {
			field, err := p.field(from, args[0])
			if err == nil && fields[field].name == "Link" && !slices.Contains(links, text.Text) {
				err = p.fail(from+int(text.Position()), "a link is one of "+strings.Join(links, ", "))
			}
			return &condition{op: "eq", field: field, value: text.Text}, err
		}
	}
	return nil, p.fail(at, `eq wants a field and a text, as in {{if eq .Link "code"}}`)
}

// parseSubject reads a subject.
func (p *parser) parseSubject(from, to int) ([]part, error) {
	if strings.TrimSpace(p.source[from:to]) == "" {
		return nil, p.fail(from, "the subject is empty")
	}
	parts, err := p.parse(from, to)
	each(parts, nil, func(one part, _ []int) {
		if err == nil && one.when == nil && one.field != noField && fields[one.field].kind == asSecret {
			err = p.fail(one.at, "a one-time code does not belong in a subject, which is shown on locked screens")
		}
	})
	return parts, err
}

// check refuses what no letter may hold, in every branch of a template.
func (p *parser) check(t *Template) error {
	var whole strings.Builder
	var places []place
	each(t.body, nil, func(one part, _ []int) {
		switch {
		case one.when != nil:
		case one.field != noField:
			places = append(places, place{whole.Len(), one.at})
			whole.WriteString(t.marks.of(one.field))
		default:
			places = append(places, place{whole.Len(), one.at})
			whole.WriteString(one.text)
		}
	})
	d := readDocument(whole.String(), t.marks)
	err := d.walk(func(n ast.Node) error { return d.allowed(n) })
	var wrong *nodeError
	if !errors.As(err, &wrong) {
		return err
	}
	at := 0
	for _, one := range places {
		if one.there <= wrong.at {
			at = one.here + wrong.at - one.there
		}
	}
	return p.fail(at, wrong.reason)
}

// place is where a part stands in the text of all branches, and in the source.
type place struct{ there, here int }
