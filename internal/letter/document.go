package letter

import (
	"bufio"
	"bytes"
	stdhtml "html"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"anthill/internal/regex"
)

// document is a text in Markdown, read. Fields are marks in it.
type document struct {
	source []byte
	root   ast.Node
	marks  marks
}

func readDocument(source string, m marks) *document {
	b := []byte(source)
	return &document{b, goldmark.DefaultParser().Parse(text.NewReader(b)), m}
}

// nodeError is what is wrong with a node, which begins at a byte of the document's source.
type nodeError struct {
	at     int
	reason string
}

// Error is the reason.
func (e *nodeError) Error() string { return e.reason }

// walk tells of all nodes, from the outside in.
func (d *document) walk(tell func(ast.Node) error) error {
	return ast.Walk(d.root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, tell(n)
	})
}

// allowed refuses a node that no letter may hold.
func (d *document) allowed(n ast.Node) error {
	switch n := n.(type) {
	case *ast.HTMLBlock, *ast.RawHTML:
		return d.wrong(n, "HTML in a template is not in this version; write Markdown, and \\< for the sign itself")
	case *ast.Image:
		return d.wrong(n, "a letter holds no image: fetching one would tell who reads it when")
	case *ast.Link:
		return d.leads(n, n.Destination)
	case *ast.AutoLink:
		if n.AutoLinkType == ast.AutoLinkURL {
			return d.leads(n, n.URL(d.source))
		}
	}
	return nil
}

// destination is how a link may begin; the mark of an address begins so.
var destination = regex.Lazy(`(?i)^(https?://[^/?#]|mailto:.)`)

// leads refuses a link that leads elsewhere than it should.
func (d *document) leads(n ast.Node, to []byte) (err error) {
	d.marks.split(string(to), func(_ string, field int) {
		if err != nil || field == noField || fields[field].kind == asAddress {
			return
		}
		err = d.wrong(n, "."+fields[field].name+" cannot be in a link's address; only .PageURL, .LoginURL, .RecoverURL and "+
			".GuideURL can")
	})
	first := d.marks.form.FindIndex(to)
	if err == nil && !destination().Match(to) && (first == nil || first[0] != 0) {
		err = d.wrong(n, "a link begins with https://, http:// or mailto:, or is one of the fields that end in URL")
	}
	return err
}

func (d *document) wrong(n ast.Node, reason string) error {
	at := n.Pos()
	for up := n; at < 0 && up != nil; up = up.Parent() {
		at = up.Pos()
	}
	return &nodeError{max(at, 0), reason}
}

// literal is a text node as it reads, without Markdown's escapes and entities.
func (d *document) literal(n *ast.Text) string {
	raw := n.Segment.Value(d.source)
	if n.IsRaw() {
		return string(raw)
	}
	return unescaped(raw)
}

func unescaped(raw []byte) string {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	html.DefaultWriter.Write(w, raw)
	_ = w.Flush() // into memory
	return stdhtml.UnescapeString(b.String())
}

// code is the text of a span or a block of code.
func (d *document) code(n ast.Node) string {
	var b strings.Builder
	if n.Type() == ast.TypeBlock {
		lines := n.Lines()
		for i := range lines.Len() {
			at := lines.At(i)
			b.Write(at.Value(d.source))
		}
		return b.String()
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, is := c.(*ast.Text); is {
			b.Write(t.Segment.Value(d.source))
		}
	}
	return strings.ReplaceAll(b.String(), "\n", " ")
}

// address is where a link leads, percent-encoded, with values for marks.
func (d *document) address(to []byte, values []string) string {
	var b strings.Builder
	d.marks.split(string(util.URLEscape(to, true)), func(text string, field int) {
		if field != noField {
			text = values[field]
		}
		b.WriteString(text)
	})
	return b.String()
}
