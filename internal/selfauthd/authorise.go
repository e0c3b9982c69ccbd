package selfauthd

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

const (
	codeFor    = time.Minute
	consentFor = 5 * time.Minute
)

// authorisation is what a client asks a person for.
type authorisation struct {
	ResponseType string  `json:"response_type"`
	ResponseMode string  `json:"response_mode"`
	ClientID     string  `json:"client_id"`
	State        *string `json:"state"`
	Challenge    string  `json:"code_challenge"`
	Method       string  `json:"code_challenge_method"`
	RedirectURI  string  `json:"redirect_uri"`
	Scope        string  `json:"scope"`
	Nonce        *string `json:"nonce"`
	Prompt       string  `json:"prompt"`
}

// granted is what a person lets a client know: the content of consent tokens and codes.
type granted struct {
	Client   uuid.UUID `json:"client"`
	Person   uuid.UUID `json:"person"`
	Session  uuid.UUID `json:"session"`
	Until    int64     `json:"until"`
	Scopes   []string  `json:"scopes"`
	Redirect string    `json:"redirect"`
	Fragment bool      `json:"fragment,omitempty"`
	State    *string   `json:"state,omitempty"`
	Nonce    *string   `json:"nonce,omitempty"`
	// Challenge is of PKCE; "": none was given.
	Challenge string `json:"challenge,omitempty"`
}

// refused has no more to say than its status.
func refused(status int) plain { return plain{status: status} }

func (q *request) authorisationBody() (a authorisation, err *fault) {
	fields := map[string]any{}
	if err = q.decode(&fields, nil); err != nil {
		return a, err
	}
	err = q.decode(&a, func() string {
		for _, name := range []string{"response_type", "client_id", "redirect_uri", "scope"} {
			if _, there := fields[name]; !there {
				return name
			}
		}
		return ""
	})
	if err == nil {
		if _, ok := parseURL(a.RedirectURI); !ok {
			err = wrongShape("redirect_uri: relative URL without a base")
		}
	}
	return a, err
}

// authorisationQuery reads the wish from a query, as a browser brings it.
func (q *request) authorisationQuery() (a authorisation, err *fault) {
	values := q.r.URL.Query()
	for _, name := range []string{"response_type", "client_id", "redirect_uri", "scope"} {
		if !values.Has(name) {
			return a, badQuery("missing field `" + name + "`")
		}
	}
	optional := func(name string) *string {
		if !values.Has(name) {
			return nil
		}
		v := values.Get(name)
		return &v
	}
	a = authorisation{ResponseType: values.Get("response_type"), ResponseMode: values.Get("response_mode"), ClientID: values.Get("client_id"),
		State: optional("state"), Challenge: values.Get("code_challenge"), Method: values.Get("code_challenge_method"),
		RedirectURI: values.Get("redirect_uri"), Scope: values.Get("scope"), Nonce: optional("nonce"), Prompt: values.Get("prompt")}
	if _, ok := parseURL(a.RedirectURI); !ok {
		err = badQuery(fmt.Sprintf("redirect_uri: relative URL without a base: %q", a.RedirectURI))
	}
	return a, err
}

// authorise answers a client's wish: with a code, or with the question whether the person agrees.
func (q *request) authorise() (any, *fault) {
	a, err := q.authorisationBody()
	if err != nil {
		return nil, err
	}
	return q.judge(a), nil
}

// authoriseByQuery answers the same wish in a query; a code by sending the browser to the client.
func (q *request) authoriseByQuery() (any, *fault) {
	a, err := q.authorisationQuery()
	if err != nil {
		return nil, err
	}
	p := q.judge(a)
	if p.location != "" {
		p.status = http.StatusFound
	}
	return p, nil
}

