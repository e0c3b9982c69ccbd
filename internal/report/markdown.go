package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// MarkdownOptions are how long a plan in markdown may be, and what its commands name.
type MarkdownOptions struct {
	MaxBytes int    // 0 = MarkdownBytes; at least LeastMarkdown
	PlanFile string // where the plan is saved, seen from Chdir; "": nowhere
	Chdir    string // as in Options
}

// MarkdownBytes is how long a plan in markdown is at most, unless something else is asked for: GitHub takes comments of
// 65,536 characters. LeastMarkdown is the shortest that can be asked for: what decides fits in that.
const (
	MarkdownBytes = 60000
	LeastMarkdown = 4000
)

// Markdown writes a plan for a comment on a pull request, as GitHub and GitLab show it. With old, d says what the plan
// does otherwise than that. It is never longer than it may be: lists are cut until it fits, and what is left out is
// counted.
func Markdown(w io.Writer, f, old *planfile.File, d *planfile.Diff, o MarkdownOptions) error {
	o.MaxBytes = max(cmp.Or(o.MaxBytes, MarkdownBytes), LeastMarkdown)
	v, before := newView(f), (*view)(nil)
	if old != nil {
		before = newView(old)
	}
	var m *markdown
	for _, l := range markdownLimits() {
		m = newMarkdown(v, l, o)
		if old != nil {
			m.since = compared(before, v, d, m.voice)
		}
		m.write()
		if m.size() <= o.MaxBytes {
			break
		}
	}
	m.drop(o.MaxBytes)
	_, err := io.WriteString(w, m.String())
	return err
}

// limits are how much of a plan is listed.
type limits struct {
	entries  int // of a list
	names    int // of a list within a sentence
	chars    int // of a text from outside
	sentence int // bytes of an entry, or of a cell of a table
}

// markdownLimits are tried one after the other, until the plan is short enough.
func markdownLimits() []limits {
	return []limits{
		{300, 40, 80, 4000}, {100, 20, 80, 2000}, {65, 15, 80, 1500}, {40, 10, 80, 1000}, {20, 8, 60, 600},
		{10, 6, 40, 400}, {5, 4, 30, 250}, {2, 2, 20, 160}, {0, 1, 12, 100},
	}
}

// markdown is a plan in markdown, in blocks. A block is whole lines, and its text ends with a line break.
type markdown struct {
	t      *telling
	since  *contrast // nil: there is no older plan
	l      limits
	o      MarkdownOptions
	blocks []block
}

// block is a part of the text that is shown or left out as a whole.
type block struct {
	text string
	rank int // those of the highest rank are left out first, of one rank the last one; of rank 0 none
}

// The ranks. Blocks of rankHead are bounded, in all by less than LeastMarkdown at the last of the limits.
const (
	rankHead = iota
	rankVerdicts
	rankWaves
	rankFoot
	rankDetails
)

func newMarkdown(v *view, l limits, o MarkdownOptions) *markdown {
	m := &markdown{l: l, o: o}
	m.t = v.tell(m.voice(), o.PlanFile)
	return m
}

func (m *markdown) voice() *voice {
	return &voice{
		escape: func(s string) string { return code(s, m.l.chars) },
		command: func(args ...string) string {
			return code(Command(Options{Chdir: m.o.Chdir}, args...), 4*m.l.chars)
		},
		most: m.l.names,
	}
}

func (m *markdown) add(rank int, lines ...string) {
	m.blocks = append(m.blocks, block{strings.Join(lines, "\n") + "\n", rank})
}

func (m *markdown) size() int { return len(m.String()) }

// String is the blocks, a blank line between them.
func (m *markdown) String() string {
	texts := make([]string, len(m.blocks))
	for i, b := range m.blocks {
		texts[i] = b.text
	}
	return strings.Join(texts, "\n")
}

// leftOut stands where blocks are left out.
const leftOut = "The rest is too long to be shown here: anthill show has it.\n"

// drop leaves out blocks until the text is no longer than most.
func (m *markdown) drop(most int) {
	for size, dropped := m.size(), false; size > most; size = m.size() {
		last := 0
		for i, b := range m.blocks {
			if b.text != leftOut && b.rank >= m.blocks[last].rank {
				last = i
			}
		}
		if m.blocks[last].rank == rankHead {
			panic("the head of a plan in markdown is too long. This is a bug in Anthill.")
		}
		if m.blocks = slices.Delete(m.blocks, last, last+1); !dropped {
			dropped = true
			m.blocks = slices.Insert(m.blocks, last, block{leftOut, rankHead})
		}
	}
}

