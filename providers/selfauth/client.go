package selfauth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"anthill/providers"
	"anthill/state"
)

// scimClient is a client as the listing writes it.
type scimClient struct {
	ID        string     `json:"id"`
	Class     []string   `json:"class"`
	Name      string     `json:"name"`
	Display   string     `json:"displayname"`
	Landing   string     `json:"oauth2_rs_origin_landing"`
	Redirects oneOrMore  `json:"oauth2_rs_origin"`
	Strict    bool       `json:"oauth2_strict_redirect_uri"`
	NoPKCE    bool       `json:"oauth2_allow_insecure_client_disable_pkce"`
	Legacy    bool       `json:"oauth2_jwt_legacy_crypto_enable"`
	Short     bool       `json:"oauth2_prefer_short_username"`
	Scopes    []groupMap `json:"oauth2_rs_scope_map"`
	SupScopes []groupMap `json:"oauth2_rs_sup_scope_map"`
	Claims    []groupMap `json:"oauth2_rs_claim_map"`
}

// groupMap is what the members of a group get: scopes, or values of a claim.
type groupMap struct {
	Group  string    `json:"groupUuid"`
	Scopes oneOrMore `json:"scopes"`
	Claim  string    `json:"claim"`
	Join   string    `json:"joinChar"`
	Values oneOrMore `json:"values"`
}

// oneOrMore is a list of texts; a single one may stand without the list.
type oneOrMore []string

func (t *oneOrMore) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = oneOrMore{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// joins are our words for how a claim's values are joined, by the server's sign for it.
var joins = map[string]string{";": "array", ",": "csv", " ": "ssv"}

func (c *scimClient) client() (providers.Client, error) {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return providers.Client{}, errors.New("a client has no valid id")
	}
	kind := "confidential"
	if slices.Contains(c.Class, "oauth2_resource_server_public") {
		kind = "public"
	}
	at := state.Attributes{
		state.AttrName:             state.TextValue(c.Name),
		state.AttrType:             state.TextValue(kind),
		state.AttrDisplayName:      state.TextValue(c.Display),
		state.AttrLandingURL:       state.TextValue(c.Landing),
		state.AttrRedirectURLs:     state.ListValue(c.Redirects),
		state.AttrPKCE:             boolValue(!c.NoPKCE),
		state.AttrPreferShortNames: boolValue(c.Short),
		state.AttrLegacyCrypto:     boolValue(c.Legacy),
		state.AttrStrictRedirects:  boolValue(c.Strict),
	}
	for name, maps := range map[state.Attribute][]groupMap{
		state.AttrScopeMaps: c.Scopes, state.AttrSupplementalScopes: c.SupScopes, state.AttrClaimMaps: c.Claims,
	} {
		if at[name], err = grantsOf(maps); err != nil {
			return providers.Client{}, err
		}
	}
	return providers.Client{ID: id, Name: c.Name, Attributes: at.Set()}, nil
}

// grantsOf reads a client's maps.
func grantsOf(maps []groupMap) (state.Value, error) {
	grants := make([]state.Grant, len(maps))
	for i, m := range maps {
		group, err := uuid.Parse(m.Group)
		if err != nil {
			return state.Value{}, errors.New("a map of a client names no valid id of a group")
		}
		values := slices.Concat(m.Scopes, m.Values)
		slices.Sort(values)
		grants[i] = state.Grant{Group: group, Claim: m.Claim, Join: joins[m.Join], Values: values}
	}
	return state.GrantsValue(grants), nil
}

func boolValue(on bool) state.Value { return state.TextValue(strconv.FormatBool(on)) }

const clientAttributes = "class,name,displayname,oauth2_rs_origin_landing,oauth2_rs_origin," +
	"oauth2_strict_redirect_uri,oauth2_allow_insecure_client_disable_pkce,oauth2_jwt_legacy_crypto_enable," +
	"oauth2_prefer_short_username,oauth2_rs_scope_map,oauth2_rs_sup_scope_map,oauth2_rs_claim_map"