// judge looks at the client, the URL and the challenge before it asks who is there: what it refuses of them it
// refuses everybody (docs/selfauth-facts.md F57).
func (q *request) judge(a authorisation) plain {
	c := q.store.byName[lower(a.ClientID)]
	if c == nil || c.kind != client || a.ResponseType != "code" || !c.redirects(a.RedirectURI) || !c.challenged(a) ||
		a.Prompt == "none" && q.authenticate() != nil {
		return refused(http.StatusBadRequest)
	}
	if q.authenticate() != nil {
		return nobody
	}
	asked := strings.Split(a.Scope, " ")
	if slices.ContainsFunc(asked, func(s string) bool { return !scopePattern().MatchString(s) }) {
		return refused(http.StatusBadRequest)
	}
	if q.caller.session == nil {
		return refused(http.StatusForbidden)
	}
	scopes := q.store.grants(c, q.caller.e, asked)
	if scopes == nil {
		return refused(http.StatusForbidden)
	}
	uri, _ := parseURL(a.RedirectURI)
	g := granted{Client: c.id, Person: q.caller.e.id, Session: q.caller.session.SessionID, Scopes: scopes,
		Redirect: uri, Fragment: a.ResponseMode == "fragment",
		State: a.State, Nonce: a.Nonce, Challenge: a.Challenge}
	before := q.caller.e.cred.consents[c.id]
	if !slices.Equal(c.more["oauth2_consent_prompt_enable"], []string{"false"}) && !slices.Equal(before, scopes) {
		if a.Prompt == "none" {
			return refused(http.StatusBadRequest)
		}
		g.Until = q.s.o.Now().Add(consentFor).Unix()
		pii := []string{}
		if slices.Contains(scopes, "email") {
			pii = append(pii, "email", "email_verified")
		}
		return plain{status: http.StatusOK, body: mustMarshal(map[string]any{"ConsentRequested": map[string]any{"client_name": c.display, "scopes": scopes, "pii_scopes": pii,
			"consent_token": q.s.keys.seal.seal(g)}})}
	}
	return q.permitted(c, g, []byte(`"Permitted"`))
}

// redirects says whether a client may be answered at a URL: one that it registered, whether it wants that to be strict
// or not.
func (e *entry) redirects(uri string) bool {
	u, ok := parseURL(uri)
	if !ok {
		return false
	}
	if slices.Contains(e.more["oauth2_rs_origin"], u) || slices.Contains(e.more["oauth2_rs_origin_landing"], u) {
		return true
	}
	parsed, err := url.Parse(u)
	return err == nil && e.isOn("oauth2_allow_localhost_redirect") &&
		slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, parsed.Hostname())
}

// challenged says whether PKCE is as it must be: S256, unless the client may do without.
func (e *entry) challenged(a authorisation) bool {
	if a.Challenge == "" && a.Method == "" {
		return e.isOn("oauth2_allow_insecure_client_disable_pkce")
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(a.Challenge, "="))
	return err == nil && len(b) == 32 && a.Method == "S256"
}

// grants are the scopes that an account gets when it asks for some, sorted; nil: it gets none, or not all.
func (s *store) grants(c, e *entry, asked []string) []string {
	var may, more []string
	for _, g := range s.memberOf(e) {
		may = append(may, c.client.scopes[g.id]...)
		more = append(more, c.client.sup[g.id]...)
	}
	if len(may) == 0 || slices.ContainsFunc(asked, func(s string) bool { return !slices.Contains(may, s) }) {
		return nil
	}
	return set(append(more, asked...))
}

// permitted sends the person back to the client with a code.
func (q *request) permitted(c *entry, g granted, body []byte) plain {
	now := q.s.o.Now()
	g.Until = now.Add(codeFor).Unix()
	u, err := url.Parse(g.Redirect)
	if err != nil {
		panic(err) // it was checked
	}
	values := u.Query()
	if g.Fragment {
		values = url.Values{}
	}
	values.Set("code", c.client.current(useJWE, now.Unix()).seal(g))
	if g.State != nil {
		values.Set("state", *g.State)
	}
	location := g.Redirect + "#" + values.Encode()
	if !g.Fragment {
		u.RawQuery = values.Encode()
		location = u.String()
	}
	return plain{status: http.StatusOK, location: location, body: body}
}

// permit is a person's consent. It is remembered for these scopes.
func (q *request) permit() (any, *fault) {
	var token string
	if err := q.decode(&token, nil); err != nil {
		return nil, err
	}
	var g granted
	failed := refused(http.StatusInternalServerError)
	if !q.s.keys.seal.open(token, &g) || q.caller.session == nil || g.Session != q.caller.session.SessionID ||
		g.Until < q.s.o.Now().Unix() {
		return failed, nil
	}
	c := q.store.byID[g.Client]
	if c == nil {
		return failed, nil
	}
	part := q.caller.e.part()
	part.consents = cloneMap(part.consents)
	part.consents[c.id] = g.Scopes
	q.store.touch(q.caller.e)
	return q.permitted(c, g, nil), nil
}
