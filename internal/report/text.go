package report

import (
	"fmt"
	"io"
	"strings"

	"anthill/planner/planfile"
	"anthill/state"
)

// Plan writes a plan, or the plan of a rollback, for its reviewer.
func Plan(w io.Writer, f *planfile.File, o Options) error {
	p := newPlanPage(w, f, o)
	p.head()
	p.blocked()
	if p.t.isRollback() {
		p.undoSummary()
	} else {
		p.summary()
	}
	p.waves()
	p.radius()
	p.changes()
	p.notMoved()
	p.remarks()
	if cost := p.t.cost(); cost != "" {
		p.gap()
		p.hang(p.bold("Cost")+"  ", cost)
	}
	p.blocked()
	p.next()
	return p.flush()
}

// planPage is a plan as text.
type planPage struct {
	*page
	t *telling
}

func newPlanPage(w io.Writer, f *planfile.File, o Options) planPage {
	p := newPage(w, o)
	return planPage{p, newView(f).tell(p.voice(), o.PlanFile)}
}

// sentence writes what is said on a line of its own.
func (p *planPage) sentence(s said) {
	if s.strong {
		s.text = p.bold(s.text)
	}
	p.para(s.text)
}

func (p *planPage) head() {
	if early := p.t.early(); early != "" {
		p.line("%s", p.bold(early))
	}
	p.part()
	t, of := p.t.effects.Target, p.t.basis.Versions
	p.hang("Target   ", fmt.Sprintf("Postgres %s, database %s (system %s)%sSelf-auth %s %s", Escape(of.Postgres),
		Escape(t.Database), Escape(t.System), p.dot(), Escape(t.Domain), Escape(of.SelfAuth)))
	if was := p.t.effects.Was; was != nil {
		p.hang("Was      ", p.t.identity(*was))
	}
	p.hang("Plan     ", fmt.Sprintf("%s as of %s%senvironment %s", p.bold(p.t.id.Short()), stamp(p.t.context.AsOf), p.dot(),
		Escape(t.Environment)))
	if from := strings.Join(p.t.origin(), p.dot()); from != "" {
		p.hang("Made     ", from)
	}
	if job := p.t.job(); job != "" {
		p.hang("Job      ", job)
	}
	if open := p.t.openRun(); open != "" {
		p.gap()
		p.para(open)
	}
	for _, open := range p.t.leftOpen() {
		p.gap()
		p.para(p.bold(open))
	}
}

// part says of which part of the configuration the plan is, and what was not named and comes with it.
func (p *planPage) part() {
	part, leaves := p.t.part()
	if part == "" {
		return
	}
	p.hang("", p.bold(part+" "+leaves))
	list := p.t.pulledIn()
	if len(list) > 0 {
		p.line("%s:", pulledTitle)
	}
	for i, one := range list {
		if i == listedRemarks && len(list) > listedRemarks+1 {
			p.line("  and %s more (%s)", count(int64(len(list)-i)), p.t.show("-json"))
			break
		}
		p.hang("  - ", one)
	}
	p.gap()
}

// blocked names the hazards that nobody allowed, at the top and once more at the end.
func (p *planPage) blocked() {
	for _, r := range p.t.blocked() {
		p.gap()
		p.hang("  "+p.bold("BLOCKED")+"  "+r.code+"  ", strings.Join(r.of, ". ")+"   ("+r.explain+")")
		p.hang("           ", "To allow it for this plan alone, make the plan again with the same flags and:")
		p.gap()
		p.line("    %s", Escape(r.allow))
	}
}

// summary is the first screen of a plan: how many change, who gains and loses, and what cannot be undone.
func (p *planPage) summary() {
	p.gap()
	if p.t.effects.Empty() {
		p.line("  %s", p.bold(p.t.headline()))
		p.line("  %s", p.t.movedAlready())
	} else {
		p.para(p.t.headline())
		if admins := p.t.admins(); admins != "" {
			p.para(admins + "   (" + p.t.show("-users", "-admins") + ")")
		}
		p.objectCounts()
	}
	p.gap()
	for _, s := range p.t.logins() {
		p.sentence(s)
	}
	p.sessions()
	p.isolation()
	if undo := p.t.undo(); undo != "" {
		p.para(undo)
	}
	p.recycled()
	p.allowed()
}

