package selfauthd

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// plain is an answer that is written as it is.
type plain struct {
	status   int
	kind     string // content type; "": none
	body     []byte
	location string
	bearer   bool // asks for a bearer token
}

func (q *request) write(p plain) {
	h := q.w.Header()
	// The standard library would guess one.
	h["Content-Type"] = nil
	if p.kind != "" {
		h.Set("Content-Type", p.kind)
	}
	if p.location != "" {
		h.Set("Location", p.location)
	}
	if p.bearer {
		h.Set("WWW-Authenticate", "Bearer")
	}
	h.Set("Access-Control-Allow-Origin", "*")
	q.w.WriteHeader(p.status)
	// A client that went away is told nothing.
	_, _ = q.w.Write(p.body)
}

const (
	asText = "text/plain; charset=utf-8"
	asJSON = "application/json"
)

// nobody is the answer to who is not known, in the protocol's manner.
var nobody = plain{status: http.StatusUnauthorized, bearer: true}

// oauthError is an error of the protocol (docs/selfauth-facts.md F49).
func oauthError(word string) plain {
	return plain{status: http.StatusBadRequest, kind: asText, body: mustMarshal(map[string]string{"error": word})}
}

func allowed(*request) (any, *fault) { return plain{status: http.StatusOK, kind: asText}, nil }

func (s *Server) issuer(c *entry) string { return s.url + "/oauth2/openid/" + c.name }

// pathClient is the client of a protocol's path; nil: none.
func (q *request) pathClient() *entry {
	if e := q.store.byName[lower(q.vars[0])]; e != nil && e.kind == client {
		return e
	}
	return nil
}

// metadata is what RFC 8414 wants known of a client's issuer.
func (q *request) metadata() (any, *fault) {
	c := q.pathClient()
	if c == nil {
		return nil, noMatching
	}
	return q.describe(c), nil
}

func (q *request) describe(c *entry) map[string]any {
	scopes, challenges := []string{}, []string{"S256"}
	for _, m := range []bool{false, true} {
		for _, list := range c.client.scopeMap(m) {
			scopes = append(scopes, list...)
		}
	}
	if c.isOn("oauth2_allow_insecure_client_disable_pkce") {
		challenges = []string{}
	}
	return map[string]any{
		"issuer": q.s.issuer(c), "authorization_endpoint": q.s.url + "/ui/oauth2", "token_endpoint": q.s.url +
			"/oauth2/token",
		"jwks_uri": q.s.issuer(c) + "/public_key.jwk", "scopes_supported": append([]string{},
			set(scopes)...), "response_types_supported": []string{"code"},
		"response_modes_supported": []string{"query", "fragment"}, "grant_types_supported": []string{"authorization_code",
			"urn:ietf:params:oauth:grant-type:token-exchange"},
		"token_endpoint_auth_methods_supported":         []string{"client_secret_basic", "client_secret_post"},
		"service_documentation":                         "https://kanidm.github.io/kanidm/master/integrations/oauth2.html",
		"code_challenge_methods_supported":              challenges,
		"revocation_endpoint":                           q.s.url + "/oauth2/token/revoke",
		"revocation_endpoint_auth_methods_supported":    []string{"none"},
		"introspection_endpoint":                        q.s.url + "/oauth2/token/introspect",
		"introspection_endpoint_auth_methods_supported": []string{"none"},
	}
}

// discovery adds what OpenID Connect wants known.
func (q *request) discovery() (any, *fault) {
	c := q.pathClient()
	if c == nil {
		return nil, noMatching
	}
	v := q.describe(c)
	v["userinfo_endpoint"] = q.s.issuer(c) + "/userinfo"
	v["subject_types_supported"] = []string{"public"}
	v["id_token_signing_alg_values_supported"] = []string{algorithm(signatures(c))}
	v["display_values_supported"] = []string{"page"}
	v["claim_types_supported"] = []string{"normal"}
	for _, k := range []string{"claims_parameter_supported", "request_parameter_supported",
		"request_uri_parameter_supported", "require_request_uri_registration"} {
		v[k] = false
	}
	return v, nil
}

// signatures is the usage of the keys that a client's tokens are signed with.
func signatures(c *entry) string {
	if c.isOn("oauth2_jwt_legacy_crypto_enable") {
		return useRS256
	}
	return useES256
}

func algorithm(usage string) string { return strings.ToUpper(strings.TrimPrefix(usage, "jws_")) }

func (q *request) publicKeys() (any, *fault) {
	c := q.pathClient()
	if c == nil {
		return nil, noMatching
	}
	keys := []map[string]string{}
	for _, k := range c.client.sortedKeys() {
		if k.Usage == signatures(c) && !k.Revoked {
			keys = append(keys, k.jwk())
		}
	}
	return map[string]any{"keys": keys}, nil
}

