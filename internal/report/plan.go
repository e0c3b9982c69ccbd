package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"anthill/planner"
	"anthill/planner/planfile"
	"anthill/state"
)

// Plan writes a plan, or the plan of a rollback, for its reviewer.
func Plan(w io.Writer, r *planfile.Reader, o Options) error {
	p := planPage{page: newPage(w, o), plan: r.Plan(), a: &r.Plan().Analysis, id: r.ID()}
	p.head()
	p.blocked()
	if p.plan.Kind == state.RunRollback {
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

type planPage struct {
	*page
	plan *planner.Plan
	a    *planner.Analysis
	id   state.Hash
}

func (p *planPage) head() {
	if p.a.Future {
		p.line("%s", p.bold("Made as of "+stamp(p.a.AsOf)+", which has not come: apply refuses this plan until then."))
	}
	t := p.plan.Target
	p.line("Target   Postgres %s, database %s (system %s)%sSelf-auth %s %s", Escape(p.a.PostgresServer), Escape(t.Database), Escape(t.System), p.dot(), Escape(t.Domain), Escape(p.a.SelfAuthServer))
	p.line("Plan     %s as of %s%senvironment %s", p.bold(p.id.Short()), stamp(p.a.AsOf), p.dot(), Escape(t.Environment))
	if p.a.OpenRun != "" {
		p.gap()
		p.para("Run " + p.a.OpenRun + " is still open: its users are left out of this plan. `anthill apply` finishes it first.")
	}
}

// blocked names the hazards that nobody allowed, at the top and once more at the end.
func (p *planPage) blocked() {
	for _, h := range p.plan.Hazards {
		if !h.Allowed {
			p.gap()
			p.hang("  "+p.bold("BLOCKED")+"  "+string(h.Code)+"  ", Escape(h.Text))
			p.line("           To allow it for this plan alone, make the plan again with the same flags and:")
			p.gap()
			p.line("    -allow %s=%d", h.Code, h.Count)
		}
	}
}

func (p *planPage) summary() {
	p.gap()
	if p.plan.Empty() {
		p.line("  %s", p.bold("Nothing to do."))
		p.line("  %s of %s are moved already.", count(p.a.AlreadyMoved), of(p.a.Live, "live user", "live users"))
	} else {
		p.para(fmt.Sprintf("%s of %s change (%s): %s", count(p.a.Changed), of(p.a.Live, "live user", "live users"), percent(p.a.Changed, p.a.Live), p.gains()))
		p.objectCounts()
	}
	p.gap()
	locked := slices.ContainsFunc(p.plan.Hazards, func(h planner.Hazard) bool { return h.Code == planner.LocksOut })
	switch {
	case p.a.Lose == 0 && locked:
		p.line("  %s", p.bold("Users lose a way to log in: see "+string(planner.LocksOut)+"."))
	case p.a.Lose == 0:
		p.line("  Nobody loses a way to log in.")
	default:
		p.line("  %s", p.bold(users(p.a.Lose)+" whose row is gone, or no longer active, lose their Self-auth login; their persons expire."))
	}
	p.isolation()
	switch {
	case len(p.plan.Schema) > 0:
		p.line("  Everything can be undone, but the schema stays: its columns are only added and relaxed.")
	case !p.plan.Empty():
		p.line("  Everything can be undone.")
	}
	if slices.ContainsFunc(p.plan.Objects, func(o planner.ObjectChange) bool {
		return o.Kind == state.KindClient && (o.Action == planner.Delete || o.Action == planner.Replace)
	}) {
		p.line("  %s", p.bold("A deleted client, its secret included, can be brought back for seven days."))
	}
	p.allowed()
}

func (p *planPage) gains() string {
	s := count(p.a.Gain) + " gain Self-auth login"
	var leave, admin int64
	for _, t := range p.a.Follow {
		leave += t.Leave
		admin += t.LoseAdmin
	}
	switch {
	case p.a.Lose > 0:
		s += ", " + count(p.a.Lose) + " lose it"
	case leave == 0:
		return s + ", none loses anything"
	}
	if leave > 0 {
		s += ", " + of(leave, "membership ends", "memberships end")
	}
	if admin > 0 {
		s += " (" + count(admin) + " of admin groups)"
	}
	return s
}

func (p *planPage) objectCounts() {
	n := map[planner.Action]int64{}
	for _, o := range p.plan.Objects {
		n[o.Action]++
	}
	if len(p.plan.Objects) > 0 {
		s := fmt.Sprintf("%s: %s to create, %s to change, %s to delete", of(int64(len(p.plan.Objects)), "object", "objects"), count(n[planner.Create]),
			count(n[planner.Update]+n[planner.Recover]), count(n[planner.Delete]))
		for _, more := range []struct {
			action planner.Action
			words  string
		}{{planner.Replace, "to make again"}, {planner.Adopt, "to take over"}, {planner.Forget, "to forget"}} {
			if n[more.action] > 0 {
				s += ", " + count(n[more.action]) + " " + more.words
			}
		}
		p.line("  %s; %s unchanged", s, count(int64(p.a.Unchanged)))
	}
	if len(p.plan.Schema) > 0 {
		p.line("  %s from the baseline to dual", of(int64(len(p.plan.Schema)), "schema step", "schema steps"))
	}
}

func (p *planPage) isolation() {
	if len(p.a.Violations) == 0 {
		p.line("  Tenant isolation holds (%s, %s).", of(int64(p.a.Groups), "group", "groups"), of(p.a.Memberships, "membership", "memberships"))
		return
	}
	p.line("  %s The tenants concerned are left out:", p.bold("Tenant isolation does not hold."))
	for _, v := range p.a.Violations {
		p.hang("    - ", Escape(v))
	}
}

func (p *planPage) allowed() {
	switch {
	case len(p.plan.Hazards) == 0:
		p.line("  No hazards.")
	case !p.plan.Blocked():
		for _, h := range p.plan.Hazards {
			p.hang(fmt.Sprintf("  ALLOWED  %s=%d  ", h.Code, h.Count), Escape(h.Text))
		}
	}
}

func (p *planPage) waves() {
	if len(p.a.Waves) == 0 || p.plan.Kind == state.RunRollback {
		return
	}
	p.gap()
	p.line("%s", p.bold("Waves"))
	name := 0
	for _, w := range p.a.Waves {
		name = max(name, cells(Escape(w.Name)))
	}
	for _, w := range p.a.Waves {
		p.hang(fmt.Sprintf("  %-9s %s  ", w.State, Escape(w.Name)+strings.Repeat(" ", name-cells(Escape(w.Name)))), waveText(w))
	}
}

// waveText says in one line how a wave stands.
func waveText(w planner.WaveView) string {
	var parts []string
	switch w.State {
	case planner.Disabled:
		return "disabled"
	case planner.DoneWave:
		parts = append(parts, fmt.Sprintf("%s moved, since %s", users(w.Moved), day(w.Since)))
		if w.Late > 0 {
			parts = append(parts, fmt.Sprintf("%s late: %s", users(w.Late), tenantList(w.Tenants)))
		}
	case planner.Held:
		parts = append(parts, escapeAll(w.Reasons)...)
		if w.Due > 0 {
			parts = append(parts, users(w.Due)+" to move")
		}
	default:
		if w.Moved > 0 {
			parts = append(parts, users(w.Moved)+" moved")
		}
		if w.Due > 0 {
			parts = append(parts, users(w.Due)+" to move: "+tenantList(w.Tenants))
		}
		parts = append(parts, escapeAll(w.Reasons)...)
	}
	if w.Waiting > 0 {
		parts = append(parts, users(w.Waiting)+" wait for a pause")
	}
	if w.Skipped > 0 {
		parts = append(parts, users(w.Skipped)+" skipped")
	}
	if len(parts) == 0 {
		parts = append(parts, "nobody to move")
	}
	return strings.Join(parts, "; ")
}

const listedTenants = 6

// tenantList names the tenants with most users.
func tenantList(list []planner.TenantEffect) string {
	list = bySize(list)
	var parts []string
	for i, t := range list {
		if i == listedTenants {
			var rest int64
			for _, r := range list[i:] {
				rest += r.Users
			}
			parts = append(parts, fmt.Sprintf("%s %s", of(int64(len(list)-i), "other tenant", "other tenants"), count(rest)))
			break
		}
		parts = append(parts, Escape(t.Slug)+" "+count(t.Users))
	}
	return strings.Join(parts, ", ")
}

func bySize(list []planner.TenantEffect) []planner.TenantEffect {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b planner.TenantEffect) int { return int(b.Users - a.Users) })
	return list
}

