package selfauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"anthill/providers"
)

// server is a Self-auth server that the suite runs against.
type server struct {
	name     string
	url      string
	caFile   string
	rw, ro   string // tokens of an account with all rights
	idmAdmin string // password of idm_admin, "" if not known
}

// servers are the emulator, and a real one where the environment names it.
func servers(t *testing.T) []server {
	t.Helper()
	all := []server{emulator(t)}
	if url := os.Getenv("ANTHILL_TEST_SELFAUTH_URL"); url != "" {
		all = append(all, server{
			name: "real", url: url, caFile: os.Getenv("ANTHILL_TEST_SELFAUTH_CA_FILE"), rw: os.Getenv("ANTHILL_TEST_SELFAUTH_TOKEN"),
			ro: os.Getenv("SELF_AUTH_READ_TOKEN"), idmAdmin: os.Getenv("SELF_AUTH_IDM_ADMIN_PASSWORD"),
		})
	}
	return all
}

func (s server) open(t testing.TB, token string) *Provider {
	t.Helper()
	p, err := Open(Options{URL: s.url, CAFile: s.caFile, Token: token, Application: "anthill/test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// call does a request of the tests' own, with a session where one is given, and wants 200.
func (s server) call(t *testing.T, method, path, bearer, session string, in any) (json.RawMessage, http.Header) {
	t.Helper()
	pem, err := os.ReadFile(s.caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	var content io.Reader
	if in != nil {
		content = bytes.NewReader(encode(in))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, content)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if session != "" {
		req.Header.Set("X-KANIDM-AUTH-SESSION-ID", session)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return text, resp.Header
}

func (s server) login(t *testing.T, name, password string) string {
	t.Helper()
	_, h := s.call(t, "POST", "/v1/auth", "", "", map[string]any{"step": map[string]any{"init2": map[string]any{"username": name, "issue": "token", "privileged": true}}})
	session := h.Get("X-KANIDM-AUTH-SESSION-ID")
	s.call(t, "POST", "/v1/auth", "", session, map[string]any{"step": map[string]any{"begin": "password"}})
	text, _ := s.call(t, "POST", "/v1/auth", "", session, map[string]any{"step": map[string]any{"cred": map[string]any{"password": password}}})
	var answer struct {
		State struct {
			Success string `json:"success"`
		} `json:"state"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.State.Success == "" {
		t.Fatalf("login of %s: no token (%v)", name, err)
	}
	return answer.State.Success
}

// account makes a service account in the groups and returns a token of it.
func (s server) account(t *testing.T, expiry *int64, groups ...string) string {
	t.Helper()
	admin := s.login(t, "idm_admin", s.idmAdmin)
	name := "svc_" + random(t)
	s.call(t, "POST", "/v1/service_account", admin, "", entry{map[string][]string{"name": {name}, "displayname": {"Test"}, "entry_managed_by": {"idm_admins"}}})
	for _, g := range groups {
		s.call(t, "POST", "/v1/group/"+g+"/_attr/member", admin, "", []string{name})
	}
	text, _ := s.call(t, "POST", "/v1/service_account/"+name+"/_api_token", admin, "", map[string]any{"label": "t", "expiry": expiry, "read_write": true})
	var token string
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	return token
}

func random(t testing.TB) string {
	t.Helper()
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b[:])
}

// within is a context that ends before a hanging test would.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantKind checks an error's kind and that it is fit to be seen.
func wantKind(t *testing.T, err error, want providers.Kind, secrets ...string) {
	t.Helper()
	if got := providers.KindOf(err); got != want {
		t.Errorf("kind = %v, want %v (%v)", got, want, err)
	}
	if err == nil {
		return
	}
	for _, s := range secrets {
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if s != "" && bytes.Contains([]byte(text), []byte(s)) {
				t.Errorf("the error shows a secret: %q", text)
			}
		}
	}
}
