package letter

import (
	"fmt"
	"html"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// webPage writes a document as HTML that fetches nothing and runs nothing.
type webPage struct {
	*document
	values []string
	b      strings.Builder
	err    error
}

const pageHead = `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>%s</title>
</head>
<body style="font: 16px/1.5 system-ui, sans-serif; max-width: 36em; margin: 0 auto; overflow-wrap: anywhere; padding: 1em">
`

const pageTail = "</body>\n</html>\n"

func asHTML(d *document, values []string, title string) (string, error) {
	w := &webPage{document: d, values: values}
	fmt.Fprintf(&w.b, pageHead, html.EscapeString(title))
	w.blocks(d.root)
	w.b.WriteString(pageTail)
	return w.b.String(), w.err
}

func (w *webPage) blocks(parent ast.Node) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		w.block(n)
	}
}

func (w *webPage) block(n ast.Node) {
	switch n := n.(type) {
	case *ast.Paragraph:
		w.around("<p>", n, "</p>\n")
	case *ast.TextBlock:
		w.inline(n, false)
		if n.NextSibling() != nil {
			w.b.WriteString("\n")
		}
	case *ast.Heading:
		w.around(fmt.Sprintf("<h%d>", n.Level), n, fmt.Sprintf("</h%d>\n", n.Level))
	case *ast.ThematicBreak:
		w.b.WriteString("<hr>\n")
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		w.b.WriteString("<pre><code>" + html.EscapeString(replaced(w.marks, w.code(n), w.values)) + "</code></pre>\n")
	case *ast.Blockquote:
		w.b.WriteString("<blockquote>\n")
		w.blocks(n)
		w.b.WriteString("</blockquote>\n")
	case *ast.List:
		w.list(n)
	case *ast.LinkReferenceDefinition:
	default:
		w.err = unknown(n)
	}
}

func (w *webPage) list(l *ast.List) {
	open, end := "<ul>\n", "</ul>\n"
	if l.IsOrdered() {
		open, end = "<ol>\n", "</ol>\n"
		if l.Start != 1 {
			open = fmt.Sprintf("<ol start=\"%d\">\n", l.Start)
		}
	}
	w.b.WriteString(open)
	for n := l.FirstChild(); n != nil; n = n.NextSibling() {
		w.b.WriteString("<li>")
		w.blocks(n)
		w.b.WriteString("</li>\n")
	}
	w.b.WriteString(end)
}

func (w *webPage) around(open string, n ast.Node, end string) {
	w.b.WriteString(open)
	w.inline(n, false)
	w.b.WriteString(end)
}

func (w *webPage) inline(parent ast.Node, linked bool) {
	for n := parent.FirstChild(); n != nil; n = n.NextSibling() {
		switch n := n.(type) {
		case *ast.Text:
			w.text(w.literal(n), linked)
			if n.HardLineBreak() {
				w.b.WriteString("<br>\n")
			} else if n.SoftLineBreak() {
				w.b.WriteString("\n")
			}
		case *ast.CodeSpan:
			w.b.WriteString("<code>" + html.EscapeString(replaced(w.marks, w.code(n), w.values)) + "</code>")
		case *ast.Emphasis:
			tag := map[int]string{1: "em", 2: "strong"}[n.Level]
			w.b.WriteString("<" + tag + ">")
			w.inline(n, linked)
			w.b.WriteString("</" + tag + ">")
		case *ast.Link:
			w.link(w.address(n.Destination, w.values), func() { w.inline(n, true) })
		case *ast.AutoLink:
			to := w.address(n.URL(w.source), w.values)
			if n.AutoLinkType == ast.AutoLinkEmail {
				to = "mailto:" + to
			}
			w.link(to, func() { w.text(string(n.Label(w.source)), true) })
		default:
			w.err = unknown(n)
		}
	}
}

func (w *webPage) link(to string, label func()) {
	w.b.WriteString(`<a href="` + html.EscapeString(to) + `">`)
	label()
	w.b.WriteString("</a>")
}

// text writes a text with values for marks. Where it is no link already, a value that leads somewhere becomes one.
func (w *webPage) text(s string, linked bool) {
	w.marks.split(s, func(text string, field int) {
		if field == noField {
			w.b.WriteString(html.EscapeString(text))
			return
		}
		value := w.values[field]
		shown := html.EscapeString(value)
		if turns(value) {
			shown = "<bdi>" + shown + "</bdi>"
		}
		if to := linkOf(fields[field].kind, value); to != "" && !linked {
			w.link(to, func() { w.b.WriteString(shown) })
		} else {
			w.b.WriteString(shown)
		}
	})
}
