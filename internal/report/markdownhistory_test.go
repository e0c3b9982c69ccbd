package report

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/apply"
	"anthill/state"
)

// ended is what happened in a run of a plan: two users were left and one object was not made.
func ended(t *testing.T, m *made) Happened {
	t.Helper()
	f := m.save(t)
	h := Happened{Plan: f, Run: state.RunInfo{
		ID: "2026-12-07-1", Kind: state.RunApply, Plan: f.ID(), Seal: f.Seal(), Who: "ci@runner", ApprovedBy: "ana, pull request 12",
		Started: asOf, Ended: asOf.Add(time.Minute), Outcome: state.OutcomeRemainder,
		Counts: state.Counts{Done: 410, Changed: 1, Failed: 1}, Chain: state.Chain{Previous: state.Hash{1}, Digest: state.Hash{2}},
	}}
	for n := range f.Effects().Segments {
		for _, c := range f.Counted(n) {
			h.Users = append(h.Users, state.Tally{Segment: n, Tenant: c.Shape.Tenant, Verdict: state.Done, Users: c.Users})
		}
	}
	h.Users[0].Users -= 2
	h.Users = append(h.Users, state.Tally{Segment: h.Users[0].Segment, Tenant: h.Users[0].Tenant, Verdict: state.Changed, Users: 1},
		state.Tally{Segment: h.Users[0].Segment, Tenant: h.Users[0].Tenant, Verdict: state.Refused, Users: 1})
	for _, o := range f.Effects().Objects {
		h.Objects = append(h.Objects, state.ObjectRecord{ObjectIntent: state.ObjectIntent{Address: o.Address, Action: o.Action}, Settled: true, Verdict: state.Refused})
	}
	h.Left = []apply.Left{
		{User: uuid.UUID{6}, Wave: "pilot", Verdict: state.Changed, Reason: state.Found(state.CodeRowChanged)},
		{User: uuid.UUID{7}, Wave: "pilot", Verdict: state.Refused, Reason: state.Found(state.CodeNoName)},
	}
	return h
}

func historyMarkdown(t *testing.T, h Happened, o MarkdownOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := HistoryMarkdown(&b, h, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestHistoryMarkdown: what a pull request is told when its plan has been carried out.
func TestHistoryMarkdown(t *testing.T) {
	t.Parallel()
	h := ended(t, pilot())
	goldenList(t, "markdown-history.md", stable(h.Plan, historyMarkdown(t, h, MarkdownOptions{})))

	// Whatever a run holds, it stays short, exact and harmless.
	hostile := ended(t, largest(strings.Repeat("<|😀", 40)))
	infect(reflect.ValueOf(&hostile.Run).Elem(), strings.Repeat("<script>@team `zzz` | \u202e", 400))
	hostile.Run.Counts.Done = 1998
	for i := range 1000 {
		hostile.Left = append(hostile.Left, apply.Left{User: uuid.UUID{9, byte(i)}, Verdict: state.Refused,
			Reason: state.Found(state.CodeTriggerRefuses, state.Text(state.KeyRule, strings.Repeat("</details>@team", 90)))})
	}
	for _, most := range []int{0, 20000, LeastMarkdown} {
		s := historyMarkdown(t, hostile, MarkdownOptions{MaxBytes: most})
		harmless(t, s, "script", "team", "zzz")
		if limit := max(most, LeastMarkdown); most > 0 && len(s) > limit || len(s) > MarkdownBytes {
			t.Errorf("%d bytes, and %d are allowed", len(s), limit)
		}
		if want := fmt.Sprintf("**%s planned: 1,998 users done", users(hostile.Plan.Effects().Users())); !strings.Contains(s, want) {
			t.Errorf("%q is not in\n%s", want, s)
		}
	}
}
