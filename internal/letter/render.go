package letter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/yuin/goldmark/ast"
)

// Letter is a template filled in.
type Letter struct {
	Subject string // on one line
	Text    string // plain, lines ended by \n; a paragraph is one line
	HTML    string // a whole document, which fetches nothing
}

// ErrNoSubject is that a template has no subject, and was given none.
var ErrNoSubject = errors.New("the letter has no subject")

// MissingError is that a template writes a field that has no value.
type MissingError struct{ Field string }

// Error names the field.
func (e *MissingError) Error() string {
	return "the letter writes ." + e.Field + ", which has no value"
}

// Render fills the template in.
//
// Errors: ErrNoSubject, *MissingError, or what is wrong with d. No error holds a value of d.
func (t *Template) Render(d Data) (Letter, error) {
	if t.subject == nil {
		return Letter{}, ErrNoSubject
	}
	values, err := d.values()
	if err != nil {
		return Letter{}, err
	}
	subject, err := t.fill(t.subject, values)
	if err != nil {
		return Letter{}, err
	}
	body, err := t.fill(t.body, values)
	if err != nil {
		return Letter{}, err
	}
	doc := readDocument(body, t.marks)
	if err := doc.walk(func(n ast.Node) error { return doc.allowed(n) }); err != nil {
		return Letter{}, err
	}
	var l Letter
	l.Subject = line(strings.Join(strings.Fields(replaced(t.marks, subject, values)), " "))
	if l.Text, err = asPlain(doc, values); err == nil {
		l.HTML, err = asHTML(doc, values, l.Subject)
	}
	return l, err
}

func (t *Template) fill(parts []part, values []string) (string, error) {
	var b strings.Builder
	if missing := t.marks.fill(&b, parts, values); missing != noField {
		return "", &MissingError{fields[missing].name}
	}
	return b.String(), nil
}

// replaced is a text with values for marks.
func replaced(m marks, text string, values []string) string {
	var b strings.Builder
	m.split(text, func(text string, field int) {
		if field != noField {
			text = values[field]
		}
		b.WriteString(text)
	})
	return b.String()
}

// unknown is a node that neither form knows how to write.
func unknown(n ast.Node) error {
	return fmt.Errorf("a letter cannot hold %s of Markdown. This is a bug in Anthill", n.Kind())
}