func (p *planPage) changes() {
	if p.plan.Empty() {
		return
	}
	p.gap()
	p.line("%s", p.bold("Changes"))
	for _, s := range p.plan.Schema {
		p.hang("  ~ schema  ", Escape(s.Text))
	}
	p.objects()
	if len(p.a.Follow) > 0 {
		p.line("  ~ users moved before, whose row changed")
		p.effects(p.a.Follow)
	}
	for _, w := range p.a.Waves {
		if !w.Moves {
			continue
		}
		if p.plan.Kind == state.RunRollback {
			p.line("  ~ users moved under wave %s", Escape(w.Name))
		} else {
			p.line("  ~ wave.%s", Escape(w.Name))
		}
		p.effects(w.Tenants)
	}
}

const listedObjects = 16

var signs = map[planner.Action]string{planner.Create: "+", planner.Update: "~", planner.Recover: "~", planner.Delete: "-", planner.Replace: "-+", planner.Adopt: "~",
	planner.Forget: "."}

// listedAlike is how many objects of one block with one action are listed, where there are many in all. Clients and tenants
// are few, and each says something of its own.
func listedAlike(o planner.ObjectChange) int {
	if o.Kind == state.KindClient || o.Kind == state.KindTenant {
		return 40
	}
	return 4
}

