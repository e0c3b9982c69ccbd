package report

import (
	"slices"
	"strings"

	"anthill/internal/survey"
	"anthill/planner/plan"
	"anthill/state"
)

// Widths of the table of waves.
const (
	waveName  = 20
	fewCells  = 6
	mostCells = 24
)

// waves shows how the waves stand.
func (p *statusPage) waves() {
	if len(p.Survey.Waves) == 0 {
		return
	}
	p.gap()
	list := p.waveRows()
	name := func(r waveRow) string { return short(stepIn(r.Name), waveName) }
	rows := [][]string{{"", "users", "moved", "invited", "enrolled", "completed"}}
	for _, w := range list {
		f := w.Figures
		rows = append(rows, []string{name(w), count(w.Matched), count(f.Moved), count(f.Invited), known(f.Enrolled), count(f.Completed)})
	}
	if width := min(p.o.Width-widthOf(rows)-2, mostCells); width >= fewCells {
		rows[0] = append(rows[0], "")
		for i, w := range list {
			rows[i+1] = append(rows[i+1], progressBar(width, w.Matched, w.Figures.Moved, w.Figures.Completed))
		}
	}
	p.table(0, []bool{false, true, true, true, true, true}, rows)
	if len(rows[0]) > 6 {
		p.line("%s", "(# completed, = moved)")
	}
	p.gap()
	width := 0
	for _, w := range list {
		width = max(width, cells(name(w)))
	}
	for _, w := range list {
		p.hang(padded(name(w), width)+"  ", strings.Join(p.rowWords(w), p.dot()))
	}
}

// waveRows are the rows of the list of waves.
func (p *statusPage) waveRows() []waveRow {
	list := make([]plan.WaveView, len(p.Survey.Waves))
	for i, w := range p.Survey.Waves {
		list[i] = w.WaveView
	}
	return waveRows(list)
}

// rowWords say how the wave of a row stands, or how far its steps are.
func (p *statusPage) rowWords(r waveRow) []string {
	if r.whole == nil {
		return p.waveWords(p.Survey.Waves[r.place])
	}
	list := []string{r.whole.said}
	if r.State != "" {
		list = append(list, p.stateWords(survey.Wave{WaveView: r.WaveView}))
	}
	return list
}

// progressBar draws how many of so many are moved, and how many of those have completed.
func progressBar(width int, all, moved, completed int64) string {
	cellsOf := func(n int64) int {
		if n <= 0 || all <= 0 {
			return 0
		}
		return min(width, max(1, int(int64(width)*n/all)))
	}
	done := cellsOf(completed)
	there := max(done, cellsOf(moved))
	return strings.Repeat("#", done) + strings.Repeat("=", there-done) + strings.Repeat("-", width-there)
}

// waveWords say how a wave stands and what it waits for.
func (p *statusPage) waveWords(w survey.Wave) (list []string) {
	switch {
	case !w.Declared && p.Mistakes != "":
		list = append(list, "not judged")
		if w.Moved > 0 {
			list[0] += ", " + users(w.Moved) + " moved as recorded"
		}
	case !w.Declared:
		list = append(list, "not declared any more, and holds "+of(w.Moved, "moved user", "moved users")+" ("+
			p.words.command("rollback", "-wave", w.Name)+" would take back whom it has moved)")
	default:
		list = append(list, p.stateWords(w))
	}
	switch {
	case w.Due > 0 && w.State == plan.WaveDone:
		list = append(list, of(w.Due, "late user", "late users")+" to move")
	case w.Due > 0:
		list = append(list, users(w.Due)+" to move")
	}
	if w.Waiting > 0 {
		list = append(list, of(w.Waiting, "user waits", "users wait"))
	}
	if w.Skipped > 0 {
		list = append(list, of(w.Skipped, "user is", "users are")+" skipped")
	}
	if away := notLive(w.WaveView); away != "" {
		list = append(list, away)
	}
	for _, f := range w.Reasons {
		// Gates stand below with all that is known of them, and pauses have a place of their own.
		if !slices.Contains([]state.Code{state.CodeGateClosed, state.CodeGateValue, state.CodeGateShut, state.CodeGateNoData, state.CodeGateFailsNoData, state.CodeSoaks,
			state.CodeTenantsUnconfirmed, state.CodeTenantPaused, state.CodeWavePaused}, f.Code) {
			list = append(list, p.words.say(f))
		}
	}
	list = append(list, p.announcedWords(w)...)
	for _, g := range w.Gates {
		if words := p.gateWords(w, g); words != "" {
			list = append(list, words)
		}
	}
	if w.Began != nil && w.Declared && !w.Since.IsZero() {
		began := "begun by run " + Escape(w.Began.Run) + " of " + Escape(w.Began.Who)
		if w.Began.ApprovedBy != "" {
			began += ", approved by " + Escape(w.Began.ApprovedBy)
		}
		list = append(list, began)
	}
	return list
}

