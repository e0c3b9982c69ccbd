package selfauth

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"anthill/state"
)

// TestConfirm: right before every try of a write it is asked whether it may go out, and its own error comes back. Reads
// need no leave.
func TestConfirm(t *testing.T) {
	t.Parallel()
	var sent, asked atomic.Int64
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		answers(503, "busy")(w, r)
	})
	p.SetConfirm(func(context.Context) error {
		if asked.Add(1) == 3 {
			return &state.LockLostError{Taken: true}
		}
		return nil
	})
	if _, err := persons1(within(t, time.Minute), p); err == nil || asked.Load() != 0 {
		t.Errorf("a read: %v, asked %d times", err, asked.Load())
	}
	sent.Store(0)
	var lost *state.LockLostError
	if err := deleteGroup(p, within(t, time.Minute)); !errors.As(err, &lost) {
		t.Errorf("%v", err)
	}
	if sent.Load() != 2 || asked.Load() != 3 {
		t.Errorf("sent %d times, asked %d", sent.Load(), asked.Load())
	}
}

// TestConfirmAfterTheTurn: a write that waits for another is asked when its turn has come, not when it began to wait.
func TestConfirmAfterTheTurn(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	var gone atomic.Bool
	begun, end := make(chan struct{}), make(chan struct{})
	p := fake(t, func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		begun <- struct{}{}
		<-end
		answers(200, "null")(w, r)
	})
	p.SetConfirm(func(context.Context) error {
		if gone.Load() {
			return &state.LockLostError{}
		}
		return nil
	})
	first, second := make(chan error), make(chan error)
	go func() { first <- deleteGroup(p, context.Background()) }()
	<-begun
	go func() { second <- deleteGroup(p, context.Background()) }()
	gone.Store(true)
	close(end)
	if err := <-first; err != nil {
		t.Errorf("the one under way: %v", err)
	}
	var lost *state.LockLostError
	if err := <-second; !errors.As(err, &lost) || sent.Load() != 1 {
		t.Errorf("the one that waited: %v, %d sent", err, sent.Load())
	}
}

// TestConfirmEveryWrite: no call that writes goes out without leave, in whatever way it is made.
func TestConfirmEveryWrite(t *testing.T) {
	t.Parallel()
	for name := range oneEach(fake(t, nil)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var written atomic.Int64
			p := fake(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet && r.URL.Path != "/v1/raw/search" {
					written.Add(1)
				}
				answers(404, "")(w, r)
			})
			p.SetConfirm(func(context.Context) error { return &state.LockLostError{} })
			_ = oneEach(p)[name](within(t, time.Minute)) // what came of it is looked at next
			if n := written.Load(); n != 0 {
				t.Errorf("%d writes went out", n)
			}
		})
	}
}
