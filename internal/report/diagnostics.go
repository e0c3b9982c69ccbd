package report

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics writes diagnostics with the lines of the files that they are about.
func Diagnostics(w io.Writer, diags hcl.Diagnostics, files map[string]*hcl.File, o Options) error {
	if len(diags) == 0 {
		return nil
	}
	p := newPage(w, o)
	clean := make(hcl.Diagnostics, len(diags))
	for i, d := range diags {
		c := *d
		c.Summary = Escape(c.Summary)
		c.Detail = unbroken(escapeLines(c.Detail))
		clean[i] = &c
	}
	var out bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&out, quotable(files), uint(p.o.Width), o.Color).WriteDiagnostics(clean); err != nil {
		return err
	}
	if _, err := p.w.WriteString(strings.ReplaceAll(out.String(), noBreak, " ")); err != nil {
		return err
	}
	return p.flush()
}

// noBreak is a blank at which hcl breaks no line.
const noBreak = "\u00a0"

// unbroken keeps what is to be pasted in one line: whatever is indented by four blanks.
func unbroken(detail string) string {
	lines := strings.Split(detail, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, "    ") {
			lines[i] = strings.ReplaceAll(l, " ", noBreak)
		}
	}
	return strings.Join(lines, "\n")
}

// quotable are files whose lines may be quoted on a terminal. What must not reach one is a question mark for each byte, so
// that places in the file stay where they are.
func quotable(files map[string]*hcl.File) map[string]*hcl.File {
	list := make(map[string]*hcl.File, len(files))
	for name, f := range files {
		one := *f
		one.Bytes = masked(f.Bytes)
		list[name] = &one
	}
	return list
}

func masked(source []byte) []byte {
	out := make([]byte, 0, len(source))
	for len(source) > 0 {
		r, n := utf8.DecodeRune(source)
		broken := r == utf8.RuneError && n == 1
		switch kept := r == '\n' || r == '\t' || r == '\r' && len(source) > 1 && source[1] == '\n'; {
		case kept, !broken && !hidden(r):
			out = append(out, source[:n]...)
		default:
			for range n {
				out = append(out, '?')
			}
		}
		source = source[n:]
	}
	return out
}
