package letter

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/yuin/goldmark/ast"
)

// plainText writes a document as people read it without any signs of Markdown.
type plainText struct {
	*document
	values []string
	err    error
}

func asPlain(d *document, values []string) (string, error) {
	p := &plainText{document: d, values: values}
	lines := p.blocks(d.root, false)
	return strings.Join(lines, "\n") + "\n", p.err
}

// blocks are the lines of what a node holds, with a blank line between two unless they stand close.
func (p *plainText) blocks(parent ast.Node, close bool) (lines []string) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		add := p.block(n)
		if len(lines) > 0 && len(add) > 0 && !close {
			lines = append(lines, "")
		}
		lines = append(lines, add...)
	}
	return lines
}

func (p *plainText) block(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock, *ast.Heading:
		return strings.Split(p.inline(n), "\n")
	case *ast.ThematicBreak:
		return []string{"----"}
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return indent("    ", "    ", strings.Split(strings.TrimRight(replaced(p.marks, p.code(n), p.values), "\n"), "\n"))
	case *ast.Blockquote:
		return indent("> ", "> ", p.blocks(n, false))
	case *ast.List:
		return p.list(n)
	case *ast.LinkReferenceDefinition:
		return nil
	}
	p.err = unknown(n)
	return nil
}

func (p *plainText) list(l *ast.List) (lines []string) {
	number := l.Start
	for n := l.FirstChild(); n != nil; n = n.NextSibling() {
		sign := "- "
		if l.IsOrdered() {
			sign = fmt.Sprintf("%d. ", number)
			number++
		}
		if len(lines) > 0 && !l.IsTight {
			lines = append(lines, "")
		}
		lines = append(lines, indent(sign, strings.Repeat(" ", len(sign)), p.blocks(n, l.IsTight))...)
	}
	return lines
}

// indent puts one text before the first line and another before the others; blank lines stay empty.
func indent(first, others string, lines []string) []string {
	out := make([]string, len(lines))
	for i, s := range lines {
		before := others
		if i == 0 {
			before = first
		}
		out[i] = strings.TrimRight(before+s, " ")
	}
	return out
}

func (p *plainText) inline(parent ast.Node) string {
	var b strings.Builder
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			p.marks.split(p.literal(n), func(text string, field int) {
				if field != noField {
					text = isolated(p.values[field])
				}
				b.WriteString(text)
			})
			if n.HardLineBreak() {
				b.WriteString("\n")
			} else if n.SoftLineBreak() {
				b.WriteString(" ")
			}
		case *ast.CodeSpan:
			b.WriteString(replaced(p.marks, p.code(n), p.values))
		case *ast.Emphasis:
			b.WriteString(p.inline(n))
		case *ast.Link:
			to := p.address(n.Destination, p.values)
			if label := p.inline(n); label == to || "mailto:"+label == to {
				b.WriteString(label)
			} else {
				b.WriteString(label + " <" + to + ">")
			}
		case *ast.AutoLink:
			b.WriteString(replaced(p.marks, string(n.Label(p.source)), p.values))
		default:
			p.err = unknown(n)
		}
	}
	return b.String()
}

// isolated is a value that is read from right to left, between the signs that keep it from turning what stands around
// it.
func isolated(s string) string {
	if !turns(s) {
		return s
	}
	return "\u2068" + s + "\u2069"
}

// turns reports whether a text is, or holds, one that is read from right to left.
func turns(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.Arabic, unicode.Hebrew, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam)
	})
}
