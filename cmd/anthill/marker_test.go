package main

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"anthill/internal/sandbox"
	"anthill/internal/selfauthd"
)

// TestMarkerMeddled: whatever becomes of the marker group between marking persons and expiring them, a rollback that
// says that it is done has expired them all.
func TestMarkerMeddled(t *testing.T) {
	t.Parallel()
	for name, meddle := range map[string]func(b *browser, marker string){
		"deleted": func(b *browser, marker string) { b.do(http.MethodDelete, "/v1/group/"+marker, b.token, nil) },
		"emptied": func(b *browser, marker string) {
			b.do(http.MethodPut, "/v1/group/"+marker+"/_attr/member", b.token, []string{})
		},
		"renamed": func(b *browser, marker string) {
			b.do(http.MethodPatch, "/v1/group/"+marker, b.token, map[string]any{
				"attrs": map[string][]string{"name": {"renamed"}},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b *browser
			var armed, met atomic.Bool
			var mu sync.Mutex
			marker := ""
			s := emulatorWith(t, selfauthd.Options{Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				if group, fills := strings.CutSuffix(r.URL.Path, "/_attr/member"); fills && r.Method == http.MethodPut {
					marker = strings.TrimPrefix(group, "/v1/group/")
				}
				if r.URL.Path == "/v1/raw/modify" && marker != "" && armed.CompareAndSwap(true, false) {
					met.Store(true)
					at := marker
					mu.Unlock()
					meddle(b, at)
					mu.Lock()
				}
				return false
			}})
			b = newBrowser(t, s)
			w := newWorld(t, sandbox.Options{Tenants: 4, Users: 120, Seed: 11}, s)
			w.config(everyone + waveEveryone)
			before := w.fingerprint()
			w.run(exitDone, "apply", "-auto-approve")
			armed.Store(true)
			w.run(exitDone, "rollback", "-auto-approve")
			if !met.Load() {
				t.Fatal("nothing was meddled with: the test proves nothing")
			}
			w.checkRolledBack(before)
			for _, p := range w.directory().persons {
				if !p.Expired {
					t.Errorf("%s is enabled", p.Name)
				}
			}
		})
	}
}

// TestGroupsLeftOnce: a rollback of many tenants takes the persons out of each group in one call, however many groups a
// batch has.
func TestGroupsLeftOnce(t *testing.T) {
	t.Parallel()
	for _, tenants := range []int{8, 20} {
		t.Run(strconv.Itoa(tenants), func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			w := newWorld(t, sandbox.Options{Tenants: tenants, Users: 300, Seed: 11}, emulatorWith(t, selfauthd.Options{
				Intercept: func(_ http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == "/v1/raw/modify" {
						calls.Add(1)
					}
					return false
				},
			}))
			w.config(everyone + waveEveryone)
			w.run(exitDone, "apply", "-auto-approve")
			used := 0
			for name, g := range w.directory().groups {
				if strings.HasPrefix(name, "tenant_") && len(g.Members) > 0 {
					used++
				}
			}
			calls.Store(0)
			w.run(exitDone, "rollback", "-auto-approve")
			// One for each group, once more where its users are in two batches, and what marks and expires the persons of each.
			batches := w.number("select count(*) from anthill_state.batches b join anthill_state.runs r on r.id = b.run where r.kind = 'rollback'")
			if n := int(calls.Load()); n > used+4*batches || used < tenants || batches > (300+leastInBatch-1)/leastInBatch {
				t.Errorf("%d calls for %d groups in %d batches", n, used, batches)
			}
		})
	}
}
