package report

import (
	"cmp"
	"fmt"
	"io"

	"anthill/state"
)

// HistoryHTML writes what happened in a run, and the plan that it carried out, as a page like that of HTML.
func HistoryHTML(w io.Writer, h Happened, o HTMLOptions) error {
	p := newHyperPage(h.Plan, o)
	p.ofRun(h)
	p.details()
	return p.write(w)
}

// ofRun fills the page with what happened beside what was planned: the page of whoever looks at it later.
func (p *hyperPage) ofRun(h Happened) {
	r := h.Run
	p.run = r.ID
	environment := p.t.effects.Target.Environment
	p.Title = fmt.Sprintf("Anthill run %s on %s", plain(r.ID), plain(environment))
	p.Heading = hyper(fmt.Sprintf("Anthill run %s on %s", hyperName(r.ID), hyperName(environment)))
	p.fact("Outcome", dots(h.kind(p.t), outcome(r)))
	p.fact("By", Escape(r.Who)+approved(r))
	p.fact("From", stamp(r.Started)+until(r))
	p.target()
	p.fact("Made", dots(p.t.origin()...))
	p.fact("Job", p.t.job())
	p.fact("Plan ID", hyperName(r.Plan.String()))
	p.fact("Seal", hyperName(r.Seal.String()))
	if !r.Open {
		p.fact("Digest", hyperName(r.Digest.String()))
		if r.Previous != (state.Hash{}) {
			p.fact("Behind", hyperName(r.Previous.String())+", the digest of the run before")
		}
	}
	if r.Undone {
		p.Notices = append(p.Notices, hyper("It was taken back later, wholly."))
	}
	list, all := h.byTenant()
	p.Headline = hyper(users(all.Planned) + " planned: " + countText(r.Counts))
	if all.Untried > 0 {
		p.More = append(p.More, hyper(of(all.Untried, "user was", "users were")+" not tried."))
	}
	p.More = append(p.More, hyper(of(int64(len(p.t.effects.Objects)), "object", "objects")+" planned."))
	if s := h.mails(); s != "" {
		p.More = append(p.More, hyper(s+"."))
	}
	p.happened(list, all)
	p.missed(h)
	p.left(h)
	p.planned()
}

// planned is what the plan of the run said first.
func (p *hyperPage) planned() {
	line, more := p.headline()
	p.add(hyperSection{ID: "planned", Title: "What was planned", Lead: append([]prose{line}, more...),
		Verdicts: p.verdicts()})
}

// happened is how it ended for the users of each tenant, with bars of them.
func (p *hyperPage) happened(list []*happened, all *happened) {
	t := hyperTable{
		ID: "happened-table", Title: hyper("Users, by wave and tenant"), Find: "Find a tenant",
		Columns: numberColumns([]hyperColumn{{Title: "tenant"}, {Title: "whom"}, {Title: "at a glance", Bar: true}},
			"planned", "done", "already", "changed", "failed", "paused", "not tried"),
		Legend: []hyperKey{{barGains, "done, or so already"}, {barLoses, "failed"},
			{barOthers, "changed meanwhile, or paused"}, {barWaits, "not tried"}},
	}
	most := int64(0)
	for _, h := range list {
		most = max(most, h.Planned)
	}
	row := func(name, sort string, h *happened, picture hyperCell) []hyperCell {
		return numbers([]hyperCell{headCell(name), textCell(sort), picture},
			h.Planned, h.Done, h.Already, h.Changed, h.Failed, h.Paused, h.Untried)
	}
	for _, h := range list {
		picture := bar(most, measure{barGains, h.Done + h.Already}, measure{barLoses, h.Failed},
			measure{barOthers, h.Changed + h.Paused}, measure{barWaits, h.Untried})
		t.Rows = append(t.Rows, row(cmp.Or(p.t.words.escape(h.Tenant.Slug), "(tenant gone)"),
			p.t.words.sortOf(h.Kind, h.Wave), h, picture))
	}
	if len(list) > 1 {
		t.Sum = row("all", "", all, hyperCell{})
	}
	p.cut(&t)
	p.add(hyperSection{ID: "happened", Title: "What happened to users", Tables: []hyperTable{t}})
}

// missed are the objects that were not done.
func (p *hyperPage) missed(h Happened) {
	t := hyperTable{ID: "missed-table", Title: hyper("Objects that were not done"),
		Columns: []hyperColumn{{Title: "object"}, {Title: "how it ended"}}}
	for _, o := range h.missed() {
		ended := verdict(o.Verdict)
		if !o.Settled {
			ended = "begun"
		}
		t.Rows = append(t.Rows, []hyperCell{headCell(p.t.words.escape(string(o.Address))), textCell(ended)})
	}
	p.cut(&t)
	p.add(hyperSection{ID: "missed", Title: "Objects that were not done", Tables: []hyperTable{t}})
}

// left are the users who did not reach their after-state.
func (p *hyperPage) left(h Happened) {
	t := hyperTable{ID: "left-table", Title: hyper("Users who were left"), Find: "Find a user",
		Columns: []hyperColumn{{Title: "user"}, {Title: "how it ended"}, {Title: "why", Wide: true}}}
	for _, l := range h.Left {
		t.Rows = append(t.Rows, []hyperCell{headCell(hyperName(l.User.String())), textCell(verdict(l.Verdict)),
			wideCell(p.t.words.say(l.Reason))})
	}
	p.cut(&t)
	p.add(hyperSection{ID: "left", Title: "Users who were left", Tables: []hyperTable{t}})
}
