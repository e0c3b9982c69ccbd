package selfauthd

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestCostsAreThoseMeasured compares the functions with figures of a real server.
func TestCostsAreThoseMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		w       work
		writes  bool
		whole   bool
		persons int
		want    time.Duration // within a third
	}{
		{"create 50", work{created: 50}, true, true, 1000, 62 * time.Millisecond},
		{"create 50", work{created: 50}, true, true, 10000, 237 * time.Millisecond},
		{"create 250", work{created: 250}, true, true, 10000, 868 * time.Millisecond},
		{"create 1,000", work{created: 1000}, true, true, 1000, 773 * time.Millisecond},
		{"create 1,000", work{created: 1000}, true, true, 10000, 2755 * time.Millisecond},
		{"500 members to 5,000", work{members: 500, held: 5000, pairs: 2500000}, true, true, 8000, 160 * time.Millisecond},
		{"500 members to none", work{members: 500}, true, true, 8000, 70 * time.Millisecond},
		{"1 member to 7,000", work{members: 1, held: 7000, pairs: 7000}, true, true, 8000, 17 * time.Millisecond},
		{"a group of 5,000", work{created: 1, members: 5000}, true, true, 0, 950 * time.Millisecond},
		{"expire 1,000", work{modified: 1000}, true, true, 8000, 320 * time.Millisecond},
		{"patch", work{modified: 1}, true, true, 8000, 5 * time.Millisecond},
		{"delete 1,000", work{deleted: 1000}, true, true, 8000, 3700 * time.Millisecond},
		{"delete 1", work{deleted: 1}, true, true, 4000, 128 * time.Millisecond},
		{"delete 1", work{deleted: 1}, true, true, 9500, 253 * time.Millisecond},
		{"intent", work{minted: 1}, true, true, 9500, 7 * time.Millisecond},
		{"list by SCIM", work{scanned: 9500, found: 9500}, false, false, 9500, 403 * time.Millisecond},
		{"who has enrolled", work{scanned: 3000, found: 150}, false, false, 3000, 40 * time.Millisecond},
		{"list persons", work{scanned: 9500, found: 9500}, false, true, 9500, 640 * time.Millisecond},
		{"a group of 8,000", work{shown: 8000}, false, true, 9500, 36 * time.Millisecond},
		{"one person", work{}, false, true, 9500, 2 * time.Millisecond},
	} {
		got := c.w.cost(c.writes, c.whole, c.persons)
		if got < c.want*2/3 || got > c.want*4/3 {
			t.Errorf("%s [%d]: %v, measured %v", c.name, c.persons, got, c.want)
		}
	}
}

// TestWritesTakeTheirTime sees what calls ask the clock for.
func TestWritesTakeTheirTime(t *testing.T) {
	t.Parallel()
	var slept []time.Duration
	a := newAPIWith(t, Options{Cost: costReal, Sleep: func(d time.Duration) { slept = append(slept, d) }})
	rw, _ := a.s.Operator()
	var entries []any
	for i := range 100 {
		entries = append(entries, map[string]any{"attrs": map[string]any{"class": []string{"object", "account", "person"}, "name": []string{fmt.Sprintf("p%d", i)}, "displayname": []string{"P"}}})
	}
	a.must("POST", "/v1/raw/create", rw, map[string]any{"entries": entries})
	a.must("GET", "/v1/person/p1", rw, nil)
	a.must("PATCH", "/v1/person/p1", rw, map[string]any{"attrs": map[string]any{"displayname": []string{"Q"}}})
	a.must("GET", "/scim/v1/Entry?filter=class%20eq%20%22person%22&attributes=name", rw, nil)
	want := []time.Duration{work{created: 100}.cost(true, true, 100), costRead, costModifyCall + costModify, work{scanned: 100, found: 100}.cost(false, false, 100)}
	if fmt.Sprint(slept) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", slept, want)
	}
	if _, err := Start(Options{Cost: "dear"}); err == nil {
		t.Error("a cost that there is none of")
	}
}

// TestAPersonTakesAKilobyte holds 100,000 persons with a mail in one group each, made as clients make them.
func TestAPersonTakesAKilobyte(t *testing.T) { //nolint:paralleltest // it measures the memory of the whole process
	const n, batch = 100000, 500
	a := newAPI(t)
	rw, _ := a.s.Operator()
	before := heap()
	for i := range n / batch {
		var entries []any
		var members []string
		for k := range batch {
			id, name := uuid.NewString(), fmt.Sprintf("somebody.%06d", i*batch+k)
			members = append(members, id)
			entries = append(entries, map[string]any{"attrs": map[string]any{"class": []string{"object", "account", "person"}, "uuid": []string{id}, "name": []string{name},
				"displayname": []string{"Somebody Called " + name}, "mail": []string{name + "@example.com"}}})
		}
		entries = append(entries, map[string]any{"attrs": map[string]any{"class": []string{"object", "group"}, "name": []string{fmt.Sprintf("group_%d", i)}, "member": members}})
		a.must("POST", "/v1/raw/create", rw, map[string]any{"entries": entries})
	}
	each := int64(heap()-before) / n
	t.Logf("a person takes %d bytes", each)
	if persons, groups := a.s.Counts(); each > 1024 || persons != n || groups != n/batch {
		t.Errorf("%d persons and %d groups, %d bytes a person", persons, groups, each)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
