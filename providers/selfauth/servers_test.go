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

	"github.com/google/uuid"

	"anthill/internal/scratchidm/idmtest"
	"anthill/providers"
	"anthill/providers/providertest"
	"anthill/state"
)

// server is a Self-auth server that the suite runs against.
type server struct {
	name     string
	url      string
	caFile   string
	rw, ro   string // tokens of an account with all rights; "": not known
	idmAdmin string // password of idm_admin, "" if not known
	admin    string // password of admin, "" if not known
}

// servers are the emulator, and a real one where there is one.
func servers(t *testing.T) []server {
	t.Helper()
	all := []server{emulator(t)}
	if start, ok := idmtest.Real(t); ok {
		s := start(t)
		all = append(all, server{
			name: "real", url: s.URL, caFile: s.CAFile, rw: s.ReadWrite, ro: s.ReadOnly, idmAdmin: s.IDMAdmin,
			admin: s.Admin,
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

// do makes a request of the tests' own, with a login session where one is given.
func (s server) do(ctx context.Context, method, path, bearer, session string, in any) (int, []byte, http.Header,
	error) {
	pem, err := os.ReadFile(s.caFile)
	if err != nil {
		return 0, nil, nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	var content io.Reader
	if in != nil {
		content = bytes.NewReader(encode(in))
	}
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, content)
	if err != nil {
		return 0, nil, nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	if session != "" {
		req.Header.Set("X-KANIDM-AUTH-SESSION-ID", session)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, resp.Header, err
}

// call does a request and wants 200.
func (s server) call(ctx context.Context, t testing.TB, method, path, bearer, session string, in any) (json.RawMessage,
	http.Header) {
	t.Helper()
	status, text, header, err := s.do(ctx, method, path, bearer, session, in)
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s %s: %d %s, %v; want 200", method, path, status, text, err)
	}
	return text, header
}

func (s server) login(ctx context.Context, t testing.TB, name, password string) string {
	t.Helper()
	_, h := s.call(ctx, t, "POST", "/v1/auth", "", "",
		map[string]any{"step": map[string]any{"init2": map[string]any{
			"username": name, "issue": "token", "privileged": true,
		}}})
	session := h.Get("X-KANIDM-AUTH-SESSION-ID")
	s.call(ctx, t, "POST", "/v1/auth", "", session, map[string]any{"step": map[string]any{"begin": "password"}})
	text, _ := s.call(ctx, t, "POST", "/v1/auth", "", session,
		map[string]any{"step": map[string]any{"cred": map[string]any{"password": password}}})
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

// account makes a service account in the groups, for the length of the test, and returns a token of it; "" where the
// password of idm_admin is not known, who alone may make one.
func (s server) account(t *testing.T, expiry *int64, groups ...string) string {
	t.Helper()
	if s.idmAdmin == "" {
		return ""
	}
	ctx := t.Context()
	admin := s.login(ctx, t, "idm_admin", s.idmAdmin)
	name := "svc_" + random(t)
	s.call(ctx, t, "POST", "/v1/service_account", admin, "",
		entry{map[string][]string{"name": {name}, "displayname": {"Test"}, "entry_managed_by": {"idm_admins"}}})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for _, g := range groups { // in one of these it is protected
			s.call(ctx, t, "DELETE", "/v1/group/"+g+"/_attr/member", admin, "", []string{name})
		}
		s.call(ctx, t, "DELETE", "/v1/service_account/"+name, admin, "", nil)
	})
	for _, g := range groups {
		s.call(ctx, t, "POST", "/v1/group/"+g+"/_attr/member", admin, "", []string{name})
	}
	text, _ := s.call(ctx, t, "POST", "/v1/service_account/"+name+"/_api_token", admin, "",
		map[string]any{"label": "t", "expiry": expiry, "read_write": true})
	var token string
	if err := json.Unmarshal(text, &token); err != nil {
		t.Fatal(err)
	}
	return token
}

// suite is the server as the conformance suite wants it.
func (s server) suite(t *testing.T) providertest.Server {
	t.Helper()
	known := map[string]string{"webauthn_attestation_ca_list": "Self-auth shows the names of devices in place of " +
		"the list"}
	if s.name == "emulator" {
		known["a UUID between two letters"] = "the emulator takes it for an id"
	}
	return providertest.Server{
		Known: known,
		Open: func(t testing.TB, token, owner string) providertest.Provider {
			t.Helper()
			p := s.open(t, token)
			p.SetOwner(owner)
			return p
		},
		Tokens: providertest.Tokens{
			ReadWrite: s.rw, ReadOnly: s.ro, People: s.account(t, nil, peopleAdmins),
			Groups: s.account(t, nil, groupAdmins), Both: s.account(t, nil, peopleAdmins, groupAdmins),
			None: s.account(t, nil),
		},
		Protect: s.protect(),
		Do: func(ctx context.Context, token, method, path string, in any) (int, []byte, error) {
			status, answer, _, err := s.do(ctx, method, path, token, "", in)
			return status, answer, err
		},
	}
}

// protect puts groups into the one whose members are protected, or takes them out; nil where the password of admin is
// not known, who alone may.
func (s server) protect() func(testing.TB, uuid.UUID, bool) {
	if s.admin == "" {
		return nil
	}
	return func(t testing.TB, group uuid.UUID, protected bool) {
		t.Helper()
		ctx := after(t)
		method := map[bool]string{true: "POST", false: "DELETE"}[protected]
		s.call(ctx, t, method, "/v1/group/"+highPrivilege+"/_attr/member", s.login(ctx, t, "admin", s.admin), "",
			[]string{group.String()})
	}
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

// after is a context for what is done when the test's own has ended.
func after(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// wantKind checks an error's kind and that it is fit to be seen.
func wantKind(t *testing.T, err error, want state.ErrorKind, secrets ...string) {
	t.Helper()
	if got := state.ErrorKindOf(err); got != want {
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

// testDeadMember: where a deleted person has been let into a group, the others are listed all the same, and that one
// counts as hidden. The emulator lets none in.
func testDeadMember(t *testing.T, s server) {
	p := s.open(t, s.rw)
	a := p.Accounts()
	list, group, other := newPersons(t, p, 2), newGroup(t, p), newGroup(t, p)
	must(t, a.Create(t.Context(), list))
	must(t, a.CreateGroups(t.Context(), []providers.NewGroup{group, other}))
	must(t, a.AddMembers(t.Context(), other.ID, []uuid.UUID{list[0].ID}))
	must(t, a.Delete(t.Context(), []uuid.UUID{list[1].ID}))
	status, _, _, err := s.do(t.Context(), http.MethodPost, attribute(group.ID, "member"), s.rw, "",
		[]string{list[0].ID.String(), list[1].ID.String()})
	must(t, err)
	wasLetIn := status == http.StatusOK
	t.Logf("a deleted member was let in: %v", wasLetIn)
	groups, err := p.Directory().Groups(t.Context())
	must(t, err)
	for _, g := range groups {
		if g.ID == group.ID && g.Hidden != wasLetIn || g.ID == other.ID && (g.Hidden || len(g.Members) != 1) {
			t.Errorf("%+v; a deleted member was let into %s: %v", g, group.Name, wasLetIn)
		}
	}
	in, err := a.Members(t.Context(), group.ID, []uuid.UUID{list[0].ID, list[1].ID})
	must(t, err)
	if wasLetIn != (len(in) == 1) {
		t.Errorf("%d persons say that they are in the group", len(in))
	}
}