// Clients lists the OAuth2 clients that the account may see, sorted by name.
func (d directory) Clients(ctx context.Context) ([]providers.Client, error) {
	return d.conn.clients(ctx)
}

// Clients is the listing of the directory, made anew.
func (a accounts) Clients(ctx context.Context) ([]providers.Client, error) {
	return a.conn.clients(ctx)
}

func (c *conn) clients(ctx context.Context) ([]providers.Client, error) {
	k := call{
		method: http.MethodGet, path: listing("oauth2_resource_server", clientAttributes),
		doing: "list OAuth2 clients", right: clientAdmins, lists: true,
	}
	var clients []providers.Client
	err := c.read(ctx, k, func(in *body) error {
		clients = nil
		return decodeList(in, maxGroups, func(dec *json.Decoder) error {
			var e scimClient
			if err := dec.Decode(&e); err != nil {
				return err
			}
			one, err := e.client()
			clients = append(clients, one)
			return err
		})
	})
	slices.SortFunc(clients, func(a, b providers.Client) int { return strings.Compare(a.Name, b.Name) })
	return clients, err
}

func (a accounts) readClient(ctx context.Context, id uuid.UUID, name string) (state.Attributes, uuid.UUID, error) {
	which := id.String()
	if id == uuid.Nil {
		var can bool
		if which, can = nameSegment(name); !can {
			return nil, id, nil
		}
	}
	k := call{
		method: http.MethodGet, path: "/scim/v1/Entry/" + which + "?attributes=" + clientAttributes,
		doing: "read a client", right: clientAdmins,
	}
	var c scimClient
	err := a.conn.read(ctx, k, func(in *body) error {
		c = scimClient{}
		return decodeWhole(in, &c)
	})
	switch {
	case state.ErrorKindOf(err) == state.ErrorNotFound:
		return nil, id, nil
	case err != nil:
		return nil, id, err
	case !slices.Contains(c.Class, "oauth2_resource_server"):
		return nil, id, nil
	}
	one, err := c.client()
	return one.Attributes, one.ID, err
}

func clientPath(doing, name string) (string, error) {
	segment, can := nameSegment(name)
	if !can {
		return "", noSuchName(doing, "name")
	}
	return "/v1/oauth2/" + segment, nil
}

func (a accounts) createClient(ctx context.Context, at state.Attributes) (uuid.UUID, error) {
	path := "/v1/oauth2/_basic"
	if at.Text(state.AttrType) == "public" {
		path = "/v1/oauth2/_public"
	}
	err := a.conn.write(ctx, call{
		method: http.MethodPost, path: path, doing: "create a client", right: clientAdmins,
		body: encode(entry{map[string][]string{
			"name":                       {at.Text(state.AttrName)},
			"displayname":                {at.Text(state.AttrDisplayName)},
			"oauth2_rs_origin_landing":   {at.Text(state.AttrLandingURL)},
			"oauth2_strict_redirect_uri": {"true"},
		}}),
	})
	if err != nil {
		return uuid.Nil, err
	}
	// The answer does not hold the id, which the server chooses.
	_, id, err := a.readClient(ctx, uuid.Nil, at.Text(state.AttrName))
	return id, err
}

// clientSwitches are a client's simple attributes: ours, the server's, and what is written for a value.
var clientSwitches = []struct {
	ours   state.Attribute
	theirs string
	value  func(state.Value) []string
}{
	{state.AttrName, "name", text},
	{state.AttrDisplayName, "displayname", text},
	{state.AttrLandingURL, "oauth2_rs_origin_landing", text},
	{state.AttrRedirectURLs, "oauth2_rs_origin", func(v state.Value) []string { return append([]string{}, v.List()...) }},
	{state.AttrPKCE, "oauth2_allow_insecure_client_disable_pkce", trueIf("false")},
	{state.AttrPreferShortNames, "oauth2_prefer_short_username", trueIf("true")},
	{state.AttrLegacyCrypto, "oauth2_jwt_legacy_crypto_enable", trueIf("true")},
	{state.AttrStrictRedirects, "oauth2_strict_redirect_uri", text},
}

func text(v state.Value) []string { return oneOrNone(v.Text) }

