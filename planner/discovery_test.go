package planner_test

import (
	"slices"
	"testing"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// TestDiscovery: what Self-auth tells applications of a client is compared with what the client is.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	const issuer = "https://x/oauth2/openid/app"
	right := providers.Discovery{Issuer: issuer, Algorithms: []string{"ES256"}, Challenges: []string{"S256"}}
	for name, c := range map[string]struct {
		is   state.Attributes
		says providers.Discovery
		want state.Code
	}{
		"as it should":       {says: right},
		"more than it needs": {says: providers.Discovery{Issuer: issuer, Algorithms: []string{"RS256", "ES256"}, Challenges: []string{"plain", "S256"}}},
		"nothing":            {want: state.CodeDiscoverySilent},
		"another issuer": {says: providers.Discovery{Issuer: "https://proxy.example/oauth2/openid/app", Algorithms: right.Algorithms,
			Challenges: right.Challenges}, want: state.CodeIssuerOther},
		"another algorithm": {says: providers.Discovery{Issuer: issuer, Algorithms: []string{"RS256"}, Challenges: right.Challenges},
			want: state.CodeAlgorithmOther},
		"the old algorithm": {is: texts("legacy_crypto", "true"), says: providers.Discovery{Issuer: issuer, Algorithms: []string{"RS256"},
			Challenges: right.Challenges}},
		"the old algorithm, and it is not used": {is: texts("legacy_crypto", "true"), says: right, want: state.CodeAlgorithmOther},
		"no PKCE":                               {says: providers.Discovery{Issuer: issuer, Algorithms: right.Algorithms}, want: state.CodeNoChallenge},
		"no PKCE, as it is declared":            {is: texts("pkce", "false"), says: providers.Discovery{Issuer: issuer, Algorithms: right.Algorithms}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			is := texts("name", "app", "type", "confidential")
			for k, v := range c.is {
				is[k] = v
			}
			f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: is}}
			f.config.Clients = []config.Client{
				{Address: "oauth2_client.app", Name: "app", Adopt: true, Attributes: is},
				{Address: "oauth2_client.later", Name: "later", Attributes: texts("name", "later", "type", "confidential")}, // is not there yet
			}
			f.documents = map[string]providers.Discovery{"app": c.says}
			var found []state.Code
			for _, n := range f.must(t).context.Notes {
				switch n.Code {
				case state.CodeDiscoverySilent, state.CodeIssuerOther, state.CodeAlgorithmOther, state.CodeNoChallenge:
					found = append(found, n.Code)
					if n.Subject != state.Of("oauth2_client.app") {
						t.Errorf("%s is said of %+v", n.Code, n.Subject)
					}
				}
			}
			if len(found) > 1 || len(found) == 1 != (c.want != "") || len(found) == 1 && found[0] != c.want {
				t.Errorf("found %v, want %q", found, c.want)
			}
		})
	}
}

// TestRedirectsAsked: redirect URLs that a client has and to which Self-auth sends nobody are noted; those that the plan adds are
// not asked for.
func TestRedirectsAsked(t *testing.T) {
	t.Parallel()
	const has, lacks = "https://app.example/cb", "https://app.example/new"
	for name, c := range map[string]struct {
		closed []string
		want   []string
	}{
		"as it should":            {nil, nil},
		"one that is refused":     {[]string{has}, []string{has}},
		"one that the plan gives": {[]string{lacks}, nil},
	} {
		f := newFake(t)
		live, declared := client("app", has), client("app", has, lacks)
		live[state.AttrType], declared[state.AttrType] = state.TextValue("public"), state.TextValue("public")
		f.clients = []providers.Client{{ID: id(150), Name: "app", Attributes: live}}
		f.config.Clients = []config.Client{{Address: "oauth2_client.app", Name: "app", Adopt: true, Attributes: declared}}
		f.documents = map[string]providers.Discovery{"app": {Issuer: "https://x/oauth2/openid/app", Algorithms: []string{"ES256"}, Challenges: []string{"S256"}}}
		f.closed = c.closed
		var got []string
		for _, n := range f.must(t).context.Notes {
			if n.Code == state.CodeRedirectRefused {
				got = n.Arg(state.KeyURLs).List
				if n.Subject != state.Of("oauth2_client.app") {
					t.Errorf("said of %+v", n.Subject)
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
