package apply

import (
	"testing"
	"time"
)

// TestFit: where writing a batch holds its rows for long, the next ones are smaller, and again as large as usual once it is quick.
func TestFit(t *testing.T) {
	t.Parallel()
	var f fit
	for i, step := range []struct {
		took time.Duration
		want int
	}{
		{longHold, 500}, {2 * longHold, 250}, {2 * longHold, 125}, {time.Minute, 62}, {2 * longHold, 50}, {2 * longHold, 50},
		{longHold / 2, 50}, {0, 100}, {0, 200}, {0, 400}, {0, 500}, {0, 500},
	} {
		f.took(f.most(leastBatch), step.took)
		if got := f.most(leastBatch); got != step.want {
			t.Errorf("step %d: %d users, want %d", i, got, step.want)
		}
	}
}

// TestHalves: no row is lost by dividing, and one alone is not divided.
func TestHalves(t *testing.T) {
	t.Parallel()
	for n := range 6 {
		part := make([]int, n)
		for i := range part {
			part[i] = i
		}
		parts, seen := halves(part), 0
		for _, p := range parts {
			for _, i := range p {
				if i != seen {
					t.Errorf("of %d: %v", n, parts)
				}
				seen++
			}
		}
		if seen != n || n > 1 && (len(parts) != 2 || len(parts[0]) == 0) {
			t.Errorf("of %d: %v", n, parts)
		}
	}
}
