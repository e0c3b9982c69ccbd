package selfauthd

import (
	"bytes"
	"cmp"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

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

// Again says whether the authenticator's code was wrong.
func (v updateView) Again() bool { return string(v.Register) == `"TotpTryAgain"` }

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
