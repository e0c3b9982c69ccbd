package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
	"anthill/planner/planfile"
)

// planAs plans in a process of its own and returns the file.
func (w *world) planAs(dir, out string, env ...string) []byte {
	w.t.Helper()
	cmd := exec.Command("anthill", "-chdir", dir, "plan", "-as-of", "2026-11-25T00:00:00Z", "-out", out)
	cmd.Env = append(w.environment(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("%v: %s", err, said)
	}
	b, err := os.ReadFile(filepath.Join(dir, out))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) planID(dir, out string) string {
	w.t.Helper()
	r, err := planfile.Open(filepath.Join(dir, out))
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	return r.ID().String()
}

// TestSamePlan makes one plan twice, on one and on two processors, and on a copy of the folder: the same bytes. With
// files renamed and blocks shuffled the plan ID is the same.
func TestSamePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{}, emulator(t))
	w.config(everyone + waveEveryone)
	first := w.planAs(w.dir, "a", "GOMAXPROCS=1")
	if second := w.planAs(w.dir, "b", "GOMAXPROCS=2"); !bytes.Equal(first, second) {
		t.Error("another plan on two processors")
	}
	copied := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(copied, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	if third := w.planAs(copied, "c"); !bytes.Equal(first, third) {
		t.Error("another plan in another folder")
	}
	shuffled := t.TempDir()
	blocks := strings.Split("provider \"postgres\" { naming = \"self_auth\" }\n"+everyone+waveEveryone, "\n}\n")
	var a, b strings.Builder
	for i := len(blocks) - 1; i >= 0; i-- {
		to := &a
		if i%2 == 0 {
			to = &b
		}
		to.WriteString(blocks[i])
		if i < len(blocks)-1 {
			to.WriteString("\n}\n")
		}
	}
	for name, text := range map[string]string{"zz.anthill.hcl": a.String(), "aa.anthill.hcl": b.String()} {
		if err := os.WriteFile(filepath.Join(shuffled, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.planAs(shuffled, "d")
	if one, other := w.planID(w.dir, "a"), w.planID(shuffled, "d"); one != other {
		t.Errorf("plan ID %s, shuffled %s", one, other)
	}
}

// TestSamePlanOfAnyOrder plans a world of 5,000 users again and again: however its rows lie in Postgres, in whatever order
// Self-auth lists what it has, on one, two and eight processors, the file has the same bytes, before and after its users
// are moved, when some are to be followed.
func TestSamePlanOfAnyOrder(t *testing.T) {
	t.Parallel()
	var shuffles atomic.Int64
	var other *browser
	s := emulatorWith(t, selfauthd.Options{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		if shuffles.Load() == 0 || r.Method != http.MethodGet {
			return false
		}
		return shuffled(other, w, r, rand.New(rand.NewPCG(uint64(shuffles.Add(1)), 1)))
	}})
	other = newBrowser(t, s)
	w := newWorld(t, sandbox.Options{Tenants: 40, Users: 5000, Seed: 8}, s)
	c := w.connect()
	orders := []string{"md5(user_id::text)", "email desc", "status, role, created_at", "tenant_id desc, user_id desc"}
	plans := func() {
		t.Helper()
		shuffles.Store(0)
		want := w.planAs(w.dir, "first", "GOMAXPROCS=2")
		shuffles.Store(1)
		for i := range *plansOfAnyOrder {
			again := []string{"create index by_some_order on users (" + orders[i%len(orders)] + ")", "cluster users using by_some_order",
				"drop index by_some_order", "vacuum full users"}
			for _, sql := range again[:3+i%2] {
				if _, err := c.Exec(t.Context(), sql); err != nil {
					t.Fatal(err)
				}
			}
			got := w.planAs(w.dir, "p", "GOMAXPROCS="+[]string{"1", "2", "8"}[i%3])
			if !bytes.Equal(want, got) {
				t.Fatalf("plan %d: other bytes: plan ID %s, not %s", i, w.planID(w.dir, "p"), w.planID(w.dir, "first"))
			}
		}
	}
	w.config(everyone + waveEveryone)
	plans()
	if n := shuffles.Load(); n < int64(*plansOfAnyOrder)*3 {
		t.Errorf("only %d listings were shuffled", n)
	}
	shuffles.Store(0)
	w.run(exitDone, "apply", "-auto-approve")
	w.exec("update users set role = 'admin' where role = 'manager'")
	w.exec("update users set status = 'suspended' where role = 'viewer'")
	w.exec("delete from users where user_id = (select min(user_id::text)::uuid from users where {idp}_user_id is not null)")
	plans()
}

var plansOfAnyOrder = flag.Int("orders", 3, "how many plans TestSamePlanOfAnyOrder makes in each of its two worlds")

// shuffled answers a request for a list as the server does, but in another order. Groups stay in theirs, which is that of
// their creation and means something (L36); their members do not.
func shuffled(b *browser, w http.ResponseWriter, r *http.Request, random *rand.Rand) bool {
	const asItIs = "As-It-Is"
	if r.Header.Get(asItIs) != "" {
		return false
	}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	got := b.do(r.Method, r.URL.RequestURI(), bearer, nil, asItIs, "1")
	var whole map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(got.body, &whole) == nil && json.Unmarshal(whole["resources"], &list) == nil {
		if !strings.Contains(r.URL.RawQuery, "group") {
			random.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		}
		for i := range list {
			var entry map[string]json.RawMessage
			var members []json.RawMessage
			if json.Unmarshal(list[i], &entry) == nil && json.Unmarshal(entry["member"], &members) == nil {
				random.Shuffle(len(members), func(i, k int) { members[i], members[k] = members[k], members[i] })
				entry["member"], _ = json.Marshal(members)
				list[i], _ = json.Marshal(entry)
			}
		}
		whole["resources"], _ = json.Marshal(list)
		got.body, _ = json.Marshal(whole)
	}
	for name, values := range got.header {
		if name != "Content-Length" {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(got.status)
	_, _ = w.Write(got.body)
	return true
}

// TestSameIDElsewhere: files renamed, another commit and another CI job change what is told of a plan, and not its ID.
func TestSameIDElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sandbox.Options{Tenants: 6, Users: 200, Seed: 3}, emulator(t))
	w.config(everyone + waveEveryone)
	ids, seals := map[string]bool{}, map[string]bool{}
	text, err := os.ReadFile(filepath.Join(w.dir, "main.anthill.hcl"))
	must(t, err)
	for i, name := range []string{"main", "zz", "a-b"} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, name+".anthill.hcl"), text, 0o600))
		for _, args := range [][]string{{"init", "-q"}, {"add", "."},
			{"-c", "user.name=x", "-c", "user.email=x@x.example", "commit", "-q", "-m", fmt.Sprint("commit ", i)}} {
			if out, err := exec.Command("git", append([]string{"-C", dir}, args...)...).CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v %s", args, err, out)
			}
		}
		w.planAs(dir, "p", "GITHUB_ACTIONS=true", "GITHUB_SERVER_URL=https://forge.example", "GITHUB_REPOSITORY=o/r",
			fmt.Sprint("GITHUB_RUN_ID=", i), fmt.Sprint("GITHUB_ACTOR=somebody", i))
		ids[w.planID(dir, "p")] = true
		r, err := planfile.Open(filepath.Join(dir, "p"))
		must(t, err)
		seals[r.Seal().String()] = true
		if o := r.Context().Origin; o.Commit == "" || o.Author == "" || o.Job == "" {
			t.Errorf("its origin is not told: %+v", o)
		}
		must(t, r.Close())
	}
	if len(ids) != 1 || len(seals) != 3 {
		t.Errorf("%d plan IDs and %d seals", len(ids), len(seals))
	}
}
