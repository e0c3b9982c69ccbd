package selfauth

import (
	"testing"
	"time"

	"anthill/state"
)

// TestNextBatch: batches grow while writes are quick, and shrink at once when one takes long.
func TestNextBatch(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		last int
		took []time.Duration
		want int
	}{
		"first":              {0, nil, 100},
		"nothing written":    {240, nil, 240},
		"quick":              {200, []time.Duration{time.Millisecond}, 400},
		"near the bound":     {200, []time.Duration{650 * time.Millisecond}, 215},
		"at the bound":       {200, []time.Duration{time.Second}, 140},
		"twice the bound":    {200, []time.Duration{2 * time.Second}, 70},
		"the longest counts": {200, []time.Duration{time.Millisecond, 2 * time.Second, time.Millisecond}, 70},
		"never none":         {20, []time.Duration{time.Minute}, 10},
		"never too many":     {400, []time.Duration{time.Millisecond}, 500},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accounts{conn: &conn{}, bulk: &bulk{maxWrite: time.Second}}
			for _, took := range test.took {
				a.conn.ledger.wrote(state.Call{Took: took})
			}
			if n := a.NextBatch(test.last); n != test.want {
				t.Errorf("a batch of %d after %d, want %d", n, test.last, test.want)
			}
			if n := a.NextBatch(test.want); n != test.want {
				t.Errorf("without a write since, a batch of %d after %d", n, test.want)
			}
		})
	}
}