// trueIf writes "true" for one value, and takes the attribute away for any other.
func trueIf(value string) func(state.Value) []string {
	return func(v state.Value) []string {
		if v.Text == value {
			return []string{"true"}
		}
		return []string{}
	}
}

// changeClient writes the simple attributes first, in one call: a name that is refused leaves all as it was.
func (a accounts) changeClient(ctx context.Context, from, to state.Attributes) error {
	patch := map[string][]string{}
	for _, s := range clientSwitches {
		if v, given := to[s.ours]; given && !v.Equal(from[s.ours]) {
			patch[s.theirs] = s.value(v)
		}
	}
	const doing = "change a client"
	path, err := clientPath(doing, from.Text(state.AttrName))
	if err != nil {
		return err
	}
	if err := a.patch(ctx, call{path: path, doing: doing, right: clientAdmins}, patch); err != nil {
		return err
	}
	// Clients are found by name, so what follows must use the new one.
	if name := to.Text(state.AttrName); name != "" {
		if path, err = clientPath(doing, name); err != nil {
			return err
		}
	}
	for _, m := range clientMaps {
		if v, given := to[m.ours]; given && !v.Equal(from[m.ours]) {
			if err := a.changeGrants(ctx, path+m.path, from[m.ours].Grants(), v.Grants()); err != nil {
				return err
			}
		}
	}
	return nil
}

// clientMaps are a client's maps, and where the server has them.
var clientMaps = []struct {
	ours state.Attribute
	path string
}{
	{state.AttrScopeMaps, "/_scopemap/"},
	{state.AttrSupplementalScopes, "/_sup_scopemap/"},
	{state.AttrClaimMaps, "/_claimmap/"},
}

// changeGrants deletes what is to go, then writes what differs, and after the values of each claim how they are joined:
// the server forgets how when the last group of a claim goes.
func (a accounts) changeGrants(ctx context.Context, path string, was, will []state.Grant) error {
	for _, g := range slices.Concat(was, will) {
		if g.Claim != "" && !claimForm().MatchString(g.Claim) {
			return noSuchName("change client maps", "claim")
		}
	}
	var stay []state.Grant
	// Deletions come first: a claim that moves from one group to another is never with both.
	for _, g := range was {
		if findGrant(will, g) != nil {
			stay = append(stay, g)
			continue
		}
		if err := a.clientCall(ctx, http.MethodDelete, path+grantPath(g), nil); err != nil {
			return err
		}
	}
	for i, g := range will {
		if before := findGrant(stay, g); before == nil || !slices.Equal(before.Values, g.Values) {
			if err := a.clientCall(ctx, http.MethodPost, path+grantPath(g), g.Values); err != nil {
				return err
			}
		}
		// Behind the last value of a claim, since before the first one there is no claim to say it of.
		last := i+1 == len(will) || will[i+1].Claim != g.Claim
		if last && g.Claim != "" && joinOf(stay, g.Claim) != g.Join {
			if err := a.clientCall(ctx, http.MethodPost, path+g.Claim, g.Join); err != nil {
				return err
			}
		}
	}
	return nil
}

// findGrant is the grant of the same claim to the same group; nil: there is none.
func findGrant(list []state.Grant, g state.Grant) *state.Grant {
	i := slices.IndexFunc(list, func(o state.Grant) bool { return o.Claim == g.Claim && o.Group == g.Group })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// joinOf is how the values of a claim are joined; "" where there is no such claim.
func joinOf(list []state.Grant, claim string) string {
	for _, g := range list {
		if g.Claim == claim {
			return g.Join
		}
	}
	return ""
}

// grantPath is where the server has a grant, below its map. The claim is of the form of claims.
func grantPath(g state.Grant) string {
	if g.Claim == "" {
		return g.Group.String()
	}
	return g.Claim + "/" + g.Group.String()
}

func (a accounts) clientCall(ctx context.Context, method, path string, value any) error {
	k := call{method: method, path: path, doing: "change client maps", right: clientAdmins, twice: true}
	if value != nil {
		k.body = encode(value)
	}
	return a.conn.write(ctx, k)
}
