package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Plan writes a plan, or the plan of a rollback, for its reviewer.
func Plan(w io.Writer, f *planfile.File, o Options) error {
	p := newPlanPage(w, newView(f), o)
	p.head()
	p.blocked()
	if p.isRollback() {
		p.undoSummary()
	} else {
		p.summary()
	}
	p.waves()
	p.changes()
	p.notMoved()
	p.remarks()
	p.cost()
	p.blocked()
	p.next()
	return p.flush()
}

// planPage is a plan as text.
type planPage struct {
	*page
	*view
	words *voice
}

func newPlanPage(w io.Writer, v *view, o Options) planPage {
	p := newPage(w, o)
	return planPage{p, v, v.speaks(p.voice())}
}

func (p *planPage) head() {
	if at := p.effects.NotBefore; !at.IsZero() {
		p.line("%s", p.bold("Made as of "+stamp(at)+", a time that lies ahead: apply refuses this plan until then."))
	}
	t, of := p.effects.Target, p.basis.Versions
	p.line("Target   Postgres %s, database %s (system %s)%sSelf-auth %s %s", Escape(of.Postgres), Escape(t.Database),
		Escape(t.System), p.dot(), Escape(t.Domain), Escape(of.SelfAuth))
	p.line("Plan     %s as of %s%senvironment %s", p.bold(p.id.Short()), stamp(p.context.AsOf), p.dot(),
		Escape(t.Environment))
	if from := p.origin(); from != "" {
		p.hang("Made     ", from)
	}
	if job := p.context.Origin.Job; job != "" {
		p.hang("Job      ", Escape(job))
	}
	if p.context.OpenRun != "" {
		p.gap()
		p.para(fmt.Sprintf("Run %s is still open: its users are left out of this plan. `%s` finishes it first.",
			Escape(p.context.OpenRun), p.command("apply")))
	}
}

// origin says where the plan was made, as far as that is known.
func (p *planPage) origin() string {
	o := p.context.Origin
	var parts []string
	if o.Commit != "" {
		at := "of commit " + Escape(o.Commit[:min(len(o.Commit), 12)])
		switch o.Files {
		case plan.FilesCommitted:
		case plan.FilesOtherwise:
			at += ", with files that are not as in it"
		default:
			at += ", with which the files were not compared"
		}
		parts = append(parts, at)
	}
	if o.Author != "" {
		parts = append(parts, "by "+Escape(o.Author))
	}
	return strings.Join(parts, p.dot())
}

// blocked names the hazards that nobody allowed, at the top and once more at the end.
func (p *planPage) blocked() {
	for _, h := range p.effects.Hazards {
		if !p.effects.Allows(h) {
			code := Escape(string(h.Code))
			p.gap()
			p.hang("  "+p.bold("BLOCKED")+"  "+code+"  ", p.words.sayAll(h.Of, ". ")+
				"   ("+p.command("explain", string(h.Code))+")")
			p.line("           To allow it for this plan alone, make the plan again with the same flags and:")
			p.gap()
			p.line("    -allow %s=%d", code, h.Count)
		}
	}
}

// summary is the first screen of a plan: how many change, who gains and loses, and what cannot be undone.
func (p *planPage) summary() {
	p.gap()
	all := p.context.Population
	if p.effects.Empty() {
		p.line("  %s", p.bold("Nothing to do."))
		p.line("  %s of %s moved already.", count(all.Moved), of(all.Live, "live user is", "live users are"))
	} else {
		n := p.changed()
		p.para(fmt.Sprintf("%s of %s %s (%s): %s", count(n), of(all.Live, "live user", "live users"),
			plural(n, "changes", "change"), percent(n, all.Live), p.gains()))
		p.admins()
		p.objectCounts()
	}
	p.gap()
	p.loses()
	p.isolation()
	switch {
	case len(p.effects.Schema) > 0:
		p.line("  Everything can be undone, but the schema stays: its columns are only added and relaxed.")
	case !p.effects.Empty():
		p.line("  Everything can be undone.")
	}
	p.recycled()
	p.allowed()
}

