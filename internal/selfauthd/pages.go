package selfauthd

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"
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

// showLogin asks who somebody is.
func (p *visit) showLogin() { p.show(http.StatusOK, "login", loginView{}) }

// loginView is one step of a login.
type loginView struct {
	Problem string
	Name    string
	Ways    []string // to choose from
	Wants   string   // the credential that is asked for: password, totp, passkey
}

// authAnswer is what a step of a login comes to.
type authAnswer struct {
	State struct {
		Choose   []string          `json:"choose"`
		Continue []json.RawMessage `json:"continue"`
		Success  string            `json:"success"`
		Denied   string            `json:"denied"`
	} `json:"state"`
}

func (p *visit) step(in any) (a authAnswer, ok bool) {
	r := p.call(http.MethodPost, "/v1/auth", map[string]any{"step": in}, sessionHeader, p.cookie(cookieLogin))
	if id := r.header.Get(sessionHeader); r.ok() && id != "" {
		p.keep(cookieLogin, id, int(authSessionFor.Seconds()))
		p.r.Header.Add("Cookie", (&http.Cookie{Name: cookieLogin, Value: id}).String())
	}
	return a, r.ok() && json.Unmarshal(r.body.Bytes(), &a) == nil
}

func (p *visit) beginLogin() {
	p.r.Header.Del("Cookie") // a login begins anew
	a, ok := p.step(map[string]any{"init2": map[string]any{"username": p.form.Get("username"), "issue": "token", "privileged": false}})
	switch {
	case !ok:
		p.show(http.StatusOK, "login", loginView{Problem: "Nobody has this name. An e-mail address is no name."})
	case a.State.Denied != "":
		p.denied(a.State.Denied)
	case len(a.State.Choose) > 1:
		p.show(http.StatusOK, "login", loginView{Ways: a.State.Choose})
	default:
		p.begin(a.State.Choose[0])
	}
}

func (p *visit) chooseWay() { p.begin(p.form.Get("way")) }

func (p *visit) begin(way string) {
	a, ok := p.step(map[string]string{"begin": way})
	p.goOn(a, ok)
}

// goOn shows what a login comes to, or what it asks for next.
func (p *visit) goOn(a authAnswer, ok bool) {
	switch {
	case !ok:
		p.show(http.StatusOK, "login", loginView{Problem: "This login has ended. Begin again."})
	case a.State.Denied != "":
		p.denied(a.State.Denied)
	case a.State.Success != "":
		p.drop(cookieLogin)
		p.keep(cookieSession, a.State.Success, 0)
		if wish := p.wish(); wish != "" {
			p.goTo(pagesAt + "oauth2?" + wish)
			return
		}
		p.goTo(pagesAt + "apps")
	default:
		p.show(http.StatusOK, "login", loginView{Wants: wanted(a)})
	}
}

func (p *visit) denied(why string) {
	p.drop(cookieLogin)
	p.show(http.StatusOK, "login", loginView{Problem: "The login was denied: " + why + "."})
}

// wanted is the credential that a step asks for.
func wanted(a authAnswer) string {
	if len(a.State.Continue) == 0 {
		return ""
	}
	name, _, _ := variant(a.State.Continue[0])
	return name
}

func (p *visit) giveCredential() {
	var cred any
	switch p.form.Get("kind") {
	case "totp":
		code, err := strconv.ParseUint(strings.ReplaceAll(p.form.Get("value"), " ", ""), 10, 32)
		if err != nil {
			code = 1_000_000 // which no code is
		}
		cred = map[string]any{"totp": code}
	case byPasskey:
		cred = map[string]any{byPasskey: p.passkeySecret()}
	default:
		cred = map[string]any{"password": p.form.Get("value")}
	}
	a, ok := p.step(map[string]any{"cred": cred})
	p.goOn(a, ok)
}