// widestText is how much is said of an object in its own line; more stands below it.
const widestText = 90

func (p *planPage) objects() {
	many := len(p.plan.Objects) > listedObjects+2
	var rows [][]string
	var rest []planner.ObjectChange
	alike, under := map[string]int{}, map[int][]string{}
	for _, o := range p.plan.Objects {
		key := o.Address.Block() + string(o.Action)
		if alike[key]++; many && alike[key] > listedAlike(o) {
			rest = append(rest, o)
			continue
		}
		texts := escapeAll(p.a.Texts[o.Address])
		text := strings.Join(texts, "; ")
		if cells(text) > widestText {
			text = ""
			if cells(texts[0]) <= widestText {
				text, texts = texts[0], texts[1:]
			}
			under[len(rows)] = texts
		}
		rows = append(rows, []string{signs[o.Action] + " " + Escape(string(o.Address)), text, Escape(p.a.Where[o.Address])})
	}
	p.tableWith(2, nil, rows, under)
	if len(rest) > 0 {
		p.line("    and %s of %s like these (anthill show -json PLANFILE lists all)", count(int64(len(rest))), strings.Join(blocks(rest), ", "))
	}
}

// blocks names the blocks of some objects.
func blocks(list []planner.ObjectChange) (names []string) {
	for _, o := range list {
		if !slices.Contains(names, o.Address.Block()) {
			names = append(names, o.Address.Block())
		}
	}
	return names
}

// effectRow is one line of the table of effects.
type effectRow struct {
	text string
	of   func(planner.TenantEffect) int64
}

var effectRows = []effectRow{
	{"users", func(t planner.TenantEffect) int64 { return t.Users }},
	{"of them admins", func(t planner.TenantEffect) int64 { return t.Admins }},
	{"create a person", func(t planner.TenantEffect) int64 { return t.Create }},
	{"take up the person that is ours", func(t planner.TenantEffect) int64 { return t.Enable }},
	{"take over the person with the address", func(t planner.TenantEffect) int64 { return t.Adopt }},
	{"bring the person back", func(t planner.TenantEffect) int64 { return t.Revive }},
	{"linked before, only recorded", func(t planner.TenantEffect) int64 { return t.Found }},
	{"address follows the row", func(t planner.TenantEffect) int64 { return t.Mail }},
	{"expire the person", func(t planner.TenantEffect) int64 { return t.Expire }},
	{"delete the person", func(t planner.TenantEffect) int64 { return t.Delete }},
	{"join groups", func(t planner.TenantEffect) int64 { return t.Join }},
	{"gain an admin group", func(t planner.TenantEffect) int64 { return t.GainAdmin }},
	{"lose an admin group", func(t planner.TenantEffect) int64 { return t.LoseAdmin }},
	{"leave groups", func(t planner.TenantEffect) int64 { return t.Leave }},
	{"link the row", func(t planner.TenantEffect) int64 { return t.Link }},
	{"password -> dual", func(t planner.TenantEffect) int64 { return t.Dual }},
	{"no password -> self_auth", func(t planner.TenantEffect) int64 { return t.SelfAuth }},
	{"row goes back", func(t planner.TenantEffect) int64 { return t.Restore }},
	{"have logged in through Self-auth", func(t planner.TenantEffect) int64 { return t.Used }},
}

