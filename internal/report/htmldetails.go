package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/state"
)

// waves is how waves stand, each with a bar of its users.
func (p *hyperPage) waves() {
	list := p.t.context.Waves
	if p.t.isRollback() {
		return
	}
	type sizes struct{ moves, moved, waits, skipped int64 }
	of, all, most := make([]sizes, len(list)), map[string]sizes{}, int64(0)
	for i, w := range list {
		s := sizes{moved: w.Moved, waits: p.t.due(w) + w.Waiting, skipped: w.Skipped}
		if part := p.t.moved(w.Name); part != nil {
			s.moves, s.waits = part.All[plan.FigureUsers], w.Waiting
		}
		of[i] = s
		sum := all[state.WholeWave(w.Name)]
		sum = sizes{sum.moves + s.moves, sum.moved + s.moved, sum.waits + s.waits, sum.skipped + s.skipped}
		all[state.WholeWave(w.Name)], most = sum, max(most, sum.moves+sum.moved+sum.waits+sum.skipped)
	}
	t := hyperTable{
		ID: "waves-table", Title: hyper("How the waves stand"), Find: "Find a wave",
		Columns: append(numberColumns([]hyperColumn{{Title: "wave"}, {Title: "state"}, {Title: "at a glance", Bar: true}},
			"this plan moves", "moved before", "invited", "enrolled", "completed", "wait", "skipped"), hyperColumn{Title: "how it stands", Wide: true}),
		Legend: []hyperKey{{barGains, "this plan moves"}, {barBefore, "moved before"}, {barWaits, "wait"},
			{barOthers, "skipped"}},
	}
	for _, w := range waveRows(list) {
		s := all[w.Name]
		var says string
		if w.whole != nil {
			says = w.whole.said
		} else {
			s, says = of[w.place], p.t.wave(w.WaveView)
		}
		row := numbers([]hyperCell{waveCell(w), textCell(p.t.words.waveState(w.State)),
			bar(most, measure{barGains, s.moves}, measure{barBefore, s.moved}, measure{barWaits, s.waits},
				measure{barOthers, s.skipped})},
			s.moves, s.moved, w.Figures.Invited)
		enrolled := textCell(known(w.Figures.Enrolled))
		if w.Figures.Enrolled != nil {
			enrolled = numberCell(*w.Figures.Enrolled)
		}
		row = numbers(append(row, enrolled), w.Figures.Completed, s.waits, s.skipped)
		t.Rows = append(t.Rows, append(row, wideCell(says)))
	}
	p.cut(&t)
	p.add(hyperSection{ID: "waves", Title: "Waves", Tables: []hyperTable{t}})
}

// undone is what a rollback does.
func (p *hyperPage) undone() {
	if !p.t.isRollback() {
		return
	}
	t := hyperTable{ID: "conflicts-table", Caption: true, Title: hyper("Users in conflict, who stay as they are"),
		Find: "Find a user", Columns: []hyperColumn{{Title: "user"}, {Title: "why", Wide: true}}}
	for _, c := range p.t.context.Conflicts {
		t.Rows = append(t.Rows, []hyperCell{headCell(hyperName(c.User.String())), wideCell(p.t.words.say(c.Why))})
	}
	p.add(hyperSection{ID: "takes-back", Title: "What it takes back", List: hypers(p.t.undone()), Tables: []hyperTable{t}})
}

// changes lists what becomes of the schema and of objects.
func (p *hyperPage) changes() {
	if steps := p.t.schema(); len(steps) > 0 {
		p.add(hyperSection{ID: "schema", Title: "Schema", List: hypers(p.t.words.sayEach(steps))})
	}
	t := hyperTable{ID: "objects-table", Title: hyper("Objects that change"), Find: "Find an object",
		Columns: []hyperColumn{{Title: "object"}, {Title: "action"}, {Title: "what becomes of it", Wide: true},
			{Title: "where"}}}
	for _, o := range p.t.effects.Objects[:min(len(p.t.effects.Objects), mostRows)] {
		l := p.t.object(o)
		t.Rows = append(t.Rows, []hyperCell{headCell(l.address), textCell(l.sign + " " + string(o.Action)),
			wideCell(strings.Join(l.texts, "; ")), textCell(l.where)})
	}
	if n := len(p.t.effects.Objects); n > mostRows {
		t.Rest = hyper(p.rest(n))
	}
	p.add(hyperSection{ID: "objects", Title: "Objects", Tables: []hyperTable{t}})
}

// blast is what one figure of the blast radius is called, and how it is counted.
type blast struct {
	title string
	of    func(plan.Figures) int64
}

