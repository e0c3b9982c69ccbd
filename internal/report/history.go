package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"anthill/internal/apply"
	"anthill/planner/plan"
	"anthill/planner/planfile"
	"anthill/state"
)

// Happened is what happened in a run, beside the plan that it keeps.
type Happened struct {
	Run     state.RunInfo
	Plan    *planfile.File
	Users   []state.Tally // in no order
	Objects []state.ObjectRecord
	Left    []apply.Left // users who were not brought to where they were to be; there may be more
	Mails   []state.MailTally
}

// happened is how it ended for the users of a tenant in a segment, or for all of them.
type happened struct {
	Kind    plan.SegmentKind `json:"kind,omitempty"`
	Wave    string           `json:"wave,omitempty"`
	Tenant  *plan.Tenant     `json:"tenant,omitempty"` // nil: of all
	Planned int64            `json:"planned"`
	Done    int64            `json:"done"`
	Already int64            `json:"already"` // they were at their after-state
	Changed int64            `json:"changed"` // meanwhile, and left alone
	Failed  int64            `json:"failed"`
	Paused  int64            `json:"paused"`
	Untried int64            `json:"untried"` // planned, and none of these
}

func (h *happened) count(t state.Tally) {
	switch t.Verdict {
	case state.Done:
		h.Done += t.Users
	case state.Already:
		h.Already += t.Users
	case state.Changed:
		h.Changed += t.Users
	case state.Refused:
		h.Failed += t.Users
	case state.Paused:
		h.Paused += t.Users
	}
}

func (h *happened) settle() {
	h.Untried = max(0, h.Planned-h.Done-h.Already-h.Changed-h.Failed-h.Paused)
}

// byTenant puts what was planned and what happened beside each other: tenants in the order of the plan's segments, those
// with most users first, and all together.
func (h Happened) byTenant() (list []*happened, all *happened) {
	e := h.Plan.Effects()
	type key struct {
		segment int
		tenant  uuid.UUID
	}
	lines, slugs := map[key]*happened{}, e.Slugs()
	all = &happened{Planned: e.Users()}
	line := func(segment int, tenant uuid.UUID) *happened {
		k := key{segment, tenant}
		if lines[k] == nil {
			s := e.Segments[segment]
			lines[k] = &happened{Kind: s.Kind, Wave: s.Wave, Tenant: &plan.Tenant{ID: tenant, Slug: slugs[tenant]}}
		}
		return lines[k]
	}
	// Who is only written to, or gives an address up, is no user whom the run was to change.
	written := func(segment int) bool { return !e.Segments[segment].Kind.Changes() }
	for n := range e.Segments {
		if written(n) {
			continue
		}
		for _, c := range h.Plan.Counted(n) {
			line(n, c.Shape.Tenant).Planned += c.Users
		}
	}
	for _, t := range h.Users {
		if t.Segment >= 0 && t.Segment < len(e.Segments) && !written(t.Segment) {
			line(t.Segment, t.Tenant).count(t)
			all.count(t)
		}
	}
	keys := make([]key, 0, len(lines))
	for k, l := range lines {
		l.settle()
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.segment, b.segment), cmp.Compare(lines[b].Planned, lines[a].Planned),
			cmp.Compare(lines[a].Tenant.Slug, lines[b].Tenant.Slug), slices.Compare(a.tenant[:], b.tenant[:]))
	})
	for _, k := range keys {
		list = append(list, lines[k])
	}
	all.settle()
	return list, all
}

// mails says how many mails the plan had, and what became of them; "" where it had none.
func (h Happened) mails() string {
	n := newView(h.Plan).mails()
	if n == 0 {
		return ""
	}
	became, _ := mailsBecame(h.Mails)
	return of(n, "mail", "mails") + " planned: " + cmp.Or(became, "none chosen")
}

// kind says what the run was.
func (h Happened) kind(t *telling) string {
	if t.effects.Was != nil {
		return string(h.Run.Kind) + ": " + strings.Join(t.retargets(), "; ")
	}
	if h.Plan.Effects().PostgresOnly() {
		return string(h.Run.Kind) + " in Postgres alone: Self-auth was neither asked nor changed"
	}
	return string(h.Run.Kind)
}

// missed are the objects that a run did not do, or has not done yet.
func (h Happened) missed() (list []state.ObjectRecord) {
	for _, o := range h.Objects {
		if !o.Settled || o.Verdict != state.Done && o.Verdict != state.Already {
			list = append(list, o)
		}
	}
	return list
}

