package selfauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"anthill/providers"
	"anthill/state"
)

// Discovery reads a client's discovery document, as any application does.
func (d directory) Discovery(ctx context.Context, client string) (providers.Discovery, error) {
	name, can := nameSegment(client)
	if !can {
		return providers.Discovery{}, nil
	}
	k := call{
		method: http.MethodGet, path: "/oauth2/openid/" + name + "/.well-known/openid-configuration",
		doing: "read discovery",
	}
	var document struct {
		Issuer     string   `json:"issuer"`
		Algorithms []string `json:"id_token_signing_alg_values_supported"`
		Challenges []string `json:"code_challenge_methods_supported"`
	}
	err := d.conn.read(ctx, k, func(in *body) error { return decodeWhole(in, &document) })
	if state.ErrorKindOf(err) == state.ErrorNotFound {
		return providers.Discovery{}, nil
	}
	return providers.Discovery(document), err
}

// RefusedRedirects asks for a login at each URL without being anybody: Self-auth answers that nobody is logged in
// (401) where it would send one to that URL, and refuses the others before it asks (docs/selfauth-facts.md F57).
func (d directory) RefusedRedirects(ctx context.Context, client string, urls []string) (refused []string, err error) {
	for _, at := range urls {
		q := url.Values{
			"response_type": {"code"}, "client_id": {client}, "redirect_uri": {at}, "scope": {"openid"}, "state": {"anthill"},
			// Of what, nobody will ever ask: no code comes of this.
			"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"},
		}
		k := call{method: http.MethodGet, path: "/oauth2/authorise?" + q.Encode(), doing: "probe redirect URLs", nobody: true}
		err := d.conn.read(ctx, k, func(*body) error { return nil })
		switch {
		case errors.Is(err, errNobodyMay):
			refused = append(refused, at)
		case err == nil, state.ErrorKindOf(err) == state.ErrorUnauthenticated:
		case ctx.Err() != nil:
			return nil, err
		default:
			return refused, nil // something stands in between that does not let this through, and tells nothing
		}
	}
	return refused, nil
}
