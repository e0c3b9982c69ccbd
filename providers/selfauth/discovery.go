package selfauth

import (
	"context"
	"net/http"

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
