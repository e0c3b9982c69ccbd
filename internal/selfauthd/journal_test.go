package selfauthd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// state is all that a server keeps, in a form that can be compared.
func state(t *testing.T, s *Server) string {
	t.Helper()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var b bytes.Buffer
	err := s.snapshot(func(l line) error {
		text, err := json.MarshalIndent(l, "", " ")
		b.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// again ends a server and starts another one on its folder.
func again(t *testing.T, a *api, dir string) *api {
	t.Helper()
	want := state(t, a.s)
	if err := a.s.Close(); err != nil {
		t.Fatal(err)
	}
	n := newAPIWith(t, Options{Dir: dir, Now: a.now})
	if diff := cmp.Diff(want, state(t, n.s)); diff != "" {
		t.Errorf("after the start (-before +after):\n%s", diff)
	}
	n.tokens, n.bound, n.clock = a.tokens, a.bound, a.clock
	return n
}

// TestTheDirectoryIsKept stops and starts the server after every line of each recording that can bear it.
func TestTheDirectoryIsKept(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"account-policy", "oauth2", "enrolled", "recycle-revive", "groups-members", "persons", "raw-bulk", "names-and-mails"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := newAPIWith(t, Options{Dir: dir})
			a.accounts()
			inFlight := false // a session whose state is in the server's head alone
			for i, x := range readExchanges(t, recordings+"/"+name+".jsonl") {
				a.replay(&x)
				switch {
				case strings.Contains(x.Request.Path, "_exchange_intent"):
					inFlight = true
				case strings.Contains(x.Request.Path, "_commit"):
					inFlight = false
				}
				if i%3 == 0 && !inFlight {
					a = again(t, a, dir)
				}
			}
			again(t, a, dir)
		})
	}
}

func TestLoginsAndTokensAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAPIWith(t, Options{Dir: dir})
	a.accounts()
	for _, x := range readExchanges(t, recordings+"/login-flow.jsonl") {
		if x.N > 59 {
			break
		}
		a.replay(&x)
	}
	readWrite, readOnly := a.s.Operator()
	idmAdmin, admin := a.s.Passwords()
	a = again(t, a, dir)
	if w, r := a.s.Operator(); w != readWrite || r != readOnly {
		t.Error("the operator's tokens are others")
	}
	if i, ad := a.s.Passwords(); i != idmAdmin || ad != admin {
		t.Error("the passwords are others")
	}
	a.must("GET", "/v1/self", readOnly, nil)
	for _, x := range readExchanges(t, recordings+"/login-flow.jsonl") {
		if x.N > 59 {
			a.replay(&x)
		}
	}
}

func TestATornLineIsDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAPIWith(t, Options{Dir: dir})
	rw, _ := a.s.Operator()
	a.must("POST", "/v1/person", rw, newPersonBody("first"))
	a.must("POST", "/v1/person", rw, newPersonBody("second"))
	a.s.Close()
	name := filepath.Join(dir, journalName)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b[:len(b)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	n := newAPIWith(t, Options{Dir: dir})
	if n.s.store.byName["first"] == nil || n.s.store.byName["second"] != nil {
		t.Errorf("first is there: %v, second: %v", n.s.store.byName["first"] != nil, n.s.store.byName["second"] != nil)
	}
	n.must("POST", "/v1/person", rw, newPersonBody("second"))
	n.s.Close()
	if b, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	lines[0] = []byte("{\n")
	if err := os.WriteFile(name, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a damaged line: %v", err)
	}
}

// TestFailedWritesLeaveNoTrace compares the file's idea of the directory with the server's after writes that were refused.
func TestFailedWritesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := newAPIWith(t, Options{Dir: dir})
	rw, _ := a.s.Operator()
	group := map[string]any{"attrs": map[string]any{"class": []string{"object", "group"}, "name": []string{"g"}, "member": []string{"p", uuid.NewString()}}}
	p := map[string]any{"attrs": map[string]any{"class": []string{"object", "account", "person"}, "name": []string{"p"}, "displayname": []string{"p"}}}
	b := mustMarshal(map[string]any{"entries": []any{p, group}})
	resp, text := a.do("POST", "/v1/raw/create", rw, b, map[string]string{"Content-Type": "application/json"})
	if resp.StatusCode != 500 {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	again(t, a, dir)
}