// announcedWords say how far a wave is announced, and who is told when.
func (p *statusPage) announcedWords(w survey.Wave) (list []string) {
	a := w.Announced
	if a == nil {
		return nil
	}
	whom := func(n int64) string {
		if a.To == survey.ToAdmins {
			return of(n, "administrator of a tenant", "administrators of tenants")
		}
		return users(n)
	}
	if n := a.Told + a.Refused; n > 0 {
		text := "announced to " + whom(n)
		if a.Refused > 0 {
			text += ", of which " + of(a.Refused, "mail was", "mails were") + " refused"
		}
		list = append(list, text)
	}
	if a.ToTell == 0 {
		return list
	}
	asked := p.words.command("invite", "-wave", w.Name)
	switch who := whom(a.ToTell); {
	case a.Due:
		return append(list, who+" to be told by the next apply")
	case a.Late:
		return append(list, who+plural(a.ToTell, " is", " are")+" not told, and the wave may start (told first by "+asked+")")
	case a.Next.IsZero():
		return append(list, who+" to be told, as its start has no date, by "+asked)
	default:
		return append(list, who+" to be told from "+stamp(a.Next)+" on")
	}
}

func (p *statusPage) stateWords(w survey.Wave) string {
	text := p.words.waveState(w.State)
	switch {
	case w.State == plan.WaveStarts:
		text = "may start with the next apply"
	case w.State == plan.WaveSoaking && !w.Until.IsZero():
		text += " until " + stamp(w.Until)
	case (w.State == plan.WaveDone || w.State == plan.WaveRunning) && !w.Since.IsZero():
		text += " since " + day(w.Since)
	}
	return text
}

// gateWords say how a gate stands; "" of one that has done its work.
func (p *statusPage) gateWords(w survey.Wave, g survey.Gate) string {
	over := w.State == plan.WaveDone || !g.Finish && !w.Since.IsZero()
	var text string
	switch {
	case g.Kind == survey.GateFigures && over:
		return ""
	case g.Kind == survey.GateFigures:
		text = p.words.say(g.Figures)
	case g.Kind == survey.GateTenant:
		text = `gate "` + Escape(g.Name) + `": ` + of(int64(g.Tenants), "tenant has", "tenants have") + " confirmed"
		if g.Waiting > 0 {
			text += ", " + of(int64(g.Waiting), "waits", "wait") + " (" + p.words.command("wave", "confirm", "-tenant", "SLUG", w.Name, g.Name) + ")"
		}
		return text
	case g.Open:
		return `gate "` + Escape(g.Name) + `"` + valued(g.Value) + ` ` + signedWords("confirmed by", state.Signed{By: g.By, Reason: g.Note, At: g.Since})
	case over:
		return ""
	case g.Figures.Code == state.CodeGateValue:
		return p.words.say(g.Figures)
	default:
		text = `gate "` + Escape(g.Name) + `" is closed (` + p.words.command("wave", "confirm", w.Name, g.Name) + ")"
	}
	if !g.Open && !g.Since.IsZero() {
		text += ", waits since " + day(g.Since)
	}
	return text
}

// known writes a figure that is not always known.
func known(n *int64) string {
	if n == nil {
		return "?"
	}
	return count(*n)
}

// notLive says how many of those who were moved are in none of a wave's figures; "" where there are none.
func notLive(w plan.WaveView) string {
	n := w.Moved - w.Figures.Moved
	if n <= 0 {
		return ""
	}
	return "besides, " + of(n, "moved user is", "moved users are") + " not active at present"
}
