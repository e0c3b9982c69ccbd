package selfauthd

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

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
