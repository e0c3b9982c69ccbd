package mail

import (
	"context"
	"sync"
	"time"
)

// rate spaces the mails to each domain evenly. Safe for concurrent use.
type rate struct {
	every time.Duration // zero: no rate
	mu    sync.Mutex
	next  map[string]time.Time // when a domain's next turn is
	sweep int                  // how many domains there may be before those whose turn has come are forgotten
}

func newRate(perMinute int) *rate {
	r := &rate{next: map[string]time.Time{}, sweep: 1024}
	if perMinute > 0 {
		r.every = time.Minute / time.Duration(perMinute)
	}
	return r
}

// turn waits for a domain's next turn and takes it. A turn whose ctx ends is lost.
func (r *rate) turn(ctx context.Context, domain string) error {
	if r.every == 0 || domain == "" {
		return ctx.Err()
	}
	wait := r.take(domain, time.Now())
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take takes the next turn and says how far away it is.
func (r *rate) take(domain string, now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.next[domain]
	if at.Before(now) {
		at = now
	}
	r.next[domain] = at.Add(r.every)
	if len(r.next) > r.sweep {
		for d, t := range r.next {
			if t.Before(now) {
				delete(r.next, d)
			}
		}
		r.sweep = max(1024, 2*len(r.next))
	}
	return at.Sub(now)
}
