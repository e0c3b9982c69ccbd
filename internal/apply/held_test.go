package apply

import (
	"slices"
	"testing"
	"time"

	"anthill/providers"
	"anthill/state"
)

// TestFit: the first batches are small. They get as large as usual where writing them is quick, and no larger than what should be
// written in time; where it holds the rows for long the next ones are as much smaller.
func TestFit(t *testing.T) {
	t.Parallel()
	const quick = longHold / 2
	type batch struct {
		users int // 0: as many as there may be
		took  time.Duration
		want  int // in the next one
	}
	for name, batches := range map[string][]batch{
		"a quick server":              {{0, 0, 250}, {0, quick, 500}, {0, 0, 500}, {0, quick, 500}},
		"one that is in time":         {{0, quick + 1, 125}, {0, longHold, 125}, {0, quick, 250}, {0, longHold, 250}},
		"a slow one":                  {{0, 2 * longHold, 50}, {0, time.Minute, 50}, {0, longHold, 50}, {0, quick, 100}, {0, quick, 200}},
		"one that gets busy":          {{0, 0, 250}, {0, 0, 500}, {0, 2 * longHold, 125}, {0, 3 * longHold / 2, 50}},
		"twice too slow":              {{0, 0, 250}, {0, 0, 500}, {0, 5 * longHold / 4, 200}, {0, quick, 400}, {0, quick, 500}},
		"those on their way, slow":    {{0, 0, 250}, {0, 0, 500}, {500, 2 * longHold, 125}, {500, 2 * longHold, 125}, {250, 2 * longHold, 62}, {125, quick, 250}},
		"those on their way, quick":   {{125, quick, 250}, {125, quick, 250}, {125, quick, 250}, {250, quick, 500}},
		"the last one, of a few":      {{3, 0, 125}, {1, 0, 125}, {60, 0, 125}, {62, 0, 125}, {63, 0, 126}},
		"a few that take long":        {{1, 2 * longHold, 125}, {leastHeld, time.Minute, 125}, {leastHeld + 1, time.Minute, 50}, {24, 0, 50}, {25, 0, 50}, {50, 0, 100}},
		"a batch of none in no time":  {{-1, 0, 125}},
		"larger than usual, as it is": {{0, 0, 250}, {0, 0, 500}, {1500, 0, 500}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var f fit
			if got := f.most(leastBatch); got != firstHeld {
				t.Fatalf("the first batch has %d users", got)
			}
			for i, b := range batches {
				users := max(b.users, 0)
				if b.users == 0 {
					users = f.most(leastBatch)
				}
				f.took(users, b.took)
				if got := f.most(leastBatch); got != b.want {
					t.Fatalf("behind batch %d: %d users, want %d", i, got, b.want)
				}
				if got := f.most(10); got != 10 {
					t.Fatalf("%d users where 10 are usual", got)
				}
				if got := f.most(900); got != b.want && (got != 900 || b.want != leastBatch) {
					t.Fatalf("%d users where 900 are usual", got)
				}
			}
		})
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

// TestWaitsInVain: one batch that waits for what another session holds is left, and so is the next one; many in a row stop the run, but for
// small ones, those whose rows are held, and those of which a row could be written.
func TestWaitsInVain(t *testing.T) {
	t.Parallel()
	of := func(n int, code state.Code) []providers.UserResult {
		return slices.Repeat([]providers.UserResult{{Refused: state.Found(code)}}, n)
	}
	blocked, rows := of(leastAll, state.CodeTableHeld), of(leastAll, state.CodeRowHeld)
	few, written := of(leastAll-1, state.CodeTableHeld), append(of(leastAll, state.CodeTableHeld), providers.UserResult{Written: true})
	for name, c := range map[string]struct {
		batches [][]providers.UserResult
		stops   int // the batch that stops the run, from 1; 0: none
	}{
		"many in a row":  {slices.Repeat([][]providers.UserResult{blocked}, mostBlocked), mostBlocked},
		"rows":           {slices.Repeat([][]providers.UserResult{rows}, 9), 0},
		"small ones":     {slices.Repeat([][]providers.UserResult{few}, 9), 0},
		"one is written": {slices.Repeat([][]providers.UserResult{written}, 9), 0},
		"not in a row":   {[][]providers.UserResult{blocked, blocked, rows, blocked, blocked, written, blocked, blocked}, 0},
	} {
		var x executor
		stopped := 0
		for i, b := range c.batches {
			if err := x.waitsInVain(b); err != nil && stopped == 0 {
				stopped = i + 1
			}
		}
		if stopped != c.stops {
			t.Errorf("%s: stopped by batch %d, want %d", name, stopped, c.stops)
		}
	}
}
