package selfauth_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/selfauthd"
	"anthill/providers"
	"anthill/providers/selfauth"
	"anthill/state"
)

// emulate starts an emulator and returns what opens a client of it.
func emulate(t *testing.T, o selfauthd.Options) func(selfauth.Options) *selfauth.Provider {
	t.Helper()
	s, err := selfauthd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, s.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	token, _ := s.Operator()
	return func(o selfauth.Options) *selfauth.Provider {
		o.URL, o.CAFile = s.URL(), ca
		if o.TokenFile == "" {
			o.Token = token
		} else if err := os.WriteFile(o.TokenFile, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := selfauth.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
}

func many(t *testing.T, a providers.Accounts, n int) []uuid.UUID {
	t.Helper()
	persons := make([]providers.NewPerson, n)
	ids := make([]uuid.UUID, n)
	for i := range persons {
		ids[i] = uuid.New()
		persons[i] = providers.NewPerson{
			ID: ids[i], Name: "p" + ids[i].String()[:13], Display: "P", Mail: ids[i].String() + "@x.example",
		}
	}
	if err := a.Create(t.Context(), persons); err != nil {
		t.Fatal(err)
	}
	return ids
}

func markers(t *testing.T, p *selfauth.Provider) (names []string) {
	t.Helper()
	groups, err := p.Directory().Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if strings.HasPrefix(g.Name, "anthill-marker-") {
			names = append(names, g.Name)
		}
	}
	return names
}

// TestTidy: the marker of a killed process goes with the next one of its owner; that of another owner stays.
func TestTidy(t *testing.T) {
	t.Parallel()
	open := emulate(t, selfauthd.Options{})
	mine, others := open(selfauth.Options{Owner: "mine"}), open(selfauth.Options{Owner: "other"})
	ids := many(t, mine.Accounts(), 40)
	for _, p := range []*selfauth.Provider{mine, others} {
		if err := p.Accounts().Expire(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
	}
	if m := markers(t, mine); len(m) != 2 {
		t.Fatalf("markers %v, want one of each owner", m)
	}
	if err := open(selfauth.Options{Owner: "mine"}).Accounts().Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := markers(t, mine); len(m) != 1 || !strings.HasPrefix(m[0], "anthill-marker-other-") {
		t.Errorf("markers %v, want the other owner's", m)
	}
	// So does the one that waiting for earlier writes has made.
	later := open(selfauth.Options{Owner: "mine"}).Accounts()
	if err := later.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := markers(t, mine); len(m) != 2 {
		t.Errorf("markers %v: nothing was written", m)
	}
	if err := later.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m := markers(t, mine); len(m) != 1 {
		t.Errorf("markers %v, want the other owner's", m)
	}
	// The first process lives after all: it makes itself another one.
	if err := mine.Accounts().Enable(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	found, err := mine.Accounts().Lookup(t.Context(), ids)
	if err != nil || len(found) != 40 {
		t.Fatalf("%d persons, %v", len(found), err)
	}
	for _, p := range found {
		if p.Expired {
			t.Fatal("a person was not enabled")
		}
	}
}

// TestWithoutBulk: a server that has no bulk calls is found out once and said once, and all is done one by one.
func TestWithoutBulk(t *testing.T) {
	t.Parallel()
	refused := 0
	open := emulate(t, selfauthd.Options{Intercept: func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/v1/raw/") || r.URL.Path == "/v1/raw/search" {
			return false
		}
		refused++
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("closed by the gateway"))
		return true
	}})
	p := open(selfauth.Options{})
	a := p.Accounts()
	ids := many(t, a, 35)
	many(t, a, 2)
	for _, do := range []func() error{
		func() error { return a.Expire(t.Context(), ids) }, func() error { return a.Expire(t.Context(), ids[:3]) },
		func() error { return a.Enable(t.Context(), ids[1:]) }, func() error { return a.Delete(t.Context(), ids[2:]) },
		func() error { return a.Tidy(t.Context()) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	found, err := a.Lookup(t.Context(), ids)
	if err != nil || len(found) != 2 || found[0].Expired == found[1].Expired {
		t.Errorf("left are %+v, %v; want the first two, one of them expired", found, err)
	}
	if refused != 3 {
		t.Errorf("%d bulk calls were tried, want each of the three once", refused)
	}
	_, notes := a.Taken()
	var paths []string
	for _, n := range notes {
		paths = append(paths, n.Text(state.KeyPath))
		if n.Code != state.CodeNoBulkCall {
			t.Errorf("said: %+v, want %s", n, state.CodeNoBulkCall)
		}
	}
	if want := []string{"/v1/raw/create", "/v1/raw/modify", "/v1/raw/delete"}; !slices.Equal(paths, want) {
		t.Errorf("said of %v, want %v", paths, want)
	}
	if _, notes := a.Taken(); len(notes) != 0 {
		t.Errorf("said again: %v", notes)
	}
}

// TestTaken: what the journal keeps of a write, once.
func TestTaken(t *testing.T) {
	t.Parallel()
	a := emulate(t, selfauthd.Options{})(selfauth.Options{}).Accounts()
	began := time.Now()
	many(t, a, 100)
	calls, _ := a.Taken()
	if len(calls) != 1 || calls[0].Took <= 0 || calls[0].Took > time.Since(began) || calls[0].Request == "" ||
		calls[0].Doing != "create 100 persons" {
		t.Errorf("calls %+v", calls)
	}
	if calls, _ := a.Taken(); len(calls) != 0 {
		t.Errorf("taken again: %+v", calls)
	}
}

// TestLostCreate: a create whose answer is lost is looked up, and never sent again when it was done.
func TestLostCreate(t *testing.T) {
	t.Parallel()
	creates, drop := 0, true
	open := emulate(t, selfauthd.Options{After: func(r *http.Request) bool {
		if r.URL.Path != "/v1/raw/create" {
			return false
		}
		creates++
		return drop
	}})
	a := open(selfauth.Options{}).Accounts()
	ids := many(t, a, 20)
	if found, err := a.Lookup(t.Context(), ids); err != nil || len(found) != 20 || creates != 1 || a.Retries() != 0 {
		t.Errorf("%d persons, %v, after %d creates and %d retries; want 20 after one", len(found), err, creates,
			a.Retries())
	}
}

// TestTokenFile: a token in a file that nobody else may read; any other is refused with the cure, and never shown.
func TestTokenFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	p := emulate(t, selfauthd.Options{})(selfauth.Options{TokenFile: file})
	if _, err := p.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, want ...string) {
		t.Helper()
		_, err := selfauth.Open(selfauth.Options{URL: "https://localhost", TokenFile: file})
		if state.ErrorKindOf(err) != state.ErrorUnauthenticated {
			t.Fatalf("%s: %v", what, err)
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q does not say %q", what, err, w)
			}
		}
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	refused("readable by the group", "mode 0640", "chmod 600 "+file)
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("huge", "longer than any token")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	refused("absent", "no such file")
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("a directory", "no regular file")
}
