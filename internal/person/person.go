// Package person does over HTTP what people and applications do at Self-auth: read the mail with the one-time code, set a
// password and an authenticator with it, log in, and go on to an application, which reads the id token. The demo and
// the application of `anthill dev` are made of it. It works on any Self-auth server; Anthill itself needs none of it.
package person

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Server is a Self-auth server as a browser sees it. Safe for concurrent use.
type Server struct {
	origin string
	http   *http.Client
}

// At is the server at an origin, trusted by the PEM certificates of ca alone. Close it.
func At(origin string, ca []byte) (*Server, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("read the certificates of Self-auth: there is none in PEM form")
	}
	return &Server{origin: origin, http: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		Timeout:   time.Minute,
		// Where an application is sent to is read, not followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close ends the connections.
func (s *Server) Close() { s.http.CloseIdleConnections() }

// Denied is a refusal of Self-auth, in its words.
type Denied struct{ Reason string }

// Error says what was refused.
func (d *Denied) Error() string { return "Self-auth denies it: " + d.Reason }

// Credential is what somebody logs in with: a password, and the secret of an authenticator.
type Credential struct {
	password string
	secret   []byte
}

// Enrol makes a password up and sets it with a one-time code, and codes of an authenticator beside it, as the policy for
// persons is by default. The code is used up then. *Denied: the code is not valid, or any more.
func (s *Server) Enrol(ctx context.Context, code string) (c Credential, err error) {
	var pair []json.RawMessage
	a, err := s.post(ctx, "/v1/credential/_exchange_intent", "", code)
	if err != nil {
		return c, err
	} else if err := a.into(&pair); err != nil || len(pair) != 2 {
		return c, fmt.Errorf("exchange the code: %w", cause(err))
	}
	session := pair[0]
	c.password = rand.Text() + "-" + rand.Text()
	if _, err := s.update(ctx, session, map[string]string{"password": c.password}); err != nil {
		return c, err
	}
	status, err := s.update(ctx, session, "totpgenerate")
	if err != nil {
		return c, err
	}
	if c.secret = status.secret(); c.secret == nil {
		return c, errors.New("set an authenticator up: Self-auth gives no secret for it")
	}
	verify := map[string]any{"totpverify": []any{totp(c.secret, time.Now()), "authenticator"}}
	if _, err := s.update(ctx, session, verify); err != nil {
		return c, err
	}
	a, err = s.post(ctx, "/v1/credential/_commit", "", session)
	if err != nil {
		return c, err
	}
	return c, a.into(nil)
}

// updateStatus is what a change of credentials comes to.
type updateStatus struct {
	Register json.RawMessage `json:"mfaregstate"`
}

// secret is the one for an authenticator; nil: none is being set up.
func (u updateStatus) secret() (secret []byte) {
	var check struct {
		TOTP struct {
			Secret []int `json:"secret"` // as numbers
		} `json:"TotpCheck"`
	}
	if json.Unmarshal(u.Register, &check) != nil {
		return nil
	}
	for _, n := range check.TOTP.Secret {
		secret = append(secret, byte(n))
	}
	return secret
}

func (s *Server) update(ctx context.Context, session json.RawMessage, request any) (u updateStatus, err error) {
	a, err := s.post(ctx, "/v1/credential/_update", "", []any{request, session})
	if err != nil {
		return u, err
	}
	return u, a.into(&u)
}

// LogIn logs somebody in by the login name; session is good for Authorise. *Denied: not let in.
func (s *Server) LogIn(ctx context.Context, name string, c Credential) (session string, err error) {
	const header = "X-KANIDM-AUTH-SESSION-ID"
	var id string
	step := func(in any) (state authState, err error) {
		a, err := s.post(ctx, "/v1/auth", "", map[string]any{"step": in}, header, id)
		if err != nil {
			return state, err
		}
		var got struct{ State authState }
		if err := a.into(&got); err != nil {
			return state, err
		}
		if h := a.header.Get(header); h != "" {
			id = h
		}
		if got.State.Denied != "" {
			return state, &Denied{got.State.Denied}
		}
		return got.State, nil
	}
	state, err := step(map[string]any{"init2": map[string]any{"username": name, "issue": "token", "privileged": false}})
	if err != nil {
		return "", err
	}
	way := "password"
	if slices.Contains(state.Choose, "passwordmfa") {
		way = "passwordmfa"
		if _, err = step(map[string]string{"begin": way}); err == nil {
			_, err = step(map[string]any{"cred": map[string]uint32{"totp": totp(c.secret, time.Now())}})
		}
	} else {
		_, err = step(map[string]string{"begin": way})
	}
	if err == nil {
		state, err = step(map[string]any{"cred": map[string]string{"password": c.password}})
	}
	if err == nil && state.Success == "" {
		err = errors.New("log in: Self-auth asks for more than a password and a code")
	}
	return state.Success, err
}

// authState is where a login stands.
type authState struct {
	Choose          []string
	Success, Denied string
}

// answer is a response with its body read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// into decodes the body of a 200; nil: it does not matter.
func (a answer) into(to any) error {
	if a.status != http.StatusOK {
		return &Denied{strings.TrimSpace(fmt.Sprintf("status %d %s", a.status, a.words()))}
	}
	if to == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, to); err != nil {
		return fmt.Errorf("read the answer of Self-auth: %w", err)
	}
	return nil
}

// words are those of a refusal, as a short line; "": a page, or nothing.
func (a answer) words() string {
	var text string
	if len(a.body) > 200 || json.Unmarshal(a.body, &text) != nil {
		return ""
	}
	return text
}

// post sends a form (url.Values) or JSON (anything else).
func (s *Server) post(ctx context.Context, path, bearer string, body any, header ...string) (a answer, err error) {
	var kind string
	var text []byte
	if form, is := body.(url.Values); is {
		kind, text = "application/x-www-form-urlencoded", []byte(form.Encode())
	} else {
		kind = "application/json"
		if text, err = json.Marshal(body); err != nil {
			return a, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.origin+path, bytes.NewReader(text))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", kind)
	return s.send(r, bearer, header...)
}

// send makes a request; header is name and value of one more header, or left out where the value is "".
func (s *Server) send(r *http.Request, bearer string, header ...string) (a answer, err error) {
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	if len(header) == 2 && header[1] != "" {
		r.Header.Set(header[0], header[1])
	}
	resp, err := s.http.Do(r)
	if err != nil {
		return a, fmt.Errorf("ask Self-auth: %w", err)
	}
	defer resp.Body.Close()
	const most = 1 << 20
	text, err := io.ReadAll(io.LimitReader(resp.Body, most))
	if err != nil {
		return a, fmt.Errorf("ask Self-auth: %w", err)
	}
	return answer{resp.StatusCode, resp.Header, text}, nil
}

// cause is err, or that an answer had another shape.
func cause(err error) error {
	if err != nil {
		return err
	}
	return errors.New("the answer of Self-auth has another shape")
}