// passkeySecret is that of a made-up passkey that this browser keeps and the account has; "": there is none.
func (p *visit) passkeySecret() string {
	p.s.store.mu.RLock()
	defer p.s.store.mu.RUnlock()
	var id uuid.UUID
	payload, ok := p.s.keys.open(p.cookie(cookieLogin))
	if !ok || json.Unmarshal(payload, &id) != nil {
		return ""
	}
	l := p.s.logins.steps[id]
	if l == nil || p.s.store.byID[l.account] == nil {
		return ""
	}
	for _, id := range p.s.store.byID[l.account].cred.passkeyIDs() {
		if secret := p.cookie(cookiePasskey + id.String()); secret != "" {
			return secret
		}
	}
	return ""
}

func (p *visit) showHome() {
	r := p.call(http.MethodGet, "/v1/self", nil)
	var who struct {
		Is struct {
			Attrs map[string][]string `json:"attrs"`
		} `json:"youare"`
	}
	if !r.ok() || json.Unmarshal(r.body.Bytes(), &who) != nil {
		p.goTo(pagesAt + "login")
		return
	}
	p.show(http.StatusOK, "home", who.Is.Attrs)
}

func (p *visit) logOut() {
	p.call(http.MethodGet, "/v1/logout", nil)
	for _, name := range []string{cookieLogin, cookieSession, cookieUpdate, cookieWish} {
		p.drop(name)
	}
	p.show(http.StatusOK, "message", "You are logged out.")
}

// wish is the query of the client that waits for a login; "": none does.
func (p *visit) wish() string {
	query, err := base64.RawURLEncoding.DecodeString(p.cookie(cookieWish))
	if err != nil {
		return ""
	}
	return string(query)
}

// showWish is where a client sends the browser: on with a code, a question, a login, or why not. But for the first, its
// status is 200, as the real server's (docs/selfauth-facts.md F57).
func (p *visit) showWish() {
	r := p.call(http.MethodGet, "/oauth2/authorise?"+p.r.URL.RawQuery, nil)
	var asked struct {
		Consent *struct {
			Client string   `json:"client_name"`
			Scopes []string `json:"scopes"`
			Token  string   `json:"consent_token"`
		} `json:"ConsentRequested"`
	}
	switch {
	case r.status == http.StatusUnauthorized && len(p.r.URL.RawQuery) <= mostWish:
		p.keep(cookieWish, base64.RawURLEncoding.EncodeToString([]byte(p.r.URL.RawQuery)), int(authSessionFor.Seconds()))
		p.showLogin()
	case r.header.Get("Location") != "":
		p.drop(cookieWish)
		p.goTo(r.header.Get("Location"))
	case r.ok() && json.Unmarshal(r.body.Bytes(), &asked) == nil && asked.Consent != nil:
		p.drop(cookieWish)
		p.show(http.StatusOK, "consent", asked.Consent)
	case r.status == http.StatusForbidden:
		p.drop(cookieWish)
		p.fail(http.StatusOK, "You may not use this application: you are in none of its groups, or it asks for more than they may.")
	default:
		p.drop(cookieWish)
		p.fail(http.StatusOK, "The application's request is not valid.")
	}
}

func (p *visit) consent() {
	r := p.call(http.MethodPost, "/oauth2/authorise/permit", p.form.Get("consent_token"))
	if to := r.header.Get("Location"); r.ok() && to != "" {
		p.goTo(to)
		return
	}
	p.fail(http.StatusOK, "This question has ended. Go back to the application and begin again.")
}

// showReset asks for a one-time code, takes the one in the address, or shows the credentials of the session that one has
// opened. As on the real server a look at the address, by a mail scanner too, opens a session of its own.
func (p *visit) showReset() {
	switch {
	case p.r.URL.Query().Has("token"):
		p.exchange(p.r.URL.Query().Get("token"))
	case p.cookie(cookieUpdate) == "":
		p.show(http.StatusOK, "code", "")
	default:
		p.showCredentials("")
	}
}

