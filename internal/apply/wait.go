package apply

import (
	"context"
	"time"

	"anthill/state"
)

// How often it is looked at what is waited for, for how long something is waited for before it is told, and how often
// that is told again. What was not seen for a while counts as over: a step of the schema waits for its lock a little at
// a time.
const (
	waitPoll  = time.Second
	waitTell  = 4 * time.Second
	waitAgain = 10 * time.Second
	waitOver  = 5 * time.Second
)

// Waits says what this process waits for now, a finding of CodeWaits each.
type Waits func(context.Context) ([]state.Finding, error)

// Watch tells what is waited for for long, and for whom, until stop is called. It is called for the time of whatever may
// wait for other sessions of the database. What cannot be looked at is not told: it keeps nothing from being done.
func Watch(waits Waits, events func(Event)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(waitPoll)
		defer tick.Stop()
		seen := watched{}
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				list, _ := waits(ctx) // the work that goes on says it when the database is gone
				for _, f := range seen.due(now, list) {
					events(Event{Kind: Waiting, Note: f})
				}
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// wait is one thing that is waited for.
type wait struct{ first, last, told time.Time }

// watched are the things that are waited for.
type watched map[string]wait

// due takes in what is waited for now, and returns what of it is to be told, with the time that it has lasted.
func (w watched) due(now time.Time, list []state.Finding) (tell []state.Finding) {
	for key, t := range w {
		if now.Sub(t.last) > waitOver {
			delete(w, key)
		}
	}
	for _, f := range list {
		// Whoever holds it may change, and the wait goes on.
		key := f.Text(state.KeyKind) + " " + f.Text(state.KeyTable) + " " + f.Text(state.KeyIndex)
		t, known := w[key]
		if !known {
			t.first = now
		}
		again := t.last.Equal(now) // more than one session waits for it
		t.last = now
		if !again && now.Sub(t.first) >= waitTell && (t.told.IsZero() || now.Sub(t.told) >= waitAgain) {
			t.told = now
			f.Args = append(f.Args[:len(f.Args):len(f.Args)], state.Span(state.KeySpan, now.Sub(t.first)))
			tell = append(tell, f)
		}
		w[key] = t
	}
	return tell
}
