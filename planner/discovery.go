package planner

import (
	"context"
	"slices"

	"anthill/config"
	"anthill/providers"
	"anthill/state"
)

// discover looks at what Self-auth tells applications of the declared clients that are there: an application that
// was set up by what is declared must find the same.
func (m *maker) discover(ctx context.Context) (found []state.Finding, err error) {
	for _, x := range m.Config.Clients {
		i := slices.IndexFunc(m.world.Clients, func(c providers.Client) bool { return c.Name == x.Name })
		if i < 0 {
			continue
		}
		d, err := m.Directory.Discovery(ctx, x.Name)
		if err != nil {
			return nil, err
		}
		live := m.world.Clients[i].Attributes
		found = append(found, m.undiscovered(x, live, d)...)
		refused, err := m.Directory.RefusedRedirects(ctx, x.Name, registered(x, live))
		if err != nil {
			return nil, err
		}
		if len(refused) > 0 {
			found = append(found, state.About(state.CodeRedirectRefused, state.Of(x.Address), state.List(state.KeyURLs, refused...)))
		}
	}
	return found, nil
}

// registered are the declared redirect URLs that a client has: what the plan adds is refused until then, and needs
// no word.
func registered(x config.Client, live state.Attributes) []string {
	return slices.DeleteFunc(slices.Clone(x.Attributes[state.AttrRedirectURLs].List()), func(url string) bool {
		return !slices.Contains(live[state.AttrRedirectURLs].List(), url)
	})
}

// undiscovered is what a client's discovery document says otherwise than its attributes do.
func (m *maker) undiscovered(x config.Client, live state.Attributes, d providers.Discovery) (found []state.Finding) {
	say := func(code state.Code, args ...state.Arg) {
		found = append(found, state.About(code, state.Of(x.Address), args...))
	}
	issuer := m.Target.Origin + "/oauth2/openid/" + x.Name
	if d.Issuer == "" {
		say(state.CodeDiscoverySilent, state.Text(state.KeyLive, issuer))
		return found
	}
	if d.Issuer != issuer {
		say(state.CodeIssuerOther, state.Text(state.KeyLive, d.Issuer), state.Text(state.KeyWrote, issuer))
	}
	algorithm := "ES256"
	if live.Text(state.AttrLegacyCrypto) == "true" {
		algorithm = "RS256"
	}
	if !slices.Contains(d.Algorithms, algorithm) {
		say(state.CodeAlgorithmOther, state.List(state.KeyLive, d.Algorithms...), state.Text(state.KeyWrote, algorithm))
	}
	if live.Text(state.AttrPKCE) != "false" && !slices.Contains(d.Challenges, "S256") {
		say(state.CodeNoChallenge)
	}
	return found
}
