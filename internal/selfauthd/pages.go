package selfauthd

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// The pages for browsers stand at the paths of the real server's, and do as much as a person needs to enrol with a
// one-time code, to log in, and to agree to a client. They are forms without script. Behind each of them the calls of the
// API are made that a browser would make, so they can do nothing that the API does not allow.
//
// Cookies hold what has to outlive a page: the login under way, the session, the credential session, the client's wish,
// and the secrets of made-up passkeys, for which the browser stands in as the device.
const (
	pagesAt = "/ui/"

	cookieLogin   = "auth-session-id"
	cookieSession = "bearer"
	cookieUpdate  = "cu-session-token"
	cookieWish    = "o2-authreq"
	cookiePasskey = "made-up-passkey-" // and its id

	mostForm    = 64 << 10
	mostWish    = 3 << 10 // of what a cookie holds
	passkeyDays = 365
)

// visit is one request of a browser.
type visit struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	form url.Values
}

// pages are what there is, by method and path.
var pages = map[string]func(*visit){
	"GET /ui/login":           (*visit).showLogin,
	"POST /ui/login/begin":    (*visit).beginLogin,
	"POST /ui/login/way":      (*visit).chooseWay,
	"POST /ui/login/cred":     (*visit).giveCredential,
	"GET /ui/apps":            (*visit).showHome,
	"POST /ui/logout":         (*visit).logOut,
	"GET /ui/oauth2":          (*visit).showWish,
	"POST /ui/oauth2/consent": (*visit).consent,
	"GET /ui/reset":           (*visit).showReset,
	"POST /ui/reset":          (*visit).enterCode,
	"POST /ui/reset/change":   (*visit).change,
	"GET /ui/recover":         (*visit).showRecover,
	"POST /ui/recover":        (*visit).recover,
}

// servePage answers a browser.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // the real server does for it what it does for GET
	}
	p := &visit{s: s, w: w, r: r}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // an address may hold a code; none at all would hide the origin of our own forms
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+styleHash()+"'; frame-ancestors 'none'; base-uri 'none'")
	do := pages[method+" "+r.URL.Path]
	switch {
	case do == nil:
		p.fail(http.StatusNotFound, "There is no such page.")
		return
	case http.NewCrossOriginProtection().Check(r) != nil:
		p.fail(http.StatusForbidden, "Another site has sent this form.")
		return
	}
	if method == http.MethodPost {
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		if err := r.ParseForm(); err != nil {
			p.fail(http.StatusBadRequest, "The form cannot be read.")
			return
		}
		p.form = r.PostForm
	}
	do(p)
}

// reply is an answer of the API.
type reply struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *reply) Header() http.Header         { return r.header }
func (r *reply) WriteHeader(status int)      { r.status = cmp.Or(r.status, status) }
func (r *reply) Write(b []byte) (int, error) { r.WriteHeader(http.StatusOK); return r.body.Write(b) }

func (r *reply) ok() bool { return r.status == http.StatusOK }

// call asks the API what a browser's script would.
func (p *visit) call(method, path string, in any, headers ...string) *reply {
	var body io.Reader = http.NoBody
	if in != nil {
		body = bytes.NewReader(mustMarshal(in))
	}
	ctx, cancel := context.WithCancel(p.r.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		panic(err) // the paths are ours
	}
	if in != nil {
		r.Header.Set("Content-Type", asJSON)
	}
	if session := p.cookie(cookieSession); session != "" {
		r.Header.Set("Authorization", "Bearer "+session)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := &reply{header: http.Header{}}
	p.s.serveAPI(answer, r)
	answer.status = cmp.Or(answer.status, http.StatusOK)
	return answer
}

func (p *visit) cookie(name string) string {
	c, err := p.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// keep sets a cookie for so many seconds, 0: until the browser ends, and less: no more.
func (p *visit) keep(name, value string, seconds int) {
	http.SetCookie(p.w, &http.Cookie{Name: name, Value: value, Path: pagesAt, MaxAge: seconds, Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode})
}

func (p *visit) drop(name string) { p.keep(name, "", -1) }

func (p *visit) goTo(path string) { http.Redirect(p.w, p.r, path, http.StatusSeeOther) }

func (p *visit) show(status int, name string, data any) {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, data); err != nil {
		panic(err) // the templates are ours
	}
	p.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	p.w.WriteHeader(status)
	_, _ = p.w.Write(b.Bytes()) // a browser that went away is told nothing
}

func (p *visit) fail(status int, text string) { p.show(status, "message", text) }

// styleHash lets the one style of the pages through the policy, and no other.
func styleHash() string {
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

var wayTexts = map[string]string{"password": "with a password", "passwordmfa": "with a password and a code",
	byPasskey: "with a made-up passkey of this browser"}

func wayText(way string) string { return cmp.Or(wayTexts[way], way) }

func first(list []string) string { return slices.Concat(list, []string{""})[0] }

var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{"way": wayText, "first": first,
		"style": func() template.CSS { return style }}).Parse(pageTexts))
})