const effectColumns = 5

func (p *planPage) effects(list []planner.TenantEffect) {
	list = bySize(list)
	shown := list
	if len(list) > effectColumns+1 {
		shown = list[:effectColumns]
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
	for _, e := range effectRows {
		if row, any := effectLine(e, list, len(shown)); any {
			rows = append(rows, row)
		}
	}
	right := make([]bool, len(head))
	for i := range right {
		right[i] = i > 0
	}
	p.table(8, right, rows)
}

func tenantName(t planner.TenantEffect) string {
	if t.Slug == "" {
		return "(tenant gone)"
	}
	return Escape(t.Slug)
}

func effectLine(e effectRow, list []planner.TenantEffect, shown int) (row []string, any bool) {
	row = []string{e.text}
	var all, rest int64
	for i, t := range list {
		n := e.of(t)
		all += n
		if i < shown {
			row = append(row, count(n))
		} else {
			rest += n
		}
	}
	if shown < len(list) {
		row = append(row, count(rest))
	}
	if len(list) > 1 {
		row = append(row, count(all))
	}
	return row, all > 0
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

func (p *planPage) notMoved() {
	var all int64
	var rows [][]string
	for _, s := range p.a.NotMoved {
		all += s.Count
		rows = append(rows, []string{count(s.Count), s.Reason.Text()})
	}
	if all == 0 {
		return
	}
	p.gap()
	list := "PLANFILE"
	if p.o.PlanFile != "" {
		list = Escape(p.o.PlanFile)
	}
	p.line("%s: %s whom a wave selects   (anthill show -skipped %s)", p.bold("Not moved"), users(all), list)
	p.table(2, []bool{true}, rows)
}

const listedRemarks = 8

func (p *planPage) remarks() {
	p.remark("Dormant", p.a.Dormant)
	p.remark("Changed outside Anthill", p.a.Outside)
	p.remark("Notes", p.a.Notes)
}

func (p *planPage) remark(title string, list []string) {
	if len(list) == 0 {
		return
	}
	p.gap()
	p.line("%s", p.bold(title))
	for i, s := range list {
		if i == listedRemarks && len(list) > listedRemarks+1 {
			p.line("  and %s more", count(int64(len(list)-i)))
			return
		}
		p.hang("  - ", Escape(s))
	}
}

func (p *planPage) cost() {
	if p.plan.Empty() {
		return
	}
	p.gap()
	takes := ""
	if p.a.WriteSeconds >= 1 {
		takes = fmt.Sprintf(" (whose persons take a server of two cores about %s)", roughly(p.a.WriteSeconds))
	}
	p.hang(p.bold("Cost")+"  ", fmt.Sprintf("about %s to Self-auth%s and %s on Postgres", of(p.a.Calls, "call", "calls"), takes, of(p.a.Transactions, "transaction", "transactions")))
}

// roughly writes a time of which only the size is known.
func roughly(seconds float64) string {
	if seconds < 100 {
		return fmt.Sprintf("%.0f s", seconds)
	}
	return fmt.Sprintf("%.0f minutes", seconds/60)
}

func (p *planPage) next() {
	p.gap()
	p.line("Plan ID  %s", p.id)
	if p.o.PlanFile == "" || p.plan.Blocked() {
		return
	}
	p.line("Saved to %s. To carry out exactly this:", Escape(p.o.PlanFile))
	p.gap()
	p.line("    anthill apply %s", Escape(p.o.PlanFile))
}
