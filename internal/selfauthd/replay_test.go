package selfauthd

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

// exchange is a line of a recording.
type exchange struct {
	N       int
	As      string
	Wait    float64
	Match   string
	Bind    map[string]string
	Request struct {
		Method, Path string
		Headers      map[string]string
		Body         json.RawMessage
		RawBody      *string `json:"raw_body"`
		Form         map[string]string
	}
	Response struct {
		Status       int
		ContentType  string `json:"content_type"`
		Body         any
		Location     string
		LocationKeys []string `json:"location_keys"`
	}
}

// api is a fresh emulator with the accounts of the recordings.
type api struct {
	t      *testing.T
	s      *Server
	client *http.Client
	tokens map[string]string
	bound  map[string]string // what recordings bind
	clock  time.Time
	now    func() time.Time
}

func newAPI(t *testing.T) *api { return newAPIWith(t, Options{}) }

func newAPIWith(t *testing.T, o Options) *api {
	t.Helper()
	a := &api{t: t, tokens: map[string]string{"garbage": "garbage"}, bound: map[string]string{}, clock: time.Now()}
	if a.now = o.Now; o.Now == nil {
		a.now = func() time.Time { return a.clock }
	}
	o.Now = a.now
	var err error
	if a.s, err = Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.s.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.s.CA())
	a.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
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

const recordings = "../../providers/providertest/testdata/exchanges"

// TestRecordings replays what a real server answered: all of it.
func TestRecordings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(recordings + "/*.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		lines := readExchanges(t, file)
		total += len(lines)
		t.Run(strings.TrimSuffix(filepath.Base(file), ".jsonl"), func(t *testing.T) {
			t.Parallel()
			a := newAPI(t)
			a.accounts()
			for i := range lines {
				a.replay(&lines[i])
			}
		})
	}
	if len(files) != 13 || total != 614 {
		t.Errorf("%d recordings of %d lines, want 13 of 614", len(files), total)
	}
}

func readExchanges(t *testing.T, file string) (list []exchange) {
	t.Helper()
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
		list = append(list, x)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// fill puts what was bound into a text.
func (a *api) fill(text string) string {
	return standIn.ReplaceAllStringFunc(text, func(name string) string {
		if v, ok := a.bound[strings.Trim(name, "{}")]; ok {
			return v
		}
		return name
	})
}

// who is the token of whoever a line is said by.
func (a *api) who(x *exchange) string {
	if strings.HasPrefix(x.As, "{{") {
		return a.fill(x.As)
	}
	token, ok := a.tokens[x.As]
	if !ok && x.As != "none" {
		a.t.Fatalf("line %d: nobody is called %s", x.N, x.As)
	}
	return token
}

func (a *api) send(x *exchange) (*http.Response, []byte) {
	headers, body := map[string]string{}, []byte(nil)
	switch {
	case x.Request.RawBody != nil:
		body = []byte(*x.Request.RawBody)
	case x.Request.Body != nil:
		body = []byte(a.fill(string(x.Request.Body)))
		headers["Content-Type"] = "application/json"
	case x.Request.Form != nil:
		form := url.Values{}
		for k, v := range x.Request.Form {
			form.Set(k, a.fill(v))
		}
		body = []byte(form.Encode())
		headers["Content-Type"] = "application/x-www-form-urlencoded"
	}
	for k, v := range x.Request.Headers {
		headers[k] = a.fill(v)
	}
	return a.do(x.Request.Method, a.fill(x.Request.Path), a.who(x), body, headers)
}

// bind remembers parts of an answer.
func (a *api) bind(x *exchange, resp *http.Response, body any) {
	for name, path := range x.Bind {
		switch kind, rest, _ := strings.Cut(path, "."); {
		case path == ".":
			a.bound[name], _ = body.(string)
		case kind == "header":
			a.bound[name] = resp.Header.Get(rest)
		case kind == "location":
			u, err := resp.Location()
			if err != nil {
				a.t.Fatalf("line %d: %v", x.N, err)
			}
			a.bound[name] = u.Query().Get(rest)
		default:
			a.bound[name], _ = part(body, strings.Split(path, ".")).(string)
		}
	}
}

func part(v any, path []string) any {
	for _, key := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i >= len(at) {
				return nil
			}
			v = at[i]
		}
	}
	return v
}

func (a *api) replay(x *exchange) {
	a.clock = a.clock.Add(time.Duration(x.Wait * float64(time.Second)))
	resp, text := a.send(x)
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	want, _, _ := mime.ParseMediaType(x.Response.ContentType)
	at := fmt.Sprintf("line %d, %s %s as %s", x.N, x.Request.Method, x.Request.Path, x.As)
	if resp.StatusCode != x.Response.Status || kind != want {
		a.t.Errorf("%s: %d %s, want %d %s\n%.300s", at, resp.StatusCode, kind, x.Response.Status, want, text)
		return
	}
	var got any
	if json.Unmarshal(text, &got) != nil {
		got = string(text)
	}
	a.bind(x, resp, got)
	a.location(at, x, resp)
	if x.Match == "status" {
		return
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
	if diff := a.differs("", x.Response.Body, got); diff != "" {
		a.t.Errorf("%s: %s\nwant %.400s\ngot  %.400s", at, diff, mustJSON(x.Response.Body), text)
	}
}

func (a *api) location(at string, x *exchange, resp *http.Response) {
	head, query, _ := strings.Cut(resp.Header.Get("Location"), "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		a.t.Errorf("%s: %v", at, err)
	}
	keys := slices.Sorted(maps.Keys(values))
	if x.Response.LocationKeys != nil && !slices.Equal(keys, x.Response.LocationKeys) || head != x.Response.Location {
		a.t.Errorf("%s: Location %s with %v, want %s with %v", at, head, keys, x.Response.Location, x.Response.LocationKeys)
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
	standIn  = regexp.MustCompile(`\{\{\w+\}\}`)
	isToken  = regexp.MustCompile(`^[A-Za-z0-9_.-]{16,}$`)
	isUUID   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	asASet   = func(key string) bool { return key != "mail" && key != "groups" }
	leftAway = "last_modified_cid"
)

// differs compares by the rules of the recordings; "" when they are alike.
func (a *api) differs(key string, want, got any) string {
	switch w := want.(type) {
	case string:
		return a.differsText(w, got)
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
			if d := a.differs(k, v, g[k]); d != "" {
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
			if d := a.differs(key, w[i], g[i]); d != "" {
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

func (a *api) differsText(want string, got any) string {
	g, ok := got.(string)
	want = strings.ReplaceAll(want, "{{origin}}", a.s.URL())
	switch {
	case want == "{{any}}":
		return ""
	case want == "{{int}}":
		if n, ok := got.(float64); !ok || n != math.Trunc(n) {
			return fmt.Sprintf("%v is no whole number", got)
		}
		return ""
	case !ok:
		return fmt.Sprintf("%v is no text", got)
	case want == "{{uuid}}" && isUUID.MatchString(g):
	case want == "{{token}}" && isToken.MatchString(g):
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
