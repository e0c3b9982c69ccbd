package selfauthd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// exchange is a line of a recording.
type exchange struct {
	N       int
	As      string
	Wait    int
	Match   string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
		RawBody      *string `json:"raw_body"`
	}
	Response struct {
		Status      int
		ContentType string `json:"content_type"`
		Body        any
	}
}

// api is a fresh emulator with the accounts of the recordings.
type api struct {
	t      *testing.T
	s      *Server
	client *http.Client
	tokens map[string]string
	clock  time.Time
}

func newAPI(t *testing.T) *api {
	t.Helper()
	a := &api{t: t, tokens: map[string]string{"garbage": "garbage"}, clock: time.Now()}
	var err error
	if a.s, err = Start(Options{Now: func() time.Time { return a.clock }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.s.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.s.CA())
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(a.client.CloseIdleConnections)
	return a
}

// accounts makes the service accounts of the recordings through the API.
func (a *api) accounts() {
	idmAdmin, admin := a.s.Passwords()
	idm, adm := a.login("idm_admin", idmAdmin), a.login("admin", admin)
	for name, groups := range map[string][]string{
		"anthill": {"idm_people_admins", "idm_group_admins", "idm_account_policy_admins", "idm_oauth2_admins", "idm_recycle_bin_admins"},
		"people":  {"idm_people_admins"}, "groups": {"idm_group_admins"}, "nobody": nil,
	} {
		svc := name + "_svc"
		a.must("POST", "/v1/service_account", idm, map[string]any{"attrs": map[string]any{"name": []string{svc}, "displayname": []string{svc}, "entry_managed_by": []string{"idm_admins"}}})
		for _, g := range groups {
			as := idm
			if g == "idm_recycle_bin_admins" {
				as = adm
			}
			a.must("POST", "/v1/group/"+g+"/_attr/member", as, []string{svc})
		}
		a.tokens[name] = a.token(idm, svc, true)
		if name == "anthill" {
			a.tokens["rw"], a.tokens["ro"] = a.tokens[name], a.token(idm, svc, false)
		}
	}
}

func (a *api) token(as, account string, write bool) (token string) {
	b := a.must("POST", "/v1/service_account/"+account+"/_api_token", as, map[string]any{"label": "rw", "expiry": nil, "read_write": write})
	if err := json.Unmarshal(b, &token); err != nil {
		a.t.Fatal(err)
	}
	return token
}

func (a *api) login(name, password string) string {
	a.t.Helper()
	session := ""
	var body []byte
	for _, step := range []any{map[string]any{"init": name}, map[string]any{"begin": "password"}, map[string]any{"cred": map[string]string{"password": password}}} {
		b, err := json.Marshal(map[string]any{"step": step})
		if err != nil {
			a.t.Fatal(err)
		}
		resp, text := a.do("POST", "/v1/auth", "", b, map[string]string{"Content-Type": "application/json", sessionHeader: session})
		if resp.StatusCode != http.StatusOK {
			a.t.Fatalf("login: %d %s", resp.StatusCode, text)
		}
		if h := resp.Header.Get(sessionHeader); h != "" {
			session = h
		}
		body = text
	}
	var answer struct{ State struct{ Success string } }
	if err := json.Unmarshal(body, &answer); err != nil || answer.State.Success == "" {
		a.t.Fatalf("login of %s: %s", name, body)
	}
	return answer.State.Success
}

func (a *api) must(method, path, token string, body any) []byte {
	a.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	resp, text := a.do(method, path, token, b, map[string]string{"Content-Type": "application/json"})
	if resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return text
}

func (a *api) do(method, path, token string, body []byte, headers map[string]string) (*http.Response, []byte) {
	a.t.Helper()
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.s.URL()+path, in)
	if err != nil {
		a.t.Fatal(err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, text
}

// TestRecordings replays what a real server answered.
func TestRecordings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/exchanges/*.jsonl")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.accounts()
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			lines := bufio.NewScanner(f)
			lines.Buffer(nil, 16<<20)
			for lines.Scan() {
				var x exchange
				if err := json.Unmarshal(lines.Bytes(), &x); err != nil {
					t.Fatal(err)
				}
				a.replay(&x)
			}
			if err := lines.Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func (a *api) replay(x *exchange) {
	a.clock = a.clock.Add(time.Duration(x.Wait) * time.Second)
	token, ok := a.tokens[x.As]
	if !ok && x.As != "none" {
		a.t.Fatalf("line %d: nobody is called %s", x.N, x.As)
	}
	headers, body := x.Request.Headers, []byte(nil)
	switch {
	case x.Request.RawBody != nil:
		body = []byte(*x.Request.RawBody)
	case x.Request.Body != nil:
		body = x.Request.Body
		headers = map[string]string{"Content-Type": "application/json"}
	}
	resp, text := a.do(x.Request.Method, x.Request.Path, token, body, headers)
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	want, _, _ := mime.ParseMediaType(x.Response.ContentType)
	at := fmt.Sprintf("line %d, %s %s as %s", x.N, x.Request.Method, x.Request.Path, x.As)
	if resp.StatusCode != x.Response.Status || kind != want {
		a.t.Errorf("%s: %d %s, want %d %s\n%.300s", at, resp.StatusCode, kind, x.Response.Status, want, text)
		return
	}
	if x.Match == "status" {
		return
	}
	var got any
	if json.Unmarshal(text, &got) != nil {
		got = string(text)
	}
	if x.Match == "ours" {
		got, x.Response.Body = ours(got), ours(x.Response.Body)
	}
	if s, plain := got.(string); plain && (resp.StatusCode == 400 || resp.StatusCode == 422) {
		w, _ := x.Response.Body.(string)
		if upToColon(s) == upToColon(w) {
			return
		}
	}
	if diff := differs("", x.Response.Body, got); diff != "" {
		a.t.Errorf("%s: %s\nwant %.400s\ngot  %.400s", at, diff, mustJSON(x.Response.Body), text)
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func upToColon(s string) string { head, _, _ := strings.Cut(s, ":"); return head }

// ours keeps of a listing the entries of the recordings.
func ours(v any) any {
	const prefix = "a0000000-0000-4000-8000-"
	switch v := v.(type) {
	case []any:
		var out []any
		for _, e := range v {
			m, _ := e.(map[string]any)
			id, _ := m["id"].(string)
			if attrs, ok := m["attrs"].(map[string]any); ok {
				if list, _ := attrs["uuid"].([]any); len(list) == 1 {
					id, _ = list[0].(string)
				}
			}
			if strings.HasPrefix(id, prefix) {
				out = append(out, e)
			}
		}
		return out
	case map[string]any:
		for _, k := range []string{"resources", "entries"} {
			if list, ok := v[k]; ok {
				return map[string]any{k: ours(list)}
			}
		}
	}
	return v
}

var (
	standIn  = regexp.MustCompile(`^\{\{[a-z]+\}\}$`)
	isUUID   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	asASet   = func(key string) bool { return key != "mail" && key != "groups" }
	leftAway = "last_modified_cid"
)

// differs compares by the rules of the recordings; "" when they are alike.
func differs(key string, want, got any) string {
	switch w := want.(type) {
	case string:
		return differsText(w, got)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return key + ": no object"
		}
		for k := range g {
			if _, ok := w[k]; !ok && k != leftAway {
				return key + ": " + k + " is too much"
			}
		}
		for k, v := range w {
			if k == leftAway {
				continue
			}
			if _, ok := g[k]; !ok {
				return key + ": " + k + " is missing"
			}
			if d := differs(k, v, g[k]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			if w == nil && got == nil || len(w) == 0 && len(g) == 0 {
				return ""
			}
			return key + ": another number of values"
		}
		if asASet(key) {
			w, g = sorted(w), sorted(g)
		}
		for i := range w {
			if d := differs(key, w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Sprintf("%s: %v is not %v", key, got, want)
	}
	return ""
}

func differsText(want string, got any) string {
	g, ok := got.(string)
	switch {
	case standIn.MatchString(want) && want == "{{any}}":
		return ""
	case !ok:
		return fmt.Sprintf("%v is no text", got)
	case want == "{{uuid}}" && isUUID.MatchString(g):
	case want == "{{time}}":
		if _, err := time.Parse(time.RFC3339, g); err != nil {
			return g + " is no time"
		}
	case want == g:
	default:
		return fmt.Sprintf("%q is not %q", g, want)
	}
	return ""
}

func sorted(list []any) []any {
	out := slices.Clone(list)
	sort.SliceStable(out, func(i, j int) bool { return mustJSON(out[i]) < mustJSON(out[j]) })
	return out
}