func (p *visit) enterCode() { p.exchange(strings.TrimSpace(p.form.Get("token"))) }

func (p *visit) exchange(code string) {
	r := p.call(http.MethodPost, "/v1/credential/_exchange_intent", code)
	var pair []json.RawMessage
	var token updateToken
	if !r.ok() || json.Unmarshal(r.body.Bytes(), &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[0], &token) != nil {
		p.show(http.StatusOK, "code", "There is no such code, or it was used, or its time is over. Ask for another one.")
		return
	}
	p.keep(cookieUpdate, token.Token, int(updateFor.Seconds()))
	p.goTo(pagesAt + "reset") // the code leaves the address bar
}

// updateView is a credential session as its page shows it.
type updateView struct {
	Problem  string
	SPN      string          `json:"spn"`
	Display  string          `json:"displayname"`
	Can      bool            `json:"can_commit"`
	Warnings []string        `json:"warnings"`
	Primary  json.RawMessage `json:"primary"`
	Register json.RawMessage `json:"mfaregstate"`
	Passkeys []struct {
		ID  uuid.UUID `json:"uuid"`
		Tag string    `json:"tag"`
	} `json:"passkeys"`
	PasswordState string `json:"primary_state"`
	PasskeyState  string `json:"passkeys_state"`
}

// Has says whether there is a password, and what beside it.
func (v updateView) Has() string {
	switch {
	case len(v.Primary) == 0 || string(v.Primary) == "null":
		return ""
	case bytes.Contains(v.Primary, []byte("PasswordMfa")):
		return "a password with codes of an authenticator"
	}
	return "a password"
}

