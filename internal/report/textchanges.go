package report

import (
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// changes lists what the plan does: to the schema, to objects, to users.
func (p *planPage) changes() {
	if p.effects.Empty() {
		return
	}
	p.gap()
	p.line("%s", p.bold("Changes"))
	for _, f := range p.schema() {
		p.hang("  ~ schema  ", p.words.say(f))
	}
	p.objects()
	for _, one := range p.parts {
		switch one.Kind {
		case plan.SegmentFollow:
			p.line("  ~ users moved before, whose row changed")
		case plan.SegmentWithdraw:
			p.line("  ~ users who are not moved and got in all the same")
		case plan.SegmentRestore:
			p.line("  ~ users moved under wave %s", Escape(one.Wave))
		default:
			p.line("  ~ wave.%s", Escape(one.Wave))
		}
		p.figures(one)
	}
}

const listedObjects = 16

var signs = map[state.Action]string{
	state.ActionCreate: "+", state.ActionUpdate: "~", state.ActionRecover: "~", state.ActionDelete: "-",
	state.ActionReplace: "-+", state.ActionAdopt: "~", state.ActionForget: ".",
}

// listedAlike is how many objects of one block with one action are listed, where there are many in all. Clients and
// tenants are few, and each says something of its own.
func listedAlike(o plan.ObjectChange) int {
	if o.Kind == state.KindClient || o.Kind == state.KindTenant {
		return 40
	}
	return 4
}

// alike counts objects of one block of which the same is said.
type alike map[string]int

// enough counts one more and reports whether there are enough of them to be listed.
func (a alike) enough(o plan.ObjectChange, what string) bool {
	key := o.Address.Block() + " " + what
	a[key]++
	return a[key] > listedAlike(o)
}

// widestText is how much is said of an object in its own line; more stands below it.
const widestText = 90

func (p *planPage) objects() {
	// A thousand tenants have thousands of groups, each like the others. A few of each kind are shown, and the rest is
	// counted; nothing is left out without a word.
	many := len(p.effects.Objects) > listedObjects+2
	var rows [][]string
	var rest []plan.ObjectChange
	listed, under := alike{}, map[int][]string{}
	for _, o := range p.effects.Objects {
		if many && listed.enough(o, string(o.Action)) {
			rest = append(rest, o)
			continue
		}
		beside, below := fitting(p.words.object(o, p.context.Objects.Said[o.Address], p.isRollback()))
		if len(below) > 0 {
			under[len(rows)] = below
		}
		rows = append(rows, []string{signs[o.Action] + " " + Escape(string(o.Address)), beside, p.where(o.Address)})
	}
	p.tableWith(2, nil, rows, under)
	if len(rest) > 0 {
		p.line("    and %s of %s like these (%s lists all)", count(int64(len(rest))), strings.Join(blocks(rest), ", "),
			p.command("show", "-json", "PLANFILE"))
	}
}

// fitting parts what is said of an object into what stands in its own line and what stands below.
func fitting(texts []string) (beside string, below []string) {
	all := strings.Join(texts, "; ")
	switch {
	case cells(all) <= widestText:
		return all, nil
	case cells(texts[0]) <= widestText:
		return texts[0], texts[1:]
	}
	return "", texts
}

// where is the place of an object's block; "" where it has none.
func (p *planPage) where(a state.Address) string {
	at, known := p.context.Objects.Where[a]
	if !known {
		return ""
	}
	return fmt.Sprintf("%s:%d", Escape(at.File), at.Line)
}

// blocks names the blocks of some objects.
func blocks(list []plan.ObjectChange) (names []string) {
	for _, o := range list {
		if name := Escape(o.Address.Block()); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

const tenantColumns = 5

// figures writes what happens to users by tenant, those with most users first.
func (p *planPage) figures(one part) {
	list := bySize(one.Tenants)
	shown := list
	if len(list) > tenantColumns+1 {
		shown = list[:tenantColumns]
	}
	head := []string{""}
	for _, t := range shown {
		head = append(head, short(tenantName(t), 16))
	}
	if len(shown) < len(list) {
		head = append(head, of(int64(len(list)-len(shown)), "other", "others"))
	}
	if len(list) > 1 {
		head = append(head, "all")
	}
	rows := [][]string{head}
	for _, f := range figures() {
		if one.All[f.Figure] > 0 && !one.repeats(f.Figure) {
			rows = append(rows, figureLine(f, one.All[f.Figure], list, len(shown)))
		}
	}
	right := make([]bool, len(head))
	for i := range right {
		right[i] = i > 0
	}
	p.table(8, right, rows)
}

func figureLine(f figure, all int64, list []plan.TenantFigures, shown int) []string {
	row := []string{f.label}
	rest := all
	for _, t := range list[:shown] {
		n := t.Figures[f.Figure]
		rest -= n
		row = append(row, count(n))
	}
	if shown < len(list) {
		row = append(row, count(rest))
	}
	if len(list) > 1 {
		row = append(row, count(all))
	}
	return row
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
