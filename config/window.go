package config

import (
	"slices"
	"strings"

	"anthill/state"
)

// window reads the window of a wave; nil: it has none.
func (e *evaluator) window(n *node) *state.Window {
	if !n.written() {
		return nil
	}
	r := e.reader(n, scope{})
	w := &state.Window{Days: r.days("days"), From: r.clock("from"), To: r.clock("to"), Zone: r.zone("zone")}
	switch {
	case w.From == "24:00":
		r.wrong("from", "a day ends at 24:00, and none begins there: write \"00:00\", of the day after")
	case w.From != "" && w.From == w.To:
		r.wrong("to", "it is the same as from, so the window is never open; the whole day is from = \"00:00\", to = \"24:00\", which "+
			"need not be said")
	}
	for _, b := range n.blocks {
		if b.spec.Type == "except" {
			w.Except = append(w.Except, e.freeze(b))
		}
	}
	// Their order means nothing.
	slices.SortFunc(w.Except, func(a, b state.Freeze) int {
		return strings.Compare(a.From+"\x00"+a.To+"\x00"+a.Reason, b.From+"\x00"+b.To+"\x00"+b.Reason)
	})
	return w
}

func (e *evaluator) freeze(n *node) state.Freeze {
	r := e.reader(n, scope{})
	f := state.Freeze{From: r.bound("from"), To: r.bound("to"), Reason: r.nonEmpty("reason")}
	if f.From != "" && f.To != "" && f.Check() != nil {
		r.wrong("to", "%q is not after from, %q", f.To, f.From)
	}
	return f
}

// days reads days of the week: "mon", or "mon-fri" for all from one to another. They come in the order of a week; nil
// is all of them.
func (r reader) days(name string) (list []string) {
	given, known := r.strings(name)
	if !known {
		return nil
	}
	week := state.Weekdays()
	is := map[string]bool{}
	for _, s := range given {
		first, last, ranged := strings.Cut(s, "-")
		if !ranged {
			last = first
		}
		from, to := slices.Index(week, first), slices.Index(week, last)
		if from < 0 || to < 0 {
			r.wrong(name, "%s is needed, or a span of them like \"mon-fri\", not %q", quoteList(week), s)
			return nil
		}
		for is[week[from]] = true; from != to; is[week[from]] = true {
			from = (from + 1) % len(week)
		}
	}
	if len(is) == 0 {
		r.wrong(name, "it is empty, so the window is never open; leave it out for all days")
	}
	for _, d := range week {
		if is[d] && len(is) < len(week) {
			list = append(list, d)
		}
	}
	return list
}

// clock reads a time of a day.
func (r reader) clock(name string) string {
	s, known := r.optionalText(name)
	if !known {
		return ""
	}
	if _, err := state.ParseClock(s); err != nil {
		r.wrong(name, "a time of the day is needed, from \"00:00\" to \"24:00\", not %q", s)
		return ""
	}
	return s
}

func (r reader) zone(name string) string {
	s, known := r.optionalText(name)
	if !known {
		return ""
	}
	if _, err := state.LoadZone(s); err != nil {
		r.wrong(name, "a zone of the IANA database is needed, like \"Europe/Berlin\" or \"UTC\", not %q", s)
		return ""
	}
	return s
}

// bound reads an end of a freeze: a day, which is one of the window's zone, or a time.
func (r reader) bound(name string) string {
	s, known := r.optionalText(name)
	if !known {
		return ""
	}
	if (state.Freeze{From: s, To: "9999-12-31"}).Check() != nil {
		r.wrong(name, "a day is needed, like \"2026-12-24\", or a time as in RFC 3339, like \"2026-12-24T12:00:00Z\", not %q", s)
		return ""
	}
	return s
}
