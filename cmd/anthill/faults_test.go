package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

var seeds = flag.Int("seeds", 1, "how many seeds TestFaults tries for each fault, and five times as many for all together")

// faults are what goes wrong in five of a hundred requests.
var faults = map[string]string{
	"dropped before the commit": "drop-before-commit:0.05",
	"dropped after the commit":  "drop-after-commit:0.05",
	"lock timeout":              "lock-timeout:0.05",
	"slow":                      "latency:50ms..2s",
	"unauthorized":              "unauthorized:0.05",
	"persons rename themselves": "rename:0.05",
	"another administrator":     "foreign:0.05",
	"restarts":                  "restart@n=9,restart@n=23,restart@n=41,restart@n=58",
	"all together":              "drop-before-commit:0.05,drop-after-commit:0.05,lock-timeout:0.05,latency:50ms..2s,unauthorized:0.05,rename:0.05,foreign:0.05,restart@n=31",
}

// creates watches that no create of a person is sent again once it was done.
type creates struct {
	mu    sync.Mutex
	sent  map[*http.Request][]string
	done  map[string]bool
	again []string
}

func (c *creates) see(_ http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path != "/v1/raw/create" {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct {
		Entries []struct{ Attrs map[string][]string }
	}
	if json.Unmarshal(body, &in) != nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range in.Entries {
		id := strings.Join(e.Attrs["uuid"], "")
		c.sent[r] = append(c.sent[r], id)
		if c.done[id] {
			c.again = append(c.again, id)
		}
	}
	return false
}

func (c *creates) after(r *http.Request) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.sent[r] {
		c.done[id] = true
	}
	return false
}

var triedAgain = regexp.MustCompile(`([0-9,]+) calls? tried again`)

// TestFaults: under each fault, and under all together, apply, run again as often as it stops, ends where it ends without.
func TestFaults(t *testing.T) {
	t.Parallel()
	config := everyone + waveEveryone + `
oauth2_client "app" {
  display_name  = "App"
  landing_url   = "https://app.example.com"
  redirect_urls = ["https://app.example.com/cb"]
  scope_map {
    groups = group.users
    scopes = ["openid", "groups", "groups_name"]
  }
}
account_policy "admins" {
  groups         = group.admins
  session_expiry = "8h"
}
`
	world := sandbox.Options{Tenants: 3, Users: 60, Seed: 4}
	calm := newWorld(t, world, emulator(t))
	calm.config(config)
	calm.run(exitDone, "apply", "-auto-approve")
	directory, rows := calm.snapshot(), calm.userRows()
	for name, spec := range faults {
		n := *seeds
		if name == "all together" {
			n *= 5
		}
		for seed := range n {
			t.Run(fmt.Sprintf("%s/%d", name, seed), func(t *testing.T) {
				t.Parallel()
				var clock atomic.Int64
				began := time.Now()
				watch := &creates{sent: map[*http.Request][]string{}, done: map[string]bool{}}
				f, err := selfauthd.ParseFaults(fmt.Sprintf("%s,seed=%d", spec, seed))
				if err != nil {
					t.Fatal(err)
				}
				s := emulatorWith(t, selfauthd.Options{Faults: f, Intercept: watch.see, After: watch.after,
					Now: func() time.Time { return began.Add(time.Duration(clock.Load())) }, Sleep: func(d time.Duration) { clock.Add(int64(d)) }})
				w := newWorld(t, world, s)
				w.config(config)
				w.untilDone(name)
				f.Stop()
				w.putRight()
				w.untilDone(name) // what another administrator changed since
				for _, id := range watch.again {
					t.Errorf("the create of person %s was sent again after it was done", id)
				}
				w.compare(name, directory, rows)
			})
		}
	}
}

// untilDone applies until a plan is empty. Each try ends in one of the ways that say what to do next.
func (w *world) untilDone(name string) {
	w.t.Helper()
	var said []string
	for range 200 {
		status, out, errs := w.try("apply", "-auto-approve")
		said = append(said, fmt.Sprintf("exit status %d\n%s%s", status, out, errs))
		if status != exitDone && status != exitStopped && status != exitRefused && status != exitRemainder && status != exitBlocked {
			w.t.Fatalf("%s: apply ends with exit status %d\n%s%s", name, status, out, errs)
		}
		if status != exitDone {
			continue
		}
		if status, _, _ := w.try("plan", "-detailed-exitcode"); status == exitDone {
			return
		}
	}
	w.t.Fatalf("%s: it never ends:\n%s", name, said[len(said)-1])
}

