package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"anthill/internal/survey"
)

// StatusHTML writes a status as a page like that of HTML: one file that asks for nothing else.
func StatusHTML(w io.Writer, s Status, o HTMLOptions) error {
	h := &hyperPage{o: o, style: hyperFile("status.css")}
	p := &statusPage{newPage(io.Discard, Options{Unicode: true, Chdir: o.Chdir}), s, h.voice()}
	environment := s.Target.Environment
	h.Title = "Anthill status of " + plain(environment) + ", " + stamp(s.AsOf)
	h.Heading = hyper("Anthill status of " + hyperName(environment))
	h.fact("As of", stamp(s.AsOf))
	h.fact("Target", dots("database "+hyperName(s.Target.Database)+" (system "+hyperName(s.Target.System)+")", "Self-auth "+hyperName(s.Target.Domain)+" "+
		hyperName(s.Server), "schema "+levelWords(s.Level)))
	p.hyperNotices(h)
	t := s.Survey.Totals
	h.Headline = hyper(fmt.Sprintf("%s of %s log in through Self-auth (%s); %s have completed", count(t.DualAuth+t.SelfAuthOnly), users(t.Users),
		percentOf(t.Percent), count(t.Completed)))
	p.hyperVerdicts(h)
	p.hyperWaves(h)
	p.hyperAdoption(h)
	p.hyperTenants(h)
	p.hyperKPI(h)
	p.hyperDays(h)
	p.hyperSessions(h)
	p.hyperRuns(h)
	return h.write(w)
}

