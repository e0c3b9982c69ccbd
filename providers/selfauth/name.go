package selfauth

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"anthill/state"
)

// OtherNames are the names of service accounts and OAuth2 clients that the account may see, and those of the
// server's own accounts, which few may see. Sorted, each once.
func (d directory) OtherNames(ctx context.Context) ([]string, error) {
	// These every server has, and hardly any account may list them.
	names := []string{"admin", "anonymous", "idm_admin"}
	for _, k := range []call{
		{
			method: http.MethodGet, path: "/v1/service_account", doing: "list service accounts",
			right: "idm_service_account_admins", lists: true,
		},
		{
			method: http.MethodGet, path: "/v1/oauth2", doing: "list OAuth2 clients", right: "idm_oauth2_admins",
			lists: true,
		},
	} {
		var some []string
		err := d.conn.read(ctx, k, func(in *body) error {
			some = nil
			dec := json.NewDecoder(in)
			return decodeArray(dec, func() error {
				in.grant(maxEntry)
				var e entry
				err := dec.Decode(&e)
				if name := e.first("name"); name != "" {
					some = append(some, name)
				}
				return err
			})
		})
		if err != nil && state.ErrorKindOf(err) != state.ErrorDenied {
			return nil, err
		}
		names = append(names, some...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
