package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"anthill/internal/sandbox"
	"anthill/providers"
)

// browser is what a person and the application do to log in through Self-auth, over plain HTTP.
type browser struct {
	t      *testing.T
	http   *http.Client
	origin string
	token  string // of the operator
	secret string // of the client
}

func newBrowser(t *testing.T, s server) *browser {
	t.Helper()
	pem, err := os.ReadFile(s.caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(c.CloseIdleConnections)
	return &browser{t: t, http: c, origin: s.url, token: s.token}
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (b *browser) do(method, path, bearer string, body any, header ...string) answer {
	b.t.Helper()
	var in io.Reader
	kind := "application/json"
	switch v := body.(type) {
	case nil:
	case url.Values:
		in, kind = strings.NewReader(v.Encode()), "application/x-www-form-urlencoded"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			b.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.origin+path, in)
	if err != nil {
		b.t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", kind)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	resp, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, text}
}

// ok demands 200 and decodes the body.
func (b *browser) ok(a answer, to any) {
	b.t.Helper()
	if a.status != http.StatusOK {
		b.t.Fatalf("status %d: %s", a.status, a.body)
	}
	if to != nil {
		if err := json.Unmarshal(a.body, to); err != nil {
			b.t.Fatalf("%v: %s", err, a.body)
		}
	}
}

const testPassword = "correct-horse-battery-staple-7719"

// enrol sets a password through a reset link, as a person does after the invitation.
func (b *browser) enrol(person uuid.UUID) {
	b.t.Helper()
	var intent struct{ Token string }
	b.ok(b.do("GET", "/v1/person/"+person.String()+"/_credential/_update_intent/3600", b.token, nil), &intent)
	var session []json.RawMessage
	b.ok(b.do("POST", "/v1/credential/_exchange_intent", "", intent.Token), &session)
	b.ok(b.do("POST", "/v1/credential/_update", "", []any{map[string]string{"password": testPassword}, session[0]}), nil)
	b.ok(b.do("POST", "/v1/credential/_commit", "", session[0]), nil)
}

// logIn logs a person in at Self-auth; denied is the reason when it may not.
func (b *browser) logIn(person uuid.UUID) (session, denied string) {
	b.t.Helper()
	return b.logInAs(person.String())
}

// logInAs does so by a login name.
func (b *browser) logInAs(name string) (session, denied string) {
	b.t.Helper()
	step := func(header string, body any) answer {
		b.t.Helper()
		if header == "" {
			return b.do("POST", "/v1/auth", "", map[string]any{"step": body})
		}
		return b.do("POST", "/v1/auth", "", map[string]any{"step": body}, "X-KANIDM-AUTH-SESSION-ID", header)
	}
	var state struct {
		State struct{ Success, Denied string }
	}
	a := step("", map[string]any{"init2": map[string]any{"username": name, "issue": "token", "privileged": false}})
	var first struct{ State map[string]any }
	b.ok(a, &first)
	if d, ok := first.State["denied"].(string); ok {
		return "", d
	}
	id := a.header.Get("X-KANIDM-AUTH-SESSION-ID")
	b.ok(step(id, map[string]string{"begin": "password"}), nil)
	b.ok(step(id, map[string]any{"cred": map[string]string{"password": testPassword}}), &state)
	return state.State.Success, state.State.Denied
}

const callback = "https://app.example.com/oauth/callback"

// authorise asks for a code for the application, consenting where that is asked; status is the refusal, else 200.
func (b *browser) authorise(session string) (code string, status int) {
	b.t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	a := b.do("POST", "/oauth2/authorise", session, map[string]string{"response_type": "code", "client_id": "app", "state": "s", "code_challenge_method": "S256",
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:]), "redirect_uri": callback, "scope": "openid profile email groups groups_name", "nonce": "n"})
	var consent struct {
		ConsentRequested struct {
			Token string `json:"consent_token"`
		}
	}
	if a.status != http.StatusOK {
		return "", a.status
	}
	if json.Unmarshal(a.body, &consent) == nil && consent.ConsentRequested.Token != "" {
		if a = b.do("POST", "/oauth2/authorise/permit", session, consent.ConsentRequested.Token); a.status != http.StatusOK {
			return "", a.status
		}
	}
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		b.t.Fatalf("no code in %q, %v", a.header.Get("Location"), err)
	}
	return to.Query().Get("code"), http.StatusOK
}

