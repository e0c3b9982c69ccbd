package report

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
)

// Options are what a screen may look like.
type Options struct {
	Width    int    // columns; 0 = 100
	Color    bool   // colours are allowed
	Unicode  bool   // more than ASCII is allowed
	PlanFile string // where the plan is saved; "": nowhere
	Command  string // the command that shows this: "anthill plan"
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

func (p *page) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\n", args...) }

func (p *page) gap() { p.line("") }

func (p *page) flush() error { return p.w.Flush() }

// dot separates parts of a line.
func (p *page) dot() string {
	if p.o.Unicode {
		return " · "
	}
	return " | "
}

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
		if i == 0 {
			p.line("%s%s", head, l)
		} else {
			p.line("%s%s", strings.Repeat(" ", width), l)
		}
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

func cells(s string) int { return text.StringWidthWithoutEscSequences(s) }

// table writes rows in columns, two blanks between them; those marked are aligned to the right.
func (p *page) table(indent int, right []bool, rows [][]string) {
	p.tableWith(indent, right, rows, nil)
}

// tableWith is a table with lines under some of its rows.
func (p *page) tableWith(indent int, right []bool, rows [][]string, under map[int][]string) {
	var widths []int
	for _, r := range rows {
		for i, c := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], cells(c))
		}
	}
	for n, r := range rows {
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
		for _, text := range under[n] {
			p.hang(strings.Repeat(" ", indent+6), text)
		}
	}
}

// count writes a number with its thousands apart.
func count(n int64) string {
	s := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(s, "-")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n < 0 {
		return "-" + digits
	}
	return digits
}

// of counts things: "1 user", "2,000 users".
func of(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

func users(n int64) string { return of(n, "user", "users") }

func percent(part, whole int64) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Escape makes text from outside safe for a terminal: control characters, escape sequences and marks that turn the
// direction of writing are shown as \u escapes.
func Escape(s string) string {
	clean := strings.IndexFunc(s, hidden) < 0 && utf8.ValidString(s)
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hidden(r) && r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

func escapeAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = Escape(s)
	}
	return out
}
