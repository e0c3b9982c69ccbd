package apply

import (
	"testing"
	"time"

	"anthill/state"
)

// TestWatched: what is waited for is told when it has lasted for some seconds, within ten, and every ten seconds from then on; what
// was not seen for a while has ended.
func TestWatched(t *testing.T) {
	t.Parallel()
	on := func(kind, table string) state.Finding {
		return state.Found(state.CodeWaits, state.Text(state.KeyKind, kind), state.Text(state.KeyTable, table))
	}
	users, row := on(state.WaitOnTable, "users"), on(state.WaitOnRow, "")
	start := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	w := watched{}
	var told []string
	for second := range 60 {
		var now []state.Finding
		// A step of the schema waits two seconds, and steps aside for one.
		if second <= 30 && second%3 != 2 {
			now = append(now, users, users)
		}
		if second == 10 || second == 12 || second >= 40 && second < 43 {
			now = append(now, row) // which is nothing to speak of
		}
		if second >= 50 {
			now = append(now, users)
		}
		for _, f := range w.due(start.Add(time.Duration(second)*time.Second), now) {
			told = append(told, f.Text(state.KeyTable)+" "+f.Arg(state.KeySpan).Span.String())
		}
	}
	want := []string{"users 4s", "users 15s", "users 25s", "users 4s"}
	if len(told) != len(want) {
		t.Fatalf("told: %q, want %q", told, want)
	}
	for i := range want {
		if told[i] != want[i] {
			t.Errorf("told: %q, want %q", told, want)
		}
	}
	if len(users.Args) != 2 {
		t.Errorf("the finding was changed: %+v", users)
	}
}