func (p *planPage) objectCounts() {
	for _, s := range p.t.objectCounts() {
		p.para(s)
	}
}

func (p *planPage) isolation() {
	verdict, follows, violations := p.t.isolation()
	if len(violations) == 0 {
		p.sentence(verdict)
		return
	}
	p.para(p.bold(verdict.text) + " " + follows)
	for _, f := range violations {
		p.hang("    - ", p.t.words.say(f))
	}
}

func (p *planPage) recycled() {
	if s := p.t.recycled(); s != "" {
		p.para(p.bold(s))
	}
}

func (p *planPage) allowed() {
	switch list := p.t.hazards(); {
	case len(list) == 0:
		p.line("  No hazards.")
	case !p.t.effects.Blocked():
		for _, r := range list {
			p.hang(fmt.Sprintf("  ALLOWED  %s=%d  ", r.code, r.count), strings.Join(r.of, ". "))
		}
	}
}

func (p *planPage) waves() {
	list := p.t.context.Waves
	if len(list) == 0 || p.t.isRollback() {
		return
	}
	p.gap()
	p.line("%s", p.bold("Waves"))
	// Names first, so that the verdicts stand below each other.
	width := 0
	for _, w := range list {
		width = max(width, cells(stepIn(w.Name)))
	}
	for _, r := range waveRows(list) {
		var said string
		if r.whole != nil {
			said = r.whole.said
		} else {
			said = p.t.wave(r.WaveView)
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", Escape(string(r.State)), padded(stepIn(r.Name), width)), said)
	}
}

const listedRadius = 10

// radius is what happens by tenant.
func (p *planPage) radius() {
	t, ok := p.t.radius(listedRadius)
	if !ok {
		return
	}
	right := make([]bool, len(t.head)+1)
	for i := range right {
		right[i] = i > 0
	}
	p.gap()
	p.line("%s", p.bold("Tenants"))
	for i := range t.rows {
		t.rows[i][0] = short(t.rows[i][0], 24)
	}
	p.table(2, right, append([][]string{append([]string{""}, t.head...)}, t.rows...))
}

func (p *planPage) sessions() {
	if s := p.t.sessions(); s != "" {
		p.para(s)
	}
}

func (p *planPage) notMoved() {
	all, list := p.t.notMoved()
	if all == 0 {
		return
	}
	var rows [][]string
	for _, r := range list {
		rows = append(rows, []string{count(r.users), r.why})
	}
	p.gap()
	p.hang("", fmt.Sprintf("%s: %s of these waves (%s)", p.bold("Not moved"), users(all), p.t.show("-skipped")))
	p.table(2, []bool{true}, rows)
}

const (
	listedRemarks = 8
	listedDrift   = 100
)

// paste writes statements as they stand: none is broken into lines.
func (p *planPage) paste(f state.Finding) {
	for _, s := range statements(f) {
		p.line("        %s", Escape(s))
	}
}

func (p *planPage) remarks() {
	most := listedRemarks
	if p.t.context.Drift != nil { // they are what was asked for
		most = listedDrift
	}
	for _, r := range p.t.remarks() {
		p.gap()
		p.line("%s", p.bold(r.title))
		list := r.list
		if len(list) > most+1 {
			list = ofEachKind(list, most)
		}
		for _, f := range list {
			p.hang("  - ", p.t.words.say(f))
			p.paste(f)
		}
		if n := len(r.list) - len(list); n > 0 {
			p.line("  and %s more", count(int64(n)))
		}
	}
}

func (p *planPage) next() {
	p.gap()
	p.line("Plan ID  %s", p.t.id)
	p.line("Seal     %s", p.t.seal)
	if p.o.PlanFile == "" || p.t.effects.Blocked() || p.t.context.Drift != nil && p.t.effects.Empty() {
		return
	}
	p.line("Saved to %s. To carry out exactly this:", Escape(p.o.PlanFile))
	p.gap()
	p.line("    %s", p.command("apply", p.o.PlanFile))
}
