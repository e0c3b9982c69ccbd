package selfauthd_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"anthill/internal/browsertest"
	"anthill/internal/selfauthd"
)

// reader is somebody with a browser that runs no script: pages are followed and forms filled in, nothing else.
type reader struct {
	t    *testing.T
	http *http.Client
	at   *url.URL
	text string // of the page
	gone string // where the browser was sent outside of the server

	seen []string // the pages, as they were shown
}

func newReader(t *testing.T, s *selfauthd.Server) *reader {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{t: t}
	r.http = &http.Client{Jar: jar, Timeout: time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(req *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(req.URL.String(), s.URL()+"/") {
				r.gone = req.URL.String()
				return http.ErrUseLastResponse
			}
			return nil
		}}
	t.Cleanup(r.http.CloseIdleConnections)
	if r.at, err = url.Parse(s.URL()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *reader) do(method, path string, form url.Values) int {
	r.t.Helper()
	to, err := r.at.Parse(path)
	if err != nil {
		r.t.Fatal(err)
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, to.String(), body)
	if err != nil {
		r.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", r.at.Scheme+"://"+r.at.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	r.gone = ""
	resp, err := r.http.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.text = string(text); r.gone == "" && method == "GET" || method == "POST" && r.gone == "" {
		r.at = resp.Request.URL
		r.harmless(resp.Header)
		r.seen = append(r.seen, r.text)
	}
	return resp.StatusCode
}

// harmless: a page asks nobody else for anything, runs nothing, and is kept nowhere.
func (r *reader) harmless(h http.Header) {
	r.t.Helper()
	if m := regexp.MustCompile(`(?i)<script|<img|<link|<iframe|https?://|javascript:|<[^>]*\son[a-z]+=|@import|url\(`).FindString(r.text); m != "" {
		r.t.Errorf("a page holds %q:\n%s", m, r.text)
	}
	style := sha256.Sum256([]byte(regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(r.text)[1]))
	policy := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(style[:]) + "'; frame-ancestors 'none'; base-uri 'none'"
	if h.Get("Content-Security-Policy") != policy ||
		h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "same-origin" {
		r.t.Errorf("headers of a page: %v", h)
	}
	if !strings.Contains(r.text, "color-scheme: light dark") || !strings.Contains(r.text, `<html lang="en">`) {
		r.t.Errorf("a page without the schemes or the language:\n%s", r.text)
	}
}

var (
	formsOf  = regexp.MustCompile(`(?s)<form method="post" action="([^"]+)">(.*?)</form>`)
	hiddenOf = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
	fieldsOf = regexp.MustCompile(`<input id="[^"]+" name="([^"]+)"`)
)

// press fills in the form that has a button of this text, in the order of its fields, and sends it.
func (r *reader) press(button string, values ...string) {
	r.t.Helper()
	for _, f := range formsOf.FindAllStringSubmatch(r.text, -1) {
		b := regexp.MustCompile(`<button(?: name="([^"]+)" value="([^"]+)")?>` + regexp.QuoteMeta(button) + `</button>`).FindStringSubmatch(f[2])
		if b == nil {
			continue
		}
		form := url.Values{}
		for _, h := range hiddenOf.FindAllStringSubmatch(f[2], -1) {
			form.Set(h[1], html.UnescapeString(h[2]))
		}
		for i, field := range fieldsOf.FindAllStringSubmatch(f[2], -1) {
			if i < len(values) {
				form.Set(field[1], values[i])
			}
		}
		if b[1] != "" {
			form.Set(b[1], b[2])
		}
		r.do("POST", f[1], form)
		return
	}
	r.t.Fatalf("no form has a button %q:\n%s", button, r.text)
}

func (r *reader) wants(texts ...string) {
	r.t.Helper()
	for _, s := range texts {
		if !strings.Contains(r.text, s) {
			r.t.Fatalf("the page %s does not say %q:\n%s", r.at.Path, s, r.text)
		}
	}
}

// api makes a call of the API and wants 200.
func (r *reader) api(token, method, path string, in, out any) {
	r.t.Helper()
	b, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	to := url.URL{Scheme: r.at.Scheme, Host: r.at.Host}
	req, err := http.NewRequestWithContext(r.t.Context(), method, to.String()+path, bytes.NewReader(b))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Transport: r.http.Transport}).Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || out != nil && json.Unmarshal(text, out) != nil {
		r.t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, text, err)
	}
}

const (
	pagePassword = "correct-horse-battery-staple-7719"
	pageVerifier = "a-verifier-of-more-than-forty-three-characters-000"
	pageCallback = "https://app.example.com/cb"
)

