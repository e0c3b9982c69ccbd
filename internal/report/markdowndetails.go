package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// details are lines that open by a click on a summary.
func (m *markdown) details(summary string, lines ...string) { m.fold("<details>", summary, lines) }

func (m *markdown) fold(tag, summary string, lines []string) {
	if len(lines) == 0 {
		return
	}
	block := append([]string{tag + "<summary>" + summary + "</summary>", ""}, lines...)
	m.add(rankDetails, append(block, "", "</details>")...)
}

// paragraphs are lines with a blank line between them, as far as there are any.
func paragraphs(parts ...[]string) (lines []string) {
	for _, p := range parts {
		if len(lines) > 0 && len(p) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, p...)
	}
	return lines
}

func bullets(list []string) []string { return each(list, func(s string) string { return "- " + s }) }

// undone is what a rollback does.
func (m *markdown) undone() {
	if !m.t.isRollback() {
		return
	}
	lines := bullets(m.t.undone())
	if n := len(m.t.context.Conflicts); n > 0 {
		var list []string
		for _, c := range m.t.context.Conflicts {
			list = append(list, code(c.User.String(), 80)+" "+m.t.words.say(c.Why))
		}
		lines = append(lines, "- "+inConflict(int64(n))+":")
		for _, s := range m.entries(list) {
			lines = append(lines, "  - "+s)
		}
	}
	m.fold("<details open>", "What it takes back", lines)
}

// changes lists what becomes of the schema and of objects.
func (m *markdown) changes() {
	objects, steps := m.t.effects.Objects, m.t.schema()
	if len(objects)+len(steps) == 0 {
		return
	}
	var summary []string
	if n := int64(len(objects)); n > 0 {
		summary = append(summary, of(n, "object change", "object changes"))
	}
	if n := int64(len(steps)); n > 0 {
		summary = append(summary, of(n, "schema step", "schema steps"))
	}
	lines := bullets(m.findings(steps))
	lines = paragraphs(lines, m.objects(objects))
	m.details(strings.Join(summary, ", "), lines...)
}

// weights sort actions where not all objects are listed: what takes away first.
var weights = map[state.Action]int{
	state.ActionDelete: 0, state.ActionReplace: 1, state.ActionForget: 2, state.ActionUpdate: 3, state.ActionAdopt: 4,
	state.ActionRecover: 5, state.ActionCreate: 6, state.ActionRecord: 7,
}

// objects lists objects, where they are many some of each block, those that go first.
func (m *markdown) objects(list []plan.ObjectChange) (lines []string) {
	shown, others := list, []plan.ObjectChange(nil)
	if n := m.listed(len(list)); n < len(list) {
		shown, others = someOfEach(list, n, func(o plan.ObjectChange) (plan.ObjectChange, string) {
			return o, string(o.Action)
		})
	}
	var rows [][]string
	for _, o := range shown {
		l := m.t.object(o)
		rows = append(rows, []string{l.sign, l.address, m.clip(strings.Join(l.texts, "; ")), l.where})
	}
	if len(rows) > 0 {
		lines = table([]string{"", "object", "", "where"}, nil, rows)
	}
	if n := len(list) - len(shown); n > 0 {
		more := m.clip(rest(len(list), len(shown)) + " of " + strings.Join(m.t.words.fewOf(m.t.words.blocks(others)), ", "))
		lines = paragraphs(lines, []string{more + " (" + m.t.show("-json") + " lists all)"})
	}
	return lines
}

// someOfEach are at most n of a list in their order, as many of each block and sort as there is room for, and the rest.
func someOfEach[T any](list []T, n int, of func(T) (plan.ObjectChange, string)) (shown []T, rest []plan.ObjectChange) {
	sorts := alike{}
	for _, one := range list {
		sorts.add(of(one))
	}
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	weight := func(i int) int { o, _ := of(list[i]); return weights[o.Action] }
	slices.SortStableFunc(places, func(a, b int) int { return cmp.Compare(weight(a), weight(b)) })
	each, taken, met := max(1, n/len(sorts)), map[int]bool{}, alike{}
	for _, i := range places {
		if met.add(of(list[i])) <= each && len(taken) < n {
			taken[i] = true
		}
	}
	for i, one := range list {
		if taken[i] {
			shown = append(shown, one)
		} else {
			o, _ := of(one)
			rest = append(rest, o)
		}
	}
	return shown, rest
}

// radius is what happens by tenant.
func (m *markdown) radius() {
	t, ok := m.t.radius(max(1, m.l.entries))
	if !ok {
		return
	}
	right := []bool{false}
	for range t.head {
		right = append(right, true)
	}
	m.details("Tenants ("+count(int64(len(m.t.view.radius().Tenants)))+")",
		table(append([]string{"tenant"}, t.head...), right, t.rows)...)
}

// users are figures by wave and tenant, the waves and tenants with most users.
func (m *markdown) users() {
	parts := slices.Clone(m.t.parts)
	if len(parts) == 0 {
		return
	}
	tenants := map[string]bool{}
	for _, p := range parts {
		for _, t := range p.Tenants {
			tenants[t.Tenant.String()] = true
		}
	}
	n := m.listed(len(parts))
	if n < len(parts) {
		slices.SortStableFunc(parts, func(a, b part) int {
			return cmp.Compare(b.All[plan.FigureUsers], a.All[plan.FigureUsers])
		})
	}
	var lines []string
	for _, p := range parts[:n] {
		lines = append(lines, "", bold(m.t.words.part(p)), "")
		lines = append(lines, m.figures(m.t.words.figures(p, max(1, m.l.entries/n)))...)
	}
	if n < len(parts) {
		var others int64
		for _, p := range parts[n:] {
			others += p.All[plan.FigureUsers]
		}
		lines = append(lines, "", rest(len(parts), n)+", with "+users(others))
	}
	m.details(fmt.Sprintf("Users by wave and tenant (%s, %s)", users(m.t.changed()),
		of(int64(len(tenants)), "tenant", "tenants")), lines[1:]...)
}

