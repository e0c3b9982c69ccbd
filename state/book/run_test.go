package book

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"anthill/state"
)

func TestNextRunID(t *testing.T) {
	t.Parallel()
	night := time.Date(2026, 12, 8, 1, 0, 0, 0, time.FixedZone("east", 2*3600)) // still the 7th in UTC
	for want, ids := range map[string][]string{
		"2026-12-07-1":  {"2026-12-06-4", "2026-12-08-2"},
		"2026-12-07-11": {"2026-12-07-10", "2026-12-07-9", "2026-12-06-40"},
	} {
		if got := NextRunID(night, ids); got != want {
			t.Errorf("after %v: %s instead of %s", ids, got, want)
		}
	}
}

// The digest covers every field of a run but those that come later or follow from others.
func TestRunDigest(t *testing.T) {
	t.Parallel()
	later := map[string]bool{"Open": true, "Undone": true, "Changed": true, "Digest": true}
	at := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	run := state.RunInfo{ID: "2026-12-07-1", Started: at, Ended: at}
	digest := func() state.Hash {
		d, err := RunDigest(run)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	before := digest()
	for _, f := range reflect.VisibleFields(reflect.TypeFor[state.RunInfo]()) {
		if f.Anonymous {
			continue
		}
		v := reflect.ValueOf(&run).Elem().FieldByIndex(f.Index)
		was := reflect.ValueOf(v.Interface())
		v.Set(reflect.ValueOf(other(v.Interface())))
		if changed := digest() != before; changed == later[f.Name] {
			t.Errorf("%s: another digest: %v", f.Name, changed)
		}
		v.Set(was)
	}
}

// other is another value than v.
func other(v any) any {
	switch v := v.(type) {
	case string:
		return v + "x"
	case bool:
		return !v
	case time.Time:
		return v.Add(time.Microsecond)
	case state.Hash:
		return state.Hash{1}
	case state.RunKind:
		return state.RunRollback
	case state.RunOutcome:
		return state.OutcomeRemainder
	case state.Counts:
		return state.Counts{Retries: 1}
	case []string:
		return append(v, "x")
	}
	panic(fmt.Sprintf("a field of a new type: %T", v))
}

func TestChanged(t *testing.T) {
	t.Parallel()
	for c, want := range map[state.Counts]bool{
		{}: false, {Done: 1}: true, {Objects: 1}: true, {Already: 1, Changed: 1, Failed: 1, Paused: 1, Retries: 1}: false,
	} {
		if Changed(c) != want {
			t.Errorf("%+v", c)
		}
	}
}