func blasts() []blast {
	figure := func(title string, f plan.Figure) blast {
		return blast{title, func(x plan.Figures) int64 { return x[f] }}
	}
	return []blast{
		{"gain login", plan.Figures.Gains},
		{"lose login", plan.Figures.Loses},
		figure("become admin", plan.FigureGainAdmin),
		figure("cease to be admin", plan.FigureLoseAdmin),
		figure("persons created", plan.FigureOf(state.PersonCreate)),
		figure("persons taken over", plan.FigureOf(state.PersonAdopt)),
		figure("persons expired", plan.FigureOf(state.PersonExpire)),
		figure("persons deleted", plan.FigureOf(state.PersonDelete)),
		figure("join groups", plan.FigureJoin),
		figure("leave groups", plan.FigureLeave),
	}
}

// tenants is the blast radius by tenant, each with a bar of its users.
func (p *hyperPage) tenants() {
	r := p.t.view.radius()
	if len(r.Tenants) == 0 {
		return
	}
	columns := slices.DeleteFunc(blasts(), func(b blast) bool { return b.of(r.All.Figures) == 0 })
	t := hyperTable{
		ID: "tenants-table", Title: hyper("What happens to the users of each tenant"), Find: "Find a tenant",
		Columns: numberColumns([]hyperColumn{{Title: "tenant"}, {Title: "at a glance", Bar: true}}, "users", "of live users"),
		Legend:  []hyperKey{{barGains, "gain login"}, {barLoses, "lose login"}, {barOthers, "otherwise changed"}},
	}
	for _, b := range columns {
		t.Columns = append(t.Columns, hyperColumn{Title: b.title, Number: true})
	}
	row := func(name string, one tenantRadius, picture hyperCell) []hyperCell {
		n, share := one.Figures[plan.FigureUsers], hyperCell{Number: true}
		if one.Live > 0 {
			share.Text = hyper(percent(n, one.Live))
		}
		cells := []hyperCell{headCell(name), picture, numberCell(n), share}
		for _, b := range columns {
			cells = append(cells, numberCell(b.of(one.Figures)))
		}
		return cells
	}
	if len(r.Tenants) > 1 {
		t.Sum = row("all", r.All, hyperCell{})
	}
	for _, one := range r.Tenants {
		n, gain, lose := one.Figures[plan.FigureUsers], one.Figures.Gains(), one.Figures.Loses()
		t.Rows = append(t.Rows, row(p.t.words.tenant(plan.TenantFigures{Slug: one.Slug}), one,
			bar(r.Tenants[0].Figures[plan.FigureUsers], measure{barGains, gain}, measure{barLoses, lose},
				measure{barOthers, n - gain - lose})))
	}
	p.cut(&t)
	p.add(hyperSection{ID: "tenants", Title: "Tenants, by blast radius", Tables: []hyperTable{t}, Lead: hypers([]string{
		users(p.t.changed()) + " of " + of(int64(len(r.Tenants)), "tenant", "tenants") + ", those with most users first."})})
}

// users are all figures by wave and tenant.
func (p *hyperPage) users() {
	s := hyperSection{ID: "users", Title: "Users, by wave and tenant"}
	for i, one := range p.t.parts {
		f := p.t.words.figures(one, mostRows)
		t := hyperTable{ID: fmt.Sprintf("users-table-%d", i+1), Title: hyper(p.t.words.part(one)), Caption: true,
			Find: "Find a tenant", Columns: []hyperColumn{{Title: "tenant"}}}
		row := func(name string, of func(figureCounts) int64) []hyperCell {
			cells := []hyperCell{headCell(name)}
			for _, l := range f.lines {
				cells = append(cells, numberCell(of(l)))
			}
			return cells
		}
		for _, l := range f.lines {
			t.Columns = append(t.Columns, hyperColumn{Title: l.label, Number: true})
		}
		if f.all {
			t.Sum = row("all", func(l figureCounts) int64 { return l.all })
		}
		for i, name := range f.tenants {
			t.Rows = append(t.Rows, row(name, func(l figureCounts) int64 { return l.tenants[i] }))
		}
		if f.others > 0 {
			t.Rest = hyper("and " + of(int64(f.others), "other tenant", "other tenants") + " with " + users(f.lines[0].others))
		}
		s.Tables = append(s.Tables, t)
	}
	if len(s.Tables) > 0 {
		s.Foot = p.who("Who exactly, one a line: ", "-users")
	}
	p.add(s)
}

// who names the command that lists the users of a plan file; the plan of a run is in none.
func (p *hyperPage) who(text, flag string) []prose {
	if p.run != "" {
		return nil
	}
	return hypers([]string{text + p.t.show(flag)})
}