// Secret is what an authenticator is told while it is registered; "": none is.
func (v updateView) Secret() string {
	var check struct {
		TOTP struct {
			Secret []byte `json:"-"`
			Bytes  []int  `json:"secret"`
		} `json:"TotpCheck"`
	}
	if json.Unmarshal(v.Register, &check) != nil {
		return ""
	}
	for _, b := range check.TOTP.Bytes {
		check.TOTP.Secret = append(check.TOTP.Secret, byte(b))
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(check.TOTP.Secret)
}

// Registers says whether an authenticator's code is waited for.
func (v updateView) Registers() bool { return len(v.Register) > 0 && string(v.Register) != `"None"` }

// warningTexts are why a session cannot be saved yet.
var warningTexts = map[string]string{
	"NoValidCredentials": "There is nothing to log in with yet.",
	"MfaRequired":        "A password alone is not enough here: add codes of an authenticator, or use a passkey and remove the password.",
	"Unsatisfiable":      "The policy of this account can be met by nothing.",
}

// Reasons are the warnings in words.
func (v updateView) Reasons() (list []string) {
	for _, w := range v.Warnings {
		list = append(list, cmp.Or(warningTexts[w], w))
	}
	return list
}

func (p *visit) showCredentials(problem string) {
	r := p.call(http.MethodPost, "/v1/credential/_status", updateToken{p.cookie(cookieUpdate)})
	view := updateView{Problem: problem}
	if !r.ok() || json.Unmarshal(r.body.Bytes(), &view) != nil {
		p.drop(cookieUpdate)
		p.show(http.StatusOK, "code", "This session has ended. Enter the code again, or ask for another one.")
		return
	}
	p.show(http.StatusOK, "credentials", view)
}

// change does to the session what a button says.
func (p *visit) change() {
	token := updateToken{p.cookie(cookieUpdate)}
	switch p.form.Get("do") {
	case "save":
		p.end("/v1/credential/_commit", token, "Saved. You can log in now.")
		return
	case "cancel":
		p.end("/v1/credential/_cancel", token, "Nothing was changed. The code can be used again.")
		return
	case "passkey":
		p.makePasskey(token)
		return
	}
	request, problem := p.wanted()
	if problem != "" {
		p.showCredentials(problem)
		return
	}
	r := p.call(http.MethodPost, "/v1/credential/_update", []any{request, token})
	p.showCredentials(refusalText(r))
}

// wanted is the request of a button; problem: it cannot be one.
func (p *visit) wanted() (request any, problem string) {
	switch value := p.form.Get("value"); p.form.Get("do") {
	case "password":
		if value != p.form.Get("again") {
			return nil, "The two passwords are not the same."
		}
		return map[string]string{"password": value}, ""
	case "remove-password":
		return "primaryremove", ""
	case "remove-passkey":
		return map[string]string{"passkeyremove": value}, ""
	case "totp":
		return "totpgenerate", ""
	case "totp-code":
		code, err := strconv.ParseUint(strings.ReplaceAll(value, " ", ""), 10, 32)
		if err != nil {
			return nil, "A code has six digits."
		}
		return map[string]any{"totpverify": []any{code, "authenticator"}}, ""
	}
	return nil, "There is no such button."
}

// makePasskey makes a passkey up, and has the browser keep its secret.
func (p *visit) makePasskey(token updateToken) {
	secret := newSecret()
	label := cmp.Or(strings.TrimSpace(p.form.Get("value")), "made up")
	r := p.call(http.MethodPost, "/v1/credential/_update", []any{map[string][]string{"passkeymadeup": {label, secret}}, token})
	var view updateView
	if r.ok() && json.Unmarshal(r.body.Bytes(), &view) == nil {
		for _, k := range view.Passkeys {
			if k.Tag == label {
				p.keep(cookiePasskey+k.ID.String(), secret, passkeyDays*24*3600)
			}
		}
	}
	p.showCredentials(refusalText(r))
}

func (p *visit) end(path string, token updateToken, done string) {
	if r := p.call(http.MethodPost, path, token); !r.ok() {
		p.showCredentials(refusalText(r))
		return
	}
	p.drop(cookieUpdate)
	p.show(http.StatusOK, "message", done)
}

// refusalText says why a change was refused; "": it was not.
func refusalText(r *reply) string {
	if r.ok() {
		return ""
	}
	var quality struct {
		Feedback []json.RawMessage `json:"passwordquality"`
	}
	body := r.body.Bytes()
	switch {
	case json.Unmarshal(body, &quality) == nil && len(quality.Feedback) > 0:
		var words []string
		for _, f := range quality.Feedback {
			name, argument, _ := variant(f)
			words = append(words, strings.TrimSpace(name+" "+string(argument)))
		}
		return "The password is refused: " + strings.Join(words, ", ") + "."
	case bytes.Contains(body, []byte("cu0005")):
		return "Somebody, or a program that looks at links, has opened the code again meanwhile: enter it once more."
	case bytes.Contains(body, []byte("cu0004")):
		return "The policy of this account wants more than this."
	}
	return fmt.Sprintf("That was refused: %s", body)
}

func (p *visit) showRecover() { p.show(http.StatusOK, "recover", "") }

// recover makes a code for who has the address. What it says is the same for everybody.
func (p *visit) recover() {
	if mail := strings.TrimSpace(p.form.Get("email")); mail != "" {
		p.s.recoverBy(mail)
	}
	p.fail(http.StatusOK, "If somebody here has this address, a code was made for it. This emulator sends no mail: "+
		"who started it decides where the code goes.")
}

// recoverBy makes a code for the person of an address, in a write of its own.
func (s *Server) recoverBy(mail string) {
	s.writer <- struct{}{}
	defer func() { <-s.writer }()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if e := s.store.byMail[mail]; e != nil && e.kind == person {
		q := &request{s: s, store: s.store}
		code, _ := q.newIntent(e, usualIntent)
		s.store.commit(line{})
		s.deliver(mail, code)
	}
}

// deliver hands a link over that a real server would have sent.
func (s *Server) deliver(mail, code string) {
	if s.o.Deliver != nil {
		s.o.Deliver(mail, s.url+pagesAt+"reset?token="+url.QueryEscape(code))
	}
}

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