// recycled says what is deleted, and so comes back as it was for some days only.
func (p *planPage) recycled() {
	n := map[state.Kind]int64{}
	for _, c := range p.effects.Objects {
		if c.UndoKind() == plan.UndoRecycled {
			n[c.Kind]++
		}
	}
	var parts []string
	add := func(n int64, one, many string) {
		if n > 0 {
			parts = append(parts, of(n, one, many))
		}
	}
	add(n[state.KindGroup], "group", "groups")
	add(n[state.KindClient], "client with its secret", "clients with their secrets")
	add(p.total()[plan.FigureOf(state.PersonDelete)], "person with its credentials", "persons with their credentials")
	if len(parts) > 0 {
		p.para(p.bold(fmt.Sprintf("What is deleted comes back as it was for %d days, and is made anew after that: %s.",
			plan.RecycleDays, strings.Join(parts, ", "))))
	}
}

// gains says in few words who gains and who loses.
func (p *planPage) gains() string {
	all := p.total()
	gain := all.Gains()
	s := count(gain) + plural(gain, " gains", " gain") + " Self-auth login"
	strange := p.effects.Strangers()
	switch lose := all.Loses(); {
	case lose > 0:
		s += ", " + count(lose) + plural(lose, " loses it", " lose it")
	case all[plan.FigureLeave]+strange == 0 && !p.groupsGo():
		s += ", none loses anything"
	}
	if n := all[plan.FigureLeavers]; n > 0 {
		s += ", " + of(n, "leaves groups", "leave groups") + " (" +
			of(all[plan.FigureLeave], "membership ends", "memberships end") + ")"
	}
	if strange > 0 {
		s += "; " + of(strange, "member who does not belong leaves a group", "members who do not belong leave their groups") +
			` (manage = "full")`
	}
	return s
}

// admins says who becomes admin of a tenant in Self-auth, and who ceases to be.
func (p *planPage) admins() {
	all := p.total()
	gain, lose := all[plan.FigureGainAdmin], all[plan.FigureLoseAdmin]
	var parts []string
	if gain > 0 {
		parts = append(parts, of(gain, "user becomes admin of a tenant", "users become admin of their tenants"))
	}
	switch {
	case lose > 0 && gain > 0:
		parts = append(parts, count(lose)+plural(lose, " ceases to be admin", " cease to be admin"))
	case lose > 0:
		parts = append(parts, of(lose, "user ceases to be admin", "users cease to be admin"))
	}
	if len(parts) > 0 {
		p.para(strings.Join(parts, ", ") + " in Self-auth   (" + p.show("-users", "-admins") + ")")
	}
}

// groupsGo says whether a group goes, or its mapping row, which its members lose with it.
func (p *planPage) groupsGo() bool {
	return slices.ContainsFunc(p.effects.Objects, func(o plan.ObjectChange) bool {
		return o.Kind == state.KindGroup && (o.Action == state.ActionDelete || o.Action == state.ActionForget)
	})
}

// loses says who loses a way to log in, or that nobody does.
func (p *planPage) loses() {
	lose := p.total().Loses()
	switch {
	case lose > 0:
		p.line("  %s", p.bold(of(lose,
			"user whose row is gone, not active or not linked loses the Self-auth login; the person expires.",
			"users whose row is gone, not active or not linked lose their Self-auth login; their persons expire.")))
	case p.effects.Has(plan.LocksOut):
		p.line("  %s", p.bold("Users lose a way to log in: see "+string(plan.LocksOut)+"."))
	default:
		p.line("  Nobody loses a way to log in.")
	}
}

