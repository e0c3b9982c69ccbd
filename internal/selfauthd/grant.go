package selfauthd

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	accessFor  = 15 * time.Minute
	refreshFor = 16 * time.Hour
)

// refreshToken is the content of a refresh token.
type refreshToken struct {
	Person  uuid.UUID `json:"person"`
	Session uuid.UUID `json:"session"`
	Issued  int64     `json:"issued"`
	Until   int64     `json:"until"`
	Scopes  []string  `json:"scopes"`
	Nonce   *string   `json:"nonce,omitempty"`
}

// form reads a form, in which some fields must be.
func (q *request) form(fields ...string) (url.Values, *fault) {
	kind, _, err := mime.ParseMediaType(q.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, &fault{status: http.StatusUnsupportedMediaType,
			text: "Form requests must have `Content-Type: application/x-www-form-urlencoded`"}
	}
	values, err := url.ParseQuery(string(q.body))
	if err != nil {
		return nil, &fault{status: http.StatusUnprocessableEntity, text: "Failed to deserialize form body: " + err.Error()}
	}
	return values, require(values, fields...)
}

func require(values url.Values, fields ...string) *fault {
	for _, f := range fields {
		if !values.Has(f) {
			return &fault{status: http.StatusUnprocessableEntity,
				text: "Failed to deserialize form body: missing field `" + f + "`"}
		}
	}
	return nil
}

// grantCall is one way of getting tokens.
type grantCall struct {
	fields []string
	do     func(q *request, c *entry, form url.Values) any
}

var grantCalls = map[string]grantCall{
	"authorization_code": {[]string{"code", "redirect_uri"}, (*request).grantCode},
	"refresh_token":      {[]string{"refresh_token"}, (*request).grantRefresh},
	"client_credentials": {nil, (*request).grantClient},
}

func (q *request) token() (any, *fault) {
	form, err := q.form("grant_type")
	if err != nil {
		return nil, err
	}
	call, ok := grantCalls[form.Get("grant_type")]
	if !ok {
		return nil, &fault{status: http.StatusUnprocessableEntity,
			text: fmt.Sprintf("Failed to deserialize form body: unknown variant `%s`", form.Get("grant_type"))}
	}
	if err := require(form, call.fields...); err != nil {
		return nil, err
	}
	c := q.clientOf(form)
	if c == nil {
		return nobody, nil
	}
	return call.do(q, c, form), nil
}

// clientOf is the client that asks, by what it says of itself in a header or in the form; nil: it cannot prove it.
func (q *request) clientOf(form url.Values) *entry {
	name, secret, basic := q.r.BasicAuth()
	if !basic {
		name, secret = form.Get("client_id"), form.Get("client_secret")
	}
	c := q.store.byName[lower(name)]
	if c == nil || c.kind != client || !c.client.public &&
		subtle.ConstantTimeCompare([]byte(secret), []byte(c.client.secret)) != 1 {
		return nil
	}
	return c
}

// openSealed decrypts a code or a refresh token with the key of the client that made it.
func (c *clientPart) openSealed(token string, v any) bool {
	k := c.key(headOf(token).Kid)
	return k != nil && k.Usage == useJWE && k.open(token, v)
}

func (q *request) grantCode(c *entry, form url.Values) any {
	var g granted
	now := q.s.o.Now().Unix()
	if !c.client.openSealed(form.Get("code"), &g) || g.Redirect == "" || g.Until < now || !verified(g.Challenge, form) {
		return oauthError("invalid_request")
	}
	if uri, ok := parseURL(form.Get("redirect_uri")); !ok || uri != g.Redirect {
		return oauthError("invalid_origin")
	}
	e := q.store.byID[g.Person]
	if e == nil {
		return oauthError("server_error")
	}
	// Whether the person is still in time is asked when the tokens are used.
	return q.tokens(c, e, refreshToken{Person: e.id, Session: uuid.New(), Scopes: g.Scopes, Nonce: g.Nonce}, g.Session)
}

// verified compares a challenge with what it was made of. Neither comes without the other.
func verified(challenge string, form url.Values) bool {
	if challenge == "" || !form.Has("code_verifier") {
		return challenge == "" && !form.Has("code_verifier")
	}
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	return base64.RawURLEncoding.EncodeToString(sum[:]) == strings.TrimRight(challenge, "=")
}

