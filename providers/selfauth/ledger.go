package selfauth

import (
	"sync"
	"time"

	"anthill/state"
)

// ledger is what a client remembers of its calls.
type ledger struct {
	mu      sync.Mutex
	retries int64
	calls   []state.Call    // writes since they were last taken
	longest time.Duration   // of the writes since the batch was last sized
	notes   []state.Finding // said once, not taken yet
}

func (l *ledger) retried() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retries++
}

func (l *ledger) wrote(c state.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
	l.longest = max(l.longest, c.Took)
}

func (l *ledger) note(f state.Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, f)
}

// Sizes of batches.
const (
	firstBatch = 100
	leastBatch = 10
	// More in a call gains nothing: a server makes 5,000 persons as fast by 250 as by 1,000, and marks and expires
	// them slower.
	mostBatch = 500
	aim       = 0.7 // of the time that a write may take: the next one may be slower
	growth    = 2.0
)

// NextBatch is how many users the next batch holds, after one of last users (0: the first): as many as keep the longest
// write transaction below the time that one may take.
func (a accounts) NextBatch(last int) int {
	l := &a.conn.ledger
	l.mu.Lock()
	longest := l.longest
	l.longest = 0
	l.mu.Unlock()
	if last == 0 {
		return firstBatch
	}
	if longest == 0 {
		// Nothing was written: nothing is known.
		return last
	}
	// Time grows with the size of a batch, nearly in proportion. It may double at most, in case the last
	// one was lucky.
	fit := float64(last) * aim * float64(a.maxWrite) / float64(longest)
	return int(max(leastBatch, min(fit, growth*float64(last), mostBatch)))
}

// Taken returns the writes that went through since it was last called, and what is to be said once.
func (a accounts) Taken() (calls []state.Call, notes []state.Finding) {
	l := &a.conn.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	calls, notes = l.calls, l.notes
	l.calls, l.notes = nil, nil
	return calls, notes
}

// Retries counts the calls that were tried again.
func (a accounts) Retries() int64 {
	l := &a.conn.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.retries
}