func (p *planPage) objectCounts() {
	n := p.actions
	if all := len(p.effects.Objects); all > 0 {
		s := fmt.Sprintf("%s: %s to create, %s to change, %s to delete", of(int64(all), "object", "objects"),
			count(n[state.ActionCreate]), count(n[state.ActionUpdate]+n[state.ActionRecover]), count(n[state.ActionDelete]))
		for _, more := range []struct {
			action state.Action
			words  string
		}{
			{state.ActionReplace, "to make again"}, {state.ActionAdopt, "to take over"}, {state.ActionForget, "to forget"},
		} {
			if n[more.action] > 0 {
				s += ", " + count(n[more.action]) + " " + more.words
			}
		}
		p.line("  %s; %s unchanged", s, count(int64(p.context.Objects.Unchanged)))
	}
	if len(p.effects.Schema) > 0 {
		p.line("  %s from the baseline to dual", of(int64(len(p.effects.Schema)), "schema step", "schema steps"))
	}
}

func (p *planPage) isolation() {
	i := p.context.Isolation
	if len(i.Violations) == 0 {
		p.line("  Tenant isolation holds (%s, %s).", of(int64(i.Groups), "group", "groups"),
			of(i.Memberships, "membership", "memberships"))
		return
	}
	verdict := "Tenant isolation does not hold."
	if !slices.ContainsFunc(i.Violations, func(f state.Finding) bool { return f.Code != state.CodeGroupHidden }) {
		verdict = "Tenant isolation cannot be seen."
	}
	p.line("  %s The tenants concerned are left out:", p.bold(verdict))
	for _, f := range i.Violations {
		p.hang("    - ", p.words.say(f))
	}
}

func (p *planPage) allowed() {
	switch {
	case len(p.effects.Hazards) == 0:
		p.line("  No hazards.")
	case !p.effects.Blocked():
		for _, h := range p.effects.Hazards {
			p.hang(fmt.Sprintf("  ALLOWED  %s=%d  ", Escape(string(h.Code)), h.Count), p.words.sayAll(h.Of, ". "))
		}
	}
}

func (p *planPage) waves() {
	list := p.context.Waves
	if len(list) == 0 || p.isRollback() {
		return
	}
	p.gap()
	p.line("%s", p.bold("Waves"))
	// Names first, so that the verdicts stand below each other.
	width := 0
	for _, w := range list {
		width = max(width, cells(Escape(w.Name)))
	}
	for _, w := range list {
		name := Escape(w.Name)
		p.hang(fmt.Sprintf("  %-9s %s  ", Escape(string(w.State)), name+strings.Repeat(" ", width-cells(name))), p.wave(w))
	}
}

// wave says in one line how a wave stands.
func (p *planPage) wave(w plan.WaveView) string {
	var parts []string
	moves, due := p.moved(w.Name), p.due(w)
	reasons := func() { parts = append(parts, p.words.reasons(w)...) }
	switch {
	case w.State == plan.WaveDone:
		parts = append(parts, fmt.Sprintf("%s moved, since %s", users(w.Moved), day(w.Since)))
		if moves != nil {
			parts = append(parts, fmt.Sprintf("%s late: %s", users(due), tenantList(moves.Tenants)))
		}
		reasons()
	case w.State == plan.WaveDisabled && moves == nil:
		parts = append(parts, "disabled")
		reasons()
		return strings.Join(parts, "; ")
	case moves == nil && w.State == plan.WaveHeld:
		reasons()
		if due > 0 {
			parts = append(parts, users(due)+" to move")
		}
	default:
		if w.Moved > 0 {
			parts = append(parts, users(w.Moved)+" moved")
		}
		if moves != nil {
			parts = append(parts, users(due)+" to move: "+tenantList(moves.Tenants))
		}
		reasons()
	}
	if w.Waiting > 0 {
		parts = append(parts, of(w.Waiting, "user waits", "users wait")+" for a pause to end")
	}
	if w.Skipped > 0 {
		parts = append(parts, users(w.Skipped)+" skipped")
	}
	if len(parts) == 0 {
		return "nobody to move"
	}
	return strings.Join(parts, "; ")
}

