package report

import (
	"cmp"
	"fmt"
	"io"

	"anthill/state"
)

// HistoryMarkdown writes what happened in a run for a comment on a pull request, no longer than it may be, as Markdown
// does. Its first line is the marker of the environment's plan: it takes the place of that in the same comment.
func HistoryMarkdown(w io.Writer, h Happened, o MarkdownOptions) error {
	o.MaxBytes = max(cmp.Or(o.MaxBytes, MarkdownBytes), LeastMarkdown)
	v := newView(h.Plan)
	var m *markdown
	for _, l := range markdownLimits() {
		m = newMarkdown(v, l, o)
		m.history(h)
		if m.size() <= o.MaxBytes {
			break
		}
	}
	m.drop(o.MaxBytes)
	_, err := io.WriteString(w, m.String())
	return err
}

func (m *markdown) history(h Happened) {
	r, escape := h.Run, m.t.words.escape
	list, all := h.byTenant()
	environment := m.t.effects.Target.Environment
	how := outcome(r)
	if r.Outcome == state.OutcomeRemainder {
		how = "done, with a remainder"
	}
	m.add(rankHead, marker(environment), fmt.Sprintf("### Anthill run %s for %s: %s", escape(r.ID), escape(environment), how))
	line := bold(fmt.Sprintf("%s planned: %s", users(all.Planned), countText(r.Counts)))
	if all.Untried > 0 {
		line += "<br>" + of(all.Untried, "user was", "users were") + " not tried."
	}
	if s := h.mails(); s != "" {
		line += "<br>" + s + "."
	}
	if r.Undone {
		line += "<br>" + bold("It was taken back later, wholly.")
	}
	m.add(rankHead, line)

	by, ended := "nobody who is named", "not ended"
	if r.ApprovedBy != "" {
		by = escape(r.ApprovedBy)
	}
	if !r.Open {
		ended = stamp(r.Ended)
	}
	rows := [][]string{
		{"Kind", h.kind(m.t)}, {"By", escape(r.Who)}, {"Approved by", by}, {"Started", stamp(r.Started)}, {"Ended", ended},
		{"Plan ID", code(r.Plan.String(), 80)}, {"Seal", code(r.Seal.String(), 80)},
	}
	if !r.Open {
		rows = append(rows, []string{"Digest of the run", code(r.Digest.String(), 80)})
		if r.Previous != (state.Hash{}) {
			rows = append(rows, []string{"Digest of the run before", code(r.Previous.String(), 80)})
		}
	}
	m.add(rankHead, table([]string{"", ""}, nil, rows)...)

	m.details(fmt.Sprintf("Users by tenant (%s)", of(int64(len(list)), "line", "lines")), m.happened(list)...)
	var missed []string
	for _, o := range h.missed() {
		what := verdict(o.Verdict)
		if !o.Settled {
			what = "begun"
		}
		missed = append(missed, what+": "+escape(string(o.Address)))
	}
	m.details(fmt.Sprintf("Objects that were not done (%d)", len(missed)), bullets(m.entries(missed))...)
	var left []string
	for _, l := range h.Left {
		left = append(left, verdict(l.Verdict)+": "+code(l.User.String(), 80)+" "+m.t.words.say(l.Reason))
	}
	m.details("Users who were left", bullets(m.entries(left))...)
}

// happened is how it ended for users, those of whom most were planned first.
func (m *markdown) happened(list []*happened) []string {
	if len(list) == 0 {
		return nil
	}
	head := []string{"", "tenant", "planned", "done", "already", "changed", "failed", "paused", "not tried"}
	right := []bool{false, false, true, true, true, true, true, true, true}
	var rows [][]string
	for _, h := range list[:m.listed(len(list))] {
		row := []string{m.t.words.sortOf(h.Kind, h.Wave), cmp.Or(m.t.words.escape(h.Tenant.Slug), "(tenant gone)")}
		for _, n := range []int64{h.Planned, h.Done, h.Already, h.Changed, h.Failed, h.Paused, h.Untried} {
			row = append(row, count(n))
		}
		rows = append(rows, row)
	}
	lines := table(head, right, rows)
	if n := len(rows); n < len(list) {
		lines = paragraphs(lines, []string{rest(len(list), n)})
	}
	return lines
}