// shop is a server with a person in two groups and a client that lets one of them in.
func shop(t *testing.T, o selfauthd.Options) (s *selfauthd.Server, token string, person uuid.UUID) {
	t.Helper()
	s, err := selfauthd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	person = uuid.New()
	admins, all := uuid.New(), uuid.New()
	if err := s.Seed([]selfauthd.Person{{ID: person, Name: "alice", Display: `Alice <b onload="x">&`, Mail: "alice@corp.example"}},
		[]selfauthd.Group{{ID: admins, Name: "shop_admins"}, {ID: all, Name: "shop_users"}}); err != nil {
		t.Fatal(err)
	}
	token, _ = s.Operator()
	r := newReader(t, s)
	for _, g := range []uuid.UUID{admins, all} {
		r.api(token, "POST", "/v1/group/"+g.String()+"/_attr/member", []string{person.String()}, nil)
	}
	r.api(token, "POST", "/v1/oauth2/_basic", map[string]any{"attrs": map[string][]string{"name": {"app"}, "displayname": {"The <App>"},
		"oauth2_rs_origin_landing": {"https://app.example.com"}, "oauth2_strict_redirect_uri": {"true"}}}, nil)
	r.api(token, "POST", "/v1/oauth2/app/_attr/oauth2_rs_origin", []string{pageCallback}, nil)
	r.api(token, "POST", "/v1/oauth2/app/_scopemap/"+all.String(), []string{"openid", "email", "groups_name"}, nil)
	return s, token, person
}

func (r *reader) code(token string, person uuid.UUID) string {
	r.t.Helper()
	var intent struct{ Token string }
	r.api(token, "GET", "/v1/person/"+person.String()+"/_credential/_update_intent/3600", nil, &intent)
	return intent.Token
}