func (m *markdown) write() {
	m.head()
	m.blocked()
	m.headline()
	m.verdicts()
	m.waves()
	m.undone()
	m.changes()
	m.radius()
	m.users()
	m.notMoved()
	m.remarks()
	m.cost()
	m.undo()
	m.differs()
	m.foot()
}

func bold(s string) string { return "**" + s + "**" }

// clip is a sentence as long as it may be.
func (m *markdown) clip(s string) string { return clip(s, m.l.sentence) }

func (m *markdown) head() {
	what := "plan"
	if m.t.isRollback() {
		what = "rollback plan"
	}
	environment := m.t.effects.Target.Environment
	m.add(rankHead, marker(environment),
		fmt.Sprintf("### Anthill %s %s for %s", what, code(m.t.id.Short(), m.l.chars), m.t.words.escape(environment)))
	if early := m.t.early(); early != "" {
		m.add(rankHead, bold(early))
	}
	if part, leaves := m.t.part(); part != "" {
		m.add(rankHead, bold(m.clip(part)+" "+leaves))
	}
	if list := m.t.pulledIn(); len(list) > 0 {
		m.add(rankVerdicts, pulledTitle+": "+m.clip(strings.Join(m.t.words.fewOf(list), ", "))+".")
	}
	if open := m.t.openRun(); open != "" {
		m.add(rankVerdicts, open)
	}
	for _, s := range m.t.leftOpen() {
		m.add(rankVerdicts, bold(s))
	}
}

// mostBlocked is how many hazards the head has: there are not so many.
const mostBlocked = 10

// blocked names the hazards that nobody allowed.
func (m *markdown) blocked() {
	list := m.t.blocked()
	if len(list) == 0 {
		return
	}
	var flags []string
	for _, r := range list[:min(len(list), mostBlocked)] {
		flags = append(flags, r.allow)
		if m.l.entries > 0 {
			m.add(rankHead, fmt.Sprintf("%s %s: %s (%s)<br>To allow it for this plan alone, make the plan again with the same "+
				"flags and %s", bold("BLOCKED"), r.code, m.clip(strings.Join(r.of, ". ")), r.explain, code(r.allow, 80)))
		}
	}
	if n := len(list) - len(flags); n > 0 {
		m.add(rankHead, bold("BLOCKED")+" by "+of(int64(n), "other hazard", "other hazards"))
	}
	if m.l.entries == 0 {
		m.add(rankHead, bold("BLOCKED")+", unless it is made again with "+code(strings.Join(flags, " "), 600))
	}
}

// headline is what the plan does, in exact figures.
func (m *markdown) headline() {
	line, more := bold(m.clipUndoes(m.t.headline())), []string(nil)
	if m.t.effects.Empty() && !m.t.isRollback() {
		more = append(more, m.t.movedAlready())
	}
	if s := m.t.admins(); s != "" && !m.t.isRollback() {
		more = append(more, s+".")
	}
	for _, s := range m.t.objectCounts() {
		more = append(more, s+".")
	}
	if len(more) > 0 {
		line += "<br>" + strings.Join(more, " ")
	}
	m.add(rankHead, line)
}

// clipUndoes cuts a headline with names in it, which is that of a rollback. The others are figures alone.
func (m *markdown) clipUndoes(s string) string {
	if m.t.isRollback() {
		return clip(s, max(m.l.sentence, 400))
	}
	return s
}

