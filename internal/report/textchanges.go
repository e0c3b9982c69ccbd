package report

import (
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// changes lists what the plan does: to the schema, to objects, to users.
func (p *planPage) changes() {
	if p.t.effects.Empty() {
		return
	}
	p.gap()
	p.line("%s", p.bold("Changes"))
	for _, f := range p.t.schema() {
		p.hang("  ~ schema  ", p.t.words.say(f))
	}
	p.objects()
	for _, one := range p.t.parts {
		p.line("  ~ %s", p.t.words.part(one))
		p.figures(one)
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
	var address, where int
	for _, l := range lines {
		address, where = max(address, cells(l.address)), max(where, cells(l.where))
	}
	var rows [][]string
	under := map[int][]string{}
	for _, l := range lines {
		// Two columns at the edge, two for the sign, two between what follows.
		beside, below := fitting(l.texts, p.o.Width-address-where-8)
		if len(below) > 0 {
			under[len(rows)] = below
		}
		rows = append(rows, []string{l.sign + " " + l.address, beside, l.where})
	}
	p.tableWith(2, nil, rows, under)
	if len(rest) > 0 {
		p.line("    and %s of %s like these (%s lists all)", count(int64(len(rest))),
			strings.Join(p.t.words.blocks(rest), ", "), p.t.show("-json"))
	}
}

// fitting parts what is said of an object into what stands in its own line, which has so many columns, and what stands
// below.
func fitting(texts []string, room int) (beside string, below []string) {
	all := strings.Join(texts, "; ")
	switch {
	case len(texts) == 0 || cells(all) <= room:
		return all, nil
	case cells(texts[0]) <= room:
		return texts[0], texts[1:]
	}
	return "", texts
}

const tenantColumns = 5

// figures writes what happens to users by tenant, those with most users first.
func (p *planPage) figures(one part) {
	t := p.t.words.figures(one, tenantColumns)
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
	right := make([]bool, len(head))
	for i := range right {
		right[i] = i > 0
	}
	p.table(8, right, rows)
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
