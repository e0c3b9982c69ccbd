package book

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"anthill/state"
)

var (
	done    = []state.Outcome{{Verdict: state.Done}, {Verdict: state.Done}}
	refused = []state.Outcome{{Verdict: state.Refused}}
	first   = state.Position{Offset: 2}
	second  = state.Position{Segment: 1}
	calls   = []state.Call{{Request: "a"}, {Request: "b"}}
)

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func settle(p *Progress, outcomes []state.Outcome, next state.Position, alone bool) Settlement {
	s := p.Users(outcomes, next, alone)
	p.Written(s)
	return s
}

// A settlement that was lost with its transaction is tried again, with its calls, and counts once.
func TestLostSettlement(t *testing.T) {
	t.Parallel()
	var p Progress
	p.Called(calls[:1])
	settle(&p, done, first, false)
	same(t, "position", first, p.Position())
	same(t, "counts", state.Counts{Done: 2}, p.Counts())
	p.Called(calls[1:])
	again := settle(&p, append(done[:1:1], refused...), first, false)
	same(t, "counts of the next try", state.Counts{Done: 1, Failed: 1}, again.Counts)
	same(t, "its calls", calls, again.Calls)
	same(t, "counts", again.Counts, p.Counts())
}

// The next position says that the last settlement is through.
func TestNextSettlement(t *testing.T) {
	t.Parallel()
	var p Progress
	p.Called(calls)
	settle(&p, done, first, false)
	next := settle(&p, refused, second, false)
	same(t, "counts", state.Counts{Done: 2, Failed: 1}, next.Counts)
	same(t, "calls that are recorded for certain", []state.Call{}, next.Calls)
	same(t, "position", second, p.Position())
}

// One in a transaction of its own is through at once, even where it leads to where the run was already.
func TestSettlementAlone(t *testing.T) {
	t.Parallel()
	p := At(first, state.Counts{Already: 1})
	p.Called(calls)
	settle(&p, done, first, true)
	s := settle(&p, refused, first, false)
	same(t, "counts", state.Counts{Already: 1, Done: 2, Failed: 1}, s.Counts)
	same(t, "calls", []state.Call{}, s.Calls)
}

// A settlement that could not be written changes nothing.
func TestSettlementNotWritten(t *testing.T) {
	t.Parallel()
	p := At(first, state.Counts{Already: 1})
	p.Called(calls)
	p.Users(done, second, true)
	same(t, "position", first, p.Position())
	same(t, "counts", state.Counts{Already: 1}, p.Counts())
	same(t, "calls of the last", calls, p.Last(0).Calls)
}

// Objects stand between settlements of users and leave position and calls alone.
func TestObjectsSettled(t *testing.T) {
	t.Parallel()
	var p Progress
	settle(&p, done, first, false)
	p.Called(calls)
	s := p.Objects([]state.ObjectOutcome{
		{Verdict: state.Done}, {Verdict: state.Refused}, {Verdict: state.Changed}, {Verdict: state.Already},
	})
	p.Written(s)
	want := state.Counts{Done: 2, Objects: 1, Failed: 1, Changed: 1}
	same(t, "counts", want, p.Counts())
	same(t, "position", first, p.Position())
	last := p.Last(3)
	want.Retries = 3
	same(t, "counts of the last", want, last.Counts)
	same(t, "calls of the last", calls, last.Calls)
}

func TestCounts(t *testing.T) {
	t.Parallel()
	outcomes := []state.Outcome{{Verdict: state.Changed, Lost: true}}
	for _, v := range []state.Verdict{
		state.Done, state.Already, state.Changed, state.Refused, state.Paused, state.Conflict,
	} {
		outcomes = append(outcomes, state.Outcome{Verdict: v})
	}
	same(t, "one of each", state.Counts{Done: 1, Already: 1, Changed: 1, Failed: 1, Paused: 1}, countUsers(outcomes))
}

// sum adds up every field there is.
func TestSum(t *testing.T) {
	t.Parallel()
	var a, b, want state.Counts
	for i := range reflect.TypeFor[state.Counts]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetInt(int64(i + 1))
		reflect.ValueOf(&b).Elem().Field(i).SetInt(100)
		reflect.ValueOf(&want).Elem().Field(i).SetInt(int64(i + 101))
	}
	same(t, "sum", want, sum(a, b))
}

// The journal lists who was left before anything was intended; who was at the after-state is no remainder.
func TestLeft(t *testing.T) {
	t.Parallel()
	for verdict, want := range map[state.Verdict]bool{
		state.Done: false, state.Already: false,
		state.Changed: true, state.Refused: true, state.Paused: true, state.Conflict: true,
	} {
		left := want || verdict == state.Already
		if IsLeft(&state.Outcome{Verdict: verdict}) != left || Remains(verdict) != want {
			t.Errorf("%v", verdict)
		}
		if IsLeft(&state.Outcome{Intent: 1, Verdict: verdict}) {
			t.Errorf("%v, intended", verdict)
		}
	}
}
