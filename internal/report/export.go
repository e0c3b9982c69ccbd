package report

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"anthill/planner/plan"
)

// ExportedUser is a user as an export has it, with the address and the name, as they are what was asked for.
type ExportedUser struct {
	ID, Tenant uuid.UUID
	TenantSlug string
	Email      string
	FullName   string // "" when NULL
	Role       string
	Status     string
	Linked     bool
}

// The forms of an export.
const (
	ExportAsJSON = "json"
	ExportAsCSV  = "csv"
)

// Export writes users one by one, as they come. Nothing is written before the first.
type Export struct {
	w       io.Writer
	csv     bool
	linkKey string
	n       int64
}

// NewExport begins an export in one of the forms. linkKey is what it calls whether a row is linked.
func NewExport(w io.Writer, form, linkKey string) *Export {
	return &Export{w: w, csv: form == ExportAsCSV, linkKey: linkKey}
}

// Count is how many users were written.
func (e *Export) Count() int64 { return e.n }

// cell is a value by its key.
type cell struct {
	key   string
	value any // a text, nil or a bool
}

// cells are the eight keys of the export script that people know, in its order.
func (e *Export) cells(u ExportedUser) []cell {
	var name any
	if u.FullName != "" {
		name = u.FullName
	}
	return []cell{
		{"user_id", u.ID.String()},
		{"tenant_id", u.Tenant.String()},
		{"tenant_slug", u.TenantSlug},
		{"email", u.Email},
		{"full_name", name},
		{"role", u.Role},
		{"status", u.Status},
		{e.linkKey, u.Linked},
	}
}

// Add writes one user.
func (e *Export) Add(u ExportedUser) error {
	cells := e.cells(u)
	var b bytes.Buffer
	switch {
	case e.csv && e.n == 0:
		csvLine(&b, cells, func(c cell) string { return c.key })
		fallthrough
	case e.csv:
		csvLine(&b, cells, cell.text)
	default:
		sign := ",\n"
		if e.n == 0 {
			sign = "[\n"
		}
		b.WriteString(sign)
		if err := jsonObject(&b, cells); err != nil {
			return err
		}
	}
	e.n++
	_, err := e.w.Write(b.Bytes())
	return err
}

// End writes what comes behind the last user.
func (e *Export) End() error {
	if e.csv || e.n == 0 {
		return nil
	}
	_, err := io.WriteString(e.w, "\n]\n")
	return err
}

// jsonObject writes a user on one line, the keys in the order in which people know them.
func jsonObject(b *bytes.Buffer, cells []cell) error {
	for i, c := range cells {
		sign := ", "
		if i == 0 {
			sign = "  {"
		}
		b.WriteString(sign + `"` + c.key + `": `)
		// Most are plain, and an encoder for each would take most of the time of an export.
		if text, is := c.value.(string); is && strings.TrimFunc(text, isPlain) == "" {
			b.WriteString(`"` + text + `"`)
			continue
		}
		// What a reader would not see stands as escapes; what only HTML minds stands as it is.
		var value bytes.Buffer
		encoder := json.NewEncoder(visible{&value})
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(c.value); err != nil {
			return err
		}
		b.Write(bytes.TrimSpace(value.Bytes()))
	}
	b.WriteByte('}')
	return nil
}

// isPlain says whether JSON has a sign as it is.
func isPlain(r rune) bool { return r >= ' ' && r <= '~' && r != '"' && r != '\\' }

// csvLine writes a record as RFC 4180 has it: commas, quotes doubled, CR LF at the end. The standard library's writer
// would change line breaks within a cell.
func csvLine(b *bytes.Buffer, cells []cell, of func(cell) string) {
	for i, c := range cells {
		if i > 0 {
			b.WriteByte(',')
		}
		text := of(c)
		if strings.ContainsAny(text, "\",\r\n;\t'") || strings.TrimSpace(text) != text {
			text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
		}
		b.WriteString(text)
	}
	b.WriteString("\r\n")
}

// formula are the signs with which a cell begins that a spreadsheet would work out, the wide forms of East Asia too.
// The apostrophe marks the others.
const formula = "=+-@\t\r\n＝＋－＠'"

// text is the cell in CSV: an apostrophe goes in front of what a spreadsheet would take for a formula, and of one.
func (c cell) text() string {
	switch v := c.value.(type) {
	case bool:
		return strconv.FormatBool(v)
	case string:
		if first, _ := utf8.DecodeRuneInString(strings.TrimLeft(v, " ")); strings.ContainsRune(formula, first) {
			return "'" + v
		}
		return v
	}
	return ""
}

// ExportHoldsPersonalData says in one line what an export is.
func ExportHoldsPersonalData(w io.Writer, o Options) error {
	p := newPage(w, o)
	p.line("This export holds personal data on purpose, names and addresses: keep it out of pull requests and logs.")
	return p.flush()
}

// LeftOut are those who are not in an export, each once.
type LeftOut struct {
	Reasons map[plan.SkipReason]int64
	Linked  int64
	Deleted int64
}

// Exported writes how many users are in an export and who is not. next tells the command to go on with.
func Exported(w io.Writer, n int64, left LeftOut, next bool, o Options) error {
	p := newPage(w, o)
	p.line("%s exported, in the order of tenant id and user id.", users(n))
	for _, r := range plan.SkipReasons() {
		if k := left.Reasons[r]; k > 0 {
			p.line("  %s left out: %s", count(k), skipped(r))
		}
	}
	for _, rest := range []struct {
		n   int64
		why string
	}{
		{left.Linked, "linked already"},
		{left.Deleted, "deleted, or of a deleted tenant"},
	} {
		if rest.n > 0 {
			p.line("  %s left out: %s", count(rest.n), rest.why)
		}
	}
	if next && n > 0 {
		p.line("Review it, then see what would be done for these users:")
		p.gap()
		p.line("    %s", p.command("plan"))
	}
	return p.flush()
}