// webfinger tells by which issuer somebody logs in; whoever is there, at any client.
func (q *request) webfinger() (any, *fault) {
	resource := q.r.URL.Query()["resource"]
	if len(resource) == 0 {
		return nil, &fault{status: http.StatusBadRequest, text: "Failed to deserialize query string: missing field " +
			"`resource`"}
	}
	c, who := q.pathClient(), strings.TrimPrefix(resource[0], "acct:")
	if e := q.store.resolve(who); c == nil || e == nil || q.store.spn(e) != lower(who) {
		return nil, noMatching
	}
	return plain{status: http.StatusOK, kind: "application/jrd+json",
		body: mustMarshal(map[string]any{"subject": resource[0],
			"links": []map[string]string{{"rel": "http://openid.net/specs/connect/1.0/issuer", "href": q.s.issuer(c)}}})}, nil
}

// accessToken is the payload of an access token.
type accessToken struct {
	Issuer   string  `json:"iss"`
	Subject  string  `json:"sub"`
	Audience string  `json:"aud"`
	ClientID string  `json:"client_id"`
	Expiry   int64   `json:"exp"`
	IssuedAt int64   `json:"iat"`
	From     int64   `json:"nbf"`
	ID       string  `json:"jti"`
	Nonce    *string `json:"nonce,omitempty"`
	Scope    string  `json:"scope"`
	Session  string  `json:"session_id"`
	Parent   string  `json:"parent_session_id"`
}

// opened is an access token that has been looked at: by whom it is of, at which client.
type opened struct {
	accessToken
	client, person *entry
	grant          *grant // nil: it is at an end
}

// openAccess verifies an access token. known says whether a client here has signed it at all.
func (q *request) openAccess(token string) (o opened, signed bool) {
	head := headOf(token)
	for _, c := range q.store.clients {
		k := c.client.key(head.Kid)
		if k == nil || k.Usage == useJWE {
			continue
		}
		payload, ok := k.verify(token)
		if !ok {
			return o, false
		}
		if head.Typ != "at+jwt" || json.Unmarshal(payload, &o.accessToken) != nil {
			return o, true
		}
		o.client = c
		o.person = q.store.resolve(o.Subject)
		o.grant = q.liveGrant(o.person, o.Session, o.Expiry)
		return o, true
	}
	return o, false
}

// userinfo tells a client who somebody is, as the id token did.
func (q *request) userinfo() (any, *fault) {
	token, ok := strings.CutPrefix(q.r.Header.Get("Authorization"), "Bearer ")
	if !ok || strings.Count(token, ".") != 2 {
		return nobody, nil
	}
	c := q.pathClient()
	if c == nil {
		return oauthError("invalid_client_id"), nil
	}
	o, _ := q.openAccess(token)
	switch {
	case o.client != c:
		return oauthError("invalid_request"), nil
	case o.grant == nil:
		return oauthError("invalid_token"), nil
	}
	return q.claims(o), nil
}

// claims are what a client is told of a person (docs/selfauth-facts.md F44).
func (q *request) claims(o opened) map[string]any {
	e, scopes := o.person, strings.Fields(o.Scope)
	v := map[string]any{"iss": o.Issuer, "sub": o.Subject, "aud": o.Audience, "exp": o.Expiry, "nbf": o.From,
		"iat": o.IssuedAt, "azp": o.ClientID, "jti": o.Session,
		"scopes": scopes, "name": e.display, "preferred_username": q.username(o.client, e)}
	if o.Nonce != nil {
		v["nonce"] = *o.Nonce
	}
	if slices.Contains(scopes, "profile") {
		v["updated_at"] = e.changed
	}
	if slices.Contains(scopes, "email") && len(e.mails) > 0 {
		v["email"], v["email_verified"] = e.mails[0], true
	}
	groups := q.store.memberOf(e)
	inOrder(groups)
	if list := q.groupsClaim(groups, scopes); list != nil {
		v["groups"] = list
	}
	for name, cl := range o.client.client.claims {
		var values []string
		for _, g := range groups {
			values = append(values, cl.Values[g.id]...)
		}
		switch values = set(values); {
		case len(values) == 0:
		case cl.Join == joins["array"]:
			v[name] = values
		default:
			v[name] = strings.Join(values, cl.Join)
		}
	}
	return v
}

func (q *request) username(c, e *entry) string {
	if c.isOn("oauth2_prefer_short_username") {
		return e.name
	}
	return q.store.spn(e)
}

// groupsClaim names each group in the forms that the scopes ask for, in the order of the groups' creation; nil: in
// none.
func (q *request) groupsClaim(groups []*entry, scopes []string) []string {
	has := func(scope string) bool { return slices.Contains(scopes, scope) }
	ids, spns, names := has("groups") || has("groups_uuid"), has("groups") || has("groups_spn"), has("groups_name")
	if !ids && !spns && !names {
		return nil
	}
	list := []string{}
	for _, g := range groups {
		if ids {
			list = append(list, g.id.String())
		}
		if spns {
			list = append(list, q.store.spn(g))
		}
		if names {
			list = append(list, g.name)
		}
	}
	return list
}