const verifier = "a-verifier-of-more-than-forty-three-characters-000"

// tokens are what the application gets for a code.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

func (b *browser) exchange(form url.Values) (t tokens, status int) {
	b.t.Helper()
	form.Set("client_id", "app")
	form.Set("client_secret", b.secret)
	a := b.do("POST", "/oauth2/token", "", form)
	if a.status == http.StatusOK {
		b.ok(a, &t)
	}
	return t, a.status
}

// claims are the claims of an id token; its signature is the server's business.
func (b *browser) claims(token string) (c struct {
	Sub, Email string
	Groups     []string
}) {
	b.t.Helper()
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

const withApp = everyone + waveEveryone + `
oauth2_client "app" {
  display_name  = "App"
  landing_url   = "https://app.example.com"
  redirect_urls = ["https://app.example.com/oauth/callback"]
  scope_map {
    groups = group.users
    scopes = ["openid", "profile", "email", "groups", "groups_name"]
  }
}
`

// TestLogins: moved users of each role log in to the application through Self-auth, once they have set a password by the
// reset link: an administrator's token names the admins' group before the users'. Who is in no group of the scope map is
// refused. After the rollback nobody gets in, and no token that was issued goes on.
func TestLogins(t *testing.T) {
	for name, start := range servers(t) {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			w := newWorld(t, sandbox.Options{Tenants: 3, Users: 40, Seed: 6}, s)
			b := newBrowser(t, s)
			// A password alone will do, or this test would have to be an authenticator as well.
			const minimum = "/v1/group/idm_all_persons/_attr/credential_type_minimum"
			b.ok(b.do("PUT", minimum, b.token, []string{"any"}), nil)
			t.Cleanup(func() { b.http.CloseIdleConnections() })
			defer func() { b.ok(b.do("PUT", minimum, b.token, []string{"mfa"}), nil) }()

			w.config(withApp)
			w.run(exitDone, "apply", "-auto-approve")
			defer func() { w.allowing("rollback", "-delete-persons", "-auto-approve") }()
			b.ok(b.do("GET", "/v1/oauth2/app/_basic_secret", b.token, nil), &b.secret)
			var last tokens
			var session string
			for _, role := range []string{"admin", "manager", "user", "viewer", "super_admin"} {
				session, last = w.logInAs(b, role)
			}

			stranger := uuid.New()
			if err := w.api.Accounts().Create(t.Context(), []providers.NewPerson{{ID: stranger, Name: "stranger-" + stranger.String()[:8], Display: "Stranger"}}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.api.Accounts().Delete(t.Context(), []uuid.UUID{stranger}); err != nil {
					t.Error(err)
				}
			}()
			b.enrol(stranger)
			if in, denied := b.logIn(stranger); in == "" {
				t.Errorf("the stranger may not even log in to Self-auth: %s", denied)
			} else if _, status := b.authorise(in); status != http.StatusForbidden {
				t.Errorf("a person in no group of the scope map is answered %d, want 403", status)
			}

			w.run(exitDone, "rollback", "-auto-approve")
			if _, status := b.exchange(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {last.Refresh}}); status == http.StatusOK {
				t.Error("a token can be refreshed after the rollback")
			}
			if a := b.do("GET", "/oauth2/openid/app/userinfo", last.Access, nil); a.status == http.StatusOK {
				t.Errorf("userinfo answers after the rollback: %s", a.body)
			}
			if _, status := b.authorise(session); status == http.StatusOK {
				t.Error("a session goes on after the rollback")
			}
			for id := range w.directory().persons {
				if id != stranger {
					if in, denied := b.logIn(id); in != "" || denied != "account expired" {
						t.Errorf("after the rollback a login ends with %q", denied)
					}
				}
			}
		})
	}
}