// putRight takes persons out of groups of another tenant, where another administrator has put them: such tenants are left
// alone until somebody does (L40).
func (w *world) putRight() {
	w.t.Helper()
	tenant := map[uuid.UUID]string{}
	rows, err := w.connect().Query(w.t.Context(), w.spell("select {idp}_user_id, slug from users join tenants using (tenant_id) where {idp}_user_id is not null"))
	if err != nil {
		w.t.Fatal(err)
	}
	for rows.Next() {
		var person uuid.UUID
		var slug string
		if err := rows.Scan(&person, &slug); err != nil {
			w.t.Fatal(err)
		}
		tenant[person] = slug
	}
	for name, g := range w.directory().groups {
		for _, m := range g.Members {
			if slug, ours := tenant[m]; ours && strings.HasPrefix(name, "tenant_") && !strings.HasPrefix(name, "tenant_"+slug+"_") {
				if err := w.api.Accounts().RemoveMembers(w.t.Context(), membersOf(g.ID, m)); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

// compare compares the world with one without faults: what persons call themselves is theirs, and strangers whom another
// administrator has made members stay.
func (w *world) compare(name, directory, rows string) {
	w.t.Helper()
	want, got := directory, w.snapshot()
	if strings.Contains(name, "rename") || strings.Contains(name, "another") || strings.Contains(name, "all") {
		want, got = withoutNames(want), withoutNames(got)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
		w.t.Errorf("the directory (-without faults +with them):\n%s", diff)
	}
	if diff := cmp.Diff(rows, w.userRows()); diff != "" {
		w.t.Errorf("the rows (-without faults +with them):\n%s", diff)
	}
}

var personName = regexp.MustCompile(`person \S+ `)

// withoutNames leaves out the names of persons, and members: those are compared by what the rows say.
func withoutNames(snapshot string) string {
	var lines []string
	for _, l := range strings.Split(snapshot, "\n") {
		l = personName.ReplaceAllString(l, "person ")
		if strings.HasPrefix(l, "group ") {
			a, b, _ := strings.Cut(l, " [")
			_, b, _ = strings.Cut(b, "] ")
			l = a + " " + b
		}
		lines = append(lines, l)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// userRows are the users' links and methods, in words; the ids of persons follow from the target, which differs.
func (w *world) userRows() string {
	w.t.Helper()
	var text string
	err := w.connect().QueryRow(w.t.Context(), w.spell(`select string_agg(concat_ws(' ', user_id, {idp}_user_id is not null, auth_method, {idp}_synced_at is not null), E'\n' order by user_id) from users`)).Scan(&text)
	if err != nil {
		w.t.Fatal(err)
	}
	var persons, users int
	if err := w.connect().QueryRow(w.t.Context(), w.spell(`select count(distinct {idp}_user_id), count({idp}_user_id) from users`)).Scan(&persons, &users); err != nil || persons != users {
		w.t.Errorf("%d persons for %d users, %v", persons, users, err)
	}
	return text
}

// TestRetriesAreShown: the end of a run says how many calls were tried again.
func TestRetriesAreShown(t *testing.T) {
	t.Parallel()
	f, err := selfauthd.ParseFaults("lock-timeout:0.3,seed=2")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 30}, emulatorWith(t, selfauthd.Options{Faults: f}))
	w.config(everyone + waveEveryone)
	out, errs := w.run(exitDone, "apply", "-auto-approve")
	m := triedAgain.FindStringSubmatch(out + errs)
	if m == nil || m[1] == "0" {
		t.Fatalf("it does not say how many calls were tried again:\n%s%s", out, errs)
	}
	if n := w.number("select (counts ->> 'retries')::integer from anthill_state.runs"); fmt.Sprint(n) != m[1] {
		t.Errorf("%d are recorded, %s shown", n, m[1])
	}
}

// leastInBatch is how many users there are at least in a batch of a busy server, as apply has it, but for the last of a wave.
const leastInBatch = 50

// TestCalls: a run needs at most three write calls for each batch of users, and two for each group; the journal has them all, under the
// ids that the server's own log has.
func TestCalls(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	writes := 0
	s := emulatorWith(t, selfauthd.Options{After: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method != http.MethodGet && r.URL.Path != "/v1/raw/search" {
			writes++
		}
		return false
	}})
	w := newWorld(t, sandbox.Options{Tenants: 5, Users: 2000, Seed: 12}, s)
	w.config(everyone + waveEveryone)
	w.run(exitDone, "apply", "-auto-approve")
	users, groups := w.number("select count(*) from users where {idp}_user_id is not null"), 2*w.number("select count(*) from tenants")
	batches := w.number("select count(*) from anthill_state.batches")
	if batches > (users+leastInBatch-1)/leastInBatch {
		t.Errorf("%d batches of %d users", batches, users)
	}
	if most := 3*batches + 2*groups; writes > most {
		t.Errorf("%d write calls for %d batches and %d groups, want at most %d", writes, batches, groups, most)
	}
	if n := w.number("select count(distinct request) from anthill_state.calls where request ~ '^[0-9a-f-]{36}$' and doing <> ''"); n != writes {
		t.Errorf("%d calls are in the journal, %d were made", n, writes)
	}
}
