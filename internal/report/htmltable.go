package report

import (
	"slices"
	"strconv"
)

// hyperTable is a table of a page. Every cell of a column has the same kind as the column.
type hyperTable struct {
	ID      string
	Title   prose
	Caption bool   // the title is shown, and not only read out
	Find    string // what the field to search in it is called; "": it has none
	Columns []hyperColumn
	Legend  []hyperKey
	Sum     []hyperCell // the row of all, which neither sorting nor searching moves; nil: none
	Rows    [][]hyperCell
	Rest    prose // what is left out
}

type hyperColumn struct {
	Title  string
	Number bool
	Bar    bool
	Wide   bool // sentences stand in it
}

// hyperCell is what one cell shows; the figures of a bar stand in the cells of the same row.
type hyperCell struct {
	Text   prose
	Head   bool // it names the row
	Step   bool // with Head: of a row that stands below another
	Number bool
	Wide   bool
	Bar    []hyperRect
}

// hyperRect is a part of a bar, in per cent of its width.
type hyperRect struct{ Class, X, Width string }

// hyperKey says what a part of a bar means.
type hyperKey struct{ Class, Label string }

// The sorts of parts of bars: each has a pattern of its own, so that no colour has to be told from another.
const (
	barGains  = "gains"  // moved by this plan, or done
	barLoses  = "loses"  // taken away, or not done
	barOthers = "others" // anything else that this plan does
	barBefore = "before" // moved before
	barWaits  = "waits"  // waiting
)

// fewRows are seen at a glance: a table of these needs no field to search in it.
const fewRows = 10

// mostRows is how many rows a table of a page has: a browser is at ease with these, and what is left out is counted.
const mostRows = 5000

func textCell(s string) hyperCell { return hyperCell{Text: hyper(s)} }
func wideCell(s string) hyperCell { return hyperCell{Text: hyper(s), Wide: true} }
func headCell(s string) hyperCell { return hyperCell{Text: hyper(s), Head: true} }

// waveCell names the row of a wave.
func waveCell(r waveRow) hyperCell {
	return hyperCell{Text: hyper(hyperName(r.Name)), Head: true, Step: r.isStep()}
}

func numberCell(n int64) hyperCell {
	return hyperCell{Text: prose{{Text: count(n)}}, Number: true}
}

// numbers are the cells of a row of figures behind its name.
func numbers(cells []hyperCell, figures ...int64) []hyperCell {
	for _, n := range figures {
		cells = append(cells, numberCell(n))
	}
	return cells
}

// numberColumns are columns of figures behind others.
func numberColumns(columns []hyperColumn, titles ...string) []hyperColumn {
	for _, t := range titles {
		columns = append(columns, hyperColumn{Title: t, Number: true})
	}
	return columns
}

// measure is a part of a bar before it is drawn.
type measure struct {
	class string
	n     int64
}

// leastBar is how wide a part is at least, in per cent, so that it can be seen.
const leastBar = 0.6

// bar draws parts one behind the other; most is what fills it.
func bar(most int64, parts ...measure) hyperCell {
	var c hyperCell
	var widths []float64
	all := 0.0
	for _, p := range parts {
		width := 0.0
		if p.n > 0 {
			width = max(100*float64(p.n)/float64(max(most, p.n)), leastBar)
		}
		widths = append(widths, width)
		all += width
	}
	at, scale := 0.0, 100/max(all, 100)
	for i, p := range parts {
		if widths[i] > 0 {
			c.Bar = append(c.Bar, hyperRect{p.class, perCent(at), perCent(widths[i] * scale)})
			at += widths[i] * scale
		}
	}
	return c
}

func perCent(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) + "%" }

// shows says whether a sort of parts is in a bar of the table.
func (t *hyperTable) shows(class string) bool {
	return slices.ContainsFunc(t.Rows, func(row []hyperCell) bool {
		return slices.ContainsFunc(row, func(c hyperCell) bool {
			return slices.ContainsFunc(c.Bar, func(r hyperRect) bool { return r.Class == class })
		})
	})
}

// cut leaves a table as many rows as it may have; what is left out is said.
func (p *hyperPage) cut(t *hyperTable) {
	if n := len(t.Rows); n > mostRows {
		t.Rows, t.Rest = t.Rows[:mostRows], hyper(p.rest(n))
	}
}

// rest counts what is left out of a list of so many, and says where all of it is.
func (p *hyperPage) rest(n int) string {
	where := p.t.show("-json")
	if p.run != "" {
		where = p.t.words.command("show", "-json", "-run", p.run)
	}
	return rest(n, mostRows) + " (" + where + " lists all)"
}