// notMoved counts the users whom waves that the plan moves, or that were moved before, leave out. What waves that are held
// will leave out stands beside each of them.
func (p *planPage) notMoved() {
	counts := map[plan.SkipReason]int64{}
	var all int64
	for _, w := range p.context.Waves {
		if w.State == plan.WaveHeld || w.State == plan.WaveDisabled {
			continue
		}
		for _, s := range w.NotMoved {
			counts[s.Reason] += s.Count
			all += s.Count
		}
	}
	if all == 0 {
		return
	}
	var rows [][]string
	for _, r := range plan.SkipReasons() {
		if n := counts[r]; n > 0 {
			rows = append(rows, []string{count(n), skipped(r)})
		}
	}
	p.gap()
	p.line("%s: %s of these waves   (%s)", p.bold("Not moved"), users(all), p.show("-skipped"))
	p.table(2, []bool{true}, rows)
}

// show is the command that shows this plan with flags.
func (p *planPage) show(flags ...string) string {
	return p.command(append(append([]string{"show"}, flags...), cmp.Or(p.o.PlanFile, "PLANFILE"))...)
}

const listedRemarks = 8

func (p *planPage) remarks() {
	p.remark("Dormant", p.context.Objects.Dormant)
	p.remark("Changed outside Anthill", p.context.Outside)
	p.remark("Notes", p.context.Notes)
}

func (p *planPage) remark(title string, list []state.Finding) {
	if len(list) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold(title))
	for i, f := range list {
		if i == listedRemarks && len(list) > listedRemarks+1 {
			p.line("  and %s more", count(int64(len(list)-i)))
			return
		}
		p.hang("  - ", p.words.say(f))
	}
}

func (p *planPage) cost() {
	if p.effects.Empty() {
		return
	}
	c, takes := p.context.Cost, ""
	if c.WriteSeconds >= 1 {
		takes = fmt.Sprintf(" (writing the persons takes a server with two cores about %s)", roughly(c.WriteSeconds))
	}
	text := fmt.Sprintf("about %s to Self-auth%s and %s on Postgres", of(c.Calls, "call", "calls"), takes,
		of(c.Transactions, "transaction", "transactions"))
	switch {
	case c.Run != "":
		text += fmt.Sprintf("; the users take %s at the %s/s of run %s", roughly(c.Seconds), count(int64(c.Rate)), Escape(c.Run))
	case p.changed() > 0:
		text += "; no earlier run says how long it takes"
	}
	p.gap()
	p.hang(p.bold("Cost")+"  ", text)
}

func (p *planPage) next() {
	p.gap()
	p.line("Plan ID  %s", p.id)
	p.line("Seal     %s", p.seal)
	if p.o.PlanFile == "" || p.effects.Blocked() {
		return
	}
	p.line("Saved to %s. To carry out exactly this:", Escape(p.o.PlanFile))
	p.gap()
	p.line("    %s", p.command("apply", p.o.PlanFile))
}

const listedTenants = 6

// tenantList names the tenants with most users.
func tenantList(list []plan.TenantFigures) string {
	list = bySize(list)
	var parts []string
	for i, t := range list {
		if i == listedTenants {
			var rest int64
			for _, r := range list[i:] {
				rest += r.Figures[plan.FigureUsers]
			}
			parts = append(parts, of(int64(len(list)-i), "other tenant", "other tenants")+" "+count(rest))
			break
		}
		parts = append(parts, tenantName(t)+" "+count(t.Figures[plan.FigureUsers]))
	}
	return strings.Join(parts, ", ")
}

// bySize sorts tenants by their users, most first; of the same size by slug.
func bySize(list []plan.TenantFigures) []plan.TenantFigures {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b plan.TenantFigures) int {
		return cmp.Or(cmp.Compare(b.Figures[plan.FigureUsers], a.Figures[plan.FigureUsers]),
			strings.Compare(a.Slug, b.Slug), bytes.Compare(a.Tenant[:], b.Tenant[:]))
	})
	return list
}

func tenantName(t plan.TenantFigures) string {
	if t.Slug == "" {
		return "(tenant gone)"
	}
	return Escape(t.Slug)
}
