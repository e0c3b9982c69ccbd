package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		values []float64
		want   float64
	}{
		"none":  {nil, 0},
		"one":   {[]float64{3}, 3},
		"odd":   {[]float64{9, 1, 5}, 5},
		"even":  {[]float64{4, 1, 3, 2}, 3}, // the upper of the two in the middle
		"outer": {[]float64{1, 1000, 2}, 2},
	} {
		if got := middle(c.values); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

var small = setting{Server: "real 1.10.5", Tenants: 2, Users: 1000, NaiveUsers: 100}

func sampleJob(apply, rollback, longest float64, failed int) *jobFigures {
	return &jobFigures{Users: 1000, PlanSeconds: 0.1, ApplySeconds: apply, AgainSeconds: 0.2, RollbackSeconds: rollback,
		Writes: 50, RollbackWrites: 60, LongestMS: longest,
		Other: otherFigures{Writes: 10, Failed: failed, LongestMS: longest / 2}}
}

// TestReport has medians over parts that were measured apart, and the worst of waits and failures.
func TestReport(t *testing.T) {
	t.Parallel()
	list := []sitting{
		{setting: small, Naive: &naiveFigures{100, 2}},
		{setting: small, Naive: &naiveFigures{100, 1}},
		{setting: small, Naive: &naiveFigures{100, 50}},
		{setting: small, Bulk: &bulkFigures{1000, 1.5, 0.25, 50, 400, 2}, Job: sampleJob(2, 3, 100, 0)},
		{setting: small, Job: sampleJob(9, 9, 900, 2), Company: sampleJob(3, 3, 1100, 2)},
		{setting: small, Job: sampleJob(1, 1, 300, 0), Company: sampleJob(4, 3, 200, 0)},
	}
	const want = `Self-auth real 1.10.5, 1000 users in 2 tenants, naive 100; medians

           runs  users  seconds  users/s  ratio
    naive     3    100     2.00     50.0    1.0
     bulk     1   1000     1.50    666.7   13.3
  Anthill     3   1000     2.00    500.0   10.0

bulk: groups 0.25 s of it, 50 write calls, longest 400 ms; bare expire 2.00 s
Anthill: plan 0.10 s, apply 2.00 s, plan again 0.20 s (nothing to do), rollback 3.00 s in 60 write calls
apply is 10.0 times naive (want >= 10)
0.75 of bulk (want >= 0.8)
rollback 1.5 of the bare expire (want <= 1.5)
longest write after the first ten: 900 ms (want <= 1500)
write calls: 50, one per 20.0 users
in company: apply 4.00 s, longest write after the first ten: 1100 ms (want <= 1500)
other administrator: 20 writes, 2 failed, longest wait 550 ms (want 0, <= 2000)
`
	var got strings.Builder
	if err := report(&got, list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReportOfOnePart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sitting sitting
		absent  []string
	}{
		"naive": {sitting{setting: small, Naive: &naiveFigures{100, 2}}, []string{"bulk", "Anthill", "want"}},
		"bulk": {sitting{setting: small, Bulk: &bulkFigures{1000, 1.5, 0.25, 50, 400, 2}},
			[]string{"  naive", "Anthill", "want", "NaN", "Inf"}},
		"anthill": {sitting{setting: small, Job: sampleJob(2, 3, 100, 0)},
			[]string{"  naive", "bulk", "times naive", "NaN", "Inf"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := report(&got, []sitting{c.sitting}); err != nil {
				t.Fatal(err)
			}
			for _, a := range c.absent {
				if strings.Contains(got.String(), a) {
					t.Errorf("it says %q:\n%s", a, got.String())
				}
			}
		})
	}
}

func TestSittingsAreKept(t *testing.T) {
	t.Parallel()
	file, other := filepath.Join(t.TempDir(), "f.jsonl"), filepath.Join(t.TempDir(), "g.jsonl")
	list := []sitting{{setting: small, Naive: &naiveFigures{100, 2}}, {setting: small, Job: sampleJob(2, 3, 100, 0)}}
	for _, s := range list {
		if err := s.appendTo(file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readSittings([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, got, cmp.AllowUnexported(sitting{}, otherFigures{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	bigger := list[0]
	bigger.Users = 2000
	if err := bigger.appendTo(other); err != nil {
		t.Fatal(err)
	}
	if _, err := readSittings([]string{file, other}); err == nil || !strings.Contains(err.Error(), "different things") {
		t.Errorf("figures of two sizes: %v", err)
	}
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSittings([]string{other}); err == nil {
		t.Error("no figures are no error")
	}
}
