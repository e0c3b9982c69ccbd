package main

import (
	"slices"
	"strings"
	"testing"

	"anthill/docs"
	"anthill/internal/report"
	"anthill/planner/plan"
)

// TestEveryHazardIsExplained: each code has a section that says where it is raised, what is counted, what to look at, what
// to do instead, and what the way back is; no section is of anything else.
func TestEveryHazardIsExplained(t *testing.T) {
	t.Parallel()
	var titles []string
	for _, s := range report.Sections(docs.Hazards) {
		titles = append(titles, s.Title)
		for _, part := range []string{"Where", "Counts", "Look at", "Instead", "Way back"} {
			if !strings.Contains(s.Text, "\n- **"+part+":** ") {
				t.Errorf("%s: nothing is said under %q", s.Title, part)
			}
		}
		p, out, _ := alone(t)
		if status := p.run(t.Context(), []string{"anthill", "explain", strings.ToLower(s.Title)}); status != exitDone ||
			!strings.HasPrefix(out.String(), s.Title+"\n\n  ") || strings.Contains(out.String(), "**") {
			t.Errorf("explain %s: exit status %d\n%s", s.Title, status, out)
		}
		for line := range strings.Lines(out.String()) {
			if len([]rune(line)) > 101 {
				t.Errorf("explain %s: a line of %d columns: %s", s.Title, len([]rune(line)), line)
			}
		}
	}
	var codes []string
	for _, c := range plan.HazardCodes() {
		codes = append(codes, string(c))
	}
	if !slices.Equal(titles, codes) {
		t.Errorf("sections %v, hazards %v", titles, codes)
	}
}