// table is a table; cells hold no line break, and no bar but those of entities.
func table(head []string, right []bool, rows [][]string) []string {
	row := func(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
	rule := make([]string, len(head))
	for i := range head {
		rule[i] = "---"
		if i < len(right) && right[i] {
			rule[i] = "---:"
		}
	}
	lines := []string{row(head), row(rule)}
	for _, r := range rows {
		lines = append(lines, row(r))
	}
	return lines
}

// verdicts are what a reviewer looks for first, one a row.
func (m *markdown) verdicts() {
	var rows [][]string
	add := func(what string, sentences ...string) {
		if s := strings.Join(sentences, "<br>"); s != "" {
			rows = append(rows, []string{what, s})
		}
	}
	strongly := func(s said) string {
		if s.strong {
			return bold(s.text)
		}
		return s.text
	}
	if m.t.isRollback() {
		for _, s := range m.t.closes() {
			add("Ways to log in", strongly(s))
		}
	} else {
		var logins []string
		for _, s := range m.t.logins() {
			logins = append(logins, strongly(s))
		}
		add("Ways to log in", logins...)
		verdict, follows, violations := m.t.isolation()
		sentences := []string{strongly(verdict)}
		if follows != "" {
			sentences[0] += " " + follows
		}
		add("Isolation", append(sentences, m.findings(violations)...)...)
	}
	add("Sessions", m.t.sessions())
	add("Undo", m.t.undo())
	if s := m.t.recycled(); s != "" {
		add("Deletions", bold(s))
	}
	add("Hazards", m.allowed()...)
	add("Pauses", m.entries(m.t.stay())...)
	if n := int64(len(m.t.context.Conflicts)); n > 0 {
		add("Conflicts", bold(inConflict(n)+"."))
	}
	m.add(rankVerdicts, table([]string{"", ""}, nil, rows)...)
}

// allowed says which hazards are allowed, and which are not.
func (m *markdown) allowed() (list []string) {
	var blocked []string
	for _, r := range m.t.hazards() {
		what := fmt.Sprintf("%s=%d", r.code, r.count)
		if !r.allowed {
			blocked = append(blocked, what)
			continue
		}
		list = append(list, "Allowed: "+what+": "+m.clip(strings.Join(r.of, ". ")))
	}
	if len(blocked) > 0 {
		list = append([]string{bold("Not allowed: " + strings.Join(m.t.words.fewOf(blocked), ", "))}, list...)
	}
	if len(list) == 0 {
		return []string{"No hazards."}
	}
	return list
}

// rest counts those of a list that are left out where so many are shown.
func rest(n, shown int) string {
	if shown == 0 {
		return count(int64(n)) + " in all"
	}
	return "and " + count(int64(n-shown)) + " more"
}

// entries are those of a list, each as long as it may be, and the number of those that are left out.
func (m *markdown) entries(list []string) []string {
	shown := each(list[:m.listed(len(list))], m.clip)
	if n := len(shown); n < len(list) {
		shown = append(shown, rest(len(list), n))
	}
	return shown
}

// listed is how many of a list are shown.
func (m *markdown) listed(n int) int {
	if n <= m.l.entries+1 && m.l.entries > 0 {
		return n
	}
	return m.l.entries
}

// findings are entries, where some are left out those with the largest counts.
func (m *markdown) findings(list []state.Finding) []string {
	n, texts := m.listed(len(list)), make([]string, len(list))
	if n < len(list) {
		list = slices.Clone(list)
		slices.SortStableFunc(list, func(a, b state.Finding) int { return cmp.Compare(b.Count, a.Count) })
		list = ofEachKind(list, n)
	}
	for i, f := range list {
		texts[i] = m.t.words.say(f)
	}
	return m.entries(texts)
}

// waves is how waves stand, those that start in bold.
func (m *markdown) waves() {
	list := m.t.context.Waves
	if len(list) == 0 || m.t.isRollback() {
		return
	}
	moves := func(w plan.WaveView) int64 {
		if p := m.t.moved(w.Name); p != nil {
			return p.All[plan.FigureUsers]
		}
		return 0
	}
	// The largest are shown, in the order of the plan.
	places := make([]int, len(list))
	for i := range places {
		places[i] = i
	}
	slices.SortStableFunc(places, func(a, b int) int {
		return cmp.Or(cmp.Compare(moves(list[b]), moves(list[a])), cmp.Compare(m.t.due(list[b]), m.t.due(list[a])))
	})
	shown := places[:m.listed(len(list))]
	slices.Sort(shown)
	var rows [][]string
	var others int64
	states := map[plan.WaveState]int64{}
	inSteps := map[string]int64{} // whom the steps of a wave move
	for _, w := range list {
		inSteps[state.WholeWave(w.Name)] += moves(w)
	}
	for _, r := range waveRows(list) {
		n, name := moves(r.WaveView), m.t.words.escape(r.Name)
		var says string
		switch {
		case r.whole != nil && !slices.ContainsFunc(shown, func(i int) bool { return state.InWave(list[i].Name, r.Name) }):
			continue
		case r.whole != nil:
			n, says = inSteps[r.Name], r.whole.said
		case !slices.Contains(shown, r.place):
			others += n
			states[r.State]++
			continue
		default:
			says = m.t.wave(r.WaveView)
		}
		row := []string{name, m.t.words.waveState(r.State), count(n), m.clip(says)}
		if n > 0 {
			row[0], row[1], row[2] = bold(row[0]), bold(row[1]), bold(row[2])
		}
		if r.isStep() {
			row[0] = "&emsp;" + row[0]
		}
		rows = append(rows, row)
	}
	if n := len(shown); n < len(list) {
		rows = append(rows, []string{rest(len(list), n), "", count(others), m.states(states)})
	}
	m.add(rankWaves, table([]string{"wave", "state", "this plan moves", ""}, []bool{false, false, true}, rows)...)
}

func (m *markdown) states(n map[plan.WaveState]int64) string {
	var parts []string
	for _, s := range waveStates() {
		if n[s] > 0 {
			parts = append(parts, count(n[s])+" "+string(s))
		}
	}
	return strings.Join(parts, ", ")
}
