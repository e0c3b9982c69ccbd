package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
)

// problem makes a diagnostic: an error at a place. A zero range means that it has none.
func problem(at hcl.Range, summary, format string, args ...any) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...)}
	if at.Filename != "" {
		d.Subject = &at
	}
	return d
}

// place writes a range for a sentence: "main.anthill.hcl line 3".
func place(r hcl.Range) string { return fmt.Sprintf("%s line %d", r.Filename, r.Start.Line) }

func posOf(r hcl.Range) Pos { return Pos{File: r.Filename, Line: r.Start.Line} }

// Nearest returns the name that somebody who wrote got probably meant, "" where none is near.
func Nearest(got string, names []string) string {
	best, bestDistance := "", 3
	if limit := len(got)/3 + 1; limit < bestDistance {
		bestDistance = limit
	}
	for _, n := range slices.Sorted(slices.Values(names)) {
		if d := levenshtein.Distance(strings.ToLower(got), strings.ToLower(n), nil); d < bestDistance+1 &&
			(best == "" || d < levenshtein.Distance(strings.ToLower(got), strings.ToLower(best), nil)) {
			best = n
		}
	}
	return best
}

// didYouMean is a sentence with a blank before it, or "".
func didYouMean(got string, names []string) string {
	if n := Nearest(got, names); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
}

// quoteList writes names for a sentence: "a", "b" or "c".
func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	if n := len(quoted); n > 1 {
		return strings.Join(quoted[:n-1], ", ") + " or " + quoted[n-1]
	}
	return strings.Join(quoted, "")
}

// tidy sorts diagnostics by place, drops repetitions, and takes the values out that the text of a diagnostic
// would otherwise be shown with: they may be secrets.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	key := func(d *hcl.Diagnostic) string {
		if d.Subject == nil {
			return ""
		}
		return fmt.Sprintf("%s\x00%09d", d.Subject.Filename, d.Subject.Start.Byte)
	}
	same := map[string]bool{}
	var list hcl.Diagnostics
	for _, d := range diags {
		id := key(d) + "\x00" + d.Summary + "\x00" + d.Detail
		if same[id] {
			continue
		}
		same[id] = true
		c := *d
		c.Expression, c.EvalContext = nil, nil
		list = append(list, &c)
	}
	slices.SortStableFunc(list, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.Summary, b.Summary), cmp.Compare(a.Detail, b.Detail))
	})
	return list
}