// tokens makes the tokens of a session, which begins or goes on with them.
func (q *request) tokens(c, e *entry, r refreshToken, parent uuid.UUID) any {
	now := q.s.o.Now()
	life := refreshFor
	if n := c.number("oauth2_refresh_token_expiry"); n != nil {
		life = time.Duration(*n) * time.Second
	}
	r.Issued, r.Until = now.Unix(), now.Add(life).Unix()
	part := e.part()
	if part.grants == nil {
		part.grants = map[uuid.UUID]*grant{}
	}
	part.grants[r.Session] = &grant{Client: c.id, Parent: parent, Issued: r.Issued, Expiry: r.Until}
	for len(part.grants) > sessionsKept {
		delete(part.grants, oldest(part.grants, func(g *grant) int64 { return g.Issued }))
	}
	q.store.touch(e)
	access := accessToken{Issuer: q.s.issuer(c), Subject: e.id.String(), Audience: c.name, ClientID: c.name,
		Expiry: now.Add(accessFor).Unix(), IssuedAt: now.Unix(), From: now.Unix(),
		ID: uuid.NewString(), Nonce: r.Nonce, Scope: strings.Join(r.Scopes,
			" "), Session: r.Session.String(), Parent: parent.String()}
	key := c.client.current(signatures(c), now.Unix())
	v := map[string]any{"access_token": key.sign("at+jwt", access), "token_type": "Bearer",
		"issued_token_type": "AccessToken", "expires_in": int(accessFor.Seconds()),
		"refresh_token": c.client.current(useJWE, now.Unix()).seal(r), "scope": access.Scope}
	if slices.Contains(r.Scopes, "openid") {
		v["id_token"] = key.sign("", q.claims(opened{accessToken: access, client: c, person: e}))
	}
	return v
}

// grantRefresh makes new tokens. One that was used before the newest was made has been stolen: the session ends.
func (q *request) grantRefresh(c *entry, form url.Values) any {
	var r refreshToken
	if !c.client.openSealed(form.Get("refresh_token"), &r) || r.Until == 0 {
		return oauthError("invalid_request")
	}
	e := q.store.byID[r.Person]
	g := q.liveGrant(e, r.Session.String(), r.Until)
	switch {
	case g == nil:
		return oauthError("invalid_grant")
	case r.Issued < g.Issued:
		g.Revoked = true
		q.store.touch(e)
		return oauthError("invalid_grant")
	}
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		if slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(r.Scopes, s) }) {
			return oauthError("invalid_scope")
		}
		r.Scopes = set(asked)
	}
	return q.tokens(c, e, r, g.Parent)
}

// grantClient gives a client a token of its own, with the scopes that its groups give it.
func (q *request) grantClient(c *entry, form url.Values) any {
	scopes := []string{}
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		if scopes = q.store.grants(c, c, asked); scopes == nil {
			return oauthError("access_denied")
		}
	}
	now := q.s.o.Now()
	return map[string]any{"access_token": c.client.current(useJWE,
		now.Unix()).seal(refreshToken{Person: c.id, Session: uuid.New(), Issued: now.Unix(), Scopes: scopes}),
		"token_type": "Bearer", "issued_token_type": "AccessToken", "expires_in": int(accessFor.Seconds()),
		"scope": strings.Join(scopes, " ")}
}

// liveGrant is the session of a token, if it and the login that it came from count, and so does the person.
func (q *request) liveGrant(e *entry, session string, until int64) *grant {
	now := q.s.o.Now()
	id, err := uuid.Parse(session)
	if err != nil || e == nil || e.cred == nil || e.expired(now) || until <= now.Unix() {
		return nil
	}
	g := e.cred.grants[id]
	if g == nil || g.Revoked || !e.cred.live(g.Parent, now.Unix()) {
		return nil
	}
	return g
}

// introspect tells what a token is good for. Whoever holds it may ask.
func (q *request) introspect() (any, *fault) {
	form, err := q.form("token")
	if err != nil {
		return nil, err
	}
	token := form.Get("token")
	inactive := func(id string) (any, *fault) { return map[string]any{"active": false, "scope": "", "jti": id}, nil }
	if r, _ := q.openRefresh(token); r != nil {
		return inactive(r.Session.String())
	}
	o, signed := q.openAccess(token)
	switch {
	case !signed:
		return refused(http.StatusUnauthorized), nil
	case o.client == nil:
		p := oauthError("invalid_request")
		p.kind = ""
		return p, nil
	case o.grant == nil:
		return inactive(uuid.NewString())
	}
	return map[string]any{"active": true, "scope": o.Scope, "client_id": o.client.name,
		"username": q.username(o.client, o.person), "token_type": "Bearer",
		"exp": o.Expiry, "iat": o.IssuedAt, "nbf": o.From, "sub": o.Subject, "aud": o.Audience, "jti": o.Session}, nil
}

// openRefresh opens a refresh token of whatever client.
func (q *request) openRefresh(token string) (*refreshToken, *entry) {
	for _, c := range q.store.clients {
		var r refreshToken
		if c.client.openSealed(token, &r) && r.Issued != 0 {
			return &r, q.store.byID[r.Person]
		}
	}
	return nil, nil
}

// revokeToken ends the session of a token. Whoever holds it may.
func (q *request) revokeToken() (any, *fault) {
	form, err := q.form("token")
	if err != nil {
		return nil, err
	}
	token := form.Get("token")
	var session uuid.UUID
	r, e := q.openRefresh(token)
	if r != nil {
		session = r.Session
	} else if o, signed := q.openAccess(token); signed && o.client != nil {
		e, session = o.person, uuid.MustParse(o.Session)
	} else {
		return plain{status: http.StatusUnauthorized, kind: asText}, nil
	}
	if e != nil && e.cred != nil && e.cred.grants[session] != nil {
		e.cred.grants[session].Revoked = true
		q.store.touch(e)
	}
	return plain{status: http.StatusOK, kind: asText}, nil
}
