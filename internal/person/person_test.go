package person_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/uuid"

	"anthill/internal/person"
	"anthill/internal/selfauthd"
)

// operator makes calls of the API, each of which must succeed.
type operator struct {
	t     *testing.T
	idm   *selfauthd.Server
	http  *http.Client
	token string
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	idm, err := selfauthd.Start(selfauthd.Options{})
	must(t, err)
	t.Cleanup(func() { idm.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(idm.CA())
	o := &operator{t: t, idm: idm, http: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}
	t.Cleanup(o.http.CloseIdleConnections)
	o.token, _ = idm.Operator()
	return o
}

func (o *operator) call(method, path string, in, out any) {
	o.t.Helper()
	body, err := json.Marshal(in)
	must(o.t, err)
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.idm.URL()+path, bytes.NewReader(body))
	must(o.t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+o.token)
	resp, err := o.http.Do(r)
	must(o.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(o.t, err)
	if resp.StatusCode != http.StatusOK || out != nil && json.Unmarshal(text, out) != nil {
		o.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func denied(t *testing.T, what string, err error) {
	t.Helper()
	var no *person.Denied
	if !errors.As(err, &no) {
		t.Errorf("%s: %v, want a refusal", what, err)
	}
}

// TestFromCodeToApplication: somebody enrols with a one-time code under the policy that persons have by default, logs in,
// and is let into a client, which reads who it is. What is not right is denied.
func TestFromCodeToApplication(t *testing.T) {
	t.Parallel()
	o, ctx := newOperator(t), t.Context()
	alice, users := uuid.New(), uuid.New()
	must(t, o.idm.Seed([]selfauthd.Person{{ID: alice, Name: "alice", Display: "Alice", Mail: "alice@corp.example"}},
		[]selfauthd.Group{{ID: users, Name: "tenant_corp_users"}}))
	s, err := person.At(o.idm.URL(), o.idm.CA())
	must(t, err)
	t.Cleanup(s.Close)
	c := person.Client{ID: "app", Redirect: "https://app.example.com/cb", Scopes: []string{"openid", "email", "groups_name"}}
	o.call("POST", "/v1/oauth2/_basic", map[string]any{"attrs": map[string][]string{"name": {"app"}, "displayname": {"App"},
		"oauth2_rs_origin_landing": {"https://app.example.com"}, "oauth2_strict_redirect_uri": {"true"}}}, nil)
	o.call("POST", "/v1/oauth2/app/_attr/oauth2_rs_origin", []string{c.Redirect}, nil)
	o.call("POST", "/v1/oauth2/app/_scopemap/"+users.String(), c.Scopes, nil)
	_, err = s.Secret(ctx, "no token", "app")
	denied(t, "the secret without a right to it", err)
	c.Secret, err = s.Secret(ctx, o.token, "app")
	must(t, err)
	var intent struct{ Token string }
	o.call("GET", "/v1/person/"+alice.String()+"/_credential/_update_intent/3600", nil, &intent)

	credential, err := s.Enrol(ctx, intent.Token)
	must(t, err)
	_, err = s.Enrol(ctx, intent.Token)
	denied(t, "a code that was used", err)
	session, err := s.LogIn(ctx, "alice", credential)
	must(t, err)
	wish := person.NewWish()
	_, err = s.Authorise(ctx, session, c, wish)
	denied(t, "who is in no group of the client", err)
	o.call("POST", "/v1/group/"+users.String()+"/_attr/member", []string{alice.String()}, nil)
	code, err := s.Authorise(ctx, session, c, wish)
	must(t, err)
	_, err = s.Redeem(ctx, code, c, person.NewWish())
	denied(t, "a code without its verifier", err)
	code, err = s.Authorise(ctx, session, c, wish)
	must(t, err)
	claims, err := s.Redeem(ctx, code, c, wish)
	must(t, err)
	if claims.Subject != alice.String() || claims.Email != "alice@corp.example" || !slices.Contains(claims.Groups, "tenant_corp_users") {
		t.Errorf("claims %+v", claims)
	}
	_, err = s.LogIn(ctx, "alice@corp.example", credential)
	denied(t, "an e-mail address as a name", err)
	_, err = s.LogIn(ctx, "alice", person.Credential{})
	denied(t, "no credential", err)
}

// TestMails: newest first, the text as it is read; what is no mail is left out, and a folder that is not there is empty.
func TestMails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.eml": "Date: Mon, 30 Nov 2026 05:09:24 +0000\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nTo: \"A <b>\" <a@x.example>\r\n" +
			"Content-Type: multipart/alternative; boundary=q\r\n\r\n--q\r\nContent-Type: text/html\r\n\r\n<p>no\r\n--q\r\n" +
			"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\none =\r\nline\r\n\r\n   abcde-12345\r\n\r\n   acme.a\r\n--q--\r\n",
		"a.eml":      "Date: Mon, 30 Nov 2026 06:09:24 +0000\r\nSubject: plain\r\nTo: c@x.example\r\nContent-Type: text/plain\r\n\r\nhello\r\n",
		"broken.eml": "no header",
		".part":      "Subject: x\r\n\r\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	list, err := person.Mails(dir)
	must(t, err)
	if len(list) != 2 || list[0].File != "a.eml" || list[0].Text != "hello\n" || list[1].Subject != "Grüße" || list[1].To != "a@x.example" {
		t.Fatalf("mails %+v", list)
	}
	if code, name, ok := list[1].Invitation(); !ok || code != "abcde-12345" || name != "acme.a" {
		t.Errorf("code %q, login name %q in\n%s", code, name, list[1].Text)
	}
	if _, _, ok := list[0].Invitation(); ok {
		t.Error("a mail without a code is an invitation")
	}
	if list, err := person.Mails(filepath.Join(dir, "none")); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}
