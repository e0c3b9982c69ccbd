package report

import (
	"io"
	"strings"

	"anthill/internal/regex"
)

// Section is a section of a document: its title and its text, in the little of Markdown that docs/ has.
type Section struct{ Title, Text string }

// Sections parts a document at its titles of the second level; what stands before the first of them is left out.
func Sections(document string) (list []Section) {
	parts := strings.Split("\n"+document, "\n## ")
	for _, part := range parts[1:] {
		title, text, _ := strings.Cut(part, "\n")
		list = append(list, Section{strings.TrimSpace(title), strings.TrimSpace(text)})
	}
	return list
}

var strong = regex.Lazy(`\*\*([^*]+)\*\*`)

// Explain writes a section for a terminal: its paragraphs and list items wrapped.
func Explain(w io.Writer, s Section, o Options) error {
	p := newPage(w, o)
	p.line("%s", p.bold(s.Title))
	for block := range strings.SplitSeq(s.Text, "\n\n") {
		p.gap()
		for _, item := range items(block) {
			head, text := "  ", item
			if rest, listed := strings.CutPrefix(item, "- "); listed {
				head, text = "  - ", rest
			}
			p.hang(head, strong().ReplaceAllStringFunc(text, func(s string) string { return p.bold(strings.Trim(s, "*")) }))
		}
	}
	return p.flush()
}

// items are the items of a list, or the one paragraph, each on one line.
func items(block string) (list []string) {
	for line := range strings.SplitSeq(block, "\n") {
		if strings.HasPrefix(line, "- ") || len(list) == 0 {
			list = append(list, line)
			continue
		}
		list[len(list)-1] += " " + strings.TrimSpace(line)
	}
	return list
}

// ExplainList writes the titles of sections with the first sentence of each.
func ExplainList(w io.Writer, list []Section, o Options) error {
	p := newPage(w, o)
	width := 0
	for _, s := range list {
		width = max(width, cells(s.Title))
	}
	for _, s := range list {
		first, _, _ := strings.Cut(items(s.Text)[0], ". ")
		p.hang(padded(s.Title, width)+"  ", strings.TrimSuffix(first, ".")+".")
	}
	return p.flush()
}