// figures is the table of a part, one tenant a row.
func (m *markdown) figures(t figureTable) []string {
	head := []string{"tenant"}
	for _, l := range t.lines {
		head = append(head, l.label)
	}
	right := make([]bool, len(head))
	for i := range right {
		right[i] = i > 0
	}
	row := func(name string, of func(figureCounts) int64) []string {
		cells := []string{name}
		for _, l := range t.lines {
			cells = append(cells, count(of(l)))
		}
		return cells
	}
	var rows [][]string
	if t.all {
		rows = append(rows, row(bold("all"), func(l figureCounts) int64 { return l.all }))
	}
	for i, name := range t.tenants {
		rows = append(rows, row(name, func(l figureCounts) int64 { return l.tenants[i] }))
	}
	if t.others > 0 {
		rows = append(rows, row("and "+count(int64(t.others))+" more", func(l figureCounts) int64 { return l.others }))
	}
	return table(head, right, rows)
}

func (m *markdown) notMoved() {
	all, list := m.t.notMoved()
	if all == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b reason) int { return cmp.Compare(b.users, a.users) })
	var lines []string
	for _, r := range list {
		lines = append(lines, count(r.users)+": "+r.why)
	}
	lines = append(bullets(m.entries(lines)), "", "Who it is: "+m.t.show("-skipped"))
	m.details(users(all)+" not moved, by reason", lines...)
}

func (m *markdown) remarks() {
	for _, r := range m.t.remarks() {
		m.details(fmt.Sprintf("%s (%s)", r.title, count(int64(len(r.list)))), bullets(m.findings(r.list))...)
	}
	if list := m.t.toPaste(); len(list) > 0 {
		lines := each(list[:m.listed(len(list))], func(s string) string { return code(s, mostStatement) })
		if len(lines) < len(list) {
			lines = append(lines, rest(len(list), len(lines)))
		}
		m.details(pasteTitle, bullets(lines)...)
	}
}

func (m *markdown) cost() {
	if s := m.t.cost(); s != "" {
		m.details("Cost", m.clip(s))
	}
}

// undo says how each sort of change is taken back.
func (m *markdown) undo() {
	if !m.t.effects.Empty() {
		m.details("How it is undone", bullets(m.t.undoKinds())...)
	}
}

// differs is what the plan does otherwise than an older one.
func (m *markdown) differs() {
	if m.since == nil || m.since.Same {
		return
	}
	lines := bullets(append(m.since.counts(), m.since.besides()...))
	if list := m.since.differing(); len(list) > 0 {
		var rows [][]string
		n := m.listed(len(list))
		for _, t := range list[:n] {
			slug := cmp.Or(m.t.words.escape(t.Tenant.Slug), "(tenant gone)")
			rows = append(rows, append([]string{m.t.words.sortOf(t.Kind, t.Wave), slug}, diffCells(t)...))
		}
		lines = paragraphs(lines, table(append([]string{"users", "tenant"}, diffColumns()...),
			[]bool{false, false, true, true, true, true, true}, rows))
		if n < len(list) {
			lines = paragraphs(lines, []string{rest(len(list), n)})
		}
	}
	m.details("Since plan "+code(m.since.old.id.Short(), 80), paragraphs(lines, m.differingObjects())...)
}

func (m *markdown) differingObjects() (lines []string) {
	list := append(slices.Clone(m.since.Schema), m.since.Changes...)
	all := len(list)
	if n := m.listed(all); n < all {
		list, _ = someOfEach(list, n, func(o planfile.ObjectDiff) (plan.ObjectChange, string) {
			return changeOf(o), string(o.Kind)
		})
	}
	var rows [][]string
	for _, o := range list {
		c, texts := changeOf(o), ""
		if o.Old != nil || o.New != nil {
			texts = m.clip(strings.Join(m.since.object(o), "; "))
		}
		rows = append(rows, []string{diffSigns[o.Kind], signs[c.Action], m.t.words.escape(string(o.Address)), texts})
	}
	if len(rows) > 0 {
		lines = table([]string{"", "", "object", ""}, nil, rows)
	}
	if len(list) < all {
		lines = paragraphs(lines, []string{rest(all, len(list))})
	}
	return lines
}

// foot says what the plan is: since which other one, by whom it was made, its sums, and the command that carries it
// out.
func (m *markdown) foot() {
	var parts []string
	if m.since != nil {
		parts = append(parts, m.since.approval())
	}
	made := append([]string{"Made by anthill " + m.t.words.escape(m.t.basis.Versions.Anthill)}, m.t.origin()...)
	if job := m.t.job(); job != "" {
		made = append(made, job)
	}
	parts = append(parts, strings.Join(made, ", ")+", as of "+stamp(m.t.context.AsOf)+".")
	m.add(rankFoot, "<sub>"+strings.Join(parts, " ")+"</sub>")
	m.add(rankHead, fmt.Sprintf("<sub>Plan ID %s, seal %s.</sub>", code(m.t.id.String(), 80), code(m.t.seal.String(), 80)))
	if m.o.PlanFile != "" && !m.t.effects.Blocked() {
		m.add(rankFoot, "To carry out exactly this: "+m.t.words.command("apply", m.o.PlanFile))
	}
}
