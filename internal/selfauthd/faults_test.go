package selfauthd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseFaultsSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	good := "drop-before-commit:0.01,drop-after-commit:0.01,lock-timeout:0.02,latency:50ms..2s,unauthorized:0.01,rename:0.01,foreign:0.01,restart@n=500,restart-empty@n=900,seed=7"
	f, err := ParseFaults(good)
	if err != nil || f.Seed != 7 || f.chances["lock-timeout"] != 0.02 || f.from != 50*time.Millisecond || f.to != 2*time.Second || !f.restarts[500] || !f.empties[900] {
		t.Errorf("%q: %+v, %v", good, f, err)
	}
	for spec, want := range map[string]string{
		"drop:0.1":             `fault "drop:0.1": there is none of that name`,
		"rename":               `fault "rename": it wants a probability, as in rename:0.01`,
		"rename:1.5":           `fault "rename:1.5": "1.5" is no probability from 0 to 1`,
		"rename:NaN":           `fault "rename:NaN": "NaN" is no probability from 0 to 1`,
		"rename:0.1,,":         `fault "": there is none of that name`,
		"latency:2s..1s":       `fault "latency:2s..1s": "2s..1s" is no range of durations, as in 50ms..2s`,
		"latency:fast":         `"fast" is no range of durations`,
		"restart@n=0":          `"0" is no number of a request; they begin at 1`,
		"rename@n=4":           `only restart and restart-empty come at a request`,
		"seed=x":               `"x" is no seed, a whole number from 0`,
		"restart:0.5":          `there is none of that name`,
		"lock-timeout:0.1;x:1": `is no probability`,
	} {
		if _, err := ParseFaults(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", spec, err, want)
		}
	}
}

// trial is one emulator with faults, and what its requests met.
type trial struct {
	*api
	slept time.Duration
}

func faulty(t *testing.T, spec string, o Options) *trial {
	t.Helper()
	f, err := ParseFaults(spec)
	if err != nil {
		t.Fatal(err)
	}
	x := &trial{}
	o.Faults, o.Sleep = f, func(d time.Duration) { x.slept += d }
	x.api = newAPIWith(t, o)
	x.tokens["rw"], x.tokens["ro"] = x.s.Operator()
	return x
}

// try sends a request and says how it went: the status, or that there was no answer.
func (x *trial) try(method, path string, body any) string {
	b, err := json.Marshal(body)
	if err != nil {
		x.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.s.URL()+path, bytes.NewReader(b))
	if err != nil {
		x.t.Fatal(err)
	}
	r.GetBody = nil // so that nobody sends it again for us
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+x.tokens["rw"])
	resp, err := x.client.Do(r)
	if err != nil {
		return "no answer"
	}
	defer resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

func newPersonBody(name string) any {
	return map[string]any{"attrs": map[string]any{"name": []string{name}, "displayname": []string{name}}}
}

func (x *trial) create(n int) (list []string) {
	for i := range n {
		list = append(list, x.try("POST", "/v1/person", newPersonBody(fmt.Sprintf("p%d", i))))
	}
	return list
}

func TestFaultsAreTheSameForASeed(t *testing.T) {
	t.Parallel()
	const spec = "drop-before-commit:0.1,drop-after-commit:0.1,lock-timeout:0.1,unauthorized:0.1,latency:1ms..1h,seed="
	a, b, c := faulty(t, spec+"1", Options{}), faulty(t, spec+"1", Options{}), faulty(t, spec+"2", Options{})
	first, second, other := a.create(100), b.create(100), c.create(100)
	if !slices.Equal(first, second) || a.slept != b.slept {
		t.Errorf("the same seed: %v and %v, %v and %v", first, second, a.slept, b.slept)
	}
	if slices.Equal(first, other) {
		t.Error("another seed makes no difference")
	}
	seen := map[string]int{}
	for _, s := range first {
		seen[s]++
	}
	for _, want := range []string{"200", "401", "500", "no answer"} {
		if seen[want] < 3 {
			t.Errorf("%s came %d times in %v", want, seen[want], seen)
		}
	}
	if a.slept < 10*time.Hour {
		t.Errorf("slow answers took %v together", a.slept)
	}
}

func TestDroppedWritesAreDoneOrNot(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]int{"drop-before-commit:1": 0, "drop-after-commit:1": 20, "lock-timeout:1": 0} {
		x := faulty(t, spec, Options{})
		for _, got := range x.create(20) {
			if got == "200" {
				t.Errorf("%s: a write was answered", spec)
			}
		}
		if n, _ := x.s.Counts(); n != want {
			t.Errorf("%s: %d of 20 persons are there, want %d", spec, n, want)
		}
		if got := x.try("GET", "/v1/person", nil); got != "200" {
			t.Errorf("%s: reading: %s", spec, got)
		}
	}
}

func TestOthersChangeTheDirectory(t *testing.T) {
	t.Parallel()
	x := faulty(t, "", Options{})
	x.create(30)
	x.must("POST", "/v1/group", x.tokens["rw"], map[string]any{"attrs": map[string]any{"name": []string{"g"}}})
	x.s.o.Faults.chances = map[string]float64{"rename": 1, "foreign": 1}
	for range 60 {
		if got := x.try("GET", "/v1/self", nil); got != "200" {
			t.Fatal(got)
		}
	}
	renamed, mails := 0, 0
	for _, e := range x.s.store.live(func(e *entry) bool { return e.kind == person }) {
		if strings.Contains(e.name, "-") {
			renamed++
		}
		mails += len(e.mails)
	}
	g := x.s.store.byName["g"]
	if renamed < 10 || mails < 5 || g.description == "" || len(g.group.members) == 0 {
		t.Errorf("%d renamed, %d mails, description %q, %d members", renamed, mails, g.description, len(g.group.members))
	}
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	x := faulty(t, "restart@n=4,restart-empty@n=8", Options{})
	want := []string{"200", "200", "200", "no answer", "200", "200", "200", "no answer", "401", "401"}
	if got := x.create(10); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n, _ := x.s.Counts(); n != 0 {
		t.Errorf("%d persons are left", n)
	}
	x.tokens["rw"], _ = x.s.Operator()
	if got := x.try("GET", "/v1/self", nil); got != "200" {
		t.Errorf("the new operator: %s", got)
	}
	idmAdmin, _ := x.s.Passwords()
	x.login("idm_admin", idmAdmin)
}

func TestAnEmptyRestartEmptiesTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := faulty(t, "restart-empty@n=4", Options{Dir: dir})
	x.create(6)
	x.s.Close()
	again := faulty(t, "", Options{Dir: dir})
	if n, _ := again.s.Counts(); n != 0 || !again.s.Kept() {
		t.Errorf("%d persons, kept %v", n, again.s.Kept())
	}
}
