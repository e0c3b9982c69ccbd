package person

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Client is an application as Self-auth knows it.
type Client struct {
	ID, Secret, Redirect string
	Scopes               []string
}

// Secret is that of a client by its name; token is an operator's. *Denied: there is no such client, or it has none.
func (s *Server) Secret(ctx context.Context, token, client string) (secret string, err error) {
	path := "/v1/oauth2/" + url.PathEscape(client) + "/_basic_secret"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.origin+path, nil)
	if err != nil {
		return "", err
	}
	a, err := s.send(r, token)
	if err != nil {
		return "", err
	}
	if err := a.into(&secret); err != nil {
		return "", err
	} else if secret == "" { // null: there is none
		return "", &Denied{"no such client, or it has no secret"}
	}
	return secret, nil
}

// Wish is one login that an application begins: what it must remember until the browser is back.
type Wish struct{ State, Nonce, verifier string }

// NewWish makes one up.
func NewWish() Wish {
	return Wish{State: rand.Text(), Nonce: rand.Text(), verifier: rand.Text() + rand.Text()}
}

// Ask is what the application asks Self-auth for, with PKCE.
func (w Wish) Ask(c Client) url.Values {
	challenge := sha256.Sum256([]byte(w.verifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.Redirect}, "scope": {strings.Join(c.Scopes, " ")},
		"state": {w.State}, "nonce": {w.Nonce}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])},
	}
}

// Address is where the application sends the browser with a wish.
func (s *Server) Address(c Client, w Wish) string {
	return s.origin + "/ui/oauth2?" + w.Ask(c).Encode()
}

// Authorise goes on to an application with a session of LogIn, consenting where that is asked; code is what the application
// is handed. *Denied: the person may not use it.
func (s *Server) Authorise(ctx context.Context, session string, c Client, w Wish) (code string, err error) {
	ask := map[string]string{}
	for name, values := range w.Ask(c) {
		ask[name] = values[0]
	}
	a, err := s.post(ctx, "/oauth2/authorise", session, ask)
	if err != nil {
		return "", err
	}
	var asked struct {
		Consent struct {
			Token string `json:"consent_token"`
		} `json:"ConsentRequested"`
	}
	if a.status == http.StatusOK && json.Unmarshal(a.body, &asked) == nil && asked.Consent.Token != "" {
		if a, err = s.post(ctx, "/oauth2/authorise/permit", session, asked.Consent.Token); err != nil {
			return "", err
		}
	}
	if err := a.into(nil); err != nil {
		return "", err
	}
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || to.Query().Get("code") == "" || to.Query().Get("state") != w.State {
		return "", fmt.Errorf("authorise: %w", cause(err))
	}
	return to.Query().Get("code"), nil
}

// Claims are what the application reads of an id token.
type Claims struct {
	Subject string   `json:"sub"`
	Name    string   `json:"preferred_username"`
	Email   string   `json:"email"`
	Groups  []string `json:"groups"` // in the token's order: names, and with the scope groups also ids and full names
	Nonce   string   `json:"nonce"`
}

// Redeem hands the code in, as the application does, and reads the id token. It came straight from the server over TLS,
// so its signature is not looked at (OpenID Connect Core 3.1.3.7). *Denied: the code is not good.
func (s *Server) Redeem(ctx context.Context, code string, c Client, w Wish) (claims Claims, err error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.Redirect}, "code_verifier": {w.verifier},
		"client_id": {c.ID}, "client_secret": {c.Secret},
	}
	a, err := s.post(ctx, "/oauth2/token", "", form)
	if err != nil {
		return claims, err
	}
	var tokens struct {
		ID string `json:"id_token"`
	}
	if err := a.into(&tokens); err != nil {
		return claims, err
	}
	parts := strings.Split(tokens.ID, ".")
	if len(parts) != 3 {
		return claims, fmt.Errorf("read the id token: %w", cause(nil))
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(body, &claims)
	}
	if err != nil || claims.Nonce != w.Nonce {
		return claims, fmt.Errorf("read the id token: %w", cause(err))
	}
	return claims, nil
}
