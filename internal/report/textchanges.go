package report

import (
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// changes lists what the plan does: to the schema, to objects, to users.
func (p *planPage) changes() {
	if len(p.t.parts)+len(p.t.effects.Objects)+len(p.t.schema()) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold("Changes"))
	last := len(p.t.effects.SchemaBack()) > 0
	if !last {
		p.schema("~")
	}
	p.objects()
	for _, one := range p.t.parts {
		p.line("  ~ %s", p.t.words.part(one))
		p.figures(one)
	}
	if last {
		p.schema("-")
	}
}

func (p *planPage) schema(sign string) {
	for _, f := range p.t.schema() {
		p.hang("  "+sign+" schema  ", p.t.words.say(f))
	}
}

const listedObjects = 16

// listedAlike is how many objects of one block with one action are listed, where there are many in all. Clients and
// tenants are few, and each says something of its own.
func listedAlike(o plan.ObjectChange) int {
	if o.Kind == state.KindClient || o.Kind == state.KindTenant {
		return 40
	}
	return 4
}

func (p *planPage) objects() {
	// A thousand tenants have thousands of groups, each like the others. A few of each kind are shown, and the rest is
	// counted; nothing is left out without a word.
	many := len(p.t.effects.Objects) > listedObjects+2
	var lines []objectLine
	var rest []plan.ObjectChange
	listed := alike{}
	for _, o := range p.t.effects.Objects {
		if many && listed.add(o, string(o.Action)) > listedAlike(o) {
			rest = append(rest, o)
			continue
		}
		lines = append(lines, p.t.object(o))
	}
	p.objectLines(lines)
	if len(rest) > 0 {
		p.line("    and %s of %s like these (%s lists all)", count(int64(len(rest))),
			strings.Join(p.t.words.blocks(rest), ", "), p.t.show("-json"))
	}
}

const (
	widestAddress = 40 // that others are aligned to
	widestText    = 90 // how much is said of an object beside its address; more stands below
)

// objectLines writes what becomes of objects: beside its address what it is and where it stands, below what else changes.
func (p *planPage) objectLines(lines []objectLine) {
	var address, text, where int // the widest of each
	besides, belows := make([]string, len(lines)), make([][]string, len(lines))
	for i, l := range lines {
		besides[i], belows[i] = fitting(l.texts)
		text, where = max(text, cells(besides[i])), max(where, cells(l.where))
		if n := cells(l.sign + " " + l.address); n <= widestAddress {
			address = max(address, n)
		}
	}
	for i, l := range lines {
		head := "  " + l.sign + " " + l.address
		column := 2 + address + 2
		said := besides[i]
		if l.where != "" {
			gap := 2
			if column+text+2+where <= p.o.Width {
				gap += text - cells(said)
			}
			said += strings.Repeat(bound, gap-1) + " " + l.where
		}
		switch n := cells(head); {
		case said == "":
			p.line("%s", head)
		case n+2 > column:
			p.line("%s", head)
			p.hang(strings.Repeat(" ", column), said)
		default:
			p.hang(head+strings.Repeat(" ", column-n), said)
		}
		for _, below := range belows[i] {
			p.hang("        ", below)
		}
	}
}

// fitting parts what is said of an object into what stands beside its address and what stands below.
func fitting(texts []string) (beside string, below []string) {
	all := strings.Join(texts, "; ")
	switch {
	case len(texts) == 0 || cells(all) <= widestText:
		return all, nil
	case cells(texts[0]) <= widestText:
		return texts[0], texts[1:]
	}
	return "", texts
}

const tenantColumns = 5

// figures writes what happens to users by tenant, those with most users first, as many as there is room for.
func (p *planPage) figures(one part) {
	const indent = 8
	for n := tenantColumns; ; n-- {
		rows := p.figureRows(one, n)
		if n == 1 || indent+widthOf(rows) <= p.o.Width {
			right := make([]bool, len(rows[0]))
			for i := range right {
				right[i] = i > 0
			}
			p.table(indent, right, rows)
			return
		}
	}
}

// figureRows are the figures with a column for each of so many tenants.
func (p *planPage) figureRows(one part, tenants int) [][]string {
	t := p.t.words.figures(one, tenants)
	head := []string{""}
	for _, name := range t.tenants {
		head = append(head, short(name, 16))
	}
	if t.others > 0 {
		head = append(head, of(int64(t.others), "other", "others"))
	}
	if t.all {
		head = append(head, "all")
	}
	rows := [][]string{head}
	for _, l := range t.lines {
		row := append([]string{l.label}, counts(l.tenants)...)
		if t.others > 0 {
			row = append(row, count(l.others))
		}
		if t.all {
			row = append(row, count(l.all))
		}
		rows = append(rows, row)
	}
	return rows
}

func short(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && cells(string(runes)) > width-2 {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + ".."
}
