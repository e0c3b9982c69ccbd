package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Options are what a screen may look like.
type Options struct {
	Width    int    // columns; 0 = 100
	Color    bool   // colours are allowed
	Unicode  bool   // more than ASCII is allowed
	PlanFile string // where the plan is saved, seen from Chdir; "": nowhere
	Chdir    string // the directory that the command works in, for the commands that are told; "": the current one
}

const defaultWidth = 100

// page writes lines; the first error sticks.
type page struct {
	w *bufio.Writer
	o Options
}

func newPage(w io.Writer, o Options) *page {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	return &page{w: bufio.NewWriter(w), o: o}
}

func (p *page) line(format string, args ...any) {
	fmt.Fprintln(p.w, unbound(fmt.Sprintf(format, args...)))
}

func (p *page) gap() { p.line("") }

func (p *page) flush() error { return p.w.Flush() }

// dot separates parts of a line.
func (p *page) dot() string {
	if p.o.Unicode {
		return " · "
	}
	return " | "
}

// bound stands for a blank within a command, at which no line is broken: what is pasted must be whole. It cannot come
// from outside, as Escape takes it away.
const bound = "\x00"

func unbound(s string) string { return strings.ReplaceAll(s, bound, " ") }

// command writes a command to be pasted.
func (p *page) command(args ...string) string {
	return strings.ReplaceAll(Escape(Command(p.o, args...)), " ", bound)
}

// voice is how text speaks.
func (p *page) voice() *voice { return &voice{escape: Escape, command: p.command, ticks: "`"} }

// bold is for titles, and for words that must not be missed.
func (p *page) bold(s string) string { return p.paint(text.Bold, s) }

func (p *page) paint(c text.Color, s string) string {
	if !p.o.Color {
		return s
	}
	return c.EscapeSeq() + s + text.Reset.EscapeSeq()
}

// para writes text indented by two columns and wrapped at blanks.
func (p *page) para(s string) { p.hang("  ", s) }

// hang writes a line that begins with a head, its text wrapped behind it.
func (p *page) hang(head, s string) {
	width := cells(head)
	for i, l := range wrap(s, max(p.o.Width-width, 30)) {
		if i > 0 {
			head = strings.Repeat(" ", width)
		}
		p.line("%s", strings.TrimRight(unbound(head+l), " "))
	}
}

// wrap breaks at blanks and keeps line breaks.
func wrap(s string, width int) (lines []string) {
	for part := range strings.SplitSeq(s, "\n") {
		line := ""
		for word := range strings.FieldsSeq(part) {
			if line != "" && cells(line)+1+cells(word) > width {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

func cells(s string) int { return text.StringWidthWithoutEscSequences(unbound(s)) }

// table writes rows in columns, two blanks between them; those marked are aligned to the right.
func (p *page) table(indent int, right []bool, rows [][]string) {
	widths := widthsOf(rows)
	for _, r := range rows {
		line := strings.Repeat(" ", indent)
		for i, c := range r {
			pad := strings.Repeat(" ", widths[i]-cells(c))
			switch {
			case i < len(right) && right[i]:
				line += pad + c
			case i == len(r)-1:
				line += c
			default:
				line += c + pad
			}
			if i < len(r)-1 {
				line += "  "
			}
		}
		p.line("%s", strings.TrimRight(line, " "))
	}
}

// widthsOf are the widths of a table's columns.
func widthsOf(rows [][]string) (widths []int) {
	// Cells are measured as a terminal shows them: colours have no width, and some signs have two columns.
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(c))
		}
	}
	return widths
}

// widthOf is the width of a table without what it is indented by.
func widthOf(rows [][]string) (width int) {
	for _, n := range widthsOf(rows) {
		width += n + 2
	}
	return width - 2
}