// hyperNotices say what goes on, what was stopped and what was not seen.
func (p *statusPage) hyperNotices(h *hyperPage) {
	add := func(s string) { h.Notices = append(h.Notices, hyper(s)) }
	if p.Away != "" {
		add("Self-auth could not be asked; this is what the database and the state know. " + Escape(firstLine(p.Away)))
	}
	if p.Unseen != "" {
		add("Who has enrolled in Self-auth could not be seen. " + Escape(firstLine(p.Unseen)))
	}
	if p.Mistakes != "" {
		add("The waves cannot be judged now, as the configuration cannot be used. " + Escape(firstLine(p.Mistakes)))
	}
	switch r := p.State.OpenRun(); {
	case r != nil && p.Holder != nil:
		add(p.kindWords(r) + " is under way: " + holderWords(p.Holder) + ". " + p.far(r) + p.pace(r))
	case r != nil:
		add(p.kindWords(r) + " was stopped and is still open: " + p.far(r) + ", begun " + stamp(r.Started) + " by " + Escape(r.Who) + ". Finish it: " +
			p.words.command("apply"))
	}
	for _, f := range p.Survey.LeftOpen {
		add(p.words.say(f) + ".")
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func (p *statusPage) hyperVerdicts(h *hyperPage) {
	add := func(label string, says ...string) {
		v := hyperVerdict{Label: label}
		for _, s := range says {
			v.Says = append(v.Says, hyperSaid{Text: hyper(s)})
		}
		if len(says) > 0 {
			h.Verdicts = append(h.Verdicts, v)
		}
	}
	var list []string
	for _, f := range p.Survey.Phases {
		list = append(list, p.phaseWords(f))
	}
	add("Phases", list...)
	t := p.Survey.Totals
	add("Users", fmt.Sprintf("%s by password, %s dual, %s Self-auth alone", count(t.PasswordOnly), count(t.DualAuth), count(t.SelfAuthOnly)),
		count(t.Linked)+" linked, "+count(t.Invited)+" invited, "+known(t.Enrolled)+" enrolled, "+count(t.Completed)+" completed")
	if t.Alone > 0 {
		add("Alone", of(t.Alone, "user has", "users have")+" no other way in than Self-auth ("+p.words.command("status", "-alone")+")")
	}
	list = nil
	for i, e := range p.Survey.Events {
		if i == 5 {
			break
		}
		list = append(list, stamp(e.At)+": "+eventWords(e))
	}
	add("Next", list...)
	add("Overdue", p.words.sayEach(p.Survey.Overdue)...)
	if n := p.Survey.NewUsers; n != nil && n.Users > 0 {
		add("New users", of(n.Users, "new user logs", "new users log")+" in by password alone, though new users need Self-auth since "+day(n.From))
	}
	list = nil
	for _, is := range p.State.Pauses {
		one := pauseIs(is, p.Tenants)
		list = append(list, one.where()+": "+pauseWords(is)+" ("+p.words.command(one.resume()...)+")")
	}
	add("Paused", list...)
}

func (p *statusPage) hyperWaves(h *hyperPage) {
	t := hyperTable{
		ID: "waves-table", Title: hyper("Waves"),
		Columns: append(numberColumns([]hyperColumn{{Title: "wave"}, {Title: "at a glance", Bar: true}}, "users", "moved", "invited", "enrolled", "completed"),
			hyperColumn{Title: "how it stands", Wide: true}),
		Legend: []hyperKey{{barGains, "completed"}, {barOthers, "moved besides"}, {barWaits, "not moved"}},
	}
	var most int64
	rows := p.waveRows()
	for _, r := range rows {
		most = max(most, r.Matched)
	}
	for _, w := range rows {
		f := w.Figures
		row := numbers([]hyperCell{waveCell(w), bar(most, measure{barGains, f.Completed}, measure{barOthers, f.Moved - f.Completed},
			measure{barWaits, w.Matched - f.Moved})}, w.Matched, f.Moved, f.Invited)
		row = append(row, hyperCell{Text: hyper(known(f.Enrolled)), Number: true}, numberCell(f.Completed), wideCell(dots(p.rowWords(w)...)))
		t.Rows = append(t.Rows, row)
	}
	h.add(hyperSection{ID: "waves", Title: "Waves", Tables: []hyperTable{t}})
}

func (p *statusPage) hyperAdoption(h *hyperPage) {
	points := p.Survey.Adoption
	if len(points) == 0 {
		return
	}
	t := hyperTable{ID: "adoption-table", Title: hyper("Users at the end of each day, by method"),
		Columns: numberColumns([]hyperColumn{{Title: "day (UTC)"}}, "password alone", "dual", "Self-auth alone", "completed")}
	for i, d := range slices.Backward(points) {
		before := d
		if before.Date = ""; i > 0 {
			before = points[i-1]
			before.Date = d.Date
		}
		if d == before {
			continue
		}
		t.Rows = append(t.Rows, numbers([]hyperCell{headCell(d.Date)}, d.Password, d.Dual, d.SelfAuth, d.Completed))
	}
	h.add(hyperSection{ID: "adoption", Title: "Adoption over time", Charts: []hyperChart{adoptionChart(points)}, Tables: []hyperTable{t},
		Foot: []prose{hyper("Live users of active tenants who are not excluded, as they are now, by the day on which each was linked. " +
			"The table leaves out days on which nothing changed.")}})
}

func (p *statusPage) hyperTenants(h *hyperPage) {
	t := hyperTable{
		ID: "tenants-table", Title: hyper("Progress by tenant, the furthest first"), Find: "Find a tenant",
		Columns: numberColumns([]hyperColumn{{Title: "tenant"}, {Title: "at a glance", Bar: true}}, "users", "password", "dual", "Self-auth", "linked", "completed"),
		Legend:  []hyperKey{{barGains, "completed"}, {barOthers, "linked besides"}, {barWaits, "not linked"}},
	}
	t.Columns = append(t.Columns, hyperColumn{Title: "migrated", Number: true}, hyperColumn{Title: "status"})
	for _, one := range p.Survey.Tenants {
		done := min(one.Completed, one.Linked)
		row := numbers([]hyperCell{headCell(hyperName(one.Slug)), bar(one.Users, measure{barGains, done}, measure{barOthers, one.Linked - done},
			measure{barWaits, one.Users - one.Linked})}, one.Users, one.PasswordOnly, one.DualAuth, one.SelfAuthOnly, one.Linked, one.Completed)
		t.Rows = append(t.Rows, append(row, hyperCell{Text: hyper(percentOf(one.Percent)), Number: true}, textCell(hyperName(one.Status))))
	}
	if n := len(t.Rows); n > mostRows {
		t.Rows, t.Rest = t.Rows[:mostRows], hyper(rest(n, mostRows)+" ("+p.words.command("status", "-tenants")+" lists all)")
	}
	h.add(hyperSection{ID: "tenants", Title: "Tenants", Tables: []hyperTable{t}})
}

func (p *statusPage) hyperKPI(h *hyperPage) {
	k, of := p.Survey.KPI, p.Survey.Population
	if k == nil {
		return
	}
	s := hyperSection{ID: "kpi", Title: "Key figures"}
	for _, v := range [][]string{
		{"Migration rate", fmt.Sprintf("%s completed (%s of %s), %s linked (%s); the target is %.0f %% in 60 days", percentOf(k.Rate), count(of.Completed),
			users(of.Users), percentOf(k.Linked), count(of.Linked), k.Target), p.term(k), p.projected(k)},
		{"Auth latency", "not measured"}, {"Error rate", "not measured"}, {"Satisfaction", p.measured(k.Satisfaction, survey.GateSatisfaction, "4.5 of 5")},
		{"Support tickets", p.measured(k.Tickets, survey.GateTickets, "fewer than 10")},
	} {
		one := hyperVerdict{Label: v[0]}
		for _, says := range v[1:] {
			one.Says = append(one.Says, hyperSaid{Text: hyper(says)})
		}
		s.Verdicts = append(s.Verdicts, one)
	}
	t := hyperTable{ID: "cannot-table", Title: hyper("Cannot be moved as it is, and count all the same"), Caption: true,
		Columns: []hyperColumn{{Title: "why", Wide: true}, {Title: "users", Number: true}, {Title: "what helps", Wide: true}}}
	for _, c := range of.Cannot {
		t.Rows = append(t.Rows, []hyperCell{{Text: hyper(reasonWords(c.Reason)), Head: true}, numberCell(c.Users), wideCell(cure(c.Reason))})
	}
	s.Tables = []hyperTable{t}
	h.add(s)
}

func (p *statusPage) hyperDays(h *hyperPage) {
	t := hyperTable{ID: "days-table", Title: hyper("Links and completions by day"),
		Columns: numberColumns([]hyperColumn{{Title: "day (UTC)"}, {Title: "at a glance", Bar: true}}, "linked", "completed"),
		Legend:  []hyperKey{{barGains, "completed"}, {barOthers, "linked"}}}
	var most int64
	for _, d := range p.Survey.Days {
		most = max(most, d.Linked+d.Completed)
	}
	for _, d := range p.Survey.Days {
		t.Rows = append(t.Rows, numbers([]hyperCell{headCell(d.Date), bar(most, measure{barGains, d.Completed}, measure{barOthers, d.Linked})}, d.Linked, d.Completed))
	}
	h.add(hyperSection{ID: "days", Title: "The last 30 days", Tables: []hyperTable{t}})
}

func (p *statusPage) hyperSessions(h *hyperPage) {
	t := hyperTable{ID: "sessions-table", Title: hyper("Sessions by method"),
		Columns: numberColumns([]hyperColumn{{Title: "method"}}, "all", "not revoked", "begun in 30 days", "by users")}
	for _, s := range p.Sessions {
		t.Rows = append(t.Rows, numbers([]hyperCell{headCell(hyperName(s.Method))}, s.All, s.Open, s.Recent, s.Users))
	}
	h.add(hyperSection{ID: "sessions", Title: "Sessions", Tables: []hyperTable{t}})
}

func (p *statusPage) hyperRuns(h *hyperPage) {
	t := hyperTable{ID: "runs-table", Title: hyper("Runs, newest first"), Columns: []hyperColumn{{Title: "run"}, {Title: "kind"}, {Title: "begun"}, {Title: "by"},
		{Title: "outcome"}, {Title: "what it did", Wide: true}}}
	for _, r := range slices.Backward(p.State.Runs) {
		text := countText(r.Counts)
		if r.Undone {
			text += "; undone"
		}
		by := Escape(r.Who)
		if r.ApprovedBy != "" {
			by += ", approved by " + Escape(r.ApprovedBy)
		}
		t.Rows = append(t.Rows, []hyperCell{headCell(hyperName(r.ID)), textCell(string(r.Kind)), textCell(stamp(r.Started)), textCell(by), textCell(outcome(r)),
			wideCell(text)})
		if len(t.Rows) == mostRows {
			break
		}
	}
	h.add(hyperSection{ID: "runs", Title: "Runs", Tables: []hyperTable{t}})
}