func wish() string {
	challenge := sha256.Sum256([]byte(pageVerifier))
	return "/ui/oauth2?" + url.Values{"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {pageCallback}, "state": {"st"},
		"scope": {"openid email groups_name"}, "nonce": {"n"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}.Encode()
}

// redeem gives the client's code for an id token, and wants it to be the person's, with the groups.
func (r *reader) redeem(token string, person uuid.UUID) {
	r.t.Helper()
	to, err := url.Parse(r.gone)
	if err != nil || !strings.HasPrefix(r.gone, pageCallback+"?") || to.Query().Get("state") != "st" {
		r.t.Fatalf("the browser was sent to %q, %v:\n%s", r.gone, err, r.text)
	}
	var secret string
	r.api(token, "GET", "/v1/oauth2/app/_basic_secret", nil, &secret)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {pageCallback},
		"client_id": {"app"}, "client_secret": {secret}, "code_verifier": {pageVerifier}}
	resp, err := r.http.PostForm(r.at.Scheme+"://"+r.at.Host+"/oauth2/token", form)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct {
		ID string `json:"id_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusOK {
		r.t.Fatalf("token: %d, %v", resp.StatusCode, err)
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(got.ID, ".")[1])
	var claims struct {
		Sub, Email, Nonce string
		Groups            []string
	}
	if err != nil || json.Unmarshal(body, &claims) != nil || claims.Sub != person.String() || claims.Email != "alice@corp.example" ||
		claims.Nonce != "n" || !slices.Contains(claims.Groups, "shop_admins") || !slices.Contains(claims.Groups, "shop_users") {
		r.t.Errorf("the id token is %s, %v", body, err)
	}
}

// TestPagesByPasskey: a person enters a code, makes a passkey up, and logs in to a client with it, all of it in a browser
// without script; a later visit asks nothing again.
func TestPagesByPasskey(t *testing.T) {
	t.Parallel()
	s, token, person := shop(t, selfauthd.Options{})
	r := newReader(t, s)
	r.do("GET", "/ui/reset", nil)
	r.press("Continue", "  "+r.code(token, person)+" ")
	r.wants("alice@idm.example.test", "Alice &lt;b onload=&#34;x&#34;&gt;&amp;", "There is nothing to log in with yet.")
	r.press("Make up a passkey", "my <laptop>")
	r.wants("my &lt;laptop&gt;")
	r.press("Save")
	r.wants("Saved.")

	r.do("GET", wish(), nil)
	r.wants("Log in")
	r.press("Continue", "alice")
	r.press("Use the passkey")
	r.wants("The &lt;App&gt;", "groups_name")
	r.press("Go on")
	r.redeem(token, person)
	r.do("GET", wish(), nil)
	r.redeem(token, person)

	// Who has enrolled is seen by the API, in both its forms.
	var status struct {
		Creds []struct {
			Type any `json:"type_"`
		}
	}
	r.api(token, "GET", "/v1/person/"+person.String()+"/_credential/_status", nil, &status)
	if fmt.Sprint(status) != "{[{map[Passkey:[my <laptop>]]}]}" {
		t.Errorf("credentials: %v", status)
	}
	var list struct{ Resources []struct{ ID uuid.UUID } }
	r.api(token, "GET", "/scim/v1/Entry?filter="+url.QueryEscape(`class eq "person" and (primary_credential pr or passkeys pr)`)+"&attributes=name", nil, &list)
	if len(list.Resources) != 1 || list.Resources[0].ID != person {
		t.Errorf("who has enrolled: %v", list)
	}

	// Another browser has not the passkey, and the one that was logged in is out when it is gone.
	other := newReader(t, s)
	other.do("GET", "/ui/login", nil)
	other.press("Continue", "alice")
	other.press("Use the passkey")
	other.wants("The login was denied")
	r.do("GET", "/ui/apps", nil)
	r.wants("You are logged in", "shop_admins@idm.example.test")
	r.do("GET", "/ui/reset?token="+r.code(token, person), nil)
	r.press("Remove it")
	r.press("Make up a passkey", "another")
	r.press("Save")
	r.do("GET", "/ui/apps", nil)
	r.wants("Log in")
	if r.at.Path != "/ui/login" {
		t.Errorf("a session of a passkey that is gone goes on: %s", r.at)
	}
}

// TestPagesByPassword: a password is refused where it is weak or not the same twice, wants codes beside it by the policy,
// and logs in with them.
func TestPagesByPassword(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	s, token, person := shop(t, selfauthd.Options{Now: func() time.Time { return now }})
	r := newReader(t, s)
	code := r.code(token, person)
	r.do("GET", "/ui/reset?token="+code, nil)
	if strings.Contains(r.at.String()+r.text, code) {
		t.Error("the code stays in the address or on the page")
	}
	r.press("Set the password", "password", "password")
	r.wants("The password is refused: ")
	r.press("Set the password", pagePassword, pagePassword+"x")
	r.wants("not the same")
	r.press("Set the password", pagePassword, pagePassword)
	r.wants("There is a password.", "A password alone is not enough here")
	r.press("Add codes of an authenticator")
	secret := regexp.MustCompile(`<code>([A-Z2-7]{52})</code>`).FindStringSubmatch(r.text)
	if secret == nil {
		t.Fatalf("no secret:\n%s", r.text)
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret[1])
	if err != nil {
		t.Fatal(err)
	}
	digits := func() string {
		m := hmac.New(sha256.New, key)
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(now.Unix()/30))
		m.Write(b[:])
		sum := m.Sum(nil)
		n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&15:]) & 0x7fffffff % 1000000
		return fmt.Sprintf("%03d %03d", n/1000, n%1000)
	}
	r.press("Add the authenticator", digits())
	r.wants("a password with codes")
	r.press("Save")
	r.do("GET", "/ui/reset?token="+code, nil)
	r.wants("There is no such code, or it was used")

	r.do("GET", wish(), nil)
	for _, try := range []struct{ name, digits, password, says string }{
		{"nobody", "", "", "Nobody has this name"},
		{"alice@corp.example", "", "", "An e-mail address is no name"},
		{"alice", digits(), "wrong", "incorrect password"},
	} {
		r.do("GET", "/ui/login", nil)
		if r.press("Continue", try.name); try.digits != "" {
			r.press("Continue", try.digits)
			r.press("Continue", try.password)
		}
		r.wants(try.says)
	}
	now = now.Add(time.Minute) // the lock after a wrong password
	r.do("GET", "/ui/login", nil)
	r.press("Continue", "alice")
	r.press("Continue", digits())
	r.press("Continue", pagePassword)
	r.press("Go on")
	r.redeem(token, person)
	r.do("GET", "/ui/apps", nil)
	r.press("Log out")
	r.do("GET", "/ui/apps", nil)
	r.wants("Log in")
}

// TestPagesRecover: an address gets a link, whoever types it; the page says the same to everybody, and a scanner that
// looks at a link in between spoils the session of who uses it, as on the real server.
// TestPagesInBrowser: axe finds nothing serious in any page, wide and in light, narrow and in dark; none asks for anything.
func TestPagesInBrowser(t *testing.T) {
	t.Parallel()
	b := browsertest.Start(t)
	axe := browsertest.Axe(t)
	s, token, person := shop(t, selfauthd.Options{})
	r := newReader(t, s)
	r.do("GET", "/ui/nowhere", nil)
	r.do("GET", "/ui/recover", nil)
	r.press("Send a link", "nobody@corp.example")
	r.do("GET", "/ui/reset", nil)
	r.press("Continue", "no-such-code")
	r.do("GET", "/ui/reset", nil)
	r.press("Continue", r.code(token, person))
	r.press("Set the password", pagePassword, pagePassword+"x")
	r.press("Set the password", pagePassword, pagePassword)
	r.press("Add codes of an authenticator")
	r.press("Add the authenticator", "000 000")
	r.wants("That was not its code")
	r.press("Cancel")
	r.do("GET", "/ui/reset", nil)
	r.press("Continue", r.code(token, person))
	r.press("Make up a passkey", "my laptop")
	r.press("Save")
	r.do("GET", wish(), nil)
	r.press("Continue", "nobody")
	r.do("GET", wish(), nil)
	r.press("Continue", "alice")
	r.press("Use the passkey")
	r.press("Go on")
	r.do("GET", "/ui/apps", nil)
	if len(r.seen) < 15 {
		t.Fatalf("%d pages are seen", len(r.seen))
	}
	for i, text := range r.seen {
		b.Open(text)
		for scheme, width := range map[string]int64{"light": 1280, "dark": 400} {
			b.Dark(scheme == "dark")
			b.Picture(fmt.Sprintf("page-%02d-%s", i, scheme), 800)
			b.Do(chromedp.EmulateViewport(width, 1000))
			for _, f := range browsertest.Findings(b, axe) {
				t.Errorf("page %d, %s, %d wide: %s", i, scheme, width, f)
			}
		}
	}
}

func TestPagesRecover(t *testing.T) {
	t.Parallel()
	sent := map[string]string{}
	s, token, person := shop(t, selfauthd.Options{Deliver: func(mail, link string) { sent[mail] = link }})
	r := newReader(t, s)
	var said []string
	for _, mail := range []string{"nobody@corp.example", "alice@corp.example"} {
		r.do("GET", "/ui/recover", nil)
		r.press("Send a link", mail)
		said = append(said, r.text)
	}
	if said[0] != said[1] || len(sent) != 1 {
		t.Errorf("%d links were sent; the page tells who has an account: %v", len(sent), said[0] != said[1])
	}
	r.do("GET", sent["alice@corp.example"], nil)
	r.press("Make up a passkey")
	newReader(t, s).do("HEAD", sent["alice@corp.example"], nil)
	r.press("Save")
	r.wants("a program that looks at links")
	r.do("GET", sent["alice@corp.example"], nil)
	r.press("Make up a passkey")
	r.press("Cancel")
	r.do("GET", sent["alice@corp.example"], nil)
	r.press("Make up a passkey")
	r.press("Save")

	r.api(token, "POST", "/v1/person/"+person.String()+"/_credential/_update_intent_send", map[string]any{"ttl": nil, "email": nil}, nil)
	r.do("GET", sent["alice@corp.example"], nil)
	r.wants("alice@idm.example.test")
}

// TestPagesRefuse: forms of other sites, requests that are none, a client that may not, and paths that are not there.
func TestPagesRefuse(t *testing.T) {
	t.Parallel()
	s, token, _ := shop(t, selfauthd.Options{})
	r := newReader(t, s)
	if got := r.do("GET", "/ui/nothing", nil); got != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", got)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL()+"/ui/login/begin", strings.NewReader("username=alice"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := r.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site: %d", resp.StatusCode)
	}
	for _, query := range []string{"", "client_id=app", strings.Replace(strings.TrimPrefix(wish(), "/ui/oauth2?"), "app.example.com%2Fcb", "evil.example%2F", 1)} {
		if got := r.do("GET", "/ui/oauth2?"+query, nil); got != http.StatusOK || r.gone != "" {
			t.Errorf("a wish of %q: %d, sent to %q", query, got, r.gone)
		}
		r.wants("not valid")
	}
	// Somebody in no group that the client lets in.
	stranger := uuid.New()
	r.api(token, "POST", "/v1/person", map[string]any{"attrs": map[string][]string{"uuid": {stranger.String()}, "name": {"bob"}, "displayname": {"Bob"}}}, nil)
	r.do("GET", "/ui/reset?token="+r.code(token, stranger), nil)
	r.press("Make up a passkey")
	r.press("Save")
	r.do("GET", wish(), nil)
	r.press("Continue", "bob")
	r.press("Use the passkey")
	r.wants("You may not use this application")
}

// TestPasskeysAreKept: a server that is started again on its folder knows the passkeys that were made up, and who is
// logged in with one.
func TestPasskeysAreKept(t *testing.T) {
	t.Parallel()
	o := selfauthd.Options{Dir: t.TempDir()}
	s, token, person := shop(t, o)
	r := newReader(t, s)
	r.do("GET", "/ui/reset?token="+r.code(token, person), nil)
	r.press("Make up a passkey")
	r.press("Save")
	r.do("GET", "/ui/login", nil)
	r.press("Continue", "alice")
	r.press("Use the passkey")
	r.wants("You are logged in")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := selfauthd.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	// The same browser: cookies do not know ports.
	other := newReader(t, again)
	other.http.Jar = r.http.Jar
	other.do("GET", "/ui/apps", nil)
	other.wants("You are logged in", "shop_users@idm.example.test")
}