// TestOnlyWayIn: a user who never had a password and has enrolled a credential in Self-auth keeps it: a rollback that would
// take the only way in leaves the user as it is, and says so.
func TestOnlyWayIn(t *testing.T) {
	t.Parallel()
	s := emulator(t)
	w := newWorld(t, sandbox.Options{Tenants: 3, Users: 20, Seed: 6, Level: "dual"}, s)
	b := newBrowser(t, s)
	b.ok(b.do("PUT", "/v1/group/idm_all_persons/_attr/credential_type_minimum", b.token, []string{"any"}), nil)
	w.exec("update users set password_hash = null where user_id in (select user_id from users where status = 'active' and role = 'user' and email ~ '^[a-z0-9.]+@[a-z0-9.]+$' order by user_id limit 2)")
	w.config(withApp)
	w.run(exitDone, "apply", "-auto-approve")
	var person uuid.UUID
	if err := w.connect().QueryRow(t.Context(), w.spell("select {idp}_user_id from users where password_hash is null and {idp}_user_id is not null order by user_id limit 1")).Scan(&person); err != nil {
		t.Fatal(err)
	}
	b.enrol(person)
	out, _ := w.run(exitDone, "rollback", "-auto-approve")
	wants(t, out, "1 user is in conflict", "has enrolled a credential in Self-auth")
	if n := w.number("select count(*) from users where {idp}_user_id is not null"); n != 1 {
		t.Errorf("%d rows are linked, want the one of the user without a password", n)
	}
	session, denied := b.logIn(person)
	if session == "" {
		t.Fatalf("the only way in is closed: %s", denied)
	}
	if _, status := b.authorise(session); status != http.StatusOK {
		t.Errorf("the application refuses the user who has no other way in: %d", status)
	}
}

// logInAs takes a moved user of a role through everything from the reset link to the application.
func (w *world) logInAs(b *browser, role string) (session string, got tokens) {
	t := w.t
	t.Helper()
	var person uuid.UUID
	var mail, slug string
	err := w.connect().QueryRow(t.Context(), w.spell(`select {idp}_user_id, email, slug from users join tenants using (tenant_id)
		where {idp}_user_id is not null and role = $1 order by user_id limit 1`), role).Scan(&person, &mail, &slug)
	if err != nil {
		t.Fatalf("no moved user is %s: %v", role, err)
	}
	b.enrol(person)
	session, denied := b.logIn(person)
	if session == "" {
		t.Fatalf("%s: login denied: %s", role, denied)
	}
	code, status := b.authorise(session)
	if status != http.StatusOK {
		t.Fatalf("%s: authorise: %d", role, status)
	}
	got, status = b.exchange(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}})
	if status != http.StatusOK {
		t.Fatalf("%s: token: %d", role, status)
	}
	c := b.claims(got.ID)
	if c.Sub != person.String() || !strings.EqualFold(c.Email, mail) {
		t.Errorf("%s: the token is of %s, %s; want %s, %s", role, c.Sub, c.Email, person, mail)
	}
	at := func(kind string) int {
		// As the application looks for it, by the name in the mapping row: without the domain.
		return slices.Index(c.Groups, fmt.Sprintf("tenant_%s_%s", slug, kind))
	}
	admin := role == "admin" || role == "super_admin"
	if at("users") < 0 || admin != (at("admins") >= 0) || admin && at("admins") > at("users") {
		t.Errorf("%s: groups %v, want the tenant's users, and for administrators its admins before", role, c.Groups)
	}
	return session, got
}
