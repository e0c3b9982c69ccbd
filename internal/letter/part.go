package letter

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// part is a text as it stands, a field, or a choice between two lists of parts.
type part struct {
	at    int // in the source
	text  string
	field int        // noField: none
	when  *condition // nil: no choice
	then  []part
	other []part
}

const noField = -1

// condition is what a choice depends on.
type condition struct {
	op    string      // "": the field has a value; "eq": it is this one; "not", "and", "or": of others
	field int         // of "" and "eq"
	value string      // of "eq"
	of    []condition // of the others
}

func (c *condition) holds(values []string) bool {
	switch c.op {
	case "":
		return values[c.field] != ""
	case "eq":
		return values[c.field] == c.value
	case "not":
		return !c.of[0].holds(values)
	case "and":
		return !slices.ContainsFunc(c.of, func(c condition) bool { return !c.holds(values) })
	}
	return slices.ContainsFunc(c.of, func(c condition) bool { return c.holds(values) })
}

// fields are those that it asks for.
func (c *condition) fields() (list []int) {
	if len(c.of) == 0 {
		return []int{c.field}
	}
	for _, o := range c.of {
		list = append(list, o.fields()...)
	}
	return list
}

// sure are the fields that have a value where it is true, or where it is false.
func (c *condition) sure(is bool) (list []int) {
	switch {
	case (c.op == "" || c.op == "eq" && c.value != "") && is, c.op == "eq" && c.value == "" && !is:
		return []int{c.field}
	case c.op == "not":
		return c.of[0].sure(!is)
	case c.op == "and" && is, c.op == "or" && !is:
		for _, o := range c.of {
			list = append(list, o.sure(is)...)
		}
	}
	return list
}

// marks are what stands for fields while Markdown is read: words that the template does not hold. That of an address
// looks like one, so that it makes a link.
type marks struct {
	word string
	form *regexp.Regexp
}

func newMarks(source string) marks {
	word := "anthillfield"
	for strings.Contains(source, word) {
		word += "x"
	}
	return marks{word, regexp.MustCompile(`https:` + word + `a(\d+)z|` + word + `t(\d+)z`)}
}

func (m marks) of(field int) string {
	if fields[field].kind == asAddress {
		return fmt.Sprintf("https:%sa%dz", m.word, field)
	}
	return fmt.Sprintf("%st%dz", m.word, field)
}

// split tells of the texts and the fields in a text with marks, in order; of a text the field is noField.
func (m marks) split(s string, tell func(text string, field int)) {
	for s != "" {
		at := m.form.FindStringSubmatchIndex(s)
		if at == nil {
			tell(s, noField)
			return
		}
		if at[0] > 0 {
			tell(s[:at[0]], noField)
		}
		digits := s[max(at[2], at[4]):max(at[3], at[5])]
		field, err := strconv.Atoi(digits)
		if err != nil {
			panic("a mark without a field. This is a bug in Anthill")
		}
		tell("", field)
		s = s[at[1]:]
	}
}

// fill writes the parts that hold, with marks for fields. It says which field it needed and had no value for; noField:
// none.
func (m marks) fill(b *strings.Builder, parts []part, values []string) (missing int) {
	for _, p := range parts {
		switch {
		case p.when != nil:
			list := p.other
			if p.when.holds(values) {
				list = p.then
			}
			if missing := m.fill(b, list, values); missing != noField {
				return missing
			}
		case p.field == noField:
			b.WriteString(p.text)
		case values[p.field] == "":
			return p.field
		default:
			b.WriteString(m.of(p.field))
		}
	}
	return noField
}