func (p *hyperPage) notMoved() {
	all, list := p.t.notMoved()
	if all == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b reason) int { return cmp.Compare(b.users, a.users) })
	t := hyperTable{ID: "not-moved-table", Title: hyper("Users who are not moved, by reason"),
		Columns: []hyperColumn{{Title: "reason"}, {Title: "at a glance", Bar: true}, {Title: "users", Number: true}}}
	for _, r := range list {
		t.Rows = append(t.Rows, []hyperCell{headCell(r.why), bar(list[0].users, measure{barOthers, r.users}),
			numberCell(r.users)})
	}
	p.add(hyperSection{ID: "not-moved", Title: "Not moved", Tables: []hyperTable{t},
		Lead: hypers([]string{users(all) + " of these waves."}), Foot: p.who("Who it is: ", "-skipped")})
}

func (p *hyperPage) remarks() {
	for _, r := range p.t.remarks() {
		p.list(strings.ToLower(strings.ReplaceAll(r.title, " ", "-")), r.title, p.t.words.sayEach(r.list))
	}
	if list := p.t.toPaste(); len(list) > 0 {
		p.list("to-paste", pasteTitle, each(list, hyperCommand))
	}
}

// list adds a section that is a list, as long as a table may be.
func (p *hyperPage) list(id, title string, list []string) {
	n := len(list)
	s := hyperSection{ID: id, Title: title, List: hypers(list[:min(n, mostRows)])}
	if n > mostRows {
		s.Foot = []prose{hyper(p.rest(n))}
	}
	p.add(s)
}

func (p *hyperPage) cost() {
	s := hyperSection{ID: "cost", Title: "Cost and undo"}
	if cost := p.t.cost(); cost != "" {
		s.Lead = append(s.Lead, hyper("Cost: "+cost+"."))
	}
	if !p.t.effects.Empty() {
		s.Lead = append(s.Lead, hyper("How it is undone:"))
		s.List = hypers(p.t.undoKinds())
	}
	p.add(s)
}

// provenance is where the plan comes from, and by what it can be checked.
func (p *hyperPage) provenance() {
	b := p.t.basis
	s := hyperSection{ID: "provenance", Title: "Provenance"}
	add := func(what, value string) {
		if value != "" {
			s.Verdicts = append(s.Verdicts, hyperVerdict{what, []hyperSaid{{Text: hyper(value)}}})
		}
	}
	digest := func(h state.Hash) string {
		if h == (state.Hash{}) {
			return ""
		}
		return "SHA-256 " + hyperName(h.String())
	}
	add("Made by", "anthill "+p.t.words.escape(b.Versions.Anthill))
	add("As of", stamp(p.t.context.AsOf))
	add("Made", strings.Join(p.t.origin(), ", "))
	add("Job", p.t.job())
	add("Self-auth", p.t.words.escape(p.t.effects.Target.Origin))
	add("Recorded state", "serial "+count(b.Serial))
	add("Last run", p.t.words.escape(b.Last.Run))
	add("Configuration", digest(b.Configuration))
	add("Variables", digest(b.Variables))
	add("Plan ID", digest(p.t.id))
	add("Seal", digest(p.t.seal))
	p.add(s)
}

// differs is what the plan does otherwise than an older one.
func (p *hyperPage) differs() {
	c := p.since
	if c == nil || c.Same {
		return
	}
	t := hyperTable{ID: "since-users", Caption: true, Title: hyper("Users"), Find: "Find a tenant",
		Columns: numberColumns([]hyperColumn{{Title: "tenant"}, {Title: "whom"}}, diffColumns()...)}
	for _, d := range c.differing() {
		row := []hyperCell{headCell(cmp.Or(p.t.words.escape(d.Tenant.Slug), "(tenant gone)")),
			textCell(p.t.words.sortOf(d.Kind, d.Wave))}
		for _, k := range diffKinds() {
			row = append(row, numberCell(d.Users[k]))
		}
		t.Rows = append(t.Rows, row)
	}
	p.cut(&t)
	objects := hyperTable{ID: "since-objects", Caption: true, Title: hyper("Schema steps and objects"),
		Find: "Find an object", Columns: []hyperColumn{{Title: "object"}, {Title: "since then"},
			{Title: "what becomes of it", Wide: true}}}
	for _, o := range slices.Concat(c.Schema, c.Changes) {
		texts := ""
		if o.Old != nil || o.New != nil {
			texts = signs[changeOf(o).Action] + " " + strings.Join(c.object(o), "; ")
		}
		objects.Rows = append(objects.Rows, []hyperCell{headCell(p.t.words.escape(string(o.Address))),
			textCell(diffSigns[o.Kind]), wideCell(texts)})
	}
	p.cut(&objects)
	p.add(hyperSection{ID: "since", Title: "Since plan " + c.old.id.Short(),
		List: hypers(append(c.counts(), c.besides()...)), Tables: []hyperTable{t, objects}})
}
