package report

import (
	"fmt"
	"strings"

	"anthill/state"
)

// ofPlan fills the page with a plan: what its text form has first, then everything there is.
func (p *hyperPage) ofPlan() {
	what := "plan"
	if p.t.isRollback() {
		what = "rollback plan"
	}
	environment := p.t.effects.Target.Environment
	p.Title = fmt.Sprintf("Anthill %s %s for %s", what, p.t.id.Short(), plain(environment))
	p.Heading = hyper(fmt.Sprintf("Anthill %s %s for %s", what, hyperName(p.t.id.Short()), hyperName(environment)))
	p.target()
	p.fact("As of", stamp(p.t.context.AsOf))
	p.fact("Made", dots(p.t.origin()...))
	p.fact("Job", p.t.job())
	p.fact("Plan ID", hyperName(p.t.id.String()))
	p.fact("Seal", hyperName(p.t.seal.String()))
	part, leaves := p.t.part()
	for _, s := range append([]string{p.t.early(), strings.TrimSpace(part + " " + leaves), p.t.openRun()}, p.t.leftOpen()...) {
		if s != "" {
			p.Notices = append(p.Notices, hyper(s))
		}
	}
	p.blocked()
	p.Headline, p.More = p.headline()
	p.Verdicts = p.verdicts()
	p.differs()
	p.details()
	if p.o.PlanFile != "" && !p.t.effects.Blocked() && (p.t.context.Drift == nil || !p.t.effects.Empty()) {
		p.Apply = hyper(p.t.words.command("apply", p.o.PlanFile))
	}
}

// risks are lists that the first screen only begins.
func (p *hyperPage) risks() {
	var list []string
	for _, r := range p.t.hazards() {
		if len(r.made) > mostFirst+1 {
			list = append(list, each(p.t.words.sayEach(r.made), func(s string) string { return r.code + ": " + s })...)
		}
	}
	p.list("hazards", "Hazards", list)
	if _, _, list := p.t.isolation(); len(list) > mostFirst+1 {
		p.list("isolation", "Isolation", p.t.words.sayEach(list))
	}
}

// details are the sections behind the first screen, in the order in which a reviewer reads them.
func (p *hyperPage) details() {
	p.list("pulled-in", pulledTitle, p.t.pulledIn())
	p.risks()
	p.waves()
	p.undone()
	p.changes()
	p.tenants()
	p.users()
	p.notMoved()
	p.remarks()
	p.cost()
	p.provenance()
}

func (p *hyperPage) target() {
	t, of := p.t.effects.Target, p.t.basis.Versions
	name := p.t.words.escape
	p.fact("Target", dots("Postgres "+name(of.Postgres)+", database "+name(t.Database)+" (system "+name(t.System)+")",
		"Self-auth "+name(t.Domain)+" "+name(of.SelfAuth)))
	if was := p.t.effects.Was; was != nil {
		p.fact("Was", p.t.identity(*was))
	}
}

func (p *hyperPage) blocked() {
	for _, r := range p.t.blocked() {
		p.Blocked = append(p.Blocked, hyperRisk{hyper(r.code), hyper(r.explain),
			hyper(hyperCommand(r.allow)), hypers(p.firstOf(r.made, "Hazards"))})
	}
}

// mostFirst is how much of a list stands on the first screen.
const mostFirst = 6

// firstOf are the first of a list that a section goes on with.
func (p *hyperPage) firstOf(list []state.Finding, section string) []string {
	if len(list) <= mostFirst+1 {
		return p.t.words.sayEach(list)
	}
	return append(p.t.words.sayEach(list[:mostFirst]), rest(len(list), mostFirst)+": see "+section+" below")
}

// headline is what the plan does in one sentence, and in a few more.
func (p *hyperPage) headline() (line prose, few []prose) {
	var more []string
	if p.t.effects.Empty() && !p.t.isRollback() {
		more = append(more, p.t.movedAlready())
	}
	if s := p.t.admins(); s != "" && !p.t.isRollback() {
		if p.run == "" {
			s += " (" + p.t.show("-users", "-admins") + ")"
		}
		more = append(more, s+".")
	}
	for _, s := range p.t.objectCounts() {
		more = append(more, s+".")
	}
	if p.since != nil {
		more = append(more, p.since.approval())
	}
	return hyper(p.t.headline()), hypers(more)
}

// verdicts are what a reviewer looks for first.
func (p *hyperPage) verdicts() (list []hyperVerdict) {
	add := func(label string, says ...said) {
		v := hyperVerdict{Label: label}
		for _, s := range says {
			if s.text != "" {
				v.Says = append(v.Says, hyperSaid{hyper(s.text), s.strong})
			}
		}
		if len(v.Says) > 0 {
			list = append(list, v)
		}
	}
	if p.t.isRollback() {
		add("Ways to log in", p.t.closes()...)
	} else {
		add("Ways to log in", p.t.logins()...)
		verdict, follows, violations := p.t.isolation()
		if follows != "" {
			verdict.text += " " + follows
		}
		add("Isolation", append([]said{verdict},
			calmly(p.firstOf(violations, "Isolation")...)...)...)
	}
	add("Sessions", said{text: p.t.sessions()})
	add("Undo", said{text: p.t.undo()})
	add("Deletions", said{p.t.recycled(), true})
	add("Hazards", p.hazards()...)
	add("Pauses", calmly(p.t.stay()...)...)
	if n := int64(len(p.t.context.Conflicts)); n > 0 {
		add("Conflicts", said{inConflict(n) + ".", true})
	}
	return list
}

// hazards says which are allowed, and which are not.
func (p *hyperPage) hazards() (list []said) {
	for _, r := range p.t.hazards() {
		what := fmt.Sprintf("%s=%d", r.code, r.count)
		if r.allowed {
			list = append(list, said{text: "Allowed: " + what + ": " + strings.Join(p.firstOf(r.made, "Hazards"), ". ")})
		} else {
			list = append(list, said{"Not allowed: " + what, true})
		}
	}
	if len(list) == 0 {
		return []said{{text: "No hazards."}}
	}
	return list
}