// History writes what happened in a run beside what was planned: the page of whoever looks at it later.
func History(w io.Writer, h Happened, o Options) error {
	p := newPage(w, o)
	t := newView(h.Plan).tell(p.voice(), "")
	say, r := t.words.say, h.Run
	p.hang("Run      ", p.bold(Escape(r.ID))+p.dot()+h.kind(t)+p.dot()+outcome(r))
	p.line("By       %s%s", Escape(r.Who), approved(r))
	p.line("From     %s%s", stamp(r.Started), until(r))
	p.line("Plan     %s", r.Plan)
	p.line("Seal     %s", r.Seal)
	if !r.Open {
		p.line("Digest   %s", r.Digest)
		if r.Previous != (state.Hash{}) {
			p.line("Behind   %s, the digest of the run before", r.Previous)
		}
	}
	if from := strings.Join(t.origin(), p.dot()); from != "" {
		p.hang("Made     ", from)
	}
	if job := t.job(); job != "" {
		p.hang("Job      ", job)
	}
	list, all := h.byTenant()
	p.gap()
	p.para(fmt.Sprintf("%s planned: %s", users(all.Planned), countText(r.Counts)))
	if all.Untried > 0 {
		p.para(of(all.Untried, "user was", "users were") + " not tried")
	}
	p.para(of(int64(len(t.effects.Objects)), "object", "objects") + " planned")
	if s := h.mails(); s != "" {
		p.para(s)
	}
	if r.Undone {
		p.para(p.bold("It was taken back later, wholly."))
	}
	p.happened(list)
	for i, o := range h.missed() {
		if i == 0 {
			p.gap()
			p.line("%s", p.bold("Objects that were not done"))
		}
		state := verdict(o.Verdict)
		if !o.Settled {
			state = "begun"
		}
		p.line("  %-9s %s", state, Escape(string(o.Address)))
	}
	for i, l := range h.Left {
		switch i {
		case 0:
			p.gap()
			p.line("%s", p.bold("Users who were left"))
		case listedLeft:
			p.line("  and more (%s lists them)", p.command("show", "-json", "-run", r.ID))
			return p.flush()
		}
		p.hang(fmt.Sprintf("  %-9s %s  ", verdict(l.Verdict), l.User), say(l.Reason))
	}
	return p.flush()
}

func approved(r state.RunInfo) string {
	if r.ApprovedBy == "" {
		return ", approved by nobody who is named"
	}
	return ", approved by " + Escape(r.ApprovedBy)
}

func until(r state.RunInfo) string {
	if r.Open {
		return ", not ended"
	}
	return " to " + stamp(r.Ended) + " (" + r.Ended.Sub(r.Started).Round(100*time.Millisecond).String() + ")"
}

const listedHappened = 30

func (p *page) happened(list []*happened) {
	if len(list) == 0 {
		return
	}
	rows := [][]string{{"", "", "planned", "done", "already", "changed", "failed", "paused", "not tried"}}
	for i, h := range list {
		if i == listedHappened && len(list) > listedHappened+1 {
			break
		}
		row := []string{p.voice().sortOf(h.Kind, h.Wave), cmp.Or(short(Escape(h.Tenant.Slug), 32), "(tenant gone)")}
		for _, n := range []int64{h.Planned, h.Done, h.Already, h.Changed, h.Failed, h.Paused, h.Untried} {
			row = append(row, count(n))
		}
		rows = append(rows, row)
	}
	right := make([]bool, len(rows[0]))
	for i := range right {
		right[i] = i > 1
	}
	p.gap()
	p.line("%s", p.bold("Users"))
	p.table(2, right, rows)
	if rest := len(list) + 1 - len(rows); rest > 0 {
		p.line("  and %s more", of(int64(rest), "tenant", "tenants"))
	}
}

// historyJSON is what happened in a run, for programs.
type historyJSON struct {
	FormatVersion string       `json:"format_version"`
	Run           runJSON      `json:"run"`
	PostgresOnly  bool         `json:"postgres_only,omitempty"` // Self-auth was neither asked nor changed
	All           *happened    `json:"all"`
	Tenants       []*happened  `json:"tenants"`
	NotDone       []objectJSON `json:"objects_not_done"`
	Left          []leftJSON   `json:"left"` // the first 1,000

	Mails []state.MailTally `json:"mails,omitempty"` // by what became of them
}

type objectJSON struct {
	Address state.Address `json:"address"`
	Action  state.Action  `json:"action"`
	Settled bool          `json:"settled"`
	Verdict state.Verdict `json:"verdict"`
}

// HistoryJSON writes what happened in a run as JSON.
func HistoryJSON(w io.Writer, h Happened) error {
	list, all := h.byTenant()
	j := historyJSON{FormatVersion, runOf(h.Run), h.Plan.Effects().PostgresOnly(), all, listed(list), []objectJSON{}, []leftJSON{}, h.Mails}
	for _, o := range h.missed() {
		j.NotDone = append(j.NotDone, objectJSON{o.Address, o.Action, o.Settled, o.Verdict})
	}
	for _, l := range h.Left {
		j.Left = append(j.Left, leftJSON{l.User, l.Wave, l.Verdict, l.Reason})
	}
	return writeJSON(w, j)
}
