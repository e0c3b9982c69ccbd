package letter

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxSource is how long a template may be, in bytes.
const MaxSource = 256 << 10

// Template is a letter with fields still to be filled in. It is never changed, and safe for concurrent use.
type Template struct {
	subject []part // nil: none
	body    []part
	marks   marks
}

// Error is what is wrong with a template.
type Error struct {
	Name         string
	Line, Column int // from 1; the column in characters
	Reason       string
}

// Error is name, place and reason.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Reason)
}

// Parse reads a template; the name is for errors. Where the first line begins with "Subject:", the rest of that line
// is the subject, and the letter begins behind it.
//
// The error is an *Error.
func Parse(name string, source []byte) (*Template, error) {
	p := &parser{name: name, source: string(source)}
	switch {
	case len(source) > MaxSource:
		return nil, p.fail(0, "it is longer than 256 kB")
	case !utf8.Valid(source):
		return nil, p.fail(len(source)-len(validTail(source)), "it is not UTF-8")
	}
	if at := strings.IndexByte(p.source, 0); at >= 0 {
		return nil, p.fail(at, "it holds a NUL character")
	}
	p.source = lineEnds.Replace(p.source)
	t := &Template{marks: newMarks(p.source)}
	const bom = "\ufeff"
	begin := len(p.source) - len(strings.TrimPrefix(p.source, bom))
	if rest, has := strings.CutPrefix(p.source[begin:], "Subject:"); has {
		from := begin + len("Subject:")
		first, _, _ := strings.Cut(rest, "\n")
		begin = from + len(first)
		var err error
		if t.subject, err = p.parseSubject(from, begin); err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(p.source[begin:]) == "" {
		return nil, p.fail(begin, "there is no text in it")
	}
	var err error
	if t.body, err = p.parse(begin, len(p.source)); err != nil {
		return nil, err
	}
	return t, p.check(t)
}

// lineEnds makes one kind of what ends lines.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// validTail is what is left from the first byte on that is no UTF-8.
func validTail(b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n <= 1 {
			break
		}
		b = b[n:]
	}
	return b
}

// WithSubject is the template with another subject, which may hold fields too.
//
// The error is an *Error, with the name "subject".
func (t *Template) WithSubject(subject string) (*Template, error) {
	p := &parser{name: "subject", source: subject}
	noLine := func(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }
	if at := strings.IndexFunc(subject, noLine); at >= 0 {
		return nil, p.fail(at, "it is more than one line, or holds a control character")
	}
	parts, err := p.parseSubject(0, len(subject))
	if err != nil {
		return nil, err
	}
	out := *t
	out.subject = parts
	return &out, nil
}

// HasSubject reports whether there is a subject.
func (t *Template) HasSubject() bool { return t.subject != nil }

// Fields are the names of the fields that it writes or asks for, sorted.
func (t *Template) Fields() []string {
	var used []int
	each(slices.Concat(t.subject, t.body), nil, func(p part, _ []int) {
		if p.when != nil {
			used = append(used, p.when.fields()...)
		} else if p.field != noField {
			used = append(used, p.field)
		}
	})
	return names(used)
}

// Needs are the names of the fields that it writes without having asked whether they have a value, sorted. Rendering
// fails where one of them has none.
func (t *Template) Needs() []string {
	var needs []int
	each(slices.Concat(t.subject, t.body), nil, func(p part, sure []int) {
		if p.when == nil && p.field != noField && !slices.Contains(sure, p.field) {
			needs = append(needs, p.field)
		}
	})
	return names(needs)
}

func names(list []int) (names []string) {
	for _, i := range list {
		names = append(names, fields[i].name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// each tells of all parts, with the fields that surely have a value there.
func each(parts []part, sure []int, tell func(p part, sure []int)) {
	for _, p := range parts {
		tell(p, sure)
		if p.when != nil {
			each(p.then, slices.Concat(sure, p.when.sure(true)), tell)
			each(p.other, slices.Concat(sure, p.when.sure(false)), tell)
		}
	}
}
